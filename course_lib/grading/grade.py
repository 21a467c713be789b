"""`course grade LAB`: grades what is not graded yet, on a few long-lived workers here or on a Dask cluster. Resumable by looking at what is on disk."""

import argparse
import os
import sys
import threading
from pathlib import Path

from course_lib.grading import gradebook, policy, store
from course_lib.grading.grade_one import clean
from course_lib.grading.worker import DiskTrouble, Trouble, Worker

ATTEMPTS = 3
JOB_SECONDS = 600


def jobs_of(lab, grades, submitted, spec=None):
    """[(job, job path, out path)] of the attempts that count (policy.yaml) and have no valid result yet."""
    key, spec, jobs = store.secret(grades), spec or store.spec_sha(lab), []
    latest = store.latest(lab, submitted)
    for student, sha, folder, _ in gradebook.attempts_to_grade(lab, submitted):
        done = store.standing(lab, student, sha, spec, grades)
        if done is not None and done["status"] != "infra_error":
            continue
        others = [(s, str(f.absolute())) for s, other, f, _ in latest if s != student]
        job = {"lab": lab, "student": student, "submission_sha": sha, "spec_sha": spec, "folder": str(folder.absolute()), "seed": store.seed_for(key, lab, sha), "others": others}
        jobs.append((job, Path(grades, ".jobs", lab, f"{store.safe_name(student)}-{sha}.json"), store.result_path(lab, student, sha, spec, grades)))
    return jobs


def write_job(job_path, job):
    """The job file, for its owner only: it holds the seed."""
    job_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        store.write_json(job_path, job)
        os.chmod(job_path, 0o600)
    except OSError as error:
        raise DiskTrouble(f"cannot write {job_path} ({error.strerror or error})") from None


def failed(job, trouble):
    """The result of a job whose process failed again and again: no score, tried again by the next run."""
    result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")} | {"schema": store.SCHEMA, "status": "infra_error", "questions": [], "flags": []}
    return clean(result | {"reason": f"the grading process failed {ATTEMPTS} times: {trouble}"})


def run_job(job, job_path, out, worker=None):
    """One job on a worker (a fresh one of its own without), tried again on infra_error; a killed or hung worker is one, too. Returns the result.

    Raises DiskTrouble where nothing can be written, StoreError where the questions themselves are at fault.
    """
    own = Worker(cold=True) if worker is None else None
    try:
        for attempt in range(1, ATTEMPTS + 1):
            write_job(job_path, job | {"attempt": attempt})
            try:
                (worker or own).grade(job_path, out, JOB_SECONDS)
                result = store.read_result(out)
                trouble = "the result is not on disk" if result is None else result.get("reason")
                if result is not None and result["status"] != "infra_error":
                    job_path.unlink(missing_ok=True)
                    return result
            except Trouble as reason:
                trouble, result = str(reason), None
                if worker is not None and worker.closed:
                    raise
            except DiskTrouble:
                raise
            except store.StoreError as error:  # every submission would meet it
                raise store.StoreError(f"the questions of {job['lab']} are at fault ({error}): mend course_lib/questions/lab{job['lab']}.py, then run it again. Nothing was written for {job['student']}") from None
        if result is None:
            try:
                result = store.keep_result(out, failed(job, trouble))
            except OSError as error:
                raise DiskTrouble(f"cannot write {out} ({error.strerror or error})") from None
        return result
    finally:
        if own:
            own.stop()


def run_here(jobs, workers, done):
    """Runs jobs on so many workers of this machine; done(result) is called as each is finished. What ends it early leaves the finished ones on disk."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    # a zygote boots for two seconds: not worth it for one submission
    pool = [Worker(cold=len(jobs) < 2 * workers) for _ in range(min(workers, len(jobs)))]
    free, lock = list(pool), threading.Lock()

    def next_job(job):
        with lock:
            worker = free.pop()
        try:
            return run_job(*job, worker)
        finally:
            with lock:
                free.append(worker)

    threads = ThreadPoolExecutor(max_workers=max(1, len(pool)))
    try:
        for future in as_completed([threads.submit(next_job, job) for job in jobs]):
            done(future.result())
    finally:
        for worker in pool:
            worker.close()
        threads.shutdown(cancel_futures=True)
        for worker in pool:
            worker.stop()
    return pool


def run(lab, jobs, workers=None, scheduler=None, progress=True, words="grading"):
    """Runs jobs, here or on a Dask cluster, with a bar that tells how long it will take. Raises StoreError, one line, where it cannot go on."""
    from tqdm import tqdm

    workers, count = max(1, workers or (os.cpu_count() or 2) // 2), [0]
    with tqdm(total=len(jobs), desc=f"{words} {lab}", unit="submission", disable=not progress or not jobs, file=sys.stderr, smoothing=0.1) as bar:

        def done(result):
            count[0] += 1
            bar.update()

        try:
            if scheduler is not None:
                from course_lib.grading import cluster

                cluster.run(jobs, scheduler, done)
            elif jobs:
                run_here(jobs, workers, done)
        except DiskTrouble as trouble:
            raise store.StoreError(f"{trouble}. {count[0]} of {len(jobs)} are graded and kept: make room, then run the same command again") from None
        except Trouble as trouble:
            raise store.StoreError(f"{trouble}. {count[0]} of {len(jobs)} are graded and kept: run the same command again to go on") from None


def check_lab(lab, submitted):
    """Raises StoreError for a lab that is not there or has no submissions."""
    policy.known_lab(lab)
    if not store.submissions(lab, submitted):
        raise store.StoreError(f"no submissions in {submitted}/{lab}: run `course collect {lab} FILES…` first")


def grade(lab, workers=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True, scheduler=None):
    """Grades what is not graded yet. Returns {student: result, or None} of those who handed in. Raises NoSandbox before touching anything."""
    from course_lib.grading import doctor

    if scheduler is None:
        doctor.require_sandbox()
    check_lab(lab, submitted)
    spec = store.spec_sha(lab)
    with store.locked(lab, grades):
        run(lab, jobs_of(lab, grades, submitted, spec), workers, scheduler, progress)
    return {row["student"]: row["result"] for row in gradebook.rows(lab, grades, submitted) if row["sha"] is not None}


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
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, as tcp://host:8786: its workers grade, and see this folder under the same path")
    arguments = parser.parse_args(argv)
    results = grade(arguments.lab, arguments.jobs, scheduler=arguments.scheduler)
    Console().print(table(arguments.lab, results))
    return 1 if any(r is None or r["status"] == "infra_error" for r in results.values()) else 0
