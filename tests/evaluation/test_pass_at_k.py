"""pass@k, votes, costs, and chances that are exact without a sample."""

import itertools
import math

import pytest
import torch

from course_lib.evaluation import reasoning
from course_lib.evaluation.reasoning import (
    FULL,
    NOTHING,
    at_once,
    chain_chance,
    figures,
    majority,
    pass_at_k,
    score_of_reasoner,
    text_logprobs,
    tries,
)
from course_lib.stages.artifacts import ArtifactError
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


def test_an_untrained_model_earns_nothing_and_the_seed_draws_the_questions(monkeypatch):
    asked, ask = [], reasoning.tries

    def kept(model, rows, each, seed):
        asked.append([row["messages"][0]["content"] for row in rows])
        return ask(model, rows, each, seed)

    monkeypatch.setattr(reasoning, "tries", kept)
    fraction, said = score_of_reasoner(MODEL, "public", 12)
    assert fraction == 0.0 and said.startswith("0.0 % of 12 fresh questions") and "full marks from 90 % on" in said
    assert score_of_reasoner(MODEL, "public", 12) == (fraction, said) and score_of_reasoner(MODEL, "b", 12)[0] == 0
    assert asked[0] == asked[1] != asked[2] and len(set(asked[2])) == 12


@pytest.mark.parametrize("share, fraction", [(1, 1), (FULL, 1), ((FULL + NOTHING) / 2, 0.5), (NOTHING, 0), (0, 0)])
def test_the_score_is_a_straight_line_between_the_two_shares(monkeypatch, share, fraction):
    first = lambda rows: [{**row, "right": [k < round(share * len(rows))]} for k, row in enumerate(rows)]
    monkeypatch.setattr(reasoning, "tries", lambda model, rows, *_: first(rows))
    assert score_of_reasoner(MODEL, 0, 1000)[0] == pytest.approx(fraction)


@pytest.mark.parametrize("changes", [{"vocabulary": 300}, {"context": 64}])
def test_a_model_that_cannot_read_the_questions_gets_one_line(changes):
    small = Llama(ModelConfig(**{"hidden": 32, "intermediate": 64, "layers": 1, "heads": 2, **changes}))
    with pytest.raises(ArtifactError, match="start from assistant"):
        score_of_reasoner(small, 0, 12)
