"""Loss, perplexity, and the distance to the limit that the generator knows."""

import math

import torch
import torch.nn.functional as F

from course_lib.stages.tokenizer import PAD, encode_documents


@torch.no_grad()
def document_losses(model, ids: list[list[int]], batch: int | None = None) -> list[float]:
    """−log p of each document under the model, nats, summed over its tokens after BOS. `batch`: tokens a pass."""
    device = next(model.parameters()).device
    batch = batch or (1024 if device.type == "cpu" else 8192)  # what fits a CPU's cache is nearly twice as fast there
    losses = [0.0] * len(ids)
    order = sorted(range(len(ids)), key=lambda k: len(ids[k]))
    while order:
        rows = order[-max(1, batch // len(ids[order[-1]])) :]  # the longest ones left, of similar length
        del order[-len(rows) :]
        part = [torch.tensor(ids[k]) for k in rows]
        padded = torch.nn.utils.rnn.pad_sequence(part, batch_first=True, padding_value=PAD).to(device)
        logits = model(padded[:, :-1]).float()
        nll = F.cross_entropy(logits.transpose(1, 2), padded[:, 1:], ignore_index=PAD, reduction="none").sum(dim=1)
        for k, value in zip(rows, nll.tolist()):
            losses[k] = value
    return losses


def entropy_per_token(tokenizer, rows: list[dict]) -> float:
    """The limit on these rows, nats/token: their −log p under the generator over their tokens (BOS is given, not
    predicted).
    """
    ids = encode_documents(tokenizer, [row["text"] for row in rows])
    return math.fsum(row["nll"] for row in rows) / sum(len(row) - 1 for row in ids)


def distance_to_limit(model, tokenizer, rows: list[dict]) -> dict[str, float]:
    """How far the model is from the best possible one, on documents whose −log p the generator knows.

    rows: {"text", "nll"} (nats a document). Returns loss and entropy in nats/token (means over *tokens*, both over the
    same documents, so that their difference has no sampling noise of the documents), gap_percent = 100 · (loss/entropy
    − 1), perplexity = exp(loss), tokens.
    """
    ids = encode_documents(tokenizer, [row["text"] for row in rows])
    tokens = sum(len(row) - 1 for row in ids)
    training = model.training
    model.eval()
    loss = math.fsum(document_losses(model, ids)) / tokens
    model.train(training)
    entropy = math.fsum(row["nll"] for row in rows) / tokens
    return {
        "loss": loss,
        "entropy": entropy,
        "gap_percent": 100 * (loss / entropy - 1),
        "perplexity": math.exp(loss),
        "tokens": tokens,
    }
