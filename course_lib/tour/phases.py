"""What makes the tour (tour.py) resumable: a phase has a recipe with a hash, and writes its models and its figures down
under that hash, whole or not at all.
"""

import hashlib
import inspect
import json
import math
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from course_lib import __version__
from course_lib.evaluation.alignment import yardstick
from course_lib.evaluation.runs import rlhf
from course_lib.platform import device_and_dtype, matmul_rate
from course_lib.stages.artifacts import load_folder, save_stage, write_or_explain
from course_lib.stages.model import Llama
from course_lib.stages.pretrain import Run
from course_lib.stages.rollout import assistant
from course_lib.world.annotators import prompts

SEED = 0


@dataclass(frozen=True)
class Phase:
    name: str
    title: str
    act: Callable  # act(tour) gives the figures, the first one first, and a remark
    stages: tuple = ()  # names of the models that it makes
    needs: tuple = ()  # phases from whose models it starts
    settings: tuple = ()  # what its recipe is made of: presets by size, modules (their source), plain values
    seconds: tuple = (1, 1)  # that it takes at tiny and at laptop on two quiet cores: for the minutes left, no figure


def recipe_of(phase: Phase, size: str) -> str:
    """Hash of what decides what a phase makes: the course's version, size, seed, its settings, and the recipes that it
    stands on.
    """
    settings = [setting(each, size) for each in phase.settings]
    below = [recipe_of(other, size) for other in phase.needs]
    return hashlib.sha256(json.dumps([__version__, size, SEED, phase.name, settings, below]).encode()).hexdigest()[:16]


def setting(each, size: str) -> str:
    """A module by its source, presets by those of the size."""
    if inspect.ismodule(each):
        return inspect.getsource(each)
    return repr(each[size] if isinstance(each, dict) and size in each else each)


@dataclass
class Tour:
    size: str
    folder: Path
    machine: str  # what it runs on, and how fast that is today
    recipe: str = ""  # hash of the recipe of the phase under way
    earlier: float = 0.0  # seconds that this phase took before somebody stopped it

    def made(self, name: str, train: Callable[[Path], Run]) -> Llama:
        """The stage `name` of the phase under way: from the tour's folder where it is there already, else from
        `train(folder of checkpoints)`.
        """
        if (self.folder / name / "model.safetensors").exists():
            model, record = load_folder(self.folder / name, name)
            if record.get("tour") == self.recipe:
                self.earlier += record["seconds"]
                return model.to(device()).eval()
        checkpoints, started = self.folder / "training" / name, time.perf_counter()
        run = train(checkpoints / self.recipe)  # a folder of its own: no run meets a checkpoint of another recipe
        took = time.perf_counter() - started
        # the minutes of a run that went on from a checkpoint are those of all its parts
        before = max(0.0, 60 * run.record["minutes"] - took)
        self.earlier += before
        save_stage(name, run.model, {**run.record, "tour": self.recipe, "seconds": before + took}, self.folder / name)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return run.model.eval()

    def stage(self, name: str) -> Llama:
        """A fresh copy of a model that the tour has made."""
        return load_folder(self.folder / name, name)[0].to(device()).eval()

    def record(self, name: str) -> dict:
        """How that model came about."""
        return load_folder(self.folder / name, name)[1]

    @cached_property
    def limits(self):
        """(reference, examined prompts, gold utilities [P K] of its answers): what RLHF and DPO start from, and what
        their frontier is made of.
        """
        reference, (n, each) = assistant(self.stage("sft")), rlhf.EXAMINED[self.size]
        rows = prompts("test", n, "tour")
        return reference, rows, yardstick(reference, rows, each).worth


def device() -> str:
    return device_and_dtype()[0]


def figure(metric: str, value: float, limit: float | None, unit: str = "%") -> dict:
    """One figure beside its limit; the value is None where it is not defined (a share of nothing)."""
    return {"metric": metric, "value": float(value) if math.isfinite(value) else None, "limit": limit, "unit": unit}


def done(tour: Tour, phase: Phase) -> dict | None:
    """What a phase has written down, if it is of today's recipe and the models are still there."""
    try:
        result = json.loads((tour.folder / "figures" / f"{phase.name}.json").read_text())
    except (OSError, ValueError):
        return None
    whole = all((tour.folder / stage / "model.safetensors").exists() for stage in phase.stages)
    todays = isinstance(result, dict) and result.get("recipe") == recipe_of(phase, tour.size)
    return result if whole and todays else None


def run(tour: Tour, phase: Phase) -> dict:
    """Run a phase and write its figures down: {"name", "title", "recipe", "figures", "note", "seconds", "machine"}."""
    tour.recipe, tour.earlier, started = recipe_of(phase, tour.size), 0.0, time.perf_counter()
    figures, note = phase.act(tour)
    result = {
        "name": phase.name,
        "title": phase.title,
        "recipe": tour.recipe,
        "figures": figures,
        "note": note,
        "seconds": tour.earlier + time.perf_counter() - started,
        "machine": tour.machine,
    }
    write_or_explain(tour.folder / "figures" / f"{phase.name}.json", (json.dumps(result, indent=1) + "\n").encode())
    return result


def minutes_left(phases: tuple, size: str, results: list[dict], fresh: list[dict]) -> float:
    """Expected minutes of the phases without a result, at the pace of those that this process has run (`fresh`)."""
    usual = {phase.name: phase.seconds[size != "tiny"] for phase in phases}
    pace = sum(result["seconds"] for result in fresh) / sum(usual[result["name"]] for result in fresh) if fresh else 1.0
    return pace * (sum(usual.values()) - sum(usual[result["name"]] for result in results)) / 60


def machine() -> str:
    """Processor, threads and the fp32 matmul rate at this moment: seconds mean little without it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    names = names or [platform.processor() or platform.machine()]
    gpu = f"{torch.cuda.get_device_name()}, " if device() == "cuda" else ""
    return f"{gpu}{names[0]}, threads: {torch.get_num_threads()}, fp32 matmul {matmul_rate(1.0):.0f} GFLOP/s on the CPU"
