"""Lab 00, start here: two small functions that make the limit of every later lab: surprise, and its mean, the entropy
(Shannon 1948).
"""

import math

import numpy as np
import torch

from course_lib.questions.core import Question, WrittenQuestion

LAB = "00_start_here"

SURPRISE = Question("surprise", lab=LAB, points=0.75)
SURPRISE_TEXT = "§ 3 Surprise"


@SURPRISE.case("the sum of log n over the choices, in nats")
def _(q):
    options = [q.randint(2, 99) for _ in range(4)]  # of few values a table of the public answers would hold the hidden
    options[1] = options[0] + 3  # never all alike
    expected = float(np.log(np.array(options, dtype=float)).sum())
    q.close(
        f"the surprise of {options}",
        q.call("surprise", options),
        expected,
        tol=1e-6,
        reread=SURPRISE_TEXT,
        mistakes={
            "the result is in bits: math.log2 was used. Nats need the natural logarithm": expected / math.log(2),
            "the logarithm is base 10: nats need the natural logarithm, math.log": expected / math.log(10),
            "the sign is wrong: p is at most 1, so −log p is never negative": -expected,
            "the options were added before the logarithm: probabilities multiply, so their logarithms add": (
                math.log(sum(options))
            ),
            "the mean was taken: the surprises of a document's choices add up": expected / len(options),
            "that is the probability itself: take −log of it": math.exp(-expected),
            "that is 1/p, the number of documents: take its logarithm": math.exp(expected),
            "the number of choices went in, not the number of options of each": len(options) * math.log(len(options)),
            "only the first choice was counted": math.log(options[0]),
            "only the last choice was counted": math.log(options[-1]),
        },
    )


@SURPRISE.case("a choice with one option, and no choice at all, surprise nobody")
def _(q):
    q.close(
        "the surprise of [1]",
        q.call("surprise", [1]),
        0.0,
        tol=1e-9,
        hint="p = 1, and log 1 = 0.",
        reread=SURPRISE_TEXT,
    )
    q.close(
        "the surprise of []",
        q.call("surprise", []),
        0.0,
        tol=1e-9,
        hint="A document without choices is certain: an empty sum is 0.",
        reread=SURPRISE_TEXT,
    )


@SURPRISE.case("a long document: 500 choices of 40; the list is left alone")
def _(q):
    got = q.call_checked_unmutated("surprise", [40] * 500)
    q.close(
        "the surprise",
        got,
        500 * math.log(40),
        tol=1e-6,
        hint="The probability itself, 40⁻⁵⁰⁰, is too small for a float: add logarithms instead of multiplying "
        "probabilities.",
        reread=SURPRISE_TEXT,
    )


ENTROPY = Question("entropy", lab=LAB, points=0.75)
ENTROPY_TEXT = "§ 4 Entropy"


@ENTROPY.case("the mean surprise, −Σ p log p, in nats")
def _(q):
    weights = q.rand(5, dtype=torch.float64) + 0.05
    weights[0] += 1.5
    probs = (weights / weights.sum()).tolist()
    p = np.array(probs)
    expected = -float(p @ np.log(p))
    q.close(
        "the entropy",
        q.call("entropy", probs),
        expected,
        tol=1e-6,
        reread=ENTROPY_TEXT,
        mistakes={
            "the result is in bits: use the natural logarithm": expected / math.log(2),
            "the logarithm is base 10: use the natural logarithm": expected / math.log(10),
            "the sign is wrong: an entropy is never negative": -expected,
            "the surprises were averaged as if all were equally likely: weight each by its p": -float(np.log(p).mean()),
            "the surprises were added without weights: weight each by its p": -float(np.log(p).sum()),
            "the weighted surprises were averaged once more: the p already make it a mean": expected / len(p),
            "that is log n, right only when all are equally likely": math.log(len(p)),
            "that is the surprise of the likeliest outcome: take the mean over all": -math.log(p.max()),
            "p·p was added: that is a collision probability, no entropy": float((p * p).sum()),
            "that is e to the entropy, the perplexity": math.exp(expected),
        },
    )


@ENTROPY.case("an outcome with p = 0 adds nothing; the list is left alone")
def _(q):
    q.close(
        "the entropy of [½, 0, ½]",
        q.call_checked_unmutated("entropy", [0.5, 0.0, 0.5]),
        math.log(2),
        tol=1e-9,
        hint="0 · log 0 counts as 0: skip it, an ε shifts the result.",
        reread=ENTROPY_TEXT,
    )


@ENTROPY.case("certainty has entropy 0, and n equal outcomes have log n")
def _(q):
    q.close("the entropy of [1.0]", q.call("entropy", [1.0]), 0.0, tol=1e-9, reread=ENTROPY_TEXT)
    n = q.randint(3, 50)
    q.close(
        f"the entropy of {n} equal outcomes", q.call("entropy", [1 / n] * n), math.log(n), tol=1e-6, reread=ENTROPY_TEXT
    )


WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.25,
    title="Why no model can do better than the entropy on fresh text",
    rubric="""0.25: the source's choices are random, so even somebody who knows the grammar and all its
probabilities cannot know which choice comes next; the entropy is what they are surprised by on average. Any wording
that says both.  0: "because the model is too small" or "more data is needed".""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.25,
    title="One thing you expect the finished model to get wrong",
    rubric="""0.25: any concrete prediction that an experiment could refute, with the test that would refute it.  0:
no test ("it may be wrong sometimes").""",
)
