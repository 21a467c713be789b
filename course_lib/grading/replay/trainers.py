"""The course's trainers, called again from the recipe and seed in a handed-in record (replay.py). The record is a
student's text: every number is checked first.
"""

import dataclasses
import math


class NoReplay(Exception):
    """Why a model cannot be trained again, in one line. Not held against anybody."""


def config_of(kind, recipe, presets):
    """The dataclass `kind` of a record's recipe, every count at most four times the largest preset's. NoReplay for
    anything else.
    """
    from course_lib.grading.reading import models

    values = {}
    for field in dataclasses.fields(kind):
        if field.name == "model":
            try:
                values["model"] = models.config_of(recipe)
            except models.BadModel as bad:
                raise NoReplay(str(bad)) from None
            continue
        value = recipe.get(field.name)
        most = 4 * max(getattr(p, field.name) for p in presets.values()) if field.type is int else 1e12
        if type(value) not in ((int,) if field.type is int else (int, float)) or not 0 <= value <= most:
            raise NoReplay(f"the recipe's {field.name} = {str(value)[:40]} is outside the course's")
        values[field.name] = value
    if values.get("batch", 1) < 1:
        raise NoReplay("the recipe's batch = 0 is outside the course's")
    return kind(**values)


def whole(recipe, key, default=None, most=2**31):
    value = recipe.get(key, default)
    if type(value) is not int or not 0 <= value <= most:
        raise NoReplay(f"the recipe's {key} = {str(value)[:40]} is no sensible number")
    return value


def affordable(parameters, tokens):
    """NoReplay where twenty steps alone would take many minutes: 6 FLOP a parameter and token of a batch."""
    if 6 * parameters * tokens * 20 > 3e13:
        raise NoReplay(f"too large to be trained again here: {parameters:,} parameters, {tokens:,} tokens a step")


def same_data(record, rows):
    from course_lib.world import rows_hash

    if record.get("data") != rows_hash(rows):
        raise NoReplay("it was trained on other data than the lab's recipe")


# ---- one trainer for each stage: (record, base model or None, on_step) -----------------------------------------------


def pretrain(record, base, on_step):
    from course_lib.grading.reading import models
    from course_lib.stages import pretrain as stage
    from course_lib.world import pretrain_rows

    recipe = record["recipe"]
    config = config_of(stage.PretrainConfig, recipe, stage.PRESETS)
    if config.model != models.config_of(record):
        raise NoReplay("the recipe names another model than the one that was handed in")
    affordable(sum(math.prod(shape) for shape in models.reference_shapes(config.model).values()), config.batch)
    same_data(record, pretrain_rows("train", config.documents))
    # without the validations on the way, which draw nothing and take half the time of the first steps
    stage.pretrain(
        "laptop",
        whole(recipe, "seed"),
        on_step=on_step,
        config=dataclasses.replace(config, validations=0),
        progress=False,
    )


def sft(record, base, on_step):
    from course_lib.stages import sft as stage
    from course_lib.world import pretrain_rows
    from course_lib.world.tasks import SHARES, task_rows

    config = config_of(stage.SFTConfig, record["recipe"], stage.PRESETS)
    rows = task_rows("train", config.examples, "pretrain", SHARES) + pretrain_rows("train", config.replay)
    fine_tune(record, base, rows, config, on_step)


def fine_tune(record, base, rows, config, on_step):
    from course_lib.stages.sft import finetune

    affordable(base.parameter_count(), config.batch)
    same_data(record, [{"text": str(row.get("messages") or row["text"])} for row in rows])
    finetune(base, rows, config, whole(record["recipe"], "seed"), on_step=on_step, progress=False)


def lora(record, base, on_step):
    """`base` is the one in the handed-in file, whose never-seen rows are told apart already; for four bits the
    assistant itself, as the file holds only what NF4 left of it.
    """
    from course_lib.grading.reading import models
    from course_lib.stages import lora as stage
    from course_lib.stages.nf4 import quantize_base
    from course_lib.stages.sft import SFTConfig
    from course_lib.world import pretrain_rows
    from course_lib.world.jobs import job_rows

    recipe, adapter = record["recipe"], record.get("lora")
    models.adapter_shapes(adapter, base.config)
    config, job = config_of(SFTConfig, recipe, stage.PRESETS), record.get("job", "clerk")
    if job not in ("clerk", "crier"):
        raise NoReplay(f"the course knows no job {str(job)[:40]!r}")
    start = quantize_base(stage.fresh_rows(base)) if recipe.get("four_bits") is True else base
    model = stage.add_lora(start, adapter["rank"], adapter["alpha"], adapter["targets"], whole(recipe, "seed"))
    fine_tune(
        record, model, job_rows(job, "train", config.examples) + pretrain_rows("train", config.replay), config, on_step
    )


def reward(record, base, on_step):
    from course_lib.stages.reward import PRESETS, train_reward
    from course_lib.world.annotators import preference_rows

    config = config_of(type(PRESETS["laptop"]), record["recipe"], PRESETS)
    affordable(base.parameter_count(), 2 * config.batch * 200)  # an answer with its prompt has at most so many tokens
    train_reward(
        preference_rows("train", config.rows),
        config,
        base,
        whole(record["recipe"], "seed"),
        on_step=on_step,
        progress=False,
    )


def dpo(record, base, on_step):
    from course_lib.stages import dpo as stage
    from course_lib.stages.rollout import assistant
    from course_lib.world.annotators import preference_rows

    config, beta = config_of(type(stage.PRESETS["laptop"]), record["recipe"], stage.PRESETS), record.get("beta")
    if type(beta) not in (int, float) or not 0 < beta < 100:
        raise NoReplay(f"the recipe's beta = {str(beta)[:40]} is no sensible number")
    affordable(base.parameter_count(), 2 * config.batch * 200)
    stage.dpo(
        preference_rows("train", config.rows),
        config,
        assistant(base),
        whole(record["recipe"], "seed"),
        beta,
        on_step=on_step,
        progress=False,
    )


def safe(record, base, on_step):
    from course_lib.stages import refusal as stage
    from course_lib.stages.sft import SFTConfig

    config_of(SFTConfig, record["recipe"], stage.PRESETS)
    size = record["recipe"].get("size")
    if size not in list(stage.PRESETS):  # a list: anything may be looked for in it
        raise NoReplay(f"the recipe's size = {str(size)[:40]} is outside the course's")
    stage.refuse(size, whole(record["recipe"], "seed"), base, on_step=on_step, progress=False)


TRAINERS = {
    "pretrain": (pretrain, None),
    "sft": (sft, "pretrain"),
    "lora": (lora, "file"),
    "reward": (reward, "sft"),
    "dpo": (dpo, "sft"),
    "safe": (safe, "helpful"),
}
OWN_CHOICES = "its training depends on the student's own rows, rewards or principles, which the record does not hold"
