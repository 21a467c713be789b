"""pretrained_model: the handed-in weights against the limit, on documents that the seed draws."""

import pytest

from course_lib.questions import lab02_pretraining as lab
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(lab, "GAP_DOCUMENTS", 8)


def test_an_untrained_model_scores_nothing_and_is_told_how_far_it_is(tmp_path, few):
    save_stage("pretrain", Llama(ModelConfig(hidden=16, intermediate=32, layers=1, heads=2)), {}, folder=tmp_path)
    fraction, message = lab.score_model(tmp_path, "public", True)
    assert fraction == 0.0 and "above the limit on 8 fresh documents" in message
    assert lab.score_model(tmp_path, "public", True) == (fraction, message)
    assert lab.score_model(tmp_path, "another seed", False)[1] != message


@pytest.mark.parametrize(
    "gap, fraction",
    [
        (0, 1),
        (lab.GAP_FULL, 1),
        ((lab.GAP_FULL + lab.GAP_ZERO) / 2, 0.5),
        (lab.GAP_ZERO, 0),
        (900, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        (-1, 1),
    ],
)
def test_the_score_is_a_straight_line_between_the_two_gaps(tmp_path, few, monkeypatch, gap, fraction):
    save_stage("pretrain", Llama(ModelConfig(hidden=16, intermediate=32, layers=1, heads=2)), {}, folder=tmp_path)
    monkeypatch.setattr("course_lib.stages.perplexity.distance_to_limit", lambda *_: {"gap_percent": gap})
    assert lab.score_model(tmp_path, 0, False)[0] == pytest.approx(fraction)


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 8}, "longer context")])
def test_a_model_that_cannot_read_the_documents_gets_one_line(tmp_path, few, changes, words):
    save_stage(
        "pretrain",
        Llama(ModelConfig(**{"hidden": 16, "intermediate": 32, "layers": 1, "heads": 2, **changes})),
        {},
        folder=tmp_path,
    )
    with pytest.raises(ArtifactError, match=words):
        lab.score_model(tmp_path, 0, False)
