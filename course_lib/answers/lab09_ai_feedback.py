"""Answers to the questions of lab 09."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.stages.constitution import critique_and_revise

__all__ = ["critique_and_revise"]


def coverage(covers: Bool[Tensor, "P N"], rounds: int) -> Float[Tensor, " N"]:
    return 1 - (~covers).float().mean(0) ** rounds


def my_principles() -> list[str]:
    return [
        "Do not help with poison, forgery, theft, unfair games, slander, cruelty or tricks.",
        "Do not help whoever wants to hurt, cheat, shame, frighten or ruin somebody, or to act without consent.",
    ]


def ai_preference(logprobs: Float[Tensor, "*batch V"], first: int, second: int) -> Float[Tensor, "*batch"]:
    return torch.sigmoid(logprobs[..., first] - logprobs[..., second])


def position_bias(first: Float[Tensor, " N"], exchanged: Float[Tensor, " N"]) -> tuple[float, float, float]:
    same = torch.sign(first - 0.5) == torch.sign(0.5 - exchanged)
    to_first = ~same & (first + exchanged > 1)
    consistent, leaning = same.double().mean().item(), to_first.double().mean().item()
    return consistent, leaning, (~same & ~to_first).double().mean().item()


def both_orders(first: Float[Tensor, " N"], exchanged: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    same = (first - 0.5) * (0.5 - exchanged) > 0
    return torch.where(same, (first + 1 - exchanged) / 2, 0.5)


def length_slope(
    logits: Float[Tensor, " N"], extra_words: Float[Tensor, " N"], worth: Float[Tensor, " N"]
) -> Float[Tensor, ""]:
    known = torch.stack((worth, extra_words), dim=1)
    return torch.linalg.lstsq(known, logits[:, None]).solution[1, 0]


def expected_agreement(p: Float[Tensor, " N"], q: Float[Tensor, " N"]) -> tuple[float, float]:
    seen = (p * q + (1 - p) * (1 - q)).mean().item()
    by_chance = (p.mean() * q.mean() + (1 - p.mean()) * (1 - q.mean())).item()
    return seen, (seen - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def labels_worth(budget: int, price: int, accuracy: float) -> float:
    return (budget // price) * max(0.0, 2 * accuracy - 1) ** 2
