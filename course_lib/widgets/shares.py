"""Pictures of shares with their 95 % intervals: by kind of task, and along a training run."""

from course_lib.evaluation.intervals import wilson
from course_lib.widgets.style import STYLES, empty, in_style, legend_below, limit_line


@in_style
def kinds_figure(groups: dict[str, dict[str, tuple[int, int]]], title: str):
    """A row for each kind, a mark with its interval for each group that has it: groups[name][kind] = (right, n). Told
    apart by shape as well as by colour.
    """
    kinds = sorted({kind for counts in groups.values() for kind in counts})
    fig, axes = empty(height=1.2 + 0.34 * len(kinds))
    for place, ((name, counts), (colour, mark, _)) in enumerate(zip(groups.items(), STYLES)):
        shift = 0.26 * (place - (len(groups) - 1) / 2)
        for kind, (right, n) in counts.items():
            row = kinds.index(kind)
            low, high = wilson(right, n)
            axes.plot([100 * low, 100 * high], [row + shift] * 2, color=colour, linewidth=1.5)
            axes.plot(
                100 * right / n,
                row + shift,
                color=colour,
                marker=mark,
                markersize=5,
                linestyle="none",
                label=name if kind == next(iter(counts)) else None,
            )
    limit_line(axes, 100, "the limit: 100 %", upright=True)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    least = min(100 * wilson(*of)[0] for counts in groups.values() for of in counts.values())
    axes.set(xlabel="right, % (line: 95 % interval)", xlim=(least // 10 * 10 - 1, 101), title=title)
    axes.grid(alpha=0.25, axis="x")
    legend_below(fig, len(groups) + 1)
    return fig


@in_style
def epochs_figure(epochs: list[float], lines: dict[str, list[tuple[int, int]]], title: str):
    """Share right after each number of epochs (evenly spaced, 0 is before the training), with intervals: lines[name][k]
    = (right, n) after epochs[k].
    """
    fig, axes = empty()
    places = range(len(epochs))
    for (name, counts), (colour, mark, dash) in zip(lines.items(), STYLES):
        shares = [100 * right / n for right, n in counts]
        low, high = zip(*(wilson(right, n) for right, n in counts))
        axes.plot(
            places,
            shares,
            color=colour,
            marker=mark,
            markersize=5,
            linestyle=dash,
            label=f"{name}, at the end {shares[-1]:.0f} %",
        )
        axes.fill_between(
            places, [100 * x for x in low], [100 * x for x in high], color=colour, alpha=0.15, linewidth=0
        )
    axes.set_xticks(places, [f"{n:g}" for n in epochs])
    limit_line(axes, 100, "the limit: 100 %")
    axes.set(
        xlabel="epochs over the small training set",
        ylabel="right, % (band: 95 % interval)",
        ylim=(-3, 105),
        title=title,
    )
    axes.grid(alpha=0.25)
    legend_below(fig, len(lines) + 1)
    return fig
