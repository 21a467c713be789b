"""The residents of Littlebrook, their facts, and the chronicle of the village.

Everything here is a pure function of the seed. Facts are drawn independently of each other, of the name and of the
pronoun, so that nothing but knowing the resident tells a fact. `village()` is Littlebrook on the last day of CUT_OFF;
what changes after it is in news.py.
"""

import random
from dataclasses import dataclass, field
from functools import cache

from course_lib.world.words.pools import ACTIONS, FEMALE, LANDMARKS, MALE, POOLS, SURNAMES

CUT_OFF = 2024  # the documents of the pre-training corpus know nothing of later years
MENTORS = 12  # residents who taught all the others
FACTS = ("job", "home", "pet", "food", "colour", "hobby", "mentor")


@dataclass(frozen=True, eq=False)
class Resident:
    first: str
    surname: str
    pronoun: str  # "he" or "she"
    facts: dict[str, str] = field(repr=False)  # FACTS → value; `mentor` is a first name

    @property
    def full(self) -> str:
        return f"{self.first} {self.surname}"

    def word(self, attribute: str) -> str:
        """What `{a.attribute}` writes in a template: '' first name, full, he/He/his/His/him, or a fact."""
        if attribute == "":
            return self.first
        if attribute == "full":
            return self.full
        if attribute in self.facts:
            return self.facts[attribute]
        return PRONOUNS[self.pronoun][attribute]


PRONOUNS = {
    "he": {"he": "he", "He": "He", "his": "his", "His": "His", "him": "him"},
    "she": {"he": "she", "He": "She", "his": "her", "His": "Her", "him": "her"},
}


@dataclass(frozen=True)
class Event:
    year: int
    season: str
    what: str  # "the mill burned down"


@dataclass(frozen=True, eq=False)
class Village:
    residents: tuple[Resident, ...]
    chronicle: tuple[Event, ...]  # events up to the cut-off, in order of time

    def resident(self, first: str) -> Resident:
        """The resident of that first name (first names are unique). KeyError if there is none."""
        for person in self.residents:
            if person.first == first:
                return person
        raise KeyError(f"nobody in Littlebrook is called {first!r}")


@cache
def village(seed: int = 0, residents: int = 300) -> Village:
    """Littlebrook at the knowledge cut-off. `residents` < the default gives a smaller village (tests)."""
    draw = random.Random(f"littlebrook village {seed}").random

    def pick(options):
        return options[int(draw() * len(options))]

    def shuffled(options):
        keyed = [(draw(), k) for k in range(len(options))]
        return [options[k] for _, k in sorted(keyed)]

    names = shuffled([(n, "she") for n in FEMALE] + [(n, "he") for n in MALE])[:residents]
    people = []
    for first, pronoun in names:
        facts = {fact: pick(POOLS[fact]) for fact in FACTS if fact != "mentor"}
        facts["mentor"] = pick([name for name, _ in names[:MENTORS] if name != first])
        people.append(Resident(first, pick(SURNAMES), pronoun, facts))

    happenings = shuffled([f"{landmark} {action}" for landmark in LANDMARKS for action in ACTIONS])
    events = [Event(1950 + int(draw() * 75), pick(POOLS["season"]), what) for what in happenings[:60]]

    def by_time(event):
        return event.year, POOLS["season"].index(event.season), event.what

    return Village(tuple(people), tuple(sorted(events, key=by_time)))
