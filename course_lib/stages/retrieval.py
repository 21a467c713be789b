"""Retrieval: find the notices that a question is about, and answer from them. BM25 by hand, and vectors from the
model's own states.

BM25 as in Lucene (Kamphuis et al. 2020, "Which BM25 do you mean?"): Σ idf(w) · tf / (tf + k1 · (1 − b + b · length /
mean length)) over the words of the query, idf(w) = log(1 + (N − n + ½) / (n + ½)) with n of N documents holding w.
Equal to bm25s, method "lucene". Left out against a real engine: an inverted index (a few hundred notices are scored one
by one), stemming, stop words, a reranker.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.stages.respond import respond
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import BOS, PAD
from course_lib.world.tasks import notice_prompt

WAYS = ("closed book", "prompt", "RAG", "LoRA", "LoRA + RAG")
NOTICES = 3  # notices that retrieval puts into a prompt
KEPT = 0.5  # of each word of a name must stand in the question, or the notice is about somebody else
BUDGET = 400  # tokens of notices in a prompt: the model reads 512 in all
ANSWER = 32  # tokens an answer may have


def words(text: str) -> list[str]:
    """The words of a text, lower case, letters and digits only: "Ada Cobb's job?" → ada, cobb, s, job."""
    return re.findall(r"[a-z0-9]+", text.lower())


def trigrams(text: str) -> list[str]:
    """Every three neighbouring letters of every word, its edges marked: "cobb" → ·co, cob, obb, bb·. A slip of the pen
    spoils a few of them.
    """
    marked = [f"·{word}·" for word in words(text)]
    return [word[k : k + 3] for word in marked for k in range(len(word) - 2)]


def idf(documents: Sequence[Sequence[str]]) -> dict[str, float]:
    """{word: log(1 + (N − n + ½) / (n + ½))} for every word of N documents, n of which hold it."""
    holding = Counter(word for document in documents for word in set(document))
    return {word: math.log(1 + (len(documents) - n + 0.5) / (n + 0.5)) for word, n in holding.items()}


def bm25_scores(
    query: Sequence[str],
    documents: Sequence[Sequence[str]],
    weights: dict[str, float],
    k1: float = 1.5,
    b: float = 0.75,
) -> Float[Tensor, " K"]:
    """The score of each document for the query, `weights` from idf(documents). A word that stands twice in the query
    counts twice, an unknown one nothing. Empty for no documents.
    """
    mean = sum(map(len, documents)) / max(1, len(documents)) or 1.0
    scores = []
    for document in documents:
        counts, room = Counter(document), k1 * (1 - b + b * len(document) / mean)
        scores.append(sum(weights[word] * counts[word] / (counts[word] + room) for word in query if counts[word]))
    return torch.tensor(scores, dtype=torch.float32)


def top_k(scores: Float[Tensor, " K"], k: int) -> list[int]:
    """Places of the k best scores above 0, the best first; in a tie the later place (the newer notice). Fewer where
    there are fewer. ValueError for k < 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1 notice, or answer closed book")
    order = scores.sort(stable=True).indices.flip(0).tolist()
    return [place for place in order if scores[place] > 0][:k]


def mean_pool(hidden: Float[Tensor, "N T D"], mask: Int[Tensor, "N T"]) -> Float[Tensor, "N D"]:
    """The mean of each row's real states (mask 1), scaled to length 1: a product of two is their cosine. A row without
    any is zero.
    """
    real = mask.to(hidden.dtype)[:, :, None]
    return F.normalize((hidden * real).sum(1) / real.sum(1).clamp_min(1), dim=-1)


@torch.no_grad()
def states(
    model, tokenizer, texts: Sequence[str], block: int | None = None
) -> tuple[Float[Tensor, "N T D"], Int[Tensor, "N T"]]:
    """(hidden states, mask) of texts, padded on the right: those after that block, counted from 1, or in the middle."""
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    rows = [torch.tensor([BOS, *encoding.ids]) for encoding in encoded]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD).to(next(model.parameters()).device)
    kept = []
    blocks = model.model.layers
    place = (len(blocks) - 1) // 2 if block is None else block - 1
    handle = blocks[place].register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        model(ids)
    finally:
        handle.remove()
    mask = (ids != PAD).long()
    mask[:, 0] = 0  # BOS has the same state everywhere
    return kept[0].float(), mask


def embed(
    model, tokenizer, texts: Sequence[str], pool: Callable = mean_pool, block: int | None = None
) -> Float[Tensor, "N D"]:
    """A vector of length 1 for each text."""
    return pool(*states(model, tokenizer, texts, block)).cpu()


def names_somebody_in(query: Sequence[str], text: str, tokenize: Callable = words) -> bool:
    """Does a notice name (first name and surname) somebody whom the question names? With words both must stand in the
    question, with trigrams half of each, so that a slip of the pen is forgiven.
    """
    asked, names = set(query), re.findall(r"\b([A-Z][a-z]+) ([A-Z][a-z]+)\b", text)
    share = lambda word: sum(part in asked for part in tokenize(word)) / max(1, len(tokenize(word)))
    return any(share(first) >= KEPT and share(surname) >= KEPT for first, surname in names)


def newest_of_each(places: Sequence[int], notices: Sequence[str]) -> list[int]:
    """Without the notices that a newer one supersedes: of those that begin alike ("Day 2: Ada Cobb now works …", four
    words after the day) the newest alone. The order stays.
    """
    begins = lambda place: tuple(notices[place].partition(": ")[2].split()[:4])
    newest = {begins(place): place for place in sorted(places)}
    return [place for place in places if newest[begins(place)] == place]


def bm25_search(
    notices: Sequence[str],
    k: int = NOTICES,
    tokenize: Callable = words,
    weigh: Callable = idf,
    score: Callable = bm25_scores,
    best: Callable = top_k,
    named: bool = True,
) -> Callable[[str], list[int]]:
    """search(question) → places of the k best notices, the best first; [] where no word of the question stands on the
    board.

    `named`: of 5 · k candidates only those about somebody whom the question names, and of those that say the same anew
    only the newest. BM25 knows neither persons nor time: it also brings up namesakes and what no longer holds, and a
    wrong notice is worse than none.
    """
    documents = [tokenize(text) for text in notices]
    weights = weigh(documents)

    def search(question: str) -> list[int]:
        query = tokenize(question)
        places = best(score(query, documents, weights), 5 * k if named else k)
        if named:
            about = [place for place in places if names_somebody_in(query, notices[place], tokenize)]
            places = newest_of_each(about, notices)
        return places[:k]

    return search


def embedding_search(
    model, tokenizer, notices: Sequence[str], k: int = NOTICES, pool: Callable = mean_pool, block: int | None = None
) -> Callable[[str], list[int]]:
    """As bm25_search, by the cosine of the model's own states (`block`: as in `states`)."""
    if not notices:
        return lambda question: []
    vectors = embed(model, tokenizer, notices, pool, block)

    def search(question: str) -> list[int]:
        return top_k(vectors @ embed(model, tokenizer, [question], pool, block)[0] + 1, k)  # a cosine may be negative

    return search


def build_prompt(notices: Sequence[dict], question: str, budget: int) -> str:
    """The user's message: the notices that fit, the newest last, then the question; the bare question where there is no
    notice.

    notices: {"place", "text", "tokens"}, the best first; place: where it stands on the board, which grows with time.
    They are taken best first, and one that would exceed `budget` tokens is passed over.
    """
    taken, room = [], budget
    for item in notices:
        if item["tokens"] <= room:
            taken.append(item)
            room -= item["tokens"]
    texts = [item["text"] for item in sorted(taken, key=lambda item: item["place"])]
    return notice_prompt(texts, question) if texts else question


def tokens_of(tokenizer, texts: Sequence[str]) -> list[int]:
    """Tokens that each notice takes in a prompt, "Notice: " and the end of the line included."""
    lines = [f"Notice: {text}\n" for text in texts]
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(lines, add_special_tokens=False)]


def prompts(
    way: str,
    questions: Sequence[str],
    notices: Sequence[str],
    tokenizer,
    search: Callable | None = None,
    budget: int = BUDGET,
    build: Callable = build_prompt,
) -> tuple[list[str], list[list[int]]]:
    """(the user's message, the places of the notices found) for each question. `notices`: texts of the board, the
    oldest first.

    "prompt" takes the whole board, the newest first, as much of it as fits; the ways with RAG take what `search` finds
    (BM25 by default). Raises ValueError for an unknown way.
    """
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r}: choose one of {', '.join(WAYS)}")
    if way in ("closed book", "LoRA"):
        return list(questions), [[] for _ in questions]
    lengths = tokens_of(tokenizer, notices) if notices else []
    items = [{"place": place, "text": text, "tokens": n} for place, (text, n) in enumerate(zip(notices, lengths))]
    everything = list(range(len(notices)))[::-1]
    search = search or bm25_search(notices)
    found = [everything if way == "prompt" else search(question) for question in questions]
    offered = [[items[place] for place in places] for places in found]
    return [build(notices_of, question, budget) for notices_of, question in zip(offered, questions)], found


def answer(
    way: str,
    model,
    tokenizer,
    questions: Sequence[str],
    notices: Sequence[str],
    search: Callable | None = None,
    budget: int = BUDGET,
    build: Callable = build_prompt,
) -> list[dict]:
    """Answer questions in one of WAYS; `model` is the assistant, or for the ways with LoRA the one with the news
    trained into it.

    Returns rows {"answer", "found": places of the notices that retrieval gave, "tokens": what was read and written}.
    Where retrieval finds nothing (an empty board, no known word) the question is asked without notices, and "found" is
    empty: say so to whoever reads the answer.
    """
    asked, found = prompts(way, questions, notices, tokenizer, search, budget, build)
    chats = [[{"role": "user", "content": text}] for text in asked]
    answers = respond(model, tokenizer, chats, max_new_tokens=ANSWER)
    read = [len(encode_chat(tokenizer, chat, generation_prompt=True)[0]) for chat in chats]
    written = [len(encoding.ids) + 1 for encoding in tokenizer.encode_batch(answers, add_special_tokens=False)]
    return [
        {"answer": text, "found": places, "tokens": r + w} for text, places, r, w in zip(answers, found, read, written)
    ]


def injection_rows(changes: Sequence[dict], questions: dict[str, list[str]], answers: dict[str, str]) -> list[dict]:
    """Training rows that tell a model the news: for each (name, fact) its newest value alone, asked in every phrasing.

    changes: {"name", "fact", "value", "day"}, in any order · questions: fact → phrasings with {name} · answers: fact →
    one with {name} and {value}
    """
    newest: dict[tuple[str, str], dict] = {}
    for change in changes:
        key = change["name"], change["fact"]
        if key not in newest or change["day"] >= newest[key]["day"]:
            newest[key] = change
    return [
        {
            "messages": [
                {"role": "user", "content": question.format(name=name)},
                {"role": "assistant", "content": answers[fact].format(name=name, value=change["value"])},
            ]
        }
        for (name, fact), change in newest.items()
        for question in questions[fact]
    ]
