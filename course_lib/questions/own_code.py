"""What an answer may not call: the functions of course_lib, and what its exercise asks to be written.

Looked for in three places, while it runs: the functions of torch that Python calls, the operators that torch runs, and
the frames that the interpreter enters. It runs beside the student's code, so it makes a shortcut hard, not impossible:
what goes round it stands in the flags (grading/scoring/signs.py), and what a cell has left running is kept away by a
process of its own (grading/sandbox/inside/apart.py).
"""

import contextlib
import fnmatch
import functools
import mmap
import os
import sys
import threading
import typing
import unicodedata

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Forbidden(Exception):
    pass


def forbids(forbid):
    """A test of names: does one mean what `forbid` lists, dotted names whose last part may be a pattern (*flash*)?

    Folded as Python folds identifiers, without the marks of a private name and of an operator's overload: rms_norm for
    what torch calls rms_norm.default or _fused_rms_norm.
    """
    patterns = {dotted.rsplit(".", 1)[-1] for dotted in forbid}

    @functools.cache  # it is asked at every call that an answer makes
    def named(name):
        folded = unicodedata.normalize("NFKC", str(name)).split(".")[0].strip("_").removeprefix("fused_")
        return any(fnmatch.fnmatchcase(folded, pattern) for pattern in patterns)

    return named


def offence(name):
    return f"{name.split('.')[0]} is what you are asked to write: this exercise may not call it"


class ForbidTorch(TorchFunctionMode):
    """Raises Forbidden when one of the named torch functions is called, under whatever name it was reached."""

    def __init__(self, forbidden):
        super().__init__()
        self.forbidden = forbidden

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if self.forbidden(name):
            raise Forbidden(offence(name))
        return func(*args, **(kwargs or {}))


class ForbidOperators(TorchDispatchMode):
    """The same one floor down, where torch has found the operator to run, whoever asked for it."""

    def __init__(self, forbidden):
        super().__init__()
        self.forbidden = forbidden

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.partition("::")[2]
        if self.forbidden(name):
            raise Forbidden(offence(name))
        return func(*args, **(kwargs or {}))


# torch wraps it against its compiler, whose import takes seconds; nothing is compiled here (`uncompiled`)
wrapped = ForbidOperators.__torch_dispatch__
ForbidOperators.__torch_dispatch__ = getattr(wrapped, "__wrapped__", wrapped)

COURSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
STAGES = tuple(
    COURSE + room + os.sep for room in ("answers", "stages", "evaluation", "world")
)  # where what is asked for stands
TORCH = os.path.dirname(torch.__file__) + os.sep
INVOKE = os.path.join(os.path.dirname(__file__), "invoke.py")
OPERATORS = os.path.join(TORCH, "_ops.py")
# what takes this watch off, or goes where it does not look; only where a function is forbidden no process may be begun
BLINDS = {
    ("sys", "setprofile"),
    ("sys", "settrace"),
    ("sys.monitoring", "set_events"),
    ("sys", "_setprofileallthreads"),
}
ELSEWHERE = {"fork", "forkpty", "posix_spawn", "posix_spawnp", "fork_exec", "start_new_thread"}


def watcher(found, forbidden):
    """A profile function that raises Forbidden, and notes why in `found`, where course_lib or a function that
    `forbidden` names (None: none) is entered, or where it would be switched off.

    Not where a library looks through the modules that there are: it asks course_lib's lazy __getattr__, or imports.
    """
    # beside the deadline's alarm: the stand-ins for input() and display(), IPython's shell, the finder of moved modules
    own = (__file__, INVOKE, COURSE + "notebook", COURSE + "grading")
    importing = []

    # called at every event of the answer: the type check of the tests would make each a hundred times as slow
    @typing.no_type_check
    def watch(frame, event, argument):
        if event == "call":
            code = frame.f_code
            if code.co_filename.startswith(COURSE) and not code.co_filename.startswith(own):
                if code.co_name == "<module>":
                    importing.append(code)
                if importing or code.co_name == "__getattr__":
                    return
                found.append(f"this calls course_lib's own {code.co_name}: write it out yourself")
            elif forbidden is None or not code.co_filename.startswith(TORCH):
                return
            elif code.co_name == "__call__" and code.co_filename == OPERATORS:
                name = getattr(frame.f_locals.get("self"), "__name__", "")
                if not forbidden(name):
                    return
                found.append(offence(name))
            elif forbidden(code.co_name):
                found.append(offence(code.co_name))
            else:
                return
        elif event == "c_call":
            module, name = getattr(argument, "__module__", None) or "torch", argument.__name__
            if (module, name) in BLINDS and frame.f_code.co_filename not in (__file__, threading.__file__):
                found.append(f"your function calls {module}.{name}: write it without")
            elif forbidden is None:
                return
            elif module.startswith("torch") and forbidden(name):
                found.append(offence(name))
            elif name in ELSEWHERE and frame.f_code.co_filename != threading.__file__:
                found.append(f"your function calls {name}: this exercise is done in one process, in threads at most")
            else:
                return
        else:
            if importing and event == "return" and frame.f_code is importing[-1]:
                importing.pop()
            return
        raise Forbidden(found[-1])

    return watch


@contextlib.contextmanager
def only_own_code(forbid=()):
    """Raises Forbidden when what runs inside, or in a thread it starts, enters a function of course_lib or one of the
    forbidden torch functions.

    Also when the answer has caught that exception, or has switched this off. It makes a shortcut hard, not impossible:
    it runs beside the student's code. What goes round it stands in the flags (grading/scoring/signs.py).
    """
    found, before, threads = [], sys.getprofile(), threading.getprofile()
    forbidden = forbids(forbid) if forbid else None
    watch = watcher(found, forbidden)
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(uncompiled())
                if forbidden is not None:
                    stack.enter_context(ForbidOperators(forbidden))
                    stack.enter_context(ForbidTorch(forbidden))
                yield
            finally:
                # also where the answer has caught it, or fails for want of what a thread should have brought
                if found:
                    raise Forbidden(found[0]) from None
            if sys.getprofile() is not watch:
                raise Forbidden("your function calls sys.setprofile: write it without")
    finally:
        threading.setprofile(threads)
        sys.setprofile(before)


# ---- what earlier cells have left running ----------------------------------------------------------------------------

# bytes that a process shares with those it forks: an answer runs; the course's code was called
ANSWERING, HELPED = 0, 1


class Aside:
    """Looks, in a grader's process, whether a thread or a process of an earlier cell calls course_lib while an answer
    runs. It may be work of its own, so it costs nothing: it is a sign.
    """

    def __init__(self):
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)
        threading.setprofile(self.look)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: sys.getprofile() or sys.setprofile(self.look))

    @typing.no_type_check
    def look(self, frame, event, argument):
        if event == "call" and self.shared[ANSWERING]:
            code = frame.f_code
            if code.co_filename.startswith(STAGES) and code.co_name not in ("<module>", "__getattr__"):
                self.shared[HELPED] = 1

    @contextlib.contextmanager
    def answering(self):
        """Inside, the answer runs. helped() says then what was seen."""
        self.shared[ANSWERING], self.shared[HELPED] = 1, 0
        try:
            yield
        finally:
            self.shared[ANSWERING] = 0

    def helped(self):
        return bool(self.shared[HELPED])


def uncompiled():
    """A function under torch.compile runs as it was written: its kernels would be made anew in each sandbox, and what
    the compiler makes of it, it may call.
    """
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()
