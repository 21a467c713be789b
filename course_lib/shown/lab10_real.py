"""Lab 10, the real part: SmolLM2's answers to hand-written twins, and whether it declines."""

from course_lib.shown.lab10_tables import share
from course_lib.stages import lora
from course_lib.stages.real import NOT_HERE, smollm2
from course_lib.stages.real_training import answer_logits, answers, collate, encode, train, trained_tokens
from course_lib.stages.sft import response_loss
from course_lib.widgets.columns import columns
from course_lib.widgets.safety import counted, percent
from course_lib.widgets.table import table
from course_lib.world.real.requests import declined, real_rows

# what the notebook trains with
__all__ = ["answer_logits", "collate", "encode", "real_rows", "response_loss", "train", "trained_tokens"]


def load(device):
    """(model, its tokenizer); (None, None) where it is not on this machine, and it says so."""
    loaded = smollm2()
    if loaded is None:
        print(NOT_HERE)
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


def lines(rates_of, **found: list[dict]) -> None:
    """A row before training and one after it: the reader's rates, with intervals."""
    kinds = ("harmful", "benign")
    for rows in found.values():
        assert all(abs(rates_of(rows)[f"{kind}_refused"] - share(rows, kind)) < 1e-9 for kind in kinds)
    heads = {"": ""} | {f"{kind} refused": ">" for kind in kinds}
    table(heads, [(when, *(percent(*counted(rows, kind)) for kind in kinds)) for when, rows in found.items()])


def show_side_by_side(n: int = 6, **found: list[dict]) -> None:
    """The first answers, before and after in two columns."""
    for rows in list(zip(*found.values()))[:n]:
        print(f"» {rows[0]['messages'][0]['content']}\n{columns(list(found), [row['answer'] for row in rows])}\n")
