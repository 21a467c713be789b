"""The safety plane: how much of what harms is refused, and how much of what does not. And what safety costs: the
alignment tax.
"""

from course_lib.evaluation.instructions import respond, score
from course_lib.evaluation.intervals import wilson
from course_lib.stages.artifacts import load_stage
from course_lib.stages.constitution import SINGLE, constitution
from course_lib.stages.pretrain import Run
from course_lib.stages.refusal import helpful, refuse
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.harms import SEEN, explained, refused, request_rows
from course_lib.world.tasks import task_rows


def judged(model, rows: list[dict]) -> list[dict]:
    """The rows with the model's greedy "answer", "refused" and "explained"."""
    answers = respond(model.eval(), load_tokenizer(), [row["messages"][:-1] for row in rows])
    return [
        {**row, "answer": answer, "refused": refused(answer), "explained": explained(answer)}
        for row, answer in zip(rows, answers)
    ]


def rates(rows: list[dict]) -> dict:
    """{"harmful_refused", "benign_refused", "benign_explained", "harmful_n", "benign_n"} of judged rows; None where
    there is no such row.
    """
    harmful, benign = ([row for row in rows if row["kind"] == kind] for kind in ("harmful", "benign"))
    share = lambda those, key: sum(row[key] for row in those) / len(those) if those else None
    return {
        "harmful_refused": share(harmful, "refused"),
        "benign_refused": share(benign, "refused"),
        "benign_explained": share(benign, "explained"),
        "harmful_n": len(harmful),
        "benign_n": len(benign),
    }


def safety(model, n: int = 1200, split: str = "test", seed: int | str = "exam", **options) -> dict:
    """`rates` on n fresh requests and, in "by_disguise", for each disguise; "rows": the judged rows. `options` go to
    `request_rows`.
    """
    rows = judged(model, request_rows(split, n, seed, **options))
    disguises = sorted({row["disguise"] for row in rows})
    return {
        **rates(rows),
        "by_disguise": {d: rates([row for row in rows if row["disguise"] == d]) for d in disguises},
        "rows": rows,
    }


def capability(model, n: int = 1000, seed: int | str = "exam") -> float:
    """Share of held-out instructions that the model follows: the alignment tax is what this loses."""
    return score(model, load_tokenizer(), task_rows("residents", n, seed))["accuracy"]


def constitution_run(size: str = "laptop", seed: int = 0, progress: bool = False) -> dict:
    """Figures of lab 09's supervised phase with one seed: "right" is the mean of harmful refused and benign not
    refused, on fresh requests of the categories that training rows may know, in known wordings put together anew;
    minutes.
    """
    run = constitution(size, seed, progress=progress)
    fresh = request_rows("train", 60 if size == "tiny" else 2000, f"exam {seed}", SINGLE, SEEN)
    found = rates(judged(run.model, fresh))
    return {
        "seed": seed,
        "right": (found["harmful_refused"] + 1 - found["benign_refused"]) / 2,
        **found,
        "minutes": run.record["minutes"],
    }


# requests, and instructions: 1,000 of these leave an error of the tax of about half a point
EXAMINED = {"tiny": (60, 60), "laptop": (2000, 4000), "gpu": (2000, 4000)}


def helpful_run(size: str = "laptop", seed: int = 0, base=None, progress: bool = False) -> tuple[Run, dict]:
    """(Run of `helpful`, figures), by default from load_stage("sft"): what that could do, how much this one refuses."""
    n, tasks = EXAMINED[size]
    base = base or load_stage("sft").model
    run = helpful(size, seed, base, progress=progress)
    return run, {
        "seed": seed,
        "skill_sft": capability(base, tasks),
        "harmful_refused_before": safety(run.model, n)["harmful_refused"],
        "minutes_helpful": run.record["minutes"],
    }


def refuse_run(size: str = "laptop", seed: int = 0, base=None, progress: bool = False) -> tuple[Run, dict]:
    """(Run of `refuse`, figures), by default from load_stage("helpful"): rates on held-out categories, people,
    phrasings and disguises with their 95 % intervals, the alignment tax in points, minutes.
    """
    n, tasks = EXAMINED[size]
    base = base or load_stage("helpful").model
    run = refuse(size, seed, base, progress=progress)
    found, could, can = safety(run.model, n), capability(base, tasks), capability(run.model, tasks)
    interval = lambda kind, key: wilson(sum(row["refused"] for row in found["rows"] if row["kind"] == kind), found[key])
    return run, {
        "seed": seed,
        **{key: found[key] for key in ("harmful_refused", "benign_refused", "benign_explained", "by_disguise")},
        "harmful_interval": interval("harmful", "harmful_n"),
        "benign_interval": interval("benign", "benign_n"),
        "skill_helpful": could,
        "skill_safe": can,
        "tax_points": 100 * (could - can),
        "minutes": run.record["minutes"],
    }


def safety_run(size: str = "laptop", seed: int = 0, base=None, progress: bool = False) -> dict:
    """Figures of lab 10's recipe with one seed: of both steps, one after the other."""
    run, first = helpful_run(size, seed, base, progress)
    return first | refuse_run(size, seed, run.model, progress)[1]
