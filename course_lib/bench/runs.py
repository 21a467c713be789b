"""What the benches of training share: one run a seed, and the figures over all of them."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from course_lib.bench.chain import here, kept_run
from course_lib.platform import write_atomic


def over_seeds(arguments, measure: Callable[[int], dict], words: Callable[[dict], str]) -> list[dict]:
    """[measure(seed)] of all seeds; words(run) is printed as each is done. With --out each is kept in that folder, and
    one that this build has left there is not run again.
    """
    runs = []
    for seed in range(arguments.seeds):
        file = arguments.out and Path(arguments.out) / f"{arguments.name}-{arguments.size}-{seed}-{here()}.json"
        runs.append(kept(file, lambda seed=seed: measure(seed)))
        print(f"seed {seed}: {words(runs[-1])}", file=sys.stderr)
    return runs


def kept(file: Path | None, measure: Callable[[], dict]) -> dict:
    """What an earlier run left in this file, else measure(), which is then left there; without a file just measured."""
    run = kept_run(file) if file else None
    if run is None:
        run = measure()
        if file:
            write_atomic(file, json.dumps(run).encode())
    return run


def spread(runs: list[dict], *keys: str, worst: Callable[[Iterable[float]], float] = min) -> dict:
    """Median and worst (the lowest, where more is better) over the runs, of each key."""
    made = {}
    for key in keys:
        values = [run[key] for run in runs]
        made |= {f"{key}_median": statistics.median(values), f"{key}_worst": worst(values)}
    return made


def summary(arguments, runs: list[dict], figures: dict) -> dict:
    """What a bench prints: its figures between the size and the runs they come from."""
    minutes = [run["minutes"] for run in runs if "minutes" in run]
    median = {"minutes_median": statistics.median(minutes)} if minutes else {}
    return {"size": arguments.size, "seeds": len(runs), **figures, **median, "runs": runs}
