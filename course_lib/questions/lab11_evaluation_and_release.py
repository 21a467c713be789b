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

from course_lib.questions.compare import CaseFailed
from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "11_evaluation_and_release"

# The handed-in release: helpful × harmless × truthful on fresh rows. Full marks from SCORE_FULL on, none at or under
# SCORE_ZERO, a straight line between.
SCORE_FULL, SCORE_ZERO = 0.60, 0.25


def plain(x):
    return x.tolist() if isinstance(x, torch.Tensor) else list(x)


# ------------------------------------------------------------------------------------------------------------ bootstrap

BOOT = Question("bootstrap_interval", lab=LAB, points=0.75)
BOOT_TEXT = "§ 2 How sure is a share?"


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


def some_clusters(q, C=8, rounds=60):
    """(values 0/1, clusters of unequal size whose shares differ, draws)."""
    sizes = [1 + (5 * c) % 9 for c in range(C)]
    clusters = torch.tensor([c for c, size in enumerate(sizes) for _ in range(size)])
    order = q.permutation(len(clusters))
    values = (q.rand(len(clusters)) < 0.25 + 0.6 * (clusters % 3 == 0)).float()
    return values[order], clusters[order], q.randint(0, C, (rounds, C))


@BOOT.case("percentiles of the resampled means, whole clusters drawn")
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
        reread=BOOT_TEXT,
        mistakes={
            "the clusters' means were averaged: a large cluster brings more rows": (
                interval(rounds_of(values, clusters, draws, of_means=True))
            ),
            "a cluster that was drawn twice counts once here: with replacement it comes twice": (
                interval(rounds_of(values, clusters, draws, once=True))
            ),
            "the draws were taken for numbers of rows: they are numbers of clusters": interval(as_rows),
            "the sum was divided by the size of the exam: divide by the rows that were drawn": (
                interval(rounds_of(values, clusters, draws, over=len(values)))
            ),
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


@BOOT.case("clusters of one row: the ordinary bootstrap")
def _(q):
    values, draws = q.randn(15), q.randint(0, 15, (40, 15))
    q.close(
        "the interval",
        q.call("bootstrap_interval", values, torch.arange(15), draws),
        interval(values.double()[draws].mean(1).tolist()),
        tol=1e-5,
        reread=BOOT_TEXT,
    )


@BOOT.case("clusters in any order, one of 60 rows among small ones")
def _(q):
    clusters = torch.tensor([2] * 60 + [0, 1, 1, 3])[q.permutation(64)]
    values = torch.where(clusters == 2, 1.0, 0.0)
    draws = q.randint(0, 4, (80, 4))
    q.close(
        "the interval",
        q.call("bootstrap_interval", values, clusters, draws),
        interval(rounds_of(values, clusters, draws)),
        tol=1e-5,
        reread=BOOT_TEXT,
        hint="A round's mean is the sum of all drawn values over how many there are.",
    )


@BOOT.case("no scatter: everything right; the same draw in each round")
def _(q):
    clusters, draws = torch.tensor([0, 0, 1, 2, 2, 2]), q.randint(0, 3, (30, 3))
    q.close(
        "the interval of 6 of 6",
        q.call("bootstrap_interval", torch.ones(6), clusters, draws),
        (1.0, 1.0),
        tol=1e-6,
        reread=BOOT_TEXT,
    )
    one = q.call("bootstrap_interval", torch.tensor([1.0, 0, 1, 0, 0, 1]), clusters, torch.tensor([[2, 0, 2]]))
    q.close(
        "the interval from one round",
        one,
        (0.375, 0.375),
        tol=1e-6,
        hint="Clusters 2, 0, 2: three of eight values are 1.",
        reread=BOOT_TEXT,
    )


@BOOT.case("fewer rounds than 40: between two rounds the percentile lies on a straight line")
def _(q):
    values, clusters, draws = some_clusters(q, rounds=11)
    q.close(
        "the interval",
        q.call("bootstrap_interval", values, clusters, draws),
        interval(rounds_of(values, clusters, draws)),
        tol=1e-5,
        reread=BOOT_TEXT,
        hint="torch.quantile and np.percentile interpolate by default: leave it so.",
    )


@BOOT.case("float64; two plain numbers; inputs left alone")
def _(q):
    values, clusters, draws = some_clusters(q)
    got = q.call_checked_unmutated("bootstrap_interval", values.double(), clusters, draws)
    q.close("the interval", got, interval(rounds_of(values, clusters, draws)), tol=1e-6, reread=BOOT_TEXT)
    q.close(
        "the interval of the same inputs again",
        q.call("bootstrap_interval", values.double(), clusters, draws),
        got,
        tol=1e-12,
        hint="The draws are given: nothing is left to chance.",
        reread=BOOT_TEXT,
    )


# -------------------------------------------------------------------------------------------------------- a paired test

PAIRED = Question("mcnemar", lab=LAB, points=0.5, timeout=30)  # an answer may import scipy
PAIRED_TEXT = "§ 3 Is A better than B?"


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


@PAIRED.case("two-sided, exact, on the rows that one alone got right")
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


@PAIRED.case("A and B may change places")
def _(q):
    a, b = answered(q, 20, 3, 12, 4)
    q.close(
        "the p-value",
        q.call("mcnemar", a, b),
        two_sided(3, 12),
        tol=1e-6,
        reread=PAIRED_TEXT,
        hint="Two-sided: take the smaller of the two counts.",
    )
    q.close(
        "the p-value with A and B exchanged", q.call("mcnemar", b, a), two_sided(3, 12), tol=1e-6, reread=PAIRED_TEXT
    )


@PAIRED.case("nothing to tell them apart: p is 1")
def _(q):
    a, _ = answered(q, 9, 5, 0, 6)
    q.close(
        "the p-value of a model against itself",
        q.call("mcnemar", a, a.clone()),
        1.0,
        tol=1e-9,
        hint="No row that one alone got right: p = 1.",
        reread=PAIRED_TEXT,
    )
    q.close(
        "the p-value of 7 against 7",
        q.call("mcnemar", *answered(q, 5, 7, 7, 1)),
        1.0,
        tol=1e-9,
        hint="Both tails overlap in the middle, so twice the tail is more than 1: a p-value is at most 1.",
        reread=PAIRED_TEXT,
    )


@PAIRED.case("few rows: 5 to 0 is not yet significant, 6 to 0 is")
def _(q):
    for n, p in ((1, 1.0), (5, 0.0625), (6, 0.03125)):
        q.close(
            f"the p-value of {n} against 0",
            q.call("mcnemar", *answered(q, 3, n, 0, 0)),
            p,
            tol=1e-9,
            reread=PAIRED_TEXT,
        )


@PAIRED.case("1,200 rows that one alone got right")
def _(q):
    a, b = answered(q, 100, 620, 580, 50)
    q.close(
        "the p-value",
        q.call("mcnemar", a, b),
        two_sided(620, 580),
        tol=1e-6,
        reread=PAIRED_TEXT,
        hint="0.5**1200 is 0 and math.comb(1200, 580) is too large for a float: add whole numbers and divide once, sum "
        "/ 2**n, or use scipy.",
    )


@PAIRED.case("no rows; one plain number; inputs left alone")
def _(q):
    none = torch.zeros(0, dtype=torch.bool)
    q.close("the p-value of an empty exam", q.call("mcnemar", none, none.clone()), 1.0, tol=1e-9, reread=PAIRED_TEXT)
    a, b = answered(q, 11, 2, 9, 3)
    q.close("the p-value", q.call_checked_unmutated("mcnemar", a, b), two_sided(2, 9), tol=1e-6, reread=PAIRED_TEXT)


# ------------------------------------------------------------------------------------------------------------- win rate

WINS = Question("win_rate", lab=LAB, points=0.5)
WINS_TEXT = "§ 4 A judge with a favourite place"
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


def judged(q, n=40, skill=0.35, bias=0.3):
    """Verdicts in both orders: A is a little better, and the judge likes the first place."""
    draw = lambda lean: [
        OUTCOMES[0] if u < 0.4 + lean else OUTCOMES[1] if u < 0.8 else OUTCOMES[2] for u in q.rand(n).tolist()
    ]
    a_first, b_first = draw(bias * 0.5 + skill * 0.4), draw(bias * 0.5 - skill * 0.4)
    a_first[:4], b_first[:4] = ["first", "first", "tie", "second"], ["second", "first", "second", "tie"]
    return a_first, b_first


@WINS.case("share of wins over both orders, and its error over the pairs")
def _(q):
    a_first, b_first = judged(q)
    want = rate(a_first, b_first)
    one, two = points_of_a(a_first, True), points_of_a(b_first, False)
    pairs = [(x + y) / 2 for x, y in zip(one, two)]
    agreed = [x for x, y in zip(one, two) if x == y]
    decided = [
        (x, v) for verdicts, points in ((a_first, one), (b_first, two)) for x, v in zip(points, verdicts) if v != "tie"
    ]
    q.close(
        "rate and error",
        q.call("win_rate", a_first, b_first),
        want,
        tol=1e-6,
        reread=WINS_TEXT,
        mistakes={
            'where B\'s answer stood first, A wins with "second": the verdicts name places, not models': (
                rate(a_first, b_first, turn=False)
            ),
            "only the first order was used": (sum(one) / len(one), error_of(one)),
            "only the second order was used": (sum(two) / len(two), error_of(two)),
            "a tie counts half, not nothing": rate(a_first, b_first, tie=0.0),
            "a tie counts half, not as a win": rate(a_first, b_first, tie=1.0),
            "ties were left out: they count half": (sum(x for x, _ in decided) / len(decided), want[1]),
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


@WINS.case("a judge that only sees the place gives ½, without any scatter")
def _(q):
    for place in ("first", "second"):
        q.close(
            f"rate and error where {place!r} always wins",
            q.call("win_rate", [place] * 7, [place] * 7),
            (0.5, 0.0),
            tol=1e-9,
            reread=WINS_TEXT,
        )


@WINS.case("A against B and B against A add up to 1")
def _(q):
    a_first, b_first = judged(q, 15)
    share, error = rate(a_first, b_first)
    q.close(
        "rate and error with the models exchanged",
        q.call("win_rate", b_first, a_first),
        (1 - share, error),
        tol=1e-6,
        reread=WINS_TEXT,
    )


@WINS.case("all wins, all losses, all ties")
def _(q):
    for one, two, share in (("first", "second", 1.0), ("second", "first", 0.0), ("tie", "tie", 0.5)):
        q.close(
            f"rate and error of 5 × {one!r}, {two!r}",
            q.call("win_rate", [one] * 5, [two] * 5),
            (share, 0.0),
            tol=1e-9,
            reread=WINS_TEXT,
        )


@WINS.case("two pairs; one pair has no error (NaN)")
def _(q):
    q.close(
        "rate and error of two pairs",
        q.call("win_rate", ["first", "tie"], ["second", "first"]),
        rate(["first", "tie"], ["second", "first"]),
        tol=1e-6,
        reread=WINS_TEXT,
    )
    q.close(
        "rate and error of one pair",
        q.call("win_rate", ["first"], ["tie"]),
        (0.75, math.nan),
        tol=1e-6,
        reread=WINS_TEXT,
        hint='One observation says nothing about scatter: 0/0 is NaN, float("nan").',
    )


@WINS.case("many pairs; inputs left alone")
def _(q):
    a_first, b_first = judged(q, 500)
    q.close(
        "rate and error",
        q.call_checked_unmutated("win_rate", a_first, b_first),
        rate(a_first, b_first),
        tol=1e-6,
        reread=WINS_TEXT,
    )


# ----------------------------------------------------------------------------------------------------- many comparisons

HOLM = Question("holm", lab=LAB, points=0.5)
HOLM_TEXT = "§ 5 Twenty comparisons"


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


def some_p(q, n=9):
    """p-values in a drawn order; two neighbours for which the running maximum matters, and three that are large."""
    p = [
        0.0004 + 0.0004 * q.rand(1).item(),
        0.004,
        0.0301,
        0.0302,
        0.041,
        0.55,
        0.62,
        0.7,
        *(0.06 + 0.8 * q.rand(n - 8)).tolist(),
    ]
    return [p[int(k)] for k in q.permutation(len(p))]


@HOLM.case("the k-th smallest times (m − k + 1), never less than the one before it, each in its place")
def _(q):
    p = some_p(q)
    m = len(p)
    q.close(
        "the adjusted p-values",
        q.call("holm", list(p)),
        adjusted(p),
        tol=1e-7,
        reread=HOLM_TEXT,
        mistakes={
            "all times m: that is Bonferroni; Holm's factor falls by one with each rank": [min(1.0, m * x) for x in p],
            "the running maximum is missing: a larger p must not become the smaller one": (
                step(p, lambda k: m - k, running=False)
            ),
            "the factor of the smallest is m − 1: it is m, the largest has 1": step(p, lambda k: m - k - 1),
            "the factor of the smallest is m + 1: it is m, the largest has 1": step(p, lambda k: m - k + 1),
            "the factors rise with the rank: the smallest p gets the largest factor": step(p, lambda k: k + 1),
            "not cut off at 1": step(p, lambda k: m - k, clip=False),
            "they came back sorted: each belongs in its place": sorted(adjusted(p)),
            "that is Benjamini and Hochberg: it bounds the share of false findings, not the chance of any": (
                from_the_top(p, lambda k: m / (k + 1))
            ),
            "that is Hochberg's step-up: begin at the smallest, with a running maximum": (
                from_the_top(p, lambda k: m - k)
            ),
            "that is Šidák's correction": [1 - (1 - x) ** m for x in p],
            "they were divided by the factor: the p-value grows, or the level falls": [x / m for x in p],
            "the factors follow the places of the list: sort first": [min(1.0, (m - k) * x) for k, x in enumerate(p)],
            "nothing was adjusted": p,
            "True or False came back: the adjusted p-values are asked for": [float(x <= 0.05) for x in adjusted(p)],
        },
    )


@HOLM.case("equal p-values get equal answers")
def _(q):
    p = [0.02, 0.3, 0.02, 0.001, 0.02]
    q.close(
        "the adjusted p-values",
        q.call("holm", p),
        [0.08, 0.3, 0.08, 0.005, 0.08],
        tol=1e-9,
        reread=HOLM_TEXT,
        hint="The first of the three has factor 4; the running maximum lifts the other two to it.",
    )


@HOLM.case("two p-values, whichever way round")
def _(q):
    q.close("the adjusted p-values", q.call("holm", [0.04, 0.01]), [0.04, 0.02], tol=1e-9, reread=HOLM_TEXT)
    q.close("the adjusted p-values", q.call("holm", [0.01, 0.04]), [0.02, 0.04], tol=1e-9, reread=HOLM_TEXT)


@HOLM.case("never more than 1, and 0 stays 0")
def _(q):
    q.close(
        "the adjusted p-values", q.call("holm", [1.0, 0.9, 0.0, 0.6]), [1.0, 1.0, 0.0, 1.0], tol=1e-9, reread=HOLM_TEXT
    )


@HOLM.case("one comparison, no comparison")
def _(q):
    q.close(
        "the adjusted p-value of one",
        q.call("holm", [0.03]),
        [0.03],
        tol=1e-9,
        hint="One comparison needs no correction.",
        reread=HOLM_TEXT,
    )
    q.same("the adjusted p-values of none", q.call("holm", []), [], reread=HOLM_TEXT)


@HOLM.case("two hundred; the list left alone")
def _(q):
    p = (q.rand(200) ** 3).double().tolist()
    q.close("the adjusted p-values", q.call_checked_unmutated("holm", p), adjusted(p), tol=1e-7, reread=HOLM_TEXT)


# -------------------------------------------------------------------------------------------------------- contamination

SEEN = Question("overlap", lab=LAB, points=0.5)
SEEN_TEXT = "§ 6 What a score does not say"
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
    """(tests, training): rows that share a piece, two pieces, all of it, a piece in another order and one that is too
    short, nothing; n = 4.
    """
    say = lambda k: [WORDS[i] for i in q.randint(0, len(WORDS), (k,)).tolist()]
    a, b, c, d = say(24), say(30), say(12), say(18)
    d[5:10] = ["brook", "goat", "north", "seven", "cart"]
    training = [
        say(3) + a[2:7] + say(4),
        b[:4] + say(3) + b[16:21],
        say(6) + c + say(2),
        say(2) + d[5:10][::-1] + say(3) + d[:3] + say(2),
        say(15),
    ]
    return [a, b, c, d, say(11)], training


@SEEN.case("share of the words that lie in a run of n words of a training row")
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
        reread=SEEN_TEXT,
        mistakes={
            "that is the share of the runs: count the words that lie in one": (
                shares(tests, training, 4, share_of="runs")
            ),
            "only the first word of each run was counted: all n of its words lie in it": (
                shares(tests, training, 4, share_of="starts")
            ),
            "words in two runs were counted twice": shares(tests, training, 4, share_of="sum"),
            "words in two runs were counted twice, and the share cut off at 1": [
                min(1.0, s) for s in shares(tests, training, 4, share_of="sum")
            ],
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
        },
    )


@SEEN.case("a row that was trained on whole, and one that was not")
def _(q):
    tests, _ = some_rows(q)
    new = [f"new{k}" for k in range(9)]
    q.close("the shares", q.call("overlap", [tests[0], new], [tests[0]], 6), [1.0, 0.0], tol=1e-9, reread=SEEN_TEXT)


@SEEN.case("n decides")
def _(q):
    row = [f"w{k}" for k in range(10)]
    training = [["x", *row[2:7], "y"]]
    for n, share in ((1, 0.5), (3, 0.5), (5, 0.5), (6, 0.0)):
        q.close(
            f"the share for n = {n}",
            q.call("overlap", [row], training, n),
            [share],
            tol=1e-9,
            reread=SEEN_TEXT,
            hint="Five words in a row are shared.",
        )


@SEEN.case("a run does not go from one training row into the next")
def _(q):
    row = [f"w{k}" for k in range(8)]
    q.close(
        "the share",
        q.call("overlap", [row], [row[:4], row[4:]], 5),
        [0.0],
        tol=1e-9,
        hint="Make the runs of each training row alone.",
        reread=SEEN_TEXT,
    )
    q.close("the share", q.call("overlap", [row], [row[:4], row[4:]], 4), [1.0], tol=1e-9, reread=SEEN_TEXT)


@SEEN.case('words, not letters: "a bc" and "ab c" differ; a word within a word is no word')
def _(q):
    q.close(
        "the shares",
        q.call("overlap", [["a", "bc", "d"], ["or", "an", "ge"]], [["ab", "c", "d"], ["for", "an", "ger"]], 3),
        [0.0, 0.0],
        tol=1e-9,
        reread=SEEN_TEXT,
        hint="Compare runs as tuples of words, not as joined text.",
    )


@SEEN.case("rows shorter than n, an empty row, no rows, no training; inputs left alone")
def _(q):
    tests, training = some_rows(q)
    q.close(
        "the shares",
        q.call("overlap", [["mill", "goat"], [], tests[0]], [["mill", "goat"], *training], 3),
        shares([["mill", "goat"], [], tests[0]], [["mill", "goat"], *training], 3),
        tol=1e-6,
        hint="A row without a run of n words has the share 0.",
        reread=SEEN_TEXT,
    )
    q.same("the shares of no rows", q.call("overlap", [], training, 4), [], reread=SEEN_TEXT)
    q.close(
        "the shares without any training row",
        q.call("overlap", tests[:2], [], 4),
        [0.0, 0.0],
        tol=1e-9,
        reread=SEEN_TEXT,
    )
    q.close(
        "the shares",
        q.call_checked_unmutated("overlap", tests, training, 4),
        shares(tests, training, 4),
        tol=1e-6,
        reread=SEEN_TEXT,
    )


# ---------------------------------------------------------------------------------------------------------- another mix

MIXED = Question("reweight", lab=LAB, points=0.5)
MIXED_TEXT = "§ 7 What people really ask"


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


@MIXED.case("each slice's share times its weight in the mix, and the error")
def _(q):
    right, slices = exam_of(q)
    mix = {"question": 24.0, "typo": 10.0, "harm": 2.0, "form": 4.0}
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
        reread=MIXED_TEXT,
        mistakes={
            "the mix was not used: that is the share of the exam as it is": (
                plain_share,
                math.sqrt(plain_share * (1 - plain_share) / n),
            ),
            "all slices weigh the same here": restated(right, slices, even),
            "the weights were not divided by their sum: they may be counts": restated(right, slices, mix, normal=False),
            "the weights were multiplied by the number of rows in the exam: the mix replaces it": (
                restated(right, slices, mix, own=True)
            ),
            "the weights were turned round": restated(right, slices, backwards),
            "the weights must be squared in the variance": (want[0], restated(right, slices, mix, power=1)[1]),
            "that is the variance: take its root": (want[0], restated(right, slices, mix, root=False)[1]),
            "the errors of the slices were added, weight by weight: their squares add up": (
                want[0],
                math.fsum(mix[s] / 40 * math.sqrt(scatter(*table[s])) for s in mix),
            ),
            "the error counts the rows as they are: add two right and two wrong ones to each slice": (
                want[0],
                restated(right, slices, mix, more=0)[1],
            ),
            "the share counts the rows as they are: the two right and two wrong ones are for the error": (
                math.fsum(mix[s] / 40 * (k + 2) / (m + 4) for s, (k, m) in table.items()),
                want[1],
            ),
            "the error is that of the whole exam at this share: it comes from the slices": (
                want[0],
                math.sqrt(want[0] * (1 - want[0]) / n),
            ),
            "the error of each slice lacks its number of rows": (
                want[0],
                math.sqrt(math.fsum((mix[s] / 40) ** 2 * scatter(*table[s]) * (table[s][1] + 4) for s in mix)),
            ),
            "that is the share that is wrong": (1 - want[0], want[1]),
            "per cent came back: a share is asked for": (100 * want[0], 100 * want[1]),
            "the share of the worst slice": (min(shares_.values()), want[1]),
        },
    )


@MIXED.case("weights that add up to 1, to 100, to anything: the same")
def _(q):
    right, slices = exam_of(q)
    mix = {"question": 0.1, "typo": 0.2, "harm": 0.3, "form": 0.4}
    for factor in (1.0, 7.0, 1000.0):
        q.close(
            "share and error",
            q.call("reweight", right, slices, {name: factor * w for name, w in mix.items()}),
            restated(right, slices, mix),
            tol=1e-6,
            reread=MIXED_TEXT,
            hint="Divide by the sum of the weights.",
        )


@MIXED.case("the exam's own mix gives the exam's own share")
def _(q):
    right, slices = exam_of(q)
    mix = {name: slices.count(name) for name in set(slices)}
    q.close(
        "the share", q.call("reweight", right, slices, mix)[0], sum(right) / len(right), tol=1e-6, reread=MIXED_TEXT
    )


@MIXED.case("a slice that nobody asks for counts nothing, whether it is in the mix or not")
def _(q):
    right, slices = exam_of(q)
    two = {"typo": 3.0, "harm": 1.0}
    want = restated(right, slices, two)
    q.close(
        "share and error",
        q.call("reweight", right, slices, two),
        want,
        tol=1e-6,
        reread=MIXED_TEXT,
        hint="Only the slices of the mix count.",
    )
    q.close(
        "share and error with weights of 0",
        q.call("reweight", right, slices, {**two, "question": 0.0, "song": 0.0}),
        want,
        tol=1e-6,
        reread=MIXED_TEXT,
        hint="A weight of 0 needs no rows.",
    )


@MIXED.case("a slice with a weight and no row in the exam: nobody knows")
def _(q):
    right, slices = exam_of(q)
    q.close(
        "share and error",
        q.call("reweight", right, slices, {"typo": 1.0, "song": 1.0}),
        (math.nan, math.nan),
        tol=1e-6,
        reread=MIXED_TEXT,
        hint='Leaving it out would report on another mix: float("nan"), twice.',
        mistakes={
            "the slice was left out silently: the score would be that of another mix": (
                restated(right, slices, {"typo": 1.0})
            ),
            "what was not examined was counted as wrong": tuple(v / 2 for v in restated(right, slices, {"typo": 1.0})),
            "what was not examined was counted as right": (
                0.5 + restated(right, slices, {"typo": 1.0})[0] / 2,
                restated(right, slices, {"typo": 1.0})[1] / 2,
            ),
        },
    )


@MIXED.case("all right; one slice; one row; inputs left alone")
def _(q):
    q.close(
        "share and error of 4 of 4",
        q.call("reweight", [True] * 4, ["a", "b", "a", "b"], {"a": 1, "b": 9}),
        (1.0, math.sqrt((0.1**2 + 0.9**2) * scatter(2, 2))),
        tol=1e-9,
        reread=MIXED_TEXT,
    )
    q.close(
        "share and error of one row",
        q.call("reweight", [False], ["a"], {"a": 5}),
        (0.0, math.sqrt(scatter(0, 1))),
        tol=1e-9,
        reread=MIXED_TEXT,
    )
    right, slices = exam_of(q)
    q.close(
        "share and error",
        q.call_checked_unmutated("reweight", right, slices, {"form": 2.0, "typo": 1.0}),
        restated(right, slices, {"form": 2.0, "typo": 1.0}),
        tol=1e-6,
        reread=MIXED_TEXT,
    )


# ----------------------------------------------------------------------------------------------------- the training mix

MIX = Question("release_mix", lab=LAB, points=0.25)
MIX_TEXT = "§ 9 Your release"
INGREDIENTS = ("tasks", "harmful", "twins", "disguised", "documents")


def some_prices(q):
    """Tokens a row, in no fixed proportion."""
    return {name: round(30 + 90 * q.rand(1).item(), 1) for name in INGREDIENTS}


def bought(q, budget, prices, least=0.9):
    """The student's rows, if they are rows, cost no more than the budget and spend it."""
    rows = q.call("release_mix", budget, prices)
    q.true(
        "a dict with a number of rows for each ingredient is asked for",
        type(rows) is dict and set(rows) == set(prices),
        hint=f"Its keys: {', '.join(prices)}.",
        reread=MIX_TEXT,
    )
    numbers = list(rows.values())
    q.true(
        "shares came back, not rows",
        not all(type(n) is float and n <= 1 for n in numbers),
        mistake="these are shares: a number of rows is share · budget / price",
        reread=MIX_TEXT,
    )
    q.true(
        "rows are whole numbers",
        all(type(n) is int for n in numbers),
        hint="int(…) rounds down: half a row cannot be trained.",
        reread=MIX_TEXT,
    )
    q.true("a number of rows is not negative", all(n >= 0 for n in numbers), reread=MIX_TEXT)
    spent = sum(n * prices[name] for name, n in rows.items())
    mistake = None
    if 0.5 * budget < sum(numbers) <= budget:
        mistake = "these are tokens: divide each by the price of a row"
    elif spent > 3 * budget:
        mistake = "all the budget was given to each ingredient: the shares add up to 1"
    q.true(
        f"{spent:,.0f} tokens for a budget of {budget:,}",
        spent <= budget,
        reread=MIX_TEXT,
        mistake=mistake,
        hint="Round down, and see that the shares of the tokens add up to 1 at most.",
    )
    q.true(
        f"{spent:,.0f} tokens of a budget of {budget:,} are spent: use 90 % at least",
        spent >= least * budget,
        reread=MIX_TEXT,
    )
    return rows


@MIX.case("within the budget, and 90 % of it spent")
def _(q):
    bought(q, 400_000 + q.randint(0, 1_000_000), some_prices(q))


@MIX.case("other budgets")
def _(q):
    prices = some_prices(q)
    for budget in (40_000, 150_000, 12_000_000):
        bought(q, budget, prices)


@MIX.case("other prices")
def _(q):
    for _ in range(3):
        bought(q, 500_000, some_prices(q))
    bought(q, 500_000, {name: 400.0 if name == INGREDIENTS[q.randint(0, 5)] else 20.0 for name in INGREDIENTS})


@MIX.case("a budget for less than a row, and none")
def _(q):
    for budget in (25, 0):
        bought(q, budget, {name: 30.0 for name in INGREDIENTS}, least=0.0)


@MIX.case("the same answer twice; the prices left alone")
def _(q):
    prices = some_prices(q)
    first = q.call_checked_unmutated("release_mix", 300_000, prices)
    q.same(
        "the second answer",
        q.call("release_mix", 300_000, prices),
        first,
        hint="A recipe that others shall repeat is not drawn at random.",
        reread=MIX_TEXT,
    )


# ----------------------------------------------------------------------------------------------------------- model card

CARD = Question("model_card", lab=LAB, points=0.5, timeout=30)  # an answer may import huggingface_hub
CARD_TEXT = "§ 10 The model card"
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
    "Intended use": "Questions about the residents of a village.",
    "Limits": "It knows nothing after 2024.\n\nIt misreads typos.",
    "Data governance": "Public documents only.",
}


def parsed(text):
    """(front matter, title, [(heading, text)]) of a card. CaseFailed with one line for what is none. Nothing in it is
    executed, and no YAML alias is followed.
    """
    import yaml

    failed = lambda message, **more: CaseFailed(message, reread=CARD_TEXT, **more)
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
    """[[model name, task, dataset name, dataset type, metric, value], …] of a model-index, sorted; CaseFailed where it
    has another shape.
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
            message,
            reread=CARD_TEXT,
            hint="[{name, results: [{task: {type}, dataset: {name, type}, metrics: [{type, value}]}]}]",
        ) from None
    return sorted(rows, key=str)


def wanted(name, results):
    return sorted(
        ([name, "text-generation", r["dataset"], r["dataset"], r["metric"], r["value"]] for r in results), key=str
    )


def look(q, name, metadata, results, sections):
    """Every part of the student's card against its inputs."""
    front, title, found = parsed(q.call("model_card", name, metadata, results, sections))
    index = front.pop("model-index", None)
    q.true(
        "the front matter has no model-index",
        index is not None,
        mistake="the results belong into the front matter, too, as model-index: there a program finds them",
        reread=CARD_TEXT,
    )
    q.same(
        "the rest of the front matter",
        front,
        metadata,
        reread=CARD_TEXT,
        hint="yaml.safe_dump quotes what YAML would read as something else: no is False, 2024-12-31 is a date.",
    )
    rows = flat(index)
    names, numbers = [[row[0] for row in rows], [row[5] for row in rows]]
    q.same("the names of the results' model", names, [name] * len(results), reread=CARD_TEXT)
    q.true(
        "the values of the model-index are numbers",
        all(type(v) in (int, float) for v in numbers),
        mistake="the values are texts: write numbers, a program shall compare them",
        reread=CARD_TEXT,
    )
    q.close(
        "the results",
        rows,
        wanted(name, results),
        tol=1e-9,
        reread=CARD_TEXT,
        mistakes={
            "the values are in per cent: they came in as shares": (
                wanted(name, [{**r, "value": 100 * r["value"]} for r in results])
            ),
            "the values were rounded": wanted(name, [{**r, "value": round(r["value"], 2)} for r in results]),
            "metric and dataset changed places": (
                wanted(name, [{**r, "metric": r["dataset"], "dataset": r["metric"]} for r in results])
            ),
        },
    )
    q.same("the title", title, name, hint="# and the name, after the front matter.", reread=CARD_TEXT)
    q.same(
        "the headings",
        [heading for heading, _ in found],
        list(sections),
        hint="## and the heading, in the order of `sections`.",
        reread=CARD_TEXT,
    )
    q.same("the sections", [body for _, body in found], [body.strip() for body in sections.values()], reread=CARD_TEXT)


@CARD.case("front matter with a model-index, title, sections")
def _(q):
    look(q, "littlebrook-release", METADATA, RESULTS[: 2 + q.randint(0, 2)], SECTIONS)


@CARD.case("values that YAML would misread: a colon, no, a date, a #, quotes")
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


@CARD.case("letters of other alphabets, and nested values")
def _(q):
    metadata = {
        **METADATA,
        "author": "Žofie Grüß",
        "tags": ["дом", "π"],
        "data": {"rows": 3, "sources": ["noticeboard", "chronicle"], "personal": False},
    }
    look(q, "Release π", metadata, RESULTS, {"Größe": "Klein: 1,2 Millionen.", **SECTIONS})


@CARD.case("any number of results and sections, in their order")
def _(q):
    results = [
        {"dataset": f"littlebrook/exam-{k}", "metric": "accuracy", "value": round(0.1 + 0.8 * q.rand(1).item(), 6)}
        for k in range(6)
    ]
    sections = {f"Part {k}": f"Text {k}." for k in q.permutation(7).tolist()}
    look(q, "r", {"license": "cc-by-4.0"}, results, sections)
    look(q, "r", METADATA, RESULTS[:1], {"Limits": "Many."})


@CARD.case("inputs left alone; the same text twice")
def _(q):
    text = q.call_checked_unmutated("model_card", "r", METADATA, RESULTS, SECTIONS)
    q.same("the second card", q.call("model_card", "r", METADATA, RESULTS, SECTIONS), text, reread=CARD_TEXT)


# -------------------------------------------------------------------------------------------- the release and the words


def score_release(folder, seed, public):
    """(fraction, message): the handed-in assistant on an exam drawn from `seed`, the grader's secret one when it
    grades.
    """
    from pathlib import Path

    from course_lib.evaluation.release import AXES, axes, exam, take
    from course_lib.stages.artifacts import load_folder

    model = load_folder(Path(folder), "release")[0].eval()
    rows = exam(f"grade {LAB} {seed}")
    got = axes(take(model, rows))
    sides = " × ".join(f"{axis} {got[axis]:.3f}" for axis in AXES)
    fraction = min(1.0, max(0.0, (got["score"] - SCORE_ZERO) / (SCORE_FULL - SCORE_ZERO)))
    return (
        fraction,
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
