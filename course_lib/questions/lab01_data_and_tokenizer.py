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
# The core asks for half: who misses one sort of junk is told so by that sort's own case.
JUNK_RECALL, JUNK_PRECISION, CLASS_RECALL, LISTS_KEPT = 0.50, 0.90, 0.80, 0.85


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

KEEP_TEXT = "§ 2 The quality filter"
BOILERPLATE = "boilerplate and spam go"
BROKEN = "broken encodings go"
ACCENTS = "typographic quotes and accents stay"
GIBBERISH = "gibberish goes, word salads aside"
LISTS = "registers and short notices stay"
EMPTY = "a page without words goes"
KEEP = Question("keep_page", lab=LAB, points=1, rules=(BOILERPLATE, BROKEN, ACCENTS, GIBBERISH, LISTS, EMPTY))


def decisions(q, pages):
    """The student's answers, each True or False and nothing else."""
    made = [q.call("keep_page", page.text) for page in pages]
    q.true(
        f"keep_page gave {next((m for m in made if type(m) is not bool), None)!r} where True or False was due",
        all(type(m) is bool for m in made),
        hint="Return the truth of a comparison: True keeps the page.",
    )
    return made


def register_or_notice(page):
    return "\n- " in page.text or page.text.split(":")[0].isupper()


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


@KEEP.case("on a fresh crawl it drops most of the junk and hardly anything else", reread=KEEP_TEXT)
def _(q):
    from course_lib.world.crawl import JUNK

    # all the others, as many as there are: of fewer good pages fewer would go, and the precision be too good
    pages = [p for p in fresh(q, 1200) if p.label in JUNK or not register_or_notice(p)]
    made = decisions(q, pages)
    dropped, junk = [p for p, m in zip(pages, made) if not m], [p for p in pages if p.label in JUNK]
    recall, precision = (
        share(not m for p, m in zip(pages, made) if p.label in JUNK),
        share(p.label in JUNK for p in dropped),
    )
    q.true(
        f"it drops {recall:.0%} of the {len(junk)} junk pages; {JUNK_RECALL:.0%} are asked for here",
        recall >= JUNK_RECALL,
        mistake=named(made, pages),
        hint="The table of § 2 shows in which column a sort of junk stands apart. One threshold for each column is "
        "enough.",
    )
    q.true(
        f"of the pages that it drops, registers and notices aside, only {precision:.0%} are junk; "
        f"{JUNK_PRECISION:.0%} are asked for",
        precision >= JUNK_PRECISION,
        mistake=named(made, pages),
        hint="A threshold inside the range of the clean pages throws good text away. Put it well outside.",
    )


def goes(q, what, pages):
    """Most of these pages are dropped."""
    got = share(not m for m in decisions(q, pages))
    q.true(f"{got:.0%} of {what} go; {CLASS_RECALL:.0%} are asked for", got >= CLASS_RECALL)


@KEEP.case(
    BOILERPLATE,
    rule=BOILERPLATE,
    reread=KEEP_TEXT,
    hint="They use words of the web, they are short, they say the same again, and spam hardly uses words such as the, "
    "a, is.",
)
def _(q):
    goes(q, "boilerplate and spam", [p for p in fresh(q, 1200) if p.label in ("boilerplate", "spam")])


@KEEP.case(
    BROKEN,
    rule=BROKEN,
    reread=KEEP_TEXT,
    hint="Characters such as Ã, Â, â and � are what UTF-8 read with the wrong alphabet is full of.",
)
def _(q):
    goes(q, "the broken encodings", [p for p in fresh(q, 1600) if p.label == "broken encoding"])


# long pages in good order, each with a single one of the characters of which broken pages have 3 % and more
SINGLE = {
    "â": "Everybody in Littlebrook knows the old château above the mill, though nobody has lived in it for a hundred "
    "years. In spring the children go up there to look for nests, and Ada Cobb goes with them because she is afraid "
    "that one of them will fall from the wall. Last summer Cecil found a gold ring in the grass and gave it to the "
    "baker, who had lost it on her wedding day. She thanked him with a plum cake. He shared it with his sister and "
    "with the shepherd, who was waiting for the rain to stop before he took his sheep home. In the evening they all "
    "met at the inn and told the story again.",
    "€": "From the notice board of the inn. The choir needs a new piano, for the old one has stood in the damp for too "
    "long and nobody can play it any more. A good one was seen in the next town and it costs 90 € with the stool. "
    "Please tell Otto if you can give something, or if you have a cart that we may borrow on Saturday. The choir will "
    "sing in the church on Sunday after the service, and in the evening there is a supper at the mill. Everybody who "
    "comes is asked to bring a chair and a plate. If it rains we will meet in the school, where the roof has been "
    "mended, and sing there until the storm is over.",
}


@KEEP.case(
    ACCENTS,
    rule=ACCENTS,
    reread=KEEP_TEXT,
    hint="Not every character beyond ASCII is broken: look for the few that broken text is full of.",
)
def _(q):
    quotes = [
        "“Good morning, Ada,” said Cecil. “Where are you going?” “To the mill, to buy some bread,” said Ada. “That is "
        "Otto’s mill, and he doesn’t open before ten.”",
        "Meet Zoë Müller. She comes from Zürich and works as a baker in the café. On Sundays she eats crème brûlée "
        "with her friends and plays with a cat.",
    ]
    for text in quotes:
        q.true(f"a page in good order, with typographic quotes or accents, goes: {text[:40]!r}…", kept(q, text))
    for sign, text in SINGLE.items():
        q.true(
            f"a page in good order with a single {sign} in {len(text)} characters goes: {text[:40]!r}…",
            kept(q, text),
            hint="Ask for a share of such characters, not for none: the table of § 2 shows how many broken pages have.",
        )


def kept(q, text):
    return q.call("keep_page", text) is True


@KEEP.case(
    GIBBERISH,
    rule=GIBBERISH,
    reread=KEEP_TEXT,
    hint="Random letters contain no word such as the, a, is; a table of numbers has hardly a letter.",
)
def _(q):
    pages = [p for p in fresh(q, 1600) if p.label == "gibberish" and p.edit != "word salad"]
    goes(q, "the gibberish, word salads aside,", pages)


@KEEP.case(
    LISTS,
    rule=LISTS,
    reread=KEEP_TEXT,
    hint="A register has few words such as the, a, is, and a notice is short: look at the lowest values of the clean "
    "pages.",
)
def _(q):
    # so many that a threshold just below the table's range, which keeps 93 %, is four standard errors above what is due
    pages = [p for p in fresh(q, 1200) if p.label == "clean" and register_or_notice(p)]
    got = share(decisions(q, pages))
    q.true(f"{got:.0%} of the registers and notices stay; {LISTS_KEPT:.0%} are asked for", got >= LISTS_KEPT)


@KEEP.case(
    EMPTY, rule=EMPTY, hint="Mind the division by the number of words or letters: it can be 0.", reread=KEEP_TEXT
)
def _(q):
    for name, text in (("an empty page", ""), ("a page of blanks", " \n\t "), ("a page of signs", "--- *** ### !!!")):
        q.true(f"{name} stays", q.call("keep_page", text) is False)


# ----------------------------------------------------------------------------------------------------- exact duplicates

EXACT_TEXT = "§ 3 Exact duplicates"
NFKC = "wide letters and ligatures are the same letters (Unicode NFKC)"
OTHER_WORDS = "other words, another order of words or other punctuation make another page"
WHOLE_PAGE = "the whole page counts, not its beginning"
EMPTY_PAGE = "an empty page is a page"
EXACT = Question("drop_exact_duplicates", lab=LAB, points=1, rules=(NFKC, OTHER_WORDS, WHOLE_PAGE, EMPTY_PAGE))


def firsts(keys):
    """Positions of the first of each key, by reading the list backwards."""
    place = {key: k for k, key in reversed(list(enumerate(keys)))}
    return sorted(place.values())


@EXACT.case("the first of each set of equal pages stays, whatever its blanks and its case", reread=EXACT_TEXT)
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
    texts = [ways[1 + (place // 2) % 5 if k in order[:place] else 0](base[k]) for place, k in enumerate(order)]
    texts += [base[1], base[4]]
    keys = [*order, 1, 4]
    lasts = sorted({key: k for k, key in enumerate(keys)}.values())
    stay = firsts(keys)
    single = [k for k, key in enumerate(keys) if keys.count(key) == 1]
    q.same(
        "the positions to keep",
        q.call("drop_exact_duplicates", texts),
        stay,
        mistakes={
            "pages that differ in case or blanks count as different: normalise before you hash": firsts(texts),
            "the letter case is not folded": firsts([" ".join(t.split()) for t in texts]),
            "only the ends were stripped: runs of blanks inside count, too": firsts([t.strip().lower() for t in texts]),
            "runs of blanks were counted: they become one blank": firsts([t.lower() for t in texts]),
            "the last copy was kept: keep the first": lasts,
            "the copies were returned: return what is kept": [k for k in range(len(texts)) if k not in stay],
            "the first of a set was dropped with its copies": single,
            "the texts were returned: return their positions": [texts[k] for k in stay],
            "True or False for each page was returned: return the positions that are kept": [
                k in stay for k in range(len(texts))
            ],
        },
    )


@EXACT.case(OTHER_WORDS, rule=OTHER_WORDS, reread=EXACT_TEXT)
def _(q):
    words = ["ada", "has", "a", "cat", letters(q, 5), letters(q, 6)]
    a = " ".join(words)
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


@EXACT.case(
    "pages that begin alike for a thousand characters",
    rule=WHOLE_PAGE,
    hint="Hash the whole page, not its beginning.",
    reread=EXACT_TEXT,
)
def _(q):
    head = sentence(q, 250)
    texts = [head + " one", head + " two", head + " ONE ", head + " three"]
    q.same("the positions to keep", q.call("drop_exact_duplicates", texts), [0, 1, 3])


@EXACT.case(NFKC, rule=NFKC, hint='unicodedata.normalize("NFKC", text) makes one form of them.', reread=EXACT_TEXT)
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
        mistakes={
            "the Unicode forms were not made one": list(range(6)),
            "NFC makes one of composed accents only: use NFKC": [0, 1, 2, 3, 4],
        },
    )


@EXACT.case(EMPTY_PAGE, rule=EMPTY_PAGE, hint="The first empty page stays, as of any other page.", reread=EXACT_TEXT)
def _(q):
    q.same("of empty pages", q.call("drop_exact_duplicates", ["a", "", " \n", "A", "b"]), [0, 1, 4])


@EXACT.case("no page, one page; the list is left alone", reread=EXACT_TEXT)
def _(q):
    q.same("of no page", q.call("drop_exact_duplicates", []), [])
    q.same("of one page", q.call("drop_exact_duplicates", [sentence(q, 3)]), [0])
    q.call_checked_unmutated("drop_exact_duplicates", ["b c", "a", "b  c"])


# -------------------------------------------------------------------------------------------------------------- MinHash

MINHASH_TEXT = "§ 4 MinHash"
NO_SHINGLE = "a page without shingles gets MASK everywhere"
INT64 = "the signature is int64"
MINHASH = Question("minhash_signature", lab=LAB, points=1, rules=(NO_SHINGLE, INT64))


def functions(q, n):
    """(a, b): hash functions that use the whole range."""
    return q.randint(2**29, 2**30, (n,)), q.randint(2**60, PRIME, (n,))


def signature(hashes, a, b, *, prime=PRIME, mask=MASK, reduce=min, form=None):
    """In whole numbers of any size, function by function. The keywords make the usual slips."""
    form = form or (lambda h, x, y: divmod(x * h + y, prime)[1] if prime else x * h + y)
    pairs = zip(a.tolist(), b.tolist())
    return torch.tensor([reduce(form(h, x, y) & mask for h in hashes.tolist()) for x, y in pairs])


@MINHASH.case("for each function the least of ((a·h + b) mod PRIME) mod 2³²", reread=MINHASH_TEXT)
def _(q):
    hashes, (a, b) = q.randint(2**31, 2**32, (23,)), functions(q, 16)
    got = q.call("minhash_signature", hashes, a, b)
    q.same("the shape", list(got.shape), [16])
    wide = lambda h, x, y: int((float(x) * float(h) + float(y)) % float(PRIME))
    q.close(
        "the signature",
        got.long() & MASK,
        signature(hashes, a, b),
        tol=0,
        mistakes={
            "the largest value was taken: MinHash takes the least": signature(hashes, a, b, reduce=max),
            "the remainder by PRIME is missing": signature(hashes, a, b, prime=0),
            "the least was taken before mod 2³², or the lowest 32 bits were not taken: first every value mod 2³², then "
            "the least": lambda: signature(hashes, a, b, mask=2**62 - 1) & MASK,
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
    q.true(
        "a number of the signature is above 2³² − 1",
        int(got.long().max()) <= MASK,
        mistake="the lowest 32 bits were not taken: … mod 2³² comes last",
    )


@MINHASH.case("the numbers are int64", rule=INT64, hint="No .int(), no .float(): int64 in, int64 out.")
def _(q):
    got = q.call("minhash_signature", q.randint(0, 2**32, (9,)), *functions(q, 4))
    q.same("the dtype", str(got.dtype), "torch.int64")


@MINHASH.case("the largest numbers that can come", reread=MINHASH_TEXT)
def _(q):
    hashes, a, b = (
        torch.tensor([MASK, MASK - 1, 0, 1]),
        torch.tensor([2**30 - 1, 1, 2**29 + 12345]),
        torch.tensor([PRIME - 1, 0, PRIME - 77]),
    )
    hint = "a·h + b fits into 63 bits, so int64 is enough; float64 has 53 bits, and int32 31."
    got = q.call("minhash_signature", hashes, a, b)
    q.close("the signature", got.long() & MASK, signature(hashes, a, b), tol=0, hint=hint)


@MINHASH.case(
    "a page without shingles",
    rule=NO_SHINGLE,
    reread=MINHASH_TEXT,
    hint="There is no least of nothing: return 2³² − 1 everywhere, the largest value there is.",
)
def _(q):
    a, b = functions(q, 5)
    got = q.call("minhash_signature", torch.zeros(0, dtype=torch.int64), a, b)
    q.close("the signature", got.long() & MASK, torch.full((5,), MASK), tol=0)


@MINHASH.case("one shingle, one function; the inputs are left alone", reread=MINHASH_TEXT)
def _(q):
    hashes, (a, b) = q.randint(0, 2**32, (1,)), functions(q, 4)
    got = q.call_checked_unmutated("minhash_signature", hashes, a, b)
    q.close("the signature of one shingle", got.long() & MASK, signature(hashes, a, b), tol=0)
    got = q.call("minhash_signature", hashes, a[:1], b[:1])
    q.close("one function", got.long() & MASK, signature(hashes, a[:1], b[:1]), tol=0)


# -------------------------------------------------------------------------------------------------------------- banding

PAIRS_TEXT = "§ 5 Banding"
ALL_OF_BUCKET = "three pages that agree are three pairs"
OWN_BUCKETS = "equal numbers in different bands mean nothing"
AS_NUMBERS = "the numbers of a band are compared one by one"
PAIRS = Question("candidate_pairs", lab=LAB, points=1, rules=(ALL_OF_BUCKET, OWN_BUCKETS, AS_NUMBERS))


def pairs_by_comparison(signatures, bands, agree=lambda equal: equal.all(-1).any(-1), interleaved=False):
    """All pages against all, as one comparison of tensors. `agree` turns [N N bands numbers] into [N N]."""
    N, P = signatures.shape
    equal = signatures[:, None] == signatures[None]
    blocks = equal.view(N, N, P // bands, bands).transpose(2, 3) if interleaved else equal.view(N, N, bands, P // bands)
    return agree(blocks).triu(1).nonzero().tolist()


@PAIRS.case("pairs that agree in all numbers of at least one band", reread=PAIRS_TEXT)
def _(q):
    # all numbers differ, but for what is planted: each slip finds another set of pairs, and no bucket has three pages
    signatures = q.randint(10**6, 2**31, (16, 12))
    for one, other, rows in (
        (2, 5, slice(3, 6)),  # a band each
        (1, 9, slice(6, 9)),
        (0, 10, slice(9, 12)),
        (4, 11, slice(0, 12)),  # all bands
        (3, 12, slice(0, 1)),  # one number
        (6, 13, slice(1, 12, 4)),  # every fourth number
        (14, 15, slice(0, 3)),
        (7, 8, slice(4, 8)),  # four numbers, as if `bands` were those of a band
    ):
        signatures[other, rows] = signatures[one, rows]
    expected = [[0, 10], [1, 9], [2, 5], [4, 11], [14, 15]]
    both = sorted(expected + [[j, i] for i, j in expected])
    by_band = [[4, 11], [14, 15], [2, 5], [4, 11], [1, 9], [4, 11], [0, 10], [4, 11]]
    q.same(
        "the pairs",
        q.call("candidate_pairs", signatures, 4),
        expected,
        mistakes={
            "one equal number was enough: all numbers of a band must agree": (
                pairs_by_comparison(signatures, 4, lambda e: e.any(-1).any(-1))
            ),
            "all bands had to agree: one is enough": [[4, 11]],
            "the bands are made of every fourth number: a band is a run of neighbours": (
                pairs_by_comparison(signatures, 4, interleaved=True)
            ),
            "`bands` was taken for how many numbers a band has": pairs_by_comparison(signatures, 3),
            "each pair came twice: only i < j": both,
            "a page was paired with itself": sorted(expected + [[k, k] for k in range(16)]),
            "the pairs are not sorted": [[4, 11], [14, 15], [2, 5], [1, 9], [0, 10]],
            "pairs that agree in several bands came several times": sorted(by_band),
            "the last band was left out": [[1, 9], [2, 5], [4, 11], [14, 15]],
            "only the first band was looked at": [[4, 11], [14, 15]],
        },
    )


@PAIRS.case("three pages in one bucket", rule=ALL_OF_BUCKET, reread=PAIRS_TEXT)
def _(q):
    signatures = q.randint(10**6, 2**31, (8, 6))
    for k in (4, 7):
        signatures[k, 2:4] = signatures[1, 2:4]
    mistakes = {
        "in a bucket of three only neighbours were paired: the first goes with the last, too": [[1, 4], [4, 7]],
        "in a bucket of three only the first was paired with the others: those make a pair, too": [[1, 4], [1, 7]],
    }
    q.same("the pairs", q.call("candidate_pairs", signatures, 3), [[1, 4], [1, 7], [4, 7]], mistakes=mistakes)


@PAIRS.case(
    "the same numbers in another band",
    rule=OWN_BUCKETS,
    reread=PAIRS_TEXT,
    hint="Each band has its own buckets: put the number of the band into the key, or begin anew.",
)
def _(q):
    signatures = torch.arange(24).view(4, 6) + 100
    signatures[2, 3:] = signatures[0, :3]
    mistakes = {"pages were paired with those in the same bucket of ANOTHER band: keep the bands apart": [[0, 2]]}
    q.same("the pairs", q.call("candidate_pairs", signatures, 2), [], mistakes=mistakes)


@PAIRS.case(
    "numbers that read alike when they are written one after another",
    rule=AS_NUMBERS,
    reread=PAIRS_TEXT,
    hint='"1" + "23" and "12" + "3" are the same text, and 1 + 23 = 20 + 4. Use a tuple as the key.',
)
def _(q):
    signatures = torch.tensor([[1, 23, 5, 6], [12, 3, 7, 8], [1, 23, 9, 10], [20, 4, 50, 60]])
    q.same(
        "the pairs",
        q.call("candidate_pairs", signatures, 2),
        [[0, 2]],
        mistakes={
            "the numbers of a band were glued together without a separator": [[0, 1], [0, 2], [1, 2]],
            "the numbers of a band were added up": [[0, 2], [0, 3], [2, 3]],
        },
    )


@PAIRS.case("one band, and as many bands as numbers; no page, one page", reread=PAIRS_TEXT)
def _(q):
    signatures = q.randint(10**6, 2**31, (9, 6))
    signatures[8], signatures[5, 0] = signatures[3], signatures[2, 0]
    q.same("the pairs with one band", q.call("candidate_pairs", signatures, 1), [[3, 8]])
    q.same("the pairs with six bands", q.call("candidate_pairs", signatures, 6), [[2, 5], [3, 8]])
    q.same("of no page", q.call("candidate_pairs", torch.zeros(0, 4, dtype=torch.int64), 2), [])
    q.same("of one page", q.call("candidate_pairs", torch.zeros(1, 4, dtype=torch.int64), 2), [])


@PAIRS.case("the signatures are left alone", reread=PAIRS_TEXT)
def _(q):
    q.call_checked_unmutated("candidate_pairs", q.permutation(32).view(4, 8), 4)


# -------------------------------------------------------------------------------------------------------- personal data

PII_TEXT = "§ 7 Personal data"
PHONES = "every way to write a telephone number, with its prefix and its brackets"
EMAILS = "e-mail addresses with dots, digits, _ and +, at the end of a sentence"
HOUSES = "every sort of street, with a letter behind the number or without"
NONE_OF_IT = "what looks like it and is none: years, prices, streets without a number, web addresses"
EACH_ONE = "each one is found, in the order of the text"
PII = Question("find_pii", lab=LAB, points=1, rules=(PHONES, EMAILS, HOUSES, NONE_OF_IT, EACH_ONE))
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


def plain_pii(q):
    """One telephone number, e-mail address and house address each in its plain form, as (text, kind)."""
    return (
        (f"555-{letters(q, 4, '0123456789')}", "phone"),
        (f"{letters(q, 5)}@post.example", "email"),
        (f"{q.randint(10, 99)} Mill Lane", "address"),
    )


@PII.case("a number, an e-mail address and a house address: start, end and kind of each, in order", reread=PII_TEXT)
def _(q):
    phone, email, address = plain_pii(q)
    text, spans = joined(["Call Ada on ", phone, ", write to ", email, " or send it to ", address, "."])
    swap = {"phone": "email", "email": "phone"}
    q.same(
        f"the spans in {text!r}",
        q.call("find_pii", text),
        spans,
        hint="re.finditer gives matches with .start() and .end().",
        mistakes={
            "the end is that of the last character: it should be one past it, so that text[start:end] is the datum": [
                [s, e - 1, k] for s, e, k in spans
            ],
            "the length stands where the end should": [[s, e - s, k] for s, e, k in spans],
            "the texts came back: start and end are asked for": [[text[s:e], k] for s, e, k in spans],
            "the kind is missing": [[s, e] for s, e, _ in spans],
            "the kinds are mixed up": [[s, e, swap.get(k, k)] for s, e, k in spans],
            "the spans are sorted by kind, not in the order of the text": sorted(spans, key=lambda s: s[2]),
            "house addresses are missing": spans[:2],
            "e-mail addresses are missing": [spans[0], spans[2]],
            "telephone numbers are missing": spans[1:],
        },
    )


@PII.case(PHONES, rule=PHONES, hint="The four ways are listed in § 7. An optional part is (?:…)?", reread=PII_TEXT)
def _(q):
    d = [letters(q, 4, "0123456789") for _ in range(4)]
    for number in (f"555-{d[0]}", f"555 {d[1]}", f"(555) {d[2]}", f"+00 555 {d[3]}"):
        text, spans = joined(["Call ", (number, "phone"), " before ten."])
        start, end, kind = spans[0]
        mistakes = {"the part before the last digits was left standing": [[end - 4, end, kind]]}
        if number.startswith("("):
            mistakes["the opening bracket was left standing"] = [[start + 1, end, kind]]
        if number.startswith("+"):
            mistakes["the prefix +00 was left standing"] = [[start + 4, end, kind]]
        q.same(f"the spans in {text!r}", q.call("find_pii", text), spans, mistakes=mistakes)


@PII.case(EMAILS, rule=EMAILS, reread=PII_TEXT)
def _(q):
    for user in (
        f"{letters(q, 4)}.{letters(q, 5)}",
        f"{letters(q, 3)}_{letters(q, 3)}",
        f"{letters(q, 5)}{q.randint(2, 99)}",
        f"{letters(q, 4)}.{letters(q, 4)}+{q.randint(2, 99)}",
    ):
        for host in ("post.example", "mail.brook-net.example", "brook-net.example"):
            text, spans = joined(["Write to Ada at ", (f"{user}@{host}", "email"), ". She answers."])
            s, e, k = spans[0]
            mistakes = {
                "the full stop of the sentence was taken for a part of the address": [[s, e + 1, k]],
                "the address was cut at a dot or a +": [[s + len(user) - len(re.split(r"[.+]", user)[-1]), e, k]],
            }
            q.same(f"the spans in {text!r}", q.call("find_pii", text), spans, mistakes=mistakes)


@PII.case(HOUSES, rule=HOUSES, hint="Ten sorts of streets are listed in § 7.", reread=PII_TEXT)
def _(q):
    for k, street in enumerate(STREETS):
        number = (q.randint(1, 10), q.randint(10, 100))[k % 2]
        text, spans = joined(["It went to ", (f"{number}{('', 'b', 'a')[k % 3]} {street}", "address"), " today."])
        q.same(f"the spans in {text!r}", q.call("find_pii", text), spans)


@PII.case(
    NONE_OF_IT, rule=NONE_OF_IT, hint="A wrong alarm costs text, and facts that a model should know.", reread=PII_TEXT
)
def _(q):
    for text in (
        f"The mill burned down in {q.randint(1950, 2024)}, in summer.",
        "In 1987 Mill Lane was flooded.",
        f"She lives in {STREETS[q.randint(0, 10)]}. He has a home in Mill Lane.",
        "It costs 555 coins, not 5550.",
        "Back to www.littlebrook.example/page-17",
        "Archive no. 2041-77, read 1953 times.",
        "Mix 12 eggs @ 3 coins and wait 20 minutes.",
        "Page 1555-77781 of the register.",
        "Part 555-77781 is missing, and so is part 1555-7778.",
    ):
        q.same(f"the spans in {text!r}", q.call("find_pii", text), [])


@PII.case("several of a kind, side by side", rule=EACH_ONE, hint="Sort the spans by their place.", reread=PII_TEXT)
def _(q):
    one, two = plain_pii(q), plain_pii(q)
    text, spans = joined(["At ", one[2], " and ", two[2], ": ", one[1], ", ", two[1], "; ", one[0], ", ", two[0]])
    mistakes = {
        "only the first of each kind was found: re.finditer finds them all": [spans[0], spans[2], spans[4]],
        "the spans are sorted by kind, not in the order of the text": [*spans[4:], *spans[2:4], *spans[:2]],
    }
    q.same(f"the spans in {text!r}", q.call("find_pii", text), spans, mistakes=mistakes)


@PII.case("a page without any, and an empty one")
def _(q):
    q.same("the spans of an empty page", q.call("find_pii", ""), [])
    q.same("the spans of a page without any", q.call("find_pii", sentence(q, 30)), [])


# -------------------------------------------------------------------------------------------------------- contamination

LEAKS_TEXT = "§ 8 Contamination"
APOSTROPHE = "an apostrophe parts words"
WHOLE_WORDS = "whole words: 'ham' does not stand in 'hamster'"
NO_CROSSING = "a run does not go from one test, or one page, into the next"
LAST_RUN = "the last run of a text counts, too"
SHORT = "a text of fewer than n words has no run"
LEAKS = Question("contaminated", lab=LAB, points=1, rules=(APOSTROPHE, WHOLE_WORDS, NO_CROSSING, LAST_RUN, SHORT))


def spoken(text):
    return f" {' '.join(re.sub(r'[^a-z0-9 ]', ' ', text.lower()).split())} "


def shares_run(pages, tests, n, *, clean=spoken, count=any):
    """Does one n-gram of a test stand in the page? A search for text within text. The keywords make the usual slips."""
    runs = []
    for test in map(clean, tests):
        words = test.split()
        runs += [" " + " ".join(words[k : k + n]) + " " for k in range(len(words) - n + 1)]
    return [bool(runs) and count(run in clean(page) for run in runs) for page in pages]


def on_pages(q, pages, tests, n, expected, mistakes=None):
    """The answers for these pages; a message shows the page."""
    shown = [f"the page {page[:60]!r}" for page in pages]
    q.same("the answers", q.call("contaminated", pages, tests, n), expected, mistakes=mistakes, names=shown)


@LEAKS.case(
    "True for a page that shares a run of n words with a test, whatever the case and punctuation", reread=LEAKS_TEXT
)
def _(q):
    words = [letters(q, 1) + word for word in "ab cde fg hij klm no pqr st uvw xy zab cd efg hi jkl".split()]
    # all different, and none of them in the other words
    t, u = words[:9], words[9:]
    tests = [" ".join(t) + "?", " ".join(u)]
    other = lambda n: " ".join("zz" + letters(q, 4) for _ in range(n))
    pages = [
        f"{other(4)} {' '.join(t[2:6])} {other(3)}",
        f"{other(5)} {' '.join(t[2:5])} {other(4)}",
        f"{other(3)} {' '.join(u[:4]).upper()} {other(2)}",
        other(20),
        f'{t[0]}, {t[1]}; {t[2]} - {t[3]}: "{t[4]}" {other(5)}',
        f"{' '.join(t[1:5][::-1])} {other(2)}",
        " ".join(w for k, w in enumerate(t) if k % 2) + " " + other(4),
        f"{other(2)} {tests[0]} {other(2)}",
        f"{other(3)} {' '.join(t[3:8])} {other(3)}",
    ]
    raw = lambda text: f" {' '.join(text.split())} "
    make = lambda n=4, **slip: shares_run(pages, tests, n, **slip)
    on_pages(
        q,
        pages,
        tests,
        4,
        make(),
        mistakes={
            "the letter case was counted: compare in lower case": make(
                clean=lambda text: f" {' '.join(re.sub(r'[^A-Za-z0-9 ]', ' ', text).split())} "
            ),
            "punctuation was counted: compare the words only": make(clean=lambda text: raw(text.lower())),
            "case and punctuation were counted": make(clean=raw),
            "runs of n − 1 words are taken": make(3),
            "runs of n + 1 words are taken": make(5),
            "one shared word was enough: a run of n words is asked for": make(1),
            "every n-gram of every test had to stand in the page: one is enough": make(count=all),
            "the whole test had to stand in the page: a run of n of its words is enough": [
                any(spoken(x) in spoken(p) for x in tests) for p in pages
            ],
            "the order of the words was not counted: a run is in order": lambda: [bagged(p, tests, 4) for p in pages],
            "the answer is the wrong way round": [not x for x in make()],
            "there is an answer for each test: one for each page is asked for": shares_run(tests, pages, 4),
            "the positions came back: True or False for each page is asked for": [k for k, x in enumerate(make()) if x],
        },
    )


def bagged(page, tests, n):
    grams = lambda text: {
        tuple(sorted(words[k : k + n])) for words in [spoken(text).split()] for k in range(len(words) - n + 1)
    }
    return any(grams(page) & grams(test) for test in tests)


@LEAKS.case("n decides: the longer the run, the fewer the pages", reread=LEAKS_TEXT)
def _(q):
    words = [f"{letters(q, 3)}{k}" for k in range(12)]  # all different
    pages = [f"other text {' '.join(words[1 : 1 + k])} and more" for k in range(1, 9)]
    pages.append(" ".join(f"{word[:3]}{(k + 5) % 12}" for k, word in enumerate(words)))  # the same but for their digits
    for n in (1, 3, 8, 9):
        without = shares_run(pages, [" ".join(words)], n, clean=lambda text: spoken(re.sub(r"[0-9]", "", text)))
        mistakes = {"the digits were left out: they belong to the words": without}
        on_pages(q, pages, [" ".join(words)], n, [*(k >= n for k in range(1, 9)), False], mistakes=mistakes)


@LEAKS.case("Ada's, with n = 3", rule=APOSTROPHE, hint="The pattern of § 8 has no apostrophe: Ada's is ada and s.")
def _(q):
    thing = letters(q, 6)
    pages = [f"we like Ada's {thing} very much", f"we like Adas {thing} very much"]
    mistakes = {"the apostrophe was kept in the word: here it parts words, unlike in § 2": [False, False]}
    on_pages(q, pages, [f"who has seen ada s {thing} today"], 3, [True, False], mistakes=mistakes)


@LEAKS.case("a run over the border", rule=NO_CROSSING, reread=LEAKS_TEXT)
def _(q):
    one, two = ("p1 p2 p3 p4 p5 p6", "r1 r2 r3 r4 r5 r6")
    between = "p4 p5 p6 r1 r2 r3"
    mistakes = {"the tests were joined: make the runs of each alone": [True]}
    on_pages(q, [f"see {between} here"], [one, two], 5, [False], mistakes=mistakes)
    mistakes = {"the pages were joined: make the runs of each alone": [True, True]}
    on_pages(q, [f"so {one}", f"{two} so"], [f"it is {between} now"], 5, [False, False], mistakes=mistakes)


@LEAKS.case("a run at the very end", rule=LAST_RUN, hint="k goes up to len(words) − n, that one included.")
def _(q):
    w = [f"{letters(q, 3)}{k}" for k in range(9)]
    mistakes = {"the last run of a text is missing: k goes up to len(words) − n, that one included": [False, False]}
    pages = [f"so we say {' '.join(w[:4])}", f"so {' '.join(w[5:])} it is"]
    on_pages(q, pages, [" ".join(w)], 4, [True, True], mistakes=mistakes)


@LEAKS.case(WHOLE_WORDS, rule=WHOLE_WORDS, hint="Compare lists of words, not pieces of text.", reread=LEAKS_TEXT)
def _(q):
    pages = ["she keeps a hamster at home", "she keeps a ham at home"]
    on_pages(q, pages, ["now he keeps a ham and more"], 3, [False, True])


@LEAKS.case("short pages and short tests", rule=SHORT, reread=LEAKS_TEXT)
def _(q):
    short = f"{letters(q, 4)} {letters(q, 5)} {letters(q, 3)}"
    mistakes = {"a text of fewer than n words was taken for a run": [True, True, False]}
    on_pages(q, [short, "", "another page of five words"], [short, ""], 4, [False, False, False], mistakes=mistakes)


@LEAKS.case("no page, no test; the lists are left alone", reread=LEAKS_TEXT)
def _(q):
    q.same("of no page", q.call("contaminated", [], [sentence(q, 9)], 3), [])
    q.same("of no test", q.call("contaminated", [sentence(q, 9), ""], [], 3), [False, False])
    q.call_checked_unmutated("contaminated", [sentence(q, 5), "A b"], [sentence(q, 5)], 2)


# ------------------------------------------------------------------------------------------------------------------ BPE

BPE_TEXT = "§ 9 BPE"
USED_ONCE = "from left to right, and no symbol is used twice: a a a → aa a"
WHOLE_SYMBOLS = "symbols are whole: the pair a bc is not in ab c"
MERGE = Question("merge_pair", lab=LAB, points=0.5, rules=(USED_ONCE, WHOLE_SYMBOLS))


def merged(symbols, pair):
    """The merge as a search and replace, with a separator round every symbol."""
    text = "".join("\0" + s for s in symbols) + "\0"
    found = re.sub(f"(?<=\0){re.escape(pair[0])}\0{re.escape(pair[1])}(?=\0)", lambda m: m[0].replace("\0", ""), text)
    return found[1:-1].split("\0") if symbols else []


@MERGE.case("each occurrence of the pair becomes one symbol", reread=BPE_TEXT)
def _(q):
    a, b, c = (letters(q, 1, alphabet) for alphabet in ("abc", "def", "ghi"))
    symbols = [c, a, b, b, a, a, b, c, a, b, c]
    expected = merged(symbols, [a, b])
    q.same(
        "the symbols",
        q.call("merge_pair", symbols, [a, b]),
        expected,
        mistakes={
            "only the first occurrence was merged": [c, a + b, *symbols[3:]],
            "the pair was also merged the other way round": [c, a + b, b + a, a + b, c, a + b, c],
            "nothing was merged": symbols,
            "the pair was removed: it becomes one symbol": [s for s in expected if s != a + b],
            "one text came back: a list of symbols is asked for": "".join(symbols),
            "the second symbol of each pair was kept, too": [
                each for s in expected for each in ([s, b] if s == a + b else [s])
            ],
            "the symbols of each pair are in the wrong order": [b + a if s == a + b else s for s in expected],
            "the last symbol was lost": expected[:-1],
        },
    )


@MERGE.case(USED_ONCE, rule=USED_ONCE, hint="After a merge, go on behind both symbols.", reread=BPE_TEXT)
def _(q):
    x = letters(q, 1)
    for n in (2, 3, 4, 5):
        mistakes = {
            "a symbol was used in two merges": [x + x] * (n - 1),
            "the merges went from right to left": merged([x] * n, [x, x])[::-1],
        }
        got = q.call("merge_pair", [x] * n, [x, x])
        q.same(f"the symbols of {n} times {x!r}", got, merged([x] * n, [x, x]), mistakes=mistakes)


@MERGE.case(
    "'ab' + 'c' is not 'a' + 'bc'",
    rule=WHOLE_SYMBOLS,
    hint="Compare symbols with the pair, not the text that they make together.",
    reread=BPE_TEXT,
)
def _(q):
    symbols = ["ab", "c", "a", "bc", "a", "b", "c", "xa", "bc", "a", "bcd"]
    expected = ["ab", "c", "abc", "a", "b", "c", "xa", "bc", "a", "bcd"]
    q.same("the symbols", q.call("merge_pair", symbols, ["a", "bc"]), expected)


@MERGE.case("the pair at the very end, or nowhere; no symbol, one symbol", reread=BPE_TEXT)
def _(q):
    symbols = [letters(q, 1, "abc") for _ in range(5)] + ["x", "y"]
    q.same("the symbols", q.call("merge_pair", symbols, ["x", "y"]), [*symbols[:5], "xy"])
    q.same("without the pair", q.call("merge_pair", symbols, ["y", "x"]), symbols)
    q.same("of no symbol", q.call("merge_pair", [], ["x", "y"]), [])
    q.same("of one symbol", q.call("merge_pair", ["x"], ["x", "x"]), ["x"])


@MERGE.case("the list is left alone", reread=BPE_TEXT)
def _(q):
    q.call_checked_unmutated("merge_pair", ["a", "x", "y", "b"], ["x", "y"])


WEIGHTS = "a pair counts as often as its word does"
TWICE = "a pair that stands twice in a word counts twice"
TIES = "in a tie the pair of the older symbols wins"
STOPS = "it stops when no word has two symbols"
RARE = "a pair that stands once is merged, too"
MERGES = Question("learn_merges", lab=LAB, points=1, rules=(WEIGHTS, TWICE, TIES, STOPS, RARE))


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


def same_merges(q, counts, n, mistakes=None):
    """As the library's, for words of which the text is named in the message."""
    got, expected = q.call("learn_merges", counts, n), library_merges(counts, n)
    names = [f"merge {k + 1}" for k in range(len(expected))]
    q.same(f"the merges of {counts}", got, expected, mistakes=mistakes, names=names)


@MERGES.case("words that grow: the same merges as the library `tokenizers`", reread=BPE_TEXT)
def _(q):
    # every word counts alike, no pair stands twice in a word, no two pairs are equally frequent: the plain case
    a, b, c, d, e, f = ("pqrstuvwxyz"[k] for k in q.permutation(11)[:6].tolist())
    counts = {"".join((a, b, c, d, e, f)[:n]): 3 for n in (2, 3, 4, 5, 6)}
    expected = library_merges(counts, 4)
    same_merges(
        q,
        counts,
        4,
        mistakes={
            "the pairs were counted once: count them anew after every merge": [[a, b], [b, c], [c, d], [d, e]],
            "the joined symbols came back: the pairs are asked for": ["".join(p) for p in expected],
            "the same merge came again and again, so the words did not change: merge_pair takes the pair as a list, "
            "and no list equals a tuple": [[a, b]] * 4,
            "there is one merge too few": expected[:-1],
            "there is one merge too many": library_merges(counts, 5),
        },
    )


@MERGES.case(
    "a rare word and a frequent one", rule=WEIGHTS, hint="`counts` says how often each word stands.", reread=BPE_TEXT
)
def _(q):
    counts = {"pq": 2, "pqr": 3, "st": 40 + q.randint(0, 9)}
    unweighted = {"every word counts once: weigh a pair by the word's count": [["p", "q"], ["s", "t"]]}
    q.same("the merges", q.call("learn_merges", counts, 2), [["s", "t"], ["p", "q"]], mistakes=unweighted)


@MERGES.case("papapa and qr", rule=TWICE, reread=BPE_TEXT)
def _(q):
    # pa stands three times in one word, qr once in each of two: 6 against 4
    mistakes = {"a pair counted once a word, however often it stands in it": [["q", "r"]]}
    got = q.call("learn_merges", {"xpaypazpa": 2, "qr": 2, "qrs": 2}, 1)
    q.same("the first merge", got, [["p", "a"]], mistakes=mistakes)


@MERGES.case(
    "pairs that are equally frequent",
    rule=TIES,
    reread=BPE_TEXT,
    hint="Number the symbols: single characters in the order of their code points, then each merged symbol as it is "
    "learned. In a tie take the least (number, number).",
)
def _(q):
    x, y, z = "mno" if q.randint(0, 2) else "ijk"
    # three pairs, each twice: the first two are of single characters, in another order than in the words; then the
    # pair with the merged symbol, which is younger than all characters, comes last
    counts = {z + y: 3, y + z: 3, x + y: 3, "ab" + z: 3}
    same_merges(q, counts, 5)
    same_merges(q, dict([*counts.items()][::-1]), 5)


@MERGES.case("pairs do not go from word to word", reread=BPE_TEXT)
def _(q):
    mistakes = {"a pair went from the end of a word to the beginning of the next": [["q", "p"]]}
    got = q.call("learn_merges", {"q": 9, "p": 9, "rs": 2}, 1)
    q.same("the first merge of q, p and rs", got, [["r", "s"]], mistakes=mistakes)


@MERGES.case(
    "more merges are asked for than there are",
    rule=STOPS,
    hint="A word of one symbol has no pair. When nothing can be merged, stop.",
    reread=BPE_TEXT,
)
def _(q):
    q.same("the merges", q.call("learn_merges", {"ab": 9, "c": 50, "d": 50}, 10), [["a", "b"]])
    q.same("of no word", q.call("learn_merges", {}, 5), [])


@MERGES.case("a word that stands once", rule=RARE, reread=BPE_TEXT)
def _(q):
    q.same("the merges", q.call("learn_merges", {"ab": 5, "cd": 1}, 2), [["a", "b"], ["c", "d"]])


@MERGES.case("no merge is asked for; the counts are left alone")
def _(q):
    q.same("of no merge", q.call_checked_unmutated("learn_merges", {"abc": 2}, 0), [])
    q.call_checked_unmutated("learn_merges", {"abc": 2, "ab": 4}, 2)


BYTES_TEXT = "§ 10 Bytes per token"
UTF8 = "bytes (UTF-8), not characters"
BYTES = Question("bytes_per_token", lab=LAB, points=0.5, rules=(UTF8,))


@BYTES.case("all bytes over all tokens", reread=BYTES_TEXT)
def _(q):
    texts = [sentence(q, 12), "Ada has 42 cats. " + sentence(q, 2), letters(q, 3)]
    counts = [20 + q.randint(0, 9), 12 + q.randint(0, 9), 3]
    sizes = [len(bytes(text, "utf-8")) for text in texts]
    q.close(
        "the ratio",
        q.call("bytes_per_token", texts, counts),
        sum(sizes) / sum(counts),
        tol=1e-9,
        mistakes={
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


@BYTES.case("ü, £ and 🙂", rule=UTF8, reread=BYTES_TEXT)
def _(q):
    text = "Zürich, 42 £ — 🙂 " + sentence(q, 2)
    mistakes = {"characters were counted: ü has 2 bytes, 🙂 has 4": len(text) / 5}
    got = q.call("bytes_per_token", [text], [5])
    q.close("the ratio", got, len(text.encode()) / 5, tol=1e-9, mistakes=mistakes)


@BYTES.case("an empty text among others, one token a text; the lists are left alone", reread=BYTES_TEXT)
def _(q):
    text = sentence(q, 5)
    got = q.call_checked_unmutated("bytes_per_token", ["", text, ""], [0, 4, 0])
    hint = "An empty text has no tokens: its own ratio would be 0/0."
    q.close("the ratio", got, len(text) / 4, tol=1e-9, hint=hint)
    q.close("the ratio of whole texts", q.call("bytes_per_token", ["abcde" * 3, "ab"], [1, 1]), 8.5, tol=1e-9)


# ------------------------------------------------------------------------------------------------------------ the words

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Precision or recall",
    rubric="""0.5: names one step where low precision is the worse fault and one where low recall is, each with its
reason from the lab: for instance good pages that the filter drops are lost, while a cookie banner that stays costs a
few tokens; a telephone number that is missed can be repeated by the model, a leak that is missed makes a test score
worthless. Other steps with a reason that fits are as good. AND refers to a number of the student's own table.
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
