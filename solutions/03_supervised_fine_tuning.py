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
# **About 80 minutes · 9 points · a laptop is enough.** Your computer works alone for about seven of these minutes.
# You start from the base model of lab 02, yours or the one that comes with the course. It knows the village and answers nobody. At the end it answers.

# %% [markdown]
# > **After this lab you can**
# > - turn a conversation into tokens with a chat template, and say which of them are trained,
# > - write the loss of supervised fine-tuning, and show that TRL computes the same one,
# > - pad, pack, and keep packed examples from reading each other,
# > - choose a learning rate from a sweep,
# > - measure an assistant with a programmatic checker, and say where exact match misleads,
# > - show what fine-tuning forgets, and what too many epochs do.

# %%
# SETUP

# %%
import copy
import math
import re
import string
import time
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 The tasks, and a base model that babbles
#
# The tasks are questions about the village, in several kinds. Each has a **checker**: a small program that says whether an answer does what was asked. So every answer can be judged, also one that nobody has written down before.
#
# There are two held-out sets, because there are two ways to cheat: by knowing the *resident* from training, and by knowing the *words* of the question.

# %%
# LONG
from course_lib.evaluation.instructions import respond, score
from course_lib.evaluation.intervals import wilson
from course_lib.stages import sft as recipe
from course_lib.stages.generate import generate
from course_lib.stages.model import to_transformers
from course_lib.stages.sft import PRESETS, SFTConfig, encode_chat, encode_rows, finetune, sft, to_transformers_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, shares
from course_lib.widgets.columns import columns
from course_lib.world import pretrain_rows, tasks, village
from course_lib.world.tasks import task_rows

tokenizer, world, device, small = load_tokenizer(), village(), course.device, course.size == "tiny"
base = load_stage("pretrain").model.to(device)
train = task_rows("train", 2000)
SPLITS = {"residents": "held-out residents", "phrasings": "held-out residents, held-out phrasings"}
held_out = {split: task_rows(split, 60 if small else 500, seed="lab 03") for split in SPLITS}
validation = task_rows("train", 100, seed="validation")  # for choices on the way: the held-out rows are for the end
kinds = sorted({row["kind"] for row in train})
for kind in kinds:
    row = next(row for row in train if row["kind"] == kind)
    print(f"[{kind}]")
    for message in row["messages"]:
        print("   " + f"{message['role']}: {message['content']}".replace("\n", "\n      "))

# %% [markdown]
# Now ask the base model. It was trained to continue documents, so it is given the question as the beginning of one.

# %%
# LONG
shown = task_rows("residents", 200, seed="shown")
chosen = [next(row for row in shown if row["kind"] == kind) for kind in ("fact", "short", "list")]
questions = [row["messages"][0]["content"] for row in chosen]
babble = generate(base, tokenizer, questions, max_new_tokens=40, temperature=0.8, top_p=0.95, seed=0)
for question, text in zip(questions, babble):
    print(f"» {question}‖{text}\n")
before = score(base, tokenizer, held_out["residents"][:100], max_new_tokens=40)
print(f"The checker passes {100 * before['accuracy']:.0f} % of {before['n']} answers of the base model.")

# %% [markdown]
# **What to notice.** The text is about Littlebrook, and it is no answer: a document that begins with a question goes on like a document. All the facts are in these weights. What is missing is the manner.

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
# - each message: `<|im_start|>`, the role, a newline, the content as it is, `<|im_end|>`, a newline (also after the last one)
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
hugging_face = to_transformers_chat(tokenizer)
render = mine(
    "render_chat",
    globals(),
    lambda messages, generation_prompt=False: hugging_face.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=generation_prompt
    ),
)
for row in train[:200]:
    for prompt in (False, True):
        text = render(row["messages"], prompt)
        assert text == hugging_face.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=prompt)
        assert tokenizer.encode(text).ids == hugging_face.apply_chat_template(
            row["messages"], add_generation_prompt=prompt, return_dict=False
        )
turns = next(row for row in train if row["kind"] == "follow-up")["messages"]
print(render(turns))
print("200 conversations: the same text and the same tokens as apply_chat_template")

# %% [markdown]
# **What to notice.** The template is part of the model: with a newline less, the model reads something that it has never seen. Always take the one that the model was trained with.

# %% [markdown]
# ## § 3 What the model is trained on
#
# The model shall learn to *answer*, not to ask. So each token gets a **label**: itself where it is to be learned, and −100 where it is only read. −100 is PyTorch's sign for "no loss here".
#
# Trained is what the assistant writes: the content of every assistant turn **and the `<|im_end|>` that ends it**. Given, and so not trained: the user's turns, every header, the newline after `<|im_end|>`.
#
# You get the tokens of a row, the tokens of the assistant's header (`<|im_start|>assistant` and a newline), and the id of `<|im_end|>`.
#
# - after each header, up to and with the next `<|im_end|>`: the label is the token. A row may have several turns
# - a row may have been cut off: without an `<|im_end|>` the answer goes to the end of the row
# - only the whole header counts. The word "assistant" may stand in a sentence
# - `ids`, labels: `[T]`, whole numbers
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 12
#
# <details><summary>Hint 1</summary>Start from <code>labels = torch.full_like(ids, -100)</code> and <code>row = ids.tolist()</code>.</details>
# <details><summary>Hint 2</summary>Walk through the row and remember whether you are inside an answer. <code>row[t - n:t] == header</code> says that a header of n tokens has just ended.</details>
# <details><summary>Hint 3</summary>At each t, in this order: switch on if a header ended just before t; if on, copy the token; if the token is <code>im_end</code>, switch off.</details>


# %%
# EXERCISE response_labels
def response_labels(ids: Int[Tensor, " T"], header: list[int], im_end: int) -> Int[Tensor, " T"]:
    """The labels of a row: the token where the assistant writes, −100 elsewhere.

    Inputs:  ids: tokens of a rendered conversation · header: tokens of the assistant's header · im_end: id of <|im_end|>
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
def their_labels(ids, header, im_end):
    """The same by a regular expression over one letter a token."""
    text, head, end = ("".join(chr(0x4E00 + token) for token in part) for part in (ids.tolist(), header, [im_end]))
    labels = torch.full_like(ids, -100)
    for first, last in (match.span(1) for match in re.finditer(f"{head}([^{end}]*{end}?)", text)):
        labels[first:last] = ids[first:last]
    return labels


label = mine("response_labels", globals(), their_labels)
HEADER, IM_END = tokenizer.encode("<|im_start|>assistant\n").ids, tokenizer.token_to_id("<|im_end|>")
examples, trained = [], 0
for row in train[:400]:
    ids = torch.tensor(tokenizer.encode(render(row["messages"])).ids)
    labels = label(ids, HEADER, IM_END)
    theirs = hugging_face.apply_chat_template(row["messages"], return_dict=True, return_assistant_tokens_mask=True)
    assert ids.tolist() == list(theirs["input_ids"]) and (labels != -100).long().tolist() == list(
        theirs["assistant_masks"]
    )
    examples.append({"input_ids": ids.tolist(), "labels": labels.tolist()})
    trained += int((labels != -100).sum())
print("400 conversations: the same labels as apply_chat_template(…, return_assistant_tokens_mask=True)")
print(
    f"{100 * trained / sum(len(e['input_ids']) for e in examples):.0f} % of the tokens are trained. In one conversation they stand between ⟦ and ⟧:\n"
)
ids = torch.tensor(tokenizer.encode(render(turns)).ids)
on, text = False, ""
for token, mark in zip(ids.tolist(), (label(ids, HEADER, IM_END) != -100).tolist()):
    text += ("⟦" if mark and not on else "⟧" if on and not mark else "") + tokenizer.decode(
        [token], skip_special_tokens=False
    )
    on = mark
print(text)

# %% [markdown]
# **What to notice.** Both answers are trained, with their `<|im_end|>`: that token is how the model will say "I have finished".

# %% [markdown]
# ## § 4 A batch
#
# Examples have different lengths, and a tensor has not. The **collator** pads them on the right to the longest of the batch:
#
# - `input_ids` `[B T]`, padded with `pad_id` · `labels` `[B T]`, padded with −100 · `attention_mask` `[B T]`, 1 at real tokens and 0 at padding
# - all three are whole numbers (`torch.long`). Which places are padding, the lengths say: a real token may have the id `pad_id`
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

    Inputs:  examples: [{"input_ids": [...], "labels": [...]}, …], at least one · pad_id: id of the padding token
    Returns: {"input_ids", "labels", "attention_mask"}, three tensors of whole numbers
    """
    ### BEGIN SOLUTION
    ids = [torch.tensor(example["input_ids"]) for example in examples]
    labels = [torch.tensor(example["labels"]) for example in examples]
    pad = lambda rows, value: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
    return {
        "input_ids": pad(ids, pad_id),
        "labels": pad(labels, -100),
        "attention_mask": pad([torch.ones_like(row) for row in ids], 0),
    }
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
# - `logits`: `[B T V]` · `labels`: `[B T]` · unit: nats/token, computed in float32 whatever the dtype of the logits
# - logits at $t$ against the label at $t+1$: the last logits and the first label fall away
# - one mean over the **whole batch**. A mean of the rows' means would let an answer of two tokens weigh as much as a story
# - nothing trained in the batch: the loss is 0, and still hangs on the logits
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

    Inputs:  logits: the model's output at each position · labels: the tokens to learn, −100 where nothing is trained
    Returns: one number, a tensor with a gradient; 0 where nothing is trained
    """
    ### BEGIN SOLUTION
    targets = labels[:, 1:].flatten()
    total = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)
    ### END SOLUTION


# %%
check("sft_loss")

# %% [markdown]
# Now the library: TRL's `SFTTrainer`. It gets the raw conversations and does all of it by itself: template, labels, batch, loss. Yours and its must agree, token by token and in every gradient. (Its import takes ten seconds.)


# %%
# LONG
def their_collate(examples, pad_id):
    ids, labels = recipe.collate([(e["input_ids"], [int(x != -100) for x in e["labels"]]) for e in examples])
    return {
        "input_ids": ids,
        "labels": labels,
        "attention_mask": torch.stack([torch.arange(ids.shape[1]) < len(e["input_ids"]) for e in examples]).long(),
    }


batch_of, loss_fn = mine("collate", globals(), their_collate), mine("sft_loss", globals(), recipe.response_loss)
try:
    import datasets
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTConfig as TRLConfig, SFTTrainer

    datasets.disable_progress_bars()
except ImportError as error:
    SFTTrainer = None
    print(f"{error.name} is not installed here, so the comparison with TRL is left out.")


def trl_trainer(model, rows, **arguments):
    """TRL's trainer on a copy of `model`, in fp32, with plain AdamW at a constant rate, the rows in their order."""
    options = dict(
        output_dir=str(course.work / "trl"),
        report_to="none",
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
        activation_checkpointing=False,
        disable_tqdm=True,
        assistant_only_loss=True,
        max_length=512,
        train_sampling_strategy="sequential",
        lr_scheduler_type="constant",
        adam_beta2=0.98,
        max_grad_norm=1.0,
        logging_steps=1,
        log_level="error",
    )
    data = datasets.Dataset.from_list([{"messages": row["messages"]} for row in rows])
    made = SFTTrainer(
        model=to_transformers(model),
        args=TRLConfig(**{**options, **arguments}),
        train_dataset=data,
        processing_class=to_transformers_chat(tokenizer),
    )
    made.remove_callback(PrinterCallback)
    return made


if SFTTrainer:
    trainer = trl_trainer(base, train[:8])
    their_batch = trainer.data_collator([trainer.train_dataset[k] for k in range(8)])
    batch = batch_of(examples[:8], 0)
    assert all(torch.equal(batch[name], their_batch[name]) for name in batch)
    their_loss = trainer.compute_loss(
        trainer.model, {name: x.to(trainer.model.device) for name, x in their_batch.items()}
    )
    their_loss.backward()
    model = copy.deepcopy(base).requires_grad_(True)
    loss = loss_fn(model(batch["input_ids"].to(device)), batch["labels"].to(device))
    loss.backward()
    theirs = dict(trainer.model.named_parameters())
    apart = max((p.grad.cpu() - theirs[name].grad.cpu()).abs().max().item() for name, p in model.named_parameters())
    print(f"the same batch of {batch['input_ids'].shape[0]} × {batch['input_ids'].shape[1]} tokens")
    print(f"loss {loss.item():.6f}, TRL's {their_loss.item():.6f}; largest difference in any gradient: {apart:.1e}")
    assert abs(loss.item() - their_loss.item()) < 1e-5 and apart < 1e-5

# %% [markdown]
# **What to notice.** `assistant_only_loss=True` is not the default. Without it, TRL trains on the user's words too and says nothing about it.

# %% [markdown]
# ## § 6 Packing
#
# Padding is computed and thrown away. **Packing** puts several examples into one row. *Best fit, longest first* is a good and simple rule:
#
# - take the examples from the longest to the shortest (of equally long ones the earlier first)
# - put each into the row where the **least** room is left that is still enough (of equally full rows the earlier). If no row has room, open a new one
# - a row holds at most `limit` tokens. An example longer than that gets a row of its own
# - returned are the rows, each a list of the examples' indices in the order in which they went in
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
# - `segments`: `[B T]`, whole numbers in any order; padding has the number 0 and is a segment like the others, so that no query is left with nothing to read
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
def their_pack(lengths, limit):
    """The same by a search over (room, row)."""
    rows, used = [], []
    for n, k in sorted((-n, k) for k, n in enumerate(lengths)):
        able = sorted((limit - used[r], r) for r in range(len(rows)) if used[r] - n <= limit)
        where = able[0][1] if able else len(rows)
        if not able:
            rows, used = rows + [[]], used + [0]
        rows[where].append(k)
        used[where] -= n
    return rows


packer, mask_of = (
    mine("pack", globals(), their_pack),
    mine("packing_mask", globals(), lambda s: (s[:, :, None] == s[:, None, :]).tril()),
)
LIMIT = 256
few = examples[:192]
lengths = [len(e["input_ids"]) for e in few]
rows = packer(lengths, LIMIT)
if SFTTrainer:
    from trl import pack_dataset

    theirs = pack_dataset(
        datasets.Dataset.from_list([{"input_ids": e["input_ids"]} for e in few]), seq_length=LIMIT, strategy="bfd"
    )
    assert sorted(len(row) for row in theirs["input_ids"]) == sorted(sum(lengths[k] for k in row) for row in rows)
    print(f"TRL packs into {len(theirs)} rows too, of the same lengths")


def packed_batch(rows):
    """(ids, labels, segments) of packed rows, padded to the longest."""
    flat = [
        {"input_ids": sum((few[k]["input_ids"] for k in row), []), "labels": sum((few[k]["labels"] for k in row), [])}
        for row in rows
    ]
    batch = batch_of(flat, 0)
    segments = torch.zeros_like(batch["input_ids"])
    for b, row in enumerate(rows):
        ends = torch.tensor([lengths[k] for k in row]).cumsum(0).tolist()
        for number, (start, end) in enumerate(zip([0, *ends], ends), start=1):
            segments[b, start:end] = number
    return batch["input_ids"], batch["labels"], segments


def seconds(batches):
    """Forward and backward over batches of (ids, labels, segments or None); the better of two rounds."""
    model = copy.deepcopy(base).requires_grad_(True)
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        for ids, labels, segments in batches:
            loss_fn(
                model(ids.to(device), None if segments is None else segments.to(device)), labels.to(device)
            ).backward()
        taken.append(time.perf_counter() - started)
    return min(taken)


def alone(order):
    """Batches of 32 examples, one a row."""
    parts = [batch_of([few[k] for k in order[i : i + 32]], 0) for i in range(0, len(order), 32)]
    return [(p["input_ids"], p["labels"], None) for p in parts]


ways = {
    "as they come, padded": alone(range(len(few))),
    "similar lengths together": alone(sorted(range(len(few)), key=lambda k: lengths[k])),
    f"packed, {LIMIT} tokens a row": [packed_batch(rows[i : i + 8]) for i in range(0, len(rows), 8)],
}
print(f"{'':<28}{'rows':>6}{'padding':>9}{'real tokens/s':>15}")
for name, batches in ways.items():
    places, took = sum(ids.numel() for ids, _, _ in batches), seconds(batches)
    print(
        f"{name:<28}{sum(len(ids) for ids, _, _ in batches):>6}{100 * (1 - sum(lengths) / places):>8.1f}%{sum(lengths) / took:>15,.0f}"
    )

# %% [markdown]
# And the border: are the logits of a packed example those of the example alone? Your mask goes into `LlamaForCausalLM`, which takes a mask `[B 1 T T]`.

# %%
# LONG
row = next(row for row in rows if len(row) > 2)
ids, _, segments = packed_batch([row])
llama = to_transformers(base).eval()
with torch.no_grad():
    separate = torch.cat([llama(torch.tensor([few[k]["input_ids"]])).logits[0] for k in row])
    with_mask = llama(ids, attention_mask=mask_of(segments)[:, None]).logits[0]
    without = llama(ids).logits[0]
    ours = base(ids.to(device), segments.to(device))[0].cpu()
largest = separate.abs().max()
print(
    f"{len(row)} examples in one row, the largest logit is {largest:.1f}. Largest difference from the examples alone, as a share of it:"
)
for name, logits in (
    ("your mask", with_mask),
    ("the course's Llama, by segments", ours),
    ("the causal mask only", without),
):
    print(f"  {name:<32}{((logits - separate).abs().max() / largest).item():.1e}")
assert (with_mask - separate).abs().max() < 1e-5 * largest and (ours - separate).abs().max() < 1e-5 * largest

# %% [markdown]
# **What to notice.** Packing leaves next to no padding. Sorting by length already saves most of it, and the course's loop does that. And the positions were *not* started again in each segment: RoPE only knows distances. Without the mask the row runs as well, without any error, and the second example reads the first.

# %% [markdown]
# ## § 7 The learning rate
#
# Fine-tuning starts from weights that are worth something. Too small a rate learns nothing in the time, too large a one tears down what is there. Nobody can say in advance, so try: short runs, each with another rate, and the loss on validation rows along the way.
#
# - `rates`: one for each run · `curves`: the validation losses of each run in order of time, nats/token
# - chosen is the rate of the run with the lowest **last** loss: the weights that you keep are those at the end
# - a run with NaN or infinity *anywhere* has diverged and does not count; nor does one without a measurement
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

    Inputs:  rates: learning rate of each run · curves: its validation losses, nats/token, perhaps none, perhaps with NaN or infinity
    Returns: the rate, or None where no run counts
    """
    ### BEGIN SOLUTION
    finished = [(curve[-1], rate) for rate, curve in zip(rates, curves) if curve and all(map(math.isfinite, curve))]
    return min(finished)[1] if finished else None
    ### END SOLUTION


# %%
check("pick_learning_rate")

# %% [markdown]
# **Predict first:** the base model was trained with a rate of 0.004. Will the best one here be larger, about the same, or smaller?

# %%
# LONG
MY_GUESS = "smaller"

RATES = [1e-4, 1e-3, 1e-2] if small else [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
SHORT = 100 if small else 1200  # rows of a short run
curves = []
for rate in RATES:
    run = finetune(
        copy.deepcopy(base),
        train[:SHORT],
        SFTConfig(learning_rate=rate, validations=4),
        loss_fn=loss_fn,
        validation=validation,
        progress=False,
    )
    curves.append([step["val_loss"] for step in run.history if "val_loss" in step])
    print(f"rate {rate:>7g}: validation loss " + " → ".join(f"{loss:.3f}" for loss in curves[-1]) + " nats/token")
best = mine(
    "pick_learning_rate",
    globals(),
    lambda rates, curves: min((c[-1], r) for r, c in zip(rates, curves) if math.isfinite(sum(c)))[1],
)(RATES, curves)
print(
    f"\nchosen: {best:g}. You guessed: {MY_GUESS}. The course's long run uses {PRESETS[course.size].learning_rate:g}."
)

# %% [markdown]
# **What to notice.** The last losses over the rates are a valley. A short run must hurry, and so it ends lowest with a rate that is larger than the long run's: what is best in a sweep is best for runs of that length, and says little about what is forgotten on the way (§ 10).

# %% [markdown]
# ## § 8 Train
#
# Everything is in place. The loop in `course_lib/stages/sft.py` is that of lab 02: logits, loss, backward, step. New are the labels, and that it starts from your base model.
# Documents of pre-training are mixed in among the conversations (*replay*); § 13 shows what that is for.
#
# **Predict first.** What share of the instructions will the checker pass, on residents of whom no training row speaks?

# %%
# LONG
MY_GUESS = "half of them"

live = curve.LiveCurve(title="What does fine-tuning do to the loss?")
run = sft(
    course.size,
    seed=0,
    base=copy.deepcopy(base),
    loss_fn=loss_fn,
    on_step=live,
    out=course.work / f"sft_{course.size}",
    validation=validation,
)
live.close()
model = run.model.eval()
save_stage("sft", model, run.record)
results = {split: score(model, tokenizer, rows) for split, rows in held_out.items()}
for split, result in results.items():
    low, high = wilson(sum(result["right"]), result["n"])
    print(
        f"{SPLITS[split]}: {100 * result['accuracy']:.1f} % of {result['n']} right (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
    )
print(f"You guessed: {MY_GUESS}. The run took {run.record['minutes']:.1f} minutes and {run.record['tokens']:,} tokens.")

# %%
check("sft_model")

# %% [markdown]
# **What to notice.** The validation loss lies under the training loss, and that is no mistake: validation is on answers only, training also counts the replayed documents, and those cannot be guessed better than their entropy.
#
# Before and after, on residents that fine-tuning never heard of:

# %%
# LONG
after = respond(model, tokenizer, [[row["messages"][0]] for row in chosen])
for question, old, new in zip(questions, babble, after):
    print(f"» {question}\n" + columns(["base model", "assistant"], [old.strip(), new]) + "\n")

# %% [markdown]
# And a conversation: the answers in it are the model's own, and each question needs the ones before it. Write your own questions.

# %%
# LONG
person = next(p for p in world.residents if p.first in tasks.held_out())
his = person.word("his")
conversation = []
for question in (f"What does {person.full} do?", f"And {his} favourite colour?", f"What about {his} pet?"):
    conversation.append({"role": "user", "content": question})
    conversation.append({"role": "assistant", "content": respond(model, tokenizer, [conversation])[0]})
    print(f"     you » {question}\nassistant » {conversation[-1]['content']}\n")
print("the truth:", ", ".join(f"{fact}: {person.facts[fact]}" for fact in ("job", "colour", "pet")))

# %% [markdown]
# By kind of task, with 95 % intervals (Wilson's: they stay sensible at 0 and at 100 %):


# %%
# LONG
def by_kind(rows, right):
    """kind → (right, n)."""
    return {
        kind: (sum(r for r, row in zip(right, rows) if row["kind"] == kind), sum(row["kind"] == kind for row in rows))
        for kind in kinds
        if any(row["kind"] == kind for row in rows)
    }


common = [kind for kind in kinds if all(any(row["kind"] == kind for row in rows) for rows in held_out.values())]
groups = {
    SPLITS[split]: {kind: by_kind(held_out[split], results[split]["right"])[kind] for kind in common}
    for split in SPLITS
}
curve.show(shares.kinds_figure(groups, "Which tasks can it do, of people and in words it has not met?"))
print("".join(f"{name:<{width}}" for name, width in zip(("% right", *groups), (12, 26, 40))))
for kind in common:
    print(
        f"{kind:<12}"
        + "".join(
            f"{100 * right / n:5.1f} ({100 * wilson(right, n)[0]:3.0f} to {100 * wilson(right, n)[1]:3.0f})".ljust(26)
            for counts in groups.values()
            for right, n in [counts[kind]]
        )
    )

# %% [markdown]
# **What to notice.** With a dozen questions the interval is twenty points wide, even if every answer is right. Before you say that one kind is harder than another, see whether the lines overlap.

# %% [markdown]
# ## § 9 Exact match, and its limits
#
# The usual way to score answers without a checker: compare with the one reference answer. To be fair, both are brought to a **normal form** first, that of the SQuAD benchmark, in this order:
#
# 1. small letters · 2. all punctuation (`string.punctuation`) removed without a trace · 3. the words *a*, *an*, *the* removed · 4. one blank between words, none at the ends
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
    """SQuAD's normal form of an answer: small letters, no punctuation, no articles, single blanks."""
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
def squad_form(text):
    """As in the evaluation script of SQuAD 1.1."""
    text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


normal = mine("normalise_answer", globals(), squad_form)
rows, result = held_out["residents"], results["residents"]
exact = [normal(answer) == normal(row["messages"][-1]["content"]) for row, answer in zip(rows, result["answers"])]
assert all(
    normal(text) == squad_form(text) for row in rows for text in (row["messages"][-1]["content"], *result["answers"])
)
print(f"{'kind':<12}{'n':>5}{'exact match':>13}{'checker':>9}")
for kind, (right, n) in by_kind(rows, result["right"]).items():
    print(f"{kind:<12}{n:>5}{100 * by_kind(rows, exact)[kind][0] / n:>12.0f}%{100 * right / n:>8.0f}%")
print(f"{'all':<12}{len(rows):>5}{100 * sum(exact) / len(rows):>12.0f}%{100 * result['accuracy']:>8.0f}%\n")
for row, answer, same, right in [x for x in zip(rows, result["answers"], exact, result["right"]) if x[2] != x[3]][:4]:
    print(
        f"asked:     {row['messages'][-2]['content']}\nreference: {row['messages'][-1]['content']}\nanswer:    {answer}\n           exact match says {'right' if same else 'wrong'}, the checker says {'right' if right else 'wrong'}\n"
    )

# %% [markdown]
# **What to notice.** Where one answer is right, both agree. Where many are, exact match calls right answers wrong, because they use other words. It measures the likeness to one sentence, and a model that says true things in its own way loses.

# %% [markdown]
# ## § 10 What it forgot
#
# The weights that answer are the weights that knew. How much worse is the assistant at the *old* task, continuing documents? For each kind of document: loss after − loss before, nats/token, over tokens and not over documents. And the probes of lab 02: are the facts still there when they are asked in the old way?

# %%
# LONG
from course_lib.stages.perplexity import document_losses
from course_lib.evaluation.probes import knowledge
from course_lib.stages.tokenizer import encode_documents

documents = pretrain_rows("validation")[: 60 if small else 500]
ids = encode_documents(tokenizer, [row["text"] for row in documents])
tokens = torch.tensor([len(row) - 1 for row in ids])
old, new = (torch.tensor(document_losses(m, ids), dtype=torch.float64) for m in (base, model))
print(f"{'kind':<15}{'before':>8}{'after':>8}{'forgotten':>11}   nats/token")
for kind in [*sorted({row["kind"] for row in documents}), "all"]:
    which = torch.tensor([kind in (row["kind"], "all") for row in documents])
    a, b = (float(x[which].sum() / tokens[which].sum()) for x in (old, new))
    print(f"{kind:<15}{a:>8.3f}{b:>8.3f}{b - a:>+11.3f}")
for name, m in (("base model", base), ("assistant", model)):
    print(
        f"{name}: {100 * knowledge(m, tokenizer, world)['accuracy']:.1f} % of the facts known when a document is continued"
    )

# %% [markdown]
# **What to notice.** Next to nothing is forgotten, a hundredth of a nat or less: the documents that were mixed in kept it. The next section goes without them.

# %% [markdown]
# ## § 11 Too many epochs
#
# Somebody brings you a small training set: right answers, only few of them. You go on training your assistant on it, again and again. The training loss falls towards nothing. But what of the residents of whom the small set says nothing?
#
# **Predict first:** after sixteen epochs, what share of the questions on *unseen* residents is still answered right?

# %%
# LONG
MY_GUESS = "as many as before"

FEW, EPOCHS, ASKED = (40, 4, 20) if small else (300, 16, 100)
from_memory = lambda rows: [
    row for row in rows if row["kind"] in ("fact", "list", "introduce", "follow-up")
]  # answered by facts that the weights hold
small_set = from_memory(task_rows("train", 10 * FEW, seed="a small set"))[:FEW]
asked = {
    "the small set itself": small_set[:ASKED],
    "unseen residents": from_memory(task_rows("residents", 5 * ASKED, seed="unseen"))[:ASKED],
}


def read_again(rows, epochs=EPOCHS, measure=(), **changes):
    """Goes on training the assistant on `rows`. Returns (it, the epochs measured, name → (right, n) for each of them); 0 is before the training."""
    student, tokens = (
        copy.deepcopy(model),
        sum(len(ids) for ids, _ in encode_rows(tokenizer, rows, model.config.context)),
    )
    marks, lines = [], {name: [] for name in asked}

    def look(history):
        if history and not any(history[-1]["tokens"] >= mark * tokens - 0.5 for mark in measure if mark > max(marks)):
            return
        marks.append(round(history[-1]["tokens"] / tokens) if history else 0)
        for name, questions in asked.items():
            result = score(student, tokenizer, questions)
            lines[name].append((sum(result["right"]), result["n"]))

    look([])
    options = {"epochs": epochs, "floor": 1.0, "validations": 0, **changes}
    run = finetune(
        student, rows, replace(PRESETS[course.size], **options), loss_fn=loss_fn, on_step=look, progress=False
    )
    return student, marks, lines, run.history


over, marks, lines, history = read_again(small_set, measure=[1, 2, 4, 8, 16])
curve.show(shares.epochs_figure(marks, lines, "What do many epochs on a small set do?"))
for name, counts in lines.items():
    print(
        f"{name:<22}after "
        + ", ".join(f"{n}: {100 * right / of:.0f} %" for n, (right, of) in zip(marks, counts))
        + " (epochs: right)"
    )
print(
    f"training loss: {history[0]['train_loss']:.3f} at the first step, {history[-1]['train_loss']:.3f} nats/token at the last. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** At the end the training loss is next to nothing, and the small set is answered as well as ever. On the residents whom it does not mention, recall holds for a few epochs and then breaks down: the weights that held their facts are overwritten.
# Only rows that the training did not see could tell you. We drew three other small sets: each time the small set ended above 95 %, and the unseen residents ended far below their start.

# %% [markdown]
# ## § 12 The same steps by TRL
#
# One loss on one batch is equal (§ 5). Is the whole training? Five steps of TRL's `SFTTrainer`, and five of a loop that you can read in a glance, from the same weights and on the same batches.

# %%
# LONG
if SFTTrainer:
    trainer = trl_trainer(base, train[:40], max_steps=5, per_device_train_batch_size=8, learning_rate=1e-4)
    trainer.train()
    theirs = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    student = copy.deepcopy(base).requires_grad_(True)
    optimiser = torch.optim.AdamW(student.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0)
    for step in range(5):
        batch = batch_of(examples[8 * step : 8 * step + 8], 0)
        loss = loss_fn(student(batch["input_ids"].to(device)), batch["labels"].to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        print(
            f"step {step}: yours {loss.item():.6f}   TRL's {theirs[step]:.6f}   apart {abs(loss.item() - theirs[step]):.1e}"
        )
        assert abs(loss.item() - theirs[step]) < 1e-4

# %% [markdown]
# **What to notice.** The losses agree to rounding. What TRL brings beyond that is what you have not written: several GPUs, mixed precision, adapters, logging.

# %% [markdown]
# ## § 13 Change one thing
#
# The small set of § 11 once more, read as often as before, with one difference. Choose it, **write down what you expect**, then run. The one below is **replay**: as many documents of pre-training are mixed in as there are rows, fresh ones for each reading. The course's long run did that too. Other changes to try: `REPLAY = 0` and then `CHANGE = dict(learning_rate=0.0004)`, or `CHANGE = dict(batch=8192)`.

# %%
# LONG
CHANGE, REPLAY = {}, FEW  # fields of SFTConfig; documents mixed in at each reading
MY_PREDICTION = "with replay it forgets less: the unseen residents lose only half as much"

changed, _, new_lines, _ = read_again(
    small_set * EPOCHS + pretrain_rows("train", REPLAY * EPOCHS), epochs=1, measure=[1], **CHANGE
)
print(f"I predicted: {MY_PREDICTION}")
for name, counts, m in (("as before", lines, over), ("changed", new_lines, changed)):
    ends = [(question, *measured[-1], *wilson(*measured[-1])) for question, measured in counts.items()]
    print(
        f"{name:<10}"
        + ", ".join(
            f"{question} {100 * right / n:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
            for question, right, n, low, high in ends
        )
        + f"; facts known when a document is continued: {100 * knowledge(m, tokenizer, world)['accuracy']:.0f} %"
    )

# %% [markdown]
# ## § 14 A real model
#
# Optional. SmolLM2-135M-Instruct (Hugging Face, Apache 2.0) has a hundred times the parameters of yours and has read much of the web. 48 hand-written answers in the manner of the town crier teach it a style, through small matrices beside its frozen weights (**LoRA**, lab 04).
# Batch and loss are your functions. Template and labels are its own: `encode` finds in whatever a model's template writes what the assistant says, as you did in § 3 for one template. It takes 75 seconds of one CPU core and 2.4 GB of memory.
#
# **Predict first:** 24 steps on 48 answers. In how many of 24 *other* questions will it answer as the crier does? And will it still know what it knew?

# %%
# LONG
MY_GUESS = "half of them, and it forgets a quarter"

from course_lib.stages.lora import add_lora, lora_parameters
from course_lib.stages.real import NOT_HERE, smollm2
from course_lib.stages.real_training import answers, encode, train as train_real
from course_lib.world.real.style import crier_questions, crier_rows, in_style, is_right

found = smollm2()
if found is None:
    print(NOT_HERE)
else:
    real, words = found[0].to(device), found[1]
    asked = crier_questions()[: 4 if small else None]
    said = {"before": answers(real, words, [row["messages"] for row in asked], 40)}
    taught = [encode(words, row["messages"]) for row in crier_rows()]
    lessons = [{"input_ids": ids.tolist(), "labels": labels.tolist()} for ids, labels in taught]
    order = [
        int(k)
        for epoch in range(2)
        for k in torch.randperm(len(lessons), generator=torch.Generator().manual_seed(epoch))
    ]
    batches = [batch_of([lessons[k] for k in order[i : i + 4]], words.pad_token_id) for i in range(0, len(order), 4)][
        : 2 if small else None
    ]
    add_lora(real, rank=8, alpha=16)

    def loss_of(batch):
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        return loss_fn(real(batch["input_ids"], attention_mask=batch["attention_mask"]).logits, batch["labels"])

    losses = train_real(real, batches, loss_of, learning_rate=1e-3, description="the crier's manner")
    print(
        f"{sum(p.numel() for p in lora_parameters(real)):,} parameters trained in {len(losses)} steps; loss of the first {losses[0]:.2f}, of the last {losses[-1]:.2f} nats/token"
    )
    said["after"] = answers(real, words, [row["messages"] for row in asked], 40)
    for when, texts in said.items():
        for what, right in (
            ("in the crier's manner", sum(map(in_style, texts))),
            ("names what is right", sum(is_right(text, row["right"]) for text, row in zip(texts, asked))),
        ):
            low, high = wilson(right, len(asked))
            print(
                f"{when:<8}{what:<24}{right:>3} of {len(asked)}, {100 * right / len(asked):.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
            )
    print(f"You guessed: {MY_GUESS}.\n")
    for row, *both in list(zip(asked, *said.values()))[:6]:
        print(f"» {row['messages'][0]['content']}\n" + columns(list(said), both) + "\n")

# %% [markdown]
# **What to notice.** 24 steps changed the manner of every answer, on questions that were never taught. What the model knows was in its weights before, and is there about as often (24 questions cannot tell a small loss from none). It said seven days a week before and five days now, and it found Rome: a wrong answer comes in the same festive voice as a right one. You taught a style, and no facts; lab 05 asks what it takes to teach those.

# %% [markdown]
# ## § 15 Summary
#
# You wrote a chat template, the labels, the collator and the loss, and TRL computes the same to the last digit that counts. You packed rows without letting them read each other, chose a learning rate, and trained an assistant.
# You measured it on people and in words that it had not met, and you measured what it forgot. In lab 04 the same training changes a few per cent of the weights only.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What would your assistant do if the user's turns were trained too? And what if `<|im_end|>` were not?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# With the user's turns trained, part of every gradient goes into writing questions, which the assistant never has to do; as long as questions are most of the tokens, the answers hardly weigh in the mean.
# Without <|im_end|> in the labels nothing ever teaches the model to stop. After a right answer it goes on, with more sentences or with the next question, until the limit of tokens cuts it off.
# ### END SOLUTION

# %% [markdown]
# **2.** What did you change in § 13, what did you predict, what came out (with its interval), and do the intervals allow a conclusion?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I mixed fresh documents of pre-training into every reading of the small set and predicted that the loss of recall would be halved. Of the unseen residents 100 % were right at the start; after sixteen readings
# 46 % (37 to 56 %) without replay and 70 % (60 to 78 %) with it. So a little less than half of the loss was saved, and as the intervals do not overlap, the difference is no chance. The documents name all residents
# again and again, so the weights cannot be bent to the small set alone; the price is that the small set itself is learned more slowly (85 % for 100 %).
# ### END SOLUTION

# %% [markdown]
# ## § 16 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
