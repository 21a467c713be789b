"""Lab 06, preferences and the reward model: the graded questions. Each is written once and runs in the notebook
(`check`) and through the sandbox (`course grade`).

The oracles are library functions or another form of the rule, so that this file does not ship the answers it asks for.
Sources: agreement beyond chance, Cohen 1960 · paired comparison, Bradley and Terry 1952; as a loss, Ouyang et al. 2022
(2203.02155, eq. 1) · expected calibration error, Naeini et al. 2015 (10.1609/aaai.v29i1.9602), of the probability that
the first answer wins (Guo et al. 2017, 1706.04599, bin the confidence in the verdict) · a term for length beside the
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
SHARE_FULL, SHARE_ZERO = 94.0, 80.0  # one model's share moves by 1.5 % (one deviation) with the pairs that are drawn
PROMPTS = 300  # drawn from the seed; the shipped assistant answers each twice: where the two differ they make a pair


def close(q, label, got, expected, **options):
    """q.close where a tensor of any precision is asked for: float64 will do, a Python number won't."""
    q.close(label, got, expected, check_dtype=not isinstance(got, torch.Tensor), **options)


# ---------------------------------------------------------------------------------------------------------------- kappa

KAPPA_TEXT = "§ 3 Agreement beyond chance"
BELOW = "worse than chance is below 0"
KINDS = "labels are texts or numbers, and a kind may be used by one judge only"
NOTHING = "where both always say the same nothing can be said: NaN"
KAPPA = Question("kappa", lab=LAB, points=0.75, rules=(BELOW, KINDS, NOTHING))


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


def told(table, names, order):
    """Two judges' labels with table[i][j] cases of (names[i], names[j]), in this order."""
    pairs = [(x, y) for x, row in zip(names, table) for y, n in zip(names, row) for _ in range(n)]
    pairs = [pairs[k] for k in order]
    return [x for x, _ in pairs], [y for _, y in pairs]


@KAPPA.case("two judges, three labels, each judge with their own habits", reread=KAPPA_TEXT)
def _(q):
    # a says "first" most often, b "second"; every label is used by both
    table = [[9 + q.randint(0, 6), 7, 1], [2, 4 + q.randint(0, 4), 2], [1, 3, 3]]
    check_kappa(
        q,
        *told(table, ["first", "second", "skip"], q.permutation(sum(map(sum, table))).tolist()),
        hint="p_o: how often they say the same. p_e: Σ over labels of (share of a) · (share of b).",
    )


@KAPPA.case(BELOW, rule=BELOW, reread=KAPPA_TEXT)
def _(q):
    n = 6 + q.randint(0, 5)
    a, b = told([[3, n], [5, 2]], ["first", "second"], q.permutation(n + 10).tolist())
    check_kappa(q, a, b, hint="Nothing is cut off at 0.")


@KAPPA.case(
    KINDS,
    rule=KINDS,
    hint="Collect the labels of both lists: a label that one judge never uses has share 0 there.",
    reread=KAPPA_TEXT,
)
def _(q):
    check_kappa(q, *told([[4, 2, 0, 1], [1, 5, 0, 0], [1, 0, 0, 2]], [1, 2, 7, 9], q.permutation(16).tolist()))
    n = q.randint(3, 8)
    check_kappa(q, ["first"] * 10, ["first"] * n + ["second"] * (10 - n))


@KAPPA.case(NOTHING, rule=NOTHING, hint="1 − p_e is 0: return float('nan').", reread=KAPPA_TEXT)
def _(q):
    q.close("κ of 0/0", q.call("kappa", ["first"] * 5, ["first"] * 5), math.nan)


@KAPPA.case("complete agreement: 1; the lists are left alone")
def _(q):
    check_kappa(q, ["second", "first", "first"], ["second", "first", "first"], unmutated=True)


# ------------------------------------------------------------------------------------------------------ the Bayes limit

BAYES_TEXT = "§ 5 The best judge there can be"
FAR_APART = "differences may be huge: sure labels, no NaN"
BAYES = Question("bayes_limit", lab=LAB, points=0.75, rules=(FAR_APART,))


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
    close(
        q,
        "the limit",
        got,
        (0.5 + (p - 0.5).abs()).mean().float(),
        tol=1e-5,
        mistakes=bayes_mistakes(d, s),
        hint=hint,
        reread=BAYES_TEXT,
    )


@BAYES.case(
    "several annotators, drawn at random and not named: mean over the pairs of max(p, 1 − p)", reread=BAYES_TEXT
)
def _(q):
    # each mistake has a value of its own: people differ in sharpness, the second answer wins more often
    d = torch.tensor([-0.8, 0.5, -0.5])[:, None] + q.randn(3, 25).clamp(-1.5, 1.5)
    check_bayes(
        q,
        d,
        torch.tensor([0.5, 1.2, 2.2])[q.permutation(3)],
        hint="p is the mean over the annotators of σ(sharpness · difference), a number for each pair.",
    )


@BAYES.case(
    FAR_APART,
    rule=FAR_APART,
    hint="exp(x) of a large number is infinite, and ∞/∞ is NaN. torch.sigmoid does it safely.",
    reread=BAYES_TEXT,
)
def _(q):
    d = torch.tensor([[1e4, -1e4, 1e4, -1e4], [1e4, -1e4, -1e4, 1e4]])[:, q.permutation(4)]
    check_bayes(q, d, torch.tensor([2.0, 0.7]))


@BAYES.case("one annotator; annotators who want the opposite leave one half; inputs left alone", reread=BAYES_TEXT)
def _(q):
    check_bayes(q, q.randn(1, 15), 0.5 + q.rand(1))
    d = q.randn(1, 9)
    check_bayes(q, torch.cat([d, -d]), torch.tensor([1.3, 1.3]), hint="p is one half: no judge can know who is asked.")
    check_bayes(q, q.randn(2, 8), 0.5 + q.rand(2), unmutated=True)


# ----------------------------------------------------------------------------------------------- the Bradley–Terry loss

LOSS_TEXT = "§ 6 The Bradley–Terry loss"
PULLED = "both rewards get a gradient"
HUGE = "rewards may be huge: the loss is exact, and a wrong order pulls with full force"
TIED = "a pair of equal rewards pays log 2, and is pulled apart"
LOSS = Question("bradley_terry_loss", lab=LAB, points=1.5, rules=(PULLED, HUGE, TIED))
FULL_FORCE = "A wrong order must still pull with full force: −1/B. A clamp has no gradient, an ε hides how wrong it is."


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
    }


def check_loss(q, c, r, hint=None, tol=1e-5, unmutated=False):
    got = (q.call_checked_unmutated if unmutated else q.call)("bradley_terry_loss", c, r)
    close(
        q, "the loss", got, pair_losses(c, r).mean(), tol=tol, mistakes=loss_mistakes(c, r), hint=hint, reread=LOSS_TEXT
    )


@LOSS.case("the mean over the pairs of −log σ(chosen − rejected)", reread=LOSS_TEXT)
def _(q):
    check_loss(q, q.randn(7).clamp(-2, 2) + 0.5, 1.5 * q.randn(7).clamp(-2, 2) - 0.3)


@LOSS.case(PULLED, rule=PULLED, reread=LOSS_TEXT)
def _(q):
    c, r = q.randn(6), q.randn(6)
    both = ("chosen", "rejected")
    _, grads = q.call_with_grad("bradley_terry_loss", [c, r], (0, 1), torch.tensor(1.0), names=both)
    leaves = [c.clone().requires_grad_(), r.clone().requires_grad_()]
    pair_losses(*leaves).mean().backward()
    for name, got, leaf in zip(both, grads, leaves):
        q.close(
            f"the gradient of the {name} rewards",
            got,
            leaf.grad,
            tol=1e-5,
            mistakes={
                "not divided by the number of pairs": leaf.grad * len(c),
                "the sign is wrong: gradient descent would make the chosen answer worse": -leaf.grad,
            },
            hint="−σ(rejected − chosen)/B for a chosen reward, the opposite for its rejected one.",
        )


def check_huge(q, loss_of, hint):
    """Differences of ±10,000, two pairs of four in the wrong order. loss_of(c, r): (loss, gradient of c)."""
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0])[q.permutation(4)]
    got, grad = loss_of(5e3 * sign, -5e3 * sign)
    q.true(
        "the loss is NaN or infinite",
        math.isfinite(float(got)),
        hint="σ(−10,000) is 0, and log 0 is −∞. F.logsigmoid does both in one step.",
    )
    close(q, "the loss", got, torch.tensor(5000.0), tol=1e-5, hint=hint)
    q.close("the gradient of the chosen rewards", grad, torch.where(sign > 0, 0.0, -0.25), tol=1e-6, hint=hint)


@LOSS.case(HUGE, rule=HUGE, hint=FULL_FORCE, reread=LOSS_TEXT)
def _(q):
    def loss_of(c, r):
        got, grads = q.call_with_grad("bradley_terry_loss", [c, r], (0,), torch.tensor(1.0), names=("chosen",))
        return got, grads[0]

    check_huge(q, loss_of, FULL_FORCE)


@LOSS.case(
    TIED, rule=TIED, hint="σ(0) is one half: a model that knows nothing pays log 2 nats a pair.", reread=LOSS_TEXT
)
def _(q):
    c = q.randn(5)
    got, grads = q.call_with_grad("bradley_terry_loss", [c, c.clone()], (0,), torch.tensor(1.0), names=("chosen",))
    close(q, "the loss", got, torch.tensor(math.log(2)), tol=1e-5)
    slope = (
        "relu and abs have no slope at 0; F.logsigmoid and F.softplus have the right one, −1/(2B) for a chosen reward."
    )
    flat = not bool(grads[0].any())
    q.close(
        "the gradient of the chosen rewards", grads[0], torch.full((5,), -0.1), tol=1e-5, hint=slope if flat else None
    )


@LOSS.case("a reward more for all changes nothing; one pair; inputs left alone", reread=LOSS_TEXT)
def _(q):
    c, r = q.randn(4), q.randn(4)
    check_loss(q, c + 30, r + 30, tol=1e-4, hint="Only differences are seen by Bradley and Terry.")
    check_loss(q, q.randn(1), q.randn(1))
    check_loss(q, c, r, unmutated=True)


# ------------------------------------------------------------------------------------------------------ the reward head

HEAD_TEXT = "§ 7 The reward head"
ANYWHERE = "padding may stand on the left, on both sides, and in the middle"
ANY_ID = "pad_id may be any id, and a token with id 0 a real one"
NO_LEAK = "what stands at the padding leaks neither into the rewards nor into a gradient"
ONLY_THERE = "the place that was read gets a gradient, and no other"
HEAD = Question("last_token_rewards", lab=LAB, points=1.5, rules=(ANYWHERE, ANY_ID, NO_LEAK, ONLY_THERE))


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
        "the last column was read: in a padded row that is padding": each[:, -1],
        "the first token was read: the last one has seen the whole answer": picked(hidden, first, weight),
        "the real tokens were counted: look for the last place, as padding may stand before and between them": (
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


def check_head(q, hidden, ids, weight, pad=0, hint=None, unmutated=False, mistakes=head_mistakes):
    got = (q.call_checked_unmutated if unmutated else q.call)("last_token_rewards", hidden, ids, weight, pad)
    places = [int(row.nonzero().max()) for row in ids != pad]
    close(
        q,
        "the rewards",
        got,
        picked(hidden, places, weight),
        tol=1e-5,
        mistakes=mistakes(hidden, ids, weight, pad) if mistakes else None,
        hint=hint,
        reread=HEAD_TEXT,
    )


@HEAD.case("padding on the right: the hidden state at the last real token, times the weight", reread=HEAD_TEXT)
def _(q):
    # no row fills the batch, and the first is not the longest: each mistake reads somewhere else
    check_head(q, *rows_of(q, [(0, 3), (0, 6), (0, 5), (0, 2)], 8), hint="Which is the last place where ids != pad_id?")


@HEAD.case(
    "padding on the left, and on both sides",
    rule=ANYWHERE,
    hint="Count places, not tokens: a row of 3 tokens may end at place 6.",
    reread=HEAD_TEXT,
)
def _(q):
    check_head(q, *rows_of(q, [(4, 7), (0, 7), (2, 7)], 7))
    check_head(q, *rows_of(q, [(1, 4), (3, 6), (0, 3)], 8))


@HEAD.case(
    "padding in the middle",
    rule=ANYWHERE,
    hint="The LAST place that is not padding, whatever comes before it.",
    reread=HEAD_TEXT,
)
def _(q):
    hidden, ids, weight = rows_of(q, [(0, 6), (0, 5)], 7)
    ids[0, 2] = ids[1, 1] = ids[1, 3] = 0
    check_head(q, hidden, ids, weight)


@HEAD.case(ANY_ID, rule=ANY_ID, hint="Compare with the argument, ids != pad_id.", reread=HEAD_TEXT)
def _(q):
    hidden, ids, weight = rows_of(q, [(0, 6), (0, 4), (0, 7)], 7, pad=9)
    ids[0, 5], ids[1, 0] = 0, 0
    fixed = lambda *_: {"the padding id is fixed at 0: use the argument": hidden[:, -1] @ weight}
    check_head(q, hidden, ids, weight, pad=9, mistakes=fixed)


PICK = "0 · NaN is NaN: pick the place out, then multiply. Do not multiply by a mask and add."


def with_junk(q):
    """Rows on the right, whose padding holds NaN and infinity."""
    hidden, ids, weight = rows_of(q, [(0, 2), (0, 4), (0, 6)], 6)
    junk = torch.tensor([math.nan, math.inf, -math.inf, math.nan])
    return torch.where((ids == 0)[..., None], junk, hidden), ids, weight


@HEAD.case("NaN and infinity at the padding do not leak into the rewards", rule=NO_LEAK, hint=PICK, reread=HEAD_TEXT)
def _(q):
    check_head(q, *with_junk(q), mistakes=None)


@HEAD.case("nor into the gradient of the weight", rule=NO_LEAK, hint=PICK, reread=HEAD_TEXT)
def _(q):
    hidden, ids, weight = with_junk(q)
    _, grads = q.call_with_grad("last_token_rewards", [hidden, ids, weight, 0], (2,), torch.ones(3), names=("weight",))
    q.close("the gradient of the weight", grads[0], hidden[[0, 1, 2], [1, 3, 5]].sum(0), tol=1e-5)


@HEAD.case(ONLY_THERE, rule=ONLY_THERE, hint="Every other place must get exactly 0.", reread=HEAD_TEXT)
def _(q):
    hidden, ids, weight = rows_of(q, [(0, 3), (0, 5), (0, 6)], 6)
    cotangent = 1 + q.rand(3)
    _, grads = q.call_with_grad("last_token_rewards", [hidden, ids, weight, 0], (0,), cotangent, names=("hidden",))
    expected = torch.zeros_like(hidden)
    expected[[0, 1, 2], [2, 4, 5]] = cotangent[:, None] * weight
    q.close("the gradient of the hidden states", grads[0], expected, tol=1e-5)
    q.true("a place that was not read has a gradient", not bool(grads[0][expected == 0].any()))


@HEAD.case("no padding; one token; inputs left alone", reread=HEAD_TEXT)
def _(q):
    check_head(q, *rows_of(q, [(0, 4), (0, 4)], 4))
    check_head(q, *rows_of(q, [(0, 1)], 1), mistakes=None)
    check_head(q, *rows_of(q, [(0, 3), (0, 5)], 5), unmutated=True)


# ---------------------------------------------------------------------------------------------------------- calibration

ECE_TEXT = "§ 10 Calibration"
LEFT_OUT = "a bin without pairs is left out"
LEFT_END = "the left end belongs to a bin, the right end to the next"
ONE = "p = 1 belongs to the last bin"
AS_FLOATS = "won may be booleans or 0.0 and 1.0"
ECE = Question("ece", lab=LAB, points=0.75, rules=(LEFT_OUT, LEFT_END, ONE, AS_FLOATS))


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
    close(q, "the ECE", got, expected, tol=1e-5, mistakes=ece_mistakes(p, won, bins), hint=hint, reread=ECE_TEXT)


def drawn_outcomes(q, bins):
    """(p, won) of a judge who is too sure, won as booleans: from two to five pairs in each bin, none near a border."""
    counts = torch.tensor([2, 5, 3, 4, 2, 3, 5, 4])[torch.arange(bins) % 8]
    where = torch.arange(bins).repeat_interleave(counts)
    p = (where + 0.1 + 0.8 * q.rand(len(where))) / bins
    won = torch.arange(len(where)) % 3 == 0  # one in three, whatever p says: gaps of both signs
    order = q.permutation(len(where))
    return p[order], won[order]


@ECE.case("bins of equal width: the mean over the pairs of |share won − mean p| of their bin", reread=ECE_TEXT)
def _(q):
    check_ece(q, *drawn_outcomes(q, 8), 8, hint="For each bin: how many, the share of won, the mean of p.")


@ECE.case(LEFT_OUT, rule=LEFT_OUT, hint="A bin without pairs has no mean: leave it out.", reread=ECE_TEXT)
def _(q):
    p = torch.tensor([0.12, 0.13, 0.86, 0.87, 0.41]) + 0.01 * q.rand(5)
    check_ece(q, p, torch.tensor([True, True, False, False, True]), 10)


@ECE.case(LEFT_END, rule=LEFT_END, hint="(p * bins).long() gives the bin.", reread=ECE_TEXT)
def _(q):
    p = torch.tensor([0.25, 0.3, 0.5, 0.6, 0.75, 0.7, 0.1, 0.0])
    check_ece(q, p, torch.tensor([False, True, False, True, False, True, True, False]), 4)


@ECE.case(ONE, rule=ONE, hint="(p * bins).long() is `bins` for p = 1: .clamp(max=bins - 1).", reread=ECE_TEXT)
def _(q):
    p, won = drawn_outcomes(q, 8)
    check_ece(q, torch.cat([p, torch.ones(2)]), torch.cat([won, torch.tensor([False, False])]), 8)


@ECE.case(AS_FLOATS, rule=AS_FLOATS, hint="won.float() serves both.", reread=ECE_TEXT)
def _(q):
    p, won = drawn_outcomes(q, 8)
    check_ece(q, p, won.float(), 8)


@ECE.case("one bin; one pair; a judge who is right about his chances: 0; inputs left alone", reread=ECE_TEXT)
def _(q):
    p, won = drawn_outcomes(q, 8)
    check_ece(q, p, won, 1)
    check_ece(q, p[:1], won[:1], 1)
    check_ece(q, torch.tensor([0.25, 0.75] * 4), torch.tensor([1, 1, 0, 1, 0, 1, 0, 0]).bool(), 2)
    check_ece(q, p, won, 8, unmutated=True)


# ------------------------------------------------------------------------------------------------------- find the bug

MEND_TEXT = "§ 11 Find the bug"
SUSPECT = "the suspect is named"
MENDED_HUGE = "a pair in the wrong order pulls with full force, however far it is off"
MEND = Question("mend_the_loss", lab=LAB, points=0.75, rules=(SUSPECT, MENDED_HUGE))
NOT_THIS = {
    "a": "with the places changed the accuracy would fall below one half",
    "b": "nothing is cut out of the graph: both rewards stand in p_label",
    "c": "added up, a batch of 64 pairs would begin at 64 · 0.693",
    "e": "chosen − rejected has B entries: each chosen answer meets its own rejected one",
    "f": "with another base the first loss would not be 0.693",
}


def mended(q, c, r):
    """(the loss, the suspect) that came back, of the right kinds."""
    got = q.call("mend_the_loss", c, r)
    hint = 'return the loss and the letter: `return loss, "…"`'
    q.true("a loss and a letter are due, in this order", type(got) in (list, tuple) and len(got) == 2, hint=hint)
    return got


def check_mended(q, c, r, mistakes=None):
    loss = mended(q, c, r)[0]
    expected = pair_losses(c, r).mean()
    close(q, "the loss", loss, expected, tol=1e-5, mistakes=mistakes)


@MEND.case("the loss, mended: the mean over the pairs of −log σ(chosen − rejected)", reread=MEND_TEXT)
def _(q):
    c, r = q.randn(6).clamp(-2, 2) + 0.5, 1.5 * q.randn(6).clamp(-2, 2) - 0.3
    check_mended(q, c, r, mistakes=loss_mistakes(c, r))


@MEND.case(SUSPECT, rule=SUSPECT, hint="Look at the two lines of the loss: what is done first?", reread=MEND_TEXT)
def _(q):
    said = mended(q, q.randn(3), q.randn(3))[1]
    letter = said.strip().lower() if type(said) is str else ""
    q.true("it is another suspect", letter == "d", mistake=NOT_THIS.get(letter))


@MEND.case(MENDED_HUGE, rule=MENDED_HUGE, hint=FULL_FORCE, reread=MEND_TEXT)
def _(q):
    def loss_of(c, r):
        got, grads = q.call_with_grad("mend_the_loss", [c, r], (0,), torch.tensor(1.0), names=("chosen",))
        return got[0], grads[0]

    check_huge(q, loss_of, FULL_FORCE)


@MEND.case("one pair; inputs left alone", reread=MEND_TEXT)
def _(q):
    c, r = q.randn(1), q.randn(1)
    check_mended(q, c, r)
    q.call_checked_unmutated("mend_the_loss", q.randn(4), q.randn(4))


# ----------------------------------------------------------------------------------------------------------- the cure

CURE_TEXT = "§ 12 A taste for length"
LEARNED = "the weight is learned: it gets a gradient, as the rewards do"
ANY_SIGN = "the weight may have any sign"
WHOLE = "the words may be floats or whole numbers"
FAR = "an answer may have 10,000 words more: no clamp, and no infinity"
CURE = Question("length_cured_loss", lab=LAB, points=1, rules=(LEARNED, ANY_SIGN, WHOLE, FAR))


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
    """(chosen rewards, rejected rewards, their words, their words): the chosen answers are longer in the mean."""
    chosen_words = torch.tensor([9.0, 14.0, 4.0, 20.0, 7.0, 12.0])[:n]
    return q.randn(n), q.randn(n), chosen_words + q.randint(0, 3, (n,)), q.randint(3, 12, (n,)).float()


def check_cure(q, c, r, cw, rw, w, hint=None, unmutated=False, mistakes=cure_mistakes):
    got = (q.call_checked_unmutated if unmutated else q.call)("length_cured_loss", c, r, cw, rw, w)
    close(
        q,
        "the loss",
        got,
        cured(c, r, cw, rw, w),
        tol=1e-5,
        mistakes=mistakes(c, r, cw, rw, w),
        hint=hint,
        reread=CURE_TEXT,
    )


@CURE.case(
    "−log σ(difference of the rewards + weight · difference of the words), the mean over the pairs", reread=CURE_TEXT
)
def _(q):
    check_cure(q, *drawn_pairs(q, 6), 0.1 + 0.1 * q.rand(()))


@CURE.case(LEARNED, rule=LEARNED, hint="No .item(), no float(), no .detach().", reread=CURE_TEXT)
def _(q):
    c, r, cw, rw = drawn_pairs(q, 6)
    w, names = 0.05 + 0.1 * q.rand(()), ("chosen", "rejected", "weight")
    _, grads = q.call_with_grad("length_cured_loss", [c, r, cw, rw, w], (0, 1, 4), torch.tensor(1.0), names=names)
    leaves = [x.clone().requires_grad_() for x in (c, r, w)]
    cured(leaves[0], leaves[1], cw, rw, leaves[2]).backward()
    for name, got, leaf in zip(names, grads, leaves):
        q.close(f"the gradient of `{name}`", got, leaf.grad, tol=1e-5)


@CURE.case(ANY_SIGN, rule=ANY_SIGN, hint="Somebody may like short answers: w is then below 0.", reread=CURE_TEXT)
def _(q):
    cut = lambda c, r, *_: {"a weight below 0 was cut off: it may have any sign": pair_losses(c, r).mean()}
    check_cure(q, *drawn_pairs(q, 6), torch.tensor(-0.2), mistakes=cut)


@CURE.case(WHOLE, rule=WHOLE, hint="weight * words makes floats of whole numbers.", reread=CURE_TEXT)
def _(q):
    c, r, cw, rw = drawn_pairs(q, 6)
    got = q.call("length_cured_loss", c, r, cw.long(), rw.long(), torch.tensor(0.15))
    close(q, "the loss", got, cured(c, r, cw, rw, torch.tensor(0.15)), tol=1e-5)


@CURE.case(
    FAR,
    rule=FAR,
    hint="log(σ(x)) is log 0 for very negative x: F.logsigmoid does both in one step. A clamp or an ε hides how wrong "
    "the model is.",
    reread=CURE_TEXT,
)
def _(q):
    c, r, cw, rw = drawn_pairs(q, 4)
    check_cure(q, c, r, cw, rw + 1e4, torch.tensor(0.5))


@CURE.case("answers of equal length: the plain loss; one pair; inputs left alone", reread=CURE_TEXT)
def _(q):
    c, r, cw, rw = drawn_pairs(q, 5)
    check_cure(q, c, r, cw, cw.clone(), torch.tensor(0.3))
    check_cure(q, *drawn_pairs(q, 1), torch.tensor(0.1))
    check_cure(q, c, r, cw, rw, torch.tensor(0.1), unmutated=True)


# ---------------------------------------------------------------------------------------------- the model and the words


def score_model(folder, seed, public):
    """(fraction, message): expected accuracy of the handed-in reward model as a share of the best judge's, on fresh
    pairs of answers of the shipped assistant to prompts drawn from `seed`, the grader's secret one when it grades.
    """
    from pathlib import Path

    from course_lib.evaluation.agreement import judge_accuracy
    from course_lib.evaluation.handed_in import check_reads, points_share
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
    check_reads(model, 160)
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
    return (
        points_share(percent, SHARE_ZERO, SHARE_FULL),
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
    rubric="""0.5: says why no judge can be right about every label (each annotator labels with noise: the likelier
answer is only likelier; that annotators differ may be named and is not needed), AND what an accuracy above the Bayes
limit means (on training pairs: labels learned by heart, noise included, which does not help on new pairs; on test
pairs: chance, or a leak).
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
