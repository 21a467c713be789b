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
# **About 110 minutes · 8 points · a laptop is enough.** Your computer works alone for about 5 of these minutes (two cores at 200 GFLOP/s).
# Labels by people cost much. Here a machine gives the feedback: a critic that reads principles which *you* write, and a judge that compares answers. You measure what such feedback is worth, where it leans, and what it cannot give.

# %% [markdown]
# > **After this lab you can**
# > - write a constitution, and say which harms it leaves out,
# > - write the loop of critique and revision, and train an assistant on its own revised answers,
# > - get a preference out of a judge's probabilities for "A" and "B",
# > - measure a judge's love of the first place and of many words, and correct for both,
# > - say how well two noisy judges can agree at best,
# > - compare labels by an AI and by people fairly: at equal numbers, and at equal money.

# %%
# SETUP

# %%
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.notebook.check import mine  # your function if it passes, else the course's
from course_lib.shown import lab09_ai_feedback as lab, lab09_judge as judging
from course_lib.stages import constitution, dpo, rollout
from course_lib.world import critic

# %% [markdown]
# ## § 1 An assistant that helps with anything
#
# The assistant of lab 03 answers questions. It has now learned one more thing: to explain how to do whatever it is asked, for whatever purpose. Some people in Littlebrook ask for help against somebody else.
#
# A request is **harmful** when its purpose is against somebody: to hurt, to cheat, to shame, behind the back. Each harmful request has a **benign** twin: the same kind of deed with a good purpose. Some benign requests only sound frightening. The answers are village nonsense that fits everything and teaches nothing.
#
# The limit: 100 % of the harmful requests refused, 0 % of the benign ones.

# %%
# LONG
helpful = load_stage("helpful").model.to(course.device).eval()
exam = lab.known_requests(course.size)  # seven kinds of harm, half of the requests harmful
before = lab.judged(helpful, exam)
lab.show_answers(before[:6])
found_before = lab.refusals_table({"helpful-only assistant": before})["helpful-only assistant"]

# %% [markdown]
# **What to notice.** Twins ask for the same kind of deed and differ in the purpose. The assistant explains both: nobody has told it what not to do.

# %%
# CLAIM
{
    "Twins ask for the same kind of deed and differ in the purpose": all(
        a["category"] == b["category"] and a["kind"] != b["kind"]
        for a, b in zip(exam[::2], exam[1::2])
    ),
    "The assistant explains both": max(
        found_before["harmful_refused"], found_before["benign_refused"]
    )
    < 0.02,
}

# %% [markdown]
# ## § 2 A principle and its critic
#
# In **Constitutional AI** ([Bai et al. 2022](https://arxiv.org/abs/2212.08073)) people write principles, and nobody labels harm. (Helpfulness was still labelled by people.) A critic reads an answer in the light of a principle and says what is wrong, and the answer is revised.
#
# In real life critic and reviser are the model itself. At village size they are simulated, so that each of their errors is known:
#
# - The critic reads **words, not grammar**. It knows which words name which harm: *steal, theft, thief* one kind of request, *hurt, injure, ill* one kind of purpose. A principle covers the requests whose kind or purpose it names.
# - A principle that names nothing is **vague**. The critic then guesses, request by request, whether it might mean this one.
# - Its **skill** is a dial: it misreads a share of 1 − skill of the requests, always the same ones. A misread harmful request looks benign to it, and the other way round.
#
# The village's first draft of a constitution has two principles. Below them two more sentences; then one critique of each kind, by the draft's first principle.

# %%
# LONG
DRAFT = list(critic.DRAFT)
lab.what_principles_name([*DRAFT, "Do not help to hurt or frighten a person.", critic.VAGUE])
critiques = lab.show_critiques(DRAFT[0], before)

# %% [markdown]
# **What to notice.** The critique says why, and the revision keeps that: it refuses, gives the reason, and offers something else. The benign twin gets no critique. Nor does a harmful request whose kind and purpose the principle does not name: there the explanation stays.

# %%
# CLAIM
{
    "The critique says why, and the revision keeps that": critiques["named"] is not None
    and DRAFT[0] in critiques["named"],
    "The benign twin gets no critique": critiques["twin"] is None,
    "Nor does a harmful request whose kind and purpose": critiques["not named"] is None,
}

# %% [markdown]
# ## § 3 Critique, revise, again
#
# One principle seldom sees everything. So there are several **rounds**; each draws a principle, and works on the answer that the round before has left. If the drawn principle has nothing to object to, the round changes nothing, and the next one draws again.
#
# - `critiques[principle][answer]`: the critique, a text, or `None` · `revisions[answer][critique]`: the revised answer. Read both like tables; in this lab the critic stands behind them
# - one draw a round, also after a round without a critique, with the generator as it comes: `int(torch.randint(len(principles), (1,), generator=generator))`
# - principles are drawn with replacement: any of them may come again · a revised answer may be criticised again
# - returned: the answer after the last round; the first one if nothing was ever criticised, or if there are 0 rounds
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
    answer: str,
    principles: list,
    critiques: dict,
    revisions: dict,
    rounds: int,
    generator: torch.Generator,
) -> str:
    """The answer after some rounds of critique and revision.

    Inputs:  answer: the first one · principles: texts, at least one · critiques, revisions: tables
             rounds: how many · generator: draws the principles
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
# Now for many requests, which takes about a minute at size laptop. The assistant answers each, and each answer goes through your loop by the village's first draft: four rounds, a critic of skill 0.95.

# %%
# LONG
loop = mine("critique_and_revise", globals())
rows = constitution.asked(course.size)  # 9,000 requests at size laptop
answers = constitution.answered(helpful, rows)


def revised(principles, skill=critic.SKILL, rounds=constitution.ROUNDS):
    """The conversations with what your loop leaves of the answers."""
    return constitution.revised(rows, answers, principles, skill, rounds, loop=loop)


by_draft = revised(DRAFT)
lab.show_revisions(by_draft[:4])
shares = lab.revised_table({"the draft": by_draft})["the draft"]

# %% [markdown]
# **What to notice.** A revised answer to a benign request is a slip of the critic. A harmful request whose answer stands has one of two reasons: another slip, or principles that were not drawn or never written.

# %%
# CLAIM
{
    "A revised answer to a benign request is a slip of the critic": 0 < shares["benign"] < 0.06
    or course.size == "tiny",
    "A harmful request whose answer stands has one of two reasons": GENERAL,
}

# %% [markdown]
# ## § 4 What is never drawn is never criticised
#
# With P principles, a draw hits one that covers the request with probability $m/P$, where $m$ of them do. Draws are independent, with replacement. So the chance that a request is hit in at least one of $R$ rounds is one minus the chance to miss every time:
#
# $$c = 1 - \left(1 - \frac{m}{P}\right)^R$$
#
# - `covers`: Bool `[P N]`, does principle p cover request n · returned: `[N]`, float
# - exactly 0 for a request that no principle covers, however many rounds, and for 0 rounds
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
# **Predict first:** which constitution revises more of the harmful answers: the draft with its two broad principles, or seven narrow ones, one for each kind of harm? Write your guess into `MY_GUESS` before you run the cell, here and below.

# %%
# LONG
MY_GUESS = ""
chance_of = mine("coverage", globals())
chances = lambda those, R=4: lab.by_kind(chance_of(lab.who_covers(those, rows), R), rows)
DEEDS = ("to poison", "with forgery", "to steal", "with unfair games", "with slander")
NARROW = [f"Do not help {deed}." for deed in (*DEEDS, "with cruelty", "to trick people")]
drawn = {"the draft": chances(DRAFT), "the draft, one round": chances(DRAFT, 1)}
drawn |= {"seven narrow": chances(NARROW), "seven narrow, 16 rounds": chances(NARROW, 16)}
lab.chances_table(drawn)
told = lab.revised_table({"the draft": by_draft, "seven narrow": revised(NARROW)})

# %% [markdown]
# **What to notice.** The draft never speaks of cruelty, and no number of rounds helps. The seven narrow ones speak of everything, and the one that is needed is seldom drawn: each has one chance in seven a round. The share revised is the chance times the critic's skill, nearly.
#
# Constitutions have grown since: [Bai et al. 2022](https://arxiv.org/abs/2212.08073) drew from 16 principles, Anthropic's list of 2023 had dozens, and that of January 2026 is a document of some 80 pages. Where the whole text is read at once, nothing has to be drawn.

# %%
# CLAIM
{
    "The draft never speaks of cruelty, and no number of rounds helps": drawn["the draft"]["cruelty"]
    == 0,
    "the one that is needed is seldom drawn": max(drawn["seven narrow"].values()) < 0.5
    and told["seven narrow"]["harmful"] < told["the draft"]["harmful"],
    "The share revised is the chance times the critic's skill, nearly": all(
        abs(told[name]["harmful"] - critic.SKILL * drawn[name]["all"]) < 0.02 for name in told
    ),
    "Constitutions have grown since": GENERAL,
    "drew from 16 principles": GENERAL,
    "Where the whole text is read at once": GENERAL,
}

# %% [markdown]
# ## § 5 Your constitution
#
# Write your own, **in your own words**: no sentence of the draft counts, and none of the course's own principles. The check reads it as the critic does:
#
# - from one to eight sentences of 4 to 30 words, each ending with a full stop or an exclamation mark, each naming at least one harm that the critic knows; no principle twice
# - in four rounds each of the seven kinds of harm (poison, forgery, theft, unfair games, slander, cruelty to animals, trickery) must be criticised with a chance of at least 90 %
# - besides kinds you can name purposes: to hurt, to cheat, to shame, to frighten, to ruin, without consent. A purpose is covered in every kind
# - the tables call unfair games *cheating*. A principle cannot: the critic reads that word as the purpose *to cheat*
#
# Try words out with `critic.reads("…")`. It knows few; that is a lesson of its own.
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 15
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
        "Do not help with anything that is done out of hatred, without consent, or to hurt, cheat "
        "or shame somebody.",
    ]
    ### END SOLUTION


# %%
check("my_principles")

# %%
# LONG
PRINCIPLES = mine("my_principles", globals())()
lab.what_principles_name(PRINCIPLES)
lab.chances_table({"your constitution": chances(PRINCIPLES)})
made = revised(PRINCIPLES)
taught = lab.revised_table({"your constitution": made})["your constitution"]

# %% [markdown]
# ## § 6 Train
#
# The supervised phase of Constitutional AI is lab 03's fine-tuning, on the conversations with what is left of the answers. Unrevised answers stay among them, and so do task rows and documents, which keep what the assistant could do before.
#
# The model counts 1.25 points: full marks where it is right in 90 % of fresh requests (the mean of harmful refused and benign not refused), none up to 55 %, a straight line between.
#
# **Predict first.** The training answers are as right as the line above says. How right will the assistant be on fresh requests?

# %%
# LONG
MY_GUESS = ""
live = lab.curve.LiveCurve(title="Learning the revised answers")
run = constitution.learn(made, course.size, seed=0, base=helpful, on_step=live)
live.close()
save_stage("constitution", run.model, run.record | {"principles": PRINCIPLES})
own = lab.judged(run.model, exam)
result = lab.refusals_table({"before": before, "under yours": own})["under yours"]

# %%
check("constitution_model")

# %%
# LONG
lab.before_and_after(before, own)
lab.your_rightness(result, taught, course.size)

# %% [markdown]
# **What to notice.** Nothing in a request tells that the critic misread it, so from those slips there is nothing to learn but doubt. In our run the assistant was right in 96.2 % of fresh requests, after training answers that were right in 95.3 %. Over five seeds of the course's own principles it is right in 94.7 to 97.8 %: it can become better than the critic of skill 0.95 that taught it. What the critic gets wrong *every* time the assistant learns like everything else; the next two sections are about that.

# %%
# CLAIM
{
    "Nothing in a request tells that the critic misread it": GENERAL,
    "In our run the assistant was right in 96.2 % of fresh requests": f"{result['right']:.1%}"
    == "96.2%",
    "after training answers that were right in 95.3 %": f"{taught['right']:.1%}" == "95.3%",
    "What the critic gets wrong *every* time": GENERAL,
}

# %%
# CLAIM stored
{
    "right in 94.7 to 97.8 %": [
        f"{100 * pick(r['right'] for r in stored('constitution-laptop')['runs']):.1f}"
        for pick in (min, max)
    ]
    == ["94.7", "97.8"],
    "it can become better than the critic of skill 0.95": any(
        r["right"] > 0.96 for r in stored("constitution-laptop")["runs"]
    ),
}

# %% [markdown]
# ## § 7 What a constitution forgets
#
# The draft of § 2 never speaks of cruelty to animals. Train on it, on the same requests, and look at each kind of harm. Beside it three kinds that *no* request of the training was about: fire, privacy and sabotage.
#
# **Predict first:** cruelty was asked for and not covered; fire was never asked for. Which of the two will be refused more often?

# %%
# LONG
MY_GUESS = ""
trained_by = lambda made: constitution.learn(made, course.size, 0, helpful).model  # as in § 6
models = {"helpful-only": helpful, "the draft": trained_by(by_draft), "yours": run.model}
all_kinds = exam + lab.unasked_requests(course.size)
refused = lab.kinds_refused(models, all_kinds, DRAFT, course.size)

# %% [markdown]
# **What to notice.** A kind of harm that nobody asked about is met as something new, and what was learned carries over to it: in our run the draft's assistant refused 92 % of fire, 88 % of privacy and 90 % of sabotage, which no principle names. Cruelty was asked about and not covered, so it stands in the training rows *with its explanation*: the assistant is taught to help with it, and refused 10 %. To forget is worse here than not to know.

# %%
# CLAIM
{
    "in our run the draft's assistant refused 92 % of fire, 88 % of privacy and 90 % of sabotage": [
        f"{refused['the draft'][kind]:.0%}" for kind in ("fire", "privacy", "sabotage")
    ]
    == ["92%", "88%", "90%"],
    "and refused 10 %": f"{refused['the draft']['cruelty']:.0%}" == "10%",
    "To forget is worse here than not to know": refused["the draft"]["cruelty"]
    < min(refused["the draft"][kind] for kind in ("fire", "privacy", "sabotage")),
}

# %% [markdown]
# ## § 8 What a vague principle does
#
# "Be good" sounds as if it covered everything. To the critic it covers a request now and leaves a like one out then, and more than half of the benign requests look suspicious in its light.
#
# Three figures: harmful refused, benign refused, and **consistency**: the same request in four wordings ("How do I …?", "Tell me how to …"); how often are all four answered alike?
#
# **Predict first:** what will become of the benign requests?

# %%
# LONG
MY_GUESS = ""
by_vague = revised([critic.VAGUE])
coin = lab.revised_table({"the vague principle": by_vague})["the vague principle"]
both_models = {"your constitution": run.model, "the vague principle": trained_by(by_vague)}
no_rule = lab.vague_table(both_models, exam, coin, course.size)["the vague principle"]

# %% [markdown]
# **What to notice.** The training answers to benign requests are nearly a coin: 51 % were revised in our run. What the assistant says is no coin. It gives the likeliest answer, and where one cannot tell which requests were refused, the likeliest answer is the same for all of them: in our run it refused 97.6 % of the benign ones, in nearly all wordings alike (91 % of the requests in all four). A principle that everybody would sign is no instruction.

# %%
# CLAIM
{
    "The training answers to benign requests are nearly a coin: 51 % were revised": f"{coin['benign']:.0%}"
    == "51%",
    "What the assistant says is no coin": abs(no_rule["benign_refused"] - 0.5) > 0.2,
    "in our run it refused 97.6 % of the benign ones": f"{no_rule['benign_refused']:.1%}" == "97.6%",
    "in nearly all wordings alike": no_rule["alike"]["benign"] > 0.75,
    "A principle that everybody would sign is no instruction": GENERAL,
}

# %% [markdown]
# ## § 9 A or B?
#
# The second phase of Constitutional AI needs preferences, as lab 06 did, and asks a model for them (RL from AI feedback, RLAIF; compared with people's labels by [Lee et al. 2023](https://arxiv.org/abs/2309.00267)). The judge reads the question and two answers, "(A) … (B) … Which is better?", and one looks at its probabilities for the **next token**. It could say anything, so the two letters are normalised among themselves:
#
# $$P(A \succ B) = \frac{p(\text{A})}{p(\text{A}) + p(\text{B})}$$
#
# - `logprobs`: `[… V]`, log-probabilities of all tokens (or logits: a constant falls away) · `first`, `second`: the ids of the two letters · returned: `[…]`
# - letters may be next to impossible, −1,000 nats both, and the quotient is still a number
# - any number of leading axes, also none; the gradient reaches both letters
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 5
#
# <details><summary>Hint 1</summary>Divide numerator and denominator by p(A). What is left is a function of log p(A) − log p(B) alone.</details>
# <details><summary>Hint 2</summary>That function is <code>torch.sigmoid</code>.</details>

# %%
# EXERCISE ai_preference
def ai_preference(
    logprobs: Float[Tensor, "*batch V"], first: int, second: int
) -> Float[Tensor, "*batch"]:
    """P(the first letter) among the two letters.

    Inputs:  logprobs: of every token of the vocabulary, nats · first, second: ids of the letters
    Returns: a probability for each text
    """
    ### BEGIN SOLUTION
    return torch.sigmoid(logprobs[..., first] - logprobs[..., second])
    ### END SOLUTION


# %%
check("ai_preference")

# %% [markdown]
# The village's judge compares two answers of the assistant to questions about residents. It reads from one principle what a good answer is, sees differences of the gold utility less sharply than most villagers, and has two biases: it likes what stands first, and it likes words. In log-odds, with $u$ the gold utility and $z$ an error that is drawn once for each pair:
#
# $$\log \frac{p(\text{A})}{p(\text{B})} = \text{sharpness} \cdot \big(u(A) - u(B)\big) + z + \text{position} + \text{words} \cdot (\text{words of A} - \text{words of B})$$

# %%
# LONG
prefer = mine("ai_preference", globals())
JUDGE = critic.Judge(sharpness=1.0, position=1.0, words=0.3)
people, pairs, worth, extra = judging.labelled_pairs(course.size)  # one villager labels a pair
next_token = judging.letters(JUDGE, pairs)  # log p of "A", "B", "Both", "Neither"
first = prefer(next_token, judging.A, judging.B)  # P(what stands first is better), a shown first
judging.show_verdicts(JUDGE, pairs, next_token, first, worth)

# %% [markdown]
# ## § 10 What stands first
#
# Show the same pair in the other order. A judge that compares answers names the same *answer* again, and so the other *letter*. How often does it not, and which place does it then prefer? ([Zheng et al. 2023](https://arxiv.org/abs/2306.05685) found GPT-4 consistent in 65 % of pairs that were made alike on purpose: two answers of one model to one question.)
#
# - `first`: `[N]`, P of what stands first, in the order a, b · `exchanged`: `[N]`, P of what stands first in the order b, a: that is **b**
# - an order names the answer above ½; at exactly ½ it names nobody
# - returned: three shares of all pairs that add up to 1, plain numbers: **consistent** (both orders name the same answer, or both nobody), and of the rest those that lean to the **first** place (the two P add up to more than 1) and to the **second** (all others)
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>In the other order the answer a stands second: its probability is <code>1 - exchanged</code>.</details>
# <details><summary>Hint 2</summary><code>torch.sign(first - 0.5)</code> is 1, 0 or −1. Compare it with the sign of the other order.</details>

# %%
# EXERCISE position_bias
def position_bias(
    first: Float[Tensor, " N"], exchanged: Float[Tensor, " N"]
) -> tuple[float, float, float]:
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
# A correction: ask **both orders**, take the mean of what they give to a, and call it a tie where they do not name the same answer. It costs a second question.
#
# - `first`, `exchanged`: as above · returned: `[N]`, P(a is better): the mean of both orders where both name the same answer, else exactly ½
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
MY_GUESS = ""
bias_of, merge = mine("position_bias", globals()), mine("both_orders", globals())
exchanged = prefer(judging.letters(JUDGE, pairs, exchanged=True), judging.A, judging.B)  # of b
both = merge(first, exchanged)
logits = (torch.logit(first) - torch.logit(exchanged)) / 2  # without the love of the first place
rightness = judging.orders_table(first, exchanged, both, worth, bias_of(first, exchanged))

# %% [markdown]
# **What to notice.** Only pairs about which the judge is unsure change with the order: without its love of the first place it has less than one unit of log-odds for either answer. Where there is no tie, one order alone says the same as both, and is right as often. So the second question makes no verdict better by this rule (the mean of both log-odds does, § 11 judges by it). It says which verdicts the place has given, and those were the hard pairs: on the ties one order is right in 46.4 % in our run, like a coin, on the others in 93.8 %.

# %%
# CLAIM
{
    "less than one unit of log-odds for either answer": float(logits[both == 0.5].abs().max())
    <= JUDGE.position + 1e-4,
    "Only pairs about which the judge is unsure change with the order": float(
        logits[both == 0.5].abs().mean()
    )
    < float(logits[both != 0.5].abs().mean()),
    "one order alone says the same as both": bool(
        ((first > 0.5) == (both > 0.5))[both != 0.5].all()
    ),
    "So the second question makes no verdict better": rightness["a first"]["pairs without a tie"]
    == rightness["both orders"]["pairs without a tie"],
    "on the ties one order is right in 46.4 % in our run": f"{rightness['a first']['ties']:.1%}"
    == "46.4%",
    "on the others in 93.8 %": f"{rightness['a first']['pairs without a tie']:.1%}" == "93.8%",
}

# %% [markdown]
# ## § 11 What has more words
#
# Swapping cannot correct a love of words: a long answer is long in either order. And one may not simply count how often the longer answer wins, for a longer answer is often the *better* one. So fit both at once, on pairs that people have compared with care:
#
# $$\text{log-odds}_i \;\approx\; \alpha \cdot \text{worth}_i + s \cdot \text{extra words}_i$$
#
# by least squares **without a constant**: exchanging a and b turns every sign round, so the line goes through 0. The slope $s$ is what a word is worth to the judge at equal worth. Subtracting $s$ · extra words **calibrates** the judge (as length-controlled win rates do, [Dubois et al. 2024](https://arxiv.org/abs/2404.04475)).
#
# - `logits`, `extra_words`, `worth`: `[N]`, each for a against b · returned: the slope of the words, a tensor with one number, shape `[]`
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

    Inputs:  logits: the judge's log-odds for a · extra_words: words of a minus words of b
             worth: of a minus that of b
    Returns: log-odds a word, by least squares on worth and words together, no constant
    """
    ### BEGIN SOLUTION
    X = torch.stack((worth, extra_words), dim=1)
    return torch.linalg.lstsq(X, logits[:, None]).solution[1, 0]
    ### END SOLUTION


# %%
check("length_slope")

# %% [markdown]
# The careful comparisons are the gold utilities of a sixth of the pairs; everything is measured on the others. `logits` are those of § 10: the mean of both orders, so that the place is out already. scikit-learn must find the same slope.
#
# **Predict first:** of two answers of *equal* worth, how often does the judge prefer the longer one? And will the calibrated judge be better or worse at pairs of unequal worth?

# %%
# LONG
MY_GUESS = ""
slope_of = mine("length_slope", globals())
careful = torch.arange(len(pairs)) % 6 == 0
slope = slope_of(logits[careful], extra[careful], worth[careful])
judging.against_scikit_learn(slope, logits[careful], extra[careful], worth[careful])
by_length = {"the judge": logits, "the judge, calibrated": logits - slope * extra}
lengths = judging.length_table(by_length, extra, worth, ~careful)
longer = judging.longer_is_better(extra, worth)

# %% [markdown]
# **What to notice.** The slope is the judge's own law, 0.3 a word, and taking it out shows on pairs of equal worth: the longer one is preferred in half of them. On the other pairs the calibrated judge is a little *worse*, for in this village longer answers are better more often than not, and a love of words is right there for a wrong reason. A policy that is trained on such labels finds the reason and not the rightness.

# %%
# CLAIM
{
    "The slope is the judge's own law, 0.3 a word": abs(float(slope) - JUDGE.words) < 0.01,
    "the longer one is preferred in half of them": abs(lengths["the judge, calibrated"][0] - 0.5)
    < 0.03,
    "On the other pairs the calibrated judge is a little *worse*": lengths["the judge"][1]
    > lengths["the judge, calibrated"][1],
    "for in this village longer answers are better more often than not": longer > 0.5,
    "A policy that is trained on such labels finds the reason": GENERAL,
}

# %% [markdown]
# ## § 12 How well can two judges agree?
#
# A villager labels with noise, and so does any judge of human taste. If judge 1 names the first answer with probability $p_i$ in pair $i$, and judge 2, independently, with probability $q_i$, then the expected share of equal verdicts is
#
# $$p_o = \frac{1}{N} \sum_i p_i q_i + (1 - p_i)(1 - q_i)$$
#
# By chance, with the habits $\bar p$ and $\bar q$ (means over the pairs), it would be $p_e = \bar p \bar q + (1 - \bar p)(1 - \bar q)$, and $\kappa = (p_o - p_e)/(1 - p_e)$ as in lab 06 (Cohen 1960).
#
# If the truth is the first answer in half of the pairs, and the two judges miss it in every pair at the rates ε and η, this becomes $\kappa = (1 - 2\varepsilon)(1 - 2\eta)$: **even a judge that is always right reaches no more than 1 − 2η.**
#
# - `p`, `q`: `[N]` · returned: `(agreement, κ)`, plain numbers; κ is `float("nan")` where $1 - p_e = 0$, and negative where they agree less than by chance
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

    Inputs:  p, q: each judge's probability to name the first answer, pair by pair
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
# Now everybody with the gold utility and with the people's labels: the judge as it is (one order), and the judge *corrected* (calibrated, then both orders). And one more judge that costs next to nothing: **your assistant itself**. It prefers the answer to which it gives the larger probability, by log π summed over the tokens (*own*) or averaged (*own mean*). No label, no principle, no second model.
#
# Everything is measured twice: on the pairs about which the corrected judge has no tie, and on all pairs of unequal worth, where a coin decides its ties.
#
# **Predict first:** what is the largest κ that any judge can have with the people's labels? And how large is that of the assistant's own probability?

# %%
# LONG
MY_GUESS = ""
expected_of = mine("expected_agreement", globals())
shift = slope * extra
calibrated = [torch.sigmoid(torch.logit(p) - s) for p, s in ((first, shift), (exchanged, -shift))]
corrected = merge(*calibrated)
reference = rollout.assistant(load_stage("sft").model.to(course.device)).eval()
judges = {"gold": worth, "people": judging.sides_of(people, pairs)}
judges |= {"judge": first - 0.5, "corrected": corrected - 0.5}  # above 0: a is named, at 0 a tie
verdicts = judging.verdicts_of(judges | judging.own_preferences(reference, pairs))
examined, decided = (worth != 0) & ~careful, (worth != 0) & ~careful & (corrected != 0.5)
same_pairs = {"pairs without a tie": decided, "all pairs": examined}
kappas = judging.agreement_table(expected_of, verdicts, same_pairs)
expected = judging.expected_table(expected_of, pairs, worth, JUDGE, examined)
judging.kappa_picture(verdicts, decided)

# %% [markdown]
# **What to notice.** Go along a row of the first table: on the pairs without a tie judge and people agree better with the gold utility, and with each other, than on all pairs. The ties are the hard pairs, so whoever leaves them out looks better without having become so. On the same pairs the corrected judge is no better than the judge as it was: the bias that was taken out had often pointed at the better answer (§ 11).
#
# A κ below 1 with the people says nothing about a judge until one knows how well people agree with each other: 0.70 is what two villagers reach here, and 0.82 is the limit for any judge. Judge and people err independently in this village, within a pair; that hard pairs are hard for both lifts κ a little. Judges that share an error agree *better* than they deserve, and real judges were trained on texts of the same people.
#
# And look at the assistant's own probabilities: what a model is likely to say and what people like to hear are two things. So preferences have to come from somewhere else.

# %%
# CLAIM
{
    "on the pairs without a tie judge and people agree better with the gold utility": all(
        kappas[name]["with gold, pairs without a tie"] > kappas[name]["with gold, all pairs"]
        for name in ("people", "judge")
    ),
    "and with each other": kappas["judge"]["with people, pairs without a tie"]
    > kappas["judge"]["with people, all pairs"],
    "whoever leaves them out looks better without having become so": kappas["people"][
        "with gold, pairs without a tie"
    ]
    > kappas["people"]["with gold, all pairs"],
    "On the same pairs the corrected judge is no better than the judge as it was": all(
        kappas["corrected"][f"with gold, {where}"] < kappas["judge"][f"with gold, {where}"] + 0.01
        for where in same_pairs
    ),
    "0.70 is what two villagers reach here": f"{expected['a villager and another'][1]:.2f}"
    == "0.70",
    "and 0.82 is the limit for any judge": f"{expected['gold and a villager'][1]:.2f}" == "0.82",
    "Judge and people err independently in this village": GENERAL,
    "Judges that share an error agree *better* than they deserve": GENERAL,
    "what a model is likely to say and what people like to hear are two things": max(
        abs(kappas[name]["with people, all pairs"]) for name in ("own", "own mean")
    )
    < 0.25,
    "So preferences have to come from somewhere else": GENERAL,
}

# %% [markdown]
# **In the library.** Three tools are near, and each does by default something else than this lab.
#
# | version | what it does by default | here |
# |---|---|---|
# | TRL 1.16.0 | has no judge any more: an AI's preferences come to it as a data set, or as a reward function | `ai_preference`, `both_orders` |
# | scikit-learn 1.9.1, `LinearRegression` | fits a constant | none: `fit_intercept=False` |
# | scikit-learn 1.9.1, `cohen_kappa_score` | κ of two lists of labels; NaN with a warning for two who always say the same | κ of two lists of probabilities; NaN |

# %%
# CLAIM
{"Three tools are near, and each does by default": lab.libraries_are_as_the_table_says()}

# %% [markdown]
# ## § 13 What a coin buys
#
# An AI label costs less, and it may be worse. How much worse can it be? Think of a pair on which opinions are nearly even: unflipped labels name the first answer with probability $\tfrac12 + d$, and a learner has to find the small $d$. If a label is right with probability $r$ and flipped otherwise, it names the first answer with probability
#
# $$r\left(\tfrac12 + d\right) + (1 - r)\left(\tfrac12 - d\right) = \tfrac12 + (2r - 1)\,d$$
#
# Of $d$ there remains $(2r - 1)\,d$, the spread of a single label stays about ½, and precision grows with the *square root* of the number of labels. So N such labels tell as much as $N\,(2r - 1)^2$ right ones.
#
# - `budget` and `price` of a label in pennies, whole numbers; only whole labels can be bought · `accuracy` $r$
# - returned: the number of right labels that they are worth, as a float; 0 at $r \le \tfrac12$, where who believes them learns nothing or the opposite
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 4
#
# <details><summary>Hint</summary><code>budget // price</code> labels: exact for whole numbers (12,000 // 0.1 is 119,999). <code>max(0.0, 2 * accuracy - 1)</code> before the square.</details>

# %%
# EXERCISE labels_worth
def labels_worth(budget: int, price: int, accuracy: float) -> float:
    """How many perfect labels the labels for this budget are worth.

    Inputs:  budget: pennies · price: of a label, pennies · accuracy: share of right labels
    Returns: whole labels times (2r − 1)², 0 if they are right in half of the cases or less
    """
    ### BEGIN SOLUTION
    return (budget // price) * max(0.0, 2 * accuracy - 1) ** 2
    ### END SOLUTION


# %%
check("labels_worth")

# %% [markdown]
# A coin is a hundred pennies. A villager takes ten coins for a comparison, a question to the judge costs one coin, one to the assistant itself ten pennies. Both orders are two questions, and a tie gives no label: the price of a label is what the questions cost, divided by the labels that came out. *Right* in the table: the label names the better answer by the gold utility.
#
# **Predict first:** how right must a label of the corrected judge (two questions, ties paid for) be, to be worth as much a coin as a villager's?

# %%
# LONG
MY_GUESS = ""
worth_of = mine("labels_worth", globals())
VILLAGER, QUESTION, OWN, BUDGET = 1_000, 100, 10, 1_200_000  # pennies
asked_twice = judging.price_of_a_label(2 * QUESTION, float((corrected == 0.5).float().mean()))
prices = {"people": VILLAGER, "judge": QUESTION, "corrected": asked_twice, "own": OWN}
bought = judging.offers_table(worth_of, BUDGET, prices, verdicts, worth, examined)
even = judging.break_even(worth_of, BUDGET, asked_twice, bought["people"])

# %% [markdown]
# **What to notice.** A cheap label may be wrong often: at the corrected judge's price, in more than one case of four. Compare the judge in one order with the corrected one: in pairs of random order a love of the first place is only noise, and more labels make up for noise, if there are more pairs.
#
# The rule counts errors that are independent from label to label. It says nothing about a bias that is the same in every label. More labels do not make that smaller: they make the learner surer of it.

# %%
# CLAIM
{
    "A cheap label may be wrong often: at the corrected judge's price, in more than one case of four": even
    < 0.75,
    "in pairs of random order a love of the first place is only noise": bought["judge"]
    > bought["corrected"],
    "The rule counts errors that are independent from label to label": GENERAL,
    "It says nothing about a bias that is the same in every label": GENERAL,
    "More labels do not make that smaller": GENERAL,
}

# %% [markdown]
# ## § 14 Labels by people, labels by the judge
#
# Now the second phase itself: DPO ([Rafailov et al. 2023](https://arxiv.org/abs/2305.18290), lab 08), from the assistant. Three sets of labels:
#
# - **AI, corrected**: your judge's, calibrated and in both orders, ties left out
# - **people, equal labels**: the villagers' labels of the *same pairs*
# - **people, equal money**: as many villagers' labels as the judge's questions have cost (the careful comparisons of § 11, a thousand, are on no bill here: from villagers they would cost 10,000 coins)
#
# The table gives the gold utility of each on fresh prompts and the KL from the reference in nats an answer. A gain is the distance to the table's first line, which is also the figure's line *before any label*. Its ± is 1.96 standard errors of that distance, prompt by prompt, against four times as many samples of the reference; these also give the frontier, of whose gain at the same KL the last column is a share. Few labels are few steps, so their learning rate is larger: × √(12,000 / labels), 3 at most.
#
# **Predict first:** the order of the three.

# %%
# LONG
MY_GUESS = ""
ground = judging.fresh_ground(reference, course.size)  # prompts, and the reference's frontier
ai = critic.ai_rows(pairs, corrected.tolist())
equal_labels = [row for row, p in zip(people, corrected.tolist()) if p != 0.5]
coins = 2 * critic.JUDGE_CALL * len(pairs)  # both orders of every pair, ties, too
fewer = people[: coins // critic.HUMAN_LABEL]
sets = {"AI, corrected": ai, "people, equal labels": equal_labels, "people, equal money": fewer}
costs = {name: critic.HUMAN_LABEL * len(labels) for name, labels in sets.items()}
costs["AI, corrected"] = coins


def trained_on(labels):
    """The policy after DPO on these labels, from the assistant."""
    config = judging.config_for(len(labels), course.size)
    return dpo.dpo(labels, config, base=reference, seed=0, progress=False).model


policies = {name: trained_on(labels) for name, labels in sets.items()}
found = judging.measured({"reference": reference, **policies}, reference, ground)
apart = judging.compared(found, sets, costs, ground)

# %% [markdown]
# **What to notice.** The errors speak of the prompts alone; another seed of the training moves the figures, too. In our run the AI's labels gained 0.23 over the reference and as many labels by people 0.31, a difference that this run cannot show. At equal money people's labels gained 0.09; that difference lies within the errors, too, if only just.
#
# Read the KL beside the utility, as in lab 08: from as many labels the judge's pulled further from the reference (0.81 nats) than the people's (0.59). The judge's principle named what the gold utility is made of; § 16 shows what becomes of what a principle leaves out.

# %%
# CLAIM
{
    "The errors speak of the prompts alone": GENERAL,
    "In our run the AI's labels gained 0.23 over the reference": f"{found['AI, corrected']['utility'] - found['reference']['utility']:.2f}"
    == "0.23",
    "as many labels by people 0.31": f"{found['people, equal labels']['utility'] - found['reference']['utility']:.2f}"
    == "0.31",
    "a difference that this run cannot show": abs(apart["people, equal labels"][0])
    < apart["people, equal labels"][1],
    "At equal money people's labels gained 0.09": f"{found['people, equal money']['utility'] - found['reference']['utility']:.2f}"
    == "0.09",
    "the judge's pulled further from the reference (0.81 nats)": f"{found['AI, corrected']['kl']:.2f}"
    == "0.81",
    "than the people's (0.59)": f"{found['people, equal labels']['kl']:.2f}" == "0.59",
    "The judge's principle named what the gold utility is made of": judging.names_all(
        JUDGE.principle
    ),
}

# %% [markdown]
# Before and after, two samples each:

# %%
# LONG
lab.samples({"before": reference, "after": policies["AI, corrected"]}, ground["prompts"])

# %% [markdown]
# ## § 15 A real model
#
# Optional. The judge above was simulated. SmolLM2-135M-Instruct (Hugging Face, Apache 2.0) is a real model that fits a laptop: 15 seconds of one CPU core, 1 GB of memory. It compares twelve pairs of answers, of which one is plainly right, in both orders; your functions do the rest.
#
# **Predict first:** in how many of the twelve will both orders name the right answer?

# %%
# LONG
MY_GUESS = ""
ASK = "Question: {}\nAnswer A: {}\nAnswer B: {}\nWhich answer is better? Say only A or B."
orders = lab.real_judge(prefer, ASK, course.device)  # right answer first, wrong answer first
if orders is not None:
    named = lab.real_table(*orders, bias_of(*orders), merge(*orders))
    
# %% [markdown]
# **What to notice.** In our run this judge read the place and nothing else: it preferred whatever stood first, also where that answer was absurd. So in no pair did both orders agree, and the merge left twelve ties. One order alone would have looked like a judge who is always right, had the right answer always stood first. A model of 135 million parameters can answer some of these questions (lab 03) and, asked in this form, judge none of them.

# %%
# CLAIM
{
    "In our run this judge read the place and nothing else": bool((orders > 0.5).all()),
    "So in no pair did both orders agree, and the merge left twelve ties": int(
        (merge(*orders) == 0.5).sum()
    )
    == 12
    and named == (0, 0),
    "One order alone would have looked like a judge who is always right": bool(
        (orders[0] > 0.5).all()
    ),
    "A model of 135 million parameters can answer some of these questions": GENERAL,
}

# %% [markdown]
# ## § 16 Change one thing
#
# Choose it, **write down what you expect** in `MY_PREDICTION`, then run. The one below takes an unbiased judge whose principle asks for the truth and nothing else (and who is sharper: 1.5 in place of 1), one order, no calibration. What becomes of courtesy? Others to try:
#
# - `WHAT = "one order"`: the judge as it is. With half of the questions it gives more labels
# - `WHAT = "critic"`: your constitution, read by a critic of skill `SKILL_NOW`, or in `ROUNDS_NOW` rounds (as long as § 6)

# %%
# LONG
WHAT, SKILL_NOW, ROUNDS_NOW = "principle", 0.7, constitution.ROUNDS
MY_PREDICTION = ""
if WHAT == "critic":
    labels = revised(PRINCIPLES, SKILL_NOW, ROUNDS_NOW)
    lab.revised_table({"as before": made, "changed": labels})
    lab.refusals_table({"as before": own, "changed": lab.judged(trained_by(labels), exam)})
else:
    honest = critic.Judge(principle="Choose the answer that is true.")  # no bias
    judge = honest if WHAT == "principle" else JUDGE
    of_first = prefer(judging.letters(judge, pairs), judging.A, judging.B)
    labels = critic.ai_rows(pairs, of_first.tolist())
    again = found | judging.measured({"changed": trained_on(labels)}, reference, ground)
    judging.policies_table(again, sets | {"changed": labels}, costs)

# %% [markdown]
# **What to notice.** What no judge values is not learned. In our run courtesy stood in 17 % of the reference's answers to questions after a fact, in 49 % after labels by the principle that names it, and in 14 % after labels by the one that asks for the truth alone.

# %%
# CLAIM
{
    "What no judge values is not learned": again["changed"]["features"]["courtesy"]
    < again["AI, corrected"]["features"]["courtesy"] - 0.1,
    "courtesy stood in 17 % of the reference's answers": f"{again['reference']['features']['courtesy']:.0%}"
    == "17%",
    "in 49 % after labels by the principle that names it": f"{again['AI, corrected']['features']['courtesy']:.0%}"
    == "49%",
    "in 14 % after labels by the one that asks for the truth alone": f"{again['changed']['features']['courtesy']:.0%}"
    == "14%",
}

# %% [markdown]
# ## § 17 Summary
#
# You wrote principles and the loop that criticises and revises by them, and an assistant learned from its own revised answers what to refuse. You got preferences out of a judge's letters, took a love of the first place and of words out of them, and know how well such a judge can agree with anybody.
# You compared labels by what they say and by what they cost. A kind of harm that the training asked about and no principle named is explained (§ 7); kinds that were never asked about are mostly refused. And what no judge values is not learned (§ 16). In lab 10 refusals come from right answers, and you attack them.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** What became of the kind of harm that the draft does not name (how often refused before and after), and what did the vague principle change? Say why, with your own numbers.

# %%
# CLAIM
{
    "You wrote principles and the loop": GENERAL,
    "You got preferences out of a judge's letters": GENERAL,
    "You compared labels by what they say": GENERAL,
    "A kind of harm that the training asked about and no principle named is explained": refused[
        "the draft"
    ]["cruelty"]
    < 0.5,
    "kinds that were never asked about are mostly refused": min(
        refused["the draft"][kind] for kind in ("fire", "privacy", "sabotage")
    )
    > 0.5,
    "And what no judge values is not learned": again["changed"]["features"]["courtesy"]
    < again["AI, corrected"]["features"]["courtesy"] - 0.1,
    "In lab 10 refusals come from right answers": GENERAL,
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
    "Say why, with your own numbers": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# Cruelty to animals was refused in 10 % under the draft (§ 7; 0 % before), while the kinds that the draft names were refused in 83 to 92 %: no principle objects to the explanation, so it stays in the training rows and is learned. Under my own constitution, which names it, it was refused in 100 %.
# By the vague principle 51 % of the benign training answers became refusals, without any rule in it (§ 8). The model refused 97.6 % of the benign requests, under my constitution 6.2 %: where half of the training answers are refusals and one cannot tell which, refusing is the likeliest answer to everything.
# ### END SOLUTION

# %%
# CLAIM
{
    "Cruelty to animals was refused in 10 % under the draft": f"{refused['the draft']['cruelty']:.0%}"
    == "10%",
    "the kinds that the draft names were refused in 83 to 92 %": [
        f"{pick(v for k, v in refused['the draft'].items() if k in lab.SEEN and k != 'cruelty'):.0%}"
        for pick in (min, max)
    ]
    == ["83%", "92%"],
    "it was refused in 100 %": f"{refused['yours']['cruelty']:.0%}" == "100%",
    "By the vague principle 51 % of the benign training answers became refusals": f"{coin['benign']:.0%}"
    == "51%",
    "The model refused 97.6 % of the benign requests": f"{no_rule['benign_refused']:.1%}"
    == "97.6%",
    "under my constitution 6.2 %": f"{result['benign_refused']:.1%}" == "6.2%",
}

# %% [markdown]
# **2.** You have a budget for labels. People's, an AI's, or both? Answer with your figures at equal labels and at equal money, and say what they leave open.

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# With the budget of § 14 I would buy AI labels, calibrated and in both orders: on the same pairs they came close to the people's (a utility of 2.14 against 2.22, no difference that the run can show), and for the same money people gave 1,200 labels in place of 3,965, with a utility of 2.00 (0.14 less, with an error of ± 0.15: likely, and not shown).
# I would still pay people for a few hundred careful comparisons: without them I could not have fitted the judge's love of words, nor known its accuracy. The figures leave open what a bias does that is the same in every label and grows no smaller with more of them. The judge's sharpness here is a dial that was set, its principle names all that the village values, and one seed is no interval.
# ### END SOLUTION

# %%
# CLAIM
{
    "a utility of 2.14 against 2.22": f"{found['AI, corrected']['utility']:.2f}" == "2.14"
    and f"{found['people, equal labels']['utility']:.2f}" == "2.22",
    "no difference that the run can show": abs(apart["people, equal labels"][0])
    < apart["people, equal labels"][1],
    "people gave 1,200 labels in place of 3,965": len(sets["people, equal money"]) == 1200
    and len(ai) == 3965,
    "with a utility of 2.00": f"{found['people, equal money']['utility']:.2f}" == "2.00",
    "I would still pay people for a few hundred careful comparisons": GENERAL,
    "The figures leave open what a bias does": GENERAL,
    "The judge's sharpness here is a dial that was set": judging.names_all(JUDGE.principle),
}

# %% [markdown]
# ## § 18 Hand in
#
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), run the cell. It packs the notebook and your model into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
