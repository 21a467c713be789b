"""Runs the cases: `course bench cases`, and test_cases.py case by case."""

import csv
import io
import re
import sys
import tempfile
from pathlib import Path

from course_lib.grading.intake import collect
from course_lib.grading.lms import worksheet
from course_lib.grading.people import gradebook
from course_lib.grading.records import store

sys.path[:0] = [
    p for p in (str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "questions")) if p not in sys.path
]


def run(case, place, spawn=None):
    """({"points", "lost_points", "wrong_rows"}, [what is not as it should be]) of a case, through collect, grade and
    export.
    """
    from bad.run import grade_folder

    place, said, wrong = Path(place), [], []
    if case.like:
        other = case._replace(files={"ada.ipynb": case.like}, like=b"", points={})
        case = case._replace(points=run(other, place / "like", spawn)[0]["points"])
    inbox = place / "inbox"
    inbox.mkdir(parents=True)
    for name, data in case.files.items():
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(data)
    if case.roster:
        (place / "roster.csv").write_bytes(case.roster.encode() if isinstance(case.roster, str) else case.roster)
    submitted, grades = place / "submissions", place / "grades"
    for names in case.paths or [[""]]:
        paths = [inbox / name for name in names]
        try:
            collect.collect(case.lab, paths, None, submitted, said.append, case.received, case.source)
        except store.StoreError as error:
            said.append(str(error))
    for student, _, folder, _ in gradebook.attempts_to_grade(case.lab, submitted):
        grade_folder(place, student, folder, case.lab, spawn)
    rows = gradebook.rows(case.lab, grades, submitted) if said else []
    points = {
        row["student"]: row["final"] for row in rows if row["status"] != "not handed in" and row["final"] is not None
    }
    for row in rows:
        result = row["result"] or {}
        said.append(str([row["status"], row["reason"], result]))
        if row["student"] in case.points and case.points[row["student"]] and result.get("flags"):
            wrong.append(f"flags: {[f['kind'] for f in result['flags']]}")
        for question in result.get("questions", []):
            expected, answer = case.written.get(question["id"]), question.get("answer")
            if expected and (not answer if expected is ... else answer != expected):
                wrong.append(f"{question['id']} is read as {answer!r}")
    if points != case.points:
        wrong.append(f"points: {points}, not {case.points}")
    wrong_rows = 0
    if case.into:
        changed, told = export(case, place, rows)
        said.append(told)
        wrong_rows = sum(changed[key] != case.into[2].get(key) for key in changed)
        if changed != case.into[2]:
            wrong.append(f"cells: {changed}, not {case.into[2]}; {told}")
    if not re.search(case.says, "\n".join(said)):
        wrong.append(f"nobody says {case.says!r}: {said}")
    lost = sum(max(0.0, most - (points.get(who) or 0.0)) for who, most in case.points.items())
    return {"points": points, "lost_points": lost, "wrong_rows": wrong_rows}, wrong


def export(case, place, rows):
    """({first cell of a row: what its cell has become}, what is said) of the instructor's own file."""
    kind, data, _, *scale = case.into
    path = place / "own export.csv"
    path.write_bytes(data)
    try:
        out, notes = worksheet.fill(path, case.lab, kind, rows, scale=scale[0] if scale else False)
    except store.StoreError as error:
        return {}, str(error)
    before, after = (list(csv.reader(io.StringIO(text.decode("utf-8-sig")))) for text in (data, out))
    changed = {}
    for was, now in zip(before, after, strict=True):
        for cell in [b for a, b in zip(was, now, strict=True) if a != b]:
            changed[was[0]] = cell
    return changed, "\n".join(notes)


def cases_report(cases=None, folder=None, say=None):
    """{"total", "as_expected", "lost_points", "wrong_rows", "rows"} of cases: by default all, and those of a folder of
    others' inputs.
    """
    from bad.report import sandboxes
    from cases import classes, notebooks
    from cases import folder as others

    if cases is None:
        cases = notebooks.CASES + classes.CASES + (others.cases_of(folder) if folder else [])
    told, lost, wrong_rows = [], 0.0, 0
    with sandboxes() as start:
        for case in cases:
            with tempfile.TemporaryDirectory(prefix="case-", ignore_cleanup_errors=True) as place:
                try:
                    seen, wrong = run(case, place, start)
                except Exception as error:  # ours: the case is not as expected
                    seen = {"lost_points": sum(filter(None, case.points.values())), "wrong_rows": 0}
                    wrong = [f"{type(error).__name__}: {error}"[:500]]
            lost += seen["lost_points"]
            wrong_rows += seen["wrong_rows"]
            told.append({"kind": case.kind, "label": case.label, "as_expected": not wrong, "complaints": wrong})
            if say:
                say(f"{'BAD' if wrong else 'ok '} {case.kind}: {case.label}" + "".join(f"; {w[:900]}" for w in wrong))
    fine = sum(row["as_expected"] for row in told)
    counts = {"total": len(told), "as_expected": fine, "lost_points": round(lost, 6), "wrong_rows": wrong_rows}
    return counts | {"rows": told}
