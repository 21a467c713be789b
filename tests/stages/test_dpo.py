"""Direct alignment: the losses are TRL's on the same batch, their gradients are right, and the optimal policy gives its
reward back.
"""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from course_lib.evaluation.frontier import best_of_n_kl, best_of_n_kl_with_ties, tilted
from course_lib.platform import CourseError
from course_lib.stages import dpo as direct
from course_lib.stages.dpo import (
    answer_logprobs,
    distilled_loss,
    dpo,
    dpo_loss,
    implicit_reward,
    ipo_loss,
    kto,
    kto_loss,
    reference_logprobs,
)
from course_lib.stages.model import Llama, ModelConfig, to_transformers
from course_lib.stages.preferences import PreferenceConfig, batch_of, encode_answers
from course_lib.stages.sft import ANSWER_TEMPLATE, IGNORE, encode_chat, to_transformers_chat
from course_lib.stages.tokenizer import IM_END, load_tokenizer
from course_lib.world.annotators import pairs_of, preference_rows, thumbs

TOKENIZER = load_tokenizer()
PAIRS = preference_rows("test", 8)
THUMBS = thumbs(pairs_of(PAIRS), seed=3)
SMALL = ModelConfig(hidden=32, intermediate=64, layers=2, heads=2)
REFERENCE, POLICY = (Llama(SMALL, seed=seed).eval() for seed in (1, 2))
CONFIG = PreferenceConfig(rows=8, batch=4, learning_rate=3e-3)


def logprobs_of(model, keys=("chosen", "rejected"), rows=PAIRS):
    return answer_logprobs(model, *batch_of(encode_answers(TOKENIZER, rows, keys, 512)))


# ------------------------------------------------------------------------------------------------------------ TRL


@pytest.fixture(scope="module")
def trl():
    """(trainer of pairs, trainer of thumbs): their loss on PAIRS and THUMBS. TRL takes ten seconds to import, so one
    fixture for all.
    """
    import os
    import warnings

    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    with warnings.catch_warnings():  # TRL's and its dependencies' own
        warnings.simplefilter("ignore")
        from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

        import datasets

        datasets.disable_progress_bars()

    def loss_of(trainer, config, rows, columns, **options):
        fixed = dict(
            output_dir=os.environ["COURSE_WORK"] + "/trl",
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
            max_length=512,
            per_device_train_batch_size=8,
            log_level="error",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = trainer(
                model=to_transformers(POLICY),
                ref_model=to_transformers(REFERENCE),
                args=config(**fixed, **options),
                processing_class=to_transformers_chat(TOKENIZER, ANSWER_TEMPLATE),
                train_dataset=datasets.Dataset.from_list([{key: row[key] for key in columns} for row in rows]),
            )
            batch = made.data_collator([made.train_dataset[k] for k in range(len(rows))])
            loss = made.compute_loss(made.model, batch)
            loss.backward()
        return batch, loss.detach(), {name: p.grad for name, p in made.model.named_parameters()}

    pairs = lambda **options: loss_of(DPOTrainer, DPOConfig, PAIRS, ("prompt", "chosen", "rejected"), **options)
    thumb = lambda **options: loss_of(KTOTrainer, KTOConfig, THUMBS, ("prompt", "completion", "label"), **options)
    return pairs, thumb


def same_gradients(loss, theirs):
    policy = dict(POLICY.named_parameters())
    for p in policy.values():
        p.grad = None
    loss.backward()
    for name, p in policy.items():
        torch.testing.assert_close(p.grad, theirs[name], atol=1e-5, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, loss_fn",
    [
        ({}, dpo_loss),
        # TRL 1.16 ignores label_smoothing in its "sigmoid" loss; cDPO is 2 (1 − ε) · sigmoid − (1 − 2ε) · robust
        (
            {"label_smoothing": 0.2, "loss_type": ["sigmoid", "robust"], "loss_weights": [1.6, -0.6]},
            lambda *four, beta: dpo_loss(*four, beta=beta, smoothing=0.2),
        ),
    ],
)
def test_dpo_and_cdpo_are_trl_s(trl, options, loss_fn):
    batch, theirs, gradients = trl[0](beta=0.3, **options)
    ids, labels = batch_of(encode_answers(TOKENIZER, PAIRS, ("chosen", "rejected"), 512))
    assert torch.equal(batch["input_ids"], ids) and torch.equal(batch["completion_mask"].bool(), labels != IGNORE)
    loss = loss_fn(*logprobs_of(POLICY)[0].chunk(2), *logprobs_of(REFERENCE)[0].detach().chunk(2), beta=0.3)
    torch.testing.assert_close(loss.detach(), theirs, atol=1e-5, rtol=0)
    same_gradients(loss, gradients)


@pytest.mark.slow
def test_ipo_is_trl_s(trl):
    _, theirs, gradients = trl[0](beta=0.3, loss_type=["ipo"])
    logprobs, tokens = logprobs_of(POLICY)
    loss = ipo_loss(*logprobs.chunk(2), *logprobs_of(REFERENCE)[0].detach().chunk(2), *tokens.chunk(2), beta=0.3)
    torch.testing.assert_close(loss.detach(), theirs, atol=1e-5, rtol=0)
    same_gradients(loss, gradients)


@pytest.mark.slow
def test_kto_is_trl_s(trl):
    batch, theirs, gradients = trl[1](beta=0.3, desirable_weight=1.5)
    ids, labels = batch_of(encode_answers(TOKENIZER, THUMBS, ("completion",), 512))
    assert torch.equal(batch["input_ids"], ids) and torch.equal(batch["completion_mask"].bool(), labels != IGNORE)
    mismatched = batch["KL_input_ids"], batch["KL_input_ids"].masked_fill(batch["KL_completion_mask"] == 0, IGNORE)
    kl = (answer_logprobs(POLICY, *mismatched)[0] - answer_logprobs(REFERENCE, *mismatched)[0]).mean().clamp(min=0)
    up = torch.tensor([row["label"] for row in THUMBS])
    assert 0 < up.sum() < len(up) and kl > 0
    loss = kto_loss(
        logprobs_of(POLICY, ("completion",), THUMBS)[0],
        logprobs_of(REFERENCE, ("completion",), THUMBS)[0].detach(),
        up,
        kl,
        beta=0.3,
        up_weight=1.5,
    )
    torch.testing.assert_close(loss.detach(), theirs, atol=1e-5, rtol=0)
    same_gradients(loss, gradients)


def test_trl_s_template_differs_by_the_last_newline_alone():
    theirs = to_transformers_chat(TOKENIZER, ANSWER_TEMPLATE)
    for row in PAIRS:
        ids, mask = encode_chat(TOKENIZER, row["prompt"] + row["chosen"])
        rendered = theirs.apply_chat_template(
            row["prompt"] + row["chosen"], return_dict=True, return_assistant_tokens_mask=True
        )
        assert (rendered["input_ids"], rendered["assistant_masks"]) == (ids[:-1], mask[:-1])
        assert (
            theirs.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
            == encode_chat(TOKENIZER, row["prompt"], generation_prompt=True)[0]
        )


# -----------------------------------------------------------------------------------------------------
# log-probabilities


def test_an_answer_s_logprob_is_the_sum_over_its_tokens_whatever_the_padding():
    examples = encode_answers(TOKENIZER, PAIRS, ("chosen", "rejected"), 512)
    together, tokens = answer_logprobs(POLICY, *batch_of(examples))
    alone = []
    for place, key in enumerate(("chosen", "rejected")):
        for row, example in zip(PAIRS, examples):
            ids, mask = example[place]
            logs = torch.log_softmax(POLICY(torch.tensor([ids])), -1)[0]
            alone.append(sum(logs[t - 1, ids[t]] for t in range(len(ids)) if mask[t]))
            assert [i for i, m in zip(ids, mask) if m] == [
                *TOKENIZER.encode(row[key][0]["content"], add_special_tokens=False).ids,
                IM_END,
            ]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=1e-5)
    assert tokens.tolist() == [sum(example[place][1]) for place in (0, 1) for example in examples]
    fixed = reference_logprobs(POLICY, examples, batch=3)
    torch.testing.assert_close(fixed.T.flatten(), together.detach(), atol=1e-4, rtol=1e-5)
    assert not fixed.requires_grad


# ----------------------------------------------------------------------------------------------------------------
# losses


def four(*margins):
    """Log-probabilities with these differences of log-ratios, chosen and rejected moved by half each."""
    m = torch.tensor(margins, dtype=torch.float64)
    references = -20.0 - torch.arange(2 * len(m), dtype=torch.float64).view(2, -1)
    return [references[0] + m / 2, references[1] - m / 2, references[0], references[1]]


def test_values_by_hand():
    assert dpo_loss(*four(0.0, 0.0)).item() == pytest.approx(math.log(2))
    assert dpo_loss(*four(2.0), beta=0.5).item() == pytest.approx(math.log(1 + math.exp(-1)))
    assert dpo_loss(*four(2.0), beta=0.5, smoothing=0.1).item() == pytest.approx(math.log(1 + math.exp(-1)) + 0.1)
    one = torch.tensor([1])
    assert ipo_loss(*four(2.0), one, one, beta=0.5).item() == pytest.approx(1.0)
    assert ipo_loss(*four(8.0), 4 * one, 4 * one, beta=0.25).item() == pytest.approx(0.0)
    ratio = torch.tensor([3.0, 3.0])
    assert kto_loss(
        ratio, torch.zeros(2), torch.tensor([True, False]), torch.tensor(1.0), beta=1.0, up_weight=2.0
    ).item() == pytest.approx((2 / (1 + math.exp(2)) + 1 / (1 + math.exp(-2))) / 2)


def test_margins_of_a_reward_model_are_learned_as_they_are():
    pair = four(2.0, -1.0)
    assert distilled_loss(*pair, torch.tensor([1.0, -0.5]), beta=0.5).item() == pytest.approx(0.0)
    assert distilled_loss(*pair, torch.tensor([0.0, 1.5]), beta=0.5).item() == pytest.approx((1 + 4) / 2)
    pair[0].requires_grad_()
    (gradient,) = torch.autograd.grad(distilled_loss(*pair, torch.tensor([0.0, 1.5]), beta=0.5), pair[0])
    assert gradient.tolist() == pytest.approx([0.5, -1.0])  # β (m − gap): up where the margin is too small


def test_a_negative_estimate_of_the_reference_point_counts_as_none():
    up, ratio = torch.tensor([True, False]), torch.tensor([1.0, -2.0])
    of = lambda kl: kto_loss(ratio, torch.zeros(2), up, torch.tensor(kl)).item()
    assert of(-3.0) == of(0.0) != of(3.0)


def test_extreme_margins_stay_finite_and_keep_their_gradient():
    pair = [x.float() for x in four(-4e4, 4e4)]
    pair[0].requires_grad_()
    for smoothing in (0.0, 0.1):
        loss = dpo_loss(*pair, beta=1.0, smoothing=smoothing)
        (gradient,) = torch.autograd.grad(loss, pair[0])
        assert loss.isfinite() and gradient.tolist() == pytest.approx([-(1 - smoothing) / 2, smoothing / 2])
    up = torch.tensor([True, False])
    assert kto_loss(torch.tensor([1e5, 1e5]), torch.zeros(2), up, torch.tensor(0.0)).item() == pytest.approx(0.5)


def test_gradients_of_the_losses():
    pair = [x.requires_grad_() for x in four(0.7, -1.3, 4.0)]
    tokens = torch.tensor([3, 8, 5]), torch.tensor([9, 2, 5])
    for loss in (
        lambda *p: dpo_loss(*p, beta=0.5),
        lambda *p: dpo_loss(*p, beta=0.5, smoothing=0.2),
        lambda *p: ipo_loss(*p, *tokens, beta=0.5),
    ):
        assert torch.autograd.gradcheck(loss, pair)
    # a pair's weight in DPO is σ(−m): a pair that is judged wrongly pulls harder (2305.18290, § 4)
    (gradient,) = torch.autograd.grad(dpo_loss(*pair, beta=0.5), pair[0])
    torch.testing.assert_close(
        gradient, -0.5 * torch.sigmoid(-0.5 * torch.tensor([0.7, -1.3, 4.0], dtype=torch.float64)) / 3
    )
    # cDPO stops at log((1 − ε) / ε), IPO at 1 / (2 β)
    still = four(math.log(4))
    still[0].requires_grad_()
    assert torch.autograd.grad(dpo_loss(*still, beta=1.0, smoothing=0.2), still[0])[0].abs() < 1e-9
    kl = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    up = torch.tensor([True, False, True])
    assert torch.autograd.gradcheck(lambda p: kto_loss(p, pair[2].detach(), up, kl), pair[:1])
    assert torch.autograd.grad(kto_loss(pair[0], pair[2], up, kl), kl, allow_unused=True)[0] is None, (
        "the reference point is no way down"
    )


def test_the_mean_is_over_pairs_and_ipo_averages_within_each_answer():
    a, b = four(1.0, -2.0), four(3.0)
    joined = [torch.cat(x) for x in zip(a, b)]
    assert dpo_loss(*joined).item() == pytest.approx((2 * dpo_loss(*a).item() + dpo_loss(*b).item()) / 3)
    n, m = torch.tensor([2, 10, 4]), torch.tensor([5, 5, 40])
    assert ipo_loss(*joined, n, m).item() == pytest.approx(
        (2 * ipo_loss(*a, n[:2], m[:2]).item() + ipo_loss(*b, n[2:], m[2:]).item()) / 3
    )


def test_the_optimal_policy_gives_its_reward_back_and_minimises_dpo_s_expected_loss():
    generator = torch.Generator().manual_seed(0)
    reference, reward, beta = (
        torch.log_softmax(torch.randn(6, generator=generator, dtype=torch.float64), 0),
        torch.randn(6, generator=generator, dtype=torch.float64),
        0.4,
    )
    best = torch.log_softmax(reference + reward / beta, 0)
    given_back = implicit_reward(best, reference, beta)
    torch.testing.assert_close(given_back - given_back[0], reward - reward[0])
    # all pairs, each labelled by Bradley and Terry: DPO on exact expectations ends at π*
    i, j = torch.triu_indices(6, 6, 1)
    p = torch.sigmoid(reward[i] - reward[j])
    logits = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-10, tolerance_change=1e-14)

    def closure():
        optimiser.zero_grad()
        policy = torch.log_softmax(logits, 0)
        margin = implicit_reward(policy[i], reference[i], beta) - implicit_reward(policy[j], reference[j], beta)
        loss = -(p * F.logsigmoid(margin) + (1 - p) * F.logsigmoid(-margin)).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    torch.testing.assert_close(torch.log_softmax(logits, 0).detach(), best, atol=1e-4, rtol=1e-4)


def test_no_policy_beats_the_tilted_one_at_its_kl():
    generator = torch.Generator().manual_seed(1)
    utility, beta = torch.randn(1, 40, generator=generator, dtype=torch.float64), 0.6
    kl, value = tilted(utility.numpy(), beta)
    best = torch.softmax(utility[0] / beta, 0)
    for _ in range(200):
        other = torch.softmax(best.log() + 0.1 * torch.randn(40, generator=generator, dtype=torch.float64), 0)
        other_kl = float((other * (other * 40).log()).sum())
        assert float(other @ utility[0]) - beta * other_kl <= value - beta * kl + 1e-12


def test_ties_make_the_kl_of_best_of_n_smaller_than_its_formula():
    distinct = torch.arange(4000.0)[None].numpy()
    assert best_of_n_kl_with_ties(distinct, 4) == pytest.approx(best_of_n_kl(4), abs=2e-3)
    assert best_of_n_kl_with_ties(0 * distinct, 4) == 0 and best_of_n_kl_with_ties(distinct, 1) == pytest.approx(0)
    half = torch.tensor([[0.0, 1.0]]).numpy()  # best of two is 1 with probability 3/4
    assert best_of_n_kl_with_ties(half, 2) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


# -----------------------------------------------------------------------------------------------------------------
# loops


def test_the_loop_learns_its_pairs_and_leaves_the_reference_alone():
    before = {name: w.clone() for name, w in REFERENCE.state_dict().items()}
    run = dpo(
        PAIRS,
        PreferenceConfig(rows=8, batch=8, epochs=20, learning_rate=3e-3),
        base=REFERENCE,
        beta=0.5,
        progress=False,
    )
    assert run.history[0]["train_loss"] == pytest.approx(math.log(2), abs=1e-5) and run.history[0][
        "margin"
    ] == pytest.approx(0, abs=1e-4)
    assert run.history[-1]["accuracy"] == 1.0 and run.history[-1]["train_loss"] < 0.3
    assert all(torch.equal(w, before[name]) for name, w in REFERENCE.state_dict().items())
    assert run.record["parent"] == "sft" and run.record["beta"] == 0.5


def test_the_loop_hands_each_pair_its_gap():
    gaps, seen = torch.arange(8.0), []

    def loss_fn(chosen, rejected, chosen_reference, rejected_reference, gap, beta):
        seen.append((gap.tolist(), chosen_reference.tolist()))
        return distilled_loss(chosen, rejected, chosen_reference, rejected_reference, gap, beta)

    dpo(PAIRS, CONFIG, base=REFERENCE, loss_fn=loss_fn, gaps=gaps, progress=False)
    fixed = reference_logprobs(REFERENCE, encode_answers(TOKENIZER, PAIRS, ("chosen", "rejected"), 512))[:, 0]
    given = [pair for gap, chosen in seen for pair in zip(gap, chosen)]
    assert sorted(gap for gap, _ in given) == gaps.tolist()
    assert all(fixed[int(gap)].item() == pytest.approx(chosen) for gap, chosen in given)


def test_a_second_round_goes_on_from_a_policy_and_keeps_the_reference():
    base, policy = (logprobs_of(model)[0].detach() for model in (REFERENCE, POLICY))
    run = dpo(PAIRS, replace(CONFIG, batch=8), base=REFERENCE, policy=POLICY, progress=False)
    assert run.history[0]["chosen"] == pytest.approx(float((policy - base)[:8].mean()), abs=1e-3)
    assert torch.equal(logprobs_of(POLICY)[0], policy), "the policy that was handed in is left alone"


def test_the_loop_on_thumbs_moves_liked_answers_over_the_others():
    run = kto(
        THUMBS,
        PreferenceConfig(rows=8, batch=8, epochs=20, learning_rate=3e-3),
        base=REFERENCE,
        beta=0.5,
        progress=False,
    )
    assert run.history[0]["train_loss"] == pytest.approx(0.5, abs=1e-5) and run.history[0]["kl"] == pytest.approx(
        0, abs=1e-4
    )
    assert run.history[-1]["liked"] > run.history[-1]["disliked"] + 1


@pytest.mark.parametrize("loop, rows", [(dpo, PAIRS), (kto, THUMBS)])
def test_a_killed_run_goes_on_and_gives_the_same_weights(tmp_path, loop, rows):
    whole = loop(rows, CONFIG, base=REFERENCE, progress=False)

    def killed(history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopping = lambda history: killed(history) if len(history) == 2 else None
        loop(rows, CONFIG, base=REFERENCE, progress=False, out=tmp_path, checkpoint_steps=1, on_step=stopping)
    rest = loop(rows, CONFIG, base=REFERENCE, progress=False, out=tmp_path, checkpoint_steps=1)
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(rest.model.state_dict()[name], weight, atol=1e-6, rtol=1e-5)


def test_the_student_s_loss_is_what_trains():
    seen = []

    def mine(chosen, rejected, chosen_reference, rejected_reference, beta):
        seen.append((chosen.requires_grad, chosen_reference.requires_grad, chosen.shape, beta))
        return dpo_loss(chosen, rejected, chosen_reference, rejected_reference, beta)

    dpo(PAIRS, CONFIG, base=REFERENCE, beta=0.2, loss_fn=mine, progress=False)
    assert seen == [(True, False, torch.Size([4]), 0.2)] * 2


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda row: row.pop("rejected"), 'row 1 has no "rejected"'),
        (lambda row: row.update(prompt="Who is Ada?"), 'row 1 has no "prompt"'),
        (
            lambda row: row.update(chosen=[{"role": "assistant", "content": "so " * 900}]),
            "row 1 has .* tokens and the model reads",
        ),
    ],
)
def test_bad_pairs_are_named(change, words):
    rows = [dict(row) for row in PAIRS[:2]]
    change(rows[1])
    with pytest.raises(CourseError, match=words):
        direct.dpo(rows, CONFIG, base=REFERENCE, progress=False)


def test_no_pairs_and_no_thumbs_are_refused():
    for loop in (dpo, kto):
        with pytest.raises(CourseError, match="no rows"):
            loop([], CONFIG, base=REFERENCE, progress=False)
