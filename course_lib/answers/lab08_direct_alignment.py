"""The course's answers to the exercises of lab 08."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.stages.dpo import dpo_loss, implicit_reward, ipo_loss, kto_loss
from course_lib.stages.sft import IGNORE

__all__ = ["answer_logprobs", "cdpo_loss", "dpo_loss", "implicit_reward", "ipo_loss", "kto_loss", "optimal_policy"]

cdpo_loss = dpo_loss  # its sixth argument is `smoothing`


def optimal_policy(
    logprobs: Float[Tensor, "*batch K"], rewards: Float[Tensor, "*batch K"], beta: float
) -> Float[Tensor, "*batch K"]:
    """log π* of K answers: π_ref tilted by exp(reward / beta) (Rafailov et al. 2023, 2305.18290, eq. 4)."""
    return torch.log_softmax(logprobs + rewards / beta, -1)


def answer_logprobs(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """log π of each row's answer, nats, in float32: its tokens' cross-entropies added up."""
    logs = logits[:, :-1].float().transpose(1, 2)
    return -F.cross_entropy(logs, labels[:, 1:], ignore_index=IGNORE, reduction="none").sum(1)
