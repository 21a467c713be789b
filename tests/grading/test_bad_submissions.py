"""The table of bad submissions (bad/table.py), row by row: the outcome, the points it deserves, the flags, what is said."""

import pytest
from bad import report, table
from bad.run import complaints, run


@pytest.fixture(scope="module")
def start(box):
    with report.sandboxes() as start:
        yield start


@pytest.mark.parametrize("bad", table.ROWS, ids=[f"{b.number:02} {table.NUMBERS[b.number]}: {b.label}".encode("ascii", "backslashreplace").decode() for b in table.ROWS])
def test_bad_submission(bad, tmp_path, start):
    assert complaints(bad, run(bad, tmp_path, start)) == []


def test_every_number_of_the_list_is_there():
    assert {b.number for b in table.ROWS} == set(table.NUMBERS) >= set(range(1, 65))
    assert len({(b.number, b.label) for b in table.ROWS}) == len(table.ROWS), "two rows with one name"
