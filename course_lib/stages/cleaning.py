"""Cleaning a crawl: quality filter, exact and near de-duplication, personal data, contamination. Flat functions.

Sources: quality heuristics, Rae et al. 2021 (2112.11446, appendix A) · MinHash, Broder 1997; banding, Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, chapter 3 · contamination by n-grams, Brown et al. 2020 (2005.14165,
appendix C). Left out against the real thing: language detection, a classifier for quality, URLs' block lists, names of
persons as personal data.
"""

import hashlib
import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.stages.bpe import apply_merges, learn_merges, merge_pair  # noqa: F401  (lab 01 takes them from here)

PRIME, MASK = 2**61 - 1, 2**32 - 1  # of the hash functions (a·h + b) mod PRIME, of which the lowest 32 bits are kept
NUM_PERM, BANDS, SAME = 128, 32, 0.6  # hash functions, bands, and the similarity from which two pages are the same

COMMON = set(
    "a about after all and are as ask asked at be but by can did do does for from has have he her here him his how i "
    "if in into is it its last like me more most my no not of on or our out said she so some than that the their them "
    "then there they this to up us was we went were what when where which who will with you your".split()
)
WEB = set(
    "cookie cookies javascript login log click subscribe newsletter settings privacy policy sitemap menu search error "
    "loading server cheap online prize trick".split()
)


def words_of(text: str) -> list[str]:
    """Lower-case words: runs of letters, digits and straight apostrophes."""
    return re.findall(r"[a-z0-9']+", text.lower())


# ---- the quality filter ---------------------------------------------------------------------------------------------


def quality_features(text: str) -> dict[str, float]:
    """What a filter looks at. All are shares (0 to 1) but for `words`, a count. An empty page has 0 everywhere."""
    words = words_of(text)
    solid = [c for c in text if not c.isspace()]
    if not words:
        strange = sum(ord(c) > 127 for c in solid) / max(1, len(solid))
        return {"words": 0, "letters": 0.0, "common": 0.0, "distinct": 0.0, "web": 0.0, "strange": strange}
    runs = list(zip(words, words[1:], words[2:])) or [()]
    return {
        "words": len(words),
        "letters": sum(c.isascii() and c.isalpha() for c in solid) / len(solid),  # of the characters that are no blanks
        "common": sum(word in COMMON for word in words) / len(words),
        "distinct": len(set(runs)) / len(runs),  # of the runs of three words
        "web": sum(word in WEB for word in words) / len(words),
        # what UTF-8 read with the wrong alphabet is full of
        "strange": sum(c in "ÃÂâ\ufffd€" for c in text) / len(text),
    }


def keep_page(text: str) -> bool:
    """True for a page that is good enough to train on. Thresholds: by eye, from the table in lab 01."""
    f = quality_features(text)
    return (
        f["words"] >= 12
        and f["letters"] > 0.7
        and f["common"] > 0.05
        and f["distinct"] > 0.6
        and f["web"] < 0.04
        and f["strange"] < 0.005
    )


# ---- de-duplication -------------------------------------------------------------------------------------------------


def normalised(text: str) -> str:
    """The text without what does not make a page another one: letter case, and the kind and number of blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def drop_exact_duplicates(texts: Sequence[str]) -> list[int]:
    """The positions to keep, in order: the first of each set of texts that are equal after `normalised`."""
    seen, kept = set(), []
    for k, text in enumerate(texts):
        digest = hashlib.sha256(normalised(text).encode()).digest()
        if digest not in seen:
            seen.add(digest)
            kept.append(k)
    return kept


def shingles(text: str, n: int = 3) -> set[str]:
    """All runs of n words; a shorter text is one run. Raises ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"n is {n}: a shingle has at least 1 word")
    words = words_of(text)
    return {" ".join(words[k : k + n]) for k in range(max(1, len(words) - n + 1))} if words else set()


def jaccard(a: set, b: set) -> float:
    """|a ∩ b| / |a ∪ b|; 0 for two empty sets, as an empty page is no copy of anything."""
    return len(a & b) / len(a | b) if a or b else 0.0


def hash32(text: str | bytes) -> int:
    """A 32-bit hash that is the same on every machine (Python's own hash() is salted anew in every process)."""
    return zlib.crc32(text if isinstance(text, bytes) else text.encode())


def shingle_hashes(text: str, n: int = 3) -> Int[Tensor, " S"]:
    """The hashes of the page's shingles, each once, sorted."""
    return torch.tensor(sorted({hash32(s) for s in shingles(text, n)}), dtype=torch.int64)


def hash_functions(num_perm: int = NUM_PERM, seed: int = 0) -> tuple[Int[Tensor, " P"], Int[Tensor, " P"]]:
    """(a, b) of `num_perm` hash functions. a < 2^30: a·h + b fits into 63 bits. Raises ValueError for num_perm < 1."""
    if num_perm < 1:
        raise ValueError(f"num_perm is {num_perm}: a signature needs at least 1 hash function")
    generator = torch.Generator().manual_seed(seed)
    draw = lambda low, high: torch.randint(low, high, (num_perm,), generator=generator)
    return draw(1, 2**30), draw(0, PRIME)


def minhash_signature(hashes: Int[Tensor, " S"], a: Int[Tensor, " P"], b: Int[Tensor, " P"]) -> Int[Tensor, " P"]:
    """min over the page's shingles of ((a·h + b) mod PRIME) mod 2³², for each hash function; 2³² − 1 without any."""
    if len(hashes) == 0:
        return torch.full_like(a, MASK)
    return (((hashes[:, None] * a + b) % PRIME) & MASK).amin(0)


def candidate_pairs(signatures: Int[Tensor, "N P"], bands: int) -> list[list[int]]:
    """[i, j], i < j, for all pages that agree in all rows of at least one band. Raises ValueError if the bands do not
    divide the signature.
    """
    if bands < 1 or signatures.shape[1] % bands:
        numbers = signatures.shape[1]
        raise ValueError(f"{numbers} numbers, {bands} bands: choose a number of bands that divides {numbers}")
    pairs = set()
    for band in signatures.chunk(bands, dim=1):
        buckets = defaultdict(list)
        for k, rows in enumerate(band.tolist()):
            buckets[tuple(rows)].append(k)
        for bucket in buckets.values():
            pairs.update((i, j) for place, i in enumerate(bucket) for j in bucket[place + 1 :])
    return [list(pair) for pair in sorted(pairs)]


def caught(similarity: float, bands: int = BANDS, rows: int = NUM_PERM // BANDS) -> float:
    """The probability that two pages of this similarity become candidates: 1 − (1 − s^rows)^bands."""
    return 1 - (1 - similarity**rows) ** bands


def drop_near_duplicates(
    texts: Sequence[str],
    num_perm: int = NUM_PERM,
    bands: int = BANDS,
    same: float = SAME,
    signature_fn: Callable = minhash_signature,
    pairs_fn: Callable = candidate_pairs,
) -> list[int]:
    """The positions to keep: the first of each cluster. Candidates come from the signatures, and are compared by their
    true Jaccard similarity.
    """
    if bands < 1 or num_perm % bands:
        raise ValueError(f"num_perm = {num_perm} does not divide into {bands} bands: choose a number that does")
    if not texts:
        return []
    a, b = hash_functions(num_perm)
    signatures = torch.stack([signature_fn(shingle_hashes(text), a, b) for text in texts])
    first = list(range(len(texts)))

    def root(k: int) -> int:
        while first[k] != k:
            first[k] = k = first[first[k]]
        return k

    for i, j in pairs_fn(signatures, bands):
        if root(i) != root(j) and jaccard(shingles(texts[i]), shingles(texts[j])) >= same:
            low, high = sorted((root(i), root(j)))
            first[high] = low
    return [k for k in range(len(texts)) if root(k) == k]


# ---- personal data and contamination --------------------------------------------------------------------------------

PII = {
    "phone": r"(?:\+\d{2} )?(?:\(555\)|\b555)[ -]\d{4}\b",
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.example\b",
    "address": r"\b\d{1,3}[a-z]? (?:[A-Z][a-z]+) (?:Lane|Street|Square|Row|Road|Hill|Walk|Gardens|Yard|Gate)\b",
}


def find_pii(text: str) -> list[list]:
    """[start, end, kind] of every telephone number, e-mail address and house address, in order."""
    return sorted([m.start(), m.end(), kind] for kind, pattern in PII.items() for m in re.finditer(pattern, text))


def redact(text: str, spans: Iterable[Sequence]) -> str:
    """The text with [phone], [email] or [address] for each span. Raises ValueError where they overlap."""
    end, made = 0, []
    for start, stop, kind in sorted(map(list, spans)):
        if not end <= start <= stop <= len(text):
            text_of = f"the text of {len(text)} characters"
            raise ValueError(f"the span [{start}, {stop}] overlaps another or leaves {text_of}: take each out once")
        made += [text[end:start], f"[{kind}]"]
        end = stop
    return "".join(made) + text[end:]


def ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    """The runs of n words; here an apostrophe parts words. A shorter text has none. Raises ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"n is {n}: an n-gram has at least 1 word")
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {tuple(words[k : k + n]) for k in range(len(words) - n + 1)}


def contaminated(pages: Sequence[str], tests: Sequence[str], n: int = 8) -> list[bool]:
    """For each page: does it share a run of n words with any test?"""
    grams = set().union(*(ngrams(test, n) for test in tests))
    return [not grams.isdisjoint(ngrams(page, n)) for page in pages]


def bytes_per_token(texts: Sequence[str], token_counts: Sequence[int]) -> float:
    """UTF-8 bytes of all texts over all their tokens. Raises ValueError where there is no token, or not one count for
    each text.
    """
    if len(texts) != len(token_counts) or sum(token_counts) == 0:
        raise ValueError("bytes_per_token needs at least one token, and one count for each text")
    return sum(len(text.encode()) for text in texts) / sum(token_counts)


# ---- against the ground truth ---------------------------------------------------------------------------------------


def precision_recall(found: Iterable, truth: Iterable) -> dict[str, float]:
    """{"precision": share of what was found that is true, "recall": share of what is true that was found, "found",
    "true"}.

    Nothing found is precision 1 (no false alarm), nothing to find is recall 1.
    """
    found, truth = set(found), set(truth)
    hits = len(found & truth)
    precision, recall = (hits / len(each) if each else 1.0 for each in (found, truth))
    return {"precision": precision, "recall": recall, "found": len(found), "true": len(truth)}


def true_copies(pages: Sequence, near: bool = False) -> set[int]:
    """Positions of pages that copy an earlier page *of this list*: to the letter (but for case and blanks), or also
    with an edit if `near`.
    """
    seen, copies = set(), set()
    for k, page in enumerate(pages):
        key = page.cluster if near else (page.cluster, normalised(page.text))
        if key in seen:
            copies.add(k)
        seen.add(key)
    return copies


def clean(
    pages: Sequence,
    tests: Sequence[str],
    n: int = 8,
    keep_fn: Callable = keep_page,
    exact_fn: Callable = drop_exact_duplicates,
    signature_fn: Callable = minhash_signature,
    pairs_fn: Callable = candidate_pairs,
    pii_fn: Callable = find_pii,
    contaminated_fn: Callable = contaminated,
) -> tuple[list[str], list[dict]]:
    """The whole pipeline on pages of `world.crawl`. Returns the cleaned texts, and a row for each step with its
    precision and recall against the truth about the pages that were left when it began.
    """
    from course_lib.world.crawl import JUNK

    left, table = list(pages), []

    def step(name: str, dropped: set[int], truth: set[int]) -> None:
        nonlocal left
        table.append({"step": name, **precision_recall(dropped, truth), "left": len(left) - len(dropped)})
        left = [page for k, page in enumerate(left) if k not in dropped]

    texts = lambda: [page.text for page in left]
    positions = lambda flags: {k for k, flag in enumerate(flags) if flag}
    others = lambda kept: set(range(len(left))) - set(kept)

    step("quality filter", positions(not keep_fn(text) for text in texts()), positions(p.label in JUNK for p in left))
    step("exact duplicates", others(exact_fn(texts())), true_copies(left))
    kept = drop_near_duplicates(texts(), signature_fn=signature_fn, pairs_fn=pairs_fn)
    step("near duplicates", others(kept), true_copies(left, near=True))
    step("contamination", positions(contaminated_fn(texts(), list(tests), n)), positions(p.leaks for p in left))
    spans = [pii_fn(text) for text in texts()]
    found = {(k, *span) for k, of_page in enumerate(spans) for span in of_page}
    truth = {(k, *span) for k, page in enumerate(left) for span in page.pii}
    table.append({"step": "personal data", **precision_recall(found, truth), "left": len(left)})
    return [redact(text, of_page) for text, of_page in zip(texts(), spans)], table
