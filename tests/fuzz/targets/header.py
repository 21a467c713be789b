"""A file that says it is a model: the one reader of safetensors, and all that the grader does before it scores it."""

import re
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from course_lib.grading.reading import likeness, models
from course_lib.questions import wire
from course_lib.stages import artifacts

SHAPE = "frame"
# fmt: off
WORDS = ["F32", "F16", "BF16", "BOOL", "I64", "F8_E4M3", "dtype", "shape", "data_offsets", "__metadata__",
    "littlebrook", "lora", "rank", "alpha", "targets", "q_proj", "model", "stage", "pretrain", "reward",
    "score.weight", "hidden"]
# fmt: on
STAGES = ("pretrain", "lora", "reward")
OWN = re.compile(r"model\.(?:embed_tokens|norm|layers\.\d+\.[a-z_.]+)\.(?:weight|lora_[AB]\.weight)|score\.weight")


def read(data, scratch):
    return [of_bytes(data), of_folder(data, Path(scratch))]


def of_bytes(data):
    try:
        entries, metadata, behind = wire.read_header(data)
    except ValueError as reason:
        assert type(reason) is ValueError and str(reason).startswith(("its ", "a ", "an ", "it is ")), reason
        return str(reason)
    assert sum(end - start for _, _, start, end in entries.values()) <= len(data)
    whole = data[: len(data) - len(behind)] if len(behind) < 64 else None
    if whole is not None:
        as_the_library_reads_it(whole, entries, metadata)
    return [sorted(entries), behind]


def as_the_library_reads_it(data, entries, metadata):
    """What is taken here is what safetensors itself reads: there is no second reading of a file."""
    theirs = safetensors.torch.load(data)
    assert set(theirs) == set(entries)
    for name, entry in entries.items():
        mine = wire.tensor_of(data, *entry)
        assert mine.shape == theirs[name].shape and mine.dtype == theirs[name].dtype
        if entry[0] != "BOOL":  # where a byte may be anything
            assert torch.equal(mine.flatten().view(torch.uint8), theirs[name].flatten().view(torch.uint8)), name


def of_folder(data, scratch):
    """What each stage says of the file; one that is taken can be written, loaded and compared."""
    (scratch / "model.safetensors").write_bytes(data)
    told = []
    for stage in STAGES:
        try:
            model = models.check_model(scratch, stage)
        except models.BadModel as reason:
            shown = OWN.sub("a weight", str(reason))
            assert shown.isprintable() and len(shown) < 300, reason
            told.append(str(reason))
            continue
        assert all(bool(torch.isfinite(tensor).all()) for tensor in model.weights.values())
        place = models.rewritten(model, scratch / "clean")
        if stage != "lora":
            made, record = artifacts.load_folder(place, stage)
            assert repr(record) == repr(model.record)
            with torch.no_grad():
                made.hidden(torch.zeros(1, 2, dtype=torch.long))
        models.built(model)
        told.append([likeness.sketch(place, stage, "1" * 16), likeness.of_record(model.record, stage)])
    return told
