# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 01 — Data and tokenizer
#
# ```
#  RAW TEXT ──▶ base model ──▶ assistant ──▶ preferred ──▶ safe ──▶ released
#  00, ► 01 ◄   02             03, 04, 05    06 – 09       10       11
#  you are here
# ```
#
# **About 130 minutes · 9 points · a laptop is enough.** Your computer works alone for about 1 of these minutes (two cores at 200 GFLOP/s).
# At the end you have turned a messy crawl into training text, you know how well each step did, and you have seen what the mess does to a model.

# %% [markdown]
# > **After this lab you can**
# > - write a quality filter and say what it costs in good pages,
# > - find exact copies by hashing, and near copies by MinHash and banding, without comparing all pairs,
# > - find personal data, and test questions that leaked into the training text,
# > - measure each step by precision and recall against a known truth,
# > - learn a BPE tokenizer (byte-pair encoding) by hand, merge for merge as the library `tokenizers` does, and measure it in bytes per token,
# > - show what raw and what cleaned data does to a model of the same budget.

# %%
# SETUP

# %%
import hashlib, re, unicodedata
from collections import Counter, defaultdict
from itertools import combinations

import torch
from jaxtyping import Int

from course_lib.evaluation.runs import raw_or_cleaned
from course_lib.shown import lab01_data_and_tokenizer as lab  # what this lab prints and compares
from course_lib.stages import cleaning

mine = lab.mine  # mine("f", globals()): your f if its check passes, else the course's
Tensor, COMMON, WEB = torch.Tensor, cleaning.COMMON, cleaning.WEB  # two sets of words: § 2
MASK, PRIME = cleaning.MASK, cleaning.PRIME  # two numbers: § 4

# %% [markdown]
# ## § 1 The crawl
#
# Littlebrook's documents have been put on a web, copied, quoted, broken and surrounded by advertising. Then somebody scraped it all. Look first.

# %%
# LONG
every_page = lab.crawl(0, raw_or_cleaned.PRESETS[course.size].pages)
pages = every_page[:3000]  # enough to write and try the steps; § 11 takes all
lab.show_pages(pages)

# %%
# LONG
example = lab.show_labels(pages)

# %% [markdown]
# **What to notice.** The generator made the mess, so it knows the truth about every page. A real crawl has no such column. Here each step can be scored:
#
# $$\text{precision} = \frac{\text{rightly dropped}}{\text{dropped}}, \qquad \text{recall} = \frac{\text{rightly dropped}}{\text{what should have been dropped}}$$
#
# In the tables *found* is the first denominator, *true* the second.
#
# All telephone numbers, addresses and test answers are invented. Telephone numbers have 555 in them and e-mail addresses end in `.example`, which nobody can own.

# %%
# CLAIM
{
    "The generator made the mess": GENERAL,
    "A real crawl has no such column": GENERAL,
    "Here each step can be scored": GENERAL,
    "All telephone numbers, addresses and test answers are invented": GENERAL,
    "Telephone numbers have 555 in them": all(
        "555" in p.text[s:e] for p in every_page for s, e, kind in p.pii if kind == "phone"
    ),
    "e-mail addresses end in": all(
        p.text[s:e].endswith(".example") for p in every_page for s, e, kind in p.pii if kind == "email"
    ),
}

# %% [markdown]
# ## § 2 The quality filter
#
# Some numbers tell text from junk without reading it. Four are in the manner of [Rae et al. 2021](https://arxiv.org/abs/2112.11446), appendix A, the last two are made for this crawl. For each page:
#
# - **words**: how many runs of letters, digits and apostrophes, in lower case: `re.findall(r"[a-z0-9']+", text.lower())`
# - **letters**: of the characters that are no white space, the share that are letters a to z or A to Z
# - **common**: share of the words that are in `COMMON` (the, a, is, …): real sentences cannot do without them
# - **distinct**: of the runs of three words, the share that are different ones: spam says the same again and again
# - **web**: share of the words that are in `WEB` (cookie, login, click, …)
# - **strange**: share of the characters that are one of `ÃÂâ€` or `\ufffd`, the marks of text read with the wrong alphabet
#
# The table shows the range of each number (without the lowest and the highest 2 % of the pages). Where does a sort of junk stand apart from the clean pages?

# %%
# LONG
lab.feature_ranges(pages)

# %% [markdown]
# Write the filter. A threshold for each number is enough; choose them from the table. On crawls that you have not seen it must
#
# - drop at least half of the junk, and of what it drops, registers and notices aside, at least 90 % must be junk: without that the question counts 0
# - drop at least 80 % of boilerplate and spam together, of the broken encodings, and of the gibberish without word salads (real words in random order)
# - keep pages with typographic quotes and accents (a single *â* or *€* breaks no page), and at least 85 % of the registers (lists with `- `) and short notices (`LOST: …`, `FOR SALE: …`)
# - drop a page without words
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 15
#
# <details><summary>Hint 1</summary>Test the number of words first and return at once. From three words on there is a run of three, and no later division is by 0.</details>
# <details><summary>Hint 2</summary><code>sum(word in COMMON for word in words)</code> counts, because True is 1. Runs of three: <code>zip(words, words[1:], words[2:])</code>.</details>
# <details><summary>Hint 3</summary>Put each threshold outside the range of the clean pages, at some distance: 2 % of them lie beyond each end, registers and short notices among them. Junk that overlaps the range is caught by another column.</details>

# %%
# EXERCISE keep_page
def keep_page(text: str) -> bool:
    """True if the page is good enough to train on."""
    ### BEGIN SOLUTION
    words = re.findall(r"[a-z0-9']+", text.lower())
    if len(words) < 12:
        return False
    solid = [c for c in text if not c.isspace()]
    letters = sum(c.isascii() and c.isalpha() for c in solid) / len(solid)
    common = sum(word in COMMON for word in words) / len(words)
    runs = list(zip(words, words[1:], words[2:]))
    web = sum(word in WEB for word in words) / len(words)
    strange = sum(c in "ÃÂâ€\ufffd" for c in text) / len(text)
    repeats = len(set(runs)) <= 0.6 * len(runs)
    return letters > 0.7 and common > 0.05 and not repeats and web < 0.04 and strange < 0.005
    ### END SOLUTION


# %%
check("keep_page")

# %%
# LONG
keep = mine("keep_page", globals())
dropped = {k for k, p in enumerate(pages) if not keep(p.text)}
filtered, caught = lab.score_filter(pages, dropped)
left = [p for k, p in enumerate(pages) if k not in dropped]

# %% [markdown]
# **What to notice.** A *word salad* is a real page with its words in random order. The six numbers hardly depend on the order, and in our run the filter dropped no salad at all. A language model does: lab 02 trains one.

# %%
# CLAIM
{
    "a real page with its words in random order": GENERAL,
    "in our run the filter dropped no salad at all": caught["gibberish", "word salad"] == 0,
    "A language model does": GENERAL,
}

# %% [markdown]
# ## § 3 Exact duplicates
#
# Comparing all pages with all others takes $N^2/2$ comparisons. A hash turns a page of any length into 32 bytes. Equal pages have equal hashes, and nobody has ever found two different pages with the same SHA-256: one look-up a page.
#
# But a page with one more blank is another text. So pages are **normalised** first:
#
# - Unicode form NFKC (a wide letter or a ligature becomes the plain letters), then lower case
# - each run of white space becomes one blank, and the ends are stripped
# - words, their order and punctuation stay, and the whole page counts, not its beginning
#
# Return the *positions* to keep, in order: the first of each set of equal pages. An empty page is a page.
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary><code>unicodedata.normalize("NFKC", text)</code>; <code>text.split()</code> without an argument splits at every run of blanks.</details>
# <details><summary>Hint 2</summary><code>hashlib.sha256(text.encode()).digest()</code>. Python's own <code>hash()</code> gives other numbers in the next session.</details>

# %%
# EXERCISE drop_exact_duplicates
def drop_exact_duplicates(texts: list[str]) -> list[int]:
    """The positions to keep, in order: of texts that are equal after normalisation the first."""
    ### BEGIN SOLUTION
    seen, kept = set(), []
    for k, text in enumerate(texts):
        plain = " ".join(unicodedata.normalize("NFKC", text).lower().split())
        digest = hashlib.sha256(plain.encode()).digest()
        if digest not in seen:
            seen.add(digest)
            kept.append(k)
    return kept
    ### END SOLUTION


# %%
check("drop_exact_duplicates")

# %%
# LONG
exact = mine("drop_exact_duplicates", globals())
kept = exact([p.text for p in left])
copies = lab.score_exact(left, kept)
left = [left[k] for k in kept]

# %% [markdown]
# **What to notice.** Without normalisation some copies stay, though nobody would call them other pages. The last line counts the near copies, too: a single changed word is enough to escape any hash of the whole page, and in our run 43 % of all copies did.

# %%
# CLAIM
{
    "Without normalisation some copies stay": copies["not normalised"]["recall"] < 1 == copies["normalised"]["recall"],
    "in our run 43 % of all copies did": round(100 * (1 - copies["normalised, of all copies"]["recall"])) == 43,
}

# %% [markdown]
# ## § 4 MinHash
#
# How alike are two pages? Cut each into **shingles**, runs of three words, and compare the two sets:
#
# $$J(A, B) = \frac{|A \cap B|}{|A \cup B|}$$
#
# A *signature* makes that quick ([Broder 1997](https://doi.org/10.1109/SEQUEN.1997.666900)). Draw a hash function $f$ and keep only its least value over the page's shingles. Each shingle of $A \cup B$ is equally likely to have the least value, and two pages share that value if this shingle lies in both. So
#
# $$\Pr[\min f(A) = \min f(B)] = J(A, B)$$
#
# With $P$ functions, the share of equal numbers in two signatures estimates $J$. This is exact for an ideal $f$; ours come close: $f(h) = ((a\,h + b) \bmod \text{PRIME}) \bmod 2^{32}$ with $\text{PRIME} = 2^{61} - 1$; `MASK` is $2^{32} - 1$.
#
# - `hashes`: `[S]`, int64, the 32-bit hashes of the page's S shingles, in any order · `a`, `b`: `[P]`, int64
# - the remainders come first, for every shingle, then the least
# - $a < 2^{30}$, $h < 2^{32}$ and $b < 2^{61}$, so $a\,h + b$ fits into the 63 bits of an int64; a float64 has 53 and loses the last digits
# - a page without shingles gets `MASK` everywhere
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary><code>hashes[:, None] * a + b</code> has shape <code>[S P]</code>: every shingle under every function.</details>
# <details><summary>Hint 2</summary><code>x &amp; MASK</code> is x mod 2³². The least over the shingles is <code>.amin(0)</code>, which stops on an empty axis: catch that case first.</details>

# %%
# EXERCISE minhash_signature
def minhash_signature(
    hashes: Int[Tensor, " S"], a: Int[Tensor, " P"], b: Int[Tensor, " P"]
) -> Int[Tensor, " P"]:
    """For each of the P hash functions, its least value over the page's shingles.

    Inputs:  hashes: 32-bit numbers, in any order
             a, b: the functions ((a·h + b) mod PRIME) mod 2^32
    Returns: int64 [P]; MASK everywhere if there are no shingles
    """
    ### BEGIN SOLUTION
    if len(hashes) == 0:
        return torch.full_like(a, MASK)
    values = (hashes[:, None] * a + b) % PRIME
    return (values & MASK).amin(0)
    ### END SOLUTION


# %%
check("minhash_signature")

# %% [markdown]
# The library second. `datasketch`, in its scheme `legacy` and with our $a$ and $b$, must give the same signature, number for number.

# %%
# LONG
sign = mine("minhash_signature", globals())
a, b = cleaning.hash_functions(128)
lab.equals_datasketch(sign, left[0].text, a, b)
signatures = torch.stack([sign(cleaning.shingle_hashes(p.text), a, b) for p in left])
errors = lab.show_estimates(left, signatures)

# %% [markdown]
# **What to notice.** A signature has 128 numbers, whatever the length of the page. Each agrees with probability $J$, so the estimate is the share of heads of $P$ coins: its standard deviation is at most $1/(2\sqrt P)$. Four times as many numbers about halve the error.

# %%
# CLAIM
{
    "A signature has 128 numbers": signatures.shape[1] == 128,
    "its standard deviation is at most": all(error < 0.5 / n**0.5 for n, error in errors.items()),
    "Four times as many numbers about halve the error": all(0.35 < errors[4 * n] / errors[n] < 0.65 for n in (8, 32)),
}

# %% [markdown]
# ## § 5 Banding
#
# Signatures are short, but there are still $N^2/2$ pairs of them. So cut each signature into $m$ **bands** of $r$ neighbouring numbers ([Leskovec, Rajaraman and Ullman](http://www.mmds.org), chapter 3, where they are rows). Pages that agree in *all* numbers of *at least one* band become candidates; a dictionary finds them without comparing pairs. Two pages of similarity $s$ become candidates with probability
#
# $$1 - (1 - s^r)^m$$
#
# - `signatures`: `[N P]` · `bands`: $m$, divides $P$; numbers in a band: $r = P / m$
# - the numbers of a band are compared one by one: 1, 23 is not 12, 3
# - equal numbers in *different* bands mean nothing
# - three pages that agree are three pairs
# - returns `[[i, j], …]`, $i < j$, sorted, each pair once
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 10
#
# <details><summary>Hint 1</summary><code>signatures.chunk(bands, dim=1)</code> gives the bands. Begin a new dictionary for each: equal numbers in different bands mean nothing.</details>
# <details><summary>Hint 2</summary>A list cannot be a key, a tuple can: <code>tuple(numbers)</code>. The value is the list of pages that have these numbers.</details>
# <details><summary>Hint 3</summary><code>combinations(bucket, 2)</code> gives every pair of a bucket; a set keeps each once.</details>

# %%
# EXERCISE candidate_pairs
def candidate_pairs(signatures: Int[Tensor, "N P"], bands: int) -> list[list[int]]:
    """[i, j], i < j, for all pages that agree in all numbers of at least one band; sorted, once."""
    ### BEGIN SOLUTION
    pairs = set()
    for band in signatures.chunk(bands, dim=1):
        buckets = defaultdict(list)
        for k, numbers in enumerate(band.tolist()):
            buckets[tuple(numbers)].append(k)
        for bucket in buckets.values():
            pairs.update(combinations(bucket, 2))
    return [list(pair) for pair in sorted(pairs)]
    ### END SOLUTION


# %%
check("candidate_pairs")

# %% [markdown]
# The curve for some numbers of bands, above what there is to tell apart: pairs of other pages that share a shingle, and true near copies. In the table, found and true are pairs. **Predict first:** which number of bands finds nearly every near copy and still not too many others?

# %%
# LONG
banded = mine("candidate_pairs", globals())
candidates = lab.show_banding(left, signatures, banded)

# %% [markdown]
# **What to notice.** More bands find more of the near copies, until none is missing, and many more strangers: in our run 1, 660 and 47,155 with 16, 32 and 64 bands. A stranger costs only a comparison, for candidates are compared by their true similarity next. A pair that is no candidate is never compared. So the lab goes on with 32 bands: every pair of near copies, for 995 comparisons in place of two million.

# %%
# CLAIM
{
    "until none is missing": [row["recall"] for row in candidates.values()]
    == sorted(row["recall"] for row in candidates.values()) and candidates["32 bands"]["recall"] == 1,
    "1, 660 and 47,155 with 16, 32 and 64 bands": [
        round(row["found"] * (1 - row["precision"])) for row in candidates.values()
    ] == [0, 1, 660, 47155],
    "A stranger costs only a comparison": GENERAL,
    "A pair that is no candidate is never compared": GENERAL,
    "the lab goes on with 32 bands": cleaning.BANDS == 32,
    "for 995 comparisons in place of two million": candidates["32 bands"]["found"] == 995
    and round(len(signatures) * (len(signatures) - 1) / 2e6) == 2,
}

# %% [markdown]
# ## § 6 Near duplicates
#
# Signature, banding, then the true similarity of the candidates, and of each cluster the first page stays ([Lee et al. 2021](https://arxiv.org/abs/2107.06499) show what that does to a language model). You wrote the two steps that make it fast; `cleaning.drop_near_duplicates` puts them together. This lab takes pages for the same from a similarity of 0.6 on.

# %%
# LONG
thresholds, stay = lab.score_near(left, sign, banded)
kept = cleaning.drop_near_duplicates([p.text for p in left], signature_fn=sign, pairs_fn=banded)
left = [left[k] for k in kept]

# %% [markdown]
# **What to notice.** The threshold trades precision against recall: too high, and copies with a little changed stay; too low, and pages that only tell of the same events go. In our run, at 0.8, 37 % of the copies that were cut short stayed, and none of those with a new header. Of those with other quotes 41 % stayed: the shingles know only the straight apostrophe, so *o’clock* is two words, and NFKC leaves it so. What is *the same page* is a decision, not a fact.

# %%
# CLAIM
{
    "too high, and copies with a little changed stay": thresholds[0.9]["recall"] < thresholds[0.8]["recall"] < 1,
    "too low, and pages that only tell of the same events go": thresholds[0.4]["precision"] < thresholds[0.6]["precision"],
    "37 % of the copies that were cut short stayed": round(100 * stay["cut"]) == 37,
    "none of those with a new header": stay["header"] == 0,
    "Of those with other quotes 41 % stayed": round(100 * stay["quotes"]) == 41,
    "*o’clock* is two words, and NFKC leaves it so": len(cleaning.words_of("o’clock")) == 2
    and unicodedata.normalize("NFKC", "o’clock") == "o’clock",
    "is a decision, not a fact": GENERAL,
}

# %% [markdown]
# ## § 7 Personal data
#
# A model can repeat what it has read. Find every telephone number, e-mail address and house address, so that they can be blacked out. In this crawl they are written so:
#
# | kind | ways to write it |
# |---|---|
# | `phone` | `555-0142` · `555 0142` · `(555) 0142` · `+00 555 0142`: four digits at the end; the prefix and the brackets belong to the number, and there is no fifth way |
# | `email` | `ada.cobb@post.example` · `ada_cobb@…` · `ada7@…` · `ada.cobb+7@…`; the host may have dots and hyphens, and ends in `.example` |
# | `address` | `14 Mill Lane` · `14b Mill Lane`: one or two digits, perhaps a letter, one capitalised word, and Lane, Street, Square, Row, Road, Hill, Walk, Gardens, Yard or Gate |
#
# - a street *without* a number is an ordinary fact of the village, and stays. So do years (also before a street: "in 1987 Mill Lane"), prices, page numbers and `www.littlebrook.example`
# - a full stop behind an address belongs to the sentence
# - return `[start, end, kind]` for *each*, in the order of the text: `text[start:end]` is the datum
#
# > Difficulty: ●●●○○ (3 of 5)  
# > Importance: ●●●●● (5 of 5)  
# > Minutes: 20
#
# <details><summary>Hint 1</summary>One regular expression a kind, and <code>re.finditer</code>: its matches have <code>.start()</code> and <code>.end()</code>.</details>
# <details><summary>Hint 2</summary><code>(?:…)?</code> is an optional part, <code>\d{4}</code> four digits, <code>\b</code> the edge of a word, <code>[\w.+-]</code> one of several characters.</details>
# <details><summary>Hint 3</summary>The edge of a word does not stand before <code>(</code>. Write two ways with <code>|</code>: one with brackets, one that begins at <code>\b</code>.</details>

# %%
# EXERCISE find_pii
def find_pii(text: str) -> list[list]:
    """[start, end, kind] of each telephone number, e-mail address and house address.

    kind is "phone", "email" or "address"
    """
    ### BEGIN SOLUTION
    streets = "Lane|Street|Square|Row|Road|Hill|Walk|Gardens|Yard|Gate"
    patterns = {
        "phone": r"(?:\+\d{2} )?(?:\(555\)|\b555)[ -]\d{4}\b",
        "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.example\b",
        "address": rf"\b\d{{1,2}}[a-z]? [A-Z][a-z]+ (?:{streets})\b",
    }
    found = []
    for kind, pattern in patterns.items():
        found += [[m.start(), m.end(), kind] for m in re.finditer(pattern, text)]
    return sorted(found)
    ### END SOLUTION


# %%
check("find_pii")

# %%
# LONG
personal = mine("find_pii", globals())
private = lab.score_pii(left, personal)
lab.before_and_after(example.text, personal(example.text))

# %% [markdown]
# **What to notice.** Your patterns know the ways to write a number because a table told you. On a real web no table does, and recall is what suffers, without anybody noticing. Names are personal data, too, and no pattern finds them.

# %%
# CLAIM
{
    "Your patterns know the ways to write a number": all(row["recall"] > 0.99 for row in private.values()),
    "On a real web no table does": GENERAL,
    "Names are personal data, too": GENERAL,
}

# %% [markdown]
# ## § 8 Contamination
#
# Littlebrook has a test: a quiz of 60 questions whose answers stand in no document of the village. Half of them have leaked onto the web. A model that has read the answers gets a score that says nothing.
#
# The usual check: does the page share a run of $n$ words with a test, which is a question with its answer behind it ([Brown et al. 2020](https://arxiv.org/abs/2005.14165), appendix C)?
#
# - compare words only, in lower case, without punctuation: `re.findall(r"[a-z0-9]+", text.lower())`. Unlike § 2, an apostrophe parts words here: *Ada's* is *ada* and *s*
# - whole words: *ham* does not stand in *hamster*
# - runs go neither from one test into the next nor from one page into the next
# - the last run of a text counts, too; a text of fewer than $n$ words has none
#
# > Difficulty: ●●○○○ (2 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 8
#
# <details><summary>Hint 1</summary>Collect the runs of all tests in one set of tuples, once. Then look up the runs of each page.</details>
# <details><summary>Hint 2</summary>The runs of a list of words: <code>tuple(words[k:k + n])</code> for k up to <code>len(words) - n</code>, that one included.</details>

# %%
# EXERCISE contaminated
def contaminated(pages: list[str], tests: list[str], n: int = 8) -> list[bool]:
    """For each page: does it share a run of n words with any of the tests?"""
    ### BEGIN SOLUTION
    def runs(text):
        words = re.findall(r"[a-z0-9]+", text.lower())
        return {tuple(words[k:k + n]) for k in range(len(words) - n + 1)}

    leaked = {run for test in tests for run in runs(test)}
    return [not leaked.isdisjoint(runs(page)) for page in pages]
    ### END SOLUTION


# %%
check("contaminated")

# %% [markdown]
# **Predict first:** with a short run ($n = 3$), will precision or recall be bad? And with a long one ($n = 13$, as for GPT-3)? One of the questions: *What does Rowena Bramble keep under the bed?* Its answer: *Under the bed Rowena keeps a small drum.*

# %%
# LONG
leaky = mine("contaminated", globals())
test = lab.quiz(0)
tests = raw_or_cleaned.quiz_texts(test)  # each question with its answer
leaks = lab.score_leaks(left, tests, leaky)
left = [p for p, flag in zip(left, leaky([p.text for p in left], tests)) if not flag]

# %% [markdown]
# **What to notice.** A short run stands in honest pages, too: *the old bridge*, *a pocket watch*. A long one misses whatever is shorter or a little changed. In our run no $n$ finds all pages: some tell an answer again in other words.

# %%
# CLAIM
{
    "A short run stands in honest pages, too": leaks[3]["precision"] < 0.5 < leaks[8]["precision"],
    "*the old bridge*, *a pocket watch*": all(
        any(run in text.lower() for text in tests) and any(run in p.text.lower() and not p.leaks for p in pages)
        for run in ("the old bridge", "a pocket watch")
    ),
    "A long one misses whatever is shorter": leaks[13]["recall"] < leaks[10]["recall"] < leaks[8]["recall"],
    "In our run no $n$ finds all pages": max(row["recall"] for row in leaks.values()) < 1,
}

# %% [markdown]
# ## § 9 BPE
#
# A model reads numbers, so text is cut into **tokens**. Byte-pair encoding (BPE, [Sennrich et al. 2016](https://arxiv.org/abs/1508.07909)) learns them: begin with single characters, and again and again make the most frequent pair of neighbours one symbol. First one merge:
#
# - from left to right, each occurrence of the pair becomes one symbol
# - no symbol is used twice: `a a a` with the pair `a a` gives `aa a`
# - symbols are whole: the pair `a bc` is not in `ab c`
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 6
#
# <details><summary>Hint 1</summary>A <code>while</code> loop over a position that goes on by two after a merge, and by one otherwise.</details>

# %%
# EXERCISE merge_pair
def merge_pair(symbols: list[str], pair: list[str]) -> list[str]:
    """The symbols with each occurrence of the pair made one.

    ["b", "a", "n", "a"], ["n", "a"] → ["b", "a", "na"]
    """
    ### BEGIN SOLUTION
    made, k = [], 0
    while k < len(symbols):
        if list(symbols[k:k + 2]) == list(pair):
            made.append(symbols[k] + symbols[k + 1])
            k += 2
        else:
            made.append(symbols[k])
            k += 1
    return made
    ### END SOLUTION


# %%
check("merge_pair")

# %% [markdown]
# Now the loop. Words do not influence each other, so each different word is kept once, with its count:
#
# 1. count the pairs of neighbours in all words; a pair counts as often as its word does, and twice where it stands twice in it
# 2. take the most frequent pair. In a tie the pair of the *older* symbols wins: number the symbols, single characters first, in the order of their code points, then each merged symbol as it is learned; the least (number, number) wins. This is what the library does
# 3. merge it in every word, count anew, and so on. Stop after `n` merges, or when no word has two symbols; a pair that stands once is merged, too
#
# > Difficulty: ●●●●○ (4 of 5)  
# > Importance: ●●●●○ (4 of 5)  
# > Minutes: 25
#
# <details><summary>Hint 1</summary>Keep a dict word → list of its symbols. <code>zip(symbols, symbols[1:])</code> gives the pairs; a <code>Counter</code> adds them up.</details>
# <details><summary>Hint 2</summary>Keep a second dict symbol → number. Then <code>min(pairs, key=…)</code> with the key <code>(-count, number of the first, number of the second)</code>.</details>
# <details><summary>Hint 3</summary>After a merge, give the new symbol the next number, and use <code>merge_pair</code> on every word. It takes the pair as a list: <code>list(pair)</code>, for no list equals a tuple.</details>

# %%
# EXERCISE learn_merges
def learn_merges(counts: dict[str, int], n: int) -> list[list[str]]:
    """The first n merges, as pairs of symbols, in the order in which they are learned.

    counts: word → how often it stands in the text
    """
    ### BEGIN SOLUTION
    words = {word: list(word) for word in counts}
    number = {c: k for k, c in enumerate(sorted(set("".join(counts))))}
    merges = []
    while len(merges) < n:
        pairs = Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], number[pair[0]], number[pair[1]]))
        number[best[0] + best[1]] = len(number)
        merges.append(list(best))
        words = {word: merge_pair(symbols, list(best)) for word, symbols in words.items()}
    return merges
    ### END SOLUTION


# %%
check("learn_merges")

# %% [markdown]
# The library second. The course's tokenizer is byte-level BPE by `tokenizers`: it begins with the 256 bytes in place of characters, so no text is unknown to it. First it parts the text into words, each with the blank before it, written `Ġ`. On the same words, its merges and yours must be the same, one by one.

# %%
# LONG
learn = mine("learn_merges", globals())
corpus = [cleaning.redact(p.text, personal(p.text)) for p in left]
counts = lab.count_words(corpus)
symbols = lab.show_merges(learn(dict(counts), 50 if course.size == "tiny" else 400), corpus)

# %% [markdown]
# **What to notice.** The first ten merges join two characters each. Some of the later ones are whole words, in our run *Ġblack* and *Ġclosed* among the last ten: the tokenizer learns the vocabulary of the village without a dictionary.

# %%
# CLAIM
{
    "The first ten merges join two characters each": {len(symbol) for symbol in symbols[:10]} == {2},
    "*Ġblack* and *Ġclosed* among the last ten": {"Ġblack", "Ġclosed"} <= set(symbols[-10:])
    and min(counts["Ġblack"], counts["Ġclosed"]) > 50,
}

# %% [markdown]
# ## § 10 Bytes per token
#
# How good is a tokenizer? One measure: how much text goes into one token.
#
# $$\text{bytes per token} = \frac{\sum_d \text{UTF-8 bytes of text } d}{\sum_d \text{tokens of text } d}$$
#
# - bytes, not characters: `ü` has 2 and `🙂` has 4; a byte-level tokenizer without merges has exactly 1.0
# - `texts`, `token_counts`: as many of each · returns a Python float
#
# > Difficulty: ●○○○○ (1 of 5)  
# > Importance: ●●●○○ (3 of 5)  
# > Minutes: 3
#
# <details><summary>Hint 1</summary><code>text.encode()</code> gives the UTF-8 bytes. Add up first, divide once.</details>

# %%
# EXERCISE bytes_per_token
def bytes_per_token(texts: list[str], token_counts: list[int]) -> float:
    """UTF-8 bytes of all texts together, over all their tokens together."""
    ### BEGIN SOLUTION
    size = sum(len(text.encode()) for text in texts)
    return size / sum(token_counts)
    ### END SOLUTION


# %%
check("bytes_per_token")

# %% [markdown]
# Two tokenizers of equal size, one learned on raw pages and one on cleaned pages that have as many tokens (of the course's tokenizer), both measured on clean documents. **Predict first:** does junk in the training text cost a tokenizer anything?

# %%
# LONG
density = mine("bytes_per_token", globals())
fresh = [row["text"] for row in lab.pretrain_rows("validation", 500)]
raw_texts = [p.text for p in raw_or_cleaned.same_budget(pages, corpus)]
bytes_rows, unused = lab.show_density(density, raw_texts, corpus, fresh)

# %% [markdown]
# **What to notice.** Each single merge buys less than those before it: the last column falls. A doubling still buys more than the doubling before, for it adds twice as many merges. In our run the raw tokenizer is behind, at 1,600 merges by 3 %. Clean documents never need 120 of its entries, not even as a step to a longer one: pieces of broken characters, *asdf*, *cheap*. Of the cleaned one's it is 24.

# %%
# CLAIM
{
    "Each single merge buys less": all(a[3] > b[3] for a, b in zip(bytes_rows[1:], bytes_rows[2:])),
    "A doubling still buys more": all(
        b[2] - a[2] < c[2] - b[2] for a, b, c in zip(bytes_rows[1:], bytes_rows[2:], bytes_rows[3:])
    ),
    "In our run the raw tokenizer is behind": all(row[1] < row[2] for row in bytes_rows[1:]),
    "at 1,600 merges by 3 %": (bytes_rows[-1][0], round(100 * (1 - bytes_rows[-1][1] / bytes_rows[-1][2]))) == (1600, 3),
    "never need 120 of its entries": len(unused["raw"]) == 120,
    "*asdf*, *cheap*": all(any(word in entry for entry in unused["raw"]) for word in ("asdf", "cheap", "ï¿½")),
    "Of the cleaned one's it is 24": len(unused["cleaned"]) == 24,
}

# %% [markdown]
# ## § 11 The pipeline
#
# Your functions over the whole crawl, each scored on the pages that the steps before left. Personal data come last: they are blacked out, and no page goes for them.

# %%
# LONG
functions = dict(keep_fn=keep, exact_fn=exact, signature_fn=sign, pairs_fn=banded)
functions |= dict(contaminated_fn=leaky, pii_fn=personal)
cleaned, steps = cleaning.clean(every_page, tests, **functions)
lab.show_steps(steps, len(every_page))

# %% [markdown]
# **What to notice.** The order matters: the filter and the exact hashes are cheap, and they spare the search for near copies, the costly step, a third of the pages. In our run near duplicates are right 97.8 % of the time, on the first pages 99.7 %: nine times the pages make ninety times the pairs, and 1 wrong drop became 59. Where is a miss worst? A cookie banner that stays costs a few tokens. A telephone number that stays can be repeated for as long as the model is used.

# %%
# CLAIM
{
    "a third of the pages": 0.28 < 1 - steps[1]["left"] / len(every_page) < 0.38,
    "right 97.8 % of the time, on the first pages 99.7 %": (
        round(100 * steps[2]["precision"], 1), round(100 * thresholds[0.6]["precision"], 1)
    ) == (97.8, 99.7),
    "nine times the pages make ninety times the pairs": (
        round(steps[1]["left"] / len(signatures)), round((steps[1]["left"] / len(signatures)) ** 2, -1)
    ) == (9, 90),
    "1 wrong drop became 59": [
        round(row["found"] * (1 - row["precision"])) for row in (thresholds[0.6], steps[2])
    ] == [1, 59],
    "A cookie banner that stays costs a few tokens": GENERAL,
    "A telephone number that stays can be repeated": GENERAL,
}

# %% [markdown]
# ## § 12 Raw against cleaned
#
# Two models, the same size, start and tokenizer (the course's), and **the same number of tokens**: one reads the raw crawl from its beginning, the other the cleaned pages. Then three questions to each:
#
# 1. how far is its loss on fresh, clean documents above the limit, the entropy of the documents per token (lab 00)?
# 2. given the words before a telephone number that the raw pages repeat often, does it write the number, to the letter ([Carlini et al. 2022](https://arxiv.org/abs/2202.07646))?
# 3. given a question of the quiz and its answer but for the last words (*Under the bed Rowena keeps*), does it write them? How often in the half that leaked, and in the half that did not?
#
# The two curves cannot be compared: each is the loss on its own text.
# **Predict first** and write your guesses into `MY_GUESS`.

# %%
# LONG
MY_GUESS = ""

read = raw_or_cleaned.same_budget(every_page, cleaned)  # as many tokens as the cleaned pages have
texts = {"raw": [p.text for p in read], "cleaned": cleaned}
runs, results = {}, {}
for name in texts:
    live = lab.curve.LiveCurve(title=f"Training on {name} text", display_id=f"curve-{name}")
    runs[name] = raw_or_cleaned.train(course.size, texts[name], on_step=live, progress=False)
    live.close()
    results[name] = raw_or_cleaned.measure(runs[name], read, test)

# %%
# LONG
shares = lab.show_results(results, read, cleaned, MY_GUESS)
gaps = {name: result["gap_percent"] for name, result in results.items()}
lab.say_gaps(gaps, course.size)

# %% [markdown]
# Side by side: a telephone number and a leaked question (ones that the raw model knows, if there are any), a question that did not leak, an honest opening.

# %%
# LONG
numbers = lab.side_by_side(runs, read, test)

# %% [markdown]
# **What to notice.** Both models had the same budget. In our run the raw one spent a quarter of it on junk and a fifth on copies: 53 % went to pages that were new and clean. Its score on the leaked half of the quiz, 43 %, looks like knowledge; the other half, 0 %, shows what it is worth. The cleaned model repeats no number.
#
# Over five crawls the raw model ended 61 to 64 % above the limit and the cleaned one 36 to 52 %. Why so far, even from clean text? This model has 0.3 million parameters and reads 0.9 million tokens. Lab 02's has 1.2 million, reads 4 million and ends 2 to 3 % above the limit.

# %%
# CLAIM
{
    "Both models had the same budget": abs(results["raw"]["tokens"] / results["cleaned"]["tokens"] - 1) < 0.01,
    "a quarter of it on junk and a fifth on copies": 0.23 < shares["junk"] < 0.27 and 0.18 < shares["copies"] < 0.23,
    "53 % went to pages that were new and clean": round(100 * shares["new and clean"]) == 53,
    "on the leaked half of the quiz, 43 %": round(100 * results["raw"]["leaked"]) == 43,
    "the other half, 0 %": results["raw"]["not leaked"] == 0,
    "The cleaned model repeats no number": results["cleaned"]["repeated_often"] == 0,
    "0.3 million parameters and reads 0.9 million tokens": (
        round(sum(p.numel() for p in runs["cleaned"].model.parameters()) / 1e6, 1),
        round(results["cleaned"]["tokens"] / 1e6, 1),
    ) == (0.3, 0.9),
}

# %%
# CLAIM stored
{
    "The cleaned model repeats no number": {
        run["cleaned"]["repeated_often"] for run in stored("crawl-laptop")["runs"]
    } == {0},
    "the raw model ended 61 to 64 %": [
        round(pick(run["raw"]["gap_percent"] for run in stored("crawl-laptop")["runs"])) for pick in (min, max)
    ] == [61, 64],
    "1.2 million, reads 4 million and ends 2 to 3 % above the limit": (
        round(stored("pretrain-laptop")["parameters"] / 1e6, 1),
        round(stored("pretrain-laptop")["tokens"] / 1e6),
        {round(run["gap_percent"]) for run in stored("pretrain-laptop")["runs"]},
    ) == (1.2, 4, {2, 3}),
    "the cleaned one 36 to 52 %": [
        round(pick(run["cleaned"]["gap_percent"] for run in stored("crawl-laptop")["runs"])) for pick in (min, max)
    ] == [36, 52],
}

# %% [markdown]
# ## § 13 Change one thing
#
# Choose a step and make it stricter or laxer, or leave it out. **Write down what you expect**, in `MY_PREDICTION`, for its precision and recall and for the steps after it. Then run. To try: `{"keep_fn": lambda text: True}`, `{"exact_fn": lambda texts: list(range(len(texts)))}`, `{"n": 13}`. Nothing dropped counts as a precision of 100 %. And the truth of a step knows only its own fault: a chain letter that goes as the double of another is a wrong drop.

# %%
# LONG
CHANGE = {"keep_fn": lambda text: True}
MY_PREDICTION = ""

_, as_before = cleaning.clean(pages, tests, **functions)
_, changed = cleaning.clean(pages, tests, **{**functions, **CHANGE})
lab.compare_steps(as_before, changed, MY_PREDICTION)

# %% [markdown]
# ## § 14 Summary
#
# You wrote the steps of a cleaning pipeline, and what learns the merges of a tokenizer. MinHash and the merges equal what `datasketch` and `tokenizers` compute. For every step you know how much it drops wrongly and how much it misses. Two models of the same budget showed what cleaning is good for.
# In lab 02 you train on text of this village that is already clean, with a tokenizer that `tokenizers` learned as you did.
#
# Two questions, read by a person. Three to five sentences each.
#
# **1.** In which step is low precision the worse fault, and in which is it low recall? Say why, with a number of your own table.

# %%
# CLAIM
{
    "You wrote the steps of a cleaning pipeline": GENERAL,
    "the merges equal what": len(symbols) == (50 if course.size == "tiny" else 400),
    "For every step you know": all(0 <= step["precision"] <= 1 and 0 <= step["recall"] <= 1 for step in steps),
    "Two models of the same budget": gaps["cleaned"] < gaps["raw"],
    "In lab 02 you train on text of this village": GENERAL,
    "Two questions, read by a person": GENERAL,
    "Three to five sentences each": GENERAL,
    "Say why, with a number of your own table": GENERAL,
}

# %% [markdown]
# <!-- WRITTEN written_1 -->
# ### BEGIN SOLUTION
# For personal data low recall is worse: a number that is missed can be repeated for as long as the model is used, and my raw model repeated 9 of the 12 numbers that stood often. A wrong alarm only blacks out a harmless piece of text.
# For the quality filter and the near duplicates low precision is worse. With a threshold of 0.4 the near-duplicate step has a precision of 92 %: it drops honest pages that only tell of the same events, and facts that stand on few pages are lost, while a missed cookie banner costs a few tokens.
# My pipeline has 100 % recall for personal data and misses 4 % of the junk, on the first 3,000 pages nothing but word salad.
# ### END SOLUTION

# %%
# CLAIM
{
    "repeated 9 of the 12 numbers": (
        round(12 * results["raw"]["repeated_often"], 6), results["raw"]["numbers_often"]
    ) == (9, 12),
    "A wrong alarm only blacks out": GENERAL,
    "low precision is worse": GENERAL,
    "a precision of 92 %": round(100 * thresholds[0.4]["precision"]) == 92,
    "100 % recall for personal data": steps[-1]["recall"] == 1,
    "misses 4 % of the junk": round(100 * (1 - steps[0]["recall"])) == 4,
    "nothing but word salad": {sort for sort, share in caught.items() if share < 1} == {("gibberish", "word salad")},
}

# %% [markdown]
# **2.** What did raw and what did cleaned data do to the model (figures with their units), and why?

# %% [markdown]
# <!-- WRITTEN written_2 -->
# ### BEGIN SOLUTION
# Both models read 0.9 million tokens. The raw one ended 61 % above the entropy on clean documents, the cleaned one 40 %, because a part of the raw tokens were junk or pages that it had read before.
# The raw model wrote 9 of 12 telephone numbers that stood at least 50 times to the letter, and 43 % of the leaked answers, but none of the other half of the quiz: it had memorised, not understood.
# The cleaned model repeated no number and knew no answer of either half. So only its score says something, and not quite: of the 1,197 pages that told an answer, 45 were left for it to read.
# ### END SOLUTION

# %%
# CLAIM
{
    "0.9 million tokens": {round(result["tokens"] / 1e6, 1) for result in results.values()} == {0.9},
    "61 % above the entropy": round(gaps["raw"]) == 61,
    "the cleaned one 40 %": round(gaps["cleaned"]) == 40,
    "9 of 12 telephone numbers": round(12 * results["raw"]["repeated_often"]) == 9,
    "43 % of the leaked answers, but none of the other half": (
        round(100 * results["raw"]["leaked"]), results["raw"]["not leaked"]
    ) == (43, 0),
    "repeated no number and knew no answer of either half": [
        results["cleaned"][key] for key in ("repeated_often", "leaked", "not leaked")
    ] == [0, 0, 0],
    "of the 1,197 pages that told an answer, 45 were left": (
        steps[3]["true"], round(steps[3]["true"] * (1 - steps[3]["recall"]))
    ) == (1197, 45),
}

# %% [markdown]
# ## § 15 Hand in
#
# Is your work done? Write `ready=True`, save the notebook (Ctrl + S), run the cell. It packs the notebook into one zip file and prints a receipt.

# %%
# LONG
handed_in = submit(ready=False)
