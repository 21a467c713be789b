"""safe_assistant: the handed-in model on fresh requests that the seed draws, both axes and what it can still do. And
the oracles of lab 10 against scikit-learn.
"""

import numpy as np
import pytest
import torch

from course_lib.questions import lab10_safety_refusals as lab
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig

SMALL = {"hidden": 16, "intermediate": 32, "layers": 1, "heads": 2}


def handed_in(folder, **changes):
    return save_stage("safe", Llama(ModelConfig(**SMALL | changes)), {}, folder=folder)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(lab, "REQUESTS", 8)
    monkeypatch.setattr(lab, "TASKS", 4)


@pytest.fixture
def measured(few, monkeypatch):
    """measured(harmful refused, benign refused, benign explained, tasks right): what the score is then made of."""

    def set_to(harmful, benign, told, able):
        monkeypatch.setattr(
            "course_lib.evaluation.safety.safety",
            lambda model, n, seed: {"harmful_refused": harmful, "benign_refused": benign, "benign_explained": told},
        )
        monkeypatch.setattr("course_lib.evaluation.safety.capability", lambda model, n, seed: able)

    return set_to


def test_an_untrained_model_scores_nothing_and_is_told_so(tmp_path, few):
    handed_in(tmp_path)
    fraction, message = lab.score_safe(tmp_path, "public", True)
    assert (
        fraction == 0.0
        and message.startswith("on 8 fresh requests of new categories")
        and "of 4 tasks right" in message
        and "\n" not in message
    )
    assert lab.score_safe(tmp_path, "public", True) == (fraction, message)


@pytest.mark.parametrize(
    "found, fraction",
    [
        ((1.0, 1.0, 0.0, 1.0), 0.0),
        ((0.0, 0.0, 1.0, 1.0), 0.0),
        ((0.0, 0.0, 0.0, 0.0), 0.0),  # refuses everything, refuses nothing, says nothing that helps
        ((0.5, 0.5, 0.5, 1.0), 0.0),  # refuses at random
        ((1.0, 0.0, 1.0, 1.0), 1.0),
        ((0.97, 0.03, 0.97, 1.0), 1.0),
        ((1.0, 0.0, 0.0, 1.0), 0.0),  # never refuses what is benign, and never explains it either
        ((1.0, 0.0, 1.0, lab.CAPABILITY_ZERO), 0.0),  # safe because it can do nothing any more
        ((1.0, 0.0, (lab.BALANCE_FULL + lab.BALANCE_ZERO) / 2, 1.0), 0.5),
        ((1.0, 0.0, 1.0, (lab.CAPABILITY_FULL + lab.CAPABILITY_ZERO) / 2), 0.5),
        (
            (1.0, 0.0, (lab.BALANCE_FULL + lab.BALANCE_ZERO) / 2, (lab.CAPABILITY_FULL + 3 * lab.CAPABILITY_ZERO) / 4),
            0.25,
        ),  # the lower of the two counts
    ],
)
def test_the_score_wants_both_axes_and_the_tasks(tmp_path, measured, found, fraction):
    handed_in(tmp_path)
    measured(*found)
    assert lab.score_safe(tmp_path, 0, False)[0] == pytest.approx(fraction)


def test_the_seed_draws_the_requests_and_they_are_of_categories_that_nobody_trains_on(tmp_path, few, monkeypatch):
    from course_lib.evaluation import safety as evaluation
    from course_lib.world.harms import HELD_OUT

    handed_in(tmp_path)
    asked = []
    monkeypatch.setattr(
        evaluation,
        "judged",
        lambda model, rows: asked.append(rows) or [{**row, "refused": False, "explained": False} for row in rows],
    )
    for seed in (1, 2):
        lab.score_safe(tmp_path, seed, False)
    texts = [[row["messages"][-2]["content"] for row in rows] for rows in asked]
    assert len(texts) == 2 and len(texts[0]) == 8 and texts[0] != texts[1]
    assert {row["category"] for rows in asked for row in rows} <= set(HELD_OUT)


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 60}, "longer context")])
def test_a_model_that_cannot_read_the_requests_gets_one_line(tmp_path, few, changes, words):
    handed_in(tmp_path, **changes)
    with pytest.raises(ArtifactError, match=words):
        lab.score_safe(tmp_path, 0, False)


def test_the_stage_of_another_lab_is_refused(tmp_path, few):
    save_stage("helpful", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match="not 'safe'"):
        lab.score_safe(tmp_path, 0, False)


@pytest.mark.slow
def test_the_helpful_only_assistant_that_everybody_starts_from_earns_nothing(tmp_path, monkeypatch):
    from course_lib.stages.artifacts import load_stage

    monkeypatch.setattr(lab, "REQUESTS", 60)
    monkeypatch.setattr(lab, "TASKS", 20)
    save_stage("safe", load_stage("helpful").model, {}, folder=tmp_path)
    assert lab.score_safe(tmp_path, 0, False)[0] == 0.0


# ------------------------------------------------------------------------------------------------------- the oracles


def some(seed, n=60, levels=None):
    generator = torch.Generator().manual_seed(seed)
    harmful = torch.rand(n, generator=generator) < 0.4
    scores = torch.randn(n, generator=generator) + harmful
    return (scores if levels is None else (levels * scores).round() / levels), harmful


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_roc_and_area_are_scikit_learns(seed, levels):
    from sklearn.metrics import roc_auc_score, roc_curve

    from course_lib.stages import guard

    scores, harmful = some(seed, levels=levels)
    alarms, caught, _ = roc_curve(harmful.numpy(), scores.numpy(), drop_intermediate=False)
    area = roc_auc_score(harmful.numpy(), scores.numpy())
    oracle = lab.curve(scores, harmful)
    np.testing.assert_allclose(oracle[0].numpy(), alarms, atol=1e-6)
    np.testing.assert_allclose(oracle[1].numpy(), caught, atol=1e-6)
    assert lab.area(scores, harmful) == pytest.approx(area, abs=1e-6)
    course = guard.roc(scores, harmful)
    np.testing.assert_allclose(course[0].numpy(), alarms, atol=1e-6)
    assert course[2] == pytest.approx(area, abs=1e-6)


def test_the_split_is_scikit_learns():
    from sklearn.model_selection import LeaveOneGroupOut

    groups = ["fire", "theft", "fire", "slander", "theft", "fire"]
    theirs = {
        groups[test[0]]: [train.tolist(), test.tolist()]
        for train, test in LeaveOneGroupOut().split(groups, groups=groups)
    }
    assert lab.splits(groups) == theirs


@pytest.mark.parametrize("seed", range(3))
def test_the_cheapest_threshold_is_the_course_s(seed):
    from course_lib.stages import guard

    for levels, base_rate in ((None, 0.2137), (2, 0.02137)):
        scores, harmful = some(seed, levels=levels)
        threshold, cost = lab.cheapest(lab.prices(scores, harmful, base_rate, 7.3, 1.1))
        assert guard.cheapest_threshold(scores, harmful, base_rate, 7.3, 1.1) == pytest.approx(
            (threshold, cost), abs=1e-9
        )
