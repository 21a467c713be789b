"""The zygote's inside: one box in which torch is imported once, and from which an agent is forked for each job, into
namespaces of its own.

No student's code runs in this process, and it holds no question, no seed and no secret: an agent's memory begins as a
copy of it. It may only import, never compute: threads do not survive a fork, and one after autograd or OpenMP have
worked hangs. What all its agents share: the addresses (ASLR is the zygote's), Python's hash seed (0 in every box
anyway), torch's default generator (the same constant in every fresh process). The `random` module seeds itself anew at
a fork; NumPy's global generator is seeded anew here. Started by zygote.py.
"""

import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys

from course_lib.grading.sandbox.inside.agent import reap

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, NOEXEC, READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 1, 32, 4096, 16384, 1 << 18
PDEATHSIG, SET_DUMPABLE, SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS, CAP_AMBIENT = 1, 4, 22, 24, 38, 47
SETUP_FAILED = 96  # exit status of a job that never reached the agent
LIBC = ctypes.CDLL(None, use_errno=True)


def done(result, what):
    """OSError where a C function says so."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option, *numbers):
    done(LIBC.prctl(option, *(ctypes.c_ulong(n) for n in [*numbers, 0, 0, 0, 0][:4])), f"prctl {option}")


def mount(source, target, kind, flags, data=""):
    done(
        LIBC.mount(
            source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), data.encode()
        ),
        f"mount {target}",
    )


def raise_loopback():
    """127.0.0.1 of the new network namespace, as bubblewrap gives it: a program may talk to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def mount_own(settings):
    """What a job can write to is its own, empty and capped; all else stays the read-only view of the zygote's box."""
    mount("none", "/", None, RECURSIVE | PRIVATE)
    kept = {folder: os.open(folder, os.O_PATH) for folder in settings["keep"]}  # an interpreter that lives under /tmp
    for folder, size in settings["tmpfs"].items():
        mount("tmpfs", folder, "tmpfs", NOSUID | NODEV, f"mode=1777,size={size}")
    for folder, fd in kept.items():
        os.makedirs(folder, 0o755)
        mount(f"/proc/self/fd/{fd}", folder, None, BIND | RECURSIVE)  # as read-only as it was
        os.close(fd)
    mount("devpts", "/dev/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    nothing = {name: os.open(name, os.O_PATH) for name in settings["masked"]}  # as this box has them
    mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
    for name, fd in nothing.items():
        mount(f"/proc/self/fd/{fd}", name, None, BIND)
        os.close(fd)
    for name in ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"):
        if os.access(name, os.W_OK):
            mount(name, name, None, BIND | RECURSIVE)
            mount("none", name, None, BIND | REMOUNT | READ_ONLY | NOSUID | NODEV | NOEXEC)
    os.chdir("/box")


def give_up(settings, uid):
    """Every privilege, for good: a uid of its own, no capability, none to be had by exec, and the system-call filter.

    uid None: this process stays who it is. Without a real root behind it a job gets a user namespace of its own, so
    that RLIMIT_NPROC counts its processes alone.
    """
    if uid is not None and not settings["root"]:
        done(LIBC.unshare(NEWUSER), "unshare user")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{uid} 0 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    for capability in range(64):
        if LIBC.prctl(CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break  # beyond the last that this kernel has
    if uid is not None and settings["root"]:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    prctl(CAP_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL
    done(LIBC.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()), "capset")
    prctl(SET_NO_NEW_PRIVS, 1)
    program = bytes.fromhex(settings["seccomp"])
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    prctl(SET_SECCOMP, 2, ctypes.addressof(filters))
    prctl(SET_DUMPABLE, 1 if uid is not None else 0)
    with open("/proc/self/status") as file:
        held = dict(line.split(":\t") for line in file.read().split("\n") if ":\t" in line)
    if (
        any(int(held[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
        or held["NoNewPrivs"] != "1"
        or held["Seccomp"] != "2"
    ):
        raise OSError("privileges are left")


def first_process(settings, uid):
    """pid 1 of a job: makes its world, forks the agent, reaps. Returns only in the agent; when this process ends, the
    kernel kills all that is left of the job.
    """
    os.setsid()
    prctl(PDEATHSIG, signal.SIGKILL)
    done(LIBC.unshare(NEWNS | NEWNET | NEWIPC | NEWUTS | NEWCGROUP), "unshare")
    raise_loopback()
    mount_own(settings)
    if os.read(0, 1) != b"!":  # the other side has put this process where its memory is counted
        os._exit(SETUP_FAILED)
    agent = os.fork()
    if agent == 0:
        for name, limit in settings["limits"].items():
            resource.setrlimit(getattr(resource, name), (limit, limit))
        give_up(settings, uid)
        return
    give_up(settings, None)
    reap(agent)


def start_job(settings, uid, fds, report, own):
    """Forks a job and hands its pidfd to the other end. Returns (pidfd, pid) in the zygote, None in the agent."""
    done(LIBC.unshare(NEWPID), "unshare pid")  # of the next child
    pid = os.fork()
    if pid == 0:
        try:
            for target, fd in enumerate(fds):
                os.dup2(fd, target)
            os.closerange(3, 2**16)
            first_process(settings, uid)
            return None
        except BaseException as error:  # nothing of a student has run
            os.write(2, f"warm start: {error}\n".encode())
            os._exit(SETUP_FAILED)
    done(LIBC.setns(own, NEWPID), "setns")  # back, or there could be no second job
    pidfd = os.pidfd_open(pid)
    with socket.socket(fileno=os.dup(report)) as end:
        socket.send_fds(end, [b"started"], [pidfd])
    return pidfd, pid


def serve(channel, settings):
    """One agent for each request. Returns True in an agent, False when the other side is gone."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    jobs, poll = {}, select.poll()  # {pidfd: (pid, where its end is told)}
    poll.register(channel, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in jobs:
                pid, report = jobs.pop(fd)
                poll.unregister(fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with socket.socket(fileno=report) as end:
                    try:
                        end.send(str(code).encode())
                    except OSError:  # nobody wants to know
                        pass
                os.close(fd)
                continue
            message, fds, _, _ = socket.recv_fds(channel, 64, 4)
            if not message:
                return False
            started = start_job(settings, json.loads(message)["uid"], fds[:3], fds[3], own)
            if started is None:
                channel.detach()
                return True
            for used in fds[:3]:
                os.close(used)
            jobs[started[0]] = (started[1], fds[3])
            poll.register(started[0], select.POLLIN)


def main():
    """argv: the number of the socket. First message: the settings; answer: "ready", or one line that says why not."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(channel.recv(2**17))
    try:
        for name in settings["modules"]:
            importlib.import_module(name)
        threads = len(os.listdir("/proc/self/task"))
        if threads > 1:
            raise RuntimeError(f"an import has started {threads - 1} threads")
        gc.collect()
        gc.freeze()  # nothing of the zygote is walked, and so copied, in an agent
    except Exception as error:
        channel.send(f"{type(error).__name__}: {error}"[:1000].encode())
        return
    channel.send(b"ready")
    if not serve(channel, settings):
        return
    from course_lib.grading.sandbox.inside import agent

    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    sys.argv[:] = [agent.__file__]
    agent.main()


if __name__ == "__main__":
    main()
