"""The training curve: a pure picture, and a live one that is silent without a front end."""

import math

from course_lib.widgets.curve import LiveCurve, compare_figure, figure, human, png, render, schedule_figure, smooth
from course_lib.widgets.scaling import isoflop_figure

HISTORY = [
    {"tokens": 0, "train_loss": 7.6, "val_loss": 7.6},
    {"tokens": 1000, "train_loss": 5.0},
    {"tokens": 2000, "train_loss": math.nan, "val_loss": None},
    {"tokens": 3000, "train_loss": 2.0, "val_loss": 2.1},
]


def test_axes_have_units_and_the_limit_is_a_labelled_line():
    axes = figure(HISTORY, entropy=1.2, uniform=7.6).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tokens seen", "loss (nats/token)")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any("limit" in label and "1.2" in label for label in labels)
    limit = [line for line in axes.lines if "limit" in str(line.get_label())][0]
    assert set(limit.get_ydata()) == {1.2}
    assert axes.get_ylim()[0] < 1.2 < 7.6 < axes.get_ylim()[1]


def test_missing_and_nan_losses_are_left_out():
    train, mean, validation = figure(HISTORY, 1.2).axes[0].lines[:3]
    assert list(train.get_ydata()) == [7.6, 5.0, 2.0]
    assert list(mean.get_ydata()) == [7.6, 5.0, 2.0]
    assert list(validation.get_ydata()) == [7.6, 2.1]


def test_an_empty_history_still_draws():
    assert render([], None).startswith(b"\x89PNG")
    assert render([], 1.0).startswith(b"\x89PNG")


def test_live_curve_without_a_front_end_keeps_the_history_and_draws_nothing(capsys):
    curve = LiveCurve(entropy=1.2)
    for steps in range(1, len(HISTORY) + 1):
        curve(HISTORY[:steps])
    curve.close()
    assert curve.history == HISTORY and capsys.readouterr().out == ""


def test_live_curve_redraws_in_place_and_not_too_often(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "IPython.display.display", lambda picture, metadata, raw, display_id, update: drawn.append((display_id, update))
    )
    curve = LiveCurve(entropy=1.2, every=1000.0)
    curve.front_end = True
    for steps in range(1, len(HISTORY) + 1):
        curve(HISTORY[:steps])
    curve.close()
    assert drawn == [(curve.display_id, False), (curve.display_id, True)]
    assert LiveCurve(title="another").display_id != curve.display_id


def test_the_running_mean_covers_the_last_1_percent():
    mean = smooth([(k, float(k % 2)) for k in range(200)], share=0.01)
    assert mean[0] == (0, 0.0) and mean[1] == (1, 0.5) and mean[-1] == (199, 0.5)


def test_human():
    assert [human(n) for n in (0, 500, 1500, 2_000_000)] == ["0", "500", "1.5 k", "2 M"]


def test_runs_are_told_apart_without_colour():
    axes = compare_figure({"base": HISTORY, "changed": HISTORY}, 1.2).axes[0]
    assert len({line.get_linestyle() for line in axes.lines[:2]}) == 2 and "nats/token" in axes.get_ylabel()


def test_scaling_axes_are_logarithmic():
    points = [{"budget": 1e9, "parameters": n, "excess": e} for n, e in ((1e4, 0.9), (3e4, 0.6), (1e5, 0.8))]
    axes = isoflop_figure(points, 0.586).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert png(schedule_figure([0.1, 0.2, 0.1])).startswith(b"\x89PNG")


def test_a_long_run_is_shown_near_the_limit():
    history = [{"tokens": 100 * k, "train_loss": 1.2 + 6.0 * 0.9**k} for k in range(1, 400)]
    axes = figure(history, 1.2, uniform=7.6).axes[0]
    low, high = axes.get_ylim()
    assert 1.0 < low < 1.2 and high < 4.0
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert not any("equally likely" in name for name in names), "a line that the picture does not show has no name"
