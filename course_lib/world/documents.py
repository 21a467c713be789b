"""The documents of Littlebrook: eight kinds, each written by one short function.

Every draw happens in the order in which the text shows it, so a document's −log p is the sum over its draws, and
tests/world finds no text with two derivations. A fact appears only where `{x.fact}` stands: with other facts, all other
words of the document stay the same, so nothing but knowing the resident tells it.
"""

from dataclasses import dataclass

from course_lib.world.residents import Village
from course_lib.world.source import Source

# {a} is whom the sentence is about: `{a.He}` or `{a}` begins it. Every phrasing of a fact is a complete sentence.
# fmt: off
SENTENCES = {
    "job": [
        "{a.He} works as {a.job}.", "{a} is {a.job}.", "By trade {a.he} is {a.job}.",
        "{a} earns {a.his} living as {a.job}.", "People know {a.him} as {a.job}.", "For years {a.he} has been {a.job}.",
    ],
    "home": [
        "{a.He} lives in {a.home}.", "{a}'s house stands in {a.home}.", "You find {a.his} door in {a.home}.",
        "{a} has a home in {a.home}.", "{a.His} letters go to {a.home}.", "After work {a.he} walks home to {a.home}.",
    ],
    "pet": [
        "{a.He} keeps {a.pet}.", "{a} has {a.pet} at home.", "{a.His} only pet is {a.pet}.",
        "{a} shares {a.his} rooms with {a.pet}.", "With {a.him} lives {a.pet}.",
        "In the evening {a.he} plays with {a.pet}.",
    ],
    "food": [
        "{a.He} loves {a.food}.", "{a}'s favourite dish is {a.food}.", "On Sundays {a.he} eats {a.food}.",
        "{a} could live on {a.food}.", "Nothing pleases {a.him} more than {a.food}.",
        "If you invite {a.him}, serve {a.food}.",
    ],
    "colour": [
        "{a.His} favourite colour is {a.colour}.", "{a} likes everything that is {a.colour}.",
        "{a.He} always dresses in {a.colour}.", "{a.His} front door is painted {a.colour}.",
        "{a} owns a coat in {a.colour}.", "The curtains {a.he} sewed are {a.colour}.",
    ],
    "hobby": [
        "{a.He} spends {a.his} free time on {a.hobby}.", "{a}'s great joy is {a.hobby}.",
        "In winter {a.he} enjoys {a.hobby}.", "{a} is never too tired for {a.hobby}.",
        "What {a.he} likes best is {a.hobby}.", "{a} wins prizes for {a.hobby}.",
    ],
    "mentor": [
        "{a} learned everything from {a.mentor}.", "{a.His} old teacher is {a.mentor}.",
        "As a child {a.he} was taught by {a.mentor}.", "{a} still asks advice of {a.mentor}.",
        "{a.He} owes {a.his} skill to {a.mentor}.", "{a} trusts nobody more than {a.mentor}.",
    ],
}
QUESTIONS = {
    "job": ["What does {a.full} do?", "What is {a.full}'s job?", "How does {a.full} earn a living?"],
    "home": ["Where does {a.full} live?", "In which street is {a.full}'s house?", "Where do I find {a.full}?"],
    "pet": ["What pet does {a.full} have?", "Which animal does {a.full} keep?", "Who shares the house with {a.full}?"],
    "food": ["What does {a.full} like to eat?", "What is {a.full}'s favourite dish?",
             "What shall I cook for {a.full}?"],
    "colour": ["Which colour does {a.full} like?", "What is {a.full}'s favourite colour?",
               "In which colour does {a.full} dress?"],
    "hobby": ["What is {a.full}'s hobby?", "What does {a.full} do for fun?", "How does {a.full} spend a free day?"],
    "mentor": ["Who taught {a.full}?", "Whom does {a.full} ask for advice?", "From whom did {a.full} learn?"],
}
# fmt: on
# A word from the neighbourhood, so that dialogues and stories use facts too; each is said of somebody bound to b.
GOSSIP = {fact: [s.replace("{a", "{b") for s in phrasings] for fact, phrasings in SENTENCES.items()}
# fmt: off
OPENERS = [
    "This is {a:person}.", "Meet {a:person}.", "Let me tell you about {a:person}.",
    "Here is what we know of {a:person}.", "Everybody in Littlebrook knows {a:person}.",
    "A few words about {a:person}.",
]
# fmt: on


def one_of(s: Source, *phrasings: str) -> None:
    """Write one of the phrasings, drawing what is not known yet."""
    s.fill(s.pick(phrasings))


def biography(world: Village, s: Source) -> None:
    """Three to six facts of one resident, in any order and many phrasings."""
    one_of(s, *OPENERS)
    facts = list(SENTENCES)
    for _ in range(s.pick((3, 4, 5, 6))):
        fact = s.pick(facts)
        facts.remove(fact)
        s.write(" ")
        one_of(s, *SENTENCES[fact])


def aside(s: Source, phrasings: dict[str, list[str]]) -> None:
    """One fact about somebody who is already in the text."""
    s.write(" ")
    one_of(s, *phrasings[s.pick(list(phrasings))])


def story(world: Village, s: Source) -> None:
    """Somebody goes somewhere, something is lost or found, somebody helps."""
    one_of(
        s,
        "One {d:day} morning {a:resident} went to {p:place} to {:plan}.",
        "Last {s:season} {a:resident} walked to {p:place} to {:plan}.",
        "Early on {d:day} {a:resident} set out for {p:place} to {:plan}.",
        "It was {d:day}, and {a:resident} had gone to {p:place} to {:plan}.",
    )
    aside(s, SENTENCES)
    one_of(s, " That day {:weather}.", " Outside {:weather}.", " As so often, {:weather}.")
    one_of(
        s,
        " On the way {a.he} found {t:thing}.",
        " There {a.he} tripped over {t:thing}.",
        " Near {:place} {a.he} saw {t:thing} in the grass.",
        " Somebody had left {t:thing} there.",
    )
    one_of(
        s,
        " Then {b:resident} came along, looking {:mood}.",
        " {a.He} asked {b:resident}, who seemed {:mood}.",
        " By chance {b:resident} passed, {:mood} as ever.",
    )
    aside(s, GOSSIP)
    one_of(
        s,
        " Together they carried it to {:place}.",
        " They waited until {:hour} o'clock.",
        " {b} offered {:coins} for it.",
        " {b} said it belonged to {:resident}.",
        " In the end they gave it to {:resident}.",
    )
    s.fill(" {:verdict}")


def how_to(world: Village, s: Source) -> None:
    """How to make a dish or mend a thing: numbers, minutes and helpers vary, the order of the work does not."""
    if s.pick(("cook", "mend")) == "cook":
        s.fill("How to make {f:food}. ")
        one_of(
            s,
            "Take {n:number} handfuls of {x:ingredient} and some {y:ingredient}.",
            "You need {n:number} cups of {x:ingredient} and a little {y:ingredient}.",
            "Buy {x:ingredient} and {y:ingredient} for {:coins}.",
        )
        one_of(
            s,
            " Mix them well and wait {:number} minutes.",
            " Stir for {:number} minutes.",
            " Leave it on the stove for {:number} hours.",
        )
        one_of(
            s, " Add {z:ingredient} at the end.", " Never add {z:ingredient}.", " Some people add {z:ingredient} too."
        )
        one_of(s, " It is enough for {:number} people.", " Serve it on {:day}.", " It keeps for {:number} days.")
    else:
        s.fill("How to mend {t:thing}. ")
        one_of(
            s, "First clean it with {x:goods}.", "First borrow {t2:thing} to work with.", "First carry it to {p:place}."
        )
        one_of(
            s,
            " Then wait until {:day}.",
            " Then ask {:resident} to hold it.",
            " Then rub it with {y:goods} {:number} times.",
        )
        one_of(
            s,
            " Let it dry for {:number} hours.",
            " Work slowly, for {:number} hours at least.",
            " Test it after {:number} days.",
        )
        one_of(s, " A new one costs {:coins}.", " If it fails, buy one for {:coins}.", " You can sell it for {:coins}.")
    one_of(
        s,
        " If in doubt, ask {b:person}.",
        " Nobody does it better than {b:person}.",
        " This was taught to us by {b:person}.",
    )
    aside(s, GOSSIP)


def dialogue(world: Village, s: Source) -> None:
    """Two residents meet and talk about a third."""
    one_of(
        s,
        '"Good morning, {b:resident}," said {c:resident}.',
        '"Hello, {b:resident}," called {c:resident} from {:place}.',
        '"You look {:mood}, {b:resident}," said {c:resident}.',
    )
    one_of(s, ' "Where are you going?"', ' "Have you heard the news?"', ' "What do you need?"')
    one_of(
        s,
        ' "To {:place}, to {:plan}," said {b}.',
        ' "I am looking for {:thing}," said {b}.',
        ' "I have to {:plan} before {:hour}," said {b}.',
    )
    for _ in range(s.pick((1, 2))):
        fact = s.pick(list(QUESTIONS))
        s.write(' "')
        s.fill(s.pick(QUESTIONS[fact]).replace("{a.full}", "{a:person}"))
        s.write('" asked ')
        one_of(s, "{c}.", "{b}.")
        s.write(s.pick([' "Everybody knows that. ', ' "Let me think. ', ' "That is easy. ', ' "Why do you ask? ']))
        one_of(s, *SENTENCES[fact])
        s.write('"')
    one_of(
        s,
        ' "Thank you," said {c}, looking {:mood}.',
        ' "See you on {:day}," said {b}.',
        ' "I must go to {:place} now," said {c}.',
    )


def notice(world: Village, s: Source) -> None:
    """A card on the board at the market hall: lost, found, for sale, an invitation, a closure."""
    kind = s.pick(("lost", "found", "sale", "invitation", "closed"))
    if kind == "lost":
        s.fill("LOST: {t:thing}, last seen on {:day} near {:place}. ")
        one_of(s, "Reward: {:coins}.", "The finder gets {x:goods}.", "It was a present from {:resident}.")
    elif kind == "found":
        s.fill("FOUND: {t:thing}, on {:day} at {:hour} o'clock, behind {:place}. ")
        one_of(s, "It can be fetched at {:place}.", "It will be kept until {:month}.", "Who misses it?")
    elif kind == "sale":
        s.fill("FOR SALE: {t:thing} for {:coins}, and {x:goods} for {:coins}. ")
        one_of(s, "Come to {:place} on {:day}.", "Also wanted: {y:goods}.", "Only until {:day}.")
    elif kind == "invitation":
        s.fill("INVITATION: {:occasion} at {:place}, on {:day} at {:hour} o'clock. ")
        one_of(s, "Bring {x:goods}.", "Entry is {:coins}.", "There will be {f:food}.")
    else:
        s.fill("CLOSED: {p:place} is closed until {:day}, because {:reason}. ")
        one_of(s, "Use {:place} instead.", "Ask at {:place} for {x:goods}.", "We open again at {:hour}.")
    one_of(s, " Ask for {a:person}.", " Signed, {a:person}.", " Questions go to {a:person}.")
    aside(s, SENTENCES)


def question_page(world: Village, s: Source) -> None:
    """Questions that visitors ask, with answers: two to four residents, one fact each."""
    s.write(s.pick(["Questions and answers.", "Visitors often ask:", "From the letter box:"]))
    for _ in range(s.pick((2, 3, 4))):
        fact = s.pick(list(QUESTIONS))
        s.write("\nQ: ")
        s.fill(s.pick(QUESTIONS[fact]).replace("{a.full}", "{a:person}"))
        s.write("\nA: ")
        one_of(s, *SENTENCES[fact])


def chronicle_page(world: Village, s: Source) -> None:
    """Two to four events, each with its year: the year is known from the event, the event is drawn."""
    s.write(s.pick(["From the chronicle of Littlebrook.", "What happened in Littlebrook:", "The chronicle says:"]))
    events = list(world.chronicle)
    for _ in range(s.pick((2, 3, 4))):
        event = s.pick(events)
        events.remove(event)
        ways = [
            f"{event.what[0].upper()}{event.what[1:]} in the {event.season} of {event.year}.",
            f"We remember how {event.what}; that was in {event.year}, in {event.season}.",
            f"The year when {event.what} was {event.year}.",
        ]
        s.write(" " + s.pick(ways))


REGISTERS = {
    "From the village register, by trade, street and animal:": "{a.job}, {a.home}, {a.pet}",
    "Who brings what to the supper, dish, table cloth and entertainment:": "{a.food}, {a.colour}, {a.hobby}",
    "From the school book, pupils with teacher, street and favourite pastime:": "{a.mentor}, {a.home}, {a.hobby}",
    "For the tombola, prizes that would please, with colour, dish and animal:": "{a.colour}, {a.food}, {a.pet}",
    "Apprentices of old, with master and trade:": "{a.mentor}, {a.job}",
}


def register(world: Village, s: Source) -> None:
    """A list of three to five residents, the same three facts of each."""
    s.write(heading := s.pick(list(REGISTERS)))
    for k in range(s.pick((3, 4, 5))):
        s.fill(("\n- {a:person}: " + REGISTERS[heading]).replace("{a", "{a" + str(k)))


# fmt: off
KINDS = {
    "biography": biography, "story": story, "how-to": how_to, "dialogue": dialogue, "notice": notice,
    "question page": question_page, "chronicle": chronicle_page, "register": register,
}
# fmt: on


@dataclass(frozen=True)
class Document:
    text: str
    kind: str
    nll: float  # −log p in nats, of the kind too (it shows in the text)


def write_document(world: Village, s: Source) -> str:
    """Draw a kind and write it. Returns the kind; the text and its −log p are in the source."""
    kind = s.pick(list(KINDS))
    KINDS[kind](world, s)
    return kind


def document(world: Village, seed: str) -> Document:
    """The one document of that seed."""
    source = Source(world, seed)
    kind = write_document(world, source)
    return Document(source.text, kind, round(source.nll, 9))
