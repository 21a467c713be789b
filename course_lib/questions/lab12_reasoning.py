"""Lab 12, reasoning: the graded questions. Each is written once and runs in the notebook (`check`) and through the
sandbox (`course grade`).

The oracles are another form of the formula (differences of all pairs in place of a mean, the weight of a token in place
of a sum), so that this file does not ship the answers it asks for.
Sources: GRPO, Shao et al. 2024 (2402.03300), in TRL's form · Dr. GRPO, Liu et al. 2025 (2503.20783) · DAPO, Yu et al.
2025 (2503.14476) · MaxRL, Tajwar et al. 2026 (2602.02710) · rejection sampling, Zelikman et al. 2022 (2203.14465).
"""

import math

import torch

from course_lib.questions.compare import CaseFailed
from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion, derive_seed
from course_lib.questions.invoke import CallFailed

LAB = "12_reasoning"

# ----------------------------------------------------------------------------------------------------------- advantages

DEVIATION = '"grpo" divides by the standard deviation of the group, with G − 1 in it'
EPSILON = "10⁻⁴ is added to the deviation"
BY_THE_MEAN = '"maxrl" divides by the mean of the group'
ALIKE = "a group whose rewards are all alike has advantages of 0, never NaN"
UNKNOWN = "another kind raises a ValueError"
ADVANTAGES = Question("advantages", lab=LAB, points=1.25, rules=(DEVIATION, EPSILON, BY_THE_MEAN, ALIKE, UNKNOWN))
ADVANTAGES_TEXT = "§ 7 What a prompt weighs"
LEFT_ALONE = "float64 in, float64 out; the inputs are left alone"


def of_pairs(rewards, kind, eps=1e-4):
    """The advantages from the differences of all pairs of a group."""
    pairs = rewards.double()[:, :, None] - rewards.double()[:, None, :]
    P, G = rewards.shape
    if kind == "dr_grpo":
        under = torch.full((P, 1), float(G), dtype=torch.float64)
    elif kind == "grpo":
        under = G * ((pairs.square().sum((1, 2)) / (2 * G * (G - 1))).sqrt()[:, None] + eps)
    else:
        under = rewards.double().sum(1, keepdim=True)
        under[under == 0] = 1.0
    return (pairs.sum(2) / under).to(rewards.dtype)


def refuses(q, name, *args):
    """The call must raise a ValueError."""
    advice = 'raise ValueError(f"kind is {kind!r}") behind the last of the three.'
    try:
        q.call(name, *args)
    except CallFailed as failure:
        if failure.status == "error" and failure.message.startswith("ValueError"):
            return
        if failure.status not in ("error", "todo"):
            raise
        raised = failure.message if failure.status == "error" else "NotImplementedError"
        raise CaseFailed(f"an unknown kind raised no ValueError, but: {raised}", hint=advice) from None
    raise CaseFailed("an unknown kind raised nothing: a value came back", hint=advice)


def wide_rewards(q, P=5, G=4):
    """Rewards, none negative, whose deviations are far above 10⁻⁴, so that it does not show; each group has a mean of
    its own.
    """
    apart = torch.linspace(0, 1, G)[torch.stack([q.permutation(G) for _ in range(P)])]
    return 200 * apart + 40 * q.rand(P, G) + 300 * q.rand(P, 1) + 10


@ADVANTAGES.case('"dr_grpo": reward − mean of its group', reread=ADVANTAGES_TEXT)
def _(q):
    rewards = wide_rewards(q)
    mean, std = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    others = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    q.close(
        "the advantages",
        q.call("advantages", rewards, "dr_grpo"),
        of_pairs(rewards, "dr_grpo"),
        tol=1e-5,
        mistakes={
            "the mean was taken over the whole batch: each group, a row, has its own": rewards - rewards.mean(),
            "the mean ran over the columns, that is over the prompts: a group is one row": rewards - rewards.mean(0),
            "the mean was that of the OTHER chains: it is that of the whole group": rewards - others,
            "the mean was not taken off": rewards,
            "the sign is wrong: better than the group is positive": mean - rewards,
            "the median was taken, not the mean": rewards - rewards.median(1, keepdim=True).values,
            "the best of its group was subtracted, not the mean": rewards - rewards.amax(1, keepdim=True),
            'it was divided by the deviation: that is "grpo"': (rewards - mean) / (std + 1e-4),
            'it was divided by the mean: that is "maxrl"': (rewards - mean) / mean,
        },
    )


@ADVANTAGES.case(
    '"grpo": the difference over the standard deviation of the group',
    rule=DEVIATION,
    hint="rewards.std(1, keepdim=True) has the G − 1.",
    reread=ADVANTAGES_TEXT,
)
def _(q):
    rewards = wide_rewards(q)
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    q.close(
        "the advantages",
        q.call("advantages", rewards, "grpo"),
        of_pairs(rewards, "grpo"),
        tol=1e-5,
        mistakes={
            "the deviation has G in it, not G − 1: torch.std with its default has G − 1": (
                centred / rewards.std(1, correction=0, keepdim=True)
            ),
            "the deviation was taken over the whole batch: each group, a row, has its own": centred / rewards.std(),
            "the deviation ran over the columns, that is over the prompts: a group is one row": (
                centred / rewards.std(0)
            ),
            "the variance was divided by, not its root": centred / std**2,
            "multiplied by the deviation: divide": centred * std,
            'it was not divided: that is "dr_grpo"': centred,
            'it was divided by the mean: that is "maxrl"': centred / rewards.mean(1, keepdim=True),
            "it was divided by the mean distance from the mean: that is no standard deviation": (
                centred / centred.abs().mean(1, keepdim=True)
            ),
        },
    )


@ADVANTAGES.case(
    '"grpo" of nearly tied groups',
    rule=EPSILON,
    hint="Divide by (s + 1e-4): a group in which next to nothing differs must not count as much as a good one.",
    reread=ADVANTAGES_TEXT,
)
def _(q):
    # 400 chains: whether the deviation has G or G − 1 in it, which is another rule's, does not show
    rewards = q.rand(3, 400) * torch.tensor([[3e-5], [3e-4], [1e-3]])
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    q.close(
        "the advantages",
        q.call("advantages", rewards, "grpo"),
        of_pairs(rewards, "grpo"),
        tol=5e-3,
        mistakes={
            "the 10⁻⁴ is missing, or much smaller: it is added to the standard deviation": centred / std,
            "the 10⁻⁴ was put in the root: it is added to the standard deviation": centred / (std**2 + 1e-4).sqrt(),
            "the deviation was held at 10⁻⁴ or more: the 10⁻⁴ is added to it": centred / std.clamp(min=1e-4),
        },
    )


@ADVANTAGES.case(
    '"maxrl": the difference over the mean of the group',
    rule=BY_THE_MEAN,
    hint="(r − mean) / mean, with the mean of the group.",
    reread=ADVANTAGES_TEXT,
)
def _(q):
    found = torch.arange(8) < torch.tensor([[2], [3], [4], [7]])  # of eight chains so many are right
    of_a_checker = torch.stack([row[q.permutation(8)] for row in found]).float()
    for what, rewards in (("the verdicts of a checker", of_a_checker), ("other rewards", wide_rewards(q))):
        mean, G = rewards.mean(1, keepdim=True), rewards.shape[1]
        centred, others = rewards - mean, (rewards.sum(1, keepdim=True) - rewards) / (G - 1)
        q.close(
            f"the advantages of {what}",
            q.call("advantages", rewards, "maxrl"),
            of_pairs(rewards, "maxrl"),
            tol=1e-4,
            mistakes={
                "the mean was not taken off: (r − mean) / mean": rewards / mean,
                "the sign is wrong: better than the group is positive": -centred / mean,
                "it was divided by the mean of the whole batch: each group, a row, has its own": (
                    centred / rewards.mean()
                ),
                "it was divided by the number of right chains, a sum: by their share, the mean": centred / (G * mean),
                "it was divided by the root of the mean": centred / mean.sqrt(),
                "it was divided by the mean of the OTHER chains: by that of the whole group": centred / others,
                'the 10⁻⁴ of "grpo" was added to the mean': centred / (mean + 1e-4),
                'it was not divided: that is "dr_grpo"': centred,
                'it was divided by the deviation: that is "grpo"': centred / (rewards.std(1, keepdim=True) + 1e-4),
                "it was multiplied by the mean: divide": centred * mean,
            },
        )


@ADVANTAGES.case(
    "groups of zeros, of ones, of equal rewards",
    rule=ALIKE,
    hint='"maxrl" divides 0 by 0 where nothing is right: mean.clamp(min=1e-12) keeps it away.',
    reread=ADVANTAGES_TEXT,
)
def _(q):
    rewards = torch.stack([torch.full((4,), worth) for worth in (0.0, 1.0, 2.5)])[q.permutation(3)]
    wrong = {
        "dr_grpo": {},
        "grpo": {"the 10⁻⁴ is missing: 0 was divided by 0": torch.full((3, 4), math.nan)},
        "maxrl": {
            "0 was divided by 0 where nothing is right": torch.where(rewards > 0, 0.0, math.nan),
            "a group of zeros got −1: r / mean − 1 is (r − mean) / mean only where the mean is not 0": torch.where(
                rewards > 0, 0.0, -1.0
            ),
        },
    }
    for kind, mistakes in wrong.items():
        got = q.call("advantages", rewards, kind)
        q.close(f"the advantages, {kind}", got, torch.zeros(3, 4), tol=1e-6, mistakes=mistakes)


@ADVANTAGES.case("an unknown kind", rule=UNKNOWN, reread=ADVANTAGES_TEXT)
def _(q):
    for kind in ("dapo", "ppo"):
        refuses(q, "advantages", wide_rewards(q), kind)


@ADVANTAGES.case("groups of two, one group; " + LEFT_ALONE, reread=ADVANTAGES_TEXT)
def _(q):
    for rewards in (wide_rewards(q, 6, 2), wide_rewards(q, 1, 5), wide_rewards(q, 3, 4).double()):
        got = q.call_checked_unmutated("advantages", rewards, "dr_grpo")
        label = f"the advantages of {len(rewards)} groups of {rewards.shape[1]}"
        q.close(label, got, of_pairs(rewards, "dr_grpo"), tol=1e-5)


# ---------------------------------------------------------------------------------------------------------- informative

ANY_REWARD = "rewards that differ are meant, whatever they are"
EMPTY = "no such group: a tensor with no places in it, int64 as well"
INFORMATIVE = Question("informative", lab=LAB, points=0.5, rules=(ANY_REWARD, EMPTY))
INFORMATIVE_TEXT = "§ 8 Groups that say nothing"


def kept(rewards):
    """Places of the chains from which some chain of their group differs."""
    flat, G = rewards.flatten().tolist(), rewards.shape[1]
    found = [k for k, r in enumerate(flat) if any(r != other for other in flat[k // G * G : k // G * G + G])]
    return torch.tensor(found, dtype=torch.int64)


def groups_of(q, *counts, G=5):
    """Verdicts [P G]: so many right chains in each group."""
    return torch.stack([(torch.arange(G) < c)[q.permutation(G)] for c in counts]).float()


@INFORMATIVE.case("the places of the chains whose group has different rewards", reread=INFORMATIVE_TEXT)
def _(q):
    rewards = groups_of(q, *[(0, 2, 5, 0, 3, 4, 5, 1)[k] for k in q.permutation(8)])
    telling = ((rewards > 0).any(1) & (rewards < 1).any(1)).repeat_interleave(5)
    flat, at = rewards.flatten() > 0, torch.arange(40)
    q.close(
        "the places",
        q.call("informative", rewards),
        kept(rewards),
        tol=0,
        check_dtype=False,
        mistakes={
            "the numbers of the groups came back: the places of their chains are asked for": at[:8][telling[::5]],
            "True or False for each chain came back: the places of the True ones": telling,
            "True or False for each chain came back, in rows: the places of the True ones": telling.view(8, 5),
            "True or False for each group came back: the places of the chains": telling[::5],
            "a column came back, [K 1]: nonzero()[:, 0] is [K]": at[telling][:, None],
            "the groups that say nothing came back: the others are asked for": at[~telling],
            "rewards came back: the places of the chains": rewards.flatten()[telling],
            "the places count from 0 in each group: the chains of group p have pG to pG + G − 1": (at % 5)[telling],
            "(group, chain) came back: one number a chain, pG + its place in the group": torch.stack(
                [at // 5, at % 5], 1
            )[telling],
            "the places count from 1: from 0": at[telling] + 1,
            "the right chains of ALL groups came back: whether a group tells something is asked": at[flat],
            "the wrong chains of ALL groups came back: whether a group tells something is asked": at[~flat],
            "the place was taken as chain · P + group: the chains of a group stand beside each other": (
                at.view(5, 8).T.flatten()[telling].sort().values
            ),
            "only the right chains of such groups stayed: the wrong ones teach, too": at[telling & flat],
            "only the wrong chains of such groups stayed: the right ones teach, too": at[telling & ~flat],
        },
    )


@INFORMATIVE.case(
    "rewards other than 0 and 1",
    rule=ANY_REWARD,
    hint="Compare the largest reward of a group with its smallest.",
    reread=INFORMATIVE_TEXT,
)
def _(q):
    # tied at ½ and at 3; different with a sum of G, without a 0, and by little
    rewards = torch.tensor(
        [
            [0.5, 0.5, 0.5, 0.5],
            [0.0, 2.0, 1.0, 1.0],
            [3.0, 3.0, 3.0, 3.0],
            [0.25, 0.25, 0.25, 0.5],
            [1.0, 1.0, 1.0, 0.9375],
        ]
    )[q.permutation(5)]
    mean = rewards.mean(1)
    at = torch.arange(20).view(5, 4)
    q.close(
        "the places",
        q.call("informative", rewards),
        kept(rewards),
        tol=0,
        check_dtype=False,
        mistakes={
            "groups with a mean between 0 and 1 were kept: a group may be tied there": (
                at[(mean > 0) & (mean < 1)].flatten()
            ),
            "groups with a mean other than 0 and 1 were kept: a group may be tied there": (
                at[(mean != 0) & (mean != 1)].flatten()
            ),
            "only groups with a 0 among other rewards were kept: rewards above 0 may differ, too": (
                at[(rewards == 0).any(1) & (rewards > 0).any(1)].flatten()
            ),
        },
    )


@INFORMATIVE.case(
    "the places are int64, also where there are none",
    rule=EMPTY,
    hint="torch.tensor([]) is float32: torch.tensor(list, dtype=torch.int64).",
    reread=INFORMATIVE_TEXT,
)
def _(q):
    some = groups_of(q, 5, 2, 0)
    q.close("the places", q.call("informative", some), kept(some), tol=0)
    none = torch.zeros(0, dtype=torch.int64)
    q.close("the places of tied groups", q.call("informative", groups_of(q, 0, 5, 5, 0)), none, tol=0)


@INFORMATIVE.case("one group, groups of two, float64; the inputs are left alone", reread=INFORMATIVE_TEXT)
def _(q):
    for rewards in (groups_of(q, 2), groups_of(q, 1, 0, 2, 1, 1, G=2), groups_of(q, 0, 3, 5).double()):
        got = q.call_checked_unmutated("informative", rewards)
        q.close("the places", got, kept(rewards), tol=0, check_dtype=False)


# -------------------------------------------------------------------------------------------------------- mean of terms

CHAINS_FIRST = '"grpo" is the mean of each chain\'s tokens, then the mean of the chains'
A_CONSTANT = '"dr_grpo" divides by B · longest'
OFF = "0 off the chains, whatever the terms hold there: NaN, too"
GRADIENT = "a gradient reaches the terms"
MEAN = Question("mean_of_terms", lab=LAB, points=1, rules=(CHAINS_FIRST, A_CONSTANT, OFF, UNKNOWN, GRADIENT))
MEAN_TEXT = "§ 9 One loss of many tokens"
SPANS, WIDTH, LONGEST = ((1, 5), (3, 4), (2, 8), (2, 9)), 10, 13  # prompt, chain, padding; a chain may have 13 tokens


def chains_of(spans=SPANS, T=WIDTH):
    """[B T], True on a chain: from its first to before its last place."""
    t = torch.arange(T)
    return torch.stack([(t >= start) & (t < end) for start, end in spans])


def weight_of(kind, mask, longest):
    """[B T]: what a token of the batch weighs."""
    B, T = mask.shape
    weights = torch.zeros(B, T, dtype=torch.float64)
    for b, t in mask.nonzero().tolist():
        tokens = {"grpo": B * int(mask[b].sum()), "dapo": int(mask.sum()), "dr_grpo": B * longest}
        weights[b, t] = 1 / tokens[kind]
    return weights


def weighted(terms, mask, kind, longest=LONGEST):
    weights = weight_of(kind, mask, longest)
    total = math.fsum(float(terms[b, t]) * float(weights[b, t]) for b, t in mask.nonzero().tolist())
    return torch.tensor(total, dtype=torch.float64).to(terms.dtype)


def terms_of(q, mask):
    """Terms of both signs whose sum is not near 0."""
    return q.randn(*mask.shape) + 0.7


def other_means(terms, mask, longest=LONGEST):
    """{what it is: value} of losses that are none of the three."""
    B, T = mask.shape
    of_chains = torch.stack([row[on].sum() for row, on in zip(terms, mask)])
    lengths = mask.sum(1)
    total = of_chains.sum()
    return {
        "the mean ran over prompt and padding, too": terms.mean(),
        "prompt and padding were put to 0, but counted: B · T is no divisor here": total / (B * T),
        "the tokens were added up and divided by nothing": total,
        "the sum was divided by the number of chains alone": total / B,
        "the sum was divided by `longest` alone": total / longest,
        "the sum was divided by B · the longest chain OF THE BATCH: `longest` is how many tokens a chain can have": (
            total / (B * lengths.max())
        ),
        "the means of the chains were added up: take their mean": (of_chains / lengths).sum(),
        "the mean of the chains' means was divided by `longest`": (of_chains / lengths).mean() / longest,
        "the mean was divided by `longest`, too": total / lengths.sum() / longest,
        "terms off the chains were added, too": terms.sum() / (B * longest),
    }


IS = {
    "grpo": 'each chain was averaged first, then the chains: that is "grpo"',
    "dapo": 'all tokens of the batch were averaged at once: that is "dapo"',
    "dr_grpo": 'the sum was divided by B · longest: that is "dr_grpo"',
}


def one_loss(q, kind):
    mask = chains_of()
    terms = terms_of(q, mask)
    wrong = {IS[other]: weighted(terms, mask, other) for other in IS if other != kind}
    q.close(
        "the loss",
        q.call("mean_of_terms", terms, mask, kind, LONGEST),
        weighted(terms, mask, kind),
        tol=1e-5,
        check_dtype=False,
        mistakes=other_means(terms, mask) | wrong,
    )


@MEAN.case('"dapo": the mean of all tokens of the batch', reread=MEAN_TEXT)
def _(q):
    one_loss(q, "dapo")


@MEAN.case(
    '"grpo": the mean of each chain, then of the chains',
    rule=CHAINS_FIRST,
    hint="Sum each row, divide by mask.sum(1), then .mean().",
    reread=MEAN_TEXT,
)
def _(q):
    one_loss(q, "grpo")


@MEAN.case(
    '"dr_grpo": the sum over B · longest', rule=A_CONSTANT, hint="B is len(mask), not a token count.", reread=MEAN_TEXT
)
def _(q):
    one_loss(q, "dr_grpo")


@MEAN.case(
    "prompts and padding that hold NaN and ∞",
    rule=OFF,
    hint="0 · NaN is NaN: take torch.where(mask, terms, 0.0) in place of a product with the mask.",
    reread=MEAN_TEXT,
)
def _(q):
    mask = chains_of()
    clean = torch.where(mask, terms_of(q, mask), 0.0)
    terms = clean.clone()
    terms[~mask] = torch.tensor([math.nan, math.inf, -math.inf, 5.0])[q.randint(0, 4, (int((~mask).sum()),))]
    terms[:, 0] = math.nan
    for kind in IS:  # against the same function of clean terms: which mean it is, other cases ask
        q.close(
            f"the loss, {kind}",
            q.call("mean_of_terms", terms, mask, kind, LONGEST),
            q.call("mean_of_terms", clean, mask, kind, LONGEST),
            tol=1e-5,
            check_dtype=False,
            mistakes={
                "what stands off the chains was added, or multiplied by 0: 0 · NaN is NaN": torch.tensor(math.nan)
            },
        )


@MEAN.case("an unknown kind", rule=UNKNOWN, reread=MEAN_TEXT)
def _(q):
    mask = chains_of()
    for kind in ("maxrl", "ppo"):
        refuses(q, "mean_of_terms", terms_of(q, mask), mask, kind, LONGEST)


@MEAN.case(
    "the pull at each token",
    rule=GRADIENT,
    hint="Return a tensor of shape []; no .detach(), no .item(), no torch.tensor(…).",
    reread=MEAN_TEXT,
)
def _(q):
    mask = chains_of()
    terms = terms_of(q, mask)
    for kind in IS:
        loss, (grad,) = q.call_with_grad("mean_of_terms", [terms, mask, kind, LONGEST], wrt=(0,), names=("terms",))
        if kind == "dapo":
            q.close("the gradient", grad, weight_of(kind, mask, LONGEST).float(), tol=1e-6)
        q.close(f"Σ gradient · term, {kind}, is the loss", (grad * terms).sum(), loss, tol=1e-4)


@MEAN.case("one chain; " + LEFT_ALONE, reread=MEAN_TEXT)
def _(q):
    for mask in (chains_of(((2, 5),), 7), chains_of()):
        terms = terms_of(q, mask).double()
        got = q.call_checked_unmutated("mean_of_terms", terms, mask, "dapo", LONGEST)
        q.close("the loss in float64", got, weighted(terms, mask, "dapo"), tol=1e-9)


# ---------------------------------------------------------------------------------------------------------- first right

THE_FIRST = "the first right chain is chosen"
NEITHER = "a question without a right chain is in neither list"
RIGHT_OR_NOT = "the control is the first chain, right or not"
ITS_NUMBER = "the number is that of the question among all"
CHOICE = Question("first_right", lab=LAB, points=1, rules=(THE_FIRST, NEITHER, RIGHT_OR_NOT, ITS_NUMBER))
CHOICE_TEXT = "§ 12 Learning or choosing?"


def written(q, *marks):
    """(answers, right): a text for each letter of `marks`, "x" where the checker accepts it; no two texts alike."""
    numbers = (10_000 + q.permutation(90_000)[: sum(map(len, marks))]).tolist()
    answers = [[f"… Answer: {numbers.pop()}" for _ in row] for row in marks]
    return answers, [[letter == "x" for letter in row] for row in marks]


def taken(answers, right, place):
    """[(question, chain)] of the questions with a right chain; place(places of the right ones) → the one that is
    taken.
    """
    places = {n: [k for k, on in enumerate(marks) if on] for n, marks in enumerate(right)}
    return [(n, answers[n][place(at)]) for n, at in places.items() if at]


def both_lists(q, answers, right):
    got = q.call("first_right", answers, right)
    pair = type(got) in (list, tuple) and len(got) == 2 and all(type(part) in (list, tuple) for part in got)
    q.true("two lists are asked for: (chosen, control)", pair, hint="return chosen, control")
    return got


@CHOICE.case("(number, right chain), and (number, first chain)", reread=CHOICE_TEXT)
def _(q):
    answers, right = written(q, "--x-", "-x-", "---x", "-x")  # one right chain each, never the first
    got = both_lists(q, answers, right)
    chosen, control = taken(answers, right, min), taken(answers, right, lambda at: 0)
    every = [(n, chain) for n, its in enumerate(answers) for chain in its]
    q.same(
        "chosen",
        got[0],
        chosen,
        mistakes={
            "the two changed places: (chosen, control)": control,
            "the chains came back without their numbers": [chain for _, chain in chosen],
            "the questions count from 1: from 0": [(n + 1, chain) for n, chain in chosen],
            "(chain, number) came back: (number, chain)": [(chain, n) for n, chain in chosen],
            "the place of the chain came back: its text": [(n, answers[n].index(chain)) for n, chain in chosen],
            "the place of the chain stands where the number of the question is asked for": [
                (answers[n].index(chain), chain) for n, chain in chosen
            ],
            "every chain came back: the right one of each question": every,
            "the wrong chains came back: the right ones": [pair for pair in every if pair not in chosen],
            "the pairs (chosen, control) came back, one a question: two lists": [chosen[0], control[0]],
            "the questions stand in the opposite order": chosen[::-1],
        },
    )
    q.same(
        "control",
        got[1],
        control,
        mistakes={
            "the chosen chains came back twice: the control takes the first chain, right or not": chosen,
            "the last chain of each question was taken: the first": taken(answers, right, lambda at: -1),
            "the chain before the right one was taken: the first": taken(answers, right, lambda at: min(at) - 1),
            "the chains came back without their numbers": [chain for _, chain in control],
            "every chain that was not chosen came back: one a question, the first": [
                pair for pair in every if pair not in chosen
            ],
            "every chain came back: the first of each question": every,
        },
    )


@CHOICE.case(
    "several right chains to a question",
    rule=THE_FIRST,
    hint="marks.index(True) is the place of the first one.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "-xx-", "x-x", "--xxx", "-x-x")
    q.same(
        "chosen",
        both_lists(q, answers, right)[0],
        taken(answers, right, min),
        mistakes={
            "the LAST right chain was chosen": taken(answers, right, max),
            "all right chains were chosen: one a question": [
                (n, chain) for n, its in enumerate(answers) for chain, on in zip(its, right[n]) if on
            ],
        },
    )


@CHOICE.case(
    "questions without a right chain",
    rule=NEITHER,
    hint="Ask any(marks) first; only then append to both lists.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "---", "-x-", "--", "-x--", "---")
    chains = lambda pairs: [chain for _, chain in pairs]  # the numbers are another rule's
    got = both_lists(q, answers, right)
    firsts, chosen = [its[0] for its in answers], chains(taken(answers, right, min))
    wrong = [chosen[0] if n == 1 else chosen[1] if n == 3 else its for n, its in enumerate(firsts)]
    q.same(
        "the chosen chains",
        chains(got[0]),
        chosen,
        mistakes={
            "a question without a right chain gave its first one: it is left out": wrong,
            "a question without a right chain gave None: it is left out": [
                chain if any(marks) else None for chain, marks in zip(wrong, right)
            ],
            "a question without a right chain gave its last one: it is left out": [
                chain if any(marks) else its[-1] for chain, marks, its in zip(wrong, right, answers)
            ],
        },
    )
    q.same(
        "the chains of the control",
        chains(got[1]),
        chains(taken(answers, right, lambda at: 0)),
        mistakes={
            "the control has other questions than the chosen chains: one without a right chain is in neither": firsts
        },
    )


@CHOICE.case(
    "first chains that are right",
    rule=RIGHT_OR_NOT,
    hint="The control is its[0]: nobody has looked at its mark.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "x--", "-x-", "x-", "--x")
    control = taken(answers, right, lambda at: 0)
    wrong = [(n, its[right[n].index(False)]) for n, its in enumerate(answers)]
    q.same(
        "control",
        both_lists(q, answers, right)[1],
        control,
        mistakes={
            "the first WRONG chain was taken: the control is not chosen at all": wrong,
            "a question whose first chain is right was left out": [control[1], control[3]],
        },
    )


@CHOICE.case(
    "numbers of the questions",
    rule=ITS_NUMBER,
    hint="for q, (its, marks) in enumerate(zip(answers, right)) gives q. answers.index finds the first of two alike.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "--", "-x-", "---", "-x", "-x-")
    answers[4] = list(answers[1])  # asked twice, answered alike
    asked = answers[1] + answers[3]  # who is in a list is another rule's
    numbers = lambda pairs: [n for n, chain in pairs if chain in asked]
    got = both_lists(q, answers, right)
    again = {
        "the questions were numbered anew: the number is that of the question among all": [0, 1, 2],
        "two questions with the same chains got one number: enumerate counts, .index searches": [1, 3, 1],
    }
    q.same("the numbers of chosen", numbers(got[0]), [1, 3, 4], mistakes=again)
    q.same("the numbers of control", numbers(got[1]), [1, 3, 4], mistakes=again)


@CHOICE.case("the lists are left alone", reread=CHOICE_TEXT)
def _(q):
    answers, right = written(q, "-x", "x-x")
    got = q.call_checked_unmutated("first_right", answers, right)
    q.same("chosen", got[0], taken(answers, right, min))


@CHOICE.case("no question", cost=0.25, reread=CHOICE_TEXT)
def _(q):
    q.same("the lists", list(both_lists(q, [], [])), [[], []], names=("chosen", "control"))


# ----------------------------------------------------------------------------------------------------------------- cost

ALL_OVER_RIGHT = "tokens a right answer: all tokens, also of questions that were answered wrong, over the right answers"
EVERY_TEXT = "every text that was written for a question counts"
NONE_RIGHT = "no right answer: the third number is infinite"
COST = Question("cost", lab=LAB, points=0.75, rules=(ALL_OVER_RIGHT, EVERY_TEXT, NONE_RIGHT))
COST_TEXT = "§ 13 What a right answer costs"
THREE = ("the share", "the tokens a question", "the tokens a right answer")


def lengths(q, *texts):
    """For each question so many lengths, of 5 to 60 tokens."""
    return [q.randint(5, 61, (n,)).tolist() for n in texts]


def of_cost(q, tokens, right):
    got = q.call("cost", tokens, right)
    q.true("three numbers are asked for", type(got) in (list, tuple) and len(got) == 3)
    return got


def one_text_each(q):
    """(tokens, right) of 8 questions, 3 of them right; the wrong ones were longer."""
    right = [bool(k < 3) for k in q.permutation(8)]
    return [[n + (0 if ok else 70)] for (n,), ok in zip(lengths(q, *[1] * 8), right)], right


@COST.case("the share answered right, and the tokens a question", reread=COST_TEXT)
def _(q):
    tokens, right = one_text_each(q)
    total, of_right = sum(n for (n,) in tokens), sum(n for (n,), ok in zip(tokens, right) if ok)
    got = of_cost(q, tokens, right)
    q.close(
        THREE[0],
        got[0],
        3 / 8,
        tol=1e-5,
        mistakes={
            "a count came back: divide by the number of questions": 3,
            "in percent: a share is between 0 and 1": 37.5,
            "the share of the WRONG answers came back": 5 / 8,
            "right over wrong came back: right over all": 3 / 5,
        },
    )
    q.close(
        THREE[1],
        got[1],
        total / 8,
        tol=1e-5,
        mistakes={
            "only the tokens of right answers were counted: all of them": of_right / 8,
            "all tokens came back: divide by the number of questions": total,
            "tokens a right answer stand in the second place: (share, tokens a question, tokens a right answer)": (
                total / 3
            ),
            "that is the mean of the right ones: all questions were paid for": of_right / 3,
            "only the tokens of wrong answers were counted: all of them": (total - of_right) / 8,
        },
    )


@COST.case(
    "tokens a right answer",
    rule=ALL_OVER_RIGHT,
    hint="All tokens over sum(right): wrong answers were paid for as well.",
    reread=COST_TEXT,
)
def _(q):
    tokens, right = one_text_each(q)
    total, of_right = sum(n for (n,) in tokens), sum(n for (n,), ok in zip(tokens, right) if ok)
    q.close(
        THREE[2],
        of_cost(q, tokens, right)[2],
        total / 3,
        tol=1e-5,
        mistakes={
            "the tokens of questions that were answered wrong were left out: they were paid for, too": of_right / 3,
            "that is a question, not a right answer: divide by sum(right)": total / 8,
            "it was divided by the number of WRONG answers": total / 5,
            "all tokens came back: divide by sum(right)": total,
            "it was multiplied by the share of right answers: divide": total / 8 * 3 / 8,
            "it was divided by the share alone: tokens a question over the share": total / (3 / 8),
            "it is upside down: that is right answers a token": 3 / total,
            "only the tokens of wrong answers were counted: all of them": (total - of_right) / 3,
        },
    )


@COST.case(
    "several texts a question",
    rule=EVERY_TEXT,
    hint="Each of the lists holds the lengths of all texts of one question: sum over both.",
    reread=COST_TEXT,
)
def _(q):
    tokens = lengths(q, 3, 1, 5, 2)
    each = lambda chosen: [math.fsum(map(chosen, tokens)) / 4] * 2
    texts = sum(map(len, tokens))
    q.close(
        "the tokens",
        list(of_cost(q, tokens, [True] * 4)[1:]),
        each(sum),
        tol=1e-5,
        names=THREE[1:],
        mistakes={
            "that is tokens a TEXT: a question has several, divide by the number of questions": (
                [sum(map(sum, tokens)) / texts] * 2
            ),
            "the texts of a question were averaged: all were paid for": each(lambda row: sum(row) / len(row)),
            "only the first text of a question was counted": each(lambda row: row[0]),
            "only the last text of a question was counted": each(lambda row: row[-1]),
            "only the longest text of a question was counted": each(max),
            "the texts were counted, not their tokens": each(len),
            "tokens a text stand in the second place: tokens a question": (
                [sum(map(sum, tokens)) / texts, sum(map(sum, tokens)) / 4]
            ),
        },
    )


@COST.case("nothing right", rule=NONE_RIGHT, hint="x / 0 raises ZeroDivisionError: ask first.", reread=COST_TEXT)
def _(q):
    tokens = lengths(q, 1, 1, 1)
    total = sum(n for (n,) in tokens)
    got = of_cost(q, tokens, [False] * 3)
    q.close("the first two", list(got[:2]), [0.0, total / 3], tol=1e-5, names=THREE)
    q.close(
        THREE[2],
        got[2],
        math.inf,
        mistakes={
            "nothing right gave 0: for no price is one to be had": 0,
            "nothing right gave all tokens, as if one were right": total,
            "nothing right gave NaN: math.inf": math.nan,
        },
    )


@COST.case("one question; the lists are left alone", reread=COST_TEXT)
def _(q):
    (row,) = tokens = lengths(q, 1)
    got = q.call_checked_unmutated("cost", tokens, [True])
    q.close("the numbers", list(got), [1.0, *map(float, row * 2)], tol=1e-6, names=THREE)


# --------------------------------------------------------------------------------------------- the policy and the words

QUESTIONS = 300  # fresh ones, drawn from the seed
CONTEXT = 128  # tokens of the longest question and its chain, rounded up


def score_reasoner(folder, seed, public):
    """(fraction, message): the share of fresh questions, about residents of no training row, that the handed-in policy
    answers right. The course's checker is asked, not the student's.
    """
    from pathlib import Path

    from course_lib.evaluation.reasoning import score_of_reasoner
    from course_lib.stages.artifacts import ArtifactError, load_folder
    from course_lib.stages.tokenizer import load_tokenizer

    model = load_folder(Path(folder), "reasoning")[0].eval()
    if model.config.vocabulary < load_tokenizer().get_vocab_size() or model.config.context < CONTEXT:
        raise ArtifactError(
            f"the model does not fit the course's tokenizer, or reads fewer than {CONTEXT} tokens: start from "
            'load_stage("safe")'
        )
    return score_of_reasoner(model, derive_seed(seed, LAB) % 2**40, QUESTIONS)


REASONER = ArtifactQuestion(
    "trained_reasoner",
    lab=LAB,
    points=0.5,
    stage="reasoning",
    score=score_reasoner,
    title="The policy that you trained",
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Has reinforcement taught anything new?",
    rubric="""0.5: compares pass@1 AND pass@k for a large k before and after, with the student's own numbers, and says
what follows: where pass@1 has risen to about what pass@32 was and pass@32 has not, right chains that the cold start
could already write have become likely (a rise of pass@32 beyond its error would speak for more); names the part of § 3
that was lost (a statement or the answer, with its chance) as the one that had room to rise; AND uses § 12's control:
the same questions and as many chains, not chosen, so what the chosen ones gain over it comes from the checker and not
from practice. Either conclusion earns full marks where the student's numbers carry it.
0.25: only two of the three (curves, parts, control), or the right reading without numbers.  0: "pass@1 rose, so it has
learned to reason", with nothing on larger k.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="A checker for a task of your own",
    rubric="""0.5: names a task and at least two kinds of texts to try before training: some that know no answer and
must be refused (all options in a list, two answers, the answer in passing, nothing at all), AND a right one written in
another way that must be accepted; names at least two things to watch during the run that are not the reward itself (a
stricter checker or fresh questions that the policy is not rewarded on, texts read by eye, their length, the share of
groups that tell something, steps that are false, other abilities); AND supports both with own numbers: what § 6's
checker accepted, what § 11's policy wrote and earned from either checker, false steps or lost instructions and refusals
of § 14.
0.25: only one side (texts, or what to watch), or no number of one's own.  0: "test it well", or trusts the reward.""",
)
