"""The best that any policy can do: expected utility against KL from the reference policy.

For each prompt the policy that maximises E[u] − β · KL(π ‖ π_ref) is π* ∝ π_ref · exp(u / β) (Rafailov et al. 2023,
2305.18290, eq. 4). K answers sampled from π_ref, re-weighted by exp(u / β), stand for it: with weights w, KL = Σ w ·
log(K w). So KL is at most log K.
"""

import numpy as np


def tilted(utilities: np.ndarray, beta: float) -> tuple[float, float]:
    """(KL in nats, expected utility) of π* at β; utilities [P K]: K sampled answers to each of P prompts. Means over
    the prompts.
    """
    scores = np.asarray(utilities, dtype=float) / beta
    scores = scores - scores.max(1, keepdims=True)
    weights = np.exp(scores)
    weights /= weights.sum(1, keepdims=True)
    logs = np.log(np.maximum(weights, 1e-300) * weights.shape[1])
    return float((weights * logs).sum(1).mean()), float((weights * utilities).sum(1).mean())


BETAS = np.geomspace(0.05, 50, 60)  # from hardly held to hardly moved


def frontier(utilities: np.ndarray, betas=BETAS) -> list[tuple[float, float]]:
    """[(KL, expected utility)] of the optimal policies, the KL rising from nearly 0."""
    return sorted(tilted(utilities, beta) for beta in betas)


def best_at(kl: float, curve: list[tuple[float, float]], start: float) -> float:
    """The frontier's expected utility at a KL, linear between its points; `start` is π_ref's own, at KL 0."""
    kls, values = zip((0.0, start), *curve)
    return float(np.interp(kl, kls, values))


def share_of_frontier(kl: float, value: float, curve: list[tuple[float, float]], start: float) -> float:
    """Gain of a policy over π_ref as a share of the gain that the frontier has at the same KL."""
    best = best_at(kl, curve, start) - start
    return (value - start) / best if best > 0 else float("nan")


def best_of_n_kl(n: int) -> float:
    """log n − (n − 1) / n: the KL of best-of-n from π_ref, if no two answers are worth the same (Beirami et al. 2024:
    else an upper bound).
    """
    return float(np.log(n) - (n - 1) / n)


def best_of_n_kl_with_ties(scores: np.ndarray, n: int) -> float:
    """KL of best-of-n from π_ref with equal scores taken together, a draw among them by chance: what `best_of_n_kl`
    bounds. The mean over prompts; scores [P K] of K sampled answers, which stand for π_ref.
    """
    total = 0.0
    for row in np.asarray(scores, dtype=float):
        share = np.unique(row, return_counts=True)[1] / len(row)
        below = share.cumsum()
        chosen = below**n - (below - share).clip(min=0) ** n
        total += float((chosen * np.log(np.maximum(chosen, 1e-300) / share)).sum())
    return total / len(scores)


def best_of_n(scores: np.ndarray, utilities: np.ndarray, n: int) -> float:
    """Expected utility of the answer with the best score among n drawn of the K sampled ones [P K], exact over all
    draws without replacement.
    """
    order = np.argsort(np.asarray(scores), axis=1, kind="stable")
    ranked = np.take_along_axis(np.asarray(utilities, dtype=float), order, 1)
    k = ranked.shape[1]
    if not 1 <= n <= k:
        raise ValueError(f"best of {n} needs at least {n} answers a prompt, there are {k}: sample more")
    # P(the best of n is the one of rank i) = C(i, n−1) / C(k, n)
    logs = np.array([-np.inf if i < n - 1 else np.sum(np.log(np.arange(i - n + 2, i + 1))) for i in range(k)])
    weights = np.exp(logs - logs.max())
    return float((ranked * (weights / weights.sum())).sum(1).mean())
