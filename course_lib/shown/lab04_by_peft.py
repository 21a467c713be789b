"""Lab 04 beside PEFT and bitsandbytes: one layer, the whole model, NF4, and what they do where nothing is said.
Everything raises AssertionError where the installed version does something else.
"""

import copy
import warnings
from collections.abc import Callable

import torch

from course_lib.shown.common import where_installed
from course_lib.stages import lora, nf4, sft
from course_lib.stages.model import to_transformers
from course_lib.stages.sft import load_tokenizer
from course_lib.widgets.table import table
from course_lib.world.jobs import job_rows


@where_installed("peft")
def same_layer(forward: Callable) -> float:
    """A layer of PEFT's with the same numbers: outputs and gradients. Returns the largest relative difference."""
    from peft import LoraConfig
    from peft.tuners.lora import Linear

    draw = torch.Generator().manual_seed(0)
    x, weight, A, B = (torch.randn(*shape, generator=draw) for shape in ((5, 128), (384, 128), (4, 128), (384, 4)))
    plain = torch.nn.Linear(128, 384, bias=False)
    plain.weight.data = weight.clone()
    theirs = Linear(plain, "default", config=LoraConfig(r=4, lora_alpha=8), r=4, lora_alpha=8)
    theirs.lora_A["default"].weight.data, theirs.lora_B["default"].weight.data = A.clone(), B.clone()
    A, B = A.requires_grad_(), B.requires_grad_()
    y = forward(x, weight, A, B, 8.0)
    grads = torch.autograd.grad((y**2).mean(), (A, B))
    leaves = [dict(theirs.named_parameters())[f"lora_{part}.default.weight"] for part in "AB"]
    their_grads = torch.autograd.grad((theirs(x) ** 2).mean(), leaves)
    pairs = {"output": (y, theirs(x))}
    pairs |= dict(zip(("gradient of A", "gradient of B"), zip(grads, their_grads)))
    apart = {name: ((ours - their).abs().max() / ours.abs().max()).item() for name, (ours, their) in pairs.items()}
    table({"": "", "largest difference from PEFT, relative": ".1e"}, apart.items())
    assert max(apart.values()) < 1e-5
    return max(apart.values())


@where_installed("peft")
def same_model(base, adapted) -> float:
    """The whole model with its adapter in PEFT's hands: loss, gradients, merged weights. Returns the largest
    difference.
    """
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    warnings.filterwarnings("ignore", message=".is_gradient_checkpointing")  # PEFT asks transformers 5 by an old name
    everywhere = list(lora.ALL_LINEAR)
    config = LoraConfig(r=lora.RANK, lora_alpha=lora.ALPHA, target_modules=everywhere, task_type="CAUSAL_LM")
    frozen = copy.deepcopy(base)
    frozen.load_state_dict(lora.base_state(adapted))
    theirs = get_peft_model(to_transformers(frozen), config).to(next(base.parameters()).device)
    set_peft_model_state_dict(theirs, lora.to_peft_state(lora.adapter_state(adapted)))
    theirs.train()
    rows = sft.encode_rows(load_tokenizer(), job_rows("clerk", "train", 8), base.config.context)
    ids, labels = (tensor.to(next(base.parameters()).device) for tensor in sft.collate(rows))
    loss, their_loss = sft.response_loss(adapted(ids), labels), theirs(ids, labels=labels).loss
    leaves = {lora.PEFT_PREFIX + name: p for name, p in lora.adapter_weights(adapted).items()}
    their_leaves = {n.replace(".default", ""): p for n, p in theirs.named_parameters() if p.requires_grad}
    grads = torch.autograd.grad(loss, list(leaves.values()))
    their_grads = torch.autograd.grad(their_loss, [their_leaves[name] for name in leaves])
    apart = {"loss": abs(loss.item() - their_loss.item())}
    apart["gradients"] = max((ours - their).abs().max().item() for ours, their in zip(grads, their_grads))
    merged, ours = theirs.merge_and_unload().state_dict(), lora.base_state(lora.merge(copy.deepcopy(adapted)))
    apart["merged weights"] = max((merged[name] - weight).abs().max().item() for name, weight in ours.items())
    said = f"loss of 8 records: {loss.item():.4f}, largest gradient: {max(g.abs().max().item() for g in grads):.1e}"
    table({"": "", "largest difference from PEFT": ".1e"}, apart.items(), said)
    assert max(apart.values()) < 1e-5
    return max(apart.values())


@where_installed("peft", "transformers")
def defaults(base) -> None:
    """What PEFT does where nothing is said, beside what the lab writes: each line is tried here."""
    import peft
    from peft import LoraConfig, get_peft_model
    from transformers import BitsAndBytesConfig

    plain = LoraConfig(task_type="CAUSAL_LM")
    assert (plain.r, plain.lora_alpha, plain.lora_dropout, plain.use_rslora) == (8, 8, 0.0, False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = get_peft_model(to_transformers(base), plain)
        rooted = get_peft_model(to_transformers(base), LoraConfig(r=16, target_modules=["q_proj"], use_rslora=True))
    adapted = {name.split(".")[-4]: m for name, m in made.named_parameters() if m.requires_grad}
    assert set(adapted) == {"q_proj", "v_proj"}, adapted.keys()
    assert next(vars(m)["scaling"]["default"] for m in rooted.modules() if hasattr(m, "lora_A")) == 8 / 16**0.5
    first = {name: p for name, p in made.named_parameters() if "layers.0.self_attn.q_proj.lora" in name}
    assert {bool(p.any()) for name, p in first.items() if "lora_B" in name} == {False}, "B starts at 0"
    four_bits = BitsAndBytesConfig(load_in_4bit=True)
    assert (four_bits.bnb_4bit_quant_type, four_bits.bnb_4bit_use_double_quant) == ("fp4", False)
    rows = [
        ("rank R and α", "4 and 8", "r=8, lora_alpha=8"),
        ("layers", "all linear ones in the blocks", "of a Llama q_proj and v_proj; all: target_modules=“all-linear”"),
        ("scale", "α / R", "α / R; with use_rslora=True α / √R"),
        ("start", "A uniform, B = 0", "the same"),
        ("dropout on the detour", "none", "none (lora_dropout=0.0)"),
        ("4 bits", "NF4, double", "transformers' load_in_4bit=True alone: FP4, not double"),
    ]
    table({"": "", "this lab": "", f"by default, PEFT {peft.__version__}": ""}, rows)


@where_installed("bitsandbytes")
def same_nf4(weight, packed, absmax, values) -> float:
    """The same weight through bitsandbytes: bytes, scales, and the weights that both read back. Returns the share of
    bytes that are equal. It gets the weight as one row, as blocks run over the whole of it: where rows are no whole
    blocks, its kernel for AVX-512 reads a matrix back with the wrong scales
    (findings/bitsandbytes_takes_rows_for_whole_blocks.sh).
    """
    import bitsandbytes.functional as bnb

    theirs, state = bnb.quantize_4bit(weight.flatten(), blocksize=64, quant_type="nf4")
    equal = (packed == theirs.flatten()).float().mean().item()
    apart = (values - bnb.dequantize_4bit(theirs, state).flatten()).abs().max().item()
    print(f"bitsandbytes: {equal:.2%} of the bytes are equal, weights differ by at most {apart:.1e}")
    assert equal > 0.9999 and (absmax - state.absmax).abs().max() < 1e-7 and apart < 1e-7
    return equal


@where_installed("bitsandbytes")
def same_double(absmax, codes, scale, offset) -> tuple[float, float]:
    """(share of codes that equal bitsandbytes', the same where two codes are not about equally near). Its kernel for
    the CPU rounds to 1/32,768 before it looks for the nearest one.
    """
    import bitsandbytes.functional as bnb

    theirs, _ = bnb.quantize_blockwise(absmax - offset, blocksize=nf4.ABSMAX_BLOCK)
    scaled = (absmax - offset) / scale.repeat_interleave(nf4.ABSMAX_BLOCK)
    middles = (nf4.DYNAMIC_CODE[1:] + nf4.DYNAMIC_CODE[:-1]) / 2
    clear = (scaled[:, None] - middles).abs().amin(1) > 2e-5
    equal = codes == theirs
    print(f"bitsandbytes: {equal.float().mean():.2%} of the codes are equal,", end=" ")
    print(f"{equal[clear].float().mean():.2%} where two codes are not about equally near")
    assert equal[clear].all()
    return equal.float().mean().item(), equal[clear].float().mean().item()
