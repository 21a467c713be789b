# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 03 — Supervised fine-tuning
#
# ```
#  raw text ──▶ base model ──▶ ASSISTANT ──▶ preferred ──▶ safe ──▶ released
#  00, 01       02             ► 03 ◄ 04, 05 06 – 09       10       11
#                              you are here
# ```
#
# **About 95 minutes · 9 points · a laptop is enough.** Your computer works alone for about 5 of these minutes (two cores at 200 GFLOP/s).
# You start from the base model of lab 02, yours or the one that comes with the course. It knows the village and answers nobody. At the end it answers.

# %% [markdown]
# > **After this lab you can**
# > - turn a conversation into tokens with a chat template, and say which of them are trained,
# > - write the loss of supervised fine-tuning, and show that TRL computes the same one,
# > - pad, pack, and keep packed examples from reading each other,
# > - choose a learning rate from a sweep,
# > - measure an assistant with a programmatic checker, and say where exact match misleads,
# > - show what too many epochs do, and what is forgotten by it and what is not.

# %%
# SETUP

# %%
import copy, math, string
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from course_lib.notebook.check import mine
from course_lib.shown import lab03_supervised_fine_tuning as lab

# %% [markdown]
# ## § 1 The tasks, and a base model that babbles
#
# **Supervised fine-tuning** goes on training a base model on conversations that people have written ([Ouyang et al. 2022](https://arxiv.org/abs/2203.02155)). Here the conversations are about the village, in several kinds of task. Each task has a **checker**: a small program that says whether an answer does what was asked. So every answer can be judged, also one that nobody has written down before.
#
# There are two held-out sets, because there are two ways to cheat: by knowing the *resident* from training, and by knowing the *words* of the question.

# %%
# LONG
sft, tasks = course_lib.stages.sft, course_lib.world.tasks
tokenizer, device, small = sft.load_tokenizer(), course.device, course.size == "tiny"
base = load_stage("pretrain").model.to(device)
train = tasks.task_rows("train", 2000)
held_out = {s: tasks.task_rows(s, 60 if small else 500, seed="lab 03") for s in lab.SPLITS}
validation = tasks.task_rows("train", 100, seed="validation")  # for choices on the way
lab.show_kinds(train)

# %% [markdown]
# Now ask the base model. It was trained to continue documents, so it is given the question as the beginning of one.

# %%
# LONG
questions = lab.one_of_each("fact", "short", "list")
babble = lab.generate(base, tokenizer, questions, max_new_tokens=40, temperature=0.8, seed=0)
print("\n".join(f"» {question}‖{text}\n" for question, text in zip(questions, babble)))
before = lab.score(base, tokenizer, held_out["residents"][:100], max_new_tokens=40)
print(f"The checker passes {before['accuracy']:.0%} of {before['n']} answers of the base model.")

# %% [markdown]
# **What to notice.** A document that begins with a question goes on like a document. In our run the checker passes none of the answers. Yet the facts are in these weights: lab 02 has asked for them, and § 10 will do so again. What is missing is the manner.

# %%
# CLAIM
{
    "A document that begins with a question": GENERAL,
    "the checker passes none of the answers": before["accuracy"] == 0,
    "the facts are in these weights": lab.known(base) > 0.99,
    "What is missing is the manner": GENERAL,
}

# %% [markdown]
# ## § 2 The chat template
#
# A model reads one row of tokens. A **chat template** writes a conversation into that row, and marks who speaks with special tokens that no text contains. Littlebrook uses ChatML:
#
# ```
# <|bos|><|im_start|>user
# What does Ada Cobb do?<|im_end|>
# <|im_start|>assistant
# She works as a potter.<|im_end|>
# ```
#
# - `<|bos|>` once, at the very beginning
# - each message: `<|im_start|>`, the role, a newline, the content, `<|im_end|>`, a newline (also after the last one)
# - the content stays as it is: blanks, line ends, braces, or nothing at all
# - `generation_prompt=True` opens the assistant's next turn: `<|im_start|>assistant` and a newline, and nothing after it. That is where the model begins to write
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary>Start with <code>text = "&lt;|bos|&gt;"</code> and add one piece for each message.</details>
# <details><summary>Hint 2</summary>A message is a dict: <code>message["role"]</code>, <code>message["content"]</code>. Do nothing to the content: no strip, no format.</details>

# %%
# EXERCISE render_chat
def render_chat(messages: list[dict[str, str]], generation_prompt: bool = False) -> str:
    """A conversation as one text, in ChatML.

    Inputs:  messages: [{"role": "system" | "user" | "assistant", "content": text}, …], perhaps none
             generation_prompt: open the assistant's next turn at the end
    Returns: the text, special tokens written out
    """
    ### BEGIN SOLUTION
    text = "<|bos|>"
    for message in messages:
        text += f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n"
    if generation_prompt:
        text += "<|im_start|>assistant\n"
    return text
    ### END SOLUTION


# %%
check("render_chat")

# %% [markdown]
# From scratch first, the library second. `transformers` renders a template written in Jinja; the course's is `CHAT_TEMPLATE` in `course_lib/stages/sft.py`. Text and tokens must be the same.

# %%
# LONG
hugging_face = sft.to_transformers_chat(tokenizer)
render = mine("render_chat", globals())
lab.same_as_template(render, hugging_face, train[:200])  # stops where they differ
talk = lab.first(train, "follow-up")
print(render(train[talk]["messages"]))

# %% [markdown]
# **What to notice.** The template is part of the model: with a newline less, the model reads something that it has never seen. Always take the one that the model was trained with.

# %%
# CLAIM
{"The template is part of the model": GENERAL, "Always take the one": GENERAL}

# %% [markdown]
# ## § 3 What the model is trained on
#
# The model should learn to *answer*, not to ask. So each token gets a **label**: itself where it is to be learned, and −100 where it is only read. −100 is PyTorch's sign for "no loss here".
#
# Trained is what the assistant writes: the content of every assistant turn **and the `<|im_end|>` that ends it**. Given, and so not trained: the user's turns, every header, the newline after `<|im_end|>`.
#
# You get the tokens of a row, the tokens of the assistant's header (`<|im_start|>assistant` and a newline), and the id of `<|im_end|>`.
#
# - after each header, up to and with the next `<|im_end|>`: the label is the token. A row may have several turns
# - a row may have been cut off: without an `<|im_end|>` the answer goes to the end of the row
# - only the whole header counts. The word "assistant" may stand in a sentence
# - `ids`, labels: `[T]`, whole numbers. `ids` stays as it is: the model reads it
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 18
#
# <details><summary>Hint 1</summary>Start from <code>labels = torch.full_like(ids, -100)</code> and <code>row = ids.tolist()</code>.</details>
# <details><summary>Hint 2</summary>Walk through the row and remember whether you are inside an answer. <code>row[t - n:t] == header</code> says that a header of n tokens has just ended.</details>
# <details><summary>Hint 3</summary>At each t, in this order: switch on if a header ended just before t; if on, copy the token; if the token is <code>im_end</code>, switch off.</details>

# %%
# EXERCISE response_labels
def response_labels(ids: Int[Tensor, " T"], header: list[int], im_end: int) -> Int[Tensor, " T"]:
    """The labels of a row: the token where the assistant writes, −100 elsewhere.

    Inputs:  ids: tokens of a rendered conversation
             header: tokens of the assistant's header · im_end: id of <|im_end|>
    Returns: labels, not shifted: the loss does that
    """
    ### BEGIN SOLUTION
    row, n = ids.tolist(), len(header)
    labels, inside = torch.full_like(ids, -100), False
    for t in range(len(row)):
        if t >= n and row[t - n : t] == header:
            inside = True
        if inside:
            labels[t] = row[t]
        if row[t] == im_end:
            inside = False
    return labels
    ### END SOLUTION


# %%
check("response_labels")

# %% [markdown]
# `transformers` finds the same tokens in another way: its template has `{% generation %}` marks round what the assistant says.

# %%
# LONG
label = mine("response_labels", globals())
HEADER = tokenizer.encode("<|im_start|>assistant\n").ids
IM_END = tokenizer.token_to_id("<|im_end|>")
examples = []
for row in train[:400]:
    ids = torch.tensor(tokenizer.encode(render(row["messages"])).ids)
    labels = label(ids, HEADER, IM_END)
    examples.append({"input_ids": ids.tolist(), "labels": labels.tolist()})
lab.same_as_marks(examples, hugging_face, train)  # stops where they differ
trained, marked = lab.show_trained(examples, talk)

# %% [markdown]
# **What to notice.** Both answers are trained, with their `<|im_end|>`: that token is how the model will say "I have finished".

# %%
# CLAIM
{"Both answers are trained, with their": marked.count("<|im_end|>⟧") == 2 == marked.count("⟦")}

# %% [markdown]
# ## § 4 A batch
#
# A tensor needs rows of one length, and examples have different ones. The **collator** pads them on the right to the longest of the batch:
#
# - `input_ids` `[B T]`, padded with `pad_id` · `labels` `[B T]`, padded with −100 · `attention_mask` `[B T]`, 1 at real tokens and 0 at padding
# - all three are whole numbers (`torch.long`)
# - which places are padding, the lengths say: a real token may have the id `pad_id`
# - the examples stay as they are: the next epoch reads them again
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>torch.nn.utils.rnn.pad_sequence(list_of_tensors, batch_first=True, padding_value=…)</code> does one of the three.</details>
# <details><summary>Hint 2</summary>The mask is the padded form of <code>torch.ones_like(ids)</code>, with padding 0.</details>

# %%
# EXERCISE collate
def collate(examples: list[dict[str, list[int]]], pad_id: int) -> dict[str, Int[Tensor, "B T"]]:
    """A batch of examples, padded on the right to the longest.

    Inputs:  examples: [{"input_ids": [...], "labels": [...]}, …], at least one
             pad_id: id of the padding token
    Returns: {"input_ids", "labels", "attention_mask"}, three tensors of whole numbers
    """
    ### BEGIN SOLUTION
    def pad(rows, value):
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)

    ids = [torch.tensor(example["input_ids"]) for example in examples]
    labels = [torch.tensor(example["labels"]) for example in examples]
    mask = pad([torch.ones_like(row) for row in ids], 0)
    return {"input_ids": pad(ids, pad_id), "labels": pad(labels, -100), "attention_mask": mask}
    ### END SOLUTION

# %%
check("collate")

# %% [markdown]
# ## § 5 The loss
#
# The loss of lab 02, on the trained tokens only:
#
# $$L = \frac{1}{N} \sum_{b,t} -\log p(\text{label}_{b,t+1} \mid \text{ids}_{b,\le t}) \quad\text{over the } N \text{ labels of the batch that are not } {-100}$$
#
# - `logits`: `[B T V]` · `labels`: `[B T]` · unit: nats/token
# - computed in float32, whatever the dtype of the logits
# - logits at $t$ against the label at $t+1$: the last logits and the first label fall away
# - −100 alone means "no loss": any other number is a token to learn, 0 as well
# - one mean over the **whole batch**. A mean of the rows' means would let an answer of two tokens weigh as much as a story
# - nothing trained in the batch: the loss is 0, and still has a gradient to the logits, of zeros
# - logits may be as large as ±10,000: no ε and no clamp, which would hide how wrong the model is
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>F.cross_entropy(…, ignore_index=-100, reduction="sum")</code> adds up the trained tokens.</details>
# <details><summary>Hint 2</summary>Count after the shift: <code>(targets != -100).sum().clamp(min=1)</code>.</details>

# %%
# EXERCISE sft_loss
def sft_loss(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Mean −log p of the trained tokens of the batch, nats/token, in float32.

    Inputs:  logits: the model's output at each position
             labels: the tokens to learn, −100 where nothing is trained
    Returns: one number, a tensor with a gradient; 0 where nothing is trained
    """
    ### BEGIN SOLUTION
    targets = labels[:, 1:].flatten()
    scores = logits[:, :-1].flatten(0, 1).float()
    total = F.cross_entropy(scores, targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)
    ### END SOLUTION

# %%
check("sft_loss")

# %% [markdown]
# Now the library: TRL's `SFTTrainer` gets the raw conversations and does all of it by itself: template, labels, batch, loss. Yours and its must agree, token by token and in every gradient. (Its import takes ten seconds.)

# %%
# LONG
batch_of, loss_fn = mine("collate", globals()), mine("sft_loss", globals())
lab.by_trl.same_batch(base, train[:8], batch_of(examples[:8], 0), loss_fn)

# %% [markdown]
# **In the library.** For this comparison TRL was told `assistant_only_loss=True`. What does it do where you say nothing? Each line of this table has just been tried with the version that is installed:

# %%
# LONG
by_default = lab.by_trl.defaults(base)

# %% [markdown]
# **What to notice.** By default TRL trains on the user's words, too, and says nothing about it. A conversation that is too long loses its end, and with it the `<|im_end|>` that would teach the model to stop; with `assistant_only_loss=True` a conversation that keeps no trained token is dropped, also without a word. So count your rows and your trained tokens before you train.

# %%
# CLAIM
{
    "By default TRL trains on the user's words": by_default["trained"] == by_default["tokens"],
    "A conversation that is too long loses its end": by_default["rows left"] < 8 and by_default["ends left"] == 0,
    "count your rows and your trained tokens": GENERAL,
}

# %% [markdown]
# ## § 6 Packing
#
# Padding is computed and thrown away. **Packing** puts several examples into one row. *Best fit, longest first* is a good and simple rule ([Ding et al. 2024](https://arxiv.org/abs/2404.10830)):
#
# - take the examples from the longest to the shortest (of equally long ones the earlier first)
# - put each into the row where the **least** room is left that is still enough (of equally full rows the earlier). If no row has room, open a new one
# - a row holds at most `limit` tokens. An example longer than that gets a row of its own
# - returned are the rows in the order in which they were opened, each a list of the examples' indices in the order in which they went in
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●○○○ (2 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>sorted(range(len(lengths)), key=lambda k: -lengths[k])</code> gives the order. <code>sorted</code> leaves equal ones as they were.</details>
# <details><summary>Hint 2</summary>Keep a second list with the room left in each row. <code>min(able, key=lambda r: room[r])</code> takes the first of equals.</details>

# %%
# EXERCISE pack
def pack(lengths: list[int], limit: int) -> list[list[int]]:
    """Rows of examples, best fit, longest first.

    Inputs:  lengths: tokens of each example, perhaps none · limit: tokens of a row
    Returns: the rows; each index 0 … len(lengths) − 1 stands in exactly one of them
    """
    ### BEGIN SOLUTION
    rows, room = [], []
    for k in sorted(range(len(lengths)), key=lambda k: -lengths[k]):
        able = [r for r in range(len(rows)) if room[r] >= lengths[k]]
        if able:
            best = min(able, key=lambda r: room[r])
            rows[best].append(k)
            room[best] -= lengths[k]
        else:
            rows.append([k])
            room.append(limit - lengths[k])
    return rows
    ### END SOLUTION


# %%
check("pack")

# %% [markdown]
# Examples in one row are strangers to each other. The causal mask alone lets the second one read the first. So each token carries the number of its **segment**, and the mask is
#
# $$\text{mask}_{b,t,s} = [\,\text{segment}_{b,t} = \text{segment}_{b,s}\,] \;\wedge\; [\,s \le t\,]$$
#
# - `segments`: `[B T]`, whole numbers that need not rise along the row. Tokens with equal numbers are one segment, also where another one stands between them
# - padding has the number 0 and is a segment like the others, so that no query is left with nothing to read
# - mask: `[B T T]`, True where query $t$ may read key $s$
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint</summary><code>segments[:, :, None] == segments[:, None, :]</code> compares every token with every other one of its row.</details>

# %%
# EXERCISE packing_mask
def packing_mask(segments: Int[Tensor, "B T"]) -> Bool[Tensor, "B T T"]:
    """True where query t may read key s: the same segment, and not later.

    Inputs:  segments: the number of the example that each token belongs to
    Returns: booleans, [B T T]
    """
    ### BEGIN SOLUTION
    T = segments.shape[1]
    same = segments[:, :, None] == segments[:, None, :]
    return same & torch.ones(T, T, dtype=torch.bool, device=segments.device).tril()
    ### END SOLUTION


# %%
check("packing_mask")

# %%
# LONG
packer, mask_of = mine("pack", globals()), mine("packing_mask", globals())
few, LIMIT = examples[:192], 256
lengths = [len(example["input_ids"]) for example in few]
rows = packer(lengths, LIMIT)
lab.by_trl.same_packing(rows, lengths, LIMIT)
by_length = sorted(range(len(few)), key=lambda k: lengths[k])
ways = {
    "as they come": lab.padded_batches(few, batch_of),
    "sorted": lab.padded_batches([few[k] for k in by_length], batch_of),  # similar lengths together
    "packed": lab.packed_batches(few, rows, batch_of),  # LIMIT tokens a row
}
speed = lab.throughput(base, ways, loss_fn)  # way → (rows, padding, real tokens a second)

# %% [markdown]
# And the border: are the logits of a packed example those of the example alone? Your mask goes into `LlamaForCausalLM`, which takes a mask `[B 1 T T]`; the course's Llama takes the segments.

# %%
# LONG
row = next(row for row in rows if len(row) > 2)
ids, _, segments = lab.packed_batches(few, [row], batch_of)[0]
llama = lab.to_transformers(base).cpu().eval()
with torch.no_grad():
    logits = {
        "your mask": llama(ids, attention_mask=mask_of(segments)[:, None]).logits[0],
        "the segments": base(ids.to(device), segments.to(device))[0],
        "the causal mask only": llama(ids).logits[0],
    }
apart = lab.against_alone(llama, [few[k] for k in row], logits)

# %% [markdown]
# **What to notice.** Packing leaves next to no padding. Sorting by length already saves most of it, and the course's loop does that. What packing saves beyond buys little time, or none: a packed row is longer, and attention is computed between all its places, also between those that the mask then forbids. In our run packing and sorting were equally fast to a fifth; on a busier computer we have seen packing as the slower way.
#
# The positions were *not* started again in each segment: rotary positions ([Su and others, 2021](https://arxiv.org/abs/2104.09864)) only know distances. Without the mask the row runs as well, without any error, and the second example reads the first.

# %%
# CLAIM
{
    "Packing leaves next to no padding": speed["packed"][1] < 0.04,
    "Sorting by length already saves most of it": speed["sorted"][1] < 0.3 * speed["as they come"][1],
    "What packing saves beyond buys little time": speed["packed"][2] < 1.3 * speed["sorted"][2],
    "packing and sorting were equally fast to a fifth": abs(speed["packed"][2] / speed["sorted"][2] - 1) < 0.2,
    "The positions were *not* started again": apart["the segments"] < 1e-5,
    "Without the mask the row runs as well": apart["the causal mask only"] > 0.1,
}

# %% [markdown]
# ## § 7 The learning rate
#
# Fine-tuning starts from weights that are worth something. Too small a rate learns nothing in the time, too large a one tears down what is there. Nobody can say in advance, so try: short runs, each with another rate, and the loss on validation rows along the way.
#
# - `rates`: one for each run · `curves`: the validation losses of each run in order of time, nats/token
# - chosen is the rate of the run with the lowest **last** loss: the weights that you keep are those at the end
# - a run with NaN or infinity (of either sign) *anywhere* has diverged and does not count; nor does one without a measurement
# - a tie goes to the smaller rate · nothing left: `None`
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary>Collect the runs that count: <code>all(map(math.isfinite, curve))</code>, and a curve that is not empty.</details>
# <details><summary>Hint 2</summary><code>min</code> over pairs (last loss, rate) takes the smaller rate in a tie.</details>

# %%
# EXERCISE pick_learning_rate
def pick_learning_rate(rates: list[float], curves: list[list[float]]) -> float | None:
    """The rate of the run that ends lowest.

    Inputs:  rates: learning rate of each run
             curves: its validation losses, nats/token; perhaps none, perhaps NaN among them
    Returns: the rate, or None where no run counts
    """
    ### BEGIN SOLUTION
    finished = []
    for rate, curve in zip(rates, curves):
        if curve and all(map(math.isfinite, curve)):
            finished.append((curve[-1], rate))
    return min(finished)[1] if finished else None
    ### END SOLUTION

# %%
check("pick_learning_rate")

# %% [markdown]
# A rate belongs to an optimiser. As in lab 02, the matrices inside the blocks are stepped by **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)): it makes the mean gradient of a matrix orthogonal, so that a step is about equally long in all directions. The embedding and the norms are stepped by **AdamW** ([Loshchilov & Hutter 2019](https://arxiv.org/abs/1711.05101)), which divides the mean gradient of each number by its usual size; they get a fifth of the rate.
#
# **Predict first:** the base model was trained with a rate of 0.004. Will the best one here be larger, about the same, or smaller? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # larger, about the same, smaller

RATES = [1e-4, 1e-3, 1e-2] if small else [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
SHORT = train[: 100 if small else 1200]  # the rows of a short run
curves = []
for rate in RATES:
    run = sft.finetune(copy.deepcopy(base), SHORT, sft.SFTConfig(learning_rate=rate, validations=4),
                       loss_fn=loss_fn, validation=validation, progress=False)
    curves.append([step["val_loss"] for step in run.history if "val_loss" in step])
lab.show_sweep(RATES, curves, course.size)
best = mine("pick_learning_rate", globals())(RATES, curves)
print(f"chosen: {best:g}. The long run of § 8 uses {sft.PRESETS[course.size].learning_rate:g}.")
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** In our run the last losses over the rates are a valley: they fall up to the best rate and rise behind it. A short run must hurry, so it ends lowest with a rate that is larger than the long run's. What is best in a sweep is best for runs of that length, and it says little about what is forgotten on the way (§ 10).

# %%
# CLAIM
{
    "the last losses over the rates are a valley": (
        lab.is_valley([curve[-1] for curve in curves]) and RATES[0] < best < RATES[-1]
    ),
    "so it ends lowest with a rate that is larger than the long run's": best > sft.PRESETS[course.size].learning_rate,
    "What is best in a sweep is best for runs of that length": GENERAL,
}

# %% [markdown]
# ## § 8 Train
#
# Everything is in place. The loop in `course_lib/stages/sft.py` is that of lab 02: logits, loss, backward, step. New are the labels, and that it starts from your base model.
# Documents of pre-training are mixed in among the conversations (**replay**, which [Scialom et al. 2022](https://arxiv.org/abs/2205.12393) do with rows of earlier tasks); § 13 shows what that is for.
#
# The model is worth 1 point: full marks from 90 % of fresh held-out instructions right, none up to 40 %, in proportion between.
#
# **Predict first.** What share of the instructions will the checker pass, on residents of whom no training conversation speaks? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # %

live = lab.LiveCurve(title="What does fine-tuning do to the loss?")
run = sft.sft(course.size, seed=0, base=copy.deepcopy(base), loss_fn=loss_fn, on_step=live,
              out=course.work / f"sft_{course.size}", validation=validation)
live.close()
model = run.model.eval()
save_stage("sft", model, run.record)
results = {split: lab.score(model, tokenizer, rows) for split, rows in held_out.items()}
lab.show_scores(results, run.record, course.size)
lab.guessed(MY_GUESS)

# %%
check("sft_model")

# %% [markdown]
# **What to notice.** In our run the validation loss ends under the training loss, and that is no mistake. Validation is on answers only; training also counts the replayed documents, and a token of theirs costs more than one of an answer, however well both are learned (§ 10 has their losses).
#
# Before and after, on residents of whom no conversation spoke:

# %%
# CLAIM
{
    "the validation loss ends under the training loss": (
        [step["val_loss"] for step in run.history if "val_loss" in step][-1]
        < sum(step["train_loss"] for step in run.history[-50:]) / 50
    ),
    "a token of theirs costs more than one of an answer": (
        [step["val_loss"] for step in run.history if "val_loss" in step][-1] + 0.05
        < lab.losses_by_kind(model, sft.pretrain_rows("validation")[:100])["all"]
    ),
    "Before and after": GENERAL,
}

# %%
# LONG
after = lab.respond(model, tokenizer, [[{"role": "user", "content": text}] for text in questions])
lab.side_by_side(questions, {"base model": babble, "assistant": after})

# %% [markdown]
# And a conversation: the answers in it are the model's own, and each question needs the ones before it. Write your own questions.

# %%
# LONG
person = lab.somebody_held_out()
his, conversation = person.word("his"), []
for asked in (f"What does {person.full} do?", f"And {his} favourite colour?", f"And {his} pet?"):
    conversation.append({"role": "user", "content": asked})
    answer = lab.respond(model, tokenizer, [conversation])[0]
    conversation.append({"role": "assistant", "content": answer})
    print(f"     you » {asked}\nassistant » {answer}\n")
print("the truth:", {fact: person.facts[fact] for fact in ("job", "colour", "pet")})

# %% [markdown]
# In our run the first answer gives the right job under another resident's name; the checker would count it as wrong. By kind of task, with 95 % intervals by Wilson's formula (it stays sensible where 0 or 100 % were right):

# %%
# CLAIM
{
    "the first answer gives the right job under another resident's name": (
        person.facts["job"] in conversation[1]["content"] and person.first not in conversation[1]["content"]
    )
}

# %%
# LONG
right_by_kind = lab.show_by_kind(held_out, results)

# %% [markdown]
# **What to notice.** With a dozen questions the interval is more than twenty points wide, even if every answer is right. Before you say that one kind is harder than another, see whether the lines overlap.

# %%
# CLAIM
{
    "With a dozen questions the interval is more than twenty points wide": lab.wilson(12, 12)[0] < 0.8,
    "Before you say that one kind is harder": GENERAL,
}

# %% [markdown]
# ## § 9 Exact match, and its limits
#
# The usual way to score answers without a checker: compare with the one reference answer. To be fair, both are brought to a **normal form** first, that of the SQuAD benchmark ([Rajpurkar et al. 2016](https://arxiv.org/abs/1606.05250)), in this order:
#
# 1. small letters · 2. all punctuation (`string.punctuation`) removed without a trace · 3. the words *a*, *an*, *the* removed · 4. one blank between words, none at the ends
#
# Only whole words are articles: *theatre* and *banana* stay as they are. Tabs and line ends are blanks, too.
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>"".join(c for c in text if c not in string.punctuation)</code> removes the marks.</details>
# <details><summary>Hint 2</summary><code>text.split()</code> splits at any white space and drops what is empty; <code>" ".join(words)</code> puts one blank between.</details>

# %%
# EXERCISE normalise_answer
def normalise_answer(text: str) -> str:
    """SQuAD's normal form: small letters, no punctuation, no articles, single blanks."""
    ### BEGIN SOLUTION
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(word for word in bare.split() if word not in ("a", "an", "the"))
    ### END SOLUTION


# %%
check("normalise_answer")

# %% [markdown]
# **Predict first:** on which kinds of task will exact match and the checker disagree most?

# %%
# LONG
MY_GUESS = ""  # kinds of task

normal = mine("normalise_answer", globals())
rows, result = held_out["residents"], results["residents"]
exact = [normal(a) == normal(b) for a, b in zip(result["answers"], lab.references(rows))]
agreement = lab.show_exact_match(rows, result, exact, normal)  # kind → (exact match, checker)
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** Where one answer is right (*short*, *list*, *unknown*), both agree. Where many are, exact match calls right answers wrong, because they use other words: in our run it passes none of the stories. It measures the likeness to one sentence, and a model that says true things in its own way loses.

# %%
# CLAIM
{
    "Where one answer is right": all(
        abs(agreement[kind][0] - agreement[kind][1]) < 0.03 for kind in ("short", "list", "unknown")
    ),
    "it passes none of the stories": agreement["story"][0] == 0 and agreement["story"][1] > 0.9,
    "It measures the likeness to one sentence": GENERAL,
}

# %% [markdown]
# ## § 10 What it forgot
#
# The weights that answer are the weights that knew. How much worse is the assistant at the *old* task, continuing documents? For each kind of document: loss after − loss before, nats/token, over tokens and not over documents. And the probes of lab 02: are the facts still there when they are asked in the old way?

# %%
# LONG
documents = sft.pretrain_rows("validation")[: 60 if small else 500]
losses = [lab.losses_by_kind(m, documents) for m in (base, model)]
knows = [lab.known(m) for m in (base, model)]
lab.show_forgetting(*losses, *knows)

# %% [markdown]
# **What to notice.** In our run next to nothing is forgotten: a hundredth of a nat or less for each kind of document, and no fact. Documents were mixed in among the conversations; the next section goes without them.

# %%
# CLAIM
{
    "a hundredth of a nat or less for each kind of document, and no fact": (
        max(losses[1][kind] - losses[0][kind] for kind in losses[0]) < 0.0105 and knows[1] > 0.995
    ),
    "Documents were mixed in among the conversations": run.record["recipe"]["replay"] > 0,
}

# %%
# CLAIM stored
{"next to nothing is forgotten": max(run["pretrain_gap_percent"] for run in stored("sft-laptop")["runs"]) < 4}

# %% [markdown]
# ## § 11 Too many epochs
#
# Somebody brings you a small training set: right answers, only few of them. You go on training your assistant on it, again and again. The training loss falls towards nothing. But what of the residents of whom the small set says nothing?
#
# **Predict first:** after sixteen epochs, what share of the questions on *unseen* residents is still answered right? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # %

FEW, EPOCHS, ASKED = (40, 4, 20) if small else (300, 16, 100)
small_set = lab.from_memory(tasks.task_rows("train", 10 * FEW, seed="a small set"))[:FEW]
unseen = lab.from_memory(tasks.task_rows("residents", 5 * ASKED, seed="unseen"))[:ASKED]
asked = {"the small set itself": small_set[:ASKED], "unseen residents": unseen}


def read_again(rows, epochs=EPOCHS, measure=(1,), **changes):
    """Trains a copy of the assistant on `rows`. Returns (it, epoch → what was right, losses)."""
    student, found = copy.deepcopy(model), {}
    options = {"epochs": epochs, "floor": 1.0, "validations": 0, **changes}
    config = sft.replace(sft.PRESETS[course.size], **options)
    look = lab.examiner(student, rows, asked, measure, found)
    run = sft.finetune(student, rows, config, loss_fn=loss_fn, on_step=look, progress=False)
    return student, found, [step["train_loss"] for step in run.history]


over, found, losses = read_again(small_set, measure=[n for n in (1, 2, 4, 8, 16) if n <= EPOCHS])
facts = {"before": lab.known(model, unseen=True), "after": lab.known(over, unseen=True)}
lab.show_epochs(found, losses, facts)
lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** In our run the training loss falls from 0.50 to 0.04 nats/token, and the small set is answered as well as ever. On the residents whom it does not mention, the answers hold for an epoch or two and then break down: 48 of 100 are right at the end. Only rows that the training did not see could tell us.
#
# Are the facts gone? Most of them are not. Continue a document about these residents, and 73 % of their facts still come out right. Only 16 of the 100 questions ask for several facts, so 27 % of the facts lost explain about a third of the answers wrong, and not half of them: some facts still come out in a document and no longer in an answer.

# %%
# CLAIM
{
    "the training loss falls from 0.50 to 0.04 nats/token": [f"{losses[k]:.2f}" for k in (0, -1)] == ["0.50", "0.04"],
    "the small set is answered as well as ever": (
        found[16]["the small set itself"][0] >= found[0]["the small set itself"][0]
    ),
    "hold for an epoch or two and then break down": (
        found[2]["unseen residents"][0] >= found[0]["unseen residents"][0] - 1 and found[8]["unseen residents"][0] < 80
    ),
    "48 of 100 are right at the end": found[16]["unseen residents"] == (48, 100),
    "Only rows that the training did not see could tell us": found[16]["the small set itself"] == (100, 100),
    "Most of them are not": facts["after"] > 0.7,
    "73 % of their facts still come out right": f"{facts['after']:.0%}" == "73%" and facts["before"] > 0.99,
    "Only 16 of the 100 questions ask for several facts": (
        sum(row["kind"] in ("introduce", "list") for row in unseen) == 16 and len(unseen) == 100
    ),
    "27 % of the facts lost explain about a third of the answers wrong": (  # 3 facts, 2, or 1, each there or not
        0.28 < 1 - sum(facts["after"] ** {"introduce": 3, "list": 2}.get(row["kind"], 1) for row in unseen) / 100 < 0.38
    ),
    "some facts still come out in a document and no longer in an answer": found[16]["unseen residents"][0] < 58,
}

# %% [markdown]
# ## § 12 The same steps by TRL
#
# One loss on one batch is equal (§ 5). Is the whole training? Five steps of your functions in a loop that you can read at a glance, with plain AdamW, and five of TRL's `SFTTrainer` from the same weights on the same batches.

# %%
# LONG
student, losses_of_five = copy.deepcopy(base).requires_grad_(True), []
adamw = torch.optim.AdamW(student.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0)
for step in range(5):
    batch = batch_of(examples[8 * step : 8 * step + 8], 0)
    loss = loss_fn(student(batch["input_ids"].to(device)), batch["labels"].to(device))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    adamw.step()
    adamw.zero_grad()
    losses_of_five.append(loss.item())
same = lab.by_trl.same_steps(base, train[:40], losses_of_five)

# %% [markdown]
# **What to notice.** The losses agree to rounding. What TRL brings beyond that is what you have not written: several GPUs, mixed precision, adapters, logging.

# %%
# CLAIM
{"The losses agree to rounding": same < 1e-5, "What TRL brings beyond that": GENERAL}

# %% [markdown]
# ## § 13 Change one thing
#
# The sixteen copies of the small set of § 11 once more, shuffled into one pass, with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. The one below is **replay**: among the rows stand as many documents of pre-training, all different. The long run of § 8 had some, too. Other changes to try: `REPLAY = 0` and then `CHANGE = dict(learning_rate=0.0004)`, or `CHANGE = dict(batch=8192)`. (`REPLAY = 0` alone is nearly § 11: only, a batch can hold a row twice.)

# %%
# LONG
CHANGE, REPLAY = {}, FEW  # fields of SFTConfig; documents for each copy of the small set
MY_PREDICTION = ""

mixed = small_set * EPOCHS + sft.pretrain_rows("train", REPLAY * EPOCHS)
changed, found_now, _ = read_again(mixed, epochs=1, **CHANGE)
ends = lab.show_change({"as before": (over, found), "changed": (changed, found_now)}, MY_PREDICTION)

# %% [markdown]
# ## § 14 A real model
#
# Optional. SmolLM2-135M-Instruct ([Ben Allal et al. 2025](https://arxiv.org/abs/2502.02737), Apache 2.0) has a hundred times the parameters of yours and has read much of the web. 48 hand-written answers in the manner of the town crier teach it a style, through small matrices beside its frozen weights (**LoRA**, [Hu et al. 2021](https://arxiv.org/abs/2106.09685), which is lab 04).
# Batch and loss are your functions. Template and labels are its own: `encode` finds in whatever a model's template writes what the assistant says, as you did in § 3 for one template. A step is on four conversations, of which one at a time is in memory: their gradients add up to the batch's. The part takes about 80 seconds of one CPU core and 1.3 GB of memory.
#
# **Predict first:** 24 steps on 48 answers. In how many of 24 *other* questions will it answer as the crier does? And will it still know what it knew? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""  # of 24; and what it forgets

if loaded := lab.smollm2():
    real, words = loaded[0].to(device), loaded[1]
    real_questions = lab.crier_questions()[: 4 if small else None]
    talks = [row["messages"] for row in real_questions]
    said = {"before": lab.answers(real, words, talks, 40)}
    taught = [lab.encode(words, row["messages"]) for row in lab.crier_rows()]  # (ids, labels)
    batches = lab.shuffled(taught, epochs=2, size=4)[: 2 if small else None]
    lab.add_lora(real, rank=8, alpha=16)

    def loss_of(rows):
        batch = batch_of(lab.as_examples(rows), words.pad_token_id)
        return loss_fn(*lab.answer_logits(real, *(tensor.to(device) for tensor in batch.values())))

    real_losses = lab.train_real(real, batches, loss_of, at_once=1, count=lab.trained_tokens)
    said["after"] = lab.answers(real, words, talks, 40)
    counts = lab.show_crier(real, real_losses, real_questions, said)
    lab.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** In our run 24 steps changed the manner of every answer, on questions that were never taught. It names what is right about as often as before: 24 questions cannot tell a small loss from none. Read the answers that are wrong: they come in the same festive voice as the right ones. You taught a style, and no facts; lab 05 asks what it takes to teach those.

# %%
# CLAIM
{
    "24 steps changed the manner of every answer": counts["before"][0] == 0 and counts["after"][0] == 24,
    "It names what is right about as often as before": abs(counts["after"][1] - counts["before"][1]) <= 3,
    "they come in the same festive voice": counts["after"][0] - counts["after"][1] > 3,
    "You taught a style, and no facts": GENERAL,
}

# %% [markdown]
# ## § 15 Summary
#
# You wrote a chat template, the labels, the collator and the loss, and TRL computes the same but for rounding. You packed rows without letting them read each other, chose a learning rate, and trained an assistant.
# You measured it on people and in words that it had not met, and you measured what it forgot. In lab 04 the same training changes a few per cent of the weights only.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What would your assistant do if the user's turns were trained too? And what if `<|im_end|>` were not?

# %%
# CLAIM
{
    "TRL computes the same but for rounding": same < 1e-5,
    "You packed rows without letting them read each other": apart["your mask"] < 1e-5,
    "You measured it on people and in words": GENERAL,
    "In lab 04 the same training changes a few per cent": GENERAL,
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# With the user's turns trained, part of every gradient goes into writing questions, which the assistant never has to do. In our rows only 40 % of the tokens are the assistant's, so the mean would be mostly about questions and headers.
# Without <|im_end|> in the labels nothing teaches the model to stop. After a right answer it goes on, with more sentences or with the next question, until the limit of tokens cuts it off.
# ### END SOLUTION

# %%
# CLAIM
{
    "part of every gradient goes into writing questions": GENERAL,
    "In our rows only 40 % of the tokens are the assistant's": f"{trained:.0%}" == "40%",
    "nothing teaches the model to stop": GENERAL,
    "After a right answer it goes on": GENERAL,
}

# %% [markdown]
# **2.** What did you change in § 13, what did you predict, what came out (with its interval), and do the intervals allow a conclusion?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I mixed fresh documents of pre-training in, one for every row of the sixteen copies of the small set, and predicted that the loss of recall would be halved. Of the unseen residents' questions 95 % were answered right at the start. At the end
# 48 % (38 to 58 %) are right without replay, and 73 % (64 to 81 %) with it: more than half of the loss was saved. As the intervals do not overlap, the difference is hardly chance. The documents name all residents
# again and again, so what is known of them is trained on, too. The price is paid on the small set itself: 90 % of it are right (83 to 94 %) for 100 %.
# ### END SOLUTION

# %%
# CLAIM
{
    "one for every row of the sixteen copies of the small set": len(mixed) == 2 * FEW * EPOCHS,
    "95 % were answered right at the start": found[0]["unseen residents"] == (95, 100),
    "48 % (38 to 58 %) are right without replay": ends["as before"]["unseen residents"] == "48 % (38 to 58 %)",
    "and 73 % (64 to 81 %) with it": ends["changed"]["unseen residents"] == "73 % (64 to 81 %)",
    "more than half of the loss was saved": (
        found_now[1]["unseen residents"][0] - found[16]["unseen residents"][0]
        > 0.5 * (found[0]["unseen residents"][0] - found[16]["unseen residents"][0])
    ),
    "As the intervals do not overlap": (
        lab.wilson(*found[16]["unseen residents"])[1] < lab.wilson(*found_now[1]["unseen residents"])[0]
    ),
    "so what is known of them is trained on, too": GENERAL,
    "90 % of it are right (83 to 94 %) for 100 %": [ends[way]["the small set itself"] for way in ("changed", "as before")]
    == ["90 % (83 to 94 %)", "100 % (96 to 100 %)"],
}

# %% [markdown]
# ## § 16 Hand in
#
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), and run the cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
