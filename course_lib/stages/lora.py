"""LoRA: a frozen linear layer plus a trained product of two thin matrices, y = W x + (alpha / R) · B A x (Hu et al.
2021, 2106.09685, § 4.1).

Works on the course's Llama and on transformers' LlamaForCausalLM alike: both call their layers q_proj … down_proj.
Numbers equal PEFT's. Left out against PEFT: dropout, biases, adapters of several ranks in one model, rsLoRA and DoRA.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.platform import work_dir
from course_lib.stages import sft
from course_lib.stages.artifacts import ArtifactError, load_stage, read_tensors, write_stage
from course_lib.stages.model import ALL_LINEAR, ATTENTION, Llama, ModelConfig  # noqa: F401  (ATTENTION is for lab 04)
from course_lib.stages.nf4 import M, NF4Embedding, NF4Linear, put_in, quantize_base
from course_lib.stages.pretrain import Run
from course_lib.stages.unseen import fresh_rows, seen_tokens  # noqa: F401  (seen_tokens is for lab 04)
from course_lib.world import pretrain_rows
from course_lib.world.jobs import job_rows

PEFT_PREFIX = "base_model.model."

# thin matrices that start at 0 want larger steps than full ones: each rate is near the best that we found for its way
PRESETS = {
    "tiny": sft.SFTConfig(examples=200, replay=50, batch=512, learning_rate=1e-2, validations=0),
    "laptop": sft.SFTConfig(examples=10_000, replay=2_500, batch=1024, learning_rate=1.2e-2, validations=0),
    "gpu": sft.SFTConfig(examples=20_000, replay=5_000, batch=4096, learning_rate=1e-2, validations=0),
}
FULL_RATE = 1.2e-3
RANK, ALPHA = 4, 8


class LoRALinear(nn.Module):
    """`base`, frozen, plus the trained path B A · alpha / rank."""

    def __init__(self, base: nn.Linear | NF4Linear, rank: int, alpha: float, generator: torch.Generator | None = None):
        super().__init__()
        width, height = base.in_features, base.out_features
        if not 1 <= rank <= min(width, height):
            raise ValueError(
                f"rank {rank} does not fit a layer of {width} → {height}: choose a rank from 1 to {min(width, height)}"
            )
        if not 0 < abs(alpha) < math.inf:
            raise ValueError(
                f"alpha is {alpha}, so the adapter would do nothing: take a number above 0, such as {ALPHA}"
            )
        self.base, self.rank, self.alpha, self.merged = base.requires_grad_(False), rank, alpha, False
        self.in_features, self.out_features, self.scaling = width, height, alpha / rank
        device = next(iter(base.state_dict().values())).device
        # uniform in ±1/√in, which is PEFT's kaiming_uniform_(a=√5); drawn on the CPU: a seed means the same everywhere
        drawn = (2 * torch.rand(rank, width, generator=generator) - 1) / math.sqrt(width)
        self.lora_A = nn.Parameter(drawn.to(device))
        self.lora_B = nn.Parameter(torch.zeros(height, rank, device=device))

    @property
    def weight(self) -> Float[Tensor, "F D"]:
        """The weight that acts on x now: W, or W + B A · alpha / R when merged."""
        return self.base.weight

    def delta(self) -> Float[Tensor, "F D"]:
        """B A · alpha / R, the change of the weight."""
        return self.lora_B @ self.lora_A * self.scaling

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch F"]:
        y = self.base(x)
        return y if self.merged else y + F.linear(F.linear(x, self.lora_A), self.lora_B) * self.scaling


def lora_layers(model: nn.Module) -> dict[str, LoRALinear]:
    """{name: layer} of every adapted layer, in the model's order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}


def add_lora(model: M, rank: int, alpha: float, targets: Sequence[str] = ALL_LINEAR, seed: int = 0) -> M:
    """Freeze `model` and put an adapter on every layer whose name ends in one of `targets`. Changes `model` and returns
    it.

    Raises ValueError for a rank or an alpha that does not fit, for a target that no layer has or that is no weight of
    its own, and for a model that has adapters already.
    """
    if lora_layers(model):
        raise ValueError("the model has adapters already: start from a fresh base, or load_adapter into this one")
    linear = {name: m for name, m in model.named_modules() if isinstance(m, (nn.Linear, NF4Linear))}
    known = sorted({name.rpartition(".")[2] for name in linear})
    if unknown := [t for t in targets if t not in known]:
        raise ValueError(f"no layer is called {unknown[0]!r}: choose targets from {', '.join(known)}")
    if not targets:
        raise ValueError(f"no targets: name at least one of {', '.join(known)}")
    if tied := [t for t in targets if t in tied_heads(model)]:
        raise ValueError(
            f"{tied[0]} has the embedding's weight (they are tied), and merging an adapter into it would change both: "
            f"choose targets from {', '.join(t for t in known if t not in tied_heads(model))}"
        )
    generator = torch.Generator().manual_seed(seed)
    chosen = {name: m for name, m in linear.items() if name.rpartition(".")[2] in targets}
    # all are made before the first is put in: a rank that does not fit one of them changes nothing
    adapted = {name: LoRALinear(m, rank, alpha, generator) for name, m in chosen.items()}
    model.requires_grad_(False)
    for name, layer in adapted.items():
        put_in(model, name, layer)
    return model


def tied_heads(model: nn.Module) -> set[str]:
    """Names of the linear layers whose weight is an embedding's, too."""
    tables = [m.weight for m in model.modules() if isinstance(m, nn.Embedding)]
    heads = [(name, m.weight) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    return {name.rpartition(".")[2] for name, weight in heads if any(weight is table for table in tables)}


def lora_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The A and B of every adapter: what is trained."""
    return list(adapter_weights(model).values())


def trained_share(model: nn.Module) -> float:
    """Trained parameters over those of the base (which is counted without adapters, tied weights once)."""
    trained = sum(p.numel() for p in lora_parameters(model))
    return trained / (sum(w.numel() for w in base_state(model).values()))


@torch.no_grad()
def merge(model: M) -> M:
    """Add B A · alpha / R into the base weights: the model costs what it did without adapters. Returns `model`."""
    for name, layer in lora_layers(model).items():
        if not isinstance(layer.base, nn.Linear):
            raise ValueError(f"{name} is held in 4 bits, which cannot hold the sum: call dequantize_base(model) first")
        if not layer.merged:
            layer.base.weight += layer.delta()
            layer.merged = True
    return model


@torch.no_grad()
def unmerge(model: M) -> M:
    """Take B A · alpha / R out of the base weights again (equal to the old ones but for rounding). Returns `model`."""
    for layer in lora_layers(model).values():
        if layer.merged:
            layer.weight.sub_(layer.delta())
            layer.merged = False
    return model


def merge_and_unload(model: M) -> M:
    """Merge, and put plain layers back: the model has its first shape again, save_stage takes it. Returns `model`."""
    for name, layer in lora_layers(merge(model)).items():
        put_in(model, name, layer.base)
    return model.requires_grad_(True)


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """{"…q_proj.lora_A.weight": [R D], "…q_proj.lora_B.weight": [F R]}: copies of all that was trained."""
    return {name: parameter.detach().clone() for name, parameter in adapter_weights(model).items()}


def adapter_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The same, not copied."""
    weights = {}
    for name, layer in lora_layers(model).items():
        weights |= {f"{name}.lora_A.weight": layer.lora_A, f"{name}.lora_B.weight": layer.lora_B}
    return weights


@torch.no_grad()
def load_adapter(model: M, state: dict[str, Tensor]) -> M:
    """Swap the adapter's weights for others of the same rank and targets. Returns `model`. Raises ValueError if they do
    not fit.
    """
    wanted, state = adapter_weights(model), from_peft_state(state)
    if any(layer.merged for layer in lora_layers(model).values()):
        raise ValueError("the adapter is merged into the base: unmerge(model) before you load another")
    if set(wanted) != set(state):
        odd = sorted(set(wanted) ^ set(state))[0]
        raise ValueError(f"the adapter is for other layers ({odd} is on one side only): add_lora with its own targets")
    for name, parameter in wanted.items():
        mine, theirs = list(parameter.shape), list(state[name].shape)
        if mine != theirs:
            raise ValueError(f"{name} has shape {theirs}, the model's is {mine}: add_lora with the adapter's own rank")
    for name, parameter in wanted.items():
        parameter.copy_(state[name])
    return model


def to_peft_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same adapter under PEFT's names, as in its adapter_model.safetensors."""
    return {PEFT_PREFIX + name: tensor for name, tensor in state.items()}


def from_peft_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without PEFT's prefix and without the adapter's name in the middle ("lora_A.default.weight")."""
    ours = lambda name: name.removeprefix(PEFT_PREFIX).replace(".default.weight", ".weight")
    return {ours(name): tensor for name, tensor in state.items()}


def base_state(model: nn.Module) -> dict[str, Tensor]:
    """{name: weight} of the model without its adapters; weights held in 4 bits come back as fp32. Tied weights once."""
    state, seen = {}, set()
    for name, module in model.named_modules():
        in_4_bits = isinstance(module, (NF4Linear, NF4Embedding))
        tensors = {"weight": module.weight} if in_4_bits else dict(module.named_parameters(recurse=False))
        for own, tensor in tensors.items():
            if own not in ("lora_A", "lora_B") and tensor not in seen:
                seen.add(tensor)
                state[f"{name}.{own}".replace(".base.", ".")] = tensor.detach()
    return state


def save_adapter_stage(model: Llama, record: dict, stage: str = "lora", folder: Path | str | None = None) -> Path:
    """Write base and adapter, unmerged, side by side in one model.safetensors, where `submit()` looks for it. Returns
    its folder.

    `record` gets stage, model config and {"lora": {"rank", "alpha", "targets"}} added. A base that is held in 4 bits is
    written as the fp32 that it stands for. Raises ArtifactError for a model without adapters or with merged ones, and
    on an unwritable folder.
    """
    layers = lora_layers(model)
    if not layers or any(layer.merged for layer in layers.values()):
        raise ArtifactError(
            "there is no separate adapter to save: add_lora (and unmerge), or save_stage what is merged"
        )
    first, targets = next(iter(layers.values())), sorted({name.rpartition(".")[2] for name in layers})
    adapter = {"rank": first.rank, "alpha": first.alpha, "targets": targets}
    record = {**record, "stage": stage, "model": asdict(model.config), "lora": adapter}
    tensors = {**base_state(model), **adapter_state(model)}
    folder = Path(folder) if folder else work_dir() / stage
    return write_stage(folder, tensors, record, "hand in a model of size laptop")


def load_adapter_stage(stage: str = "lora", folder: Path | str | None = None) -> tuple[Llama, dict]:
    """(model with its adapter, record) of a folder of `save_adapter_stage`. Raises ArtifactError if it is damaged or
    something else.
    """
    folder = Path(folder) if folder else work_dir() / stage
    tensors, record = read_tensors(folder / "model.safetensors")
    if record.get("stage") != stage or "lora" not in record:
        found = f"stage {record.get('stage')!r} and {'an' if 'lora' in record else 'no'} adapter"
        raise ArtifactError(f"{folder} holds {found}: save one with save_adapter_stage(model, record)")
    adapter = {name: t.float() for name, t in tensors.items() if ".lora_" in name}
    try:
        model = Llama(ModelConfig(**record["model"]))
        model.load_state_dict({name: t.float() for name, t in tensors.items() if name not in adapter})
        load_adapter(add_lora(model, *(record["lora"][key] for key in ("rank", "alpha", "targets"))), adapter)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise ArtifactError(
            f"the weights in {folder} do not fit their record ({why}): save the adapter again"
        ) from None
    return model.eval(), record


def lora(
    size: str = "laptop",
    seed: int = 0,
    rank: int = RANK,
    alpha: float = ALPHA,
    targets: Sequence[str] = ALL_LINEAR,
    four_bits: bool = False,
    full: bool = False,
    base: Llama | None = None,
    job: str = "clerk",
    config: sft.SFTConfig | None = None,
    **options,
) -> Run:
    """Lab 04's recipe: the assistant of lab 03 learns a new job, and only an adapter is trained; with `four_bits`
    through a base held in NF4 (QLoRA), with `full` all parameters are trained, for comparison. `options` go to
    `finetune`.

    `base` stays as it is; by default it is load_stage("sft"). Documents of pre-training are mixed in, as in lab 03."""
    if size not in PRESETS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(PRESETS)}")
    preset = replace(PRESETS[size], learning_rate=FULL_RATE) if full else PRESETS[size]
    config, model = config or preset, fresh_rows(copy.deepcopy(base) or load_stage("sft").model)
    if not full:
        add_lora(quantize_base(model) if four_bits else model, rank, alpha, targets, seed)
    rows = job_rows(job, "train", config.examples) + pretrain_rows("train", config.replay)
    run = sft.finetune(model, rows, config, seed, **options)
    run.record |= {
        "parent": "sft",
        "job": job,
        "recipe": {"size": size, **run.record["recipe"], "four_bits": four_bits},
        "trained_share": 1.0 if full else trained_share(model),
    }
    return run
