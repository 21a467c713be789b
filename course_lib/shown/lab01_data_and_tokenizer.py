"""Lab 01: the crawl and its labels, each cleaning step against the truth, and what two models made of the pages."""

import inspect
import json
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import numpy as np

from course_lib.notebook.check import mine
from course_lib.shown.lab01_models import say_gaps, show_results, side_by_side
from course_lib.stages import cleaning
from course_lib.stages.tokenizer import load_tokenizer, train_tokenizer
from course_lib.widgets import crawl as pictures
from course_lib.widgets import curve
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table
from course_lib.world import pretrain_rows
from course_lib.world.crawl import JUNK, LABELS, crawl, quiz

__all__ = ["crawl", "curve", "mine", "pretrain_rows", "quiz", "say_gaps", "show_results", "side_by_side"]  # for the lab

STEP = {"step": "", "found": ",", "true": ",", "precision": ".1%", "recall": ".1%"}


def show_pages(pages) -> None:
    """The first page of each label, its first characters."""
    for label in LABELS:
        page = next(p for p in pages if p.label == label)
        print(f"[{label}{': ' + page.edit if page.edit else ''}]\n{page.text[:260]}\n")


def show_labels(pages):
    """How many pages each label has, and a page with personal data, which is returned."""
    rows = []
    for label in LABELS:
        chosen = [p for p in pages if p.label == label]
        rows.append((label, len(chosen), len(chosen) / len(pages), sum(len(p.text) for p in chosen)))
    table({"label": "", "pages": ",", "share": ".1%", "characters": ","}, rows)
    print(f"{sum(bool(p.pii) for p in pages)} pages hold personal data.")
    print(f"{sum(bool(p.leaks) for p in pages)} hold questions of a test with their answers.\n")
    example = next(p for p in pages if len(p.pii) > 1)
    print(f"{example.text}\npersonal data (start, end, kind): {example.pii}")
    return example


def feature_ranges(pages) -> None:
    """From 2 % to 98 % of the pages of a label: the range of each number that the filter may look at."""
    names = ["words", "letters", "common", "distinct", "web", "strange"]
    rows = []
    for label in LABELS:
        features = [cleaning.quality_features(p.text) for p in pages if p.label == label]
        ends = [np.quantile([f[name] for f in features], [0.02, 0.98]) for name in names]
        texts = [f"{low:.0f}–{high:.0f}" if low > 1 else f"{low:.2f}–{high:.2f}" for low, high in ends]
        rows.append((label, *texts))
    table({"label": "", **dict.fromkeys(names, "")}, rows)
    print("words in WEB:", ", ".join(sorted(cleaning.WEB)))


def score(found_and_truth: dict[str, tuple[set, set]], what: str = "step") -> dict[str, dict]:
    """A table: {name: (what was found, what is true)} as precision and recall. Returns {name: its row}."""
    rows = {name: cleaning.precision_recall(*sets) for name, sets in found_and_truth.items()}
    shown = [(name, row["found"], row["true"], row["precision"], row["recall"]) for name, row in rows.items()]
    table({what if head == "step" else head: form for head, form in STEP.items()}, shown)
    return rows


def score_filter(pages, dropped: set[int]) -> tuple[dict, dict]:
    """(precision and recall of the filter, {(label, sort) of junk: the share that it dropped})."""
    junk = {k for k, p in enumerate(pages) if p.label in JUNK}
    row = score({"quality filter": (dropped, junk)})["quality filter"]
    caught, rows = {}, []
    for sort in sorted({(pages[k].label, pages[k].edit) for k in junk}):
        chosen = [k for k in junk if (pages[k].label, pages[k].edit) == sort]
        caught[sort] = sum(k in dropped for k in chosen) / len(chosen)
        rows.append((", ".join(sort), len(chosen), caught[sort], "█" * round(20 * caught[sort])))
    table({"sort of junk": "", "pages": "", "dropped": ".0%", "": ""}, [(a, str(b), c, d) for a, b, c, d in rows])
    return row, caught


def score_exact(left, kept: list[int]) -> dict[str, dict]:
    """Exact copies found without and with normalisation, and the share that they are of all copies."""
    everything, copies = set(range(len(left))), cleaning.true_copies(left)
    as_they_are = {p.text: k for k, p in reversed(list(enumerate(left)))}  # text → where it stands first
    dropped = everything - set(kept)
    return score(
        {
            "not normalised": (everything - set(as_they_are.values()), copies),
            "normalised": (dropped, copies),
            "normalised, of all copies": (dropped, cleaning.true_copies(left, near=True)),
        }
    )


def equals_datasketch(sign, text: str, a, b) -> None:
    """The signature of a text is the library's, number for number, from the same hash functions."""
    try:
        from datasketch import MinHash
    except ImportError:
        return print("The package datasketch is not here: the comparison is left out.")
    # from version 2 on there are other schemes, too
    scheme: dict[str, Any] = {"scheme": "legacy"} if "scheme" in inspect.signature(MinHash).parameters else {}
    functions = tuple(x.numpy().astype("uint64") for x in (a, b))
    theirs = MinHash(num_perm=len(a), hashfunc=cleaning.hash32, permutations=functions, **scheme)
    theirs.update_batch([shingle.encode() for shingle in cleaning.shingles(text)])
    assert sign(cleaning.shingle_hashes(text), a, b).tolist() == theirs.hashvalues.tolist()
    print(f"{len(cleaning.shingles(text))} shingles, {len(a)} functions: all numbers equal datasketch's")


def similarity(left, i: int, j: int) -> float:
    return cleaning.jaccard(cleaning.shingles(left[i].text), cleaning.shingles(left[j].text))


def near_pairs(left) -> list[tuple[int, int]]:
    """Each copy that is left with the page of its cluster that stands first."""
    first = {p.cluster: k for k, p in reversed(list(enumerate(left)))}
    return [(first[p.cluster], k) for k, p in enumerate(left) if first[p.cluster] != k]


def show_estimates(left, signatures) -> dict[int, float]:
    """True and estimated similarity of some near copies, and {numbers of a signature: standard deviation of the
    estimate's error over all of them}.
    """
    pairs = near_pairs(left)
    true = np.array([similarity(left, i, j) for i, j in pairs])
    equal = np.array([(signatures[i] == signatures[j]).numpy() for i, j in pairs])
    table({"true similarity": ".3f", "estimate": ".3f"}, zip(true[:6], equal[:6].mean(1)))
    errors = {n: float(np.std(equal[:, :n].mean(1) - true)) for n in (8, 32, equal.shape[1])}
    heads = {"numbers of the signature used": ",", f"error over {len(pairs)} pairs": ".3f", "theory: at most": ".3f"}
    table(heads, [(n, error, 0.5 / n**0.5) for n, error in errors.items()])
    return errors


def sharing(pages) -> list[float]:
    """The similarity of each pair of other pages that share a shingle."""
    sets, holders = [cleaning.shingles(p.text) for p in pages], defaultdict(list)
    for k, page in enumerate(sets):
        for shingle in page:
            holders[shingle].append(k)
    pairs = {pair for each in holders.values() for pair in combinations(each, 2)}
    return [cleaning.jaccard(sets[i], sets[j]) for i, j in pairs if pages[i].cluster != pages[j].cluster]


def show_banding(left, signatures, pairs_fn) -> dict[str, dict]:
    """What each number of bands would find, above the similarities that there are; then what it finds."""
    strangers = sharing(left[:1500])
    curve.show(pictures.banding_figure(strangers, [similarity(left, i, j) for i, j in near_pairs(left)]))
    clusters = defaultdict(list)
    for k, p in enumerate(left):
        clusters[p.cluster].append(k)
    truth = {pair for members in clusters.values() for pair in combinations(members, 2)}
    print(f"all pairs of {len(left):,} pages: {len(left) * (len(left) - 1) // 2:,}")
    found = {f"{bands} bands": {tuple(p) for p in pairs_fn(signatures, bands)} for bands in (8, 16, 32, 64)}
    return score({name: (pairs, truth) for name, pairs in found.items()}, "candidates")


def score_near(left, sign, pairs_fn) -> tuple[dict[float, dict], dict[str, float]]:
    """({threshold: precision and recall of the near copies}, {edit: the share of its copies that stays at 0.8})."""
    everything, copies = set(range(len(left))), cleaning.true_copies(left, near=True)
    kept = {}
    for same in (0.4, 0.5, cleaning.SAME, 0.8, 0.9):
        texts = [p.text for p in left]
        kept[same] = set(cleaning.drop_near_duplicates(texts, same=same, signature_fn=sign, pairs_fn=pairs_fn))
    rows = score({f"{same}": (everything - these, copies) for same, these in kept.items()}, "the same from")
    edits = Counter(left[k].edit for k in copies)
    stay = Counter(left[k].edit for k in copies & kept[0.8])
    shares = {edit: stay[edit] / n for edit, n in edits.most_common() if edit}
    table({"sort of near copy": "", "pages": ",", "stay at 0.8": ".0%"}, [(e, edits[e], shares[e]) for e in shares])
    lost = sorted(everything - kept[cleaning.SAME] - copies)
    if lost:
        print(f"Wrongly dropped at {cleaning.SAME}:\n{left[lost[0]].text}")
    return {float(name): row for name, row in rows.items()}, shares


def score_pii(left, find) -> dict[str, dict]:
    """Precision and recall of each kind of personal data, over all spans of the pages."""
    found = {(k, *span) for k, p in enumerate(left) for span in find(p.text)}
    truth = {(k, *span) for k, p in enumerate(left) for span in p.pii}
    of = lambda kind, spans: {span for span in spans if span[3] == kind}
    return score({kind: (of(kind, found), of(kind, truth)) for kind in ("phone", "email", "address")}, "kind")


def before_and_after(text: str, spans) -> None:
    print(columns(["before", "after"], [text, cleaning.redact(text, spans)], 60))


def score_leaks(left, tests: list[str], leaky) -> dict[int, dict]:
    """Precision and recall of the contamination check for each n, and a page that it misses at n = 8."""
    truth = {k for k, p in enumerate(left) if p.leaks}
    flagged = {n: leaky([p.text for p in left], tests, n) for n in (3, 4, 5, 8, 10, 13)}
    found = {n: {k for k, flag in enumerate(flags) if flag} for n, flags in flagged.items()}
    rows = score({f"n = {n}": (pages, truth) for n, pages in found.items()}, "contamination")
    missed = sorted(truth - found[8])
    if missed:
        print(f"Missed with n = 8: …{left[missed[0]].text[-90:]}")
    return {n: rows[f"n = {n}"] for n in found}


def count_words(texts: list[str]) -> Counter:
    """How often each word stands in the texts, as the course's tokenizer parts them (Ġ for a blank)."""
    splitter = load_tokenizer().pre_tokenizer
    return Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(text))


def show_merges(merges: list[list[str]], texts: list[str]) -> list[str]:
    """The merges are those of the library, one by one; the first and the last ten, and a word after some of them.
    Returns the joined symbols.
    """
    library = json.loads(train_tokenizer(texts, 5 + 256 + len(merges)).to_str())["model"]["merges"]
    assert merges == [list(pair) for pair in library][: len(merges)]
    joined = ["".join(pair) for pair in merges]
    print(f"all {len(merges)} merges equal those of `tokenizers`")
    print(f"the first ten: {', '.join(joined[:10])}\nthe last ten:  {', '.join(joined[-10:])}")
    for known in (0, 20, len(merges)):
        pieces = cleaning.apply_merges("Ġblacksmith", merges[:known])
        print(f"Ġblacksmith after {known:>3} merges: " + " · ".join(pieces))
    return joined


def never_needed(tokenizer, ids: list[list[int]]) -> set[str]:
    """The learned entries that the texts need neither as a token nor as a step to one."""
    parts = {"".join(pair): pair for pair in json.loads(tokenizer.to_str())["model"]["merges"]}
    new, needed = {tokenizer.id_to_token(k) for row in ids for k in row}, set()
    while new:
        entry = new.pop()
        if entry in parts and entry not in needed:
            needed.add(entry)
            new.update(parts[entry])
    return set(parts) - needed


def show_density(density, raw_texts: list[str], clean_texts: list[str], fresh: list[str]) -> tuple[list, dict]:
    """Bytes per token on fresh documents of tokenizers learned on either text. Returns (rows of merges, from raw, from
    cleaned, bought by each merge of the cleaned one; {"raw", "cleaned": entries that the fresh documents never need}).
    """
    unused, rows = {}, []
    encoded = lambda tokenizer: [encoding.ids for encoding in tokenizer.encode_batch(fresh)]
    for merges in (0, 50, 100, 200, 400, 800, 1600):
        measured = []
        for name, texts in (("raw", raw_texts), ("cleaned", clean_texts)):
            tokenizer = train_tokenizer(texts, 261 + merges)
            ids = encoded(tokenizer)
            measured.append(density(fresh, [len(row) for row in ids]))
            unused[name] = never_needed(tokenizer, ids)
        bought = (measured[1] - rows[-1][2]) / (merges - rows[-1][0]) if rows else None
        rows.append((merges, *measured, bought))
    heads = {"merges": ",", "from raw": ".3f", "from cleaned": ".3f", "bought by a merge": ".4f"}
    table(heads, rows, f"Bytes per token on {len(fresh)} fresh documents")
    for name, entries in unused.items():
        learned = f"Of the {rows[-1][0]:,} entries learned from {name} text"
        print(f"{learned} the fresh documents never need {len(entries)}, not even as a step to a longer one.")
    course = load_tokenizer()
    own = density(fresh, [len(row) for row in encoded(course)])
    print(f"The course's tokenizer, {course.get_vocab_size():,} tokens: {own:.3f} bytes per token")
    return rows, unused


def show_steps(steps: list[dict], pages: int) -> None:
    """The pipeline's table, with the pages that each step leaves."""
    rows = [(r["step"], r["found"], r["true"], r["precision"], r["recall"], r["left"]) for r in steps]
    table({**STEP, "pages left": ","}, [("the crawl", None, None, None, None, pages), *rows])


def compare_steps(before: list[dict], after: list[dict], my_prediction: str) -> None:
    """Two runs of the pipeline, step by step."""
    rows = []
    for old, new in zip(before, after, strict=True):
        pairs = [f"{old[key]:.1%} → {new[key]:.1%}" for key in ("precision", "recall")]
        rows.append((old["step"], *pairs, f"{old['left']:,} → {new['left']:,}"))
    table(dict.fromkeys(("step", "precision", "recall", "pages left"), ""), rows)
    if my_prediction:
        print("You predicted:", my_prediction)
