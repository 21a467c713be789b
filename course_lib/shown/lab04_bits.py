"""Lab 04: bytes of training, and weights in 4 bits: what is counted, how often a code occurs, how large the error."""

import torch

from course_lib.stages import nf4, sft
from course_lib.stages.sft import load_tokenizer
from course_lib.widgets.table import table
from course_lib.world.jobs import job_rows

PARTS = ("weights", "gradients", "optimizer", "total")
BARS = "▁▂▃▄▅▆▇█"


def size_of(tensors) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def measured_memory(model) -> dict[str, int]:
    """Bytes after one step of AdamW on 16 records, summed over the tensors themselves."""
    rows = sft.encode_rows(load_tokenizer(), job_rows("clerk", "train", 16), model.config.context)
    ids, labels = (tensor.to(next(model.parameters()).device) for tensor in sft.collate(rows))
    adam = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)  # a rate of 0: we only look
    sft.response_loss(model(ids), labels).backward()
    adam.step()
    states = [t for state in adam.state.values() for t in state.values() if t.dim()]
    found = {"weights": nf4.weight_bytes(model), "optimizer": size_of(states)}
    found["gradients"] = size_of(p.grad for p in model.parameters() if p.grad is not None)
    model.zero_grad(set_to_none=True)
    return {**found, "total": sum(found.values())}


def show_bytes(found: dict[str, int], parameters: int) -> None:
    table({"": "", "bytes": ",", "a parameter": ".0f"}, [(k, found[k], found[k] / parameters) for k in PARTS])


def show_memory(predicted: tuple[dict, dict], measured: tuple[dict, dict]) -> None:
    """Full fine-tuning and LoRA. AssertionError where they are more than 1 in 1,000 apart."""
    rows = []
    for name, guess, seen in zip(("full, float32", "LoRA on a float32 base"), predicted, measured):
        rows += [
            (f"{name}: {kind}", *(of[k] for k in PARTS)) for kind, of in (("predicted", guess), ("measured", seen))
        ]
        assert abs(guess["total"] / seen["total"] - 1) < 0.001, name
    table({"bytes": ""} | dict.fromkeys(PARTS, ",.0f"), rows)


def error_of(values, weight) -> float:
    """Root mean square of the difference, relative to the weight's."""
    return ((values - weight).pow(2).mean() / weight.pow(2).mean()).sqrt().item()


def quantized(quantize, weight, code, block: int) -> tuple:
    """(codes, absmax, the weights that they stand for, relative error) of the whole blocks of a weight."""
    part = weight.detach().flatten().cpu()
    part = part[: len(part) // block * block]
    codes, absmax = quantize(part, code, block)
    values = code[codes.long()] * absmax.repeat_interleave(block)
    return codes, absmax, values, error_of(values, part)


def show_codes(quantize, weight) -> dict[str, tuple]:
    """{code: (share of each number, relative error)} of NF4 and of 16 equal steps, as a table."""
    found, rows = {}, []
    for name, code in (("NF4", nf4.NF4_CODE), ("16 equal steps", torch.linspace(-1, 1, 16))):
        codes, _, _, error = quantized(quantize, weight, code, 64)
        share = torch.bincount(codes.long(), minlength=16) / len(codes)
        found[name] = share, error
        rows.append((name, "".join(BARS[min(7, int(8 * s / share.max()))] for s in share), error))
    table({"code": "", "how often, from −1 to 1": "", "relative error": ".1%"}, rows)
    return found


def show_blocks(quantize, weight) -> dict[int, float]:
    """{weights that share a scale: relative error}, as a table with the bits of a float32 scale."""
    found = {block: quantized(quantize, weight, nf4.NF4_CODE, block)[3] for block in (16, 64, 256, 4096)}
    heads = {"block": "d", "relative error": ".1%", "bits of the scale, a weight": ".3f"}
    table(heads, [(block, error, 32 / block) for block, error in found.items()])
    return found


def show_bits() -> None:
    ways = {"float32": 32, "bfloat16": 16, "NF4, float32 scales of 64": 4 + 32 / 64}
    ways["NF4, double quantisation"] = 4 + 8 / 64 + 32 / (64 * 256)
    table({"": "", "bits a weight": ".3f", "of 16": ".1%"}, [(name, bits, bits / 16) for name, bits in ways.items()])


def show_saved(weight, held: list) -> None:
    print(f"{weight.numel():,} weights: {size_of([weight]):,} bytes in float32, {size_of(held):,} in NF4")


def scales_of(quantize, weight):
    """The absmax of the weight's blocks of 64, as many as fill blocks of 256."""
    absmax = quantized(quantize, weight, nf4.NF4_CODE, 64)[1]
    return absmax[: len(absmax) // nf4.ABSMAX_BLOCK * nf4.ABSMAX_BLOCK]


def show_scales(absmax, again, held: list) -> None:
    print(f"the embedding's {len(absmax):,} scales: {size_of([absmax]):,} bytes in float32,", end=" ")
    print(f"{size_of(held):,} in 8 bits; off by {error_of(again, absmax):.2%}")
