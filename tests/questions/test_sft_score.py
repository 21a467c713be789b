"""sft_model: the handed-in assistant on instructions that the seed draws."""

import pytest

from course_lib.questions import lab03_supervised_fine_tuning as lab
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.world.tasks import task_rows

SMALL = {"hidden": 16, "intermediate": 32, "layers": 1, "heads": 2}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(lab, "ROWS", 8)


def test_an_untrained_model_scores_nothing_and_is_told_so(tmp_path, few):
    save_stage("sft", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    fraction, message = lab.score_model(tmp_path, "public", True)
    assert fraction == 0.0 and "0.0 % of 8 instructions right" in message
    assert lab.score_model(tmp_path, "public", True) == (fraction, message)


@pytest.mark.parametrize(
    "percent, fraction",
    [
        (100, 1),
        (lab.ACCURACY_FULL, 1),
        ((lab.ACCURACY_FULL + lab.ACCURACY_ZERO) / 2, 0.5),
        (lab.ACCURACY_ZERO, 0),
        (0, 0),
    ],
)
def test_the_score_is_a_straight_line_between_the_two_shares(tmp_path, few, monkeypatch, percent, fraction):
    save_stage("sft", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    monkeypatch.setattr("course_lib.evaluation.instructions.score", lambda *_, **__: {"accuracy": percent / 100})
    assert lab.score_model(tmp_path, 0, False)[0] == pytest.approx(fraction)


def test_right_answers_to_rows_that_the_seed_draws_get_full_marks(tmp_path, few, monkeypatch):
    asked = []

    def perfect(model, tokenizer, conversations, **options):
        asked.append([messages[-1]["content"] for messages in conversations])
        wanted = {
            row["messages"][-2]["content"]: row["messages"][-1]["content"]
            for split in ("residents", "phrasings")
            for seed in (1, 2)
            for row in task_rows(split, 4, f"grade {lab.LAB} {seed}")
        }
        return [wanted[messages[-1]["content"]] for messages in conversations]

    save_stage("sft", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    monkeypatch.setattr("course_lib.evaluation.instructions.respond", perfect)
    assert [lab.score_model(tmp_path, seed, False)[0] for seed in (1, 2)] == [1.0, 1.0]
    assert len(asked[0]) == 8 and asked[0] != asked[1]


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 60}, "longer context")])
def test_a_model_that_cannot_read_the_questions_gets_one_line(tmp_path, few, changes, words):
    save_stage("sft", Llama(ModelConfig(**SMALL | changes)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match=words):
        lab.score_model(tmp_path, 0, False)


def test_a_model_of_another_stage_is_refused(tmp_path, few):
    save_stage("pretrain", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match="not 'sft'"):
        lab.score_model(tmp_path, 0, False)
