"""Lab 11, what a score is worth: tables, pictures and comparisons beside SciPy. lab11_release.py has the vendor and the
release.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_lib.evaluation import comparison, release
from course_lib.evaluation.intervals import wilson
from course_lib.stages.rollout import assistant, roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets import release as pictures
from course_lib.widgets.table import table, your_run
from course_lib.world.annotators import utility

SCORES = (*release.AXES, "score")


def span(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def share_of(values) -> float:
    return float(torch.as_tensor(values).double().mean())


def groups_of(rows: list[dict]) -> dict[str, Bool[Tensor, " N"]]:
    """{group: which rows are of it}."""
    return {group: torch.tensor([row["group"] == group for row in rows]) for group in release.GROUPS}


def show_answers(taken: dict[str, list[dict]]) -> None:
    """The first row of each group with each model's answer."""
    rows = next(iter(taken.values()))
    for group in release.GROUPS:
        k = next(k for k, row in enumerate(rows) if row["group"] == group)
        print(f"[{group}] {' ▸ '.join(m['content'] for m in rows[k]['messages'][:-1])}")
        for name, those in taken.items():
            print(f"    {name}: {those[k]['answer'][:110]!r} {'✓' if those[k]['right'] else '✗'}")


def axes_table(exams: dict[str, list[dict]]) -> dict[str, dict[str, float]]:
    """A line for each model: the three axes and their product. Returns `release.axes` of each."""
    found = {name: release.axes(taken) for name, taken in exams.items()}
    rows = [(name, *(got[axis] for axis in SCORES)) for name, got in found.items()]
    table({"": "", **dict.fromkeys(SCORES, ".3f")}, rows)
    return found


# ------------------------------------------------------------------------------------------------------------ intervals


def beside_scipy(interval, values: Bool[Tensor, " N"], clusters: Int[Tensor, " N"], rounds: int) -> None:
    """The intervals of `interval` beside SciPy's bootstrap with the same draws, by rows and by clusters; equal to
    1e-5.
    """
    from scipy.stats import bootstrap

    some, who = values.double().numpy(), clusters.unique(return_inverse=True)[1].numpy()
    sums, sizes = np.bincount(who, some), np.bincount(who)
    options = {"n_resamples": rounds, "method": "percentile"}
    rng = lambda: np.random.default_rng(0)
    by_rows = bootstrap((some,), np.mean, rng=rng(), **options)
    mean = lambda s, n, axis=-1: s.sum(axis) / n.sum(axis)
    by_cluster = bootstrap((sums, sizes), mean, paired=True, vectorized=True, rng=rng(), **options)
    lines = []
    for name, theirs, who_ in (("rows", by_rows, torch.arange(len(some))), ("residents", by_cluster, clusters)):
        low, high = interval(values, who_)[1:]
        limits = theirs.confidence_interval
        assert max(abs(low - limits.low), abs(high - limits.high)) < 1e-5
        lines.append((name, low, high, limits.low, limits.high))
    table({"drawn by": "", **dict.fromkeys(("low", "high", "SciPy's low", "SciPy's high"), ".6f")}, lines)


def intervals_table(interval, models: dict[str, Bool[Tensor, " N"]], residents) -> dict[str, tuple[float, float]]:
    """Wilson's interval of each share, the bootstrap's by rows and by residents. Returns {model: (width by rows, width
    by residents)}.
    """
    widths, lines = {}, []
    for name, values in models.items():
        by_rows, by_resident = interval(values, torch.arange(len(values)))[1:], interval(values, residents)[1:]
        widths[name] = (by_rows[1] - by_rows[0], by_resident[1] - by_resident[0])
        limits = (wilson(int(values.sum()), len(values)), by_rows, by_resident)
        lines.append((name, share_of(values), *(span(*each) for each in limits)))
    heads = {"instructions and facts": "", "right": ".1%", "Wilson": "", "drawn by rows": "", "by residents": ""}
    table(heads, lines)
    return widths


def groups_picture(right: dict[str, Tensor], groups: dict[str, Tensor]) -> None:
    found = {
        name: {
            g: (share_of(values[here]), *wilson(int(values[here].sum()), int(here.sum()))) for g, here in groups.items()
        }
        for name, values in right.items()
    }
    curve.show(pictures.forest(found, "Which groups tell the three models apart?"))


def differences(right, residents, p_values: dict[tuple[str, str], float], interval, size: str) -> dict:
    """right: of the rows compared. The difference of each pair of models, its p-values and intervals, unpaired and
    paired, and how many rows an exam needs to see 2 points. Returns {pair: {"difference", "unpaired p", "p", "width":
    (unpaired, paired), "rows": (unpaired, paired)}}.
    """
    from scipy.stats import binomtest, fisher_exact

    found, lines, alike, shown = {}, [], [], {"unpaired": {}, "paired": {}}
    for (one, other), p in p_values.items():
        a, b = right[one], right[other]
        n, only_a, only_b = len(a), int((a & ~b).sum()), int((b & ~a).sum())
        assert abs(p - (binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0)) < 1e-5
        apart = fisher_exact([[int(a.sum()), int((~a).sum())], [int(b.sum()), int((~b).sum())]]).pvalue
        pa, pb = share_of(a), share_of(b)
        variances = (pa * (1 - pa) + pb * (1 - pb), (only_a + only_b) / n)  # of a row's difference: unpaired, paired
        error = math.sqrt(variances[0] / n)
        # seen at 5 % in four of five exams: (1.96 + 0.84)² · variance / 0.02²
        rows = tuple(round(2.8**2 * variance / 0.02**2) for variance in variances)
        alike += [f"{one} and {other}"] * (rows[1] == 0)
        name, middle = f"{one} − {other}", interval(a.double() - b.double(), residents)
        shown["unpaired"][name] = (pa - pb, pa - pb - 1.96 * error, pa - pb + 1.96 * error)
        shown["paired"][name] = middle
        width = (2 * 1.96 * error, middle[2] - middle[1])
        found[name] = {"difference": pa - pb, "unpaired p": float(apart), "p": p, "width": width, "rows": rows}
        lines.append((name, pa - pb, f"{only_a}, {only_b}", apart, p, *(count or None for count in rows)))
    heads = {"": "", "difference": "+.1%", "only A, only B": "", "unpaired p": ".3f", "paired p": ".3f"}
    table(heads | {"rows for 2 points, unpaired": ",", "paired": ","}, lines)
    label = "difference of the shares, percentage points (line: 95 % interval)"
    curve.show(pictures.forest(shown, "How large is the difference?", label, zero=True))
    unpaired, paired = (sum(each["width"][k] for each in found.values()) for k in (0, 1))
    narrower = f"Over the three pairs the paired interval has {paired / max(unpaired, 1e-9):.0%} of the unpaired width."
    same = "They got the same rows right, so no number of rows like these can tell them apart: {}."
    your_run(narrower, *([same.format("; ".join(alike))] if alike else []), size=size, shows="small differences")
    return found


# ---------------------------------------------------------------------------------------------------------- win rates


def two_settings(model, rows: list[dict], temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Gold utility of one model's answers to questions after facts and unknowns: A answers greedily, B is sampled at
    this temperature.
    """
    asked = [row for row in rows if row["group"] in ("facts", "unknown")]
    a = [utility(row, row["answer"]) for row in release.take(model, asked)]
    prompts = [{**row, "messages": row["messages"][:-1]} for row in asked]
    sampled = roll_out(assistant(model, temperature), load_tokenizer(), prompts, 1, seed=1).answers
    return np.array(a), np.array([utility(row, answer) for row, answer in zip(asked, sampled)])


TURNED = {"first": "second", "second": "first", "tie": "tie"}


def win_rates(rate_of, A: np.ndarray, B: np.ndarray, biases: list[float]) -> dict:
    """A's win rate and its error before judges of these biases, with A always first, always second, and in both
    orders. A judge without bias gives "fair", the exact expectation.
    """
    fair = comparison.fair_win_rate(A, B)
    found = {"A always first": [], "A always second": [], "both orders": []}
    for bias in biases:
        a_first, b_first = comparison.verdicts(A, B, bias, seed=1), comparison.verdicts(B, A, bias, seed=2)
        found["A always first"].append(rate_of(a_first, [TURNED[v] for v in a_first]))  # one order, counted twice
        found["A always second"].append(rate_of([TURNED[v] for v in b_first], b_first))
        found["both orders"].append(rate_of(a_first, b_first))
    table(
        {"wins of A, ± 1.96 errors": "", **{f"bias {bias:g}": "" for bias in biases}},
        [(name, *(f"{100 * p:.1f} ± {196 * e:.1f} %" for p, e in line)) for name, line in found.items()],
        f"{len(A)} pairs, {(A == B).mean():.0%} of them of equal worth; a judge without a bias gives A {fair:.1%}",
    )
    curve.show(pictures.favourite_place(biases, found, fair))
    return found | {"fair": fair}


# ---------------------------------------------------------------------------------------------------- many comparisons

IDEAS = (
    "a waxing moon, an even house number, before noon, a red door, rain, a left-handed asker, the week of the fair, "
    "a name of five letters, a goose in sight, low water, candle light, the second bell, a full purse, a cold kitchen, "
    "north wind, market day, a borrowed pen, new shoes, an open window, a sneeze"
).split(", ")


def coin_studies(values: Bool[Tensor, " N"], n: int, seed: int = 11) -> list[list[float]]:
    """n studies: in each the rows are divided in two halves by tossing coins, once for each of IDEAS. p-values (Fisher)
    of the difference between the halves.
    """
    from scipy.stats import fisher_exact

    size = len(values) // 2 * 2
    half, wrong = size // 2, int((~values[:size]).sum())
    table_of = lambda k: [[k, half - k], [wrong - k, half - (wrong - k)]]
    p_of = {k: float(fisher_exact(table_of(k)).pvalue) for k in range(max(0, wrong - half), min(wrong, half) + 1)}
    drawn = np.random.default_rng(seed).hypergeometric(wrong, size - wrong, half, (n, len(IDEAS)))
    return [[p_of[k] for k in study] for study in drawn.tolist()]


def studies_table(studies: list[list[float]], adjust, size: str) -> tuple[int, int]:
    """How many studies find something before and after `adjust`, and the first one that does, as it would be reported.
    Returns the two numbers.
    """
    level = 0.05
    before, after = (sum(min(study) <= level for study in made) for made in (studies, [adjust(s) for s in studies]))
    lucky = next((study for study in studies if min(study) <= level), studies[0])
    ranked = sorted(zip(IDEAS, lucky, adjust(lucky)), key=lambda row: row[1])
    title = f"Study {studies.index(lucky) + 1:,}, the first that found something: its three smallest of {len(IDEAS)}"
    table({"worse or better with": "", "p": ".3f", "after Holm": ".3f"}, ranked[:3], title)
    curve.show(pictures.findings(lucky, title="Twenty coins: which of them are findings?"))
    expected = len(studies) * (1 - (1 - level) ** len(IDEAS))
    print(f"If each coin alone had a chance of exactly 5 %, {expected:.0f} of {len(studies):,} studies would find one.")
    your_run(
        f"{before} of {len(studies):,} studies found something before the correction, {after} after it.", size=size
    )
    return before, after


def groups_table(right: dict[str, Tensor], groups: dict[str, Tensor]) -> None:
    heads = {"": "", "instructions right": ".1%", "harmful refused": ".1%", "benign explained": ".1%"}
    shown = ("instructions", "harmful", "benign")
    table(heads, [(name, *(share_of(values[groups[g]]) for g in shown)) for name, values in right.items()])


def wilson_of(right: int, n: int) -> tuple[float, float, float]:
    """(share, low, high)."""
    return (right / n, *wilson(right, n))


def restated(weighted, values: list[bool], slices: list[str], mixes: dict[str, dict]) -> dict[str, tuple[float, float]]:
    return {name: weighted(values, slices, mix) for name, mix in mixes.items()}


def restated_table(found: dict[str, dict[str, tuple[float, float]]], exams: dict[str, float] | None = None) -> None:
    """Share right in each mix, ± 1.96 errors; exams: the share of all rows of the release exam."""
    mixes = list(next(iter(found.values())))
    heads = {"share right, ± 1.96 errors": "", **({"release exam": ".1%"} if exams else {}), **dict.fromkeys(mixes, "")}
    texts = lambda made: [f"{100 * share:.1f} ± {196 * error:.1f} %" for share, error in made.values()]
    table(heads, [(name, *([exams[name]] if exams else []), *texts(made)) for name, made in found.items()])
