"""How long one submission of lab 02 takes: cold, where a fresh process grades it in a fresh box, and warm, as it is in
a class.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_lib.bench.classes import demo
from course_lib.grading.records import store
from course_lib.grading.sandbox import doctor
from course_lib.grading.scoring import grade
from course_lib.platform import write_atomic


def file_solution(root, model=None):
    """Puts the solution of lab 02 where collect would, with a model's folder or without."""
    files = {"notebook.ipynb": json.dumps(demo.notebooks()[0]).encode()}
    if model is not None:
        files |= {
            f"work/pretrain/{name}": (model / name).read_bytes()
            for name in ("model.safetensors", "record.json")
            if (model / name).exists()
        }
    place = root / "submissions" / demo.LAB / "ada" / store.submission_sha(files)
    for name, data in files.items():
        write_atomic(place / name, data)
    store.write_json(place / "meta.json", {"student": "ada", "received": 0, "notes": []})


def a_model(root):
    """Folder of a pretrained model: the shipped one, else one that was never trained."""
    from course_lib.stages.artifacts import save_stage
    from course_lib.stages.model import Llama, ModelConfig

    return demo.model_folder() or save_stage("pretrain", Llama(ModelConfig()), {"seed": 0}, root / "pretrain")


def cold_seconds(rounds=3):
    """{"cold_s": median wall time of `course grade-one`, a fresh process, "cold_s_best", "cold_s_worst", "cold_cpu_s":
    of the grading process, "score", "max", "rounds"}. Raises NoSandbox.
    """
    doctor.require_sandbox()
    seconds, cpu = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        file_solution(folder, a_model(folder))
        for i in range(rounds):
            ((job, job_path, out),) = grade.jobs_of(demo.LAB, folder / f"grades{i}", folder / "submissions")
            store.write_json(job_path, job)
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, "-m", "course_lib.cli", "grade-one", job_path, out],
                env=os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
                check=True,
            )
            seconds.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
            result = store.read_result(out)
    score, most, _ = store.totals(result)
    return {
        "cold_s": round(statistics.median(seconds), 2),
        "cold_s_best": round(min(seconds), 2),
        "cold_s_worst": round(max(seconds), 2),
        "cold_cpu_s": round(statistics.median(cpu), 2),
        "score": score,
        "max": most,
        "rounds": rounds,
    }


def warm_seconds(rounds=9):
    """What grading adds to the student's own compute once a process and its zygote are warm, as a class's are after
    their first submission.

    {"warm_s": median of the whole wall time of a submission less what its code took in the agent (cells and calls),
    "warm_s_best",
    "warm_whole_s": the whole, "warm_student_s": the code, "warm_boot_s": the zygote's start, once a worker,
    "warm_model_s": the whole of a submission with a model, whose forward passes on hidden documents are most of it,
    "score", "max", "rounds"}. OSError or NoSandbox where no warm start is possible.

    warm_s is taken without a model, for nothing then runs beside the student's code, and the difference hides nothing.
    """
    from course_lib.grading.sandbox.zygote import Zygote
    from course_lib.grading.scoring.grade_one import grade_one

    def one(root, name):
        ((job, job_path, out),) = grade.jobs_of(demo.LAB, root / name, root / "submissions")
        store.write_json(job_path, job)
        began = time.perf_counter()
        result = grade_one(job_path, out, zygote.spawn)
        return time.perf_counter() - began, result

    began = time.perf_counter()
    with Zygote() as zygote, tempfile.TemporaryDirectory() as folder:
        boot = time.perf_counter() - began
        plain, whole = Path(folder, "plain"), Path(folder, "whole")
        file_solution(plain), file_solution(whole, a_model(Path(folder)))
        one(whole, "first")  # a worker's first submission also imports what scoring needs
        with_model = [one(whole, f"grades{i}") for i in range(max(1, rounds // 3))]
        without = [one(plain, f"grades{i}") for i in range(rounds)]
    added = [seconds - result["student_seconds"] for seconds, result in without]
    score, most, _ = store.totals(with_model[-1][1])
    middle = lambda values: round(statistics.median(values), 3)
    return {
        "warm_s": middle(added),
        "warm_s_best": round(min(added), 3),
        "warm_whole_s": middle([s for s, _ in without]),
        "warm_student_s": middle([r["student_seconds"] for _, r in without]),
        "warm_boot_s": round(boot, 2),
        "warm_model_s": middle([s for s, _ in with_model]),
        "score": score,
        "max": most,
        "rounds": rounds,
    }


def seconds(cold_rounds=3, warm_rounds=9):
    """Both, with the load of the machine: figures taken while others work on it are not its own."""
    return cold_seconds(cold_rounds) | warm_seconds(warm_rounds) | {"load": round(os.getloadavg()[0], 1)}
