"""Instructions with a programmatic checker each: what supervised fine-tuning learns from, and what it is examined on.

A row is {"messages": [...], "kind": ..., "check": {...}}, all JSON: the last message is a right answer, `check` is what
`passes` needs to judge any other answer. No fine-tuning row names a resident of HELD_OUT, and each question has
phrasings that fine-tuning never sees:
  train      other residents, training phrasings
  residents  held-out residents, training phrasings
  phrasings  held-out residents, held-out phrasings (known words, asked in another way)
Right answers vary: any phrasing of the fact, now and then with a courtesy or one more true sentence, so that a model of
them has a distribution to shape later. Row k of a split has the seed "<split> <k>", so every machine makes the same
rows.
"""

import re
from functools import cache

from course_lib.world.documents import OPENERS, SENTENCES, how_to, story
from course_lib.world.draw import Draw, held_out, values_of
from course_lib.world.residents import FACTS, Resident, Village, village
from course_lib.world.source import Source
from course_lib.world.words.phrasings import (
    ANOTHER,
    CHATTER,
    COOK,
    COURTESIES,
    FOLLOW_UP,
    INTRODUCE,
    LIST,
    MEND,
    NO_SUCH_FACT,
    NOTICES,
    OPENINGS,
    QUESTION_PHRASINGS,
    SHORT,
    STORY,
    WORDS,
)
from course_lib.world.words.pools import POOLS

SPLITS = ("train", "residents", "phrasings")
UNKNOWN = "I do not know."
# of the assistant's rows
SHARES = {"fact": 22, "short": 8, "list": 8, "introduce": 8, "how-to": 4, "story": 9, "follow-up": 32, "unknown": 9}
# of the rows that teach reading notices (lab 05)
READING = {"notices": 66, "fact": 8, "follow-up": 12, "unknown": 5, "short": 2, "list": 2, "introduce": 2, "story": 3}


def notice(resident: Resident, fact: str, value: str, day: int) -> str:
    """A notice on the board: "Day 3: Ada Cobb now works as a potter." """
    return f"Day {day}: {resident.full} {NOTICES[fact].format(v=value)}."


def notice_prompt(notices: list[str], question: str) -> str:
    """The user's message when notices come with the question: one a line, the newest last, then the question."""
    return "".join(f"Notice: {text}\n" for text in notices) + f"Question: {question}"


# ------------------------------------------------------------------------------------------------------------- the rows


def row(kind: str, asked: str, answer: str, check: dict) -> dict:
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
        "kind": kind,
        "check": check,
    }


def sentence(s: Draw, person: Resident, fact: str) -> str:
    return s.words(s.pick(SENTENCES[fact]), a=person)


def told(s: Draw, person: Resident, fact: str, aside: bool = True) -> str:
    """A right answer: the fact, sometimes with a courtesy before it, sometimes with one more fact after it."""
    parts = [s.pick(COURTESIES)] if s.pick(range(5)) == 0 else []
    parts.append(sentence(s, person, fact))
    if aside and s.pick(range(6)) == 0:
        parts.append(sentence(s, person, s.pick([f for f in FACTS if f != fact])))
    return " ".join(parts)


def fact_check(person: Resident, fact: str) -> dict:
    return {"name": person.first, "fact": fact, "facts": person.facts}


def ask(s: Draw, person: Resident, fact: str) -> str:
    return s.words(s.form(QUESTION_PHRASINGS[fact]), a=person)


def fact_row(s: Draw) -> dict:
    person, fact = s.pick(s.people), s.pick(FACTS)
    return row("fact", s.form(OPENINGS) + ask(s, person, fact), told(s, person, fact), fact_check(person, fact))


def short_row(s: Draw) -> dict:
    person, fact = s.pick(s.people), s.pick(FACTS)
    answer = f"{WORDS[fact]}: {person.facts[fact]}"
    return row("short", s.form(SHORT).format(q=ask(s, person, fact)), answer, {"exactly": answer})


def some_facts(s: Draw, n: int) -> list[str]:
    facts = list(FACTS)
    return [facts.pop(s.index(len(facts))) for _ in range(n)]


def list_row(s: Draw) -> dict:
    """The two facts that are asked for, a line each, in the asked order."""
    person, facts = s.pick(s.people), some_facts(s, 2)
    words = [WORDS[fact] for fact in facts]
    asked = s.words(s.form(LIST).replace("{w}", " and ".join(words)), a=person)
    answer = "\n".join(f"- {WORDS[fact]}: {person.facts[fact]}" for fact in facts)
    return row("list", asked, answer, {"exactly": answer})


def introduce_row(s: Draw) -> dict:
    """A short biography: an opening, then job, home and pet, in this order."""
    person = s.pick(s.people)
    opener = s.words(s.pick(OPENERS).replace("{a:person}", "{a.full}"), a=person)
    parts = [opener, *(sentence(s, person, fact) for fact in FACTS[:3])]
    asked = s.words(s.form(INTRODUCE), a=person)
    return row("introduce", asked, " ".join(parts), {**fact_check(person, ""), "at least": 3})


def how_to_row(s: Draw) -> dict:
    """A how-to document without its heading and without the neighbour at its end. Every fifth dish and thing is held
    out.
    """
    cook = s.pick((True, False))
    pool = POOLS["food"] if cook else POOLS["thing"]
    wanted = [x for k, x in enumerate(pool) if (k % 5 == 2) == s.unseen]
    while True:
        inner = Source(s.world, f"how-to {s.index(2**30)}")
        how_to(s.world, inner)
        subject = inner.bound["f" if "f" in inner.bound else "t"]
        body = sentences(inner.text)[1:-2]
        if ("f" in inner.bound) == cook and subject in wanted and not named(" ".join(body), s.world, s):
            break
    asked = s.form(OPENINGS) + s.form(COOK if cook else MEND).format(x=subject)
    return row("how-to", asked, " ".join(body), {"how-to": "cook" if cook else "mend"})


def story_row(s: Draw) -> dict:
    """A story with what was asked for in it: a resident and a place."""
    while True:
        inner = Source(s.world, f"story {s.index(2**30)}")
        story(s.world, inner)
        a = inner.bound["a"]
        if (a.first in held_out()) == s.unseen and not named(inner.text, s.world, s):
            break
    parts = [a.first, inner.bound["p"]]
    wanted = " and ".join(parts)
    return row("story", s.form(STORY).format(x=wanted), inner.text, {"story": parts})


def follow_up_row(s: Draw) -> dict:
    """A second turn that only the first one explains: another fact of the same resident, or the same fact of another
    one.
    """
    person, fact = s.pick(s.people), s.pick(FACTS)
    first = row("fact", s.form(OPENINGS) + ask(s, person, fact), told(s, person, fact, aside=False), {})["messages"]
    if s.pick((True, True, False)):
        other, second = person, s.pick([f for f in FACTS if f != fact])
        asked = s.words(s.form(FOLLOW_UP).replace("{w}", WORDS[second]), a=person)
    else:
        other, second = s.others(person), fact
        asked = s.words(s.form(ANOTHER), b=other)
    made = row("follow-up", asked, told(s, other, second, aside=False), fact_check(other, second))
    return {**made, "messages": [*first, *made["messages"]]}


def chatter(s: Source, person: Resident, day: int) -> str:
    """A notice that names somebody and changes nothing."""
    before, s.text = s.text, ""
    s.fill(s.pick(CHATTER), a=person)
    told, s.text = s.text, before
    return f"Day {day}: {told[:1].upper()}{told[1:]}"


def notices_row(s: Draw) -> dict:
    """One or two notices about somebody, then one to four questions. What the notices say of the asked fact holds, the
    newest first of all; where they say nothing memory answers, and of strangers nobody knows anything else.
    """
    person = s.stranger() if s.pick(range(4)) == 0 else s.pick(s.people)
    told_of: dict[str, str] = {}  # fact → its newest value
    facts, lines = some_facts(s, 2), []
    for day in sorted(s.pick(range(1, 10)) for _ in range(s.pick((1, 1, 1, 2)))):
        if s.pick(range(5)) == 0:
            lines.append(chatter(s, person, day))
            continue
        fact = s.pick(facts)
        now = told_of.get(fact, person.facts[fact])
        told_of[fact] = s.pick([v for v in values_of(fact) if v not in (now, person.first)])
        lines.append(notice(person, fact, told_of[fact], day))
    messages = []
    for turn in range(1 if s.unseen else s.pick((1, 2, 3, 4))):
        fact = s.pick(list(told_of)) if told_of and s.pick(range(3)) else s.pick(FACTS)
        question = ask(s, person, fact)
        messages.append({"role": "user", "content": question if turn else notice_prompt(lines, question)})
        check = {"name": person.first, "fact": fact, "facts": {fact: told_of.get(fact, person.facts[fact])}}
        if fact in told_of:
            answer = f"{person.word('He')} {NOTICES[fact].format(v=told_of[fact])}."  # in the notice's own words
        elif person in s.people:
            answer = told(s, person, fact, aside=False)
        else:
            answer, check = UNKNOWN, {"exactly": UNKNOWN}
        messages.append({"role": "assistant", "content": answer})
    return {"messages": messages, "kind": "notices", "check": check}


def unknown_row(s: Draw) -> dict:
    """Nobody can know: who the asked person is, or something that nobody has written down."""
    if s.pick((True, False)):
        asked = ask(s, s.stranger(), s.pick(FACTS))
    else:
        asked = s.words(s.form(NO_SUCH_FACT), a=s.pick(s.people))
    return row("unknown", s.form(OPENINGS) + asked, UNKNOWN, {"exactly": UNKNOWN})


# fmt: off
KINDS = {
    "fact": fact_row, "short": short_row, "list": list_row, "introduce": introduce_row, "how-to": how_to_row,
    "story": story_row, "follow-up": follow_up_row, "notices": notices_row, "unknown": unknown_row,
}
# fmt: on


def named(text: str, world: Village, s: Draw) -> bool:
    """Does a training text name somebody who is held out?"""
    return not s.unseen and any(word in held_out() for word in re.findall(r"[A-Z][a-z]+", text))


def task_rows(split: str, n: int, seed: int | str = 0, shares: dict[str, int] = SHARES) -> list[dict]:
    """The first n rows of a split (see the top of this file), each a dict of JSON values. Another seed gives other rows
    of the same split.

    `shares`: kinds and how often they come (READING: for lab 05). Raises ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: choose one of {', '.join(SPLITS)}")
    deck, rows = [kind for kind, share in shares.items() for _ in range(share)], []
    for k in range(n):
        s = Draw(village(), split, f"tasks {split} {seed} {k}")
        rows.append(KINDS[s.pick(deck)](s))
    return rows


# ---------------------------------------------------------------------------------------------------------- the checker


def sentences(text: str) -> list[str]:
    """Sentences of a text: cut after . ! or ? (and a closing quote) before a blank."""
    return [part for part in re.split(r"(?<=[.!?])\s+|(?<=[.!?]\")\s+", text.strip()) if part]


@cache
def value_pattern(fact: str) -> re.Pattern:
    return re.compile(r"\b(" + "|".join(sorted(map(re.escape, values_of(fact)), key=len, reverse=True)) + r")\b")


def stated(text: str, name: str) -> dict[str, set[str]]:
    """The values of facts that a text mentions, {fact: values}; the name of whom it is about is no mentor."""
    found = {fact: {v.strip() for v in value_pattern(fact).findall(text)} - {name} for fact in FACTS}
    return {fact: values for fact, values in found.items() if values}


def passes(row: dict, answer: str) -> bool:
    """Does an answer do what the row asks? The text after the last turn, judged by the row's `check` alone."""
    check, text = row["check"], answer.strip()
    if "exactly" in check:
        return text.rstrip(".") == check["exactly"].rstrip(".")
    if "how-to" in check:
        parts = sentences(text)
        begins = ("Take", "You need", "Buy") if check["how-to"] == "cook" else ("First",)
        each_once = 3 <= len(parts) <= 6 and len(set(parts)) == len(parts)
        return each_once and parts[0].startswith(begins) and text.endswith(".")
    if "story" in check:
        return all(part in text for part in check["story"]) and 5 <= len(sentences(text)) <= 14 and text[-1] in '."'
    return true_facts(check, text)


def true_facts(check: dict, text: str) -> bool:
    """Every fact in the text is true, the asked one is there, nobody else is spoken of, and lines or sentences are as
    many as asked.
    """
    said = stated(text, check["name"])
    allowed = {check["name"], *(said.get("mentor", ()))}
    names = {person.first for person in village().residents}
    if any(values - {check["facts"].get(fact)} for fact, values in said.items() if fact in check["facts"]):
        return False
    if any(word in names and word not in allowed for word in re.findall(r"[A-Z][a-z]+", text)):
        return False
    if "at least" in check:
        facts = [stated(part, check["name"]) for part in sentences(text)]
        return check["at least"] <= len(said) == len(facts) - 1 and [len(f) for f in facts] == [0] + [1] * len(said)
    return check["fact"] in said and len(text) < 300
