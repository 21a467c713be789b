"""A picture of the five ways, day by day."""

from course_lib.widgets.curve import empty
from course_lib.widgets.palette import BLUE, GREEN, GREY, ORANGE, PURPLE

STYLES = ((GREY, "x", ":"), (PURPLE, "D", "-."), (BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-"))


def days_figure(panels: dict[str, dict[str, dict[int, float]]], title: str):
    """Panels side by side: panels[name][way][day] = share. Told apart by mark and dash as well as by colour."""
    fig, axes = empty(height=3.4)
    axes.remove()
    fig.set_size_inches(10, 3.4)
    for place, (name, ways) in enumerate(panels.items()):
        axes = fig.add_subplot(1, len(panels), place + 1)
        for (way, shares), (colour, mark, dash) in zip(ways.items(), STYLES):
            axes.plot(list(shares), [100 * share for share in shares.values()], color=colour, marker=mark, linestyle=dash, markersize=6, linewidth=1.5, label=way)
        axes.set(xlabel="day", title=name, ylim=(-4, 104), ylabel="% of the questions" if place == 0 else None)
        axes.set_xticks(sorted({day for shares in ways.values() for day in shares}))
        axes.grid(alpha=0.25)
        if place == 0:
            axes.legend(frameon=False, fontsize=9)
    fig.suptitle(title)
    return fig
