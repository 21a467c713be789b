"""Lab 00: the course's answers."""

import math


def surprise(options: list[int]) -> float:
    """−log p of a document written by choices among equally likely options, nats."""
    return sum(map(math.log, options))


def entropy(probs: list[float]) -> float:
    """The mean surprise of a source, nats. An outcome with p = 0 adds nothing."""
    return -sum(p * math.log(p) for p in probs if p)
