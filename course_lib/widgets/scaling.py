"""The picture of a sweep of equal compute."""

import numpy as np

from course_lib.evaluation.runs.isoflop import best_size, by_budget
from course_lib.widgets.style import STYLES, empty, finish, in_style, limit_line

TICKS = (0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


@in_style
def isoflop_figure(points: list[dict], entropy: float):
    """Loss against parameters, a curve for each budget of compute, with the limit. points: of `isoflop.point`.

    Each curve is a parabola in the logarithms of size and of excess; a star marks its bottom, or the
    lowest run where it has none between the smallest and the largest size.
    """
    fig, axes = empty(4.2)
    for (budget, few), (colour, sign, dash) in zip(by_budget(points).items(), STYLES):
        sizes, excess = ([p[key] for p in few] for key in ("parameters", "excess"))
        x = np.log(sizes)
        fitted = np.polynomial.Polynomial.fit(x, np.log(excess), 2)
        line = np.linspace(x.min(), x.max(), 60)
        label = f"{budget / 1e9:g} GFLOP a run"
        axes.plot(np.exp(line), entropy + np.exp(fitted(line)), color=colour, linestyle=dash, linewidth=1.2)
        losses = [entropy + e for e in excess]
        axes.plot(sizes, losses, color=colour, marker=sign, linestyle="none", label=label)
        best, lowest = best_size(few)
        axes.plot([best], [entropy + lowest], color=colour, marker="*", markersize=12, linestyle="none")
    limit_line(axes, entropy, f"the limit: entropy {entropy:.3f}")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="parameters N",
        ylabel="loss on fresh text (nats/token)",
        title="Which size is best for a budget? (★ bottom of the curve, or the lowest run)",
    )
    axes.minorticks_off()  # their labels run into each other
    sizes = sorted({p["parameters"] for p in points})
    axes.set_xticks(sizes, [f"{n / 1000:,.0f} k" for n in sizes])
    highest = entropy + max(p["excess"] for p in points)
    ticks = [k for k in TICKS if entropy * 0.95 < k < 1.1 * highest]
    axes.set_yticks(ticks, [f"{k:g}" for k in ticks])
    finish(axes)
    return fig
