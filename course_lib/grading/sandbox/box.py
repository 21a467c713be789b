"""The trusted end of the pipe: starts the agent in a sandbox, holds the deadlines, distrusts whatever it answers."""

import os
import secrets
import select
import signal
import threading
import time
from typing import Any

from course_lib.grading.sandbox import borders, cgroup, start

BOOT = 90.0  # seconds for the interpreter and torch to load on a busy machine
CELL = 20.0  # seconds a cell
CELLS = 90.0  # seconds all cells of a notebook together
GRACE = 2.0  # seconds between the agent's own alarm and the kill from outside
TOTAL = 300.0  # seconds a submission
RESTARTS = 24
MAX_FRAME = 68 * 2**20
PIPE_CLOSED = 97  # the agent's exit status
LOG_TAIL = 16_000  # bytes of what the student printed
PAUSE, LONGEST_PAUSE = 2e-5, 0.02  # seconds between two readings of it: after the n-th n times the first
SIGNALS = {number.value: number.name for number in signal.Signals}
ANSWERS = ("error", "todo", "fail", "timeout", "oom", "missing", "protocol")


class Infra(Exception):
    """The grader's own machinery failed before any student's code ran: retry, never a score."""


class Died(Exception):
    """The agent is gone or was killed: (status, message)."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Clock:
    """The deadline of one run of the cells: it moves with every cell that begins, up to all the time there is."""

    def __init__(self, end, most):
        self.end, self.most, self.cell, self.since, self.slow = end, most, None, None, {}
        self.deadline = min(end, time.monotonic() + BOOT)

    def begins(self, number):
        now, self.most = time.monotonic(), self.most - 1
        if self.most < 0:
            raise Died("protocol", "more cells were begun than there are")
        if self.since is None:  # the interpreter is there
            self.end = min(self.end, now + CELLS + CELL)
        elif now - self.since >= 0.9 * CELL:  # what was read late began earlier: this clock sees a little less
            self.slow[self.cell] = "timeout: the cell took too long and was stopped"
        self.cell = number if type(number) is int else None  # the student's process says it
        self.since, self.deadline = now, min(self.end, now + CELL + GRACE)


class Box:
    """A caller (see questions.core) that runs the notebook's cells in a sandbox and calls its functions there.

    spawn: starts an agent, as zygote.Zygote.spawn does; OSError where it cannot.
    """

    process: Any  # as start.spawn or Zygote.spawn makes it; None while there is none

    def __init__(self, cells=(), spawn=None, files=None):
        self.cells, self.skip, self.stopped = list(cells), {}, {}  # [(number, source)], {number: why}, {number: why}
        self.files = files or {}  # {name: text} of the modules beside the notebook
        self.flags, self.log, self.restarts = [], b"", 0
        self.cell_log = None  # what the cells printed, before any hidden input was in the box: a student may see it
        self.inside = 0.0  # seconds that the agent says the student's code took: for measuring, never for a grade
        self.process, self.loaded, self.began = None, False, time.monotonic()
        self.early, self.failure, self.reading = None, None, threading.Lock()
        self.unfinished = False  # some calls were not made: time or restarts had run out
        self.infra = None  # an Infra: whoever grades raises it in the end, whatever a case has made of it
        self.spawn = spawn or start.agent
        self.start()

    # -- the process

    def start(self):
        self.killed_for = None
        try:
            self.process = self.spawn()
        except OSError as error:
            self.infra = Infra(f"the sandbox did not start: {error}")
            raise self.infra from None
        self.loaded = self.spoke = False
        for pipe in (self.process.stdin, self.process.stdout):
            os.set_blocking(pipe.fileno(), False)
        self.watcher = threading.Thread(target=self.watch, args=(self.process,), daemon=True)
        self.watcher.start()

    def watch(self, process):
        """Drains what the student prints, kills the box where its memory grows too large. Ends with the process."""
        printed = process.stderr.fileno()
        ended = os.dup(process.fileno()) if hasattr(process, "fileno") else os.pidfd_open(process.pid)
        readers, look, readings = [printed, ended], 0.0, 0
        while process.poll() is None:
            if time.monotonic() >= look:
                look = time.monotonic() + 0.1
                if borders.resident_bytes(process.pid) > borders.MEMORY:
                    self.killed_for = "oom"
                    process.kill()
            if printed in select.select(readers, [], [], 0.1)[0]:
                with self.reading:
                    part = os.read(printed, 65536)
                    self.log, readings = (self.log + part)[-LOG_TAIL:], readings + 1
                time.sleep(min(LONGEST_PAUSE, readings * PAUSE))  # who prints without end waits, and costs nothing
                if not part:  # closed, but the process lives on
                    readers.remove(printed)
        os.close(ended)
        if select.select([printed], [], [], 0)[0]:  # what stands in the pipe right now, at most its buffer
            self.log = (self.log + os.read(printed, 65536))[-LOG_TAIL:]

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.watcher.join()
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                pipe.close()
            cgroup.remove(getattr(self.process, "cgroup", None))
            self.process, self.loaded = None, False

    def flag(self, kind, evidence):
        if len(self.flags) < 20:
            self.flags.append({"kind": kind, "evidence": str(evidence)[:300]})

    # -- one exchange

    def send(self, data, deadline):
        data, fd = memoryview(data), self.process.stdin.fileno()
        while data:
            self.wait([], [fd], deadline)
            try:
                data = data[os.write(fd, data[: 2**16]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self.death() from None

    def read(self, n, deadline):
        data, fd = bytearray(), self.process.stdout.fileno()
        while len(data) < n:
            self.wait([fd], [], deadline)
            try:
                part = os.read(fd, min(n - len(data), 2**20))
            except BlockingIOError:
                continue
            if not part:
                raise self.death()
            data += part
        return bytes(data)

    def wait(self, readers, writers, deadline):
        left = deadline() - time.monotonic()
        if left <= 0 or not any(select.select(readers, writers, [], left)[:2]):
            raise Died("timeout", "it took too long and was stopped")

    def death(self):
        """Died, with how."""
        try:
            code = self.process.wait(2)
        except Exception:  # it closed its pipe but lives on
            code = PIPE_CLOSED
        if self.killed_for == "oom" or cgroup.ran_out(getattr(self.process, "cgroup", None)):
            return Died("oom", f"your code used more than {borders.MEMORY / 2**30:g} GiB of memory and was stopped")
        if code == PIPE_CLOSED:
            return Died("protocol", "your code closed the grader's pipe")
        if code < 0:  # the box itself, which no student's code can reach: what dies in it gives 128 + the signal
            self.infra = Infra(f"the sandbox was killed from outside (signal {-code})")
        name = SIGNALS.get(code - 128, f"signal {code - 128}") if code > 128 else f"exit status {code}"
        return Died("killed", f"the process died ({name})")

    def exchange(self, request, deadline, on_event=None):
        """The agent's reply to a request, decoded. Raises Died; after that the process is gone."""
        from course_lib.questions import wire

        call_id = secrets.token_bytes(16)
        try:
            payload = wire.encode(request)
            self.send(len(payload).to_bytes(8, "little") + call_id + payload, deadline)
            while True:
                size = int.from_bytes(self.read(8, deadline), "little")
                if size > MAX_FRAME:
                    raise Died("protocol", "your code sent a reply of an impossible size")
                if self.read(16, deadline) != call_id:
                    raise Died("protocol", "a reply came that nobody had asked for")
                self.spoke = True
                try:
                    reply = wire.decode(self.read(size, deadline))
                except ValueError as error:  # framed rightly, so the process may live on
                    self.flag("forged reply", f"it could not be read: {error}")
                    return {"status": "protocol", "message": f"the reply could not be read: {error}"}
                if type(reply) is dict and "at" in reply and on_event is not None:
                    on_event(reply["at"])
                    continue
                if type(reply) is not dict or "at" in reply:
                    raise Died("protocol", "the reply is not what the grader's agent sends")
                seconds = reply.get("seconds")
                self.inside += seconds if type(seconds) is float and 0 <= seconds < TOTAL else 0.0
                return reply
        except Died as died:
            if died.status == "protocol":
                self.flag("forged reply", died.message)
            self.stop()
            raise

    # -- the notebook and its functions

    def load_early(self):
        """Runs the cells beside what the caller does. The first try only: a sandbox dies with the thread it is of."""
        self.early = threading.Thread(target=self.try_cells, daemon=True)
        self.early.start()

    def load(self):
        """Runs the cells; after a death starts again without the cell that killed it."""
        if self.early is not None:
            self.early.join()
            self.early = None
        while not self.loaded and self.failure is None:
            if self.process is None:
                self.restarts += 1
                if self.restarts > RESTARTS or time.monotonic() - self.began > TOTAL:
                    self.unfinished = True
                    why = "not run: your code has stopped the grader's process too often or for too long"
                    raise Died("killed", why)
                self.start()
            self.try_cells()
        if self.failure is not None:
            raise self.failure

    def try_cells(self):
        """One run of the cells: sets loaded, or skip for the cell that stopped it, or failure.

        What is told of cells that stopped, and what they printed, is that of the first run to the end: later ones could
        know an input of a call. A cell that was stopped for its time is not run again.
        """
        clock = Clock(self.began + TOTAL, len(self.cells))
        cells, skip = [list(c) for c in self.cells], [list(s) for s in self.skip.items()]
        request = {"do": "cells", "cells": cells, "skip": skip, "seconds": CELL, "total": CELLS, "files": self.files}
        try:
            stopped = self.exchange(request, lambda: clock.deadline, clock.begins).get("stopped")
            if self.cell_log is None:
                stopped, numbers = stopped if type(stopped) is dict else {}, {str(number) for number, _ in self.cells}
                self.stopped = {number: str(why)[:400] for number, why in stopped.items() if number in numbers}
                self.cell_log = self.drained()
            self.loaded, self.skip = True, clock.slow | self.skip
        except Died as died:
            number = clock.cell
            if not self.spoke and died.status != "protocol":
                words = self.log[-300:].decode(errors="replace")
                self.failure = self.infra = Infra(f"the sandbox died before any cell ran ({died.message}): {words}")
            elif type(number) is not int or number in self.skip or number not in dict(self.cells):
                self.flag("forged reply", "the cells' progress makes no sense")
                self.failure = died
            else:
                self.skip[number] = f"{died.status}: {died.message}"
            self.skip = clock.slow | self.skip
        except Exception as error:  # ours: must not get lost in a thread
            self.failure = self.infra = Infra(f"{type(error).__name__}: {error}")

    def drained(self):
        """The log, once the watcher has taken what was printed so far; it needs a moment at most."""
        until, pipe = time.monotonic() + 1.0, self.process.stderr.fileno()
        while True:
            with self.reading:  # what has left the pipe is in the log
                if time.monotonic() >= until or not select.select([pipe], [], [], 0)[0]:
                    return self.log
            time.sleep(0.001)

    def call(self, name, args, kwargs, options, timeout):
        from course_lib.questions.invoke import CallFailed

        try:
            self.load()
            left = self.began + TOTAL - time.monotonic()
            if left <= 0:
                self.unfinished = True
                raise Died("timeout", "not run: the submission has used up its time")
            request = {"do": "call", "name": name, "args": list(args), "kwargs": dict(kwargs)}
            request |= {"options": options, "timeout": min(timeout, left)}
            deadline = time.monotonic() + min(timeout, left) + GRACE
            reply = self.exchange(request, lambda: deadline)
        except Died as died:
            raise CallFailed(died.status, died.message) from None
        status = reply.get("status")
        if reply.get("helped") is True:
            self.flag("forbidden function", f"{name}: while it ran, an earlier cell's thread called course_lib")
        if status == "ok" and type(reply.get("reply")) is dict and "value" in reply["reply"]:
            return reply["reply"]
        if status not in ANSWERS:
            self.flag("forged reply", "the reply is not what the grader's agent sends")
            raise CallFailed("protocol", "the reply is not what the grader's agent sends")
        hint, message = reply.get("hint"), str(reply.get("message"))[:500]
        if status == "missing" and self.stopped:
            first = "; ".join(f"{number}: {why}" for number, why in list(self.stopped.items())[:3])
            message += f"; cells that stopped: {first}"[:500]
        raise CallFailed(status, message, hint if type(hint) is str and len(hint) < 500 else None)
