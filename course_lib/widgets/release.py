"""Pictures of an evaluation: intervals side by side, the mix of two sets of queries, many p-values, a judge's favourite
place.

Pure functions give figures. Told apart by marks, dashes and hatches as well as by colour.
"""

from course_lib.widgets.style import BLUE, STYLES, empty, finish, in_style, legend_below, limit_line, mark_line


@in_style
def forest(
    groups: dict[str, dict[str, tuple[float, float, float]]],
    title: str,
    xlabel: str = "% right (line: 95 % interval)",
    zero: bool = False,
):
    """A row for each entry, a mark with its interval for each group: groups[name][entry] = (value, low, high), shares.
    The line stands at 100 %, the limit, or with `zero` at 0, for differences.
    """
    entries = list(dict.fromkeys(entry for group in groups.values() for entry in group))
    fig, axes = empty(height=1.4 + 0.34 * len(entries))
    for place, ((name, group), (colour, mark, _)) in enumerate(zip(groups.items(), STYLES)):
        shift = 0.22 * (place - (len(groups) - 1) / 2)
        for entry, (value, low, high) in group.items():
            row = entries.index(entry) + shift
            axes.plot([100 * low, 100 * high], [row, row], color=colour, linewidth=1.5)
            axes.plot(
                100 * value,
                row,
                color=colour,
                marker=mark,
                markersize=5,
                linestyle="none",
                label=name if entry == next(iter(group)) else None,
            )
    if zero:
        mark_line(axes, 0, "no difference", upright=True)
    else:
        limit_line(axes, 100, "the limit: 100 %", upright=True)
    axes.set_yticks(range(len(entries)), entries)
    axes.set_ylim(len(entries) - 0.5, -0.5)
    axes.set(xlabel=xlabel, title=title)
    axes.grid(alpha=0.25, axis="x")
    legend_below(fig, len(groups) + 1)
    return fig


@in_style
def mixes(mixes: dict[str, dict[str, float]], title: str = "What is trained, what is asked?"):
    """Bars side by side: mixes[name][slice] = weight, in any unit. Two or three mixes."""
    slices = list(dict.fromkeys(slice_ for mix in mixes.values() for slice_ in mix))
    fig, axes = empty(height=1.2 + 0.42 * len(slices))
    height = 0.8 / len(mixes)
    for place, ((name, mix), (colour, *_), hatch) in enumerate(zip(mixes.items(), STYLES, ("", "//", ".."))):
        total = sum(mix.values())
        rows = [k + height * (place - (len(mixes) - 1) / 2) for k in range(len(slices))]
        axes.barh(
            rows,
            [100 * mix.get(slice_, 0) / total for slice_ in slices],
            height=height,
            color=colour,
            alpha=0.8,
            hatch=hatch,
            label=name,
        )
    axes.set_yticks(range(len(slices)), slices)
    axes.set_ylim(len(slices) - 0.5, -0.5)
    axes.set(xlabel="share, %", title=title)
    finish(axes, grid="x")
    return fig


@in_style
def findings(p_values: list[float], level: float = 0.05, title: str = "Which of them are findings?"):
    """The p-values in order of size, with the level as it is and as Holm lowers it: those under the stepped line, up to
    the first above it, are findings.
    """
    ranked = sorted(p_values)
    fig, axes = empty()
    places = range(1, len(ranked) + 1)
    axes.semilogy(
        places, [max(p, 1e-6) for p in ranked], color=BLUE, marker="o", markersize=5, linestyle="none", label="p-value"
    )
    mark_line(axes, level, f"level {level:g}: {sum(p <= level for p in ranked)} under it")
    axes.step(
        places,
        [level / (len(ranked) - k) for k in range(len(ranked))],
        where="mid",
        color="black",
        linestyle="--",
        linewidth=1.5,
        label="level of each rank, Holm",
    )
    axes.set_xticks(list(places)[:: max(1, len(ranked) // 10)])
    axes.set(xlabel="rank of the comparison", ylabel="p-value", title=title)
    axes.grid(alpha=0.25)
    legend_below(fig, 3)  # within the axes it lies on the level or on the points
    return fig


@in_style
def favourite_place(
    biases: list[float], lines: dict[str, list[tuple[float, float]]], fair: float, title: str = "How often does A win?"
):
    """A's share of wins against the judge's bias: lines[name][k] = (share, standard error) at biases[k]; `fair`: what
    the judge without a bias gives.
    """
    fig, axes = empty()
    for (name, line), (colour, mark, dash) in zip(lines.items(), STYLES):
        shares = [100 * share for share, _ in line]
        axes.plot(biases, shares, color=colour, marker=mark, markersize=5, linestyle=dash, label=name)
        axes.fill_between(
            biases,
            [100 * (s - 1.96 * e) for s, e in line],
            [100 * (s + 1.96 * e) for s, e in line],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    limit_line(axes, 100 * fair, f"the limit: the judge without a bias, {100 * fair:.1f} %")
    axes.set(
        xlabel="worth of standing first (in units of worth)",
        ylabel="wins of A, % (band: 95 % interval)",
        title=title,
        ylim=(0, 100),
    )
    finish(axes)
    return fig
