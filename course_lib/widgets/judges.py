"""Pictures of judges: agreement, accuracy against the best judge, reliability, a taste for length. Pure functions of
their numbers; matplotlib comes late.
"""

import math

import numpy as np

from course_lib.widgets import style
from course_lib.widgets.style import (
    BLUE,
    GREEN,
    ORANGE,
    STYLES,
    empty,
    finish,
    in_style,
    legend_below,
    limit_line,
    mark_line,
)


@in_style
def kappa_figure(names: list[str], matrix: np.ndarray, title: str):
    """Cohen's κ of every judge with every other, the number in each field; the diagonal is left empty."""
    fig, axes = empty(height=1.4 + 0.45 * len(names))
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, np.asarray(matrix, dtype=float))
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(names)):
        for column in range(len(names)):
            value = shown[row, column]
            if math.isfinite(value):
                axes.text(
                    column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black"
                )
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="judge", ylabel="judge", title=f"{title} (Cohen's κ; 1: always, 0: as by chance)")
    return fig


@in_style
def accuracy_figure(history: list[dict], limit: float, title: str = "How near does it come to the best judge?"):
    """Accuracy on the pairs of each step (running mean over 5 % of the run) against pairs seen, with coin and best
    judge as lines. history: rows with "rows", "accuracy".
    """
    fig, axes = empty()
    limit_line(axes, 100 * limit, f"the limit: the best judge, {100 * limit:.1f} %")
    mark_line(axes, 50, "a coin")
    if history:
        seen, right = [row["rows"] for row in history], np.array([100 * row["accuracy"] for row in history])
        window = max(1, len(history) // 20)
        mean = np.convolve(right, np.ones(window) / window, "valid")
        axes.plot(seen, right, color=BLUE, linewidth=0.7, alpha=0.3)
        axes.plot(
            seen[window - 1 :],
            mean,
            color=BLUE,
            linewidth=1.5,
            label=f"reward model on the pairs of each step (running mean), now {mean[-1]:.1f} %",
        )
    axes.set(xlabel="pairs seen", ylabel="accuracy (%)", title=title, ylim=(30, max(85, 100 * limit + 8)))
    finish(axes, loc="lower right")
    return fig


@in_style
def loss_figure(runs: dict[str, list[dict]], best: float):
    """The loss that each run reports (running mean over the pairs of 10 % of it) against pairs seen, with what the best
    judge pays as a line. runs: name → history, rows with "rows", "train_loss". Told apart by marks and dashes too.
    """
    fig, axes = empty()
    for (name, history), (colour, mark, dash) in zip(runs.items(), STYLES):
        window = max(1, len(history) // 10)
        seen, losses = (np.array([row[key] for row in history]) for key in ("rows", "train_loss"))
        pairs = np.diff(seen, prepend=0)  # of each step; the last one may have few
        total, counted = (np.convolve(numbers, np.ones(window), "valid") for numbers in (pairs * losses, pairs))
        axes.plot(
            seen[window - 1 :],
            total / counted,
            color=colour,
            linestyle=dash,
            marker=mark,
            markevery=0.2,
            markersize=4,
            label=name,
        )
    limit_line(axes, best, f"the best judge pays {best:.3f}")
    axes.set(xlabel="pairs seen", ylabel="reported loss (nats/pair)", title="A loss that is too good")
    finish(axes)
    return fig


@in_style
def size_figure(sizes: list[int], accuracies: list[float], errors: list[float], limit: float, title: str):
    """Accuracy on held-out pairs against the number of training pairs (logarithmic), with the best judge as a line;
    bars of two standard errors.
    """
    fig, axes = empty()
    limit_line(axes, 100 * limit, f"the limit: the best judge, {100 * limit:.1f} %")
    axes.errorbar(
        sizes,
        [100 * a for a in accuracies],
        yerr=[200 * e for e in errors],
        color=BLUE,
        marker="o",
        capsize=3,
        label="reward model, on held-out pairs",
    )
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.set(xlabel="training pairs", ylabel="accuracy (%)", title=title)
    finish(axes, loc="lower right")
    return fig


@in_style
def reliability_figure(judges: dict[str, tuple[np.ndarray, np.ndarray]], bins: int, title: str):
    """Share won against mean predicted probability, bin by bin: judges[name] = (p, won). A bar: 95 % of what chance
    gives; bins of fewer than 10 pairs are left out.
    """
    fig, axes = empty(height=4.2)
    axes.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1.2, label="perfectly calibrated")
    for (name, (p, won)), (colour, mark, _) in zip(judges.items(), STYLES):
        p, won = np.asarray(p, dtype=float), np.asarray(won, dtype=float)
        where = np.minimum((p * bins).astype(int), bins - 1)
        kept = [k for k in range(bins) if (where == k).sum() >= 10]
        x, y = [p[where == k].mean() for k in kept], [won[where == k].mean() for k in kept]
        bars = [1.96 * math.sqrt(max(v * (1 - v), 1e-9) / (where == k).sum()) for k, v in zip(kept, y)]
        axes.errorbar(x, y, yerr=bars, color=colour, marker=mark, capsize=3, linewidth=1.2, label=name)
    axes.set(
        xlabel="predicted probability that the first answer is preferred",
        ylabel="share of pairs where it was",
        xlim=(0, 1),
        ylim=(0, 1),
        title=title,
    )
    finish(axes)
    return fig


@in_style
def probe_figure(added: list[int], panels: dict[str, dict[str, list[float]]], ylabel: str):
    """A panel for each kind of padding, a line for each judge: panels[padding][judge][k] after `added[k]` pieces. Told
    apart by dashes as well as by colour.
    """
    fig, [axes] = style.panels(1, len(panels), height=3.4, sharey=True)
    for place, (padding, lines) in zip(axes, panels.items()):
        for (name, values), colour, dash in zip(lines.items(), (BLUE, ORANGE, "black", GREEN), ("-", "-.", "--", ":")):
            place.plot(added, values, color=colour, linestyle=dash, marker="o", markersize=4, label=name)
        place.set(xlabel=f"{padding} added", title=padding)
        place.set_xticks(added)
        place.grid(alpha=0.25)
    axes[0].set_ylabel(ylabel)
    legend_below(fig, len(next(iter(panels.values()))))
    return fig
