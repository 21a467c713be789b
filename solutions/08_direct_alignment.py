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
# **About 80 minutes · 9 points · a laptop is enough.** Your computer works alone for about twelve of these minutes.
# Lab 06 made a reward model from preferences, lab 07 a policy from the reward model. Here one loss goes from the preferences to the policy: no reward model, no sampling.

# %% [markdown]
# > **After this lab you can**
# > - derive DPO in three lines: the best policy hides its reward in its own probabilities,
# > - write the losses of DPO, cDPO, IPO and KTO, and show that TRL computes the same ones,
# > - say what happens to the log-probability of the chosen answers, and where the mass goes,
# > - recognise a bias of the labels in what the policy says,
# > - choose a loss when labels are wrong, or when there are only thumbs,
# > - compare DPO, RLHF and best-of-n fairly: at equal KL, and at equal compute.

# %%
# SETUP

# %%
import copy
import re
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 The pairs, the policy before, and the limit
#
# Each row of the data is a prompt, two answers of the assistant of lab 03, and the judgement of one villager: *chosen* and *rejected*. Five villagers judged, each with noise and some with a bias (lab 06).
#
# The **policy** starts as the assistant, sampled at temperature 0.6. That starting point is frozen as the **reference model** $\pi_\text{ref}$.
#
# The **gold utility** is what the village really wants, before noise and bias. It is here to *measure*, and nothing in this lab is trained on it. With many sampled answers it gives the frontier: the best utility that any policy can have at each distance (KL) from the reference.

# %%
# LONG
from course_lib.evaluation.alignment import measure, utilities
from course_lib.evaluation.frontier import best_of_n, best_of_n_kl_with_ties, frontier, share_of_frontier
from course_lib.stages import dpo as direct
from course_lib.stages.model import to_transformers
from course_lib.stages.preferences import batch_of, encode_answers
from course_lib.stages.rollout import assistant, exact_kl, roll_out
from course_lib.stages.sft import ANSWER_TEMPLATE, to_transformers_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import alignment, chat, curve, journal, rlhf
from course_lib.widgets.columns import columns
from course_lib.widgets.curve import LivePicture
from course_lib.world.annotators import (
    ANNOTATORS,
    bayes_accuracy,
    crowd,
    label_pairs,
    pairs_of,
    preference_rows,
    prompts,
    thumbs,
    utility,
)
from course_lib.world.tasks import COURTESIES

tokenizer, small, preset = load_tokenizer(), course.size == "tiny", direct.PRESETS[course.size]
device = course.device
reference = assistant(load_stage("sft").model.to(device)).eval()
pairs, held_out = preference_rows("train", preset.rows), preference_rows("test", 60 if small else 1000)
said = lambda row, key: row[key][0]["content"]
for row in pairs[:3]:
    print(
        f"» {row['prompt'][-1]['content']}    (judged by {row['annotator']})\n"
        + columns(["chosen", "rejected"], [said(row, "chosen"), said(row, "rejected")])
        + "\n"
    )
longer = [len(said(row, "chosen").split()) - len(said(row, "rejected").split()) for row in pairs]
print(
    f"{len(pairs):,} pairs. The chosen answer has more words in {100 * sum(x > 0 for x in longer) / len(pairs):.0f} % of them, fewer in {100 * sum(x < 0 for x in longer) / len(pairs):.0f} %, {sum(longer) / len(pairs):+.2f} on average."
)

# %%
# LONG
asked, K, EACH = prompts("test", 12 if small else 100, seed="lab 08"), 16 if small else 256, 4 if small else 16
pool = roll_out(reference, tokenizer, asked, K, seed=8)
worth = utilities(pool.rows, pool.answers).reshape(len(asked), K)
limit, start = frontier(worth), float(worth.mean())


def line(name, m):
    """One row of a table: utility with the standard error of its gain, KL, length, and the gain as a share of the frontier's gain at the same KL."""
    gain = f"{100 * share_of_frontier(m['kl'], m['utility'], limit, start):>6.0f} %" if m["kl"] > 0.05 else "      –"
    return f"{name:<42}{m['utility']:>7.2f} ± {m['error']:.2f}{m['kl']:>8.2f}{m['length']:>9.1f}{gain:>12}"


HEAD = f"{'':<42}{'utility':>14}{'KL':>8}{'tokens':>9}{'of frontier':>14}"


def look(policy):
    """The policy's measures; the error is that of its gain over the reference on the same prompts."""
    m = measure(policy, reference, asked, EACH, seed=2)
    own = utilities([row for row in asked for _ in range(EACH)], m["answers"]).reshape(len(asked), EACH)
    return m | {"error": float((own.mean(1) - worth.mean(1)).std(ddof=1) / len(asked) ** 0.5)}


before = look(reference)
print(HEAD + "\n" + line("reference model", before))
print("the frontier: " + " · ".join(f"{value:.2f} at {kl:.2f} nats" for kl, value in limit[::6] if kl < 2.5))

# %% [markdown]
# **What to notice.** Between the reference and the frontier there is much to gain within one nat. A nat is little: the policy gives answers that the reference would give, too, only with other frequencies.

# %% [markdown]
# ## § 2 The best policy
#
# DPO in three lines (Rafailov et al. 2023). For one prompt, with rewards $r(y)$ and price $\beta$ of a nat:
#
# 1. The policy that maximises $\mathbb{E}_\pi[r] - \beta\,\text{KL}(\pi \,\|\, \pi_\text{ref})$ is $\;\pi^*(y) = \pi_\text{ref}(y)\, e^{r(y)/\beta} / Z$
# 2. Solve for the reward: $\;r(y) = \beta \log \dfrac{\pi^*(y)}{\pi_\text{ref}(y)} + \beta \log Z$
# 3. Put it into Bradley and Terry's model of lab 06. $Z$ is the same for both answers and falls away: $\;P(a \succ b) = \sigma\!\left(\beta \log \dfrac{\pi^*(a)}{\pi_\text{ref}(a)} - \beta \log \dfrac{\pi^*(b)}{\pi_\text{ref}(b)}\right)$
#
# So a policy *is* a reward model, and can be trained like one. First line 1:
#
# - `logprobs`: $\log \pi_\text{ref}$ of K answers on the last axis, their probabilities add up to 1 · `rewards`: the same shape · `beta` > 0
# - returned: $\log \pi^*$, normalised on the last axis. An answer may have $\log \pi_\text{ref} = -\infty$
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

    Inputs:  logprobs: log π_ref of each answer, nats · rewards: of each answer · beta: price of a nat of KL
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
# > Minutes: 3
#
# <details><summary>Hint</summary>The inputs are logarithms already.</details>


# %%
# EXERCISE implicit_reward
def implicit_reward(
    logprobs: Float[Tensor, "*batch"], reference: Float[Tensor, "*batch"], beta: float
) -> Float[Tensor, "*batch"]:
    """The reward for which the policy would be optimal, up to a constant of the prompt.

    Inputs:  logprobs: log π of each answer · reference: log π_ref of each answer, nats · beta: price of a nat of KL
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
tilt, reward_of = (
    mine("optimal_policy", globals(), lambda l, r, beta: torch.log_softmax(l + r / beta, -1)),
    mine("implicit_reward", globals(), direct.implicit_reward),
)
row = next(row for row in asked if row["kind"] == "fact")
answers = sorted({answer for r, answer in zip(pool.rows, pool.answers) if r is row})
encoded = encode_answers(
    tokenizer,
    [{"prompt": row["messages"], "answer": [{"role": "assistant", "content": answer}]} for answer in answers],
    ("answer",),
    reference.config.context,
)
with torch.no_grad():
    log_ref = torch.log_softmax(
        direct.answer_logprobs(reference, *batch_of(encoded))[0].cpu(), 0
    )  # among these answers
gold = torch.tensor([utility(row, answer) for answer in answers], dtype=torch.float32)
BETAS = (2.0, 0.5, 0.1)
best = {beta: tilt(log_ref, gold, beta) for beta in BETAS}
print(
    f"» {row['messages'][-1]['content']}\n{'π_ref':>7}"
    + "".join(f"{f'β = {beta:g}':>9}" for beta in BETAS)
    + f"{'utility':>9}   answer"
)
for k in sorted(range(len(answers)), key=lambda k: -float(log_ref[k]))[:8]:
    print(
        f"{log_ref[k].exp():>7.3f}"
        + "".join(f"{best[beta][k].exp():>9.3f}" for beta in BETAS)
        + f"{gold[k]:>9.1f}   {answers[k][:90]}"
    )
back = reward_of(best[0.5], log_ref, 0.5)
apart = ((back - back[0]) - (gold - gold[0])).abs().max().item()
print(f"\nThe differences of the implicit rewards are those of the utilities, to {apart:.0e}.")
assert apart < 1e-4

# %% [markdown]
# **What to notice.** The best policy invents nothing. It shifts weight among answers that the reference gives, and the lower the price of a nat, the more of it goes to the answers of the highest utility.

# %% [markdown]
# ## § 3 How likely is an answer?
#
# The loss needs $\log \pi(y \mid x)$ of whole answers. By the chain rule that is a **sum** over the answer's tokens:
#
# $$\log \pi(y \mid x) = \sum_{t \,\in\, \text{answer}} \log p(\text{token}_t \mid \text{all before it})$$
#
# - `logits`: `[B T V]`, the logits at $t$ speak of the token at $t + 1$ · `labels`: `[B T]`, the token where the answer stands, −100 on prompt and padding (a token may have the id 0)
# - returned: one number a row, `[B]`, computed in float32 whatever the dtype of the logits; 0 for a row without an answer
# - a sum and no mean: for the mean, two answers of another length would have to be compared by another formula than line 3
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
def answer_logprobs(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """log π of each row's answer, nats, in float32.

    Inputs:  logits: the model's output at each position · labels: the answer's tokens, −100 off the answer
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
def ours(logits, labels):
    """The same by cross-entropy."""
    return -F.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none"
    ).sum(1)


logprobs_of = mine("answer_logprobs", globals(), ours)
examples = encode_answers(tokenizer, pairs[:64], ("chosen", "rejected"), reference.config.context)
ids, labels = (t.to(device) for t in batch_of(examples))  # first the 64 chosen answers, then the 64 rejected ones
with torch.no_grad():
    values = logprobs_of(reference(ids), labels)
    theirs, tokens = direct.answer_logprobs(reference, ids, labels)
assert (values - theirs).abs().max() < 1e-3
print(
    f"128 answers of {tokens.min()} to {tokens.max()} tokens, log π_ref from {values.min():.1f} to {values.max():.1f} nats: as the course's, which computes the logits of the answers only."
)
print(
    f"mean log π_ref of the chosen {values[:64].mean():.2f}, of the rejected {values[64:].mean():.2f} nats; correlation with the length {torch.corrcoef(torch.stack((values, tokens.float())))[0, 1]:+.2f}"
)

# %% [markdown]
# ## § 4 The loss
#
# Line 3 gives the probability of the label, and training maximises its logarithm:
#
# $$L_\text{DPO} = \frac{1}{B} \sum_{i} -\log \sigma(m_i), \qquad m_i = \beta \left[\log \frac{\pi(\text{chosen}_i)}{\pi_\text{ref}(\text{chosen}_i)} - \log \frac{\pi(\text{rejected}_i)}{\pi_\text{ref}(\text{rejected}_i)}\right]$$
#
# - all four inputs: `[B]`, log-probabilities of whole answers, nats (some below −1,000) · returned: one number
# - $m$ is the **margin**, the difference of the two implicit rewards. The reference's log-probabilities are numbers, computed once; only those of $\pi$ carry a gradient
# - a margin of −10,000 must give a loss of 10,000 and not infinity
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 8
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

    Inputs:  log π of the chosen and of the rejected answers, log π_ref of both · beta: price of a nat of KL
    Returns: one number, a tensor with a gradient
    """
    ### BEGIN SOLUTION
    margin = beta * ((chosen - chosen_reference) - (rejected - rejected_reference))
    return -F.logsigmoid(margin).mean()
    ### END SOLUTION


# %%
check("dpo_loss")

# %% [markdown]
# Now the library. TRL's `DPOTrainer` gets the raw rows and does everything by itself: template, batch, log-probabilities of both models, loss. Yours must agree in the loss and in every gradient. (Its import takes ten seconds. The policy here is the reference with some noise on its weights, so that the margins are not all 0.)

# %%
# LONG
loss_fn = mine("dpo_loss", globals(), direct.dpo_loss)
try:
    import logging
    import warnings

    import datasets

    warnings.filterwarnings(
        "ignore", message=".*gradient_checkpointing"
    )  # TRL 1.16 asks transformers 5 under an old name
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it would say that a faster kernel is not installed
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    datasets.disable_progress_bars()
except ImportError as error:
    DPOTrainer = None
    print(f"{error.name} is not installed here, so the comparison with TRL is left out.")

still = copy.deepcopy(reference).cpu()  # the comparisons with TRL run on the CPU
noisy, generator = copy.deepcopy(still).requires_grad_(True), torch.Generator().manual_seed(0)
with torch.no_grad():
    for p in noisy.parameters():
        p += 0.02 * torch.randn(p.shape, generator=generator)


def by_trl(trainer, config, rows, columns, **options):
    """(batch, loss, gradients by name) of TRL's trainer on `rows` in one batch, from the weights of `noisy` against `still`."""
    fixed = dict(
        output_dir=str(course.work / "trl"),
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        disable_tqdm=True,
        max_length=512,
        per_device_train_batch_size=len(rows),
        log_level="error",
    )
    made = trainer(
        model=to_transformers(noisy),
        ref_model=to_transformers(still),
        args=config(**fixed, **options),
        processing_class=to_transformers_chat(tokenizer, ANSWER_TEMPLATE),
        train_dataset=datasets.Dataset.from_list([{key: row[key] for key in columns} for row in rows]),
    )
    batch = made.data_collator([made.train_dataset[k] for k in range(len(rows))])
    loss = made.compute_loss(made.model, batch)
    loss.backward()
    return batch, loss.item(), {name: p.grad for name, p in made.model.named_parameters()}


def compare(name, loss, theirs, gradients):
    """Prints both losses and the largest difference of any gradient; they must agree to 1e-5."""
    noisy.zero_grad()
    loss.backward()
    apart = max((p.grad - gradients[n]).abs().max().item() for n, p in noisy.named_parameters())
    print(f"{name}: loss {loss.item():.6f}, TRL's {theirs:.6f}; largest difference in any gradient: {apart:.1e}")
    assert abs(loss.item() - theirs) < 1e-5 and apart < 1e-5


few = pairs[:16]
ids, labels = batch_of(encode_answers(tokenizer, few, ("chosen", "rejected"), reference.config.context))
with torch.no_grad():
    ref_pair = logprobs_of(still(ids), labels).chunk(2)
pair_now = lambda: logprobs_of(noisy(ids), labels).chunk(2)
if DPOTrainer:
    batch, theirs, gradients = by_trl(DPOTrainer, DPOConfig, few, ("prompt", "chosen", "rejected"), beta=0.1)
    assert torch.equal(batch["input_ids"], ids) and torch.equal(batch["completion_mask"].bool(), labels != -100)
    compare("DPO", loss_fn(*pair_now(), *ref_pair, beta=0.1), theirs, gradients)

# %% [markdown]
# **What to notice.** The batches are equal id by id, because `ANSWER_TEMPLATE` ends a conversation with `<|im_end|>`. With the template of lab 03, TRL would count the newline after it as part of both answers.

# %% [markdown]
# ## § 5 Train
#
# The loop is in `course_lib/stages/dpo.py`: for each batch of pairs the log-probabilities of both answers, the loss, one step of AdamW. No answer is sampled. The reference's log-probabilities are computed once, before the loop.
#
# **Predict first.** While the margin grows, what will happen to the log-probability of the *chosen* answers, and to that of the *rejected* ones?

# %%
# LONG
MY_GUESS = "chosen up, rejected down"

live = LivePicture(lambda history: alignment.pairs_figure(history, title="DPO: which answers become likelier?"), "DPO")
run = direct.dpo(
    pairs, preset, base=reference, seed=0, loss_fn=loss_fn, on_step=live, out=course.work / f"dpo_{course.size}"
)
live.close()
save_stage("dpo", run.model, run.record)
policy, BETA = run.model, run.record["beta"]
dpo_measured = look(policy)
last = run.history[-max(1, len(run.history) // 10) :]
mean_of = lambda history, key: sum(step[key] for step in history) / len(history)
print(
    f"{len(run.history)} steps in {run.record['minutes']:.1f} minutes at β = {BETA:g}. At the end: the implicit reward agrees with {100 * mean_of(last, 'accuracy'):.0f} % of the labels, "
    f"mean margin {mean_of(last, 'margin'):.2f}, log-ratio of the chosen {mean_of(last, 'chosen'):+.2f}, of the rejected {mean_of(last, 'rejected'):+.2f} nats. You guessed: {MY_GUESS}."
)
print(HEAD + "\n" + line("reference model", before) + "\n" + line(f"DPO, β = {BETA:g}", dpo_measured))

# %%
check("dpo_policy")

# %% [markdown]
# Before and after, on prompts of which no pair spoke. Three samples each:

# %%
# LONG
shown = [
    next(row for row in asked if row["kind"] == kind)
    for kind in ("fact", "short", "unknown")
    if any(row["kind"] == kind for row in asked)
]
old, new = (roll_out(m, tokenizer, shown, 3, seed=5).answers for m in (reference, policy))
for k, row in enumerate(shown):
    print(
        f"» {row['messages'][-1]['content']}\n"
        + columns(["reference", "after DPO"], ["\n".join(old[3 * k : 3 * k + 3]), "\n".join(new[3 * k : 3 * k + 3])])
        + "\n"
    )

# %% [markdown]
# ## § 6 What happens to the chosen answers
#
# The loss asks for a *difference*. It is content if both log-probabilities fall, as long as the rejected one falls faster.
#
# There is even a law. Both answers of a pair were sampled from the reference. So the mean of $\log \pi/\pi_\text{ref}$ over *all* answers of the pairs estimates
#
# $$\mathbb{E}_{y \sim \pi_\text{ref}}\!\left[\log \frac{\pi(y)}{\pi_\text{ref}(y)}\right] = -\text{KL}(\pi_\text{ref} \,\|\, \pi) \le 0$$
#
# Whatever DPO does, the average answer of the data becomes less likely. On the policy's *own* answers the same mean is $+\text{KL}(\pi \,\|\, \pi_\text{ref})$. Measure all of it on held-out pairs:


# %%
# LONG
def ratios(model, rows, keys=("chosen", "rejected")):
    """log π − log π_ref of the answers, nats, [rows, keys]."""
    encoded = encode_answers(tokenizer, rows, keys, reference.config.context)
    return (direct.reference_logprobs(model, encoded) - direct.reference_logprobs(reference, encoded)).cpu()


r = ratios(policy, held_out)
samples = roll_out(reference, tokenizer, asked, EACH, seed=6)
backwards = exact_kl(reference, policy, samples.ids, samples.mask).mean().item()
print(
    f"held-out pairs, mean log π/π_ref: chosen {r[:, 0].mean():+.2f}, rejected {r[:, 1].mean():+.2f} nats; {100 * (r[:, 0] < 0).float().mean():.0f} % of the chosen answers became less likely"
)
print(f"mean over both {r.mean():+.2f}; −KL(π_ref ‖ π) on fresh samples of the reference {-backwards:+.2f}")
print(f"the policy's own answers: {dpo_measured['kl']:+.2f}")
top = r[:, 0].argmin()
print(
    f"\nThe chosen answer that fell most ({r[top, 0]:+.1f} nats):\n» {held_out[top]['prompt'][-1]['content']}\n{said(held_out[top], 'chosen')}\nIt was preferred to ({r[top, 1]:+.1f} nats):\n{said(held_out[top], 'rejected')}"
)

# %% [markdown]
# **What to notice.** The log-ratios of chosen and rejected answers are two shares of one sum that cannot be positive. What the policy now says most is better than what was *chosen* in many pairs: a chosen answer only had to beat the one beside it.

# %% [markdown]
# ## § 7 What the labels like beside the truth
#
# DPO never sees the utility. It sees labels, and learns whatever the labels have in common. Cecily likes long answers, whatever they say; Agnes has no such bias. Take the same pairs of answers, labelled by one of them alone.
#
# **Predict first:** how much longer will the policy trained on Cecily's labels answer than that trained on Agnes's, and which has the higher utility?

# %%
# LONG
MY_GUESS = "a few words; the same utility"

SHORT = min(len(pairs), 3000)  # pairs of a short run
short_preset = replace(preset, learning_rate=2.5 * preset.learning_rate)  # few steps want a larger rate


def short_run(rows, loop=direct.dpo, **options):
    """(policy, its measures) of a short run; `options` go to the loop."""
    trained = loop(rows, short_preset, base=reference, seed=1, progress=False, **{"loss_fn": loss_fn, **options}).model
    return trained, look(trained)


by_person = {}
for person in (ANNOTATORS[0], ANNOTATORS[2]):
    rows = label_pairs(pairs_of(pairs[:SHORT]), seed="lab 08", annotators=(person,))
    by_person[person.name] = short_run(rows)
print(HEAD)
for name, (_, m) in by_person.items():
    print(line(f"labels by {name}", m))
print(
    f"\nquestions after a fact, mean of each feature of the answers\n{'':<20}"
    + "".join(f"{key:>10}" for key in before["features"])
)
for name, m in (("reference", before), *((f"labels by {name}", m) for name, (_, m) in by_person.items())):
    print(f"{name:<20}" + "".join(f"{value:>10.2f}" for value in m["features"].values()))
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# A second look, without sampling: the implicit reward of answers that are made longer and not better. One courtesy is worth something; here it is said again and again.

# %%
# LONG
probe = [row for row in held_out if row["kind"] == "fact"][: 10 if small else 100]


def padded(times):
    """The chosen answers with their courtesies taken off, and `times` courtesies before them."""
    bare = [re.sub("^((" + "|".join(map(re.escape, COURTESIES)) + ") *)+", "", said(row, "chosen")) for row in probe]
    return [
        {"prompt": row["prompt"], "answer": [{"role": "assistant", "content": f"{COURTESIES[1]} " * times + text}]}
        for row, text in zip(probe, bare)
    ]


TIMES = (0, 1, 2, 4)
print(
    f"implicit reward (β = {BETA:g}) with {COURTESIES[1]!r} said so many times before the answer\n{'':<20}"
    + "".join(f"{n:>8} ×" for n in TIMES)
)
for name, (model, _) in by_person.items():
    values = [
        reward_of(ratios(model, padded(n), ("answer",))[:, 0], torch.zeros(len(probe)), BETA).mean().item()
        for n in TIMES
    ]
    print(f"labels by {name:<10}" + "".join(f"{value:>+10.2f}" for value in values))
judged = [{"messages": row["prompt"], "kind": row["kind"], "check": row["check"]} for row in probe]
print(
    f"{'gold utility':<20}"
    + "".join(
        f"{sum(utility(j, said(row, 'answer')) for j, row in zip(judged, padded(n))) / len(probe):>10.2f}"
        for n in TIMES
    )
)

# %% [markdown]
# **What to notice.** Compare the tokens: in our run both policies answer equally long. Cecily's bias is in her labels (lab 06 measured it in a reward model), and 3,000 noisy labels were too few to carry it into a policy, or to teach it much else.
# That is no proof of its absence. Held-out labels by the same person could not tell you: whoever shares the bias agrees with it. It shows in what the policy *says*, so look at lengths and features, not only at the accuracy. And "Of course." four times is punished by both, though no label ever spoke of it.

# %% [markdown]
# ## § 8 Some labels are wrong
#
# A loss of $-\log\sigma(m)$ believes each label: it pays for a larger margin for ever. If a share ε of the labels is flipped, the label is right with probability 1 − ε. Averaging the loss over both possibilities gives **conservative DPO** (cDPO, label smoothing):
#
# $$L_\text{cDPO} = \frac{1}{B} \sum_i -(1 - \varepsilon) \log \sigma(m_i) - \varepsilon \log \sigma(-m_i)$$
#
# - the margin $m$ is that of DPO; `smoothing` is ε, from 0 (DPO) to ½
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
# TRL 1.16 takes a `label_smoothing` with its usual loss and does not use it: a setting that is silently ignored. Its `"robust"` loss uses it in another way, $\left[(1-\varepsilon)\,\ell(m) - \varepsilon\,\ell(-m)\right] / (1 - 2\varepsilon)$ with $\ell = -\log\sigma$. From both, cDPO can be put together: $2(1-\varepsilon)\,\ell(m) - (1-2\varepsilon)\,\text{robust}$.

# %%
# LONG
smooth_fn = mine("cdpo_loss", globals(), direct.dpo_loss)
if DPOTrainer:
    EPS = 0.2
    _, ignored, _ = by_trl(DPOTrainer, DPOConfig, few, ("prompt", "chosen", "rejected"), beta=0.1, label_smoothing=EPS)
    print(f'TRL\'s "sigmoid" with label_smoothing={EPS}: {ignored:.6f}, without: {theirs:.6f}')
    _, smoothed, gradients = by_trl(
        DPOTrainer,
        DPOConfig,
        few,
        ("prompt", "chosen", "rejected"),
        beta=0.1,
        label_smoothing=EPS,
        loss_type=["sigmoid", "robust"],
        loss_weights=[2 * (1 - EPS), -(1 - 2 * EPS)],
    )
    compare("cDPO", smooth_fn(*pair_now(), *ref_pair, 0.1, EPS), smoothed, gradients)

# %% [markdown]
# ## § 9 A target in place of a slope
#
# **IPO** (Azar et al. 2023) drops the sigmoid. The difference of the log-ratios shall reach a fixed target, and not go beyond it:
#
# $$L_\text{IPO} = \frac{1}{B} \sum_i \left(h_i - \frac{1}{2\beta}\right)^2, \qquad h_i = \frac{1}{n_i} \log \frac{\pi(\text{chosen}_i)}{\pi_\text{ref}(\text{chosen}_i)} - \frac{1}{n_i'} \log \frac{\pi(\text{rejected}_i)}{\pi_\text{ref}(\text{rejected}_i)}$$
#
# - $n_i$, $n_i'$: `lengths_chosen`, `lengths_rejected`, tokens of each answer, `[B]` whole numbers. Each log-ratio is averaged over its **own** answer's tokens, as TRL does
# - β stands in the target only: a small β asks for a large difference
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
    h = (chosen - chosen_reference) / lengths_chosen - (rejected - rejected_reference) / lengths_rejected
    return ((h - 1 / (2 * beta)) ** 2).mean()
    ### END SOLUTION


# %%
check("ipo_loss")

# %%
# LONG
ipo_fn = mine("ipo_loss", globals(), direct.ipo_loss)
n_chosen, n_rejected = (labels != -100).sum(1).chunk(2)
if DPOTrainer:
    _, theirs, gradients = by_trl(
        DPOTrainer, DPOConfig, few, ("prompt", "chosen", "rejected"), beta=1.0, loss_type=["ipo"]
    )
    compare(
        "IPO",
        ipo_fn(*pair_now(), *ref_pair, lengths_chosen=n_chosen, lengths_rejected=n_rejected, beta=1.0),
        theirs,
        gradients,
    )

# %% [markdown]
# Which of the three bears wrong labels best? A fifth of the labels is flipped, on top of the noise that the villagers have anyway.
#
# **Predict first:** how much utility does each loss lose by the flipped labels?

# %%
# LONG
MY_GUESS = "DPO half of its gain, the others nearly nothing"

FLIPPED, IPO_BETA = 0.2, direct.IPO_BETA
turn = torch.rand(SHORT, generator=torch.Generator().manual_seed(0)) < FLIPPED
wrong = [
    {**row, "chosen": row["rejected"], "rejected": row["chosen"]} if flip else row
    for row, flip in zip(pairs[:SHORT], turn.tolist())
]
LOSSES = {
    "DPO": {},
    "cDPO, ε = 0.2": {"loss_fn": lambda *four, beta: smooth_fn(*four, beta, FLIPPED)},
    f"IPO, β = {IPO_BETA:g}": {"loss_fn": ipo_fn, "lengths": True, "beta": IPO_BETA},
}
noise = {}
print(f"{SHORT:,} pairs\n" + HEAD + f"{'agrees with':>14}")
for name, options in LOSSES.items():
    for labels_are, rows in (("as they are", pairs[:SHORT]), ("20 % flipped", wrong)):
        model, m = noise[name, labels_are] = short_run(rows, **options)
        difference = ratios(model, held_out)
        print(
            line(f"{name}, {labels_are}", m) + f"{100 * (difference[:, 0] > difference[:, 1]).float().mean():>12.1f} %"
        )
best_judge = bayes_accuracy([crowd(*pair) for pair in pairs_of(held_out)])
print(
    f"(agrees with: share of {len(held_out):,} held-out labels, not flipped, that the implicit reward gets right; the best judge gets {100 * best_judge:.1f} %)\nYou guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** Read the utility together with the KL. Flipped labels contradict each other, so the average pull is weaker and the policy stays nearer to the reference; the last column but one says what it made of the nats that it spent.
# 3,000 pairs are few: every loss here spends its nats badly, and the one that believes the labels least spends fewest. No judge agrees with all labels: the villagers do not agree among themselves.

# %% [markdown]
# ## § 10 Thumbs
#
# Few people compare two answers. Many give a thumb up or down to one. **KTO** (Ethayarajh et al. 2024) learns from those, with no pairs at all:
#
# $$L_\text{KTO} = \frac{1}{B} \sum_i w_i \left(1 - \sigma\!\left(\pm \beta \left[\log \frac{\pi(y_i)}{\pi_\text{ref}(y_i)} - z\right]\right)\right)$$
#
# - $+$ and $w$ = `up_weight` for a thumb up; $-$ and `down_weight` for a thumb down: the whole bracket changes its sign
# - $z$ is the **reference point**, the KL of the policy so far. You get an estimate of it, `kl`, from a batch: it can be negative by chance, a KL cannot, so it counts as 0 then. It is measured and not trained: no gradient goes through it
# - one mean over all answers of the batch, which may hold thumbs of one kind only
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

    Inputs:  log π and log π_ref of each answer · up: True for a thumb up · kl: estimate of the reference point, nats · weights of both kinds
    Returns: one number, a tensor with a gradient that reaches `logprobs` and not `kl`
    """
    ### BEGIN SOLUTION
    gain = beta * (logprobs - reference - kl.detach().clamp(min=0))
    return torch.where(up, up_weight * (1 - torch.sigmoid(gain)), down_weight * (1 - torch.sigmoid(-gain))).mean()
    ### END SOLUTION


# %%
check("kto_loss")

# %% [markdown]
# The villagers thumb one answer of each pair: up is likelier, the more it is worth to them. If you gave thumbs in lab 06, yours are among them. TRL estimates $z$ by answers that do *not* belong to their prompts: each prompt with the answer to the prompt before it. The course's loop does the same.

# %%
# LONG
kto_fn = mine("kto_loss", globals(), direct.kto_loss)
own = chat.thumbs_of(journal.read(course.work / "preferences" / "thumbs.jsonl"))  # those that you gave in lab 06
liked = (own + thumbs(pairs_of(pairs), seed="lab 08"))[: len(pairs)]
up = torch.tensor([row["label"] for row in liked])
print(
    f"{len(up):,} thumbs, {len(own)} of them yours, the others the villagers'; {100 * up.float().mean():.0f} % are up. Some:"
)
for row in liked[:4]:
    print(f"  {'up  ' if row['label'] else 'down'}  {row['prompt'][-1]['content']} — {said(row, 'completion')}")
if DPOTrainer:
    weight = float((~up[:16]).sum() / up[:16].sum())
    batch, theirs, gradients = by_trl(
        KTOTrainer, KTOConfig, liked[:16], ("prompt", "completion", "label"), beta=0.1, desirable_weight=weight
    )
    thumb_ids, thumb_labels = batch_of(encode_answers(tokenizer, liked[:16], ("completion",), reference.config.context))
    assert torch.equal(batch["input_ids"], thumb_ids)
    strangers, marked = batch["KL_input_ids"], batch["KL_input_ids"].masked_fill(batch["KL_completion_mask"] == 0, -100)
    with torch.no_grad():
        kl = (logprobs_of(noisy(strangers), marked) - logprobs_of(still(strangers), marked)).mean()
        ref_thumbs = logprobs_of(still(thumb_ids), thumb_labels)
    compare(
        "KTO",
        kto_fn(logprobs_of(noisy(thumb_ids), thumb_labels), ref_thumbs, up[:16], kl, beta=0.1, up_weight=weight),
        theirs,
        gradients,
    )

# %% [markdown]
# Train on as many thumbs as there were pairs. A thumb is one bit, as a pair is, and speaks of half as many answers. Where one kind of thumb is rarer, its weight makes up for it.
#
# **Predict first:** will KTO reach more or less of the frontier than DPO did?

# %%
# LONG
MY_GUESS = "less"

up_weight = float((~up).sum() / up.sum())
live = LivePicture(
    lambda history: alignment.pairs_figure(history, ("liked", "disliked"), "KTO: which answers become likelier?"), "KTO"
)
kto_run = direct.kto(
    liked,
    preset,
    base=reference,
    seed=0,
    beta=BETA,
    loss_fn=lambda *args, beta: kto_fn(*args, beta, up_weight, 1.0),
    on_step=live,
    out=course.work / f"kto_{course.size}",
)
live.close()
kto_measured = look(kto_run.model)
print(
    f"{kto_run.record['minutes']:.1f} minutes, a thumb up weighs {up_weight:.2f} times one down. You guessed: {MY_GUESS}."
)
print(HEAD + "\n" + line("DPO on pairs", dpo_measured) + "\n" + line("KTO on thumbs", kto_measured))

# %% [markdown]
# **What to notice.** As many labels, and they say less: a pair holds the prompt fixed, a thumb also says how well the assistant knows this resident. So much of what a thumb pulls at is no choice of the policy, and the KL that it costs is spent all the same.

# %% [markdown]
# ## § 11 At equal KL
#
# A policy that went twice as far from the reference *should* be better. So methods are compared **at equal KL**, against the frontier. On one plot:
#
# - DPO at several β, IPO, KTO
# - **best-of-n**: n answers of the reference, the reward model of lab 06 picks one. Its KL is at most $\log n - (n-1)/n$, less where the n hold equal answers; that is counted here. The same with DPO's implicit reward as the judge
# - the policy of lab 07 (PPO or GRPO), if you have saved it or the course ships it
#
# **Predict first:** which of them is highest above the reference at half a nat?

# %%
# LONG
MY_GUESS = "PPO"

from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.reward import rewards_of

marks = {
    f"DPO, β = {BETA:g}, {len(pairs):,} pairs": dpo_measured,
    f"KTO, {len(liked):,} thumbs": kto_measured,
    f"IPO, {SHORT:,} pairs": noise[f"IPO, β = {IPO_BETA:g}", "as they are"][1],
}
sweep = {
    beta: noise["DPO", "as they are"][1] if beta == BETA else short_run(pairs[:SHORT], beta=beta)[1]
    for beta in (BETA / 4, BETA, 4 * BETA)
}
try:
    marks["lab 07's policy"] = look(load_stage("rlhf").model.to(device))
except ArtifactError as error:
    print(f"Left out: {error}")

distinct = sorted({(k // K, answer) for k, answer in enumerate(pool.answers)})  # most answers come several times
where = {key: n for n, key in enumerate(distinct)}
place = torch.tensor([where[k // K, answer] for k, answer in enumerate(pool.answers)])
judges = {
    "DPO's implicit reward": ratios(
        policy,
        [
            {"prompt": asked[p]["messages"], "answer": [{"role": "assistant", "content": answer}]}
            for p, answer in distinct
        ],
        ("answer",),
    )[:, 0]
}
try:
    reward_model = load_stage("reward")
    reward_model.model.to(device)
    judges["the reward model"] = rewards_of(
        reward_model.model, tokenizer, [asked[p]["messages"] for p, _ in distinct], [answer for _, answer in distinct]
    ).cpu()
except ArtifactError as error:
    reward_model = None
    print(f"Left out: {error}")
NS = [n for n in (1, 2, 3, 4, 6, 8, 12, 16) if n <= K]
picked = {
    f"best of n by {name}": [(best_of_n_kl_with_ties(given, n), best_of_n(given, worth, n)) for n in NS]
    for name, scores in judges.items()
    for given in [scores[place].view(len(asked), K).numpy()]
}
points = (
    {name: [(m["kl"], m["utility"])] for name, m in marks.items()}
    | {
        f"DPO, {SHORT:,} pairs, β = {', '.join(f'{beta:g}' for beta in sweep)}": sorted(
            (m["kl"], m["utility"]) for m in sweep.values()
        )
    }
    | picked
)
curve.show(rlhf.plane(limit, start, points))
print(HEAD)
for name, m in (marks | {f"DPO, β = {beta:g}, {SHORT:,} pairs": m for beta, m in sweep.items()}).items():
    print(line(name, m))
for name, values in picked.items():
    for n, (kl, value) in zip(NS, values):
        if n in (2, 4, 8, 16):
            print(
                f"{name + f', n = {n}':<42}{value:>7.2f}{'':>7}{kl:>8.2f}{'':>9}{100 * share_of_frontier(kl, value, limit, start):>6.0f} %"
            )
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** Best-of-n trains nothing, and pays at every question: n answers are written and n − 1 thrown away. A trained policy pays once. And any judge can pick: a policy trained by DPO has one built in.

# %% [markdown]
# ## § 12 At equal compute
#
# The other fair comparison: what does the training cost? A model with N parameters takes about 2N FLOP to read or write a token, and 6N to learn from one.
#
# | | a token of an answer and its prompt costs |
# |---|---|
# | DPO | 2N (reference) + 6N (policy) |
# | GRPO | 2N (write) + 2N (reward model) + 2 · 2N (policy before the step, reference) + 6N (learn) |
# | the reward model before GRPO | 6N for each token of its pairs |
#
# GRPO of lab 07 runs here against the reward model, until it has spent about what the long DPO run has. Beside it, DPO on fewer pairs. (The gold utility is only written down along the way.)
#
# **Predict first:** where will GRPO be when it has spent as much as DPO?

# %%
# LONG
MY_GUESS = "about as far"

from course_lib.evaluation.runs.rlhf import BETA_LEARNED, learned_reward, watched
from course_lib.stages import grpo as group

N = reference.parameter_count()
some = encode_answers(tokenizer, pairs[:1000], ("chosen", "rejected"), reference.config.context)
TOKENS = sum(len(ids) for example in some for ids, _ in example) / len(some) / 2  # tokens of a prompt with one answer
cost = lambda flop, answers: flop * N * TOKENS * answers / 1e12  # TFLOP
dpo_cost = lambda n: cost(8, 2 * n)
ways = {
    "DPO": [
        (0.0, start),
        (dpo_cost(SHORT), noise["DPO", "as they are"][1]["utility"]),
        (dpo_cost(len(pairs)), dpo_measured["utility"]),
    ]
}
if reward_model is None:
    print("There is no reward model here, so GRPO is left out.")
else:
    config, seen = replace(group.PRESETS[course.size], beta=BETA_LEARNED), []
    reward = watched(
        learned_reward(reward_model.model), seen
    )  # writes down the gold utility; the training never sees it
    before_it, a_step = (
        cost(6, 2 * reward_model.record.get("recipe", {}).get("rows", 0)),
        cost(14, config.prompts * config.each),
    )
    steps = 2 if small else max(10, round(dpo_cost(len(pairs)) / a_step))
    grpo_run = group.grpo(
        reward,
        prompts("train", steps * config.prompts, seed="lab 08"),
        replace(config, steps=steps),
        base=reference,
        seed=0,
        progress=False,
    )
    window = max(1, steps // 8)
    path = [(before_it, start)] + [
        (
            before_it + a_step * (first + window / 2),
            sum(seen[first : first + window]) / len(seen[first : first + window]),
        )
        for first in range(0, steps, window)
    ]
    ways["GRPO, after its reward model"] = path
    grpo_measured = look(grpo_run.model)
    print(
        f"GRPO: {steps} steps in {grpo_run.record['minutes']:.1f} minutes, {steps * a_step:.1f} TFLOP after {before_it:.1f} for the reward model. DPO: {dpo_cost(len(pairs)):.1f} TFLOP in {run.record['minutes']:.1f} minutes."
    )
    print(HEAD + "\n" + line("DPO", dpo_measured) + "\n" + line("GRPO at DPO's compute", grpo_measured))
curve.show(alignment.compute_figure(ways, start))
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** The reward model is paid for first, and it stays: another policy, other prompts, best-of-n can use it again. DPO starts at once, and what it learned from the pairs is in one policy only.

# %% [markdown]
# ## § 13 Change one thing
#
# The short run once more, with one difference. Choose it, **write down what you expect**, then run. The one below reads the same pairs three times. Others to try: `CHANGE = dict(beta=0.05)`, `CONFIG = replace(short_preset, learning_rate=1e-3)`, or the rows of one kind only.

# %%
# LONG
CONFIG, CHANGE, ROWS = replace(short_preset, epochs=3), {}, pairs[:SHORT]
MY_PREDICTION = "more KL, the utility no higher: the later epochs learn single pairs by heart"

changed = direct.dpo(ROWS, CONFIG, base=reference, seed=1, progress=False, **{"loss_fn": loss_fn, **CHANGE}).model
print(f"I predicted: {MY_PREDICTION}\n" + HEAD)
for name, (model, m) in (("as before", noise["DPO", "as they are"]), ("changed", (changed, look(changed)))):
    print(line(name, m))
    for where_from, rows in (("the pairs that it trained on", ROWS[:1000]), ("held-out pairs", held_out)):
        r = ratios(model, rows)
        print(
            f"    {where_from}: {100 * (r[:, 0] > r[:, 1]).float().mean():.1f} % as labelled; log-ratio of the chosen {r[:, 0].mean():+.2f}, of the rejected {r[:, 1].mean():+.2f} nats"
        )

# %% [markdown]
# ## § 14 A real model
#
# Optional. DPO on SmolLM2-135M-Instruct (Hugging Face, Apache 2.0), through small trained matrices beside its frozen weights (LoRA, lab 04). Forty everyday questions, each with a short and direct answer, written by hand: chosen. Rejected is what the model itself says, which is mostly longer.
# `answer_logprobs` and `dpo_loss` are **yours**, twenty other questions examine it. The reference costs no second model: LoRA starts as no change at all. It takes about two minutes of one core and 3.8 GB of memory.
#
# **Predict first:** ten steps on forty pairs. How many words will an answer have afterwards? And will as many answers name what is right?

# %%
# LONG
MY_GUESS = "half as many, and as often right"

from course_lib.evaluation.intervals import wilson
from course_lib.stages import lora, real_training
from course_lib.stages.real import NOT_HERE, smollm2
from course_lib.world.real import preferences as taste

loaded = smollm2()
if loaded is None:
    print(NOT_HERE)
else:
    real, their_words = loaded[0].to(device), loaded[1]
    PRICE = 0.5  # of a nat: β
    teach, exam = (taste.preference_rows(split)[: 4 if small else None] for split in ("train", "test"))
    lora.add_lora(real, rank=8, alpha=16)
    wanted = [real_training.encode(their_words, row["prompt"] + row["chosen"]) for row in teach + exam]
    own = []  # (ids, labels) of what the model says by itself; an answer that is cut off has no end token, and none is trained
    for part in torch.arange(len(teach + exam)).split(20):
        drawn = real_training.sample(real, their_words, [(teach + exam)[k]["prompt"] for k in part], 40)
        own += [
            (row[real_token.bool()].cpu(), row.masked_fill(~sampled, -100)[real_token.bool()].cpu())
            for row, sampled, real_token in zip(*drawn)
        ]

    def real_logprobs(part):
        """log π of the chosen and of the rejected answers, [2 N]."""
        both, tokens, _ = real_training.collate(
            [wanted[k] for k in part] + [own[k] for k in part], their_words.eos_token_id
        )
        return logprobs_of(real(both.to(device)).logits, tokens.to(device)).view(2, -1)

    def all_logprobs(which):
        with torch.no_grad():
            return torch.cat([real_logprobs(part) for part in which.split(4)], 1)

    held = torch.tensor(
        [
            k
            for k in range(len(teach), len(own))
            if own[k][1][own[k][1] != -100].tolist() != wanted[k][1][wanted[k][1] != -100].tolist()
        ]
    )
    anchor, held_anchor = all_logprobs(torch.arange(len(teach))), all_logprobs(held)
    spoken = {
        "before": [
            their_words.decode(tokens[tokens != -100], skip_special_tokens=True) for _, tokens in own[len(teach) :]
        ]
    }
    batches = torch.randperm(len(teach), generator=torch.Generator().manual_seed(0)).split(4)
    losses = real_training.train(
        real,
        batches,
        lambda part: loss_fn(*real_logprobs(part), *anchor[:, part], beta=PRICE),
        learning_rate=2e-4,
        description="DPO",
    )
    spoken["after"] = real_training.answers(real, their_words, [row["prompt"] for row in exam], 40)

    now = all_logprobs(held)
    margin = reward_of(now[0], held_anchor[0], PRICE) - reward_of(now[1], held_anchor[1], PRICE)
    right = int((margin > 0).sum())
    print(
        f"{len(losses)} steps. {len(held)} held-out pairs (the others say the same twice): loss {loss_fn(*held_anchor, *held_anchor, beta=PRICE):.3f} → {loss_fn(*now, *held_anchor, beta=PRICE):.3f}, mean margin 0 → {margin.mean():.2f}, "
        f"log-ratio of the chosen {(now - held_anchor)[0].mean():+.1f}, of the rejected {(now - held_anchor)[1].mean():+.1f} nats"
    )
    print(
        "the implicit reward prefers the direct answer in {} of {}, {:.0f} % ({:.0f} to {:.0f} %)".format(
            right, len(held), *(100 * x for x in (right / len(held), *wilson(right, len(held))))
        )
    )
    for when, texts in spoken.items():
        names = sum(map(taste.names_it, exam, texts))
        print(
            "{:<8}{:>5.1f} words, {:.2f} hedges an answer; {} of {} name what is right ({:.0f} to {:.0f} %)".format(
                when,
                sum(map(taste.words_of, texts)) / len(exam),
                sum(map(taste.hedges_of, texts)) / len(exam),
                names,
                len(exam),
                *(100 * x for x in wilson(names, len(exam))),
            )
        )
    print(f"You guessed: {MY_GUESS}.\n")
    for row, *both in list(zip(exam, *spoken.values()))[:8]:
        print(f"» {row['prompt'][0]['content']}\n" + columns(["SmolLM2", "after DPO"], both) + "\n")

# %% [markdown]
# **What to notice.** The loss is content: all 18 held-out pairs stand in the order that was asked for, and an answer has less than half its words. Now read the answers. Fewer name what is right, though in every pair the chosen answer was the right one.
# The loss asked for a *difference* (§ 6). Its cheapest way is down: the chosen answers became 2 nats likelier, the model's own 12 nats less likely, and what was right in those went along. Margins and the accuracy on pairs do not show it; look at what the model says. Try `PRICE = 0.1`: the nats get cheaper.

# %% [markdown]
# ## § 15 Summary
#
# The best policy hides its reward in its log-ratio to the reference. You turned that into losses on pairs (DPO, cDPO, IPO) and on thumbs (KTO), equal to TRL's to the last digit that counts, and trained a policy with no reward model and no sampling.
# You saw what the loss does not ask for: that chosen answers become likelier, and that a label's bias stays out. In lab 09 the labels come from a model.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What happened to the log-probability of the chosen and of the rejected answers in your run, and why does the loss allow it?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# Both fell: at the end of training by 0.5 nats for the chosen and by 2.3 for the rejected answers; on held-out pairs the mean over both is −1.3 (§ 6). The loss only asks that the difference of the two log-ratios grows, so both may fall as long as
# the rejected answer falls faster. They must fall on average: both answers come from the reference, and the mean of log π/π_ref over its samples is −KL(π_ref ‖ π). The mass goes to answers that are better than most chosen ones and stand in few pairs.
# ### END SOLUTION

# %% [markdown]
# **2.** A village has (a) many thumbs and an afternoon of one laptop, (b) a good reward model and much compute. Which method do you choose for each, by your own figures at equal KL or at equal compute, and what do these figures leave open?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# (a) DPO, if the labels come in pairs (59 % of the frontier's gain at 0.8 nats within three minutes); from thumbs alone there is KTO, which in our run went three nats away for 17 %. (b) GRPO or PPO on the reward model: GRPO reached 88 % with DPO's own compute, as it is
# trained on its own answers and can go on where the pairs say nothing more, as long as the KL is watched; with few questions to answer, best of 8 or 16 without any training (83 and 88 %). The figures of § 11 and § 12 are one seed each, the pairs come from the reference and not from the policy, and the utility would not be known in real life.
# ### END SOLUTION

# %% [markdown]
# ## § 16 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
