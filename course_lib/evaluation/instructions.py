"""Does the assistant do what it is asked? Answers to task rows, judged by the programmatic checker of each row."""
from course_lib.stages.respond import respond
from course_lib.world.tasks import passes


def score(model, tokenizer, rows: list[dict], **options) -> dict:
    """{"accuracy", "by_kind", "n", "answers", "right"}: the share of rows whose answer passes the row's checker; `options` go to `respond`."""
    training = model.training
    model.eval()
    answers = respond(model, tokenizer, [row["messages"][:-1] for row in rows], **options)
    model.train(training)
    right = [passes(row, answer) for row, answer in zip(rows, answers)]
    kinds = sorted({row["kind"] for row in rows})
    by_kind = {kind: sum(r for r, row in zip(right, rows) if row["kind"] == kind) / sum(row["kind"] == kind for row in rows) for kind in kinds}
    return {"accuracy": sum(right) / len(right), "by_kind": by_kind, "n": len(rows), "answers": answers, "right": right}
