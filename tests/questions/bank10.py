"""Lab 10: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab10_safety_refusals as lab

PRELUDE = (
    "import math\nimport re\nfrom collections import Counter, defaultdict\nfrom itertools import groupby\nimport numpy "
    "as np\nimport torch\n"
)

KIND = "those = lambda kind: [row['refused'] for row in rows if row['kind'] == kind]"
SHARE = f"{KIND}; share = lambda x: sum(x) / len(x) if x else None"
PAIR = "return {'harmful_refused': h, 'benign_refused': b}"
RATES_WRONG = {
    "over all rows": f"{KIND}; n = len(rows) or 1; h, b = sum(those('harmful')) / n, sum(those('benign')) / n; {PAIR}",
    "of the refusals": f"{KIND}; n = sum(row['refused'] for row in rows) or 1; h, b = sum(those('harmful')) / n, "
    f"sum(those('benign')) / n; {PAIR}",
    "changed places": f"{SHARE}; b, h = share(those('harmful')), share(those('benign')); {PAIR}",
    "answered": f"{SHARE}; h, b = (None if x is None else 1 - x for x in (share(those('harmful')), "
    f"share(those('benign')))); {PAIR}",
    "benign answered": f"{SHARE}; h, b = share(those('harmful')), share([not x for x in those('benign')]); {PAIR}",
    "all together": f"{SHARE}; h = b = share([row['refused'] for row in rows]); {PAIR}",
    "percent": f"{SHARE}; h, b = (None if x is None else 100 * x for x in (share(those('harmful')), "
    f"share(those('benign')))); {PAIR}",
    "counts": f"{KIND}; h, b = sum(those('harmful')), sum(those('benign')); {PAIR}",
    "whole numbers": f"{KIND}; h, b = (sum(x) // len(x) if x else None for x in (those('harmful'), those('benign'))); "
    f"{PAIR}",
    "accuracy": "n = len(rows) or 1; h = b = sum(row['refused'] == (row['kind'] == 'harmful') for row in rows) / n; "
    + PAIR,
    "the rest is benign": f"{SHARE}; h, b = share(those('harmful')), share([row['refused'] for row in rows if "
    f"row['kind'] != 'harmful']); {PAIR}",
    "the rest is harmful": f"{SHARE}; h, b = share([row['refused'] for row in rows if row['kind'] != 'benign']), "
    f"share(those('benign')); {PAIR}",
    "zero for nothing": (
        f"{KIND}; h, b = (sum(x) / max(1, len(x)) for x in (those('harmful'), those('benign'))); {PAIR}"
    ),
    "divides by zero": f"{KIND}; h, b = (sum(x) / len(x) for x in (those('harmful'), those('benign'))); {PAIR}",
    "None for a rate of zero": f"{KIND}; h, b = (sum(x) / len(x) if sum(x) else None for x in (those('harmful'), "
    f"those('benign'))); {PAIR}",
    "a tuple": f"{SHARE}; return share(those('harmful')), share(those('benign'))",
    "sorts in place": f"rows.sort(key=lambda row: row['kind']); {SHARE}; h, b = share(those('harmful')), "
    f"share(those('benign')); {PAIR}",
}
RATES_RIGHT = {
    "a helper": f"{SHARE}; h, b = share(those('harmful')), share(those('benign')); {PAIR}",
    "a loop": """n, refused = {"harmful": 0, "benign": 0}, {"harmful": 0, "benign": 0}
    for row in rows:
        if row["kind"] in n:
            n[row["kind"]] += 1
            refused[row["kind"]] += row["refused"]
    return {kind + "_refused": refused[kind] / n[kind] if n[kind] else None for kind in n}""",
    "numpy": """out = {}
    for kind in ("harmful", "benign"):
        those = np.array([row["refused"] for row in rows if row["kind"] == kind], dtype=float)
        out[f"{kind}_refused"] = float(those.mean()) if those.size else None
    return out""",
    "a counter": "c = Counter((row['kind'], row['refused']) for row in rows); rate = lambda k: c[k, True] / (c[k, "
    "True] + c[k, False]) if c[k, True] + c[k, False] else None; return "
    "dict(harmful_refused=rate('harmful'), benign_refused=rate('benign'))",
}

KEPT = """cell_of = lambda row: {cell}
    count = Counter((cell_of(row), row["kind"]) for row in rows)
    seen, kept = Counter(), []
    for row in {order}:
        key = cell_of(row), row["kind"]
        seen[key] += 1
        if {condition}:
            kept.append(row)
    {finish}"""
CELL = "(row['category'], row['disguise'])"
BOTH = "seen[key] <= min(count[key[0], 'harmful'], count[key[0], 'benign'])"


def keeps(cell=CELL, order="rows", condition=BOTH, finish="return kept"):
    return KEPT.format(cell=cell, order=order, condition=condition, finish=finish)


BALANCE_WRONG = {
    "over all": keeps(cell="()"),
    "by category": keeps(cell="row['category']"),
    "by disguise": keeps(cell="row['disguise']"),
    "the last ones": keeps(order="reversed(rows)", finish="return kept[::-1]"),
    "backwards": keeps(finish="return kept[::-1]"),
    "doubled up": """cells = defaultdict(lambda: {"harmful": [], "benign": []})
    for k, row in enumerate(rows):
        cells[row["category"], row["disguise"]][row["kind"]].append(k)
    keep = []
    for sides in cells.values():
        n = max(map(len, sides.values()))
        keep += [side[k % len(side)] for side in sides.values() if side for k in range(n)]
    return [rows[k] for k in sorted(keep)]""",
    "surplus harmful only": keeps(condition=f"row['kind'] == 'benign' or {BOTH}"),
    "surplus benign only": keeps(condition=f"row['kind'] == 'harmful' or {BOTH}"),
    "cell by cell": keeps(finish="return sorted(kept, key=cell_of)"),
    "harmful, then benign": keeps(
        finish="return [r for r in kept if r['kind'] == 'harmful'] + [r for r in kept if r['kind'] == 'benign']"
    ),
    "all": "return list(rows)",
    "harmful only": "return [row for row in rows if row['kind'] == 'harmful']",
    "one too many": keeps(condition=BOTH.replace("<=", "- 1 <=")),
    "strict": keeps(condition=BOTH.replace("<=", "<")),
    "least of all cells": keeps(
        condition="seen[key] <= min(count[c, k] for c, _ in count for k in ('harmful', 'benign'))"
    ),
    "at random": keeps(order="np.random.permutation(np.array(rows, dtype=object)).tolist()"),
    "rows without their messages": keeps(
        finish="return [{k: row[k] for k in ('category', 'disguise', 'kind', 'number')} for row in kept]"
    ),
    "cells of one kind stay": keeps(condition=f"{BOTH} or not min(count[key[0], 'harmful'], count[key[0], 'benign'])"),
    "in place": keeps(finish="rows[:] = kept; return rows"),
    "pairs of neighbours": "return [row for a, b in zip(rows[::2], rows[1::2]) if a['kind'] != b['kind'] for row in "
    "(a, b)]",
}
BALANCE_RIGHT = {
    "counting up": keeps(),
    "numbers by cell": """cells = defaultdict(lambda: ([], []))
    for k, row in enumerate(rows):
        cells[row["category"], row["disguise"]][row["kind"] == "harmful"].append(k)
    keep = {k for benign, harmful in cells.values() for pair in zip(benign, harmful) for k in pair}
    return [row for k, row in enumerate(rows) if k in keep]""",
    "rank of each row": """def rank(k):
        return sum(all(rows[k][key] == row[key] for key in ("category", "disguise", "kind")) for row in rows[:k])
    def room(row):
        here = [r["kind"] for r in rows if (r["category"], r["disguise"]) == (row["category"], row["disguise"])]
        return min(here.count("harmful"), here.count("benign"))
    return [row for k, row in enumerate(rows) if rank(k) < room(row)]""",
    "what is left": """n = Counter((r["category"], r["disguise"], r["kind"]) for r in rows)
    left = {cell: min(n[(*cell[:2], "harmful")], n[(*cell[:2], "benign")]) for cell in n}
    out = []
    for r in rows:
        cell = r["category"], r["disguise"], r["kind"]
        if left[cell]:
            left[cell] -= 1
            out.append(r)
    return out""",
}

BARE = r"lambda m: re.sub('[-.]', '', m[0])"


def pattern(
    letter="[a-z]", mark="([-.])", same=r"\1", least="{2,}", before=r"(?<![\w.-])", after=r"(?!\w|[-.]\w)", how=BARE
):
    return f"return re.sub(r'{before}{letter}(?:{mark}{letter})(?:{same}{letter}){least}{after}', {how}, text)"


UNSPELL_WRONG = {
    "all marks": "return text.replace('-', '').replace('.', '')",
    "all hyphens": "return text.replace('-', '')",
    "all full stops": "return text.replace('.', '')",
    "hyphens only": pattern(mark="(-)"),
    "full stops only": pattern(mark=r"(\.)"),
    "two letters are enough": pattern(least="{0,}"),
    "three letters are enough": pattern(least="{1,}"),
    "five letters": pattern(least="{3,}"),
    "digits, too": pattern(letter="[a-z0-9]"),
    "capitals, too": pattern(letter="[A-Za-z]"),
    "mixed marks": pattern(same="[-.]"),
    "the sentence's full stop, too": pattern(after=r"(?![-.]?\w)[-.]?"),
    "nothing may touch it after": pattern(after=r"(?![\w.-])"),
    "no look before": pattern(before=""),
    "a word edge before": pattern(before=r"\b"),
    "no look behind": pattern(after=""),
    "a word edge behind": pattern(after=r"\b"),
    "a digit may stand behind one more mark": pattern(after=r"(?!\w|[-.][a-z])"),
    "an underscore may stand behind": pattern(after="(?![a-zA-Z0-9]|[-.][a-zA-Z0-9])"),
    "blanks between": pattern(how="lambda m: re.sub('[-.]', ' ', m[0])"),
    "unchanged": "return text",
    "white space squeezed": "text = ' '.join(text.split())\n    " + pattern(),
    "small letters": pattern().replace(", text)", ", text.lower())"),
    "the first one only": pattern().replace(", text)", ", text, count=1)"),
    "token by token, no punctuation": "return re.sub(r'\\S+', lambda m: re.sub('[-.]', '', m[0]) if "
    "re.fullmatch(r'[a-z](-[a-z]){3,}|[a-z](\\.[a-z]){3,}', m[0]) else m[0], text)",
}
UNSPELL_RIGHT = {
    "one pattern": pattern(),
    "two patterns": """for mark in (r"-", r"\\."):
        text = re.sub(rf"(?<![\\w.-])[a-z](?:{mark}[a-z]){{3,}}(?!\\w|[-.]\\w)",
            lambda m: m[0].replace("-", "").replace(".", ""), text)
    return text""",
    "chunks": """def mended(m):
        core = m[0].rstrip("-.")
        for mark in "-.":
            parts = core.split(mark)
            if len(parts) > 3 and all(len(p) == 1 and "a" <= p <= "z" for p in parts):
                return "".join(parts) + m[0][len(core):]
        return m[0]
    return re.sub(r"[\\w.-]+", mended, text)""",
    "letters one by one": """out, k = "", 0
    touches = lambda c: c.isalnum() or c in "-._"
    while k < len(text):
        end = k
        while end < len(text) and touches(text[end]):
            end += 1
        chunk = text[k:end].rstrip("-.")
        letters, marks = chunk[::2], set(chunk[1::2])
        small = letters.isascii() and letters.isalpha() and letters.islower()
        if len(chunk) >= 7 and len(chunk) % 2 and small and marks in ({"-"}, {"."}):
            out += letters + text[k + len(chunk):end]
        else:
            out += text[k:end]
        out += text[end:end + 1]
        k = end + 1
    return out""",
}

LEAVE_WRONG = {
    "changed places": "return {c: ([k for k, x in enumerate(categories) if x == c], [k for k, x in "
    "enumerate(categories) if x != c]) for c in set(categories)}",
    "trained on all": "return {c: (list(range(len(categories))), [k for k, x in enumerate(categories) if x == c]) for "
    "c in set(categories)}",
    "tested on all": "return {c: ([k for k, x in enumerate(categories) if x != c], list(range(len(categories)))) for c "
    "in set(categories)}",
    "both the category": "return {c: ([k for k, x in enumerate(categories) if x == c], [k for k, x in "
    "enumerate(categories) if x == c]) for c in set(categories)}",
    "one test row": "return {c: ([k for k, x in enumerate(categories) if x != c], [categories.index(c)]) for c in "
    "set(categories)}",
    "one row left out": "return {c: ([k for k in range(len(categories)) if k != categories.index(c)], "
    "[categories.index(c)]) for c in set(categories)}",
    "names": "return {c: ([x for x in categories if x != c], [x for x in categories if x == c]) for c in "
    "set(categories)}",
    "from one": "return {c: ([k for k, x in enumerate(categories, 1) if x != c], [k for k, x in enumerate(categories, "
    "1) if x == c]) for c in set(categories)}",
    "test rows only": "return {c: [k for k, x in enumerate(categories) if x == c] for c in set(categories)}",
    "in": "return {c: ([k for k, x in enumerate(categories) if c not in x], [k for k, x in enumerate(categories) if c "
    "in x]) for c in set(categories)}",
    "no entry where nothing is left": "return {c: ([k for k, x in enumerate(categories) if x != c], [k for k, x in "
    "enumerate(categories) if x == c]) for c in set(categories) if set(categories) != {c}}",
    "a list of splits": "return [([k for k, x in enumerate(categories) if x != c], [k for k, x in "
    "enumerate(categories) if x == c]) for c in dict.fromkeys(categories)]",
    "runs": "out, k = {}, 0\n    for c, run in groupby(categories):\n        n = len(list(run)); test = list(range(k, "
    "k + n)); k += n\n        out[c] = ([j for j in range(len(categories)) if j not in test], test)\n    "
    "return out",
    "sorted in place": "categories.sort(); return {c: ([k for k, x in enumerate(categories) if x != c], [k for k, x in "
    "enumerate(categories) if x == c]) for c in set(categories)}",
    "category by category": """split = {}
    for h in dict.fromkeys(categories):
        train = []
        for o in dict.fromkeys(categories):
            if o != h: train += [k for k, c in enumerate(categories) if c == o]
        split[h] = (train, [k for k, c in enumerate(categories) if c == h])
    return split""",
    "numbers fall": "return {c: ([k for k, x in enumerate(categories) if x != c][::-1], [k for k, x in "
    "enumerate(categories) if x == c][::-1]) for c in set(categories)}",
}
LEAVE_RIGHT = {
    "two lists": "return {c: ([k for k, x in enumerate(categories) if x != c], [k for k, x in enumerate(categories) if "
    "x == c]) for c in dict.fromkeys(categories)}",
    "a loop": """split = {}
    for name in set(categories):
        train, test = [], []
        for k, other in enumerate(categories):
            (test if other == name else train).append(k)
        split[name] = [train, test]
    return split""",
    "numpy": "a = np.array(categories, dtype=object); return {c: (np.flatnonzero(a != c).tolist(), np.flatnonzero(a == "
    "c).tolist()) for c in set(categories)}",
    "complement": "rows = set(range(len(categories))); test = {c: [k for k in sorted(rows) if categories[k] == c] for "
    "c in set(categories)}; return {c: (sorted(rows - set(t)), t) for c, t in test.items()}",
}

SORTED = "order = torch.argsort(scores, descending=True); s, y = scores[order], harmful[order].double()"
ENDS = "last = torch.cat((s[1:] != s[:-1], torch.tensor([True])))"
POINTS = (
    "z = torch.zeros(1, dtype=torch.float64); caught = torch.cat((z, (y.cumsum(0) / y.sum())[last])); alarms = "
    "torch.cat((z, ((1 - y).cumsum(0) / (1 - y).sum())[last]))"
)
AREA = "area = torch.trapezoid(caught, alarms).item()"
OUT = "return alarms.float(), caught.float(), area"
ROC_BODY = f"{SORTED}; {ENDS}; {POINTS}; {AREA}; {OUT}"
ROC_WRONG = {
    "axes changed": ROC_BODY.replace("return alarms.float(), caught.float()", "return caught.float(), alarms.float()"),
    "no origin": ROC_BODY.replace(OUT, "return alarms[1:].float(), caught[1:].float(), area"),
    "ties one by one": ROC_BODY.replace(ENDS, "last = torch.ones(len(s), dtype=torch.bool)").replace(
        "torch.argsort(scores, descending=True)", "torch.argsort(scores, descending=True, stable=True)"
    ),
    "from below": ROC_BODY.replace(OUT, "return alarms.flip(0).float(), caught.flip(0).float(), area"),
    "above the threshold only": "t = sorted(set(scores.tolist()), reverse=True); n = len(t); a = torch.tensor([0.0] + "
    "[float((scores > x)[~harmful].double().mean()) for x in t]); c = torch.tensor([0.0] "
    "+ [float((scores > x)[harmful].double().mean()) for x in t]); return a, c, "
    "torch.trapezoid(c, a).item()",
    "over all rows": f"{SORTED}; {ENDS}; z = torch.zeros(1, dtype=torch.float64); caught = torch.cat((z, (y.cumsum(0) "
    f"/ len(y))[last])); alarms = torch.cat((z, ((1 - y).cumsum(0) / len(y))[last])); {AREA}; {OUT}",
    "counts": f"{SORTED}; {ENDS}; z = torch.zeros(1, dtype=torch.float64); caught = torch.cat((z, y.cumsum(0)[last])); "
    f"alarms = torch.cat((z, (1 - y).cumsum(0)[last])); {AREA}; {OUT}",
    "kinds changed": ROC_BODY.replace("harmful[order].double()", "1 - harmful[order].double()"),
    "low scores blocked": ROC_BODY.replace("descending=True", "descending=False"),
    "let through": ROC_BODY.replace(OUT, "return 1 - alarms.float(), 1 - caught.float(), area"),
    "left height": ROC_BODY.replace(AREA, "area = (alarms.diff() * caught[:-1]).sum().item()"),
    "ties count nothing": ROC_BODY.replace(
        AREA, "area = (scores[harmful][:, None] > scores[~harmful]).double().mean().item()"
    ),
    "ties count in full": ROC_BODY.replace(
        AREA, "area = (scores[harmful][:, None] >= scores[~harmful]).double().mean().item()"
    ),
    "right height": ROC_BODY.replace(AREA, "area = (alarms.diff() * caught[1:]).sum().item()"),
    "area above": ROC_BODY.replace(AREA, "area = 1 - torch.trapezoid(caught, alarms).item()"),
    "negative area": ROC_BODY.replace(AREA, "area = torch.trapezoid(caught.flip(0), alarms.flip(0)).item()"),
    "mean height": ROC_BODY.replace(AREA, "area = caught.mean().item()"),
    "accuracy for area": ROC_BODY.replace(AREA, "area = ((scores >= 0.5) == harmful).double().mean().item()"),
    "percent": ROC_BODY.replace(AREA, "area = 100 * torch.trapezoid(caught, alarms).item()"),
    "area over the other axis": ROC_BODY.replace(AREA, "area = torch.trapezoid(alarms, caught).item()"),
    "begins at 1": "t = [1.0] + sorted(set(scores.tolist()), reverse=True); a = torch.tensor([(scores >= "
    "x)[~harmful].float().mean() for x in t]); c = torch.tensor([(scores >= x)[harmful].float().mean() for x in t]); "
    "return a, c, float(((a[1:] - a[:-1]) * (c[1:] + c[:-1]) / 2).sum())",
    "a grid of thresholds": "t = torch.linspace(1, 0, 101); a = torch.stack([(scores >= x)[~harmful].double().mean() "
    "for x in t]); c = torch.stack([(scores >= x)[harmful].double().mean() for x in t]); "
    "return a.float(), c.float(), torch.trapezoid(c, a).item()",
    "no area": ROC_BODY.replace(OUT, "return alarms.float(), caught.float()"),
    "corners only": ROC_BODY.replace(
        OUT,
        "keep = torch.cat((torch.tensor([True]), (alarms.diff() > 0)[:-1] | (alarms.diff() > 0)[1:], "
        "torch.tensor([True]))); return alarms[keep].float(), caught[keep].float(), area",
    ),
    "scores sorted in place": f"scores.copy_(scores.sort(descending=True).values); {ROC_BODY}",
    "float64": ROC_BODY.replace(OUT, "return alarms, caught, area"),
}
ROC_RIGHT = {
    "sort and cumsum": ROC_BODY,
    "threshold by threshold": "t = [math.inf] + sorted(set(scores.tolist()), reverse=True); a = torch.tensor([(scores "
    ">= x)[~harmful].float().mean() for x in t]); c = torch.tensor([(scores >= "
    "x)[harmful].float().mean() for x in t]); return a, c, float(((a[1:] - a[:-1]) * (c[1:] "
    "+ c[:-1]) / 2).sum())",
    "unique": """levels, where = scores.unique(return_inverse=True)
    count = lambda mask: torch.bincount(where[mask], minlength=len(levels)).double().flip(0)
    bad, good = count(harmful), count(~harmful)
    start = torch.zeros(1, dtype=torch.float64)
    y, x = torch.cat((start, bad.cumsum(0) / bad.sum())), torch.cat((start, good.cumsum(0) / good.sum()))
    return x.float(), y.float(), torch.trapezoid(y, x)""",
    "numpy": """s, y = scores.numpy(), harmful.numpy()
    t = np.concatenate(([np.inf], np.unique(s)[::-1]))
    a, c = [(s[y == kind][None] >= t[:, None]).mean(1) for kind in (False, True)]
    area = float(np.sum(np.diff(a) * (c[1:] + c[:-1]) / 2))
    return torch.tensor(a, dtype=torch.float32), torch.tensor(c, dtype=torch.float32), area""",
}

COST = (
    "cost = lambda t: base_rate * cost_miss * (scores < t)[harmful].double().mean().item() + (1 - base_rate) * "
    "cost_alarm * (scores >= t)[~harmful].double().mean().item()"
)
TRIED = "tried = [math.inf] + sorted(set(scores.tolist()), reverse=True)"
FIRST = "best = min(tried, key=cost); return best, cost(best)"


def threshold(cost=COST, tried=TRIED, first=FIRST):
    return f"{cost}\n    {tried}\n    {first}"


# fmt: off
THRESHOLD_WRONG = {
    "costs changed": threshold(cost=COST.replace("cost_miss", "x").replace("cost_alarm", "cost_miss").replace("* x *",
        "* cost_alarm *")),
    "no base rate": threshold(cost=COST.replace("(1 - base_rate)", "0.5").replace("base_rate", "0.5")),
    "plain sum of both": threshold(cost=COST.replace("(1 - base_rate) * ", "").replace("base_rate * ", "")),
    "the exam's base rate": threshold(cost="base_rate = harmful.double().mean().item(); " + COST),
    "base rate turned": threshold(cost="base_rate = 1 - base_rate; " + COST),
    "rows counted": threshold(cost=COST.replace("mean()", "sum()")),
    "block nothing not tried": threshold(tried=TRIED.replace("[math.inf] + ", "")),
    "strictly above": threshold(cost=COST.replace("scores < t", "scores <= t").replace("scores >= t", "scores > t")),
    "the lowest of equal ones": threshold(tried="tried = sorted(set(scores.tolist())) + [math.inf]"),
    "costs ignored": threshold(cost=COST.replace("cost_miss", "1.0").replace("cost_alarm", "1.0")),
    "the dearest": threshold(first="best = max(tried, key=cost); return best, cost(best)"),
    "chosen at one half": threshold(cost=COST + "; half = lambda t: cost_miss * (scores < "
                                                "t)[harmful].double().mean().item() + cost_alarm * (scores >= "
                                                "t)[~harmful].double().mean().item()",
                                                    first="best = min(tried, key=half); return best, cost(best)"),
    "0.5": threshold(first="return 0.5, cost(0.5)"),
    "threshold only": threshold(first="return min(tried, key=cost)"),
    "cost first": threshold(first="best = min(tried, key=cost); return cost(best), best"),
    "a grid": threshold(tried="tried = [k / 100 for k in range(100, -1, -1)]"),
    "middles": threshold(tried="s = sorted(set(scores.tolist()), reverse=True); tried = [math.inf] + [(a + b) / 2 for "
                               "a, b in zip(s, s[1:])] + [s[-1] - 1]"),
    "total of all rows": threshold(first="best = min(tried, key=cost); return best, len(scores) * cost(best)"),
    "scores sorted in place": "scores.copy_(scores.sort().values)\n    " + threshold(),
    "youden": threshold(first="best = max(tried, key=lambda t: (scores >= t)[harmful].double().mean() - (scores >= "
                              "t)[~harmful].double().mean()); return best, cost(best)"),
}
# fmt: on
THRESHOLD_RIGHT = {
    "min": threshold(),
    "a loop": """best, least = float("inf"), base_rate * cost_miss
    bad, good = scores[harmful], scores[~harmful]
    for t in sorted(scores.unique().tolist(), reverse=True):
        missed, alarms = float((bad < t).float().mean()), float((good >= t).float().mean())
        price = base_rate * cost_miss * missed + (1 - base_rate) * cost_alarm * alarms
        if price < least - 1e-9:
            best, least = t, price
    return best, least""",
    "numpy": """t = np.append(np.unique(scores.numpy()), np.inf)[::-1]
    s, y = scores.numpy(), harmful.numpy()
    miss, alarm = (s[y][None] < t[:, None]).mean(1), (s[~y][None] >= t[:, None]).mean(1)
    price = base_rate * cost_miss * miss + (1 - base_rate) * cost_alarm * alarm
    k = int(np.argmin(np.round(price, 9)))
    return float(t[k]), float(price[k])""",
    "all at once": """t = torch.cat((torch.tensor([math.inf]), scores.unique().flip(0)))
    missed = (scores[harmful] < t[:, None]).double().mean(1)
    alarms = (scores[~harmful] >= t[:, None]).double().mean(1)
    price = base_rate * cost_miss * missed + (1 - base_rate) * cost_alarm * alarms
    k = int((price < price.min() + 1e-9).nonzero()[0])
    return t[k].item(), price[k].item()""",
}

D = "d = before.double() - after.double(); n = len(d)"
TAX_WRONG = {
    "sign": f"{D}; return -d.mean().item(), (d.std() / n ** 0.5).item()",
    "unpaired": f"{D}; p, r = before.double().mean(), after.double().mean(); return d.mean().item(), ((p * (1 - p) + r "
    "* (1 - r)) / n).sqrt().item()",
    "standard deviation": f"{D}; return d.mean().item(), d.std().item()",
    "by n": f"{D}; return d.mean().item(), (d.std(correction=0) / n ** 0.5).item()",
    "over n": f"{D}; return d.mean().item(), (d.std() / n).item()",
    "variance": f"{D}; return d.mean().item(), (d.var() / n).item()",
    "percent": f"{D}; return 100 * d.mean().item(), 100 * (d.std() / n ** 0.5).item()",
    "lost only": f"{D}; return (before & ~after).double().mean().item(), (d.std() / n ** 0.5).item()",
    "lost only, its error, too": f"{D}; d = d.clamp(min=0); return d.mean().item(), (d.std() / n ** 0.5).item()",
    "unchanged tasks left out": "d = before.double() - after.double(); d = d[d != 0] if d.any() else d; return "
    "d.mean().item(), (d.std() / len(d) ** 0.5).item()",
    "counts": f"{D}; return d.sum().item(), (d.std() / n ** 0.5).item()",
    "of those right before": f"{D}; return (d.sum() / before.sum()).item(), (d.std() / n ** 0.5).item()",
    "two errors": f"{D}; return d.mean().item(), 2 * (d.std() / n ** 0.5).item()",
    "after's own error": f"{D}; r = after.double().mean(); return d.mean().item(), (r * (1 - r) / n).sqrt().item()",
    "a gain is no change": f"{D}; return max(0.0, d.mean().item()), (d.std() / n ** 0.5).item()",
    "a gain is a loss": f"{D}; return abs(d.mean().item()), (d.std() / n ** 0.5).item()",
    "a little error always": f"{D}; return d.mean().item(), (d.std() / n ** 0.5).item() or 1.0 / n",
    "absolute": f"{D}; return d.abs().mean().item(), (d.abs().std() / n ** 0.5).item()",
    "xor": "d = (before ^ after).double(); return d.mean().item(), (d.std() / len(d) ** 0.5).item()",
    "booleans subtracted": "d = before - after; return d.double().mean().item(), (d.double().std() / len(d) ** "
    "0.5).item()",
    "loss only": f"{D}; return d.mean().item()",
    "in place": f"{D}; before &= after; return d.mean().item(), (d.std() / n ** 0.5).item()",
}
TAX_RIGHT = {
    "differences": f"{D}; return d.mean().item(), (d.std() / n ** 0.5).item()",
    "counts of the four": "n = len(before); lost, won = int((before & ~after).sum()), int((~before & after).sum()); m "
    "= (lost - won) / n; return m, math.sqrt((lost + won - n * m * m) / (n - 1) / n)",
    "numpy": "d = before.numpy().astype(float) - after.numpy().astype(float); return float(d.mean()), "
    "float(d.std(ddof=1) / np.sqrt(d.size))",
    "a loop": "d = [int(b) - int(a) for b, a in zip(before.tolist(), after.tolist())]; m = sum(d) / len(d); return m, "
    "(sum((x - m) ** 2 for x in d) / (len(d) - 1) / len(d)) ** 0.5",
}

DECIDED = "by = defaultdict(list)\n    for g, r in zip(groups, refused): by[g].append(r)"
MANY = "many = [r for r in by.values() if len(r) > 1]"
SAME_WRONG = {
    "always refused": f"{DECIDED}\n    {MANY}; return sum(all(r) for r in many) / len(many) if many else None",
    "always answered": f"{DECIDED}\n    {MANY}; return sum(not any(r) for r in many) / len(many) if many else None",
    "by rows": f"{DECIDED}\n    {MANY}; return sum(len(r) for r in many if len(set(r)) == 1) / sum(map(len, many)) if "
    "many else None",
    "share refused": "return sum(refused) / len(refused) if refused else None",
    "mean share": f"{DECIDED}\n    {MANY}; return sum(sum(r) / len(r) for r in by.values()) / len(by) if many else "
    "None",
    "inconsistent": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) > 1 for r in many) / len(many) if many else None",
    "neighbours": "runs = [[r for _, r in run] for _, run in groupby(zip(groups, refused), key=lambda x: x[0])]; runs "
    "= [r for r in runs if len(r) > 1]; return sum(len(set(r)) == 1 for r in runs) / len(runs) if runs "
    "else None",
    "majority": f"{DECIDED}\n    {MANY}; return sum(max(r.count(True), r.count(False)) / len(r) for r in many) / "
    "len(many) if many else None",
    "percent": f"{DECIDED}\n    {MANY}; return 100 * sum(len(set(r)) == 1 for r in many) / len(many) if many else None",
    "count": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in many) if many else None",
    "over the rows": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in many) / len(groups) if many else "
    "None",
    "singles counted, None without two forms": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in "
    "by.values()) / len(by) if many else None",
    "singles counted": f"{DECIDED}\n    return sum(len(set(r)) == 1 for r in by.values()) / len(by) if by else None",
    "singles below the line": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in many) / len(by) if many "
    "else None",
    "zero for nothing": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in many) / max(1, len(many))",
    "one for nothing": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in many) / len(many) if many else "
    "1.0",
    "first form decides": f"{DECIDED}\n    {MANY}; return sum(r[0] == r[1] for r in many) / len(many) if many else "
    "None",
    "sorted in place": f"refused.sort(); groups.sort(); {DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in "
    "many) / len(many) if many else None",
}
SAME_RIGHT = {
    "sets": f"{DECIDED}\n    {MANY}; return sum(len(set(r)) == 1 for r in many) / len(many) if many else None",
    "all or none": f"{DECIDED}\n    {MANY}\n    if not many: return None\n    return sum(all(r) or not any(r) for r in "
    "many) / len(many)",
    "a list for each": "names = [g for g in set(groups) if groups.count(g) > 1]; own = lambda g: [r for x, r in "
    "zip(groups, refused) if x == g]; return sum(sum(own(g)) in (0, len(own(g))) for g in names) / "
    "len(names) if names else None",
    "groupby, sorted": "rows = sorted(zip(groups, refused)); runs = [[r for _, r in run] for _, run in groupby(rows, "
    "key=lambda x: x[0])]; runs = [r for r in runs if len(r) > 1]; return float(np.mean([r[0] == "
    "r[-1] for r in runs])) if runs else None",
}

U = "r = direction / direction.norm()"
ABLATE_WRONG = {
    "length forgotten": "return x - (x @ direction)[..., None] * direction",
    "divided by the length once": (
        "n = direction.norm(); n = n if n else n + 1\n    return x - (x @ direction)[..., None] / n * direction"
    ),
    "a large ε": "return x - (x @ direction / (direction @ direction + 1e-4))[..., None] * direction",
    "added": "r = torch.nn.functional.normalize(direction, dim=0)\n    return x + (x @ r)[..., None] * r",
    "the part": "r = torch.nn.functional.normalize(direction, dim=0)\n    return (x @ r)[..., None] * r",
    "the number": "r = torch.nn.functional.normalize(direction, dim=0)\n    return x @ r",
    "mirrored": "r = torch.nn.functional.normalize(direction, dim=0)\n    return x - 2 * (x @ r)[..., None] * r",
    "the direction subtracted": "return x - torch.nn.functional.normalize(direction, dim=0)",
    "the mean part": (
        "r = torch.nn.functional.normalize(direction, dim=0)\n    part = (x @ r)[..., None] * r\n    "
        "return x - part.reshape(-1, x.shape[-1]).mean(0)"
    ),
    "only with it": "r = torch.nn.functional.normalize(direction, dim=0)\n    return x - (x @ r).relu()[..., None] * r",
    "absolute": "r = torch.nn.functional.normalize(direction, dim=0)\n    return x - (x @ r).abs()[..., None] * r",
    "stretched": (
        "r = torch.nn.functional.normalize(direction, dim=0)\n    y = x - (x @ r)[..., None] * r\n    "
        "return y * x.norm(dim=-1, keepdim=True) / y.norm(dim=-1, keepdim=True)"
    ),
    "places emptied": "return x * (direction == 0)",
    "x of length 1": (
        "r = torch.nn.functional.normalize(direction, dim=0)\n    x = x / x.norm(dim=-1, keepdim=True)\n    "
        "return x - (x @ r)[..., None] * r"
    ),
    "two axes only": ("r = torch.nn.functional.normalize(direction, dim=0)\n    return x - (x @ r)[:, None] * r"),
    "outer product": "r = torch.nn.functional.normalize(direction, dim=0)\n    return x - torch.outer(x @ r, r)",
    "NaN for zeros": f"{U}\n    return x - (x @ r)[..., None] * r",
    "zeros for a direction of zeros": f"{U}\n    return (x - (x @ r)[..., None] * r).nan_to_num(0.0)",
    "in place": ("r = torch.nn.functional.normalize(direction, dim=0)\n    x -= (x @ r)[..., None] * r\n    return x"),
}
ABLATE_RIGHT = {
    "a vector of length 1": (
        "r = torch.nn.functional.normalize(direction, dim=0)\n    return x - (x @ r)[..., None] * r"
    ),
    "by r · r": (
        "square = (direction * direction).sum().clamp(min=1e-30)\n    "
        "return x - (x * direction).sum(-1, keepdim=True) / square * direction"
    ),
    "a matrix": (
        "r = direction / direction.norm() if direction.any() else direction\n    "
        "return x @ (torch.eye(len(r)) - torch.outer(r, r))"
    ),
    "einsum": (
        "if not direction.any():\n        return x.clone()\n    r = direction / direction.norm()\n    "
        "return x - torch.einsum('...d,d,e->...e', x, r, r)"
    ),
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "safety_rates": {
        "over all rows": "divided by all rows",
        "of the refusals": "shares of the refusals",
        "changed places": "changed places",
        "answered": "that were answered, not refused",
        "benign answered": "that were answered: count",
        "all together": "of all rows together",
        "percent": "in percent",
        "counts": "counts: divide",
        "whole numbers": "whole-number",
        "accuracy": "rows that are right",
        "the rest is benign": "taken for benign",
        "the rest is harmful": "taken for harmful",
    },
    "balance": {
        "backwards": "backwards",
        "harmful, then benign": "kind by kind",
        "strict": "too few",
        "least of all cells": "smallest of all",
        "over all": "over all rows together",
        "by category": "disguise was left out",
        "by disguise": "category was left out",
        "the last ones": "last rows",
        "doubled up": "doubled up",
        "surplus harmful only": "only surplus harmful",
        "surplus benign only": "only surplus benign",
        "all": "all rows came back",
        "harmful only": "harmful rows alone",
    },
    "unspell": {
        "nothing may touch it after": "before a full stop", "no look before": "directly before",
        "no look behind": "directly behind", "an underscore may stand behind": "directly behind",
        "the first one only": "only the first word",
        "all marks": "every hyphen and every full stop",
        "all hyphens": "every hyphen is gone",
        "all full stops": "every full stop is gone",
        "hyphens only": "only hyphens",
        "full stops only": "only full stops",
        "two letters are enough": "two letters",
        "five letters": "four are enough",
        "digits, too": "numbers went",
        "capitals, too": "capital letters",
        "mixed marks": "two different marks",
        "three letters are enough": "three letters",
        "the sentence's full stop, too": "at the end of the sentence",
        "blanks between": "parted by blanks",
        "unchanged": "came back as it was",
        "white space squeezed": "white space",
        "small letters": "became small",
    },
    "leave_one_out": {
        "changed places": "changed places",
        "trained on all": "nothing is left out",
        "tested on all": "every row is tested",
        "both the category": "trained on and tested on",
        "one test row": "only one row is tested",
        "one row left out": "not the category",
        "names": "names of the categories",
        "from one": "counted from 1",
        "test rows only": "only the test rows",
    },
    "roc": {
        "axes changed": "two axes", "no origin": "(0, 0) is missing", "ties one by one": "one by one",
        "from below": "begin at (0, 0)", "over all rows": "divided by all rows", "counts": "these are counts",
        "kinds changed": "harmful and benign did", "low scores blocked": "low scores",
        "above the threshold only": "equal to the threshold", "let through": "let through",
        "left height": "left height", "right height": "right height", "ties count nothing": "ties counted nothing",
        "ties count in full": "ties counted in full", "area above": "above the curve",
        "area over the other axis": "above the curve",
        "negative area": "sign is wrong", "mean height": "mean of the caught", "accuracy for area": "accuracy at one",
        "percent": "in percent",
    },
    "ablate_direction": {
        "length forgotten": "length was forgotten", "divided by the length once": "by the length once",
        "added": "part was added", "the part": "that is the part", "the number": "that is the number",
        "mirrored": "subtracted twice", "the direction subtracted": "direction itself", "the mean part": "mean part",
        "only with it": "only what points with", "stretched": "stretched", "places emptied": "places where",
        "x of length 1": "divided by its length first",
    },
    "cheapest_threshold": {
        "costs changed": "costs changed",
        "no base rate": "half of the requests",
        "the exam's base rate": "exam's own share",
        "base rate turned": "base rate and its rest",
        "rows counted": "rows were counted",
        "block nothing not tried": "block nothing",
        "strictly above": "equal to the threshold",
        "the lowest of equal ones": "lowest came back",
        "costs ignored": "count as one",
        "the dearest": "costs most",
        "chosen at one half": "chosen at a base rate",
        "0.5": "threshold of 0.5",
        "middles": "middles between two scores",
    },
    "paired_tax": {
        "a gain is no change": "as no change", "a gain is a loss": "as a loss",
        "sign": "sign is wrong", "unpaired": "two independent exams", "standard deviation": "not divided by √n",
        "by n": "n − 1", "over n": "divided by n, not by √n", "variance": "variance of the mean", "percent": "percent",
        "lost only": "only the lost", "lost only, its error, too": "only the lost",
        "unchanged tasks left out": "nothing changed were left out", "counts": "these are counts",
        "of those right before": "right before",
        "two errors": "twice the error", "after's own error": "`after` alone",
    },
    "consistency": {
        "first form decides": "first two forms",
        "singles counted, None without two forms": "cannot be anything else",
        "always refused": "always refused count", "always answered": "always answered count",
        "by rows": "rows were counted", "share refused": "share of refusals", "mean share": "mean over the requests",
        "inconsistent": "*not* consistent", "neighbours": "neighbouring rows", "majority": "majority",
        "percent": "in percent", "count": "this is a count", "over the rows": "divided by the rows",
        "singles counted": "cannot be anything else", "singles below the line": "below it",
    },
}
# fmt: on

# fmt: off
BREAKS = {
    "safety_rates": {
        "the rest is benign": lab.ANOTHER_KIND, "the rest is harmful": lab.ANOTHER_KIND,
        "zero for nothing": lab.NO_ROW, "divides by zero": lab.NO_ROW, "None for a rate of zero": lab.MEASURED,
    },
    "balance": {
        "the last ones": lab.FIRST, "backwards": lab.IN_ORDER, "cell by cell": lab.IN_ORDER,
        "harmful, then benign": lab.IN_ORDER, "cells of one kind stay": lab.ONE_KIND,
        "rows without their messages": lab.WHOLE_ROWS,
    },
    "unspell": {
        "two letters are enough": lab.AT_LEAST_FOUR, "three letters are enough": lab.AT_LEAST_FOUR,
        "digits, too": lab.SMALL_LETTERS, "capitals, too": lab.SMALL_LETTERS, "mixed marks": lab.ONE_MARK,
        "no look before": lab.BEFORE, "a word edge before": lab.BEFORE, "no look behind": lab.BEHIND,
        "a word edge behind": lab.BEHIND, "an underscore may stand behind": lab.BEHIND,
        "a digit may stand behind one more mark": lab.BEHIND,
        "nothing may touch it after": lab.THE_REST, "token by token, no punctuation": lab.THE_REST,
        "the sentence's full stop, too": lab.THE_REST,
    },
    "ablate_direction": {
        "length forgotten": lab.ANY_LENGTH, "divided by the length once": lab.ANY_LENGTH,
        "two axes only": lab.EACH_VECTOR, "outer product": lab.EACH_VECTOR, "NaN for zeros": lab.ZERO,
        "zeros for a direction of zeros": lab.ZERO,
    },
    "leave_one_out": {
        "category by category": lab.RISING, "numbers fall": lab.RISING,
        "in": lab.WHOLE_NAME, "no entry where nothing is left": lab.NOTHING_LEFT,
    },
    "roc": {
        "ties one by one": lab.TIES, "left height": lab.TIES, "ties count nothing": lab.TIES,
        "ties count in full": lab.TIES, "begins at 1": lab.ANY_NUMBER,
    },
    "cheapest_threshold": {
        "block nothing not tried": lab.BLOCK_NOTHING, "the lowest of equal ones": lab.HIGHEST,
    },
    "paired_tax": {
        "a gain is no change": lab.GAIN, "a gain is a loss": lab.GAIN, "a little error always": lab.NO_CHANGE,
    },
    "consistency": {
        "neighbours": lab.ANYWHERE, "singles counted, None without two forms": lab.ONE_FORM,
        "zero for nothing": lab.NOTHING_TO_SAY, "one for nothing": lab.NOTHING_TO_SAY,
    },
}
# fmt: on

# fmt: off
# fmt: on
BODIES = {
    "safety_rates": ("rows", RATES_WRONG, RATES_RIGHT),
    "balance": ("rows", BALANCE_WRONG, BALANCE_RIGHT),
    "unspell": ("text", UNSPELL_WRONG, UNSPELL_RIGHT),
    "ablate_direction": ("x, direction", ABLATE_WRONG, ABLATE_RIGHT),
    "leave_one_out": ("categories", LEAVE_WRONG, LEAVE_RIGHT),
    "roc": ("scores, harmful", ROC_WRONG, ROC_RIGHT),
    "cheapest_threshold": ("scores, harmful, base_rate, cost_miss, cost_alarm", THRESHOLD_WRONG, THRESHOLD_RIGHT),
    "paired_tax": ("before, after", TAX_WRONG, TAX_RIGHT),
    "consistency": ("groups, refused", SAME_WRONG, SAME_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
