"""Is a handed-in model another one's copy? Told by what it computes, after the score is fixed; never but a flag.

A sketch is what a model says on sequences of random tokens drawn from the class's secret: 1,008 of its logits (of a
reward model: its rewards), centred at each place and divided by their length. On text that nobody trains for, two
trainings differ by chance; one model differs from itself by nothing that leaves its answers as good. So neither other
names and orders of neurons and heads, nor another dtype, a temperature, or noise on the weights hide a copy, as they
hide it from whoever compares weights.

Sketches are numbers of models that have passed the check of models.py, made while each was graded: no file of one
student is opened for another.
"""

import base64
import functools
import itertools

import numpy as np

from course_lib.platform import PACKAGE

# Cosine of two sketches from which on two models count as one. Measured with other seeds on 6 % of a laptop's rows:
# sft 0.70 to 0.85 (3 pairs), lora 0.41 to 0.75 (3), dpo 0.9996 (1); the shipped sft and the helpful that was trained
# from it 0.951; an sft of 20 % of the rows, on another draw of the probe, with noise of 3 % on its weights 0.99, of 5
# % 0.977. Chosen after these few were seen, so no estimate of how often it errs. A short training that leaves its
# start nearly as it was cannot be told from another one, and there only what is equal is named.
NEAR, EQUAL = 0.97, 0.9999
FAR = ("pretrain", "sft", "lora")  # stages whose trainings end far from each other; for the rest EQUAL counts
ROWS, LENGTH, PLACES = 6, 24, 7  # sequences, tokens of each, logits looked at after each token
FIRST, LAST = 8, 2432  # tokens that may be drawn: those of the course's tokenizer that are text
REPLAYED = ("pretrain", "sft", "lora", "reward", "dpo", "safe")  # stages whose records hold a log (replay/trainers.py)
MOST_NAMED = 5  # similar models that are named; where a whole class has one seed, each is similar to all
WHY = "copied, or trained from the same seed and recipe: ask, or `course replay`"


def sketch(folder, stage, seed):
    """The sketch of a model in a folder of ours (models.rewritten), as text; None for one that cannot read the probe.

    Call it in the room.
    """
    import torch

    model = loaded(folder, stage)
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
    return base64.b64encode((said / length).half().numpy().tobytes()).decode()


def loaded(folder, stage):
    from course_lib.stages.artifacts import load_folder
    from course_lib.stages.lora import load_adapter_stage

    return (load_adapter_stage(stage, folder) if stage == "lora" else load_folder(folder, stage))[0].eval()


def numbers(text):
    return np.frombuffer(base64.b64decode(text), dtype=np.float16).astype(np.float32)


def with_shipped(mine, stage, seed):
    """Flags where a sketch is that of a model which comes with the course: of its stage, else of any."""
    flags, own = [], PACKAGE / "shipped" / stage
    for folder in [own] if own.is_dir() else sorted(p.parent for p in own.parent.glob("*/model.safetensors")):
        theirs = sketch_of_shipped(folder, seed)
        if mine and theirs and len(mine) == len(theirs) and (near := cosine(mine, theirs)) >= least(stage):
            flags.append(flag(near, f"the shipped model {folder.name}"))
    return flags


@functools.lru_cache(maxsize=32)  # a class has one seed
def sketch_of_shipped(folder, seed):
    return sketch(folder, folder.name, seed)


def least(stage):
    return NEAR if stage in FAR else EQUAL


def cosine(a, b):
    return float(numbers(a) @ numbers(b))


def flag(near, other):
    return {"kind": "similar model", "evidence": f"computes what {other} computes ({100 * near:.1f} % alike): {WHY}"}


def among(rows):
    """{student: flags} of a class, out of the gradebook's rows: the sketches that their results hold, compared.

    Those who handed in as a group may have one model.
    """
    sketches = {row["student"]: (row["result"] or {}).get("sketches", {}) for row in rows}
    teams = {row["student"]: row["members"] for row in rows}
    flags = {student: [] for student in sketches}
    for stage in sorted({stage for mine in sketches.values() for stage in mine}):
        having = {student: numbers(mine[stage]) for student, mine in sketches.items() if stage in mine}
        for length in {len(mine) for mine in having.values()}:
            names = sorted(student for student, mine in having.items() if len(mine) == length)
            every = np.stack([having[name] for name in names])
            alike = every @ every.T
            for i, j in itertools.permutations(range(len(names)), 2):
                who, other = names[i], names[j]
                if alike[i, j] >= least(stage) and other not in teams[who] and len(flags[who]) < MOST_NAMED:
                    flags[who].append(flag(float(alike[i, j]), f"the model of {other}"))
    return flags


def of_record(record, stage):
    """A flag where the record of a stage that can be replayed holds no log: nothing says how it was trained."""
    if stage not in REPLAYED or (type(record.get("log")) is list and record["log"]):
        return []
    told = f"the record of the {stage} model holds no losses of its training: it cannot be replayed"
    return [{"kind": "no training log", "evidence": told}]
