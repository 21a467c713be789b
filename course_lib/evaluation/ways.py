"""The five ways of answering, measured side by side on every day, and what each costs."""

from collections.abc import Callable, Sequence

from course_lib.evaluation.answers import is_right, score_answers
from course_lib.stages.retrieval import WAYS, answer, bm25_search
from course_lib.world.news import DAYS, KINDS, board, production_queries, questions


def measure(
    models: dict,
    tokenizer,
    days: Sequence[int] = DAYS,
    each: int = 48,
    seed: int | str = 0,
    ways: Sequence[str] = WAYS,
    search: Callable = bm25_search,
    score: Callable = score_answers,
    **options,
) -> list[dict]:
    """Rows {"way", "day", "kind", "n", "accuracy", "abstention", "staleness", "tokens"}: each way on the same questions
    of each day.

    models: way → the model that it asks · search(notices) → a search · score(answers, golds, stale) · `options` go to
    `answer`. tokens: read and written for one question, mean.
    """
    rows = []
    for day in days:
        asked, notices = questions(day, each, seed), [notice.text for notice in board(day)]
        find = search(notices)
        for way in ways:
            texts = [q["question"] for q in asked]
            answered = answer(way, models[way], tokenizer, texts, notices, search=find, **options)
            for kind in KINDS:
                if chosen := [(a, q) for a, q in zip(answered, asked) if q["kind"] == kind]:
                    rows.append({"way": way, "day": day, "kind": kind, **scored(chosen, score)})
    return rows


def scored(chosen: list[tuple[dict, dict]], score: Callable) -> dict:
    """The figures of answers to questions, pairs (answer, question)."""
    texts = [a["answer"] for a, _ in chosen]
    golds, stale = [q["gold"] for _, q in chosen], [q["stale"] for _, q in chosen]
    tokens = sum(a["tokens"] for a, _ in chosen) / len(chosen)
    return {"n": len(chosen), **score(texts, golds, stale), "tokens": tokens}


def cell(rows: list[dict], way: str, day: int, kind: str, what: str = "accuracy") -> float | None:
    """One number of `measure`; None where there are no such questions (nothing has changed on day 0)."""
    return next((row[what] for row in rows if (row["way"], row["day"], row["kind"]) == (way, day, kind)), None)


def outdated(rows: list[dict], way: str, day: int) -> float:
    """Staleness on all questions of a day whose answer has changed, once or twice; 0 on day 0."""
    chosen = [row for row in rows if (row["way"], row["day"]) == (way, day) and row["kind"] in ("changed", "again")]
    return sum(row["staleness"] * row["n"] for row in chosen) / max(1, sum(row["n"] for row in chosen))


def table_of(rows: list[dict], parameters: int, training_tokens: int) -> dict:
    """The decision table {"accuracy": {way: {"day kind": share}}, "staleness": {way: {day: share}}, "cost": {way:
    {"training", "each"}}}.

    Costs in FLOP: 2 · parameters a token that is read or written, 4 · parameters a token of training with LoRA
    (forward, and back through frozen weights, whose own gradients are not needed).
    """
    made = {"accuracy": {}, "staleness": {}, "cost": {}}
    for way in WAYS:
        mine = [row for row in rows if row["way"] == way]
        made["accuracy"][way] = {f"{row['day']} {row['kind']}": row["accuracy"] for row in mine}
        made["staleness"][way] = {str(day): outdated(rows, way, day) for day in sorted({row["day"] for row in mine})}
        later = [row for row in mine if row["day"]]
        tokens = sum(row["tokens"] * row["n"] for row in later) / sum(row["n"] for row in later)
        training = 4.0 * parameters * training_tokens if "LoRA" in way else 0.0
        made["cost"][way] = {"training": training, "each": 2.0 * parameters * tokens}
    return made


def robustness(
    model,
    tokenizer,
    day: int,
    way: str = "RAG",
    each: int = 40,
    seed: int | str = 0,
    search: Callable = bm25_search,
    **options,
) -> dict[str, dict]:
    """{style: {"n", "accuracy", "found"}} on queries as they come in production; found: share whose newest notice was
    among those retrieved, of two questions in one that of the first.
    """
    asked, notices = production_queries(day, each, seed), board(day)
    questions, texts = [q["question"] for q in asked], [notice.text for notice in notices]
    answered = answer(way, model, tokenizer, questions, texts, search=search(texts), **options)
    newest = {(n.change.resident, n.change.fact): place for place, n in enumerate(notices) if n.change}
    made = {}
    for style in dict.fromkeys(q["style"] for q in asked):
        chosen = [(a, q) for a, q in zip(answered, asked) if q["style"] == style]
        made[style] = {
            "n": len(chosen),
            "accuracy": sum(is_right(a["answer"], q["gold"], q["stale"]) for a, q in chosen) / len(chosen),
            "found": sum(newest[q["resident"], q["fact"]] in a["found"] for a, q in chosen) / len(chosen),
        }
    return made
