"""Lab 12 on a real model: sums of two numbers in words, a checker's verdict, a few steps of reinforcement by LoRA."""

from collections.abc import Callable

import torch

from course_lib.evaluation.intervals import wilson
from course_lib.shown.common import smollm2  # noqa: F401
from course_lib.shown.lab07_real import dealt, logprobs, sampled, tokens_of, with_adapter
from course_lib.stages import real_training
from course_lib.stages.grpo import clipped_terms
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run

WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen"
).split()
SHOT = [  # how an answer looks: without it the model hardly ever writes one that the checker can read
    {"role": "user", "content": "What is two plus three? Think first."},
    {"role": "assistant", "content": "Two and three make five. Answer: five"},
]
STEPS, PROMPTS, GROUP, TOKENS, WARMTH, RATE = 5, 3, 4, 20, 0.8, 5e-4


def sums(size: str) -> tuple[list[dict], list[dict]]:
    """(sums that teach, sums that examine): {"prompt", "answer", "question"}; every fifth one of all is held out."""
    pairs = [(a, b) for a in range(1, 10) for b in range(1, 10) if (a, b) != (2, 3)]
    rows = []
    for a, b in pairs:
        question = f"What is {WORDS[a]} plus {WORDS[b]}? Think first."
        prompt = [*SHOT, {"role": "user", "content": question}]
        rows.append({"prompt": prompt, "answer": WORDS[a + b], "question": question})
    exam = rows[::5]
    teach = [row for k, row in enumerate(rows) if k % 5]
    return (teach[:6], exam[:4]) if size == "tiny" else (teach, exam)


def show(loaded: tuple, verify: Callable, advantages: Callable, loss: Callable, device: str, size: str):
    """Trains the adapter, shows the log and the examination: (rows of the log, {when: {"right", "marked"}})."""
    steps, prompts, group, tokens = (2, 2, 2, 8) if size == "tiny" else (STEPS, PROMPTS, GROUP, TOKENS)
    teach, exam = sums(size)
    model, words = with_adapter(loaded, device, rank=8, alpha=16)
    log: list[dict] = []

    def rollouts():
        """Answers in halves: at the second half the policy is no longer the one that sampled."""
        for step in range(steps):
            rows = dealt(teach, step, prompts, group)
            *drawn, texts = sampled(model, words, rows, tokens, WARMTH, seed=step)
            with torch.no_grad():
                old = logprobs(model, *drawn, WARMTH)
            rewards = torch.tensor([float(bool(verify(text, row["answer"]))) for row, text in zip(rows, texts)])
            priced = advantages(rewards.view(prompts, group), "dr_grpo").reshape(-1, 1).to(device).expand_as(old)
            log.append({"right": rewards.mean().item(), "marked": marked(texts), "words": words_a_text(texts)})
            answers = list(zip(*drawn, old, priced))
            yield from (answers[: len(answers) // 2], answers[len(answers) // 2 :])

    def loss_of(answers):
        ids, attention, mask, old, priced = map(torch.stack, zip(*answers))
        terms, _ = clipped_terms(logprobs(model, ids, attention, mask, WARMTH), old, priced, 0.2)
        return loss(terms, mask, "dapo", tokens)

    spoken = {"before": answers_of(model, words, exam, tokens)}
    tied = "in each group all rewards were equal, so every advantage was 0 (a step of the table is two such steps)"
    options = {"at_once": 3, "count": tokens_of, "still": tied}
    real_training.train(model, rollouts(), loss_of, RATE, "RL on the checker", **options)
    spoken["after"] = answers_of(model, words, exam, tokens)
    heads = {"step": "", "reward": ".2f", "with one “Answer:”": ".2f", "words": ".1f"}
    table(heads, [(str(k), *row.values()) for k, row in enumerate(log)])
    return log, show_exam(exam, spoken, verify, size)


def answers_of(model, words, rows: list[dict], tokens: int) -> list[str]:
    """The likeliest answer to each sum."""
    return real_training.answers(model, words, [row["prompt"] for row in rows], tokens)


def marked(texts: list[str]) -> float:
    """The share of the texts with exactly one "Answer:"."""
    return sum(text.count("Answer:") == 1 for text in texts) / len(texts)


def words_a_text(texts: list[str]) -> float:
    return sum(len(text.split()) for text in texts) / len(texts)


def show_exam(rows: list[dict], spoken: dict[str, list[str]], verify: Callable, size: str) -> dict[str, dict]:
    """The likeliest answers to held-out sums, before and after: {when: {"right", "marked", "said"}}; "said": the right
    number stands somewhere.
    """
    made = {}
    for when, texts in spoken.items():
        made[when] = {
            "right": sum(bool(verify(text, row["answer"])) for row, text in zip(rows, texts)),
            "marked": round(marked(texts) * len(texts)),
            "said": sum(row["answer"] in text.lower().replace(".", " ").split() for row, text in zip(rows, texts)),
        }
    between = lambda n: "{:.0%} to {:.0%}".format(*wilson(n, len(rows)))
    heads = {"": "", f"right, of {len(rows)}": "d", "95 %": "", "with one “Answer:”": "d", "the number somewhere": "d"}
    table(heads, [(when, of["right"], between(of["right"]), of["marked"], of["said"]) for when, of in made.items()])
    for row, *both in list(zip(rows, *spoken.values()))[:6]:
        print(f"» {row['question']}\n" + columns(["SmolLM2", "after RL"], both) + "\n")
    before, after = made["before"], made["after"]
    your_run(
        f"Of {len(rows)} sums that it was not trained on it gets {before['right']} right before and {after['right']} "
        f"after; {before['marked']} and {after['marked']} answers have one “Answer:”.",
        size=size, shows="what a few steps do",
    )  # fmt: skip
    return made
