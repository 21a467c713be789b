"""A graded class without a sandbox: submissions and result files as `course grade` leaves them, for what people see
afterwards.
"""

import types

import classroom

from course_lib.grading.people import term
from course_lib.grading.records import store

LAB = "00_start_here"


def term_desk(tmp_path, monkeypatch, rules, roster):
    """An instructor's folder with these files, in January 2027."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(term, "time", types.SimpleNamespace(time=lambda: 1.8e9))
    (tmp_path / "course.yaml").write_text(rules)
    (tmp_path / "roster.csv").write_text(roster)


def case(name, status="pass", message="", **more):
    return {
        "name": name,
        "status": status,
        "cost": 0.5,
        "message": message,
        "mistake": None,
        "hint": None,
        "reread": None,
        "seconds": 0.01,
    } | more


def question(name, cases):
    """A question of a quarter of a point for each of its cases; those behind the core cost half of what is left."""
    failed = [c for c in cases if c["status"] != "pass"]
    most = 0.25 * len(cases)
    score = 0.0 if cases[0] in failed else most * 0.5 ** len(failed)
    return {
        "id": name,
        "score": score,
        "max": most,
        "status": failed[0]["status"] if failed else "pass",
        "cases": cases,
        "message": "",
        "flags": [],
    }


def written(name, answer, points=0.25):
    note = "" if answer else "nothing was written: 0 suggested"
    return {
        "id": name,
        "score": None,
        "max": points,
        "status": "needs_review",
        "cases": [],
        "message": note,
        "answer": answer,
        "flags": [],
    }


def graded(root, student, questions=(), cells=(), lab=LAB, **more):
    """Files a submission of these code cells and its result. Returns (sha, result)."""
    folder = classroom.hand_in(
        root, student, classroom.notebook([f'course_lib.setup("{lab}")', f"# {student}", *cells]), lab=lab
    )
    result = {
        "schema": store.SCHEMA,
        "lab": lab,
        "student": student,
        "submission_sha": folder.name,
        "spec_sha": store.spec_sha(lab),
        "status": "graded",
        "seconds": 2.0,
        "questions": list(questions),
        "flags": [],
        "log_tail": "",
        "cells_stopped": {},
    } | more
    store.write_json(
        store.result_path(lab, student, folder.name, store.spec_sha(lab), root / "grades"), store.validate(result)
    )
    return folder.name, result
