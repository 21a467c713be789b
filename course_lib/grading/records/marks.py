"""The marks that people give to written answers: lines of grades/LAB/marks.jsonl that are added and never changed."""

import math
from pathlib import Path

from course_lib.grading.records import store


def path_of(lab, grades=store.GRADES):
    return Path(grades, lab, "marks.jsonl")


def append(lab, mark, grades=store.GRADES):
    """Appends one mark and is on disk when it returns. Raises StoreError where nothing could be written.

    mark: {"student", "submission_sha", "question", "score" (None takes the mark back), "comment", "by", "at"}
    """
    try:
        store.append_line(path_of(lab, grades), mark)
    except store.StoreError as error:
        raise store.StoreError(f"the mark was not kept: {error}") from None


def read(lab, grades=store.GRADES):
    """{(student, submission_sha, question): the last mark}. Lines that were cut off are passed over; a mark that was
    taken back is not there.
    """
    found = {}
    for mark in store.read_lines(path_of(lab, grades)):
        try:
            key = (mark["student"], mark["submission_sha"], mark["question"])
            score = mark["score"]
            found.pop(key, None)
        except (TypeError, KeyError):
            continue
        if type(score) in (int, float) and math.isfinite(score) and score >= 0:
            found[key] = mark
    return found


def marked(result, given):
    """A copy of a result whose written questions carry their marks (never more than the question's points).

    given: as from `read`.
    """
    if result is None or not result["questions"]:
        return result
    questions = []
    for question in result["questions"]:
        mark = given.get((result["student"], result["submission_sha"], question["id"]))
        if mark is not None and question["status"] == "needs_review":
            score = min(float(mark["score"]), question["max"])
            question = question | {"score": score, "status": "marked", "message": mark.get("comment", ""), "mark": mark}
        questions.append(question)
    return {**result, "questions": questions}
