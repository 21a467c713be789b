"""What the scorers of handed-in models share: can the model read what it is asked, and how many of the points is its
figure worth?
"""

from collections.abc import Iterable

from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import load_tokenizer


def points_share(value: float, none: float, full: float) -> float:
    """The share of the points of a figure, on a straight line from `none` (0) to `full` (1), which may lie below it; a
    figure that is no number gets 0.
    """
    return min(1.0, max(0.0, (value - none) / (full - none)))


def longest(conversations: Iterable[list[dict]], answer: int) -> int:
    """Tokens of the longest conversation, which ends with the user's turn, and an answer of `answer` tokens."""
    tokenizer = load_tokenizer()
    return max(len(encode_chat(tokenizer, asked, generation_prompt=True)[0]) for asked in conversations) + answer


def check_reads(model, tokens: int, mend: str = "train it with the course's tokenizer and a longer context") -> None:
    """Raises ArtifactError, which says what to do (`mend`), where the model knows fewer tokens than the course's
    tokenizer has, or reads fewer than `tokens` at once.
    """
    vocabulary = load_tokenizer().get_vocab_size()
    if model.config.vocabulary < vocabulary:
        raise ArtifactError(
            f"the model knows {model.config.vocabulary} tokens and the course's tokenizer has {vocabulary}: {mend}"
        )
    if model.config.context < tokens:
        raise ArtifactError(
            f"the model reads {model.config.context} tokens, and what it is asked takes up to {tokens}: {mend}"
        )
