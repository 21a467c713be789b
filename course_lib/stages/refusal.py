"""Safety refusals: an assistant that helps with anything, and how it learns to refuse what harms and nothing else.

Both steps are `sft.finetune` on other rows: `helpful` explains whatever is asked (all categories: what it refuses later
it knew how to answer), `refuse` trains on conversations of seven of the ten categories with the right answers (safety
SFT: Touvron et al. 2023, 2307.09288; over-refusal: Röttger et al. 2023, 2308.01263). Task rows and documents in the mix
keep what the assistant could do: what they do not keep is the alignment tax (Bai et al. 2022, 2204.05862).
"""

import copy
from dataclasses import replace

from course_lib.stages.artifacts import load_stage
from course_lib.stages.pretrain import Run
from course_lib.stages.sft import PRESETS as SFT_PRESETS
from course_lib.stages.sft import SFTConfig, finetune
from course_lib.world import pretrain_rows
from course_lib.world.harms import CATEGORIES, DISGUISES, REFUSALS, obeyed, request_rows
from course_lib.world.tasks import sentences, task_rows

# conversations that `refuse` learns from; `helpful` needs a quarter of them
REQUESTS = {"tiny": 120, "laptop": 24_000, "gpu": 60_000}
TASKS = {"tiny": 80, "laptop": 12_000, "gpu": 60_000}  # task rows beside them; half of them for `helpful`
PRACTISED = (*DISGUISES, "spelled")  # letters need more practice
# a slow embedding keeps the names and facts that no answer says; enough documents keep the rest
PRESETS = {
    size: replace(config, learning_rate=2.5e-3, embedding_rate=0.05, replay=config.replay * 4 // 7)
    for size, config in SFT_PRESETS.items()
}
HELPFUL_PRESETS = {
    size: replace(config, learning_rate=1e-3, replay=config.replay * 3 // 4) for size, config in PRESETS.items()
}


def tune(
    rows: list[dict], tasks: int, size: str, config: SFTConfig, seed: int, base, parent: str, name: str, options: dict
) -> Run:
    """Fine-tune a copy of `base` on `rows`, with the task rows and documents that keep what the assistant could do."""
    mixed = rows + task_rows("train", tasks, f"{name} {seed}") + pretrain_rows("train", config.replay)
    run = finetune(copy.deepcopy(base) or load_stage(parent).model, mixed, config, seed, description=name, **options)
    run.record |= {"parent": parent, "recipe": {"size": size, **run.record["recipe"]}}
    return run


def helpful(size: str = "laptop", seed: int = 0, base=None, **options) -> Run:
    """The helpful-only assistant: from load_stage("sft"), it explains whatever it is asked, harmful or not. `options`
    go to `finetune`.
    """
    asked = request_rows("train", REQUESTS[size] // 4, f"helpful {seed}", categories=tuple(CATEGORIES))
    rows = [obeyed(row, seed) for row in asked]
    return tune(rows, TASKS[size] // 2, size, HELPFUL_PRESETS[size], seed, base, "sft", "helpful", options)


def begun_alike(row: dict) -> dict:
    """The same conversation; where its answer refuses, it begins with the first of REFUSALS."""
    if not row["check"]["refuse"]:
        return row
    *turns, answer = row["messages"]
    said = " ".join((REFUSALS[0], *sentences(answer["content"])[1:]))
    return {**row, "messages": [*turns, {**answer, "content": said}]}


def practice_rows(n: int, seed: str) -> list[dict]:
    """n requests of the seen categories, harmful ones and their twins by turns in all disguises, with the right
    answers. Refusals begin alike: if three first words shared their probability, a greedy answer would refuse only
    where a refusal is three times as likely as an explanation.
    """
    return [begun_alike(row) for row in request_rows("train", n, seed, PRACTISED)]


def refuse(size: str = "laptop", seed: int = 0, base=None, **options) -> Run:
    """The assistant learns to refuse: from load_stage("helpful"), on `practice_rows`. `options` go to `finetune`."""
    rows = practice_rows(REQUESTS[size], f"refuse {seed}")
    return tune(rows, TASKS[size], size, PRESETS[size], seed, base, "helpful", "refuse", options)
