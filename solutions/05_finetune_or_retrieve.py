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
# **About 90 minutes · 8 points · a laptop is enough.** Your computer works alone for about six of these minutes.
# Your assistant stopped learning on the day of its knowledge cut-off. The village did not stop. At the end you can say, with numbers of your own, when to train the news in and when to look it up.

# %% [markdown]
# > **After this lab you can**
# > - show what a model does not know, and that it says the old thing with confidence,
# > - write BM25 and an embedding retriever, and measure how often they find what is needed,
# > - put what was found into a prompt, within a budget,
# > - train news into a model with LoRA, and measure what that costs and what it forgets,
# > - measure accuracy, abstention and staleness, day by day,
# > - decide by a rule, from your own table.

# %%
# SETUP

# %%
import math
import re
from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.notebook.check import mine  # mine("f", globals(), ours): your f if its check passes, else the course's

# %% [markdown]
# ## § 1 The news, and a model that has not heard it
#
# The assistant of lab 03 answers from memory. To answer from a notice it must have learned to read one, so it gets a short lesson first: notices, a question, and an answer in the notice's own words. The people and values in the lesson are not those of the news.

# %%
# LONG
from course_lib.evaluation import answers as measures
from course_lib.evaluation import ways as five
from course_lib.stages import injection, retrieval
from course_lib.stages.sft import read
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets.ways import days_figure
from course_lib.world import news

tokenizer = load_tokenizer()
live = curve.LiveCurve(title="Learning to read notices")
lesson = read(course.size, base=load_stage("sft").model, on_step=live, out=course.work / f"reader_{course.size}")
live.close()
save_stage("reader", lesson.model, lesson.record)
assistant = load_stage("reader").model

# %% [markdown]
# Day 0 is the knowledge cut-off: what your assistant learned is true on that day. On days 1, 2 and 3 people move, change jobs, get another pet; some do so twice; strangers settle. All of it hangs on the board at the market hall, among notices that change nothing.

# %%
# LONG
BOARD = {day: [notice.text for notice in news.board(day)] for day in news.DAYS}
for notice in news.board(1)[:10]:
    print(f"{'changes something' if notice.change else '–':<20}{notice.text}")
print()
for day in news.DAYS:
    kinds = {kind: len(found) for kind, found in news.subjects(day).items()}
    print(
        f"day {day}: {len(BOARD[day]):>3} notices, {len(news.changes(day)):>2} changes today.  Facts: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    )

# %% [markdown]
# Five kinds of question: **old** (it still holds), **changed** (once), **again** (changed twice), **new** (about somebody who has just settled), **never** (nobody can know; the right answer is "I do not know.").
#
# **Predict first:** on day 3, what will the assistant say about a fact that has changed: the new value, the old one, or that it does not know?

# %%
# LONG
MY_GUESS = "the old value"

EACH = 6 if course.size == "tiny" else 48  # questions of each kind and day
print(f"{'day':<5}{'kind':<10}{'right':>7}{'does not know':>15}{'outdated':>10}    an example")
for day in (0, 3):
    asked = news.questions(day, EACH)
    said = retrieval.answer("closed book", assistant, tokenizer, [q["question"] for q in asked], [])
    for kind in news.KINDS:
        rows = [(q, a["answer"]) for q, a in zip(asked, said) if q["kind"] == kind]
        if rows:
            texts, golds, stale = [a for _, a in rows], [q["gold"] for q, _ in rows], [q["stale"] for q, _ in rows]
            s = measures.score_answers(texts, golds, stale)
            print(
                f"{day:<5}{kind:<10}{s['accuracy']:>7.0%}{s['abstention']:>15.0%}{s['staleness']:>10.0%}    {rows[0][0]['question']} » {texts[0]} (right: {golds[0]})"
            )
print(f"\nYou guessed: {MY_GUESS}.")

# %% [markdown]
# **What to notice.** On day 0 the model card's cut-off is true: it knows the facts of that day, all or nearly all. On day 3 the same model is as sure of itself as before, and wrong where the village has moved on. It cannot know that it is outdated.

# %% [markdown]
# ## § 2 Words
#
# A search compares the words of a question with the words of a notice. "Cobb?" and "cobb" must be the same word, so texts become lists of words first: lower case, letters and digits only. Everything else parts two words.
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●○○○ (2 of 5)
# > Minutes: 3
#
# <details><summary>Hint 1</summary><code>re.findall</code> gives all parts of a text that fit a pattern. <code>[a-z0-9]+</code> fits one or more letters or digits.</details>


# %%
# EXERCISE words_of
def words_of(text: str) -> list[str]:
    """The words of a text, in its order and as often as they stand there: "Ada Cobb's job?" → ["ada", "cobb", "s", "job"]."""
    ### BEGIN SOLUTION
    return re.findall(r"[a-z0-9]+", text.lower())
    ### END SOLUTION


# %%
check("words_of")

# %%
# LONG
words_fn = mine("words_of", globals(), retrieval.words)
QUESTION = next(q for q in news.questions(3, EACH) if q["kind"] == "changed")["question"]
DOCUMENTS = [words_fn(text) for text in BOARD[3]]
print(f"{QUESTION}  →  {words_fn(QUESTION)}\n{BOARD[3][0]}  →  {DOCUMENTS[0]}")
print(
    f"{len(DOCUMENTS)} notices, {len({word for d in DOCUMENTS for word in d})} different words, {sum(map(len, DOCUMENTS)) / len(DOCUMENTS):.1f} words a notice"
)

# %% [markdown]
# ## § 3 What a word is worth
#
# "day" stands in every notice and tells nothing. "cobb" stands in few. A word's weight is its *inverse document frequency*, here in the form of Lucene:
#
# $$\mathrm{idf}(w) = \log\left(1 + \frac{N - n_w + \frac12}{n_w + \frac12}\right)$$
#
# - $N$: number of documents, empty ones too · $n_w$: number of documents that hold $w$, however often
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>set(document)</code> holds each word once; a <code>Counter</code> over all those sets counts documents.</details>


# %%
# EXERCISE idf
def idf(documents: list[list[str]]) -> dict[str, float]:
    """{word: log(1 + (N − n + ½) / (n + ½))} for every word in N documents, n of which hold it. {} for no documents."""
    ### BEGIN SOLUTION
    holding = Counter(word for document in documents for word in set(document))
    N = len(documents)
    return {word: math.log(1 + (N - n + 0.5) / (n + 0.5)) for word, n in holding.items()}
    ### END SOLUTION


# %%
check("idf")

# %%
# LONG
idf_fn = mine("idf", globals(), retrieval.idf)
WEIGHTS = idf_fn(DOCUMENTS)
for word in words_fn(QUESTION):
    print(
        f"{word:<14}{f'{WEIGHTS[word]:.2f}  ' + '█' * round(5 * WEIGHTS[word]) if word in WEIGHTS else 'on no notice'}"
    )
print(f"{'day':<14}{WEIGHTS['day']:.3f}")

# %% [markdown]
# **What to notice.** The names carry the weight. Words that only questions use, such as "where" or "what", stand on no notice and count nothing: nobody needs a list of stop words here.

# %% [markdown]
# ## § 4 BM25
#
# Add up the weights of the question's words that the document holds. Two corrections: the tenth "cobb" tells less than the first (*saturation*), and a long document holds many words by chance (*length*):
#
# $$\mathrm{score}(q, d) = \sum_{w \in q} \mathrm{idf}(w) \cdot \frac{c}{c + k_1\left(1 - b + b\,\frac{|d|}{\bar d}\right)}$$
#
# - $c$: how often $w$ stands in $d$ · $|d|$: words of $d$ · $\bar d$: their mean over all documents
# - $k_1$: how late it saturates · $b$: how much length counts, 0 … 1
# - a word that stands twice in the question counts twice; one that the document does not hold adds 0
# - `weights` holds the idf of the words that stand in any document, and no others
#
# > Difficulty: ●●●○○ (3 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 12
#
# <details><summary>Hint 1</summary>Two loops: over the documents, and over the words of the query. <code>Counter(document)[word]</code> is 0 for an absent word.</details>
# <details><summary>Hint 2</summary>Skip a word with count 0 before you divide: with k1 = 0 it would be 0/0. The mean length is 0 if all documents are empty, and there is none if there are no documents.</details>


# %%
# EXERCISE bm25_scores
def bm25_scores(
    query: list[str], documents: list[list[str]], weights: dict[str, float], k1: float = 1.5, b: float = 0.75
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
bm25_fn = mine("bm25_scores", globals(), retrieval.bm25_scores)
scores = bm25_fn(words_fn(QUESTION), DOCUMENTS, WEIGHTS)
try:
    import bm25s
except ImportError:
    print("The package bm25s is not here, so the comparison is left out.")
else:
    library = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    library.index(DOCUMENTS, show_progress=False)
    apart = (scores - torch.tensor(library.get_scores(words_fn(QUESTION)))).abs().max().item()
    print(f"largest difference from bm25s over {len(scores)} notices: {apart:.1e}")
    assert apart < 1e-5
print(f"\n{QUESTION}")
for place in scores.sort(descending=True).indices[:5].tolist():
    print(f"{scores[place]:6.2f}  {BOARD[3][place]}")

# %% [markdown]
# ## § 5 The best k
#
# The prompt has room for a few notices only. Three rules:
#
# - the best score first; **in a tie the later place**: the board is oldest first, so later is newer
# - a score of 0 or less means that no word matched: such a notice is never returned, even if fewer than $k$ remain, or none
# - $k$ may be larger than the board
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
    """Places (counted from 0) of the k best scores above 0, the best first; in a tie the later place first."""
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
top_fn = mine("top_k", globals(), retrieval.top_k)
search_with = lambda notices, k=retrieval.NOTICES, named=True: retrieval.bm25_search(
    notices, k, words_fn, idf_fn, bm25_fn, top_fn, named
)


def newest_notice(day, question):
    """Place on that day's board of the notice that answers the question, or None."""
    places = [
        k
        for k, n in enumerate(news.board(day))
        if n.change and (n.change.resident, n.change.fact) == (question["resident"], question["fact"])
    ]
    return places[-1] if places else None


in_the_news = [q for q in news.questions(3, EACH) if q["kind"] in ("changed", "again", "new")]
print(
    "share of day 3's questions whose notice is among the k best\n   k  "
    + "".join(f"{kind:>10}" for kind in ("changed", "again", "new"))
)
for k in (1, 2, 4, 8):
    search = search_with(BOARD[3], k, named=False)
    hit = [(q["kind"], newest_notice(3, q) in search(q["question"])) for q in in_the_news]
    print(
        f"{k:>4}  "
        + "".join(
            f"{sum(h for kind, h in hit if kind == one) / sum(kind == one for kind, _ in hit):>10.0%}"
            for one in ("changed", "again", "new")
        )
    )
print(
    f"\nA question without a known word finds: {search_with(BOARD[3])('Quo vadis?')}. An empty board gives: {search_with([])(QUESTION)}."
)

# %% [markdown]
# **What to notice.** BM25 matches words, not meaning: the person's other notices score almost as high, so one notice is not enough. And it knows nothing of time: an old notice about a fact scores like the new one. So several notices go into the prompt, and their order will matter. The others among the best are often namesakes.

# %% [markdown]
# ## § 6 A vector for a text
#
# The other family of search: a vector for each text, close in direction where texts mean similar things. A cheap one comes from your own model. Take the hidden states of a text's tokens, average them, scale to length 1:
#
# $$v = \frac{u}{\lVert u \rVert}, \quad u = \frac{1}{\sum_t m_t} \sum_t m_t\, h_t \qquad\text{then}\quad v \cdot v' = \cos(u, u')$$
#
# - `hidden` $h$: `[N T D]` · `mask` $m$: `[N T]`, 1 or True where a token is real, 0 where it is padding (which may stand anywhere) · result: `[N D]`
# - a row without any real token becomes zeros, not NaN
#
# > Difficulty: ●●○○○ (2 of 5)
# > Importance: ●●●●○ (4 of 5)
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>mask.to(hidden.dtype)[:, :, None]</code> multiplies every feature of a token by 0 or 1.</details>
# <details><summary>Hint 2</summary><code>.clamp_min(1)</code> keeps a count from being 0; <code>F.normalize</code> leaves a zero vector zero.</details>


# %%
# EXERCISE mean_pool
def mean_pool(hidden: Float[Tensor, "N T D"], mask: Int[Tensor, "N T"]) -> Float[Tensor, "N D"]:
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
pool_fn = mine("mean_pool", globals(), retrieval.mean_pool)
hidden, mask = retrieval.states(assistant, tokenizer, BOARD[1][:8])
vectors = pool_fn(hidden, mask)
means = torch.stack([row[kept.bool()].mean(0) for row, kept in zip(hidden, mask)])
apart = (vectors @ vectors.T - F.cosine_similarity(means[:, None], means[None], dim=-1)).abs().max().item()
print(f"largest difference of your products from F.cosine_similarity: {apart:.1e}")
assert apart < 1e-5

by_meaning = lambda notices, k, centred: retrieval.embedding_search(assistant, tokenizer, notices, k, centred, pool_fn)
print("\nshare of day 3's questions whose notice is among the 4 best")
for name, search in (
    ("BM25", search_with(BOARD[3], 4, named=False)),
    ("your model's vectors", by_meaning(BOARD[3], 4, False)),
    ("the same, centred", by_meaning(BOARD[3], 4, True)),
):
    print(
        f"  {name:<24}{sum(newest_notice(3, q) in search(q['question']) for q in in_the_news) / len(in_the_news):.0%}"
    )

# %% [markdown]
# **What to notice.** The states of a model that was trained to predict the next word are poor search vectors: nothing in its training put a question near its answer. Taking off what all notices have in common ("centred") changes something; real embedding models are trained for the purpose. We go on with BM25.

# %% [markdown]
# ## § 7 The prompt
#
# What was found goes before the question. The prompt has a budget, and order matters: a model weighs what stands last, and only the newest notice about a fact holds.
#
# - the notices come best first. Give the budget to the best: go through them in that order, take one if its `tokens` still fit, pass over it if not, and go on
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

    Inputs:  notices: {"place": on the board, "text", "tokens"}, the best first · budget: tokens that the notices may take
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
    return "\n".join([f"Notice: {notice['text']}" for notice in oldest_first] + [f"Question: {question}"])
    ### END SOLUTION


# %%
check("build_prompt")

# %%
# LONG
build_fn = mine("build_prompt", globals(), retrieval.build_prompt)
example = next(q for q in news.questions(3, EACH) if q["kind"] == "again")
(prompt,), _ = retrieval.prompts(
    "RAG", [example["question"]], BOARD[3], tokenizer, search_with(BOARD[3]), build=build_fn
)
print(prompt)
for way in ("closed book", "RAG"):
    said = retrieval.answer(
        way, assistant, tokenizer, [example["question"]], BOARD[3], search_with(BOARD[3]), build=build_fn
    )[0]
    print(f"\n{way:>12} » {said['answer']}   ({said['tokens']} tokens)", end="")
print(f"\n{'right':>12} » {example['gold']};  outdated: {', '.join(example['stale'])}")

# %% [markdown]
# A search also finds the wrong thing. Of what BM25 brings up, the course keeps only notices about somebody whom the question names, and of notices that say the same thing anew only the newest (`named=True`; read `names_somebody_in` and `newest_of_each` in `course_lib/stages/retrieval.py`). What is that worth?

# %%
# LONG
asked = news.questions(3, EACH)
print(f"{'right on day 3, RAG with':<30}" + "".join(f"{kind:>10}" for kind in news.KINDS))
for name, named in (("all that BM25 finds", False), ("about the person, newest", True)):
    said = retrieval.answer(
        "RAG",
        assistant,
        tokenizer,
        [q["question"] for q in asked],
        BOARD[3],
        search_with(BOARD[3], named=named),
        build=build_fn,
    )
    right = [(q["kind"], measures.is_right(a["answer"], q["gold"], q["stale"])) for q, a in zip(asked, said)]
    print(
        f"{name:<30}"
        + "".join(
            f"{sum(r for k, r in right if k == kind) / sum(k == kind for k, _ in right):>10.0%}" for kind in news.KINDS
        )
    )

# %% [markdown]
# **What to notice.** A wrong notice is worse than none: look at *old* and *never*, where no notice can help. A model this small does not check whose notice it reads; the search has to.

# %% [markdown]
# ## § 8 Three measures
#
# One number is not enough in a world that changes. An answer *names* a value if the value's text stands in it, capitals or not.
#
# - **accuracy**: share of right answers. Right: it names the gold value and none of the outdated ones. Where gold is "I do not know.", the whole answer must be that
# - **abstention**: share of all answers that are "I do not know." and nothing else (blanks around it do not matter)
# - **staleness**: among the questions that *have* outdated values, the share of answers that name one; 0 if there are no such questions
#
# No questions at all: all three are 0.
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

    Inputs:  answers: what was said · golds: the right value, or "I do not know." · stale: for each question the values that no longer hold
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
    return {"accuracy": right / n, "abstention": silent / n, "staleness": outdated / max(1, changed)}
    ### END SOLUTION


# %%
check("score_answers")

# %% [markdown]
# The field's interface for measures is the library `evaluate`. The course ships the three as local modules, which need no download. They must agree with yours.

# %%
# LONG
score_fn = mine("score_answers", globals(), measures.score_answers)
asked = news.questions(2, EACH)
said = [a["answer"] for a in retrieval.answer("closed book", assistant, tokenizer, [q["question"] for q in asked], [])]
golds, stale = [q["gold"] for q in asked], [q["stale"] for q in asked]
yours = score_fn(said, golds, stale)
try:
    import evaluate
except ImportError:
    print("The package evaluate is not here, so the comparison is left out.")
else:
    folder = Path(measures.__file__).parent / "metrics"
    theirs = {
        "accuracy": evaluate.load(str(folder / "answer_accuracy")).compute(
            predictions=said, references=golds, stale=stale
        )["answer_accuracy"],
        "abstention": evaluate.load(str(folder / "abstention")).compute(predictions=said, references=golds)[
            "abstention"
        ],
        "staleness": evaluate.load(str(folder / "staleness")).compute(predictions=said, references=golds, stale=stale)[
            "staleness"
        ],
    }
    for name in yours:
        print(f"{name:<12} yours {yours[name]:.4f}   evaluate {theirs[name]:.4f}")
        assert abs(yours[name] - theirs[name]) < 1e-5

# %% [markdown]
# ## § 9 The news as training rows
#
# The other way to bring news into a model: train it in. The changes of day 1 become questions and answers.
#
# - for each (name, fact) keep **the newest value only**, the one with the largest day: two answers to one question teach neither
# - ask it in **every** phrasing of that fact: a model that saw one wording has learned a sentence, not a fact
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
def injection_rows(changes: list[dict], questions: dict[str, list[str]], answers: dict[str, str]) -> list[dict]:
    """Training rows for the newest value of each fact, one for each phrasing.

    Inputs:  changes: {"name", "fact", "value", "day"}, in any order
             questions: fact → phrasings with {name} · answers: fact → one form with {name} and {value}
    """
    ### BEGIN SOLUTION
    newest = {}
    for change in sorted(changes, key=lambda change: change["day"]):
        newest[change["name"], change["fact"]] = change["value"]
    rows = []
    for (name, fact), value in newest.items():
        for question in questions[fact]:
            user = {"role": "user", "content": question.format(name=name)}
            assistant = {"role": "assistant", "content": answers[fact].format(name=name, value=value)}
            rows.append({"messages": [user, assistant]})
    return rows
    ### END SOLUTION


# %%
check("injection_rows")

# %% [markdown]
# Now train them in, with LoRA (lab 04), and merge the adapter, so that the result is a plain model. Rows of old tasks and of the reading lesson are mixed in, so that it does not forget how to answer. **Predict first:** how many seconds of training per piece of news?

# %%
# LONG
rows_fn = mine("injection_rows", globals(), retrieval.injection_rows)
rows = rows_fn(injection.news_of(1), injection.QUESTIONS, injection.ANSWERS)
print(
    f"{len(injection.news_of(1))} changes, {len(rows)} rows. The first: {[m['content'] for m in rows[0]['messages']]}"
)
live = curve.LiveCurve(title="The news goes in")
run = injection.inject(assistant, rows, course.size, seed=0, on_step=live)
live.close()
injected = run.model
SECONDS = run.history[-1]["seconds"]
print(
    f"{run.record['trained_parameters']:,} of {assistant.parameter_count():,} parameters trained, {run.record['tokens']:,} tokens, {SECONDS:.0f} s: {SECONDS / len(injection.news_of(1)):.1f} s for each piece of news."
)

# %% [markdown]
# ## § 10 Five ways
#
# | way | model | what it reads |
# |---|---|---|
# | closed book | assistant | the question |
# | prompt | assistant | the newest notices of the board, as many as fit, unsorted by any search |
# | RAG | assistant | the notices that your search finds |
# | LoRA | with the news of **day 1** trained in | the question |
# | LoRA + RAG | the same | the notices that your search finds |
#
# **Predict first:** which way will be best on day 1, and which on day 3?

# %%
# LONG
MY_PREDICTION = "LoRA on day 1, RAG on day 3"

models = {way: injected if "LoRA" in way else assistant for way in retrieval.WAYS}
results = five.measure(models, tokenizer, each=EACH, search=search_with, score=score_fn, build=build_fn)
shown = [(0, "old"), (1, "changed"), (2, "changed"), (3, "changed"), (3, "again"), (3, "new"), (3, "old"), (3, "never")]
print(
    f"{'accuracy, on':<14}"
    + "".join(f"{f'day {day}':>10}" for day, _ in shown)
    + f"\n{'':<14}"
    + "".join(f"{kind:>10}" for _, kind in shown)
)
for way in retrieval.WAYS:
    print(f"{way:<14}" + "".join(f"{five.cell(results, way, day, kind):>10.0%}" for day, kind in shown))
print(f"\n{'staleness':<14}" + "".join(f"{f'day {day}':>14}" for day in (1, 2, 3)))
for way in retrieval.WAYS:
    print(f"{way:<14}" + "".join(f"{five.outdated(results, way, day):>14.0%}" for day in (1, 2, 3)))
print(f"\nI predicted: {MY_PREDICTION}. {results[0]['n']} questions in a cell (fewer where there are fewer facts).")
right_on = lambda way: {day: five.cell(results, way, day, "changed") for day in (1, 2, 3)}
curve.show(
    days_figure(
        {
            "right on what has changed": {way: right_on(way) for way in retrieval.WAYS},
            "outdated answers": {
                way: {day: five.outdated(results, way, day) for day in (1, 2, 3)} for way in retrieval.WAYS
            },
        },
        "Day by day",
    )
)

# %% [markdown]
# **What to notice.** The model that was fine-tuned on day 1 is right about the news of that day, and goes stale from then on, like its parent did: it holds what it was told, not what holds. RAG reads today's board. The whole board in the prompt is no substitute for a search. And RAG is not finished either: compare the column *day 3 new* with the hit rates of § 5. Where the notice is found and the answer is still wrong, the model has not learned to read such names.
#
# Training also touches what was there before. What has the injection cost elsewhere?

# %%
# LONG
from course_lib.evaluation.instructions import score as score_tasks
from course_lib.stages.perplexity import distance_to_limit
from course_lib.world import pretrain_rows
from course_lib.world.tasks import task_rows

tasks, validation = task_rows("residents", 40 if course.size == "tiny" else 200), pretrain_rows("validation", 200)


def forgetting(model):
    """(old facts right on day 1, share of held-out tasks passed, loss on the documents of pre-training in nats/token)"""
    old = five.measure({"closed book": model}, tokenizer, [1], 2 * EACH, ways=["closed book"])
    return (
        five.cell(old, "closed book", 1, "old"),
        score_tasks(model, tokenizer, tasks)["accuracy"],
        distance_to_limit(model, tokenizer, validation)["loss"],
    )


BEFORE, AFTER = forgetting(assistant), forgetting(injected)
print(f"{'':<26}{'assistant':>12}{'after the injection':>22}")
for name, before, after in zip(("old facts right", "held-out tasks passed"), BEFORE, AFTER):
    print(f"{name:<26}{before:>12.1%}{after:>22.1%}")
print(f"{'pre-training loss, nats':<26}{BEFORE[2]:>12.3f}{AFTER[2]:>22.3f}")

# %% [markdown]
# ## § 11 What it costs
#
# Training is paid once, a longer prompt with every question. In FLOP: about $2 \cdot P$ for each token that a model of $P$ parameters reads or writes, and about $4 \cdot P$ for each token of LoRA training. After how many questions has fine-tuning cost less than retrieval?
#
# $$n^* = \frac{\text{training}}{\text{retrieval} - \text{fine-tuned}}$$
#
# - `fine_tuned`, `retrieval`: cost of one question · all three in the same unit
# - training that cost nothing (≤ 0) has paid at once: 0. Otherwise, where a question to the fine-tuned model is no cheaper, it never pays: `math.inf`
#
# > Difficulty: ●○○○○ (1 of 5)
# > Importance: ●●●○○ (3 of 5)
# > Minutes: 4
#
# <details><summary>Hint 1</summary>Three cases, in this order: nothing paid, never pays, the fraction.</details>


# %%
# EXERCISE break_even
def break_even(training: float, fine_tuned: float, retrieval: float) -> float:
    """The number of questions at which training + n · fine_tuned = n · retrieval; a float, not rounded."""
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
even_fn = mine("break_even", globals(), measures.break_even)
table = five.table_of(results, assistant.parameter_count(), run.record["tokens"])
print(f"{'way':<14}{'training, GFLOP':>17}{'a question, GFLOP':>19}{'tokens a question':>19}")
for way, cost in table["cost"].items():
    print(
        f"{way:<14}{cost['training'] / 1e9:>17,.0f}{cost['each'] / 1e9:>19.3f}{cost['each'] / 2 / assistant.parameter_count():>19.0f}"
    )
EVEN = even_fn(table["cost"]["LoRA"]["training"], table["cost"]["LoRA"]["each"], table["cost"]["RAG"]["each"])
print(
    f"\nLoRA has paid after {EVEN:,.0f} questions, if nothing changes meanwhile. Here something changes every day: {EVEN:,.0f} questions a day, and {SECONDS:.0f} s of training before the first of them."
)

# %% [markdown]
# ## § 12 A rule
#
# Now decide, by a rule that you could defend. For a need you know how accurate an answer must be and how many questions will come:
#
# 1. leave out every way that is less accurate than needed (exactly as accurate is enough),
# 2. of the others take the one with the smallest `training + questions · each`; in a tie the first,
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

    Inputs:  ways: {"way": name, "accuracy", "training", "each"}, the costs in one unit · needed: least accuracy · questions: how many will be asked
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
# Your decision table. For a need with several kinds of question, the *worst* of them counts. The table goes into the record of your model: the grader measures your model again and compares.

# %%
# LONG
decide_fn = mine("decide", globals(), measures.decide)
table["decisions"] = {}
for need, asks in measures.NEEDS.items():
    worst = {way: min(table["accuracy"][way][f"{day} {kind}"] for day, kind in asks["rows"]) for way in retrieval.WAYS}
    ways = [{"way": way, "accuracy": worst[way], **table["cost"][way]} for way in retrieval.WAYS]
    table["decisions"][need] = decide_fn(ways, asks["needed"], asks["questions"])
    print(
        f"{need} (≥ {asks['needed']:.0%} on "
        + ", ".join(f"day {day} {kind}" for day, kind in asks["rows"])
        + f"; {asks['questions']:,} questions)"
    )
    for way in ways:
        total = (way["training"] + asks["questions"] * way["each"]) / 1e9
        print(
            f"    {way['way']:<14}{way['accuracy']:>6.0%}{total:>14,.0f} GFLOP"
            + ("   ◀ decided" if way["way"] == table["decisions"][need] else "")
        )
    print("    no way is good enough: none\n" if table["decisions"][need] == "none" else "")
saved = save_stage(
    "injected", injected, {**run.record, "table": table, "forgetting": {"before": BEFORE, "after": AFTER}}
)

# %%
check("injected_model")

# %% [markdown]
# **What to notice.** The rule sees accuracy and FLOP. It does not see upkeep: RAG needs a board that is kept in order and a search that works; LoRA needs a training run after each change, and somebody who checks what was forgotten. You will be asked about that below.

# %% [markdown]
# ## § 13 Questions as people type them
#
# The table above asks as the training rows asked. Production does not: other phrasings, lower case, slips of the pen, two questions in one. **Predict first:** which of these breaks the *search*, and which breaks the *reading*?

# %%
# LONG
letters = lambda notices: retrieval.bm25_search(notices, tokenize=retrieval.trigrams)
robust = {
    "words": five.robustness(assistant, tokenizer, 3, each=EACH, search=search_with),
    "letters": five.robustness(assistant, tokenizer, 3, each=EACH, search=letters),
}
print(f"{'':<14}{'search by words':>26}{'search by three letters':>30}")
print(f"{'style':<14}{'found':>14}{'right':>12}{'found':>18}{'right':>12}")
for style, row in robust["words"].items():
    other = robust["letters"][style]
    print(f"{style:<14}{row['found']:>14.0%}{row['accuracy']:>12.0%}{other['found']:>18.0%}{other['accuracy']:>12.0%}")

failed = [q for q in news.production_queries(3, EACH) if q["style"] in ("typo", "two in one")]
said = retrieval.answer("RAG", assistant, tokenizer, [q["question"] for q in failed], BOARD[3], search_with(BOARD[3]))
wrong = [(q, a) for q, a in zip(failed, said) if not measures.is_right(a["answer"], q["gold"], q["stale"])]
for q, a in wrong[:2] + wrong[-2:]:
    print(
        f"\n[{q['style']}] {q['question']}\n  said: {a['answer']}   right: {q['gold']}\n  found: {[BOARD[3][place] for place in a['found']][:2]}"
    )

# %% [markdown]
# **What to notice.** "Found" and "right" fail apart from each other. Where the notice was found and the answer is still wrong, a better search will not help; where it was not found, a better model will not.

# %% [markdown]
# ## § 14 Change one thing
#
# The injection again with one difference. Choose it, **write down what you expect**, then run. Other changes to try: `rank=2`, `epochs=4`, `learning_rate=1e-3`, `replay=4.0`.

# %%
# LONG
CHANGE = dict(replay=0.0)
MY_EXPECTATION = "without rows of old tasks: the news goes in as well as before, and more is forgotten"

changed = injection.inject(assistant, rows, course.size, seed=0, progress=False, **CHANGE)
print(f"I expected: {MY_EXPECTATION}\n")
print(f"{'':<26}{'assistant':>12}{'as before':>12}{'changed':>12}")
day_1 = lambda model: five.cell(
    five.measure({"LoRA": model}, tokenizer, [1], EACH, ways=["LoRA"]), "LoRA", 1, "changed"
)
print(f"{'news of day 1 right':<26}{day_1(assistant):>12.1%}{day_1(injected):>12.1%}{day_1(changed.model):>12.1%}")
OTHER = forgetting(changed.model)
for name, *values in zip(("old facts right", "held-out tasks passed"), BEFORE, AFTER, OTHER):
    print(f"{name:<26}" + "".join(f"{value:>12.1%}" for value in values))
print(f"{'pre-training loss, nats':<26}" + "".join(f"{value[2]:>12.3f}" for value in (BEFORE, AFTER, OTHER)))
print(f"{'seconds of training':<26}{'':>12}{SECONDS:>12.0f}{changed.history[-1]['seconds']:>12.0f}")

# %% [markdown]
# ## § 15 Summary
#
# You wrote a search, the prompt that carries what it finds, the rows that train news into a model, and the measures that tell them apart. Fine-tuning changes what a model *is*; retrieval changes what it *sees*. What changes often belongs into what it sees.
#
# Two questions, read by a person. Three or four sentences each.
#
# **1.** Think of a case of your own: what changes, how often, how many questions come? Which way do you decide for? Support it with two numbers from your table or costs, and say what upkeep it brings.

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# The opening hours of a clinic: they change every few weeks, and some thousand people ask each day. I decide for RAG. It was right on 98 to 100 % of what had changed, on every day, and at most 2 % outdated; the model
# fine-tuned on day 1 was right on day 1 and more than 70 % outdated on day 3. LoRA saves FLOP only after tens of thousands of questions between two changes, which the clinic does not have. The upkeep of RAG: somebody
# keeps the board in order and removes what no longer holds, and the hit rate of the search is measured each week.
# ### END SOLUTION

# %% [markdown]
# **2.** Take one failed query from § 13. At which step did it go wrong: the search, the reading, or the form of the question? What is your evidence, and what would you change?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# "Whiich pet lives with Mra Kettle?" went wrong in the search: the list of notices found is empty, because "mra" is on no notice, and of all queries with typos the notice was found for one in three only. Trigrams find four in
# five, so I would search by letters, or correct the spelling against the names on the board first. "Two in one" is another case: nine in ten times the notice was found and no answer was right. That is the form of the
# question; I would split it in two before the search, or put such rows into the training.
# ### END SOLUTION

# %% [markdown]
# ## § 16 Hand in
#
# Save the notebook (Ctrl + S), then run the last cell. It packs the notebook and your model with its table into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit()
