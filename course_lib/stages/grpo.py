"""GRPO: policy gradient with the group of answers to one prompt as its own baseline (Shao et al. 2024, 2402.03300, eq.
3–4).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.platform import CourseError
from course_lib.stages.artifacts import load_stage
from course_lib.stages.model import Llama
from course_lib.stages.pretrain import Run
from course_lib.stages.rollout import Rollouts, adamw, assistant, improve, token_logprobs
from course_lib.stages.step import Step, check_finite, check_settings


def group_advantages(rewards: Float[Tensor, "P G"], scale: bool = True, eps: float = 1e-4) -> Float[Tensor, "P G"]:
    """Each reward minus the mean of its group, over the group's standard deviation (with G − 1, as TRL). All tied: all
    0.
    """
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True) + eps) if scale else centred


def clipped_terms(
    logprobs: Float[Tensor, "B T"], old: Float[Tensor, "B T"], advantages: Tensor, clip: float
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """(−min(ratio · A, clip(ratio) · A), ratio) a token (Schulman et al. 2017, 1707.06347, eq. 7)."""
    ratio = (logprobs - old).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages), ratio


def k3(logprobs: Float[Tensor, "*s"], reference: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Schulman's estimator of KL(π ‖ π_ref) from samples of π: r − 1 − log r with r = π_ref / π. Unbiased, never
    negative.
    """
    log_ratio = reference - logprobs
    return log_ratio.exp() - 1 - log_ratio


def grpo_loss(
    logprobs: Float[Tensor, "B T"],
    old: Float[Tensor, "B T"],
    reference: Float[Tensor, "B T"],
    advantages: Float[Tensor, " B"],
    mask: Bool[Tensor, "B T"],
    clip: float = 0.2,
    beta: float = 0.0,
) -> tuple[Float[Tensor, ""], dict[str, float]]:
    """Clipped policy loss plus β · k3: mean over the tokens of each answer, then over the answers."""
    terms, ratio = clipped_terms(logprobs, old, advantages[:, None], clip)
    terms = (terms + beta * k3(logprobs, reference)) * mask
    loss = (terms.sum(1) / mask.sum(1).clamp(min=1)).mean()
    clipped = ((ratio - 1).abs() > clip)[mask].float().mean()
    return loss, {"clipped": clipped.item()}


@dataclass(frozen=True)
class GRPOConfig:
    steps: int = 60
    prompts: int = 32  # a step
    each: int = 8  # G, answers to each of them
    epochs: int = 1  # passes over a step's answers
    minibatches: int = 2
    learning_rate: float = 3e-4  # AdamW's peak; a straight line down to 0
    beta: float = 0.3  # price of a nat of KL, in units of reward where `scale` is off
    # KL as a part of the reward; False: k3 in the loss, as in the paper (TRL with use_bias_correction_kl=False)
    kl_in_reward: bool = True
    kl_target: float | None = None  # nats an answer; beta then adapts to it
    scale: bool = False  # divide by the group's standard deviation (TRL's scale_rewards="group")
    clip: float = 0.2
    max_norm: float = 1.0  # of the gradient


PRESETS = {
    "tiny": GRPOConfig(steps=3, prompts=4, each=2),
    "laptop": GRPOConfig(),
    "gpu": GRPOConfig(prompts=128, minibatches=8),  # of 128 answers, as at laptop
}


def grpo(
    reward: Callable[[list[dict], list[str]], Tensor],
    prompts: list[dict],
    config: GRPOConfig,
    base: Llama | None = None,
    seed: int = 0,
    group_advantages: Callable = group_advantages,
    **options,
) -> Run:
    """Train a copy of `base` (default: the assistant) to please `reward(rows, answers) → [B]`, near the reference
    model, which is `base` as it was.

    `group_advantages` may be a student's own. History: see `improve`, to which `options` go, and clipped (share of the
    tokens). Raises CourseError for groups of one, and for a loss or an advantage that is not finite.
    """
    check_settings(config)
    if config.each < 2:
        raise CourseError(
            f"each is {config.each}, and GRPO compares the answers to one prompt with each other (one alone has "
            "advantage 0, or NaN where scale is on): take at least 2"
        )
    reference = (base or assistant(load_stage("sft").model)).eval()
    policy = copy.deepcopy(reference)
    optimiser = [adamw(policy, config.learning_rate)]
    take = Step(policy, optimiser, config.max_norm, torch.float32)

    def update(
        batch: Rollouts, scores: Tensor, ref: Tensor, generator: torch.Generator, beta: float, lr: float, step: int
    ) -> dict:
        ids, mask = batch.ids, batch.mask
        with torch.no_grad():
            old = token_logprobs(policy, ids, mask)
        in_loss = 0.0 if config.kl_in_reward else beta
        if config.kl_in_reward:
            scores = scores - beta * (old - ref).sum(1)
        advantages = group_advantages(scores.view(-1, config.each), config.scale).flatten()
        check_finite(step, "an advantage", advantages, "mend group_advantages")
        for _ in range(config.epochs):
            for part in torch.randperm(len(ids), generator=generator).chunk(config.minibatches):
                logprobs = token_logprobs(policy, ids[part], mask[part])
                before, priced = (old[part], ref[part]), advantages[part]
                loss, metrics = grpo_loss(logprobs, *before, priced, mask[part], config.clip, in_loss)
                take(loss, lr, step)
        return metrics

    return improve(policy, reference, optimiser, reward, prompts, config, update, seed, "GRPO", **options)
