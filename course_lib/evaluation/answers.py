"""How good are answers in a world that changes: accuracy, abstention, staleness; and which way of answering a need
decides for.

The three metrics stand behind the `evaluate` modules of course_lib/evaluation/metrics. Plain functions, so that nothing
heavy is imported. An answer *names* a value if the value's words stand in it one after the other, whatever the case and
the punctuation.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from course_lib.world.tasks import UNKNOWN

# What a village might need, and what the ways are judged by for it: accuracy at least `needed` on the worst of the
# `rows` (day, kind)
# fmt: off
NEEDS: dict[str, dict[str, Any]] = {
    "a guide to the village as it was": {
        "rows": [[3, "old"]], "needed": 0.9, "questions": 1000},
    "the news of one day, asked for all day": {
        "rows": [[1, "changed"]], "needed": 0.9, "questions": 1_000_000},
    "a desk for news that keeps coming": {
        "rows": [[1, "changed"], [2, "changed"], [3, "changed"], [3, "again"]], "needed": 0.9, "questions": 1000},
    "a desk for anything, also what nobody knows": {
        "rows": [[3, "old"], [3, "changed"], [3, "again"], [3, "new"], [3, "never"]], "needed": 0.8, "questions": 1000},
}
# fmt: on


def plain_words(text: str) -> str:
    """The words of a text, lower case, one blank between them and one at either end."""
    return f" {' '.join(re.findall(r'[a-z0-9]+', text.lower()))} "


def names(answer: str, value: str) -> bool:
    return plain_words(value) in plain_words(answer)


def abstains(answer: str) -> bool:
    return plain_words(answer) == plain_words(UNKNOWN)


def is_right(answer: str, gold: str | Sequence[str], stale: Sequence[str] = ()) -> bool:
    """Names what is right (every part of a list) and nothing that was right before; where nobody can know, says so and
    nothing else.
    """
    if gold == UNKNOWN:
        return abstains(answer)
    parts = [gold] if isinstance(gold, str) else gold
    return all(names(answer, part) for part in parts) and not any(names(answer, value) for value in stale)


def same_length(answers, *others):
    if any(len(answers) != len(other) for other in others):
        raise ValueError(
            f"{len(answers)} answers came with {', '.join(str(len(o)) for o in others)} references: give one of each "
            "for every question"
        )


def accuracy(answers: Sequence[str], golds: Sequence, stale: Sequence[Sequence[str]] | None = None) -> float:
    """Share of right answers; 0 for no questions. Raises ValueError if the lists differ in length."""
    stale = [()] * len(answers) if stale is None else stale
    same_length(answers, golds, stale)
    return sum(is_right(*three) for three in zip(answers, golds, stale)) / max(1, len(answers))


def abstention(answers: Sequence[str]) -> float:
    """Share of answers that are UNKNOWN and nothing else; 0 for no questions."""
    return sum(map(abstains, answers)) / max(1, len(answers))


def staleness(answers: Sequence[str], stale: Sequence[Sequence[str]]) -> float:
    """Among the questions whose answer has changed (`stale` is not empty): share of answers that name a value that no
    longer holds. 0 if nothing changed.
    """
    same_length(answers, stale)
    asked = [(answer, values) for answer, values in zip(answers, stale) if values]
    return sum(any(names(answer, value) for value in values) for answer, values in asked) / max(1, len(asked))


def score_answers(answers: Sequence[str], golds: Sequence, stale: Sequence[Sequence[str]]) -> dict[str, float]:
    return {
        "accuracy": accuracy(answers, golds, stale),
        "abstention": abstention(answers),
        "staleness": staleness(answers, stale),
    }


def break_even(training: float, fine_tuned: float, retrieval: float) -> float:
    """Number of questions from which on the fine-tuned model has cost less than retrieval: training + n · fine_tuned =
    n · retrieval.

    All in the same unit (FLOP, seconds). Infinite where a question to the fine-tuned model is no cheaper, 0 where its
    training cost nothing."""
    if training <= 0:
        return 0.0
    return training / (retrieval - fine_tuned) if retrieval > fine_tuned else math.inf


def decide(ways: list[dict], needed: float, questions: int) -> str:
    """The name of the cheapest way that is accurate enough, or "none".

    ways: {"way", "accuracy", "training", "each"}, costs in one unit. The cost of a way is training + questions · each;
    in a tie the first one."""
    enough = [way for way in ways if way["accuracy"] >= needed]
    return min(enough, key=lambda way: way["training"] + questions * way["each"])["way"] if enough else "none"


def decisions(table: dict) -> dict[str, str]:
    """What the rule says for each of NEEDS, from the numbers of a table {"accuracy": {way: {"day kind": share}},
    "cost": {way: {"training", "each"}}} (FLOP).
    """
    made = {}
    for name, need in NEEDS.items():
        ways = []
        for way, cells in table["accuracy"].items():
            worst = min(cells[f"{day} {kind}"] for day, kind in need["rows"])
            ways.append({"way": way, "accuracy": worst, **table["cost"][way]})
        made[name] = decide(ways, need["needed"], need["questions"])
    return made
