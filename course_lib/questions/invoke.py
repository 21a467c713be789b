"""One call of a student's function, the same in the notebook and inside the sandbox."""

import contextlib
import signal
import threading
import traceback

import torch

from course_lib.questions import wire
from course_lib.questions.own_code import Forbidden, only_own_code

NO_FILES = (
    "The files of your own machine are not here when your notebook is graded: use load_stage, or what your own "
    "cells make."
)


class CallFailed(Exception):
    """A call gave no value. status: error|timeout|oom|killed|missing|protocol|todo|fail."""

    def __init__(self, status, message, hint=None):
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint


class Timeout(BaseException):
    """Not an Exception, so that a student's `except Exception` does not swallow it."""


def invoke(fn, args, kwargs, wrt=(), cotangent=None, forbid=(), inputs_back=False):
    """{"value", "grads", "inputs"} of fn(*args, **kwargs), all plain copies. The caller gives inputs that are its own
    to spoil.

    grads: of (y * cotangent).sum() with respect to args[i], i in wrt; y is the value, or its first entry if it is a
    tuple or list.
    """
    args, kwargs = list(args), dict(kwargs)
    if torch.is_grad_enabled() is False:
        torch.set_grad_enabled(True)
    for place in wrt:
        where = kwargs if isinstance(place, str) else args
        where[place] = where[place].detach().clone().requires_grad_(True)
    leaves = [(kwargs if isinstance(place, str) else args)[place] for place in wrt]
    given = [list(args), dict(kwargs)]
    with only_own_code(forbid):
        value = fn(*args, **kwargs)
    reply = {"value": None}
    if wrt:
        y = value[0] if type(value) in (tuple, list) and len(value) else value
        if not isinstance(y, torch.Tensor):
            raise wire.NotPlain(f"{wire.describe(y)} is not a plain tensor: its gradient is needed")
        if type(y) is not torch.Tensor:
            raise wire.NotPlain(f"{wire.describe(y)} is not a plain tensor: return a torch.Tensor")
        if cotangent is not None and cotangent.shape != y.shape:
            raise wire.NotPlain(f"the shape is {list(y.shape)}, expected {list(cotangent.shape)}")
        total = y.sum() if cotangent is None else (y * cotangent).sum()
        if total.requires_grad:
            reply["grads"] = list(torch.autograd.grad(total, leaves, allow_unused=True))
        else:
            reply["grads"] = [None] * len(leaves)
    reply["value"] = value
    if inputs_back:
        reply["inputs"] = given
    return wire.plain(reply)


def explain(error):
    """(status, message, hint) for an exception out of a student's function."""
    if isinstance(error, NotImplementedError) and "not implemented for" not in str(error):  # torch says so of a dtype
        return "todo", "not written yet", "Replace `raise NotImplementedError()` by your own lines."
    if isinstance(error, Forbidden):
        return "fail", str(error)[:300], None
    if isinstance(error, wire.NotPlain):
        return "fail", str(error)[:300], None
    if isinstance(error, Timeout):
        return (
            "timeout",
            "it took too long and was stopped",
            "Is there a loop that never ends, or a loop over single numbers where one tensor operation would do?",
        )
    if (
        isinstance(error, MemoryError)
        or "can't allocate memory" in str(error)[:2000]
        or "out of memory" in str(error)[:2000]
    ):
        return "oom", "it ran out of memory", None
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "course_lib" not in f.filename and "site-packages" not in f.filename]
    where = f" (line {own[-1].lineno}: {(own[-1].line or '').strip()[:80]})" if own and own[-1].line else ""
    hint = NO_FILES if isinstance(error, FileNotFoundError) else None
    return "error", f"{type(error).__name__}: {str(error)[:300]}{where}", hint


def stop(signum, frame):
    raise Timeout()


@contextlib.contextmanager
def time_limit(seconds):
    """Raises Timeout in the main thread after `seconds`; does nothing where there is no SIGALRM (Windows, other
    threads).
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class LocalCaller:
    """Calls functions of a namespace (the notebook's globals) in this process: for `check`, never for a grade."""

    def __init__(self, namespace):
        self.namespace = namespace

    def call(self, name, args, kwargs, options, timeout):
        fn = self.namespace.get(name)
        if fn is None:
            raise CallFailed("missing", f"there is no {name} here: run the cell that defines it")
        if not callable(fn):
            raise CallFailed("missing", f"{name} is {wire.describe(fn)}, not a function")
        args, kwargs, options = wire.plain([list(args), dict(kwargs), options])
        try:
            with time_limit(timeout):
                return invoke(fn, args, kwargs, **options)
        except KeyboardInterrupt:
            raise
        except (Exception, Timeout) as error:
            raise CallFailed(*explain(error)) from None
        except SystemExit:
            raise CallFailed("error", "your function calls exit()") from None
