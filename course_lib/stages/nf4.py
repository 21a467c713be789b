"""NF4: frozen weights held in 4 bits each, and a model that trains adapters through them (QLoRA: Dettmers et al. 2023,
2305.14314).

A weight is one of 16 numbers times the largest absolute value (absmax) of its block of 64. The absmax are held in 8
bits in their turn ("double quantisation", § 3), so a weight costs 4 + 8/64 + 32/(64·256) = 4.127 bits. Codes and values
are bit for bit those of bitsandbytes. Left out against the real thing: paged optimisers, a kernel that multiplies
without writing the 16-bit or 32-bit weight out first.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from course_lib.stages.model import ALL_LINEAR

M = TypeVar("M", bound=nn.Module)  # a model that is changed and returned
BLOCK, ABSMAX_BLOCK = 64, 256

# Appendix E of the paper: quantiles of N(0, 1), scaled to [−1, 1], with an exact 0; one more code on the positive side.
# fmt: off
NF4_CODE = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0])
# fmt: on


def dynamic_code() -> Float[Tensor, "256"]:
    """The 8-bit "dynamic" code of bitsandbytes: ± (1, 2, 4 … 64 steps in the seven decades from 10⁻⁷ to 1), 0 and 1
    (Dettmers 2015, 1511.04561).
    """
    values = [0.0, 1.0]
    for i in range(7):
        edges = torch.linspace(0.1, 1, 2**i + 1)
        positive = 10 ** (i - 6) * (edges[:-1] + edges[1:]) / 2
        values += [*positive.tolist(), *(-positive).tolist()]
    return torch.tensor(sorted(values))


DYNAMIC_CODE = dynamic_code()
PAIRS = torch.stack((NF4_CODE.repeat_interleave(16), NF4_CODE.repeat(16)), dim=1)  # [256 2]: both weights of a byte


def in_blocks(x: Float[Tensor, "*any"], block: int) -> Float[Tensor, "N block"]:
    """x, flat, in rows of `block`; the last row is filled with 0."""
    flat = x.detach().flatten().float()
    return F.pad(flat, (0, -len(flat) % block)).view(-1, block)


def nearest(x: Float[Tensor, "*any"], code: Float[Tensor, " codes"]) -> Int[Tensor, "*any"]:
    """Index of the nearest entry of the rising `code`; half-way between two, the lower."""
    return torch.bucketize(x, (code[:-1] + code[1:]) / 2)


def quantize_nf4(x: Float[Tensor, "*any"], block: int = BLOCK) -> tuple[UInt8[Tensor, " bytes"], Float[Tensor, " N"]]:
    """(two 4-bit codes a byte, the first in the high half; absmax of each block). Raises ValueError for NaN, inf or an
    odd block.
    """
    if block < 2 or block % 2:
        raise ValueError(f"block is {block}: choose an even number, such as 64")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("a weight to quantise is NaN or infinite: the training before this diverged")
    rows = in_blocks(x, block)
    absmax = rows.abs().amax(1)
    scaled = rows * (1 / absmax.clamp(min=1e-38))[:, None]  # clamp: a block of zeros stays zeros
    codes = nearest(scaled, NF4_CODE.to(x.device)).to(torch.uint8).flatten()[: x.numel() + x.numel() % 2]
    return codes[0::2] << 4 | codes[1::2], absmax


def dequantize_nf4(
    packed: UInt8[Tensor, " bytes"], absmax: Float[Tensor, " N"], shape: tuple[int, ...], block: int = BLOCK
) -> Float[Tensor, "..."]:
    """The weights (fp32, of `shape`) that the codes stand for: code · absmax of the block."""
    values = PAIRS.to(packed.device).index_select(0, packed.int()).flatten()
    values = F.pad(values, (0, len(absmax) * block - len(values))).view(-1, block) * absmax[:, None]
    return values.flatten()[: torch.Size(shape).numel()].view(shape)


def quantize_absmax(
    absmax: Float[Tensor, " N"], block: int = ABSMAX_BLOCK
) -> tuple[UInt8[Tensor, " N"], Float[Tensor, " M"], Float[Tensor, ""]]:
    """Double quantisation: (8-bit codes, one scale for each `block` of them, offset). The offset is the mean: absmax
    are all positive.
    """
    offset = absmax.mean()
    rows = in_blocks(absmax - offset, block)
    scale = rows.abs().amax(1)
    codes = nearest(rows * (1 / scale.clamp(min=1e-38))[:, None], DYNAMIC_CODE.to(absmax.device))
    return codes.to(torch.uint8).flatten()[: len(absmax)], scale, offset


def dequantize_absmax(
    codes: UInt8[Tensor, " N"], scale: Float[Tensor, " M"], offset: Float[Tensor, ""], block: int = ABSMAX_BLOCK
) -> Float[Tensor, " N"]:
    """The absmax (fp32) that the codes stand for."""
    return DYNAMIC_CODE.to(codes.device)[codes.int()] * scale.repeat_interleave(block)[: len(codes)] + offset


class Held(nn.Module):
    """A frozen weight in 4 bits, as buffers. `weight` is the fp32 that they stand for, written out where it is read."""

    packed: UInt8[Tensor, " bytes"]
    absmax: UInt8[Tensor, " N"]
    scale: Float[Tensor, " M"]
    offset: Float[Tensor, ""]

    def __init__(self, weight: Float[Tensor, "F D"]):
        super().__init__()
        packed, absmax = quantize_nf4(weight)
        self.height, self.width = weight.shape
        for name, tensor in zip(("packed", "absmax", "scale", "offset"), (packed, *quantize_absmax(absmax))):
            self.register_buffer(name, tensor)

    @property
    def weight(self) -> Float[Tensor, "F D"]:
        absmax = dequantize_absmax(self.absmax, self.scale, self.offset)
        return dequantize_nf4(self.packed, absmax, (self.height, self.width))


class ThroughFrozen(torch.autograd.Function):
    """x Wᵀ with a frozen W that is written out twice, forward and backward, and never kept: autograd would hold all of
    them in fp32.
    """

    @staticmethod
    def forward(ctx, x, module):
        ctx.module = module
        return F.linear(x, module.weight)

    @staticmethod
    def backward(ctx, grad):  # ty: ignore[incompatible-method-override]  (torch gives one gradient for each output)
        return grad @ ctx.module.weight.to(grad.dtype), None  # half precision under autocast


class NF4Linear(Held):
    """A frozen nn.Linear without bias, its weight in 4 bits. The gradient passes through to x."""

    in_features: int
    out_features: int

    def __init__(self, linear: nn.Linear):
        if linear.bias is not None:
            raise ValueError("NF4Linear holds no bias: this layer has one")
        super().__init__(linear.weight)
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch F"]:
        return ThroughFrozen.apply(x, self)


class NF4Embedding(Held):
    """A frozen nn.Embedding in 4 bits. Its `weight` is also the tied output head of the course's Llama."""

    def __init__(self, embedding: nn.Embedding):
        super().__init__(embedding.weight)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return F.embedding(ids, self.weight)


def put_in(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place `name` ("model.layers.0.mlp.up_proj") of the model."""
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


def quantize_base(model: M, embedding: bool = True) -> M:
    """Hold the linear layers of the blocks in 4 bits, and the embedding (= the tied head) too. Changes `model` and
    returns it; call it before add_lora.

    The real QLoRA leaves embedding and head in 16 bit: 4 % of a Llama of 7 billion, 13 to 23 % where vocabularies are
    large. Here the embedding is a quarter of all weights. Raises ValueError if `embedding` is asked for in a model
    whose head is a layer of its own.
    """
    if any(hasattr(module, "lora_A") for module in model.modules()):
        raise ValueError("the model has adapters already: quantize_base first, then add_lora")
    if embedding and hasattr(model, "lm_head"):
        raise ValueError("the head of this model is a layer of its own: call quantize_base(model, embedding=False)")
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in ALL_LINEAR:
            put_in(model, name, NF4Linear(module))
        elif isinstance(module, nn.Embedding) and embedding:
            put_in(model, name, NF4Embedding(module))
    return model.requires_grad_(False)


def dequantize_base(model: M) -> M:
    """Plain fp32 layers with the values of the 4-bit ones: the same logits, more memory; needed to merge. Changes
    `model` and returns it.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, NF4Linear):
            linear = nn.Linear(module.in_features, module.out_features, bias=False)
            linear.weight = nn.Parameter(module.weight, requires_grad=False)
            put_in(model, name, linear)
        elif isinstance(module, NF4Embedding):
            put_in(model, name, nn.Embedding.from_pretrained(module.weight))
    return model


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all weights as they are held now: parameters and saved buffers, each storage once."""
    held_now = {t.data_ptr(): t.numel() * t.element_size() for t in model.state_dict().values()}
    return sum(held_now.values())
