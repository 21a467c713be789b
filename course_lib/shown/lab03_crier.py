"""Lab 03 § 14: the town crier's manner in a real model; and answers side by side, as § 8 shows them, too."""

import torch

from course_lib.evaluation.intervals import wilson
from course_lib.stages.lora import lora_parameters
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table
from course_lib.world.real.style import in_style, is_right


def interval(right: int, n: int) -> str:
    """Wilson's, 95 %."""
    low, high = wilson(right, n)
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def side_by_side(questions: list[str], said: dict[str, list[str]]) -> None:
    for question, *texts in zip(questions, *said.values()):
        print(f"» {question}\n" + columns(list(said), [text.strip() for text in texts]) + "\n")


def shuffled(rows: list, epochs: int, size: int) -> list[list]:
    """Batches of `size` rows, in another order in each epoch."""
    order = []
    for epoch in range(epochs):
        order += torch.randperm(len(rows), generator=torch.Generator().manual_seed(epoch)).tolist()
    return [[rows[k] for k in order[i : i + size]] for i in range(0, len(order), size)]


def as_examples(taught: list[tuple]) -> list[dict]:
    """Pairs (ids, labels) as the collator of § 4 wants them."""
    return [{"input_ids": ids.tolist(), "labels": labels.tolist()} for ids, labels in taught]


def show_crier(model, losses: list[float], asked: list[dict], said: dict[str, list[str]]) -> dict[str, tuple[int, int]]:
    """{when: (answers in the crier's manner, answers that name what is right)}, as a table, and six answers."""
    trained = sum(p.numel() for p in lora_parameters(model))
    print(f"{trained:,} parameters trained in {len(losses)} steps")
    print(f"loss {losses[0]:.2f} at the first, {losses[-1]:.2f} nats/token at the last\n")
    n, found, lines = len(asked), {}, []
    for when, texts in said.items():
        right = sum(is_right(text, row["right"]) for text, row in zip(texts, asked))
        found[when] = (sum(map(in_style, texts)), right)
        told = [f"{k} of {n} ({interval(k, n)})" for k in found[when]]
        lines.append((when, *told))
    table({"": "", "in the crier's manner": "s", "names what is right": "s"}, lines)
    side_by_side([row["messages"][0]["content"] for row in asked[:6]], {k: v[:6] for k, v in said.items()})
    return found
