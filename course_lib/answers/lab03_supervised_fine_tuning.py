"""Lab 03: the course's answers, each under its question's id."""

import math
import re
import string

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.stages.sft import IGNORE, response_loss


def render_chat(messages: list[dict[str, str]], generation_prompt: bool = False) -> str:
    turns = [f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages]
    return "".join(["<|bos|>", *turns, "<|im_start|>assistant\n" * generation_prompt])


def response_labels(ids: Int[Tensor, " T"], header: list[int], im_end: int) -> Int[Tensor, " T"]:
    """By a regular expression over one letter a token."""
    text, head, end = ("".join(chr(0x4E00 + token) for token in part) for part in (ids.tolist(), header, [im_end]))
    labels = torch.full_like(ids, IGNORE)
    for first, last in (match.span(1) for match in re.finditer(f"{head}([^{end}]*{end}?)", text)):
        labels[first:last] = ids[first:last]
    return labels


def collate(examples: list[dict[str, list[int]]], pad_id: int) -> dict[str, Int[Tensor, "B T"]]:
    width = max(len(example["input_ids"]) for example in examples)
    rows = {"input_ids": [], "labels": [], "attention_mask": []}
    for example in examples:
        left = width - len(example["input_ids"])
        rows["input_ids"].append([*example["input_ids"], *[pad_id] * left])
        rows["labels"].append([*example["labels"], *[IGNORE] * left])
        rows["attention_mask"].append([1] * (width - left) + [0] * left)
    return {name: torch.tensor(part, dtype=torch.long) for name, part in rows.items()}


def sft_loss(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    return response_loss(logits.float(), labels)


def pack(lengths: list[int], limit: int) -> list[list[int]]:
    """By a search over (room, row)."""
    rows, used = [], []
    for n, k in sorted((-n, k) for k, n in enumerate(lengths)):
        able = sorted((limit - used[r], r) for r in range(len(rows)) if used[r] - n <= limit)
        where = able[0][1] if able else len(rows)
        if not able:
            rows, used = [*rows, []], [*used, 0]
        rows[where].append(k)
        used[where] -= n
    return rows


def packing_mask(segments: Int[Tensor, "B T"]) -> Bool[Tensor, "B T T"]:
    return (segments[:, :, None] == segments[:, None, :]).tril()


def pick_learning_rate(rates: list[float], curves: list[list[float]]) -> float | None:
    whole = [(curve[-1], rate) for rate, curve in zip(rates, curves) if curve and all(map(math.isfinite, curve))]
    return min(whole)[1] if whole else None


def normalise_answer(text: str) -> str:
    """As in the evaluation script of SQuAD 1.1."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())
