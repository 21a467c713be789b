"""Pictures of judges: axes, lines and marks."""

import numpy as np

from course_lib.widgets.curve import LivePicture, png
from course_lib.widgets.judges import (
    accuracy_figure,
    kappa_figure,
    loss_figure,
    probe_figure,
    reliability_figure,
    size_figure,
)


def test_kappa_writes_each_number_and_leaves_the_diagonal():
    axes = kappa_figure(["you", "Agnes"], np.array([[1.0, 0.4], [0.4, 1.0]]), "κ").axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.40", "0.40"]
    assert png(kappa_figure(["a", "b"], np.full((2, 2), np.nan), "κ")).startswith(b"\x89PNG")


def test_accuracy_has_the_limit_as_a_line_also_before_the_first_step():
    for history in ([], [{"rows": 16 * k, "accuracy": 0.6} for k in range(1, 50)]):
        labels = [text.get_text() for text in accuracy_figure(history, 0.727).axes[0].get_legend().get_texts()]
        assert any("the limit" in label and "72.7" in label for label in labels)


def test_a_last_step_of_few_pairs_weighs_little():
    history = [{"rows": 64 * k, "train_loss": 0.5} for k in range(1, 21)] + [{"rows": 64 * 20 + 1, "train_loss": 9.0}]
    [line] = loss_figure({"run": history}, 0.4).axes[0].lines[:1]
    assert abs(line.get_ydata()[-1] - (64 * 0.5 + 9) / 65) < 1e-9 and line.get_xdata()[-1] == 64 * 20 + 1


def test_sizes_and_reliability():
    assert size_figure([1000, 4000], [0.6, 0.65], [0.01, 0.01], 0.72, "t").axes[0].get_xscale() == "log"
    p = np.linspace(0, 1, 200)
    assert png(reliability_figure({"model": (p, p > 0.5)}, 10, "t")).startswith(b"\x89PNG")


def test_probe_has_a_panel_for_each_padding():
    lines = {"reward model": [0.0, 1.0], "cured": [0.0, 0.5], "gold": [0.0, 0.1]}
    axes = probe_figure([0, 1], {"true facts": lines, "courtesies": lines}, "utility").axes
    assert len(axes) == 2 and len({line.get_linestyle() for line in axes[0].lines}) == 3


def test_a_live_picture_is_silent_without_a_front_end_and_redraws_in_place(monkeypatch, capsys):
    live = LivePicture(lambda history: accuracy_figure(history, 0.7), "test")
    live([{"rows": 1, "accuracy": 1.0}])
    live.close()
    assert capsys.readouterr().out == ""
    drawn = []
    monkeypatch.setattr(
        "IPython.display.display", lambda picture, metadata, raw, display_id, update: drawn.append(update)
    )
    live = LivePicture(lambda history: accuracy_figure(history, 0.7), "test", every=1000.0)
    live.front_end = True
    live([{"rows": 1, "accuracy": 1.0}])
    live([{"rows": 1, "accuracy": 1.0}] * 2)
    live.close()
    assert drawn == [False, True]
