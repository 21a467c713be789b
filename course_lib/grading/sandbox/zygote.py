"""Warm start, the trusted side: one box with torch imported, out of which each submission's agent is forked.

    with Zygote() as zygote:
        box = Box(cells, zygote.spawn)

Same namespaces, limits, filter and read-only view as the cold path (start.py); the same escape tests run on both.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading

from course_lib.grading.sandbox import borders, bubblewrap, cgroup, start

BOOT = 120.0  # seconds for torch to load on a busy machine
ANSWER = 30.0  # seconds for a fork
# What agents need, and what labs' cells and students import. Importing must not compute and must start no thread.
# fmt: off
MODULES = (
    "torch", "numpy.random", "safetensors.torch", "transformers", "asyncio", "pdb", "statistics", "yaml",
    "numpy.ctypeslib", "course_lib.stages.artifacts", "course_lib.platform", "course_lib.stages.model",
    "course_lib.stages.tokenizer", "course_lib.world", "course_lib.questions.wire", "course_lib.questions.invoke",
    "course_lib.questions.core", "course_lib.notebook.check", "course_lib.questions.ambient",
    "course_lib.notebook.setup", "course_lib.notebook.shell", "course_lib.grading.sandbox.inside.agent",
)
# fmt: on


class Agent:
    """A running agent, with those parts of subprocess.Popen that box.py uses.

    wait and poll may be called from several threads.
    """

    def __init__(self, stdin, stdout, stderr, report, pidfd):
        self.stdin = os.fdopen(stdin, "wb", buffering=0)
        self.stdout, self.stderr = os.fdopen(stdout, "rb", buffering=0), os.fdopen(stderr, "rb", buffering=0)
        self.report, self.pidfd, self.returncode, self.lock = report, pidfd, None, threading.Lock()
        report.setblocking(False)
        # as seen here, outside; 0 if it has ended already
        self.pid = borders.field(f"/proc/self/fdinfo/{pidfd}", r"Pid:\s+(\d+)")
        self.cgroup = None  # set by spawn

    def fileno(self):
        """Readable once the process has ended."""
        return self.report.fileno()

    def poll(self):
        """The exit status (128 + number where a signal ended the agent, negative where one ended the whole job), or
        None while it runs.
        """
        with self.lock:
            if self.returncode is None:
                try:
                    told = self.report.recv(64)
                    self.returncode = int(told) if told else -signal.SIGKILL  # the zygote is gone, and its jobs with it
                except BlockingIOError:
                    pass
                except OSError:
                    self.returncode = -signal.SIGKILL
            return self.returncode

    def wait(self, timeout=None):
        if self.poll() is None:
            select.select([self.report], [], [], timeout)
            if self.poll() is None:
                raise subprocess.TimeoutExpired("agent", timeout or 0.0)
        return self.returncode

    def kill(self):
        """Ends the first process of the job's pid namespace, and so every process in it."""
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def __del__(self, close=os.close):
        self.report.close()
        close(self.pidfd)


class Zygote:
    """Starts in the constructor and boots beside what its maker does next; ready() waits for it. Each raises OSError or
    NoSandbox, with one line, where no warm start is possible. Make it in a thread that lives on: it dies with that
    thread.

    spawn() raises OSError if the zygote has died; the next spawn() boots another.
    """

    def __init__(self, modules=MODULES):
        self.modules, self.process = modules, None
        self.start()

    def start(self):
        program = bubblewrap.seccomp_program()
        if start.tier() != "bubblewrap":
            raise OSError("warm start needs bubblewrap")
        if program is None:
            raise OSError("warm start needs the system-call filter, which this machine type has not")
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = tempfile.TemporaryFile()
        with theirs:
            inside = "course_lib.grading.sandbox.inside.agent_fork"
            line = bubblewrap.zygote_command([borders.python(), "-s", "-P", "-m", inside, str(theirs.fileno())])
            self.process = subprocess.Popen(
                line,
                pass_fds=(theirs.fileno(),),
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
            )
        self.channel.settimeout(BOOT)
        self.booted = False
        with contextlib.suppress(OSError):  # it has ended already: boot() tells how
            self.channel.send(json.dumps(bubblewrap.job_settings(program) | {"modules": self.modules}).encode())

    def boot(self):
        try:
            said = self.channel.recv(1000).decode(errors="replace")
        except OSError as error:
            said = str(error)
        if said != "ready":
            words = self.last_words()
            raise OSError(f"no warm start: {said or words or 'it ended at once'}")
        self.channel.settimeout(ANSWER)
        self.booted = True

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        """True, once it runs; boots another where it has ended. OSError where that fails."""
        if self.process is not None and self.booted and not self.runs():
            self.close()
        if self.process is None:
            self.start()
        if not self.booted:
            self.boot()
        return True

    def spawn(self):
        """An Agent in fresh namespaces. OSError if the zygote is gone."""
        if self.process is None or not self.booted:
            self.ready()
        pipes = [os.pipe() for _ in range(3)]
        inside, ours = (pipes[0][0], pipes[1][1], pipes[2][1]), (pipes[0][1], pipes[1][0], pipes[2][0])
        report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        report.settimeout(ANSWER)
        try:
            with theirs:
                request = json.dumps({"uid": borders.box_uid()}).encode()
                socket.send_fds(self.channel, [request], [*inside, theirs.fileno()])
            said, fds, _, _ = socket.recv_fds(report, 64, 1)
            if not fds:
                raise OSError("no answer")
        except OSError as error:
            report.close()
            for fd in ours:
                os.close(fd)
            raise OSError(f"the zygote has died ({self.last_words() or error})") from None
        finally:
            for fd in inside:
                os.close(fd)
        agent = Agent(*ours, report, fds[0])
        agent.cgroup = cgroup.make()
        try:
            cgroup.enter(agent.cgroup, agent.pid)
            agent.stdin.write(b"!")  # it has waited: what it forks from here on is counted with it
        except OSError:  # it has ended: box.py sees that
            pass
        return agent

    def last_words(self):
        """The last line that it wrote; it is closed then."""
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip()
        self.close()
        return said.split("\n")[-1][-300:]

    def close(self):
        """Ends the zygote and every agent that still runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.channel.close()
            self.log.close()
            self.process = None

    def __enter__(self):
        self.ready()
        return self

    def __exit__(self, *_):
        self.close()
