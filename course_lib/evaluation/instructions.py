"""Does the assistant do what it is asked? Answers to task rows, judged by the programmatic checker of each row."""

from course_lib.stages.perplexity import distance_to_limit
from course_lib.stages.respond import respond
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.tasks import READING, SHARES, passes, task_rows

EXAMINED = 1000  # held-out rows a split on which an assistant is scored


def score(model, tokenizer, rows: list[dict], **options) -> dict:
    """{"accuracy", "by_kind", "n", "answers", "right"}: the share of rows whose answer passes the row's checker;
    `options` go to `respond`.
    """
    training = model.training
    model.eval()
    answers = respond(model, tokenizer, [row["messages"][:-1] for row in rows], **options)
    model.train(training)
    right = [passes(row, answer) for row, answer in zip(rows, answers)]
    by_kind = {}
    for kind in sorted({row["kind"] for row in rows}):
        those = [hit for hit, row in zip(right, rows) if row["kind"] == kind]
        by_kind[kind] = sum(those) / len(those)
    return {"accuracy": sum(right) / len(right), "by_kind": by_kind, "n": len(rows), "answers": answers, "right": right}


def examine(model, reading: bool = False) -> dict:
    """Held-out accuracies of an assistant (of a reader: on questions with notices, too), and its distance to the
    entropy of the documents.
    """
    tokenizer, shares = load_tokenizer(), READING if reading else SHARES
    scores = {
        split: score(model, tokenizer, task_rows(split, EXAMINED, "bench", shares))
        for split in ("residents", "phrasings")
    }
    return {
        **{split: result["accuracy"] for split, result in scores.items()},
        "by_kind": {split: result["by_kind"] for split, result in scores.items()},
        "pretrain_gap_percent": distance_to_limit(model, tokenizer, pretrain_rows("validation", 500))["gap_percent"],
    }
