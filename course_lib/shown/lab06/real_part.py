"""Lab 06, the real part: SmolLM2 as a reward model, what its rewards tell apart, and the best of its own answers."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.evaluation.intervals import wilson
from course_lib.shown.common import smollm2  # noqa: F401
from course_lib.stages import lora
from course_lib.stages.real_data import hub_rows
from course_lib.stages.real_training import answers, collate, encode, train  # noqa: F401  (the notebook trains)
from course_lib.stages.tokenizer import PAD
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run
from course_lib.world.real import preferences as taste


def pairs(size: str) -> tuple[list[dict], list[dict]]:
    """(pairs that teach, pairs that examine): the hand-written ones, or public ones with COURSE_DATA=hub."""
    said = lambda text: [{"role": "assistant", "content": text}]
    public = [
        {"prompt": row["messages"], **{side: said(row[side]) for side in ("chosen", "rejected")}}
        for row in hub_rows(60) or []
    ]
    teach, examine = (public[:40], public[40:]) if public else map(taste.preference_rows, ("train", "test"))
    n = 4 if size == "tiny" else None
    return teach[:n], examine[:n]


def own_answers(model, words, rows: list[dict], seeds: int = 4) -> list[list[str]]:
    """[seed][row]: the model's own answers, sampled at temperature 0.7."""
    asked = [row["prompt"] for row in rows]
    return [answers(model, words, asked, 40, temperature=0.7, seed=seed) for seed in range(seeds)]


def add_reward_head(model, rank: int, alpha: float) -> None:
    """Small trained matrices beside frozen weights, and a head `score` of zeros."""
    lora.add_lora(model, rank=rank, alpha=alpha)
    model.score = torch.nn.Linear(model.config.hidden_size, 1, bias=False, device=model.device)
    torch.nn.init.zeros_(model.score.weight)


def rewards_of(model, words, head: Callable, rows: list[dict], texts: list[str]) -> Tensor:
    """[N]: what `head` reads off the model for each text as the answer to its row's prompt."""
    said = [row["prompt"] + [{"role": "assistant", "content": text}] for row, text in zip(rows, texts, strict=True)]
    ids, _, _ = collate([encode(words, messages) for messages in said], PAD)
    hidden = model.model(ids.to(model.device)).last_hidden_state.cpu()
    return head(hidden, ids, model.score.weight[0].cpu(), PAD)


def side(rows: list[dict], name: str) -> list[str]:
    """The chosen, or the rejected, answers."""
    return [row[name][0]["content"] for row in rows]


def in_fours(rows: list[dict], epochs: int = 2) -> list[list[dict]]:
    """Shuffled batches of four, every row once an epoch."""
    orders = [torch.randperm(len(rows), generator=torch.Generator().manual_seed(epoch)) for epoch in range(epochs)]
    return [[rows[k] for k in part] for order in orders for part in order.split(4)]


@torch.no_grad()
def judged(model, words, head: Callable, rows: list[dict], texts: list[str]) -> Tensor:
    """`rewards_of`, ten at a time."""
    tens = range(0, len(rows), 10)
    return torch.cat([rewards_of(model, words, head, rows[k : k + 10], texts[k : k + 10]) for k in tens])


def show_verdicts(model, words, head: Callable, rows: list[dict]) -> dict[str, tuple[int, float]]:
    """{which answer over which: (how often it has the larger reward, mean margin)}."""
    chosen, rejected = side(rows, "chosen"), side(rows, "rejected")
    elsewhere = chosen[1:] + chosen[:1]  # what was chosen at the next question
    said = {"chosen": chosen, "rejected": rejected, "hedged": [f"Perhaps. {text}" for text in chosen]}
    r = {name: judged(model, words, head, rows, texts) for name, texts in {**said, "elsewhere": elsewhere}.items()}
    margins = {
        "chosen over rejected, as it was taught": r["chosen"] - r["rejected"],
        "chosen over the same with a hedge, 'Perhaps.'": r["chosen"] - r["hedged"],
        "chosen over what is chosen at another question": r["chosen"] - r["elsewhere"],
        "rejected over what is chosen at another question": r["rejected"] - r["elsewhere"],
    }
    found = {name: (int((margin > 0).sum()), float(margin.mean())) for name, margin in margins.items()}
    shown = [(name, f"{n} of {len(rows)}", *wilson(n, len(rows)), mean) for name, (n, mean) in found.items()]
    table({"larger reward for": "", "": "", "95 % from": ".0%", "to": ".0%", "mean margin": "+.1f"}, shown)
    your_run(shows="what forty pairs teach a real model")
    return found


def show_best_of_four(model, words, head: Callable, rows: list[dict], own: list[list[str]]) -> dict[str, tuple]:
    """{which answers: (mean words, mean hedges, how many name what is right; None for public pairs)}."""
    picked = torch.stack([judged(model, words, head, rows, texts) for texts in own]).argmax(0).tolist()
    said = {"SmolLM2's first answer": own[0], "the best of four": [own[n][k] for k, n in enumerate(picked)]}
    mean = lambda count, texts: sum(map(count, texts)) / len(texts)
    right = lambda texts: sum(map(taste.names_it, rows, texts)) if "right" in rows[0] else None
    found = {name: (mean(taste.words_of, t), mean(taste.hedges_of, t), right(t)) for name, t in said.items()}
    heads = {f"{len(rows)} questions": "", "words": ".1f", "hedges": ".1f", "name what is right": "d"}
    table(heads, [(name, *values) for name, values in found.items()])
    for row, *both in list(zip(rows, *said.values()))[:5]:
        print(f"\n» {row['prompt'][0]['content']}\n" + columns(list(said), both))
    return found
