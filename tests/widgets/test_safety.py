"""The pictures of safety: what is drawn is what was counted, with its interval, its limit, and gaps where nothing was
counted.
"""

import math

import pytest
import torch

from course_lib.evaluation.intervals import wilson
from course_lib.widgets.curve import png
from course_lib.widgets.safety import (
    STYLES,
    cost_figure,
    counted,
    percent,
    plane_figure,
    rates_figure,
    roc_figure,
    split_by,
)


def rows(harmful, benign):
    """Judged rows: (refused, n) of both kinds."""
    return [
        {"kind": kind, "refused": k < refused, "disguise": "role" if k % 2 else "plain"}
        for kind, (refused, n) in (("harmful", harmful), ("benign", benign))
        for k in range(n)
    ]


def marks(fig):
    return {
        line.get_label(): tuple(map(float, line.get_xydata()[0]))
        for line in fig.axes[0].lines
        if line.get_marker() not in ("None", None, "") and not line.get_label().startswith("_")
    }


def test_counts_of_judged_rows():
    made = rows((3, 5), (1, 4))
    assert counted(made, "harmful") == (3, 5) and counted(made, "benign") == (1, 4) and counted([], "benign") == (0, 0)
    assert {key: len(part) for key, part in split_by(made, "disguise").items()} == {"plain": 5, "role": 4}
    low, high = wilson(3, 5)
    assert percent(3, 5) == f"60.0 % ({100 * low:.1f} to {100 * high:.1f})" and percent(0, 0) == "–"


def test_the_plane_has_each_model_where_it_was_measured_and_the_limit_in_its_corner():
    fig = plane_figure({"helpful": rows((0, 50), (0, 50)), "naive": rows((48, 50), (40, 50)), "empty": []})
    points = marks(fig)
    assert points["helpful"] == (0, 0) and points["naive"] == (80, 96) and "empty" not in points
    assert next(at for name, at in points.items() if name.startswith("the limit")) == (0, 100)
    bars = [
        line.get_xydata() for line in fig.axes[0].lines if len(line.get_xydata()) == 2 and line.get_linestyle() == "-"
    ]
    low, high = wilson(40, 50)
    assert any(bar[0] == pytest.approx([100 * low, 96]) and bar[1] == pytest.approx([100 * high, 96]) for bar in bars)
    assert "%" in fig.axes[0].get_xlabel() and "%" in fig.axes[0].get_ylabel() and png(fig).startswith(b"\x89PNG")


def test_as_many_models_as_the_lab_draws_have_marks_of_their_own():
    assert (
        len({style[1] for style in STYLES})
        == len({str(style[2]) for style in STYLES})
        == len({style[0] for style in STYLES})
        == len(STYLES)
        >= 6
    )


def test_rates_by_disguise_leave_out_what_was_not_counted():
    fig = rates_figure(
        {"before": {"plain": (1, 4), "role": (0, 0)}, "after": {"plain": (4, 4), "role": (3, 3), "story": (2, 4)}},
        "harmful refused, %",
        "?",
        limit=100,
    )
    points = [tuple(line.get_xydata()[0]) for line in fig.axes[0].lines if line.get_marker() in ("o", "s")]
    assert sorted(x for x, _ in points) == [25, 50, 100, 100]
    assert [text.get_text() for text in fig.axes[0].get_yticklabels()] == ["plain", "role", "story"]
    assert {text.get_text() for text in fig.legends[0].get_texts()} == {"before", "after", "the limit: 100 %"}
    assert png(rates_figure({}, "x", "?")).startswith(b"\x89PNG")


def test_roc_with_a_chosen_threshold():
    fig = roc_figure(
        {"words": (torch.tensor([0, 0.1, 1]), torch.tensor([0, 0.8, 1]), 0.85)}, {"misses cost 10": (0.1, 0.8)}
    )
    drawn = {line.get_label(): [tuple(map(float, at)) for at in line.get_xydata()] for line in fig.axes[0].lines}
    rounded = {name: [(round(x, 3), round(y, 3)) for x, y in line] for name, line in drawn.items()}
    assert rounded["words, area 0.850"] == [(0, 0), (10, 80), (100, 100)] and rounded["misses cost 10"] == [(10, 80)]
    assert "a coin, area 0.5" in drawn


def test_cost_of_each_threshold_with_the_cheapest_marked():
    fig = cost_figure([math.inf, 2.0, 1.0, 0.0], {"1 in 10": [0.5, 0.2, 0.1, 0.4], "1 in 2": [5.0, 2.0, 1.0, 0.5]})
    cheapest = [tuple(line.get_xydata()[0]) for line in fig.axes[0].lines if line.get_marker() not in ("None", "")]
    assert cheapest == [(1.0, 0.1), (0.0, 0.5)] and png(fig).startswith(b"\x89PNG")
