"""trained_reasoner: what is asked of a handed-in policy, and that the score is what the examination says."""

import pytest

from course_lib.evaluation import reasoning
from course_lib.questions import lab12_reasoning as lab
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig

SMALL = {"hidden": 32, "intermediate": 64, "layers": 1, "heads": 2}


def handed_in(folder, stage="reasoning", **changes):
    return save_stage(stage, Llama(ModelConfig(**{**SMALL, **changes})), {}, folder=folder)


def test_an_untrained_policy_scores_nothing_and_is_told_how_far_it_is(tmp_path):
    fraction, message = lab.score_reasoner(handed_in(tmp_path), "public", True)
    assert fraction == 0.0 and "fresh questions about residents of no training row right" in message
    assert lab.score_reasoner(tmp_path, "public", True) == (fraction, message)


def test_each_seed_has_questions_of_its_own(tmp_path, monkeypatch):
    seeds = []
    monkeypatch.setattr(reasoning, "score_of_reasoner", lambda model, seed: (seeds.append(seed), ""))
    for seed in ("public", "public", "another"):
        lab.score_reasoner(handed_in(tmp_path), seed, False)
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize("changes", [{"vocabulary": 300}, {"context": 64}])
def test_a_model_that_cannot_read_the_questions_gets_one_line(tmp_path, changes):
    with pytest.raises(ArtifactError, match="start from assistant"):
        lab.score_reasoner(handed_in(tmp_path, **changes), 0, False)


def test_another_stage_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="holds stage 'safe'"):
        lab.score_reasoner(handed_in(tmp_path, "safe"), 0, False)
