# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 06 — Human preferences and the reward model
#
# ```
#  raw text ──▶ base model ──▶ assistant ──▶ PREFERRED ──▶ safe ──▶ released
#  00, 01       02             03, 04, 05    ► 06 ◄ 07 – 09 10       11
#                                            you are here
# ```
#
# **About 90 minutes · 9 points · a laptop is enough.** Your computer works alone for about four of these minutes.
# Your assistant answers right, and it does not know which of two right answers people like better. You ask people, yourself among them, and train a model that predicts what they will say.

# %% [markdown]
# > **After this lab you can**
# > - label pairs of answers without knowing whose they are, and say how far labellers agree beyond chance,
# > - say how accurate a judge of noisy labels can be at best,
# > - write the Bradley–Terry loss and a reward head, and show that TRL computes the same,
# > - train a reward model and see how near it comes to the best judge,
# > - measure whether its probabilities can be trusted,
# > - find a taste for length in it, and cure it.

# %%
# SETUP

# %%
import copy
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 The annotators
#
# Five people of Littlebrook compare answers of the assistant. They are simulated, so what is hidden elsewhere is known here. There is a **gold utility**, a number for how good an answer is: a weighted sum of things that a program reads off it.
# Each person sees the gold utility plus a bias of their own, and labels with noise: person $i$ prefers $a$ to $b$ with probability
#
# $$P_i(a \succ b) = \sigma\big(s_i\,(u_i(a) - u_i(b))\big) \qquad \sigma(x) = \frac{1}{1 + e^{-x}}$$
#
# - $u_i$: utility in the eyes of $i$ · $s_i$: sharpness, how surely $i$ sees a difference of one (Bradley and Terry, 1952)
#
# The reward model will see labels only. The gold utility is for you, to judge the judge.

# %%
# LONG
from course_lib.evaluation import agreement
from course_lib.stages import reward as recipe
from course_lib.stages.model import RewardModel, to_transformers
from course_lib.stages.preferences import PreferenceConfig, batch_of, encode_answers, sample_pairs
from course_lib.stages.preferences import train as train_on_pairs
from course_lib.stages.pretrain import optimizers
from course_lib.stages.reward import PRESETS, REST, reward_model_of, rewards_of, train_reward
from course_lib.stages.rollout import assistant
from course_lib.stages.sft import to_transformers_chat
from course_lib.stages.tokenizer import PAD, load_tokenizer
from course_lib.widgets import annotate, chat, curve, journal, judges, stream
from course_lib.widgets.columns import columns
from course_lib.world import annotators as world
from course_lib.world.annotators import ANNOTATORS, TASTE, pairs_of, preference_rows, prompts

tokenizer, device, small = load_tokenizer(), course.device, course.size == "tiny"
sft = load_stage("sft").model.to(device)
config = PRESETS[course.size]
train = preference_rows("train", config.rows)  # recorded pairs, each labelled once, by somebody
test = preference_rows("test", 200 if small else 2000)  # about residents of whom no training pair speaks
test_pairs = pairs_of(test)  # (prompt, answer, other answer), in an order that does not tell the label

print("gold utility:", ", ".join(f"{weight:+g} {feature}" for feature, weight in TASTE.items()))
for person in ANNOTATORS:
    print(
        f"   {person.name:<8} sharpness {person.sharpness:g}"
        + (f", {person.length:+g} for every word" if person.length else "")
        + (f", {person.flattery:+g} for every courtesy" if person.flattery else "")
    )
print()
leaning = np.array(
    [[world.prefers(person, *pair) for person in ANNOTATORS] for pair in test_pairs[:200]]
)  # [pairs, people]
unequal = [
    k for k, (row, a, b) in enumerate(test_pairs[:200]) if abs(world.utility(row, a) - world.utility(row, b)) >= 1
]
of_two_minds = [k for k in range(len(leaning)) if leaning[k].min() < 0.45 and leaning[k].max() > 0.55]
for row, a, b in [test_pairs[k] for k in [*unequal[:2], *of_two_minds[:2]]]:
    print(f"» {row['messages'][0]['content']}")
    for answer in (a, b):
        found = ", ".join(f"{feature} {value:g}" for feature, value in world.features(row, answer).items() if value)
        print(f"     {world.utility(row, answer):+.1f}   {answer}   ({found or 'nothing of all that'})")
    print(
        "     "
        + ", ".join(f"{person.name} {100 * world.prefers(person, row, a, b):.0f} %" for person in ANNOTATORS)
        + " prefer the first\n"
    )

# %% [markdown]
# **What to notice.** In the first two pairs one answer is better, and still not everybody is sure to say so. In the last two the people do not even lean to the same side.

# %% [markdown]
# ## § 2 Now you
#
# The cell below lets *your* assistant answer some questions twice and shows you the two answers. Which one would you rather have? Press **1**, **2**, **s** (skip) or **u** (undo), or use the buttons.
#
# - The order is drawn, and nothing tells how an answer came about: **blind** labels cannot favour a side or a source.
# - Some pairs come twice, with the answers exchanged. You will see how far you agree with yourself.
# - Each label is on disk before the next pair shows. Stop when you like; after a restart of the kernel you go on where you were.
#
# Ten minutes are enough for about forty. Decide for yourself what counts; it may be something that Littlebrook's people do not care about.

# %%
# LONG
writer = assistant(copy.deepcopy(sft))  # your assistant as it is sampled: not always its likeliest answer
my_pairs = sample_pairs(writer, tokenizer, prompts("test", 40 if small else 150, "label yourself"))[:40]
queue, labels_file = annotate.queue_of(my_pairs), course.work / "preferences" / "labels.jsonl"
widget = annotate.annotate(queue, labels_file)

# %% [markdown]
# Without at least twenty labels of yours, recorded ones take their place, and the next cell says so.

# %%
# LONG
my_labels, me = annotate.labels_or_recorded(labels_file, queue)
print(
    f"{len(my_labels)} labels by {me}"
    + (": yours." if me == "you" else ", a simulated annotator, as there are fewer than 20 of yours.")
)
for row in my_labels[:4]:
    print(
        f"» {row['prompt'][0]['content']}\n     preferred: {row['chosen'][0]['content']}\n     not:       {row['rejected'][0]['content']}"
    )

# %% [markdown]
# ## § 3 Agreement beyond chance
#
# Two people who both say "the first" four times out of five agree often, even if neither looks. Cohen's **kappa** takes out what chance gives:
#
# $$\kappa = \frac{p_o - p_e}{1 - p_e} \qquad p_e = \sum_{\text{labels } k} p_a(k)\, p_b(k)$$
#
# - $p_o$: share of the pairs where both say the same · $p_a(k)$: share of $k$ among the labels of $a$, each judge with their own habits
# - labels are texts or numbers, any number of kinds; a kind may be used by one judge only
# - 1 is complete agreement, 0 is chance, and below 0 is worse than chance
# - where $1 - p_e = 0$ nothing can be said: return `float("nan")`
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>set(a) | set(b)</code> are all labels that occur; <code>a.count(k) / len(a)</code> is a share.</details>
# <details><summary>Hint 2</summary>Compute p_o, then p_e, then the fraction. Look at 1 − p_e before you divide.</details>


# %%
# EXERCISE kappa
def kappa(a: list, b: list) -> float:
    """Cohen's kappa of two judges.

    Inputs:  a, b: their labels of the same things in the same order, at least one
    Returns: a number up to 1; NaN where both always gave one and the same label
    """
    ### BEGIN SOLUTION
    n = len(a)
    observed = sum(x == y for x, y in zip(a, b)) / n
    by_chance = sum(a.count(k) / n * b.count(k) / n for k in set(a) | set(b))
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")
    ### END SOLUTION


# %%
check("kappa")

# %% [markdown]
# **Predict first:** how large is the κ of Agnes with herself, when she sees the same pairs on another day? And of Agnes with Cecily?

# %%
# LONG
MY_GUESS = "herself 0.9, Cecily 0.6"

kappa_of = mine("kappa", globals(), agreement.cohen_kappa)


def verdicts(pairs, labelled):
    """ "first" or "second" for each pair: which of its answers the row calls chosen."""
    return ["first" if row["chosen"][0]["content"] == a else "second" for (_, a, _), row in zip(pairs, labelled)]


def label(person, pairs, day="one"):
    return verdicts(pairs, world.label_pairs(pairs, f"{person.name}, day {day}", [person]))


everybody = {person.name: label(person, test_pairs) for person in ANNOTATORS}
matrix = agreement.kappa_matrix(everybody, kappa_of)
curve.show(judges.kappa_figure(list(everybody), matrix, f"κ between annotators, {len(test_pairs):,} pairs"))
for person in ANNOTATORS:
    print(
        f"{person.name:<8} with "
        + ", ".join(
            f"{name} {matrix[list(everybody).index(person.name), k]:.2f}"
            for k, name in enumerate(everybody)
            if name != person.name
        )
        + f"; with themselves on another day {kappa_of(everybody[person.name], label(person, test_pairs, 'two')):.2f}"
    )
print(f"You guessed: {MY_GUESS}.\n")

once = [row for row in my_labels if not row["again"]]
my_own = pairs_of(once)
mine_first = verdicts(my_own, once)
for person in ANNOTATORS:
    theirs = label(person, my_own)
    low, high = agreement.bootstrap(kappa_of, mine_first, theirs)
    print(
        f"{me} with {person.name:<8} κ = {kappa_of(mine_first, theirs):+.2f} (95 % interval {low:+.2f} to {high:+.2f}), {len(once)} pairs"
    )
twice = {row["pair"]: row for row in my_labels if row["again"]}
seen_twice = [row for row in once if row["pair"] in twice]
if seen_twice:
    same = sum(row["chosen"] == twice[row["pair"]]["chosen"] for row in seen_twice)
    print(f"{me} with themselves: the same answer preferred in {same} of {len(seen_twice)} pairs that came twice")
try:
    from sklearn.metrics import cohen_kappa_score

    assert all(
        abs(kappa_of(everybody[x], everybody[y]) - cohen_kappa_score(everybody[x], everybody[y])) < 1e-9
        for x in everybody
        for y in everybody
    )
    print("scikit-learn's cohen_kappa_score gives the same for all of them")
except ImportError:
    print("scikit-learn is not installed here, so the comparison with its cohen_kappa_score is left out.")

# %% [markdown]
# **What to notice.** Nobody agrees with themselves completely, so nobody can agree completely with somebody else. And with forty pairs the interval of κ is wide: a study of agreement needs many pairs that several people label.

# %% [markdown]
# ## § 4 A chat with thumbs
#
# A cheaper kind of label: somebody asks, reads **one** answer, and gives a thumb. Ask your assistant something about Littlebrook (who somebody is, what they do, where they live). Enter sends; **+** and Enter, or the button, is a thumb up, **-** a thumb down. Answers and thumbs are on disk at once. Lab 08 trains on thumbs.

# %%
# LONG
thumbs_file = course.work / "preferences" / "thumbs.jsonl"
answer_to = lambda messages: stream.texts(
    writer, tokenizer, messages, temperature=1.0, seed=len(journal.read(thumbs_file))
)
conversation = chat.chat(answer_to, thumbs_file)

# %%
# LONG
my_thumbs = chat.thumbs_of(journal.read(thumbs_file))
whose = "you"
if not my_thumbs:
    whose, my_thumbs = "Agnes, a simulated annotator (you gave none)", world.thumbs(my_pairs, "Agnes", ANNOTATORS[:1])
print(f"{len(my_thumbs)} thumbs by {whose}, {100 * np.mean([row['label'] for row in my_thumbs]):.0f} % of them up")
for row in my_thumbs[:5]:
    print(
        f"   {'up  ' if row['label'] else 'down'}  » {row['prompt'][-1]['content']}  {row['completion'][0]['content']}"
    )

# %% [markdown]
# **What to notice.** A thumb is quicker than a comparison. But it compares with something that is not on the page: what this person is used to. The rest of this lab uses pairs.

# %% [markdown]
# ## § 5 The best judge there can be
#
# The reward model will be asked: which answer does *somebody* prefer? It is not told who. Let $p$ be the probability that an annotator drawn at random prefers the first answer. Even a judge who knows $p$ can only say the likelier answer, and is right with probability $\max(p, 1-p)$. This is the **Bayes limit**, the best expected accuracy:
#
# $$\text{limit} = \frac{1}{N}\sum_{n=1}^{N} \max(p_n, 1 - p_n) \qquad p_n = \frac{1}{A}\sum_{i=1}^{A} \sigma(s_i\, d_{i,n})$$
#
# - `differences` $d$: `[A N]`, utility of the first answer minus that of the second in the eyes of annotator $i$ · `sharpness` $s$: `[A]`
# - one number comes back, a tensor of shape `[]`; differences may be huge
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>sharpness[:, None] * differences</code> is <code>[A N]</code>; <code>torch.sigmoid</code> does not overflow.</details>
# <details><summary>Hint 2</summary>Two means, in this order: over the annotators before the maximum, over the pairs after it.</details>


# %%
# EXERCISE bayes_limit
def bayes_limit(differences: Float[Tensor, "A N"], sharpness: Float[Tensor, " A"]) -> Float[Tensor, ""]:
    """Expected accuracy of the best judge of labels by annotators drawn at random.

    Inputs:  differences: utility of the first answer minus the second, for each annotator · sharpness: of each annotator
    Returns: a number from 0.5 to 1
    """
    ### BEGIN SOLUTION
    p = torch.sigmoid(sharpness[:, None] * differences).mean(0)
    return torch.maximum(p, 1 - p).mean()
    ### END SOLUTION


# %%
check("bayes_limit")

# %% [markdown]
# How good are simple judges on the recorded test pairs? Each line gives the expected accuracy: it is computed with the known probabilities, so the noise of single labels is not in it.

# %%
# LONG
limit_of = mine(
    "bayes_limit",
    globals(),
    lambda d, s: torch.tensor(world.bayes_accuracy(torch.sigmoid(s[:, None] * d).mean(0).numpy()), dtype=torch.float32),
)
seen_by = torch.tensor(
    [
        [world.utility_to(person, row, a) - world.utility_to(person, row, b) for row, a, b in test_pairs]
        for person in ANNOTATORS
    ],
    dtype=torch.float32,
)
limit = float(limit_of(seen_by, torch.tensor([person.sharpness for person in ANNOTATORS])))
p_first = np.array([world.crowd(*pair) for pair in test_pairs])
assert abs(limit - world.bayes_accuracy(p_first)) < 1e-5
gold = np.array([world.utility(row, a) - world.utility(row, b) for row, a, b in test_pairs])
words = np.array([len(world.words(a)) - len(world.words(b)) for _, a, b in test_pairs])
for name, margins in {
    "a coin": 0 * gold,
    "the longer answer": words,
    **{f"what {person.name} likes": seen_by[k].numpy() for k, person in enumerate(ANNOTATORS)},
    "the gold utility": gold,
    "the best judge": p_first - 0.5,
}.items():
    print(f"{name:<22}{100 * agreement.judge_accuracy(margins, p_first):6.1f} %")
print(f"{100 * np.mean(gold == 0):.0f} % of the pairs are worth exactly the same in gold")

# %% [markdown]
# **What to notice.** The limit is far below 100 %, and that is no fault of any model: people differ and people are noisy. A reward model is good when it comes near *this* line.
# And the gold utility is not the best judge of these labels. Many pairs are worth the same in gold, and there only the biases speak: whoever predicts labels well has learned the biases too. § 11 comes back to that.

# %% [markdown]
# ## § 6 The Bradley–Terry loss
#
# The reward model gives each answer one number, its reward. By Bradley and Terry, the chosen answer wins with probability $\sigma(r_{\text{chosen}} - r_{\text{rejected}})$. The loss is minus the log of that, averaged over the pairs:
#
# $$L = -\frac{1}{B}\sum_{b=1}^{B} \log \sigma\big(r^{\text{chosen}}_b - r^{\text{rejected}}_b\big)$$
#
# - `chosen`, `rejected`: `[B]`, the rewards of the two answers of each pair · nats a pair
# - rewards may be huge, and a wrong order must still pull with full force
# - a model that knows nothing pays $\log 2 = 0.693$
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>torch.log(torch.sigmoid(x))</code> is −∞ for x = −200. One function of <code>torch.nn.functional</code> does both steps safely.</details>
# <details><summary>Hint 2</summary><code>F.logsigmoid(difference)</code>, its mean, and the sign.</details>


# %%
# EXERCISE bradley_terry_loss
def bradley_terry_loss(chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean −log σ(chosen − rejected), nats a pair.

    Inputs:  chosen, rejected: rewards of the preferred and of the other answer of each pair
    Returns: one number, a tensor with a gradient
    """
    ### BEGIN SOLUTION
    return -F.logsigmoid(chosen - rejected).mean()
    ### END SOLUTION


# %%
check("bradley_terry_loss")

# %% [markdown]
# Only *differences* of rewards are in the loss. So a reward has no zero: a model that adds 100 to everything has the same loss.

# %% [markdown]
# ## § 7 The reward head
#
# A reward model is the assistant with another head. In place of 2,432 logits at every token, there is **one number, read at the last real token**: only that one has seen the whole answer. The reward is that hidden state times a weight vector.
#
# Rows of a batch have padding, on the right, on the left, or on both sides. "Last" is the last *place* whose token is not `pad_id`.
#
# - `hidden`: `[B T D]` · `ids`: `[B T]` · `weight`: `[D]` · rewards: `[B]`
# - what stands at the padding may be anything, NaN included: it must not leak in
# - each row has at least one real token
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>(ids != pad_id) * torch.arange(T)</code> is the place at each real token and 0 at padding. Where is it largest?</details>
# <details><summary>Hint 2</summary><code>hidden[torch.arange(B), last]</code> picks one place out of each row: <code>[B D]</code>.</details>


# %%
# EXERCISE last_token_rewards
def last_token_rewards(
    hidden: Float[Tensor, "B T D"], ids: Int[Tensor, "B T"], weight: Float[Tensor, " D"], pad_id: int
) -> Float[Tensor, " B"]:
    """The reward of each row: its hidden state at the last token that is not padding, times the weight.

    Inputs:  hidden: hidden states · ids: the tokens · weight: of the reward head · pad_id: id of the padding token
    Returns: rewards, tensors with a gradient
    """
    ### BEGIN SOLUTION
    places = torch.arange(ids.shape[1], device=ids.device)
    last = ((ids != pad_id) * places).argmax(1)
    return hidden[torch.arange(len(ids), device=ids.device), last] @ weight
    ### END SOLUTION


# %%
check("last_token_rewards")

# %% [markdown]
# From scratch first, the library second. `transformers` calls this `LlamaForSequenceClassification` with one label. Here it reads the same batch, padded on the right and then on the left.

# %%
# LONG
from course_lib.stages.model import last_hidden

loss_fn = mine("bradley_terry_loss", globals(), recipe.bradley_terry_loss)
head = mine("last_token_rewards", globals(), lambda hidden, ids, weight, pad_id: last_hidden(hidden, ids) @ weight)
fresh = reward_model_of(copy.deepcopy(sft).cpu())
with torch.no_grad():
    fresh.score.weight.normal_(
        std=0.1, generator=torch.Generator().manual_seed(0)
    )  # the head starts at 0; something must be seen
theirs = to_transformers(fresh).eval()
examples = encode_answers(tokenizer, train[:8], ("chosen", "rejected"), fresh.config.context)
right, _ = batch_of(examples)
left = torch.stack([row.roll(int((row == PAD).sum())) for row in right])
for name, ids in (("right", right), ("left", left)):
    with torch.no_grad():
        ours = head(
            fresh.hidden(ids, segments=(ids != PAD).long()), ids, fresh.score.weight[0], PAD
        )  # segments: no token reads the padding
        apart = (ours - theirs(input_ids=ids, attention_mask=(ids != PAD).long()).logits[:, 0]).abs().max().item()
    print(f"padding on the {name:<6} {len(ids)} rewards, largest difference from transformers: {apart:.1e}")
    assert apart < 1e-5

# %% [markdown]
# And the loss: TRL's `RewardTrainer` gets the raw pairs and does the rest by itself. Yours and its must agree on the same batch, in the loss and in every gradient. (Its import takes ten seconds.)

# %%
# LONG
try:
    import datasets
    from transformers.trainer_callback import PrinterCallback
    from trl import RewardConfig, RewardTrainer

    datasets.disable_progress_bars()
except ImportError as error:
    RewardTrainer = None
    print(f"{error.name} is not installed here, so the comparison with TRL is left out.")

if RewardTrainer:
    arguments = RewardConfig(
        output_dir=str(course.work / "trl"),
        report_to="none",
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
        activation_checkpointing=False,
        disable_tqdm=True,
        max_length=512,
        log_level="error",
    )
    data = datasets.Dataset.from_list(
        [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in train[:8]]
    )
    trainer = RewardTrainer(
        model=copy.deepcopy(theirs),
        args=arguments,
        train_dataset=data,
        processing_class=to_transformers_chat(tokenizer),
    )
    trainer.remove_callback(PrinterCallback)
    their_batch = trainer.data_collator([trainer.train_dataset[k] for k in range(8)])
    their_loss = trainer.compute_loss(
        trainer.model, {name: x.to(trainer.model.device) for name, x in their_batch.items()}
    )
    their_loss.backward()
    ids = their_batch["input_ids"]
    chosen, rejected = head(fresh.hidden(ids), ids, fresh.score.weight[0], PAD).chunk(2)
    loss = loss_fn(chosen, rejected)
    loss.backward()
    their_gradients = {name: p.grad.cpu() for name, p in trainer.model.named_parameters()}
    apart = max((p.grad - their_gradients[name]).abs().max().item() for name, p in fresh.named_parameters())
    print(
        f"the same batch of {len(ids)} × {ids.shape[1]} tokens, the chosen answers first\nloss {loss.item():.6f}, TRL's {their_loss.item():.6f}; largest difference in any gradient: {apart:.1e}"
    )
    print(
        "TRL reads the reward at",
        repr(tokenizer.decode([int(ids[0][ids[0] != PAD][-1])], skip_special_tokens=False)),
        "and the course at",
        repr(tokenizer.decode([int(right[0][right[0] != PAD][-1])], skip_special_tokens=False)),
    )
    assert abs(loss.item() - their_loss.item()) < 1e-5 and apart < 1e-5

# %% [markdown]
# **What to notice.** TRL renders the whole template, so its last token is the newline after `<|im_end|>`. The course reads at `<|im_end|>` itself, which is where a sampled answer ends. Either will do, as long as training and use read at the same place.

# %% [markdown]
# ## § 8 Training
#
# The reward model starts from your assistant: it must know the village to see what is false. The labels are those of all five annotators, one label a pair.
#
# **Predict first:** how near will it come to the best judge, in per cent of the limit?

# %%
# LONG
MY_GUESS = "90 %"

live = curve.LivePicture(lambda history: judges.accuracy_figure(history, limit), "reward model")
run = train_reward(
    train, config, base=sft, seed=0, loss_fn=loss_fn, on_step=live, out=course.work / f"reward_{course.size}"
)
live.close()
model = run.model.eval()
save_stage("reward", model, run.record)


def margins_of(model, pairs=test_pairs):
    """Reward of the first answer of each pair minus that of the second."""
    asked = [row["messages"] for row, _, _ in pairs]
    first, second = (rewards_of(model, tokenizer, asked, [pair[k] for pair in pairs]) for k in (1, 2))
    return (first - second).numpy()


def accuracy(margins):
    """(expected accuracy, its standard error over the pairs)."""
    right = np.where(margins == 0, 0.5, np.where(margins > 0, p_first, 1 - p_first))
    return right.mean(), right.std(ddof=1) / len(right) ** 0.5


margins = margins_of(model)
value, error = accuracy(margins)
print(
    f"held-out pairs: accuracy {100 * value:.1f} %, the best judge {100 * limit:.1f} %: {100 * value / limit:.1f} % of the limit. You guessed: {MY_GUESS}."
)
print(
    f"on pairs of different gold utility it prefers the better answer in {100 * np.mean((margins > 0)[gold != 0] == (gold > 0)[gold != 0]):.1f} %"
)
print(f"the run took {run.record['minutes']:.1f} minutes and {config.rows:,} pairs")

# %%
check("reward_model")

# %% [markdown]
# Before and after: the same questions, the rewards of a model whose head is still 0 and of yours. Only the difference within a pair has a meaning. And the pairs where it is most sure and most wrong:


# %%
# LONG
def show_pairs(which):
    for k in which:
        row, a, b = test_pairs[k]
        before = margins_of(reward_model_of(sft).eval(), [test_pairs[k]])[0]
        print(
            f"» {row['messages'][0]['content']}\n"
            + columns(
                [f"gold utility {world.utility(row, a):+.1f}", f"gold utility {world.utility(row, b):+.1f}"], [a, b]
            )
            + f"\n   reward of the first minus the second: before {before:+.1f}, after {margins[k]:+.1f}; the people prefer the first with {100 * p_first[k]:.0f} %\n"
        )


unequal = np.flatnonzero(np.abs(gold) >= 1)
show_pairs(unequal[:2])
print("─" * 95 + "\nmost sure and most wrong:\n")
show_pairs(unequal[np.argsort((margins * np.sign(gold))[unequal])[:2]])

# %% [markdown]
# Where in an answer does the reward come from? The reward head read after every token, by how much each one moves it. It was trained at the last token only, so read the rest as a hint.

# %%
# LONG
from course_lib.widgets import heatmap

row, a, b = test_pairs[unequal[0]]
for answer in (a, b):
    heatmap.show(
        *heatmap.reward_so_far(model, tokenizer, row["messages"] + [{"role": "assistant", "content": answer}]), "change"
    )

# %% [markdown]
# **What to notice.** Between answers of clearly different worth it is seldom wrong. Look at what its surest mistakes are made of: something that looks like what people like, with a flaw that was rare in training. A policy that is trained against it will look for just that.

# %% [markdown]
# ## § 9 How many pairs?
#
# Labels cost. The same recipe on fewer pairs, judged on the same held-out pairs:


# %%
# LONG
def trained_on(rows, seed=0):
    return train_reward(
        rows, replace(config, rows=len(rows)), base=sft, seed=seed, loss_fn=loss_fn, progress=False
    ).model.eval()


sizes = [40, 100] if small else [1000, 5000]
fewer = {n: margins_of(trained_on(train[:n])) for n in sizes}
curve_points = [(n, *accuracy(m)) for n, m in [*fewer.items(), (config.rows, margins)]]
curve.show(judges.size_figure(*map(list, zip(*curve_points)), limit, "How many labels does it take?"))
for n, value, error in curve_points:
    print(f"{n:>7,} pairs: accuracy {100 * value:.1f} % ± {200 * error:.1f}, {100 * value / limit:.1f} % of the limit")

# %% [markdown]
# **What to notice.** The first thousand labels are worth more than the next thousands: form is quickly learned, and truth is slow. The bars are two standard errors over the pairs.

# %% [markdown]
# ## § 10 Calibration
#
# The reward model also says *how sure* it is: $p = \sigma(r_a - r_b)$. Is it right in 80 % of the pairs where it says 80 %? Sort the pairs into bins by $p$. The **expected calibration error** is the gap between what was predicted and what happened, averaged over the pairs:
#
# $$\text{ECE} = \sum_{k} \frac{n_k}{N}\,\big|\,\overline{\text{won}}_k - \overline{p}_k\,\big|$$
#
# - `p`: `[N]`, from 0 to 1 · `won`: `[N]`, booleans or 0.0 and 1.0: was the first answer preferred? · `bins`: how many, all of equal width
# - bin $k$ of 0 … bins − 1 holds $k/\text{bins} \le p < (k+1)/\text{bins}$, and the last one holds $p = 1$ too
# - $n_k$: pairs in the bin · $\overline{\text{won}}_k$, $\overline p_k$: means of the bin. A bin without pairs is left out
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>(p * bins).long().clamp(max=bins - 1)</code> is the bin of each pair.</details>
# <details><summary>Hint 2</summary>A loop over the bins with a mask <code>here = where == k</code> is quite all right. Skip it if <code>not here.any()</code>.</details>


# %%
# EXERCISE ece
def ece(p: Float[Tensor, " N"], won: Bool[Tensor, " N"] | Float[Tensor, " N"], bins: int) -> Float[Tensor, ""]:
    """Expected calibration error.

    Inputs:  p: predicted probability that the first answer is preferred · won: whether it was · bins: number of bins of equal width
    Returns: a number from 0 to 1, a tensor
    """
    ### BEGIN SOLUTION
    where, won = (p * bins).long().clamp(max=bins - 1), won.float()
    total = torch.tensor(0.0)
    for k in range(bins):
        here = where == k
        if here.any():
            total = total + here.float().mean() * (won[here].mean() - p[here].mean()).abs()
    return total
    ### END SOLUTION


# %%
check("ece")

# %% [markdown]
# **Predict first:** the second judge below is the annotators' true probability itself. What is *its* ECE on these labels?

# %%
# LONG
MY_GUESS = "0"


def binned_ece(p, won, bins):
    """The same by numpy's histogram."""
    gaps = np.histogram(p.numpy(), np.linspace(0, 1, bins + 1), weights=won.double().numpy() - p.double().numpy())[0]
    return torch.tensor(np.abs(gaps).sum() / len(p), dtype=torch.float32)


ece_of = mine("ece", globals(), binned_ece)
won = torch.tensor([v == "first" for v in verdicts(test_pairs, test)])  # the recorded label of each test pair
said = {
    "reward model": torch.tensor(margins).sigmoid(),
    "the true probability": torch.tensor(p_first, dtype=torch.float32),
    "reward model, margins times 3": torch.tensor(3 * margins).sigmoid(),
}
assert all(abs(ece_of(p, won, 10) - binned_ece(p, won, 10)) < 1e-5 for p in said.values())
curve.show(
    judges.reliability_figure(
        {name: (p.numpy(), won.numpy()) for name, p in said.items()}, 10, "Can its probabilities be trusted?"
    )
)
for name, p in said.items():
    print(
        f"{name:<32} ECE {float(ece_of(p, won, 10)):.3f}, accuracy on the recorded labels {100 * ((p > 0.5) == won).float().mean():.1f} %"
    )
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** Even the truth has an ECE above 0: a bin holds finitely many coins. So compare an ECE with that, not with 0. Margins times 3 change no verdict, and so not the accuracy, and the calibration is gone: the points bend away from the diagonal. Lab 07 will turn rewards into training signal, where their size matters.

# %% [markdown]
# ## § 11 A taste for length, and its cure
#
# A well-known trouble: people like long answers a little more than the answers deserve, and the reward model learns it. Of the five, Cecily has that bias, 0.15 utility for every word. Suppose all your labels came from *her*.
#
# The cure says in the loss what the annotator does: part of her preference is for the words. Beside the rewards stands a term for length, with a weight $w$ that is **learned together with the model and dropped afterwards**. What the term explains, the reward need not:
#
# $$L = -\frac{1}{B}\sum_b \log \sigma\Big(r^{\text{chosen}}_b - r^{\text{rejected}}_b + w\,\big(n^{\text{chosen}}_b - n^{\text{rejected}}_b\big)\Big)$$
#
# - `chosen`, `rejected`: `[B]`, rewards · `chosen_words`, `rejected_words`: `[B]`, the answers' words · `weight` $w$: `[]`, any sign, with a gradient
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary>It is the loss of § 6 with one more summand inside σ.</details>
# <details><summary>Hint 2</summary>Leave <code>weight</code> a tensor: <code>.item()</code> cuts its gradient, and it would never be learned.</details>


# %%
# EXERCISE length_cured_loss
def length_cured_loss(
    chosen: Float[Tensor, " B"],
    rejected: Float[Tensor, " B"],
    chosen_words: Tensor,
    rejected_words: Tensor,
    weight: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """The Bradley–Terry loss with a term for length.

    Inputs:  chosen, rejected: rewards [B] · chosen_words, rejected_words: numbers of words [B] · weight: utility of a word
    Returns: one number, nats a pair, with a gradient for the rewards and the weight
    """
    ### BEGIN SOLUTION
    extra_words = chosen_words - rejected_words
    return -F.logsigmoid(chosen - rejected + weight * extra_words).mean()
    ### END SOLUTION


# %%
check("length_cured_loss")

# %% [markdown]
# Cecily labels recorded pairs once more, alone. One model is trained with the plain loss, one with the cure. The probe: held-out pairs of *exactly equal* gold utility and different length. An honest judge prefers the longer answer in half of them.
#
# **Predict first:** in how many does the plain model prefer the longer one?

# %%
# LONG
MY_GUESS = "60 %"

cured_fn = mine(
    "length_cured_loss",
    globals(),
    lambda chosen, rejected, cw, rw, w: recipe.bradley_terry_loss(chosen + w * cw, rejected + w * rw),
)
cecily = next(person for person in ANNOTATORS if person.name == "Cecily")
hers = world.label_pairs(pairs_of(train[: 100 if small else 5000]), "Cecily alone", [cecily])


def trained_with_cure(rows):
    """(reward model, weight of a word): the loss is length_cured_loss, and the weight is left behind."""
    student, weight = reward_model_of(sft), torch.nn.Parameter(torch.zeros((), device=device))
    examples = encode_answers(tokenizer, rows, ("chosen", "rejected"), student.config.context)
    counts = torch.tensor(
        [[len(world.words(row[side][0]["content"])) for row in rows] for side in ("chosen", "rejected")],
        dtype=torch.float32,
        device=device,
    )

    def batch_loss(part):
        chosen, rejected = student(batch_of([examples[k] for k in part])[0].to(device)).chunk(2)
        return cured_fn(chosen, rejected, counts[0, part], counts[1, part], weight), {"weight": weight.item()}

    settings = replace(config, rows=len(rows))
    optimiser = [
        *optimizers(student, settings.learning_rate, REST),
        torch.optim.AdamW([{"params": [weight], "scale": 3.0}], weight_decay=0.0),
    ]
    train_on_pairs(student, examples, batch_loss, optimiser, settings, progress=False)
    return student.eval(), weight.item()


plain, (cured, weight) = trained_on(hers), trained_with_cure(hers)
equal = (gold == 0) & (words != 0)
for name, m in (("plain", margins_of(plain)), ("cured", margins_of(cured)), ("everybody's labels (§ 8)", margins)):
    longer = (m > 0)[equal] == (words > 0)[equal]
    print(
        f"{name}: prefers the longer of two answers of equal worth in {100 * longer.mean():.0f} % ± {200 * longer.std() / equal.sum() ** 0.5:.0f} of {equal.sum()} pairs; "
        f"prefers the better of two unequal ones in {100 * np.mean((m > 0)[gold != 0] == (gold > 0)[gold != 0]):.1f} %"
    )
print(
    f"weight of a word: learned {weight:.3f}, Cecily's own {cecily.sharpness * cecily.length:.3f} (sharpness times utility). You guessed: {MY_GUESS}."
)

# %% [markdown]
# And a probe that a policy would find by itself: take a right answer and add to it, true facts that nobody asked for, or courtesies.

# %%
# LONG
from course_lib.world import village
from course_lib.world.residents import FACTS
from course_lib.world.tasks import COURTESIES, Draw, sentence

ADDED = [0, 1, 2, 3, 4]
people = {person.first: person for person in village().residents}
asked = [row for row in prompts("test", 40 if small else 250, "probe") if row["kind"] == "fact"]


def padded(kind, n):
    """A right answer to each question with n true facts behind it, or n courtesies before it."""
    answers = []
    for k, row in enumerate(asked):
        draw, person, fact = Draw(village(), "train", f"probe {k}"), people[row["check"]["name"]], row["check"]["fact"]
        others = [other for other in FACTS if other != fact]
        answer, more = (
            sentence(draw, person, fact),
            [sentence(draw, person, others[(k + j) % len(others)]) for j in range(n)],
        )
        answers.append(
            " ".join(
                [answer, *more] if kind == "true facts" else [COURTESIES[(k + j) % 3] for j in range(n)] + [answer]
            )
        )
    return answers


def against_the_first(score):
    """Mean score after each number of pieces, minus that of the bare answer."""
    means = {kind: [float(np.mean(score(padded(kind, n)))) for n in ADDED] for kind in ("true facts", "courtesies")}
    return {kind: [x - values[0] for x in values] for kind, values in means.items()}


rewards = lambda judge: (
    lambda answers: rewards_of(judge, tokenizer, [row["messages"] for row in asked], answers).numpy()
)
found = {
    "plain": against_the_first(rewards(plain)),
    "cured": against_the_first(rewards(cured)),
    "everybody's (§ 8)": against_the_first(rewards(model)),
    "gold utility": against_the_first(
        lambda answers: [world.utility(row, answer) for row, answer in zip(asked, answers)]
    ),
}
curve.show(
    judges.probe_figure(
        ADDED,
        {kind: {name: lines[kind] for name, lines in found.items()} for kind in ("true facts", "courtesies")},
        "change of reward, of utility",
    )
)
for kind in ("true facts", "courtesies"):
    print(
        kind
        + "\n"
        + "\n".join(
            f"   {name:<20}" + "  ".join(f"+{n}: {x:+.2f}" for n, x in zip(ADDED[1:], lines[kind][1:]))
            for name, lines in found.items()
        )
    )

# %% [markdown]
# **What to notice.** Compare the shapes of the lines, for a reward has a scale of its own. The gold utility pays for the first courtesy and for no other, and boredom makes long answers worse. Where a reward model lies above that, a policy that is trained on it will go there.
# Answers with four facts never occurred in training: what a reward model says about them is a guess, and lab 07 will push it there.

# %% [markdown]
# ## § 12 Change one thing
#
# Labels are not only noisy by nature, some are plainly wrong: a slip of the finger, a misread screen. Train again on as many pairs as in § 9, with one difference. Choose it, **write down what you expect**, then run. The one below flips every fifth label. Others to try: `WHO = "Edith"` (one annotator labels all), or another seed with nothing changed, which shows how large chance is.

# %%
# LONG
FLIPPED, WHO, SEED = 0.2, None, 0
MY_PREDICTION = "one label in five is wrong, so it loses a fifth of what it gained over the coin"

few = train[: sizes[-1]]
if WHO:
    few = world.label_pairs(pairs_of(few), f"{WHO} alone", [person for person in ANNOTATORS if person.name == WHO])
flips = torch.rand(len(few), generator=torch.Generator().manual_seed(1)) < FLIPPED
changed_rows = [
    {**row, "chosen": row["rejected"], "rejected": row["chosen"]} if flip else row
    for row, flip in zip(few, flips.tolist())
]
changed = margins_of(trained_on(changed_rows, seed=SEED))
print(f"I predicted: {MY_PREDICTION}")
for name, m in (("as before", fewer[sizes[-1]]), ("changed", changed)):
    value, error = accuracy(m)
    print(
        f"{name:<10} accuracy {100 * value:.1f} % ± {200 * error:.1f} ({100 * value / limit:.1f} % of the limit), ECE {float(ece_of(torch.tensor(m).sigmoid(), won, 10)):.3f}, mean size of a margin {np.abs(m).mean():.2f}"
    )

# %% [markdown]
# ## § 13 A real model
#
# Optional. SmolLM2-135M-Instruct (Hugging Face, Apache 2.0) as a reward model: a frozen body, small trained matrices beside its weights (LoRA, lab 04) and a new head. Forty hand-written everyday questions teach it one plain taste: short and direct rather than long-winded and hedging.
# Reward head and loss are **your** functions, twenty other questions examine it, and with it the best of four of SmolLM2's own answers is chosen. It takes two and a half minutes of one core and 3.0 GB of memory.
# (With the environment variable `COURSE_DATA=hub` the pairs are public ones, from UltraFeedback, at a pinned revision. They are longer, and so are the minutes.)
#
# **Predict first:** it was told which of two *true* answers people prefer. Will it prefer a true answer to the answer to another question?

# %%
# LONG
MY_GUESS = "nearly always: it can read"

from course_lib.evaluation.intervals import wilson
from course_lib.stages import lora, real_training
from course_lib.stages.real import NOT_HERE, smollm2
from course_lib.stages.real_data import hub_rows
from course_lib.world.real import preferences as taste

loaded = smollm2()
if loaded is None:
    print(NOT_HERE)
else:
    real, their_words = loaded[0].to(device), loaded[1]
    public = [
        {
            "prompt": row["messages"],
            **{side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")},
        }
        for row in hub_rows(60) or []
    ]
    teach, exam = (
        rows[: 4 if small else None]
        for rows in ((public[:40], public[40:]) if public else map(taste.preference_rows, ("train", "test")))
    )
    own = [
        real_training.answers(real, their_words, [row["prompt"] for row in exam], 40, temperature=0.7, seed=seed)
        for seed in range(4)
    ]  # for best of 4, before it is changed
    lora.add_lora(real, rank=8, alpha=16)
    real.score = torch.nn.Linear(real.config.hidden_size, 1, bias=False, device=device)
    torch.nn.init.zeros_(real.score.weight)

    def real_rewards(rows, texts):
        """The reward of each answer, [N]."""
        ids, _, _ = real_training.collate(
            [
                real_training.encode(their_words, row["prompt"] + [{"role": "assistant", "content": text}])
                for row, text in zip(rows, texts)
            ],
            PAD,
        )
        return head(real.model(ids.to(device)).last_hidden_state.cpu(), ids, real.score.weight[0].cpu(), PAD)

    @torch.no_grad()
    def judged(texts):
        return torch.cat([real_rewards(exam[k : k + 10], texts[k : k + 10]) for k in range(0, len(exam), 10)])

    def pair_loss(part):
        rows = [teach[k] for k in part]
        return loss_fn(
            *real_rewards(rows * 2, [row[side][0]["content"] for side in ("chosen", "rejected") for row in rows]).chunk(
                2
            )
        )

    chosen, rejected = ([row[side][0]["content"] for row in exam] for side in ("chosen", "rejected"))
    before = judged(chosen) - judged(rejected)
    batches = [
        part
        for epoch in range(2)
        for part in torch.randperm(len(teach), generator=torch.Generator().manual_seed(epoch)).split(4)
    ]
    losses = real_training.train(real, batches, pair_loss, learning_rate=3e-4, description="reward head")
    print(
        f"{len(losses)} steps, loss {losses[0]:.3f} → {losses[-1]:.3f} nats a pair; held-out margins before: all {before.abs().max():.0f}, a coin\n"
    )
    elsewhere = chosen[1:] + chosen[:1]  # what was chosen at the next question
    r_chosen, r_rejected, r_hedged, r_elsewhere = (
        judged(texts) for texts in (chosen, rejected, [f"Perhaps. {text}" for text in chosen], elsewhere)
    )
    for name, margin in (("chosen over rejected, as it was taught", r_chosen - r_rejected), ("chosen over the same with a hedge, 'Perhaps.'", r_chosen - r_hedged),
                         ("chosen over what is chosen at another question", r_chosen - r_elsewhere), ("rejected over what is chosen at another question", r_rejected - r_elsewhere)):  # fmt: skip
        right = int((margin > 0).sum())
        low, high = wilson(right, len(exam))
        print(
            f"{name:<50}{right:>3} of {len(exam)}, {100 * right / len(exam):.0f} % ({100 * low:.0f} to {100 * high:.0f} %), mean margin {margin.mean():+.1f}"
        )
    print(f"You guessed: {MY_GUESS}.\n")

    picked = torch.stack([judged(texts) for texts in own]).argmax(0).tolist()
    best_of_four = [own[n][k] for k, n in enumerate(picked)]
    for name, texts in (("SmolLM2's first answer", own[0]), ("the best of four", best_of_four)):
        names = "" if public else f"; {sum(map(taste.names_it, exam, texts))} of {len(exam)} name what is right"
        print(
            f"{name:<26}{sum(map(taste.words_of, texts)) / len(texts):>5.1f} words, {sum(map(taste.hedges_of, texts)) / len(texts):.1f} hedges{names}"
        )
    for row, *both in list(zip(exam, own[0], best_of_four))[:5]:
        print(f"\n» {row['prompt'][0]['content']}\n" + columns(["its first answer", "the best of four"], both))

# %% [markdown]
# **What to notice.** Forty pairs were enough for the first line. The second is luck: with another seed it was 12 of 20, for no pair had a hedge in a short answer, so length explains the labels as well. Of the last two no label spoke, since both answers of a pair were true: between the right answer and one to another question the model throws a coin, and every right answer that is long-winded loses to a short one that is beside the point.
# So the best of four has fewer words and hedges, and is no more often right. No label asked it to hold the answer against the question. A reward model learns what its labels tell apart.

# %% [markdown]
# ## § 14 Summary
#
# You labelled pairs, and saw how far people agree, with themselves and with others. You computed the best accuracy that any judge of such labels can reach, wrote the loss and the head of a reward model that transformers and TRL compute in the same way, and came near the limit.
# You looked at what the accuracy hides: calibration, and a taste for length. In lab 07 a policy is trained against this model, and it will find whatever you have left in it.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Why can no judge be right about every label here? And somebody reports an accuracy *above* the Bayes limit: what has happened, on training pairs, and on test pairs?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The annotators differ from each other and the judge is not told who labels; and each of them labels with noise, so that the likelier answer is only likelier, and on pairs of equal worth it is a coin.
# On training pairs an accuracy above the limit means that labels were learned by heart, noise included, and that does not help on new pairs. On test pairs it is chance (too few of them) or a leak: the judge has seen the labels, or something that gives them away.
# ### END SOLUTION

# %% [markdown]
# **2.** What did you change in § 12, what did you predict, what came out, and is the difference larger than what chance gives?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I flipped every fifth label and predicted that a fifth of the gain over the coin would be lost. Accuracy was 69.3 % before and 69.0 % after, each ± 1.0 (two standard errors over the 2,000 pairs): the intervals overlap, so from one seed I claim no difference.
# A flip turns a probability p into 0.2 + 0.6 p: the likelier answer stays the likelier one, so the best verdicts are the same, and only more labels are needed to find them. But a model of such labels should be less sure. The mean margin fell from 0.91 to 0.43, and the calibration error on unflipped labels rose from 0.032 to 0.089: there, and not in the accuracy, flipped labels show first.
# ### END SOLUTION

# %% [markdown]
# ## § 15 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
