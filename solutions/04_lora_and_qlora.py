# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 04 — LoRA and QLoRA
#
# ```
#  raw text ──▶ base model ──▶ ASSISTANT ──▶ preferred ──▶ safe ──▶ released
#  00, 01       02             03, ► 04 ◄    06 – 09       10       11
#                              you are here
# ```
#
# **About 95 minutes · 10 points · a laptop is enough.** Your computer works alone for about 5 of these minutes (two cores at 200 GFLOP/s).
# At the end your assistant has a second job, for which you trained a few per cent of its parameters (at size laptop one in twenty-eight), once also through weights that take four bits each, and you know what that cost.

# %% [markdown]
# > **After this lab you can**
# > - write a LoRA layer, start it, scale it, merge it and take it out again, and show that it is what PEFT computes,
# > - say why B starts at 0 and A does not,
# > - count trained parameters and bytes before you train, and check the prediction against real tensors,
# > - quantise weights to NF4 bit for bit as bitsandbytes does, and their scales in 8 bits, as it does but for toss-ups,
# > - train an adapter through a frozen 4-bit base,
# > - say from your own numbers what rank, targets and quantisation cost, and how far seeds alone move a score.

# %%
# SETUP

# %%
import copy, math
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor
from course_lib.notebook.check import mine
from course_lib.shown import lab04_lora_and_qlora as lab

# %% [markdown]
# ## § 1 An assistant, and a new job
#
# We start where lab 03 ended: an assistant that answers in sentences. Now somebody wants it as a **clerk**: the same questions, but the answer is a **record** and nothing else, `{job: a baker, pet: a cat}`, or `{}` where nobody knows. And it should stay an assistant for everybody else.

# %%
# LONG
lora, nf4, sft = course_lib.stages.lora, course_lib.stages.nf4, course_lib.stages.sft
base = load_stage("sft").model.to(course.device)
asked = lab.asked_of_a_clerk()  # about residents whom no fine-tuning row mentions
before = lab.answers_to(base, asked)
lab.show_wanted(asked, before)

# %% [markdown]
# What does training hold in memory? Take one step of AdamW on all parameters, then add up the tensors that are there.

# %%
# LONG
n, full_bytes = base.parameter_count(), lab.measured_memory(copy.deepcopy(base))
lab.show_bytes(full_bytes, n)

# %% [markdown]
# **What to notice.** Only a quarter of the bytes are the model. A gradient and two averages of Adam come on top for every *trained* parameter. A model of 7 billion needs over 100 GB this way, for each new task again.

# %%
# CLAIM
{
    "Only a quarter of the bytes are the model": 4 * full_bytes["weights"] == full_bytes["total"],
    "A gradient and two averages of Adam come on top": (
        (full_bytes["gradients"], full_bytes["optimizer"]) == (4 * n, 8 * n)
    ),
    "A model of 7 billion needs over 100 GB": 7e9 * full_bytes["total"] / n > 100e9,
}

# %% [markdown]
# ## § 2 A thin detour
#
# **LoRA** ([Hu et al. 2021](https://arxiv.org/abs/2106.09685)) freezes the weight $W$ and trains a detour around it, the **adapter**: down to $R$ numbers with $A$, up again with $B$.
#
# $$y = x W^\top + \frac{\alpha}{R}\; (x A^\top)\, B^\top$$
#
# - `x`: `[... D]`, any leading axes, also an empty batch · `weight` $W$: `[F D]`, frozen · `A`: `[R D]` · `B`: `[F R]` · → `y`: `[... F]`
# - $R$: the **rank**, read from `A`; 1 to 64 are usual, in large models, too; more where there is much to learn · $\alpha$: a number you choose
# - the factor $\alpha / R$ is meant to keep the size of the change when you try another rank. It need not be a whole number. At large ranks it makes the change too small: **rsLoRA** ([Kalajdzievski 2023](https://arxiv.org/abs/2312.03732)) divides by $\sqrt R$
# - the gradient reaches `x`, `A` and `B`; the layers below need that of `x`
# - nothing that is passed in is changed
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary>Two paths from the same x, added. The second goes through <code>x @ A.T</code>, of shape <code>[... R]</code>.</details>
# <details><summary>Hint 2</summary>Only the second path is scaled. <code>A.shape[0]</code> is R.</details>

# %%
# EXERCISE lora_forward
def lora_forward(
    x: Float[Tensor, "*batch D"],
    weight: Float[Tensor, "F D"],
    A: Float[Tensor, "R D"],
    B: Float[Tensor, "F R"],
    alpha: float,
) -> Float[Tensor, "*batch F"]:
    """x Wᵀ plus the adapter's path, which is scaled by alpha / R.

    Inputs:  x: inputs · weight: the frozen layer · A, B: the adapter · alpha: over R its scale
    Returns: y, with a gradient to x, A and B
    """
    ### BEGIN SOLUTION
    return x @ weight.T + (x @ A.T) @ B.T * (alpha / A.shape[0])
    ### END SOLUTION

# %%
check("lora_forward")

# %% [markdown]
# From scratch first, the library second. PEFT wraps a layer of ours; the same numbers go in.

# %%
# LONG
forward = mine("lora_forward", globals())
apart = lab.by_peft.same_layer(forward)  # stops where they differ

# %% [markdown]
# ## § 3 The start
#
# At the first step the adapter should change **nothing**: the model is good as it is. So $BA = 0$. PEFT's choice:
#
# $$A_{rd} \sim \text{uniform}\left(-\tfrac{1}{\sqrt D},\ \tfrac{1}{\sqrt D}\right), \qquad B = 0$$
#
# - `in_features` $D$, `out_features` $F$, `rank` $R$ → `A`: `[R D]`, `B`: `[F R]`, both float32
# - draw with the `generator` that is passed in, and with nothing else, so that a seed means the same run everywhere
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 4
#
# <details><summary>Hint 1</summary><code>torch.rand(rank, in_features, generator=generator)</code> is uniform in 0 … 1. Stretch and shift it.</details>

# %%
# EXERCISE init_lora
def init_lora(
    in_features: int, out_features: int, rank: int, generator: torch.Generator
) -> tuple[Float[Tensor, "R D"], Float[Tensor, "F R"]]:
    """(A, B) at the start: A uniform in ±1/√in_features, B zero.

    Inputs:  the layer's widths, the rank, the generator that draws
    """
    ### BEGIN SOLUTION
    A = (2 * torch.rand(rank, in_features, generator=generator) - 1) / math.sqrt(in_features)
    return A, torch.zeros(out_features, rank)
    ### END SOLUTION

# %%
check("init_lora")

# %% [markdown]
# Why not $A = 0$, or both? Look at the gradients. With $s = \alpha / R$ and the gradient $G$ of the loss with respect to $y$:
#
# $$\frac{\partial L}{\partial B} = s\; G^\top (x A^\top), \qquad \frac{\partial L}{\partial A} = s\; (G B)^\top x$$
#
# - `x`: `[N D]` · `grad_y` $G$: `[N F]` → `dA`: `[R D]`, `dB`: `[F R]`, each of the shape of what it belongs to
# - the rows of a batch add up; no mean. No rows at all give zeros
#
# Write them out. Autograd is not allowed here.
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Check the shapes: <code>grad_y @ B</code> is <code>[N R]</code>, and so is <code>x @ A.T</code>.</details>
# <details><summary>Hint 2</summary><code>[R N] @ [N D]</code> gives dA.</details>

# %%
# EXERCISE lora_gradients
def lora_gradients(
    x: Float[Tensor, "N D"],
    A: Float[Tensor, "R D"],
    B: Float[Tensor, "F R"],
    alpha: float,
    grad_y: Float[Tensor, "N F"],
) -> tuple[Float[Tensor, "R D"], Float[Tensor, "F R"]]:
    """(dA, dB): gradients of a loss whose gradient with respect to the layer's output is grad_y.

    Inputs:  x: the layer's inputs · A, B, alpha: the adapter
             grad_y: ∂L/∂y, one row for each row of x
    """
    ### BEGIN SOLUTION
    scaling = alpha / A.shape[0]
    return scaling * (grad_y @ B).T @ x, scaling * grad_y.T @ (x @ A.T)
    ### END SOLUTION

# %%
check("lora_gradients")

# %% [markdown]
# Now train by plain gradient descent, with your two functions, from three starts: a layer whose weight should be changed by a matrix of rank 3. **Predict first:** which starts learn, and which never moves?

# %%
# LONG
gradients, init = mine("lora_gradients", globals()), mine("init_lora", globals())
x, weight, target = lab.another_layer()
A0, B0 = init(32, 16, 3, torch.Generator().manual_seed(0))
B1 = torch.randn(16, 3) / 3**0.5
starts = {"A random, B = 0": (A0, B0), "A = 0, B random": (0 * A0, B1), "both 0": (0 * A0, B0)}
losses, first = {name: [] for name in starts}, {}
for name, (A, B) in starts.items():
    for step in range(401):
        error = forward(x, weight, A, B, 3.0) - target
        losses[name].append(error.pow(2).sum(1).mean().item())
        dA, dB = gradients(x, A, B, 3.0, 2 * error / len(x))
        first.setdefault(name, (dA.norm(), dB.norm()))
        A, B = A - 0.02 * dA, B - 0.02 * dB
lab.show_starts(losses, first)

# %% [markdown]
# **What to notice.** Where both are 0, both gradients are 0 and stay so. With one of them random, the other moves at once, and then the first one does, too: either may be the zero. PEFT takes B, because with A random training bears larger learning rates ([Hayou and others, 2024](https://arxiv.org/abs/2406.08447)).

# %%
# CLAIM
{
    "Where both are 0, both gradients are 0 and stay so": (
        max(first["both 0"]) == 0 and losses["both 0"][400] == losses["both 0"][0]
    ),
    "With one of them random, the other moves at once": (
        first["A random, B = 0"][0] == 0 < first["A random, B = 0"][1]
        and first["A = 0, B random"][1] == 0 < first["A = 0, B random"][0]
        and max(losses["A random, B = 0"][400], losses["A = 0, B random"][400]) < 0.01
    ),
    "PEFT takes B": GENERAL,
}

# %% [markdown]
# ## § 4 Merge
#
# The detour costs time at every layer: two more products, small, but each a call of its own. After training it can be added into the weight, once:
#
# $$W' = W + \frac{\alpha}{R}\, B A$$
#
# With `undo=True` the same is taken off again, to put another adapter in.
#
# - `weight`: `[F D]` → a new `[F D]`; the one that was passed in stays as it is
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 4
#
# <details><summary>Hint 1</summary><code>B @ A</code> has the shape of the weight.</details>
# <details><summary>Hint 2</summary><code>weight += …</code> would change the model behind your back.</details>

# %%
# EXERCISE merge_lora
def merge_lora(
    weight: Float[Tensor, "F D"],
    A: Float[Tensor, "R D"],
    B: Float[Tensor, "F R"],
    alpha: float,
    undo: bool = False,
) -> Float[Tensor, "F D"]:
    """The weight with the adapter added in, or, with undo, taken out of it.

    Inputs:  weight: of the layer, merged already if undo · A, B, alpha: the adapter
    Returns: a new tensor
    """
    ### BEGIN SOLUTION
    delta = alpha / A.shape[0] * (B @ A)
    return weight - delta if undo else weight + delta
    ### END SOLUTION

# %%
check("merge_lora")

# %%
# LONG
merge, (x, weight, A, B) = mine("merge_lora", globals()), lab.some_layer()
together = merge(weight, A, B, 8.0)
back = merge(together, A, B, 8.0, undo=True)
detour, merged = (lambda: forward(x, weight, A, B, 8.0)), (lambda: x @ together.T)
off = lab.show_rounding(detour() - merged(), back - weight)
ms = lab.milliseconds({"detour": detour, "merged": merged})

# %% [markdown]
# **What to notice.** The outputs agree but for rounding, and the detour costs time that the merged layer does not. The difference after taking it out is rounding, too: after many swaps a merged model would slowly drift, so keep the base.

# %%
# CLAIM
{
    "The outputs agree but for rounding": off[0] < 1e-4,
    "the detour costs time that the merged layer does not": ms["detour"] > ms["merged"],
    "The difference after taking it out is rounding": 0 < off[1] < 1e-6,
}

# %% [markdown]
# ## § 5 What is trained
#
# A model has many layers. You choose which get an adapter, by the last part of their names: `q_proj`, `down_proj`, … Each adds $R \cdot D + F \cdot R$ trained parameters.
#
# - `shapes`: `{"model.layers.0.self_attn.q_proj": [F, D], …}`, each [out, in] · `targets`: `["q_proj", …]` · `rank` → a whole number
# - the last part must **equal** a target: `backup_proj` is not `up_proj`. A name may have no dot
# - a target may be named twice; a layer still gets one adapter
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>name.split(".")[-1]</code> is the last part.</details>
# <details><summary>Hint 2</summary>Go through the layers and ask of each whether it is a target.</details>

# %%
# EXERCISE count_lora
def count_lora(shapes: dict[str, list[int]], targets: list[str], rank: int) -> int:
    """Trained parameters of adapters of one rank on all layers whose name's last part is a target.

    Inputs:  shapes: full name of each linear layer → [out, in]
             targets: last parts of names · rank: R
    """
    ### BEGIN SOLUTION
    chosen = [shape for name, shape in shapes.items() if name.split(".")[-1] in targets]
    return sum(rank * (out_features + in_features) for out_features, in_features in chosen)
    ### END SOLUTION

# %%
check("count_lora")

# %% [markdown]
# **Predict first:** at rank 4 on all linear layers, what share of *our* model is trained? And of one with 7 billion parameters, more or less than that? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # %; more or less

count, shapes = mine("count_lora", globals()), lab.linear_shapes(base)
untrained = lora.add_lora(copy.deepcopy(base), rank=4, alpha=8)
predicted = count(shapes, list(lora.ALL_LINEAR), 4)
assert predicted == sum(p.numel() for p in lora.lora_parameters(untrained))  # real tensors
shares = lab.show_counts(count, shapes, n)  # (targets, rank) → (ours, of 7 billion)
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** A layer has F · D weights and its adapter R · (F + D). So the wider the model, the smaller the share at the same rank.

# %%
# CLAIM
{
    "A layer has F · D weights and its adapter R · (F + D)": GENERAL,
    "the wider the model, the smaller the share": all(large < 0.2 * ours for ours, large in shares.values()),
}

# %% [markdown]
# ## § 6 Where the bytes go
#
# Predict the memory of training before you buy it. Frozen weights are only held. Trained ones are held in float32, and each has a gradient and two averages of Adam, in float32 as well.
#
# - `frozen`, `trained`: numbers of parameters · `frozen_bits`: bits that one frozen weight takes, perhaps not a whole number (§ 9 comes to 4.127)
# - → bytes: `{"weights": frozen and trained, "gradients": …, "optimizer": …, "total": …}`
# - activations are left out: they hang mostly on the batch (a frozen layer need not keep its input). For 16 records our model keeps 32 to 42 MB of them
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary>8 bits are a byte; a float32 has 4 bytes.</details>
# <details><summary>Hint 2</summary>For full fine-tuning (frozen = 0) it must come to 16 bytes a parameter.</details>

# %%
# EXERCISE training_memory
def training_memory(frozen: int, trained: int, frozen_bits: float) -> dict[str, float]:
    """Bytes that training with Adam holds, activations left out.

    Inputs:  frozen, trained: parameters
             frozen_bits: bits of one frozen weight; what is trained is float32
    Returns: {"weights", "gradients", "optimizer", "total"}
    """
    ### BEGIN SOLUTION
    weights = frozen * frozen_bits / 8 + 4 * trained
    memory = {"weights": weights, "gradients": 4 * trained, "optimizer": 8 * trained}
    return {**memory, "total": sum(memory.values())}
    ### END SOLUTION

# %%
check("training_memory")

# %%
# LONG
memory, lora_bytes = mine("training_memory", globals()), lab.measured_memory(untrained)
guessed_bytes = memory(0, n, 32), memory(n, predicted, 32)
lab.show_memory(guessed_bytes, (full_bytes, lora_bytes))  # stops where they differ
lab.show_seven_billion(memory, count)

# %% [markdown]
# **What to notice.** LoRA removes nearly all of the gradients and Adam's averages. What is left is the base itself, which is held to be *read*. § 8 shrinks that.

# %%
# CLAIM
{
    "LoRA removes nearly all of the gradients and Adam's averages": (
        lora_bytes["gradients"] + lora_bytes["optimizer"] < 0.05 * (full_bytes["gradients"] + full_bytes["optimizer"])
    ),
    "What is left is the base itself": full_bytes["weights"] > 0.85 * lora_bytes["total"],
    "§ 8 shrinks that": GENERAL,
}

# %% [markdown]
# ## § 7 Train it
#
# **A trap first.** The clerk must write `{`, a token that the model has never seen. What does the embedding of such tokens look like?

# %%
# LONG
unseen = lab.show_never_seen(base)

# %% [markdown]
# **What to notice.** The embeddings of tokens that were never seen all point the same way: training only ever pushed them down. Full fine-tuning can pull `{` out again. An adapter hardly can: the embedding is frozen, and as it is the output head, too, what lifts `{` lifts all of its kind. In a short run without the remedy below `{` got 0.4 % and all of them together 96 %: greedy decoding wrote it, as the likeliest, and sampling would have written rubbish. The reserved tokens of Llama 3 are the same trap; PEFT's `trainable_token_indices` trains chosen rows.
#
# So every run below begins with `fresh_rows`: it gives each of these rows of the embedding a small random direction of its own, so that they can be told apart. In our run these are 926 of 2,432 rows, and the gap on documents hardly moves. It is a change of the base, once, before anything is trained.

# %%
# CLAIM
{
    "all point the same way": unseen["as it is"][0] > 0.98 > 0.5 > unseen["as it is"][1],
    "Full fine-tuning can pull": GENERAL,
    "An adapter hardly can": unseen["brace"] and not any("head" in name for name, _ in base.named_parameters()),
    "In a short run without the remedy below": GENERAL,  # docs/journal.md, 2026-12-01
    "The reserved tokens of Llama 3": GENERAL,
    "every run below begins with `fresh_rows`": unseen["with fresh rows"][0] < 0.9,
    "926 of 2,432 rows, and the gap on documents hardly moves": (
        unseen["never"] == unseen["moved"] == 926 and len(lora.seen_tokens()) == 2432
        and unseen["with fresh rows"][2] - unseen["as it is"][2] < 0.25
    ),
    "It is a change of the base": GENERAL,
}

# %% [markdown]
# **What is compared.** The same rows in the same order, the same number of tokens, three times:
#
# - rank 4 on all linear layers, by **AdamW** ([Loshchilov & Hutter 2019](https://arxiv.org/abs/1711.05101)), which divides the mean gradient of each number by its usual size
# - all parameters, by AdamW, with one rate for everything. A fifth of it for the embedding serves it better (one run: 99.2 % right records, 5.1 % gap on documents)
# - all parameters, as the course trains: the matrices inside the blocks by **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)), which makes the mean gradient of a matrix orthogonal before the step, the rest by AdamW at a fifth of the rate (so this way differs from the last one in two things)
#
# Adapters are not trained by Muon: it would make every direction of a thin matrix equally long. Each way has its own learning rate: at size laptop 0.012 for the adapter, near the best of those that we tried, and a tenth of it for all parameters (Muon's steps are scaled to the size of AdamW's, [Liu et al. 2025](https://arxiv.org/abs/2502.16982)). In large models the factor of ten is usual, too ([Schulman, 2025](https://thinkingmachines.ai/blog/lora/)). One row in five is a document of lab 02, against forgetting. Documents are more than half of the trained tokens, and a batch has more or fewer of them: so the curve below is jagged.
#
# In the tables *records* are right answers to 600 fresh questions about residents whom no row names, *rephrased* the same in phrasings that no row has, *old tasks* right answers to 300 tasks of lab 03 (a record is none). The *gap on documents* is against the entropy of the very documents that are read: 600 here, 200 in the trap above. (Size tiny: 40, 40, 20, 40.)
#
# The adapter is worth 1 point: full marks from 85 % of fresh records right, none at 30 %, in proportion between; at most 5 % of the parameters may be trained, and the base alone must have no more than 25 % right.
#
# **Predict first.** What share of full fine-tuning's score will the adapter reach? And which of them forgets less? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # %; which

PRESET = lora.PRESETS[course.size]


def adamw_alone(model, rate, rest):
    return [torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.95), weight_decay=0.0)]


def trained(folder, **options):
    """A run of `course_lib/stages/lora.py` on the clerk's rows, from the same assistant."""
    return lora.lora(course.size, seed=0, base=base, out=course.work / folder, **options)


live = lab.LiveCurve(title="LoRA: loss on records and on replayed documents")
lora_run = trained("lora_run", rank=4, alpha=8, on_step=live)
live.close()
adapted = lora_run.model
lora.save_adapter_stage(adapted, lora_run.record)
adamw_run = trained("full_adamw", full=True, make_optimizers=adamw_alone,
                    config=lora.replace(PRESET, learning_rate=lora.FULL_RATE))
muon_run = trained("full_muon", full=True)  # its matrices at the same rate
runs = {"LoRA, rank 4, all linear": lora_run, "all parameters, AdamW": adamw_run,
        "all parameters, Muon and AdamW": muon_run}
results = lab.show_ways(base, runs, course.size)
lab.guessed(MY_GUESS)

# %%
# LONG
lab.show_answers(asked, before, lab.answers_to(adapted, asked))

# %%
check("lora_adapter")

# %% [markdown]
# **What to notice.** In our run the adapter writes as many right records as all parameters do, or at most two points fewer, with one trained parameter for twenty-eight. *Old tasks* and *gap on documents* are forgetting: what the assistant could do before. A clerk who answers everybody with records is no assistant any more, whichever way it was trained. On documents the adapter forgets less: over five seeds its gap is 4.3 to 4.5 %, that of all parameters by Muon and AdamW 4.8 to 5.1 % ([Biderman and others, 2024](https://arxiv.org/abs/2405.09673) found the same in large models). And an adapter can be taken out again: § 12 does so.
#
# Compare the seconds, too. In our run they are far from a twenty-eighth: the whole base is still run forward and backward, and each detour comes on top. What falls away is the gradients of the frozen weights and their optimiser step. Measured step by step in turns, in CPU seconds, the adapter was no faster than all parameters by AdamW.
#
# PEFT computes the same on the whole model, and here is what it does where you say nothing:

# %%
# CLAIM
{
    "the adapter writes as many right records as all parameters do, or at most two points fewer": (
        all(results[1]["job"] > row["job"] - 0.02 for row in results[2:4])
    ),
    "with one trained parameter for twenty-eight": 28 <= n / results[1]["trained"] < 29,
    "*Old tasks* and *gap on documents* are forgetting": GENERAL,
    "A clerk who answers everybody with records": all(
        answer.strip().startswith("{")
        for answer in lab.answers_to(adapted, course_lib.world.tasks.task_rows("residents", 60))
    ),
    "whichever way it was trained": all(row["old_kept"] < 0.01 for row in results[1:4]),
    "§ 12 does so": GENERAL,
    "Compare the seconds, too": GENERAL,
    "they are far from a twenty-eighth": results[1]["seconds"] > results[2]["seconds"] / 2,
    "What falls away is the gradients of the frozen weights": GENERAL,
    "Measured step by step in turns": GENERAL,  # docs/journal.md, 2026-12-01
    "PEFT computes the same on the whole model": lab.by_peft.same_model(base, adapted) < 1e-5,
}

# %%
# CLAIM stored
{
    "the adapter writes as many right records as all parameters do, or at most two points fewer": all(
        run["lora"]["job"] > run["full"]["job"] - 0.02 for run in stored("lora-laptop")["runs"]
    ),
    "over five seeds its gap is 4.3 to 4.5 %, that of all parameters by Muon and AdamW 4.8 to 5.1 %": (
        [f"{f(run[way]['document_gap_percent'] for run in stored('lora-laptop')['runs']):.1f}"
         for way in ("lora", "full") for f in (min, max)] == ["4.3", "4.5", "4.8", "5.1"]
    ),
}

# %%
# LONG
lab.by_peft.same_model(base, adapted)  # stops where they differ
lab.by_peft.defaults(base)

# %% [markdown]
# ## § 8 Sixteen numbers
#
# The base is only read, so it may be held coarsely. **NF4** ([Dettmers et al. 2023](https://arxiv.org/abs/2305.14314)) holds each weight in 4 bits: one of 16 numbers, times a scale.
#
# - weights are cut into **blocks** of 64 neighbours; each block has its own scale, the largest absolute value, `absmax`
# - the 16 numbers, `nf4.NF4_CODE`: −1, −0.70, −0.53, −0.39, −0.28, −0.18, −0.09, 0, 0.08, 0.16, 0.25, 0.34, 0.44, 0.56, 0.72, 1. They lie close together where a normal distribution has its mass, because weights are about normal
#
# $$\text{absmax}_b = \max_{i \in b} |x_i|, \qquad c_i = \arg\min_k \left|\frac{x_i}{\text{absmax}_b} - \text{code}_k\right|$$
#
# - `x`: `[N]`, N a multiple of `block`, perhaps 0 · `code`: `[K]`, rising from −1 to 1 → codes `[N]` (uint8) and absmax `[N / block]`
# - a block of zeros has absmax 0, and 0/0 is NaN: clamp for the division (`min=1e-38`), but return the 0
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>x.view(-1, block)</code> puts one block into each row.</details>
# <details><summary>Hint 2</summary><code>(scaled[..., None] - code).abs().argmin(-1)</code> finds the nearest of a few numbers.</details>
# <details><summary>Hint 3</summary>For many numbers, <code>torch.bucketize(scaled, middles)</code> is faster: the nearest changes half-way between two neighbours.</details>

# %%
# EXERCISE quantize_blockwise
def quantize_blockwise(
    x: Float[Tensor, " N"], code: Float[Tensor, " K"], block: int
) -> tuple[UInt8[Tensor, " N"], Float[Tensor, " blocks"]]:
    """(codes, absmax): for each weight the index of the nearest code of x / absmax of its block.

    Inputs:  x: weights · code: rising numbers from −1 to 1 · block: neighbours that share a scale
    """
    ### BEGIN SOLUTION
    rows = x.view(-1, block)
    absmax = rows.abs().amax(1)
    scaled = rows / absmax.clamp(min=1e-38)[:, None]
    codes = torch.bucketize(scaled, (code[1:] + code[:-1]) / 2)
    return codes.to(torch.uint8).flatten(), absmax
    ### END SOLUTION

# %%
check("quantize_blockwise")

# %%
# LONG
quantize, example = mine("quantize_blockwise", globals()), base.model.layers[1].mlp.up_proj.weight
used = lab.show_codes(quantize, example)  # code → (share of each number, error)
errors = lab.show_blocks(quantize, example)  # weights that share a scale → error

# %% [markdown]
# **What to notice.** With equal steps the outer codes hardly occur: bits are wasted. Smaller blocks are finer and cost more for their scales. (*Relative error*: root mean square of the change over that of the weights.)
#
# ### And back
#
# Two codes share a byte: the first in the **high** half, the second in the low half. Undo that, look the numbers up, multiply by the scale of the block.
#
# - `packed`: `[N/2]` uint8, perhaps no byte · `absmax`: `[N / block]` · `code`: `[16]` → `[N]` float32
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>packed >> 4</code> is the high half, <code>packed & 15</code> the low one. An index must be <code>.long()</code> or <code>.int()</code>.</details>
# <details><summary>Hint 2</summary><code>torch.stack((high, low), 1).flatten()</code> makes them alternate; <code>repeat_interleave(block)</code> repeats each scale for its block.</details>

# %%
# CLAIM
{
    "With equal steps the outer codes hardly occur": (
        used["16 equal steps"][0][[0, 1, 14, 15]].sum() < 0.06 < used["NF4"][0][[0, 1, 14, 15]].sum()
        and used["NF4"][1] < used["16 equal steps"][1]
    ),
    "Smaller blocks are finer": list(errors.values()) == sorted(errors.values()),
    "*Relative error*": GENERAL,
    "Two codes share a byte": GENERAL,
    "Undo that, look the numbers up": GENERAL,
    "`packed`: `[N/2]` uint8": GENERAL,
}

# %%
# EXERCISE dequantize_packed
def dequantize_packed(
    packed: UInt8[Tensor, " bytes"],
    absmax: Float[Tensor, " blocks"],
    code: Float[Tensor, "16"],
    block: int,
) -> Float[Tensor, " N"]:
    """The weights that the codes stand for: code · absmax of the block.

    Inputs:  packed: two 4-bit codes a byte, the first in the high half
             absmax: one scale a block · code: the 16 numbers
    """
    ### BEGIN SOLUTION
    high, low = packed >> 4, packed & 15
    codes = torch.stack((high, low), 1).flatten().long()
    return code[codes] * absmax.repeat_interleave(block)
    ### END SOLUTION

# %%
check("dequantize_packed")

# %% [markdown]
# bitsandbytes is the library with which Dettmers et al. fine-tuned models of 65 billion parameters in this way. Is your NF4 the same, bit for bit?

# %%
# LONG
dequantize, weight = mine("dequantize_packed", globals()), example.detach().cpu()
codes, absmax = quantize(weight.flatten(), nf4.NF4_CODE, 64)
packed = codes[0::2] << 4 | codes[1::2]
back = dequantize(packed, absmax, nf4.NF4_CODE, 64)
lab.show_saved(weight, [packed, absmax])
same_bytes = lab.by_peft.same_nf4(weight, packed, absmax, back)  # stops where they differ

# %% [markdown]
# ## § 9 Quantise the scales, too
#
# A float32 scale for every 64 weights is half a bit a weight. The scales themselves are alike, so QLoRA quantises them once more, in 8 bits (**double quantisation**):
#
# $$o = \text{mean}(\text{absmax}), \qquad s_b = \max_{i \in b} |\text{absmax}_i - o|, \qquad c_i = \arg\min_k \left|\frac{\text{absmax}_i - o}{s_b} - \text{code}_k\right|$$
#
# - the mean comes off first: all absmax are positive, and half of a code with signs would be wasted
# - `absmax`: `[N]`, here N scales, a multiple of `block` (256 in practice)
# - `code`: `[256]`, rising. In practice `nf4.DYNAMIC_CODE` ([Dettmers 2015](https://arxiv.org/abs/1511.04561)): 0, 1, and on each side numbers in seven decades from 10⁻⁷ to 1, one in the lowest decade, 64 in the highest. So a small difference keeps its size, where equal steps would make it 0
# - → codes `[N]` (uint8), scale `[N / block]`, offset $o$: a **tensor** with one number, of shape `[]`
# - scales that are all equal give 0/0 here: as before, that must not be NaN
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary>After the mean has come off, it is the function that you have written, with another code.</details>
# <details><summary>Hint 2</summary><code>(scaled[..., None] - code)</code> with 256 codes is large; <code>torch.bucketize</code> at the middles is not.</details>

# %%
# EXERCISE double_quantize
def double_quantize(
    absmax: Float[Tensor, " N"], code: Float[Tensor, "256"], block: int
) -> tuple[UInt8[Tensor, " N"], Float[Tensor, " blocks"], Float[Tensor, ""]]:
    """(codes, scale, offset) of the scales: minus their mean, over each block's largest difference.

    Inputs:  absmax: scales of blocks of weights · code: 256 rising numbers
             block: scales that share a scale
    """
    ### BEGIN SOLUTION
    offset = absmax.mean()
    codes, scale = quantize_blockwise(absmax - offset, code, block)
    return codes, scale, offset
    ### END SOLUTION

# %%
check("double_quantize")

# %%
# LONG
double, embedding = mine("double_quantize", globals()), base.model.embed_tokens.weight
absmax = lab.scales_of(quantize, embedding)
small, scale, offset = double(absmax, nf4.DYNAMIC_CODE, 256)
again = nf4.DYNAMIC_CODE[small.long()] * scale.repeat_interleave(256) + offset
lab.show_scales(absmax, again, [small, scale, offset])
equal = lab.by_peft.same_double(absmax, small, scale, offset)  # stops where they differ
lab.show_bits()

# %% [markdown]
# **What to notice.** The second quantisation saves three eighths of a bit a weight. On 65 billion weights that is 3 GB. It equals bitsandbytes' but for toss-ups: in our run 99.98 % of the codes are the same, and all where two numbers are not about equally near. (Its kernel for CPUs rounds to 1/32,768 before it looks for the nearest.)

# %%
# CLAIM
{
    "The second quantisation saves three eighths of a bit a weight": abs((0.5 - 8 / 64 - 32 / (64 * 256)) - 3 / 8) < 0.003,
    "On 65 billion weights that is 3 GB": round(65e9 * (32 / 64 - 8 / 64 - 32 / (64 * 256)) / 8 / 1e9) == 3,
    "99.98 % of the codes are the same, and all where": f"{equal[0]:.2%}" == "99.98%" and equal[1] == 1,
    "Its kernel for CPUs rounds": GENERAL,
}

# %% [markdown]
# ## § 10 QLoRA: train through the frozen base
#
# Every linear layer and the embedding are now held in 4 bits. In each forward and backward pass a layer's weight is written out, used and dropped. Gradients pass *through* the frozen weights to the adapters.
#
# The real QLoRA leaves the embedding and the output head in 16 bit: it replaces the linear layers inside the blocks, and an error in the head goes straight into the probabilities. So the 4.1 GB of § 6 are 4.5 GB in practice. Embedding and head are 13 % of Llama 3 with 8 billion parameters, 23 % of Gemma 2 with 2 billion. In ours they are a quarter, and we quantise them, too, to see what it costs.
#
# **Predict first:** how many points will it lose against LoRA, with an eighth of the bytes of its float32 weights? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # points

held = nf4.quantize_base(copy.deepcopy(base))
bytes_of = lab.show_held(base, held, memory(n, predicted, 4.127)["total"])
qlora_run = trained("qlora", four_bits=True)
results += lab.show_four_bits(results, held, qlora_run, course.size)
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** In our run quantising alone made the base worse, at the old tasks and on documents. The adapter was trained on the base as it *is*, errors and all: its records are within two points of LoRA's, and over five seeds it reached 97 to 99 % of what all parameters reach. On documents the damage stays: over five seeds the gap is 4.8 to 5.2 %, after LoRA 4.3 to 4.5 %. The weights are written out again and again, which costs time, not memory: in those five runs 10 to 59 % more seconds than LoRA.

# %%
# CLAIM
{
    "quantising alone made the base worse, at the old tasks and on documents": (
        results[4]["old_kept"] < results[0]["old_kept"]
        and results[4]["document_gap_percent"] > results[0]["document_gap_percent"]
    ),
    "its records are within two points of LoRA's": abs(results[5]["job"] - results[1]["job"]) < 0.02,
    "which costs time, not memory": bytes_of["training"] < 0.3 * lora_bytes["total"],
}

# %%
# CLAIM stored
{
    "over five seeds it reached 97 to 99 % of what all parameters reach": (
        [round(100 * f(run["qlora_of_full"] for run in stored("lora-laptop")["runs"])) for f in (min, max)] == [97, 99]
    ),
    "over five seeds the gap is 4.8 to 5.2 %, after LoRA 4.3 to 4.5 %": (
        [f"{f(run[way]['document_gap_percent'] for run in stored('lora-laptop')['runs']):.1f}"
         for way in ("qlora", "lora") for f in (min, max)] == ["4.8", "5.2", "4.3", "4.5"]
    ),
    "10 to 59 % more seconds than LoRA": (
        [round(100 * f(run["qlora"]["seconds"] / run["lora"]["seconds"] for run in stored("lora-laptop")["runs"]))
         for f in (min, max)] == [110, 159]
    ),
}

# %% [markdown]
# ## § 11 How large a rank, and where?
#
# Short runs now, all on the same rows, a fifth of those of § 7. **Predict first:** at which rank does the score stop rising? And with about the same number of trained parameters, are they better spent in attention or in the MLPs? The last two runs are rank 4 once more, with other seeds: they tell how far chance alone moves a score.

# %%
# LONG
MY_GUESS = ""  # rank; attention or MLPs

SHORT = lora.replace(PRESET, examples=PRESET.examples // 5, replay=PRESET.replay // 5)
MLPS = ("gate_proj", "up_proj", "down_proj")


def short_run(name, rank=4, alpha=8, targets=lora.ALL_LINEAR, seed=0, **changes):
    """A small run, with the same alpha for every rank. `changes` are fields of SFTConfig."""
    run = lora.lora(course.size, seed, rank, alpha, targets, base=base,
                    config=lora.replace(SHORT, **changes), progress=False)
    return {**lab.measure(name, run.model, course.size, run), "rank": rank, "history": run.history}


ranks = (1, 4) if course.size == "tiny" else (1, 2, 4, 16)
sweep = {rank: short_run(f"rank {rank}, all linear", rank) for rank in ranks}
places = [short_run("rank 10, attention only", 10, targets=lora.ATTENTION),
          short_run("rank 7, MLPs only", 7, targets=MLPS)]
seeds = [short_run(f"rank 4, all linear, seed {seed}", seed=seed) for seed in (1, 2)]
by_seed = lab.show_ranks(sweep, places, seeds, n, course.size)  # right records of rank 4, %
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** In our run rank 16 has sixteen times the trained parameters of rank 1, and hardly another score. This job fits into a very small rank. Three seeds of one and the same rank 4 lie some points apart, so a difference of a few points between two single runs says nothing. Such runs cannot tell whether attention or the MLPs are the better place, either; in larger models, and at equal numbers of trained parameters, others found the MLPs ([Schulman, 2025](https://thinkingmachines.ai/blog/lora/)).

# %%
# CLAIM
{
    "rank 16 has sixteen times the trained parameters of rank 1": (
        sweep[16]["trained"] == 16 * sweep[1]["trained"] and abs(sweep[16]["job"] - sweep[1]["job"]) < 0.06
    ),
    "This job fits into a very small rank": sweep[1]["job"] > 0.8,
    "Three seeds of one and the same rank 4 lie some points apart": max(by_seed) - min(by_seed) > 2,
    "Such runs cannot tell whether attention or the MLPs": (
        abs(places[0]["job"] - places[1]["job"]) * 100 < 1.5 * (max(by_seed) - min(by_seed))
    ),
}

# %% [markdown]
# ## § 12 One base, many adapters
#
# An adapter is a small file. A server holds one base and swaps adapters from request to request. Here a second one learns another job from a fifth of the rows: the **crier** calls every answer out.

# %%
# LONG
crier = trained("crier", job="crier", config=SHORT, progress=False)
adapters = {"clerk": lora.adapter_state(adapted), "crier": lora.adapter_state(crier.model)}
adapters["none"] = {name: torch.zeros_like(t) for name, t in adapters["clerk"].items()}
print(f"one adapter: {lab.size_of(adapters['crier'].values()):,} bytes;",
      f"the base: {nf4.weight_bytes(base):,}\n")
said = lab.serve(copy.deepcopy(adapted), adapters, ("clerk", "crier", "none", "clerk"), asked[:2])

# %% [markdown]
# **What to notice.** No run trained the base: all share one, with its fresh rows (§ 7). Without an adapter it answers in sentences as the assistant of lab 03 does, and the clerk's records come back exactly. The crier's rows have no lists in them, and what it makes of one is nobody's plan: an adapter changes more than what it was trained for.

# %%
# CLAIM
{
    "No run trained the base: all share one": all(
        torch.equal(a, b)
        for a, b in zip(lora.base_state(adapted).values(), lora.base_state(crier.model).values(), strict=True)
    ),
    "Without an adapter it answers in sentences as the assistant of lab 03 does": said[2] == before[:2],
    "the clerk's records come back exactly": said[0] == said[3],
    "The crier's rows have no lists in them": (
        not any("\n" in row["messages"][1]["content"] for row in lab.job_rows("crier", "train", SHORT.examples))
        and "Hear, hear" not in said[1][1] and "Hear, hear" in said[1][0]
    ),
}

# %% [markdown]
# ## § 13 Change one thing
#
# The short run of § 11 (rank 4) once more, with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. Below, the adapter gets the learning rate of full fine-tuning (§ 7), a tenth of its own. Other changes to try: `alpha=80`, `rank=64`, `targets=("q_proj", "v_proj")`, `replay=0`.

# %%
# LONG
CHANGE = dict(learning_rate=lora.FULL_RATE)
MY_PREDICTION = ""

changed = short_run("changed", **CHANGE)
falling = lab.show_change(sweep[4], changed, n, MY_PREDICTION)

# %% [markdown]
# ## § 14 A real model
#
# Optional. SmolLM2-135M-Instruct ([Ben Allal et al. 2025](https://arxiv.org/abs/2502.02737), Apache 2.0) is a real model that fits a laptop: 30 seconds of one CPU core, 1.7 GB of memory. Your formula counts its adapters, your function quantises a layer; then the course's `nf4.quantize_base` holds its linear layers in 4 bits, and the adapters learn from four of the clerk's rows, of which one at a time is in memory.
#
# **Predict first:** with rank 8 on all linear layers, what share of its 135 million parameters is trained? And is the error of NF4 larger than in your small model (§ 8), or smaller? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # %; larger or smaller

if loaded := lab.smollm2():
    smol, words = loaded[0].to(course.device), loaded[1]
    weight, in_float32 = smol.model.layers[1].mlp.up_proj.weight, nf4.weight_bytes(smol)
    smol_error = lab.quantized(quantize, weight, nf4.NF4_CODE, 64)[3]
    there = count(lab.linear_shapes(smol), list(lora.ALL_LINEAR), 8)
    smol = nf4.quantize_base(smol, embedding=False)  # embedding and head stay, as in the real QLoRA
    lab.show_smol(in_float32, smol_error, lora.add_lora(smol, rank=8, alpha=16), there)
    lab.guessed(MY_GUESS)
    rows = [lab.encode(words, row["messages"]) for row in lab.job_rows("clerk", "train", 4)]

    def loss_of(part):
        batch = (tensor.to(course.device) for tensor in lab.collate(part, words.pad_token_id))
        return sft.response_loss(*lab.answer_logits(smol, *batch))

    six = [rows] * (2 if course.size == "tiny" else 6)
    smol_losses = lab.train_real(smol, six, loss_of, at_once=1, count=lab.trained_tokens)
    print("losses, nats/token:", [round(loss, 3) for loss in smol_losses])

# %% [markdown]
# **What to notice.** NF4 changes a layer of the large model as much as one of the small model, by 9 %: each block has its own scale, so only the shape of the spread counts. Numbers drawn from a normal distribution give 9.2 %. The share that is trained is smaller at twice the rank, because an adapter grows with the sum of a layer's sides and the layer with their product. Four rows, six times, only show that gradients come through 4 bits; they teach no job.

# %%
# CLAIM
{
    "NF4 changes a layer of the large model as much as one of the small model, by 9 %": (
        round(100 * smol_error) == 9 == round(100 * used["NF4"][1])
    ),
    "Numbers drawn from a normal distribution give 9.2 %": (
        f"{lab.quantized(quantize, torch.randn(2**18, generator=torch.Generator().manual_seed(0)), nf4.NF4_CODE, 64)[3]:.1%}"
        == "9.2%"
    ),
    "The share that is trained is smaller at twice the rank": (
        lora.trained_share(smol) < shares["all linear layers", 4][0]
    ),
    "only show that gradients come through 4 bits": smol_losses[-1] < 0.5 * smol_losses[0],
}

# %% [markdown]
# ## § 15 Summary
#
# You wrote the layer, its start, its gradients, its merge, the counts of parameters and bytes, and NF4 with double quantisation: the layer and NF4 equal the libraries' but for rounding, the scales but for toss-ups, your counts the tensors that are there. In our run an adapter of a few per cent learned the new job as all parameters do, by the same optimiser and by the course's, also through a base held in a quarter of its 16-bit bytes, and it can be taken out again.
# Lab 05 asks when to fine-tune at all: what if the facts change?
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What do LoRA and QLoRA save when you train, with your numbers from § 6 and § 10, and what do neither of them save?

# %%
# CLAIM
{
    "the layer and NF4 equal the libraries' but for rounding": apart < 1e-5 and same_bytes > 0.9999,
    "the scales but for toss-ups": equal[1] == 1,
    "your counts the tensors that are there": (
        predicted == sum(p.numel() for p in lora.lora_parameters(untrained))
        and abs(guessed_bytes[1]["total"] / lora_bytes["total"] - 1) < 0.001
    ),
    "an adapter of a few per cent learned the new job as all parameters do": (
        min(results[1]["job"], results[5]["job"]) > max(results[2]["job"], results[3]["job"]) - 0.03
        and bytes_of["NF4"] < 0.27 * bytes_of["bfloat16"] and said[2] == before[:2]
    ),
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# In full fine-tuning by Adam each of the 1.16 million parameters takes 16 bytes: 4 for itself, 4 for its gradient, 8 for Adam's averages. LoRA keeps only the first 4 for the frozen ones and takes the 16 for the adapter, which has 3.5 % of their number: 5.3 MB in place of 18.6.
# QLoRA holds the frozen ones in about 4.1 bits, a quarter of 16 bit: 1.3 MB. Neither saves most of the activations and logits of the batch, nor most of the time: the whole base is still run forward and backward, and QLoRA writes its weights out again in every step.
# ### END SOLUTION

# %%
# CLAIM
{
    "each of the 1.16 million parameters takes 16 bytes": round(n / 1e4) == 116 and full_bytes["total"] == 16 * n,
    "which has 3.5 % of their number: 5.3 MB in place of 18.6": (
        f"{predicted / n:.1%}" == "3.5%"
        and (round(lora_bytes["total"] / 1e5), round(full_bytes["total"] / 1e5)) == (53, 186)
    ),
    "a quarter of 16 bit: 1.3 MB": round(bytes_of["training"] / 1e5) == 13 and 0.24 < bytes_of["NF4"] / bytes_of["bfloat16"] < 0.27,
    "Neither saves most of the activations": GENERAL,  # docs/journal.md, 2026-12-01
    "nor most of the time": min(results[1]["seconds"], results[5]["seconds"]) > results[2]["seconds"] / 2,
}

# %% [markdown]
# **2.** What did you change in § 13, what did you predict, what came out (with its unit), and why?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I gave the adapter a tenth of its learning rate, 0.0012 for 0.012, and predicted about the same score. At size laptop 51 % of the records came out right, against 88 % before. After a quarter of the steps the training loss was still 2.9 nats/token, against 0.5; at the end it was 0.55 for 0.27.
# AdamW makes every step about as long as the rate, however small the gradient is. But W changes by α/R · BA, and the entries of A are small: at the same rate the first step moves W a sixth as far as a step of full fine-tuning does, or less. So a short run ends before the detour has grown.
# ### END SOLUTION

# %%
# CLAIM
{
    "0.0012 for 0.012": (lora.FULL_RATE, PRESET.learning_rate) == (0.0012, 0.012),
    "51 % of the records came out right, against 88 % before": (
        (round(100 * changed["job"]), round(100 * sweep[4]["job"])) == (51, 88)
    ),
    "still 2.9 nats/token, against 0.5; at the end it was 0.55 for 0.27": (
        (f"{falling['changed'][0]:.1f}", f"{falling['as before'][0]:.1f}") == ("2.9", "0.5")
        and (f"{falling['changed'][2]:.2f}", f"{falling['as before'][2]:.2f}") == ("0.55", "0.27")
    ),
    "AdamW makes every step about as long as the rate": GENERAL,
    "a sixth as far as a step of full fine-tuning does, or less": all(
        2 * init(width, width, 4, torch.Generator().manual_seed(0))[0].sum(0).abs().mean() < 1 / 5.5
        for width in (128, 384)
    ),
    "a short run ends before the detour has grown": changed["job"] < sweep[4]["job"] - 0.2,
}

# %% [markdown]
# ## § 16 Hand in
#
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), and run the cell. It packs the notebook and your adapter into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
