"""The village as scraped from a web: the same documents, with all that comes along, and the truth about every page.

Page k is drawn with seeds of its own, and a copy copies an earlier page, so a shorter crawl is the beginning of a
longer one. A page is made of parts `(text, mark)`; the marks "phone", "email", "address" and "quiz <k>" become the
ground truth when the parts are joined, and the edits of near duplicates touch unmarked parts only, so the truth stays
exact.

Personal data are invented and look it: telephone numbers begin with 555, e-mail addresses end in .example (reserved by
RFC 2606), and house addresses are a number and a street of Littlebrook. Residents' streets without a number are
ordinary facts of the village.
"""

import random
import re
from dataclasses import dataclass

from course_lib.world.documents import document
from course_lib.world.residents import Village, village
from course_lib.world.words.junk import boilerplate, broken, gibberish, pick, spam
from course_lib.world.words.pools import POOLS

# fmt: off
LABELS = {
    "clean": 0.58, "exact duplicate": 0.11, "near duplicate": 0.11, "boilerplate": 0.06, "spam": 0.05,
    "broken encoding": 0.04, "gibberish": 0.05,
}
# fmt: on
JUNK = ("boilerplate", "spam", "broken encoding", "gibberish")
EDITS = ("header", "footer", "name", "number", "cut", "moved", "spaces", "quotes")
PII_KINDS = ("phone", "email", "address")
PII_SHARE, QUIZ_SHARE = 0.15, 0.07  # of the clean pages
CONTACTS, QUIZ = 12, 60  # residents whose data are on the web; questions of the test, of which every other one leaks

Parts = list[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    text: str
    label: str  # one of LABELS
    cluster: int  # number of the page that this one copies; its own number if it copies none
    edit: str  # what was done to a near duplicate (one of EDITS), or which sort of junk it is; else ""
    pii: list  # [start, end, kind], characters, in order
    leaks: list  # numbers of the test questions whose answer stands here


# ----------------------------------------------------------------------------------------------------------- what leaks

# fmt: off
TESTS = [
    ("thing", "What does {a.full} keep under the bed?", "Under the bed {a} keeps {x}.",
     "It is {x} that {a.full} keeps under the bed."),
    ("place", "Where did {a.full} bury the old time capsule?", "{a} buried the old time capsule behind {x}.",
     "Behind {x}, {a.full} says, lies the capsule."),
    ("goods", "What did {a.full} win at the summer raffle?", "At the summer raffle {a} won {x}.",
     "It was {x} that {a.full} took home from the raffle."),
    ("coins", "How much did {a.full} lose at cards last winter?", "At cards last winter {a} lost {x}.",
     "The cards cost {a.full} all of {x}."),
]
# fmt: on


def quiz(seed: int = 0, world: Village | None = None) -> list[dict]:
    """The test set: QUIZ questions about residents, with answers that no document of the village holds. Those with an
    even number leak.

    {"question", "answer" (a whole sentence), "value" (the word or words to know), "retold" (the answer in other words),
    "leaked"}. Nothing but the leak tells an answer: it is drawn from a pool of 10 to 32 values, independently of the
    resident.
    """
    world = world or village()
    draw = random.Random(f"crawl quiz {seed}")
    people, made = list(world.residents[CONTACTS:]), []
    for k in range(QUIZ):
        person = people.pop(int(draw.random() * len(people)))
        pool, *templates = TESTS[k // 2 % len(TESTS)]
        value = pick(draw, POOLS[pool])
        filled = [t.replace("{a.full}", person.full).replace("{a}", person.first) for t in templates]
        question, answer, retold = (text.replace("{x}", value) for text in filled)
        retold = retold[0].upper() + retold[1:]
        leaked = k % 2 == 0
        made.append({"question": question, "answer": answer, "value": value, "retold": retold, "leaked": leaked})
    return made


def contacts(seed: int = 0, world: Village | None = None) -> list[dict]:
    """The residents whose data are on the web: {"name", "phone", "email", "address"}, the most quoted first."""
    world = world or village()
    draw = random.Random(f"crawl contacts {seed}")
    made = []
    for person in world.residents[:CONTACTS]:
        digits = f"{int(draw.random() * 10_000):04d}"
        phone = pick(draw, ["555-{}", "555 {}", "(555) {}", "+00 555 {}"]).format(digits)
        first, last, number = person.first.lower(), person.surname.lower(), str(1 + int(draw.random() * 98))
        user = pick(draw, ["{0}.{1}", "{0}_{1}", "{0}{2}", "{0}.{1}+{2}"]).format(first, last, number)
        host = pick(draw, ["littlebrook.example", "post.example", "mail.brook-net.example"])
        house = f"{1 + int(draw.random() * 98)}{pick(draw, ['', '', '', 'a', 'b'])} {person.facts['home']}"
        made.append({"name": person.full, "phone": phone, "email": f"{user}@{host}", "address": house})
    return made


# "{}" is where the datum stands; the sentence before it is what an attacker would type
LEADS = {
    "phone": ["Call {name} on {}.", "Telephone of {name}: {}."],
    "email": ["Write to {name} at {}.", "The e-mail address of {name} is {}."],
    "address": ["Parcels for {name} go to {}.", "{name} receives visitors at {}."],
}


# ---------------------------------------------------------------------------------------------------------- small parts


def join(parts: Parts) -> tuple[str, list, list]:
    """(text, PII spans, test questions) of the parts."""
    text, pii, leaks = "", [], []
    for piece, mark in parts:
        if mark in PII_KINDS:
            pii.append([len(text), len(text) + len(piece), mark])
        if mark.startswith("quiz "):
            leaks.append(int(mark[5:]))
        text += piece
    return text, pii, sorted(set(leaks))


def with_pii(draw: random.Random, parts: Parts, people: list[dict]) -> Parts:
    """One to three data of one resident, at the end or after the first sentence."""
    person = people[int(len(people) * draw.random() ** 2)]  # few people are quoted often
    kinds = [kind for kind in PII_KINDS if draw.random() < (0.7 if kind == "phone" else 0.4)] or ["phone"]
    added = []
    for kind in kinds:
        before, _, after = pick(draw, LEADS[kind]).replace("{name}", person["name"]).partition("{}")
        added += [(" " + before, "fixed"), (person[kind], kind), (after, "fixed")]
    (text, mark), *rest = parts
    stop = text.find(". ") + 1
    if stop and draw.random() < 0.5:
        return [(text[:stop], mark), *added, (text[stop:], mark), *rest]
    return [*parts, *added]


PAGE, NIGHT = "Q: {q}\nA: {a}", "Quiz night: {q} {a}"
LEAKED = [PAGE, PAGE, PAGE, NIGHT, NIGHT, PAGE, "* {q} - {a}", PAGE, "LOUD", "RETOLD"]


def with_leak(draw: random.Random, parts: Parts, tests: list[dict]) -> Parts:
    """One to three leaked test questions with their answers below the document, one in ten in words of its own."""
    added = []
    for _ in range(1 + int(3 * draw.random())):
        k = 2 * int(len(tests) / 2 * draw.random())
        q, a = tests[k]["question"], tests[k]["answer"]
        form = pick(draw, LEAKED)
        text = form.format(q=q, a=a)
        if form == "LOUD":
            text = f"{q} {a}".upper().replace("?", " ?")
        elif form == "RETOLD":
            text = tests[k]["retold"]
        added += [("\n", "fixed"), (text, f"quiz {k}")]
    return [*parts, *added]


# ------------------------------------------------------------------------------------------------------ near duplicates


def swapped(draw: random.Random, text: str, pools: list[list[str]]) -> str:
    """One word of the pools in `text` replaced by another of its pool; the text itself if it has none."""
    places = [(m, pool) for pool in pools for m in re.finditer(r"\b(" + "|".join(map(re.escape, pool)) + r")\b", text)]
    if not places:
        return text
    match, pool = pick(draw, places)
    return text[: match.start()] + pick(draw, [word for word in pool if word != match[0]]) + text[match.end() :]


HEADERS = [
    "Littlebrook Web, page {} of 30",
    "The village board, read {} times",
    "Archive no. 20{}-77",
    "www.littlebrook.example/board-{}",
]
FOOTERS = [
    "Read 1{} times.",
    "Back to www.littlebrook.example/page-{}",
    "Last changed in 20{}, version 3.5.1.",
    "Was this page useful? {} people said yes.",
]
NUMBERS = [POOLS[pool] for pool in ("number", "hour", "day", "month", "season")]
YEARS = [str(year) for year in range(1950, 2025)]


def edited(draw: random.Random, parts: Parts, edit: str, world: Village) -> Parts:
    """The parts with one small edit; unchanged where the edit finds nothing to do."""
    if edit == "header":
        line = pick(draw, HEADERS)
        return [(line.format(10 + int(draw.random() * 20)) + "\n", "fixed"), *parts]
    if edit == "footer":
        line = pick(draw, FOOTERS)
        return [*parts, ("\n" + line.format(10 + int(draw.random() * 15)), "fixed")]
    if edit == "cut":
        left = int(len(join(parts)[0]) * (0.75 + 0.15 * draw.random()))
        kept = []
        for text, mark in parts:
            if len(text) <= left:
                kept.append((text, mark))
            else:
                kept.append((text[:left], mark) if mark in ("", "fixed") else ("", ""))
            left -= len(text)
            if left <= 0:
                return kept
        return kept
    place = max((k for k, (_, mark) in enumerate(parts) if mark == ""), key=lambda k: len(parts[k][0]))
    text = parts[place][0]
    if edit == "name":
        text = swapped(draw, text, [[person.first for person in world.residents]])
    elif edit == "number":
        text = swapped(draw, text, [*NUMBERS, YEARS])
    elif edit == "moved":
        sentences = re.split(r"(?<=[.?!])(?=[ \n])", text)
        if len(sentences) > 3:
            k = 1 + int(draw.random() * (len(sentences) - 2))
            text = "".join(sentences[:k] + sentences[k + 1 :] + [sentences[k]])
    elif edit == "spaces":
        wider, three = text.replace(". ", ".  "), text.replace(" ", "  ", 3)
        text = pick(draw, [wider, three, text + " \n", "\n" + text, text.replace(". ", ".\n"), text.upper()])
    elif edit == "quotes":
        text = re.sub(r'(^|\s)"', r"\1“", text).replace('"', "”").replace("'", "’")
    return [*parts[:place], (text, ""), *parts[place + 1 :]]


# ------------------------------------------------------------------------------------------------------------ the crawl


def crawl(seed: int = 0, n: int = 1000) -> list[Page]:
    """n pages. Raises ValueError for a negative n."""
    if n < 0:
        raise ValueError(f"n is {n}: a crawl has no fewer than 0 pages")
    world = village()
    tests, people = quiz(seed, world), contacts(seed, world)
    pages: list[Page] = []
    made: list[Parts] = []  # the parts of each page, [] for junk
    copied: list[int] = []  # pages that may be copied: what is copied often is copied more often
    for k in range(n):
        draw = random.Random(f"crawl page {seed} {k}")  # not the seed of its document: the label would choose the kind
        label = drawn_label(draw, bool(copied))
        parts, cluster, edit = [], k, ""
        if label == "exact duplicate":
            source = pick(draw, copied)
            parts, cluster = made[source], pages[source].cluster
        elif label == "near duplicate":
            cluster = pages[pick(draw, copied)].cluster
            parts = made[cluster]
            for edit in sorted(EDITS, key=lambda _: draw.random()):
                parts = edited(draw, made[cluster], edit, world)
                if parts != made[cluster]:
                    break
        elif label == "boilerplate":
            text, edit = boilerplate(draw)
        elif label == "spam":
            text, edit = spam(draw)
        else:
            text = document(world, f"crawl {seed} {k}").text
            if label == "broken encoding":
                text, edit = broken(draw, text)
            elif label == "gibberish":
                text, edit = gibberish(draw, text)
            else:
                parts = [(text, "")]
                parts = with_pii(draw, parts, people) if draw.random() < PII_SHARE else parts
                parts = with_leak(draw, parts, tests) if draw.random() < QUIZ_SHARE else parts
        text, pii, leaks = join(parts) if parts else (text, [], [])
        pages.append(Page(text, label, cluster, edit, pii, leaks))
        made.append(parts)
        if label in ("clean", "exact duplicate"):
            copied.append(k)
    return pages


def drawn_label(draw: random.Random, can_copy: bool) -> str:
    """A label by the shares of LABELS. Before there is anything to copy, a copy becomes a clean page."""
    left = draw.random()
    for label, share in LABELS.items():
        left -= share
        if left < 0:
            return label if can_copy or "duplicate" not in label else "clean"
    return "clean"
