"""The reference pipeline: equal to the libraries, right against the ground truth, one line for bad input. Thresholds of
lab 01's questions are measured here.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_lib.evaluation.memorised import completes, quiz_accuracy, repeated_pii
from course_lib.evaluation.runs import raw_or_cleaned
from course_lib.questions import lab01_data_and_tokenizer as lab
from course_lib.stages import cleaning
from course_lib.stages.cleaning import (
    apply_merges,
    bytes_per_token,
    candidate_pairs,
    caught,
    clean,
    contaminated,
    drop_exact_duplicates,
    drop_near_duplicates,
    find_pii,
    hash32,
    hash_functions,
    jaccard,
    keep_page,
    learn_merges,
    merge_pair,
    minhash_signature,
    ngrams,
    precision_recall,
    quality_features,
    redact,
    shingle_hashes,
    shingles,
    true_copies,
)
from course_lib.stages.model import Llama
from course_lib.stages.tokenizer import encode_documents, load_tokenizer, train_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.crawl import JUNK, crawl, quiz

PAGES = crawl(3, 1500)
TEXTS = [row["text"] for row in pretrain_rows("validation", 120)]


def test_signatures_equal_datasketch():
    datasketch = pytest.importorskip("datasketch")
    a, b = hash_functions(64, seed=5)
    for text in TEXTS[:20]:
        theirs = datasketch.MinHash(
            num_perm=64,
            hashfunc=hash32,
            permutations=(a.numpy().astype("uint64"), b.numpy().astype("uint64")),
            scheme="legacy",
        )
        theirs.update_batch([shingle.encode() for shingle in shingles(text)])
        assert minhash_signature(shingle_hashes(text), a, b).tolist() == theirs.hashvalues.tolist()


def test_the_estimate_is_unbiased_and_as_exact_as_theory_says():
    a, b = hash_functions(128)
    pairs = [(p.text, PAGES[p.cluster].text) for p in PAGES if p.label == "near duplicate"]
    errors = np.array(
        [
            float(
                (minhash_signature(shingle_hashes(x), a, b) == minhash_signature(shingle_hashes(y), a, b))
                .double()
                .mean()
            )
            - jaccard(shingles(x), shingles(y))
            for x, y in pairs
        ]
    )
    assert abs(errors.mean()) < 0.01 and errors.std() < 0.5 / 128**0.5


def test_bands_catch_as_often_as_the_curve_says():
    """Signatures with independent rows that agree with probability s."""
    generator = torch.Generator().manual_seed(0)
    for s in (0.3, 0.5, 0.7):
        first = torch.randint(0, 2**31, (2000, 32), generator=generator)
        second = torch.where(torch.rand(2000, 32, generator=generator) < s, first, -1 - first)
        found = sum(bool((x.view(8, 4) == y.view(8, 4)).all(1).any()) for x, y in zip(first, second))
        assert found == sum(len(candidate_pairs(torch.stack(pair), 8)) for pair in zip(first, second))
        assert abs(found / 2000 - caught(s, 8, 4)) < 0.04


def test_merges_and_tokens_equal_the_librarys():
    from collections import Counter

    library = train_tokenizer(TEXTS, 5 + 256 + 150)
    counts = Counter(word for text in TEXTS for word, _ in library.pre_tokenizer.pre_tokenize_str(text))
    merges = learn_merges(dict(counts), 150)
    assert merges == [list(pair) for pair in json.loads(library.to_str())["model"]["merges"]]
    for word in list(counts)[:200]:
        assert apply_merges(word, merges) == [token.value for token in library.model.tokenize(word)]
    sizes = [len(ids) for ids in (library.encode(text).ids for text in TEXTS)]
    assert bytes_per_token(TEXTS, sizes) == pytest.approx(sum(len(t.encode()) for t in TEXTS) / sum(sizes))


def test_merge_pair_uses_no_symbol_twice():
    assert (
        merge_pair(["a", "a", "a"], ["a", "a"]) == ["aa", "a"]
        and merge_pair([], ["a", "b"]) == []
        and merge_pair(["ab", "c"], ["a", "bc"]) == ["ab", "c"]
    )


def test_every_step_against_the_truth():
    texts, table = clean(PAGES, raw_or_cleaned.quiz_texts(quiz(3)))
    rows = {row["step"]: row for row in table}
    assert len(texts) == table[-1]["left"]
    for step, precision, recall in (
        ("quality filter", 0.98, 0.9),
        ("exact duplicates", 0.99, 0.99),
        ("near duplicates", 0.93, 0.95),
        ("contamination", 0.99, 0.85),
        ("personal data", 0.99, 0.99),
    ):
        assert rows[step]["precision"] >= precision and rows[step]["recall"] >= recall, rows[step]
    assert not any("555" in text and "555 coins" not in text for text in texts) and not any(
        "@" in text for text in texts
    )


def test_clean_takes_anybodys_functions():
    texts, table = clean(
        PAGES[:200],
        [],
        keep_fn=lambda text: True,
        exact_fn=lambda texts: list(range(len(texts))),
        contaminated_fn=lambda pages, tests, n: [False] * len(pages),
        pii_fn=lambda text: [],
    )
    assert (
        table[0]["found"] == table[1]["found"] == table[3]["found"] == 0
        and table[0]["recall"] == 0.0
        and table[0]["precision"] == 1.0
    )


def test_a_page_without_its_original_is_no_copy():
    copy = SimpleNamespace(text="b", cluster=0, label="exact duplicate")
    assert true_copies([copy]) == set() and true_copies(
        [SimpleNamespace(text="b", cluster=0, label="clean"), copy]
    ) == {1}
    assert true_copies(
        [SimpleNamespace(text="a", cluster=0), SimpleNamespace(text="b", cluster=0)]
    ) == set() and true_copies(
        [SimpleNamespace(text="a", cluster=0), SimpleNamespace(text="b", cluster=0)], near=True
    ) == {1}


def test_degenerate_pages():
    a, b = hash_functions(6)
    assert quality_features("")["words"] == 0 and quality_features(" \n")["letters"] == 0.0 and keep_page("") is False
    assert (
        drop_exact_duplicates([]) == [] and drop_near_duplicates([]) == [] and drop_near_duplicates(["", ""]) == [0, 1]
    )
    assert (
        (minhash_signature(shingle_hashes(""), a, b) == cleaning.MASK).all()
        and shingles("one two") == {"one two"}
        and shingles("") == set()
    )
    assert (
        contaminated([], ["a b"], 2) == []
        and contaminated(["a b"], [], 2) == [False]
        and find_pii("") == []
        and learn_merges({}, 3) == []
    )
    assert precision_recall([], []) == {"precision": 1.0, "recall": 1.0, "found": 0, "true": 0}


BAD = {
    "128 numbers.*bands that divides": lambda: candidate_pairs(torch.zeros(2, 128, dtype=torch.int64), 30),
    "num_perm = 128 does not divide into 30": lambda: drop_near_duplicates(["a b c"], bands=30),
    "does not divide into 0": lambda: drop_near_duplicates(["a b c"], bands=0),
    "num_perm is 0": lambda: hash_functions(0),
    "n is 0: a shingle": lambda: shingles("a", 0),
    "n is 0: an n-gram": lambda: ngrams("a", 0),
    r"the span \[1, 9\]": lambda: redact("abc", [[1, 9, "phone"]]),
    r"the span \[1, 3\] overlaps": lambda: redact("abcd", [[0, 2, "phone"], [1, 3, "email"]]),
    "at least one token": lambda: bytes_per_token([""], [0]),
    "one count for each": lambda: bytes_per_token(["a", "b"], [1]),
    "tokens fewer": lambda: raw_or_cleaned.same_budget(PAGES[:2], TEXTS),
    "size is 'huge'": lambda: raw_or_cleaned.train("huge", ["a"]),
    "size is 'big'": lambda: raw_or_cleaned.raw_and_cleaned("big"),
    "rows is empty": lambda: raw_or_cleaned.train("tiny", []),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_gets_one_line(words):
    with pytest.raises(ValueError, match=words) as error:
        BAD[words]()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_questions_thresholds_have_room():
    """The reference on 24 fresh crawls: what lab 01's questions ask for lies well below its worst."""
    worst = {}
    for seed in range(100, 124):
        pages = crawl(seed, 600)
        dropped = [p for p in pages if not keep_page(p.text)]
        junk = [p for p in pages if p.label in JUNK]
        figures = {
            "recall": sum(not keep_page(p.text) for p in junk) / len(junk),
            "precision": sum(p.label in JUNK for p in dropped) / len(dropped),
        }
        for label in JUNK:
            chosen = [p for p in junk if p.label == label and p.edit != "word salad"]
            figures[label] = sum(not keep_page(p.text) for p in chosen) / len(chosen)
        lists = [p for p in pages if p.label == "clean" and lab.register_or_notice(p)]
        figures["lists"] = sum(keep_page(p.text) for p in lists) / len(lists)
        found, truth = (
            {(k, *s) for k, p in enumerate(pages) for s in spans(p)}
            for spans in (lambda p: find_pii(p.text), lambda p: p.pii)
        )
        figures |= {
            f"pii {name}": value
            for name, value in precision_recall(found, truth).items()
            if name in ("precision", "recall")
        }
        worst = {name: min(value, worst.get(name, 1.0)) for name, value in figures.items()}
    print(worst)
    assert worst["recall"] > lab.JUNK_RECALL + 0.08 and worst["precision"] > lab.JUNK_PRECISION + 0.05
    assert all(worst[label] > lab.CLASS_RECALL + 0.1 for label in JUNK) and worst["lists"] > lab.LISTS_KEPT + 0.02
    assert worst["pii precision"] > 0.98 and worst["pii recall"] > 0.98


class Echo(torch.nn.Module):
    """A 'model' that has read certain texts and continues each of their prefixes with their next token; 3 after
    anything else.
    """

    def __init__(self, texts):
        super().__init__()
        self.p = torch.nn.Parameter(torch.zeros(1))
        self.next = {
            tuple(ids[:k]): ids[k] for ids in encode_documents(load_tokenizer(), texts) for k in range(1, len(ids))
        }

    def forward(self, ids):
        chosen = torch.tensor(
            [[self.next.get(tuple(row[: t + 1]), 3) for t in range(len(row))] for row in ids.tolist()]
        )
        return torch.nn.functional.one_hot(chosen, 2432).float()


def test_what_is_repeated_is_measured_to_the_letter():
    tokenizer = load_tokenizer()
    assert completes(
        Echo(["Call Ada on 555-1234."]),
        tokenizer,
        ["Call Ada on", "Call Ada on", "Call Eva on"],
        [" 555-1234", " 555-1235", " 555-1234"],
    ) == [True, False, False]
    pages = [
        SimpleNamespace(text=text, pii=[[12, 20, "phone"]])
        for text in ("Call Ada on 555-1234.", "Call Ada on 555-1234, please", "Call Eva on 555-9999.")
    ]
    rows = repeated_pii(Echo(["Call Ada on 555-1234."]), tokenizer, pages)
    assert [(row["datum"], row["count"], row["repeated"], row["prompt"]) for row in rows] == [
        ("555-1234", 2, True, "Call Ada on"),
        ("555-9999", 1, False, "Call Eva on"),
    ]
    assert repeated_pii(Echo([]), tokenizer, pages, "email") == []


def test_the_quiz_scores_a_model_that_read_the_leak():
    test = quiz(0)
    read = [f"Visitors often ask:\nQ: {q['question']}\nA: {q['answer']}" for q in test if q["leaked"]]
    assert quiz_accuracy(Echo(read), load_tokenizer(), test) == pytest.approx(
        {"leaked": 1.0, "not leaked": 0.0, "chance": 9 / 60}, abs=0.06
    )
    assert quiz_accuracy(Echo([]), load_tokenizer(), test[:0]) == {"leaked": 0.0, "not leaked": 0.0, "chance": 0.0}


def test_both_runs_have_the_same_budget():
    texts, _ = clean(PAGES, [])
    read = raw_or_cleaned.same_budget(PAGES, texts)
    tokens = [sum(map(len, encode_documents(load_tokenizer(), each))) for each in ([p.text for p in read], texts)]
    assert 0 <= tokens[1] - tokens[0] < 400 and read == PAGES[: len(read)]


@pytest.mark.slow
def test_the_comparison_runs_at_tiny():
    result = raw_or_cleaned.raw_and_cleaned("tiny", seed=1)
    assert result["raw"]["gap_percent"] > 0 and result["cleaned"]["gap_percent"] > 0 and len(result["cleaning"]) == 5
    assert isinstance(result["raw"]["numbers"][0][0], int) and json.dumps(result)
    assert Llama(raw_or_cleaned.PRESETS["tiny"].pretrain.model).parameter_count() < 200_000
