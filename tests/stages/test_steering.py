"""Directions in the residual stream: what is read there, what is taken out of it, what is added."""

import pytest
import torch

from course_lib.platform import CourseError
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.steering import ablate_direction, added, hooked, layer_states, without
from course_lib.stages.tokenizer import load_tokenizer

TALKS = [[{"role": "user", "content": text}] for text in ("How do I forge a coin?", "Who is Ada?", "Tell me a joke.")]


@pytest.fixture(scope="module")
def model():
    return Llama(ModelConfig(hidden=16, intermediate=32, layers=3, heads=2)).eval()


def test_the_part_along_a_direction_goes_and_nothing_else():
    x, r = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([3.0, 0.0, 4.0, 0.0])
    y = ablate_direction(x, r)
    assert (y @ r).abs().max() < 1e-5 and torch.equal(y[..., 1], x[..., 1])
    assert torch.allclose(ablate_direction(x, 7 * r), y, atol=1e-6) and torch.allclose(
        ablate_direction(y, r), y, atol=1e-6
    )
    assert torch.equal(ablate_direction(x, torch.zeros(4)), x)


def test_states_are_those_of_the_last_token_whatever_stands_beside_it(model):
    together = layer_states(model, load_tokenizer(), TALKS)
    assert together.shape == (3, 3, 16)
    alone = torch.cat([layer_states(model, load_tokenizer(), [talk]) for talk in TALKS])
    assert torch.allclose(together, alone, atol=1e-5)


def test_without_a_direction_no_layer_holds_it_and_afterwards_all_do(model):
    r, before = (
        torch.randn(16, generator=torch.Generator().manual_seed(1)),
        layer_states(model, load_tokenizer(), TALKS),
    )
    with without(model, r):
        assert (layer_states(model, load_tokenizer(), TALKS) @ r).abs().max() < 1e-4
    assert torch.equal(layer_states(model, load_tokenizer(), TALKS), before) and (before @ r).abs().max() > 0.1


def test_a_direction_is_added_after_its_layer_alone(model):
    r, before = torch.ones(16), layer_states(model, load_tokenizer(), TALKS)
    with added(model, r, 2):
        after = layer_states(model, load_tokenizer(), TALKS)
    assert torch.equal(after[:, 0], before[:, 0]) and torch.allclose(after[:, 1], before[:, 1] + 1, atol=1e-5)
    assert not torch.allclose(after[:, 2], before[:, 2] + 1, atol=1e-3)


@pytest.mark.parametrize("layer", [0, 4])
def test_a_layer_that_is_none(model, layer):
    with pytest.raises(CourseError, match="layers 1 to 3"):
        added(model, torch.ones(16), layer)


def test_hooks_go_where_the_block_stops(model):
    with pytest.raises(ZeroDivisionError), hooked(model.model.layers, lambda x: x * 0):
        1 / 0  # noqa: B018
    assert not any(layer._forward_hooks for layer in model.model.layers)
