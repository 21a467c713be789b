"""`course doctor`: is the border real on this machine?

Each promise of the sandbox is tried from inside, and each failure says its fix.
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
def open_to_us(name):
    path = f"/proc/1/{name}"
    came = tried(lambda: os.listdir(path) if name == "root" else open(path, "rb").read(1))
    return not str(came).startswith(("PermissionError", "OSError"))
print(json.dumps({
    "net": tried(net), "local": tried(local),
    "usr": tried(lambda: write("/usr/x")), "root": tried(lambda: write("/x")),
    "course": tried(lambda: write("/course/course_lib/x")),
    "hidden": [p for p in hidden if os.path.exists(p)],
    "processes": len([p for p in os.listdir("/proc") if p.isdigit()]),
    "environ": sorted(os.environ), "uid": tried(uid), "forks": tried(forks),
    "tmp": tried(lambda: fill("/tmp/x")), "box": tried(lambda: fill("/box/x")),
    "setuid": tried(lambda: os.setuid(0)), "userns": os.system("unshare -U true 2>/dev/null"),
    "memory": tried(lambda: len(bytearray(100 * 2**30))), "sys": os.path.isdir("/sys") and os.listdir("/sys"),
    "first": [name for name in ("environ", "mem", "root") if os.getpid() != 1 and open_to_us(name)],
}))
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


def promises(seen):
    """[(kept, what, fix)] of what PROBES have seen inside."""
    update = "Please report it: this should not happen with bubblewrap 0.8 or later, nor with podman 4."
    refused = ("OSError", "PermissionError")
    read_only = all(str(seen[place]).startswith(refused) for place in ("usr", "root", "course"))
    alone = seen["processes"] <= 8 and seen["first"] == [] and not seen["sys"]
    cleared = seen["environ"] and not {"COURSE_SECRET", "USER", "SSH_AUTH_SOCK"} & set(seen["environ"])
    nobody = type(seen["uid"]) is list and 0 not in seen["uid"][0] and int(seen["uid"][1], 16) == 0
    bounded = type(seen["forks"]) is int and seen["forks"] <= borders.LIMITS["processes"]
    capped = type(seen["tmp"]) is int and seen["tmp"] <= borders.TMP_BYTES and seen["box"] <= borders.BOX_BYTES
    stays = str(seen["setuid"]).startswith(refused) and seen["userns"] != 0
    old_kernel = "Kernel older than 5.14? Grade as root (the uid is given away) or in a container with --pids-limit."
    old_bwrap = "Install bubblewrap 0.8 or later (Ubuntu 22.04 has 0.6)."
    hidden = f"solutions, questions, grades and the grader are not visible {seen['hidden'] or ''}"
    return [
        ("connected" not in (seen["net"], seen["local"]), "no network, not even localhost", update),
        (read_only, "the system and course_lib are read-only", update),
        (seen["hidden"] == [], hidden, update),
        (alone, "other processes and the machine's devices are not visible", update),
        (cleared, "the environment is cleared", update),
        (nobody, f"an unprivileged user without capabilities {seen['uid']}", "Install util-linux (setpriv)."),
        (bounded, f"a fork bomb stops ({seen['forks']} processes)", old_kernel),
        (capped, "scratch space is capped", old_bwrap),
        (
            str(seen["memory"]).startswith("MemoryError"),
            "an allocation of 100 GB is refused",
            "Install util-linux (prlimit).",
        ),
        (stays, "no way to become root or to make new namespaces", update),
    ]


def examine():
    """[(ok, what, fix)] of every promise."""
    import socket

    require_sandbox()
    tier = start.tier()
    checks = [(True, f"{tier} starts a box", "")]
    root = borders.PACKAGE.parent
    secret = [f"{root}/{folder}" for folder in ("solutions", "grades", "submissions")]
    secret += ["/etc/passwd", "/etc/shadow", "/home", "/var"]
    code = [str(f.relative_to(root)) for f in (borders.PACKAGE / "questions").glob("lab*.py")]
    trusted = ("grading/scoring/grade", "grading/records/store", "grading/sandbox/box", "authoring/build")
    code += [f"course_lib/{name}.py" for name in trusted]
    secret += [f"{base}/{name}" for base in (root, borders.INSIDE) for name in code]
    with socket.create_server(("127.0.0.1", 0)) as server:
        out, err, code, _ = inside(PROBES, json.dumps(secret), str(server.getsockname()[1]))
    try:
        checks += promises(json.loads(out))
    except ValueError:
        cure = "Is the interpreter readable for other users? Make the environment with a python under /usr or /opt."
        return [*checks, (False, f"python runs inside ({err.strip()[-200:]})", cure)]
    out, err, code, _ = inside("import sys\nsys.stdout.write(str(bytearray(1)))\nwhile True: pass", timeout=2)
    stopped = "Please report it: a box is killed with its first process."
    checks.append((code in (-9, 137), "an endless loop is killed from outside", stopped))
    out, err, code, seconds = inside(IMPORTS, timeout=120)
    loaded = f"torch and course_lib load inside ({seconds:.1f} s)"
    cure = err.strip()[-300:] or "Install the course's requirements: make test"
    checks.append((out.strip() == "ready", loaded, cure))
    seccomp = tier == "podman" or bubblewrap.seccomp_program() is not None
    cure = "Only on x86_64 and aarch64; the namespaces and limits hold all the same."
    return [*checks, (seccomp, "system calls are filtered", cure)]


def limits_in_force():
    """Lines on what holds a box's memory and processes, and how fast the next one starts."""
    from course_lib.grading.sandbox import zygote  # with torch, which whoever only asks for a sandbox need not wait for
    from course_lib.grading.sandbox.box import Box, Infra
    from course_lib.questions.invoke import CallFailed

    if start.tier() == "podman":
        own = "--memory" in podman.variant(shutil.which("podman"))[1]
        held = "podman's cgroup" if own else "RLIMIT_AS, for each process alone: podman has no cgroups here"
        warm = "Warm start: not with podman; sudo apt-get install bubblewrap for a class of hundreds."
        return [f"Memory: {held}. {warm}"]
    memory = f"Memory: {borders.MEMORY / 2**30:g} GiB a box"
    if cgroup.delegated():
        lines = [f"{memory}, held by the kernel (cgroup v2)."]
    else:
        cure = "For the kernel's own limit: systemd-run --user --scope -p Delegate=yes course grade LAB"
        lines = [f"{memory}, watched ten times a second; no cgroup v2 is delegated here. {cure}"]
    try:
        began = time.monotonic()
        with zygote.Zygote() as warm:
            booted = time.monotonic()
            box = Box([(0, "def ready(): return 1.0")], warm.spawn)
            box.call("ready", [], {}, {}, 30)
            box.stop()
            each, once = time.monotonic() - booted, booted - began
        lines.append(f"Warm start: {each:.2f} s a submission, after {once:.1f} s once a worker.")
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
    who = "root giving its uid away" if os.geteuid() == 0 else "a plain user"
    print(f"Sandbox: {start.tier()}, as {who}. {'Ready to grade.' if good else 'Do not grade before this is mended.'}")
    return 0 if good else 1
