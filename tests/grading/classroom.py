"""Notebooks as students hand them in, made from the banks of answers in tests/questions."""

import importlib
import json
import sys
from pathlib import Path

LAB = "02_pretraining"
AUTO = 8.0  # points of lab 02 without the model and the written answers
sys.path.insert(0, str(Path(__file__).parents[1] / "questions"))


def right_answers(lab=LAB):
    """{question id: source of a right answer}"""
    bank = importlib.import_module({"00_start_here": "bank00", "02_pretraining": "bank02"}[lab]).BANK
    return {name: next(iter(entry["right"].values())) for name, entry in bank.items()}


def sources(answers, lab=LAB, before=(), after=(), checks=True):
    """The code cells of a notebook with these answers."""
    cells = [
        "#@title Setup - run me first\nimport course_lib\nfrom course_lib import check, load_stage, save_stage, "
        f'submit\ncourse = course_lib.setup("{lab}", seed=0)',
        *before,
    ]
    for name, source in answers.items():
        cells.append(f"# EXERCISE {name}\n{source}")
        if checks:
            cells.append(f'check("{name}")')
    if checks and lab == LAB:
        cells.append('# LONG\nimport time\ntime.sleep(3600)\nmodel = "trained"')
        cells.append('check("pretrained_model")')
    return [*cells, *after]


def notebook(cells, written=None):
    """nbformat 4.5 JSON text of code cells, with ids and metadata."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {"nbgrader": {"schema_version": 3}},
            "source": s,
            "outputs": [],
            "execution_count": None,
        }
        for i, s in enumerate(cells)
    ]
    for name, text in (written or {}).items():
        made.append({"cell_type": "markdown", "id": name, "metadata": {}, "source": f"<!-- WRITTEN {name} -->\n{text}"})
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": made,
        }
    )


def hand_in(root, student, text, model=None, lab=LAB):
    """Puts a notebook (text or bytes) and perhaps a model folder where collect would. Returns its folder."""
    from course_lib.grading.records import store

    files = {"notebook.ipynb": text.encode() if isinstance(text, str) else text}
    if model is not None:
        files |= {f"work/pretrain/{p.name}": p.read_bytes() for p in Path(model).iterdir()}
    folder = Path(root, "submissions", lab, student, store.submission_sha(files))
    for name, data in files.items():
        store.write_atomic(folder / name, data)
    store.write_json(folder / "meta.json", {"student": student, "received": 1.0, "notes": []})
    return folder


def grade_here(root, student, text, model=None, lab=LAB, spawn=None):
    """Grades one submission in this process: the result. spawn: of a zygote; default: a new sandbox, for which torch
    is imported anew.
    """
    from course_lib.grading.records import store
    from course_lib.grading.scoring import grade_one
    from course_lib.grading.scoring import jobs as scoring_jobs

    folder = hand_in(root, student, text, model, lab)
    for job, job_path, out in scoring_jobs.jobs_of(lab, Path(root, "grades"), Path(root, "submissions")):
        if job["student"] == student:
            store.write_json(job_path, job)
            result = grade_one.grade_one(job_path, out, spawn)
            assert store.read_result(out) == result, folder
            return result


def scores(result):
    return {q["id"]: q["score"] for q in result["questions"]}


def statuses(result):
    return {q["id"]: q["status"] for q in result["questions"]}


def one_replaced(name, source):
    return {**right_answers(), name: source}


def function_points(result):
    return sum(q["score"] for q in result["questions"] if q["score"] is not None and q["id"] != "pretrained_model")


def under_tmp():
    """What of the interpreter's own folders shows under a sandbox's /tmp: a checkout may live there."""
    from course_lib.grading.sandbox import borders

    return sorted(
        {folder.relative_to("/tmp").parts[0] for folder in borders.python_folders() if folder.is_relative_to("/tmp")}
    )
