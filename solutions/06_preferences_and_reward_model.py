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
# **About 100 minutes · 9 points · a laptop is enough.** Your computer works alone for about 6 of these minutes (two cores at 200 GFLOP/s).
# Your assistant mostly answers right, and it does not know which of two right answers people like better. You ask people, yourself among them, and train a model that predicts what they will say.

# %% [markdown]
# > **After this lab you can**
# > - label pairs of answers without knowing whose they are, and say how far labellers agree beyond chance,
# > - say how accurate a judge of noisy labels can be at best,
# > - write the Bradley–Terry loss and a reward head, and show that TRL computes the same,
# > - train a reward model and see how near it comes to the best judge,
# > - measure whether its probabilities can be trusted,
# > - find a mistake in a loss by its curve and its log,
# > - measure a taste for length in a reward model, beside a control, and what a remedy does to it.

# %%
# SETUP

# %%
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

# mine("f", globals()): your f if its check passes, else the course's
from course_lib.notebook.check import mine
from course_lib.shown.lab06 import judges, library, people, probes, real_part
from course_lib.stages import reward

# %% [markdown]
# ## § 1 The annotators
#
# Five people of Littlebrook compare answers of the assistant. They are simulated, so what is hidden elsewhere is known here. There is a **gold utility**, a number for how good an answer is: a weighted sum of things that a program reads off the text. The cell below prints the weight of each of these:
#
# | term | is |
# |---|---|
# | right | 1 if the answer says what was asked, in the form that was asked for, and nothing false |
# | false | number of false statements, made-up words and claims about what nobody can know, 2 at most |
# | courtesy | 1 if it begins with a courtesy, or several, where no short form was asked for |
# | named | 1 if it calls the resident by name |
# | extra | 1 if it tells a true fact that was not asked for, or several |
# | wordy | number of words beyond 16: a longer answer bores |
#
# At questions that ask for a short form, or for what nobody can know, *named* and *extra* are 0.
#
# Three of the five see just this utility. The other two see it with a bias: Cecily also likes every word, and Dunstan every courtesy. All label with noise, after [Bradley and Terry 1952](https://doi.org/10.2307/2334029): person $i$ prefers $a$ to $b$ with probability
#
# $$P_i(a \succ b) = \sigma\big(s_i\,(u_i(a) - u_i(b))\big) \qquad \sigma(x) = \frac{1}{1 + e^{-x}}$$
#
# - $u_i$: utility in the eyes of $i$, the bias included
# - $s_i$: sharpness, how surely $i$ sees a difference of one
#
# The reward model will see labels only, as in [Christiano et al. 2017](https://arxiv.org/abs/1706.03741). The gold utility is for you, to judge the judge.
# The cell loads your assistant, and recorded pairs of answers of the assistant that comes with the course, each labelled once, by one of the five. No training pair asks about a resident whom a test pair asks about.

# %%
# LONG
sft, config = load_stage("sft").model.to(course.device), reward.PRESETS[course.size]
train = people.recorded("train", config.rows)
test = people.exam_of(people.recorded("test", 2000))
exam = people.exam_of(people.recorded("test", 200)) if course.size == "tiny" else test
people.show_people()
# somebody prefers the first by more than 55 to 45, somebody the second
two_minds = people.of_two_minds(test)
people.show_pairs(test, [*people.clearly_unequal(test)[:2], *two_minds[:2]])
print(f"\n{len(two_minds)} of {len(test.pairs):,} recorded test pairs are like the last two")

# %% [markdown]
# **What to notice.** In the first two pairs one answer is clearly better. Everybody leans to it, and not everybody is sure.
# In the last two, people do not even lean to the same side: Dunstan prefers the answer with a courtesy, and somebody else prefers the other one. Such pairs are rare here, eight in two thousand. What parts people is their noise far more often than their taste.

# %%
# CLAIM
{
    "In the first two pairs one answer is clearly better": len(people.clearly_unequal(test)) > 1,
    "Everybody leans to it, and not everybody is sure": all(
        (test.leaning[:, k] > 0.5).all() == (test.gold[k] > 0)
        and (test.leaning[:, k] < 0.5).all() == (test.gold[k] < 0)
        and max(min(p, 1 - p) for p in test.leaning[:, k]) > 0.05
        for k in people.clearly_unequal(test)[:2]
    ),
    "Dunstan prefers the answer with a courtesy, and somebody else prefers the other one": all(
        (test.leaning[3, k] > 0.5) == people.first_is_polite(test, k)
        and any((p > 0.5) != (test.leaning[3, k] > 0.5) for p in test.leaning[:, k])
        for k in two_minds[:2]
    ),
    "Such pairs are rare here, eight in two thousand": (len(two_minds), len(test.pairs))
    == (8, 2000),
    "What parts people is their noise far more often than their taste": np.minimum(
        test.leaning, 1 - test.leaning
    ).mean()
    > 20 * len(two_minds) / len(test.pairs),
}

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
#
# > Minutes: 10

# %%
# LONG
writer = people.as_sampled(sft)  # your assistant as it is sampled: not always its likeliest answer
queue = people.pairs_to_label(writer, course.size)
labels_file = course.work / "preferences" / "labels.jsonl"
widget = people.label_yourself(queue, labels_file)

# %% [markdown]
# Without at least twenty labels of yours, Agnes labels these pairs in your place, and the next cell says so.

# %%
# LONG
my_labels, me = people.labels_of(labels_file, queue)

# %% [markdown]
# ## § 3 Agreement beyond chance
#
# Two people who both say "the first" four times out of five agree often, even if neither looks. Cohen's **kappa** ([Cohen 1960](https://doi.org/10.1177/001316446002000104)) takes out what chance gives:
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
# **Predict first:** how large is the κ of Agnes with herself, when she sees the same pairs on another day? And of Agnes with Cecily? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""

kappa_of = mine("kappa", globals())
kappas = people.show_agreement(exam, kappa_of)
people.guessed(MY_GUESS)
my_intervals = people.show_own_agreement(my_labels, me, kappa_of)

# %% [markdown]
# **What to notice.** Nobody agrees with themselves completely: in our run κ with oneself is 0.2 to 0.5. Agnes agrees with Bertram and Cecily about as well as with herself, for their noise keeps them apart and their tastes hardly differ. Edith, the noisiest, agrees better with everybody else than with herself. With herself her noise counts twice, with another only once.
# And with forty pairs the interval of κ is wide: in our run from end to end at least 0.4. A study of agreement needs many pairs that several people label.

# %%
# CLAIM
{
    "in our run κ with oneself is 0.2 to 0.5": all(
        0.15 <= kappas[name][name] < 0.55 for name in kappas
    ),
    "Agnes agrees with Bertram and Cecily about as well as with herself": all(
        abs(kappas["Agnes"][other] - kappas["Agnes"]["Agnes"]) < 0.06
        for other in ("Bertram", "Cecily")
    ),
    "Edith, the noisiest, agrees better with everybody else than with herself": all(
        kappas["Edith"][other] > kappas["Edith"]["Edith"] for other in kappas if other != "Edith"
    ),
    "With herself her noise counts twice, with another only once": GENERAL,
    "in our run from end to end at least 0.4": all(high - low >= 0.4 for low, high in my_intervals),
    "A study of agreement needs many pairs that several people label": GENERAL,
}

# %% [markdown]
# ## § 4 A chat with thumbs
#
# A cheaper kind of label: somebody asks, reads **one** answer, and gives a thumb. Ask your assistant something about Littlebrook (who somebody is, what they do, where they live). Enter sends; **+** and Enter, or the button, is a thumb up, **-** a thumb down. Answers and thumbs are on disk at once. Lab 08 trains on thumbs.

# %%
# LONG
thumbs_file = course.work / "preferences" / "thumbs.jsonl"
conversation = people.chat_with_thumbs(writer, thumbs_file)

# %%
# LONG
my_thumbs = people.thumbs_of(thumbs_file, queue)

# %% [markdown]
# **What to notice.** A thumb is quicker than a comparison. But it compares with something that is not on the page: what this person is used to. The rest of this lab uses pairs.

# %%
# CLAIM
{
    "A thumb is quicker than a comparison": GENERAL,
    "it compares with something that is not on the page": GENERAL,
    "The rest of this lab uses pairs": GENERAL,
}

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
def bayes_limit(
    differences: Float[Tensor, "A N"], sharpness: Float[Tensor, " A"]
) -> Float[Tensor, ""]:
    """Expected accuracy of the best judge of labels by annotators drawn at random.

    Inputs:  differences: utility of the first answer minus the second, for each annotator
             sharpness: of each annotator
    Returns: a number from 0.5 to 1, a tensor
    """
    ### BEGIN SOLUTION
    p = torch.sigmoid(sharpness[:, None] * differences).mean(0)
    return torch.maximum(p, 1 - p).mean()
    ### END SOLUTION


# %%
check("bayes_limit")

# %% [markdown]
# How good are simple judges on the recorded test pairs? Each line is the expected accuracy: the known probabilities take the place of single labels, so there is no noise of labels in it.

# %%
# LONG
limit_of = mine("bayes_limit", globals())
limit = float(limit_of(exam.differences, exam.sharpness))
simple = judges.show_judges(exam, limit)

# %% [markdown]
# **What to notice.** The limit is far below 100 %, and that is no fault of any model: people are noisy. On the pairs that are worth the same in gold even the best judge is hardly better than a coin. That people differ costs next to nothing here: a judge who is told who labels has hardly a higher limit. A reward model is good when it comes near *this* line.
# And the gold utility is not the best judge of these labels. Many pairs are worth the same in gold, and there only the biases speak: what Cecily likes predicts the labels better. Whoever predicts labels well has learned biases, too. § 12 comes back to that.

# %%
# CLAIM
{
    "The limit is far below 100 %": limit < 0.8,
    "even the best judge is hardly better than a coin": np.maximum(exam.p_first, 1 - exam.p_first)[
        exam.gold == 0
    ].mean()
    < 0.53,
    "a judge who is told who labels has hardly a higher limit": np.maximum(
        exam.leaning, 1 - exam.leaning
    ).mean()
    - limit
    < 0.001,
    "A reward model is good when it comes near *this* line": GENERAL,
    "the gold utility is not the best judge of these labels": simple["the gold utility"]
    < simple["the best judge"] - 1e-4,
    "Many pairs are worth the same in gold": (exam.gold == 0).mean() > 0.3,
    "what Cecily likes predicts the labels better": simple["what Cecily likes"]
    > simple["the gold utility"],
    "Whoever predicts labels well has learned biases, too": GENERAL,
    "§ 12 comes back to that": GENERAL,
}

# %% [markdown]
# ## § 6 The Bradley–Terry loss
#
# The reward model gives each answer one number, its reward. By Bradley and Terry, the chosen answer wins with probability $\sigma(r_{\text{chosen}} - r_{\text{rejected}})$. The loss is minus the log of that, averaged over the pairs ([Ouyang et al. 2022](https://arxiv.org/abs/2203.02155), equation 1):
#
# $$L = -\frac{1}{B}\sum_{b=1}^{B} \log \sigma\big(r^{\text{chosen}}_b - r^{\text{rejected}}_b\big)$$
#
# - `chosen`, `rejected`: `[B]`, the rewards of the two answers of each pair · nats a pair; the result is a tensor of shape `[]` with a gradient for both
# - rewards may be huge: a pair in the wrong order by 10,000 costs 10,000 nats, and its gradient is as large as for any pair that is surely wrong. So no clamp, and nothing added inside the logarithm
# - a pair of equal rewards pays $\log 2 = 0.693$, as every pair does for a model that knows nothing, and it has a gradient, too
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 4
#
# <details><summary>Hint 1</summary><code>torch.log(torch.sigmoid(x))</code> is −∞ for x = −200. One function of <code>torch.nn.functional</code> does both steps safely.</details>
# <details><summary>Hint 2</summary><code>F.logsigmoid(difference)</code>, its mean, and the sign.</details>


# %%
# EXERCISE bradley_terry_loss
def bradley_terry_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
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
# - `pad_id` may be any id, and a token with id 0 may be a real one; padding may stand in the middle, too
# - what stands at the padding may be anything, NaN included: it must leak neither into the rewards nor into a gradient
# - each row has at least one real token
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>(ids != pad_id) * torch.arange(T)</code> is the place at each real token and 0 at padding. Where is it largest?</details>
# <details><summary>Hint 2</summary><code>hidden[torch.arange(B), last]</code> picks one place out of each row: <code>[B D]</code>. Pick first, then multiply by the weight: 0 · NaN is NaN, in a gradient as well.</details>


# %%
# EXERCISE last_token_rewards
def last_token_rewards(
    hidden: Float[Tensor, "B T D"],
    ids: Int[Tensor, "B T"],
    weight: Float[Tensor, " D"],
    pad_id: int,
) -> Float[Tensor, " B"]:
    """The reward of each row: its hidden state at the last real token, times the weight.

    Inputs:  hidden: hidden states · ids: the tokens · weight: of the reward head
             pad_id: id of the padding token
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
# From scratch first, the library second. `transformers` calls this `LlamaForSequenceClassification` with one label: it reads the same batch, padded on the right and then on the left.
# And TRL's `RewardTrainer` gets the raw pairs and does the rest by itself. Yours and its must agree on the same batch, in the loss and in every gradient. (Its import takes ten seconds.)

# %%
# LONG
loss_fn = mine("bradley_terry_loss", globals())
head = mine("last_token_rewards", globals())
library.equals_transformers(head, sft, train[:8])
compared = library.equals_trl(head, loss_fn, sft, train[:8])

# %% [markdown]
# **What to notice.** TRL renders the whole template, so its last token is the newline after `<|im_end|>`. The course reads at `<|im_end|>` itself, which is where a sampled answer ends. Either will do, as long as training and use read at the same place.

# %%
# CLAIM
{
    "its last token is the newline after `<|im_end|>`": compared["TRL reads"] == "\n",
    "The course reads at `<|im_end|>` itself": compared["the course reads"] == "<|im_end|>",
    "Either will do, as long as training and use read at the same place": GENERAL,
}

# %% [markdown]
# **In the library.** What TRL does where nothing is said, beside this lab. The cell looks at each line in the installed version.

# %%
# LONG
library.show_defaults(sft, train[:8])

# %% [markdown]
# ## § 8 Training
#
# The reward model starts from your assistant: it must know the village to see what is false. The labels are those of all five annotators, one label a pair.
#
# **The model is graded** (1 point): its accuracy on fresh pairs of answers of the course's assistant, as a share of the best judge's. Full points from 94 % of the limit, none up to 80 %, a straight line between.
#
# **Predict first:** how near will it come to the best judge, in per cent of the limit?

# %%
# LONG
MY_GUESS = ""

live = judges.live_accuracy(limit)
folder = course.work / f"reward_{course.size}"
run = reward.train_reward(train, config, sft, seed=0, loss_fn=loss_fn, on_step=live, out=folder)
live.close()
model = run.model.eval()
save_stage("reward", model, run.record)
margins = judges.margins_of(model, exam)  # reward of the first answer minus the second, each pair
value, better = judges.show_accuracy(exam, margins, limit, run)
people.guessed(MY_GUESS)

# %%
check("reward_model")

# %% [markdown]
# Before and after: the same questions, the rewards of a model whose head is still 0 and of yours. Only the difference within a pair has a meaning. Below the line stand the pairs where it is most sure and most wrong.

# %%
# LONG
judges.show_before_and_after(exam, people.clearly_unequal(exam)[:2], sft, margins)
print("─" * 60 + "\nmost sure and most wrong:\n")
mistakes = judges.surest_mistakes(exam, margins)
judges.show_before_and_after(exam, mistakes[:2], sft, margins)

# %% [markdown]
# Where in an answer does the reward come from? The reward head read after every token, by how much each one moves it. It was trained at the last token only, so read the rest as a hint.

# %%
# LONG
judges.show_reward_so_far(model, exam, people.clearly_unequal(exam)[0])

# %% [markdown]
# **What to notice.** In our run it comes to about 98 % of the limit (five more runs: 97.2 to 97.8 %), and where the answers differ in gold it prefers the better one in about 96 of 100 pairs.
# In the second pair above both answers are true, and the first speaks of something else. In our run the model hardly tells them apart: it has learned to see what is false sooner than what is beside the question.
# Its surest mistake gives the better answer two units of reward less than the worse one. Read what stands there: what does the model take for the better answer, and why? A policy that is trained against it will look for such places ([Gao, Schulman and Hilton 2022](https://arxiv.org/abs/2210.10760)).

# %%
# CLAIM
{
    "In our run it comes to about 98 % of the limit": 0.975 <= value / limit < 0.985,
    "it prefers the better one in about 96 of 100 pairs": 0.955 <= better < 0.965,
    "In the second pair above both answers are true, and the first speaks of something else": judges.parted_by(
        exam
    )[
        "the question"
    ][people.clearly_unequal(exam)[1]]
    and exam.gold[people.clearly_unequal(exam)[1]] < 0,
    "In our run the model hardly tells them apart": abs(margins[people.clearly_unequal(exam)[1]])
    < 0.1,
    "it has learned to see what is false sooner than what is beside the question": judges.finds_the_better(
        exam, margins, judges.parted_by(exam)["truth"]
    )
    > 0.1 + judges.finds_the_better(exam, margins, judges.parted_by(exam)["the question"]),
    "Its surest mistake gives the better answer two units of reward less": 1.5
    < -margins[mistakes[0]] * np.sign(exam.gold[mistakes[0]])
    < 2.5,
    "A policy that is trained against it will look for such places": GENERAL,
}

# %%
# CLAIM stored
{
    "five more runs: 97.2 to 97.8 %": [
        f"{100 * end(run['share_of_bayes'] for run in stored('reward-laptop')['runs']):.1f}"
        for end in (min, max)
    ]
    == ["97.2", "97.8"]
    and len(stored("reward-laptop")["runs"]) == 5
}

# %% [markdown]
# ## § 9 How many pairs?
#
# Labels cost. The same recipe on fewer pairs, judged on the same held-out pairs. It is one epoch, so fewer pairs are fewer steps, too: 16, 79 and 469.


# %%
# LONG
def trained_on(rows, seed=0, loss=loss_fn):
    """(reward model, history): the recipe of § 8 on these pairs."""
    run = reward.train_reward(rows, config, sft, seed, loss, progress=False)
    return run.model.eval(), run.history


few = 100 if course.size == "tiny" else 5000
of_size = {n: trained_on(train[:n]) for n in (few // 5, few)}
sized = {n: judges.margins_of(judge, exam) for n, (judge, _) in of_size.items()}
accuracies, politer, truer = judges.show_sizes(exam, {**sized, config.rows: margins}, limit)

# %% [markdown]
# **What to notice.** In our run the first 1,000 pairs bring 14 points above the coin, the 4,000 after them five more, and the 25,000 after those one: form is quickly learned, and truth is slow (the last two columns). The bars are two standard errors over the pairs; what another seed would change is not in them.

# %%
# CLAIM
{
    "the first 1,000 pairs bring 14 points above the coin": 0.13 < accuracies[1000] - 0.5 < 0.15,
    "the 4,000 after them five more": 0.04 < accuracies[5000] - accuracies[1000] < 0.06,
    "the 25,000 after those one": 0.005 < accuracies[30000] - accuracies[5000] < 0.015,
    "form is quickly learned": politer[1000] > 0.97,
    "and truth is slow": truer[1000] < 0.65 < 0.9 < truer[30000],
    "what another seed would change is not in them": GENERAL,
}

# %% [markdown]
# ## § 10 Calibration
#
# The reward model also says *how sure* it is: $p = \sigma(r_a - r_b)$. The difference $r_a - r_b$ is its **margin**. Is it right in 80 % of the pairs where it says 80 %? Sort the pairs into bins by $p$. The **expected calibration error** ([Naeini et al. 2015](https://doi.org/10.1609/aaai.v29i1.9602)) is the gap between what was predicted and what happened, averaged over the pairs. ([Guo et al. 2017](https://arxiv.org/abs/1706.04599) bin the confidence in the verdict; here it is the probability of the first answer.)
#
# $$\text{ECE} = \sum_{k} \frac{n_k}{N}\,\big|\,\overline{\text{won}}_k - \overline{p}_k\,\big|$$
#
# - `p`: `[N]`, from 0 to 1 · `won`: `[N]`, booleans or 0.0 and 1.0: was the first answer preferred? · `bins`: how many, all of equal width
# - bin $k$ of 0 … bins − 1 holds $k/\text{bins} \le p < (k+1)/\text{bins}$, and the last one holds $p = 1$ too
# - $n_k$: pairs in the bin · $\overline{\text{won}}_k$, $\overline p_k$: means of the bin. A bin without pairs is left out. The result is a tensor of shape `[]`
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>(p * bins).long().clamp(max=bins - 1)</code> is the bin of each pair.</details>
# <details><summary>Hint 2</summary>A loop over the bins with a mask <code>here = where == k</code> is quite all right. Skip it if <code>not here.any()</code>.</details>


# %%
# EXERCISE ece
def ece(
    p: Float[Tensor, " N"], won: Bool[Tensor, " N"] | Float[Tensor, " N"], bins: int
) -> Float[Tensor, ""]:
    """Expected calibration error.

    Inputs:  p: predicted probability that the first answer is preferred · won: whether it was
             bins: number of bins of equal width
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
#
# In the picture a bar is what chance gives in 95 of 100 cases, and bins of fewer than ten pairs are left out.

# %%
# LONG
MY_GUESS = ""

ece_of = mine("ece", globals())
said = {
    "reward model": torch.tensor(margins).sigmoid(),
    "the true probability": torch.tensor(exam.p_first, dtype=torch.float32),
    "reward model, margins times 3": torch.tensor(3 * margins).sigmoid(),
}
errors = judges.show_calibration(said, judges.recorded_labels(exam), ece_of)
people.guessed(MY_GUESS)
times_3 = errors["reward model, margins times 3"]
judges.your_run(
    f"Margins times 3 take the ECE from {errors['reward model']:.3f} to {times_3:.3f}.",
    size=course.size,
    shows="how far off such margins are",
)

# %% [markdown]
# **What to notice.** Even the truth has an ECE above 0: a bin holds finitely many coins. So compare an ECE with that, not with 0. In our run the reward model's is no larger. And the truth is right more often there than the limit of § 5 says: labels on 2,000 pairs are chance, too.
# Margins times 3 change no verdict, and so not the accuracy. But the model now claims to be surer than it is: the ECE more than doubles, and the points at both ends leave the diagonal. In our run it is sure there, and wrong in about one pair of ten. Lab 07 will turn rewards into training signal, where their size matters.

# %%
# CLAIM
{
    "Even the truth has an ECE above 0": errors["the true probability"] > 0.005,
    "So compare an ECE with that, not with 0": GENERAL,
    "In our run the reward model's is no larger": errors["reward model"]
    < errors["the true probability"] + 0.002,
    "the truth is right more often there than the limit of § 5 says": float(
        ((said["the true probability"] > 0.5) == judges.recorded_labels(exam)).float().mean()
    )
    > limit,
    "labels on 2,000 pairs are chance, too": len(exam.pairs) == 2000,
    "Margins times 3 change no verdict": ((margins > 0) == (3 * margins > 0)).all(),
    "the ECE more than doubles": times_3 > 2 * errors["reward model"],
    "the points at both ends leave the diagonal": all(
        abs(
            said["reward model, margins times 3"][here].mean()
            - judges.recorded_labels(exam)[here].float().mean()
        )
        > 0.05
        for here in (
            said["reward model, margins times 3"] >= 0.9,
            said["reward model, margins times 3"] < 0.1,
        )
    ),
    "In our run it is sure there, and wrong in about one pair of ten": all(
        0.07 < wrong < 0.13
        for p in [said["reward model, margins times 3"]]
        for wrong in (
            1 - judges.recorded_labels(exam)[p >= 0.9].float().mean(),
            judges.recorded_labels(exam)[p < 0.1].float().mean(),
        )
    ),
    "where their size matters": GENERAL,
}

# %% [markdown]
# ## § 11 Find the bug
#
# Somebody else has written the loss, and somebody else has praised the run: "The loss is lower than with yours, and the accuracy is the same." The cell below holds the code and runs it on the pairs of § 9, in about half a minute, beside the run of yours on the same pairs. One mistake is planted.


# %%
# LONG
def praised_loss(chosen, rejected):
    """Two steps for clarity: the probability of each label, then the loss, nats a pair."""
    p_label = torch.sigmoid(chosen - rejected)
    return -p_label.mean().log()


praised, history = trained_on(train[:few], loss=praised_loss)
runs = {"your loss": of_size[few][1], "the praised loss": history}
reported = judges.show_training(runs, judges.loss_of_the_best(exam))
both = {"your loss": sized[few], "the praised loss": judges.margins_of(praised, exam)}
behind = judges.show_behind(exam, both, ece_of)

# %% [markdown]
# | | suspect |
# |---|---|
# | a | chosen and rejected have changed places |
# | b | one of the two answers is cut out of the graph, so only the other one is moved |
# | c | the losses of a batch are added up, not averaged |
# | d | the mean over the pairs is taken before the logarithm |
# | e | each chosen answer is compared with every rejected one of the batch |
# | f | the logarithm has another base |
#
# What would each suspect do to the *first* loss, when all rewards are still 0? To the accuracy? To the last loss, beside what the best judge pays? And what happens to a pair that is surely in the wrong order?
#
# Name the suspect and mend the loss. Return both: the loss as it should be, and the suspect's letter.
#
# - `chosen`, `rejected`: `[B]`, the rewards of the two answers of each pair, also huge ones · the loss: nats a pair, a tensor of shape `[]` with a gradient
# - a pair in the wrong order must pull with full force, however far it is off
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary>A first loss of 0.693 rules out two of the suspects, an accuracy far above one half a third.</details>
# <details><summary>Hint 2</summary>The best judge knows every probability and pays more than this loss reports. Which suspects can make the reported number too small, and not only the model worse? Put a batch of two pairs through the code by hand: one with p = 0.999, one with p = 0.001.</details>


# %%
# EXERCISE mend_the_loss
def mend_the_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"]
) -> tuple[Float[Tensor, ""], str]:
    """The loss as it should be, and the letter of the suspect.

    Inputs:  chosen, rejected: rewards of the preferred and of the other answer of each pair
    Returns: (nats a pair, one of "a" to "f")
    """
    ### BEGIN SOLUTION
    return F.softplus(rejected - chosen).mean(), "d"
    ### END SOLUTION


# %%
check("mend_the_loss")

# %% [markdown]
# **What to notice.** The praised loss reports less than the best judge pays. An honest loss on pairs that it has not seen before cannot do that, but for chance: so the number, not the model, is too good. The accuracy shows nothing, for the mistake changes few verdicts.
# What it changes is how sure they are. A pair that is surely wrong adds a p near 0 to a mean, where it costs next to nothing; under the logarithm of its own it would cost most of all. So nothing holds the margins back: in our run they are more than twice as large, and by its own mean −log σ on held-out pairs this judge is worse than with your loss, and than a model that knows nothing and pays log 2.
# Beside a loss put what the best possible judge pays, and an ECE beside an accuracy.

# %%
# CLAIM
{
    "The praised loss reports less than the best judge pays": reported["the praised loss"]
    < judges.loss_of_the_best(exam),
    "An honest loss on pairs that it has not seen before cannot do that": reported["your loss"]
    > judges.loss_of_the_best(exam),
    "The accuracy shows nothing": abs(behind["the praised loss"][0] - behind["your loss"][0])
    < 0.015,
    "What it changes is how sure they are": behind["the praised loss"][3]
    > 2 * behind["your loss"][3],
    "A pair that is surely wrong adds a p near 0 to a mean": float(
        praised_loss(torch.tensor([9.0, -9.0]), torch.zeros(2))
    )
    < 0.7
    and float(loss_fn(torch.tensor([9.0, -9.0]), torch.zeros(2))) > 4,
    "in our run they are more than twice as large": behind["the praised loss"][1]
    > 2 * behind["your loss"][1],
    "this judge is worse than with your loss": behind["the praised loss"][2]
    > behind["your loss"][2] + 0.05,
    "and than a model that knows nothing and pays log 2": behind["the praised loss"][2]
    > np.log(2) + 0.01,
    "Beside a loss put what the best possible judge pays": GENERAL,
}

# %% [markdown]
# ## § 12 A taste for length
#
# A well-known trouble: people like long answers a little more than the answers deserve, and the reward model learns it ([Singhal et al. 2023](https://arxiv.org/abs/2310.03716)). Of the five, Cecily has that bias, 0.15 utility for every word. Suppose all your labels came from *her*.
#
# A remedy says in the loss what the annotator does: part of her preference is for the words. Beside the rewards stands a term for length, with a weight $w$ that is **learned together with the model and dropped afterwards**. What the term explains, the reward need not (such terms: [Park et al. 2024](https://arxiv.org/abs/2403.19159) for DPO, with a fixed weight; [Dubois et al. 2024](https://arxiv.org/abs/2404.04475) for win rates, fitted and dropped):
#
# $$L = -\frac{1}{B}\sum_b \log \sigma\Big(r^{\text{chosen}}_b - r^{\text{rejected}}_b + w\,\big(n^{\text{chosen}}_b - n^{\text{rejected}}_b\big)\Big)$$
#
# - `chosen`, `rejected`: `[B]`, rewards · `chosen_words`, `rejected_words`: `[B]`, the answers' words $n$, floats or whole numbers
# - `weight` $w$: `[]`, one number and not the head's weight of § 7; logits a word, any sign. It is learned, so it needs a gradient, as the rewards do
# - an answer may have 10,000 words more than the other: as in § 6 no clamp, and no infinity
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 4
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

    Inputs:  chosen, rejected: rewards [B] · chosen_words, rejected_words: numbers of words [B]
             weight: logits a word
    Returns: one number, nats a pair, with a gradient for the rewards and the weight
    """
    ### BEGIN SOLUTION
    extra_words = chosen_words - rejected_words
    return -F.logsigmoid(chosen - rejected + weight * extra_words).mean()
    ### END SOLUTION


# %%
check("length_cured_loss")

# %% [markdown]
# Cecily labels recorded pairs once more, alone. One model is trained with the plain loss, one with the term for length. The control learns by the plain loss from Agnes, who does not care for length. The probe: held-out pairs of *exactly equal* gold utility and different length. To an honest judge they are a coin, and a word more is worth no reward.
#
# **Predict first:** in how many does the plain model prefer the longer one, and in how many the other two?

# %%
# LONG
MY_GUESS = ""

length_loss = mine("length_cured_loss", globals())
hers = probes.labelled_by("Cecily", train[:few])
chosen_words, rejected_words = (words.to(course.device) for words in probes.words_of(hers))


def with_length(part, chosen, rejected, weight):
    """Your loss on the rows `part` of hers."""
    return length_loss(chosen, rejected, chosen_words[part], rejected_words[part], weight)


plain = trained_on(hers)[0]
control = trained_on(probes.labelled_by("Agnes", train[:few]))[0]
remedied, weight = probes.train_with_a_weight(sft, hers, config, with_length)
tastes = {
    "Cecily's, plain loss": plain,
    "Cecily's, with the term": remedied,
    "everybody's (§ 8)": model,
}
probed = probes.show_taste_for_length(exam, {"Agnes's, plain loss": control, **tastes})
own = probes.CECILY.sharpness * probes.CECILY.length
print(f"logits a word: learned {weight:.3f}, Cecily's own {own:.3f} (her sharpness times 0.15)")
people.guessed(MY_GUESS)

# %% [markdown]
# And a probe that a policy would find by itself: take a right answer and add to it, true facts that nobody asked for, or courtesies.

# %%
# LONG
padding = probes.show_padding(tastes, course.size)
facts, courtesies = padding["true facts"], padding["courtesies"]

# %% [markdown]
# **What to notice.** The share counts signs, however small a margin is; the reward a word weighs them. It is in logits: Cecily's own is 0.225, Agnes's 0. In our run the plain model has about all of Cecily's, and the term takes more than half of it out, while the scale of the rewards, the last column, shrinks by a tenth only. It helps, and it is no cure: the control's slope is smaller. Another seed moves a share by several points, but left this order. The learned weight stops short of Cecily's own.
# The last model learned from everybody's 30,000 labels, the others from 5,000. It leans to the longer answer, too: among equals four of the five throw a coin, so Cecily alone speaks, and the best judge of such labels would nearly always take the longer one.
# In the probe, compare the shapes of the lines, for a reward has a scale of its own. The gold utility pays for the first courtesy and for no other. Its line for facts turns: the first fact is welcome (*extra*, and now and then *named*, § 1), each word beyond 16 takes something off (*wordy*), and in our run the answer is worth a little less with three facts than without any, and much less with four. No reward model follows it down: for all three, four facts are worth more than none, with the term as well. For Cecily's plain model that is no mistake: in *her* eyes four facts are worth more. Where a reward model's line still rises and the gold utility's falls, a policy that is trained on it will go that way.
# Of the 60,000 answers in training one has five sentences, as a right answer with four more facts has, and none has two courtesies. What a reward model says about such answers is a guess, and lab 07 will push it there.

# %%
# CLAIM
{
    "The share counts signs, however small a margin is; the reward a word weighs them": GENERAL,
    "Cecily's own is 0.225, Agnes's 0": (f"{own:.3f}", people.ANNOTATORS[0].length) == ("0.225", 0),
    "In our run the plain model has about all of Cecily's": 0.85
    < probed["Cecily's, plain loss"][1] / own
    < 1.15,
    "the term takes more than half of it out": probed["Cecily's, with the term"][1]
    < 0.5 * probed["Cecily's, plain loss"][1],
    "the scale of the rewards, the last column, shrinks by a tenth only": 0.85
    < probed["Cecily's, with the term"][2] / probed["Cecily's, plain loss"][2]
    < 0.95,
    "the control's slope is smaller": probed["Agnes's, plain loss"][1]
    < probed["Cecily's, with the term"][1] - 0.01,
    "Another seed moves a share by several points, but left this order": GENERAL,
    "The learned weight stops short of Cecily's own": 0.05 < weight < 0.95 * own,
    "The last model learned from everybody's 30,000 labels, the others from 5,000": (
        len(train),
        len(hers),
    )
    == (30_000, 5000),
    "It leans to the longer answer, too": probed["everybody's (§ 8)"][0] > 0.6
    and probed["everybody's (§ 8)"][1] > 0.02,
    "among equals four of the five throw a coin": (np.abs(exam.leaning - 0.5) < 1e-9)[
        :, (exam.gold == 0) & (exam.words != 0)
    ]
    .mean(1)
    .round(2)
    .tolist()
    == [1.0, 1.0, 0.0, 0.99, 1.0],
    "the best judge of such labels would nearly always take the longer one": (
        (exam.p_first > 0.5) == (exam.words > 0)
    )[(exam.gold == 0) & (exam.words != 0)].mean()
    > 0.98,
    "compare the shapes of the lines": GENERAL,
    "The gold utility pays for the first courtesy and for no other": np.allclose(
        courtesies["gold utility"], [0, 1, 1, 1, 1]
    ),
    "Its line for facts turns": facts["gold utility"][1] > 0 > facts["gold utility"][4],
    "for all three, four facts are worth more than none": all(
        facts[name][4] > 0 for name in tastes
    ),
    "in our run the answer is worth a little less with three facts than without any": -0.2
    < facts["gold utility"][3]
    < 0,
    "and much less with four": facts["gold utility"][4] < -0.5,
    "in *her* eyes four facts are worth more": all(
        after > before
        for asked in [
            [row for row in probes.world.prompts("test", 250, "probe") if row["kind"] == "fact"]
        ]
        for before, after in [
            [
                np.mean(
                    [
                        probes.world.utility_to(probes.CECILY, row, answer)
                        for row, answer in zip(asked, probes.padded(asked, "true facts", n))
                    ]
                )
                for n in (0, 4)
            ]
        ]
    ),
    "Where a reward model's line still rises and the gold utility's falls": facts["everybody's (§ 8)"][3]
    > facts["everybody's (§ 8)"][1]
    and facts["gold utility"][3] < facts["gold utility"][1],
    "and none has two courtesies": max(
        sum(row[side][0]["content"].count(courtesy) for courtesy in probes.COURTESIES)
        for row in train
        for side in ("chosen", "rejected")
    )
    == 1,
    "Of the 60,000 answers in training one has five sentences": [
        len(row[side][0]["content"].split(". ")) >= 5 for row in train for side in ("chosen", "rejected")
    ].count(True)
    == 1
    and 2 * len(train) == 60_000,
    "What a reward model says about such answers is a guess": GENERAL,
}

# %% [markdown]
# ## § 13 Change one thing
#
# Labels are not only noisy by nature, some are plainly wrong: a slip of the finger, a misread screen. Train again on the 5,000 pairs of § 9, with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. The line below flips a fifth of the labels, drawn at random. Others to try, each with `FLIPPED = 0`: `WHO = "Edith"` (one annotator labels all), or another `SEED` with nothing else changed, which shows how large chance is.

# %%
# LONG
FLIPPED, WHO, SEED = 0.2, None, 0
MY_PREDICTION = ""

rows = probes.labelled_by(WHO, train[:few]) if WHO else train[:few]
changed = judges.margins_of(trained_on(probes.flipped(rows, FLIPPED), seed=SEED)[0], exam)
people.guessed(MY_PREDICTION)
after = judges.show_behind(exam, {"as before": sized[few], "changed": changed}, ece_of)

# %% [markdown]
# ## § 14 A real model
#
# Optional. SmolLM2-135M-Instruct (Hugging Face, Apache 2.0; `course smollm2` fetches weights that were rounded to 4 bits, lab 04) as a reward model: a frozen body, small trained matrices beside its weights ([LoRA, Hu et al. 2021](https://arxiv.org/abs/2106.09685), lab 04) and a new head. Forty hand-written everyday questions teach it one plain taste: short and direct rather than long-winded and hedging.
# Reward head and loss are **your** functions, twenty other questions examine it, and with it the best of four of SmolLM2's own answers is chosen. It takes two and a half minutes of one core, and 3 GB of memory are enough.
# (With the environment variable `COURSE_DATA=hub` the pairs are public ones, from UltraFeedback, at a pinned revision. They are longer, and so are the minutes.)
#
# **Predict first:** it was told which of two *true* answers people prefer. Will it prefer a true answer to the answer to another question?

# %%
# LONG
MY_GUESS = ""

loaded = real_part.smollm2()
if loaded:
    real, their_words = loaded[0].to(course.device), loaded[1]
    teach, questions = real_part.pairs(course.size)
    own_answers = real_part.own_answers(real, their_words, questions)  # four each, before training
    real_part.add_reward_head(real, rank=8, alpha=16)

    def pair_loss(pairs):
        """Your loss of the rewards that your head reads off SmolLM2."""
        texts = real_part.side(pairs, "chosen") + real_part.side(pairs, "rejected")
        return loss_fn(*real_part.rewards_of(real, their_words, head, pairs * 2, texts).chunk(2))

    batches = real_part.in_fours(teach, epochs=2)
    losses = real_part.train(real, batches, pair_loss, learning_rate=3e-4, at_once=1)
    print(f"{len(losses)} steps, loss {losses[0]:.3f} → {losses[-1]:.3f} nats a pair\n")
    verdicts = real_part.show_verdicts(real, their_words, head, questions)
    people.guessed(MY_GUESS)
    best = real_part.show_best_of_four(real, their_words, head, questions, own_answers)

# %% [markdown]
# **What to notice.** In our run forty pairs were enough for the first line. The second has nearly as many right, by a hair: its mean margin is less than a tenth of the first. No pair had a hedge in a short answer, so the labels do not say whether length or hedges are disliked. In our run the model took length: "Perhaps." costs about what any word costs. Of the last two lines no label spoke, since both answers of a pair were true. Between the right answer and one to another question the model throws a coin, and every right answer that is long-winded loses to a short one that is beside the point.
# So in our run the best of four has fewer words and hedges, and is no more often right. No label asked the model to hold the answer against the question. A reward model learns what its labels tell apart.

# %%
# CLAIM
{
    "In our run forty pairs were enough for the first line": list(verdicts.values())[0][0] == 20,
    "by a hair: its mean margin is less than a tenth of the first": list(verdicts.values())[1][0] >= 17
    and list(verdicts.values())[1][1] < 0.1 * list(verdicts.values())[0][1],
    "No pair had a hedge in a short answer": not any(
        map(real_part.taste.hedges_of, real_part.side(teach, "chosen"))
    ),
    '"Perhaps." costs about what any word costs': 0.5
    < list(verdicts.values())[1][1]
    / (
        list(verdicts.values())[0][1]
        * len(questions)
        / sum(
            real_part.taste.words_of(long) - real_part.taste.words_of(short)
            for long, short in zip(
                real_part.side(questions, "rejected"), real_part.side(questions, "chosen")
            )
        )
    )
    < 2,
    "Of the last two lines no label spoke": GENERAL,
    "Between the right answer and one to another question the model throws a coin": 6
    <= list(verdicts.values())[2][0]
    <= 14,
    "every right answer that is long-winded loses to a short one that is beside the point": list(
        verdicts.values()
    )[3][0]
    == 0,
    "in our run the best of four has fewer words and hedges, and is no more often right": all(
        a > b for a, b in zip(list(best.values())[0][:2], list(best.values())[1][:2])
    )
    and list(best.values())[0][2] >= list(best.values())[1][2],
    "No label asked the model to hold the answer against the question": GENERAL,
    "A reward model learns what its labels tell apart": GENERAL,
}

# %% [markdown]
# ## § 15 Summary
#
# You labelled pairs, and saw how far people agree, with themselves and with others. You computed the best accuracy that any judge of such labels can reach, and wrote the loss and the head of a reward model that transformers and TRL compute in the same way. It came to about 98 % of that limit in our run.
# You looked at what the accuracy hides: calibration, a mistake in a loss, and a taste for length. In lab 07 a policy is trained against this model, and it will find whatever you have left in it.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Why can no judge be right about every label here? And somebody reports an accuracy *above* the Bayes limit: what has happened, on training pairs, and on test pairs?

# %%
# CLAIM
{
    "You labelled pairs": GENERAL,
    "that transformers and TRL compute in the same way": compared["gradient"] < 1e-5,
    "It came to about 98 % of that limit in our run": 0.975 <= value / limit < 0.985,
    "You looked at what the accuracy hides": behind["the praised loss"][3]
    > 2 * behind["your loss"][3],
    "it will find whatever you have left in it": GENERAL,
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# Each annotator labels with noise: the likelier answer is only likelier, and on pairs that nobody sees a difference in it is a coin. The annotators differ, too, and the judge is not told who labels, but that costs next to nothing here.
# On training pairs an accuracy above the limit means that labels were learned by heart, noise included, and that does not help on new pairs. On test pairs it is chance (too few of them) or a leak: the judge has seen the labels, or something that gives them away.
# ### END SOLUTION

# %%
# CLAIM
{
    "the likelier answer is only likelier": limit < 0.8,
    "on pairs that nobody sees a difference in it is a coin": GENERAL,
    "that costs next to nothing here": np.maximum(exam.leaning, 1 - exam.leaning).mean() - limit
    < 0.001,
    "labels were learned by heart, noise included": GENERAL,
    "On test pairs it is chance (too few of them) or a leak": GENERAL,
}

# %% [markdown]
# **2.** What did you change in § 13, what did you predict, what came out, and is the difference larger than what chance gives?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I flipped a fifth of the labels and predicted that a fifth of the gain over the coin would be lost. Accuracy was 69.3 % before and 69.0 % after, each ± 1.0 (two standard errors over the 2,000 pairs). Another seed alone moves the full recipe by half a point (five runs: 70.1 to 70.6 %), so I claim no difference.
# A flip turns a probability p into 0.2 + 0.6 p: the likelier answer stays the likelier one, so the best verdicts are the same, and only more labels are needed to find them. But a model of such labels should be less sure. The mean margin fell from 0.91 to 0.43, and the calibration error on unflipped labels rose from 0.032 to 0.089: there, and not in the accuracy, flipped labels show first.
# ### END SOLUTION

# %%
# CLAIM
{
    "predicted that a fifth of the gain over the coin would be lost": GENERAL,
    "Accuracy was 69.3 % before and 69.0 % after, each ± 1.0": (
        f"{100 * after['as before'][0]:.1f}",
        f"{100 * after['changed'][0]:.1f}",
        f"{200 * judges.accuracy(exam, changed)[1]:.1f}",
    )
    == ("69.3", "69.0", "1.0"),
    "so I claim no difference": abs(after["changed"][0] - after["as before"][0]) < 0.006,
    "A flip turns a probability p into 0.2 + 0.6 p": (FLIPPED, round(1 - 2 * FLIPPED, 9))
    == (0.2, 0.6),
    "But a model of such labels should be less sure": after["changed"][1] < after["as before"][1],
    "The mean margin fell from 0.91 to 0.43, and the calibration error on unflipped labels rose from 0.032 to 0.089": (
        f"{after['as before'][1]:.2f}",
        f"{after['changed'][1]:.2f}",
        f"{after['as before'][3]:.3f}",
        f"{after['changed'][3]:.3f}",
    )
    == ("0.91", "0.43", "0.032", "0.089"),
}

# %%
# CLAIM stored
{
    "Another seed alone moves the full recipe by half a point (five runs: 70.1 to 70.6 %)": [
        f"{100 * end(run['accuracy'] for run in stored('reward-laptop')['runs']):.1f}"
        for end in (min, max)
    ]
    == ["70.1", "70.6"]
}

# %% [markdown]
# ## § 16 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell: it tells what is still open. Is your work done? Write `ready=True`, save, run the cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
