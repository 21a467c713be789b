"""Runs inside the sandbox, in one process with the student's code: executes the notebook's cells, then answers calls.

Nothing here is trusted. The student's code may patch any of it; all it can gain is to answer its own calls, which is
its job. Deadlines, inputs, expected values and scores are on the other side of the pipe (box.py).

A frame is 8 bytes of length, 16 bytes of id, then wire.encode(value). A reply carries the id of its request.
"""

import functools
import gc
import os
import signal
import sys
import time
import types

from course_lib.grading.sandbox.inside import apart, moved
from course_lib.notebook.runner import Caller, Session, neutralise

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


def answer(request, session, report, caller, aside):
    """The reply to a request. Where a function is forbidden, nothing that the cells have left running may help."""
    if request["do"] == "cells":
        for name, text in request["files"].items():  # modules beside the notebook
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
        cells, skip = request["cells"], dict(request["skip"])
        stopped = session.run_all(cells, skip, request["seconds"], report, request["total"])
        caller.mark()
        return {"stopped": stopped}
    with aside.answering():
        if request["options"].get("forbid") and apart.company():
            reply = apart.apart(lambda: called(request, caller))
        else:
            reply = called(request, caller)
    return {**reply, "helped": aside.helped()}


def called(request, caller):
    from course_lib.questions.invoke import CallFailed

    try:
        call = [request[key] for key in ("name", "args", "kwargs", "options", "timeout")]
        return {"status": "ok", "reply": caller.call(*call)}
    except CallFailed as failure:
        return {"status": failure.status, "message": failure.message, "hint": failure.hint}
    except MemoryError:
        return {"status": "oom", "message": "it ran out of memory", "hint": None}
    except BaseException as error:
        return {"status": "error", "message": f"{type(error).__name__}", "hint": None}


def report_cell(replies, call_id, number):
    """Tells the other side which cell begins: its deadline starts anew."""
    from course_lib.questions import wire

    write_frame(replies, call_id, wire.encode({"at": number}))


def main():
    if os.getpid() == 1:
        leave_the_first()
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(2, 1)  # what the student prints goes to the log pipe
    sys.path[:] = [p for p in sys.path if p not in ("", "/box")]
    gc.disable()  # while half a million objects are made that stay
    import torch

    from course_lib.questions import own_code, wire

    gc.freeze()
    gc.enable()
    torch.set_num_threads(1)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    session = Session(module)
    neutralise(session)
    moved.install()
    caller, aside, clock = Caller(session), own_code.Aside(), time.perf_counter
    while True:
        try:
            call_id, payload = read_frame(requests)
        except EOFError:
            os._exit(0)
        except OSError:
            os._exit(PIPE_CLOSED)
        report = functools.partial(report_cell, replies, call_id)
        try:
            request, began = wire.decode(payload), clock()
            reply = wire.encode({**answer(request, session, report, caller, aside), "seconds": clock() - began})
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
