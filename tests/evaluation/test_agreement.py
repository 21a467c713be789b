import math

import numpy as np
import pytest

from course_lib.evaluation.agreement import bootstrap, cohen_kappa, judge_accuracy, kappa_matrix
from course_lib.world.annotators import bayes_accuracy


def test_kappa_by_hand():
    a, b = ["x"] * 6 + ["y"] * 4, ["x"] * 4 + ["y"] * 2 + ["y"] * 3 + ["x"]
    assert cohen_kappa(a, b) == pytest.approx((0.7 - 0.5) / (1 - 0.5))  # p_o = 0.7, p_e = 0.6 · 0.5 + 0.4 · 0.5
    assert cohen_kappa(a, a) == 1.0 and math.isnan(cohen_kappa(["x"], ["x"]))


def test_kappa_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 4, 30).tolist(), rng.integers(0, 3, 30).tolist()
        assert cohen_kappa(a, b) == pytest.approx(sklearn.cohen_kappa_score(a, b), abs=1e-12)


def test_the_best_judge_reaches_the_limit_and_ties_are_a_coin():
    p = np.array([0.9, 0.3, 0.5])
    assert judge_accuracy(p - 0.5, p) == pytest.approx(bayes_accuracy(p))
    assert judge_accuracy([0, 0, 0], p) == 0.5
    assert judge_accuracy(0.5 - p, p) == pytest.approx(1 - bayes_accuracy(p))


def test_matrix_and_bootstrap():
    matrix = kappa_matrix({"a": [1, 2, 1, 2], "b": [1, 2, 2, 2]})
    assert matrix.shape == (2, 2) and matrix[0, 1] == matrix[1, 0]
    low, high = bootstrap(cohen_kappa, [1, 2] * 30, [1, 2] * 25 + [2, 1] * 5)
    assert low < cohen_kappa([1, 2] * 30, [1, 2] * 25 + [2, 1] * 5) < high
    assert all(map(math.isnan, bootstrap(cohen_kappa, [1] * 5, [1] * 5)))
