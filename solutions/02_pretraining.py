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
# **About 90 minutes · 10 points · a laptop is enough.** Your computer works alone for about ten of these minutes.
# At the end you have a language model that you trained from nothing, and you know how far it is from the best possible one.

# %% [markdown]
# > **After this lab you can**
# > - write causal self-attention, RMSNorm and rotary positions, and show that they are what Llama computes,
# > - write the loss of pre-training and say exactly which tokens it counts,
# > - train a model with a warm-up and a decay, and read its curve against a known limit,
# > - sample from it with temperature and top-p,
# > - measure loss, perplexity, distance to the limit and what the model knows,
# > - fit a scaling law to models of your own.

# %%
# SETUP

# %%
import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 The data, and a model that knows nothing
#
# Look first, theory later. Littlebrook's generator wrote these documents and knows the exact probability of each.

# %%
# LONG
from course_lib.stages.perplexity import distance_to_limit as measure
from course_lib.stages.generate import generate
from course_lib.stages.model import Llama
from course_lib.stages.pretrain import PRESETS, pretrain
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets.columns import columns
from course_lib.world import pretrain_rows, village

preset, tokenizer, world = PRESETS[course.size], load_tokenizer(), village()
validation = pretrain_rows("validation")
kinds = sorted({row["kind"] for row in validation})
for kind in kinds[:4]:
    row = next(row for row in validation if row["kind"] == kind)
    print(f"[{row['kind']}, −log p = {row['nll']:.1f} nats]\n{row['text']}\n")

# %%
# LONG
print(f"{'kind':<14}{'documents':>10}{'tokens':>9}{'entropy, nats/token':>21}")
for kind in [*kinds, "all"]:
    rows = [row for row in validation if kind in (row["kind"], "all")]
    tokens = sum(
        len(ids) - 1 for ids in encode_documents(tokenizer, [row["text"] for row in rows])
    )  # BOS is given, not predicted
    limit = sum(row["nll"] for row in rows) / tokens
    print(f"{kind:<14}{len(rows):>10}{tokens:>9}{limit:>21.3f}")
print(f"\nThe limit of this lab is the last line: {limit:.3f} nats/token. No model can do better on fresh text.")

# %% [markdown]
# Now the untrained model. Its weights are random.

# %%
# LONG
OPENINGS = [
    f"Meet {world.residents[0].full}.",
    "How to mend",
    "One Monday morning",
]  # no blank at the end: a token begins with its blank
untrained = Llama(preset.model, seed=0)
before = generate(untrained, tokenizer, OPENINGS, max_new_tokens=40, temperature=0.8, top_p=0.95, seed=0)
for opening, text in zip(OPENINGS, before):
    print(f"» {opening}‖{text}\n")
start = measure(untrained, tokenizer, validation[:200])
vocabulary = preset.model.vocabulary
print(
    f"{untrained.parameter_count():,} parameters. Loss {start['loss']:.3f} nats/token; guessing all {vocabulary} tokens alike costs log {vocabulary} = {math.log(vocabulary):.3f}."
)

# %% [markdown]
# **What to notice.** The model writes noise, and its loss is that of blind guessing. The rest of the lab is the way from that number down to the limit.

# %% [markdown]
# ## § 2 Attention
#
# Each token asks a question $q$, offers a label $k$ and carries a content $v$. It reads the contents of earlier tokens, weighted by how well their labels answer its question:
#
# $$y_t = \sum_{s \le t} w_{ts}\, v_s, \qquad w_{t\cdot} = \mathrm{softmax}_s\!\left(\frac{q_t \cdot k_s}{\sqrt{P}}\right)$$
#
# - $B$ batch, $H$ heads, $T$ tokens, $P$ width of a head; `q`, `k`, `v`, `y`: `[B H T P]`, scores: `[B H T T]`
# - $s \le t$: the **causal mask**. A token sees itself and what came before, never what it is asked to predict
# - $\sqrt P$ keeps the scores near 1, whatever the width
# - `key_mask` `[B T]`: prompts of different lengths are padded on the left; `False` marks padding, which nobody may read
#
# A forbidden score becomes the most negative number of its dtype, so that its weight is 0.
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 12
#
# <details><summary>Hint 1</summary>Five steps: scores, scale, mask, softmax over the last axis, weighted sum. <code>k.transpose(-2, -1)</code> swaps the last two axes.</details>
# <details><summary>Hint 2</summary><code>torch.ones(T, T, dtype=torch.bool).tril()</code> is True where s ≤ t. Combine it with <code>key_mask[:, None, None, :]</code> by <code>&amp;</code>.</details>
# <details><summary>Hint 3</summary>Use <code>scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)</code>. With −inf, a padded query that may see nothing gets 0/0 = NaN.</details>
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
def theirs(q, k, v, key_mask=None):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


attend = mine("causal_attention", globals(), theirs)
q, k, v = torch.randn(3, 2, 4, 6, 16)
apart = (attend(q, k, v) - theirs(q, k, v)).abs().max().item()
print(f"largest difference from F.scaled_dot_product_attention: {apart:.1e}")
assert apart < 1e-5
weights = attend(q[:1, :1], k[:1, :1], torch.eye(6)[None, None])[0, 0]
print("\nweights of one head: row t reads column s")
for t, row in enumerate(weights):
    print(f"t = {t}  " + "  ".join(f"{w:.2f}" if w > 0 else " ·  " for w in row) + f"   sum {row.sum():.2f}")

# %% [markdown]
# **What to notice.** The upper triangle is empty, each row sums to 1, and the first token can only read itself.

# %% [markdown]
# ## § 3 RMSNorm
#
# Numbers that pass through many layers drift in size. Before each layer, every token's vector is brought to a root mean square of 1 and then scaled by a learned weight:
#
# $$y_i = \frac{x_i}{\sqrt{\frac1D \sum_j x_j^2 + \varepsilon}}\; g_i$$
#
# - `x`: `[... D]`, any leading axes · `weight` $g$: `[D]` · $\varepsilon$ keeps a zero vector from 0/0
# - compute in float32, whatever the dtype of `x`, and return the dtype of `x`: 10,000² does not fit into float16
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 5
#
# <details><summary>Hint 1</summary>It is not LayerNorm: no mean is taken off and there is no bias.</details>
# <details><summary>Hint 2</summary><code>.mean(-1, keepdim=True)</code> keeps the axis, so that the division lines up.</details>


# %%
# EXERCISE rms_norm
def rms_norm(x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-6) -> Float[Tensor, "*batch D"]:
    """x / √(mean of x² over the last axis + eps) · weight, computed in float32, returned in x's dtype."""
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
norm = mine("rms_norm", globals(), lambda x, weight, eps=1e-6: F.rms_norm(x, weight.shape, weight, eps))
x = torch.tensor([1.0, -2.0, 3.0, 0.5])
for factor in (1, 10, 1000):
    y = norm(factor * x, torch.ones(4))
    print(
        f"{factor:>5} · x  →  {[round(value, 3) for value in y.tolist()]}   root mean square {y.pow(2).mean().sqrt():.3f}"
    )

# %% [markdown]
# **What to notice.** Only the direction of a vector goes into the next layer, not its length.

# %% [markdown]
# ## § 4 RoPE: where a token stands
#
# Attention as written does not know the order of the tokens. Rotary position embedding turns each query and key by an angle that grows with its position. Feature $i$ and feature $i + P/2$ form a pair, and each pair turns at its own speed:
#
# $$\begin{pmatrix} x'_i \\ x'_{i+P/2} \end{pmatrix} = \begin{pmatrix} \cos a & -\sin a \\ \sin a & \cos a \end{pmatrix} \begin{pmatrix} x_i \\ x_{i+P/2} \end{pmatrix}, \qquad a = \text{position} \cdot \theta^{-2i/P}, \quad i = 0 \dots P/2 - 1$$
#
# - `x`: `[B H T P]`, a query or a key · `positions`: `[T]`, whole numbers · $\theta$ = 10,000
#
# The product of a turned query and a turned key depends on the *distance* of their positions only. Compute the angles in float32 and return the dtype of `x`.
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

    Inputs:  x: queries or keys · positions: the position of each of the T tokens · theta: base of the frequencies
    Returns: the turned x, same shape and dtype
    """
    ### BEGIN SOLUTION
    P = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, P, 2, device=x.device).float() / P)
    angles = positions.float()[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1).to(x.dtype)
    ### END SOLUTION


# %%
check("apply_rope")

# %%
# LONG
from course_lib.stages import model as library


def their_rope(x, positions, theta=10_000.0):
    tables = library.rope_tables(int(positions.max()) + 1, x.shape[-1], theta)
    return library.apply_rope(x, *(table[positions] for table in tables))


rope = mine("apply_rope", globals(), their_rope)
query, key = torch.randn(2, 1, 1, 1, 32)
turned = lambda x, position: rope(x, torch.tensor([position]))
print("query · key after turning")
for distance in (0, 1, 5):
    products = [(turned(query, start + distance) * turned(key, start)).sum().item() for start in (0, 7, 100)]
    print(f"  {distance} apart, key at 0, 7, 100: " + "   ".join(f"{p:8.4f}" for p in products))

# %% [markdown]
# **What to notice.** Along a row the positions change and the product does not. Down the column the distance changes and so does the product.
#
# ### Your three functions are a Llama
#
# With an embedding, a gated MLP and residual additions, that is the whole architecture. The next cell runs it with *your* functions on the weights of a model, and compares every logit with the class that the world uses, `transformers.LlamaForCausalLM`. You need not write anything.


# %%
# LONG
def your_llama(ids: Int[Tensor, "B T"], weights: dict, c) -> Float[Tensor, "B T V"]:
    """The logits of a Llama, from attend, norm and rope."""
    positions = torch.arange(ids.shape[1])
    heads = lambda x: x.unflatten(-1, (c.heads, -1)).transpose(1, 2)  # [B T D] → [B H T P]
    x = F.embedding(ids, weights["model.embed_tokens.weight"])
    for layer in range(c.layers):
        w = {name.removeprefix(f"model.layers.{layer}."): value for name, value in weights.items()}
        h = norm(x, w["input_layernorm.weight"], c.eps)
        q, k, v = (heads(F.linear(h, w[f"self_attn.{name}_proj.weight"])) for name in "qkv")
        y = attend(rope(q, positions, c.rope_base), rope(k, positions, c.rope_base), v)
        x = x + F.linear(y.transpose(1, 2).flatten(-2), w["self_attn.o_proj.weight"])
        h = norm(x, w["post_attention_layernorm.weight"], c.eps)
        x = x + F.linear(
            F.silu(F.linear(h, w["mlp.gate_proj.weight"])) * F.linear(h, w["mlp.up_proj.weight"]),
            w["mlp.down_proj.weight"],
        )
    return F.linear(norm(x, weights["model.norm.weight"], c.eps), weights["model.embed_tokens.weight"])


small = Llama(library.ModelConfig(hidden=64, intermediate=192, layers=2, heads=4), seed=1)
with torch.no_grad():
    ids = torch.tensor(encode_documents(tokenizer, [validation[0]["text"]]))
    yours = your_llama(ids, small.state_dict(), small.config)
    hugging_face = library.to_transformers(small)(ids).logits
apart = (yours - hugging_face).abs().max().item()
print(
    f"{yours.numel():,} logits, the largest is {yours.abs().max():.2f}; largest difference from LlamaForCausalLM: {apart:.1e}"
)
assert apart < 1e-5

# %% [markdown]
# ## § 5 The loss
#
# At each position the model gives logits for the **next** token. The loss is the mean −log p of the tokens that really came:
#
# $$L = \frac{1}{N} \sum_{b,t} -\log p(\text{ids}_{b,t+1} \mid \text{ids}_{b,\le t}) \quad\text{over the } N \text{ real targets}$$
#
# - `logits`: `[B T V]` · `ids`: `[B T]` · unit: nats/token
# - the logits at position $t$ are scored against the token at $t+1$, so the last logits and the first token fall away
# - a target equal to `pad_id` is no target: it counts neither in the sum nor in $N$
# - nothing to predict: the loss is 0, and still hangs on the logits
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Predictions: <code>logits[:, :-1]</code>. Targets: <code>ids[:, 1:]</code>.</details>
# <details><summary>Hint 2</summary><code>F.cross_entropy</code> takes <code>[N V]</code> and <code>[N]</code>, has <code>ignore_index</code>, and <code>reduction="sum"</code> lets you divide yourself.</details>


# %%
# EXERCISE next_token_loss
def next_token_loss(logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"], pad_id: int = 0) -> Float[Tensor, ""]:
    """Mean −log p of the next token over all real targets, nats/token.

    Inputs:  logits: the model's output at each position · ids: the tokens it read · pad_id: the id of padding
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
from course_lib.stages import pretrain as recipe

loss_fn = mine("next_token_loss", globals(), recipe.next_token_loss)
ids = recipe.collate(encode_documents(tokenizer, [row["text"] for row in validation[:8]]))
with torch.no_grad():
    loss = loss_fn(untrained(ids), ids).item()
print(
    f"8 documents, {(ids != 0).sum()} tokens and {(ids == 0).sum()} of padding: loss {loss:.3f}, blind guessing {math.log(vocabulary):.3f} nats/token"
)

# %% [markdown]
# **What to notice.** If your loss of an untrained model is far from log V, the loss is wrong, not the model. This is the cheapest test in the trade.

# %% [markdown]
# ## § 6 The schedule
#
# At first the gradients are large and the optimiser has seen few of them, so its steps are rough: start small. At the end, large steps only shake the weights about: finish small.
#
# - **warm-up**, steps $0 \dots w-1$: a straight line, $\text{peak} \cdot (\text{step}+1)/w$, so that the first step is not lost
# - **decay**, from step $w$ on: a straight line from the peak down to $\text{floor} \cdot \text{peak}$ at the last step, $\text{total} - 1$. Past the end it stays there
# - `step` counts from 0 · `floor` is a share of the peak · `warmup` may be 0 or the whole run
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
    """The learning rate of one step: a warm-up to `peak`, then a straight line down to floor · peak.

    Inputs:  step: 0 … total − 1 · total: steps of the run · warmup: steps of the warm-up · peak: largest rate · floor: last rate as a share of the peak
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
schedule_fn = mine("learning_rate", globals(), recipe.learning_rate)
curve.show(
    curve.schedule_figure([schedule_fn(step, 400, 20, preset.learning_rate, preset.floor) for step in range(400)])
)

# %% [markdown]
# ## § 7 Train
#
# Everything is in place: the documents, the model, your loss and your schedule. Inside, the loop is what you would write yourself: logits, loss, backward, step. Read it in `course_lib/stages/pretrain.py`; it fits on one screen.
#
# **Predict first.** After the first tenth of the tokens, how much of the way from blind guessing to the limit will the loss have gone: a tenth, a half, nearly all? Put your guess into the cell.
#
# Stop the cell when you must: run it again and it goes on where it was.

# %%
# LONG
MY_GUESS = "a half"

live = curve.LiveCurve(entropy=limit, uniform=math.log(vocabulary))
run = pretrain(
    course.size,
    seed=0,
    loss_fn=loss_fn,
    schedule_fn=schedule_fn,
    on_step=live,
    out=course.work / f"pretrain_{course.size}",
)
live.close()
model = run.model
save_stage("pretrain", model, run.record)

early = next(row for row in run.history if row["tokens"] >= 0.1 * run.history[-1]["tokens"])
way = (math.log(vocabulary) - early["train_loss"]) / (math.log(vocabulary) - limit)
print(
    f"After a tenth of the tokens the loss was {early['train_loss']:.3f}: {100 * way:.0f} % of the way. You guessed {MY_GUESS}."
)
print(
    f"After {run.record['minutes']:.1f} minutes, on {run.record['metrics']['tokens']:,} fresh tokens: loss {run.record['metrics']['loss']:.4f}, limit {run.record['metrics']['entropy']:.4f} nats/token."
)

# %% [markdown]
# Before and after, from the same openings and the same random numbers:

# %%
# LONG
after = generate(model, tokenizer, OPENINGS, max_new_tokens=40, temperature=0.8, top_p=0.95, seed=0)
for opening, old, new in zip(OPENINGS, before, after):
    print(columns([f"untrained » {opening}", f"trained » {opening}"], [old, new]) + "\n")

# %%
check("pretrained_model")

# %% [markdown]
# **What to notice.** This card scores the saved model on public documents. When you hand in, it is scored on other ones, which nobody has seen.

# %% [markdown]
# ## § 8 Sampling
#
# The model gives a distribution; the sampler decides what to draw. Two dials:
#
# $$p = \mathrm{softmax}(\text{logits} / \tau), \qquad \text{keep the smallest set of likeliest tokens whose mass reaches } p_{\text{top}}, \text{ renormalise}$$
#
# - **temperature** $\tau > 0$: under 1 sharpens, over 1 flattens
# - **top-p** ("nucleus"): cuts off the long tail of unlikely tokens. The token that crosses the line belongs to the set, and the likeliest is always in it
# - `logits`: `[V]` → probabilities `[V]`, each at its own token's place
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
def top_p_probs(logits: Float[Tensor, " V"], temperature: float, top_p: float) -> Float[Tensor, " V"]:
    """The distribution to sample from: temperature, then the smallest set that holds top_p, renormalised.

    Inputs:  logits: one position's logits, some may be −inf · temperature > 0 · top_p in (0, 1]
    Returns: probabilities that sum to 1; tokens outside the set have 0
    """
    ### BEGIN SOLUTION
    probs, order = torch.softmax(logits / temperature, dim=-1).sort(descending=True)
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
from course_lib.stages.generate import next_token_probs

sampler = mine("top_p_probs", globals(), next_token_probs)


@torch.no_grad()
def sample(opening, temperature, top_p, tokens=30, seed=0):
    """(text, mean number of tokens that were open to draw)."""
    generator, ids, open_tokens = (
        torch.Generator().manual_seed(seed),
        [1, *tokenizer.encode(opening, add_special_tokens=False).ids],
        [],
    )
    first = len(ids)
    while len(ids) < first + tokens and (len(ids) == first or ids[-1] != 2):
        probs = sampler(
            model(torch.tensor([ids], device=next(model.parameters()).device))[0, -1].float().cpu(), temperature, top_p
        )
        open_tokens.append(int((probs > 0).sum()))
        ids.append(int(torch.multinomial(probs, 1, generator=generator)))
    return tokenizer.decode(ids[first:]), sum(open_tokens) / len(open_tokens)


opening = f"Meet {world.residents[1].full}."
print(f"temperature  top_p  open tokens  » {opening}‖")
for temperature in (0.2, 1.0, 2.5):
    for top_p in (0.5, 0.95, 1.0):
        text, choices = sample(opening, temperature, top_p)
        print(f"{temperature:>11}{top_p:>7}{choices:>13.1f}  {text.strip()}")

# %% [markdown]
# **What to notice.** The column *open tokens* says how many tokens the sampler could have drawn, on average. Compare the rows with the highest temperature: how much of the text's sense hangs on top-p there?

# %% [markdown]
# The same dials by hand, the untrained model beside yours. **Predict first:** at which temperature does your model first say something false about a resident? Only then press *sample*.

# %%
# LONG
from course_lib.widgets import attention, playground

dials = playground.play({"untrained": untrained.to(course.device), "trained": model.eval()}, tokenizer, opening)

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
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 4
#
# <details><summary>Hint 1</summary><code>(losses * tokens).sum() / tokens.sum()</code> is the mean over tokens.</details>


# %%
# EXERCISE distance_to_limit
def distance_to_limit(losses: Float[Tensor, " D"], tokens: Int[Tensor, " D"], entropy: float) -> dict[str, float]:
    """Loss, perplexity, and the gap to the best possible model.

    Inputs:  losses: mean loss of each of D documents, nats/token · tokens: length of each · entropy: the limit, nats/token
    Returns: {"loss": nats/token, "perplexity": …, "gap_percent": how far above the entropy, in % of it}
    """
    ### BEGIN SOLUTION
    loss = float((losses * tokens).sum() / tokens.sum())
    return {"loss": loss, "perplexity": math.exp(loss), "gap_percent": 100 * (loss - entropy) / entropy}
    ### END SOLUTION


# %%
check("distance_to_limit")

# %%
# LONG
from course_lib.stages.perplexity import document_losses


def their_distance(losses, tokens, entropy):
    loss = float(np.average(losses, weights=tokens))
    return {"loss": loss, "perplexity": math.exp(loss), "gap_percent": 100 * (loss / entropy - 1)}


distance = mine("distance_to_limit", globals(), their_distance)
all_ids = encode_documents(tokenizer, [row["text"] for row in validation])
tokens = torch.tensor([len(ids) - 1 for ids in all_ids])
losses = torch.tensor(document_losses(model, all_ids), dtype=torch.float64) / tokens
nll = torch.tensor([row["nll"] for row in validation], dtype=torch.float64)
print(f"{'kind':<14}{'loss':>8}{'entropy':>9}{'perplexity':>12}{'gap':>9}")
for kind in [*kinds, "all"]:
    chosen = torch.tensor([kind in (row["kind"], "all") for row in validation])
    entropy = float(nll[chosen].sum() / tokens[chosen].sum())
    result = distance(losses[chosen], tokens[chosen], entropy)
    print(f"{kind:<14}{result['loss']:>8.3f}{entropy:>9.3f}{result['perplexity']:>12.2f}{result['gap_percent']:>8.1f}%")
print(
    f"\nThe trap: the mean over documents would have said {losses.mean():.3f} nats/token, the mean over tokens is {result['loss']:.3f}."
)

# %% [markdown]
# **What to notice.** The gap differs between kinds. Where it is largest, there is most left to learn: a text can only be guessed down to its entropy, and not every kind is equally easy to get there.

# %% [markdown]
# ## § 10 What it knows
#
# The generator draws facts such as somebody's job at random, so nothing in the language gives them away. A model that completes "… works as" correctly has *learned* the fact. Each probe below must be completed word for word.
#
# **Predict first:** what share of the facts does your model know?

# %%
# LONG
from course_lib.evaluation.probes import knowledge

known = knowledge(model, tokenizer, world)
print(f"{'fact':<8}{'known':>8}{'possible values':>18}")
for fact, share in sorted(known["by_fact"].items(), key=lambda item: -item[1]):
    values = {resident.facts[fact] for resident in world.residents}
    print(f"{fact:<8}{100 * share:>7.1f}%{len(values):>18}  {'█' * round(30 * share)}")
print(
    f"\nall {known['probes']:,} probes: {100 * known['accuracy']:.1f} %    always naming the commonest value: {100 * known['chance']:.1f} %    the limit: 100 %"
)

# %% [markdown]
# **What to notice.** The limit here is a different one, and chance is far below it. Facts are a small part of the tokens, so the loss alone does not tell you what a model knows. Come back after § 11 and probe `runs[-1].model`, which has read less: does it know as large a share as its loss would make you think?

# %% [markdown]
# Who reads whom? Each picture is one head of one layer: a row reads, a column is read. The number over it is the entropy of its weights, in nats. Find a head that always reads the token before, and one that looks for a name. (Your function of § 2 makes these weights; the model uses a fused kernel that gives the same to 1e-5.)

# %%
# LONG
seen = attention.show(model, tokenizer, f"Meet {world.residents[1].full}. {world.residents[1].first} is a baker.")

# %% [markdown]
# **What to notice.** Many heads put nearly all weight on one token. A text is copied from where a head looks, so a name that is said a second time is read from where it stood first.

# %% [markdown]
# ## § 11 A scaling curve
#
# How much does size help? The loss over the entropy often falls like a power of the number of parameters:
#
# $$L(N) - H = a \cdot N^{-b} \qquad\Longleftrightarrow\qquad \log (L - H) = \log a - b \log N$$
#
# - $N$: parameters · $H$: the entropy, which no size gets under, so it comes off **first** · $a, b > 0$: fitted by least squares on the logarithms, a straight line
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>np.polyfit(x, y, 1)</code> gives slope and intercept of the straight line.</details>
# <details><summary>Hint 2</summary>The slope is −b, the intercept is log a.</details>


# %%
# EXERCISE fit_power_law
def fit_power_law(sizes: list[float], losses: list[float], entropy: float) -> tuple[float, float]:
    """(a, b) of loss − entropy = a · size^(−b), by least squares on the logarithms.

    Inputs:  sizes: parameters of each model, in any order · losses: nats/token · entropy: the limit, nats/token
    """
    ### BEGIN SOLUTION
    excess = np.array(losses) - entropy
    slope, intercept = np.polyfit(np.log(sizes), np.log(excess), 1)
    return float(np.exp(intercept)), float(-slope)
    ### END SOLUTION


# %%
check("fit_power_law")

# %% [markdown]
# Five models, each trained on the same few documents. **Predict first:** by what factor will the excess fall from the smallest model to the largest?

# %%
# LONG
from dataclasses import replace

BUDGET = 400 if course.size == "tiny" else 5_000  # documents a run
SHAPES = [(8, 1), (16, 1), (32, 2), (64, 2), (96, 3)]  # width, layers


def short_run(width=32, layers=2, schedule_fn=schedule_fn, **changes):
    """A small training run; `changes` are fields of PretrainConfig. So few steps must be larger than those of the long run."""
    shape = library.ModelConfig(hidden=width, intermediate=3 * width, layers=layers, heads=max(1, width // 32))
    config = replace(
        preset,
        **{"model": shape, "documents": BUDGET, "batch": 1024, "learning_rate": 0.012, "validations": 1, **changes},
    )
    return pretrain(course.size, loss_fn=loss_fn, schedule_fn=schedule_fn, config=config, progress=False)


runs = [short_run(width, layers) for width, layers in SHAPES]
sizes = [run.record["parameters"] for run in runs]
ends = [run.record["metrics"]["loss"] for run in runs]
for size, end, run_ in zip(sizes, ends, runs):
    print(
        f"{size:>10,} parameters: loss {end:.3f}, {end - limit:.3f} above the limit, {run_.history[-1]['seconds']:.0f} s"
    )


def their_fit(sizes, losses, entropy):
    slope, intercept = np.polyfit(np.log(sizes), np.log(np.subtract(losses, entropy)), 1)
    return math.exp(intercept), -slope


a, b = mine("fit_power_law", globals(), their_fit)(sizes, ends, limit)
print(
    f"\nfitted: excess = {a:.3g} · N^−{b:.3f}. Ten times the parameters: the excess times {10**-b:.2f}. From smallest to largest it fell by a factor of {(ends[0] - limit) / (ends[-1] - limit):.2f}."
)
print(f"worst miss of the fitted line: {max(abs(a * n**-b / (e - limit) - 1) for n, e in zip(sizes, ends)):.0%}")
curve.show(curve.scaling_figure(sizes, ends, limit, a, b))

# %% [markdown]
# **What to notice.** On a straight line with logarithmic axes each factor of ten in size buys the same factor in excess. Your points are not quite on it: all five models read the same few documents, and the more parameters a model has, the more it is the *data* that holds it back. Published scaling laws grow both. Look at the worst miss before you trust a line beyond its points.

# %% [markdown]
# ## § 12 Change one thing
#
# The same short run (width 32) twice, with one difference. Choose it, **write down what you expect**, then run. Other changes to try: `schedule_fn=lambda step, total, warmup, peak, floor: peak` (no warm-up, no decay), `clip=1e9` (no clipping), `batch=4096` (fewer, larger steps). When we ran them, one made the loss *lower*. Which, and would it in a long run?

# %%
# LONG
CHANGE = dict(learning_rate=10 * 0.012)
MY_PREDICTION = "ten times the learning rate: the loss will come out higher"

base, changed = short_run(), short_run(**CHANGE)
print(f"I predicted: {MY_PREDICTION}")
for name, result in (("as before", base), ("changed", changed)):
    metrics, steps = result.record["metrics"], result.history
    on_the_way = ", ".join(f"{steps[int(share * len(steps))]['train_loss']:.2f}" for share in (0.1, 0.25, 0.5))
    print(
        f"{name:<10} training loss after 10, 25, 50 % of the steps: {on_the_way}; at the end, on fresh text: {metrics['loss']:.3f} nats/token, {metrics['gap_percent']:.0f} % above the limit"
    )
curve.show(curve.compare_figure({"as before": base.history, "changed": changed.history}, limit))

# %% [markdown]
# ## § 13 Summary
#
# You wrote a Llama's attention, norm and positions, the loss that trains it, its schedule and its sampler. The loss fell from log V towards a limit that you know exactly, and you measured the distance.
# The model completes documents; it does not answer. That is lab 03, and it starts from the weights that you just saved.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Why can the loss on fresh documents not fall under the entropy? And if the *training* loss did, what would have happened?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The source makes random choices, and its entropy is the mean −log p of a reader who knows all their true probabilities. Any model's mean −log p on fresh text is that entropy plus the KL divergence
# from the source to the model, which is never negative. A training loss under the entropy would mean that the model has memorised its training rows: those are no longer fresh for it.
# ### END SOLUTION

# %% [markdown]
# **2.** What did you change in § 12, what did you predict, what came out (with its unit), and why?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I multiplied the peak learning rate by ten (0.12 for 0.012) and predicted a higher loss. At size laptop the loss on fresh text came out at 2.6 nats/token instead of 1.5.
# The length of a step is set by the learning rate, however small the gradient is. Steps that long overshoot: the weights are thrown about and cannot settle, so the loss gets stuck early.
# ### END SOLUTION

# %% [markdown]
# ## § 14 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
