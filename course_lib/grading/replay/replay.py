"""`course replay LAB`: trains handed-in models again from the seed and recipe in their record, and compares the losses.

The first 20 steps for everybody; all steps for a random sample (drawn from the class's secret), for one student, and
for those whose first steps differ. Only the course's own trainer runs, with the record's numbers inside the course's
bounds; nothing of a student is executed. The outcome is a flag with its evidence for `course audit`, never a score.
Students with one recipe and one seed share one replay.
"""

import argparse
import contextlib
import hashlib
import hmac
import io
import json
import random
import sys
import time
from pathlib import Path

from course_lib.grading.people import gradebook
from course_lib.grading.reading import models, room
from course_lib.grading.records import store
from course_lib.grading.replay.trainers import OWN_CHOICES, TRAINERS, NoReplay
from course_lib.platform import CourseError, counted, device_and_dtype, safe_name
from course_lib.stages.artifacts import SHIPPED, load_folder

FIRST = 20  # steps
# for the first steps of one model, on all cores; what a graphics card maps is no memory
ROOM = room.Limits(cpu=1200, wall=900, memory=None, file=None)
# Nats by which a loss may differ: made on a machine that says the same of itself, or on another one (GPU, other torch).
# Measured on CPUs, recipes of labs 02 and 03. First 20 steps: other threads 0, other vector instructions 1e-6, weights
# at the start off by 1e-3 of themselves (TF32's precision) 0.002. 183 steps: other vector instructions 2e-4, start off
# by 1e-4 of itself 0.02. Forward in bf16 against fp32, as where a GPU's log is replayed on a CPU: first 20 steps 4e-4,
# 120 steps 0.004. A CUDA run against a CPU replay was not measured.
SAME, OTHER = 0.001, 0.01
LATER = 20  # times as much after the first steps: small differences grow


class Enough(Exception):
    """Stops a trainer from its on_step callback."""


# ---- logs ------------------------------------------------------------------------------------------------------------


def log_of(record):
    """{step: loss} of a record. NoReplay where there is none that makes sense."""
    log = record.get("log")
    if log is None:
        raise NoReplay("the record holds no log: it was made by an older course_lib")
    good = type(log) is list and 0 < len(log) <= 1000 and all(map(is_entry, log)) and len(dict(log)) == len(log)
    if not good:
        raise NoReplay("the record's log makes no sense")
    return dict(log)


def is_entry(entry):
    """Is it [step, loss]? A student's text may hold anything."""
    if type(entry) is not list or len(entry) != 2 or type(entry[0]) is not int or type(entry[1]) not in (int, float):
        return False
    return 0 <= entry[0] < 10**9 and -1e9 < entry[1] < 1e9  # which NaN is not, nor a number beyond floats


def train_again(train, record, base, steps):
    """{step: loss} of a new training, stopped after so many steps (None: to its end). NoReplay for a recipe that is
    damaged.
    """
    seen = {}

    def look(history):
        seen[history[-1]["step"]] = history[-1]["train_loss"]
        if steps is not None and len(history) >= steps:
            raise Enough

    try:
        train(record, base, look)
    except Enough:
        pass
    except (models.BadModel, CourseError, ValueError) as wrong:  # what a trainer says of settings that teach nothing
        raise NoReplay(str(wrong)[:200]) from None
    return seen


def first_difference(handed_in, again, tolerance):
    """(step, handed in, again) of the first step where two logs differ by more than the tolerance, or None."""
    for step in sorted(set(handed_in) & set(again)):
        if abs(handed_in[step] - again[step]) > tolerance * (1 if step < FIRST else LATER):
            return step, handed_in[step], again[step]
    steps = set(range(min(FIRST, len(again)))) - set(handed_in)
    return (min(steps), float("nan"), again[min(steps)]) if steps else None


def bases_of(parent, model, student, submitted):
    """[(whose, model)] that a training may have begun from: the shipped one, and what this student has handed in."""
    if parent is None:
        return [("", None)]
    if parent == "file":
        return [("the base in the file", models.built(model)[0])]
    found, seen = [("the shipped model", load_folder(SHIPPED / parent, parent)[0])], set()
    for place in sorted(Path(submitted).glob(f"*/{safe_name(student)}/*/work/{parent}")):
        try:
            made = models.built(models.check_model(place, parent))[0]
        except models.BadModel:
            continue
        if (key := hashlib.sha256((place / "model.safetensors").read_bytes()).digest()) not in seen:
            found.append(("the student's own", made))
        seen.add(key)
    return found


def key_of(record, base):
    """What a replay is a function of."""
    made_of = [record.get(key) for key in ("stage", "recipe", "data", "lora", "job", "beta")]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode())
    for tensor in base.state_dict().values() if base is not None else ():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def replay(model, student, submitted, steps, known):
    """One checked model against its training done again: {"outcome", "evidence"}, or NoReplay.

    outcome: "replays", "differs" or "unknown start".
    known: {key: {step: loss}} of the replays so far. The loss of step 0 depends on the start alone: it tells which
    parent it was.
    """
    import copy
    import platform

    import torch

    record = model.record
    stage = record["stage"]
    if stage not in TRAINERS or type(record.get("recipe")) is not dict:
        raise NoReplay(OWN_CHOICES)
    handed_in, (train, parent) = log_of(record), TRAINERS[stage]
    if stage == "lora" and record["recipe"].get("four_bits") is True:
        parent = "sft"
    device = device_and_dtype()[0]
    here = f"torch {torch.__version__}, {device}, {platform.machine()}"
    tolerance = SAME if record.get("made_on") == here else OTHER
    starts = []
    for whose, base in bases_of(parent, model, student, submitted):
        key = key_of(record, base), steps
        if key not in known:
            known[key] = train_again(train, record, copy.deepcopy(base), steps)
        again = known[key]
        different = first_difference(handed_in, again, tolerance)
        if different is None:
            agree = f"{len(set(handed_in) & set(again))} losses agree"
            return {"outcome": "replays", "evidence": f"{agree}, from {whose}" if whose else agree}
        starts.append((different[0] == 0 and parent is not None, different))
    known_starts = [d for unknown, d in starts if not unknown]
    if not known_starts:
        begun = f"it started neither from the shipped {parent} model nor from one that this student has handed in"
        return {"outcome": "unknown start", "evidence": begun}
    step, was, now = max(known_starts)
    if was == was:
        words = f"the log does not replay: step {step}, loss {was:.3f} handed in, {now:.3f} replayed"
    else:
        words = f"the log has no step {step}"
    if tolerance != SAME:
        words += f" (made on {str(record.get('made_on'))[:80]}, replayed on {here})"
    return {"outcome": "differs", "evidence": words}


# ---- a lab -----------------------------------------------------------------------------------------------------------


def handed_in_models(lab, submitted):
    """[(student, sha, folder of a model, its stage)] of the attempts that count."""
    from course_lib.questions import core

    stages = [q.stage for q in core.questions_of(lab) if isinstance(q, core.ArtifactQuestion)]
    if not stages:
        raise store.StoreError(f"no model is handed in for {lab}: there is nothing to train again")
    attempts = gradebook.attempts_to_grade(lab, submitted)
    return [(student, sha, folder / "work" / stage, stage) for student, sha, folder, _ in attempts for stage in stages]


def replayed(found, steps, submitted, words):
    """{(student, stage): {"outcome", "evidence"}} of handed-in models, each read and trained in the room.

    A model that cannot be read has no entry: `course grade` says what is wrong with it. A file that ends its reader has
    no replay, and the next one has.
    """
    from tqdm import tqdm

    known, rows = {}, {}

    def one(item):
        student, _, folder, stage = item
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                return replay(models.check_model(folder, stage), student, submitted, steps, known)
            except models.BadModel:
                return None
            except NoReplay as reason:
                return {"outcome": "no replay", "evidence": str(reason)}
            except Exception as error:  # a record is a student's text: what trips over it is not held against others
                return {"outcome": "no replay", "evidence": f"{type(error).__name__}: {str(error)[:200]}"}

    limits = ROOM if steps is not None else ROOM._replace(cpu=20 * ROOM.cpu, wall=20 * ROOM.wall)
    reading = room.each(one, found, limits)
    for item, row in tqdm(reading, total=len(found), desc=words, unit="model", disable=not words, file=sys.stderr):
        if isinstance(row, room.Unreadable):
            row = {"outcome": "no replay", "evidence": str(row)}
        if row is not None:
            rows[item[0], item[3]] = row
    return rows


def replay_lab(lab, sample=0, student=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True):
    """Replays a lab and appends a flag for each log that does not to grades/LAB/replay.jsonl.

    Returns [{"student", "submission_sha", "outcome", "steps", "evidence"}].
    sample: so many students, drawn from the class's secret, are trained to the end, and so is everyone whose first
    steps differ; student: only this one, to the end.
    """
    from course_lib.grading.scoring import grade

    grade.check_lab(lab, submitted)
    found, words = handed_in_models(lab, submitted), f"replaying {lab}" if progress else ""
    first = replayed([m for m in found if student in (None, m[0])], FIRST, submitted, words)
    if student is not None and not first:
        raise store.StoreError(f"{student} has handed in no model that can be read for {lab}")
    draw = random.Random(hmac.new(store.secret(grades), f"replay|{lab}".encode(), hashlib.sha256).digest())
    names = sorted({who for who, _ in first})
    drawn = {student} if student is not None else set(draw.sample(names, min(sample, len(names))))
    doubted = {who for (who, _), row in first.items() if sample and row["outcome"] == "differs"}
    whole = replayed([m for m in found if (m[0], m[3]) in first and m[0] in drawn | doubted], None, submitted, words)
    rows = []
    for who, sha, _, stage in found:
        if (who, stage) not in first:
            continue
        row, steps = first[who, stage], FIRST
        if (who, stage) in whole and row["outcome"] != "no replay":
            row, steps = whole[who, stage], "all"
        rows.append({"student": who, "submission_sha": sha, "steps": steps, **row})
        if row["outcome"] == "no replay":
            rows[-1]["steps"] = 0
        if row["outcome"] == "differs":
            flag = {"student": who, "submission_sha": sha, "kind": "log does not replay", "evidence": row["evidence"]}
            store.append_line(Path(grades, lab, "replay.jsonl"), flag | {"at": round(time.time(), 3)})
    return rows


def main(argv=None):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    parser = argparse.ArgumentParser(
        prog="course replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lab")
    parser.add_argument(
        "--sample",
        type=int,
        default=0,
        metavar="N",
        help="train N of them, drawn by chance, to the end, and those whose first steps differ (minutes each)",
    )
    parser.add_argument("--student", help="only this one, to the end")
    arguments = parser.parse_args(argv)
    rows = replay_lab(arguments.lab, arguments.sample, arguments.student)
    shown = Table(title=f"{arguments.lab}: {counted(len(rows), 'model')}")
    for column in ("student", "outcome", "steps", "evidence"):
        shown.add_column(column)
    for row in sorted(rows, key=lambda r: (r["outcome"] == "replays", r["student"])):
        shown.add_row(*(Text(str(row[c])) for c in ("student", "outcome", "steps", "evidence")))
    Console().print(shown)
    return 0
