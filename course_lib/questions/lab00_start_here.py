"""Lab 00, start here: two small functions that make the limit of every later lab: surprise, and its mean, the entropy
(Shannon 1948).
"""

import math

import numpy as np
import torch

from course_lib.questions.core import Question, WrittenQuestion

LAB = "00_start_here"

SURPRISE_TEXT = "§ 3 Surprise"
NO_SURPRISE = "a choice with one option, and no choice at all, surprise nobody"
ANY_LENGTH = "logarithms add, however long the document is"
SURPRISE = Question("surprise", lab=LAB, points=0.75, rules=(NO_SURPRISE, ANY_LENGTH))


@SURPRISE.case("the sum of log n over the choices, in nats", reread=SURPRISE_TEXT)
def _(q):
    # one number twice, for each choice counts; never all alike, and the first is not the last
    first = q.randint(2, 60)  # of few values a table of the public answers would hold the hidden
    options = [first, first + 3, first, first + q.randint(4, 40)]
    expected = float(np.log(np.array(options, dtype=float)).sum())
    q.close(
        f"the surprise of {options}",
        q.call("surprise", options),
        expected,
        tol=1e-6,
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
            "equal numbers were counted once: each choice counts": sum(map(math.log, set(options))),
            "1 was added to each number: a choice among n has p = 1/n": sum(map(math.log1p, options)),
        },
    )


@SURPRISE.case(
    NO_SURPRISE,
    rule=NO_SURPRISE,
    hint="A document without choices is certain: an empty sum is 0.",  # shown for [], also where that raises
    reread=SURPRISE_TEXT,
)
def _(q):
    q.close("the surprise of [1]", q.call("surprise", [1]), 0.0, tol=1e-9, hint="p = 1, and log 1 = 0.")
    q.close("the surprise of []", q.call("surprise", []), 0.0, tol=1e-9)


@SURPRISE.case(
    "a long document: 500 choices of 40",
    rule=ANY_LENGTH,
    hint="The probability itself, 40⁻⁵⁰⁰, is too small for a float: add logarithms instead of multiplying "
    "probabilities.",
    reread=SURPRISE_TEXT,
)
def _(q):
    q.close("the surprise", q.call("surprise", [40] * 500), 500 * math.log(40), tol=1e-6)


@SURPRISE.case("the list is left alone", cost=0.25)
def _(q):
    q.call_checked_unmutated("surprise", [3, 2, 4])


ENTROPY_TEXT = "§ 4 Entropy"
IMPOSSIBLE = "an outcome with p = 0 adds nothing"
ENTROPY = Question("entropy", lab=LAB, points=0.75, rules=(IMPOSSIBLE,))


@ENTROPY.case("the mean surprise, −Σ p log p, in nats", reread=ENTROPY_TEXT)
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


@ENTROPY.case(
    IMPOSSIBLE, rule=IMPOSSIBLE, hint="0 · log 0 counts as 0: skip it, an ε shifts the result.", reread=ENTROPY_TEXT
)
def _(q):
    q.close("the entropy of [½, 0, ½]", q.call("entropy", [0.5, 0.0, 0.5]), math.log(2), tol=1e-9)


@ENTROPY.case("certainty has entropy 0, and n equal outcomes have log n", cost=0.25, reread=ENTROPY_TEXT)
def _(q):
    q.close("the entropy of [1.0]", q.call("entropy", [1.0]), 0.0, tol=1e-9)
    n = q.randint(3, 50)
    q.close(f"the entropy of {n} equal outcomes", q.call("entropy", [1 / n] * n), math.log(n), tol=1e-6)


@ENTROPY.case("the list is left alone", cost=0.25)
def _(q):
    q.call_checked_unmutated("entropy", [0.5, 0.2, 0.3])


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
