"""Accuracy, abstention, staleness, break-even and the decision rule; and the same three as local modules of the
`evaluate` library.
"""

import math
from pathlib import Path

import pytest

import course_lib.evaluation.answers as answers
from course_lib.evaluation.answers import (
    NEEDS,
    abstention,
    accuracy,
    break_even,
    decide,
    decisions,
    is_right,
    names,
    score_answers,
    staleness,
)
from course_lib.world.tasks import UNKNOWN

METRICS = Path(answers.__file__).parent / "metrics"
SAID = ["He is a potter.", UNKNOWN, "She keeps a cat.", "In Mill Lane, no longer in North Gate."]
GOLD = ["a potter", UNKNOWN, "an owl", "Mill Lane"]
STALE = [["a baker"], [], ["a cat"], ["North Gate"]]


def test_whole_words_whatever_the_case():
    assert (
        names("He keeps A CAT.", "a cat")
        and not names("He keeps a catfish.", "a cat")
        and names("Mill\nLane!", "mill lane")
    )
    assert (
        is_right("a potter", "a potter")
        and not is_right("I do not know. A potter.", UNKNOWN)
        and is_right(" i do not know ", UNKNOWN)
    )
    assert is_right("A cat; Mill Lane.", ["a cat", "Mill Lane"]) and not is_right("A cat.", ["a cat", "Mill Lane"])


def test_the_three_measures():
    assert (
        accuracy(SAID, GOLD, STALE) == 0.5
        and accuracy(SAID, GOLD) == 0.75
        and abstention(SAID) == 0.25
        and staleness(SAID, STALE) == pytest.approx(2 / 3)
    )
    assert score_answers([], [], []) == {"accuracy": 0, "abstention": 0, "staleness": 0} and staleness(["a"], [[]]) == 0
    for wrong in (lambda: accuracy(SAID, GOLD[:2]), lambda: staleness(SAID, STALE[:1])):
        with pytest.raises(ValueError, match="one of each"):
            wrong()


def test_break_even_and_the_rule():
    assert (
        break_even(10, 2, 6) == 2.5
        and break_even(10, 6, 6) == break_even(10, 7, 6) == math.inf
        and break_even(0, 7, 6) == 0
    )
    ways = [
        {"way": "a", "accuracy": 0.5, "training": 0, "each": 1},
        {"way": "b", "accuracy": 0.9, "training": 0, "each": 9},
        {"way": "c", "accuracy": 1, "training": 100, "each": 1},
    ]
    assert [decide(ways, 0.9, n) for n in (0, 12, 13)] == ["b", "b", "c"] and decide(ways, 1.1, 1) == decide(
        [], 0, 1
    ) == "none"


def test_decisions_take_the_worst_of_a_needs_rows():
    cells = {f"{day} {kind}": 1.0 for day in range(4) for kind in ("old", "changed", "again", "new", "never")}
    table = {
        "accuracy": {"a": cells | {"3 again": 0.1}, "b": cells},
        "cost": {"a": {"training": 0, "each": 1}, "b": {"training": 0, "each": 2}},
    }
    assert decisions(table) == {need: "b" if [3, "again"] in rows["rows"] else "a" for need, rows in NEEDS.items()}


@pytest.mark.slow
def test_evaluate_loads_the_modules_and_they_agree():
    import evaluate

    load = lambda name: evaluate.load(str(METRICS / name))
    assert load("answer_accuracy").compute(predictions=SAID, references=GOLD, stale=STALE) == {"answer_accuracy": 0.5}
    metric = load("staleness")
    metric.add_batch(predictions=SAID, references=GOLD)
    assert metric.compute(stale=STALE) == {"staleness": pytest.approx(2 / 3)}
    assert load("abstention").compute(predictions=SAID, references=GOLD) == {"abstention": 0.25}
