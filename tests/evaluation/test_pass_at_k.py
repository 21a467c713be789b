"""pass@k, votes, costs, and chances that are exact without a sample."""

import itertools
import math

import pytest
import torch

from course_lib.evaluation.reasoning import (
    at_once,
    chain_chance,
    figures,
    majority,
    pass_at_k,
    text_logprobs,
    tokens_a_right_answer,
    tries,
)
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.reasoning import question_rows

MODEL = Llama(
    ModelConfig(vocabulary=load_tokenizer().get_vocab_size(), hidden=32, intermediate=64, layers=1, heads=2), 1
)


def test_pass_at_k_is_the_share_of_the_subsets_with_a_right_one():
    for n, found in ((5, 0), (5, 1), (5, 3), (5, 5)):
        for k in range(1, n + 1):
            subsets = list(itertools.combinations([True] * found + [False] * (n - found), k))
            assert pass_at_k(found, n, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_k_is_unbiased_where_the_plug_in_is_not():
    p, n, k = 0.3, 6, 4
    chance = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    assert sum(w * pass_at_k(c, n, k) for c, w in enumerate(chance)) == pytest.approx(1 - (1 - p) ** k)
    assert sum(w * (1 - (1 - c / n) ** k) for c, w in enumerate(chance)) < 1 - (1 - p) ** k - 0.04
    with pytest.raises(ValueError, match="from 1 to 6"):
        pass_at_k(2, n, 7)


def test_a_vote():
    assert majority(["b", "a", "a", None, None, None]) == "a" and majority(["b", "a"]) == "b"
    assert majority([None, None]) is None and majority([]) is None


def test_costs():
    assert tokens_a_right_answer([10, 20, 30], [True, False, True]) == 30
    assert tokens_a_right_answer([10], [False]) == math.inf


def test_chances_are_exact():
    """The options' chances are those of a softmax over their log-probabilities, and a text's is the product of its
    tokens'.
    """
    rows = question_rows("residents", 6)
    found = at_once(MODEL, rows)["pass"]
    assert 0 < found[1] < 0.5 and sorted(found.values()) == [*found.values()] and found[32] < 1
    row = rows[4]
    assert row["kind"] == "coins, 2 changes"
    asked = row["messages"][0]["content"].removesuffix(" Think first.")
    logprobs = text_logprobs(MODEL, [asked] * 9, [f"Answer: {option}" for option in row["check"]["options"]])
    p = logprobs.softmax(0)[row["check"]["options"].index(row["check"]["answer"])].item()
    alone = at_once(MODEL, [row])["pass"]
    assert alone[1] == pytest.approx(p, abs=1e-5) and alone[8] == pytest.approx(1 - (1 - p) ** 8, abs=1e-4)
    chances = text_logprobs(MODEL, *([row["messages"][k]["content"] for row in rows] for k in (0, 1))).exp()
    assert chain_chance(MODEL, rows) == pytest.approx(chances.mean().item()) and chances.max() < 1e-3


def test_log_probabilities_are_those_of_the_tokens():
    from course_lib.stages.sft import encode_chat
    from course_lib.stages.tokenizer import IM_END

    tokenizer = load_tokenizer()
    asked = encode_chat(tokenizer, [{"role": "user", "content": "Who?"}], generation_prompt=True)[0]
    said = [*tokenizer.encode("Answer: Ada", add_special_tokens=False).ids, IM_END]
    with torch.no_grad():
        logits = MODEL(torch.tensor([asked + said]))[0].log_softmax(-1)
    by_hand = sum(logits[len(asked) - 1 + k, token].item() for k, token in enumerate(said))
    assert text_logprobs(MODEL, ["Who?", "And who else?"], ["Answer: Ada", "no"])[0].item() == pytest.approx(
        by_hand, abs=1e-3
    )


def test_figures_of_tries():
    rows = question_rows("residents", 6)
    tried = tries(MODEL, rows, each=3)
    assert [len(t["answers"]) for t in tried] == [3] * 6 and all(1 <= n <= 48 for t in tried for n in t["tokens"])
    good, slip = (lambda row: row["messages"][-1]["content"]), (lambda row: row["slip"])
    guess = lambda row: f"Answer: {row['check']['answer']}"
    made = [{**row, "answers": [good(row), slip(row), guess(row), slip(row)], "tokens": [20] * 4} for row in rows]
    for row in made:
        row["right"] = [True, False, True, False]
    found = figures(made)
    assert found["pass"] == {1: 0.5, 2: pytest.approx(5 / 6), 4: 1.0} and found["tokens"] == 20
    assert found["vote"] == 1.0, "in a tie the first answer"
    assert found["unfaithful"] == 0.5 and found["false_step"] == 0.0, "a guess has no step, so no false one"
