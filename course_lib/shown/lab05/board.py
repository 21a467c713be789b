"""Lab 05: the news and what the model says of it, searches beside each other, prompts and measures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.evaluation import answers as measures
from course_lib.evaluation import ways as five
from course_lib.shown.common import guessed  # noqa: F401
from course_lib.stages import retrieval
from course_lib.stages.rollout import token_logprobs
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets.table import table, your_run
from course_lib.world import news

CHANGED = ("changed", "again", "new")  # kinds of question that a notice answers


def live(title: str):
    """Give it to a run as `on_step`: the training curve. `close()` it."""
    return curve.LiveCurve(title=title)


def share(hits: list[bool]) -> float:
    return sum(hits) / max(1, len(hits))


# ----------------------------------------------------------------------------------------------------------- the news


def boards() -> dict[int, list[str]]:
    """{day: the notices that hang on the board, the oldest first}."""
    return {day: [notice.text for notice in news.board(day)] for day in news.DAYS}


def show_news() -> None:
    """Ten notices of day 1, and what is on the board and what is true on each day."""
    table(
        {"changes something": "", "notice": ""},
        [("yes" if notice.change else "", notice.text) for notice in news.board(1)[:10]],
    )
    facts = {day: {kind: len(found) for kind, found in news.subjects(day).items()} for day in news.DAYS}
    heads = {"day": "d", "notices": "d", "changes today": "d", **{f"facts: {kind}": "d" for kind in news.KINDS}}
    table(heads, [(day, len(news.board(day)), len(news.changes(day)), *facts[day].values()) for day in news.DAYS])


def show_memory(model, days: tuple[int, ...], each: int) -> dict[tuple[int, str], dict]:
    """{(day, kind): measures} of the model's answers from memory, with an example of each."""
    found, rows = {}, []
    for day in days:
        asked = news.questions(day, each)
        said = answers_to(model, "closed book", asked, [])
        for kind in news.KINDS:
            mine = [(a, q) for a, q in zip(said, asked) if q["kind"] == kind]
            if mine:
                s = found[day, kind] = five.scored(mine, measures.score_answers)
                sure = [p for a, q in mine if (p := surely(model, q, a["answer"])) is not None]
                s["sure"] = sum(sure) / len(sure) if sure else None
                example = f"{mine[0][1]['question']} » {mine[0][0]['answer']}", mine[0][1]["gold"]
                rows.append((day, kind, s["accuracy"], s["abstention"], s["staleness"], s["sure"], *example))
    heads = {"day": "d", "kind": "", "right": ".0%", "does not know": ".0%", "outdated": ".0%", "p of the value": ".0%"}
    title = "p of the value: the probability that the model gives the value that its answer names, right or outdated"
    table({**heads, "an example": "", "right would be": ""}, rows, title)
    your_run(shows="what the assistant knows by heart, and when it says that it does not know")
    return found


def surely(model, question: dict, answer: str) -> float | None:
    """The probability of the value that an answer names, right or outdated, after the words before it; None where it
    names none.
    """
    named = [v for v in (question["gold"], *question["stale"]) if v.lower() in answer.lower()]
    if not named or measures.abstains(answer):
        return None
    tokenizer, place = load_tokenizer(), answer.lower().index(named[0].lower())
    until = answer[:place].rstrip(), answer[: place + len(named[0])]
    ends = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in until]
    chat = [{"role": "user", "content": question["question"]}, {"role": "assistant", "content": answer}]
    ids, mask = (torch.tensor([row]) for row in encode_chat(tokenizer, chat))
    with torch.no_grad():
        return token_logprobs(model, ids, mask.bool())[mask.bool()][slice(*ends)].sum().exp().item()


def answers_to(model, way: str, asked: list[dict], notices: list[str], **options) -> list[dict]:
    return retrieval.answer(way, model, load_tokenizer(), [q["question"] for q in asked], notices, **options)


def a_question(day: int, kind: str, each: int) -> dict:
    return next(q for q in news.questions(day, each) if q["kind"] == kind)


# ----------------------------------------------------------------------------------------------------------- the search


def show_words(question: str, notices: list[str], words: Callable) -> None:
    split = [words(text) for text in notices]
    table({"text": "", "words": ""}, [(text, " · ".join(words(text))) for text in (question, notices[0])])
    different, mean = len({word for each in split for word in each}), sum(map(len, split)) / len(split)
    print(f"{len(notices)} notices, {different} different words, {mean:.1f} words a notice")


def show_weights(weights: dict[str, float], words: list[str]) -> None:
    rows = [(word, weights.get(word), "█" * round(5 * weights[word]) if word in weights else "") for word in words]
    table({"word": "", "weight": ".3f", "": ""}, rows, "– : on no notice")


def equals_bm25s(scores: Tensor, query: list[str], documents: list[list[str]]) -> None:
    try:
        import bm25s
    except ImportError:
        print("The package bm25s is not here, so the comparison is left out.")
        return
    library = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    library.index(documents, show_progress=False)
    apart = (scores - torch.tensor(library.get_scores(query))).abs().max().item()
    print(f"largest difference from bm25s over {len(scores)} notices: {apart:.1e}")
    assert apart < 1e-5


def show_best(question: str, scores: Tensor, notices: list[str]) -> None:
    places = scores.sort(descending=True).indices[:5].tolist()
    table({"score": ".2f", "notice": ""}, [(scores[k].item(), notices[k]) for k in places], question)


def notices_on(day: int, question: dict) -> list[int]:
    """Places on that day's board of the notices about what is asked, the newest last."""
    about = (question["resident"], question["fact"])
    return [k for k, n in enumerate(news.board(day)) if n.change and (n.change.resident, n.change.fact) == about]


def newest_notice(day: int, question: dict) -> int | None:
    """Place on that day's board of the notice that answers the question, or None."""
    return next(reversed(notices_on(day, question)), None)


def in_the_news(day: int, each: int) -> list[dict]:
    return [q for q in news.questions(day, each) if q["kind"] in CHANGED]


def hit_rate(search: Callable, day: int, each: int, kind: str = "") -> float:
    """Share of a day's questions in the news whose notice the search brings up."""
    asked = [q for q in in_the_news(day, each) if kind in ("", q["kind"])]
    return share([newest_notice(day, q) in search(q["question"]) for q in asked])


def show_hits(search_of: Callable, day: int, each: int) -> dict[int, dict[str, float]]:
    """{k: {kind: hit rate}}. search_of(k): a search for the k best notices."""
    found = {k: {kind: hit_rate(search_of(k), day, each, kind) for kind in CHANGED} for k in (1, 2, 3, 4, 8)}
    heads = {"k": "d", **{kind: ".0%" for kind in CHANGED}}
    table(heads, [(k, *row.values()) for k, row in found.items()], "questions whose notice is among the k best")
    return found


def equals_cosine(pool: Callable, model, texts: list[str]) -> None:
    hidden, mask = retrieval.states(model, load_tokenizer(), texts)
    vectors = pool(hidden, mask)
    means = torch.stack([row[kept.bool()].mean(0) for row, kept in zip(hidden, mask)])
    apart = (vectors @ vectors.T - F.cosine_similarity(means[:, None], means[None], dim=-1)).abs().max().item()
    print(f"largest difference of your products from F.cosine_similarity: {apart:.1e}")
    assert apart < 1e-5


def show_searches(model, pool: Callable, bm25: Callable, day: int, each: int) -> dict[str, float]:
    """{search: hit rate among the 4 best}: BM25, and the model's own vectors after each of its blocks."""
    by_vectors = lambda block: retrieval.embedding_search(model, load_tokenizer(), boards()[day], 4, pool, block)
    blocks = {f"vectors after block {k}": by_vectors(k) for k in range(1, len(model.model.layers) + 1)}
    found = {name: hit_rate(search, day, each) for name, search in {"BM25": bm25, **blocks}.items()}
    table({"search": "", "notice among the 4 best": ".0%"}, found.items())
    return found


# -------------------------------------------------------------------------------------------------- prompt and measures


def show_prompt(model, question: dict, notices: list[str], search: Callable, build: Callable) -> None:
    """The prompt that a question gets, and what is said with it and without."""
    options: dict[str, Any] = {"search": search, "build": build}
    (prompt,), _ = retrieval.prompts("RAG", [question["question"]], notices, load_tokenizer(), **options)
    print(prompt + "\n")
    said = {way: answers_to(model, way, [question], notices, **options)[0] for way in ("closed book", "RAG")}
    rows = [(way, row["answer"], row["tokens"]) for way, row in said.items()]
    right = ("right would be", question["gold"], None), ("outdated", ", ".join(question["stale"]), None)
    table({"way": "", "answer": "", "tokens": "d"}, [*rows, *right])


def right_by_kind(asked: list[dict], said: list[dict]) -> dict[str, float]:
    right = [(q["kind"], measures.is_right(a["answer"], q["gold"], q["stale"])) for q, a in zip(asked, said)]
    return {kind: share([ok for each, ok in right if each == kind]) for kind in news.KINDS}


def show_filter(model, day: int, each: int, all_found: Callable, kept: Callable, build: Callable) -> dict[str, dict]:
    """{prompt: {kind: share right}} of RAG without and with the filter, and of the two notices about what has changed
    twice, and no others, in both orders.
    """
    searches = {"all that BM25 finds": all_found, "about the person, newest": kept}
    asked, notices = news.questions(day, each), boards()[day]
    found = {
        name: right_by_kind(asked, answers_to(model, "RAG", asked, notices, search=search, build=build))
        for name, search in searches.items()
    }
    twice = [q for q in asked if q["kind"] == "again"]
    for name, step in (("the newer last", 1), ("the newer first", -1)):
        two = [[notices[k] for k in notices_on(day, q)[::step]] for q in twice]
        options = {"search": lambda question: [0, 1], "build": build}
        said = [answers_to(model, "RAG", [q], both, **options)[0] for q, both in zip(twice, two)]
        found[f"only the two notices about the fact, {name}"] = {"again": right_by_kind(twice, said)["again"]}
    heads = {f"right on day {day}, RAG with": "", **{kind: ".0%" for kind in news.KINDS}}
    table(heads, [(name, *map(row.get, news.KINDS)) for name, row in found.items()])
    your_run(shows="how notices are read")
    return found


def equals_evaluate(score: Callable, said: list[str], asked: list[dict]) -> dict[str, float]:
    """The measures, and those of the course's local modules for the library evaluate."""
    golds, stale = [q["gold"] for q in asked], [q["stale"] for q in asked]
    yours, folder = score(said, golds, stale), Path(measures.__file__).parent / "metrics"
    try:
        import evaluate
    except ImportError:
        print("The package evaluate is not here, so the comparison is left out.")
        return yours
    given = {"accuracy": {"references": golds, "stale": stale}, "abstention": {"references": golds}}
    given["staleness"] = {"references": golds, "stale": stale}
    rows = []
    for name, arguments in given.items():
        module = "answer_accuracy" if name == "accuracy" else name
        theirs = evaluate.load(str(folder / module)).compute(predictions=said, **arguments)
        rows.append((name, yours[name], (theirs or {})[module]))
        assert abs(yours[name] - rows[-1][-1]) < 1e-5
    table({"measure": "", "yours": ".4f", "evaluate": ".4f"}, rows)
    return yours
