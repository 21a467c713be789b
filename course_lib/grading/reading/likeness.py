"""Is a handed-in model another one's copy? Told by what it computes, after the score is fixed; never but a flag.

A sketch is what a model says on sequences of random tokens drawn from the class's secret: 4,608 of its logits (of a
reward model: its 288 rewards), centred at each place and divided by their length. On text that nobody trains for, two
trainings differ by chance; one model differs from itself by nothing that leaves its answers as good. So neither other
names and orders of neurons and heads, nor another dtype, a temperature, or noise on the weights hide a copy, as they
hide it from whoever compares weights.

A training that leaves its start nearly as it was (DPO, RLHF) ends near every other one, and noise of a few per cent
takes a copy further from it than that. There a sketch has a second half, the marks of the training (marks.py).

Sketches are numbers of models that have passed the check of models.py, made while each was graded: no file of one
student is opened for another.
"""

import base64
import functools
import itertools

import numpy as np

from course_lib.platform import PACKAGE

# Measured with other seeds on a part of a laptop's rows, ten honest pairs a stage: nearest one, and farthest copy with
# noise of 5 % on its weights. pretrain 0.909, 0.9993; sft 0.916, 0.979; lora 0.814, 0.969. Not to be told so: injected
# 0.949 (0.96 and more from the shipped one), 0.978; reward 0.968, 0.977; safe 0.990, 0.987; release 0.994, 0.986; rlhf
# 0.991, 0.990; dpo 0.9996, 0.990; constitution 0.994, 0.987. There a pair has at most 0.31 of an own part in common,
# two long dpo runs among three short ones 0.68, and a copy 0.83 and more. Chosen after these were seen;
# `course bench likeness` counts anew.
NEAR, EQUAL = 0.96, 0.9999  # cosine of two sketches from which on two models count as one
# stages whose models, or some of them, end near their start or near each other: only what is equal counts, and marks
CLOSE = ("injected", "reward", "dpo", "rlhf", "constitution", "safe", "release", "reasoning")
AROUND, CLASS = 0.97, 5  # cosine of two, and marked models of a class, that there must be for marks to count
STARTS = {  # the shipped model from which a stage sets out; a student's own earlier one lies near it
    "sft": "pretrain",
    "lora": "sft",
    "injected": "reader",
    "reward": "sft",
    "dpo": "sft",
    "rlhf": "sft",
    "constitution": "helpful",
    "safe": "helpful",
    "release": "sft",
    "reasoning": "safe",
}
ROWS, LENGTH, PLACES = 12, 24, 16  # sequences, tokens of each, logits looked at after each token
FIRST, LAST = 8, 2432  # tokens that may be drawn: those of the course's tokenizer that are text
REPLAYED = ("pretrain", "sft", "lora", "reward", "dpo", "safe")  # stages whose records hold a log (replay/trainers.py)
OURS = ""  # the shipped model's name in a class: no student's
MOST_NAMED = 5  # similar models that are named; where a whole class has one seed, each is similar to all
ALIKE, AS_ONE = "computes what {} computes", "went from the class's start where only {} went"
WHY = "copied, or trained from the same seed and recipe: ask, or `course replay`"


def sketch(folder, stage, seed):
    """The sketch of a model in a folder of ours (models.rewritten), as text; None for one that cannot read the probe.

    Call it in the room.
    """
    model = loaded(folder, stage)
    said, start = said_by(model, seed), STARTS.get(stage)
    if said is None:
        return None
    text = written(said, first_of(start, said, seed))
    return f"{text} {marks_of(model, start, seed)}" if stage in CLOSE else text


def first_of(start, said, seed):
    """What the start says on the probe; None where there is none, or it is no model of the same kind."""
    first = said_by_shipped(start, seed) if start else None
    return first if first is not None and len(first) == len(said) else None


def marks_of(model, start, seed):
    """marks.marks as text; "" of a model that has not the start's shape. A head that the start has not is left out."""
    from course_lib.grading.reading import marks

    first, mine = shipped(start), dict(model.state_dict())
    if first.config != model.config or not set(mine) >= set(first.state_dict()):
        return ""
    made = marks.marks(mine, first.state_dict(), model.config, seed)
    return base64.b64encode(marks.packed(made)).decode()


def said_by(model, seed):
    """What a model says on the probe, a vector of length 1, or None."""
    import torch

    if model.config.vocabulary < LAST or model.config.context < LENGTH:
        return None
    draw = torch.Generator().manual_seed(int(seed[:15], 16))
    ids = torch.randint(FIRST, LAST, (ROWS, LENGTH), generator=draw)
    places = torch.randint(FIRST, LAST, (ROWS, LENGTH, PLACES), generator=draw)
    with torch.no_grad():
        if hasattr(model, "score"):
            said = model.score(model.hidden(ids))[..., 0].flatten()
            said = said - said.mean()
        else:
            logits = model(ids)
            said = (logits - logits.mean(-1, keepdim=True)).gather(-1, places).flatten()
    length = said.norm()
    if not bool(torch.isfinite(length)) or length == 0:
        return None
    return (said / length).numpy().astype(np.float64)


@functools.lru_cache(maxsize=32)  # a class has one seed
def said_by_shipped(name, seed):
    return said_by(shipped(name), seed)


@functools.lru_cache(maxsize=8)
def shipped(name):
    return loaded(PACKAGE / "shipped" / name, name)


def loaded(folder, stage):
    from course_lib.stages.artifacts import load_folder
    from course_lib.stages.lora import load_adapter_stage

    return (load_adapter_stage(stage, folder) if stage == "lora" else load_folder(folder, stage))[0].eval()


def written(said, start=None):
    """A vector as text: its angle to the start's, and its direction across that one. So what differs little from the
    start is not rounded to it.
    """
    along = float(said @ start) if start is not None else 0.0
    across = said - along * start if start is not None else said
    length = float(np.linalg.norm(across))
    both = np.concatenate(([np.arctan2(length, along)], across / max(length, 1e-12)))
    return base64.b64encode(both.astype(np.float16).tobytes()).decode()


def numbers(text):
    """The vector of `written`, of length 1; its first coordinate is the start's direction."""
    both = np.frombuffer(base64.b64decode(text.partition(" ")[0]), dtype=np.float16).astype(np.float32)
    angle, across = both[0], both[1:] / max(float(np.linalg.norm(both[1:])), 1e-6)
    return np.concatenate(([np.cos(angle)], np.sin(angle) * across)).astype(np.float32)


def with_shipped(mine, stage, seed):
    """Flags where a sketch is that of a model which comes with the course: of its stage, else of any."""
    flags, own = [], PACKAGE / "shipped" / stage
    for folder in [own] if own.is_dir() else sorted(p.parent for p in own.parent.glob("*/model.safetensors")):
        theirs = sketch_of_shipped(folder, seed, STARTS.get(stage))
        if (
            mine
            and theirs
            and len(numbers(mine)) == len(numbers(theirs))
            and (near := cosine(mine, theirs)) >= least(stage)
        ):
            flags.append(flag(near, f"the shipped model {folder.name}"))
    return flags


@functools.lru_cache(maxsize=64)
def sketch_of_shipped(folder, seed, start):
    said = said_by_shipped(folder.name, seed)
    return written(said, first_of(start, said, seed))


def least(stage):
    return EQUAL if stage in CLOSE else NEAR


def cosine(a, b):
    return float(numbers(a) @ numbers(b))


def flag(near, other, how=ALIKE):
    return {"kind": "similar model", "evidence": f"{how.format(other)} ({100 * near:.1f} % alike): {WHY}"}


def among(rows, seed=None):
    """{student: flags} of a class, out of the gradebook's rows: the sketches that their results hold, compared.

    Those who handed in as a group may have one model. seed: the class's secret (store.likeness_seed); with it, marks
    are compared with those of the shipped model, too.
    """
    sketches = {row["student"]: (row["result"] or {}).get("sketches", {}) for row in rows}
    teams = {row["student"]: row["members"] for row in rows}
    flags = {student: [] for student in sketches}
    for stage in sorted({stage for mine in sketches.values() for stage in mine}):
        having = {student: mine[stage] for student, mine in sorted(sketches.items()) if stage in mine}
        if seed and stage in CLOSE and (PACKAGE / "shipped" / stage).is_dir():
            having[OURS] = whole_sketch_of_shipped(stage, seed)
        for a, b, near, how in pairs(having, stage):
            for who, other in ((a, b), (b, a)):
                if who != OURS and other not in teams[who] and len(flags[who]) < MOST_NAMED:
                    named = f"the shipped model {stage}" if other == OURS else f"the model of {other}"
                    flags[who].append(flag(near, named, how))
    return flags


@functools.lru_cache(maxsize=8)
def whole_sketch_of_shipped(stage, seed):
    return sketch(PACKAGE / "shipped" / stage, stage, seed)


def pairs(sketches, stage):
    """Yields (a, b, how much alike, in which way) of {name: sketch} of one stage."""
    vectors = {name: numbers(text) for name, text in sketches.items()}
    halves = {name: base64.b64decode(text.partition(" ")[2]) for name, text in sketches.items()}
    marked = [name for name, half in halves.items() if half]
    gone = {}
    if stage in CLOSE and len(marked) >= CLASS:
        from course_lib.grading.reading import marks

        same = marks.same_marks(np.stack([marks.unpacked(halves[name]) for name in marked]))
        gone = {(marked[i], marked[j]): float(same[i, j]) for i, j in np.argwhere(same > 0)}
    for length in {len(vector) for vector in vectors.values()}:
        names = [name for name, vector in vectors.items() if len(vector) == length]
        every = np.stack([vectors[name] for name in names])
        alike = every @ every.T
        for i, j in itertools.combinations(range(len(names)), 2):
            near, share = float(alike[i, j]), gone.get((names[i], names[j]), 0.0)
            if near >= least(stage):
                yield names[i], names[j], near, ALIKE
            elif near >= AROUND and share:
                yield names[i], names[j], share, AS_ONE


def of_record(record, stage):
    """A flag where the record of a stage that can be replayed holds no log: nothing says how it was trained."""
    if stage not in REPLAYED or (type(record.get("log")) is list and record["log"]):
        return []
    told = f"the record of the {stage} model holds no losses of its training: it cannot be replayed"
    return [{"kind": "no training log", "evidence": told}]
