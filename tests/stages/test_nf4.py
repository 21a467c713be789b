"""NF4 against bitsandbytes (bit for bit, where it is installed), its bounds, what is really held, and the gradient
through it.
"""

import copy
import importlib.util

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.stages import nf4
from course_lib.stages.lora import add_lora, base_state
from course_lib.stages.model import Llama, ModelConfig, to_transformers

TINY = ModelConfig(vocabulary=96, hidden=64, intermediate=128, layers=2, heads=2, context=64)
IDS = torch.randint(3, 96, (3, 17), generator=torch.Generator().manual_seed(0))
bitsandbytes_is_here = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed: its wheels are for Linux and Windows",
)


def weights(*shape, scale=0.1, seed=0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def round_trip(x):
    packed, absmax = nf4.quantize_nf4(x)
    return nf4.dequantize_nf4(packed, nf4.dequantize_absmax(*nf4.quantize_absmax(absmax)), tuple(x.shape))


@pytest.mark.slow
@bitsandbytes_is_here
@pytest.mark.parametrize("shape", [(128, 384), (2432, 128), (64, 3), (6, 7), (3, 5), (96,), (1, 1)])
@pytest.mark.parametrize("scale", [1.0, 0.02, 1e-4])
def test_codes_and_values_are_those_of_bitsandbytes(shape, scale):
    import bitsandbytes.functional as bnb

    x = weights(*shape, scale=scale)
    packed, absmax = nf4.quantize_nf4(x)
    theirs, state = bnb.quantize_4bit(x, blocksize=64, quant_type="nf4")
    assert torch.equal(packed, theirs.flatten()) and torch.equal(absmax, state.absmax)
    assert torch.equal(nf4.dequantize_nf4(packed, absmax, shape), bnb.dequantize_4bit(theirs, state).view(shape))


@bitsandbytes_is_here
@pytest.mark.parametrize("shape", [(128, 384), (2432, 128), (1000, 1000), (96,)])
def test_double_quantisation_is_that_of_bitsandbytes(shape):
    """Equal bit for bit to its general kernel. Its fp32 kernel for CPUs looks codes up in a table of 65,536 cells, so
    it may take the
    neighbour where two codes are nearly equally near; rounded to that table's grid first, ours are equal to these, too.
    """
    import bitsandbytes.functional as bnb

    assert torch.equal(nf4.DYNAMIC_CODE, bnb.create_dynamic_map()) and torch.equal(
        nf4.NF4_CODE, bnb.get_4bit_type("nf4", "cpu")
    )
    x = weights(*shape)
    packed, absmax = nf4.quantize_nf4(x)
    codes, scale, offset = nf4.quantize_absmax(absmax)
    theirs, state = bnb.quantize_4bit(x, blocksize=64, quant_type="nf4", compress_statistics=True)
    general, _ = torch.ops.bitsandbytes.quantize_blockwise((absmax - offset).double(), nf4.DYNAMIC_CODE, 256)
    assert (
        torch.equal(offset, state.offset)
        and torch.equal(scale, state.state2.absmax)
        and torch.equal(codes.int(), general.int())
    )
    normed = (absmax - offset) / scale.repeat_interleave(256)[: len(absmax)]
    cell = torch.round((normed + 1) * 32767.5) / 32767.5 - 1
    assert (nf4.nearest(cell, nf4.DYNAMIC_CODE) - state.absmax.int()).abs().max() <= 1
    assert (codes != state.absmax).float().mean() < 0.01 and (normed - cell).abs().max() < 2e-5
    # theirs, read by ours
    again = nf4.dequantize_nf4(packed, nf4.dequantize_absmax(state.absmax, state.state2.absmax, state.offset), shape)
    assert torch.equal(again, bnb.dequantize_4bit(theirs, state).view(shape))


def test_the_codes_are_fixed_points_and_the_error_is_bounded():
    grid = nf4.NF4_CODE.repeat(8) * 0.37
    packed, absmax = nf4.quantize_nf4(grid)
    assert torch.allclose(nf4.dequantize_nf4(packed, absmax, (128,)), grid, atol=1e-7)
    x = weights(50, 64, scale=2.0)
    packed, absmax = nf4.quantize_nf4(x)
    widest = (nf4.NF4_CODE[1:] - nf4.NF4_CODE[:-1]).max() / 2
    assert ((nf4.dequantize_nf4(packed, absmax, (50, 64)) - x).abs() <= widest * absmax[:, None] * 1.0001).all()
    assert (
        packed.dtype == torch.uint8
        and len(packed) == 50 * 32
        and (nf4.dequantize_nf4(packed, absmax, (50, 64)).sign() * x.sign() >= 0).all()
    )


def test_zeros_single_values_and_ragged_ends():
    for x in (torch.zeros(3, 64), torch.tensor([-2.5]), weights(7, 11), torch.cat((torch.zeros(64), weights(65)))):
        back = round_trip(x)
        assert back.shape == x.shape and torch.isfinite(back).all() and (back[x == 0] == 0).all()
    assert round_trip(torch.tensor([-2.5])) == -2.5


def test_one_line_for_bad_weights():
    with pytest.raises(ValueError, match="diverged"):
        nf4.quantize_nf4(torch.tensor([1.0, float("nan")]))
    with pytest.raises(ValueError, match="even number"):
        nf4.quantize_nf4(torch.ones(4), block=7)
    with pytest.raises(ValueError, match="bias"):
        nf4.NF4Linear(nn.Linear(4, 4))
    with pytest.raises(ValueError, match="quantize_base first"):
        nf4.quantize_base(add_lora(Llama(TINY), 4, 8))
    with pytest.raises(ValueError, match="embedding=False"):
        nf4.quantize_base(to_transformers(Llama(TINY)))


def test_forward_and_gradient_are_those_of_the_dequantised_layer():
    linear = nn.Linear(64, 96, bias=False)
    held, x = nf4.NF4Linear(linear), weights(2, 5, 64, scale=1).requires_grad_()
    plain = held.weight
    y = held(x)
    assert torch.equal(y, F.linear(x, plain)) and list(held.parameters()) == []
    (ours,) = torch.autograd.grad((y**2).sum(), x)
    (theirs,) = torch.autograd.grad((F.linear(x, plain) ** 2).sum(), x)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_model_in_4_bits_computes_what_its_dequantised_twin_computes():
    for model, embedding in (
        (Llama(TINY, seed=1), True),
        (Llama(TINY, seed=1), False),
        (to_transformers(Llama(TINY, seed=1)), False),
    ):
        held = nf4.quantize_base(copy.deepcopy(model), embedding)
        twin = nf4.dequantize_base(copy.deepcopy(held))
        logits = [m(IDS) if isinstance(m, Llama) else m(IDS).logits for m in (model, held, twin)]
        assert (logits[1] - logits[2]).abs().max() < 1e-5 and 1e-3 < (logits[0] - logits[1]).abs().max() < 1.0
        assert type(twin.model.layers[0].mlp.up_proj) is nn.Linear and not any(
            isinstance(m, (nf4.NF4Linear, nf4.NF4Embedding)) for m in twin.modules()
        )
        assert [*base_state(held)] == [*base_state(twin)]


def test_the_whole_base_is_held_in_30_percent_of_its_bf16_bytes():
    """The reach of issue 3, at the real size: 2432×128 tied embedding, 4 layers of 128/384."""
    model = Llama(ModelConfig())
    bf16 = nf4.weight_bytes(copy.deepcopy(model).bfloat16())
    assert bf16 == 2 * model.parameter_count() and nf4.weight_bytes(model) == 2 * bf16
    held = nf4.quantize_base(model)
    assert nf4.weight_bytes(held) < 0.27 * bf16
    bits = sum(
        4 * n + 8 * (n // 64) + 32 * -(-n // 64 // 256) + 32 for n in [2432 * 128] + 16 * [128 * 128] + 12 * [128 * 384]
    )
    assert nf4.weight_bytes(held) == bits // 8 + 4 * 9 * 128  # the norms stay in fp32
