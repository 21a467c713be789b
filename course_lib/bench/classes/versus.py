"""Seconds a submission: `course grade`, `nbgrader autograde` and `otter run` on the same answers to the same questions,
in one run, in turns.

What each does here. The class hands in lab 02 without its training cells, which our grader skips and the others cannot;
the answers of the solution, every fourth student has only half of them. Nobody hands in a model. All run on this
machine with one thread a process, at size tiny.

  course grade -j 2    two workers, each cell in the sandbox, every question on hidden inputs; from the command's start
                       to its end, divided by the class
  nbgrader autograde   one command for the class, as it has no -j; it runs the notebook, whose check() cells are its
                       tests. Its release is made before
  otter run            one command a submission, as it has no other without docker, so six of the class are enough;
                       the questions are run by its test files, and check() stands in the notebook no more

All three must give each student the same points, or there is no comparison.
"""

import csv
import importlib.util
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_lib.bench.classes import demo
from course_lib.grading.records import store
from course_lib.grading.sandbox import doctor
from course_lib.platform import CourseError, write_atomic

LAB = demo.LAB
OTTER = 6  # submissions
PACKAGES = {"nbgrader": "nbgrader", "otter": "otter-grader"}


def code(cell):
    return "".join(cell["source"])


def without(book, *starts):
    """A notebook less the code cells that begin so."""
    return book | {"cells": [c for c in book["cells"] if not (c["cell_type"] == "code" and code(c).startswith(starts))]}


def hand_ins(students):
    """{student: notebook} without training cells; each differs by a line."""
    solution, stub = (without(book, "# LONG") for book in demo.notebooks())
    half = demo.half_done(solution, stub)
    books = {}
    for i in range(students):
        book = json.loads(json.dumps(half if i % 4 == 3 else solution))
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        note = {"cell_type": "markdown", "id": f"student{i}", "metadata": {}, "source": f"handed in by student {i}"}
        books[f"student{i}"] = book | {"cells": [*book["cells"], note]}
    return books


def run(folder, *command):
    """Seconds of a command in a folder. CourseError with its last words where it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {k: v for k, v in os.environ.items() if k != "COURSE_SECRET"} | {
        "PATH": path,
        "PYTHONPATH": str(demo.ROOT),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "COURSE_SIZE": "tiny",
        "PYTHONWARNINGS": "ignore",
    }
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise CourseError(f"{command[0]} failed: {' '.join(done.stderr.split())[-300:]}")
    return time.perf_counter() - began


def ours(folder, books, turn, jobs):
    """Grades the class anew. (seconds, {student: points})."""
    place = folder / f"ours{turn}"
    for student, book in books.items():
        files = {"notebook.ipynb": json.dumps(book).encode()}
        target = place / "submissions" / LAB / student / store.submission_sha(files)
        write_atomic(target / "notebook.ipynb", files["notebook.ipynb"])
        store.write_json(target / "meta.json", {"student": student, "received": 1.0, "notes": []})
    seconds = run(place, "course_lib.cli", "grade", LAB, "-j", str(jobs))
    found = {}
    for student, sha, _, _ in store.latest(LAB, place / "submissions"):
        result = store.read_result(store.result_path(LAB, student, sha, store.spec_sha(LAB), place / "grades"))
        if result is None or result["status"] != "graded":
            raise CourseError(f"course grade: {(result or {}).get('reason', 'no result')}")
        found[student] = round(store.totals(result)[0], 4)
    return seconds, found


def nbgrader(folder, books):
    place = folder / "nbgrader"
    source = place / "source" / LAB / f"{LAB}.ipynb"
    store.write_json(source, without(demo.notebooks()[0], "# LONG"))
    for student, book in books.items():
        store.write_json(place / "submitted" / student / LAB / f"{LAB}.ipynb", book)
    run(place, "nbgrader", "generate_assignment", LAB)
    seconds = run(place, "nbgrader", "autograde", LAB)
    run(place, "nbgrader", "export")
    with open(place / "grades.csv", newline="") as file:
        return seconds, {row["student_id"]: round(float(row["raw_score"]), 4) for row in csv.DictReader(file)}


def otter(folder, books):
    from course_lib.questions import core

    place, seconds, found = folder / "otter", 0.0, {}
    for q in core.questions_of(LAB):
        if not isinstance(q, core.WrittenQuestion):
            write_atomic(place / "tests" / f"{q.id}.py", test_file(q).encode())
    run(place, "otter", "generate", "-t", "tests", "-o", "autograder.zip", "--no-requirements", "--no-environment")
    for student, book in books.items():
        store.write_json(place / student / f"{LAB}.ipynb", without(book, "check("))
        seconds += run(
            place, "otter", "run", f"{student}/{LAB}.ipynb", "-a", "autograder.zip", "-o", student, "--no-logo"
        )
        told = json.loads((place / student / "results.json").read_text())
        found[student] = round(sum(t.get("score") or 0 for t in told["tests"]), 4)
    return seconds, found


def test_file(question):
    """Otter's tests of a question. They know right and wrong only, so each score that the question can give is a test,
    which passes where that much is earned.
    """
    levels = scores_of(question)
    steps = zip([0.0, *levels], levels)
    tests = [TEST.format(i=i, points=level - below, level=level) for i, (below, level) in enumerate(steps)]
    return HEAD.format(id=question.id) + "".join(tests)


def scores_of(question):
    """All scores above 0 that a question can give, in order."""
    from course_lib.questions import core

    costs = [case.cost for case in question.cases[1:]] if isinstance(question, core.Question) else []
    subsets = itertools.product(*((1.0, 1.0 - cost) for cost in costs))
    return sorted({question.points * math.prod(parts) for parts in subsets} - {0.0})


HEAD = """OK_FORMAT = False
from otter.test_files import test_case
from course_lib.notebook import check as notebook
from course_lib.questions import core
name, points, scores = {id!r}, None, []

def earned(env):
    if not scores:
        question, _ = notebook.find({id!r})
        if isinstance(question, core.Question):
            scores.append(core.run(question, core.LocalCaller(env)).score)
        else:
            scores.append(question.points * bool(notebook.check({id!r}, env)))
    return scores[0]
"""
TEST = """
@test_case(points={points!r})
def test_{i}(env):
    assert earned(env) >= {level!r} - 1e-9
"""


def versus(students=24, jobs=2):
    """{"vs_nbgrader", "vs_otter" (how many times as long a submission takes them), "ours_s", "nbgrader_s", "otter_s" (s
    a submission), "ours_one_worker_s", "students", "jobs", "lab"}.

    Ours runs before, between and after the others, so that a machine that slows down slows all. CourseError, in one
    line, where one of them is not installed or they disagree.
    """
    if missing := [package for name, package in PACKAGES.items() if not importlib.util.find_spec(name)]:
        raise CourseError(
            f"{' and '.join(missing)} is not installed: .venv/bin/pip install -c constraints.txt {' '.join(missing)}"
        )
    doctor.require_sandbox()
    books = hand_ins(students)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        first, points = ours(folder, books, 1, jobs)
        nb_seconds, nb_points = nbgrader(folder, books)
        second, _ = ours(folder, books, 2, jobs)
        few = dict(list(books.items())[:OTTER])
        otter_seconds, otter_points = otter(folder, few)
        third, _ = ours(folder, books, 3, jobs)
        alone, _ = ours(folder, books, 4, 1)
    for name, theirs in (("nbgrader", nb_points), ("otter", otter_points)):
        if theirs != {student: points[student] for student in theirs} or not theirs:
            raise CourseError(f"{name} gives other points than we do, so this compares nothing: {theirs} and {points}")
    seconds = {
        "ours_s": (first + second + third) / 3 / students,
        "nbgrader_s": nb_seconds / students,
        "otter_s": otter_seconds / len(few),
        "ours_one_worker_s": alone / students,
    }
    ratios = {f"vs_{name}": round(seconds[f"{name}_s"] / seconds["ours_s"], 2) for name in ("nbgrader", "otter")}
    return ratios | {k: round(v, 3) for k, v in seconds.items()} | {"students": students, "jobs": jobs, "lab": LAB}
