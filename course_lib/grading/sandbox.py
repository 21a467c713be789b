"""The box a student's code runs in: bubblewrap namespaces, a read-only view of Python and course_lib, limits, seccomp.

Two ways in, by who calls. A plain user gets a user namespace. Root must not: RLIMIT_NPROC does not bind a process whose *real*
uid is 0, whatever uid it shows inside, so as root the mounts are made first and setpriv then gives the real uid away for good.
"""

import functools
import os
import platform
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from course_lib.grading import cgroup

PACKAGE = Path(__file__).resolve().parent.parent
INSIDE = "/course"  # where the filtered course_lib is seen inside
AGENT_FILES = ("__init__.py", "agent.py", "agent_fork.py")  # of grading/; the rest stays outside
LIMITS = {"address_space": 8 * 2**30, "cpu": 300, "file": 200_000_000, "files": 256, "processes": 96}
MEMORY = 4 * 2**30  # resident, all processes of one box together; watched from outside
TMP_BYTES, BOX_BYTES, SHM_BYTES = 64 * 2**20, 256 * 2**20, 16 * 2**20
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": "/box", "LANG": "C.UTF-8", "PYTHONPATH": INSIDE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",  # another order of a set may be another result: a regrade and another machine must agree
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "Agg", "MPLCONFIGDIR": "/tmp", "COURSE_MIN_FREE_MB": "1", "COURSE_SIZE": "tiny",
    "PYTORCH_JIT": "0",  # torch.jit.script would hide what a function calls from the check for forbidden ones; honest code stays as it is
}  # fmt: skip

NO_BWRAP = "No sandbox: bubblewrap (bwrap) is not installed, and nothing is graded without it. Install it: sudo apt-get install bubblewrap (or podman, which is slower)"
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


class NoSandbox(Exception):
    """Grading must not go on; one line that says what to do."""


def tier():
    """Which sandbox is used here: "bubblewrap", else "podman". Raises NoSandbox, with the cure of the first, where neither works."""
    from course_lib.grading import podman

    try:
        try_bubblewrap(find_bwrap())
        return "bubblewrap"
    except NoSandbox as reason:
        try:
            podman.variant(shutil.which("podman"))
            return "podman"
        except NoSandbox:
            raise reason from None


@functools.cache
def try_bubblewrap(bwrap):
    """Raises NoSandbox, with the cure, if a box cannot be made. Success is remembered (0.02 s once a process), failure is not: it may have been the moment."""
    try:
        done = subprocess.run([*bubblewrap(), "true"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSandbox(f"No sandbox, so nothing is graded: {error}") from None
    if done.returncode != 0:
        raise NoSandbox("No sandbox, so nothing is graded. " + why_not(done.stderr.decode(errors="replace")))


def find_bwrap():
    path = shutil.which("bwrap")
    if path is None:
        if sys.platform != "linux":
            raise NoSandbox(f"No sandbox: grading needs Linux with bubblewrap, and this is {platform.system()}. Grade in a Linux container or VM, in WSL2 or over ssh (INSTRUCTORS.md).")
        raise NoSandbox(NO_BWRAP)
    return path


def why_not(error_text):
    """One line with the fix, out of bwrap's complaint."""
    if "Unknown option" in error_text:
        return f"This bubblewrap is too old ({error_text.strip()[-60:]}): 0.8 or later is needed (Debian 12, Ubuntu 23.04)."
    if "setting up uid map" in error_text or "No permissions to creat" in error_text or "creating new namespace" in error_text.lower():
        if os.path.exists(APPARMOR) and Path(APPARMOR).read_text().strip() == "1":
            return "AppArmor blocks user namespaces here (Ubuntu 24.04 and later). Allow them for bwrap: see INSTRUCTORS.md, or run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        return "User namespaces are switched off on this machine: sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 (in a container: run it with --security-opt seccomp=unconfined, or as root)."
    return f"bwrap does not work here: {error_text.strip()[-300:] or 'no message'}"


def python_folders():
    """Folders that the interpreter needs: its installation, the virtual environment, and where torch is if elsewhere."""
    folders = {Path(sys.base_prefix).resolve(), Path(sys.prefix).absolute()}
    # the executable may be reached through links outside both (pyenv, conda, Debian's alternatives)
    folders.add(Path(os.path.realpath(sys.executable)).parent.parent)
    for entry in sys.path:
        if entry.endswith(("site-packages", "dist-packages")) and os.path.isdir(entry):
            folders.add(Path(entry))
    folders = {f for f in folders if not f.is_relative_to("/usr") and f != Path("/")}
    return sorted(f for f in folders if not any(f != g and f.is_relative_to(g) for g in folders))


def course_files():
    """[(path outside, path inside)] of the course_lib that a student's code may see: no questions of any lab, no grader."""
    binds = []
    for entry in sorted(PACKAGE.iterdir()):
        if entry.name == "questions":
            binds += [(f, f"questions/{f.name}") for f in sorted(entry.glob("*.py")) if not f.name.startswith("lab")]
        elif entry.name == "grading":
            binds += [(entry / name, f"grading/{name}") for name in AGENT_FILES]
        elif entry.name != "__pycache__" and entry.name != "cli.py":
            binds.append((entry, entry.name))
    return [(str(outside), f"{INSIDE}/course_lib/{inside}") for outside, inside in binds]


# numbers on (x86_64, aarch64); None where the call does not exist
DENIED = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "open_by_handle_at": (304, 265),
    "move_mount": (429, 429), "fsopen": (430, 430), "open_tree": (428, 428), "mount_setattr": (442, 442), "kexec_load": (246, 104), "init_module": (175, 105),
    "quotactl": (179, 60), "modify_ldt": (154, None), "personality": (135, 92), "syslog": (103, 116), "swapon": (167, 224), "acct": (163, 89),
}
CLONE, CLONE3 = (56, 220), (435, 435)
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}


def seccomp_program():
    """The BPF bytes for `bwrap --seccomp`: DENIED gives EPERM, clone3 gives ENOSYS (glibc then uses clone), clone with namespaces EPERM. None on other machines."""
    machine = platform.machine()
    if machine not in ("x86_64", "aarch64"):
        return None
    column, arch = (0, 0xC000003E) if machine == "x86_64" else (1, 0xC00000B7)
    load, equal, at_least, set_bits, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow, eperm, enosys = 0x80000000, 0x7FFF0000, 0x50001, 0x50026
    step = lambda code, jt, jf, k: struct.pack("=HBBI", code, jt, jf, k)
    program = [step(load, 0, 0, 4), step(equal, 1, 0, arch), step(answer, 0, 0, kill), step(load, 0, 0, 0)]
    program += [step(at_least, 0, 1, 0x40000000), step(answer, 0, 0, eperm)]  # the x32 calls
    for numbers in DENIED.values():
        if numbers[column] is not None:
            program += [step(equal, 0, 1, numbers[column]), step(answer, 0, 0, eperm)]
    program += [step(equal, 0, 1, CLONE3[column]), step(answer, 0, 0, enosys)]
    program += [step(equal, 0, 3, CLONE[column]), step(load, 0, 0, 16), step(set_bits, 0, 1, NEW_NAMESPACES), step(answer, 0, 0, eperm)]
    return b"".join(program + [step(answer, 0, 0, allow)])


def box_uid():
    """A uid for one box. RLIMIT_NPROC counts by real uid, so as root each box gets one of its own."""
    return random.randrange(61000, 64000) if os.geteuid() == 0 else 65534


def read_only():
    """[(path outside, path inside)] of all that a box can read, in the order of mounting; what is not there is left out."""
    binds = [("/usr", "/usr")]
    binds += [(f"/{name}", f"/{name}") for name in ("bin", "sbin", "lib", "lib32", "lib64") if os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}")]
    binds += [(path, path) for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime") if os.path.exists(path)]
    binds += [(str(folder), str(folder)) for folder in python_folders()]
    datasets = PACKAGE.parent / "datasets" / "littlebrook"
    return binds + course_files() + ([(str(datasets), f"{INSIDE}/datasets/littlebrook")] if datasets.is_dir() else [])


def root_links():
    """{name: target} of /bin, /lib … where they are links."""
    return {name: os.readlink(f"/{name}") for name in ("bin", "sbin", "lib", "lib32", "lib64") if os.path.islink(f"/{name}")}


def parents():
    """Folders above the read-only ones. bwrap makes them 0700 by itself, which the given-away uid cannot enter."""
    found = {p for folder in python_folders() for p in folder.parents} | {Path("/etc")} | {Path(INSIDE, part) for part in ("", "course_lib", "course_lib/questions", "course_lib/grading", "datasets")}
    return sorted(found - {Path("/"), Path("/tmp")})


def installed():
    """Is this course_lib inside one of the folders that are shown? Then its questions must be hidden there."""
    return any(PACKAGE.is_relative_to(folder) for folder in [*python_folders(), "/usr"])


def bubblewrap(seccomp_fd=None, capabilities=None):
    """The bwrap command line up to the program. capabilities: names that the zygote keeps; None for a box, which keeps none."""
    as_root = os.geteuid() == 0
    line = [find_bwrap(), "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "box"]
    if as_root:
        line += ["--cap-drop", "ALL"]
        capabilities = capabilities or ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]  # for setpriv, which drops them with the uid
    else:
        inner = "0" if capabilities else str(box_uid())  # with another uid than 0 bwrap nests a second user namespace, which does not own its process ids
        line += ["--unshare-user", "--uid", inner, "--gid", inner] + (["--cap-drop", "ALL"] if capabilities else ["--disable-userns"])
    for name in capabilities or []:
        line += ["--cap-add", name]
    if seccomp_fd is not None:
        line += ["--seccomp", str(seccomp_fd)]
    # tmpfs before the binds: the checkout or the interpreter may live under /tmp
    line += ["--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", "/tmp", "--perms", "1777", "--size", str(BOX_BYTES), "--tmpfs", "/box"]
    for name, target in root_links().items():
        line += ["--symlink", target, f"/{name}"]
    for parent in parents():
        line += ["--perms", "0755", "--dir", str(parent)]
    course = dict(course_files())
    for outside, inside in read_only():
        if outside == next(iter(course)) and installed():  # not a checkout: its questions must not show
            line += ["--size", "4096", "--tmpfs", str(PACKAGE), "--remount-ro", str(PACKAGE)]
        line += ["--ro-bind", outside, inside]
    line += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--remount-ro", "/"]
    for key, value in ENVIRONMENT.items():
        line += ["--setenv", key, value]
    return [*line, "--chdir", "/box"]


def limits():
    """The command that limits what follows it."""
    return ["prlimit", f"--as={LIMITS['address_space']}", f"--cpu={LIMITS['cpu']}", f"--fsize={LIMITS['file']}", f"--nofile={LIMITS['files']}", f"--nproc={LIMITS['processes']}", "--core=0"]


def command(argv, seccomp_fd=None):
    """The whole command line that runs argv in a box of bubblewrap's. Raises NoSandbox where there is none."""
    line = bubblewrap(seccomp_fd)
    if os.geteuid() == 0:
        uid = str(box_uid())
        line += ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    else:
        # bwrap's own first process would have the student's uid, none of these limits and no wall before its memory: the agent makes another (agent.py)
        line += ["--as-pid-1"]
    return [*line, *limits(), *argv]


def zygote_command(argv):
    """The command line of a zygote: the same box, but its one process may make namespaces and mounts for others (agent_fork.py). No student's code runs in it."""
    more = ["CAP_SETUID", "CAP_SETGID"] if os.geteuid() == 0 else ["CAP_SETFCAP"]  # the last: to give a job a user namespace (Linux 5.12)
    return bubblewrap(capabilities=["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SETPCAP", *more]) + list(argv)


def job_settings(program):
    """What agent_fork.py must know to give a job the same borders that command() gives. program: seccomp_program()."""
    names = {"address_space": "RLIMIT_AS", "cpu": "RLIMIT_CPU", "file": "RLIMIT_FSIZE", "files": "RLIMIT_NOFILE", "processes": "RLIMIT_NPROC"}
    return {
        "root": os.geteuid() == 0,
        "seccomp": program.hex(),
        "limits": {name: LIMITS[key] for key, name in names.items()} | {"RLIMIT_CORE": 0},
        "tmpfs": {"/tmp": TMP_BYTES, "/box": BOX_BYTES, "/dev/shm": SHM_BYTES},
        "keep": [str(folder) for folder in python_folders() if folder.is_relative_to("/tmp")],
    }


def spawn(argv, **pipes):
    """A subprocess.Popen of argv in a box. Its stdin, stdout and stderr are pipes unless `pipes` says otherwise."""
    wanted = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
    if tier() == "podman":
        from course_lib.grading import podman

        return podman.spawn(argv, **wanted)
    program, seccomp = seccomp_program(), None
    if program is not None:
        seccomp = tempfile.TemporaryFile()
        seccomp.write(program)
        seccomp.seek(0)
    try:
        fds, group = (seccomp.fileno(),) if seccomp else (), cgroup.make()
        process = subprocess.Popen(cgroup.entering(group, command(argv, fds[0] if fds else None)), pass_fds=fds, env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")}, bufsize=0, **wanted)
        process.cgroup = group
        return process
    finally:
        if seccomp:
            seccomp.close()


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
    """Resident memory of pid and its descendants together. Forks share pages: where the plain sum is beyond MEMORY, each page counts by its share, which is slower to learn."""
    found = processes(pid)
    total = sum(field(f"/proc/{p}/statm", r"\d+ (\d+)") * 4096 for p in found)
    if total > MEMORY:
        total = sum(field(f"/proc/{p}/smaps_rollup", r"Pss:\s+(\d+) kB") * 1024 or field(f"/proc/{p}/statm", r"\d+ (\d+)") * 4096 for p in found)
    return total


def field(path, pattern):
    """A number out of a file of /proc; 0 where the process has gone or the file may not be read."""
    try:
        found = re.search(pattern, Path(path).read_text())
        return int(found.group(1)) if found else 0
    except OSError:
        return 0
