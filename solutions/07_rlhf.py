# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 07 — RLHF: PPO and GRPO
#
# ```
#  raw text ──▶ base model ──▶ assistant ──▶ PREFERRED ──▶ safe ──▶ released
#  00, 01       02             03, 04, 05    06, ► 07 ◄,   10       11
#                                            08, 09
# ```
#
# **About 120 minutes · 11 points · a laptop is enough.** Your computer works alone for about nineteen of these minutes.
# At the end you have trained your assistant with PPO and with GRPO to please a reward model, you know how far each is from the best possible policy, and you have seen both go wrong.

# %% [markdown]
# > **After this lab you can**
# > - give each token its reward: the penalty for leaving the reference model, and the reward model's one word at the end,
# > - write GAE, PPO's clipped losses and GRPO's group advantage, and show that GRPO's are TRL's,
# > - place any policy on the plane of utility against KL, beside best-of-n and the frontier,
# > - find the point where a policy begins to please the reward model and nobody else,
# > - tell from the logs which choice makes a run collapse, and mend it.

# %%
# SETUP

# %%
import copy
import logging
import math
import time
import warnings
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 An assistant, and what people think of it
#
# We start with lab 03's assistant, which is now the **reference model** $\pi_\text{ref}$, and with lab 06's **reward model**, a guess at what people like. In the village we can also look at the truth: the **gold utility** that the simulated people have. In real life nobody has it. Here we *look* at it and train on the reward model, except in one place that says so.

# %%
# LONG
from course_lib.evaluation.alignment import gold_reward, measure, share, utilities
from course_lib.evaluation.frontier import frontier
from course_lib.evaluation.runs.rlhf import BETA_LEARNED, COLLAPSE, OVER_OPTIMISE, watched
from course_lib.stages import grpo as grpo_stage
from course_lib.stages import ppo as ppo_stage
from course_lib.stages.reward import rewards_of
from course_lib.stages.rollout import assistant, entropies, exact_kl, roll_out, token_logprobs
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, rlhf
from course_lib.world.annotators import TASTE, prompts

TINY = course.size == "tiny"
tokenizer = load_tokenizer()
reference = assistant(load_stage("sft").model).to(course.device).eval()
reward_model = load_stage("reward").model.to(course.device)
train_prompts, test_prompts = (
    prompts("train", 40 if TINY else 4000, "lab 07"),
    prompts("test", 6 if TINY else 100, "lab 07"),
)


def proxy(rows, answers):
    """The reward model's score of each answer to its prompt. Equal answers to the same prompt are scored once."""
    different = list({(id(row), answer): (row, answer) for row, answer in zip(rows, answers)}.values())
    scores = rewards_of(
        reward_model, tokenizer, [row["messages"] for row, _ in different], [answer for _, answer in different]
    )
    known = {(id(row), answer): score for (row, answer), score in zip(different, scores.tolist())}
    return torch.tensor([known[id(row), answer] for row, answer in zip(rows, answers)])


for kind in ("fact", "short", "unknown"):
    row = next(row for row in train_prompts if row["kind"] == kind)
    rolled = roll_out(reference, tokenizer, [row], 4, seed=1)
    print(f"» {row['messages'][-1]['content']}")
    for answer, score, worth in zip(
        rolled.answers, proxy(rolled.rows, rolled.answers), utilities(rolled.rows, rolled.answers)
    ):
        print(f"   reward model {score:5.2f} · gold {worth:5.2f} · {answer}")
    print()
print("gold utility of an answer: " + ", ".join(f"{weight:+g} {name}" for name, weight in TASTE.items()))

# %% [markdown]
# **What to notice.** One prompt, several answers, and people do not like all of them equally. Whatever we do in this lab only moves probability between answers that the reference model can already give.

# %% [markdown]
# ## § 2 The limit, and a simple way towards it
#
# How much can be won? A policy that goes away from $\pi_\text{ref}$ is measured by its distance, $\mathrm{KL}(\pi\,\|\,\pi_\text{ref})$ in nats an answer. For each distance one policy is best, $\pi^* \propto \pi_\text{ref} \cdot e^{u/\beta}$, and since we can sample $\pi_\text{ref}$ and know $u$, we know what it reaches. That line is the **frontier**.
#
# The simplest way towards it needs no training. **Best of n**: sample $n$ answers, let the scores choose one. If no two answers tie,
#
# $$\mathrm{KL} = \log n - \frac{n-1}{n}, \qquad \mathrm{E}[\text{worth}] = \sum_{i=0}^{K-1} \frac{\binom{i}{\,n-1\,}}{\binom{K}{n}}\; w_{(i)}$$
#
# - `scores`, `worth`: `[P K]`, $K$ sampled answers to each of $P$ prompts. The scores choose, the worth counts
# - $w_{(i)}$: the worth of the answer whose score has rank $i$ in its row; rank 0 has the lowest score
# - the weight is the chance that the best of $n$ different answers, drawn from the $K$, is that one. It is 0 for $i < n - 1$
# - return (KL, the mean over the prompts), two numbers
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>scores.argsort(1)</code> has the places from the lowest score to the highest; <code>worth.gather(1, order)</code> puts the worths in that order.</details>
# <details><summary>Hint 2</summary><code>math.comb</code> counts exactly, also numbers far larger than a float can be: divide one by the other first.</details>


# %%
# EXERCISE best_of_n
def best_of_n(scores: Float[Tensor, "P K"], worth: Float[Tensor, "P K"], n: int) -> tuple[float, float]:
    """(KL in nats, expected worth) of taking the answer with the best score among n of the K.

    Inputs:  scores: what chooses · worth: what counts · n: from 1 to K
    """
    ### BEGIN SOLUTION
    K = scores.shape[1]
    weights = torch.tensor([math.comb(i, n - 1) / math.comb(K, n) for i in range(K)], dtype=torch.float64)
    ranked = worth.gather(1, scores.argsort(1)).double()
    return math.log(n) - (n - 1) / n, float((ranked * weights).sum(1).mean())
    ### END SOLUTION


# %%
check("best_of_n")


# %%
# LONG
def their_best_of_n(scores, worth, n):
    from course_lib.evaluation.frontier import best_of_n, best_of_n_kl

    return best_of_n_kl(n), best_of_n(scores.numpy(), worth.numpy(), n)


def kl_with_ties(scores, n):
    """KL of best-of-n over the K sampled answers, equal ones taken together (n drawn with replacement), mean over the prompts."""
    total = 0.0
    for row in scores:
        p = row.unique(return_counts=True)[1].double() / len(row)
        below = p.cumsum(0)
        chosen = below**n - (below - p) ** n
        total += float(torch.xlogy(chosen, chosen / p).sum())
    return total / len(scores)


best = mine("best_of_n", globals(), their_best_of_n)
K = 16 if TINY else 128
rolled = roll_out(reference, tokenizer, test_prompts, K, seed=7)
worth = torch.tensor(utilities(rolled.rows, rolled.answers)).view(-1, K)
scores = proxy(rolled.rows, rolled.answers).view(-1, K)
limit, start = frontier(worth.numpy()), float(worth.mean())
sizes = [n for n in (1, 2, 4, 8, 16, 32) if n <= K]
print(
    f"{'n':>3}{'KL, formula':>14}{'KL, with ties':>15}{'utility, chosen by the reward model':>38}{'by the gold utility':>22}"
)
for n in sizes:
    print(
        f"{n:>3}{best(scores, worth, n)[0]:>14.2f}{kl_with_ties(scores, n):>15.2f}{best(scores, worth, n)[1]:>38.2f}{best(worth, worth, n)[1]:>22.2f}"
    )
tied = {
    "best of n, chosen by the reward model": [(kl_with_ties(scores, n), best(scores, worth, n)[1]) for n in sizes[1:]]
}
curve.show(
    rlhf.plane(
        limit,
        start,
        tied
        | {
            "best of n, chosen by the gold utility": [
                (kl_with_ties(worth, n), best(worth, worth, n)[1]) for n in sizes[1:]
            ]
        },
    )
)

# %% [markdown]
# **What to notice.** The formula is an upper bound: our model often gives the same answer twice, and then choosing moves less. Each answer costs $n$ samples, for ever; training pays once. And the two choosers stand on different lines: one of them only guesses.

# %% [markdown]
# ## § 3 A token is an action
#
# Reinforcement learning needs a reward for each action, here for each token. The reward model speaks **once**, at the last token of an answer. Every token pays for leaving the reference model:
#
# $$r_t = -\beta\,\big(\log \pi(a_t) - \log \pi_\text{ref}(a_t)\big) + [\,t = \text{last}\,] \cdot \text{score}$$
#
# - `scores`: `[B]` · `logprobs`, `reference`: `[B T]`, log-probabilities of the tokens that were chosen · `mask`: `[B T]`, True on the answer · `beta` $\beta$: the price of a nat → rewards `[B T]`
# - a row is *prompt, answer, padding*: the last token of the answer is the last True of its mask
# - 0 off the answer, whatever the inputs hold there. A token that $\pi$ likes *less* than $\pi_\text{ref}$ earns something
#
# Added up over an answer this is $\text{score} - \beta \log \frac{\pi(y)}{\pi_\text{ref}(y)}$, whose mean is $\mathrm{E}[\text{score}] - \beta\,\mathrm{KL}$. If the score were the gold utility, the best policy for it would be a point on the frontier.
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>First the penalty times the mask. Then add the score at one place of each row.</details>
# <details><summary>Hint 2</summary><code>(mask * torch.arange(T)).argmax(1)</code> is the place of the last True. <code>rewards[torch.arange(B), last] += scores</code> adds to one place of each row.</details>


# %%
# EXERCISE kl_penalty
def kl_penalty(
    scores: Float[Tensor, " B"],
    logprobs: Float[Tensor, "B T"],
    reference: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    beta: float,
) -> Float[Tensor, "B T"]:
    """The reward of each token: −β (log π − log π_ref), and the score added at the last token of the answer.

    Inputs:  scores: the reward model's, one an answer · logprobs, reference: log π and log π_ref of the chosen tokens
             mask: True on the answer's tokens, at least one a row · beta: the price of a nat
    Returns: rewards, 0 off the answer
    """
    ### BEGIN SOLUTION
    rewards = -beta * (logprobs - reference) * mask
    last = (mask * torch.arange(mask.shape[1])).argmax(1)
    rewards[torch.arange(len(scores)), last] += scores
    return rewards
    ### END SOLUTION


# %%
check("kl_penalty")

# %% [markdown]
# ## § 4 Three ways to estimate a KL
#
# The KL of two language models is a sum over all answers, so it is estimated from samples of $\pi$. With $\rho = \pi_\text{ref} / \pi$ at a sampled token (Schulman 2020):
#
# $$k_1 = -\log \rho, \qquad k_2 = \tfrac12 (\log \rho)^2, \qquad k_3 = \rho - 1 - \log \rho$$
#
# At each token we can also add up the whole vocabulary, which is exact. **Predict first:** which estimator is biased, which can be negative, and which varies least? Is that still so far from the reference?


# %%
# LONG
def moved(strength, seed=0):
    """The reference with its weights shaken: a policy somewhere else."""
    policy, generator = copy.deepcopy(reference), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in policy.parameters():
            weight += (
                strength * weight.std() * torch.randn(weight.shape, generator=generator).to(weight.device)
                if weight.dim() == 2
                else 0
            )
    return policy


for name, strength in (("near", 0.05), ("far", 0.12)):
    policy = moved(strength)
    sampled = roll_out(policy, tokenizer, test_prompts, 2 if TINY else 16, seed=3)
    with torch.no_grad():
        log_ratio = (
            token_logprobs(reference, sampled.ids, sampled.mask) - token_logprobs(policy, sampled.ids, sampled.mask)
        )[sampled.mask]
    exact = exact_kl(policy, reference, sampled.ids, sampled.mask).sum() / sampled.mask.sum()
    print(f"{name}: the exact KL is {exact:.4f} nats a token, over {len(log_ratio):,} tokens")
    for label, k in (("k1", -log_ratio), ("k2", log_ratio**2 / 2), ("k3", log_ratio.exp() - 1 - log_ratio)):
        print(
            f"   {label}: mean {k.mean():.4f} ± {k.std() / len(k) ** 0.5:.4f}, off by {100 * (k.mean() / exact - 1):+.0f} %, standard deviation {k.std():.3f}, smallest {round(k.min().item(), 2) + 0.0:.2f}"
        )

# %% [markdown]
# **What to notice.** Compare the error of each mean with its ±: a bias does not go away with more samples, noise does. $k_3$ is never negative. It is unbiased, but a heavy tail fools its ±: the rare huge $\rho$ that belongs to the mean may not be in the sample. Its spread depends on how far away the policy is: where $\pi$ is small and $\pi_\text{ref}$ is not, $\rho$ is huge.
#
# A good estimator of a number need not have the right **gradient**. Take one distribution $p$ with a reference $q$, and average the gradient of $k_1$ and $k_3$ over samples of $p$ (the samples themselves fixed, as in a loss). Which KL does each descend?

# %%
# LONG
logits, log_q = (
    torch.randn(6, generator=torch.Generator().manual_seed(1)).double().requires_grad_(),
    torch.log_softmax(torch.arange(6.0).double(), 0),
)
log_p = torch.log_softmax(logits, 0)
p = log_p.exp().detach()
slope = lambda loss: torch.autograd.grad(loss, logits, retain_graph=True)[0]
ways = {
    "reverse KL(p‖q), exact": (log_p.exp() * (log_p - log_q)).sum(),
    "forward KL(q‖p), exact": (log_q.exp() * (log_q - log_p)).sum(),
    "k1 in the loss, mean over samples of p": (p * (log_p - log_q)).sum(),
    "k3 in the loss, mean over samples of p": (p * ((log_q - log_p).exp() - 1 - (log_q - log_p))).sum(),
    "k1 as a reward: k1 (fixed) · log p": (p * (log_p - log_q).detach() * log_p).sum(),
}
for name, loss in ways.items():
    print(f"{name:<42}" + "".join(f"{round(g, 3) + 0.0:8.3f}" for g in slope(loss).tolist()))

# %% [markdown]
# **What to notice.** As a term of the loss, $k_1$ has no gradient at all and $k_3$ has that of the *forward* KL. Only as a reward, as in § 3, does the penalty pull along the KL that we measure. We shall see in § 11 what that costs.

# %% [markdown]
# ## § 5 Which token was it?
#
# An answer got a good score: which of its tokens deserves the credit? A **critic** $V_t$ predicts, before token $t$ is chosen, the reward still to come. The surprise of one step is $\delta$, and the **advantage** adds up later surprises, ever less of them (GAE, Schulman et al. 2016):
#
# $$\delta_t = r_t + \gamma V_{t+1} - V_t, \qquad A_t = \sum_{k \ge 0} (\gamma\lambda)^k\, \delta_{t+k} = \delta_t + \gamma\lambda\, A_{t+1}, \qquad R_t = A_t + V_t$$
#
# - `rewards`, `values`: `[B T]` · `mask`: `[B T]`, True on the answer, whose tokens stand next to each other → `advantages`, `returns` $R$: `[B T]`, both 0 off the answer
# - after the last token of the answer nothing comes: $V = 0$ and $A = 0$ there. Prompt and padding hold numbers too, and none of them may get in
# - $\lambda = 1$: what really came, minus what was expected. $\lambda = 0$: one step, then trust the critic
#
# > Difficulty: ●●●●○ (4 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 15
#
# <details><summary>Hint 1</summary>Go from the last column to the first, and carry two columns along: the advantage and the value of the token to the right.</details>
# <details><summary>Hint 2</summary><code>torch.where(mask[:, t], new, 0 * new)</code> sets what is carried back to 0 wherever the mask is False.</details>
# <details><summary>Hint 3</summary>The value that you carry to the left has to be masked as well: the padding's value is not 0.</details>


# %%
# EXERCISE gae
def gae(
    rewards: Float[Tensor, "B T"], values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], gamma: float, lam: float
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """(advantages, returns) of each token by generalised advantage estimation.

    Inputs:  rewards, values: r and V of each token · mask: True on the answer · gamma, lam: γ and λ
    Returns: A and A + V, both 0 off the answer
    """
    ### BEGIN SOLUTION
    advantages = torch.zeros_like(rewards)
    ahead = value_after = rewards.new_zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * value_after - values[:, t]
        ahead = torch.where(mask[:, t], delta + gamma * lam * ahead, 0.0)
        value_after = torch.where(mask[:, t], values[:, t], 0.0)
        advantages[:, t] = ahead
    return advantages, torch.where(mask, advantages + values, 0.0)
    ### END SOLUTION


# %%
check("gae")

# %% [markdown]
# What is λ good for? A game whose true values are known: 20 steps, noisy rewards, and a critic that is a little wrong at every step. The right advantage of the first step is 0. **Predict first:** which λ errs least?

# %%
# LONG
estimate = mine("gae", globals(), ppo_stage.gae)
generator = torch.Generator().manual_seed(0)
games, steps = 4000, 20
everywhere = torch.ones(games, steps, dtype=torch.bool)
true_values = (0.1 * torch.arange(steps, 0, -1)).repeat(games, 1)
luck = 0.1 * torch.randn(games, steps, generator=generator)
error = 0.5 * torch.randn(games, steps, generator=generator) * (torch.arange(steps) > 0)
print("root mean square error of the first step's advantage")
print(f"{'λ':<6}{'from luck alone':>17}{'from the critic alone':>24}{'from both':>12}")
for lam in (0.0, 0.5, 0.8, 0.9, 0.95, 1.0):
    first = lambda noise, wrong: (
        estimate(0.1 + noise, true_values + wrong, everywhere, 1.0, lam)[0][:, 0].square().mean().sqrt().item()
    )
    print(f"{lam:<6}{first(luck, 0 * error):>17.3f}{first(0 * luck, error):>24.3f}{first(luck, error):>12.3f}")

# %% [markdown]
# **What to notice.** A small λ trusts the critic, mistakes and all; λ = 1 does not need it, and lets in the luck of all later steps. Between the two is a λ that errs least, and it depends on how good the critic is.

# %% [markdown]
# ## § 6 Small steps
#
# Sampling is dear, so PPO takes several steps of the optimiser on one batch. By the second step the policy is no longer the one that sampled. The ratio $r_t = \pi(a_t) / \pi_\text{old}(a_t)$ corrects for that, and **clipping** takes away the reward for going further than $\pm\epsilon$ (Schulman et al. 2017):
#
# $$L = -\frac{1}{\sum \text{mask}} \sum_{\text{answer tokens}} \min\big(r_t A_t,\; \mathrm{clip}(r_t,\, 1-\epsilon,\, 1+\epsilon)\, A_t\big)$$
#
# - `logprobs`, `old`: `[B T]`, $\log \pi$ now and when sampled · `advantages`: `[B T]` · `mask`: `[B T]` · `clip` $\epsilon$ → loss `[]`
# - a mean over **all tokens of the batch**, so a long answer counts more than a short one
# - only the minimum of the two is cautious: it never hides that a step was bad. Only logarithms are safe: a probability can be $e^{-200}$
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>The ratio is <code>(logprobs - old).exp()</code>: the difference first.</details>
# <details><summary>Hint 2</summary><code>torch.minimum(a, b)</code> goes token by token. Sum over the mask, divide by <code>mask.sum()</code>.</details>


# %%
# EXERCISE clipped_policy_loss
def clipped_policy_loss(
    logprobs: Float[Tensor, "B T"],
    old: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float,
) -> Float[Tensor, ""]:
    """PPO's loss: −min(ratio · A, clip(ratio) · A), mean over the tokens of all answers.

    Inputs:  logprobs, old: log π of the chosen tokens, now and when they were sampled · advantages: A
             mask: True on the answers · clip: ε
    Returns: a scalar with a gradient to logprobs
    """
    ### BEGIN SOLUTION
    ratio = (logprobs - old).exp()
    cautious = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -(cautious * mask).sum() / mask.sum()
    ### END SOLUTION


# %%
check("clipped_policy_loss")

# %% [markdown]
# Where does it still pull? The gradient for one token with a good and with a bad advantage, against the ratio. **Predict first:** a token with $A < 0$ whose ratio has risen to 1.5: is it clipped?

# %%
# LONG
policy_loss = mine("clipped_policy_loss", globals(), ppo_stage.policy_loss)
print("ratio    " + "".join(f"{r:>8.2f}" for r in (0.5, 0.75, 0.85, 1.0, 1.15, 1.25, 1.5)))
for A in (1.0, -1.0):
    pulls = []
    for r in (0.5, 0.75, 0.85, 1.0, 1.15, 1.25, 1.5):
        leaf = torch.tensor([[math.log(r)]], requires_grad=True)
        (pull,) = torch.autograd.grad(
            policy_loss(leaf, torch.zeros(1, 1), torch.full((1, 1), A), torch.ones(1, 1, dtype=torch.bool), 0.2), leaf
        )
        pulls.append(0.0 - pull.item())
    print(f"A = {A:+.0f}   " + "".join(f"{pull:>8.2f}" for pull in pulls))

# %% [markdown]
# **What to notice.** At ratio 1 the pull is $A$ itself, the plain policy gradient. Each row has zeros on one side only: where the policy has already gone far in the direction that $A$ asked for.

# %% [markdown]
# ## § 7 The critic
#
# The critic is a second head on the policy's own body. It learns the returns, and is held back like the policy: moving away from its old value by more than ε brings nothing.
#
# $$L_V = \frac{1}{\sum \text{mask}} \sum_{\text{answer tokens}} \tfrac12 \max\big((V_t - R_t)^2,\; (V^\text{clip}_t - R_t)^2\big), \qquad V^\text{clip}_t = V^\text{old}_t + \mathrm{clip}(V_t - V^\text{old}_t,\, -\epsilon,\, \epsilon)$$
#
# - `values`, `old`: `[B T]`, V now and when sampled · `returns`: `[B T]` · `mask`, `clip` as before → loss `[]`
# - the **larger** error counts, for the same reason as the minimum above
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary>Two tensors of squared errors, <code>torch.maximum</code>, then the same mean as in § 6, and the ½.</details>


# %%
# EXERCISE clipped_value_loss
def clipped_value_loss(
    values: Float[Tensor, "B T"],
    old: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float,
) -> Float[Tensor, ""]:
    """½ · the larger of the squared errors of V and of V clipped around its old value, mean over the tokens of all answers.

    Inputs:  values, old: V now and when sampled · returns: what they should be · mask: True on the answers · clip: ε
    Returns: a scalar with a gradient to values
    """
    ### BEGIN SOLUTION
    near = old + (values - old).clamp(-clip, clip)
    worse = torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    return 0.5 * (worse * mask).sum() / mask.sum()
    ### END SOLUTION


# %%
check("clipped_value_loss")

# %% [markdown]
# ## § 8 PPO
#
# All parts are there. One step: sample 8 answers to each of 32 prompts, score them, give each token its reward and its advantage, then make a few small updates. `course_lib/stages/ppo.py` has the loop on one screen; it runs with **your** four functions. β is the price of a nat. The reward model counts in logits, about one and a half to a unit of utility, so β = 0.5 asks a third of a unit for a nat.
#
# **Predict first:** how much of the frontier's gain will it reach at its KL? And what will happen to the length?
#
# The picture also shows the gold utility of the sampled answers. It is only looked at. You can stop the cell and run it again: it goes on from its checkpoint.

# %%
# LONG
ppo_config = replace(ppo_stage.PRESETS[course.size], beta=BETA_LEARNED)


def anywhere(f):
    """f on tensors of any device: what you write makes its tensors on the CPU."""
    back = lambda made: [back(part) for part in made] if isinstance(made, (tuple, list)) else made.to(course.device)
    return (
        f if course.device == "cpu" else lambda *args: back(f(*(a.cpu() if isinstance(a, Tensor) else a for a in args)))
    )


parts = {
    "kl_penalised": anywhere(mine("kl_penalty", globals(), ppo_stage.kl_penalised)),
    "gae": anywhere(estimate),
    "policy_loss": anywhere(policy_loss),
    "value_loss": anywhere(mine("clipped_value_loss", globals(), ppo_stage.value_loss)),
}


def train(title, algorithm, reward, config, **options):
    """(run, its history with the gold utility of the sampled answers as "gold"): `algorithm` is ppo or grpo."""
    gold = []  # `watched` notes it beside the training, which never sees it
    known = lambda history: (
        len(history) - len(gold)
    )  # a run that goes on from its checkpoint has steps that were not watched
    beside = lambda history: (
        history[: known(history)] + [{**row, "gold": worth} for row, worth in zip(history[known(history) :], gold)]
    )
    live = rlhf.LiveRun(title)
    run = algorithm(
        watched(reward, gold),
        train_prompts,
        config,
        base=reference,
        on_step=lambda history: live(beside(history)),
        progress=False,
        **options,
    )
    live.close()
    last = run.history[-1]
    print(
        f"{title}: {len(run.history)} steps in {last['seconds']:.0f} s, reward {run.history[0]['reward']:.2f} → {last['reward']:.2f}, KL {last['kl']:.2f} nats an answer"
    )
    return run, beside(run.history)


ppo_run, ppo_history = train("PPO", ppo_stage.ppo, proxy, ppo_config, out=course.work / f"ppo_{course.size}", **parts)

# %%
# LONG
results = {}


def look(name, policy):
    """Measure a policy on the test prompts and add it to the table."""
    results[name] = measure(policy, reference, test_prompts, each=2 if TINY else 8, seed=11, reward=proxy)


def table(names=None):
    """Utility, KL, share of the frontier's gain at that KL, the reward model's mean score, and tokens an answer."""
    print(f"{'':<26}{'utility':>9}{'± error':>9}{'KL':>9}{'of the frontier':>17}{'reward model':>14}{'tokens':>8}")
    for name in names or results:
        row = results[name]
        reached = f"{100 * share(row, worth.numpy()):.0f} %" if row["kl"] > 0.01 else "–"
        print(
            f"{name:<26}{row['utility']:>9.2f}{row['error']:>9.2f}{row['kl']:>9.2f}{reached:>17}{row['reward']:>14.2f}{row['length']:>8.1f}"
        )


def habits(names):
    """What the answers to questions after a fact are like: means of what the gold utility looks at, its weights in the last line."""
    print(f"{'':<26}" + "".join(f"{key:>10}" for key in TASTE))
    for name in names:
        print(f"{name:<26}" + "".join(f"{results[name]['features'][key]:>10.2f}" for key in TASTE))
    print(f"{'worth, each':<26}" + "".join(f"{weight:>+10.1f}" for weight in TASTE.values()))


look("reference model", reference)
look("PPO", ppo_run.model)
table()
print()
habits(results)
row = next(row for row in test_prompts if row["kind"] == "fact")
print(f"\n» {row['messages'][-1]['content']}")
for name, policy in (("reference model", reference), ("PPO", ppo_run.model)):
    for answer in roll_out(policy, tokenizer, [row], 3, seed=5).answers:
        print(f"   {name:<16} {answer}")

# %% [markdown]
# **What to notice.** The second table says what the policy has learned to do. In the first, "utility" and "reward model" are means over the same answers, and only the second was trained on.

# %% [markdown]
# Where in an answer does PPO see the credit? One answer of the trained policy, each token coloured by what it is paid: the price of leaving the reference model, and the score at the last token. The buttons show the other numbers, advantage and critic among them.

# %%
# LONG
from course_lib.widgets import heatmap

talk = row["messages"] + [
    {"role": "assistant", "content": roll_out(ppo_run.model, tokenizer, [row], 1, seed=5).answers[0]}
]
heat = heatmap.show(*heatmap.per_token(ppo_run.model, tokenizer, talk, reference, proxy, ppo_config.beta), "reward")

# %% [markdown]
# **What to notice.** The score stands at the last token alone. Before it something is paid only where policy and reference differ: *pleas* has become four times as likely (log-ratio 1.36) and costs 0.68. Most tokens cost nothing, for once a word has begun both models are sure of its end.
# Now choose *advantage*: the critic has spread the one score over the tokens that were real choices, and over others, as far as it errs.

# %% [markdown]
# ## § 9 The group is the critic
#
# PPO carries a critic that has to be trained. GRPO (Shao et al. 2024) samples a **group** of $G$ answers to each prompt and compares each with its own group:
#
# $$A_{pg} = \frac{r_{pg} - \mathrm{mean}_g(r_{p\cdot})}{\mathrm{std}_g(r_{p\cdot}) + 10^{-4}}$$
#
# - `rewards`: `[P G]`, a row for each prompt → advantages `[P G]`; every token of an answer gets its answer's advantage
# - the standard deviation has $G - 1$ in it, as `torch.std` has. With `scale=False` it is left out: the difference alone
# - if all rewards of a group tie, its advantages are 0, not 0/0
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>rewards.mean(1, keepdim=True)</code> keeps an axis of length 1, so that it can be subtracted from each row.</details>


# %%
# EXERCISE group_advantages
def group_advantages(rewards: Float[Tensor, "P G"], scale: bool) -> Float[Tensor, "P G"]:
    """Each reward against its own group: minus the mean and, with scale, over the standard deviation + 1e-4.

    Inputs:  rewards: G answers to each of P prompts · scale: divide by the deviation or not
    """
    ### BEGIN SOLUTION
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True) + 1e-4) if scale else centred
    ### END SOLUTION


# %%
check("group_advantages")

# %% [markdown]
# What goes wrong when rewards tie? A tied group costs $G$ samples and teaches nothing. A *nearly* tied one is worse, if it is scaled:

# %%
# LONG
advantages_of = mine("group_advantages", globals(), grpo_stage.group_advantages)
groups = {
    "all tied": [1.0, 1.0, 1.0, 1.0],
    "a clear winner": [0.0, 0.0, 0.0, 4.0],
    "nearly tied": [1.0, 1.0, 1.0, 1.02],
}
print(f"{'':<18}{'rewards':<28}{'scaled':<34}not scaled")
for name, group in groups.items():
    rows = [advantages_of(torch.tensor([group]), scale)[0] for scale in (True, False)]
    print(
        f"{name:<18}{str(group):<28}" + "".join("  ".join(f"{x:6.3f}" for x in row.tolist()).ljust(34) for row in rows)
    )
step = roll_out(reference, tokenizer, train_prompts[: 8 if TINY else 64], 8, seed=2)
spread = proxy(step.rows, step.answers).view(-1, 8).std(1)
print(
    f"\nthe reference model, {len(spread)} groups of 8: {100 * (spread < 1e-6).float().mean():.0f} % tied, {100 * ((spread >= 1e-6) & (spread < 0.1)).float().mean():.0f} % nearly (deviation under 0.1)"
)

# %% [markdown]
# **What to notice.** Scaled, a difference of 0.02 is worth as much as one of 4. So the reward model's rounding noise on an easy prompt pulls as hard as a real mistake on another one.
#
# From scratch first, the library second: TRL's `GRPOTrainer` on the same reward. We look over its shoulder and compute advantages and loss of each of its batches ourselves.

# %%
# LONG
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets
        import transformers
        import trl

        from course_lib.stages.model import to_transformers
        from course_lib.stages.sft import to_transformers_chat

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    BETA, given, apart = 0.1, [], []

    def their_reward(prompts, completions, **_):
        given.append(
            rewards_of(reward_model, tokenizer, prompts, [completion[0]["content"] for completion in completions])
        )
        return given[-1].tolist()

    class Watched(trl.GRPOTrainer):
        def _compute_loss(self, model, inputs):
            theirs = super()._compute_loss(model, inputs)
            ids, real = (
                torch.cat((inputs[f"prompt_{key}"], inputs[f"completion_{key}"]), 1).cpu() for key in ("ids", "mask")
            )
            width = inputs["prompt_ids"].shape[1]
            answer = real.bool() & (torch.arange(ids.shape[1]) >= width)
            logits = (
                model(input_ids=ids.to(model.device), attention_mask=real.to(model.device)).logits[:, :-1].float().cpu()
            )
            logprobs = F.pad(torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0], (1, 0))
            old, ref = (F.pad(inputs[f"{key}_per_token_logps"].cpu(), (width, 0)) for key in ("old", "ref"))
            loss, _ = grpo_stage.grpo_loss(logprobs, old, ref, inputs["advantages"].cpu(), answer, 0.2, BETA)
            ours = (
                advantages_of(given[-1].view(-1, 8), True).flatten().sort().values
            )  # sorted: TRL has shuffled the batch meanwhile
            apart.append(
                (
                    abs(loss.item() - theirs.item()),
                    (ours - inputs["advantages"].cpu().sort().values).abs().max().item(),
                    (logprobs - old)[answer].abs().max().item(),
                )
            )
            return theirs

    folder = course.work / "trl_policy"  # TRL reads its reference model from the folder that the policy came from
    to_transformers(reference).save_pretrained(folder)
    config = trl.GRPOConfig(
        output_dir=str(course.work / "trl"), num_generations=8, per_device_train_batch_size=16, num_iterations=2, max_steps=4, max_completion_length=48, learning_rate=1e-4,
        beta=BETA, loss_type="grpo", scale_rewards="group", epsilon=0.2, use_bias_correction_kl=False,
        report_to="none", save_strategy="no", use_cpu=not torch.cuda.is_available(), bf16=False, disable_tqdm=True, log_level="error", activation_checkpointing=False,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Watched(
            model=transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), reward_funcs=[their_reward], args=config,
            train_dataset=datasets.Dataset.from_list([{"prompt": row["messages"]} for row in train_prompts[:16]]), processing_class=to_transformers_chat(tokenizer),
        )  # fmt: skip
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    for step, (loss, group, ratio) in enumerate(apart):
        print(f"step {step}: losses differ by {loss:.1e}, advantages by {group:.1e}; largest log ratio {ratio:.2f}")
    assert max(max(row[:2]) for row in apart) < 1e-5
except ImportError as error:
    print(f"{error.name} is not installed here, so this comparison is left out.")

# %% [markdown]
# **What to notice.** In every second step the ratio is not 1: the same batch is used twice. TRL's own default (`use_bias_correction_kl=True`) multiplies $k_3$ by the ratio; that mends its gradient, which was § 4's finding.

# %% [markdown]
# ## § 10 GRPO
#
# The same reward model, no critic. Twice: with the KL as a part of the reward, and as $k_3$ in the loss, as in the paper. **Predict first:** which of the two will be nearer to the frontier at its KL?

# %%
# LONG
grpo_config = replace(grpo_stage.PRESETS[course.size], beta=BETA_LEARNED)
grpo_run, grpo_history = train(
    "GRPO, KL in the reward",
    grpo_stage.grpo,
    proxy,
    grpo_config,
    out=course.work / f"grpo_{course.size}",
    group_advantages=anywhere(advantages_of),
)
k3_run, k3_history = train(
    "GRPO, k3 in the loss",
    grpo_stage.grpo,
    proxy,
    replace(grpo_config, kl_in_reward=False),
    out=course.work / f"grpo_k3_{course.size}",
    group_advantages=anywhere(advantages_of),
)

# %% [markdown]
# ## § 11 All on one plane
#
# For comparison, and **only here**, one run is trained on the gold utility itself. It shows what the algorithm can do alone, without the reward model's mistakes. Nobody could do that in real life.

# %%
# LONG
gold_run, _ = train(
    "GRPO, trained on the GOLD utility",
    grpo_stage.grpo,
    gold_reward,
    grpo_stage.PRESETS[course.size],
    out=course.work / f"grpo_gold_{course.size}",
    group_advantages=anywhere(advantages_of),
)
for name, run in (
    ("GRPO, KL in the reward", grpo_run),
    ("GRPO, k3 in the loss", k3_run),
    ("GRPO, trained on the gold", gold_run),
):
    look(name, run.model)
table()
points = {name: [(row["kl"], row["utility"])] for name, row in results.items() if name != "reference model"}
curve.show(rlhf.plane(limit, start, tied | points))

# %% [markdown]
# **What to notice.** A mark's height alone says little: with more KL everybody gets more. Compare each mark with the line above it. The GRPO that was trained on the gold shows what the algorithm alone leaves undone, the other one what the reward model's mistakes cost.

# %% [markdown]
# ## § 12 Where the gold turns
#
# Now without the penalty: β = 0. The reward model is only a guess, and the policy will find where it guesses too high. **Predict first:** will the gold utility rise to the end, stop, or fall? And what will the answers look like?

# %%
# LONG
FREE = replace(grpo_config, **(OVER_OPTIMISE if not TINY else {**OVER_OPTIMISE, "steps": 3}))
free_run, free_history = train(
    "GRPO, no penalty", grpo_stage.grpo, proxy, FREE, group_advantages=anywhere(advantages_of)
)
look("GRPO, no penalty", free_run.model)

# %% [markdown]
# At which step did the policy stop serving people? The measurements are noisy, so a single best one says nothing.
#
# - smooth both curves: each point becomes the mean of the `window` measurements around it (`window // 2` on each side; at the ends those that are there)
# - the **turning point** is the step at which the smoothed gold utility is highest (the first, if several tie)
# - it is one only if the smoothed gold at the end is lower by more than `fall`, *and* the smoothed proxy is higher at the end than there. Otherwise `None`: a run that still rises, or one that fell apart altogether
# - `steps`, `proxy`, `gold`: lists of the same length → one of `steps`, or `None`. Of no measurements: `None`
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>Write a small function that smooths a list; <code>x[max(0, i - h) : i + h + 1]</code> is the window around i.</details>
# <details><summary>Hint 2</summary>Of the gold take the highest smoothed point; of the proxy only compare two points.</details>


# %%
# EXERCISE turning_point
def turning_point(steps: list[int], proxy: list[float], gold: list[float], window: int, fall: float) -> int | None:
    """The step at which the smoothed gold utility is highest, if it falls afterwards while the proxy still climbs.

    Inputs:  steps, proxy, gold: one entry a measurement · window: how many are averaged, odd · fall: what counts as a fall
    Returns: one of steps, or None
    """
    ### BEGIN SOLUTION
    if not steps:
        return None
    h = window // 2
    smooth = lambda x: [sum(part) / len(part) for part in (x[max(0, i - h) : i + h + 1] for i in range(len(x)))]
    climbing, true = smooth(proxy), smooth(gold)
    at = true.index(max(true))
    return steps[at] if true[at] - true[-1] > fall and climbing[-1] > climbing[at] else None
    ### END SOLUTION


# %%
check("turning_point")


# %%
# LONG
def their_turning_point(steps, proxy, gold, window, fall):
    mean = lambda x: np.array([np.mean(x[max(0, i - window // 2) : i + window // 2 + 1]) for i in range(len(x))])
    if not len(steps):
        return None
    p, g = mean(proxy), mean(gold)
    return steps[int(g.argmax())] if g.max() - g[-1] > fall and p[-1] > p[g.argmax()] else None


turn_of = mine("turning_point", globals(), their_turning_point)
track = {key: [row[key] for row in free_history] for key in ("step", "reward", "gold", "kl")}
turn = turn_of(track["step"], track["reward"], track["gold"], 7, 0.1)
if turn is None:
    print("no turning point in this run")
else:
    print(f"turning point: step {turn} of {len(free_history)}, at a KL of {track['kl'][turn]:.1f} nats an answer")
curve.show(rlhf.overoptimisation(track["step"], track["reward"], track["gold"], turn))
table(["reference model", "GRPO, KL in the reward", "GRPO, no penalty"])
print()
habits(["reference model", "GRPO, KL in the reward", "GRPO, no penalty"])
row = next(row for row in test_prompts if row["kind"] == "fact")
print(f"\n» {row['messages'][-1]['content']}")
for answer in roll_out(free_run.model, tokenizer, [row], 4, seed=5).answers:
    print(f"   {answer}")

# %% [markdown]
# **What to notice.** Read the answers, then the second table: what does the reward model pay for that people do not want? Only the gold curve shows the turn, and in real life it is not there. What is there is the KL.

# %% [markdown]
# ## § 13 A collapse, from its logs
#
# Another way to fail. This recipe is put together from choices that each look reasonable. **Predict first:** which of the logged numbers will be the first to look wrong? Will the reward be one of them?

# %%
# LONG
BAD = replace(grpo_config, **(COLLAPSE if not TINY else {**COLLAPSE, "steps": 3}))
bad_run, bad_history = train(
    "GRPO, a bad recipe", grpo_stage.grpo, proxy, BAD, group_advantages=anywhere(advantages_of)
)
for name in ("beta", "learning_rate", "epochs", "clip", "scale"):
    print(f"{name:<15}{getattr(grpo_config, name)!s:>12} in § 10{getattr(BAD, name)!s:>14} in § 13")
look("GRPO, a bad recipe", bad_run.model)

# %% [markdown]
# Nobody watches all curves of a run all night. **Alarms** do: each has a number of the log, a side and a bound, and it goes off at the first row at which the mean of the last `window` rows is beyond the bound. What went off first is nearest to the cause.
#
# - `history`: list of rows, each a dict of numbers · `alarms`: `{"entropy": ["below", 0.05], "kl": ["above", 5.0], …}`: the name of a number, its side and its bound
# - return the names of the alarms that went off, in the order in which they did; at the same row in the order of `alarms`. `[]` for a healthy run
# - only whole windows: the first mean is that of the first `window` rows. Beyond is > or <, never equal. An alarm that came back later has gone off all the same
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>For each alarm find the first row k ≥ window − 1 whose mean of <code>history[k - window + 1 : k + 1]</code> is beyond.</details>
# <details><summary>Hint 2</summary>Keep {name: k}. <code>sorted</code> keeps the order of equals.</details>


# %%
# EXERCISE diagnose
def diagnose(history: list[dict], alarms: dict[str, list], window: int) -> list[str]:
    """Names of the alarms that went off, the first one first.

    Inputs:  history: rows of numbers · alarms: {name: ["above" or "below", bound]} · window: rows that are averaged
    """
    ### BEGIN SOLUTION
    off = {}
    for name, (side, bound) in alarms.items():
        for k in range(window - 1, len(history)):
            mean = sum(row[name] for row in history[k - window + 1 : k + 1]) / window
            if mean > bound if side == "above" else mean < bound:
                off[name] = k
                break
    return sorted(off, key=off.get)
    ### END SOLUTION


# %%
check("diagnose")


# %%
# LONG
def their_diagnose(history, alarms, window):
    found = []
    for end in range(window, len(history) + 1):
        means = {name: np.mean([row[name] for row in history[end - window : end]]) for name in alarms}
        found += [
            name
            for name, (side, bound) in alarms.items()
            if name not in found and (means[name] > bound if side == "above" else means[name] < bound)
        ]
    return found


alarms_of = mine("diagnose", globals(), their_diagnose)
first = grpo_history[0]
ALARMS = {
    "reward": ["below", first["reward"] - 0.5],
    "length": ["above", 3 * first["length"]],
    "tied": ["above", 0.8],
    "entropy": ["below", 0.5 * first["entropy"]],
    "kl": ["above", 10.0],
}
WINDOW = 2 if TINY else 3
for name, history in (
    ("PPO", ppo_history),
    ("GRPO, KL in the reward", grpo_history),
    ("GRPO, no penalty", free_history),
    ("GRPO, a bad recipe", bad_history),
):
    print(f"{name:<24} alarms, the first one first: {', '.join(alarms_of(history, ALARMS, WINDOW)) or 'none'}")
print("\n" + f"{'step':>4}" + "".join(f"{key:>10}" for key in ALARMS) + "   a sample")
for row in bad_history[:: max(1, len(bad_history) // 8)]:
    print(
        f"{row['step']:>4}" + "".join(f"{row[key]:>10.2f}" for key in ALARMS) + f"   {rlhf.clipped(row['sample'], 44)}"
    )

# %% [markdown]
# Now cure it. Change as little as you can: which of the choices would you take back? Ours is one guess; try another.

# %%
# LONG
CURE = dict(learning_rate=grpo_config.learning_rate, clip=grpo_config.clip)
cured_run, cured_history = train(
    "GRPO, cured", grpo_stage.grpo, proxy, replace(BAD, **CURE), group_advantages=anywhere(advantages_of)
)
print(f"alarms: {', '.join(alarms_of(cured_history, ALARMS, WINDOW)) or 'none'}")
look("GRPO, cured", cured_run.model)
table(["reference model", "GRPO, no penalty", "GRPO, a bad recipe", "GRPO, cured"])

# %% [markdown]
# **What to notice.** The order of the alarms is a story: look which of them the sample texts bear out. The reward model's own number is in the table, too. A cure that ends the collapse need not end the over-optimisation of § 12: these are two diseases.

# %% [markdown]
# ## § 14 Change one thing
#
# PPO again, a short run, with one difference. Choose it, **write down what you expect**, then run. Other changes to try: `lam=0.0`, `clip=10.0`, `epochs=8`, `value_rate=1.0`, `kl_target=3.0` (β then adapts itself to it).

# %%
# LONG
SHORT = replace(ppo_config, steps=max(3, ppo_config.steps // 4))
CHANGE = dict(lam=0.0)
MY_PREDICTION = "one step of trust in a critic that knows nothing yet: slower at first, a little lower at the end"

print(f"I predicted: {MY_PREDICTION}")
for name, config in (("short, as before", SHORT), ("short, changed", replace(SHORT, **CHANGE))):
    run, _ = train(f"PPO, {name}", ppo_stage.ppo, proxy, config, **parts)
    look(f"PPO, {name}", run.model)
table(["reference model", "PPO", "PPO, short, as before", "PPO, short, changed"])

# %% [markdown]
# ## § 15 A real model
#
# Optional. GRPO on SmolLM2-135M-Instruct (Hugging Face, Apache 2.0), through small trained matrices beside its frozen weights (LoRA, lab 04). The reward is no model but a **rule**: 1, less 0.05 for each word and 0.25 for each hedge (*perhaps*, *usually*, *it depends*). The rule does not look whether an answer is right.
# Penalty, group advantage and clipped loss are **your** functions. Forty everyday questions teach, twenty others examine. It takes five minutes of one core and 3.6 GB of memory.
#
# **Predict first:** how will the answers to questions that it was not trained on change? Will they still be right as often?

# %%
# LONG
MY_GUESS = "half as long, and as often right"

from course_lib.evaluation.intervals import wilson
from course_lib.stages import lora, real_training
from course_lib.stages.real import NOT_HERE, smollm2
from course_lib.widgets.columns import columns
from course_lib.world.real import preferences as taste

loaded = smollm2()
if loaded is None:
    print(NOT_HERE)
else:
    PROMPTS, GROUP, STEPS, TOKENS, WARMTH, PRICE = (2, 2, 2, 8, 0.7, 0.02) if TINY else (3, 6, 14, 20, 0.7, 0.02)
    real, their_words = loaded[0].to(course.device), loaded[1]
    real_reference = copy.deepcopy(real)
    lora.add_lora(real, rank=8, alpha=16)
    teach, exam = (taste.preference_rows(split)[: 4 if TINY else None] for split in ("train", "test"))
    real_log = []

    def real_logprobs(model, ids, attention, n):
        """log π of the last n tokens of each row, [B n], of the policy as it is sampled: at its temperature."""
        logits = model(ids, attention_mask=attention, logits_to_keep=n + 1).logits[:, :-1] / WARMTH
        return torch.log_softmax(logits.float(), -1).gather(2, ids[:, -n:, None])[..., 0]

    def rollouts():
        """What `loss_of` needs, in halves: at the second one the policy is no longer the one that sampled."""
        order = torch.cat(
            [
                torch.randperm(len(teach), generator=torch.Generator().manual_seed(k))
                for k in range(1 + PROMPTS * STEPS // len(teach))
            ]
        )
        for step in range(STEPS):
            rows = [teach[k] for k in order[PROMPTS * step : PROMPTS * (step + 1)] for _ in range(GROUP)]
            ids, sampled, attention = real_training.sample(
                real, their_words, [row["prompt"] for row in rows], TOKENS, WARMTH, seed=step
            )
            n = int(sampled.any(0).sum())
            mask = sampled[:, -n:]
            with torch.no_grad():
                old, theirs = (real_logprobs(model, ids, attention, n) for model in (real, real_reference))
            texts = [their_words.decode(row[m], skip_special_tokens=True) for row, m in zip(ids, sampled)]
            scores = torch.tensor([taste.directness(text) for text in texts], device=course.device)
            rewards = parts["kl_penalised"](scores, old, theirs, mask, PRICE).sum(1)
            advantages = anywhere(advantages_of)(rewards.view(PROMPTS, GROUP), False).reshape(-1, 1).expand_as(old)
            kl = ((old - theirs) * mask).sum(1)  # k1 of § 4
            real_log.append(
                {
                    "score": scores.mean().item(),
                    "error": scores.std().item() / len(scores) ** 0.5,
                    "kl": kl.mean().item(),
                    "words": sum(map(taste.words_of, texts)) / len(texts),
                }
            )
            yield from zip(*(each.chunk(2) for each in (ids, attention, old, advantages, mask)))

    def loss_of(batch):
        ids, attention, old, advantages, mask = batch
        return parts["policy_loss"](real_logprobs(real, ids, attention, mask.shape[1]), old, advantages, mask, 0.2)

    asked_real = [row["prompt"] for row in exam]
    spoken = {"before": real_training.answers(real, their_words, asked_real, 40)}
    real_training.train(real, rollouts(), loss_of, learning_rate=5e-4, description="GRPO")
    spoken["after"] = real_training.answers(real, their_words, asked_real, 40)
    print(
        f"each step: {PROMPTS * GROUP} answers of at most {TOKENS} tokens\n{'step':>4}{'reward':>9}{'± error':>9}{'words':>8}{'KL':>8}"
    )
    for k, step in enumerate(real_log):
        print(f"{k:>4}{step['score']:>9.2f}{step['error']:>9.2f}{step['words']:>8.1f}{step['kl']:>8.1f}")
    print("\nheld-out questions, the likeliest answer:")
    for when, texts in spoken.items():
        names = sum(map(taste.names_it, exam, texts))
        print(
            "{:<8}reward {:>5.2f}, {:.1f} words, {:.2f} hedges; {} of {} name what is right ({:.0f} to {:.0f} %)".format(
                when,
                *(sum(map(f, texts)) / len(exam) for f in (taste.directness, taste.words_of, taste.hedges_of)),
                names,
                len(exam),
                *(100 * x for x in wilson(names, len(exam))),
            )
        )
    print(f"You guessed: {MY_GUESS}.\n")
    for question, *both in list(zip(exam, *spoken.values()))[:8]:
        print(f"» {question['prompt'][0]['content']}\n" + columns(["SmolLM2", "after GRPO"], both) + "\n")

# %% [markdown]
# **What to notice.** The reward climbs far beyond its error (which is that of eighteen answers; the three questions differ from step to step, too). Now read the answers: a row of pictures has no space in it, so the rule counts one word. Nobody taught it that, sampling found it.
# Before, 13 of the twenty held-out questions were answered with what is right, afterwards one was. This is § 12 again, with a reward that everybody can read: what a reward does not measure, the policy gives away. With a dearer nat and a smaller rate (`PRICE` 0.05, 3e-4) it went 3 nats away in place of 13: 15.7 words, still sentences, nine right.

# %% [markdown]
# ## § 16 Summary
#
# You wrote the reward of a token, its advantage, the clipped losses and the group advantage; GRPO's are TRL's. On the plane of utility against KL you have seen how far PPO, GRPO and best-of-n are from the best possible policy, where the reward model stops being a guide, and how a run dies.
# Lab 08 goes to the same frontier without sampling, without a critic and without a reward model.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** In § 12 the proxy climbed and the gold utility fell. Why, what did the policy do, and what has the KL penalty to do with it? Give your numbers.

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The reward model was fitted to pairs of the reference model's answers and only guesses elsewhere; without a price on KL the policy walks to where the guess is too high. In my run its score rose from 0.6 to 2.7 to the last step, while the gold utility turned at step 13, at 4.4 nats, and ended at 2.08 on the test prompts, at 7.7 nats.
# With the penalty the same algorithm stayed at 1.0 nats, had a lower score (1.61) and a higher gold utility (2.72). The answers without it nearly all begin with a courtesy and name the resident (0.99 and 0.98), and fewer of them are right (0.88 against 0.97). The penalty keeps the policy where the reward model has seen labels.
# ### END SOLUTION

# %% [markdown]
# **2.** Which choice made the run of § 13 collapse? Give the order of the alarms, what in the logs speaks for your choice, and what your cure changed.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# The reward alarm went off first, then KL, then length. It is the step size: the KL was 20 nats after the first step and 100 after the fifth, at three times the learning rate and with a clip so wide that nothing is clipped. The reward came back afterwards, to 2.1, above the healthy runs, with a gold utility of −3.7 and every answer cut at 48 tokens: an alarm that looks at the last reward only would have slept.
# With the learning rate and the clip of § 10 no gibberish appeared in the same number of steps (gold 1.67). There was still no price on KL, so it went to 9.6 nats: that disease is § 12's.
# ### END SOLUTION

# %% [markdown]
# ## § 17 Hand in
#
# Your policy goes to the grader, who asks it fresh prompts and looks at the gold utility. PPO's is saved here; hand in another one if you think that people like it better.

# %%
# LONG
saved = save_stage(
    "rlhf",
    ppo_run.model,
    {**ppo_run.record, "metrics": {key: results["PPO"][key] for key in ("utility", "kl", "reward", "length")}},
)

# %%
check("trained_policy")

# %% [markdown]
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your policy into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
