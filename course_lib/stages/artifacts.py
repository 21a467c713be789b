"""A stage on disk: `<work>/<stage>/model.safetensors` and `record.json`, and the shipped fall-backs that make any lab
the first.

Weights are safetensors, never pickle. Every file is written beside its place and renamed, so it is whole or absent.
The record says how the weights came about: seed, recipe, data hash, parent stage, metrics, and the sha256 of the
weights.
"""

import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from course_lib.platform import PACKAGE, CourseError, device_and_dtype, work_dir, write_atomic
from course_lib.stages.model import Llama, ModelConfig, RewardModel

SHIPPED = PACKAGE / "shipped"
LARGEST = 30 * 2**20  # bytes of one artefact: a download link and a Colab session must carry it


class ArtifactError(CourseError):
    """An artefact that cannot be read or written; one line that says what to do."""


@dataclass(frozen=True)
class Stage:
    name: str
    model: Llama
    record: dict
    origin: str  # "yours" or "shipped"


def write_or_explain(path: Path, data: bytes) -> None:
    """write_atomic with one line for a person. Raises ArtifactError."""
    try:
        write_atomic(path, data)
    except OSError as error:
        raise ArtifactError(
            f"cannot write {path} ({error.strerror}): free some space or choose a folder you may write to; nothing was "
            "changed"
        ) from None


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict) -> None:
    """One safetensors file; `metadata` is any JSON, kept in its header."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    write_or_explain(Path(path), save(plain, {"littlebrook": json.dumps(metadata)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """(tensors, metadata) of a file of `write_tensors`. Raises ArtifactError if it is cut short or something else."""
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {}).get("littlebrook", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata
    except (SafetensorError, OSError, ValueError, struct.error):
        raise ArtifactError(
            f"{path} is damaged or not a course artefact: delete it and make it again (the lab's training cell, or a "
            "new download)"
        ) from None


def write_stage(folder: Path, tensors: dict[str, Tensor], record: dict, too_large: str) -> Path:
    """A stage's two files; record.json has the sha256 of the other one, too. Returns the folder.

    Raises ArtifactError on an unwritable folder and for weights that are not finite (what was there before stays), and
    with the advice `too_large` if the file would be too large to hand in.
    """
    for name, t in tensors.items():
        if not t.isfinite().all():
            raise ArtifactError(f"{name} holds numbers that are not finite: nothing is saved, train the model again")
    if sum(t.numel() * t.element_size() for t in tensors.values()) > LARGEST:
        raise ArtifactError(f"stage {record['stage']!r} is larger than {LARGEST >> 20} MiB: {too_large}")
    write_tensors(folder / "model.safetensors", tensors, record)
    sha = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    write_or_explain(folder / "record.json", (json.dumps({**record, "sha256": sha}, indent=1) + "\n").encode())
    return folder


def save_stage(
    stage: str, model: Llama, record: dict, folder: Path | str | None = None, dtype: torch.dtype = torch.float32
) -> Path:
    """Write a stage where the next lab and `submit()` look for it. Returns its folder.

    `record` gets stage, model config and the sha256 of the weights added. Raises ArtifactError as `write_stage` does.
    """
    kept = {name: t for name, t in model.state_dict().items() if not name.startswith("value.")}  # PPO's helper
    tensors = {name: weight.to(dtype) for name, weight in kept.items()}
    record = {**record, "stage": stage, "model": asdict(model.config)}
    advice = "save it with dtype=torch.bfloat16, or train a smaller model"
    return write_stage(Path(folder) if folder else work_dir() / stage, tensors, record, advice)


def load_folder(folder: Path, stage: str) -> tuple[Llama, dict]:
    """The model (fp32) and the record of one folder. The record inside the weights file counts: one file, one truth."""
    tensors, record = read_tensors(folder / "model.safetensors")
    if record.get("stage") != stage:
        raise ArtifactError(
            f"{folder} holds stage {record.get('stage')!r}, not {stage!r}: save the right one with "
            f"save_stage({stage!r}, …)"
        )
    try:
        model = (RewardModel if "score.weight" in tensors else Llama)(ModelConfig(**record["model"]))
        model.load_state_dict({name: weight.float() for name, weight in tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise ArtifactError(
            f"the weights in {folder} do not fit the model that their record names ({str(error).splitlines()[0]}): "
            "save the stage again"
        ) from None
    return model, record


def load_stage(stage: str) -> Stage:
    """The student's own artefact of a stage if there is one, else the shipped one, on the course's device; says which.
    Raises ArtifactError if neither is.
    """
    mine = work_dir() / stage
    for folder, origin in ((mine, "yours"), (SHIPPED / stage, "shipped")):
        if (folder / "model.safetensors").exists():
            model, record = load_folder(folder, stage)
            where = (
                f"your own, from {folder}"
                if origin == "yours"
                else "the one that comes with the course (you have not saved your own yet)"
            )
            print(f"stage {stage!r}: {where}, {model.parameter_count():,} parameters")
            return Stage(stage, model.to(device_and_dtype()[0]).eval(), record, origin)
    known = sorted(p.parent.name for p in SHIPPED.glob("*/model.safetensors"))
    raise ArtifactError(
        f"there is no stage {stage!r}: neither in {mine} nor among the shipped ones ({', '.join(known) or 'none'})"
    )
