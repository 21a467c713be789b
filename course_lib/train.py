"""Pre-training and fine-tuning on several devices, of one machine or of many:

    torchrun --nproc-per-node 2 -m course_lib.train pretrain --size laptop --shard ddp

The recipe is that of `stages.pretrain` and `stages.sft`: the same plan of batches, schedule, loss and optimisers, and
the same checkpoint file, so that a run begun on any number of processes goes on with any other, here or in the stage's
own function. Each process takes its share of the examples of every batch. Shares differ in tokens, so each is weighted
by its real tokens: the sum over processes is then the mean over the whole batch.

`ddp`: each process holds the whole model; gradients are averaged. `fsdp` (FSDP2): each holds 1/N of the rows of every
parameter, of its gradient and of its optimiser states, and gathers a block's weights for as long as it computes with
them. For validation, checkpoints and the result process 0 gathers the whole model, which therefore has to fit on one
device; for one that does not, use torch.distributed.checkpoint. The forward pass runs in bf16 where the cards have it,
else in fp32: fp16 would need one scale of the loss for all shards. Left out against the real thing: tensor, pipeline
and context parallelism, gradient accumulation.
"""

import argparse
import contextlib
import io
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from course_lib.platform import SIZES, CourseError, device_and_dtype, keep_large_buffers, work_dir
from course_lib.stages import pretrain, sft
from course_lib.stages.artifacts import load_stage, save_stage
from course_lib.stages.checkpoint import restore, save_checkpoint
from course_lib.stages.model import Llama
from course_lib.stages.perplexity import distance_to_limit, entropy_per_token
from course_lib.stages.pretrain import PretrainConfig, Run, batches, learning_rate, optimizers
from course_lib.stages.shards import gather, local_parameters, spread, whole
from course_lib.stages.step import LOWER, check_finite, check_settings, forward_dtype, out_of_memory, steps_left
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.world import pretrain_rows, rows_hash
from course_lib.world.tasks import SHARES, task_rows

SHARDS = ("ddp", "fsdp")


@dataclass(frozen=True)
class Job:
    """What a stage trains, the same in every process."""

    model: Llama
    examples: list[tuple[list[int], list[int]]]  # (ids, mask): mask is 1 on the tokens that are trained
    plan: list[list[int]]  # batches of indices into examples
    tokens: list[int]  # what each example adds to history's "tokens", as the stage counts
    config: PretrainConfig | sft.SFTConfig
    rest: float  # AdamW's learning rate as a share of Muon's
    recipe: dict  # the stage's own: its checkpoints are ours
    record: dict
    validate: Callable[[Llama], float] | None  # nats/token, on the way
    examine: Callable[[Llama], dict]  # what the record says of the finished model


def pretraining(size: str, seed: int, config: PretrainConfig | None = None) -> Job:
    """What `stages.pretrain.pretrain` trains."""
    config = config or pretrain.PRESETS[size]
    tokenizer, validation = load_tokenizer(), pretrain.validation_rows(size)
    rows = pretrain_rows("train", config.documents)
    entropy = entropy_per_token(tokenizer, validation)
    ids = encode_documents(tokenizer, [row["text"] for row in rows])

    def validate(model):
        few = distance_to_limit(model, tokenizer, validation[:200])
        return entropy + few["loss"] - few["entropy"]

    model = Llama(config.model, seed)
    examples = [(row, [0] + [1] * (len(row) - 1)) for row in ids]
    plan, tokens = batches([len(row) for row in ids], config.batch, seed), [len(row) - 1 for row in ids]
    recipe = {"size": size, "seed": seed, **asdict(config), "documents": len(rows)}
    record = {"data": rows_hash(rows), "parent": None, "parameters": model.parameter_count()}
    examine = lambda model: {"metrics": distance_to_limit(model, tokenizer, validation)}
    return Job(model, examples, plan, tokens, config, 1.0, recipe, record, validate, examine)


def fine_tuning(size: str, seed: int, config: sft.SFTConfig | None = None) -> Job:
    """What `stages.sft.sft` trains: the student's base model (or the shipped one) becomes an assistant."""
    config = config or sft.PRESETS[size]
    model = load_stage("pretrain").model.train()
    rows = task_rows("train", config.examples, "pretrain", SHARES) + pretrain_rows("train", config.replay)
    examples = sft.encode_rows(load_tokenizer(), rows, model.config.context)
    lengths = [len(ids) for ids, _ in examples]
    data = rows_hash([{"text": str(row.get("messages") or row["text"])} for row in rows])
    plan = [part for epoch in range(config.epochs) for part in batches(lengths, config.batch, 1000 * seed + epoch)]
    recipe = {"seed": seed, "rows": len(rows), "data": data, **asdict(config)}
    record = {"data": data, "parent": "pretrain", "trained_parameters": model.parameter_count()}
    return Job(model, examples, plan, lengths, config, config.embedding_rate, recipe, record, None, lambda model: {})


STAGES = {"pretrain": pretraining, "sft": fine_tuning}


def checkpoint_of(
    module: torch.nn.Module, optimiser: list, model: Llama | None, path: Path, job: Job, history: list[dict]
) -> None:
    """The stage's own checkpoint, whole, written by process 0. Every process has to call it."""
    gather(module, model)
    states = [
        {index: {name: whole(t) for name, t in state.items()} for index, state in o.state_dict()["state"].items()}
        for o in optimiser
    ]
    if model:
        plain = optimizers(model, job.config.learning_rate, job.rest)
        for o, state in zip(plain, states):
            o.load_state_dict({"state": state, "param_groups": o.state_dict()["param_groups"]})
        save_checkpoint(path, model, plain, job.recipe, history)


def train(
    stage: str,
    size: str = "laptop",
    seed: int = 0,
    shard: str = "ddp",
    config=None,
    progress: bool = True,
    checkpoint_steps: int = 200,
    on_step: Callable[[list[dict]], None] | None = None,
) -> Run | None:
    """Train a stage in all processes of the group that `processes` has joined. Returns the Run in process 0, None in
    the others.

    Every `checkpoint_steps` steps a checkpoint is written to <work>/<stage>, and a run that was stopped goes on from
    it, in as many processes as there are now. Raises CourseError for an unknown stage, size or shard, for a checkpoint
    that is damaged, of another run, or not seen by all processes, and for a number that is not finite.
    """
    for what, value, known in (("stage", stage, STAGES), ("size", size, SIZES), ("shard", shard, SHARDS)):
        if value not in known:
            raise CourseError(f"{what} is {value!r}: choose one of {', '.join(known)}")
    keep_large_buffers()
    rank, world = dist.get_rank(), dist.get_world_size()
    cuda = device_and_dtype()[0] == "cuda"
    device = torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")
    with contextlib.redirect_stdout(io.StringIO()) if rank else contextlib.nullcontext():
        job = STAGES[stage](size, seed, config)
    check_settings(job.config)
    model, config, plan = job.model.to(device), job.config, job.plan
    checkpoint, half = work_dir() / stage / "checkpoint.safetensors", forward_dtype(device.type) == torch.bfloat16
    optimiser = optimizers(model, config.learning_rate, job.rest)
    history: list[dict] = restore(checkpoint, model, optimiser, job.recipe) if checkpoint.exists() else []
    begun = [torch.zeros((), dtype=torch.int64, device=device) for _ in range(world)]
    dist.all_gather(begun, torch.tensor(len(history), device=device))
    if len(set(map(int, begun))) > 1:
        raise CourseError(
            f"not every process sees the checkpoint {checkpoint}: give --out a folder that all machines share, or "
            "delete the checkpoint"
        )
    module, optimiser = spread(model, optimiser, shard)
    if rank:
        model = None  # in shards from here on; process 0 keeps a whole one to gather into
    if progress and not rank:
        where = f"{world} process{'es' * (world > 1)} ({dist.get_backend()}, {device.type})"
        held, all_of_them = local_parameters(module), sum(p.numel() for p in module.parameters())
        print(f"{stage}, size {size}: {where}, {shard}: {held:,} of {all_of_them:,} parameters in each", flush=True)

    warmup = max(1, round(config.warmup * len(plan)))
    measure = max(1, len(plan) // config.validations) if job.validate and config.validations else len(plan) + 1
    trained = [sum(mask) for _, mask in job.examples]
    started = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)
    bar = steps_left(history, len(plan), stage, progress and not rank)
    for step in bar:
        part, mine = plan[step], plan[step][rank::world]
        # a batch with fewer examples than processes: who has none computes the first one and counts it 0, as all must
        # take part in what follows
        ids, labels = (t.to(device) for t in sft.collate([job.examples[k] for k in mine or part[:1]]))
        lr = learning_rate(step, len(plan), warmup, config.learning_rate, config.floor)
        for group in (g for o in optimiser for g in o.param_groups):
            group["lr"] = lr * group.get("scale", 1.0)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            mean = module(ids, labels)
        loss = mean * (sum(trained[k] for k in mine) / sum(trained[k] for k in part))
        (loss * world).backward()  # DDP and FSDP divide the sum of the gradients by the number of processes
        loss = loss.detach().clone()
        dist.all_reduce(loss)
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), config.clip)
        for what, value in (("the loss", loss), ("the gradient's norm", whole(norm))):  # the same in all processes
            check_finite(step, what, value, f"{LOWER}, which is {lr:g}")
        for o in optimiser:
            o.step()
            o.zero_grad()
        tokens = (history[-1]["tokens"] if history else 0) + sum(job.tokens[k] for k in part)
        row = {"step": step, "tokens": tokens, "train_loss": loss.item(), "lr": lr}
        if (step + 1) % measure == 0:
            gather(module, model)
            if model and job.validate:  # the others wait for it in the next step
                row["val_loss"] = job.validate(model)
                bar.set_postfix(val_loss=f"{row['val_loss']:.3f}")
        history.append({**row, "seconds": time.perf_counter() - started})
        if on_step:
            on_step(history)
        if (step + 1) % checkpoint_steps == 0:
            checkpoint_of(module, optimiser, model, checkpoint, job, history)
    gather(module, model)
    if not model:
        return None
    recipe = {"size": size, **job.recipe}
    record = {
        **job.record,
        "recipe": recipe,
        "tokens": history[-1]["tokens"],
        "minutes": history[-1]["seconds"] / 60,
        "processes": world,
        "shard": shard,
        **job.examine(model),
    }
    checkpoint.unlink(missing_ok=True)
    return Run(model, history, record)


@contextlib.contextmanager
def processes():
    """Join the group of processes that torchrun has started, or a group of one without it. Raises CourseError if this
    machine has fewer GPUs than processes.
    """
    cuda, here = device_and_dtype()[0] == "cuda", int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if cuda and torch.cuda.device_count() < here:
        raise CourseError(
            f"{here} processes were started and this machine has {torch.cuda.device_count()} GPUs: use "
            f"--nproc-per-node {torch.cuda.device_count()}, or set COURSE_DEVICE=cpu"
        )
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    backend = "nccl" if cuda else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    yield
    # not after an error: it could wait for processes that wait for this one; torchrun ends them all
    dist.destroy_process_group()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node N -m course_lib.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", help=" or ".join(STAGES))
    parser.add_argument("--size", default="laptop", help=f"{', '.join(SIZES)} (default: laptop)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--shard", default="ddp", help="ddp: every process holds the model; fsdp: each holds 1/N of it (default: ddp)"
    )
    parser.add_argument(
        "--out",
        help="work folder, where load_stage looks: COURSE_WORK or ./work by default. All machines have to share it",
    )
    args = parser.parse_args(argv)
    if args.out:
        os.environ["COURSE_WORK"] = args.out
    rank = int(os.environ.get("RANK", 0))
    if "RANK" not in os.environ:
        print("Not started by torchrun: training in this one process.")
    try:
        with processes():
            run = train(args.stage, args.size, args.seed, args.shard)
            if run:
                print(f"saved in {save_stage(args.stage, run.model, run.record)}")
        return 0
    except CourseError as error:  # found by all processes alike
        if rank == 0:
            print(f"train: {error}", file=sys.stderr)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        print(
            f"train: process {rank} is out of memory: start more processes (each takes a smaller share of a batch), "
            "add --shard fsdp (each holds 1/N of the model), set COURSE_CHECKPOINTING=1, or choose a smaller --size",
            file=sys.stderr,
        )
    return 2


if __name__ == "__main__":
    sys.exit(main())
