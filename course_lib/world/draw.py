"""Draws for the rows of a split: which residents and which phrasings it may use."""

from functools import cache

from course_lib.world.residents import FACTS, Resident, Village, village
from course_lib.world.source import Source
from course_lib.world.words.phrasings import STRANGERS, SYLLABLES
from course_lib.world.words.pools import POOLS


@cache
def held_out() -> frozenset[str]:
    """First names of the 60 residents whom no fine-tuning row mentions: every fourth of the first 240, but for the
    mentors, who are values of a fact.
    """
    world = village()
    mentors = {person.facts["mentor"] for person in world.residents}
    return frozenset([person.first for person in world.residents if person.first not in mentors][2::4][:60])


@cache
def known_by_name(unseen: bool) -> list[Resident]:
    """The residents whom fine-tuning mentions, so that an assistant can call them by name: a fifth of them (`unseen`)
    to examine later training on, the others to train on.
    """
    known = [person for person in village().residents if person.first not in held_out()]
    return [person for k, person in enumerate(known) if (k % 5 == 4) == unseen]


def values_of(fact: str) -> list[str]:
    return POOLS[fact] if fact != "mentor" else sorted({p.facts["mentor"] for p in village().residents})


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
        surname = self.pick(self.people).surname
        return Resident(first, surname, pronoun, {fact: self.pick(values_of(fact)) for fact in FACTS})
