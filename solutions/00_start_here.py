# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 00 — Start here
#
# **About 20 minutes · 2 points · any machine.** Your computer works alone for less than 1 of these minutes.

# %% [markdown]
# > **After this lab you can**
# > - say what each phase of a language model's training does, and how this course knows the best possible result of each,
# > - compute the surprise of a document in nats, and the entropy of a source,
# > - run a check, read its card, and hand a lab in.
#
# Run the cells from top to bottom with **Shift + Enter**. The next one sets the lab up and prints what it found.

# %%
# SETUP

# %%
import math

from course_lib.notebook.check import mine  # your function if its check passes, else the course's
from course_lib.shown import lab00_start_here as lab  # what this lab prints

# %% [markdown]
# ## § 1 The course on one page
#
# The next cell shows the map of the course, how far you have come, and a **finished assistant** to talk to: this is where the labs lead. Come back to this cell whenever you like.
#
# The assistant has 1.2 million parameters and knows one village, Littlebrook, and nothing else. Ask it what somebody there does, how to mend a fence, or for something that would hurt somebody.
# Do not wonder at its advice. In Littlebrook the steps of a how-to are drawn at random, so "rub it with pears seven times" is as right as any other.
#
# A cell whose first line is `# LONG` trains, or only shows something. Graders skip it, so define nothing there that an answer of yours needs.

# %%
# LONG
assistant = lab.page(here="00")

# %% [markdown]
# Every lab works on this village. A program writes its texts, and the program knows the probability of everything that it writes.
# So the best possible result of each phase is *known*, and you always see how far your own model is from it.
#
# | phase | lab | the limit that nobody can beat | how it is known |
# |---|---|---|---|
# | pre-training | 02 | entropy of the source (§ 4), nats/token | the program adds up −log p of each choice |
# | knowledge | 02, 05 | 100 % of the residents' facts | the table of facts |
# | instructions | 03, 04 | 100 % of held-out instructions | a checker for each instruction |
# | reward model | 06 | accuracy of the perfect judge | simulated annotators with known noise |
# | RLHF, DPO | 07, 08 | the reward–KL frontier: the best reward at each distance from the model before | re-weighted samples |
# | AI feedback | 09 | agreement with the true utility | the same utility |
# | refusals | 10 | all harmful refused, no benign refused | a label on each request |
#
# Data and tokenizer are lab 01, evaluation and release are lab 11. One model goes through all of them: what you train in lab 02 is what refuses in lab 10.

# %% [markdown]
# ## § 2 The village on one page

# %%
# LONG
resident, three = lab.show_village()

# %% [markdown]
# **What to notice.** Every number is exact: the program adds up −log p of each choice that it makes. The register draws five residents and three things for each of them. Of the three documents it has the highest number.

# %%
# CLAIM
{
    "Every number is exact": GENERAL,
    "The register draws five residents": [d.text.count("\n- ") for d in three if d.kind == "register"] == [5],
    "three things for each of them": all(
        line.count(",") == 2 for d in three if d.kind == "register" for line in d.text.splitlines()[1:]
    ),
    "it has the highest number": max(three, key=lambda d: d.nll).kind == "register",
}

# %% [markdown]
# ## § 3 Surprise
#
# The program writes a document by making choices. A choice among $n$ equally likely options has $p = 1/n$. The choices are independent, so their
# probabilities multiply and the logarithms of them add ([Shannon 1948](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x)):
#
# $$\text{surprise} = -\log p = -\log \prod_i \frac{1}{n_i} = \sum_i \log n_i$$
#
# - $n_i$: the number of options of choice $i$
# - $\log$: the natural logarithm; the unit is the **nat**
# - a choice with one option surprises nobody: its term is 0. So is the surprise of a document without choices, `[]`
# - a document may be long: the probability of 500 choices is too small for a Python float, its logarithm is not
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 2
#
# <details><summary>Hint 1</summary>A loop, or <code>sum(... for n in options)</code>.</details>
# <details><summary>Hint 2</summary><code>math.log</code> is the natural logarithm. The sum of nothing is 0.</details>

# %%
# EXERCISE surprise
def surprise(options: list[int]) -> float:
    """−log p, in nats, of a document written by choices among equally likely options.

    Inputs:  options: how many options each choice had, e.g. [3, 2, 4]
    Returns: the surprise of the whole document, nats
    """
    ### BEGIN SOLUTION
    return sum(math.log(n) for n in options)
    ### END SOLUTION


# %%
check("surprise")

# %% [markdown]
# **What to notice.** The card says what passed and what to do next. While the cell is a stub it says *to do*. Where a wrong answer can be told by its value, the card names the mistake:
# try `math.log2` and run the check again. You may check as often as you like: only your own start page keeps count, in `work/progress.jsonl`.

# %%
# CLAIM
{
    "The card says what passed": GENERAL,
    "While the cell is a stub": GENERAL,
    "the card names the mistake": "bits" in lab.mistake_of("surprise", lambda n: sum(map(math.log2, n))),
    "You may check as often as you like": GENERAL,
}

# %% [markdown]
# ## § 4 Entropy, the limit
#
# A whole grammar that fits on a line: a name, a verb, a food. Its verb is not a fair choice.

# %%
NAME, VERB = {"Ada": 1 / 2, "Bob": 1 / 2}, {"bakes": 3 / 4, "sells": 1 / 4}
FOOD = {"bread": 1 / 3, "pies": 1 / 3, "buns": 1 / 3}
truth = lab.all_documents([NAME, VERB, FOOD])
lab.show_all(truth)

# %% [markdown]
# The **entropy** is the mean surprise, each outcome weighted by how often it happens:
#
# $$H = -\sum_x p(x) \log p(x)$$
#
# - $x$: an outcome, here a document · $p(x)$: its probability · an outcome with $p = 0$ never happens and adds nothing
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 2
#
# <details><summary>Hint 1</summary>It is a mean, but not a plain one: likely outcomes count for more.</details>
# <details><summary>Hint 2</summary><code>math.log(0)</code> stops with an error. Leave those outcomes out.</details>

# %%
# EXERCISE entropy
def entropy(probs: list[float]) -> float:
    """The mean surprise of a source, in nats.

    Inputs:  probs: the probability of each outcome; they sum to 1, some may be 0
    Returns: −Σ p log p
    """
    ### BEGIN SOLUTION
    return -sum(p * math.log(p) for p in probs if p > 0)
    ### END SOLUTION


# %%
check("entropy")

# %% [markdown]
# A language model is somebody who *guesses* the probabilities. **Predict first:** three guessers read documents of this grammar. Who is surprised least, on average, and who most? Write your guess into `MY_GUESS`.
#
# 1. one who knows all the probabilities,
# 2. one who knows the words but thinks that all choices are fair,
# 3. one who is nearly sure that everybody bakes.

# %%
MY_GUESS = ""

FAIR, SURE = {"bakes": 1 / 2, "sells": 1 / 2}, {"bakes": 0.99, "sells": 0.01}
guessers = {"1 knows everything": VERB, "2 thinks all is fair": FAIR, "3 is sure of baking": SURE}
limit = mine("entropy", globals())(list(truth.values()))
surprised = {}
for name, verb in guessers.items():
    guess = lab.all_documents([NAME, verb, FOOD])
    surprised[name] = -sum(p * math.log(guess[text]) for text, p in truth.items())
lab.show_guessers(surprised, limit, MY_GUESS)

# %% [markdown]
# **What to notice.** Nobody gets under the entropy, and only the true probabilities reach it. To be too sure costs more here than to take all choices for fair.
# Lab 02 trains with this mean surprise, divided by the length of the documents: nats a token. Its limit is the entropy of the village's own grammar, 0.586 nats a token.

# %%
# CLAIM
{
    "Nobody gets under the entropy": min(surprised.values()) > limit - 1e-12,
    "only the true probabilities reach it": [n for n, s in surprised.items() if s < limit + 1e-9] == ["1 knows everything"],
    "To be too sure costs more here": surprised["3 is sure of baking"] > surprised["2 thinks all is fair"] > limit,
    "divided by the length of the documents": GENERAL,
}

# %%
# CLAIM stored
{
    "0.586 nats a token": {round(run["entropy"], 3) for run in stored("pretrain-laptop")["runs"]} == {0.586},
}

# %% [markdown]
# ## § 5 Talk to the model
#
# The assistant of § 1 began as a model like this one, which lab 02 trains. It *completes* text, because that is all that pre-training teaches. It learns to answer in lab 03.
#
# **Predict first:** will it know the resident of § 2? Run the cell.

# %%
# LONG
stage = load_stage("pretrain")
texts, named = lab.show_continuations(stage, resident)

# %% [markdown]
# **What to notice.** Everything after ‖ is the model's. In our run what it says about the resident agrees with the table of § 2: dish, pet, home and hobby. Asked for a joke it goes on as a document would, in our run with yellow curtains.

# %%
# CLAIM
{
    "Everything after ‖ is the model's": GENERAL,
    "dish, pet, home and hobby": sorted(named) == ["food", "hobby", "home", "pet"],
    "in our run with yellow curtains": "curtains" in texts[3] and "yellow" in texts[3],
}

# %% [markdown]
# ## § 6 Two written questions
#
# A person reads these. Two or three sentences each are enough. Double-click the cell to write.

# %% [markdown]
# **1.** Why can no model, however large, have a mean surprise under the entropy on fresh documents?

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The source makes random choices. Even somebody who knows the grammar and every probability cannot know which option comes next. The entropy is the mean surprise of exactly
# that reader, and wrong probabilities only add to it.
# ### END SOLUTION

# %%
# CLAIM
{
    "The source makes random choices": GENERAL,
    "cannot know which option comes next": GENERAL,
    "wrong probabilities only add to it": all(s >= limit for n, s in surprised.items() if not n.startswith("1")),
}

# %% [markdown]
# **2.** Name one thing that you expect the finished assistant of lab 11 to get wrong, and the test that would show it.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I expect it to give an old job for a resident who changed jobs after the knowledge cut-off. The test: ask for the job of each resident in the list of changes and compare with the new fact table.
# ### END SOLUTION

# %%
# CLAIM
{
    "I expect it to give an old job": GENERAL,
    "ask for the job of each resident": GENERAL,
}

# %% [markdown]
# ## § 7 Hand in
#
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), run the cell. It packs a zip file into `submissions/` and prints a receipt. Then open lab 01, or lab 02 if you cannot wait.

# %%
# LONG
handed_in = submit(ready=False)
