"""Lab 10, the real part: SmolLM2's answers to hand-written twins, and whether it declines."""

from collections.abc import Callable

import torch

from course_lib.shown.common import smollm2
from course_lib.shown.lab10_tables import share, told
from course_lib.stages import lora
from course_lib.stages.real_training import answer_logits, answers, collate, encode, train, trained_tokens
from course_lib.stages.sft import response_loss
from course_lib.widgets.columns import columns
from course_lib.widgets.safety import counted, percent
from course_lib.widgets.table import table
from course_lib.world.real.requests import declined, real_rows

# what the notebook trains with
__all__ = ["answer_logits", "collate", "response_loss", "train", "trained_tokens"]


def load(device):
    """(model, its tokenizer); (None, None) where it is not on this machine, and it says so."""
    if (loaded := smollm2()) is None:
        return None, None
    return loaded[0].to(device), loaded[1]


def add_lora(model, rank: int, alpha: float) -> None:
    lora.add_lora(model, rank=rank, alpha=alpha)


def judged(model, words, rows: list[dict]) -> list[dict]:
    """The rows with the model's "answer" of at most 32 tokens, and whether it declines. Whether it helped, no rule can
    tell.
    """
    said = answers(model, words, [row["messages"][:-1] for row in rows], 32)
    return [
        {**row, "answer": text, "refused": declined(text), "explained": False}
        for row, text in zip(rows, said, strict=True)
    ]


def rows(words, small: bool) -> tuple[list, list[dict]]:
    """(the 32 rows that teach, encoded; the 32 that examine)."""
    taught = [encode(words, row["messages"]) for row in real_rows("train")]
    return taught, real_rows("test")[: 4 if small else None]


def in_fours(examples: list, epochs: int) -> list[list]:
    """Batches of four examples, all of them once an epoch in another order."""
    orders = [torch.randperm(len(examples), generator=torch.Generator().manual_seed(epoch)) for epoch in range(epochs)]
    return [[examples[k] for k in part] for part in torch.cat(orders).view(-1, 4).tolist()]


def show(losses: list[float], rates_of: Callable, guess: str, **found: list[dict]) -> None:
    """The reader's rates before and after training, with intervals, and the first answers in two columns."""
    print(f"{len(losses)} steps; first loss {losses[0]:.2f}, last {losses[-1]:.2f} nats/token")
    kinds = ("harmful", "benign")
    for judged_rows in found.values():
        assert all(abs(rates_of(judged_rows)[f"{kind}_refused"] - share(judged_rows, kind)) < 1e-9 for kind in kinds)
    heads = {"": ""} | {f"{kind} refused": ">" for kind in kinds}
    table(heads, [(when, *(percent(*counted(each, kind)) for kind in kinds)) for when, each in found.items()])
    told(guess)
    for both in list(zip(*found.values()))[:6]:
        print(f"\n» {both[0]['messages'][0]['content']}\n{columns(list(found), [row['answer'] for row in both])}")
