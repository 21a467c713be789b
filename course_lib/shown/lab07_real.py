"""What lab 07 shows of its run on the real model: the bookkeeping of its rollouts, and the examination."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.evaluation.intervals import wilson
from course_lib.shown.common import smollm2  # noqa: F401
from course_lib.stages import lora, real_training
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run
from course_lib.world.real import preferences as taste


def with_adapter(loaded: tuple, device: str, rank: int, alpha: float) -> tuple:
    """(model, tokenizer), the model on its device with LoRA beside its weights, which are frozen."""
    model, words = loaded
    lora.add_lora(model.to(device), rank=rank, alpha=alpha)
    return model, words


def questions(size: str) -> tuple[list[dict], list[dict]]:
    """(questions that teach, questions that examine)."""
    most = 4 if size == "tiny" else None
    return taste.preference_rows("train")[:most], taste.preference_rows("test")[:most]


def answers(model, words, rows: list[dict]) -> list[str]:
    """The likeliest answer to each question, 40 tokens at most."""
    return real_training.answers(model, words, [row["prompt"] for row in rows], 40)


def directness(texts: list[str], device: str) -> Float[Tensor, " B"]:
    """The rule's reward of each answer."""
    return torch.tensor([taste.directness(text) for text in texts], device=device)


def dealt(rows: list[dict], step: int, prompts: int, group: int) -> list[dict]:
    """The rows of a step, each `group` times; every pass over them has an order of its own."""
    order: list[int] = []
    for k in range(1 + prompts * (step + 1) // len(rows)):
        order += torch.randperm(len(rows), generator=torch.Generator().manual_seed(k)).tolist()
    return [rows[k] for k in order[prompts * step : prompts * (step + 1)] for _ in range(group)]


def sampled(model, words, rows: list[dict], tokens: int, temperature: float, seed: int):
    """(ids [B T], attention mask [B T], mask [B n] of the answers' tokens, answers as text) of sampled answers; n is
    the length of the longest, and the last n columns of ids are theirs.
    """
    prompts = [row["prompt"] for row in rows]
    ids, chosen, attention = real_training.sample(model, words, prompts, tokens, temperature, seed)
    texts = [words.decode(row[mask], skip_special_tokens=True) for row, mask in zip(ids, chosen)]
    return ids, attention, chosen[:, -int(chosen.any(0).sum()) :], texts


def logprobs(
    model, ids: Int[Tensor, "B T"], attention: Int[Tensor, "B T"], mask: Bool[Tensor, "B N"], temperature: float
) -> Float[Tensor, "B N"]:
    """log π of the last N tokens of each row, of the policy as it is sampled: at its temperature."""
    n = mask.shape[1]
    logits = model(ids, attention_mask=attention, logits_to_keep=n + 1).logits[:, :-1] / temperature
    return torch.log_softmax(logits.float(), -1).gather(2, ids[:, -n:, None])[..., 0]


def tokens_of(answers: list[tuple]) -> int:
    """Tokens of answers (ids, attention, mask, …): what the loss is a mean over."""
    return sum(int(answer[2].sum()) for answer in answers)


def step_of(scores: Tensor, log_ratio: Float[Tensor, "B N"], texts: list[str]) -> dict[str, float]:
    """A row of the log. log_ratio: log π − log π_ref, 0 off the answers, whose sum is k1 of § 4."""
    return {
        "reward": scores.mean().item(),
        "error": scores.std().item() / len(scores) ** 0.5,
        "words": sum(map(taste.words_of, texts)) / len(texts),
        "kl": log_ratio.sum(1).mean().item(),
    }


def show_steps(log: list[dict]) -> None:
    heads = {"step": "", "reward": ".2f", "± error": ".2f", "words": ".1f", "KL": ".1f"}
    table(heads, [(str(k), *row.values()) for k, row in enumerate(log)])


def show_exam(rows: list[dict], spoken: dict[str, list[str]], shown: int, size: str) -> dict[str, dict]:
    """The likeliest answers to the held-out questions, before and after: {when: {"reward", "words", "hedges",
    "names", "without letters"}}.
    """
    made = {}
    for when, texts in spoken.items():
        means = {"reward": taste.directness, "words": taste.words_of, "hedges": taste.hedges_of}
        made[when] = {name: sum(map(f, texts)) / len(rows) for name, f in means.items()}
        made[when]["names"] = sum(map(taste.names_it, rows, texts))
        made[when]["without letters"] = sum(not any(c.isalpha() for c in text) for text in texts)
    between = lambda row: "{:.0%} to {:.0%}".format(*wilson(row["names"], len(rows)))
    heads = {"": "", "reward": ".2f", "words": ".1f", "hedges": ".2f", f"right, of {len(rows)}": "d", "95 %": ""}
    table(heads, [(when, *list(row.values())[:4], between(row)) for when, row in made.items()])
    for row, *both in list(zip(rows, *spoken.values()))[:shown]:
        print(f"» {row['prompt'][0]['content']}\n" + columns(["SmolLM2", "after GRPO"], both) + "\n")
    before, after = made["before"], made["after"]
    your_run(
        f"The reward of the likeliest answers went from {before['reward']:.2f} to {after['reward']:.2f};",
        f"{before['names']} and {after['names']} of {len(rows)} say what is right,",
        f"{before['without letters']} and {after['without letters']} have no letter in them.",
        size=size, shows="what the rule does to the answers",
    )  # fmt: skip
    return made
