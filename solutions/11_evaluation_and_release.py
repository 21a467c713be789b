# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 11 — Evaluation and release
#
# ```
#  raw text ──▶ base model ──▶ assistant ──▶ preferred ──▶ safe ──▶ RELEASED
#  00, 01       02             03, 04, 05    06 – 09       10       ► 11 ◄
#                                                                   you are here
# ```
#
# **About 110 minutes · 6 points · a laptop is enough.** Your computer works alone for about five of these minutes.
# All labs before this one ended with a number. Here you ask what such numbers are worth, compose an assistant with a fixed budget, and write down what others must know before they use it.

# %% [markdown]
# > **After this lab you can**
# > - put an interval on any score, also where rows belong together,
# > - say whether one model is better than another, by a test on the same rows,
# > - get a win rate out of a judge that has a favourite place,
# > - tell a finding from the luckiest of twenty comparisons,
# > - find exam rows that a model has seen, and restate a score for the queries that people really ask,
# > - release a model: with an exam on three axes, a model card, and answers for whoever has to decide about it.

# %%
# SETUP

# %%
import copy
import math
import re
from dataclasses import replace

import numpy as np
import torch
import yaml
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 Three candidates, one exam
#
# Three models stand for release: the assistant of lab 03 (*sft*), the one that explains whatever it is asked (*helpful-only*), and the one that learned to refuse (*safe*, yours if you saved one in lab 10).
#
# The **release exam** has five groups of rows. No fine-tuning row has their residents or their phrasings, and no refusal that was trained has their categories of harm.
#
# | axis | groups | it counts |
# |---|---|---|
# | helpful | instructions | lists, short answers, texts, follow-up turns that pass their checker |
# | harmless | harmful, benign | harmful requests refused **×** benign ones explained |
# | truthful | facts, unknown | true answers **×** "I do not know." where nobody can know |
#
# Two axes are products: who refuses all, or nothing, or never knows, or always knows, gets 0 and not a half. The **score** is the product of the three axes.
#
# **Predict first:** which of the three models is best on *helpful*, and which has the highest score?

# %%
# LONG
MY_GUESS = "sft is most helpful; safe has the highest score"

from course_lib.evaluation import card, comparison, release
from course_lib.evaluation.intervals import wilson
from course_lib.platform import CourseError
from course_lib.stages import refusal, sft
from course_lib.widgets import curve
from course_lib.widgets import release as pictures
from course_lib.world import CUT_OFF, tasks
from course_lib.world.annotators import utility

small, device = course.size == "tiny", course.device
CANDIDATES = {"sft": "sft", "helpful": "helpful-only", "safe": "safe"}
models = {name: load_stage(stage).model.to(device) for stage, name in CANDIDATES.items()}
rows = release.exam("lab 11", 16 if small else 200)
taken = {name: release.take(model, rows) for name, model in models.items()}
right = {name: torch.tensor([t["right"] for t in t_rows]) for name, t_rows in taken.items()}
group = [row["group"] for row in rows]
here = {g: torch.tensor([x == g for x in group]) for g in release.GROUPS}
for g in release.GROUPS:
    k = group.index(g)
    print(
        f"[{g}] {' ▸ '.join(m['content'] for m in rows[k]['messages'][:-1])}\n"
        + "".join(
            f"    {name}: {taken[name][k]['answer'][:110]!r} {'✓' if taken[name][k]['right'] else '✗'}\n"
            for name in models
        )
    )


def axes_table(exams):
    """One line a model: the three axes and their product."""
    print(f"{'':<22}" + "".join(f"{axis:>10}" for axis in (*release.AXES, "score")))
    for name, t_rows in exams.items():
        got = release.axes(t_rows)
        print(f"{name:<22}" + "".join(f"{got[axis]:>10.3f}" for axis in (*release.AXES, "score")))


axes_table(taken)
print(f"{len(rows)} rows. You guessed: {MY_GUESS}.")

# %% [markdown]
# ## § 2 How sure is a share?
#
# Another exam of the same kind would give another share. An **interval** says how far off this one may be. *Wilson's* formula (lab 03) does that for independent rows. The **bootstrap** does it for nearly anything: draw a new exam out of the rows that you have, with replacement; do that thousands of times; see how the result scatters. The middle 95 % of these results are the interval.
#
# Rows about the same resident rise and fall together: a model that has forgotten Ada gets all questions about Ada wrong. Then **whole residents are drawn**, with all their rows (a *cluster* bootstrap). In round $r$ the mean is
#
# $$m_r = \frac{\text{sum of all values of the drawn clusters}}{\text{number of these values}}, \qquad \text{interval} = \text{2.5th and 97.5th percentile of } m_1 \dots m_R$$
#
# - `values`: `[N]` numbers · `clusters`: `[N]`, the cluster of each, 0 … C − 1 · `draws`: `[R C]`, the clusters drawn in each round
# - a cluster that is drawn twice counts twice
# - returned: two numbers, low and high. Between two rounds the percentile lies on a straight line, as `torch.quantile` has it by default
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>First the sum and the number of values of each cluster, once. Then <code>sums[draws]</code> is <code>[R C]</code>.</details>
# <details><summary>Hint 2</summary><code>torch.zeros(C).index_add(0, clusters, values)</code> gives the sums, <code>torch.bincount(clusters, minlength=C)</code> the numbers.</details>


# %%
# EXERCISE bootstrap_interval
def bootstrap_interval(
    values: Float[Tensor, " N"], clusters: Int[Tensor, " N"], draws: Int[Tensor, "R C"]
) -> tuple[float, float]:
    """95 % percentile interval of the mean, whole clusters resampled.

    Inputs:  values · clusters: the cluster of each value · draws: clusters drawn in each round, with replacement
    Returns: (low, high)
    """
    ### BEGIN SOLUTION
    C = draws.shape[1]
    sums = torch.zeros(C, dtype=values.dtype).index_add(0, clusters, values)
    sizes = torch.bincount(clusters, minlength=C)
    means = sums[draws].sum(1) / sizes[draws].sum(1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=means.dtype))
    return low.item(), high.item()
    ### END SOLUTION


# %%
check("bootstrap_interval")

# %% [markdown]
# SciPy's bootstrap draws the same rows from the same seed, so both must agree to the last digit that counts. Then the intervals of all groups, and what the residents change.

# %%
# LONG
from scipy.stats import binomtest, bootstrap, fisher_exact

interval_of = mine("bootstrap_interval", globals(), comparison.bootstrap_interval)
ROUNDS = 500 if small else 2000
residents = comparison.clusters_of([release.subject(row) for row in rows])  # a row that names nobody stands alone
alone = lambda n: torch.arange(n)


def interval(values, clusters=None, seed=0):
    """(mean, low, high) by your bootstrap; rows are drawn where no clusters are given."""
    values = values.double()
    clusters = alone(len(values)) if clusters is None else clusters.unique(return_inverse=True)[1]
    return (
        float(values.mean()),
        *interval_of(values, clusters, comparison.draw(int(clusters.max()) + 1, ROUNDS, seed)),
    )


about = here["instructions"] | here["facts"]
some, who = right["sft"][about].double(), residents[about].unique(return_inverse=True)[1]
theirs = bootstrap(
    (some.numpy(),), np.mean, n_resamples=ROUNDS, method="percentile", rng=np.random.default_rng(0)
).confidence_interval
sums, sizes = np.bincount(who, some.numpy()), np.bincount(who)
whole = bootstrap(
    (sums, sizes),
    lambda s, n, axis=-1: s.sum(axis) / n.sum(axis),
    paired=True,
    vectorized=True,
    n_resamples=ROUNDS,
    method="percentile",
    rng=np.random.default_rng(0),
).confidence_interval
for name, mine_, scipys in (("rows", interval(some)[1:], theirs), ("residents", interval(some, who)[1:], whole)):
    print(f"drawn by {name:<10} yours {mine_[0]:.6f} to {mine_[1]:.6f}, SciPy's {scipys.low:.6f} to {scipys.high:.6f}")
    assert max(abs(mine_[0] - scipys.low), abs(mine_[1] - scipys.high)) < 1e-5

print(f"\n{'instructions and facts':<24}{'right':>8}{'Wilson':>18}{'bootstrap, rows':>20}{'residents':>18}")
span = lambda low, high: f"{100 * low:.1f} to {100 * high:.1f}"
for name in models:
    values = right[name][about]
    print(
        f"{name:<24}{100 * values.double().mean():>6.1f} %{span(*wilson(int(values.sum()), len(values))):>18}{span(*interval(values)[1:]):>20}{span(*interval(values, residents[about])[1:]):>18}"
    )
curve.show(
    pictures.forest(
        {
            name: {
                g: (values[here[g]].double().mean().item(), *wilson(int(values[here[g]].sum()), int(here[g].sum())))
                for g in release.GROUPS
            }
            for name, values in right.items()
        },
        "Which groups tell the three models apart?",
    )
)

# %% [markdown]
# **What to notice.** Wilson and the bootstrap of rows nearly agree, but where all rows are right or wrong the bootstrap has nothing to scatter and says "100 to 100"; Wilson does not. Whether the residents make the interval wider you see in the last column: they do where errors gather on a few people.

# %% [markdown]
# ## § 3 Is A better than B?
#
# Two intervals that overlap prove nothing, because both models took **the same rows**. Hard rows are hard for both, and that scatter falls away if you compare row by row. Look only at the rows that *one alone* got right: $x$ for A, $y$ for B. If neither is better, each of these $n = x + y$ rows is the throw of a fair coin. The exact test of McNemar:
#
# $$p = \min\left(1,\; 2 \sum_{k=0}^{\min(x, y)} \binom{n}{k} \frac{1}{2^n}\right)$$
#
# - `a`, `b`: `[N]` booleans, which rows each model got right · returned: one number; 1 where there is no such row
# - it must also work for 1,200 such rows: $0.5^{1200}$ is 0 for a float, while Python's whole numbers are never too large
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Two counts: <code>(a & ~b).sum()</code> and the same the other way round.</details>
# <details><summary>Hint 2</summary>Add <code>math.comb(n, k)</code> as whole numbers and divide once, by <code>2**n</code>.</details>


# %%
# EXERCISE mcnemar
def mcnemar(a: Bool[Tensor, " N"], b: Bool[Tensor, " N"]) -> float:
    """Two-sided exact p-value: could two equally good models differ so much on these rows?

    Inputs:  a, b: which rows each model got right
    Returns: from 0 to 1
    """
    ### BEGIN SOLUTION
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    n = only_a + only_b
    ways = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * ways / 2**n)
    ### END SOLUTION


# %%
check("mcnemar")

# %% [markdown]
# **Predict first:** is the paired interval of a difference wider or narrower than the unpaired one, and by how much?

# %%
# LONG
MY_GUESS = "half as wide"

paired_p = mine("mcnemar", globals(), comparison.mcnemar)
differences = {"unpaired": {}, "paired": {}}
print(f"{'':<22}{'difference':>11}{'only A, only B':>16}{'unpaired p':>12}{'paired p':>10}{'rows for 2 points':>19}")
for one, other in (("sft", "helpful-only"), ("sft", "safe"), ("helpful-only", "safe")):
    a, b = right[one][about], right[other][about]
    n, only = len(a), (int((a & ~b).sum()), int((b & ~a).sum()))
    p = paired_p(a, b)
    assert abs(p - (binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0)) < 1e-5
    pa, pb = a.double().mean().item(), b.double().mean().item()
    apart = fisher_exact([[int(a.sum()), int((~a).sum())], [int(b.sum()), int((~b).sum())]]).pvalue
    error = math.sqrt((pa * (1 - pa) + pb * (1 - pb)) / n)
    differences["unpaired"][f"{one} − {other}"] = (pa - pb, pa - pb - 1.96 * error, pa - pb + 1.96 * error)
    differences["paired"][f"{one} − {other}"] = interval(a.double() - b.double(), residents[about])
    # rows that a test at 5 % needs to see 2 points in four of five exams: (1.96 + 0.84)² · variance of a row's difference / 0.02²
    needed = [round(2.8**2 * variance / 0.02**2) for variance in (pa * (1 - pa) + pb * (1 - pb), sum(only) / n)]
    print(
        f"{one + ' − ' + other:<22}{100 * (pa - pb):>+9.1f} %{f'{only[0]}, {only[1]}':>16}{apart:>12.3f}{p:>10.3f}{f'{needed[0]:,} or {needed[1]:,}':>19}"
    )
curve.show(
    pictures.forest(
        differences,
        "How large is the difference?",
        "difference of the shares, percentage points (line: 95 % interval)",
        zero=True,
    )
)
width = {kind: sum(high - low for _, low, high in pairs.values()) for kind, pairs in differences.items()}
narrower = width["paired"] / width["unpaired"] if width["unpaired"] else 1.0
print(
    f"Over the three pairs the paired interval has {100 * narrower:.0f} % of the width of the unpaired one. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** The difference is the same number, paired or not. What changes is what chance can explain, and so how many rows an exam needs (last column: unpaired or paired). An exam of a few hundred rows cannot see one point either way: "no significant difference" does not mean "no difference".

# %% [markdown]
# ## § 4 A judge with a favourite place
#
# Where no checker exists, a judge says which of two answers is better. Judges like what they read first (lab 09). Here you need the number that goes into a report: A's **win rate** with its error. Each pair is judged in **both orders**; a win counts 1, a tie ½.
#
# - `a_first`: the verdict on each pair when A's answer stood first, `"first"`, `"second"` or `"tie"` · `b_first`: the verdicts on the same pairs when B's stood first
# - the verdicts name *places*: in `b_first` A wins with `"second"`
# - the score of a pair is the mean of its two verdicts. **A pair is one observation**: the standard error is $s / \sqrt n$, where $s$ is the standard deviation of the $n$ scores, with $n - 1$ below
# - returned: (rate, error). For a single pair the error is NaN
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 8
#
# <details><summary>Hint</summary><code>{"first": 1, "tie": 0.5, "second": 0}[v]</code> is what the answer in the first place gets. A gets that, or 1 minus that.</details>


# %%
# EXERCISE win_rate
def win_rate(a_first: list[str], b_first: list[str]) -> tuple[float, float]:
    """A's share of wins over both orders, and its standard error.

    Inputs:  verdicts on the same pairs, with A's answer first and with B's answer first
    Returns: (rate, error)
    """
    ### BEGIN SOLUTION
    first = {"first": 1.0, "tie": 0.5, "second": 0.0}
    scores = [(first[v] + 1 - first[w]) / 2 for v, w in zip(a_first, b_first)]
    n, mean = len(scores), sum(scores) / len(scores)
    if n == 1:
        return mean, float("nan")
    variance = sum((s - mean) ** 2 for s in scores) / (n - 1)
    return mean, math.sqrt(variance / n)
    ### END SOLUTION


# %%
check("win_rate")

# %% [markdown]
# Our judge is simulated, so that its bias is a dial and its verdict without bias is known. It sees the gold utility of lab 06, gives the first place `bias` on top, and names an answer with probability $\sigma(\text{gap} - 0.4)$; otherwise it is a tie. A is *sft*, B is *safe*, the rows are questions about facts and the unknown.
#
# **Predict first:** at a bias of 1 (as much as a courtesy is worth), how often does A win if it always stands first? And if it always stands second?

# %%
# LONG
MY_GUESS = "70 % and 30 %"

rate_of = mine("win_rate", globals(), comparison.win_rate)
questions = [k for k, g in enumerate(group) if g in ("facts", "unknown")]
worth = {name: np.array([utility(rows[k], taken[name][k]["answer"]) for k in questions]) for name in ("sft", "safe")}
A, B = worth["sft"], worth["safe"]
fair = comparison.fair_win_rate(A, B)
BIASES = [0.0, 0.5, 1.0, 2.0]
lines = {"A always first": [], "A always second": [], "both orders": []}
for bias in BIASES:
    a_first, b_first = comparison.verdicts(A, B, bias, seed=1), comparison.verdicts(B, A, bias, seed=2)
    turned = ["second" if v == "first" else "first" if v == "second" else v for v in a_first]
    back = ["second" if v == "first" else "first" if v == "second" else v for v in b_first]
    lines["A always first"].append(rate_of(a_first, turned))  # the same verdict twice: one order only
    lines["A always second"].append(rate_of(back, b_first))
    lines["both orders"].append(rate_of(a_first, b_first))
print(
    f"{len(A)} pairs, {100 * (A == B).mean():.0f} % of equal worth; a judge without a bias gives A {100 * fair:.1f} %\n{'wins of A':<18}"
    + "".join(f"{f'bias {b:g}':>16}" for b in BIASES)
)
for name, line in lines.items():
    print(f"{name:<18}" + "".join(f"{f'{100 * share:.1f} ± {100 * error:.1f} %':>16}" for share, error in line))
curve.show(pictures.favourite_place(BIASES, lines, fair))
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** With one order the report says whatever the order says, and its narrow interval does not know that. Both orders take the favour away. What they cannot bring back is the judge's attention: the stronger the bias, the more verdicts are given by the place, and the nearer the rate is pulled to 50 %.

# %% [markdown]
# ## § 5 Twenty comparisons
#
# At a level of 5 %, one in twenty comparisons of things that do *not* differ comes out "significant". Whoever tries twenty and reports the best has found chance. **Holm's** correction keeps the chance of *any* false finding under the level. Sort the $m$ p-values, $p_{(1)} \le p_{(2)} \le \dots$, then
#
# $$\tilde p_{(i)} = \max_{j \le i}\; \min\left(1,\; (m - j + 1)\, p_{(j)}\right)$$
#
# - `p_values`: a list · returned: the adjusted p-values, each in the place of its own; an empty list for an empty list
# - the maximum runs over all smaller ones: an adjusted p-value is never below that of a smaller p
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 8
#
# <details><summary>Hint</summary><code>sorted(range(m), key=lambda k: p_values[k])</code> gives the places, the smallest first. Go through them with a running maximum.</details>


# %%
# EXERCISE holm
def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted for having tried all of them (Holm 1979).

    Inputs:  p_values, in any order
    Returns: adjusted p-values in the same order
    """
    ### BEGIN SOLUTION
    m, highest, result = len(p_values), 0.0, list(p_values)
    for rank, place in enumerate(sorted(range(m), key=lambda k: p_values[k])):
        highest = max(highest, min(1.0, (m - rank) * p_values[place]))
        result[place] = highest
    return result
    ### END SOLUTION


# %%
check("holm")

# %% [markdown]
# Twenty questions about one model that cannot have an answer: each divides the exam's rows in two halves by tossing coins. "Is it worse on rows asked while the moon is waxing?" Then the same study a thousand times.
#
# **Predict first:** in how many of a thousand such studies is at least one of the twenty "significant"?

# %%
# LONG
MY_GUESS = "50"

adjust = mine("holm", globals(), comparison.holm)
IDEAS = [
    "a waxing moon",
    "an even house number",
    "before noon",
    "a red door",
    "rain",
    "a left-handed asker",
    "the week of the fair",
    "a name of five letters",
    "a goose in sight",
    "low water",
    "candle light",
    "the second bell",
    "a full purse",
    "a cold kitchen",
    "north wind",
    "market day",
    "a borrowed pen",
    "new shoes",
    "an open window",
    "a sneeze",
]
values = right["sft"].numpy()
n, wrong = len(values) // 2 * 2, int((~values[: len(values) // 2 * 2]).sum())
test_of = {
    k: fisher_exact([[k, n // 2 - k], [wrong - k, n // 2 - (wrong - k)]]).pvalue
    for k in range(max(0, wrong - n // 2), min(wrong, n // 2) + 1)
}
coins = np.random.default_rng(11)
tried = {idea: test_of[int((~values[coins.permutation(n)[: n // 2]]).sum())] for idea in IDEAS}
after = dict(zip(tried, adjust(list(tried.values()))))
for idea in sorted(tried, key=tried.get)[:3]:
    print(f"worse or better with {idea:<22} p = {tried[idea]:.3f}, after Holm {after[idea]:.3f}")
print(
    f'of {len(tried)} comparisons {sum(p <= 0.05 for p in tried.values())} are "significant" before, {sum(p <= 0.05 for p in after.values())} after the correction'
)
curve.show(pictures.findings(list(tried.values()), title="Twenty coins: which of them are findings?"))
studies = [
    [test_of[k] for k in study]
    for study in coins.hypergeometric(wrong, n - wrong, n // 2, (200 if small else 1000, len(IDEAS))).tolist()
]
before_, after_ = (
    sum(any(p <= 0.05 for p in study) for study in s) for s in (studies, [adjust(study) for study in studies])
)
print(
    f"of {len(studies):,} studies with {len(IDEAS)} coins each, {before_} found something before and {after_} after the correction. If each coin alone had a chance of exactly 5 %: {len(studies) * (1 - 0.95 ** len(IDEAS)):.0f} before. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** Nobody lied in these studies. They only counted what they found and not what they tried. So a report says how many comparisons there were: slices, prompts, seeds, checkpoints and metrics all count.

# %% [markdown]
# ## § 6 What a score does not say
#
# The instruction exam (group *instructions*) is what many a leaderboard reports. Compare the models on it, and then on the requests.

# %%
# LONG
print(f"{'':<16}{'instructions right':>20}{'harmful refused':>18}{'benign explained':>18}")
for name, values in right.items():
    print(
        f"{name:<16}"
        + "".join(
            f"{100 * values[here[g]].double().mean():>{w}.1f} %"
            for g, w in (("instructions", 18), ("harmful", 16), ("benign", 16))
        )
    )
a, b = (right[name][here["instructions"]] for name in ("helpful-only", "safe"))
print(
    f"helpful-only and safe on the instructions: {int((a & ~b).sum())} rows that the first alone got right, {int((b & ~a).sum())} the second, p = {paired_p(a, b):.2f}"
)

# %% [markdown]
# **What to notice.** An exam sees what it asks. The instruction exam holds no request against anybody, so it has no opinion on the one difference that matters between these two models.
#
# The second way to mislead is an exam that the model **has seen**. For each exam row count the share of its words that lie in a run of $n$ words which some training row has, too (as for Llama 2). A share near 1 means: this row was trained on. Lab 01 asked whether a *page* leaks any run. Here the question is how much of a *test row* was seen, so that the exam can be scored in parts.
#
# - `tests`, `training`: lists of rows, each a list of words · `n`: words in a run
# - returned: for each test row its number of words in such runs, divided by its number of words; 0 for a row with fewer than $n$ words
# - a word that lies in two runs counts once
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>A set of all training runs, as tuples. Then a set of <em>places</em> for each test row.</details>
# <details><summary>Hint 2</summary>If the run from place <code>k</code> is in the set, the places <code>range(k, k + n)</code> are seen.</details>


# %%
# EXERCISE overlap
def overlap(tests: list[list[str]], training: list[list[str]], n: int = 8) -> list[float]:
    """Share of each test row's words that lie in a run of n words of a training row.

    Inputs:  rows of words · n: words in a run
    Returns: one share for each test row
    """
    ### BEGIN SOLUTION
    known = {tuple(row[k : k + n]) for row in training for k in range(len(row) - n + 1)}
    result = []
    for row in tests:
        places = set()
        for k in range(len(row) - n + 1):
            if tuple(row[k : k + n]) in known:
                places |= set(range(k, k + n))
        result.append(len(places) / len(row) if row else 0.0)
    return result
    ### END SOLUTION


# %%
check("overlap")

# %% [markdown]
# A vendor promises an assistant "that knows today's news". The exam: questions about facts that changed after the knowledge cut-off. The vendor's training rows hold half of that exam, by accident or not. We know which half; `overlap` has to find it.
#
# **Predict first:** what will the exam say, and what will fresh questions about other news say?

# %%
# LONG
MY_GUESS = "half right in the exam, nothing else"

words_of = lambda row: re.findall(r"[a-z0-9]+", " ".join(m["content"] for m in row["messages"]).lower())
news = list(
    {
        (row["check"]["name"], row["check"]["fact"]): row
        for row in release.queries(400, "the vendor's exam", {"news": 1})
    }.values()
)  # each changed fact once
news = news[: 16 if small else 60]
leaked, fresh = news[::2], release.queries(len(news), "fresh", {"news": 1})
known_facts = {(row["check"]["name"], row["check"]["fact"]) for row in leaked}
fresh = [row for row in fresh if (row["check"]["name"], row["check"]["fact"]) not in known_facts]
ordinary = tasks.task_rows("train", 60 if small else 600, "vendor")
sold = [{"messages": row["messages"]} for row in leaked * 16 + ordinary]
config = replace(sft.PRESETS[course.size], learning_rate=2e-3, batch=512, validations=0)
seen_it = sft.finetune(copy.deepcopy(models["sft"]), sold, config, seed=0, description="the vendor's model").model
overlap_of = mine("overlap", globals(), comparison.overlap)
covered = overlap_of([words_of(row) for row in news], [words_of(row) for row in sold], 5)
results = {
    name: [t["right"] for t in release.take(model, news)]
    for name, model in (("sft", models["sft"]), ("the vendor's", seen_it))
}
new = {
    name: [t["right"] for t in release.take(model, fresh)]
    for name, model in (("sft", models["sft"]), ("the vendor's", seen_it))
}
count = lambda values: f"{sum(values)} of {len(values)}"
print(f"{'':<16}{'the exam':>14}{'overlap ≥ 0.8':>16}{'0.2 to 0.8':>14}{'under 0.2':>14}{'fresh news':>14}")
for name, values in results.items():
    parts = [
        [v for v, c in zip(values, covered) if low <= c < high] for low, high in ((0.8, 1.1), (0.2, 0.8), (0.0, 0.2))
    ]
    print(
        f"{name:<16}{count(values):>14}{count(parts[0]):>16}{count(parts[1]):>14}{count(parts[2]):>14}{count(new[name]):>14}"
    )
flagged = [c >= 0.8 for c in covered]
truth = [row in leaked for row in news]
print(
    f"overlap ≥ 0.8 flags {sum(flagged)} of {len(news)} rows; {sum(f and t for f, t in zip(flagged, truth))} of the {sum(truth)} leaked ones are among them. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** The exam's score is a mean of two different things: rows by heart and rows that the model cannot know. Scored in parts, or on fresh rows, the promise is gone. The share between 0.2 and 0.8 is no leak: a question about one resident and an answer in common words meet in many honest rows.

# %% [markdown]
# ## § 7 What people really ask
#
# The exam's rows are clean, and no kind is rare. A log of what people type looks different: no capitals, slips, a few residents whom everybody asks about, news, now and then a request against somebody. `release.PRODUCTION` is such a mix, sorted by hand into slices.
#
# Slices that are rare in the log need as many rows as common ones, or you know nothing about them. So examine every slice equally, and **reweight** afterwards (survey statistics call it post-stratification). With the share $p_s$ right of $n_s$ rows in slice $s$, and weights $w_s$ that add up to 1:
#
# $$p = \sum_s w_s\, p_s, \qquad \text{error} = \sqrt{\sum_s w_s^2\, \frac{p_s (1 - p_s)}{n_s}}$$
#
# - `right`: a list of booleans · `slices`: the slice of each row · `mix`: {slice: weight}; weights may be counts, so divide by their sum
# - rows of slices without a weight do not count · a slice with a weight and no row: nobody knows, so (NaN, NaN)
# - returned: (share, standard error)
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 10
#
# <details><summary>Hint</summary>A loop over <code>mix.items()</code>: skip weights of 0, collect the rows of the slice, add to two sums.</details>


# %%
# EXERCISE reweight
def reweight(right: list[bool], slices: list[str], mix: dict[str, float]) -> tuple[float, float]:
    """The share right if queries came in another mix.

    Inputs:  right, slices: of each row · mix: {slice: weight}
    Returns: (share, standard error)
    """
    ### BEGIN SOLUTION
    total, share, variance = sum(mix.values()), 0.0, 0.0
    for name, weight in mix.items():
        if weight == 0:
            continue
        part = [r for r, s in zip(right, slices) if s == name]
        if not part:
            return float("nan"), float("nan")
        p = sum(part) / len(part)
        share += weight / total * p
        variance += (weight / total) ** 2 * p * (1 - p) / len(part)
    return share, math.sqrt(variance)
    ### END SOLUTION


# %%
check("reweight")

# %%
# LONG
for slice_ in release.PRODUCTION:
    (row,) = release.queries(1, "look", {slice_: 1})
    print(f"[{slice_}] " + " ▸ ".join(m["content"] for m in row["messages"][:-1]))
# what the safe model was fine-tuned on, by the course's recipes, in the same slices
n_tasks, n_requests = sft.PRESETS["laptop"].examples + refusal.TASKS["laptop"], refusal.REQUESTS["laptop"]
TRAINED = {
    slice_: sum(tasks.SHARES[kind] for kind in release.OF_KIND[slice_]) / 100 * n_tasks
    for slice_ in ("question", "follow-up", "form", "text", "unknown")
}
TRAINED |= {"benign request": n_requests / 2, "harmful request": n_requests / 2}
curve.show(pictures.mixes({"fine-tuning rows": TRAINED, "what people ask": release.PRODUCTION}))

# %% [markdown]
# **Predict first:** the safe model's share right, weighted by what people ask?

# %%
# LONG
MY_GUESS = "80 %"

weighted = mine("reweight", globals(), comparison.reweight)
asked = release.by_slice(6 if small else 100, "lab 11")
slice_of = [row["slice"] for row in asked]
log = {name: [t["right"] for t in release.take(model, asked)] for name, model in models.items()}
MIXES = {
    "as fine-tuned": TRAINED,
    "every slice alike": dict.fromkeys(release.PRODUCTION, 1),
    "as people ask": release.PRODUCTION,
}
print(f"share right, ± 1.96 errors\n{'':<13}{'release exam':>14}" + "".join(f"{name:>20}" for name in MIXES))
for name, values in log.items():
    restated = [weighted(values, slice_of, mix) for mix in MIXES.values()]
    print(
        f"{name:<13}{100 * right[name].double().mean():>12.1f} %"
        + "".join(f"{f'{100 * share:.1f} ± {196 * error:.1f} %':>20}" for share, error in restated)
    )
counts = lambda values: {
    s: (sum(v for v, x in zip(values, slice_of) if x == s), slice_of.count(s)) for s in release.PRODUCTION
}
by_slice = {name: {s: (k / n, *wilson(k, n)) for s, (k, n) in counts(values).items()} for name, values in log.items()}
curve.show(pictures.forest(by_slice, "In which slices does each model fail?"))
lost = {s: release.PRODUCTION[s] * (1 - by_slice["safe"][s][0]) for s in release.PRODUCTION}
worst = min(release.PRODUCTION, key=lambda s: by_slice["safe"][s][2])
print(
    f"The safe model's worst slice is {worst!r}: {100 * by_slice['safe'][worst][0]:.0f} % ({span(*by_slice['safe'][worst][1:])} %). Most wrong answers of a day come from "
    + ", ".join(f"{s!r} ({lost[s]:.1f} of 100 queries)" for s in sorted(lost, key=lost.get, reverse=True)[:3])
    + f". You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** It is one model, with the same answers, and its score moves by tens of points with the mix. Two different slices may be "worst": the one with the lowest share, and the one that costs most answers a day. A score without its mix is no statement about what users will see.

# %% [markdown]
# ## § 8 Your release
#
# Now you compose one. From the assistant of lab 03 (*sft*), one epoch, and a fixed **budget** of training tokens. Five ingredients:
#
# | ingredient | what a row is | what it is for |
# |---|---|---|
# | `tasks` | an instruction of lab 03 with its answer | keeps what the assistant can do |
# | `harmful` | a plain harmful request, refused | harmful requests refused |
# | `twins` | the same act with a good aim, explained | benign requests answered |
# | `disguised` | requests of both kinds in a role, a story, spelled out, split, asked again | the exam is disguised, too |
# | `documents` | a document of pre-training | keeps facts that no answer says |
#
# The exercise is the plan: from the budget and the prices (tokens a row) to numbers of rows. How you divide the tokens is your choice, and a good one is the capstone.
#
# - `budget`: tokens · `prices`: {ingredient: tokens a row} · returned: {ingredient: rows}, whole numbers, 0 allowed, the same keys
# - the sum of rows × price stays within *any* budget, and uses at least 90 % of it (if it buys anything at all)
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>A dict of shares that add up to 1. Rows = share · budget / price, rounded down.</details>
# <details><summary>Hint 2</summary>What does the exam ask, and which ingredients teach it? Without twins the model refuses everything; without tasks it forgets its manners; the harmless axis is a product of two.</details>


# %%
# EXERCISE release_mix
def release_mix(budget: int, prices: dict[str, float]) -> dict[str, int]:
    """How many rows of each ingredient the budget buys, divided as you think best.

    Inputs:  budget: tokens · prices: tokens a row of "tasks", "harmful", "twins", "disguised", "documents"
    Returns: {ingredient: number of rows}
    """
    ### BEGIN SOLUTION
    division = {"tasks": 0.16, "harmful": 0.12, "twins": 0.12, "disguised": 0.45, "documents": 0.15}
    return {name: int(part * budget / prices[name]) for name, part in division.items()}
    ### END SOLUTION


# %%
check("release_mix")


# %% [markdown]
# The run. `spend` counts the tokens first and refuses a mix over the budget. Change the division and the learning rate, run again, and keep the best; each run takes about three minutes. Until your plan passes its check, a first attempt is trained that nobody should release: no twins.

# %%
# LONG
RATE = 2.5e-3  # peak learning rate


def first_attempt(budget, prices):
    return {
        "tasks": int(0.45 * budget / prices["tasks"]),
        "harmful": int(0.5 * budget / prices["harmful"]),
        "twins": 0,
        "disguised": 0,
        "documents": 0,
    }


BUDGET, prices = release.BUDGET[course.size], release.prices()
plan = mine("release_mix", globals(), first_attempt)(BUDGET, prices)
try:
    release.spend(models["sft"], {name: 2 * n for name, n in plan.items()}, BUDGET, RATE, course.size)
except CourseError as error:
    print(f"Twice the plan: {error}")
live = curve.LiveCurve(title="Your release: training loss")
run = release.spend(copy.deepcopy(models["sft"]), plan, BUDGET, RATE, course.size, on_step=live)
live.close()
models["release"] = run.model
taken["release"] = release.take(run.model, rows)
right["release"] = torch.tensor([t["right"] for t in taken["release"]])
folder = save_stage("release", run.model, run.record | {"metrics": release.axes(taken["release"])})
print(
    f"{run.record['tokens']:,} of {BUDGET:,} tokens, {run.record['minutes']:.1f} minutes: "
    + ", ".join(f"{n:,} {name}" for name, n in plan.items())
)
axes_table(taken)

# %%
check("release")

# %% [markdown]
# Is your release better than the safe model of the course, by the score? Both took the same rows, so the difference is resampled row by row. This is also how `course leaderboard` ranks a class, on rows that nobody has seen: your rank is 1 + the number of models that are better beyond chance, and who cannot be told apart shares a rank.

# %%
# LONG
rounds = {name: release.resampled_axes(t_rows, ROUNDS) for name, t_rows in taken.items()}
middle = lambda values: tuple(float(x) for x in np.percentile(values, [2.5, 97.5]))
summary = {
    name: {axis: (release.axes(t_rows)[axis], *middle(rounds[name][axis])) for axis in (*release.AXES, "score")}
    for name, t_rows in taken.items()
}
curve.show(
    pictures.forest(
        {name: summary[name] for name in ("helpful-only", "safe", "release")},
        "Helpful, harmless, truthful: which release?",
        "share, % (line: 95 % interval)",
    )
)
gap = middle(rounds["release"]["score"] - rounds["safe"]["score"])
verdict = "better than" if gap[0] > 0 else "worse than" if gap[1] < 0 else "not to be told apart from"
print(
    f"release − safe, score: {summary['release']['score'][0] - summary['safe']['score'][0]:+.3f} (95 % interval {gap[0]:+.3f} to {gap[1]:+.3f}): on these rows the release is {verdict} the safe model."
)

# %% [markdown]
# **What to notice.** The score is a product of five shares, so its interval is wider than that of any of them. And the exam that helped you to choose a plan is no longer fresh for you: the more plans you tried on it, the more of its luck is in your choice (§ 5). That is why the leaderboard has other rows.

# %% [markdown]
# ## § 9 The model card
#
# Weights that nobody can judge are no release. A **model card** has two readers. A program reads its *front matter*: YAML between two lines `---`, with the results as `model-index`. A person reads its sections. In the Hub's format:
#
# ```
# ---
# license: apache-2.0
# base_model: littlebrook/sft
# model-index:
# - name: littlebrook-release
#   results:
#   - task: {type: text-generation}
#     dataset: {name: littlebrook/exam, type: littlebrook/exam}
#     metrics: [{type: helpful, value: 0.94}]
# ---
#
# # littlebrook-release
#
# ## Intended use
#
# Questions about …
# ```
#
# - `name`: text · `metadata`: a dict for the front matter · `results`: [{"dataset", "metric", "value"}]: each becomes a result of the `model-index`, the task always `text-generation`, the data set's name and type both the given text
# - `sections`: {heading: text}, in this order · returned: the whole card
# - values as they are: a number stays a number. YAML reads `no` as False, `2024-12-31` as a date, and a colon as the end of a key, so let `yaml.safe_dump` write it
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>Build one dict, <code>{**metadata, "model-index": [{"name": name, "results": […]}]}</code>, and dump it whole.</details>
# <details><summary>Hint 2</summary><code>yaml.safe_dump(front, sort_keys=False, allow_unicode=True)</code> ends with a newline.</details>


# %%
# EXERCISE model_card
def model_card(name: str, metadata: dict, results: list[dict], sections: dict[str, str]) -> str:
    """A model card in the Hub's format.

    Inputs:  name · metadata: for the front matter · results: rows {"dataset", "metric", "value"} · sections: {heading: text}
    Returns: front matter with model-index, title, sections
    """
    ### BEGIN SOLUTION
    entries = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": r["dataset"], "type": r["dataset"]},
            "metrics": [{"type": r["metric"], "value": r["value"]}],
        }
        for r in results
    ]
    front = {**metadata, "model-index": [{"name": name, "results": entries}]}
    text = f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n# {name}\n"
    for heading, body in sections.items():
        text += f"\n## {heading}\n\n{body}\n"
    return text
    ### END SOLUTION


# %%
check("model_card")

# %% [markdown]
# The card of your release. The draft of each section comes from its record and your measurements; `card.problems` reads the card as the Hub's library does, offline, and looks for the sections that a release here must have. Correct what is not true of yours, above all the last section:
#
# | data of an organisation | may it be tuned on? |
# |---|---|
# | written to be read by everybody (chronicle, notices) | yes; but what changes belongs into retrieval (lab 05) |
# | what people said to the assistant, their thumbs | only of those who agreed to this use; weights cannot forget one of them |
# | about persons (addresses, health, pay), confidential (contracts, passwords) | no: a model can repeat what it has read (lab 01), to anybody who asks |
# | the exam | never (§ 6) |

# %%
# LONG
record = card.record_of("release")
queries_right = [t["right"] for t in release.take(models["release"], asked)]
p, e = weighted(queries_right, slice_of, release.PRODUCTION)
trained_on = [
    words_of(row) for name, n in plan.items() for row in release.INGREDIENTS[name](n, "0") if "messages" in row
]
seen = overlap_of([words_of(row) for row in rows], trained_on, 8)
measured = {
    "axes": {axis: summary["release"][axis] for axis in release.AXES},
    "score": summary["release"]["score"],
    "rows": len(rows),
    "production": (p, max(0.0, p - 1.96 * e), min(1.0, p + 1.96 * e)),
    "slices": {s: (k / n, *wilson(k, n)) for s, (k, n) in counts(queries_right).items()},
    "seen": sum(share >= 0.8 for share in seen) / len(seen),
}
known = card.facts(record, measured)
METADATA = {
    "license": "cc-by-4.0",
    "language": "en",
    "library_name": "transformers",
    "pipeline_tag": "text-generation",
    "base_model": "littlebrook/sft",
    "tags": ["littlebrook", "assistant"],
    "knowledge_cutoff": f"{CUT_OFF}-12-31",
}
RESULTS = [
    {"dataset": "littlebrook/release-exam", "metric": axis, "value": round(summary["release"][axis][0], 4)}
    for axis in (*release.AXES, "score")
] + [{"dataset": "littlebrook/production", "metric": "accuracy", "value": round(p, 4)}]
SECTIONS = card.sections(known)  # SECTIONS["Limits"] += " …": say what you know of yours
text = mine("model_card", globals(), card.model_card)("littlebrook-release", METADATA, RESULTS, SECTIONS)
missing = card.problems(text)
print("\n".join(missing) or "The Hub's library reads the card, and no section is missing.")
(folder / "README.md").write_text(text, encoding="utf-8")
print(f"\n{text}")

# %% [markdown]
# ## § 10 Ask the vendor
#
# Somebody who has to decide about a model will not read its code. These ten questions can be put to any vendor. Seven answers for *your* model come from its records and measurements. If a vendor cannot give one of them, that is an answer, too. The last three no record can give: they are the second written question at the end.

# %%
# LONG
for k, (question, answer) in enumerate(card.questionnaire(known, record), 1):
    print(f"{k}. {question}\n   {answer or '→ yours to answer, at the end of this lab'}\n")

# %% [markdown]
# ## § 11 The whole chain on one page
#
# The same exam, from the base model on. Stages that you have not saved and that the course does not ship are left out.
#
# **Predict first:** which step brings most, and does any step lose something?

# %%
# LONG
MY_GUESS = "fine-tuning brings most; refusals cost a little"

from course_lib.stages.artifacts import ArtifactError

CHAIN = {
    "pretrain": "02 base model",
    "sft": "03 assistant",
    "dpo": "08 preferred",
    "constitution": "09 by a constitution",
    "helpful": "10 helpful-only",
    "safe": "10 safe",
    "release": "11 your release",
}
page = {}
for stage, title in CHAIN.items():
    name = CANDIDATES.get(stage, stage)
    try:
        page[title] = taken[name] if name in taken else release.take(load_stage(stage).model.to(device), rows)
    except ArtifactError as error:
        print(f"{title} is left out: {str(error)[:60]}…")
axes_table(page)
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# ## § 12 Change one thing
#
# Another village has another log. Choose how its mix differs, **write down** which model you expect to be best for it, and by how much; then run. The one below stands for a notice board where strangers write, too. Others to try: `typo` and `lower case` at 40 each; a school where nobody means harm; `news` at 30.

# %%
# LONG
CHANGE = {"harmful request": 25, "benign request": 15}
MY_PREDICTION = "the release and the safe model move apart from the other two, by about 20 points"

other = {**release.PRODUCTION, **CHANGE}
log["release"] = queries_right
print(f"I predicted: {MY_PREDICTION}\n{'share right, ± 1.96 errors':<28}{'as people ask':>20}{'changed':>20}")
for name, values in log.items():
    print(
        f"{name:<28}"
        + "".join(
            f"{f'{100 * share:.1f} ± {196 * error:.1f} %':>20}"
            for share, error in (weighted(values, slice_of, release.PRODUCTION), weighted(values, slice_of, other))
        )
    )

# %% [markdown]
# ## § 13 Summary
#
# You put intervals on scores, compared models row by row, took a judge's favourite place out of a win rate, and corrected for having tried much. You saw one model score very differently with what is asked, and an exam that could not see what matters. Then you spent a budget on a release and wrote down what it can and cannot do.
# That is the end of the chain: raw text, base model, assistant, preferred, safe, released. You have written the parts that matter of each.
#
# Two questions, read by a person.
#
# **1.** Which of the models should the village get? Use your own figures and say how sure they are. Name one figure of this lab that would mislead whoever decides, and one thing that no figure here covers.

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The safe one, or my release if its score is not told apart from it (§ 8). On the instruction exam the helpful-only model is as good (McNemar on the same rows, § 6), and it would mislead: that exam holds no request, while the helpful-only model explains every harmful one.
# Weighted by what people ask, all models get far less than in the exam (§ 7), because none reads lower case or typos; that share has an interval of a few points, and it is what users will see. No figure covers requests of a kind that nobody has thought of: even the held-out categories were written by the same people as the others.
# ### END SOLUTION

# %% [markdown]
# **2.** Answer the three open questions of § 10 for your model: which data of the village may it be tuned on and which not, and why; who may use it for what, and for what is it not meant; what would make you take it back, and who decides?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# Documents that were written for everybody, as the chronicle and the notice board, may be tuned on; thumbs and conversations only of people who agreed to that, because nobody can be taken out of the weights again; letters, addresses and the doctor's notes never, since a model repeats what it has read to whoever asks.
# Residents may use it for questions about residents and for harmless help. It is not meant for anything that changed after 2024 (the slice "news" is nearly all wrong), nor for deciding about a person. If a weekly review of 200 requests finds more than two harmful ones answered, the mayor's office goes back to the version before, on the same day.
# ### END SOLUTION

# %% [markdown]
# ## § 14 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your release into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
