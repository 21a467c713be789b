"""Lab 05, fine-tune or retrieve: the graded questions. Each is written once and runs in the notebook (`check`) and
through the sandbox (`course grade`).

The oracles are another form of each rule (matrices for the loops of BM25, regular expressions for loops over
characters), so that this file does not ship the answers. Sources: BM25 in Lucene's form, Kamphuis et al. 2020 ("Which
BM25 do you mean?"), Robertson & Zaragoza 2009; retrieval-augmented generation, Lewis et al. 2020 (2005.11401);
knowledge injection against retrieval, Ovadia et al. 2023 (2312.05934).
"""

import math
import re

import torch
import torch.nn.functional as F

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "05_finetune_or_retrieve"

VOCABULARY = "ada cobb works mill lane owl goat street moved keeps now baker potter house where day thanks inn".split()


def draw_words(q, n, among=VOCABULARY):
    return [among[q.randint(0, len(among))] for _ in range(n)]


# ---------------------------------------------------------------------------------------------------------------- words

WORDS_TEXT = "§ 2 Words"
AS_OFTEN = "a word as often as it stands there"
PARTED = "line breaks, tabs, hyphens and underscores part words"
NO_WORDS = "a text without a word gives an empty list"
WORDS = Question("words_of", lab=LAB, points=0.25, rules=(AS_OFTEN, PARTED, NO_WORDS))


def letters_and_digits(text):
    """Another form: everything that is no letter or digit becomes a blank."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


@WORDS.case("lower case, letters and digits only, in the order of the text", reread=WORDS_TEXT)
def _(q):
    first, surname, third = ([2, 0, 1][k] for k in q.permutation(3).tolist())  # in no alphabetical order, and each once
    names = ["kit", "zoe", "ann"]
    a, b, c = names[first], names[surname], names[third]
    text = f"Day {q.randint(2, 9)}: {a.title()} {b.title()}'s neighbour {c.upper()} now works as a potter."
    got = q.call("words_of", text)
    right = letters_and_digits(text)
    q.same(
        "the words",
        got,
        right,
        reread=WORDS_TEXT,
        mistakes={
            "capitals were kept: “Where” and “where” are one word": letters_and_digits_cased(text),
            "the text was cut at blanks only: punctuation sticks to the words, and “potter.” is not “potter”": (
                text.lower().split()
            ),
            "digits were lost: “Day 3” and “Day 2” must differ": re.findall("[a-z]+", text.lower()),
            "the words came sorted: keep the order of the text": sorted(right),
            "the apostrophe was left out and “cobb's” became “cobbs”, which is not “cobb”": (
                letters_and_digits(text.replace("'", ""))
            ),
            "single characters were dropped: “a” and “3” are words, too": [word for word in right if len(word) > 1],
            "characters came back, not words": [c for c in text.lower() if c.isalnum()],
        },
    )


def letters_and_digits_cased(text):
    return "".join(c if c.isalnum() else " " for c in text).split()


@WORDS.case(AS_OFTEN, rule=AS_OFTEN, hint="No set, and no dict: a list.", reread=WORDS_TEXT)
def _(q):
    word = draw_words(q, 1)[0]
    mistakes = {"each word came once: how often a word occurs counts in BM25": [word, "and"]}
    got = q.call("words_of", f"{word}, {word.upper()} and {word}!")
    q.same("the words", got, [word, word, "and", word], mistakes=mistakes)


@WORDS.case(NO_WORDS, rule=NO_WORDS, hint='“”.split(" ") gives one empty word; there is none.', reread=WORDS_TEXT)
def _(q):
    q.same("the words of an empty text", q.call("words_of", ""), [])
    q.same("the words of “?! … ;”", q.call("words_of", "?! ... ;"), [])


@WORDS.case(
    PARTED,
    rule=PARTED,
    hint="Ask of each character whether it is a letter or digit, not whether it is a blank.",
    reread=WORDS_TEXT,
)
def _(q):
    a, b, c, d = ("ada", "inn", "lane", "owl")
    q.same("the words", q.call("words_of", f"{a}\n{b}\t{c}-{d}  7"), [a, b, c, d, "7"])
    mistakes = {"“_” counted as a letter, as \\w does": [f"{a}_{b}"]}
    q.same("the words", q.call("words_of", f"{a}_{b}"), [a, b], mistakes=mistakes)


# ------------------------------------------------------------------------------------------------------------------ idf

IDF_TEXT = "§ 3 What a word is worth"
DOCUMENTS = "n counts documents, however often the word stands in one"
EVERYWHERE = "a word that every document holds weighs little, and still more than 0"
EMPTY_ONES = "empty documents count in N"
NO_DOCUMENTS = "no documents give no weights"
IDF = Question("idf", lab=LAB, points=0.5, rules=(DOCUMENTS, EVERYWHERE, EMPTY_ONES, NO_DOCUMENTS))


def holding(documents):
    """{word: number of documents with it}, by asking each document."""
    return {word: sum(word in document for document in documents) for word in sorted({w for d in documents for w in d})}


def lucene(documents, form=None, count=None):
    N = len(documents)
    form = form or (lambda n: math.log((N + 1) / (n + 0.5)))  # 1 + (N − n + ½)/(n + ½) over one denominator
    return {word: form(n) for word, n in (count or holding(documents)).items()}


@IDF.case("log(1 + (N − n + ½) / (n + ½)) of every word")
def _(q):
    # each word once in a document, none in all of them, and not as many words as documents
    words = [VOCABULARY[k] for k in q.permutation(8).tolist()]
    documents, N = [words[:3], words[1:6], words[3:5], words[:6], words[5:]], 5
    q.close(
        "the weights",
        q.call("idf", documents),
        lucene(documents),
        tol=1e-5,
        reread=IDF_TEXT,
        mistakes={
            "the 1 + is missing: a word in most documents then gets a negative weight": (
                lucene(documents, lambda n: math.log((N - n + 0.5) / (n + 0.5)))
            ),
            "that is log(N / n), without the halves": lucene(documents, lambda n: math.log(N / n)),
            "that is log(1 + N / n): the form asked for is log(1 + (N − n + ½) / (n + ½))": (
                lucene(documents, lambda n: math.log(1 + N / n))
            ),
            "the logarithm is base 10: use the natural one": (
                lucene(documents, lambda n: math.log10((N + 1) / (n + 0.5)))
            ),
            "the logarithm is base 2: use the natural one": lucene(documents, lambda n: math.log2((N + 1) / (n + 0.5))),
            "the logarithm is missing": lucene(documents, lambda n: (N + 1) / (n + 0.5)),
            "the fraction is upside down: a rare word must weigh more than a common one": (
                lucene(documents, lambda n: math.log(1 + (n + 0.5) / (N - n + 0.5)))
            ),
            "N counts the words of all documents: it is the number of documents": (
                lambda: lucene(documents, lambda n: math.log(1 + (sum(map(len, documents)) - n + 0.5) / (n + 0.5)))
            ),
            "N counts the different words: it is the number of documents": (
                lambda: lucene(documents, lambda n: math.log(1 + (len(holding(documents)) - n + 0.5) / (n + 0.5)))
            ),
        },
    )


@IDF.case(DOCUMENTS, rule=DOCUMENTS, hint="set(document) holds each word once.", reread=IDF_TEXT)
def _(q):
    a, b = VOCABULARY[:2]
    documents = [[a] * (2 + q.randint(0, 8)) + [b], ["inn"], ["inn"]]
    often = {w: sum(d.count(w) for d in documents) for w in holding(documents)}
    mistake = "every occurrence was counted: n is the number of documents that hold the word, however often"
    mistakes = {mistake: lambda: lucene(documents, None, often)}
    q.close("the weights", q.call("idf", documents), lucene(documents), tol=1e-5, mistakes=mistakes)


@IDF.case(
    EVERYWHERE,
    rule=EVERYWHERE,
    hint="Without the 1 + the logarithm is negative here, and such a match would count against a document.",
    reread=IDF_TEXT,
)
def _(q):
    n = q.randint(3, 9)
    q.close("the weights", q.call("idf", [["day"]] * n), {"day": math.log((n + 1) / (n + 0.5))}, tol=1e-5)


@IDF.case(EMPTY_ONES, rule=EMPTY_ONES, hint="N is len(documents).", reread=IDF_TEXT)
def _(q):
    documents = [["owl"], [], ["goat", "owl"], []]
    q.close("the weights", q.call_checked_unmutated("idf", documents), lucene(documents), tol=1e-5)


@IDF.case(NO_DOCUMENTS, rule=NO_DOCUMENTS, reread=IDF_TEXT)
def _(q):
    q.same("the weights of no documents", q.call("idf", []), {})


# ----------------------------------------------------------------------------------------------------------------- BM25

BM25_TEXT = "§ 4 BM25"
COUNTS_TWICE = "a word that stands twice in the question counts twice"
ABSENT = "a word that the document does not hold adds 0, also one that no document holds, and for k1 = 0"
NOTHING_THERE = "a query, a document and the board may be empty"
ARGUMENTS = "k1 and b are those that are passed"
BM25 = Question("bm25_scores", lab=LAB, points=1, rules=(COUNTS_TWICE, ABSENT, NOTHING_THERE, ARGUMENTS))


def by_matrix(query, documents, weights, k1=1.5, b=0.75, part=None, length=None, mean=None):
    """BM25 as a table of counts [documents, different words of the query]. The last three make the usual slips."""
    terms = [word for word in query if word in weights]
    tf = torch.tensor([[float(document.count(word)) for word in terms] for document in documents]).reshape(
        len(documents), len(terms)
    )
    lengths = torch.tensor([float(length(d) if length else len(d)) for d in documents])
    mean = mean or max(float(lengths.mean()), 1e-9)
    norm = k1 * ((1 - b) + b * lengths / mean)[:, None]
    share = part(tf, norm) if part else tf / (tf + norm).clamp_min(1e-30)
    return (share * torch.tensor([weights[word] for word in terms])).sum(1)


@BM25.case("Σ idf · tf / (tf + k1 · (1 − b + b · length / mean length))")
def _(q):
    documents = [draw_words(q, n, VOCABULARY[3:9]) for n in (3, 12, 5, 8, 20)]
    query = [VOCABULARY[k] for k in q.permutation(3).tolist()]
    documents[0] += query[:1]
    documents[1] += query * 2  # counts above 1, and a document with every word
    documents[4] += query[1:] * 3
    weights, k1, b = lucene(documents), 1.5, 0.75
    args = (query, documents, weights)
    got = q.call("bm25_scores", query, documents, weights, k1, b)
    q.close(
        "the scores",
        got,
        by_matrix(*args),
        tol=1e-5,
        reread=BM25_TEXT,
        mistakes={
            "the numerator has (k1 + 1), as in many textbooks: Lucene leaves the constant out": (
                2.5 * by_matrix(*args)
            ),
            "the idf is missing: a rare word must count more": by_matrix(query, documents, dict.fromkeys(weights, 1.0)),
            "the idf was squared": by_matrix(query, documents, {w: x * x for w, x in weights.items()}),
            "the length of the document plays no part": by_matrix(*args, b=0.0),
            "b and 1 − b changed places": by_matrix(*args, b=0.25),
            "k1 and b changed places": by_matrix(*args, k1=0.75, b=1.5),
            "the count is not saturated: that is tf · idf": by_matrix(*args, part=lambda tf, norm: tf),
            "a word counts once in a document, however often it stands there: use its count": (
                by_matrix(*args, part=lambda tf, norm: (tf > 0) / ((tf > 0) + norm))
            ),
            "the length is upside down: a document longer than the mean must score lower": (
                by_matrix(*args, part=lambda tf, norm: tf / (tf + upside_down(documents, k1, b)))
            ),
            "the length counts different words: it is the number of all words": (
                by_matrix(*args, length=lambda d: len(set(d)))
            ),
            "k1 stands outside the bracket: it multiplies all of it": (
                by_matrix(*args, part=lambda tf, norm: tf / (tf + k1 * (1 - b) + b * norm_of(documents)))
            ),
            "the length was divided by the longest: divide by the mean": (
                by_matrix(*args, mean=float(max(map(len, documents))))
            ),
            "the length was not divided by the mean": by_matrix(*args, mean=1.0),
            "tf is missing in the denominator": by_matrix(*args, part=lambda tf, norm: tf / norm),
            "tf is a share of the document: it is a count": (
                by_matrix(*args, part=lambda tf, norm: share_of(tf, documents, norm))
            ),
            "the scores were made to sum to 1": by_matrix(*args) / by_matrix(*args).sum(),
        },
    )


def upside_down(documents, k1, b):
    lengths = torch.tensor([float(len(d)) for d in documents])
    return (k1 * (1 - b + b * lengths.mean() / lengths))[:, None]


def norm_of(documents):
    lengths = torch.tensor([float(len(d)) for d in documents])
    return (lengths / lengths.mean())[:, None]


def share_of(tf, documents, norm):
    tf = tf / torch.tensor([float(len(d)) for d in documents])[:, None]
    return tf / (tf + norm)


@BM25.case(COUNTS_TWICE, rule=COUNTS_TWICE, hint="Go through the query, not through its set.", reread=BM25_TEXT)
def _(q):
    documents = [draw_words(q, 6, VOCABULARY[:5]) for _ in range(4)] + [VOCABULARY[:5]]
    weights, query = lucene(documents), ["ada", "cobb", "ada"]
    once = by_matrix(["ada", "cobb"], documents, weights)
    q.close(
        "the scores",
        q.call("bm25_scores", query, documents, weights, 1.5, 0.75),
        by_matrix(query, documents, weights),
        tol=1e-5,
        mistakes={"a repeated word of the query counts once: go through the query, not through its set": once},
    )


@BM25.case(
    "words that no notice has, alone and among others",
    rule=ABSENT,
    hint="weights.get(word, 0.0), or skip what the document does not hold.",
    reread=BM25_TEXT,
)
def _(q):
    documents = [draw_words(q, 5, VOCABULARY[:6]) for _ in range(3)] + [["ada", "owl"]]
    weights = lucene(documents)
    for query, known in ((["zeppelin"], []), (["zeppelin", "ada"], ["ada"])):
        got = q.call("bm25_scores", query, documents, weights, 1.5, 0.75)
        expected = by_matrix(known, documents, weights) if known else torch.zeros(4)
        q.close(f"the scores of {', '.join(query)}", got, expected, tol=1e-5 if known else 0.0)


@BM25.case(
    "k1 = 0: only whether a word is there",
    rule=ABSENT,
    hint="Skip a word that the document does not hold: 0/0.",
    reread=BM25_TEXT,
)
def _(q):
    documents = [["ada", "ada", "owl"], ["cobb", "works", "lane", "mill"], ["ada", "cobb"]]
    weights, query = lucene(documents), ["ada", "cobb"]
    got = q.call("bm25_scores", query, documents, weights, 0.0, 0.75)
    q.close("the scores", got, by_matrix(query, documents, weights, 0.0, 0.75), tol=1e-5)


@BM25.case(NOTHING_THERE, rule=NOTHING_THERE, hint="The mean length may be 0, or none be there.", reread=BM25_TEXT)
def _(q):
    documents = [["ada", "owl"], [], ["owl"]]
    weights = lucene(documents)
    q.close(
        "the scores of an empty query",
        q.call("bm25_scores", [], documents, weights, 1.5, 0.75),
        torch.zeros(3),
        tol=0.0,
        hint="A sum over nothing is 0, once for each document.",
    )
    got = q.call("bm25_scores", ["owl"], documents, weights, 1.5, 0.75)
    q.close("the scores with an empty document", got, by_matrix(["owl"], documents, weights), tol=1e-5)
    got = q.call("bm25_scores", ["owl"], [[], []], {}, 1.5, 0.75)
    q.close("the scores where all documents are empty", got, torch.zeros(2), tol=0.0)
    q.same("the shape for no documents", list(q.call("bm25_scores", ["owl"], [], {}, 1.5, 0.75).shape), [0])


@BM25.case(ARGUMENTS, rule=ARGUMENTS, hint="Use the arguments k1 and b.", reread=BM25_TEXT)
def _(q):
    documents = [draw_words(q, n, VOCABULARY[:6]) + ["ada"] for n in (4, 9, 3)]
    weights, query = lucene(documents), VOCABULARY[:4]
    for k1, b in ((1.2, 0.0), (3.0, 1.0), (0.5, 0.4)):
        got = q.call("bm25_scores", query, documents, weights, k1, b)
        q.close(f"the scores for k1 = {k1}, b = {b}", got, by_matrix(query, documents, weights, k1, b), tol=1e-5)


@BM25.case("k1 and b left out: 1.5 and 0.75; inputs left alone", reread=BM25_TEXT)
def _(q):
    documents = [draw_words(q, n, VOCABULARY[:6]) + ["ada"] for n in (4, 9, 3)]
    weights, query = lucene(documents), ["owl", "ada", "cobb"]
    got = q.call_checked_unmutated("bm25_scores", query, documents, weights)
    q.close("the scores", got, by_matrix(query, documents, weights), tol=1e-5)


# ---------------------------------------------------------------------------------------------------------------- top-k

TOP_TEXT = "§ 5 The best k"
LATER_FIRST = "in a tie the later place comes first"
MATCHES_ONLY = "a score of 0 or less is no match: fewer than k may come back, or none"
LARGE_K = "k may be larger than the board, and the board empty"
ANY_SIZE = "above 0 every score counts, and every difference, however small"
TOP_K = Question("top_k", lab=LAB, points=0.5, rules=(LATER_FIRST, MATCHES_ONLY, LARGE_K, ANY_SIZE))


def ranking(scores, later_first=True):
    """Places by score, the best first, without sorting functions of torch."""
    return sorted(
        (k for k, s in enumerate(scores.tolist()) if s > 0), key=lambda k: (-scores[k].item(), -k if later_first else k)
    )


@TOP_K.case("the places of the k best, the best first")
def _(q):
    scores = (torch.arange(9) + 0.5)[q.permutation(9)]
    right = ranking(scores)[:4]
    q.same(
        "the places",
        q.call("top_k", scores, 4),
        right,
        reread=TOP_TEXT,
        mistakes={
            "the worst came: sort in descending order": ranking(-scores + 100)[:4],
            "the best stand last: the best comes first": right[::-1],
            "the places came in the order of the board: the order is that of the scores": sorted(right),
            "the scores came back: return their places": [scores[k].item() for k in right],
            "one too few": right[:-1],
            "one too many": ranking(scores)[:5],
            "places count from 1: they count from 0": [k + 1 for k in right],
            "k was not used": ranking(scores),
        },
    )


@TOP_K.case(
    LATER_FIRST,
    rule=LATER_FIRST,
    hint="torch.topk and an unstable sort may give any order among equals.",
    reread=TOP_TEXT,
)
def _(q):
    scores = torch.tensor([1.0, 3.0, 2.0, 3.0, 2.0, 3.0, 2.0])[q.permutation(7)]
    mistake = "in a tie the earlier place won: the newer notice stands later on the board"
    earlier = ranking(scores, later_first=False)[:5]
    q.same("the places", q.call("top_k", scores, 5), ranking(scores)[:5], mistakes={mistake: earlier})
    q.same("the places among 40 equal scores", q.call("top_k", torch.ones(40), 3), [39, 38, 37])


@TOP_K.case(MATCHES_ONLY, rule=MATCHES_ONLY, hint="Drop what is not above 0, then cut.", reread=TOP_TEXT)
def _(q):
    scores = torch.tensor([0.0, 0.7, -1.0, -2.0, 0.2])[q.permutation(5)]
    q.same(
        "the places",
        q.call("top_k", scores, 4),
        ranking(scores),
        mistakes={
            "notices with score 0 came back: they share no word with the question": (
                lambda: sorted(range(5), key=lambda k: (-scores[k].item(), -k))[:4]
            )
        },
    )
    q.same("the places where nothing matches", q.call("top_k", torch.zeros(6), 3), [])


@TOP_K.case(
    LARGE_K, rule=LARGE_K, hint="torch.topk refuses a k beyond the length: min(k, len(scores)).", reread=TOP_TEXT
)
def _(q):
    scores = torch.tensor([0.3, 0.9, 0.5])[q.permutation(3)]
    q.same("the places for k = 10 of 3", q.call("top_k", scores, 10), ranking(scores))
    q.same("the places of an empty board", q.call("top_k", torch.zeros(0), 3), [])


@TOP_K.case(ANY_SIZE, rule=ANY_SIZE, hint="1e-30 is above 0: no threshold, no rounding.", reread=TOP_TEXT)
def _(q):
    scores = torch.tensor([1e-30, 1e30, 1.0, 5e-30])[q.permutation(4)]
    q.same("the places", q.call("top_k", scores, 3), ranking(scores)[:3])
    q.same("the places of near scores", q.call("top_k", torch.tensor([0.50003, 0.50002, 0.50001]), 3), [0, 1, 2])
    q.same("the places of tiny scores", q.call("top_k", torch.tensor([5e-30, 1e-30]), 2), [0, 1])


@TOP_K.case("the scores are left alone", reread=TOP_TEXT)
def _(q):
    q.call_checked_unmutated("top_k", torch.tensor([0.3, 0.9, 0.5]), 2)


# ------------------------------------------------------------------------------------------------------------ mean pool

POOL_TEXT = "§ 6 A vector for a text"
NO_TOKEN = "a row without any real token is zeros, not NaN"
HOLES = "padding may stand anywhere: on the left, on the right, between real tokens"
BOOLEANS = "the mask may be of True and False"
SMALL = "states may be very small: nothing is added to the length"
REAL_ONLY = "the gradient reaches the real states, and they alone"
MEAN_POOL = Question("mean_pool", lab=LAB, points=0.75, rules=(NO_TOKEN, HOLES, BOOLEANS, SMALL, REAL_ONLY))


def pooled(hidden, mask):
    """A row at a time, over its real states only."""
    rows = [hidden[n, mask[n].bool()] for n in range(len(hidden))]
    return torch.stack(
        [
            F.normalize(row.mean(0), dim=0) if len(row) else torch.zeros(hidden.shape[-1], dtype=hidden.dtype)
            for row in rows
        ]
    )


@MEAN_POOL.case("the mean over the real tokens, scaled to length 1")
def _(q):
    hidden, lengths = q.randn(3, 6, 4) + 0.5, torch.tensor([6, 2, 4])
    mask = (torch.arange(6) < lengths[:, None]).long()
    hidden[1, 3] = 30.0  # what stands under the padding must not matter
    got = q.call("mean_pool", hidden, mask)
    last = torch.stack([hidden[n, length - 1] for n, length in enumerate(lengths)])
    plain = torch.stack([hidden[n, : lengths[n]].mean(0) for n in range(3)])
    q.same("the shape", list(got.shape), [3, 4])
    q.close(
        "the vectors",
        got,
        pooled(hidden, mask),
        tol=1e-5,
        reread=POOL_TEXT,
        mistakes={
            "the padding was averaged in: use the mask": F.normalize(hidden.mean(1), dim=-1),
            "the vectors do not have length 1: divide each by its norm, so that a product is a cosine": plain,
            "the states were added up and not brought to length 1": plain * lengths[:, None],
            "the sum was divided by all T positions, and not brought to length 1": plain * lengths[:, None] / 6,
            "that is the state of the last token: take the mean over all real ones": F.normalize(last, dim=-1),
            "that is the state of the last position, which may be padding": F.normalize(hidden[:, -1], dim=-1),
            "that is the first token's state: take the mean over all real ones": F.normalize(hidden[:, 0], dim=-1),
            "the largest value was taken: take the mean": (
                F.normalize(hidden.masked_fill(mask[:, :, None] == 0, -1e30).amax(1), dim=-1)
            ),
            "each state was brought to length 1 first: take the mean first": pooled(F.normalize(hidden, dim=-1), mask),
            "each vector was divided by the sum of its absolute values: a cosine needs the Euclidean length": (
                F.normalize(plain, p=1, dim=-1)
            ),
            "the columns were brought to length 1: each row is a text": F.normalize(plain, dim=0),
            "the mask, whole numbers, was used as an index, which takes the states 0 and 1 again and again: "
            "mask.bool() chooses": F.normalize(torch.stack([h[m].mean(0) for h, m in zip(hidden, mask)]), dim=-1),
            "the vectors were divided by the squared length": plain / plain.pow(2).sum(-1, keepdim=True),
        },
    )


@MEAN_POOL.case(
    NO_TOKEN,
    rule=NO_TOKEN,
    hint="0/0 is NaN twice here: in the mean, and in the length. clamp_min keeps both denominators above 0.",
    reread=POOL_TEXT,
)
def _(q):
    hidden, mask = q.randn(2, 4, 3), torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]])
    got = q.call("mean_pool", hidden, mask)
    q.true("a value is NaN or infinite", bool(torch.isfinite(got).all()))
    q.close("the vectors", got, pooled(hidden, mask), tol=1e-5)


@MEAN_POOL.case(HOLES, rule=HOLES, hint="Do not cut at a length: multiply by the mask.", reread=POOL_TEXT)
def _(q):
    hidden = q.randn(3, 5, 4)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 0, 0, 0, 1]])
    q.close("the vectors", q.call("mean_pool", hidden, mask), pooled(hidden, mask), tol=1e-5)


@MEAN_POOL.case(BOOLEANS, rule=BOOLEANS, hint="mask.to(hidden.dtype) takes both.", reread=POOL_TEXT)
def _(q):
    hidden, mask = q.randn(2, 5, 4), torch.arange(5) < torch.tensor([3, 5])[:, None]
    q.close("the vectors", q.call("mean_pool", hidden, mask), pooled(hidden, mask), tol=1e-5)


@MEAN_POOL.case(
    SMALL,
    rule=SMALL,
    hint="A constant added to the length would bend small vectors: clamp_min instead.",
    reread=POOL_TEXT,
)
def _(q):
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    for size in (1e4, 1e-7):
        hidden = size * (1 + 0.3 * q.randn(2, 4, 5))
        got = q.call("mean_pool", hidden, mask)
        q.close(f"the vectors of states near {size:g}", got, pooled(hidden, mask), tol=1e-4)


@MEAN_POOL.case(REAL_ONLY, rule=REAL_ONLY, hint="Something cut the graph, or padding was read.", reread=POOL_TEXT)
def _(q):
    hidden, mask, cotangent = q.randn(2, 4, 3), torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]]), q.randn(2, 3)
    _, grads = q.call_with_grad("mean_pool", [hidden, mask], (0,), cotangent, names=("hidden",))
    leaf = hidden.clone().requires_grad_()
    expected = torch.autograd.grad((pooled(leaf, mask) * cotangent).sum(), leaf)[0]
    q.close("the gradient of the states", grads[0], expected, tol=1e-4)
    q.true("a state of the padding has a gradient", not bool(grads[0][mask == 0].any()))


@MEAN_POOL.case("the product of two is their cosine; inputs left alone", reread=POOL_TEXT)
def _(q):
    hidden, mask = q.randn(4, 5, 6), torch.ones(4, 5, dtype=torch.long)
    got, means = q.call("mean_pool", hidden, mask), hidden.mean(1)
    cosines = F.cosine_similarity(means[:, None], means[None], dim=-1)
    q.close("the products", got @ got.T, cosines, tol=1e-5, hint="Each row must have Euclidean length 1.")
    q.call_checked_unmutated("mean_pool", q.randn(2, 4, 3), torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]]))


# --------------------------------------------------------------------------------------------------------------- prompt

PROMPT_TEXT = "§ 7 The prompt"
TO_THE_BEST = "the budget goes to the best notices"
PASSED_OVER = "a notice that does not fit is passed over, and the next one tried"
EXACT_FIT = "a notice that fits exactly is taken"
BARE = "nothing taken: the bare question"
PROMPT = Question("build_prompt", lab=LAB, points=0.75, rules=(TO_THE_BEST, PASSED_OVER, EXACT_FIT, BARE))


def note(q, place, tokens=None):
    day = 1 + place // 10
    return {
        "place": place,
        "text": f"Day {day}: {' '.join(draw_words(q, 3)).title()} {place}.",
        "tokens": q.randint(8, 15) if tokens is None else tokens,
    }


def message(taken, question, newest_last=True):
    lines = [item["text"] for item in sorted(taken, key=lambda item: item["place"] if newest_last else -item["place"])]
    return "\n".join([f"Notice: {text}" for text in lines] + [f"Question: {question}"]) if lines else question


@PROMPT.case("the notices, the newest last, then the question")
def _(q):
    a, b, c, d = (k + q.randint(0, 3) for k in (2, 6, 10, 20))
    told = {a: "Una Quill", b: "Zoe Cobb", c: "Ada Lane", d: "Kit Cobb"}  # sorted by text: c, d, a, b
    notices = [{"place": place, "text": f"Day 1: {told[place]} {place}.", "tokens": 9} for place in (b, d, a, c)]
    question = "Where does Ada Cobb live?"
    got = q.call("build_prompt", notices, question, 500)
    right = message(notices, question)
    ranked = "\n".join([f"Notice: {item['text']}" for item in notices] + [f"Question: {question}"])
    q.same(
        "the prompt",
        got,
        right,
        reread=PROMPT_TEXT,
        mistakes={
            "the newest notice stands first: it belongs last, next to the question": (
                message(notices, question, newest_last=False)
            ),
            "the notices stand in the order of their rank: sort them by place": ranked,
            "the worst notice stands first: sort them by place, not by rank": (
                "\n".join([f"Notice: {item['text']}" for item in notices[::-1]] + [f"Question: {question}"])
            ),
            "the question stands first: it comes last": "\n".join(right.split("\n")[-1:] + right.split("\n")[:-1]),
            "“Question: ” is missing before the question": right.replace("Question: ", ""),
            "“Notice: ” is missing before each notice": right.replace("Notice: ", ""),
            "there is a line break too many at the end": right + "\n",
            "the notices were parted by blanks: each has a line of its own": right.replace("\n", " "),
            "the notices are sorted by their texts: sort by place": (
                "\n".join(sorted(f"Notice: {item['text']}" for item in notices) + [f"Question: {question}"])
            ),
        },
    )


@PROMPT.case(
    TO_THE_BEST, rule=TO_THE_BEST, hint="Go through the notices in the order in which they come.", reread=PROMPT_TEXT
)
def _(q):
    notices = [note(q, place, 10) for place in (3, 5, 9, 12)]  # the best are the oldest
    mistakes = {
        "the budget was not used, or counted in notices: it counts tokens": message(notices, "Who?"),
        "the budget went to the newest notices: it belongs to the best": message(notices[2:], "Who?"),
    }
    got = q.call("build_prompt", notices, "Who?", 25)
    q.same("the prompt", got, message(notices[:2], "Who?"), mistakes=mistakes)


@PROMPT.case(PASSED_OVER, rule=PASSED_OVER, hint="No break: go on to the next notice.", reread=PROMPT_TEXT)
def _(q):
    notices = [note(q, place, tokens) for place, tokens in ((12, 20), (9, 30), (5, 10), (3, 30))]
    question = "What does Ada Cobb do?"
    mistakes = {
        "the budget was not used, or counted in notices: it counts tokens": message(notices, question),
        "it stopped at the first notice that did not fit: pass that one over and try the next": (
            message(notices[:1], question)
        ),
        "the first notice that did not fit was taken, too": message(notices[:2], question),
    }
    got = q.call("build_prompt", notices, question, 33)
    q.same("the prompt", got, message([notices[0], notices[2]], question), mistakes=mistakes)


@PROMPT.case(EXACT_FIT, rule=EXACT_FIT, hint="≤, not <.", reread=PROMPT_TEXT)
def _(q):
    item = note(q, 7, tokens=12)
    mistakes = {"a notice that fits exactly was left out: ≤, not <": "Where?"}
    q.same("the prompt", q.call("build_prompt", [item], "Where?", 12), message([item], "Where?"), mistakes=mistakes)


@PROMPT.case(BARE, rule=BARE, hint="Ask whether anything was taken.", reread=PROMPT_TEXT)
def _(q):
    question = "What is Ada Cobb's pet?"
    mistakes = {"without notices it is an ordinary question: no “Question: ” before it": f"Question: {question}"}
    got = q.call("build_prompt", [], question, 100)
    q.same("the prompt without notices", got, question, mistakes=mistakes)
    got = q.call("build_prompt", [note(q, 3, 12), note(q, 1, 9)], question, 5)
    q.same("the prompt where none fits", got, question, mistakes=mistakes)


@PROMPT.case("forty notices; inputs left alone", reread=PROMPT_TEXT)
def _(q):
    notices = [note(q, int(p), 10) for p in q.permutation(40)]
    got = q.call_checked_unmutated("build_prompt", notices, "Who?", 405)
    q.same(
        "the prompt", got, message(notices, "Who?"), hint="sorted() makes a new list; .sort() changes the given one."
    )


# ------------------------------------------------------------------------------------------------------------ injection

INJECTION_TEXT = "§ 9 The news as training rows"
LARGEST_DAY = "the newest has the largest day, in whatever order the changes come"
APART = "for each name and fact"
INJECTION = Question("injection_rows", lab=LAB, points=0.5, rules=(LARGEST_DAY, APART))
ASK = {
    "job": ["What does {name} do?", "What is {name}'s job?"],
    "home": ["Where does {name} live?", "What is {name}'s street?", "Where is {name}'s house?"],
}
TELL = {"job": "{name} works as {value}.", "home": "{name} lives in {value}."}


def turns(changes, ask=ASK, tell=TELL):
    """[question, answer] pairs of each change, in every phrasing."""
    return [
        [text.replace("{name}", c["name"]), tell[c["fact"]].replace("{name}", c["name"]).replace("{value}", c["value"])]
        for c in changes
        for text in ask[c["fact"]]
    ]


def pairs_of(rows):
    """[question, answer] pairs of rows, in alphabetical order: the order of the rows is free."""
    return sorted([[m["content"] for m in row["messages"]] for row in rows])


def change(name, fact, value, day):
    return {"name": name, "fact": fact, "value": value, "day": day}


@INJECTION.case("the newest value of each fact, asked in every phrasing")
def _(q):
    old, new, third = draw_words(q, 1, ["a baker", "a miller"])[0], "a potter", "Mill Lane"
    changes = [
        change("Ada Cobb", "job", old, 1),
        change("Hugo Quill", "home", third, 1),
        change("Ada Cobb", "job", new, 2),
    ]
    rows = q.call("injection_rows", changes, ASK, TELL)
    roles = [[m["role"] for m in row["messages"]] for row in rows]
    q.same(
        "the roles of a row",
        roles[:1],
        [["user", "assistant"]],
        hint='A row is {"messages": [{"role": "user", …}, {"role": "assistant", …}]}.',
        reread=INJECTION_TEXT,
    )
    q.same(
        "questions and answers",
        pairs_of(rows),
        sorted(turns(changes[1:])),
        reread=INJECTION_TEXT,
        mistakes={
            "the value that no longer holds is in the rows, too: the model would learn both answers to one question": (
                sorted(turns(changes))
            ),
            "the first value stayed: the newest one holds": sorted(turns(changes[:2])),
            "only the first phrasing of each question is there: the model would learn one wording": (
                sorted(turns(changes[1:], {fact: forms[:1] for fact, forms in ASK.items()}))
            ),
            "only the last change is there": sorted(turns(changes[2:])),
            "only the value is in the answer: use the form in `answers`": (
                sorted([question, c["value"]] for c in changes[1:] for question, _ in turns([c]))
            ),
        },
    )
    q.same("the keys of a row", sorted(rows[0]), ["messages"], reread=INJECTION_TEXT)


@INJECTION.case(LARGEST_DAY, rule=LARGEST_DAY, hint="Compare the days.", reread=INJECTION_TEXT)
def _(q):
    days = [[2, 3, 1], [1, 3, 2]][q.randint(0, 2)]  # the newest is neither the first nor the last
    values = ["Mill Lane", "North Gate", "Castle Hill"]
    changes = [change("Ada Cobb", "home", value, day) for value, day in zip(values, days)]
    newest = max(changes, key=lambda c: c["day"])
    q.same(
        "questions and answers",
        pairs_of(q.call("injection_rows", changes, ASK, TELL)),
        sorted(turns([newest])),
        reread=INJECTION_TEXT,
        mistakes={
            "the last one in the list won: look at the day": sorted(turns([changes[-1]])),
            "the first one in the list won: look at the day": sorted(turns([changes[0]])),
        },
    )


@INJECTION.case(APART, rule=APART, hint="A dict with the key (name, fact).", reread=INJECTION_TEXT)
def _(q):
    changes = [
        change("Ada Cobb", "job", "a nurse", 2),
        change("Ada Cobb", "home", "Mill Lane", 1),
        change("Ada Quill", "job", "a weaver", 1),
    ]
    q.same(
        "questions and answers",
        pairs_of(q.call("injection_rows", changes, ASK, TELL)),
        sorted(turns(changes)),
        reread=INJECTION_TEXT,
        mistakes={
            "one fact of a resident replaced another: keep them by name and fact": (
                lambda: sorted(turns([changes[0], changes[2]]))
            ),
            "one resident replaced another: keep them by name and fact": lambda: sorted(turns(changes[1:])),
        },
    )


@INJECTION.case("no changes, no rows; inputs left alone")
def _(q):
    q.same("the rows", q.call("injection_rows", [], ASK, TELL), [], reread=INJECTION_TEXT)
    q.call_checked_unmutated("injection_rows", [change("Ada Cobb", "job", "a nurse", k) for k in (2, 1)], ASK, TELL)


# -------------------------------------------------------------------------------------------------------------- metrics

SCORES_TEXT = "§ 8 Three measures"
CAPITALS = "a value is named with capitals or without"
NONE_OUTDATED = "who names an outdated value beside the right one is not right"
NOTHING_ELSE = "who says more than “I do not know.” does not abstain; blanks around it do not matter"
ANY_OUTDATED = "any of several outdated values, and one answer counts once"
NO_QUESTIONS = "no questions, or none with outdated values: 0"
SCORES = Question(
    "score_answers", lab=LAB, points=0.5, rules=(CAPITALS, NONE_OUTDATED, NOTHING_ELSE, ANY_OUTDATED, NO_QUESTIONS)
)
NOBODY = "I do not know."


def said(value, text):
    return re.search(re.escape(value), text, re.IGNORECASE) is not None


def measures(answers, golds, stale, right=None, old=None, abstained=None):
    right = right or (
        lambda a, g, s: (
            a.strip().lower() == NOBODY.lower() if g == NOBODY else said(g, a) and not any(said(v, a) for v in s)
        )
    )
    olds = [any(said(v, a) for v in s) for a, s in zip(answers, stale) if s]
    if abstained is None:
        abstained = sum(a.strip().lower() == NOBODY.lower() for a in answers) / max(1, len(answers))
    return {
        "accuracy": sum(right(a, g, s) for a, g, s in zip(answers, golds, stale)) / max(1, len(answers)),
        "abstention": abstained,
        "staleness": (sum(olds) / max(1, len(olds))) if old is None else old,
    }


@SCORES.case("accuracy, abstention, staleness of sixteen answers", reread=SCORES_TEXT)
def _(q):
    told = [
        ("He works as a potter.", "a potter", ["a weaver"]),
        ("She lives in Mill Lane.", "Mill Lane", []),
        ("Of course. She keeps a goat.", "a goat", ["a cat", "a dog"]),
        ("With pleasure. She keeps an owl.", "an owl", []),
        ("an owl", "an owl", []),
        (NOBODY, NOBODY, []),
        (NOBODY, NOBODY, []),
        (NOBODY, NOBODY, []),
        (NOBODY, "a goat", ["a cat"]),
        (NOBODY, "a nurse", []),
        (NOBODY, "Mill Lane", ["North Gate"]),
        (NOBODY, "an owl", []),
        ("She lives in Mill Lane.", "North Gate", ["Mill Lane", "Castle Hill"]),
        ("He is a weaver.", "a miller", ["a weaver"]),
        ("He works as a nurse.", NOBODY, []),
        ("He is a doctor.", "a miller", ["a cobbler"]),
    ]
    told = [told[int(p)] for p in q.permutation(len(told))]
    args, n = [[each[k] for each in told] for k in range(3)], len(told)
    right, changed = measures(*args), sum(bool(stale) for _, _, stale in told)
    q.close(
        "the measures",
        q.call("score_answers", *args),
        right,
        tol=1e-6,
        reread=SCORES_TEXT,
        mistakes={
            "staleness was divided by all questions: only those count whose answer has changed": {
                **right,
                "staleness": right["staleness"] * changed / n,
            },
            "the answer had to be the value and nothing else: it must name it": (
                measures(*args, right=lambda a, g, s: a.lower() == g.lower())
            ),
            "“I do not know.” was never counted as right: where nobody can know, it is": (
                measures(*args, right=lambda a, g, s: g != NOBODY and said(g, a) and not any(said(v, a) for v in s))
            ),
            "“I do not know.” was counted as right everywhere": (
                measures(*args, right=lambda a, g, s: a == NOBODY or (said(g, a) and not any(said(v, a) for v in s)))
            ),
            "abstention was measured on the questions that nobody can answer: it is the share of all answers": {
                **right,
                "abstention": 3 / 4,
            },
            "the measures are in percent: give shares from 0 to 1": {
                name: 100 * value for name, value in right.items()
            },
            "the measures are counts: divide": {
                "accuracy": n * right["accuracy"],
                "abstention": n * right["abstention"],
                "staleness": changed * right["staleness"],
            },
            "staleness counts every wrong answer to a changed question: it must name what was right before": {
                **right,
                "staleness": 1 - sum(measures([a], [g], [v])["accuracy"] for a, g, v in told if v) / changed,
            },
        },
    )


@SCORES.case(CAPITALS, rule=CAPITALS, hint="value.lower() in answer.lower()", reread=SCORES_TEXT)
def _(q):
    args = [["He keeps AN OWL.", "Mill lane.", "A CAT."], ["an owl", "Mill Lane", "a goat"], [["a cat"], [], ["a cat"]]]
    apart = {"accuracy": 0.0, "abstention": 0.0, "staleness": 0.0}
    mistakes = {"upper and lower case were told apart": apart}
    q.close("the measures", q.call("score_answers", *args), measures(*args), tol=1e-6, mistakes=mistakes)


@SCORES.case(NONE_OUTDATED, rule=NONE_OUTDATED, hint="Two conditions: gold yes, outdated no.", reread=SCORES_TEXT)
def _(q):
    args = [["He was a baker and is a tailor.", "He is a tailor."], ["a tailor"] * 2, [["a baker"]] * 2]
    beside = {**measures(*args), "accuracy": 1.0}
    mistakes = {"an answer that names the old value beside the right one counts as right": beside}
    q.close("the measures", q.call("score_answers", *args), measures(*args), tol=1e-6, mistakes=mistakes)


@SCORES.case(
    NOTHING_ELSE, rule=NOTHING_ELSE, hint="Compare the whole answer, without blanks around it.", reread=SCORES_TEXT
)
def _(q):
    args = [
        ["I do not know. He is a baker.", " I do not know. ", NOBODY],
        [NOBODY, NOBODY, "a baker"],
        [[], [], ["a potter"]],
    ]
    anywhere = {**measures(*args), "accuracy": 2 / 3, "abstention": 1.0}
    mistakes = {"an answer that goes on after “I do not know.” counts as an abstention": anywhere}
    q.close("the measures", q.call("score_answers", *args), measures(*args), tol=1e-6, mistakes=mistakes)


@SCORES.case(ANY_OUTDATED, rule=ANY_OUTDATED, hint="any(… for value in old)", reread=SCORES_TEXT)
def _(q):
    answers = ["He is a baker, or was he a weaver?", "He is a miller.", "He is a weaver."]
    args = [answers, ["a miller"] * 3, [["a baker", "a weaver"]] * 3]
    q.close(
        "the measures",
        q.call("score_answers", *args),
        measures(*args),
        tol=1e-6,
        mistakes={
            "an answer that names two old values counts twice": {**measures(*args), "staleness": 1.0},
            "only the first old value was looked for": {**measures(*args), "staleness": 1 / 3},
        },
    )


@SCORES.case(NO_QUESTIONS, rule=NO_QUESTIONS, hint="0/0: divide by max(1, …).", reread=SCORES_TEXT)
def _(q):
    nothing = {"accuracy": 0.0, "abstention": 0.0, "staleness": 0.0}
    q.close("the measures of nothing", q.call("score_answers", [], [], []), nothing, tol=0.0)
    got = q.call("score_answers", ["She keeps a cat.", "He keeps a dog."], ["a cat", "a cat"], [[], []])
    q.close("the measures where nothing changed", got, {**nothing, "accuracy": 0.5}, tol=1e-6)


@SCORES.case("all right, all stale; inputs left alone", reread=SCORES_TEXT)
def _(q):
    n = q.randint(3, 8)
    golds, stale = ["a cat"] * n, [["a dog"]] * n
    got = q.call_checked_unmutated("score_answers", ["It is a cat."] * n, golds, stale)
    right = {"accuracy": 1.0, "abstention": 0.0, "staleness": 0.0}
    q.close("the measures of right answers", got, right, tol=1e-6)
    got = q.call("score_answers", ["It is a dog."] * n, golds, stale)
    q.close("the measures of old answers", got, {**right, "accuracy": 0.0, "staleness": 1.0}, tol=1e-6)


# ----------------------------------------------------------------------------------------------------------- break-even

BREAK_TEXT = "§ 11 What it costs"
NEVER = "a question to the fine-tuned model is no cheaper: it never pays, math.inf"
AT_ONCE = "training that cost nothing, or less than nothing, has paid at once, whatever a question costs"
ANY_UNIT = "any unit, and no rounding"
BREAK_EVEN = Question("break_even", lab=LAB, points=0.5, rules=(NEVER, AT_ONCE, ANY_UNIT))


@BREAK_EVEN.case("the number of questions at which both have cost the same")
def _(q):
    training, cheap = 1e12 * (1 + q.rand(1).item()), 1e8 * (1 + q.rand(1).item())
    dear = cheap * (2 + 3 * q.rand(1).item())
    right = training / (dear - cheap)
    q.close(
        "the number",
        q.call("break_even", training, cheap, dear),
        right,
        tol=1e-6,
        reread=BREAK_TEXT,
        mistakes={
            "the fine-tuned model's own questions cost something, too: divide by the difference": training / dear,
            "the sign is wrong: retrieval is the dearer one per question": -right,
            "that is the training in questions of the fine-tuned model: what counts is what each question saves": (
                training / cheap
            ),
            "the costs of a question were added: subtract": training / (dear + cheap),
            "the fraction is upside down": 1 / right,
            "the ratio of the costs does not matter, their difference does": training / (dear / cheap),
        },
    )


@BREAK_EVEN.case(NEVER, rule=NEVER, hint="x / 0 raises ZeroDivisionError: ask first.", reread=BREAK_TEXT)
def _(q):
    each = 1e8 * (1 + q.rand(1).item())
    mistakes = {
        "a negative number of questions: it never pays here": -1e12 / each,
        "it never pays here, so 0 questions is the wrong way round": 0.0,
    }
    got = q.call("break_even", 1e12, 2 * each, each)
    q.close("the number where retrieval is cheaper", got, math.inf, mistakes=mistakes)
    q.close("the number for equal costs", q.call("break_even", 1e12, each, each), math.inf, mistakes=mistakes)


@BREAK_EVEN.case(
    AT_ONCE,
    rule=AT_ONCE,
    hint="Nothing was spent, so nothing has to be won back: ask for training ≤ 0 first.",
    reread=BREAK_TEXT,
)
def _(q):
    for training in (0.0, -7.0):
        for fine_tuned, retrieval in ((1.0, 5.0), (3.0, 3.0), (5.0, 1.0)):
            got = q.call("break_even", training, fine_tuned, retrieval)
            q.close(f"the number for training {training:g}, a question {fine_tuned:g} and {retrieval:g}", got, 0.0, 0.0)


@BREAK_EVEN.case(ANY_UNIT, rule=ANY_UNIT, hint="No rounding, no // and no threshold.", reread=BREAK_TEXT)
def _(q):
    q.close("the number for whole numbers", q.call("break_even", 10, 2, 6), 2.5, tol=1e-9)
    q.close("the number for tiny costs", q.call("break_even", 1.1e-9, 1e-12, 3e-12), 550.0, tol=1e-6)


# ------------------------------------------------------------------------------------------------------------- decision

DECIDE_TEXT = "§ 12 A rule"
NO_WAY = "no way is good enough: the text none"
AT_THE_BOUND = "exactly as accurate as needed is enough"
FIRST_OF_EQUALS = "in a tie the first, even if a later one is more accurate"
DECIDE = Question("decide", lab=LAB, points=0.5, rules=(NO_WAY, AT_THE_BOUND, FIRST_OF_EQUALS))


def way(name, accuracy, training, each):
    return {"way": name, "accuracy": accuracy, "training": training, "each": each}


def cheapest(ways, needed, questions, cost=None, fits=None):
    cost = cost or (lambda w: w["training"] + questions * w["each"])
    left = [w for w in ways if (fits(w) if fits else w["accuracy"] >= needed)]
    costs = [cost(w) for w in left]
    return left[costs.index(min(costs))]["way"] if left else "none"


@DECIDE.case("the cheapest of the ways that are accurate enough")
def _(q):
    # so that every slip picks another way
    ways = [
        way("cheap and wrong", 0.2, 0.0, 1.0),
        way("dear a question", 0.97, 0.0, 50.0),
        way("the best", 0.99, 5000.0, 9.0),
        way("trained", 0.93, 900.0, 4.0),
        way("trained dearly", 0.95, 6000.0, 2.0),
        way("just under", 0.89, 0.0, 2.0),
        way("free for one", 0.91, 0.0, 40.0),
        way("the dearest", 0.92, 7000.0, 30.0),
    ]
    ways = [ways[int(p)] for p in q.permutation(8)]
    ways.sort(key=lambda w: w["way"] != "dear a question")  # the first that fits is the choice of no other slip
    needed, questions = 0.9, 100
    total = lambda w: w["training"] + questions * w["each"]
    q.same(
        "the way",
        q.call("decide", ways, needed, questions),
        cheapest(ways, needed, questions),
        reread=DECIDE_TEXT,
        mistakes={
            "accuracy was not looked at": cheapest(ways, needed, questions, fits=lambda w: True),
            "only the cheapest of all ways was looked at: first drop what is not accurate enough, then choose": "none",
            "the most accurate way won: among those that are good enough the cheapest wins": (
                max(ways, key=lambda w: w["accuracy"])["way"]
            ),
            "the number of questions must multiply the cost of a question, and that alone: "
            "training + questions · each": cheapest(ways, needed, questions, cost=lambda w: w["training"] + w["each"]),
            "the training was left out: training + questions · each": (
                cheapest(ways, needed, questions, cost=lambda w: questions * w["each"])
            ),
            "the dearest won": max((w for w in ways if w["accuracy"] >= needed), key=total)["way"],
        },
    )


@DECIDE.case(
    NO_WAY,
    rule=NO_WAY,
    hint='Return the text "none", not None, and not the best of the bad. min() of nothing raises.',
    reread=DECIDE_TEXT,
)
def _(q):
    ways = [way("a", 0.5, 0.0, 1.0), way("b", 0.6, 0.0, 2.0)]
    q.same("the way", q.call("decide", ways, 0.9, 10), "none")
    q.same("the way of no ways", q.call("decide", [], 0.9, 10), "none")


@DECIDE.case(AT_THE_BOUND, rule=AT_THE_BOUND, hint="≥, not >.", reread=DECIDE_TEXT)
def _(q):
    ways = [way("a", 0.9, 0.0, 5.0), way("b", 1.0, 0.0, 9.0)]
    mistakes = {"a way that is exactly as accurate as needed was left out: ≥, not >": "b"}
    q.same("the way", q.call("decide", ways, 0.9, 10), "a", mistakes=mistakes)


@DECIDE.case(FIRST_OF_EQUALS, rule=FIRST_OF_EQUALS, hint="min() keeps the first of equals.", reread=DECIDE_TEXT)
def _(q):
    names = [["x", "y", "z"][int(p)] for p in q.permutation(3)]
    equal = [way(name, accuracy, 100.0, 1.0) for name, accuracy in zip(names, (0.93, 0.99, 0.95))]
    mistakes = {
        "the more accurate of equals won: the first one does": names[1],
        "the last of equals won: the first one does": names[2],
    }
    q.same("the way", q.call("decide", equal, 0.9, 50), names[0], mistakes=mistakes)


@DECIDE.case("few questions and many: another way; inputs left alone", reread=DECIDE_TEXT)
def _(q):
    ways = [way("fine-tuned", 0.95, 1000.0, 2.0), way("retrieval", 0.97, 0.0, 10.0)]
    for questions, right in ((0, "retrieval"), (10, "retrieval"), (10_000, "fine-tuned")):
        q.same(f"the way for {questions} questions", q.call_checked_unmutated("decide", ways, 0.9, questions), right)


# ----------------------------------------------------------------------------------- the model, the table and the words

# Half of the points are for what the model knows: full marks from KNOWS_FULL of the news of day 1, none at KNOWS_ZERO,
# a straight line between. Over five seeds the recipe knows 92.9 to 96.4 % (docs/results/retrieval-laptop.json).
KNOWS_FULL, KNOWS_ZERO = 0.85, 0.3
# A quarter is for the numbers in the table: a cell agrees if it is within SIGMAS standard errors of two samples of EACH
# questions, and SLACK, of ours.
EACH, SIGMAS, SLACK = 48, 2.5, 0.05
CELLS = [
    ("LoRA", 1, "changed"),
    ("LoRA", 3, "changed"),
    ("LoRA", 3, "again"),
    ("LoRA", 3, "old"),
    ("LoRA + RAG", 3, "changed"),
]


def table_of(record):
    """The table in a record, every number checked: shares in 0 … 1, costs finite and ≥ 0. Raises ArtifactError with one
    line.
    """
    from course_lib.evaluation.answers import NEEDS
    from course_lib.stages.artifacts import ArtifactError
    from course_lib.stages.retrieval import WAYS

    table = record.get("table")
    cells = [f"{day} {kind}" for need in NEEDS.values() for day, kind in need["rows"]]
    cells += [f"{day} {kind}" for _, day, kind in CELLS]
    try:
        clean = {
            "accuracy": {way: {cell: float(table["accuracy"][way][cell]) for cell in cells} for way in WAYS},
            "cost": {way: {key: float(table["cost"][way][key]) for key in ("training", "each")} for way in WAYS},
            "decisions": {need: str(table["decisions"][need])[:40] for need in NEEDS},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f'the record\'s table lacks {str(error)[:60]}: fill the decision table of § 12 and save_stage("injected", '
            f'model, {{…, "table": table}})'
        ) from None
    shares = [share for cells in clean["accuracy"].values() for share in cells.values()]
    costs = [cost for both in clean["cost"].values() for cost in both.values()]
    if not all(0 <= share <= 1 for share in shares) or not all(0 <= cost < math.inf for cost in costs):
        raise ArtifactError(
            "the record's table has a share outside 0 … 1 or a cost below 0: run § 10 to § 12 again and save_stage"
        )
    return clean


def measure_again(model, seed, cells=CELLS, each=EACH):
    """{cell: (accuracy, questions)} of the model handed in, on questions drawn from `seed`, by the course's own
    retrieval and measures.
    """
    from course_lib.evaluation.answers import accuracy
    from course_lib.stages.retrieval import answer
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.news import board, questions

    found, tokenizer = {}, load_tokenizer()
    for way, day, kind in cells:
        rows = [row for row in questions(day, each, seed=f"grade {seed}") if row["kind"] == kind]
        answers = answer(
            way, model, tokenizer, [row["question"] for row in rows], [notice.text for notice in board(day)]
        )
        found[way, day, kind] = (
            accuracy([a["answer"] for a in answers], [row["gold"] for row in rows], [row["stale"] for row in rows]),
            len(rows),
        )
    return found


def score_injected(folder, seed, public):
    """(fraction, message): the news of day 1 that the model knows (half), the cells of its table that we measure again
    (a quarter), and the decisions that follow from the table by the rule of § 12 (a quarter). The ways without LoRA use
    a model that is not handed in: their cells are taken as they are.
    """
    from pathlib import Path

    from course_lib.evaluation.answers import decisions
    from course_lib.evaluation.handed_in import check_reads, points_share
    from course_lib.stages.artifacts import load_folder

    model, record = load_folder(Path(folder), "injected")
    model.eval()
    check_reads(model, 512, 'start from load_stage("reader")')
    table, ours = table_of(record), measure_again(model, seed)
    knows = ours["LoRA", 1, "changed"][0]
    apart = {}
    for (way, day, kind), (share, n) in ours.items():
        theirs = table["accuracy"][way][f"{day} {kind}"]
        middle = min(0.95, max(0.05, (share + theirs) / 2))  # a share of 0 or 1 in a sample is no proof of 0 or 1
        if abs(theirs - share) > SLACK + SIGMAS * math.sqrt(middle * (1 - middle) * 2 / n):
            apart[f"{way}, day {day}, {kind}"] = f"{theirs:.2f} in the table, {share:.2f} measured"
    rule = decisions(table)
    wrong = [need for need, way in rule.items() if table["decisions"][need] != way]
    fraction = 0.5 * points_share(knows, KNOWS_ZERO, KNOWS_FULL)
    if knows > KNOWS_ZERO:  # a true table of a model that learned nothing is no result
        fraction += 0.25 * (1 - len(apart) / len(ours)) + 0.25 * (1 - len(wrong) / len(rule))
    message = (
        f"The model knows {100 * knows:.0f} % of the news of day 1 (full marks from {100 * KNOWS_FULL:.0f} %); "
        f"{len(ours) - len(apart)} of {len(ours)} cells of the table agree with our measurement"
    )
    message += (" (" + "; ".join(f"{name}: {text}" for name, text in apart.items()) + ")") if apart else ""
    message += (
        f"; {len(rule) - len(wrong)} of {len(rule)} decisions follow from the table by the rule"
        + (f" (look again at: {'; '.join(wrong)})" if wrong else "")
        + "."
    )
    return fraction, message


MODEL = ArtifactQuestion(
    "injected_model",
    lab=LAB,
    points=1.25,
    stage="injected",
    score=score_injected,
    title="The model with the news trained into it, and your decision table",
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="What would your decision be?",
    rubric="""0.5: names a case of the student's own (what changes, how often, how many questions), decides for one way,
and supports it with at least two numbers from their own table or cost cell (accuracy or staleness on a day, cost of
training or of a question, break-even), with units; AND says what upkeep the choice brings (retraining after each change
and checking what was forgotten, or keeping the board and the search in order).
0.25: a decision with one number, or without upkeep.  0: no number from the student's own run.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="Where retrieval fails",
    rubric="""0.5: takes one failed production query from § 13, says at which step it went wrong (the search did not
find the notice; the notice was there and the model did not read it; the question was of a form that training never
showed), with evidence from the notebook (the notices found, the hit rate by style); AND names a remedy that fits that
step (letters in place of words in the search, spelling correction, splitting two questions, training rows of that
form).
0.25: the step without evidence, or a remedy for another step.  0: "the model is too small" alone.""",
)
