"""The frontier is the optimum of E[u] − β · KL, and best-of-n lies below it."""

import numpy as np
import pytest
import torch

from course_lib.evaluation import frontier as F

rng = np.random.default_rng(0)
WORTH = rng.normal(size=(30, 256))


def test_tilted_policy_is_the_optimum():
    logits = torch.zeros(256, dtype=torch.float64, requires_grad=True)
    u, beta = torch.tensor(WORTH[0]), 0.7
    optimiser = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12)

    def loss():
        optimiser.zero_grad()
        p = torch.log_softmax(logits, 0)
        value = -((p.exp() * u).sum() - beta * (p.exp() * (p + np.log(256))).sum())
        value.backward()
        return value

    for _ in range(20):
        optimiser.step(loss)
    p = torch.log_softmax(logits.detach(), 0)
    kl, value = F.tilted(WORTH[:1], beta)
    assert float((p.exp() * u).sum()) == pytest.approx(value, abs=1e-4)
    assert float((p.exp() * (p + np.log(256))).sum()) == pytest.approx(kl, abs=1e-4)


def test_frontier_rises_and_is_concave_and_starts_at_the_reference():
    curve = F.frontier(WORTH)
    kls, values = map(np.array, zip(*curve))
    assert (np.diff(kls) > 0).all() and (np.diff(values) >= -1e-12).all() and kls[-1] <= np.log(256)
    assert (np.diff(np.diff(values) / np.diff(kls)) < 1e-6).all()
    assert F.best_at(0.0, curve, WORTH.mean()) == pytest.approx(WORTH.mean())
    assert F.share_of_frontier(0.5, F.best_at(0.5, curve, WORTH.mean()), curve, WORTH.mean()) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [1, 2, 4, 16])
def test_best_of_n(n):
    drawn = np.mean([[row[rng.choice(256, n, replace=False)].max() for _ in range(400)] for row in WORTH])
    assert F.best_of_n(WORTH, WORTH, n) == pytest.approx(drawn, abs=0.05)
    assert F.best_of_n(WORTH, WORTH, n) <= F.best_at(F.best_of_n_kl(n), F.frontier(WORTH), WORTH.mean()) + 1e-3


def test_best_of_n_kl_by_hand():
    assert F.best_of_n_kl(1) == 0.0 and F.best_of_n_kl(4) == pytest.approx(np.log(4) - 0.75)
    n, ranks = 4, (np.arange(10_000) + 0.5) / 10_000  # best of 4 has density n q^(n−1) over the reference's quantile q
    density = n * ranks ** (n - 1)
    assert F.best_of_n_kl(4) == pytest.approx(float((density * np.log(density)).mean()), abs=1e-3)
    with pytest.raises(ValueError, match="sample more"):
        F.best_of_n(WORTH, WORTH, 257)
