"""What lab 11 shows is what was measured."""

import numpy as np
import pytest
import torch

from course_lib.evaluation import comparison
from course_lib.shown import lab11_evaluation_and_release as lab
from course_lib.shown import lab11_release as releasing


def interval(values, clusters):
    clusters = clusters.unique(return_inverse=True)[1]
    draws = comparison.draw(int(clusters.max()) + 1, 200)
    return float(values.double().mean()), *comparison.bootstrap_interval(values.double(), clusters, draws)


def test_intervals_are_scipys_and_wider_where_errors_gather():
    clusters = torch.arange(200) // 10
    scattered, gathered = torch.arange(200) % 10 != 0, clusters % 10 != 0
    lab.beside_scipy(interval, gathered, clusters, 200)
    widths = lab.intervals_table(interval, {"scattered": scattered, "gathered": gathered}, clusters)
    assert widths["gathered"][1] > 2 * widths["gathered"][0] and widths["scattered"][1] == 0.0


def test_differences_are_the_same_paired_and_not():
    a = torch.arange(100) % 10 != 0
    right = {"A": a, "B": a & (torch.arange(100) != 3)}
    p = {("A", "B"): comparison.mcnemar(right["A"], right["B"])}
    found = lab.differences(right, torch.arange(100), p, interval, "laptop")["A − B"]
    assert found["difference"] == pytest.approx(0.01) and found["p"] == 1.0
    assert found["rows"][1] < found["rows"][0] and found["width"][1] < found["width"][0]


def test_models_that_got_the_same_rows_right_are_told_apart_by_no_number_of_rows(capsys):
    a = torch.arange(40) % 10 != 0
    found = lab.differences({"A": a, "B": a.clone()}, torch.arange(40), {("A", "B"): 1.0}, interval, "tiny")
    assert found["A − B"]["rows"][1] == 0 < found["A − B"]["rows"][0]
    said = capsys.readouterr().out
    assert "no number of rows like these can tell them apart: A and B." in said and "Size tiny" in said
    assert said.split("A − B")[1].splitlines()[0].rstrip().endswith("–")


def test_win_rates_of_a_better_model_fall_towards_a_half_before_a_biased_judge():
    a, b = np.full(400, 2.0), np.full(400, 1.0)
    found = lab.win_rates(comparison.win_rate, a, b, [0.0, 6.0])
    assert found["fair"] == pytest.approx(comparison.fair_win_rate(a, b))
    assert found["both orders"][0][0] == pytest.approx(found["fair"], abs=0.05)
    assert found["both orders"][1][0] < 0.53 and found["A always first"][1][0] > 0.95


def test_coins_find_something_in_most_studies_and_after_holm_in_few():
    studies = lab.coin_studies(torch.arange(1000) % 3 != 0, 200)
    assert len(studies) == 200 and all(len(study) == len(lab.IDEAS) == 20 for study in studies)
    before, after = lab.studies_table(studies, comparison.holm, "laptop")
    assert before > 80 and after < 20


def test_one_number():
    values = [True] * 90 + [False] * 10
    mixes = {"as people ask": (0.7, 0.01)}
    found = releasing.one_number(values, 20, mixes, {"the exam": (30, 60), "fresh news": (2, 40)}, "laptop")
    assert (found["share"], found["seen"], found["mix"]) == (0.9, pytest.approx(0.45), pytest.approx(0.2))
    assert found["luck"] == pytest.approx(comparison.expected_best(0.9, 100, 20) - 0.9)
    assert found["margin"] == pytest.approx(1.96 * (2 * 0.09 / 100) ** 0.5 + found["luck"])


def test_a_card_says_both_rates_of_refusal_with_intervals_that_hold_at_0():
    rows = [{"group": g, "right": g != "harmful"} for g in releasing.release.GROUPS for _ in range(16)]
    rows = [row | {"messages": [{"role": "user", "content": "Who is it?"}]} for row in rows]
    summary, _ = releasing.compared(dict.fromkeys(("helpful-only", "safe", "release"), rows), 20, "tiny")
    assert summary["release"]["harmless"] == (0.0, 0.0, 0.0), "nothing to resample"
    weighted = lambda queries, slices, mix: (0.5, 0.1)
    slices = list(releasing.release.PRODUCTION)
    facts = releasing.release_facts(summary["release"], rows, [0.0] * len(rows), [True] * len(slices), slices, weighted)
    assert facts["groups"]["harmful"] == (0.0, *lab.wilson(0, 16)) and facts["groups"]["benign"][0] == 1.0


def test_slices_with_wilsons_interval():
    rows = [name for name in releasing.release.PRODUCTION for _ in range(4)]
    found = releasing.by_slice([k % 4 != 0 for k in range(len(rows))], rows)
    assert found["typo"] == (0.75, *lab.wilson(3, 4)) and set(found) == set(releasing.release.PRODUCTION)


def test_libraries():
    assert releasing.libraries_are_as_the_table_says()
