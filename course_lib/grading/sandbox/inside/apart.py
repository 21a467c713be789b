"""A call in a process of its own: where an exercise forbids a function, no thread and no process that a cell has left
running may call it in the answer's place.

A fork has one thread, and while it answers all other processes of the box stand still. It is made only where there is
such company; a box that holds nothing but the agent and its first process has none.
"""

import mmap
import os
import signal
import sys
import warnings
from os import listdir  # as it is before any student's code

FIRST = 1  # the first process of the box: it waits for the others to end, and runs no code of a student


def others():
    """The processes of the box that can run, but the first and this one."""
    found = []
    for name in listdir("/proc"):
        if name.isdigit() and int(name) not in (FIRST, os.getpid()):
            try:
                with open(f"/proc/{name}/stat") as file:
                    state = file.read().rpartition(")")[2].split()[0]
            except OSError:  # it has just ended
                continue
            if state not in "ZXT":
                found.append(int(name))
    return found


def company():
    """Has a cell left a thread or a process? The one that watches over progress bars is sent home: it comes back."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        if tqdm.monitor is not None:
            tqdm.monitor.exit()
            tqdm.monitor = None
    return len(listdir("/proc/self/task")) > 1 or bool(others())


def still():
    """Stops all other processes, and those that they begin meanwhile. Returns their numbers."""
    stopped = []
    while running := [pid for pid in others() if pid not in stopped]:
        for pid in running:
            try:
                os.kill(pid, signal.SIGSTOP)
            except OSError:
                pass
            stopped.append(pid)
    return stopped


def apart(work):
    """The value of work(), plain, out of a process of its own. Ends this process as that one ended, if it died."""
    from course_lib.questions import wire

    reply = mmap.mmap(-1, wire.MAX_BYTES + wire.MAX_JSON)  # shared with the forks; what nobody writes costs nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fork beside threads
        guard = os.fork()
    if guard == 0:
        try:
            stand_guard(work, reply)
        finally:
            os._exit(1)
    end_as(os.waitpid(guard, 0)[1])
    return wire.decode(reply[8 : 8 + int.from_bytes(reply[:8], "little")])


def stand_guard(work, reply):
    """In the first fork, where no student's code runs: stops the others, has the second do the work, lets them go."""
    for number in (signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    stopped = still()
    worker = os.fork()
    if worker == 0:
        try:
            answer(work, reply)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(worker, 0)[1]
    for pid in set(others()) - set(stopped):  # what the call has begun
        os.kill(pid, signal.SIGKILL)
    for pid in stopped:
        try:
            os.kill(pid, signal.SIGCONT)
        except OSError:
            pass
    end_as(status)
    os._exit(0)


def answer(work, reply):
    from course_lib.questions import wire

    payload = wire.encode(work())
    reply[: 8 + len(payload)] = len(payload).to_bytes(8, "little") + payload


def end_as(status):
    """Ends this process where the one with this wait status has died or given up."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    elif os.waitstatus_to_exitcode(status):
        os._exit(os.waitstatus_to_exitcode(status))
