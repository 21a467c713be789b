"""A real model (course_lib.stages.real) in the hands of the labs: encode a conversation, train on batches, read
answers.

They stand for what the course's own loops do with the village's model: a pretrained one brings its own tokenizer, chat
template and `generate` with a KV cache. Losses, labels and adapters stay those of the labs.
"""

import contextlib
import math
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from tqdm import tqdm

from course_lib.platform import CourseError, keep_large_buffers
from course_lib.stages.chat import labelled, listed, rendered
from course_lib.stages.lora import lora_layers
from course_lib.stages.sft import IGNORE
from course_lib.stages.step import LOWER, check_finite, explains_memory, flag

STILL = 8  # steps without a gradient that show that nothing is learned; a group of tied answers makes one or two
UNLABELLED = (
    "are there batches, and labels in them that are not −100? The header before an answer differs from model to model"
)
AT_ONCE = 32  # conversations in a batch of `answers`: their KV caches share the memory


def encode(words, messages: list[dict], context: int = 512) -> tuple[Int[Tensor, " T"], Int[Tensor, " T"]]:
    """(ids, labels) of a conversation by the model's own chat template; labels are −100 off what the assistant says and
    the token that ends its turn.

    Raises CourseError for a tokenizer without a chat template, a conversation that the template refuses or where nobody
    answers, and one of more than `context` tokens.
    """
    ids, labels = labelled(words, messages)
    if not any(label != IGNORE for label in labels):
        raise CourseError(
            "nobody answers in this conversation, so there is nothing to train on: add an assistant's message"
        )
    if len(ids) > context:
        raise CourseError(
            f"the conversation has {len(ids)} tokens and the limit is {context}: shorten it, or leave it out"
        )
    return torch.tensor(ids), torch.tensor(labels)


def collate(
    examples: list[tuple[Tensor, Tensor]], pad: int
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """(ids, labels, attention mask) of examples of `encode`, padded on the right with `pad`, −100 and 0."""
    fill = lambda rows, value: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
    ids, labels = zip(*examples)
    return fill(ids, pad), fill(labels, IGNORE), fill([torch.ones_like(row) for row in ids], 0)


def trained_tokens(examples: list[tuple[Tensor, Tensor]]) -> int:
    """How many tokens of examples of `encode` have a label: what a loss of them is the mean over."""
    return sum(int((labels != IGNORE).sum()) for _, labels in examples)


def answer_logits(
    model, ids: Int[Tensor, "B T"], labels: Int[Tensor, "B T"], mask: Int[Tensor, "B T"]
) -> tuple[Float[Tensor, "B N V"], Int[Tensor, "B N"]]:
    """(logits, labels) of the places alone that are scored in some row, and one more, for the logits at n are scored
    against the label at n + 1: a loss of them is that of the whole rows. A place's logits are 49,152 numbers, and most
    of a row is what the answer is given to.
    """
    at = (labels[:, 1:] != IGNORE).any(0).nonzero()[:, 0]
    logits = model(ids, attention_mask=mask, logits_to_keep=torch.cat((at, at[-1:] + 1))).logits
    return logits, torch.cat((labels.new_full((len(labels), 1), IGNORE), labels[:, at + 1]), 1)


@contextlib.contextmanager
def disable_adapter(model):
    """The base alone computes, as long as the block lasts: the reference of a policy that is trained by adapters, for
    which no second model is held. As PEFT's. Nothing for adapters that are merged into the base.
    """
    layers = list(lora_layers(model).values())
    scalings = [layer.scaling for layer in layers]
    try:
        for layer in layers:
            layer.scaling = 0.0
        yield
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling


@explains_memory
@torch.no_grad()
def sample(
    model, words, conversations: list[list[dict]], tokens: int = 48, temperature: float = 0.0, seed: int = 0
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"], Int[Tensor, "B T"]]:
    """(ids, sampled, attention mask) of one batch: prompt, padded on the left so that each answer begins right after
    it; at most `tokens` tokens; padding.

    `sampled` is True on the answer and on its end token, if that came. Greedy at temperature 0; the KV cache is that of
    `generate`.
    """
    how = dict(do_sample=True, temperature=temperature, top_k=0, top_p=1.0) if temperature else dict(do_sample=False)
    texts = [rendered(words, messages, True) for messages in conversations]
    rows, pad, ends = words(texts, add_special_tokens=False)["input_ids"], words.pad_token_id, ends_of(model)
    width = max(map(len, rows))
    prompt = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
    real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        options = {"max_new_tokens": tokens, "pad_token_id": pad, "eos_token_id": ends.tolist() or None, **how}
        ids = model.generate(prompt, attention_mask=real, **options)
    ended = torch.isin(ids[:, width:], ends).long()
    new = ended.cumsum(1) - ended == 0  # pad may be an end token too: all after the first one is padding
    return ids, torch.cat((torch.zeros_like(real, dtype=torch.bool), new), 1), torch.cat((real, new.long()), 1)


def answers(
    model, words, conversations: list[list[dict]], tokens: int = 48, temperature: float = 0.0, seed: int = 0
) -> list[str]:
    """The model's answers as text, as `sample` draws them."""
    said = []
    for first in range(0, len(conversations), AT_ONCE):
        part = conversations[first : first + AT_ONCE]
        ids, sampled, _ = sample(model, words, part, tokens, temperature, seed + first)
        text = sampled & ~torch.isin(ids, ends_of(model))  # not every model calls its end a special token
        said += [words.decode(row[mask], skip_special_tokens=True).strip() for row, mask in zip(ids, text)]
    return said


def ends_of(model) -> Int[Tensor, " E"]:
    """The tokens that end an answer."""
    return torch.tensor(listed(model.generation_config.eos_token_id), dtype=torch.int64, device=model.device)


def parts_of(batch, at_once: int | None, count: Callable) -> list[tuple]:
    """[(part, its share of what the batch's loss is a mean over)]."""
    if at_once is None:
        return [(batch, 1.0)]
    parts = [batch[k : k + at_once] for k in range(0, len(batch), at_once)]
    sizes = [count(part) for part in parts]
    return [(part, size / sum(sizes)) for part, size in zip(parts, sizes)]


@explains_memory
def train(
    model,
    batches: Iterable,
    loss_of: Callable,
    learning_rate: float = 1e-3,
    description: str = "real model",
    at_once: int | None = None,
    count: Callable = len,
    still: str = "",
) -> list[float]:
    """AdamW on the parameters that require a gradient, one step a batch, gradients clipped at norm 1. `loss_of(batch)`
    → a scalar. Returns the losses.

    at_once: a batch is then something that can be sliced, and so many of its rows are in memory at a time: the step is
    the same, since the gradients of the parts add up to that of the batch (gradient accumulation). `loss_of(part)` is
    a mean over `count(part)` things: rows (`len`), or tokens.

    still: what it means here that no step has a gradient; it is printed if that is so. Where nothing is given, labels
    that are −100 throughout are suspected, and STILL such steps are a fault.

    Changes `model`. Raises CourseError where nothing requires a gradient, where the loss or the gradient is no number,
    and for the fault above; after fewer steps it says so.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise CourseError("no parameter of the model requires a gradient: call add_lora(model, rank, alpha) first")
    if not 0 < learning_rate < math.inf:
        raise CourseError(f"learning_rate is {learning_rate}: take a number above 0")
    if flag("COURSE_CHECKPOINTING"):
        renamed = getattr(model, "activation_checkpointing_enable", None)  # by transformers 5
        (renamed or model.gradient_checkpointing_enable)({"use_reentrant": False})
    model.train()  # without dropout it computes what eval() does; checkpointing asks for it
    keep_large_buffers()  # the logits alone are 49,152 numbers a token: without this a step takes twice as long
    adam, losses, moved = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0), [], False
    for step, batch in enumerate(tqdm(batches, desc=description)):
        remedy, total = f"{LOWER}, which is {learning_rate:g}, or mend the loss", 0.0
        adam.zero_grad()
        for part, share in parts_of(batch, at_once, count):
            loss = loss_of(part) * share
            check_finite(step, "the loss", loss, remedy)
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        check_finite(step, "the gradient's norm", norm, remedy)
        adam.step()
        losses.append(total)
        moved = moved or bool(norm > 0)
        if not moved and not still and len(losses) == STILL:
            break
    model.eval()
    if not moved:
        said = f"{len(losses)} steps, and none had a gradient: {losses and still or UNLABELLED}"
        if not losses or not still and len(losses) == STILL:
            raise CourseError(said)
        print(said)  # so few may all have had groups of tied answers
    return losses
