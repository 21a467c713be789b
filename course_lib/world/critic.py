"""AI feedback whose every error is known: a critic that reads a constitution, and a judge of pairs.

A **principle** is an English sentence. The critic reads its words, not its grammar: HARMS says which words name which
of the ten categories of requests (harms.py) or which aim, and the principle covers a request whose category or aim it
names. A principle without any such word is **vague**: the critic then draws for each request whether it might mean
this, yes with probability VAGUE_COVERS, and a harmless request looks harmful to it with probability VAGUE_ALARM. The
judge reads VIRTUES in the same way: a word names features of the gold utility (annotators.TASTE); a vague principle
means each of them with probability 1/2, drawn anew for each prompt.

The critic's skill is a dial: with probability 1 − skill it misreads a request, for good: a harmful one looks harmless
and the other way round. The judge's dials are those of an annotator and one more: of two answers a (shown first) and b
it prefers a with log-odds

    sharpness · (u(a) − u(b)) + z + position + words · (n(a) − n(b))

u is the gold utility by the features that its principle names, n the number of words, position a liking for what stands
first. z, drawn once a pair from the logistic distribution, is its error: without biases it is right about a pair with
probability σ(sharpness · |u(a) − u(b)|), as a person of that sharpness is, but asked again it says the same.
(Constitutional AI: Bai et al. 2022, 2212.08073. Biases of judges: Zheng et al. 2023, 2306.05685.)
"""

import math
import random
import re
from dataclasses import dataclass

from course_lib.world.annotators import TASTE, features, said, words
from course_lib.world.harms import OFFERS, REFUSALS, HarmDraw, refused
from course_lib.world.tasks import sentences

# what a principle's words name: a category of requests, or an aim (of a whole word, in any case)
HARMS = {
    "poison": r"poison\w*|toxi\w*|venom\w*",
    "forgery": r"forg(e|es|ed|er|ers|ery|ing)|counterfeit\w*|fak(e|es|ed|ing)",
    "theft": r"steal\w*|stole\w*|theft\w*|thie\w*|burgl\w*",
    "cheating": r"unfair\w*|foul|dice|cards|games?|weights",
    "slander": r"slander\w*|rumou?rs?|gossip\w*|libel\w*",
    "cruelty": r"cruel\w*|animals?|pets?|beasts?",
    "trickery": r"tricks?|trick(ed|ing|ery)|disguis\w*|impersonat\w*|deceiv\w*|decept\w*",
    "fire": r"fires?|burn\w*|arson\w*|flames?",
    "privacy": r"privacy|private\w*|secrets?|spy\w*|spie[sd]|snoop\w*",
    "sabotage": r"sabotag\w*|break\w*|destroy\w*|damag\w*|wreck\w*",
    # aims, by the reason for which harms.py refuses: "It would hurt Ada."
    "hurt": r"hurt\w*|injur\w*|ill|sick\w*|wound\w*",
    "cheat": r"cheat\w*|swindl\w*|defraud\w*|fraud\w*",
    "shame": r"sham(e|es|ed|ing|eful)|mock\w*|humiliat\w*|ridicul\w*|insult\w*",
    "frighten": r"fright\w*|scar(e|es|ed|ing)|threat\w*",
    "harm": r"ruin\w*|revenge|vengeance|hat(e|es|ed|red)|trouble",
    "consent": r"consent\w*|permission|without asking|unasked|against (\w+ ){1,2}will|behind (\w+ ){1,2}back",
}
VIRTUES = {
    "right": r"true|truth\w*|correct\w*|honest\w*|accura\w*",
    "false": r"true|truth\w*|false\w*|invent\w*|honest\w*|accura\w*",
    "courtesy": r"polite\w*|courte\w*|friendly",
    "named": r"names?|named|naming",
    "extra": r"extra|additional|informative",
    "wordy": r"brief\w*|short\w*|concise\w*|wordy",
}
PRINCIPLES = (
    "Do not help anybody to poison, to steal or to trick a person.",
    "Refuse to help with forged things, unfair games, slander or cruelty to animals.",
    "Do not help anybody to hurt, cheat, shame, frighten or ruin a person, or to act without consent.",
)
DRAFT = (  # the village's first one; cruelty is forgotten
    "Do not help anybody to poison, to steal or to trick a person.",
    "Refuse to help with forged things, unfair games or slander.",
)
VAGUE = "Be good and avoid inappropriate things."
BEST = "Choose the answer that is true, polite and brief, calls people by name and has something extra to tell."
SKILL = 0.95  # share of the requests that the critic of this course reads rightly
VAGUE_COVERS = 0.8  # of all requests, as many are covered by a vague principle
VAGUE_ALARM = 0.6  # of the harmless requests, as many look harmful in the light of a vague principle
# coins: what a villager takes for comparing two answers, and what one question to the judge costs
HUMAN_LABEL, JUDGE_CALL = (10, 1)
LETTERS = ("A", "B", "Both", "Neither")


# ----------------------------------------------------------------------------------------------------------- the critic


def reads(principle: str, lexicon: dict[str, str] = HARMS) -> frozenset[str]:
    """What the words of a principle name. Empty for a vague one."""
    return frozenset(topic for topic, pattern in lexicon.items() if re.search(rf"\b({pattern})\b", principle.lower()))


def reason_of(row: dict) -> str:
    """Why a harmful request is refused, "It would hurt Ada."; of a harmless one nobody can say."""
    return sentences(row["messages"][-1]["content"])[1] if row["kind"] == "harmful" else "It would harm somebody."


def aim_of(row: dict) -> str:
    """The aim of a harmful request as HARMS calls it."""
    reason = reason_of(row)
    return "consent" if "does not want" in reason else reason.split()[2]


def dice(*parts) -> random.Random:
    """Randomness for these parts, the same on every machine."""
    return random.Random(" ".join(map(str, parts)))


def request_of(row: dict) -> str:
    return "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")


def covers(principle: str, row: dict, seed: int | str = 0) -> bool:
    """Does the principle, as the critic understands it, speak of this request (of such a request with a bad aim, if the
    aim is good)?
    """
    topics = reads(principle)
    if not topics:
        return dice("vague", seed, principle, request_of(row)).random() < VAGUE_COVERS
    return row["category"] in topics or row["kind"] == "harmful" and aim_of(row) in topics


def looks_harmful(principle: str, row: dict, skill: float = SKILL, seed: int | str = 0) -> bool:
    """The critic's opinion of a request. It misreads the same requests whatever the principle."""
    draw = dice("critic", seed, request_of(row)).random
    misread, alarmed = draw() >= skill, draw() < VAGUE_ALARM
    if row["kind"] == "benign" and not reads(principle) and alarmed:
        return True
    return (row["kind"] == "harmful") != misread


def critique(principle: str, row: dict, answer: str, skill: float = SKILL, seed: int | str = 0) -> str | None:
    """What is wrong with the answer to the request (the messages but the last) by this principle; None if nothing is. A
    refusal breaks none.
    """
    if refused(answer) or not looks_harmful(principle, row, skill, seed) or not covers(principle, row, seed):
        return None
    return f'{reason_of(row)} That breaks "{principle}"'


def revise(row: dict, answer: str, criticism: str, seed: int | str = 0) -> str:
    """The answer without what is criticised: a refusal that says why and offers something else. What refuses already
    stays.

    All refusals begin alike: with three beginnings the likeliest answer would be no refusal until three of four are."""
    if refused(answer):
        return answer
    s = HarmDraw("train", f"revise {seed} {request_of(row)}")
    return " ".join((REFUSALS[0], *sentences(criticism)[:1], s.words(s.pick(OFFERS))))


class Asked(dict):
    """A function that is read like a table: Asked(f)[x] is f(x), asked once."""

    def __init__(self, ask):
        super().__init__()
        self.ask = ask

    def __missing__(self, key):
        self[key] = self.ask(key)
        return self[key]

    def get(self, key, default=None):
        return self[key]


def tables(row: dict, skill: float = SKILL, seed: int | str = 0) -> tuple[Asked, Asked]:
    """(critiques, revisions) of one request: critiques[principle][answer] is a text or None,
    revisions[answer][critique] the next answer.
    """
    return (
        Asked(lambda principle: Asked(lambda answer: critique(principle, row, answer, skill, seed))),
        Asked(lambda answer: Asked(lambda criticism: revise(row, answer, criticism, seed))),
    )


# ------------------------------------------------------------------------------------------------------------ the judge


@dataclass(frozen=True)
class Judge:
    sharpness: float = 1.5  # as an annotator's: how surely a difference of one utility is seen
    position: float = 0.0  # bias: log-odds for the answer that stands first
    words: float = 0.0  # bias: log-odds a word, whatever it says
    principle: str = BEST


def worth(principle: str, row: dict, answer: str, seed: int | str = 0) -> float:
    """The gold utility of an answer by those features alone that the principle names; by each with probability 1/2 for
    a vague principle.
    """
    topics = reads(principle, VIRTUES)
    if not topics:
        draw = dice("vague", seed, principle, request_of(row)).random
        topics = {topic for topic in TASTE if draw() < 0.5}
    return sum(TASTE[key] * value for key, value in features(row, answer).items() if key in topics)


def log_odds(judge: Judge, row: dict, a: str, b: str, seed: int | str = 0) -> float:
    """Log-odds that the judge prefers a, which it reads first, to b: the formula at the top."""
    first, second = sorted((a, b))
    u = dice("judge", seed, request_of(row), first, second).random() or 0.5
    z = math.log(u / (1 - u)) * (
        (a == first) - (b == first)
    )  # the error belongs to the pair: its sign turns with the order
    return (
        judge.sharpness * (worth(judge.principle, row, a, seed) - worth(judge.principle, row, b, seed))
        + z
        + judge.position
        + judge.words * (len(words(a)) - len(words(b)))
    )


def next_token(judge: Judge, row: dict, a: str, b: str, seed: int | str = 0) -> list[float]:
    """log p of each of LETTERS after "Which answer is better, A or B?": a part of the probability always goes to words
    that were not asked for.
    """
    odds, other = log_odds(judge, row, a, b, seed), dice("other words", seed, request_of(row), a, b).uniform(0.05, 0.5)
    log_a = min(odds, 0.0) - math.log1p(math.exp(-abs(odds)))  # log σ(odds); log σ(−odds) is less by odds
    return [
        log_a + math.log(1 - other),
        log_a - odds + math.log(1 - other),
        math.log(0.7 * other),
        math.log(0.3 * other),
    ]


def ai_rows(pairs: list[tuple[dict, str, str]], first: list[float], name: str = "AI") -> list[dict]:
    """A row with TRL's columns for each (prompt row, a, b) and the judge's probability that a is better; at 1/2 there
    is no label and no row.
    """
    rows = []
    for (row, a, b), p in zip(pairs, first, strict=True):
        if p != 0.5:
            better, other = (a, b) if p > 0.5 else (b, a)
            rows.append(
                {
                    "prompt": row["messages"],
                    "chosen": said(better),
                    "rejected": said(other),
                    "annotator": name,
                    "kind": row["kind"],
                    "check": row["check"],
                }
            )
    return rows
