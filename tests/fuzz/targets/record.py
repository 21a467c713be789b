"""A record of a training, as replay reads it; a result and marks, as the store does."""

import json
from pathlib import Path

from course_lib.grading.reading import likeness, models
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.replay import replay, trainers
from course_lib.grading.scoring.grade_one import clean
from course_lib.stages import dpo, pretrain, sft

SHAPE = "json"
# fmt: off
WORDS = ["stage", "model", "recipe", "log", "lora", "beta", "data", "made_on", "rank", "alpha", "targets", "q_proj",
    "seed", "hidden", "layers", "heads", "batch", "size", "questions", "score", "max", "status", "needs_review",
    "graded", "ungradable", "id", "reason", "schema", "student", "submission_sha", "question", "comment", "kind",
    "value", "points", "percent", "excused", "clear"]
# fmt: on
PRESETS = {"pretrain": (pretrain.PretrainConfig, pretrain.PRESETS), "sft": (sft.SFTConfig, sft.PRESETS)}
PRESETS |= {"dpo": (type(dpo.PRESETS["laptop"]), dpo.PRESETS)}
GIVEN = {("ann", "a" * 16, "written_1"): {"score": 0.5, "comment": "good"}}


def read(data, scratch):
    text = data.decode("utf-8", "replace")
    return [of_training(text), of_result(data, Path(scratch)), of_marks(data, Path(scratch))]


def of_training(text):
    try:
        record = models.record_of({"littlebrook": text})
    except models.BadModel as reason:
        return str(reason)
    told = [of_config(record), likeness.of_record(record, "pretrain")]
    try:
        log = replay.log_of(record)
        assert log and all(type(step) is int and loss == loss for step, loss in log.items())
        assert replay.first_difference(log, log, 0.001) is None or set(range(20)) - set(log)
        told.append(len(log))
    except trainers.NoReplay as reason:
        told.append(str(reason))
    replay.key_of(record, None)
    recipe = record.get("recipe")
    for kind, presets in PRESETS.values() if type(recipe) is dict else ():
        try:
            config = trainers.config_of(kind, recipe, presets)
            assert config.batch >= 1
            told.append(trainers.whole(recipe, "seed"))
        except trainers.NoReplay as reason:
            assert len(str(reason)) < 300
            told.append(str(reason))
    return told


def of_config(record):
    told = []
    try:
        config = models.config_of(record)
        assert sum(map(len, models.reference_shapes(config).values())) < 1000
        told.append(repr(config))
        models.adapter_shapes(record.get("lora"), config)
    except models.BadModel as reason:
        assert str(reason).isprintable() and len(str(reason)) < 300
        told.append(str(reason))
    return told


def of_result(data, scratch):
    """A result that the store believes has a score within its points, is stable, and takes marks."""
    path = scratch / "result.json"
    path.write_bytes(data)
    result = store.read_result(path)
    if result is None:
        return None
    store.write_json(path, clean(result))
    assert store.read_result(path) == clean(result)
    for each in (result, marks.marked(result, GIVEN)):
        score, most, pending = store.totals(each)
        assert score is None or (0 <= score <= most + 1e-6 and pending >= 0)
    return [score, most, pending]


def of_marks(data, scratch):
    folder = scratch / "grades" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "marks.jsonl").write_bytes(data)
    found = marks.read("lab", scratch / "grades")
    assert all(mark["score"] >= 0 for mark in found.values())
    (folder / "adjustments.jsonl").write_bytes(data)
    given, comments = adjustments.read("lab", scratch / "grades")
    lines = [line for by_question in given.values() for line in by_question.values()]
    assert all((adjustments.points(line, 1.0) or 0) <= 1 or line.get("bonus") for line in lines)
    return json.dumps(sorted(map(repr, [*found, *given, *comments])))
