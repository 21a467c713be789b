"""Answers of a policy, and what PPO, GRPO and DPO need to know of each of their tokens.

A batch of B answers is ids [B T] (prompt, answer, <|im_end|>, padding on the right) and mask [B T], 1 on the tokens
that the policy chose. Per-token numbers stand at the token that was chosen, and are 0 elsewhere.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.platform import CourseError, keep_large_buffers
from course_lib.stages.checkpoint import Checkpoints
from course_lib.stages.generate import generate_ids
from course_lib.stages.pretrain import Run, learning_rate
from course_lib.stages.sft import encode_chat
from course_lib.stages.shared import states_of
from course_lib.stages.step import LOWER, check_finite, explains_memory, steps_left
from course_lib.stages.tokenizer import IM_END, PAD, load_tokenizer

LONGEST = 48  # tokens of an answer; a longer one is cut
ANSWERS = (
    256  # that are sampled, or compared with a reference, at a time: with 512 the examination of a policy holds the
)
# peak of its phase


@dataclass
class Rollouts:
    rows: list[dict]  # the prompt of each answer
    answers: list[str]
    ids: Int[Tensor, "B T"]
    mask: Bool[Tensor, "B T"]


def assistant(model, temperature: float = 0.6):
    """The assistant as it is sampled in labs 06 to 10: `temperature` goes into the last norm, so that softmax(logits)
    itself is the policy and log-probabilities, KL and samples all speak of the same distribution. Changes `model` and
    returns it. Raises CourseError for a temperature that is not above 0.
    """
    if not 0 < temperature < math.inf:
        raise CourseError(f"temperature is {temperature}, and the policy needs one above 0: its samples have to differ")
    with torch.no_grad():
        model.model.norm.weight /= temperature
    return model


@torch.no_grad()
def roll_out(
    model, tokenizer, rows: list[dict], each: int = 1, seed: int = 0, longest: int = LONGEST, batch: int = ANSWERS
) -> Rollouts:
    """`each` sampled answers to each prompt, those to one prompt next to each other. rows: {"messages": [… the user's
    last]}.
    """
    asked = [encode_chat(tokenizer, row["messages"], generation_prompt=True)[0] for row in rows]
    rows, prompts = [row for row in rows for _ in range(each)], [prompt for prompt in asked for _ in range(each)]
    new: list[list[int]] = []
    for start in range(0, len(prompts), batch):
        new += generate_ids(model, prompts[start : start + batch], longest, seed=seed + start, stop=IM_END)
    ids, mask = padded(prompts, [answer + [IM_END] * (len(answer) < longest) for answer in new])
    device = next(model.parameters()).device
    texts = {answer: tokenizer.decode(answer) for answer in set(map(tuple, new))}  # most answers come several times
    return Rollouts(rows, [texts[tuple(answer)] for answer in new], ids.to(device), mask.to(device))


def padded(prompts: list[list[int]], answers: list[list[int]]) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """(ids, mask) of a batch: each prompt with its answer, padding on the right; mask is 1 on the answer."""
    lengths = torch.tensor([[len(prompt), len(prompt) + len(answer)] for prompt, answer in zip(prompts, answers)])
    whole = [torch.tensor(prompt + answer) for prompt, answer in zip(prompts, answers)]
    ids = torch.nn.utils.rnn.pad_sequence(whole, batch_first=True, padding_value=PAD)
    places = torch.arange(ids.shape[1])
    return ids, (places >= lengths[:, :1]) & (places < lengths[:, 1:])


def chosen_from(
    model, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> tuple[Float[Tensor, "N D"], Int[Tensor, " M"]]:
    """(hidden states, which of them each of the M masked tokens was chosen from); equal rows have the same ones."""
    kept = mask.any(1)
    first = mask.int().argmax(1)
    ends = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)  # nothing is chosen after the last token
    rows = [row for row, chosen in zip(ids.tolist(), kept.tolist()) if chosen]
    prompts = [row[:k] for row, k in zip(rows, first[kept].tolist())]
    answers = [row[k:end] for row, k, end in zip(rows, *torch.stack((first, ends))[:, kept].tolist())]
    hidden, start = states_of(model, prompts, answers)
    places = torch.arange(mask.shape[1], device=mask.device) - first[:, None]
    return hidden, (start[:, None] + places[kept])[mask[kept]]


def chosen_logits(model, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "M V"]:
    """The logits from which each of the M masked tokens was chosen; the head is computed nowhere else."""
    hidden, of = chosen_from(model, ids, mask)
    return model.head(hidden)[of]


def spread(values: Float[Tensor, " N"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """N numbers back at the places of their tokens, 0 elsewhere."""
    flat = values.new_zeros(mask.numel())
    return flat.index_copy(0, mask.flatten().nonzero()[:, 0], values).view(mask.shape)


def token_logprobs(model, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """log π of each masked token given all before it, nats."""
    logprobs, of = distributions(model, ids, mask)
    return spread(logprobs[of, ids[mask]], mask)


def distributions(
    model, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> tuple[Float[Tensor, "N V"], Int[Tensor, " M"]]:
    """(log π over the vocabulary, which row of it each of the M masked tokens was drawn from)."""
    hidden, of = chosen_from(model, ids, mask)
    return torch.log_softmax(model.head(hidden).float(), -1), of


def kl_and_entropy(p: Float[Tensor, "N V"], q: Float[Tensor, "N V"]) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """(KL(p ‖ q), entropy of p) of N pairs of log-probabilities, nats."""
    return (p.exp() * (p - q)).sum(-1), -(p.exp() * p).sum(-1)


@torch.no_grad()
def exact_kl(model, reference, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """KL(π ‖ π_ref) of each answer, nats, summed over its tokens: at each token over the whole vocabulary, so only the
    path is sampled.
    """
    found = []
    for rows, chosen in zip(ids.split(ANSWERS), mask.split(ANSWERS)):
        (p, of), (q, _) = (distributions(m, rows, chosen) for m in (model, reference))
        found.append(spread(kl_and_entropy(p, q)[0][of], chosen).sum(1))
    return torch.cat(found)


@torch.no_grad()
def entropies(model, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Entropy of the distribution that each masked token was drawn from, nats."""
    p, of = distributions(model, ids, mask)
    return spread(-(p.exp() * p).sum(-1)[of], mask)


@explains_memory
def improve(
    policy,
    reference,
    optimiser: list[torch.optim.Optimizer],
    reward: Callable[[list[dict], list[str]], Tensor],
    prompts: list[dict],
    config,
    update: Callable,
    seed: int = 0,
    name: str = "policy",
    on_step: Callable[[list[dict]], None] | None = None,
    out: Path | str | None = None,
    resume: bool = True,
    progress: bool = True,
    checkpoint_steps: int = 5,
    parent: str = "sft",
) -> Run:
    """The loop that PPO and GRPO share: sample, score, `update(batch, scores, reference's log-probabilities,
    generator, beta, lr, step)`, measure.

    `reward(rows, answers)` gives a number an answer, [B]. `config` has steps, prompts, each, learning_rate, beta, and
    kl_target (nats an answer, or None for a fixed beta). History rows: step, reward, kl (exact, nats an answer, after
    the update), entropy (nats a token), length (tokens), tied (share of the prompts whose answers all got one reward),
    beta, what `update` returns, sample, seconds. With `out` a killed run goes on from its checkpoint and gives the same
    numbers, and one that has ended is not trained again. Raises CourseError for too few prompts, and for rewards that
    are not finite or not one an answer.
    """
    keep_large_buffers()
    if len(prompts) < config.prompts:
        raise CourseError(f"{len(prompts)} prompts are too few for steps of {config.prompts}: make more of them")
    tokenizer = load_tokenizer()
    recipe = {"seed": seed, "name": name, "prompts_in_all": len(prompts), **asdict(config)}
    made_of = (policy, reference, reward, update, prompts)
    checkpoints = Checkpoints(out, resume, policy, optimiser, recipe, checkpoint_steps, made_of)
    history = checkpoints.history
    beta = history[-1]["next_beta"] if history else config.beta
    started = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)
    bar = steps_left(history, config.steps, name, progress)
    for step in bar:
        rows = [prompts[k % len(prompts)] for k in range(step * config.prompts, (step + 1) * config.prompts)]
        batch = roll_out(policy, tokenizer, rows, config.each, seed=1_000_003 * seed + 10_007 * step)
        scores = torch.as_tensor(reward(batch.rows, batch.answers), dtype=torch.float32).to(batch.ids.device)
        if scores.shape != (len(batch.answers),):
            raise CourseError(
                f"reward gives shape {list(scores.shape)} for {len(batch.answers)} answers: give one number an answer"
            )
        if not scores.isfinite().all():
            answer = batch.answers[int((~scores.isfinite()).nonzero()[0])]
            raise CourseError(f"the reward of {answer!r} is not finite: mend the reward function")
        lr = learning_rate(step, config.steps, 1, config.learning_rate, 0.0)
        generator = torch.Generator().manual_seed(1_000_003 * seed + step)
        ids, mask = batch.ids, batch.mask
        with torch.no_grad():
            q, of = distributions(reference, ids, mask)
        extra = update(batch, scores, spread(q[of, ids[mask]], mask), generator, beta, lr, step)
        with torch.no_grad():
            kl_of_place, entropy_of_place = kl_and_entropy(distributions(policy, ids, mask)[0], q)
            kls, entropy = spread(kl_of_place[of], mask).sum(1), entropy_of_place[of]
        check_finite(step, "the KL", kls, f"{LOWER}, which is {config.learning_rate:g}")
        kl = kls.mean().item()
        next_beta = adapted_beta(beta, kl, config.kl_target) if config.kl_target else beta
        history.append(
            {
                "step": step,
                "reward": scores.mean().item(),
                "kl": kl,
                "entropy": entropy.mean().item(),
                "length": mask.sum(1).float().mean().item(),
                "tied": (scores.view(len(rows), -1).std(1, correction=0) < 1e-6).float().mean().item(),
                "beta": beta,
                "next_beta": next_beta,
                **extra,
                "sample": batch.answers[0],
                "seconds": time.perf_counter() - started,
            }
        )
        beta = next_beta
        bar.set_postfix(reward=f"{scores.mean():.2f}", kl=f"{kl:.2f}")
        if on_step:
            on_step(history)
        checkpoints.save(history)
    checkpoints.finish(history, on_step)
    minutes = history[-1]["seconds"] / 60
    return Run(
        policy, history, {"made_on": checkpoints.made_on, "recipe": recipe, "parent": parent, "minutes": minutes}
    )


def adamw(policy, learning_rate: float, groups: list[dict] | None = None) -> torch.optim.Optimizer:
    """For all parameters, or for `groups` of them."""
    on_gpu = next(policy.parameters()).is_cuda  # fused: a dozen launches in place of hundreds
    trained = groups or policy.parameters()
    return torch.optim.AdamW(trained, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=on_gpu)


def adapted_beta(beta: float, kl: float, target: float, rate: float = 0.1) -> float:
    """β a little larger where the KL (nats an answer) is above its target, a little smaller below (Ziegler et al. 2019,
    1909.08593, § 2.2).
    """
    return beta * (1 + rate * max(-0.2, min(0.2, kl / target - 1)))
