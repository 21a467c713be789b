"""What every box has, whichever tier makes it: what can be read in it, its limits, its environment, its memory."""

import os
import random
import re
import sys
from pathlib import Path

from course_lib.platform import PACKAGE

INSIDE = "/course"  # where the filtered course_lib is seen inside
SHOWN = {  # of these rooms a box sees the named files alone; rooms that are not named are seen whole, but for HIDDEN
    "grading": (
        "__init__.py",
        "sandbox/__init__.py",
        "sandbox/inside/__init__.py",
        "sandbox/inside/agent.py",
        "sandbox/inside/agent_fork.py",
        "sandbox/inside/apart.py",
        "sandbox/inside/moved.py",
    ),
    "notebook": (
        "__init__.py",
        "setup.py",
        "check.py",
        "card.py",
        "language.py",
        "runner.py",
        "shell.py",
        "standins.py",
    ),
}
HIDDEN = ("__pycache__", "cli.py", "authoring", "bench", "tour")
# What tells of the machine, its keys and its kernel's settings, and no honest notebook asks for.
# fmt: off
MASKED = tuple(f"/proc/{name}" for name in (
    "cmdline", "config.gz", "diskstats", "interrupts", "iomem", "kallsyms", "kcore", "key-users", "keys", "modules",
    "partitions", "sched_debug", "slabinfo", "softirqs", "timer_list", "vmallocinfo", "zoneinfo",
) if os.path.exists(f"/proc/{name}"))
# fmt: on
ROOT_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64")
LIMITS = {"address_space": 8 * 2**30, "cpu": 300, "file": 200_000_000, "files": 256, "processes": 96}
MEMORY = 4 * 2**30  # resident, all processes of one box together; watched from outside
TMP_BYTES, BOX_BYTES, SHM_BYTES = 64 * 2**20, 256 * 2**20, 16 * 2**20
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/box",
    "LANG": "C.UTF-8",
    "PYTHONPATH": INSIDE,
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",  # another order of a set may be another result: a regrade and another machine must agree
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp",
    "COURSE_MIN_FREE_MB": "1",
    "COURSE_SIZE": "tiny",
    # torch.jit.script would hide what a function calls from the check for forbidden ones; honest code stays as it is
    "PYTORCH_JIT": "0",
    "TORCHDYNAMO_DISABLE": "1",  # torch.compile too: there is no compiler here, and what it makes may call anything
}


class NoSandbox(Exception):
    """Grading must not go on; one line that says what to do."""


def python_folders():
    """Folders that the interpreter needs: its installation, the virtual environment, where torch is if elsewhere."""
    folders = {Path(sys.base_prefix).resolve(), Path(sys.prefix).absolute()}
    # the executable may be reached through links outside both (pyenv, conda, Debian's alternatives)
    folders.add(Path(os.path.realpath(sys.executable)).parent.parent)
    for entry in sys.path:
        if entry.endswith(("site-packages", "dist-packages")) and os.path.isdir(entry):
            folders.add(Path(entry))
    folders = {f for f in folders if not f.is_relative_to("/usr") and f != Path("/")}
    return sorted(f for f in folders if not any(f != g and f.is_relative_to(g) for g in folders))


def course_files():
    """[(path outside, path inside)] of the course_lib that a student's code may see: no questions of any lab, no
    grader.
    """
    binds = []
    for entry in sorted(PACKAGE.iterdir()):
        if entry.name == "questions":
            binds += [(f, f"questions/{f.name}") for f in sorted(entry.glob("*.py")) if not f.name.startswith("lab")]
        elif entry.name in SHOWN:
            binds += [(entry / name, f"{entry.name}/{name}") for name in SHOWN[entry.name]]
        elif entry.name not in HIDDEN:
            binds.append((entry, entry.name))
    return [(str(outside), f"{INSIDE}/course_lib/{inside}") for outside, inside in binds]


def box_uid():
    """A uid for one box. RLIMIT_NPROC counts by real uid, so as root each box gets one of its own."""
    return random.randrange(61000, 64000) if os.geteuid() == 0 else 65534


def read_only():
    """[(path outside, path inside)] of all that a box can read, in the order of mounting; what is not there is out."""
    shown = ["/usr"]
    shown += [f"/{name}" for name in ROOT_FOLDERS if os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}")]
    loader = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
    shown += [f"/etc/{name}" for name in loader if os.path.exists(f"/etc/{name}")]
    shown += map(str, python_folders())
    datasets = PACKAGE.parent / "datasets" / "littlebrook"
    data = [(str(datasets), f"{INSIDE}/datasets/littlebrook")] if datasets.is_dir() else []
    return [(path, path) for path in shown] + course_files() + data


def root_links():
    """{name: target} of /bin, /lib … where they are links."""
    return {name: os.readlink(f"/{name}") for name in ROOT_FOLDERS if os.path.islink(f"/{name}")}


def parents():
    """Folders above the read-only ones. bwrap makes them 0700 by itself, which the given-away uid cannot enter."""
    rooms = ("questions", "notebook", "grading", "grading/sandbox", "grading/sandbox/inside")
    found = {Path("/etc"), Path(INSIDE), Path(INSIDE, "course_lib"), Path(INSIDE, "datasets")}
    found |= {Path(INSIDE, "course_lib", room) for room in rooms}
    for folder in python_folders():
        found |= set(folder.parents)
    return sorted(found - {Path("/"), Path("/tmp")})


def installed():
    """Is this course_lib inside one of the folders that are shown? Then its questions must be hidden there."""
    return any(PACKAGE.is_relative_to(folder) for folder in [*python_folders(), "/usr"])


def limits():
    """The command that limits what follows it."""
    return [
        "prlimit",
        f"--as={LIMITS['address_space']}",
        f"--cpu={LIMITS['cpu']}",
        f"--fsize={LIMITS['file']}",
        f"--nofile={LIMITS['files']}",
        f"--nproc={LIMITS['processes']}",
        "--core=0",
    ]


def python():
    """The interpreter as it is called inside: the same path as outside."""
    return os.path.abspath(sys.executable)


def processes(pid):
    """pid and all its descendants, from /proc."""
    found, queue = [], [pid]
    while queue:
        p = queue.pop()
        found.append(p)
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                queue += map(int, Path(f"/proc/{p}/task/{task}/children").read_text().split())
        except OSError:
            pass
    return found


def resident_bytes(pid):
    """Resident memory of pid and its descendants together. Forks share pages: where the plain sum is beyond MEMORY,
    each page counts by its share, which is slower to learn.
    """
    found = processes(pid)
    plain = lambda p: field(f"/proc/{p}/statm", r"\d+ (\d+)") * 4096
    total = sum(map(plain, found))
    if total <= MEMORY:
        return total
    # statm is read again where there is no smaps: a process that has ended meanwhile holds nothing
    return sum(field(f"/proc/{p}/smaps_rollup", r"Pss:\s+(\d+) kB") * 1024 or plain(p) for p in found)


def field(path, pattern):
    """A number out of a file of /proc; 0 where the process has gone or the file may not be read."""
    try:
        found = re.search(pattern, Path(path).read_text())
        return int(found.group(1)) if found else 0
    except OSError:
        return 0
