"""How long a student waits in each lab: the solution notebooks, run as they are on two threads."""

import os
import sys
import time
from pathlib import Path

import nbformat
import torch

from course_lib.authoring.executed import execute
from course_lib.bench.chain import here
from course_lib.bench.runs import kept
from course_lib.platform import ROOT, matmul_rate

THREADS = "2"


def bench_labs(arguments) -> dict:
    """{"minutes": {lab: of all its cells}, "threads", "runs": with the matmul rate before each, GFLOP/s}. With
    --out each lab is kept in that folder, and not run again.
    """
    os.environ |= {"OMP_NUM_THREADS": THREADS, "COURSE_SIZE": arguments.size}  # of the kernels
    torch.set_num_threads(int(THREADS))
    runs = []
    for path in sorted((ROOT / "solutions").glob("[0-9][0-9]_*.ipynb")):
        file = arguments.out and Path(arguments.out) / f"labs-{arguments.size}-{path.stem}-{here()}.json"
        runs.append(kept(file, lambda path=path: lab_run(path)))
        print("{lab}: {minutes:.1f} minutes at {gflops:.0f} GFLOP/s".format(**runs[-1]), file=sys.stderr)
    return {
        "size": arguments.size,
        "threads": int(THREADS),
        "minutes": {run["lab"]: run["minutes"] for run in runs},
        "runs": runs,
    }


def lab_run(path: Path) -> dict:
    rate, started = matmul_rate(), time.perf_counter()
    execute(nbformat.read(path, as_version=4), path.stem)
    return {"lab": path.stem, "minutes": (time.perf_counter() - started) / 60, "gflops": rate}
