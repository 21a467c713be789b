"""The one room in which a student's bytes are read: a forked child with limits, whose answer is plain JSON.

    for path, found in room.each(read_it, paths, READING):       found: what read_it(path) returned, or an Unreadable

A file that is small and within all bounds can still cost a parser hours, gigabytes, or its life. So whatever the
trusted side does with what a student wrote (a notebook's JSON, its source, a model's header and weights, replies,
archives) happens here. A child that runs out of its computing time, its memory or the clock, or crashes, is a verdict
on the bytes, in words of this module's own; nothing of it is tried again. Whoever calls goes on with the next file.

One child reads file after file until one kills it, so that what Python keeps (caches, imports) is not made anew for
each: 15 ms a child of a light process, 30 to 40 of a heavy one, 0.2 ms a file. It is forked from a process that only
imports: a fork of one that has computed on several threads may hang. Windows has no fork: nothing is graded there.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import warnings
from typing import NamedTuple

PDEATHSIG = 1  # of prctl(2)
CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP")
LONGEST = 64 * 2**20  # bytes of an answer


class Limits(NamedTuple):
    cpu: int  # seconds of computing for one file
    wall: int  # seconds by the clock
    memory: int | None  # bytes beyond what this process has mapped already
    file: int | None = 0  # bytes of any one file that may be written; None: as this process may


READING = Limits(cpu=10, wall=60, memory=2 * 2**30)


class Unreadable(Exception):
    """Why there is no answer for these bytes. Its text is this module's own, never a student's."""


class Interrupted(OSError):
    """The child was ended from outside, or never was: a fault of this machine, not of the bytes."""


class TooMuch(BaseException):
    """A budget is spent. Not an Exception, so that no handler of a parser's errors takes it for one."""


def each(function, items, limits=READING):
    """(item, function(item)) of each item in turn; an Unreadable in the place of the answer where there is none.

    function: of this program, not of a student; what it returns must be JSON-able. What it raises is an Unreadable,
    too: say what is expected to go wrong in the answer. Raises Interrupted.
    """
    items, at = list(items), 0
    while at < len(items):
        with contextlib.closing(Child(function, items[at:], limits)) as child:
            for item in items[at:]:
                answer = child.answer()
                yield item, answer
                at += 1
                if child.ended:
                    break


def apart(function, *arguments, limits=READING):
    """function(*arguments), read in the room. Raises Unreadable, Interrupted."""
    for _, answer in each(lambda given: function(*given), [arguments], limits):
        if isinstance(answer, Unreadable):
            raise answer
        return answer


@contextlib.contextmanager
def budget(seconds):
    """Raises TooMuch in what runs inside, once this process has computed for so long. In a child of the room only."""

    def stop(*_):
        raise TooMuch

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def computed():
    """Seconds for which this process has computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Child:
    """The parent's end."""

    def __init__(self, function, items, limits):
        self.limits, self.ended, self.buffer = limits, False, b""
        self.pipe, theirs = os.pipe()
        sys.stdout.flush(), sys.stderr.flush()
        try:
            with warnings.catch_warnings():
                # of threads in this process: they wait for input or belong to a finished box, and hold no lock
                warnings.simplefilter("ignore", DeprecationWarning)
                self.pid = os.fork()
        except OSError as error:
            os.close(self.pipe), os.close(theirs)
            raise Interrupted(f"no process could be started ({error.strerror})") from None
        if self.pid == 0:
            try:
                os.close(self.pipe)
                read_all(function, items, limits, theirs)
            finally:
                os._exit(1)
        os.close(theirs)

    def answer(self):
        """What the child says of its next item, or why it says nothing more."""
        deadline = time.monotonic() + self.limits.wall
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or len(self.buffer) > LONGEST:
                self.end()
                return Unreadable(f"it took longer than {self.limits.wall} s" if left <= 0 else "it is far too large")
            if not select.select([self.pipe], [], [], left)[0]:
                continue
            part = os.read(self.pipe, 2**20)
            if not part:
                return self.why()
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        told = json.loads(line)
        for name in told["imported"]:  # by the program's own code: the next child finds it in its memory
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        return Unreadable(told["failed"]) if "failed" in told else told["answer"]

    def why(self):
        """An Unreadable for how the child ended. Raises Interrupted where it was not the bytes that ended it."""
        self.ended = True
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        if name == "SIGXCPU":
            return Unreadable(f"it took more than {self.limits.cpu} s of computing")
        if name in CRASHES:
            return Unreadable(f"it crashes what reads it ({name})")
        raise Interrupted(f"the process that read it was ended ({name})")

    def end(self):
        if not self.ended:
            self.ended = True
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def close(self):
        self.end()
        os.close(self.pipe)


# ---- the child -------------------------------------------------------------------------------------------------------


def read_all(function, items, limits, pipe):
    """Answers item after item with a line of JSON each, and ends this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    confine(limits)
    gc.freeze()  # what is there from before is not walked for garbage: each page of it would be copied
    known = set(sys.modules)
    for item in items:
        most = int(computed()) + limits.cpu
        soften(resource.RLIMIT_CPU, most)
        told = {"imported": []}
        try:
            told["answer"] = function(item)
            line = json.dumps(told | {"imported": [name for name in sys.modules if name not in known]})
        except MemoryError:
            most = f"{limits.memory / 2**30:g} GiB of memory" if limits.memory else "the memory there is"
            line = json.dumps(told | {"failed": f"it needs more than {most}"})
        except Exception as error:
            line = json.dumps({"imported": [], "failed": f"it cannot be read ({type(error).__name__})"})
        known = set(sys.modules)
        data = memoryview(line.encode() + b"\n")
        while data:
            data = data[os.write(pipe, data) :]
    os._exit(0)


def confine(limits):
    """Soft limits only: a sandbox that is started from here sets its own."""
    if sys.platform == "linux" and limits.memory is not None:
        with open("/proc/self/statm") as file:
            mapped = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
        soften(resource.RLIMIT_AS, mapped + limits.memory)
    if limits.file is not None:
        soften(resource.RLIMIT_FSIZE, limits.file)
    soften(resource.RLIMIT_CORE, 0)


def soften(which, value):
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
