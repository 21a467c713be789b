"""`course grade` with workers that need no torch and no sandbox, for tests of what goes on around them.

    python quick.py COMMAND ARGUMENTS…        as `course COMMAND …`, in the current folder

A submission's notebook is one word, what its grading does: "fine", "dies" (always), "dies once", "hangs", "disk" (no
room for the result), "faulty" (more points than the maximum).
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from course_lib import cli
from course_lib.grading.records import store
from course_lib.grading.scoring import grade_one, worker
from course_lib.grading.scoring import jobs as scoring_jobs

LAB = "00_start_here"
SECONDS = float(os.environ.get("QUICK_SECONDS", 0.05))  # a submission


def prepare(spawn):
    def one(job_path, out):
        job = json.loads(Path(job_path).read_text())
        does = Path(job["folder"], "notebook.ipynb").read_text().split(",")[0]
        time.sleep(3600 if does == "hangs" else SECONDS)
        if does == "dies" or (does == "dies once" and job["attempt"] == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if does == "disk":
            raise OSError(28, "No space left on device")
        result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")} | {
            "schema": store.SCHEMA,
            "status": "graded",
            "flags": [],
            "started": time.time(),
            "attempt": job["attempt"],
        }
        points = {i: 9.0 if does == "faulty" else int(job["seed"][:2], 16) / 256 for i in ("surprise", "entropy")}
        rows = [
            {"id": i, "score": score, "max": 1.0, "status": "fail", "cases": [], "message": ""}
            for i, score in points.items()
            if i in job.get("only", points)
        ]
        return store.keep_result(out, grade_one.clean(result | {"questions": rows}))

    return one


def hand_in(root, *words, lab=LAB):
    """A class of students s00, s01, … with these words for notebooks."""
    for i, word in enumerate(words):
        files = {"notebook.ipynb": f"{word},{i}".encode()}
        folder = Path(root, "submissions", lab, f"s{i:02d}", store.submission_sha(files))
        store.write_atomic(folder / "notebook.ipynb", files["notebook.ipynb"])
        store.write_json(folder / "meta.json", {"student": folder.parent.name, "received": 1.0, "notes": []})


def results(root, lab=LAB):
    """{path in the store: result without what differs from run to run}, of every file there; damaged ones are None."""
    found = {}
    for path in sorted(Path(root, "grades", lab).glob("*/*/*")):
        result = None if path.name.startswith(".") else store.read_result(path)
        if not path.name.startswith("."):
            found[str(path.relative_to(root))] = result and {
                k: v for k, v in result.items() if k not in ("started", "attempt")
            }
    return found


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        worker.serve(cold=True, prepare=prepare)
        os._exit(0)
    worker.Worker.program = (sys.executable, __file__, "worker")
    if "QUICK_DEADLINE" in os.environ:
        scoring_jobs.JOB_SECONDS, scoring_jobs.ATTEMPTS = float(os.environ["QUICK_DEADLINE"]), 1
    sys.exit(cli.main(sys.argv[1:]))
