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


def ragged(q, B, T):
    """[B T], True on an answer: each row has a prompt before it; the first has padding after it, the second ends at T,
    the third is one token long.
    """
    mask = torch.zeros(B, T, dtype=torch.bool)
    for b in range(B):
        start = 1 + q.randint(0, T // 3)
        length = 1 if b == 2 else 2 + q.randint(0, T // 3)
        mask[b, start : T if b == 1 else min(start + length, T - 1)] = True
    return mask


def places(mask):
    """[[places of the masked tokens of a row], …]"""
    return [[t for t, on in enumerate(row) if on] for row in mask.tolist()]


def filled(rows, shape, dtype):
    """{(b, t): number} as a tensor, 0 elsewhere."""
    out = torch.zeros(shape, dtype=torch.float64)
    for (b, t), value in rows.items():
        out[b, t] = value
    return out.to(dtype)


# ----------------------------------------------------------------------------------------------------------- KL penalty

PENALTY = Question("kl_penalty", lab=LAB, points=1)
PENALTY_TEXT = "§ 3 A token is an action"


def oracle_penalty(
    scores,
    logprobs,
    reference,
    mask,
    beta,
    sign=-1.0,
    score_at=lambda row: row[-1:],
    score=1.0,
    ratio=lambda a, b: a - b,
):
    rows = {}
    for b, row in enumerate(places(mask)):
        rows |= {(b, t): sign * beta * ratio(float(logprobs[b, t]), float(reference[b, t])) for t in row}
        for t in score_at(row):
            rows[b, t] = rows.get((b, t), 0.0) + score * float(scores[b])
    return filled(rows, logprobs.shape, logprobs.dtype)


def penalty_inputs(q, B=4, T=9):
    """Scores, log-probabilities and a reference with numbers off the mask, too."""
    return q.randn(B) + 1.5, -3 * q.rand(B, T) - 0.1, -3 * q.rand(B, T) - 0.1, ragged(q, B, T)


@PENALTY.case("−β (log π − log π_ref) at each token, the score at the last one")
def _(q):
    scores, logprobs, reference, mask = args = penalty_inputs(q)
    got = q.call("kl_penalty", *args, 0.3)
    every = list(range(logprobs.shape[1]))
    shown = lambda **changes: oracle_penalty(*args, 0.3, **changes)
    unmasked = -0.3 * (logprobs - reference)
    summed = {
        (b, row[-1]): -0.3 * float((logprobs - reference)[b, row].sum()) + float(scores[b])
        for b, row in enumerate(places(mask))
    }
    q.close(
        "the rewards",
        got,
        shown(),
        tol=1e-5,
        reread=PENALTY_TEXT,
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
            "the score stands in the last column, which may be padding: the last token of the ANSWER is the last True "
            "of its mask": shown(score_at=lambda row: every[-1:]),
            "the score was given at place mask.sum() − 1: that forgets the prompt before the answer": (
                shown(score_at=lambda row: [len(row) - 1])
            ),
            "the score was spread over the answer's tokens: the reward model speaks once": sum(
                oracle_penalty(scores / mask.sum(1), *args[1:], 0.3, sign=0.0, score_at=lambda row, k=k: row[k : k + 1])
                for k in range(9)
            )
            + shown(score=0.0),
            "prompt and padding were penalised, too: multiply by the mask": unmasked + shown(sign=0.0),
            "the whole penalty was taken at the last token: each token pays its own": (
                filled(summed, logprobs.shape, torch.float32)
            ),
            "that is the estimator k3, which is never negative: here each token pays log π − log π_ref, whatever its "
            "sign": shown(ratio=lambda a, b: math.exp(b - a) - 1 - (b - a)),
            "the ratio π / π_ref was taken without its logarithm": shown(ratio=lambda a, b: math.exp(a - b)),
            "the score took the place of the last token's penalty: add them": (
                torch.where(shown(sign=0.0) != 0, shown(sign=0.0), shown())
            ),
            "the score was multiplied by β, too": shown(score=0.3),
        },
    )


@PENALTY.case("an answer's rewards add up to its score − β · its log ratio")
def _(q):
    scores, logprobs, reference, mask = args = penalty_inputs(q, B=5, T=12)
    got = q.call("kl_penalty", *args, 0.7)
    q.close(
        "the sums",
        got.sum(1),
        scores - 0.7 * torch.stack([(logprobs - reference)[b, row].sum() for b, row in enumerate(places(mask))]),
        tol=1e-5,
        reread=PENALTY_TEXT,
    )
    q.close("the rewards off the answer", got[~mask], torch.zeros(int((~mask).sum())), tol=0, reread=PENALTY_TEXT)


@PENALTY.case("β = 0, and a policy that is the reference: the scores alone")
def _(q):
    scores, logprobs, reference, mask = penalty_inputs(q)
    only = oracle_penalty(scores, logprobs, reference, mask, 0.0)
    q.close(
        "the rewards at β = 0",
        q.call("kl_penalty", scores, logprobs, reference, mask, 0.0),
        only,
        tol=1e-6,
        reread=PENALTY_TEXT,
    )
    q.close(
        "the rewards of π_ref itself",
        q.call("kl_penalty", scores, logprobs, logprobs, mask, 0.5),
        only,
        tol=1e-6,
        reread=PENALTY_TEXT,
    )


@PENALTY.case("extreme log-probabilities, and rubbish off the answer")
def _(q):
    scores, logprobs, reference, mask = penalty_inputs(q)
    logprobs, reference = 100 * logprobs, 80 * reference
    logprobs[~mask], reference[~mask] = 1e6, -1e6
    got = q.call("kl_penalty", scores, logprobs, reference, mask, 0.1)
    q.close(
        "the rewards",
        got,
        oracle_penalty(scores, logprobs, reference, mask, 0.1),
        tol=1e-5,
        reread=PENALTY_TEXT,
        hint="Stay with the logarithms: exp(−300) is 0. And nothing off the mask may count.",
    )


@PENALTY.case("one token, all tokens; float64; inputs left alone")
def _(q):
    args = [q.randn(2), q.randn(2, 1), q.randn(2, 1), torch.ones(2, 1, dtype=torch.bool)]
    q.close(
        "the rewards of one-token answers",
        q.call("kl_penalty", *args, 0.2),
        oracle_penalty(*args, 0.2),
        tol=1e-5,
        reread=PENALTY_TEXT,
    )
    scores, logprobs, reference, _ = [t.double() for t in penalty_inputs(q)]
    everywhere = torch.ones(logprobs.shape, dtype=torch.bool)
    got = q.call_checked_unmutated("kl_penalty", scores, logprobs, reference, everywhere, 0.2)
    q.close(
        "the rewards in float64",
        got,
        oracle_penalty(scores, logprobs, reference, everywhere, 0.2),
        tol=1e-9,
        reread=PENALTY_TEXT,
    )


# ------------------------------------------------------------------------------------------------------------------ GAE

GAE = Question("gae", lab=LAB, points=2)
GAE_TEXT = "§ 5 Which token was it?"


def deltas(rewards, values, row, b, gamma, last=0.0):
    """δ of each token of one answer."""
    ahead = [float(values[b, t]) for t in row[1:]] + [last]
    return [float(rewards[b, t]) + gamma * v - float(values[b, t]) for t, v in zip(row, ahead)]


def oracle_gae(rewards, values, mask, gamma, lam, decay=None, last=None, tail=None, delta=deltas):
    """(advantages, returns) as the sums that define them, in float64."""
    decay, advantages, returns = gamma * lam if decay is None else decay, {}, {}
    for b, row in enumerate(places(mask)):
        d = delta(rewards, values, row, b, gamma, **({} if last is None else {"last": last(b, row)}))
        for k, t in enumerate(row):
            advantages[b, t] = sum(decay**i * x for i, x in enumerate(d[k:]))
            returns[b, t] = advantages[b, t] + float(values[b, t])
    made = [filled(rows, rewards.shape, rewards.dtype) for rows in (advantages, returns)]
    return made


def monte_carlo(rewards, mask, gamma):
    """The discounted sum of the rewards from each token on."""
    sums = {}
    for b, row in enumerate(places(mask)):
        for k, t in enumerate(row):
            sums[b, t] = sum(gamma**i * float(rewards[b, s]) for i, s in enumerate(row[k:]))
    return filled(sums, rewards.shape, rewards.dtype)


def gae_inputs(q, B=4, T=9):
    return q.randn(B, T), q.randn(B, T), ragged(q, B, T)


@GAE.case("A = Σ (γλ)^k δ, returns = A + V, both 0 off the answer")
def _(q):
    rewards, values, mask = args = gae_inputs(q)
    got = q.call("gae", *args, 0.9, 0.8)
    q.true("two tensors are asked for: (advantages, returns)", len(got) == 2, reread=GAE_TEXT)
    advantages, returns = oracle_gae(*args, 0.9, 0.8)
    padded = lambda b, row: float(values[b, row[-1] + 1]) if row[-1] + 1 < values.shape[1] else 0.0
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
    forward = filled(sums, rewards.shape, rewards.dtype)
    kept = advantages[mask]
    q.close(
        "the advantages",
        got[0],
        advantages,
        tol=1e-5,
        reread=GAE_TEXT,
        mistakes={
            "V after the last token was read from the padding: it is 0, the answer is over": (
                oracle_gae(*args, 0.9, 0.8, last=padded)[0]
            ),
            "V after the last token was taken to be V of the last token: it is 0, the answer is over": (
                oracle_gae(*args, 0.9, 0.8, last=itself)[0]
            ),
            "γ is missing from δ: r + γ V_next − V": oracle_gae(*args, 0.9, 0.8, delta=no_gamma)[0],
            "the sum decays with λ alone: with γ · λ": oracle_gae(*args, 0.9, 0.8, decay=0.8)[0],
            "the sum decays with γ alone: with γ · λ": oracle_gae(*args, 0.9, 0.8, decay=0.9)[0],
            "only δ itself came back: the sum over later tokens is missing": oracle_gae(*args, 0.9, 0.8, decay=0.0)[0],
            "V was added, not taken off: δ = r + γ V_next − V": oracle_gae(*args, 0.9, 0.8, delta=plus)[0],
            "the values were not used: δ = r + γ V_next − V": oracle_gae(*args, 0.9, 0.8, delta=no_value)[0],
            "that is the discounted reward to come (Monte-Carlo): δ and λ are missing": monte_carlo(rewards, mask, 0.9),
            "the sum ran from the past: a token is judged by what comes after it. Go from right to left": forward,
            "the advantages were whitened: that is a later step": filled(
                {}, rewards.shape, rewards.dtype
            ).masked_scatter(mask, (kept - kept.mean()) / (kept.std() + 1e-8)),
            "the two changed places: (advantages, returns)": returns,
        },
    )
    q.close(
        "the returns",
        got[1],
        returns,
        tol=1e-5,
        reread=GAE_TEXT,
        mistakes={
            "the advantages came back twice: returns = A + V": advantages,
            "the returns are the discounted rewards (Monte-Carlo): here they are A + V": (
                monte_carlo(rewards, mask, 0.9)
            ),
            "the returns are A − V: they are A + V": advantages - values * mask,
            "V was added off the answer, too: both are 0 there": advantages + values,
        },
    )


@GAE.case("λ = 1 is Monte-Carlo: what came, minus what was expected")
def _(q):
    rewards, values, mask = args = gae_inputs(q, B=5, T=14)
    for gamma in (1.0, 0.95):
        advantages, returns = q.call("gae", *args, gamma, 1.0)
        total = monte_carlo(rewards, mask, gamma)
        q.close(f"the advantages at λ = 1, γ = {gamma}", advantages, total - values * mask, tol=1e-5, reread=GAE_TEXT)
        q.close(f"the returns at λ = 1, γ = {gamma}", returns, total, tol=1e-5, reread=GAE_TEXT)


@GAE.case("λ = 0 is one step: δ alone")
def _(q):
    args = gae_inputs(q)
    advantages, returns = q.call("gae", *args, 0.9, 0.0)
    expected = oracle_gae(*args, 0.9, 0.0)
    q.close("the advantages at λ = 0", advantages, expected[0], tol=1e-5, reread=GAE_TEXT)
    q.close("the returns at λ = 0", returns, expected[1], tol=1e-5, reread=GAE_TEXT)


@GAE.case("a perfect critic leaves nothing: A = 0")
def _(q):
    rewards, _, mask = gae_inputs(q)
    values = monte_carlo(rewards, mask, 1.0)
    advantages, returns = q.call("gae", rewards, values, mask, 1.0, 0.7)
    q.close("the advantages", advantages, 0 * rewards, tol=1e-5, reread=GAE_TEXT)
    q.close("the returns", returns, values, tol=1e-5, reread=GAE_TEXT)


@GAE.case("rubbish off the answer does not get in")
def _(q):
    rewards, values, mask = gae_inputs(q)
    clean = oracle_gae(rewards, values, mask, 1.0, 0.95)
    rewards[~mask], values[~mask] = 7e4, -5e4
    advantages, returns = q.call("gae", rewards, values, mask, 1.0, 0.95)
    q.close(
        "the advantages",
        advantages,
        clean[0],
        tol=1e-5,
        reread=GAE_TEXT,
        hint="Where the mask is False, what you carry from right to left must go back to 0, the value that follows as "
        "well.",
    )
    q.close("the returns", returns, clean[1], tol=1e-5, reread=GAE_TEXT)


@GAE.case("one token, one answer, no tokens")
def _(q):
    rewards, values, mask = q.randn(3, 1), q.randn(3, 1), torch.ones(3, 1, dtype=torch.bool)
    got = q.call("gae", rewards, values, mask, 0.9, 0.8)
    q.close(
        "the advantages of one token",
        got[0],
        rewards - values,
        tol=1e-6,
        hint="After it comes nothing: δ = r − V.",
        reread=GAE_TEXT,
    )
    q.close("the returns of one token", got[1], rewards, tol=1e-6, reread=GAE_TEXT)
    got = q.call("gae", torch.zeros(2, 0), torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool), 0.9, 0.8)
    q.same("the shapes for no tokens", [list(t.shape) for t in got], [[2, 0], [2, 0]], reread=GAE_TEXT)


@GAE.case("float64 in, float64 out; inputs left alone")
def _(q):
    rewards, values, mask = gae_inputs(q, B=3, T=40)
    args = [rewards.double(), values.double(), mask]
    got = q.call_checked_unmutated("gae", *args, 0.99, 0.95)
    for name, mine, theirs in zip(("advantages", "returns"), got, oracle_gae(*args, 0.99, 0.95)):
        q.close(f"the {name}", mine, theirs, tol=1e-9, reread=GAE_TEXT)


# ---------------------------------------------------------------------------------------------------------- policy loss

POLICY = Question("clipped_policy_loss", lab=LAB, points=1.5)
POLICY_TEXT = "§ 6 Small steps"


def surrogate(logprobs, old, advantages, clip):
    """−A · r where the ratio has not gone further than A asked for, −A · bound beyond: a term a token, in float64 and
    by cases.
    """
    a, r = advantages.double(), torch.exp((logprobs.double() - old.double()).clamp(max=300.0))
    bound = 1 + clip * (2.0 * (a > 0).double() - 1)
    beyond = ((a > 0) & (r > bound)) | ((a < 0) & (r < bound))
    return torch.where(beyond, -a * bound, -a * torch.where(beyond, bound, r))


def oracle_policy(logprobs, old, advantages, mask, clip, terms=surrogate):
    return (terms(logprobs, old, advantages, clip)[mask].sum() / int(mask.sum())).to(logprobs.dtype)


def policy_inputs(q, B=4, T=8, spread=0.5):
    """Log-probabilities whose ratios fall inside and outside the clip; advantages of both signs; numbers off the mask,
    too.
    """
    old = -2 * q.rand(B, T) - 0.2
    mask = ragged(q, B, T)
    advantages = q.randn(B, T)
    at = mask.nonzero()
    for k, (b, t) in enumerate(at[:4].tolist()):  # so that each of the four cases is there
        advantages[b, t] = (1.0, -1.0, 1.0, -1.0)[k] * (0.5 + float(q.rand(1)))
    logprobs = old + spread * q.randn(B, T)
    for k, (b, t) in enumerate(at[:4].tolist()):
        logprobs[b, t] = old[b, t] + (0.6, -0.7, -0.5, 0.8)[k]
    return logprobs, old, advantages, mask


@POLICY.case("−min(ratio · A, clip(ratio) · A), mean over the tokens of all answers")
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q)
    got = q.call("clipped_policy_loss", *args, 0.2)
    r, a = (logprobs - old).exp(), advantages
    cut = r.clamp(0.8, 1.2)
    mean = lambda terms: terms[mask].mean()
    right = -torch.minimum(r * a, cut * a)
    row_means = torch.stack([right[b, row].mean() for b, row in enumerate(places(mask))])
    whole = ((logprobs - old) * mask).sum(1, keepdim=True).exp()
    q.close(
        "the loss",
        got,
        oracle_policy(*args, 0.2),
        tol=1e-5,
        reread=POLICY_TEXT,
        mistakes={
            "the sign is wrong: a loss falls where the surrogate rises": -mean(right),
            "the larger of the two was taken: the smaller is the cautious one": mean(-torch.maximum(r * a, cut * a)),
            "nothing was clipped": mean(-r * a),
            "only the clipped ratio counts: the minimum with the unclipped one is missing": mean(-cut * a),
            "the ratio is the other way round: π_new / π_old": mean(-torch.minimum(a / r, (1 / r).clamp(0.8, 1.2) * a)),
            "the ratio was taken without exp: logprobs − old is its logarithm": (
                mean(-torch.minimum((logprobs - old) * a, (logprobs - old).clamp(0.8, 1.2) * a))
            ),
            "the ratio was clipped to 0 ± clip: to 1 ± clip": mean(-torch.minimum(r * a, r.clamp(-0.2, 0.2) * a)),
            "log-probabilities in place of the ratio": mean(-logprobs * a),
            "the mean ran over prompt and padding, too": right.mean(),
            "prompt and padding were put to 0, but counted in the mean: divide by mask.sum()": (right * mask).mean(),
            "each answer was averaged first, then the answers: here every token of the batch counts the same": (
                row_means.mean()
            ),
            "the terms were added up: take their mean": right[mask].sum(),
            "the sum was divided by the number of answers: by the number of their tokens": (
                right[mask].sum() / len(mask)
            ),
            "the ratio of the whole answer was used for each token: one ratio a token": (
                mean(-torch.minimum(whole * a, whole.clamp(0.8, 1.2) * a))
            ),
        },
    )


@POLICY.case("the gradient: only from tokens that are not clipped")
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q)
    _, (grad,) = q.call_with_grad("clipped_policy_loss", [*args, 0.2], wrt=(0,))
    leaf = logprobs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(oracle_policy(leaf, old, advantages, mask, 0.2), leaf)
    r, n = (logprobs - old).exp(), mask.sum()
    q.close(
        "the gradient",
        grad,
        expected,
        tol=1e-5,
        reread=POLICY_TEXT,
        mistakes={
            "the gradient is that of the unclipped loss": -r * advantages * mask / n,
            "the ratio is a constant in your graph, log π carries the gradient": -advantages * mask / n,
        },
    )


@POLICY.case("at ratio 1 it is the plain policy gradient: −A / tokens")
def _(q):
    logprobs, _, advantages, mask = policy_inputs(q)
    value, (grad,) = q.call_with_grad(
        "clipped_policy_loss", [logprobs, logprobs.clone(), advantages, mask, 0.2], wrt=(0,)
    )
    q.close("the loss", value, -advantages[mask].mean(), tol=1e-5, reread=POLICY_TEXT)
    q.close(
        "the gradient",
        grad,
        -(advantages * mask) / mask.sum(),
        tol=1e-5,
        hint="A loss whose value never changes with logprobs still has to have a gradient: no .detach() on logprobs.",
        reread=POLICY_TEXT,
    )


@POLICY.case("extreme log-probabilities stay finite, value and gradient")
def _(q):
    _, _, _, mask = policy_inputs(q)
    old = -150 - 50 * q.rand(*mask.shape)  # exp of it is 0 in float32
    logprobs = old + 0.3 * q.randn(*mask.shape)
    advantages = q.randn(*mask.shape)
    b, t = mask.nonzero()[0].tolist()
    logprobs[b, t], old[b, t], advantages[b, t] = -0.1, -75.0, 1.5  # a ratio of e⁷⁵, clipped
    value, (grad,) = q.call_with_grad("clipped_policy_loss", [logprobs, old, advantages, mask, 0.2], wrt=(0,))
    leaf = logprobs.clone().requires_grad_()
    want = oracle_policy(leaf, old, advantages, mask, 0.2)
    q.close(
        "the loss",
        value,
        want.detach(),
        tol=1e-4,
        hint="exp(logprobs) / exp(old) is 0 / 0 here: take the difference first, then exp.",
        reread=POLICY_TEXT,
    )
    q.close("the gradient", grad, torch.autograd.grad(want, leaf)[0], tol=1e-4, reread=POLICY_TEXT)


@POLICY.case("all advantages 0 (every reward tied): loss 0, gradient 0")
def _(q):
    logprobs, old, advantages, mask = policy_inputs(q)
    value, (grad,) = q.call_with_grad("clipped_policy_loss", [logprobs, old, 0 * advantages, mask, 0.2], wrt=(0,))
    q.close("the loss", value, torch.tensor(0.0), tol=1e-7, reread=POLICY_TEXT)
    q.close("the gradient", grad, 0 * logprobs, tol=1e-7, reread=POLICY_TEXT)


@POLICY.case("ragged masks with a hole, one token in all; other clips")
def _(q):
    logprobs, old, advantages, mask = policy_inputs(q, B=5, T=11)
    mask[1, 3:6] = False  # a tool's reply in the middle of an answer: not the policy's words
    for clip in (0.05, 0.4):
        q.close(
            f"the loss at clip {clip}",
            q.call("clipped_policy_loss", logprobs, old, advantages, mask, clip),
            oracle_policy(logprobs, old, advantages, mask, clip),
            tol=1e-5,
            reread=POLICY_TEXT,
        )
    one = torch.zeros_like(mask)
    one[2, 4] = True
    q.close(
        "the loss of a single token",
        q.call("clipped_policy_loss", logprobs, old, advantages, one, 0.2),
        oracle_policy(logprobs, old, advantages, one, 0.2),
        tol=1e-5,
        reread=POLICY_TEXT,
    )


@POLICY.case("a scalar tensor; float64; inputs left alone")
def _(q):
    logprobs, old, advantages, mask = policy_inputs(q)
    args = [logprobs.double(), old.double(), advantages.double(), mask]
    got = q.call_checked_unmutated("clipped_policy_loss", *args, 0.2)
    q.close(
        "the loss in float64",
        got,
        oracle_policy(*args, 0.2),
        tol=1e-9,
        hint="Return a tensor of shape [], in the dtype that came in; no .item().",
        reread=POLICY_TEXT,
    )


# ----------------------------------------------------------------------------------------------------------- value loss

VALUE = Question("clipped_value_loss", lab=LAB, points=0.5)
VALUE_TEXT = "§ 7 The critic"


def squared(values, old, returns, clip):
    """The worse of two squared errors a token, by cases."""
    v, o, r = values.double(), old.double(), returns.double()
    plain = (v - r) ** 2
    edge = (o + clip * (2.0 * (v > o).double() - 1) - r) ** 2
    outside = (v - o).abs() > clip
    return torch.where(outside & (edge > plain), edge, plain)


def oracle_value(values, old, returns, mask, clip):
    return (0.5 * squared(values, old, returns, clip)[mask].sum() / int(mask.sum())).to(values.dtype)


def value_inputs(q, B=4, T=8):
    old, mask = q.randn(B, T), ragged(q, B, T)
    values, returns = old + 0.5 * q.randn(B, T), q.randn(B, T)
    for k, (b, t) in enumerate(mask.nonzero()[:3].tolist()):  # jumped to the return, jumped past it, stayed
        values[b, t] = old[b, t] + (0.9, -0.8, 0.1)[k]
        returns[b, t] = old[b, t] + (1.0, 0.6, 0.7)[k]
    return values, old, returns, mask


@VALUE.case("½ · the larger of two squared errors, mean over the tokens of all answers")
def _(q):
    values, old, returns, mask = args = value_inputs(q)
    got = q.call("clipped_value_loss", *args, 0.3)
    near = old + (values - old).clamp(-0.3, 0.3)
    plain, cut = (values - returns) ** 2, (near - returns) ** 2
    mean = lambda terms: 0.5 * terms[mask].mean()
    worse = torch.maximum(plain, cut)
    q.close(
        "the loss",
        got,
        oracle_value(*args, 0.3),
        tol=1e-5,
        reread=VALUE_TEXT,
        mistakes={
            "the ½ is missing": 2 * mean(worse),
            "the smaller error was taken: the larger one is the cautious one": mean(torch.minimum(plain, cut)),
            "nothing was clipped": mean(plain),
            "only the clipped value counts: the maximum with the unclipped error is missing": mean(cut),
            "the value was clipped to ± clip: it may move by clip from its OLD value": (
                mean(torch.maximum(plain, (values.clamp(-0.3, 0.3) - returns) ** 2))
            ),
            "the old value is missing after the clip: old + clip(values − old)": (
                mean(torch.maximum(plain, ((values - old).clamp(-0.3, 0.3) - returns) ** 2))
            ),
            "the old values were judged, not the new ones": mean(torch.maximum((old - returns) ** 2, cut)),
            "absolute errors in place of squared ones": (
                mean(torch.maximum((values - returns).abs(), (near - returns).abs()))
            ),
            "the mean ran over prompt and padding, too": 0.5 * worse.mean(),
            "prompt and padding were put to 0, but counted in the mean: divide by mask.sum()": (
                0.5 * (worse * mask).mean()
            ),
            "each answer was averaged first, then the answers: here every token of the batch counts the same": (
                0.5 * torch.stack([worse[b, row].mean() for b, row in enumerate(places(mask))]).mean()
            ),
            "the terms were added up: take their mean": 0.5 * worse[mask].sum(),
            "the sign is wrong: a critic's error is to fall": -mean(worse),
        },
    )


@VALUE.case("the gradient: none from a value that went too far and is better off for it")
def _(q):
    values, old, returns, mask = args = value_inputs(q)
    _, (grad,) = q.call_with_grad("clipped_value_loss", [*args, 0.3], wrt=(0,))
    leaf = values.clone().requires_grad_()
    (expected,) = torch.autograd.grad(oracle_value(leaf, old, returns, mask, 0.3), leaf)
    q.close(
        "the gradient",
        grad,
        expected,
        tol=1e-5,
        reread=VALUE_TEXT,
        mistakes={"the gradient is that of the unclipped loss": (values - returns) * mask / mask.sum()},
    )


@VALUE.case("at the old values it is half the mean squared error")
def _(q):
    _, old, returns, mask = value_inputs(q)
    value, (grad,) = q.call_with_grad("clipped_value_loss", [old, old.clone(), returns, mask, 0.2], wrt=(0,))
    q.close("the loss", value, 0.5 * ((old - returns)[mask] ** 2).mean(), tol=1e-5, reread=VALUE_TEXT)
    q.close("the gradient", grad, (old - returns) * mask / mask.sum(), tol=1e-5, reread=VALUE_TEXT)


@VALUE.case("far away, and rubbish off the answer")
def _(q):
    values, old, returns, mask = value_inputs(q)
    values, old = 100 * values, 100 * old
    for tensor, rubbish in ((values, 1e6), (old, -1e6), (returns, 3e5)):
        tensor[~mask] = rubbish
    args = (values, old, returns, mask)
    q.close("the loss", q.call("clipped_value_loss", *args, 0.5), oracle_value(*args, 0.5), tol=1e-4, reread=VALUE_TEXT)


@VALUE.case("ragged masks with a hole, one token; float64; inputs left alone")
def _(q):
    values, old, returns, mask = value_inputs(q, B=5, T=11)
    mask[1, 3:6] = False
    args = [values.double(), old.double(), returns.double(), mask]
    q.close(
        "the loss in float64",
        q.call_checked_unmutated("clipped_value_loss", *args, 0.2),
        oracle_value(*args, 0.2),
        tol=1e-9,
        hint="Return a tensor of shape [], in the dtype that came in.",
        reread=VALUE_TEXT,
    )
    one = torch.zeros_like(mask)
    one[2, 4] = True
    q.close(
        "the loss of a single token",
        q.call("clipped_value_loss", values, old, returns, one, 0.2),
        oracle_value(values, old, returns, one, 0.2),
        tol=1e-5,
        reread=VALUE_TEXT,
    )


# ----------------------------------------------------------------------------------------------------- group advantages

GROUP = Question("group_advantages", lab=LAB, points=1)
GROUP_TEXT = "§ 9 The group is the critic"


def oracle_group(rewards, scale, spread=statistics.stdev, eps=1e-4):
    rows = []
    for row in rewards.double().tolist():
        middle = math.fsum(row) / len(row)
        rows.append([(x - middle) / (spread(row) + eps if scale else 1.0) for x in row])
    return torch.tensor(rows, dtype=torch.float64).reshape(rewards.shape).to(rewards.dtype)


@GROUP.case("(reward − mean of its group) / (standard deviation of its group + 1e-4)")
def _(q):
    rewards = 2 * q.randn(5, 4) + 3 * q.randn(5, 1)
    got = q.call("group_advantages", rewards, True)
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    other = rewards.T
    best = torch.zeros_like(rewards).scatter(1, rewards.argmax(1, keepdim=True), 1.0)
    q.close(
        "the advantages",
        got,
        oracle_group(rewards, True),
        tol=1e-5,
        reread=GROUP_TEXT,
        mistakes={
            "mean and deviation were taken over the whole batch: a group is one row": (
                (rewards - rewards.mean()) / (rewards.std() + 1e-4)
            ),
            "the mean was taken over the whole batch: each group has its own": (
                (rewards - rewards.mean()) / (std + 1e-4)
            ),
            "the deviation was taken over the whole batch: each group has its own": centred / (rewards.std() + 1e-4),
            "mean and deviation ran over the columns, that is over the prompts: a group is one row": (
                ((other - other.mean(1, keepdim=True)) / (other.std(1, keepdim=True) + 1e-4)).T
            ),
            "the mean was not taken off": rewards / (std + 1e-4),
            "the standard deviation is missing, although scale is True": centred,
            "the deviation has G in it, not G − 1: TRL's is torch.std with its default": (
                oracle_group(rewards, True, statistics.pstdev)
            ),
            "the variance was divided by, not its root": centred / (std**2 + 1e-4),
            "multiplied by the deviation: divide": centred * (std + 1e-4),
            "the sign is wrong: better than the group is positive": -oracle_group(rewards, True),
            "the median was taken, not the mean": (rewards - rewards.median(1, keepdim=True).values) / (std + 1e-4),
            "the best of its group was subtracted, not the mean": (
                (rewards - rewards.amax(1, keepdim=True)) / (std + 1e-4)
            ),
            "1 for the best, 0 for the others: the size of the difference is lost": best,
            "ε was put in the root: it is added to the standard deviation": centred / (std**2 + 1e-4).sqrt(),
        },
    )


@GROUP.case("scale = False: the difference alone")
def _(q):
    rewards = 5 * q.randn(3, 6)
    q.close(
        "the advantages",
        q.call("group_advantages", rewards, False),
        oracle_group(rewards, False),
        tol=1e-5,
        reread=GROUP_TEXT,
    )


@GROUP.case("a group whose rewards all tie gets 0, not NaN, and its neighbours keep theirs")
def _(q):
    rewards = q.randn(4, 3)
    rewards[1] = 2.5
    rewards[3] = -1.75
    for scale in (True, False):
        got = q.call("group_advantages", rewards, scale)
        q.close(
            "the advantages of the tied groups",
            got[[1, 3]],
            torch.zeros(2, 3),
            tol=0,
            hint="The standard deviation is 0 there: ε keeps 0 / 0 away.",
            reread=GROUP_TEXT,
        )
        q.close("the other groups", got, oracle_group(rewards, scale), tol=1e-5, reread=GROUP_TEXT)


@GROUP.case("nearly tied: ε keeps rounding errors from becoming advantages")
def _(q):
    rewards = torch.tensor([[0.0, 1e-6, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
    got = q.call("group_advantages", rewards, True)
    q.close(
        "the advantages",
        got,
        oracle_group(rewards, True),
        tol=1e-4,
        hint="Without ε, or with a much smaller one, one millionth of reward would count as much as the best answer of "
        "a good group.",
        reread=GROUP_TEXT,
    )


@GROUP.case("each group adds up to 0, whatever is added to its rewards")
def _(q):
    rewards = torch.round(8 * q.randn(4, 8)) / 8
    shifted = rewards + torch.tensor([[0.0], [64.0], [-512.0], [1024.0]])
    got = q.call("group_advantages", shifted, True)
    q.close("the sums", got.sum(1), torch.zeros(4), tol=1e-4, reread=GROUP_TEXT)
    q.close(
        "the advantages",
        got,
        oracle_group(rewards, True),
        tol=1e-4,
        hint="Only differences within a group count.",
        reread=GROUP_TEXT,
    )


@GROUP.case("groups of two; one group; float64; inputs left alone")
def _(q):
    for rewards in (q.randn(6, 2), q.randn(1, 5), q.randn(3, 4).double()):
        got = q.call_checked_unmutated("group_advantages", rewards, True)
        q.close(
            f"the advantages of {len(rewards)} groups of {rewards.shape[1]}",
            got,
            oracle_group(rewards, True),
            tol=1e-5,
            reread=GROUP_TEXT,
        )


# ------------------------------------------------------------------------------------------------------------ best of n

BEST = Question("best_of_n", lab=LAB, points=1)
BEST_TEXT = "§ 2 The limit, and a simple way towards it"


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


@BEST.case("log n − (n − 1)/n, and the mean over all choices of n answers")
def _(q):
    scores, worth = q.randn(3, 7), q.randn(3, 7)
    scores[0, 5] = 4.0  # a prompt whose best answer is not among the first
    got = q.call("best_of_n", scores, worth, 3)
    q.true("two numbers are asked for: (KL, expected worth)", len(got) == 2, reread=BEST_TEXT)
    right = kl_bound(3)
    q.close(
        "the KL",
        got[0],
        right,
        tol=1e-5,
        reread=BEST_TEXT,
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
        reread=BEST_TEXT,
        mistakes={
            "the answers were chosen by their worth: the scores choose, the worth counts": all_draws(worth, worth, 3),
            "the mean best SCORE came back: the scores choose, the worth counts": all_draws(scores, scores, 3),
            "the worst of n was chosen": all_draws(scores, worth, 3, choose=min),
            "nothing was chosen: that is the plain mean": float(worth.mean()),
            "the best of all K answers was chosen: of n": float(worth.gather(1, scores.argmax(1, keepdim=True)).mean()),
            "only the first n answers were looked at: average over all choices of n": (
                float(worth[:, :3].gather(1, scores[:, :3].argmax(1, keepdim=True)).mean())
            ),
            "the n best answers were averaged: the best one of n is taken": (
                float(worth.gather(1, scores.topk(3, 1).indices).mean())
            ),
            "the n answers were drawn with replacement: they are n different ones": with_replacement(scores, worth, 3),
            "the ranks count from 1, the weight C(i, n − 1) / C(K, n) from 0": float(
                (
                    worth.gather(1, scores.argsort(1))
                    * torch.tensor([math.comb(i + 1, 2) / math.comb(7, 3) for i in range(7)])
                )
                .sum(1)
                .mean()
            ),
            "the prompts were added up: take their mean": 3 * all_draws(scores, worth, 3),
            "the ranks run from the best: they run from the worst, which is 0": float(
                (
                    worth.gather(1, scores.argsort(1, descending=True))
                    * torch.tensor([math.comb(i, 2) / math.comb(7, 3) for i in range(7)])
                )
                .sum(1)
                .mean()
            ),
        },
    )


@BEST.case("n = 1 changes nothing, n = K takes the best")
def _(q):
    scores, worth = q.randn(4, 6), q.randn(4, 6)
    q.close(
        "best of 1", list(q.call("best_of_n", scores, worth, 1)), [0.0, float(worth.mean())], tol=1e-5, reread=BEST_TEXT
    )
    best = float(worth.gather(1, scores.argmax(1, keepdim=True)).mean())
    q.close("best of all", list(q.call("best_of_n", scores, worth, 6)), [kl_bound(6), best], tol=1e-5, reread=BEST_TEXT)


@BEST.case("tied scores: the same answer drawn more than once")
def _(q):
    kinds = q.randint(0, 3, (5, 8))
    scores, worth = q.randn(3)[kinds], q.randn(3)[kinds]
    q.close(
        "the expected worth",
        q.call("best_of_n", scores, worth, 4)[1],
        all_draws(scores, worth, 4),
        tol=1e-5,
        hint="Give each of the K places its own rank; equal answers then share their weights by themselves.",
        reread=BEST_TEXT,
    )
    q.close(
        "the expected worth where all tie",
        q.call("best_of_n", torch.ones(2, 5), torch.full((2, 5), 1.25), 3)[1],
        1.25,
        tol=1e-6,
        reread=BEST_TEXT,
    )


@BEST.case("many answers: the binomials are far larger than any float")
def _(q):
    scores, worth = q.randn(2, 1200), q.randn(2, 1200)
    for n in (600, 5):
        got = q.call("best_of_n", scores, worth, n)
        q.close(
            f"best of {n} of 1,200",
            list(got),
            [kl_bound(n), by_logarithms(scores, worth, n)],
            tol=1e-4,
            hint="math.comb gives whole numbers of any size: divide them by each other before you make a float.",
            reread=BEST_TEXT,
        )


@BEST.case("one prompt, one answer; inputs left alone")
def _(q):
    q.close(
        "best of 1 of 1",
        list(q.call("best_of_n", torch.tensor([[0.5]]), torch.tensor([[-2.0]]), 1)),
        [0.0, -2.0],
        tol=1e-6,
        reread=BEST_TEXT,
    )
    scores, worth = q.randn(1, 6), q.randn(1, 6)
    got = q.call_checked_unmutated("best_of_n", scores, worth, 2)
    q.close("best of 2", list(got), [kl_bound(2), all_draws(scores, worth, 2)], tol=1e-5, reread=BEST_TEXT)


# -------------------------------------------------------------------------------------------------------- turning point

TURN = Question("turning_point", lab=LAB, points=1)
TURN_TEXT = "§ 12 Where the gold turns"


def centred_mean(x, window):
    h = window // 2
    return [math.fsum(x[max(0, i - h) : i + h + 1]) / len(x[max(0, i - h) : i + h + 1]) for i in range(len(x))]


def trailing_mean(x, window):
    return [
        math.fsum(x[max(0, i - window + 1) : i + 1]) / len(x[max(0, i - window + 1) : i + 1]) for i in range(len(x))
    ]


def first_best(x):
    return max(range(len(x)), key=lambda i: (x[i], -i))


def oracle_turn(steps, proxy, gold, window, fall, mean=centred_mean):
    if not steps:
        return None
    p, g = mean(proxy, window), mean(gold, window)
    at = first_best(g)
    return steps[at] if g[at] - g[-1] > fall and p[-1] > p[at] else None


def run_of(q, n=40, turn=None, every=5, drop=6.0, noise=0.04, spike=True):
    """(steps, proxy, gold): the proxy climbs nearly to the end, the gold turns at about place `turn`; each has one
    lucky measurement elsewhere, and the gold gets a little better again at the end. So every way to read the wrong
    curve gives a step of its own.
    """
    turn = 12 + q.randint(0, 5) if turn is None else turn
    eps = (noise * q.randn(2, n)).tolist()
    gold = [2.0 - drop * ((i - turn) / n) ** 2 + 0.5 * max(0, i - n + 4) + e for i, e in enumerate(eps[0])]
    proxy = [4 * (1 - math.exp(-3 * i / n)) - 0.06 * max(0, i - n + 8) + e for i, e in enumerate(eps[1])]
    if spike:
        gold[turn - 8] += 0.7
        proxy[n - 14] += 0.8
    return [every * i for i in range(n)], proxy, gold


@TURN.case("the step at which the smoothed gold utility is highest")
def _(q):
    steps, proxy, gold = args = run_of(q)
    trail = trailing_mean(gold, 7)
    sums = [math.fsum(gold[max(0, i - 3) : i + 4]) for i in range(len(gold))]
    g = centred_mean(gold, 7)
    q.same(
        "the step",
        q.call("turning_point", *args, 7, 0.3),
        oracle_turn(*args, 7, 0.3),
        reread=TURN_TEXT,
        mistakes={
            "that is the highest single measurement: smooth first, one lucky measurement is no peak": (
                steps[first_best(gold)]
            ),
            "that is where the PROXY is highest: the gold utility turns, the proxy climbs on": steps[first_best(proxy)],
            "that is where the smoothed proxy is highest: the gold utility turns": (
                steps[first_best(centred_mean(proxy, 7))]
            ),
            "that is the last step": steps[-1],
            "that is the number of the measurement, not its step": first_best(g),
            "the mean looks back only, so it sees the peak too late: centre the window": steps[first_best(trail)],
            "the windows at the ends were not divided by their own number of measurements": steps[first_best(sums)],
            "that is where the gap between proxy and gold is largest": (
                steps[first_best([p - x for p, x in zip(proxy, gold)])]
            ),
            "that is where proxy and gold cross": next((s for s, p, x in zip(steps, proxy, gold) if p > x), None),
        },
    )


@TURN.case("gold that never falls back has no turning point")
def _(q):
    steps, proxy, _ = run_of(q, spike=False)
    climbing = [2 - math.exp(-i / 10) + 0.02 * float(q.randn(1)) for i in range(40)]
    q.same(
        "the answer for gold that climbs to the end",
        q.call("turning_point", steps, proxy, climbing, 5, 0.3),
        None,
        hint="Return None where the gold has not fallen by more than `fall` at the end.",
        reread=TURN_TEXT,
    )
    wobbly = [1.5] * 40
    wobbly[10 + q.randint(0, 10)], wobbly[-1] = 2.0, 1.1  # a lucky and an unlucky measurement
    q.same(
        "the answer for gold that only wobbles",
        q.call("turning_point", steps, proxy, wobbly, 5, 0.3),
        None,
        hint="Compare smoothed with smoothed: the peak against the end.",
        reread=TURN_TEXT,
    )


@TURN.case("gold and proxy that fall together: a collapse, no over-optimisation")
def _(q):
    steps, _, gold = run_of(q)
    falling = [x + 1.0 for x in gold]
    q.same(
        "the answer",
        q.call("turning_point", steps, falling, gold, 7, 0.3),
        None,
        hint="The smoothed proxy must be higher at the end than at the turning point.",
        reread=TURN_TEXT,
    )


@TURN.case("the peak at the first measurement, a fall just under `fall`")
def _(q):
    gold = [1.0 - 0.125 * i for i in range(9)]
    proxy = [float(i) for i in range(9)]
    steps = [3 * i + 2 for i in range(9)]
    q.same(
        "the step for gold that falls from the start",
        q.call("turning_point", steps, proxy, gold, 3, 0.3),
        2,
        hint="The windows at the ends hold fewer measurements: divide by how many there are.",
        reread=TURN_TEXT,
    )
    q.same(
        "the answer where the fall is not larger than `fall`",
        q.call("turning_point", steps, proxy, gold, 1, 1.0),
        None,
        hint="Larger than `fall`, not equal.",
        reread=TURN_TEXT,
    )
    q.same("the step where it is", q.call("turning_point", steps, proxy, gold, 1, 0.9), 2, reread=TURN_TEXT)


@TURN.case("windows of 1 and wider than the run; steps of any spacing; the first of equals")
def _(q):
    steps, proxy, gold = [0, 1, 4, 9, 16, 25], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 2.0, 1.0, 2.0, 1.0, 0.0]
    q.same(
        "the step with window 1",
        q.call("turning_point", steps, proxy, gold, 1, 0.5),
        1,
        hint="The first of two equal peaks.",
        reread=TURN_TEXT,
    )
    for window in (3, 21):
        q.same(
            f"the step with window {window}",
            q.call("turning_point", steps, proxy, gold, window, 0.1),
            oracle_turn(steps, proxy, gold, window, 0.1),
            reread=TURN_TEXT,
        )


@TURN.case("nothing measured; inputs left alone")
def _(q):
    q.same("the answer for no measurements", q.call("turning_point", [], [], [], 5, 0.1), None, reread=TURN_TEXT)
    args = run_of(q, n=30, turn=9)
    q.same(
        "the step",
        q.call_checked_unmutated("turning_point", *args, 5, 0.2),
        oracle_turn(*args, 5, 0.2),
        reread=TURN_TEXT,
    )


# ------------------------------------------------------------------------------------------------------------- diagnose

DIAGNOSE = Question("diagnose", lab=LAB, points=0.5)
DIAGNOSE_TEXT = "§ 13 A collapse, from its logs"


def oracle_diagnose(history, alarms, window, mean=trailing_mean, full=True, count=None):
    off = {}
    for name, (side, bound) in alarms.items():
        means = mean([row[name] for row in history], window)
        at = [
            k
            for k, m in enumerate(means)
            if (k >= window - 1 or not full) and (m > bound if side == "above" else m < bound)
        ]
        if at:
            off[name] = at[0]
    order = sorted(off, key=lambda name: off[name])
    return order if count is None else order[:count]


def logged(q, n=30, noise=0.01):
    """A run in trouble: the entropy falls first, the groups tie next, then the reward falls; the length stays. One
    early row has most groups tied by chance.
    """
    starts = {"entropy": 10, "tied": 15, "reward": 22}
    rows = []
    for k in range(n):
        e = (noise * q.randn(4)).tolist()
        after = {name: 1 / (1 + math.exp(-2.0 * (k - at))) for name, at in starts.items()}
        rows.append(
            {
                "step": k,
                "reward": 2.0 - 1.5 * after["reward"] + e[0],
                "tied": 0.2 + 0.75 * after["tied"] + e[1],
                "entropy": 0.5 - 0.45 * after["entropy"] + e[2],
                "length": 10.0 + e[3],
            }
        )
    rows[6]["tied"] += 0.9
    return rows


ALARMS = {"tied": ["above", 0.8], "reward": ["below", 1.0], "length": ["above", 30.0], "entropy": ["below", 0.15]}


@DIAGNOSE.case("the alarms in the order in which they go off")
def _(q):
    history = logged(q)
    right = oracle_diagnose(history, ALARMS, 5)
    last = [name for name, (side, bound) in ALARMS.items() if (history[-1][name] > bound) == (side == "above")]
    q.same(
        "the alarms",
        q.call("diagnose", history, ALARMS, 5),
        right,
        reread=DIAGNOSE_TEXT,
        mistakes={
            "single rows were looked at: one bad batch is no alarm. Take the mean of the last `window` rows": (
                oracle_diagnose(history, ALARMS, 1)
            ),
            "all alarms that went off, but in the order of `alarms`: the one that went off first comes first": last,
            "the last to go off comes first: the order is the wrong way round": right[::-1],
            'sides were mixed up: "above" goes off over its bound, "below" under it': oracle_diagnose(
                history,
                {name: ["below" if side == "above" else "above", bound] for name, (side, bound) in ALARMS.items()},
                5,
            ),
            "only the first alarm came back: all that go off, in their order": right[:1],
            "that is the alphabet's order: the one that went off first comes first": sorted(right),
            "alarms that never went off came back, too": right + [name for name in ALARMS if name not in right],
        },
    )


@DIAGNOSE.case("a healthy run: no alarm, the empty list")
def _(q):
    healthy = [{"step": k, "reward": 1.5 + 0.02 * k, "tied": 0.3, "entropy": 0.4, "length": 11.0} for k in range(20)]
    q.same("the alarms", q.call("diagnose", healthy, ALARMS, 5), [], reread=DIAGNOSE_TEXT)


@DIAGNOSE.case("the first window counts, half a window does not")
def _(q):
    rows = [{"step": k, "kl": 9.0 if k < 2 else 0.0} for k in range(8)]
    q.same(
        "the alarms after two bad rows, window 4",
        q.call("diagnose", rows, {"kl": ["above", 5.0]}, 4),
        [],
        hint="A mean of fewer than `window` rows is no mean yet: 9, 9, 0, 0 has a mean of 4.5.",
        reread=DIAGNOSE_TEXT,
    )
    q.same(
        "the alarms, window 4, a lower bound",
        q.call("diagnose", rows, {"kl": ["above", 4.0]}, 4),
        ["kl"],
        hint="The window of the rows 0 to 3 counts already.",
        reread=DIAGNOSE_TEXT,
    )
    q.same(
        "the alarms of a run shorter than a window",
        q.call("diagnose", rows[:3], {"kl": ["above", 1.0]}, 4),
        [],
        reread=DIAGNOSE_TEXT,
    )


@DIAGNOSE.case("an alarm that went off and came back counts; on the bound it does not; ties keep the order of `alarms`")
def _(q):
    rows = [{"kl": 6.0 if 5 <= k < 9 else 0.5, "length": 6.0 if 5 <= k < 9 else 0.5, "tied": 1.0} for k in range(20)]
    q.same(
        "the alarms",
        q.call("diagnose", rows, {"tied": ["above", 1.0], "length": ["above", 3.0], "kl": ["above", 3.0]}, 2),
        ["length", "kl"],
        hint="Look at all rows, not at the last ones; above means >, not ≥.",
        reread=DIAGNOSE_TEXT,
    )


@DIAGNOSE.case("no rows, no alarms; inputs left alone")
def _(q):
    q.same("the alarms of no rows", q.call("diagnose", [], ALARMS, 5), [], reread=DIAGNOSE_TEXT)
    history = logged(q)
    q.same("no alarms set", q.call("diagnose", history, {}, 5), [], reread=DIAGNOSE_TEXT)
    q.same(
        "the alarms",
        q.call_checked_unmutated("diagnose", history, ALARMS, 3),
        oracle_diagnose(history, ALARMS, 3),
        reread=DIAGNOSE_TEXT,
    )


# --------------------------------------------------------------------------------------------------------- find the bug

BUG = Question("find_the_bug", lab=LAB, points=0.5)
BUG_TEXT = "§ 14 Find the bug"


@BUG.case("the mended loss")
def _(q):
    logprobs, old, advantages, mask = args = policy_inputs(q)
    got = q.call("find_the_bug", *args, 0.3)
    q.close("the loss", got[1], oracle_policy(*args, 0.3), tol=1e-5, reread=BUG_TEXT)


# --------------------------------------------------------------------------------------------- the policy and the words


def score_policy(folder, seed, public):
    """(fraction, message): mean gold utility of the handed-in policy's answers to prompts drawn from `seed`. No reward
    model is asked.
    """
    from pathlib import Path

    from course_lib.evaluation.alignment import utilities
    from course_lib.questions.core import derive_seed
    from course_lib.stages.artifacts import ArtifactError, load_folder
    from course_lib.stages.rollout import roll_out
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.annotators import prompts

    model, tokenizer = load_folder(Path(folder), "rlhf")[0].eval(), load_tokenizer()
    if model.config.vocabulary < tokenizer.get_vocab_size() or model.config.context < 200:
        raise ArtifactError(
            "the model does not fit the course's tokenizer, or reads fewer than 200 tokens: start from "
            'assistant(load_stage("sft").model)'
        )
    rows = prompts("test", PROMPTS, f"grade {LAB} {seed}")
    batch = roll_out(model, tokenizer, rows, EACH, derive_seed(seed, LAB) % 2**40)
    worth = float(utilities(batch.rows, batch.answers).mean())
    fraction = min(1.0, max(0.0, (worth - SCORE_ZERO) / (SCORE_FULL - SCORE_ZERO)))
    return (
        fraction,
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
