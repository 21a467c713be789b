"""The tokens that no training text had: what their embeddings look like, and how an adapter can come to say them."""

from functools import lru_cache

import torch
from jaxtyping import Bool
from torch import Tensor

from course_lib.stages.model import Llama
from course_lib.stages.sft import encode_rows
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.tasks import task_rows


@lru_cache(maxsize=1)
def seen_tokens() -> Bool[Tensor, " V"]:
    """True for the tokens that pre-training or lab 03 has shown a model, judged by a few thousand rows of each."""
    tokenizer = load_tokenizer()
    documents = encode_documents(tokenizer, [row["text"] for row in pretrain_rows("train", 5_000)])
    chats = [ids for ids, _ in encode_rows(tokenizer, task_rows("train", 4_000), 10_000)]
    seen = torch.zeros(tokenizer.get_vocab_size(), dtype=torch.bool)
    seen[sorted({i for ids in documents + chats for i in ids})] = True
    return seen


@torch.no_grad()
def fresh_rows(model: Llama, seed: int = 0) -> Llama:
    """Tell the embeddings of tokens that were never seen apart: their common mean plus a random row each. Changes
    `model` and returns it.

    Training has pushed all of them the same way, away from whatever the model says. Full fine-tuning can pull one out;
    an adapter hardly can, because the embedding (and with it the tied head) is frozen: it lifts all of them together,
    so each gets a few tenths of a per cent (docs/journal.md, 2026-12-01). The reserved tokens of Llama 3 are the same
    trap. The mean keeps them as unlikely as they were, so that documents cost what they did.
    """
    weight = model.model.embed_tokens.weight
    never = (~seen_tokens()).nonzero()[:, 0].to(weight.device)
    random = 0.1 * torch.randn(len(never), weight.shape[1], generator=torch.Generator().manual_seed(seed))
    weight[never] = weight[never].mean(0) + random.to(weight.device)
    return model
