"""Submissions and results on disk: one folder a submission, one atomic file a result.
Nothing is kept in memory between jobs.

submissions/LAB/STUDENT/SUBMISSION_SHA/{notebook.ipynb, work/STAGE/…, meta.json}
grades/LAB/STUDENT/SUBMISSION_SHA/SPEC_SHA.json
"""

import contextlib
import functools
import hashlib
import hmac
import itertools
import json
import math
import os
import socket
import sys
import time
import uuid
from pathlib import Path

from course_lib.platform import PACKAGE, write_atomic

SCHEMA = 1
STATUSES = ("graded", "partial", "ungradable", "infra_error")
SUBMISSIONS, GRADES = Path("submissions"), Path("grades")


class StoreError(Exception):
    """One line for the instructor."""


def write_json(path, value):
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(path, text.encode("utf-8", "replace"))


def secret(grades=GRADES):
    """The seed of all hidden inputs: env COURSE_SECRET, else grades/.secret, made at first use for its owner only."""
    if os.environ.get("COURSE_SECRET"):
        return os.environ["COURSE_SECRET"].encode()
    path = Path(grades) / ".secret"
    value = made_once(path, lambda: os.urandom(32).hex().encode() + b"\n", grades).decode(errors="replace").strip()
    if len(value) < 32:
        raise StoreError(
            f"{path} is damaged: put back the copy you keep, or remove it and grade everything again (hidden inputs "
            "change)."
        )
    return value.encode()


def made_once(path, make, grades=GRADES):
    """The bytes at path; at first use those of make(), for their owner only. StoreError where they cannot be kept."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(make())
                file.flush(), os.fsync(file.fileno())
            os.link(fresh, path)  # the whole secret or none, and never over another one
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreError(not_writable(path, error, grades)) from None
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_bytes()


def not_writable(path, error, grades):
    return f"cannot write {path} ({error.strerror or error}): grades are kept in the folder {grades}, make it writable"


def seed_for(key, lab, submission_sha):
    """Hidden inputs are drawn from this: the same for a regrade, unknown to students, another for each submission."""
    return hmac.new(key, f"{lab}|{submission_sha}".encode(), hashlib.sha256).hexdigest()


def likeness_seed(key, lab):
    """Models are compared on what is drawn from this: one for a class."""
    return seed_for(key, lab, "likeness")


def spec_sha(lab):
    """What a grade depends on besides the submission: the lab's questions, the comparison, the scoring. 16 hex digits.

    Of `stages` those two files that the scoring of models calls.
    """
    shared = ("core", "compare", "invoke", "own_code", "ambient", "wire")
    files = [PACKAGE / "questions" / f"{name}.py" for name in (f"lab{lab}", *shared)]
    files += sorted((PACKAGE / "evaluation").glob("*.py"))
    files += [PACKAGE / "stages" / f"{name}.py" for name in ("perplexity", "respond")]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + (file.read_bytes() if file.exists() else b"") + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def code_sha():
    """16 hex digits of all the course's Python, as it was when first asked: equal on machines that grade one class."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(file.relative_to(PACKAGE)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def submission_sha(files):
    """16 hex digits for {name: bytes}."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode("utf-8", "replace") + files[name])
    return digest.hexdigest()[:16]


def read_meta(folder):
    """meta.json of a submission's folder: a dict with "received" and "notes" at least."""
    try:
        return {"received": 0, "notes": []} | json.loads(Path(folder, "meta.json").read_text())
    except (OSError, ValueError, TypeError, RecursionError):
        return {"received": 0, "notes": ["meta.json cannot be read"]}


def submissions(lab, root=SUBMISSIONS):
    """[(student, sha, folder, meta)] of a lab, by student, the oldest first; of one second, the one collected first."""
    folders = sorted(path.parent for path in Path(root, lab).glob("*/*/meta.json"))
    found = [(folder.parent.name, folder.name, folder, read_meta(folder)) for folder in folders]
    return sorted(found, key=lambda s: (s[0], *age(s[3])))


def age(meta):
    """What submissions are sorted by: the second in which they came in, then when they were collected."""
    received = meta.get("received") or 0
    return math.floor(received), meta.get("collected") or 0, received


def own(attempts):
    """Of a student's attempts those that he or she handed in: one that came from a mate of the group ("by") counts only
    where there are none.
    """
    return [a for a in attempts if not a[3].get("by")] or attempts


def latest(lab, root=SUBMISSIONS):
    """The last submission of each student."""
    return [own(list(attempts))[-1] for _, attempts in itertools.groupby(submissions(lab, root), lambda s: s[0])]


def result_path(lab, student, sha, spec, grades=GRADES):
    return Path(grades, lab, student, sha, f"{spec}.json")


def validate(result):
    """Raises StoreError if a result may not be written or believed."""

    def need(condition, what):
        if not condition:
            raise StoreError(f"not a valid result: {what}")

    need(type(result) is dict and result.get("schema") == SCHEMA, "schema")
    for key in ("lab", "student", "submission_sha", "spec_sha"):
        need(type(result.get(key)) is str and result[key], key)
    need(result.get("status") in STATUSES, "status")
    need(type(result.get("questions")) is list and all(type(q) is dict for q in result["questions"]), "questions")
    if result["status"] in ("ungradable", "infra_error"):
        need(not result["questions"] and result.get("reason"), "a result without a grade has a reason and no scores")
    ids = [q.get("id") for q in result["questions"]]
    for question in result["questions"]:
        name = question.get("id")
        need(type(name) is str and ids.count(name) == 1, f"question id {name!r}")
        score, most = question.get("score"), question.get("max")
        need(type(most) in (int, float) and 0 <= most < 1e9, f"{name}: max")
        cases = question.get("cases", [])
        need(type(question.get("status")) is str, f"{name}: status")
        need(type(cases) is list and all(type(case) is dict for case in cases), f"{name}: cases")
        if question.get("status") == "needs_review":
            need(score is None, f"{name}: a question to be read has no score yet")
            continue
        fair = type(score) in (int, float) and 0 <= score <= most + 1e-9  # no math: 10**400 is more than any float
        shown = "far too large" if type(score) is int and abs(score) > 10**9 else score
        need(fair, f"{name}: score {shown} of {most}")
    return result


def read_result(path):
    """The validated result at path, or None if there is none or it is damaged."""
    try:
        return validate(json.loads(Path(path).read_text()))
    except (OSError, ValueError, RecursionError, StoreError):
        return None


def result_of(lab, student, sha, spec, grades=GRADES):
    """The result of a submission under a spec: valid, and of this very submission and spec. None if there is none."""
    result = read_result(result_path(lab, student, sha, spec, grades))
    made_for = result and tuple(result[k] for k in ("lab", "student", "submission_sha", "spec_sha"))
    return result if made_for == (lab, student, sha, spec) else None


def write_private(path, data):
    """Writes bytes that only their owner may read: grades, a secret. StoreError where that fails."""
    try:
        write_atomic(path, data)
        Path(path).chmod(0o600)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None


def write_or_print(path, data):
    """As write_private; without a path to standard output."""
    if path:
        return write_private(path, data)
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def keep_result(path, result):
    """Writes a result, unless one with a grade is there: the first valid one wins. Returns the one that stands.

    Raises StoreError (not valid), OSError (not written).
    """
    there, result = read_result(path), validate(result)
    has_grade = there is not None and there["status"] != "infra_error"
    if has_grade and all(there[k] == result[k] for k in ("submission_sha", "spec_sha")):
        return there
    write_json(path, result)
    return result


@contextlib.contextmanager
def locked(lab, grades=GRADES):
    """One writer of a lab's results at a time. The lock goes with its process, also after kill -9.

    Raises StoreError if it is taken, or the store cannot be written.

    Without it nothing would be wrong (results are whole files, equal by their seed), only done twice; so a file system
    that knows no locks is no obstacle.
    """
    import fcntl  # not on Windows, where students import this module

    folder = Path(grades, ".jobs", lab)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # job files hold seeds
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(not_writable(folder, error, grades)) from None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "just started"
            raise StoreError(f"{lab} is being graded already ({holder}): wait for it, or stop it") from None
        except OSError:
            pass
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
            os.ftruncate(fd, 0)
            for left in Path(grades, lab).glob("*/*/.*.tmp"):  # of a process that was killed while it wrote
                if time.time() - left.stat().st_mtime > 3600:
                    left.unlink()
            now = time.strftime("%Y-%m-%d %H:%M")
            os.pwrite(fd, f"process {os.getpid()} on {socket.gethostname()}, since {now}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def totals(result):
    """(score, max, points still to be read) of a result; score None where there is no grade. A question that a person
    has excused the student from counts nowhere.
    """
    if result is None or result["status"] in ("ungradable", "infra_error"):
        return None, None, None
    scored = [q for q in result["questions"] if q["score"] is not None]
    pending = sum(q["max"] for q in result["questions"] if q["score"] is None and q["status"] != "excused")
    return round(sum(q["score"] for q in scored), 4), round(sum(q["max"] for q in scored), 4), round(pending, 4)


# ---- append-only files of JSON lines: marks, adjustments, regrades, replays


def append_line(path, value):
    """Appends one JSON line, on disk when it returns.

    Raises StoreError where nothing could be written; what was there stays.
    """
    path = Path(path)
    line = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":  # a kill or a full disk cut the last line: it stays, alone
                line = b"\n" + line
            if os.write(fd, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror or error})") from None


def read_lines(path):
    """The whole JSON lines of a file of `append_line`; those that were cut off are passed over."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in Path(path).read_bytes().splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                found.append(json.loads(line))
    return [value for value in found if type(value) is dict]
