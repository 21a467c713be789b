"""What a page of `course review` may have kept: marks on answers, and a person's points for a hand-in that is
ungradable or flagged.

What counts is grades/LAB/marks.jsonl (records/marks.py) and adjustments.jsonl (people/adjust.py): a mark is on disk
before the next answer shows, an undo is one more line, and whoever starts again goes on from there.

A desk is what one reader has before him or her: {"by" (the name that an account has; None: the page says it), "items"
(those of queue.queue that are this reader's), "second" (ids of those that another one marks first), …}.
"""

import fcntl
import time
from contextlib import contextmanager, suppress

from course_lib.grading.people import adjust
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.reports.review.handed_in import FLAGGED, LOOK
from course_lib.grading.reports.review.queue import LONGEST
from course_lib.platform import counted


class Refused(Exception):
    """(status, one line): what is asked for cannot be done."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def standing(lab, desk, grades):
    """{item id: {"score", "comment", "by", "at"}} of the marks on disk, the latest last."""
    found = {}
    for second in (False, True):
        place = {
            (item["student"], item["sha"], item["question"]): name
            for name, item in desk["items"].items()
            if (name in desk["second"]) == second
        }
        given = marks.read(lab, grades, second).items() if place else ()
        found |= {place[key]: mark for key, mark in given if key in place}
    if desk["second"]:
        found = dict(sorted(found.items(), key=lambda each: each[1]["at"] if type(each[1].get("at")) is float else 0.0))
    return {name: {k: mark.get(k) for k in ("score", "comment", "by", "at")} for name, mark in found.items()}


def decided(lab, desk, grades):
    """{item id of a hand-in: {"open": is it ungradable and has no points yet?, "stands": {question or "": {"text",
    "points" (None where it is excused), "reason", "at"}}}} by the adjustments on disk.
    """
    given, found = adjustments.read(lab, grades)[0], {}
    for name, item in desk["items"].items():
        if item["question"] not in (LOOK, FLAGGED):
            continue
        most = {part["id"]: part["points"] for part in desk["parts"]}
        lines = {question: line for question, line in given.get(item["student"], {}).items() if question in most}
        stands = {question or "": told(line, most[question]) for question, line in lines.items()}
        points = any(each["points"] is not None for each in stands.values())
        done = None in lines or (points and most.keys() - lines.keys() == {None})
        found[name] = {"open": item["question"] == LOOK and not done, "stands": stands}
    return found


def told(line, most):
    """An adjustment that stands, for the page."""
    score = adjustments.points(line, most)
    what = "excused" if score is None else f"{score:g} of {counted(most, 'point')}"
    text = f"{line['question'] or 'the whole lab'}: {what}, by {line.get('by', '?')} ({line.get('reason', '')})"
    return {"text": text, "points": score, "reason": line.get("reason", ""), "at": line.get("at")}


@contextmanager
def locked(lab, grades):
    """Between reading the marks and adding one nobody else adds one, be it in this process or another."""
    path = marks.path_of(lab, grades).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")
    except OSError as error:
        raise store.StoreError(f"the mark was not kept: cannot write {path} ({error.strerror})") from None
    with file:
        # a file system without locks: two reviewers in the same tenth of a second is all that it costs
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append(lab, desk, name, score, comment, by, grades):
    item = desk["items"][name]
    mark = {
        "student": item["student"],
        "submission_sha": item["sha"],
        "question": item["question"],
        "score": score,
        "comment": comment.strip(),
        "by": by.strip(),
        "at": round(time.time(), 6),
    }
    marks.append(lab, mark, grades, name in desk["second"])


def item_of(desk, wish, lists=False):
    """The item that a page names. Refused where there is none, or it is a hand-in where an answer is meant."""
    item = desk["items"].get(wish.get("id")) if type(wish.get("id")) is str else None
    if item is None or (item["question"] in (LOOK, FLAGGED)) != lists:
        raise Refused(400, f"there is no such {'hand-in' if lists else 'answer'}")
    return item


def within(score, most):
    if type(score) not in (int, float) or not 0 <= score <= most:
        raise Refused(400, f"points are a number from 0 to {most:g}")


def words_of(desk, wish, what):
    """(the text `what` of a wish, who wishes it). Refused where it is endless or from nobody."""
    text, by = wish.get(what, ""), desk["by"] or wish.get("by")
    if type(text) is not str or len(text) > LONGEST // 5 or type(by) is not str or not by.strip() or len(by) > 80:
        raise Refused(400, f"a {what} has at most {LONGEST // 5} characters, and a mark needs the reviewer's name")
    return text, by


def put(lab, desk, wish, grades):
    """Appends the mark that a page asks for: {"id", "score" (None takes it back), "comment", "by", "seen" (the "at" of
    the mark it shows, or None)}.

    Raises Refused: 400 for a wish that makes no sense, 409 where somebody else has marked the answer since it was
    shown. Raises StoreError where the disk refuses.
    """
    item, score = item_of(desk, wish), wish.get("score")
    if score is not None:
        within(score, item["points"])
    comment, by = words_of(desk, wish, "comment")
    with locked(lab, grades):
        now = standing(lab, desk, grades).get(wish["id"])
        if (now or {}).get("at") != wish.get("seen"):
            done = "somebody else has marked this answer" if now else "this mark was taken back"
            raise Refused(409, f"{done} since you saw it")
        append(lab, desk, wish["id"], score, comment, by, grades)


def undo(lab, desk, wish, grades):
    """Takes back the last mark that stands of the reviewer `wish["by"]` (of `wish["id"]`, if it is named). Returns its
    item id. Raises Refused where there is none.
    """
    by = desk["by"] or wish.get("by")
    with locked(lab, grades):
        given = standing(lab, desk, grades)
        mine = [n for n, mark in given.items() if mark["by"] == by and wish.get("id") in (None, n)]
        if not mine:
            raise Refused(404, "there is nothing of yours to take back")
        append(lab, desk, mine[-1], None, "", by, grades)
        return mine[-1]


def decide(lab, desk, wish, grades, submitted):
    """Writes a person's points for a hand-in as `course adjust` does: {"id", "question" (None: the whole lab), "points"
    (None takes back what stands), "excused" (True: the student is, and "points" is None), "reason", "by", "seen" (the
    "at" of what stands, or None)}.

    Raises Refused, and StoreError where the disk refuses.
    """
    item, question, value = item_of(desk, wish, lists=True), wish.get("question"), wish.get("points")
    most = {part["id"]: part["points"] for part in desk["parts"]}
    if type(question) not in (str, type(None)) or question not in most:
        raise Refused(400, "there is no such question")
    excused = wish.get("excused", False)
    if type(excused) is not bool or (excused and value is not None):
        raise Refused(400, "either points are given or the student is excused")
    if value is not None:
        within(value, most[question])
    reason, by = words_of(desk, wish, "reason")
    reason = " ".join(reason.split())
    if (excused or value is not None) and not reason:
        raise Refused(400, "the reason is missing: the student and colleagues will ask why")
    about = {"by": by.strip(), "reason": reason or "taken back", "grades": grades, "submitted": submitted}
    with locked(lab, grades):
        stands = decided(lab, desk, grades)[wish["id"]]["stands"].get(question or "", {})
        if stands.get("at") != wish.get("seen"):
            raise Refused(409, "somebody else has decided this since you saw it")
        kind = "excused" if excused else "clear" if value is None else "points"
        adjust.adjust(lab, item["student"], question, kind=kind, value=value, **about)
