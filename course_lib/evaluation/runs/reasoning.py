"""Lab 12's recipe from the assistant with refusals to one that thinks first, measured at each step."""

import resource
import time

from course_lib.evaluation.reasoning import at_once, chain_chance, figures, tries
from course_lib.evaluation.safety import capability, safety
from course_lib.stages.artifacts import load_stage
from course_lib.stages.pretrain import Run
from course_lib.stages.reasoning import RL_PRESETS, cold_start, reinforce
from course_lib.stages.rollout import assistant
from course_lib.world.reasoning import question_rows

# held-out questions a split, and instructions; requests are twice as many
EXAMINED = {"tiny": 12, "laptop": 240, "gpu": 480}
INSTRUCTIONS = {"tiny": 20, "laptop": 1_000, "gpu": 1_000}


def measured(model, splits: dict[str, list[dict]], seed: int) -> dict:
    """`figures` of the rows of each split, and the exact chance of the right chain."""
    exam = lambda rows: figures(tries(model, rows, seed=seed)) | {"chain": chain_chance(model, rows)}
    return {split: exam(rows) for split, rows in splits.items()}


def able(model, n: int, seed: str) -> dict[str, float]:
    """What else it can do, on n instructions of lab 03 and twice as many requests of lab 10: {"instructions" followed,
    "harmful_refused", "benign_refused"}, shares.
    """
    rates = safety(model, 2 * n, seed=seed)
    return {
        "instructions": capability(model, n, seed),
        **{key: rates[key] for key in ("harmful_refused", "benign_refused")},
    }


def tax(before: dict, after: dict) -> float:
    """The largest loss of what `able` counts, points."""
    less = [before[key] - after[key] for key in ("instructions", "harmful_refused")]
    return 100 * max(*less, after["benign_refused"] - before["benign_refused"])


def reasoning_run(size: str = "laptop", seed: int = 0, base=None, progress: bool = True) -> tuple[Run, dict]:
    """(Run of the reinforcement, figures) of lab 12's recipe with one seed, from `base`, by default load_stage("safe").

    {"before" (answers at once, exactly), "cold", "rl": figures of both splits; "able": what else each can do, by
    name; "share_of_pass32", "tax_points", "minutes", "rl_minutes", "peak_gb"}.
    """
    base = base or load_stage("safe").model
    splits = {split: question_rows(split, EXAMINED[size], f"examined {seed}") for split in ("residents", "kinds")}
    before = {split: at_once(base, rows) for split, rows in splits.items()}
    asked = INSTRUCTIONS[size], f"reasoning {seed}"
    other = {"before": able(base, *asked)}
    started = time.perf_counter()
    cold = assistant(cold_start(size, seed, base, progress=progress).model.eval())
    made = {"cold": measured(cold, splits, seed)}
    began = time.perf_counter()
    run = reinforce(RL_PRESETS[size], cold, seed, progress=progress)
    rl_minutes = (time.perf_counter() - began) / 60
    made["rl"] = measured(run.model.eval(), splits, seed)
    other |= {"cold": able(cold, *asked), "rl": able(run.model, *asked)}
    most = max(made["cold"]["residents"]["pass"])
    return run, {
        "seed": seed,
        "before": before,
        **made,
        "able": other,
        "share_of_pass32": made["rl"]["residents"]["pass"][1] / max(1e-9, made["cold"]["residents"]["pass"][most]),
        "tax_points": tax(other["before"], other["rl"]),
        "rl_minutes": rl_minutes,
        "minutes": (began - started) / 60 + rl_minutes,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "rewards": [row["reward"] for row in run.history],
    }
