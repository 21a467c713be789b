"""`course bench real [--against REV]`: memory and time of the labs' parts on the real model, in this build and in an
older one, by turns. Every part is a process of its own (real_part.py) with one thread.
"""

import os
import re
import statistics
import sys
import tempfile
from pathlib import Path

from course_lib.bench.chain import git, labs_of, said_in, worktree
from course_lib.bench.real_part import HEADING
from course_lib.platform import ROOT, CourseError

PART = Path(__file__).with_name("real_part.py")
PLACE = ROOT / "labs" / "smollm2"  # where `course smollm2` puts the model


def bench_real(arguments) -> dict:
    """Figures of each lab, the largest peak, and ratios new over old. Raises CourseError where the model is not here.

    A ratio is that of the peaks of the whole process: Python, torch and transformers are in both.
    """
    model = Path(os.environ.get("COURSE_SMOLLM") or PLACE).absolute()
    if not model.exists():
        raise CourseError("course bench real needs the real model: run `course smollm2` first, or set COURSE_SMOLLM")
    labs = [path.stem for path in sorted(ROOT.glob("solutions/*.py")) if re.search(HEADING, path.read_text("utf-8"))]
    if not arguments.against:
        runs = {lab: {"new": part(ROOT, lab, arguments.size, model)} for lab in labs}
        return {"size": arguments.size, **figures(runs)}
    sha = git("rev-parse", "--verify", "--quiet", f"{arguments.against}^{{commit}}")
    with worktree(sha) as there:
        places = {"new": ROOT, "old": there}
        shared = labs_of(there, labs)
        runs = {lab: {b: part(root, lab, arguments.size, model) for b, root in places.items()} for lab in shared}
    return {"size": arguments.size, "against": sha, **figures(runs)}


def figures(runs: dict[str, dict[str, dict]]) -> dict:
    """What is printed of {lab: {build: what real_part.py says}}."""
    made = {"real_peak_gb": max(each["new"]["peak_gb"] for each in runs.values())}
    if all("old" in each for each in runs.values()):
        ratios = {
            key: {lab: each["new"][key] / each["old"][key] for lab, each in runs.items()}
            for key in ("peak_gb", "cpu_s", "wall_s")
        }
        made |= {
            "real_memory_ratio": statistics.median(ratios["peak_gb"].values()),
            "real_memory_ratio_worst": max(ratios["peak_gb"].values()),
            "real_cpu_ratio": statistics.median(ratios["cpu_s"].values()),
            "real_wall_ratio": statistics.median(ratios["wall_s"].values()),
            **{f"{lab[:2]}_memory_ratio": ratio for lab, ratio in ratios["peak_gb"].items()},
            "same_text": [lab for lab, each in runs.items() if each["new"]["printed"] == each["old"]["printed"]],
        }
    return {**made, "labs": runs}


def part(root: Path, lab: str, size: str, model: Path) -> dict:
    """What real_part.py says of a lab in the build at `root`."""
    settings = {"OMP_NUM_THREADS": "1", "COURSE_SIZE": size, "COURSE_SMOLLM": str(model), "COURSE_DATA": ""}
    with tempfile.TemporaryDirectory() as folder:
        failed = f"the real part of {lab} failed in {root}"
        result = said_in(root, folder, PART, lab, failed=failed, COURSE_WORK=folder, **settings)
    print("{} in {}: {peak_gb:.2f} GB, {cpu_s:.0f} s of CPU".format(lab, root, **result), file=sys.stderr)
    return result
