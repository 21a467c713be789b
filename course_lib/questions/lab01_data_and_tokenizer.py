"""Lab 01, data and tokenizer: the graded questions. Each is written once and runs in the notebook (`check`) and through
the sandbox (`course grade`).

The oracles are library functions, another form, or the crawl's own ground truth, so that this file does not ship the
answers it asks for.
Sources: MinHash, Broder 1997 · banding, Mining of Massive Datasets, chapter 3 · contamination by n-grams, Brown et al.
2020 (2005.14165) · BPE, Sennrich et al. 2016 (1508.07909), ties as in the library `tokenizers`.
"""

import re
from functools import lru_cache

import torch

from course_lib.questions.core import Question, WrittenQuestion

LAB = "01_data_and_tokenizer"
PRIME, MASK = 2**61 - 1, 2**32 - 1

# What a fresh crawl asks of a filter. The course's own, on 24 crawls of 600 pages: the worst recall of junk is 0.925
# and the worst precision 1.00; of each sort of junk it finds at least 0.96 (word salad aside, which it cannot see), and
# it keeps all lists (`tests/stages/test_cleaning.py` measures it again). A right answer that finds only 0.90 of it must
# pass, too: the crawls are so large that 0.80 is four standard errors away (on 61 junk pages one in 250 had failed).
JUNK_RECALL, JUNK_PRECISION, CLASS_RECALL, LISTS_KEPT = 0.80, 0.90, 0.80, 0.95
PII_RECALL, PII_PRECISION = 0.95, 0.95


@lru_cache(maxsize=32)  # a class is graded on one seed
def crawled(seed, n):
    from course_lib.world.crawl import crawl

    return crawl(seed, n)


def fresh(q, n):
    """A crawl that the question's seed chooses: when it grades, nobody has seen it."""
    return crawled(q.randint(0, 2**40), n)


def letters(q, n, alphabet="abcdefghijklmnopqrstuvwxyz"):
    return "".join(alphabet[k] for k in q.randint(0, len(alphabet), (n,)).tolist())


def sentence(q, n):
    return " ".join(letters(q, q.randint(2, 8)) for _ in range(n))


# --------------------------------------------------------------------------------------------------- the quality filter

KEEP = Question("keep_page", lab=LAB, points=1)
KEEP_TEXT = "§ 2 The quality filter"


def decisions(q, pages):
    """The student's answers, each True or False and nothing else."""
    made = [q.call("keep_page", page.text) for page in pages]
    q.true(
        f"keep_page gave {made[0] if not made else next((m for m in made if type(m) is not bool), None)!r} where True "
        "or False was due",
        all(type(m) is bool for m in made),
        hint="Return the truth of a comparison: True keeps the page.",
    )
    return made


def share(flags):
    flags = list(flags)
    return sum(flags) / max(1, len(flags))


def named(made, pages):
    """The usual ways to be wrong about everything."""
    from course_lib.world.crawl import JUNK

    junk = [p.label in JUNK for p in pages]
    if all(made):
        return "every page is kept"
    if not any(made):
        return "no page is kept"
    if share(m == j for m, j in zip(made, junk)) > 0.8:
        return "the answer is the wrong way round: True keeps the page"
    for cut in range(5, 60):
        if share(m == (len(p.text.split()) >= cut) for m, p in zip(made, pages)) > 0.995:
            return "only the length decides: gibberish and spam can be long"
    return None


@KEEP.case("on a fresh crawl it drops most of the junk and hardly anything else")
def _(q):
    from course_lib.world.crawl import JUNK

    pages = fresh(q, 1200)
    pages = [p for p in pages if p.label in JUNK] + [p for p in pages if p.label not in JUNK][:130]
    made = decisions(q, pages)
    dropped, junk = [p for p, m in zip(pages, made) if not m], [p for p in pages if p.label in JUNK]
    recall, precision = (
        share(not m for p, m in zip(pages, made) if p.label in JUNK),
        share(p.label in JUNK for p in dropped),
    )
    q.true(
        f"it drops {recall:.0%} of the {len(junk)} junk pages; {JUNK_RECALL:.0%} are asked for",
        recall >= JUNK_RECALL,
        mistake=named(made, pages),
        reread=KEEP_TEXT,
        hint="The table of § 2 shows in which column a sort of junk stands apart. One threshold for each column is "
        "enough.",
    )
    q.true(
        f"of the pages that it drops only {precision:.0%} are junk; {JUNK_PRECISION:.0%} are asked for",
        precision >= JUNK_PRECISION,
        mistake=named(made, pages),
        reread=KEEP_TEXT,
        hint="A threshold inside the range of the clean pages throws good text away. Put it between the two.",
    )


@KEEP.case("boilerplate and spam go")
def _(q):
    pages = [p for p in fresh(q, 1200) if p.label in ("boilerplate", "spam")]
    got = share(not m for m in decisions(q, pages))
    q.true(
        f"{got:.0%} of boilerplate and spam go; {CLASS_RECALL:.0%} are asked for",
        got >= CLASS_RECALL,
        reread=KEEP_TEXT,
        hint="They use words of the web, they are short, they say the same again, and spam hardly uses words such as "
        "the, a, is.",
    )


@KEEP.case("broken encodings go, typographic quotes stay")
def _(q):
    pages = fresh(q, 1600)
    broken = [p for p in pages if p.label == "broken encoding"]
    got = share(not m for m in decisions(q, broken))
    q.true(
        f"{got:.0%} of the broken encodings go; {CLASS_RECALL:.0%} are asked for",
        got >= CLASS_RECALL,
        reread=KEEP_TEXT,
        hint="Characters such as Ã, Â, â and � are what UTF-8 read with the wrong alphabet is full of.",
    )
    quotes = [
        "“Good morning, Ada,” said Cecil. “Where are you going?” “To the mill, to buy some bread,” said Ada. “That is "
        "Otto’s mill, and he doesn’t open before ten.”",
        "Meet Zoë Müller. She comes from Zürich and works as a baker in the café. On Sundays she eats crème brûlée "
        "with her friends and plays with a cat.",
    ]
    q.true(
        "a page in good order goes because of its quotes or accents",
        all(q.call("keep_page", text) is True for text in quotes),
        reread=KEEP_TEXT,
        hint="Not every character beyond ASCII is broken: look for the few that broken text is full of.",
        mistake="whatever is not ASCII is taken for broken",
    )


@KEEP.case("gibberish goes, as far as its words and letters show")
def _(q):
    pages = [p for p in fresh(q, 1600) if p.label == "gibberish" and p.edit != "word salad"]
    got = share(not m for m in decisions(q, pages))
    q.true(
        f"{got:.0%} of the gibberish goes; {CLASS_RECALL:.0%} are asked for",
        got >= CLASS_RECALL,
        reread=KEEP_TEXT,
        hint="Random letters contain no word such as the, a, is; a table of numbers has hardly a letter.",
    )


@KEEP.case("lists and short notices of the village stay")
def _(q):
    pages = [p for p in fresh(q, 300) if p.label == "clean" and ("\n- " in p.text or p.text.split(":")[0].isupper())]
    got = share(decisions(q, pages))
    q.true(
        f"{got:.0%} of the registers and notices stay; {LISTS_KEPT:.0%} are asked for",
        got >= LISTS_KEPT,
        reread=KEEP_TEXT,
        hint="A register has few words such as the, a, is, and a notice is short: look at the lowest values of the "
        "clean pages.",
    )


@KEEP.case("a page without words goes, and stops nothing")
def _(q):
    for name, text in (("an empty page", ""), ("a page of blanks", " \n\t "), ("a page of signs", "--- *** ### !!!")):
        q.true(
            f"{name} stays",
            q.call("keep_page", text) is False,
            hint="Mind the division by the number of words or letters: it can be 0.",
            reread=KEEP_TEXT,
        )


# ----------------------------------------------------------------------------------------------------- exact duplicates

EXACT = Question("drop_exact_duplicates", lab=LAB, points=1)
EXACT_TEXT = "§ 3 Exact duplicates"


def firsts(keys):
    """Positions of the first of each key, by reading the list backwards."""
    place = {key: k for k, key in reversed(list(enumerate(keys)))}
    return sorted(place.values())


@EXACT.case("the first of each set of equal pages stays, whatever its blanks and its case")
def _(q):
    base = [sentence(q, 9).capitalize() + "." for _ in range(6)]
    ways = [
        lambda t: t,
        lambda t: t.upper(),
        lambda t: t.replace(" ", "  ", 2),
        lambda t: f"\n{t} ",
        lambda t: t.replace(" ", "\n"),
        lambda t: t.replace(" ", "\u00a0", 1),
    ]
    order = [0, 1, 0, 2, 1, 3, 0, 4, 2, 5, 5, 3]
    turn = q.randint(0, 5)
    texts = [ways[1 + (place // 2 + turn) % 5 if k in order[:place] else 0](base[k]) for place, k in enumerate(order)]
    texts += [base[1], base[4]]
    keys = [*order, 1, 4]
    lasts = sorted({key: k for k, key in enumerate(keys)}.values())
    kept = firsts(keys)
    single = [k for k, key in enumerate(keys) if keys.count(key) == 1]
    q.same(
        "the positions to keep",
        q.call("drop_exact_duplicates", texts),
        kept,
        reread=EXACT_TEXT,
        mistakes={
            "pages that differ in case or blanks count as different: normalise before you hash": firsts(texts),
            "the letter case is not folded": firsts([" ".join(t.split()) for t in texts]),
            "only the ends were stripped: runs of blanks inside count, too": firsts([t.strip().lower() for t in texts]),
            "runs of blanks count: they become one blank": firsts([t.lower() for t in texts]),
            "the last copy was kept: keep the first": lasts,
            "the copies were returned: return what is kept": [k for k in range(len(texts)) if k not in kept],
            "the first of a set was dropped with its copies": single,
            "the texts were returned: return their positions": [texts[k] for k in kept],
            "True or False for each page was returned: return the positions that are kept": [
                k in kept for k in range(len(texts))
            ],
        },
    )


@EXACT.case("other words, another order of words or other punctuation make another page")
def _(q):
    a = sentence(q, 8)
    words = a.split()
    texts = [
        a,
        " ".join(words[::-1]),
        a + "!",
        a + " " + words[0],
        " ".join(words[:-1]),
        "".join(words),
        a.replace(" ", ", ", 1),
    ]
    q.same(
        "the positions to keep",
        q.call("drop_exact_duplicates", texts),
        list(range(len(texts))),
        reread=EXACT_TEXT,
        mistakes={
            "the pages were compared as bags of words: their order counts": (
                firsts([tuple(sorted(t.split())) for t in texts])
            ),
            "punctuation was removed: only case and blanks are to be": (
                firsts([tuple(re.findall(r"\w+", t)) for t in texts])
            ),
            "all blanks were removed: a run of blanks becomes one": firsts(["".join(t.split()) for t in texts]),
        },
    )


@EXACT.case("pages that begin alike for a thousand characters")
def _(q):
    head = sentence(q, 250)
    texts = [head + " one", head + " two", head + " ONE ", head + " three"]
    q.same(
        "the positions to keep",
        q.call("drop_exact_duplicates", texts),
        [0, 1, 3],
        reread=EXACT_TEXT,
        hint="Hash the whole page, not its beginning.",
    )


@EXACT.case("wide letters and ligatures are the same letters (Unicode NFKC)")
def _(q):
    word = letters(q, 5)
    texts = [
        f"the ofﬁce of {word}",
        f"the office of {word}",
        "".join(chr(ord(c) + 0xFEE0) for c in word),
        word,
        "cafe\u0301 " + word,
        "caf\u00e9 " + word,
    ]
    q.same(
        "the positions to keep",
        q.call("drop_exact_duplicates", texts),
        [0, 2, 4],
        reread=EXACT_TEXT,
        hint='unicodedata.normalize("NFKC", text) makes one form of them.',
        mistakes={
            "the Unicode forms were not made one": list(range(6)),
            "NFC makes one of composed accents only: use NFKC": [0, 1, 2, 3, 4],
        },
    )


@EXACT.case("no page, one page, empty pages; the list is left alone")
def _(q):
    q.same("of no page", q.call("drop_exact_duplicates", []), [])
    q.same("of one page", q.call("drop_exact_duplicates", [sentence(q, 3)]), [0])
    q.same(
        "of empty pages",
        q.call_checked_unmutated("drop_exact_duplicates", ["", "a", " \n", "A", "b"]),
        [0, 1, 4],
        hint="An empty page is a page: the first one stays.",
        reread=EXACT_TEXT,
    )


@EXACT.case("a fresh crawl")
def _(q):
    pages = fresh(q, 300)
    keys = [re.sub(r"\s+", " ", p.text).strip().casefold() for p in pages]
    q.same(
        "the positions to keep",
        q.call("drop_exact_duplicates", [p.text for p in pages]),
        firsts(keys),
        reread=EXACT_TEXT,
    )


# -------------------------------------------------------------------------------------------------------------- MinHash

MINHASH = Question("minhash_signature", lab=LAB, points=1)
MINHASH_TEXT = "§ 4 MinHash"


def functions(q, n):
    """(a, b): hash functions that use the whole range."""
    return q.randint(1, 2**30, (n,)), q.randint(0, PRIME, (n,))


def signature(hashes, a, b, *, prime=PRIME, mask=MASK, reduce=min, form=None):
    """In whole numbers of any size, function by function. The keywords make the usual slips."""
    form = form or (lambda h, x, y: divmod(x * h + y, prime)[1] if prime else x * h + y)
    pairs = zip(a.tolist(), b.tolist())
    return torch.tensor([reduce(form(h, x, y) & mask for h in hashes.tolist()) for x, y in pairs])


@MINHASH.case("for each function the least of ((a·h + b) mod PRIME) mod 2³²")
def _(q):
    hashes, (a, b) = q.randint(0, 2**32, (23,)), functions(q, 16)
    got = q.call("minhash_signature", hashes, a, b)
    q.same("the shape", list(got.shape), [16])
    wide = lambda h, x, y: int((float(x) * float(h) + float(y)) % float(PRIME))
    q.close(
        "the signature",
        got,
        signature(hashes, a, b),
        tol=0,
        reread=MINHASH_TEXT,
        mistakes={
            "the largest value was taken: MinHash takes the least": signature(hashes, a, b, reduce=max),
            "the remainder by PRIME is missing": signature(hashes, a, b, prime=0),
            "the lowest 32 bits were not taken: … mod 2³² comes last": signature(hashes, a, b, mask=2**62 - 1),
            "the least was taken before mod 2³²: first every value, then the least": (
                lambda: signature(hashes, a, b, mask=2**62 - 1) & MASK
            ),
            "b is missing": signature(hashes, a, torch.zeros_like(b)),
            "a is missing": signature(hashes, torch.ones_like(a), b),
            "a and b changed places": lambda: torch.tensor(
                [min(((y * h + x) % PRIME) & MASK for h in hashes.tolist()) for x, y in zip(a.tolist(), b.tolist())]
            ),
            "a multiplies the sum h + b: it multiplies h alone": (
                signature(hashes, a, b, form=lambda h, x, y: x * (h + y) % PRIME)
            ),
            "the numbers went through floating point and lost their last digits": signature(hashes, a, b, form=wide),
            "the first shingle's values came back: take the least over the shingles": signature(hashes[:1], a, b),
        },
    )
    q.same("the dtype", str(got.dtype), "torch.int64")


@MINHASH.case("order and repetition do not matter: a page is a set of shingles")
def _(q):
    hashes, (a, b) = q.randint(0, 2**32, (12,)), functions(q, 8)
    again = torch.cat([hashes, hashes[:5]])[q.permutation(17)]
    q.close(
        "the signature", q.call("minhash_signature", again, a, b), signature(hashes, a, b), tol=0, reread=MINHASH_TEXT
    )


@MINHASH.case("the largest numbers that can come")
def _(q):
    hashes, a, b = (
        torch.tensor([MASK, MASK - 1, 0, 1]),
        torch.tensor([2**30 - 1, 1, 2**29 + 12345]),
        torch.tensor([PRIME - 1, 0, PRIME - 77]),
    )
    q.close(
        "the signature",
        q.call("minhash_signature", hashes, a, b),
        signature(hashes, a, b),
        tol=0,
        reread=MINHASH_TEXT,
        hint="a·h + b fits into 63 bits, so int64 is enough; float64 has 53 bits, and int32 31.",
    )


@MINHASH.case("a page without shingles")
def _(q):
    a, b = functions(q, 5)
    q.close(
        "the signature",
        q.call("minhash_signature", torch.zeros(0, dtype=torch.int64), a, b),
        torch.full((5,), MASK),
        tol=0,
        reread=MINHASH_TEXT,
        hint="There is no least of nothing: return 2³² − 1 everywhere, the largest value there is.",
    )


@MINHASH.case("one shingle, one function; inputs left alone")
def _(q):
    hashes, (a, b) = q.randint(0, 2**32, (1,)), functions(q, 4)
    q.close(
        "the signature of one shingle",
        q.call_checked_unmutated("minhash_signature", hashes, a, b),
        signature(hashes, a, b),
        tol=0,
        reread=MINHASH_TEXT,
    )
    hashes = q.randint(0, 2**32, (9,))
    q.close(
        "one function",
        q.call("minhash_signature", hashes, a[:1], b[:1]),
        signature(hashes, a[:1], b[:1]),
        tol=0,
        reread=MINHASH_TEXT,
    )


@MINHASH.case("equal numbers in two signatures are as frequent as the sets are similar")
def _(q):
    hashes, (a, b) = q.randint(0, 2**32, (90,)), functions(q, 1024)
    first, second = q.call("minhash_signature", hashes[:60], a, b), q.call("minhash_signature", hashes[30:], a, b)
    agree = float((first == second).double().mean())
    # 30 of 90 shingles are shared. The share of 1,024 fair functions that agree has a standard error of 0.0147.
    q.true(
        f"the share of equal numbers is {agree:.3f}, the similarity is 0.333",
        abs(agree - 1 / 3) < 0.07,
        reread=MINHASH_TEXT,
    )


# -------------------------------------------------------------------------------------------------------------- banding

PAIRS = Question("candidate_pairs", lab=LAB, points=1)
PAIRS_TEXT = "§ 5 Banding"


def pairs_by_comparison(signatures, bands, agree=lambda equal: equal.all(-1).any(-1), interleaved=False):
    """All pages against all, as one comparison of tensors. `agree` turns [N N bands rows] into [N N]."""
    N, P = signatures.shape
    equal = signatures[:, None] == signatures[None]
    blocks = equal.view(N, N, P // bands, bands).transpose(2, 3) if interleaved else equal.view(N, N, bands, P // bands)
    return agree(blocks).triu(1).nonzero().tolist()


@PAIRS.case("pairs that agree in all rows of at least one band")
def _(q):
    signatures = q.randint(0, 3, (14, 12))
    signatures[5, 3:6], signatures[9, 6:9], signatures[11] = signatures[2, 3:6], signatures[2, 6:9], signatures[4]
    expected = pairs_by_comparison(signatures, 4)
    both = sorted(expected + [[j, i] for i, j in expected])
    buckets = [bucket for band in signatures.chunk(4, 1) for bucket in groups(band)]
    chain = lambda: sorted({(b[k], b[k + 1]) for b in buckets for k in range(len(b) - 1)})
    band_by_band = lambda: [(i, j) for b in buckets for i in b for j in b if i < j]
    q.same(
        "the pairs",
        q.call("candidate_pairs", signatures, 4),
        expected,
        reread=PAIRS_TEXT,
        mistakes={
            "one equal row is taken for enough: all rows of a band must agree": (
                pairs_by_comparison(signatures, 4, lambda e: e.any(-1).any(-1))
            ),
            "all bands must agree: one is enough": pairs_by_comparison(signatures, 4, lambda e: e.all(-1).all(-1)),
            "the bands are made of every fourth row: a band is a run of neighbouring rows": (
                pairs_by_comparison(signatures, 4, interleaved=True)
            ),
            "`bands` was taken for the number of rows in a band": pairs_by_comparison(signatures, 3),
            "each pair came twice: only i < j": both,
            "a page was paired with itself": sorted(expected + [[k, k] for k in range(14)]),
            "the pairs are not sorted": lambda: [list(pair) for pair in dict.fromkeys(band_by_band())],
            "pairs that agree in several bands came several times": lambda: sorted(map(list, band_by_band())),
            "in a bucket of three only neighbours were paired: the first goes with the last, too": (
                lambda: [list(p) for p in chain()]
            ),
            "pages were paired with those in the same bucket of ANOTHER band: keep the bands apart": (
                lambda: across(signatures, 4)
            ),
        },
    )


def groups(band):
    found = {}
    for k, rows in enumerate(map(str, band.tolist())):
        found.setdefault(rows, []).append(k)
    return list(found.values())


def across(signatures, bands):
    """As if all bands shared one set of buckets."""
    blocks = signatures.view(len(signatures), bands, -1)
    equal = (blocks[:, None, :, None] == blocks[None, :, None, :]).all(-1).flatten(2).any(-1)
    return equal.triu(1).nonzero().tolist()


@PAIRS.case("three pages in one bucket are three pairs")
def _(q):
    signatures = q.randint(0, 1000, (8, 6))
    for k in (4, 7):
        signatures[k, 2:4] = signatures[1, 2:4]
    q.same(
        "the pairs",
        q.call("candidate_pairs", signatures, 3),
        [[1, 4], [1, 7], [4, 7]],
        reread=PAIRS_TEXT,
        hint="Every pair of a bucket, not only neighbours.",
    )


@PAIRS.case("equal numbers in different bands are no reason")
def _(q):
    signatures = torch.arange(24).view(4, 6) + 100
    signatures[2, 3:] = signatures[0, :3]
    q.same(
        "the pairs",
        q.call("candidate_pairs", signatures, 2),
        [],
        reread=PAIRS_TEXT,
        hint="Each band has its own buckets: put the number of the band into the key, or begin anew.",
    )


@PAIRS.case("one band, and as many bands as rows")
def _(q):
    signatures = q.randint(0, 4, (9, 6))
    signatures[8] = signatures[3]
    q.same(
        "the pairs with one band",
        q.call("candidate_pairs", signatures, 1),
        pairs_by_comparison(signatures, 1),
        reread=PAIRS_TEXT,
    )
    q.same(
        "the pairs with six bands",
        q.call("candidate_pairs", signatures, 6),
        pairs_by_comparison(signatures, 6),
        reread=PAIRS_TEXT,
    )


@PAIRS.case("rows that read alike when they are written one after another")
def _(q):
    signatures = torch.tensor([[1, 23, 5, 6], [12, 3, 7, 8], [1, 23, 9, 10]])
    q.same(
        "the pairs",
        q.call("candidate_pairs", signatures, 2),
        [[0, 2]],
        reread=PAIRS_TEXT,
        hint='"1" + "23" and "12" + "3" are the same text. Use a tuple as the key.',
        mistakes={
            "the numbers of a band were glued together without a separator, or added up": [[0, 1], [0, 2], [1, 2]]
        },
    )


@PAIRS.case("no page, one page; the signatures are left alone")
def _(q):
    q.same("of no page", q.call("candidate_pairs", torch.zeros(0, 4, dtype=torch.int64), 2), [])
    q.same("of one page", q.call("candidate_pairs", torch.zeros(1, 4, dtype=torch.int64), 2), [])
    signatures = q.randint(0, 2, (30, 8))
    q.same(
        "the pairs",
        q.call_checked_unmutated("candidate_pairs", signatures, 4),
        pairs_by_comparison(signatures, 4),
        reread=PAIRS_TEXT,
    )


# -------------------------------------------------------------------------------------------------------- personal data

PII = Question("find_pii", lab=LAB, points=1)
PII_TEXT = "§ 7 Personal data"
# fmt: off
STREETS = ["Mill Lane", "Church Street", "Market Square", "Orchard Row", "Brook Road", "School Hill", "Willow Walk",
    "Priory Gardens", "Smithy Yard", "North Gate"]
# fmt: on


def joined(parts):
    """(text, spans) of parts: a text, or a (text, kind) that is to be found."""
    text, spans = "", []
    for part in parts:
        piece, kind = (part, None) if isinstance(part, str) else part
        if kind:
            spans.append([len(text), len(text) + len(piece), kind])
        text += piece
    return text, spans


def some_pii(q):
    """One telephone number, e-mail address and house address each, as (text, kind)."""
    digits, name, other = letters(q, 4, "0123456789"), letters(q, 5), letters(q, 6)
    phone = ["555-{}", "555 {}", "(555) {}", "+00 555 {}"][q.randint(0, 4)].format(digits)
    user = [f"{name}.{other}", f"{name}_{other}", f"{name}{q.randint(2, 99)}", f"{name}.{other}+{q.randint(2, 99)}"][
        q.randint(0, 4)
    ]
    host = ["littlebrook.example", "post.example", "mail.brook-net.example"][q.randint(0, 3)]
    return (
        (phone, "phone"),
        (f"{user}@{host}", "email"),
        (f"{q.randint(1, 99)}{['', '', 'a', 'b'][q.randint(0, 4)]} {STREETS[q.randint(0, len(STREETS))]}", "address"),
    )


@PII.case("a number, an e-mail address and a house address: start, end and kind of each, in order")
def _(q):
    phone, email, address = some_pii(q)
    text, spans = joined(["Call Ada on ", phone, ", write to ", email, " or send it to ", address, "."])
    swap = {"phone": "email", "email": "phone"}
    q.same(
        "the spans",
        q.call("find_pii", text),
        spans,
        reread=PII_TEXT,
        hint="re.finditer gives matches with .start() and .end().",
        mistakes={
            "the end is that of the last character: it should be one past it, so that text[start:end] is the datum": [
                [s, e - 1, k] for s, e, k in spans
            ],
            "the length stands where the end should": [[s, e - s, k] for s, e, k in spans],
            "the texts came back: start and end are asked for": [[text[s:e], k] for s, e, k in spans],
            "the kind is missing": [[s, e] for s, e, _ in spans],
            "the kinds are mixed up": [[s, e, swap.get(k, k)] for s, e, k in spans],
            "the spans are grouped by kind, not in the order of the text": sorted(spans, key=lambda s: s[2]),
            "house addresses are missing": spans[:2],
            "e-mail addresses are missing": [spans[0], spans[2]],
            "telephone numbers are missing": spans[1:],
        },
    )


@PII.case("every way to write a telephone number")
def _(q):
    d = [letters(q, 4, "0123456789") for _ in range(4)]
    numbers = [f"555-{d[0]}", f"555 {d[1]}", f"(555) {d[2]}", f"+00 555 {d[3]}"]
    for number in numbers:
        text, spans = joined(["Call ", (number, "phone"), " before ten."])
        q.same(
            f"the spans in {text!r}",
            q.call("find_pii", text),
            spans,
            reread=PII_TEXT,
            hint="The four ways are listed in § 7. An optional part is (?:…)?",
            mistakes={
                "the part before the last digits was left standing": [[text.index(number[-4:]), spans[0][1], "phone"]],
                "the prefix +00 was left standing": [[text.index("555"), spans[0][1], "phone"]],
            },
        )


@PII.case("e-mail addresses with dots, digits, _ and +, at the end of a sentence")
def _(q):
    for user in (
        f"{letters(q, 4)}.{letters(q, 5)}",
        f"{letters(q, 3)}_{letters(q, 3)}",
        f"{letters(q, 5)}{q.randint(2, 99)}",
        f"{letters(q, 4)}.{letters(q, 4)}+{q.randint(2, 99)}",
    ):
        for host in ("post.example", "mail.brook-net.example"):
            text, spans = joined(["Write to Ada at ", (f"{user}@{host}", "email"), ". She answers."])
            s, e, k = spans[0]
            q.same(
                f"the spans in {text!r}",
                q.call("find_pii", text),
                spans,
                reread=PII_TEXT,
                mistakes={
                    "the full stop of the sentence was taken for a part of the address": [[s, e + 1, k]],
                    "the address was cut at a dot, a + or a -": [
                        [s + len(user) - len(re.split(r"[.+_]", user)[-1]), e, k]
                    ],
                },
            )


@PII.case("what looks like it and is none: years, prices, streets without a number, web addresses")
def _(q):
    for text in (
        f"The mill burned down in {q.randint(1950, 2024)}, in summer.",
        f"She lives in {STREETS[q.randint(0, 10)]}. He has a home in Mill Lane.",
        "It costs 555 coins, not 5550.",
        "Back to www.littlebrook.example/page-17",
        "Archive no. 2041-77, read 1953 times.",
        "Mix 12 eggs @ 3 coins and wait 20 minutes.",
        "Page 1555-77781 of the register.",
    ):
        got = q.call("find_pii", text)
        q.same(
            f"the spans in {text!r}",
            got,
            [],
            reread=PII_TEXT,
            hint="A wrong alarm costs text, and facts that a model should know.",
        )


@PII.case("several of a kind, side by side")
def _(q):
    one, two = some_pii(q), some_pii(q)
    text, spans = joined(["At ", one[2], " and ", two[2], ": ", one[1], ", ", two[1], "; ", one[0], ", ", two[0]])
    q.same(
        "the spans",
        q.call("find_pii", text),
        spans,
        reread=PII_TEXT,
        hint="re.search finds the first one only; re.finditer finds them all.",
        mistakes={"only the first of each kind was found": [spans[0], spans[2], spans[4]]},
    )


@PII.case("a fresh crawl, and a page without any")
def _(q):
    q.same("the spans of an empty page", q.call("find_pii", ""), [])
    pages = [p for p in fresh(q, 400) if p.label not in ("boilerplate", "spam", "gibberish", "broken encoding")][:250]
    pages = [p for p in pages if p.pii] + [p for p in pages if not p.pii][:60]
    found = {(k, *s) for k, p in enumerate(pages) for s in q.call("find_pii", p.text)}
    truth = {(k, *s) for k, p in enumerate(pages) for s in p.pii}
    recall, precision = len(found & truth) / max(1, len(truth)), len(found & truth) / max(1, len(found))
    q.true(
        f"it finds {recall:.0%} of the {len(truth)} spans; {PII_RECALL:.0%} are asked for",
        recall >= PII_RECALL,
        reread=PII_TEXT,
    )
    q.true(
        f"{precision:.0%} of what it finds is personal; {PII_PRECISION:.0%} are asked for",
        precision >= PII_PRECISION,
        reread=PII_TEXT,
    )


# -------------------------------------------------------------------------------------------------------- contamination

LEAKS = Question("contaminated", lab=LAB, points=1)
LEAKS_TEXT = "§ 8 Contamination"


def spoken(text):
    return f" {' '.join(re.sub(r'[^a-z0-9 ]', ' ', text.lower()).split())} "


def shares_run(pages, tests, n, *, clean=spoken, count=any):
    """Does one n-gram of a test stand in the page? A search for text within text. The keywords make the usual slips."""
    runs = []
    for test in map(clean, tests):
        words = test.split()
        runs += [" " + " ".join(words[k : k + n]) + " " for k in range(len(words) - n + 1)]
    return [bool(runs) and count(run in clean(page) for run in runs) for page in pages]


@LEAKS.case("True for a page that shares a run of n words with a test, whatever the case and punctuation")
def _(q):
    tests = [sentence(q, 12) + "?", sentence(q, 9)]
    t, u = tests[0].split(), tests[1].split()
    other = lambda n: sentence(q, n)
    pages = [
        f"{other(4)} {' '.join(t[2:8])} {other(3)}",
        f"{other(5)} {' '.join(t[2:7])} {other(4)}",
        f"{other(3)} {' '.join(u[:6]).upper()} {other(2)}",
        other(20),
        f'{t[0]}, {t[1]}; {t[2]} - {t[3]}: {t[4]} "{t[5]}" {other(5)}',
        " ".join(t[:6][::-1]),
        " ".join(w for k, w in enumerate(t) if k % 2) + " " + other(4),
        tests[0],
        f"{other(3)} {' '.join(t[3:11])} {other(3)}",
    ]
    raw = lambda text: f" {' '.join(text.split())} "
    make = lambda n=6, **slip: shares_run(pages, tests, n, **slip)
    q.same(
        "the answers",
        q.call("contaminated", pages, tests, 6),
        make(),
        reread=LEAKS_TEXT,
        mistakes={
            "the letter case counts: compare in lower case": make(
                clean=lambda text: f" {' '.join(re.sub(r'[^A-Za-z0-9 ]', ' ', text).split())} "
            ),
            "punctuation counts: compare the words only": make(clean=lambda text: raw(text.lower())),
            "case and punctuation count": make(clean=raw),
            "runs of n − 1 words are taken": make(5),
            "runs of n + 1 words are taken": make(7),
            "one shared word is enough for it: a run of n words is asked for": make(1),
            "every n-gram of every test must stand in the page: one is enough": make(count=all),
            "the whole test must stand in the page: a run of n of its words is enough": [
                any(spoken(x) in spoken(p) for x in tests) for p in pages
            ],
            "the order of the words does not count for it": lambda: [bagged(p, tests, 6) for p in pages],
            "the answer is the wrong way round": [not x for x in make()],
            "there is an answer for each test: one for each page is asked for": shares_run(tests, pages, 6),
            "the positions came back: True or False for each page is asked for": [k for k, x in enumerate(make()) if x],
        },
    )


def bagged(page, tests, n):
    grams = lambda text: {
        tuple(sorted(words[k : k + n])) for words in [spoken(text).split()] for k in range(len(words) - n + 1)
    }
    return any(grams(page) & grams(test) for test in tests)


@LEAKS.case("n decides: the longer the run, the fewer the pages")
def _(q):
    test = sentence(q, 10)
    words = test.split()
    pages = [sentence(q, 2) + " " + " ".join(words[1 : 1 + k]) + " " + sentence(q, 2) for k in range(1, 9)]
    for n in (1, 3, 8, 9):
        q.same(
            f"the answers for n = {n}",
            q.call("contaminated", pages, [test], n),
            [k >= n for k in range(1, 9)],
            reread=LEAKS_TEXT,
        )


@LEAKS.case("a run does not go from one test, or one page, into the next")
def _(q):
    one, two = sentence(q, 4), sentence(q, 4)
    q.same(
        "the answers",
        q.call("contaminated", [f"{one} {two}"], [one, two], 5),
        [False],
        hint="Make the n-grams of each test alone.",
        reread=LEAKS_TEXT,
    )
    q.same(
        "the answers",
        q.call("contaminated", [one, two], [f"{one} {two}"], 5),
        [False, False],
        hint="Make the n-grams of each page alone.",
        reread=LEAKS_TEXT,
    )


@LEAKS.case("whole words only: 'ham' does not stand in 'hamster'")
def _(q):
    q.same(
        "the answers",
        q.call("contaminated", ["she keeps a hamster at home", "she keeps a ham at home"], ["he keeps a ham"], 3),
        [False, True],
        reread=LEAKS_TEXT,
        hint="Compare lists of words, not pieces of text.",
    )


@LEAKS.case("no page, no test, texts shorter than n")
def _(q):
    q.same("of no page", q.call("contaminated", [], [sentence(q, 9)], 3), [])
    q.same("of no test", q.call("contaminated", [sentence(q, 9), ""], [], 3), [False, False], reread=LEAKS_TEXT)
    short = sentence(q, 3)
    q.same(
        "of short texts",
        q.call_checked_unmutated("contaminated", [short, "", sentence(q, 5)], [short, ""], 4),
        [False, False, False],
        hint="A text of fewer than n words has no n-gram.",
        reread=LEAKS_TEXT,
    )


# ------------------------------------------------------------------------------------------------------------------ BPE

MERGE = Question("merge_pair", lab=LAB, points=0.5)
BPE_TEXT = "§ 9 BPE"


def merged(symbols, pair):
    """The merge as a search and replace, with a separator round every symbol."""
    text = "".join("\0" + s for s in symbols) + "\0"
    found = re.sub(f"(?<=\0){re.escape(pair[0])}\0{re.escape(pair[1])}(?=\0)", lambda m: m[0].replace("\0", ""), text)
    return found[1:-1].split("\0") if symbols else []


@MERGE.case("each occurrence of the pair becomes one symbol")
def _(q):
    a, b, c = (letters(q, 1, alphabet) for alphabet in ("abc", "def", "ghi"))
    symbols = [c, a, b, b, a, a, b, c, a, b]
    expected = merged(symbols, [a, b])
    q.same(
        "the symbols",
        q.call("merge_pair", symbols, [a, b]),
        expected,
        reread=BPE_TEXT,
        mistakes={
            "only the first occurrence was merged": [c, a + b, *symbols[3:]],
            "the pair was also merged the other way round": [c, a + b, b + a, a + b, c, a + b],
            "nothing was merged": symbols,
            "the pair was removed: it becomes one symbol": [s for s in expected if s != a + b],
            "one text came back: a list of symbols is asked for": "".join(symbols),
            "the first symbol of each pair was kept, too": [
                x for s in expected for x in ([a, s] if s == a + b else [s])
            ],
            "the symbols of each pair are in the wrong order": [b + a if s == a + b else s for s in expected],
        },
    )


@MERGE.case("from left to right, and no symbol is used twice: a a a → aa a")
def _(q):
    x = letters(q, 1)
    for n in (2, 3, 4, 5):
        q.same(
            f"the symbols of {n} times {x!r}",
            q.call("merge_pair", [x] * n, [x, x]),
            merged([x] * n, [x, x]),
            reread=BPE_TEXT,
            hint="After a merge, go on behind both symbols.",
            mistakes={
                "a symbol was used in two merges": [x + x] * (n - 1),
                "the merges went from right to left": merged([x] * n, [x, x])[::-1],
            },
        )


@MERGE.case("symbols are whole: 'ab' + 'c' is not 'a' + 'bc'")
def _(q):
    q.same(
        "the symbols",
        q.call("merge_pair", ["ab", "c", "a", "bc", "a", "b", "c", "xa", "bc", "a", "bcd"], ["a", "bc"]),
        ["ab", "c", "abc", "a", "b", "c", "xa", "bc", "a", "bcd"],
        reread=BPE_TEXT,
        hint="Compare symbols with the pair, not the text that they make together.",
    )


@MERGE.case("the pair at the very end, or nowhere; no symbol, one symbol; the list is left alone")
def _(q):
    symbols = [letters(q, 1, "abc") for _ in range(5)] + ["x", "y"]
    q.same(
        "the symbols",
        q.call_checked_unmutated("merge_pair", symbols, ["x", "y"]),
        [*symbols[:5], "xy"],
        reread=BPE_TEXT,
    )
    q.same("without the pair", q.call("merge_pair", symbols, ["y", "x"]), symbols, reread=BPE_TEXT)
    q.same("of no symbol", q.call("merge_pair", [], ["x", "y"]), [])
    q.same("of one symbol", q.call("merge_pair", ["x"], ["x", "x"]), ["x"])


MERGES = Question("learn_merges", lab=LAB, points=1)


def library_merges(counts, n):
    """The first n merges that `tokenizers` learns from these words."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = [word for word, count in counts.items() for _ in range(count)]
    tokenizer.train_from_iterator(words, trainers.BpeTrainer(vocab_size=100_000, show_progress=False))
    return [
        pair if type(pair) is list else pair.split(" ") for pair in json.loads(tokenizer.to_str())["model"]["merges"]
    ][:n]


def some_words(q, n=12, alphabet="abcde", most=9):
    words = {}
    while len(words) < n:
        words[letters(q, q.randint(2, 8), alphabet)] = q.randint(1, most)
    return words


def pairs_at_first(counts, weight=True):
    """Pair → count before any merge."""
    found = {}
    for word, count in counts.items():
        for a, b in zip(word, word[1:]):
            found[a, b] = found.get((a, b), 0) + (count if weight else 1)
    return found


@MERGES.case("the same merges as the library `tokenizers`")
def _(q):
    counts = some_words(q)
    expected = library_merges(counts, 12)
    first = pairs_at_first(counts)
    ranked = [list(p) for p in sorted(first, key=lambda p: (-first[p], p))]
    q.same(
        "the merges",
        q.call("learn_merges", counts, 12),
        expected,
        reread=BPE_TEXT,
        mistakes={
            "the pairs were counted once: count them anew after every merge": ranked[:12],
            "every word counts once: weigh a pair by the word's count": (
                library_merges({word: 1 for word in counts}, 12)
            ),
            "the joined symbols came back: the pairs are asked for": ["".join(p) for p in expected],
            "the rarest pair was taken: take the most frequent": (
                lambda: [list(min(first, key=lambda p: (first[p], p)))] + [["?", "?"]] * 11
            ),
            "there is one merge too few": expected[:-1],
            "there is one merge too many": library_merges(counts, 13),
        },
    )


@MERGES.case("a pair counts as often as its word")
def _(q):
    x, y, z = "pqr"
    counts = {x + y: 1 + q.randint(0, 3), z + x: 30 + q.randint(0, 9), y + x + y: 2}
    q.same(
        "the merges",
        q.call("learn_merges", counts, 2),
        library_merges(counts, 2),
        reread=BPE_TEXT,
        hint="`counts` says how often each word stands in the text.",
        mistakes={
            "every word counts once: weigh a pair by the word's count": library_merges({w: 1 for w in counts}, 2)
        },
    )


@MERGES.case("in a tie the pair of the older symbols wins")
def _(q):
    counts = {word: 3 for word in ("zy", "yx", "ba", "ab", "cz")}
    words = {"hug": 2, "pug": 2, "hat": 2, "pat": 2, "gut": 2, "tap": 2}
    for each in (dict([*counts.items()][::-1]) if q.randint(0, 2) else counts, words):
        q.same(
            "the merges",
            q.call("learn_merges", each, 5),
            library_merges(each, 5),
            reread=BPE_TEXT,
            hint="Number the symbols: single characters in the order of their code points, then each merged symbol as "
            "it is learned. In a tie take the least (number, number).",
        )


@MERGES.case("merges build on merges, and repeated letters are merged from the left")
def _(q):
    x, y = "ab" if q.randint(0, 2) else "dc"
    counts = {x * 9 + y: 4, x * 4: 3, (x + y) * 3: 2}
    q.same("the merges", q.call("learn_merges", counts, 6), library_merges(counts, 6), reread=BPE_TEXT)


@MERGES.case("pairs do not go from word to word; it stops when no pair is left")
def _(q):
    counts = {"ab": 2, "c": 50, "d": 50}
    q.same(
        "the merges",
        q.call("learn_merges", counts, 10),
        [["a", "b"]],
        reread=BPE_TEXT,
        hint="A word of one symbol has no pair. When nothing can be merged, stop.",
    )
    q.same("of no word", q.call("learn_merges", {}, 5), [])
    q.same("of no merge", q.call_checked_unmutated("learn_merges", {"abc": 2}, 0), [])


@MERGES.case("two hundred words, forty merges; the counts are left alone")
def _(q):
    counts = some_words(q, 200, "abcdefghij", 30)
    q.same(
        "the merges", q.call_checked_unmutated("learn_merges", counts, 40), library_merges(counts, 40), reread=BPE_TEXT
    )


BYTES = Question("bytes_per_token", lab=LAB, points=0.5)
BYTES_TEXT = "§ 10 Bytes per token"


@BYTES.case("all bytes (UTF-8) over all tokens")
def _(q):
    texts = [sentence(q, 12), "Zürich, 42 £ — 🙂 " + sentence(q, 2), letters(q, 3)]
    counts = [20 + q.randint(0, 9), 12 + q.randint(0, 9), 3]
    sizes = [len(bytes(text, "utf-8")) for text in texts]
    q.close(
        "the ratio",
        q.call("bytes_per_token", texts, counts),
        sum(sizes) / sum(counts),
        tol=1e-9,
        reread=BYTES_TEXT,
        mistakes={
            "characters were counted: ü has 2 bytes, 🙂 has 4": sum(map(len, texts)) / sum(counts),
            "the mean of the texts' ratios: a short text counts as much as a long one": (
                sum(s / c for s, c in zip(sizes, counts)) / 3
            ),
            "it is the wrong way round: tokens per byte": sum(counts) / sum(sizes),
            "words were counted, not bytes": sum(len(t.split()) for t in texts) / sum(counts),
            "bytes for each text, not for each token": sum(sizes) / 3,
            "bits were counted": 8 * sum(sizes) / sum(counts),
            "the text was encoded as UTF-16": sum(len(t.encode("utf-16-le")) for t in texts) / sum(counts),
            "blanks were left out": sum(len("".join(t.split()).encode()) for t in texts) / sum(counts),
        },
    )


@BYTES.case("one byte a token, one token a text")
def _(q):
    text = sentence(q, 6)
    q.close(
        "the ratio of single bytes", q.call("bytes_per_token", [text], [len(text)]), 1.0, tol=1e-9, reread=BYTES_TEXT
    )
    q.close(
        "the ratio of whole texts", q.call("bytes_per_token", ["£" * 7, "ab"], [1, 1]), 8.0, tol=1e-9, reread=BYTES_TEXT
    )


@BYTES.case("an empty text among others; the lists are left alone")
def _(q):
    text = sentence(q, 5)
    got = q.call_checked_unmutated("bytes_per_token", ["", text, ""], [0, 4, 0])
    q.close(
        "the ratio",
        got,
        len(text) / 4,
        tol=1e-9,
        hint="An empty text has no tokens: its own ratio would be 0/0.",
        reread=BYTES_TEXT,
    )


@BYTES.case("a plain number comes back, for a long text, too")
def _(q):
    text = "é" * (5000 + q.randint(0, 999))
    got = q.call("bytes_per_token", [text, text], [1000, 3000])
    q.true("the ratio is not a plain number", type(got) in (int, float), hint="Return a Python float.")
    q.close("the ratio", got, len(text) / 1000, tol=1e-9, reread=BYTES_TEXT)


# ------------------------------------------------------------------------------------------------------------ the words

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Precision or recall",
    rubric="""0.5: names one step where a wrong drop (precision) costs little and one where a miss (recall) costs much,
each with its reason from the lab: for instance a missed telephone number can be repeated by the model for ever, while a
good page dropped by the quality filter is one of thousands; or a missed leak makes a test score worthless. AND refers
to a number of the student's own table.
0.25: only one step, or no number.  0: a definition of the two words alone.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="What the two models show",
    rubric="""0.5: says what came out for raw and cleaned data (the gap and at least one of: numbers repeated, leaked
questions known), with figures from the student's own run, that both had the same budget, and why the raw model is worse
or seems better (junk and copies use up tokens; what stands often is memorised; the leaked half of the test no longer
measures). An honest report of a result that contradicts the prediction earns full marks.
0.25: figures without a reason.  0: no figure from a run.""",
)
