"""Lab 01: wrong answers that students really write, and right answers written in other ways. The form is that of
bank02.py.
"""

from banks import bank_of

from course_lib.questions import lab01_data_and_tokenizer as lab

PRELUDE = """import collections
import hashlib
import itertools
import re
import unicodedata
import numpy as np
import torch

PRIME, MASK = 2**61 - 1, 2**32 - 1
COMMON = set('''
a about after all and are as ask asked at be but by can did do does for from has have he her here him his how i if in
into is it its last like me more my no not of on or our out said she so some than that the their them then there they
this to up us was we went were what when where which who will with you your
'''.split())
WEB = set('''
cookie cookies javascript login log click subscribe newsletter settings privacy policy sitemap menu search error loading
server online prize trick
'''.split())

def measure(text):
    words = re.findall(r"[a-z0-9']+", text.lower())
    solid = [c for c in text if not c.isspace()]
    runs = list(zip(words, words[1:], words[2:])) or [()]
    n = max(1, len(words))
    letters = sum(c.isascii() and c.isalpha() for c in solid) / max(1, len(solid))
    strange = sum(c in "ÃÂâ\\ufffd€" for c in text) / max(1, len(text))
    return dict(words=len(words), letters=letters, common=sum(w in COMMON for w in words) / n,
                distinct=len(set(runs)) / len(runs), web=sum(w in WEB for w in words) / n, strange=strange)
"""
GOOD = (
    'f = measure(text); return f["words"] >= 12 and f["letters"] > 0.7 and f["common"] > 0.05 and f["distinct"] > 0.6 '
    'and f["web"] < 0.04 and f["strange"] < 0.005'
)

KEEP_WRONG = {
    "keeps all": "return True",
    "drops all": "return False",
    "the wrong way round": GOOD.replace("return ", "return not (") + ")",
    "length alone": "return len(text.split()) >= 20",
    "letters alone": 'return measure(text)["letters"] > 0.8',
    "ASCII only": GOOD.replace('f["strange"] < 0.005', "text.isascii()"),
    "no sign of the wrong alphabet at all": GOOD.replace('f["strange"] < 0.005', 'f["strange"] == 0'),
    "no look at the encoding": GOOD.replace(' and f["strange"] < 0.005', "").replace(
        'f["letters"] > 0.7', 'f["letters"] > 0.5'
    ),
    "no words of the web": GOOD.replace(' and f["web"] < 0.04', ""),
    "common words too strictly": GOOD.replace('f["common"] > 0.05', 'f["common"] > 0.3'),
    "good pages told apart too finely, lists and notices aside": GOOD.replace(
        'f["distinct"] > 0.6', 'f["distinct"] > (0.6 if "\\n- " in text or text.split(":")[0].isupper() else 0.95)'
    ),
    "runs of three that come again": GOOD.replace('f["distinct"] > 0.6', 'f["distinct"] > 0.95'),
    "too long a page asked for": GOOD.replace(">= 12", ">= 40"),
    "a number, not a truth": GOOD.replace("return ", "return int(") + ")",
    "divides by no word": "words = text.split(); return sum(w.lower() in COMMON for w in words) / len(words) > 0.05 "
    "and " + GOOD.split("return ")[1].replace("f[", "measure(text)["),
    "an empty page stays": "if not text.strip(): return True\n    " + GOOD,
    "no count of letters or common words": GOOD.replace('f["letters"] > 0.7 and f["common"] > 0.05 and ', ""),
}
KEEP_RIGHT = {
    "thresholds": GOOD,
    "just below the clean pages of the table": GOOD.replace('f["common"] > 0.05', 'f["common"] > 0.12')
    .replace('f["distinct"] > 0.6', 'f["distinct"] > 0.8')
    .replace('f["words"] >= 12', 'f["words"] >= 20'),
    "a score": 'f = measure(text); bad = (f["words"] < 12) + (f["letters"] < 0.7) + (f["common"] < 0.06) + '
    '(f["distinct"] < 0.62) + 2 * (f["web"] > 0.03) + (f["strange"] > 0.01); return bad == 0',
    "early returns": """if any(mark in text for mark in ("Ã", "Â", "â€", "\\ufffd")): return False
    words = re.findall(r"[A-Za-z']+", text)
    if len(words) < 10: return False
    if sum(c.isdigit() or c in ";#~$" for c in text) > 0.2 * len(text): return False
    low = [w.lower() for w in words]
    if sum(w in WEB for w in low) >= 0.03 * len(low): return False
    if len(set(low)) < 0.4 * len(low) and "Q:" not in text and "- " not in text: return False
    return sum(w in COMMON for w in low) > 0.06 * len(low)""",
}

NORMAL = '" ".join(unicodedata.normalize("NFKC", t).lower().split())'
EXACT = f"""seen, kept = set(), []
    for k, t in enumerate(texts):
        key = hashlib.sha256({NORMAL}.encode()).hexdigest()
        if key not in seen:
            seen.add(key); kept.append(k)
    return kept"""
EXACT_WRONG = {
    "no normalisation": EXACT.replace(NORMAL, "t"),
    "case kept": EXACT.replace(".lower()", ""),
    "strip only": EXACT.replace(NORMAL, "t.strip().lower()"),
    "blanks kept": EXACT.replace(NORMAL, "t.lower()"),
    "all blanks removed": EXACT.replace('" ".join', '"".join'),
    "keeps the last": f"place = {{{NORMAL}: k for k, t in enumerate(texts)}}; return sorted(place.values())",
    "returns the copies": f"keys = [{NORMAL} for t in texts]; return [k for k, x in enumerate(keys) if x in keys[:k]]",
    "drops the first, too": f"keys = [{NORMAL} for t in texts]; return [k for k, x in enumerate(keys) if keys.count(x) "
    "== 1]",
    "returns texts": EXACT.replace("kept.append(k)", "kept.append(t)"),
    "returns flags": f"keys = [{NORMAL} for t in texts]; return [x not in keys[:k] for k, x in enumerate(keys)]",
    "bag of words": EXACT.replace(NORMAL, '" ".join(sorted(unicodedata.normalize("NFKC", t).lower().split()))'),
    "no punctuation": EXACT.replace(NORMAL, '" ".join(re.findall(r"\\w+", unicodedata.normalize("NFKC", t).lower()))'),
    "beginning only": EXACT.replace(NORMAL, NORMAL + "[:200]"),
    "no NFKC": EXACT.replace(NORMAL, '" ".join(t.lower().split())'),
    "NFC": EXACT.replace("NFKC", "NFC"),
    "sorted keys": f"keys = sorted({{{NORMAL} for t in texts}}); return [[{NORMAL} for t in texts].index(x) for x in "
    "keys]",
    "skips empty pages": EXACT.replace("if key not in seen:", "if t.strip() and key not in seen:"),
}
EXACT_RIGHT = {
    "sha256": EXACT,
    "a dict of firsts": f"first = {{}}\n    for k, t in enumerate(texts): first.setdefault({NORMAL}, k)\n    return "
    "sorted(first.values())",
    "regular expression": EXACT.replace(
        NORMAL, 're.sub(r"\\s+", " ", unicodedata.normalize("NFKC", t).casefold()).strip()'
    ).replace("sha256", "md5"),
    "numpy unique": f"return sorted(np.unique([{NORMAL} for t in texts], return_index=True)[1].tolist()) if texts else "
    "[]",
}

MINHASH_WRONG = {
    "largest": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None] * a + b) % PRIME) "
    "& MASK).amax(0)",
    "no prime": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return ((hashes[:, None] * a + b) & "
    "MASK).amin(0)",
    "no mask": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return ((hashes[:, None] * a + b) % "
    "PRIME).amin(0)",
    "mask last": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return ((hashes[:, None] * a + b) % "
    "PRIME).amin(0) & MASK",
    "no b": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None] * a) % PRIME) & "
    "MASK).amin(0)",
    "no a": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None] + b) % PRIME) & "
    "MASK).amin(0)",
    "float64": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None].double() * "
    "a.double() + b.double()) % float(PRIME)).long() & MASK).amin(0)",
    "over the functions": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None] * a + "
    "b) % PRIME) & MASK).amin(1)",
    "first shingle": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:1, None] * a + b) % "
    "PRIME) & MASK).amin(0)",
    "a times the sum": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return torch.tensor([min(((x * (h + "
    "y)) % PRIME) & MASK for h in hashes.tolist()) for x, y in zip(a.tolist(), b.tolist())])",
    "empty page stops it": "return (((hashes[:, None] * a + b) % PRIME) & MASK).amin(0)",
    "empty page is 0": "if len(hashes) == 0: return torch.zeros_like(a)\n    return (((hashes[:, None] * a + b) % "
    "PRIME) & MASK).amin(0)",
    "int32": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None] * a + b) % PRIME) & "
    "MASK).amin(0).int()",
    "a list": "if len(hashes) == 0: return [MASK] * len(a)\n    return (((hashes[:, None] * a + b) % PRIME) & "
    "MASK).amin(0).tolist()",
    "changes b": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    b %= 2**40\n    return (((hashes[:, None] "
    "* a + b) % PRIME) & MASK).amin(0)",
}
MINHASH_RIGHT = {
    "broadcast": "if len(hashes) == 0: return torch.full_like(a, MASK)\n    return (((hashes[:, None] * a + b) % "
    "PRIME) & MASK).amin(0)",
    "start from the largest": "best = torch.full_like(a, MASK)\n    for h in hashes: best = torch.minimum(best, (a * h "
    "+ b).remainder(PRIME) % 2**32)\n    return best",
    "whole numbers": "return torch.tensor([min([((x * h + y) % PRIME) % 2**32 for h in hashes.tolist()], default=2**32 "
    "- 1) for x, y in zip(a.tolist(), b.tolist())])",
    "numpy": "if not hashes.numel(): return torch.full((len(a),), 2**32 - 1)\n    v = np.outer(hashes.numpy(), "
    "a.numpy()) + b.numpy()\n    return torch.from_numpy(((v % PRIME) % 2**32).min(axis=0))",
}

PAIRS = """pairs = set()
    for band in signatures.chunk(bands, dim=1):
        buckets = collections.defaultdict(list)
        for k, rows in enumerate(band.tolist()): buckets[tuple(rows)].append(k)
        for bucket in buckets.values(): pairs.update(itertools.combinations(bucket, 2))
    return [list(p) for p in sorted(pairs)]"""
PAIRS_WRONG = {
    "any row": PAIRS.replace("signatures.chunk(bands, dim=1)", "signatures.chunk(signatures.shape[1], dim=1)"),
    "all bands": PAIRS.replace("signatures.chunk(bands, dim=1)", "[signatures]"),
    "interleaved": PAIRS.replace("signatures.chunk(bands, dim=1)", "[signatures[:, k::bands] for k in range(bands)]"),
    "bands taken for rows": PAIRS.replace("signatures.chunk(bands, dim=1)", "signatures.split(bands, dim=1)"),
    "both orders": PAIRS.replace("combinations(bucket, 2)", "permutations(bucket, 2)"),
    "pairs with itself": PAIRS.replace("combinations(bucket, 2)", "combinations_with_replacement(bucket, 2)"),
    "neighbours only": PAIRS.replace("itertools.combinations(bucket, 2)", "zip(bucket, bucket[1:])"),
    "one set of buckets": """pairs, buckets = set(), collections.defaultdict(list)
    for band in signatures.chunk(bands, dim=1):
        for k, rows in enumerate(band.tolist()): buckets[tuple(rows)].append(k)
    for bucket in buckets.values(): pairs.update(itertools.combinations(sorted(set(bucket)), 2))
    return [list(p) for p in sorted(pairs)]""",
    "glued numbers": PAIRS.replace("tuple(rows)", '"".join(map(str, rows))'),
    "sum of the rows": PAIRS.replace("tuple(rows)", "sum(rows)"),
    "unsorted": PAIRS.replace("pairs = set()", "pairs = {}")
    .replace(
        "pairs.update(itertools.combinations(bucket, 2))",
        "pairs.update(dict.fromkeys(itertools.combinations(bucket, 2)))",
    )
    .replace("sorted(pairs)", "pairs"),
    "several times": PAIRS.replace("pairs = set()", "pairs = []").replace("pairs.update(", "pairs.extend("),
    "first band only": PAIRS.replace("signatures.chunk(bands, dim=1)", "signatures.chunk(bands, dim=1)[:1]"),
    "last band forgotten": PAIRS.replace("signatures.chunk(bands, dim=1)", "signatures.chunk(bands, dim=1)[:-1]"),
    "with the first of the bucket only": PAIRS.replace(
        "itertools.combinations(bucket, 2)", "[(bucket[0], k) for k in bucket[1:]]"
    ),
    "sorts in place": "signatures.copy_(signatures.sort(dim=0).values)\n    " + PAIRS,
}
PAIRS_RIGHT = {
    "buckets": PAIRS,
    "one dict, the band in the key": """rows = signatures.shape[1] // bands; buckets = {}
    for i, signature in enumerate(signatures.tolist()):
        for band in range(bands): buckets.setdefault((band, *signature[band * rows:(band + 1) * rows]), []).append(i)
    return sorted({(i, j) for bucket in buckets.values() for i in bucket for j in bucket if i < j})""",
    "all against all": """N, P = signatures.shape
    alike = lambda a, b: (a == b).view(bands, -1).all(1).any()
    return [[i, j] for i in range(N) for j in range(i + 1, N) if alike(signatures[i], signatures[j])]""",
    "bytes as keys": PAIRS.replace("tuple(rows)", "np.array(rows).tobytes()"),
}

PHONE, EMAIL, HOUSE = (
    r"(?:\+\d\d )?(?:\(555\)|\b555)[- ]\d{4}\b",
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.example\b",
    r"\b\d{1,2}[ab]? [A-Z][a-z]+ (?:Lane|Street|Square|Row|Road|Hill|Walk|Gardens|Yard|Gate)\b",
)


def pii(phone=PHONE, email=EMAIL, house=HOUSE, entry="[m.start(), m.end(), kind]", end="sorted(found)"):
    patterns = {kind: p for kind, p in (("phone", phone), ("email", email), ("address", house)) if p}
    return f"found = [{entry} for kind, p in {patterns!r}.items() for m in re.finditer(p, text)]; return {end}"


PII_WRONG = {
    "end inclusive": pii(entry="[m.start(), m.end() - 1, kind]"),
    "length for end": pii(entry="[m.start(), len(m[0]), kind]"),
    "the texts": pii(entry="[m[0], kind]", end="sorted(found, key=lambda s: text.index(s[0]))"),
    "no kind": pii(entry="[m.start(), m.end()]"),
    "by kind": pii(end="sorted(found, key=lambda s: s[2])"),
    "no houses": pii(house=None),
    "no e-mail": pii(email=None),
    "no telephone": pii(phone=None),
    "every four digits": pii(phone=r"\d{4}\b"),
    "one way to write a number": pii(phone=r"\b555-\d{4}\b"),
    "without the prefix": pii(phone=r"(?:\(555\)|\b555)[- ]\d{4}\b"),
    "full stop taken along": pii(email=r"\S+@\S+"),
    "e-mail cut at the dot": pii(email=r"\w+@[\w.-]+\.example\b"),
    "every street": pii(
        house=r"(?:\d+[ab]? )?[A-Z][a-z]+ (?:Lane|Street|Square|Row|Road|Hill|Walk|Gardens|Yard|Gate)\b"
    ),
    "only lanes and streets": pii(house=r"\b\d{1,2}[ab]? [A-Z][a-z]+ (?:Lane|Street)\b"),
    "first of each kind": pii().replace("for m in re.finditer(p, text)", "for m in [re.search(p, text)] if m"),
    "web addresses, too": pii(email=r"(?:[\w.+-]+@)?[\w-]+(?:\.[\w-]+)+"),
    "bracket after the border": pii(phone=r"\b(?:\+\d{2} )?(?:\(555\)|555)[ -]\d{4}\b"),
    "bracket left standing": pii(phone=r"(?:\+\d\d )?\b555\)?[- ]\d{4}\b"),
    "e-mail without +": pii(email=r"[\w.-]+@[\w-]+(?:\.[\w-]+)*\.example\b"),
    "host of one word": pii(email=r"[\w.+-]+@\w+\.example\b"),
    "no letter behind the number": pii(
        house=r"\b\d{1,2} [A-Z][a-z]+ (?:Lane|Street|Square|Row|Road|Hill|Walk|Gardens|Yard|Gate)\b"
    ),
    "no edge before the number": pii(
        house=r"\d{1,2}[ab]? [A-Z][a-z]+ (?:Lane|Street|Square|Row|Road|Hill|Walk|Gardens|Yard|Gate)\b"
    ),
    "only three kinds of user": pii(email=r"[a-z]+(?:[._][a-z]+)?\d*@[\w-]+(?:\.[\w-]+)*\.example\b"),
    "the end of another number": pii(phone=r"(?:\+\d\d )?(?:\(555\)|555)[- ]\d{4}\b"),
    "a number that goes on": pii(phone=r"(?:\+\d\d )?(?:\(555\)|\b555)[- ]\d{4}"),
    "no hyphen at the front of the host": pii(email=r"[\w.+-]+@\w+(?:\.[\w-]+)*\.example\b"),
    "555 of 1555": pii(phone=r"(?:\+\d\d )?\(?555\)?[ -]\d{4}"),
}
PII_RIGHT = {
    "three patterns": pii(),
    "one pattern with names": rf"""pattern = r"(?P<phone>{PHONE})|(?P<email>{EMAIL})|(?P<address>{HOUSE})"
    return [[m.start(), m.end(), m.lastgroup] for m in re.finditer(pattern, text)]""",
    "tuples, own order": pii(entry="(m.start(), m.end(), kind)", end="sorted(found, key=lambda s: s[0])"),
    "other patterns": pii(
        phone=r"(?<![\w-])(?:\+00 )?\(?(?<!\d)555\)?[\s-][0-9]{4}(?!\d)",
        email=r"[A-Za-z0-9._+]+@(?:[a-z-]+\.)+example",
        house=r"(?<!\d)[1-9]\d?[a-z]? [A-Z]\w+ [A-Z]\w+",
    ),
}

LEAKS = """words = lambda text: re.findall(r"[a-z0-9]+", text.lower())
    grams = lambda text: {tuple(w[k:k + n]) for w in [words(text)] for k in range(len(w) - n + 1)}
    known = set().union(*(grams(t) for t in tests))
    return [not known.isdisjoint(grams(p)) for p in pages]"""
LEAKS_WRONG = {
    "case": LEAKS.replace("[a-z0-9]+", "[A-Za-z0-9]+").replace(".lower()", ""),
    "punctuation": LEAKS.replace('re.findall(r"[a-z0-9]+", text.lower())', "text.lower().split()"),
    "case and punctuation": LEAKS.replace('re.findall(r"[a-z0-9]+", text.lower())', "text.split()"),
    "n − 1": "n = n - 1\n    " + LEAKS,
    "n + 1": "n = n + 1\n    " + LEAKS,
    "one word": LEAKS.replace("words = ", "n = 1\n    words = "),
    "whole test": 'words = lambda text: " ".join(re.findall(r"[a-z0-9]+", text.lower()))\n    return [any(words(t) in '
    "words(p) for t in tests) for p in pages]",
    "all of them": LEAKS.replace("not known.isdisjoint(grams(p))", "bool(known) and known <= grams(p)"),
    "no order": LEAKS.replace("tuple(w[k:k + n])", "tuple(sorted(w[k:k + n]))"),
    "the wrong way round": LEAKS.replace("not known", "known"),
    "for each test": LEAKS.replace("for t in tests))", "for t in pages))").replace(
        "for p in pages]", "for p in tests]"
    ),
    "positions": LEAKS.replace(
        "[not known.isdisjoint(grams(p)) for p in pages]",
        "[k for k, p in enumerate(pages) if not known.isdisjoint(grams(p))]",
    ),
    "tests glued": LEAKS.replace("set().union(*(grams(t) for t in tests))", 'grams(" ".join(tests))'),
    "last n-gram forgotten": LEAKS.replace("len(w) - n + 1", "len(w) - n"),
    "short texts count": LEAKS.replace("range(len(w) - n + 1)", "range(max(1, len(w) - n + 1))"),
    "pieces of text": """clean = lambda text: " ".join(re.findall(r"[a-z0-9]+", text.lower()))
    runs = [" ".join(w[k:k + n]) for w in [clean(t).split() for t in tests] for k in range(len(w) - n + 1)]
    return [any(run in clean(p) for run in runs) for p in pages]""",
    "no digits": LEAKS.replace("[a-z0-9]+", "[a-z]+"),
    "apostrophe in words": LEAKS.replace("[a-z0-9]+", "[a-z0-9']+"),
    "pages glued": LEAKS.replace(
        "[not known.isdisjoint(grams(p)) for p in pages]",
        "[bool(known & grams(p) or any(known & (grams(a + ' ' + b) - grams(a) - grams(b)) for a, b in zip(pages, "
        "pages[1:]) if p in (a, b))) for p in pages]",
    ),
    "no test stops it": LEAKS.replace(
        "set().union(*(grams(t) for t in tests))", "set.union(*[grams(t) for t in tests])"
    ),
}
LEAKS_RIGHT = {
    "sets of tuples": LEAKS,
    "texts with blanks round them": """clean = lambda text: re.sub(r"[^a-z0-9]+", " ", " " + text.lower() + " ")
    runs = {" " + " ".join(w[k:k + n]) + " " for w in [clean(t).split() for t in tests] for k in range(len(w) - n + 1)}
    return [any(run in clean(p) for run in runs) for p in pages]""",
    "zip": """def grams(text):
        w = re.findall(r"\\w+", text.lower())
        return set(zip(*(w[k:] for k in range(n))))
    known = {g for t in tests for g in grams(t)}
    return [any(g in known for g in grams(p)) for p in pages]""",
    "loops": """def words(text): return "".join(c if c.isalnum() else " " for c in text.lower()).split()
    known = []
    for t in tests:
        w = words(t)
        for k in range(len(w)):
            if k + n <= len(w): known.append(w[k:k + n])
    answers = []
    for p in pages:
        w = words(p)
        answers.append(any(w[k:k + n] in known for k in range(len(w) - n + 1)))
    return answers""",
}

MERGE = """made, k = [], 0
    while k < len(symbols):
        if k + 1 < len(symbols) and [symbols[k], symbols[k + 1]] == list(pair):
            made.append(symbols[k] + symbols[k + 1]); k += 2
        else:
            made.append(symbols[k]); k += 1
    return made"""
MERGE_WRONG = {
    "first only": "for k in range(len(symbols) - 1):\n        if symbols[k:k + 2] == list(pair): return symbols[:k] + "
    "[pair[0] + pair[1]] + symbols[k + 2:]\n    return symbols",
    "other way, too": MERGE.replace("== list(pair)", "in (list(pair), list(pair)[::-1])"),
    "nothing": "return list(symbols)",
    "removed": MERGE.replace("made.append(symbols[k] + symbols[k + 1]); k += 2", "k += 2"),
    "one text": MERGE.replace("return made", 'return "".join(made)'),
    "step of one": MERGE.replace("k += 2", "k += 1"),
    "overlapping": "out = []\n    for k, s in enumerate(symbols):\n        if symbols[k:k + 2] == list(pair): "
    "out.append(pair[0] + pair[1])\n        elif k and symbols[k - 1:k + 1] == list(pair): continue\n  "
    "      else: out.append(s)\n    return out",
    "from the right": "out, k = [], len(symbols) - 1\n    while k >= 0:\n        if k and symbols[k - 1:k + 1] == "
    "list(pair): out.append(pair[0] + pair[1]); k -= 2\n        else: out.append(symbols[k]); k -= "
    "1\n    return out[::-1]",
    "text compared": MERGE.replace(
        "[symbols[k], symbols[k + 1]] == list(pair)", "symbols[k] + symbols[k + 1] == pair[0] + pair[1]"
    ),
    "search and replace in the text": 'joined = pair[0] + pair[1]\n    return " ".join(symbols).replace(" '
    '".join(pair), joined).split(" ") if symbols else []',
    "wrong order": MERGE.replace("symbols[k] + symbols[k + 1])", "symbols[k + 1] + symbols[k])"),
    "last symbol lost": MERGE.replace("while k < len(symbols):", "while k < len(symbols) - 1:"),
    "in place": "k = 0\n    while k < len(symbols) - 1:\n        if symbols[k:k + 2] == list(pair): symbols[k:k + 2] = "
    "[pair[0] + pair[1]]\n        k += 1\n    return symbols",
}
MERGE_RIGHT = {
    "while": MERGE,
    "copy, then in place": "symbols = list(symbols); k = 0\n    while k < len(symbols) - 1:\n        if "
    "tuple(symbols[k:k + 2]) == tuple(pair): symbols[k:k + 2] = [''.join(pair)]\n        k += "
    "1\n    return symbols",
    "a skip": "out, skip = [], False\n    for k, s in enumerate(symbols):\n        if skip: skip = False; continue\n   "
    "     if k + 1 < len(symbols) and s == pair[0] and symbols[k + 1] == pair[1]: out.append(s + pair[1]); "
    "skip = True\n        else: out.append(s)\n    return out",
    "recursive": "symbols = list(symbols)\n    if len(symbols) < 2: return symbols\n    if symbols[:2] == list(pair): "
    "return [pair[0] + pair[1]] + merge_pair(symbols[2:], pair)\n    return symbols[:1] + "
    "merge_pair(symbols[1:], pair)",
}

HELPER = MERGE.replace("\n    ", "\n        ")
MERGES = f"""def merge(symbols, pair):
        {HELPER}
    words = {{w: list(w) for w in counts}}
    age = {{c: k for k, c in enumerate(sorted(set("".join(counts))))}}
    merges = []
    while len(merges) < n:
        pairs = collections.Counter()
        for w, symbols in words.items():
            for pair in zip(symbols, symbols[1:]): pairs[pair] += counts[w]
        if not pairs: break
        best = min(pairs, key=lambda p: (-pairs[p], age[p[0]], age[p[1]]))
        age.setdefault(best[0] + best[1], len(age))
        merges.append(list(best))
        words = {{w: merge(symbols, best) for w, symbols in words.items()}}
    return merges"""
# fmt: off
MERGES_WRONG = {
    "no recount": "pairs = collections.Counter()\n    for w in counts:\n        for p in zip(w, w[1:]): pairs[p] += "
                  "counts[w]\n    return [list(p) for p in sorted(pairs, key=lambda p: (-pairs[p], p))[:n]]",
    "no weights": MERGES.replace("+= counts[w]", "+= 1"),
    "joined symbols": MERGES.replace("merges.append(list(best))", "merges.append(best[0] + best[1])"),
    "rarest": MERGES.replace("(-pairs[p], age", "(pairs[p], age"),
    "one too few": MERGES.replace("while len(merges) < n:", "while len(merges) < n - 1:"),
    "one too many": MERGES.replace("while len(merges) < n:", "while len(merges) <= n:"),
    "tie: first seen": MERGES.replace("min(pairs, key=lambda p: (-pairs[p], age[p[0]], age[p[1]]))",
        "max(pairs, key=pairs.get)"),
    "tie: alphabet of symbols": MERGES.replace("(-pairs[p], age[p[0]], age[p[1]])", "(-pairs[p], p)"),
    "tie: youngest": MERGES.replace("(-pairs[p], age[p[0]], age[p[1]])", "(-pairs[p], -age[p[0]], -age[p[1]])"),
    "characters as met": MERGES.replace('sorted(set("".join(counts)))', 'dict.fromkeys("".join(counts))'),
    "across words": MERGES.replace("for w, symbols in words.items():\n            for pair in zip(symbols, "
                                   "symbols[1:]): pairs[pair] += counts[w]",
                                       "flat = [s for w, symbols in words.items() for s in symbols * counts[w]]\n      "
                                       "  for pair in zip(flat, flat[1:]): pairs[pair] += 1"),
    "never stops": MERGES.replace("if not pairs: break", ""),
    "only pairs that occur twice": MERGES.replace("if not pairs: break",
        "if not pairs or max(pairs.values()) < 2: break"),
    "a tuple to merge_pair": MERGES.replace("== list(pair)", "== pair"),
    "characters only": MERGES.replace("words = {w: merge(symbols, best) for w, symbols in words.items()}",
        "words = {w: [s for s in symbols if s not in best] for w, symbols in words.items()}"),
    "a pair counts once a word": MERGES.replace("for pair in zip(symbols, symbols[1:])",
        "for pair in set(zip(symbols, symbols[1:]))"),
    "eats the counts": MERGES.replace("    return merges",
        "    for w in list(counts): counts[w] = 0\n    return merges"),
}
# fmt: on
MERGES_RIGHT = {
    "as in the paper": MERGES,
    "blanks between symbols": """words = {" ".join(w): c for w, c in counts.items()}
    order = sorted({c for w in counts for c in w}); merges = []
    for _ in range(n):
        pairs = collections.defaultdict(int)
        for w, c in words.items():
            s = w.split(" ")
            for k in range(len(s) - 1): pairs[s[k], s[k + 1]] += c
        if not pairs: break
        most = max(pairs.values())
        a, b = min((order.index(p[0]), order.index(p[1])) for p in pairs if pairs[p] == most)
        a, b = order[a], order[b]
        pattern = re.compile(r"(?<!\\S)" + re.escape(a + " " + b) + r"(?!\\S)")
        words = {pattern.sub(a + b, w): c for w, c in words.items()}
        merges.append([a, b])
        if a + b not in order: order.append(a + b)
    return merges""",
    "a list of symbols and counts": MERGES.replace(
        "words = {w: list(w) for w in counts}", "words = dict(zip(counts, map(list, counts)))"
    )
    .replace(
        "min(pairs, key=lambda p: (-pairs[p], age[p[0]], age[p[1]]))",
        "sorted(pairs, key=lambda p: (age[p[0]], age[p[1]])) and max(sorted(pairs, key=lambda p: (age[p[0]], "
        "age[p[1]])), key=pairs.get)",
    )
    .replace("merges.append(list(best))", "merges.append(best)"),
}

BYTES_WRONG = {
    "characters": "return sum(len(t) for t in texts) / sum(token_counts)",
    "mean of ratios": "return sum(len(t.encode()) / c for t, c in zip(texts, token_counts)) / len(texts)",
    "the wrong way round": "return sum(token_counts) / sum(len(t.encode()) for t in texts)",
    "words": "return sum(len(t.split()) for t in texts) / sum(token_counts)",
    "bytes a text": "return sum(len(t.encode()) for t in texts) / len(texts)",
    "bits": "return 8 * sum(len(t.encode()) for t in texts) / sum(token_counts)",
    "UTF-16": "return sum(len(t.encode('utf-16-le')) for t in texts) / sum(token_counts)",
    "no blanks": "return sum(len(''.join(t.split()).encode()) for t in texts) / sum(token_counts)",
    "median": "return float(np.median([len(t.encode()) / c for t, c in zip(texts, token_counts)]))",
    "whole numbers": "return sum(len(t.encode()) for t in texts) // sum(token_counts)",
    "a tensor": "return torch.tensor(sum(len(t.encode()) for t in texts) / sum(token_counts))",
    "special tokens added": "return sum(len(t.encode()) for t in texts) / (sum(token_counts) + 2 * len(texts))",
    "first text": "return len(texts[0].encode()) / max(1, token_counts[0])",
}
BYTES_RIGHT = {
    "encode": "return sum(len(t.encode()) for t in texts) / sum(token_counts)",
    "join first": "return len(''.join(texts).encode('utf-8')) / sum(token_counts)",
    "numpy": "return float(np.sum([len(bytes(t, 'utf-8')) for t in texts]) / np.sum(token_counts))",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "keep_page": {
        "keeps all": "every page is kept", "drops all": "no page is kept", "the wrong way round": "wrong way round",
        "length alone": "only the length",
    },
    "drop_exact_duplicates": {
        "no normalisation": "normalise before", "case kept": "not folded", "strip only": "only the ends",
        "blanks kept": "runs of blanks", "all blanks removed": "all blanks", "keeps the last": "last copy",
        "returns the copies": "copies were returned", "drops the first, too": "dropped with its copies",
        "returns texts": "texts were returned", "returns flags": "True or False", "bag of words": "bags of words",
        "no punctuation": "punctuation was removed", "no NFKC": "not made one", "NFC": "NFC makes",
    },
    "minhash_signature": {
        "largest": "largest", "no prime": "PRIME is missing", "no mask": "32 bits were not",
        "mask last": "before mod",
        "no b": "b is missing", "no a": "a is missing", "float64": "floating point", "first shingle": "first shingle",
        "a times the sum": "multiplies the sum",
    },
    "candidate_pairs": {
        "any row": "one equal number", "all bands": "all bands had to", "interleaved": "every fourth",
        "bands taken for rows": "how many numbers", "both orders": "came twice", "pairs with itself": "with itself",
        "neighbours only": "only neighbours", "one set of buckets": "ANOTHER band", "glued numbers": "glued",
        "unsorted": "not sorted", "several times": "several times", "first band only": "only the first band",
        "last band forgotten": "last band", "with the first of the bucket only": "only the first was paired",
        "sum of the rows": "added up",
    },
    "find_pii": {
        "end inclusive": "last character", "length for end": "length stands", "the texts": "texts came back",
        "no kind": "kind is missing", "by kind": "sorted by kind", "no houses": "house addresses are",
        "no e-mail": "e-mail addresses are", "no telephone": "telephone numbers are",
        "without the prefix": "prefix +00", "full stop taken along": "full stop",
        "e-mail cut at the dot": "cut at a dot", "first of each kind": "first of each",
        "bracket left standing": "opening bracket", "e-mail without +": "dot or a +",
    },
    "contaminated": {
        "case": "letter case was counted", "punctuation": "punctuation was counted",
        "case and punctuation": "case and punctuation", "n − 1": "n − 1", "n + 1": "n + 1",
        "one word": "one shared word", "whole test": "whole test", "all of them": "every n-gram",
        "no order": "order of the words", "the wrong way round": "wrong way round", "for each test": "each test",
        "positions": "positions came back", "tests glued": "tests were joined", "pages glued": "pages were joined",
        "last n-gram forgotten": "last run", "short texts count": "fewer than n words",
        "apostrophe in words": "apostrophe", "no digits": "digits were left out",
    },
    "merge_pair": {
        "first only": "only the first", "other way, too": "other way round", "nothing": "nothing was merged",
        "removed": "was removed", "one text": "one text", "overlapping": "two merges",
        "from the right": "right to left", "wrong order": "wrong order", "step of one": "second symbol",
        "last symbol lost": "last symbol was lost",
    },
    "learn_merges": {
        "no recount": "counted once", "no weights": "weigh a pair", "joined symbols": "joined symbols",
        "one too few": "too few", "one too many": "too many", "a tuple to merge_pair": "again and again",
        "a pair counts once a word": "once a word",
    },
    "bytes_per_token": {
        "characters": "characters were", "mean of ratios": "mean of the texts",
        "the wrong way round": "wrong way round", "words": "words were", "bytes a text": "for each text",
        "bits": "bits were", "UTF-16": "UTF-16", "no blanks": "blanks were",
    },
}
BREAKS = {
    "keep_page": {
        "no words of the web": lab.BOILERPLATE, "no look at the encoding": lab.BROKEN, "ASCII only": lab.ACCENTS,
        "no count of letters or common words": lab.GIBBERISH, "common words too strictly": lab.LISTS,
        "an empty page stays": lab.EMPTY, "no sign of the wrong alphabet at all": lab.ACCENTS,
    },
    "drop_exact_duplicates": {
        "no NFKC": lab.NFKC, "NFC": lab.NFKC, "bag of words": lab.OTHER_WORDS, "no punctuation": lab.OTHER_WORDS,
        "all blanks removed": lab.OTHER_WORDS, "beginning only": lab.WHOLE_PAGE, "skips empty pages": lab.EMPTY_PAGE,
    },
    "minhash_signature": {
        "empty page stops it": lab.NO_SHINGLE, "empty page is 0": lab.NO_SHINGLE, "int32": lab.INT64,
    },
    "candidate_pairs": {
        "neighbours only": lab.ALL_OF_BUCKET, "with the first of the bucket only": lab.ALL_OF_BUCKET,
        "one set of buckets": lab.OWN_BUCKETS, "glued numbers": lab.AS_NUMBERS, "sum of the rows": lab.AS_NUMBERS,
    },
    "find_pii": {
        "one way to write a number": lab.PHONES, "without the prefix": lab.PHONES,
        "bracket after the border": lab.PHONES, "bracket left standing": lab.PHONES,
        "e-mail cut at the dot": lab.EMAILS, "e-mail without +": lab.EMAILS,
        "host of one word": lab.EMAILS, "only lanes and streets": lab.HOUSES,
        "no letter behind the number": lab.HOUSES, "no edge before the number": lab.NONE_OF_IT,
        "every street": lab.NONE_OF_IT, "555 of 1555": lab.NONE_OF_IT, "first of each kind": lab.EACH_ONE,
        "the end of another number": lab.NONE_OF_IT, "a number that goes on": lab.NONE_OF_IT,
        "no hyphen at the front of the host": lab.EMAILS,
    },
    "contaminated": {
        "apostrophe in words": lab.APOSTROPHE, "pieces of text": lab.WHOLE_WORDS, "tests glued": lab.NO_CROSSING,
        "pages glued": lab.NO_CROSSING, "last n-gram forgotten": lab.LAST_RUN, "short texts count": lab.SHORT,
    },
    "merge_pair": {
        "overlapping": lab.USED_ONCE, "from the right": lab.USED_ONCE, "text compared": lab.WHOLE_SYMBOLS,
        "search and replace in the text": lab.WHOLE_SYMBOLS,
    },
    "learn_merges": {
        "no weights": lab.WEIGHTS, "a pair counts once a word": lab.TWICE, "tie: first seen": lab.TIES,
        "tie: youngest": lab.TIES, "characters as met": lab.TIES, "never stops": lab.STOPS,
        "only pairs that occur twice": lab.RARE,
    },
    "bytes_per_token": {"characters": lab.UTF8},
}
# fmt: on
BODIES = {
    "keep_page": ("text", KEEP_WRONG, KEEP_RIGHT),
    "drop_exact_duplicates": ("texts", EXACT_WRONG, EXACT_RIGHT),
    "minhash_signature": ("hashes, a, b", MINHASH_WRONG, MINHASH_RIGHT),
    "candidate_pairs": ("signatures, bands", PAIRS_WRONG, PAIRS_RIGHT),
    "find_pii": ("text", PII_WRONG, PII_RIGHT),
    "contaminated": ("pages, tests, n=8", LEAKS_WRONG, LEAKS_RIGHT),
    "merge_pair": ("symbols, pair", MERGE_WRONG, MERGE_RIGHT),
    "learn_merges": ("counts, n", MERGES_WRONG, MERGES_RIGHT),
    "bytes_per_token": ("texts, token_counts", BYTES_WRONG, BYTES_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
