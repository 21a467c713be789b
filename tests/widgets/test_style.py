"""Every picture of the course: axes with labels, a name for each thing, the limit as a line, the same bytes twice, and
a few beside stored ones.

After a deliberate change of a picture: `python tests/widgets/test_style.py` stores the pictures anew (look at them).
"""

import ast
import hashlib
import importlib
import inspect
import io
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import widgets
from course_lib.widgets import (
    alignment,
    attention,
    crawl,
    curve,
    feedback,
    judges,
    lifecycle,
    reasoning,
    release,
    rlhf,
    safety,
    scaling,
    shares,
    style,
    tour,
    ways,
)

STORED = Path(__file__).parent / "pictures"
RUN = [
    {
        "tokens": 1000 * k,
        "rows": 8 * k,
        "step": k,
        "train_loss": 2 + 3 * 0.8**k,
        "val_loss": 2.2 + 3 * 0.8**k if k % 5 == 0 else None,
        "reward": 0.1 * k,
        "gold": 1.0,
        "kl": 0.05 * k,
        "entropy": 0.3,
        "length": 9.0,
        "accuracy": 0.6 + 0.005 * k,
        "chosen": 0.1 * k,
        "rejected": -0.1 * k,
        "sample": "A word.",
    }
    for k in range(20)
]
COUNTS = {"plain": (8, 10), "story": (6, 10)}
JUDGED = [{"kind": kind, "refused": bool(k % 2)} for kind in ("harmful", "benign") for k in range(10)]
HALF = np.linspace(0.1, 0.9, 40)
WEIGHTS = torch.softmax(
    torch.arange(2 * 2 * 16, dtype=torch.float32)
    .view(2, 2, 4, 4)
    .masked_fill(torch.ones(4, 4, dtype=torch.bool).triu(1), -torch.inf),
    -1,
)
TOURED = [
    {
        "name": "sft",
        "title": "Fine-tuning",
        "figures": [{"metric": "right", "value": 98.0, "limit": 100, "unit": "%"}],
        "note": "",
        "seconds": 3.0,
    }
]

TRIED = {split: {1: (0.7, 0.02), 8: (0.9, 0.01)} for split in reasoning.SPLITS}

# each figure function with toy data, and the limit that it is given: (value, is the line upright?)
# fmt: off
FIGURES = {
    "alignment.pairs_figure": (lambda: alignment.pairs_figure(RUN), None),
    "alignment.compute_figure": (lambda: alignment.compute_figure({"DPO": [(1, 2.0), (2, 2.1)],
        "PPO": [(1, 2.0), (4, 2.2)]}, 1.9), None),
    "attention.figure": (lambda: attention.figure(["<|bos|>", " a", " $b$", "↵"], WEIGHTS), None),
    "crawl.banding_figure": (lambda: crawl.banding_figure([0.1, 0.2], [0.7, 0.9]), None),
    "curve.figure": (lambda: curve.figure(RUN, entropy=1.7, uniform=4.9), (1.7, False)),
    "curve.compare_figure": (lambda: curve.compare_figure({"base": RUN, "changed": RUN}, 1.7), (1.7, False)),
    "curve.schedule_figure": (lambda: curve.schedule_figure([0.1, 0.2, 0.1]), None),
    "feedback.refusals_figure": (lambda: feedback.refusals_figure({"before": COUNTS, "after": COUNTS}, ("story",)),
        (100, True)),
    "feedback.orders_figure": (lambda: feedback.orders_figure(HALF, 1 - HALF), None),
    "feedback.length_figure": (lambda: feedback.length_figure(np.repeat([0, 1, 2], 10),
        {"judge": np.arange(30.0), "other": -np.arange(30.0)}), (0, False)),
    "feedback.money_figure": (lambda: feedback.money_figure({"people": (1000, 2.0, 0.1), "judge": (10, 1.9, 0.1)}, 1.5,
        2.4), (2.4, False)),
    "judges.kappa_figure": (lambda: judges.kappa_figure(["a", "b"], np.array([[1, 0.5], [0.5, 1]]), "Who agrees?"),
        None),
    "judges.accuracy_figure": (lambda: judges.accuracy_figure(RUN, 0.72), (72, False)),
    "judges.loss_figure": (lambda: judges.loss_figure({"one": RUN, "other": RUN}, 1.7), (1.7, False)),
    "judges.size_figure": (lambda: judges.size_figure([100, 1000], [0.6, 0.7], [0.02, 0.01], 0.72, "How many pairs?"),
        (72, False)),
    "judges.reliability_figure": (lambda: judges.reliability_figure({"a": (HALF, HALF > 0.5), "b": (HALF, HALF > 0.3)},
        2, "Calibrated?"), None),
    "judges.probe_figure": (lambda: judges.probe_figure([0, 1, 2],
        {"flattery": {"a": [0, 1, 2], "b": [0, 0, 0]}, "length": {"a": [0, 1, 2], "b": [0, 0, 0]}}, "reward"), None),
    "lifecycle.figure": (lambda: lifecycle.figure(PHASES, "02"), None),
    "reasoning.pass_figure": (lambda: reasoning.pass_figure({"before": TRIED, "after": TRIED}), (100, False)),
    "reasoning.weight_figure": (lambda: reasoning.weight_figure({"grpo": {0.1: 0.3, 0.5: 0.5},
        "maxrl": {0.1: 0.9, 0.5: 0.5}}, 8), None),
    "reasoning.cost_figure": (lambda: reasoning.cost_figure({"chain": (0.7, 27.0, 38.6), "vote": (0.9, 432.0, 480.0)}),
        (100, False)),
    "release.forest": (lambda: release.forest({"before": {"fact": (0.5, 0.4, 0.6)},
        "after": {"fact": (0.9, 0.8, 0.95)}}, "Better?"), (100, True)),
    "release.mixes": (lambda: release.mixes({"trained": {"fact": 2.0, "list": 1.0},
        "asked": {"fact": 1.0, "list": 1.0}}), None),
    "release.findings": (lambda: release.findings([0.001, 0.02, 0.4]), None),
    "release.favourite_place": (lambda: release.favourite_place([0.0, 1.0],
        {"one order": [(0.5, 0.02), (0.7, 0.02)], "both": [(0.5, 0.02), (0.5, 0.02)]}, 0.55), (55, False)),
    "rlhf.figure": (lambda: rlhf.figure(RUN, "PPO", target=1.0), (1.0, False)),
    "rlhf.plane": (lambda: rlhf.plane([(0.5, 2.4), (1.0, 2.6)], 1.9,
        {"PPO": [(0.6, 2.2)], "best of n": [(0.2, 2.1), (0.5, 2.3)]}), "curve"),
    "rlhf.overoptimisation": (lambda: rlhf.overoptimisation([0, 5, 10], [5.0, 6.0, 7.0], [2.0, 2.5, 1.0], turn=5),
        None),
    "safety.plane_figure": (lambda: safety.plane_figure({"before": JUDGED, "after": JUDGED}), "curve"),
    "safety.rates_figure": (lambda: safety.rates_figure({"before": COUNTS, "after": COUNTS},
        "harmful requests refused, %", "Which?", limit=100), (100, True)),
    "safety.roc_figure": (lambda: safety.roc_figure({"guard": ([0, 0.5, 1], [0, 0.8, 1], 0.65),
        "other": ([0, 0.5, 1], [0, 0.6, 1], 0.55)}, {"chosen": (0.5, 0.8)}), None),
    "safety.cost_figure": (lambda: safety.cost_figure([0.0, 1.0], {"1 in 10": [2.0, 1.0], "1 in 100": [0.2, 0.3]}),
        None),
    "scaling.isoflop_figure": (lambda: scaling.isoflop_figure(
        [{"budget": c, "parameters": n, "excess": 0.5 + (k - 1) ** 2 / 10} for c in (1e9, 4e9)
         for k, n in enumerate((1e4, 3e4, 9e4))], 0.6), (0.6, False)),
    "shares.kinds_figure": (lambda: shares.kinds_figure({"before": COUNTS, "after": COUNTS}, "Right?"), (100, True)),
    "shares.epochs_figure": (lambda: shares.epochs_figure([0, 1],
        {"known": [(1, 10), (9, 10)], "new": [(0, 10), (5, 10)]}, "When?"), (100, False)),
    "tour.figure": (lambda: tour.figure(TOURED), (100, True)),
    "ways.days_figure": (lambda: ways.days_figure({"right": {"closed": {1: 0.5, 2: 0.4}, "open": {1: 0.9, 2: 0.9}},
        "outdated": {"closed": {1: 0.5, 2: 0.4}, "open": {1: 0.9, 2: 0.9}}}, "Day by day"), None),
}
# fmt: on
PHASES = lifecycle.blank()
PHASES[1]["stages"] = [
    {
        "name": "pretrain",
        "origin": "yours",
        "figures": [{"metric": "above the entropy", "value": 2.44, "limit": 0, "unit": "%"}],
    }
]
LIMITS = {"entropy", "limit", "frontier", "target", "fair"}  # what a figure function calls its limit
KEPT = ("curve.figure", "rlhf.plane", "safety.rates_figure", "attention.figure", "lifecycle.figure")


def figure_functions():
    """Names of the package's functions that begin a picture."""
    for module in (
        importlib.import_module(f"{widgets.__name__}.{found.name}") for found in pkgutil.iter_modules(widgets.__path__)
    ):
        if module is not style:
            for function in (
                node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.FunctionDef)
            ):
                called = {
                    ast.unparse(node.func).split(".")[-1] for node in ast.walk(function) if isinstance(node, ast.Call)
                }
                if called & {"empty", "panels", "Figure", "subplots"}:
                    yield f"{module.__name__.split('.')[-1]}.{function.name}"


def names(fig):
    """What is written into a figure's legends and beside its marks."""
    legends = [*fig.legends, *(axes.get_legend() for axes in fig.axes if axes.get_legend())]
    return [text.get_text() for each in legends for text in each.get_texts()] + [
        text.get_text() for axes in fig.axes for text in axes.texts
    ]


def test_the_list_of_figures_is_whole():
    assert sorted(figure_functions()) == sorted(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_says_what_it_shows(name):
    fig = FIGURES[name][0]()
    for axes in (axes for axes in fig.axes if axes.axison and not hasattr(axes, "_colorbar")):
        words = [text.get_text() for text in axes.get_yticklabels() if not text.get_text().strip("−-0123456789.,%k")]
        shared = len(fig.axes) > 1 and axes is not fig.axes[0]
        assert axes.get_xlabel() or fig.get_supxlabel(), f"{name}: no label along x"
        assert axes.get_ylabel() or fig.get_supylabel() or not words or shared and fig.axes[0].get_ylabel(), (
            f"{name}: no label along y"
        )
        drawn = [
            artist
            for artist in [*axes.lines, *axes.containers, *axes.images]
            if not str(artist.get_label()).startswith("_")
        ]
        assert not drawn or names(fig) or len(drawn) == 1 and axes.get_ylabel(), f"{name}: nothing says which is which"
        looks = [
            (line.get_linestyle(), line.get_marker(), line.get_linewidth() > 1)
            for line in axes.lines
            if not line.get_label().startswith("_") and line.get_label() in names(fig)
        ]
        assert len(set(looks)) == len(looks), f"{name}: two things differ in colour alone"
    assert fig.get_suptitle() or any(axes.get_title() for axes in fig.axes) or not fig.axes[0].axison, (
        f"{name}: no title"
    )
    assert style.describe(fig).count(":") >= 1 or not fig.axes[0].axison


@pytest.mark.parametrize("name", FIGURES)
def test_no_legend_is_cut_off(name):
    fig = FIGURES[name][0]()
    style.png(fig)  # the layout is made when it is drawn
    for legend in [*fig.legends, *filter(None, (axes.get_legend() for axes in fig.axes))]:
        box = legend.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= fig.bbox.width + 1, f"{name}: the legend is wider than the picture"


def test_a_legend_below_takes_the_columns_that_fit():
    fig, axes = style.empty()
    for k in range(4):
        axes.plot([0, 1], [0, k], label=f"a rather long name of a thing, number {k}")
    style.legend_below(fig, 4)
    (legend,) = fig.legends
    assert legend._ncols == 2 and legend.get_window_extent().width <= fig.bbox.width


@pytest.mark.parametrize("name", FIGURES)
def test_the_limit_is_a_named_line(name):
    make, limit = FIGURES[name]
    module, function = name.split(".")
    takes = LIMITS & set(
        inspect.signature(getattr(importlib.import_module(f"course_lib.widgets.{module}"), function)).parameters
    )
    assert limit or not takes, f"{name} takes {takes} and no test gives it one"
    fig = make()
    if limit == "curve":
        assert any("the limit" in text for text in names(fig))
    elif limit:
        value, upright = limit
        lines = [
            line
            for axes in fig.axes
            for line in axes.lines
            if set(np.round(np.asarray(line.get_xdata() if upright else line.get_ydata(), dtype=float), 6)) == {value}
            and line.get_linestyle() == "--"
        ]
        assert lines and lines[0].get_label(), f"{name}: no dashed line at {value}"
        assert lines[0].get_label() in [*names(fig), *(label.get_text() for label in fig.axes[0].get_xticklabels())], (
            f"{name}: the limit has no name"
        )


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_picture_twice_whatever_the_settings(name):
    import matplotlib

    first = style.png(FIGURES[name][0]())
    with matplotlib.rc_context(
        {
            "font.size": 17,
            "figure.facecolor": "black",
            "savefig.dpi": 30,
            "axes.labelcolor": "red",
            "font.family": ["serif"],
            "savefig.bbox": "tight",
        }
    ):
        second = style.png(FIGURES[name][0]())
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()
    assert b"Software" not in first and len(first) < 200_000


def blocks(picture: bytes) -> np.ndarray:
    """Mean colour of each square of 8 pixels."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return np.asarray(image.resize((image.width // 8, image.height // 8), Image.Resampling.BOX), dtype=float)


def difference(a: bytes, b: bytes) -> float:
    """Largest difference of a square's colour, of 255; 255 for another size."""
    a, b = blocks(a), blocks(b)
    return float(np.abs(a - b).max()) if a.shape == b.shape else 255.0


def stored(name: str) -> bytes:
    import matplotlib

    picture = (STORED / f"{name}.png").read_bytes()
    drawn_by = Image.open(io.BytesIO(picture)).info["matplotlib"]
    if drawn_by.split(".")[:2] != matplotlib.__version__.split(".")[:2]:
        pytest.skip(f"the stored picture is of matplotlib {drawn_by}, whose letters and margins are others")
    return picture


@pytest.mark.parametrize("name", KEPT)
def test_as_stored(name):
    assert difference(style.png(FIGURES[name][0]()), stored(name)) < 12


def test_another_picture_is_noticed():
    assert difference(style.png(curve.figure(RUN, entropy=None, uniform=4.9)), stored("curve.figure")) > 24, (
        "without its limit"
    )
    changed = [{**row, "train_loss": row["train_loss"] + 0.4} for row in RUN]
    assert difference(style.png(curve.figure(changed, entropy=1.7, uniform=4.9)), stored("curve.figure")) > 24
    assert difference(style.png(lifecycle.figure(PHASES, "03")), stored("lifecycle.figure")) > 24
    assert sum(path.stat().st_size for path in STORED.iterdir()) < 200_000 and {
        path.stem for path in STORED.iterdir()
    } == set(KEPT)


def test_letters_read_against_every_ground():
    """WCAG: a contrast of 4.5 for text, 3 for lines and marks, on white and on what the heat maps lay over light and
    dark pages.
    """
    assert all(
        contrast(rgb(colour), (255, 255, 255)) > 3
        for colour in (style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PURPLE, style.GREY)
    )


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def contrast(a, b) -> float:
    linear = lambda c: c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4
    light = [sum(w * linear(c) for w, c in zip((0.2126, 0.7152, 0.0722), colour)) for colour in (a, b)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def store():
    import matplotlib
    from PIL.PngImagePlugin import PngInfo

    STORED.mkdir(exist_ok=True)
    for name in KEPT:
        info = PngInfo()
        info.add_text("matplotlib", matplotlib.__version__)
        picture = Image.open(io.BytesIO(style.png(FIGURES[name][0]()))).convert("RGB")
        picture.save(STORED / f"{name}.png", optimize=True, pnginfo=info)


if __name__ == "__main__":
    store()
