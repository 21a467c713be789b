"""A picture of the five ways, day by day."""

from course_lib.widgets import style
from course_lib.widgets.style import BLUE, GREEN, GREY, ORANGE, PURPLE, in_style, legend_below

STYLES = ((GREY, "x", ":"), (PURPLE, "D", "-."), (BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-"))


@in_style
def days_figure(panels: dict[str, dict[str, dict[int, float]]], title: str):
    """Panels side by side: panels[name][way][day] = share. Told apart by mark and dash as well as by colour."""
    fig, [places] = style.panels(1, len(panels), height=3.6, width=10, sharey=True)
    for axes, (name, ways) in zip(places, panels.items()):
        for (way, shares), (colour, mark, dash) in zip(ways.items(), STYLES):
            axes.plot(
                list(shares),
                [100 * share for share in shares.values()],
                color=colour,
                marker=mark,
                linestyle=dash,
                markersize=6,
                linewidth=1.5,
                label=way,
            )
        axes.set(xlabel="day", title=name, ylim=(-4, 104))
        axes.set_xticks(sorted({day for shares in ways.values() for day in shares}))
        axes.grid(alpha=0.25)
    places[0].set_ylabel("% of the questions")
    legend_below(fig, 3)
    fig.suptitle(title)
    return fig
