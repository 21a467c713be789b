"""release: the handed-in assistant on an exam that the seed draws, helpful × harmless × truthful; and cards that are
meant to hurt whoever parses them.
"""

import time

import pytest

from course_lib.evaluation import release
from course_lib.questions import lab11_evaluation_and_release as lab
from course_lib.stages.artifacts import ArtifactError, load_stage, save_stage
from course_lib.stages.model import Llama, ModelConfig

SMALL = {"hidden": 16, "intermediate": 32, "layers": 1, "heads": 2}


@pytest.fixture
def few(monkeypatch):
    exam = release.exam
    monkeypatch.setattr(release, "exam", lambda seed: exam(seed, 3))


def handed_in(folder, **changes):
    return save_stage("release", Llama(ModelConfig(**SMALL | changes)), {}, folder=folder)


def test_an_untrained_model_scores_nothing_and_is_told_why(tmp_path, few):
    fraction, message = lab.score_release(handed_in(tmp_path), "public", True)
    assert fraction == 0.0 and message.startswith(
        "helpful 0.000 × harmless 0.000 × truthful 0.000 = 0.000 on 15 fresh rows; full marks from"
    )
    assert lab.score_release(tmp_path, "public", True) == (fraction, message)


@pytest.mark.parametrize(
    "score, fraction",
    [(1.0, 1), (lab.SCORE_FULL, 1), ((lab.SCORE_FULL + lab.SCORE_ZERO) / 2, 0.5), (lab.SCORE_ZERO, 0), (0.0, 0)],
)
def test_the_score_is_a_straight_line_between_the_two_bands(tmp_path, few, monkeypatch, score, fraction):
    monkeypatch.setattr(
        release, "axes", lambda taken: {"helpful": 1.0, "harmless": score, "truthful": 1.0, "score": score}
    )
    assert lab.score_release(handed_in(tmp_path), 0, False)[0] == pytest.approx(fraction)


def test_the_seed_draws_the_rows(tmp_path, few, monkeypatch):
    asked = []
    monkeypatch.setattr(
        release,
        "take",
        lambda model, rows: (
            asked.append([row["messages"][0]["content"] for row in rows]) or [{**row, "right": False} for row in rows]
        ),
    )
    handed_in(tmp_path)
    for seed in (1, 2, 1):
        lab.score_release(tmp_path, seed, False)
    assert asked[0] == asked[2] != asked[1]


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 60}, "takes up to")])
def test_a_model_that_cannot_read_the_rows_gets_one_line(tmp_path, few, changes, words):
    with pytest.raises(ArtifactError, match=words):
        lab.score_release(handed_in(tmp_path, **changes), 0, False)


def test_the_stage_of_another_lab_is_refused(tmp_path, few):
    save_stage("safe", Llama(ModelConfig(**SMALL)), {}, folder=tmp_path)
    with pytest.raises(ArtifactError, match="not 'release'"):
        lab.score_release(tmp_path, 0, False)


def test_who_hands_in_what_everybody_starts_from_earns_nothing(tmp_path, monkeypatch):
    exam = release.exam
    monkeypatch.setattr(release, "exam", lambda seed: exam(seed, 12))
    save_stage("release", load_stage("sft").model, {}, folder=tmp_path)
    assert lab.score_release(tmp_path, "x", False)[0] == 0.0, "sft refuses nothing"


@pytest.mark.parametrize(
    "front",
    [
        "a: &a [x]\n"
        + "".join(
            f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(9)
        ),  # a billion laughs
        "a: " + "[" * 9_000,
        "a: " + "[" * 400 + "]" * 400,
        "a: " + "1" * 9_000,
        "a: !!python/object/apply:os.system ['true']",
        "a: [",
        "\x00",
        "? " * 3_000,
        "- a",
        "",
    ],
)
def test_a_hostile_card_costs_its_author_the_question_and_nobody_time(front):
    from course_lib.questions.core import LocalCaller, run

    started = time.perf_counter()
    result = run(lab.CARD, LocalCaller({"model_card": lambda *args: f"---\n{front}\n---\n\n# r\n"}))
    assert result.score == 0 and all(case.status == "fail" and len(case.message) < 500 for case in result.cases[:-1])
    assert time.perf_counter() - started < 20
