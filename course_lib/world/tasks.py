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
from functools import cache, lru_cache

from course_lib.world.documents import OPENERS, SENTENCES, how_to, story
from course_lib.world.pools import POOLS
from course_lib.world.residents import FACTS, Resident, Village, village
from course_lib.world.source import Source

SPLITS = ("train", "residents", "phrasings")
UNKNOWN = "I do not know."
# fmt: off
# of the assistant's rows
SHARES = {"fact": 22, "short": 8, "list": 8, "introduce": 8, "how-to": 4, "story": 9, "follow-up": 32, "unknown": 9}
# fmt: on
# fmt: off
# of the rows that teach reading notices (lab 05)
READING = {"notices": 66, "fact": 8, "follow-up": 12, "unknown": 5, "short": 2, "list": 2, "introduce": 2, "story": 3}
# fmt: on

# [training phrasings, held-out phrasings]
# fmt: off
QUESTION_PHRASINGS = {
    "job": (["What does {a.full} do?", "What is {a.full}'s job?", "How does {a.full} earn a living?",
        "What is {a.full}'s trade?",
             "As what does {a.full} work?", "Which job does {a.full} have?", "What does {a.full} do for a living?",
                 "Tell me {a.full}'s job.",
             "What is the trade of {a.full}?", "What work does {a.full} do?", "Do you know what {a.full} works as?",
             "Tell me the job of {a.full}.", "Do you know {a.full}'s job?", "How does {a.full} make money?",
                 "Which work has {a.full} got?", "What is the work of {a.full}?"],
            ["What is the job of {a.full}?", "How does {a.full} make a living?", "Do you know {a.full}'s trade?",
                "Which work does {a.full} do?"]),
    "home": (["Where does {a.full} live?", "In which street is {a.full}'s house?", "Where do I find {a.full}?",
        "What is {a.full}'s street?",
              "Where is {a.full}'s home?", "Which street does {a.full} live in?", "Where is the house of {a.full}?",
                  "Tell me where {a.full} lives.",
              "Where shall I send a letter to {a.full}?", "Do you know where {a.full} lives?",
                  "In which street do I find {a.full}?",
              "Tell me where {a.full}'s house is.", "Where does {a.full} have a house?",
                  "In which street is the home of {a.full}?", "Do you know {a.full}'s street?",
                  "Where is {a.full}'s door?"],
             ["Where is {a.full}'s house?", "In which street does {a.full} live?", "Tell me {a.full}'s street.",
                 "Where is the home of {a.full}?"]),
    "pet": (["What pet does {a.full} have?", "Which animal does {a.full} keep?", "Who shares the house with {a.full}?",
        "What is {a.full}'s pet?",
             "Which pet does {a.full} keep?", "What animal lives with {a.full}?", "Tell me {a.full}'s pet.",
                 "What kind of animal does {a.full} have?",
             "What is the pet of {a.full}?", "Do you know which animal {a.full} keeps?",
                 "Which animal has {a.full} got?",
             "Do you know what pet {a.full} has?", "What does {a.full} keep as a pet?",
                 "Tell me which pet {a.full} has.", "Which pet lives with {a.full}?", "What animal has {a.full} got?"],
            ["Which pet does {a.full} have?", "What animal does {a.full} keep?", "Do you know {a.full}'s pet?",
                "Which animal lives with {a.full}?"]),
    "food": (["What does {a.full} like to eat?", "What is {a.full}'s favourite dish?",
        "What shall I cook for {a.full}?", "Which dish does {a.full} like best?",
              "What does {a.full} eat on Sundays?", "Tell me {a.full}'s favourite dish.",
                  "What food does {a.full} love?", "What is the favourite food of {a.full}?",
              "Which food does {a.full} like?", "Do you know what {a.full} likes to eat?",
                  "What should I serve {a.full}?",
              "Which dish shall I serve {a.full}?", "What is {a.full}'s favourite thing to eat?",
                  "Tell me the favourite food of {a.full}.", "What dish does {a.full} love?",
                  "Do you know {a.full}'s favourite food?"],
             ["What is {a.full}'s favourite food?", "Which dish shall I cook for {a.full}?",
                 "Which dish does {a.full} love?", "Do you know {a.full}'s favourite dish?"]),
    "colour": (["Which colour does {a.full} like?", "What is {a.full}'s favourite colour?",
        "In which colour does {a.full} dress?", "What colour does {a.full} love?",
                "Tell me {a.full}'s favourite colour.", "What colour is {a.full}'s front door?",
                    "Which colour does {a.full} like best?",
                "What is the favourite colour of {a.full}?", "What colour is {a.full}'s coat?",
                    "Do you know which colour {a.full} likes?", "Which colour does {a.full} wear?",
                "Do you know the favourite colour of {a.full}?", "What colour does {a.full} like best?",
                    "Which colour is {a.full}'s front door?", "What colour does {a.full} dress in?",
                    "Tell me which colour {a.full} likes."],
               ["What colour does {a.full} like?", "Do you know {a.full}'s favourite colour?",
                   "Which colour is {a.full}'s coat?", "What colour does {a.full} wear?"]),
    "hobby": (["What is {a.full}'s hobby?", "What does {a.full} do for fun?", "How does {a.full} spend a free day?",
        "Which hobby does {a.full} have?",
               "Tell me {a.full}'s hobby.", "What does {a.full} enjoy?", "What is the hobby of {a.full}?",
                   "What does {a.full} like to do in winter?",
               "How does {a.full} spend free time?", "Do you know {a.full}'s hobby?",
                   "For what does {a.full} win prizes?",
               "What hobby has {a.full} got?", "Tell me what {a.full} does for fun.",
                   "What does {a.full} do in winter?", "What does {a.full} do in free time?",
                   "Do you know the hobby of {a.full}?"],
              ["What hobby does {a.full} have?", "What does {a.full} do on a free day?",
                  "Do you know what {a.full} does for fun?", "What does {a.full} enjoy in winter?"]),
    "mentor": (["Who taught {a.full}?", "Whom does {a.full} ask for advice?", "From whom did {a.full} learn?",
        "Who is {a.full}'s teacher?",
                "Who was the teacher of {a.full}?", "Tell me who taught {a.full}.", "Whom does {a.full} trust?",
                    "Who gives advice to {a.full}?",
                "Whose pupil was {a.full}?", "Do you know who taught {a.full}?", "Who is {a.full}'s mentor?",
                "Who was the mentor of {a.full}?", "From whom does {a.full} get advice?",
                    "Do you know {a.full}'s teacher?", "Tell me the teacher of {a.full}.",
                    "Tell me {a.full}'s mentor."],
               ["Who was {a.full}'s teacher?", "From whom does {a.full} ask advice?", "Tell me {a.full}'s teacher.",
                   "Do you know {a.full}'s mentor?"]),
}
# fmt: on
# fmt: off
OPENINGS = (["", "", "", "Please tell me: ", "Hello! ", "I would like to know: ", "Quick question: ",
    "Can you help me? ", "Good morning. "], ["Please help me: ", "Hello, quick question: ", "Good morning! "])
# fmt: on
# fmt: off
SHORT = (["{q} Be brief.", "Be brief: {q}", "{q} Keep it short, please.", "In short: {q}",
    "{q} A short answer, please.", "{q} Please be brief.", "Please keep it short: {q}", "A short answer: {q}"],
    ["{q} Be brief, please.", "Keep it short: {q}", "A short answer, please: {q}"])
# fmt: on
# fmt: off
LIST = (["Make a list of {a.full}'s {w}.", "List {a.full}'s {w}.", "I need a list: {a.full}'s {w}.",
    "Please give me a list: {a.full}'s {w}.", "Make me a list, please: {a.full}'s {w}.",
    "Give me a list of {a.full}'s {w}."],
        ["Please make a list of {a.full}'s {w}.", "Please list {a.full}'s {w}.", "A list, please: {a.full}'s {w}."])
# fmt: on
# fmt: off
INTRODUCE = (["Introduce {a.full}.", "Tell me about {a.full}.", "Who is {a.full}?", "I would like to know {a.full}.",
    "Describe {a.full}.", "What do you know about {a.full}?",
              "Please tell me about {a.full}.", "Please describe {a.full}.", "Tell me who {a.full} is.",
                  "Can you introduce {a.full}?", "What can you tell me about {a.full}?"],
             ["Please introduce {a.full}.", "What do you know of {a.full}?", "Please tell me who {a.full} is."])
# fmt: on
COOK = (
    ["How do I make {x}?", "Tell me how to make {x}.", "I want to make {x}. What do I do?", "How can I make {x}?"],
    ["What do I do to make {x}?", "How to make {x}?"],
)
MEND = (
    ["How do I mend {x}?", "Tell me how to mend {x}.", "I want to mend {x}. What do I do?", "How can I mend {x}?"],
    ["What do I do to mend {x}?", "How to mend {x}?"],
)
# fmt: off
STORY = (["Tell me a story about {x}.", "Write a story with {x}.", "I would like a story about {x}.",
    "Write a short story about {x}.", "Tell a story about {x}.", "Please tell me a story with {x}.",
    "A story with {x}, please.", "Please write a short story with {x}."],
    ["Tell a story with {x}.", "Please write a story about {x}."])
# fmt: on
# fmt: off
WORDS = {"job": "job", "home": "street", "pet": "pet", "food": "favourite dish", "colour": "favourite colour",
    "hobby": "hobby", "mentor": "teacher"}
# fmt: on
# fmt: off
FOLLOW_UP = (["And {a.his} {w}?", "What about {a.his} {w}?", "Do you also know {a.his} {w}?",
    "And what is {a.his} {w}?", "{a.His} {w}, please?", "And do you know what {a.his} {w} is?",
    "Also tell me {a.his} {w}."], ["And do you know {a.his} {w}?", "Also {a.his} {w}, please."])
# fmt: on
ANOTHER = (["And {b.full}?", "What about {b.full}?", "The same for {b.full}, please."], ["And what about {b.full}?"])
# fmt: off
NO_SUCH_FACT = (["How old is {a.full}?", "What is {a.full}'s telephone number?", "When is {a.full}'s birthday?",
    "What is {a.full}'s favourite song?",
                 "Which school did {a.full} go to?", "What is {a.full}'s shoe size?",
                     "What did {a.full} dream last night?", "How many brothers does {a.full} have?",
                 "How rich is {a.full}?", "What is in {a.full}'s pocket?", "Which book does {a.full} read?",
                     "What did {a.full} say to the king?"],
                ["How tall is {a.full}?", "How many sisters does {a.full} have?", "What is {a.full}'s favourite book?",
                    "When did {a.full} go to school?"])
# fmt: on
NOTICES = {
    "job": "now works as {v}",
    "home": "has moved to {v}",
    "pet": "now keeps {v}",
    "food": "now loves {v}",
    "colour": "now always dresses in {v}",
    "hobby": "has taken up {v}",
    "mentor": "now asks advice of {v}",
}
CHATTER = [
    "{a.full} has lost {:thing} near {:place}.",
    "{a.full} sells {:goods} for {:coins}.",
    "{:occasion} at {:place}, ask for {a.full}.",
    "{a.full} has found {:thing}.",
    "{a.full} thanks everybody who came to {:place} on {:day}.",
    "{:place} is closed until {:day}, says {a.full}.",
]
COURTESIES = ["Gladly.", "Of course.", "With pleasure."]

# People who never lived in Littlebrook; a pronoun is needed where a notice tells of them. [train, held out]
# fmt: off
STRANGERS = ([("Aldous", "he"), ("Beryl", "she"), ("Corwin", "he"), ("Dulcie", "she"), ("Eamon", "he"),
    ("Farrah", "she"), ("Garth", "he"), ("Heidi", "she"),
              ("Igor", "he"), ("Jolanda", "she"), ("Kelvin", "he"), ("Lorelei", "she"), ("Milton", "he"),
                  ("Nerys", "she"), ("Orson", "he"), ("Portia", "she"),
              ("Quincy", "he"), ("Ramona", "she"), ("Sheldon", "he"), ("Trudy", "she"), ("Umberto", "he"),
                  ("Vanessa", "she"), ("Wendell", "he"), ("Xenia", "she"),
              ("Yorick", "he"), ("Zora", "she"), ("Bjorn", "he"), ("Cosima", "she"), ("Dexter", "he"),
                  ("Elvira", "she"), ("Fabian", "he"), ("Gisela", "she"),
              ("Hamish", "he"), ("Ingrid", "she"), ("Jarvis", "he"), ("Kirsten", "she"), ("Lorenzo", "he"),
                  ("Melisande", "she"), ("Norbert", "he"), ("Odette", "she")],
             [("Aloysius", "he"), ("Brenda", "she"), ("Cosmo", "he"), ("Daria", "she"), ("Eustace", "he"),
                 ("Freya", "she"), ("Gaston", "he"), ("Hilary", "she"),
              ("Ingmar", "he"), ("Jolene", "she"), ("Kaspar", "he"), ("Linnea", "she"), ("Magnus", "he"),
                  ("Noelle", "she"), ("Olaf", "he"), ("Petronella", "she"),
              ("Rasmus", "he"), ("Saskia", "she"), ("Tiberius", "he"), ("Violetta", "she")])
# fmt: on

# fmt: off
SYLLABLES = (["Al", "Bar", "Cor", "Dar", "El", "Fen", "Gor", "Hal", "Is", "Jor", "Kal", "Lor", "Mar", "Nor", "Or",
    "Per", "Ras", "Sel", "Tor", "Ul", "Ver", "Wen", "Yor", "Zel"],
             ["a", "be", "di", "do", "ga", "ki", "la", "mi", "na", "o", "pi", "ra", "su", "ta", "vi", "wa"],
             ["bert", "dan", "dora", "fin", "gret", "la", "lin", "mund", "na", "nor", "ra", "ric", "ros", "sa", "tha",
                 "vin", "wig", "xa"])
# fmt: on


@cache
def held_out() -> frozenset[str]:
    """First names of the 60 residents whom no fine-tuning row mentions: every fourth of the first 240, but for the
    mentors, who are values of a fact.
    """
    world = village()
    mentors = {person.facts["mentor"] for person in world.residents}
    return frozenset([person.first for person in world.residents if person.first not in mentors][2::4][:60])


def notice(resident: Resident, fact: str, value: str, day: int) -> str:
    """A notice on the board: "Day 3: Ada Cobb now works as a potter." """
    return f"Day {day}: {resident.full} {NOTICES[fact].format(v=value)}."


def notice_prompt(notices: list[str], question: str) -> str:
    """The user's message when notices come with the question: one a line, the newest last, then the question."""
    return "".join(f"Notice: {text}\n" for text in notices) + f"Question: {question}"


# ------------------------------------------------------------------------------------------------------------- the rows


class Draw(Source):
    """A source that knows which phrasings and residents its split may use."""

    def __init__(self, world: Village, split: str, seed: str):
        super().__init__(world, seed)
        self.unseen = split != "train"
        self.people = [p for p in world.residents if (p.first in held_out()) == self.unseen]
        self.reworded = split == "phrasings"

    def form(self, phrasings) -> str:
        """One of the phrasings of this split: (training ones, held-out ones)."""
        return self.pick(phrasings[self.reworded])

    def words(self, template: str, **people) -> str:
        """The template filled in, as text of its own."""
        before, self.text = self.text, ""
        self.fill(template, **people)
        text, self.text = self.text, before
        return text

    def others(self, *taken: Resident) -> Resident:
        return self.pick([p for p in self.people if p not in taken])

    def stranger(self) -> Resident:
        first, pronoun = self.pick(STRANGERS[self.unseen])
        if not self.unseen and self.pick((True, True, False)):
            # made of syllables, so that fine-tuning meets too many strangers to learn them by heart and must notice
            # that it knows nothing of them
            first = self.pick(SYLLABLES[0]) + self.pick(SYLLABLES[1]) + self.pick(SYLLABLES[2])
        return Resident(
            first, self.pick(self.people).surname, pronoun, {fact: self.pick(values_of(fact)) for fact in FACTS}
        )


def row(kind: str, asked: str, answer: str, check: dict) -> dict:
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
        "kind": kind,
        "check": check,
    }


def with_value(person: Resident, fact: str, value: str) -> Resident:
    return Resident(person.first, person.surname, person.pronoun, {**person.facts, fact: value})


def values_of(fact: str) -> list[str]:
    return POOLS[fact] if fact != "mentor" else sorted({p.facts["mentor"] for p in village().residents})


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
    return row(
        "introduce", s.words(s.form(INTRODUCE), a=person), " ".join(parts), {**fact_check(person, ""), "at least": 3}
    )


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
    return row(
        "how-to",
        s.form(OPENINGS) + s.form(COOK if cook else MEND).format(x=subject),
        " ".join(body),
        {"how-to": "cook" if cook else "mend"},
    )


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
        second = s.pick([f for f in FACTS if f != fact])
        asked, check = s.words(s.form(FOLLOW_UP).replace("{w}", WORDS[second]), a=person), fact_check(person, second)
        answer = told(s, person, second, aside=False)
    else:
        other = s.others(person)
        asked, check, answer = (
            s.words(s.form(ANOTHER), b=other),
            fact_check(other, fact),
            told(s, other, fact, aside=False),
        )
    return {
        "messages": [*first, {"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
        "kind": "follow-up",
        "check": check,
    }


def chatter(s: Source, person: Resident, day: int) -> str:
    """A notice that names somebody and changes nothing."""
    before, s.text = s.text, ""
    s.fill(s.pick(CHATTER), a=person)
    text, s.text = s.text, before
    return f"Day {day}: {text[0].upper()}{text[1:]}"


def notices_row(s: Draw) -> dict:
    """One or two notices about somebody, then one to four questions. What the notices say of the asked fact holds, the
    newest first of all;
    where they say nothing memory answers, and of strangers nobody knows anything else."""
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
KINDS = {"fact": fact_row, "short": short_row, "list": list_row, "introduce": introduce_row, "how-to": how_to_row,
         "story": story_row, "follow-up": follow_up_row, "notices": notices_row, "unknown": unknown_row}
# fmt: on


def named(text: str, world: Village, s: Draw) -> bool:
    """Does a training text name somebody who is held out?"""
    return not s.unseen and any(word in held_out() for word in re.findall(r"[A-Z][a-z]+", text))


def task_rows(split: str, n: int, seed: int | str = 0, shares: dict[str, int] = SHARES) -> list[dict]:
    """The first n rows of a split (see the top of this file), each a dict of JSON values. Another seed gives other rows
    of the same split.

    `shares`: kinds and how often they come (READING: for lab 05). Raises ValueError for an unknown split."""
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
        return (
            3 <= len(parts) <= 6
            and len(set(parts)) == len(parts)
            and parts[0].startswith(begins)
            and text.endswith(".")
        )
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
