"""Lab 12's answers: what `mine` takes where the student's function does not pass its check."""

import statistics

from course_lib.evaluation import reasoning as measures
from course_lib.world.reasoning import right


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
    return right({"check": {"answer": answer}}, text)
