"""What the table of bad submissions is written in: a row, and short ways to build notebooks, archives and models."""

import dataclasses
import io
import json
import stat
import zipfile

from classroom import LAB, notebook, right_answers, sources

SMALL, LARGE = "00_start_here", LAB
TENSORS = (
    "causal_attention",
    "rms_norm",
    "apply_rope",
    "next_token_loss",
    "top_p_probs",
    "distance_to_limit",
)  # of lab 02, their first argument is a tensor


@dataclasses.dataclass
class Bad:
    """One bad submission and what must become of it.

    make(place) builds it in the empty folder `place` and returns a notebook (text or bytes), a Handed or a Files. A
    scene's make(place, start) plays it and returns what came of it (host.trouble). outcome: G graded, Q0 graded with
    nothing for the question attacked, U for a person and no score, R rejected at collect, G/U either of two; with F
    flags must be there. flags: kinds, or several of which one must be there ("a|b"). points: the
    automatic points it deserves, None where there must be no score.
    """

    number: int
    label: str
    make: object
    outcome: str
    points: float | None
    flags: tuple = ()  # kinds that must be there
    statuses: dict = dataclasses.field(default_factory=dict)  # question id: its status, or several
    says: str = ""  # a pattern to be found in what the grader says
    never: str = ""  # a pattern not to be found there
    lab: str = SMALL
    scene: bool = False
    impatient: bool = False  # run with short deadlines
    after: object = None  # called after it; a text if something is wrong on the host
    flags_ok: bool = False  # flags may be there, and need not
    any_points: bool = False  # a flag is all that is asked for: a person decides
    conceded: bool = False  # INSTRUCTORS.md says that its points cannot be prevented; they are flagged


@dataclasses.dataclass
class Handed:
    """A notebook with a model's folder, notes of collect, or other students' models beside it."""

    text: object
    model: object = None  # folder with model.safetensors
    change: object = None  # called with the submission's folder before grading
    others: tuple = ()  # (student, submission folder)


@dataclasses.dataclass
class Files:
    """Files as they come from a learning platform: {name: bytes}, to be collected and then graded."""

    files: dict
    roster: str = ""


def worth(*names, lab=LARGE):
    """Points of these questions."""
    from course_lib.questions import core

    return sum(q.points for q in core.questions_of(lab) if q.id in names)


def whole(lab=LARGE):
    """All points of functions."""
    from course_lib.questions import core

    return sum(q.points for q in core.questions_of(lab) if isinstance(q, core.Question))


def function(name, body):
    """Source of a function with this body; its first argument is x."""
    return f"def {name}(*args, **kwargs):\n    x = args[0]\n    " + "\n    ".join(body.strip("\n").split("\n"))


def stub(name):
    return f"def {name}(*args, **kwargs):\n    # YOUR CODE HERE\n    raise NotImplementedError()"


def book(answers=None, lab=SMALL, written=None, **more):
    """A notebook: right answers with `answers` {id: source} in their place. more: before=, after=, checks= of
    classroom.sources.
    """
    return notebook(sources({**right_answers(lab), **(answers or {})}, lab, **more), written)


def with_body(body, name="surprise", lab=SMALL, **more):
    """make: a notebook where one function is this body and all else is right."""
    return lambda place: book({name: function(name, body)}, lab, **more)


def with_cell(cell, lab=SMALL, answers=None, **more):
    """make: a notebook with one more cell before the exercises, all answers right but `answers`."""
    return lambda place: book(answers, lab, before=[cell], **more)


def wrong(lab=SMALL):
    """{id: source} of answers that are all wrong and fail on no error."""
    return {name: function(name, "return x") for name in right_answers(lab)}


def tensors(*bodies):
    """make: lab 02 with these bodies in place of the functions of TENSORS, in their order."""
    return lambda place: book({name: function(name, body) for name, body in zip(TENSORS, bodies)}, LARGE)


def left_by(n):
    """Points of lab 02 without its first n functions of TENSORS."""
    return whole() - worth(*TENSORS[:n])


def outputs(text, **said):
    """The notebook with stored outputs {question id: text} below the question's check."""
    made = json.loads(text)
    for cell in made["cells"]:
        for name, words in said.items():
            if cell["cell_type"] == "code" and cell["source"] == f'check("{name}")':
                cell["outputs"] = [
                    {
                        "output_type": "display_data",
                        "metadata": {},
                        "data": {"text/html": "<b>x</b>", "text/plain": [words, "\n  Next"]},
                    }
                ]
    return json.dumps(made)


def zipped(members, link=(), device=(), secret=False, dates=None):
    """Bytes of a zip of {name: text or bytes}. Names in `link` and `device` are marked as such; secret sets the
    password bit.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (dates or {}).get(name, (2026, 1, 2, 3, 4, 6)))
            info.compress_type = zipfile.ZIP_DEFLATED
            kind = stat.S_IFLNK if name in link else stat.S_IFCHR if name in device else stat.S_IFREG
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, data)
    data = bytearray(out.getvalue())
    if secret:  # the bit in the local header and in the directory, as a zip with a password has it
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = data.find(mark)
            while at >= 0:
                data[at + place] |= 1
                at = data.find(mark, at + 1)
    return bytes(data)


def model(place, change_weights=None, change_record=None, seed=0, name="model"):
    """A folder with a tiny untrained model as save_stage writes it, its weights or record changed on request."""
    from safetensors.torch import load_file, save_file

    from course_lib.stages.artifacts import save_stage
    from course_lib.stages.model import Llama, ModelConfig

    folder = place / name
    save_stage(
        "pretrain", Llama(ModelConfig(hidden=32, intermediate=96, layers=2, heads=2), seed=seed), {"seed": seed}, folder
    )
    if change_weights or change_record:
        weights, record = load_file(folder / "model.safetensors"), json.loads((folder / "record.json").read_text())
        weights = change_weights(weights) if change_weights else weights
        if change_record:
            change_record(record)
        save_file(weights, folder / "model.safetensors", {"littlebrook": json.dumps(record)})
    return folder
