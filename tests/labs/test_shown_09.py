"""What lab 09 shows is what was measured."""

import math

import pytest
import torch

from course_lib.shown import lab09_ai_feedback as lab
from course_lib.shown import lab09_judge as judging
from course_lib.stages import rollout
from course_lib.stages.artifacts import load_stage
from course_lib.world import critic
from course_lib.world.harms import SEEN, request_rows

ROWS = [
    {"kind": kind, "category": category, "refused": refused, "explained": not refused, "revised": refused}
    for kind, category, refused in (
        ("harmful", "theft", True),
        ("harmful", "theft", False),
        ("harmful", "cruelty", False),
        ("harmful", "fire", True),
        ("benign", "theft", True),
        ("benign", "theft", False),
        ("benign", "cruelty", False),
        ("benign", "cruelty", False),
    )
]


def test_shares_of_refusals_and_revisions():
    found = lab.refusals_table({"a model": ROWS})["a model"]
    assert (found["harmful_refused"], found["benign_refused"], found["right"]) == (0.5, 0.25, 0.625)
    made = lab.revised_table({"a constitution": ROWS})["a constitution"]
    assert made == {"harmful": 0.5, "benign": 0.25, "right": 0.625}
    assert lab.refused_by_kind(ROWS) == {"theft": (1, 2), "cruelty": (0, 1), "fire": (1, 1)}


def test_chances_by_kind_and_critiques_by_a_principle():
    rows = request_rows("train", 60, "a test", ("plain",), SEEN)
    covers = lab.who_covers(critic.DRAFT, rows)
    assert covers.shape == (2, 30) and covers.dtype == torch.bool
    found = lab.by_kind(covers.any(0).float(), rows)
    assert found["theft"] == 1.0 and found["cruelty"] == 0.0
    assert found["all"] == pytest.approx(float(covers.any(0).float().mean()))
    answered = [{**row, "answer": "First borrow a cart."} for row in rows]
    critiques = lab.show_critiques(critic.DRAFT[0], answered)
    assert critic.DRAFT[0] in critiques["named"] and critiques["twin"] is None is critiques["not named"]


def test_right_on_pairs_of_unequal_worth():
    p, worth = torch.tensor([0.9, 0.2, 0.7, 0.6]), torch.tensor([1.0, -1.0, -2.0, 0.0])
    every = torch.ones(4, dtype=torch.bool)
    assert judging.right_of(p, worth, every) == pytest.approx(2 / 3)
    assert math.isnan(judging.right_of(p, worth, worth == 0))
    exchanged = torch.tensor([0.3, 0.9, 0.8, 0.4])
    both = torch.tensor([0.8, 0.15, 0.5, 0.6])
    found = judging.orders_table(p, exchanged, both, worth, (0.75, 0.25, 0.0))
    assert found["a first"] == {"all pairs": pytest.approx(2 / 3), "pairs without a tie": 1.0, "ties": 0.0}
    assert found["both orders"]["all pairs"] == 1.0 and math.isnan(found["both orders"]["ties"])


def test_verdicts_ties_and_prices():
    verdicts = judging.verdicts_of({"gold": torch.tensor([2.0, -1.0, 0.0]), "people": torch.tensor([1.0, -1.0, 1.0])})
    assert verdicts["gold"].tolist() == [1.0, 0.0, 0.5] and verdicts["people"].dtype == torch.float64
    assert judging.price_of_a_label(200, 0.34) == 304 and judging.price_of_a_label(200, 0.0) == 200
    worth_of = lambda budget, price, right: (budget // price) * max(0.0, 2 * right - 1) ** 2
    assert judging.break_even(worth_of, 1000, 10, 25.0) == 0.75
    assert math.isnan(judging.break_even(worth_of, 1000, 10, 101.0))
    worth, where = torch.tensor([1.0, -1.0, 1.0]), torch.ones(3, dtype=torch.bool)
    offers = judging.offers_table(worth_of, 100, {"gold": 10}, verdicts, worth, where)
    assert offers == {"gold": 10.0}, "the tie is left out, the other two are right"


def test_a_principle_names_the_whole_utility_or_not():
    assert judging.names_all(critic.BEST) and not judging.names_all("Choose the answer that is true.")


def test_few_labels_are_trained_on_at_a_larger_rate():
    whole, few = judging.config_for(12_000, "laptop"), judging.config_for(1_200, "laptop")
    assert few.rows == 1_200 and few.learning_rate == pytest.approx(3 * whole.learning_rate)


def test_table_figure_and_share_stand_on_one_sample_of_the_reference(capsys):
    reference = rollout.assistant(load_stage("sft").model).eval()
    ground = judging.fresh_ground(reference, "tiny")
    other = load_stage("safe").model.eval()
    found = judging.measured({"reference": reference, "other": other}, reference, ground)
    assert found["reference"]["utility"] == ground["start"] and math.isnan(found["reference"]["error"])
    assert math.isnan(found["reference"]["gain"]) and found["other"]["kl"] > 0.05
    gained = found["other"]["utility"] - found["reference"]["utility"]
    assert gained != 0 and (found["other"]["gain"] > 0) == (gained > 0) and found["other"]["error"] > 0
    judging.compared(found, {"other": [], "reference": []}, {"other": 10, "reference": 10}, ground)
    assert f"other {gained:+.2f}, reference +0.00" in (said := capsys.readouterr().out) and "Size tiny" in said


def test_libraries():
    assert lab.libraries_are_as_the_table_says()
