"""Pictures of direct alignment: the log-ratios of chosen and rejected answers along a run, and utility against compute.
(Utility against KL: widgets/rlhf.py.)

Pure functions give figures; `curve.LivePicture` redraws one in place while a run goes on. Told apart by dashes and
marks as well as by colour.
"""

import math

from course_lib.widgets.curve import smooth
from course_lib.widgets.style import STYLES, empty, finish, in_style, mark_line


@in_style
def pairs_figure(
    history: list[dict], keys: tuple[str, str] = ("chosen", "rejected"), title: str = "Which answers become likelier?"
):
    """Mean log π − log π_ref (nats an answer) of two kinds of answers along the history's "rows", running means. A None
    (a batch without that kind) is not drawn.
    """
    fig, axes = empty()
    for key, (colour, _, dash) in zip(keys, STYLES):
        pairs = [
            (row["rows"], float(row[key])) for row in history if row.get(key) is not None and math.isfinite(row[key])
        ]
        if pairs:
            axes.plot(*zip(*pairs), color=colour, linewidth=0.8, alpha=0.2)
            mean = smooth(pairs, 0.05)
            axes.plot(*zip(*mean), color=colour, linestyle=dash, linewidth=1.6, label=f"{key}, now {mean[-1][1]:+.2f}")
    mark_line(axes, 0, "π = π_ref")
    axes.set(xlabel="rows seen", ylabel="log π − log π_ref (nats an answer)", title=title)
    finish(axes)
    return fig


@in_style
def compute_figure(lines: dict[str, list[tuple[float, float]]], start: float, title: str = "What does a TFLOP buy?"):
    """Gold utility against the compute of the training: lines[name] = [(TFLOP, utility), …]."""
    fig, axes = empty()
    for (name, line), (colour, mark, dash) in zip(lines.items(), STYLES):
        axes.plot(*zip(*line), color=colour, marker=mark, markersize=4, linestyle=dash, linewidth=1.4, label=name)
    mark_line(axes, start, "reference model")
    axes.set(xlabel="compute of the training (TFLOP)", ylabel="gold utility", title=title)
    finish(axes)
    return fig
