"""Questions of several steps: the chain solves them, the checker is exact, nothing held out is in a training row."""

import re
from collections import Counter

import pytest

from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world import reasoning as r
from course_lib.world.draw import held_out, known_by_name


def rows_of(split, n=240):
    return r.question_rows(split, n, "test")


def chain(row):
    return row["messages"][-1]["content"]


@pytest.mark.parametrize("split", r.SPLITS)
def test_the_chain_is_true_right_and_as_long_as_said(split):
    for row in rows_of(split):
        steps = r.steps_of(chain(row))
        assert len(steps) == row["steps"] and all(r.step_is_true(row, step) is True for step in steps), row
        assert r.right(row, chain(row)) and r.faithful(row, chain(row))
        assert not r.right(row, row["slip"]) and all(r.step_is_true(row, step) for step in r.steps_of(row["slip"]))
        assert row["check"]["answer"] in row["check"]["options"]


def test_kinds_come_by_turns_and_the_same_row_twice():
    counts = Counter(row["kind"] for row in rows_of("residents"))
    assert set(counts) == set(r.TRAINED) and set(counts.values()) == {240 // len(r.TRAINED)}
    assert Counter(row["kind"] for row in rows_of("kinds")) == {kind: 48 for kind in r.HELD_OUT}
    assert rows_of("train", 9) == rows_of("train", 12)[:9] != r.question_rows("train", 9, "other")
    with pytest.raises(ValueError, match="choose one of train, residents, kinds"):
        r.question_rows("test", 1)


def test_what_is_held_out_stands_in_no_training_row():
    asked = {person.first for person in known_by_name(True)}
    assert len(asked) == 48 and not asked & {person.first for person in known_by_name(False)} and not asked & held_out()
    trained = " ".join(row["messages"][0]["content"] for row in rows_of("train", 2_000))
    assert not asked & set(re.findall(r"[A-Z][a-z]+", trained))
    for way, fact in r.UNASKED.items():
        words = {row["messages"][0]["content"] for row in rows_of("train", 2_000) if row["kind"] == way}
        assert words and not any(f"the {r.WORDS[fact]}" in text or f"{r.WORDS[fact]}?" in text for text in words)
    assert {row["steps"] for row in rows_of("train") if row["kind"].startswith("coins")} == {2, 4}


def test_no_wording_gives_the_answer_away():
    """Over many questions of a way the answers are spread as the facts are: no phrasing has one of its own."""
    for way in r.WAYS:
        those = [row for row in rows_of("train", 6_000) if row["kind"] == way]
        most = Counter(row["check"]["answer"] for row in those).most_common(1)[0][1]
        assert most < 0.1 * len(those)


def test_one_villager_in_three_slips():
    rows = r.villagers_rows(1_200)
    slips = [not r.right(row, chain(row)) for row in rows]
    assert 0.29 < sum(slips) / len(slips) < 0.38
    assert all((chain(row) == row["slip"]) == slip for row, slip in zip(rows, slips))


def test_the_checker():
    row = next(row for row in rows_of("residents") if row["kind"] == "teacher")
    good, answer = chain(row), row["check"]["answer"]
    assert r.answer_of(good) == answer and all(r.answer_of(text) is None for text in ("no word of it", "Answer: ."))
    other = next(option for option in row["check"]["options"] if option != answer)
    for text in (
        f"Answer: {other}",
        f"Answer: {other}, {answer}",
        f"Answer: {answer} or {other}",
        f"Answer: {other} Answer: {answer}",
        f"{answer}",
        f"It is {answer}. Answer:",
        f"It is {answer}. Answer: Answer: {answer}",
        f"answer: {answer}",
        good + "..",
        good + " That is it.",
        "",
    ):
        assert not r.right(row, text), text
    for text in (
        f"Answer: {answer}",
        f"I guess so. Answer: {answer} ",
        f"Answer:{answer.upper()}",
        f"It is {other}.\nAnswer:\n{answer}. ",
    ):
        assert r.right(row, text), text
    at_home = next(row for row in rows_of("residents") if row["check"]["answer"] != row["check"]["answer"].lower())
    assert r.right(at_home, chain(at_home)), "an answer with capitals of its own"
    assert not r.faithful(row, f"Answer: {answer}"), "right, and without a step"


def test_the_truth_of_a_statement():
    told = "Now Ada Cobb is the neighbour of Hugh Marlow. What is the pet of Hugh's neighbour? Think first."
    row = {"messages": [{"role": "user", "content": told}]}
    person = known_by_name(False)[0]
    assert r.step_is_true(row, "The neighbour of Hugh is Ada.") is True
    assert r.step_is_true(row, "The neighbour of Ada is Hugh.") is False
    assert r.step_is_true(row, f"The job of {person.first} is {person.facts['job']}.") is True
    assert r.step_is_true(row, f"The job of {person.first} is a king.") is False
    assert r.step_is_true(row, f"The teacher of {person.first} is {person.facts['mentor']}.") is True
    assert r.step_is_true(row, "Now five and three is eight.") is True
    assert r.step_is_true(row, "Now five without three is eight.") is False
    for text in ("The shoe of Ada is red.", "The job of Nobody is a baker.", "Now many and one is more.", "Well then."):
        assert r.step_is_true(row, text) is None, text


def test_no_chain_is_longer_than_an_answer_may_be():
    tokenizer = load_tokenizer()
    for split in r.SPLITS:
        for row in rows_of(split):
            ids, mask = encode_chat(tokenizer, row["messages"])
            assert sum(mask) <= 48, chain(row)
