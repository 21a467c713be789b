"""`course grade LAB`: grades what is not graded yet, one process a submission, resumable by looking at what is on disk."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from course_lib.grading import store
from course_lib.grading.grade_one import clean

ATTEMPTS = 3
JOB_SECONDS = 600


def jobs_of(lab, grades, submitted, spec=None):
    """[(job, job path, out path)] of the latest submissions that have no valid result yet."""
    key, spec = store.secret(grades), spec or store.spec_sha(lab)
    latest, jobs = store.latest(lab, submitted), []
    for student, sha, folder, _ in latest:
        out = store.result_path(lab, student, sha, spec, grades)
        done = store.read_result(out)
        if done is not None and done["status"] != "infra_error":
            continue
        others = [(s, str(f.absolute())) for s, other, f, _ in latest if s != student]
        job = {"lab": lab, "student": student, "submission_sha": sha, "spec_sha": spec, "folder": str(folder.absolute()), "seed": store.seed_for(key, lab, sha), "others": others}
        jobs.append((job, Path(grades, ".jobs", lab, f"{store.safe_name(student)}-{sha}.json"), out))
    return jobs


def run_job(job, job_path, out):
    """One job in a process of its own, tried again on infra_error. A killed or hung process is an infra_error, too."""
    for attempt in range(1, ATTEMPTS + 1):
        store.write_json(job_path, job | {"attempt": attempt})
        os.chmod(job_path, 0o600)  # it holds the seed
        env = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": os.pathsep.join(p for p in (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")) if p)}
        try:
            done = subprocess.run([sys.executable, "-m", "course_lib.cli", "grade-one", str(job_path), str(out)], env=env, capture_output=True, timeout=JOB_SECONDS)
            trouble = done.stderr.decode(errors="replace").strip()[-300:] or f"exit status {done.returncode}"
        except subprocess.TimeoutExpired:
            trouble = f"no result within {JOB_SECONDS} s"
        result = store.read_result(out)
        if result is not None and result["status"] != "infra_error":
            return result
    if result is None:
        result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")} | {"schema": store.SCHEMA, "status": "infra_error", "reason": f"the grading process failed {ATTEMPTS} times: {trouble}", "questions": [], "flags": []}
        store.write_json(out, store.validate(clean(result)))
    return result


def grade(lab, workers=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True):
    """Grades what is not graded yet. Returns {student: result} of the latest submissions. Raises NoSandbox before touching anything."""
    from concurrent.futures import ThreadPoolExecutor

    from course_lib.grading import doctor

    doctor.require_sandbox()
    known = [p.stem.removeprefix("lab") for p in sorted((Path(__file__).resolve().parents[1] / "questions").glob("lab*.py"))]
    if lab not in known:
        raise store.StoreError(f"there is no lab {lab!r}; labs: {', '.join(known)}")
    if not store.submissions(lab, submitted):
        raise store.StoreError(f"no submissions in {submitted}/{lab}: run `course collect {lab} FILES…` first")
    spec = store.spec_sha(lab)
    jobs = jobs_of(lab, grades, submitted, spec)
    pool = ThreadPoolExecutor(max_workers=max(1, workers or max(1, (os.cpu_count() or 2) // 2)))
    try:
        from tqdm import tqdm

        for _ in tqdm(pool.map(lambda j: run_job(*j), jobs), total=len(jobs), desc=f"grading {lab}", unit="submission", disable=not progress or not jobs, file=sys.stderr):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return {student: store.read_result(store.result_path(lab, student, sha, spec, grades)) for student, sha, _, _ in store.latest(lab, submitted)}


def table(lab, results):
    """A rich Table of a class."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=f"{lab}: {len(results)} submissions")
    for column, side in (("student", "left"), ("score", "right"), ("of", "right"), ("%", "right"), ("to read", "right"), ("status", "left"), ("s", "right"), ("remarks", "left")):
        shown.add_column(column, justify=side)
    for student, result in sorted(results.items()):
        score, most, pending = store.totals(result)
        if score is None:
            row = ["–", "", "", "", result["status"] if result else "not graded", "", (result or {}).get("reason", "")]
        else:
            kinds = {}
            for flag in result["flags"]:
                kinds[flag["kind"]] = kinds.get(flag["kind"], 0) + 1
            bad = {}
            for q in result["questions"]:
                if q["status"] not in ("pass", "needs_review"):
                    bad[q["status"]] = bad.get(q["status"], 0) + 1
            remarks = ", ".join([f"{n} × {s}" for s, n in bad.items()] + [f"⚑ {k}" for k in kinds])
            row = [f"{score:.2f}", f"{most:g}", f"{100 * score / most:.0f}" if most else "", f"{pending:g}", result["status"], f"{result.get('seconds', 0):.1f}", remarks]
        shown.add_row(Text(student), *(Text(cell) for cell in row))
    return shown


def main(argv=None):
    from rich.console import Console

    parser = argparse.ArgumentParser(prog="course grade", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("-j", "--jobs", type=int, default=None, help="submissions at a time (default: half the cores)")
    arguments = parser.parse_args(argv)
    results = grade(arguments.lab, arguments.jobs)
    Console().print(table(arguments.lab, results))
    return 1 if any(r is None or r["status"] == "infra_error" for r in results.values()) else 0
