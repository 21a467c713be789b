"""What holds for every target: bounded computing, bounded memory, the same twice."""

import contextlib
import resource
import sys
import time

from course_lib.grading.reading import room

CPU = 5.0  # seconds of computing for one input, as judge.READ gives a notebook; none here is longer than LONGEST
MEMORY = 700 * 2**20  # bytes by which one input may raise what this process has ever used
LONGEST = 300_000  # bytes of an input: enough for what costs the square of its length to be seen


class TooCostly(AssertionError):
    """A budget of computing, of memory or of steps was spent."""


def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def bounded(read, data, twice=True):
    """What read(data) tells. Raises TooCostly, AssertionError where it tells something else the second time, and
    whatever read raises: nothing that a target raises is expected.
    """
    before, began, spent = used(), time.process_time(), False
    try:
        with room.budget(CPU):
            told = read(data)
    except room.TooMuch:
        spent = True
    if spent or time.process_time() - began > 1.2 * CPU:  # a budget inside ends the one around it
        raise TooCostly(f"{len(data)} bytes cost more than {CPU:g} s of computing")
    if used() - before > MEMORY:
        raise TooCostly(f"{len(data)} bytes cost {(used() - before) >> 20} MB")
    if twice:
        again = repr(read(data))
        assert again == repr(told), f"read twice it says {again[:200]} and not {repr(told)[:200]}"
    return told


def steps(read, data, most):
    """How many lines of Python read(data) runs, the same on every machine. Raises TooCostly beyond `most`."""
    count = 0

    def line(frame, event, argument):
        nonlocal count
        count += event == "line"
        if count > most:
            raise TooCostly(f"{len(data)} bytes cost more than {most:,} steps")
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        with contextlib.suppress(RecursionError):
            read(data)
    finally:
        sys.settrace(before)
    if count > most:  # a parser's handler may have taken the exception for one of its own
        raise TooCostly(f"{len(data)} bytes cost more than {most:,} steps")
    return count
