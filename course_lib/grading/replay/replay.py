"""`course replay LAB`: trains handed-in models again from the seed and recipe in their record, and compares the losses.

The first 20 steps for everybody; all steps for a random sample (drawn from the class's secret), for one student, and
for those whose first steps differ. Only the course's own trainer runs, with the record's numbers inside the course's
bounds; nothing of a student is executed. The outcome is a flag with its evidence for `course audit`, never a score.
Students with one recipe and one seed share one replay.
"""

import argparse
import hashlib
import hmac
import json
import random
import sys
import time
from pathlib import Path

from course_lib.grading.records import gradebook, store
from course_lib.grading.replay.trainers import OWN_CHOICES, TRAINERS, NoReplay
from course_lib.platform import device_and_dtype, safe_name

FIRST = 20  # steps
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
    """{step: loss} of a new training, stopped after so many steps (None: to its end)."""
    seen = {}

    def look(history):
        seen[history[-1]["step"]] = history[-1]["train_loss"]
        if steps is not None and len(history) >= steps:
            raise Enough

    try:
        train(record, base, look)
    except Enough:
        pass
    return seen


def first_difference(handed_in, again, tolerance):
    """(step, handed in, again) of the first step where two logs differ by more than the tolerance, or None."""
    for step in sorted(set(handed_in) & set(again)):
        if abs(handed_in[step] - again[step]) > tolerance * (1 if step < FIRST else LATER):
            return step, handed_in[step], again[step]
    steps = set(range(min(FIRST, len(again)))) - set(handed_in)
    return (min(steps), float("nan"), again[min(steps)]) if steps else None


def bases_of(parent, folder, student, submitted):
    """[(whose, model)] that a training may have begun from: the shipped one, and what this student has handed in."""
    from course_lib.grading.scoring import models
    from course_lib.stages.artifacts import SHIPPED, ArtifactError, load_folder

    if parent is None:
        return [("", None)]
    if parent == "file":
        from course_lib.stages.model import Llama

        weights = models.check_model(folder, "lora")
        model = Llama(models.config_of(models.header(folder / "model.safetensors")[1]))
        model.load_state_dict({n: t.float() for n, t in weights.items() if ".lora_" not in n})
        return [("the base in the file", model)]
    own = sorted(Path(submitted).glob(f"*/{safe_name(student)}/*/work/{parent}"))
    found, seen = [], set()
    for whose, place in [("the shipped model", SHIPPED / parent), *(("the student's own", path) for path in own)]:
        try:
            if whose != "the shipped model":
                models.check_model(place, parent)
            key = hashlib.sha256((place / "model.safetensors").read_bytes()).digest()
            if key not in seen:
                found.append((whose, load_folder(place, parent)[0]))
            seen.add(key)
        except (models.BadModel, ArtifactError, OSError):
            continue
    return found


def key_of(record, base):
    """What a replay is a function of."""
    made_of = [record.get(key) for key in ("stage", "recipe", "data", "lora", "job", "beta")]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode())
    for tensor in base.state_dict().values() if base is not None else ():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def replay(record, folder, student, submitted, steps, known):
    """One handed-in model against its training done again: {"outcome", "evidence"}, or NoReplay.

    outcome: "replays", "differs" or "unknown start".
    known: {key: {step: loss}} of the replays so far. The loss of step 0 depends on the start alone: it tells which
    parent it was.
    """
    import copy
    import platform

    import torch

    stage = record.get("stage")
    if stage not in TRAINERS or type(record.get("recipe")) is not dict:
        raise NoReplay(OWN_CHOICES)
    handed_in, (train, parent) = log_of(record), TRAINERS[stage]
    if stage == "lora" and record["recipe"].get("four_bits") is True:
        parent = "sft"
    device = device_and_dtype()[0]
    here = f"torch {torch.__version__}, {device}, {platform.machine()}"
    tolerance = SAME if record.get("made_on") == here else OTHER
    starts = []
    for whose, base in bases_of(parent, folder, student, submitted):
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
    """[(student, sha, folder of the model, record)] of the attempts that count; models that cannot be read are left to
    `course grade`.
    """
    from course_lib.grading.scoring import models
    from course_lib.questions import core

    stages = [q.stage for q in core.questions_of(lab) if isinstance(q, core.ArtifactQuestion)]
    if not stages:
        raise store.StoreError(f"no model is handed in for {lab}: there is nothing to train again")
    found = []
    for student, sha, folder, _ in gradebook.attempts_to_grade(lab, submitted):
        for stage in stages:
            try:
                models.check_model(folder / "work" / stage, stage)
                found.append(
                    (
                        student,
                        sha,
                        folder / "work" / stage,
                        models.header(folder / "work" / stage / "model.safetensors")[1],
                    )
                )
            except models.BadModel:
                continue
    return found


def replay_lab(lab, sample=0, student=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True):
    """Replays a lab and appends a flag for each log that does not to grades/LAB/replay.jsonl. Returns [{"student",
    "outcome", "steps", "evidence"}].

    sample: so many students, drawn from the class's secret, are trained to the end, and so is everyone whose first
    steps differ; student: only this one, to the end.
    """
    import contextlib
    import io

    from tqdm import tqdm

    from course_lib.grading.scoring import grade

    grade.check_lab(lab, submitted)
    found = [m for m in handed_in_models(lab, submitted) if student in (None, m[0])]
    if student is not None and not found:
        raise store.StoreError(f"{student} has handed in no model that can be read for {lab}")
    draw = random.Random(hmac.new(store.secret(grades), f"replay|{lab}".encode(), hashlib.sha256).digest())
    names = sorted({m[0] for m in found})
    to_the_end = {student} if student is not None else set(draw.sample(names, min(sample, len(names))))
    rows, known = [], {}
    for who, sha, folder, record in tqdm(
        found, desc=f"replaying {lab}", unit="model", disable=not progress, file=sys.stderr
    ):
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                outcome, steps = replay(record, folder, who, submitted, FIRST, known), FIRST
                if who in to_the_end or (sample and outcome["outcome"] == "differs"):
                    outcome, steps = replay(record, folder, who, submitted, None, known), None
            except NoReplay as reason:
                outcome, steps = {"outcome": "no replay", "evidence": str(reason)}, 0
            except (
                Exception
            ) as error:  # a record is a student's text: what trips over it is not held against the others
                outcome, steps = {"outcome": "no replay", "evidence": f"{type(error).__name__}: {str(error)[:200]}"}, 0
        row = {"student": who, "submission_sha": sha, "steps": "all" if steps is None else steps, **outcome}
        if outcome["outcome"] == "differs":
            store.append_line(
                Path(grades, lab, "replay.jsonl"),
                {
                    "student": who,
                    "submission_sha": sha,
                    "kind": "log does not replay",
                    "evidence": outcome["evidence"],
                    "at": round(time.time(), 3),
                },
            )
        rows.append(row)
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
    shown = Table(title=f"{arguments.lab}: {len(rows)} models")
    for column in ("student", "outcome", "steps", "evidence"):
        shown.add_column(column)
    for row in sorted(rows, key=lambda r: (r["outcome"] == "replays", r["student"])):
        shown.add_row(*(Text(str(row[c])) for c in ("student", "outcome", "steps", "evidence")))
    Console().print(shown)
    return 0
