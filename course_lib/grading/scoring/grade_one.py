"""The unit of work, `course grade-one JOB OUT`: a job file in, one atomic result file out; done again it does nothing.

Whatever touches the submission is done in a child (judge.py, in the room of reading/): this process only imports,
waits and writes, and a submission that ends the child has ended with a verdict.
"""

import argparse
import contextlib
import gc
import json
import socket
import sys
import time
import unicodedata
from pathlib import Path

from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.grading.scoring import judge

# far beyond what the parts of judge.py may take together; a sandbox has limits of its own
LIMITS = room.Limits(cpu=120, wall=540, memory=4 * 2**30, file=None)


def judging(spawn=None):
    """The Room in which submissions are judged. spawn: starts a warm sandbox (worker.py); default cold."""
    return room.Room(lambda job: judge.judged(job, spawn), LIMITS)


def grade_one(job_path, out_path, spawn=None, reader=None):
    """Grades the submission that the job file names and writes the result to out_path. Returns the result.

    spawn: as of judging. reader: a Room of judging() that is kept from submission to submission; default: one for this
    submission. It gets a new child after a submission that was not simply graded, without a flag. A result that is
    there and validates is left alone. What fails of our own becomes status infra_error, never a score.
    """
    if reader is None:
        with contextlib.closing(judging(spawn)) as reader:
            return grade_one(job_path, out_path, reader=reader)
    started = time.time()
    job = json.loads(Path(job_path).read_text())
    done = store.read_result(out_path)
    if done is not None and done["status"] != "infra_error" and done["spec_sha"] == job["spec_sha"]:
        return done
    result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")}
    result |= {"schema": store.SCHEMA, "seed": job["seed"][:12] + "…", "host": socket.gethostname()}
    result |= {"attempt": job.get("attempt", 1), "started": round(started, 3)}
    result |= {"questions": [], "flags": [], "log_tail": ""}
    from course_lib.grading.sandbox.borders import NoSandbox
    from course_lib.grading.sandbox.start import tier

    try:
        result["tier"] = job.get("tier") or tier()  # a job that brings its own border says which
        if store.spec_sha(job["lab"]) != job["spec_sha"]:
            raise NoSandbox("this machine's course_lib differs from the one that made the job: update it")
        told = reader.read(job)
        failed = isinstance(told, room.Unreadable)
        result |= {"status": "ungradable", "reason": f"it could not be judged: {told}"} if failed else told
    except (NoSandbox, OSError) as reason:
        result |= {"status": "infra_error", "reason": str(reason)}
    if result["status"] != "graded" or result["flags"]:
        reader.close()
    result["seconds"] = round(time.time() - started, 3)
    return store.keep_result(out_path, clean(result))


def shown(c):
    return c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}"


def kept(c):
    """Of a written answer all but controls and lone surrogates: pages show harmlessly what could deceive."""
    return c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else "\N{REPLACEMENT CHARACTER}"


def clean(value, allowed=shown):
    """Without lone surrogates and control characters, which a student's text may carry into JSON, CSV and terminals."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(allowed, value))
    if isinstance(value, dict):
        return {clean(k): clean(v, kept if k == "answer" else shown) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    return value


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course grade-one", description=__doc__)
    parser.add_argument("job", help="job file, as `course grade` writes them")
    parser.add_argument("out", help="result file")
    arguments = parser.parse_args(argv)
    # importing torch makes half a million objects that stay: to look for garbage among them every 700 costs 0.2 s
    gc.set_threshold(100_000)
    result = grade_one(arguments.job, arguments.out)
    if result["status"] == "infra_error":
        print(result["reason"], file=sys.stderr)
        return 3
    return 0
