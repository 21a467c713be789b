"""Lab 08, direct alignment: the graded questions. Each is written once and runs in the notebook (`check`) and through
the sandbox (`course grade`).

The oracles are another form of each formula, in float64 (softplus, a sum of −log p, a loop over the rows, autograd), so
that this file does not ship the answers it asks for.
Sources: DPO and the implicit reward, Rafailov et al. 2023 (2305.18290), eq. 4, 5, 7 · label smoothing (cDPO), Mitchell
2023 · IPO, Azar et al. 2023 (2310.12036), eq. 17, a token as in TRL · KTO, Ethayarajh et al. 2024 (2402.01306), eq. 8,
the reference point as in TRL.
"""

import math

import torch
import torch.nn.functional as F

from course_lib.questions.compare import CaseFailed
from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion, derive_seed

LAB = "08_direct_alignment"

# The handed-in policy: mean gold utility of its answers to fresh prompts. Full marks from UTILITY_FULL on, none at or
# under UTILITY_ZERO, a straight line between.
UTILITY_FULL, UTILITY_ZERO = 2.15, 1.95
PROMPTS, EACH = 80, 4  # fresh prompts drawn from the seed, answers to each

GRAPH = "Something cuts the graph: .detach(), .item(), torch.tensor(...) or no_grad()."


def wide(*values):
    return [v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in values]


# ------------------------------------------------------------------------------------------------------ the best policy

IN_LOGS = "rewards of ±1,000, a β of 0.001, and a log π* of −300 that is not −∞"
IMPOSSIBLE = "an answer with log π_ref = −∞ keeps it, whatever its reward"
LAST_AXIS = "the answers stand on the last axis, whatever comes before"
TO_REWARDS = "the gradient reaches the rewards"
OPTIMAL = Question("optimal_policy", lab=LAB, points=0.5, rules=(IN_LOGS, IMPOSSIBLE, LAST_AXIS, TO_REWARDS))
OPTIMAL_TEXT = "§ 2 The best policy"


def tilt(logprobs, rewards, beta):
    """log of π_ref · exp(r / β) over its sum, by probabilities in float64; the largest reward that can occur is taken
    off first.
    """
    logprobs, rewards = wide(logprobs, rewards)
    top = rewards.masked_fill(logprobs == -math.inf, -math.inf).amax(-1, keepdim=True)
    weights = logprobs.exp() * torch.exp((rewards - top).clamp(max=0) / beta)
    return (weights / weights.sum(-1, keepdim=True)).log()


def some_policy(q, *shape):
    return torch.log_softmax(2 * q.randn(*shape), -1)


@OPTIMAL.case("π* ∝ π_ref · exp(r / β)")
def _(q):
    logprobs, rewards = some_policy(q, 3, 6), q.randn(3, 6)
    got = q.call("optimal_policy", logprobs, rewards, 0.5)
    want = tilt(logprobs, rewards, 0.5).float()
    free = (logprobs + rewards / 0.5).double()
    q.close(
        "log π*",
        got,
        want,
        tol=1e-5,
        reread=OPTIMAL_TEXT,
        mistakes={
            "it is not normalised: the probabilities of each row must add up to 1": free.float(),
            "r · β: a small β must make the reward count more, so divide": tilt(logprobs, rewards, 2.0).float(),
            "β is missing: this is the best policy at β = 1": tilt(logprobs, rewards, 1.0).float(),
            "the sign is wrong: a better answer becomes more likely": tilt(logprobs, -rewards, 0.5).float(),
            "π_ref is missing: this is the softmax of the rewards alone": torch.log_softmax(rewards / 0.5, -1),
            "probabilities came back: the logarithm of them is asked for": want.exp(),
            "the rewards are missing: this is π_ref": logprobs,
            "π_ref was divided by β, too": torch.log_softmax((logprobs + rewards) / 0.5, -1),
            "the sum runs over all rows: each row is one prompt": (free - free.flatten().logsumexp(0)).float(),
            "the sum runs down the columns: the answers to one prompt stand in a row": (
                (free - free.logsumexp(0)).float()
            ),
            "probabilities and not log-probabilities were tilted": (
                torch.log_softmax(logprobs.exp() + rewards / 0.5, -1)
            ),
        },
    )


@OPTIMAL.case("the gradient reaches the rewards", rule=TO_REWARDS, reread=OPTIMAL_TEXT)
def _(q):
    logprobs, rewards, cotangent = some_policy(q, 2, 5), q.randn(2, 5), q.randn(2, 5)
    _, (grad,) = q.call_with_grad(
        "optimal_policy", [logprobs, rewards, 0.7], wrt=(1,), cotangent=cotangent, names=["rewards"]
    )
    leaf = rewards.clone().requires_grad_()
    (want,) = torch.autograd.grad((tilt(logprobs, leaf, 0.7) * cotangent).sum(), leaf)
    q.close("the gradient of the rewards", grad, want, tol=1e-4)


@OPTIMAL.case("tied rewards leave π_ref as it is, and a constant changes nothing", cost=0.25)
def _(q):
    logprobs, rewards = some_policy(q, 2, 4), q.randn(2, 4)
    q.close(
        "log π* for equal rewards",
        q.call("optimal_policy", logprobs, torch.full((2, 4), 3.5), 0.1),
        logprobs,
        tol=1e-5,
        hint="Normalise: the common factor exp(r/β) falls away.",
        reread=OPTIMAL_TEXT,
    )
    q.close(
        "log π* with 7 added to every reward",
        q.call("optimal_policy", logprobs, rewards + 7, 0.5),
        tilt(logprobs, rewards, 0.5).float(),
        tol=1e-4,
        reread=OPTIMAL_TEXT,
    )


@OPTIMAL.case(
    IN_LOGS,
    rule=IN_LOGS,
    hint="exp(1,000) is infinite, and exp(−300) is 0. Stay with logarithms: torch.log_softmax(…, dim=-1) takes the "
    "largest off before it exponentiates.",
    reread=OPTIMAL_TEXT,
)
def _(q):
    logprobs = some_policy(q, 1, 5)
    rewards = torch.tensor([[1000.0, -1000.0, 999.0, 0.0, 998.0]])
    for beta in (1.0, 0.001):
        got = q.call("optimal_policy", logprobs, rewards, beta)
        q.close(f"π* at β = {beta:g}", got.exp(), tilt(logprobs, rewards, beta).exp().float(), tol=1e-3)
    got = q.call("optimal_policy", torch.full((1, 2), -math.log(2)), torch.tensor([[0.0, -300.0]]), 1.0)
    q.close("log π* of two answers whose rewards differ by 300", got, torch.tensor([[0.0, -300.0]]), tol=1e-5)


@OPTIMAL.case(
    IMPOSSIBLE, rule=IMPOSSIBLE, hint="π* is π_ref times something: 0 times anything is 0.", reread=OPTIMAL_TEXT
)
def _(q):
    logprobs = torch.tensor([[0.5, 0.0, 0.5]]).log()
    got = q.call("optimal_policy", logprobs, torch.tensor([[1.0, 50.0, 2.0]]), 1.0)
    want = torch.tensor([[-math.log1p(math.e), -math.inf, 1 - math.log1p(math.e)]])
    q.close("log π*", got, want, tol=1e-5)


@OPTIMAL.case(
    "two leading axes, and none",
    rule=LAST_AXIS,
    hint="The answers to one prompt stand on the last axis: dim=-1.",
    reread=OPTIMAL_TEXT,
)
def _(q):
    logprobs, rewards = some_policy(q, 2, 3, 4), q.randn(2, 3, 4)
    q.close("log π*", q.call("optimal_policy", logprobs, rewards, 0.3), tilt(logprobs, rewards, 0.3).float(), tol=1e-5)
    one = q.call("optimal_policy", torch.zeros(1), torch.tensor([2.0]), 0.3)
    q.close("log π* of the only answer", one, torch.zeros(1), tol=1e-6)


@OPTIMAL.case("float64; inputs left alone", reread=OPTIMAL_TEXT)
def _(q):
    logprobs, rewards = some_policy(q, 2, 4).double(), q.randn(2, 4).double()
    got = q.call_checked_unmutated("optimal_policy", logprobs, rewards, 0.3)
    q.close("log π*", got, tilt(logprobs, rewards, 0.3), tol=1e-9)


# -------------------------------------------------------------------------------------------------- the implicit reward

STILL = "the untrained policy: every reward is 0, exactly"
NEVER_EXP = "log-probabilities of −2,000"
TO_POLICY = "the gradient reaches log π"
REWARD = Question("implicit_reward", lab=LAB, points=0.5, rules=(STILL, NEVER_EXP, TO_POLICY))
REWARD_TEXT = "§ 2 The best policy"


@REWARD.case("β · (log π − log π_ref)")
def _(q):
    logprobs, reference = -5 * q.rand(6) - 1, -5 * q.rand(6) - 1
    ratio = logprobs - reference
    q.close(
        "the rewards",
        q.call("implicit_reward", logprobs, reference, 0.3),
        0.3 * ratio,
        tol=1e-5,
        reread=REWARD_TEXT,
        mistakes={
            "β is missing": ratio,
            "divided by β: from π* = π_ref · exp(r/β) / Z follows r = β · log(π*/π_ref) + β log Z": ratio / 0.3,
            "the sign is wrong: what π gives more often than π_ref has the larger reward": -0.3 * ratio,
            "π_ref is missing": 0.3 * logprobs,
            "this is π / π_ref: take its logarithm": 0.3 * ratio.exp(),
            "the inputs are log-probabilities already: no further logarithm": 0.3 * (logprobs / reference).log(),
            "probabilities were subtracted, not their logarithms": 0.3 * (logprobs.exp() - reference.exp()),
            "β belongs to the reference, too": 0.3 * logprobs - reference,
            "the mean over the batch was taken: one reward an answer": (0.3 * ratio).mean(),
        },
    )


@REWARD.case("from π* it gives back every difference of two rewards", cost=0.25)
def _(q):
    logprobs, rewards = some_policy(q, 8), 3 * q.randn(8)
    got = q.call("implicit_reward", tilt(logprobs, rewards, 0.4).float(), logprobs, 0.4)
    q.close(
        "the rewards, less that of the first answer",
        got - got[0],
        rewards - rewards[0],
        tol=1e-4,
        reread=REWARD_TEXT,
        hint="A constant may be added to all of them; no difference may change.",
    )


@REWARD.case("the gradient reaches log π", rule=TO_POLICY, reread=REWARD_TEXT)
def _(q):
    logprobs, reference, cotangent = -q.rand(5), -q.rand(5), q.randn(5)
    _, (grad,) = q.call_with_grad(
        "implicit_reward", [logprobs, reference, 0.2], wrt=(0,), cotangent=cotangent, names=["logprobs"]
    )
    q.close("the gradient of log π", grad, 0.2 * cotangent, tol=1e-5)


@REWARD.case(STILL, rule=STILL, hint="π = π_ref: the ratio is 1, its logarithm 0.", reread=REWARD_TEXT)
def _(q):
    logprobs = torch.tensor([-1.0, -2.0, -3.0, -4.0])
    q.same("the rewards", q.call("implicit_reward", logprobs, logprobs.clone(), 0.1), torch.zeros(4))


@REWARD.case(
    NEVER_EXP,
    rule=NEVER_EXP,
    hint="exp(−2,000) is 0, and 0/0 is NaN: subtract the logarithms, never exponentiate.",
    reread=REWARD_TEXT,
)
def _(q):
    reference = -2000 - 10 * q.rand(4)
    change = q.randn(4)
    want = 0.5 * ((reference + change) - reference)
    q.close("the rewards", q.call("implicit_reward", reference + change, reference, 0.5), want, tol=1e-4)


@REWARD.case("any shape, float64; inputs left alone", reread=REWARD_TEXT)
def _(q):
    logprobs, reference = -q.rand(2, 3).double(), -q.rand(2, 3).double()
    got = q.call_checked_unmutated("implicit_reward", logprobs, reference, 2.0)
    q.close("the rewards", got, 2 * (logprobs - reference), tol=1e-6)
    nothing = q.call("implicit_reward", torch.zeros(0), torch.zeros(0), 1.0)
    q.same("the shape for no answers", list(nothing.shape), [0])


# --------------------------------------------------------------------------------------------------- log p of an answer

TO_LOGITS = "the gradient reaches the answer's logits"
FAR = "logits of ±1,000, and an answer of 300 tokens"
ID_0 = "only −100 marks what does not count: a token may have the id 0"
NO_ANSWER = "a row without an answer gives 0, exactly"
FLOAT32 = "float32 whatever the dtype of the logits"
LOGPROBS = Question("answer_logprobs", lab=LAB, points=1, rules=(TO_LOGITS, FAR, ID_0, NO_ANSWER, FLOAT32))
LOGPROBS_TEXT = "§ 3 How likely is an answer?"


def summed(logits, labels, at=0, until=None, reduce="sum", offset=1):
    """Row by row: −cross-entropy of the tokens that have a label. `offset`: whose logits score a token."""
    rows = []
    for row, line in zip(wide(logits)[0], labels):
        places = [t for t in range(line.shape[0]) if line[t] != -100 and 0 <= t - offset < line.shape[0]]
        terms = [-F.cross_entropy(row[t - offset], line[t]) for t in places]
        total = sum(terms, (row * 0).sum())
        rows.append(total / max(1, len(terms)) if reduce == "mean" else total)
    return torch.stack(rows)


def ragged(q, B=4, T=9, V=11):
    """(logits, labels): a prompt of another length in each row, an answer of 2, 3, … tokens, padding."""
    logits, labels = 2 * q.randn(B, T, V), torch.full((B, T), -100)
    for b in range(B):
        start = 1 + (b % 3)
        stop = min(T, start + 2 + b)
        labels[b, start:stop] = q.randint(1, V, (stop - start,))  # no 0, which one case is about
    return logits, labels


@LOGPROBS.case("the sum of log p over the answer's tokens")
def _(q):
    logits, labels = ragged(q)
    got = q.call("answer_logprobs", logits, labels)
    q.same(
        "the shape",
        list(got.shape),
        [4],
        reread=LOGPROBS_TEXT,
        hint="One number a row.",
        mistakes={"the sum runs over the whole batch: one number a row is asked for": []},
    )
    want = summed(logits, labels).float()
    logs = torch.log_softmax(logits, -1)
    at = labels.clamp(min=0)
    everywhere = logs[:, :-1].gather(2, at[:, 1:, None])[..., 0]
    raw = logits[:, :-1].gather(2, at[:, 1:, None])[..., 0] * (labels[:, 1:] != -100)
    per_token = summed(logits, labels, reduce="mean").float()
    q.close(
        "the values",
        got,
        want,
        tol=1e-4,
        reread=LOGPROBS_TEXT,
        mistakes={
            "the shift is missing: the logits at t speak of the token at t + 1": (
                summed(logits, labels, offset=0).float()
            ),
            "the shift goes the wrong way": summed(logits, labels, offset=-1).float(),
            "the mean over the answer's tokens was taken: DPO needs the sum": per_token,
            "the mask is missing: prompt and padding were added up, too": everywhere.sum(1),
            "the mask is not shifted: it belongs to the labels that are scored, those from place 1 on": (
                (everywhere * (labels[:, :-1] != -100)).sum(1)
            ),
            "the logits themselves were added up: log_softmax first": raw.sum(1),
            "the sign is wrong: log-probabilities are not positive": -want,
            "the sum was divided by the length of the whole row": want / labels.shape[1],
            "the mean runs over the answer's tokens of the whole batch": want / (labels != -100).sum(),
            "probabilities were added up, not their logarithms": (everywhere.exp() * (labels[:, 1:] != -100)).sum(1),
            "this is the probability, not its logarithm": want.exp(),
            "the softmax runs over the tokens of the row, not over the vocabulary": (
                torch.log_softmax(logits, 1)[:, :-1].gather(2, at[:, 1:, None])[..., 0] * (labels[:, 1:] != -100)
            ).sum(1),
        },
    )


@LOGPROBS.case("the gradient reaches the answer's logits, and no others", rule=TO_LOGITS, reread=LOGPROBS_TEXT)
def _(q):
    logits, labels = ragged(q)
    cotangent = q.randn(4)
    _, (grad,) = q.call_with_grad("answer_logprobs", [logits, labels], wrt=(0,), cotangent=cotangent, names=["logits"])
    leaf = logits.clone().requires_grad_()
    (want,) = torch.autograd.grad((summed(leaf, labels) * cotangent).sum(), leaf)
    q.close("the gradient of the logits", grad, want, tol=1e-4)


@LOGPROBS.case("what stands at prompt and padding does not matter", cost=0.25)
def _(q):
    logits, labels = ragged(q)
    used = F.pad(labels[:, 1:] != -100, (0, 1))
    other = torch.where(used[..., None], logits, 50 * q.randn(*logits.shape))
    q.close(
        "the values with other logits off the answer",
        q.call("answer_logprobs", other, labels),
        summed(logits, labels).float(),
        tol=1e-4,
        hint="Multiply by the mask (labels != -100) after the shift.",
        reread=LOGPROBS_TEXT,
    )
    long = q.call("answer_logprobs", F.pad(logits, (0, 0, 0, 3)), F.pad(labels, (0, 3), value=-100))
    q.close(
        "the values with three more columns of padding",
        long,
        summed(logits, labels).float(),
        tol=1e-4,
        hint="A longer row changes nothing: sum, do not average over T.",
        reread=LOGPROBS_TEXT,
    )


@LOGPROBS.case(FAR, rule=FAR, reread=LOGPROBS_TEXT)
def _(q):
    labels = torch.tensor([[-100, 1, 3, 2]])
    logits = torch.zeros(1, 4, 4)
    logits[0, 0, 1], logits[0, 1, 3], logits[0, 2, 2] = 1000.0, -1000.0, 1000.0
    q.close(
        "the value",
        q.call("answer_logprobs", logits, labels),
        torch.tensor([-1000 - math.log(3)]),
        tol=1e-5,
        hint="softmax first and log then gives log 0. Use log_softmax or F.cross_entropy.",
    )
    logits, labels = 3 * q.randn(1, 300, 40), q.randint(1, 40, (1, 300))
    labels[0, 0] = -100
    q.close(
        "the value of an answer of 299 tokens",
        q.call("answer_logprobs", logits, labels),
        summed(logits, labels).float(),
        tol=1e-4,
        hint="A product of 299 probabilities is 0 in float32: add logarithms.",
    )


@LOGPROBS.case(ID_0, rule=ID_0, reread=LOGPROBS_TEXT)
def _(q):
    logits, labels = ragged(q)
    labels[0, 1:3] = 0
    labels[3, 2] = 0
    want = summed(logits, labels).float()
    without = summed(logits, torch.where(labels == 0, -100, labels)).float()
    q.close(
        "the values",
        q.call("answer_logprobs", logits, labels),
        want,
        tol=1e-4,
        mistakes={"tokens with the id 0 were left out: 0 is a token like any other": without},
    )


@LOGPROBS.case(NO_ANSWER, rule=NO_ANSWER, hint="A sum over nothing is 0: divide by no count.", reread=LOGPROBS_TEXT)
def _(q):
    logits, labels = ragged(q)
    labels[2] = -100
    got = q.call("answer_logprobs", logits, labels)
    q.close("the values", got, summed(logits, labels).float(), tol=1e-4)
    q.same("the value of the row without an answer", float(got[2]), 0.0)


@LOGPROBS.case(FLOAT32, rule=FLOAT32, hint="logits.float() before log_softmax.", reread=LOGPROBS_TEXT)
def _(q):
    logits, labels = ragged(q)
    for dtype in (torch.bfloat16, torch.float16):
        got = q.call("answer_logprobs", logits.to(dtype), labels)
        name = str(dtype)[6:]
        q.same(f"the dtype for {name} logits", str(got.dtype), "torch.float32")
        q.close(f"the values for {name} logits", got, summed(logits.to(dtype), labels).float(), tol=1e-4)


@LOGPROBS.case("inputs left alone")
def _(q):
    q.call_checked_unmutated("answer_logprobs", *ragged(q))


# ------------------------------------------------------------------------------------------------------------ the pairs


def four(q, B=5, scale=3.0, low=-30.0):
    """log π and log π_ref of chosen and rejected answers: chosen, rejected, chosen_reference, rejected_reference."""
    references = [low - 5 * q.rand(B) for _ in range(2)]
    return [r + scale * q.randn(B) for r in references] + references


def margins(pair, beta):
    """β · ((log π/π_ref of the chosen) − (that of the rejected)), float64."""
    chosen, rejected, a, b = wide(*pair)
    return beta * (chosen - rejected) - beta * (a - b)


def nll(margin):
    """−log σ(m), as softplus(−m)."""
    return F.softplus(-margin)


def gradients(loss, pair, *others):
    leaves = [p.clone().requires_grad_() for p in pair]
    return torch.autograd.grad(loss(leaves, *others), leaves[:2])


# ------------------------------------------------------------------------------------------------------------- DPO loss

NO_CLAMP = "margins of ±10,000 and log-probabilities of −2,000: a number, and its full gradient"
BOTH = "chosen and rejected carry a gradient"
DPO = Question("dpo_loss", lab=LAB, points=1.5, rules=(NO_CLAMP, BOTH))
DPO_TEXT = "§ 4 The loss"


def dpo_mean(pair, beta):
    return nll(margins(pair, beta)).mean()


@DPO.case("mean −log σ(β · difference of the log-ratios)")
def _(q):
    pair = four(q)
    chosen, rejected, a, b = wide(*pair)
    m = margins(pair, 0.4)
    q.close(
        "the loss",
        q.call("dpo_loss", *pair, 0.4),
        dpo_mean(pair, 0.4).float(),
        tol=1e-5,
        reread=DPO_TEXT,
        mistakes={
            "the reference model is missing: this is β (log π(chosen) − log π(rejected))": (
                nll(0.4 * (chosen - rejected)).mean().float()
            ),
            "chosen and rejected changed places": nll(-m).mean().float(),
            "β is missing": nll(m / 0.4).mean().float(),
            "the log-ratios were divided by β": nll(m / 0.16).mean().float(),
            "β stands before log σ: it belongs inside, before the difference of the log-ratios": (
                0.4 * nll(m / 0.4).mean().float()
            ),
            "the sum over the pairs was taken: take their mean": nll(m).sum().float(),
            "the sign of the loss is wrong: minimise −log σ(m)": -nll(m).mean().float(),
            "this is −σ(m): the logarithm is missing": -torch.sigmoid(m).mean().float(),
            "this is 1 − σ(m): DPO takes −log σ(m)": (1 - torch.sigmoid(m)).mean().float(),
            "the log-ratios were added, not subtracted": nll(0.4 * ((chosen - a) + (rejected - b))).mean().float(),
            "the references were swapped, or added and not taken off": (
                nll(0.4 * ((chosen - b) - (rejected - a))).mean().float()
            ),
            "the mean of the margins was taken before the log σ: first the loss of each pair, then the mean": (
                nll(m.mean()).float()
            ),
            "this is the hinge max(0, 1 − m), not −log σ(m)": (1 - m).clamp(min=0).mean().float(),
            "only the chosen answer counts here: the loss needs the difference": nll(0.4 * (chosen - a)).mean().float(),
            "the mean is missing: one number for the batch": nll(m).float(),
            "the loss of the first pair only came back": nll(m)[0].float(),
            "base-2 logarithm: nats are asked for": (nll(m).mean() / math.log(2)).float(),
        },
    )


@DPO.case("the gradients of chosen and rejected", rule=BOTH, reread=DPO_TEXT)
def _(q):
    pair = four(q)
    _, grads = q.call_with_grad("dpo_loss", [*pair, 0.4], wrt=(0, 1), names=["chosen", "rejected"])
    for name, got, want in zip(("chosen", "rejected"), grads, gradients(dpo_mean, pair, 0.4)):
        q.close(f"the gradient of log π({name})", got, want, tol=1e-5)


@DPO.case("margins of ±10,000 nats", rule=NO_CLAMP, reread=DPO_TEXT)
def _(q):
    zeros = torch.zeros(2)
    chosen = torch.tensor([-2.0e4, 2.0e4])
    q.close(
        "the loss",
        q.call("dpo_loss", chosen, zeros, zeros, zeros, 0.5),
        torch.tensor(5000.0),
        tol=1e-5,
        reread=DPO_TEXT,
        hint="log(sigmoid(−10,000)) is log 0. F.logsigmoid, or −softplus(−m), stays finite.",
    )
    _, grads = q.call_with_grad("dpo_loss", [chosen, zeros, zeros, zeros, 0.5], wrt=(0,), names=["chosen"])
    q.close(
        "the gradient of log π(chosen)",
        grads[0],
        torch.tensor([-0.25, 0.0]),
        tol=1e-6,
        reread=DPO_TEXT,
        hint="A pair judged wrongly keeps its full gradient, however wrong it is.",
    )


@DPO.case(
    "long answers: log-probabilities of −2,000",
    rule=NO_CLAMP,
    hint="exp(−2,000) is 0. Subtract logarithms, never exponentiate.",
    reread=DPO_TEXT,
)
def _(q):
    pair = four(q, low=-2000.0)
    q.close("the loss", q.call("dpo_loss", *pair, 0.4), dpo_mean(pair, 0.4).float(), tol=1e-3)


@DPO.case("tied: before the first step, and for two equal answers, the loss is log 2", cost=0.25, reread=DPO_TEXT)
def _(q):
    _, _, a, b = four(q)
    q.close(
        "the loss at π = π_ref",
        q.call("dpo_loss", a.clone(), b.clone(), a, b, 0.1),
        torch.tensor(math.log(2)),
        tol=1e-6,
        hint="All margins are 0 and −log σ(0) = log 2.",
    )


@DPO.case("one pair; another β; float64; inputs left alone", reread=DPO_TEXT)
def _(q):
    pair = [p.double() for p in four(q, B=1)]
    for beta in (0.01, 5.0):
        want = dpo_mean(pair, beta)
        q.close(
            f"the loss of one pair at β = {beta:g}",
            q.call_checked_unmutated("dpo_loss", *pair, beta),
            want,
            tol=1e-9,
            mistakes={
                "something small was added to σ before the logarithm: nothing is needed": (
                    -(torch.sigmoid(margins(pair, beta)) + 1e-8).log().mean()
                )
            },
        )


# ----------------------------------------------------------------------------------------------------------------- cDPO

STAYS_FINITE = "margins of ±10,000 give a number, also at ε = 0"
BOTH_TERMS = "both terms carry a gradient: the minimum is at log((1 − ε)/ε)"
ZERO_IS_DPO = "ε = 0 is DPO"
CDPO = Question("cdpo_loss", lab=LAB, points=1, rules=(STAYS_FINITE, BOTH_TERMS, ZERO_IS_DPO))
CDPO_TEXT = "§ 8 Some labels are wrong"


def cdpo_mean(pair, beta, smoothing):
    """−log σ(m) + ε m: the same as (1 − ε)(−log σ(m)) + ε (−log σ(−m)), because −log σ(−m) = m − log σ(m)."""
    m = margins(pair, beta)
    return (nll(m) + smoothing * m).mean()


@CDPO.case("(1 − ε)(−log σ(m)) + ε (−log σ(−m))")
def _(q):
    pair = four(q, B=40)
    m = margins(pair, 0.4)
    plain, flipped = nll(m), nll(-m)
    q.close(
        "the loss",
        q.call("cdpo_loss", *pair, 0.4, 0.2),
        cdpo_mean(pair, 0.4, 0.2).float(),
        tol=1e-5,
        reread=CDPO_TEXT,
        mistakes={
            "the smoothing is missing: this is DPO": plain.mean().float(),
            "the weights changed places: ε is the share of the wrong labels": (
                (0.2 * plain + 0.8 * flipped).mean().float()
            ),
            "ε is added without 1 − ε for the label as it is": (plain + 0.2 * flipped).mean().float(),
            'the second term was taken off: that, divided by 1 − 2ε, is "robust" DPO, another loss': (
                (0.8 * plain - 0.2 * flipped).mean().float()
            ),
            'this is "robust" DPO, the unbiased cousin: cDPO adds the second term and divides by nothing': (
                ((0.8 * plain - 0.2 * flipped) / 0.6).mean().float()
            ),
            "the first term is only scaled, and the second one is missing": (0.8 * plain).mean().float(),
            "the margin was scaled by 1 − ε: each label is right or wrong, so two losses are mixed": (
                nll(0.8 * m).mean().float()
            ),
            "the margin was scaled by 1 − 2ε: two losses are mixed, not two margins": nll(0.6 * m).mean().float(),
            "σ(m) was smoothed, not the label": (
                -(0.8 * torch.sigmoid(m) + 0.2 * torch.sigmoid(-m)).log().mean().float()
            ),
            "the sum over the pairs was taken: take their mean": (0.8 * plain + 0.2 * flipped).sum().float(),
            "ε is shared among two answers, ε/2 each, as in classification: here ε is the share of flipped labels": (
                (0.9 * plain + 0.1 * flipped).mean().float()
            ),
            "the reference model is missing": (nll(0.4 * (pair[0] - pair[1])) + 0.2 * 0.4 * (pair[0] - pair[1])).mean(),
        },
    )


@CDPO.case("the gradients; they vanish at m = log((1 − ε)/ε)", rule=BOTH_TERMS, reread=CDPO_TEXT)
def _(q):
    pair = four(q)
    _, grads = q.call_with_grad("cdpo_loss", [*pair, 0.4, 0.1], wrt=(0, 1), names=["chosen", "rejected"])
    for name, got, want in zip(("chosen", "rejected"), grads, gradients(cdpo_mean, pair, 0.4, 0.1)):
        q.close(
            f"the gradient of log π({name})",
            got,
            want,
            tol=1e-5,
            reread=CDPO_TEXT,
            hint="Both terms must stay in the graph, and both must carry their sign.",
            mistakes={
                "this is the gradient of the first term alone: the second one has none": (
                    0.9 * gradients(dpo_mean, pair, 0.4)[name == "rejected"]
                ),
                "this is the gradient of DPO": gradients(dpo_mean, pair, 0.4)[name == "rejected"],
            },
        )
    best = torch.tensor([math.log(9.0)])
    zero = torch.zeros(1)
    _, grads = q.call_with_grad(
        "cdpo_loss", [best, zero, zero, zero, 1.0, 0.1], wrt=(0, 1), names=["chosen", "rejected"]
    )
    q.close(
        "the gradients at m = log 9, ε = 0.1",
        list(grads),
        [zero, zero],
        tol=1e-5,
        names=["chosen", "rejected"],
        reread=CDPO_TEXT,
        hint="With a tenth of the labels wrong, nobody should be surer than 9 : 1.",
    )


@CDPO.case("ε = 0 is DPO, ε = ½ has its minimum at m = 0", rule=ZERO_IS_DPO, reread=CDPO_TEXT)
def _(q):
    pair = four(q)
    q.close(
        "the loss at ε = 0",
        q.call("cdpo_loss", *pair, 0.4, 0.0),
        dpo_mean(pair, 0.4).float(),
        tol=1e-5,
        reread=CDPO_TEXT,
    )
    q.close(
        "the loss at ε = ½",
        q.call("cdpo_loss", *pair, 0.4, 0.5),
        cdpo_mean(pair, 0.4, 0.5).float(),
        tol=1e-5,
        hint="Both labels are equally likely: chosen and rejected may change places.",
        reread=CDPO_TEXT,
    )


@CDPO.case("margins of ±10,000 nats", rule=STAYS_FINITE, reread=CDPO_TEXT)
def _(q):
    zeros, chosen = torch.zeros(2), torch.tensor([-1.0e4, 1.0e4])
    q.close(
        "the loss",
        q.call("cdpo_loss", chosen, zeros, zeros, zeros, 1.0, 0.1),
        torch.tensor(5000.0),
        tol=1e-5,
        reread=CDPO_TEXT,
        hint="log(1 − σ(10,000)) is log 0: write it as F.logsigmoid(−m).",
    )
    q.close(
        "the loss at ε = 0",
        q.call("cdpo_loss", chosen, zeros, zeros, zeros, 1.0, 0.0),
        torch.tensor(5000.0),
        tol=1e-5,
        reread=CDPO_TEXT,
        hint="0 · ∞ is NaN: no term may become infinite.",
    )


@CDPO.case("tied: at π = π_ref the loss is log 2 for every ε", cost=0.25)
def _(q):
    _, _, a, b = four(q)
    for smoothing in (0.0, 0.3):
        q.close(
            f"the loss at ε = {smoothing:g}",
            q.call("cdpo_loss", a.clone(), b.clone(), a, b, 0.1, smoothing),
            torch.tensor(math.log(2)),
            tol=1e-5,
            hint="The weights add up to 1.",
            reread=CDPO_TEXT,
        )


@CDPO.case("one pair, float64; inputs left alone")
def _(q):
    pair = [p.double() for p in four(q, B=1)]
    q.close(
        "the loss",
        q.call_checked_unmutated("cdpo_loss", *pair, 2.0, 0.15),
        cdpo_mean(pair, 2.0, 0.15),
        tol=1e-9,
        reread=CDPO_TEXT,
    )


# ------------------------------------------------------------------------------------------------------------------ IPO

PULLED_BACK = "a pair beyond the target is pulled back"
AT_TARGET = "at the target the loss is 0, exactly"
BOTH_IN_IPO = "chosen and rejected carry a gradient"
IPO = Question("ipo_loss", lab=LAB, points=1, rules=(PULLED_BACK, AT_TARGET, BOTH_IN_IPO))
IPO_TEXT = "§ 9 A target in place of a slope"


def ipo_mean(pair, tokens, beta):
    """Expanded square, row by row: h² − h/β + 1/(4β²)."""
    chosen, rejected, a, b = wide(*pair)
    total = 0.0
    for k in range(len(chosen)):
        h = (
            chosen[k] / int(tokens[0][k])
            - a[k] / int(tokens[0][k])
            - rejected[k] / int(tokens[1][k])
            + b[k] / int(tokens[1][k])
        )
        total = total + h * h - h / beta + 1 / (4 * beta * beta)
    return total / len(chosen)


def lengths(q, B=5):
    return [q.randint(3, 20, (B,)), q.randint(20, 40, (B,))]


def below(q):
    """(chosen, rejected, their references), lengths: log-ratios a token whose differences are −1.8 to 1.3."""
    tokens, (_, _, a, b) = lengths(q), four(q)
    up = torch.tensor([0.6, -0.4, 1.1, -0.9, 0.2]) + 0.1 * q.rand(5)
    down = torch.tensor([-0.5, 0.3, 0.2, 0.8, -0.8]) + 0.1 * q.rand(5)
    return [a + up * tokens[0], b + down * tokens[1], a, b], tokens


@IPO.case("mean (h − 1/(2β))², h a token", reread=IPO_TEXT)
def _(q):
    (pair, tokens), beta = below(q), 0.25  # the target is 2, and one case is about what lies beyond
    chosen, rejected, a, b = wide(*pair)
    n, m = tokens
    h = (chosen - a) / n - (rejected - b) / m
    target = 1 / (2 * beta)
    mean = lambda x: x.mean().float()
    q.close(
        "the loss",
        q.call("ipo_loss", *pair, *tokens, beta),
        ipo_mean(pair, tokens, beta).float(),
        tol=1e-4,
        reread=IPO_TEXT,
        mistakes={
            "the log-ratios are sums: divide each by its answer's number of tokens": (
                mean(((chosen - a) - (rejected - b) - target) ** 2)
            ),
            "both were divided by the chosen answer's length: each has its own": (
                mean((((chosen - a) - (rejected - b)) / n - target) ** 2)
            ),
            "both were divided by the rejected answer's length: each has its own": (
                mean((((chosen - a) - (rejected - b)) / m - target) ** 2)
            ),
            "the lengths changed places": mean(((chosen - a) / m - (rejected - b) / n - target) ** 2),
            "both were divided by the mean length of the batch": (
                mean((((chosen - a) - (rejected - b)) / torch.cat(tokens).double().mean() - target) ** 2)
            ),
            "all log-ratios of the batch were divided by all tokens of the batch: a mean over tokens is taken answer "
            "by answer": (((chosen - a).sum() / n.sum() - (rejected - b).sum() / m.sum() - target) ** 2).float(),
            "the target is 1/β: it is 1/(2β)": mean((h - 1 / beta) ** 2),
            "the target is β/2: it is 1/(2β)": mean((h - beta / 2) ** 2),
            "the target is 1/2: β is missing": mean((h - 0.5) ** 2),
            "the target is missing": mean(h**2),
            "h was multiplied by β: IPO's β stands in the target only": mean((beta * h - target) ** 2),
            "chosen and rejected changed places": mean((-h - target) ** 2),
            "the reference model is missing": mean((chosen / n - rejected / m - target) ** 2),
            "the square is missing: this is |h − 1/(2β)|": mean((h - target).abs()),
            "the sum over the pairs was taken: take their mean": ((h - target) ** 2).sum().float(),
            "the mean was squared: first the square of each pair, then the mean": ((h.mean() - target) ** 2).float(),
            "a half was put before the square": mean(0.5 * (h - target) ** 2),
            "this is −log σ of h: IPO is a square": mean(nll(h)),
        },
    )


@IPO.case("the gradients of chosen and rejected", rule=BOTH_IN_IPO, reread=IPO_TEXT)
def _(q):
    pair, tokens = below(q)
    _, grads = q.call_with_grad("ipo_loss", [*pair, *tokens, 0.2], wrt=(0, 1), names=["chosen", "rejected"])
    for name, got, want in zip(("chosen", "rejected"), grads, gradients(ipo_mean, pair, tokens, 0.2)):
        q.close(f"the gradient of log π({name})", got, want, tol=1e-4)


@IPO.case(PULLED_BACK, rule=PULLED_BACK, hint="The parabola has its minimum at 1/(2β).", reread=IPO_TEXT)
def _(q):
    zero, ten = torch.zeros(1), torch.tensor([10])
    one_sided = "a pair above the target is not punished here: the square has two sides"
    beyond = [torch.tensor([100.0]), zero, zero, zero, ten, ten, 0.5]
    q.close(
        "the loss at h = 10, the target is 1",
        q.call("ipo_loss", *beyond),
        torch.tensor(81.0),
        tol=1e-5,
        mistakes={one_sided: torch.tensor(0.0)},
    )


@IPO.case("at the target the loss is 0, before training it is 1/(4β²)", rule=AT_TARGET, reread=IPO_TEXT)
def _(q):
    zeros, tokens = torch.zeros(3), torch.tensor([4, 8, 16])
    reach = 2.5 * tokens  # h = 2.5 = 1/(2·0.2), exactly
    q.same("the loss at h = 1/(2β)", q.call("ipo_loss", reach, zeros, zeros, zeros, tokens, tokens, 0.2).item(), 0.0)
    _, _, a, b = four(q)
    q.close(
        "the loss at π = π_ref",
        q.call("ipo_loss", a.clone(), b.clone(), a, b, *lengths(q), 0.2),
        torch.tensor(6.25),
        tol=1e-5,
        hint="h = 0: (1/(2·0.2))² = 6.25.",
    )


@IPO.case(
    "an answer said twice as long, as likely a token, weighs the same",
    cost=0.25,
    hint="Log-ratio and length both double: the mean a token stays.",
    reread=IPO_TEXT,
)
def _(q):
    pair, tokens = below(q)
    twice = q.call("ipo_loss", *[2 * p for p in pair], *[2 * t for t in tokens], 0.05)
    q.close("the loss", twice, ipo_mean(pair, tokens, 0.05).float(), tol=1e-4)


@IPO.case("large log-ratios, one pair, answers of one token", cost=0.25, reread=IPO_TEXT)
def _(q):
    one, zero = torch.tensor([1]), torch.zeros(1)
    q.close(
        "the loss at h = −1,000",
        q.call("ipo_loss", torch.tensor([-1000.0]), zero, zero, zero, one, one, 0.5),
        torch.tensor(1001.0**2),
        tol=1e-5,
    )
    pair = four(q, B=1)
    q.close(
        "the loss of one pair",
        q.call("ipo_loss", *pair, one, one, 0.01),
        ipo_mean(pair, [one, one], 0.01).float(),
        tol=1e-4,
    )


@IPO.case("float64; inputs left alone", reread=IPO_TEXT)
def _(q):
    pair, tokens = below(q)
    pair = [p.double() for p in pair]
    q.close(
        "the loss", q.call_checked_unmutated("ipo_loss", *pair, *tokens, 0.03), ipo_mean(pair, tokens, 0.03), tol=1e-9
    )


# ------------------------------------------------------------------------------------------------------------------ KTO

CLAMPED = "a negative estimate of kl counts as 0"
MEASURED = "no gradient goes through kl"
WEIGHTED = "weights of thumbs up and down; divided by the number of answers"
ONE_KIND = "a batch may hold thumbs of one kind only"
TO_ANSWERS = "the gradient reaches log π"
KTO = Question("kto_loss", lab=LAB, points=1.5, rules=(CLAMPED, MEASURED, WEIGHTED, ONE_KIND, TO_ANSWERS))
KTO_TEXT = "§ 10 Thumbs"


def kto_mean(values, up, kl, beta, up_weight=1.0, down_weight=1.0):
    """Row by row: w · σ(−β·gain) for a thumb up, w · σ(β·gain) for one down; 1 − σ(x) = σ(−x)."""
    logprobs, reference = wide(*values)
    point = max(0.0, float(kl))
    total = 0.0
    for k, liked in enumerate(up.tolist()):
        gain = logprobs[k] - reference[k] - point
        total = total + (
            up_weight / (1 + torch.exp(beta * gain)) if liked else down_weight / (1 + torch.exp(-beta * gain))
        )
    return total / len(up)


def thumbs(q, B=6):
    """(log π, log π_ref) and thumbs, four up and two down; no log-ratio is near 0."""
    reference = -30 - 5 * q.rand(B)
    up = torch.tensor([k % 3 != 1 for k in range(B)])[q.permutation(B)]
    ratio = torch.tensor([2.5, -1.5, 3.5, -2.5, 1.5, -3.5])[:B] + q.rand(B)
    return [reference + ratio, reference], up


@KTO.case("mean w · (1 − σ(±β (log π/π_ref − kl)))")
def _(q):
    values, up = thumbs(q)
    kl = torch.tensor(1.3)
    gain = 0.5 * (values[0] - values[1] - kl).double()
    free = 0.5 * (values[0] - values[1]).double()
    sign = up.double() * 2 - 1
    mean = lambda x: x.mean().float()
    s = torch.sigmoid
    q.close(
        "the loss",
        q.call("kto_loss", *values, up, kl, 0.5),
        kto_mean(values, up, kl, 0.5).float(),
        tol=1e-5,
        reread=KTO_TEXT,
        mistakes={
            "up and down changed places (or σ stands there without the 1 −)": mean(1 - s(-sign * gain)),
            "every answer counts as a thumb up": mean(1 - s(gain)),
            "every answer counts as a thumb down": mean(1 - s(-gain)),
            "the thumbs down are missing: they have the other sign, and count": mean((1 - s(gain)) * up),
            "the reference point kl is missing": mean(1 - s(sign * free)),
            "kl was added, not taken off": mean(1 - s(sign * (free + 0.65))),
            "kl kept its sign for a thumb down: the whole bracket changes sign": mean(1 - s(sign * free - 0.65)),
            "kl stands outside β's bracket": mean(1 - s(sign * (free - 1.3))),
            "β is missing": mean(1 - s(sign * gain / 0.5)),
            "the reference model is missing": mean(1 - s(sign * 0.5 * (values[0] - kl).double())),
            "this is −log σ: KTO takes 1 − σ": mean(nll(sign * gain)),
            "the 1 is missing, so the sign is wrong: 1 − σ": mean(-s(sign * gain)),
            "the sum over the answers was taken: take their mean": (1 - s(sign * gain)).sum().float(),
            "the means of both thumbs were taken apart and added: one mean over all answers": (
                ((1 - s(gain))[up].mean() + (1 - s(-gain))[~up].mean()).float()
            ),
            "the means of both thumbs were averaged: one mean over all answers": (
                (0.5 * ((1 - s(gain))[up].mean() + (1 - s(-gain))[~up].mean())).float()
            ),
        },
    )


@KTO.case("the gradient of log π", rule=TO_ANSWERS, reread=KTO_TEXT)
def _(q):
    values, up = thumbs(q)
    kl = torch.tensor(0.8)
    _, grads = q.call_with_grad("kto_loss", [*values, up, kl, 0.5], wrt=(0,), names=["logprobs"])
    leaf = values[0].clone().requires_grad_()
    (want,) = torch.autograd.grad(kto_mean([leaf, values[1]], up, kl, 0.5), leaf)
    q.close("the gradient of log π", grads[0], want, tol=1e-5)


@KTO.case(MEASURED, rule=MEASURED, hint="kl.detach(): it is measured, not trained.", reread=KTO_TEXT)
def _(q):
    values, up = thumbs(q)
    try:
        _, (through,) = q.call_with_grad("kto_loss", [*values, up, torch.tensor(0.8), 0.5], wrt=(3,), names=["kl"])
        leak = float(through.abs().sum())
    except CaseFailed:  # no gradient at all: as it should be
        leak = 0.0
    q.true(
        "a gradient goes through kl",
        leak == 0.0,
        mistake="kl was not detached: the policy could lower the loss by moving the reference point",
    )


@KTO.case(CLAMPED, rule=CLAMPED, reread=KTO_TEXT)
def _(q):
    values, up = thumbs(q)
    q.close(
        "the loss at kl = −2",
        q.call("kto_loss", *values, up, torch.tensor(-2.0), 0.5),
        kto_mean(values, up, 0.0, 0.5).float(),
        tol=1e-5,
        reread=KTO_TEXT,
        hint="A KL is never negative, its estimate from a batch may be: clamp(min=0).",
        mistakes={
            "a negative kl was used as it is": kto_mean([values[0] + 2, values[1]], up, 0.0, 0.5).float(),
            "the absolute value of kl was taken": kto_mean(values, up, 2.0, 0.5).float(),
        },
    )


@KTO.case("the weights of thumbs up and down", rule=WEIGHTED, reread=KTO_TEXT)
def _(q):
    values, up = thumbs(q)
    kl = torch.tensor(0.4)
    q.close(
        "the loss with weights 2 and ½",
        q.call("kto_loss", *values, up, kl, 0.5, 2.0, 0.5),
        kto_mean(values, up, kl, 0.5, 2.0, 0.5).float(),
        tol=1e-5,
        reread=KTO_TEXT,
        mistakes={
            "the weights changed places": kto_mean(values, up, kl, 0.5, 0.5, 2.0).float(),
            "the weights were ignored": kto_mean(values, up, kl, 0.5).float(),
            "the weights were normalised away: divide by the number of answers": (
                (kto_mean(values, up, kl, 0.5, 2.0, 0.5) * 6 / (2.0 * int(up.sum()) + 0.5 * int((~up).sum()))).float()
            ),
        },
    )


@KTO.case("thumbs of one kind only, a batch of one", rule=ONE_KIND, reread=KTO_TEXT)
def _(q):
    for liked in (True, False):
        values, up = thumbs(q)
        up = torch.full_like(up, liked)
        q.close(
            f"the loss with thumbs {'up' if liked else 'down'} only",
            q.call("kto_loss", *values, up, torch.tensor(0.5), 0.5),
            kto_mean(values, up, 0.5, 0.5).float(),
            tol=1e-5,
            hint="A mean over an empty part is NaN: choose with torch.where, then take one mean.",
            reread=KTO_TEXT,
        )
        one = [v[:1] for v in values]
        q.close(
            "the loss of one answer",
            q.call("kto_loss", *one, up[:1], torch.tensor(0.0), 0.5),
            kto_mean(one, up[:1], 0.0, 0.5).float(),
            tol=1e-5,
            reread=KTO_TEXT,
        )


@KTO.case("log-ratios of ±10,000, tied answers, float64; inputs left alone")
def _(q):
    zeros = torch.zeros(4)
    up = torch.tensor([True, True, False, False])
    far = torch.tensor([1e4, -1e4, 1e4, -1e4])
    q.close(
        "the loss",
        q.call("kto_loss", far, zeros, up, torch.tensor(0.0), 1.0),
        torch.tensor(0.5),
        tol=1e-6,
        hint="Two are as right, two as wrong as can be: no exp by hand, use torch.sigmoid.",
        reread=KTO_TEXT,
    )
    q.close(
        "the loss at π = π_ref",
        q.call("kto_loss", zeros, zeros.clone(), up, torch.tensor(0.0), 0.1),
        torch.tensor(0.5),
        tol=1e-6,
        reread=KTO_TEXT,
    )
    values, up = thumbs(q)
    values = [v.double() for v in values]
    got = q.call_checked_unmutated("kto_loss", *values, up, torch.tensor(0.7, dtype=torch.float64), 0.2)
    q.close("the loss in float64", got, kto_mean(values, up, 0.7, 0.2), tol=1e-9, reread=KTO_TEXT)


# --------------------------------------------------------------------------------------------- the policy and the words


def score_policy(folder, seed, public):
    """(fraction, message): the mean gold utility of the handed-in policy's answers to test prompts drawn from `seed`,
    the grader's secret one when it grades.
    """
    from pathlib import Path

    from course_lib.evaluation.alignment import utilities
    from course_lib.evaluation.handed_in import check_reads, longest, points_share
    from course_lib.stages.artifacts import load_folder
    from course_lib.stages.rollout import LONGEST, roll_out
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.annotators import prompts

    model, tokenizer = load_folder(Path(folder), "dpo")[0].eval(), load_tokenizer()
    rows = prompts("test", PROMPTS, f"grade {LAB} {seed}")
    check_reads(model, longest((row["messages"] for row in rows), LONGEST))
    batch = roll_out(model, tokenizer, rows, EACH, seed=derive_seed(LAB, seed) % 2**31)
    worth = float(utilities(batch.rows, batch.answers).mean())
    return (
        points_share(worth, UTILITY_ZERO, UTILITY_FULL),
        f"gold utility {worth:.2f}, mean over {EACH} answers to each of {len(rows)} fresh prompts; full marks from "
        f"{UTILITY_FULL:g} on, none up to {UTILITY_ZERO:g}.",
    )


POLICY = ArtifactQuestion(
    "dpo_policy", lab=LAB, points=1, stage="dpo", score=score_policy, title="The policy that you trained"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="What DPO does to the chosen answers",
    rubric="""0.5: says from the student's own run what happened to the log-probability of the chosen and of the
rejected answers (numbers with their unit), AND why the loss allows it: only the difference of the two log-ratios
counts, so both may fall as long as the rejected one falls faster (the two share most of their tokens), and the mass
goes to other answers than these two.
0.25: only one of the two.  0: claims that DPO makes the chosen answers likelier, against the student's own run, or
no number.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="Which method for which data and budget",
    rubric="""0.5: chooses a method for each of two situations of the question, with a reason that fits the student's
own figures at EQUAL KL or at equal compute (utility, nats, minutes or TFLOP), and names one thing that the comparison
leaves open, for instance that one seed is no interval, that the pairs come from another model's answers, or that
best-of-n pays at every question.
0.25: a choice without a figure, or figures at unequal KL compared as if they were equal.  0: no reason.""",
)
