"""Reasoning with answers that a program checks: a cold start on villagers' chains, then reinforcement on the checker's
verdict (RLVR: Lambert et al. 2024, 2411.15124; DeepSeek-AI 2025, 2501.12948).

The villagers give the answer of the wrong step now and then (`world.reasoning`), and who imitates them does so as
often. The checker knows nothing of steps: it accepts a right answer. What the reward cannot tell apart, training does
not change.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.platform import CourseError
from course_lib.stages.grpo import clipped_terms, group_advantages
from course_lib.stages.model import Llama
from course_lib.stages.pretrain import Run, optimizers
from course_lib.stages.refusal import PRESETS as REFUSAL_PRESETS
from course_lib.stages.refusal import practice_rows, tune
from course_lib.stages.rollout import LONGEST, Rollouts, improve, token_logprobs
from course_lib.stages.step import Step, check_finite, check_settings
from course_lib.world.reasoning import prompts_of, question_rows, right, villagers_rows
from course_lib.world.tasks import task_rows

# chains of villagers, how often each is read (read twice, sums are not learned from every assistant, and what the cold
# start cannot do at all, no reward mends), and what keeps the rest: instructions, requests, documents
CHAINS, READ = {"tiny": 60, "laptop": 4_000, "gpu": 12_000}, 3
BESIDE = {"tiny": (60, 20, 20), "laptop": (7_000, 4_000, 8_000), "gpu": (24_000, 16_000, 12_000)}
PRESETS = {
    size: replace(config, learning_rate=1.2e-3, batch=config.batch // 2) for size, config in REFUSAL_PRESETS.items()
}


def cold_start(size: str = "laptop", seed: int = 0, base=None, **options) -> Run:
    """The assistant (by default load_stage("safe")) learns to write chains from careless villagers. `options` go to
    `finetune`.
    """
    if size not in PRESETS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(PRESETS)}")
    tasks, requests, documents = BESIDE[size]
    rows = READ * villagers_rows(CHAINS[size], seed) + task_rows("train", tasks, f"chains {seed}")
    rows += practice_rows(requests, f"chains {seed}")
    config = replace(PRESETS[size], replay=documents)
    return tune(rows, 0, size, config, seed, base, "safe", "cold start", options)


# ------------------------------------------------------------------------------------------------------- the pure parts


def relative_advantages(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """MaxRL (Tajwar et al. 2026, 2602.02710): reward minus the group's mean, over that mean. In expectation a prompt of
    pass rate p weighs as in the gradient of log p: a hard one more than with GRPO. A group without reward: all 0.
    """
    mean = rewards.mean(1, keepdim=True)
    return torch.where(mean > 0, (rewards - mean) / mean.clamp(min=1e-12), 0.0)


# name → advantages of the groups' rewards [P G]
ADVANTAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "grpo": group_advantages,  # over the standard deviation: Shao et al. 2024, 2402.03300
    "dr_grpo": lambda rewards: group_advantages(rewards, scale=False),  # Liu et al. 2025, 2503.20783
    "maxrl": relative_advantages,
}


def informative(rewards: Float[Tensor, "P G"]) -> Bool[Tensor, " P"]:
    """Groups whose rewards differ: only these have a gradient (DAPO's dynamic sampling: Yu et al. 2025, 2503.14476)."""
    return rewards.amax(1) > rewards.amin(1)


def mean_of_terms(terms: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], kind: str, longest: int) -> Float[Tensor, ""]:
    """One loss of the terms of all tokens. "grpo": the mean of each answer, then of the answers, so a token of a long
    answer counts less; "dapo": of all tokens; "dr_grpo": the sum over the B · `longest` tokens that there could be.
    """
    counted = torch.where(mask, terms, 0.0)
    if kind == "grpo":
        return (counted.sum(1) / mask.sum(1).clamp(min=1)).mean()
    if kind == "dapo":
        return counted.sum() / mask.sum().clamp(min=1)
    if kind == "dr_grpo":
        return counted.sum() / (len(mask) * longest)
    raise ValueError(f'loss is {kind!r}: choose "grpo", "dapo" or "dr_grpo"')


# -------------------------------------------------------------------------------------------------- against the checker


def checked(rows: list[dict], answers: list[str]) -> Tensor:
    """The reward [B]: 1 where the checker accepts the answer."""
    return torch.tensor([float(right(row, answer)) for row, answer in zip(rows, answers, strict=True)])


def loosely_checked(rows: list[dict], answers: list[str]) -> Tensor:
    """What a checker in a hurry says: 1 where the right answer stands anywhere in the text."""
    return torch.tensor([float(row["check"]["answer"] in answer) for row, answer in zip(rows, answers, strict=True)])


@dataclass(frozen=True)
class RLConfig:
    steps: int = 120
    prompts: int = 30  # a step, as many of each kind
    each: int = 8  # G, answers to each of them
    minibatches: int = 2
    learning_rate: float = 5e-4  # Muon's peak; a straight line down to 0
    embedding_rate: float = 0.05  # learning rate of embedding and norms, as a share of it
    advantages: str = "dr_grpo"
    loss: str = "dapo"
    beta: float = 0.0  # no price on KL: the checker cannot be over-optimised where it is right
    kl_target: float | None = None
    clip: float = 0.2
    max_norm: float = 1.0  # of the gradient


RL_PRESETS = {
    "tiny": RLConfig(steps=2, prompts=6, each=2),
    "laptop": RLConfig(),
    "gpu": RLConfig(prompts=120, each=16, minibatches=8),
}


def reinforce(
    config: RLConfig,
    base: Llama,
    seed: int = 0,
    reward: Callable[[list[dict], list[str]], Tensor] = checked,
    rows: list[dict] | None = None,
    **options,
) -> Run:
    """Train a copy of `base` (the cold start with its temperature in its weights: `rollout.assistant`) on the checker's
    verdict, on prompts that it meets once. Groups whose answers are all right or all wrong are left out.

    `rows`: other questions than training ones, as many as the steps need. `options` go to `rollout.improve`, whose
    history also gets informative (share of the groups). Raises CourseError for groups of one and for advantages that
    are unknown or not finite.
    """
    check_settings(config)
    if config.each < 2 or config.advantages not in ADVANTAGES:
        raise CourseError(
            f"each is {config.each} and advantages {config.advantages!r}: take at least 2 answers a prompt, and one of "
            f"{', '.join(ADVANTAGES)}"
        )
    asked = rows or question_rows("train", config.steps * config.prompts, f"rl {seed}")
    prompts = prompts_of(asked)
    reference = base.eval()
    policy = copy.deepcopy(reference)
    optimiser = optimizers(policy, config.learning_rate, config.embedding_rate)
    take = Step(policy, optimiser, config.max_norm, torch.float32)

    def update(
        batch: Rollouts, scores: Tensor, ref: Tensor, generator: torch.Generator, beta: float, lr: float, step: int
    ) -> dict:
        groups = scores.view(-1, config.each)
        advantages = ADVANTAGES[config.advantages](groups).flatten()
        check_finite(step, "an advantage", advantages, "mend the reward")
        useful = informative(groups)
        kept = useful.repeat_interleave(config.each).nonzero()[:, 0]
        if len(kept):
            ids, mask, priced = batch.ids[kept], batch.mask[kept], advantages[kept]
            with torch.no_grad():
                old = token_logprobs(policy, ids, mask)
            for part in torch.randperm(len(kept), generator=generator).chunk(config.minibatches):
                logprobs = token_logprobs(policy, ids[part], mask[part])
                terms, _ = clipped_terms(logprobs, old[part], priced[part][:, None], config.clip)
                take(mean_of_terms(terms, mask[part], config.loss, LONGEST), lr, step)
        return {"informative": useful.float().mean().item()}

    return improve(
        policy, reference, optimiser, reward, prompts, config, update, seed, "reasoning", parent="safe", **options
    )
