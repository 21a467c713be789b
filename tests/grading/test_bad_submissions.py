"""The table of bad submissions (bad/table.py), row by row: the outcome, the points it deserves, the flags, what is
said.
"""

import dataclasses

import pytest
from bad import report, table
from bad.run import complaints, run


@pytest.fixture(scope="module")
def start(box):
    with report.sandboxes() as start:
        yield start


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
    assert {b.number for b in table.ROWS} == set(table.NUMBERS) >= set(range(1, 65))
    assert len({(b.number, b.label) for b in table.ROWS}) == len(table.ROWS), "two rows with one name"


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
