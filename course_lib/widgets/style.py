"""One style for all pictures of the course: colours, sizes, the limit as a line, a legend that says what a mark means,
PNGs that are the same bytes every time.

Every figure function of `widgets` is `in_style`, starts with `empty` or `panels` and ends with `finish`. Things are
told apart by marks, dashes or hatches as well as by colour. matplotlib is imported where it is used: it takes half a
second that `import course_lib` should not pay.
"""

import functools
import io
from collections.abc import Callable
from typing import Any

from course_lib.widgets.palette import AMBER, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY

# fmt: off
__all__ = [
    "AMBER", "BLUE", "GREEN", "GREY", "ORANGE", "PURPLE", "RED", "SKY", "STYLES", "describe", "empty", "finish",
    "in_style", "legend_below", "limit_line", "mark_line", "panels", "png", "small",
]
# fmt: on

# fmt: off
STYLES = (
    (BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PURPLE, "D", ":"), ("black", "P", (0, (5, 1))),
    (SKY, "v", (0, (1, 1))), (AMBER, "X", (0, (3, 1, 1, 1))), (RED, "*", (0, (6, 2))),
)
# fmt: on
# inches: what JupyterLab shows unscaled beside its file browser; dots an inch; points of a legend's letters
WIDTH, DPI, SMALL = 7.0, 100, 9

# what a person's matplotlibrc, or a notebook that sets rcParams, would otherwise change
RC: Any = {  # matplotlib's own type lists every key
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": 12.0,
    "axes.labelsize": 10.0,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "auto",
    "text.color": "black",
    "axes.labelcolor": "black",
    "axes.edgecolor": "black",
    "xtick.color": "black",
    "ytick.color": "black",
    "axes.unicode_minus": True,
    "text.usetex": False,
    "mathtext.fontset": "dejavusans",
    "savefig.bbox": None,
    "path.simplify": True,
}


def in_style(make: Callable) -> Callable:
    """A figure function that a notebook's own settings do not reach."""

    @functools.wraps(make)
    def made(*arguments, **options):
        from matplotlib import rc_context

        with rc_context(RC):
            return make(*arguments, **options)

    return made


def empty(height: float = 3.6, width: float = WIDTH):
    """(Figure, axes) that belong to no pyplot window; inches."""
    fig, [[axes]] = panels(1, 1, height, width)
    return fig, axes


def panels(rows: int, columns: int, height: float = 3.6, width: float = WIDTH, **options):
    """(Figure, axes [rows][columns])."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def limit_line(axes, value: float, label: str, upright: bool = False, **options) -> None:
    """The best result that there can be, as a line with its name: black and dashed in every picture."""
    draw = axes.axvline if upright else axes.axhline
    draw(value, **{"color": "black", "linestyle": "--", "linewidth": 1.5, "label": label, **options})


def mark_line(axes, value: float, label: str | None = None, upright: bool = False, **options) -> None:
    """A value to compare with that is no limit (a coin, the start, a target): grey and dotted."""
    draw = axes.axvline if upright else axes.axhline
    draw(value, **{"color": GREY, "linestyle": ":", "linewidth": 1.2, "label": label, **options})


def finish(axes, grid: str | None = "both", least: int = 1, **legend) -> None:
    """A faint grid, and a legend where at least so many things have a name; `legend` goes to matplotlib."""
    if grid:
        axes.grid(alpha=0.25, axis=grid)
    if len(axes.get_legend_handles_labels()[0]) >= least:
        axes.legend(**{"frameon": False, "fontsize": SMALL, **legend})


def legend_below(fig, columns: int) -> None:
    """One legend for the figure, under it: what a row of marks needs, which may stand anywhere in the axes. In at most
    so many columns: matplotlib would cut off what is wider than the picture.
    """
    handles = [pair for axes in fig.axes for pair in zip(*axes.get_legend_handles_labels())]
    named = {label: handle for handle, label in handles}
    for ncols in range(columns if named else 0, 0, -1):
        legend = fig.legend(
            list(named.values()), list(named), frameon=False, fontsize=SMALL, loc="outside lower center", ncols=ncols
        )
        if ncols == 1 or legend.get_window_extent().width <= fig.bbox.width:
            return
        legend.remove()


def png(fig) -> bytes:
    """The figure as PNG: the same figure gives the same bytes, whatever the settings and the date are."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context(RC):
        fig.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def small(picture: bytes, colours: int = 64) -> bytes:
    """The PNG in a palette: a quarter of the bytes, and a lab has many runs."""
    from PIL import Image

    made = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(colours).save(made, "png", optimize=True)
    return made.getvalue()


def describe(fig) -> str:
    """The figure in words, for those who do not see it: title, axes, and what its legend names (it has the numbers)."""
    said = [fig.get_suptitle()]
    for axes in fig.axes:
        labels = {"across": axes.get_xlabel(), "up": axes.get_ylabel()}
        along = [f"{words}: {label}" for words, label in labels.items() if label]
        shown = [label for label in axes.get_legend_handles_labels()[1] if not label.startswith("_")]
        said += [axes.get_title(), ", ".join(along), "; ".join(shown)]
    return ". ".join(" ".join(part.split()) for part in dict.fromkeys(said) if part).replace("?.", "?") + "."
