"""Size gpu: measured on a card (`course bench gpu`), and counted on paper where there is none (`course bench plan`)."""

import contextlib
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from course_lib.evaluation.runs.rlhf import learned_reward
from course_lib.platform import CourseError, device_and_dtype, matmul_rate
from course_lib.stages import dpo, grpo, lora, ppo, pretrain, reward, rollout, sft, step
from course_lib.stages.artifacts import load_folder
from course_lib.stages.model import Llama
from course_lib.stages.step import forward_dtype
from course_lib.tour.lifecycle import PHASES
from course_lib.tour.phases import Tour, machine, run
from course_lib.world.annotators import preference_rows, prompts

# Dense TFLOP/s of NVIDIA's data sheets: (half precision on the tensor cores, fp32). T4: 65 and 8.1
# fmt: off
PEAKS = {"T4": (65, 8.1), "V100": (125, 15.7), "L4": (121, 30.3), "A100": (312, 19.5), "H100": (989, 67),
    "H200": (989, 67)}
# fmt: on
# what `plan` supposes: the share of the peak that matrix products reach, and what Colab's slow processor takes to start
# an operation
T4_SHARE, LAUNCH_SECONDS = 0.3, 20e-6


def peak(card: str, dtype: torch.dtype) -> float | None:
    """TFLOP/s of the data sheet in this dtype; None for a card that is not in PEAKS."""
    found = [rates[dtype == torch.float32] for name, rates in PEAKS.items() if name in card.replace("-", " ").split()]
    return found[0] if found else None


def rate_of(folder: Path, stage: str) -> dict:
    """{"tokens_per_second", "tflops"} of a stage whose record counts tokens, else {}. FLOP a token: 2 a parameter
    forward, 2 for the gradients of what flows through, 2 for those of each trained parameter (Kaplan et al. 2020,
    § 2.1); attention's products, under 5 % here, are left out. Too much for fine-tuning, which computes the head (11 %
    of the parameters) and most of the last block for trained tokens only; the minutes have validations and checkpoints
    in them.
    """
    model, record = load_folder(folder / stage, stage)
    if "tokens" not in record:
        return {}
    per_second, parameters = record["tokens"] / (60 * record["minutes"]), model.parameter_count()
    return {
        "tokens_per_second": per_second,
        "tflops": (4 * parameters + 2 * record.get("trained_parameters", parameters)) * per_second / 1e12,
    }


def bench_gpu(arguments) -> dict:
    """The tour's phases one after the other: minutes, peak memory (GiB), tokens/s and MFU of what they trained, and
    each figure beside its limit.
    """
    device, dtype, reason = device_and_dtype()
    if device != "cuda" and arguments.size == "gpu":
        raise CourseError(
            "size gpu needs a GPU and there is none here: `course bench plan` counts it on paper, `--size tiny` tries "
            "this bench itself"
        )
    card, phases = torch.cuda.get_device_name() if device == "cuda" else "CPU", {}
    measured = matmul_rate(n=8192 if device == "cuda" else 512, device=device, dtype=dtype) / 1e3
    sheet = peak(card, dtype)
    with tempfile.TemporaryDirectory() as scratch:
        tour = Tour(arguments.size, Path(scratch), machine())
        for phase in PHASES:
            if device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            result = run(tour, phase)
            made = {stage: rate for stage in phase.stages if (rate := rate_of(tour.folder, stage))}
            for rate in made.values():
                rate["share_of_measured_matmul"] = rate["tflops"] / measured
                rate["mfu"] = rate["tflops"] / sheet if sheet else None
            phases[phase.name] = {
                "minutes": result["seconds"] / 60,
                "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None,
                "figures": {each["metric"]: [each["value"], each["limit"], each["unit"]] for each in result["figures"]},
                **made,
            }
            print(f"{phase.title}: {phases[phase.name]}", file=sys.stderr, flush=True)
    return {
        "size": arguments.size,
        "card": card,
        "dtype": f"{dtype} ({reason})",
        "matmul_tflops": measured,
        "data_sheet_tflops": sheet,
        "minutes": sum(phase["minutes"] for phase in phases.values()),
        "longest_minutes": max(phase["minutes"] for phase in phases.values()),
        "peak_gib": max(phase["peak_gib"] or 0.0 for phase in phases.values()),
        "phases": phases,
    }


class Enough(Exception):
    """The steps that are counted are done."""


class Operations(TorchDispatchMode):
    """Counts what a GPU would have to start: operations, views left out."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def from_scratch(stage: str, size: str, options: dict) -> None:
    """Run a stage at its size from an untrained model of that size. Its answers never end, so RLHF is counted at its
    longest. On pairs only two steps' worth of them.
    """
    pairs = lambda config: (preference_rows("train", 2 * config.batch), replace(config, rows=2 * config.batch), base)
    base = rollout.assistant(Llama(pretrain.PRESETS[size].model))
    asked, judge = prompts("train", 2_000), learned_reward(reward.reward_model_of(base).eval())
    stages: dict[str, Callable] = {
        "pretrain": lambda: pretrain.pretrain(size, **options),
        "sft": lambda: sft.sft(size, base=base, **options),
        "lora": lambda: lora.lora(size, base=base, **options),
        "qlora": lambda: lora.lora(size, base=base, four_bits=True, **options),
        "reward": lambda: reward.train_reward(*pairs(reward.PRESETS[size]), **options),
        "dpo": lambda: dpo.dpo(*pairs(dpo.PRESETS[size]), **options),
        "ppo": lambda: ppo.ppo(judge, asked, ppo.PRESETS[size], base, **options),
        "grpo": lambda: grpo.grpo(judge, asked, grpo.PRESETS[size], base, **options),
    }
    stages[stage]()


STAGES = ("pretrain", "sft", "lora", "qlora", "reward", "dpo", "ppo", "grpo")
IN_HALF = ("pretrain", "sft", "lora", "qlora")  # the others train in fp32: `stages.step`


def on_paper(stage: str, size: str) -> dict:
    """Steps of a stage; TFLOP and operations of its second one; GiB of a process that has done two; and what that makes
    on a T4, minutes.
    """
    steps, flop, operations = [], FlopCounterMode(display=False), Operations()

    class Bar(tqdm):
        def __init__(self, left, description, total, **options):
            steps.append(total)
            super().__init__(left, description, total, **options)

    def on_step(history):
        if len(history) == 2:
            counting.close()
            raise Enough
        counting.enter_context(flop)
        counting.enter_context(operations)

    vars(step)["tqdm"] = Bar
    counting = contextlib.ExitStack()
    with contextlib.suppress(Enough):
        from_scratch(stage, size, {"on_step": on_step, "progress": False})
    on_pairs = {"reward": reward, "dpo": dpo}.get(stage)
    in_all = -(-on_pairs.PRESETS[size].rows // on_pairs.PRESETS[size].batch) if on_pairs else steps[0]
    arithmetic = flop.get_total_flops() / (T4_SHARE * 1e12 * PEAKS["T4"][stage not in IN_HALF])
    return {
        "stage": stage,
        "dtype": str(forward_dtype("cpu") if stage in IN_HALF else torch.float32).removeprefix("torch."),
        "steps": in_all,
        "tflop_a_step": flop.get_total_flops() / 1e12,
        "operations_a_step": operations.count,
        "process_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "t4_minutes": in_all * (arithmetic + LAUNCH_SECONDS * operations.count) / 60,
    }


def bench_plan(arguments) -> dict:
    """Two steps of every stage on this CPU, counted, each in a process of its own: no figure of a GPU, but the reason
    to expect one.

    t4_minutes supposes T4_SHARE of a T4's peak and LAUNCH_SECONDS an operation, one after the other; process_gib has
    Python and its libraries in it (about 0.6).
    Not in it: making and encoding the data, evaluations, and DPO's pass of the reference model, a third of its
    training."""
    os.environ.update(COURSE_DEVICE="cpu", COURSE_DTYPE="bfloat16")  # as many bytes as fp16, and faster on a CPU
    rows = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for stage in STAGES:
            rows.append(pool.submit(on_paper, stage, arguments.size).result())
            print(
                "{stage:10} {steps:6,} steps of {tflop_a_step:.3f} TFLOP and {operations_a_step:,} operations, "
                "{process_gib:.1f} GiB; T4, supposed: {t4_minutes:.1f} minutes".format_map(rows[-1]),
                file=sys.stderr,
                flush=True,
            )
    return {
        "size": arguments.size,
        "parameters": Llama(pretrain.PRESETS[arguments.size].model).parameter_count(),
        "t4_share": T4_SHARE,
        "launch_seconds": LAUNCH_SECONDS,
        "t4_minutes_worst": max(row["t4_minutes"] for row in rows),
        "process_gib_worst": max(row["process_gib"] for row in rows),
        "runs": rows,
    }
