"""Supervised fine-tuning: the base model learns to answer. One flat loop, which LoRA and knowledge injection use as
well.

A conversation is rendered by the chat template (ChatML); only what the assistant says, and the <|im_end|> that ends it,
is trained. The loop trains whatever parameters have `requires_grad`, with the optimisers of pre-training. Left out
against the real thing: packing (lab 03 shows it; rows of similar length waste few tokens here), gradient accumulation.
Several GPUs are in course_lib/train.py.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.platform import CourseError, keep_large_buffers
from course_lib.stages.artifacts import load_stage
from course_lib.stages.checkpoint import Checkpoints
from course_lib.stages.pretrain import Run, batches, learning_rate, optimizers
from course_lib.stages.step import Step, beside, check_settings, explains_memory, steps_left
from course_lib.stages.tokenizer import (
    BOS,
    IM_END,
    IM_START,
    PAD,
    encode_documents,
    load_tokenizer,
    numbers,
    to_transformers,
)
from course_lib.world import pretrain_rows, rows_hash
from course_lib.world.tasks import READING, SHARES, task_rows

# {% generation %} marks what the assistant says: transformers and TRL find the same tokens as `encode_chat`
CHAT_TEMPLATE = (
    "{{- bos_token }}{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\n' }}"
    "{%- if m['role'] == 'assistant' %}{% generation %}{{- m['content'] + '<|im_end|>' }}{% endgeneration %}{{- '\n' }}"
    "{%- else %}{{- m['content'] + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
# the same text with each newline left to the message that follows: a whole conversation ends with <|im_end|>, as
# `encode_answers` has it. For TRL's RewardTrainer, DPOTrainer and KTOTrainer, which take all that stands after the
# prompt for the answer
ANSWER_TEMPLATE = (
    "{{- bos_token }}{%- for m in messages %}{{- ('' if loop.first else '\n') + '<|im_start|>' + m['role'] + '\n' }}"
    "{%- if m['role'] == 'assistant' %}{% generation %}{{- m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{%- else %}{{- m['content'] + '<|im_end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '\n<|im_start|>assistant\n' }}{%- endif %}"
)
IGNORE = -100  # a label that no loss counts: PyTorch's and transformers' convention
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class SFTConfig:
    examples: int = 19_000  # training rows
    replay: int = 14_000  # documents of pre-training mixed in, so that what they taught stays
    epochs: int = 1
    batch: int = 1536  # tokens a step, padding included
    learning_rate: float = 3.5e-3  # peak
    # learning rate of embedding and norms, as a share of it: a large one unlearns the names that no answer says
    embedding_rate: float = 0.2
    warmup: float = 0.03  # share of the steps
    floor: float = 0.02  # last learning rate, as a share of the peak
    clip: float = 1.0  # largest norm of the gradient
    validations: int = 10  # times that the validation loss is measured on the way


PRESETS = {
    "tiny": SFTConfig(examples=300, replay=100, batch=1024, validations=2),
    "laptop": SFTConfig(),
    "gpu": SFTConfig(examples=100_000, replay=60_000, batch=16_384),
}
READING_PRESETS = {
    size: replace(config, examples=config.examples * 11 // 19, replay=config.replay * 2 // 7)
    for size, config in PRESETS.items()
}


def to_transformers_chat(tokenizer, template: str = CHAT_TEMPLATE):
    """The course tokenizer as a `PreTrainedTokenizerFast` that knows the chat template. Raises CourseError for one
    without generation markers.
    """
    if not ("{% generation %}" in template and "{% endgeneration %}" in template):
        raise CourseError(
            "the chat template does not mark what the assistant says: put {% generation %} before the assistant's "
            "content and {% endgeneration %} after its <|im_end|>"
        )
    theirs = to_transformers(tokenizer)
    theirs.chat_template = template
    return theirs


def check_message(message) -> None:
    """Raises CourseError for what is no message."""
    whole = isinstance(message, dict) and isinstance(message.get("content"), str)
    if not whole or message.get("role") not in ROLES:
        raise CourseError(
            f'a message is {{"role": {" | ".join(ROLES)}, "content": text}}, and this is none: {str(message)[:120]}'
        )


def encode_chat(tokenizer, messages: list[dict], generation_prompt: bool = False) -> tuple[list[int], list[int]]:
    """(ids, mask) of a conversation: <|bos|>, then `<|im_start|>role\\ncontent<|im_end|>\\n` a message; mask is 1 on
    what the assistant says and on the <|im_end|> after it. `generation_prompt` opens the assistant's next turn. Raises
    CourseError for a message that is none.
    """
    known = numbers(tokenizer.get_vocab_size())
    text = lambda s: [known[i] for i in tokenizer.encode(s, add_special_tokens=False).ids]
    newline = text("\n")
    ids, mask = [BOS], [0]
    for message in messages:
        check_message(message)
        said = [*text(message["content"]), IM_END]
        head = [IM_START, *text(message["role"] + "\n")]
        ids += head + said + newline
        mask += [0] * len(head) + [int(message["role"] == "assistant")] * len(said) + [0] * len(newline)
    if generation_prompt:
        head = [IM_START, *text("assistant\n")]
        ids, mask = ids + head, mask + [0] * len(head)
    return ids, mask


def encode_rows(tokenizer, rows: list[dict], context: int) -> list[tuple[list[int], list[int]]]:
    """(ids, mask) of each row. Raises CourseError that names the first bad row: no messages, nothing to train on, or
    too long.
    """
    examples = []
    for k, row in enumerate(rows):
        if isinstance(row, dict) and isinstance(row.get("text"), str):
            ids = encode_documents(tokenizer, [row["text"]])[0]
            mask = [0] + [1] * (len(ids) - 1)
        elif isinstance(row, dict) and row.get("messages"):
            try:
                ids, mask = encode_chat(tokenizer, row["messages"])
            except CourseError as error:
                raise CourseError(f"row {k}: {error}") from None
        else:
            raise CourseError(
                f'row {k} has no "messages": each row is {{"messages": [{{"role": "user", "content": …}}, {{"role": '
                f'"assistant", "content": …}}]}}'
            )
        if not any(mask):
            raise CourseError(
                f"row {k} has no assistant message, so there is nothing to learn from it: add the answer, or leave the "
                "row out"
            )
        if len(ids) > context:
            raise CourseError(
                f"row {k} has {len(ids)} tokens and the model reads {context}: shorten it, or leave it out"
            )
        examples.append((ids, mask))
    if not examples:
        raise CourseError("there are no rows to train on")
    return examples


def collate(examples: list[tuple[list[int], list[int]]]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """(ids, labels) of examples (ids, mask), padded on the right; labels are the ids where the mask is 1, −100
    elsewhere.
    """
    rows = [torch.tensor(ids) for ids, _ in examples]
    labels = [torch.tensor([i if m else IGNORE for i, m in zip(ids, mask)]) for ids, mask in examples]
    pad = lambda tensors, value: torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)
    return pad(rows, PAD), pad(labels, IGNORE)


def response_loss(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Mean −log p of the trained tokens of the batch, nats/token; logits at t are scored against the label at t + 1."""
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORE)
    total = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum")
    return total / (targets != IGNORE).sum().clamp(min=1)


def trained_logits(
    model, ids: Int[Tensor, "B T"], labels: Int[Tensor, "B T"]
) -> tuple[Float[Tensor, "1 N V"], Int[Tensor, "1 N"]]:
    """(logits, labels) of one long row that holds the trained tokens only, with the shift kept: the logits at n are
    scored against the label at n + 1, so any loss of (logits, labels) is the same. Most tokens of a chat are not
    trained, and the head is a third of the work; so neither it nor most of the last block is computed elsewhere.
    """
    keep = labels[:, 1:] != IGNORE
    at = F.pad(keep, (0, 1)).flatten().nonzero()[:, 0]
    x = model.hidden(ids, places=at)
    first = labels.new_full((1,), IGNORE)
    return model.head(torch.cat((x, x[-1:])))[None], torch.cat((first, labels[:, 1:][keep]))[None]


@torch.no_grad()
def response_loss_of(model, examples: list[tuple[list[int], list[int]]], batch: int = 8192) -> float:
    """The loss over all trained tokens of many examples, nats/token."""
    device = next(model.parameters()).device
    total = count = 0
    for part in batches([len(ids) for ids, _ in examples], batch, seed=0):
        ids, labels = collate([examples[k] for k in part])
        n = int((labels[:, 1:] != IGNORE).sum())
        total += float(response_loss(*trained_logits(model, ids.to(device), labels.to(device)))) * n
        count += n
    return total / count


@explains_memory
def finetune(
    model,
    rows: list[dict],
    config: SFTConfig,
    seed: int = 0,
    loss_fn: Callable = response_loss,
    on_step: Callable[[list[dict]], None] | None = None,
    out: Path | str | None = None,
    resume: bool = True,
    progress: bool = True,
    validation: list[dict] | None = None,
    checkpoint_steps: int = 100,
    description: str = "fine-tuning",
    make_optimizers: Callable = optimizers,
) -> Run:
    """Train the parameters of `model` that have requires_grad on rows {"messages": […]}. `loss_fn(logits, labels)` may
    be the student's.

    A row {"text": …} is a plain document, trained from its first token: replay of pre-training. `validation` rows give
    "val_loss" in the history, `config.validations` times. With `out` a checkpoint is written there and a run that
    was killed goes on from it. `make_optimizers(model, rate, rest)`: those of pre-training, or others (lab 04).
    Raises CourseError for bad rows, for a number that is not finite and for settings that teach nothing, ArtifactError
    for a checkpoint that is damaged or of another run.
    """
    check_settings(config)
    keep_large_buffers()
    device = next(model.parameters()).device
    tokenizer = load_tokenizer()
    examples = encode_rows(tokenizer, rows, model.config.context)
    examined = encode_rows(tokenizer, validation, model.config.context) if validation else None
    lengths = [len(ids) for ids, _ in examples]
    plan = [part for epoch in range(config.epochs) for part in batches(lengths, config.batch, 1000 * seed + epoch)]
    optimiser = make_optimizers(model, config.learning_rate, config.embedding_rate)
    warmup = max(1, round(config.warmup * len(plan)))
    data = rows_hash({"text": str(row.get("messages") or row["text"])} for row in rows)
    recipe = {"seed": seed, "rows": len(rows), "data": data, **asdict(config)}
    checkpoints = Checkpoints(out, resume, model, optimiser, recipe, checkpoint_steps, (model, loss_fn, validation))
    history = checkpoints.history
    started = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)
    measure = max(1, len(plan) // config.validations) if config.validations else len(plan) + 1
    update = Step(model, optimiser, config.clip)
    bar = steps_left(history, len(plan), description, progress)
    for step in bar:
        ids, labels = (t.to(device) for t in collate([examples[k] for k in plan[step]]))
        lr = learning_rate(step, len(plan), warmup, config.learning_rate, config.floor)
        with update.forward():
            logits, targets = trained_logits(model, ids, labels)
        with beside(logits):
            loss = loss_fn(logits, targets)
        update(loss, lr, step)
        tokens = (history[-1]["tokens"] if history else 0) + sum(lengths[k] for k in plan[step])
        row = {"step": step, "tokens": tokens, "train_loss": loss.item(), "lr": lr}
        if examined and (step + 1) % measure == 0:
            row["val_loss"] = response_loss_of(model, examined)
            bar.set_postfix(val_loss=f"{row['val_loss']:.3f}")
        history.append({**row, "seconds": time.perf_counter() - started})
        if on_step:
            on_step(history)
        checkpoints.save(history)
    checkpoints.finish(history, on_step)
    record = {
        "made_on": checkpoints.made_on,
        "recipe": recipe,
        "data": data,
        "trained_parameters": sum(p.numel() for p in update.trained),
        "tokens": history[-1]["tokens"],
        "minutes": history[-1]["seconds"] / 60,
    }
    return Run(model, history, record)


def sft(size: str = "laptop", seed: int = 0, base=None, **options) -> Run:
    """Lab 03's recipe: a copy of the base model (by default load_stage("pretrain")) becomes an assistant. `options` go
    to `finetune`.
    """
    return recipe(size, seed, base, "pretrain", PRESETS, SHARES, options)


def read(size: str = "laptop", seed: int = 0, base=None, **options) -> Run:
    """Lab 05's first step: a copy of the assistant (by default load_stage("sft")) learns to read notices that stand in
    its prompt.
    """
    return recipe(size, seed, base, "sft", READING_PRESETS, READING, options)


def recipe(
    size: str, seed: int, base, parent: str, presets: dict[str, SFTConfig], shares: dict[str, int], options: dict
) -> Run:
    if size not in presets:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(presets)}")
    config = presets[size]
    rows = task_rows("train", config.examples, parent, shares) + pretrain_rows("train", config.replay)
    run = finetune(copy.deepcopy(base) or load_stage(parent).model, rows, config, seed, **options)
    run.record |= {"parent": parent, "recipe": {"size": size, **run.record["recipe"]}}
    return run
