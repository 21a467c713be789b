"""A model in several processes (course_lib/train.py): whole in each (DDP), or in shards (FSDP2) with its optimisers.

`whole` and `gather` talk to all processes, so every process has to call them.
"""

import copy

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.nn.parallel import DistributedDataParallel

from course_lib.stages import sft
from course_lib.stages.model import Llama
from course_lib.stages.muon import Muon
from course_lib.stages.step import prepare


class Loss(torch.nn.Module):
    """forward(ids, labels) → mean −log p of the trained tokens, nats/token. DDP and FSDP do their work around a
    module's forward, so the loss is inside.
    """

    def __init__(self, model: Llama):
        super().__init__()
        self.model = model

    def forward(self, ids: Int[Tensor, "B T"], labels: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
        return sft.response_loss(*sft.trained_logits(self.model, ids, labels))


def whole(t: Tensor) -> Tensor:
    """The tensor of which each process holds rows. Every process has to call it."""
    return t.full_tensor() if isinstance(t, DTensor) else t


def rows_of(t: Tensor, like: Tensor) -> DTensor:
    """This process's rows of a tensor that all processes have whole, cut as `like` is. Nothing is sent."""
    assert isinstance(like, DTensor), "a parameter that fully_shard has cut"
    return DTensor.from_local(t, like.device_mesh, [Replicate()]).redistribute(placements=like.placements)


class ShardedMuon(Muon):
    """Muon where each process holds rows of every matrix. Singular vectors belong to the whole matrix (rows
    orthogonalised by themselves are another update), so the updates are gathered, one all-gather for the matrices of a
    shape, and each process orthogonalises them whole and keeps its rows; momentum stays in shards. That computes the
    same N times. At scale the matrices are dealt out to the processes instead (Liu et al. 2025, § 2.3); here it costs
    less than sending them back.
    """

    def gathered(self, updates: Tensor) -> Tensor:
        return whole(updates)

    def own_rows(self, update: Tensor, p: Tensor) -> Tensor:
        return rows_of(update, p)


def spread(model: Llama, optimiser: list, shard: str) -> tuple[torch.nn.Module, list]:
    """(module, optimisers) to train, from a model on its device and its optimisers (with their states, if a checkpoint
    gave them any).

    ddp: they are the model's own. fsdp: those of a copy in shards, each block a unit, what is left (embedding, last
    norm) another.
    """
    device = next(model.parameters()).device
    if shard == "ddp":
        prepare(model)
        return DistributedDataParallel(Loss(model), device_ids=[device] if device.type == "cuda" else None), optimiser
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    module = Loss(copy.deepcopy(model))
    prepare(module.model)
    for block in module.model.model.layers:
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    shards = dict(module.model.named_parameters())
    twin = {p: shards[name] for name, p in model.named_parameters()}
    made: list[torch.optim.Optimizer] = []
    for o in optimiser:
        groups: list[dict] = [{**group, "params": [twin[p] for p in group["params"]]} for group in o.param_groups]
        lr = groups[0]["lr"]
        made.append(ShardedMuon(groups, lr=lr) if isinstance(o, Muon) else torch.optim.AdamW(groups, lr=lr))
        for p, state in o.state.items():
            cut = lambda t, like=twin[p]: rows_of(t, like) if t.shape == like.shape else t
            made[-1].state[twin[p]] = {name: cut(t) for name, t in state.items()}
    return module, made


def local_parameters(module: torch.nn.Module) -> int:
    """Parameters that this process holds."""
    return sum((p.to_local() if isinstance(p, DTensor) else p).numel() for p in module.parameters())


@torch.no_grad()
def gather(module: torch.nn.Module, model: Llama | None) -> None:
    """Bring `model`, the plain one of process 0 (None elsewhere), up to date with what is trained in shards. Every
    process has to call it.
    """
    into = list(model.parameters()) if model else []
    for k, p in enumerate(module.parameters()):
        t = whole(p)
        if model and t is not into[k]:
            into[k].copy_(t)
