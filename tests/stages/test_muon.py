"""Muon against torch.optim.Muon (reference, which iterates in bf16: hence the loose tolerance), and what it claims
(behaviour).
"""

import torch

from course_lib.stages.muon import COEFFICIENTS, STEPS, Muon, orthogonalise


def test_update_is_nearly_orthogonal_for_wide_and_tall_matrices():
    generator = torch.Generator().manual_seed(0)
    for shape in ((3, 16, 48), (3, 48, 16), (2, 32, 32)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape, generator=generator)))
        assert 0.5 < values.min() and values.max() < 1.3


def test_it_equals_the_quintic_of_the_singular_values():
    """Also of matrices of low rank and of singular values over eight orders, whose x xᵀ rounds the small ones away."""
    generator = torch.Generator().manual_seed(2)
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    low = normal(2, 48, 4) @ normal(2, 4, 144)
    decaying = normal(2, 48, 48) * 10 ** -torch.linspace(0, 8, 48) @ normal(2, 48, 144)
    for g in (normal(2, 48, 144), normal(2, 48, 48), low, low.mT, low + 1e-4 * normal(2, 48, 144), decaying):
        u, s, v = torch.linalg.svd(g.double(), full_matrices=False)
        s = s / s.norm(dim=-1, keepdim=True)
        for _ in range(STEPS):
            s = sum(c * s ** (2 * k + 1) for k, c in enumerate(COEFFICIENTS))
        assert torch.allclose(orthogonalise(g).double(), u * s[:, None] @ v, atol=2e-4)


def test_steps_equal_those_of_torch():
    generator = torch.Generator().manual_seed(1)
    start, grads = torch.randn(24, 40, generator=generator), torch.randn(4, 24, 40, generator=generator)
    mine, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    a, b = Muon([mine], lr=0.1), torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for grad in grads:
        mine.grad, theirs.grad = grad.clone(), grad.clone()
        a.step()
        b.step()
    moved = torch.nn.functional.cosine_similarity((mine - start).flatten(), (theirs - start).flatten(), dim=0)
    assert moved > 0.999
    assert torch.allclose((mine - start).norm(), (theirs - start).norm(), rtol=0.02)


def test_zero_gradient_moves_nothing():
    p = torch.nn.Parameter(torch.ones(4, 4))
    p.grad = torch.zeros(4, 4)
    Muon([p], lr=0.1).step()
    assert torch.equal(p, torch.ones(4, 4))
