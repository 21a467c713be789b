"""The second tier of the sandbox: podman, where bubblewrap is missing or may not make namespaces. Same read-only
folders, no image.

A container starts from an empty folder of mount points, so nothing is pulled; it costs about half a second more than
bubblewrap. What differs: memory and processes are limited by podman's cgroup where it has one, system calls are
filtered by podman's own list, and there is no warm start.
"""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from course_lib.grading.sandbox import borders

LIFE = 900  # seconds after which podman ends a container whose grader was killed


@functools.cache
def mount_points():
    """A folder with nothing but the places where the read-only folders go."""
    root = Path(tempfile.mkdtemp(prefix="littlebrook-podman-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for outside, inside in borders.read_only():
        place = root / inside.lstrip("/")
        (place if os.path.isdir(outside) else place.parent).mkdir(parents=True, exist_ok=True)
        if not os.path.isdir(outside):
            place.touch()
    for name, target in borders.root_links().items():
        (root / name).symlink_to(target)
    for name in ("proc", "dev", "sys", "run", "tmp", "box"):
        (root / name).mkdir(exist_ok=True)
    folders = [f for f in root.rglob("*") if f.is_dir() and not f.is_symlink()]
    for folder in (root, *folders):
        folder.chmod(0o1777 if folder.name in ("tmp", "box") else 0o755)  # whatever the umask was
    return root


def variants():
    """[(options, options of run)] to try: with podman's own limits, with the older runtime, and with none where there
    are no cgroups to use.
    """
    # fmt: off
    limits = [
        "--pids-limit", str(borders.LIMITS["processes"]),
        "--memory", str(borders.MEMORY),
        "--memory-swap", str(borders.MEMORY),
    ]
    # fmt: on
    return [
        ([], limits),
        (["--runtime", "runc"], limits),
        (["--runtime", "crun"], ["--cgroups", "disabled"]),
        ([], ["--cgroups", "disabled"]),
    ]


def line(chosen, argv, name):
    """The command line: argv in a container. chosen: one of variants()."""
    options, limits = chosen
    most = borders.LIMITS
    uid = str(borders.box_uid())
    # fmt: off
    command = [
        "podman", *options, "run", "--rm", "-i", "--name", name, "--timeout", str(LIFE), "--log-driver", "none",
        "--network", "none", "--no-hosts", "--passwd=false", "--hostname", "box",
        "--read-only", "--read-only-tmpfs=false", "--user", f"{uid}:{uid}", "--cap-drop", "all",
        "--security-opt", "no-new-privileges", "--security-opt", ":".join(("mask=/sys", *borders.MASKED)), *limits,
        "--ulimit", f"nofile={most['files']}:{most['files']}",
        "--ulimit", f"nproc={most['processes']}:{most['processes']}",
        "--ulimit", "core=0:0", "--shm-size", str(borders.SHM_BYTES),
    ]
    # fmt: on
    for folder, size in (("/tmp", borders.TMP_BYTES), ("/box", borders.BOX_BYTES)):
        command += ["--tmpfs", f"{folder}:rw,nosuid,nodev,exec,size={size},mode=1777,notmpcopyup"]
    for outside, inside in borders.read_only():
        command += ["--volume", f"{outside}:{inside}:ro"]
        if borders.PACKAGE.is_relative_to(outside):  # installed, not a checkout: its questions must not show
            command += ["--tmpfs", f"{borders.PACKAGE}:ro,size=4096,notmpcopyup"]
    command += ["--unsetenv-all", "--workdir", "/box"]
    for key, value in borders.ENVIRONMENT.items():
        command += ["--env", f"{key}={value}"]
    return [*command, "--rootfs", str(mount_points()), *borders.limits(), *argv]


@functools.cache
def variant(podman):
    """The first of variants() that starts a container here. podman: its path or None. NoSandbox if none does; 1 to 3 s,
    once a process.
    """
    if not podman:
        raise borders.NoSandbox("podman is not installed")
    said = []
    for options in variants():
        try:
            command = line(options, ["true"], f"littlebrook-{uuid.uuid4().hex}")
            tried = subprocess.run(command, capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            said.append(str(error))
            continue
        if tried.returncode == 0:
            return options
        said.append(tried.stderr.decode(errors="replace").strip().split("\n")[-1])
    raise borders.NoSandbox(f"podman starts no container here: {'; '.join(dict.fromkeys(said))[:600]}")


class Container(subprocess.Popen):
    """A Popen whose kill also ends the container: podman's monitor would keep it alive."""

    name: str  # of the container

    def kill(self):
        if self.poll() is None:
            subprocess.run(["podman", "rm", "-f", "-t", "0", self.name], capture_output=True)
        super().kill()


def spawn(argv, **pipes):
    """Like start.spawn."""
    name = f"littlebrook-{uuid.uuid4().hex}"
    process = Container(line(variant(shutil.which("podman")), argv, name), bufsize=0, **pipes)
    process.name = name
    return process
