"""GRPO: TRL's advantages and loss on the same batch, what ties do, estimators of the KL, and a loop that resumes."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F

from course_lib.stages.grpo import GRPOConfig, clipped_terms, group_advantages, grpo, grpo_loss, k3
from course_lib.stages.model import Llama, ModelConfig, to_transformers
from course_lib.stages.reasoning import mean_of_terms
from course_lib.stages.rollout import chosen_logits, entropies, exact_kl, roll_out, token_logprobs
from course_lib.stages.sft import to_transformers_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import prompts

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2, context=128)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ---- advantages ------------------------------------------------------------------------------------------------------


def test_tied_groups_give_0_and_leave_the_others_alone():
    rewards = torch.tensor([[1.0, 2.0, 3.0], [7.0, 7.0, 7.0]])
    assert torch.equal(group_advantages(rewards)[1], torch.zeros(3)) and torch.equal(
        group_advantages(rewards, scale=False)[1], torch.zeros(3)
    )
    assert torch.allclose(group_advantages(rewards)[0], torch.tensor([-1.0, 0.0, 1.0]), atol=1e-3)
    assert torch.equal(group_advantages(rewards, scale=False)[0], torch.tensor([-1.0, 0.0, 1.0]))


def test_what_is_added_to_a_whole_group_does_not_count():
    rewards = numbers(4, 8)
    shifted = rewards + torch.tensor([[0.0], [4.0], [-8.0], [16.0]])
    assert (
        torch.allclose(group_advantages(shifted), group_advantages(rewards), atol=1e-4)
        and group_advantages(rewards).sum(1).abs().max() < 1e-5
    )


def test_scaling_makes_a_tiny_difference_as_large_as_a_great_one():
    rewards = torch.tensor([[0.0, 0.01, 0.0, 0.01], [0.0, 1.0, 0.0, 1.0]])
    assert torch.allclose(*group_advantages(rewards), atol=0.02) and not torch.allclose(
        *group_advantages(rewards, scale=False), atol=0.02
    )


def test_nothing_is_learned_where_every_group_is_tied():
    logprobs = numbers(4, 5).requires_grad_()
    advantages = group_advantages(torch.tensor([[1.0, 1.0], [2.0, 2.0]])).flatten()
    loss, _ = grpo_loss(
        logprobs, logprobs.detach(), logprobs.detach(), advantages, torch.ones(4, 5, dtype=torch.bool), beta=0.0
    )
    loss.backward()
    assert loss == 0 and not logprobs.grad.any()


# ---- loss ------------------------------------------------------------------------------------------------------------


def test_the_mean_is_over_each_answer_then_over_the_answers():
    mask = torch.tensor([[True, True, True, True], [True, False, False, False]])
    logprobs = numbers(2, 4)
    loss, _ = grpo_loss(logprobs, logprobs, logprobs, torch.tensor([1.0, 3.0]), mask)
    assert torch.isclose(loss, torch.tensor(-2.0)), "−(1 + 3) / 2; a mean over tokens would be −(4 · 1 + 3) / 5"


def test_loss_by_hand():
    old, mask = torch.zeros(2, 2), torch.tensor([[True, True], [True, False]])
    logprobs = torch.tensor([[1.5, 0.9], [0.5, 7.0]]).log().requires_grad_()
    reference = torch.tensor([[3.0, 0.9], [0.5, 1.0]]).log()
    # answer 1, A = 1: −1.2 (clipped) + β (2 − 1 − log 2), −0.9; answer 2, A = −1: 0.8 (clipped)
    loss, metrics = grpo_loss(logprobs, old, reference, torch.tensor([1.0, -1.0]), mask, 0.2, beta=0.5)
    assert torch.isclose(loss, torch.tensor(((-1.2 + 0.5 * (1 - math.log(2)) - 0.9) / 2 + 0.8) / 2)) and metrics[
        "clipped"
    ] == pytest.approx(2 / 3)
    loss.backward()
    # k3's gradient is 1 − π_ref/π; the clipped tokens have no other
    assert torch.allclose(logprobs.grad, torch.tensor([[0.5 * (1 - 2) / 4, -0.9 / 4], [0.0, 0.0]]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "beta, scale, kind",
    [
        (0.0, "group", "grpo"),
        (0.3, "group", "grpo"),
        (0.3, "none", "grpo"),
        (0.0, "none", "dapo"),
        (0.0, "none", "dr_grpo"),
    ],
)
def test_advantages_and_loss_are_trl_s(beta, scale, kind, tmp_path):
    with warnings.catch_warnings():  # TRL's and its dependencies' own
        warnings.simplefilter("ignore")
        import trl
        from transformers import AutoModelForCausalLM

        import datasets

        datasets.disable_progress_bars()
        given, seen = [], []

        def reward(completions, **_):
            given.append([len(set(c[0]["content"].split())) / 10 for c in completions])
            return given[-1]

        class Watched(trl.GRPOTrainer):
            def _compute_loss(self, model, inputs):
                theirs = super()._compute_loss(model, inputs)
                ids = torch.cat((inputs["prompt_ids"], inputs["completion_ids"]), 1)
                real = torch.cat((inputs["prompt_mask"], inputs["completion_mask"]), 1)
                mask = torch.cat((0 * inputs["prompt_mask"], inputs["completion_mask"]), 1).bool()
                logits = model(input_ids=ids, attention_mask=real).logits[:, :-1]
                logprobs = F.pad(torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0], (1, 0))
                on_answer = lambda x: logprobs.detach() if x is None else F.pad(x, (inputs["prompt_ids"].shape[1], 0))
                old, reference = (
                    on_answer(inputs.get("old_per_token_logps")),
                    on_answer(inputs.get("ref_per_token_logps")),
                )
                if kind == "grpo":
                    ours, _ = grpo_loss(logprobs, old, reference, inputs["advantages"], mask, 0.2, beta)
                else:
                    terms, _ = clipped_terms(logprobs, old, inputs["advantages"][:, None], 0.2)
                    ours = mean_of_terms(terms, mask, kind, longest=8)
                leaf = dict(model.named_parameters())["model.norm.weight"]
                gradients = [torch.autograd.grad(loss, leaf, retain_graph=True)[0] for loss in (ours, theirs)]
                # TRL shuffles a batch after it has scored it
                advantages = group_advantages(torch.tensor(given[-1]).view(-1, 4), scale == "group").flatten()
                apart = (old - logprobs)[mask].abs().max()
                seen.append(
                    (
                        ours.item() - theirs.item(),
                        (advantages.sort().values - inputs["advantages"].sort().values).abs().max().item(),
                        (gradients[0] - gradients[1]).abs().max().item(),
                        apart.item(),
                        theirs.item(),
                    )
                )
                return theirs

        folder = tmp_path / "policy"  # TRL reads its reference model from where the policy came from
        to_transformers(Llama(SMALL, seed=1)).save_pretrained(folder)
        fixed = dict(
            output_dir=str(tmp_path),
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
            log_level="error",
            activation_checkpointing=False,
        )
        config = trl.GRPOConfig(
            num_generations=4,
            per_device_train_batch_size=8,
            num_iterations=2,
            max_steps=4,
            max_completion_length=8,
            learning_rate=1e-2,
            beta=beta,
            # by default TRL 1.16 weighs the KL with the ratio, too (2512.02556); the paper of GRPO does not
            loss_type=kind,
            scale_rewards=scale,
            use_bias_correction_kl=False,
            **fixed,
        )
        rows = datasets.Dataset.from_list([{"prompt": row["messages"]} for row in prompts("train", 8, "trl")])
        Watched(
            model=AutoModelForCausalLM.from_pretrained(folder),
            reward_funcs=[reward],
            args=config,
            train_dataset=rows,
            processing_class=to_transformers_chat(load_tokenizer()),
        ).train()
    assert len(seen) == 4 and all(max(abs(x) for x in step[:3]) < 1e-5 for step in seen), seen
    assert max(step[3] for step in seen) > 1e-3 and max(abs(step[4]) for step in seen) > 1e-3, (
        "the ratios were not all 1, and the loss is not trivial"
    )


# ---- estimating the KL -----------------------------------------------------------------------------------------------


def test_k1_and_k3_are_unbiased_and_k3_varies_less_near_the_reference():
    log_q = torch.log_softmax(numbers(50).double(), 0)
    for distance, near in ((0.1, True), (1.0, False)):
        log_p = torch.log_softmax(log_q + distance * numbers(50, seed=1).double(), 0)
        p, ratio = log_p.exp(), log_p - log_q
        kl = (p * ratio).sum()
        mean = lambda x, p=p: (p * x).sum()
        variance = lambda x, mean=mean: mean(x**2) - mean(x) ** 2
        k1, k2, three = ratio, ratio**2 / 2, k3(log_p, log_q)
        assert torch.isclose(mean(k1), kl) and torch.isclose(mean(three), kl), "unbiased, whatever the distance"
        assert (three >= 0).all() and (k1 < 0).any()
        bias = abs(mean(k2) - kl) / kl
        assert bias < 0.05 if near else bias > 0.05, "k2 is biased, little near the reference"
        assert variance(three) < variance(k1) / 50 if near else variance(three) > variance(k1), (
            "far away π_ref / π is large where π is small"
        )


def test_k3_of_equal_policies_is_0_and_its_gradient_too():
    logprobs = numbers(6).requires_grad_()
    value = k3(logprobs, logprobs.detach())
    value.sum().backward()
    assert not value.any() and not logprobs.grad.any()


@pytest.fixture(scope="module")
def rolled():
    policy, reference = Llama(SMALL, seed=1), Llama(SMALL, seed=2)
    return policy, reference, roll_out(policy, load_tokenizer(), prompts("train", 4, "kl"), each=40, seed=3, longest=6)


def test_the_exact_kl_is_what_the_estimators_estimate(rolled):
    policy, reference, batch = rolled
    exact = exact_kl(policy, reference, batch.ids, batch.mask)
    with torch.no_grad():
        logprobs, ref = token_logprobs(policy, batch.ids, batch.mask), token_logprobs(reference, batch.ids, batch.mask)
    error = lambda x: x.std() / len(x) ** 0.5
    for estimate in ((logprobs - ref).sum(1), (k3(logprobs, ref) * batch.mask).sum(1)):
        assert abs(estimate.mean() - exact.mean()) < 4 * error(estimate - exact)
    assert exact_kl(policy, policy, batch.ids, batch.mask).abs().max() < 1e-5 and (exact > 0).all()


def test_logits_and_entropies_of_the_chosen_tokens(rolled):
    policy, _, batch = rolled
    full = torch.log_softmax(policy(batch.ids), -1)[:, :-1]
    assert torch.allclose(
        torch.log_softmax(chosen_logits(policy, batch.ids, batch.mask), -1), full[batch.mask[:, 1:]], atol=1e-5
    )
    assert torch.allclose(
        entropies(policy, batch.ids, batch.mask)[batch.mask], -(full.exp() * full).sum(-1)[batch.mask[:, 1:]], atol=1e-5
    )


# ---- loop ------------------------------------------------------------------------------------------------------------

TINY = GRPOConfig(steps=4, prompts=3, each=3, learning_rate=3e-3)


def variety(rows, answers):
    return torch.tensor([len(set(answer.split())) / 10 for answer in answers])


def run(**options):
    return grpo(variety, prompts("train", 9, "grpo"), TINY, base=Llama(SMALL, seed=1), progress=False, **options)


def test_resume_after_a_kill_gives_the_same_numbers(tmp_path):
    def killed(history):
        if len(history) == 3:
            raise KeyboardInterrupt

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path, checkpoint_steps=2, on_step=killed)
    resumed = run(out=tmp_path, checkpoint_steps=2)
    keys = [key for key in whole.history[0] if key != "seconds"]
    assert [[row[k] for k in keys] for row in whole.history] == [[row[k] for k in keys] for row in resumed.history]
    assert all(
        torch.equal(x, y) for x, y in zip(whole.model.state_dict().values(), resumed.model.state_dict().values())
    )


def test_the_share_of_tied_groups_and_a_students_own_advantages():
    made = grpo(
        lambda rows, answers: torch.ones(len(answers)),
        prompts("train", 9, "grpo"),
        TINY,
        base=Llama(SMALL, seed=1),
        progress=False,
    )
    assert all(row["tied"] == 1.0 and row["kl"] < 1e-6 for row in made.history), "without differences nothing moves"
    calls = []
    grpo(
        variety,
        prompts("train", 9, "grpo"),
        TINY,
        base=Llama(SMALL, seed=1),
        progress=False,
        group_advantages=lambda rewards, scale: calls.append(rewards.shape) or group_advantages(rewards, scale),
    )
    assert calls == [torch.Size([3, 3])] * 4
