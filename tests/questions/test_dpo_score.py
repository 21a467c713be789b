"""dpo_policy: the handed-in policy on prompts that the seed draws, judged by the gold utility."""

import pytest

from course_lib.questions import lab08_direct_alignment as lab
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig

SMALL = {"hidden": 16, "intermediate": 32, "layers": 1, "heads": 2}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(lab, "PROMPTS", 4)
    monkeypatch.setattr(lab, "EACH", 2)


def test_an_untrained_policy_scores_nothing_and_is_told_so(tmp_path, few):
    save_stage("dpo", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    fraction, message = lab.score_policy(tmp_path, "public", True)
    assert (
        fraction == 0.0 and message.startswith("gold utility -") and "2 answers to each of 4 fresh prompts" in message
    )
    assert lab.score_policy(tmp_path, "public", True) == (fraction, message)


@pytest.mark.parametrize(
    "worth, fraction",
    [(9, 1), (lab.UTILITY_FULL, 1), ((lab.UTILITY_FULL + lab.UTILITY_ZERO) / 2, 0.5), (lab.UTILITY_ZERO, 0), (-3, 0)],
)
def test_the_score_is_a_straight_line_between_the_two_utilities(tmp_path, few, monkeypatch, worth, fraction):
    import numpy as np

    save_stage("dpo", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    monkeypatch.setattr(
        "course_lib.evaluation.alignment.utilities", lambda rows, answers: np.full(len(rows), float(worth))
    )
    assert lab.score_policy(tmp_path, 0, False)[0] == pytest.approx(fraction)


def test_the_seed_draws_the_prompts_and_none_of_them_is_a_training_prompt(tmp_path, few, monkeypatch):
    from course_lib.world.annotators import prompts

    asked = []

    def watched(model, tokenizer, rows, each, seed):
        import torch

        from course_lib.stages.rollout import Rollouts

        asked.append([row["messages"][-1]["content"] for row in rows])
        return Rollouts(
            rows,
            ["I do not know."] * len(rows),
            torch.zeros(len(rows), 1, dtype=torch.long),
            torch.zeros(len(rows), 1, dtype=torch.bool),
        )

    save_stage("dpo", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    monkeypatch.setattr("course_lib.stages.rollout.roll_out", watched)
    for seed in (1, 2):
        lab.score_policy(tmp_path, seed, False)
    assert len(asked[0]) == 4 and asked[0] != asked[1]
    assert asked[0] == [row["messages"][-1]["content"] for row in prompts("test", 4, f"grade {lab.LAB} 1")]


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 60}, "longer context")])
def test_a_policy_that_cannot_read_the_prompts_gets_one_line(tmp_path, few, changes, words):
    save_stage("dpo", Llama(ModelConfig(**SMALL | changes)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match=words):
        lab.score_policy(tmp_path, 0, False)


def test_the_stage_of_another_lab_is_refused(tmp_path, few):
    save_stage("sft", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match="not 'dpo'"):
        lab.score_policy(tmp_path, 0, False)


def test_the_shipped_assistant_itself_scores_about_nothing(tmp_path, monkeypatch):
    from course_lib.stages.artifacts import load_stage
    from course_lib.stages.rollout import assistant

    monkeypatch.setattr(lab, "PROMPTS", 40)
    save_stage("dpo", assistant(load_stage("sft").model), {}, folder=tmp_path)
    assert lab.score_policy(tmp_path, "x", False)[0] < 0.35, "who hands in the reference has learned nothing"
