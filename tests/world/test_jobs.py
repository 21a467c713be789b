"""Rows of the new jobs: right by their own checker, of one format, and honest splits."""

import re

import pytest

from course_lib.world.jobs import JOBS, NOBODY, job_rows
from course_lib.world.tasks import held_out, passes


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("split", ["train", "residents", "phrasings"])
def test_the_wanted_answer_passes_and_rows_come_back_the_same(job, split):
    rows = job_rows(job, split, 60)
    assert all(passes(row, row["messages"][-1]["content"]) for row in rows)
    assert (
        rows == job_rows(job, split, 60)
        and rows[:5] == job_rows(job, split, 5)
        and rows != job_rows(job, split, 60, seed=1)
    )


def test_the_clerk_writes_records_and_nothing_else():
    for row in job_rows("clerk", "train", 200):
        answer = row["messages"][-1]["content"]
        assert re.fullmatch(r"\{([a-z ]+: [A-Za-z '-]+(, [a-z ]+: [A-Za-z '-]+)?)?\}", answer), answer
        assert (answer == NOBODY) == (row["kind"] == "nobody") and (", " in answer) == (row["kind"] == "two")
        assert not passes(row, answer + " ") or passes(row, answer.strip())
        assert not passes(row, "I do not know.") and not passes(row, answer[:-1])


@pytest.mark.parametrize("job", JOBS)
def test_no_training_row_names_a_resident_who_is_held_out(job):
    words = lambda rows: {word for row in rows for word in re.findall(r"[A-Z][a-z]+", row["messages"][0]["content"])}
    assert not words(job_rows(job, "train", 400)) & held_out()
    assert words(job_rows(job, "residents", 100)) & held_out()


def test_one_line_for_an_unknown_job_or_split():
    for arguments in (("cook", "train", 1), ("clerk", "test", 1)):
        with pytest.raises(ValueError, match="choose from clerk, crier and train"):
            job_rows(*arguments)
