"""Intervals, paired tests, win rates, many comparisons, seen rows, other mixes: against SciPy where it has them,
against their definition elsewhere.
"""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, bootstrap

from course_lib.evaluation import comparison as compare


def rows(seed=0, n=60, clusters=11):
    rng = np.random.default_rng(seed)
    which = rng.integers(0, clusters, n)
    return torch.from_numpy((rng.random(n) < 0.2 + 0.6 * (which % 3 == 0)).astype(float)), torch.from_numpy(
        np.unique(which, return_inverse=True)[1]
    )


def test_the_bootstrap_is_scipys_on_the_same_draws():
    values, _ = rows()
    theirs = bootstrap(
        (values.numpy(),), np.mean, n_resamples=300, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert compare.bootstrap_interval(values, torch.arange(60), compare.draw(60, 300, 5)) == pytest.approx(
        (theirs.low, theirs.high), abs=1e-12
    )


def test_whole_clusters_as_scipy_draws_pairs_of_sum_and_size():
    values, clusters = rows()
    sums, sizes = np.bincount(clusters, values), np.bincount(clusters)
    theirs = bootstrap(
        (sums, sizes),
        lambda s, n, axis=-1: s.sum(axis) / n.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=400,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert compare.bootstrap_interval(values, clusters, compare.draw(len(sums), 400, 2)) == pytest.approx(
        (theirs.low, theirs.high), abs=1e-12
    )


def test_clusters_that_are_alike_inside_widen_the_interval():
    clusters = torch.arange(200) // 20
    values = (clusters % 2).double()
    wide = compare.bootstrap_interval(values, clusters, compare.draw(10, 2000))
    narrow = compare.bootstrap_interval(values, torch.arange(200), compare.draw(200, 2000))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


@pytest.mark.parametrize("x, y", [(0, 0), (1, 0), (5, 0), (6, 0), (3, 12), (7, 7), (40, 61), (620, 580), (0, 1500)])
def test_mcnemar_is_the_binomial_test_of_the_rows_that_one_alone_got_right(x, y):
    a = torch.tensor([True] * (9 + x) + [False] * (y + 4))
    b = torch.tensor([True] * 9 + [False] * x + [True] * y + [False] * 4)
    p = compare.mcnemar(a, b)
    assert (
        p == pytest.approx(binomtest(x, x + y).pvalue if x + y else 1.0, rel=1e-9) and compare.mcnemar(b, a) == p <= 1
    )


def test_win_rate_by_hand():
    rate, error = compare.win_rate(["first", "tie", "second"], ["second", "tie", "second"])  # 1, ½, ½
    assert rate == pytest.approx(2 / 3) and error == pytest.approx(math.sqrt(1 / 12) / math.sqrt(3))
    assert compare.win_rate(["first"] * 4, ["first"] * 4) == (0.5, 0.0)
    assert math.isnan(compare.win_rate(["tie"], ["tie"])[1])


def test_the_simulated_judge():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 20_000), rng.normal(0, 1, 20_000)
    p, q = compare.chances(a, b, 0.7)
    assert ((p > 0) & (q > 0) & (p + q < 1)).all()
    assert np.allclose(compare.chances(b, a, -0.7)[0], q), "who exchanges answers and places exchanges the verdict"
    fair = compare.fair_win_rate(a, b)
    rate, error = compare.win_rate(compare.verdicts(a, b, seed=1), compare.verdicts(b, a, seed=2))
    assert abs(rate - fair) < 4 * error, "without a bias the rate estimates the fair one"
    biased = compare.win_rate(compare.verdicts(a, b, 1.0, seed=1), compare.verdicts(b, a, 1.0, seed=2))[0]
    one_order = np.mean([compare.PLACES[v] for v in compare.verdicts(a, b, 1.0, seed=1)])
    assert abs(biased - fair) < 0.03 < 0.1 < one_order - fair, "one order believes the place, both take the favour away"
    assert compare.verdicts(a[:50], b[:50], seed=3) == compare.verdicts(a[:50], b[:50], seed=3)


def test_holm_keeps_the_chance_of_any_false_finding():
    rng = np.random.default_rng(1)
    studies = rng.random((2000, 20)).tolist()
    found = np.mean([min(compare.holm(study)) <= 0.05 for study in studies])
    assert 0.035 < found < 0.065 and np.mean([min(study) <= 0.05 for study in studies]) > 0.5


def test_holm_by_definition_and_in_place():
    p = np.random.default_rng(2).random(30).round(2).tolist()  # with ties
    ranked = sorted(p)
    by_definition = {x: min(1.0, max((30 - j) * ranked[j] for j in range(30) if ranked[j] <= x)) for x in p}
    assert compare.holm(p) == pytest.approx([by_definition[x] for x in p])
    assert compare.holm([]) == [] and compare.holm([0.2]) == [0.2]


def test_overlap():
    test = "what does ada cobb do she works as a potter".split()
    assert compare.overlap([test], [test], 5) == [1.0]
    assert compare.overlap([test], [["he", *test[5:10], "too"]], 5) == [0.5]
    assert compare.overlap([test, ["ada"], []], [test[:4], test[4:]], 5) == [0.6, 0, 0]
    assert compare.overlap([], [test]) == [] and compare.overlap([test], []) == [0.0]


def test_reweight():
    right, slices = [True, True, False, True, False, False], ["a", "a", "a", "b", "b", "b"]
    assert compare.reweight(right, slices, {"a": 1, "b": 1})[0] == pytest.approx(0.5)
    share, error = compare.reweight(right, slices, {"a": 30, "b": 10, "c": 0})
    # 2 of 3 and 1 of 3, with two right and two wrong rows more: 4 of 7 and 3 of 7
    assert share == pytest.approx(0.75 * 2 / 3 + 0.25 / 3) and error == pytest.approx(
        math.sqrt((0.75**2 + 0.25**2) * 12 / 49 / 7)
    )
    assert compare.reweight([True] * 4, ["a"] * 4, {"a": 1}) == (1.0, pytest.approx(math.sqrt(6 * 2 / 8**3)))
    assert all(map(math.isnan, compare.reweight(right, slices, {"a": 1, "c": 1})))


def test_the_best_of_many_equals():
    assert compare.expected_best(0.5, 1, 1) == pytest.approx(0.5)
    assert compare.expected_best(0.5, 1, 2) == pytest.approx(0.75)  # both wrong in a quarter of the cases
    assert compare.expected_best(1.0, 9, 5) == 1.0 and compare.expected_best(0.0, 9, 5) == 0.0
    drawn = np.random.default_rng(0).binomial(200, 0.9, (20_000, 20)).max(1) / 200
    assert compare.expected_best(0.9, 200, 20) == pytest.approx(drawn.mean(), abs=1e-3)


def test_clusters_of_names():
    assert compare.clusters_of(["Ada", None, "Bo", "Ada", None]).tolist() == [0, 1, 2, 0, 3]
    assert compare.clusters_of([]).tolist() == []
