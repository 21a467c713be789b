# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 08 — Direct alignment
#
# ```
#  raw text ──▶ base model ──▶ assistant ──▶ PREFERRED ──▶ safe ──▶ released
#  00, 01       02             03, 04, 05    06, 07 ► 08 ◄ 09 10    11
#                                            you are here
# ```
#
# **About 90 minutes · 9 points · a laptop is enough.** Your computer works alone for about 7 of these minutes (two cores at 200 GFLOP/s).
#
# Lab 06 made a reward model from preferences, lab 07 a policy from the reward model. Here one loss leads from the preferences to the policy, with no reward model and no sampling.

# %% [markdown]
# > **After this lab you can**
# > - derive DPO in three lines: the best policy hides its reward in its own probabilities,
# > - write the losses of DPO, cDPO, IPO and KTO, and show that TRL computes the same ones,
# > - say what happens to the log-probability of the chosen answers, and where the mass goes,
# > - look for a taste of the labels in what the policy says and in what it costs,
# > - choose a loss when labels are wrong, or when there are only thumbs,
# > - compare DPO, RLHF and best-of-n fairly: at equal KL, at equal labels and at equal compute.

# %%
# SETUP

# %%
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals()): your f if its check passes
from course_lib.shown import lab08_direct_alignment as lab  # tables, pictures, comparisons
from course_lib.stages import dpo as direct  # the training loop

# %% [markdown]
# ## § 1 The pairs, the policy before, and the limit
#
# Each row of the data is a prompt, two answers of the assistant of lab 03, and the judgement of one villager: *chosen* and *rejected*. Five villagers judged, each with noise and some with a bias (lab 06).
#
# The **policy** starts as the assistant, sampled at temperature 0.6. That starting point is frozen as the **reference model** $\pi_\text{ref}$.
#
# The **gold utility** is what the village really wants, before noise and bias (lab 06, § 1 has its terms). We measure with it; nothing in this lab is trained on it. With many sampled answers it gives the **frontier**: the best utility that any policy can have at each distance (KL) from the reference.

# %%
# LONG
preset, small = direct.PRESETS[course.size], course.size == "tiny"
pairs = lab.preference_rows("train", preset.rows)
held_out = lab.preference_rows("test", 60 if small else 1000)
lab.show_pairs(pairs[:3])
lab.show_lengths(pairs)

# %%
# LONG
reference = lab.assistant(load_stage("sft").model.to(course.device)).eval()
asked = lab.prompts("test", 12 if small else 100, seed="lab 08")  # no pair speaks of them
yard = lab.yardstick(reference, asked, each=16 if small else 256)  # samples, utilities, frontier
before = lab.look(reference, yard)
lab.show({"reference model": before})
lab.show_frontier(yard)

# %% [markdown]
# **What to notice.** The frontier rises steeply: in our run from 1.88 to 2.9 within one nat. A nat is little, for the best policy says nothing that the reference never says. It only says the better answers more often.

# %%
# CLAIM
{
    "in our run from 1.88 to 2.9 within one nat": f"{yard.start:.2f}" == "1.88"
    and 2.8 < max(u for kl, u in yard.limit if kl < 1.0) < 2.95,
    "the best policy says nothing that the reference never says": GENERAL,
    "It only says the better answers more often": GENERAL,
}

# %% [markdown]
# ## § 2 The best policy
#
# DPO in three lines ([Rafailov et al. 2023](https://arxiv.org/abs/2305.18290)). For one prompt, with rewards $r(y)$ and price $\beta$ of a nat:
#
# 1. The policy that maximises $\mathbb{E}_\pi[r] - \beta\,\text{KL}(\pi \,\|\, \pi_\text{ref})$ is $\;\pi^*(y) = \pi_\text{ref}(y)\, e^{r(y)/\beta} / Z$
# 2. Solve for the reward: $\;r(y) = \beta \log \dfrac{\pi^*(y)}{\pi_\text{ref}(y)} + \beta \log Z$
# 3. Put it into Bradley and Terry's model of lab 06. $Z$ is the same for both answers and falls away: $\;P(a \succ b) = \sigma\!\left(\beta \log \dfrac{\pi^*(a)}{\pi_\text{ref}(a)} - \beta \log \dfrac{\pi^*(b)}{\pi_\text{ref}(b)}\right)$
#
# So a policy *is* a reward model, and can be trained like one. First line 1:
#
# - `logprobs`: $\log \pi_\text{ref}$ of K answers on the last axis, their probabilities add up to 1 · `rewards`: the same shape · `beta` > 0
# - returned: $\log \pi^*$, normalised on the last axis, with a gradient for the rewards
# - rewards may be ±1,000 and β 0.001. An answer with the probability $e^{-300}$ has $\log \pi^* = -300$ and not −∞
# - an answer with $\log \pi_\text{ref} = -\infty$ keeps −∞, whatever its reward
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary>The logarithm of the numerator is <code>logprobs + rewards / beta</code>.</details>
# <details><summary>Hint 2</summary>Dividing by the sum, in logarithms and without an overflow, is <code>torch.log_softmax(…, dim=-1)</code>.</details>

# %%
# EXERCISE optimal_policy
def optimal_policy(
    logprobs: Float[Tensor, "*batch K"], rewards: Float[Tensor, "*batch K"], beta: float
) -> Float[Tensor, "*batch K"]:
    """log π* of K answers: π_ref tilted by exp(reward / beta).

    Inputs:  logprobs: log π_ref of each answer, nats · rewards: of each answer
             beta: price of a nat of KL
    Returns: log π*, nats; exp of it adds up to 1 on the last axis
    """
    ### BEGIN SOLUTION
    return torch.log_softmax(logprobs + rewards / beta, dim=-1)
    ### END SOLUTION


# %%
check("optimal_policy")

# %% [markdown]
# Now line 2: the **implicit reward** of a policy, $\hat r(y) = \beta\,(\log \pi(y) - \log \pi_\text{ref}(y))$. The constant $\beta \log Z$ is left out: it is the same for every answer to a prompt, and only differences count.
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 2
#
# <details><summary>Hint</summary>The inputs are logarithms already.</details>

# %%
# EXERCISE implicit_reward
def implicit_reward(
    logprobs: Float[Tensor, "*batch"], reference: Float[Tensor, "*batch"], beta: float
) -> Float[Tensor, "*batch"]:
    """The reward for which the policy would be optimal, up to a constant of the prompt.

    Inputs:  logprobs: log π of each answer · reference: log π_ref of each answer, nats
             beta: price of a nat of KL
    Returns: a reward for each answer
    """
    ### BEGIN SOLUTION
    return beta * (logprobs - reference)
    ### END SOLUTION


# %%
check("implicit_reward")

# %% [markdown]
# Look at it on one prompt: what the reference says, what that is worth (the gold utility, only for looking), and the best policies for three prices of a nat. Then back: the implicit reward of the best policy against the utility that made it.

# %%
# LONG
tilt, reward_of = mine("optimal_policy", globals()), mine("implicit_reward", globals())
question, answers, log_ref, gold = lab.answers_to_one_question(yard)
best = {beta: tilt(log_ref, gold, beta) for beta in (2.0, 0.5, 0.1)}
lab.show_best(question, answers, log_ref, gold, best)
back = reward_of(best[0.5], log_ref, 0.5)
apart = lab.show_apart(back, gold)

# %% [markdown]
# **What to notice.** The best policy invents nothing: it shifts weight among answers that the reference gives. The lower the price of a nat, the more of it goes to the answers of the highest utility. And the way back is exact: the policy's log-ratios hold every difference of two utilities.

# %%
# CLAIM
{
    "The best policy invents nothing": all(float(b[log_ref == -torch.inf].exp().sum()) == 0 for b in best.values()),
    "The lower the price of a nat, the more of it goes to the answers of the highest utility": (
        log_ref.exp()[gold == gold.max()].sum()
        < best[2.0].exp()[gold == gold.max()].sum()
        < best[0.5].exp()[gold == gold.max()].sum()
        < best[0.1].exp()[gold == gold.max()].sum()
    ),
    "the way back is exact": apart < 1e-4,
}

# %% [markdown]
# ## § 3 How likely is an answer?
#
# The loss needs $\log \pi(y \mid x)$ of whole answers. By the chain rule that is a **sum** over the answer's tokens:
#
# $$\log \pi(y \mid x) = \sum_{t \,\in\, \text{answer}} \log p(\text{token}_t \mid \text{all before it})$$
#
# - `logits`: `[B T V]`, the logits at $t$ speak of the token at $t + 1$ · `labels`: `[B T]`, the token where the answer stands, −100 on prompt and padding (a token may have the id 0)
# - returned: one number a row, `[B]`, in float32 whatever the dtype of the logits (cast them first); exactly 0 for a row without an answer
# - a sum and no mean: line 3 speaks of the probability of the whole answer
# - logits may be ±1,000, and an answer 300 tokens long: the result is a number, not −∞
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Shift first: <code>logits[:, :-1]</code> against <code>labels[:, 1:]</code>.</details>
# <details><summary>Hint 2</summary><code>gather</code> does not take −100: <code>targets.clamp(min=0)</code>, and multiply by the mask <code>targets != -100</code> afterwards.</details>
# <details><summary>Hint 3</summary><code>torch.log_softmax(logits.float(), -1).gather(2, ….unsqueeze(-1)).squeeze(-1)</code> picks the log-probability of each token.</details>

# %%
# EXERCISE answer_logprobs
def answer_logprobs(
    logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]
) -> Float[Tensor, " B"]:
    """log π of each row's answer, nats, in float32.

    Inputs:  logits: the model's output at each position
             labels: the answer's tokens, −100 off the answer
    Returns: the sum over the answer's tokens, one number a row
    """
    ### BEGIN SOLUTION
    targets = labels[:, 1:]
    logs = torch.log_softmax(logits[:, :-1].float(), dim=-1)
    chosen = logs.gather(2, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (chosen * (targets != -100)).sum(1)
    ### END SOLUTION


# %%
check("answer_logprobs")

# %%
# LONG
logprobs_of = mine("answer_logprobs", globals())
batch = lab.library.twins(reference, pairs[:64]).to(course.device)  # their answers as one batch
with torch.no_grad():
    values = logprobs_of(reference(batch.ids), batch.labels)
    theirs, tokens = direct.answer_logprobs(reference, batch.ids, batch.labels)
lab.show_logprobs(values, tokens)

# %% [markdown]
# The training loop calls another function than yours. It comes to the same numbers and computes the logits of the answers only.

# %%
# CLAIM
{"It comes to the same numbers": float((values - theirs).abs().max()) < 1e-3}

# %% [markdown]
# ## § 4 The loss
#
# Line 3 gives the probability of the label, and training maximises its logarithm:
#
# $$L_\text{DPO} = \frac{1}{B} \sum_{i} -\log \sigma(m_i), \qquad m_i = \beta \left[\log \frac{\pi(\text{chosen}_i)}{\pi_\text{ref}(\text{chosen}_i)} - \log \frac{\pi(\text{rejected}_i)}{\pi_\text{ref}(\text{rejected}_i)}\right]$$
#
# - all four inputs: `[B]`, log-probabilities of whole answers, nats (some below −1,000) · returned: one number
# - $m$ is the **margin**, the difference of the two implicit rewards. The reference's log-probabilities are numbers, computed once; those of $\pi$ carry a gradient, chosen and rejected alike
# - a margin of −10,000 gives a loss of 10,000, not infinity, and its full gradient: no clamp, no small number added
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary>Two log-ratios, their difference times <code>beta</code>.</details>
# <details><summary>Hint 2</summary><code>torch.log(torch.sigmoid(m))</code> is −∞ for a margin of −200. <code>F.logsigmoid(m)</code> is not.</details>

# %%
# EXERCISE dpo_loss
def dpo_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_reference: Float[Tensor, " B"],
    rejected_reference: Float[Tensor, " B"],
    beta: float,
) -> Float[Tensor, ""]:
    """Mean −log σ of the margins, nats a pair.

    Inputs:  log π of the chosen and of the rejected answers, log π_ref of both
             beta: price of a nat of KL
    Returns: one number, a tensor with a gradient
    """
    ### BEGIN SOLUTION
    margin = beta * ((chosen - chosen_reference) - (rejected - rejected_reference))
    return -F.logsigmoid(margin).mean()
    ### END SOLUTION


# %%
check("dpo_loss")

# %% [markdown]
# Now the library. TRL's `DPOTrainer` gets the raw rows and does everything by itself: template, batch, log-probabilities of both models, loss. Yours must agree in the loss and in every gradient.
#
# (Its import takes ten seconds. The policy here is the reference with some noise on its weights, so that the margins are not all 0.)

# %%
# LONG
loss_fn = mine("dpo_loss", globals())
twins = lab.library.twins(reference, pairs[:16])


def both(model):
    """log π of the chosen and of the rejected answers, by your function of § 3."""
    return logprobs_of(model(twins.ids), twins.labels).chunk(2)


anchor = [each.detach() for each in both(twins.reference)]
theirs = lab.library.by_trl(twins, beta=0.1)
lab.library.compare("DPO", loss_fn(*both(twins.policy), *anchor, beta=0.1), twins, theirs)
lab.library.show_defaults(twins, preset)

# %% [markdown]
# **What to notice.** The batches are equal id by id, because `ANSWER_TEMPLATE` ends a conversation with `<|im_end|>`. With the template of lab 03, TRL would count the newline after it as part of both answers.
#
# Read the first two rows of the table before you use the library. A model that was fine-tuned in memory and is given without `ref_model` is compared with its *old* weights. The sign of a right start is a first loss of log 2 = 0.6931.

# %%
# CLAIM
{
    "The batches are equal id by id": theirs is None or torch.equal(theirs.batch["input_ids"], twins.ids),
    "With the template of lab 03, TRL would count the newline": GENERAL,
    "Read the first two rows of the table": GENERAL,
    "is compared with its *old* weights": theirs is None or abs(theirs.loss - 0.6931) > 0.005,
    "The sign of a right start is a first loss of log 2 = 0.6931": abs(
        loss_fn(*anchor, *anchor, beta=0.1).item() - 0.6931
    )
    < 1e-4,
}

# %% [markdown]
# ## § 5 Train
#
# The loop is in `course_lib/stages/dpo.py`: for each batch of pairs the log-probabilities of both answers, the loss, one step of AdamW. No answer is sampled. The reference's log-probabilities are computed once, before the loop.
#
# **Predict first,** in `MY_GUESS`. While the margin grows, what will happen to the log-probability of the *chosen* answers, and to that of the *rejected* ones?
#
# The policy is one point of your grade: the mean gold utility of 4 answers to each of 80 fresh prompts. Full marks from 2.15 on, none up to 1.95.

# %%
# LONG
MY_GUESS = ""
live = lab.live_pairs("DPO: which answers become likelier?")
out = course.work / f"dpo_{course.size}"
run = direct.dpo(pairs, preset, reference, loss_fn=loss_fn, on_step=live, out=out, progress=False)
live.close()
save_stage("dpo", run.model, run.record)
policy, BETA = run.model, run.record["beta"]
after = lab.look(policy, yard)
lab.show({"reference model": before, f"DPO, β = {BETA:g}, {len(pairs):,} pairs": after})
end = lab.show_end(run.history, MY_GUESS, course.size)

# %%
check("dpo_policy")

# %% [markdown]
# Before and after, on prompts of which no pair spoke. Three samples each:

# %%
# LONG
lab.before_and_after(yard, policy)

# %% [markdown]
# ## § 6 What happens to the chosen answers
#
# The loss asks for a *difference*. It is content if both log-probabilities fall, as long as the rejected one falls faster.
#
# There is even a law. On samples of the reference the mean log-ratio is never positive:
#
# $$\mathbb{E}_{y \sim \pi_\text{ref}}\!\left[\log \frac{\pi(y)}{\pi_\text{ref}(y)}\right] = -\text{KL}(\pi_\text{ref} \,\|\, \pi) \le 0$$
#
# Both answers of a pair came from the reference. So over plain samples of the reference, whatever DPO does, the average answer becomes less likely.
#
# The pairs are no *plain* sample of it, though: two equal answers never made a pair, so the answers that the reference gives most often are rare among them. On the policy's *own* answers the same mean is $+\text{KL}(\pi \,\|\, \pi_\text{ref})$. Measure all of it on held-out pairs:

# %%
# LONG
r = lab.ratios(policy, reference, held_out)
backwards = lab.kl_from(reference, policy, yard)  # KL(π_ref ‖ π), on fresh samples
lab.show_log_ratios(r, backwards, after["kl"])
worth = lab.beside_the_chosen(policy, held_out)  # gold utilities: the policy's answers, the chosen
better, worse = lab.show_beside(*worth, r, course.size)
lab.show_fallen(held_out, r)

# %% [markdown]
# **What to notice.** Over plain samples of the reference the log-ratios share one sum that cannot be positive, and in our run that of these pairs is not either. In our run most chosen answers became *less* likely. The mean over the pairs lies below −KL, for the likeliest answers are left out of them.
#
# Where does the mass go? To answers that are neither the chosen nor the rejected one of their pair. In our run the policy's answer was better than the *chosen* one more than twice as often as worse: a chosen answer only had to beat the one beside it.

# %%
# CLAIM
{
    "share one sum that cannot be positive": r.mean() <= 0,
    "most chosen answers became *less* likely": (r[:, 0] < 0).float().mean() > 0.5,
    "The mean over the pairs lies below −KL": r.mean() < -backwards,
    "To answers that are neither the chosen nor the rejected one": GENERAL,
    "In our run the policy's answer was better than the *chosen* one more than twice as often as worse": better
    > 2 * worse,
}

# %% [markdown]
# ## § 7 What the labels like beside the truth
#
# DPO never sees the utility. It sees labels, and learns whatever the labels have in common. Cecily likes long answers, whatever they say; Agnes has no such bias. Here are three sets of labels for the *same* pairs of answers: by Agnes, by Cecily, and by somebody who loves length four times as much as Cecily.
#
# From each a policy is trained on 3,000 pairs. These short runs have 47 steps, and take a larger learning rate for it.
#
# **Predict first,** in `MY_GUESS`: by how many tokens will the answers of the three policies differ, and which has the highest utility?

# %%
# LONG
MY_GUESS = ""
SHORT = min(len(pairs), 3000)  # pairs of a short run
short_preset = replace(preset, learning_rate=2.5 * preset.learning_rate)


def short_run(rows, config=short_preset, **options):
    """(policy, its measures) of DPO on the rows; `options` go to the loop."""
    options = {"loss_fn": loss_fn, **options}
    trained = direct.dpo(rows, config, base=reference, seed=1, progress=False, **options).model
    return trained, lab.look(trained, yard)


agnes, cecily = lab.ANNOTATORS[0], lab.ANNOTATORS[2]
people = [agnes, cecily, replace(cecily, name="four times Cecily", length=4 * cecily.length)]
by_person = {p.name: short_run(lab.labelled_by(p, pairs[:SHORT])) for p in people}
lab.show_taste({"reference": before} | {name: m for name, (_, m) in by_person.items()}, MY_GUESS)

# %% [markdown]
# A second look, without sampling: the implicit reward of answers that are made longer and not better. One courtesy is worth something; here it is said again and again.

# %%
# LONG
polite = lab.show_courtesies(by_person, yard, held_out[: 20 if small else 150], BETA)

# %% [markdown]
# **What to notice.** In our run the policies of Agnes and of Cecily answer equally long, and even four times the bias makes the answers hardly longer, by less than half a token. So is nothing of it in the policy? Compare Cecily with four times Cecily, who are equally noisy (Agnes is less so): with four times the bias the policy went 1.9 times as far, for half the share of the frontier. So a strong taste that is not the village's cost nats and bought nothing, in this one run; her own bias shows nowhere here.
#
# Held-out labels by the same person could not have told you: whoever shares the bias agrees with it. It shows in what the policy *says* and in what it costs. So look at lengths, features and KL, not only at the accuracy on labels.
#
# "Of course." four times is punished by all three in our run, though no label ever spoke of it: such an answer is unlike anything in the pairs.

# %%
# CLAIM
{
    "the policies of Agnes and of Cecily answer equally long": abs(
        by_person["Agnes"][1]["length"] - by_person["Cecily"][1]["length"]
    )
    < 0.3,
    "by less than half a token": 0
    < by_person["four times Cecily"][1]["length"] - by_person["Agnes"][1]["length"]
    < 0.5,
    "the policy went 1.9 times as far": abs(
        by_person["four times Cecily"][1]["kl"] / by_person["Cecily"][1]["kl"] - 1.9
    )
    < 0.06,
    "for half the share of the frontier": 0.4
    < by_person["four times Cecily"][1]["share"] / by_person["Cecily"][1]["share"]
    < 0.6,
    "cost nats and bought nothing, in this one run": by_person["four times Cecily"][1]["utility"]
    < by_person["Cecily"][1]["utility"],
    "her own bias shows nowhere here": by_person["Cecily"][1]["kl"] < by_person["Agnes"][1]["kl"]
    and abs(by_person["Cecily"][1]["share"] - by_person["Agnes"][1]["share"]) < 0.04,
    "whoever shares the bias agrees with it": GENERAL,
    "It shows in what the policy *says* and in what it costs": GENERAL,
    "So look at lengths, features and KL": GENERAL,
    "four times is punished by all three in our run": all(
        polite[person.name][3] < polite[person.name][1] for person in people
    ),
}

# %% [markdown]
# ## § 8 Some labels are wrong
#
# A loss of $-\log\sigma(m)$ believes each label: it pays for a larger margin for ever. If a share ε of the labels is flipped, a label is right with probability 1 − ε. Averaging the loss over both possibilities gives **conservative DPO** ([Mitchell 2023](https://ericmitchell.ai/cdpo.pdf)), which is label smoothing:
#
# $$L_\text{cDPO} = \frac{1}{B} \sum_i -(1 - \varepsilon) \log \sigma(m_i) - \varepsilon \log \sigma(-m_i)$$
#
# - the margin $m$ is that of DPO; `smoothing` is ε, from 0 (then it is DPO) to ½; both terms carry a gradient
# - its minimum is no longer at infinity: at $m = \log \frac{1 - \varepsilon}{\varepsilon}$
# - as before: mean over the pairs, and finite for margins of ±10,000, also at ε = 0
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint</summary><code>torch.log(1 - torch.sigmoid(m))</code> is −∞ for a margin of 200. The same number is <code>F.logsigmoid(-m)</code>.</details>

# %%
# EXERCISE cdpo_loss
def cdpo_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_reference: Float[Tensor, " B"],
    rejected_reference: Float[Tensor, " B"],
    beta: float,
    smoothing: float,
) -> Float[Tensor, ""]:
    """DPO with smoothed labels, nats a pair.

    Inputs:  as dpo_loss · smoothing: ε, the share of the labels that are taken to be wrong
    Returns: one number, a tensor with a gradient
    """
    ### BEGIN SOLUTION
    margin = beta * ((chosen - chosen_reference) - (rejected - rejected_reference))
    return (-(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)).mean()
    ### END SOLUTION


# %%
check("cdpo_loss")

# %% [markdown]
# Does cDPO help? § 9 measures it. First, is it right?
#
# <details><summary>How it is compared with TRL, which has no such loss</summary>
#
# TRL 1.16 takes a <code>label_smoothing</code> with its usual loss and does not use it (§ 4). Its <code>"robust"</code> loss uses it in another way: with $L(m) = -\log\sigma(m)$ it is $\left[(1-\varepsilon)\,L(m) - \varepsilon\,L(-m)\right] / (1 - 2\varepsilon)$. From both, cDPO can be put together: $2(1-\varepsilon)\,L(m) - (1-2\varepsilon)\,\text{robust}$. TRL adds up losses by <code>loss_weights</code>.
# </details>

# %%
# LONG
smooth_fn = mine("cdpo_loss", globals())
theirs = lab.library.cdpo_by_trl(twins, beta=0.1, smoothing=0.2)
lab.library.compare("cDPO", smooth_fn(*both(twins.policy), *anchor, 0.1, 0.2), twins, theirs)

# %% [markdown]
# ## § 9 A target in place of a slope
#
# **IPO** ([Azar et al. 2023](https://arxiv.org/abs/2310.12036)) drops the sigmoid. The difference of the log-ratios should reach a fixed target and not go beyond it:
#
# $$L_\text{IPO} = \frac{1}{B} \sum_i \left(h_i - \frac{1}{2\beta}\right)^2, \qquad h_i = \frac{1}{T_i} \log \frac{\pi(\text{chosen}_i)}{\pi_\text{ref}(\text{chosen}_i)} - \frac{1}{T_i'} \log \frac{\pi(\text{rejected}_i)}{\pi_\text{ref}(\text{rejected}_i)}$$
#
# - $T_i$, $T_i'$: `lengths_chosen`, `lengths_rejected`, tokens of each answer, `[B]` whole numbers. Each log-ratio is averaged over its **own** answer's tokens, as TRL does
# - β stands in the target only: a small β asks for a large difference. At the target the loss is 0, beyond it the pair is pulled back
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint</summary><code>1 / 2 * beta</code> is β/2. Write <code>1 / (2 * beta)</code>.</details>

# %%
# EXERCISE ipo_loss
def ipo_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_reference: Float[Tensor, " B"],
    rejected_reference: Float[Tensor, " B"],
    lengths_chosen: Int[Tensor, " B"],
    lengths_rejected: Int[Tensor, " B"],
    beta: float,
) -> Float[Tensor, ""]:
    """Mean squared distance of the log-ratios' difference, a token, from 1 / (2 beta).

    Inputs:  as dpo_loss, the log-probabilities still sums · lengths: tokens of each answer
    Returns: one number, a tensor with a gradient
    """
    ### BEGIN SOLUTION
    h = (chosen - chosen_reference) / lengths_chosen
    h = h - (rejected - rejected_reference) / lengths_rejected
    return ((h - 1 / (2 * beta)) ** 2).mean()
    ### END SOLUTION


# %%
check("ipo_loss")

# %%
# LONG
ipo_fn = mine("ipo_loss", globals())
theirs = lab.library.by_trl(twins, beta=1.0, loss_type=["ipo"])
squared = ipo_fn(*both(twins.policy), *anchor, *twins.lengths().chunk(2), beta=1.0)
lab.library.compare("IPO", squared, twins, theirs)

# %% [markdown]
# Which of the three bears wrong labels best? A fifth of the labels is flipped, on top of the noise that the villagers have anyway.
#
# **Predict first,** in `MY_GUESS`: how much utility does each loss lose by the flipped labels?

# %%
# LONG
MY_GUESS = ""
FLIPPED = 0.2
labels_are = {"as they are": pairs[:SHORT], "20 % flipped": lab.flipped(pairs[:SHORT], FLIPPED)}
LOSSES = {
    "DPO": {},
    "cDPO": {"loss_fn": lambda *four, beta: smooth_fn(*four, beta, FLIPPED)},
    "IPO": {"loss_fn": ipo_fn, "lengths": True, "beta": direct.IPO_BETA},
}
noise = {}
for name, options in LOSSES.items():
    for how, rows in labels_are.items():
        noise[f"{name}, {how}"] = short_run(rows, **options)
lost = lab.show_noise(noise, LOSSES, reference, held_out, MY_GUESS, course.size)

# %% [markdown]
# **What to notice.** Read the utility together with the KL. Flipped labels contradict each other, so the average pull is weaker and the policy stays nearer to the reference. The last column says what it made of the nats that it spent.
#
# In our run cDPO made most of the 3,000 labels as they are. Yet it was cDPO that *lost* utility by the flips, and DPO lost none: smoothing is no cure that costs nothing. One seed decides nothing here; the errors are 0.03 to 0.09.
#
# No loss gets all out of its pairs: 47 steps are few, and § 13 reads the same pairs three times. And no judge agrees with all labels, for the villagers do not agree among themselves.

# %%
# CLAIM
{
    "Read the utility together with the KL": GENERAL,
    "the policy stays nearer to the reference": all(
        noise[f"{name}, 20 % flipped"][1]["kl"] < noise[f"{name}, as they are"][1]["kl"] for name in LOSSES
    ),
    "The last column says what it made": GENERAL,
    "In our run cDPO made most of the 3,000 labels as they are": noise["cDPO, as they are"][1]["share"]
    > max(noise["DPO, as they are"][1]["share"], noise["IPO, as they are"][1]["share"]),
    "it was cDPO that *lost* utility by the flips, and DPO lost none": lost["cDPO"] > 0.08 and lost["DPO"] < 0.03,
    "the errors are 0.03 to 0.09": all(0.02 < m["error"] < 0.1 for _, m in noise.values()),
    "47 steps are few": -(-SHORT // preset.batch) == 47,
    "no judge agrees with all labels": lab.bayes_accuracy([lab.crowd(*p) for p in lab.pairs_of(held_out)]) < 0.75,
}

# %% [markdown]
# ## § 10 Thumbs
#
# Few people compare two answers. Many give a thumb up or down to one. **KTO** ([Ethayarajh et al. 2024](https://arxiv.org/abs/2402.01306)) learns from those, with no pairs at all:
#
# $$L_\text{KTO} = \frac{1}{B} \sum_i w_i \left(1 - \sigma\!\left(\pm \beta \left[\log \frac{\pi(y_i)}{\pi_\text{ref}(y_i)} - z\right]\right)\right)$$
#
# - $+$ and $w$ = `up_weight` for a thumb up; $-$ and `down_weight` for a thumb down: the whole bracket changes its sign
# - $z$ is the **reference point**, the KL of the policy so far. You get an estimate of it from a batch, `kl`. It can be negative by chance; a KL cannot, so a negative `kl` counts as 0
# - it is measured and not trained: no gradient goes through `kl`
# - one mean over all answers of the batch (divide by their number, not by the weights), which may hold thumbs of one kind only
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>kl.detach().clamp(min=0)</code></details>
# <details><summary>Hint 2</summary><code>torch.where(up, a, b).mean()</code> chooses answer by answer and cannot be empty.</details>

# %%
# EXERCISE kto_loss
def kto_loss(
    logprobs: Float[Tensor, " B"],
    reference: Float[Tensor, " B"],
    up: Bool[Tensor, " B"],
    kl: Float[Tensor, ""],
    beta: float,
    up_weight: float = 1.0,
    down_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """KTO's loss, mean over the answers.

    Inputs:  log π and log π_ref of each answer · up: True for a thumb up
             kl: estimate of the reference point, nats · weights of both kinds
    Returns: one number, a tensor with a gradient that reaches `logprobs` and not `kl`
    """
    ### BEGIN SOLUTION
    gain = beta * (logprobs - reference - kl.detach().clamp(min=0))
    liked = up_weight * (1 - torch.sigmoid(gain))
    disliked = down_weight * (1 - torch.sigmoid(-gain))
    return torch.where(up, liked, disliked).mean()
    ### END SOLUTION


# %%
check("kto_loss")

# %% [markdown]
# The villagers thumb one answer of each pair: up is likelier, the more it is worth to them. If you gave thumbs in lab 06, yours are among them. The rarer kind weighs more, so that both kinds weigh the same in all; TRL advises this weight, or up to a third more. (Beside TRL a thumb up weighs 1.5: there the weight only has to be the same on both sides.)
#
# TRL estimates $z$ by answers that do *not* belong to their prompts: each prompt with the answer to another one. The course's loop does the same.

# %%
# LONG
kto_fn = mine("kto_loss", globals())
own = lab.own_thumbs(course.work)  # those that you gave in lab 06
liked = (own + lab.thumbs(lab.pairs_of(pairs), seed="lab 08"))[: len(pairs)]
up = torch.tensor([row["label"] for row in liked])
up_weight = float((~up).sum() / up.sum())  # the rarer kind of thumb weighs more
lab.show_thumbs(liked, len(own), up_weight)
alone = lab.library.twins(reference, liked[:16], lab.library.THUMB)
theirs = lab.library.by_trl(alone, beta=0.1, desirable_weight=1.5)
kl = lab.library.reference_point(logprobs_of, alone, theirs)
now, fixed = (logprobs_of(m(alone.ids), alone.labels) for m in (alone.policy, alone.reference))
lab.library.compare("KTO", kto_fn(now, fixed.detach(), up[:16], kl, 0.1, 1.5), alone, theirs)

# %% [markdown]
# Train on as many thumbs as there were pairs. A thumb is one bit, as a pair is, and speaks of half as many answers.
#
# **Predict first,** in `MY_GUESS`: will KTO reach more or less of the frontier than DPO did?

# %%
# LONG
MY_GUESS = ""
weighted = lambda *four, beta: kto_fn(*four, beta, up_weight, 1.0)
live = lab.live_pairs("KTO: which answers become likelier?", ("liked", "disliked"))
kto_run = direct.kto(liked, preset, reference, 0, BETA, weighted, on_step=live, progress=False)
live.close()
kto_after = lab.look(kto_run.model, yard)
lab.show({"DPO on pairs": after, "KTO on thumbs": kto_after}, MY_GUESS)

# %% [markdown]
# **What to notice.** As many labels, and in our run KTO went further from the reference for less. A pair compares two answers to *one* prompt. A thumb also says which prompts the assistant can answer at all, and that is not the policy's choice: it cannot know a resident better by answering otherwise. The loss pulls at this part too, and it costs nats without a gain.

# %%
# CLAIM
{
    "in our run KTO went further from the reference for less": kto_after["kl"] > after["kl"]
    and kto_after["utility"] < after["utility"],
    "A pair compares two answers to *one* prompt": GENERAL,
    "A thumb also says which prompts the assistant can answer": GENERAL,
    "The loss pulls at this part too": GENERAL,
}

# %% [markdown]
# ## § 11 At equal KL
#
# A policy that went twice as far from the reference *should* be better. So methods are compared **at equal KL**, against the frontier. On one plot:
#
# - DPO at several β, IPO, KTO
# - **best-of-n**: the reference writes n answers, a judge picks one. Its KL is at most $\log n - (n-1)/n$. It is less where some of the n are equal, and that is counted here. There are three judges: the reward model of lab 06, DPO's implicit reward, and the gold utility itself, which nobody has
# - the policy of lab 07 (PPO or GRPO on the reward model): yours if you have saved it, else the one in the course's folder
#
# **Predict first,** in `MY_GUESS`: which of them is highest above the reference at half a nat?

# %%
# LONG
MY_GUESS = ""
sweep = {beta: short_run(pairs[:SHORT], beta=beta)[1] for beta in (BETA / 4, 4 * BETA)}
sweep[BETA] = noise["DPO, as they are"][1]
sweep = [sweep[beta] | {"beta": beta} for beta in sorted(sweep)]
trained = {
    f"DPO, {len(pairs):,} pairs": [after],
    f"DPO, {SHORT:,} pairs, β = {BETA / 4:g}, {BETA:g}, {4 * BETA:g}": sweep,
    f"IPO, {SHORT:,} pairs": [noise["IPO, as they are"][1]],
    f"KTO, {len(liked):,} thumbs": [kto_after],
    **lab.fair.policy_of_lab_07(yard),
}
judges = lab.fair.judges(yard, policy)  # gold utility, reward model, implicit reward
picked = {f"best of n by {name}": lab.best_of(scores, yard) for name, scores in judges.items()}
lab.fair.show_plane(yard, trained, picked, MY_GUESS)

# %% [markdown]
# **What to notice.** In our run best-of-n by the reward model lies above every policy that DPO trained. And best-of-n by DPO's own implicit reward lies between the two. So the policy knows a better order of the answers than it acts on.
#
# Best-of-n trains nothing, and pays at every question: n answers are written and n − 1 thrown away. A trained policy pays once.

# %%
# CLAIM
{
    "best-of-n by the reward model lies above every policy that DPO trained": all(
        m["share"] < max(p["share"] for p in picked["best of n by the reward model"] if p["n"] > 1)
        for name in trained
        if name.startswith("DPO")
        for m in trained[name]
    ),
    "best-of-n by DPO's own implicit reward lies between the two": after["share"]
    < picked["best of n by the implicit reward"][5]["share"]
    < picked["best of n by the reward model"][5]["share"],
    "the policy knows a better order of the answers than it acts on": picked["best of n by the implicit reward"][5][
        "share"
    ]
    > after["share"],
    "Best-of-n trains nothing": GENERAL,
    "A trained policy pays once": GENERAL,
}

# %% [markdown]
# ## § 12 At equal labels and at equal compute
#
# Is a reward model worth its price? DPO's authors found none needed. Later papers say otherwise, for two reasons, sampling and ranking: PPO beats DPO ([Xu et al. 2024](https://arxiv.org/abs/2404.10719)). At equal KL methods that sample beat those that do not ([Tang et al. 2024](https://arxiv.org/abs/2405.08448)). DPO's implicit reward orders unseen answers worse than a reward model does ([Lin et al. 2024](https://arxiv.org/abs/2409.03650)). In this village the limit is known, so the missing gain can be split in two:
#
# - **ranking**: what best-of-n *by the judge* misses of the frontier, at the policy's KL. The judge puts answers into a wrong order. DPO's judge is its implicit reward, GRPO's is the reward model
# - **policy**: what the policy itself misses of that best-of-n. It does not act on the order that its judge knows
#
# A comparison is fair if it counts everything: the 30,000 labels of the reward model, and the compute of training it. A model with N parameters takes about 2N FLOP to read or write a token. To learn from one it takes 6N:
#
# | | FLOP for each token of an answer with its prompt |
# |---|---|
# | DPO, each of two answers | 2N (reference) + 6N (learn) |
# | the reward model, each of two answers | 6N (learn) |
# | DPO on the reward model's margins, each of two answers | 2N (reward model) + 2N (reference) + 6N (learn) |
# | GRPO, each answer | 2N (write) + 2N (reward model) + 2 · 2N (policy before the step, reference) + 6N (learn) |
#
# Two policies learn from the reward model here:
#
# - **Distilled DPO** ([Fisch et al. 2024](https://arxiv.org/abs/2405.19316)) reads your pairs and no label. Its loss is $(m - g)^2$: $m$ is the margin of § 4, $g$ the difference of the two rewards
# - **GRPO** (lab 07) gets the compute that DPO on 30,000 pairs would take, less that of the reward model
#
# **Predict first,** in `MY_GUESS`: which of the three policies is nearest to the frontier, and does it lose more by ranking or by policy?

# %%
# LONG
MY_GUESS = ""
reward_model, LABELS = load_stage("reward").model.to(course.device), 30_000  # it was trained on
gaps = lab.fair.reward_gaps(reward_model, pairs)
margins = {"loss_fn": direct.distilled_loss, "gaps": gaps}
distilled = direct.dpo(pairs, preset, base=reference, progress=False, **margins).model

spent = lab.fair.prices(reference, pairs, LABELS)  # TFLOP
left = spent["DPO on all labels"] - spent["reward model"]
online = lab.fair.grpo_for(left, spent["one"], course.size)  # so many steps
reward, fresh = lab.fair.learned_reward(reward_model), lab.prompts("train", 4000, seed="lab 08")
grpo_policy = lab.fair.grpo(reward, fresh, online, base=reference, progress=False).model

# %%
# LONG
own_judge, bought = (picked[f"best of n by the {k}"] for k in ("implicit reward", "reward model"))
fair = lab.fair.show(yard, MY_GUESS, {
    "DPO": (policy, len(pairs), spent["DPO"], own_judge),
    "distilled": (distilled, LABELS, spent["reward model"] + spent["distilled"], bought),
    "GRPO": (grpo_policy, LABELS, spent["DPO on all labels"], bought),
})

# %% [markdown]
# **What to notice.** In our run GRPO made 82 % of what its nats could buy, distilled DPO 68 %, DPO 59 %. All three went 0.8 to 1.2 nats. One run each, and each share has a standard error of five to six points.
#
# The split says where the rest went. DPO lost 28 % by ranking and 13 % by policy. Distilled DPO has the better judge and lost less by ranking (17 %), but as much by policy (15 %): it still reads only the answers of the pairs. GRPO writes its own answers, and lost 4 % by policy.
#
# So both reasons hold a part of the truth. By this split the reward model's order brought eleven points (28 to 17), learning from one's own answers eleven (15 to 4). With errors of five to six points neither is sure from one run. Neither is free: DPO had 12,000 labels and 7.7 TFLOP. The two others had 30,000 labels and 19 to 24 TFLOP, most of it for the reward model. That one stays, for another policy or for best-of-n.

# %%
# CLAIM
{
    "In our run GRPO made 82 % of what its nats could buy, distilled DPO 68 %, DPO 59 %": [
        round(100 * fair[name]["share"]) for name in ("GRPO", "distilled", "DPO")
    ]
    == [82, 68, 59],
    "All three went 0.8 to 1.2 nats": [round(f(m["kl"] for m in fair.values()), 1) for f in (min, max)] == [0.8, 1.2],
    "each share has a standard error of five to six points": all(
        0.045 < m["error"] * m["share"] / (m["utility"] - yard.start) < 0.065 for m in fair.values()
    ),
    "The split says where the rest went": GENERAL,
    "DPO lost 28 % by ranking and 13 % by policy": abs(fair["DPO"]["ranking"] - 0.28) < 0.011
    and abs(fair["DPO"]["policy"] - 0.13) < 0.011,
    "lost less by ranking (17 %), but as much by policy (15 %)": abs(fair["distilled"]["ranking"] - 0.17) < 0.011
    and abs(fair["distilled"]["policy"] - 0.15) < 0.011,
    "GRPO writes its own answers, and lost 4 % by policy": round(100 * fair["GRPO"]["policy"]) == 4,
    "both reasons hold a part of the truth": GENERAL,
    "the reward model's order brought eleven points (28 to 17), learning from one's own answers eleven (15 to 4)": [
        round(100 * fair[name][lost])
        for name, lost in (("DPO", "ranking"), ("distilled", "ranking"), ("distilled", "policy"), ("GRPO", "policy"))
    ]
    == [28, 17, 15, 4],
    "With errors of five to six points neither is sure": GENERAL,
    "12,000 labels and 7.7 TFLOP": len(pairs) == 12_000 and abs(spent["DPO"] - 7.7) < 0.06,
    "19 to 24 TFLOP, most of it for the reward model": 19 < fair["GRPO"]["tflop"] < fair["distilled"]["tflop"] < 24.5
    and spent["reward model"] > 0.55 * fair["distilled"]["tflop"],
    "That one stays, for another policy or for best-of-n": GENERAL,
}

# %% [markdown]
# **Is that fair?** No: DPO had 12,000 labels there. These are stored figures of other runs, five of each, with this lab's loop and other prompts (`course bench dpo`). All but the first line have 30,000 labels, as many as the reward model (those of the rounds are partly new ones). DPO and cDPO on the reward model's have the compute of GRPO, too:
#
# | stored, five runs each | labels | TFLOP | of the frontier's gain at its KL | KL (nats) |
# |---|---|---|---|---|
# | DPO | 12,000 | 7.7 | 45 to 66 % | 0.7 to 0.9 |
# | DPO | 30,000 | 19.4 | 60 to 88 % | 0.9 to 1.4 |
# | DPO in three rounds, two of them on the policy's own answers | 30,000 | 22.6 | 57 to 92 % | 0.9 to 1.6 |
# | cDPO, ε = 0.2 | 30,000 | 19.4 | 79 to 85 % | 0.3 |
# | distilled DPO, on all pairs | 30,000 | 38.7 | 80 to 89 % | 1.0 |
# | GRPO on the reward model | 30,000 | 19.3 | 84 to 92 % | 1.0 |
#
# With 12,000 labels DPO made 45 to 66 % in the stored runs. With 30,000 it made 60 to 88 %. So a part of the gap above was labels.
#
# With the policy's own answers it can do more. Three rounds ([Dong et al. 2024](https://arxiv.org/abs/2405.07863) do it with a reward model as the judge) reached 86 to 92 % in three of five runs: where GRPO is, with people as the judges and no reward model.
#
# Neither is reliable, though. The worst runs of DPO and of the rounds went 1.4 and 1.6 nats and made 60 and 57 %. Best of n by their own implicit rewards would have made 76 %: they had an order like the others, and lost by policy.
#
# Three ways lost little by policy in every run, six points at most: cDPO, distilled DPO and GRPO. The plain loss asks each pair for an ever larger margin. A smoothed label, the reward model's margin and a price on the KL each say when it is enough. cDPO stays near for it: its gold utility is 2.4, that of GRPO 2.7 to 2.8.
#
# What none of these figures says: whether a reward model is worth its price far from the reference.

# %%
# CLAIM stored
{
    "All but the first line have 30,000 labels, as many as the reward model": all(
        run[way]["labels"] == (12_000 if way == "dpo" else 30_000)
        for run in stored("dpo-laptop")["runs"]
        for way in ("dpo", "dpo_all", "rounds_all", "cdpo_all", "distilled_all", "grpo")
        if "labels" in run[way]
    )
    and len(stored("dpo-laptop")["runs"]) == 5,
    "have the compute of GRPO, too": all(
        abs(run[way]["tflop"] - 19.35) < 0.1
        for run in stored("dpo-laptop")["runs"]
        for way in ("dpo_all", "cdpo_all", "grpo")
    ),
    "With 12,000 labels DPO made 45 to 66 % in the stored runs": [
        round(100 * f(run["dpo"]["share"] for run in stored("dpo-laptop")["runs"])) for f in (min, max)
    ]
    == [45, 66],
    "With 30,000 it made 60 to 88 %": [
        round(100 * f(run["dpo_all"]["share"] for run in stored("dpo-laptop")["runs"])) for f in (min, max)
    ]
    == [60, 88],
    "a part of the gap above was labels": GENERAL,
    "With the policy's own answers it can do more": max(
        run["rounds_all"]["share"] for run in stored("dpo-laptop")["runs"]
    )
    > max(run["dpo_all"]["share"] for run in stored("dpo-laptop")["runs"]),
    "reached 86 to 92 % in three of five runs": [
        round(100 * run["rounds_all"]["share"])
        for run in sorted(stored("dpo-laptop")["runs"], key=lambda run: run["rounds_all"]["share"])
    ][2::2]
    == [86, 92],
    "Neither is reliable": GENERAL,
    "went 1.4 and 1.6 nats and made 60 and 57 %": [
        min((round(100 * run[way]["share"]), round(run[way]["kl"], 1)) for run in stored("dpo-laptop")["runs"])
        for way in ("dpo_all", "rounds_all")
    ]
    == [(60, 1.4), (57, 1.6)],
    "Best of n by their own implicit rewards would have made 76 %": [
        round(100 * min((run[way]["share"], run[way]["ranked"]) for run in stored("dpo-laptop")["runs"])[1])
        for way in ("dpo_all", "rounds_all")
    ]
    == [76, 76],
    "Three ways lost little by policy in every run, six points at most": max(
        run[way]["judged" if "judged" in run[way] else "ranked"] - run[way]["share"]
        for run in stored("dpo-laptop")["runs"]
        for way in ("cdpo_all", "distilled_all", "grpo")
    )
    < 0.065,
    "asks each pair for an ever larger margin": GENERAL,
    "each say when it is enough": GENERAL,
    "its gold utility is 2.4, that of GRPO 2.7 to 2.8": [
        round(f(run[way]["utility"] for run in stored("dpo-laptop")["runs"]), 1)
        for way in ("cdpo_all", "grpo")
        for f in (min, max)
    ]
    == [2.4, 2.4, 2.7, 2.8],
    "What none of these figures says": GENERAL,
}

# %% [markdown]
# ## § 13 Change one thing
#
# The short run of § 9 once more, with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. The one below reads the same pairs three times. Others to try, then with `CONFIG = short_preset`: `CHANGE = dict(beta=0.05)`, or the rows of one kind only. Or `CONFIG = replace(short_preset, learning_rate=1e-3)`.

# %%
# LONG
CONFIG, CHANGE, ROWS = replace(short_preset, epochs=3), {}, pairs[:SHORT]
MY_PREDICTION = ""
once, changed = noise["DPO, as they are"], short_run(ROWS, CONFIG, **CHANGE)
lab.show({"as before": once[1], "changed": changed[1]}, MY_PREDICTION)
fits = lab.show_fit({"as before": once[0], "changed": changed[0]}, reference, ROWS[:1000], held_out)

# %% [markdown]
# **What to notice.** Before this run we had written: "more KL, the utility no higher: the later epochs learn single pairs by heart". The run refuted it. The policy did learn pairs by heart: it agrees better with the labels that it read, and hardly better with others. And yet its utility rose, and its share of the frontier about doubled. The short run had stopped too early.

# %%
# CLAIM
{
    "Before this run we had written": GENERAL,
    "The run refuted it": changed[1]["utility"] > once[1]["utility"] + 0.1,
    "it agrees better with the labels that it read, and hardly better with others": fits["changed"][0]
    > fits["as before"][0] + 0.03
    and abs(fits["changed"][1] - fits["as before"][1]) < 0.03,
    "its share of the frontier about doubled": changed[1]["share"] > 1.6 * once[1]["share"],
    "The short run had stopped too early": changed[1]["share"] > once[1]["share"],
}

# %% [markdown]
# ## § 14 A real model
#
# Optional. DPO on SmolLM2-135M-Instruct (Hugging Face, Apache 2.0), through small trained matrices beside its frozen weights (LoRA, lab 04). Forty everyday questions, each with a short and direct answer, written by hand: chosen. Rejected is what the model itself says, which is mostly longer.
#
# `answer_logprobs` and `dpo_loss` are **yours**; twenty other questions examine it (on two of them the model itself says the chosen answer: 18 pairs are left). *Hedges* are words such as *perhaps*. The reference costs no second model: LoRA starts as no change at all.
#
# **Predict first,** in `MY_GUESS`: ten steps on forty pairs. How many words will an answer have afterwards? And will as many answers name what is right?

# %%
# LONG
MY_GUESS = ""
PRICE = 0.5  # of a nat: β
if real := lab.real.load(device=course.device):
    teach, exam = lab.real.questions(4 if small else None)
    lab.real.add_lora(real.model, rank=8, alpha=16)
    data = lab.real.pairs(real, teach, exam)  # chosen: by hand; rejected: what it says itself

    def real_logprobs(part):
        """log π of the chosen and of the rejected answers of these pairs, [2 N]."""
        return logprobs_of(*lab.real.answer_logits(real.model, *data.batch(part))).view(2, -1)

    fixed = lab.real.without_gradient(real_logprobs, data.all)  # the reference: LoRA is still 0
    loss_of = lambda part: loss_fn(*real_logprobs(part), *fixed[:, part], beta=PRICE)
    lab.real.train(real.model, data.batches(4), loss_of, learning_rate=2e-4, at_once=1)
    seen = lab.real.show(real, data, exam, real_logprobs, fixed, PRICE, MY_GUESS)

# %% [markdown]
# **What to notice.** In our run the loss was content: all 18 held-out pairs stood in the order that was asked for, and an answer had less than half its words. Now read the answers. Fewer named what is right (7 of 20, 13 before), though in every pair the chosen answer was the right one.
#
# The loss asked for a *difference* (§ 6), and its cheapest way was down: in our run the chosen answers became 2 nats likelier and the model's own 12 nats less likely. What was right in those went along. Margins and the accuracy on pairs do not show it; look at what the model says. Try `PRICE = 0.1`: the nats get cheaper.

# %%
# CLAIM
{
    "all 18 held-out pairs stood in the order that was asked for": seen["right order"] == len(data.held_out) == 18,
    "an answer had less than half its words": seen["words"][1] < 0.5 * seen["words"][0],
    "Now read the answers": GENERAL,
    "(7 of 20, 13 before)": seen["named"] == [13, 7] and len(exam) == 20,
    "2 nats likelier and the model's own 12 nats less likely": 1.5 < seen["chosen"] < 2.5
    and -12.6 < seen["rejected"] < -11.5,
    "What was right in those went along": seen["named"][1] < seen["named"][0],
    "Margins and the accuracy on pairs do not show it": GENERAL,
    "Try `PRICE = 0.1`": GENERAL,
}

# %% [markdown]
# ## § 15 Summary
#
# The best policy hides its reward in its log-ratio to the reference. You turned that into losses on pairs (DPO, cDPO, IPO) and on thumbs (KTO). TRL computes the same ones to 1e-5. With them you trained a policy, without a reward model and without sampling.
#
# You saw what the loss does not ask for: that chosen answers become likelier, and that a taste of the labels stays out. In our run a strong one cost nats and bought nothing. In lab 09 the labels come from a model.

# %%
# CLAIM
{
    "The best policy hides its reward": GENERAL,
    "You turned that into losses on pairs": GENERAL,
    "TRL computes the same ones to 1e-5": GENERAL,
    "without a reward model and without sampling": GENERAL,
    "that chosen answers become likelier": (r[:, 0] < 0).float().mean() > 0.5,
    "In our run a strong one cost nats and bought nothing": by_person["four times Cecily"][1]["kl"]
    > by_person["Cecily"][1]["kl"]
    and by_person["four times Cecily"][1]["utility"] < by_person["Cecily"][1]["utility"],
    "In lab 09 the labels come from a model": GENERAL,
}

# %% [markdown]
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What happened to the log-probability of the chosen and of the rejected answers in your run, and why does the loss allow it?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# In our run both fell: at the end of training by 0.5 nats for the chosen and by 2.3 for the rejected answers, and on held-out pairs the mean over both was −1.3 (§ 6). The loss only asks that the difference of the two log-ratios grows, so both may fall as long as the rejected answer falls faster.
# On average they must fall: both answers come from the reference, and over its plain samples (ours leave pairs of equal answers out, and fell, too) the mean of log π/π_ref is −KL(π_ref ‖ π). The mass goes to answers that stand in few pairs.
# ### END SOLUTION

# %%
# CLAIM
{
    "at the end of training by 0.5 nats for the chosen and by 2.3 for the rejected answers": abs(end["chosen"] + 0.5)
    < 0.06
    and abs(end["rejected"] + 2.3) < 0.06,
    "the mean over both was −1.3": abs(r.mean() + 1.3) < 0.06,
    "The loss only asks that the difference of the two log-ratios grows": GENERAL,
    "On average they must fall": r.mean() < 0,
    "The mass goes to answers that stand in few pairs": GENERAL,
}

# %% [markdown]
# **2.** A village has (a) many thumbs and an afternoon of one laptop, (b) a good reward model and much compute. Which method do you choose for each, by your own figures at equal KL or at equal compute, and what do these figures leave open?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# (a) From thumbs alone there is KTO, which in our run went three nats away for 17 % of the frontier's gain. If the village can ask for pairs instead, DPO got 59 % at 0.8 nats from as many labels, within minutes. (b) The reward model is paid for, so I use it: GRPO reached 82 % at 1.2 nats with 4.8 TFLOP of its own, for it learns from its own answers.
# If few questions are asked, best of 4 or 16 needs no training at all (76 and 87 %). Open: these are figures of one seed, DPO had fewer labels than the reward model, and in real life nobody knows the utility.
# ### END SOLUTION

# %%
# CLAIM
{
    "which in our run went three nats away for 17 % of the frontier's gain": abs(kto_after["kl"] - 3) < 0.1
    and abs(kto_after["share"] - 0.17) < 0.011,
    "DPO got 59 % at 0.8 nats": abs(after["share"] - 0.59) < 0.011 and abs(after["kl"] - 0.8) < 0.05,
    "GRPO reached 82 % at 1.2 nats with 4.8 TFLOP of its own": round(100 * fair["GRPO"]["share"]) == 82
    and abs(fair["GRPO"]["kl"] - 1.2) < 0.05
    and abs(left - 4.8) < 0.06,
    "best of 4 or 16 needs no training at all (76 and 87 %)": [
        round(100 * m["share"]) for m in picked["best of n by the reward model"] if m["n"] in (4, 16)
    ]
    == [76, 87],
    "DPO had fewer labels than the reward model": len(pairs) < LABELS,
}

# %% [markdown]
# ## § 16 Hand in
#
# Is your work done? Write `ready=True`, save (Ctrl + S), run the cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
