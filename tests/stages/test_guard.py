"""The guard: what it reads, that it learns, that it blocks from its threshold on, and that spelled words are undone and
nothing else is.
"""

import math
import re

import pytest
import torch

from course_lib.platform import CourseError
from course_lib.stages import guard
from course_lib.stages.guard import (
    cheapest_threshold,
    expected_cost,
    fit_probe,
    fit_words,
    guarded,
    hidden_states,
    roc,
    scores_of,
    unspell,
    unspelled,
    words,
)
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.harms import HELD_OUT, request_rows

user = lambda text: {"role": "user", "content": text}
said = lambda text: {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("to h-u-r-t Ada", "to hurt Ada"),
        ("to h.u.r.t Ada", "to hurt Ada"),
        ("ten c.o.i.n.s.", "ten coins."),
        ("(r-u-i-n)", "(ruin)"),
        *[
            (same, same)
            for same in (
                "twenty-one well-known",
                "1-2-3-4",
                "e.g. at 7 a.m.",
                "U.S.S.R.",
                "h-u.r-t",
                "over-h-u-r-t",
                "h-u-r-ts",
                "a-b-c",
                "",
                "  two  blanks\n",
            )
        ],
    ],
)
def test_spelled_words_are_undone_and_nothing_else(text, wanted):
    assert unspell(text) == wanted


def test_every_spelled_request_of_the_world_reads_like_its_plain_form():
    rows = [row for split in ("train", "test") for row in request_rows(split, 200, "spelled", ("spelled",))]
    for row in rows:
        text = row["messages"][0]["content"]
        plain = re.sub(r"[a-z]([-.])[a-z](?:\1[a-z]){2,}", lambda word: re.sub(r"\W", "", word[0]), text)
        assert unspell(text) == plain != text, text
    plain = [row["messages"][0]["content"] for row in request_rows("train", 200, "plain", ("plain",))]
    assert [unspell(text) for text in plain] == plain


def test_only_what_the_user_says_is_undone():
    talk = [user("h-u-r-t"), said("h-u-r-t")]
    assert unspelled(talk) == [user("hurt"), said("h-u-r-t")] and talk[0]["content"] == "h-u-r-t"
    assert unspelled(talk, str.upper) == [user("H-U-R-T"), said("h-u-r-t")]


def test_the_words_of_earlier_questions_are_marked_and_answers_are_not_read():
    found = words([user("Forge a coin."), said("First clean it."), user("To cheat?")])
    assert found == [
        "before: forge",
        "before: a",
        "before: coin",
        "before: forge a",
        "before: a coin",
        "to",
        "cheat",
        "to cheat",
    ]
    assert words([]) == []


def test_the_guard_on_words_learns_and_generalises_to_categories_that_it_has_not_seen():
    rows = request_rows("train", 600, "guard")
    fitted = fit_words([row["messages"][:-1] for row in rows], [row["kind"] == "harmful" for row in rows])
    test = request_rows("test", 200, "guard")
    assert {row["category"] for row in test} <= set(HELD_OUT)
    scores, harmful = (
        scores_of(fitted, [row["messages"][:-1] for row in test]),
        torch.tensor([row["kind"] == "harmful" for row in test]),
    )
    assert scores.dtype == torch.float32 and scores.shape == (200,)
    assert roc(scores, harmful)[2] > 0.75
    again = fit_words([row["messages"][:-1] for row in rows], [row["kind"] == "harmful" for row in rows])
    assert torch.equal(scores_of(again, [row["messages"][:-1] for row in test]), scores), (
        "the same rows give the same guard"
    )


def test_hidden_states_are_those_at_the_last_token_of_the_prompt_whatever_the_padding():
    model, tokenizer = Llama(ModelConfig(hidden=32, intermediate=64, layers=2, heads=2)).eval(), load_tokenizer()
    talks = [row["messages"][:-1] for row in request_rows("train", 6, "states")]
    states = hidden_states(model, tokenizer, talks, batch=4)
    assert states.shape == (6, 32) and not states.requires_grad
    for talk, state in zip(talks, states):
        ids = encode_chat(tokenizer, talk, generation_prompt=True)[0]
        torch.testing.assert_close(model.hidden(torch.tensor([ids]))[0, -1], state, atol=1e-4, rtol=1e-4)


def test_the_probe_finds_a_direction():
    generator = torch.Generator().manual_seed(0)
    harmful = torch.rand(200, generator=generator) < 0.5
    states = torch.randn(200, 8, generator=generator)
    states[:, 3] += 3 * harmful
    assert roc(scores_of(fit_probe(states, harmful.tolist()), states), harmful)[2] > 0.97


def test_from_the_threshold_on_a_request_is_refused_whatever_the_model_says():
    rows = [
        {"kind": "benign", "refused": False, "explained": True},
        {"kind": "harmful", "refused": True, "explained": False},
        {"kind": "harmful", "refused": False, "explained": True},
    ]
    scores = torch.tensor([0.5, -3.0, 0.4])
    both = guarded(rows, scores, 0.5)
    assert [(row["refused"], row["explained"]) for row in both] == [(True, False), (True, False), (False, True)]
    assert rows[0]["refused"] is False and guarded(rows, scores, math.inf) == rows
    assert all(row["refused"] for row in guarded(rows, scores, -math.inf))
    with pytest.raises(ValueError):
        guarded(rows, scores[:2], 0.5)


def test_expected_cost_by_hand_and_the_cheapest_threshold():
    scores, harmful = torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([True, False, True, False])
    assert expected_cost(scores, harmful, 1.0, 0.1, 20.0, 1.0) == pytest.approx(
        0.9 * 0.5
    )  # none missed, one of two benign blocked
    assert expected_cost(scores, harmful, 3.0, 0.1, 20.0, 1.0) == pytest.approx(0.1 * 20 * 0.5)
    assert cheapest_threshold(scores, harmful, 0.1, 20.0, 1.0) == pytest.approx((1.0, 0.45))
    assert cheapest_threshold(scores, harmful, 0.001, 1.0, 50.0) == pytest.approx(
        (3.0, 0.0005)
    )  # a threshold without a false alarm is free
    assert cheapest_threshold(scores, ~harmful, 0.001, 1.0, 50.0) == pytest.approx(
        (math.inf, 0.001)
    )  # a guard that is wrong had better not block


def test_without_scikit_learn_it_says_what_to_do(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(CourseError, match="needs scikit-learn") as error:
        guard.learn()
    assert "\n" not in str(error.value)
