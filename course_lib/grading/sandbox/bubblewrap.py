"""The first tier of the sandbox: bubblewrap namespaces, a read-only view of Python and course_lib, limits, seccomp.

Two ways in, by who calls. A plain user gets a user namespace. Root must not: RLIMIT_NPROC does not bind a process whose
*real* uid is 0, whatever uid it shows inside, so as root the mounts are made first and setpriv then gives the real uid
away for good.
"""

import functools
import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from course_lib.grading.sandbox import borders
from course_lib.platform import PACKAGE

NO_BWRAP = (
    "No sandbox: bubblewrap (bwrap) is not installed, and nothing is graded without it. Install it: sudo apt-get "
    "install bubblewrap (or podman, which is slower)"
)
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


@functools.cache
def try_bubblewrap(bwrap):
    """Raises NoSandbox, with the cure, if a box cannot be made. Success is remembered (0.02 s once a process), failure
    is not: it may have been the moment.
    """
    try:
        done = subprocess.run([*bubblewrap(), "true"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise borders.NoSandbox(f"No sandbox, so nothing is graded: {error}") from None
    if done.returncode != 0:
        raise borders.NoSandbox("No sandbox, so nothing is graded. " + why_not(done.stderr.decode(errors="replace")))


def find_bwrap():
    path = shutil.which("bwrap")
    if path is None:
        if sys.platform != "linux":
            raise borders.NoSandbox(
                f"No sandbox: grading needs Linux with bubblewrap, and this is {platform.system()}. Grade in a Linux "
                "container or VM, in WSL2 or over ssh (INSTRUCTORS.md)."
            )
        raise borders.NoSandbox(NO_BWRAP)
    return path


def why_not(error_text):
    """One line with the fix, out of bwrap's complaint."""
    if "Unknown option" in error_text:
        old = f"This bubblewrap is too old ({error_text.strip()[-60:]})"
        return f"{old}: 0.8 or later is needed (Debian 12, Ubuntu 23.04)."
    refused = ("setting up uid map", "no permissions to creat", "creating new namespace")
    if any(words in error_text.lower() for words in refused):
        if os.path.exists(APPARMOR) and Path(APPARMOR).read_text().strip() == "1":
            return (
                "AppArmor blocks user namespaces here (Ubuntu 24.04 and later). Allow them for bwrap: see "
                "INSTRUCTORS.md, or run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
            )
        return (
            "User namespaces are switched off on this machine: sudo sysctl -w kernel.unprivileged_userns_clone=1 "
            "user.max_user_namespaces=10000 (in a container: run it with --security-opt seccomp=unconfined, or as "
            "root)."
        )
    return f"bwrap does not work here: {error_text.strip()[-300:] or 'no message'}"


# numbers on (x86_64, aarch64); None where the call does not exist
# fmt: off
DENIED = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "open_by_handle_at": (304, 265), "move_mount": (429, 429),
    "fsopen": (430, 430), "open_tree": (428, 428), "mount_setattr": (442, 442), "kexec_load": (246, 104),
    "init_module": (175, 105), "quotactl": (179, 60), "modify_ldt": (154, None), "personality": (135, 92),
    "syslog": (103, 116), "swapon": (167, 224), "acct": (163, 89),
}
# fmt: on
CLONE, CLONE3 = (56, 220), (435, 435)
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}


def seccomp_program():
    """The BPF bytes for `bwrap --seccomp`: DENIED gives EPERM, clone3 gives ENOSYS (glibc then uses clone), clone with
    namespaces EPERM. None on other machines.
    """
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
    program += [step(equal, 0, 3, CLONE[column]), step(load, 0, 0, 16)]
    program += [step(set_bits, 0, 1, NEW_NAMESPACES), step(answer, 0, 0, eperm)]
    return b"".join(program + [step(answer, 0, 0, allow)])


def bubblewrap(seccomp_fd=None, capabilities=None):
    """The bwrap command line up to the program. capabilities: names that the zygote keeps; None for a box, which keeps
    none.
    """
    namespaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    line = [find_bwrap(), *namespaces, "--die-with-parent", "--new-session", "--clearenv", "--hostname", "box"]
    if os.geteuid() == 0:
        line += ["--cap-drop", "ALL"]
        # for setpriv, which drops them with the uid
        capabilities = capabilities or ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]
    else:
        # with another uid than 0 bwrap nests a second user namespace, which does not own its process ids
        inner = "0" if capabilities else str(borders.box_uid())
        line += ["--unshare-user", "--uid", inner, "--gid", inner]
        line += ["--cap-drop", "ALL"] if capabilities else ["--disable-userns"]
    for name in capabilities or []:
        line += ["--cap-add", name]
    if seccomp_fd is not None:
        line += ["--seccomp", str(seccomp_fd)]
    # tmpfs before the binds: the checkout or the interpreter may live under /tmp
    for folder, size in (("/tmp", borders.TMP_BYTES), ("/box", borders.BOX_BYTES)):
        line += ["--perms", "1777", "--size", str(size), "--tmpfs", folder]
    for name, target in borders.root_links().items():
        line += ["--symlink", target, f"/{name}"]
    for parent in borders.parents():
        line += ["--perms", "0755", "--dir", str(parent)]
    course = dict(borders.course_files())
    for outside, inside in borders.read_only():
        if outside == next(iter(course)) and borders.installed():  # not a checkout: its questions must not show
            line += ["--size", "4096", "--tmpfs", str(PACKAGE), "--remount-ro", str(PACKAGE)]
        line += ["--ro-bind", outside, inside]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for name in borders.MASKED:
        line += ["--ro-bind", "/dev/null", name]
    line += ["--perms", "1777", "--size", str(borders.SHM_BYTES), "--tmpfs", "/dev/shm"]
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    for key, value in borders.ENVIRONMENT.items():
        line += ["--setenv", key, value]
    return [*line, "--chdir", "/box"]


def command(argv, seccomp_fd=None):
    """The whole command line that runs argv in a box of bubblewrap's. Raises NoSandbox where there is none."""
    line = bubblewrap(seccomp_fd)
    if os.geteuid() == 0:
        uid = str(borders.box_uid())
        line += ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs"]
        line += ["--inh-caps=-all", "--bounding-set=-all"]
    else:
        # bwrap's own first process would have the student's uid, none of these limits and no wall before its memory:
        # the agent makes another (agent.py)
        line += ["--as-pid-1"]
    return [*line, *borders.limits(), *argv]


def zygote_command(argv):
    """The command line of a zygote: the same box, but its one process may make namespaces and mounts for others
    (agent_fork.py). No student's code runs in it.
    """
    # CAP_SETFCAP: to give a job a user namespace (Linux 5.12)
    more = ["CAP_SETUID", "CAP_SETGID"] if os.geteuid() == 0 else ["CAP_SETFCAP"]
    return bubblewrap(capabilities=["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SETPCAP", *more]) + list(argv)


def job_settings(program):
    """What agent_fork.py must know to give a job the same borders that command() gives. program: seccomp_program()."""
    names = {
        "address_space": "RLIMIT_AS",
        "cpu": "RLIMIT_CPU",
        "file": "RLIMIT_FSIZE",
        "files": "RLIMIT_NOFILE",
        "processes": "RLIMIT_NPROC",
    }
    return {
        "root": os.geteuid() == 0,
        "seccomp": program.hex(),
        "limits": {name: borders.LIMITS[key] for key, name in names.items()} | {"RLIMIT_CORE": 0},
        "tmpfs": {"/tmp": borders.TMP_BYTES, "/box": borders.BOX_BYTES, "/dev/shm": borders.SHM_BYTES},
        "masked": borders.MASKED,
        "keep": [str(folder) for folder in borders.python_folders() if folder.is_relative_to("/tmp")],
    }
