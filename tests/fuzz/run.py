"""`make fuzz`: looks for inputs that break a reader of the grader, an hour long, guided by what they reach.

    make fuzz ARGS="--seconds 600 notebook header"      so long, of these targets alone (default: an hour, all)
    make fuzz ARGS="--replay FILE"                      what a finding does, with its traceback

Guided by atheris (libFuzzer), which is installed where it has a wheel: Linux on x86-64. Elsewhere the same changes are
tried without a guide. Each target has a process of its own and its share of the time. What reaches new paths is kept in
build/fuzz/TARGET and begun with the next time; findings, one of each kind, lie in build/fuzz/findings.
"""

import argparse
import faulthandler
import hashlib
import importlib
import os
import random
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD, CORPUS = ROOT / "build" / "fuzz", HERE / "corpus"
TARGETS = ("notebook", "archive", "reply", "header", "record", "manifest", "yaml", "gradebook")
MOST = 20_000  # bytes of an input that is kept; pumped ones are longer
EVERY = 20  # seconds between two lines of progress
PUMPED = (8_000, 32_000)  # bytes; four times the length may cost SUPERLINEAR times as much
SUPERLINEAR, WORTH = 8, 0.25  # … from so many seconds on
HANGS = 300  # seconds by the clock: a library in C may hear no signal, so the process is ended
sys.path[:0] = [str(HERE), str(HERE.parent / "grading"), str(ROOT)]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


# ---- one target, in a process of its own -----------------------------------------------------------------------------


def target(name):
    return importlib.import_module(f"targets.{name}")


def pending(name):
    """Where the input lies that may end this process."""
    return BUILD / f"{name}-pending"


class Finder:
    """Reads inputs of one target and keeps the first of each kind that breaks it."""

    def __init__(self, name):
        import bounds

        self.bounds, self.name, self.seen, self.count = bounds, name, set(), 0
        self.target = target(name)
        self.place = BUILD / "scratch" / f"{name}-{os.getpid()}"  # two may run at once
        self.place.mkdir(parents=True, exist_ok=True)
        self.draw = random.Random(time.time())

    def read(self, data):
        return self.target.read(data, self.place)

    def one(self, data):
        self.count += 1
        try:
            self.bounds.bounded(self.read, data, twice=self.count % 16 == 0)
            if self.count % 100 == 0:
                self.pump(data)
        except Exception as error:
            self.keep(data, error)

    def pump(self, data):
        """Raises TooCostly where four times the length costs far more than four times the computing."""
        import mutate

        made = mutate.pumped(data, self.draw, self.target.SHAPE, self.target.WORDS)
        costs = []
        for size in PUMPED:
            long, began = made(size), time.process_time()
            pending(self.name).write_bytes(long)
            faulthandler.dump_traceback_later(HANGS, exit=True)
            try:
                self.bounds.bounded(self.read, long, twice=False)
            except Exception as error:
                return self.keep(long, error)
            finally:
                faulthandler.cancel_dump_traceback_later()
            costs.append(time.process_time() - began)
        pending(self.name).unlink()
        if costs[1] > WORTH and costs[1] > SUPERLINEAR * costs[0]:
            told = f"{PUMPED[0]} bytes cost {costs[0]:.2f} s of computing, {PUMPED[1]} bytes {costs[1]:.2f} s"
            self.keep(made(PUMPED[0]), self.bounds.TooCostly(told))

    def keep(self, data, error):
        where = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if "course_lib" in f.filename or HERE.name in f.filename
        ]
        last = f"{Path(where[-1].filename).stem}-{where[-1].lineno}" if where else "pumped"
        kind = f"{type(error).__name__}-{last}"
        if kind not in self.seen:
            self.seen.add(kind)
            path = BUILD / "findings" / f"{self.name}-{kind}-{hashlib.sha256(data).hexdigest()[:8]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"FOUND {path}: {' '.join(str(error).split())[:200]}", file=sys.stderr, flush=True)


def guided(name, seconds):
    import atheris

    with atheris.instrument_imports(include=["course_lib"]):
        finder = Finder(name)
    import mutate

    def mutator(data, most, seed):
        draw = random.Random(seed)
        if draw.randrange(4) == 0:
            return atheris.Mutate(data, most)
        return mutate.changed(data, draw, finder.target.SHAPE, finder.target.WORDS, most)

    kept, seeds = BUILD / name, CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST}",
        f"-timeout={HANGS}",
        "-rss_limit_mb=6000",
        "-len_control=0",
    ]
    told = [f"-artifact_prefix={BUILD}/{name}-", "-print_final_stats=1"]
    atheris.Setup([name, *limits, *told, str(kept), str(seeds)], finder.one, custom_mutator=mutator)
    atheris.Fuzz()


def unguided(name, seconds):
    import mutate

    finder, end = Finder(name), time.time() + seconds
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    while time.time() < end:
        finder.one(
            mutate.changed(finder.draw.choice(seeds), finder.draw, finder.target.SHAPE, finder.target.WORDS, MOST)
        )
        if finder.count % 500 == 0:
            print(f"#{finder.count} tried", file=sys.stderr, flush=True)


def replay(path):
    name = next(name for name in TARGETS if Path(path).name.startswith(name) or Path(path).parent.name == name)
    import bounds

    began, finder = time.process_time(), Finder(name)
    print(bounds.bounded(finder.read, Path(path).read_bytes()))
    print(f"nothing wrong, {time.process_time() - began:.2f} s of computing with the imports")


# ---- all of them -----------------------------------------------------------------------------------------------------

SEEN = re.compile(r"^#(\d+)\b(?:.*?ft: (\d+))?")


def watch(name, seconds, end):
    """Runs one target for so long and prints what it does. Returns (inputs tried, features reached, findings)."""
    command = [sys.executable, __file__, "--child", name, "--seconds", str(seconds)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace")
    tried, first, paths, findings, spoken, tail = 0, 0, 0, [], time.time(), []
    for line in child.stderr:
        tail = [*tail[-15:], line]
        if seen := SEEN.match(line):
            tried, paths = int(seen[1]), int(seen[2] or paths)
            first = first or (paths if "INITED" in line else 0)
        elif line.startswith("FOUND "):
            findings.append(line)
            print(line.rstrip(), flush=True)
        if time.time() - spoken > EVERY:
            spoken, left = time.time(), max(0, end - time.time())
            new = f"{paths} paths ({paths - first} new)" if paths else "no guide"
            print(
                f"{name:10} {tried:>8} tried, {new}, {len(findings)} found; all done in {left / 60:.0f} min", flush=True
            )
    if child.wait() and pending(name).exists():
        path = pending(name).rename(BUILD / "findings" / f"{name}-hangs-{time.time():.0f}")
        findings.append(f"FOUND {path}: longer than {HANGS} s at {' '.join(place_of(tail))}\n")
        print(findings[-1].rstrip(), flush=True)
    elif child.returncode:
        print(f"{name}: ended with {child.returncode}\n{''.join(tail)}", flush=True)
    return tried, paths - first, findings


def place_of(trace):
    """The first lines of ours in what faulthandler says."""
    return [line.strip() for line in trace if "course_lib" in line][:1]


def main():
    parser = argparse.ArgumentParser(
        prog="make fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=3600, help="of all targets together (default: 3600)")
    parser.add_argument("--replay", metavar="FILE")
    parser.add_argument("--child", metavar="TARGET", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {unknown.pop()}; targets: {', '.join(TARGETS)}")
    if given.replay:
        return replay(given.replay)
    if given.child:
        try:
            import atheris  # noqa: F401  (not a dependency: it has no wheel for every machine)
        except ImportError:
            return unguided(given.child, given.seconds)
        return guided(given.child, given.seconds)
    names, end, found = given.targets or TARGETS, time.time() + given.seconds, []
    (BUILD / "findings").mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        share = time.time() + (end - time.time()) / (len(names) - place)
        while (left := int(share - time.time())) > 0:  # again where a finding has ended the process
            tried, new, findings = watch(name, left, end)
            print(f"{name}: {tried} inputs, {new} new paths, {len(findings)} kinds of findings", flush=True)
            found += findings
    for line in found:
        print(line.rstrip())
    print(f'{len(found)} found; one again: make fuzz ARGS="--replay FILE"' if found else "nothing was found")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
