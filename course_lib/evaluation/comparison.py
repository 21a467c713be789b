"""Is one model better than another? Intervals by resampling, paired tests, judges with a favourite place, many
comparisons, seen test rows, another mix.

Sources: bootstrap, Efron 1979, percentile form · paired test, McNemar 1947, exact form · both orders before a judge,
Zheng et al. 2023 (2306.05685) · the judge with ties, Rao and Kupper 1967 · many comparisons, Holm 1979 · share of seen
words, Touvron et al. 2023 (2307.09288, A.6) · another mix: post-stratification, as in survey statistics, its error by
Agresti and Coull 1998.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PLACES = {"first": 1.0, "second": 0.0, "tie": 0.5}  # what the answer that stood first gets from a verdict
TIES = 0.4  # width of the judge's indifference, in units of worth


def draw(n: int, rounds: int = 2000, seed: int = 0) -> Int[Tensor, "R N"]:
    """In each round n numbers from 0 … n − 1 with replacement: which rows (or clusters) a resampled exam has. As
    scipy.stats.bootstrap draws them.
    """
    return torch.from_numpy(np.random.default_rng(seed).integers(0, n, (rounds, n)))


def resampled(
    values: Float[Tensor, " N"], clusters: Int[Tensor, " N"], draws: Int[Tensor, "R C"]
) -> Float[Tensor, " R"]:
    """Mean of the values in each round. A cluster that is drawn brings all its values, one that is drawn twice brings
    them twice.
    """
    sums = torch.zeros(draws.shape[1], dtype=torch.float64).index_add(0, clusters, values.double())
    counts = torch.bincount(clusters, minlength=draws.shape[1]).double()
    return sums[draws].sum(1) / counts[draws].sum(1)


def bootstrap_interval(
    values: Float[Tensor, " N"], clusters: Int[Tensor, " N"], draws: Int[Tensor, "R C"]
) -> tuple[float, float]:
    """(low, high): 95 % percentile interval of the mean; `clusters`: 0 … C − 1 for each value."""
    low, high = np.percentile(resampled(values, clusters, draws), [2.5, 97.5])
    return float(low), float(high)


def mcnemar(a: Bool[Tensor, " N"], b: Bool[Tensor, " N"]) -> float:
    """Two-sided exact p-value for two models on the same rows: of the rows that one alone got right, is it a fair coin
    who did? 1 where there is none.
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1))  # whole numbers: no power of ½ that underflows
    return min(1.0, 2 * tail / 2**n)


def win_rate(a_first: list[str], b_first: list[str]) -> tuple[float, float]:
    """(A's share of wins, standard error), each pair judged in both orders: verdicts "first", "second" or "tie" with
    A's answer first, and with B's. A pair is one observation. The error of a single pair is NaN.
    """
    scores = [(PLACES[one] + 1 - PLACES[two]) / 2 for one, two in zip(a_first, b_first, strict=True)]
    error = np.std(scores, ddof=1) / len(scores) ** 0.5 if len(scores) > 1 else np.nan
    return float(np.mean(scores)), float(error)


def chances(first, second, bias: float = 0.0, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(P("first"), P("second")) of the simulated judge for answers of these worths; a tie takes the rest. `bias`: worth
    that the first place adds by itself.
    """
    gap = skill * (np.asarray(first, dtype=float) - np.asarray(second, dtype=float)) + bias
    return 1 / (1 + np.exp(TIES - gap)), 1 / (1 + np.exp(TIES + gap))


def verdicts(first, second, bias: float = 0.0, skill: float = 1.0, seed: int = 0) -> list[str]:
    """The simulated judge's verdict on each pair, "first", "second" or "tie"."""
    u = np.random.default_rng(seed).random(len(first))
    p, q = chances(first, second, bias, skill)
    return ["first" if x < a else "second" if x < a + b else "tie" for x, a, b in zip(u, p, q)]


def fair_win_rate(a, b, skill: float = 1.0) -> float:
    """A's expected share of wins before the same judge without bias: what a controlled win rate estimates."""
    p, q = chances(a, b, 0.0, skill)
    return float(np.mean(p + (1 - p - q) / 2))


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values, each in its place: under the level, it stays a finding whatever else was tried."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = worst
    return adjusted


def overlap(tests: list[list[str]], training: list[list[str]], n: int = 8) -> list[float]:
    """For each test row the share of its words that stand in a run of n words which a training row has, too."""
    runs = {tuple(row[k : k + n]) for row in training for k in range(len(row) - n + 1)}
    shares = []
    for row in tests:
        seen = {place for k in range(len(row) - n + 1) if tuple(row[k : k + n]) in runs for place in range(k, k + n)}
        shares.append(len(seen) / max(1, len(row)))
    return shares


def reweight(right: list[bool], slices: list[str], mix: dict[str, float]) -> tuple[float, float]:
    """(share right, standard error) where queries come in the mix {slice: weight}. NaN where the exam has no row of a
    slice with a weight above 0: nobody knows.
    """
    share = variance = 0.0
    for name, weight in mix.items():
        got = [r for r, slice_ in zip(right, slices, strict=True) if slice_ == name]
        if not got and weight:
            return float("nan"), float("nan")
        if weight:
            k, n, w = sum(got), len(got), weight / sum(mix.values())
            p = (k + 2) / (n + 4)  # two right and two wrong rows more: a slice that is all right is not certain
            share, variance = share + w * k / n, variance + w * w * p * (1 - p) / (n + 4)
    return share, math.sqrt(variance)


def expected_best(share: float, n: int, tried: int) -> float:
    """The share that the best of `tried` models has, on average, if each has the true share `share` and takes n rows of
    its own: what reporting the best adds to nothing.
    """
    from scipy.stats import binom

    below = binom.cdf(np.arange(n), n, share) ** tried  # P(the best has at most k right)
    return float((1 - below).sum() / n)


def clusters_of(names: list) -> Int[Tensor, " N"]:
    """0 … C − 1 for each name, in order of appearance; None stands alone."""
    known: dict = {}
    return torch.tensor(
        [known.setdefault(("alone", k) if name is None else name, len(known)) for k, name in enumerate(names)],
        dtype=torch.long,
    )
