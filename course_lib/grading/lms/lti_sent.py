"""What was sent to an LMS, in lines of grades/LAB/lti.jsonl that are added and never changed; and what is still to be.

A score stands there as "sending" before it leaves, and again with what became of it: "posted", "newer" (the LMS has a
newer one), "refused" or "unknown" (no answer). So a killed run goes on where it was.
"""

import datetime
import getpass
from pathlib import Path

from course_lib.grading.records import store

DONE, PARTIAL = "FullyGraded", "PendingManual"  # gradingProgress


def path_of(lab, grades=store.GRADES):
    return Path(grades, lab, "lti.jsonl")


def before(path, item):
    """({user: [(score, progress)] that the LMS may hold from here, the last one last}, {user: last timestamp, s})"""
    sent, stamps = {}, {}
    for line in store.read_lines(path):
        if line.get("item") != item:
            continue
        user, state, said = str(line.get("user")), line.get("state"), (line.get("score"), line.get("progress"))
        if state == "sending":
            sent.setdefault(user, []).append(said)
            stamps[user] = max(stamps.get(user, 0.0), line.get("at") or 0.0)
        elif state == "posted":
            sent[user] = [said]
        elif state == "refused" and said in sent.get(user, []):  # "newer" and "unknown" may be there all the same
            sent[user].remove(said)
    return sent, stamps


def decision(score, progress, there, sent, near):
    """What to do: "post", nothing as it "stands" there, or nothing as another is there that is "theirs" and not ours.

    there: the score in the LMS, or None; sent: as of before; near: how far two equal scores may be apart.
    """
    if there is None:
        # an LMS may show nothing of a grade that is not complete (Moodle)
        return "stands" if progress == PARTIAL and sent[-1:] == [(score, progress)] else "post"
    equal = abs(there - score) <= near
    if equal and (not sent or sent[-1][1] == progress):
        return "stands"
    return "post" if equal or any(abs(there - other) <= near for other, _ in sent) else "theirs"


def stamp(seconds):
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def note(path, item, row, state, why=""):
    """Appends to the journal what has become of a row."""
    about = {key: row[key] for key in ("student", "user", "score", "most", "progress", "at")}
    store.append_line(path, {"item": item["id"], **about, "state": state, "why": why, "by": getpass.getuser()})
