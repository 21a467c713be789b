# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 12 — Reasoning with a checker
#
# ```
#  raw text ──▶ base model ──▶ assistant ──▶ preferred ──▶ safe ──▶ released
#  00, 01       02             03, 04, 05    06 – 09       10       11
#                                                          └─────▶ THAT REASONS
#                                                                  ► 12 ◄
# ```
#
# **About 115 minutes · 10 points, beside the 100 of the other labs · a laptop is enough.** Your computer works alone for about 5 of these minutes (two cores at 200 GFLOP/s), one of them for the optional part on a real model.
# Some questions have an answer that a program can check. Then no people need to be asked, and no reward model has to guess: the checker's verdict is the reward. You teach the safe assistant to write a chain of steps before it answers, train it on the verdict, and find out whether it has learned anything that it could not do before.

# %% [markdown]
# > **After this lab you can**
# > - say how often a model is right in k tries, without bias and with an error, and why a vote can make it worse,
# > - find the step at which a chain of thought goes wrong,
# > - write a checker that a policy cannot please without being right, and say what an easy one teaches,
# > - write the advantages of GRPO, Dr. GRPO and MaxRL and three ways to average a loss, show that all but MaxRL's are TRL's, and say what each does to hard prompts and long answers,
# > - tell what is learned from what is only chosen, and what a right answer costs in tokens.

# %%
# SETUP

# %%
import math
from collections import Counter

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # your function if its check passes, else the course's
from course_lib.shown import lab12_real, lab12_reasoning as lab, lab12_trl

# %% [markdown]
# ## § 1 A question in two steps
#
# *What is the job of Ada's teacher?* Who knows the village knows who taught Ada, and what that teacher does. Lab 10's safe assistant has learned both facts. But no document says them in one sentence, so whoever answers at once has to take two steps between the question and the first word.
#
# A **chain of thought** ([Wei et al. 2022](https://arxiv.org/abs/2201.11903)) writes the steps down: *The teacher of Ada is Dora. The job of Dora is a baker. Answer: a baker*. Our questions go over teachers and neighbours, or over coins that come and go, in two to four steps. Two kinds of questions are held out: those about residents of no training row and, about such residents, what no training row asks: other facts at the end, or three changes of coins.
#
# The next cell shows a question of each kind. Then it asks the safe assistant to answer at once. The number of possible answers is small, so the chance of the right one is exact: no sample is drawn. **Predict first, for yourself:** in how many of 100 will it be right?

# %%
# LONG
residents, kinds = lab.examined(course.size)  # questions about new residents; of held-out kinds
safe = load_stage("safe").model.to(course.device).eval()
at_once = lab.show_at_once(safe, residents, kinds, course.size)

# %% [markdown]
# **What to notice.** In our run the right answer comes at once with a chance of 10 %, and a guess among the answers of the kind asked for has 9 %. It is not that the assistant lacks the facts: asked one step at a time, it knows them (lab 03). It has no room to take the first step before it must say the second.

# %%
# CLAIM
{
    "In our run the right answer comes at once": (
        round(100 * at_once["residents"][1]),
        round(100 * lab.blindly(residents)),
    )
    == (10, 9),
    "It is not that the assistant lacks": GENERAL,
    "It has no room": GENERAL,
}

# %% [markdown]
# ## § 2 A cold start
#
# The villagers have written down 4,000 chains for us. They are careless: their steps are right, but one chain in three ends with the answer of the wrong step. Nobody has sorted them. We fine-tune the safe assistant on them, each read three times, as in lab 03, with labels on the chain *and* on the answer; instructions, requests and documents stay in the mix, so that it does not forget them. Such a **cold start** before reinforcement is what DeepSeek-R1 had ([2025](https://arxiv.org/abs/2501.12948)).
#
# Chains are sampled at a temperature of 0.6, as in labs 06 to 10. The cell divides the weights of the last norm, and so all logits, by 0.6 for good: then the model's own probabilities are those of the samples, and § 3's chances and § 10's losses speak of the same policy.
#
# **Predict first, for yourself:** the villagers are right in two of three. Where will their pupil end?

# %%
# LONG
cold = lab.cold_started(safe, course.work, course.size)  # its temperature of 0.6 is in its weights
tried = lab.show_tries(cold, residents, kinds, course.size)  # 32 sampled chains a question

# %% [markdown]
# **What to notice.** The pupil has become as careless as its teachers: in our run it is right in 64 of 100 about new residents. It has learned the chain, and the villagers' slip with it: a wrong chain often ends with the name that stands one step too early. Imitation ends where the teachers end.

# %%
# CLAIM
{
    "The pupil has become as careless": round(100 * lab.one_try(tried["residents"])) == 64,
    "a wrong chain often ends with": lab.slips(tried["residents"]) > 0.5,
    "Imitation ends where": GENERAL,
}

# %% [markdown]
# ## § 3 Where is it lost?
#
# The chance of a whole text is the product of the chances of its tokens, each given what stands before it. So the chance of the right chain is the product of the chances of its **parts**: each statement, and the answer. They say which part goes wrong, and no sample is needed.
#
# $$P_{bs} = \exp \sum_{t:\ \text{part}_{bt} = s} \log \pi(a_{bt})$$
#
# - `logprobs`: `[B T]`, log-probability of each token of $B$ right chains · `part`: `[B T]`, the number of the part that the token belongs to: 0, 1, … → the chance of each part, `[B S]`; $S$ is the largest number + 1
# - −1 is the number of tokens of no part (prompt and padding). They count nowhere, whatever their log-probability holds: NaN, too
# - a part that a row does not have cannot go wrong: its chance is 1. A number that no row has gets a column as well
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>For one part: <code>torch.where(part == s, logprobs, 0.0).sum(1).exp()</code>. A product with the mask does not do, for 0 · NaN is NaN.</details>
# <details><summary>Hint 2</summary><code>torch.stack(list, 1)</code> puts S tensors [B] beside each other: [B S].</details>

# %%
# EXERCISE step_chances
def step_chances(logprobs: Float[Tensor, "B T"], part: Int[Tensor, "B T"]) -> Float[Tensor, "B S"]:
    """The chance of each part of each chain, given all before it.

    Inputs:  logprobs: log π of each token · part: the part that it belongs to, −1: none
    Returns: products of the tokens' chances, 1 for a part that a row does not have
    """
    ### BEGIN SOLUTION
    parts = range(int(part.max()) + 1)
    of_part = [torch.where(part == s, logprobs, 0.0).sum(1).exp() for s in parts]
    return torch.stack(of_part, 1)
    ### END SOLUTION


# %%
check("step_chances")

# %%
# LONG
lost = lab.show_parts(mine("step_chances", globals()), cold, residents, course.size)

# %% [markdown]
# **What to notice.** In our run the statements of chains with two and three are nearly certain, 93 % and more, about residents of whom no chain spoke. What is lost is lost at the answer. So the knowledge is there, and the way of writing too; only the last choice is wrong, and it is the only part that a checker of answers looks at. Four statements are sums of coins, and there a statement goes wrong as well.

# %%
# CLAIM
{
    "In our run the statements of chains": all(
        p >= 0.925 for n in (2, 3) for p in lost[n]["parts"][:-1]
    ),
    "What is lost is lost at the answer": all(
        lost[n]["parts"][-1] < min(lost[n]["parts"][:-1]) - 0.1 for n in (2, 3)
    ),
    "So the knowledge is there": GENERAL,
    "Four statements are sums of coins": min(lost[4]["parts"][:-1]) < 0.95,
}

# %% [markdown]
# ## § 4 Right once in k tries
#
# How often is at least one of $k$ tries right? Drawing $k$ again and again would be dear. Draw $n \ge k$ once, count the $c$ right ones, and ask in how many of the $\binom{n}{k}$ subsets none is right ([Chen et al. 2021](https://arxiv.org/abs/2107.03374)):
#
# $$\text{pass@}k = 1 - \binom{n - c}{k} \Big/ \binom{n}{k}$$
#
# - `found`: a list, the number $c$ of right tries of each question · `n`: tries a question · `k`: from 1 to n
# - return two numbers: the mean over the questions, and its standard error: the standard deviation of the questions' values (with $Q - 1$ in it) over $\sqrt{Q}$. It is about the questions: tries do not count in it. Of one question: 0.0. (The ± that this lab prints is 1.96 of it.)
# - fewer than $k$ wrong tries: some right one is always among the $k$, so the value is 1
# - `n` may be several thousand: then the binomials are larger than any float
#
# $1 - (1 - c/n)^k$ looks alike, and is too low.
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>math.comb</code> gives whole numbers of any size, and 0 where k is larger than n − c. Divide one by the other before you make a float.</details>
# <details><summary>Hint 2</summary><code>torch.tensor(values).std()</code> has the Q − 1; of one value it is NaN.</details>

# %%
# EXERCISE pass_at_k
def pass_at_k(found: list[int], n: int, k: int) -> tuple[float, float]:
    """(mean of pass@k over the questions, its standard error).

    Inputs:  found: right ones among the n tries of each question · k: from 1 to n
    """
    ### BEGIN SOLUTION
    values = [1 - math.comb(n - c, k) / math.comb(n, k) for c in found]
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, 0.0
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))
    ### END SOLUTION


# %%
check("pass_at_k")

# %%
# LONG
pass_of = mine("pass_at_k", globals())
curves = lab.show_curves(pass_of, {"at once": at_once, "cold start": tried}, course.size)

# %% [markdown]
# **What to notice.** One try of the cold start is right in 64 %, the best of 32 in 98 %: the right chain is nearly always among them, and somebody who could check would find it. Answers at once do not get there with any number of tries that one would pay for. The distance between pass@1 and pass@32 is what a checker can turn into training.

# %%
# CLAIM
{
    "One try of the cold start is right": (
        round(100 * curves["cold start"]["residents"][1][0]),
        round(100 * curves["cold start"]["residents"][32][0]),
    )
    == (64, 98),
    "Answers at once do not get there": curves["at once"]["residents"][32][0] < 0.5,
    "The distance between pass@1": GENERAL,
}

# %% [markdown]
# ## § 5 A vote
#
# Of 32 chains to one question, most end with the same answer. **Majority vote**, or self-consistency ([Wang et al. 2022](https://arxiv.org/abs/2203.11171)): write several, take the answer that most of them give. No checker is needed, only tokens.
#
# - `answers`: a list of texts; `None` for a chain that gave no answer
# - return the most frequent answer, and its share of the votes that were cast
# - `None` is no vote: it neither wins nor counts among the votes cast
# - in a tie the answer wins whose first vote stands earliest in the list
# - where nobody voted: `(None, 0.0)`
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>Counter(list).most_common(1)</code> gives [(answer, count)], and among equals the one that came first.</details>

# %%
# EXERCISE majority
def majority(answers: list[str | None]) -> tuple[str | None, float]:
    """(the most frequent answer, its share of the votes cast).

    Inputs:  answers: one a chain; None is no vote
    Returns: (None, 0.0) where nobody voted
    """
    ### BEGIN SOLUTION
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return None, 0.0
    answer, count = votes.most_common(1)[0]
    return answer, count / votes.total()
    ### END SOLUTION


# %%
check("majority")

# %%
# LONG
vote = mine("majority", globals())
votes = lab.show_votes(vote, tried, course.size)

# %% [markdown]
# **What to notice.** A vote makes what is frequent certain. Where the right answer is the most frequent one that helps: two changes of coins go from 72 to 85 % in our run. Three changes, a kind that no row had, are right in 16 % of the chains and in 15 % of the votes: there the wrong answer is the frequent one. It helps little where the chains of a question agree: among neighbours 87 % of the votes go to one answer, and too often it is the wrong step's.

# %%
# CLAIM
{
    "A vote makes what is frequent certain": GENERAL,
    "Where the right answer is the most frequent": (
        round(100 * votes["coins, 2 changes"]["one"]),
        round(100 * votes["coins, 2 changes"]["vote"]),
    )
    == (72, 85),
    "Three changes, a kind that no row had": (
        round(100 * votes["coins, 3 changes"]["one"]),
        round(100 * votes["coins, 3 changes"]["vote"]),
    )
    == (16, 15),
    "It helps little where the chains": round(100 * votes["neighbour"]["share"]) == 87
    and votes["neighbour"]["vote"] < 0.9,
}

# %% [markdown]
# ## § 6 A checker
#
# The checker's verdict will be the reward, so a policy will find whatever it accepts. Here is one that was written in a hurry: it accepts a text in which the right answer stands anywhere.
#
# Attack it. `MY_ATTACK` is a text that does not know the answer. `{options}` in it stands for all answers that the question can have. Does the checker accept it?

# %%
MY_ATTACK = "Answer: one of {options}"


def loose(text, answer):
    """A checker in a hurry."""
    return answer in text


# %%
# LONG
attacked = lab.show_attack(loose, MY_ATTACK, residents, course.size)

# %% [markdown]
# Now write one that holds.
#
# - `text`: what the policy wrote · `answer`: the right one → True or False
# - `Answer:` stands exactly once in the text. Two answers are none, even if both are right
# - what follows it, to the end of the text, is the right answer and nothing else: a list of answers is no answer, and nothing may come behind it
# - what stands before it does not count: neither a right answer there helps, nor a wrong step harms
# - blanks and line breaks around the answer, capitals in it, and one full stop at its end change nothing; two full stops do. `Answer:` itself is written just so: `answer:` is none
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 12
#
# <details><summary>Hint 1</summary><code>text.count("Answer:")</code> and <code>text.partition("Answer:")[2]</code>.</details>
# <details><summary>Hint 2</summary><code>.strip()</code>, then <code>.removesuffix(".")</code>, which takes off one, then <code>.strip()</code> again; <code>.lower()</code> on both sides.</details>

# %%
# EXERCISE verify
def verify(text: str, answer: str) -> bool:
    """Is the one answer that the text gives the right one?

    Inputs:  text: a chain, with "Answer:" before its answer · answer: the right one
    """
    ### BEGIN SOLUTION
    given = text.partition("Answer:")[2].strip().removesuffix(".")
    return text.count("Answer:") == 1 and given.strip().lower() == answer.lower()
    ### END SOLUTION


# %%
check("verify")

# %%
# LONG
checker = mine("verify", globals())
judged = lab.show_checkers({"in a hurry": loose, "yours": checker}, residents, tried)

# %% [markdown]
# **What to notice.** The checker in a hurry accepts every kind of text in the table. It is right about none of those that ought to fail. Of the cold start's own wrong chains it accepts most, in our run 84 %: their steps are true, so the right answer stands in them. A reward that pays for them pays for the very slip that we want to train away.

# %%
# CLAIM
{
    "The checker in a hurry accepts every kind": judged["in a hurry"]["false accepts"] == 1,
    "It is right about none": judged["yours"]["false accepts"] == 0,
    "Of the cold start's own wrong chains": round(
        100 * judged["in a hurry"]["sampled wrong ones accepted"]
    )
    == 84,
    "A reward that pays for them": GENERAL,
}

# %% [markdown]
# ## § 7 What a prompt weighs
#
# Each prompt gets a **group** of $G$ chains, and each chain a reward of 0 or 1. Lab 07's GRPO compares a chain with its own group. Three ways, with mean $\bar r$ and standard deviation $s$ of the group (with $G - 1$ in it):
#
# | `kind` | advantage | |
# |---|---|---|
# | `"grpo"` | $(r - \bar r) / (s + 10^{-4})$ | [Shao et al. 2024](https://arxiv.org/abs/2402.03300); the $10^{-4}$ is TRL's |
# | `"dr_grpo"` | $r - \bar r$ | [Liu et al. 2025](https://arxiv.org/abs/2503.20783) |
# | `"maxrl"` | $(r - \bar r) / \bar r$ | [Tajwar et al. 2026](https://arxiv.org/abs/2602.02710) |
#
# - `rewards`: `[P G]`, not negative, $G \ge 2$, a row for each prompt → advantages `[P G]`, of the rewards' dtype; the rewards stay as they are
# - nothing is added to the mean of `"maxrl"`
# - a group whose rewards are all alike has advantages of 0, never NaN: with `"maxrl"` a group of zeros, too
# - another `kind` raises a `ValueError`
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>rewards.mean(1, keepdim=True)</code> keeps an axis of length 1, so that it can be subtracted from each row.</details>
# <details><summary>Hint 2</summary>For "maxrl" divide by <code>mean.clamp(min=…)</code> with a tiny number: where the mean is 0, the numerator is 0 as well.</details>

# %%
# EXERCISE advantages
def advantages(rewards: Float[Tensor, "P G"], kind: str) -> Float[Tensor, "P G"]:
    """Each reward against its own group.

    Inputs:  rewards: of G chains to each of P prompts · kind: "grpo", "dr_grpo" or "maxrl"
    """
    ### BEGIN SOLUTION
    mean = rewards.mean(1, keepdim=True)
    if kind == "grpo":
        return (rewards - mean) / (rewards.std(1, keepdim=True) + 1e-4)
    if kind == "dr_grpo":
        return rewards - mean
    if kind == "maxrl":
        return (rewards - mean) / mean.clamp(min=1e-12)
    raise ValueError(f"kind is {kind!r}")
    ### END SOLUTION


# %%
check("advantages")

# %% [markdown]
# A prompt of which a share $p$ of the chains is right pulls at the policy with a weight: the gradient is that weight times $\nabla p$. With groups of $G$ it can be computed from your advantages, over all numbers of right chains that a group can have. **Predict first, for yourself:** which of the three cares most for prompts that hardly ever succeed?

# %%
# LONG
advantages_of = mine("advantages", globals())
weights = lab.show_weights(advantages_of, group=8)

# %% [markdown]
# **What to notice.** `dr_grpo` gives all prompts the same weight, 7/8: each chain is also a part of the mean that it is compared with. The division by the deviation gives more to prompts at both ends, the nearly hopeless and the nearly solved. MaxRL gives most to the hopeless, up to $G - 1$, and to a solved one hardly more than `dr_grpo`. With ever larger groups its gradient becomes that of $\log p$, as in maximum likelihood, whose weight is $1/p$; groups of $G$ follow it no further than $G - 1$.

# %%
# CLAIM
{
    "gives all prompts the same weight": all(
        abs(w - 7 / 8) < 1e-4 for w in weights["dr_grpo"].values()
    ),
    "The division by the deviation gives more": min(weights["grpo"][0.01], weights["grpo"][0.99])
    > 1.3 * weights["grpo"][0.5],
    "MaxRL gives most to the hopeless": max(weights["maxrl"].values()) == weights["maxrl"][0.01]
    and weights["maxrl"][0.01] < 7
    and weights["maxrl"][0.99] < 1.2,
    "With ever larger groups its gradient becomes that of": GENERAL,
}

# %% [markdown]
# ## § 8 Groups that say nothing
#
# A group that is all right or all wrong has advantages of 0: it was sampled for nothing. DAPO ([Yu et al. 2025](https://arxiv.org/abs/2503.14476)) leaves it out and samples other questions in its place. We only leave it out, and save its forward and backward pass.
#
# - `rewards`: `[P G]` → the places, among all $P \cdot G$ chains, of those whose group has different rewards: `[K]`, int64, ascending: a tensor, no list and no mask. The chains of group $p$ have the places $pG$ to $pG + G - 1$
# - all chains of such a group stay, right and wrong ones; rewards may be other numbers than 0 and 1
# - no such group: a tensor with no places in it, int64 as well
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>rewards.amax(1) > rewards.amin(1)</code> says it of each group; <code>repeat_interleave(G)</code> of each chain.</details>
# <details><summary>Hint 2</summary><code>mask.nonzero()[:, 0]</code> has the places of the True ones.</details>

# %%
# EXERCISE informative
def informative(rewards: Float[Tensor, "P G"]) -> Int[Tensor, " K"]:
    """Places, among all P · G chains, of those whose group has different rewards.

    Inputs:  rewards: of G chains to each of P prompts
    """
    ### BEGIN SOLUTION
    useful = rewards.amax(1) > rewards.amin(1)
    return useful.repeat_interleave(rewards.shape[1]).nonzero()[:, 0]
    ### END SOLUTION


# %%
check("informative")

# %%
# LONG
kept_of = mine("informative", globals())
groups = lab.show_groups(kept_of, tried, course.size)

# %% [markdown]
# **What to notice.** A group of $G$ with pass rate $p$ is tied with a chance of $p^G + (1 - p)^G$, so large groups teach more often. The questions' pass rates differ. What is expected of them comes within five points of what was counted, and below it, for the rates are estimated from the same tries (§ 4). As training goes on more and more questions are always right: § 10 prints how many groups still teach, at the first step and at the last.

# %%
# CLAIM
{
    "A group of $G$ with pass rate": all(
        a[0] < b[0] for a, b in zip(list(groups.values()), list(groups.values())[1:])
    ),
    "The questions' pass rates differ": GENERAL,
    "comes within five points of what was counted, and below it": all(
        0 < a - b < 0.05 for a, b in groups.values()
    ),
    "As training goes on": GENERAL,
}

# %% [markdown]
# ## § 9 One loss of many tokens
#
# Each token of a batch has a loss, lab 07's clipped term. Chains differ in length, and there are three ways to make one number of them:
#
# | `kind` | the loss is | |
# |---|---|---|
# | `"grpo"` | the mean of each chain's tokens, then the mean of the chains | the paper's |
# | `"dapo"` | the mean of all tokens of the batch | TRL's default |
# | `"dr_grpo"` | the sum of all tokens over $B$ · `longest` | a constant |
#
# - `terms`: `[B T]` · `mask`: `[B T]`, True on a chain's tokens, at least one a row · `longest`: how many tokens a chain can have → loss `[]`, of the terms' dtype, with a gradient to `terms`
# - 0 off the chains, whatever the terms hold there: NaN, too
# - another `kind` raises a `ValueError`
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>First <code>torch.where(mask, terms, 0.0)</code>; then three different divisors.</details>

# %%
# EXERCISE mean_of_terms
def mean_of_terms(
    terms: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], kind: str, longest: int
) -> Float[Tensor, ""]:
    """One loss of the terms of all tokens.

    Inputs:  terms: a loss for each token · mask: True on the tokens of the chains
             kind: "grpo", "dapo" or "dr_grpo" · longest: tokens that a chain can have
    Returns: a scalar with a gradient to terms
    """
    ### BEGIN SOLUTION
    counted = torch.where(mask, terms, 0.0)
    if kind == "grpo":
        return (counted.sum(1) / mask.sum(1)).mean()
    if kind == "dapo":
        return counted.sum() / mask.sum()
    if kind == "dr_grpo":
        return counted.sum() / (len(mask) * longest)
    raise ValueError(f"kind is {kind!r}")
    ### END SOLUTION


# %%
check("mean_of_terms")

# %% [markdown]
# What does that do to the length of chains? Take a right chain of 20 tokens beside one of 40 tokens. The next cell asks for the pull at one token of each: the gradient that your loss gives it.

# %%
# LONG
loss_of = mine("mean_of_terms", globals())
pulls = lab.show_pulls(loss_of, lengths=(20, 40))

# %% [markdown]
# **What to notice.** With the paper's mean a token of the longer chain counts half. So a long wrong chain is punished less for each of its tokens than a short one, and wrong chains can grow: it is against this bias that `dr_grpo` was made. The other two give each token the same. They differ in what they divide by: the divisor of `dapo` changes with the batch, that of `dr_grpo` does not depend on the lengths.

# %%
# CLAIM
{
    "With the paper's mean a token": abs(pulls["grpo"][1] / pulls["grpo"][0] - 0.5) < 1e-6,
    "So a long wrong chain": GENERAL,
    "The other two give each token": all(
        abs(pulls[kind][0] - pulls[kind][1]) < 1e-9 for kind in ("dapo", "dr_grpo")
    ),
    "They differ in what": GENERAL,
}

# %% [markdown]
# ### In the library
#
# TRL's `GRPOTrainer` has all three losses, and the advantages with and without the division. We look over its shoulder: the same batches, your functions.

# %%
# LONG
compared = lab12_trl.show(cold, advantages_of, loss_of, course.work)
assert all(max(row["loss"], row["advantages"]) < 1e-5 for row in compared)

# %% [markdown]
# What TRL does by default is not all the same. The next cell asks it:

# %%
# LONG
library = lab12_trl.show_defaults(course.work)

# %% [markdown]
# ## § 10 Reinforcement
#
# All parts are there. One step: 8 chains to each of 30 questions, the checker's verdict, advantages, the tied groups out, two small updates. `reinforce` in `course_lib/stages/reasoning.py` has the loop; the reward is **your** checker. There is no price on leaving the reference model: lab 07 needed one because its reward was a guess. This one is not.
#
# The questions are about residents whom the cold start has met; you will examine with others. **Predict first, for yourself:** the villagers' pupil is right in about two of three. Where will it end? And can it get better than the best of its own 32 tries?

# %%
# LONG
verdict = lab.reward_of(checker)  # (rows, chains) → 0 or 1 each, [B]
rl_run = lab.train("RL on the checker", cold, verdict, course.work, course.size, keep="rl")
after = lab.show_after(rl_run, tried, residents, kinds, course.size)

# %% [markdown]
# **What to notice.** In our run the reward is above 90 % after forty steps of 120, and in the last twenty one group in eight still teaches. The slip is rarer also where no reward was ever given: held-out kinds of questions went from 51 to 77 %. One of these kinds gained nothing, three changes of coins. Nothing in the reward speaks of it. Reinforcement mends the slip, not what was never learned: from another assistant of ours, which had read each chain twice only and not learned its sums, questions with four changes of coins were right in 30 of 100 before it and in 34 after.

# %%
# CLAIM
{
    "In our run the reward is above 90 %": rl_run.history[40]["reward"] > 0.9
    and len(rl_run.history) == 120
    and 1 / 9 < sum(row["informative"] for row in rl_run.history[-20:]) / 20 < 1 / 7,
    "The slip is rarer also where": [
        round(100 * lab.one_try(each["kinds"])) for each in (tried, after)
    ]
    == [51, 77],
    "One of these kinds gained nothing, three changes of coins": lab.by_kind(after)["coins, 3 changes"]
    <= lab.by_kind(tried)["coins, 3 changes"],
    "Nothing in the reward": GENERAL,
    "from another assistant of ours": GENERAL,
    "Reinforcement mends the slip": GENERAL,
}

# %%
# LONG
both = {"at once": at_once, "cold start": tried, "RL on the checker": after}
later = lab.show_curves(pass_of, both, course.size)

# %% [markdown]
# **What to notice.** RL's one try is nearly as good as the cold start's best of 32, and no better: 95 against 98 %. It has moved probability to chains that were there. On held-out kinds its best of 32 finds no more than the cold start's did, 88 % both; in all five stored runs it found less. Whether reinforcement only **sharpens** is disputed ([Yue et al. 2025](https://arxiv.org/abs/2504.13837)); compare its pass@1 with the cold start's pass@32 in your own run.

# %%
# CLAIM
{
    "RL's one try is nearly as good": (
        round(100 * later["RL on the checker"]["residents"][1][0]),
        round(100 * later["cold start"]["residents"][32][0]),
    )
    == (95, 98),
    "It has moved probability": GENERAL,
    "On held-out kinds its best of 32 finds no more": (
        round(100 * later["RL on the checker"]["kinds"][32][0]),
        round(100 * later["cold start"]["kinds"][32][0]),
    )
    == (88, 88),
    "Whether reinforcement only": GENERAL,
    "compare its pass@1 with": GENERAL,
}

# %%
# CLAIM stored
{
    "in all five stored runs": sum(
        run["rl"]["kinds"]["pass"]["32"] < run["cold"]["kinds"]["pass"]["32"]
        for run in stored("reasoning-laptop")["runs"]
    )
    == 5
    and len(stored("reasoning-laptop")["runs"]) == 5
}

# %% [markdown]
# ## § 11 A checker in a hurry
#
# The same cold start, the same questions, a third of the steps, and the checker of § 6 that accepts the right answer anywhere in the text. **Predict first:** what will the policy learn to write? Write your guess into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""

hasty = lab.reward_of(loose)
hurried = lab.train("RL in a hurry", cold, hasty, course.work, course.size, short=True)
hacked = lab.show_hacked(hurried, {"in a hurry": loose, "yours": checker}, residents, course.size)
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** There was nothing to learn. In our run this checker paid for 98 % of the chains before the first step, for their statements are true and name the right answer, and for 98 % after the last. Almost every group was tied, and your checker accepts 61 % of the chains, no more than before. We feared that a checker which accepts too much would teach a trick. The commoner harm is quieter: it cannot see the mistake, so the mistake stays, and the reward looks splendid from the first step to the last.

# %%
# CLAIM
{
    "There was nothing to learn": GENERAL,
    "In our run this checker paid": [
        round(100 * hurried.history[k]["reward"]) for k in (0, -1)
    ]
    == [98, 98],
    "Almost every group was tied": sum(row["tied"] for row in hurried.history)
    > 0.8 * len(hurried.history)
    and round(100 * hacked["yours"]) == 61,
    "We feared that": GENERAL,
    "The commoner harm": GENERAL,
}

# %% [markdown]
# ## § 12 Learning or choosing?
#
# There is a simpler way: sample, keep what the checker accepts, fine-tune on it (**rejection sampling**, [STaR](https://arxiv.org/abs/2203.14465), Zelikman et al. 2022). The model gets better. But the chains that it learns from are its own, so did it learn from the checker, or from practice? A **matched control** says it: the same questions, as many chains, not chosen.
#
# - `answers`, `right`: a list for each question: its chains, one at least, and whether each was accepted. Questions count from 0
# - for each question with at least one right chain: `(number of the question, its first right chain)` is **chosen**, and `(number of the question, its first chain)`, right or not, is the **control**
# - a question without a right chain is in neither: the control must have the same questions
# - return the two lists, in the order of the questions
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>marks.index(True)</code> is the place of the first right one; <code>any(marks)</code> asks whether there is one.</details>

# %%
# EXERCISE first_right
def first_right(
    answers: list[list[str]], right: list[list[bool]]
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """(chosen, control): for each question with a right chain its first right one, and its first.

    Inputs:  answers: the chains to each question · right: whether the checker accepted them
    Returns: two lists of (number of the question, chain)
    """
    ### BEGIN SOLUTION
    chosen, control = [], []
    for q, (its, marks) in enumerate(zip(answers, right)):
        if any(marks):
            chosen.append((q, its[marks.index(True)]))
            control.append((q, its[0]))
    return chosen, control
    ### END SOLUTION


# %%
check("first_right")

# %%
# LONG
taken_of = mine("first_right", globals())
practised = lab.show_rejection(taken_of, cold, checker, residents, course.size)

# %% [markdown]
# **What to notice.** Practice on its own chains, right and wrong, changes the cold start little: 70 % in our run, 64 before, within the errors of the two. The same number of chains, chosen by the checker, makes it 94. Most of the gain is the checker's choice. It has cost a small part of § 10's sampling, and RL ends hardly higher in our run: one point.

# %%
# CLAIM
{
    "Practice on its own chains": (
        round(100 * practised["control"]["right"]),
        round(100 * practised["cold start"]["right"]),
    )
    == (70, 64)
    and practised["control"]["right"] - practised["cold start"]["right"]
    < practised["control"]["error"] + practised["cold start"]["error"],
    "The same number of chains": round(100 * practised["chosen"]["right"]) == 94,
    "Most of the gain": practised["chosen"]["right"] - practised["control"]["right"]
    > 5 * practised["chosen"]["error"],
    "It has cost a small part": round(
        100 * (lab.one_try(after["residents"]) - practised["chosen"]["right"])
    )
    == 1,
}

# %% [markdown]
# ## § 13 What a right answer costs
#
# More tokens buy more right answers. Are they worth it? Count **all** tokens that were written for a question: those of every chain of a vote, those of the chains that a checker threw away, those of questions that were answered wrong in the end.
#
# - `tokens`: for each question a list: the length of every text that was written for it · `right`: for each question whether the answer that was given in the end is right; there is one question at least
# - return three numbers: the share of the questions that were answered right, the tokens a question, and the tokens a right answer: all tokens over the number of right answers
# - no right answer: the third number is infinite (`math.inf`)
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>sum(map(sum, tokens))</code> are all tokens.</details>

# %%
# EXERCISE cost
def cost(tokens: list[list[int]], right: list[bool]) -> tuple[float, float, float]:
    """(share answered right, tokens a question, tokens a right answer).

    Inputs:  tokens: the lengths of all texts that were written for each question
             right: whether its answer in the end was right
    Returns: the third is math.inf where no answer is right
    """
    ### BEGIN SOLUTION
    written, found = sum(map(sum, tokens)), sum(right)
    return found / len(right), written / len(right), written / found if found else math.inf
    ### END SOLUTION


# %%
check("cost")

# %%
# LONG
cost_of = mine("cost", globals())
costs = lab.show_costs(cost_of, vote, safe, tried, after, course.size)

# %% [markdown]
# **What to notice.** The shortest answer is the dearest per right one but for the votes: at once costs 51 tokens a right answer in our run, a chain 43. A vote of 16 costs 584 and brings twelve points. Who can check buys more with less: up to four chains, until one is accepted, 89 % for 53. After RL one chain is enough, 28 tokens. Training is paid once, a vote for every answer.

# %%
# CLAIM
{
    "The shortest answer is the dearest": (
        round(costs["at once"][2]),
        round(costs["one chain"][2]),
    )
    == (51, 43),
    "A vote of 16 costs": round(costs["a vote of 16"][2]) == 584
    and round(100 * (costs["a vote of 16"][0] - costs["one chain"][0])) == 12,
    "Who can check buys more": (
        round(100 * costs["up to 4, until the checker accepts"][0]),
        round(costs["up to 4, until the checker accepts"][2]),
    )
    == (89, 53),
    "After RL one chain is enough": round(costs["after RL, one chain"][2]) == 28,
    "Training is paid once": GENERAL,
}

# %% [markdown]
# ## § 14 Are the steps true, and what else has changed?
#
# The checker looks at the answer only. A chain with a false step and a right answer earns as much as any. We know the truth of each statement, so such chains can be counted. *A false statement* is one that is not true, or a sentence that is no statement. *Other steps* are any that are not those of the right chain, also true ones in another order, too many or too few.
#
# And the policy was trained on questions with a checker alone. What has become of lab 03's instructions and lab 10's refusals?

# %%
# LONG
faith = lab.show_faith(tried, after, course.size)
three = {"safe": safe, "cold start": cold, "RL on the checker": rl_run.model}
tax = lab.show_tax(three, course.size)

# %% [markdown]
# **What to notice.** A right answer behind a false statement is rare here: less than 1 % about new residents, 3 % in held-out kinds. That is no merit of the reward, which cannot see a step. It is rare because a false step seldom leads to the right answer by luck. The tax is small in our run, 2.3 points of the instructions and 2.0 of the benign requests. The 120 steps on chains took all that the instructions lost: the cold start had instructions, requests and documents in its mix.

# %%
# CLAIM
{
    "A right answer behind a false statement": [
        round(100 * lab.share(faith[f"RL on the checker, {of}"]["false_step"]))
        for of in ("new residents", "held-out kinds of questions")
    ]
    == [0, 3],
    "That is no merit": GENERAL,
    "It is rare because": GENERAL,
    "The tax is small in our run": [
        round(100 * (tax[a]["instructions"] - tax["RL on the checker"]["instructions"]), 1)
        for a in ("safe", "cold start")
    ]
    == [2.3, 2.8]
    and round(100 * (tax["RL on the checker"]["benign_refused"] - tax["safe"]["benign_refused"]), 1) == 2.0,
    "The 120 steps on chains took all": tax["cold start"]["instructions"]
    > tax["safe"]["instructions"],
    "the cold start had instructions": GENERAL,
}

# %% [markdown]
# ## § 15 A real model
#
# Optional. The same on SmolLM2-135M-Instruct (Hugging Face, Apache 2.0), with LoRA (lab 04) and a task that a program can check: *What is three plus nine?* Your checker, your advantages, your loss; a few steps, after one solved example in each prompt, shown as they are. **Predict first, for yourself:** what will it learn first, to add or to write `Answer:`?

# %%
# LONG
loaded = lab12_real.smollm2()
if loaded:
    parts = (checker, advantages_of, loss_of)
    real_log, real_exam = lab12_real.show(loaded, *parts, course.device, course.size)

# %% [markdown]
# **What to notice.** In our run five of sixty sampled answers were right, and of sixteen sums three before and two after. It writes `Answer:` as the example in the prompt does where it takes its likeliest words, among the sampled ones not always, and it cannot add. A checker can pay only for what is sampled, and from five right answers nobody learns to add. What would help is what the village's model had: a cold start on chains, many more samples, or easier sums first.

# %%
# CLAIM
{
    "In our run five of sixty": (
        round(12 * sum(row["right"] for row in real_log)),
        12 * len(real_log),
        real_exam["before"]["right"],
        real_exam["after"]["right"],
    )
    == (5, 60, 3, 2),
    "It writes": real_exam["before"]["marked"] == real_exam["after"]["marked"] == 16,
    "A checker can pay only": GENERAL,
    "What would help": GENERAL,
}

# %% [markdown]
# ## § 16 Summary
#
# You wrote pass@k, a vote, a checker, the advantages and the losses that work on reasoning uses, and know where each of them misleads. A chain gave the model room for its steps. The checker took away most of the slip that it had learned from people, also where nothing was rewarded. What was not among the questions that were rewarded and is no slip, three changes of coins, it did not learn.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Has reinforcement taught the policy anything that the cold start could not do? Use your pass@k curves, § 3's parts and § 12's control.

# %%
# CLAIM
{
    "You wrote pass@k": GENERAL,
    "A chain gave the model room": later["cold start"]["residents"][1][0]
    > 5 * later["at once"]["residents"][1][0],
    "The checker took away": lab.one_try(after["residents"]) > 0.9,
    "What was not among": lab.by_kind(after)["coins, 3 changes"] < 0.2,
    "Two questions, read by": GENERAL,
    "Three or four sentences": GENERAL,
    "Has reinforcement taught": GENERAL,
    "Use your pass@k curves": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# Hardly. In my run one try went from 64 % to 95 %, and the cold start's best of 32 was already 98 %: the right chains were among its own tries. § 3 says what was missing: the statements of two and three steps had 93 % and more, only the answer had less, 65 and 72 %, for the villagers' slip was in it. Fine-tuning on chains that the checker had chosen did the same, 94 %, and the same number of unchosen ones little, 70 %: what came in from outside is the checker's choice.
# Where the tries held nothing right that was ever paid for, in three changes of coins, of which no training question speaks, nothing was learned, and the best of 32 on held-out kinds stayed where it was. The gain on held-out kinds is real, though: the slip was unlearned where it was never punished.
# ### END SOLUTION

# %%
# CLAIM
{
    "Hardly": GENERAL,
    "In my run one try went": (
        round(100 * later["cold start"]["residents"][1][0]),
        round(100 * later["RL on the checker"]["residents"][1][0]),
        round(100 * later["cold start"]["residents"][32][0]),
    )
    == (64, 95, 98),
    "§ 3 says what was missing": [
        round(100 * lost[n]["parts"][-1]) for n in (3, 2)
    ]
    == [65, 72],
    "Fine-tuning on chains that the checker": (
        round(100 * practised["chosen"]["right"]),
        round(100 * practised["control"]["right"]),
    )
    == (94, 70),
    "Where the tries held nothing right": round(100 * later["RL on the checker"]["kinds"][32][0])
    == round(100 * later["cold start"]["kinds"][32][0]),
    "The gain on held-out kinds": lab.one_try(after["kinds"]) > lab.one_try(tried["kinds"]) + 0.1,
}

# %% [markdown]
# **2.** Name a task of your own in which a program can verify the answer, and write its checker in your mind. Which texts would you try on it before you train, and what would you watch during the run? Use your numbers from §§ 6, 11 and 14.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# My task is sums in words (§ 15), and I should try the texts of § 6: a list of all answers, the right answer inside the steps and a wrong one at the end, two answers, something behind the answer; and, so that nobody right is refused, a full stop, capitals, a line break. A checker in a hurry accepted all of the former, and 84 % of the cold start's wrong chains; with it as the reward nothing was learned: 98 % before, and my own checker accepts 61 %.
# During the run I should have a second, stricter checker look at some chains at each step, read samples, and count the right answers with a false statement: less than 1 % here, but the reward would never show it.
# ### END SOLUTION

# %%
# CLAIM
{
    "the texts of § 6": GENERAL,
    "A checker in a hurry accepted": judged["in a hurry"]["false accepts"] == 1
    and round(100 * judged["in a hurry"]["sampled wrong ones accepted"]) == 84
    and round(100 * hurried.history[0]["reward"]) == 98
    and round(100 * hacked["yours"]) == 61,
    "During the run I should have": GENERAL,
}

# %% [markdown]
# ## § 17 Hand in
#
# Your policy goes to the grader, who asks it fresh questions about residents of no training row: half a point from 90 % on, none at 65 %, a straight line between.

# %%
# LONG
figures = lab.figures_of(after, tax)
saved = save_stage("reasoning", rl_run.model, {**rl_run.record, "metrics": figures})

# %%
check("trained_reasoner")

# %% [markdown]
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), and run the cell. It packs the notebook and your policy into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
