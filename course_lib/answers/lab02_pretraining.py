"""Lab 02: the course's answers."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.stages.generate import next_token_probs
from course_lib.stages.model import apply_rope as turn
from course_lib.stages.model import rope_tables
from course_lib.stages.pretrain import learning_rate  # noqa: F401


def causal_attention(q, k, v, key_mask=None):
    """softmax(q·k/√P) v over what each token may see, [B H T P]."""
    T = q.shape[-2]
    allowed = torch.ones(T, T, dtype=torch.bool, device=q.device).tril()
    if key_mask is not None:
        allowed = allowed & key_mask[:, None, None, :]
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return torch.softmax(scores.masked_fill(~allowed, torch.finfo(scores.dtype).min), dim=-1) @ v


def rms_norm(x, weight, eps=1e-6):
    """x / √(mean of x² + eps) · weight, computed in float32, in x's dtype."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def apply_rope(x, positions, theta=10_000.0):
    """x with each pair turned by its position, by the library's tables."""
    tables = rope_tables(int(positions.max()) + 1, x.shape[-1], theta)
    return turn(x.float(), *(table[positions] for table in tables)).to(x.dtype)


def next_token_loss(logits, ids, pad_id=0):
    """Mean −log p of the next token over the real targets, nats/token; 0 where there is none."""
    total, targets = summed_loss(logits, ids, pad_id)
    return total / targets.clamp(min=1)


def summed_loss(logits, ids, pad_id=0):
    """(sum of −log p over the real targets, their number)."""
    targets = ids[:, 1:].flatten()
    total = F.cross_entropy(logits[:, :-1].flatten(0, 1), targets, ignore_index=pad_id, reduction="sum")
    return total, (targets != pad_id).sum()


def which_mistake():
    """The planted mistake of § 12."""
    return "C"


def top_p_probs(logits, temperature, top_p):
    """The distribution to sample from."""
    return next_token_probs(logits, temperature, top_p)


def distance_to_limit(losses, tokens, entropy):
    """Loss over tokens, its perplexity, and the gap in % of the entropy."""
    loss = float(np.average(losses, weights=tokens))
    return {"loss": loss, "perplexity": math.exp(loss), "gap_percent": 100 * (loss / entropy - 1)}


def fit_power_law(sizes, losses, entropy):
    """(a, b) of loss − entropy = a · size^(−b)."""
    slope, intercept = np.polyfit(np.log(sizes), np.log(np.subtract(losses, entropy)), 1)
    return math.exp(intercept), -float(slope)
