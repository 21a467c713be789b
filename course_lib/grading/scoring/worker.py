"""A long-lived trusted process that grades job after job: torch is imported once, the sandbox's zygote boots once.

    python -m course_lib.grading.scoring.worker [--cold]

A line in: {"job": PATH, "out": PATH}; a line out: {"status": …} or {"spec": …} or {"disk": …}.

It ends when its standard input does, so it never outlives the grader that started it. `Worker` is the grader's end of
the pipes.
"""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from course_lib.grading.records import store
from course_lib.grading.sandbox import borders
from course_lib.platform import ROOT

JOBS = 100  # submissions, then a fresh process
MEMORY = 1.5 * 2**30  # bytes of a worker with its zygote, then a fresh process
IDLE = 300.0  # seconds without a job, then it ends


class Trouble(Exception):
    """The process died, hung or could not answer: the job is to be tried again."""


class DiskTrouble(store.StoreError):
    """A result could not be written: no use in going on."""


# ---- the process -----------------------------------------------------------------------------------------------------


def read_lines(fd, lines):
    """Puts each line into the queue. When the grader is gone this process ends at once, and the sandbox with it."""
    with os.fdopen(fd, "rb") as stream:
        for line in stream:
            lines.put(json.loads(line))
    os._exit(0)


def check_questions(lab):
    """Raises StoreError if a lab's questions are such that no result could be valid."""
    import math

    from course_lib.questions import core

    ids = [q.id for q in core.questions_of(lab)]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise store.StoreError(f"{', '.join(twice)} is there twice")
    for question in core.questions_of(lab):
        if not (isinstance(question.points, (int, float)) and math.isfinite(question.points) and question.points >= 0):
            raise store.StoreError(f"{question.id} has {question.points} points")


@contextlib.contextmanager
def sandboxes(cold):
    """The zygote that starts agents, or None (a new sandbox each time) where none can be had."""
    from course_lib.grading.sandbox.zygote import Zygote

    try:
        zygote = None if cold else Zygote()
        if zygote is not None:
            import torch  # noqa: F401  (it takes as long as the zygote's boot, and runs beside it)

            zygote.ready()
    except (OSError, borders.NoSandbox) as reason:  # slower, not wrong
        print(f"{reason}: every submission starts a sandbox of its own", file=sys.stderr, flush=True)
        zygote = None
    with zygote or contextlib.nullcontext():
        yield zygote


def warm(zygote):
    """The function that starts agents; None where each must start cold."""
    try:
        if zygote is None or not zygote.ready():
            return None
    except OSError as reason:
        print(f"{reason}: this submission starts a sandbox of its own", file=sys.stderr, flush=True)
        return None

    def spawn():
        try:
            return zygote.spawn()
        except OSError:  # it has died meanwhile: another, for this job
            return zygote.spawn()

    return spawn


def prepare(zygote):
    """Imports what grading needs, and computes nothing: submissions are judged in forks of this process.

    Returns the function of (job path, out path) that has one job graded.
    """
    import torch

    from course_lib.grading.reading import likeness, models  # noqa: F401  (for the forks)
    from course_lib.grading.scoring.grade_one import grade_one, judging

    torch.set_num_threads(1)
    loaded, reader = {}, None

    def grade(job_path, out):
        nonlocal reader
        lab = json.loads(Path(job_path).read_text())["lab"]
        if loaded.setdefault(lab, store.spec_sha(lab)) != store.spec_sha(lab):
            sys.exit("the questions have changed since this process has read them")
        check_questions(lab)
        if reader is not None and zygote and not zygote.runs():
            reader.close()
            reader = None
        reader = reader or judging(warm(zygote))
        result = grade_one(job_path, out, reader=reader)
        if zygote and result["status"] in ("ungradable", "infra_error"):
            zygote.close()  # and with it an agent whose judge has died
        return result

    return grade


def serve(cold=False, prepare=prepare):
    requests, replies = os.dup(0), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a scoring function prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the grader, which stops us
    lines = queue.SimpleQueue()
    threading.Thread(target=read_lines, args=(requests, lines), daemon=True).start()
    with sandboxes(cold) as zygote:
        grade = prepare(zygote)
        while True:
            try:
                request = lines.get(timeout=IDLE)
            except queue.Empty:
                return
            try:
                answer = {"status": grade(request["job"], request["out"])["status"]}
            except store.StoreError as error:
                answer = {"spec": str(error)}
            except OSError as error:
                answer = {"disk": f"cannot write {request['out']} ({error.strerror or error})"}
            replies.write(json.dumps(answer) + "\n")
            replies.flush()


# ---- the grader's end ------------------------------------------------------------------------------------------------


class Worker:
    """One such process, started when it is needed and replaced when it died, hung, or has grown."""

    program = (sys.executable, "-m", "course_lib.grading.scoring.worker")

    process: Any  # a subprocess.Popen with pipes; None while there is none

    def __init__(self, cold=False):
        self.cold, self.process, self.jobs, self.closed, self.held = cold, None, 0, False, 0

    def start(self):
        path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
        threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false"}
        env = os.environ | threads | {"PYTHONPATH": path}
        self.log, pipe = tempfile.TemporaryFile(), subprocess.PIPE
        line = [*self.program, *(["--cold"] if self.cold else [])]
        self.process = subprocess.Popen(line, env=env, stdin=pipe, stdout=pipe, stderr=self.log, bufsize=0)
        self.jobs = 0

    def stop(self):
        """Kills the process; the sandbox dies with it."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for end in (process.stdin, process.stdout, self.log):
                end.close()

    def close(self):
        """Stops for good, from any thread: whoever waits in `grade` gets Trouble and cleans up."""
        self.closed, process = True, self.process
        if process is not None:
            process.kill()

    def last_words(self):
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - 600))
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else ""

    def grade(self, job_path, out, seconds):
        """Has one job graded; its result is then at `out`.

        Raises Trouble (try again), DiskTrouble, or StoreError for questions that are at fault.
        """
        if self.process is not None:
            ended = self.process.poll() is not None
            if ended or self.jobs >= JOBS or self.held > MEMORY:
                self.stop()
        if self.closed:
            raise Trouble("stopped")
        if self.process is None:
            self.start()
        self.jobs += 1
        process, answer, deadline = self.process, b"", time.monotonic() + seconds
        try:
            process.stdin.write(json.dumps({"job": str(job_path), "out": str(out)}).encode() + b"\n")
            while not answer.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                    self.stop()
                    raise Trouble(f"no result within {seconds:g} s")
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    raise self.death()
                answer += part
        except OSError as error:  # its pipe broke
            self.stop()
            raise Trouble(f"the grading process died ({error})") from None
        answer = json.loads(answer)
        if "spec" in answer:
            raise store.StoreError(answer["spec"])
        if "disk" in answer:
            raise DiskTrouble(answer["disk"])
        self.held = self.resident()  # once a job: to add up the pages of four processes takes 0.03 s
        return answer

    def death(self):
        """A Trouble: how the process has ended, and its last words."""
        code, words = self.process.wait(), "" if self.closed else self.last_words()
        self.stop()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Trouble(f"the grading process died ({how}){words and ': '}{words}")

    def resident(self):
        """Bytes of memory of the process and all below it, pages that several share counted once."""
        return sum(map(proportional_bytes, borders.processes(self.process.pid))) if self.process is not None else 0


def proportional_bytes(pid):
    """A process's share of memory: its own pages, and of each shared page one part in so many."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


if __name__ == "__main__":
    serve(cold="--cold" in sys.argv[1:])
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(0)
