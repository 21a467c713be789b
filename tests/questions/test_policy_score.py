"""trained_policy: the handed-in policy's gold utility on prompts that the seed draws."""

import numpy as np
import pytest

from course_lib.questions import lab07_rlhf as lab
from course_lib.stages.artifacts import ArtifactError, load_stage, save_stage
from course_lib.stages.model import Llama, ModelConfig, ValuePolicy
from course_lib.stages.rollout import assistant

SMALL = {"hidden": 32, "intermediate": 64, "layers": 1, "heads": 2}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(lab, "PROMPTS", 12)


def handed_in(folder, **changes):
    return save_stage("rlhf", Llama(ModelConfig(**{**SMALL, **changes})), {}, folder=folder)


def test_an_untrained_policy_scores_nothing_and_is_told_how_far_it_is(tmp_path, few):
    fraction, message = lab.score_policy(handed_in(tmp_path), "public", True)
    assert fraction == 0.0 and "of 12 fresh prompts; full marks from" in message
    assert (
        lab.score_policy(tmp_path, "public", True) == (fraction, message)
        and lab.score_policy(tmp_path, "another", False)[1] != message
    )


@pytest.mark.parametrize(
    "worth, fraction",
    [(9.0, 1), (lab.SCORE_FULL, 1), ((lab.SCORE_FULL + lab.SCORE_ZERO) / 2, 0.5), (lab.SCORE_ZERO, 0), (-5.0, 0)],
)
def test_the_score_is_a_straight_line_between_the_two_utilities(tmp_path, few, monkeypatch, worth, fraction):
    monkeypatch.setattr("course_lib.evaluation.alignment.utilities", lambda rows, answers: np.full(len(rows), worth))
    assert lab.score_policy(handed_in(tmp_path), 0, False)[0] == pytest.approx(fraction)


@pytest.mark.slow
def test_the_assistant_that_everybody_starts_from_earns_little(tmp_path):
    save_stage("rlhf", assistant(load_stage("sft").model), {}, folder=tmp_path)
    assert all(lab.score_policy(tmp_path, seed, False)[0] < 0.3 for seed in (0, 1))


def test_ppos_critic_is_not_handed_in(tmp_path, few):
    save_stage("rlhf", ValuePolicy(ModelConfig(**SMALL)), {}, folder=tmp_path)
    assert lab.score_policy(tmp_path, 0, False)[0] == 0.0


@pytest.mark.parametrize("changes", [{"vocabulary": 300}, {"context": 64}])
def test_a_model_that_cannot_read_the_prompts_gets_one_line(tmp_path, few, changes):
    with pytest.raises(ArtifactError, match="start from assistant"):
        lab.score_policy(handed_in(tmp_path, **changes), 0, False)


def test_another_stage_is_refused(tmp_path, few):
    save_stage("sft", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match="holds stage 'sft'"):
        lab.score_policy(tmp_path, 0, False)
