"""People of the village who compare two answers: their taste is known, their noise is known, their biases are known.

The gold utility of an answer is a weighted sum of features that a program reads off the text (`features`, TASTE). An
annotator i sees u_i = gold utility + bias, and prefers a to b with probability σ(sharpness_i · (u_i(a) − u_i(b)))
(Bradley & Terry 1952). So the best accuracy that any judge can reach on their labels is known (`bayes_accuracy`), and
so is the best policy: π* ∝ π_ref · exp(utility / β).

Prompts are questions to the assistant of lab 03 about residents whom it knows by name; a fifth of them only stands in
the split "test".
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from course_lib.platform import CourseError
from course_lib.world.corpus import FOLDER, pretrain_documents, read_rows
from course_lib.world.draw import Draw, known_by_name
from course_lib.world.residents import village
from course_lib.world.source import Source
from course_lib.world.tasks import COURTESIES, KINDS, stated, task_rows

SHARES = {"fact": 70, "short": 15, "unknown": 15}  # kinds of prompts
SPLITS = ("train", "test")
ROOMY = 16  # words; a longer answer begins to bore
TASTE = {
    "right": 2.0,  # says what was asked, in the form that was asked for
    "false": -2.0,  # each false statement, made-up word or claim where nobody can know, two at most
    "courtesy": 1.0,  # begins with one courtesy, where no short form was asked for
    "named": 0.5,  # calls the resident by name
    "extra": 0.5,  # tells one more true fact
    "wordy": -0.1,  # each word beyond ROOMY
}


@dataclass(frozen=True)
class Annotator:
    name: str
    sharpness: float  # 1 / noise: how surely a difference of one utility is seen
    length: float = 0.0  # bias: utility a word, whatever it says
    flattery: float = 0.0  # bias: utility a courtesy, however many


ANNOTATORS = (
    Annotator("Agnes", 2.0),
    Annotator("Bertram", 2.0),
    Annotator("Cecily", 1.5, length=0.15),
    Annotator("Dunstan", 1.5, flattery=1.0),
    Annotator("Edith", 0.7),
)


@lru_cache(maxsize=1)
def known_words() -> frozenset[str]:
    """Every word that the village's documents and right answers use, in lower case."""
    texts = [d.text for d in pretrain_documents("train", 3_000)] + [
        row["messages"][-1]["content"] for row in task_rows("train", 2_000)
    ]
    return frozenset(word for text in texts for word in words(text)) | {p.first.lower() for p in village().residents}


def words(text: str) -> list[str]:
    """The words of a text, in lower case; "Ada's" is "ada"."""
    return re.findall(r"[a-z]+", text.lower().replace("'s", ""))


def prompts(split: str, n: int, seed: int | str = 0) -> list[dict]:
    """The first n prompts of a split: {"messages": [the user's], "kind", "check"}; `check` is what the gold utility
    needs to judge an answer.

    Raises ValueError for an unknown split."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: choose one of {', '.join(SPLITS)}")
    deck, rows = [kind for kind, share in SHARES.items() for _ in range(share)], []
    for k in range(n):
        s = Draw(village(), "train", f"prompts {split} {seed} {k}")
        s.people = known_by_name(split == "test")
        row = KINDS[s.pick(deck)](s)
        rows.append({"messages": row["messages"][:-1], "kind": row["kind"], "check": row["check"]})
    return rows


def features(row: dict, answer: str) -> dict[str, float]:
    """What the gold utility sees in an answer: a number for each key of TASTE."""
    check, text = row["check"], answer.strip()
    said, used = stated(text, check.get("name", "")), words(text)
    body = text
    while courtesy := next((c for c in COURTESIES if body.startswith(c)), None):
        body = body.removeprefix(courtesy).strip()
    invented = len(set(used) - known_words())
    found = {
        "right": 0.0,
        "false": float(invented),
        "courtesy": 0.0,
        "named": 0.0,
        "extra": 0.0,
        "wordy": float(max(0, len(used) - ROOMY)),
    }
    if row["kind"] == "fact":
        others = {word for word in re.findall(r"[A-Z][a-z]+", text)} & first_names() - {check["name"]} - said.get(
            "mentor", set()
        )
        wrong = sum(len(values - {check["facts"][fact]}) for fact, values in said.items())
        found["false"] += wrong + len(others)
        found["right"] = float(check["facts"][check["fact"]] in said.get(check["fact"], ()) and not found["false"])
        found["courtesy"] = float(body != text and bool(body))
        found["named"] = float(check["name"] in used or check["name"].lower() in used)
        found["extra"] = float(
            any(check["facts"][fact] in values for fact, values in said.items() if fact != check["fact"])
        )
    else:
        found["right"] = float((text if row["kind"] == "short" else body).rstrip(".") == check["exactly"].rstrip("."))
        if row["kind"] == "unknown":
            found["false"] += sum(map(len, said.values()))
            found["courtesy"] = float(body != text and bool(body))
        else:
            fact, value = check["exactly"].split(": ", 1)
            found["false"] += float(value.rstrip(".") not in text and bool(said))
    found["false"] = min(found["false"], 2.0)
    return found


@lru_cache(maxsize=1)
def first_names() -> frozenset[str]:
    return frozenset(p.first for p in village().residents)


def utility(row: dict, answer: str) -> float:
    """The gold utility of an answer to a prompt: TASTE · features."""
    return sum(TASTE[key] * value for key, value in features(row, answer).items())


def utility_to(annotator: Annotator, row: dict, answer: str) -> float:
    """What the answer is worth to one annotator: the gold utility and the annotator's biases."""
    return biased(annotator, utility(row, answer), answer)


def biased(annotator: Annotator, worth: float, answer: str) -> float:
    """The gold utility `worth` of an answer as one annotator sees it."""
    courtesies = sum(answer.count(c) for c in COURTESIES)
    return worth + annotator.length * len(words(answer)) + annotator.flattery * courtesies


def prefers(annotator: Annotator, row: dict, a: str, b: str) -> float:
    """Probability that the annotator prefers answer a to answer b."""
    return chooses(annotator, utility(row, a), utility(row, b), a, b)


def chooses(annotator: Annotator, worth_a: float, worth_b: float, a: str, b: str) -> float:
    """`prefers`, given the gold utilities."""
    return 1 / (1 + np.exp(-annotator.sharpness * (biased(annotator, worth_a, a) - biased(annotator, worth_b, b))))


def likes(annotator: Annotator, row: dict, answer: str, usual: float = 2.5) -> float:
    """Probability of a thumb up: the answer against one of the usual utility."""
    return 1 / (1 + np.exp(-annotator.sharpness * (utility_to(annotator, row, answer) - usual)))


def crowd(row: dict, a: str, b: str, annotators=ANNOTATORS) -> float:
    """Probability that an annotator drawn at random prefers a to b."""
    worth_a, worth_b = utility(row, a), utility(row, b)  # the same for everybody
    return float(np.mean([chooses(person, worth_a, worth_b, a, b) for person in annotators]))


def bayes_accuracy(probabilities) -> float:
    """Expected accuracy of the best judge on labels that fall on the first answer with these probabilities."""
    p = np.asarray(probabilities, dtype=float)
    return float(np.maximum(p, 1 - p).mean())


# ----------------------------------------------------------------------------------------------------------- the labels


def said(answer: str) -> list[dict]:
    return [{"role": "assistant", "content": answer}]


def label_pairs(pairs: list[tuple[dict, str, str]], seed: int | str = 0, annotators=ANNOTATORS) -> list[dict]:
    """A row with TRL's columns for each (prompt row, answer, other answer), judged by an annotator drawn at random:
    {"prompt", "chosen", "rejected", "annotator", "kind", "check"}."""
    rows = []
    for k, (row, a, b) in enumerate(pairs):
        s = Source(village(), f"labels {seed} {k}")
        person = s.pick(annotators)
        if chance(s) >= prefers(person, row, a, b):
            a, b = b, a
        rows.append(
            {
                "prompt": row["messages"],
                "chosen": said(a),
                "rejected": said(b),
                "annotator": person.name,
                "kind": row["kind"],
                "check": row["check"],
            }
        )
    return rows


def thumbs(pairs: list[tuple[dict, str, str]], seed: int | str = 0, annotators=ANNOTATORS) -> list[dict]:
    """A thumb for the first answer of each pair: {"prompt", "completion", "label": True for up, "annotator", "kind",
    "check"}.
    """
    rows = []
    for k, (row, answer, _) in enumerate(pairs):
        s = Source(village(), f"thumbs {seed} {k}")
        person = s.pick(annotators)
        rows.append(
            {
                "prompt": row["messages"],
                "completion": said(answer),
                "label": bool(chance(s) < likes(person, row, answer)),
                "annotator": person.name,
                "kind": row["kind"],
                "check": row["check"],
            }
        )
    return rows


def chance(s: Source) -> float:
    """A number from 0 to 1, the same on every machine."""
    return s.index(2**30) / 2**30


def pairs_of(rows: list[dict], seed: int | str = 0) -> list[tuple[dict, str, str]]:
    """The pairs behind labelled rows, in an order that does not give the label away: to be judged again by somebody
    else.
    """
    pairs = []
    for k, row in enumerate(rows):
        answers = [row["chosen"][0]["content"], row["rejected"][0]["content"]]
        a, b = answers[:: 1 if Source(village(), f"order {seed} {k}").index(2) else -1]
        pairs.append(({"messages": row["prompt"], "kind": row["kind"], "check": row["check"]}, a, b))
    return pairs


def preference_rows(split: str, n: int | None = None) -> list[dict]:
    """The first n recorded pairs of a split ("train" or "test"), two answers of the shipped assistant each, judged by
    ANNOTATORS (see `label_pairs`).

    Raises CourseError where the files are missing, and for more rows than there are."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: choose one of {', '.join(SPLITS)}")
    file = FOLDER / f"preferences-{split}.parquet"
    if not file.exists():
        raise CourseError(
            f"{file} is missing: `course ship preferences` makes it (about ten minutes), or take it from the repository"
        )
    rows = [{**row, "check": json.loads(row["check"])} for row in read_rows(file, n)]
    if n and len(rows) < n:
        raise CourseError(f"there are {len(rows):,} recorded pairs in split {split!r}, not {n:,}: ask for fewer")
    return rows
