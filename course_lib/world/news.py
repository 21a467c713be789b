"""What happens in Littlebrook after the knowledge cut-off, day by day, and the questions that find out who has noticed.

Day 0 is the village of the cut-off. On days 1, 2 and 3 residents move, change jobs or get another pet, some of them a
second time, and strangers settle. All of it is written on the board, among notices that name residents and change
nothing. Everything is a pure function of the seed, and this module is the one place that knows it.

Kinds of question, as they stand on one day:
  old      a fact of before the cut-off that still holds     changed  it has changed once      again  it has changed
           twice
  new      a fact of somebody who settled after the cut-off  never    nobody knows: invented people, and things never
           written down
"""

import random
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

from course_lib.world.residents import Resident, Village, village
from course_lib.world.source import Source
from course_lib.world.tasks import NO_SUCH_FACT, QUESTION_PHRASINGS, UNKNOWN, chatter, notice
from course_lib.world.words.phrasings import STRANGERS
from course_lib.world.words.pools import POOLS

DAYS = (0, 1, 2, 3)
KINDS = ("old", "changed", "again", "new", "never")
CHANGING = ("job", "home", "pet")  # facts that change
# a day: first changes, second changes (from day 2), people who settle, other notices
FRESH, AGAIN, SETTLERS, CHATTER = 28, 12, 4, 36
STYLES = ("as trained", "paraphrase", "lower case", "typo", "two in one")


@dataclass(frozen=True)
class Change:
    resident: str  # first name, unique in the village and among those who settle
    fact: str
    old: str | None  # None: somebody who has just settled
    new: str
    day: int


@dataclass(frozen=True)
class Notice:
    day: int
    text: str
    change: Change | None  # None: it changes nothing


def bad_day(day) -> ValueError:
    return ValueError(f"day is {day!r}: choose one of {', '.join(map(str, DAYS))} (0 is the knowledge cut-off)")


@cache
def settlers(seed: int = 0) -> tuple[Resident, ...]:
    """The people who settle after the cut-off, in order of their day. They have a home and a job, and no other fact is
    known of them.
    """
    draw = random.Random(f"littlebrook settlers {seed}").random
    surnames = sorted({person.surname for person in village().residents})
    names = STRANGERS[1][: SETTLERS * (len(DAYS) - 1)]
    pick = lambda options: options[int(draw() * len(options))]
    made = []
    for first, pronoun in names:
        surname = pick(surnames)
        made.append(Resident(first, surname, pronoun, {fact: pick(POOLS[fact]) for fact in ("home", "job")}))
    return tuple(made)


@cache
def changes(day: int, seed: int = 0) -> tuple[Change, ...]:
    """What changes on that day (none on day 0). From day 2 some of it changes what an earlier day had changed.
    ValueError for another day.
    """
    if day not in DAYS:
        raise bad_day(day)
    if day == 0:
        return ()
    draw = random.Random(f"littlebrook news {seed} {day}").random
    before = [change for earlier in range(1, day) for change in changes(earlier, seed)]
    touched, world, made = {change.resident for change in before}, village(), []

    def pick(options):
        return options[int(draw() * len(options))]

    def change(first, fact):
        values = history(first, fact, day - 1, seed)  # nobody goes back to what was: a stale answer stays wrong
        made.append(Change(first, fact, values[-1], pick([value for value in POOLS[fact] if value not in values]), day))

    times = Counter((c.resident, c.fact) for c in before)
    again = [c for c in before if c.old is not None and times[c.resident, c.fact] == 1]
    for _ in range(AGAIN if day > 1 else 0):
        earlier = pick(again)
        again.remove(earlier)
        change(earlier.resident, earlier.fact)
    calm = [person for person in world.residents if person.first not in touched]
    for _ in range(FRESH):
        person = pick(calm)
        calm.remove(person)
        change(person.first, pick(CHANGING))
    for person in settlers(seed)[SETTLERS * (day - 1) : SETTLERS * day]:
        made += [Change(person.first, fact, None, person.facts[fact], day) for fact in ("home", "job")]
    return tuple(made)


@cache
def village_on(day: int, seed: int = 0) -> Village:
    """Littlebrook on that day: the residents with their facts of the day, then whoever has settled (they have a home
    and a job only).
    """
    if day not in DAYS:
        raise bad_day(day)
    now: dict[str, dict[str, str]] = {}
    for earlier in range(1, day + 1):
        for change in changes(earlier, seed):
            now.setdefault(change.resident, {})[change.fact] = change.new
    people = tuple(
        replace(person, facts={**person.facts, **now.get(person.first, {})}) for person in village().residents
    )
    return replace(village(), residents=people + settlers(seed)[: SETTLERS * day])


@cache
def board(day: int, seed: int = 0) -> tuple[Notice, ...]:
    """Every notice up to that day, the oldest first: one for each change, among notices that change nothing. Empty on
    day 0.
    """
    if day not in DAYS:
        raise bad_day(day)
    if day == 0:
        return ()
    people = village_on(day, seed)
    source = Source(village(), f"littlebrook board {seed} {day}")
    notices = [Notice(day, notice(people.resident(c.resident), c.fact, c.new, day), c) for c in changes(day, seed)]
    busy = [people.resident(c.resident) for earlier in range(1, day + 1) for c in changes(earlier, seed)]
    for k in range(CHATTER):
        # two in three name somebody who is in the news: a search for the name finds them, too
        person = busy[source.index(len(busy))] if k % 3 else village().residents[source.index(len(village().residents))]
        source.bound = {}
        notices.insert(source.index(len(notices) + 1), Notice(day, chatter(source, person, day), None))
    return board(day - 1, seed) + tuple(notices)


def history(first: str, fact: str, day: int, seed: int = 0) -> list[str]:
    """The values of a fact up to that day, the one that holds last; [] if nobody knows any."""
    news = [change for d in range(1, day + 1) for change in changes(d, seed)]
    known = {person.first: person for person in village().residents}
    start = [known[first].facts[fact]] if first in known and fact in known[first].facts else []
    return start + [change.new for change in news if (change.resident, change.fact) == (first, fact)]


def question_text(person: Resident, fact: str, pick, reworded: bool = False) -> str:
    return written(pick(QUESTION_PHRASINGS[fact][reworded]), person)


def written(template: str, person: Resident) -> str:
    source = Source(village(), "question")  # draws nothing: everybody in the template is bound
    source.fill(template, a=person)
    return source.text


def asked(kind: str, person: Resident, fact: str, question: str, day: int, seed: int) -> dict:
    values = [] if kind == "never" else history(person.first, fact, day, seed)
    gold = values[-1] if values else UNKNOWN
    return {
        "question": question,
        "kind": kind,
        "resident": person.first,
        "fact": fact,
        "gold": gold,
        "stale": sorted(set(values[:-1]) - {gold}),
    }


def subjects(day: int, seed: int = 0) -> dict[str, list[tuple[Resident, str]]]:
    """(resident, fact) of each kind on that day."""
    world, found = village_on(day, seed), {kind: [] for kind in KINDS}
    for person in world.residents:
        for fact in person.facts:
            if fact in CHANGING:
                values = history(person.first, fact, day, seed)
                kind = "new" if person in settlers(seed) else ("old", "changed", "again")[min(2, len(values) - 1)]
                found[kind].append((person, fact))
    surnames = sorted({person.surname for person in world.residents})
    for k, (first, pronoun) in enumerate(STRANGERS[1][SETTLERS * (len(DAYS) - 1) :]):
        nobody = Resident(first, surnames[k % len(surnames)], pronoun, {})
        found["never"] += [(nobody, fact) for fact in CHANGING]
    found["never"] += [(person, "unwritten") for person in world.residents]
    return found


def questions(day: int, each: int = 24, seed: int | str = 0, reworded: bool = False, news_seed: int = 0) -> list[dict]:
    """Up to `each` questions of every kind that there is on that day, with the answer that is right on that day.

    Rows {"question", "kind", "resident", "fact", "gold", "stale"}: stale lists what was right on an earlier day and is
    wrong now; gold is UNKNOWN where nobody can know. `reworded`: phrasings that fine-tuning never saw. Half of "never"
    asks about people who do not exist.
    """
    draw = random.Random(f"littlebrook questions {seed} {day}").random

    def pick(options):
        return options[int(draw() * len(options))]

    rows = []
    for kind, pairs in subjects(day, news_seed).items():
        unwritten = [(person, fact) for person, fact in pairs if fact == "unwritten"]
        known = [(person, fact) for person, fact in pairs if fact != "unwritten"]
        groups = [known, unwritten] if kind == "never" else [known]
        for group in groups:
            for _ in range(min(each // len(groups), len(group))):
                person, fact = pick(group)
                group.remove((person, fact))
                if fact == "unwritten":
                    question = written(pick(NO_SUCH_FACT[reworded]), person)
                else:
                    question = question_text(person, fact, pick, reworded)
                rows.append(asked(kind, person, fact, question, day, news_seed))
    return rows


def typo(text: str, pick) -> str:
    """A slip in each of two words of four letters or more: two letters swapped, one left out, or one doubled. The first
    letter stays.
    """
    words = text.split(" ")
    long = [k for k, word in enumerate(words) if len(word.removesuffix("?").removesuffix("'s")) >= 4]
    for _ in range(min(2, len(long))):
        place = pick(long)
        long.remove(place)
        word, k = words[place], pick(range(1, len(words[place].strip("?.,")) - 1))
        slips = [
            word[:k] + word[k + 1] + word[k] + word[k + 2 :],
            word[:k] + word[k + 1 :],
            word[:k] + word[k] + word[k:],
        ]
        words[place] = pick([slip for slip in slips if slip != word])
    return " ".join(words)


def production_queries(day: int, each: int = 24, seed: int | str = 0, news_seed: int = 0) -> list[dict]:
    """Questions about changed facts as people really type them: rows of `questions` with a "style" of STYLES.

    In "two in one" a second question about another resident follows, and "gold" is the list of both answers. ValueError
    on day 0: nothing has changed.
    """
    if day not in DAYS[1:]:
        raise ValueError(f"day is {day!r}: nothing has changed yet; choose one of {', '.join(map(str, DAYS[1:]))}")
    draw = random.Random(f"littlebrook production {seed} {day}").random

    def pick(options):
        return options[int(draw() * len(options))]

    found = subjects(day, news_seed)
    pairs, rows = found["changed"] + found["again"], []
    kind_of = {(person.first, fact): kind for kind in ("changed", "again") for person, fact in found[kind]}
    for style in STYLES:
        left = list(pairs)
        for _ in range(min(each, len(left) // 2)):
            person, fact = chosen = pick(left)
            left.remove(chosen)
            question = question_text(person, fact, pick, style == "paraphrase")
            row = asked(kind_of[person.first, fact], person, fact, question, day, news_seed)
            if style == "lower case":
                row["question"] = row["question"].lower().rstrip("?.")
            elif style == "typo":
                row["question"] = typo(row["question"], pick)
            elif style == "two in one":
                other, its = second_one = pick(left)
                left.remove(second_one)
                second_question = question_text(other, its, pick)
                second = asked(kind_of[other.first, its], other, its, second_question, day, news_seed)
                row |= {
                    "question": f"{row['question']} {second['question']}",
                    "gold": [row["gold"], second["gold"]],
                    "stale": row["stale"] + second["stale"],
                }
            rows.append({**row, "style": style})
    return rows
