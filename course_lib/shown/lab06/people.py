"""Lab 06: the people and their pairs, labels, thumbs and agreement, as tables and pictures."""

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from course_lib.evaluation import agreement
from course_lib.shown.common import guessed  # noqa: F401
from course_lib.stages.preferences import sample_pairs
from course_lib.stages.rollout import assistant
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import annotate, chat, curve, journal, judges, stream
from course_lib.widgets.table import table
from course_lib.world import annotators as world
from course_lib.world.annotators import ANNOTATORS, TASTE, pairs_of, preference_rows

# ----------------------------------------------------------------------------------------------- people and their pairs


def recorded(split: str, n: int) -> list[dict]:
    """The first n recorded pairs of a split, each labelled once, by one of the five."""
    return preference_rows(split, n)


def exam_of(rows: list[dict]) -> SimpleNamespace:
    """What is known of N recorded pairs: `rows`; `pairs`, (prompt, answer, other answer) in an order that hides labels;
    and of the first answer minus the second: `differences` [A N], in the eyes of each person, `gold` [N], `words` [N].
    `leaning` [A N]: the probability that a person prefers the first; `p_first` [N]: that somebody drawn at random does.
    """
    pairs = pairs_of(rows)
    worth = np.array([[world.utility(row, answer) for answer in both] for row, *both in pairs])
    seen = [
        [world.biased(person, u, a) - world.biased(person, v, b) for (u, v), (_, a, b) in zip(worth.tolist(), pairs)]
        for person in ANNOTATORS
    ]
    differences = torch.tensor(seen, dtype=torch.float64)
    sharpness = torch.tensor([person.sharpness for person in ANNOTATORS])
    leaning = torch.sigmoid(sharpness[:, None] * differences).numpy()
    return SimpleNamespace(
        rows=rows,
        pairs=pairs,
        differences=differences.float(),
        sharpness=sharpness,
        leaning=leaning,
        p_first=leaning.mean(0),
        gold=worth[:, 0] - worth[:, 1],
        words=np.array([len(world.words(a)) - len(world.words(b)) for _, a, b in pairs]),
    )


def show_people() -> None:
    print("gold utility of an answer:", ", ".join(f"{weight:+g} {feature}" for feature, weight in TASTE.items()))
    bias = lambda p: (
        f"{p.length:+g} for every word" * (p.length > 0) + f"{p.flattery:+g} for every courtesy" * (p.flattery > 0)
    )
    table({"person": "", "sharpness": "g", "bias": ""}, [(p.name, p.sharpness, bias(p) or "none") for p in ANNOTATORS])


def clearly_unequal(exam: SimpleNamespace) -> list[int]:
    """Places of the pairs whose answers are at least 1 apart in gold."""
    return np.flatnonzero(np.abs(exam.gold) >= 1).tolist()


def of_two_minds(exam: SimpleNamespace) -> list[int]:
    """Places of the pairs of which somebody prefers the first answer and somebody else the second, both by more than 55
    to 45.
    """
    return np.flatnonzero((exam.leaning.min(0) < 0.45) & (exam.leaning.max(0) > 0.55)).tolist()


def first_is_polite(exam: SimpleNamespace, place: int) -> bool:
    """Has the first answer of this pair more courtesies than the second?"""
    row, *answers = exam.pairs[place]
    first, second = (world.features(row, answer)["courtesy"] for answer in answers)
    return first > second


def show_pairs(exam: SimpleNamespace, places: list[int]) -> None:
    """Both answers of each pair, what is found in them, and who prefers the first."""
    for k in places:
        row, *answers = exam.pairs[k]
        print(f"\n» {row['messages'][0]['content']}")
        for answer in answers:
            found = ", ".join(f"{feature} {value:g}" for feature, value in world.features(row, answer).items() if value)
            print(f"   {world.utility(row, answer):+.1f}   {answer}   ({found or 'nothing of all that'})")
        people = ", ".join(f"{p.name} {100 * share:.0f} %" for p, share in zip(ANNOTATORS, exam.leaning[:, k]))
        print(f"   prefer the first: {people}")


# ---------------------------------------------------------------------------------------- labels, thumbs and agreement


def as_sampled(model):
    """A copy of the assistant as it is sampled in labs 06 to 10."""
    return assistant(copy.deepcopy(model))


def pairs_to_label(writer, size: str) -> list[dict]:
    """Forty pairs of answers of the assistant, in the order in which they are shown, some twice."""
    asked = world.prompts("test", 40 if size == "tiny" else 150, "label yourself")
    return annotate.queue_of(sample_pairs(writer, load_tokenizer(), asked)[:40])


def label_yourself(queue: list[dict], file: Path):
    return annotate.annotate(queue, file)


def labels_of(file: Path, queue: list[dict]) -> tuple[list[dict], str]:
    """(labels, whose): yours if there are at least 20, else those of a simulated annotator, and it says so."""
    rows, who = annotate.labels_or_recorded(file, queue)
    note = "yours" if who == "you" else "a simulated annotator, as there are fewer than 20 of yours"
    print(f"{len(rows)} labels by {who}: {note}.")
    told = [[row[key][0]["content"] for key in ("prompt", "chosen", "rejected")] for row in rows[:4]]
    table({"question": "", "preferred": "", "not": ""}, told)
    return rows, who


def verdicts(pairs: list[tuple], labelled: list[dict]) -> list[str]:
    """ "first" or "second" for each pair: which of its answers the row calls chosen."""
    return ["first" if row["chosen"][0]["content"] == a else "second" for (_, a, _), row in zip(pairs, labelled)]


def judged_by(person, pairs: list[tuple], day: str = "one") -> list[str]:
    """The verdicts of one person on one day."""
    return verdicts(pairs, world.label_pairs(pairs, f"{person.name}, day {day}", [person]))


def show_agreement(exam: SimpleNamespace, kappa: Callable) -> dict[str, dict[str, float]]:
    """{person: {other person: κ}} on the held-out pairs, as a picture and a table; with themselves: on another day."""
    labels = {person.name: judged_by(person, exam.pairs) for person in ANNOTATORS}
    found = {name: {other: kappa(labels[name], labels[other]) for other in labels} for name in labels}
    matrix = np.array([list(row.values()) for row in found.values()])
    curve.show(judges.kappa_figure(list(labels), matrix, f"κ between annotators, {len(exam.pairs):,} pairs"))
    for person in ANNOTATORS:
        found[person.name][person.name] = kappa(labels[person.name], judged_by(person, exam.pairs, "two"))
    rows = [(name, row[name], max(row[other] for other in row if other != name)) for name, row in found.items()]
    table({"κ of": "", "with themselves on another day": ".2f", "with the nearest of the others": ".2f"}, rows)
    same_as_scikit_learn(labels, kappa)
    return found


def same_as_scikit_learn(labels: dict[str, list[str]], kappa: Callable) -> None:
    try:
        from sklearn.metrics import cohen_kappa_score
    except ImportError:
        print("scikit-learn is not installed here, so the comparison with its cohen_kappa_score is left out.")
        return
    pairs = [(a, b) for a in labels.values() for b in labels.values()]
    assert all(abs(kappa(a, b) - cohen_kappa_score(a, b)) < 1e-9 for a, b in pairs)
    print(f"scikit-learn's cohen_kappa_score gives the same for all {len(pairs)} pairs of judges")


def show_own_agreement(rows: list[dict], who: str, kappa: Callable) -> list[tuple[float, float]]:
    """The κ of these labels with those of each person, and how often the same pair got the same label. Returns the 95 %
    intervals.
    """
    once = [row for row in rows if not row["again"]]
    pairs = pairs_of(once)
    own, shown = verdicts(pairs, once), []
    for person in ANNOTATORS:
        theirs = judged_by(person, pairs)
        shown.append((f"{who} with {person.name}", kappa(own, theirs), *agreement.bootstrap(kappa, own, theirs)))
    heads = {f"{len(once)} pairs": "", "κ": "+.2f", "95 % interval from": "+.2f", "to": "+.2f"}
    table(heads, shown)
    twice = {row["pair"]: row for row in rows if row["again"]}
    again = [row["chosen"] == twice[row["pair"]]["chosen"] for row in once if row["pair"] in twice]
    if again:
        print(f"{who}, shown {len(again)} pairs twice: the same answer preferred in {sum(again)} of them")
    return [(low, high) for *_, low, high in shown]


def chat_with_thumbs(writer, file: Path):
    said = lambda messages: stream.texts(
        writer, load_tokenizer(), messages, temperature=1.0, seed=len(journal.read(file))
    )
    return chat.chat(said, file)


def thumbs_of(file: Path, queue: list[dict]) -> list[dict]:
    """Your thumbs, or those of Agnes on the first answers of the pairs, and it says whose."""
    rows, whose = chat.thumbs_of(journal.read(file)), "you"
    if not rows:
        pairs = [(item["row"], item["first"], item["second"]) for item in queue if not item["again"]]
        rows, whose = world.thumbs(pairs, "Agnes", ANNOTATORS[:1]), "Agnes, a simulated annotator (you gave none)"
    print(f"{len(rows)} thumbs by {whose}, {np.mean([row['label'] for row in rows]):.0%} of them up")
    told = [
        ("up" if r["label"] else "down", r["prompt"][-1]["content"], r["completion"][0]["content"]) for r in rows[:5]
    ]
    table({"thumb": "", "question": "", "answer": ""}, told)
    return rows
