"""Questions whose answer takes two steps or more, the chain of steps that solves each, and an exact checker.

A chain is a text of statements, each true or false by the village's books, and an answer at its end:

    The teacher of Ada is Dora. The job of Dora is a baker. Answer: a baker

A question goes over teachers (a fact) and neighbours (told in the question), or over coins that come and go. Some ways
of asking are held out: each way has one fact that no training row asks for in that way, though others do, and no
training row changes coins three times.
  train      training residents, trained questions
  residents  residents of no training row, trained questions
  kinds      residents of no training row, held-out questions
Facts are drawn independently of each other (residents.py), neighbours and coins for each question, so no wording gives
an answer away. Row k of a split has the seed "reasoning <split> <seed> <k>", so every machine makes the same rows.

The villagers whose chains a model can learn from are careless: their steps are right, and one in three then gives what
the step before the last one found for the answer (`SLIPS`). Who imitates them is right as often as they are; this is
the limit of imitation, and not of what can be learned.
"""

import re

from course_lib.world.draw import Draw, known_by_name, values_of
from course_lib.world.residents import FACTS, Resident, village
from course_lib.world.words.phrasings import WORDS

SPLITS = ("train", "residents", "kinds")
SLIPS = 3  # of so many chains of the villagers one ends with the wrong step's answer
THINK = " Think first."  # ends a question that is to be answered with a chain
ANSWER = "Answer: "
MARKER = ANSWER.strip()  # what the checker looks for: blanks behind it make no difference
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
FACT_OF = {WORDS[fact]: fact for fact in FACTS}
OWN = tuple(fact for fact in FACTS if fact != "mentor")
# way → its phrasings; {w} is the word of the asked fact. No text begins with a name: there it has other tokens
# fmt: off
WAYS = {
    "teacher": [
        "What is the {w} of {a.full}'s teacher?", "Think of {a.full}'s teacher: what is the {w}?",
        "Tell me the {w} of {a.full}'s teacher.", "Somebody taught {a.full}. What is the {w} of this teacher?",
    ],
    "neighbour": [
        "Now {b.full} is the neighbour of {a.full}. What is the {w} of {a}'s neighbour?",
        "The neighbour of {a.full} is {b.full}. What is the {w} of {a}'s neighbour?",
        "The neighbour of {a.full} is {b.full}. Tell me the {w} of {a}'s neighbour.",
    ],
    "teacher's teacher": [
        "What is the {w} of the teacher of {a.full}'s teacher?",
        "Tell me the {w} of the teacher of {a.full}'s teacher.",
    ],
    "neighbour's teacher": [
        "Now {b.full} is the neighbour of {a.full}. What is the {w} of the teacher of {a}'s neighbour?",
        "The neighbour of {a.full} is {b.full}. What is the {w} of the teacher of {a}'s neighbour?",
    ],
}
# fmt: on
UNASKED = {"teacher": "hobby", "neighbour": "food", "teacher's teacher": "pet", "neighbour's teacher": "job"}
COINS, MOST = (2, 4), 9  # changes of the trained questions (three are held out); nobody ever has more coins
TRAINED = (*WAYS, *(f"coins, {n} changes" for n in COINS))
HELD_OUT = (*(f"{way}: {WORDS[fact]}" for way, fact in UNASKED.items()), "coins, 3 changes")


def states(person: Resident, fact: str) -> str:
    return f"The {WORDS[fact]} of {person.first} is {person.facts[fact]}."


def changed(now: int, change: int) -> str:
    word = "and" if change > 0 else "without"
    return f"Now {NUMBERS[now]} {word} {NUMBERS[abs(change)]} is {NUMBERS[now + change]}."


def hops(s: Draw, way: str, fact: str) -> tuple[str, list[str]]:
    """(question, its steps)."""
    a = s.pick(s.people)
    b = s.others(a)
    asked = s.words(s.pick(WAYS[way]).replace("{w}", WORDS[fact]), a=a, b=b)
    steps, at = [], a
    for relation in way.split("'s "):
        if relation == "teacher":
            steps.append(states(at, "mentor"))
            at = village().resident(at.facts["mentor"])
        else:
            steps.append(f"The neighbour of {a.first} is {b.first}.")
            at = b
    return asked, [*steps, states(at, fact)]


def coins(s: Draw, changes: int) -> tuple[str, list[str]]:
    person, now = s.pick(s.people), s.pick(range(1, MOST + 1))
    asked, steps = f"Now {person.full} has {NUMBERS[now]} coin{'s' * (now > 1)}", []
    for _ in range(changes):
        change = s.pick([n for n in range(-3, 4) if n and 0 < now + n <= MOST])
        asked += f", {'gets' if change > 0 else 'loses'} {NUMBERS[abs(change)]}"
        steps.append(changed(now, change))
        now += change
    return asked + f". How many has {person.first} then?", steps


def answer_in(step: str) -> str:
    """What a statement ends with: "The job of Dora is a baker." → "a baker"."""
    return step.removesuffix(".").partition(" is ")[2]


def question(s: Draw, kind: str) -> dict:
    """{"messages", "kind", "steps", "check", "slip"}: the last message is the right chain, "slip" a careless one."""
    if kind.startswith("coins"):
        asked, steps = coins(s, int(kind.split()[1]))
        options = NUMBERS[1:]
    else:
        way, _, word = kind.partition(": ")
        fact = FACT_OF[word] if word else s.pick([f for f in OWN if f != UNASKED[way]])
        (asked, steps), options = hops(s, way, fact), values_of(fact)
    right, slip = (" ".join([*steps, ANSWER + answer_in(last)]) for last in (steps[-1], steps[-2]))
    said = [{"role": "user", "content": asked + THINK}, {"role": "assistant", "content": right}]
    check = {"answer": answer_in(steps[-1]), "options": list(options)}
    return {"messages": said, "kind": kind, "steps": len(steps), "check": check, "slip": slip}


def question_rows(split: str, n: int, seed: int | str = 0) -> list[dict]:
    """The first n rows of a split, its kinds by turns (see `question`). Raises ValueError for an unknown split."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: choose one of {', '.join(SPLITS)}")
    kinds, rows = HELD_OUT if split == "kinds" else TRAINED, []
    for k in range(n):
        s = Draw(village(), "train", f"reasoning {split} {seed} {k}")
        s.people = known_by_name(split != "train")
        rows.append(question(s, kinds[k % len(kinds)]))
    return rows


def prompts_of(rows: list[dict]) -> list[dict]:
    """The rows without the chain, as a policy is asked."""
    return [{**row, "messages": row["messages"][:1]} for row in rows]


def villagers_rows(n: int, seed: int | str = 0) -> list[dict]:
    """n training rows as careless villagers answer them: about one of three ends with the answer of the wrong step."""
    rows = question_rows("train", n, f"villagers {seed}")
    for k, row in enumerate(rows):
        if Draw(village(), "train", f"slips {seed} {k}").index(SLIPS) == 0:
            row["messages"][-1] = {"role": "assistant", "content": row["slip"]}
    return rows


# ---------------------------------------------------------------------------------------------------------- the checker


def plain(answer: str) -> str:
    """An answer without what makes no difference: blanks around it, capitals, one full stop at its end."""
    return answer.strip().removesuffix(".").strip().lower()


def answer_of(text: str) -> str | None:
    """What follows "Answer:" to the end of the text, as `plain` gives it; None where "Answer:" does not stand exactly
    once, or nothing follows it.
    """
    _, marker, given = text.partition(MARKER)
    return None if not marker or MARKER in given else plain(given) or None


def right(row: dict, text: str) -> bool:
    """Is the one answer of the text the right one, with nothing behind it? How it was found does not count."""
    return answer_of(text) == plain(row["check"]["answer"])


TOLD = re.compile(r"The neighbour of (\w+) \w+ is (\w+)|Now (\w+) \w+ is the neighbour of (\w+)")
STEP = re.compile(r"The ([\w ]+) of (\w+) is ([\w' ]+)\.|Now (\w+) (and|without) (\w+) is (\w+)\.")


def step_is_true(row: dict, step: str) -> bool | None:
    """Is a statement true by the books and by what the question tells? None for what is no statement."""
    found = STEP.fullmatch(step)
    if not found:
        return None
    word, name, value, now, how, change, then = found.groups()
    if now:
        if not {now, change, then} <= set(NUMBERS):
            return None
        sign = 1 if how == "and" else -1
        return NUMBERS.index(now) + sign * NUMBERS.index(change) == NUMBERS.index(then)
    if word == "neighbour":
        told = TOLD.search(row["messages"][0]["content"])
        return bool(told) and (name, value) in ((told[1], told[2]), (told[4], told[3]))
    fact = FACT_OF.get(word)
    person = next((p for p in village().residents if p.first == name), None)
    return person.facts[fact] == value if fact and person else None


def steps_of(text: str) -> list[str]:
    """The statements before the answer."""
    return [step.strip() for step in re.findall(r"[^.]+\.", text.partition(MARKER)[0])]


def faithful(row: dict, text: str) -> bool:
    """Are the steps those of the right chain? True statements in another order, or too few, are not."""
    return steps_of(text) == steps_of(row["messages"][-1]["content"])
