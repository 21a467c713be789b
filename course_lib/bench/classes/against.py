"""`course bench class --against REV`: how long this build and an older one take to grade the same class, by turns.

Lab 04's class hands in trained adapters (timing_class.py), lab 00's solutions only: of the latter nearly all is what
grading itself costs. A turn grades a part of each class with the older build, then with this one; both must give every
student the same points, or there is nothing to compare. What a student's first cells import is compared, too.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_lib.bench.chain import BUILDS, git, here, labs_of, worktree
from course_lib.bench.classes import demo, first_cells, timing_class
from course_lib.grading.people import gradebook
from course_lib.grading.records import store
from course_lib.grading.sandbox import doctor
from course_lib.platform import ROOT, CourseError, matmul_rate, write_atomic
from course_lib.questions import core

LIGHT, HEAVY = "00_start_here", "04_lora_and_qlora"
TURNS = 3


def bench_class(arguments) -> dict:
    """{"class_ratio", "class_light_ratio": wall time of this build over the older's, "import_ratio" (first_cells), …}.
    Raises CourseError.
    """
    if not arguments.against:
        raise CourseError("course bench class needs --against REV: a commit, a tag or a branch to compare with")
    doctor.require_sandbox()
    sha = git("rev-parse", "--verify", "--quiet", f"{arguments.against}^{{commit}}")
    seconds: dict = {lab: {build: [] for build in BUILDS} for lab in (HEAVY, LIGHT)}
    with worktree(sha) as there, tempfile.TemporaryDirectory() as folder:
        imports = first_cells.import_ratio(there, labs_of(there, core.labs()))
        for lab, n in ((HEAVY, arguments.students), (LIGHT, max(TURNS, arguments.students // 5))):
            classes = hand_in(Path(folder), lab, n)
            for turn, root in enumerate(classes):
                points = {}
                for build, place in zip(BUILDS, (there, ROOT)):
                    spent, points[build] = graded(root, lab, place, arguments.jobs)
                    seconds[lab][build].append(spent)
                    print(f"{lab}, turn {turn + 1} of {TURNS}, {build}: {spent:.1f} s", file=sys.stderr, flush=True)
                if set(points["old"].values()) == {None}:
                    older = f"{arguments.against} can grade none of today's notebooks of {lab}"
                    raise CourseError(f"{older}: name a commit that has today's labs and questions")
                if points["old"] != points["new"]:
                    raise CourseError(f"the builds differ in points, so their times are of different work: {points}")
    made = {"against": sha, "build": here(), "students": arguments.students, "jobs": arguments.jobs}
    for lab, name in ((HEAVY, "class"), (LIGHT, "class_light")):
        wall = {build: sum(rows) for build, rows in seconds[lab].items()}
        made |= {f"{name}_ratio": wall["new"] / wall["old"], f"{name}_seconds": wall}
        made |= {f"{name}_turns": [new / old for old, new in zip(*seconds[lab].values())]}
    return made | imports | {"matmul_gflops": matmul_rate(), "load": round(os.getloadavg()[0], 1)}


def hand_in(folder: Path, lab: str, n: int) -> list[Path]:
    """A folder for each turn, with a part of a class of n."""
    whole = folder / lab
    if lab == HEAVY:
        timing_class.hand_in_class(whole, lab, n)
    else:
        solution, _ = timing_class.books(lab)
        for i in range(n):
            files = {"notebook.ipynb": json.dumps(demo.with_cell(solution, f"x = {i}")).encode()}
            place = whole / "submissions" / lab / f"student{i:03d}" / store.submission_sha(files)
            write_atomic(place / "notebook.ipynb", files["notebook.ipynb"])
            store.write_json(place / "meta.json", {"student": place.parent.name, "received": float(i), "notes": []})
    turns = [folder / f"{lab}-{turn}" for turn in range(TURNS)]
    for i, student in enumerate(sorted((whole / "submissions" / lab).iterdir())):
        shutil.move(student, made(turns[i % TURNS] / "submissions" / lab) / student.name)
    return turns


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def graded(root: Path, lab: str, build: Path, jobs: int) -> tuple[float, dict]:
    """(seconds by the clock of `course grade`, {student: points}). What it wrote is gone afterwards.

    Not its seconds of computing: a worker is killed in the end, and with it a child whose time nobody has then asked.
    """
    began = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "course_lib.cli", "grade", lab, "-j", str(jobs)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(build), "COURSE_SECRET": "of a bench"},
        capture_output=True,
        text=True,
    )
    spent = time.perf_counter() - began
    if run.returncode:
        raise CourseError(f"course grade of {build} failed: {(run.stderr.strip().splitlines() or ['?'])[-1][:300]}")
    rows = gradebook.rows(lab, root / "grades", root / "submissions")
    shutil.rmtree(root / "grades")
    return spent, {row["student"]: row["score"] for row in rows}
