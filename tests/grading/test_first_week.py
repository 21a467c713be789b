"""docs/first-week.md says what is so: its settings are those that are read, its excerpts are files that are taken."""

import re
from pathlib import Path

import pytest

from course_lib.grading.lms import worksheet
from course_lib.grading.people import roster
from course_lib.grading.records import policy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-week.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.M | re.S)
LAB = "00_start_here"


def block(word):
    return next(text for text in BLOCKS if text.startswith(word))


def rows(path):
    """What the grader knows of the roster's students: Ada has 1.5 of 2."""
    return [
        dict.fromkeys(("adjusted", "comments"), {})
        | {"student": s["student"], "name": s["name"], "email": s["email"], "ids": s["ids"], "status": "graded"}
        | {"final": 1.5, "out_of": 2.0, "pending": 0.0, "reason": "", "members": []}
        for s in roster.read(path)
    ]


def test_every_setting_stands_in_the_table_once_and_no_other():
    listed = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", PAGE, re.M)
    top = {*policy.DEFAULTS, *policy.TERM, "labs", "extensions", "lti"}
    lab = {*policy.DEFAULTS, *policy.LAB, *policy.NOBODY}
    assert len(listed) == len(dict(listed)) and set(dict(listed)) == top | lab
    for name, where in listed:
        assert where == ", ".join([*["top"] * (name in top), *["lab"] * (name in lab)]), name


def test_its_defaults_are_those_of_the_code():
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.M))
    shown = {None: "none", False: "`no`", True: "`yes`", "": "none"}
    for name, value in (policy.DEFAULTS | policy.TERM | policy.LAB).items():
        said = (
            shown[value]
            if value in (None, "") or type(value) is bool
            else f"{value:g}"
            if name != "counts"
            else f"`{value}`"
        )
        assert told[name] in (said, {"max_days": "no end", "points": "its own"}.get(name)), name


def test_its_class_lists_are_taken_and_their_files_filled(tmp_path):
    canvas, moodle = tmp_path / "canvas.csv", tmp_path / "roster.csv"
    canvas.write_text(block("Student,ID"))
    moodle.write_text(block("student,name"))
    assert [s["ids"]["canvas_id"] for s in roster.read(canvas)] == ["101", "102"]
    assert [s["student"] for s in roster.read(moodle)] == ["ada", "ben"]
    filled, _ = worksheet.fill(canvas, LAB, "canvas", rows(canvas))
    assert block('"Lovelace, Ada"').strip() in filled.decode().splitlines()
    sheet, line = tmp_path / "grading.csv", block("Identifier").splitlines()
    sheet.write_text("\n".join([line[0], line[1].replace(",1.50,", ",,"), ""]))
    given, _ = worksheet.fill(sheet, LAB, "moodle", rows(moodle)[:1])
    assert re.search(r'"Submitted for grading",1\.50?,2\.00,Yes', given.decode())


@pytest.mark.parametrize("page", ["INSTRUCTORS.md", "docs/colab.md", "docs/first-week.md"])
def test_solutions_live_in_a_private_fork_and_the_release_is_public(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "course release" in text and "private" in text and "public" in text
