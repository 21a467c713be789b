# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 02 — Pre-training
#
# ```
#  raw text ──▶ BASE MODEL ──▶ assistant ──▶ preferred ──▶ safe ──▶ released
#  00, 01       ► 02 ◄         03, 04, 05    06 – 09       10       11
#               you are here
# ```
#
# **About 115 minutes · 10 points · a laptop is enough.** Your computer works alone for about 7 of these minutes (two cores at 200 GFLOP/s).
# At the end you have a language model that you trained from nothing, and you know how far it is from the best possible one.

# %% [markdown]
# > **After this lab you can**
# > - write causal self-attention, RMSNorm and rotary positions, and show that they are what Llama computes,
# > - write the loss of pre-training and say exactly which tokens it counts,
# > - train a model with a warm-up and a decay, and read its curve against a known limit,
# > - sample from it with temperature and top-p,
# > - measure loss, perplexity, distance to the limit and what the model knows,
# > - find the best size of a model for a given amount of compute, and fit a scaling law,
# > - tell from a curve and a log which mistake a training run has.

# %%
# SETUP

# %%
import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.evaluation.runs import isoflop
from course_lib.shown import lab02_pretraining as lab  # what this lab prints and compares

mine = lab.mine  # mine("f", globals()): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 The data, and a model that knows nothing
#
# Look first, theory later. Littlebrook's generator wrote these documents and knows the exact probability of each. Their mean surprise (lab 00) per token is the limit of this lab: the entropy of the source, as these documents measure it. A **token** is a piece of text, a word or less (lab 01). Each document begins with a token `<|bos|>`, which is given, and ends with one that must be predicted. No model can do better on fresh text, but for the luck of a small sample.

# %%
# LONG
preset, tokenizer, world = lab.PRESETS[course.size], lab.load_tokenizer(), lab.village()
validation = lab.pretrain_rows("validation")
limit = lab.show_documents(validation)

# %% [markdown]
# Now the untrained model. Its weights are random.

# %%
# LONG
OPENINGS = [f"Meet {world.residents[0].full}.", "How to mend", "One Monday morning"]
untrained = lab.Llama(preset.model, seed=0)
before, start, blind = lab.show_untrained(untrained, OPENINGS, validation[:200])

# %% [markdown]
# **What to notice.** The model writes noise, and its loss is that of blind guessing. The rest of the lab is the way from that number down to the limit.

# %%
# CLAIM
{
    "its loss is that of blind guessing": abs(start - blind) < 0.15,
    "The rest of the lab is the way": GENERAL,
}

# %% [markdown]
# ## § 2 Attention
#
# Each token asks a question $q$, offers a label $k$ and carries a content $v$. It reads the contents of earlier tokens, weighted by how well their labels answer its question ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)):
#
# $$y_t = \sum_{s \le t} w_{ts}\, v_s, \qquad w_{t\cdot} = \mathrm{softmax}_s\!\left(\frac{q_t \cdot k_s}{\sqrt{P}}\right)$$
#
# - $B$ batch, $H$ heads, $T$ tokens, $P$ width of a head; `q`, `k`, `v`, `y`: `[B H T P]`, scores: `[B H T T]`
# - $s \le t$: the **causal mask**. A token sees itself and what came before, never what it is asked to predict
# - $\sqrt P$ keeps the standard deviation of the scores at 1 (for random $q$, $k$ of variance 1), whatever the width
# - a forbidden score becomes the most negative number of its dtype. Its weight is then 0, however large the other scores are
# - `key_mask` `[B T]`: prompts of different lengths are padded on the left; `False` marks padding, which nobody may read. Each row of the batch has its own
# - a padded token at the left edge may see nothing at all: with −∞ for every score its softmax is 0/0 = NaN, which can spoil the gradient even if replaced later. With the most negative number both are finite; the value does not matter
# - the dtype of the result is that of `q`; the inputs stay as they are
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 12
#
# <details><summary>Hint 1</summary>Five steps: scores, scale, mask, softmax over the last axis, weighted sum. <code>k.transpose(-2, -1)</code> swaps the last two axes.</details>
# <details><summary>Hint 2</summary><code>torch.ones(T, T, dtype=torch.bool).tril()</code> is True where s ≤ t. Combine it with <code>key_mask[:, None, None, :]</code> by <code>&amp;</code>.</details>
# <details><summary>Hint 3</summary>Use <code>scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)</code>.</details>
#
# `F.scaled_dot_product_attention` is what you are writing; it is not allowed here.

# %%
# EXERCISE causal_attention
def causal_attention(
    q: Float[Tensor, "B H T P"],
    k: Float[Tensor, "B H T P"],
    v: Float[Tensor, "B H T P"],
    key_mask: Bool[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B H T P"]:
    """Each token's mean of the values it may see, weighted by softmax(q·k/√P).

    Inputs:  q, k, v: queries, keys, values
             key_mask: True where a token is real, False where it is padding; None: all are real
    Returns: y, finite everywhere (also at padded positions, where its value does not matter)
    """
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    T = q.shape[-2]
    allowed = torch.ones(T, T, dtype=torch.bool, device=q.device).tril()
    if key_mask is not None:
        allowed = allowed & key_mask[:, None, None, :]
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1) @ v
    ### END SOLUTION


# %%
check("causal_attention")

# %% [markdown]
# From scratch first, the library second. The library's function must give the same numbers. With the unit matrix as values, attention returns its own weights, so you can look at them.

# %%
# LONG
attend = mine("causal_attention", globals())
weights = lab.compare_attention(attend)

# %% [markdown]
# **What to notice.** The upper triangle is empty, each row sums to 1, and the first token can only read itself.

# %%
# CLAIM
{
    "The upper triangle is empty": not weights.triu(1).any() and bool(((weights.sum(1) - 1).abs() < 1e-5).all()),
    "the first token can only read itself": float(weights[0, 0]) == 1,
}

# %% [markdown]
# ## § 3 RMSNorm
#
# Numbers that pass through many layers drift in size. Before each attention, each MLP and the output layer, every token's vector is brought to a root mean square of 1 and then scaled by a learned weight ([Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)):
#
# $$y_i = \frac{x_i}{\sqrt{\frac1D \sum_j x_j^2 + \varepsilon}}\; g_i$$
#
# - `x`: `[... D]`, any leading axes · `weight` $g$: `[D]` · $\varepsilon$, under the root, keeps a zero vector from 0/0: its result is exactly 0
# - compute in float32, whatever the dtype of `x`, and return the dtype of `x`: 10,000² does not fit into float16
# - the root depends on `x`, too: gradients flow through it
#
# `F.rms_norm` is what you are writing; it is not allowed here.
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary>It is not LayerNorm: no mean is taken off and there is no bias.</details>
# <details><summary>Hint 2</summary><code>.mean(-1, keepdim=True)</code> keeps the axis, so that the division lines up.</details>

# %%
# EXERCISE rms_norm
def rms_norm(
    x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-6
) -> Float[Tensor, "*batch D"]:
    """x / √(mean of x² over the last axis + eps) · weight, computed in float32, in x's dtype."""
    ### BEGIN SOLUTION
    wide = x.float()
    inverse = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (wide * inverse * weight.float()).to(x.dtype)
    ### END SOLUTION


# %%
check("rms_norm")

# %% [markdown]
# **Predict first:** what happens to the output if the input is multiplied by 1000?

# %%
# LONG
norm = mine("rms_norm", globals())
normed = lab.show_norms(norm, torch.tensor([1.0, -2.0, 3.0, 0.5]), factors=(1, 10, 1000))

# %% [markdown]
# **What to notice.** The norm passes on only the direction of a vector, not its length. In a Llama the length goes past it, in the sums `x = x + …` of § 4.

# %%
# CLAIM
{
    "only the direction of a vector": all((y - normed[1]).abs().max() < 1e-4 for y in normed.values()),
    "In a Llama the length goes past it": GENERAL,
}

# %% [markdown]
# ## § 4 RoPE: where a token stands
#
# Attention as written does not know the order of the tokens that it reads: shuffle the earlier ones, and $y_t$ stays the same. Rotary position embedding (RoPE, [Su et al. 2021](https://arxiv.org/abs/2104.09864)) turns each query and key by an angle that grows with its position. Feature $i$ and feature $i + P/2$ form a pair, as in Llama, and each pair turns at its own speed:
#
# $$\begin{pmatrix} x'_i \\ x'_{i+P/2} \end{pmatrix} = \begin{pmatrix} \cos a & -\sin a \\ \sin a & \cos a \end{pmatrix} \begin{pmatrix} x_i \\ x_{i+P/2} \end{pmatrix}, \qquad a = \text{position} \cdot \theta^{-2i/P}, \quad i = 0 \dots P/2 - 1$$
#
# - `x`: `[B H T P]`, a query or a key · `positions`: `[T]`, whole numbers, which need not begin at 0 or be neighbours
# - $\theta$ is an argument; 10,000 is only its default
# - compute the angles in float32, whatever the dtype of `x`, and return the dtype of `x`: bfloat16 has no 257
#
# The product of a turned query and a turned key depends on the *distance* of their positions only.
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 12
#
# <details><summary>Hint 1</summary><code>torch.arange(0, P, 2)</code> is 2i for every pair. The angles have shape <code>[T P/2]</code>.</details>
# <details><summary>Hint 2</summary><code>first, second = x.float().chunk(2, dim=-1)</code> gives the two halves; put the turned halves together with <code>torch.cat</code>.</details>

# %%
# EXERCISE apply_rope
def apply_rope(
    x: Float[Tensor, "B H T P"], positions: Int[Tensor, " T"], theta: float = 10_000.0
) -> Float[Tensor, "B H T P"]:
    """x with each pair (x_i, x_{i+P/2}) turned by position · theta^(−2i/P).

    Inputs:  x: queries or keys · positions: the position of each of the T tokens
             theta: base of the frequencies
    Returns: the turned x, same shape and dtype
    """
    ### BEGIN SOLUTION
    P = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, P, 2, device=x.device).float() / P)
    angles = positions.float()[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)
    return turned.to(x.dtype)
    ### END SOLUTION


# %%
check("apply_rope")

# %%
# LONG
rope = mine("apply_rope", globals())
products = lab.show_products(rope, distances=(0, 1, 5), places=(0, 7, 100))

# %% [markdown]
# **What to notice.** Along a row the positions change and the product does not. Down a column the distance changes and so does the product.

# %%
# CLAIM
{
    "Along a row the positions change and the product does not": all(
        max(row) - min(row) < 1e-3 for row in products.values()
    ),
    "Down a column the distance changes and so does the product": len(
        {round(row[0], 2) for row in products.values()}
    ) == 3,
}

# %% [markdown]
# ### Your three functions are a Llama
#
# With an embedding, a gated MLP, residual additions and an output layer, that is the whole architecture of Llama ([Touvron et al. 2023](https://arxiv.org/abs/2302.13971)). (Its output layer has weights of its own; ours uses the embedding's.) The next cell runs it with *your* functions on the random weights of a small model, and compares every **logit** (score of a token before the softmax) with the class that the world uses, `transformers.LlamaForCausalLM`. They agree to 1e-5. You need not write anything.

# %%
# LONG
def your_llama(ids: Int[Tensor, "B T"], weights: dict, c) -> Float[Tensor, "B T V"]:
    """The logits of a Llama, from attend, norm and rope. c: its config."""
    places, x = torch.arange(ids.shape[1]), F.embedding(ids, weights["model.embed_tokens.weight"])
    for layer in range(c.layers):
        w = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        heads = lambda name: F.linear(h, w(f"self_attn.{name}_proj")).unflatten(-1, (c.heads, -1))
        h = norm(x, w("input_layernorm"), c.eps)
        q, k, v = (heads(name).transpose(1, 2) for name in "qkv")  # each [B H T P]
        y = attend(rope(q, places, c.rope_base), rope(k, places, c.rope_base), v)
        x = x + F.linear(y.transpose(1, 2).flatten(-2), w("self_attn.o_proj"))
        h = norm(x, w("post_attention_layernorm"), c.eps)
        gated = F.silu(F.linear(h, w("mlp.gate_proj"))) * F.linear(h, w("mlp.up_proj"))
        x = x + F.linear(gated, w("mlp.down_proj"))
    h = norm(x, weights["model.norm.weight"], c.eps)
    return F.linear(h, weights["model.embed_tokens.weight"])


apart = lab.equals_transformers(your_llama, validation[0]["text"])

# %% [markdown]
# ## § 5 The loss
#
# At each position the model gives logits for the **next** token. The loss is the mean −log p of the tokens that really came:
#
# $$L = \frac{1}{M} \sum_{b,t} -\log p(\text{ids}_{b,t+1} \mid \text{ids}_{b,\le t}) \quad\text{over the } M \text{ real targets}$$
#
# - `logits`: `[B T V]` · `ids`: `[B T]` · unit: nats/token
# - the logits at position $t$ are scored against the token at $t+1$, so the last logits and the first token fall away
# - a target equal to `pad_id` is no target: it counts neither in the sum nor in $M$. `pad_id` is an argument
# - the mean runs over all targets of the batch, not over rows first
# - nothing to predict: the loss is 0, but `backward()` still runs and gives zeros
# - logits may be ±10,000: a probability of 0 in float32 still has a logarithm if you never leave the logarithms
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Predictions: <code>logits[:, :-1]</code>. Targets: <code>ids[:, 1:]</code>.</details>
# <details><summary>Hint 2</summary><code>F.cross_entropy</code> takes <code>[N V]</code> and <code>[N]</code>, has <code>ignore_index</code>, and <code>reduction="sum"</code> lets you divide yourself.</details>

# %%
# EXERCISE next_token_loss
def next_token_loss(
    logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"], pad_id: int = 0
) -> Float[Tensor, ""]:
    """Mean −log p of the next token over all real targets, nats/token.

    Inputs:  logits: the model's output at each position · ids: the tokens it read
             pad_id: the id of padding
    Returns: one number, a tensor with a gradient; 0 where there is nothing to predict
    """
    ### BEGIN SOLUTION
    targets = ids[:, 1:].flatten()
    total = F.cross_entropy(logits[:, :-1].flatten(0, 1), targets, ignore_index=pad_id, reduction="sum")
    return total / (targets != pad_id).sum().clamp(min=1)
    ### END SOLUTION


# %%
check("next_token_loss")

# %%
# LONG
loss_fn = mine("next_token_loss", globals())
first_loss = lab.show_first_loss(untrained, loss_fn, validation[:8])

# %% [markdown]
# **What to notice.** The loss of this untrained model is near log V, for its weights begin small. If yours is far from that, the loss is wrong, or the weights begin too large: with the start that torch gives an embedding (standard deviation 1 in place of 0.05) the right loss is 52 here. This is the cheapest test there is.

# %%
# CLAIM
{
    "The loss of this untrained model is near log V": abs(first_loss - blind) < 0.15,
    "the right loss is 52 here": round(float((lambda name, ids: loss_fn(torch.func.functional_call(
        untrained, {name: untrained.state_dict()[name] * 20}, (ids,)
    ), ids))(
        "model.embed_tokens.weight",
        lab.collate(lab.encode_documents(tokenizer, [row["text"] for row in validation[:8]])),
    ))) == 52,
    "This is the cheapest test there is": GENERAL,
}

# %% [markdown]
# ## § 6 The schedule
#
# At first the optimiser has seen few gradients, so the direction of its steps is rough: start small. At the end, large steps only shake the weights about: finish small. The straight line down is that of [Bergsma et al. 2025](https://arxiv.org/abs/2502.15938); theirs ends at 0, this run's at 2 % of the peak.
#
# - **warm-up**, steps $0 \dots w-1$: a straight line, $\text{peak} \cdot (\text{step}+1)/w$, so that the first step is not lost
# - **decay**, from step $w$ on: a straight line from the peak, at step $w$, down to $\text{floor} \cdot \text{peak}$ at the last step, $\text{total} - 1$. Past the end it stays there
# - `step` counts from 0 · `floor` is a share of the peak, 0 is allowed · the result is a number
# - `warmup` may be 0. It may be $\text{total} - 1$: then step $w$ is the last one, and its rate is the peak. It may be the whole run, which then ends at the peak. Past the end of these two nothing is asked
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary>Two branches. In the second, let <code>progress</code> go from 0 at step w to 1 at step total − 1.</details>
# <details><summary>Hint 2</summary>Divide by <code>max(1, total - 1 - warmup)</code> and stop the progress at 1 with <code>min</code>.</details>

# %%
# EXERCISE learning_rate
def learning_rate(step: int, total: int, warmup: int, peak: float, floor: float) -> float:
    """The learning rate of one step: a warm-up to `peak`, then a straight line to floor · peak.

    Inputs:  step: 0 … total − 1 · total: steps of the run · warmup: steps of the warm-up
             peak: largest rate · floor: last rate as a share of the peak
    Returns: a Python float
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return peak * (1 - (1 - floor) * progress)
    ### END SOLUTION


# %%
check("learning_rate")

# %%
# LONG
schedule_fn = mine("learning_rate", globals())
lab.show_schedule(schedule_fn, preset)

# %% [markdown]
# ## § 7 Train
#
# Everything is in place: the documents, the model, your loss and your schedule. Inside, the loop is what you would write yourself: logits, loss, backward, step. Read it in `course_lib/stages/pretrain.py`, the function `pretrain`.
#
# What turns a gradient into a step is the **optimiser**. The weight matrices inside the layers use *Muon* ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon)): it takes the running mean of the gradients and makes this matrix nearly orthogonal, so that a step is about equally long in all its directions.
# The length is set as that of an AdamW step ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)). The embedding and the norms use AdamW ([Loshchilov and Hutter 2017](https://arxiv.org/abs/1711.05101)) without its weight decay, which is Adam ([Kingma and Ba 2014](https://arxiv.org/abs/1412.6980)): it scales each number's step by the usual size of its gradient. Both share your learning rate.
#
# **Predict first.** After the first tenth of the tokens, how much of the way from blind guessing to the limit will the loss have gone: a tenth, a half, nearly all? Write your guess into `MY_GUESS`.
#
# The trained model counts 1 point: all of it at 4 % above the limit or less, none from 30 % on, a straight line between.
#
# A gap is taken from the entropy of the very documents that are read. The limit of §§ 1 and 9 is that of all 2,000; the check below reads 200 others, and at size tiny a run is measured on 300. Their limits differ a little, so one model has several gaps.
#
# Stop the cell when you must: run it again and it goes on where it was.

# %%
# LONG
MY_GUESS = ""

live, out = lab.LiveCurve(entropy=limit, uniform=blind), course.work / f"pretrain_{course.size}"
run = lab.pretrain(course.size, 0, loss_fn, schedule_fn, on_step=live, out=out)
model = run.model
save_stage("pretrain", model, run.record)
way = lab.show_run(run, live, limit, MY_GUESS)

# %% [markdown]
# Before and after, from the same openings and the same random numbers (temperature 0.8, top-p 0.95: § 8):

# %%
# LONG
lab.before_and_after(model, OPENINGS, before)

# %%
check("pretrained_model")

# %% [markdown]
# **What to notice.** This card scores the saved model on public documents. When you hand in, it is scored on other ones, which nobody has seen. In our five runs the loss ended at 0.60 nats/token, 2.4 to 3.0 % above the limit.

# %%
# CLAIM
{
    "This card scores the saved model on public documents": GENERAL,
    "When you hand in, it is scored on other ones": GENERAL,
    "In our five runs the loss ended at 0.60": 0.59 < run.record["metrics"]["loss"] < 0.61 and way > 0.9,
}

# %%
# CLAIM stored
{
    "In our five runs the loss ended at 0.60": {
        round(each["loss"], 2) for each in stored("pretrain-laptop")["runs"]
    } == {0.6} and len(stored("pretrain-laptop")["runs"]) == 5,
    "2.4 to 3.0 % above the limit": [
        round(pick(each["gap_percent"] for each in stored("pretrain-laptop")["runs"]), 1) for pick in (min, max)
    ] == [2.4, 3.0],
}

# %% [markdown]
# ## § 8 Sampling
#
# The model gives a distribution; the sampler decides what to draw. Two dials:
#
# $$p = \mathrm{softmax}(\text{logits} / \tau), \qquad \text{keep the smallest set of likeliest tokens whose mass reaches } p_{\text{top}}, \text{ renormalise}$$
#
# - **temperature** $\tau > 0$: under 1 sharpens, over 1 flattens. It comes first: the set is chosen from the tempered probabilities
# - **top-p** ("nucleus", [Holtzman et al. 2019](https://arxiv.org/abs/1904.09751)): cuts off the long tail of unlikely tokens. The token that crosses the line belongs to the set, and the likeliest is always in it
# - tokens that tie are counted one by one: the set is the smallest also then, whichever of them it takes
# - $p_{\text{top}} = 1$ keeps every token. Treat it apart: in float32 the running sum can reach 1 before the last tokens
# - `logits`: `[V]`, some may be −∞ → probabilities `[V]`, each at its own token's place, all others 0
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary>Sort the probabilities in descending order and keep the indices. A token stays if the mass <em>before</em> it is still under top_p.</details>
# <details><summary>Hint 2</summary><code>sorted_probs.cumsum(0) - sorted_probs</code> is the mass before each token.</details>
# <details><summary>Hint 3</summary><code>torch.zeros_like(p).scatter(0, order, kept)</code> puts sorted values back at their places.</details>

# %%
# EXERCISE top_p_probs
def top_p_probs(
    logits: Float[Tensor, " V"], temperature: float, top_p: float
) -> Float[Tensor, " V"]:
    """The distribution to sample from: temperature, then the smallest set that holds top_p.

    Inputs:  logits: one position's logits, some may be −inf · temperature > 0 · top_p in (0, 1]
    Returns: probabilities, renormalised to sum to 1; tokens outside the set have 0
    """
    ### BEGIN SOLUTION
    probs = torch.softmax(logits / temperature, dim=-1)
    if top_p == 1:
        return probs
    probs, order = probs.sort(descending=True)
    before = probs.cumsum(0) - probs
    kept = torch.where(before < top_p, probs, torch.zeros_like(probs))
    return torch.zeros_like(probs).scatter(0, order, kept / kept.sum())
    ### END SOLUTION


# %%
check("top_p_probs")

# %% [markdown]
# A playground. Each text starts alike and uses the same random numbers. **Predict first:** which row will repeat what is most common, and which will fall apart? Then change the dials and the opening.

# %%
# LONG
sampler = mine("top_p_probs", globals())
choices = lab.show_samples(model, sampler, OPENINGS[0])

# %% [markdown]
# **What to notice.** The column *open tokens* says how many tokens the sampler could have drawn, on average: the higher the temperature, the more tokens it takes to reach the same mass. With top-p 1 every token stays open, but at temperature 0.2 many probabilities round to 0. Compare the rows with the highest temperature: how much of the text's sense hangs on top-p there?

# %%
# CLAIM
{
    "the higher the temperature, the more tokens": all(
        choices[0.2, p] < choices[1.0, p] < choices[2.5, p] for p in (0.5, 0.95)
    ),
    "With top-p 1 every token stays open": choices[1.0, 1.0] == choices[2.5, 1.0] == preset.model.vocabulary,
    "at temperature 0.2 many probabilities round to 0": choices[0.2, 1.0] < 0.7 * preset.model.vocabulary,
}

# %% [markdown]
# The same dials by hand, the untrained model beside yours. **Predict first:** at which temperature does your model first say something false about a resident? Only then press *sample*.

# %%
# LONG
dials = lab.play({"untrained": untrained, "trained": model}, tokenizer, OPENINGS[0])

# %% [markdown]
# ## § 9 How far from the limit
#
# Three numbers, from the documents' mean losses:
#
# $$L = \frac{\sum_d n_d\, \ell_d}{\sum_d n_d}, \qquad \text{perplexity} = e^{L}, \qquad \text{gap} = 100 \cdot \frac{L - H}{H}\ \%$$
#
# - $\ell_d$: mean loss of document $d$, nats/token · $n_d$: its tokens · $H$: the entropy, nats/token
# - **over tokens, not over documents**: a short document must not count as much as a long one
# - perplexity: the number of equally likely tokens that would be as hard to guess
# - the gap keeps its sign: on few documents a loss can lie under the entropy by chance
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 4
#
# <details><summary>Hint 1</summary><code>(losses * tokens).sum() / tokens.sum()</code> is the mean over tokens.</details>

# %%
# EXERCISE distance_to_limit
def distance_to_limit(
    losses: Float[Tensor, " N"], tokens: Int[Tensor, " N"], entropy: float
) -> dict[str, float]:
    """Loss, perplexity, and the gap to the best possible model.

    Inputs:  losses: mean loss of each of N documents, nats/token · tokens: length of each
             entropy: the limit, nats/token
    Returns: {"loss": nats/token, "perplexity": …, "gap_percent": above the entropy, % of it}
    """
    ### BEGIN SOLUTION
    loss = float((losses * tokens).sum() / tokens.sum())
    gap = 100 * (loss - entropy) / entropy
    return {"loss": loss, "perplexity": math.exp(loss), "gap_percent": gap}
    ### END SOLUTION


# %%
check("distance_to_limit")

# %%
# LONG
distance = mine("distance_to_limit", globals())
gaps, over_documents = lab.show_distances(model, validation, distance)

# %% [markdown]
# **What to notice.** The gap differs between kinds. In our run it is largest in the biographies. Not for want of facts (§ 10): a biography never tells a fact twice, and the model does (§ 8, its samples). The mean over documents is another number than the mean over tokens.

# %%
# CLAIM
{
    "The gap differs between kinds": max(g["gap_percent"] for g in gaps.values()) > 2 * gaps["all"]["gap_percent"],
    "In our run it is largest in the biographies": max(gaps, key=lambda kind: gaps[kind]["gap_percent"]) == "biography",
    "Not for want of facts": lab.knowledge(model, tokenizer, world)["accuracy"] > 0.99,
    "a biography never tells a fact twice, and the model does": lab.sampled(
        model, sampler, OPENINGS[0], 1.0, 0.5
    )[0].count("is a miller") == 2,
    "The mean over documents is another number": abs(over_documents - gaps["all"]["loss"]) > 0.01,
}

# %% [markdown]
# ## § 10 What it knows
#
# The generator draws facts such as somebody's job at random, so nothing in the language gives them away. A model that completes "… works as" correctly has *learned* the fact. Each probe below must be completed word for word.
#
# **Predict first:** what share of the facts does your model know?

# %%
# LONG
known = lab.show_knowledge(model, world)

# %% [markdown]
# **What to notice.** The limit here is a different one, 100 %, and chance is far below it. Facts are about a tenth of the tokens, so the loss alone does not tell you what a model knows. § 11 shows it, in the column *facts known*.

# %%
# CLAIM
{
    "chance is far below it": known["chance"] < 0.15,
    "Facts are about a tenth of the tokens": GENERAL,
    "§ 11 shows it": GENERAL,
}

# %% [markdown]
# Who reads whom? Each picture is one head of one layer: a row reads, a column is read. The number over it is the entropy of its weights, in nats. Which head reads the token before most? Which one looks for the name where it stood first? (The formula of § 2 makes these weights, from what goes into each layer. The model itself uses a fused kernel that gives the same to 1e-5.)

# %%
# LONG
heads = lab.show_heads(model, world.residents[1])

# %% [markdown]
# **What to notice.** No head only reads the token before: in our run the one that does so most has 45 % of its weight there. The second mention of a name hardly reads the first: in our run the strongest head has 31 % of its weight there, and the mean of all heads is 3 %.

# %%
# CLAIM
{
    "has 45 % of its weight": round(100 * heads["before"][0]) == 45,
    "the strongest head has 31 %": round(100 * heads["name"][0]) == 31,
    "the mean of all heads is 3 %": round(100 * heads["mean"]) == 3,
}

# %% [markdown]
# ## § 11 Scaling: the best size for a budget
#
# A larger model learns more from each token, but each token costs it more compute: about $C = 6 N D$ FLOP (floating-point operations) for $N$ parameters and $D$ tokens. ($D$, and $H$ below, are not those of §§ 2 and 3.) So a **budget** $C$ buys a large model that reads little or a small one that reads much. Which is better? Train some sizes with the *same* $C$ and look: an **isoFLOP** curve ([Hoffmann et al. 2022](https://arxiv.org/abs/2203.15556)).
#
# With a larger budget the best loss falls, often like a power of the compute ([Kaplan et al. 2020](https://arxiv.org/abs/2001.08361)). What falls towards 0 is the part above the entropy ([Henighan et al. 2020](https://arxiv.org/abs/2010.14701)):
#
# $$L(C) - H = a \cdot C^{-b} \qquad\Longleftrightarrow\qquad \log (L - H) = \log a - b \log C$$
#
# - $L$: the loss, nats/token · $H$: what no model gets under, so it comes off **first**. Elsewhere $H$ is unknown and must be fitted with $a$ and $b$; here it is the entropy
# - $a > 0$ and $b$: fitted by least squares on the logarithms, a straight line through *all* points, which stand in any order
# - the same line serves for anything in place of $C$: parameters, tokens
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>np.polyfit(x, y, 1)</code> gives slope and intercept of the straight line.</details>
# <details><summary>Hint 2</summary>The slope is −b, the intercept is log a.</details>

# %%
# EXERCISE fit_power_law
def fit_power_law(
    sizes: list[float], losses: list[float], entropy: float
) -> tuple[float, float]:
    """(a, b) of loss − entropy = a · size^(−b), by least squares on the logarithms.

    Inputs:  sizes: compute (or parameters, or tokens) of each model, in any order
             losses: nats/token · entropy: the limit, nats/token
    """
    ### BEGIN SOLUTION
    excess = np.array(losses) - entropy
    slope, intercept = np.polyfit(np.log(sizes), np.log(excess), 1)
    return float(np.exp(intercept)), float(-slope)
    ### END SOLUTION


# %%
check("fit_power_law")

# %% [markdown]
# Three budgets, four sizes, your loss and your schedule. Every run reads its documents once; a small model of the same budget reads more of them. Short runs, here and in § 13, are measured on 300 documents, and *above the limit* is from the entropy of these. Your function then fits two laws through the three bottoms: the excess against $C$, and the best size against $C$ (there with an entropy of 0, and $-b$ is how it grows). **Predict first:** will the largest model win with the largest budget?

# %%
# LONG
sweep, points = isoflop.PRESETS[course.size], []
for budget in sweep.budgets:  # FLOP of a run
    for shape in sweep.shapes:  # (width, layers)
        points.append(isoflop.run(shape, budget, loss_fn, schedule_fn))
best, laws = lab.show_sweep(points, mine("fit_power_law", globals()), course.size)

# %% [markdown]
# **What to notice.** For each budget a middle size is best: smaller models lack room, larger ones have not read enough. With more compute the best loss is lower. A star is the bottom of the curve through four runs, or the lowest run where the curve has no bottom between them. In our run the same size, 59,140 parameters, is the lowest of the four at every budget; only the stars move to the right, from about 60,000 to about 80,000. The largest model wins nowhere. The loss falls from 2.6 to 1.0 nats/token, and *facts known* never rises above chance, 10 %.

# %%
# CLAIM
{
    "For each budget a middle size is best": all(
        min(few, key=lambda p: p["excess"]) not in (few[0], few[-1]) for few in isoflop.by_budget(points).values()
    ),
    "With more compute the best loss is lower": [e for _, e in best.values()]
    == sorted((e for _, e in best.values()), reverse=True),
    "A star is the bottom of the curve through four runs": len(sweep.shapes) == 4,
    "is the lowest of the four at every budget": {
        min(few, key=lambda p: p["excess"])["parameters"] for few in isoflop.by_budget(points).values()
    } == {59_140},
    "from about 60,000 to about 80,000": (
        round(list(best.values())[0][0], -4), round(list(best.values())[-1][0], -4)
    ) == (60_000, 80_000),
    "The largest model wins nowhere": all(
        few[-1]["excess"] > min(p["excess"] for p in few) for few in isoflop.by_budget(points).values()
    ),
    "The loss falls from 2.6 to 1.0": [
        round(pick(p["loss"] for p in points), 1) for pick in (max, min)
    ] == [2.6, 1.0],
    "*facts known* never rises above chance, 10 %": round(max(p["known"] for p in points), 2)
    <= round(known["chance"], 2) == 0.1,
}

# %% [markdown]
# **What so small a sweep can and cannot show.** It shows that there *is* a best size, and how far above the limit each run stays, because the limit is known. It hardly shows that the best size grows: the curves say so, the runs do not. In our run it grew as $C^{0.21}$; had the first curve been followed to its bottom, just outside the picture, it would have been $C^{0.58}$.
# It cannot give the exponents of large models. Three budgets span less than one power of ten. One learning rate serves all runs. The embedding is most of each model's parameters; [Pearce and Song 2024](https://arxiv.org/abs/2406.12907) show that it moves the exponent whether one counts it or not, and that this, with small models, explains much of the difference between Kaplan's law (models grow faster than data) and Hoffmann's (both alike).
# And the facts are still to come: no run of this sweep has learned them, so three points say little about what follows.

# %%
# CLAIM
{
    "there *is* a best size": GENERAL,
    "the curves say so, the runs do not": len(
        {min(few, key=lambda p: p["excess"])["parameters"] for few in isoflop.by_budget(points).values()}
    ) == 1,
    "In our run it grew as $C^{0.21}$": round(laws["growth"], 2) == 0.21,
    "it would have been $C^{0.58}$": round(np.polyfit(np.log(list(best)), [
        (lambda c: -c[1] / (2 * c[0]))(
            np.polyfit(*(np.log([p[key] for p in few]) for key in ("parameters", "excess")), 2)
        ) for few in isoflop.by_budget(points).values()
    ], 1)[0], 2) == 0.58,
    "Three budgets span less than one power of ten": len(best) == 3 and max(best) < 10 * min(best),
    "One learning rate serves all runs": GENERAL,
    "The embedding is most of each model's parameters": all(
        preset.model.vocabulary * width > 0.5 * isoflop.parameters_of((width, layers))
        for width, layers in sweep.shapes
    ),
    "no run of this sweep has learned them": max(p["known"] for p in points) < known["chance"] + 0.01,
}

# %% [markdown]
# ## § 12 Find the bug
#
# A colleague trains on several machines. Each machine has a part of a batch, so the loss comes in two numbers, the sum of −log p and the number of targets; the machines add both up and divide. He writes `broken_loss`, starts a run, and is happy: the loss falls far under the entropy. You know that this cannot be.

# %%
def broken_loss(logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"], pad_id: int = 0):
    """(sum of −log p over the real targets, how many there are)"""
    targets = F.pad(ids, (0, 1), value=pad_id)[:, :-1].flatten()  # [B·T]
    logp = F.log_softmax(logits, dim=-1).flatten(0, 1)
    real = targets != pad_id
    return -logp[real, targets[real]].sum(), real.sum()


# %%
# LONG
documents = 400 if course.size == "tiny" else 5_000
broken = isoflop.short_run((32, 2), documents, lab.mean_of(broken_loss), schedule_fn)
log = lab.show_log(broken, limit, OPENINGS[0])

# %% [markdown]
# Which mistake is it? One letter is right:
#
# | | mistake | | mistake |
# |---|---|---|---|
# | A | the attention has no causal mask: a token sees what it is asked for | E | softmax runs twice |
# | B | padding is counted as text | F | the loss is in bits |
# | C | the logits at $t$ are scored against the token at $t$, which the model has just read | G | the learning rate is too large |
# | D | the logits at $t$ are scored against the token at $t - 1$ | H | the model is measured on its own training documents |
#
# Write the letter into `which_mistake`, and mend the loss:
#
# - `summed_loss` returns the sum of −log p of the next tokens, a tensor with a gradient, and the number of targets
# - as in § 5, a target equal to `pad_id` is no target, and where there is none both numbers are 0
#
# A wrong letter costs half of the question.
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary>Is the fault in the model or in the loss? The same model has another loss by the formula of § 5. Were the attention at fault, that loss would be small, too.</details>
# <details><summary>Hint 2</summary>Read what it writes. Then write down for one short document, by hand, which target stands beside which logits.</details>

# %%
# EXERCISE summed_loss
def which_mistake() -> str:
    """The letter of the mistake, A to H."""
    ### BEGIN SOLUTION
    return "C"
    ### END SOLUTION


def summed_loss(logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"], pad_id: int = 0):
    """(sum of −log p of the next token over the real targets, how many there are)."""
    ### BEGIN SOLUTION
    targets = ids[:, 1:].flatten()
    logp = F.log_softmax(logits[:, :-1], dim=-1).flatten(0, 1)
    real = targets != pad_id
    return -logp[real, targets[real]].sum(), real.sum()
    ### END SOLUTION


# %%
check("summed_loss")

# %% [markdown]
# The same run with the mended loss:

# %%
# LONG
mended_fn = lab.mean_of(mine("summed_loss", globals()))
mended = isoflop.short_run((32, 2), documents, mended_fn, schedule_fn)
lab.show_mended(broken, mended, limit)

# %% [markdown]
# **What to notice.** The broken run reached 0.00 in its own measure while its loss on fresh text rose above that of blind guessing: it had learned to say again what it had just read. A training loss that *stays* under the entropy is never good news; a single batch may lie there by luck (§ 7, the thin line). The mended run stays above the limit.

# %%
# CLAIM
{
    "The broken run reached 0.00 in its own measure": log["last"] < 0.005,
    "rose above that of blind guessing": log["fresh"] > blind,
    "to say again what it had just read": len(set(log["text"].split())) <= 2,
    "A training loss that *stays* under the entropy is never good news": GENERAL,
    "a single batch may lie there by luck": min(row["train_loss"] for row in run.history) < limit - 0.05,
    "The mended run stays above the limit": mended.record["metrics"]["loss"] > limit,
}

# %% [markdown]
# ## § 13 Change one thing
#
# The same short run (width 32) twice, with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. Other changes to try: `{"schedule_fn": lambda step, total, warmup, peak, floor: peak}` (no warm-up, no decay), `{"clip": 1e9}` (no clipping of large gradients), `{"batch": 2048}` (tokens a step: fewer, larger steps).

# %%
# LONG
CHANGE = {"learning_rate": 10 * isoflop.RECIPE.learning_rate}
MY_PREDICTION = ""

setup = {"loss_fn": loss_fn, "schedule_fn": schedule_fn}
base, changed = (isoflop.short_run((32, 2), documents, **{**setup, **c}) for c in ({}, CHANGE))
ends = lab.compare_runs(base, changed, limit, MY_PREDICTION)

# %% [markdown]
# ## § 14 Summary
#
# You wrote a Llama's attention, norm and positions, the loss that trains it, its schedule and its sampler. The loss fell from log V towards a limit that you know, and you measured the distance. You saw that a budget of compute has a best size, and found a mistake by its curve.
# The model completes documents; it does not answer. That is lab 03, and it starts from the weights that you just saved.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Why can the loss on fresh documents not fall under the entropy? And if the *training* loss of a right formula stayed under it, what would have happened?

# %%
# CLAIM
{
    "You wrote a Llama's attention": apart < 1e-5,
    "The loss fell from log V towards a limit": first_loss > blind - 0.15 and limit < gaps["all"]["loss"] < 0.5 * blind,
    "You saw that a budget of compute has a best size": len(best) == 3,
    "The model completes documents": GENERAL,
    "That is lab 03": GENERAL,
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The source makes random choices, and its entropy is the mean −log p of a reader who knows all their true probabilities. On average over fresh text, any model's −log p is that entropy plus the KL divergence
# from the source to the model, which is never negative. A training loss that stays under the entropy (one batch may lie there by luck) would mean that the model has memorised its training rows: those are no longer fresh for it.
# ### END SOLUTION

# %%
# CLAIM
{
    "The source makes random choices": GENERAL,
    "which is never negative": GENERAL,
    "the model has memorised its training rows": GENERAL,
}

# %% [markdown]
# **2.** What did you change in § 13, what did you predict, what came out (with its unit), and why?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I multiplied the peak learning rate by ten (0.3 for 0.03) and predicted a higher loss. At size laptop the loss on fresh text came out at 4.5 nats/token instead of 1.1.
# The length of a step is set by the learning rate, however small the gradient is. Steps that long overshoot: the weights are thrown about, and the loss stays above 5 until the schedule has made the steps shorter.
# ### END SOLUTION

# %%
# CLAIM
{
    "(0.3 for 0.03)": (CHANGE["learning_rate"], isoflop.RECIPE.learning_rate) == (0.3, 0.03),
    "came out at 4.5 nats/token instead of 1.1": [round(end["loss"], 1) for end in ends.values()] == [1.1, 4.5],
    "The length of a step is set by the learning rate": GENERAL,
    "the loss stays above 5 until the schedule has made the steps shorter": (
        lambda means: min(means[: len(means) // 2]) > 5 > means[-1]
    )([loss for _, loss in lab.curve.smooth(lab.curve.points(changed.history, "train_loss"), 0.04)]),
}

# %% [markdown]
# ## § 15 Hand in
#
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), run the cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
