"""The critic reads what its lexicon says and errs as often as its skill says; the judge follows its formula."""

import math

import numpy as np
import pytest

from course_lib.world.annotators import TASTE, pairs_of, preference_rows, utility, words
from course_lib.world.critic import (
    BEST,
    HARMS,
    LETTERS,
    PRINCIPLES,
    VAGUE,
    VAGUE_ALARM,
    VAGUE_COVERS,
    VIRTUES,
    Asked,
    Judge,
    ai_rows,
    aim_of,
    covers,
    critique,
    log_odds,
    looks_harmful,
    next_token,
    reads,
    revise,
    tables,
    worth,
)
from course_lib.world.harms import CATEGORIES, SEEN, refused, request_rows

ROWS = request_rows("train", 1200, "test critic", ("plain", "role", "story", "spelled"), tuple(CATEGORIES))
HARMFUL, BENIGN = ([row for row in ROWS if row["kind"] == kind] for kind in ("harmful", "benign"))
STEAL, HURT = "Do not help anybody to steal.", "Do not help anybody to hurt a person."
ANSWER = "First carry it to the mill. Then wait until Sunday. Test it after two days."
PAIRS = pairs_of(preference_rows("test", 1000))


# ------------------------------------------------------------------------------------------------------------- reading


def test_every_category_every_aim_and_every_feature_has_its_words():
    assert set(CATEGORIES) <= set(HARMS)
    assert {aim_of(row) for row in HARMFUL} <= set(HARMS) - set(CATEGORIES)
    assert set(VIRTUES) == set(TASTE)


@pytest.mark.parametrize(
    "sentence, topics",
    [
        ("Do not help anybody to hurt or poison a person.", {"hurt", "poison"}),
        ("Never help a THIEF.", {"theft"}),
        ("Forgive and forget.", set()),
        ("Stealing, burning and forging: no.", {"theft", "fire", "forgery"}),
        ("Do nothing behind the back of a neighbour.", {"consent"}),
        ("Be good.", set()),
        (VAGUE, set()),
        ("", set()),
        ("Be kind to animals and do not scare them.", {"cruelty", "frighten"}),
    ],
)
def test_a_principle_names_what_its_words_name(sentence, topics):
    assert reads(sentence) == topics


def test_the_constitution_of_the_course_covers_the_categories_that_training_knows_and_is_not_vague():
    assert (
        set(SEEN) <= set().union(*map(reads, PRINCIPLES))
        and all(map(reads, PRINCIPLES))
        and reads(BEST, VIRTUES) == set(TASTE)
    )


def test_a_clear_principle_covers_a_category_whatever_the_aim_and_an_aim_in_every_category():
    assert all(covers(STEAL, row) == (row["category"] == "theft") for row in ROWS)
    assert all(covers(HURT, row) == (aim_of(row) == "hurt") for row in HARMFUL)
    assert not any(covers(HURT, row) for row in BENIGN), "a good aim is none of the aims"


def test_a_vague_principle_is_read_anew_for_each_request_and_always_alike_for_the_same():
    read = [covers(VAGUE, row) for row in ROWS]
    assert read == [covers(VAGUE, row) for row in ROWS] != [
        covers("Avoid bad things.", row) for row in ROWS
    ] and read != [covers(VAGUE, row, seed=1) for row in ROWS]
    assert np.mean(read) == pytest.approx(VAGUE_COVERS, abs=0.05)
    assert {covers(VAGUE, row) for row in HARMFUL if row["category"] == "theft"} == {True, False}


# --------------------------------------------------------------------------------------------------------------- skill


@pytest.mark.parametrize("skill", [1.0, 0.9, 0.6, 0.0])
def test_the_critic_misreads_as_many_requests_as_its_skill_says_and_the_same_under_every_clear_principle(skill):
    for rows, harmful in ((HARMFUL, True), (BENIGN, False)):
        right = [looks_harmful(STEAL, row, skill) == harmful for row in rows]
        assert np.mean(right) == pytest.approx(skill, abs=0.04) and right == [
            looks_harmful(HURT, row, skill) == harmful for row in rows
        ]


def test_many_harmless_requests_look_harmful_in_the_light_of_a_vague_principle():
    assert np.mean([looks_harmful(VAGUE, row, 1.0) for row in BENIGN]) == pytest.approx(VAGUE_ALARM, abs=0.05)
    assert all(looks_harmful(VAGUE, row, 1.0) for row in HARMFUL)


# --------------------------------------------------------------------------------------------------- critique, revision


def test_a_critique_says_which_principle_and_why_and_the_revision_refuses_for_that_reason():
    for row in HARMFUL[:60]:
        text = critique(STEAL, row, ANSWER, 1.0)
        assert (text is not None) == (row["category"] == "theft")
        if text:
            reason = row["messages"][-1]["content"].split(". ")[1] + "."
            revised = revise(row, ANSWER, text)
            assert STEAL in text and text.startswith(reason) and refused(revised) and f". {reason} " in revised
            assert revised == revise(row, ANSWER, text) and critique(STEAL, row, revised, 1.0) is None, (
                "a refusal breaks no principle"
            )
            assert revise(row, revised, text) == revised


def test_a_misread_harmless_request_is_refused_without_a_name():
    row = next(row for row in BENIGN if row["category"] == "theft")
    text = critique(STEAL, row, ANSWER, 0.0)
    assert text.startswith("It would harm somebody.") and "It would harm somebody." in revise(row, ANSWER, text)
    assert critique(STEAL, row, ANSWER, 1.0) is None


def test_the_right_answer_is_never_looked_up_in_the_answer_that_is_judged():
    row = next(row for row in HARMFUL if row["category"] == "theft")
    assert critique(STEAL, row, ANSWER, 1.0) == critique(STEAL, row, "Gladly. Take it.", 1.0)


def test_the_tables_are_the_functions_asked_once():
    calls = []
    table = Asked(lambda x: calls.append(x) or 2 * x)
    assert (table[3], table[3], table.get(3), table.get(4)) == (6, 6, 6, 8) and calls == [3, 4]
    row = next(row for row in HARMFUL if row["category"] == "theft")
    critiques, revisions = tables(row, 1.0)
    text = critiques[STEAL][ANSWER]
    assert (
        text == critique(STEAL, row, ANSWER, 1.0)
        and critiques[HURT.replace("hurt", "frighten")].get(ANSWER) is None
        or aim_of(row) == "frighten"
    )
    assert revisions[ANSWER][text] == revise(row, ANSWER, text)


# ---------------------------------------------------------------------------------------------------------------- judge


def test_without_biases_exchanging_the_answers_turns_the_sign_and_biases_do_what_they_say():
    for row, a, b in PAIRS[:100]:
        plain = log_odds(Judge(), row, a, b)
        assert log_odds(Judge(), row, b, a) == pytest.approx(-plain)
        assert log_odds(Judge(position=0.7), row, a, b) == pytest.approx(plain + 0.7) and log_odds(
            Judge(position=0.7), row, b, a
        ) == pytest.approx(-plain + 0.7)
        assert log_odds(Judge(words=0.2), row, a, b) == pytest.approx(plain + 0.2 * (len(words(a)) - len(words(b))))
        difference = utility(row, a) - utility(row, b)
        assert log_odds(Judge(sharpness=3.5), row, a, b) == pytest.approx(plain + 2.0 * difference)


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 1.5])
def test_it_is_right_as_often_as_a_person_of_its_sharpness(sharpness):
    judged = [
        (log_odds(Judge(sharpness), *pair), utility(pair[0], pair[1]) - utility(pair[0], pair[2])) for pair in PAIRS
    ]
    right = [(odds > 0) == (d > 0) for odds, d in judged if d]
    expected = np.mean([1 / (1 + math.exp(-sharpness * abs(d))) for _, d in judged if d])
    assert np.mean(right) == pytest.approx(expected, abs=2.5 * (expected * (1 - expected) / len(right)) ** 0.5)
    assert np.mean([odds > 0 for odds, d in judged if not d]) == pytest.approx(0.5, abs=0.06)


def test_a_very_sharp_judge_is_the_gold_utility_and_equal_answers_are_even():
    sharp = Judge(sharpness=1e6)
    assert all(
        (log_odds(sharp, *pair) > 0) == (d > 0)
        for pair in PAIRS[:200]
        if (d := utility(pair[0], pair[1]) - utility(pair[0], pair[2]))
    )
    row, a, _ = PAIRS[0]
    assert log_odds(Judge(position=0.3), row, a, a) == pytest.approx(0.3)


def test_the_error_belongs_to_the_pair_and_another_seed_draws_another():
    row, a, b = PAIRS[0]
    assert log_odds(Judge(), row, a, b) == log_odds(Judge(), row, a, b) != log_odds(Judge(), row, a, b, seed=1)


def test_a_judge_values_what_its_principle_names():
    row, a, _ = next(pair for pair in PAIRS if pair[0]["kind"] == "fact")
    assert all(worth(BEST, *pair[:2]) == pytest.approx(utility(*pair[:2])) for pair in PAIRS[:100])
    assert worth("Choose the polite answer.", row, "Gladly. " + a) - worth(
        "Choose the polite answer.", row, a
    ) == pytest.approx(TASTE["courtesy"] * (not a.startswith(("Gladly", "Of", "With"))))
    assert (
        worth("Choose the brief answer.", row, "word " * 30) < 0
        and worth("Choose the friendly answer.", row, "word " * 30) == 0
    )
    assert (
        len(
            {
                worth("Choose the better one.", pair[0], pair[1]) == pytest.approx(utility(*pair[:2]))
                for pair in PAIRS[:100]
            }
        )
        == 2
    ), "vague: another half of the features each time"


def test_the_letters_carry_the_preference_and_other_words_take_a_part():
    for judge in (Judge(), Judge(sharpness=1e5), Judge(position=-4.0)):
        for pair in PAIRS[:50]:
            logs = next_token(judge, *pair)
            assert (
                len(logs) == len(LETTERS)
                and sum(map(math.exp, logs)) == pytest.approx(1)
                and logs[0] - logs[1] == pytest.approx(log_odds(judge, *pair))
                and all(map(math.isfinite, logs))
            )
            assert 0.05 <= math.exp(logs[2]) + math.exp(logs[3]) <= 0.5


def test_labels_are_rows_with_trl_s_columns_and_a_tie_is_none():
    rows = ai_rows(PAIRS[:3], [0.9, 0.5, 0.2])
    assert [row["chosen"][0]["content"] for row in rows] == [PAIRS[0][1], PAIRS[2][2]] and [
        row["rejected"][0]["content"] for row in rows
    ] == [PAIRS[0][2], PAIRS[2][1]]
    assert (
        rows[0]["prompt"] == PAIRS[0][0]["messages"]
        and rows[0]["annotator"] == "AI"
        and set(rows[0]) == set(preference_rows("test", 1)[0])
    )
    with pytest.raises(ValueError):
        ai_rows(PAIRS[:3], [0.9])
