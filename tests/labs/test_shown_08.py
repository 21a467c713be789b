"""What lab 08 searches for, turns round and counts."""

import numpy as np
import pytest
import torch

from course_lib.evaluation.alignment import Yardstick, best_of, share_at
from course_lib.evaluation.frontier import frontier
from course_lib.evaluation.runs.direct import DISTILLED, LABEL, PAIR, steps_for, unit
from course_lib.shown import lab08_direct_alignment as lab
from course_lib.stages.grpo import PRESETS
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.preferences import encode_answers
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import preference_rows, utility

PAIRS = preference_rows("test", 40)
SMALL = ModelConfig(hidden=32, intermediate=64, layers=2, heads=2)
REFERENCE, POLICY = (Llama(SMALL, seed=seed).eval() for seed in (1, 2))


def made_up(worth) -> Yardstick:
    """Answers "0", "1", … to each prompt, with these utilities [P K]."""
    worth = np.asarray(worth, dtype=float)
    asked = [row | {"messages": row["prompt"]} for row in PAIRS[: len(worth)]]
    answers = [str(k) for _ in worth for k in range(worth.shape[1])]
    return Yardstick(REFERENCE, asked, answers, worth, frontier(worth), float(worth.mean()))


def test_flipped_labels_are_a_fifth_and_the_same_ones_each_time():
    rows = lab.flipped(PAIRS, 0.2)
    turned = [new["chosen"] == old["rejected"] and new["rejected"] == old["chosen"] for new, old in zip(rows, PAIRS)]
    assert 2 <= sum(turned) <= 16 and rows == lab.flipped(PAIRS, 0.2)
    assert all(turn or new == old for turn, new, old in zip(turned, rows, PAIRS))


def test_courtesies_are_taken_off_before_they_are_said_again():
    bare, four = lab.with_courtesies(PAIRS, 0), lab.with_courtesies(PAIRS, 4)
    assert len(bare) == sum(row["kind"] == "fact" for row in PAIRS)
    for once, row in zip(four, bare):
        assert lab.said(once, "answer") == "Of course. " * 4 + lab.said(row, "answer")
        assert not lab.said(row, "answer").startswith("Of course")
    assert np.mean([utility(row, lab.said(row, "answer")) for row in four]) > 1


def test_labels_by_one_person_are_of_the_same_pairs():
    rows = lab.labelled_by(lab.ANNOTATORS[2], PAIRS)
    both = lambda row: {row["chosen"][0]["content"], row["rejected"][0]["content"]}
    assert list(map(both, rows)) == list(map(both, PAIRS)) and {row["annotator"] for row in rows} == {"Cecily"}


def test_best_of_n_by_the_utility_is_on_the_frontier_s_side_and_by_chance_nowhere():
    rng = np.random.default_rng(0)
    yard = made_up(rng.normal(size=(20, 64)))
    good, blind = best_of(yard.worth, yard), best_of(rng.normal(size=(20, 64)), yard)
    assert [point["n"] for point in good][:3] == [1, 2, 3] and good[0]["kl"] == pytest.approx(0, abs=1e-9)
    assert all(0.9 < point["share"] <= 1.02 for point in good[1:8])
    assert all(abs(point["share"]) < 0.3 for point in blind[1:8])
    assert share_at(good[3]["kl"], good, yard) == pytest.approx(good[3]["share"], abs=1e-6)


def test_what_is_missing_is_split_into_ranking_and_policy():
    rng = np.random.default_rng(1)
    yard = made_up(rng.normal(size=(20, 64)))
    judged = best_of(yard.worth + rng.normal(size=(20, 64)), yard)
    m = {"kl": judged[3]["kl"], "share": 0.5}
    parts = lab.fair.split(m, judged, yard)
    assert parts["ranking"] == pytest.approx(1 - judged[3]["share"], abs=1e-6)
    assert parts["ranking"] + parts["policy"] == pytest.approx(0.5)


def test_prices_are_flop_for_each_token_of_an_answer_with_its_prompt():
    rows = PAIRS[:10]
    found = lab.fair.prices(REFERENCE, rows, 30)
    tokens = [
        len(ids) for pair in encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), 512) for ids, _ in pair
    ]
    one = REFERENCE.parameter_count() * sum(tokens) / len(tokens) / 1e12
    assert unit(REFERENCE, rows) == pytest.approx(one) == found["one"]
    assert found["DPO"] == pytest.approx(16 * 10 * one) and (PAIR, LABEL, DISTILLED) == (16, 12, 20)
    assert found["DPO on all labels"] - found["reward model"] == pytest.approx(4 * 30 * one)
    config = PRESETS["laptop"]
    assert steps_for(10 * 14 * 256 * one, one, config) == 10 and steps_for(0.0, one, config) == 2


def test_log_ratios_and_agreement():
    r = lab.ratios(POLICY, REFERENCE, PAIRS[:6])
    assert r.shape == (6, 2) and lab.agreement(torch.tensor([[1.0, 0.0], [0.0, 1.0]])) == 0.5
    assert lab.ratios(REFERENCE, REFERENCE, PAIRS[:6]).abs().max() == 0


def test_twins_differ_by_noise_and_hold_the_pairs_as_one_batch():
    pair = lab.library.twins(REFERENCE, PAIRS[:3])
    assert pair.ids.shape == pair.labels.shape and len(pair.ids) == 6
    assert pair.lengths().tolist() == [int((row != -100).sum()) for row in pair.labels]
    apart = [(a - b).abs().max() for a, b in zip(pair.policy.parameters(), pair.reference.parameters())]
    assert all(0 < gap < 0.2 for gap in apart)


def test_a_table_that_answers_a_guess_says_what_size_tiny_cannot_show(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_SIZE", "tiny")
    looks = {"DPO": {"utility": 2.0, "error": 0.1, "kl": 0.5, "length": 9.0, "share": 0.5}}
    lab.show(looks)
    assert "Size tiny" not in capsys.readouterr().out
    lab.show(looks, "more")
    assert "Size tiny" in (said := capsys.readouterr().out) and "more" in said


@pytest.mark.slow
def test_kto_of_trl_gives_no_advice_on_the_few_thumbs_of_a_comparison(caplog):
    rows = [row | {"label": k < 3} for k, row in enumerate(lab.thumbs(lab.pairs_of(PAIRS[:16]), seed="lab 08"))]
    pair = lab.library.twins(REFERENCE, rows, lab.library.THUMB)
    assert lab.library.by_trl(pair, beta=0.1, desirable_weight=1.5) is not None
    assert "recommend" not in caplog.text


@pytest.mark.slow
def test_the_table_of_trl_s_defaults_is_true_of_the_installed_version(capsys):
    import warnings

    from course_lib.stages import dpo

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab.library.show_defaults(lab.library.twins(REFERENCE, PAIRS[:16]), dpo.PRESETS["laptop"])
    assert "read anew from the model's folder" in capsys.readouterr().out
