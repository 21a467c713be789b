"""The marks that people give to written answers: lines of grades/LAB/marks.jsonl that are added and never changed.

Those that a second reader gives to the same answers stand in second_marks.jsonl: they tell how well readers agree, and
no grade is made of them.
"""

from pathlib import Path

from course_lib.grading.records import store


def path_of(lab, grades=store.GRADES, second=False):
    return Path(grades, lab, "second_marks.jsonl" if second else "marks.jsonl")


def append(lab, mark, grades=store.GRADES, second=False):
    """Appends one mark and is on disk when it returns. Raises StoreError where nothing could be written.

    mark: {"student", "submission_sha", "question", "score" (None takes the mark back), "comment", "by", "at"}
    """
    try:
        store.append_line(path_of(lab, grades, second), mark)
    except store.StoreError as error:
        raise store.StoreError(f"the mark was not kept: {error}") from None


def history(lab, grades=store.GRADES, second=False):
    """[((student, submission_sha, question), mark, does it give points?)] of all lines, the oldest first; those that
    were cut off are passed over.
    """
    found = []
    for mark in store.read_lines(path_of(lab, grades, second)):
        key, score = tuple(mark.get(name) for name in ("student", "submission_sha", "question")), mark.get("score")
        if all(type(part) is str for part in key) and "score" in mark:
            found.append((key, mark, type(score) in (int, float) and 0 <= score < 1e9))
    return found


def read(lab, grades=store.GRADES, second=False):
    """{(student, submission_sha, question): the last mark}; one that was taken back is not there."""
    found = {}
    for key, mark, gives in history(lab, grades, second):
        found.pop(key, None)
        if gives:
            found[key] = mark
    return found


def by_reader(lab, grades=store.GRADES, second=False):
    """{(student, submission_sha, question): {who: the last score he or she gave}}, in the order of their first."""
    found = {}
    for key, mark, gives in history(lab, grades, second):
        given = found.setdefault(key, {})
        if gives:
            given[str(mark.get("by"))] = float(mark["score"])
        else:
            given.pop(str(mark.get("by")), None)
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
