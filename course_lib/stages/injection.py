"""Knowledge injection: the news of a day trained into the assistant with LoRA, so that it answers closed book.

Rows of old tasks are mixed in (replay): with the news alone the model would forget how it answered everything else.
Left out against the real thing: paraphrasing the news with a larger model (a person's phrasings do it here), checking
each edit, undoing one.
"""

import copy
from collections.abc import Callable
from dataclasses import replace

from course_lib.stages.lora import add_lora, merge_and_unload
from course_lib.stages.model import Llama
from course_lib.stages.pretrain import Run
from course_lib.stages.retrieval import injection_rows
from course_lib.stages.sft import PRESETS, finetune
from course_lib.world.news import changes, village_on
from course_lib.world.tasks import QUESTION_PHRASINGS, READING, task_rows

RANK, ALPHA = 16, 32.0
EPOCHS = {"tiny": 1, "laptop": 8, "gpu": 8}
BATCH = 1024  # tokens a step: so few rows make too few steps of the usual size
REPLAY = 1.5  # rows of old tasks for each row of news
LEARNING_RATE = 5e-3  # peak; adapters start at nothing and take larger steps than whole weights

QUESTIONS = {
    fact: [ask.replace("{a.full}", "{name}") for ask in asks] for fact, (asks, _) in QUESTION_PHRASINGS.items()
}
# The words of an answer that the assistant gives anyway: with "now works as" it would learn that whoever is asked about
# has moved on.
ANSWERS = {"job": "{name} is {value}.", "home": "{name} has a home in {value}.", "pet": "{name} has {value} at home."}


def news_of(day: int) -> list[dict]:
    """The changes of one day as plain rows {"name", "fact", "value", "day"}."""
    people = village_on(day)
    return [
        {"name": people.resident(c.resident).full, "fact": c.fact, "value": c.new, "day": c.day} for c in changes(day)
    ]


def inject(
    model: Llama,
    rows: list[dict],
    size: str = "laptop",
    seed: int = 0,
    replay: float = REPLAY,
    rank: int = RANK,
    on_step: Callable | None = None,
    progress: bool = True,
    **changed,
) -> Run:
    """Train rows {"messages"} into a copy of `model` with LoRA, merge, and return Run(model: plain weights again,
    history, record).

    `replay`: rows of old tasks for each of `rows` (0: none) · `changed`: fields of SFTConfig. ValueError for an unknown
    size or no rows.
    """
    if size not in EPOCHS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(EPOCHS)}")
    if not rows:
        raise ValueError("there is no news to train: pass the rows of injection_rows(...)")
    ours = {"examples": len(rows), "replay": 0, "epochs": EPOCHS[size], "batch": BATCH}
    config = replace(PRESETS[size], **{**ours, "learning_rate": LEARNING_RATE, "validations": 0, **changed})
    adapted = add_lora(copy.deepcopy(model), rank, ALPHA * rank / RANK, seed=seed).train()
    half, name = round(replay * len(rows) / 2), f"replay {seed}"
    # what is not repeated is forgotten: reading, too
    old = task_rows("train", half, name) + task_rows("train", half, name, READING)
    mixed = [{"messages": row["messages"]} for row in rows + old]
    options = {"on_step": on_step, "progress": progress, "description": "injecting the news"}
    run = finetune(adapted, mixed, config, seed, **options)
    made = {"size": size, "rank": rank, "replay": replay, "news": len(rows), **run.record["recipe"]}
    run.record |= {"parent": "reader", "recipe": made}
    return Run(merge_and_unload(adapted).eval(), run.history, run.record)


def news_rows(day: int) -> list[dict]:
    """The rows that inject the news of one day, in every training phrasing."""
    return injection_rows(news_of(day), QUESTIONS, ANSWERS)
