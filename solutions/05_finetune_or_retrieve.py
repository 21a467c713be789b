# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 05 — Fine-tune or retrieve?
#
# ```
#  raw text ──▶ base model ──▶ ASSISTANT ──▶ preferred ──▶ safe ──▶ released
#  00, 01       02             03, 04, ► 05 ◄ 06 – 09      10       11
#                              you are here
# ```
#
# **About 110 minutes · 8 points · a laptop is enough.** Your computer works alone for about 4 of these minutes (two cores at 200 GFLOP/s).
# Your assistant stopped learning on the day of its knowledge cut-off. The village did not stop. At the end you can say, with numbers of your own, when to train the news in and when to look it up.

# %% [markdown]
# > **After this lab you can**
# > - show what a model does not know, and that it says the old thing as surely as before,
# > - write BM25 and an embedding retriever, and measure how often they find what is needed,
# > - put what was found into a prompt, within a budget,
# > - train news into a model with LoRA, and measure what that costs and what it forgets,
# > - measure accuracy, abstention and staleness, day by day,
# > - decide by a rule, from your own table.

# %%
# SETUP

# %%
import math, re, torch
from collections import Counter

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

# mine("f", globals()): your f if its check passes, else the course's
from course_lib.notebook.check import mine
from course_lib.shown.lab05 import board, ways
from course_lib.stages import injection, retrieval, sft

# %% [markdown]
# ## § 1 The news, and a model that has not heard it
#
# The assistant of lab 03 answers from memory. To answer from a notice it must have learned to read one, so it gets a short lesson first: notices, a question, and an answer in the notice's own words. Its notices are drawn by chance: of the 132 changes to come 14 happen to be among them.

# %%
# LONG
live = board.live("Learning to read notices")
before, folder = load_stage("sft").model, course.work / f"reader_{course.size}"
lesson = sft.read(course.size, base=before, on_step=live, out=folder)
live.close()
save_stage("reader", lesson.model, lesson.record)
assistant, tokenizer = load_stage("reader").model, board.load_tokenizer()

# %% [markdown]
# Day 0 is the knowledge cut-off: what your assistant learned is true on that day. On days 1, 2 and 3 people move, change jobs, get another pet; some do so twice; strangers settle. All of it hangs on the board at the market hall, among notices that change nothing.

# %%
# LONG
BOARD = board.boards()  # {day: the notices, the oldest first}
board.show_news()

# %% [markdown]
# Five kinds of question on a day: **old** (what was so before the cut-off still holds), **changed** (once), **again** (changed twice), **new** (about somebody who has just settled), **never** (nobody can know; the right answer is "I do not know.").
#
# **Predict first:** on day 3, what will the assistant say about a fact that has changed: the new value, the old one, or that it does not know? Write it into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""

EACH = 6 if course.size == "tiny" else 48  # questions of each kind and day
known = board.show_memory(assistant, (0, 3), EACH)
board.guessed(MY_GUESS)

# %% [markdown]
# **What to notice.** On day 0 the assistant knows what holds: in our run 98 % of the facts that it is asked for. On day 3 it is asked about what has changed, and in our run each of its 72 answers names the old value, with the same probability as a value that holds, 96 %. It cannot know that it is outdated, and its own confidence does not show it. Of people who have just settled it says that it does not know.

# %%
# CLAIM
{
    "On day 0 the assistant knows what holds: in our run 98 % of the facts": round(
        known[0, "old"]["accuracy"], 2
    )
    == 0.98,
    "in our run each of its 72 answers names the old value": [
        [known[3, kind][what] for kind in ("changed", "again")] for what in ("n", "staleness")
    ]
    == [[48, 24], [1, 1]],
    "with the same probability as a value that holds, 96 %": all(
        0.94 < known[3, kind]["sure"] < 0.98 for kind in ("old", "changed", "again")
    ),
    "its own confidence does not show it": known[3, "changed"]["sure"]
    > known[3, "old"]["sure"] - 0.02,
    "Of people who have just settled it says that it does not know": known[3, "new"]["abstention"]
    > 0.95,
    "It cannot know that it is outdated": GENERAL,
}

# %%
# CLAIM stored
{
    "On day 0 the assistant knows what holds": stored("retrieval-laptop")[
        "closed_book_old_day_0_worst"
    ]
    >= 0.99,
    "names the old value": stored("retrieval-laptop")[
        "closed_book_stale_day_3_worst"
    ]
    >= 0.98,
}

# %% [markdown]
# ## § 2 Words
#
# A search compares the words of a question with the words of a notice. "Cobb?" and "cobb" must be the same word, so texts become lists of words first:
#
# - lower case, letters and digits only: the texts here are plain English, `a` to `z` and `0` to `9`
# - everything else parts two words: blanks, line breaks, hyphens, an apostrophe, an underscore
# - in the order of the text, and a word as often as it stands there; a text without a word gives an empty list
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●○○○ (2 of 5)
# > Minutes: 3
#
# <details><summary>Hint 1</summary><code>re.findall</code> gives all parts of a text that fit a pattern. <code>[a-z0-9]+</code> fits one or more letters or digits.</details>


# %%
# EXERCISE words_of
def words_of(text: str) -> list[str]:
    """The words of a text, in its order: "Ada Cobb's job?" → ["ada", "cobb", "s", "job"]."""
    ### BEGIN SOLUTION
    return re.findall(r"[a-z0-9]+", text.lower())
    ### END SOLUTION


# %%
check("words_of")

# %%
# LONG
words_fn = mine("words_of", globals())
example = board.a_question(3, "changed", EACH)
QUESTION, DOCUMENTS = example["question"], [words_fn(text) for text in BOARD[3]]
board.show_words(QUESTION, BOARD[3], words_fn)

# %% [markdown]
# ## § 3 What a word is worth
#
# "day" stands in every notice and tells nothing. "cobb" stands in few. A word's weight is its *inverse document frequency* ([Spärck Jones 1972](https://doi.org/10.1108/eb026526)), here in the form of the search engine Lucene:
#
# $$\mathrm{idf}(w) = \log\left(1 + \frac{N - n_w + \frac12}{n_w + \frac12}\right)$$
#
# - $N$: number of documents, empty ones too · $n_w$: number of documents that hold $w$, however often it stands in them
# - a word that every document holds weighs little, and still more than 0; no documents give no weights: `{}`
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>set(document)</code> holds each word once; a <code>Counter</code> over all those sets counts documents.</details>


# %%
# EXERCISE idf
def idf(documents: list[list[str]]) -> dict[str, float]:
    """{word: log(1 + (N − n + ½) / (n + ½))} for every word in N documents, n of which hold it."""
    ### BEGIN SOLUTION
    holding = Counter(word for document in documents for word in set(document))
    N = len(documents)
    return {word: math.log(1 + (N - n + 0.5) / (n + 0.5)) for word, n in holding.items()}
    ### END SOLUTION


# %%
check("idf")

# %%
# LONG
idf_fn = mine("idf", globals())
WEIGHTS = idf_fn(DOCUMENTS)
board.show_weights(WEIGHTS, [*words_fn(QUESTION), "day"])

# %% [markdown]
# **What to notice.** The names carry the weight. Words that only questions use, such as "where" or "what", stand on no notice and count nothing. But rare is not yet telling: "of" stands on 4 notices of 240 and weighs as much as "pemberton". That is what lists of stop words are for.

# %%
# CLAIM
{
    "The names carry the weight": min(
        WEIGHTS[word] for word in words_fn(QUESTION) if word.title() in QUESTION and word in WEIGHTS
    )
    > max(WEIGHTS.get(word, 0) for word in ("day", "has", "the", "now")),
    'such as "where" or "what", stand on no notice': not {"where", "what"} & set(WEIGHTS),
    '"of" stands on 4 notices of 240 and weighs as much as "pemberton"': [
        sum("of" in document for document in DOCUMENTS),
        len(DOCUMENTS),
    ]
    == [4, 240]
    and WEIGHTS["of"] == WEIGHTS["pemberton"],
    "That is what lists of stop words are for": GENERAL,
}

# %% [markdown]
# ## § 4 BM25
#
# [Robertson and Zaragoza 2009](https://doi.org/10.1561/1500000019) tell how it came about. Add up the weights of the question's words that the document holds. Two corrections: the tenth "cobb" tells less than the first (*saturation*), and a long document holds many words by chance (*length*):
#
# $$\mathrm{score}(q, d) = \sum_{w \in q} \mathrm{idf}(w) \cdot \frac{c}{c + k_1\left(1 - b + b\,\frac{|d|}{\bar d}\right)}$$
#
# - $c$: how often $w$ stands in $d$ · $|d|$: words of $d$ · $\bar d$: their mean over all documents
# - $k_1$: how late it saturates, 0 or more · $b$: how much length counts, 0 … 1
# - many textbooks have $k_1 + 1$ in the numerator: a constant, which changes no order. Lucene leaves it out
# - a word that stands twice in the question counts twice
# - a word that the document does not hold adds 0, also for $k_1 = 0$; `weights` holds the words that stand in any document, and no others
# - a query or a document may be empty, and so may the board: a score of 0 for each document, and no score for no documents
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 18
#
# <details><summary>Hint 1</summary>Two loops: over the documents, and over the words of the query. <code>Counter(document)[word]</code> is 0 for an absent word.</details>
# <details><summary>Hint 2</summary>Skip a word with count 0 before you divide: with k1 = 0 it would be 0/0. The mean length is 0 if all documents are empty, and there is none if there are no documents. A sum over nothing is a whole number: tell <code>torch.tensor</code> the dtype.</details>


# %%
# EXERCISE bm25_scores
def bm25_scores(
    query: list[str],
    documents: list[list[str]],
    weights: dict[str, float],
    k1: float = 1.5,
    b: float = 0.75,
) -> Float[Tensor, " K"]:
    """The BM25 score of each of K documents for the query, a float32 tensor.

    Inputs:  query: its words · documents: the words of each · weights: word → idf · k1, b: as above
    """
    ### BEGIN SOLUTION
    mean = sum(len(document) for document in documents) / max(1, len(documents)) or 1.0
    scores = []
    for document in documents:
        counts = Counter(document)
        room = k1 * (1 - b + b * len(document) / mean)
        scores.append(sum(weights[w] * counts[w] / (counts[w] + room) for w in query if counts[w]))
    return torch.tensor(scores, dtype=torch.float32)
    ### END SOLUTION


# %%
check("bm25_scores")

# %% [markdown]
# From scratch first, the library second: `bm25s` must give the same scores.

# %%
# LONG
bm25_fn = mine("bm25_scores", globals())
scores = bm25_fn(words_fn(QUESTION), DOCUMENTS, WEIGHTS)
board.equals_bm25s(scores, words_fn(QUESTION), DOCUMENTS)
board.show_best(QUESTION, scores, BOARD[3])

# %% [markdown]
# ## § 5 The best k
#
# The prompt has room for a few notices only. Three rules:
#
# - the best score first; **in a tie the later place**: the board is oldest first, so later is newer
# - a score of 0 or less means that no word matched: such a notice is never returned, even if fewer than $k$ remain, or none. Above 0 every score counts, be it 10⁻³⁰, and so does every difference
# - $k$ may be larger than the board, and the board may be empty
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary>An ascending <em>stable</em> sort puts equal scores in the order of their places. Read from its end, both rules hold.</details>
# <details><summary>Hint 2</summary><code>scores.sort(stable=True).indices.flip(0).tolist()</code>, then drop the scores that are not above 0, then cut.</details>


# %%
# EXERCISE top_k
def top_k(scores: Float[Tensor, " K"], k: int) -> list[int]:
    """Places (from 0) of the k best scores above 0, the best first; in a tie the later place."""
    ### BEGIN SOLUTION
    best_first = scores.sort(stable=True).indices.flip(0).tolist()
    return [place for place in best_first if scores[place] > 0][:k]
    ### END SOLUTION


# %%
check("top_k")

# %% [markdown]
# Your search is complete. How good is it? For every question about something that has changed, we know which notice answers it. **Predict first:** how often will that notice be the very first one found?

# %%
# LONG
top_fn = mine("top_k", globals())


def search_with(notices, k=retrieval.NOTICES, named=True):
    """Your search on a board: question → places of the k best. named: § 7 says what it keeps."""
    return retrieval.bm25_search(notices, k, words_fn, idf_fn, bm25_fn, top_fn, named)


hits = board.show_hits(lambda k: search_with(BOARD[3], k, named=False), 3, EACH)
print(f"A question without a known word finds: {search_with(BOARD[3])('Quo vadis?')}.")

# %% [markdown]
# **What to notice.** The first notice found is the right one for 83 % of what has changed, and for 46 % of what is asked about people who have settled; among four it always is. BM25 matches words, not meaning: for half of the questions another notice about the same person scores as high as the right one, or higher, and namesakes come next. It knows nothing of time either: an old notice about a fact scores like the new one. So several notices go into the prompt, and their order will matter.

# %%
# CLAIM
{
    "The first notice found is the right one for 83 % of what has changed, and for 46 %": [
        round(100 * hits[1][kind]) for kind in ("changed", "new")
    ]
    == [83, 46],
    "among four it always is": min(hits[4].values()) == 1,
    "BM25 matches words, not meaning": GENERAL,
    "for half of the questions another notice about the same person scores as high": sum(
        any(
            value >= by[board.newest_notice(3, q)] - 1e-6
            for place, value in enumerate(by)
            if q["resident"].lower() in DOCUMENTS[place] and place != board.newest_notice(3, q)
        )
        for q in board.in_the_news(3, EACH)
        for by in [bm25_fn(words_fn(q["question"]), DOCUMENTS, WEIGHTS).tolist()]
    )
    == len(board.in_the_news(3, EACH)) / 2,
    "namesakes come next": sum(
        "Pemberton" in BOARD[3][k] for k in scores.sort(descending=True).indices[1:4].tolist()
    )
    == 3,
    "It knows nothing of time either": GENERAL,
    "So several notices go into the prompt": GENERAL,
}

# %% [markdown]
# ## § 6 A vector for a text
#
# The other family of search: a vector for each text, close in direction where texts mean similar things ([Karpukhin et al. 2020](https://arxiv.org/abs/2004.04906)). A cheap one comes from your own model. Take the hidden states of a text's tokens after one of its blocks, average them, scale to length 1:
#
# $$v = \frac{u}{\lVert u \rVert}, \quad u = \frac{1}{\sum_t m_t} \sum_t m_t\, h_t \qquad\text{then}\quad v \cdot v' = \cos(u, u')$$
#
# - `hidden` $h$: `[N T D]` · `mask` $m$: `[N T]`, 1 where a token is real, 0 where it is padding · result: `[N D]`, with a gradient for the real states
# - padding may stand anywhere: on the left, on the right, between real tokens
# - the mask may be of True and False
# - a row without any real token becomes zeros, not NaN
# - states may be very small (10⁻⁷): nothing is added to the length, and a lower bound on it is far smaller
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>mask.to(hidden.dtype)[:, :, None]</code> multiplies every feature of a token by 0 or 1.</details>
# <details><summary>Hint 2</summary><code>.clamp_min(1)</code> keeps a count from being 0; <code>F.normalize</code> leaves a zero vector zero.</details>


# %%
# EXERCISE mean_pool
def mean_pool(
    hidden: Float[Tensor, "N T D"], mask: Int[Tensor, "N T"] | Bool[Tensor, "N T"]
) -> Float[Tensor, "N D"]:
    """Each row's mean over its real tokens, scaled to length 1."""
    ### BEGIN SOLUTION
    real = mask.to(hidden.dtype)[:, :, None]
    mean = (hidden * real).sum(1) / real.sum(1).clamp_min(1)
    return F.normalize(mean, dim=-1)
    ### END SOLUTION


# %%
check("mean_pool")

# %%
# LONG
pool_fn = mine("mean_pool", globals())
board.equals_cosine(pool_fn, assistant, BOARD[1][:8])
found = board.show_searches(assistant, pool_fn, search_with(BOARD[3], 4, named=False), 3, EACH)

# %% [markdown]
# **What to notice.** The states of a model that was trained to predict the next word are poor search vectors: nothing in its training put a question near its answer. In our run the best are those after the first block, next to the words themselves: with them 60 % of the notices are found, and 23 % at most with the others (by chance it would be 2 %). Real embedding models are trained for the purpose. We go on with BM25.

# %%
# CLAIM
{
    "are poor search vectors": sorted(found.values())[-2] < 0.7 * found["BM25"],
    "with them 60 % of the notices are found, and 23 % at most with the others": [
        round(100 * found["vectors after block 1"]),
        max(round(100 * found[f"vectors after block {k}"]) for k in (2, 3, 4)),
    ]
    == [60, 23],
    "by chance it would be 2 %": round(4 / len(BOARD[3]), 2) == 0.02,
    "Real embedding models are trained for the purpose": GENERAL,
    "We go on with BM25": found["BM25"] == max(found.values()),
}

# %% [markdown]
# ## § 7 The prompt
#
# What was found goes before the question, and the model answers from it: **retrieval-augmented generation**, RAG ([Lewis et al. 2020](https://arxiv.org/abs/2005.11401)). Without notices the model answers from memory: **closed book**.
# The three best notices are offered to the prompt (`NOTICES`), which has a budget of 400 tokens for them (`BUDGET`). Order matters, too: of two notices about a fact only the newer one holds, and the lesson of § 1 always had it last.
#
# - the notices come best first. Give the budget to the best: go through them in that order, take one if its `tokens` still fit (exactly is enough), pass over it if not, and go on
# - then sort what was taken by `place` (the board is oldest first), so that **the newest stands last**
# - format: a line `Notice: ` + text for each, then `Question: ` + question, no line break at the end
# - nothing taken: the bare question, without "Question: ". It is then an ordinary question
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●● (5 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Keep a running total of tokens. A notice that fits exactly is taken.</details>
# <details><summary>Hint 2</summary><code>sorted(taken, key=lambda notice: notice["place"])</code> makes a new list; <code>.sort()</code> would change the caller's.</details>


# %%
# EXERCISE build_prompt
def build_prompt(notices: list[dict], question: str, budget: int) -> str:
    """The user's message: as many of the best notices as fit, the newest last, then the question.

    Inputs:  notices: {"place": on the board, "text", "tokens"}, the best first
             budget: tokens that the notices may take
    """
    ### BEGIN SOLUTION
    taken, used = [], 0
    for notice in notices:
        if used + notice["tokens"] <= budget:
            taken.append(notice)
            used += notice["tokens"]
    if not taken:
        return question
    oldest_first = sorted(taken, key=lambda notice: notice["place"])
    return "\n".join(
        [f"Notice: {notice['text']}" for notice in oldest_first] + [f"Question: {question}"]
    )
    ### END SOLUTION


# %%
check("build_prompt")

# %%
# LONG
build_fn = mine("build_prompt", globals())
again = board.a_question(3, "again", EACH)
board.show_prompt(assistant, again, BOARD[3], search_with(BOARD[3]), build_fn)

# %% [markdown]
# A search also finds the wrong thing. Of the 15 best that BM25 brings up, the course keeps only notices about somebody whom the question names with first name and surname, and of notices that say the same thing anew only the newest (`named=True`; read `names_somebody_in` and `newest_of_each` in `course_lib/stages/retrieval.py`). What is that filter worth, and what the order?

# %%
# LONG
all_found, kept = search_with(BOARD[3], named=False), search_with(BOARD[3])
filtered = board.show_filter(assistant, 3, EACH, all_found, kept, build_fn)

# %% [markdown]
# **What to notice.** A wrong notice is worse than none: look at *old* and *never*, where no notice can help. In our run the filter takes *old* from 31 to 100 % and *never* from 67 to 98 %; *again* goes from 38 to 100 %, where the older notice is a wrong one, too. The lesson of § 1 never showed a notice about somebody else, and the model does not check whose notice it reads; the search has to. It repeats the last notice: with the newer of two at the end 88 % are right, with the older one none.

# %%
# CLAIM
{
    "A wrong notice is worse than none": filtered["all that BM25 finds"]["old"]
    < known[3, "old"]["accuracy"]
    and filtered["all that BM25 finds"]["never"] < known[3, "never"]["accuracy"],
    "In our run the filter takes *old* from 31 to 100 % and *never* from 67 to 98 %; *again* goes from 38 to 100 %": [
        round(100 * filtered[name][kind])
        for kind in ("old", "never", "again")
        for name in ("all that BM25 finds", "about the person, newest")
    ]
    == [31, 100, 67, 98, 38, 100],
    "The lesson of § 1 never showed a notice about somebody else": GENERAL,
    "with the newer of two at the end 88 % are right, with the older one none": [
        round(100 * filtered[f"only the two notices about the fact, the newer {place}"]["again"])
        for place in ("last", "first")
    ]
    == [88, 0],
    "does not check whose notice it reads": filtered["all that BM25 finds"]["never"] < 0.8,
}

# %% [markdown]
# ## § 8 Three measures
#
# One number is not enough in a world that changes. An answer *names* a value if the value's text stands in it, capitals or not. It *abstains* if it is "I do not know." and nothing else; blanks around the answer do not matter.
#
# - **accuracy**: share of right answers. Right: it names the value that holds (*gold*) and none of the outdated ones. Where gold is "I do not know.", it abstains
# - **abstention**: share of all answers that abstain
# - **staleness**: among the questions that *have* outdated values, the share of answers that name one or more of them; 0 if there are no such questions
# - no questions at all: all three are 0
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>value.lower() in answer.lower()</code>. One pass with four counters will do.</details>
# <details><summary>Hint 2</summary>Divide staleness by the number of questions whose list of outdated values is not empty, and every measure by at least 1.</details>


# %%
# EXERCISE score_answers
def score_answers(answers: list[str], golds: list[str], stale: list[list[str]]) -> dict[str, float]:
    """{"accuracy", "abstention", "staleness"}, shares from 0 to 1.

    Inputs:  answers: what was said · golds: the right value, or "I do not know."
             stale: for each question the values that no longer hold
    """
    ### BEGIN SOLUTION
    right = silent = outdated = changed = 0
    for answer, gold, old in zip(answers, golds, stale):
        said = answer.strip().lower()
        names_old = any(value.lower() in said for value in old)
        abstains = said == "i do not know."
        right += abstains if gold == "I do not know." else gold.lower() in said and not names_old
        silent += abstains
        outdated += names_old
        changed += len(old) > 0
    n = max(1, len(answers))
    return {
        "accuracy": right / n,
        "abstention": silent / n,
        "staleness": outdated / max(1, changed),
    }
    ### END SOLUTION


# %%
check("score_answers")

# %% [markdown]
# **In the library.** Hugging Face's `evaluate` loads metrics; the course ships these three as local modules for it, which need no download, and on these answers they must agree with yours. Whole benchmarks are run today by tools that also build the prompts and ask the model: lm-evaluation-harness, LightEval, Inspect.

# %%
# LONG
score_fn = mine("score_answers", globals())
asked = board.news.questions(2, EACH)
said = [row["answer"] for row in board.answers_to(assistant, "closed book", asked, [])]
yours = board.equals_evaluate(score_fn, said, asked)

# %% [markdown]
# ## § 9 The news as training rows
#
# The other way to bring news into a model: train it in ([Ovadia et al. 2023](https://arxiv.org/abs/2312.05934) compared the two, and retrieval won). The changes of day 1 become questions and answers.
#
# - for each (name, fact) keep **the newest value only**, the one with the largest day, in whatever order the changes come: two answers to one question would contradict each other
# - ask it in **every** phrasing of that fact: many wordings may help a model to learn it (the same paper)
# - a row is `{"messages": [{"role": "user", "content": …}, {"role": "assistant", "content": …}]}`; their order does not matter
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary>A dict with the key <code>(change["name"], change["fact"])</code>. Replace what is there only if the day is larger.</details>
# <details><summary>Hint 2</summary><code>"What does {name} do?".format(name="Ada Cobb")</code> fills a form.</details>


# %%
# EXERCISE injection_rows
def injection_rows(
    changes: list[dict], questions: dict[str, list[str]], answers: dict[str, str]
) -> list[dict]:
    """Training rows for the newest value of each fact, one for each phrasing.

    Inputs:  changes: {"name", "fact", "value", "day"}, in any order
             questions: fact → phrasings with {name}
             answers: fact → one form with {name} and {value}
    """
    ### BEGIN SOLUTION
    newest = {}
    for change in sorted(changes, key=lambda change: change["day"]):
        newest[change["name"], change["fact"]] = change["value"]
    rows = []
    for (name, fact), value in newest.items():
        for question in questions[fact]:
            user = {"role": "user", "content": question.format(name=name)}
            assistant = {
                "role": "assistant",
                "content": answers[fact].format(name=name, value=value),
            }
            rows.append({"messages": [user, assistant]})
    return rows
    ### END SOLUTION


# %%
check("injection_rows")

# %% [markdown]
# Now train them in, with LoRA ([Hu et al. 2021](https://arxiv.org/abs/2106.09685), lab 04), and merge the adapter, so that the result is a plain model. Rows of old tasks and of the reading lesson are mixed in (*replay*), so that it does not forget how to answer. **Predict first:** how many seconds of training per piece of news?

# %%
# LONG
MY_GUESS = ""

rows_fn, NEWS = mine("injection_rows", globals()), injection.news_of(1)
rows = rows_fn(NEWS, injection.QUESTIONS, injection.ANSWERS)
live = board.live("The news goes in")
run = injection.inject(assistant, rows, course.size, seed=0, on_step=live)
live.close()
injected = run.model
SECONDS = ways.show_injection(NEWS, rows, run)
board.guessed(MY_GUESS)

# %% [markdown]
# ## § 10 Five ways
#
# | way | model | what it reads |
# |---|---|---|
# | closed book | assistant | the question |
# | prompt | assistant | the newest notices of the board, as many as 400 tokens hold, unsorted by any search |
# | RAG | assistant | the notices that your search finds, filtered as in § 7 |
# | LoRA | with the news of **day 1** trained in | the question |
# | LoRA + RAG | the same | the notices that your search finds |
#
# **Predict first:** which way will be best on day 1, and which on day 3?

# %%
# LONG
MY_PREDICTION = ""

options = {"search": search_with, "score": score_fn, "build": build_fn}
results = ways.measure(assistant, injected, EACH, **options)
right, stale = ways.show_ways(results, course.size)  # {way: right on days 1, 2, 3}, {way: outdated}
board.guessed(MY_PREDICTION)

# %% [markdown]
# **What to notice.** The model that was fine-tuned on day 1 is right about the news of that day, and goes stale from then on, as its parent did: it holds what it was told, not what holds. RAG reads today's board. The board itself does not fit: of day 3's 240 notices 400 tokens hold the 19 newest, and for one in 48 questions about what has changed the needed one is among them. What does stand there spoils what the model knew: *old* falls to 29 %.
# And RAG is not finished either: in our run half of the questions about people who have settled get "I do not know.", although the search finds the notice for all but one. Is it that the model cannot read names that it has never seen? The next cell exchanges the names, and it leaves one notice about the person.

# %%
# CLAIM
{
    "is right about the news of that day, and goes stale from then on": right["LoRA"][0] > 0.85
    and right["LoRA"][0] > right["LoRA"][1] > right["LoRA"][2]
    and stale["LoRA"][2] > 0.6,
    "RAG reads today's board": min(right["RAG"]) > 0.9,
    "of day 3's 240 notices 400 tokens hold the 19 newest": [
        len(BOARD[3]),
        retrieval.BUDGET,
        sum(retrieval.tokens_of(tokenizer, BOARD[3][-19:])) <= 400,
        sum(retrieval.tokens_of(tokenizer, BOARD[3][-20:])) <= 400,
    ]
    == [240, 400, True, False],
    "for one in 48 questions about what has changed": [
        board.newest_notice(3, q) >= 240 - 19
        for q in board.in_the_news(3, EACH)
        if q["kind"] == "changed"
    ].count(True)
    == 1,
    "What does stand there spoils what the model knew: *old* falls to 29 %": round(
        100 * ways.share_right(results, "prompt", 3, "old")
    )
    == 29,
    "in our run half of the questions about people who have settled get": any(
        (row["way"], row["day"], row["kind"]) == ("RAG", 3, "new")
        and row["accuracy"] + row["abstention"] == 1
        and 0.45 < row["abstention"] < 0.55
        for row in results
    ),
    "although the search finds the notice for all but one": round(24 * hits[3]["new"]) == 23,
    "The next cell exchanges the names": GENERAL,
}

# %%
# CLAIM stored
{
    "is right about the news of that day": all(
        next(
            row["accuracy"]
            for row in run["table"]
            if (row["way"], row["day"], row["kind"]) == ("LoRA", 1, "changed")
        )
        > 0.92
        for run in stored("retrieval-laptop")["runs"]
    ),
    "goes stale from then on": all(
        0.7 < run["injected_stale_day_3"] < 0.85 for run in stored("retrieval-laptop")["runs"]
    ),
    "RAG reads today's board": all(
        min(run["rag"].values()) > 0.92 for run in stored("retrieval-laptop")["runs"]
    ),
}

# %%
# LONG
names = ways.show_names(assistant, EACH, search_with, build_fn)

# %% [markdown]
# **What to notice.** It is not the name alone. In our run nine in ten are right under residents' names; but questions about residents stay right under settlers' names, and about settlers they are right with one notice about the person. What fails is both together: of a stranger whose job and home are on the board the model tells the job, and says of the home that it does not know. A likely reason, which we have not tested: the lesson of § 1 has a stranger's job and home together in 6 of its 11,000 rows.
#
# Training also touches what was there before. What has the injection cost elsewhere?

# %%
# CLAIM
{
    "It is not the name alone": names["new"] + 0.3 < names["changed, with settlers' names"],
    "In our run nine in ten are right under residents' names": 0.86
    < names["new, with residents' names"]
    < 0.94,
    "questions about residents stay right under settlers' names": names["changed"]
    - names["changed, with settlers' names"]
    < 0.05,
    "about settlers they are right with one notice about the person": names[
        "new, one notice about them"
    ]
    > 0.95,
    "the model tells the job, and says of the home that it does not know": names["new, their homes"]
    < 0.2
    and names["new, their jobs"] > 0.8,
    "A likely reason, which we have not tested": GENERAL,
    "Training also touches what was there before": GENERAL,
}

# %%
# LONG
BEFORE, AFTER = (ways.forgetting(model, course.size, EACH) for model in (assistant, injected))
ways.show_beside({"assistant": BEFORE, "after the injection": AFTER})

# %% [markdown]
# **What to notice.** In our run the injection costs 14 points of the old facts and 21 of the held-out tasks. And look at *never* in § 10: asked what nobody knows, the assistant said so; after the injection it invents an answer to two in five of these questions. A large model, too, makes up more the more new facts it has learned (Gekhman and others, [2024](https://arxiv.org/abs/2405.05904)).

# %%
# CLAIM
{
    "costs 14 points of the old facts and 21 of the held-out tasks": [
        round(100 * (BEFORE[what] - AFTER[what]))
        for what in ("old facts right, from memory", "held-out tasks passed")
    ]
    == [14, 21],
    "the assistant said so": ways.share_right(results, "closed book", 3, "never") > 0.97,
    "it invents an answer to two in five of these questions": 0.35
    < 1 - ways.share_right(results, "LoRA", 3, "never")
    < 0.45,
    "A large model, too, makes up more the more new facts it has learned": GENERAL,
}

# %% [markdown]
# ## § 11 What it costs
#
# Training is paid once, a longer prompt with every question. In FLOP: about $2 \cdot P$ for each token that a model of $P$ parameters reads or writes, and about $4 \cdot P$ for each token of LoRA training; the adapters' own share and the search are left out. So is the lesson of § 1, which all news share: at $6 \cdot P$ a token it cost about three times the injection. After how many questions has fine-tuning cost less than retrieval?
#
# $$n^* = \frac{\text{training}}{\text{retrieval} - \text{fine-tuned}}$$
#
# - `fine_tuned`, `retrieval`: cost of one question · all three in the same unit · not rounded
# - training that cost nothing, or less than nothing (a subsidy), has paid at once: 0, whatever a question costs
# - otherwise, where a question to the fine-tuned model is no cheaper, it never pays: `math.inf`
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 4
#
# <details><summary>Hint 1</summary>Three cases, in this order: nothing paid, never pays, the fraction.</details>


# %%
# EXERCISE break_even
def break_even(training: float, fine_tuned: float, retrieval: float) -> float:
    """The number n of questions at which training + n · fine_tuned = n · retrieval."""
    ### BEGIN SOLUTION
    if training <= 0:
        return 0.0
    saved = retrieval - fine_tuned
    return training / saved if saved > 0 else math.inf
    ### END SOLUTION


# %%
check("break_even")

# %%
# LONG
even_fn = mine("break_even", globals())
table = ways.table_of(results, assistant.parameter_count(), run.record["tokens"])
LORA, RAG = table["cost"]["LoRA"], table["cost"]["RAG"]
EVEN = even_fn(LORA["training"], LORA["each"], RAG["each"])
print(f"LoRA has paid after {EVEN:,.0f} questions, if nothing changes meanwhile.")

# %% [markdown]
# ## § 12 A rule
#
# Now decide, by a rule that you could defend. For a need you know how accurate an answer must be and how many questions will come:
#
# 1. leave out every way that is less accurate than needed (exactly as accurate is enough),
# 2. of the others take the one with the smallest `training + questions · each`; in a tie the first, even if a later one is more accurate,
# 3. if none is left: the text `"none"`.
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 5
#
# <details><summary>Hint 1</summary><code>min(…, key=…)</code> keeps the first of equals, and stops with an error for an empty list.</details>


# %%
# EXERCISE decide
def decide(ways: list[dict], needed: float, questions: int) -> str:
    """The name of the cheapest way that is accurate enough, or "none".

    Inputs:  ways: {"way": name, "accuracy", "training", "each"}, the costs in one unit
             needed: least accuracy · questions: how many will be asked
    """
    ### BEGIN SOLUTION
    enough = [way for way in ways if way["accuracy"] >= needed]
    if not enough:
        return "none"
    return min(enough, key=lambda way: way["training"] + questions * way["each"])["way"]
    ### END SOLUTION


# %%
check("decide")

# %% [markdown]
# Your decision table. For a need with several kinds of question, the *worst* of them counts. The table goes into the record of your model.
#
# **The model and its table are graded** (1.25 points): half of the points are for the news of day 1 that your model knows, full from 85 %. A quarter is for the figures of LoRA in the table that agree with what the grader measures on your model, a quarter for decisions that follow from the table by the rule. A model that knows 30 % or less gets nothing.

# %%
# LONG
decide_fn = mine("decide", globals())
table["decisions"] = ways.decisions(table, decide_fn)
figures = {"table": table, "forgetting": {"before": BEFORE, "after": AFTER}}
saved = save_stage("injected", injected, {**run.record, **figures})

# %%
check("injected_model")

# %% [markdown]
# **What to notice.** The rule sees accuracy and FLOP. It does not see upkeep: RAG needs a board that is kept in order and a search that works; LoRA needs a training run after each change, and somebody who checks what was forgotten. You will be asked about that below.

# %%
# CLAIM
{
    "The rule sees accuracy and FLOP": GENERAL,
    "It does not see upkeep": GENERAL,
    "You will be asked about that below": GENERAL,
}

# %% [markdown]
# ## § 13 Questions as people type them
#
# The table above asks as the training rows asked. Production does not: other phrasings, lower case, slips of the pen, two questions in one. The last column asks the model of § 9. **Predict first:** which of these breaks the *search*, and which breaks the *reading*?


# %%
# LONG
def by_letters(notices):
    """BM25 on every three neighbouring letters of a word, in place of words."""
    return retrieval.bm25_search(notices, tokenize=retrieval.trigrams)


robust = ways.show_robustness(assistant, injected, search_with, by_letters, EACH)
wrong = ways.show_failures(assistant, EACH, search_with)

# %% [markdown]
# **What to notice.** "Found" and "right" fail apart from each other. With typing errors the search by words finds the notice in 33 % of the cases, that by letters in 81 %. It is the filter of § 7 that loses the others, for it wants both names letter by letter: without it the words find 81 %, too. Of what the letters find our run reads a quarter wrongly. With two questions in one both notices are nearly always there and no answer is right: most tell the second value alone. The model of § 9 takes other phrasings, but in lower case it knows next to nothing: what it learned hangs on the very letters of a name. RAG is right in 93 % there.

# %%
# CLAIM
{
    '"Found" and "right" fail apart from each other': robust["words"]["two in one"]["found"] > 0.8
    and robust["words"]["two in one"]["accuracy"] < 0.2,
    "the search by words finds the notice in 33 % of the cases, that by letters in 81 %": [
        round(100 * robust[name]["typo"]["found"]) for name in ("words", "letters")
    ]
    == [33, 81],
    "without it the words find 81 %, too": [
        board.newest_notice(3, q) in search_with(BOARD[3], named=False)(q["question"])
        for q in board.news.production_queries(3, EACH)
        if q["style"] == "typo"
    ].count(True)
    == round(0.81 * robust["words"]["typo"]["n"]),
    "Of what the letters find our run reads a quarter wrongly": 0.22
    < 1 - robust["letters"]["typo"]["accuracy"] / robust["letters"]["typo"]["found"]
    < 0.28,
    "both notices are nearly always there": sum(
        all(any(value in BOARD[3][k] for k in row["found"]) for value in q["gold"])
        for q, row in wrong
        if q["style"] == "two in one"
    )
    > 0.85 * robust["words"]["two in one"]["n"],
    "no answer is right": robust["words"]["two in one"]["accuracy"] == 0,
    "most tell the second value alone": sum(
        q["gold"][1] in row["answer"] and q["gold"][0] not in row["answer"]
        for q, row in wrong
        if q["style"] == "two in one"
    )
    > 0.5 * robust["words"]["two in one"]["n"],
    "The model of § 9 takes other phrasings": robust["LoRA"]["paraphrase"]["accuracy"] > 0.9,
    "in lower case it knows next to nothing": robust["LoRA"]["lower case"]["accuracy"] < 0.2,
    "what it learned hangs on the very letters of a name": sum(
        q["gold"] in row["answer"]  # the name alone in lower case
        for asked in [
            [
                {**q, "question": re.sub("([A-Z][a-z]+) ([A-Z][a-z]+)", lambda m: m[0].lower(), q["question"])}
                for q in board.news.questions(1, EACH)
                if q["kind"] == "changed"
            ]
        ]
        for q, row in zip(asked, board.answers_to(injected, "LoRA", asked, []))
    )
    < 6,
    "RAG is right in 93 % there": round(
        100 * robust["words"]["lower case"]["accuracy"]
    )
    == 93,
}

# %% [markdown]
# ## § 14 Change one thing
#
# The injection again with one difference. Choose it, **write down what you expect** in `MY_PREDICTION`, then run. The one below leaves the rows of old tasks out. Others to try: `{"rank": 2}`, `{"epochs": 4}`, `{"learning_rate": 1e-3}`, `{"replay": 4.0}`.

# %%
# LONG
CHANGE = {"replay": 0.0}  # no rows of old tasks
MY_PREDICTION = ""

changed = injection.inject(assistant, rows, course.size, seed=0, progress=False, **CHANGE)
models = {"assistant": assistant, "as before": injected, "changed": changed.model}
beside = ways.show_change(models, course.size, EACH)
print(f"seconds of training: {SECONDS:.0f} as before, {changed.history[-1]['seconds']:.0f} changed")
board.guessed(MY_PREDICTION)

# %% [markdown]
# **What to notice.** It is the rows of old tasks that keep the rest. In our run the news is known without them, too, after a quarter of the tokens; but of the held-out tasks 10 % are left in place of 68 %, and of the old facts 33 % in place of 86 %.

# %%
# CLAIM
{
    "It is the rows of old tasks that keep the rest": beside["changed"]["held-out tasks passed"]
    < 0.2
    < 0.6
    < beside["as before"]["held-out tasks passed"],
    "the news is known without them, too, after a quarter of the tokens": beside["changed"]["news of day 1 right"]
    > 0.95
    and 0.22 < changed.record["tokens"] / run.record["tokens"] < 0.28,
    "of the held-out tasks 10 % are left in place of 68 %, and of the old facts 33 % in place of 86 %": [
        round(100 * beside[name][what])
        for what in ("held-out tasks passed", "old facts right, from memory")
        for name in ("changed", "as before")
    ]
    == [10, 68, 33, 86],
}

# %% [markdown]
# ## § 15 Summary
#
# You wrote a search, the prompt that carries what it finds, the rows that train news into a model, and the measures that tell them apart. Fine-tuning changes what a model *is*; retrieval changes what it *sees*. What changes often belongs into what it sees.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Think of a case of your own: what changes, how often, how many questions come? Which way do you decide for? Support it with two numbers from your table or costs, and say what upkeep it brings.

# %%
# CLAIM
{
    "You wrote a search": GENERAL,
    "Fine-tuning changes what a model *is*": GENERAL,
    "What changes often belongs into what it sees": min(right["RAG"]) > right["LoRA"][2],
    "Two questions, read by a person": GENERAL,
    "Three or four sentences each": GENERAL,
    "Think of a case of your own": GENERAL,
    "Support it with two numbers": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The opening hours of a clinic: they change every few weeks, and some four hundred people ask each day. I decide for RAG: it was right on 98 to 100 % of what had changed, on every day; the model
# fine-tuned on day 1 was right on 96 % that day and 83 % outdated on day 3. LoRA saves FLOP only after 67,000 questions of the average kind between two changes, or 40,000 about what has changed, and the clinic has some ten
# thousand. The upkeep of RAG: somebody keeps the board in order and removes what no longer holds, and the hit rate of the search is measured each week.
# ### END SOLUTION

# %%
# CLAIM
{
    "they change every few weeks, and some four hundred people ask each day": GENERAL,
    "I decide for RAG": table["decisions"]["a desk for news that keeps coming"] == "RAG",
    "it was right on 98 to 100 % of what had changed, on every day": [
        round(100 * x) for x in (min(right["RAG"]), max(right["RAG"]))
    ]
    == [98, 100],
    "was right on 96 % that day and 83 % outdated on day 3": [
        round(100 * x) for x in (right["LoRA"][0], stale["LoRA"][2])
    ]
    == [96, 83],
    "LoRA saves FLOP only after 67,000 questions of the average kind between two changes, or 40,000": [
        round(EVEN / 1000),
        round(
            LORA["training"]
            / (2 * assistant.parameter_count())
            / sum(
                {"RAG": row["tokens"], "LoRA": -row["tokens"]}.get(row["way"], 0)
                for row in results
                if (row["day"], row["kind"]) == (1, "changed")
            )
            / 1000
        ),
    ]
    == [67, 40],
    "keeps the board in order and removes what no longer holds": GENERAL,
}

# %% [markdown]
# **2.** Take one failed query from § 13. At which step did it go wrong: the search, the reading, or the form of the question? What is your evidence, and what would you change?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# "Whiich pet lives with Mra Kettle?" went wrong in the search, at its last step. BM25 puts the right notice first, for *kettle* is written right; but the filter keeps only notices about somebody whose first name and surname
# stand in the question, and "mra" is nobody's: the list is empty. Of all queries with typing errors the notice was found for one in three; by three letters it is four in five, yet not here, for of Myra's four groups of letters
# one is left. I would correct the spelling against the names on the board, and only then filter.
# ### END SOLUTION

# %%
# CLAIM
{
    "went wrong in the search": wrong[0][0]["question"] == "Whiich pet lives with Mra Kettle?"
    and wrong[0][1]["found"] == [],
    "BM25 puts the right notice first": search_with(BOARD[3], named=False)(wrong[0][0]["question"])[
        0
    ]
    == board.newest_notice(3, wrong[0][0]),
    '"mra" is nobody\'s: the list is empty': search_with(BOARD[3])(
        "Whiich pet lives with Mra Kettle?"
    )
    == [],
    "the notice was found for one in three": 0.3 < robust["words"]["typo"]["found"] < 0.37,
    "by three letters it is four in five": 0.77 < robust["letters"]["typo"]["found"] < 0.84,
    "yet not here": by_letters(BOARD[3])(wrong[0][0]["question"]) == [],
    "of Myra's four groups of letters": [
        len(retrieval.trigrams("Myra")),
        len({*retrieval.trigrams("Myra")} & {*retrieval.trigrams("Mra")}),
    ]
    == [4, 1],
    "I would correct the spelling against the names on the board": GENERAL,
}

# %% [markdown]
# ## § 16 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell: it tells what is still open. Is your work done? Write `ready=True`, save, run the cell. It packs the notebook and your model with its table into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
