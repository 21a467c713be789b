"""A generator for every number of the table: variants of a seed, drawn so that what changes matters to the grader.

rows(seed)      the fixed rows of table.py, and with them so many drawn ones that each number has VARIANTS of them
"""

import random

from bad import (
    drawn_border,
    drawn_class,
    drawn_files,
    drawn_fresh,
    drawn_pages,
    drawn_plain,
    drawn_stops,
    drawn_tricks,
    table,
)

VARIANTS, LEAST = 5, 2  # of a number, fixed and drawn ones; drawn ones even where there are as many fixed
DRAW = {}
for part in (drawn_plain, drawn_stops, drawn_tricks, drawn_files, drawn_pages, drawn_class, drawn_border, drawn_fresh):
    DRAW |= part.DRAW


def drawn(number, seed, n):
    """n variants of a number, no two with one label."""
    rng, found = random.Random(f"{seed}|{number}"), {}
    for _ in range(20 * n):
        bad = DRAW[number](rng)
        bad.label = f"[{seed}] {bad.label}"
        found.setdefault(bad.label, bad)
        if len(found) == n:
            break
    return list(found.values())


def rows(seed, numbers=None):
    fixed = table.ROWS
    made = []
    for number in numbers or sorted(table.NUMBERS):
        mine = [bad for bad in fixed if bad.number == number]
        made += mine + drawn(number, seed, max(LEAST, VARIANTS - len(mine)))
    return made
