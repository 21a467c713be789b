"""Direct alignment: the policy learns from preferences without a reward model and without sampling.

DPO: Rafailov et al. 2023, 2305.18290. IPO: Azar et al. 2023, 2310.12036. cDPO (label smoothing): Mitchell 2023. KTO: Ethayarajh et al. 2024,
2402.01306. Losses take log-probabilities of whole answers, log π(y | x) and log π_ref(y | x), summed over the answer's tokens, nats.
"""
import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.artifacts import load_stage
from course_lib.stages.model import Llama
from course_lib.stages.preferences import PreferenceConfig, batch_of, encode_answers, train
from course_lib.stages.pretrain import Run
from course_lib.stages.rollout import assistant, token_logprobs
from course_lib.stages.sft import IGNORE
from course_lib.stages.tokenizer import load_tokenizer

PRESETS = {
    "tiny": PreferenceConfig(rows=200, batch=16, learning_rate=5e-4),
    "laptop": PreferenceConfig(rows=12_000, batch=64, learning_rate=5e-4),
    "gpu": PreferenceConfig(rows=30_000, batch=256, learning_rate=5e-4),
}


def implicit_reward(logprobs: Float[Tensor, "*b"], reference: Float[Tensor, "*b"], beta: float) -> Float[Tensor, "*b"]:
    """β · (log π − log π_ref): the reward for which π is optimal, up to a constant of the prompt (2305.18290, eq. 5)."""
    return beta * (logprobs - reference)


def dpo_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"], chosen_reference: Float[Tensor, " B"], rejected_reference: Float[Tensor, " B"],
    beta: float = 0.1, smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean of −(1 − ε) log σ(m) − ε log σ(−m), m the difference of the implicit rewards; ε = `smoothing` is the share of wrong labels (cDPO)."""
    margin = implicit_reward(chosen, chosen_reference, beta) - implicit_reward(rejected, rejected_reference, beta)
    return (-(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)).mean()


def ipo_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"], chosen_reference: Float[Tensor, " B"], rejected_reference: Float[Tensor, " B"],
    lengths_chosen: Tensor, lengths_rejected: Tensor, beta: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean of (h − 1 / (2 β))², h the difference of the log-ratios a token (2310.12036, eq. 17; averaged over tokens as TRL does)."""
    h = (chosen - chosen_reference) / lengths_chosen - (rejected - rejected_reference) / lengths_rejected
    return ((h - 1 / (2 * beta)) ** 2).mean()


def kto_loss(
    logprobs: Float[Tensor, " B"], reference: Float[Tensor, " B"], up: Bool[Tensor, " B"], kl: Float[Tensor, ""], beta: float = 0.1,
    up_weight: float = 1.0, down_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean of w · (1 − σ(±β (log π − log π_ref − kl))): + for a thumb up, − for a thumb down (2402.01306, eq. 8). `kl` ≥ 0 carries no gradient."""
    gain = beta * (logprobs - reference - kl.detach())
    return torch.where(up, up_weight * (1 - torch.sigmoid(gain)), down_weight * (1 - torch.sigmoid(-gain))).mean()


def answer_logprobs(model, ids: Int[Tensor, "B T"], labels: Int[Tensor, "B T"]) -> tuple[Float[Tensor, " B"], Int[Tensor, " B"]]:
    """(log π of each answer, nats, summed over its tokens; its number of tokens)."""
    mask = labels != IGNORE
    return token_logprobs(model, ids, mask).sum(1), mask.sum(1)


@torch.no_grad()
def reference_logprobs(reference, examples: list[list[tuple[list[int], list[int]]]], batch: int = 128) -> Float[Tensor, "N A"]:
    """log π_ref of every answer of every row, once and for all: the reference does not change."""
    parts = []
    for start in range(0, len(examples), batch):
        part = examples[start:start + batch]
        ids, labels = batch_of(part)
        parts.append(answer_logprobs(reference, ids, labels)[0].view(len(part[0]), len(part)).T)
    return torch.cat(parts)


def dpo(
    rows: list[dict], config: PreferenceConfig, base: Llama | None = None, seed: int = 0, beta: float = 0.1, loss_fn: Callable = dpo_loss, **options,
) -> Run:
    """Train a copy of `base` (default: the assistant) on pairs with `loss_fn(chosen, rejected, chosen_reference, rejected_reference, beta=…)`.

    History has accuracy (of the implicit reward), margin, and the mean log-probabilities of chosen and rejected answers, nats.
    `options` go to `preferences.train`."""
    reference = (base or assistant(load_stage("sft").model)).eval()
    policy = copy.deepcopy(reference)
    examples = encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), policy.config.context)
    fixed = reference_logprobs(reference, examples)

    def batch_loss(part):
        ids, labels = batch_of([examples[k] for k in part])
        chosen, rejected = answer_logprobs(policy, ids, labels)[0].chunk(2)
        loss = loss_fn(chosen, rejected, *fixed[part].T, beta=beta)
        margin = (implicit_reward(chosen, fixed[part][:, 0], beta) - implicit_reward(rejected, fixed[part][:, 1], beta)).detach()
        return loss, {"accuracy": (margin > 0).float().mean().item(), "margin": margin.mean().item(),
                      "chosen": chosen.mean().item(), "rejected": rejected.mean().item()}

    run = train(policy, examples, batch_loss, config, seed, description="DPO", **options)
    run.record |= {"parent": "sft", "beta": beta}
    return run
