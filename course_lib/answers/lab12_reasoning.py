"""Lab 12's answers: what `mine` takes where the student's function does not pass its check."""

import math
import statistics

import torch

from course_lib.evaluation import reasoning as measures
from course_lib.stages import reasoning
from course_lib.stages.reasoning import mean_of_terms
from course_lib.world.reasoning import right as accepted

# fmt: off
__all__ = [
    "advantages", "cost", "first_right", "informative", "majority", "mean_of_terms", "pass_at_k", "step_chances",
    "verify",
]
# fmt: on


def step_chances(logprobs, part):
    """[B S]: log-probabilities added up in a column for each number, one more in front for −1."""
    sums = logprobs.new_zeros(len(part), int(part.max()) + 2)
    return sums.scatter_add(1, part + 1, logprobs)[:, 1:].exp()


def pass_at_k(found, n, k):
    values = [measures.pass_at_k(c, n, k) for c in found]
    return statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def majority(answers):
    winner = measures.majority(answers)
    return winner, 0.0 if winner is None else answers.count(winner) / sum(answer is not None for answer in answers)


def verify(text, answer):
    return accepted({"check": {"answer": answer}}, text)


def advantages(rewards, kind):
    if kind not in reasoning.ADVANTAGES:
        raise ValueError(f"kind is {kind!r}: choose one of {', '.join(reasoning.ADVANTAGES)}")
    return reasoning.ADVANTAGES[kind](rewards)


def informative(rewards):
    """The places of the chains; `reasoning.informative` says it of each group."""
    places = torch.arange(rewards.numel()).view(rewards.shape)
    return places[reasoning.informative(rewards)].flatten()


def first_right(answers, right):
    chosen = {}
    for q, marks in enumerate(right):
        for chain, ok in zip(answers[q], marks):
            if ok:
                chosen.setdefault(q, chain)
    return list(chosen.items()), [(q, answers[q][0]) for q in chosen]


def cost(tokens, right):
    of_each = sum(sum(row) for row in tokens) / len(tokens)
    share = right.count(True) / len(right)
    return share, of_each, of_each / share if share else math.inf
