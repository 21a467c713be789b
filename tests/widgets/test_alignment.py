"""The pictures of direct alignment: what is drawn is what was measured, gaps and all."""

from course_lib.widgets.alignment import compute_figure, pairs_figure
from course_lib.widgets.curve import png


def drawn(fig):
    return {line.get_label(): list(map(tuple, line.get_xydata())) for line in fig.axes[0].lines}


def test_log_ratios_along_a_run_with_a_batch_without_one_kind():
    history = [{"rows": 8 * (k + 1), "liked": None if k == 1 else -0.1 * k, "disliked": -0.3 * k} for k in range(3)]
    lines = drawn(pairs_figure(history, ("liked", "disliked")))
    assert lines["liked, now -0.20"] == [(8, 0), (24, -0.2)] and len(lines["disliked, now -0.60"]) == 3
    assert png(pairs_figure([])).startswith(b"\x89PNG"), "nothing measured yet is no error"


def test_utility_against_compute():
    lines = drawn(compute_figure({"DPO": [(1.0, 2.0), (4.0, 2.3)], "GRPO": [(2.0, 1.95)]}, 1.9))
    assert lines["DPO"] == [(1.0, 2.0), (4.0, 2.3)] and lines["GRPO"] == [(2.0, 1.95)]
