"""Lab 12: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show, and "breaks" the rule that an answer breaks alone.
"""

from course_lib.questions import lab12_reasoning as lab

PRELUDE = (
    "import math\nimport re\nimport statistics\nfrom collections import Counter\nimport numpy as np\nimport torch\n"
    "import torch.nn.functional as F\nfrom scipy.special import comb, gammaln\n"
)

STACKED = "return torch.stack([{part} for s in range(int(part.max()) + 1)], 1)"
ONE_PART = "torch.where(part == s, logprobs, 0.0).sum(1).exp()"
SPARSE = """B, T = part.shape; out = torch.{start}(B, int(part.max()) + 1, dtype=logprobs.dtype)
    for b in range(B):
        for t in range(T):
            if part[b, t] >= {least}: out[b, part[b, t]] {step}
    return {out}"""


def stacked(part=ONE_PART):
    return STACKED.replace("{part}", part)


def token_by_token(start="ones", least=0, step="*= logprobs[b, t].exp()", out="out"):
    return SPARSE.format(start=start, least=least, step=step, out=out)


MEAN_OF = "torch.where(part == s, {x}, 0.0).sum(1) / (part == s).sum(1)"
CHANCES_WRONG = {
    "no exp": stacked("torch.where(part == s, logprobs, 0.0).sum(1)"),
    "losses": stacked("-torch.where(part == s, logprobs, 0.0).sum(1)"),
    "mean of logarithms": stacked(f"({MEAN_OF.format(x='logprobs')}).nan_to_num(0.0).exp()"),
    "sum of chances": stacked("torch.where(part == s, logprobs.exp(), 0.0).sum(1)"),
    "mean of chances": stacked(f"({MEAN_OF.format(x='logprobs.exp()')}).nan_to_num(1.0)"),
    "cumulative": stacked("torch.where((part >= 0) & (part <= s), logprobs, 0.0).sum(1).exp()"),
    "whole chain": "return torch.where(part >= 0, logprobs, 0.0).sum(1).exp()",
    "over the rows, too": "return torch.stack([torch.where(part == s, logprobs, 0.0).sum().exp() for s in "
    "range(int(part.max()) + 1)])",
    "stacked along 0": stacked().replace("], 1)", "])"),
    "last part missing": stacked().replace(" + 1)", ")"),
    "each token's": "return torch.where(part >= 0, logprobs, 0.0).exp()",
    "goes wrong": stacked(f"1 - {ONE_PART}"),
    "weakest token": stacked("torch.where(part == s, logprobs, 0.0).amin(1).exp()"),
    "exp of what is masked": stacked("torch.where(part == s, logprobs, 0.0).exp().sum(1)"),
    "times the mask": stacked("(logprobs * (part == s)).sum(1).exp()"),
    "one-hot": "hot = F.one_hot(part.clamp(min=-1) + 1)[..., 1:].to(logprobs.dtype); return torch.einsum('bt,bts->bs', "
    "logprobs, hot).exp()",
    "clamped to part 0": "part = part.clamp(min=0); " + stacked(),
    "index −1": token_by_token(least=-9),
    "column for no part": "return torch.stack([torch.where(part == s, logprobs, 0.0).sum(1).exp() for s in "
    "range(int(part.min()), int(part.max()) + 1)], 1)",
    "no part in every part": stacked("torch.where((part == s) | (part < 0), logprobs, 0.0).sum(1).exp()"),
    "0 for no such part": token_by_token("zeros", step="+= logprobs[b, t]", out="torch.where(out < 0, out.exp(), 0.0)"),
    "NaN for no such part": stacked(f"torch.where((part == s).any(1), {ONE_PART}, math.nan)"),
    "unique": "return torch.stack([torch.where(part == s, logprobs, 0.0).sum(1).exp() for s in part.unique() if s >= "
    "0], 1)",
    "in place": "logprobs[part < 0] = 0.0; logprobs.exp_(); return torch.stack([torch.where(part == s, logprobs, "
    "1.0).prod(1) for s in range(int(part.max()) + 1)], 1)",
    "float32": "logprobs = logprobs.float(); " + stacked(),
    "squeezed": stacked() + ".squeeze()",
}
CHANCES_RIGHT = {
    "where": stacked(),
    "masked_fill": stacked("logprobs.masked_fill(part != s, 0).sum(dim=1).exp()"),
    "products": stacked("torch.where(part == s, logprobs.exp(), 1.0).prod(1)"),
    "token by token": token_by_token(),
    "scatter": "n = int(part.max()) + 1; where = torch.where(part < 0, n, part); return torch.zeros(len(part), n + 1, "
    "dtype=logprobs.dtype).scatter_add_(1, where, logprobs)[:, :n].exp()",
    "lists": "n = part.max().item() + 1; return torch.tensor([[math.prod(math.exp(x) for x, p in zip(row, its) if p == "
    "s) for s in range(n)] for row, its in zip(logprobs.tolist(), part.tolist())], dtype=logprobs.dtype)",
    "one-hot of the clean ones": "x = torch.where(part < 0, 0.0, logprobs); hot = F.one_hot(part.clamp(min=0), "
    "int(part.max()) + 1).to(x.dtype); return (x[:, None] @ hot)[:, 0].exp()",
    "numpy": "x, p = logprobs.numpy(), part.numpy(); out = np.stack([np.exp(np.where(p == s, x, 0).sum(1)) for s in "
    "range(p.max() + 1)], axis=1); return torch.from_numpy(out).to(logprobs.dtype)",
}

VALUES = "v = [1 - math.comb(n - c, k) / math.comb(n, k) for c in found]"
BACK = "return sum(v) / len(v), statistics.stdev(v) / math.sqrt(len(v)) if len(v) > 1 else 0.0"


def passes(values=VALUES, back=BACK):
    return f"{values}; {back}"


def each(value):
    return passes(f"v = [{value} for c in found]")


def error(of):
    return passes(back=f"return sum(v) / len(v), {of} if len(v) > 1 else 0.0")


def mean(of):
    return passes(back=BACK.replace("sum(v) / len(v)", of))


PASS_WRONG = {
    "with replacement": each("1 - (1 - c / n) ** k"),
    "share of right tries": each("c / n"),
    "none of k": each("math.comb(n - c, k) / math.comb(n, k)"),
    "all of k": each("math.comb(c, k) / math.comb(n, k)"),
    "c for n - c": each("1 - math.comb(c, k) / math.comb(n, k)"),
    "exactly one": each("c * math.comb(n - c, k - 1) / math.comb(n, k)"),
    "expected number": each("k * c / n"),
    "expected number, at most 1": each("min(1.0, k * c / n)"),
    "sum": mean("sum(v)"),
    "any right at all": each("float(c > 0)"),
    "one heap": mean("1 - math.comb(n * len(found) - sum(found), k) / math.comb(n * len(found), k)"),
    "median": mean("statistics.median(v)"),
    "percent": mean("100 * sum(v) / len(v)"),
    "swapped": passes(back="return statistics.stdev(v) / len(v) ** 0.5 if len(v) > 1 else 0.0, sum(v) / len(v)"),
    "the values": passes(back="return v"),
    "mean alone": passes(back="return sum(v) / len(v)"),
    "simulated": "rng = np.random.default_rng(0)\n    v = [np.mean([rng.permutation(n)[:k].min() < c for _ in "
    f"range(200)]) for c in found]\n    {BACK}",
    "0 where few are wrong": each("1 - math.comb(n - c, k) / math.comb(n, k) if n - c >= k else 0.0"),
    "few wrong left out": passes("v = [1 - math.comb(n - c, k) / math.comb(n, k) for c in found if n - c >= k]"),
    "exactly k wrong": each("1.0 if n - c <= k else 1 - math.comb(n - c, k) / math.comb(n, k)"),
    "factorials": each(
        "1 - math.factorial(n - c) * math.factorial(n - k) / (math.factorial(n - c - k) * math.factorial(n))"
    ),
    "scipy's comb": each("1 - comb(n - c, k) / comb(n, k)"),
    "floats": each("1 - float(math.comb(n - c, k)) / float(math.comb(n, k))"),
    "logarithms in float32": each(
        "1.0 if n - c < k else 1 - math.exp(float(torch.lgamma(torch.tensor(n - c + 1.0)) - torch.lgamma(torch.tensor("
        "n - c - k + 1.0)) - torch.lgamma(torch.tensor(n + 1.0)) + torch.lgamma(torch.tensor(n - k + 1.0))))"
    ),
    "Q in the deviation": error("statistics.pstdev(v) / math.sqrt(len(v))"),
    "numpy's std": passes(back="return np.mean(v), np.std(v) / np.sqrt(len(v))"),
    "deviation alone": error("statistics.stdev(v)"),
    "deviation with Q, alone": error("float(np.std(v))"),
    "over Q": error("statistics.stdev(v) / len(v)"),
    "over the root of Q - 1": error("statistics.stdev(v) / math.sqrt(len(v) - 1)"),
    "variance": error("statistics.variance(v) / len(v)"),
    "of a share": error("math.sqrt(max(0.0, sum(v) / len(v) * (1 - sum(v) / len(v))) / len(v))"),
    "over the root of n": error("statistics.stdev(v) / math.sqrt(n)"),
    "95 %": error("1.96 * statistics.stdev(v) / math.sqrt(len(v))"),
    "error of c/n": error("statistics.stdev([c / n for c in found]) / math.sqrt(len(v))"),
    "NaN of one": passes(back="t = torch.tensor(v); return t.mean(), t.std() / len(v) ** 0.5"),
    "stdev of one": passes(back="return statistics.fmean(v), statistics.stdev(v) / len(v) ** 0.5"),
    "root of p(1 - p) of one": passes(back=BACK.replace("0.0", "math.sqrt(v[0] * (1 - v[0]))")),
    "counts changed in place": "for i, c in enumerate(found): found[i] = 1 - math.comb(n - c, k) / math.comb(n, k)\n   "
    " v = found; " + BACK,
}
PASS_RIGHT = {
    "comb": passes(),
    "numpy product": "v = np.array([1.0 if n - c < k else 1 - np.prod(1 - k / np.arange(n - c + 1, n + 1)) for c in "
    "found]); return v.mean(), v.std(ddof=1) / np.sqrt(len(v)) if len(v) > 1 else 0.0",
    "lgamma": "v = []\n    for c in found:\n        if n - c < k: v.append(1.0); continue\n        v.append(1 - "
    "math.exp(math.lgamma(n - c + 1) - math.lgamma(n - c - k + 1) - math.lgamma(n + 1) + math.lgamma(n - k + 1)))\n    "
    + BACK,
    "gammaln": "c = np.array(found); left = np.maximum(n - c - k, -1)\n    logs = gammaln(n - c + 1) - gammaln(left + "
    "1.0) - gammaln(n + 1) + gammaln(n - k + 1)\n    v = np.where(left < 0, 1.0, -np.expm1(logs)); e = v.std(ddof=1) / "
    "len(v) ** 0.5 if len(v) > 1 else 0\n    return [float(v.mean()), float(e)]",
    "tensors": passes(
        back="t = torch.tensor(v); return t.mean(), t.std() / len(v) ** 0.5 if len(v) > 1 else torch.tensor(0.0)"
    ),
    "one draw after the other": "def wrong(c):\n        p = 1.0\n        for i in range(k): p *= max(n - c - i, 0) / "
    f"(n - i)\n        return p\n    v = [1 - wrong(c) for c in found]; {BACK}",
    "factorials of whole numbers": each(
        "1 if n - c < k else 1 - math.factorial(n - c) * math.factorial(n - k) / (math.factorial(n - c - k) * "
        "math.factorial(n))"
    ),
    "variance by hand": passes(
        back="m = sum(v) / len(v); s = sum((x - m) ** 2 for x in v) / max(1, len(v) - 1); return m, (s / len(v)) ** 0.5"
    ),
}

CAST = "v = [a for a in answers if a is not None]"
EMPTY = "if not v: return None, 0.0"


def vote(winner="Counter(v).most_common(1)[0][0]", share="v.count(w) / len(v)", cast=CAST, empty=EMPTY, out="w, {}"):
    return f"{cast}\n    {empty}\n    w = {winner}; return {out.format(share)}"


VOTE_WRONG = {
    "rarest": vote("Counter(v).most_common()[-1][0]"),
    "first chain": vote("v[0]"),
    "last chain": vote("v[-1]"),
    "first of the alphabet": vote("min(v)"),
    "more than half": vote("Counter(v).most_common(1)[0][0]", out="(w if v.count(w) > len(v) / 2 else None), {}"),
    "swapped": vote(out="v.count(w) / len(v), w"),
    "count": vote("Counter(v).most_common(1)[0]", empty="if not v: return None, 0.0", out="w"),
    "percent": vote(share="100 * v.count(w) / len(v)"),
    "over the different ones": vote(share="v.count(w) / len(set(v))"),
    "over the others": vote(share="v.count(w) / max(1, len(v) - v.count(w))"),
    "share of the others": vote(share="1 - v.count(w) / len(v)"),
    "answer alone": vote(out="w"),
    "None votes": "w, count = Counter(answers).most_common(1)[0]; return w, count / len(answers)",
    "None wins": vote("Counter(answers).most_common(1)[0][0]", share="answers.count(w) / len(v)"),
    "over all chains": vote(share="v.count(w) / len(answers)"),
    "last of the tied": vote("max(reversed(v), key=v.count)"),
    "later of equals": "w, most = None, 0\n    for a in dict.fromkeys(answers):\n        if a is not None and "
    "answers.count(a) >= most: w, most = a, answers.count(a)\n    cast = len(answers) - answers.count(None); return w, "
    "most / cast if cast else 0.0",
    "sorted": vote("max(sorted(v), key=v.count)"),
    "numpy": "v = np.array([a for a in answers if a is not None])\n    if len(v) == 0: return None, 0.0\n    names, "
    "counts = np.unique(v, return_counts=True); return names[counts.argmax()], counts.max() / len(v)",
    "last of the alphabet": vote("max((v.count(a), a) for a in v)[1]"),
    "first to get there": "best, counts, w = 0, Counter(), None\n    for a in answers:\n        if a is None: "
    "continue\n        counts[a] += 1\n        if counts[a] > best: best, w = counts[a], a\n    return w, best / "
    "counts.total() if counts else 0.0",
    "nobody: NaN": vote(empty="if not v: return None, math.nan"),
    "nobody: all": vote(empty="if not v: return None, 1.0"),
    "nobody: None, None": vote(empty="if not v: return None, None"),
    "nobody: None": vote(empty="if not v: return None"),
    "nobody: an empty text": vote(empty="if not v: return '', 0.0"),
    "nobody: an error": vote(empty=""),
    "removes None": vote(cast="while None in answers: answers.remove(None)\n    v = answers"),
    "sorts": vote(cast="order = {a: i for i, a in reversed(list(enumerate(answers)))}; answers.sort(key=lambda a: "
    "order[a]); v = [a for a in answers if a is not None]"),
}  # fmt: skip
VOTE_RIGHT = {
    "Counter": vote(),
    "max of a list": vote("max(v, key=v.count)"),
    "mode": vote("statistics.mode(v)"),
    "dict": "counts = {}\n    for a in answers:\n        if a is not None: counts[a] = counts.get(a, 0) + 1\n    if "
    "len(counts) == 0: return (None, 0)\n    w = max(counts, key=counts.get); return [w, counts[w] / "
    "sum(counts.values())]",
    "loop": "best, share, total = None, 0.0, sum(a is not None for a in answers)\n    for a in answers:\n        if a "
    "is None: continue\n        s = answers.count(a) / total\n        if s > share: best, share = a, s\n    return "
    "best, share",
    "sorted by place": vote("sorted(set(v), key=lambda a: (-v.count(a), v.index(a)))[0]"),
    "numpy by place": "v = [a for a in answers if a is not None]\n    if not v: return None, 0.0\n    names, first, "
    "counts = np.unique(v, return_index=True, return_counts=True); i = np.lexsort((first, -counts))[0]; return "
    "names[i], counts[i] / counts.sum()",
    "tensor": "v = [a for a in answers if a is not None]\n    if not v: return None, torch.tensor(0.0)\n    c = "
    "torch.tensor([v.count(a) for a in v]); i = int((c == c.max()).nonzero()[0]); return v[i], c[i] / len(v)",
    "deletes None": "counts = Counter(answers); del counts[None]\n    if not counts: return None, 0.0\n    w, n = "
    "counts.most_common(1)[0]; return w, n / counts.total()",
}

CLEAN = "given.strip().removesuffix('.').strip().lower()"


def checker(split="given = text.partition('Answer:')[2]", clean=CLEAN, test="{} == answer.lower()", once=True):
    """Source of a checker: what is given, what is put aside in it, how it is compared, whether Answers are counted."""
    counted = "text.count('Answer:') == 1 and " if once else ""
    return f"{split}; return {counted}{test.format(clean)}"


LAST = "given = text.split('Answer:')[-1]"
FIRST = "given = (text.split('Answer:') + [''])[1]"
VERIFY_WRONG = {
    "in a hurry": "return answer in text",
    "in a hurry, small letters": "return answer.lower() in text.lower()",
    "anywhere behind it": checker(clean="given.lower()", test="answer.lower() in {}"),
    "anywhere behind it, not counted": checker(clean="given.lower()", test="answer.lower() in {}", once=False),
    "a whole word behind it": "given = text.partition('Answer:')[2].lower(); return text.count('Answer:') == 1 and "
    r"re.search(rf'\b{re.escape(answer.lower())}\b', given) is not None",
    "begins with it": checker(test="{}.startswith(answer.lower())"),
    "ends with it": checker(test="{}.endswith(answer.lower())"),
    "in the wrong way round": checker(test="{} in answer.lower()"),
    "equal to the text": "return text == answer",
    "blank kept": checker(clean="given.removesuffix('.').lower()"),
    "turned round": checker(test="{} != answer.lower()"),
    "always": "return True",
    "begins with Answer": checker() + " and text.startswith('Answer:')",
    "last of two": checker(LAST, once=False),
    "last of two, or none": checker("given = text.rpartition('Answer:')[2]", once=False),
    "last of two, at least one": checker(LAST, once=False).replace("return ", "return 'Answer:' in text and "),
    "first of two": checker(FIRST, once=False),
    "first of two, an error": checker("given = text.split('Answer:')[1]", once=False),
    "both of two": f"parts = text.split('Answer:')[1:]; return bool(parts) and all({CLEAN} == answer.lower() for given "
    "in parts)",
    "none is one": checker("given = text.partition('Answer:')[2] if 'Answer:' in text else text").replace(
        "== 1 and", "<= 1 and"
    ),
    "any of a list": f"parts = text.partition('Answer:')[2].split(','); return text.count('Answer:') == 1 and "
    f"any({CLEAN} == answer.lower() for given in parts)",
    "first of a list": checker("given = text.partition('Answer:')[2].split(',')[0]"),
    "first sentence": f"given = text.partition('Answer:')[2].strip(); given = given if given.endswith('..') else "
    f"given.split('.')[0]; return text.count('Answer:') == 1 and {CLEAN} == answer.lower()",
    "first line": checker("given = (text.partition('Answer:')[2].strip().splitlines() + [''])[0]"),
    "regular expression of a line": r"m = re.findall(r'^.*?Answer:\s*(.*?)\.?\s*$', text, re.M); return "
    "text.count('Answer:') == 1 and len(m) == 1 and m[0].lower() == answer.lower()",
    "right answer before it": f"before, _, given = text.partition('Answer:'); return text.count('Answer:') == 1 and "
    f"(answer in before or {CLEAN} == answer.lower())",
    "right answer once": checker() + " and text.lower().count(answer.lower()) == 1",
    "one line": r"m = re.fullmatch(r'.*Answer:\s*(.*?)\.?\s*', text); return bool(m) and text.count('Answer:') == 1 "
    "and m[1].lower() == answer.lower()",
    "first colon": checker("given = (text.split(':') + [''])[1]"),
    "wrong steps": "steps, _, given = text.partition('Answer:'); return text.count('Answer:') == 1 and "
    f"({CLEAN} == answer.lower()) and not (' is a ' in steps and answer.lower() not in steps.lower())",
    "full stop kept": checker(clean="given.strip().lower()"),
    "capitals kept": checker(clean="given.strip().removesuffix('.')", test="{} == answer"),
    "nothing put aside": checker(clean="given.strip()", test="{} == answer"),
    "small letters on one side": checker(test="{} == answer"),
    "full stop before blanks": checker(clean="given.removesuffix('.').strip().lower()"),
    "all full stops": checker(clean="given.strip().rstrip('.').lower()"),
    "strips stops and blanks": checker(clean="given.strip(' .\\n').lower()"),
    "all signs": checker(clean="given.strip().rstrip('.,;:!?').lower()"),
    "marker with a blank": checker("given = text.partition('Answer: ')[2]"),
    "blanks alone": checker(clean="given.strip(' ').removesuffix('.').lower()"),
    "one blank": checker("given = text.partition('Answer: ')[2]", clean="given.removesuffix('.').lower()"),
    "left blanks": checker(clean="given.lstrip().removesuffix('.').lower()"),
    "any capitals": checker("text = text.lower(); given = text.partition('answer:')[2]").replace(
        "text.count('Answer:')", "text.count('answer:')"
    ),
    "any capitals, last": "low = text.lower(); given = low.rpartition('answer:')[2]; return text.count('Answer:') <= 1 "
    f"and 'answer:' in low and {CLEAN} == answer.lower()",
    "no colon": checker("given = text.partition('Answer')[2].strip(' :')").replace(
        "count('Answer:')", "count('Answer')"
    ),
    "a match": r"return re.search(rf'Answer:\s*{re.escape(answer)}\.?\s*$', text, re.I)",
}
VERIFY_RIGHT = {
    "partition": checker(),
    "without a count": checker(once=False),
    "split": "parts = text.split('Answer:')\n    if len(parts) != 2: return False\n    given = parts[1].strip()\n    "
    "if given.endswith('.'): given = given[:-1]\n    return given.casefold() == answer.casefold()",
    "last, counted": checker(LAST),
    "index": "if text.count('Answer:') != 1:\n        return False\n    given = text[text.index('Answer:') + "
    "len('Answer:'):].strip().lower(); return given in (answer.lower(), answer.lower() + '.')",
    "fullmatch": r"return bool(re.fullmatch(rf'(?:(?!Answer:).)*Answer:\s*(?i:{re.escape(answer)})\.?\s*', text, "
    "re.S))",
    "findall": r"m = re.findall(r'Answer:(.*?)(?=Answer:|\Z)', text, re.S); return len(m) == 1 and "
    r"re.sub(r'\.?\s*\Z', '', m[0]).strip().upper() == answer.upper()",
    "search to the end": r"m = re.search(r'Answer:\s*(.*?)\s*\Z', text, flags=re.DOTALL)" + "\n    if m is None or "
    "len(re.findall('Answer:', text)) > 1: return False\n    said = m.group(1); said = said[:-1] if said[-1:] == '.' "
    "else said; return said.lower() == answer.lower()",
    "words": "before, marker, given = text.partition('Answer:')\n    given = ' '.join(given.split()).lower()\n    "
    "return marker != '' and 'Answer:' not in given and given.removesuffix('.') == ' '.join(answer.lower().split())",
    "numpy": "ok = np.array([text.count('Answer:') == 1, text.split('Answer:')[-1].strip().removesuffix('.').lower() "
    "== answer.lower()]); return ok.all()",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
NAMED = {
    "step_chances": {
        "no exp": "exp makes chances", "losses": "signs are turned", "mean of logarithms": "MEAN log-probability",
        "sum of chances": "were added up", "mean of chances": "were averaged", "cumulative": "the parts before it",
        "whole chain": "whole chain's", "over the rows, too": "rows were multiplied",
        "stacked along 0": "changed places", "last part missing": "last part is missing",
        "each token's": "each token's own", "goes wrong": "goes WRONG", "weakest token": "weakest token",
        "times the mask": "0 · NaN", "one-hot": "0 · NaN", "clamped to part 0": "tokens of part 0",
        "index −1": "−1 is the last place", "column for no part": "column of their own",
        "no part in every part": "tokens of every part", "0 for no such part": "got the chance 0",
        "NaN for no such part": "got NaN", "unique": "only numbers that occur",
    },
    "pass_at_k": {
        "with replacement": "too low", "share of right tries": "k was not used", "none of k": "NONE of k",
        "all of k": "ALL k are right: one", "c for n - c": "mixed up", "exactly one": "EXACTLY one",
        "expected number": "on average", "expected number, at most 1": "held at 1", "sum": "sum over the questions",
        "any right at all": "any right try at all", "one heap": "one heap", "median": "median", "percent": "percent",
        "swapped": "changed places", "0 where few are wrong": "value was 0", "few wrong left out": "left out",
        "exactly k wrong": "exactly k wrong", "Q in the deviation": "Q stands in", "numpy's std": "Q stands in",
        "deviation alone": "deviation itself", "deviation with Q, alone": "with Q in it",
        "over Q": "divided by Q: by √Q",
        "over the root of Q - 1": "by √(Q − 1)", "variance": "variance over Q", "of a share": "√(p(1 − p)/Q)",
        "over the root of n": "by √n", "95 %": "95 %", "error of c/n": "error of c/n", "NaN of one": "NaN",
        "root of p(1 - p) of one": "√(p(1 − p))",
    },
    "majority": {
        "rarest": "RAREST", "first chain": "first chain", "last chain": "last chain",
        "first of the alphabet": "first answer in the alphabet", "more than half": "more than half",
        "swapped": "changed places", "count": "number of votes", "percent": "percent",
        "over the different ones": "number of different", "over the others": "those of the others",
        "share of the others": "share of the other answers", "None votes": "vote", "None wins": "None won",
        "over all chains": "without an answer were counted",
        "last of the tied": "LAST of their chains", "later of equals": "came LAST",
        "sorted": "first of the alphabet", "numpy": "first of the alphabet",
        "last of the alphabet": "last of the alphabet", "first to get there": "votes together first",
        "nobody: NaN": "NaN", "nobody: all": "all the votes", "nobody: None, None": "both are None",
        "nobody: None": "one thing came back", "nobody: an empty text": "empty text",
    },
    "verify": {
        "in a hurry": "accepted", "in a hurry, small letters": "accepted",
        "anywhere behind it": "accepted", "anywhere behind it, not counted": "accepted",
        "a whole word behind it": "accepted", "begins with it": "accepted",
        "ends with it": "ENDS with", "in the wrong way round": "wrong way round",
        "equal to the text": "no text is ever",
        "blank kept": "no text is ever", "turned round": "turned round", "always": "every text",
        "begins with Answer": "with steps before", "last of two": "taken for one",
        "last of two, or none": "taken for one", "last of two, at least one": "the LAST one was judged: two",
        "first of two": "FIRST one", "both of two": "right twice", "none is one": "without `Answer:` was taken for an",
        "any of a list": "in a list is enough", "first of a list": "first of a list",
        "first sentence": "first sentence",
        "first line": "first line", "regular expression of a line": "first line",
        "right answer before it": "BEFORE `Answer:` was", "right answer once": "stands twice",
        "one line": "several lines", "first colon": "colon in the steps", "wrong steps": "wrong step was held",
        "full stop kept": "one full stop at the end made", "capitals kept": "capitals made",
        "nothing put aside": "neither capitals", "small letters on one side": "in the text alone",
        "full stop before blanks": "before the blanks", "all full stops": "more than one full stop",
        "strips stops and blanks": "more than one full stop", "all signs": "another sign",
        "marker with a blank": "with a blank behind", "blanks alone": "line breaks were not",
        "one blank": "exactly one blank",
        "left blanks": "blanks behind the answer", "any capitals": "taken for `Answer:`, too",
        "any capitals, last": "taken for `Answer:`", "no colon": "without its colon",
    },
}  # fmt: skip

BREAKS = {
    "step_chances": {
        "times the mask": lab.NOWHERE, "clamped to part 0": lab.NOWHERE, "index −1": lab.NOWHERE,
        "0 for no such part": lab.ABSENT, "NaN for no such part": lab.ABSENT, "unique": lab.COLUMNS,
    },
    "pass_at_k": {
        "0 where few are wrong": lab.FEW_WRONG, "exactly k wrong": lab.FEW_WRONG, "factorials": lab.FEW_WRONG,
        "floats": lab.LARGE, "scipy's comb": lab.LARGE, "over Q": lab.ERROR, "NaN of one": lab.ALONE,
    },
    "majority": {
        "None wins": lab.NEVER_WINS, "over all chains": lab.NOT_CAST, "last of the tied": lab.CAME_FIRST,
        "first to get there": lab.CAME_FIRST, "nobody: an error": lab.NOBODY,
    },
    "verify": {
        "last of two, or none": lab.ONCE, "both of two": lab.ONCE, "any of a list": lab.ONLY, "first line": lab.ONLY,
        "right answer once": lab.BEFORE, "one line": lab.BEFORE, "full stop kept": lab.ASIDE,
        "all full stops": lab.ASIDE, "capitals kept": lab.ASIDE, "any capitals": lab.JUST_SO, "no colon": lab.JUST_SO,
    },
}  # fmt: skip

SIGNATURES = {
    "step_chances": "logprobs, part",
    "pass_at_k": "found, n, k",
    "majority": "answers",
    "verify": "text, answer",
}
BODIES = {
    "step_chances": (CHANCES_WRONG, CHANCES_RIGHT),
    "pass_at_k": (PASS_WRONG, PASS_RIGHT),
    "majority": (VOTE_WRONG, VOTE_RIGHT),
    "verify": (VERIFY_WRONG, VERIFY_RIGHT),
}


def source(name, body):
    return f"{PRELUDE}def {name}({SIGNATURES[name]}):\n    {body}\n"


BANK = {
    name: {
        "wrong": {label: source(name, body) for label, body in wrong.items()},
        "right": {label: source(name, body) for label, body in right.items()},
        "named": NAMED[name],
        "breaks": BREAKS[name],
    }
    for name, (wrong, right) in BODIES.items()
}
