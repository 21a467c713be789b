"""Muon, the optimiser of the weight matrices: momentum whose update is made orthogonal (Jordan et al. 2024,
kellerjordan.github.io/posts/muon).

Ours and not `torch.optim.Muon`, because that one iterates in bfloat16: on a CPU without bf16 instructions (most
laptops) its step then costs three times as much as forward and backward together. This one stays in fp32 and treats all
matrices of a shape at once.
"""

import torch
from jaxtyping import Float
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that pushes singular values towards 1
STEPS = 5


def orthogonalise(g: Float[Tensor, "K A B"]) -> Float[Tensor, "K A B"]:
    """K matrices U S Vᵀ → about U Vᵀ, by Newton–Schulz iterations: singular values end between 0.7 and 1.2."""
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    if x.shape[-2] == x.shape[-1]:
        for _ in range(STEPS):
            x = factor(x @ x.mT) @ x
    else:
        # Each step multiplies x from the left, so of a wide matrix only x xᵀ and the product of the factors are
        # stepped, which are small and square: for an MLP's matrices two thirds of the work.
        gram = x @ x.mT
        step = product = factor(gram)
        for _ in range(STEPS - 1):
            gram = step @ gram @ step
            step = factor(gram)
            product = step @ product
        x = product @ x
    return x.mT if tall else x


def factor(gram: Float[Tensor, "K A A"]) -> Float[Tensor, "K A A"]:
    """What a step multiplies a matrix by, given its x xᵀ: a · 1 + b · gram + c · gram²."""
    a, b, c = COEFFICIENTS
    made = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    made.diagonal(dim1=-2, dim2=-1).add_(a)
    return made


class Muon(torch.optim.Optimizer):
    """For 2-D weights of hidden layers. The update is scaled to the size of an AdamW update (0.2 · √max(A, B), Liu et
    al. 2025), so that both optimisers share one learning rate.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            of_shape: dict[tuple, list] = {}
            for p in group["params"]:
                mean = self.state[p].setdefault("momentum", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                of_shape.setdefault(tuple(p.shape), []).append((p, p.grad.lerp(mean, group["momentum"])))  # Nesterov
            for shape, pairs in of_shape.items():
                scale = 0.2 * max(shape) ** 0.5
                updates = self.gathered(torch.stack([update for _, update in pairs]))
                for (p, _), update in zip(pairs, orthogonalise(updates)):
                    p.add_(self.own_rows(update, p), alpha=-group["lr"] * scale)

    def gathered(self, updates: Tensor) -> Tensor:
        """The updates as whole matrices, which is what orthogonalising needs: here they are (train.py has shards)."""
        return updates

    def own_rows(self, update: Tensor, p: Tensor) -> Tensor:
        """What of a whole update belongs to `p`: here all of it."""
        return update
