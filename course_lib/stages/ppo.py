"""PPO for language models: value head, GAE, clipped policy and value losses, KL penalty a token (Ouyang et al. 2022,
2203.02155; Schulman et al. 2017, 1707.06347). TRL has no PPO any more, so this one is whole: everything but sampling is
in this file, the loop is `ppo`.

A token is an action; the reward model speaks once, at the last token; every token pays β · (log π − log π_ref).
Letters: CONTRIBUTING.md. Left out against production: several GPUs, mixed precision, a separate value network.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.stages.artifacts import load_stage
from course_lib.stages.grpo import clipped_terms
from course_lib.stages.model import Llama, ValuePolicy
from course_lib.stages.pretrain import Run
from course_lib.stages.rollout import Rollouts, adamw, assistant, chosen_from, improve, spread
from course_lib.stages.step import Step, check_finite, check_settings


def token_logprobs_and_values(
    policy: ValuePolicy, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """log π and V at the masked tokens in one pass. V_t is read before token t is chosen, where its logits are."""
    hidden, of = chosen_from(policy, ids, mask)
    logprobs = torch.log_softmax(policy.head(hidden).float(), -1)[of, ids[mask]]
    return spread(logprobs, mask), spread(policy.value(hidden)[of, 0], mask)


def kl_penalised(
    scores: Float[Tensor, " B"],
    logprobs: Float[Tensor, "B T"],
    reference: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    beta: float,
) -> Float[Tensor, "B T"]:
    """The reward of each token: −β · (log π − log π_ref), and the score of the whole answer at its last token. 0 off
    the answer, whatever the inputs hold there.
    """
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(1)
    rewards = torch.where(mask, beta * (reference - logprobs), 0.0)
    return rewards.index_put((torch.arange(len(last), device=mask.device), last), scores, accumulate=True)


def gae(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    gamma: float = 1.0,
    lam: float = 0.95,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """(advantages, returns): A_t = Σ_k (γ λ)^k δ_{t+k}, δ_t = r_t + γ V_{t+1} − V_t, V = 0 after the last token;
    returns = A + V (Schulman et al. 2016, 1506.02438, eq. 16). Both are 0 off the mask.
    """
    advantages, ahead = torch.zeros_like(rewards), torch.zeros_like(rewards[:, 0])
    after = torch.zeros_like(ahead)
    for t in reversed(range(rewards.shape[1])):
        here = mask[:, t]
        ahead = torch.where(here, rewards[:, t] + gamma * after - values[:, t] + gamma * lam * ahead, ahead * 0)
        advantages[:, t] = ahead
        after = torch.where(here, values[:, t], after * 0)
    return advantages, (advantages + values) * mask


def whiten(values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Mean 0 and variance 1 over the masked tokens, 0 elsewhere."""
    kept = values[mask]
    return (values - kept.mean()) / (kept.std() + 1e-8) * mask


def policy_loss(
    logprobs: Float[Tensor, "B T"],
    old: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    """The clipped surrogate, mean over all masked tokens of the batch (1707.06347, eq. 7; a loss, so the sign is
    turned).
    """
    terms, _ = clipped_terms(logprobs, old, advantages, clip)
    return (terms * mask).sum() / mask.sum()


def value_loss(
    values: Float[Tensor, "B T"],
    old: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    """½ · max((V − R)², (clip(V, V_old ± ε) − R)²), mean over the masked tokens."""
    near = old + (values - old).clamp(-clip, clip)
    worse = torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    return 0.5 * (worse * mask).sum() / mask.sum()


@dataclass(frozen=True)
class PPOConfig:
    steps: int = 120
    prompts: int = 32  # a step
    each: int = 8  # answers to each of them
    epochs: int = 1  # passes over a step's answers
    minibatches: int = 2
    learning_rate: float = 3e-4  # AdamW's peak; a straight line down to 0
    value_rate: float = 30.0  # the value head's learning rate over that of the rest: it starts from nothing
    beta: float = 0.3  # price of a nat of KL, in units of reward; where a target is set, only the first one
    kl_target: float | None = None  # nats an answer
    gamma: float = 1.0
    lam: float = 0.95
    clip: float = 0.2
    value_clip: float = 5.0  # in units of reward
    value_weight: float = 0.1
    max_norm: float = 1.0  # of the gradient


PRESETS = {
    "tiny": PPOConfig(steps=3, prompts=4, each=2),
    "laptop": PPOConfig(),
    "gpu": PPOConfig(prompts=128, minibatches=8),  # of 128 answers, as at laptop
}


def ppo(
    reward: Callable[[list[dict], list[str]], Tensor],
    prompts: list[dict],
    config: PPOConfig,
    base: Llama | None = None,
    seed: int = 0,
    kl_penalised: Callable = kl_penalised,
    gae: Callable = gae,
    policy_loss: Callable = policy_loss,
    value_loss: Callable = value_loss,
    **options,
) -> Run:
    """Train a copy of `base` (default: the assistant) to please `reward(rows, answers) → [B]`, near the reference
    model, which is `base` as it was.

    The four parts may be a student's own functions of the same arguments, in the same order. History: see `improve`, to
    which `options` go, and clipped (share of the tokens), value_loss. Raises CourseError for a loss, a return or an
    advantage that is not finite.
    """
    check_settings(config)
    reference = (base or assistant(load_stage("sft").model)).eval()
    policy = ValuePolicy(reference.config).to(next(reference.parameters()).device)
    policy.load_state_dict(reference.state_dict(), strict=False)
    body = [p for name, p in policy.named_parameters() if not name.startswith("value.")]
    groups = [{"params": body}, {"params": policy.value.parameters(), "scale": config.value_rate}]
    optimiser = [adamw(policy, config.learning_rate, groups)]
    take = Step(policy, optimiser, config.max_norm, torch.float32)

    def update(
        batch: Rollouts, scores: Tensor, ref: Tensor, generator: torch.Generator, beta: float, lr: float, step: int
    ) -> dict:
        ids, mask = batch.ids, batch.mask
        with torch.no_grad():
            old, old_values = token_logprobs_and_values(policy, ids, mask)
            rewards = kl_penalised(scores, old, ref, mask, beta)
            advantages, returns = gae(rewards, old_values, mask, config.gamma, config.lam)
            advantages = whiten(advantages, mask)
        check_finite(step, "an advantage", advantages, "mend gae or kl_penalised, or take more answers a step")
        check_finite(step, "a return", returns, "mend gae")
        for _ in range(config.epochs):
            for part in torch.randperm(len(ids), generator=generator).chunk(config.minibatches):
                logprobs, values = token_logprobs_and_values(policy, ids[part], mask[part])
                loss = policy_loss(logprobs, old[part], advantages[part], mask[part], config.clip)
                error = value_loss(values, old_values[part], returns[part], mask[part], config.value_clip)
                take(loss + config.value_weight * error, lr, step)
        clipped = ((logprobs - old[part]).exp() - 1).abs()[mask[part]].gt(config.clip).float().mean()
        return {"clipped": clipped.item(), "value_loss": error.item()}

    return improve(policy, reference, optimiser, reward, prompts, config, update, seed, "PPO", **options)
