"""lora_adapter: what counts is the adapter, not the base that it sits on."""

import pytest
import torch

from course_lib.questions import lab04_lora_and_qlora as lab
from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.lora import add_lora, lora_layers, save_adapter_stage
from course_lib.stages.model import Llama, ModelConfig

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)


def handed_in(folder, config=SMALL, rank=1):
    model = add_lora(Llama(config), rank, 8)
    with torch.no_grad():
        for layer in lora_layers(model).values():
            layer.lora_B.fill_(0.1)
    return save_adapter_stage(model, {}, folder=folder)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(lab, "ROWS", 6)


def fake_score(monkeypatch, right, without):
    def score(model, tokenizer, rows, **options):
        adapted = any(bool((layer.lora_B != 0).any()) for layer in lora_layers(model).values())
        return {"accuracy": right if adapted else without}

    monkeypatch.setattr("course_lib.evaluation.instructions.score", score)


def test_an_untrained_adapter_scores_nothing_and_is_told_why(tmp_path, few):
    fraction, message = lab.score_adapter(handed_in(tmp_path), "public", True)
    assert fraction == 0.0 and "0 % of 6 records right" in message and "full marks from" in message


@pytest.mark.parametrize(
    "right, fraction",
    [(1.0, 1), (lab.SCORE_FULL, 1), ((lab.SCORE_FULL + lab.SCORE_ZERO) / 2, 0.5), (lab.SCORE_ZERO, 0), (0.0, 0)],
)
def test_the_score_is_a_straight_line_between_the_two_shares(tmp_path, few, monkeypatch, right, fraction):
    fake_score(monkeypatch, right, 0.0)
    assert lab.score_adapter(handed_in(tmp_path), 0, False)[0] == pytest.approx(fraction)


def test_a_base_that_knows_the_job_without_its_adapter_scores_nothing(tmp_path, few, monkeypatch):
    fake_score(monkeypatch, 1.0, 0.9)
    fraction, message = lab.score_adapter(handed_in(tmp_path), 0, False)
    assert fraction == 0.0 and "90 % of the records without its adapter" in message


def test_more_than_the_allowed_share_scores_nothing(tmp_path, few):
    fraction, message = lab.score_adapter(handed_in(tmp_path, rank=16), 0, False)
    assert fraction == 0.0 and "choose a smaller rank" in message


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 64}, "longer context")])
def test_a_model_that_cannot_read_the_questions_gets_one_line(tmp_path, few, changes, words):
    with pytest.raises(ArtifactError, match=words):
        lab.score_adapter(
            handed_in(tmp_path, ModelConfig(**{"hidden": 32, "intermediate": 64, "layers": 1, "heads": 2, **changes})),
            0,
            False,
        )


def test_what_is_measured_is_what_torch_makes():
    """Adam's states and autograd's gradients, without the compiler and the tracer that torch imports for them."""
    p = torch.nn.Parameter(torch.zeros(600))
    p.grad = torch.ones(600)
    adam = torch.optim.Adam([p])
    adam.step()
    states = sum(t.numel() * t.element_size() for t in adam.state[p].values() if t.dim())
    assert lab.measured_memory(5000, 600, 16)["optimizer"] == states
    x, A, B, g = torch.randn(7, 8), torch.randn(3, 8), torch.randn(5, 3), torch.randn(7, 5)
    leaves = [t.double().requires_grad_() for t in (A, B)]
    y = torch.nn.functional.linear(torch.nn.functional.linear(x.double(), leaves[0]), leaves[1]) * 12.0
    wanted = [t.float() for t in torch.autograd.grad(y, leaves, g.double())]
    assert all(torch.equal(a, b) for a, b in zip(wanted, lab.autograd_gradients(x, A, B, 12.0, g)))
