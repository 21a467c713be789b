"""Randomness that keeps its own books: every draw adds −log p to the text that it shapes.

A document is written by a plain function `write(world, source)` which draws (`pick`, `fill`) and writes. The product of
the probabilities of its draws is an exact fraction, so −log p of a document is known without any model. Three sources
have the same interface:
  Source    draws from a seed                                   → the documents of the course
  Replay    takes the draws from a list                         → enumerates a (shrunken) grammar exhaustively
  Match     follows only draws that agree with a given text     → the probability of a text, over all its derivations
The last two are the independent check of the first (tests/world): probabilities sum to 1, and no text has two
derivations.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from string import Formatter

from course_lib.world.residents import Resident
from course_lib.world.words.pools import POOLS


@cache
def parse(template: str) -> tuple[tuple[str, str | None, str | None], ...]:
    """`'{p:place}.'` → (('', 'p', 'place'), ('.', None, None)): literal text, name, pool."""
    return tuple((literal, name, pool) for literal, name, pool, _ in Formatter().parse(template))


class Source:
    """Draws from a seed. `text` is what is written so far, `ways` is 1/p of the draws so far (an exact integer)."""

    def __init__(self, world, seed: str):
        self.world, self.text, self.ways, self.bound = world, "", 1, {}
        # Seeding by a string hashes it (sha512), and random() is MT19937: both are the same on every Python 3.
        self._random = random.Random(seed).random

    @property
    def nll(self) -> float:
        """−log p of the draws so far, in nats."""
        return math.log(self.ways)

    def index(self, n: int) -> int:
        return int(self._random() * n)

    def pick(self, options: Sequence):
        """One of `options`, uniformly."""
        self.ways *= len(options)
        return options[self.index(len(options))]

    def write(self, text: str) -> None:
        self.text += text

    def fill(self, template: str, **people: Resident) -> None:
        """Write a template from left to right, drawing what is not known yet.

        `{a}` a bound person's first name · `{a.full}` full name · `{a.he}` `{a.His}` … pronouns · `{a.job}` a fact ·
        `{p:place}` draws from the pool `place`, never a value already bound in this document, and binds it to p ·
        `{:day}` draws without binding · `{b:resident}` draws another resident (first name), `{b:person}` (full name).
        """
        self.bound.update(people)
        for literal, name, pool in parse(template):
            if literal:
                self.write(literal)
            if pool:
                value = self.draw(pool)
                if name:
                    self.bound[name] = value
                self.write(value if isinstance(value, str) else value.full if pool == "person" else value.first)
            elif name:
                key, _, attribute = name.partition(".")
                value = self.bound[key]
                self.write(value if isinstance(value, str) else value.word(attribute))

    def draw(self, pool: str):
        options = self.world.residents if pool in ("resident", "person") else POOLS[pool]
        taken = [v for v in self.bound.values() if v in options]
        return self.pick([v for v in options if v not in taken] if taken else options)


class Dead(Exception):
    """This branch cannot produce the wanted text."""


class Replay(Source):
    """Takes draw k from `path[k]` (0 beyond its end) and notes how many options each draw had.

    `shrink(k, n)` says how many of draw k's n options remain in a shrunken grammar.
    """

    def __init__(self, world, path: Sequence[int], shrink: Callable[[int, int], int] = lambda k, n: n):
        self.world, self.text, self.ways, self.bound = world, "", 1, {}
        self.path, self.widths, self.shrink = path, [], shrink

    def pick(self, options: Sequence):
        k = len(self.widths)
        n = self.shrink(k, len(options))
        self.widths.append(n)
        self.ways *= n
        return options[self.path[k] if k < len(self.path) else 0]


class Match(Replay):
    """A replay that gives up as soon as what it wrote is no beginning of `target`."""

    def __init__(self, world, path: Sequence[int], target: str):
        super().__init__(world, path)
        self.target = target

    def write(self, text: str) -> None:
        if not self.target.startswith(text, len(self.text)):
            raise Dead
        super().write(text)


def next_path(path: Sequence[int], widths: Sequence[int]) -> list[int] | None:
    """The next path in depth-first order, or None after the last: [0, 1], widths [2, 2] → [1]."""
    full = list(path) + [0] * (len(widths) - len(path))
    for k in range(len(widths) - 1, -1, -1):
        if full[k] + 1 < widths[k]:
            return full[:k] + [full[k] + 1]
    return None


def enumerate_texts(world, write: Callable, shrink: Callable[[int, int], int]) -> Iterator[tuple[str, int]]:
    """Every derivation of a shrunken grammar, as (text, 1/p)."""
    path: list[int] | None = []
    while path is not None:
        replay = Replay(world, path, shrink)
        write(world, replay)
        yield replay.text, replay.ways
        path = next_path(path, replay.widths)


def derivations(world, write: Callable, text: str) -> list[int]:
    """1/p of each derivation of `text` under the full grammar. One entry means that −log p of the text is exact."""
    found, path = [], []
    while path is not None:
        match = Match(world, path, text)
        try:
            write(world, match)
            if match.text == text:
                found.append(match.ways)
        except Dead:
            # the draws past the failing one were never made, so the deepest one made is advanced
            pass
        path = next_path(path, match.widths)
    return found
