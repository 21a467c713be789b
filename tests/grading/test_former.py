"""A store of grades that an older version made, commit 1b170b5, is read by today's course: as graded with older
questions, until `course grade` grades its notebooks anew beside the old results.

store_1b170b5 was made with that commit's own commands (`course collect`, `course grade`) and one mark: lab 00 (a right
notebook, one with a wrong answer, one file that is no notebook, one student who handed in nothing) and lab 04 (one
right, one wrong). Its secret is of this class only.
"""

import shutil
from pathlib import Path

import pytest

from course_lib import cli
from course_lib.grading.people import gradebook
from course_lib.grading.records import store

FORMER = Path(__file__).with_name("store_1b170b5")
LABS = ("00_start_here", "04_lora_and_qlora")


@pytest.fixture
def former(tmp_path, monkeypatch):
    shutil.copytree(FORMER, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(lab=LABS[0]):
    return {row["student"]: row for row in gradebook.rows(lab)}


def test_it_is_shown_as_graded_with_older_questions(former, capsys):
    found = rows()
    assert {row["status"] for row in found.values()} == {"older questions", "not graded", "not handed in"}
    assert found["ada"]["final"] is None
    assert found["ada"]["reason"].startswith("graded with older questions (1.5 of 1.5): run course grade")
    assert cli.main(["export", LABS[0]]) == 0
    assert "older questions" in capsys.readouterr().out


def test_grading_anew_keeps_marks_and_old_results(former, box, capsys):
    before = {path: path.read_bytes() for path in Path("grades").rglob("*.json")}
    for lab in LABS:
        assert cli.main(["grade", lab, "-j", "1"]) == 0
    assert {path: path.read_bytes() for path in before} == before
    fresh = {path.stem for path in Path("grades").rglob("*.json")} - {path.stem for path in before}
    assert fresh == {store.spec_sha(lab) for lab in LABS}
    found = rows()
    assert (found["ada"]["score"], found["ada"]["max"]) == (1.75, 1.75), "1.5 and the mark"
    assert found["ben"]["score"] < 1.5 and found["cleo"]["status"] == "ungradable"
    assert cli.main(["feedback", LABS[0], "--text", "-o", "pages"]) == 0
    pages = [path.read_text() for path in Path("pages").glob("*.txt")]
    assert len(pages) == 3 and sum("Well seen." in page for page in pages) == 1
    assert all(row["status"] in ("graded", "not handed in") for row in rows(LABS[1]).values())
