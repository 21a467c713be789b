"""Runs inside the sandbox, in one process with the student's code: executes the notebook's cells, then answers calls.

Nothing here is trusted. The student's code may patch any of it; all it can gain is to answer its own calls, which is
its job. Deadlines, inputs, expected values and scores are on the other side of the pipe (box.py).

A frame is 8 bytes of length, 16 bytes of id, then wire.encode(value). A reply carries the id of its request.
"""

import ast
import builtins
import gc
import inspect
import linecache
import os
import re
import signal
import sys
import time
import types

MAX_FRAME = 68 * 2**20
PIPE_CLOSED = 97  # exit status when the student's code has closed our pipes


def read_exactly(fd, n):
    parts = []
    while n:
        part = os.read(fd, min(n, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def read_frame(fd):
    size = int.from_bytes(read_exactly(fd, 8), "little")
    if size > MAX_FRAME:
        raise EOFError
    return read_exactly(fd, 16), read_exactly(fd, size)


def write_frame(fd, call_id, payload):
    data = memoryview(len(payload).to_bytes(8, "little") + call_id + payload)
    while data:
        data = data[os.write(fd, data) :]


# ---- cells -----------------------------------------------------------------------------------------------------------

# fmt: off
SKIPPED_MAGICS = {"bash", "sh", "script", "html", "HTML", "javascript", "js", "latex", "markdown", "svg", "writefile",
    "file", "perl", "ruby", "cmd", "system", "sx"}
# fmt: on


def plain_python(source):
    """The cell without IPython's own syntax: magics and shell lines become nothing, assignments from them None."""
    first = source.lstrip().split("\n", 1)
    if first[0].startswith("%%"):
        if first[0][2:].split(" ")[0].strip() in SKIPPED_MAGICS:
            return ""
        source = first[1] if len(first) > 1 else ""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    lines = []
    for line in source.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        if len(line) > 2000:  # nobody's magic, and these patterns are slow on it
            pass
        elif re.match(r"\s*[%!?]|\s*[\w.]+\?{1,2}\s*$", line):
            line = indent + "pass"
        elif found := re.match(r"(\s*[\w\[\]'\", ]+=\s*)[!%]", line):
            line = found.group(1) + "None"
        lines.append(line)
    return "\n".join(lines)


def run_cell(source, number, namespace):
    """Executes one cell. Returns None, or one line saying why it stopped."""
    from course_lib.questions.invoke import Timeout

    name = f"<cell {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        code = compile(plain_python(source), name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, namespace)
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            asyncio.run(result)
        return None
    except SyntaxError as error:
        return f"SyntaxError: {error.msg} (line {error.lineno})"
    except NotImplementedError:
        return "NotImplementedError"
    except Timeout:
        return "timeout: the cell took too long and was stopped"
    except SystemExit:
        return "the cell called exit()"
    except BaseException as error:  # KeyboardInterrupt, GeneratorExit and the student's own among them
        try:
            return f"{type(error).__name__}: {str(error)[:300]}"
        except BaseException:
            return f"{type(error).__name__}"


class NoInput(Exception):
    pass


def no_input(*_):
    raise NoInput("input() cannot be answered while grading")


class Shell:
    """What get_ipython() gives here: every attribute is there and every call does nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Shell()

    def __call__(self, *args, **kwargs):
        return None


def neutralise(namespace):
    """check, submit and save_stage do nothing here; input() and debuggers do not wait; IPython's names exist."""
    import course_lib
    from course_lib.notebook import check
    from course_lib.questions import core

    def fall_back(name, namespace, fallback):
        return fallback

    def nothing(*args, **kwargs):
        return False

    for module in (course_lib, core, check):
        module.check, module.submit, module.save_stage = nothing, nothing, nothing
    core.mine = check.mine = fall_back  # in core for notebooks that were handed out before 0.2
    for name, wanted in (("course_lib.stages.artifacts", "save_stage"),):
        try:
            setattr(__import__(name, fromlist=[wanted]), wanted, nothing)
        except Exception:
            pass
    submit = types.ModuleType("course_lib.notebook.submit")
    submit.submit = nothing
    sys.modules["course_lib.notebook.submit"] = submit
    builtins.input = no_input
    builtins.get_ipython = lambda: Shell()
    builtins.display = nothing
    builtins.exit = builtins.quit = sys.exit
    sys.breakpointhook = nothing
    os.environ["PYTHONBREAKPOINT"] = "0"
    import pdb

    pdb.set_trace = nothing
    namespace["__name__"] = "__main__"


def run_cells(cells, skip, seconds, namespace, report):
    """cells: [(number, source)]. Skips LONG cells and those in `skip`. Returns {number: why it stopped}."""
    from course_lib.questions.invoke import time_limit

    stopped = {}
    for number, source in cells:
        if number in skip:
            stopped[str(number)] = skip[number]
            continue
        if source.lstrip().startswith("# LONG"):
            continue
        report(number)
        try:
            with time_limit(seconds):
                why = run_cell(source, number, namespace)
        except BaseException as error:  # the alarm may fire between the cell and here
            why = f"{type(error).__name__}"
        if why:
            stopped[str(number)] = why
    return stopped


# ---- the first process -----------------------------------------------------------------------------------------------


def reap(agent):
    """For the first process of the box: waits for every child and ends as the agent `agent` ends (128 + number after a
    signal); the kernel then kills all that is left.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which for a first process is: ignored
    for fd in (0, 1, 2):
        os.dup2(os.open("/dev/null", os.O_RDWR), fd)
    os.closerange(3, 2**16)
    while True:
        pid, status = os.wait()
        if pid == agent:
            code = os.waitstatus_to_exitcode(status)
            os._exit(128 - code if code < 0 else code)


def leave_the_first():
    """Goes on in a child. The kernel keeps signals from a first process, so the student's code must not be it: it could
    not even crash.

    The first process cannot be read or taken over by one of the same uid: it is not dumpable.
    """
    import ctypes

    dumpable = lambda value: ctypes.CDLL(None).prctl(4, value, 0, 0, 0)  # PR_SET_DUMPABLE
    dumpable(0)
    agent = os.fork()
    if agent:
        reap(agent)
    dumpable(1)


# ---- the loop --------------------------------------------------------------------------------------------------------


def answer(request, namespace, report, state):
    """The reply to a request. state: of questions/ambient.py, put back before each call."""
    from course_lib.questions import ambient
    from course_lib.questions.invoke import CallFailed, LocalCaller

    if request["do"] == "cells":
        stopped = run_cells(request["cells"], dict(request["skip"]), request["seconds"], namespace, report)
        ambient.mark(state, namespace)
        return {"stopped": stopped}
    try:
        ambient.restore(state, namespace, request["name"])
        caller = LocalCaller(namespace)
        return {
            "status": "ok",
            "reply": caller.call(
                request["name"], request["args"], request["kwargs"], request["options"], request["timeout"]
            ),
        }
    except CallFailed as failure:
        return {"status": failure.status, "message": failure.message, "hint": failure.hint}


def main():
    if os.getpid() == 1:
        leave_the_first()
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(2, 1)  # what the student prints goes to the log pipe
    sys.path[:] = [p for p in sys.path if p not in ("", "/box")]
    gc.disable()  # while half a million objects are made that stay
    import torch

    from course_lib.questions import ambient, wire

    gc.freeze()
    gc.enable()
    torch.set_num_threads(1)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    neutralise(namespace)
    state, clock = ambient.remember(), time.perf_counter
    while True:
        try:
            call_id, payload = read_frame(requests)
        except EOFError:
            os._exit(0)
        except OSError:
            os._exit(PIPE_CLOSED)
        report = lambda number: write_frame(replies, call_id, wire.encode({"at": number}))
        try:
            request, began = wire.decode(payload), clock()
            reply = wire.encode({**answer(request, namespace, report, state), "seconds": clock() - began})
        except MemoryError:
            reply = wire.encode({"status": "oom", "message": "it ran out of memory", "hint": None})
        except BaseException as error:
            reply = wire.encode({"status": "error", "message": f"{type(error).__name__}", "hint": None})
        try:
            write_frame(replies, call_id, reply)
        except OSError:
            os._exit(PIPE_CLOSED)


if __name__ == "__main__":
    main()
