"""Pictures of safety: the plane of the two refusal rates, rates by disguise or category, ROC curves, the cost of a
threshold. Each share has its 95 % interval.

Told apart by shape and dash as well as by colour. `counted` and `split_by` turn judged rows (evaluation/safety.py) into
the counts that are drawn.
"""

import math

from course_lib.evaluation.intervals import wilson
from course_lib.widgets.style import GREY, STYLES, empty, finish, in_style, legend_below, limit_line


def counted(rows: list[dict], kind: str, key: str = "refused") -> tuple[int, int]:
    """(how many of the rows of a kind have `key`, how many there are)."""
    those = [bool(row[key]) for row in rows if row["kind"] == kind]
    return sum(those), len(those)


def split_by(rows: list[dict], key: str) -> dict[str, list[dict]]:
    """{value of row[key]: its rows}, in alphabetical order."""
    return {value: [row for row in rows if row[key] == value] for value in sorted({row[key] for row in rows})}


def percent(right: int, n: int) -> str:
    """ "97.5 % (95.1 to 98.7)": the share with its 95 % interval; a dash where there is nothing."""
    if not n:
        return "–"
    low, high = wilson(right, n)
    return f"{100 * right / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


@in_style
def plane_figure(models: dict[str, list[dict]], title: str = "Which requests are refused?"):
    """Each model (judged rows) as a point: benign requests refused to the right, harmful ones refused upwards. The
    limit is the upper left corner.
    """
    fig, axes = empty(height=4.4)
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=1.2, label="refusing at random")
    for (name, rows), (colour, mark, _) in zip(models.items(), STYLES):
        (x, n), (y, m) = counted(rows, "benign"), counted(rows, "harmful")
        if n and m:
            at, (left, right), (low, high) = (100 * x / n, 100 * y / m), wilson(x, n), wilson(y, m)
            axes.plot([100 * left, 100 * right], [at[1]] * 2, color=colour, linewidth=1.2)
            axes.plot([at[0]] * 2, [100 * low, 100 * high], color=colour, linewidth=1.2)
            axes.plot(*at, color=colour, marker=mark, markersize=7, linestyle="none", label=name)
    axes.plot(
        0, 100, color="black", marker="*", markersize=14, linestyle="none", label="the limit", clip_on=False, zorder=0
    )
    axes.set(
        xlabel="benign requests refused, % (bar: 95 % interval)",
        ylabel="harmful requests refused, %",
        xlim=(-3, 103),
        ylim=(-3, 103),
        title=title,
    )
    axes.grid(alpha=0.25)
    fig.legend(frameon=False, fontsize=9, loc="outside right upper")
    return fig


@in_style
def rates_figure(groups: dict[str, dict[str, tuple[int, int]]], xlabel: str, title: str, limit: float | None = None):
    """A row for each kind of request, a mark with its interval for each group: groups[name][kind] = (how many, n).
    `limit` in %, a line.
    """
    kinds = list(dict.fromkeys(kind for counts in groups.values() for kind in counts))
    fig, axes = empty(height=1.4 + 0.4 * len(kinds))
    for place, ((name, counts), (colour, mark, _)) in enumerate(zip(groups.items(), STYLES)):
        shift = 0.7 / len(groups) * (place - (len(groups) - 1) / 2)
        named = False
        for row, kind in enumerate(kinds):
            right, n = counts.get(kind, (0, 0))
            if n:
                low, high = wilson(right, n)
                axes.plot([100 * low, 100 * high], [row + shift] * 2, color=colour, linewidth=1.5)
                axes.plot(
                    100 * right / n,
                    row + shift,
                    color=colour,
                    marker=mark,
                    markersize=5,
                    linestyle="none",
                    label=None if named else name,
                )
                named = True
    if limit is not None:
        limit_line(axes, limit, f"the limit: {limit:g} %", upright=True)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(max(1, len(kinds)) - 0.5, -0.5)
    ends = [
        100 * end for counts in groups.values() for right, n in counts.values() if n for end in wilson(right, n)
    ] + ([] if limit is None else [limit]) or [0, 100]
    axes.set(
        xlabel=f"{xlabel} (bar: 95 % interval)",
        xlim=(min(ends) // 10 * 10 - 1, -(-max(ends) // 10) * 10 + 1),
        title=title,
    )
    axes.grid(alpha=0.25, axis="x")
    legend_below(fig, min(3, len(groups) + (limit is not None)))
    return fig


@in_style
def roc_figure(
    curves: dict[str, tuple],
    chosen: dict[str, tuple[float, float]] | None = None,
    title: str = "What does each threshold catch, and at which price?",
):
    """ROC curves: curves[name] = (false alarms, caught, area), shares along all thresholds; chosen[name] = (false
    alarms, caught) marks thresholds.
    """
    fig, axes = empty(height=4.0)
    for (name, (alarms, caught, area)), (colour, _, dash) in zip(curves.items(), STYLES):
        axes.plot(
            [100 * float(x) for x in alarms],
            [100 * float(y) for y in caught],
            color=colour,
            linestyle=dash,
            linewidth=1.6,
            label=f"{name}, area {float(area):.3f}",
        )
    for (name, (alarm, hit)), (_, mark, _) in zip((chosen or {}).items(), STYLES):
        axes.plot(
            100 * alarm,
            100 * hit,
            color="black",
            marker=mark,
            markersize=7,
            markerfacecolor="none",
            linestyle="none",
            label=name,
        )
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=1.2, label="a coin, area 0.5")
    axes.set(
        xlabel="false alarms: benign requests blocked, %",
        ylabel="harmful requests blocked, %",
        xlim=(-2, 102),
        ylim=(-2, 102),
        title=title,
    )
    finish(axes, loc="lower right")
    return fig


@in_style
def cost_figure(thresholds: list[float], lines: dict[str, list[float]], title: str = "Where is a threshold cheapest?"):
    """Expected cost a request against the threshold, a line for each base rate, its lowest point marked; thresholds
    that are not finite are left out.
    """
    fig, axes = empty()
    for (name, costs), (colour, mark, dash) in zip(lines.items(), STYLES):
        pairs = sorted((t, c) for t, c in zip(thresholds, costs) if math.isfinite(t))
        axes.plot(*zip(*pairs), color=colour, linestyle=dash, linewidth=1.4, drawstyle="steps-pre", label=name)
        axes.plot(
            *min(pairs, key=lambda pair: (pair[1], -pair[0])), color=colour, marker=mark, markersize=7, linestyle="none"
        )
    axes.set(
        xlabel="threshold (log-odds of harm; what scores as much or more is blocked)",
        ylabel="expected cost a request",
        yscale="log",
        title=title,
    )
    finish(axes)
    return fig
