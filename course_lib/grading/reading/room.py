"""The one room in which a student's bytes are read: a forked child with limits, whose answer is plain JSON.

    for path, found in room.each(read_it, paths, READING):       found: what read_it(path) returned, or an Unreadable

A file that is small and within all bounds can still cost a parser hours, gigabytes, or its life. So whatever the
trusted side does with what a student wrote (a notebook's JSON, its source, a model's header and weights, replies,
archives) happens here. A child that runs out of its computing time, its memory or the clock, or crashes, is a verdict
on the bytes, in words of this module's own; nothing of it is tried again. Whoever calls goes on with the next file.

One child reads file after file until one kills it or it has read enough (MOST), so that what Python keeps (caches,
imports, pages copied after a fork) is not made anew for each: a fork costs 15 ms in a light process and 60 in one that
has imported torch, a file 0.2 ms. It is forked from a process that only imports: a fork of one that has computed on
several threads may hang. Windows has no fork: nothing is graded there.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import math
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
MOST = 50  # files, then a new child
GROWN = 2**30  # bytes that a child may have mapped more than at first, then a new one
IMPORTED: list[str] = []  # by the program's own code in a child: the next child finds it in its memory


class Limits(NamedTuple):
    cpu: int  # seconds of computing for one file
    wall: int  # seconds by the clock
    memory: int | None  # bytes beyond what is mapped when its turn comes
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
    items = list(items)
    with contextlib.closing(Room(lambda number: function(items[number]), limits)) as reader:
        for number, item in enumerate(items):
            yield item, reader.read(number)


def apart(function, *arguments, limits=READING):
    """function(*arguments), read in the room. Raises Unreadable, Interrupted."""
    for _, answer in each(lambda given: function(*given), [arguments], limits):
        if isinstance(answer, Unreadable):
            raise answer
        return answer


class Room:
    """A function in a child that is kept from item to item: reader.read(item) is function(item), or an Unreadable.

    Items, as answers, are JSON-able; what else the function needs, it has from before the fork.
    """

    def __init__(self, function, limits=READING):
        self.function, self.limits, self.child = function, limits, None

    def read(self, item):
        """As each. Raises Interrupted."""
        if self.child is not None and (self.child.ended or self.child.read == MOST or self.child.grown > GROWN):
            self.close()
        if self.child is None:
            self.child = Child(self.function, self.limits)
        return self.child.answer(item)

    def close(self):
        """The next item has a new child: for whoever has seen one that was out of order."""
        child, self.child = self.child, None
        if child is not None:
            child.close()


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

    def __init__(self, function, limits):
        self.limits, self.ended, self.buffer, self.read, self.grown = limits, False, b"", 0, 0
        while IMPORTED:
            with contextlib.suppress(Exception):
                importlib.import_module(IMPORTED.pop(0))
        (their_items, self.items), (self.pipe, theirs) = os.pipe(), os.pipe()
        sys.stdout.flush(), sys.stderr.flush()
        gc.freeze()  # what is there already is not walked for garbage: each page of it would be copied
        try:
            with warnings.catch_warnings():
                # of threads in this process: they wait for input or belong to a finished box, and hold no lock
                warnings.simplefilter("ignore", DeprecationWarning)
                self.pid = os.fork()
        except OSError as error:
            self.ended = True
            self.close(), os.close(their_items), os.close(theirs)
            raise Interrupted(f"no process could be started ({error.strerror})") from None
        if self.pid == 0:
            try:
                os.close(self.pipe), os.close(self.items)
                read_all(function, limits, their_items, theirs)
            finally:
                os._exit(1)
        os.close(their_items), os.close(theirs)

    def answer(self, item):
        """What the child says of an item, or why it says nothing more."""
        deadline, self.read = time.monotonic() + self.limits.wall, self.read + 1
        with contextlib.suppress(BrokenPipeError):  # it has ended: why() says how
            os.write(self.items, json.dumps(item).encode() + b"\n")
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
        self.grown = told["grown"]
        IMPORTED.extend(told["imported"])
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
        os.close(self.pipe), os.close(self.items)


# ---- the child -------------------------------------------------------------------------------------------------------


def read_all(function, limits, items, pipe):
    """Answers item after item with a line of JSON each, and ends this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    if torch := sys.modules.get("torch"):
        # a fork has none of the threads with which torch would share an operation, and would wait for them for ever
        torch.set_num_threads(1)
    known, began = set(sys.modules), mapped()
    for item in os.fdopen(items, "rb"):
        confine(limits)
        told = {"imported": []}
        try:
            told["answer"] = function(json.loads(item))
            line = json.dumps(told | {"imported": [name for name in sys.modules if name not in known]})
        except MemoryError:
            most = f"{limits.memory / 2**30:g} GiB of memory" if limits.memory else "the memory there is"
            line = json.dumps(told | {"failed": f"it needs more than {most}"})
        except Exception as error:
            line = json.dumps({"imported": [], "failed": f"it cannot be read ({type(error).__name__})"})
        known = set(sys.modules)
        grown = json.dumps({"grown": mapped() - began})
        data = memoryview(f"{line[:-1]}, {grown[1:]}\n".encode())
        while data:
            data = data[os.write(pipe, data) :]
    os._exit(0)


def mapped():
    """Bytes of address space of this process; 0 where nobody tells."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def confine(limits):
    """For one item. Soft limits only: a sandbox that is started from here sets its own."""
    soften(resource.RLIMIT_CPU, math.ceil(computed()) + limits.cpu)
    if sys.platform == "linux" and limits.memory is not None:
        soften(resource.RLIMIT_AS, mapped() + limits.memory)
    if limits.file is not None:
        soften(resource.RLIMIT_FSIZE, limits.file)
    soften(resource.RLIMIT_CORE, 0)


def soften(which, value):
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
