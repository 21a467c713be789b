"""A store of grades that commit 1b170b5 made is read by today's course as it was read then.

store_1b170b5 was made with that commit's own commands (`course collect`, `course grade`, `course export`) and one mark:
lab 00 (a right notebook, one with a wrong answer, one file that is no notebook, one student who handed in nothing) and
lab 04 (one right, one wrong). Its secret is of this class only.
"""

import shutil
from pathlib import Path

import pytest

from course_lib import cli
from course_lib.grading.people import gradebook
from course_lib.grading.records import former as former_specs
from course_lib.grading.records import store
from course_lib.questions import core

FORMER = Path(__file__).with_name("store_1b170b5")
LABS = ("00_start_here", "04_lora_and_qlora")


@pytest.fixture
def former(tmp_path, monkeypatch):
    shutil.copytree(FORMER, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("lab", LABS)
def test_the_table_is_the_one_that_was_written_then(former, lab, capsys):
    assert cli.main(["export", lab]) == 0
    assert capsys.readouterr().out == Path(f"{lab}.csv").read_text()


def test_pages_figures_and_flags_are_made_of_it(former, capsys):
    assert cli.main(["feedback", LABS[0], "--text", "-o", "pages"]) == 0
    pages = [p.read_text() for p in sorted(Path("pages").glob("*.txt"))]
    assert len(pages) == 3 and sum("Well seen." in p for p in pages) == 1 and sum("math.log2" in p for p in pages) == 1
    capsys.readouterr()
    assert cli.main(["stats", LABS[1]]) == 0
    assert "2 graded; mean 86.1 %" in capsys.readouterr().out
    assert cli.main(["audit", LABS[1]]) == 0
    assert 'no cell calls check("lora_adapter")' in capsys.readouterr().out
    assert {row["status"] for row in gradebook.rows(LABS[0])} == {"graded", "ungradable", "not handed in"}


def test_nothing_of_it_is_graded_again_and_a_regrade_writes_todays_questions(former, box, capsys):
    before = sorted(Path("grades").rglob("*.json"))
    for lab in LABS:
        assert cli.main(["grade", lab, "-j", "1"]) == 0
    assert sorted(Path("grades").rglob("*.json")) == before
    assert cli.main(["regrade", LABS[0], "--only", "surprise", "--reason", "moved", "--yes", "-j", "1"]) == 0
    assert "nobody moves" in capsys.readouterr().out  # the same secret draws the same inputs
    fresh = {p.stem for p in Path("grades", LABS[0]).rglob("*.json")} - {p.stem for p in before}
    assert fresh == {store.spec_sha(LABS[0])}


def test_only_the_former_questions_of_the_same_lab_count(former):
    (folder,) = Path("grades", LABS[0], "ada").iterdir()
    (result,) = folder.glob("*.json")
    result.rename(folder / "0123456789abcdef.json")
    rows = {row["student"]: row for row in gradebook.rows(LABS[0])}
    assert rows["ada"]["status"] == "older questions" and rows["ada"]["final"] is None
    assert store.standing(LABS[0], "ben", rows["ben"]["sha"], "0123456789abcdef") is None


def test_the_former_questions_are_of_labs_that_exist():
    assert set(former_specs.SAME_QUESTIONS) <= set(core.labs())
    assert not set(former_specs.SAME_QUESTIONS.values()) & {store.spec_sha(lab) for lab in core.labs()}
