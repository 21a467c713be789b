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
# **About 90 minutes · 10 points · a laptop is enough.** Your computer works alone for about six of these minutes.
# At the end your assistant has a second job, for which you trained one parameter in twenty-eight, through weights that take four bits each, and you know what that cost.

# %% [markdown]
# > **After this lab you can**
# > - write a LoRA layer, start it, scale it, merge it and take it out again, and show that it is what PEFT computes,
# > - say why B starts at 0 and A does not,
# > - count trained parameters and bytes before you train, and check the prediction against real tensors,
# > - quantise weights to NF4 with block-wise scales and double quantisation, bit for bit as bitsandbytes does,
# > - train an adapter through a frozen 4-bit base,
# > - say from your own numbers what rank, targets and quantisation cost.

# %%
# SETUP

# %%
import copy
import math
import statistics
import time
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 An assistant, and a new job
#
# We start where lab 03 ended: an assistant that answers in sentences. Now somebody wants it as a **clerk**: the same questions, but the answer is a record and nothing else, `{job: a baker, pet: a cat}`, or `{}` where nobody knows. And it should stay an assistant for everybody else.

# %%
# LONG
from course_lib.evaluation.runs.adapters import examine
from course_lib.evaluation.instructions import respond
from course_lib.stages.perplexity import distance_to_limit
from course_lib.stages import lora as library
from course_lib.stages import nf4, sft
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets.columns import columns
from course_lib.world import pretrain_rows
from course_lib.world.jobs import job_rows

tokenizer, base = load_tokenizer(), load_stage("sft").model.to(course.device)
clerk = job_rows("clerk", "residents", 60)  # about residents whom no fine-tuning row mentions
asked = [next(row for row in clerk if row["kind"] == kind) for kind in ("one", "two", "nobody")]
before = respond(base, tokenizer, [row["messages"][:-1] for row in asked], max_new_tokens=40)
for row, answer in zip(asked, before):
    print(
        f"» {row['messages'][0]['content']}\n  now:    {answer.strip()[:150]}\n  wanted: {row['messages'][1]['content']}\n"
    )

# %% [markdown]
# What does one step of training hold in memory? Add up the real tensors.

# %%
# LONG
size_of = lambda tensors: sum(t.numel() * t.element_size() for t in tensors)


def measured_memory(model, ids):
    """Bytes after one step of AdamW, summed over the tensors themselves."""
    trained = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=0.0)  # a rate of 0: we only look
    sft.response_loss(model(ids), ids).backward()
    adam.step()
    states = [t for state in adam.state.values() for t in state.values() if t.dim()]
    parts = {
        "weights": nf4.weight_bytes(model),
        "gradients": size_of(p.grad for p in model.parameters() if p.grad is not None),
        "optimizer": size_of(states),
    }
    model.zero_grad(set_to_none=True)
    return {**parts, "total": sum(parts.values())}


ids = sft.collate(sft.encode_rows(tokenizer, job_rows("clerk", "train", 16), base.config.context))[0].to(course.device)
full_bytes = measured_memory(copy.deepcopy(base), ids)
n = base.parameter_count()
for part, size in full_bytes.items():
    print(f"{part:<10} {size:>12,} bytes   {size / n:>4.0f} a parameter")

# %% [markdown]
# **What to notice.** Only a quarter of the bytes are the model. A gradient and two averages of Adam come on top for every *trained* parameter. A model of 7 billion needs over 100 GB this way, and so would the next task.

# %% [markdown]
# ## § 2 A thin detour
#
# LoRA freezes the weight $W$ and trains a detour around it: down to $R$ numbers with $A$, up again with $B$.
#
# $$y = x W^\top + \frac{\alpha}{R}\; (x A^\top)\, B^\top$$
#
# - `x`: `[... D]`, any leading axes · `weight` $W$: `[F D]`, frozen · `A`: `[R D]` · `B`: `[F R]` · → `y`: `[... F]`
# - $R$: the **rank**, 1 to some dozens, read from `A` · $\alpha$: a number you choose
# - $\alpha / R$ keeps the size of the change about the same when you try another rank, so that the learning rate need not be searched again
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

    Inputs:  x: inputs · weight: the frozen layer · A, B: the adapter · alpha: its scale
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
their_forward = lambda x, weight, A, B, alpha: F.linear(x, weight) + F.linear(F.linear(x, A), B) * alpha / len(A)
forward = mine("lora_forward", globals(), their_forward)
x, weight, A, B = torch.randn(5, 128), torch.randn(384, 128), torch.randn(4, 128), torch.randn(384, 4)
try:
    from peft import LoraConfig
    from peft.tuners.lora import Linear as PeftLinear

    plain = torch.nn.Linear(128, 384, bias=False)
    plain.weight.data = weight.clone()
    theirs = PeftLinear(plain, "default", config=LoraConfig(r=4, lora_alpha=8), r=4, lora_alpha=8)
    theirs.lora_A["default"].weight.data, theirs.lora_B["default"].weight.data = A.clone(), B.clone()
    leaves = [A.clone().requires_grad_(), B.clone().requires_grad_()]
    y = forward(x, weight, *leaves, 8.0)
    apart = {"forward": (y - theirs(x)).abs().max() / y.abs().max()}
    (y**2).mean().backward()
    (theirs(x) ** 2).mean().backward()
    for name, leaf, layer in (("gradient of A", leaves[0], theirs.lora_A), ("gradient of B", leaves[1], theirs.lora_B)):
        apart[name] = (leaf.grad - layer["default"].weight.grad).abs().max() / leaf.grad.abs().max()
    for name, difference in apart.items():
        print(f"{name}: largest difference from PEFT, relative to the largest number: {difference.item():.1e}")
    assert max(apart.values()) < 1e-5
except ImportError:
    print("peft is not installed here, so this comparison is left out.")

# %% [markdown]
# ## § 3 The start
#
# At the first step the adapter should change **nothing**: the model is good as it is. So $BA = 0$. PEFT's choice:
#
# $$A_{rd} \sim \text{uniform}\left(-\tfrac{1}{\sqrt D},\ \tfrac{1}{\sqrt D}\right), \qquad B = 0$$
#
# - `in_features` $D$, `out_features` $F$, `rank` $R$ → `A`: `[R D]`, `B`: `[F R]`, both float32
# - draw with the `generator` that is passed in, so that a seed means the same run everywhere
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
# - the rows of a batch add up; no mean
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

    Inputs:  x: the layer's inputs · A, B, alpha: the adapter · grad_y: ∂L/∂y, one row for each row of x
    """
    ### BEGIN SOLUTION
    scaling = alpha / A.shape[0]
    return scaling * (grad_y @ B).T @ x, scaling * grad_y.T @ (x @ A.T)
    ### END SOLUTION


# %%
check("lora_gradients")

# %% [markdown]
# Three starts, each of which leaves the base unchanged or nearly so. **Predict first:** which of them learns, and which never moves?


# %%
# LONG
def their_gradients(x, A, B, alpha, grad_y):
    leaves = [A.clone().requires_grad_(), B.clone().requires_grad_()]
    return torch.autograd.grad(F.linear(F.linear(x, leaves[0]), leaves[1]) * alpha / len(A), leaves, grad_y)


def their_init(in_features, out_features, rank, generator):
    A = torch.empty(rank, in_features)
    return torch.nn.init.kaiming_uniform_(A, a=math.sqrt(5), generator=generator), torch.zeros(out_features, rank)


gradients, init = mine("lora_gradients", globals(), their_gradients), mine("init_lora", globals(), their_init)
torch.manual_seed(0)
x, weight = torch.randn(256, 32), torch.randn(16, 32) / 32**0.5
target = (
    x @ (weight + torch.randn(16, 3) @ torch.randn(3, 32) / 32**0.5).T
)  # another layer, whose difference has rank 3
A0, B0 = init(32, 16, 3, torch.Generator().manual_seed(0))
starts = {
    "A random, B = 0": (A0, B0),
    "A = 0, B random": (0 * A0, torch.randn(16, 3) / 3**0.5),
    "A = 0, B = 0": (0 * A0, B0),
}
print(f"{'start':<18}{'|dA|':>8}{'|dB|':>8}   loss after 0, 10, 100, 400 steps of plain gradient descent")
for name, (A, B) in starts.items():
    losses = []
    for step in range(401):
        error = forward(x, weight, A, B, 3.0) - target
        dA, dB = gradients(x, A, B, 3.0, 2 * error / len(x))
        if step == 0:
            sizes = dA.norm(), dB.norm()
        losses.append(error.pow(2).sum(1).mean().item())
        A, B = A - 0.02 * dA, B - 0.02 * dB
    print(f"{name:<18}{sizes[0]:>8.3f}{sizes[1]:>8.3f}   {'  '.join(f'{losses[k]:7.3f}' for k in (0, 10, 100, 400))}")

# %% [markdown]
# **What to notice.** Where both are 0, both gradients are 0 and stay so. With one of them random, the other moves at once, and then the first one does, too.

# %% [markdown]
# ## § 4 Merge
#
# The detour costs a little time at every layer. After training it can be added into the weight, once:
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
    weight: Float[Tensor, "F D"], A: Float[Tensor, "R D"], B: Float[Tensor, "F R"], alpha: float, undo: bool = False
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
merge = mine(
    "merge_lora",
    globals(),
    lambda weight, A, B, alpha, undo=False: torch.addmm(weight, B, A, alpha=(-1 if undo else 1) * alpha / len(A)),
)
x, weight, A, B = (
    torch.randn(512, 128),
    torch.randn(384, 128) / 128**0.5,
    torch.randn(4, 128) / 128**0.5,
    torch.randn(384, 4) / 2,
)
together = merge(weight, A, B, 8.0)
print(f"detour against merged: largest difference {(forward(x, weight, A, B, 8.0) - x @ together.T).abs().max():.1e}")
print(
    f"merged and taken out again, against the first weight: {(merge(together, A, B, 8.0, undo=True) - weight).abs().max():.1e}"
)
ways, seconds = (
    {"detour": lambda: forward(x, weight, A, B, 8.0), "merged": lambda: x @ together.T},
    {"detour": [], "merged": []},
)
for _ in range(300):  # in turns, and the median: other programs run on this computer, too
    for name, run in ways.items():
        started = time.perf_counter()
        run()
        seconds[name].append(time.perf_counter() - started)
for name, times in seconds.items():
    print(f"{name}: {1000 * statistics.median(times):.3f} ms a layer")

# %% [markdown]
# **What to notice.** The outputs agree but for rounding. The difference after taking it out is rounding, too: after many swaps a merged model would slowly drift, so keep the base.

# %% [markdown]
# ## § 5 What is trained
#
# A model has many layers. You choose which get an adapter, by the last part of their names: `q_proj`, `down_proj`, … Each adds $R \cdot D + F \cdot R$ trained parameters.
#
# - `shapes`: `{"model.layers.0.self_attn.q_proj": [F, D], …}`, each [out, in] · `targets`: `["q_proj", …]` · `rank` → a whole number
# - the last part must **equal** a target: `backup_proj` is not `up_proj`. A name may have no dot
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

    Inputs:  shapes: full name of each linear layer → [out, in] · targets: last parts of names · rank: R
    """
    ### BEGIN SOLUTION
    chosen = [shape for name, shape in shapes.items() if name.split(".")[-1] in targets]
    return sum(rank * (out_features + in_features) for out_features, in_features in chosen)
    ### END SOLUTION


# %%
check("count_lora")

# %% [markdown]
# **Predict first:** at rank 4 on all linear layers, what share of *our* model is trained? And of one with 7 billion parameters, more or less than that?


# %%
# LONG
def their_count(shapes, targets, rank):
    return sum(rank * sum(shape) for name, shape in shapes.items() if name.rpartition(".")[2] in set(targets))


count = mine("count_lora", globals(), their_count)
shapes = {name: list(m.weight.shape) for name, m in base.named_modules() if isinstance(m, torch.nn.Linear)}
untrained = library.add_lora(copy.deepcopy(base), rank=4, alpha=8)
predicted, real = count(shapes, list(library.ALL_LINEAR), 4), sum(p.numel() for p in library.lora_parameters(untrained))
print(f"counted by formula {predicted:,}, real tensors {real:,}")
assert predicted == real
one = {
    f"l.{i}.{name}": shape
    for i in range(32)
    for name, shape in {
        **{f"{p}_proj": [4096, 4096] for p in "qkvo"},
        "gate_proj": [11008, 4096],
        "up_proj": [11008, 4096],
        "down_proj": [4096, 11008],
    }.items()
}
print(f"\n{'targets':<28}{'rank':>5}{'ours':>10}{'share':>8}{'7 billion':>14}{'share':>8}")
for name, targets in (
    ("q, v", ["q_proj", "v_proj"]),
    ("attention", list(library.ATTENTION)),
    ("all linear layers", list(library.ALL_LINEAR)),
):
    for rank in (1, 4, 16):
        small, large = count(shapes, targets, rank), count(one, targets, rank)
        print(f"{name:<28}{rank:>5}{small:>10,}{100 * small / n:>7.2f}%{large:>14,}{100 * large / 6.74e9:>7.2f}%")

# %% [markdown]
# **What to notice.** A layer has F · D weights and its adapter R · (F + D). The wider the model, the smaller the share at the same rank.

# %% [markdown]
# ## § 6 Where the bytes go
#
# Predict the memory of training before you buy it. Frozen weights are only held. Trained ones are held in float32, and each has a gradient and two averages of Adam, in float32 as well.
#
# - `frozen`, `trained`: numbers of parameters · `frozen_bits`: bits that one frozen weight takes, perhaps not a whole number
# - → bytes: `{"weights": frozen and trained, "gradients": …, "optimizer": …, "total": …}`
# - activations are left out: they hang on the batch, not on what is trained
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

    Inputs:  frozen, trained: parameters · frozen_bits: bits of one frozen weight; what is trained is float32
    Returns: {"weights", "gradients", "optimizer", "total"}
    """
    ### BEGIN SOLUTION
    memory = {"weights": frozen * frozen_bits / 8 + 4 * trained, "gradients": 4 * trained, "optimizer": 8 * trained}
    return {**memory, "total": sum(memory.values())}
    ### END SOLUTION


# %%
check("training_memory")


# %%
# LONG
def their_memory(frozen, trained, frozen_bits):
    bits = {"weights": frozen * frozen_bits + 32 * trained, "gradients": 32 * trained, "optimizer": 64 * trained}
    return {name: value / 8 for name, value in {**bits, "total": sum(bits.values())}.items()}


memory = mine("training_memory", globals(), their_memory)
rows = [
    ("full, float32", memory(0, n, 32), full_bytes),
    ("LoRA on a float32 base", memory(n, real, 32), measured_memory(untrained, ids)),
]
print(f"{'bytes':<36}{'weights':>12}{'gradients':>12}{'optimizer':>12}{'total':>12}")
for name, guess, seen in rows:
    for label, parts in ((f"{name}: predicted", guess), ("measured", seen)):
        print(f"{label:<36}" + "".join(f"{int(parts[k]):>12,}" for k in ("weights", "gradients", "optimizer", "total")))
    assert abs(guess["total"] - seen["total"]) < 0.001 * seen["total"]
big = 6_740_000_000
print(
    f"\n7 billion parameters: full {memory(0, big, 32)['total'] / 1e9:.0f} GB, LoRA on 16 bit {memory(big, 40_000_000, 16)['total'] / 1e9:.1f} GB, LoRA on 4.127 bit {memory(big, 40_000_000, 4.127)['total'] / 1e9:.1f} GB"
)

# %% [markdown]
# **What to notice.** LoRA removes nearly all of the gradients and Adam's averages. What is left is the base itself, which is held to be *read*. § 8 shrinks that.

# %% [markdown]
# ## § 7 Train it
#
# **A trap first.** The embedding is frozen, and it is the output head, too. Look at the tokens that the model has never seen, such as `{`:

# %%
# LONG
never = ~library.seen_tokens()
rows_never = F.normalize(base.model.embed_tokens.weight.detach()[never], dim=1)
rows_seen = F.normalize(base.model.embed_tokens.weight.detach()[~never], dim=1)
brace = tokenizer.token_to_id("{")
print(
    f"{never.sum()} of {len(never)} tokens were never seen; '{{' is {'one of them' if never[brace] else 'not one of them'}"
)
for name, rows in (("never seen", rows_never), ("seen", rows_seen)):
    print(f"mean cosine between two embeddings of tokens {name}: {(rows @ rows.T).mean():.3f}")
fresh = library.fresh_rows(copy.deepcopy(base))
print(
    f"gap on documents before {distance_to_limit(base, tokenizer, pretrain_rows('validation')[:200])['gap_percent']:.2f} %, with fresh rows {distance_to_limit(fresh, tokenizer, pretrain_rows('validation')[:200])['gap_percent']:.2f} %"
)

# %% [markdown]
# **What to notice.** All of them point the same way: training only ever pushed them down. Full fine-tuning can pull `{` out again. An adapter cannot, so it could not *write* a `{`. `fresh_rows` adds a small random row to each, so that they can be told apart, and hardly moves the gap on documents. The reserved tokens of Llama 3 are the same trap.
#
# Now the same rows in the same order, the same number of tokens, twice: all parameters, and rank 4 on all linear layers. An adapter takes larger steps: its matrices are thin and start at 0. So each way has its own learning rate, near the best that we found for it. One row in five is a document of lab 02, against forgetting.
#
# **Predict first.** What share of full fine-tuning's score will the adapter reach, with 3.5 % of its trained parameters? And which of the two forgets less of the old tasks?

# %%
# LONG
MY_GUESS = "a half"

PRESET = library.PRESETS[course.size]


def measure(name, model, run=None):
    """One row of the lab's table: right records, right answers to the tasks of lab 03, gap on the documents of lab 02."""
    found = examine(model, course.size)
    return {
        "name": name,
        "trained": run.record["trained_parameters"] if run else 0,
        "seconds": run.history[-1]["seconds"] if run else 0.0,
        **found,
    }


def table(rows):
    print(
        f"{'':<30}{'trained':>11}{'share':>8}{'records':>9}{'rephrased':>11}{'old tasks':>11}{'gap on documents':>18}{'seconds':>9}"
    )
    for row in rows:
        percents = f"{100 * row['job']:>8.1f}%{100 * row['phrasings']:>10.1f}%{100 * row['old_tasks']:>10.1f}%{row['document_gap_percent']:>17.1f}%"
        print(
            f"{row['name']:<30}{row['trained']:>11,}{100 * row['trained'] / n:>7.1f}%{percents}{row['seconds']:>9.0f}"
        )


live = curve.LiveCurve(title="LoRA: loss on records and on replayed documents")
lora_run = library.lora(
    course.size,
    seed=0,
    base=copy.deepcopy(base),
    on_step=live,
    out=course.work / f"lora_{course.size}",
    description="LoRA",
)
live.close()
adapted = lora_run.model
library.save_adapter_stage(adapted, lora_run.record)
full_run = library.lora(
    course.size,
    seed=0,
    base=copy.deepcopy(base),
    full=True,
    out=course.work / f"lora_full_{course.size}",
    description="full",
)
results = [
    measure("the assistant, untouched", base),
    measure("full fine-tuning", full_run.model, full_run),
    measure("LoRA, rank 4, all linear", adapted, lora_run),
]
table(results)
print(
    f"\nThe adapter reaches {100 * results[2]['job'] / max(results[1]['job'], 1e-9):.1f} % of full fine-tuning's score. You guessed {MY_GUESS}."
)

# %%
# LONG
after = respond(adapted, tokenizer, [row["messages"][:-1] for row in asked], max_new_tokens=40)
for row, old, new in zip(asked, before, after):
    print(
        columns([f"assistant » {row['messages'][0]['content']}", "with the clerk's adapter"], [old.strip()[:200], new])
        + "\n"
    )

# %%
check("lora_adapter")

# %% [markdown]
# **What to notice.** *Old tasks* and *gap on documents* are forgetting: what the assistant could do before. A clerk who answers everybody with records is no assistant any more, whichever way it was trained; but an adapter can be taken out again, and § 12 does so. Compare the seconds, too. One parameter in twenty-eight is trained, but the time is far from a twenty-eighth: the whole base is still run forward and backward. What falls away is the gradients of the frozen weights and their optimiser step.
#
# PEFT computes the same on the whole model. The adapter's tensors have PEFT's names but for a prefix:

# %%
# LONG
try:
    import warnings

    warnings.filterwarnings(
        "ignore", message=".is_gradient_checkpointing"
    )  # PEFT 0.21 asks transformers 5 under an old name
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    from course_lib.stages.model import to_transformers

    config = LoraConfig(
        r=library.RANK,
        lora_alpha=library.ALPHA,
        target_modules=list(library.ALL_LINEAR),
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    frozen = copy.deepcopy(base)
    frozen.load_state_dict(library.base_state(adapted))
    theirs = get_peft_model(to_transformers(frozen), config).to(course.device)
    set_peft_model_state_dict(theirs, library.to_peft_state(library.adapter_state(adapted)))
    theirs.train()
    batch, labels = (
        tensor.to(course.device)
        for tensor in sft.collate(sft.encode_rows(tokenizer, job_rows("clerk", "train", 8), base.config.context))
    )
    ours_loss, their_loss = sft.response_loss(adapted(batch), labels), theirs(batch, labels=labels).loss
    ours_loss.backward()
    their_loss.backward()
    ours_grads = {
        library.PEFT_PREFIX + f"{name}.{part}.weight": getattr(layer, part).grad
        for name, layer in library.lora_layers(adapted).items()
        for part in ("lora_A", "lora_B")
    }
    apart = max(
        (p.grad - ours_grads[name.replace(".default", "")]).abs().max().item()
        for name, p in theirs.named_parameters()
        if p.requires_grad
    )
    merged = theirs.merge_and_unload().state_dict()
    ours_merged = library.base_state(library.merge(copy.deepcopy(adapted)))
    apart_merged = max((merged[name] - weight).abs().max().item() for name, weight in ours_merged.items())
    adapted.zero_grad(set_to_none=True)
    print(
        f"loss {ours_loss.item():.6f}, PEFT's {their_loss.item():.6f}; gradients differ by at most {apart:.1e}, merged weights by {apart_merged:.1e}"
    )
    assert abs(ours_loss.item() - their_loss.item()) < 1e-5 and apart < 1e-5 and apart_merged < 1e-5
except ImportError:
    print("peft is not installed here, so this comparison is left out.")

# %% [markdown]
# ## § 8 Sixteen numbers
#
# The base is only read, so it may be held coarsely. **NF4** holds each weight in 4 bits: one of 16 numbers, times a scale.
#
# - weights are cut into **blocks** of 64 neighbours; each block has its own scale, the largest absolute value, `absmax`
# - the 16 numbers from −1 to 1 are not equally far apart: they lie where a normal distribution has its mass, because weights are about normal
#
# $$\text{absmax}_b = \max_{i \in b} |x_i|, \qquad c_i = \arg\min_k \left|\frac{x_i}{\text{absmax}_b} - \text{code}_k\right|$$
#
# - `x`: `[N]`, N a multiple of `block` · `code`: `[K]`, rising from −1 to 1 → codes `[N]` (uint8) and absmax `[N / block]`
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
def their_quantize(x, code, block):
    rows = x.reshape(-1, block)
    absmax = rows.abs().amax(1)
    return nf4.nearest(rows * (1 / absmax.clamp(min=1e-38))[:, None], code).to(torch.uint8).flatten(), absmax


quantize = mine("quantize_blockwise", globals(), their_quantize)
example = base.model.layers[1].mlp.up_proj.weight.detach().cpu()
print("share of each code, from −1 to 1: ▁ is rare")
for name, code in (("NF4", nf4.NF4_CODE), ("16 equal steps", torch.linspace(-1, 1, 16))):
    codes, absmax = quantize(example.flatten(), code, 64)
    share = torch.bincount(codes.long(), minlength=16) / len(codes)
    error = (code[codes.long()] * absmax.repeat_interleave(64) - example.flatten()).pow(2).mean().sqrt() / example.pow(
        2
    ).mean().sqrt()
    print(
        f"  {name:<16}{''.join('▁▂▃▄▅▆▇█'[min(7, int(7.99 * s / share.max()))] for s in share)}   relative error of the weights {100 * error:.1f} %"
    )
print("\nblock  relative error  bits for a scale in float32, a weight")
for block in (16, 64, 256, 4096):
    codes, absmax = quantize(example.flatten()[: len(example.flatten()) // block * block], nf4.NF4_CODE, block)
    part = example.flatten()[: len(codes)]
    error = (nf4.NF4_CODE[codes.long()] * absmax.repeat_interleave(block) - part).pow(2).mean().sqrt() / part.pow(
        2
    ).mean().sqrt()
    print(f"{block:>5}{100 * error:>14.1f} %{32 / block:>14.3f}")

# %% [markdown]
# **What to notice.** With equal steps the outer codes hardly occur: bits are wasted. Smaller blocks are finer and cost more for their scales.
#
# ### And back
#
# Two codes share a byte: the first in the **high** half, the second in the low half. Undo that, look the numbers up, multiply by the scale of the block.
#
# - `packed`: `[N/2]` uint8 · `absmax`: `[N / block]` · `code`: `[16]` → `[N]` float32
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>packed >> 4</code> is the high half, <code>packed & 15</code> the low one. An index must be <code>.long()</code> or <code>.int()</code>.</details>
# <details><summary>Hint 2</summary><code>torch.stack((high, low), 1).flatten()</code> makes them alternate; <code>repeat_interleave(block)</code> repeats each scale for its block.</details>


# %%
# EXERCISE dequantize_packed
def dequantize_packed(
    packed: UInt8[Tensor, " bytes"], absmax: Float[Tensor, " blocks"], code: Float[Tensor, "16"], block: int
) -> Float[Tensor, " N"]:
    """The weights that the codes stand for: code · absmax of the block.

    Inputs:  packed: two 4-bit codes a byte, the first in the high half · absmax: one scale a block · code: the 16 numbers
    """
    ### BEGIN SOLUTION
    high, low = packed >> 4, packed & 15
    codes = torch.stack((high, low), 1).flatten().long()
    return code[codes] * absmax.repeat_interleave(block)
    ### END SOLUTION


# %%
check("dequantize_packed")

# %% [markdown]
# bitsandbytes is what trains models of 65 billion parameters this way. Bit for bit:

# %%
# LONG
dequantize = mine(
    "dequantize_packed",
    globals(),
    lambda packed, absmax, code, block: nf4.dequantize_nf4(packed, absmax, (2 * len(packed),), block),
)
codes, absmax = quantize(example.flatten(), nf4.NF4_CODE, 64)
packed = codes[0::2] << 4 | codes[1::2]
back = dequantize(packed, absmax, nf4.NF4_CODE, 64)
print(
    f"{example.numel():,} weights: {size_of([example]):,} bytes in float32, {size_of([packed, absmax]):,} in NF4 with float32 scales"
)
try:
    import bitsandbytes.functional as bnb

    theirs, state = bnb.quantize_4bit(example, blocksize=64, quant_type="nf4")
    their_back = bnb.dequantize_4bit(theirs, state).flatten()
    print(
        f"bitsandbytes: {(packed == theirs.flatten()).float().mean():.2%} of the bytes equal, weights differ by at most {(back - their_back).abs().max():.1e}"
    )
    assert (packed == theirs.flatten()).float().mean() > 0.9999 and (absmax - state.absmax).abs().max() < 1e-7
except ImportError:
    bnb = None
    print("bitsandbytes is not installed here (its wheels are for Linux and Windows), so this comparison is left out.")

# %% [markdown]
# ## § 9 Quantise the scales, too
#
# A float32 scale for every 64 weights is half a bit a weight. The scales themselves are alike, so QLoRA quantises them once more, in 8 bits:
#
# $$o = \text{mean}(\text{absmax}), \qquad s_b = \max_{i \in b} |\text{absmax}_i - o|, \qquad c_i = \arg\min_k \left|\frac{\text{absmax}_i - o}{s_b} - \text{code}_k\right|$$
#
# - the mean comes off first: all absmax are positive, and half of a code with signs would be wasted
# - `absmax`: `[N]`, a multiple of `block` (256 in practice) · `code`: `[256]`, rising → codes `[N]` (uint8), scale `[N / block]`, offset `[]` (one number, a tensor)
# - as before, 0/0 must not be NaN
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
    """(codes, scale, offset) of the scales: minus their mean, over the largest difference of each block, the nearest code.

    Inputs:  absmax: scales of blocks of weights · code: 256 rising numbers · block: scales that share a scale
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
double = mine("double_quantize", globals(), lambda absmax, code, block: nf4.quantize_absmax(absmax, block))
weights = base.model.embed_tokens.weight.detach().flatten().cpu()
codes, absmax = quantize(weights, nf4.NF4_CODE, 64)
whole = len(absmax) // 256 * 256
small, scale, offset = double(absmax[:whole], nf4.DYNAMIC_CODE, 256)
again = nf4.DYNAMIC_CODE[small.long()] * scale.repeat_interleave(256) + offset
print(
    f"the embedding: {whole:,} scales, {size_of([absmax[:whole]]):,} bytes in float32, {size_of([small, scale, offset]):,} in 8 bits; off by {100 * ((again - absmax[:whole]) / absmax[:whole]).abs().mean():.2f} % on average"
)
if bnb:
    theirs, _ = bnb.quantize_blockwise(absmax[:whole] - offset, blocksize=256)
    scaled = (absmax[:whole] - offset) / scale.repeat_interleave(256)
    toss_up = (scaled[:, None] - (nf4.DYNAMIC_CODE[1:] + nf4.DYNAMIC_CODE[:-1]) / 2).abs().amin(
        1
    ) < 2e-5  # its CPU kernel rounds to 1/32,768 first
    print(
        f"bitsandbytes: {(small == theirs).float().mean():.2%} of the codes equal, {(small == theirs)[~toss_up].float().mean():.2%} where two codes are not nearly equally near"
    )
    assert (small == theirs)[~toss_up].all()
print(f"\n{'bits a weight':<40}{'bits':>8}{'of 16':>9}")
for name, bits in (
    ("float32", 32),
    ("bfloat16", 16),
    ("NF4, float32 scales of 64", 4 + 32 / 64),
    ("NF4, double quantisation", 4 + 8 / 64 + 32 / (64 * 256)),
):
    print(f"{name:<40}{bits:>8.3f}{100 * bits / 16:>8.1f}%")

# %% [markdown]
# **What to notice.** The second quantisation saves three eighths of a bit a weight. On 65 billion weights that is 3 GB.

# %% [markdown]
# ## § 10 QLoRA: train through the frozen base
#
# Every linear layer and the embedding are now held in 4 bits. In each forward and backward pass a layer's weight is written out, used and dropped. Gradients pass *through* the frozen weights to the adapters.
#
# The real QLoRA leaves the embedding and the output head in 16 bit, because in a large model they are a small part. In ours they are a quarter, so we quantise them, too.
#
# **Predict first:** how many points will it lose against LoRA, with a quarter of the weights' bytes?

# %%
# LONG
held = nf4.quantize_base(copy.deepcopy(base))
bf16 = nf4.weight_bytes(copy.deepcopy(base).bfloat16())
print(
    f"weights held: float32 {nf4.weight_bytes(base):,} bytes, bfloat16 {bf16:,}, NF4 {nf4.weight_bytes(held):,}: {100 * nf4.weight_bytes(held) / bf16:.1f} % of bfloat16"
)
qlora_bytes = measured_memory(library.add_lora(copy.deepcopy(held), 4, 8), ids)
print(
    f"predicted for training {memory(n, real, 4.127)['total']:,.0f} bytes, measured {qlora_bytes['total']:,} (our norms stay in float32), full fine-tuning {full_bytes['total']:,}"
)
quantised = measure("4-bit base, nothing trained", held)
qlora_run = library.lora(
    course.size,
    seed=0,
    base=copy.deepcopy(base),
    four_bits=True,
    out=course.work / f"qlora_{course.size}",
    description="QLoRA",
)
results += [quantised, measure("QLoRA, rank 4, 4-bit base", qlora_run.model, qlora_run)]
table(results)
print(f"\nQLoRA reaches {100 * results[-1]['job'] / max(results[1]['job'], 1e-9):.1f} % of full fine-tuning's score.")

# %% [markdown]
# **What to notice.** Quantising alone made the base worse; the adapter was trained on the base as it *is*, so it can make up for that. Look at the seconds: the weights are written out again and again, which costs time, not memory.

# %% [markdown]
# ## § 11 How large a rank, and where?
#
# Short runs now, all on the same rows, a fifth of those of § 7. **Predict first:** at which rank does the score stop rising? And with the same number of trained parameters, are they better spent in attention or in the MLPs?

# %%
# LONG
SHORT = replace(PRESET, examples=PRESET.examples // 5, replay=PRESET.replay // 5)


def short_run(name, rank=4, alpha=8, targets=library.ALL_LINEAR, **changes):
    """A small run, with the same alpha for every rank. `changes` are fields of SFTConfig."""
    run = library.lora(
        course.size,
        rank=rank,
        alpha=alpha,
        targets=targets,
        base=copy.deepcopy(base),
        config=replace(SHORT, **changes),
        progress=False,
    )
    return {**measure(name, run.model, run), "history": run.history}


sweep = [short_run(f"rank {rank}, all linear", rank) for rank in ((1, 4) if course.size == "tiny" else (1, 2, 4, 16))]
places = [
    short_run("rank 10, attention only", 10, targets=library.ATTENTION),
    short_run("rank 7, MLPs only", 7, targets=("gate_proj", "up_proj", "down_proj")),
]
table(sweep + places)

fig, axes = curve.empty()
axes.semilogx(
    [row["trained"] for row in sweep],
    [100 * row["job"] for row in sweep],
    marker="o",
    label="all linear layers, ranks " + ", ".join(row["name"].split()[1].strip(",") for row in sweep),
)
for row, marker in zip(places, "s^"):
    axes.semilogx([row["trained"]], [100 * row["job"]], marker=marker, linestyle="none", label=row["name"])
axes.set(xlabel="trained parameters", ylabel="right records (%)", title="What does a larger rank buy?", ylim=(0, 100))
axes.legend(frameon=False, fontsize=9)
curve.show(fig)

# %% [markdown]
# **What to notice.** The last adapter has many times the parameters of the first, and its score is hardly another. This job fits into a very small rank. Read differences of a few points with care: we ran ranks 1, 4 and 16 with two more seeds, and the same rank moved by up to seven points from seed to seed. So one run each cannot say whether attention or the MLPs are the better place.

# %% [markdown]
# ## § 12 One base, many adapters
#
# An adapter is a small file. A server holds one base and swaps adapters from request to request. Here a second one learns another job from a few rows: the **crier** calls every answer out.

# %%
# LONG
shouting = library.lora(course.size, seed=1, base=copy.deepcopy(base), job="crier", config=SHORT, progress=False)
adapters = {"clerk": library.adapter_state(adapted), "crier": library.adapter_state(shouting.model)}
adapters["none"] = {name: torch.zeros_like(t) for name, t in adapters["clerk"].items()}
print(f"one adapter: {size_of(adapters['crier'].values()):,} bytes; the base: {nf4.weight_bytes(base):,}\n")
server = copy.deepcopy(adapted)
for name in ("clerk", "crier", "none", "clerk"):
    library.load_adapter(server, adapters[name])
    for row, answer in zip(
        asked[:2], respond(server, tokenizer, [row["messages"][:-1] for row in asked[:2]], max_new_tokens=40)
    ):
        print(f"{name:<6} » {row['messages'][0]['content']}  →  {answer}")

# %% [markdown]
# **What to notice.** The base was never touched. Without an adapter the assistant of lab 03 answers, and the clerk's records come back exactly. The crier's rows have no lists in them, and what it makes of one is nobody's plan: an adapter changes more than what it was trained for.

# %% [markdown]
# ## § 13 Change one thing
#
# The short run twice, with one difference. Choose it, **write down what you expect**, then run. Other changes to try: `alpha=80`, `rank=64`, `targets=("q_proj", "v_proj")`, `replay=0`.

# %%
# LONG
CHANGE = dict(learning_rate=library.FULL_RATE)
MY_PREDICTION = "the learning rate of full fine-tuning, a tenth: about the same score, with a smoother curve"

changed = short_run("changed", **CHANGE)
print(f"I predicted: {MY_PREDICTION}")
base_row = next(row for row in sweep if row["name"].startswith("rank 4"))
table([{**base_row, "name": "as before"}, changed])
for name, row in (("as before", base_row), ("changed", changed)):
    losses = [step["train_loss"] for step in row["history"]]
    print(
        f"{name:<10} training loss after 25, 50, 100 %: "
        + ", ".join(
            f"{sum(part) / len(part):.2f}"
            for part in (losses[max(0, k - 9) : k] for k in (len(losses) // 4 + 1, len(losses) // 2 + 1, len(losses)))
        )
    )

# %% [markdown]
# ## § 14 A real model
#
# Optional. SmolLM2-135M-Instruct (Hugging Face, Apache 2.0) is a real model that fits a laptop: 27 seconds of one CPU core, 1.8 GB of memory. Your formula counts its adapters, your function quantises a layer; then the library's NF4 holds its linear layers, and the adapters learn from four of the clerk's rows.
#
# **Predict first:** with rank 8 on all linear layers, what share of its 135 million parameters is trained? And is the error of NF4 larger than in your small model (§ 8), or smaller?

# %%
# LONG
MY_GUESS = "1 %, and about the same"

from course_lib.stages.real import NOT_HERE, smollm2
from course_lib.stages.real_training import collate, encode, train

loaded = smollm2()
if loaded is None:
    print(NOT_HERE)
else:
    smol, words = loaded[0].to(course.device), loaded[1]
    shapes = {name: list(m.weight.shape) for name, m in smol.named_modules() if isinstance(m, torch.nn.Linear)}
    weight = smol.model.layers[1].mlp.up_proj.weight.detach().flatten().cpu()
    codes, absmax = quantize(weight, nf4.NF4_CODE, 64)
    error = (nf4.NF4_CODE[codes.long()] * absmax.repeat_interleave(64) - weight).pow(2).mean().sqrt() / weight.pow(
        2
    ).mean().sqrt()
    print(
        f"{sum(p.numel() for p in smol.parameters()):,} parameters, {nf4.weight_bytes(smol):,} bytes in float32; NF4 changes the weights of a layer by {100 * error:.1f} %"
    )
    smol = nf4.quantize_base(smol, embedding=False)  # its embedding and head stay as they are, as in the real QLoRA
    print(f"linear layers in NF4: {nf4.weight_bytes(smol):,} bytes")
    trained = library.lora_parameters(library.add_lora(smol, rank=8, alpha=16))
    predicted, there = count(shapes, list(library.ALL_LINEAR), 8), sum(p.numel() for p in trained)
    print(
        f"trained parameters: {predicted:,} by formula, {there:,} real tensors, {100 * library.trained_share(smol):.2f} % of the base. You guessed: {MY_GUESS}."
    )
    assert predicted == there
    batch = [
        tensor.to(course.device)
        for tensor in collate(
            [encode(words, row["messages"]) for row in job_rows("clerk", "train", 4)], words.pad_token_id
        )
    ]
    losses = train(
        smol,
        [batch] * (2 if course.size == "tiny" else 6),
        lambda batch: sft.response_loss(smol(batch[0], attention_mask=batch[2]).logits, batch[1]),
        learning_rate=1e-3,
    )
    print("\n".join(f"step {step}: loss {loss:.3f} nats/token" for step, loss in enumerate(losses)))

# %% [markdown]
# **What to notice.** NF4 changes a layer of the large model as much as one of the small model, by 9 %: it asks only that the weights of a block are spread like a bell. The share that is trained is smaller at twice the rank, because an adapter grows with a layer's sides and the layer with their product. Four rows, six times, only show that gradients come through 4 bits; they teach no job.

# %% [markdown]
# ## § 15 Summary
#
# You wrote the layer, its start, its gradients, its merge, the counts of parameters and bytes, and NF4 with double quantisation; each equals the library's. An adapter of a few per cent learned the new job as full fine-tuning does, also through a base held in a quarter of its 16-bit bytes, and can be taken out again.
# Lab 05 asks when to fine-tune at all: what if the facts change?
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What do LoRA and QLoRA save when you train, with your numbers from § 6 and § 10, and what do neither of them save?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# In full fine-tuning each of the 1.16 million parameters takes 16 bytes: 4 for itself, 4 for its gradient, 8 for Adam's averages. LoRA keeps only the first 4 for the frozen 96.5 % and the 16 for the rest, and QLoRA holds the frozen ones
# in about 4.1 bits, a quarter of 16 bit. Neither saves the activations and logits of the batch, nor most of the time: the whole base is still run forward and backward, and QLoRA writes its weights out again in every step.
# ### END SOLUTION

# %% [markdown]
# **2.** What did you change in § 13, what did you predict, what came out (with its unit), and why?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I gave the adapter the learning rate of full fine-tuning, 0.0012 for 0.012, and predicted about the same score. At size laptop 51 % of the records came out right, against 88 % before. After a quarter of the steps the training loss was still 2.9 nats/token, against 0.5; at the end it was 0.55 for 0.27.
# B starts at 0, and the gradient of A is as small as B is: with small steps the detour first has to grow, and a short run ends before it has. Full weights need not grow from nothing.
# ### END SOLUTION

# %% [markdown]
# ## § 16 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your adapter into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
