"""Lab 06, preferences and the reward model: the graded questions. Each is written once and runs in the notebook
(`check`) and through the sandbox (`course grade`).

The oracles are library functions or another form of the rule, so that this file does not ship the answers it asks for.
Sources: agreement beyond chance, Cohen 1960 · paired comparison, Bradley and Terry 1952; as a loss, Ouyang et al. 2022
(2203.02155, eq. 1) · expected calibration error, Guo et al. 2017 (1706.04599, eq. 3) · a term for length beside the
reward, as in Park et al. 2024 (2403.19159) and the length-controlled AlpacaEval (2404.04475).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "06_preferences_and_reward_model"

# The handed-in reward model: its accuracy as a share (%) of that of the best judge. Full marks from SHARE_FULL, none at
# or under SHARE_ZERO, a straight line between.
SHARE_FULL, SHARE_ZERO = (
    94.0,
    80.0,
)  # the share of one model moves by 1.5 % (one standard deviation) with the pairs that are drawn
PROMPTS = (
    300  # drawn from the seed; the shipped assistant gives two answers to each, and where they differ they make a pair
)

# ---------------------------------------------------------------------------------------------------------------- kappa

KAPPA = Question("kappa", lab=LAB, points=1)
KAPPA_TEXT = "§ 3 Agreement beyond chance"


def counts(a, b):
    """[labels labels]: how often a said one and b the other."""
    names = {label: k for k, label in enumerate(dict.fromkeys([*a, *b]))}
    table = np.zeros((len(names), len(names)))
    for x, y in zip(a, b):
        table[names[x], names[y]] += 1
    return table


def weighted_kappa(table):
    """κ as one minus the disagreement seen over the disagreement of independent judges (scikit-learn's form)."""
    off = 1 - np.eye(len(table))
    chance = np.outer(table.sum(1), table.sum(0)) / table.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(1 - np.float64((table * off).sum()) / (chance * off).sum())


def kappa_mistakes(a, b):
    table = counts(a, b)
    n, k = table.sum(), len(table)
    seen = float(np.trace(table) / n)
    rows, columns = table.sum(1) / n, table.sum(0) / n
    chance, pooled = float(rows @ columns), float((((rows + columns) / 2) ** 2).sum())
    ratio = lambda above, below: above / below if below else math.nan
    return {
        "a negative κ was cut off at 0: worse than chance is possible": max(0.0, ratio(seen - chance, 1 - chance)),
        "this is the raw agreement: take out what chance alone gives": seen,
        "this is the agreement by chance, p_e": chance,
        "chance was taken as one over the number of labels: count how often each judge uses each label": (
            ratio(seen - 1 / k, 1 - 1 / k)
        ),
        "chance was taken as one half: count how often each judge uses each label": 2 * (seen - 0.5),
        "both judges were given the same habits (that is Scott's π): each has their own": (
            ratio(seen - pooled, 1 - pooled)
        ),
        "the habits of one judge were used for both": ratio(seen - float((rows**2).sum()), 1 - float((rows**2).sum())),
        "the habits of one judge were used for both: those of b": (
            ratio(seen - float((columns**2).sum()), 1 - float((columns**2).sum()))
        ),
        "not divided: the most that can be reached above chance is 1 − p_e": seen - chance,
        "divided by p_e: divide by 1 − p_e": ratio(seen - chance, chance),
        "divided by the wrong rest: by 1 − p_e, not by 1 − p_o": ratio(seen - chance, 1 - seen),
        "the size of κ without its sign": abs(ratio(seen - chance, 1 - chance)),
        "in per cent: κ is a plain number": 100 * ratio(seen - chance, 1 - chance),
    }


def check_kappa(q, a, b, hint=None, unmutated=False):
    got = (q.call_checked_unmutated if unmutated else q.call)("kappa", a, b)
    q.close(
        "κ", got, weighted_kappa(counts(a, b)), tol=1e-6, mistakes=kappa_mistakes(a, b), hint=hint, reread=KAPPA_TEXT
    )


def drawn_labels(q, n, names, lean):
    """Two judges: b repeats a in part and otherwise follows habits of their own. Every label occurs."""
    a = [names[min(q.randint(0, len(names)), q.randint(0, len(names)))] for _ in range(n)] + list(names)
    b = [
        x if float(q.rand(())) < lean else names[-1 - min(q.randint(0, len(names)), q.randint(0, len(names)))]
        for x in a[:n]
    ] + list(names)
    return a, b


@KAPPA.case("two judges, three labels")
def _(q):
    check_kappa(
        q,
        *drawn_labels(q, 30, ["first", "second", "skip"], 0.6),
        hint="p_o: how often they say the same. p_e: Σ over labels of (share of a) · (share of b).",
    )


@KAPPA.case("judges with different habits: one nearly always says the same")
def _(q):
    a = ["first"] * 18 + ["second"] * 2
    b = ["first" if float(q.rand(())) < 0.5 else "second" for _ in range(17)] + ["first", "second", "second"]
    check_kappa(
        q, a, b, hint="Each judge has their own habits: multiply the share of a by the share of b, label by label."
    )


@KAPPA.case("worse than chance is negative, complete agreement is 1")
def _(q):
    a = ["first" if k < 7 else "second" for k in q.permutation(13).tolist()]
    check_kappa(q, a, ["second" if x == "first" else "first" for x in a])
    check_kappa(q, a, list(a))


@KAPPA.case("labels of any kind, and some that only one judge uses")
def _(q):
    a = [q.randint(1, 4) for _ in range(25)] + [1, 2]
    b = [x if k % 3 else q.randint(2, 6) for k, x in enumerate(a)]
    check_kappa(q, a, b, hint="Collect the labels of both lists: a label that a never uses has share 0 there.")
    check_kappa(q, ["x", "y", "x", "x"], ["x", "z", "x", "y"])


@KAPPA.case("one judge always says the same: κ is 0")
def _(q):
    n = q.randint(3, 8)
    check_kappa(q, ["first"] * 10, ["first"] * n + ["second"] * (10 - n))


@KAPPA.case("both always say the same: nothing can be said, NaN; a plain number comes back; inputs left alone")
def _(q):
    got = q.call("kappa", ["first"] * 5, ["first"] * 5)
    q.close("κ of 0/0", got, math.nan, hint="1 − p_e is 0: return float('nan').", reread=KAPPA_TEXT)
    a, b = drawn_labels(q, 12, ["first", "second"], 0.7)
    check_kappa(q, a, b, unmutated=True)


# ------------------------------------------------------------------------------------------------------ the Bayes limit

BAYES = Question("bayes_limit", lab=LAB, points=1)
BAYES_TEXT = "§ 5 The best judge there can be"


def first_wins(differences, sharpness):
    """[A N]: probability that annotator a prefers the first answer of pair n, in double precision."""
    return torch.special.expit(sharpness.double()[:, None] * differences.double())


def bayes_mistakes(d, s):
    each = first_wins(d, s)
    p = each.mean(0)
    folded = lambda x: torch.maximum(x, 1 - x)
    made = {
        "the judge was told who labels: the mean over the annotators comes before the maximum": folded(each).mean(),
        "the sharpness is missing": folded(first_wins(d, torch.ones_like(s)).mean(0)).mean(),
        "divided by the sharpness: it multiplies (sharper is surer)": folded(first_wins(d, 1 / s).mean(0)).mean(),
        "the annotators were averaged before σ: the mean of σ is not σ of the mean": (
            folded(torch.special.expit((s[:, None] * d).double().mean(0))).mean()
        ),
        "utilities and sharpness were averaged apart, before σ": (
            folded(torch.special.expit(s.double().mean() * d.double().mean(0))).mean()
        ),
        "this is how often the first answer wins: the judge takes the likelier one, max(p, 1 − p)": p.mean(),
        "the maximum was taken after the mean over the pairs: it is taken pair by pair": folded(p.mean()),
        "this judge draws its verdict like the annotators, p² + (1 − p)²: the best one always takes the likelier "
        "answer": (p**2 + (1 - p) ** 2).mean(),
        "every pair was counted as won: the likelier answer is only likelier": torch.ones(()),
        "the smaller of p and 1 − p was taken: that is the best judge's error": (1 - folded(p)).mean(),
        "one number a pair: take the mean over the pairs": folded(p),
        "tanh where σ should stand": folded(((s[:, None] * d).double().tanh().mean(0) + 1) / 2).mean(),
        "the majority of the annotators was counted, not their probabilities": folded((d > 0).double().mean(0)).mean(),
    }
    return {name: value.float() for name, value in made.items()}


def check_bayes(q, d, s, hint=None, unmutated=False):
    p = first_wins(d, s).mean(0)
    got = (q.call_checked_unmutated if unmutated else q.call)("bayes_limit", d, s)
    q.close(
        "the limit",
        got,
        (0.5 + (p - 0.5).abs()).mean().float(),
        tol=1e-5,
        mistakes=bayes_mistakes(d, s),
        hint=hint,
        reread=BAYES_TEXT,
    )


@BAYES.case("several annotators, drawn at random and not named: mean over the pairs of max(p, 1 − p)")
def _(q):
    check_bayes(
        q,
        2 * q.randn(3, 25) + 0.3,
        0.5 + 2 * q.rand(3),
        hint="p is the mean over the annotators of σ(sharpness · difference), a number for each pair.",
    )


@BAYES.case("one annotator")
def _(q):
    check_bayes(q, q.randn(1, 15), 0.5 + q.rand(1))


@BAYES.case("annotators who want the opposite leave nothing to be known: one half")
def _(q):
    d = q.randn(1, 9)
    check_bayes(q, torch.cat([d, -d]), torch.tensor([1.3, 1.3]), hint="p is one half: no judge can know who is asked.")
    check_bayes(q, torch.zeros(2, 6), torch.tensor([1.0, 4.0]), hint="A pair of equal worth is a coin.")


@BAYES.case("differences of ±10,000: sure labels, no NaN")
def _(q):
    d = 1e4 * torch.sign(q.randn(2, 12))
    got = q.call("bayes_limit", d, torch.tensor([2.0, 0.7]))
    q.true(
        "the limit is NaN or infinite",
        math.isfinite(float(got)),
        hint="exp(x) of a large number is infinite, and ∞/∞ is NaN. torch.sigmoid does it safely.",
        reread=BAYES_TEXT,
    )
    check_bayes(q, d, torch.tensor([2.0, 0.7]))


@BAYES.case("one pair; a single number comes back; inputs left alone")
def _(q):
    d, s = q.randn(4, 1), 0.5 + q.rand(4)
    q.same("the shape", list(q.call("bayes_limit", d, s).shape), [])
    check_bayes(q, d, s)
    check_bayes(q, q.randn(2, 8), 0.5 + q.rand(2), unmutated=True)


# ----------------------------------------------------------------------------------------------- the Bradley–Terry loss

LOSS = Question("bradley_terry_loss", lab=LAB, points=1.5)
LOSS_TEXT = "§ 6 The Bradley–Terry loss"


def pair_losses(chosen, rejected):
    """−log of the probability of the label, a pair: the cross-entropy of the two rewards as logits."""
    return F.cross_entropy(
        torch.stack([chosen, rejected], -1), torch.zeros(len(chosen), dtype=torch.long), reduction="none"
    )


def loss_mistakes(c, r):
    d = c - r
    return {
        "chosen and rejected changed places: the loss must fall when the chosen reward rises": pair_losses(r, c).mean(),
        "the sign is wrong: a loss is −log σ": -pair_losses(c, r).mean(),
        "this is the mean of σ: take −log of it": d.sigmoid().mean(),
        "1 − σ in place of −log σ": (1 - d.sigmoid()).mean(),
        "the losses were summed: take the mean over the pairs": pair_losses(c, r).sum(),
        "divided by all 2B rewards: divide by the B pairs": pair_losses(c, r).sum() / (2 * len(c)),
        "one number a pair: take the mean": pair_losses(c, r),
        "the rewards were averaged before σ: the mean is over the losses": (
            pair_losses(c.mean()[None], r.mean()[None])[0]
        ),
        "the log of the mean of σ: the mean is over the logs": -d.sigmoid().mean().log(),
        "every chosen was compared with every rejected of the batch: a pair belongs together": (
            F.softplus(r[None] - c[:, None]).mean()
        ),
        "the sigmoid was taken of each reward before the difference": -F.logsigmoid(c.sigmoid() - r.sigmoid()).mean(),
        "each reward got its own log σ: only their difference counts": -(F.logsigmoid(c) + F.logsigmoid(-r)).mean(),
        "only the chosen reward was used": -F.logsigmoid(c).mean(),
        "a hinge in place of log σ": F.relu(1 - d).mean(),
        "the loss is in bits: use the natural logarithm": pair_losses(c, r).mean() / math.log(2),
        "the difference was squared": (d**2).mean(),
        "the difference itself, without σ and log": -d.mean(),
        "softplus of the difference, the wrong way round": F.softplus(d).mean(),
    }


def check_loss(q, c, r, hint=None, tol=1e-5, unmutated=False):
    got = (q.call_checked_unmutated if unmutated else q.call)("bradley_terry_loss", c, r)
    q.close(
        "the loss", got, pair_losses(c, r).mean(), tol=tol, mistakes=loss_mistakes(c, r), hint=hint, reread=LOSS_TEXT
    )


@LOSS.case("the mean over the pairs of −log σ(chosen − rejected)")
def _(q):
    check_loss(q, q.randn(7) + 0.5, 2 * q.randn(7))


@LOSS.case("the gradients of both rewards")
def _(q):
    c, r = q.randn(6), q.randn(6)
    _, grads = q.call_with_grad("bradley_terry_loss", [c, r], wrt=(0, 1), cotangent=torch.tensor(1.0))
    leaves = [c.clone().requires_grad_(), r.clone().requires_grad_()]
    pair_losses(*leaves).mean().backward()
    for name, got, leaf in zip(("chosen", "rejected"), grads, leaves):
        q.close(
            f"the gradient of the {name} rewards",
            got,
            leaf.grad,
            tol=1e-5,
            reread=LOSS_TEXT,
            mistakes={
                "not divided by the number of pairs": leaf.grad * len(c),
                "the sign is wrong: gradient descent would make the chosen answer worse": -leaf.grad,
            },
            hint="−σ(rejected − chosen)/B for a chosen reward, the opposite for its rejected one.",
        )


@LOSS.case("differences of ±10,000: exact, with their gradient")
def _(q):
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0])[q.permutation(4)]
    c, r = 5e3 * sign, -5e3 * sign
    got, grads = q.call_with_grad("bradley_terry_loss", [c, r], wrt=(0,), cotangent=torch.tensor(1.0))
    q.true(
        "the loss is NaN or infinite",
        math.isfinite(float(got)),
        hint="σ(−10,000) is 0, and log 0 is −∞. F.logsigmoid does both in one step.",
        reread=LOSS_TEXT,
    )
    q.close(
        "the loss",
        got,
        torch.tensor(5000.0),
        tol=1e-4,
        hint="A clamp or an ε inside the log hides how wrong the model is.",
        reread=LOSS_TEXT,
    )
    q.close(
        "the gradient",
        grads[0],
        torch.where(sign > 0, 0.0, -0.25),
        tol=1e-5,
        hint="A wrong order must still pull with full force: −1/B. A clamp has no gradient.",
        reread=LOSS_TEXT,
    )


@LOSS.case("tied rewards: log 2, and they are pulled apart")
def _(q):
    c = q.randn(5)
    got, grads = q.call_with_grad("bradley_terry_loss", [c, c.clone()], wrt=(0, 1), cotangent=torch.tensor(1.0))
    q.close(
        "the loss",
        got,
        torch.tensor(math.log(2)),
        tol=1e-5,
        hint="σ(0) is one half: a model that knows nothing pays log 2 nats a pair.",
        reread=LOSS_TEXT,
    )
    q.close("the gradient of the chosen rewards", grads[0], torch.full((5,), -0.1), tol=1e-5, reread=LOSS_TEXT)
    q.close("the gradient of the rejected rewards", grads[1], torch.full((5,), 0.1), tol=1e-5, reread=LOSS_TEXT)


@LOSS.case("a reward more for all changes nothing; one pair; a single number; inputs left alone")
def _(q):
    c, r = q.randn(4), q.randn(4)
    check_loss(q, c + 30, r + 30, tol=1e-4, hint="Only differences are seen by Bradley and Terry.")
    check_loss(q, q.randn(1), q.randn(1))
    q.same("the shape", list(q.call("bradley_terry_loss", c, r).shape), [])
    check_loss(q, c, r, unmutated=True)


# ------------------------------------------------------------------------------------------------------ the reward head

HEAD = Question("last_token_rewards", lab=LAB, points=1.5)
HEAD_TEXT = "§ 7 The reward head"


def rows_of(q, spans, T, D=4, pad=0, junk=1.0):
    """(hidden, ids, weight): row b has real tokens at spans[b] = (first, last + 1) and padding elsewhere, with hidden
    states there too.
    """
    ids = torch.full((len(spans), T), pad)
    for row, (first, end) in enumerate(spans):
        drawn = q.randint(1, 50, (end - first,))
        ids[row, first:end] = drawn + (drawn >= pad if pad else 0)
    hidden = q.randn(len(spans), T, D)
    hidden = torch.where((ids == pad)[..., None], junk * hidden, hidden)
    return hidden, ids, q.randn(D)


def picked(hidden, places, weight):
    """The rewards at these places, row by row."""
    return torch.stack([row[int(t)].dot(weight) for row, t in zip(hidden, places)])


def head_mistakes(hidden, ids, weight, pad):
    real, T = ids != pad, ids.shape[1]
    n = real.sum(1)
    places = [int(row.nonzero().max()) for row in real]
    first = [int(row.nonzero().min()) for row in real]
    each = torch.einsum("btd,d->bt", hidden, weight)
    padding = [int((~row).nonzero().min()) if (~row).any() else T for row in real]
    return {
        "the padding id is fixed at 0: use the argument": (
            picked(hidden, [int(row.nonzero().max()) if row.any() else 0 for row in ids != 0], weight)
        ),
        "the last column was read: in a padded row that is padding": each[:, -1],
        "the first token was read": each[:, 0],
        "the first real token was read: the last one has seen the whole answer": picked(hidden, first, weight),
        "the number of real tokens was taken for a place: with padding on the left it is another one": (
            picked(hidden, (n - 1).clamp(min=0), weight)
        ),
        "one place too late: the padding after the answer was read": (
            picked(hidden, [min(t + 1, T - 1) for t in places], weight)
        ),
        "one place too early: the last real token itself is read": (
            picked(hidden, [max(t - 1, 0) for t in places], weight)
        ),
        "the place before the first padding was read: padding may stand on the left too": (
            picked(hidden, [p - 1 for p in padding], weight)
        ),
        "the mean over the tokens was taken: only the last real one counts": torch.where(real, each, 0).sum(1) / n,
        "the sum over the tokens was taken: only the last real one counts": torch.where(real, each, 0).sum(1),
        "the mean over all places was taken, padding too": each.mean(1),
        "the largest reward of the row was taken": each.max(1).values,
        "every row was read at the place of the first row": each[:, places[0]],
        "every row was read at the latest place of the batch": each[:, max(places)],
        "a reward for each token: one number for each row": each,
        "the shape is [B, 1]: it should be [B]": picked(hidden, places, weight)[:, None],
        "a sigmoid was put on the reward: it may be any number": picked(hidden, places, weight).sigmoid(),
    }


def check_head(q, hidden, ids, weight, pad=0, hint=None, unmutated=False, mistakes=True):
    got = (q.call_checked_unmutated if unmutated else q.call)("last_token_rewards", hidden, ids, weight, pad)
    places = [int(row.nonzero().max()) for row in ids != pad]
    q.close(
        "the rewards",
        got,
        picked(hidden, places, weight),
        tol=1e-5,
        mistakes=head_mistakes(hidden, ids, weight, pad) if mistakes else None,
        hint=hint,
        reread=HEAD_TEXT,
    )


@HEAD.case("padding on the right: the hidden state at the last real token, times the weight")
def _(q):
    check_head(q, *rows_of(q, [(0, 3), (0, 7), (0, 5), (0, 2)], 7), hint="Which is the last place where ids != pad_id?")


@HEAD.case("padding on the left, and on both sides")
def _(q):
    check_head(
        q,
        *rows_of(q, [(4, 7), (0, 7), (2, 7)], 7),
        hint="Count places, not tokens: a row of 3 tokens may end at place 6.",
    )
    check_head(q, *rows_of(q, [(1, 4), (3, 6), (2, 3)], 8))


@HEAD.case("the gradient: only the place that was read moves, and the weight")
def _(q):
    hidden, ids, weight = rows_of(q, [(0, 3), (2, 6), (0, 6)], 6)
    cotangent = q.randn(3)
    _, grads = q.call_with_grad("last_token_rewards", [hidden, ids, weight, 0], wrt=(0, 2), cotangent=cotangent)
    leaves = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
    (picked(leaves[0], [2, 5, 5], leaves[1]) * cotangent).sum().backward()
    q.close(
        "the gradient of the hidden states",
        grads[0],
        leaves[0].grad,
        tol=1e-5,
        reread=HEAD_TEXT,
        hint="Every other place must get exactly 0.",
    )
    q.close("the gradient of the weight", grads[1], leaves[1].grad, tol=1e-5, reread=HEAD_TEXT)


@HEAD.case("whatever stands at the padding must not leak in, NaN and infinity included")
def _(q):
    hidden, ids, weight = rows_of(q, [(0, 2), (3, 6), (0, 6)], 6, junk=1e30)
    check_head(q, hidden, ids, weight, mistakes=False)
    bad = torch.where((ids == 0)[..., None], torch.tensor([math.nan, math.inf, -math.inf, math.nan]), hidden)
    check_head(
        q,
        bad,
        ids,
        weight,
        mistakes=False,
        hint="0 · NaN is NaN: pick the place out, do not multiply by a mask and add.",
    )


@HEAD.case("another padding id, and a padding token in the middle of a row")
def _(q):
    hidden, ids, weight = rows_of(q, [(0, 6), (0, 4), (2, 7)], 7, pad=9)
    ids[0, 2], ids[1, 0] = 0, 0
    check_head(q, hidden, ids, weight, pad=9)
    hidden, ids, weight = rows_of(q, [(0, 6), (1, 5)], 7)
    ids[0, 2] = ids[1, 3] = 0
    check_head(q, hidden, ids, weight, hint="The LAST place that is not padding, whatever comes before it.")


@HEAD.case("no padding; one token; one row; inputs left alone")
def _(q):
    check_head(q, *rows_of(q, [(0, 4), (0, 4)], 4))
    check_head(q, *rows_of(q, [(0, 1)], 1), mistakes=False)
    check_head(q, *rows_of(q, [(0, 3), (1, 5)], 5), unmutated=True)


# ---------------------------------------------------------------------------------------------------------- calibration

ECE = Question("ece", lab=LAB, points=1)
ECE_TEXT = "§ 10 Calibration"


def bins_of(p, won, bins):
    """[(n, mean won, mean p)] of the bins that hold something, by numpy's histogram (left ends belong to a bin, 1 to
    the last).
    """
    p, won = p.double().numpy(), won.double().numpy()
    edges = np.linspace(0, 1, bins + 1)
    n, wins, sums = (np.histogram(p, edges, weights=w)[0] for w in (None, won, p))
    return [(float(k), w / k, s / k) for k, w, s in zip(n, wins, sums) if k]


def ece_mistakes(p, won, bins):
    rows = bins_of(p, won, bins)
    N, gaps = len(p), [(n, abs(w - m)) for n, w, m in rows]
    other = bins_of(1 - p, 1 - won.float(), bins)  # borders fall on the other side
    middle = [(n, abs(w - (min(int(m * bins), bins - 1) + 0.5) / bins)) for n, w, m in rows]
    folded = bins_of(torch.maximum(p, 1 - p), ((p > 0.5) == won.bool()).float(), bins)
    quantiles = [
        (len(k), abs(won.double()[k].mean().item() - p.double()[k].mean().item()))
        for k in torch.tensor_split(p.argsort(), min(bins, N))
        if len(k)
    ]
    off = won.double() - p.double()
    below = p < 1
    without_ones = bins_of(p[below], won[below], bins) if below.any() else []
    made = {
        "every bin counts alike: weight each with its share of the pairs": sum(g for _, g in gaps) / len(gaps),
        "every bin counts alike, the empty ones too: weight each with its share of the pairs": (
            sum(g for _, g in gaps) / bins
        ),
        "the largest gap was taken: take the weighted mean": max(g for _, g in gaps),
        "the gaps were squared": sum(n * g * g for n, g in gaps) / N,
        "the gaps kept their sign: over- and underconfidence then cancel": sum(n * (w - m) for n, w, m in rows) / N,
        "the gaps kept their sign: over- and underconfidence then cancel (p − won)": (
            sum(n * (m - w) for n, w, m in rows) / N
        ),
        "the middle of the bin was used: use the mean of its p": sum(n * g for n, g in middle) / N,
        "|won − p| was taken pair by pair: first the means of each bin": off.abs().mean().item(),
        "this is the Brier score, the mean of (won − p)²": (off**2).mean().item(),
        "bins of equal counts were made: their widths are equal": sum(n * g for n, g in quantiles) / N,
        "p was folded to the larger of p and 1 − p first": sum(n * abs(w - m) for n, w, m in folded) / N,
        "p = 1 fell out of the last bin": sum(n * abs(w - m) for n, w, m in without_ones) / N,
        "a p on a border fell into the bin below: the left end belongs to a bin": (
            sum(n * abs(w - m) for n, w, m in other) / N
        ),
        "not divided by the number of pairs": sum(n * g for n, g in gaps),
        "in per cent: the ECE is a plain number": 100 * sum(n * g for n, g in gaps) / N,
    }
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in made.items()}


def check_ece(q, p, won, bins, hint=None, unmutated=False):
    expected = torch.tensor(sum(n * abs(w - m) for n, w, m in bins_of(p, won, bins)) / len(p), dtype=torch.float32)
    got = (q.call_checked_unmutated if unmutated else q.call)("ece", p, won, bins)
    q.close("the ECE", got, expected, tol=1e-5, mistakes=ece_mistakes(p, won, bins), hint=hint, reread=ECE_TEXT)


def drawn_outcomes(q, n, temper=2.5):
    """Probabilities of an overconfident judge and what came of them; none on a border."""
    p = torch.sigmoid(temper * q.randn(n))
    return p, q.rand(n) < 0.5 + 0.4 * (p - 0.5)


@ECE.case("bins of equal width: the mean over the pairs of |share won − mean p| of their bin")
def _(q):
    check_ece(q, *drawn_outcomes(q, 60), 10, hint="For each bin: how many, the share of won, the mean of p.")


@ECE.case("gaps of both signs do not cancel; few pairs, many empty bins")
def _(q):
    p = torch.tensor([0.12, 0.13, 0.86, 0.87]) + 0.02 * q.rand(4)
    check_ece(q, p, torch.tensor([True, True, False, False]), 10, hint="A bin without pairs has no mean: leave it out.")
    check_ece(q, *drawn_outcomes(q, 5), 25)


@ECE.case("a well calibrated judge: 0; a sure one who is always wrong: 1")
def _(q):
    p = torch.tensor([0.25] * 4 + [0.75] * 4)
    check_ece(q, p, torch.tensor([1, 0, 0, 0, 1, 1, 0, 1]).bool(), 5)
    check_ece(
        q, torch.tensor([1.0, 0.0, 1.0]), torch.tensor([False, True, False]), 10, hint="p = 1 belongs to the last bin."
    )


@ECE.case("on the borders: the left end belongs to a bin, and 1 to the last")
def _(q):
    p = torch.tensor([0.0, 0.25, 0.3, 0.5, 0.6, 0.75, 0.7, 1.0])
    check_ece(
        q,
        p,
        torch.tensor([True, False, True, False, True, False, True, False]),
        4,
        hint="(p * bins).long() gives the bin; .clamp(max=bins - 1) brings 1 back.",
    )


@ECE.case("one bin; one pair; won as 0.0 and 1.0; inputs left alone")
def _(q):
    p, won = drawn_outcomes(q, 20)
    check_ece(q, p, won, 1)
    check_ece(q, p[:1], won[:1], 10)
    check_ece(q, p, won.float(), 7, hint="won may be booleans or 0.0 and 1.0: won.float().")
    check_ece(q, p, won, 6, unmutated=True)


# ----------------------------------------------------------------------------------------------------------- the cure

CURE = Question("length_cured_loss", lab=LAB, points=1)
CURE_TEXT = "§ 11 A taste for length, and its cure"


def cured(c, r, cw, rw, w):
    return pair_losses(c + w * cw, r + w * rw).mean()


def cure_mistakes(c, r, cw, rw, w):
    d, words = c - r, (cw - rw).float()
    return {
        "the term for length is missing: this is the plain loss": pair_losses(c, r).mean(),
        "the sign of the term is wrong: it stands for the annotator's taste, and so adds to the side with more words": (
            cured(c, r, cw, rw, -w)
        ),
        "the words were added up: their difference counts": -F.logsigmoid(d + w * (cw + rw)).mean(),
        "the size of the difference was taken: it has a sign": -F.logsigmoid(d + w * words.abs()).mean(),
        "the weight multiplies the rewards: it multiplies the words": -F.logsigmoid(w * d + words).mean(),
        "the weight is missing: every word counted 1": -F.logsigmoid(d + words).mean(),
        "the term stands outside σ, as a penalty on the loss": pair_losses(c, r).mean() + w * words.mean(),
        "the words of the chosen answer alone were used": -F.logsigmoid(d + w * cw).mean(),
        "the words of the rejected answer alone were used": -F.logsigmoid(d - w * rw).mean(),
        "the words were averaged over the batch first": -F.logsigmoid(d + w * words.mean()).mean(),
        "the rewards were divided by the words": -F.logsigmoid(c / cw.clamp(min=1) - r / rw.clamp(min=1)).mean(),
        "the losses were summed: take the mean over the pairs": len(c) * cured(c, r, cw, rw, w),
        "chosen and rejected changed places": pair_losses(r + w * rw, c + w * cw).mean(),
        "the ratio of the words was used: their difference counts": -F.logsigmoid(d + w * cw / rw.clamp(min=1)).mean(),
        "the sign of the loss is wrong: −log σ": -cured(c, r, cw, rw, w),
        "one number a pair: take the mean": -F.logsigmoid(d + w * words),
    }


def drawn_pairs(q, n):
    return q.randn(n), q.randn(n), q.randint(3, 25, (n,)).float(), q.randint(3, 25, (n,)).float()


def check_cure(q, c, r, cw, rw, w, hint=None, unmutated=False, tol=1e-5):
    got = (q.call_checked_unmutated if unmutated else q.call)("length_cured_loss", c, r, cw, rw, w)
    q.close(
        "the loss",
        got,
        cured(c, r, cw, rw, w),
        tol=tol,
        mistakes=cure_mistakes(c, r, cw, rw, w),
        hint=hint,
        reread=CURE_TEXT,
    )


@CURE.case("−log σ(difference of the rewards + weight · difference of the words), the mean over the pairs")
def _(q):
    check_cure(q, *drawn_pairs(q, 8), 0.1 + 0.1 * q.rand(()))


@CURE.case("the gradients of the rewards and of the weight")
def _(q):
    c, r, cw, rw = drawn_pairs(q, 6)
    w = 0.05 + 0.1 * q.rand(())
    _, grads = q.call_with_grad("length_cured_loss", [c, r, cw, rw, w], wrt=(0, 1, 4), cotangent=torch.tensor(1.0))
    leaves = [x.clone().requires_grad_() for x in (c, r, w)]
    cured(leaves[0], leaves[1], cw, rw, leaves[2]).backward()
    for name, got, leaf in zip(("the chosen rewards", "the rejected rewards", "the weight"), grads, leaves):
        q.close(
            f"the gradient of {name}",
            got,
            leaf.grad,
            tol=1e-5,
            reread=CURE_TEXT,
            hint="The weight is learned: no .item(), no float(), no .detach().",
        )


@CURE.case("answers of equal length, or a weight of 0: the plain loss")
def _(q):
    c, r, cw, _ = drawn_pairs(q, 5)
    check_cure(q, c, r, cw, cw.clone(), torch.tensor(0.3))
    check_cure(q, *drawn_pairs(q, 5), torch.tensor(0.0))


@CURE.case("a negative weight; a whole number of words; one pair")
def _(q):
    check_cure(q, *drawn_pairs(q, 6), torch.tensor(-0.2))
    c, r, cw, rw = drawn_pairs(q, 6)
    got = q.call("length_cured_loss", c, r, cw.long(), rw.long(), torch.tensor(0.15))
    q.close(
        "the loss with whole numbers of words", got, cured(c, r, cw, rw, torch.tensor(0.15)), tol=1e-5, reread=CURE_TEXT
    )
    check_cure(q, *drawn_pairs(q, 1), torch.tensor(0.1))


@CURE.case("10,000 words more: exact, no NaN; a single number; inputs left alone")
def _(q):
    c, r, cw, rw = drawn_pairs(q, 4)
    got = q.call("length_cured_loss", c, r, cw, rw + 1e4, torch.tensor(0.5))
    q.true(
        "the loss is NaN or infinite",
        math.isfinite(float(got)),
        hint="log(σ(x)) is log 0 for very negative x: F.logsigmoid does both in one step.",
        reread=CURE_TEXT,
    )
    check_cure(
        q, c, r, cw, rw + 1e4, torch.tensor(0.5), hint="A clamp or an ε inside the log hides how wrong the model is."
    )
    q.same("the shape", list(got.shape), [])
    check_cure(q, c, r, cw, rw, torch.tensor(0.1), unmutated=True)


# ---------------------------------------------------------------------------------------------- the model and the words


def score_model(folder, seed, public):
    """(fraction, message): expected accuracy of the handed-in reward model as a share of the best judge's, on fresh
    pairs of answers of the shipped assistant to prompts drawn from `seed`, the grader's secret one when it grades.
    """
    from pathlib import Path

    from course_lib.evaluation.agreement import judge_accuracy
    from course_lib.stages.artifacts import SHIPPED, ArtifactError, load_folder
    from course_lib.stages.model import RewardModel
    from course_lib.stages.preferences import sample_pairs
    from course_lib.stages.reward import rewards_of
    from course_lib.stages.rollout import assistant
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.annotators import bayes_accuracy, crowd, prompts

    model, tokenizer = load_folder(Path(folder), "reward")[0].eval(), load_tokenizer()
    if not isinstance(model, RewardModel):
        raise ArtifactError('the model has no reward head: train it with train_reward and save_stage("reward", …)')
    if model.config.vocabulary < tokenizer.get_vocab_size():
        raise ArtifactError(
            f"the model knows {model.config.vocabulary} tokens and the course's tokenizer has "
            f"{tokenizer.get_vocab_size()}: train it with the course's tokenizer"
        )
    if model.config.context < 160:
        raise ArtifactError(
            f"the model reads {model.config.context} tokens and a question with its answer may have 160: train it with "
            "a longer context"
        )
    writer = assistant(load_folder(SHIPPED / "sft", "sft")[0].eval())
    pairs = sample_pairs(
        writer,
        tokenizer,
        prompts("test", PROMPTS, f"grade {LAB} {seed}"),
        seed=int.from_bytes(str(seed).encode()[-4:], "little") % 1000,
    )
    asked = [row["messages"] for row, _, _ in pairs]
    first, second = (rewards_of(model, tokenizer, asked, [pair[k] for pair in pairs]) for k in (1, 2))
    p = [crowd(*pair) for pair in pairs]
    accuracy, best = judge_accuracy((first - second).numpy(), p), bayes_accuracy(p)
    percent = 100 * accuracy / best
    fraction = min(1.0, max(0.0, (percent - SHARE_ZERO) / (SHARE_FULL - SHARE_ZERO)))
    return (
        fraction,
        f"accuracy {100 * accuracy:.1f} % on {len(pairs)} fresh pairs, {percent:.1f} % of the best judge's "
        f"{100 * best:.1f} %; full marks from {SHARE_FULL:g} %, none up to {SHARE_ZERO:g} %.",
    )


MODEL = ArtifactQuestion(
    "reward_model", lab=LAB, points=1, stage="reward", score=score_model, title="The reward model that you trained"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Accuracy above the limit",
    rubric="""0.5: says why no judge can be right about every label (annotators differ, and each labels with noise: the
likelier answer is only likelier), AND what an accuracy above the Bayes limit means (on training pairs: labels learned
by heart, noise included, which does not help on new pairs; on test pairs: chance, or a leak).
0.25: only one of the two.  0: neither.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="What your changed run shows",
    rubric="""0.5: states the change and the prediction made before the run, the numbers that came out (accuracy or
share of the limit, preference for length), and says whether the difference is larger than what chance gives, with a
reason that fits (an interval, the number of pairs, or a second seed). A wrong prediction, honestly reported and
explained, earns full marks.
0.25: numbers without a look at chance, or without a reason.  0: no number from a run.""",
)
