"""Text from a language model, one token at a time, left to right.

What is left out compared with a production engine: beam search, repetition penalties, and paged memory.
Top-p ("nucleus") sampling: Holtzman et al. 2020, https://arxiv.org/abs/1904.09751
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

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
    logits: Float[Tensor, "B V"], temperature: float, top_p: float, uniform: Float[Tensor, " B"]
) -> Int[Tensor, " B"]:
    """One token a row: the first whose cumulative probability passes that row's uniform number."""
    if temperature <= 0:
        return logits.argmax(-1)
    total = next_token_probs(logits, temperature, top_p).double().cumsum(-1)
    return (total <= uniform[:, None] * total[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)


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

    Prompts of different lengths are padded on the RIGHT: attention is causal, so nothing a row reads is to the right of
    its last token. Our Llama keeps keys and values in a cache and computes one token a row and step; any other
    model(ids) reads the whole prefix again.
    """
    if not prompts or any(not prompt for prompt in prompts):
        raise ValueError("generate_ids needs at least one prompt, and at least one token in each (start it with BOS).")
    device = next(model.parameters()).device
    ends = torch.tensor([len(prompt) for prompt in prompts])
    longest = int(ends.max())
    ids = torch.full((len(prompts), longest + max_new_tokens), PAD)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    generators = [torch.Generator().manual_seed(seed + row) for row in range(len(prompts))]
    uniform = torch.stack([torch.rand(max_new_tokens, generator=each, dtype=torch.float64) for each in generators])
    rows = torch.arange(len(prompts))  # the rows that still run
    cache = model.new_cache(len(prompts), longest + max_new_tokens) if hasattr(model, "cached") else None
    for step in range(max_new_tokens):
        if cache is None:
            logits = model(ids[rows, : int(ends[rows].max())].to(device))[torch.arange(len(rows)), ends[rows] - 1]
        elif step == 0:
            at = torch.arange(longest, device=device).expand(len(rows), -1)
            logits = model.cached(ids[:, :longest].to(device), at, cache, (ends - 1).to(device))
        else:
            at, first = (ends[rows] - 1)[:, None], torch.zeros_like(rows, device=device)
            logits = model.cached(ids[rows[:, None], at].to(device), at.to(device), cache, first)
        tokens = sample_rows(logits.float(), temperature, top_p, uniform[rows, step].to(device)).cpu()
        yield {row: token for row, token in zip(rows.tolist(), tokens.tolist()) if token != stop}
        ids[rows, ends[rows]] = tokens
        ends[rows] += 1
        going = tokens != stop
        if not going.all():
            rows = rows[going]
            if not len(rows):
                break
            cache = cache and [(keys[going.to(device)], values[going.to(device)]) for keys, values in cache]


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
