"""Lab 12: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show, and "breaks" the rule that an answer breaks alone.
"""

from banks import bank_of

from course_lib.questions import lab12_reasoning as lab

PRELUDE = (
    "import math\nimport random\nimport re\nimport statistics\nfrom collections import Counter\n"
    "import numpy as np\nimport torch\n"
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

RAISES = "raise ValueError(kind)"


def kinds(
    grpo="c / (rewards.std(1, keepdim=True) + 1e-4)",
    dr_grpo="c",
    maxrl="c / m.clamp(min=1e-12)",
    before="m = rewards.mean(1, keepdim=True); c = rewards - m",
    otherwise=RAISES,
):
    return (
        f'{before}\n    if kind == "grpo":\n        return {grpo}\n    if kind == "dr_grpo":\n        return {dr_grpo}'
        f'\n    if kind == "maxrl":\n        return {maxrl}\n    {otherwise}'
    )


# fmt: off
ADVANTAGES_WRONG = {
    "batch mean": kinds(before="m = rewards.mean(); c = rewards - m"),
    "columns": kinds(before="m = rewards.mean(0, keepdim=True); c = rewards - m"),
    "mean of the others": kinds(
        before="m = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1); c = rewards - m"),
    "no mean": kinds(before="m = rewards.mean(1, keepdim=True); c = rewards"),
    "sign": kinds(before="m = rewards.mean(1, keepdim=True); c = m - rewards"),
    "median": kinds(before="m = rewards.median(1, keepdim=True).values; c = rewards - m"),
    "minus the best": kinds(before="m = rewards.amax(1, keepdim=True); c = rewards - m"),
    "dr_grpo divides": kinds(dr_grpo="c / (rewards.std(1, keepdim=True) + 1e-4)"),
    "two mixed up": kinds(grpo="c", dr_grpo="c / (rewards.std(1, keepdim=True) + 1e-4)"),
    "dr_grpo by the mean": kinds(dr_grpo="c / m"),
    "no keepdim": kinds(before="m = rewards.mean(1); c = rewards - m"),
    "G": kinds(grpo="c / (rewards.std(1, correction=0, keepdim=True) + 1e-4)"),
    "numpy's G": kinds(grpo="c / (torch.from_numpy(np.std(rewards.numpy(), axis=1, keepdims=True)) + 1e-4)"),
    "batch std": kinds(grpo="c / (rewards.std() + 1e-4)"),
    "variance": kinds(grpo="c / (rewards.var(1, keepdim=True) + 1e-4)"),
    "times std": kinds(grpo="c * (rewards.std(1, keepdim=True) + 1e-4)"),
    "mean distance": kinds(grpo="c / (c.abs().mean(1, keepdim=True) + 1e-4)"),
    "grpo does not divide": kinds(grpo="c"),
    "no epsilon": kinds(grpo="c / rewards.std(1, keepdim=True)"),
    "nan to num": kinds(grpo="torch.nan_to_num(c / rewards.std(1, keepdim=True))"),
    "epsilon 1e-8": kinds(grpo="c / (rewards.std(1, keepdim=True) + 1e-8)"),
    "epsilon in the root": kinds(grpo="c / (rewards.var(1, keepdim=True) + 1e-4).sqrt()"),
    "clamped": kinds(grpo="c / rewards.std(1, keepdim=True).clamp(min=1e-4)"),
    "maxrl by the sum": kinds(maxrl="c / rewards.sum(1, keepdim=True).clamp(min=1e-12)"),
    "maxrl by the batch": kinds(maxrl="c / rewards.mean().clamp(min=1e-12)"),
    "maxrl without the mean": kinds(maxrl="rewards / m.clamp(min=1e-12)"),
    "maxrl by the deviation": kinds(maxrl="c / (rewards.std(1, keepdim=True) + 1e-4)"),
    "maxrl with 1e-4": kinds(maxrl="c / (m + 1e-4)"),
    "maxrl times the mean": kinds(maxrl="c * m"),
    "maxrl by the root": kinds(maxrl="c / m.sqrt().clamp(min=1e-12)"),
    "maxrl by the others": kinds(maxrl="torch.nan_to_num(c / ((rewards.sum(1, keepdim=True) - rewards) / "
                                       "(rewards.shape[1] - 1)))"),
    "maxrl of zeros and ones only": kinds(maxrl="torch.where(rewards > 0, (1 - m) / m.clamp(min=1e-12), -(m > "
                                                "0).float())"),
    "maxrl 0 over 0": kinds(maxrl="c / m"),
    "maxrl of nothing is −1": kinds(maxrl="rewards / m.clamp(min=1e-12) - 1"),
    "the last for all others": kinds(otherwise="return c / m.clamp(min=1e-12)").replace(
        'if kind == "maxrl":\n        return c / m.clamp(min=1e-12)', "pass"),
    "None for others": kinds(otherwise="return None"),
    "KeyError": 'm = rewards.mean(1, keepdim=True); c = rewards - m\n    return {"grpo": c / (rewards.std(1, '
                'keepdim=True) + 1e-4), "dr_grpo": c, "maxrl": c / m.clamp(min=1e-12)}[kind]',
    "assert": kinds(before='assert kind in ("grpo", "dr_grpo", "maxrl"); m = rewards.mean(1, keepdim=True); c = '
                           'rewards - m', otherwise="pass"),
    "not implemented": kinds(otherwise="raise NotImplementedError(kind)"),
    "ValueError returned": kinds(otherwise="return ValueError(kind)"),
    "in place": kinds(before="m = rewards.mean(1, keepdim=True); s = rewards.std(1, keepdim=True); rewards -= m; c = "
                             "rewards", grpo="c / (s + 1e-4)"),
    "float32": kinds(before="rewards = rewards.float(); m = rewards.mean(1, keepdim=True); c = rewards - m"),
    "flat": kinds(dr_grpo="c.flatten()"),
}
ADVANTAGES_RIGHT = {
    "as shown": kinds(),
    "std_mean": kinds(before="s, m = torch.std_mean(rewards, dim=-1, keepdim=True); c = rewards - m",
                      grpo="c / (s + 1e-4)"),
    "nan_to_num": kinds(maxrl="torch.nan_to_num(c / m)"),
    "where": kinds(maxrl="torch.where(m > 0, c / m, torch.zeros_like(c))"),
    "a tiny number added": kinds(maxrl="c / (m + 1e-9)"),
    "over the mean, minus 1": kinds(maxrl="torch.where(m == 0, 0.0, rewards / m - 1)"),
    "divisors first": "G = rewards.shape[1]; m = rewards.sum(-1, keepdim=True) / G; c = rewards - m\n    under = "
                      '{"grpo": lambda: (c.square().sum(-1, keepdim=True) / (G - 1)).sqrt() + 1e-4, "dr_grpo": lambda: '
                      '1.0, "maxrl": lambda: m + (m == 0)}\n    if kind not in under:\n        raise ValueError(f"kind '
                      'is {kind!r}")\n    return c / under[kind]()',
    "loop": "out = []\n    for row in rewards:\n        c = row - row.mean()\n        if kind == 'grpo':\n            "
            "c = c / (row.std() + 1e-4)\n        elif kind == 'maxrl':\n            c = c / row.mean() if row.any() "
            "else c\n        elif kind != 'dr_grpo':\n            raise ValueError('unknown kind')\n        "
            "out.append(c)\n    return torch.stack(out)",
    "lists": "import statistics\n    out = []\n    if kind not in ('grpo', 'dr_grpo', 'maxrl'):\n        raise "
             "ValueError\n    for row in rewards.tolist():\n        m = sum(row) / len(row)\n        d = "
             "{'grpo': statistics.stdev(row) + 1e-4, 'dr_grpo': 1, 'maxrl': m or 1}[kind]\n        out.append([(r - m) "
             "/ d for r in row])\n    return torch.tensor(out, dtype=rewards.dtype)",
    "numpy": "x = rewards.numpy(); m = x.mean(1, keepdims=True); c = x - m\n    match kind:\n        case 'grpo': c = "
             "c / (x.std(1, ddof=1, keepdims=True) + 1e-4)\n        case 'dr_grpo': pass\n        case 'maxrl': c = "
             "np.divide(c, m, out=np.zeros_like(c), where=m > 0)\n        case _: raise ValueError(kind)\n    return "
             "torch.from_numpy(c).to(rewards.dtype)",
    "einsum": kinds(before="G = rewards.shape[1]; m = torch.einsum('pg->p', rewards)[:, None] / G; c = rewards - m",
                    grpo="c / ((torch.einsum('pg,pg->p', c, c) / (G - 1)).sqrt()[:, None] + 1e-4)"),
    "another ValueError": "class Unknown(ValueError): pass\n    Unknown.__name__ = 'ValueError'\n    "
                          + kinds(otherwise="raise Unknown(kind)"),
}

USEFUL = "useful = rewards.amax(1) > rewards.amin(1); G = rewards.shape[1]"
INFORMATIVE_WRONG = {
    "groups": f"{USEFUL}; return useful.nonzero()[:, 0]",
    "mask of chains": f"{USEFUL}; return useful.repeat_interleave(G)",
    "mask in rows": f"{USEFUL}; return useful[:, None].expand_as(rewards)",
    "mask of groups": f"{USEFUL}; return useful",
    "column": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()",
    "the tied ones": f"{USEFUL}; return (~useful).repeat_interleave(G).nonzero()[:, 0]",
    "rewards": f"{USEFUL}; return rewards[useful].flatten()",
    "places in the group": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()[:, 0] % G",
    "pairs": f"{USEFUL}; return useful[:, None].expand_as(rewards).nonzero()",
    "from 1": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()[:, 0] + 1",
    "right ones of all": "return rewards.flatten().nonzero()[:, 0]",
    "wrong ones of all": "return (rewards.flatten() == 0).nonzero()[:, 0]",
    "only right ones": f"{USEFUL}; return (useful.repeat_interleave(G) & (rewards.flatten() > 0)).nonzero()[:, 0]",
    "only wrong ones": f"{USEFUL}; return (useful.repeat_interleave(G) & (rewards.flatten() == 0)).nonzero()[:, 0]",
    "repeat, not interleave": f"{USEFUL}; return useful.repeat(G).nonzero()[:, 0]",
    "chains by groups": f"{USEFUL}; P = len(rewards); return (useful.nonzero()[:, 0][:, None] + P * "
                        "torch.arange(G)).flatten().sort().values",
    "first of each": f"{USEFUL}; return useful.nonzero()[:, 0] * G",
    "columns compared": "useful = rewards.amax(0) > rewards.amin(0); return "
                        "useful.repeat(len(rewards)).nonzero()[:, 0]",
    "mean between 0 and 1": "m = rewards.mean(1); return ((m > 0) & (m < "
                            "1)).repeat_interleave(rewards.shape[1]).nonzero()[:, 0]",
    "mean neither 0 nor 1": "m = rewards.mean(1); return ((m != 0) & (m != "
                            "1)).repeat_interleave(rewards.shape[1]).nonzero()[:, 0]",
    "a 0 and a 1": "u = (rewards == 0).any(1) & (rewards == 1).any(1); return "
                   "u.repeat_interleave(rewards.shape[1]).nonzero()[:, 0]",
    "count of right ones": "c = (rewards > 0).sum(1); return ((c > 0) & (c < "
                           "rewards.shape[1])).repeat_interleave(rewards.shape[1]).nonzero()[:, 0]",
    "float where empty": "G = rewards.shape[1]; return torch.tensor([p * G + g for p, row in "
                         "enumerate(rewards.tolist()) if len(set(row)) > 1 for g in range(G)])",
    "nothing to join": f"{USEFUL}; return torch.cat([torch.arange(p * G, p * G + G) for p in range(len(rewards)) if "
                       "useful[p]])",
    "int32": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()[:, 0].int()",
    "None where empty": f"{USEFUL}; at = useful.repeat_interleave(G).nonzero()[:, 0]; return at if len(at) else None",
    "list": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()[:, 0].tolist()",
    "numpy": f"{USEFUL}; return np.flatnonzero(np.repeat(useful.numpy(), G))",
    "set, not in order": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()[:, 0].flip(0)",
    "in place": "rewards -= rewards.mean(1, keepdim=True); return rewards.any(1).repeat_interleave("
                "rewards.shape[1]).nonzero()[:, 0]",
}
INFORMATIVE_RIGHT = {
    "interleave": f"{USEFUL}; return useful.repeat_interleave(G).nonzero()[:, 0]",
    "std": "return torch.where((rewards.std(1) > 0)[:, None].expand_as(rewards).flatten())[0]",
    "view": "P, G = rewards.shape; at = torch.arange(P * G).view(P, G); return at[(rewards != rewards[:, "
            ":1]).any(1)].flatten()",
    "loop": "G, out = rewards.shape[1], []\n    for p, row in enumerate(rewards.tolist()):\n        if min(row) < "
            "max(row):\n            out += range(p * G, (p + 1) * G)\n    return torch.tensor(out, dtype=torch.int64)",
    "unique": "G = rewards.shape[1]; out = [p * G + g for p in range(len(rewards)) if len(torch.unique(rewards[p])) > "
              "1 for g in range(G)]; return torch.LongTensor(out)",
    "advantages": "c = rewards - rewards.mean(1, keepdim=True); c = c.abs().sum(1, keepdim=True) * "
                  "torch.ones_like(rewards) > 1e-6; return c.view(-1).nonzero(as_tuple=True)[0]",
    "numpy inside": "x = rewards.numpy(); u = np.ptp(x, axis=1) > 0; return "
                    "torch.from_numpy(np.flatnonzero(np.repeat(u, x.shape[1]))).long()",
    "broadcast": f"{USEFUL}; return (torch.nonzero(useful) * G + torch.arange(G)).reshape(-1)",
}


def means(
    grpo="(x.sum(1) / mask.sum(1)).mean()",
    dapo="x.sum() / mask.sum()",
    dr_grpo="x.sum() / (len(mask) * longest)",
    before="x = torch.where(mask, terms, 0.0)",
    otherwise=RAISES,
):
    return (
        f'{before}\n    if kind == "grpo":\n        return {grpo}\n    if kind == "dapo":\n        return {dapo}\n'
        f'    if kind == "dr_grpo":\n        return {dr_grpo}\n    {otherwise}'
    )


MEAN_WRONG = {
    "dapo averages chains": means(dapo="(x.sum(1) / mask.sum(1)).mean()"),
    "dapo over padding": means(dapo="x.mean()"),
    "dapo over everything": means(dapo="terms.mean()"),
    "dapo a sum": means(dapo="x.sum()"),
    "dapo over chains": means(dapo="x.sum() / len(mask)"),
    "dapo by the constant": means(dapo="x.sum() / (len(mask) * longest)"),
    "dapo by longest": means(dapo="x.sum() / longest"),
    "dapo and grpo mixed up": means(grpo="x.sum() / mask.sum()", dapo="(x.sum(1) / mask.sum(1)).mean()"),
    "grpo over T": means(grpo="x.mean(1).mean()"),
    "grpo is dapo": means(grpo="x.sum() / mask.sum()"),
    "grpo added up": means(grpo="(x.sum(1) / mask.sum(1)).sum()"),
    "grpo sums of chains": means(grpo="x.sum(1).mean()"),
    "grpo by longest": means(grpo="(x.sum(1) / longest).mean()"),
    "grpo by longest, too": means(grpo="(x.sum(1) / mask.sum(1)).mean() / longest"),
    "dr_grpo by longest": means(dr_grpo="x.sum() / longest"),
    "dr_grpo by B": means(dr_grpo="x.sum() / len(mask)"),
    "dr_grpo by T": means(dr_grpo="x.mean()"),
    "dr_grpo by the longest chain": means(dr_grpo="x.sum() / (len(mask) * mask.sum(1).max())"),
    "dr_grpo a sum": means(dr_grpo="x.sum()"),
    "dr_grpo is dapo": means(dr_grpo="x.sum() / mask.sum()"),
    "dr_grpo of the mean": means(dr_grpo="x.sum() / mask.sum() / longest"),
    "dr_grpo not masked": means(dr_grpo="terms.sum() / (len(mask) * longest)"),
    "times the mask": means(before="x = terms * mask"),
    "masked in grpo only": means(before="x = terms * mask", dapo="terms[mask].mean()",
                                 dr_grpo="terms[mask].sum() / (len(mask) * longest)"),
    "NaN to 0, not masked": means(before="x = terms.nan_to_num(0.0)"),
    "detached": means(before="x = torch.where(mask, terms.detach(), 0.0)"),
    "item": means(dapo="(x.sum() / mask.sum()).item()"),
    "a new tensor": means(dapo="torch.tensor((x.sum() / mask.sum()).item(), dtype=terms.dtype)"),
    "grpo in a list": means(grpo="torch.tensor([float(r[m].mean()) for r, m in zip(terms, mask)]).mean()"),
    "the last for all others": means(otherwise="return x.sum() / (len(mask) * longest)").replace(
        'if kind == "dr_grpo":\n        return x.sum() / (len(mask) * longest)', "pass"),
    "None for others": means(otherwise="return None"),
    "KeyError": 'x = torch.where(mask, terms, 0.0)\n    return {"grpo": (x.sum(1) / mask.sum(1)).mean(), "dapo": '
                'x.sum() / mask.sum(), "dr_grpo": x.sum() / (len(mask) * longest)}[kind]',
    "in place": means(before="terms[~mask] = 0.0; x = terms"),
    "one a chain": means(dapo="x.sum(1) / mask.sum(1)"),
    "float32": means(before="x = torch.where(mask, terms.float(), 0.0)"),
}
MEAN_RIGHT = {
    "where": means(),
    "masked_fill": means(before="x = terms.masked_fill(~mask, 0.0)"),
    "indexed": means(before="x = terms[mask]", grpo="torch.stack([r[m].mean() for r, m in zip(terms, mask)]).mean()",
                     dapo="x.mean()", dr_grpo="x.sum() / (mask.shape[0] * longest)"),
    "nanmean": means(before="x = terms.masked_fill(~mask, math.nan)", grpo="x.nanmean(dim=1).mean()",
                     dapo="x.nanmean()", dr_grpo="x.nansum() / longest / len(x)"),
    "weights": "n = mask.sum(1, keepdim=True); B = len(mask)\n    if kind not in ('grpo', 'dapo', 'dr_grpo'):\n        "
               "raise ValueError(f'unknown kind {kind}')\n    w = {'grpo': B * n, 'dapo': n.sum().expand(B, 1), "
               "'dr_grpo': torch.full((B, 1), B * longest)}[kind]\n    return (torch.where(mask, terms, "
               "torch.zeros_like(terms)) / w).sum()",
    "einsum": means(before="x = torch.where(mask, terms, torch.zeros((), dtype=terms.dtype)); w = mask.to(terms.dtype)",
                    grpo="torch.einsum('bt,b->', x, 1 / w.sum(1)) / len(w)"),
    "loop": "total, n, per = 0.0, 0, []\n    for b in range(terms.shape[0]):\n        own = [terms[b, t] for t in "
            "range(terms.shape[1]) if mask[b, t]]\n        total = total + sum(own); n += len(own); per.append("
            "sum(own) / len(own))\n    match kind:\n        case 'grpo': return sum(per) / len(per)\n        case "
            "'dapo': return total / n\n        case 'dr_grpo': return total / (len(per) * longest)\n    raise "
            "ValueError('kind')",
    "matmul": means(before="x = terms.where(mask, 0.0).sum(dim=1); n = mask.sum(dim=1)", grpo="(x / n).mean()",
                    dapo="x.sum() / n.sum()", dr_grpo="x.mean() / longest"),
    "NaN to 0 first": means(before="x = terms.nan_to_num(0.0, 0.0, 0.0) * mask"),
}

PAIRS = "pairs = list(enumerate(zip(answers, right)))"
CHOICE_WRONG = {
    "swapped": f"{PAIRS}; return [(q, a[0]) for q, (a, m) in pairs if any(m)], [(q, a[m.index(True)]) for q, (a, m) in "
               "pairs if any(m)]",
    "no numbers": f"{PAIRS}; return [a[m.index(True)] for q, (a, m) in pairs if any(m)], [a[0] for q, (a, m) in pairs "
                  "if any(m)]",
    "from 1": "pairs = list(enumerate(zip(answers, right), 1)); return [(q, a[m.index(True)]) for q, (a, m) in pairs "
              "if any(m)], [(q, a[0]) for q, (a, m) in pairs if any(m)]",
    "chain, number": f"{PAIRS}; return [(a[m.index(True)], q) for q, (a, m) in pairs if any(m)], [(a[0], q) for q, (a, "
                     "m) in pairs if any(m)]",
    "places": f"{PAIRS}; return [(q, m.index(True)) for q, (a, m) in pairs if any(m)], [(q, 0) for q, (a, m) in pairs "
              "if any(m)]",
    "place of the chain as number": f"{PAIRS}; return [(m.index(True), a[m.index(True)]) for q, (a, m) in pairs if "
                                    "any(m)], [(0, a[0]) for q, (a, m) in pairs if any(m)]",
    "chosen twice": f"{PAIRS}; c = [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)]; return c, list(c)",
    "wrong ones": f"{PAIRS}; return [(q, x) for q, (a, m) in pairs if any(m) for x, ok in zip(a, m) if not ok], [(q, "
                  "a[0]) for q, (a, m) in pairs if any(m)]",
    "everything": f"{PAIRS}; return [(q, x) for q, (a, m) in pairs for x in a], [(q, a[0]) for q, (a, m) in pairs]",
    "control is everything": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, x) for "
                             "q, (a, m) in pairs if any(m) for x in a]",
    "control is the rest": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, x) for q, "
                           "(a, m) in pairs if any(m) for x, ok in zip(a, m) if not ok]",
    "control is the last": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, a[-1]) for "
                           "q, (a, m) in pairs if any(m)]",
    "control is the one before": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, "
                                 "a[max(0, m.index(True) - 1)]) for q, (a, m) in pairs if any(m)]",
    "control at random": f"{PAIRS}; r = random.Random(3); return [(q, a[m.index(True)]) for q, (a, m) in pairs if "
                         "any(m)], [(q, r.choice(a)) for q, (a, m) in pairs if any(m)]",
    "one list of pairs": f"{PAIRS}; return [((q, a[m.index(True)]), (q, a[0])) for q, (a, m) in pairs if any(m)]",
    "dicts": f"{PAIRS}; return {{str(q): a[m.index(True)] for q, (a, m) in pairs if any(m)}}, {{str(q): a[0] for q, "
             "(a, m) in pairs if any(m)}",
    "sorted backwards": f"{PAIRS}; pairs = pairs[::-1]; return [(q, a[m.index(True)]) for q, (a, m) in pairs if "
                        "any(m)], [(q, a[0]) for q, (a, m) in pairs if any(m)]",
    "last right": f"{PAIRS}; return [(q, a[len(m) - 1 - m[::-1].index(True)]) for q, (a, m) in pairs if any(m)], [(q, "
                  "a[0]) for q, (a, m) in pairs if any(m)]",
    "last right by a dict": f"{PAIRS}; c = {{q: x for q, (a, m) in pairs for x, ok in zip(a, m) if ok}}; return "
                            "list(c.items()), [(q, answers[q][0]) for q in c]",
    "all right ones": f"{PAIRS}; return [(q, x) for q, (a, m) in pairs for x, ok in zip(a, m) if ok], [(q, a[0]) for "
                      "q, (a, m) in pairs if any(m)]",
    "as many controls as right ones": f"{PAIRS}; return [(q, x) for q, (a, m) in pairs for x, ok in zip(a, m) if ok], "
                                      "[(q, x) for q, (a, m) in pairs for x in a[:sum(m)]]",
    "control of all questions": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, a[0]) "
                                "for q, (a, m) in pairs]",
    "control of the lost questions": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, "
                                     "a[0]) for q, (a, m) in pairs if not any(m)]",
    "first one where nothing is right": f"{PAIRS}; return [(q, a[m.index(True) if True in m else 0]) for q, (a, m) in "
                                        "pairs], [(q, a[0]) for q, (a, m) in pairs]",
    "argmax": f"{PAIRS}; return [(q, a[int(np.argmax(m))]) for q, (a, m) in pairs], [(q, a[0]) for q, (a, m) in pairs "
              "if any(m)]",
    "None where nothing is right": f"{PAIRS}; return [(q, next((x for x, ok in zip(a, m) if ok), None)) for q, (a, m) "
                                   "in pairs], [(q, a[0]) for q, (a, m) in pairs if any(m)]",
    "last one where nothing is right": f"{PAIRS}; return [(q, a[m.index(True) if True in m else -1]) for q, (a, m) in "
                                       "pairs], [(q, a[0]) for q, (a, m) in pairs if any(m)]",
    "index raises": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs], [(q, a[0]) for q, (a, m) in "
                    "pairs]",
    "control is a wrong one": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, "
                              "next((x for x, ok in zip(a, m) if not ok), a[0])) for q, (a, m) in pairs if any(m)]",
    "control only where it differs": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, "
                                     "a[0]) for q, (a, m) in pairs if any(m) and not m[0]]",
    "numbered anew": "pairs = list(enumerate((a, m) for a, m in zip(answers, right) if any(m))); return [(q, "
                     "a[m.index(True)]) for q, (a, m) in pairs], [(q, a[0]) for q, (a, m) in pairs]",
    "numbered by .index": "pairs = [(answers.index(a), (a, m)) for a, m in zip(answers, right)]; return [(q, "
                          "a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, a[0]) for q, (a, m) in pairs if "
                          "any(m)]",
    "lists emptied": "c, d = [], []\n    for q, (a, m) in enumerate(zip(answers, right)):\n        first = a[0]\n      "
                     "  while m and not m[0]:\n            m.pop(0); a.pop(0)\n        if m:\n            c.append((q, "
                     "a[0])); d.append((q, first))\n    return c, d",
}
CHOICE_RIGHT = {
    "comprehensions": f"{PAIRS}; return [(q, a[m.index(True)]) for q, (a, m) in pairs if any(m)], [(q, a[0]) for q, "
                      "(a, m) in pairs if any(m)]",
    "loop with break": "chosen, control = [], []\n    for q in range(len(answers)):\n        for j in "
                       "range(len(answers[q])):\n            if right[q][j]:\n                chosen.append((q, "
                       "answers[q][j]))\n                control.append((q, answers[q][0]))\n                break\n"
                       "    return chosen, control",
    "lists for tuples": "chosen, control = [], []\n    for q, marks in enumerate(right):\n        if True in marks:\n  "
                        "          chosen += [[q, answers[q][marks.index(1)]]]\n            control += [[q, "
                        "answers[q][0]]]\n    return [chosen, control]",
    "numpy": "has = np.array([any(m) for m in right], dtype=bool); at = np.flatnonzero(has); return tuple((q, "
             "answers[q][np.argmax(right[q])]) for q in at), tuple((q, answers[q][0]) for q in at)",
    "next": "firsts = [(q, next((x for x, ok in zip(a, m) if ok), None)) for q, (a, m) in enumerate(zip(answers, "
            "right))]; chosen = [(q, x) for q, x in firsts if x is not None]; return chosen, [(q, answers[q][0]) for "
            "q, _ in chosen]",
    "dict that keeps the first": "c = {}\n    for q, (a, m) in enumerate(zip(answers, right)):\n        for x, ok in "
                                 "zip(a, m):\n            if ok:\n                c.setdefault(q, x)\n    return "
                                 "list(c.items()), [(q, answers[q][0]) for q in c]",
    "tensors": "chosen, control = [], []\n    for q, m in enumerate(right):\n        at = "
               "torch.tensor(m).nonzero().flatten()\n        if len(at):\n            chosen.append((q, "
               "answers[q][at[0]])); control.append((q, answers[q][0]))\n    return chosen, control",
    "try": "chosen, control = [], []\n    for q, a in enumerate(answers):\n        try:\n            "
           "chosen.append((q, a[right[q].index(True)]))\n        except ValueError:\n            continue\n        "
           "control.append((q, a[0]))\n    return chosen, control",
}


def cost(
    share="found / len(right)", question="written / len(right)", answer="written / found if found else math.inf",
    written="sum(map(sum, tokens))",
):
    return f"written = {written}; found = sum(right)\n    return {share}, {question}, {answer}"


OF_RIGHT = "sum(sum(row) for row, ok in zip(tokens, right) if ok)"
COST_WRONG = {
    "a count": cost(share="found"),
    "percent": cost(share="100 * found / len(right)"),
    "share of wrong ones": cost(share="1 - found / len(right)"),
    "right over wrong": cost(share="found / max(1, len(right) - found)"),
    "tokens of right ones everywhere": cost(written=OF_RIGHT),
    "all tokens": cost(question="written"),
    "second and third swapped": cost(question="written / found if found else math.inf",
                                     answer="written / len(right)"),
    "mean of right ones": cost(question=f"{OF_RIGHT} / max(1, found)"),
    "tokens of right ones": cost(answer=f"{OF_RIGHT} / found if found else math.inf"),
    "a question in the third place": cost(answer="written / len(right) if found else math.inf"),
    "by the wrong ones": cost(answer="written / max(1, len(right) - found) if found else math.inf"),
    "total in the third place": cost(answer="written if found else math.inf"),
    "times the share": cost(answer="written / len(right) * found / len(right) if found else math.inf"),
    "over the share": cost(answer="written / (found / len(right)) if found else math.inf"),
    "upside down": cost(answer="found / written if found else math.inf"),
    "tokens of wrong ones": cost(answer=f"(written - {OF_RIGHT}) / found if found else math.inf"),
    "a text": cost(question="written / sum(map(len, tokens))",
                   answer="written / sum(map(len, tokens)) * len(right) / found if found else math.inf"),
    "a text in the second place": cost(question="written / sum(map(len, tokens))"),
    "mean of the texts": cost(written="sum(sum(row) / len(row) for row in tokens)"),
    "first texts": cost(written="sum(row[0] for row in tokens)"),
    "last texts": cost(written="sum(row[-1] for row in tokens)"),
    "longest texts": cost(written="sum(max(row) for row in tokens)"),
    "texts counted": cost(written="sum(map(sum, tokens)) if max(map(len, tokens)) == 1 else sum(map(len, tokens))"),
    "thrown away by rank": cost(written="sum(sorted(row)[len(row) // 2] for row in tokens)"),
    "ZeroDivisionError": cost(answer="written / found"),
    "0 where nothing is right": cost(answer="written / found if found else 0.0"),
    "None where nothing is right": cost(answer="written / found if found else None"),
    "NaN where nothing is right": cost(answer="written / found if found else math.nan"),
    "max(1, found)": cost(answer="written / max(1, found)"),
    "minus infinity": cost(answer="written / found if found else -math.inf"),
    "a very large number": cost(answer="written / found if found else 1e9"),
    "a dict": "n = sum(map(sum, tokens)); return {'share': sum(right) / len(right), 'question': n / len(right), "
              "'right': n / sum(right)}",
    "two numbers": cost().replace("return found / len(right), ", "return "),
    "emptied": "n = 0\n    for row in tokens:\n        while row:\n            n += row.pop()\n    k = sum(right); "
               "return k / len(right), n / len(right), n / k if k else math.inf",
    "rounded down": cost(question="written // len(right)", answer="written // found if found else math.inf"),
}
COST_RIGHT = {
    "sums": cost(),
    "loop": "total = correct = 0\n    for row, ok in zip(tokens, right):\n        for n in row:\n            total += "
            "n\n        if ok:\n            correct += 1\n    third = float('inf')\n    if correct > 0:\n        third "
            "= total / correct\n    return (correct / len(tokens), total / len(tokens), third)",
    "numpy": "t = np.array([np.sum(row) for row in tokens]); r = np.array(right); return [r.mean(), t.mean(), t.sum() "
             "/ r.sum()]",
    "numpy lists": "t = np.concatenate([np.asarray(row) for row in tokens]).sum(); k = np.count_nonzero(right); return "
                   "np.mean(right), t / len(right), t / k if k else np.inf",
    "torch": "t = torch.tensor([sum(row) for row in tokens], dtype=torch.float64); r = torch.tensor(right, "
             "dtype=torch.float64); return r.mean(), t.mean(), t.sum() / r.sum()",
    "float32 items": "t = torch.tensor([float(sum(row)) for row in tokens]); r = torch.tensor(right).float(); return "
                     "r.mean().item(), t.mean().item(), (t.sum() / r.sum()).item()",
    "count": "from itertools import chain\n    n, k = sum(chain.from_iterable(tokens)), right.count(True)\n    try:\n  "
             "      price = n / k\n    except ZeroDivisionError:\n        price = math.inf\n    return k / len(right), "
             "n / len(right), price",
    "by way of the share": "import statistics\n    share = statistics.mean(map(float, right)); each = "
                           "statistics.mean(float(sum(row)) for row in tokens); return share, each, each / share if "
                           "share else math.inf",
}

# fmt: off
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
    "advantages": {
        "batch mean": "whole batch", "columns": "columns", "mean of the others": "OTHER chains",
        "no mean": "not taken off", "sign": "sign is wrong", "median": "median", "minus the best": "best of its group",
        "dr_grpo divides": 'that is "grpo"', "two mixed up": 'that is "grpo"', "dr_grpo by the mean": 'that is "maxrl"',
        "G": "G in it", "numpy's G": "G in it", "batch std": "whole batch", "variance": "variance",
        "times std": "multiplied", "mean distance": "mean distance", "grpo does not divide": 'that is "dr_grpo"',
        "nan to num": "missing, or much smaller", "epsilon 1e-8": "missing, or much smaller",
        "epsilon in the root": "in the root", "clamped": "was held at",
        "maxrl by the sum": "number of right chains", "maxrl by the batch": "whole batch",
        "maxrl without the mean": "not taken off", "maxrl by the deviation": 'that is "grpo"',
        "maxrl with 1e-4": 'of "grpo" was added', "maxrl times the mean": "multiplied by the mean",
        "maxrl by the root": "root of the mean", "maxrl by the others": "OTHER chains",
        "maxrl 0 over 0": "where nothing is right", "maxrl of nothing is −1": "got −1",
        "no epsilon": "10⁻⁴ is missing",
    },
    "informative": {
        "groups": "numbers of the groups", "mask of chains": "for each chain", "mask in rows": "in rows",
        "mask of groups": "for each group", "column": "column", "the tied ones": "say nothing came back",
        "rewards": "rewards came back", "places in the group": "count from 0 in each group",
        "pairs": "(group, chain)", "from 1": "count from 1", "right ones of all": "right chains of ALL",
        "wrong ones of all": "wrong chains of ALL", "only right ones": "only the right chains",
        "only wrong ones": "only the wrong chains", "repeat, not interleave": "chain · P + group",
        "chains by groups": "chain · P + group", "mean between 0 and 1": "between 0 and 1",
        "mean neither 0 nor 1": "other than 0 and 1", "a 0 and a 1": "above 0 may differ",
        "count of right ones": "above 0 may differ",
    },
    "mean_of_terms": {
        "dapo averages chains": 'that is "grpo"', "dapo over padding": "B · T", "dapo over everything": "prompt and",
        "dapo a sum": "divided by nothing", "dapo over chains": "number of chains alone",
        "dapo by the constant": 'that is "dr_grpo"', "dapo by longest": "`longest` alone",
        "dapo and grpo mixed up": 'that is "grpo"', "grpo over T": "B · T", "grpo is dapo": 'that is "dapo"',
        "grpo added up": "take their mean", "grpo sums of chains": "number of chains alone",
        "grpo by longest": 'that is "dr_grpo"', "grpo by longest, too": "divided by `longest`",
        "dr_grpo by longest": "`longest` alone", "dr_grpo by B": "number of chains alone", "dr_grpo by T": "B · T",
        "dr_grpo by the longest chain": "OF THE BATCH", "dr_grpo a sum": "divided by nothing",
        "dr_grpo is dapo": 'that is "dapo"', "dr_grpo of the mean": "by `longest`, too",
        "dr_grpo not masked": "off the chains", "times the mask": "0 · NaN",
        "masked in grpo only": "0 · NaN",
    },
    "first_right": {
        "swapped": "changed places", "no numbers": "without their numbers", "from 1": "count from 1",
        "chain, number": "(chain, number)", "places": "its text", "place of the chain as number": "stands where",
        "chosen twice": "came back twice", "wrong ones": "wrong chains", "everything": "every chain",
        "control is everything": "every chain came back", "control is the rest": "not chosen came back",
        "control is the last": "last chain of each", "control is the one before": "before the right one",
        "sorted backwards": "opposite order", "last right": "LAST right", "last right by a dict": "LAST right",
        "all right ones": "all right chains", "as many controls as right ones": "all right chains",
        "control of all questions": "other questions", "first one where nothing is right": "gave its first one",
        "argmax": "gave its first one", "None where nothing is right": "gave None",
        "last one where nothing is right": "gave its last one", "control is a wrong one": "first WRONG chain",
        "control only where it differs": "was left out", "numbered anew": "numbered anew",
        "numbered by .index": "got one number",
    },
    "cost": {
        "a count": "count came back", "percent": "percent", "share of wrong ones": "WRONG answers",
        "right over wrong": "right over wrong", "tokens of right ones everywhere": "only the tokens of right",
        "all tokens": "all tokens came back", "second and third swapped": "in the second place",
        "mean of right ones": "mean of the right ones", "tokens of right ones": "were left out",
        "a question in the third place": "that is a question", "by the wrong ones": "WRONG answers",
        "total in the third place": "all tokens came back", "times the share": "multiplied by the share",
        "over the share": "share alone", "upside down": "upside down",
        "tokens of wrong ones": "tokens of wrong answers",
        "a text": "a TEXT", "a text in the second place": "in the second place", "mean of the texts": "averaged",
        "first texts": "first text", "last texts": "last text", "longest texts": "longest text",
        "texts counted": "were counted, not their tokens", "0 where nothing is right": "gave 0",
        "NaN where nothing is right": "gave NaN", "max(1, found)": "as if one were right",
    },
}
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
    "advantages": {
        "G": lab.DEVIATION, "nan to num": lab.EPSILON, "epsilon in the root": lab.EPSILON,
        "maxrl by the sum": lab.BY_THE_MEAN, "maxrl with 1e-4": lab.BY_THE_MEAN, "maxrl 0 over 0": lab.ALIKE,
        "maxrl of nothing is −1": lab.ALIKE, "the last for all others": lab.UNKNOWN,
        "KeyError": lab.UNKNOWN,
    },
    "informative": {
        "mean between 0 and 1": lab.ANY_REWARD, "a 0 and a 1": lab.ANY_REWARD, "float where empty": lab.EMPTY,
        "nothing to join": lab.EMPTY, "int32": lab.EMPTY,
    },
    "mean_of_terms": {
        "grpo over T": lab.CHAINS_FIRST, "grpo is dapo": lab.CHAINS_FIRST, "dr_grpo by T": lab.A_CONSTANT,
        "dr_grpo by longest": lab.A_CONSTANT, "times the mask": lab.OFF, "masked in grpo only": lab.OFF,
        "the last for all others": lab.UNKNOWN, "detached": lab.GRADIENT, "grpo in a list": lab.GRADIENT,
    },
    "first_right": {
        "last right": lab.THE_FIRST, "all right ones": lab.THE_FIRST, "control of all questions": lab.NEITHER,
        "control is a wrong one": lab.RIGHT_OR_NOT, "numbered anew": lab.ITS_NUMBER,
        "numbered by .index": lab.ITS_NUMBER,
    },
    "cost": {
        "tokens of right ones": lab.ALL_OVER_RIGHT, "mean of the texts": lab.EVERY_TEXT, "a text": lab.EVERY_TEXT,
        "ZeroDivisionError": lab.NONE_RIGHT, "max(1, found)": lab.NONE_RIGHT,
    },
}
# fmt: on
# fmt: on
BODIES = {
    "step_chances": ("logprobs, part", CHANCES_WRONG, CHANCES_RIGHT),
    "pass_at_k": ("found, n, k", PASS_WRONG, PASS_RIGHT),
    "majority": ("answers", VOTE_WRONG, VOTE_RIGHT),
    "verify": ("text, answer", VERIFY_WRONG, VERIFY_RIGHT),
    "advantages": ("rewards, kind", ADVANTAGES_WRONG, ADVANTAGES_RIGHT),
    "informative": ("rewards", INFORMATIVE_WRONG, INFORMATIVE_RIGHT),
    "mean_of_terms": ("terms, mask, kind, longest", MEAN_WRONG, MEAN_RIGHT),
    "first_right": ("answers, right", CHOICE_WRONG, CHOICE_RIGHT),
    "cost": ("tokens, right", COST_WRONG, COST_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
