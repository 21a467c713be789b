"""Pre-training: next-token prediction on whole documents of the village, one flat loop.

A row of a batch is one document from its first token: the entropy that we compare with is that of whole documents, and
a window cut out of the middle would have lost the context that the entropy counts on. Rows of similar length share a
batch, so about 1 % of the tokens are padding. Optimiser: see `optimizers`. Mixed precision and memory: `stages.step`.
Left out against the real thing: gradient accumulation; several GPUs are in course_lib/train.py. Run by hand:
`python -m course_lib.cli bench pretrain --size tiny`.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.platform import CourseError, device_and_dtype, keep_large_buffers
from course_lib.stages.checkpoint import Checkpoints, made_on
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.muon import Muon
from course_lib.stages.perplexity import distance_to_limit, entropy_per_token
from course_lib.stages.step import Step, beside, check_settings, explains_memory, steps_left
from course_lib.stages.tokenizer import PAD, encode_documents, load_tokenizer
from course_lib.world import pretrain_rows, rows_hash


@dataclass(frozen=True)
class PretrainConfig:
    model: ModelConfig = field(default_factory=ModelConfig)
    documents: int = 74_000  # training documents, each seen once
    batch: int = 2048  # tokens a step, padding included
    learning_rate: float = 4e-3  # peak
    warmup: float = 0.05  # share of the steps
    floor: float = 0.02  # last learning rate, as a share of the peak
    clip: float = 1.0  # largest norm of the gradient
    validations: int = 20  # times that the validation loss is measured on the way, on 200 documents


TINY = ModelConfig(hidden=32, intermediate=96, layers=2, heads=2)
LARGE = ModelConfig(hidden=256, intermediate=768, layers=6, heads=8)
PRESETS = {
    "tiny": PretrainConfig(TINY, documents=1_000, batch=512, validations=4),
    "laptop": PretrainConfig(),
    "gpu": PretrainConfig(LARGE, documents=400_000, batch=16_384),
}


@dataclass
class Run:
    model: Llama
    history: list[dict]  # one row a step: step, tokens, train_loss (nats/token), lr, seconds; val_loss where measured
    record: dict  # recipe, seed, data hash, metrics, log: what save_stage writes beside the weights

    def __post_init__(self):
        self.record = {"made_on": made_on(self.model), "log": short_log(self.history), **self.record}


def short_log(history: list[dict]) -> list[list[float]]:
    """[[step, train_loss, or reward where there is no loss]] of the first 20 steps and of about 50 later ones: what a
    replay from the seed is compared with.
    """
    every = max(1, len(history) // 50)
    kept = [row for k, row in enumerate(history) if k < 20 or k % every == 0]
    return [[row["step"], round(row.get("train_loss", row.get("reward")), 6)] for row in kept]


def next_token_loss(logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Mean −log p of each real token given those before it, nats/token. Padding is no target."""
    # shifts the targets: slicing the logits would copy the largest tensor of the step
    targets = F.pad(ids[:, 1:], (0, 1), value=PAD)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)


def learning_rate(step: int, total: int, warmup: int, peak: float, floor: float) -> float:
    """Linear warm-up over `warmup` steps, then a straight line down to floor · peak at the last step, where it stays
    (steps count from 0).
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (1 - (1 - floor) * min(1.0, (step - warmup) / max(1, total - 1 - warmup)))


def validation_rows(size: str) -> list[dict]:
    """What a run is measured on: 2,000 documents; at size tiny, which only shows that all runs, 300."""
    return pretrain_rows("validation", 300 if size == "tiny" else None)


def batches(lengths: list[int], batch: int, seed: int) -> list[list[int]]:
    """Shuffled batches of document indices, each document once, similar lengths together, ≤ `batch` tokens with
    padding.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(lengths), generator=generator).tolist()
    made = []
    for start in range(0, len(order), 4096):  # sorted within a pool only, so that batches stay random
        pool, part = [], []
        for k in sorted(order[start : start + 4096], key=lambda k: lengths[k]):
            if part and lengths[k] * (len(part) + 1) > batch:
                pool.append(part)
                part = []
            part.append(k)
        pool.append(part)
        made += [pool[k] for k in torch.randperm(len(pool), generator=generator).tolist()]
    return made


def collate(rows: list[list[int]]) -> Int[Tensor, "B T"]:
    """Documents, padded on the right to the longest."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


def optimizers(model: torch.nn.Module, learning_rate: float, rest: float = 1.0) -> list[torch.optim.Optimizer]:
    """For the parameters that require a gradient: Muon for the matrices inside the blocks, AdamW for the embedding, the
    norms, heads ("score") and adapters (Muon would make every direction of a low-rank factor equally long). `rest`:
    AdamW's learning rate as a share of Muon's.
    """
    matrix = lambda name, p: p.dim() == 2 and not any(part in name for part in ("embed", "lora_", "score"))
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    inside, others = ([p for name, p in trained if matrix(name, p) == is_one] for is_one in (True, False))
    made: list[torch.optim.Optimizer] = []
    if inside:
        made.append(Muon(inside, lr=learning_rate))
    if others:
        group = {"params": others, "scale": rest if inside else 1.0}
        made.append(torch.optim.AdamW([group], learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True))
    return made


@explains_memory
def pretrain(
    size: str = "laptop",
    seed: int = 0,
    loss_fn: Callable = next_token_loss,
    schedule_fn: Callable = learning_rate,
    on_step: Callable[[list[dict]], None] | None = None,
    out: Path | str | None = None,
    resume: bool = True,
    config: PretrainConfig | None = None,
    progress: bool = True,
    checkpoint_steps: int = 200,
    rows: list[dict] | None = None,
) -> Run:
    """Train a model from scratch. `loss_fn(logits, ids)` and `schedule_fn(step, total, warmup, peak, floor)` may be the
    student's.

    With `out`, a checkpoint is written there every `checkpoint_steps` steps, and a run that was killed goes on from it
    and reaches the same losses (in fp16 nearly: the scale of the loss begins anew); one that has ended is not trained
    again (`stages.checkpoint`). `rows` ({"text"}) are trained on in place of the village's documents (lab 01).
    Raises ArtifactError for a damaged checkpoint or one of another recipe, ValueError for another size or no rows,
    CourseError for a number that is not finite and for settings that teach nothing.
    """
    if size not in PRESETS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(PRESETS)}")
    config = config or PRESETS[size]
    check_settings(config)
    keep_large_buffers()
    device = device_and_dtype()[0]
    tokenizer, validation = load_tokenizer(), validation_rows(size)
    rows = pretrain_rows("train", config.documents) if rows is None else rows
    if not rows:
        raise ValueError("rows is empty: give at least one document to train on, or None for the village's")
    entropy = entropy_per_token(tokenizer, validation)
    ids = encode_documents(tokenizer, [row["text"] for row in rows])
    for k, row in enumerate(ids):
        if len(row) > config.model.context:
            raise CourseError(f"row {k} has {len(row)} tokens and the model reads {config.model.context}: cut it")
    plan = batches([len(row) for row in ids], config.batch, seed)
    warmup = max(1, round(config.warmup * len(plan)))
    rate = lambda step: schedule_fn(step, len(plan), warmup, config.learning_rate, config.floor)
    if not any(map(rate, range(len(plan)))):
        raise CourseError("the schedule is 0 at every step, so nothing would be learned: mend schedule_fn")
    model = Llama(config.model, seed).to(device)
    optimiser = optimizers(model, config.learning_rate)
    recipe, data = {"size": size, "seed": seed, **asdict(config), "documents": len(rows)}, rows_hash(rows)

    checkpoints = Checkpoints(out, resume, model, optimiser, recipe, checkpoint_steps, (loss_fn, schedule_fn, data))
    history = checkpoints.history
    seconds = history[-1]["seconds"] if history else 0.0
    started = time.perf_counter() - seconds
    measure = max(1, len(plan) // config.validations) if config.validations else len(plan) + 1
    update = Step(model, optimiser, config.clip)
    bar = steps_left(history, len(plan), "pre-training", progress)
    for step in bar:
        batch = collate([ids[k] for k in plan[step]]).to(device)
        lr = rate(step)
        with update.forward():
            logits = model(batch)
        with beside(logits):
            loss = loss_fn(logits, batch)
        update(loss, lr, step)
        tokens = (history[-1]["tokens"] if history else 0) + sum(len(ids[k]) - 1 for k in plan[step])
        row = {"step": step, "tokens": tokens, "train_loss": loss.item(), "lr": lr}
        if (step + 1) % measure == 0:
            # 200 documents stand for all: the distance is measured on them, as their own entropy is a little off
            few = distance_to_limit(model, tokenizer, validation[:200])
            row["val_loss"] = entropy + few["loss"] - few["entropy"]
            bar.set_postfix(val_loss=f"{row['val_loss']:.3f}")
        history.append({**row, "seconds": time.perf_counter() - started})
        if on_step:
            on_step(history)
        checkpoints.save(history)
    checkpoints.finish(history, on_step)
    metrics = distance_to_limit(model, tokenizer, validation)
    record = {
        "made_on": checkpoints.made_on,
        "recipe": recipe,
        "data": data,
        "parent": None,
        "parameters": model.parameter_count(),
        "tokens": history[-1]["tokens"],
        "minutes": history[-1]["seconds"] / 60,
        "metrics": metrics,
    }
    return Run(model, history, record)
