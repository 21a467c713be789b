"""The start page: progress on disk, the points it shows, and that it says the same in HTML and in plain words."""

import re

import pytest

from course_lib.notebook.check import check, use_lab
from course_lib.platform import OPTIONAL, CourseError
from course_lib.questions.core import CaseResult, QuestionResult
from course_lib.widgets import journal, lifecycle, progress, start


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return tmp_path


def result(question, score, of, status):
    return QuestionResult(question, score, of, status, [CaseResult("core", status)])


def test_the_labs_have_100_points_and_their_names():
    rows = [row for row in progress.state("/nowhere") if row["lab"] not in OPTIONAL]
    assert len(rows) == 12 and sum(row["points"] for row in rows) == 100
    assert [row["title"] for row in rows[:4]] == [
        "Start here",
        "Data and tokenizer",
        "Pre-training",
        "Supervised fine-tuning",
    ]
    assert all(
        row["score"] == row["passed"] == row["tried"] == 0 and 0 < row["written"] < row["points"] for row in rows
    )


def test_a_check_is_written_down_and_the_last_one_counts(work):
    use_lab("00_start_here")
    import math

    right = {"surprise": lambda options: float(sum(map(math.log, options)))}
    assert check("surprise", right)
    assert [
        (e["lab"], e["question"], e["status"], e["score"], e["of"]) for e in journal.read(work / "progress.jsonl")
    ] == [("00_start_here", "surprise", "pass", 0.75, 0.75)]
    assert (progress.state(work)[0]["score"], progress.state(work)[0]["passed"]) == (0.75, 1)
    assert not check("surprise", {"surprise": lambda options: 0.0})
    assert len(journal.read(work / "progress.jsonl")) == 2
    assert (progress.state(work)[0]["score"], progress.state(work)[0]["passed"], progress.state(work)[0]["tried"]) == (
        0,
        0,
        1,
    )


def test_a_torn_or_foreign_line_takes_nothing_away(work):
    progress.record(result("surprise", 0.75, 0.75, "pass"), "00_start_here")
    with open(work / "progress.jsonl", "ab") as file:
        file.write(b'{"lab": "00_start_here", "question": "entropy", "sta')
    progress.record(result("entropy", 0.25, 0.5, "fail"), "00_start_here")
    journal.append(
        work / "progress.jsonl", {"score": "many", "lab": "00_start_here", "question": "surprise", "status": "pass"}
    )
    journal.append(
        work / "progress.jsonl",
        {"lab": "00_start_here", "question": "of another course", "status": "pass", "score": 50},
    )
    row = progress.state(work)[0]
    assert (row["score"], row["passed"], row["tried"]) == (1.0, 1, 2)


def test_a_disk_that_refuses_stops_no_check(work, monkeypatch, capsys):
    def refuse(*_):
        raise CourseError("cannot write x (No space left on device), so this was not kept: free some space")

    monkeypatch.setattr(journal, "append", refuse)
    use_lab("00_start_here")
    assert not check("surprise", {"surprise": lambda options: 0.0})
    assert "your start page will not know of this check: cannot write x" in capsys.readouterr().out


def test_under_nbgrader_nothing_is_written_down(work, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    use_lab("00_start_here")
    check("surprise", {"surprise": lambda options: 0.0})
    assert not (work / "progress.jsonl").exists()


def test_page_and_words_say_the_same(work):
    progress.record(result("surprise", 0.75, 0.75, "pass"), "00_start_here")
    phases, labs = lifecycle.state(work), progress.state(work)
    for text in (start.render(phases, labs, "00"), start.plain(phases, labs, "00")):
        for words in (
            "1 of 106 checks passed, 0.75 of 100 points so far",
            "Next: lab 00, Start here",
            "Evaluation and release",
            "0.75 of 2",
            "released",
        ):
            assert words in text, words
    html = start.render(phases, labs, "00")
    assert 'role="img"' in html and 'scope="row"' in html and len(html) < 60_000
    assert not re.search(r"(?<!-)color:\s*(#000|black|#fff|white)\b", html)  # colours come from the page


def test_when_all_passes_the_page_says_what_is_left():
    labs = [{**row, "passed": row["checks"]} for row in progress.state("/nowhere")]
    assert "hand in" in start.next_lab(labs)


def test_an_optional_lab_stands_beside_the_100():
    labs = [{**row, "passed": row["checks"]} for row in progress.state("/nowhere") if row["lab"] not in OPTIONAL]
    alone = start.totals(labs)
    more = {"lab": OPTIONAL[0], "title": "More", "score": 2.5, "points": 10, "passed": 1, "checks": 9, "written": 1}
    labs.append({**more, "tried": 1, "taken": 0})
    assert start.totals(labs) == f"{alone}; lab 12 stands beside: 2.5 of 10 points"
    assert start.next_lab(labs) == "Next: lab 12, More (optional)"
    assert "lab 12  More (optional) " in start.plain(lifecycle.blank(), labs)
    assert ">More (optional)</td>" in start.render(lifecycle.blank(), labs)


def test_whom_one_talks_to(work):
    assert start.best() == "safe"
    (work / "release").mkdir()
    (work / "release" / "model.safetensors").write_bytes(b"x")
    assert start.best() == "release"


def test_without_a_front_end_the_page_is_words(work, capsys):
    assert start.page("00") is None
    said = capsys.readouterr().out
    assert "of 106 checks passed" in said and "the one that comes with the course" in said
    asked = re.findall(r"^» (.*)\n  (.+)$", said, re.M)
    assert [question for question, _ in asked] == start.examples() and len(asked) == 4
    refused = [answer.startswith(("No", "Sorry", "I will not", "I cannot", "That")) for _, answer in asked]
    assert refused == [False, False, True, False], asked
