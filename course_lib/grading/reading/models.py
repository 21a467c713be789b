"""Handed-in models: the one reader of safetensors that the grader has, for grading, likeness, replay and leaderboard.

A file is looked at as bytes first: the header is read once and strictly, every tensor must be one of the architecture
that the record names, in its shape, and the bytes must be just those. Nothing is allocated for a number of the file.
What is taken is then built from the bytes by that header, so there is no second reader that could see another file.

Call it in the room (room.py): a header within all bounds may still be made to cost time. What is wrong is a BadModel,
one line in words of ours: numbers and names of the course's own layers, never a text of the file.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import torch

from course_lib.notebook.cells import MAX_MODEL
from course_lib.questions import wire

TAKEN = ("F32", "F16", "BF16")
LINE_ENDS = (b"\n", b"\r\n")
# twice the course's largest preset; a model of all of these at once would not fit into MAX_MODEL
BOUNDS = {"vocabulary": 8192, "hidden": 512, "intermediate": 2048, "layers": 12, "heads": 16, "context": 4096}


class BadModel(Exception):
    """One line: what is wrong with the file and what to hand in."""


class Model(NamedTuple):
    weights: dict  # {name: tensor}, as they are in the file
    record: dict  # how it was made, by the student's word
    notes: list  # what was odd and did no harm, a line each


def header(path):
    """(entries, record, bytes, notes) of a handed-in file, no weight interpreted yet; see wire.read_header.

    Raises BadModel.
    """
    path = Path(path)
    if path.is_symlink() or not path.is_file():
        raise BadModel(f"{path.name} was not handed in: train the model, save_stage, submit() again")
    size = path.stat().st_size
    if size > MAX_MODEL:
        most = f"more than the {MAX_MODEL >> 20} MB of any model of this course"
        raise BadModel(f"{path.name} has {size / 2**20:.0f} MB, {most}")
    blob, notes = path.read_bytes(), []
    try:
        entries, metadata, behind = wire.read_header(blob)
        if behind and behind not in LINE_ENDS:
            raise ValueError("there are bytes behind its last tensor")
    except ValueError as error:
        raise BadModel(
            f"{path.name} is not a whole safetensors file ({error}): hand in what save_stage wrote"
        ) from None
    if behind:
        notes.append(f"{path.name} ends with a line end, which a mail program may have added: it is ignored")
    for code, *_ in entries.values():
        if code not in TAKEN:
            raise BadModel(f"{path.name} has a tensor of dtype {code}, expected F32, F16 or BF16")
    return entries, record_of(metadata or {}), blob, notes


def record_of(metadata):
    """The dict that save_stage has put into the metadata. Raises BadModel where there is none."""
    try:
        record = json.loads(metadata.get("littlebrook", "null"))
    except (ValueError, RecursionError):
        record = None
    if type(record) is not dict:
        raise BadModel("the model carries no record of its making: hand in what save_stage wrote")
    return record


# ---- does it fit the architecture that its record names --------------------------------------------------------------


def number(value):
    """A value of the record as it may be shown: a number as it is, anything else by its kind."""
    if type(value) is int and abs(value) < 10**15:
        return str(value)
    return f"{value:g}" if type(value) is float else "no number"


def config_of(record):
    """The ModelConfig that a record names, every number within BOUNDS. Raises BadModel."""
    from course_lib.stages.model import ModelConfig

    config = record.get("model")
    if type(config) is not dict:
        raise BadModel("the record names no model config: hand in what save_stage wrote")
    if set(config) - {field.name for field in fields(ModelConfig)}:
        raise BadModel("the model config has an unknown entry")
    for key, value in config.items():
        if key in BOUNDS and not (type(value) is int and 1 <= value <= BOUNDS[key]):
            told = f"the model config's {key} = {number(value)} is outside the course's models"
            raise BadModel(f"{told} (at most {BOUNDS[key]})")
        if key not in BOUNDS and not (type(value) in (int, float) and 0 < value < 1e9):
            raise BadModel(f"the model config's {key} is no sensible number")
    made = ModelConfig(**config)
    if made.hidden % made.heads or (made.hidden // made.heads) % 2:
        raise BadModel(f"the model config's {made.heads} heads do not divide its width of {made.hidden}")
    return made


def check_model(folder, stage):
    """The Model of a handed-in folder, after header, architecture and finiteness. Raises BadModel."""
    entries, record, blob, notes = header(Path(folder) / "model.safetensors")
    if record.get("stage") != stage:
        raise BadModel(f"the model is of another stage than {stage!r}: hand in what save_stage({stage!r}, …) wrote")
    config = config_of(record)
    wanted = reference_shapes(config)
    if "lora" in record:
        wanted |= adapter_shapes(record["lora"], config)
    if stage == "reward":
        wanted["score.weight"] = [1, config.hidden]
    if missing := sorted(set(wanted) - set(entries)):
        raise BadModel(f"the model lacks {len(missing)} of {len(wanted)} tensors, e.g. {', '.join(missing[:3])}")
    if extra := set(entries) - set(wanted):
        raise BadModel(f"the model has {len(extra)} tensors that the architecture does not know")
    for name, shape in wanted.items():
        if entries[name][1] != shape:
            raise BadModel(f"{name} has shape {entries[name][1]}, expected {shape}")
    weights = {name: wire.tensor_of(blob, *entry) for name, entry in entries.items()}
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BadModel(f"{name} has NaN or infinite weights: the training diverged")
    return Model(weights, record, notes)


def rewritten(model, folder):
    """Writes a checked model as save_stage would: what loads it from there reads our file and not the student's."""
    from course_lib.stages.artifacts import write_tensors

    write_tensors(Path(folder) / "model.safetensors", model.weights, model.record)
    return Path(folder)


def built(model):
    """(the torch model in fp32, its record) of a checked model; adapters are left out."""
    from course_lib.stages.model import Llama, RewardModel

    kind = RewardModel if "score.weight" in model.weights else Llama
    made = kind(config_of(model.record))
    made.load_state_dict({name: t.float() for name, t in model.weights.items() if ".lora_" not in name})
    return made, model.record


def reference_shapes(config):
    """{name: shape} of the course's Llama (stages/model.py), written out: a hostile config allocates nothing."""
    d, m = config.hidden, config.intermediate
    shapes = {"model.embed_tokens.weight": [config.vocabulary, d], "model.norm.weight": [d]}
    for i in range(config.layers):
        at = f"model.layers.{i}."
        shapes |= {f"{at}self_attn.{p}_proj.weight": [d, d] for p in "qkvo"}
        shapes |= {f"{at}mlp.gate_proj.weight": [m, d], f"{at}mlp.up_proj.weight": [m, d]}
        shapes |= {f"{at}mlp.down_proj.weight": [d, m]}
        shapes |= {f"{at}input_layernorm.weight": [d], f"{at}post_attention_layernorm.weight": [d]}
    return shapes


def adapter_shapes(adapter, config):
    """{name: shape} of the A and B that a record's "lora" entry names; rank and targets are checked first."""
    d, m = config.hidden, config.intermediate
    sizes = {f"{p}_proj": ("self_attn", d, d) for p in "qkvo"}  # room, out, in
    sizes |= {"gate_proj": ("mlp", m, d), "up_proj": ("mlp", m, d), "down_proj": ("mlp", d, m)}
    if type(adapter) is not dict or set(adapter) != {"rank", "alpha", "targets"}:
        told = 'the record\'s "lora" entry must name rank, alpha and targets'
        raise BadModel(f"{told}: hand in what save_adapter_stage wrote")
    rank, alpha, targets = adapter["rank"], adapter["alpha"], adapter["targets"]
    if not (type(rank) is int and 1 <= rank <= min(d, m)):
        told = f"the adapter's rank = {number(rank)} does not fit layers of {d} and {m}"
        raise BadModel(f"{told}: at most {min(d, m)}")
    if not (type(alpha) in (int, float) and 0 < alpha < 1e6):
        raise BadModel("the adapter's alpha is no sensible number")
    known = type(targets) is list and 0 < len(targets) <= len(sizes) and all(type(t) is str for t in targets)
    if not known or not set(targets) <= set(sizes) or len(set(targets)) != len(targets):
        raise BadModel(f"the adapter's targets are not layers of the course's model: {', '.join(sizes)}")
    shapes = {}
    for i in range(config.layers):
        for target in targets:
            place, out_features, in_features = sizes[target]
            at = f"model.layers.{i}.{place}.{target}"
            shapes |= {f"{at}.lora_A.weight": [rank, in_features], f"{at}.lora_B.weight": [out_features, rank]}
    return shapes
