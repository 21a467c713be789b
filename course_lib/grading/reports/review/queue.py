"""What `course review` has to show and to keep: a lab's written answers in their blind order, and the marks on them.

What counts is grades/LAB/marks.jsonl (records/marks.py): a mark is on disk before the next answer shows, an undo is one
more line, and whoever starts again goes on from there.
"""

import fcntl
import hashlib
import hmac
import math
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from course_lib.grading.reading import room
from course_lib.grading.records import marks, store
from course_lib.grading.reports import page
from course_lib.grading.reports.rubric import levels
from course_lib.notebook import cells as notebooks
from course_lib.notebook.written import STUB
from course_lib.platform import ROOT

LOOK = "ungradable"  # the list of submissions to look at, beside the questions
LONGEST = 20_000  # characters of an answer, of a comment a fifth of it


def asked(lab, root=ROOT):
    """{id: text of the question}: what stands in the student notebook above each place for an answer. {} where there is
    no notebook.
    """
    try:
        cells = notebooks.read_cells(Path(root, "labs", f"{lab}.ipynb"))
    except notebooks.Ungradable:
        return {}
    found = {}
    for (_, kind, above), (_, _, below) in zip(cells, cells[1:]):
        place = re.match(r"\s*<!--\s*WRITTEN\s+(\w+)\s*-->", below)
        if place and kind == "markdown":
            question = re.split(r"\n\n(?=\**\d\.)", above)[-1]  # of a cell with more in it, what begins with its number
            found[place[1]] = re.sub(r"\*+|(?m:^#+ )", "", question)  # without the marks of Markdown
    return found


def item_id(key, lab, question, row):
    """An HMAC under the class's secret: it does not tell the student, and its order is another one for each question
    and the same at every start.
    """
    text = f"review|{lab}|{question}|{row['student']}|{row['sha']}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:20]


def queue(lab, rows, key, names=False):
    """{"questions": [{"id", "title", "text", "points", "levels", "order": [item ids]}], "items": {item id: {"question",
    "student", "sha", "points", "answer", "note", "who"}}}.

    rows: of page.graded_or_broken. Ordered by item id, which is as good as shuffled, but answers that say the same
    follow one another. names: show whose answer it is.
    """
    from course_lib.questions import core

    texts, questions, items = asked(lab), [], {}

    def add(question, row, points, answer, note):
        name = item_id(key, lab, question, row)
        items[name] = {
            "question": question,
            "student": row["student"],
            "sha": row["sha"],
            "points": points,
            "answer": page.visible(answer, LONGEST),
            "note": page.visible(note),
            "who": page.visible((row["name"] or row["student"]) if names else "", 200),
        }
        return name

    for question in core.questions_of(lab):
        if not isinstance(question, core.WrittenQuestion):
            continue
        order = []
        for row, answer, note in answers_to(question.id, rows):
            order.append(add(question.id, row, question.points, answer, note))
        questions.append(
            {
                "id": question.id,
                "title": question.title or question.id,
                "text": page.visible(texts.get(question.id, ""), LONGEST),
                "points": question.points,
                "levels": [{"points": p, "text": t} for p, t in levels(question.rubric, question.points)],
                "order": alike_together(sorted(order), items),
            }
        )
    broken = [row for row in rows if row["status"] == "ungradable" or (row["status"] == "by hand" and row["pending"])]
    order, starts = [], beginnings([row["folder"] for row in broken])
    for row in broken:
        why = f"{row['result']['reason']} (submission {row['sha']})"
        order.append(add(LOOK, row, 0, starts[row["folder"]], why))
    if order:
        questions.append(
            {
                "id": LOOK,
                "title": "Ungradable submissions, to look at",
                "text": "No grade was written for these. Decide what to do with each: ask for another hand-in, or "
                f"grade it by hand with course adjust {lab} STUDENT.",
                "points": 0,
                "levels": [],
                "order": sorted(order),
            }
        )
    return {"questions": questions, "items": items}


def alike_together(order, items):
    """The order, with each answer behind the first one that is like it; the notes of such answers say so."""
    groups = []  # [(the first one's words, [item ids])]
    for name in order:
        words = set(re.findall(r"\w+", items[name]["answer"].casefold()))
        found = next((ids for first, ids in groups if alike(words, first)), None)
        if found is None:
            groups.append((words, [name]))
        else:
            found.append(name)
    for _, ids in groups:
        for place, name in enumerate(ids if len(ids) > 1 else [], 1):
            note = f"{place} of {len(ids)} answers that say nearly the same"
            items[name]["note"] = "; ".join(filter(None, (items[name]["note"], note)))
    return [name for _, ids in groups for name in ids]


def alike(one, other):
    """Do two answers, given as sets of words, share nine tenths of all that either says?"""
    return len(one & other) >= 0.9 * len(one | other) > 0


def answers_to(question_id, rows):
    """[(row, text, note)] of the submissions that have an answer to be read to this question."""
    found = []
    for row in rows:
        for q in row["result"]["questions"] if row["result"] else []:
            if q["id"] == question_id and q["status"] in ("needs_review", "marked"):
                answer = q.get("answer", "")
                nothing = "nothing was written: 0 suggested" if answer in ("", STUB) else ""
                found.append((row, answer, q.get("note", nothing)))  # without a note: a result made before 0.2
    return found


def beginnings(folders):
    """{folder: what can be read of a notebook that cannot be graded}: its cells, else the first characters of the file.
    Read in the room, for these are the files that end what reads them.
    """
    found = {}
    for folder, text in room.each(cells_in, folders):
        found[folder] = text if type(text) is str else characters(Path(folder, "notebook.ipynb"))
    return found


def cells_in(folder):
    """A notebook's cells as one text, or None. For the room."""
    try:
        cells = notebooks.read_cells(Path(folder, "notebook.ipynb"))
    except notebooks.Ungradable:
        return None
    return "\n\n".join(f"[{number}] {source}" for number, _, source in cells)[:LONGEST]


def characters(path):
    try:
        with open(path, "rb") as file:
            return file.read(4000).decode("utf-8", "replace")
    except OSError as error:
        return f"(the file cannot be read: {error.strerror})"


# ---- marks -----------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """(status, one line): what is asked for cannot be done."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def standing(lab, items, grades):
    """{item id: {"score", "comment", "by", "at"}} of the marks on disk, the latest last."""
    place = {(item["student"], item["sha"], item["question"]): name for name, item in items.items()}
    given = {place[key]: mark for key, mark in marks.read(lab, grades).items() if key in place}
    return {name: {k: mark.get(k) for k in ("score", "comment", "by", "at")} for name, mark in given.items()}


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


def append(lab, item, score, comment, by, grades):
    mark = {
        "student": item["student"],
        "submission_sha": item["sha"],
        "question": item["question"],
        "score": score,
        "comment": comment.strip(),
        "by": by.strip(),
        "at": round(time.time(), 6),
    }
    marks.append(lab, mark, grades)


def put(lab, items, wish, grades):
    """Appends the mark that a page asks for: {"id", "score" (None takes it back), "comment", "by", "seen" (the "at" of
    the mark it shows, or None)}.

    Raises Refused: 400 for a wish that makes no sense, 409 where somebody else has marked the answer since it was
    shown. Raises StoreError where the disk refuses.
    """
    item = items.get(wish.get("id")) if type(wish.get("id")) is str else None
    score, comment, by = wish.get("score"), wish.get("comment", ""), wish.get("by")
    if item is None or item["question"] == LOOK:
        raise Refused(400, "there is no such answer")
    number = type(score) in (int, float) and math.isfinite(score)
    if score is not None and not (number and 0 <= score <= item["points"]):
        raise Refused(400, f"points are a number from 0 to {item['points']:g}")
    if type(comment) is not str or len(comment) > LONGEST // 5 or type(by) is not str or not by.strip() or len(by) > 80:
        raise Refused(400, f"a comment has at most {LONGEST // 5} characters, and a mark needs the reviewer's name")
    with locked(lab, grades):
        now = standing(lab, items, grades).get(wish["id"])
        if (now or {}).get("at") != wish.get("seen"):
            done = "somebody else has marked this answer" if now else "this mark was taken back"
            raise Refused(409, f"{done} since you saw it")
        append(lab, item, score, comment, by, grades)


def undo(lab, items, wish, grades):
    """Takes back the last mark that stands of the reviewer `wish["by"]` (of `wish["id"]`, if it is named). Returns its
    item id. Raises Refused where there is none.
    """
    with locked(lab, grades):
        given = standing(lab, items, grades)
        mine = [n for n, mark in given.items() if mark["by"] == wish.get("by") and wish.get("id") in (None, n)]
        if not mine:
            raise Refused(404, "there is nothing of yours to take back")
        append(lab, items[mine[-1]], None, "", wish["by"], grades)
        return mine[-1]
