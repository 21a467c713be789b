"""`course review --suggest CMD`: the instructor's own program drafts a mark and a comment. It is asked about one answer
at a time and knows no name; what it says is shown as a draft, and only a person's key makes a mark of it.

    stdin   {"lab", "question", "text", "points", "levels": [{"points", "text"}], "answer"}
    stdout  {"points": 0.25, "comment": "…"}, or "level" (as the keys: 0 the lowest) in place of "points"
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from typing import Any

from course_lib.grading.records import store
from course_lib.grading.reports import page

SECONDS = 60
LONGEST = 65536  # bytes that are read of what it says


def command_of(text):
    """The words of --suggest. Raises StoreError where there is no such program."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise store.StoreError(f"--suggest {text}: {error}") from None
    if not words or not shutil.which(words[0]):
        raise store.StoreError(f"--suggest: there is no program {words[0] if words else text!r}: give its whole path")
    return words


def draft(command, lab, question, item, seconds=SECONDS):
    """{"points", "comment"} that the program drafts for an answer, or {"problem": one line}."""
    about = {key: question[key] for key in ("text", "points", "levels")}
    given = {"lab": lab, "question": question["id"], **about, "answer": item["answer"]}
    try:
        return read(answer_of(command, json.dumps(given).encode(), seconds), question)
    except ValueError as problem:
        return {"problem": page.visible(" ".join(str(problem).split()), 300)}


def answer_of(command, data, seconds):
    """The first LONGEST bytes of what the program says. ValueError where it fails or takes too long; then it is ended
    with all that it has started.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=errors, start_new_session=True
            )
        except OSError as error:
            raise ValueError(f"it cannot be started ({error.strerror})") from None
        try:
            process.communicate(data, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ValueError(f"it took longer than {seconds} s") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            errors.seek(0)
            last = errors.read(LONGEST).decode(errors="replace").strip().splitlines()[-1:]
            raise ValueError(f"it ended with status {process.returncode}: {''.join(last)}")
        out.seek(0)
        return out.read(LONGEST)


def read(said, question):
    """The draft in what the program said. ValueError, one line, where it is none."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        raise ValueError(f"it said no JSON: {said[:80].decode(errors='replace')!r}") from None
    found = found if type(found) is dict else {}
    steps = [level["points"] for level in reversed(question["levels"])]
    level, comment = found.get("level"), found.get("comment", "")
    points: Any = found.get("points")
    if points is None and type(level) is int and 0 <= level < len(steps):
        points = steps[level]
    if type(points) not in (int, float) or not 0 <= points <= question["points"]:
        raise ValueError(f"it needs points from 0 to {question['points']:g}, or a level from 0 to {len(steps) - 1}")
    if type(comment) is not str:
        raise ValueError("its comment is no text")
    return {"points": points, "comment": page.visible(comment, 3000)}
