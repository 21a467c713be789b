"""The sweep of equal compute: what a run costs, and the bottom of a curve."""

import math

import pytest

from course_lib.evaluation.runs import isoflop
from course_lib.stages.model import Llama


def curve(budget, bottom, lowest, sizes, steep=0.3):
    excess = lambda n: lowest * math.exp(steep * math.log(n / bottom) ** 2)
    return [{"budget": budget, "parameters": n, "excess": excess(n)} for n in sizes]


def test_the_bottom_of_an_exact_parabola_is_found_between_the_points():
    size, excess = isoflop.best_size(curve(1e9, 5e4, 0.4, (1e4, 3e4, 1e5, 3e5)))
    assert size == pytest.approx(5e4, rel=1e-6) and excess == pytest.approx(0.4, rel=1e-6)


@pytest.mark.parametrize("bottom, lowest", [(5e3, 1e4), (1e6, 3e5)])
def test_a_curve_without_a_bottom_inside_gives_its_lowest_point(bottom, lowest):
    points = curve(1e9, bottom, 0.4, (1e4, 3e4, 1e5, 3e5))
    assert isoflop.best_size(points) == min((p["parameters"], p["excess"]) for p in points if p["parameters"] == lowest)


def test_a_curve_that_bends_down_gives_its_lowest_point():
    points = curve(1e9, 5e4, 0.4, (1e4, 3e4, 1e5, 3e5), steep=-0.3)
    assert isoflop.best_size(points)[0] == 3e5


def test_equal_budgets_are_equal_compute():
    sweep = isoflop.PRESETS["laptop"]
    for budget in sweep.budgets:
        for shape in sweep.shapes:
            tokens = isoflop.documents_for(shape, budget) * isoflop.TOKENS
            assert 6 * isoflop.parameters_of(shape) * tokens == pytest.approx(budget, rel=0.01)
            assert isoflop.documents_for(shape, budget) <= 74_000, "the village has no more"
    assert isoflop.parameters_of((12, 2)) == Llama(isoflop.model_of((12, 2))).parameter_count()


def test_points_are_put_together_by_budget():
    points = curve(2e9, 5e4, 0.4, (1e4, 3e4)) + curve(1e9, 5e4, 0.8, (1e4, 3e4))
    assert {budget: len(few) for budget, few in isoflop.by_budget(points).items()} == {1e9: 2, 2e9: 2}
    assert list(isoflop.by_budget(points)) == [1e9, 2e9]


@pytest.mark.slow
def test_a_short_run_is_a_point():
    made = isoflop.run((12, 2), 2e8)
    assert made["tokens"] > 500 and made["excess"] > 0 and 0 <= made["known"] <= 1 and made["budget"] == 2e8
