"""A process in a box: bubblewrap's where that works, else podman's."""

import os
import shutil
import subprocess
import tempfile

from course_lib.grading.sandbox import borders, bubblewrap, cgroup, podman


class Boxed(subprocess.Popen):
    """A Popen that knows its cgroup."""

    cgroup = None


def tier():
    """Which sandbox is used here: "bubblewrap", else "podman".

    Raises NoSandbox, with the cure of the first, where neither works.
    """
    try:
        bubblewrap.try_bubblewrap(bubblewrap.find_bwrap())
        return "bubblewrap"
    except borders.NoSandbox as reason:
        try:
            podman.variant(shutil.which("podman"))
            return "podman"
        except borders.NoSandbox:
            raise reason from None


def spawn(argv, **pipes):
    """A subprocess.Popen of argv in a box. Its stdin, stdout and stderr are pipes unless `pipes` says otherwise."""
    wanted: dict = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
    if tier() == "podman":
        return podman.spawn(argv, **wanted)
    program, seccomp = bubblewrap.seccomp_program(), None
    if program is not None:
        seccomp = tempfile.TemporaryFile()
        seccomp.write(program)
        seccomp.seek(0)
    try:
        fds, group = (seccomp.fileno(),) if seccomp else (), cgroup.make()
        line = cgroup.entering(group, bubblewrap.command(argv, fds[0] if fds else None))
        path = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
        process = Boxed(line, pass_fds=fds, env=path, bufsize=0, **wanted)
        process.cgroup = group
        return process
    finally:
        if seccomp:
            seccomp.close()


def agent():
    """A new interpreter in a new box, whose agent waits for a notebook."""
    return spawn([borders.python(), "-s", "-P", "-m", "course_lib.grading.sandbox.inside.agent"])
