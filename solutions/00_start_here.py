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
# **About 10 minutes · 2 points · any machine**

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
import itertools
import math

# %% [markdown]
# ## § 1 The course on one page
#
# The next cell shows the map of the course, how far you have come, and a **finished assistant** to talk to: this is where the labs lead. Come back to this cell whenever you like.
# Ask it what somebody in Littlebrook does, how to mend a fence, or for something that would hurt somebody.

# %%
# LONG
from course_lib.widgets import start

assistant = start.page(here="00")

# %% [markdown]
# Every lab works on one small fictional village. A program writes its texts, and that program knows the probability of everything it writes.
# So the best possible result of each phase is *known*, and you always see how far your own model is from it.
#
# | phase | lab | the limit that nobody can beat | how it is known |
# |---|---|---|---|
# | pre-training | 02 | entropy of the source, nats/token | the program adds up −log p of each choice |
# | knowledge | 02, 05 | 100 % of the residents' facts | the table of facts |
# | instructions | 03, 04 | 100 % of held-out instructions | a checker for each instruction |
# | reward model | 06 | accuracy of the perfect judge | simulated annotators with known noise |
# | RLHF, DPO | 07, 08 | the reward–KL frontier | re-weighted samples |
# | AI feedback | 09 | agreement with the true utility | the same utility |
# | refusals | 10 | all harmful refused, no benign refused | a label on each request |
#
# Data and tokenizer are lab 01, evaluation and release are lab 11. One model goes through all of them: what you train in lab 02 is what refuses in lab 10.

# %% [markdown]
# ## § 2 The village on one page

# %%
# LONG
from course_lib.world import documents, village

world = village()
resident = world.residents[0]
print(f"Littlebrook has {len(world.residents)} residents and {len(world.chronicle)} dated events in its chronicle.\n")
print(f"What the fact table says about {resident.full}:")
for fact, value in resident.facts.items():
    print(f"  {fact:<8} {value}")
print(
    "\nThree documents. The number is −log p, in nats: how surprising the text is to somebody who knows the village and its grammar."
)
first_of_kind = {document.kind: document for document in reversed(documents(world, "lab 00", 20))}
for document in list(first_of_kind.values())[:3]:
    print(f"\n[{document.kind}, {document.nll:.1f} nats]\n{document.text}")

# %% [markdown]
# **What to notice.** Every number is exact. A document that makes many free choices has a high one.

# %% [markdown]
# ## § 3 Surprise
#
# The program writes a document by making choices. A choice among $n$ equally likely options has $p = 1/n$. Choices are independent, so their
# probabilities multiply and their logarithms add:
#
# $$\text{surprise} = -\log p = -\log \prod_i \frac{1}{n_i} = \sum_i \log n_i$$
#
# - $n_i$: the number of options of choice $i$
# - $\log$: the natural logarithm; the unit is the **nat**
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
# **What to notice.** The card says what passed and what to do next. While the cell is a stub it says *to do*. A wrong answer gets the name of its mistake:
# try `math.log2` and run the check again. You may check as often as you like: only your own start page keeps count, in `work/progress.jsonl`.

# %% [markdown]
# ## § 4 Entropy, the limit
#
# A whole grammar that fits on a line: a name, a verb, a food. Its verb is not a fair choice.

# %%
GRAMMAR = [
    {"Ada": 1 / 2, "Bob": 1 / 2},
    {"bakes": 3 / 4, "sells": 1 / 4},
    {"bread": 1 / 3, "pies": 1 / 3, "buns": 1 / 3},
]


def all_documents(grammar):
    """{text: probability} of every document of a grammar."""
    written = {}
    for choice in itertools.product(*(options.items() for options in grammar)):
        written[" ".join(word for word, _ in choice)] = math.prod(p for _, p in choice)
    return written


truth = all_documents(GRAMMAR)
for text, p in sorted(truth.items(), key=lambda item: -item[1]):
    print(f"{text:<16} p = {p:.4f}   surprise {-math.log(p):.3f} nats")
print(f"\n{len(truth)} documents, probabilities sum to {sum(truth.values()):.6f}")

# %% [markdown]
# The **entropy** is the mean surprise, each outcome weighted by how often it happens:
#
# $$H = -\sum_x p(x) \log p(x)$$
#
# - $x$: a document · $p(x)$: its probability · an outcome with $p = 0$ never happens and adds nothing
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
# A language model is somebody who *guesses* the probabilities. **Predict first:** three guessers read documents of this grammar. Who is surprised least, on average?
#
# 1. one who knows all the probabilities,
# 2. one who knows the words but thinks that all choices are fair,
# 3. one who is nearly sure that everybody bakes.

# %%
GUESSERS = {
    "knows everything": GRAMMAR,
    "thinks all is fair": [{word: 1 / len(options) for word in options} for options in GRAMMAR],
    "sure of baking": [GRAMMAR[0], {"bakes": 0.99, "sells": 0.01}, GRAMMAR[2]],
}
limit = -sum(p * math.log(p) for p in truth.values())
for name, grammar in GUESSERS.items():
    guess = all_documents(grammar)
    loss = -sum(p * math.log(guess[text]) for text, p in truth.items())
    print(
        f"{name:<20} mean surprise {loss:.4f} nats   {100 * (loss / limit - 1):5.1f} % above the limit   {'█' * round(6 * loss)}"
    )
print(f"{'the limit':<20} entropy       {limit:.4f} nats")

# %% [markdown]
# **What to notice.** Nobody gets under the entropy, and only the true probabilities reach it. Being too sure costs more here than being fair.
# The mean surprise is exactly the loss that lab 02 trains with, and this line is the limit in its plot.

# %% [markdown]
# ## § 5 Talk to the model
#
# The assistant of § 1 began as this model, the one that lab 02 trains. Be warned: it *completes* text, because that is all that pre-training teaches. It learns to answer in lab 03.
# **Predict first:** will it know the resident of § 2? Change the openings and run the cell again.

# %%
# LONG
from course_lib.stages.generate import generate
from course_lib.stages.tokenizer import load_tokenizer

stage = load_stage("pretrain")
openings = [f"Let me tell you about {resident.full}.", "How to mend", "The chronicle says:", "Please tell me a joke."]
print(f"This model: {stage.origin}\n")
for opening, text in zip(
    openings, generate(stage.model, load_tokenizer(), openings, max_new_tokens=50, temperature=0.8, top_p=0.95, seed=0)
):
    print(f"» {opening} ‖{text}\n")

# %% [markdown]
# **What to notice.** Everything after ‖ is the model's. Compare what it says about the resident with the table of § 2. Asked for a joke it goes on as a document would.

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

# %% [markdown]
# **2.** Name one thing that you expect the finished assistant of lab 11 to get wrong, and the test that would show it.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# I expect it to give an old job for a resident who changed jobs after the knowledge cut-off. The test: ask for the job of each resident in the list of changes and compare with the new fact table.
# ### END SOLUTION

# %% [markdown]
# ## § 7 Hand in
#
# Save the notebook (Ctrl + S), then run the next cell. It packs a zip file into `submissions/` and prints a receipt. Then open lab 01, or lab 02 if you cannot wait.

# %%
# LONG
handed_in = submit()
