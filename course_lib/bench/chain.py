"""`course bench chain --against REV`: this build beside an older one, by phases of the tour: time, memory, figures.

Both run on one machine, by turns: each phase here and there, then the next one, then all again with another seed. Every
run is a process of its own (chain_phase.py), starts from the models that come with its build, and is kept in a file, so
that a bench that was stopped goes on where it was. A phase that fails is passed over, so that a night's bench has the
others, and said at the end.
"""

import contextlib
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from course_lib.platform import ROOT, CourseError, matmul_rate, work_dir, write_atomic
from course_lib.tour.lifecycle import PHASES

PHASE = Path(__file__).with_name("chain_phase.py")
BUILDS = ("old", "new")


def bench_chain(arguments) -> dict:
    """Figures of both builds for each phase, and in all. Raises CourseError for a revision or a phase that is none."""
    names = [phase.name for phase in PHASES]
    asked = arguments.phases.split(",") if arguments.phases else names
    if unknown := [name for name in asked if name not in names]:
        raise CourseError(f"there is no phase {unknown[0]!r}: choose from {', '.join(names)}")
    if not arguments.against:
        raise CourseError("course bench chain needs --against REV: a commit, a tag or a branch to compare with")
    sha = git("rev-parse", "--verify", "--quiet", f"{arguments.against}^{{commit}}")
    kept = Path(arguments.out or work_dir() / "chain").absolute()
    plan = [(build, name, seed) for seed in range(arguments.seeds) for name in asked for build in BUILDS]
    runs, failed, lacking = {}, [], []
    with worktree(sha) as there:
        places = {"old": (sha, there), "new": (here(), ROOT)}
        for k, (build, name, seed) in enumerate(plan, 1):
            if name in lacking:
                continue
            left = f"[{k} of {len(plan)}, about {minutes_left(plan[k - 1 :], runs, arguments.size):.0f} min left] "
            try:
                if found := measured(*places[build], name, arguments.size, seed, kept, left):
                    runs[build, name, seed] = found
                else:
                    lacking.append(name)
            except CourseError as error:
                failed.append(str(error))
                print(error, file=sys.stderr)
    if failed:
        more = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        raise CourseError(f"{failed[0]}{more}; what was measured is kept in {kept}: run the same command again")
    of = lambda build, name: [runs[build, name, seed] for seed in range(arguments.seeds)]
    figures = {name: compared(of("old", name), of("new", name)) for name in asked if name not in lacking}
    if not figures:
        raise CourseError(f"{sha[:7]} has none of these phases: {', '.join(asked)}; choose others with --phases")
    print(table(figures, lacking), file=sys.stderr)
    return {
        "size": arguments.size,
        "seeds": arguments.seeds,
        "threads": torch.get_num_threads(),
        "against": sha,
        "build": places["new"][0],
        **whole_chain(figures),
        **{f"{name}_ratio": each["wall_ratio"] for name, each in figures.items()},
        "phases": figures,
        "lacking": lacking,  # phases that the older build has not
        "matmul_gflops": matmul_rate(),
    }


def git(*arguments: str, binary: bool = False):
    """What git says in the course folder. Raises CourseError where it fails."""
    run = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)
    if run.returncode:
        why = run.stderr.decode().strip().splitlines()
        raise CourseError(f"git {arguments[0]} failed ({why[-1] if why else 'there is no such commit'})")
    return run.stdout if binary else run.stdout.decode().strip()


def here() -> str:
    """The name of what lies in the course folder: the last commit that changed course_lib, and a hash of what differs
    from it.
    """
    changed = git("diff", "HEAD", "--", "course_lib", binary=True)
    for name in git("ls-files", "--others", "--exclude-standard", "--", "course_lib").splitlines():
        changed += (ROOT / name).read_bytes()
    commit = git("log", "-1", "--format=%H", "--", "course_lib")
    return f"{commit}+{hashlib.sha256(changed).hexdigest()[:8]}" if changed else commit


@contextlib.contextmanager
def worktree(sha: str):
    """A folder with the files of a commit, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / sha
        git("worktree", "add", "--detach", str(place), sha)
        try:
            yield place
        finally:
            git("worktree", "remove", "--force", str(place))


def labs_of(there: Path, labs: list[str]) -> list[str]:
    """Of these labs those that the build in this folder has, too: one that is newer has nothing to compare with."""
    return [lab for lab in labs if (there / "labs" / f"{lab}.ipynb").exists()]


def kept_run(file: Path) -> dict | None:
    """The run in this file, None where there is none. Its keys that were whole numbers are so again: JSON has none."""
    numbers = lambda found: {int(key) if key.isdecimal() else key: value for key, value in found.items()}
    with contextlib.suppress(OSError, ValueError):
        return json.loads(file.read_text(), object_hook=numbers)
    return None


def measured(build: str, root: Path, name: str, size: str, seed: int, kept: Path, left: str = "") -> dict:
    """What chain_phase.py says of a phase, run now or read from the file of an earlier run; {} of one that the build
    has not. Raises CourseError for one that fails, and where the course folder was changed while it ran: its seconds
    would be those of no build.
    """
    file = kept / f"{name}-{size}-{seed}-{torch.get_num_threads()}t-{build}.json"
    if (before := kept_run(file)) is not None:
        return before
    print(f"{left}{name}, seed {seed}, {build[:7]}: …", end=" ", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        arguments, settings = (folder, name, size, str(seed)), {"COURSE_WORK": f"{folder}/work"}
        result = said_in(root, folder, PHASE, *arguments, failed=f"phase {name} of {build[:7]} failed", **settings)
    if root == ROOT and here() != build:
        raise CourseError(f"course_lib was changed while phase {name} ran, which is not kept")
    write_atomic(file, json.dumps(result).encode())
    words = "{wall_s:.1f} s, {cpu_s:.1f} of CPU, {peak_gib:.2f} GiB, {metric}: {value}"
    print(words.format_map(result) if result else "there is no such phase", file=sys.stderr)
    return result


def said_in(root: Path, folder: str, script: Path, *arguments: str, failed: str, **settings: str) -> dict:
    """The JSON in a script's last line, run in a folder with the build at `root` and environment variables. Raises
    CourseError, `failed` and why, where it fails.
    """
    run = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), **settings},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise CourseError(f"{failed}: {last[:300]}")
    return json.loads(run.stdout.splitlines()[-1])


def minutes_left(plan: list[tuple], runs: dict[tuple, dict], size: str) -> float:
    """Expected minutes of the runs in `plan`, (build, phase, seed): what the tour knows of each phase, at the pace of
    the build's runs so far.
    """
    usual = {phase.name: phase.seconds[size != "tiny"] for phase in PHASES}
    seconds = 0.0
    for build in BUILDS:
        done = [(run["wall_s"], usual[name]) for (which, name, _), run in runs.items() if which == build]
        pace = sum(wall for wall, _ in done) / sum(known for _, known in done) if done else 1.0
        seconds += pace * sum(usual[name] for which, name, _ in plan if which == build)
    return seconds / 60


def compared(old: list[dict], new: list[dict]) -> dict:
    """Medians of both builds over the seeds, their ratio, and the phase's figure with its 95 % interval."""
    both = {"old": old, "new": new}
    middle = lambda key: {build: statistics.median(row[key] for row in rows) for build, rows in both.items()}
    made = {key: middle(key) for key in ("wall_s", "cpu_s", "peak_gib")}
    ratios = {f"{key.partition('_')[0]}_ratio": each["new"] / each["old"] for key, each in made.items()}
    values = {build: [row["value"] for row in rows if row["value"] is not None] for build, rows in both.items()}
    changes = [b["value"] - a["value"] for a, b in zip(old, new) if None not in (a["value"], b["value"])]
    return {
        **made,
        **ratios,
        **{key: new[0][key] for key in ("metric", "unit", "limit")},
        "figure": {build: with_interval(each) for build, each in values.items()},
        "change": with_interval(changes),  # new − old, seed by seed
    }


def with_interval(values: list[float]) -> dict:
    """{"mean", "low", "high"}: Student's 95 % interval; None where there are too few values for it."""
    if len(values) < 2:
        return {"mean": values[0] if values else None, "low": None, "high": None}
    from scipy.stats import t

    mean, error = statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))
    width = float(t.ppf(0.975, len(values) - 1)) * error
    return {"mean": mean, "low": mean - width, "high": mean + width}


def worse(each: dict) -> bool:
    """Is a phase's figure worse than before, beyond the interval of the change? False where there is no interval. What
    has a limit of 0, the gap to the entropy, is to be small, all others are to be large.
    """
    low, high = each["change"]["low"], each["change"]["high"]
    return low is not None and (low > 0 if each["limit"] == 0 else high < 0)


def table(figures: dict[str, dict], lacking: list[str]) -> str:
    """A line a phase: seconds by the clock and of CPU, peak memory, the figure; old → new. What is `lacking` is in the
    newer build alone, and is not compared.
    """
    lines = ["phase           wall, s           ratio   CPU, s            ratio   peak, GiB      ratio   figure"]
    for name, each in figures.items():
        cells = []
        for key, digits in (("wall_s", 1), ("cpu_s", 1), ("peak_gib", 2)):
            made = f"{each[key]['old']:.{digits}f} → {each[key]['new']:.{digits}f}"
            cells.append(f"{made:{12 if digits == 2 else 15}} {each[key.partition('_')[0] + '_ratio']:7.2f}   ")
        old, new = ("–" if each["figure"][b]["mean"] is None else f"{each['figure'][b]['mean']:.2f}" for b in BUILDS)
        lines.append(f"{name:15} {''.join(cells)}{each['metric']}: {old} → {new}")
    return "\n".join([*lines, *(f"{name:15} left out: the older build has no such phase" for name in lacking)])


def whole_chain(figures: dict[str, dict]) -> dict:
    """Seconds of all phases together, the largest phase's memory, and the ratios, new over old."""
    total = {key: {b: sum(each[key][b] for each in figures.values()) for b in BUILDS} for key in ("wall_s", "cpu_s")}
    peak = {b: max(each["peak_gib"][b] for each in figures.values()) for b in BUILDS}
    return {
        "chain_ratio": total["wall_s"]["new"] / total["wall_s"]["old"],
        "chain_cpu_ratio": total["cpu_s"]["new"] / total["cpu_s"]["old"],
        "memory_ratio": peak["new"] / peak["old"],
        "worse": [name for name, each in figures.items() if worse(each)],  # figures beyond their interval
        **total,
        "peak_gib": peak,
    }
