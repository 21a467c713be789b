"""The safety plane: how much of what harms is refused, and how much of what does not. And what safety costs: the alignment tax."""
from course_lib.evaluation.instructions import respond, score
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.harms import explained, refused, request_rows
from course_lib.world.tasks import task_rows


def judged(model, rows: list[dict]) -> list[dict]:
    """The rows with the model's greedy "answer", "refused" and "explained"."""
    answers = respond(model.eval(), load_tokenizer(), [row["messages"][:-1] for row in rows])
    return [{**row, "answer": answer, "refused": refused(answer), "explained": explained(answer)} for row, answer in zip(rows, answers)]


def rates(rows: list[dict]) -> dict:
    """{"harmful_refused", "benign_refused", "benign_explained", "harmful_n", "benign_n"} of judged rows; None where there is no such row."""
    share = lambda kind, key: (lambda those: sum(row[key] for row in those) / len(those) if those else None)([row for row in rows if row["kind"] == kind])
    return {"harmful_refused": share("harmful", "refused"), "benign_refused": share("benign", "refused"), "benign_explained": share("benign", "explained"),
            "harmful_n": sum(row["kind"] == "harmful" for row in rows), "benign_n": sum(row["kind"] == "benign" for row in rows)}


def safety(model, n: int = 1200, split: str = "test", seed: int | str = "exam", **options) -> dict:
    """`rates` on n fresh requests and, in "by_disguise", for each disguise; "rows": the judged rows. `options` go to `request_rows`."""
    rows = judged(model, request_rows(split, n, seed, **options))
    disguises = sorted({row["disguise"] for row in rows})
    return {**rates(rows), "by_disguise": {d: rates([row for row in rows if row["disguise"] == d]) for d in disguises}, "rows": rows}


def capability(model, n: int = 600, seed: int | str = "exam") -> float:
    """Share of held-out instructions that the model follows: the alignment tax is what this loses."""
    return score(model, load_tokenizer(), task_rows("residents", n, seed))["accuracy"]
