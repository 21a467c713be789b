"""Exam mode: checks, mine(), submit() and the start page tell nobody what is right; handing in and grading go on."""

import json
import math

import nbformat
import pytest
from classroom import notebook, right_answers, sources

import course_lib
from course_lib.answers import lab00_start_here as course_answers
from course_lib.authoring import release
from course_lib.grading.records import policy, store
from course_lib.notebook import check, rehearsal
from course_lib.notebook import submit as submitting
from course_lib.platform import ROOT
from course_lib.questions import core
from course_lib.widgets import progress, start

LAB = "00_start_here"
RIGHT = {"surprise": lambda options: float(sum(map(math.log, options)))}
WRONG = {"surprise": lambda options: -1.0}


@pytest.fixture
def exam(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.chdir(tmp_path)
    course_lib.setup(LAB, exam=True)
    yield tmp_path
    check.use_lab(None)


def said(capsys, do):
    capsys.readouterr()
    value = do()
    return capsys.readouterr().out, value


def test_a_check_says_the_same_of_every_answer(exam, capsys):
    for namespace in (RIGHT, WRONG, {}):
        assert said(capsys, lambda: check.check("surprise", namespace)) == ("surprise: taken.\n", True)  # noqa: B023
    assert "Did you mean: surprise" in said(capsys, lambda: check.check("surprize", RIGHT))[0]


def test_no_answer_is_even_run(exam, monkeypatch):
    monkeypatch.setattr(core, "run", lambda *_: pytest.fail("it was judged"))
    assert check.check("surprise", RIGHT)
    assert check.mine("surprise", RIGHT) is course_answers.surprise


def test_mine_goes_on_with_the_courses_answer_whatever_the_students_is(exam, capsys):
    told = {said(capsys, lambda: check.mine("surprise", namespace)) for namespace in (RIGHT, WRONG, {})}  # noqa: B023
    assert told == {
        ("surprise: the course's version is used from here on, as for everybody in an exam.\n", course_answers.surprise)
    }


def test_the_start_page_counts_what_was_taken_and_no_points(exam):
    check.use_lab(LAB)
    check.check("surprise", RIGHT)  # practice, before the exam
    assert progress.state()[0]["passed"] == 1
    check.use_lab(LAB, exam=True)
    check.check("surprise", RIGHT), check.check("entropy", {})
    rows = progress.state()
    assert {key: rows[0][key] for key in ("passed", "score", "taken", "tried")} == {
        "passed": 0, "score": 0, "taken": 2, "tried": 2
    }  # fmt: skip
    plain = start.plain([], rows)
    assert "2 of  2 taken in an exam\n" in plain and "; 2 taken in an exam" in start.totals(rows)
    assert start.next_lab(rows).startswith("Next: lab 01")
    row = start.render([], rows).partition('<th scope="row"')[2].partition("</tr>")[0]
    assert "2 of 2 taken in an exam" in row and "0 of" not in row


def test_the_next_set_up_ends_it(exam, capsys):
    assert "exam: nothing is judged" in said(capsys, lambda: course_lib.setup(LAB, exam=True))[0]
    assert "exam" not in said(capsys, lambda: course_lib.setup(LAB))[0]
    assert not check.check("surprise", WRONG)


def test_nbgrader_still_gets_its_points(exam, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert check.check("surprise", RIGHT) == 0.75 and check.check("surprise", WRONG) == 0


def exam_cells(**answers):
    first, *rest = sources(right_answers(LAB) | answers, LAB, before=("import math",))
    return [first.replace("seed=0", "seed=0, exam=True"), *rest]


def test_submit_packs_and_tries_nothing(exam, monkeypatch, capsys):
    monkeypatch.setattr(submitting, "rehearse", lambda *_: pytest.fail("it was tried"))
    (exam / f"{LAB}.ipynb").write_text(notebook(exam_cells()))
    told, path = said(capsys, lambda: submitting.submit(namespace={}))
    assert path.exists() and "receipt  sha256" in told and "pass" not in told


def test_graded_it_is_judged_as_ever(exam):
    """By the runner that the grader's box has, with a cell that calls mine()."""
    wrong = "def surprise(options):\n    return -1.0"
    cells = [*exam_cells(surprise=wrong), "from course_lib.notebook.check import mine\nmine('entropy', globals())([1])"]
    told = rehearsal.rehearse(LAB, [(n, "code", source) for n, source in enumerate(cells)], {})
    assert len(told) == 1 and told[0].startswith("surprise: would not pass when graded")


@pytest.mark.parametrize("word, exam", [("yes", True), ("true", True), ("no", False), ("false", False)])
def test_course_yaml_says_which_lab_is_one(tmp_path, word, exam):
    (tmp_path / "course.yaml").write_text(f"labs:\n  {LAB}: {{exam: {word}}}\n")
    rules = policy.beside(tmp_path / "submissions")
    assert policy.of_lab(rules, LAB)["exam"] is exam and policy.of_lab(rules, "02_pretraining")["exam"] is False


def test_course_yaml_understands_no_third_word(tmp_path):
    (tmp_path / "course.yaml").write_text(f"labs:\n  {LAB}: {{exam: maybe}}\n")
    with pytest.raises(store.StoreError, match="exam: 'maybe' must be yes or no"):
        policy.beside(tmp_path / "submissions")


def test_a_released_exam_has_no_hints_and_is_otherwise_the_lab(tmp_path):
    path = tmp_path / f"{LAB}.ipynb"
    path.write_bytes((ROOT / "labs" / f"{LAB}.ipynb").read_bytes())
    before = nbformat.read(path, as_version=4)
    release.as_exam(path)
    after = nbformat.read(path, as_version=4)
    setup = next(cell for cell in after.cells if "course_lib.setup" in cell.source)
    assert setup.source.endswith(f'\ncourse = course_lib.setup("{LAB}", seed=0, exam=True)')
    assert "<details" in json.dumps(before) and "<details" not in json.dumps(after)
    changed = [old.id for old, new in zip(before.cells, after.cells, strict=True) if old != new]
    hinted = [cell.id for cell in before.cells if "<details" in cell.source]
    assert changed == [setup.id, *hinted] and len(hinted) == 2


def test_the_command_hands_out_an_exam(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(release, "build", lambda *_, **__: ([], []))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "course.yaml").write_text(f"labs:\n  {LAB}: {{exam: true}}\n")
    assert release.main([LAB, "-o", str(tmp_path / "out")]) == 0
    assert f"For an exam, without hints: {LAB}." in capsys.readouterr().out
    assert "exam=True" in (tmp_path / "out" / "labs" / f"{LAB}.ipynb").read_text()
