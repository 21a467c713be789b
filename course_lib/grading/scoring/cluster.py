"""`course grade --scheduler ADDRESS`: the same jobs on the workers of a Dask cluster (https://distributed.dask.org).

Each thread of a Dask worker keeps one grading process (worker.py) with its sandbox. Only paths and JSON travel; results
come back as JSON and are written here, so there is one writer.

The folder of submissions must be shared: every worker sees it under the same path. A worker that does not, has no
sandbox, or has another course_lib refuses, gets no further jobs, and is named once. Dask knows no passwords: its ports
belong on a private network (or behind its TLS).
"""

import json
import logging
import secrets
import sys
import tempfile
import threading
import time
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.scoring.jobs import ATTEMPTS, JOB_SECONDS, at_fault, failed
from course_lib.grading.scoring.worker import DiskTrouble

CONNECT = 10.0  # seconds to wait for a scheduler
here = threading.local()  # .worker: the grading process of this thread of a Dask worker


# ---- on the Dask worker ----------------------------------------------------------------------------------------------


def refusal(token_path, token, code):
    """Why this machine must not grade, in one line, or None."""
    from course_lib.grading.sandbox import borders, doctor

    try:
        if Path(token_path).read_text() != token:
            raise OSError
    except OSError:
        return (
            f"it does not see {Path(token_path).parent}: the folder of submissions must be shared, under the same path"
        )
    if store.code_sha() != code:
        return "its course_lib differs: update it"
    try:
        doctor.require_sandbox()
    except borders.NoSandbox as reason:
        return str(reason)


def grade_there(job, token_path, token, code, seconds):
    """Grades one job on this machine: {"where", and one of "result", "refused", "trouble", "spec"}."""
    from distributed import get_worker

    from course_lib.grading.scoring.worker import Trouble, Worker

    answer = {"where": get_worker().address}
    if reason := refusal(token_path, token, code):
        return answer | {"refused": reason}
    if not hasattr(here, "worker"):
        here.worker = Worker()
    with tempfile.TemporaryDirectory(prefix="course-") as folder:  # 0700: the job holds the seed
        job_path, out = Path(folder, "job.json"), Path(folder, "result.json")
        try:
            store.write_json(job_path, job)
            here.worker.grade(job_path, out, seconds)
            return answer | {"result": json.loads(out.read_text())}
        except Trouble as trouble:
            return answer | {"trouble": str(trouble)}
        except store.StoreError as error:
            return answer | {"spec": str(error)}
        except (OSError, ValueError) as error:
            return answer | {"trouble": f"{type(error).__name__}: {error}"}


# ---- here ------------------------------------------------------------------------------------------------------------


def connect(address):
    """A Dask client. Raises StoreError with one line."""
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise store.StoreError(
            '--scheduler needs Dask: pip install "distributed>=2025.1" here and on the workers'
        ) from None
    for name in ("distributed", "distributed.client"):  # what matters is said below, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT:g}s"})
    try:
        return Client(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        why = str(error).splitlines()[0][:120] or type(error).__name__
        cure = "start it (`dask scheduler`), or leave --scheduler out"
        raise store.StoreError(f"no Dask scheduler answers at {address} ({why}): {cure}") from None


def run(jobs, address, done):
    """Runs jobs [(job, job path, out)] on a cluster; done(result) as each is kept.

    Raises StoreError with one line where it cannot go on.
    """
    if not jobs:
        return
    client = connect(address)
    token, folder = secrets.token_hex(16), Path(jobs[0][0]["folder"]).parents[1]
    token_path = folder / f".shared-{token[:8]}"
    try:
        try:
            token_path.write_text(token)
        except OSError as error:
            raise store.StoreError(
                f"cannot write to {folder} ({error.strerror or error}): the workers are shown a file there"
            ) from None
        dispatch(client, address, jobs, done, (str(token_path), token, store.code_sha()))
    finally:
        token_path.unlink(missing_ok=True)
        client.close(timeout=2)


def dispatch(client, address, jobs, done, shown):
    """Hands out a few jobs at a time, so that workers which come later share in the rest.

    A job whose worker died or refused goes to another one.
    """
    from distributed import wait

    waiting, flying, attempts, refused, kept, alone = list(reversed(jobs)), {}, {}, {}, 0, False
    while waiting or flying:
        try:
            info = client.scheduler_info(n_workers=-1)["workers"]
            there = {where: entry["nthreads"] for where, entry in info.items() if where not in refused}
            if refused and not there:
                said = "; ".join(f"{where}: {why}" for where, why in refused.items())
                raise store.StoreError(f"no worker of {address} can grade. {said[:600]}")
            if not there and not alone:
                alone = True
                print(f"there are no workers at {address} yet: waiting for them", file=sys.stderr)
            while waiting and len(flying) < 2 * sum(there.values()):
                job, job_path, out = waiting.pop()
                attempts[out] = attempts.get(out, 0) + 1
                only = {"workers": list(there)} if refused else {}
                work = job | {"attempt": attempts[out]}
                future = client.submit(grade_there, work, *shown, JOB_SECONDS, pure=False, **only)
                flying[future] = (job, job_path, out)
            finished = [(future, answer_of(future)) for future in ready(client, wait, flying)]
        except (OSError, RuntimeError) as error:
            raise store.StoreError(
                f"the scheduler at {address} is gone ({type(error).__name__}). {kept} of {len(jobs)} are graded and "
                "kept: start it, then run the same command again"
            ) from None
        for future, answer in finished:
            job, job_path, out = work = flying.pop(future)
            if "refused" in answer:
                if answer["where"] not in refused:
                    print(f"{answer['where']} does not grade: {answer['refused']}", file=sys.stderr)
                refused[answer["where"]] = answer["refused"]
                attempts[out] -= 1
                waiting.append(work)
                continue
            if "spec" in answer:
                raise at_fault(job, answer["spec"])
            result = answer.get("result") or failed(job, answer["trouble"])
            if result["status"] == "infra_error" and attempts[out] < ATTEMPTS:
                waiting.insert(0, work)
                continue
            if any(result[k] != job[k] for k in ("lab", "student", "submission_sha", "spec_sha")):
                wrong = f"{answer['where']} sent the result of another job"
                raise store.StoreError(f"{wrong}: nothing was written for {job['student']}")
            try:
                result = store.keep_result(out, result)
            except OSError as error:
                raise DiskTrouble(f"cannot write {out} ({error.strerror or error})") from None
            kept += 1
            done(result)


def ready(client, wait, futures):
    """Those that are finished, after at most two seconds. ConnectionError when the scheduler is gone."""
    from distributed import CancelledError

    if futures:
        try:
            wait(list(futures), timeout=2, return_when="FIRST_COMPLETED")
        except TimeoutError:
            pass
        except CancelledError:  # by Dask itself, when the connection breaks
            raise ConnectionError("lost") from None
    else:
        time.sleep(1)  # no workers yet
    if client.status != "running" or any(f.status in ("cancelled", "lost") for f in futures):
        raise ConnectionError("lost")
    return [f for f in futures if f.status in ("finished", "error")]


def answer_of(future):
    """What grade_there gave, or its trouble: three workers in turn have died of the job, or have no course_lib."""
    error = future.exception() if future.status == "error" else None
    return future.result() if error is None else {"trouble": f"{type(error).__name__}: {str(error)[:200]}"}
