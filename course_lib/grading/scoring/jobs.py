"""A job of the grader: what it says, its file for its owner only, and how one worker gets it done.

It is tried again where the machinery failed, never where a submission did.
"""

import os
from pathlib import Path

from course_lib.grading.people import gradebook
from course_lib.grading.records import store
from course_lib.grading.scoring.grade_one import clean
from course_lib.grading.scoring.worker import DiskTrouble, Trouble, Worker
from course_lib.platform import safe_name

ATTEMPTS = 3
JOB_SECONDS = 600


def jobs_of(lab, grades, submitted, spec=None):
    """[(job, job path, out path)] of the attempts that count (policy.yaml) and have no valid result yet."""
    key, spec, jobs = store.secret(grades), spec or store.spec_sha(lab), []
    for student, sha, folder, _ in gradebook.attempts_to_grade(lab, submitted):
        done = store.result_of(lab, student, sha, spec, grades)
        if done is not None and done["status"] != "infra_error":
            continue
        job = job_of(lab, student, sha, spec, folder, key)
        job_path = Path(grades, ".jobs", lab, f"{safe_name(student)}-{sha}.json")
        jobs.append((job, job_path, store.result_path(lab, student, sha, spec, grades)))
    return jobs


def job_of(lab, student, sha, spec, folder, key):
    """What a job file says. seed: of the hidden inputs, another one for each submission. likeness_seed: the same for a
    whole class, or its models could not be compared.
    """
    job = {"lab": lab, "student": student, "submission_sha": sha, "spec_sha": spec, "folder": str(folder.absolute())}
    return job | {"seed": store.seed_for(key, lab, sha), "likeness_seed": store.likeness_seed(key, lab)}


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
    result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")}
    result |= {"schema": store.SCHEMA, "status": "infra_error", "questions": [], "flags": []}
    return clean(result | {"reason": f"the grading process failed {ATTEMPTS} times: {trouble}"})


def at_fault(job, why):
    """A StoreError: the questions themselves cannot be graded with."""
    cure = f"mend course_lib/questions/lab{job['lab']}.py, then run it again. Nothing was written for {job['student']}"
    return store.StoreError(f"the questions of {job['lab']} are at fault ({why}): {cure}")


def run_job(job, job_path, out, worker=None):
    """One job on a worker (a fresh one of its own without); the result. A killed or hung worker is an infra_error, too.

    Raises DiskTrouble where nothing can be written, StoreError where the questions themselves are at fault.
    """
    own = worker is None
    worker = worker or Worker(cold=True)
    try:
        for attempt in range(1, ATTEMPTS + 1):
            write_job(job_path, job | {"attempt": attempt})
            try:
                worker.grade(job_path, out, JOB_SECONDS)
                result = store.read_result(out)
                trouble = "the result is not on disk" if result is None else result.get("reason")
                if result is not None and result["status"] != "infra_error":
                    job_path.unlink(missing_ok=True)
                    return result
            except Trouble as reason:
                trouble, result = str(reason), None
                if worker.closed:
                    raise
            except DiskTrouble:
                raise
            except store.StoreError as error:  # every submission would meet it
                raise at_fault(job, error) from None
        if result is None:
            try:
                result = store.keep_result(out, failed(job, trouble))
            except OSError as error:
                raise DiskTrouble(f"cannot write {out} ({error.strerror or error})") from None
        return result
    finally:
        if own:
            worker.stop()
