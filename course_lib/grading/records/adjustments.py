"""What a person decides for one student, and the comments: lines of grades/LAB/adjustments.jsonl that are added and
never changed. An adjustment is the student's, not an attempt's: it stands until it is cleared, whatever is graded anew.
"""

from pathlib import Path

from course_lib.grading.records import store

KINDS = ("points", "percent", "excused", "clear", "comment")


def path_of(lab, grades=store.GRADES):
    return Path(grades, lab, "adjustments.jsonl")


def append(lab, line, grades=store.GRADES):
    """Appends one line and is on disk when it returns. Raises StoreError where nothing could be written.

    line: {"student", "question" (None: the whole lab), "kind" (of KINDS), "value" (points, percent of the maximum or a
    comment's text, "" takes it back; else None), "bonus" (may go above the maximum), "reason", "submission_sha" (of the
    attempt that counted, or None), "by", "at" (epoch s)}
    """
    try:
        store.append_line(path_of(lab, grades), line)
    except store.StoreError as error:
        raise store.StoreError(f"nothing was changed: {error}") from None


def history(lab, grades=store.GRADES):
    """All whole lines, the oldest first; those that were cut off or make no sense are passed over."""
    return [line for line in store.read_lines(path_of(lab, grades)) if sound(line)]


def sound(line):
    value, kind = line.get("value"), line.get("kind")
    if type(line.get("student")) is not str or type(line.get("question")) not in (str, type(None)) or kind not in KINDS:
        return False
    if kind == "comment":
        return type(value) is str
    return kind in ("excused", "clear") or (type(value) in (int, float) and 0 <= value < 1e9)


def read(lab, grades=store.GRADES):
    """({student: {question or None: the adjustment that stands}}, {student: {question or None: comment's text}})"""
    given, comments = {}, {}
    for line in history(lab, grades):
        comment = line["kind"] == "comment"
        place = (comments if comment else given).setdefault(line["student"], {})
        place.pop(line["question"], None)
        if comment and line["value"]:
            place[line["question"]] = line["value"]
        if line["kind"] not in ("comment", "clear"):
            place[line["question"]] = line
    return given, comments


def points(line, most):
    """The points that an adjustment gives of `most`, never more without its "bonus"; None where it excuses."""
    if line["kind"] == "excused":
        return None
    value = line["value"] if line["kind"] == "points" else most * line["value"] / 100
    return round(value if line.get("bonus") else min(value, most), 6)


def adjusted(result, given, comments):
    """A copy of a result, with its marks, whose questions have a person's points and comments. given, comments: of its
    student, as from `read`. An adjusted question has "adjusted": its line with "score" and "before"; one that is
    excused has no score, and `store.totals` leaves it out.
    """
    if result is None or not result["questions"] or not (given or comments):
        return result
    questions = []
    for question in result["questions"]:
        name, line = question["id"], given.get(question["id"])
        if line is not None:
            score = points(line, question["max"])
            told = line | {"score": score, "before": question["score"]}
            question = question | {"score": score, "status": "excused" if score is None else "adjusted"}
            question["adjusted"] = told
        questions.append(question | {"comment": comments[name]} if name in comments else question)
    return {**result, "questions": questions}


def by_hand(result, points_of, given):
    """A result for work that no machine could grade, where a person has given points to some of its questions: the
    others are still to be read. points_of: {question: its points}. The result as it is where there are none.
    """
    if not any(name in points_of and line["kind"] != "excused" for name, line in given.items()):
        return result
    blank = {"score": None, "status": "open", "cases": [], "message": "", "flags": []}
    return {
        **result,
        "status": "by hand",
        "questions": [{"id": name, "max": most, **blank} for name, most in points_of.items()],
    }


def words(line, sha=None):
    """An adjustment in effect (with "score" and "before") in one line. sha: of the attempt that counts now."""
    where = line["question"] or "the whole lab"
    if line["score"] is None:
        said = f"{where} is excused"
    else:
        before = "" if line["before"] is None else f", {line['before']:g} before"
        said = f"{where}: {line['score']:g} point{'' if line['score'] == 1 else 's'} by a person{before}"
    earlier = ", given for an earlier hand-in" if sha and line.get("submission_sha") not in (None, sha) else ""
    return f"{said}{earlier} ({line.get('reason', '')})"
