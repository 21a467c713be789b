"""Text from a language model, one token at a time, left to right.

What is left out compared with a production engine: a key/value cache (the whole prefix is computed again for every token, which is
fine for a few hundred short tokens), beam search, repetition penalties, and streaming.
Top-p ("nucleus") sampling: Holtzman et al. 2020, https://arxiv.org/abs/1904.09751
"""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.stages.tokenizer import BOS, EOS, PAD


def next_token_probs(logits: Float[Tensor, "*B V"], temperature: float = 1.0, top_p: float = 1.0) -> Float[Tensor, "*B V"]:
    """The distribution a sampler draws from: softmax(logits / temperature), cut to the smallest set of tokens that holds `top_p`, renormalised.

    The likeliest token always stays. `temperature` 0 means greedy: all probability on the likeliest token (the first one, in a tie).
    """
    if temperature <= 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
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


@torch.no_grad()
def generate_ids(
    model, prompts: list[list[int]], max_new_tokens: int, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0, stop: int = EOS
) -> list[list[int]]:
    """The new ids for each prompt (without the prompt, without `stop`). Row i draws from its own generator, seeded seed + i, so a text does not
    depend on its neighbours in the batch (but for rounding).

    Prompts of different lengths are padded on the RIGHT: attention is causal, so nothing a row reads is to the right of its last token.
    """
    if not prompts or any(not prompt for prompt in prompts):
        raise ValueError("generate_ids needs at least one prompt, and at least one token in each (start it with BOS).")
    lengths = [len(prompt) for prompt in prompts]
    device = next(model.parameters()).device
    ids = torch.full((len(prompts), max(lengths) + max_new_tokens), PAD, device=device)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt, device=device)
    generators = [torch.Generator().manual_seed(seed + row) for row in range(len(prompts))]
    ends = list(lengths)
    running = list(range(len(prompts))) if max_new_tokens > 0 else []
    while running:
        logits = model(ids[running, : max(ends[row] for row in running)])  # [B T V]
        for logits_row, row in zip(logits, list(running)):
            token = sample_next_token(logits_row[ends[row] - 1].float(), temperature, top_p, generators[row])
            if token != stop:
                ids[row, ends[row]] = token
                ends[row] += 1
            if token == stop or ends[row] - lengths[row] == max_new_tokens:
                running.remove(row)
    return [ids[row, lengths[row] : ends[row]].tolist() for row in range(len(prompts))]


def generate(
    model, tokenizer, prompt: str | list[str], max_new_tokens: int = 60, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0
) -> str | list[str]:
    """The continuation of `prompt`, which stands at the start of a document (BOS goes before it). "" starts a document from nothing.

    A list of prompts is run as one batch and gives a list. Stops at EOS or after `max_new_tokens`. The prompt is not part of the answer.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        return []
    ids = [[BOS] + tokenizer.encode(text, add_special_tokens=False).ids for text in prompts]
    texts = [tokenizer.decode(new) for new in generate_ids(model, ids, max_new_tokens, temperature, top_p, seed)]
    return texts[0] if isinstance(prompt, str) else texts
