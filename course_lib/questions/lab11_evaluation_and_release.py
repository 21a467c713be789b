"""Lab 11, evaluation and release: the graded questions. Each is written once and runs in the notebook (`check`) and
through the sandbox (`course grade`).

The oracles are another form of each formula (lists of rows, products of ratios, a loop over the places, a parser), so
that this file does not ship the answers it asks for.
Sources: bootstrap, Efron 1979; whole clusters, Davison and Hinkley 1997, § 3.8 · exact paired test, McNemar 1947 · both
orders, Zheng et al. 2023 (2306.05685) · many comparisons, Holm 1979 · share of seen words, Touvron et al. 2023
(2307.09288, A.6) · another mix: post-stratification · model-index: the Hub's model cards.
"""

import math

import torch

from course_lib.questions.compare import CaseFailed, describe_difference
from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "11_evaluation_and_release"

# The handed-in release: helpful × harmless × truthful on fresh rows. Full marks from SCORE_FULL on, none at or under
# SCORE_ZERO, a straight line between.
SCORE_FULL, SCORE_ZERO = 0.60, 0.25


def plain(x):
    return x.tolist() if isinstance(x, torch.Tensor) else list(x)


# ------------------------------------------------------------------------------------------------------------ bootstrap

BOOT_TEXT = "§ 2 How sure is a share?"
SIZES = "a large cluster brings more values than a small one"
BETWEEN = "between two rounds the percentile lies on a straight line"
DOUBLE = "values in float64, too"
BOOT = Question("bootstrap_interval", lab=LAB, points=0.75, rules=(SIZES, BETWEEN, DOUBLE))
LIMITS = ("low", "high")


def rounds_of(values, clusters, draws, *, once=False, of_means=False, over=None):
    """Round by round: the drawn clusters' values on one heap, and its mean. The keywords make the usual slips."""
    members = {}
    for value, cluster in zip(plain(values), plain(clusters)):
        members.setdefault(cluster, []).append(value)
    made = []
    for drawn in plain(draws):
        heap = [members.get(c, []) for c in (sorted(set(drawn)) if once else drawn)]
        flat = [sum(part) / len(part) for part in heap] if of_means else [value for part in heap for value in part]
        made.append(math.fsum(flat) / (over or len(flat)))
    return made


def quantile(made, share):
    """The value below which a share of the sorted numbers lies, on the straight line between two neighbours."""
    ranked, place = sorted(made), share * (len(made) - 1)
    low = min(int(place), len(made) - 2) if len(made) > 1 else 0
    return ranked[low] if len(made) == 1 else ranked[low] + (place - low) * (ranked[low + 1] - ranked[low])


def interval(made, level=0.95):
    return (quantile(made, (1 - level) / 2), quantile(made, 1 - (1 - level) / 2))


def spread(made):
    mean = math.fsum(made) / len(made)
    return mean, math.sqrt(math.fsum((x - mean) ** 2 for x in made) / (len(made) - 1))


def some_clusters(q, C=8, rounds=41, sizes=None):
    """(values, clusters whose means differ, draws). sizes: of the clusters, three rows each where nothing is said.
    With 41 rounds the 2.5th percentile is the second smallest of them.
    """
    sizes = sizes or [3] * C
    clusters = torch.tensor([c for c, size in enumerate(sizes) for _ in range(size)])
    order = q.permutation(len(clusters))
    values = q.rand(len(clusters)) + 0.6 * (clusters % 3 == 0)
    return values[order], clusters[order], q.randint(0, C, (rounds, C))


UNEQUAL = [1 + (5 * c) % 9 for c in range(8)]


@BOOT.case("percentiles of the resampled means, whole clusters drawn", reread=BOOT_TEXT)
def _(q):
    values, clusters, draws = some_clusters(q)
    made = rounds_of(values, clusters, draws)
    low, high = interval(made)
    mean, deviation = spread(made)
    here = float(values.mean())
    as_rows = values[draws].mean(1).tolist()
    q.close(
        "the interval",
        q.call("bootstrap_interval", values, clusters, draws),
        (low, high),
        tol=1e-5,
        names=LIMITS,
        mistakes={
            "a cluster that was drawn twice counts once here: with replacement it comes twice": (
                interval(rounds_of(values, clusters, draws, once=True))
            ),
            "the draws were taken for numbers of rows: they are numbers of clusters": interval(as_rows),
            "that is a 90 % interval: 2.5 % lie outside on each side": interval(made, 0.9),
            "that is a 97.5 % interval: 2.5 % lie outside on each side": interval(made, 0.975),
            "high came first": (high, low),
            "these are the smallest and the largest round": (min(made), max(made)),
            "mean ± 1.96 standard deviations: the percentiles themselves are asked for": (
                mean - 1.96 * deviation,
                mean + 1.96 * deviation,
            ),
            "the interval was reflected at the estimate: that is the basic bootstrap, the percentiles are asked for": (
                2 * here - high,
                2 * here - low,
            ),
            "mean and standard deviation came back: low and high are asked for": (mean, deviation),
            "these are percentiles of the values, not of the resampled means": interval(values.tolist()),
        },
    )


@BOOT.case(
    "clusters of 1 to 9 rows, and one of 60 among small ones",
    rule=SIZES,
    hint="A round's mean is the sum of all drawn values over how many there are.",
    reread=BOOT_TEXT,
)
def _(q):
    big = torch.tensor([2] * 60 + [0, 1, 1, 3])[q.permutation(64)]
    among = (torch.where(big == 2, 1.0, 0.0), big, q.randint(0, 4, (41, 4)))
    for values, clusters, draws in (some_clusters(q, sizes=UNEQUAL), among):
        q.close(
            "the interval",
            q.call("bootstrap_interval", values, clusters, draws),
            interval(rounds_of(values, clusters, draws)),
            tol=1e-5,
            names=LIMITS,
            mistakes={
                "the clusters' means were averaged: a large cluster brings more rows": (
                    interval(rounds_of(values, clusters, draws, of_means=True))
                ),
                "the sum was divided by the size of the exam: divide by the rows that were drawn": (
                    interval(rounds_of(values, clusters, draws, over=len(values)))
                ),
            },
        )


@BOOT.case(
    "11 rounds: between two of them the percentile lies on a straight line",
    rule=BETWEEN,
    hint="torch.quantile interpolates by default: leave it so.",
    reread=BOOT_TEXT,
)
def _(q):
    values, clusters = torch.tensor([1.0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 2, 2])
    draws = torch.tensor([[0, 1, 0]] * 5 + [[2, 2, 2], [0, 2, 1], [2, 0, 2], [1, 1, 2], [2, 2, 0], [0, 0, 1]])
    want = interval(rounds_of(values, clusters, draws))
    q.close("the interval", q.call("bootstrap_interval", values, clusters, draws), want, tol=1e-5, names=LIMITS)


@BOOT.case(
    "values in float64",
    rule=DOUBLE,
    hint="What you make yourself, sums as well as the two shares for torch.quantile, wants dtype=values.dtype.",
    reread=BOOT_TEXT,
)
def _(q):
    values, clusters, draws = some_clusters(q)
    got = q.call("bootstrap_interval", values.double(), clusters, draws)
    q.close("the interval", got, interval(rounds_of(values, clusters, draws)), tol=1e-6, names=LIMITS)


@BOOT.case("no scatter: everything right; a single round", reread=BOOT_TEXT)
def _(q):
    clusters, draws = torch.tensor([0, 0, 1, 1, 2, 2]), q.randint(0, 3, (30, 3))
    got = q.call("bootstrap_interval", torch.ones(6), clusters, draws)
    q.close("the interval of 6 of 6", got, (1.0, 1.0), tol=1e-6, names=LIMITS)
    one = q.call("bootstrap_interval", torch.tensor([1.0, 0, 1, 0, 0, 0]), clusters, torch.tensor([[2, 0, 0]]))
    hint = "Clusters 2, 0, 0: two of six are 1."
    q.close("the interval from one round", one, (1 / 3, 1 / 3), tol=1e-6, hint=hint, names=LIMITS)


@BOOT.case("two plain numbers, the same again; the inputs left alone", reread=BOOT_TEXT)
def _(q):
    values, clusters, draws = some_clusters(q)
    got = q.call_checked_unmutated("bootstrap_interval", values, clusters, draws)
    q.close("the interval", got, interval(rounds_of(values, clusters, draws)), tol=1e-5, names=LIMITS)
    again = q.call("bootstrap_interval", values, clusters, draws)
    hint = "The draws are given: draw nothing yourself."
    q.close("the interval of the same inputs", again, got, tol=1e-9, hint=hint, names=LIMITS)


# -------------------------------------------------------------------------------------------------------- a paired test

PAIRED_TEXT = "§ 3 Is A better than B?"
SMALLER = "two-sided: whichever of the two is better"
AT_MOST = "a p-value is at most 1"
NO_ROW = "1 where no row was got right by one alone"
MANY = "it works for 1,200 such rows"
PAIRED = Question(  # an answer may import scipy
    "mcnemar", lab=LAB, points=0.5, timeout=30, rules=(SMALLER, AT_MOST, NO_ROW, MANY)
)


def tail(k, n):
    """P(at most k heads in n throws): each chance from the one before it, in logarithms."""
    logs = [-n * math.log(2)]
    for i in range(k):
        logs.append(logs[-1] + math.log(n - i) - math.log(i + 1))
    return math.fsum(math.exp(x) for x in logs)


def two_sided(one, other):
    return min(1.0, 2 * tail(min(one, other), one + other))


def answered(q, both, only_a, only_b, neither):
    """(a, b) as boolean tensors in a drawn order."""
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    order = q.permutation(len(a))
    return torch.tensor(a, dtype=torch.bool)[order], torch.tensor(b, dtype=torch.bool)[order]


def chi(one, other, correct=0):
    return math.erfc(math.sqrt((max(0, abs(one - other) - correct)) ** 2 / (one + other) / 2))


@PAIRED.case("two-sided, exact, on the rows that one alone got right", reread=PAIRED_TEXT)
def _(q):
    both, x, y, neither = 40 + q.randint(0, 20), 13 + q.randint(0, 4), 4 + q.randint(0, 3), 5
    a, b = answered(q, both, x, y, neither)
    n = both + x + y + neither
    exactly = tail(y, x + y) - tail(y - 1, x + y)
    q.close(
        "the p-value",
        q.call("mcnemar", a, b),
        two_sided(x, y),
        tol=1e-6,
        reread=PAIRED_TEXT,
        mistakes={
            "that is the one-sided p-value: the tail on the other side counts as much": tail(y, x + y),
            "that is the chance of exactly this outcome: add everything that is as extreme": exactly,
            "that is twice the chance of exactly this outcome: add everything that is as extreme": 2 * exactly,
            "that is the χ² approximation: the exact test is asked for": chi(x, y),
            "that is the χ² approximation with a continuity correction: the exact test is asked for": chi(x, y, 1),
            "the mid-p form: the outcome itself counts whole": 2 * tail(y, x + y) - exactly,
            "the outcome itself must count, too: at most k, not fewer than k": 2 * tail(y - 1, x + y),
            "rows that both got right or both got wrong were counted: they say nothing about who is better": (
                two_sided(y, n - y)
            ),
            "this counts the rows on which both agree against those on which they do not": (
                two_sided(x + y, both + neither)
            ),
            "numbers right were compared as if each row were a throw: count the rows that one alone got right": (
                two_sided(both + x, both + y)
            ),
            "1 − p came back": 1 - two_sided(x, y),
        },
    )


@PAIRED.case(
    "A and B may change places", rule=SMALLER, hint="Two-sided: take the smaller of the two counts.", reread=PAIRED_TEXT
)
def _(q):
    a, b = answered(q, 20, 3, 12, 4)
    q.close("the p-value", q.call("mcnemar", a, b), two_sided(3, 12), tol=1e-6)
    q.close("the p-value with A and B exchanged", q.call("mcnemar", b, a), two_sided(3, 12), tol=1e-6)


@PAIRED.case(
    "7 against 7",
    rule=AT_MOST,
    hint="Both tails overlap in the middle, so twice the tail is more than 1: a p-value is at most 1.",
    reread=PAIRED_TEXT,
)
def _(q):
    q.close("the p-value of 7 against 7", q.call("mcnemar", *answered(q, 5, 7, 7, 1)), 1.0, tol=1e-9)


@PAIRED.case("a model against itself, an empty exam", rule=NO_ROW, hint="No such row: p = 1.", reread=PAIRED_TEXT)
def _(q):
    a, _ = answered(q, 9, 5, 0, 6)
    q.close("the p-value of a model against itself", q.call("mcnemar", a, a.clone()), 1.0, tol=1e-9)
    none = torch.zeros(0, dtype=torch.bool)
    q.close("the p-value of an empty exam", q.call("mcnemar", none, none.clone()), 1.0, tol=1e-9)


@PAIRED.case(
    "1,200 rows that one alone got right",
    rule=MANY,
    hint="0.5**1200 is 0 and math.comb(1200, 580) is too large for a float: add whole numbers and divide once, sum "
    "/ 2**n, or use scipy.",
    reread=PAIRED_TEXT,
)
def _(q):
    q.close("the p-value", q.call("mcnemar", *answered(q, 100, 620, 580, 50)), two_sided(620, 580), tol=1e-6)


@PAIRED.case("few rows: 5 to 0 is not yet significant, 6 to 0 is", reread=PAIRED_TEXT)
def _(q):
    for n, p in ((1, 1.0), (5, 0.0625), (6, 0.03125)):
        q.close(f"the p-value of {n} against 0", q.call("mcnemar", *answered(q, 3, n, 0, 0)), p, tol=1e-9)


@PAIRED.case("one plain number; the inputs left alone", reread=PAIRED_TEXT)
def _(q):
    a, b = answered(q, 11, 9, 2, 3)
    q.close("the p-value", q.call_checked_unmutated("mcnemar", a, b), two_sided(2, 9), tol=1e-6)


# ------------------------------------------------------------------------------------------------------------- win rate

WINS_TEXT = "§ 4 A judge with a favourite place"
HALF = "a tie counts ½"
SINGLE = "for a single pair the error is NaN"
WINS = Question("win_rate", lab=LAB, points=0.5, rules=(HALF, SINGLE))
RATE = ("the rate", "the error")
OUTCOMES = ("first", "second", "tie")


def points_of_a(verdicts, first, tie=0.5):
    """What A gets from each verdict when A's answer stood first, or second."""
    won = "first" if first else "second"
    return [1.0 if v == won else tie if v == "tie" else 0.0 for v in verdicts]


def rate(a_first, b_first, tie=0.5, turn=True):
    """(mean, its error) over the pairs, by the counts of each possible score of a pair."""
    scores = [(x + y) / 2 for x, y in zip(points_of_a(a_first, True, tie), points_of_a(b_first, not turn, tie))]
    n, counts = len(scores), {s: scores.count(s) for s in scores}
    mean = math.fsum(s * c for s, c in counts.items()) / n
    squares = math.fsum(c * (s - mean) ** 2 for s, c in counts.items())
    return mean, math.sqrt(squares / (n - 1) / n) if n > 1 else math.nan


def error_of(scores, ddof=1, root=True):
    mean = sum(scores) / len(scores)
    variance = sum((s - mean) ** 2 for s in scores) / (len(scores) - ddof)
    return math.sqrt(variance / len(scores)) if root else math.sqrt(variance)


def judged(q, n=40):
    """Verdicts in both orders, no ties: A is a little better, and the judge likes the first place."""
    kinds = [("first", "second")] * 4 + [("first", "first")] * 3 + [("second", "first")] + [("second", "second")] * 2
    pairs = [kinds[k % 10] for k in q.permutation(n).tolist()]
    return [one for one, _ in pairs], [two for _, two in pairs]


@WINS.case("share of wins over both orders, and its error over the pairs", reread=WINS_TEXT)
def _(q):
    a_first, b_first = judged(q)  # 65 % of the verdicts for A
    want = rate(a_first, b_first)
    one, two = points_of_a(a_first, True), points_of_a(b_first, False)
    pairs = [(x + y) / 2 for x, y in zip(one, two)]
    agreed = [x for x, y in zip(one, two) if x == y]
    q.close(
        "rate and error",
        q.call("win_rate", a_first, b_first),
        want,
        tol=1e-6,
        names=RATE,
        mistakes={
            'where B\'s answer stood first, A wins with "second": the verdicts name places, not models': (
                rate(a_first, b_first, turn=False)
            ),
            "only the first order was used": (sum(one) / len(one), error_of(one)),
            "only the second order was used": (sum(two) / len(two), error_of(two)),
            "pairs whose two verdicts differ were left out: they count with their mean": (
                sum(agreed) / len(agreed),
                error_of(agreed),
            ),
            "the error was taken over 2n verdicts: a pair is one observation": (want[0], error_of(one + two)),
            "the error is that of a coin, √(p(1 − p)/n): ties and halves scatter less": (
                want[0],
                math.sqrt(want[0] * (1 - want[0]) / len(pairs)),
            ),
            "the standard deviation was not divided by √n": (want[0], error_of(pairs, root=False)),
            "n and not n − 1 in the variance": (want[0], error_of(pairs, ddof=0)),
            "that is B's rate": (1 - want[0], want[1]),
            "this is the share of wins of the first place": ((sum(one) + len(two) - sum(two)) / 2 / len(one), want[1]),
            "per cent came back: a share is asked for": (100 * want[0], 100 * want[1]),
        },
    )


@WINS.case(HALF, rule=HALF, hint='{"first": 1, "tie": 0.5, "second": 0}', reread=WINS_TEXT)
def _(q):
    a_first, b_first = ["first", "tie", "tie", "second", "tie"], ["tie", "second", "first", "tie", "tie"]
    want = rate(a_first, b_first)
    q.close(
        "rate and error",
        q.call("win_rate", a_first, b_first),
        want,
        tol=1e-6,
        names=RATE,
        mistakes={
            "a tie counts half, not nothing": rate(a_first, b_first, tie=0.0),
            "a tie counts half, not as a win": rate(a_first, b_first, tie=1.0),
        },
    )
    q.close("rate and error of ties", q.call("win_rate", ["tie"] * 5, ["tie"] * 5), (0.5, 0.0), tol=1e-9, names=RATE)


@WINS.case(
    SINGLE, rule=SINGLE, hint='One observation says nothing about scatter: 0/0 is NaN, float("nan").', reread=WINS_TEXT
)
def _(q):
    one = q.call("win_rate", ["first"], ["second"])
    q.close("rate and error of one pair", one, (1.0, math.nan), tol=1e-6, names=RATE)


@WINS.case("a judge that only sees the place; all wins, all losses; two pairs", reread=WINS_TEXT)
def _(q):
    for one, two, share in (("first", "first", 0.5), ("second", "second", 0.5), ("first", "second", 1.0)):
        got = q.call("win_rate", [one] * 7, [two] * 7)
        q.close(f"rate and error of 7 × {one!r}, {two!r}", got, (share, 0.0), tol=1e-9, names=RATE)
    two = ["first", "second"], ["second", "second"]
    q.close("rate and error of two pairs", q.call("win_rate", *two), rate(*two), tol=1e-6, names=RATE)


@WINS.case("A against B and B against A add up to 1; the inputs left alone", reread=WINS_TEXT)
def _(q):
    a_first, b_first = judged(q, 15)
    share, error = rate(a_first, b_first)
    got = q.call_checked_unmutated("win_rate", b_first, a_first)
    q.close("rate and error with the models exchanged", got, (1 - share, error), tol=1e-6, names=RATE)


# ----------------------------------------------------------------------------------------------------- many comparisons

HOLM_TEXT = "§ 5 Twenty comparisons"
NEVER_LESS = "an adjusted p-value is never below that of a smaller p"
TIES = "equal p-values get equal answers"
UP_TO_ONE = "no adjusted p-value is above 1"
NOTHING = "an empty list for an empty list"
HOLM = Question("holm", lab=LAB, points=0.5, rules=(NEVER_LESS, TIES, UP_TO_ONE, NOTHING))


def adjusted(p):
    """For each p: the largest of (how many are not smaller) · p over all p that are not larger. No sorting. Ties get
    one number.
    """
    return [min(1.0, max(sum(o >= other for o in p) * other for other in p if other <= mine)) for mine in p]


def step(p, factor, running=True, clip=True):
    """By rank, the smallest first: factor(rank) · p, as large as the one before it at least."""
    order, made, last = sorted(range(len(p)), key=p.__getitem__), [0.0] * len(p), 0.0
    for rank, k in enumerate(order):
        value = factor(rank) * p[k]
        last = max(last, value) if running else value
        made[k] = min(1.0, last) if clip else last
    return made


def from_the_top(p, factor):
    """Step-up: from the largest down, never more than the one above."""
    order, made, last = sorted(range(len(p)), key=p.__getitem__, reverse=True), [0.0] * len(p), 1.0
    for place, k in enumerate(order):
        last = min(last, factor(len(p) - 1 - place) * p[k])
        made[k] = last
    return made


@HOLM.case("the k-th smallest times (m − k + 1), each in its place", reread=HOLM_TEXT)
def _(q):
    small = 0.0004 + 0.0004 * q.rand(1).item()
    p = [[small, 0.004, 0.011, 0.021, 0.05, 0.16, 0.4][int(k)] for k in q.permutation(7)]  # rising also when adjusted
    if p == sorted(p):
        p.reverse()
    m = len(p)
    q.close(
        "the adjusted p-values",
        q.call("holm", list(p)),
        adjusted(p),
        tol=1e-7,
        mistakes={
            "all times m: that is Bonferroni; Holm's factor falls by one with each rank": [min(1.0, m * x) for x in p],
            "the factor of the smallest is m − 1: it is m, the largest has 1": step(p, lambda k: m - k - 1),
            "the factor of the smallest is m + 1: it is m, the largest has 1": step(p, lambda k: m - k + 1),
            "the factors rise with the rank: the smallest p gets the largest factor": step(p, lambda k: k + 1),
            "they came back sorted: each belongs in its place": sorted(adjusted(p)),
            "that is Benjamini and Hochberg: it bounds the share of false findings, not the chance of any": (
                from_the_top(p, lambda k: m / (k + 1))
            ),
            "that is Šidák's correction": [1 - (1 - x) ** m for x in p],
            "they were divided by the factor: the p-value grows, or the level falls": [x / m for x in p],
            "the factors follow the places of the list: sort first": [min(1.0, (m - k) * x) for k, x in enumerate(p)],
            "nothing was adjusted": p,
            "True or False came back: the adjusted p-values are asked for": [float(x <= 0.05) for x in adjusted(p)],
        },
    )


@HOLM.case(
    "two neighbours, and a list of two",
    rule=NEVER_LESS,
    hint="Keep the largest so far: max(highest, …) at each step.",
    reread=HOLM_TEXT,
)
def _(q):
    for p in ([0.0302, 0.001, 0.0301], [0.03, 0.04], [0.04, 0.03]):
        m = len(p)
        q.close(
            "the adjusted p-values",
            q.call("holm", list(p)),
            adjusted(p),
            tol=1e-9,
            mistakes={
                "the running maximum is missing: a larger p must not become the smaller one": (
                    step(p, lambda k, m=m: m - k, running=False)
                ),
                "that is Hochberg's step-up: begin at the smallest, with a running maximum": (
                    from_the_top(p, lambda k, m=m: m - k)
                ),
            },
        )


@HOLM.case(
    TIES,
    rule=TIES,
    hint="The first of the three has factor 4; the running maximum lifts the other two to it.",
    reread=HOLM_TEXT,
)
def _(q):
    got = q.call("holm", [0.02, 0.3, 0.02, 0.001, 0.02])
    q.close("the adjusted p-values", got, [0.08, 0.3, 0.08, 0.005, 0.08], tol=1e-9)


@HOLM.case(
    "never more than 1, and 0 stays 0", rule=UP_TO_ONE, hint="min(1.0, …): a p-value is a chance.", reread=HOLM_TEXT
)
def _(q):
    got = q.call("holm", [1.0, 0.9, 0.0, 0.6])
    q.close(
        "the adjusted p-values",
        got,
        [1.0, 1.0, 0.0, 1.0],
        tol=1e-9,
        mistakes={"not cut off at 1": step([1.0, 0.9, 0.0, 0.6], lambda k: 4 - k, clip=False)},
    )


@HOLM.case(NOTHING, rule=NOTHING, hint="For an empty list: return [].", reread=HOLM_TEXT)
def _(q):
    q.same("the adjusted p-values of none", q.call("holm", []), [])


@HOLM.case("one comparison, two hundred; the list left alone", reread=HOLM_TEXT)
def _(q):
    q.close("the adjusted p-value of one", q.call("holm", [0.03]), [0.03], tol=1e-9)
    rising = [(0.001 + 0.004 * rank) / (200 - rank) for rank in range(200)]  # also when adjusted
    p = [rising[k] for k in q.permutation(200).tolist()]
    q.close("the adjusted p-values", q.call_checked_unmutated("holm", p), adjusted(p), tol=1e-7)


# -------------------------------------------------------------------------------------------------------- contamination

SEEN_TEXT = "§ 6 What a score does not say"
ONCE = "a word that lies in two runs counts once"
WITHIN = "a run stands within one training row"
WORDS_ONLY = "words are compared, not letters"
SHORT = "0 for a row with fewer than n words"
LAST = "the last n words of a row are a run, too"
SEEN = Question("overlap", lab=LAB, points=0.5, rules=(ONCE, WITHIN, WORDS_ONLY, SHORT, LAST))
WORDS = (
    "brook mill goat baker lane north red seven old bridge cart honey bell fox green well rope inn snow apple stone "
    "pear boat lamp".split()
)


def within(run, row):
    return any(row[k : k + len(run)] == run for k in range(len(row) - len(run) + 1))


def shares(tests, training, n, *, share_of="words"):
    """Place by place: does any run of n words around it stand in a training row?"""
    made = []
    for row in tests:
        found = [any(within(row[k : k + n], other) for other in training) for k in range(len(row) - n + 1)]
        if share_of == "runs":
            made.append(sum(found) / len(found) if found else 0.0)
        elif share_of == "any":
            made.append(float(any(found)))
        elif share_of == "sum":
            made.append(n * sum(found) / len(row) if row else 0.0)
        elif share_of == "starts":
            made.append(sum(found) / len(row) if row else 0.0)
        else:
            hit = [any(found[max(0, place - n + 1) : place + 1]) for place in range(len(row))]
            made.append(sum(hit) / len(row) if row else 0.0)
    return made


def some_rows(q):
    """(tests, training), n = 4: a row that shares a run of four words, one that shares two, one that shares three words
    and the four of a run in another order, one that shares nothing. No run stands at an end of a row.
    """
    fresh = iter(f"{word}{k}" for k, word in enumerate(WORDS * 6))
    say = lambda k: [next(fresh) for _ in range(k)]
    a, b, c = say(20), say(25), say(16)
    training = [
        say(3) + a[5:9] + say(4),
        say(2) + b[3:7] + say(3) + b[14:18] + say(2),
        say(2) + c[4:8][::-1] + say(3) + c[10:13] + say(2),
        say(12),
    ]
    order = q.permutation(4).tolist()
    return [[a, b, c, say(11)][k] for k in order], [training[k] for k in q.permutation(4).tolist()]


@SEEN.case("share of the words that lie in a run of n words of a training row", reread=SEEN_TEXT)
def _(q):
    tests, training = some_rows(q)
    loose = lambda rows: [[" ".join(sorted(row[k : k + 4])) for k in range(len(row) - 3)] for row in rows]
    known = {run for runs in loose(training) for run in runs}
    near = lambda runs, place: any(run in known for run in runs[max(0, place - 3) : place + 1])
    bagged = [
        sum(near(runs, place) for place in range(len(test))) / len(test) for test, runs in zip(tests, loose(tests))
    ]
    q.close(
        "the shares",
        q.call("overlap", tests, training, 4),
        shares(tests, training, 4),
        tol=1e-6,
        mistakes={
            "that is the share of the runs: count the words that lie in one": (
                shares(tests, training, 4, share_of="runs")
            ),
            "only the first word of each run was counted: all n of its words lie in it": (
                shares(tests, training, 4, share_of="starts")
            ),
            "whether there is any such run: the share of the words is asked for": (
                shares(tests, training, 4, share_of="any")
            ),
            "runs of n − 1 words": shares(tests, training, 3),
            "runs of n + 1 words": shares(tests, training, 5),
            "single words were looked up: a run of n words is asked for": shares(tests, training, 1),
            "the order of the words within a run does not count for it": bagged,
            "the numbers of words came back: divide by the length of the test row": [
                s * len(t) for s, t in zip(shares(tests, training, 4), tests)
            ],
            "that is the share that was not seen": [1 - s for s in shares(tests, training, 4)],
            "tests and training rows changed places": shares(training, tests, 4),
            "a single run was counted in each row: there may be several": [
                min(s, 4 / len(t)) for s, t in zip(shares(tests, training, 4), tests)
            ],
        },
    )


@SEEN.case(
    "a run of six words, n = 4",
    rule=ONCE,
    hint="Collect places in a set: {k, k + 1, …}; its size counts each once.",
    reread=SEEN_TEXT,
)
def _(q):
    row = [f"w{k}" for k in range(12)]
    training = [["x", *row[3:9], "y"]]
    q.close(
        "the share",
        q.call("overlap", [row], training, 4),
        [0.5],
        tol=1e-9,
        mistakes={"words in two runs were counted twice": [1.0]},
    )


@SEEN.case(WITHIN, rule=WITHIN, hint="Make the runs of each training row alone.", reread=SEEN_TEXT)
def _(q):
    row = [f"w{k}" for k in range(10)]
    got = q.call("overlap", [row], [["x", *row[1:4]], [*row[4:7], "y"]], 5)
    q.close("the share", got, [0.0], tol=1e-9)


@SEEN.case(
    '"a bc" and "ab c" differ; a word within a word is no word',
    rule=WORDS_ONLY,
    hint="Compare runs as tuples of words, not as joined text.",
    reread=SEEN_TEXT,
)
def _(q):
    tests = [["x", "a", "bc", "d", "y"], ["u", "or", "an", "ge", "v"]]
    training = [["p", "ab", "c", "d", "q"], ["r", "for", "an", "ger", "s"]]
    q.close("the shares", q.call("overlap", tests, training, 3), [0.0, 0.0], tol=1e-9)


@SEEN.case(
    SHORT,
    rule=SHORT,
    hint="A row without a run of n words has the share 0, also the empty one: no division by its length.",
    reread=SEEN_TEXT,
)
def _(q):
    tests = [["mill", "goat"], [], ["p", "q", "r", "s", "mill", "goat"]]
    training = [["mill", "goat"], ["a", "b", "c", "d"]]
    q.close(
        "the shares",
        q.call("overlap", tests, training, 3),
        [0.0, 0.0, 0.0],
        tol=1e-9,
        mistakes={"a slice at the end is shorter than n: stop at len(row) − n + 1": [1.0, 0.0, 1 / 3]},
    )


@SEEN.case(LAST, rule=LAST, hint="range(len(row) − n + 1): the last run begins at len(row) − n.", reread=SEEN_TEXT)
def _(q):
    row = [f"w{k}" for k in range(8)]
    got = q.call("overlap", [row, row], [["x", "y", *row[5:]]], 3)
    q.close("the shares", got, [3 / 8, 3 / 8], tol=1e-9)


@SEEN.case("no rows, no training; the inputs left alone", reread=SEEN_TEXT)
def _(q):
    tests, training = some_rows(q)
    q.same("the shares of no rows", q.call("overlap", [], training, 4), [])
    q.close("the shares without any training row", q.call("overlap", tests[:2], [], 4), [0.0, 0.0], tol=1e-9)
    got = q.call_checked_unmutated("overlap", tests, training, 4)
    q.close("the shares", got, shares(tests, training, 4), tol=1e-6)


# ---------------------------------------------------------------------------------------------------------- another mix

MIXED_TEXT = "§ 7 What people really ask"
COUNTS = "weights may be counts: they are divided by their sum"
OUTSIDE = "slices outside the mix, or with weight 0 in it, do not count"
UNKNOWN = "(NaN, NaN) where a slice has a weight above 0 and no row"
MIXED = Question("reweight", lab=LAB, points=0.5, rules=(COUNTS, OUTSIDE, UNKNOWN))
RESTATED = ("the share", "the error")


def counted(right, slices):
    """{slice: (right, n)}"""
    table = {}
    for r, name in zip(right, slices):
        k, n = table.get(name, (0, 0))
        table[name] = (k + bool(r), n + 1)
    return table


def restated(right, slices, mix, *, power=2, normal=True, own=False, root=True, more=2):
    """By the counts of each slice: Σ w · k/n and √Σ w² · k'(n' − k')/n'³ with `more` right and `more` wrong rows in k'
    and n'. The keywords make the usual slips.
    """
    table, total = counted(right, slices), math.fsum(mix.values()) if normal else 1.0
    if any(w > 0 and name not in table for name, w in mix.items()):
        return math.nan, math.nan
    weights = {name: (w * table[name][1] if own else w) for name, w in mix.items() if w > 0}
    total = math.fsum(weights.values()) if own else total
    share = math.fsum(w / total * table[name][0] / table[name][1] for name, w in weights.items())
    variance = math.fsum((w / total) ** power * scatter(*table[name], more) for name, w in weights.items())
    return share, math.sqrt(variance) if root else variance


def scatter(k, n, more=2):
    """Variance of a share: k of n rows right, `more` right and `more` wrong ones added."""
    return (k + more) * (n - k + more) / (n + 2 * more) ** 3


def exam_of(q, slices=("question", "typo", "harm", "form"), n=(24, 9, 14, 31)):
    """(right, slices) in a drawn order; each slice has some right and some wrong."""
    right, names = [], []
    for k, (name, size) in enumerate(zip(slices, n)):
        row = (q.rand(size) < (0.9, 0.25, 0.55, 0.8)[k % 4]).tolist()
        row[:2] = [True, False]
        right, names = right + row, names + [name] * size
    order = [int(k) for k in q.permutation(len(right))]
    return [right[k] for k in order], [names[k] for k in order]


@MIXED.case("each slice's share times its weight in the mix, and the error", reread=MIXED_TEXT)
def _(q):
    right, slices = exam_of(q)
    mix = {"question": 0.6, "typo": 0.25, "harm": 0.05, "form": 0.1}
    want = restated(right, slices, mix)
    table, n = counted(right, slices), len(right)
    plain_share, even = sum(right) / n, {name: 1.0 for name in mix}
    shares_ = {name: k / m for name, (k, m) in table.items()}
    backwards = {name: 1 / w for name, w in mix.items()}
    q.close(
        "share and error",
        q.call("reweight", right, slices, mix),
        want,
        tol=1e-6,
        names=RESTATED,
        mistakes={
            "the mix was not used: that is the share of the exam as it is": (
                plain_share,
                math.sqrt(plain_share * (1 - plain_share) / n),
            ),
            "all slices weigh the same here": restated(right, slices, even),
            "the weights were multiplied by the number of rows in the exam: the mix replaces it": (
                restated(right, slices, mix, own=True)
            ),
            "each row has its slice's weight: a slice has it, however many rows it has": (
                restated(right, slices, mix, own=True)[0],
                want[1],
            ),
            "the weights were turned round": restated(right, slices, backwards),
            "the weights must be squared in the variance": (want[0], restated(right, slices, mix, power=1)[1]),
            "that is the variance: take its root": (want[0], restated(right, slices, mix, root=False)[1]),
            "the errors of the slices were added, weight by weight: their squares add up": (
                want[0],
                math.fsum(mix[s] * math.sqrt(scatter(*table[s])) for s in mix),
            ),
            "the error counts the rows as they are: add two right and two wrong ones to each slice": (
                want[0],
                restated(right, slices, mix, more=0)[1],
            ),
            "the share counts the rows as they are: the two right and two wrong ones are for the error": (
                math.fsum(mix[s] * (k + 2) / (m + 4) for s, (k, m) in table.items()),
                want[1],
            ),
            "the error is that of the whole exam at this share: it comes from the slices": (
                want[0],
                math.sqrt(want[0] * (1 - want[0]) / n),
            ),
            "the error of each slice lacks its number of rows": (
                want[0],
                math.sqrt(math.fsum(mix[s] ** 2 * scatter(*table[s]) * (table[s][1] + 4) for s in mix)),
            ),
            "that is the share that is wrong": (1 - want[0], want[1]),
            "per cent came back: a share is asked for": (100 * want[0], 100 * want[1]),
            "the share of the worst slice": (min(shares_.values()), want[1]),
        },
    )


@MIXED.case(COUNTS, rule=COUNTS, hint="total = sum(mix.values()), and weight / total.", reread=MIXED_TEXT)
def _(q):
    right, slices = exam_of(q)
    mix = {"question": 1.0, "typo": 2.0, "harm": 3.0, "form": 4.0}
    for factor in (0.1, 1.0, 100.0):
        weights = {name: factor * w for name, w in mix.items()}
        q.close(
            f"share and error for weights that add up to {10 * factor:g}",
            q.call("reweight", right, slices, weights),
            restated(right, slices, mix),
            tol=1e-6,
            names=RESTATED,
            mistakes={
                "the weights were not divided by their sum: they may be counts": (
                    restated(right, slices, weights, normal=False)
                )
            },
        )


@MIXED.case(
    OUTSIDE, rule=OUTSIDE, hint="A weight of 0 needs no rows, and only the slices of the mix count.", reread=MIXED_TEXT
)
def _(q):
    right, slices = exam_of(q)
    two = {"typo": 0.75, "harm": 0.25}
    want = restated(right, slices, two)
    q.close("share and error", q.call("reweight", right, slices, two), want, tol=1e-6, names=RESTATED)
    got = q.call("reweight", right, slices, {**two, "question": 0.0, "song": 0.0})
    q.close("share and error with weights of 0", got, want, tol=1e-6, names=RESTATED)


@MIXED.case(
    UNKNOWN, rule=UNKNOWN, hint='Leaving it out would report on another mix: float("nan"), twice.', reread=MIXED_TEXT
)
def _(q):
    right, slices = exam_of(q)
    alone = restated(right, slices, {"typo": 1.0})
    q.close(
        "share and error",
        q.call("reweight", right, slices, {"typo": 0.5, "song": 0.5}),
        (math.nan, math.nan),
        tol=1e-6,
        names=RESTATED,
        mistakes={
            "the slice was left out silently: the score would be that of another mix": alone,
            "what was not examined was counted as wrong": lambda: (alone[0] / 2, unseen(alone[1])),
            "what was not examined was counted as right": lambda: (0.5 + alone[0] / 2, unseen(alone[1])),
        },
    )


def unseen(error):
    """The error with half of the weight on a slice of which no row was seen."""
    return math.sqrt((error / 2) ** 2 + 0.25 * scatter(0, 0))


@MIXED.case("all right; one row; the exam's own mix; the inputs left alone", reread=MIXED_TEXT)
def _(q):
    got = q.call("reweight", [True] * 4, ["a", "b", "a", "b"], {"a": 0.1, "b": 0.9})
    error = math.sqrt((0.1**2 + 0.9**2) * scatter(2, 2))
    q.close("share and error of 4 of 4", got, (1.0, error), tol=1e-9, names=RESTATED)
    one = q.call("reweight", [False], ["a"], {"a": 1.0})
    q.close("share and error of one row", one, (0.0, math.sqrt(scatter(0, 1))), tol=1e-9, names=RESTATED)
    right, slices = exam_of(q)
    mix = {name: slices.count(name) / len(slices) for name in ("question", "typo", "harm", "form")}
    got = q.call_checked_unmutated("reweight", right, slices, mix)
    q.close("share and error", got, restated(right, slices, mix), tol=1e-6, names=RESTATED)


# ----------------------------------------------------------------------------------------------------- the training mix

MIX_TEXT = "§ 9 Your release"
SPENT = "90 % of a budget of 20,000 tokens and more is used"
ANY = "within any budget, also one that buys no row"
WHOLE_ROWS = "rows are whole numbers"
AS_PRICED = "the prices are those of the call"
FIXED = "the same budget and prices give the same plan"
MIX = Question("release_mix", lab=LAB, points=0.25, rules=(SPENT, ANY, WHOLE_ROWS, AS_PRICED, FIXED))
PRICED = {"tasks": 54.0, "harmful": 72.5, "twins": 62.5, "disguised": 94.6, "documents": 61.4}
INGREDIENTS = ("tasks", "harmful", "twins", "disguised", "documents")


def some_prices(q):
    """Tokens a row, in no fixed proportion."""
    return {name: round(30 + 90 * q.rand(1).item(), 1) for name in INGREDIENTS}


def bought(q, budget, prices, least=0.0, whole=False):
    """The student's rows, if they are numbers of rows that cost no more than the budget, and the share `least` of it
    at least. whole: Python's whole numbers are asked for.
    """
    rows = q.call("release_mix", budget, prices)
    q.true(
        "a dict with a number of rows for each ingredient is asked for",
        type(rows) is dict and set(rows) == set(prices) and all(type(n) in (int, float) for n in rows.values()),
        hint=f"Its keys: {', '.join(prices)}.",
    )
    numbers = list(rows.values())
    q.true(
        "shares came back, not rows",
        budget < 1000 or not all(type(n) is float and n <= 1 for n in numbers),
        mistake="these are shares: a number of rows is share · budget / price",
    )
    q.true("a number of rows is negative", all(n >= 0 for n in numbers))
    spent = sum(n * prices[name] for name, n in rows.items())
    mistake = None
    if 0.5 * budget < sum(numbers) <= budget:
        mistake = "these are tokens: divide each by the price of a row"
    elif budget > 1000 and spent > 3 * budget:
        mistake = "all the budget was given to each ingredient: the shares add up to 1"
    q.true(
        f"{spent:,.0f} tokens for a budget of {budget:,}",
        spent <= budget * (1 + 1e-9),
        mistake=mistake,
        hint=None if budget < 1000 else "Round down, and see that the shares of the tokens add up to 1 at most.",
    )
    q.true(f"{spent:,.0f} tokens of a budget of {budget:,} are spent: use 90 % at least", spent >= least * budget)
    if whole:
        q.true("a number of rows is no whole number", all(type(n) is int for n in numbers))
    return rows


@MIX.case("a number of rows for each ingredient, within the budget", reread=MIX_TEXT)
def _(q):
    bought(q, 1_000_000 + q.randint(0, 500_000), PRICED)


@MIX.case(SPENT, rule=SPENT, reread=MIX_TEXT)
def _(q):
    for budget in (20_000, 150_000, 12_000_000):
        bought(q, budget, PRICED, least=0.9)


@MIX.case(
    "budgets of 25 tokens, and of 0",
    rule=ANY,
    hint="0 rows are allowed, and these budgets buy none: no row of each at least.",
    reread=MIX_TEXT,
)
def _(q):
    for budget in (25, 0):
        bought(q, budget, dict.fromkeys(INGREDIENTS, 30.0))


@MIX.case(WHOLE_ROWS, rule=WHOLE_ROWS, hint="int(…) rounds down: half a row cannot be trained.", reread=MIX_TEXT)
def _(q):
    bought(q, 500_000, PRICED, whole=True)


@MIX.case(AS_PRICED, rule=AS_PRICED, hint="Rows = share · budget / prices[name].", reread=MIX_TEXT)
def _(q):
    for k in range(3):
        bought(q, 500_000, some_prices(q))
        bought(q, 500_000, {name: 400.0 if name == INGREDIENTS[k] else 20.0 for name in INGREDIENTS})


@MIX.case(FIXED, rule=FIXED, hint="A recipe that others shall repeat is not drawn at random.", reread=MIX_TEXT)
def _(q):
    q.same("the second answer", bought(q, 300_000, PRICED), bought(q, 300_000, PRICED))


@MIX.case("the prices left alone", reread=MIX_TEXT)
def _(q):
    q.call_checked_unmutated("release_mix", 300_000, PRICED)


# ----------------------------------------------------------------------------------------------------------- model card

CARD_TEXT = "§ 10 The model card"
MISREAD = "values that YAML would read as something else stay what they are"
IN_ORDER = "the sections come in their order"
CARD = Question(  # an answer may import huggingface_hub
    "model_card", lab=LAB, points=0.5, timeout=30, rules=(MISREAD, IN_ORDER)
)
METADATA = {
    "license": "apache-2.0",
    "language": "en",
    "library_name": "transformers",
    "pipeline_tag": "text-generation",
    "tags": ["littlebrook", "assistant"],
    "base_model": "littlebrook/sft",
}
RESULTS = [
    {"dataset": "littlebrook/release-exam", "metric": "helpful", "value": 0.94},
    {"dataset": "littlebrook/release-exam", "metric": "harmless", "value": 0.875},
    {"dataset": "littlebrook/production", "metric": "accuracy", "value": 0.5625},
]
SECTIONS = {
    "Data governance": "Public documents only.",
    "Intended use": "Questions about the residents of a village.",
    "Limits": "It knows nothing after 2024.\n\nIt misreads typos.",
}


def parsed(text):
    """(front matter, title, [(heading, text)]) of a card. CaseFailed with one line for what is none. Nothing in it is
    executed, and no YAML alias is followed.
    """
    import yaml

    failed = CaseFailed
    if type(text) is not str or len(text) > 20_000:
        raise failed("a card is a text, of 20,000 letters at most here")
    lines = text.split("\n")
    if lines[0].rstrip() != "---" or "---" not in [line.rstrip() for line in lines[1:]]:
        raise failed(
            "the card does not begin with its front matter",
            mistake="the YAML stands between two lines ---, the first of which is the very first line of the card",
            hint="---\\n, the YAML, ---\\n",
        )
    end = next(k for k, line in enumerate(lines) if k and line.rstrip() == "---")
    source = "\n".join(lines[1:end])
    if source.count("[") + source.count("{") > 500:  # brackets within brackets make a YAML parser slow
        raise failed("the front matter has far more brackets than the metadata and results need")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(source)):
            raise failed("the front matter uses YAML aliases (*name): write each value out")
        front = yaml.safe_load(source)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise failed(
            f"the front matter is not YAML: {' '.join(str(error).split())[:160]}",
            hint="Let yaml.safe_dump write it: it knows what has to be quoted.",
            mistake="the YAML was written by hand: a colon, a # or a quote in a value breaks it",
        ) from None
    if type(front) is not dict:
        raise failed("the front matter is not a YAML mapping of names to values")
    title, headings = None, []
    for line in lines[end + 1 :]:
        if line.startswith("# ") and title is None and not headings:
            title = line[2:].strip()
        elif line.startswith("## "):
            headings.append([line[3:].strip(), []])
        elif headings:
            headings[-1][1].append(line)
        elif line.startswith("#"):
            raise failed(f"the heading {line[:60]!r} is neither the title (# …) nor a section (## …)")
    return front, title, [(name, "\n".join(body).strip()) for name, body in headings]


def flat(index):
    """[[model name, task, dataset name, dataset type, metric, value], …] of a model-index; CaseFailed where it has
    another shape.
    """
    rows = []
    try:
        for model in index:
            for result in model["results"]:
                for metric in result["metrics"]:
                    rows.append(
                        [
                            model["name"],
                            result["task"]["type"],
                            result["dataset"]["name"],
                            result["dataset"]["type"],
                            metric["type"],
                            metric["value"],
                        ]
                    )
    except (KeyError, TypeError, AttributeError) as error:
        message = "the model-index has another shape than the Hub's"
        if isinstance(error, KeyError):
            message = f"the model-index has another shape than the Hub's (it lacks {error})"
        raise CaseFailed(
            message, hint="[{name, results: [{task: {type}, dataset: {name, type}, metrics: [{type, value}]}]}]"
        ) from None
    return rows


RESULT = ("model", "task", "data set's name", "data set's type", "metric", "value")


def wanted(name, results):
    return [[name, "text-generation", r["dataset"], r["dataset"], r["metric"], r["value"]] for r in results]


def unmatched(rows, want):
    """(row of the card, place of what was wanted) of the first pair that differs, in whatever order the rows stand, or
    None.
    """
    left, missing = list(rows), []
    for k, due in enumerate(want):
        found = next((row for row in left if describe_difference(row, due, 1e-9) is None), None)
        if found is None:
            missing.append(k)
        else:
            left.remove(found)
    return (left[0], missing[0]) if missing else None


def look(q, name, metadata, results, sections):
    """Every part of the student's card against its inputs."""
    front, title, found = parsed(q.call("model_card", name, metadata, results, sections))
    index = front.pop("model-index", None)
    q.true(
        "the front matter has no model-index",
        index is not None,
        mistake="the results belong into the front matter, too, as model-index: there a program finds them",
    )
    q.same(
        "the rest of the front matter",
        front,
        metadata,
        hint="yaml.safe_dump quotes what YAML would read as something else: no is False, 2024-12-31 is a date.",
    )
    rows = flat(index)
    hint = "Each row of `results` becomes a result of its own."
    q.same("the number of results in the model-index", len(rows), len(results), hint=hint)
    q.true(
        "a value of the model-index is no number",
        all(type(row[5]) in (int, float) for row in rows),
        mistake="the values are texts: write numbers, a program shall compare them",
    )
    if pair := unmatched(rows, wanted(name, results)):
        row, k = pair
        r = results[k]
        as_if = lambda **slip: wanted(name, [{**r, **slip}])[0]
        q.close(
            f"result {k + 1}",
            row,
            as_if(),
            tol=1e-9,
            names=RESULT,
            mistakes={
                "the values are in per cent: they came in as shares": as_if(value=100 * r["value"]),
                "the values were rounded": as_if(value=round(r["value"], 2)),
                "metric and dataset changed places": as_if(metric=r["dataset"], dataset=r["metric"]),
            },
        )
    q.same("the title", title, name, hint="# and the name, after the front matter.")
    q.same(
        "the headings",
        [heading for heading, _ in found],
        list(sections),
        hint="## and the heading, in the order of `sections`.",
    )
    q.same("the sections", [body for _, body in found], [body.strip() for body in sections.values()])


@CARD.case("front matter with a model-index, title, sections", reread=CARD_TEXT)
def _(q):
    look(q, "littlebrook-release", METADATA, RESULTS[: 2 + q.randint(0, 2)], SECTIONS)


@CARD.case(
    "a colon, no, a date, a #, quotes",
    rule=MISREAD,
    hint="yaml.safe_dump quotes what YAML would read as something else: no is False, 2024-12-31 is a date.",
    reread=CARD_TEXT,
)
def _(q):
    tricky = {
        **METADATA,
        "title": "Littlebrook: a release",
        "language": "no",
        "knowledge_cutoff": "2024-12-31",
        "version": "1.10",
        "note": 'answers 9 of 10 #1 "questions" - mostly',
        "contact": "@anna",
    }
    look(q, "release: second try", tricky, RESULTS, SECTIONS)


@CARD.case("letters of other alphabets, and nested values", reread=CARD_TEXT)
def _(q):
    metadata = {
        **METADATA,
        "author": "Žofie Grüß",
        "tags": ["дом", "π"],
        "data": {"rows": 3, "sources": ["noticeboard", "chronicle"], "personal": False},
    }
    look(q, "Release π", metadata, RESULTS, {"Größe": "Klein: 1,2 Millionen.", "Zweck": "Fragen."})


@CARD.case("many results", reread=CARD_TEXT)
def _(q):
    results = [
        {"dataset": f"littlebrook/exam-{k}", "metric": "accuracy", "value": round(0.1 + 0.8 * q.rand(1).item(), 6)}
        for k in range(6)
    ]
    look(q, "r", {"license": "cc-by-4.0"}, results, SECTIONS)
    look(q, "r", METADATA, RESULTS[:1], {"Limits": "Many."})


@CARD.case(IN_ORDER, rule=IN_ORDER, hint="## and the heading, in the order of `sections`.", reread=CARD_TEXT)
def _(q):
    look(q, "r", METADATA, RESULTS, {f"Part {k}": f"Text {k}." for k in (3, 1, 6, 2, 5, 4)})


@CARD.case("inputs left alone; the same text twice", reread=CARD_TEXT)
def _(q):
    text = q.call_checked_unmutated("model_card", "r", METADATA, RESULTS, SECTIONS)
    q.same("the second card", q.call("model_card", "r", METADATA, RESULTS, SECTIONS), text)


# -------------------------------------------------------------------------------------------- the release and the words


def score_release(folder, seed, public):
    """(fraction, message): the handed-in assistant on an exam drawn from `seed`, the grader's secret one when it
    grades.
    """
    from pathlib import Path

    from course_lib.evaluation.handed_in import points_share
    from course_lib.evaluation.release import AXES, axes, exam, take
    from course_lib.stages.artifacts import load_folder

    model = load_folder(Path(folder), "release")[0].eval()
    rows = exam(f"grade {LAB} {seed}")
    got = axes(take(model, rows))
    sides = " × ".join(f"{axis} {got[axis]:.3f}" for axis in AXES)
    return (
        points_share(got["score"], SCORE_ZERO, SCORE_FULL),
        f"{sides} = {got['score']:.3f} on {len(rows)} fresh rows; full marks from {SCORE_FULL:g} on, none up to "
        f"{SCORE_ZERO:g}.",
    )


RELEASE = ArtifactQuestion(
    "release", lab=LAB, points=1, stage="release", score=score_release, title="The assistant that you release"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Which model, and how sure",
    rubric="""0.5: says which of the models the village should get and why, with the student's own figures AND their
intervals or p-values from a comparison on the same rows, names at least one figure that would mislead (the instruction
exam, a score that is not weighted by what people ask, a judge that saw one order, a model that had seen the rows), and
one thing that no number of this lab covers. Example: "The safe one. On the instruction exam it is 2 points under the
helpful-only one (McNemar p = 0.01), but that exam cannot see that the other explains every harmful request (0 of 160
refused). Weighted by what people ask both get about 60 %, not 94 %, because neither reads lower case. What no number
here covers: whether anybody asks in a way that we did not think of."
0.25: a choice with figures, but without their uncertainty, or without a figure that misleads. Example: "The safe one,
it has 94 % and refuses 160 of 160."
0: no figure of the student's own. Example: "The safe one, because safety is important.\"""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="What the record cannot answer",
    rubric="""0.5: answers all three open questions of the questionnaire for the student's own model: (a) which data of
the organisation may be tuned on and which may not, with a reason (consent, purpose, secrecy, whether it can be taken
out again) that tells at least two sources apart; (b) who may use it for what, and for what it is not meant, fitting the
measured slices; (c) an event, with a number, at which the model is taken back, and who decides. Example: "(a) The
chronicle and the notice board, which are public; the thumbs only of those who agreed, because weights cannot forget one
person; no letters, no notes of the doctor. (b) Residents asking about residents, not for anything that has changed
since 2024 (0 of 60 right). (c) If in any week more than 1 of 100 reviewed harmful requests is answered, the mayor's
office goes back to the model before."
0.25: two of the three, or all three without a reason or a number. Example: "Public data only. For everybody. If there
are complaints."
0: one or none, or a text that would fit any model. Example: "We take data protection seriously.\"""",
)
