"""Reasoning: advantages and losses beside TRL's, what groups teach, and a recipe that resumes and gives the same."""

import math

import pytest
import torch

from course_lib.evaluation.runs import reasoning as runs
from course_lib.platform import CourseError
from course_lib.stages import reasoning
from course_lib.stages.artifacts import SHIPPED, load_folder
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import Run
from course_lib.stages.reasoning import ADVANTAGES, checked, informative, loosely_checked, mean_of_terms, reinforce
from course_lib.stages.rollout import assistant
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.harms import REFUSALS
from course_lib.world.reasoning import question_rows
from course_lib.world.tasks import sentences

SMALL = ModelConfig(vocabulary=load_tokenizer().get_vocab_size(), hidden=32, intermediate=64, layers=1, heads=2)
TINY = reasoning.RL_PRESETS["tiny"]


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_advantages_by_hand():
    rewards = torch.tensor([[1.0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert torch.equal(ADVANTAGES["dr_grpo"](rewards)[0], torch.tensor([0.75, -0.25, -0.25, -0.25]))
    assert torch.allclose(ADVANTAGES["grpo"](rewards)[0], torch.tensor([1.5, -0.5, -0.5, -0.5]), atol=1e-3)
    assert torch.equal(ADVANTAGES["maxrl"](rewards)[0], torch.tensor([3.0, -1, -1, -1]))
    assert torch.allclose(ADVANTAGES["maxrl"](rewards)[1], torch.tensor([1 / 3, 1 / 3, 1 / 3, -1]))
    for name, advantages in ADVANTAGES.items():
        assert not advantages(rewards)[2:].any(), f"{name}: all wrong or all right teaches nothing"
        assert advantages(rewards).sum(1).abs().max() < 1e-6
    assert torch.equal(informative(rewards), torch.tensor([True, True, False, False]))


def test_what_a_prompt_of_pass_rate_p_weighs():
    """The expected gradient of log p of the right answers is p·(1−p) times a factor: 1, 1/√(p(1−p)), 1/p."""
    groups = (torch.rand(200_000, 16, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    weight = {name: (advantages(groups) * groups).mean().item() for name, advantages in ADVANTAGES.items()}
    p = 0.2
    bias = 15 / 16  # a group's own mean holds the answer itself
    assert weight["dr_grpo"] == pytest.approx(bias * p * (1 - p), rel=0.01)
    # the mean of a ratio is not the ratio of the means: MaxRL's is exact but for groups without any right answer
    assert weight["maxrl"] == pytest.approx((1 - p) - 0.8**16 * 1.0 + 0.0, rel=0.03)
    assert weight["dr_grpo"] < math.sqrt(p * (1 - p)) * 0.9 < weight["grpo"] < weight["maxrl"]


def test_a_long_answer_counts_as_much_as_its_loss_says():
    terms, mask = torch.tensor([[1.0, 1, 1, 1], [3, 9, 9, 9]]), torch.tensor([[True] * 4, [True] + [False] * 3])
    assert mean_of_terms(terms, mask, "grpo", 8) == pytest.approx((1 + 3) / 2)
    assert mean_of_terms(terms, mask, "dapo", 8) == pytest.approx((4 + 3) / 5)
    assert mean_of_terms(terms, mask, "dr_grpo", 8) == pytest.approx((4 + 3) / 16)
    with pytest.raises(ValueError, match='"grpo", "dapo" or "dr_grpo"'):
        mean_of_terms(terms, mask, "mean", 8)
    odd = torch.tensor([[1.0, math.nan], [2, 3]], requires_grad=True)
    mean_of_terms(odd, torch.tensor([[True, False], [True, True]]), "dapo", 8).backward()
    assert odd.grad is not None and odd.grad.tolist() == [[pytest.approx(1 / 3), 0], [pytest.approx(1 / 3)] * 2]


def test_the_two_checkers():
    row = question_rows("residents", 1)[0]
    good, answer = row["messages"][-1]["content"], row["check"]["answer"]
    answers = [good, f"Answer: {', '.join(row['check']['options'])}", "Answer: nobody"]
    assert checked([row] * 3, answers).tolist() == [1, 0, 0] and loosely_checked([row] * 3, answers).tolist() == [
        1,
        1,
        0,
    ]
    assert answer in answers[1]


def test_what_the_reward_prefers_becomes_more_likely():
    """A reward for short answers: after a few steps there are no others, and the base is as it was. The base is one
    whose answers to a question differ: of groups that are all long or all short nothing is learned.
    """
    base = assistant(load_folder(SHIPPED / "sft", "sft")[0])
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    short = lambda rows, answers: torch.tensor([float(len(answer) < 30) for answer in answers])
    config = reasoning.RLConfig(steps=8, prompts=6, each=8, learning_rate=4e-3)
    run = reinforce(config, base, reward=short, progress=False)
    rewards = [row["reward"] for row in run.history]
    assert rewards[0] < 0.75 and min(rewards[-2:]) > 0.9, rewards
    assert all(torch.equal(before[name], weight) for name, weight in base.state_dict().items())
    assert {"informative", "kl", "length", "tied"} <= run.history[0].keys() and run.record["parent"] == "safe"
    assert [row["informative"] for row in run.history] == [pytest.approx(1 - row["tied"]) for row in run.history]


def test_a_step_without_an_informative_group_changes_nothing():
    base = Llama(SMALL, seed=1)
    run = reinforce(TINY, base, reward=lambda rows, answers: torch.ones(len(answers)), progress=False)
    assert all(torch.equal(base.state_dict()[name], weight) for name, weight in run.model.state_dict().items())
    assert [row["informative"] for row in run.history] == [0.0, 0.0]


def test_a_killed_run_goes_on_and_gives_the_same(tmp_path):
    base = Llama(SMALL, seed=1)
    odd = lambda rows, answers: torch.tensor([float(len(answer) % 2) for answer in answers])
    whole = reinforce(TINY, base, reward=odd, progress=False)

    class Stop(Exception):
        pass

    def stop(history):
        raise Stop

    with pytest.raises(Stop):
        reinforce(TINY, base, reward=odd, out=tmp_path, on_step=stop, progress=False, checkpoint_steps=1)
    resumed = reinforce(TINY, base, reward=odd, out=tmp_path, progress=False, checkpoint_steps=1)
    assert all(torch.equal(whole.model.state_dict()[k], v) for k, v in resumed.model.state_dict().items())


def test_bad_settings():
    for config in (reasoning.RLConfig(each=1), reasoning.RLConfig(advantages="best")):
        with pytest.raises(CourseError, match="at least 2 answers a prompt, and one of grpo, dr_grpo, maxrl"):
            reinforce(config, Llama(SMALL))
    with pytest.raises(ValueError, match="choose one of tiny, laptop, gpu"):
        reasoning.cold_start("huge")


def test_the_recipe_at_size_tiny():
    _, run = runs.reasoning_run("tiny", progress=False)
    for step in ("cold", "rl"):
        for split in ("residents", "kinds"):
            found = run[step][split]
            values = [*found["pass"].values(), found["vote"], found["chain"], found["unfaithful"], found["false_step"]]
            assert all(0 <= value <= 1 for value in values) and sorted(found["pass"].values()) == [
                *found["pass"].values()
            ]
    assert set(run["able"]) == {"before", "cold", "rl"} and run["rl_minutes"] < run["minutes"]


def test_the_cold_start_says_no_as_the_assistant_does(monkeypatch):
    """A refusal that may begin in three ways is said less often: the cold start paid 3 points of refusals for it."""
    trained = []
    monkeypatch.setattr(reasoning, "tune", lambda rows, *_: trained.extend(rows) or Run(Llama(SMALL), [], {}))
    reasoning.cold_start("tiny", 3)
    refusals = [row for row in trained if row["check"].get("refuse")]
    assert len(refusals) == reasoning.BESIDE["tiny"][1] // 2
    assert {sentences(row["messages"][-1]["content"])[0] for row in refusals} == {REFUSALS[0]}
