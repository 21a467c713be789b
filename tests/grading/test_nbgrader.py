"""A released lab in the hands of somebody who uses nbgrader: its own commands make the release and grade it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.questions import core

ROOT = Path(__file__).parents[2]
LAB = "00_start_here"
needs_nbgrader = pytest.mark.skipif(
    not importlib.util.find_spec("nbgrader"),
    reason="nbgrader is not installed: pip install -c constraints.txt nbgrader",
)


def cells(path):
    return json.loads(Path(path).read_text())["cells"]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An nbgrader course: its source is our solution, which ada hands in; ben hands in our released lab as it is."""
    course = tmp_path_factory.mktemp("nbgrader")
    solution, released = ROOT / "solutions" / f"{LAB}.ipynb", ROOT / "labs" / f"{LAB}.ipynb"
    (course / "source" / LAB).mkdir(parents=True)
    shutil.copy(solution, course / "source" / LAB)
    for student, notebook in (("ada", solution), ("ben", released)):
        folder = course / "submitted" / student / LAB
        folder.mkdir(parents=True)
        shutil.copy(notebook, folder / f"{LAB}.ipynb")
    return course


def nbgrader(course, *arguments):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic by name
    environment = os.environ | {
        "PATH": path,
        "COURSE_SIZE": "tiny",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "JUPYTER_DATA_DIR": str(course / ".jupyter"),
        "IPYTHONDIR": str(course / ".ipython"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@needs_nbgrader
def test_nbgrader_grades_a_released_lab(course):
    nbgrader(course, "generate_assignment", LAB)
    # nbgrader's own removal of the solutions gives our released text, cell by cell
    theirs, ours = cells(course / "release" / LAB / f"{LAB}.ipynb"), cells(ROOT / "labs" / f"{LAB}.ipynb")
    text = lambda cell: "".join(cell["source"]).rstrip().replace("/solutions/", "/labs/")  # noqa: E731  (the badge's address)
    assert [text(c) for c in theirs] == [text(c) for c in ours]
    nbgrader(course, "autograde", LAB)
    from nbgrader.api import Gradebook

    points = {q.id: q.points for q in core.questions_of(LAB)}
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        given = {
            s: {
                g.name: (g.auto_score, g.max_score, g.needs_manual_grade)
                for g in book.find_submission_notebook(LAB, LAB, s).grades
            }
            for s in ("ada", "ben")
        }
    for name in ("surprise", "entropy"):
        assert given["ada"][f"check_{name}"][:2] == (points[name], points[name]) and given["ben"][f"check_{name}"][
            :2
        ] == (0.0, points[name])
    assert all(
        given["ada"][name][1:] == (points[name], True) for name in ("written_1", "written_2")
    )  # they go to a person


def test_check_shows_its_points_only_to_nbgrader(monkeypatch, capsys):
    from course_lib.notebook import check as notebook

    right = {"entropy": lambda probs: -sum(p * __import__("math").log(p) for p in probs if p)}
    notebook.use_lab(LAB)
    assert isinstance(notebook.check("entropy", right), notebook.Verdict)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert [
        notebook.check("entropy", right),
        notebook.check("entropy", {}),
        notebook.check("no such question", {}),
    ] == [0.75, 0.0, 0.0]
    assert capsys.readouterr().err == ""  # nbgrader takes a line on stderr for a failure


@pytest.mark.parametrize("lab", core.labs())
def test_released_labs_have_nbgraders_metadata(lab):
    """Schema 3: checks are graded and locked, exercises are solutions, written answers both; points are the questions'
    own.
    """
    points, seen = {q.id: q.points for q in core.questions_of(lab)}, {}
    for cell in cells(ROOT / "labs" / f"{lab}.ipynb"):
        if (meta := cell["metadata"].get("nbgrader")) is None:
            continue
        assert meta["schema_version"] == 3 and not meta["task"] and meta["grade_id"] not in seen
        seen[meta["grade_id"]] = meta
        kind = (meta["grade"], meta["solution"], meta["locked"], cell["cell_type"])
        assert kind in {(True, False, True, "code"), (False, True, False, "code"), (True, True, False, "markdown")}
        assert meta["grade"] == ("points" in meta)
    assert {name.removeprefix("check_"): meta["points"] for name, meta in seen.items() if meta["grade"]} == points
