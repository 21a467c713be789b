"""`course doctor`: is the border real on this machine? Each promise of the sandbox is tried from inside, and each
failure says its fix.
"""

import argparse
import json
import os
import shutil
import subprocess
import time

from course_lib.grading.sandbox import borders, bubblewrap, cgroup, podman, start

PROBES = """
import json, os, socket, sys, errno
def tried(what):
    try:
        return what()
    except BaseException as e:
        return f"{type(e).__name__}: {e}"
def net():
    s = socket.socket(); s.settimeout(2); s.connect(("1.1.1.1", 53)); return "connected"
def local():
    s = socket.socket(); s.settimeout(2); s.connect(("127.0.0.1", int(sys.argv[2]))); return "connected"
def write(path):
    open(path, "w"); return "written"
def forks():
    n, kids = 0, []
    try:
        for _ in range(400):
            pid = os.fork()
            if pid == 0:
                import time; time.sleep(20); os._exit(0)
            kids.append(pid)
    except OSError:
        pass
    for k in kids: os.kill(k, 9)
    return len(kids)
def fill(path):
    size, block = 0, bytes(2**20)
    try:
        with open(path, "wb") as f:
            while size < 2**30:
                f.write(block); f.flush(); size += 2**20
    except OSError:
        pass
    os.unlink(path)
    return size
hidden = json.loads(sys.argv[1])
def uid():
    ids = os.getresuid(); return [list(ids), open("/proc/self/status").read().split("CapEff:")[1].split()[0]]
print(json.dumps({
    "net": tried(net), "local": tried(local), "usr": tried(lambda: write("/usr/x")), "root": tried(lambda: write("/x")), "course": tried(lambda: write("/course/course_lib/x")),
    "hidden": [p for p in hidden if os.path.exists(p)], "processes": len([p for p in os.listdir("/proc") if p.isdigit()]), "environ": sorted(os.environ),
    "uid": tried(uid), "forks": tried(forks), "tmp": tried(lambda: fill("/tmp/x")), "box": tried(lambda: fill("/box/x")),
    "setuid": tried(lambda: os.setuid(0)), "userns": os.system("unshare -U true 2>/dev/null"), "memory": tried(lambda: len(bytearray(100 * 2**30))), "sys": os.path.isdir("/sys") and os.listdir("/sys"),
    "first": [n for n in ("environ", "mem", "root") if not str(tried(lambda: open(f"/proc/1/{n}", "rb").read(1) if n != "root" else os.listdir("/proc/1/root"))).startswith(("PermissionError", "OSError"))] if os.getpid() != 1 else []}))
"""

IMPORTS = (
    "import sys; sys.path.insert(0, '/course'); import torch, safetensors.torch, course_lib.questions.core, "
    "course_lib.grading.sandbox.inside.agent; print('ready')"
)


def require_sandbox():
    """Raises NoSandbox, with one line, unless a box can be started here and now. 0.02 s; with podman 2 s."""
    start.tier()
    cgroup.delegated()  # by the first process: those it starts then find theirs


def inside(code, *argv, timeout=60):
    """(stdout, stderr, exit status, seconds) of python code in a box."""
    started = time.monotonic()
    process = start.spawn([borders.python(), "-c", code, *argv])
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return out.decode(errors="replace"), err.decode(errors="replace"), process.returncode, time.monotonic() - started


def examine():
    """[(ok, what, fix)] of every promise."""
    import socket

    checks = []
    require_sandbox()
    tier = start.tier()
    checks.append((True, f"{tier} starts a box", ""))
    secret = [
        str(borders.PACKAGE.parent / "solutions"),
        str(borders.PACKAGE.parent / "grades"),
        str(borders.PACKAGE.parent / "submissions"),
        "/etc/passwd",
        "/etc/shadow",
        "/home",
        "/var",
    ]
    secret += [
        f"{base}/{f.relative_to(borders.PACKAGE.parent)}"
        for base in (borders.PACKAGE.parent, borders.INSIDE)
        for f in (borders.PACKAGE / "questions").glob("lab*.py")
    ]
    secret += [
        f"{base}/course_lib/{name}.py"
        for base in (borders.PACKAGE.parent, borders.INSIDE)
        for name in ("grading/scoring/grade", "grading/records/store", "grading/sandbox/box", "authoring/build")
    ]
    with socket.create_server(("127.0.0.1", 0)) as server:
        out, err, code, _ = inside(PROBES, json.dumps(secret), str(server.getsockname()[1]))
    try:
        seen = json.loads(out)
    except ValueError:
        return [
            *checks,
            (
                False,
                f"python runs inside ({err.strip()[-200:]})",
                "Is the interpreter readable for other users? Make the environment with a python under /usr or /opt.",
            ),
        ]
    update = "Please report it: this should not happen with bubblewrap 0.8 or later, nor with podman 4."
    checks += [
        ("connected" not in (seen["net"], seen["local"]), "no network, not even localhost", update),
        (
            all(str(seen[k]).startswith(("OSError", "PermissionError")) for k in ("usr", "root", "course")),
            "the system and course_lib are read-only",
            update,
        ),
        (
            seen["hidden"] == [],
            f"solutions, questions, grades and the grader are not visible {seen['hidden'] or ''}",
            update,
        ),
        (
            seen["processes"] <= 8 and seen["first"] == [] and not seen["sys"],
            "other processes and the machine's devices are not visible",
            update,
        ),
        (
            seen["environ"] and not {"COURSE_SECRET", "USER", "SSH_AUTH_SOCK"} & set(seen["environ"]),
            "the environment is cleared",
            update,
        ),
        (
            type(seen["uid"]) is list and 0 not in seen["uid"][0] and int(seen["uid"][1], 16) == 0,
            f"an unprivileged user without capabilities {seen['uid']}",
            "Install util-linux (setpriv).",
        ),
        (
            type(seen["forks"]) is int and seen["forks"] <= borders.LIMITS["processes"],
            f"a fork bomb stops ({seen['forks']} processes)",
            "Kernel older than 5.14? Grade as root (the uid is given away) or in a container with --pids-limit.",
        ),
        (
            type(seen["tmp"]) is int and seen["tmp"] <= borders.TMP_BYTES and seen["box"] <= borders.BOX_BYTES,
            "scratch space is capped",
            "Install bubblewrap 0.8 or later (Ubuntu 22.04 has 0.6).",
        ),
        (
            str(seen["memory"]).startswith("MemoryError"),
            "an allocation of 100 GB is refused",
            "Install util-linux (prlimit).",
        ),
        (
            str(seen["setuid"]).startswith(("PermissionError", "OSError")) and seen["userns"] != 0,
            "no way to become root or to make new namespaces",
            update,
        ),
    ]
    out, err, code, _ = inside("import sys\nsys.stdout.write(str(bytearray(1)))\nwhile True: pass", timeout=2)
    checks.append((code in (-9, 137), "an endless loop is killed from outside", update))
    out, err, code, seconds = inside(IMPORTS, timeout=120)
    checks.append(
        (
            out.strip() == "ready",
            f"torch and course_lib load inside ({seconds:.1f} s)",
            err.strip()[-300:] or "Install the course's requirements: make test",
        )
    )
    seccomp = tier == "podman" or bubblewrap.seccomp_program() is not None
    checks.append(
        (
            seccomp,
            "system calls are filtered",
            "Only on x86_64 and aarch64; the namespaces and limits hold all the same.",
        )
    )
    return checks


def limits_in_force():
    """Lines on what holds a box's memory and processes, and how fast the next one starts."""
    from course_lib.grading.sandbox import zygote  # with torch, which whoever only asks for a sandbox need not wait for
    from course_lib.grading.sandbox.box import Box, Infra
    from course_lib.questions.invoke import CallFailed

    if start.tier() == "podman":
        own = "--memory" in podman.variant(shutil.which("podman"))[1]
        held = "podman's cgroup" if own else "RLIMIT_AS, for each process alone: podman has no cgroups here"
        return [
            f"Memory: {held}. Warm start: not with podman; sudo apt-get install bubblewrap for a class of hundreds."
        ]
    lines = []
    if cgroup.delegated():
        lines.append(f"Memory: {borders.MEMORY / 2**30:g} GiB a box, held by the kernel (cgroup v2).")
    else:
        cure = "For the kernel's own limit: systemd-run --user --scope -p Delegate=yes course grade LAB"
        lines.append(
            f"Memory: {borders.MEMORY / 2**30:g} GiB a box, watched ten times a second; no cgroup v2 is delegated "
            f"here. {cure}"
        )
    try:
        began = time.monotonic()
        with zygote.Zygote() as warm:
            booted = time.monotonic()
            box = Box([(0, "def ready(): return 1.0")], warm.spawn)
            box.call("ready", [], {}, {}, 30)
            box.stop()
            lines.append(
                f"Warm start: {time.monotonic() - booted:.2f} s a submission, after {booted - began:.1f} s once a "
                "worker."
            )
    except (OSError, CallFailed, Infra) as reason:
        lines.append(f"Warm start: none ({reason}); each submission starts cold, about 2 s more.")
    return lines


def main(argv=None):
    """Prints the lines; 0 if all is well."""
    argparse.ArgumentParser(prog="course doctor", description=__doc__).parse_args(argv)
    try:
        checks = examine()
    except borders.NoSandbox as reason:
        print(f"[FAIL] {reason}")
        return 1
    for ok, what, fix in checks:
        print(f"[{'OK' if ok else 'FAIL'}] {what}" + ("" if ok else f"\n       {fix}"))
    good = all(ok for ok, _, _ in checks)
    print("\n".join(limits_in_force()))
    print(
        f"Sandbox: {start.tier()}, as {'root giving its uid away' if os.geteuid() == 0 else 'a plain user'}. "
        + ("Ready to grade." if good else "Do not grade before this is mended.")
    )
    return 0 if good else 1
