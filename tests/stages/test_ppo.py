"""PPO against trajectories worked out by hand and against known identities; the loop: deterministic, resumable, clear
about bad input.
"""

import math

import pytest
import torch

from course_lib.platform import CourseError
from course_lib.stages import ppo as library
from course_lib.stages.model import Llama, ModelConfig, ValuePolicy
from course_lib.stages.ppo import (
    PPOConfig,
    gae,
    kl_penalised,
    policy_loss,
    ppo,
    token_logprobs_and_values,
    value_loss,
    whiten,
)
from course_lib.stages.rollout import adapted_beta, roll_out, token_logprobs
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import prompts

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2, context=128)
TRUE = torch.ones(1, 3, dtype=torch.bool)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ragged():
    return torch.tensor([[0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0]], dtype=torch.bool)


# ------------------------------------------------------------------------------------------------------ rewards and
# advantages


def test_the_reward_of_each_token_by_hand():
    mask = torch.tensor([[False, True, True, False]])
    rewards = kl_penalised(
        torch.tensor([3.0]), torch.tensor([[9.0, -1.0, -2.0, 9.0]]), torch.tensor([[0.0, -1.5, -1.0, 0.0]]), mask, 0.5
    )
    assert torch.equal(rewards, torch.tensor([[0.0, -0.25, 3.5, 0.0]]))  # −0.5 · 0.5, and 3 − 0.5 · (−1)


def test_rewards_of_an_answer_add_up():
    mask, logprobs, reference, scores = ragged(), numbers(3, 6), numbers(3, 6, seed=1), numbers(3, seed=2)
    rewards = kl_penalised(scores, logprobs, reference, mask, 0.3)
    assert (
        torch.allclose(rewards.sum(1), scores - 0.3 * ((logprobs - reference) * mask).sum(1))
        and not rewards[~mask].any()
    )


def test_gae_by_hand():
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.25, 0.5]])
    # δ = −0.25, 0.25, 0.5; with γλ = 0.5: A₃ = 0.5, A₂ = 0.25 + 0.5 · 0.5, A₁ = −0.25 + 0.5 · 0.5
    advantages, returns = gae(rewards, values, TRUE, gamma=1.0, lam=0.5)
    assert torch.equal(advantages, torch.tensor([[0.0, 0.5, 0.5]])) and torch.equal(
        returns, torch.tensor([[0.5, 0.75, 1.0]])
    )
    # γ = 0.5, λ = 0.5: δ = −0.375, 0, 0.5; A₂ = 0.125, A₁ = −0.375 + 0.03125
    advantages, _ = gae(rewards, values, TRUE, gamma=0.5, lam=0.5)
    assert torch.equal(advantages, torch.tensor([[-0.34375, 0.125, 0.5]]))


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_lambda_1_is_monte_carlo_and_lambda_0_is_one_step(gamma):
    mask, rewards, values = ragged(), numbers(3, 6), numbers(3, 6, seed=1)
    advantages, returns = gae(rewards, values, mask, gamma, 1.0)
    one_step, _ = gae(rewards, values, mask, gamma, 0.0)
    for b, row in enumerate(mask):
        places = row.nonzero()[:, 0].tolist()
        for k, t in enumerate(places):
            to_come = sum(gamma**i * rewards[b, s] for i, s in enumerate(places[k:]))
            assert torch.isclose(returns[b, t], to_come, atol=1e-6) and torch.isclose(
                advantages[b, t], to_come - values[b, t], atol=1e-6
            )
            ahead = values[b, places[k + 1]] if k + 1 < len(places) else 0.0
            assert torch.isclose(one_step[b, t], rewards[b, t] + gamma * ahead - values[b, t], atol=1e-6)
    assert not advantages[~mask].any() and not returns[~mask].any()


def test_nothing_off_the_answer_gets_into_the_advantages():
    mask, rewards, values = ragged(), numbers(3, 6), numbers(3, 6, seed=1)
    clean = gae(rewards * mask, values * mask, mask)
    assert all(
        torch.equal(a, b)
        for a, b in zip(clean, gae(rewards.masked_fill(~mask, 1e9), values.masked_fill(~mask, -1e9), mask))
    )


def test_a_perfect_critic_leaves_no_advantage():
    mask, rewards = ragged(), numbers(3, 6)
    values = gae(rewards, torch.zeros(3, 6), mask, 1.0, 1.0)[1]
    assert gae(rewards, values, mask, 1.0, 0.8)[0].abs().max() < 1e-6


def test_whiten():
    mask = ragged()
    white = whiten(5 + 3 * numbers(3, 6), mask)
    assert abs(white[mask].mean()) < 1e-6 and abs(white[mask].std() - 1) < 1e-6 and not white[~mask].any()
    assert whiten(torch.full((3, 6), 2.0), mask).abs().max() < 1e-6  # all tied: nothing to learn, and no NaN


# --------------------------------------------------------------------------------------------------------------------
# losses


def test_policy_loss_by_hand():
    old, mask = torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)
    logprobs = torch.tensor([1.5, 0.5, 1.5, 0.5]).log()[None].requires_grad_()
    advantages = torch.tensor([[2.0, 2.0, -1.0, -1.0]])
    # min(r A, clip(r) A): 2 · 1.2 (clipped), 2 · 0.5, −1.5, −0.8 (clipped)
    loss = policy_loss(logprobs, old, advantages, mask, 0.2)
    assert torch.isclose(loss, torch.tensor(-(2.4 + 1.0 - 1.5 - 0.8) / 4))
    loss.backward()
    assert torch.allclose(logprobs.grad, torch.tensor([[0.0, -2 * 0.5 / 4, 1.5 / 4, 0.0]]))


def test_value_loss_by_hand():
    old, returns = torch.zeros(1, 3), torch.tensor([[1.0, -1.0, 0.25]])
    values = torch.tensor([[0.8, 0.8, 0.1]], requires_grad=True)
    # clipped to 0.5: errors 0.2², 0.5² → 0.25; 1.8², 1.5² → 3.24; 0.15², the same
    loss = value_loss(values, old, returns, TRUE, 0.5)
    assert torch.isclose(loss, torch.tensor(0.5 * (0.25 + 3.24 + 0.0225) / 3))
    loss.backward()
    assert torch.allclose(values.grad, torch.tensor([[0.0, 1.8 / 3, -0.15 / 3]]))


def test_the_mean_is_over_the_tokens_of_the_batch():
    mask = ragged()
    logprobs, advantages = numbers(3, 6), numbers(3, 6, seed=1)
    kept = policy_loss(
        logprobs[mask][None],
        logprobs[mask][None],
        advantages[mask][None],
        torch.ones(1, int(mask.sum()), dtype=torch.bool),
    )
    assert torch.isclose(policy_loss(logprobs, logprobs, advantages, mask), kept)
    assert not torch.isclose(
        policy_loss(logprobs, logprobs, advantages, mask), -((advantages * mask).sum(1) / mask.sum(1)).mean()
    )


def test_extreme_log_probabilities_stay_finite():
    old = torch.tensor([[-200.0, -200.0, -80.0]])
    logprobs = torch.tensor([[-200.1, -199.9, -0.1]], requires_grad=True)
    loss = policy_loss(logprobs, old, torch.tensor([[1.0, -1.0, 2.0]]), TRUE)
    loss.backward()
    assert loss.isfinite() and logprobs.grad.isfinite().all() and logprobs.grad[0, 2] == 0


@pytest.fixture(scope="module")
def batch():
    policy = ValuePolicy(SMALL, seed=1)
    with torch.no_grad():
        policy.value.weight.normal_(generator=torch.Generator().manual_seed(3))
    return policy, roll_out(policy, load_tokenizer(), prompts("train", 3, "ppo"), each=2, seed=5, longest=7)


def test_at_ratio_1_the_gradient_is_the_vanilla_policy_gradient(batch):
    policy, rolled = batch
    ids, mask = rolled.ids, rolled.mask
    advantages = numbers(*mask.shape, seed=4)
    logprobs = token_logprobs(policy, ids, mask)
    gradients = lambda loss: torch.autograd.grad(loss, list(policy.model.parameters()), retain_graph=True)
    clipped = gradients(policy_loss(logprobs, logprobs.detach(), advantages, mask))
    vanilla = gradients(-(advantages * logprobs)[mask].mean())
    assert (
        all(torch.allclose(a, b, atol=1e-7) for a, b in zip(clipped, vanilla))
        and max(g.abs().max() for g in vanilla) > 1e-3
    )


def test_log_probabilities_and_values_in_one_pass(batch):
    policy, rolled = batch
    ids, mask = rolled.ids, rolled.mask
    logprobs, values = token_logprobs_and_values(policy, ids, mask)
    plain = torch.log_softmax(policy(ids)[:, :-1], -1).gather(2, ids[:, 1:, None])[..., 0]
    state = policy.value(policy.hidden(ids))[:, :-1, 0]  # V_t knows what stands before token t, not the token
    assert torch.allclose(logprobs[:, 1:][mask[:, 1:]], plain[mask[:, 1:]], atol=1e-5) and torch.allclose(
        values[:, 1:][mask[:, 1:]], state[mask[:, 1:]], atol=1e-5
    )
    assert not logprobs[~mask].any() and not values[~mask].any()
    assert torch.allclose(logprobs, token_logprobs(policy, ids, mask), atol=1e-6)


# ------------------------------------------------------------------------------------------------------------------ the
# loop

TINY = PPOConfig(steps=5, prompts=3, each=2, learning_rate=3e-3, beta=0.05)


def long_is_good(rows, answers):
    return torch.tensor([len(answer.split()) / 10 for answer in answers])


def run(**options):
    return ppo(long_is_good, prompts("train", 9, "ppo"), TINY, base=Llama(SMALL, seed=1), progress=False, **options)


def same(a, b):
    keys = [key for key in a.history[0] if key != "seconds"]
    assert [[row[k] for k in keys] for row in a.history] == [[row[k] for k in keys] for row in b.history]
    assert all(torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values()))


def test_the_history_and_the_reference():
    base = Llama(SMALL, seed=1)
    before = {name: t.clone() for name, t in base.state_dict().items()}
    made = ppo(long_is_good, prompts("train", 9, "ppo"), TINY, base=base, progress=False)
    assert all(torch.equal(t, before[name]) for name, t in base.state_dict().items()), "the reference is not trained"
    assert [row["step"] for row in made.history] == list(range(5))
    assert {"reward", "kl", "entropy", "length", "tied", "beta", "clipped", "value_loss", "sample", "seconds"} <= set(
        made.history[0]
    )
    assert (
        all(math.isfinite(v) for row in made.history for v in row.values() if isinstance(v, float))
        and made.history[-1]["kl"] > 0
    )


def test_resume_after_a_kill_gives_the_same_numbers(tmp_path):
    whole = run()

    def killed(history):
        if len(history) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path, checkpoint_steps=3, on_step=killed)
    assert (tmp_path / "checkpoint.safetensors").exists()
    seen = []
    resumed = run(out=tmp_path, checkpoint_steps=3, on_step=lambda history: seen.append(len(history)))
    assert seen == [4, 5] and not (tmp_path / "checkpoint.safetensors").exists()
    same(whole, resumed)


def test_the_seed_decides():
    assert run(seed=1).history[0]["sample"] != run(seed=2).history[0]["sample"]


def test_a_students_own_parts_are_what_trains():
    called = []
    parts = {}
    for name in ("kl_penalised", "gae", "policy_loss", "value_loss"):

        def part(*args, name=name):
            called.append(name)
            return getattr(library, name)(*args)

        parts[name] = part
    same(run(), run(**parts))
    assert set(called) == set(parts)


def test_beta_follows_its_target():
    assert (
        adapted_beta(1.0, 2.0, 1.0) == pytest.approx(1.02)
        and adapted_beta(1.0, 0.5, 1.0) == pytest.approx(0.98)
        and adapted_beta(1.0, 1.0, 1.0) == 1.0
    )


def test_bad_input_is_one_line(tmp_path):
    with pytest.raises(CourseError, match="2 prompts are too few for steps of 3"):
        ppo(long_is_good, prompts("train", 2, "ppo"), TINY, base=Llama(SMALL), progress=False)
    with pytest.raises(CourseError, match="is not finite: mend the reward function"):
        ppo(
            lambda rows, answers: torch.full((len(answers),), float("nan")),
            prompts("train", 9, "ppo"),
            TINY,
            base=Llama(SMALL),
            progress=False,
        )
