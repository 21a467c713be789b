"""A run that was stopped goes on from its checkpoint, and one that has ended is not trained again as long as nothing
that it is made of has changed, as far as `fingerprint` sees.

Both are files in the folder `out` of a training loop: checkpoint.safetensors (weights, optimisers, history) while it
trains, finished.safetensors (weights, history) afterwards.
"""

import contextlib
import dis
import functools
import hashlib
import inspect
import json
import os
import platform
from dataclasses import is_dataclass
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType

import numpy as np
import torch
from torch import nn

from course_lib import __version__
from course_lib.stages.artifacts import ArtifactError, read_tensors, write_tensors
from course_lib.stages.step import check_weights


def save_checkpoint(
    path: Path, model: nn.Module, optimiser: list, recipe: dict, history: list[dict], **made: str
) -> None:
    """Weights, optimiser states and history in one file: a kill at any moment leaves the old one or the new one.
    `made`: made_of and made_on, see `Checkpoints`. Raises CourseError for weights that are not finite.
    """
    check_weights(model, f"lower learning_rate; nothing is written to {path}")
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    for k, o in enumerate(optimiser):
        for index, state in o.state_dict()["state"].items():
            tensors |= {f"optimiser.{k}.{index}.{name}": t for name, t in state.items()}
    write_tensors(path, tensors, {"recipe": recipe, "history": history, **made})


def restore(path: Path, model: nn.Module, optimiser: list, recipe: dict) -> list[dict]:
    """Load a checkpoint into model and optimiser. Returns its history. Raises ArtifactError if it is damaged or of
    another recipe.
    """
    tensors, metadata = read_tensors(path)
    if not same(metadata, recipe):
        raise ArtifactError(
            f"{path} belongs to another run (other size, seed or configuration): delete it, or pass resume=False to "
            "overwrite it"
        )
    model.load_state_dict({name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")})
    for k, o in enumerate(optimiser):
        state: dict[int, dict] = {}
        for name, t in tensors.items():
            if name.startswith(f"optimiser.{k}."):
                _, _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = t
        o.load_state_dict({"state": state, "param_groups": o.state_dict()["param_groups"]})
    return metadata["history"]


def same(metadata: dict, recipe: dict) -> bool:
    return metadata.get("recipe") == json.loads(json.dumps(recipe))


def made_on(model: nn.Module) -> str:
    """What decides the last digits of a run: torch, device, processor."""
    return f"torch {torch.__version__}, {next(model.parameters()).device.type}, {platform.machine()}"


class Checkpoints:
    """What a loop does with the folder `out`, or nothing where that is None. `history` is what an earlier run has done;
    it is in model and optimiser already.

    made_of: what the run depends on beside its recipe: the student's functions, models, data (see `fingerprint`), as
    they are before the first step.
    """

    def __init__(
        self, out: Path | str | None, resume: bool, model: nn.Module, optimiser: list, recipe: dict, steps: int, made_of
    ):
        self.folder, self.steps = Path(out) if out else None, steps
        self.model, self.optimiser, self.recipe = model, optimiser, recipe
        self.history: list[dict] = []
        self.begun, self.made_on = 0, made_on(model)
        if self.folder is None:
            return
        self.made_of = fingerprint((made_of, __version__, os.environ.get("COURSE_DTYPE") or None))
        self.path, self.finished = self.folder / "checkpoint.safetensors", self.folder / "finished.safetensors"
        before = None
        if resume and self.finished.exists():
            before = self.take_finished()
        if resume and before is None and self.path.exists():
            before = self.take_checkpoint()
        if self.history and before != self.made_on:
            self.made_on = f"{before}; {self.made_on}"  # a replay must not expect the digits of one machine

    def take_finished(self) -> str | None:
        """The run that has ended, if it is this one. Returns where it was made."""
        there = read_tensors(self.finished)[1]
        if not same(there, self.recipe) or there.get("made_of") != self.made_of:
            return None
        self.history = restore(self.finished, self.model, [], self.recipe)
        self.begun = len(self.history)
        print(
            f"trained before with the same functions, data and settings: taken from {self.folder} (delete that "
            "folder to train again)"
        )
        return there.get("made_on") or "another machine"

    def take_checkpoint(self) -> str | None:
        """A run that was stopped. One made of other things is put aside: somebody stopped it and mended a function, and
        what was trained with the old one is no beginning. Returns where it was made.
        """
        there = read_tensors(self.path)[1]
        # course_lib.train does not say what its runs are made of
        if same(there, self.recipe) and there.get("made_of") not in (None, self.made_of):
            self.path.replace(self.path.with_name("checkpoint.old.safetensors"))
            print(
                f"the checkpoint in {self.folder} is of other functions, data or starting weights: it is kept as "
                "checkpoint.old.safetensors, and training begins anew"
            )
            return None
        self.history = restore(self.path, self.model, self.optimiser, self.recipe)
        return there.get("made_on") or "another machine"

    def save(self, history: list[dict]) -> None:
        """Every `steps` steps."""
        if self.folder and len(history) % self.steps == 0:
            self.write(self.path, self.optimiser, history)

    def finish(self, history: list[dict], on_step=None) -> None:
        """Keep the run. One that was taken as it is is shown to `on_step` once."""
        if on_step and history and self.begun == len(history):
            on_step(history)
        if self.folder and self.begun < len(history):
            self.write(self.finished, [], history)
            self.path.unlink(missing_ok=True)

    def write(self, path: Path, optimiser: list, history: list[dict]) -> None:
        made = {"made_of": self.made_of, "made_on": self.made_on}
        save_checkpoint(path, self.model, optimiser, self.recipe, history, **made)


def fingerprint(thing) -> str:
    """sha256 of what a run is made of. Models and tensors count by their values, a function by its code, its defaults
    and what it has enclosed; one of the notebook also by the globals that it names, so that a helper, a class or a
    constant that was changed is seen. Of an object whose class is not the notebook's only the class counts.
    """
    digest, seen = hashlib.sha256(), {}  # the objects themselves are kept, as the id of one that is gone is given again

    def add(x):
        if isinstance(x, FunctionType) and x.__module__ != "__main__":
            # the tests check the types of the course's functions, and a run that they killed is the same run
            x = inspect.unwrap(x)
        if isinstance(x, (nn.Module, FunctionType, MethodType, list, dict, type)):
            if id(x) in seen:
                return
            seen[id(x)] = x
        digest.update(type(x).__qualname__.encode())
        if isinstance(x, torch.Tensor):
            digest.update(str(tuple(x.shape)).encode())
            digest.update(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        elif isinstance(x, (np.ndarray, np.generic)) and not x.dtype.hasobject:
            digest.update(f"{x.dtype}{x.shape}".encode() + x.tobytes())
        elif isinstance(x, nn.Module):
            trained, settings = [p.requires_grad for p in x.parameters()], [settings_of(m) for m in x.modules()]
            add((dict(x.state_dict()), trained, getattr(x, "config", None), settings))
        elif isinstance(x, MethodType):
            add((x.__func__, x.__self__))
        elif isinstance(x, functools.partial):
            add((x.func, x.args, x.keywords))
        elif isinstance(x, FunctionType):
            add((x.__code__, x.__defaults__, x.__kwdefaults__, enclosed(x)))
            if x.__module__ == "__main__":
                add({name: x.__globals__[name] for name in sorted(names(x.__code__)) if name in x.__globals__})
        elif isinstance(x, CodeType):
            add((x.co_code, x.co_names, x.co_consts))
        elif isinstance(x, dict):
            add([*x.items()])
        elif isinstance(x, (list, tuple)):
            if all(type(y) is int for y in x):  # token ids, millions of them
                digest.update(repr(x).encode())
            else:
                for y in x:
                    add(y)
        elif isinstance(x, (set, frozenset)):
            add(sorted(map(repr, x)))
        elif isinstance(x, BuiltinFunctionType):
            digest.update(x.__qualname__.encode())
        elif getattr(x, "__module__", None) == "__main__" and hasattr(x, "__dict__"):
            # a class of the notebook, or one of its objects
            add(({k: v for k, v in vars(x).items() if not k.startswith("__") or isinstance(v, FunctionType)}, type(x)))
        elif isinstance(x, (str, bytes, int, float, bool, type(None), torch.dtype, torch.device)) or is_dataclass(x):
            digest.update(repr(x).encode())

    add(thing)
    return digest.hexdigest()


def settings_of(module: nn.Module) -> list[tuple[str, bool | int | float | str]]:
    """The plain values of a module, by name: alpha of an adapter, eps of a norm."""
    passing = ("training", "checkpointing")  # how it is run, not what it is
    plain = ((k, v) for k, v in vars(module).items() if isinstance(v, (bool, int, float, str)))
    return sorted((k, v) for k, v in plain if k not in passing and k[0] != "_")


def names(code: CodeType) -> set[str]:
    """Global names that a function or one inside it uses."""
    loads = ("LOAD_GLOBAL", "LOAD_NAME")  # co_names has the attributes, too
    own = {step.argval for step in dis.get_instructions(code) if step.opname in loads}
    return {*own, *(name for part in code.co_consts if isinstance(part, CodeType) for name in names(part))}


def enclosed(function: FunctionType) -> list:
    """What a function has enclosed, in order; without the names that have no value yet."""
    found = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):
            found.append(cell.cell_contents)
    return found
