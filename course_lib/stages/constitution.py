"""Constitutional AI, supervised phase: a helpful-only assistant criticises and revises itself by written principles,
and learns from the revisions.

Bai et al. 2022, 2212.08073, § 3: answer a request, draw a principle, criticise the answer by it, revise; again for some
rounds, each with another draw; then fine-tune on the last answers. Here the critic is the village's (world/critic.py).
What no principle speaks of is learned as it was answered. The second phase, preferences of an AI in place of people's,
is `critic.ai_rows` and DPO (stages/dpo.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from course_lib.stages.artifacts import load_stage
from course_lib.stages.pretrain import Run
from course_lib.stages.refusal import PRESETS as REFUSAL_PRESETS
from course_lib.stages.refusal import tune
from course_lib.stages.respond import respond
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.critic import PRINCIPLES, SKILL, tables
from course_lib.world.harms import FRAMES, request_rows

# that the assistant answers and revises; with fewer the critic's mistakes weigh more
REQUESTS = {"tiny": 80, "laptop": 9_000, "gpu": 30_000}
TASKS = {"tiny": 80, "laptop": 4_000, "gpu": 12_000}  # task rows beside them
PRESETS = {
    size: replace(config, learning_rate=3e-3, replay=config.replay // 2) for size, config in REFUSAL_PRESETS.items()
}
SINGLE = ("plain",)  # requests of one turn, undisguised: every answer in the rows is the assistant's own
ROUNDS = 4


def critique_and_revise(
    answer: str, principles: Sequence[str], critiques, revisions, rounds: int, generator: torch.Generator
) -> str:
    """The answer after `rounds` rounds: draw a principle, criticise the answer by it, revise it if there is anything to
    criticise.

    critiques[principle][answer] is a text or None, revisions[answer][critique] the next answer (`critic.tables`)."""
    for _ in range(rounds):
        principle = principles[int(torch.randint(len(principles), (1,), generator=generator))]
        critique = critiques[principle][answer]
        if critique is not None:
            answer = revisions[answer][critique]
    return answer


def asked(size: str, seed: int = 0) -> list[dict]:
    """The requests of the supervised phase, harmful and harmless by turns, of the seven categories that training rows
    may know.
    """
    return request_rows("train", REQUESTS[size], f"constitution {seed}", SINGLE)


def reworded(row: dict, ways: int = 4) -> list[dict]:
    """A plain request in the first `ways` of the wordings that training rows may have."""
    text = row["messages"][0]["content"]
    parts = [frame.split("{x}") for frame in FRAMES[0]]
    head, tail = next((h, t) for h, t in parts if text.startswith(h) and text.endswith(t))
    wish = text[len(head) : len(text) - len(tail)]
    asked = [{"role": "user", "content": head + wish + tail} for head, tail in parts[:ways]]
    return [{**row, "messages": [message, row["messages"][-1]]} for message in asked]


def answered(model, rows: list[dict]) -> list[str]:
    """The model's greedy answer to each request; the last message of a row, the right answer, is not shown to it."""
    return respond(model.eval(), load_tokenizer(), [row["messages"][:-1] for row in rows], max_new_tokens=48, batch=512)


def revised(
    rows: list[dict],
    answers: list[str],
    principles: Sequence[str] = PRINCIPLES,
    skill: float = SKILL,
    rounds: int = ROUNDS,
    seed: int = 0,
    loop: Callable = critique_and_revise,
) -> list[dict]:
    """The conversations with what remains of each answer after critique and revision, and whether it was "revised"."""
    made = []
    for k, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        generator = torch.Generator().manual_seed(1_000_003 * seed + k)
        last = loop(answer, list(principles), *tables(row, skill, seed), rounds, generator)
        messages = [*row["messages"][:-1], {"role": "assistant", "content": last}]
        made.append({**row, "messages": messages, "revised": last != answer})
    return made


def learn(rows: list[dict], size: str, seed: int = 0, base=None, **options) -> Run:
    """Fine-tune a copy of `base` (default: load_stage("helpful")) on conversations, with task rows and documents in the
    recipe's proportion that keep what it could do. `options` go to `finetune`.
    """
    share = len(rows) / REQUESTS[size]
    config = replace(PRESETS[size], replay=round(share * PRESETS[size].replay))
    run = tune(rows, round(share * TASKS[size]), size, config, seed, base, "helpful", "constitution", options)
    run.record["revised"] = sum(row["revised"] for row in rows)
    return run


def constitution(
    size: str = "laptop",
    seed: int = 0,
    base=None,
    principles: Sequence[str] = PRINCIPLES,
    skill: float = SKILL,
    rounds: int = ROUNDS,
    loop: Callable = critique_and_revise,
    **options,
) -> Run:
    """The whole supervised phase: `base` (default: load_stage("helpful")) answers, its answers are revised by the
    principles, a copy of it learns.

    `options` go to `finetune`. Raises ValueError without a principle, and for an unknown size."""
    if size not in REQUESTS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(REQUESTS)}")
    if not principles:
        raise ValueError("a constitution needs at least one principle")
    model, rows = base or load_stage("helpful").model, asked(size, seed)
    learned = revised(rows, answered(model, rows), principles, skill, rounds, seed, loop)
    run = learn(learned, size, seed, model, **options)
    run.record |= {"principles": list(principles), "skill": skill, "rounds": rounds}
    return run
