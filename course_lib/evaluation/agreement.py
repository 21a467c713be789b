"""How well do judges agree, and how good can any judge be? Labels of pairs against each other, and against the
annotators' known probabilities.
"""

import numpy as np


def judge_accuracy(margins, probabilities) -> float:
    """Expected accuracy of a judge on labels that fall on the first answer of each pair with these probabilities.

    `margins` [N]: what the judge gives the first answer minus the second; at 0 it throws a coin. The labels are not
    drawn, so there is no noise of theirs."""
    margins, p = np.asarray(margins, dtype=float), np.asarray(probabilities, dtype=float)
    return float(np.where(margins == 0, 0.5, np.where(margins > 0, p, 1 - p)).mean())


def cohen_kappa(a: list, b: list) -> float:
    """Cohen's κ (1960) of two lists of labels, as scikit-learn counts it: 1 − Σ disagreements seen / Σ disagreements of
    independent judges. NaN where neither can disagree.
    """
    classes = {label: k for k, label in enumerate(dict.fromkeys([*a, *b]))}
    seen = np.zeros((len(classes), len(classes)))
    np.add.at(seen, ([classes[x] for x in a], [classes[x] for x in b]), 1)
    by_chance = np.outer(seen.sum(1), seen.sum(0)) / max(seen.sum(), 1)
    off = 1 - np.eye(len(classes))
    return float(1 - (seen * off).sum() / (by_chance * off).sum()) if (by_chance * off).any() else float("nan")


def kappa_matrix(labels: dict[str, list], kappa=cohen_kappa) -> np.ndarray:
    """[judges judges] of κ; labels[name] is a list with one label for each pair, in one order for all."""
    return np.array([[kappa(a, b) for b in labels.values()] for a in labels.values()])


def bootstrap(statistic, *lists: list, rounds: int = 400, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of statistic(*lists), the entries drawn together again and again. A round without a
    value is left out; NaN where all are.
    """
    rng, n = np.random.default_rng(seed), len(lists[0])
    values = [statistic(*([values[k] for k in drawn] for values in lists)) for drawn in rng.integers(0, n, (rounds, n))]
    finite = [value for value in values if np.isfinite(value)]
    low, high = np.percentile(finite, [2.5, 97.5]) if finite else (np.nan, np.nan)
    return float(low), float(high)
