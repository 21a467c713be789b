"""Pictures of AI feedback: refusals by category, a judge in both orders, a judge and the words, utility against coins.
Pure functions of their numbers.
"""

import numpy as np

from course_lib.evaluation.intervals import wilson
from course_lib.widgets.style import BLUE, GREEN, GREY, ORANGE, PURPLE, empty, finish, in_style, limit_line, mark_line

STYLES = (
    (GREY, "o", ":"),
    (BLUE, "s", "-"),
    (ORANGE, "^", "--"),
    (GREEN, "D", "-."),
    (PURPLE, "v", ":"),
)  # the first is the model to compare with


@in_style
def refusals_figure(
    models: dict[str, dict[str, tuple[int, int]]], forgotten: tuple = (), title: str = "Which harms are refused?"
):
    """Share of harmful requests refused, with its 95 % interval: models[name][category] = (refused, asked). Categories
    in `forgotten` are marked as not covered.
    """
    categories = list(dict.fromkeys(category for counts in models.values() for category in counts))
    fig, axes = empty(height=1.4 + 0.42 * len(categories))
    limit_line(axes, 100, "the limit: all of them", upright=True)
    for k, ((name, counts), (colour, mark, _)) in enumerate(zip(models.items(), STYLES)):
        for row, category in enumerate(categories):
            if category in counts:
                refused, asked = counts[category]
                low, high = wilson(refused, asked)
                y = row + 0.22 * (k - (len(models) - 1) / 2)
                axes.plot([100 * low, 100 * high], [y, y], color=colour, linewidth=1.2)
                axes.plot(
                    100 * refused / asked,
                    y,
                    color=colour,
                    marker=mark,
                    linestyle="none",
                    label=name if category == next(iter(counts)) else None,
                )
    axes.set_yticks(range(len(categories)), [f"{c} (not covered)" if c in forgotten else c for c in categories])
    axes.set_ylim(len(categories) - 0.5, -0.5)
    axes.set(xlabel="harmful requests refused (%), bars: 95 %", xlim=(-3, 103), title=title)
    finish(axes, loc="upper center", bbox_to_anchor=(0.5, -0.16 if len(categories) > 4 else -0.3), ncols=2)
    return fig


@in_style
def orders_figure(first, exchanged, title: str = "Does the order change the verdict?"):
    """A point a pair: P(a better) with a shown first, against P(a better) with b shown first; `first`, `exchanged`: P
    of what stands first in each order.
    """
    p, x = np.asarray(first, dtype=float), 1 - np.asarray(exchanged, dtype=float)
    fig, axes = empty(height=4.2)
    axes.fill([0.5, 1, 1, 0.5], [0, 0, 0.5, 0.5], color=ORANGE, alpha=0.12, label="the first place wins both times")
    axes.fill(
        [0, 0.5, 0.5, 0],
        [0.5, 0.5, 1, 1],
        color=PURPLE,
        alpha=0.12,
        hatch="//",
        label="the second place wins both times",
    )
    axes.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1.2, label="a judge without a bias")
    axes.plot(p, x, color=BLUE, marker=".", markersize=3, alpha=0.35, linestyle="none", label="pairs")
    axes.set(
        xlabel="P(a is better), a shown first",
        ylabel="P(a is better), b shown first",
        xlim=(0, 1),
        ylim=(0, 1),
        title=title,
    )
    finish(axes, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return fig


@in_style
def length_figure(extra_words, judges: dict[str, np.ndarray], title: str = "What are more words worth to the judge?"):
    """Mean log-odds for the first answer against the number of words that it has more, of pairs of equal worth:
    judges[name] [N]. Counts of fewer than 5 pairs are left out.
    """
    fig, axes = empty()
    extra = np.asarray(extra_words)
    kept = [n for n in np.unique(extra) if (extra == n).sum() >= 5]
    for (name, logits), (colour, mark, dash) in zip(judges.items(), STYLES[1:]):
        axes.plot(
            kept,
            [np.asarray(logits)[extra == n].mean() for n in kept],
            color=colour,
            marker=mark,
            markersize=4,
            linestyle=dash,
            linewidth=1.4,
            label=name,
        )
    limit_line(axes, 0, "a judge to whom words are worth nothing")
    axes.set(
        xlabel="words more in the first answer than in the second", ylabel="log-odds for the first answer", title=title
    )
    finish(axes)
    return fig


@in_style
def money_figure(
    points: dict[str, tuple[float, float, float]], start: float, limit: float, title: str = "What do labels buy?"
):
    """Gold utility against the coins that the labels cost: points[name] = (coins, utility, standard error); bars of
    1.96 standard errors.
    """
    fig, axes = empty()
    limit_line(axes, limit, f"the limit: frontier at 1 nat, {limit:.2f}")
    mark_line(axes, start, f"before any label, {start:.2f}")
    for (name, (coins, utility, error)), (colour, mark, _) in zip(points.items(), STYLES[1:]):
        axes.errorbar(
            coins, utility, yerr=1.96 * error, color=colour, marker=mark, capsize=3, linestyle="none", label=name
        )
    axes.set_xscale("log")
    axes.minorticks_off()
    spent = sorted({coins for coins, _, _ in points.values()})
    axes.set_xticks(spent, [f"{coins:,}" for coins in spent])
    axes.set(xlabel="coins spent on labels", ylabel="gold utility", title=title)
    finish(axes)
    return fig
