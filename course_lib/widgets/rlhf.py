"""Pictures of reinforcement learning: a run as it goes on, utility against KL with the frontier, and proxy against
gold.

Pure functions give figures; `LiveRun` redraws one in place during a run and does nothing without a front end.
"""

import math

from course_lib.widgets.curve import LivePicture, smooth
from course_lib.widgets.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    empty,
    finish,
    in_style,
    limit_line,
    mark_line,
    panels,
    png,
    small,
)

PANELS = (
    ("reward", "reward"),
    ("kl", "KL (nats an answer)"),
    ("entropy", "entropy (nats a token)"),
    ("length", "length (tokens)"),
)
# fmt: off
MARKS = (
    (BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (GREY, "v"), ("black", "P"), (RED, "X"), (SKY, "*"),
    (AMBER, "p"),
)
# fmt: on


@in_style
def figure(history: list[dict], title: str = "", target: float | None = None):
    """Reward, KL, entropy and length against the step, and what the policy said first and says now. `history`: see
    `stages.rollout.improve`; a row's "gold", where there is one, is drawn beside the reward. `target`: nats an answer
    that β steers to.
    """
    fig, places = panels(2, 2, height=5.2, width=8)
    for axes, (key, label) in zip(places.flat, PANELS):
        line(axes, history, key, BLUE, "-", label)
        if key == "reward" and any("gold" in row for row in history):
            line(axes, history, "gold", ORANGE, "--", "gold utility, not trained on")
        if key == "kl" and target is not None:
            limit_line(axes, target, f"target {target:g}")
        if key != "reward":
            axes.set_ylim(bottom=0)
        axes.set(xlabel="step", ylabel=label)
        finish(axes, least=2, fontsize=8)  # a line alone is named by its axis
    fig.suptitle(title)
    if history:
        some = {row["step"]: row for row in (history[0], history[len(history) // 2], history[-1])}
        said = "\n".join(f"step {step}: {clipped(row['sample'])}" for step, row in some.items())
        fig.supxlabel(said, fontsize=9, family="monospace", x=0.02, ha="left", parse_math=False)
    return fig


def line(axes, history: list[dict], key: str, colour: str, dash: str, label: str) -> None:
    """A thin line of the numbers and a thick one of their running mean."""
    pairs = [(row["step"], float(row[key])) for row in history if row.get(key) is not None and math.isfinite(row[key])]
    if pairs:
        axes.plot(*zip(*pairs), color=colour, linewidth=0.8, alpha=0.35)
        axes.plot(*zip(*smooth(pairs, 0.08)), color=colour, linestyle=dash, linewidth=1.5, label=label)


def clipped(text: str, length: int = 88) -> str:
    """One line of at most `length` characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


@in_style
def plane(
    frontier: list[tuple[float, float]],
    start: float,
    points: dict[str, list[tuple[float, float]]],
    title: str = "What does a nat of KL buy?",
    most: float = 2.5,
):
    """Gold utility against KL: the frontier as a line from (0, start), each policy of `points` {name: [(kl, utility),
    …]} as a mark, or as a line of marks. Names are told apart by shape as well as by colour. What lies beyond `most`
    nats stands at the right edge, with its KL in the legend.
    """
    fig, axes = empty(height=4.2)
    curve = [(0.0, start), *((kl, u) for kl, u in frontier if kl <= most)]
    axes.plot(*zip(*curve), color="black", linewidth=1.5, label="the limit: frontier of the optimal policies")
    axes.plot(
        0, start, color="black", marker="*", markersize=10, linestyle="none", label=f"reference model, {start:.2f}"
    )
    for (name, pairs), (colour, mark) in zip(points.items(), MARKS * (1 + len(points) // len(MARKS))):
        beyond = [kl for kl, _ in pairs if kl > most]
        axes.plot(
            [min(kl, most) for kl, _ in pairs],
            [u for _, u in pairs],
            color=colour,
            marker=mark,
            markersize=6,
            linewidth=1,
            linestyle="--" if len(pairs) > 1 else "none",
            label=name + (f" (at {beyond[0]:.1f} nats)" if beyond else ""),
        )
    axes.set(
        xlabel="KL from the reference model (nats an answer)",
        ylabel="gold utility",
        title=title,
        xlim=(-0.05, most * 1.03),
    )
    finish(axes, fontsize=8)
    return fig


@in_style
def overoptimisation(
    steps: list[int],
    proxy: list[float],
    gold: list[float],
    turn: int | None = None,
    window: int = 7,
    title: str = "Does the gold utility follow the reward model?",
):
    """Proxy (the reward model) and gold utility against the step, each as its change since the start, thick lines
    averaged over `window` measurements around each; the turning point as a line.
    """
    fig, axes = empty()
    for values, colour, dash, label in (
        (proxy, BLUE, "-", "reward model (trained on)"),
        (gold, ORANGE, "--", "gold utility (only looked at)"),
    ):
        parts = [values[max(0, k - window // 2) : k + window // 2 + 1] for k in range(len(values))]
        smoothed = [sum(part) / len(part) for part in parts]
        if smoothed:
            thin, thick = ([value - smoothed[0] for value in curve] for curve in (values, smoothed))
            axes.plot(steps, thin, color=colour, linewidth=0.8, alpha=0.35)
            axes.plot(steps, thick, color=colour, linestyle=dash, linewidth=1.5, label=label)
    if turn is not None:
        mark_line(axes, turn, f"turning point: step {turn}", upright=True, color="black")
    mark_line(axes, 0, linestyle="-", linewidth=0.8)
    axes.set(xlabel="step", ylabel="change since the start", title=title)
    finish(axes)
    return fig


class LiveRun(LivePicture):
    """Give it to `ppo` or `grpo` as `on_step`: the picture of the run, live, in few bytes.

    live = LiveRun("PPO", target=1.0)
    ppo(…, on_step=live)
    live.close()        # draw the last steps too
    """

    def __init__(self, title: str, target: float | None = None, every: float = 2.0):
        super().__init__(
            lambda history: figure(history, title, target), f"run: {title}", every, encode=lambda fig: small(png(fig))
        )
