"""The live training curve: loss against tokens seen, with the limit as a line.

`figure` is a pure function of the history, `LiveCurve` redraws it in place while a run goes on. Without a notebook
front end it does nothing. The labs draw pictures of their own with `curve.empty`, `curve.show` and the colours, which
come from style.py and front.py.
"""

import math
import time

from course_lib.widgets.front import has_front_end, show_png
from course_lib.widgets.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    STYLES,
    describe,
    empty,
    finish,
    in_style,
    limit_line,
    mark_line,
    png,
)

# fmt: off
__all__ = [
    "BLUE", "GREEN", "GREY", "ORANGE", "PURPLE", "LiveCurve", "LivePicture", "compare_figure", "empty", "figure",
    "human", "png", "points", "render", "schedule_figure", "show", "smooth",
]
# fmt: on


@in_style
def figure(
    history: list[dict],
    entropy: float | None = None,
    uniform: float | None = None,
    title: str = "Loss against the limit",
):
    """A matplotlib Figure. `history`: rows with "tokens", "train_loss" and "val_loss" (nats/token; a missing or None
    value is not drawn).

    `entropy` (nats/token) is the limit, drawn as a line and labelled; `uniform` (nats/token), log of the vocabulary
    size, is a line while the picture reaches so high.
    """
    fig, axes = empty()
    train, validation = points(history, "train_loss"), points(history, "val_loss")
    if train:
        axes.plot(*zip(*train), color=BLUE, linewidth=0.8, alpha=0.3, label="training, each batch")
        mean = smooth(train)
        axes.plot(*zip(*mean), color=BLUE, linewidth=1.5, label=f"training (running mean), now {mean[-1][1]:.3f}")
    if validation:
        axes.plot(
            *zip(*validation),
            color=ORANGE,
            marker="o",
            markersize=4,
            linewidth=1.2,
            label=f"validation, now {validation[-1][1]:.3f}",
        )
    if entropy is not None:
        limit_line(axes, entropy, f"the limit: entropy {entropy:.3f}")
    axes.set(xlabel="tokens seen", ylabel="loss (nats/token)", title=title)
    losses = (smooth(train) if train else []) + validation
    # the fall of the first steps would press the rest flat against the limit: once there is a rest, the first 4 % leave
    # the picture
    late = [loss for tokens, loss in losses if len(train) > 60 and tokens >= 0.04 * train[-1][0]] or [
        loss for _, loss in losses
    ] + [uniform]
    values = [value for value in (*late, entropy) if value is not None] or [0.0]
    low, high = min(values), max(values)
    axes.set_ylim(max(0.0, low - 0.08 * (high - low) - 0.02), high + 0.08 * (high - low) + 0.02)
    if uniform is not None and uniform <= axes.get_ylim()[1]:
        mark_line(axes, uniform, f"every token equally likely: {uniform:.2f}")
    axes.xaxis.set_major_formatter(lambda tokens, _: human(tokens))
    finish(axes)
    return fig


def points(history: list[dict], key: str) -> list[tuple[float, float]]:
    """(tokens, loss) pairs, without the rows where the loss is missing or not finite."""
    pairs = [(row["tokens"], row.get(key)) for row in history]
    return [(tokens, float(loss)) for tokens, loss in pairs if loss is not None and math.isfinite(loss)]


def smooth(pairs: list[tuple[float, float]], share: float = 0.01) -> list[tuple[float, float]]:
    """The losses averaged over the last 1 % of the run so far (at least one step): one batch is noisy."""
    window = max(1, round(share * len(pairs)))
    total, made = 0.0, []
    for place, (tokens, loss) in enumerate(pairs):
        total += loss - (pairs[place - window][1] if place >= window else 0.0)
        made.append((tokens, total / min(place + 1, window)))
    return made


def human(tokens: float) -> str:
    """1500000 → "1.5 M"."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(tokens) >= size:
            return f"{tokens / size:g}{letter}"
    return f"{tokens:g}"


@in_style
def compare_figure(histories: dict[str, list[dict]], entropy: float):
    """Training losses of several runs (name → history) in one picture, against the limit. Told apart by marks and
    dashes as well as by colour.
    """
    fig, axes = empty()
    for (name, history), (colour, sign, dash) in zip(histories.items(), STYLES):
        mean = smooth(points(history, "train_loss"), 0.04)
        axes.plot(
            *zip(*mean),
            color=colour,
            linestyle=dash,
            marker=sign,
            markevery=0.2,
            markersize=4,
            linewidth=1.5,
            label=f"{name}, at the end {mean[-1][1]:.3f}",
        )
    limit_line(axes, entropy, f"the limit: entropy {entropy:.3f}")
    axes.set(xlabel="tokens seen", ylabel="training loss, running mean (nats/token)", title="What did the change do?")
    axes.xaxis.set_major_formatter(lambda tokens, _: human(tokens))
    finish(axes)
    return fig


@in_style
def schedule_figure(rates: list[float]):
    """Learning rate against step."""
    fig, axes = empty(height=2.4)
    axes.plot(range(len(rates)), rates, color=BLUE)
    axes.set(xlabel="step", ylabel="learning rate", title="How large are the steps, and when?", ylim=(0, None))
    finish(axes)
    return fig


def render(history: list[dict], entropy: float | None = None, **options) -> bytes:
    """`figure` as PNG bytes."""
    return png(figure(history, entropy, **options))


def show(fig) -> None:
    """The picture in the notebook, described in words; nothing without a front end."""
    if has_front_end():
        show_png(png(fig), describe(fig))


class LivePicture:
    """Give it to a run as `on_step`: it redraws `picture(history)`, a figure, in place, at most every `every` seconds,
    and nothing without a front end.

    live = LivePicture(lambda history: figure(history, entropy=1.2), "pre-training")
    pretrain(on_step=live)    # called with the history so far after each step
    live.close()              # draw the last steps too
    """

    def __init__(self, picture, display_id: str, every: float = 2.0, encode=png):
        self.picture, self.display_id, self.every, self.encode = (
            picture,
            display_id,
            every,
            encode,
        )  # two of a notebook must not redraw each other
        self.history: list[dict] = []
        self.drawn_at, self.shown, self.front_end = -math.inf, False, has_front_end()

    def __call__(self, history: list[dict]) -> None:
        self.history = history
        if self.front_end and time.monotonic() - self.drawn_at >= self.every:
            self.draw()

    def draw(self) -> None:
        fig = self.picture(self.history)
        show_png(self.encode(fig), describe(fig), display_id=self.display_id, update=self.shown)
        self.drawn_at, self.shown = time.monotonic(), True

    def close(self) -> None:
        if self.front_end and self.history:
            self.draw()


class LiveCurve(LivePicture):
    """The training curve, live: `figure` with these limits and this title."""

    def __init__(
        self,
        entropy: float | None = None,
        uniform: float | None = None,
        title: str = "Loss against the limit",
        every: float = 2.0,
        display_id: str | None = None,
    ):
        super().__init__(
            lambda history: figure(history, entropy, uniform, title), display_id or f"curve: {title}", every
        )
