"""A real model (course_lib.stages.real) in the hands of the labs: encode a conversation, train on batches, read
answers.

They stand for what the course's own loops do with the village's model: a pretrained one brings its own tokenizer, chat
template and `generate` with a KV cache. Losses, labels and adapters stay those of the labs.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from tqdm import tqdm

from course_lib.platform import CourseError, keep_large_buffers
from course_lib.stages.sft import IGNORE
from course_lib.stages.step import explains_memory, flag

AT_ONCE = 32  # conversations in a batch of `answers`: their KV caches share the memory


def encode(words, messages: list[dict], context: int = 512) -> tuple[Int[Tensor, " T"], Int[Tensor, " T"]]:
    """(ids, labels) of a conversation by the model's own chat template; labels are −100 off what the assistant says and
    the token that ends its turn.

    Raises CourseError for a tokenizer without a chat template, a conversation where nobody answers, and one of more
    than `context` tokens.
    """
    ids = tokens_of(words, messages)
    labels = [IGNORE] * len(ids)
    for k in (k for k, message in enumerate(messages) if message["role"] == "assistant"):
        start, end = len(tokens_of(words, messages[:k], True)), len(tokens_of(words, messages[: k + 1]))
        while end > start and words.eos_token_id in ids[start:end] and ids[end - 1] != words.eos_token_id:
            end -= 1  # the newline after <|im_end|> is the template's, nobody says it
        labels[start:end] = ids[start:end]
    if not any(label != IGNORE for label in labels):
        raise CourseError(
            "nobody answers in this conversation, so there is nothing to train on: add an assistant's message"
        )
    if len(ids) > context:
        raise CourseError(
            f"the conversation has {len(ids)} tokens and the limit is {context}: shorten it, or leave it out"
        )
    return torch.tensor(ids), torch.tensor(labels)


def tokens_of(words, messages, generation_prompt=False):
    if not words.chat_template:
        raise CourseError(
            "this model's tokenizer has no chat template: take a model that was taught to answer, such as "
            "SmolLM2-135M-Instruct"
        )
    return words.apply_chat_template(messages, add_generation_prompt=generation_prompt, return_dict=False)


def collate(
    examples: list[tuple[Tensor, Tensor]], pad: int
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """(ids, labels, attention mask) of examples of `encode`, padded on the right with `pad`, −100 and 0."""
    fill = lambda rows, value: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
    ids, labels = zip(*examples)
    return fill(ids, pad), fill(labels, IGNORE), fill([torch.ones_like(row) for row in ids], 0)


@explains_memory
@torch.no_grad()
def sample(
    model, words, conversations: list[list[dict]], tokens: int = 48, temperature: float = 0.0, seed: int = 0
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"], Int[Tensor, "B T"]]:
    """(ids, sampled, attention mask) of one batch: prompt, padded on the left so that each answer begins right after
    it; at most `tokens` tokens; padding.

    `sampled` is True on the answer and on its end token, if that came. Greedy at temperature 0; the KV cache is that of
    `generate`."""
    how = dict(do_sample=True, temperature=temperature, top_k=0, top_p=1.0) if temperature else dict(do_sample=False)
    rows, pad = (
        [tokens_of(words, messages, True) for messages in conversations],
        words.eos_token_id if words.pad_token_id is None else words.pad_token_id,
    )
    width = max(map(len, rows))
    prompt = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
    real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        ids = model.generate(
            prompt, attention_mask=real, max_new_tokens=tokens, pad_token_id=pad, eos_token_id=words.eos_token_id, **how
        )
    ends = (ids[:, width:] == words.eos_token_id).long()
    new = ends.cumsum(1) - ends == 0  # pad may be the end token too: all after the first one is padding
    return ids, torch.cat((torch.zeros_like(real, dtype=torch.bool), new), 1), torch.cat((real, new.long()), 1)


def answers(
    model, words, conversations: list[list[dict]], tokens: int = 48, temperature: float = 0.0, seed: int = 0
) -> list[str]:
    """The model's answers as text, as `sample` draws them."""
    said = []
    for first in range(0, len(conversations), AT_ONCE):
        ids, sampled, _ = sample(
            model, words, conversations[first : first + AT_ONCE], tokens, temperature, seed + first
        )
        said += [words.decode(row[mask], skip_special_tokens=True).strip() for row, mask in zip(ids, sampled)]
    return said


@explains_memory
def train(
    model, batches: Iterable, loss_of: Callable, learning_rate: float = 1e-3, description: str = "real model"
) -> list[float]:
    """AdamW on the parameters that require a gradient, one step a batch, gradients clipped at norm 1. `loss_of(batch)`
    → a scalar. Returns the losses.

    Changes `model`. Raises CourseError where nothing requires a gradient, and where the loss is no number."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise CourseError("no parameter of the model requires a gradient: call add_lora(model, rank, alpha) first")
    if flag("COURSE_CHECKPOINTING"):
        enable = (
            getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        )  # transformers 5 renames it
        enable({"use_reentrant": False})
    model.train()  # without dropout it computes what eval() does; checkpointing asks for it
    keep_large_buffers()  # the logits alone are 49,152 numbers a token: without this a step takes twice as long
    adam, losses = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0), []
    for batch in tqdm(batches, desc=description):
        loss = loss_of(batch)
        if not torch.isfinite(loss):
            raise CourseError(
                f"the loss is {loss.item()} after {len(losses)} steps: lower learning_rate, which is {learning_rate:g}"
            )
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        losses.append(loss.item())
    model.eval()
    return losses
