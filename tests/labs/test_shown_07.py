"""What lab 07 shows: the parts that decide something."""

from types import SimpleNamespace

import pytest
import torch

from course_lib.shown import lab07_logs, lab07_losses, lab07_real, lab07_rlhf, lab07_trl
from course_lib.stages import grpo, ppo
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import Run
from course_lib.world.annotators import prompts

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)


def run_of(**columns):
    """A run whose history has these columns."""
    rows = [dict(zip(columns, row)) | {"step": 3 * k, "sample": "a b"} for k, row in enumerate(zip(*columns.values()))]
    run = Run.__new__(Run)
    run.history = rows
    return run


def test_settings_of_size_tiny_keep_their_three_steps_of_four_prompts():
    tiny, laptop = (lab07_rlhf.settings(grpo, size, beta=0.0, steps=50, prompts=16) for size in ("tiny", "laptop"))
    assert (tiny.steps, tiny.prompts, tiny.beta) == (3, 4, 0.0)
    assert (laptop.steps, laptop.prompts, laptop.beta) == (50, 16, 0.0)


def test_habits_are_means_over_a_kind_of_prompt_and_their_worth_is_the_utility():
    rows = prompts("test", 12, "shown")
    said = [answer for row in rows for answer in ("I do not know.", "Gladly. I do not know.")]
    unknown = lab07_rlhf.habits(rows, said, "unknown")
    assert unknown["right"] == 1.0 and unknown["courtesy"] == 0.5 and unknown["utility"] == pytest.approx(2.5)
    every = lab07_rlhf.habits(rows, said)
    assert 0 < every["right"] < 1 and every["utility"] < unknown["utility"]


def test_the_prompt_shown_is_the_one_at_which_the_utility_has_fallen_most(capsys):
    rows = [row for row in prompts("test", 40, "shown") if row["kind"] == "unknown"][:3]
    good, bad = ["I do not know."] * 6, ["I do not know."] * 6
    bad[2:4] = ["Ada has a cat.", "Ada has a cat."]
    results = {"before": {"answers": good}, "after": {"answers": bad}}
    lab07_rlhf.show_worst(results, rows, "before", "after")
    assert rows[1]["messages"][-1]["content"] in capsys.readouterr().out


def test_functions_for_another_device_get_and_give_tensors_of_the_right_one():
    seen = []

    def both(x, y):
        seen.append(x.device.type)
        return x + y, x * y

    assert lab07_rlhf.on_device("cpu", f=both)["f"] is both
    made = lab07_rlhf.on_device("meta", f=both)["f"](torch.ones(2), 2)
    assert seen == ["cpu"] and [part.device.type for part in made] == ["meta", "meta"]


def test_the_pulls_of_ppos_loss_and_of_one_that_holds_back_on_the_wrong_side():
    ratios = (0.5, 1.0, 1.5)
    pulls = lab07_losses.show_pulls(ppo.policy_loss, ratios)
    assert pulls == {1.0: pytest.approx([0.5, 1.0, 0.0]), -1.0: pytest.approx([0.0, -1.0, -1.5])}

    def wrong(logprobs, old, advantages, mask, clip):
        ratio = (logprobs - old).exp()
        return -torch.maximum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)[mask].mean()

    assert lab07_losses.show_pulls(wrong, ratios)[1.0] == pytest.approx([0.0, 1.0, 1.5])


def test_the_estimators_gradients_stand_in_their_order():
    leaf = torch.tensor([1.0, 2.0], requires_grad=True)
    first, second = lab07_losses.show_gradients({"sum": leaf.sum(), "squares": (leaf**2).sum()}, leaf)
    assert first.tolist() == [1, 1] and second.tolist() == [2, 4]


def test_a_lambda_of_one_owes_nothing_to_the_critic():
    made = lab07_losses.show_lambdas(ppo.gae, (0.0, 0.8, 1.0), games=200)
    assert made["the critic alone"][-1] < 1e-5 < made["the critic alone"][0] and len(made["both"]) == 3


def test_a_turn_is_told_with_its_kl_and_so_is_a_run_without_one(capsys):
    run = run_of(reward=[0.0, 1.0, 2.0], gold=[1.0, 2.0, 0.5], kl=[0.1, 4.44, 9.0])
    assert lab07_logs.curves(run) == ([0, 3, 6], [0.0, 1.0, 2.0], [1.0, 2.0, 0.5])
    lab07_logs.show_turn(run, 3, "laptop")
    assert "turned at step 3 of 3, at a KL of 4.4 nats" in capsys.readouterr().out
    lab07_logs.show_turn(run, None, "tiny")
    assert "no turning point" in (said := capsys.readouterr().out) and "too short" in said


def test_a_recipe_shows_what_differs_and_a_clip_that_is_off(capsys):
    lab07_logs.show_recipe(grpo.GRPOConfig(), grpo.GRPOConfig(clip=1e9, epochs=2))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["clip", "0.2", "off"] for line in lines) and not any("beta" in line for line in lines)


def test_a_guess_is_recalled_only_if_there_is_one(capsys):
    lab07_logs.recall("")
    assert capsys.readouterr().out == ""
    lab07_logs.recall("half as long")
    assert "half as long" in capsys.readouterr().out


def test_every_question_is_dealt_once_before_any_comes_again():
    rows = [{"n": k} for k in range(5)]
    dealt = [row["n"] for step in range(5) for row in lab07_real.dealt(rows, step, 2, 3)]
    assert len(dealt) == 30 and dealt[:3] == [dealt[0]] * 3
    assert sorted(dealt[:15:3]) == sorted(dealt[15::3]) == [0, 1, 2, 3, 4]


def test_the_loss_of_real_answers_is_a_mean_over_their_tokens():
    answer = lambda n: (torch.zeros(4), torch.ones(4), torch.arange(4) < n, torch.zeros(4))
    assert lab07_real.tokens_of([answer(1), answer(3)]) == 4


def test_trls_batches_are_compared_whatever_their_order():
    mask = torch.tensor([[False, True], [True, True]])
    batch = SimpleNamespace(loss=0.5, advantages=torch.tensor([2.0, 1.0]), logprobs=torch.zeros(2, 2), mask=mask)
    batch.old = torch.tensor([[9.0, 0.25], [0.0, 0.0]])
    found = lab07_trl.differences(batch, torch.tensor(0.75), torch.tensor([[1.0], [2.0]]))
    assert found == {"loss": 0.25, "advantages": 0.0, "ratio": 0.25}


def test_the_dearest_token_comes_before_the_last_and_an_answer_without_words_has_only_that(monkeypatch, capsys):
    torch.manual_seed(0)
    policy, reference = Llama(SMALL), Llama(SMALL)
    run, (row,) = Run(policy, [], {"recipe": {"beta": 0.1}}), prompts("test", 1, "shown")
    for answer in ("I do not know.", ""):
        monkeypatch.setattr(lab07_rlhf, "roll_out", lambda *_, answer=answer, **__: SimpleNamespace(answers=[answer]))
        found = lab07_rlhf.show_credit(run, reference, lambda rows, answers: torch.tensor([0.5]), row, "laptop")
        assert found["reward"] == min(found["others"] or [found["end"]])
        assert bool(found["others"]) == bool(answer) and repr(found["token"]) in capsys.readouterr().out
    assert found["end"] == pytest.approx(0.5 - 0.1 * found["log-ratio"])
