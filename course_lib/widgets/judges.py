"""Pictures of judges: agreement, accuracy against the best judge, reliability, a taste for length. Pure functions of their numbers; matplotlib comes late."""
import math

import numpy as np

from course_lib.widgets.curve import empty
from course_lib.widgets.palette import BLUE, GREEN, GREY, ORANGE, PURPLE


def kappa_figure(names: list[str], matrix: np.ndarray, title: str):
    """Cohen's κ of every judge with every other, the number in each field; the diagonal is left empty."""
    fig, axes = empty(height=1.4 + 0.45 * len(names))
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, np.asarray(matrix, dtype=float))
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(names)):
        for column in range(len(names)):
            value = shown[row, column]
            if math.isfinite(value):
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_title(title)
    return fig


def accuracy_figure(history: list[dict], limit: float, title: str = "How near does it come to the best judge?"):
    """Accuracy on the pairs of each step (running mean over 5 % of the run) against pairs seen, with coin and best judge as lines. history: rows with "rows", "accuracy"."""
    fig, axes = empty()
    axes.axhline(100 * limit, color="black", linestyle="--", linewidth=1.5, label=f"the limit: the best judge, {100 * limit:.1f} %")
    axes.axhline(50, color=GREY, linestyle=":", linewidth=1.2, label="a coin")
    if history:
        seen, right = [row["rows"] for row in history], np.array([100 * row["accuracy"] for row in history])
        window = max(1, len(history) // 20)
        mean = np.convolve(right, np.ones(window) / window, "valid")
        axes.plot(seen, right, color=BLUE, linewidth=0.7, alpha=0.3)
        axes.plot(seen[window - 1:], mean, color=BLUE, linewidth=1.5, label=f"reward model on the pairs of each step (running mean), now {mean[-1]:.1f} %")
    axes.set(xlabel="pairs seen", ylabel="accuracy (%)", title=title, ylim=(40, max(85, 100 * limit + 8)))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return fig


def size_figure(sizes: list[int], accuracies: list[float], errors: list[float], limit: float, title: str):
    """Accuracy on held-out pairs against the number of training pairs (logarithmic), with the best judge as a line; bars of two standard errors."""
    fig, axes = empty()
    axes.axhline(100 * limit, color="black", linestyle="--", linewidth=1.5, label=f"the limit: the best judge, {100 * limit:.1f} %")
    axes.errorbar(sizes, [100 * a for a in accuracies], yerr=[200 * e for e in errors], color=BLUE, marker="o", capsize=3, label="reward model, on held-out pairs")
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.set(xlabel="training pairs", ylabel="accuracy (%)", title=title)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return fig


def reliability_figure(judges: dict[str, tuple[np.ndarray, np.ndarray]], bins: int, title: str):
    """Share won against mean predicted probability, bin by bin: judges[name] = (p, won). A bar: 95 % of what chance gives; bins of fewer than 10 pairs are left out."""
    fig, axes = empty(height=4.2)
    axes.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1.2, label="perfectly calibrated")
    for (name, (p, won)), colour, mark in zip(judges.items(), (BLUE, ORANGE, GREEN, PURPLE), "os^D"):
        p, won = np.asarray(p, dtype=float), np.asarray(won, dtype=float)
        where = np.minimum((p * bins).astype(int), bins - 1)
        kept = [k for k in range(bins) if (where == k).sum() >= 10]
        x, y = [p[where == k].mean() for k in kept], [won[where == k].mean() for k in kept]
        bars = [1.96 * math.sqrt(max(v * (1 - v), 1e-9) / (where == k).sum()) for k, v in zip(kept, y)]
        axes.errorbar(x, y, yerr=bars, color=colour, marker=mark, capsize=3, linewidth=1.2, label=name)
    axes.set(xlabel="predicted probability that the first answer is preferred", ylabel="share of pairs where it was", xlim=(0, 1), ylim=(0, 1), title=title)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    return fig


def probe_figure(added: list[int], panels: dict[str, dict[str, list[float]]], ylabel: str):
    """A panel for each kind of padding, a line for each judge: panels[padding][judge][k] after `added[k]` pieces. Told apart by dashes as well as by colour."""
    fig, first = empty(height=3.4)
    fig.delaxes(first)
    axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for place, (padding, lines) in zip(axes, panels.items()):
        for (name, values), colour, dash in zip(lines.items(), (BLUE, ORANGE, "black", GREEN), ("-", "-.", "--", ":")):
            place.plot(added, values, color=colour, linestyle=dash, marker="o", markersize=4, label=name)
        place.set(xlabel=f"{padding} added", title=padding)
        place.set_xticks(added)
        place.grid(alpha=0.25)
    axes[0].set_ylabel(ylabel)
    fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=9, loc="outside lower center", ncols=len(next(iter(panels.values()))))
    return fig
