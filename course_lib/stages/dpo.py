"""Direct alignment: the policy learns from preferences without a reward model and without sampling.

DPO: Rafailov et al. 2023, 2305.18290. IPO: Azar et al. 2023, 2310.12036. cDPO (label smoothing): Mitchell 2023. KTO:
Ethayarajh et al. 2024, 2402.01306. A reward model's margins in place of labels: Fisch et al. 2024, 2405.19316. Losses
take log-probabilities of whole answers, log π(y | x) and log π_ref(y | x), summed over the answer's tokens, nats.
"""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.platform import CourseError
from course_lib.stages.artifacts import load_stage
from course_lib.stages.model import Llama
from course_lib.stages.preferences import PreferenceConfig, batch_of, encode_answers, train
from course_lib.stages.pretrain import Run
from course_lib.stages.rollout import adamw, assistant, token_logprobs
from course_lib.stages.sft import IGNORE
from course_lib.stages.step import beside, check_settings
from course_lib.stages.tokenizer import load_tokenizer

# AdamW, not Muon: Muon moves every direction of a matrix alike, which costs KL and buys no utility
PRESETS = {
    "tiny": PreferenceConfig(rows=64, batch=16, learning_rate=6e-5),
    "laptop": PreferenceConfig(rows=12_000, batch=64, learning_rate=6e-5),
    "gpu": PreferenceConfig(rows=30_000, batch=64, learning_rate=6e-5),
}
BETA = 0.5
IPO_BETA = 0.5


def implicit_reward(logprobs: Float[Tensor, "*b"], reference: Float[Tensor, "*b"], beta: float) -> Float[Tensor, "*b"]:
    """β · (log π − log π_ref): the reward for which π is optimal, up to a constant a prompt (2305.18290, eq. 5)."""
    return beta * (logprobs - reference)


def dpo_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_reference: Float[Tensor, " B"],
    rejected_reference: Float[Tensor, " B"],
    beta: float = 0.1,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean of −(1 − ε) log σ(m) − ε log σ(−m), m the difference of the implicit rewards; ε = `smoothing` is the share
    of wrong labels (cDPO).
    """
    margin = implicit_reward(chosen, chosen_reference, beta) - implicit_reward(rejected, rejected_reference, beta)
    return (-(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)).mean()


def distilled_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_reference: Float[Tensor, " B"],
    rejected_reference: Float[Tensor, " B"],
    gap: Float[Tensor, " B"],
    beta: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean of (m − gap)², m the margin of `dpo_loss`, gap the difference of the two answers' rewards: the implicit
    reward learns a reward model's margins and not the labels (2405.19316).
    """
    margin = implicit_reward(chosen, chosen_reference, beta) - implicit_reward(rejected, rejected_reference, beta)
    return ((margin - gap) ** 2).mean()


def ipo_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_reference: Float[Tensor, " B"],
    rejected_reference: Float[Tensor, " B"],
    lengths_chosen: Int[Tensor, " B"],
    lengths_rejected: Int[Tensor, " B"],
    beta: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean of (h − 1 / (2 β))², h the difference of the log-ratios a token (2310.12036, eq. 17; averaged over tokens as
    TRL does).
    """
    h = (chosen - chosen_reference) / lengths_chosen - (rejected - rejected_reference) / lengths_rejected
    return ((h - 1 / (2 * beta)) ** 2).mean()


def kto_loss(
    logprobs: Float[Tensor, " B"],
    reference: Float[Tensor, " B"],
    up: Bool[Tensor, " B"],
    kl: Float[Tensor, ""],
    beta: float = 0.1,
    up_weight: float = 1.0,
    down_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean of w · (1 − σ(±β (log π − log π_ref − kl))): + for a thumb up, − for a thumb down (2402.01306, eq. 8). `kl`,
    an estimate, counts as 0 where it is negative, and carries no gradient.
    """
    gain = beta * (logprobs - reference - kl.detach().clamp(min=0))
    return torch.where(up, up_weight * (1 - torch.sigmoid(gain)), down_weight * (1 - torch.sigmoid(-gain))).mean()


def answer_logprobs(
    model, ids: Int[Tensor, "B T"], labels: Int[Tensor, "B T"]
) -> tuple[Float[Tensor, " B"], Int[Tensor, " B"]]:
    """(log π of each answer, nats, summed over its tokens; its number of tokens)."""
    device = next(model.parameters()).device
    mask = (labels != IGNORE).to(device)
    return token_logprobs(model, ids.to(device), mask).sum(1), mask.sum(1)


@torch.no_grad()
def reference_logprobs(
    reference, examples: list[list[tuple[list[int], list[int]]]], batch: int = 128
) -> Float[Tensor, "N A"]:
    """log π_ref of every answer of every row, once and for all: the reference does not change."""
    parts = []
    for start in range(0, len(examples), batch):
        part = examples[start : start + batch]
        ids, labels = batch_of(part)
        parts.append(answer_logprobs(reference, ids, labels)[0].view(len(part[0]), len(part)).T)
    return torch.cat(parts)


def dpo(
    rows: list[dict],
    config: PreferenceConfig,
    base: Llama | None = None,
    seed: int = 0,
    beta: float = BETA,
    loss_fn: Callable = dpo_loss,
    lengths: bool = False,
    gaps: Float[Tensor, " N"] | None = None,
    policy: Llama | None = None,
    **options,
) -> Run:
    """Train a copy of `base` (default: the assistant) on pairs with `loss_fn(chosen, rejected, chosen_reference,
    rejected_reference, beta=…)`; with `lengths` it gets lengths_chosen and lengths_rejected (tokens), too, as IPO needs
    them, with `gaps` each pair's gap, as `distilled_loss` does. The reference is `base`; `policy`: go on from that one,
    as a second round on its own answers does.

    History has accuracy (of the implicit reward), margin, and the mean log-ratios log π − log π_ref of chosen and
    rejected answers, nats. `options` go to `preferences.train`. Raises CourseError for a beta that teaches nothing.
    """
    check(config, beta)
    reference = (base or assistant(load_stage("sft").model)).eval()
    policy = copy.deepcopy(policy or reference)
    examples = encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), policy.config.context)
    del rows  # 30,000 of them are 135 MB, and nobody needs them any more
    fixed = reference_logprobs(reference, examples)

    def batch_loss(part):
        ids, labels = batch_of([examples[k] for k in part])
        logprobs, tokens = answer_logprobs(policy, ids, labels)
        chosen, rejected = logprobs.chunk(2)
        extra = dict(zip(("lengths_chosen", "lengths_rejected"), tokens.chunk(2))) if lengths else {}
        extra |= {} if gaps is None else {"gap": gaps[part].to(logprobs.device)}
        with beside(logprobs):
            loss = loss_fn(chosen, rejected, *fixed[part].T, beta=beta, **extra)
        ratios = (logprobs.view(2, -1).T - fixed[part]).detach()
        margin = beta * (ratios[:, 0] - ratios[:, 1])
        return loss, {
            "accuracy": (margin > 0).float().mean().item(),
            "margin": margin.mean().item(),
            "chosen": ratios[:, 0].mean().item(),
            "rejected": ratios[:, 1].mean().item(),
        }

    options = {"description": "DPO", "made_of": (loss_fn, beta, lengths, gaps), **options}
    run = train(policy, examples, batch_loss, [adamw(policy, config.learning_rate)], config, seed, **options)
    run.record |= {"parent": "sft", "beta": beta}
    return run


def check(config: PreferenceConfig, beta: float) -> None:
    """Raises CourseError for settings that teach nothing."""
    check_settings(config)
    if not 0 < beta < math.inf:
        raise CourseError(f"beta is {beta}, so the loss teaches nothing: take a number above 0, such as {BETA}")


Example = tuple[list[int], list[int]]  # (ids, mask), the mask is 1 on the answer


def with_next_answers(examples: list[list[Example]]) -> list[list[Example]]:
    """Each prompt with the answer to the next row's prompt, the last one with the first's."""
    prompts = [[token for token, m in zip(ids, mask) if not m] for [(ids, mask)] in examples]
    answers = [[token for token, m in zip(ids, mask) if m] for [(ids, mask)] in examples]
    pairs = zip(prompts, answers[1:] + answers[:1], strict=True)
    return [[(prompt + answer, [0] * len(prompt) + [1] * len(answer))] for prompt, answer in pairs]


def kto(
    rows: list[dict],
    config: PreferenceConfig,
    base: Llama | None = None,
    seed: int = 0,
    beta: float = BETA,
    loss_fn: Callable = kto_loss,
    **options,
) -> Run:
    """Train a copy of `base` (default: the assistant) on thumbs with `loss_fn(logprobs, reference, up, kl, beta=…)`.

    kl is the batch's mean of log π − log π_ref on mismatched pairs, a prompt with the answer to the next row's prompt,
    and never below 0 (2402.01306, § 4.1). History has the mean log-ratios of liked and disliked answers, nats, and kl.
    `options` go to `preferences.train`. Raises CourseError for an unfit beta, a label that is neither True
    nor False, and a single row, which has no other row's answer to compare with.
    """
    check(config, beta)
    for k, row in enumerate(rows):
        if row.get("label") not in (True, False):
            raise CourseError(f"row {k} has the label {row.get('label')!r}: a thumb is True (up) or False (down)")
    if len(rows) == 1:
        raise CourseError("one thumb is too few: KTO compares each with the answer of another row")
    reference = (base or assistant(load_stage("sft").model)).eval()
    policy = copy.deepcopy(reference)
    examples = encode_answers(load_tokenizer(), rows, ("completion",), policy.config.context)
    mismatched = with_next_answers(examples)
    fixed, fixed_mismatched = (reference_logprobs(reference, each)[:, 0] for each in (examples, mismatched))
    up = torch.tensor([bool(row["label"]) for row in rows], device=fixed.device)

    def batch_loss(part):
        with torch.no_grad():
            drift = answer_logprobs(policy, *batch_of([mismatched[k] for k in part]))[0] - fixed_mismatched[part]
            kl = drift.mean().clamp(min=0)
        logprobs = answer_logprobs(policy, *batch_of([examples[k] for k in part]))[0]
        ratio = (logprobs - fixed[part]).detach()
        with beside(logprobs):
            loss = loss_fn(logprobs, fixed[part], up[part], kl, beta=beta)
        return loss, {
            "liked": ratio[up[part]].mean().item() if up[part].any() else None,
            "disliked": ratio[~up[part]].mean().item() if not up[part].all() else None,
            "kl": kl.item(),
        }

    options = {"description": "KTO", "made_of": (loss_fn, beta, up), **options}
    run = train(policy, examples, batch_loss, [adamw(policy, config.learning_rate)], config, seed, **options)
    run.record |= {"parent": "sft", "beta": beta}
    return run
