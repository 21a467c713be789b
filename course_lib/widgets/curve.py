"""The live training curve: loss against tokens seen, with the limit as a line.

`figure` is a pure function of the history, `LiveCurve` redraws it in place while a run goes on. Without a notebook front end it does nothing.
matplotlib is imported where it is used: it takes half a second that `import course_lib` should not pay.
"""

import io
import math
import time

from course_lib.widgets.palette import BLUE, GREEN, GREY, ORANGE, PURPLE


def figure(history: list[dict], entropy: float | None = None, uniform: float | None = None, title: str = "Loss against the limit"):
    """A matplotlib Figure. `history`: rows with "tokens", "train_loss" and "val_loss" (nats/token; a missing or None value is not drawn).

    `entropy` (nats/token) is the limit, drawn as a line and labelled; `uniform` (nats/token), log of the vocabulary size, is a line while the picture reaches so high.
    """
    fig, axes = empty()
    train, validation = points(history, "train_loss"), points(history, "val_loss")
    if train:
        axes.plot(*zip(*train), color=BLUE, linewidth=0.8, alpha=0.3)
        mean = smooth(train)
        axes.plot(*zip(*mean), color=BLUE, linewidth=1.5, label=f"training (running mean), now {mean[-1][1]:.3f}")
    if validation:
        axes.plot(*zip(*validation), color=ORANGE, marker="o", markersize=4, linewidth=1.2, label=f"validation, now {validation[-1][1]:.3f}")
    if entropy is not None:
        axes.axhline(entropy, color="black", linestyle="--", linewidth=1.5, label=f"the limit: entropy {entropy:.3f}")
    if uniform is not None:
        axes.axhline(uniform, color=GREY, linestyle=":", linewidth=1.2, label=f"every token equally likely: {uniform:.2f}")
    axes.set(xlabel="tokens seen", ylabel="loss (nats/token)", title=title)
    losses = (smooth(train) if train else []) + validation
    # the fall of the first steps would press the rest flat against the limit: once there is a rest, the first 4 % leave the picture
    late = [loss for tokens, loss in losses if len(train) > 60 and tokens >= 0.04 * train[-1][0]] or [loss for _, loss in losses] + [uniform]
    values = [value for value in (*late, entropy) if value is not None] or [0.0]
    low, high = min(values), max(values)
    axes.set_ylim(max(0.0, low - 0.08 * (high - low) - 0.02), high + 0.08 * (high - low) + 0.02)
    axes.xaxis.set_major_formatter(lambda tokens, _: human(tokens))
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)
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


def compare_figure(histories: dict[str, list[dict]], entropy: float):
    """Training losses of several runs (name → history) in one picture, against the limit. Told apart by dashes as well as by colour."""
    fig, axes = empty()
    for (name, history), colour, dash in zip(histories.items(), (BLUE, ORANGE, GREEN, PURPLE), ("-", "--", "-.", ":")):
        mean = smooth(points(history, "train_loss"), 0.04)
        axes.plot(*zip(*mean), color=colour, linestyle=dash, linewidth=1.5, label=f"{name}, at the end {mean[-1][1]:.3f}")
    axes.axhline(entropy, color="black", linestyle="--", linewidth=1.5, label=f"the limit: entropy {entropy:.3f}")
    axes.set(xlabel="tokens seen", ylabel="training loss, running mean (nats/token)", title="What did the change do?")
    axes.xaxis.set_major_formatter(lambda tokens, _: human(tokens))
    axes.legend(frameon=False, fontsize=9)
    return fig


def scaling_figure(sizes: list[float], losses: list[float], entropy: float, a: float, b: float):
    """Excess over the entropy against parameters, on logarithmic axes, with the fitted law a · N^−b."""
    fig, axes = empty()
    low, high = min(sizes), max(sizes)
    line = [low * (high / low) ** (k / 40) for k in range(41)]
    axes.loglog(line, [a * n**-b for n in line], color=GREY, linestyle="--", label=f"fitted: {a:.3g} · N^−{b:.3f}")
    axes.loglog(sizes, [loss - entropy for loss in losses], color=BLUE, marker="o", linestyle="none", label="measured")
    axes.set(xlabel="parameters N", ylabel="loss − entropy (nats/token)", title="How does the excess over the limit fall with size?")
    axes.minorticks_off()                # their labels run into each other
    axes.set_xticks(sizes, [f"{n / 1000:,.0f} k" for n in sizes])
    ticks = [k for k in (0.05, 0.1, 0.2, 0.5, 1, 2, 5) if min(losses) - entropy < 1.5 * k and k < 1.5 * (max(losses) - entropy)]
    axes.set_yticks(ticks, [f"{k:g}" for k in ticks])
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    return fig


def schedule_figure(rates: list[float]):
    """Learning rate against step."""
    fig, axes = empty(height=2.4)
    axes.plot(range(len(rates)), rates, color=BLUE)
    axes.set(xlabel="step", ylabel="learning rate", title="How large are the steps, and when?", ylim=(0, None))
    axes.grid(alpha=0.25)
    return fig


def empty(height: float = 3.6):
    """(Figure, axes) that belong to no pyplot window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7, height), dpi=100, layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.add_subplot()


def png(fig) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    return buffer.getvalue()


def render(history: list[dict], entropy: float | None = None, **options) -> bytes:
    """`figure` as PNG bytes."""
    return png(figure(history, entropy, **options))


def show(fig) -> None:
    """The picture in the notebook; nothing without a front end."""
    if has_front_end():
        from IPython.display import Image, display

        display(Image(png(fig)))


class LivePicture:
    """Give it to a run as `on_step`: it redraws `picture(history)`, a figure, in place, at most every `every` seconds, and nothing without a front end.

        live = LivePicture(lambda history: figure(history, entropy=1.2), "pre-training")
        pretrain(on_step=live)    # called with the history so far after each step
        live.close()              # draw the last steps too
    """

    def __init__(self, picture, display_id: str, every: float = 2.0, encode=png):
        self.picture, self.display_id, self.every, self.encode = picture, display_id, every, encode      # two of a notebook must not redraw each other
        self.history: list[dict] = []
        self.drawn_at, self.shown, self.front_end = -math.inf, False, has_front_end()

    def __call__(self, history: list[dict]) -> None:
        self.history = history
        if self.front_end and time.monotonic() - self.drawn_at >= self.every:
            self.draw()

    def draw(self) -> None:
        from IPython.display import Image, display

        display(Image(self.encode(self.picture(self.history))), display_id=self.display_id, update=self.shown)
        self.drawn_at, self.shown = time.monotonic(), True

    def close(self) -> None:
        if self.front_end and self.history:
            self.draw()


class LiveCurve(LivePicture):
    """The training curve, live: `figure` with these limits and this title."""

    def __init__(self, entropy: float | None = None, uniform: float | None = None, title: str = "Loss against the limit", every: float = 2.0, display_id: str | None = None):
        super().__init__(lambda history: figure(history, entropy, uniform, title), display_id or f"curve: {title}", every)


def has_front_end() -> bool:
    """True in a Jupyter kernel. False in a script, in a test, and in the terminal's IPython."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def show_widget(make, instead: str):
    """Make a widget (its front is `.box`), show it and return it; None without a front end, or without ipywidgets, which is said with what to do `instead`."""
    if not has_front_end():
        return None
    try:
        widget = make()
    except ImportError:
        print(f"ipywidgets is not installed here: {instead}")
        return None
    from IPython.display import display

    display(widget.box)
    return widget
