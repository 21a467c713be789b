"""`course grade LAB`: grades what is not graded yet, on a few long-lived workers here or on a Dask cluster.

Resumable by looking at what is on disk.
"""

import argparse
import os
import sys
import threading
from collections import Counter

from course_lib.grading.people import gradebook
from course_lib.grading.reading import likeness
from course_lib.grading.records import adjustments, policy, store
from course_lib.grading.scoring.jobs import jobs_of, run_job
from course_lib.grading.scoring.worker import DiskTrouble, Trouble, Worker


def run_here(jobs, workers, done):
    """Runs jobs on so many workers of this machine; done(result) is called as each is finished.

    What ends it early leaves the finished ones on disk.
    """
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
    """Runs jobs, here or on a Dask cluster, with a bar that tells how long it will take.

    Raises StoreError, one line, where it cannot go on.
    """
    from tqdm import tqdm

    workers, count = max(1, workers or (os.cpu_count() or 2) // 2), [0]
    shown = {"desc": f"{words} {lab}", "unit": "submission", "file": sys.stderr, "smoothing": 0.1}
    with tqdm(total=len(jobs), disable=not progress or not jobs, **shown) as bar:

        def done(result):
            count[0] += 1
            bar.update()

        try:
            if scheduler is not None:
                from course_lib.grading.scoring import cluster

                cluster.run(jobs, scheduler, done)
            elif jobs:
                run_here(jobs, workers, done)
        except (DiskTrouble, Trouble) as trouble:
            full = isinstance(trouble, DiskTrouble)
            cure = "make room, then run the same command again" if full else "run the same command again to go on"
            raise store.StoreError(f"{trouble}. {count[0]} of {len(jobs)} are graded and kept: {cure}") from None


def check_lab(lab, submitted):
    """Raises StoreError for a lab that is not there or has no submissions."""
    policy.known_lab(lab)
    if not store.submissions(lab, submitted):
        raise store.StoreError(f"no submissions in {submitted}/{lab}: run `course collect {lab} FILES…` first")


def grade(lab, workers=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True, scheduler=None):
    """Grades what is not graded yet. Returns {student: result, or None} of those who handed in.

    Raises NoSandbox before touching anything.
    """
    from course_lib.grading.sandbox import doctor

    if scheduler is None:
        doctor.require_sandbox()
    check_lab(lab, submitted)
    spec = store.spec_sha(lab)
    with store.locked(lab, grades):
        run(lab, jobs_of(lab, grades, submitted, spec), workers, scheduler, progress)
    return {row["student"]: row["result"] for row in gradebook.rows(lab, grades, submitted) if row["sha"] is not None}


def table(lab, rows, alike):
    """A rich Table of a class. rows: of gradebook.rows; those who handed in nothing are there if a person has given
    them points. alike: {student: flags} of likeness.among.
    """
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=f"{lab}: {sum(row['sha'] is not None for row in rows)} submissions")
    for column in ("student", "score", "of", "%", "to read", "status", "s", "remarks"):
        shown.add_column(column, justify="left" if column in ("student", "status", "remarks") else "right")
    for row in rows:
        if row["sha"] is None and not row["adjusted"]:
            continue
        result, score, most = row["result"] or {}, row["score"], row["max"]
        said = [f"✎ {adjustments.words(line, row['sha'])}" for line in row["adjusted"].values()]
        said += filter(None, [gradebook.free_in_words(row)])
        if score is None:
            line = ["–", "", "", "", row["status"], "", ", ".join([*said, *filter(None, [result.get("reason")])])]
        else:
            quiet = ("pass", "needs_review", "open", "adjusted", "excused")
            bad = Counter(q["status"] for q in result.get("questions", []) if q["status"] not in quiet)
            flags = [*result.get("flags", []), *alike.get(row["student"], [])]
            flags = dict.fromkeys(f"⚑ {flag['kind']}" for flag in flags)
            remarks = ", ".join([*said, *(f"{n} × {status}" for status, n in bad.items()), *flags])
            share, seconds = f"{100 * score / most:.0f}" if most else "", f"{result.get('seconds', 0):.1f}"
            line = [f"{score:.2f}", f"{most:g}", share, f"{row['pending']:g}", row["status"], seconds, remarks]
        shown.add_row(Text(row["student"]), *(Text(cell) for cell in line))
    return shown


def main(argv=None):
    from rich.console import Console

    parser = argparse.ArgumentParser(prog="course grade", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("-j", "--jobs", type=int, default=None, help="submissions at a time (default: half the cores)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler, as tcp://host:8786: its workers grade, and see this folder under the same path",
    )
    arguments = parser.parse_args(argv)
    results = grade(arguments.lab, arguments.jobs, scheduler=arguments.scheduler)
    seed = store.likeness_seed(store.secret(), arguments.lab)
    rows = gradebook.rows(arguments.lab)
    Console().print(table(arguments.lab, rows, likeness.among(rows, seed)))
    return 1 if any(r is None or r["status"] == "infra_error" for r in results.values()) else 0
