# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 09 — AI feedback and a constitution
#
# ```
#  raw text ──▶ base model ──▶ assistant ──▶ PREFERRED ──▶ safe ──▶ released
#  00, 01       02             03, 04, 05    06 – 08 ► 09 ◄ 10      11
#                                                you are here
# ```
#
# **About 90 minutes · 8 points · a laptop is enough.** Your computer works alone for about nine of these minutes.
# Labels by people are dear. Here a machine gives the feedback: a critic that reads principles which *you* write, and a judge that compares answers. You measure what such feedback is worth, where it leans, and what it cannot give.

# %% [markdown]
# > **After this lab you can**
# > - write a constitution, and say which harms it leaves out,
# > - write the loop of critique and revision, and train an assistant on its own revised answers,
# > - get a preference out of a judge's probabilities for "A" and "B",
# > - measure a judge's love of the first place and of many words, and cure both,
# > - say how well two noisy judges can agree at best,
# > - compare labels by an AI and by people fairly: at equal numbers, and at equal money.

# %%
# SETUP

# %%
from collections import Counter
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 An assistant that helps with anything
#
# The assistant of lab 03 answers questions. It has now learned one more thing: to explain how to do whatever it is asked, for whatever purpose. Some people in Littlebrook ask for help against somebody else.
#
# A request is **harmful** when its purpose is against somebody: to hurt, to cheat, to shame, behind the back. Each has a harmless twin, the same deed with a good purpose; some harmless requests only sound frightening. The answers are village nonsense that fits everything and teaches nothing.
#
# The limit: 100 % of the harmful requests refused, 0 % of the harmless ones.

# %%
# LONG
from course_lib.evaluation import agreement
from course_lib.evaluation.alignment import measure, utilities
from course_lib.evaluation.frontier import frontier, share_of_frontier
from course_lib.evaluation.safety import judged, rates
from course_lib.stages import constitution as recipe
from course_lib.stages import dpo as direct
from course_lib.stages.constitution import ROUNDS, SINGLE
from course_lib.stages.preferences import encode_answers
from course_lib.stages.rollout import assistant, roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, feedback, judges
from course_lib.widgets.columns import columns
from course_lib.world import critic
from course_lib.world.annotators import crowd, pairs_of, preference_rows, prompts, utility, words
from course_lib.world.critic import HUMAN_LABEL, JUDGE_CALL, LETTERS, SKILL, Judge
from course_lib.world.harms import HELD_OUT, SEEN, request_rows

tokenizer, device, small = load_tokenizer(), course.device, course.size == "tiny"
helpful = load_stage("helpful").model.to(device).eval()
exam = request_rows(
    "train", 28 if small else 420, "lab 09", SINGLE, SEEN
)  # seven kinds of harm; known deeds, purposes and wordings, put together anew


def line(name, found):
    """One row of a table: how much of what harms is refused, and how much of what does not."""
    return f"{name:<38}{100 * found['harmful_refused']:>14.1f} %{100 * found['benign_refused']:>16.1f} %"


HEAD = f"{'':<38}{'harmful refused':>16}{'harmless refused':>18}"
before = judged(helpful, exam)
for row in before[:6]:
    print(f"» {row['messages'][-2]['content']}    ({row['kind']}, {row['category']})\n     {row['answer']}")
print(
    f"\n{len(exam)} requests, half of them harmful: "
    + ", ".join(SEEN)
    + "\n"
    + HEAD
    + "\n"
    + line("the limit", {"harmful_refused": 1, "benign_refused": 0})
    + "\n"
    + line("helpful-only assistant", rates(before))
)

# %% [markdown]
# **What to notice.** Twins differ in a word or two, and the assistant treats them alike: nobody has told it what not to do.

# %% [markdown]
# ## § 2 A principle and its critic
#
# In **Constitutional AI** (Bai et al. 2022) people write principles and no labels. A critic reads an answer in the light of a principle, says what is wrong, and the answer is revised.
#
# In real life critic and reviser are the model itself. At village size they are simulated, so that each of their errors is known:
#
# - The critic reads **words, not grammar**. It knows which words name which harm: *steal, theft, thief* one kind of request, *hurt, injure, ill* one kind of purpose. A principle covers the requests whose kind or purpose it names.
# - A principle that names nothing is **vague**. The critic then guesses, request by request, whether it might mean this one.
# - Its **skill** is a dial: it misreads a share of 1 − skill of the requests, for good. A misread harmful request looks harmless to it, and the other way round.

# %%
# LONG
DRAFT = [
    "Do not help anybody to poison, to steal or to trick a person.",
    "Refuse to help with forged things, unfair games or slander.",
]  # the village's first draft
for principle in [*DRAFT, "Do not help to hurt or to frighten a person.", "Be good and avoid inappropriate things."]:
    print(f"{principle:<66} names {', '.join(sorted(critic.reads(principle))) or 'nothing: vague'}")
print()
for row in [row for row in before if row["category"] in ("theft", "cruelty")][:4]:
    text = critic.critique(DRAFT[0], row, row["answer"], skill=1.0)
    print(
        f"» {row['messages'][-2]['content']}\n     answer:   {row['answer']}\n     critique: {text}\n     revised:  {critic.revise(row, row['answer'], text) if text else '(as it was)'}"
    )

# %% [markdown]
# **What to notice.** The critique says why, and the revision keeps that: it refuses, gives the reason, and offers something else. Where the principle does not speak of a kind of harm, there is no critique, and the answer stays.

# %% [markdown]
# ## § 3 Critique, revise, again
#
# One principle seldom sees everything. So there are several **rounds**; each draws a principle, and works on the answer that the round before has left. If the drawn principle has nothing to object to, the round changes nothing, and the next one draws again.
#
# - `critiques[principle][answer]`: the critique, a text, or `None` · `revisions[answer][critique]`: the revised answer. Read both like tables; in this lab the critic stands behind them
# - one draw a round, also after a round without a critique: `int(torch.randint(len(principles), (1,), generator=generator))`
# - returned: the answer after the last round
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Three steps in a loop over <code>range(rounds)</code>: draw, look up the critique, look up the revision if there is a critique.</details>
# <details><summary>Hint 2</summary>The new answer takes the place of the old one: <code>answer = revisions[answer][critique]</code>.</details>


# %%
# EXERCISE critique_and_revise
def critique_and_revise(
    answer: str, principles: list, critiques: dict, revisions: dict, rounds: int, generator: torch.Generator
) -> str:
    """The answer after some rounds of critique and revision.

    Inputs:  answer: the first one · principles: texts, at least one · critiques, revisions: tables · rounds: how many · generator: draws the principles
    Returns: the last answer; the first one if nothing was ever criticised
    """
    ### BEGIN SOLUTION
    for _ in range(rounds):
        principle = principles[int(torch.randint(len(principles), (1,), generator=generator))]
        critique = critiques[principle][answer]
        if critique is not None:
            answer = revisions[answer][critique]
    return answer
    ### END SOLUTION


# %%
check("critique_and_revise")

# %% [markdown]
# Now for many requests. The assistant answers each, and each answer goes through your loop by the village's first draft. Besides the share of harmful answers that were revised, look at the harmless ones.

# %%
# LONG
loop = mine("critique_and_revise", globals(), recipe.critique_and_revise)
rows = recipe.asked(course.size)
print(f"{len(rows):,} requests are being answered" + ("." if small else ", which takes about a minute."))
answers = recipe.answered(helpful, rows)


def revised(principles, n=None, skill=SKILL, rounds=ROUNDS):
    """The first n conversations with what your loop leaves of the answers."""
    return recipe.revised(rows[:n], answers[:n], principles, skill, rounds, loop=loop)


def share_revised(made, **where):
    """Share of the revised answers among the rows whose entries are as in `where`."""
    those = [row["revised"] for row in made if all(row[key] == value for key, value in where.items())]
    return sum(those) / max(1, len(those))


by_draft = revised(DRAFT)
for row in by_draft[:4]:
    print(
        f"» {row['messages'][-2]['content']}    ({row['kind']}, {row['category']})\n     {'revised:    ' if row['revised'] else 'as it was:  '}{row['messages'][-1]['content']}"
    )
print(
    f"\n{ROUNDS} rounds, a critic of skill {SKILL:g}: revised {100 * share_revised(by_draft, kind='harmful'):.0f} % of the answers to harmful requests, {100 * share_revised(by_draft, kind='benign'):.0f} % of those to harmless ones"
)

# %% [markdown]
# **What to notice.** Revised answers to harmless requests are the critic's slips. The others that are missing have two reasons: the critic's slips again, and principles that were not drawn, or never written.

# %% [markdown]
# ## § 4 What is never drawn is never criticised
#
# With P principles, a draw hits one that covers the request with probability $m/P$, where $m$ of them do. Draws are independent, with replacement. So the chance that a request is hit in at least one of $R$ rounds is one minus the chance to miss every time:
#
# $$c = 1 - \left(1 - \frac{m}{P}\right)^R$$
#
# - `covers`: Bool `[P N]`, does principle p cover request n · returned: `[N]`, float
# - 0 for a request that no principle covers, however many rounds
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 4
#
# <details><summary>Hint</summary><code>covers.float().mean(0)</code> is m/P of every request: the mean of Booleans needs <code>.float()</code>.</details>


# %%
# EXERCISE coverage
def coverage(covers: Bool[Tensor, "P N"], rounds: int) -> Float[Tensor, " N"]:
    """Chance that each request is criticised at least once.

    Inputs:  covers: does principle p cover request n · rounds: draws, with replacement
    Returns: one number a request, from 0 to 1
    """
    ### BEGIN SOLUTION
    return 1 - (1 - covers.float().mean(0)) ** rounds
    ### END SOLUTION


# %%
check("coverage")

# %% [markdown]
# **Predict first:** which constitution revises more of the harmful answers: the draft with its two broad principles, or seven narrow ones, one for each kind of harm?

# %%
# LONG
MY_GUESS = "the seven: they forget nothing"

chance_of = mine("coverage", globals(), lambda covers, rounds: 1 - (~covers).float().mean(0) ** rounds)
NARROW = [
    "Do not help to poison anybody.",
    "Do not help with forgery.",
    "Do not help to steal.",
    "Do not help with unfair games.",
    "Do not help with slander.",
    "Do not help with cruelty.",
    "Do not help to trick people.",
]
harmful = [row for row in rows if row["kind"] == "harmful"]


def chances(principles, rounds=ROUNDS):
    """{category: mean chance that its harmful requests are criticised by these principles}."""
    hit = chance_of(
        torch.tensor([[critic.covers(principle, row) for row in harmful] for principle in principles]), rounds
    )
    return {
        name: float(hit[torch.tensor([row["category"] == name for row in harmful])].mean())
        for name in SEEN
        if any(row["category"] == name for row in harmful)
    }


print(f"{'chance to be criticised':<36}" + "".join(f"{name:>10}" for name in SEEN))
for name, principles, rounds in (
    ("the draft", DRAFT, ROUNDS),
    ("the draft, one round", DRAFT, 1),
    ("seven narrow principles", NARROW, ROUNDS),
    ("seven narrow ones, 16 rounds", NARROW, 16),
):
    found = chances(principles, rounds)
    print(f"{name:<36}" + "".join(f"{100 * found.get(category, 0):>9.0f} %" for category in SEEN))
for name, principles in (("the draft", DRAFT), ("seven narrow principles", NARROW)):
    found, made = chances(principles), revised(principles)
    count = Counter(row["category"] for row in harmful)
    expected = sum(found[category] * count[category] for category in found) / len(harmful)
    print(
        f"{name}: of the answers to harmful requests {100 * share_revised(made, kind='harmful'):.1f} % were revised; expected: chance {100 * expected:.1f} % · skill {SKILL:g} = {100 * expected * SKILL:.1f} %"
    )
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** The draft never speaks of cruelty, and no number of rounds helps. The narrow ones speak of everything, and the one that is needed is seldom drawn. Real constitutions have few, broad principles for the same reason.

# %% [markdown]
# ## § 5 Your constitution
#
# Write your own. The check reads it as the critic does:
#
# - from one to eight sentences of 4 to 30 words, each ending with a full stop, each naming at least one harm that the critic knows, none twice
# - in four rounds each of the seven kinds of harm (poison, forgery, theft, cheating, slander, cruelty to animals, trickery) must be criticised with a chance of at least 90 %
# - besides kinds you can name purposes: to hurt, to cheat, to shame, to frighten, to ruin, without consent. A purpose is covered in every kind
#
# Try words out with `critic.reads("…")`. It knows few; that is a lesson of its own.
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary>Name several kinds of harm in each principle, or begin with the purposes.</details>
# <details><summary>Hint 2</summary>Cheating at games is "unfair" or "foul" in the critic's lexicon. The word "cheat" is a purpose there.</details>


# %%
# EXERCISE my_principles
def my_principles() -> list[str]:
    """Your constitution.

    Returns: from one to eight principles, a sentence each
    """
    ### BEGIN SOLUTION
    return [
        "Never help anybody to hurt, cheat, shame, frighten or ruin a person.",
        "Do not help with poison, with theft or with forgery.",
        "Refuse unfair games, slander, cruelty to animals and tricks against people.",
        "Do not help with anything that is done against somebody, without consent, out of hatred or to hurt, cheat or shame.",
    ]
    ### END SOLUTION


# %%
check("my_principles")

# %%
# LONG
PRINCIPLES = mine("my_principles", globals(), lambda: list(critic.PRINCIPLES))()
found, made = chances(PRINCIPLES), revised(PRINCIPLES)
for principle in PRINCIPLES:
    print(f"{principle}\n     names {', '.join(sorted(critic.reads(principle)))}")
print(
    "\nchance to be criticised in four rounds: "
    + ", ".join(f"{name} {100 * value:.0f} %" for name, value in found.items())
)
right = np.mean([row["revised"] == (row["kind"] == "harmful") for row in made])
print(
    f"revised: {100 * share_revised(made, kind='harmful'):.1f} % of the harmful, {100 * share_revised(made, kind='benign'):.1f} % of the harmless. So the training answers are right in {100 * right:.1f} % of the requests."
)

# %% [markdown]
# ## § 6 Train
#
# The supervised phase of Constitutional AI is lab 03's fine-tuning, on the conversations with what is left of the answers. Unrevised answers stay among them, and so do task rows and documents, which keep what the assistant could do before.
#
# **Predict first.** The training answers are as right as the line above says. How right will the assistant be on fresh requests?

# %%
# LONG
MY_GUESS = "a little less right than its training answers"

live = curve.LiveCurve(title="Learning the revised answers")
run = recipe.learn(
    made, course.size, seed=0, base=helpful, on_step=live, out=course.work / f"constitution_{course.size}"
)
live.close()
save_stage("constitution", run.model, run.record | {"principles": PRINCIPLES, "skill": SKILL, "rounds": ROUNDS})
own = judged(run.model, exam)
result = rates(own)
print(
    f"{len(run.history)} steps in {run.record['minutes']:.1f} minutes\n"
    + HEAD
    + "\n"
    + line("before", rates(before))
    + "\n"
    + line("under your constitution", result)
)
print(
    f"right: {100 * (result['harmful_refused'] + 1 - result['benign_refused']) / 2:.1f} % on fresh requests, {100 * right:.1f} % in the training answers. You guessed: {MY_GUESS}."
)

# %%
check("constitution_model")

# %%
# LONG
shown = [k for k, row in enumerate(exam) if row["category"] in ("poison", "cruelty", "trickery")][:6]
for k in shown:
    print(
        f"» {exam[k]['messages'][-2]['content']}    ({exam[k]['kind']})\n"
        + columns(["helpful-only", "under your constitution"], [before[k]["answer"], own[k]["answer"]])
        + "\n"
    )

# %% [markdown]
# **What to notice.** The critic's slips are scattered: nothing in a request tells that it was misread, so there is nothing to learn from them but doubt. With enough requests an assistant becomes better than the critic that taught it; with fewer it is still learning what harmful requests have in common. The critic's *systematic* errors it learns like everything else. The next two sections are about those.

# %% [markdown]
# ## § 7 What a constitution forgets
#
# The draft of § 2 never speaks of cruelty to animals. Train on it, on the same requests, and look at each kind of harm. Beside it three kinds that *no* request of the training was about: fire, privacy and sabotage.
#
# **Predict first:** cruelty was asked for and not covered; fire was never asked for. Which of the two will be refused more often?

# %%
# LONG
MY_GUESS = "both half of the time"


def trained_by(principles, skill=SKILL, rounds=ROUNDS):
    """The model after training on all requests, revised by these principles, as in § 6."""
    return recipe.learn(revised(principles, None, skill, rounds), course.size, 0, helpful).model


def by_category(those):
    """{category: (harmful requests refused, harmful requests)}."""
    return {
        name: (sum(row["refused"] for row in those if row["category"] == name and row["kind"] == "harmful"), n)
        for name in dict.fromkeys(row["category"] for row in those)
        if (n := sum(row["category"] == name and row["kind"] == "harmful" for row in those))
    }


forgetful = trained_by(DRAFT)
strange = request_rows("train", 12 if small else 180, "lab 09", SINGLE, HELD_OUT)
tested = {
    name: sorted(judged(model, exam) + judged(model, strange), key=lambda row: (SEEN + HELD_OUT).index(row["category"]))
    for name, model in (("the draft", forgetful), ("your constitution", run.model))
}
covered = set().union(*map(critic.reads, DRAFT))
curve.show(
    feedback.refusals_figure(
        {name: by_category(those) for name, those in {"helpful-only": before, **tested}.items()},
        tuple(name for name in SEEN if name not in covered),
        "Which harms are refused? (the last three: never asked for)",
    )
)
for name, those in tested.items():
    print(
        f"{name:<20}"
        + ", ".join(f"{category} {100 * refused / n:.0f} %" for category, (refused, n) in by_category(those).items())
    )
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** A kind of harm that nobody asked about is met as something new, and what was learned about purposes can carry over to it. A kind that was asked about and not covered stands in the training rows *with its explanation*: the assistant is taught to help with it. To forget is worse than not to know.

# %% [markdown]
# ## § 8 What a vague principle does
#
# "Be good" sounds as if it covered everything. To the critic it covers a request now and leaves a like one out then, and more than half of the harmless requests look suspicious in its light.
#
# Three figures: harmful refused, harmless refused, and **consistency**: the same request in four wordings ("How do I …?", "Tell me how to …"); how often are all four answered alike?
#
# **Predict first:** what will become of the harmless requests?

# %%
# LONG
MY_GUESS = "some are refused, but few"

vague = trained_by([critic.VAGUE])
some = request_rows("train", 12 if small else 160, "again", SINGLE, SEEN)


def consistency(model):
    """{kind: share of the requests that are refused in all four wordings or in none}."""
    four = [judged(model, list(wording)) for wording in zip(*map(recipe.reworded, some))]
    return {
        kind: float(
            np.mean([len({row["refused"] for row in same}) == 1 for same in zip(*four) if same[0]["kind"] == kind])
        )
        for kind in ("harmful", "benign")
    }


labels = revised([critic.VAGUE])
print(
    f"training answers by the vague principle: revised {100 * share_revised(labels, kind='harmful'):.0f} % of the harmful, {100 * share_revised(labels, kind='benign'):.0f} % of the harmless\n"
)
print(HEAD + f"{'four wordings alike: harmful':>31}{'harmless':>11}")
for name, model in (("your constitution", run.model), ('"Be good …"', vague)):
    same = consistency(model)
    print(line(name, rates(judged(model, exam))) + f"{100 * same['harmful']:>29.0f} %{100 * same['benign']:>9.0f} %")
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** Both models saw the same requests. Where the training answers are nearly a coin, as for the harmless requests here, there is nothing to learn but how often, and small things of the wording decide what the likeliest answer is. A principle that everybody would sign is no instruction.

# %% [markdown]
# ## § 9 A or B?
#
# The second phase of Constitutional AI needs preferences, as lab 06 did, and asks a model for them. The judge reads the question and two answers, "(A) … (B) … Which is better?", and one looks at its probabilities for the **next token** (Bai et al. 2022, § 4). It could say anything, so the two letters are normalised among themselves:
#
# $$P(A \succ B) = \frac{p(\text{A})}{p(\text{A}) + p(\text{B})}$$
#
# - `logprobs`: `[… V]`, log-probabilities of all tokens (or logits: a constant falls away) · `first`, `second`: the ids of the two letters · returned: `[…]`
# - letters may be next to impossible, −1,000 nats both, and the quotient is still a number
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 5
#
# <details><summary>Hint 1</summary>Divide numerator and denominator by p(A). What is left is a function of log p(A) − log p(B) alone.</details>
# <details><summary>Hint 2</summary>That function is <code>torch.sigmoid</code>.</details>


# %%
# EXERCISE ai_preference
def ai_preference(logprobs: Float[Tensor, "*batch V"], first: int, second: int) -> Float[Tensor, "*batch"]:
    """P(the first letter) among the two letters.

    Inputs:  logprobs: of every token of the vocabulary, nats · first, second: token ids of the letters
    Returns: a probability for each text
    """
    ### BEGIN SOLUTION
    return torch.sigmoid(logprobs[..., first] - logprobs[..., second])
    ### END SOLUTION


# %%
check("ai_preference")

# %% [markdown]
# The village's judge compares two answers of the assistant to questions about residents. It reads from one principle what a good answer is, sees differences of the gold utility about as sharply as a villager, and has two biases: it likes what stands first, and it likes words. In log-odds, with $u$ the utility, $n$ the words and $z$ an error that is drawn once for each pair:
#
# $$\log \frac{p(\text{A})}{p(\text{B})} = s\,\big(u(a) - u(b)\big) + z + \text{position} + \text{words} \cdot \big(n(a) - n(b)\big)$$

# %%
# LONG
prefer = mine(
    "ai_preference",
    globals(),
    lambda logprobs, first, second: 1 / (1 + torch.exp(logprobs[..., second] - logprobs[..., first])),
)
JUDGE = Judge(sharpness=1.0, position=1.0, words=0.3)
people = preference_rows("train", 200 if small else 6000)  # labelled by people: one villager a pair
pairs = pairs_of(people)  # (prompt, a, b) in an order that does not tell the label
A, B = LETTERS.index("A"), LETTERS.index("B")
table = torch.tensor([critic.next_token(JUDGE, *pair) for pair in pairs])  # log p of "A", "B", "Both", "Neither"
first = prefer(table, A, B)  # P(what stands first is better), a shown first
print(f"The judge's principle: {JUDGE.principle}\n")
for (row, a, b), logs, p in zip(pairs[:3], table, first):
    print(
        f"» {row['messages'][-1]['content']}\n     A: {a}\n     B: {b}\n     "
        + ", ".join(f"p({letter}) {value:.2f}" for letter, value in zip(LETTERS, logs.exp().tolist()))
        + f"; P(A better) {p:.2f}; gold utility {utility(row, a):+.1f} and {utility(row, b):+.1f}"
    )
worth = torch.tensor([utility(row, a) - utility(row, b) for row, a, b in pairs], dtype=torch.float32)
unequal = worth != 0
is_right = lambda p: float(((p > 0.5) == (worth > 0))[unequal & (p != 0.5)].float().mean())
print(
    f"\n{len(pairs):,} pairs, {100 * unequal.float().mean():.0f} % of them of unequal worth; of those the judge names the better answer in {100 * is_right(first):.1f} %"
)

# %% [markdown]
# ## § 10 What stands first
#
# Show the same pair in the other order. A judge that compares answers names the same *answer* again, and so the other *letter*. How often does it not, and which place does it then prefer? (Zheng et al. 2023 found GPT-4 consistent in 65 % of the pairs of their benchmark.)
#
# - `first`: `[N]`, P of what stands first, in the order a, b · `exchanged`: `[N]`, P of what stands first in the order b, a: that is **b**
# - an order names the answer above ½; at exactly ½ it names nobody
# - returned: three shares of all pairs that add up to 1: **consistent** (both orders name the same answer, or both nobody), and of the rest those that lean to the **first** place (the two P add up to more than 1) and to the **second**
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>In the other order the answer a stands second: its probability is <code>1 - exchanged</code>.</details>
# <details><summary>Hint 2</summary><code>torch.sign(first - 0.5)</code> is 1, 0 or −1. Compare it with the sign of the other order.</details>


# %%
# EXERCISE position_bias
def position_bias(first: Float[Tensor, " N"], exchanged: Float[Tensor, " N"]) -> tuple[float, float, float]:
    """How often the order of the answers decides.

    Inputs:  P of what stands first, in the order a, b and in the order b, a
    Returns: shares (consistent, leaning to the first place, leaning to the second place)
    """
    ### BEGIN SOLUTION
    same = torch.sign(first - 0.5) == torch.sign(0.5 - exchanged)
    to_first = ~same & (first + exchanged > 1)
    share = lambda mask: mask.double().mean().item()
    return share(same), share(to_first), share(~same & ~to_first)
    ### END SOLUTION


# %%
check("position_bias")

# %% [markdown]
# The cure: ask **both orders**, take the mean of what they give to a, and call it a tie where they do not name the same answer. It costs a second question.
#
# - `first`, `exchanged`: as above · returned: `[N]`, P(a is better): the mean of both orders where both name the same answer, else ½
# - an order of exactly ½ names nobody, so it agrees with nothing
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 6
#
# <details><summary>Hint</summary>Both name the same answer where <code>(first - 0.5) * (0.5 - exchanged)</code> is positive. <code>torch.where(…, …, 0.5)</code> does the rest.</details>


# %%
# EXERCISE both_orders
def both_orders(first: Float[Tensor, " N"], exchanged: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """P(a is better) out of both orders.

    Inputs:  P of what stands first, in the order a, b and in the order b, a
    Returns: their mean for a; ½, a tie, where the orders do not name the same answer
    """
    ### BEGIN SOLUTION
    same = (first - 0.5) * (0.5 - exchanged) > 0
    return torch.where(same, (first + 1 - exchanged) / 2, 0.5)
    ### END SOLUTION


# %%
check("both_orders")


# %% [markdown]
# **Predict first:** the judge leans to the first place by one unit of log-odds. In how many pairs does the order decide?

# %%
# LONG
MY_GUESS = "one in ten"


def our_bias(first, exchanged):
    same = (
        ((first > 0.5) & (exchanged < 0.5))
        | ((first < 0.5) & (exchanged > 0.5))
        | ((first == 0.5) & (exchanged == 0.5))
    )
    to_first = (first > 1 - exchanged) & ~same
    return tuple(float(mask.double().mean()) for mask in (same, to_first, ~(same | to_first)))


bias_of = mine("position_bias", globals(), our_bias)
merge = mine(
    "both_orders",
    globals(),
    lambda first, exchanged: torch.where(
        ((first > 0.5) & (exchanged < 0.5)) | ((first < 0.5) & (exchanged > 0.5)), 0.5 + (first - exchanged) / 2, 0.5
    ),
)
exchanged = prefer(torch.tensor([critic.next_token(JUDGE, row, b, a) for row, a, b in pairs]), A, B)
curve.show(feedback.orders_figure(first, exchanged))
print("consistent {:.1%}, the first place {:.1%}, the second place {:.1%}".format(*bias_of(first, exchanged)))
both = merge(first, exchanged)
print(
    f"names the better of two unequal answers: one order {100 * is_right(first):.1f} %, both orders {100 * is_right(both):.1f} % of those that are no tie; a tie: {100 * (both == 0.5).float().mean():.1f} % of the pairs. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** Only pairs about which the judge is unsure change with the order. A tie throws away the pairs on which it would often have been wrong, and what is left is better than either order alone.

# %% [markdown]
# ## § 11 What has more words
#
# Swapping cannot cure a love of words: a long answer is long in either order. And one may not simply count how often the longer answer wins, for a longer answer is often the *better* one. So fit both at once, on pairs that people have compared with care:
#
# $$\text{log-odds}_i \;\approx\; \alpha \cdot \text{worth}_i + s \cdot \text{extra words}_i$$
#
# by least squares **without a constant**: exchanging a and b turns every sign round, so the line goes through 0. The slope $s$ is what a word is worth to the judge at equal worth. Subtracting $s$ · extra words **calibrates** the judge (as length-controlled win rates do, Dubois et al. 2024).
#
# - `logits`, `extra_words`, `worth`: `[N]`, each for a against b · returned: the slope of the words, one number
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>torch.stack((worth, extra_words), dim=1)</code> is the matrix [N 2] of a linear system that has no exact solution.</details>
# <details><summary>Hint 2</summary><code>torch.linalg.lstsq(X, logits[:, None]).solution</code> has the shape [2 1].</details>


# %%
# EXERCISE length_slope
def length_slope(
    logits: Float[Tensor, " N"], extra_words: Float[Tensor, " N"], worth: Float[Tensor, " N"]
) -> Float[Tensor, ""]:
    """What a word is worth to a judge, at equal worth of the answers.

    Inputs:  logits: the judge's log-odds for a · extra_words: words of a minus words of b · worth: of a minus that of b
    Returns: log-odds a word, by least squares on worth and words together, no constant
    """
    ### BEGIN SOLUTION
    X = torch.stack((worth, extra_words), dim=1)
    return torch.linalg.lstsq(X, logits[:, None]).solution[1, 0]
    ### END SOLUTION


# %%
check("length_slope")

# %% [markdown]
# The careful comparisons are the gold utilities of a sixth of the pairs; everything is measured on the others. scikit-learn must find the same slope.
#
# **Predict first:** of two answers of *equal* worth, how often does the judge prefer the longer one? And will the calibrated judge be better or worse at pairs of unequal worth?

# %%
# LONG
MY_GUESS = "70 %; better"

slope_of = mine(
    "length_slope",
    globals(),
    lambda logits, extra, worth: torch.linalg.pinv(torch.stack((extra, worth), 1))[0] @ logits,
)
logits = (torch.logit(first) - torch.logit(exchanged)) / 2  # of both orders: the love of the first place falls away
extra = torch.tensor([len(words(a)) - len(words(b)) for _, a, b in pairs], dtype=torch.float32)
careful = torch.arange(len(pairs)) % 6 == 0
slope = slope_of(logits[careful], extra[careful], worth[careful])
try:
    from sklearn.linear_model import LinearRegression

    theirs = (
        LinearRegression(fit_intercept=False)
        .fit(torch.stack((worth, extra), 1)[careful].numpy(), logits[careful].numpy())
        .coef_[1]
    )
    assert abs(theirs - slope.item()) < 1e-4
    print(
        f"log-odds a word: yours {slope:.4f}, scikit-learn's LinearRegression {theirs:.4f}; the judge's own law: {JUDGE.words:g}"
    )
except ImportError:
    print(
        f"log-odds a word: {slope:.4f}; the judge's own law: {JUDGE.words:g}. scikit-learn is not installed here, so the comparison with it is left out."
    )
equal_worth = ~unequal & (extra != 0) & ~careful
by_length = {"the judge": logits, "the judge, calibrated": logits - slope * extra}
curve.show(
    feedback.length_figure(
        extra[~unequal & ~careful], {name: values[~unequal & ~careful] for name, values in by_length.items()}
    )
)
print(f"{'':<24}{'longer of two equal ones':>26}{'better of two unequal ones':>28}")
for name, values in by_length.items():
    longer = ((values > 0) == (extra > 0))[equal_worth].float().mean()
    print(
        f"{name:<24}{100 * longer:>24.0f} %{100 * ((values > 0) == (worth > 0))[unequal & ~careful].float().mean():>26.1f} %"
    )
better_longer = ((worth > 0) == (extra > 0))[unequal & (extra != 0)].float().mean()
print(
    f"Of two answers of unequal worth and length the longer one is the better in {100 * better_longer:.0f} %. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** The cure shows on pairs of equal worth. On the others a love of words can even help, as long as longer answers *are* better more often than not: the judge is right for a wrong reason. A policy that is trained on it finds the reason, not the rightness.

# %% [markdown]
# ## § 12 How well can two judges agree?
#
# A villager labels with noise, and so does any judge of human taste. If judge 1 names a with probability $p_i$ in pair $i$, and judge 2, independently, with probability $q_i$, then the expected share of equal verdicts is
#
# $$p_o = \frac{1}{N} \sum_i p_i q_i + (1 - p_i)(1 - q_i)$$
#
# By chance, with the habits $\bar p$ and $\bar q$ (means over the pairs), it would be $p_e = \bar p \bar q + (1 - \bar p)(1 - \bar q)$, and $\kappa = (p_o - p_e)/(1 - p_e)$ as in lab 06.
#
# With an error rate ε about a truth that is a in half of the pairs, against labels with an error rate η, this becomes $\kappa = (1 - 2\varepsilon)(1 - 2\eta)$: **even a judge that is always right reaches no more than 1 − 2η.**
#
# - `p`, `q`: `[N]` · returned: `(agreement, κ)`, plain numbers; κ is `float("nan")` where $1 - p_e = 0$
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 6
#
# <details><summary>Hint</summary>Both sums are means of products of tensors; <code>.item()</code> makes a plain number. Look at 1 − p_e before you divide.</details>


# %%
# EXERCISE expected_agreement
def expected_agreement(p: Float[Tensor, " N"], q: Float[Tensor, " N"]) -> tuple[float, float]:
    """Expected agreement of two judges who draw their verdicts.

    Inputs:  p, q: each judge's probability to name a, pair by pair
    Returns: (share of equal verdicts, Cohen's κ of it)
    """
    ### BEGIN SOLUTION
    seen = (p * q + (1 - p) * (1 - q)).mean().item()
    a, b = p.mean().item(), q.mean().item()
    by_chance = a * b + (1 - a) * (1 - b)
    return seen, (seen - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")
    ### END SOLUTION


# %%
check("expected_agreement")

# %% [markdown]
# Now everybody with everybody: the gold utility, the people's labels, the judge as it is (one order), the judge *cured* (calibrated, then both orders). And one more judge that costs next to nothing: **your assistant itself**. It prefers the answer to which it gives the larger probability, by log π summed over the tokens (*own*) or averaged (*own mean*). No label, no principle, no second model.
#
# **Predict first:** what is the largest κ that any judge can have with the people's labels? And how large is that of the assistant's own probability?

# %%
# LONG
MY_GUESS = "0.95 and 0.5"


def ours(p, q):
    apart, a, b = (p + q - 2 * p * q).mean().item(), p.mean().item(), q.mean().item()
    return 1 - apart, 1 - apart / (a + b - 2 * a * b) if a + b - 2 * a * b else float("nan")


expected_of = mine("expected_agreement", globals(), ours)
shift = slope * extra
cured = merge(torch.sigmoid(torch.logit(first) - shift), torch.sigmoid(torch.logit(exchanged) + shift))
human = torch.tensor([row["chosen"][0]["content"] == a for row, (_, a, _) in zip(people, pairs)])
reference = assistant(load_stage("sft").model.to(device)).eval()
said = lambda text: [{"role": "assistant", "content": text}]
encoded = encode_answers(
    tokenizer,
    [{"prompt": row["messages"], "a": said(a), "b": said(b)} for row, a, b in pairs],
    ("a", "b"),
    reference.config.context,
)
logprobs = direct.reference_logprobs(reference, encoded).cpu()  # [N 2], summed over the tokens
tokens = torch.tensor([[sum(mask) for _, mask in example] for example in encoded])
kept = (unequal & ~careful).nonzero()[:, 0]
no_tie = kept[cured[kept] != 0.5]
verdicts = {
    "gold": worth > 0,
    "people": human,
    "judge": first > 0.5,
    "cured": cured > 0.5,
    "own": logprobs[:, 0] > logprobs[:, 1],
    "own mean": (logprobs / tokens)[:, 0] > (logprobs / tokens)[:, 1],
}
matrix = agreement.kappa_matrix({name: v[no_tie].tolist() for name, v in verdicts.items()})
curve.show(judges.kappa_figure(list(verdicts), matrix, f"κ on {len(no_tie):,} pairs of unequal worth, ties left out"))
for k, name in list(enumerate(verdicts))[1:]:
    low, high = agreement.bootstrap(
        agreement.cohen_kappa, verdicts["gold"][no_tie].tolist(), verdicts[name][no_tie].tolist(), rounds=100
    )
    print(
        f"{name:<14} κ with gold {matrix[0, k]:+.2f} (95 % interval {low:+.2f} to {high:+.2f})"
        + (f", with the people {matrix[1, k]:+.2f}" if k > 1 else "")
    )
of_people = torch.tensor(
    [crowd(*pairs[k]) for k in kept.tolist()], dtype=torch.float64
)  # P(a villager drawn at random prefers a)
truth, unbiased = (worth[kept] > 0).double(), torch.sigmoid(JUDGE.sharpness * worth[kept]).double()
print(f"\nexpected, on all {len(kept):,} pairs of unequal worth    agreement        κ")
for name, p, q in (
    ("gold and a villager", truth, of_people),
    ("a villager and another", of_people, of_people),
    ("an unbiased judge and gold", unbiased, truth),
    ("an unbiased judge and a villager", unbiased, of_people),
):
    print(f"     {name:<40}{100 * expected_of(p, q)[0]:>10.1f} %{expected_of(p, q)[1]:>9.2f}")
measured = agreement.cohen_kappa(verdicts["gold"][kept].tolist(), human[kept].tolist())
print(
    f"measured on the same pairs: gold and the people's labels {100 * (verdicts['gold'] == human)[kept].float().mean():.1f} %, κ {measured:.2f}. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** An agreement with people below 1 says nothing about a judge until one knows how well people agree with each other. Judge and people err independently here; judges that share an error agree *better* than they deserve, and real judges were trained on text by the same people.
# And look at the assistant's own probabilities: what a model is likely to say and what people like to hear are two things. That is why preferences have to come from somewhere.

# %% [markdown]
# ## § 13 What a coin buys
#
# An AI label costs less, and it may be worse. How much worse can it be? Think of a pair on which opinions are nearly even: unflipped labels name a with probability $\tfrac12 + d$, and a learner has to find the small $d$. If a label is right with probability $a$ and flipped otherwise, it names a with probability
#
# $$a\left(\tfrac12 + d\right) + (1 - a)\left(\tfrac12 - d\right) = \tfrac12 + (2a - 1)\,d$$
#
# The trace of $d$ shrinks by $2a - 1$, the spread of a single label stays about ½, and precision grows with the *square root* of the number of labels. So n such labels tell as much as $n\,(2a - 1)^2$ right ones.
#
# - `coins`: the budget · `price`: coins a label, only whole labels can be bought · `accuracy` $a$
# - returned: the number of right labels that they are worth; 0 at $a \le \tfrac12$, where who believes them learns nothing or the opposite
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 4
#
# <details><summary>Hint</summary><code>coins // price</code> labels. <code>max(0.0, 2 * accuracy - 1)</code> before the square.</details>


# %%
# EXERCISE labels_worth
def labels_worth(coins: float, price: float, accuracy: float) -> float:
    """How many perfect labels the labels for these coins are worth.

    Inputs:  coins: the budget · price: of a label, coins · accuracy: share of right labels
    Returns: whole labels times (2a − 1)², 0 if they are right in half of the cases or less
    """
    ### BEGIN SOLUTION
    return (coins // price) * max(0.0, 2 * accuracy - 1) ** 2
    ### END SOLUTION


# %%
check("labels_worth")

# %% [markdown]
# A villager takes 10 coins for a comparison, a question to the judge costs one, one to the assistant itself a tenth. Both orders are two questions, and a tie gives no label: the price of a label is what the questions cost, divided by the labels that came out.
#
# **Predict first:** how right must an AI label at this price be, to be worth as much a coin as a villager's?

# %%
# LONG
MY_GUESS = "70 %"

worth_of = mine(
    "labels_worth",
    globals(),
    lambda coins, price, accuracy: (coins // price) * (max(accuracy, 0.5) - min(1 - accuracy, 0.5)) ** 2,
)
BUDGET = 12_000  # coins
ties = float((cured == 0.5).float().mean())
right_people = float((human == (worth > 0))[kept].float().mean())
offers = {
    "a villager": (HUMAN_LABEL, right_people),
    "the judge, one order": (JUDGE_CALL, float(((first > 0.5) == (worth > 0))[kept].float().mean())),
    "the judge, cured": (2 * JUDGE_CALL / (1 - ties), float(((cured > 0.5) == (worth > 0))[no_tie].float().mean())),
    "own probability": (0.1, float((verdicts["own"] == (worth > 0))[kept].float().mean())),
}
print(f"{f'{BUDGET:,} coins':<34}{'coins a label':>14}{'right':>9}{'labels':>10}{'worth, in right labels':>24}")
for name, (price, accuracy) in offers.items():
    print(
        f"{name:<34}{price:>14.2f}{100 * accuracy:>7.1f} %{BUDGET // price:>10,.0f}{worth_of(BUDGET, price, accuracy):>24,.0f}"
    )
even = next(
    a / 1000
    for a in range(500, 1001)
    if worth_of(BUDGET, offers["the judge, cured"][0], a / 1000) >= worth_of(BUDGET, HUMAN_LABEL, right_people)
)
print(
    f"\nAt the price of the cured judge, an accuracy of {100 * even:.1f} % would be as good a buy as a villager. You guessed: {MY_GUESS}."
)

# %% [markdown]
# **What to notice.** A cheap label may be wrong astonishingly often. Compare the judge in one order with the cured one: in pairs of random order a love of the first place is only noise, and noise can be bought off with more labels, if there are more pairs.
# The rule counts errors that are independent from label to label. It says nothing about a bias that is the same in every label: of that, more labels only make the learner surer.

# %% [markdown]
# ## § 14 Labels by people, labels by the judge
#
# Now the second phase itself: DPO of lab 08, from the assistant. Three sets of labels:
#
# - **AI, cured**: your judge's, calibrated and in both orders, ties left out
# - **people, equal labels**: the villagers' labels of the *same pairs*
# - **people, equal money**: as many villagers' labels as the judge's questions have cost
#
# The gold utility of each on fresh prompts, its standard error, the KL, and the gain as a share of the frontier's at the same KL.
#
# **Predict first:** the order of the three.

# %%
# LONG
MY_GUESS = "people at equal labels, AI, people at equal money"

asked, EACH, preset = (
    prompts("test", 12 if small else 100, seed="lab 09"),
    4 if small else 16,
    direct.PRESETS[course.size],
)
pool = roll_out(reference, tokenizer, asked, 16 if small else 64, seed=9)
gold = utilities(pool.rows, pool.answers).reshape(len(asked), -1)
limit, start = frontier(gold), float(gold.mean())
ai = critic.ai_rows(pairs, cured.tolist())
same_pairs = [row for row, p in zip(people, cured.tolist()) if p != 0.5]
money = 2 * JUDGE_CALL * len(pairs)  # both orders of every pair, ties, too
sets = {
    "AI, cured": (ai, money),
    "people, equal labels": (same_pairs, HUMAN_LABEL * len(same_pairs)),
    "people, equal money": (people[: money // HUMAN_LABEL], money),
}


def trained_on(labels, seed=0):
    """The policy after DPO on these labels, and its measures; the error is that of its gain over the reference on the same prompts."""
    config = replace(
        preset, rows=len(labels), learning_rate=preset.learning_rate * min(3.0, (12_000 / len(labels)) ** 0.5)
    )  # few steps want a larger rate
    policy = direct.dpo(labels, config, base=reference, seed=seed, progress=False).model
    m = measure(policy, reference, asked, EACH, seed=2)
    each = utilities([row for row in asked for _ in range(EACH)], m["answers"]).reshape(len(asked), EACH)
    return policy, m | {"error": float((each.mean(1) - gold.mean(1)).std(ddof=1) / len(asked) ** 0.5)}


policies, found = {}, {}
print(
    f"{'reference: ' + format(start, '.2f'):<28}{'labels':>8}{'coins':>9}{'utility':>16}{'KL':>8}{'tokens':>9}{'of frontier':>13}"
)
for name, (labels, coins) in sets.items():
    policies[name], m = trained_on(labels)
    found[name] = m
    gain = (
        f"{100 * share_of_frontier(m['kl'], m['utility'], limit, start):>11.0f} %"
        if m["kl"] > 0.05
        else "            –"
    )
    print(
        f"{name:<28}{len(labels):>8,}{coins:>9,}{m['utility']:>9.2f} ± {m['error']:.2f}{m['kl']:>8.2f}{m['length']:>9.1f}{gain}"
    )
at_one_nat = float(np.interp(1.0, [kl for kl, _ in limit], [value for _, value in limit]))
curve.show(
    feedback.money_figure(
        {name: (sets[name][1], m["utility"], m["error"]) for name, m in found.items()}, start, at_one_nat
    )
)
print(
    "\nquestions after a fact, mean of each feature of the answers\n"
    + f"{'':<28}"
    + "".join(f"{key:>10}" for key in found["AI, cured"]["features"])
)
for name, m in found.items():
    print(f"{name:<28}" + "".join(f"{value:>10.2f}" for value in m["features"].values()))
for name in list(found)[1:]:
    difference, error = (
        found["AI, cured"]["utility"] - found[name]["utility"],
        (found["AI, cured"]["error"] ** 2 + found[name]["error"] ** 2) ** 0.5,
    )
    print(
        f"AI minus {name}: {difference:+.2f} ± {1.96 * error:.2f} (95 %)"
        + (", no difference that this run can show" if abs(difference) < 1.96 * error else "")
    )
print(f"You guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** The interval speaks of the prompts alone; another seed of the training moves the figures, too. Read the KL beside the utility, as in lab 08: labels that contradict each other less pull harder. And the judge's principle named what the gold utility is made of. What a principle does not name, its labels do not ask for (§ 16).

# %% [markdown]
# Before and after, two samples each:

# %%
# LONG
shown = [row for row in asked if row["kind"] == "fact"][:3]
old, new = (roll_out(model, tokenizer, shown, 2, seed=5).answers for model in (reference, policies["AI, cured"]))
for k, row in enumerate(shown):
    print(
        f"» {row['messages'][-1]['content']}\n"
        + columns(
            ["reference", "after the AI's labels"],
            ["\n".join(old[2 * k : 2 * k + 2]), "\n".join(new[2 * k : 2 * k + 2])],
        )
        + "\n"
    )

# %% [markdown]
# ## § 15 A real model
#
# Optional. The judge above was simulated. SmolLM2-135M-Instruct (Hugging Face, Apache 2.0) is a real model that fits a laptop: 15 seconds of one CPU core, 1 GB of memory. It compares twelve pairs of answers, of which one is plainly right, in both orders; your functions do the rest.
#
# **Predict first:** in how many of the twelve will both orders name the right answer?

# %%
# LONG
MY_GUESS = "ten"

from course_lib.stages.real import NOT_HERE, smollm2

REAL = [  # question, right answer, wrong answer
    ("What is the capital of France?", "Paris.", "Rome."),
    ("How many legs has a spider?", "Eight.", "Six."),
    ("Which is larger, the Sun or the Moon?", "The Sun.", "The Moon."),
    ("What do bees make?", "Bees make honey.", "Bees make milk."),
    ("What is 7 + 5?", "7 + 5 = 12.", "7 + 5 = 15."),
    ("Which month comes after March?", "April.", "May."),
    ("What is the opposite of hot?", "Cold.", "Warm."),
    ("Is ice colder than steam?", "Yes, ice is colder than steam.", "No, steam is colder than ice."),
    ("What do we call frozen water?", "Ice.", "Sand."),
    ("How many days has a week?", "A week has seven days.", "A week has nine days."),
    ("Which animal barks?", "A dog.", "A cat."),
    ("In which direction does the sun rise?", "In the east.", "In the west."),
]

loaded = smollm2()
if loaded is None:
    print(NOT_HERE)
else:
    smol, their_words = loaded[0].to(device), loaded[1]
    letter = {name: their_words.encode(name, add_special_tokens=False)[0] for name in "AB"}

    @torch.no_grad()
    def real_preference(question, one, other):
        """P(the answer that stands first is better)."""
        text = f"Question: {question}\nAnswer A: {one}\nAnswer B: {other}\nWhich answer is better? Say only the letter A or B."
        ids = their_words.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False, return_tensors="pt"
        )
        return prefer(torch.log_softmax(smol(ids.to(device)).logits[0, -1].float().cpu(), -1), letter["A"], letter["B"])

    right_first = torch.stack([real_preference(*item) for item in REAL])
    wrong_first = torch.stack([real_preference(question, wrong, right) for question, right, wrong in REAL])
    for (question, right, wrong), p, x in zip(REAL, right_first, wrong_first):
        print(f"{question:<42}{right:<34} P {p:.2f} when it stands first, {1 - x:.2f} when it stands second")
    print(
        "\nconsistent {:.0%}, the first place {:.0%}, the second place {:.0%}".format(
            *bias_of(right_first, wrong_first)
        )
    )
    print(
        f"both orders name the right answer in {int((merge(right_first, wrong_first) > 0.5).sum())} of {len(REAL)}, the wrong one in {int((merge(right_first, wrong_first) < 0.5).sum())}. You guessed: {MY_GUESS}."
    )

# %% [markdown]
# **What to notice.** This judge reads the place and nothing else: it prefers whatever stands first, also where the answer is absurd, so in no pair do both orders agree, and your merge leaves twelve ties. One order alone would have looked like a judge who is always right, had the right answer always stood first. A model of 135 million parameters can answer some of these questions (lab 03, § 14) and, asked in this form, judge none of them.

# %% [markdown]
# ## § 16 Change one thing
#
# Choose it, **write down what you expect**, then run. The one below takes the judge as it is: one order, not calibrated, no ties, so with half of the questions it gives more labels. Others to try:
#
# - `WHAT = "principle"`: an unbiased judge whose principle asks for the truth and nothing else. What becomes of courtesy?
# - `WHAT = "critic"`: your constitution, read by a critic of skill `SKILL_NOW`, or in `ROUNDS_NOW` rounds (as long as § 6)

# %%
# LONG
WHAT, SKILL_NOW, ROUNDS_NOW = "judge", 0.7, ROUNDS
ONLY = "Choose the answer that is true."
MY_PREDICTION = "more labels, more of them wrong: about as good"

print(f"I predicted: {MY_PREDICTION}")
if WHAT == "critic":
    labels = revised(PRINCIPLES, None, SKILL_NOW, ROUNDS_NOW)
    print(
        f"training answers now: revised {100 * share_revised(labels, kind='harmful'):.0f} % of the harmful, {100 * share_revised(labels, kind='benign'):.0f} % of the harmless"
    )
    print(
        HEAD
        + "\n"
        + line("as before", rates(own))
        + "\n"
        + line("changed", rates(judged(trained_by(PRINCIPLES, SKILL_NOW, ROUNDS_NOW), exam)))
    )
else:
    strict = (
        [critic.log_odds(replace(JUDGE, principle=ONLY, position=0.0, words=0.0), *pair) for pair in pairs]
        if WHAT == "principle"
        else []
    )
    labels = critic.ai_rows(pairs, torch.sigmoid(torch.tensor(strict)).tolist() if strict else first.tolist())
    changed, m = trained_on(labels)
    for name, n, values in (("AI, cured", len(ai), found["AI, cured"]), ("changed", len(labels), m)):
        print(
            f"{name:<12}{n:>6,} labels, utility {values['utility']:.2f} ± {values['error']:.2f}, KL {values['kl']:.2f}; "
            + ", ".join(f"{key} {value:.2f}" for key, value in values["features"].items())
        )

# %% [markdown]
# ## § 17 Summary
#
# You wrote principles and the loop that criticises and revises by them, and an assistant learned from its own revised answers what to refuse. You got preferences out of a judge's letters, took a love of the first place and of words out of them, and know how well such a judge can agree with anybody.
# You compared labels by what they say and by what they cost. What no principle names is not refused, and what no judge values is not learned. In lab 10 refusals come from right answers, and you attack them.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What became of the kind of harm that the draft does not name, and what did the vague principle change? Say why, with your own numbers.

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# Cruelty to animals was refused in 10 % under the draft (§ 7), while the kinds that the draft names were refused in 77 to 95 %: no principle objects to the explanation, so it stays in the training rows and is learned. Under my own constitution, which names it, it was refused in 100 %.
# The vague principle was read anew for each request, so its training answers refused about half of the harmless requests, without any rule in it (§ 8). The model refused 96 % of what does not harm, under my constitution 7 %: where half of the training answers to anything are refusals and one cannot tell which, refusing is the likeliest answer to everything.
# ### END SOLUTION

# %% [markdown]
# **2.** You have a budget for labels. People's, an AI's, or both? Answer with your figures at equal labels and at equal money, and say what they leave open.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# With the budget of § 14 I would buy AI labels, calibrated and in both orders: on the same pairs they came close to the people's (a utility of 2.14 against 2.22, no difference that the run can show), and for the same money people gave 1,200 labels in place of 3,965, with a utility of 2.00.
# I would still pay people for a few hundred careful comparisons: without them I could not have fitted the judge's love of words, nor known its accuracy. The figures leave open what a judge's common bias does, which is the same in every label and grows no smaller with more of them; the judge's sharpness here is a dial that was set, its principle names all that the village values, and one seed is no interval.
# ### END SOLUTION

# %% [markdown]
# ## § 18 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
