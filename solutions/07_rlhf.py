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
# **About 150 minutes · 11 points · a laptop is enough.** Your computer works alone for about 11 of these minutes (two cores at 200 GFLOP/s), three of them for the optional part on a real model.
# At the end you have trained your assistant with PPO and with GRPO to please a reward model, you know how far each is from the best possible policy, and you have seen both go wrong.

# %% [markdown]
# > **After this lab you can**
# > - give each token its reward: the penalty for leaving the reference model, and the reward model's one word at the end,
# > - write GAE, PPO's clipped losses and GRPO's group advantage, show that GRPO's loss is TRL's, and say what TRL does otherwise,
# > - place any policy on the plane of utility against KL, beside best-of-n and the frontier,
# > - find the point where a policy begins to please the reward model and nobody else,
# > - tell from the logs which choice makes a run collapse, and from a curve what is wrong in a loss.

# %%
# SETUP

# %%
import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.notebook.check import mine  # your function if its check passes, else the course's
from course_lib.shown import lab07_logs, lab07_losses, lab07_real, lab07_rlhf, lab07_trl
from course_lib.stages import grpo, ppo, real_training, rollout

# %% [markdown]
# ## § 1 An assistant, and what people think of it
#
# We start with two models. Lab 03's assistant is the **reference model** $\pi_\text{ref}$. Lab 06's **reward model** is a guess at what people like, a **proxy**: it stands in for the truth. In the village we can also look at that truth, the **gold utility** that the simulated people have (lab 06, § 1 has its terms). In real life nobody has it. Here we *look* at it and train on the reward model, except in one place that says so.
#
# The next cell samples four answers to each of some prompts. It shows the three prompts on whose answers opinions differ most, and what the two judges say of them.

# %%
# LONG
reference = rollout.assistant(load_stage("sft").model).to(course.device).eval()
proxy = lab07_rlhf.reward_of(load_stage("reward").model.to(course.device))  # (rows, answers) → [B]
train_prompts, test_prompts = lab07_rlhf.asked(course.size)
opinions = lab07_rlhf.show_samples(reference, proxy, train_prompts)

# %% [markdown]
# **What to notice.** One prompt, several answers, and people do not like all of them equally. The reward model mostly agrees, but it is a guess: in our run its favourite answer to what nobody can know is a made-up one that begins with a courtesy. Keep that in mind for § 12. A policy gives some probability to every string, so training only moves probability. Near the reference model it moves among answers that the reference model gives now and then. Far away it moves to strings that the reference model would hardly ever say.

# %%
# CLAIM
{
    "One prompt, several answers": all(
        len(set(row["answers"])) > 1 and row["worth"].max() - row["worth"].min() >= 1
        for row in opinions
    ),
    "in our run its favourite answer": all(
        row["worth"][row["scores"].argmax()] < 0 for row in opinions if row["kind"] == "unknown"
    )
    and any(row["kind"] == "unknown" for row in opinions),
    "Keep that in mind": GENERAL,
    "A policy gives some probability": GENERAL,
    "Near the reference model": GENERAL,
    "Far away it moves": GENERAL,
}

# %% [markdown]
# ## § 2 The limit, and a simple way towards it
#
# How much can be won? A policy $\pi$ that leaves $\pi_\text{ref}$ is measured by its distance, $\mathrm{KL}(\pi\,\|\,\pi_\text{ref})$ in nats an answer. For each distance one policy is best, $\pi^* \propto \pi_\text{ref} \cdot e^{u/\beta}$ ([Rafailov et al. 2023](https://arxiv.org/abs/2305.18290), eq. 4). Since we can sample $\pi_\text{ref}$ and know the utility $u$, we know what it reaches. That line is the **frontier**.
#
# The simplest way towards it needs no training. **Best of n**: sample $n$ answers, let the scores choose one. If no two answers tie ([Beirami et al. 2024](https://arxiv.org/abs/2401.01879)),
#
# $$\mathrm{KL} = \log n - \frac{n-1}{n}, \qquad \mathrm{E}[\text{worth}] = \sum_{i=0}^{K-1} \frac{\binom{i}{\,n-1\,}}{\binom{K}{n}}\; w_{(i)}$$
#
# - `scores`, `worth`: `[P K]`, $K$ sampled answers to each of $P$ prompts. The scores choose, the worth counts
# - $w_{(i)}$: the worth of the answer whose score has rank $i$ in its row; rank 0 has the lowest score
# - the weight is the chance that the best of $n$ different answers, drawn from the $K$, is that one. It is 0 for $i < n - 1$
# - scores may tie: each of the $K$ places keeps a rank of its own, in any order among equals
# - $K$ may be a thousand: then the binomials are larger than any float
# - return two Python numbers: the KL, and the mean of E[worth] over the prompts
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 12
#
# <details><summary>Hint 1</summary><code>scores.argsort(1)</code> has the places from the lowest score to the highest; <code>worth.gather(1, order)</code> puts the worths in that order.</details>
# <details><summary>Hint 2</summary><code>math.comb</code> gives whole numbers of any size. Divide one by the other before you make a float.</details>

# %%
# EXERCISE best_of_n
def best_of_n(
    scores: Float[Tensor, "P K"], worth: Float[Tensor, "P K"], n: int
) -> tuple[float, float]:
    """(KL in nats, expected worth) of taking the answer with the best score among n of the K.

    Inputs:  scores: what chooses · worth: what counts · n: from 1 to K
    """
    ### BEGIN SOLUTION
    K = scores.shape[1]
    weights = [math.comb(i, n - 1) / math.comb(K, n) for i in range(K)]
    ranked = worth.gather(1, scores.argsort(1)).double()
    expected = (ranked * torch.tensor(weights, dtype=torch.float64)).sum(1).mean()
    return math.log(n) - (n - 1) / n, float(expected)
    ### END SOLUTION


# %%
check("best_of_n")

# %%
# LONG
best = mine("best_of_n", globals())
K = 16 if course.size == "tiny" else 128
_, scores, worth = lab07_rlhf.samples(reference, proxy, test_prompts, K, seed=7)  # [P K] each
bests = lab07_rlhf.show_best_of_n(best, scores, worth)

# %% [markdown]
# **What to notice.** The formula is an upper bound: our model often gives the same answer twice, and then choosing moves less. Best of $n$ costs $n$ samples for each answer, for ever; training pays once. The gold utility chooses better than the reward model, which only guesses. In our run the guess costs little: at most a tenth of a unit of utility at the same n (at the same KL somewhat more, see the picture).

# %%
# CLAIM
{
    "The formula is an upper bound": all(
        t <= f + 1e-9 for t, f in zip(bests["ties"], bests["formula"])
    )
    and bests["ties"][1] < bests["formula"][1],
    "Best of $n$ costs": GENERAL,
    "The gold utility chooses better": all(
        g > r for g, r in list(zip(bests["by the gold"], bests["by the reward model"]))[1:]
    ),
    "In our run the guess costs little": max(
        g - r for g, r in zip(bests["by the gold"], bests["by the reward model"])
    )
    <= 0.1,
}

# %% [markdown]
# ## § 3 A token is an action
#
# Reinforcement learning needs a reward for each action, here for each token. The reward model speaks **once**, at the last token of an answer. Every token pays for leaving the reference model ([Ziegler et al. 2019](https://arxiv.org/abs/1909.08593), [Ouyang et al. 2022](https://arxiv.org/abs/2203.02155)):
#
# $$r_t = -\beta\,\big(\log \pi(a_t) - \log \pi_\text{ref}(a_t)\big) + [\,t = \text{last}\,] \cdot \text{score}$$
#
# - `scores`: `[B]` · `logprobs`, `reference`: `[B T]`, log-probabilities of the tokens that were chosen · `mask`: `[B T]`, True on the answer · `beta` $\beta$: the price of a nat → rewards $r$, `[B T]`
# - a row is *prompt, answer, padding*: the last token of the answer is the last True of its mask
# - 0 off the answer, whatever the inputs hold there: −∞ and NaN, too
# - a token that $\pi$ likes *less* than $\pi_\text{ref}$ earns something
#
# Added up over an answer $y$ this is $\text{score} - \beta \log \frac{\pi(y)}{\pi_\text{ref}(y)}$, whose mean is $\mathrm{E}[\text{score}] - \beta\,\mathrm{KL}$. If the score were the gold utility, the best policy for it would be a point on the frontier.
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary>First the penalty, by <code>torch.where(mask, …, 0.0)</code>: 0 · NaN is NaN, so a product with the mask does not do. Then add the score at one place of each row.</details>
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
    """The reward of each token: −β (log π − log π_ref), and the score added at the last token.

    Inputs:  scores: the reward model's, one an answer
             logprobs, reference: log π and log π_ref of the chosen tokens
             mask: True on the answer's tokens, at least one a row · beta: the price of a nat
    Returns: rewards, 0 off the answer
    """
    ### BEGIN SOLUTION
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    last = (mask * torch.arange(mask.shape[1])).argmax(1)
    rewards[torch.arange(len(scores)), last] += scores
    return rewards
    ### END SOLUTION


# %%
check("kl_penalty")

# %% [markdown]
# ## § 4 Three ways to estimate a KL
#
# The KL of two language models is a sum over all answers, so it is estimated from samples of $\pi$. With $x = \pi_\text{ref} / \pi$ at a sampled token ([Schulman 2020](http://joschu.net/blog/kl-approx.html)):
#
# $$k_1 = -\log x, \qquad k_2 = \tfrac12 (\log x)^2, \qquad k_3 = x - 1 - \log x$$
#
# At each token we can also add up the whole vocabulary, which is exact. The next cell shakes the weights of the reference model, a little (*near*) and more (*far*), and estimates the KL of the shaken model. **Predict first:** which estimator is biased, which can be negative, and which varies least? Is that still so far from the reference?

# %%
# LONG
estimators = {  # of log x
    "k1": lambda log_x: -log_x,
    "k2": lambda log_x: log_x**2 / 2,
    "k3": lambda log_x: log_x.exp() - 1 - log_x,
}
near, far = lab07_losses.show_estimators(estimators, reference, test_prompts)

# %% [markdown]
# **What to notice.** Compare how far each mean is off with its ±: more samples take noise away, and never a bias. $k_2$ is biased, and the more so the further $\pi$ is from $\pi_\text{ref}$. $k_1$ can be negative. $k_3$ is never negative. It is unbiased, but a heavy tail fools its ±: where $\pi$ is small and $\pi_\text{ref}$ is not, $x$ is huge, and the rare huge $x$ that belongs to the mean may not be in the sample. In our run the deviation of $k_3$ is the largest of the three near the reference model, and the smallest far from it.

# %%
# CLAIM
{
    "more samples take noise away, and never a bias": GENERAL,
    "$k_2$ is biased": (
        lambda near, far: abs(far["k2"]["mean"] / far["exact"] - 1)
        > 2 * abs(near["k2"]["mean"] / near["exact"] - 1)
        and abs(far["k2"]["mean"] - far["exact"]) > 3 * far["k2"]["error"]
    )(**lab07_losses.show_estimators(estimators, reference, test_prompts)),
    "$k_1$ can be negative": (
        lambda near, far: near["k1"]["smallest"] < 0 and far["k1"]["smallest"] < 0
    )(**lab07_losses.show_estimators(estimators, reference, test_prompts)),
    "$k_3$ is never negative": (
        lambda near, far: min(near["k3"]["smallest"], far["k3"]["smallest"]) >= 0
    )(**lab07_losses.show_estimators(estimators, reference, test_prompts)),
    "It is unbiased, but a heavy tail": GENERAL,
    "In our run the deviation of $k_3$": (
        lambda near, far: near["k3"]["spread"] == max(near[k]["spread"] for k in ("k1", "k2", "k3"))
        and far["k3"]["spread"] == min(far[k]["spread"] for k in ("k1", "k2", "k3"))
    )(**lab07_losses.show_estimators(estimators, reference, test_prompts)),
}

# %% [markdown]
# A good estimator of a number need not have the right **gradient**. Take one choice among six tokens, with logits θ, and average the gradient of each estimator over samples of $\pi$ (the samples themselves fixed, as in a loss). **Predict first:** which KL does each descend?

# %%
# LONG
theta = torch.randn(6, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
log_ref = torch.log_softmax(torch.arange(6.0).double(), 0)
log_pi = torch.log_softmax(theta, 0)
log_x, sampled_from = log_ref - log_pi, log_pi.exp().detach()
kinds = {
    "reverse KL(π‖π_ref), exact": (log_pi.exp() * -log_x).sum(),
    "forward KL(π_ref‖π), exact": (log_ref.exp() * log_x).sum(),
    "k1 as a reward: k1 (fixed) · log π": (sampled_from * -log_x.detach() * log_pi).sum(),
}
kinds |= {f"{k} in the loss": (sampled_from * f(log_x)).sum() for k, f in estimators.items()}
reverse, forward, as_reward, *in_loss = lab07_losses.show_gradients(kinds, theta)

# %% [markdown]
# **What to notice.** As a term of the loss, $k_1$ pulls nowhere: its gradient is 0 in the mean, and in one sample it is noise. $k_3$, the best estimator of the value by its reputation, has the gradient of the *forward* KL. $k_2$, the biased one, has exactly that of the reverse KL, which is the one that we measure ([Liu and others, 2025](https://arxiv.org/abs/2510.01555)). As a reward, as in § 3, $k_1$ pulls along the reverse KL, too. We shall see in § 11 what $k_3$ in the loss costs.

# %%
# CLAIM
{
    "$k_1$ pulls nowhere": bool(in_loss[0].abs().max() < 1e-12),
    "$k_3$, the best estimator of the value": torch.allclose(in_loss[2], forward, atol=1e-12),
    "$k_2$, the biased one": torch.allclose(in_loss[1], reverse, atol=1e-12),
    "As a reward, as in § 3": torch.allclose(as_reward, reverse, atol=1e-12),
    "We shall see in § 11": GENERAL,
}

# %% [markdown]
# ## § 5 Which token was it?
#
# An answer got a good score: which of its tokens deserves the credit? A **critic** $V_t$ predicts, before token $t$ is chosen, the reward still to come. The surprise of one step is $\delta$, and the **advantage** adds up later surprises, ever less of them (GAE, [Schulman et al. 2016](https://arxiv.org/abs/1506.02438)):
#
# $$\delta_t = r_t + \gamma V_{t+1} - V_t, \qquad A_t = \sum_{j \ge 0} (\gamma\lambda)^j\, \delta_{t+j} = \delta_t + \gamma\lambda\, A_{t+1}, \qquad R_t = A_t + V_t$$
#
# - `rewards`, `values`: `[B T]` · `mask`: `[B T]`, True on the answer, whose tokens stand next to each other → `advantages`, `returns` $R$: `[B T]`
# - after the last token of the answer nothing comes: $V = 0$ and $A = 0$ there. Padding holds numbers too, and none of them may get in
# - both are 0 off the answer
# - $\lambda = 1$: what really came, minus what was expected. $\lambda = 0$: one step, then trust the critic
#
# > Difficulty: ●●●●○ (4 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 18
#
# <details><summary>Hint 1</summary>Go from the last column to the first, and carry two columns along: the advantage and the value of the token to the right.</details>
# <details><summary>Hint 2</summary><code>torch.where(mask[:, t], new, 0.0)</code> sets what is carried back to 0 wherever the mask is False.</details>
# <details><summary>Hint 3</summary>The value that you carry to the left has to be masked as well: the padding's value is not 0.</details>

# %%
# EXERCISE gae
def gae(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    gamma: float,
    lam: float,
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
estimate = mine("gae", globals())
LAMBDAS = (0.0, 0.5, 0.8, 0.9, 0.95, 1.0)
errors = lab07_losses.show_lambdas(estimate, LAMBDAS)

# %% [markdown]
# **What to notice.** A small λ trusts the critic, mistakes and all; λ = 1 does not need it, and lets in the luck of all later steps. Between the two is a λ that errs least, here 0.8. Where it lies depends on how good the critic is.

# %%
# CLAIM
{
    "A small λ trusts the critic": errors["the critic alone"][-1] < 1e-5
    and errors["luck alone"] == sorted(errors["luck alone"])
    and errors["the critic alone"] == sorted(errors["the critic alone"], reverse=True),
    "Between the two is a λ that errs least": LAMBDAS[int(np.argmin(errors["both"]))] == 0.8,
    "Where it lies depends": GENERAL,
}

# %% [markdown]
# ## § 6 Small steps
#
# Sampling is expensive, so PPO takes several steps of the optimiser on one batch. By the second step the policy is no longer the one that sampled. The ratio $\rho_t = \pi(a_t) / \pi_\text{old}(a_t)$ corrects for that, and **clipping** takes away the reward for going further than $\pm\epsilon$ ([Schulman et al. 2017](https://arxiv.org/abs/1707.06347)):
#
# $$L = -\frac{1}{\sum \text{mask}} \sum_{\text{answer tokens}} \min\big(\rho_t A_t,\; \mathrm{clip}(\rho_t,\, 1-\epsilon,\, 1+\epsilon)\, A_t\big)$$
#
# - `logprobs`, `old`: `[B T]`, $\log \pi$ now and when sampled · `advantages`: `[B T]` · `mask`: `[B T]` · `clip` $\epsilon$ → loss `[]`, with a gradient to `logprobs`
# - a mean over **all tokens of the batch**, so a long answer counts more than a short one
# - take the minimum of both products: a step in the wrong direction is then seen in full, however far it went. Nothing else limits the ratio
# - where the clipped product is the smaller one, no gradient comes
# - make the ratio from the difference of the logarithms: a probability can be $e^{-200}$, which is 0 as a float
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

    Inputs:  logprobs, old: log π of the chosen tokens, now and when they were sampled
             advantages: A · mask: True on the answers · clip: ε
    Returns: a scalar with a gradient to logprobs
    """
    ### BEGIN SOLUTION
    ratio = (logprobs - old).exp()
    kept = ratio.clamp(1 - clip, 1 + clip)
    cautious = torch.minimum(ratio * advantages, kept * advantages)
    return -(cautious * mask).sum() / mask.sum()
    ### END SOLUTION


# %%
check("clipped_policy_loss")

# %% [markdown]
# Where does it still pull? The gradient for one token with a good and with a bad advantage, against the ratio. **Predict first:** a token with $A < 0$ whose ratio has risen to 1.5: is it clipped?

# %%
# LONG
policy_loss = mine("clipped_policy_loss", globals())
RATIOS = (0.5, 0.75, 0.85, 1.0, 1.15, 1.25, 1.5)
pulls = lab07_losses.show_pulls(policy_loss, RATIOS, clip=0.2)

# %% [markdown]
# **What to notice.** At ratio 1 the pull is $A$ itself, the plain policy gradient. Each row has zeros on one side only: where the policy has already gone far in the direction that $A$ asked for. On the other side it is pulled back with full force.

# %%
# CLAIM
{
    "At ratio 1 the pull is $A$ itself": all(
        abs(row[RATIOS.index(1.0)] - A) < 1e-6 for A, row in pulls.items()
    ),
    "Each row has zeros on one side only": [p == 0 for p in pulls[1.0]] == [r > 1.2 for r in RATIOS]
    and [p == 0 for p in pulls[-1.0]] == [r < 0.8 for r in RATIOS],
    "On the other side": all(
        abs(p - A * r) < 1e-5 for A, row in pulls.items() for p, r in zip(row, RATIOS) if p
    ),
}

# %% [markdown]
# ## § 7 The critic
#
# The critic is a second head on the policy's own body. It learns the returns, and is held back like the policy: moving away from its old value by more than ε brings nothing.
#
# $$L_V = \frac{1}{\sum \text{mask}} \sum_{\text{answer tokens}} \tfrac12 \max\big((V_t - R_t)^2,\; (V^\text{clip}_t - R_t)^2\big), \qquad V^\text{clip}_t = V^\text{old}_t + \mathrm{clip}(V_t - V^\text{old}_t,\, -\epsilon,\, \epsilon)$$
#
# - `values`, `old`: `[B T]`, V now and when sampled · `returns`: `[B T]` · `mask`, `clip` as before → loss `[]`, with a gradient to `values`
# - the **larger** error counts, for the same reason as the minimum above
# - a mean over all tokens of the batch, as above
# - where the clipped error is the larger one, no gradient comes
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
    """½ · the larger of the squared errors of V and of V clipped around its old value, the mean
    over the tokens of all answers.

    Inputs:  values, old: V now and when sampled · returns: what they should be
             mask: True on the answers · clip: ε
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
# All parts are there. One step: sample 8 answers to each of 32 prompts, score them, give each token its reward and its advantage, then make two small updates. `course_lib/stages/ppo.py` has the loop on one screen; it runs with **your** four functions. Before the loss it **whitens** the advantages: over all tokens of the batch they get mean 0 and variance 1, so that a step does not depend on the scale of the rewards.
# β is the price of a nat. The reward model counts in logits, about one and a half to a unit of utility, so β = 0.5 asks a third of a unit for a nat.
#
# **Predict first:** how much of the frontier's gain will it reach at its KL? And what will happen to the length?
#
# The picture also shows the gold utility of the sampled answers. It is only looked at. You can stop the cell and run it again: it goes on from its checkpoint.

# %%
# LONG
parts = lab07_rlhf.on_device(
    course.device, kl_penalised=mine("kl_penalty", globals()), gae=estimate,
    policy_loss=policy_loss, value_loss=mine("clipped_value_loss", globals()),
)  # fmt: skip
train = lab07_rlhf.trainer(reference, train_prompts, course.work, course.size)
ppo_config = lab07_rlhf.settings(ppo, course.size, beta=0.5)
ppo_run = train("PPO", ppo.ppo, proxy, ppo_config, keep="ppo", **parts)

# %%
# LONG
look = lab07_rlhf.examiner(reference, test_prompts, proxy, course.size)  # policy → its figures
results = {"reference model": look(reference), "PPO": look(ppo_run)}
lab07_rlhf.show_standings(results, worth)
habits = lab07_rlhf.show_habits(results, test_prompts, list(results))
fact_row = next(row for row in test_prompts if row["kind"] == "fact")
lab07_rlhf.show_ppo(results, worth, reference, ppo_run, fact_row, course.size)

# %% [markdown]
# **What to notice.** In the first table, "utility" and "reward model" are means over the same answers, and only the second was trained on. The second table says what the policy has learned to do: in our run more courtesies and more names, at questions after a fact above all. Nobody told it to make longer answers; a courtesy and a name are some tokens more.

# %%
# CLAIM
{
    "only the second was trained on": results["PPO"]["reward"]
    > results["reference model"]["reward"] + 0.5,
    "in our run more courtesies and more names": all(
        habits["fact"]["PPO"][key] > habits["fact"]["reference model"][key] + 0.2
        for key in ("courtesy", "named")
    )
    and habits["fact"]["PPO"]["named"] - habits["fact"]["reference model"]["named"]
    > habits["short"]["PPO"]["named"] - habits["short"]["reference model"]["named"],
    "Nobody told it": results["PPO"]["length"] > results["reference model"]["length"] + 1,
}

# %% [markdown]
# Where in an answer does PPO see the credit? One answer of the trained policy, each token coloured by what it is paid: the price of leaving the reference model, and the score at the last token. The buttons show the other numbers, advantage and critic among them.

# %%
# LONG
credit = lab07_rlhf.show_credit(ppo_run, reference, proxy, fact_row, course.size)

# %% [markdown]
# **What to notice.** The score stands at the last token alone. Before it something is paid only where policy and reference differ. Many tokens cost next to nothing, for once a word has begun both models are sure of its end.
# Now choose *advantage*: the critic has spread the one score over the tokens. Where the choice was open that is credit; where it was not, it is the critic's error.

# %%
# CLAIM
{
    "The score stands at the last token": credit["end"] > 0.5 > max(credit["others"]),
    "Before it something is paid": GENERAL,
    "Many tokens cost next to nothing": sum(abs(r) < 0.05 for r in credit["others"])
    >= len(credit["others"]) / 3,
    "the critic has spread": GENERAL,
    "Where the choice was open": GENERAL,
}

# %% [markdown]
# ## § 9 The group is the critic
#
# PPO carries a critic that has to be trained. GRPO ([Shao et al. 2024](https://arxiv.org/abs/2402.03300)) samples a **group** of $G$ answers to each prompt and compares each with its own group:
#
# $$A_{pg} = \frac{r_{pg} - \mathrm{mean}_g(r_{p\cdot})}{\mathrm{std}_g(r_{p\cdot}) + 10^{-4}}$$
#
# - `rewards`: `[P G]`, a row for each prompt $p$, a column for each of its answers $g$ → advantages `[P G]`; every token of an answer gets its answer's advantage
# - the standard deviation has $G - 1$ in it, as `torch.std` has. The $10^{-4}$ is TRL's, and is added to the deviation
# - with `scale=False` the deviation is left out: the difference alone, as [Liu et al. 2025](https://arxiv.org/abs/2503.20783) advise (Dr. GRPO)
# - if all rewards of a group tie, its advantages are 0, not 0/0
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 4
#
# <details><summary>Hint 1</summary><code>rewards.mean(1, keepdim=True)</code> keeps an axis of length 1, so that it can be subtracted from each row.</details>

# %%
# EXERCISE group_advantages
def group_advantages(rewards: Float[Tensor, "P G"], scale: bool) -> Float[Tensor, "P G"]:
    """Each reward against its own group: minus the mean and, with scale, over the standard
    deviation + 1e-4.

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
advantages_of = mine("group_advantages", globals())
grouped = lab07_losses.show_groups(advantages_of)
ties = lab07_rlhf.show_ties(reference, proxy, train_prompts[:64], each=8)

# %% [markdown]
# **What to notice.** Scaled, a difference of 0.02 is worth as much as one of 4. So the reward model's noise on an easy prompt pulls as hard as a real mistake on another one.

# %%
# CLAIM
{
    "Scaled, a difference of 0.02": bool(
        (grouped["nearly tied"][0] - grouped["a clear winner"][0]).abs().max() < 0.02
    ),
    "So the reward model's noise": GENERAL,
}

# %% [markdown]
# ### In the library
#
# From scratch first, the library second: TRL's `GRPOTrainer` on the same reward. We look over its shoulder and compute advantages and loss of each of its batches ourselves: the advantages by your function, the loss by `grpo.grpo_loss`, which is § 6's clipped term and β · $k_3$, the mean over each answer first. Each batch is used twice, so that in every second one the ratio is not 1.

# %%
# LONG
own = {"loss_type": "grpo", "use_bias_correction_kl": False, "num_iterations": 2, "beta": 0.1}
apart = []
for batch in lab07_trl.batches(reference, proxy, train_prompts, course.work, max_steps=4, **own):
    given = (batch.logprobs, batch.old, batch.reference, batch.advantages, batch.mask)
    loss, _ = grpo.grpo_loss(*given, clip=0.2, beta=0.1)
    apart.append(lab07_trl.differences(batch, loss, advantages_of(batch.rewards, True)))
lab07_trl.show_apart(apart)
assert all(max(row["loss"], row["advantages"]) < 1e-5 for row in apart)

# %% [markdown]
# That needed four settings that are not TRL's own. The next cell runs it as it is by default, looks that it does so, and prints the table. TRL's default for the mean, from DAPO ([Yu et al. 2025](https://arxiv.org/abs/2503.14476)), is the one that you wrote in § 6. Where β is set, TRL multiplies $k_3$ by the ratio (`use_bias_correction_kl`), which gives it the gradient of the reverse KL: § 4's finding, mended.

# %%
# LONG
grpo_config = lab07_rlhf.settings(grpo, course.size, beta=0.5)
library = lab07_trl.show_defaults(reference, proxy, train_prompts, course.work, grpo_config)

# %% [markdown]
# ## § 10 GRPO
#
# The same reward model, no critic. Twice: with the KL as a part of the reward, and as $k_3$ in the loss, as in the paper. Both leave the deviation in § 9's formula out (`scale=False`), so that a nearly tied group does not pull as hard as a clear one. **Predict first:** which of the two will be nearer to the frontier at its KL?

# %%
# LONG
group = lab07_rlhf.on_device(course.device, group_advantages=advantages_of)
grpo_run = train("GRPO, KL in the reward", grpo.grpo, proxy, grpo_config, keep="grpo", **group)
k3_config = lab07_rlhf.settings(grpo, course.size, beta=0.5, kl_in_reward=False)
k3_run = train("GRPO, k3 in the loss", grpo.grpo, proxy, k3_config, keep="k3", **group)

# %% [markdown]
# ## § 11 All on one plane
#
# For comparison, and **only here**, one run is trained on the gold utility itself. It shows what the algorithm can do alone, without the reward model's mistakes. Nobody could do that in real life.

# %%
# LONG
gold_config = lab07_rlhf.settings(grpo, course.size)
on_gold = ("GRPO, trained on the GOLD utility", grpo.grpo, lab07_rlhf.gold_reward, gold_config)
gold_run = train(*on_gold, keep="gold", **group)
results["GRPO, KL in the reward"], results["GRPO, k3 in the loss"] = map(look, (grpo_run, k3_run))
results["GRPO, trained on the gold"] = look(gold_run)
reached = lab07_rlhf.show_all(worth, bests, results)  # {policy: share of the frontier's gain}

# %% [markdown]
# **What to notice.** A mark's height alone says little: with more KL everybody gets more. Compare each mark with the line above it. In our run PPO and both ways of GRPO that have the KL in the reward (§ 10's first, and the one that was trained on the gold) reach 83 to 91 % of the frontier's gain at their KL, and $k_3$ in the loss 62 %: its gradient is not that of the KL that we count.
# The GRPO that was trained on the gold shows what the algorithm alone leaves undone. In our run it reaches 90 %, and the one that was trained on the reward model 83 %. That is a difference within the errors of the two: what the reward model's mistakes cost at one nat is too little for a test of this size.

# %%
# CLAIM
{
    "A mark's height alone": GENERAL,
    "Compare each mark with the line": GENERAL,
    "In our run PPO and both ways": [round(100 * share) for share in list(reached.values())[1:]]
    == [91, 83, 62, 90],
    "shows what the algorithm alone": GENERAL,
    "In our run it reaches 90 %": round(100 * reached["GRPO, trained on the gold"]) == 90
    and round(100 * reached["GRPO, KL in the reward"]) == 83,
    "That is a difference within the errors": abs(
        results["GRPO, trained on the gold"]["utility"]
        - results["GRPO, KL in the reward"]["utility"]
    )
    < results["GRPO, trained on the gold"]["error"] + results["GRPO, KL in the reward"]["error"],
}

# %% [markdown]
# Over five seeds GRPO on the gold utility reached 94 to 99 % of the frontier's gain on other prompts (`course bench rlhf`); PPO on the reward model 95 and 94 % in two.

# %%
# CLAIM stored
{
    "Over five seeds GRPO on the gold utility": [
        round(100 * min(r["grpo"]["share"] for r in stored("rlhf-laptop")["runs"])),
        round(100 * max(r["grpo"]["share"] for r in stored("rlhf-laptop")["runs"])),
        len(stored("rlhf-laptop")["runs"]),
        *(
            round(100 * r["ppo_reward_model"]["share"])
            for r in stored("rlhf-laptop")["runs"]
            if "ppo_reward_model" in r
        ),
    ]
    == [94, 99, 5, 95, 94],
}

# %% [markdown]
# ## § 12 Where the gold turns
#
# Now without the penalty: β = 0. The reward model is only a guess, and the policy will find where it guesses too high ([Gao et al. 2022](https://arxiv.org/abs/2210.10760) call it over-optimisation). **Predict first:** will the gold utility rise to the end, stop, or fall? And what will the answers look like?

# %%
# LONG
free_config = lab07_rlhf.settings(grpo, course.size, beta=0.0, steps=50)
free_run = train("GRPO, no penalty", grpo.grpo, proxy, free_config, **group)
results["GRPO, no penalty"] = look(free_run)

# %% [markdown]
# At which step did the policy stop serving people? The measurements are noisy, so a single best one says nothing.
#
# - smooth both curves, `proxy` (the reward model's score, § 1) and `gold` (the gold utility): each point becomes the mean of the `window` measurements around it, `window // 2` on each side
# - at the ends the mean is that of the measurements that are there
# - the **turning point** is the step at which the smoothed gold utility is highest; the first, if several tie
# - it is one only if the smoothed gold at the *end* is lower by more than `fall`. Otherwise `None`: the run still rises, or it has recovered
# - and only if the smoothed proxy is higher at the end than there. Otherwise `None`: the run fell apart altogether
# - `steps`, `proxy`, `gold`: lists of the same length → one of `steps`, or `None`. Of no measurements: `None`
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 15
#
# <details><summary>Hint 1</summary>Write a small function that smooths a list; <code>values[max(0, i - half) : i + half + 1]</code> is the window around i.</details>
# <details><summary>Hint 2</summary>Of the gold take the highest smoothed point; of the proxy only compare two points.</details>

# %%
# EXERCISE turning_point
def turning_point(
    steps: list[int], proxy: list[float], gold: list[float], window: int, fall: float
) -> int | None:
    """The step at which the smoothed gold utility is highest, if it falls afterwards while the
    proxy still climbs.

    Inputs:  steps, proxy, gold: one entry a measurement
             window: how many are averaged, odd · fall: what counts as a fall
    Returns: one of steps, or None
    """
    ### BEGIN SOLUTION
    if not steps:
        return None
    half = window // 2
    parts_of = lambda x: [x[max(0, i - half) : i + half + 1] for i in range(len(x))]
    climbing, true = ([sum(p) / len(p) for p in parts_of(x)] for x in (proxy, gold))
    at = true.index(max(true))
    fell, climbed = true[at] - true[-1] > fall, climbing[-1] > climbing[at]
    return steps[at] if fell and climbed else None
    ### END SOLUTION


# %%
check("turning_point")

# %%
# LONG
turn_of = mine("turning_point", globals())
steps, rewards, golds = lab07_logs.curves(free_run)
turn = turn_of(steps, rewards, golds, window=7, fall=0.1)
lab07_logs.show_turn(free_run, turn, course.size)
three = ["reference model", "GRPO, KL in the reward", "GRPO, no penalty"]
free_habits = lab07_rlhf.show_fall(results, worth, test_prompts, three)

# %% [markdown]
# **What to notice.** Look at the second table kind by kind: where did the utility go? In our run the answers to questions after a fact are as good without the penalty as with it, by their utility: fewer are right, 77 for 97 %, and courtesies, names and more facts make up for it. The loss is in the other prompts: the policy begins with a courtesy and a name where a short form was asked for (the table counts neither there), and it makes up a fact where nobody can know one. The reward model pays for the habit, and has seldom seen it there. Only the gold curve shows the turn, and in real life it is not there. What is there is the KL.

# %%
# CLAIM
{
    "In our run the answers to questions after a fact are as good": abs(
        free_habits["fact"][three[2]]["utility"] - free_habits["fact"][three[1]]["utility"]
    )
    < 0.15,
    "The loss is in the other prompts": all(
        free_habits[kind][three[2]]["utility"] < free_habits[kind][three[1]]["utility"] - 0.5
        for kind in ("short", "unknown")
    )
    and free_habits["short"][three[2]]["right"] < free_habits["short"][three[1]]["right"] - 0.3
    and free_habits["unknown"][three[2]]["false"] > free_habits["unknown"][three[1]]["false"] + 0.3,
    "The reward model pays for the habit": results[three[2]]["reward"]
    > results[three[1]]["reward"] + 0.5,
    "Only the gold curve shows the turn": rewards[-1] > rewards[turn],
    "What is there is the KL": free_run.history[-1]["kl"] > 3 * grpo_run.history[-1]["kl"],
}

# %% [markdown]
# In four of five seeds the gold utility rose and then fell by more than 0.1 while the proxy climbed on; in the fifth it fell from the start, by more than a unit, and came back in part (`course bench rlhf`). If your run has no turning point, its gold utility is still rising, or it has come back; a turning point at step 0 says that it fell from the start.

# %%
# CLAIM stored
{
    "In four of five seeds": [
        r["over_optimisation"]["turned"] for r in stored("rlhf-laptop")["runs"]
    ].count(True)
    == 4
    and all(
        r["over_optimisation"]["history"][-1]["reward"]
        > r["over_optimisation"]["history"][0]["reward"] + 2
        for r in stored("rlhf-laptop")["runs"]
    )
    and all(
        min(r["over_optimisation"]["gold"]) < r["over_optimisation"]["gold"][0] - 1
        and max(r["over_optimisation"]["gold"][:30]) < r["over_optimisation"]["gold"][0] + 0.01
        and max(r["over_optimisation"]["gold"][-5:]) > 1.5
        for r in stored("rlhf-laptop")["runs"]
        if not r["over_optimisation"]["turned"]
    ),
}

# %% [markdown]
# ## § 13 A collapse, from its logs
#
# Another way to fail. This recipe is put together from five choices that people do make, each of which the table shows (its row *steps* is only the length of the run). **Predict first:** which of the logged numbers will be the first to look wrong? Will the reward be one of them?

# %%
# LONG
bad_config = lab07_rlhf.settings(grpo, course.size, **lab07_rlhf.COLLAPSE)
bad_run = train("GRPO, a bad recipe", grpo.grpo, proxy, bad_config, **group)
lab07_logs.show_recipe(grpo_config, bad_config)
results["GRPO, a bad recipe"] = look(bad_run)

# %% [markdown]
# Nobody watches all curves of a run all night. **Alarms** do: each has a number of the log, a side and a bound, and it goes off at the first row at which the mean of the last `window` rows is beyond the bound. What went off first is nearest to the cause; of two at one row the order says nothing.
#
# The log's numbers: `reward`, the mean score · `length`, tokens an answer · `tied`, the share of the groups whose rewards all tie · `entropy`, nats a token · `kl`, nats an answer.
#
# - `history`: list of rows, each a dict of numbers · `alarms`: `{"entropy": ["below", 0.05], "kl": ["above", 5.0], …}`: the name of a number, its side and its bound
# - return the names of the alarms that went off, in the order in which they did. `[]` for a healthy run
# - of alarms that went off at the same row, the one that stands first in `alarms` comes first
# - the mean is that of `window` rows; only whole windows count: the first mean is that of the first `window` rows
# - beyond is > or <, never equal
# - an alarm that came back later has gone off all the same
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary>For each alarm find the first row k ≥ window − 1 whose mean of <code>history[k - window + 1 : k + 1]</code> is beyond.</details>
# <details><summary>Hint 2</summary>Keep {name: k}. <code>sorted</code> keeps the order of equals.</details>

# %%
# EXERCISE diagnose
def diagnose(history: list[dict], alarms: dict[str, list], window: int) -> list[str]:
    """Names of the alarms that went off, the first one first.

    Inputs:  history: rows of numbers · alarms: {name: ["above" or "below", bound]}
             window: rows that are averaged
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
alarms_of = mine("diagnose", globals())
first = grpo_run.history[0]
ALARMS = {
    "reward": ["below", first["reward"] - 0.5], "length": ["above", 3 * first["length"]],
    "tied": ["above", 0.8], "entropy": ["below", 0.5 * first["entropy"]], "kl": ["above", 10.0],
}  # fmt: skip
runs = {"PPO": ppo_run, "GRPO, KL in the reward": grpo_run, "GRPO, no penalty": free_run}
gone_off = lab07_logs.show_alarms(alarms_of, runs | {"GRPO, a bad recipe": bad_run}, ALARMS, 3)
lab07_logs.show_log(bad_run, ALARMS)

# %% [markdown]
# Now cure it. Change as little as you can: which **one** of the five choices would you take back? We try three, each alone: the rate, the clip, the price of a nat. **Predict first:** which of them ends the collapse?

# %%
# LONG
cured = {}
for name in ("learning_rate", "clip", "beta"):
    recipe = lab07_rlhf.COLLAPSE | {name: getattr(grpo_config, name)}
    config = lab07_rlhf.settings(grpo, course.size, **recipe)
    cured[name] = train(f"{name} taken back", grpo.grpo, proxy, config, **group)
    results[f"{name} taken back"] = look(cured[name])
lab07_logs.show_alarms(alarms_of, cured, ALARMS, 3)
lab07_rlhf.show_standings(results, worth, list(results)[5:])

# %% [markdown]
# **What to notice.** The order of the alarms is a story: look which of them the sample texts bear out. The reward model's own number stands in the table, too: at the end it likes the gibberish better than the answers of § 10. In our run the clip alone did not help: the KL passed 100 nats all the same. The rate alone ended the gibberish, and left the over-optimisation of § 12: these are two diseases. The price alone brought the policy back to a few nats, but at an entropy near 0: to each prompt it says one thing.

# %%
# CLAIM
{
    "The order of the alarms": GENERAL,
    "The reward model's own number": bad_run.history[-1]["reward"] > grpo_run.history[-1]["reward"]
    and results["GRPO, a bad recipe"]["utility"] < 0,
    "In our run the clip alone did not help": max(row["kl"] for row in cured["clip"].history) > 100,
    "The rate alone ended the gibberish": max(row["kl"] for row in cured["learning_rate"].history)
    < 20
    and 0.5
    < results["learning_rate taken back"]["utility"]
    < results["GRPO, KL in the reward"]["utility"] - 0.5,
    "The price alone brought": cured["beta"].history[-1]["kl"] < 6
    and cured["beta"].history[-1]["entropy"] < 0.05,
}

# %% [markdown]
# In all of five seeds this recipe ended with a gold utility below 0, more than 10 nats from the reference model, and with a score of the reward model above 2.

# %%
# CLAIM stored
{
    "In all of five seeds this recipe": all(
        r["collapse"]["collapsed"] and r["collapse"]["history"][-1]["reward"] > 2
        for r in stored("rlhf-laptop")["runs"]
    )
    and len(stored("rlhf-laptop")["runs"]) == 5,
}

# %% [markdown]
# ## § 14 Find the bug
#
# A colleague has written § 6's loss by cases, and made **one** mistake. Nothing raises, and the loss is a number like any other. Here it is, beside your loss, in two short runs of PPO with four passes over each batch. `clipped` in the log is the share of the tokens whose ratio is outside 1 ± ε at the end of a step.

# %%
def planted_loss(logprobs, old, advantages, mask, clip):
    """A colleague's version of clipped_policy_loss, with one mistake."""
    ratio, weight = (logprobs - old)[mask].exp(), advantages[mask]
    held = torch.where(weight > 0, ratio.clamp(min=1 - clip), ratio.clamp(max=1 + clip))
    return -(held * weight).mean()


# %%
# LONG
short = {"beta": 0.5, "steps": 10, "prompts": 16, "epochs": 4, "learning_rate": 6e-4}
bug_config = lab07_rlhf.settings(ppo, course.size, **short)
planted = parts | lab07_rlhf.on_device(course.device, policy_loss=planted_loss)
own_run = train("PPO, your loss", ppo.ppo, proxy, bug_config, **parts)
planted_run = train("PPO, the colleague's loss", ppo.ppo, proxy, bug_config, **planted)
lab07_logs.show_two(own_run, planted_run)

# %% [markdown]
# Which mistake is it?
#
# - **A** the sign is wrong: what is good is made less likely
# - **B** the old policy is not used: the ratio is always 1, so nothing is ever held back
# - **C** it holds back on the wrong side: who has gone too far is pulled on, who has gone the wrong way is not pulled back
# - **D** prompt and padding get into the mean
# - **E** the ratio is upside down: $\pi_\text{old} / \pi$
#
# Return the loss without the mistake, and the letter. The loss is that of § 6: a mean over the tokens of all answers, and with its gradient. The letter is half of the exercise.
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Which letters would the first steps of the log contradict? With A or E the reward model's score would fall at once.</details>
# <details><summary>Hint 2</summary><code>lab07_losses.show_pulls(planted_loss, RATIOS)</code> is § 6's table for the colleague's loss. Where are its zeros?</details>

# %%
# EXERCISE find_the_bug
def find_the_bug(
    logprobs: Float[Tensor, "B T"],
    old: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float,
) -> tuple[Float[Tensor, ""], str]:
    """(the loss without the colleague's mistake, the letter of the mistake).

    Inputs:  as those of clipped_policy_loss
    Returns: a scalar with a gradient to logprobs, and "A", "B", "C", "D" or "E"
    """
    ### BEGIN SOLUTION
    ratio, weight = (logprobs - old)[mask].exp(), advantages[mask]
    held = torch.where(weight > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -(held * weight).mean(), "C"
    ### END SOLUTION


# %%
check("find_the_bug")

# %% [markdown]
# **What to notice.** At ratio 1 both losses and both gradients are the same, so one update a batch would hide the mistake. From the second pass on, and within a pass from its second update, what has moved moves on. In our run the KL passes 100 nats an answer within ten steps, and with your loss it stays below 15. Curves show that something is wrong; the gradient at a few chosen points shows what.

# %%
# CLAIM
{
    "At ratio 1 both losses": GENERAL,
    "From the second pass on": GENERAL,
    "In our run the KL passes 100": max(row["kl"] for row in planted_run.history) > 100
    and max(row["kl"] for row in own_run.history) < 15,
    "Curves show that something is wrong": GENERAL,
}

# %% [markdown]
# ## § 15 Change one thing
#
# PPO again, a short run, with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. Other changes to try: `clip=10.0`, `epochs=8`, `value_rate=1.0`, `kl_target=3.0` (β then adapts itself to it).

# %%
# LONG
CHANGE = {"lam": 0.0}
MY_PREDICTION = ""

for name, change in (("PPO, short, as before", {}), ("PPO, short, changed", CHANGE)):
    config = lab07_rlhf.settings(ppo, course.size, beta=0.5, steps=30, **change)
    results[name] = look(train(name, ppo.ppo, proxy, config, **parts))
lab07_rlhf.show_standings(results, worth, ["PPO", "PPO, short, as before", "PPO, short, changed"])
lab07_logs.recall(MY_PREDICTION)

# %% [markdown]
# **What to notice.** With λ = 0 each token asks the critic alone, and at the start the critic knows nothing: the score at the last token travels to the left by one token an update of the critic. In our run the changed policy has hardly left the reference model after 30 steps.

# %%
# CLAIM
{
    "With λ = 0 each token asks the critic alone": GENERAL,
    "In our run the changed policy": results["PPO, short, changed"]["kl"]
    < 0.25 * results["PPO, short, as before"]["kl"],
}

# %% [markdown]
# ## § 16 A real model
#
# Optional. GRPO on SmolLM2-135M-Instruct (Hugging Face, Apache 2.0), through small trained matrices beside its frozen weights (LoRA, [Hu et al. 2021](https://arxiv.org/abs/2106.09685), lab 04). The reward is no model but a **rule**: 1, less 0.05 for each word and 0.25 for each hedge (*perhaps*, *usually*, *it depends*). The rule does not look whether an answer is right.
# Penalty, group advantage and clipped loss are **your** functions. The reference model is the policy with its adapter switched off. Forty everyday questions teach, twenty others examine. It takes five minutes of one core.
#
# **Predict first:** how will the answers to questions that it was not trained on change? Will they still be right as often? Write your guess into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""

loaded = lab07_real.smollm2()
if loaded:
    PROMPTS, GROUP, STEPS, TOKENS = (2, 2, 2, 8) if course.size == "tiny" else (3, 6, 14, 20)
    WARMTH, PRICE, real_log = 0.7, 0.02, []
    teach, exam = lab07_real.questions(course.size)
    real, words = lab07_real.with_adapter(loaded, course.device, rank=8, alpha=16)

    def rollouts():
        """Answers in halves: at the second half the policy is no longer the one that sampled."""
        for step in range(STEPS):
            rows = lab07_real.dealt(teach, step, PROMPTS, GROUP)
            *drawn, texts = lab07_real.sampled(real, words, rows, TOKENS, WARMTH, seed=step)
            with torch.no_grad():
                old = lab07_real.logprobs(real, *drawn, WARMTH)
                with real_training.disable_adapter(real):
                    theirs = lab07_real.logprobs(real, *drawn, WARMTH)
            mask = drawn[-1]
            scores = lab07_real.directness(texts, course.device)
            prices = parts["kl_penalised"](scores, old, theirs, mask, PRICE).sum(1)
            advantages = group["group_advantages"](prices.view(PROMPTS, GROUP), False)
            real_log.append(lab07_real.step_of(scores, (old - theirs) * mask, texts))
            answers = list(zip(*drawn, old, advantages.reshape(-1, 1).expand_as(old)))
            yield from (answers[: len(answers) // 2], answers[len(answers) // 2 :])

    def loss_of(answers):
        ids, attention, mask, old, advantages = map(torch.stack, zip(*answers))
        now = lab07_real.logprobs(real, ids, attention, mask, WARMTH)
        return parts["policy_loss"](now, old, advantages, mask, 0.2)

    spoken = {"before": lab07_real.answers(real, words, exam)}
    parted = {"at_once": 3, "count": lab07_real.tokens_of}  # three answers in memory at a time
    real_training.train(real, rollouts(), loss_of, 5e-4, "GRPO", **parted)
    spoken["after"] = lab07_real.answers(real, words, exam)
    lab07_real.show_steps(real_log)
    examined = lab07_real.show_exam(exam, spoken, 8, course.size)
    lab07_logs.recall(MY_GUESS)

# %% [markdown]
# **What to notice.** The reward of a step has an error of its own (± in the table, that of its eighteen answers), and its three questions are others at each step. In our run the reward climbs from 0.06 to 0.92, and 13 of the twenty held-out questions were answered with what is right before and one after. Most of its answers are a row of pictures, in which there is no blank: the rule counts one word. Nobody taught it that, sampling found it. This is § 12 again, with a reward that everybody can read: what a reward does not measure, the policy gives away.

# %%
# CLAIM
{
    "The reward of a step has an error of its own": len(real_log) == STEPS and PROMPTS == 3,
    "In our run the reward climbs from 0.06 to 0.92": f"{real_log[0]['reward']:.2f}" == "0.06"
    and f"{real_log[-1]['reward']:.2f}" == "0.92"
    and (examined["before"]["names"], examined["after"]["names"]) == (13, 1),
    "Most of its answers are a row of pictures": examined["after"]["without letters"] > len(exam) / 2,
    "Nobody taught it that": GENERAL,
    "This is § 12 again": GENERAL,
}

# %% [markdown]
# ## § 17 Summary
#
# You wrote the reward of a token, its advantage, the clipped losses and the group advantage. GRPO's advantages and loss are TRL's, batch for batch; TRL's defaults are others. On the plane of utility against KL you have seen how far PPO, GRPO and best-of-n are from the best possible policy, where the reward model stops being a guide, how a run dies, and how a wrong loss looks from outside.
# Lab 08 takes another way: no sampling in the loop, no critic, and no reward model. How near that comes to the same frontier is measured there.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** In § 12 the proxy climbed and the gold utility fell. Why, what did the policy do, and what has the KL penalty to do with it? Give your numbers.

# %%
# CLAIM
{
    "You wrote the reward of a token": GENERAL,
    "GRPO's advantages and loss are TRL's": max(
        max(row["loss"], row["advantages"]) for row in apart
    )
    < 1e-5
    and all(library.values()),
    "On the plane of utility against KL": GENERAL,
    "Lab 08 takes another way": GENERAL,
    "How near that comes": GENERAL,
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
    "In § 12 the proxy climbed": rewards[-1] > rewards[0] and turn is not None,
    "Give your numbers": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The reward model was fitted to pairs of the reference model's answers and only guesses elsewhere; without a price on KL the policy walks to where the guess is too high. In my run its score rose from 0.6 to 2.8, while the gold utility turned at step 12, at 2.8 nats, and ended at 1.84 on the test prompts, at 8.6 nats.
# With the penalty the same algorithm stayed at 1.0 nats, had a lower score (1.58) and a higher gold utility (2.69). Without it nearly every answer begins with a courtesy and names the resident. At questions after a fact people lose nothing by it in utility (3.0 with and without; fewer answers are right), but where a short form was asked for, or where nobody can know, every answer is wrong. The penalty keeps the policy where the reward model has seen labels; stopping at the turn would do the same.
# ### END SOLUTION

# %%
# CLAIM
{
    "without a price on KL the policy walks": GENERAL,
    "In my run its score rose": (
        f"{rewards[0]:.1f}",
        f"{rewards[-1]:.1f}",
        turn,
        f"{free_run.history[turn]['kl']:.1f}",
        f"{results[three[2]]['utility']:.2f}",
        f"{results[three[2]]['kl']:.1f}",
    )
    == ("0.6", "2.8", 12, "2.8", "1.84", "8.6"),
    "With the penalty the same algorithm": (
        f"{results[three[1]]['kl']:.1f}",
        f"{results[three[1]]['reward']:.2f}",
        f"{results[three[1]]['utility']:.2f}",
    )
    == ("1.0", "1.58", "2.69"),
    "Without it nearly every answer": min(
        free_habits["fact"][three[2]]["courtesy"], free_habits["fact"][three[2]]["named"]
    )
    > 0.95,
    "At questions after a fact people lose nothing by it": (
        f"{free_habits['fact'][three[2]]['utility']:.1f}",
        f"{free_habits['fact'][three[1]]['utility']:.1f}",
    )
    == ("3.0", "3.0")
    and free_habits["short"][three[2]]["right"] == 0
    and free_habits["unknown"][three[2]]["right"] == 0,
    "The penalty keeps the policy": GENERAL,
}

# %% [markdown]
# **2.** Which choice made the run of § 13 collapse? Give the order of the alarms, what in the logs speaks for your choice, and what your cure changed.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# The reward alarm went off first, at the same row as KL (the first that a window of three can see, and the reward stands first in ALARMS), then length. It is the step size: the KL was 20 nats after the first step and 100 after the fifth, at three times the learning rate, and nothing held it. The reward came back afterwards, to 2.3, above the healthy runs, with a gold utility of −2.2 and every answer cut at 48 tokens: an alarm that looks at the last reward only would have slept.
# With the learning rate of § 10 alone no gibberish appeared in the same number of steps (gold 1.0), while the clip of § 10 alone let the KL pass 400 nats. There was still no price on KL, so the cured run went to 15 nats: that disease is § 12's.
# ### END SOLUTION

# %%
# CLAIM
{
    "The reward alarm went off first": gone_off["GRPO, a bad recipe"] == ["reward", "kl", "length"],
    "It is the step size": (
        f"{bad_run.history[0]['kl']:.0f}",
        f"{bad_run.history[4]['kl']:.0f}",
    )
    == ("20", "100")
    and bad_config.learning_rate > 3 * grpo_config.learning_rate,
    "The reward came back afterwards": (
        f"{bad_run.history[-1]['reward']:.1f}",
        f"{results['GRPO, a bad recipe']['utility']:.1f}",
        f"{results['GRPO, a bad recipe']['length']:.0f}",
    )
    == ("2.3", "-2.2", "48"),
    "With the learning rate of § 10 alone": (
        f"{results['learning_rate taken back']['utility']:.1f}" == "1.0"
        and max(row["kl"] for row in cured["clip"].history) > 400
    ),
    "There was still no price on KL": f"{cured['learning_rate'].history[-1]['kl']:.0f}" == "15",
}

# %% [markdown]
# ## § 18 Hand in
#
# Your policy goes to the grader, who asks it fresh prompts and looks at the gold utility: 1 point from a mean of 2.5 on, none at 2.0, a straight line between (the reference model has about 1.9). PPO's is saved here; hand in another one if you think that people like it better.

# %%
# LONG
figures = {key: results["PPO"][key] for key in ("utility", "kl", "reward", "length")}
saved = save_stage("rlhf", ppo_run.model, {**ppo_run.record, "metrics": figures})

# %%
check("trained_policy")

# %% [markdown]
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), and run the cell. It packs the notebook and your policy into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
