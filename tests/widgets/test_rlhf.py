"""Pictures of RL runs: what is drawn, that shape and not only colour tells things apart, and that nothing happens
without a front end.
"""

from course_lib.widgets import rlhf
from course_lib.widgets.curve import png

HISTORY = [
    {
        "step": k,
        "reward": 1 + 0.1 * k,
        "kl": 0.05 * k,
        "entropy": 0.3,
        "length": 9.0,
        "sample": f"Answer $number$ {k}. " + "word " * 40,
    }
    for k in range(20)
]


def test_a_run_has_four_panels_with_units_and_three_samples():
    fig = rlhf.figure(HISTORY, "PPO", target=1.0)
    assert [axes.get_ylabel() for axes in fig.axes] == [
        "reward",
        "KL (nats an answer)",
        "entropy (nats a token)",
        "length (tokens)",
    ]
    assert all(axes.get_xlabel() == "step" for axes in fig.axes)
    said = fig._supxlabel.get_text().splitlines()
    assert [text.split(":")[0] for text in said] == ["step 0", "step 10", "step 19"] and all(
        len(text) < 110 for text in said
    )
    assert any("target" in text.get_text() for text in fig.axes[1].get_legend().get_texts())
    picture = png(fig)
    assert rlhf.small(picture).startswith(b"\x89PNG") and len(rlhf.small(picture)) < len(picture) / 2


def test_gold_is_named_as_not_trained_on_and_dashed():
    axes = rlhf.figure([{**row, "gold": 2.0} for row in HISTORY]).axes[0]
    assert any("not trained on" in text.get_text() for text in axes.get_legend().get_texts())
    assert axes.lines[3].get_linestyle() == "--" and axes.lines[1].get_linestyle() == "-"


def test_an_empty_run_and_missing_numbers():
    assert png(rlhf.figure([])).startswith(b"\x89PNG")
    assert png(rlhf.figure([{**HISTORY[0], "reward": None, "kl": float("nan")}])).startswith(b"\x89PNG")


def test_the_plane_has_the_limit_and_a_mark_for_each_policy():
    points = {f"policy {k}": [(0.1 * k, 2.0)] for k in range(8)} | {
        "best of n": [(0.2, 2.1), (0.5, 2.3)],
        "far": [(40.0, 0.5)],
    }
    axes = rlhf.plane([(0.5, 2.4), (1.0, 2.6), (9.0, 3.0)], 1.9, points).axes[0]
    assert "nats" in axes.get_xlabel() and axes.get_ylabel() == "gold utility"
    assert list(axes.lines[0].get_xdata()) == [0.0, 0.5, 1.0], "the line ends where the picture does"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert (
        labels[:2] == ["the limit: frontier of the optimal policies", "reference model, 1.90"]
        and "far (at 40.0 nats)" in labels
    )
    marks = [line.get_marker() for line in axes.lines[2:8]]
    assert len(set(marks)) == len(marks)


def test_proxy_and_gold_start_together_and_the_turn_is_a_line():
    axes = rlhf.overoptimisation([0, 5, 10], [5.0, 6.0, 7.0], [2.0, 2.5, 1.0], turn=5).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any("turning point: step 5" in label for label in labels) and any(
        "only looked at" in label for label in labels
    )
    assert png(rlhf.overoptimisation([], [], [])).startswith(b"\x89PNG")
    assert "turning" not in " ".join(
        text.get_text() for text in rlhf.overoptimisation([0], [1.0], [1.0]).axes[0].get_legend().get_texts()
    )


def test_without_a_front_end_nothing_is_drawn():
    live = rlhf.LiveRun("PPO")
    live(HISTORY)
    live.close()
    assert live.history is HISTORY and not live.shown
