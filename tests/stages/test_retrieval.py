"""Retrieval: BM25 equals bm25s, ties and empty things, prompts within their budget, the five ways."""

import bm25s
import pytest
import torch

from course_lib.stages import retrieval
from course_lib.stages.model import Llama, ModelConfig, to_transformers
from course_lib.stages.retrieval import (
    ANSWER,
    WAYS,
    answer,
    bm25_scores,
    bm25_search,
    build_prompt,
    embed,
    embedding_search,
    idf,
    injection_rows,
    mean_pool,
    newest_of_each,
    prompts,
    states,
    tokens_of,
    top_k,
    trigrams,
    words,
)
from course_lib.stages.tokenizer import BOS, load_tokenizer
from course_lib.world.news import board, questions
from course_lib.world.tasks import notice_prompt

BOARD = [notice.text for notice in board(3)]


@pytest.fixture(scope="module")
def model():
    return Llama(ModelConfig(hidden=32, intermediate=64, layers=3, heads=2), seed=0).eval()


@pytest.mark.parametrize("tokenize", [words, trigrams])
def test_bm25_equals_bm25s(tokenize):
    documents = [tokenize(text) for text in BOARD]
    theirs = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    theirs.index(documents, show_progress=False)
    weights = idf(documents)
    for row in questions(3, 6):
        query = tokenize(row["question"])
        ours = bm25_scores(query, documents, weights)
        assert (ours - torch.tensor(theirs.get_scores(query))).abs().max() < 1e-5


def test_words_and_trigrams():
    assert words("Day 3: Ada Cobb's new JOB!") == ["day", "3", "ada", "cobb", "s", "new", "job"]
    assert (
        trigrams("Cobb") == ["·co", "cob", "obb", "bb·"]
        and trigrams("a") == ["·a·"]
        and trigrams("?!") == words("") == []
    )


def test_ties_go_to_the_newer_and_no_match_is_no_result():
    assert top_k(torch.tensor([1.0, 2.0, 2.0, 0.0, -1.0]), 2) == [2, 1]
    assert top_k(torch.tensor([1.0, 2.0, 2.0, 0.0]), 10) == [2, 1, 0]
    assert top_k(torch.zeros(3), 2) == top_k(torch.zeros(0), 2) == []
    with pytest.raises(ValueError, match="at least 1"):
        top_k(torch.ones(3), 0)


def test_an_empty_board_an_unknown_word_and_an_empty_document():
    assert bm25_search([])("Where does Ada live?") == []
    assert bm25_search(BOARD)("zzz qqq") == []
    assert bm25_scores(["owl"], [], {}).shape == (0,)
    assert torch.equal(bm25_scores(["owl"], [[], []], {}), torch.zeros(2))


def test_the_newest_notice_is_found():
    for day in (1, 2, 3):
        notices = board(day)
        search, found = bm25_search([n.text for n in notices]), []
        for row in questions(day, 40):
            if row["kind"] in ("changed", "again", "new"):
                places = [
                    k
                    for k, n in enumerate(notices)
                    if n.change and (n.change.resident, n.change.fact) == (row["resident"], row["fact"])
                ]
                found.append(places[-1] in search(row["question"]))
        assert sum(found) / len(found) >= 0.95


def test_only_notices_about_the_asked_person_and_only_the_newest_of_a_kind():
    board = [
        "Day 1: Ada Cobb now works as a baker.",
        "Day 1: Eve Cobb now works as a nurse.",
        "Day 2: Ada Cobb has moved to Mill Lane.",
        "Day 2: Ada Cobb now works as a potter.",
        "Day 3: A dance at the inn, ask for Ada Cobb.",
    ]
    assert set(bm25_search(board)("What is Ada Cobb's job?")) == {2, 3, 4}
    assert (
        bm25_search(board)("What is Ida Cobb's job?") == []
        and len(bm25_search(board, named=False)("What is Ida Cobb's job?")) > 0
    )
    assert (
        set(bm25_search(board, tokenize=trigrams)("what is ada cob's job")) == {2, 3, 4}
        and bm25_search(board)("what is ada cob's job") == []
    )
    assert newest_of_each([3, 0, 1], board) == [3, 1]


def test_mean_pool_reads_real_states_only():
    hidden = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    pooled = mean_pool(hidden, mask)
    assert torch.allclose(pooled[0], torch.nn.functional.normalize(hidden[0].mean(0), dim=0), atol=1e-6)
    assert (
        torch.allclose(pooled[1], torch.nn.functional.normalize(hidden[1, 0], dim=0), atol=1e-6) and not pooled[2].any()
    )


def test_states_are_those_of_transformers(model):
    tokenizer = load_tokenizer()
    hidden, mask = states(model, tokenizer, BOARD[:3])
    theirs = to_transformers(model)
    for row, text in enumerate(BOARD[:3]):
        ids = torch.tensor([[BOS, *tokenizer.encode(text).ids]])
        with torch.no_grad():
            expected = theirs(ids, output_hidden_states=True).hidden_states[2][0]
        assert mask[row].sum() == ids.shape[1] - 1 and (hidden[row, : ids.shape[1]] - expected).abs().max() < 1e-5


def test_embedding_search_finds_a_notice_by_itself(model):
    tokenizer = load_tokenizer()
    assert torch.allclose(embed(model, tokenizer, BOARD[:5]).norm(dim=-1), torch.ones(5), atol=1e-5)
    search = embedding_search(model, tokenizer, BOARD, k=3)
    assert search(BOARD[17])[0] == 17 and len(search("Where?")) == 3
    first, middle = (states(model, tokenizer, BOARD[:2], block)[0] for block in (1, None))
    assert not torch.equal(first, middle) and torch.equal(middle, states(model, tokenizer, BOARD[:2], 2)[0])
    assert embedding_search(model, tokenizer, [])("Where?") == []


def test_a_prompt_keeps_its_budget_and_its_order():
    notices = [
        {"place": place, "text": f"Day {place}: x.", "tokens": tokens} for place, tokens in ((5, 10), (1, 30), (3, 10))
    ]
    assert build_prompt(notices, "Q?", 50) == notice_prompt(["Day 1: x.", "Day 3: x.", "Day 5: x."], "Q?")
    assert build_prompt(notices, "Q?", 25) == notice_prompt(["Day 3: x.", "Day 5: x."], "Q?")
    assert build_prompt(notices, "Q?", 5) == build_prompt([], "Q?", 50) == "Q?"


def test_the_whole_board_gives_the_newest_that_fit():
    tokenizer = load_tokenizer()
    (asked,), (found,) = prompts("prompt", ["Who?"], BOARD, tokenizer, budget=100)
    lines = [line.removeprefix("Notice: ") for line in asked.splitlines()[:-1]]
    assert lines == BOARD[-len(lines) :] or (BOARD[-1] in lines and sum(tokens_of(tokenizer, lines)) <= 100)
    assert sum(tokens_of(tokenizer, lines)) > 70 and len(found) == len(BOARD)


def test_five_ways_answer_and_count_their_tokens(model):
    tokenizer, asked = load_tokenizer(), [row["question"] for row in questions(1, 1)]
    read = {}
    for way in WAYS:
        rows = answer(way, model, tokenizer, asked, BOARD[:30])
        assert len(rows) == len(asked) and all(
            isinstance(row["answer"], str) and 0 < row["tokens"] < 512 + ANSWER for row in rows
        )
        read[way] = sum(row["tokens"] for row in rows)
    assert read["closed book"] < read["RAG"] < read["prompt"]
    assert [row["found"] for row in answer("RAG", model, tokenizer, asked, [])] == [[]] * len(asked)
    assert (
        answer("RAG", model, tokenizer, asked, [])[0]["answer"]
        == answer("closed book", model, tokenizer, asked, [])[0]["answer"]
    )
    with pytest.raises(ValueError, match="no way"):
        answer("telepathy", model, tokenizer, asked, BOARD)


def test_injection_rows_keep_the_newest_value():
    rows = injection_rows(
        [
            {"name": "A B", "fact": "job", "value": "a baker", "day": 2},
            {"name": "A B", "fact": "job", "value": "a nurse", "day": 1},
        ],
        {"job": ["What does {name} do?", "{name}'s job?"]},
        {"job": "{name} works as {value}."},
    )
    assert [[m["content"] for m in row["messages"]] for row in rows] == [
        ["What does A B do?", "A B works as a baker."],
        ["A B's job?", "A B works as a baker."],
    ]
    assert injection_rows([], {}, {}) == [] and retrieval.NOTICES >= 1
