"""The attention viewer: its weights give the model's own output, the model stays as it is, and every number can be
read.
"""

import math
import re

import pytest
import torch

from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import attention
from course_lib.widgets.attention import Attention, attend, facts, figure, most_entropy, reads, render, weights_of

CONFIG = ModelConfig(hidden=32, intermediate=48, layers=2, heads=4, context=128)


@pytest.fixture(scope="module")
def model():
    return Llama(CONFIG, seed=3).eval()


def test_the_weights_give_what_the_fused_kernel_gives(model):
    ids, seen = torch.randint(5, 2000, (1, 17), generator=torch.Generator().manual_seed(0)), []
    hooks = [
        block.self_attn.register_forward_hook(lambda module, given, out: seen.append((module, given[0], out)))
        for block in model.model.layers
    ]
    weights = weights_of(model, ids)
    for hook in hooks:
        hook.remove()
    assert weights.shape == (2, 4, 17, 17) and torch.allclose(weights.sum(-1), torch.ones(2, 4, 17), atol=1e-6)
    assert (weights.triu(1) == 0).all(), "nobody reads ahead"
    for layer, (module, x, out) in enumerate(seen):
        values = module.v_proj(x).unflatten(-1, (module.heads, -1)).transpose(1, 2)
        mine = module.o_proj((weights[layer] @ values).transpose(1, 2).flatten(-2))
        assert torch.allclose(mine, out, atol=1e-5), (mine - out).abs().max()


def test_the_model_is_left_alone(model):
    ids = torch.tensor([[1, 7, 9]])
    before = model(ids)
    weights_of(model, ids)
    assert torch.equal(before, model(ids)) and not any(
        block.self_attn._forward_pre_hooks for block in model.model.layers
    )
    with pytest.raises(IndexError):
        weights_of(model, torch.tensor([[10**6]]))
    assert not any(block.self_attn._forward_pre_hooks for block in model.model.layers), "also after an error"


def test_averages_of_heads_that_are_known():
    T = 6
    alike, itself, first = (
        torch.ones(T, T).tril() / torch.arange(1, T + 1)[:, None],
        torch.eye(T),
        torch.zeros(T, T).index_fill(1, torch.tensor([0]), 1.0),
    )
    made = facts(torch.stack([torch.stack([alike, itself, first])]))
    assert made["entropy"][0].tolist() == pytest.approx([most_entropy(T), 0, 0], abs=1e-6) and most_entropy(
        2
    ) == pytest.approx(math.log(2))
    assert made["distance"][0].tolist() == pytest.approx([1.5, 0, 3.0]) and made["itself"][0].tolist() == pytest.approx(
        [sum(1 / n for n in range(2, 7)) / 5, 1, 0]
    )
    assert made["first"][0, 2] == 1 and made["before"][0].tolist() == pytest.approx(
        [sum(1 / n for n in range(2, 7)) / 5, 0, 0.2]
    )


def test_a_head_as_a_table(model):
    tokens, weights = attend(model, load_tokenizer(), "Ada <b>&\n bakes. " * 20)
    assert (
        len(tokens) == attention.MOST == weights.shape[-1]
        and tokens[0] == "<|bos|>"
        and any("↵" in token for token in tokens)
    )
    shown = render(tokens, weights, 1, 2)
    assert (
        "Layer 2, head 3: entropy" in shown
        and "<b>&" not in shown
        and shown.count('scope="row"') == shown.count('scope="col"') == len(tokens)
    )
    assert shown.count("tabindex") == len(tokens) and "hover th" in shown and len(shown) < 60_000
    rows = [re.findall(r">(\d+)</td>", row) for row in shown.split("<tr>")[2:]]
    assert all(95 <= sum(map(int, row)) <= 105 for row in rows[:10]), "the row of a token is what it reads, in %"
    assert reads(["a", "b"], torch.tensor([0.25, 0.75]), 1) == "“b” reads “b” 75 %, “a” 25 %"


def test_all_heads_in_one_picture(model):
    tokens, weights = attend(model, load_tokenizer(), "Ada bakes $bread$.")
    fig = figure(tokens, weights)
    grid = [axes for axes in fig.axes if axes.images and not hasattr(axes, "_colorbar")]
    assert len(grid) == 8 and all("nats" in axes.get_title() for axes in grid)
    assert [label.get_text() for label in grid[0].get_yticklabels()] == tokens and "read" in fig.get_supxlabel()


def test_buttons_choose_layer_and_head(model):
    tokens, weights = attend(model, load_tokenizer(), "Ada bakes.")
    widget = Attention(tokens, weights)
    widget.layer.value, widget.head.value = 1, 3
    assert (
        widget.html.value == render(tokens, weights, 1, 3)
        and len(widget.layer.options) == 2
        and len(widget.head.options) == 4
    )


def test_no_front_end(model, capsys):
    assert attention.show(model, load_tokenizer(), "Ada bakes.") is None and capsys.readouterr().out == ""
