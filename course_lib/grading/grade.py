"""`course grade LAB` and the unit of work behind it, `course grade-one JOB OUT`: idempotent, one atomic result file, resumable by looking."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from course_lib.grading import store

ATTEMPTS = 3
JOB_SECONDS = 600


def grade_one(job_path, out_path):
    """Grades the submission that the job file names and writes the result to out_path. Returns the result.

    A result that is there and validates is left alone. What goes wrong on this side becomes status infra_error, never a score.
    """
    started = time.time()
    job = json.loads(Path(job_path).read_text())
    done = store.read_result(out_path)
    if done is not None and done["status"] != "infra_error" and done["spec_sha"] == job["spec_sha"]:
        return done
    result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")}
    result |= {"schema": store.SCHEMA, "seed": job["seed"][:12] + "…", "host": socket.gethostname(), "tier": "bubblewrap", "attempt": job.get("attempt", 1), "started": round(started, 3)}
    result |= {"questions": [], "flags": [], "log_tail": ""}
    from course_lib.grading.notebooks import Ungradable
    from course_lib.grading.sandbox import NoSandbox

    try:
        if store.spec_sha(job["lab"]) != job["spec_sha"]:
            raise RuntimeError("this machine's course_lib differs from the one that made the job: update it")
        result |= grade_submission(job)
    except Ungradable as reason:
        result |= {"status": "ungradable", "reason": str(reason)}
    except NoSandbox as reason:
        result |= {"status": "infra_error", "reason": str(reason)}
    except Exception as error:  # a bug or a sick host: a person sees it, nobody loses a point
        result |= {"status": "infra_error", "reason": f"{type(error).__name__}: {error}"[:1000], "questions": []}
    result["seconds"] = round(time.time() - started, 3)
    result = store.validate(clean(result))
    store.write_json(out_path, result)
    return result


def clean(value):
    """Without lone surrogates and control characters, which a student's text may carry into JSON, CSV and terminals."""
    if isinstance(value, str):
        return "".join(c if c in "\n\t" or (c.isprintable() and not 0xD800 <= ord(c) < 0xE000) else "\N{REPLACEMENT CHARACTER}" for c in value)
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    return value


def grade_submission(job):
    """The graded part of a result. The sandbox boots while this process reads the notebook and imports torch."""
    from course_lib.grading import notebooks
    from course_lib.grading.box import Box

    folder = Path(job["folder"])
    if not folder.is_dir():
        raise RuntimeError(f"{folder} is gone")
    cells = notebooks.read_cells(folder / "notebook.ipynb")
    box = Box([(n, source) for n, kind, source in cells if kind == "code" and source.strip()])
    try:
        from course_lib.questions import core  # torch: a second and a half, beside the sandbox's own

        questions = core.questions_of(job["lab"])
        refuse_other_lab(cells, job["lab"], core)
        flags = notebooks.static_flags(cells, [q.id for q in questions if not isinstance(q, core.WrittenQuestion)])
        flags += notebooks.forbidden_flags(cells, [q for q in questions if isinstance(q, core.Question)])
        answers = notebooks.written_answers(cells)
        box.load_early()
        graded = {q.id: grade_artifact(q, folder, job, flags) for q in questions if isinstance(q, core.ArtifactQuestion)}
        for question in questions:
            if isinstance(question, core.WrittenQuestion):
                graded[question.id] = written(question, answers.get(question.id))
            elif isinstance(question, core.Question):
                graded[question.id] = dataclasses.asdict(core.run(question, box, job["seed"]))
        stopped = box.stopped
    finally:
        box.stop()
    rows = [rounded(graded[q.id]) for q in questions]
    unfinished = any("not run: the submission" in c["message"] or "not run: your code has stopped" in c["message"] for q in rows for c in q["cases"])
    return {
        "status": "partial" if unfinished else "graded",
        "questions": rows,
        "flags": flags + box.flags,
        "cells_stopped": stopped,
        "restarts": box.restarts,
        "log_tail": box.log[-4000:].decode("utf-8", "replace"),
    }


def rounded(question):
    for part in [question, *question["cases"]]:
        for key in ("score", "max"):
            if part.get(key) is not None:
                part[key] = round(float(part[key]), 6)
    return question


def refuse_other_lab(cells, lab, core):
    from course_lib.grading import notebooks

    ids = {name: [q.id for q in core.questions_of(name)] for name in core.labs()}
    found = notebooks.lab_of(cells, ids)
    if found != lab:
        raise notebooks.Ungradable(f"{found or 'a notebook of no lab of this course'} was handed in for {lab}")


def written(question, answer):
    """A question read by a person: no score, the text, and what is suggested where nothing was written."""
    from course_lib.grading.notebooks import STUB_ANSWER

    text = (answer or "").strip()
    suggestion = "nothing was written: 0 suggested" if text in ("", STUB_ANSWER) else ""
    return {"id": question.id, "score": None, "max": question.points, "status": "needs_review", "cases": [], "message": suggestion, "answer": text, "flags": []}


def grade_artifact(question, folder, job, flags):
    """The handed-in model's part of the result; a bad file costs this question only."""
    from course_lib.artifacts import ArtifactError
    from course_lib.grading import models

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
    case = {"name": "the handed-in model", "status": status, "score": question.points * fraction, "max": question.points, "message": message, "mistake": None, "hint": None, "reread": None}
    case["seconds"] = round(time.perf_counter() - started, 4)
    return {"id": question.id, "score": question.points * fraction, "max": question.points, "status": status, "cases": [case], "message": message, "flags": []}


# ---- a whole lab ------------------------------------------------------------------------------------------------------


def jobs_of(lab, grades, submitted, spec=None):
    """[(job, job path, out path)] of the latest submissions that have no valid result yet."""
    key, spec = store.secret(grades), spec or store.spec_sha(lab)
    latest, jobs = store.latest(lab, submitted), []
    for student, sha, folder, _ in latest:
        out = store.result_path(lab, student, sha, spec, grades)
        done = store.read_result(out)
        if done is not None and done["status"] != "infra_error":
            continue
        others = [(s, str(f.absolute())) for s, other, f, _ in latest if s != student]
        job = {"lab": lab, "student": student, "submission_sha": sha, "spec_sha": spec, "folder": str(folder.absolute()), "seed": store.seed_for(key, lab, sha), "others": others}
        jobs.append((job, Path(grades, ".jobs", lab, f"{store.safe_name(student)}-{sha}.json"), out))
    return jobs


def run_job(job, job_path, out):
    """One job in a process of its own, tried again on infra_error. A killed or hung process is an infra_error, too."""
    for attempt in range(1, ATTEMPTS + 1):
        store.write_json(job_path, job | {"attempt": attempt})
        os.chmod(job_path, 0o600)  # it holds the seed
        env = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": os.pathsep.join(p for p in (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")) if p)}
        try:
            done = subprocess.run([sys.executable, "-m", "course_lib.cli", "grade-one", str(job_path), str(out)], env=env, capture_output=True, timeout=JOB_SECONDS)
            trouble = done.stderr.decode(errors="replace").strip()[-300:] or f"exit status {done.returncode}"
        except subprocess.TimeoutExpired:
            trouble = f"no result within {JOB_SECONDS} s"
        result = store.read_result(out)
        if result is not None and result["status"] != "infra_error":
            return result
    if result is None:
        result = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")} | {"schema": store.SCHEMA, "status": "infra_error", "reason": f"the grading process failed {ATTEMPTS} times: {trouble}", "questions": [], "flags": []}
        store.write_json(out, store.validate(clean(result)))
    return result


def grade(lab, workers=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True):
    """Grades what is not graded yet. Returns {student: result} of the latest submissions. Raises NoSandbox before touching anything."""
    from concurrent.futures import ThreadPoolExecutor

    from course_lib.grading import doctor

    doctor.require_sandbox()
    known = [p.stem.removeprefix("lab") for p in sorted((Path(__file__).resolve().parents[1] / "questions").glob("lab*.py"))]
    if lab not in known:
        raise store.StoreError(f"there is no lab {lab!r}; labs: {', '.join(known)}")
    if not store.submissions(lab, submitted):
        raise store.StoreError(f"no submissions in {submitted}/{lab}: run `course collect {lab} FILES…` first")
    spec = store.spec_sha(lab)
    jobs = jobs_of(lab, grades, submitted, spec)
    pool = ThreadPoolExecutor(max_workers=max(1, workers or max(1, (os.cpu_count() or 2) // 2)))
    try:
        from tqdm import tqdm

        for _ in tqdm(pool.map(lambda j: run_job(*j), jobs), total=len(jobs), desc=f"grading {lab}", unit="submission", disable=not progress or not jobs, file=sys.stderr):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return {student: store.read_result(store.result_path(lab, student, sha, spec, grades)) for student, sha, _, _ in store.latest(lab, submitted)}


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
