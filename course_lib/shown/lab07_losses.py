"""What lab 07 shows of its formulas: estimators of a KL and their gradients, λ, the clipped loss's pull, groups."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.stages.rollout import exact_kl, roll_out, token_logprobs
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets.table import table


def shaken(model, strength: float):
    """The model with noise on its weights, `strength` of their deviation: a policy somewhere else."""
    policy, generator = copy.deepcopy(model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in policy.parameters():
            if weight.dim() == 2:
                noise = torch.randn(weight.shape, generator=generator).to(weight.device)
                weight += strength * weight.std() * noise
    return policy


def show_estimators(estimators: dict[str, Callable], reference, rows: list[dict], each: int = 16) -> dict:
    """Each estimator of KL(π ‖ π_ref) on tokens that π sampled, beside the exact KL, for the reference model shaken a
    little and more. Returns {"near", "far": {"exact", estimator: {"mean", "error", "spread", "smallest"}}}.
    """
    made: dict[str, dict] = {}
    for name, strength in {"near": 0.05, "far": 0.12}.items():
        policy = shaken(reference, strength)
        batch = roll_out(policy, load_tokenizer(), rows, each, seed=3)
        with torch.no_grad():
            theirs, ours = (token_logprobs(model, batch.ids, batch.mask)[batch.mask] for model in (reference, policy))
        exact = float(exact_kl(policy, reference, batch.ids, batch.mask).sum() / batch.mask.sum())
        made[name] = {"exact": exact}
        for label, estimator in estimators.items():
            k = estimator(theirs - ours)
            figures = {"mean": k.mean(), "error": k.std() / len(k) ** 0.5, "spread": k.std(), "smallest": k.min()}
            made[name][label] = {key: round(float(value), 5) + 0.0 for key, value in figures.items()}
        lines = [(label, row["mean"], row["error"], row["mean"] / exact - 1, row["spread"], row["smallest"])
                 for label, row in made[name].items() if label != "exact"]  # fmt: skip
        table(
            {"": "", "mean": ".4f", "± error": ".4f", "off by": "+.0%", "deviation": ".3f", "smallest": ".2f"},
            lines,
            f"{name}: the exact KL is {exact:.4f} nats a token, over {len(ours):,} tokens",
        )
    return made


def show_gradients(losses: dict[str, Tensor], leaf: Tensor) -> list[Tensor]:
    """The gradient of each loss, a line each."""
    made = {name: torch.autograd.grad(loss, leaf, retain_graph=True)[0] for name, loss in losses.items()}
    heads = {"its gradient": ""} | {f"token {k}": ".3f" for k in range(len(leaf))}
    table(heads, [(name, *(round(x, 3) + 0.0 for x in gradient.tolist())) for name, gradient in made.items()])
    return list(made.values())


def show_lambdas(gae: Callable, lambdas: tuple, games: int = 4000, steps: int = 20) -> dict[str, list[float]]:
    """Root mean square error of the first step's advantage, whose true value is 0, in games whose rewards are noisy,
    with a critic that is a little wrong: from each of the two causes alone, and from both.
    """
    generator = torch.Generator().manual_seed(0)
    everywhere = torch.ones(games, steps, dtype=torch.bool)
    values = (0.1 * torch.arange(steps, 0, -1)).repeat(games, 1)  # 0.1 a step
    luck = 0.1 * torch.randn(games, steps, generator=generator)
    wrong = 0.5 * torch.randn(games, steps, generator=generator) * (torch.arange(steps) > 0)

    def error(luck, wrong, lam):
        return gae(0.1 + luck, values + wrong, everywhere, 1.0, lam)[0][:, 0].square().mean().sqrt().item()

    causes = {"luck alone": (luck, 0 * wrong), "the critic alone": (0 * luck, wrong), "both": (luck, wrong)}
    made = {cause: [error(*noise, lam) for lam in lambdas] for cause, noise in causes.items()}
    heads = {"λ": ""} | {f"from {cause}": ".3f" for cause in causes}
    table(heads, zip(map(str, lambdas), *made.values()), "error of the first step's advantage")
    return made


def show_pulls(policy_loss: Callable, ratios: tuple, clip: float = 0.2) -> dict[float, list[float]]:
    """{A: −∂loss/∂log π of one token at each ratio}: where above 0 it is made likelier."""
    made = {}
    for advantage in (1.0, -1.0):
        made[advantage] = []
        for ratio in ratios:
            leaf = torch.tensor([[math.log(ratio)]], requires_grad=True)
            there = torch.ones(1, 1, dtype=torch.bool)
            loss = policy_loss(leaf, torch.zeros(1, 1), torch.full((1, 1), advantage), there, clip)
            made[advantage].append(0.0 - torch.autograd.grad(loss, leaf)[0].item())
    lines = [(f"A = {advantage:+.0f}", *pulls) for advantage, pulls in made.items()]
    table({"ratio": ""} | {f"{ratio:.2f}": ".2f" for ratio in ratios}, lines, f"the pull on log π at ε = {clip}")
    return made


GROUPS = {
    "all tied": [1.0, 1.0, 1.0, 1.0],
    "a clear winner": [0.0, 0.0, 0.0, 4.0],
    "nearly tied": [1.0, 1.0, 1.0, 1.02],
}


def show_groups(advantages_of: Callable, groups: dict = GROUPS) -> dict[str, tuple[Tensor, Tensor]]:
    """{name: (scaled, not scaled) advantages} of groups of rewards."""
    made = {name: tuple(advantages_of(torch.tensor([group]), scale)[0] for scale in (True, False))
            for name, group in groups.items()}  # fmt: skip
    line = lambda numbers: "  ".join(f"{x + 0.0:6.3f}" for x in numbers)
    lines = [(name, line(groups[name]), *(line(x.tolist()) for x in both)) for name, both in made.items()]
    table({"group": "", "rewards": "", "scaled": "", "not scaled": ""}, lines)
    return made
