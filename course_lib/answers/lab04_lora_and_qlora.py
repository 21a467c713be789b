"""Lab 04: the course's answers, each under its question's id."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from course_lib.stages.nf4 import nearest


def lora_forward(
    x: Float[Tensor, "*batch D"], weight: Float[Tensor, "F D"], A: Float[Tensor, "R D"], B: Float[Tensor, "F R"], alpha
) -> Float[Tensor, "*batch F"]:
    return F.linear(x, weight) + F.linear(F.linear(x, A), B) * alpha / len(A)


def init_lora(in_features: int, out_features: int, rank: int, generator: torch.Generator):
    """(A [R D], B [F R]); kaiming's bound for a = √5 is 1/√D."""
    A = torch.nn.init.kaiming_uniform_(torch.empty(rank, in_features), a=math.sqrt(5), generator=generator)
    return A, torch.zeros(out_features, rank)


def lora_gradients(
    x: Float[Tensor, "N D"], A: Float[Tensor, "R D"], B: Float[Tensor, "F R"], alpha, grad_y: Float[Tensor, "N F"]
) -> tuple[Float[Tensor, "R D"], Float[Tensor, "F R"]]:
    back = torch.einsum("nf,fr->nr", grad_y, B)
    down = torch.einsum("nd,rd->nr", x, A)
    s = alpha / len(A)
    return s * torch.einsum("nr,nd->rd", back, x), s * torch.einsum("nf,nr->fr", grad_y, down)


def merge_lora(
    weight: Float[Tensor, "F D"], A: Float[Tensor, "R D"], B: Float[Tensor, "F R"], alpha, undo: bool = False
) -> Float[Tensor, "F D"]:
    return torch.addmm(weight, B, A, alpha=(-1 if undo else 1) * alpha / len(A))


def count_lora(shapes: dict[str, list[int]], targets: list[str], rank: int) -> int:
    return sum(rank * sum(shape) for name, shape in shapes.items() if name.rpartition(".")[2] in set(targets))


def training_memory(frozen: int, trained: int, frozen_bits: float) -> dict[str, float]:
    bits = {"weights": frozen * frozen_bits + 32 * trained, "gradients": 32 * trained, "optimizer": 64 * trained}
    return {name: value / 8 for name, value in {**bits, "total": sum(bits.values())}.items()}


def quantize_blockwise(
    x: Float[Tensor, " N"], code: Float[Tensor, " K"], block: int
) -> tuple[UInt8[Tensor, " N"], Float[Tensor, " blocks"]]:
    rows = x.reshape(-1, block)
    absmax = rows.abs().amax(1)
    return nearest(rows / absmax.clamp(min=1e-38)[:, None], code).to(torch.uint8).flatten(), absmax


def dequantize_packed(
    packed: UInt8[Tensor, " bytes"], absmax: Float[Tensor, " blocks"], code: Float[Tensor, "16"], block: int
) -> Float[Tensor, " N"]:
    pairs = torch.stack((code.repeat_interleave(16), code.repeat(16)), dim=1)  # both weights of each of 256 bytes
    return (pairs[packed.long()].view(-1, block) * absmax[:, None]).flatten()


def double_quantize(
    absmax: Float[Tensor, " N"], code: Float[Tensor, "256"], block: int
) -> tuple[UInt8[Tensor, " N"], Float[Tensor, " blocks"], Float[Tensor, ""]]:
    offset = absmax.mean()
    return *quantize_blockwise(absmax - offset, code, block), offset
