"""Lab 11: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab11_evaluation_and_release as lab

PRELUDE = (
    "import math\nimport numpy as np\nimport torch\nimport yaml\nfrom huggingface_hub import EvalResult, "
    "ModelCardData\nfrom scipy.stats import binomtest\n"
)

SUMS = (
    "C = draws.shape[1]; s = torch.zeros(C, dtype=values.dtype).index_add(0, clusters, values); n = "
    "torch.bincount(clusters, minlength=C)"
)
MEANS = f"{SUMS}; m = s[draws].sum(1) / n[draws].sum(1)"
ENDS = "torch.tensor([0.025, 0.975], dtype=m.dtype)"
BOOT_WRONG = {
    "mean of means": f"{SUMS}; m = (s / n)[draws].mean(1); a, b = torch.quantile(m, {ENDS}); return a.item(), b.item()",
    "each cluster once": "m = torch.stack([values[torch.isin(clusters, d.unique())].mean() for d in draws]); a, b = "
    "torch.quantile(m, torch.tensor([0.025, 0.975], dtype=m.dtype)); return a.item(), b.item()",
    "rows drawn": f"m = values[draws].mean(1); a, b = torch.quantile(m, {ENDS}); return a.item(), b.item()",
    "over N": f"{SUMS}; m = s[draws].sum(1) / len(values); a, b = torch.quantile(m, {ENDS}); return a.item(), b.item()",
    "90 %": f"{MEANS}; return torch.quantile(m, 0.05).item(), torch.quantile(m, 0.95).item()",
    "97.5 %": f"{MEANS}; return torch.quantile(m, 0.0125).item(), torch.quantile(m, 0.9875).item()",
    "high first": f"{MEANS}; return torch.quantile(m, 0.975).item(), torch.quantile(m, 0.025).item()",
    "extremes": f"{MEANS}; return m.min().item(), m.max().item()",
    "normal": f"{MEANS}; return (m.mean() - 1.96 * m.std()).item(), (m.mean() + 1.96 * m.std()).item()",
    "reflected": f"{MEANS}; c = 2 * values.mean(); a, b = torch.quantile(m, {ENDS}); return (c - b).item(), (c - "
    "a).item()",
    "mean and deviation": f"{MEANS}; return m.mean().item(), m.std().item()",
    "of the values": "return torch.quantile(values, 0.025).item(), torch.quantile(values, 0.975).item()",
    "nearest": f"{MEANS}; m = m.sort().values; return m[int(0.025 * len(m))].item(), m[min(len(m) - 1, int(0.975 * "
    "len(m)))].item()",
    "float32 sums": "C = draws.shape[1]; s = torch.zeros(C).index_add(0, clusters, values); n = "
    "torch.bincount(clusters, "
    f"minlength=C); m = s[draws].sum(1) / n[draws].sum(1); a, b = torch.quantile(m, {ENDS}); return a.item(), b.item()",
    "float32 shares": f"{MEANS}; a, b = torch.quantile(m, torch.tensor([0.025, 0.975])); return a.item(), b.item()",
    "drawn anew": "m = torch.stack([values[torch.randint(0, len(values), (len(values),))].mean() for _ in draws]); "
    "return torch.quantile(m, 0.025).item(), torch.quantile(m, 0.975).item()",
    "not at all": "return values.mean().item(), values.mean().item()",
    "sorted in place": "clusters.copy_(clusters.sort().values); m = values[draws % len(values)].mean(1); return "
    "torch.quantile(m, 0.025).item(), torch.quantile(m, 0.975).item()",
}
BOOT_RIGHT = {
    "sums over counts": f"{MEANS}; a, b = torch.quantile(m, {ENDS}); return a.item(), b.item()",
    "numpy": "v, c = values.numpy(), clusters.numpy(); s, n = np.bincount(c, v, draws.shape[1]), np.bincount(c, "
    "minlength=draws.shape[1]); d = draws.numpy(); m = s[d].sum(1) / n[d].sum(1); return tuple(float(x) for "
    "x in np.percentile(m, [2.5, 97.5]))",
    "heaps": "parts = [values[clusters == c] for c in range(draws.shape[1])]; m = [torch.cat([parts[c] for c in "
    "d]).double().mean().item() for d in draws]; return [float(np.quantile(m, q)) for q in (0.025, 0.975)]",
    "one-hot": "w = torch.stack([torch.bincount(d, minlength=draws.shape[1]) for d in draws]).double()[:, clusters]; m "
    "= (w * values).sum(1) / w.sum(1); m = m.sort().values; at = lambda q: float(np.interp(q * (len(m) - "
    "1), range(len(m)), m)); return at(0.025), at(0.975)",
}

COUNTS = "x, y = int((a & ~b).sum()), int((b & ~a).sum()); n = x + y"
TAIL = "sum(math.comb(n, k) for k in range(min(x, y) + 1))"
PAIRED_WRONG = {
    "one-sided": f"{COUNTS}; return {TAIL} / 2**n",
    "one outcome": f"{COUNTS}; return math.comb(n, min(x, y)) / 2**n",
    "twice one outcome": f"{COUNTS}; return min(1.0, 2 * math.comb(n, min(x, y)) / 2**n)",
    "chi squared": f"{COUNTS}; return math.erfc(math.sqrt((x - y) ** 2 / n / 2)) if n else 1.0",
    "chi squared, corrected": f"{COUNTS}; return math.erfc(math.sqrt(max(0, abs(x - y) - 1) ** 2 / n / 2)) if n else "
    "1.0",
    "mid-p": f"{COUNTS}; return 2 * {TAIL} / 2**n - math.comb(n, min(x, y)) / 2**n",
    "fewer than": f"{COUNTS}; return 2 * sum(math.comb(n, k) for k in range(min(x, y))) / 2**n",
    "all rows": "n = len(a); y = int((b & ~a).sum()); return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(y, n "
    "- y) + 1)) / 2**n)",
    "agreement": "n = len(a); x = int((a != b).sum()); return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(x, n "
    "- x) + 1)) / 2**n)",
    "numbers right": "x, y = int(a.sum()), int(b.sum()); n = x + y; return min(1.0, 2 * sum(math.comb(n, k) for k in "
    "range(min(x, y) + 1)) / 2**n)",
    "one minus p": f"{COUNTS}; return 1 - min(1.0, 2 * {TAIL} / 2**n)",
    "b only": f"{COUNTS}; return min(1.0, 2 * sum(math.comb(n, k) for k in range(y + 1)) / 2**n)",
    "no cap": f"{COUNTS}; return 2 * {TAIL} / 2**n if n else 1.0",
    "floats": f"{COUNTS}; return min(1.0, 2 * sum(math.comb(n, k) * 0.5**n for k in range(min(x, y) + 1)))",
    "no discordant": f"{COUNTS}; p = 2 * {TAIL} / 2**n; return min(1.0, p) if n else 0.0",
    "normal": f"{COUNTS}; return math.erfc(abs(a.double().mean() - b.double().mean()) / math.sqrt(2 * "
    "(a.double().var() + b.double().var()) / len(a))) if len(a) else 1.0",
    "in place": "a ^= b; x = int((a & ~b).sum()); y = int((a & b).sum()); n = x + y; return min(1.0, 2 * "
    "sum(math.comb(n, k) for k in range(min(x, y) + 1)) / 2**n)",
}
PAIRED_RIGHT = {
    "whole numbers": f"{COUNTS}; return min(1.0, 2 * {TAIL} / 2**n)",
    "scipy": f"{COUNTS}; return float(binomtest(x, n).pvalue) if n else 1.0",
    "the middle taken off": f"{COUNTS}; k = min(x, y)\n    if x == y: return 1.0\n    return 1 - sum(math.comb(n, j) "
    "for j in range(k + 1, n - k)) / 2**n",
    "logarithms": "only = a != b; n = int(only.sum()); k = min(int(a[only].sum()), n - int(a[only].sum()))\n    logs = "
    "torch.tensor([math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1) - n * math.log(2) "
    "for j in range(k + 1)], dtype=torch.float64)\n    return min(1.0, 2 * float(torch.logsumexp(logs, "
    "0).exp()))",
}

SCORES = (
    "v = {'first': 1.0, 'second': 0.0, 'tie': 0.5}; s = [(v[x] + 1 - v[y]) / 2 for x, y in zip(a_first, b_first)]; n = "
    "len(s); m = sum(s) / n"
)
ERROR = "math.sqrt(sum((x - m) ** 2 for x in s) / (n - 1) / n) if n > 1 else float('nan')"
WINS_WRONG = {
    "not turned": f"v = {{'first': 1.0, 'second': 0.0, 'tie': 0.5}}; s = [(v[x] + v[y]) / 2 for x, y in zip(a_first, "
    f"b_first)]; n = len(s); m = sum(s) / n; return m, {ERROR}",
    "first order only": f"v = {{'first': 1.0, 'second': 0.0, 'tie': 0.5}}; s = [v[x] for x in a_first]; n = len(s); m "
    f"= sum(s) / n; return m, {ERROR}",
    "second order only": f"v = {{'first': 0.0, 'second': 1.0, 'tie': 0.5}}; s = [v[x] for x in b_first]; n = len(s); m "
    f"= sum(s) / n; return m, {ERROR}",
    "ties nothing": "s = [((x == 'first') + (y == 'second')) / 2 for x, y in zip(a_first, b_first)]; n = len(s); m = "
    f"sum(s) / n; return m, {ERROR}",
    "ties win": "s = [((x != 'second') + (y != 'first')) / 2 for x, y in zip(a_first, b_first)]; n = len(s); m = "
    f"sum(s) / n; return m, {ERROR}",
    "ties left out": f"{SCORES}; w = sum(x == 'first' for x in a_first) + sum(y == 'second' for y in b_first); d = "
    f"sum(x != 'tie' for x in a_first) + sum(y != 'tie' for y in b_first); e = {ERROR}; return w / "
    "max(1, d), e",
    "disagreement left out": f"v = {{'first': 1.0, 'second': 0.0, 'tie': 0.5}}; s = [v[x] for x, y in zip(a_first, "
    f"b_first) if v[x] == 1 - v[y]]; n = len(s); m = sum(s) / max(1, n); return m, {ERROR}",
    "2n verdicts": f"v = {{'first': 1.0, 'second': 0.0, 'tie': 0.5}}; s = [v[x] for x in a_first] + [1 - v[y] for y in "
    f"b_first]; n = len(s); m = sum(s) / n; return m, {ERROR}",
    "a coin's error": f"{SCORES}; return m, math.sqrt(m * (1 - m) / n)",
    "deviation": f"{SCORES}; return m, math.sqrt(sum((x - m) ** 2 for x in s) / (n - 1)) if n > 1 else float('nan')",
    "ddof 0": f"{SCORES}; return m, math.sqrt(sum((x - m) ** 2 for x in s) / n / n) if n > 1 else float('nan')",
    "B's rate": f"{SCORES}; return 1 - m, {ERROR}",
    "first place": f"{SCORES}; e = {ERROR}; v = {{'first': 1.0, 'second': 0.0, 'tie': 0.5}}; return (sum(v[x] for x in "
    "a_first) + sum(v[y] for y in b_first)) / 2 / n, e",
    "per cent": f"{SCORES}; e = {ERROR}; return 100 * m, 100 * e",
    "error 0 for one": f"{SCORES}; return m, math.sqrt(sum((x - m) ** 2 for x in s) / max(1, n - 1) / n)",
    "rate only": f"{SCORES}; return m",
    "in place": "b_first[:] = ['first' if y == 'second' else 'second' if y == 'first' else y for y in b_first]; v = "
    f"{{'first': 1.0, 'second': 0.0, 'tie': 0.5}}; s = [(v[x] + v[y]) / 2 for x, y in zip(a_first, "
    f"b_first)]; n = len(s); m = sum(s) / n; return m, {ERROR}",
    "both must agree": "s = [1.0 if (x, y) == ('first', 'second') else 0.0 if (x, y) == ('second', 'first') else 0.5 "
    f"for x, y in zip(a_first, b_first)]; n = len(s); m = sum(s) / n; return m, {ERROR}",
}
WINS_RIGHT = {
    "scores": f"{SCORES}; return m, {ERROR}",
    "numpy": "v = {'first': 1.0, 'second': 0.0, 'tie': 0.5}; s = np.array([v[x] for x in a_first]) / 2 + np.array([1 - "
    "v[y] for y in b_first]) / 2\n    return float(s.mean()), float(s.std(ddof=1) / len(s) ** 0.5) if len(s) "
    "> 1 else math.nan",
    "torch": "a = torch.tensor([(x == 'first') + 0.5 * (x == 'tie') for x in a_first]); b = torch.tensor([(y == "
    "'second') + 0.5 * (y == 'tie') for y in b_first]); s = ((a + b) / 2).double()\n    return "
    "s.mean().item(), (s.std() / math.sqrt(len(s))).item() if len(s) > 1 else float('nan')",
    "wins and losses": "def worth(x, mine):\n        return 0.5 if x == 'tie' else float(x == mine)\n    import "
    "statistics\n    s = [statistics.mean((worth(x, 'first'), worth(y, 'second'))) for x, y in "
    "zip(a_first, b_first)]\n    return [statistics.mean(s), statistics.stdev(s) / "
    "math.sqrt(len(s)) if len(s) > 1 else math.nan]",
}

RANKED = "m = len(p_values); order = sorted(range(m), key=lambda k: p_values[k]); out, top = [0.0] * m, 0.0"
HOLM_WRONG = {
    "Bonferroni": "return [min(1.0, len(p_values) * p) for p in p_values]",
    "no running maximum": f"{RANKED}\n    for rank, k in enumerate(order):\n        out[k] = min(1.0, (m - rank) * "
    "p_values[k])\n    return out",
    "m − 1": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (m - rank - 1) * p_values[k]); "
    "out[k] = min(1.0, top)\n    return out",
    "m + 1": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (m - rank + 1) * p_values[k]); "
    "out[k] = min(1.0, top)\n    return out",
    "rising": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (rank + 1) * p_values[k]); "
    "out[k] = min(1.0, top)\n    return out",
    "no clip": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (m - rank) * p_values[k]); "
    "out[k] = top\n    return out",
    "sorted": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (m - rank) * p_values[k]); "
    "out[rank] = min(1.0, top)\n    return out",
    "Benjamini and Hochberg": f"{RANKED}; low = 1.0\n    for rank in range(m - 1, -1, -1):\n        low = min(low, m / "
    "(rank + 1) * p_values[order[rank]]); out[order[rank]] = low\n    return out",
    "Hochberg": f"{RANKED}; low = 1.0\n    for rank in range(m - 1, -1, -1):\n        low = min(low, (m - rank) * "
    "p_values[order[rank]]); out[order[rank]] = low\n    return out",
    "Sidak": "return [1 - (1 - p) ** len(p_values) for p in p_values]",
    "no running maximum, ties alike": f"{RANKED}; seen = {{}}\n    for rank, k in enumerate(order):\n        "
    "seen[p_values[k]] = max(seen.get(p_values[k], 0.0), min(1.0, (m - rank) * p_values[k]))\n    return "
    "[seen[p] for p "
    "in p_values]",
    "the first without a look": f"{RANKED}; top = 0.0 * p_values[0]\n    for rank, k in enumerate(order):\n     "
    f"   top = "
    "max(top, (m - rank) * p_values[k]); out[k] = min(1.0, top)\n    return out",
    "divided": "return [p / len(p_values) for p in p_values]",
    "unsorted": "return [min(1.0, (len(p_values) - k) * p) for k, p in enumerate(p_values)]",
    "nothing": "return list(p_values)",
    "verdicts": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (m - rank) * p_values[k]); "
    "out[k] = min(1.0, top)\n    return [x <= 0.05 for x in out]",
    "by index of the value": "m = len(p_values); s = sorted(p_values); return [min(1.0, max((m - j) * s[j] for j in "
    "range(s.index(p) + 1 + 0))) if p_values.count(p) == 1 else min(1.0, (m - s.index(p) - "
    "p_values.count(p) + 1) * p) for p in p_values]",
    "sorted in place": "m = len(p_values); p_values.sort(); out, top = [], 0.0\n    for rank, p in "
    "enumerate(p_values):\n        top = max(top, (m - rank) * p); out.append(min(1.0, top))\n    "
    "return out",
    "by a dict of values": f"{RANKED}; seen = {{}}\n    for rank, p in enumerate(sorted(p_values)):\n        seen[p] = "
    "min(1.0, (m - rank) * p)\n    return [seen[p] for p in p_values]",
}
HOLM_RIGHT = {
    "a loop": f"{RANKED}\n    for rank, k in enumerate(order):\n        top = max(top, (m - rank) * p_values[k]); "
    "out[k] = min(1.0, top)\n    return out",
    "accumulate": "from itertools import accumulate\n    m = len(p_values); order = sorted(range(m), "
    "key=p_values.__getitem__); ranked = list(accumulate(((m - r) * p_values[k] for r, k in "
    "enumerate(order)), max)); return [min(1.0, ranked[order.index(k)]) for k in range(m)]",
    "numpy": "p = np.array(p_values, dtype=float); order = p.argsort(kind='stable'); m = len(p); top = "
    "np.maximum.accumulate((m - np.arange(m)) * p[order]); out = np.empty(m); out[order] = top.clip(max=1); "
    "return out.tolist()",
    "by definition": "all_of = [(x, sum(o >= x for o in p_values) * x) for x in p_values]\n    return [min(1.0, "
    "max(y for x, y in all_of if x <= p)) for p in p_values]",
    "torch": "p, at = torch.tensor(p_values, dtype=torch.float64).sort()\n    if not len(p): return []\n    top = "
    "((len(p) - torch.arange(len(p))) * p).cummax(0).values.clamp(max=1); return "
    "torch.empty_like(p).scatter(0, at, top).tolist()",
}

RUNS = "runs = {tuple(r[k:k + n]) for r in training for k in range(len(r) - n + 1)}"
SEEN_WRONG = {
    "share of runs": f"{RUNS}; return [sum(tuple(t[k:k + n]) in runs for k in range(len(t) - n + 1)) / max(1, len(t) - "
    "n + 1) for t in tests]",
    "first words": f"{RUNS}; return [sum(tuple(t[k:k + n]) in runs for k in range(len(t) - n + 1)) / max(1, len(t)) "
    "for t in tests]",
    "counted twice": f"{RUNS}; return [n * sum(tuple(t[k:k + n]) in runs for k in range(len(t) - n + 1)) / max(1, "
    "len(t)) for t in tests]",
    "counted twice, cut off": f"{RUNS}; return [min(1.0, n * sum(tuple(t[k:k + n]) in runs for k in range(len(t) - n + "
    "1)) / max(1, len(t))) for t in tests]",
    "any": f"{RUNS}; return [float(any(tuple(t[k:k + n]) in runs for k in range(len(t) - n + 1))) for t in tests]",
    "n − 1": "n = n - 1; runs = {tuple(r[k:k + n]) for r in training for k in range(len(r) - n + 1)}; return [len({p "
    "for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in range(k, k + n)}) / max(1, len(t)) "
    "for t in tests]",
    "n + 1": "n = n + 1; runs = {tuple(r[k:k + n]) for r in training for k in range(len(r) - n + 1)}; return [len({p "
    "for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in range(k, k + n)}) / max(1, len(t)) "
    "for t in tests]",
    "single words": "known = {w for r in training for w in r}; return [sum(w in known for w in t) / max(1, len(t)) for "
    "t in tests]",
    "no order": "runs = {tuple(sorted(r[k:k + n])) for r in training for k in range(len(r) - n + 1)}; return [len({p "
    "for k in range(len(t) - n + 1) if tuple(sorted(t[k:k + n])) in runs for p in range(k, k + n)}) / "
    "max(1, len(t)) for t in tests]",
    "numbers": f"{RUNS}; return [float(len({{p for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in "
    f"range(k, k + n)}})) for t in tests]",
    "not seen": f"{RUNS}; return [1 - len({{p for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in "
    f"range(k, k + n)}}) / max(1, len(t)) for t in tests]",
    "changed places": "tests, training = training, tests; runs = {tuple(r[k:k + n]) for r in training for k in "
    "range(len(r) - n + 1)}; return [len({p for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in "
    "runs for p in range(k, k + n)}) / max(1, len(t)) for t in tests]",
    "across rows": "flat = [w for r in training for w in r]; runs = {tuple(flat[k:k + n]) for k in range(len(flat) - n "
    "+ 1)}; return [len({p for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in "
    "range(k, k + n)}) / max(1, len(t)) for t in tests]",
    "the last run missing": "runs = {tuple(r[k:k + n]) for r in training for k in range(len(r) - n)}; return [len({p "
    "for k in range(len(t) - n) if tuple(t[k:k + n]) in runs for p in range(k, k + n)}) / "
    "max(1, len(t)) for t in tests]",
    "joined text": "whole = [''.join(r) for r in training]; return [len({p for k in range(len(t) - n + 1) if "
    "any(''.join(t[k:k + n]) in w for w in whole) for p in range(k, k + n)}) / max(1, len(t)) for t in "
    "tests]",
    "text with blanks": "whole = [' '.join(r) for r in training]; return [len({p for k in range(len(t) - n + 1) if "
    "any(' '.join(t[k:k + n]) in w for w in whole) for p in range(k, k + n)}) / max(1, len(t)) "
    "for t in tests]",
    "empty rows crash": f"{RUNS}; return [len({{p for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in "
    f"range(k, k + n)}}) / len(t) for t in tests]",
    "longest run": f"{RUNS}; return [n / max(1, len(t)) if any(tuple(t[k:k + n]) in runs for k in range(len(t) - n + "
    "1)) else 0.0 for t in tests]",
    "short runs at the end": "runs = {tuple(r[k:k + n]) for r in training for k in range(len(r))}; return [len({p for "
    "k in range(len(t)) if tuple(t[k:k + n]) in runs for p in range(k, min(len(t), k + n))}) "
    "/ max(1, len(t)) for t in tests]",
}
SEEN_RIGHT = {
    "sets": f"{RUNS}; return [len({{p for k in range(len(t) - n + 1) if tuple(t[k:k + n]) in runs for p in range(k, k "
    f"+ n)}}) / max(1, len(t)) for t in tests]",
    "marks": f"""{RUNS}
    out = []
    for t in tests:
        seen = [False] * len(t)
        for k in range(len(t) - n + 1):
            if tuple(t[k:k + n]) in runs:
                seen[k:k + n] = [True] * n
        out.append(sum(seen) / len(t) if t else 0.0)
    return out""",
    "marked text": "mark = lambda ws: '\\n' + '\\n'.join(ws) + '\\n'; whole = [mark(r) for r in training]\n    return "
    "[len(set().union(*[set(range(k, k + n)) for k in range(len(t) - n + 1) if any(mark(t[k:k + n]) in "
    "w for w in whole)])) / len(t) if t else 0.0 for t in tests]",
    "tensors": f"""{RUNS}
    out = []
    for t in tests:
        hit = torch.zeros(len(t))
        for k in range(max(0, len(t) - n + 1)):
            hit[k:k + n] = torch.maximum(hit[k:k + n], torch.tensor(float(tuple(t[k:k + n]) in runs)))
        out.append(hit.mean().item() if len(t) else 0.0)
    return out""",
}

SLICES = "t = sum(mix.values()); by = {s: [r for r, x in zip(right, slices) if x == s] for s, w in mix.items() if w}"
LOST = "if any(not rows for rows in by.values()): return float('nan'), float('nan')"
SCATTER = "v = {s: (sum(r) + 2) * (len(r) - sum(r) + 2) / (len(r) + 4) ** 3 for s, r in by.items()}"
WHOLE = f"{SLICES}\n    {LOST}\n    p = {{s: sum(r) / len(r) for s, r in by.items()}}; {SCATTER}"
SHARE = "sum(mix[s] / t * p[s] for s in p)"
SQUARES = "sum((mix[s] / t) ** 2 * v[s] for s in p)"
ERROR_OF = "math.sqrt(sum((w[s] / t) ** 2 * v[s] for s in p))"  # w: other weights, t: their sum
MIXED_WRONG = {
    "no mix": "p = sum(right) / len(right); return p, math.sqrt(p * (1 - p) / len(right))",
    "even": f"{WHOLE}; w = {{s: 1 for s in p}}; t = len(p); return sum(p.values()) / t, {ERROR_OF}",
    "not normalised": f"{WHOLE}; t = 1; return {SHARE}, math.sqrt({SQUARES})",
    "times the exam": f"{WHOLE}; w = {{s: mix[s] * len(by[s]) for s in p}}; t = sum(w.values()); return sum(w[s] / t * "
    f"p[s] for s in p), {ERROR_OF}",
    "a weight a row": f"{WHOLE}; w = [mix.get(s, 0) for s in slices]; share = sum(x * r for x, r in zip(w, right)) / "
    f"sum(w); return share, math.sqrt({SQUARES})",
    "turned round": f"{WHOLE}; w = {{s: 1 / mix[s] for s in p}}; t = sum(w.values()); return sum(w[s] / t * p[s] for s "
    f"in p), {ERROR_OF}",
    "weights not squared": f"{WHOLE}; return {SHARE}, math.sqrt(sum(mix[s] / t * v[s] for s in p))",
    "variance": f"{WHOLE}; return {SHARE}, {SQUARES}",
    "errors added": f"{WHOLE}; return {SHARE}, sum(mix[s] / t * math.sqrt(v[s]) for s in p)",
    "error of the whole": f"{WHOLE}; m = {SHARE}; return m, math.sqrt(m * (1 - m) / len(right))",
    "no n": f"{WHOLE}; return {SHARE}, math.sqrt(sum((mix[s] / t) ** 2 * v[s] * (len(by[s]) + 4) for s in p))",
    "rows as they are": f"{WHOLE}; v = {{s: p[s] * (1 - p[s]) / len(by[s]) for s in p}}; return {SHARE}, "
    f"math.sqrt({SQUARES})",
    "share with more rows": f"{WHOLE}; p = {{s: (sum(r) + 2) / (len(r) + 4) for s, r in by.items()}}; return {SHARE}, "
    f"math.sqrt({SQUARES})",
    "wrong share": f"{WHOLE}; return 1 - {SHARE}, math.sqrt({SQUARES})",
    "per cent": f"{WHOLE}; return 100 * {SHARE}, 100 * math.sqrt({SQUARES})",
    "worst": f"{WHOLE}; return min(p.values()), math.sqrt({SQUARES})",
    "left out silently": f"{SLICES}; by = {{s: r for s, r in by.items() if r}}; t = sum(mix[s] for s in by); p = {{s: "
    f"sum(r) / len(r) for s, r in by.items()}}; {SCATTER}; return {SHARE}, math.sqrt({SQUARES})",
    "unseen is wrong": f"{SLICES}; p = {{s: sum(r) / max(1, len(r)) for s, r in by.items()}}; {SCATTER}; return "
    f"{SHARE}, "
    f"math.sqrt({SQUARES})",
    "unseen is right": f"{SLICES}; p = {{s: sum(r) / len(r) if r else 1.0 for s, r in by.items()}}; {SCATTER}; return "
    f"{SHARE}, math.sqrt({SQUARES})",
    "crashes without rows": f"{SLICES}; p = {{s: sum(r) / len(r) for s, r in by.items()}}; {SCATTER}; return {SHARE}, "
    f"math.sqrt({SQUARES})",
    "weight 0 needs rows": "t = sum(mix.values()); by = {s: [r for r, x in zip(right, slices) if x == s] for s "
    "in mix}\n"
    f"    {LOST}\n    p = {{s: sum(r) / len(r) for s, r in by.items()}}; {SCATTER}; return {SHARE}, "
    f"math.sqrt({SQUARES})",
    "n − 1": f"{WHOLE}; return {SHARE}, math.sqrt(sum((mix[s] / t) ** 2 * v[s] * (len(by[s]) + 4) / (len(by[s]) + 3) "
    "for s in p))",
    "mix changed": f"t = sum(mix.values())\n    for s in mix: mix[s] /= 2 * t\n    t = 0.5\n    by = {{s: [r "
    f"for r, x in "
    f"zip(right, slices) if x == s] for s, w in mix.items() if w}}\n    {LOST}\n    p = {{s: sum(r) / "
    f"len(r) for s, r in by.items()}}; {SCATTER}; return {SHARE}, math.sqrt({SQUARES})",
}
MIXED_RIGHT = {
    "by slice": f"{WHOLE}; return {SHARE}, math.sqrt({SQUARES})",
    "two rows more": "t = sum(mix.values()); share = variance = 0.0\n    for s, w in mix.items():\n        if not w: "
    "continue\n        got = [r for r, x in zip(right, slices) if x == s]\n        if not got: return math.nan, "
    "math.nan\n"
    "        more = np.array([*got, True, True, False, False], dtype=float)\n        share += w / t * sum(got) "
    "/ len(got); "
    "variance += (w / t) ** 2 * more.var() / len(more)\n    return share, math.sqrt(variance)",
    "numpy": "names = [s for s, w in mix.items() if w > 0]; w = np.array([mix[s] for s in names], dtype=float); w /= "
    "w.sum(); r, x = np.array(right, dtype=float), np.array(slices)\n    n = np.array([(x == s).sum() for s "
    "in names])\n    if (n == 0).any(): return [float('nan')] * 2\n    k = np.array([r[x == s].sum() for s in "
    "names]); q = "
    "(k + 2) / (n + 4); return [float(w @ (k / n)), float(np.sqrt((w**2 * q * (1 - q) / (n + 4)).sum()))]",
    "a loop": "total = sum(mix.values()); share = variance = 0.0\n    for name, weight in mix.items():\n        if "
    "weight == 0: continue\n        got = torch.tensor([bool(r) for r, s in zip(right, slices) if s == "
    "name]).double()\n        if not len(got): return float('nan'), float('nan')\n        p = (got.sum().item() + 2) / "
    "(len(got) + 4)\n        share += weight / total * got.mean().item(); variance += (weight / total) ** 2 * p "
    "* (1 - p) "
    "/ (len(got) + 4)\n    return share, variance ** 0.5",
}

MIX_WRONG = {
    "shares": "return {name: 0.2 for name in prices}",
    "tokens": "return {name: int(budget / len(prices)) for name in prices}",
    "everything to each": "return {name: int(budget / prices[name]) for name in prices}",
    "fixed numbers": "return {'tasks': 3000, 'harmful': 1000, 'twins': 1000, 'disguised': 2000, 'documents': 1000}",
    "floats": "return {name: 0.2 * budget / prices[name] for name in prices}",
    "rounded up": "return {name: math.ceil(budget / len(prices) / prices[name]) + 1 for name in prices}",
    "half of it": "return {name: int(0.1 * budget / prices[name]) for name in prices}",
    "mean price": "n = int(budget / sum(prices.values()) * len(prices)); return {name: n // 5 + (name == 'tasks') * n "
    "// 20 for name in prices}",
    "one is missing": "return {name: int(0.25 * budget / p) for name, p in prices.items() if name != 'documents'}",
    "a list": "return [int(0.2 * budget / p) for p in prices.values()]",
    "negative": "out = {name: int(0.3 * budget / p) for name, p in prices.items()}; out['documents'] = -int(0.25 * "
    "budget / prices['documents']); return out",
    "one row at least": "return {name: max(1, int(0.2 * budget / p)) for name, p in prices.items()}",
    "more than everything": "return {name: int(0.25 * budget / p) for name, p in prices.items()}",
    "at random": "w = np.random.rand(len(prices)); w = w / w.sum(); return {name: int(x * budget / p) for x, (name, p) "
    "in zip(w, prices.items())}",
    "prices in place": "for name in prices: prices[name] *= 5\n    return {name: int(budget / p) for name, p in "
    "prices.items()}",
    "of old prices": f"old = {lab.PRICED}; return {{name: int(0.2 * budget / old[name]) for name in prices}}",
    "empty": "return {}",
}
MIX_RIGHT = {
    "even shares": "return {name: int(0.2 * budget / p) for name, p in prices.items()}",
    "own shares": "shares = {'tasks': 0.3, 'harmful': 0.1, 'twins': 0.1, 'disguised': 0.35, 'documents': 0.15}; return "
    "{name: int(s * budget // prices[name]) for name, s in shares.items()}",
    "as many rows of each": "n = int(budget / sum(prices.values())); return {name: n for name in prices}",
    "two only": "return {name: math.floor(budget / 2 / p) if name in ('tasks', 'disguised') else 0 for name, p in "
    "prices.items()}",
    "what is left to tasks": "out = {name: int(0.15 * budget / p) for name, p in prices.items() if name != 'tasks'}; "
    "left = budget - sum(n * prices[name] for name, n in out.items()); return {'tasks': "
    "int(left / prices['tasks']), **out}",
}

INDEX = (
    "index = [{'name': name, 'results': [{'task': {'type': 'text-generation'}, 'dataset': {'name': r['dataset'], "
    "'type': r['dataset']}, 'metrics': [{'type': r['metric'], 'value': r['value']}]} for r in results]}]"
)
FRONT = f"{INDEX}; front = yaml.safe_dump({{**metadata, 'model-index': index}}, sort_keys=False, allow_unicode=True)"
BODY = "body = '\\n\\n'.join(f'## {title}\\n\\n{text}' for title, text in sections.items())"
CARD_WRONG = {
    "no front matter": f"{FRONT}; {BODY}; return f'# {{name}}\\n\\n{{body}}\\n'",
    "front matter at the end": f"{FRONT}; {BODY}; return f'# {{name}}\\n\\n{{body}}\\n---\\n{{front}}---\\n'",
    "not closed": f"{FRONT}; {BODY}; return f'---\\n{{front}}\\n# {{name}}\\n\\n{{body}}\\n'",
    "no model-index": f"{BODY}; return f'---\\n{{yaml.safe_dump(metadata)}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "by hand": f"{INDEX}; {BODY}; lines = chr(10).join(f'{{k}}: {{v}}' for k, v in {{**metadata, 'model-index': "
    f"index}}.items()); return f'---\\n{{lines}}\\n---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "values as text": f"results = [{{**r, 'value': str(r['value'])}} for r in results]; {FRONT}; {BODY}; return "
    f"f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "per cent": f"results = [{{**r, 'value': 100 * r['value']}} for r in results]; {FRONT}; {BODY}; return "
    f"f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "rounded": f"results = [{{**r, 'value': round(r['value'], 2)}} for r in results]; {FRONT}; {BODY}; return "
    f"f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "metric and dataset changed": f"results = [{{**r, 'metric': r['dataset'], 'dataset': r['metric']}} for r in "
    f"results]; {FRONT}; {BODY}; return f'---\\n{{front}}---\\n\\n# "
    f"{{name}}\\n\\n{{body}}\\n'",
    "name of the data set in place of the model's": f"{INDEX}; index = [{{**index[0], 'name': r['dataset'], 'results': "
    f"[x]}} for r, x in zip(results, index[0]['results'])]; front = yaml.safe_dump({{**metadata, 'model-index': "
    f"index}}); {BODY}; return f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "first result only": f"results = results[:1]; {FRONT}; {BODY}; return f'---\\n{{front}}---\\n\\n# "
    f"{{name}}\\n\\n{{body}}\\n'",
    "a flat index": f"{BODY}; front = yaml.safe_dump({{**metadata, 'model-index': results}}); return "
    f"f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "no metrics list": f"index = [{{'name': name, 'results': [{{'task': {{'type': 'text-generation'}}, 'dataset': "
    f"{{'name': r['dataset'], 'type': r['dataset']}}, 'metrics': {{'type': r['metric'], 'value': "
    f"r['value']}}}} for r in results]}}]; {BODY}; front = yaml.safe_dump({{**metadata, "
    f"'model-index': index}}); return f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "no title": f"{FRONT}; {BODY}; return f'---\\n{{front}}---\\n\\n{{body}}\\n'",
    "headings of level three": f"{FRONT}; body = '\\n\\n'.join(f'### {{t}}\\n\\n{{x}}' for t, x in sections.items()); "
    f"return f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "sections sorted": f"{FRONT}; body = '\\n\\n'.join(f'## {{t}}\\n\\n{{x}}' for t, x in sorted(sections.items())); "
    f"return f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "headings only": f"{FRONT}; body = '\\n\\n'.join(f'## {{t}}' for t in sections); return "
    f"f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "JSON after the card": f"import json; {BODY}; return f'# {{name}}\\n\\n{{body}}\\n' + json.dumps(metadata)",
    "a blank line first": f"{FRONT}; {BODY}; return f'\\n---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "metadata changed": f"{INDEX}; metadata['model-index'] = index; {BODY}; return "
    f"f'---\\n{{yaml.safe_dump(metadata)}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "metadata left out": f"{INDEX}; {BODY}; front = yaml.safe_dump({{'model-index': index}}); return "
    f"f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
}
CARD_RIGHT = {
    "safe_dump": f"{FRONT}; {BODY}; return f'---\\n{{front}}---\\n\\n# {{name}}\\n\\n{{body}}\\n'",
    "JSON is YAML": f"import json; {INDEX}; {BODY}; return '---\\n' + json.dumps({{**metadata, 'model-index': index}}) "
    "+ '\\n---\\n# ' + name + '\\n' + body",
    "grouped by dataset": """groups = {}
    for r in results:
        groups.setdefault(r["dataset"], []).append({"type": r["metric"], "value": r["value"]})
    result = lambda d, m: {"task": {"type": "text-generation"}, "dataset": {"type": d, "name": d}, "metrics": m}
    index = [{"name": name, "results": [result(d, m) for d, m in groups.items()]}]
    lines = ["---", yaml.safe_dump(dict(metadata, **{"model-index": index})).rstrip(), "---", "", f"# {name}"]
    for title, text in sections.items():
        lines += ["", f"## {title}", "", text]
    return "\\n".join(lines)""",
    "the Hub's own": """rows = [EvalResult(task_type="text-generation", dataset_type=r["dataset"],
        dataset_name=r["dataset"], metric_type=r["metric"], metric_value=r["value"]) for r in results]
    data = ModelCardData(**metadata, model_name=name, eval_results=rows)
    return "---\\n" + data.to_yaml() + "\\n---\\n\\n# " + name + "\\n" + "".join(
        f"\\n## {t}\\n\\n{x}\\n" for t, x in sections.items())""",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "bootstrap_interval": {
        "mean of means": "clusters' means", "each cluster once": "counts once", "rows drawn": "numbers of rows",
        "over N": "size of the exam", "90 %": "90 %", "97.5 %": "97.5 %", "high first": "high came first",
        "sorted in place": "numbers of rows", "extremes": "largest round", "normal": "1.96", "reflected": "reflected",
        "mean and deviation": "mean and standard deviation", "of the values": "percentiles of the values",
    },
    "mcnemar": {
        "one-sided": "one-sided", "one outcome": "chance of exactly", "twice one outcome": "twice the chance",
        "chi squared": "χ² approximation: ", "chi squared, corrected": "continuity", "mid-p": "mid-p",
        "fewer than": "outcome itself must count", "all rows": "both got right", "agreement": "both agree",
        "numbers right": "numbers right", "one minus p": "1 − p",
    },
    "win_rate": {
        "not turned": "name places", "first order only": "only the first order",
        "second order only": "only the second order", "ties nothing": "not nothing", "ties win": "not as a win",
        "disagreement left out": "two verdicts differ",
        "2n verdicts": "2n verdicts", "a coin's error": "that of a coin", "deviation": "not divided by √n",
        "ddof 0": "n − 1", "B's rate": "B's rate", "first place": "first place", "per cent": "per cent",
    },
    "holm": {
        "Bonferroni": "Bonferroni", "no running maximum": "running maximum is missing",
        "no running maximum, ties alike": "running maximum is missing",
        "by a dict of values": "running maximum is missing",
        "m − 1": "is m − 1",
        "m + 1": "is m + 1", "rising": "rise with the rank", "no clip": "not cut off", "sorted": "came back sorted",
        "sorted in place": "came back sorted",
        "Benjamini and Hochberg": "Benjamini", "Hochberg": "step-up", "Sidak": "Šidák", "divided": "were divided",
        "unsorted": "places of the list", "nothing": "nothing was adjusted",
    },
    "overlap": {
        "share of runs": "share of the runs", "first words": "first word of each run", "counted twice": "counted twice",
        "counted twice, cut off": "counted twice", "longest run": "a single run",
        "short runs at the end": "shorter than n",
        "any": "any such run", "n − 1": "n − 1", "n + 1": "n + 1",
        "single words": "single words", "no order": "order of the words", "numbers": "numbers of words",
        "not seen": "not seen", "changed places": "changed places",
    },
    "reweight": {
        "no mix": "mix was not used", "even": "weigh the same", "not normalised": "divided by their sum",
        "times the exam": "number of rows in the exam", "a weight a row": "each row has its slice's weight",
        "turned round": "turned round",
        "weights not squared": "squared in the variance", "variance": "take its root",
        "errors added": "their squares add up", "error of the whole": "whole exam at this share",
        "no n": "lacks its number", "rows as they are": "as they are: add", "share with more rows": "are for the error",
        "wrong share": "share that is wrong", "per cent": "per cent",
        "worst": "worst slice", "left out silently": "left out silently", "unseen is wrong": "counted as wrong",
        "unseen is right": "counted as right",
    },
    "release_mix": {"shares": "these are shares", "tokens": "these are tokens", "everything to each": "given to each",
                    "fixed numbers": "given to each"},
    "model_card": {
        "no front matter": "first line", "front matter at the end": "first line", "not closed": "first line",
        "by hand": "by hand", "JSON after the card": "first line",
        "no model-index": "model-index", "values as text": "are texts", "per cent": "per cent", "rounded": "rounded",
        "metric and dataset changed": "changed places", "a blank line first": "first line",
    },
}
# the rule of the question that this wrong answer breaks, and no other
BREAKS = {
    "bootstrap_interval": {
        "mean of means": lab.SIZES, "over N": lab.SIZES, "nearest": lab.BETWEEN, "float32 sums": lab.DOUBLE,
        "float32 shares": lab.DOUBLE,
    },
    "mcnemar": {
        "b only": lab.SMALLER, "no cap": lab.AT_MOST, "no discordant": lab.NO_ROW, "floats": lab.MANY,
    },
    "win_rate": {
        "ties nothing": lab.HALF, "ties win": lab.HALF, "ties left out": lab.HALF, "both must agree": lab.HALF,
        "error 0 for one": lab.SINGLE,
    },
    "holm": {
        "no running maximum, ties alike": lab.NEVER_LESS, "by index of the value": lab.TIES,
        "no clip": lab.UP_TO_ONE, "the first without a look": lab.NOTHING,
    },
    "overlap": {
        "counted twice": lab.ONCE, "counted twice, cut off": lab.ONCE, "across rows": lab.WITHIN,
        "joined text": lab.WORDS_ONLY, "text with blanks": lab.WORDS_ONLY, "empty rows crash": lab.SHORT,
        "short runs at the end": lab.SHORT, "the last run missing": lab.LAST,
    },
    "reweight": {
        "not normalised": lab.COUNTS, "weight 0 needs rows": lab.OUTSIDE, "left out silently": lab.UNKNOWN,
        "unseen is wrong": lab.UNKNOWN, "unseen is right": lab.UNKNOWN, "crashes without rows": lab.UNKNOWN,
    },
    "release_mix": {
        "half of it": lab.SPENT, "one row at least": lab.ANY, "floats": lab.WHOLE_ROWS, "of old prices": lab.AS_PRICED,
        "at random": lab.FIXED,
    },
    "model_card": {"by hand": lab.MISREAD, "sections sorted": lab.IN_ORDER},
}
# fmt: on

# fmt: off
# fmt: on
BODIES = {
    "bootstrap_interval": ("values, clusters, draws", BOOT_WRONG, BOOT_RIGHT),
    "mcnemar": ("a, b", PAIRED_WRONG, PAIRED_RIGHT),
    "win_rate": ("a_first, b_first", WINS_WRONG, WINS_RIGHT),
    "holm": ("p_values", HOLM_WRONG, HOLM_RIGHT),
    "overlap": ("tests, training, n=8", SEEN_WRONG, SEEN_RIGHT),
    "reweight": ("right, slices, mix", MIXED_WRONG, MIXED_RIGHT),
    "release_mix": ("budget, prices", MIX_WRONG, MIX_RIGHT),
    "model_card": ("name, metadata, results, sections", CARD_WRONG, CARD_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
