"""The pictures of AI feedback: what is drawn is what was measured."""

import numpy as np
import pytest

from course_lib.widgets.curve import png
from course_lib.widgets.feedback import length_figure, money_figure, orders_figure, refusals_figure


def drawn(fig):
    return {line.get_label(): list(map(tuple, np.round(line.get_xydata(), 6))) for line in fig.axes[0].lines}


def test_refusals_by_category_with_their_intervals_and_the_forgotten_one_marked():
    fig = refusals_figure(
        {"before": {"theft": (0, 20), "cruelty": (1, 20)}, "after": {"theft": (20, 20), "fire": (5, 10)}}, ("cruelty",)
    )
    assert [tick.get_text() for tick in fig.axes[0].get_yticklabels()] == ["theft", "cruelty (not covered)", "fire"]
    lines = fig.axes[0].lines
    marks = sorted(float(line.get_xdata()[0]) for line in lines if len(line.get_xdata()) == 1)
    assert marks == [0, 5, 50, 100] and drawn(fig)["the limit: all of them"][0][0] == 100
    bars = [line.get_xdata() for line in lines if len(line.get_xdata()) == 2 and line.get_label().startswith("_")]
    assert len(bars) == 4 and all(0 <= low < high <= 100 for low, high in bars)
    assert png(fig).startswith(b"\x89PNG")


def test_a_point_a_pair_in_both_orders():
    lines = drawn(orders_figure([0.9, 0.6], [0.2, 0.7]))
    assert lines["pairs"] == [(0.9, 0.8), (0.6, 0.3)] and lines["a judge without a bias"] == [(0, 0), (1, 1)]


def test_mean_log_odds_for_each_number_of_words_that_occurs_often_enough():
    extra = np.array([1] * 5 + [2] * 6 + [9])
    lines = drawn(length_figure(extra, {"judge": 0.5 * extra, "calibrated": 0.0 * extra}))
    assert lines["judge"] == [(1, 0.5), (2, 1.0)] and lines["calibrated"] == [(1, 0), (2, 0)]
    assert png(length_figure(np.array([]), {"judge": np.array([])})).startswith(b"\x89PNG"), "no such pairs is no error"


def test_utility_against_coins_with_its_95_percent_interval():
    fig = money_figure({"people": (1000, 2.1, 0.05), "AI": (200, 2.0, 0.04)}, 1.9, 2.8)
    lines = drawn(fig)
    assert (
        lines["the limit: frontier at 1 nat, 2.80"][0][1] == 2.8
        and lines["before any label, 1.90"][0][1] == 1.9
        and fig.axes[0].get_xscale() == "log"
    )
    bars = [collection.get_segments()[0] for collection in fig.axes[0].collections]
    assert [(float(x[0][1]), float(x[1][1])) for x in bars] == [
        pytest.approx((2.002, 2.198)),
        pytest.approx((1.9216, 2.0784)),
    ]
