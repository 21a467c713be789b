"""Pictures of lab 12: right once in k tries, what a prompt weighs, what a right answer costs."""

from course_lib.widgets.style import STYLES, finish, in_style, legend_below, limit_line, panels

SPLITS = {"residents": "new residents", "kinds": "held-out kinds of questions"}


@in_style
def pass_figure(curves: dict[str, dict[str, dict[int, tuple[float, float]]]]):
    """{model: {split: {k: (mean, standard error)}}} as lines of pass@k in %, a panel a split."""
    fig, [places] = panels(1, len(SPLITS), width=8, sharey=True)
    for axes, (split, title) in zip(places, SPLITS.items()):
        limit_line(axes, 100, "the limit")
        for (name, of), (colour, mark, dash) in zip(curves.items(), STYLES):
            ks, values = list(of[split]), list(of[split].values())
            mean, error = [100 * m for m, _ in values], [196 * e for _, e in values]
            axes.errorbar(ks, mean, error, color=colour, marker=mark, linestyle=dash, capsize=2, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.set(xlabel="k (tries a question)", title=title, ylim=(0, 104))
        axes.grid(alpha=0.25)
    places[0].set_ylabel("right in at least one of k (%), bars: 95 %")
    legend_below(fig, 4)
    return fig


@in_style
def weight_figure(weights: dict[str, dict[float, float]], group: int):
    """{kind of advantage: {pass rate p: the prompt's weight}}."""
    fig, [[axes]] = panels(1, 1)
    for (kind, of), (colour, mark, dash) in zip(weights.items(), STYLES):
        shown = {"color": colour, "marker": mark, "linestyle": dash, "markersize": 4, "label": kind}
        axes.plot([100 * p for p in of], list(of.values()), **shown)
    axes.set(
        xlabel="share of the prompt's chains that are right (%)", ylabel="weight of the prompt's gradient",
        title=f"What a prompt weighs, groups of {group}", ylim=(0, None),
    )  # fmt: skip
    finish(axes)
    return fig


@in_style
def cost_figure(costs: dict[str, tuple[float, float, float]]):
    """{way of answering: (share right, tokens a question, tokens a right answer)}: accuracy against tokens."""
    fig, [[axes]] = panels(1, 1, height=4)
    limit_line(axes, 100, "the limit")
    for (way, (share, tokens, _)), (colour, mark, _) in zip(costs.items(), STYLES):
        axes.plot(tokens, 100 * share, color=colour, marker=mark, linestyle="none", markersize=8, label=way)
    axes.set_xscale("log")
    axes.set(xlabel="tokens written for a question (log scale)", ylabel="answered right (%)", ylim=(0, 104))
    axes.set_title("What does a right answer cost?")
    finish(axes, loc="lower right")
    return fig
