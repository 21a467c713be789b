"""A root file system as Gradescope's containers have it, made by bubblewrap: /autograder with its folders, and docker's
usual capabilities.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from course_lib.grading.sandbox import borders

# what docker leaves to root; SYS_ADMIN, which mounts need, is not among it
DOCKER = (
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE "
    "SETFCAP".split()
)


def unpack(folder, data, submission):
    """/autograder as the harness finds it: the zip in source/, run_autograder copied up, the submission's files, an
    empty results/.
    """
    folder = Path(folder)
    for name in ("source", "submission", "results"):
        (folder / name).mkdir(parents=True)
    path = folder.parent / "autograder.zip"
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert {"setup.sh", "run_autograder"} <= set(archive.namelist())
        for member in archive.infolist():
            archive.extract(member, folder / "source")
            os.chmod(folder / "source" / member.filename, member.external_attr >> 16 & 0o777)
    (folder / "run_autograder").write_bytes((folder / "source" / "run_autograder").read_bytes())
    os.chmod(folder / "run_autograder", 0o755)
    for name, content in submission.items():
        (folder / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "submission" / name).write_bytes(content)
    return folder


def command(folder, argv, privileged):
    """argv in a root of its own: this machine's programs, an empty /tmp, the folder as /autograder. privileged: with
    all capabilities, else with docker's.
    """
    line = [
        "bwrap",
        "--clearenv",
        "--setenv",
        "PATH",
        f"{Path(sys.base_prefix).resolve()}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "--setenv",
        "HOME",
        "/root",
        "--unshare-pid",
        "--die-with-parent",
        "--cap-drop",
        "ALL",
    ]
    for name in ["ALL"] if privileged else [f"CAP_{c}" for c in DOCKER]:
        line += ["--cap-add", name]
    line += [
        "--perms",
        "1777",
        "--tmpfs",
        "/tmp",
        "--dev",
        "/dev",
        "--perms",
        "1777",
        "--tmpfs",
        "/dev/shm",
        "--proc",
        "/proc",
    ]
    for name, target in borders.root_links().items():
        line += ["--symlink", target, f"/{name}"]
    for place in ("/usr", "/etc", "/lib64", "/lib"):
        if os.path.isdir(place) and not os.path.islink(place):
            line += ["--ro-bind", place, place]
    for parent in borders.parents():
        if parent != Path("/etc"):
            line += ["--perms", "0755", "--dir", str(parent)]
    for python in borders.python_folders():
        line += ["--ro-bind", str(python), str(python)]
    return [*line, "--bind", str(folder), "/autograder", "--chdir", "/autograder", *argv]


def build(folder):
    """What happens once, when the container is built: setup.sh. This machine's venv stands for the one that it would
    fill from the network.
    """
    setup = folder / "source" / "setup.sh"
    text = setup.read_text()
    if "/pip install" in text:
        setup.write_text("\n".join(line for line in text.split("\n") if "/venv" not in line))
        (folder / "venv").symlink_to(Path(borders.python()).parent.parent)
    done = subprocess.run(
        command(folder, ["bash", "/autograder/source/setup.sh"], True), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()


def run(folder, privileged=True, timeout=300):
    """What the harness does for a submission: ./run_autograder in /autograder, its output caught. Returns (exit status,
    stdout).
    """
    done = subprocess.run(
        command(folder, ["/autograder/run_autograder"], privileged),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
    )
    return done.returncode, done.stdout.decode(errors="replace")
