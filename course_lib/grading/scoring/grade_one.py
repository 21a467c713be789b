"""The unit of work, `course grade-one JOB OUT`: one job file in, one atomic result file out; done again it does
nothing.
"""

import argparse
import dataclasses
import gc
import json
import re
import socket
import sys
import time
from pathlib import Path

from course_lib.grading.records import store


def grade_one(job_path, out_path, spawn=None):
    """Grades the submission that the job file names and writes the result to out_path. Returns the result. `spawn`
    starts a warm sandbox (worker.py); default cold.

    A result that is there and validates is left alone. What goes wrong on this side becomes status infra_error, never a
    score.
    """
    started = time.time()
    job = json.loads(Path(job_path).read_text())
    done = store.read_result(out_path)
    if done is not None and done["status"] != "infra_error" and done["spec_sha"] == job["spec_sha"]:
        return done
    result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")}
    result |= {
        "schema": store.SCHEMA,
        "seed": job["seed"][:12] + "…",
        "host": socket.gethostname(),
        "attempt": job.get("attempt", 1),
        "started": round(started, 3),
    }
    result |= {"questions": [], "flags": [], "log_tail": ""}
    from course_lib.grading.sandbox.borders import NoSandbox
    from course_lib.grading.sandbox.start import tier
    from course_lib.notebook.cells import Ungradable

    try:
        result["tier"] = job.get("tier") or tier()  # a job that brings its own border says which
        if store.spec_sha(job["lab"]) != job["spec_sha"]:
            raise RuntimeError("this machine's course_lib differs from the one that made the job: update it")
        result |= grade_submission(job, spawn)
    except Ungradable as reason:
        result |= {"status": "ungradable", "reason": str(reason)}
    except NoSandbox as reason:
        result |= {"status": "infra_error", "reason": str(reason)}
    except Exception as error:  # a bug or a sick host: a person sees it, nobody loses a point
        result |= {"status": "infra_error", "reason": f"{type(error).__name__}: {error}"[:1000], "questions": []}
    result["seconds"] = round(time.time() - started, 3)
    return store.keep_result(out_path, clean(result))


def clean(value):
    """Without lone surrogates and control characters, which a student's text may carry into JSON, CSV and terminals."""
    if isinstance(value, str):
        return "".join(
            c if c in "\n\t" or (c.isprintable() and not 0xD800 <= ord(c) < 0xE000) else "\N{REPLACEMENT CHARACTER}"
            for c in value
        )
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    return value


def grade_submission(job, spawn=None):
    """The graded part of a result. The sandbox boots while this process reads the notebook and imports torch."""
    from course_lib.grading.sandbox.box import Box
    from course_lib.grading.scoring import signs
    from course_lib.notebook import cells as notebooks

    folder = Path(job["folder"])
    if not folder.is_dir():
        raise RuntimeError(f"{folder} is gone")
    meta = store.read_meta(folder)
    if meta.get("ungradable"):
        raise notebooks.Ungradable(str(meta["ungradable"]))
    cells, passed, notes = notebooks.read_book(folder / "notebook.ipynb")
    box = Box([(n, source) for n, kind, source in cells if kind == "code" and source.strip()], spawn)
    try:
        from course_lib.questions import core  # torch: a second and a half, beside the sandbox's own

        questions = core.questions_of(job["lab"])
        refuse_other_lab(cells, job["lab"], core)
        questions = [q for q in questions if q.id in job.get("only", [q.id])]  # regrade.py
        asked = [q for q in questions if isinstance(q, core.Question)]
        flags = (
            signs.archive_flags(meta.get("notes", []))
            + signs.static_flags(cells, [q.id for q in questions if not isinstance(q, core.WrittenQuestion)])
            + signs.forbidden_flags(cells, asked)
        )
        answers = notebooks.written_answers(cells)
        box.load_early()
        graded = {
            q.id: grade_artifact(q, folder, job, flags) for q in questions if isinstance(q, core.ArtifactQuestion)
        }
        for question in questions:
            if isinstance(question, core.WrittenQuestion):
                graded[question.id] = written(question, answers.get(question.id))
            elif isinstance(question, core.Question):
                graded[question.id] = dataclasses.asdict(core.run(question, box, job["seed"]))
        stopped = box.stopped
    finally:
        box.stop()
    if box.infra:
        raise box.infra
    rows = [rounded(graded[q.id]) for q in questions]
    if reason := signs.needs_gpu(rows):
        raise notebooks.Ungradable(reason)
    changed, doubtful = signs.stale(rows, passed)
    unfinished = any(
        "not run: the submission" in c["message"] or "not run: your code has stopped" in c["message"]
        for q in rows
        for c in q["cases"]
    )
    return {
        "status": "partial" if unfinished else "graded",
        "questions": rows,
        "flags": flags + box.flags + signs.shortcuts(rows) + doubtful,
        "notes": notes + signs.double_notes(cells, [q.id for q in asked]) + changed,
        "cells_stopped": stopped,
        "restarts": box.restarts,
        "student_seconds": round(box.inside, 3),
        "log_tail": box.log[-4000:].decode("utf-8", "replace"),
        "log_cells": (box.cell_log or b"")[-4000:].decode("utf-8", "replace"),
    }


def rounded(question):
    for part in [question, *question["cases"]]:
        for key in ("score", "max"):
            if part.get(key) is not None:
                part[key] = round(float(part[key]), 6)
    return question


def refuse_other_lab(cells, lab, core):
    from course_lib.notebook import cells as notebooks

    if (
        notebooks.lab_of(cells, dict.fromkeys(core.labs(), ())) == lab
    ):  # by its setup(): the other labs' questions need 0.2 s to import
        return
    ids = {name: [q.id for q in core.questions_of(name)] for name in core.labs()}
    found = notebooks.lab_of(cells, ids)
    if found != lab:
        raise notebooks.Ungradable(f"{found or 'a notebook of no lab of this course'} was handed in for {lab}")


def written(question, answer):
    """A question read by a person: no score, the text, and what is suggested where nothing was written."""
    from course_lib.notebook.cells import MAX_ANSWER, STUB_ANSWER

    text = (answer or "").strip()
    suggestion = ""
    if text in ("", STUB_ANSWER):
        suggestion = "nothing was written: 0 suggested"
    elif re.fullmatch(r"(?:!\[[^\]]*\]\([^)]*\)|<img[^>]*>|\s)+", text):
        suggestion = "only an image was pasted: look into the notebook"
    elif len(text) > MAX_ANSWER:
        text, suggestion = text[:MAX_ANSWER], f"cut after {MAX_ANSWER} characters: the rest is in the notebook"
    return {
        "id": question.id,
        "score": None,
        "max": question.points,
        "status": "needs_review",
        "cases": [],
        "message": suggestion,
        "answer": text,
        "flags": [],
    }


def grade_artifact(question, folder, job, flags):
    """The handed-in model's part of the result; a bad file costs this question only."""
    from course_lib.grading.scoring import models
    from course_lib.stages.artifacts import ArtifactError

    started, model = time.perf_counter(), folder / "work" / question.stage
    fraction, status, message = 0.0, "fail", ""
    if not (model / "model.safetensors").exists():
        status, message = "missing", f"no {question.stage} model was handed in"
    else:
        try:
            weights = models.check_model(model, question.stage)
            fraction, message = question.score(str(model), job["seed"], False)
            if not (isinstance(fraction, (int, float)) and 0 <= fraction <= 1):
                raise RuntimeError(f"{question.id}: the score function gave {fraction}, outside 0 … 1")
            status = "pass" if fraction >= 1 else "fail"
            others = [(student, Path(where) / "work" / question.stage) for student, where in job.get("others", [])]
            flags += models.similarity_flags(weights, question.stage, model, others)
        except (models.BadModel, ArtifactError) as bad:
            status, message = "error", str(bad)
    case = {
        "name": "the handed-in model",
        "status": status,
        "score": question.points * fraction,
        "max": question.points,
        "message": message,
        "mistake": None,
        "hint": None,
        "reread": None,
    }
    case["seconds"] = round(time.perf_counter() - started, 4)
    return {
        "id": question.id,
        "score": question.points * fraction,
        "max": question.points,
        "status": status,
        "cases": [case],
        "message": message,
        "flags": [],
    }


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course grade-one", description=__doc__)
    parser.add_argument("job", help="job file, as `course grade` writes them")
    parser.add_argument("out", help="result file")
    arguments = parser.parse_args(argv)
    gc.set_threshold(
        100_000
    )  # importing torch makes half a million objects that stay: to look for garbage among them every 700 costs 0.2 s
    result = grade_one(arguments.job, arguments.out)
    if result["status"] == "infra_error":
        print(result["reason"], file=sys.stderr)
        return 3
    return 0
