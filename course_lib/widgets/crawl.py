"""Pictures of cleaning a crawl."""

import numpy as np

from course_lib.stages.cleaning import NUM_PERM, SAME, caught
from course_lib.widgets.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SMALL,
    empty,
    finish,
    in_style,
    legend_below,
    mark_line,
)


@in_style
def banding_figure(strangers: list[float], relatives: list[float]):
    """How likely banding is to find a pair, for some numbers of bands, over the similarities that pairs have: of other
    pages that share a shingle, and of near copies.
    """
    fig, axes = empty(4.2)
    s = np.linspace(0, 1, 201)
    for bands, colour, dash in ((8, PURPLE, ":"), (16, GREEN, "-."), (32, BLUE, "-"), (64, ORANGE, "--")):
        numbers = NUM_PERM // bands
        likely = [caught(x, bands, numbers) for x in s]
        axes.plot(s, likely, color=colour, linestyle=dash, label=f"{bands} bands of {numbers} numbers")
    for values, colour, hatch, name in ((strangers, GREY, "", "other pages"), (relatives, BLUE, "//", "near copies")):
        weights = np.full(len(values), 1 / max(1, len(values)))
        bins = np.linspace(0, 1, 41)
        axes.hist(values, bins=bins, weights=weights, color=colour, alpha=0.35, hatch=hatch, label=f"share of {name}")
    mark_line(axes, SAME, upright=True)
    axes.text(SAME - 0.01, 0.4, f"the same from {SAME}", fontsize=SMALL, ha="right")
    axes.set(
        xlabel="true similarity s of two pages",
        ylabel="probability to be compared; share of pairs",
        title="Which pairs does banding find?",
    )
    finish(axes, least=99)
    legend_below(fig, 3)
    return fig
