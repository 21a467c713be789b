"""The score of a handed-in reward model: expected accuracy as a share of the best judge's, on fresh pairs that the seed
draws.
"""

import pytest
import torch

from course_lib.questions import lab06_preferences_and_reward_model as lab06
from course_lib.stages import reward
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig, RewardModel
from course_lib.world.annotators import prompts, utility


def score(folder, seed="public"):
    return lab06.MODEL.score(str(folder / "reward"), seed, True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(lab06, "PROMPTS", 60)
    save_stage("reward", RewardModel(ModelConfig()), {"seed": 0}, tmp_path / "reward")
    return tmp_path


def judged_by(monkeypatch, worth):
    """rewards_of as a function of the prompt's row and the answer."""
    rows = {
        row["messages"][0]["content"]: row
        for seed in ("public", "two")
        for row in prompts("test", 60, f"grade {lab06.LAB} {seed}")
    }
    monkeypatch.setattr(
        reward,
        "rewards_of",
        lambda model, tokenizer, asked, answers: torch.tensor(
            [float(worth(rows[m[0]["content"]], a)) for m, a in zip(asked, answers)]
        ),
    )


def test_a_head_that_was_never_trained_is_a_coin(folder):
    fraction, message = score(folder)
    assert fraction == 0.0 and "accuracy 50.0 %" in message and "fresh pairs" in message


def test_the_gold_utility_gets_full_marks_and_its_opposite_none(folder, monkeypatch):
    judged_by(monkeypatch, utility)
    assert score(folder)[0] == 1.0 and score(folder, "two")[0] == 1.0
    assert score(folder)[1] != score(folder, "two")[1]  # other seeds, other pairs
    judged_by(monkeypatch, lambda row, answer: -utility(row, answer))
    assert score(folder)[0] == 0.0


def test_between_the_bands_the_marks_follow_a_line(folder, monkeypatch):
    judged_by(monkeypatch, utility)
    monkeypatch.setattr(lab06, "SHARE_FULL", 125.0)
    monkeypatch.setattr(lab06, "SHARE_ZERO", 75.0)
    assert 0.4 < score(folder)[0] < 0.5 + 1e-9  # a share of 95 to 100 % lies half way, at most


def test_a_model_without_a_reward_head_is_one_line(tmp_path):
    save_stage("reward", Llama(ModelConfig()), {"seed": 0}, tmp_path / "reward")
    with pytest.raises(ArtifactError, match="no reward head"):
        score(tmp_path)


@pytest.mark.parametrize(
    "config, words", [(ModelConfig(vocabulary=300), "knows 300 tokens"), (ModelConfig(context=64), "reads 64 tokens")]
)
def test_a_model_that_cannot_read_the_pairs_is_one_line(tmp_path, config, words):
    save_stage("reward", RewardModel(config), {"seed": 0}, tmp_path / "reward")
    with pytest.raises(ArtifactError, match=words) as error:
        score(tmp_path)
    assert "\n" not in str(error.value)
