"""One phase of the tour in the build that PYTHONPATH names, this one or an older one: what `course bench chain` runs in
a process of its own.

    python chain_phase.py FOLDER PHASE SIZE SEED        FOLDER: empty; prints one line of JSON, {} for a phase
                                                        that this build has not

A phase starts from the models that come with its build, and not from what the phase before has made. This file is read
by older builds, too: it imports nothing but what they all have.
"""

import json
import resource
import shutil
import sys
import time
from pathlib import Path

import course_lib


def modules():
    """(the module that has PHASES, the one that runs them) of this build."""
    try:
        from course_lib.tour import lifecycle, phases
    except ImportError:  # before the rooms had names (1b170b5)
        from course_lib import phases
        from course_lib import tour as lifecycle
    return lifecycle, phases


def cpu_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_gib() -> float:
    """Most memory that this process had at a time. Linux counts in ru_maxrss what the bench had when it started it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def main(folder: str, name: str, size: str, seed: str) -> None:
    lifecycle, phases = modules()
    lifecycle.SEED = phases.SEED = int(seed)
    for shipped in Path(course_lib.__file__).parent.glob("shipped/*/"):
        shutil.copytree(shipped, Path(folder) / shipped.name)
    phase = next((phase for phase in lifecycle.PHASES if phase.name == name), None)
    if phase is None:
        print("{}")
        return
    began, cpu = time.perf_counter(), cpu_seconds()
    figures = phases.run(phases.Tour(size, Path(folder), ""), phase)["figures"]
    measured = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": cpu_seconds() - cpu,
        "peak_gib": peak_gib(),
        "metric": figures[0]["metric"],
        "unit": figures[0]["unit"],
        "limit": figures[0]["limit"],
        "value": figures[0]["value"],
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
