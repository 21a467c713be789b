"""The questions that lab 12 asks, the chains that a model tries on them, and how many are right."""

from course_lib.evaluation import reasoning as measures
from course_lib.widgets.reasoning import SPLITS
from course_lib.world.reasoning import answer_of, question_rows

QUESTIONS = {"tiny": 24, "laptop": 240, "gpu": 480}  # held-out ones a split
TRIES = {"tiny": 8, "laptop": measures.TRIES, "gpu": measures.TRIES}
GROUP = 8

Tried = dict[str, list[dict]]  # a split's rows with their tries: see evaluation.reasoning.tries


def examined(size: str) -> tuple[list[dict], list[dict]]:
    """(questions about residents of no training row, questions of held-out kinds)."""
    residents, kinds = (question_rows(split, QUESTIONS[size], "lab 12") for split in SPLITS)
    return residents, kinds


def asked(row: dict) -> str:
    return row["messages"][0]["content"]


def chains(model, residents: list[dict], kinds: list[dict], size: str, seed: int) -> Tried:
    """Sampled chains to the questions of both splits."""
    return {split: measures.tries(model, rows, TRIES[size], seed) for split, rows in zip(SPLITS, (residents, kinds))}


def one_try(rows: list[dict]) -> float:
    """The share of the tries that are right."""
    return sum(sum(row["right"]) for row in rows) / sum(len(row["right"]) for row in rows)


def right_by_split(tried: Tried) -> dict[str, float]:
    return {split: one_try(rows) for split, rows in tried.items()}


def some(rows: list) -> list:
    """Four of them at most, from all over the list."""
    return rows[:: max(1, len(rows) // 4)][:4]


def slips(rows: list[dict]) -> float:
    """The share of the wrong chains that end with the answer of the step before the last one, as careless ones do."""
    slipped = [
        answer_of(text) == answer_of(row["slip"])
        for row in rows
        for text, ok in zip(row["answers"], row["right"])
        if not ok
    ]
    return sum(slipped) / max(1, len(slipped))


def share(count: tuple[int, int]) -> float:
    """how many, of how many."""
    return count[0] / max(1, count[1])


def by_kind(tried: Tried) -> dict[str, float]:
    """{kind of question: share of the tries that are right}."""
    return {kind: p for rows in tried.values() for kind, p in measures.figures(rows)["by_kind"].items()}
