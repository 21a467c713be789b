"""How long a class takes: n distinct submissions of lab 04 with a trained adapter each, graded by a real `course grade
-j 2`, and what memory its workers need.

python -m course_lib.bench.classes.timing_class [N]        default 300; half a minute of training, then the grading
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from course_lib.bench.classes import demo
from course_lib.grading.records import store
from course_lib.grading.sandbox import borders
from course_lib.grading.scoring.worker import proportional_bytes
from course_lib.platform import ROOT, write_atomic

JOBS = 2


def adapter(folder):
    """A model with an adapter that has learned lab 04's job from a tenth of the rows, on the shipped assistant. Returns
    (model, record).
    """
    from course_lib.stages import lora
    from course_lib.stages.artifacts import SHIPPED, load_folder

    config = lora.PRESETS["laptop"]
    few = replace(config, examples=config.examples // 10, replay=config.replay // 10, validations=0)
    run = lora.lora("laptop", seed=0, base=load_folder(SHIPPED / "sft", "sft")[0], config=few, progress=False)
    return run.model, run.record


def books(lab):
    """(solution, student) notebooks of a lab, as released."""
    return tuple(json.loads((ROOT / folder / f"{lab}.ipynb").read_text()) for folder in ("solutions", "labs"))


def hand_in_class(root, lab, n, seed=0):
    """n submissions, no two alike: solutions, some with a wrong or an open exercise, a few stubs; every adapter is
    another one, one in thirty is copied.
    """
    import torch

    from course_lib.stages.lora import save_adapter_stage

    draw, (solution, student) = random.Random(seed), books(lab)
    exercises = [name for c in solution["cells"] if (name := demo.exercise(c))]
    open_cells = {demo.exercise(c): c["source"] for c in student["cells"] if demo.exercise(c)}
    model, record = adapter(root)
    trained = {name: p.detach().clone() for name, p in model.named_parameters() if ".lora_" in name}
    weights = None
    for i in range(n):
        kind = draw.choices(["right", "one open", "one wrong", "stub"], [6, 2, 2, 1])[0]
        book = json.loads(json.dumps(student if kind == "stub" else solution))
        chosen = draw.choice(exercises)
        for cell in book["cells"]:
            cell["outputs"] = [] if cell["cell_type"] == "code" else None
            if cell["cell_type"] != "code":
                del cell["outputs"]
            if kind == "one open" and demo.exercise(cell) == chosen:
                cell["source"] = open_cells[chosen]
            if kind == "one wrong" and demo.exercise(cell) == chosen:
                cell["source"] = (
                    "".join(cell["source"])
                    + f"\n{chosen} = (lambda right: lambda *a, **k: None if right(*a, **k) is None else 0.0)({chosen})"
                )
        book = demo.with_cell(book, f"# student {i}\nx = {i}")
        if weights is None or i % 30:
            generator = torch.Generator().manual_seed(i)
            for name, p in model.named_parameters():
                if name in trained:
                    p.data = trained[name] * (1 + 0.1 * torch.randn(p.shape, generator=generator))
            weights = save_adapter_stage(model, {**record, "seed": i}, folder=root / "adapter")
        files = {"notebook.ipynb": json.dumps(book).encode()} | {
            f"work/lora/{name}": (weights / name).read_bytes() for name in ("model.safetensors", "record.json")
        }
        folder = Path(root, "submissions", lab, f"student{i:03d}", store.submission_sha(files))
        for name, data in files.items():
            write_atomic(folder / name, data)
        store.write_json(folder / "meta.json", {"student": folder.parent.name, "received": float(i), "notes": []})


def most_memory(process, found):
    """Watches the workers of a running `course grade`: found["bytes"] becomes the most that one of them had with its
    zygote and box, pages that several share counted once.
    """
    while process.poll() is None:
        for worker in borders.processes(process.pid)[1:]:
            try:
                if b"course_lib.grading.scoring.worker" in Path(f"/proc/{worker}/cmdline").read_bytes():
                    found["bytes"] = max(found["bytes"], sum(map(proportional_bytes, borders.processes(worker))))
            except OSError:
                pass
        time.sleep(0.5)


def class_of(n=300, lab="04_lora_and_qlora"):
    """{"submissions", "minutes", "seconds_each" (of one worker), "worker_gib", "jobs", "cores", "load", "graded",
    "mean_percent"}; "minutes_300" only where 300 were graded.

    Raises NoSandbox. "load" is the machine's load before it began: the minutes are those of a quiet machine only where
    it is near 0.
    """
    from course_lib.grading.people import gradebook
    from course_lib.grading.sandbox import doctor

    doctor.require_sandbox()
    with tempfile.TemporaryDirectory() as folder:
        root, found = Path(folder), {"bytes": 0}
        hand_in_class(root, lab, n)
        load, began = os.getloadavg()[0], time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "course_lib.cli", "grade", lab, "-j", str(JOBS)],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        watcher = threading.Thread(target=most_memory, args=(process, found))
        watcher.start()
        process.wait(), watcher.join()
        seconds = time.perf_counter() - began
        rows = gradebook.rows(lab, root / "grades", root / "submissions")
        graded = [r for r in rows if r["score"] is not None]
        percent = sum(100 * r["score"] / r["max"] for r in graded) / max(1, len(graded))
    made = {
        "submissions": n,
        "minutes": round(seconds / 60, 2),
        "seconds_each": round(JOBS * seconds / n, 2),
        "worker_gib": round(found["bytes"] / 2**30, 2),
        "jobs": JOBS,
    }
    made |= {"cores": os.cpu_count(), "load": round(load, 1), "graded": len(graded), "mean_percent": round(percent, 1)}
    return made | (
        {"minutes_300": made["minutes"]}
        if n == 300
        else {"note": f"{n} submissions were graded, not 300: nothing is scaled"}
    )


if __name__ == "__main__":
    print(json.dumps(class_of(int(sys.argv[1]) if len(sys.argv) > 1 else 300), indent=1))
