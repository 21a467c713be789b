"""The printed rubric says what the grader does: the score of an answer is what its lines give."""

import math
import re

import pytest

from course_lib import cli
from course_lib.grading.records import store
from course_lib.grading.reports import printed
from course_lib.questions.core import LocalCaller, Question, questions_of, run

LAB = "00_start_here"


def test_its_costs_are_those_that_the_grader_takes():
    entropy = next(q for q in questions_of(LAB) if q.id == "entropy")
    result = run(entropy, LocalCaller({"entropy": lambda probs: -sum(p * math.log(p) for p in probs)}))
    lines = dict(printed.lines_of(entropy))
    failed = [case.name for case in result.cases if case.status != "pass"]
    assert failed and all(lines[name].startswith("costs half") for name in failed)
    assert result.score == entropy.points / 2 ** len(failed)


def test_every_lab_has_one(capsys):
    assert cli.main(["rubric", LAB]) == 0
    said = capsys.readouterr().out
    assert said.startswith("00_start_here: 2 points") and said.count(printed.CORE) == 2
    worth = sum(float(points) for points in re.findall(r"^\S.* \((\d+(?:\.\d+)?)\)$", said, re.M))
    assert worth == 2, "the questions' points are the lab's"
    assert sum(isinstance(q, Question) for q in questions_of(LAB)) == 2


def test_the_page_and_what_cannot_be(tmp_path, capsys):
    assert cli.main(["rubric", LAB, "--html", str(tmp_path / "r.html")]) == 0
    text = (tmp_path / "r.html").read_text()
    assert "costs half" in text and "<script" not in text
    with pytest.raises(store.StoreError, match="there is no lab"):
        printed.main(["00_start"])
