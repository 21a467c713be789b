"""LoRA: a frozen linear layer plus a trained product of two thin matrices, y = W x + (alpha / R) · B A x (Hu et al.
2021, 2106.09685, § 4.1).

Works on the course's Llama and on transformers' LlamaForCausalLM alike: both call their layers q_proj … down_proj.
Numbers equal PEFT's. Left out against PEFT: dropout, biases, adapters of several ranks in one model, rsLoRA and DoRA.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.platform import work_dir
from course_lib.stages import sft
from course_lib.stages.artifacts import (
    LARGEST,
    ArtifactError,
    load_stage,
    read_tensors,
    write_or_explain,
    write_tensors,
)
from course_lib.stages.model import ALL_LINEAR, ATTENTION, Llama, ModelConfig  # noqa: F401  (lab 04 takes ATTENTION from here)
from course_lib.stages.nf4 import NF4Embedding, NF4Linear, quantize_base
from course_lib.stages.pretrain import Run
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.jobs import job_rows
from course_lib.world.tasks import task_rows

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
    """`base` (nn.Linear or anything with in_features, out_features and weight), frozen, plus the trained path B A ·
    alpha / rank.
    """

    def __init__(self, base: nn.Module, rank: int, alpha: float, generator: torch.Generator | None = None):
        super().__init__()
        smaller = min(base.in_features, base.out_features)
        if not 1 <= rank <= smaller:
            raise ValueError(
                f"rank {rank} does not fit a layer of {base.in_features} → {base.out_features}: choose a rank from 1 "
                f"to {smaller}"
            )
        self.base, self.rank, self.alpha, self.merged = base.requires_grad_(False), rank, alpha, False
        self.in_features, self.out_features, self.scaling = base.in_features, base.out_features, alpha / rank
        device = next(iter(base.state_dict().values())).device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, device=device))
        # uniform in ±1/√in, which is PEFT's kaiming_uniform_(a=√5); drawn on the CPU so that a seed means the same
        # everywhere
        with torch.no_grad():
            self.lora_A.copy_(
                (2 * torch.rand(rank, base.in_features, generator=generator) - 1) / math.sqrt(base.in_features)
            )

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


def add_lora(
    model: nn.Module, rank: int, alpha: float, targets: Sequence[str] = ALL_LINEAR, seed: int = 0
) -> nn.Module:
    """Freeze `model` and put an adapter on every layer whose name ends in one of `targets`. Changes `model` and returns
    it.

    Raises ValueError for a rank that does not fit, for a target that no layer has, and for a model that has adapters
    already.
    """
    if lora_layers(model):
        raise ValueError(
            "the model has adapters already: start from a fresh base, or load_adapter other weights into this one"
        )
    linear = {name: m for name, m in model.named_modules() if hasattr(m, "in_features") and name}
    known = sorted({name.rpartition(".")[2] for name in linear})
    if unknown := [t for t in targets if t not in known]:
        raise ValueError(f"no layer is called {unknown[0]!r}: choose targets from {', '.join(known)}")
    if not targets:
        raise ValueError(f"no targets: name at least one of {', '.join(known)}")
    generator = torch.Generator().manual_seed(seed)
    chosen = {name: m for name, m in linear.items() if name.rpartition(".")[2] in targets}
    adapted = {
        name: LoRALinear(m, rank, alpha, generator) for name, m in chosen.items()
    }  # all made before the first is put in
    model.requires_grad_(False)
    for name, layer in adapted.items():
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, layer)
    return model


def lora_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The A and B of every adapter: what is trained."""
    return [p for layer in lora_layers(model).values() for p in (layer.lora_A, layer.lora_B)]


def trained_share(model: nn.Module) -> float:
    """Trained parameters over those of the base (which is counted without adapters, tied weights once)."""
    trained = sum(p.numel() for p in lora_parameters(model))
    return trained / (sum(w.numel() for w in base_state(model).values()))


@torch.no_grad()
def merge(model: nn.Module) -> nn.Module:
    """Add B A · alpha / R into the base weights, so that the model costs what it did without adapters. Returns `model`."""
    for name, layer in lora_layers(model).items():
        if not isinstance(layer.base, nn.Linear):
            raise ValueError(f"{name} is held in 4 bits, which cannot hold the sum: call dequantize_base(model) first")
        if not layer.merged:
            layer.base.weight += layer.delta()
            layer.merged = True
    return model


@torch.no_grad()
def unmerge(model: nn.Module) -> nn.Module:
    """Take B A · alpha / R out of the base weights again (equal to the old ones but for rounding). Returns `model`."""
    for layer in lora_layers(model).values():
        if layer.merged:
            layer.base.weight -= layer.delta()
            layer.merged = False
    return model


def merge_and_unload(model: nn.Module) -> nn.Module:
    """Merge, and put plain layers back: the model has its first shape again and save_stage takes it. Returns `model`."""
    for name, layer in lora_layers(merge(model)).items():
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, layer.base)
    return model.requires_grad_(True)


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """{"…q_proj.lora_A.weight": [R D], "…q_proj.lora_B.weight": [F R]}: copies of all that was trained."""
    return {
        f"{name}.{part}.weight": getattr(layer, part).detach().clone()
        for name, layer in lora_layers(model).items()
        for part in ("lora_A", "lora_B")
    }


@torch.no_grad()
def load_adapter(model: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Swap the adapter's weights for others of the same rank and targets. Returns `model`. Raises ValueError if they do
    not fit.
    """
    layers, state = lora_layers(model), from_peft_state(state)
    if any(layer.merged for layer in layers.values()):
        raise ValueError("the adapter is merged into the base: unmerge(model) before you load another")
    wanted = {
        f"{name}.{part}.weight": getattr(layer, part) for name, layer in layers.items() for part in ("lora_A", "lora_B")
    }
    if set(wanted) != set(state):
        odd = sorted(set(wanted) ^ set(state))[0]
        raise ValueError(
            f"the adapter is for other layers ({odd} is on one side only): add_lora with the targets that it was "
            "trained with"
        )
    for name, parameter in wanted.items():
        if parameter.shape != state[name].shape:
            raise ValueError(
                f"{name} has shape {list(state[name].shape)}, the model's is {list(parameter.shape)}: add_lora with "
                "the rank that it was trained with"
            )
    for name, parameter in wanted.items():
        parameter.copy_(state[name])
    return model


def to_peft_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same adapter under PEFT's names, as in its adapter_model.safetensors."""
    return {PEFT_PREFIX + name: tensor for name, tensor in state.items()}


def from_peft_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without PEFT's prefix and without the adapter's name in the middle ("lora_A.default.weight")."""
    return {
        name.removeprefix(PEFT_PREFIX).replace(".default.weight", ".weight"): tensor for name, tensor in state.items()
    }


def base_state(model: nn.Module) -> dict[str, Tensor]:
    """{name: weight} of the model without its adapters; weights held in 4 bits come back as fp32. Tied weights once."""
    state, seen = {}, set()
    for name, module in model.named_modules():
        tensors = (
            {"weight": module.weight}
            if isinstance(module, (NF4Linear, NF4Embedding))
            else dict(module.named_parameters(recurse=False))
        )
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
    import hashlib
    import json

    layers = lora_layers(model)
    if not layers or any(layer.merged for layer in layers.values()):
        raise ArtifactError(
            "there is no separate adapter to save: add_lora (and unmerge) first; a merged model goes to save_stage"
        )
    first, folder = next(iter(layers.values())), Path(folder) if folder else work_dir() / stage
    adapter = {
        "rank": first.rank,
        "alpha": first.alpha,
        "targets": sorted({name.rpartition(".")[2] for name in layers}),
    }
    record = {**record, "stage": stage, "model": asdict(model.config), "lora": adapter}
    tensors = {**base_state(model), **adapter_state(model)}
    if sum(t.numel() * t.element_size() for t in tensors.values()) > LARGEST:
        raise ArtifactError(f"stage {stage!r} is larger than {LARGEST >> 20} MiB: hand in a model of size laptop")
    write_tensors(folder / "model.safetensors", tensors, record)
    sha = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    write_or_explain(folder / "record.json", (json.dumps({**record, "sha256": sha}, indent=1) + "\n").encode())
    return folder


def load_adapter_stage(stage: str = "lora", folder: Path | str | None = None) -> tuple[Llama, dict]:
    """(model with its adapter, record) of a folder of `save_adapter_stage`. Raises ArtifactError if it is damaged or
    something else.
    """
    folder = Path(folder) if folder else work_dir() / stage
    tensors, record = read_tensors(folder / "model.safetensors")
    if record.get("stage") != stage or "lora" not in record:
        raise ArtifactError(
            f"{folder} holds stage {record.get('stage')!r} and {'an' if 'lora' in record else 'no'} adapter: save one "
            "with save_adapter_stage(model, record)"
        )
    adapter = {name: t.float() for name, t in tensors.items() if ".lora_" in name}
    try:
        model = Llama(ModelConfig(**record["model"]))
        model.load_state_dict({name: t.float() for name, t in tensors.items() if name not in adapter})
        load_adapter(
            add_lora(model, record["lora"]["rank"], record["lora"]["alpha"], record["lora"]["targets"]), adapter
        )
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ArtifactError(
            f"the weights in {folder} do not fit what their record says ({str(error).splitlines()[0]}): save the "
            "adapter again"
        ) from None
    return model.eval(), record


@lru_cache(maxsize=1)
def seen_tokens() -> torch.Tensor:
    """[V] True for the tokens that pre-training or lab 03 has shown a model, judged by a few thousand rows of each."""
    tokenizer = load_tokenizer()
    documents = encode_documents(tokenizer, [row["text"] for row in pretrain_rows("train", 5_000)])
    chats = [ids for ids, _ in sft.encode_rows(tokenizer, task_rows("train", 4_000), 10_000)]
    return torch.zeros(tokenizer.get_vocab_size(), dtype=torch.bool).index_fill(
        0, torch.tensor(sorted({i for ids in documents + chats for i in ids})), True
    )


@torch.no_grad()
def fresh_rows(model: nn.Module, seed: int = 0) -> nn.Module:
    """Tell the embeddings of tokens that were never seen apart: their common mean plus a random row each. Changes
    `model` and returns it.

    Training has pushed all of them the same way, away from whatever the model says. Full fine-tuning can pull one out;
    an adapter cannot, because the embedding (and with it the tied head) is frozen: it could never write a token that
    the base has not seen. The reserved
    tokens of Llama 3 are the same trap. The mean keeps them as unlikely as they were, so that documents cost what they
    did."""
    weight, never = model.model.embed_tokens.weight, ~seen_tokens()
    random = 0.1 * torch.randn(int(never.sum()), weight.shape[1], generator=torch.Generator().manual_seed(seed))
    weight[: len(never)][never.to(weight.device)] = weight[: len(never)][never.to(weight.device)].mean(0) + random.to(
        weight.device
    )
    return model


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

    A `base` that is passed in is changed; by default it is load_stage("sft"). Documents of pre-training are mixed in,
    as in lab 03."""
    if size not in PRESETS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(PRESETS)}")
    config, model = (
        config or (replace(PRESETS[size], learning_rate=FULL_RATE) if full else PRESETS[size]),
        fresh_rows(base or load_stage("sft").model),
    )
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
