"""A student's code against the border itself, cold and warm: whatever the way an agent was started, the same walls
stand.

What attacks do to a grade is in the table of bad submissions (bad/table.py).
"""

import json
import os
import socket
import time

import pytest
from classroom import under_tmp

from course_lib.grading.sandbox import borders
from course_lib.grading.sandbox.box import Box

WAYS = ("cold", "warm")


@pytest.fixture(scope="module")
def start(zygote):
    """start(way, source): a Box that has run these cells; stopped at the end."""
    boxes = []

    def begin(way, *cells):
        boxes.append(Box(list(enumerate(cells)), zygote.spawn if way == "warm" else None))
        boxes[-1].load()
        return boxes[-1]

    yield begin
    for box in boxes:
        box.stop()


def call(box, name, *arguments, timeout=20):
    return box.call(name, list(arguments), {}, {}, timeout)["value"]


TRIED = """
import ctypes, errno, glob, json, os, platform, resource, signal, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def tried(what):
    try:
        return repr(what())
    except BaseException as error:
        return errno.errorcode.get(getattr(error, "errno", None), type(error).__name__)

def c(name, *arguments):
    def now():
        ctypes.set_errno(0)
        if libc[name](*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)
        return "done"
    return tried(now)

def reach(family, address):
    def now():
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(2)
            s.connect(address)
        return "reached"
    return tried(now)

def write(path):
    with open(path, "wb") as file:
        file.write(b"x")
    return "written"

def own_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
        return "itself"

def fill(folder):
    size = 0
    try:
        with open(folder + "/fill", "wb", buffering=0) as file:
            while size < 2**30:
                size += file.write(bytes(2**20))
    except OSError:
        pass
    os.unlink(folder + "/fill")
    return size

def status(*names):
    lines = dict(line.split(":\\t") for line in open("/proc/self/status").read().split("\\n") if ":\\t" in line)
    return {name: lines[name].strip() for name in names}

def attempt(port, name):
    common = {"clone3": 435, "pidfd_open": 434, "pidfd_getfd": 438, "open_tree": 428, "mount_setattr": 442}
    x86 = {"ptrace": 101, "clone": 56, "setns": 308, "bpf": 321, "keyctl": 250, "memfd_create": 319}
    arm = {"ptrace": 117, "clone": 220, "setns": 268, "bpf": 280, "keyctl": 219, "memfd_create": 279}
    number = common | {"io_uring_setup": 425} | (x86 if platform.machine() == "x86_64" else arm)
    call = lambda name, *arguments: c("syscall", number[name], *arguments)
    open_ones = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
    descriptors = sorted({os.readlink(path).split(":")[0] for path in open_ones if os.path.exists(path)})
    pidfd = libc.syscall(number["pidfd_open"], 1, 0)
    places = ["/x", "/usr/x", "/course/x", "/course/course_lib/x", "/etc/x", "/dev/x", "/dev/pts/x"]
    places += ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/1/oom_score_adj"]
    first = {
        name: tried(lambda: open(f"/proc/1/{name}", "rb").read(10))
        for name in ("environ", "mem", "maps", "auxv", "stack")
    }
    first["fd"], first["cwd"] = tried(lambda: os.readlink("/proc/1/fd/0")), tried(lambda: os.readlink("/proc/1/cwd"))
    first["root"] = tried(lambda: os.listdir("/proc/1/root"))
    limits = [f"RLIMIT_{name}" for name in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE")]
    lift = lambda name: tried(lambda: resource.setrlimit(getattr(resource, name), (-1, -1)))
    return {
        "internet": reach(socket.AF_INET, ("1.1.1.1", 53)),
        "host": reach(socket.AF_INET, ("127.0.0.1", port)),
        "abstract socket": reach(socket.AF_UNIX, "\\0" + name),
        "itself": tried(own_loopback),
        "write": {path: tried(lambda: write(path)) for path in places},
        "of the first process": first,
        "system calls": {
            "setuid": tried(lambda: os.setuid(0)),
            "setresuid": tried(lambda: os.setresuid(0, 0, 0)),
            "setgroups": tried(lambda: os.setgroups([0])),
            "chroot": tried(lambda: os.chroot("/tmp")),
            "nice": tried(lambda: os.setpriority(os.PRIO_PROCESS, 0, -20)),
            "unshare user": c("unshare", 0x10000000),
            "unshare mounts": c("unshare", 0x20000),
            "clone user": call("clone", 0x10000011, 0, 0, 0, 0),
            "clone3": call("clone3", ctypes.create_string_buffer(64), 64),
            "mount": c("mount", b"none", b"/tmp", b"tmpfs", 0, None),
            "remount": c("mount", None, b"/", None, 32 | 4096, None),
            "umount": c("umount2", b"/tmp", 2),
            "open_tree": call("open_tree", -100, b"/", 1),
            "mount_setattr": call("mount_setattr", -100, b"/", 0, 0, 0),
            "setns": call("setns", pidfd, 0x20000000),
            "steal a descriptor": call("pidfd_getfd", pidfd, 0, 0),
            "ptrace": call("ptrace", 16, 1, 0, 0),
            "traced": call("ptrace", 0, 0, 0, 0),
            "process_vm_readv": c("process_vm_readv", 1, 0, 0, 0, 0, 0),
            "shmget": c("shmget", 4711, 4096, 0o1666),
            "keyctl": call("keyctl", 0, -3, 0),
            "bpf": call("bpf", 0, 0, 0),
            "io_uring": call("io_uring_setup", 1, 0),
            "memfd": call("memfd_create", b"x", 0),
            "mknod": tried(lambda: os.mknod("/tmp/m", 0o600 | stat.S_IFBLK, os.makedev(8, 0))),
        },
        "limits lifted": [name for name in limits if lift(name) == "None"],
        "filled": {folder: fill(folder) for folder in ("/tmp", "/box", "/dev/shm")},
        "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
        "descriptors": descriptors,
    }

def attempts(port, name):
    return json.dumps(attempt(port, name))

def world():
    import random, torch
    mounts = sorted({(f[4], f[f.index("-") + 1], f[5]) for f in map(str.split, open("/proc/self/mountinfo"))})
    random.seed(5), torch.manual_seed(5)
    draws = [random.random(), torch.rand(3).tolist(), torch.nn.Linear(3, 2).weight.tolist()]
    own = status("Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters", "SigBlk", "SigIgn", "Threads")
    own |= status("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    grading = [f"/course/course_lib/grading{room}" for room in ("", "/sandbox", "/sandbox/inside")]
    folders = ["/", "/dev", "/dev/pts", "/dev/shm", "/tmp", "/box", "/course", *grading]
    limits = {n: resource.getrlimit(getattr(resource, n)) for n in sorted(dir(resource)) if n.startswith("RLIMIT_")}
    process = [os.getpid(), os.getsid(0) == os.getpid(), os.nice(0), os.sched_getscheduler(0)]
    return json.dumps({
        "mounts": mounts, "status": own, "root user": 0 in os.getresuid() + os.getresgid(),
        "environ": dict(os.environ), "limits": limits, "folders": {d: sorted(os.listdir(d)) for d in folders},
        "python": [sys.argv, sys.path, list(sys.flags), os.getcwd(), os.umask(0o022), *process, time.tzname],
        "torch": [torch.get_num_threads(), torch.initial_seed(), str(torch.get_default_dtype())],
        "draws": draws, "hash": hash("village"), "network": sorted(n for _, n in socket.if_nameindex()),
        "dumpable": libc.prctl(3, 0, 0, 0, 0),
    })
"""


@pytest.fixture(scope="module")
def listeners():
    """(TCP port, abstract name) on which this machine listens, outside."""
    name = f"littlebrook-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + name)
        unix.listen()
        yield tcp.getsockname()[1], name


@pytest.fixture(scope="module")
def seen(start, listeners):
    """{way: (what the world looks like inside, what came of every attempt)}"""
    boxes = {way: start(way, TRIED) for way in WAYS}
    return {
        way: (json.loads(call(box, "world")), json.loads(call(box, "attempts", *listeners, timeout=60)))
        for way, box in boxes.items()
    }


# fmt: off
NO = ("EPERM", "EACCES", "EROFS", "ENOSYS", "ENOENT", "ESRCH", "EINVAL", "EBADF", "ENETUNREACH", "ECONNREFUSED",
    "PermissionError")
# fmt: on


@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_is_shut(seen, way):
    _, attempts = seen[way]
    assert {attempts[k] for k in ("internet", "host", "abstract socket")} <= {"ENETUNREACH", "ECONNREFUSED"}, attempts
    assert attempts["itself"] == "'itself'"  # its own loopback is there, and nobody else's
    for group in ("write", "of the first process", "system calls"):
        open_ones = {what: came for what, came in attempts[group].items() if came not in NO}
        assert open_ones == {}, f"{way}: {group}"
    assert attempts["limits lifted"] == [] and attempts["processes"] == [1, 2]
    assert set(attempts["descriptors"]) == {"pipe", "/dev/null"}, attempts["descriptors"]
    assert all(
        0 < attempts["filled"][folder] <= most
        for folder, most in (("/tmp", borders.TMP_BYTES), ("/box", borders.BOX_BYTES), ("/dev/shm", borders.SHM_BYTES))
    )


@pytest.mark.parametrize("way", WAYS)
def test_what_is_inside(seen, way):
    world, _ = seen[way]
    assert (
        {world["status"][k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        and world["status"]["NoNewPrivs"] == "1"
        and world["status"]["Seccomp"] == "2"
    )
    assert not world["root user"] and world["status"]["Threads"] == "1" and world["network"] == ["lo"]
    assert world["environ"] == borders.ENVIRONMENT | {
        k: world["environ"][k]
        for k in world["environ"]
        if k in ("PWD", "PYTHONBREAKPOINT", "GOMP_SPINCOUNT", "LC_CTYPE")
    }
    writable = {place for place, kind, options in world["mounts"] if "ro" not in options.split(",")}
    assert {place for place in writable if not place.startswith(("/proc", "/dev/"))} == {"/tmp", "/box"}, writable
    grading = {room: names for room, names in world["folders"].items() if room.startswith("/course/course_lib/grading")}
    *above, inside = grading.values()
    assert above == [["__init__.py", "sandbox"], ["__init__.py", "inside"]]
    assert inside == sorted(name.rsplit("/", 1)[1] for name in borders.SHOWN["grading"] if "/inside/" in name)
    assert "home" not in world["folders"]["/"]
    assert (
        world["folders"]["/dev/pts"] == ["ptmx"]
        and world["folders"]["/tmp"] == under_tmp()
        and world["folders"]["/box"] == world["folders"]["/dev/shm"] == []
    )
    names = {
        "RLIMIT_AS": "address_space",
        "RLIMIT_CPU": "cpu",
        "RLIMIT_FSIZE": "file",
        "RLIMIT_NOFILE": "files",
        "RLIMIT_NPROC": "processes",
    }
    assert {name: world["limits"][name] for name in names} == {
        name: [borders.LIMITS[key]] * 2 for name, key in names.items()
    } and world["limits"]["RLIMIT_CORE"] == [0, 0]


def test_warm_looks_as_cold_does(seen):
    """The same mounts, limits, signals, environment, arguments and random numbers: a result cannot depend on how the
    agent was started.
    """
    (cold, _), (warm, _) = seen["cold"], seen["warm"]
    different = {k: (cold[k], warm[k]) for k in cold if cold[k] != warm[k]}
    assert different == {}


LEAVES = (
    f"UNDER_TMP = {under_tmp()!r}"
    + """
import os, socket, time
def leave(name):
    for folder in ("/tmp", "/box", "/dev/shm"):
        open(f"{folder}/{name}", "w").write("my answers")
    global kept
    kept = socket.socket(socket.AF_UNIX); kept.bind("\\0" + name); kept.listen()
    global tty
    tty = os.openpty()
    return True
def find(name):
    found = [p for p in os.listdir("/proc") if p.isdigit() and p not in ("1", str(os.getpid()))]
    for folder in ("/tmp", "/box", "/dev/shm"):
        found += [name for name in os.listdir(folder) if name not in UNDER_TMP]
    found += [p for p in os.listdir("/dev/pts") if p != "ptmx"]
    found += [line for line in open("/proc/net/unix") if name in line]
    try:
        s = socket.socket(socket.AF_UNIX); s.connect("\\0" + name); found.append("connected")
    except OSError:
        pass
    return [str(f) for f in found] + ["uid"] * (os.getuid() == 0)
"""
)


@pytest.mark.parametrize("way", WAYS)
def test_jobs_side_by_side_do_not_see_each_other(start, way):
    one, other = start(way, LEAVES), start(way, LEAVES)
    assert call(one, "leave", "mailbox") is True
    assert call(other, "find", "mailbox") == []
    one.stop()
    assert call(start(way, LEAVES), "find", "mailbox") == []  # nor what one left behind


VIOLENT = """
import os, signal, subprocess, threading, time
def kill_all():
    child = subprocess.Popen(["sleep", "60"])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(1, number)
        except OSError:
            pass
    os.kill(-1, signal.SIGKILL)
    return child.wait()
def forks():
    children = []
    try:
        while len(children) < 1000:
            pid = os.fork()
            if pid == 0:
                time.sleep(60); os._exit(0)
            children.append(pid)
    except OSError:
        pass
    return len(children)
def orphans():
    for _ in range(3):
        null = subprocess.DEVNULL
        subprocess.Popen(["setsid", "sleep", "4713.5"], stdin=null, stdout=null, stderr=null)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/usr/bin/sleep", ["sleep", "4713.5"])
        os._exit(0)
    time.sleep(0.2)
    return True
def leave():
    os._exit(7)
def eat():
    for _ in range(5):
        if os.fork() == 0:
            mine = bytearray(os.urandom(2**20)) * 1000
            time.sleep(60)
    time.sleep(60)
def huge():
    return len(bytearray(100 * 2**30))
"""


def sleepers(words):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                found += [pid] if words in file.read() else []
        except OSError:
            pass
    return found


@pytest.mark.parametrize("way", WAYS)
def test_violence_stays_inside(start, way, monkeypatch):
    from course_lib.questions.invoke import CallFailed

    box = start(way, VIOLENT)
    assert call(box, "kill_all") == -9 and call(box, "orphans") is True and len(sleepers(b"4713.5")) == 4
    with pytest.raises(CallFailed) as failure:
        call(box, "huge")
    assert failure.value.status == "oom"
    assert 0 < call(box, "forks") <= borders.LIMITS["processes"]
    with pytest.raises(CallFailed, match="exit status 7"):
        call(box, "leave")
    until = time.monotonic() + 5
    while sleepers(b"4713.5") and time.monotonic() < until:
        time.sleep(0.05)
    assert sleepers(b"4713.5") == []  # the first process of the namespace ended with the agent, and all others with it
    monkeypatch.setattr(borders, "MEMORY", 2**30)
    with pytest.raises(CallFailed, match="of memory"):
        call(box, "eat")


@pytest.mark.parametrize("way", WAYS)
def test_deaths_have_the_same_names(start, way):
    from course_lib.questions.invoke import CallFailed

    box = start(
        way,
        "import ctypes, os, signal\ndef die(n): os.kill(os.getpid(), n)\ndef crash(): ctypes.string_at(0)\ndef "
        "close(): [os.close(n) for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}')]",
    )
    for name, arguments, words in (
        ("die", [9], "SIGKILL"),
        ("die", [6], "SIGABRT"),
        ("crash", [], "SIGSEGV"),
        ("close", [], "closed the grader's pipe"),
    ):
        with pytest.raises(CallFailed, match=words):
            call(box, name, *arguments)
    assert box.restarts == 3
