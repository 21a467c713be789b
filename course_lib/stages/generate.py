"""Text from a language model, one token at a time, left to right.

What is left out compared with a production engine: beam search, repetition penalties, and paged memory.
Top-p ("nucleus") sampling: Holtzman et al. 2020, https://arxiv.org/abs/1904.09751
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.stages.cache import Cache
from course_lib.stages.tokenizer import BOS, EOS, PAD


def next_token_probs(
    logits: Float[Tensor, "*B V"], temperature: float = 1.0, top_p: float = 1.0
) -> Float[Tensor, "*B V"]:
    """The distribution a sampler draws from: softmax(logits / temperature), cut to the smallest set of tokens that
    holds `top_p`, renormalised.

    The likeliest token always stays. `temperature` 0 means greedy: all probability on the likeliest token (the first
    one, in a tie).
    """
    if temperature <= 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
    if top_p >= 1:  # nothing is cut, and the sort would take most of the time of a step
        return torch.softmax(logits.float() / temperature, -1)
    sorted_probs, order = torch.softmax(logits.float() / temperature, -1).sort(dim=-1, descending=True, stable=True)
    before = sorted_probs.cumsum(-1) - sorted_probs  # probability of everything likelier than this token
    sorted_probs = sorted_probs.masked_fill(before >= top_p, 0.0)
    sorted_probs[..., 0] = sorted_probs[..., 0].clamp_min(1e-30)  # top_p = 0 keeps the likeliest
    probs = torch.zeros_like(sorted_probs).scatter(-1, order, sorted_probs)
    return probs / probs.sum(-1, keepdim=True)


def sample_next_token(
    logits: Float[Tensor, " V"], temperature: float = 1.0, top_p: float = 1.0, generator: torch.Generator | None = None
) -> int:
    """One token id drawn from `next_token_probs`."""
    if temperature <= 0:
        return int(logits.argmax())
    return int(torch.multinomial(next_token_probs(logits, temperature, top_p).cpu(), 1, generator=generator))


def sample_rows(
    logits: Float[Tensor, "N V"], temperature: float, top_p: float, uniform: Float[Tensor, " B"], of: Int[Tensor, " B"]
) -> Int[Tensor, " B"]:
    """A token for each of B draws, from the row `of` of the logits: the first whose cumulative probability passes the
    draw's uniform number.
    """
    if temperature <= 0:
        return logits.argmax(-1)[of]
    total = next_token_probs(logits, temperature, top_p).cumsum(-1, dtype=torch.float64)[of]
    tokens = torch.searchsorted(total, uniform[:, None] * total[:, -1:], right=True)[:, 0]
    return tokens.clamp(max=logits.shape[-1] - 1)


@torch.no_grad()
def generate_ids(
    model,
    prompts: list[list[int]],
    max_new_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    stop: int = EOS,
) -> list[list[int]]:
    """The new ids for each prompt (without the prompt, without `stop`). Row i draws from its own generator, seeded seed
    + i, so a text does not depend on its neighbours in the batch (but for rounding).
    """
    new: list[list[int]] = [[] for _ in prompts]
    for tokens in token_steps(model, prompts, max_new_tokens, temperature, top_p, seed, stop):
        for row, token in tokens.items():
            new[row].append(token)
    return new


@torch.no_grad()
def token_steps(
    model,
    prompts: list[list[int]],
    max_new_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    stop: int = EOS,
) -> Iterator[dict[int, int]]:
    """What `generate_ids` collects, a step at a time, for whoever shows a text while it grows: {row: its next token} of
    the rows that go on.

    Rows that have read the same so far are one text, and the model reads it once: eight answers to a prompt share the
    prompt, and all that they begin with.
    """
    if not prompts or any(not prompt for prompt in prompts):
        raise ValueError("generate_ids needs at least one prompt, and at least one token in each (start it with BOS).")
    generator = torch.Generator()
    draws = lambda row: torch.rand(max_new_tokens, generator=generator.manual_seed(seed + row), dtype=torch.float64)
    uniform = torch.stack([draws(row) for row in range(len(prompts))])
    numbers: dict[tuple, int] = {}
    of = torch.tensor([numbers.setdefault(tuple(prompt), len(numbers)) for prompt in prompts])  # the text of each row
    rows = torch.arange(len(prompts))  # those that still run
    logits, read = first_logits(model, [list(text) for text in numbers], len(prompts), max_new_tokens)
    for step in range(max_new_tokens):
        on = logits.device
        tokens = sample_rows(logits.float(), temperature, top_p, uniform[rows, step].to(on), of.to(on)).cpu()
        yield {row: token for row, token in zip(rows.tolist(), tokens.tolist()) if token != stop}
        going = tokens != stop
        rows = rows[going]
        if not len(rows) or step + 1 == max_new_tokens:
            break
        size = logits.shape[-1]
        texts, number = torch.unique(of[going] * size + tokens[going], return_inverse=True)
        logits, read, place = next_logits(model, read, texts // size, texts % size)
        of = place[number]


def first_logits(model, texts: list[list[int]], rows: int, room: int):
    """(logits after each text, what `next_logits` needs). Our Llama keeps keys and values in a cache and computes one
    token a text and step; any other model(ids) reads the whole text again, and needs the texts themselves.

    Texts of different lengths are padded on the RIGHT: attention is causal, so nothing a text reads is to the right of
    its last token.
    """
    device = next(model.parameters()).device
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True, padding_value=PAD)
    ends = torch.tensor([len(text) for text in texts])
    if hasattr(model, "read"):
        return model.read(ids.to(device), ends.to(device), rows, room)
    return model(ids.to(device))[torch.arange(len(ends)), ends - 1], (ids, ends)


def next_logits(model, read, parents: Int[Tensor, " N"], tokens: Int[Tensor, " N"]):
    """(logits after the texts `parents` have each got a token more, what the next call needs, the row of the logits
    that each of them is).
    """
    device = next(model.parameters()).device
    if isinstance(read, Cache):
        places = read.fork(parents)
        added = torch.full((read.rows,), PAD)
        added[places] = tokens
        return model.read_on(added.to(device), read), read, places
    ids, ends = (each[parents] for each in read)
    ids, places = torch.nn.functional.pad(ids, (0, 1), value=PAD), torch.arange(len(ends))
    ids[places, ends] = tokens
    ids, ends = ids[:, : int(ends.max()) + 1], ends + 1
    return model(ids.to(device))[places, ends - 1], (ids, ends), places


def generate(
    model,
    tokenizer,
    prompt: str | list[str],
    max_new_tokens: int = 60,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> str | list[str]:
    """The continuation of `prompt`, which stands at the start of a document (BOS goes before it). "" starts a document
    from nothing.

    A list of prompts is run as one batch and gives a list. Stops at EOS or after `max_new_tokens`. The prompt is not
    part of the answer.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        return []
    ids = [[BOS] + tokenizer.encode(text, add_special_tokens=False).ids for text in prompts]
    texts = [tokenizer.decode(new) for new in generate_ids(model, ids, max_new_tokens, temperature, top_p, seed)]
    return texts[0] if isinstance(prompt, str) else texts
