"""One question graded anew: shown before it is written, the rest carried over, marks kept, a log of why. Workers
without torch and sandbox (quick.py).
"""

import json
import sys

import pytest
import quick

from course_lib.grading.people import gradebook
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.scoring import grade, regrade, worker
from course_lib.grading.scoring import jobs as scoring_jobs

pytestmark = pytest.mark.usefixtures("box")
OLD, NEW = "0" * 15 + "1", "0" * 15 + "2"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A class of three that was graded under OLD questions, one with a mark by hand; now the questions are NEW. Yields
    a function that regrades.
    """
    monkeypatch.setattr(worker.Worker, "program", (sys.executable, quick.__file__, "worker"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_SECRET", "of which nobody's points are drawn as 0, so that all three move")
    quick.hand_in(tmp_path, "fine", "fine", "fine")
    monkeypatch.setattr(store, "spec_sha", lambda lab: OLD)
    grade.grade(quick.LAB, 1, progress=False)
    for path in tmp_path.glob(f"grades/{quick.LAB}/*/*/{OLD}.json"):
        result = json.loads(path.read_text())
        result["questions"][0]["score"] = 0.0  # what the faulty question gave
        result["questions"].append(
            {"id": "written_1", "score": None, "max": 0.5, "status": "needs_review", "cases": [], "message": ""}
        )
        result["flags"] = [{"kind": "huge cell", "evidence": "kept"}]
        store.write_json(path, result)
    marks.append(
        quick.LAB,
        {
            "student": "s00",
            "submission_sha": result_of(tmp_path, "s00", OLD)["submission_sha"],
            "question": "written_1",
            "score": 0.5,
            "comment": "",
            "by": "me",
            "at": 1,
        },
    )
    monkeypatch.setattr(store, "spec_sha", lambda lab: NEW)
    return lambda agree, **options: regrade.regrade(
        quick.LAB, "surprise", "the tolerance was wrong", agree, 1, progress=False, **options
    )


def result_of(root, student, spec):
    (path,) = root.glob(f"grades/{quick.LAB}/{student}/*/{spec}.json")
    return json.loads(path.read_text())


def test_who_moves_is_shown_and_only_then_written(lab, tmp_path):
    before, asked = quick.results(tmp_path), []
    assert lab(lambda moves: asked.append(moves)) is None, "no is no"
    assert quick.results(tmp_path) == before and not (tmp_path / "grades" / quick.LAB / "regrades.jsonl").exists()
    assert [(m[0], m[1], m[3]) for m in asked[0]] == [("s00", 0.0, 1.0), ("s01", 0.0, 1.0), ("s02", 0.0, 1.0)] and all(
        m[2] > 0 for m in asked[0]
    )
    assert lab(lambda moves: True) == asked[0]
    for student, _, after, _ in asked[0]:
        old, new = result_of(tmp_path, student, OLD), result_of(tmp_path, student, NEW)
        assert [q["id"] for q in new["questions"]] == [q["id"] for q in old["questions"]] and new["questions"][0][
            "score"
        ] == after
        assert new["questions"][1:] == old["questions"][1:] and new["flags"] == old["flags"], "the rest is carried over"
        assert new["regraded"][0]["reason"] == "the tolerance was wrong" and (
            new["regraded"][0]["old_spec"],
            new["regraded"][0]["new_spec"],
        ) == (OLD, NEW)
    lines = store.read_lines(tmp_path / "grades" / quick.LAB / "regrades.jsonl")
    assert [(x["student"], x["before"], x["question"]) for x in lines] == [
        ("s00", 0.0, "surprise"),
        ("s01", 0.0, "surprise"),
        ("s02", 0.0, "surprise"),
    ]
    assert all(x["by"] and x["at"] > 1e9 and x["new_spec"] == NEW for x in lines)
    row = gradebook.rows(quick.LAB)[0]
    assert row["pending"] == 0 and row["score"] == pytest.approx(
        asked[0][0][2] + 0.5 + result_of(tmp_path, "s00", NEW)["questions"][1]["score"], abs=1e-3
    ), "the mark by hand stands"
    assert scoring_jobs.jobs_of(quick.LAB, tmp_path / "grades", tmp_path / "submissions") == [], (
        "nothing is left for course grade"
    )
    assert (
        lab(lambda moves: True) == [] and len(store.read_lines(tmp_path / "grades" / quick.LAB / "regrades.jsonl")) == 3
    ), "nobody moves twice"


def test_what_a_person_has_adjusted_stays_and_is_named(lab, tmp_path, capsys):
    line = {"kind": "points", "value": 0.5, "reason": "shown in class", "by": "me", "at": 1.0}
    adjustments.append(quick.LAB, line | {"student": "s01", "question": "surprise"})
    adjustments.append(quick.LAB, line | {"student": "s02", "question": None, "kind": "excused", "value": None})
    assert [m[0] for m in lab(lambda moves: True)] == ["s00"], "these two do not move"
    said = capsys.readouterr().err
    assert "s01 keeps a person's points in surprise (shown in class): what this regrade gives (0." in said
    assert f"`course adjust {quick.LAB} s01 --question surprise --clear --reason …`" in said
    assert "s02 is excused in the whole lab" in said
    rows = {row["student"]: row for row in gradebook.rows(quick.LAB)}
    assert rows["s01"]["result"]["questions"][0]["score"] == 0.5 and rows["s02"]["status"] == "excused"
    assert result_of(tmp_path, "s01", NEW)["questions"][0]["score"] != 0.5, "what was graded stands behind it"
    adjustments.append(quick.LAB, line | {"student": "s01", "question": "surprise", "kind": "clear", "value": None})
    fresh = result_of(tmp_path, "s01", NEW)["questions"][0]["score"]
    assert gradebook.rows(quick.LAB)[1]["result"]["questions"][0]["score"] == fresh


def test_killed_while_it_writes_it_goes_on(lab, tmp_path, monkeypatch):
    written, write = [], store.write_json

    def killed(path, value):
        if path.stem == NEW:
            if written:
                raise KeyboardInterrupt
            written.append(path)
        write(path, value)

    monkeypatch.setattr(regrade.store, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        lab(lambda moves: True)
    monkeypatch.setattr(regrade.store, "write_json", write)
    moves = lab(lambda moves: True)
    assert [m[0] for m in moves] == ["s01", "s02"], "the first one is written already"
    assert all(result_of(tmp_path, s, NEW)["questions"][0]["score"] > 0 for s in ("s00", "s01", "s02"))
    lines = store.read_lines(tmp_path / "grades" / quick.LAB / "regrades.jsonl")
    assert [line["student"] for line in lines] == ["s00", "s01", "s02"], "whose line was there before the kill has one"
    for line in lines:
        assert result_of(tmp_path, line["student"], NEW)["regraded"][0]["at"] == line["at"]


def test_a_faulty_spec_writes_nothing(lab, tmp_path):
    before = quick.results(tmp_path)
    for notebook in tmp_path.glob("submissions/*/s01/*/notebook.ipynb"):
        notebook.write_text("faulty,1")
    with pytest.raises(store.StoreError, match="the questions of 00_start_here are at fault .*score 9"):
        lab(lambda moves: True)
    assert quick.results(tmp_path) == before


def test_what_cannot_be_graded_is_left_alone_and_named(lab, tmp_path, capsys):
    for notebook in tmp_path.glob("submissions/*/s01/*/notebook.ipynb"):
        notebook.write_text("dies,1")
    assert [m[0] for m in lab(lambda moves: True)] == ["s00", "s02"]
    assert "s01 is left alone: the grading process failed 3 times" in capsys.readouterr().err
    assert not list(tmp_path.glob(f"grades/{quick.LAB}/s01/*/{NEW}.json"))


@pytest.mark.parametrize(
    "only, line",
    [
        ("no_such", "there is no question 'no_such' in 00_start_here; questions: surprise, entropy"),
        ("written_1", "read by people: change its marks with `course review"),
    ],
)
def test_questions_that_cannot_be_graded_anew(lab, only, line):
    with pytest.raises(store.StoreError, match=line):
        regrade.regrade(quick.LAB, only, "x", lambda moves: True, 1, progress=False)


def test_the_command_asks_for_yes_where_nobody_can_answer(lab, tmp_path, capsys):
    arguments = [quick.LAB, "--only", "surprise", "--reason", "the tolerance was wrong", "-j", "1"]
    before = quick.results(tmp_path)
    assert regrade.main(arguments) == 1 and quick.results(tmp_path) == before
    shown = capsys.readouterr()
    assert "surprise: 3 would move" in shown.out and "--yes writes it" in shown.err
    assert regrade.main([*arguments, "--yes"]) == 0 and "written; the reason stands in" in capsys.readouterr().out
    with pytest.raises(store.StoreError, match="--reason is empty"):
        regrade.main([quick.LAB, "--only", "surprise", "--reason", " "])


def test_nothing_graded_yet_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick.hand_in(tmp_path, "fine")
    with pytest.raises(store.StoreError, match="nothing of 00_start_here is graded yet: run `course grade"):
        regrade.regrade(quick.LAB, "surprise", "x", lambda moves: True)
