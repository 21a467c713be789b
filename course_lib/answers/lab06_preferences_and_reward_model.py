"""Lab 06: kappa, the best judge, the loss and the head of a reward model, its calibration, a loss mended, the cure."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.evaluation.agreement import cohen_kappa as kappa  # noqa: F401
from course_lib.stages.model import last_hidden
from course_lib.stages.reward import bradley_terry_loss
from course_lib.stages.tokenizer import PAD


def bayes_limit(differences: Float[Tensor, "A N"], sharpness: Float[Tensor, " A"]) -> Float[Tensor, ""]:
    """Expected accuracy of the best judge of labels by annotators drawn at random."""
    p = torch.sigmoid(sharpness[:, None] * differences).mean(0)
    return torch.maximum(p, 1 - p).mean()


def last_token_rewards(
    hidden: Float[Tensor, "B T D"], ids: Int[Tensor, "B T"], weight: Float[Tensor, " D"], pad_id: int
) -> Float[Tensor, " B"]:
    """The hidden state at the last token that is not padding, times the weight."""
    return last_hidden(hidden, torch.where(ids == pad_id, PAD, PAD + 1)) @ weight


def ece(p: Float[Tensor, " N"], won: Bool[Tensor, " N"] | Float[Tensor, " N"], bins: int) -> Float[Tensor, ""]:
    """Expected calibration error: |Σ (won − p)| of each bin, over all pairs."""
    where = (p * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add(0, where, won.double() - p.double())
    return (gaps.abs().sum() / len(p)).float()


def mend_the_loss(chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"]) -> tuple[Float[Tensor, ""], str]:
    """(the loss as it should be, the suspect)."""
    return bradley_terry_loss(chosen, rejected), "d"


def length_cured_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_words: Tensor,
    rejected_words: Tensor,
    weight: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """The Bradley–Terry loss with a term for length."""
    return -F.logsigmoid(chosen - rejected + weight * (chosen_words - rejected_words)).mean()
