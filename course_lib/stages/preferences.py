"""Training on preferences: pairs and thumbs as token ids, and the one loop that the reward model, DPO and KTO share.

A pair has TRL's columns: {"prompt": [messages], "chosen": [one assistant message], "rejected": [one assistant
message]}; a thumb is {"prompt", "completion": [one assistant message], "label": True for a thumb up}.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.platform import CourseError, keep_large_buffers
from course_lib.stages.checkpoint import Checkpoints
from course_lib.stages.pretrain import Run, learning_rate
from course_lib.stages.rollout import roll_out
from course_lib.stages.sft import collate, encode_chat
from course_lib.stages.step import Step, check_settings, explains_memory, steps_left
from course_lib.world import rows_hash


@dataclass(frozen=True)
class PreferenceConfig:
    rows: int  # pairs or thumbs
    batch: int = 64  # pairs or thumbs a step
    epochs: int = 1
    learning_rate: float = 3e-4  # peak
    warmup: float = 0.05  # share of the steps
    floor: float = 0.02  # last learning rate, as a share of the peak
    clip: float = 1.0  # largest norm of the gradient


def encode_answers(
    tokenizer, rows: list[dict], keys: tuple[str, ...], context: int
) -> list[list[tuple[list[int], list[int]]]]:
    """For each row, (ids, mask) of prompt + row[key], for each key; mask is 1 on the answer and its <|im_end|>.

    Raises CourseError that names the first bad row: a column missing, no text, no answer, or too long; and where the
    two answers of every pair are the same.
    """
    examples = []
    for k, row in enumerate(rows):
        if missing := [key for key in ("prompt", *keys) if not isinstance(row.get(key), list) or not row[key]]:
            columns = ", ".join(f'"{key}": [an assistant message]' for key in keys)
            raise CourseError(f'row {k} has no "{missing[0]}": a row is {{"prompt": [messages], {columns}}}')
        encoded = []
        prompt, _ = encode_chat(tokenizer, row["prompt"])
        for key in keys:
            # without the <|bos|> of a new conversation, and without the newline after <|im_end|>: the answer ends there
            answer, said = (each[1:-1] for each in encode_chat(tokenizer, row[key]))
            length = len(prompt) + len(answer) + 1
            if length > context:
                raise CourseError(
                    f"row {k} has {length} tokens and the model reads {context}: shorten it, or leave it out"
                )
            if not any(said):
                raise CourseError(f'row {k}: "{key}" has no assistant message, so there is nothing to learn from it')
            encoded.append((prompt + answer, [0] * len(prompt) + said))
        examples.append(encoded)
    if not examples:
        raise CourseError("there are no rows to train on")
    if len(keys) > 1 and all(answers == answers[:1] * len(keys) for answers in examples):
        raise CourseError(f"{' and '.join(keys)} are the same in every row, so there is nothing to learn from them")
    return examples


def sample_pairs(model, tokenizer, rows: list[dict], seed: int = 0) -> list[tuple[dict, str, str]]:
    """(row, answer, another answer) for the prompts to which `model` gives two different answers in three tries."""
    pairs, left, first = [], rows, None
    for again in range(3):
        if not left:
            break
        answers = roll_out(model, tokenizer, left, seed=1_000_003 * seed + 100_000_007 * again).answers
        if first is None:
            first = answers
            continue
        pairs += [(row, a, b) for row, a, b in zip(left, first, answers) if a != b]
        same = [(row, a) for row, a, b in zip(left, first, answers) if a == b]
        left, first = [row for row, _ in same], [a for _, a in same]
    return pairs


def batch_of(examples: list[list[tuple[list[int], list[int]]]]) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N T"]]:
    """(ids, labels), right-padded: all examples' first answers, then all second ones; −100 off the answer."""
    return collate([answers[k] for k in range(len(examples[0])) for answers in examples])


def steps_of(n: int, config: PreferenceConfig, seed: int) -> list[list[int]]:
    """Shuffled batches of row numbers, every row once an epoch."""
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(n, generator=generator).tolist() for _ in range(config.epochs)]
    return [order[start : start + config.batch] for order in orders for start in range(0, n, config.batch)]


@explains_memory
def train(
    model,
    examples: list,
    batch_loss: Callable[[list[int]], tuple[Tensor, dict]],
    optimiser: list[torch.optim.Optimizer],
    config: PreferenceConfig,
    seed: int = 0,
    on_step: Callable[[list[dict]], None] | None = None,
    out: Path | str | None = None,
    resume: bool = True,
    progress: bool = True,
    description: str = "training",
    checkpoint_steps: int = 25,
    made_of: tuple = (),
) -> Run:
    """Train `model` on rows of `examples`; `batch_loss(row numbers)` gives (loss, {metric: number}).

    `made_of`: what `batch_loss` depends on beside `model` and `examples`, for `Checkpoints`. History rows: step, rows,
    train_loss, lr, the metrics, seconds. With `out` a killed run goes on from its checkpoint, and one that has ended is
    not trained again.
    """
    check_settings(config)
    keep_large_buffers()
    plan = steps_of(len(examples), config, seed)
    warmup = max(1, round(config.warmup * len(plan)))
    data = rows_hash({"text": str(example)} for example in examples)
    recipe = {"seed": seed, "data": data, **asdict(config), "rows": len(examples)}
    checkpoints = Checkpoints(out, resume, model, optimiser, recipe, checkpoint_steps, (model, made_of))
    history = checkpoints.history
    update = Step(model, optimiser, config.clip, torch.float32)
    started = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)
    bar = steps_left(history, len(plan), description, progress)
    for step in bar:
        lr = learning_rate(step, len(plan), warmup, config.learning_rate, config.floor)
        loss, metrics = batch_loss(plan[step])
        update(loss, lr, step)
        rows = (history[-1]["rows"] if history else 0) + len(plan[step])
        row = {"step": step, "rows": rows, "train_loss": loss.item(), "lr": lr, **metrics}
        history.append({**row, "seconds": time.perf_counter() - started})
        if on_step:
            on_step(history)
        checkpoints.save(history)
    checkpoints.finish(history, on_step)
    minutes = history[-1]["seconds"] / 60
    return Run(model, history, {"made_on": checkpoints.made_on, "recipe": recipe, "data": data, "minutes": minutes})
