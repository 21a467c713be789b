"""Limits that the kernel keeps for a whole box, where a cgroup (v2) is delegated to the grader:

    systemd-run --user --scope -p Delegate=yes course grade LAB

Elsewhere box.py watches a box's memory ten times a second, and RLIMIT_NPROC bounds its processes.
"""

import os
import uuid
from pathlib import Path

from course_lib.grading.sandbox import borders

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
GRADER = "littlebrook-grader"  # a cgroup with limits below it may hold no process itself: the grader's own sit here


def delegated():
    """The folder in which boxes get cgroups of their own; None where nothing is delegated.

    Moves this process, and only its own tree, into GRADER below it the first time.
    """
    try:
        folder = ROOT / next(line[3:].strip("/") for line in OWN.read_text().split("\n") if line.startswith("0::"))
        if folder.name == GRADER:
            return folder.parent
        has = set((folder / "cgroup.controllers").read_text().split())
        if not {"memory", "pids"} <= has or not os.access(folder / "cgroup.subtree_control", os.W_OK):
            return None
        here, own = {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}, borders.processes(os.getpid())
        if folder == ROOT or not here <= set(own):  # somebody else's processes, a shell for one, live here, too
            return None
        (folder / GRADER).mkdir(exist_ok=True)
        for pid in here:
            (folder / GRADER / "cgroup.procs").write_text(str(pid))
        (folder / "cgroup.subtree_control").write_text("+memory +pids")
        return folder
    except (OSError, StopIteration):
        return None


def make():
    """The folder of a new box's cgroup with its limits set, or None."""
    base = delegated()
    if base is None:
        return None
    folder = base / f"littlebrook-box-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
        limits = {"memory.max": borders.MEMORY, "memory.oom.group": 1, "pids.max": borders.LIMITS["processes"] + 8}
        for name, value in limits.items():
            (folder / name).write_text(str(value))
        swap = folder / "memory.swap.max"  # not there where the kernel counts no swap
        if swap.exists():
            swap.write_text("0")
        return folder
    except OSError:
        return None


def entering(folder, line):
    """The command line that runs `line` inside the cgroup from its first instruction on."""
    return ["sh", "-c", 'echo 0 > "$0" && exec "$@"', str(folder / "cgroup.procs"), *line] if folder else line


def enter(folder, pid):
    """Puts a process into the cgroup; those it forks later are in it, too."""
    if folder:
        (folder / "cgroup.procs").write_text(str(pid))


def ran_out(folder):
    """Has the kernel killed the box for its memory?"""
    return bool(folder and borders.field(folder / "memory.events", r"(?m)^oom_kill (\d+)"))


def remove(folder):
    try:
        if folder:
            folder.rmdir()
    except OSError:  # the last process is still on its way out: the scope's end removes it
        pass
