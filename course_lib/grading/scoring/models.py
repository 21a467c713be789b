"""Handed-in models, on the trusted side: looked at as bytes first, loaded only if they fit the architecture."""

import json
import math
from pathlib import Path

from course_lib.platform import PACKAGE
from course_lib.questions import wire

MAX_MODEL = 64 * 2**20  # bytes
BYTES = {"F32": 4, "F16": 2, "BF16": 2}


class BadModel(Exception):
    """One line: what is wrong with the file and what to hand in."""


def header(path):
    """({name: (dtype, shape)}, the record in the metadata, the bytes) of a safetensors file, no weight interpreted yet.
    Raises BadModel.
    """
    path = Path(path)
    if path.is_symlink() or not path.is_file():
        raise BadModel(f"{path.name} was not handed in: train the model, save_stage, submit() again")
    size = path.stat().st_size
    if size > MAX_MODEL:
        raise BadModel(
            f"{path.name} has {size / 2**20:.0f} MB, more than the {MAX_MODEL >> 20} MB of any model of this course"
        )
    try:
        blob = path.read_bytes()
        names = wire.check_safetensors(blob)
        data = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
        record = json.loads((data.get("__metadata__") or {}).get("littlebrook", "null"))
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        raise BadModel(
            f"{path.name} is not a whole safetensors file ({str(error)[:80]}): hand in what save_stage wrote"
        ) from None
    for name, (dtype, shape) in names.items():
        if dtype not in BYTES:
            raise BadModel(f"{path.name}: {name[:80]} has dtype {str(dtype)[:20]}, expected F32, F16 or BF16")
        start, end = data[name]["data_offsets"]
        if end - start != math.prod(shape) * BYTES[dtype]:
            raise BadModel(f"{path.name}: {name[:80]} does not have the bytes of its shape")
    if type(record) is not dict:
        raise BadModel(f"{path.name} carries no record of its making: hand in what save_stage wrote")
    return names, record, blob


def config_of(record):
    """The ModelConfig that a record names, every number within the bounds of the course: nothing is allocated for
    another. Raises BadModel.
    """
    from course_lib.stages.model import ModelConfig

    config, known = record.get("model"), ModelConfig()
    if type(config) is not dict:
        raise BadModel("the record names no model config: hand in what save_stage wrote")
    bounds = {"vocabulary": 8192, "hidden": 1024, "intermediate": 4096, "layers": 24, "heads": 32, "context": 4096}
    for key, value in config.items():
        if not hasattr(known, key):
            raise BadModel(f"the model config has an unknown entry {str(key)[:40]!r}")
        if key in bounds and not (type(value) is int and 1 <= value <= bounds[key]):
            raise BadModel(
                f"the model config's {key} = {str(value)[:40]} is outside the course's models (at most {bounds[key]})"
            )
        if key not in bounds and not (type(value) in (int, float) and math.isfinite(value) and 0 < value < 1e9):
            raise BadModel(f"the model config's {key} = {str(value)[:40]} is no sensible number")
    config = ModelConfig(**config)
    if config.hidden % config.heads or (config.hidden // config.heads) % 2:
        raise BadModel(f"the model config's {config.heads} heads do not divide its width of {config.hidden}")
    return config


def check_model(folder, stage):
    """The weights {name: tensor} of a handed-in folder, after header, architecture and finiteness. Raises BadModel."""
    import safetensors.torch
    import torch

    have, record, blob = header(Path(folder) / "model.safetensors")
    if record.get("stage") != stage:
        raise BadModel(
            f"the model is of stage {str(record.get('stage'))[:40]!r}, not {stage!r}: hand in what "
            f"save_stage({stage!r}, …) wrote"
        )
    config = config_of(record)
    wanted = reference_shapes(config) | (adapter_shapes(record["lora"], config) if "lora" in record else {})
    if stage == "reward":
        wanted["score.weight"] = [1, config.hidden]
    if missing := sorted(set(wanted) - set(have)):
        raise BadModel(f"the model lacks {len(missing)} of {len(wanted)} tensors, e.g. {', '.join(missing[:3])}")
    if extra := sorted(set(have) - set(wanted)):
        raise BadModel(
            f"the model has tensors that the architecture does not know, e.g. {', '.join(n[:60] for n in extra[:3])}"
        )
    for name, shape in wanted.items():
        if have[name][1] != shape:
            raise BadModel(f"{name} has shape {have[name][1]}, expected {shape}")
    weights = safetensors.torch.load(blob)
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BadModel(f"{name} has NaN or infinite weights: the training diverged")
    return weights


def reference_shapes(config):
    """{name: shape} of the course's Llama (stages/model.py), written out so that nothing is allocated for a hostile
    config.
    """
    d, m = config.hidden, config.intermediate
    shapes = {"model.embed_tokens.weight": [config.vocabulary, d], "model.norm.weight": [d]}
    for i in range(config.layers):
        at = f"model.layers.{i}."
        shapes |= {f"{at}self_attn.{p}_proj.weight": [d, d] for p in "qkvo"}
        shapes |= {
            f"{at}mlp.gate_proj.weight": [m, d],
            f"{at}mlp.up_proj.weight": [m, d],
            f"{at}mlp.down_proj.weight": [d, m],
        }
        shapes |= {f"{at}input_layernorm.weight": [d], f"{at}post_attention_layernorm.weight": [d]}
    return shapes


def adapter_shapes(adapter, config):
    """{name: shape} of the A and B that a record's "lora" entry names, for this config, rank and targets checked first.
    Raises BadModel.
    """
    d, m = config.hidden, config.intermediate
    sizes = {
        **{f"{p}_proj": ("self_attn", d, d) for p in "qkvo"},
        "gate_proj": ("mlp", m, d),
        "up_proj": ("mlp", m, d),
        "down_proj": ("mlp", d, m),
    }  # out, in
    if type(adapter) is not dict or set(adapter) != {"rank", "alpha", "targets"}:
        raise BadModel(
            'the record\'s "lora" entry must name rank, alpha and targets: hand in what save_adapter_stage wrote'
        )
    rank, alpha, targets = adapter["rank"], adapter["alpha"], adapter["targets"]
    if not (type(rank) is int and 1 <= rank <= min(d, m)):
        raise BadModel(f"the adapter's rank = {str(rank)[:40]} does not fit layers of {d} and {m}: at most {min(d, m)}")
    if not (type(alpha) in (int, float) and math.isfinite(alpha) and 0 < alpha < 1e6):
        raise BadModel(f"the adapter's alpha = {str(alpha)[:40]} is no sensible number")
    if (
        type(targets) is not list
        or not targets
        or any(type(t) is not str or t not in sizes for t in targets)
        or len(set(targets)) != len(targets)
    ):
        raise BadModel(
            f"the adapter's targets {str(targets)[:80]} are not layers of the course's model: {', '.join(sizes)}"
        )
    shapes = {}
    for i in range(config.layers):
        for target in targets:
            place, out_features, in_features = sizes[target]
            at = f"model.layers.{i}.{place}.{target}"
            shapes |= {f"{at}.lora_A.weight": [rank, in_features], f"{at}.lora_B.weight": [out_features, rank]}
    return shapes


def relative_distance(a, b):
    """‖a − b‖ / ‖b‖ over all weights, or over the adapters where there are any (all students may share a base); None
    where the shapes differ.
    """
    if {n: t.shape for n, t in a.items()} != {n: t.shape for n, t in b.items()}:
        return None
    b = {n: t for n, t in b.items() if ".lora_" in n} or b
    apart = sum(float((a[n].double() - b[n].double()).pow(2).sum()) for n in b)
    return math.sqrt(apart / max(sum(float(b[n].double().pow(2).sum()) for n in b), 1e-30))


NEAR = 0.01  # relative distance under which two models count as one
MOST_NAMED = 5  # similar models that are named; where a whole class has one seed, each is similar to all


def sample(path):
    """(name, dtype, shape, values) of the first 2^18 bytes of the largest tensor that relative_distance looks at,
    without reading the rest. ValueError for no such file.
    """
    import torch

    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > 2**20:
            raise ValueError("too long a header")
        entries = {name: e for name, e in json.loads(file.read(size)).items() if name != "__metadata__"}
        name = max({n for n in entries if ".lora_" in n} or entries, key=lambda n: (math.prod(entries[n]["shape"]), n))
        (start, end), kind = (
            entries[name]["data_offsets"],
            {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[entries[name]["dtype"]],
        )
        file.seek(8 + size + start)
        return (
            name,
            entries[name]["dtype"],
            entries[name]["shape"],
            torch.frombuffer(bytearray(file.read(min(end - start, 2**18))), dtype=kind).double(),
        )


def similarity_flags(weights, stage, folder, others):
    """Flags where the weights are those of the shipped model or of `others` [(student, folder)], exactly or nearly. For
    a person to judge.
    """
    import safetensors.torch

    shipped = PACKAGE / "shipped" / stage / "model.safetensors"
    flags, path = [], Path(folder) / "model.safetensors"
    size, mine = path.stat().st_size, sample(path)
    length = math.sqrt(
        sum(
            float(t.double().pow(2).sum())
            for t in ({n: t for n, t in weights.items() if ".lora_" in n} or weights).values()
        )
    )
    for who, path in [
        ("the shipped model", shipped),
        *((f"the model of {s}", Path(f) / "model.safetensors") for s, f in others),
    ]:
        if len(flags) == MOST_NAMED:
            flags[-1]["evidence"] += "; further ones were not looked for"
            break
        try:
            # a near copy in the same dtype has nearly the same size (the metadata may differ): most need not be read
            if (
                path.is_symlink()
                or (path != shipped and abs(path.stat().st_size - size) > 65536)
                or path.stat().st_size > MAX_MODEL
            ):
                continue
            # a class of hundreds: the distance over a part of the weights bounds the whole from below (for near ones
            # ‖b‖ ≤ ‖a‖ / (1 − NEAR))
            theirs = sample(path)
            if theirs[:3] == mine[:3] and float((theirs[3] - mine[3]).norm()) > NEAR / (1 - NEAR) * length:
                continue
            wire.check_safetensors(path.read_bytes())
            distance = relative_distance(weights, safetensors.torch.load(path.read_bytes()))
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RuntimeError,
            RecursionError,
            safetensors.SafetensorError,
        ):  # not ours to judge here: its own grading says what is wrong
            continue
        if distance is not None and distance < NEAR:
            how = "identical to" if distance == 0 else f"within {100 * distance:.2g} % of"
            flags.append(
                {
                    "kind": "similar model",
                    "evidence": f"{how} {who}: copied, or trained from the same seed on an equal machine",
                }
            )
    return flags
