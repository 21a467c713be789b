"""Lab 07, RLHF: the graded questions. Each is written once and runs in the notebook (`check`) and through the sandbox
(`course grade`).

The oracles are another form of the formula (sums in place of a recursion, cases in place of a minimum, all draws in
place of a weight), so that this file does not ship the answers it asks for.
Sources: KL penalty, Ziegler et al. 2019 (1909.08593), Ouyang et al. 2022 (2203.02155) · GAE, Schulman et al. 2016
(1506.02438), eq. 16 · clipping, Schulman et al. 2017 (1707.06347), eq. 7 · GRPO, Shao et al. 2024 (2402.03300), in
TRL's form · best of n, Beirami et al. 2024 (2401.01879).
"""

import itertools
import math
import statistics

import torch

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "07_rlhf"

# The handed-in policy: full marks from a mean gold utility of SCORE_FULL on, none at or under SCORE_ZERO, a straight
# line between. The assistant that everybody starts from has 1.9 (docs/results/rlhf-laptop.json has the trained ones,
# five seeds).
SCORE_FULL, SCORE_ZERO = 2.5, 2.0
PROMPTS, EACH = 150, 2  # drawn from the seed

LEFT_ALONE = "float64 in, float64 out; the inputs are left alone"


def ragged(spans, T):
    """[B T], True on an answer: from its first to before its last place, a span a row."""
    mask = torch.zeros(len(spans), T, dtype=torch.bool)
    for b, (start, end) in enumerate(spans):
        mask[b, start:end] = True
    return mask


WHOLE = ragged([(0, 6)] * 3, 6)  # answers and nothing else
BEFORE = ragged([(2, 6), (4, 6), (1, 6)], 6)  # a prompt before each answer
AFTER = ragged([(0, 4), (0, 2), (0, 5)], 6)  # padding behind each answer
ALIKE = ragged([(2, 6)] * 3, 6)  # answers of one length, each with a prompt before it
BOTH = ragged([(1, 5), (3, 4), (2, 7), (2, 8)], 8)


def places(mask):
    """[[places of the masked tokens of a row], …]"""
    return [[t for t, on in enumerate(row) if on] for row in mask.tolist()]


PUT_TO_0 = "prompt and padding were put to 0, but counted in the mean: divide by mask.sum()"


def over_others(terms, mask):
    """{mistake: value} of a mean of terms [B T] that is not the one over all tokens of the answers."""
    of_answers = torch.stack([terms[b, row].mean() for b, row in enumerate(places(mask))])
    first = "each answer was averaged first, then the answers: here every token of the batch counts the same"
    return {"the mean ran over prompt and padding, too": terms.mean(), first: of_answers.mean()}


def filled(rows, shape, dtype):
    """{(b, t): number} as a tensor, 0 elsewhere."""
    out = torch.zeros(shape, dtype=torch.float64)
    for (b, t), value in rows.items():
        out[b, t] = value
    return out.to(dtype)


# ----------------------------------------------------------------------------------------------------------- KL penalty

LAST_TRUE = "the score stands at the last token of the answer, the last True of its mask"
PENALTY_OFF = "0 off the answer, whatever the inputs hold there: −∞ and NaN, too"
EARNS = "a token that π likes less than π_ref earns something"
PENALTY = Question("kl_penalty", lab=LAB, points=1, rules=(LAST_TRUE, PENALTY_OFF, EARNS))
PENALTY_TEXT = "§ 3 A token is an action"


def oracle_penalty(
    scores, logprobs, reference, mask, beta, sign=-1.0, score_at=lambda row: row[-1:], score=1.0,
    ratio=lambda a, b: a - b,
):  # fmt: skip
    rows = {}
    for b, row in enumerate(places(mask)):
        rows |= {(b, t): sign * beta * ratio(float(logprobs[b, t]), float(reference[b, t])) for t in row}
        for t in score_at(row):
            rows[b, t] = rows.get((b, t), 0.0) + score * float(scores[b])
    return filled(rows, logprobs.shape, logprobs.dtype)


def penalty_inputs(q, mask):
    """Scores, log-probabilities and those of a reference that likes every token less, with numbers off the mask."""
    B, T = mask.shape
    logprobs = -2 * q.rand(B, T) - 0.1
    return q.rand(B) + 1.5, logprobs, logprobs - 0.3 - q.rand(B, T), mask


@PENALTY.case("−β (log π − log π_ref) at each token, the score at the last one", reread=PENALTY_TEXT)
def _(q):
    scores, logprobs, reference, mask = args = penalty_inputs(q, WHOLE)
    T = mask.shape[1]
    shown = lambda **changes: oracle_penalty(*args, 0.3, **changes)
    gone = logprobs - reference
    q.close(
        "the rewards",
        q.call("kl_penalty", *args, 0.3),
        shown(),
        tol=1e-5,
        mistakes={
            "the sign of the penalty is wrong: a token that π likes better than π_ref costs something": shown(sign=1.0),
            "β is missing": oracle_penalty(*args, 1.0),
            "the score is missing": shown(score=0.0),
            "the score was given at every token of the answer: the reward model speaks once, at the last": (
                shown(score_at=lambda row: row)
            ),
            "the score was given at the first token of the answer: it belongs to the last": (
                shown(score_at=lambda row: row[:1])
            ),
            "the score was spread over the answer's tokens: the reward model speaks once": (
                shown(score=0.0) + scores[:, None] / T
            ),
            "the whole penalty was taken at the last token: each token pays its own": filled(
                {(b, T - 1): float(scores[b]) - 0.3 * float(gone[b].sum()) for b in range(len(mask))},
                mask.shape,
                torch.float32,
            ),
            "that is the estimator k3, which is never negative: here each token pays log π − log π_ref, whatever its "
            "sign": shown(ratio=lambda a, b: math.exp(b - a) - 1 - (b - a)),
            "the ratio π / π_ref was taken without its logarithm": shown(ratio=lambda a, b: math.exp(a - b)),
            "the score took the place of the last token's penalty: add them": torch.where(
                torch.arange(T) == T - 1, scores[:, None], shown()
            ),
            "the score was multiplied by β, too": shown(score=0.3),
            "the penalty was divided by the answer's length: each token pays in full": (oracle_penalty(*args, 0.3 / T)),
        },
    )


@PENALTY.case(
    "rows of prompt, answer, padding: the score at the last token of the answer",
    rule=LAST_TRUE,
    hint="The last True of a row: (mask * torch.arange(T)).argmax(1).",
    reread=PENALTY_TEXT,
)
def _(q):
    args = penalty_inputs(q, BOTH)
    mask, T = BOTH, BOTH.shape[1]
    on = lambda rewards: torch.where(mask, rewards, 0.0)  # what stands off the answer is another rule's
    shown = lambda score_at: on(oracle_penalty(*args, 0.3, score_at=score_at))
    q.close(
        "the rewards on the answers",
        on(q.call("kl_penalty", *args, 0.3)),
        oracle_penalty(*args, 0.3),
        tol=1e-5,
        mistakes={
            "the score stands in the last column, which may be padding": shown(lambda row: [T - 1]),
            "the score was given at place mask.sum() − 1: that forgets the prompt before the answer": (
                shown(lambda row: [len(row) - 1])
            ),
        },
    )


@PENALTY.case(
    "prompts that hold −∞ and NaN",
    rule=PENALTY_OFF,
    hint="0 · NaN is NaN: take torch.where(mask, …, 0.0) in place of a product with the mask.",
    reread=PENALTY_TEXT,
)
def _(q):
    scores, logprobs, reference, mask = penalty_inputs(q, BEFORE)
    logprobs[0, 0], logprobs[1, 0], reference[1, 0], logprobs[1, 2] = math.nan, -math.inf, -math.inf, -math.inf
    got = q.call("kl_penalty", scores, logprobs, reference, mask, 0.1)
    off = ~mask
    q.close(
        "the rewards off the answer",
        got[off],
        torch.zeros(int(off.sum())),
        tol=0,
        mistakes={
            "prompt and padding were penalised, too": (-0.1 * (logprobs - reference))[off],
            "a product with the mask: 0 · NaN is NaN, take torch.where": (-0.1 * (logprobs - reference) * mask)[off],
        },
    )
    q.close("the rewards", got, oracle_penalty(scores, logprobs, reference, mask, 0.1), tol=1e-5)


@PENALTY.case(EARNS, rule=EARNS, hint="No clamp and no abs: the penalty has both signs.", reread=PENALTY_TEXT)
def _(q):
    scores, logprobs, reference, mask = penalty_inputs(q, WHOLE)
    reference[:, ::2] = logprobs[:, ::2] + 0.4
    args = (scores, logprobs, reference, mask)
    shown = lambda ratio: oracle_penalty(*args, 0.3, ratio=ratio)
    q.close(
        "the rewards",
        q.call("kl_penalty", *args, 0.3),
        oracle_penalty(*args, 0.3),
        tol=1e-5,
        mistakes={
            "a token that π likes less than π_ref earned nothing": shown(lambda a, b: max(a - b, 0.0)),
            "a token that π likes less than π_ref paid, too": shown(lambda a, b: abs(a - b)),
        },
    )


@PENALTY.case("log-probabilities of −300", hint="Stay with the logarithms: exp(−300) is 0.", reread=PENALTY_TEXT)
def _(q):
    scores, logprobs, reference, mask = penalty_inputs(q, WHOLE)
    args = (scores, 200 * logprobs - 100, 200 * reference - 100, mask)
    q.close("the rewards", q.call("kl_penalty", *args, 0.1), oracle_penalty(*args, 0.1), tol=1e-5)


@PENALTY.case(LEFT_ALONE, reread=PENALTY_TEXT)
def _(q):
    scores, logprobs, reference, mask = penalty_inputs(q, WHOLE)
    args = (scores.double(), logprobs.double(), reference.double(), mask)
    got = q.call_checked_unmutated("kl_penalty", *args, 0.2)
    q.close("the rewards in float64", got, oracle_penalty(*args, 0.2), tol=1e-9)


# ------------------------------------------------------------------------------------------------------------------ GAE

NOTHING_AFTER = "after the last token nothing comes: V = 0 and A = 0 there, whatever the padding holds"
GAE_OFF = "advantages and returns are 0 off the answer"
GAE = Question("gae", lab=LAB, points=2, rules=(NOTHING_AFTER, GAE_OFF))
GAE_TEXT = "§ 5 Which token was it?"
BOTH_OF_GAE = ("the advantages", "the returns")


def deltas(rewards, values, row, b, gamma, last=0.0):
    """δ of each token of one answer."""
    ahead = [float(values[b, t]) for t in row[1:]] + [last]
    return [float(rewards[b, t]) + gamma * v - float(values[b, t]) for t, v in zip(row, ahead)]


def oracle_gae(rewards, values, mask, gamma, lam, decay=None, last=None, delta=deltas):
    """(advantages, returns) as the sums that define them, in float64."""
    decay, advantages, returns = gamma * lam if decay is None else decay, {}, {}
    for b, row in enumerate(places(mask)):
        d = delta(rewards, values, row, b, gamma, **({} if last is None else {"last": last(b, row)}))
        for k, t in enumerate(row):
            advantages[b, t] = sum(decay**i * x for i, x in enumerate(d[k:]))
            returns[b, t] = advantages[b, t] + float(values[b, t])
    return [filled(rows, rewards.shape, rewards.dtype) for rows in (advantages, returns)]


def monte_carlo(rewards, mask, gamma):
    """The discounted sum of the rewards from each token on."""
    sums = {}
    for b, row in enumerate(places(mask)):
        for k, t in enumerate(row):
            sums[b, t] = sum(gamma**i * float(rewards[b, s]) for i, s in enumerate(row[k:]))
    return filled(sums, rewards.shape, rewards.dtype)


def gae_inputs(q, mask):
    return q.randn(*mask.shape), q.randn(*mask.shape) + 0.5, mask


@GAE.case("A = Σ (γλ)^j δ, returns = A + V", reread=GAE_TEXT)
def _(q):
    rewards, values, mask = args = gae_inputs(q, WHOLE)
    got = q.call("gae", *args, 0.9, 0.8)
    q.true("two tensors are asked for: (advantages, returns)", len(got) == 2)
    advantages, returns = oracle_gae(*args, 0.9, 0.8)
    changed = lambda **changes: oracle_gae(*args, 0.9, 0.8, **changes)[0]
    itself = lambda b, row: float(values[b, row[-1]])
    no_gamma = lambda r, v, row, b, gamma, last=0.0: deltas(r, v, row, b, 1.0, last)
    plus = lambda r, v, row, b, gamma, last=0.0: [
        x + 2 * float(v[b, t]) for x, t in zip(deltas(r, v, row, b, gamma, last), row)
    ]
    no_value = lambda r, v, row, b, gamma, last=0.0: [float(r[b, t]) for t in row]
    sums = {}
    for b, row in enumerate(places(mask)):
        for k, t in enumerate(row):
            sums[b, t] = sum(0.72 ** (k - i) * x for i, x in enumerate(deltas(rewards, values, row, b, 0.9)[: k + 1]))
    q.close(
        "the advantages",
        got[0],
        advantages,
        tol=1e-5,
        mistakes={
            "V after the last token was taken to be V of the last token: it is 0, the answer is over": (
                changed(last=itself)
            ),
            "γ is missing from δ: r + γ V_next − V": changed(delta=no_gamma),
            "the sum decays with λ alone: with γ · λ": changed(decay=0.8),
            "the sum decays with γ alone: with γ · λ": changed(decay=0.9),
            "only δ itself came back: the sum over later tokens is missing": changed(decay=0.0),
            "V was added, not taken off: δ = r + γ V_next − V": changed(delta=plus),
            "the values were not used: δ = r + γ V_next − V": changed(delta=no_value),
            "that is the discounted reward to come (Monte-Carlo): δ and λ are missing": monte_carlo(rewards, mask, 0.9),
            "the sum ran from the past: a token is judged by what comes after it. Go from right to left": (
                filled(sums, rewards.shape, rewards.dtype)
            ),
            "the advantages were whitened: that is a later step": (
                (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            ),
            "the two changed places: (advantages, returns)": returns,
        },
    )
    q.close(
        "the returns",
        got[1],
        returns,
        tol=1e-5,
        mistakes={
            "the advantages came back twice: returns = A + V": advantages,
            "the returns are the discounted rewards (Monte-Carlo): here they are A + V": (
                monte_carlo(rewards, mask, 0.9)
            ),
            "the returns are A − V: they are A + V": advantages - values,
        },
    )


@GAE.case(
    "padding that holds numbers",
    rule=NOTHING_AFTER,
    hint="Where the mask is False, what you carry to the left must go back to 0, the value that follows as well.",
    reread=GAE_TEXT,
)
def _(q):
    rewards, values, mask = args = gae_inputs(q, AFTER)
    rewards[~mask], values[~mask] = 7.0, -5.0
    on = lambda made: [torch.where(mask, part, 0.0) for part in made]  # what stands off the answer is another rule's
    padded = lambda b, row: float(values[b, row[-1] + 1])
    q.close(
        "on the answers",
        on(q.call("gae", *args, 0.9, 0.8)),
        oracle_gae(*args, 0.9, 0.8),
        tol=1e-5,
        names=BOTH_OF_GAE,
        mistakes={
            "V after the last token was read from the padding: it is 0, the answer is over": (
                oracle_gae(*args, 0.9, 0.8, last=padded)
            )
        },
    )


@GAE.case("a prompt before the answer", rule=GAE_OFF, hint="Both are 0 where the mask is False.", reread=GAE_TEXT)
def _(q):
    rewards, values, mask = args = gae_inputs(q, BEFORE)
    got = q.call("gae", *args, 0.9, 0.8)
    zeros = torch.zeros(int((~mask).sum()))
    q.close("the advantages off the answer", got[0][~mask], zeros, tol=0)
    q.close(
        "the returns off the answer",
        got[1][~mask],
        zeros,
        tol=0,
        mistakes={"V was added off the answer, too: both are 0 there": values[~mask]},
    )
    q.close("gae", got, oracle_gae(*args, 0.9, 0.8), tol=1e-5, names=BOTH_OF_GAE)


@GAE.case("λ = 1: what came, minus what was expected; λ = 0: δ alone", reread=GAE_TEXT)
def _(q):
    rewards, values, mask = args = gae_inputs(q, WHOLE)
    total = monte_carlo(rewards, mask, 0.95)
    got = q.call("gae", *args, 0.95, 1.0)
    q.close("at λ = 1", got, [total - values, total], tol=1e-5, names=BOTH_OF_GAE)
    q.close("at λ = 0", q.call("gae", *args, 0.9, 0.0), oracle_gae(*args, 0.9, 0.0), tol=1e-5, names=BOTH_OF_GAE)


@GAE.case("answers of one token", hint="After the last token comes nothing: δ = r − V.", reread=GAE_TEXT)
def _(q):
    rewards, values, mask = gae_inputs(q, torch.ones(3, 1, dtype=torch.bool))
    got = q.call("gae", rewards, values, mask, 0.9, 0.8)
    q.close("for one token", got, [rewards - values, rewards], tol=1e-6, names=BOTH_OF_GAE)


@GAE.case(LEFT_ALONE, reread=GAE_TEXT)
def _(q):
    rewards, values, mask = gae_inputs(q, ALIKE)
    args = (rewards.double(), values.double(), mask)
    got = q.call_checked_unmutated("gae", *args, 0.99, 0.95)
    on = [torch.where(mask, part, 0.0) for part in got]  # what stands off the answer is another rule's
    q.close("in float64", on, oracle_gae(*args, 0.99, 0.95), tol=1e-9, names=BOTH_OF_GAE)


# ---------------------------------------------------------------------------------------------------------- policy loss

ALL_TOKENS = "a mean over all tokens of the batch: a long answer counts more than a short one"
MINIMUM = "the minimum of both products: a step in the wrong direction is seen in full, however far it went"
LOGARITHMS = "the ratio comes from the difference of the logarithms: a probability can be 0 as a float"
HELD = "no gradient comes from where the clipped product is the smaller one"
POLICY = Question("clipped_policy_loss", lab=LAB, points=1.5, rules=(ALL_TOKENS, MINIMUM, LOGARITHMS, HELD))
POLICY_TEXT = "§ 6 Small steps"
# (A, log ratio): inside the clip, and beyond it on the side that A asks for
ASKED_FOR = ((1.0, 0.1), (-1.2, -0.15), (0.8, 0.6), (-0.7, -0.9), (1.5, 0.0), (-0.5, 0.2))
# beyond it on the other side; the last two ratios are beyond e and under 1 / e
WRONG_WAY = ((1.0, -0.5), (-1.2, 0.8), (0.6, 0.1), (-0.4, -0.1), (-0.9, 2.0), (1.1, -1.7))


def surrogate(logprobs, old, advantages, clip):
    """−A · ratio where the ratio has not gone further than A asked for, −A · bound beyond: a term a token, in float64
    and by cases.
    """
    a, r = advantages.double(), torch.exp((logprobs.double() - old.double()).clamp(max=300.0))
    bound = 1 + clip * (2.0 * (a > 0).double() - 1)
    beyond = ((a > 0) & (r > bound)) | ((a < 0) & (r < bound))
    return torch.where(beyond, -a * bound, -a * torch.where(beyond, bound, r))


def oracle_policy(logprobs, old, advantages, mask, clip, terms=surrogate):
    return (terms(logprobs, old, advantages, clip)[mask].sum() / int(mask.sum())).to(logprobs.dtype)


def policy_inputs(q, mask, kinds=ASKED_FOR):
    """(logprobs, old, advantages, mask): the tokens of the answers are of these kinds, one after the other, each a
    little off; off the mask stand numbers, too.
    """
    old = -2 * q.rand(*mask.shape) - 0.2
    advantages, logprobs = 3 + q.rand(*mask.shape), old + 1 + q.rand(*mask.shape)
    for k, (b, t) in enumerate(mask.nonzero().tolist()):
        a, log_ratio = kinds[k % len(kinds)]
        advantages[b, t] = a * (1 + 0.1 * float(q.rand(1)))
        logprobs[b, t] = old[b, t] + log_ratio + 0.02 * float(q.rand(1))
    return logprobs, old, advantages, mask


@POLICY.case("−min(ratio · A, clip(ratio) · A), its mean", reread=POLICY_TEXT)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, WHOLE)
    got = q.call("clipped_policy_loss", *args, 0.3)
    r, a = (logprobs - old).exp(), advantages
    cut = r.clamp(0.7, 1.3)
    right = -torch.minimum(r * a, cut * a)
    whole = (logprobs - old).sum(1, keepdim=True).exp()
    whitened = (a - a.mean()) / a.std()
    q.close(
        "the loss",
        got,
        oracle_policy(*args, 0.3),
        tol=1e-5,
        mistakes={
            "the sign is wrong: a loss falls where the surrogate rises": -right.mean(),
            "the larger of the two was taken, or nothing was clipped: the smaller is the cautious one": -(r * a).mean(),
            "the ratio is the other way round: π_new / π_old": (
                -torch.minimum(a / r, (1 / r).clamp(0.7, 1.3) * a).mean()
            ),
            "the ratio was taken without exp: logprobs − old is its logarithm": (
                -torch.minimum((logprobs - old) * a, (logprobs - old).clamp(0.7, 1.3) * a).mean()
            ),
            "the ratio was clipped to 0 ± clip: to 1 ± clip": -torch.minimum(r * a, r.clamp(-0.3, 0.3) * a).mean(),
            "log-probabilities in place of the ratio": -(logprobs * a).mean(),
            "the terms were added up: take their mean": right.sum(),
            "the sum was divided by the number of answers: by the number of their tokens": right.sum() / len(mask),
            "the ratio of the whole answer was used for each token: one ratio a token": (
                -torch.minimum(whole * a, whole.clamp(0.7, 1.3) * a).mean()
            ),
            "the old policy was not used: the ratio is not always 1": -a.mean(),
            "ε is 0.2 in your function: take the argument `clip`": -torch.minimum(r * a, r.clamp(0.8, 1.2) * a).mean(),
            "the advantages were whitened: that is done before": (-torch.minimum(r * whitened, cut * whitened).mean()),
        },
    )


@POLICY.case(
    "answers of different lengths, with prompt and padding",
    rule=ALL_TOKENS,
    hint="Sum over the mask, divide by mask.sum().",
    reread=POLICY_TEXT,
)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, BOTH)
    r, a = (logprobs - old).exp(), advantages
    terms = -torch.minimum(r * a, r.clamp(0.7, 1.3) * a)
    q.close(
        "the loss",
        q.call("clipped_policy_loss", *args, 0.3),
        oracle_policy(*args, 0.3),
        tol=1e-5,
        mistakes={PUT_TO_0: (terms * mask).mean()} | over_others(terms, mask),
    )


@POLICY.case(
    "steps in the wrong direction, to a ratio of 7, and to one of e³⁰",
    rule=MINIMUM,
    hint="torch.minimum of ratio · A and clip(ratio) · A, and nothing else that limits the ratio.",
    reread=POLICY_TEXT,
)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, WHOLE, WRONG_WAY)
    value, (grad,) = q.call_with_grad("clipped_policy_loss", [*args, 0.3], wrt=(0,), names=("logprobs",))
    r, a = (logprobs - old).exp(), advantages
    near = (logprobs - old).clamp(-1, 1).exp()
    q.close(
        "the loss",
        value,
        oracle_policy(*args, 0.3),
        tol=1e-5,
        mistakes={
            "only the clipped ratio counts: the minimum with the unclipped one is missing": -(
                r.clamp(0.7, 1.3) * a
            ).mean(),
            "the logarithm of the ratio was held at ±1: that hides how bad a step was": (
                -torch.minimum(near * a, near.clamp(0.7, 1.3) * a).mean()
            ),
        },
    )
    q.close("the gradient", grad, -r * a / mask.sum(), tol=1e-5)  # in this case none is held back
    far = [torch.tensor([[x]]) for x in (-0.5, -30.5, -1.0, True)]  # one token, a ratio of e³⁰, A = −1
    q.close("the loss of a ratio of e³⁰", q.call("clipped_policy_loss", *far, 0.3), oracle_policy(*far, 0.3), tol=1e-4)


@POLICY.case(
    "probabilities of e⁻²⁰⁰, value and gradient",
    rule=LOGARITHMS,
    hint="exp(logprobs) / exp(old) is 0 / 0 here: take the difference first, then exp.",
    reread=POLICY_TEXT,
)
def _(q):
    logprobs, old, advantages, mask = policy_inputs(q, WHOLE, ((1.0, 0.1), (-1.2, -0.15), (0.7, 0.2)))
    args = (logprobs - 200, old - 200, advantages, mask)
    value, (grad,) = q.call_with_grad("clipped_policy_loss", [*args, 0.3], wrt=(0,), names=("logprobs",))
    q.close("the loss", value, oracle_policy(*args, 0.3), tol=1e-4)
    q.close("the gradient", grad, -(args[0] - args[1]).exp() * advantages / mask.sum(), tol=1e-4)


@POLICY.case(
    "the gradient: none from a token that has gone far enough",
    rule=HELD,
    hint="Take the minimum of two products that both hang on logprobs; no .detach(), no .item().",
    reread=POLICY_TEXT,
)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, WHOLE)
    _, (grad,) = q.call_with_grad("clipped_policy_loss", [*args, 0.3], wrt=(0,), names=("logprobs",))
    leaf = logprobs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(oracle_policy(leaf, old, advantages, mask, 0.3), leaf)
    r, n = (logprobs - old).exp(), mask.sum()
    q.close(
        "the gradient",
        grad,
        expected,
        tol=1e-5,
        mistakes={
            "the gradient is that of the unclipped loss": -r * advantages / n,
            "the ratio is a constant in your graph, log π carries the gradient": -advantages / n,
        },
    )


@POLICY.case("all advantages 0 (every reward tied): loss 0, gradient 0", reread=POLICY_TEXT)
def _(q):
    logprobs, old, advantages, mask = policy_inputs(q, WHOLE)
    args = [logprobs, old, 0 * advantages, mask, 0.3]
    value, (grad,) = q.call_with_grad("clipped_policy_loss", args, wrt=(0,), names=("logprobs",))
    q.close("the loss", value, torch.tensor(0.0), tol=0)
    q.close("the gradient", grad, 0 * logprobs, tol=0)


@POLICY.case(
    "a scalar tensor; " + LEFT_ALONE,
    hint="Return a tensor of shape [], in the dtype that came in; no .item().",
    reread=POLICY_TEXT,
)
def _(q):
    logprobs, old, advantages, mask = policy_inputs(q, WHOLE)  # which tokens count is another rule's
    args = [logprobs.double(), old.double(), advantages.double(), mask]
    q.close("the loss in float64", q.call("clipped_policy_loss", *args, 0.3), oracle_policy(*args, 0.3), tol=1e-9)
    q.call_checked_unmutated("clipped_policy_loss", *policy_inputs(q, ALIKE), 0.3)


# ----------------------------------------------------------------------------------------------------------- value loss

LARGER = "the larger error counts"
VALUE_HELD = "no gradient comes from where the clipped error is the larger one"
VALUE = Question("clipped_value_loss", lab=LAB, points=0.5, rules=(LARGER, ALL_TOKENS, VALUE_HELD))
VALUE_TEXT = "§ 7 The critic"
# (V − V_old, R − V_old): inside the clip; beyond it, on the way to the return
TOWARDS = ((0.1, 0.9), (-0.15, 0.6), (0.8, 1.4), (-0.7, -1.6), (0.2, -0.7), (1.1, 1.2))
# beyond it, away from the return or far past it
AWAY = ((0.9, -0.5), (-0.8, 0.7), (0.1, 0.5), (1.3, 0.2), (-0.6, 0.4), (-0.2, 0.3))


def squared(values, old, returns, clip):
    """The worse of two squared errors a token, by cases."""
    v, o, r = values.double(), old.double(), returns.double()
    plain = (v - r) ** 2
    edge = (o + clip * (2.0 * (v > o).double() - 1) - r) ** 2
    outside = (v - o).abs() > clip
    return torch.where(outside & (edge > plain), edge, plain)


def oracle_value(values, old, returns, mask, clip):
    return (0.5 * squared(values, old, returns, clip)[mask].sum() / int(mask.sum())).to(values.dtype)


def value_inputs(q, mask, kinds=TOWARDS):
    """(values, old, returns, mask), the tokens of the answers of these kinds, each a little off."""
    old = q.randn(*mask.shape) + 2
    values, returns = old + 2 + q.rand(*mask.shape), old - 3 + q.rand(*mask.shape)
    for k, (b, t) in enumerate(mask.nonzero().tolist()):
        moved, due = kinds[k % len(kinds)]
        values[b, t] = old[b, t] + moved + 0.02 * float(q.rand(1))
        returns[b, t] = old[b, t] + due + 0.02 * float(q.rand(1))
    return values, old, returns, mask


@VALUE.case("½ · the larger of two squared errors, its mean", reread=VALUE_TEXT)
def _(q):
    values, old, returns, mask = args = value_inputs(q, WHOLE)
    got = q.call("clipped_value_loss", *args, 0.3)
    near = old + (values - old).clamp(-0.3, 0.3)
    plain, cut = (values - returns) ** 2, (near - returns) ** 2
    worse = torch.maximum(plain, cut)
    half = lambda terms: 0.5 * terms.mean()
    q.close(
        "the loss",
        got,
        oracle_value(*args, 0.3),
        tol=1e-5,
        mistakes={
            "the ½ is missing": 2 * half(worse),
            "the smaller error was taken, or nothing was clipped: the larger error is the cautious one": half(plain),
            "the value was clipped to ± clip: it may move by clip from its OLD value": (
                half(torch.maximum(plain, (values.clamp(-0.3, 0.3) - returns) ** 2))
            ),
            "the old value is missing after the clip: old + clip(values − old)": (
                half(torch.maximum(plain, ((values - old).clamp(-0.3, 0.3) - returns) ** 2))
            ),
            "the old values were judged, not the new ones": half(torch.maximum((old - returns) ** 2, cut)),
            "absolute errors in place of squared ones": (
                half(torch.maximum((values - returns).abs(), (near - returns).abs()))
            ),
            "the terms were added up: take their mean": 0.5 * worse.sum(),
            "the sum was divided by the number of answers: by the number of their tokens": (
                0.5 * worse.sum() / len(mask)
            ),
            "the sign is wrong: a critic's error is to fall": -half(worse),
        },
    )


@VALUE.case(
    "values that moved away from the return",
    rule=LARGER,
    hint="torch.maximum of both squared errors: that of V, and that of the clipped V.",
    reread=VALUE_TEXT,
)
def _(q):
    values, old, returns, mask = args = value_inputs(q, WHOLE, AWAY)
    value, (grad,) = q.call_with_grad("clipped_value_loss", [*args, 0.3], wrt=(0,), names=("values",))
    near = old + (values - old).clamp(-0.3, 0.3)
    q.close(
        "the loss",
        value,
        oracle_value(*args, 0.3),
        tol=1e-5,
        mistakes={
            "only the clipped value counts: the maximum with the unclipped error is missing": (
                0.5 * ((near - returns) ** 2).mean()
            )
        },
    )
    q.close("the gradient", grad, (values - returns) / mask.sum(), tol=1e-5)  # in this case none is held back


@VALUE.case(
    "answers of different lengths, with prompt and padding",
    rule=ALL_TOKENS,
    hint="Sum over the mask, divide by mask.sum().",
    reread=VALUE_TEXT,
)
def _(q):
    values, old, returns, mask = args = value_inputs(q, BOTH)
    terms = 0.5 * squared(values, old, returns, 0.3).float()
    q.close(
        "the loss",
        q.call("clipped_value_loss", *args, 0.3),
        oracle_value(*args, 0.3),
        tol=1e-5,
        mistakes={
            PUT_TO_0: (terms * mask).mean(),
            "the sum was divided by the number of answers: by the number of their tokens": (
                terms[mask].sum() / len(mask)
            ),
        }
        | over_others(terms, mask),
    )


@VALUE.case(
    "the gradient: none from a value that went too far and is better off for it",
    rule=VALUE_HELD,
    hint="Take the maximum of two errors that both hang on values; no .detach(), no .item().",
    reread=VALUE_TEXT,
)
def _(q):
    values, old, returns, mask = args = value_inputs(q, WHOLE)
    _, (grad,) = q.call_with_grad("clipped_value_loss", [*args, 0.3], wrt=(0,), names=("values",))
    leaf = values.clone().requires_grad_()
    (expected,) = torch.autograd.grad(oracle_value(leaf, old, returns, mask, 0.3), leaf)
    unclipped = (values - returns) / mask.sum()
    q.close(
        "the gradient", grad, expected, tol=1e-5, mistakes={"the gradient is that of the unclipped loss": unclipped}
    )


@VALUE.case(
    "a scalar tensor; " + LEFT_ALONE,
    hint="Return a tensor of shape [], in the dtype that came in; no .item().",
    reread=VALUE_TEXT,
)
def _(q):
    values, old, returns, mask = value_inputs(q, WHOLE)  # which tokens count is another rule's
    args = [values.double(), old.double(), returns.double(), mask]
    q.close("the loss in float64", q.call("clipped_value_loss", *args, 0.3), oracle_value(*args, 0.3), tol=1e-9)
    q.call_checked_unmutated("clipped_value_loss", *value_inputs(q, ALIKE), 0.3)


# ----------------------------------------------------------------------------------------------------- group advantages

UNSCALED = "with scale=False the deviation is left out"
ALL_TIED = "if all rewards of a group tie, its advantages are 0, not 0/0"
EPSILON = "10⁻⁴ is added to the deviation"
GROUP = Question("group_advantages", lab=LAB, points=1, rules=(UNSCALED, ALL_TIED, EPSILON))
GROUP_TEXT = "§ 9 The group is the critic"


def oracle_group(rewards, scale, spread=statistics.stdev, eps=1e-4):
    rows = []
    for row in rewards.double().tolist():
        middle = math.fsum(row) / len(row)
        rows.append([(x - middle) / (spread(row) + eps if scale else 1.0) for x in row])
    return torch.tensor(rows, dtype=torch.float64).reshape(rewards.shape).to(rewards.dtype)


def wide_rewards(q, P=5, G=4):
    """Rewards whose deviations are far above 10⁻⁴, so that it does not show; the groups have means of their own."""
    apart = torch.linspace(-1, 1, G)[torch.stack([q.permutation(G) for _ in range(P)])]
    return 200 * apart + 40 * q.rand(P, G) + 300 * q.randn(P, 1)


@GROUP.case("(reward − mean of its group) / (standard deviation of its group)", reread=GROUP_TEXT)
def _(q):
    rewards = wide_rewards(q)
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    other = rewards.T
    q.close(
        "the advantages",
        q.call("group_advantages", rewards, True),
        oracle_group(rewards, True),
        tol=1e-5,
        mistakes={
            "mean and deviation were taken over the whole batch: a group is one row": (
                (rewards - rewards.mean()) / rewards.std()
            ),
            "the mean was taken over the whole batch: each group has its own": (rewards - rewards.mean()) / std,
            "the deviation was taken over the whole batch: each group has its own": centred / rewards.std(),
            "mean and deviation ran over the columns, that is over the prompts: a group is one row": (
                ((other - other.mean(1, keepdim=True)) / other.std(1, keepdim=True)).T
            ),
            "the mean was not taken off": rewards / std,
            "the standard deviation is missing, although scale is True": centred,
            "the deviation has G in it, not G − 1: torch.std with its default has G − 1": (
                oracle_group(rewards, True, statistics.pstdev)
            ),
            "the variance was divided by, not its root": centred / std**2,
            "multiplied by the deviation: divide": centred * std,
            "the sign is wrong: better than the group is positive": -oracle_group(rewards, True),
            "the median was taken, not the mean": (rewards - rewards.median(1, keepdim=True).values) / std,
            "the best of its group was subtracted, not the mean": (rewards - rewards.amax(1, keepdim=True)) / std,
            "1 for the best, 0 for the others: the size of the difference is lost": (
                torch.zeros_like(rewards).scatter(1, rewards.argmax(1, keepdim=True), 1.0)
            ),
        },
    )


@GROUP.case(UNSCALED, rule=UNSCALED, hint="scale=False: the difference alone.", reread=GROUP_TEXT)
def _(q):
    rewards = wide_rewards(q, 3, 6)
    got = q.call("group_advantages", rewards, False)
    wrong = {"it was divided by the deviation, although scale is False": oracle_group(rewards, True)}
    q.close("the advantages", got, oracle_group(rewards, False), tol=1e-5, mistakes=wrong)


@GROUP.case(ALL_TIED, rule=ALL_TIED, hint="The standard deviation is 0 there: ε keeps 0 / 0 away.", reread=GROUP_TEXT)
def _(q):
    rewards = wide_rewards(q, 4, 3)
    rewards[1], rewards[3] = 2.5, -1.75
    got = q.call("group_advantages", rewards, True)
    q.close("the advantages of the tied groups", got[[1, 3]], torch.zeros(2, 3), tol=0)
    q.close("the other groups", got, oracle_group(rewards, True), tol=1e-5)


@GROUP.case(
    "nearly tied groups",
    rule=EPSILON,
    hint="Without the 10⁻⁴ one millionth of reward would count as much as the best answer of a good group.",
    reread=GROUP_TEXT,
)
def _(q):
    rewards = torch.tensor([[0.0, 1e-6, 0.0, 0.0], [1.0, 1.0, 1.0, 1.02], [0.0, 3e-4, 1e-4, 0.0]])
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    q.close(
        "the advantages",
        q.call("group_advantages", rewards, True),
        oracle_group(rewards, True),
        tol=1e-4,
        mistakes={
            "ε is missing": centred / std,
            "ε is much smaller than 10⁻⁴": centred / (std + 1e-8),
            "ε was put in the root: it is added to the standard deviation": centred / (std**2 + 1e-4).sqrt(),
        },
    )


@GROUP.case("groups of two, one group; " + LEFT_ALONE, reread=GROUP_TEXT)
def _(q):
    for rewards in (wide_rewards(q, 6, 2), wide_rewards(q, 1, 5), wide_rewards(q, 3, 4).double()):
        got = q.call_checked_unmutated("group_advantages", rewards, True)
        label = f"the advantages of {len(rewards)} groups of {rewards.shape[1]}"
        q.close(label, got, oracle_group(rewards, True), tol=1e-5)


# ------------------------------------------------------------------------------------------------------------ best of n

OWN_RANK = "scores may tie: each of the K places keeps a rank of its own"
LARGE = "the binomials may be larger than any float"
BEST = Question("best_of_n", lab=LAB, points=1, rules=(OWN_RANK, LARGE))
BEST_TEXT = "§ 2 The limit, and a simple way towards it"
BOTH_OF_BEST = ("the KL", "the expected worth")


def all_draws(scores, worth, n, choose=max):
    """Mean worth of the answer with the best score, over every choice of n answers."""
    total = []
    for s, w in zip(scores.tolist(), worth.tolist()):
        draws = [w[choose(draw, key=lambda i: s[i])] for draw in itertools.combinations(range(len(s)), n)]
        total.append(math.fsum(draws) / len(draws))
    return math.fsum(total) / len(total)


def with_replacement(scores, worth, n):
    total = 0.0
    for s, w in zip(scores.tolist(), worth.tolist()):
        order, k = sorted(range(len(s)), key=lambda i: s[i]), len(s)
        total += sum(w[i] * (((r + 1) / k) ** n - (r / k) ** n) for r, i in enumerate(order))
    return total / len(scores)


def by_logarithms(scores, worth, n):
    """The same for many answers: the weights C(i, n − 1) / C(K, n) from lgamma."""
    k = scores.shape[1]
    choose = lambda a, b: math.lgamma(a + 1) - math.lgamma(b + 1) - math.lgamma(a - b + 1)
    weights = torch.tensor(
        [0.0 if i < n - 1 else math.exp(choose(i, n - 1) - choose(k, n)) for i in range(k)], dtype=torch.float64
    )
    return float((worth.double().gather(1, scores.argsort(1)) * weights).sum(1).mean())


def kl_bound(n):
    """log n − 1 + 1/n: the KL of the largest of n uniform numbers from one, which has the density n u^(n−1)."""
    return math.log(n) - 1 + 1 / n


def ranked_by(order, worth, weight):
    """The mean over the prompts of Σ weight(i) · worth of rank i."""
    weights = torch.tensor([weight(i) for i in range(worth.shape[1])])
    return float((worth.gather(1, order) * weights).sum(1).mean())


@BEST.case("log n − (n − 1)/n, and the mean over all choices of n answers", reread=BEST_TEXT)
def _(q):
    scores, worth = q.randn(3, 7), q.randn(3, 7)
    scores[0, 5], worth[0, 5] = 4.0, 2.0  # a prompt whose best answer is not among the first
    got = q.call("best_of_n", scores, worth, 3)
    q.true("two numbers are asked for: (KL, expected worth)", len(got) == 2)
    weight = lambda i: math.comb(i, 2) / math.comb(7, 3)
    q.close(
        "the KL",
        got[0],
        kl_bound(3),
        tol=1e-5,
        mistakes={
            "the −(n − 1)/n is missing": math.log(3),
            "the sign of (n − 1)/n is wrong": math.log(3) + 2 / 3,
            "the logarithm has base 2: nats need the natural one": math.log2(3) - 2 / 3,
            "1 − 1/n was written as 1/n": math.log(3) - 1 / 3,
            "n − 1 was not divided by n": math.log(3) - 2,
            "the logarithm has base 10: nats need the natural one": math.log10(3) - 2 / 3,
            "the two changed places: (KL, expected worth)": all_draws(scores, worth, 3),
        },
    )
    q.close(
        "the expected worth",
        got[1],
        all_draws(scores, worth, 3),
        tol=1e-5,
        mistakes={
            "the answers were chosen by their worth: the scores choose, the worth counts": all_draws(worth, worth, 3),
            "the mean best SCORE came back: the scores choose, the worth counts": all_draws(scores, scores, 3),
            "the worst of n was chosen: rank 0 has the LOWEST score": all_draws(scores, worth, 3, choose=min),
            "nothing was chosen: that is the plain mean": float(worth.mean()),
            "the best of all K answers was chosen: of n": float(worth.gather(1, scores.argmax(1, keepdim=True)).mean()),
            "only the first n answers were looked at: average over all choices of n": (
                float(worth[:, :3].gather(1, scores[:, :3].argmax(1, keepdim=True)).mean())
            ),
            "the n best answers were averaged: the best one of n is taken": (
                float(worth.gather(1, scores.topk(3, 1).indices).mean())
            ),
            "the n answers were drawn with replacement: they are n different ones": with_replacement(scores, worth, 3),
            "the ranks count from 1, the weight C(i, n − 1) / C(K, n) from 0": ranked_by(
                scores.argsort(1), worth, lambda i: weight(i + 1)
            ),
            "the weight has C(i, n): it is C(i, n − 1) / C(K, n)": ranked_by(
                scores.argsort(1), worth, lambda i: math.comb(i, 3) / math.comb(7, 3)
            ),
            "argsort was taken for the ranks: it holds places. worth.gather(1, order) sorts the worths": ranked_by(
                scores.argsort(1).argsort(1), worth, weight
            ),
            "the prompts were added up: take their mean": 3 * all_draws(scores, worth, 3),
        },
    )


@BEST.case("n = 1 changes nothing, n = K takes the best", reread=BEST_TEXT)
def _(q):
    scores, worth = q.randn(4, 6), q.randn(4, 6)
    got = q.call("best_of_n", scores, worth, 1)
    q.close("best of 1", list(got), [0.0, float(worth.mean())], tol=1e-5, names=BOTH_OF_BEST)
    best = float(worth.gather(1, scores.argmax(1, keepdim=True)).mean())
    q.close("best of all", list(q.call("best_of_n", scores, worth, 6)), [kl_bound(6), best], names=BOTH_OF_BEST)


@BEST.case(
    "the same answer drawn more than once",
    rule=OWN_RANK,
    hint="Give each of the K places its own rank; equal answers then share their weights by themselves.",
    reread=BEST_TEXT,
)
def _(q):
    kinds = torch.tensor([[0, 1, 1, 2, 0, 0, 1, 2], [2, 2, 2, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]])
    scores, worth = torch.tensor([0.5, -1.0, 1.5])[kinds], (q.randn(3) + torch.tensor([0.0, 1.0, 2.0]))[kinds]
    q.close("the expected worth", q.call("best_of_n", scores, worth, 4)[1], all_draws(scores, worth, 4), tol=1e-5)


@BEST.case(
    "best of 600 of 1,200",
    rule=LARGE,
    hint="math.comb gives whole numbers of any size: divide them by each other before you make a float.",
    reread=BEST_TEXT,
)
def _(q):
    scores, worth = torch.stack([q.permutation(1200), q.permutation(1200)]).float(), q.randn(2, 1200)  # no ties
    got = q.call("best_of_n", scores, worth, 600)
    q.close("best of 600", list(got), [kl_bound(600), by_logarithms(scores, worth, 600)], 1e-4, names=BOTH_OF_BEST)


@BEST.case("one prompt, one answer; the inputs are left alone", reread=BEST_TEXT)
def _(q):
    got = q.call("best_of_n", torch.tensor([[0.5]]), torch.tensor([[-2.0]]), 1)
    q.close("best of 1 of 1", list(got), [0.0, -2.0], tol=1e-6, names=BOTH_OF_BEST)
    scores, worth = q.randn(1, 6), q.randn(1, 6)
    got = q.call_checked_unmutated("best_of_n", scores, worth, 2)
    q.close("best of 2", list(got), [kl_bound(2), all_draws(scores, worth, 2)], tol=1e-5, names=BOTH_OF_BEST)


# -------------------------------------------------------------------------------------------------------- turning point

SMOOTHED = "both curves are smoothed, over the measurements on both sides"
AT_THE_ENDS = "at the ends the mean is that of the measurements that are there"
FALLEN = "None unless the gold is lower by more than `fall` at the end"
PROXY_UP = "None unless the proxy is higher at the end than at the turning point"
FIRST_OF_EQUALS = "the first, if several tie"
NOT_MEASURED = "of no measurements: None"
TURN = Question(
    "turning_point", lab=LAB, points=1, rules=(SMOOTHED, AT_THE_ENDS, FALLEN, PROXY_UP, FIRST_OF_EQUALS, NOT_MEASURED)
)
TURN_TEXT = "§ 12 Where the gold turns"
CLIMBS = [float(i) for i in range(20)]


def shifted(q, x):
    """A curve some way up or down: no answer depends on where 0 is."""
    by = round(float(q.rand(1)), 3)
    return [value + by for value in x]


@TURN.case("window 1: the step at which the gold is highest", reread=TURN_TEXT)
def _(q):
    # the gold is lowest at 0 and turns at 4, the curves cross at 3, the proxy is highest at 7, the gap widest at 8
    steps = [5 * i + 2 for i in range(10)]
    noise = (0.02 * q.rand(20)).tolist()
    gold = [2.5 - 0.1 * (i - 4) ** 2 + {8: 0.1, 9: 1.3}.get(i, 0.0) + e for i, e in enumerate(noise[:10])]
    proxy = [4 * (1 - math.exp(-i / 3)) + 0.6 * (i == 7) + e for i, e in enumerate(noise[10:])]
    q.same(
        "the step",
        q.call("turning_point", steps, proxy, gold, 1, 0.3),
        steps[4],
        mistakes={
            "that is where the PROXY is highest: the gold utility turns, the proxy climbs on": steps[7],
            "that is the last step": steps[-1],
            "that is the number of the measurement, not its step": 4,
            "that is where the gap between proxy and gold is largest": steps[8],
            "that is where proxy and gold cross": steps[3],
            "that is where the gold is lowest": steps[gold.index(min(gold))],
        },
    )


@TURN.case(
    "window 5, and a lucky measurement",
    rule=SMOOTHED,
    hint="Compare smoothed with smoothed: the peak against the end, for gold and for proxy.",
    reread=TURN_TEXT,
)
def _(q):
    gold = shifted(q, [1.0, 1.0, 3.5, 1.6, 1.0, 1.9, 1.7, 1.9, 2.5, 2.5, 1.4, 1.0, 2.0, 1.8])
    steps = [3 * i for i in range(14)]
    q.same(
        "the step",
        q.call("turning_point", steps, CLIMBS[:14], gold, 5, 0.3),
        steps[7],
        mistakes={
            "that is the highest single measurement: smooth first, one lucky measurement is no peak": steps[2],
            "the mean looks back only, so it sees the peak too late: centre the window": steps[9],
        },
    )
    wobbly = [1.5] * 12
    wobbly[4], wobbly[-1] = 2.0, 1.1  # a lucky and an unlucky measurement
    proxy = [3 + 0.02 * i for i in range(12)]
    got = q.call("turning_point", steps[:12], proxy, shifted(q, wobbly), 3, 0.45)
    q.same("the answer for gold that only wobbles", got, None)


@TURN.case(
    "gold that falls from the start, window 3",
    rule=AT_THE_ENDS,
    hint="The windows at the ends hold fewer measurements: divide by how many there are.",
    reread=TURN_TEXT,
)
def _(q):
    gold = [1.0 - 0.125 * i for i in range(9)]
    steps = [4 * i + 2 for i in range(9)]
    q.same(
        "the step",
        q.call("turning_point", steps, CLIMBS[:9], gold, 3, 0.3),
        2,
        mistakes={"the first window was divided by 3, though it holds 2 measurements": 6},
    )


@TURN.case(
    "gold that climbs to the end, that falls by `fall`, that falls and recovers",
    rule=FALLEN,
    hint="Return None unless the smoothed gold at the END is lower than at its peak by more than `fall`.",
    reread=TURN_TEXT,
)
def _(q):
    steps, up = list(range(6)), CLIMBS[:6]
    q.same("climbing", q.call("turning_point", steps, up, shifted(q, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), 1, 0.3), None)
    exact = [0.0, 1.0, 2.0, 3.0, 2.5, 2.0]
    q.same("a fall of exactly `fall`", q.call("turning_point", steps, up, exact, 1, 1.0), None)
    back = shifted(q, [0.0, 1.0, 3.0, 0.5, 2.0, 2.9])
    q.same("a fall that was made up for at the end", q.call("turning_point", steps, up, back, 1, 0.3), None)


@TURN.case(
    "gold and proxy that fall together: a collapse",
    rule=PROXY_UP,
    hint="The smoothed proxy must be higher at the end than at the turning point.",
    reread=TURN_TEXT,
)
def _(q):
    gold = shifted(q, [0.0, 2.0, 1.0, 0.5, 0.0])
    q.same("the answer", q.call("turning_point", list(range(5)), [0.0, 3.0, 4.0, 2.0, 1.0], gold, 1, 0.3), None)
    q.same("for a flat proxy", q.call("turning_point", list(range(5)), [1.0] * 5, gold, 1, 0.3), None)


@TURN.case("two equal peaks", rule=FIRST_OF_EQUALS, hint="The first of two equal peaks.", reread=TURN_TEXT)
def _(q):
    steps, gold = [0, 1, 4, 9, 16, 25], [0.0, 2.0, 1.0, 2.0, 1.0, 0.0]
    wrong = {"that is the last of two equal peaks: the first": 9}
    q.same("the step", q.call("turning_point", steps, CLIMBS[:6], gold, 1, 0.5), 1, mistakes=wrong)


@TURN.case(NOT_MEASURED, rule=NOT_MEASURED, hint="An empty list has no highest point.", reread=TURN_TEXT)
def _(q):
    q.same("the answer for no measurements", q.call("turning_point", [], [], [], 5, 0.1), None)


@TURN.case("the inputs are left alone", reread=TURN_TEXT)
def _(q):
    gold = shifted(q, [1.0, 2.0, 3.0, 2.0, 1.0, 0.0])
    got = q.call_checked_unmutated("turning_point", [2 * i for i in range(6)], CLIMBS[:6], gold, 1, 0.2)
    q.same("the step", got, 4)


# ------------------------------------------------------------------------------------------------------------- diagnose

OF_WINDOW = "the mean of `window` rows counts, no single row"
WHOLE_ONLY = "only whole windows count, the first one too"
NEVER_EQUAL = "beyond is > or <, never equal"
CAME_BACK = "an alarm that came back later has gone off all the same"
SAME_ROW = "at the same row the order is that of `alarms`"
DIAGNOSE = Question("diagnose", lab=LAB, points=0.5, rules=(OF_WINDOW, WHOLE_ONLY, NEVER_EQUAL, CAME_BACK, SAME_ROW))
DIAGNOSE_TEXT = "§ 13 A collapse, from its logs"
ALARMS = {"tied": ["above", 0.8], "reward": ["below", 1.0], "length": ["above", 30.0], "entropy": ["below", 0.15]}


def logged(**columns):
    """A history of columns of numbers."""
    return [dict(zip(columns, row)) | {"step": k} for k, row in enumerate(zip(*columns.values()))]


def in_trouble(q, n=12):
    """A run in trouble: its entropy falls first, then its groups tie, then its reward falls; the length stays."""
    noise = (0.02 * q.rand(4, n)).tolist()
    late = lambda k, at: float(k >= at)
    return logged(
        reward=[2.0 - 1.5 * late(k, 8) + noise[0][k] for k in range(n)],
        tied=[0.2 + 0.75 * late(k, 6) + noise[1][k] for k in range(n)],
        entropy=[0.5 - 0.45 * late(k, 4) + noise[2][k] for k in range(n)],
        length=[10.0 + noise[3][k] for k in range(n)],
    )


@DIAGNOSE.case("window 1: the alarms in the order in which they go off", reread=DIAGNOSE_TEXT)
def _(q):
    right = ["entropy", "tied", "reward"]
    q.same(
        "the alarms",
        q.call("diagnose", in_trouble(q), ALARMS, 1),
        right,
        mistakes={
            "all alarms that went off, but in the order of `alarms`: the one that went off first comes first": (
                ["tied", "reward", "entropy"]
            ),
            'sides were mixed up: "above" goes off over its bound, "below" under it': (
                ["tied", "reward", "length", "entropy"]
            ),
            'every alarm was read as "above": the side stands before the bound': ["reward", "entropy", "tied"],
            "the last to go off comes first: the order is the wrong way round": right[::-1],
            "that is the alphabet's order: the one that went off first comes first": sorted(right),
            "only the first alarm came back: all that go off, in their order": right[:1],
            "alarms that never went off came back, too": [*right, "length"],
            "the rows came back, too: the names alone": {"entropy": 4, "tied": 6, "reward": 8},
            "one text came back: a list of names": ", ".join(right),
        },
    )


@DIAGNOSE.case(
    "bad rows among good ones", rule=OF_WINDOW, hint="Take the mean of the last `window` rows.", reread=DIAGNOSE_TEXT
)
def _(q):
    rows = logged(kl=[1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0], length=[1.0, 1.0, 1.0, 1.0, 4.0, 9.0, 8.0, 4.0])
    alarms = {"kl": ["above", 5.0], "length": ["above", 5.0]}
    q.same(
        "the alarms, window 3",
        q.call("diagnose", rows, alarms, 3),
        ["length"],  # the rows 4 to 6 have a mean of 7, though not each is above 5
        mistakes={
            "single rows were looked at: one bad batch is no alarm": ["kl", "length"],
            "each row of the window had to be beyond: their mean": [],
        },
    )


@DIAGNOSE.case(
    "a bad start, window 4",
    rule=WHOLE_ONLY,
    hint="A mean of fewer than `window` rows is no mean yet; the window of the rows 0 to 3 counts already.",
    reread=DIAGNOSE_TEXT,
)
def _(q):
    start = logged(kl=[9.0, 9.0, 0.0, 0.0, 0.0, 0.0])
    q.same("two bad rows of four", q.call("diagnose", start, {"kl": ["above", 5.0]}, 4), [])
    first = logged(
        kl=[5.0, 5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 9.0],
        length=[0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0],
    )
    alarms = {"length": ["above", 4.0], "kl": ["above", 4.0]}
    q.same("the first window", q.call("diagnose", first, alarms, 4), ["kl", "length"])
    q.same("a run shorter than a window", q.call("diagnose", first[:3], {"kl": ["above", 1.0]}, 4), [])


@DIAGNOSE.case("means on the bound", rule=NEVER_EQUAL, hint="above means >, not ≥.", reread=DIAGNOSE_TEXT)
def _(q):
    rows = logged(kl=[1.0] * 6, entropy=[0.5] * 6, length=[3.0] * 6)
    alarms = {"kl": ["above", 1.0], "entropy": ["below", 0.5], "length": ["above", 2.0]}
    q.same("the alarms", q.call("diagnose", rows, alarms, 2), ["length"])


@DIAGNOSE.case(
    "a run that recovers", rule=CAME_BACK, hint="Look at all rows, not only at the last.", reread=DIAGNOSE_TEXT
)
def _(q):
    rows = logged(kl=[1.0, 1.0, 9.0, 9.0, 1.0, 1.0, 1.0], length=[1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0])
    alarms = {"kl": ["above", 5.0], "length": ["above", 5.0]}
    wrong = {"only what is still off at the end came back": ["length"]}
    q.same("the alarms", q.call("diagnose", rows, alarms, 2), ["kl", "length"], mistakes=wrong)


@DIAGNOSE.case("two at the same row", rule=SAME_ROW, hint="sorted keeps the order of equals.", reread=DIAGNOSE_TEXT)
def _(q):
    rows = logged(kl=[1.0, 1.0, 9.0, 9.0], length=[1.0, 1.0, 9.0, 9.0], entropy=[1.0, 1.0, 1.0, 0.0])
    alarms = {"entropy": ["below", 0.9], "length": ["above", 3.0], "kl": ["above", 3.0]}
    wrong = {"equals stand in the alphabet's order, or the other way round": ["kl", "length", "entropy"]}
    q.same("the alarms", q.call("diagnose", rows, alarms, 1), ["length", "kl", "entropy"], mistakes=wrong)


@DIAGNOSE.case("a healthy run, no rows, no alarms; the inputs are left alone", reread=DIAGNOSE_TEXT)
def _(q):
    healthy = logged(reward=[1.5] * 8, tied=[0.3] * 8, entropy=[0.4] * 8, length=[11.0] * 8)
    q.same("the alarms of a healthy run", q.call("diagnose", healthy, ALARMS, 5), [])
    q.same("the alarms of no rows", q.call("diagnose", [], ALARMS, 5), [])
    history = in_trouble(q)
    q.same("no alarms set", q.call("diagnose", history, {}, 5), [])
    got = q.call_checked_unmutated("diagnose", history, ALARMS, 1)
    q.same("the alarms", got, ["entropy", "tied", "reward"])


# --------------------------------------------------------------------------------------------------------- find the bug

NAMED = "the letter names the mistake"
AS_BEFORE = "a mean over the tokens of all answers, as in § 6"
WITH_GRADIENT = "the gradient is that of § 6"
BUG = Question("find_the_bug", lab=LAB, points=0.5, rules=(NAMED, AS_BEFORE, WITH_GRADIENT))
BUG_TEXT = "§ 14 Find the bug"
LETTER = "C"


def held_wrongly(logprobs, old, advantages, clip):
    """The colleague's terms: the larger of the two products, so that the wrong side is held back."""
    r, a = (logprobs - old).exp(), advantages
    return -torch.where(a > 0, r.clamp(min=1 - clip), r.clamp(max=1 + clip)) * a


@BUG.case("the loss without the mistake", reread=BUG_TEXT)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, WHOLE, ASKED_FOR[:4] + WRONG_WAY[:2])
    got = q.call("find_the_bug", *args, 0.3)
    q.true("two things are asked for: (loss, letter)", isinstance(got, (list, tuple)) and len(got) == 2)
    r, a = (logprobs - old).exp(), advantages
    q.close(
        "the loss",
        got[0],
        oracle_policy(*args, 0.3),
        tol=1e-5,
        mistakes={
            "the colleague's mistake is still in it": held_wrongly(logprobs, old, advantages, 0.3).mean(),
            "nothing is held back now: the clip is missing": -(r * a).mean(),
            "both sides are clipped now: a step in the wrong direction must be seen in full": (
                -(r.clamp(0.7, 1.3) * a).mean()
            ),
            "the sign is wrong now": -oracle_policy(*args, 0.3),
            "the ratio is upside down now": oracle_policy(old, logprobs, advantages, mask, 0.3),
            "the old policy is not used now": -a.mean(),
        },
    )


@BUG.case(NAMED, rule=NAMED, hint="Put the loss into § 6's table of pulls: where are its zeros?", reread=BUG_TEXT)
def _(q):
    got = q.call("find_the_bug", *policy_inputs(q, WHOLE), 0.3)[1]
    q.true("the letter is one of A, B, C, D, E, as a text", isinstance(got, str) and got.strip().upper() in "ABCDE")
    told = f"{got.strip().upper()} is not the mistake: the log, or the table of pulls, speaks against it"
    q.true(told, got.strip().upper() == LETTER)


@BUG.case(
    "answers of different lengths, with prompt and padding",
    rule=AS_BEFORE,
    hint="The mean was right: one mistake, one change.",
    reread=BUG_TEXT,
)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, BOTH)
    terms = surrogate(logprobs, old, advantages, 0.3).float()
    q.close(
        "the loss",
        q.call("find_the_bug", *args, 0.3)[0],
        oracle_policy(*args, 0.3),
        tol=1e-5,
        mistakes={} | over_others(terms, mask),
    )


@BUG.case("its gradient", rule=WITH_GRADIENT, hint="No .detach(), no .item().", reread=BUG_TEXT)
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q, WHOLE)
    _, (grad,) = q.call_with_grad("find_the_bug", [*args, 0.3], wrt=(0,), names=("logprobs",))
    leaf = logprobs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(oracle_policy(leaf, old, advantages, mask, 0.3), leaf)
    q.close("the gradient", grad, expected, tol=1e-5)


# --------------------------------------------------------------------------------------------- the policy and the words


def score_policy(folder, seed, public):
    """(fraction, message): mean gold utility of the handed-in policy's answers to prompts drawn from `seed`. No reward
    model is asked.
    """
    from pathlib import Path

    from course_lib.evaluation.alignment import utilities
    from course_lib.evaluation.handed_in import check_reads, points_share
    from course_lib.questions.core import derive_seed
    from course_lib.stages.artifacts import load_folder
    from course_lib.stages.rollout import roll_out
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.annotators import prompts

    model, tokenizer = load_folder(Path(folder), "rlhf")[0].eval(), load_tokenizer()
    check_reads(model, 200, 'start from assistant(load_stage("sft").model)')
    rows = prompts("test", PROMPTS, f"grade {LAB} {seed}")
    batch = roll_out(model, tokenizer, rows, EACH, derive_seed(seed, LAB) % 2**40)
    worth = float(utilities(batch.rows, batch.answers).mean())
    return (
        points_share(worth, SCORE_ZERO, SCORE_FULL),
        f"mean gold utility {worth:.2f} over {EACH} answers to each of {PROMPTS} fresh prompts; full marks from "
        f"{SCORE_FULL:g} on, none at {SCORE_ZERO:g}.",
    )


POLICY_MODEL = ArtifactQuestion(
    "trained_policy", lab=LAB, points=1, stage="rlhf", score=score_policy, title="The policy that you trained"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Why the proxy climbs while the gold utility falls",
    rubric="""0.5: says that the reward model is a guess that was fitted to pairs of the reference model's answers, that
the policy moves to answers where the guess is too high (Goodhart), with the student's own numbers from § 12 (turning
step or KL, proxy and gold before and after), names from the samples or features WHAT the policy does there (courtesies,
length, …), AND says what the KL penalty has to do with it: it keeps the policy where the reward model has seen answers;
stopping early does the same.
0.25: the mechanism without numbers, or numbers without the mechanism.  0: "overfitting" alone, or "the model got
worse".""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="The collapse, its cause and its cure",
    rubric="""0.5: names the order of the alarms in the student's own collapse run of § 13, the choice that set them off
(no KL penalty, division by the group's standard deviation, learning rate, several passes over a batch) with the
evidence from the logs, and what the cure changed in the numbers. A cure of one's own that did not work, honestly
reported, earns full marks with a reason.
0.25: cause or cure without numbers.  0: neither.""",
)
