"""How long one submission of lab 02 takes, cold: a fresh process grades the solution with a handed-in model, sandbox, scoring and all."""

import statistics
import tempfile
import time
from pathlib import Path

from course_lib.grading import demo, doctor, grade, store


def cold_seconds(rounds=3):
    """{"cold_s": median, "cold_s_worst", "graded_s": median without the process's own start, "score", "max", "rounds"}. Raises NoSandbox."""
    import json

    from course_lib.artifacts import save_stage
    from course_lib.stages.model import Llama, ModelConfig

    doctor.require_sandbox()
    seconds, inner = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = demo.model_folder() or save_stage("pretrain", Llama(ModelConfig()), {"seed": 0}, folder / "pretrain")
        files = {"notebook.ipynb": json.dumps(demo.notebooks()[0]).encode()}
        files |= {f"work/pretrain/{name}": (model / name).read_bytes() for name in ("model.safetensors", "record.json") if (model / name).exists()}
        sha = store.submission_sha(files)
        place = folder / "submissions" / demo.LAB / "ada" / sha
        for name, data in files.items():
            store.write_atomic(place / name, data)
        store.write_json(place / "meta.json", {"student": "ada", "received": 0, "notes": []})
        for i in range(rounds):
            ((job, job_path, out),) = grade.jobs_of(demo.LAB, folder / f"grades{i}", folder / "submissions")
            began = time.perf_counter()
            result = grade.run_job(job, job_path, out)
            seconds.append(time.perf_counter() - began)
            inner.append(result["seconds"])
    score, most, _ = store.totals(result)
    return {"cold_s": round(statistics.median(seconds), 2), "cold_s_worst": round(max(seconds), 2), "graded_s": round(statistics.median(inner), 2), "score": score, "max": most, "rounds": rounds}
