"""What one submission is worth: all that the grader does with a student's bytes, in a child of the room (reading/).

Here the notebook is read, its source looked at, the sandbox driven, its replies judged, the models scored. What goes
wrong with the bytes is a verdict in words of ours; only what fails of our own becomes infra_error. Every part has a
budget of computing, far beyond what an honest one costs (seen on one core: answers 0.1 to 1 s, a
model 1 to 9 s): a part that spends it costs its own points, and the rest is graded. All parts together have one, too.
"""

import contextlib
import dataclasses
import re
import tempfile
import time
import zlib
from pathlib import Path

from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.grading.scoring.rows import lost, name_the_cell, rounded, written

READ, ANSWERS, MODEL = 5.0, 12.0, 60.0  # seconds of computing: the notebook, all answers together, a model
# seconds of all parts of a submission together: without a model that holds more than SMALL bytes, and with one
FEW, MANY, SMALL = 10.0, 90.0, 2**20
NOT_RUN = "not run: what was judged before has used up the grader's time for this submission"
COSTLY = "judging what your function returned took the grader far longer than any answer needs"


class Purse:
    """The seconds of computing that a submission may cost, of which each part takes its own."""

    def __init__(self, folder):
        self.left = MANY if any(map(holds_much, folder.glob("work/*/model.safetensors"))) else FEW

    @contextlib.contextmanager
    def part(self, most):
        """Raises TooMuch in what runs inside."""
        before = room.computed()
        try:
            with room.budget(min(most, self.left)):
                yield
        finally:
            self.left -= room.computed() - before


def holds_much(path):
    """Is it of more than SMALL bytes when it is packed? Zeros of any length are a small submission."""
    packer, packed = zlib.compressobj(1), 0
    with open(path, "rb") as file:
        while packed <= SMALL and (part := file.read(2**18)):
            packed += len(packer.compress(part))
    return packed + len(packer.flush()) > SMALL


def judged(job, spawn=None):
    """The graded part of a result, whatever the submission holds. For the room: plain JSON, and it never raises."""
    from course_lib.grading.sandbox.borders import NoSandbox
    from course_lib.grading.sandbox.box import Infra
    from course_lib.notebook.cells import Ungradable

    try:
        return graded(job, spawn)
    except Ungradable as reason:
        return {"status": "ungradable", "reason": str(reason)}
    except (NoSandbox, Infra) as reason:
        return {"status": "infra_error", "reason": str(reason)}
    except MemoryError:
        return {"status": "ungradable", "reason": "judging it needs far more memory than a lab's notebook and model do"}
    except Exception as error:  # a bug or a sick host: a person sees it, nobody loses a point
        return {"status": "infra_error", "reason": f"{type(error).__name__}: {error}"[:1000], "questions": []}


def graded(job, spawn):
    """As judged, but raises Ungradable, Infra, NoSandbox. The sandbox boots while this process imports torch."""
    from course_lib.grading.sandbox.box import Box
    from course_lib.grading.scoring import signs

    before, folder = room.computed(), Path(job["folder"])
    if not folder.is_dir():
        raise RuntimeError(f"{folder} is gone")
    purse = Purse(folder)
    cells, passed, notes = book_of(folder, purse)
    modules = {p.name: p.read_text("utf-8", "replace") for p in sorted((folder / "helpers").glob("*.py"))}
    box = Box([(n, source) for n, kind, source in cells if kind == "code" and source.strip()], spawn, modules)
    try:
        from course_lib.questions import core  # torch: a second and a half, beside the sandbox's own

        every = core.questions_of(job["lab"])
        refuse_other_lab(cells, job["lab"], core)
        questions = [q for q in every if q.id in job.get("only", [q.id])]  # regrade.py
        asked = [q for q in questions if isinstance(q, core.Question)]
        beside = [(name, "code", source) for name, source in modules.items()]  # to be looked through as the cells are
        box.load_early()
        flags, doubles = signs_of(cells + beside, questions, store.read_meta(folder).get("notes", []), purse)
        rows, sketches = {}, {}
        texts = texts_of(cells, [q.id for q in every if isinstance(q, core.WrittenQuestion)], purse)
        for question in questions:
            if isinstance(question, core.ArtifactQuestion):
                rows[question.id], sketches[question.stage] = artifact(question, folder, job, flags, notes, purse)
            elif isinstance(question, core.WrittenQuestion):
                rows[question.id] = written(question, *texts[question.id])
        rows |= answers(asked, box, job["seed"], purse)
    finally:
        box.stop()
    if box.infra:
        raise box.infra
    rows = [rounded(rows[q.id]) for q in questions]
    with contextlib.suppress(room.TooMuch), purse.part(READ):
        for row in rows:
            name_the_cell(row, cells)
    if reason := needs_gpu(cells, rows):
        raise ungradable(reason)
    models = {q.id for q in questions if isinstance(q, core.ArtifactQuestion)}
    there = [row for row in rows if row["id"] not in models or row["status"] != "missing"]  # its row says what is not
    changed, doubtful = signs.stale(there, passed)
    unfinished = box.unfinished or any(case["message"] == NOT_RUN for row in rows for case in row["cases"])
    return {
        "status": "partial" if unfinished else "graded",
        "questions": rows,
        "flags": flags + box.flags + signs.shortcuts(rows) + doubtful,
        "notes": notes + doubles + changed,
        "sketches": {stage: sketch for stage, sketch in sketches.items() if sketch},
        "cells_stopped": box.stopped,
        "restarts": box.restarts,
        "student_seconds": round(box.inside, 3),
        "grader_seconds": round(room.computed() - before, 3),
        "log_tail": box.log[-4000:].decode("utf-8", "replace"),
        "log_cells": (box.cell_log or b"")[-4000:].decode("utf-8", "replace"),
    }


def ungradable(reason):
    from course_lib.notebook.cells import Ungradable

    return Ungradable(reason)


# ---- the notebook ----------------------------------------------------------------------------------------------------


def book_of(folder, purse):
    """(cells, passed, notes) of a submission's notebook. Raises Ungradable."""
    from course_lib.notebook import cells as notebooks

    meta = store.read_meta(folder)
    if meta.get("ungradable"):
        raise ungradable(str(meta["ungradable"]))
    try:
        with purse.part(READ):
            return notebooks.read_book(folder / "notebook.ipynb")
    except room.TooMuch:
        raise ungradable(f"reading the notebook takes more than {READ:g} s of computing: it is no lab's") from None
    except (notebooks.Ungradable, MemoryError):
        raise
    except Exception as error:
        raise ungradable(f"the notebook cannot be read ({type(error).__name__})") from None


def signs_of(cells, questions, notes, purse):
    """(flags, notes) out of the source. What cannot be looked through is a flag, and graded all the same."""
    from course_lib.grading.scoring import signs
    from course_lib.questions import core

    asked = [q for q in questions if isinstance(q, core.Question)]
    checked = [q.id for q in questions if not isinstance(q, core.WrittenQuestion)]
    try:
        with purse.part(READ):
            flags = signs.archive_flags(notes)
            flags += signs.static_flags(cells, checked) + signs.forbidden_flags(cells, asked)
            flags += signs.pasted_flags(cells, asked)
            return flags, signs.double_notes(cells, [q.id for q in asked])
    except (Exception, room.TooMuch) as error:
        why = f"looking through its source takes more than {READ:g} s" if isinstance(error, room.TooMuch) else "odd"
        return [{"kind": "source that cannot be looked through", "evidence": f"{why}: read it yourself"}], []


def texts_of(cells, ids, purse):
    """{id: (text, note)} of the written answers."""
    from course_lib.notebook.written import written_answers

    try:
        with purse.part(READ):
            return written_answers(cells, ids)
    except room.TooMuch:
        return dict.fromkeys(ids, ("", "looking for it takes far longer than in any lab's notebook: look yourself"))


def refuse_other_lab(cells, lab, core):
    from course_lib.notebook import cells as notebooks

    # by its setup(): the other labs' questions need 0.2 s to import
    if notebooks.lab_of(cells, dict.fromkeys(core.labs(), ())) == lab:
        return
    found = notebooks.lab_of(cells, {name: [q.id for q in core.questions_of(name)] for name in core.labs()})
    if found != lab:
        named = found if found in core.labs() else "a notebook of no lab of this course"
        raise ungradable(f"{named} was handed in for {lab}")


GPU_SOURCE = re.compile(r"\bcuda\b|\bmps\b|flash_attn|\bnccl\b")
GPU_ERROR = re.compile(
    r"not compiled with CUDA|Found no NVIDIA driver|No CUDA GPUs|CUDA driver|not linked with support for mps|requires? "
    r"(?:a )?(?:CUDA|GPU)|No GPU found|FlashAttention only supports",
    re.I,
)


def needs_gpu(cells, rows):
    """One line where a question failed for want of a GPU, else None: a person decides where it is graded.

    Its source must ask for one: a message alone is the student's own text.
    """
    if not any(kind == "code" and GPU_SOURCE.search(source) for _, kind, source in cells):
        return None
    for row in rows:
        for case in row["cases"]:
            if row["score"] == 0 and case["status"] == "error" and GPU_ERROR.search(case["message"]):
                cure = "grade it on a machine with one, or ask for an answer that runs on a CPU"
                return f"{row['id']} needs a GPU, and this grader has none: {cure}"
    return None


# ---- its answers -----------------------------------------------------------------------------------------------------


def answers(questions, box, seed, purse):
    """{id: row} of the questions that call a function. One that spends the rest of the budget scores 0, as do all after
    it.
    """
    from course_lib.questions import core

    rows, left, spent = {}, ANSWERS, False
    for question in questions:
        if not spent:
            before = room.computed()
            try:
                with purse.part(left):
                    rows[question.id] = dataclasses.asdict(core.run(question, box, seed))
                left -= room.computed() - before
                continue
            except room.TooMuch:
                rows[question.id], spent = lost(question, COSTLY), True
                box.stop()
                box.flag("costly reply", f"{question.id}: {COSTLY}")
                continue
        rows[question.id] = lost(question, NOT_RUN)
    return rows


# ---- its models ------------------------------------------------------------------------------------------------------


def artifact(question, folder, job, flags, notes, purse):
    """(row, sketch or None) of a handed-in model; a bad file costs this question only."""
    from course_lib.grading.reading import likeness, models

    began, given = time.perf_counter(), folder / "work" / question.stage
    fraction, status, message, sketch = 0.0, "error", "", None
    if not (given / "model.safetensors").exists():
        status, message = "missing", f"no {question.stage} model was handed in"
    else:
        try:
            with purse.part(MODEL), tempfile.TemporaryDirectory() as place:
                model = models.check_model(given, question.stage)
                clean = models.rewritten(model, place)
                fraction, message = scored(question, clean, job["seed"])
                notes += model.notes
                flags += likeness.of_record(model.record, question.stage)
                sketch = likeness.sketch(clean, question.stage, job["likeness_seed"])
                flags += likeness.with_shipped(sketch, question.stage, job["likeness_seed"])
            status = "pass" if fraction >= 1 else "fail"
        except models.BadModel as bad:
            message = str(bad)
        except room.TooMuch:
            message = "working with the model takes the grader far longer than the course's own models do"
    points = question.points * fraction
    case = {"name": "the handed-in model", "status": status, "cost": 1.0, "message": message, "mistake": None}
    case |= {"hint": None, "reread": None, "seconds": round(time.perf_counter() - began, 4)}
    row = {"id": question.id, "score": points, "max": question.points, "status": status, "cases": [case]}
    return row | {"message": message, "flags": []}, sketch


def scored(question, folder, seed):
    """(fraction, message) of a checked model. Raises BadModel where it cannot be worked with."""
    from course_lib.grading.reading.models import BadModel
    from course_lib.stages.artifacts import ArtifactError

    try:
        fraction, message = question.score(str(folder), seed, False)
    except ArtifactError as error:
        raise BadModel(str(error)) from None
    except (OSError, ImportError, MemoryError):  # ours
        raise
    except Exception as error:
        raise BadModel(f"the course cannot work with this model ({type(error).__name__})") from None
    if not (isinstance(fraction, (int, float)) and 0 <= fraction <= 1):
        raise RuntimeError(f"{question.id}: the score function gave {fraction}, outside 0 … 1")
    return fraction, message
