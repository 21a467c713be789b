"""Lab 08's real model: the pairs of a taste that is one rule, sampled, batched, examined. What is trained, with which
loss and which steps, stands in the notebook.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.evaluation.intervals import wilson
from course_lib.shown.common import guessed, smollm2
from course_lib.stages import real_training
from course_lib.stages.lora import add_lora
from course_lib.stages.real_training import answer_logits, train
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run
from course_lib.world.real import preferences as taste

__all__ = ["add_lora", "answer_logits", "load", "pairs", "questions", "show", "train", "without_gradient"]
LONGEST = 40  # tokens of an answer


@dataclass
class Real:
    model: Any
    words: Any  # its tokenizer
    device: str


def load(device: str) -> Real | None:
    """SmolLM2, or None with a line that says how to get it."""
    if (loaded := smollm2()) is None:
        return None
    return Real(loaded[0].to(device), loaded[1], device)


def questions(n: int | None = None) -> tuple[list[dict], list[dict]]:
    """(pairs to train on, pairs to examine with): "prompt" and "chosen", messages."""
    teach, exam = (taste.preference_rows(split)[:n] for split in ("train", "test"))
    return teach, exam


@dataclass
class Pairs:
    """Chosen answers, written by hand, and rejected ones, the model's own: (ids, labels); those to train on first."""

    real: Real
    chosen: list[tuple[Tensor, Tensor]]
    rejected: list[tuple[Tensor, Tensor]]
    taught: int

    @property
    def all(self) -> Int[Tensor, " N"]:
        return torch.arange(len(self.chosen))

    @property
    def held_out(self) -> Int[Tensor, " N"]:
        """The pairs of the examination, without those whose two answers are the same."""
        said = lambda labels: labels[labels != -100].tolist()
        apart = [said(a[1]) != said(b[1]) for a, b in zip(self.chosen, self.rejected)]
        return torch.tensor([k for k in range(self.taught, len(apart)) if apart[k]])

    def batches(self, size: int) -> list[Int[Tensor, " B"]]:
        order = torch.randperm(self.taught, generator=torch.Generator().manual_seed(0))
        return list(order.split(size))

    def batch(self, part: Int[Tensor, " B"]) -> tuple[Tensor, Tensor, Tensor]:
        """(ids, labels, mask) of all chosen answers, then all rejected ones."""
        examples = [self.chosen[k] for k in part] + [self.rejected[k] for k in part]
        ids, labels, mask = real_training.collate(examples, self.real.words.eos_token_id)
        return ids.to(self.real.device), labels.to(self.real.device), mask.to(self.real.device)


def pairs(real: Real, teach: list[dict], exam: list[dict]) -> Pairs:
    """What the model says by itself (greedy, at most LONGEST tokens) beside what is wanted of it. An answer that is cut
    off has no end token, and none is trained.
    """
    rows, own = teach + exam, []
    wanted = [real_training.encode(real.words, row["prompt"] + row["chosen"]) for row in rows]
    for first in range(0, len(rows), 20):
        part = [row["prompt"] for row in rows[first : first + 20]]
        for ids, sampled, there in zip(*real_training.sample(real.model, real.words, part, LONGEST)):
            there = there.bool()
            own.append((ids[there].cpu(), ids.masked_fill(~sampled, -100)[there].cpu()))
    return Pairs(real, wanted, own, len(teach))


@torch.no_grad()
def without_gradient(logprobs_of: Callable, which: Int[Tensor, " N"]) -> Float[Tensor, "2 N"]:
    """`logprobs_of` of many pairs, four at a time."""
    return torch.cat([logprobs_of(part).cpu() for part in which.split(4)], 1)


def show(
    real: Real,
    data: Pairs,
    exam: list[dict],
    logprobs_of: Callable,
    reference: Float[Tensor, "2 N"],
    beta: float,
    guess: str = "",
) -> dict:
    """What became of the held-out pairs and of the answers: tables, and eight questions with the answer before and
    after. `reference`: log π_ref of all pairs. Returns the figures.
    """
    ratios = without_gradient(logprobs_of, data.held_out) - reference[:, data.held_out]
    text = lambda labels: real.words.decode(labels[labels != -100], skip_special_tokens=True)
    before = [text(labels) for _, labels in data.rejected[data.taught :]]
    after = real_training.answers(real.model, real.words, [row["prompt"] for row in exam], LONGEST)
    margins = beta * (ratios[0] - ratios[1])
    seen: dict[str, Any] = {"right order": int((margins > 0).sum()), "margin": float(margins.mean())}
    seen |= {"chosen": float(ratios[0].mean()), "rejected": float(ratios[1].mean()), "named": [], "words": []}
    rows = []
    for when, texts in (("before", before), ("after DPO", after)):
        named = sum(map(taste.names_it, exam, texts))
        low, high = wilson(named, len(exam))
        words = sum(map(taste.words_of, texts)) / len(exam)
        seen["named"].append(named)
        seen["words"].append(words)
        hedges = sum(map(taste.hedges_of, texts)) / len(exam)
        rows.append([when, words, hedges, f"{named} of {len(exam)}, {low:.0%} to {high:.0%}"])
    print(
        f"{seen['right order']} of {len(margins)} held-out pairs in the order asked for, mean margin "
        f"{seen['margin']:.2f}; log-ratio of the chosen {seen['chosen']:+.1f}, of the rejected "
        f"{seen['rejected']:+.1f} nats."
    )
    table({"": "", "words": ".1f", "hedges": ".2f", "names what is right (95 % interval)": ""}, rows)
    your_run(shows="what DPO does to a real model's answers")
    for row, *both in list(zip(exam, before, after))[:8]:
        print(f"» {row['prompt'][0]['content']}\n" + columns(["SmolLM2", "after DPO"], both) + "\n")
    guessed(guess)
    return seen
