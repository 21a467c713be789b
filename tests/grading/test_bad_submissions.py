"""The table of bad submissions (bad/table.py), row by row: the outcome, the points it deserves, the flags, what is
said. Of the variants that are drawn (bad/draws.py) a few cheap ones of one seed; `course bench attacks` draws all anew
every day.
"""

import collections
import dataclasses

import pytest
from bad import draws, leaks, report, table
from bad.run import complaints, run

SEED = 7
# fmt: off
CHEAP = (3, 4, 5, 6, 7, 8, 9, 12, 15, 23, 25, 27, 29, 31, 36, 41, 42, 43, 44, 45, 46, 47, 48, 51, 53, 59, 60, 64, 67,
    70, 72, 73, 74, 79, 82, 84, 87, 89, 91)
# fmt: on


@pytest.fixture(scope="module")
def start(zygote):
    return zygote.spawn


@pytest.mark.parametrize(
    "bad",
    table.ROWS,
    ids=[
        f"{b.number:02} {table.NUMBERS[b.number]}: {b.label}".encode("ascii", "backslashreplace").decode()
        for b in table.ROWS
    ],
)
def test_bad_submission(bad, tmp_path, start):
    assert complaints(bad, run(bad, tmp_path, start)) == []


def test_every_number_of_the_list_is_there():
    assert set(range(1, 71)) == {b.number for b in table.ROWS} <= set(table.NUMBERS)
    assert len({(b.number, b.label) for b in table.ROWS}) == len(table.ROWS), "two rows with one name"


@pytest.mark.parametrize("number", CHEAP)
def test_a_drawn_variant(number, tmp_path, start):
    (bad,) = draws.drawn(number, SEED, 1)
    if not bad.scene:
        leaks.another_student(tmp_path)
    assert complaints(bad, run(bad, tmp_path, start)) == [], bad.label
    if not bad.scene:
        assert leaks.leaked(tmp_path, bad.lab) == [], bad.label


def test_every_number_is_a_kind_with_variants_of_a_seed():
    rows, again, other = draws.rows(1), draws.rows(1), draws.rows(2)
    counts = collections.Counter(bad.number for bad in rows)
    assert set(counts) == set(table.NUMBERS) == set(draws.DRAW) and min(counts.values()) >= 5 and len(rows) >= 320
    labels = [[(bad.number, bad.label) for bad in each] for each in (rows, again, other)]
    assert labels[0] == labels[1] and len(set(labels[0])) == len(rows)
    fixed = {(b.number, b.label) for b in table.ROWS}
    drawn, others = [
        {(n, text.split("] ", 1)[1]) for n, text in each if (n, text) not in fixed} for each in labels[::2]
    ]
    assert len(drawn & others) < 0.2 * len(drawn), "another seed draws the same"


def test_what_is_leaked_is_found(tmp_path, start):
    text = table.book(before=[f"print({leaks.OTHERS!r}, 'CANARY')"])
    run(dataclasses.replace(table.ROWS[0], make=lambda place: text), tmp_path, start)
    found = leaks.leaked(tmp_path, table.ROWS[0].lab)
    assert any("hidden input" in each for each in found) and any("another student" in each for each in found)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "U"},
        {"points": 1.5},
        {"points": None},
        {"flags": ("forged reply",)},
        {"says": "words that nobody says"},
        {"never": "todo"},
        {"statuses": {"surprise": "pass"}},
        {"after": lambda: "the disk is full"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_a_row_can_fail(changes):
    bad = table.ROWS[0]
    seen = {
        "outcome": "G",
        "points": 0.0,
        "flags": set(),
        "statuses": {"surprise": "todo", "entropy": "todo", "written_1": "needs_review"},
        "text": "todo 0 suggested",
        "trouble": [],
    }
    assert complaints(bad, seen) == [] and report.points_off(bad, seen) == (0.0, 0.0)
    assert complaints(dataclasses.replace(bad, **changes), seen)
    assert complaints(bad, {**seen, "flags": {"patched library"}}) and complaints(bad, {**seen, "trouble": ["x"]})


@pytest.mark.parametrize(
    "deserved, got, off",
    [
        (1.5, 0.75, (0.0, 0.75)),
        (0.75, 1.5, (0.75, 0.0)),
        (None, 0.5, (0.5, 0.0)),
        (None, 0.0, (1.0, 0.0)),
        (1.5, None, (0.0, 1.5)),
        (None, None, (0.0, 0.0)),
    ],
)
def test_points_that_are_off(deserved, got, off):
    assert report.points_off(dataclasses.replace(table.ROWS[0], points=deserved), {"points": got}) == off
