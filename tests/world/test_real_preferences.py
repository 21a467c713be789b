"""The hand-written preferences of the real-model sections: both answers true, one taste, no question in both splits."""

import pytest

from course_lib.world.real.preferences import directness, hedges_of, names_it, preference_rows, words_of

SPLITS = ("train", "test")
ROWS = [row for split in SPLITS for row in preference_rows(split)]


def test_splits_share_no_question():
    questions = [[row["prompt"][0]["content"] for row in preference_rows(split)] for split in SPLITS]
    assert [len(set(part)) for part in questions] == [40, 20] and not set(questions[0]) & set(questions[1])
    with pytest.raises(ValueError, match="choose train or test"):
        preference_rows("dev")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["prompt"][0]["content"])
def test_both_answers_are_right_and_one_is_direct(row):
    direct, winded = (row[side][0]["content"] for side in ("chosen", "rejected"))
    assert names_it(row, direct) and names_it(row, winded)
    assert words_of(direct) < 10 and hedges_of(direct) == 0 and hedges_of(winded) >= 2
    assert directness(direct) > 0 > directness(winded)


def test_the_rule_on_answers_by_hand():
    assert directness("A week has seven days.") == pytest.approx(0.75)
    assert directness("It depends, but usually seven.") == pytest.approx(1 - 0.25 - 0.5)
    assert directness("") == directness("  \n") == -1


def test_what_is_right_is_looked_for_from_the_start_of_a_word():
    week = next(row for row in ROWS if row["right"] == "seven|7")
    assert (
        names_it(week, "Seven days.")
        and names_it(week, "It has 7.")
        and not names_it(week, "It has 17.")
        and not names_it(week, "It has 70.")
        and not names_it(week, "")
    )
