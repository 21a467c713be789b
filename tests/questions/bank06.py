"""Lab 06: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab06_preferences_and_reward_model as rules

PRELUDE = (
    "import math\nfrom collections import Counter\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\n"
)

K = """n = len(a)
    po = sum(x == y for x, y in zip(a, b)) / n
    names = set(a) | set(b)
    A = {k: a.count(k) / n for k in names}; B = {k: b.count(k) / n for k in names}
    pe = sum(A[k] * B[k] for k in names)
    """
END = "return (po - pe) / (1 - pe) if pe < 1 else float('nan')"
KAPPA_WRONG = {
    "raw agreement": K + "return po",
    "chance": K + "return pe",
    "one over the labels": K + "pe = 1 / len(names); return (po - pe) / (1 - pe) if len(names) > 1 else float('nan')",
    "one half": K + "return 2 * po - 1",
    "Scott's π": K + "pe = sum(((A[k] + B[k]) / 2) ** 2 for k in names); " + END,
    "habits of a": K + "pe = sum(A[k] ** 2 for k in names); " + END,
    "habits of b": K + "pe = sum(B[k] ** 2 for k in names); " + END,
    "not divided": K + "return po - pe",
    "divided by p_e": K + "return (po - pe) / pe",
    "divided by 1 - p_o": K + "return (po - pe) / (1 - po) if po < 1 else 1.0",
    "cut off at 0": K + "return max(0.0, (po - pe) / (1 - pe)) if pe < 1 else float('nan')",
    "absolute": K + "return abs((po - pe) / (1 - pe)) if pe < 1 else float('nan')",
    "per cent": K + "return 100 * (po - pe) / (1 - pe) if pe < 1 else float('nan')",
    "crashes at 0/0": K + "return (po - pe) / (1 - pe)",
    "1 at 0/0": K + "return (po - pe) / (1 - pe) if pe < 1 else 1.0",
    "one label forgotten": K + "pe = sum(A[k] * B[k] for k in sorted(names, key=str)[:-1]); " + END,
    "two labels only": K
    + "A = sum(x == a[0] for x in a) / n; B = sum(x == a[0] for x in b) / n; pe = A * B + (1 - A) * (1 - B); "
    + END,
    "sorts the lists": K.replace("n = len(a)", "a.sort(); b.sort(); n = len(a)") + END,
    "the labels of b only": K.replace(
        "A = {k: a.count(k) / n for k in names}", "A = {k: a.count(k) / n for k in set(a)}"
    ).replace("for k in names)", "for k in set(b))")
    + END,
    "texts only": K.replace("x == y", "x.lower() == y.lower()") + END,
    "a tensor": K + "return torch.tensor([(po - pe) / (1 - pe) if pe < 1 else float('nan')] * 2)",
}
KAPPA_RIGHT = {
    "by definition": K + END,
    "counters": "A, B, n = Counter(a), Counter(b), len(a)\n    pe = sum(A[k] * B[k] for k in A) / n**2\n    po = "
    "sum(map(lambda x, y: x == y, a, b)) / n\n    return float('nan') if pe == 1 else 1 - (1 - po) / (1 - "
    "pe)",
    "numpy table": """names = sorted(set(a) | set(b))
    t = np.zeros((len(names), len(names)))
    for x, y in zip(a, b): t[names.index(x), names.index(y)] += 1
    t /= t.sum(); po, pe = np.trace(t), t.sum(0) @ t.sum(1)
    return float((po - pe) / (1 - pe)) if pe < 1 else math.nan""",
    "torch": """names = {k: i for i, k in enumerate(list(dict.fromkeys(list(a) + list(b))))}
    x, y = (torch.tensor([names[k] for k in s]) for s in (a, b))
    A, B = (F.one_hot(z, len(names)).double().mean(0) for z in (x, y))
    po, pe = (x == y).double().mean().item(), (A * B).sum().item()
    return (po - pe) / (1 - pe) if 1 - pe > 1e-12 else float('nan')""",
}

P = "p = torch.sigmoid(sharpness[:, None] * differences).mean(0); "
BAYES_WRONG = {
    "annotator known": "p = torch.sigmoid(sharpness[:, None] * differences); return torch.maximum(p, 1 - p).mean()",
    "no sharpness": "p = torch.sigmoid(differences).mean(0); return torch.maximum(p, 1 - p).mean()",
    "divided by sharpness": "p = torch.sigmoid(differences / sharpness[:, None]).mean(0); return torch.maximum(p, 1 - "
    "p).mean()",
    "mean before σ": "p = torch.sigmoid((sharpness[:, None] * differences).mean(0)); return torch.maximum(p, 1 - "
    "p).mean()",
    "means apart": "p = torch.sigmoid(sharpness.mean() * differences.mean(0)); return torch.maximum(p, 1 - p).mean()",
    "not folded": P + "return p.mean()",
    "folded after the mean": P + "m = p.mean(); return torch.maximum(m, 1 - m)",
    "draws": P + "return (p * p + (1 - p) * (1 - p)).mean()",
    "always right": P + "return torch.ones_like(p).mean()",
    "the error": P + "return torch.minimum(p, 1 - p).mean()",
    "one a pair": P + "return torch.maximum(p, 1 - p)",
    "tanh": "p = (torch.tanh(sharpness[:, None] * differences).mean(0) + 1) / 2; return torch.maximum(p, 1 - p).mean()",
    "absolute": "return torch.sigmoid(sharpness[:, None] * differences.abs()).mean()",
    "majority": "p = (differences > 0).float().mean(0); return torch.maximum(p, 1 - p).mean()",
    "exp overflows": "x = torch.exp(sharpness[:, None] * differences); p = (x / (1 + x)).mean(0); return "
    "torch.maximum(p, 1 - p).mean()",
    "a float": P + "return torch.maximum(p, 1 - p).mean().item()",
    "in place": "differences *= sharpness[:, None]; p = torch.sigmoid(differences).mean(0); return torch.maximum(p, 1 "
    "- p).mean()",
}
BAYES_RIGHT = {
    "maximum": P + "return torch.maximum(p, 1 - p).mean()",
    "distance from one half": "p = torch.special.expit(sharpness.unsqueeze(1) * differences).mean(dim=0); return 0.5 + "
    "(p - 0.5).abs().mean()",
    "stacked": "p = 1 / (1 + torch.exp(-sharpness.view(-1, 1) * differences)); p = p.mean(0); return torch.stack([p, 1 "
    "- p]).max(0).values.mean()",
    "softmax": "z = sharpness[:, None] * differences; q = torch.stack([z, torch.zeros_like(z)]).softmax(0).mean(1); "
    "return q.amax(0).mean()",
    "float64": "return torch.sigmoid((sharpness * differences.T)).mean(1).double().sub(0.5).abs().add(0.5).mean()",
    "a loop": "best = []\n    for n in range(differences.shape[1]):\n        p = torch.sigmoid(sharpness * "
    "differences[:, n]).mean()\n        best.append(p if p > 0.5 else 1 - p)\n    return "
    "torch.stack(best).mean()",
}

LOSS_WRONG = {
    "swapped": "return -F.logsigmoid(rejected - chosen).mean()",
    "sign": "return F.logsigmoid(chosen - rejected).mean()",
    "σ": "return torch.sigmoid(chosen - rejected).mean()",
    "1 - σ": "return (1 - torch.sigmoid(chosen - rejected)).mean()",
    "sum": "return -F.logsigmoid(chosen - rejected).sum()",
    "over 2B": "return -F.logsigmoid(chosen - rejected).sum() / (len(chosen) + len(rejected))",
    "one a pair": "return -F.logsigmoid(chosen - rejected)",
    "mean of the rewards first": "return -F.logsigmoid(chosen.mean() - rejected.mean())",
    "log of the mean": "return -torch.sigmoid(chosen - rejected).mean().log()",
    "all against all": "return -F.logsigmoid(chosen[:, None] - rejected[None, :]).mean()",
    "σ of each": "return -F.logsigmoid(chosen.sigmoid() - rejected.sigmoid()).mean()",
    "log σ of each": "return -(F.logsigmoid(chosen) + F.logsigmoid(-rejected)).mean()",
    "chosen only": "return -F.logsigmoid(chosen).mean()",
    "hinge": "return F.relu(1 - (chosen - rejected)).mean()",
    "bits": "return -F.logsigmoid(chosen - rejected).mean() / math.log(2)",
    "squared": "return ((chosen - rejected) ** 2).mean()",
    "the difference": "return (rejected - chosen).mean()",
    "softplus the wrong way": "return F.softplus(chosen - rejected).mean()",
    "log of sigmoid": "return -torch.log(torch.sigmoid(chosen - rejected)).mean()",
    "ε in the log": "return -torch.log(torch.sigmoid(chosen - rejected) + 1e-9).mean()",
    "clamped": "return -F.logsigmoid((chosen - rejected).clamp(-20, 20)).mean()",
    "softmax then log": "return -torch.stack([chosen, rejected]).softmax(0)[0].log().mean()",
    "exp overflows": "return torch.log(1 + torch.exp(rejected - chosen)).mean()",
    "chosen detached": "return -F.logsigmoid(chosen.detach() - rejected).mean()",
    "rejected detached": "return -F.logsigmoid(chosen - rejected.detach()).mean()",
    "a new tensor": "return torch.tensor(-F.logsigmoid(chosen - rejected).mean().item(), requires_grad=True)",
    "a float": "return -F.logsigmoid(chosen - rejected).mean().item()",
    "ties left out": "d = chosen - rejected; d = d[d != 0]; return -F.logsigmoid(d).sum() / max(len(d), 1)",
    "in place": "chosen -= rejected\n    return -F.logsigmoid(chosen).mean()",
    "log1p": "return torch.log1p(torch.exp(rejected - chosen)).mean()",
    "clipped margin": "return -F.logsigmoid(torch.clamp(chosen - rejected, min=-50)).mean()",
    "relu and abs": "d = chosen - rejected; return (torch.relu(-d) + torch.log1p(torch.exp(-d.abs()))).mean()",
    "two logs": "return (torch.log(torch.exp(chosen) + torch.exp(rejected)) - chosen).mean()",
}
LOSS_RIGHT = {
    "logsigmoid": "return -F.logsigmoid(chosen - rejected).mean()",
    "softplus": "return F.softplus(rejected - chosen).mean()",
    "logsumexp": "return (torch.logsumexp(torch.stack([chosen, rejected]), 0) - chosen).mean()",
    "binary cross-entropy": "return F.binary_cross_entropy_with_logits(chosen - rejected, torch.ones_like(chosen))",
    "logaddexp": "return torch.logaddexp(torch.zeros_like(chosen), rejected - chosen).sum() / len(chosen)",
    "float64": "return -F.logsigmoid((chosen - rejected).double()).mean()",
    "cross-entropy of two": "x = torch.stack((chosen, rejected), 1); return F.cross_entropy(x, "
    "torch.zeros(len(chosen), dtype=torch.long))",
}

LAST = "real = ids != pad_id; last = (real * torch.arange(ids.shape[1])).argmax(1); rows = torch.arange(len(ids)); "
HEAD_WRONG = {
    "last column": "return hidden[:, -1] @ weight",
    "first column": "return hidden[:, 0] @ weight",
    "first real": "real = (ids != pad_id).long(); return hidden[torch.arange(len(ids)), real.argmax(1)] @ weight",
    "count as a place": "n = (ids != pad_id).sum(1); return hidden[torch.arange(len(ids)), n - 1] @ weight",
    "one late": LAST + "return hidden[rows, (last + 1).clamp(max=ids.shape[1] - 1)] @ weight",
    "one early": LAST + "return hidden[rows, (last - 1).clamp(min=0)] @ weight",
    "before the first padding": "is_pad = (ids == pad_id).long(); return hidden[torch.arange(len(ids)), "
    "is_pad.argmax(1) - 1] @ weight",
    "mean over tokens": "m = (ids != pad_id)[..., None]; return torch.where(m, hidden, 0.0).sum(1) @ weight / "
    "m.sum(1)[:, 0]",
    "sum over tokens": "m = (ids != pad_id)[..., None]; return torch.where(m, hidden, 0.0).sum(1) @ weight",
    "mean over all": "return hidden.mean(1) @ weight",
    "maximum": "return (hidden @ weight).max(1).values",
    "place of the first row": LAST + "return hidden[:, last[0]] @ weight",
    "latest place": LAST + "return hidden[:, last.max()] @ weight",
    "a reward a token": "return hidden @ weight",
    "a column": LAST + "return (hidden[rows, last] @ weight)[:, None]",
    "pad fixed at 0": LAST.replace("pad_id", "0") + "return hidden[rows, last] @ weight",
    "sigmoid": LAST + "return torch.sigmoid(hidden[rows, last] @ weight)",
    "mask and sum": LAST + "one = F.one_hot(last, ids.shape[1])[..., None]; return (hidden * one).sum(1) @ weight",
    "all places": LAST + "return hidden[:, last] @ weight",
    "detached": LAST + "return hidden[rows, last].detach() @ weight",
    "weight detached": LAST + "return hidden[rows, last] @ weight.data",
    "floats": LAST + "return [float(x) for x in hidden[rows, last] @ weight]",
    "rewards first": LAST + "return (hidden @ weight)[rows, last]",
    "all rewards, gathered": LAST + "return torch.einsum('btd,d->bt', hidden, weight).gather(1, last[:, None])[:, 0]",
    "first and count": "real = (ids != pad_id).long(); last = real.argmax(1) + real.sum(1) - 1; return "
    "hidden[torch.arange(len(ids)), last] @ weight",
    "zeroes the padding": "hidden[ids == pad_id] = 0.0\n    " + LAST + "return hidden[rows, last] @ weight",
}
HEAD_RIGHT = {
    "indices": LAST + "return hidden[rows, last] @ weight",
    "from the right": "T = ids.shape[1]; last = T - 1 - (ids != pad_id).flip(1).long().argmax(1); return "
    "hidden[torch.arange(len(ids)), last].matmul(weight)",
    "gather": LAST
    + "at = last[:, None, None].expand(-1, 1, hidden.shape[2]); return hidden.gather(1, at)[:, 0] @ weight",
    "a loop": "out = []\n    for h, row in zip(hidden, ids):\n        t = int((row != pad_id).nonzero()[-1])\n        "
    "out.append((h[t] * weight).sum())\n    return torch.stack(out)",
    "cumulative": "m = (ids != pad_id).long(); last = m.cumsum(1).argmax(1); return torch.einsum('bd,d->b', "
    "hidden[torch.arange(len(ids)), last], weight)",
}

E = """p, won = p.float(), won.float()
    total = torch.tensor(0.0); where = (p * bins).long().clamp(max=bins - 1)
    for k in range(bins):
        m = where == k
        if m.any(): total = total + STEP
    return total"""


def ece(step="m.sum() / len(p) * (won[m].mean() - p[m].mean()).abs()", **change):
    text = E.replace("STEP", step)
    for old, new in change.items():
        text = text.replace(
            {
                "where": "(p * bins).long().clamp(max=bins - 1)",
                "end": "return total",
                "start": "p, won = p.float(), won.float()",
            }[old],
            new,
        )
    return text


ECE_WRONG = {
    "unweighted": ece("(won[m].mean() - p[m].mean()).abs() / len(where.unique())"),
    "unweighted, all bins": ece("(won[m].mean() - p[m].mean()).abs() / bins"),
    "largest": ece().replace(
        "total = total + ", "total = torch.maximum(total, (won[m].mean() - p[m].mean()).abs()) if True else "
    ),
    "squared": ece("m.sum() / len(p) * (won[m].mean() - p[m].mean()) ** 2"),
    "signed": ece("m.sum() / len(p) * (won[m].mean() - p[m].mean())"),
    "signed, the other way": ece("m.sum() / len(p) * (p[m].mean() - won[m].mean())"),
    "middle of the bin": ece("m.sum() / len(p) * (won[m].mean() - (k + 0.5) / bins).abs()"),
    "pair by pair": "return (won.float() - p).abs().mean()",
    "Brier": "return ((won.float() - p) ** 2).mean()",
    "equal counts": "total, won = torch.tensor(0.0), won.float()\n    for m in torch.tensor_split(p.argsort(), "
    "min(bins, len(p))):\n        total = total + len(m) / len(p) * (won[m].mean() - "
    "p[m].mean()).abs()\n    return total",
    "folded": ece(start="won = ((p > 0.5) == won.bool()).float(); p = torch.maximum(p, 1 - p)"),
    "1 falls out": ece(where="(p * bins).long()"),
    "right end": ece(where="((p * bins).ceil().long() - 1).clamp(min=0)"),
    "not divided": ece("m.sum() * (won[m].mean() - p[m].mean()).abs()"),
    "per cent": ece("100 * m.sum() / len(p) * (won[m].mean() - p[m].mean()).abs()"),
    "NaN for empty bins": ece().replace("if m.any(): total", "total"),
    "ten bins": ece(start="p, won = p.float(), won.float(); bins = 10"),
    "a float": ece(end="return total.item()"),
    "booleans only": "total, where = torch.tensor(0.0), (p * bins).long().clamp(max=bins - 1)\n"
    "    for k in range(bins):\n        m = where == k\n"
    "        if m.any(): total += (m[won].sum() - p[m].sum()).abs() / len(p)\n    return total",
    "rounds": ece(where="(p * bins).round().long().clamp(max=bins - 1)"),
    "sorts in place": "order = p.argsort(); p.copy_(p[order].clone()); won.copy_(won[order].clone())\n    " + ece(),
}
ECE_RIGHT = {
    "a loop": ece(),
    "bincount": """w = won.float(); k = (p * bins).long().clamp(max=bins - 1)
    gap = torch.bincount(k, weights=w, minlength=bins) - torch.bincount(k, weights=p, minlength=bins)
    return gap.abs().sum() / len(p)""",
    "edges": """total = torch.tensor(0.0)
    for k in range(bins):
        lo, hi = k / bins, (k + 1) / bins
        m = (p >= lo) & ((p < hi) if k < bins - 1 else (p <= 1))
        n = int(m.sum())
        if n == 0: continue
        total += n / len(p) * torch.abs(won[m].float().mean() - p[m].mean())
    return total""",
    "float64": ece("m.double().mean() * (won[m].double().mean() - p[m].double().mean()).abs()"),
    "numpy": "x, y = p.numpy().astype(float), won.numpy().astype(float)\n    k = np.minimum((x * bins).astype(int), "
    "bins - 1)\n    return torch.tensor(sum(abs(y[k == j].sum() - x[k == j].sum()) for j in range(bins)) / len(x))",
    "index_add": "k = (p * bins).floor().long().clamp(0, bins - 1); return torch.zeros(bins).index_add(0, k, "
    "won.to(p.dtype) - p).abs().sum() / p.numel()",
    "bucketize": "k = torch.bucketize(p, torch.linspace(0, 1, bins + 1)[1:-1].contiguous(), right=True) if bins > 1 "
    "else torch.zeros(len(p), dtype=torch.long)\n    g = torch.stack([(won.float() - p)[k == j].sum() "
    "for j in range(bins)])\n    return g.abs().sum() / len(p)",
}

MEND = "return -F.logsigmoid(chosen - rejected).mean(), "
MEND_WRONG = {
    "as it was": 'return -torch.sigmoid(chosen - rejected).mean().log(), "d"',
    "summed": 'return -F.logsigmoid(chosen - rejected).sum(), "d"',
    "swapped": 'return -F.logsigmoid(rejected - chosen).mean(), "d"',
    "one a pair": 'return -F.logsigmoid(chosen - rejected), "d"',
    "rewards averaged": 'return -F.logsigmoid((chosen - rejected).mean()), "d"',
    "bits": 'return -torch.log2(torch.sigmoid(chosen - rejected)).mean(), "d"',
    "log of sigmoid": 'return -torch.sigmoid(chosen - rejected).log().mean(), "d"',
    "ε in the log": 'return -(torch.sigmoid(chosen - rejected) + 1e-9).log().mean(), "d"',
    "clamped": 'return -F.logsigmoid((chosen - rejected).clamp(-30, 30)).mean(), "d"',
    "chosen detached": 'return -F.logsigmoid(chosen.detach() - rejected).mean(), "d"',
    "suspect a": MEND + '"a"',
    "suspect b": MEND + '"b"',
    "suspect c": MEND + '"c"',
    "suspect e": MEND + '"e"',
    "suspect f": MEND + '"f"',
    "no suspect": MEND + "None",
    "the loss alone": "return -F.logsigmoid(chosen - rejected).mean()",
    "letter first": 'return "d", -F.logsigmoid(chosen - rejected).mean()',
    "in place": 'chosen -= rejected\n    return -F.logsigmoid(chosen).mean(), "d"',
}
MEND_RIGHT = {
    "logsigmoid": MEND + '"d"',
    "softplus, a capital": 'return F.softplus(rejected - chosen).mean(), "D"',
    "a list": 'return [torch.logaddexp(torch.zeros_like(chosen), rejected - chosen).mean(), "d"]',
    "float64": 'return F.softplus((rejected - chosen).double()).mean(), "d"',
    "cross-entropy": "x = torch.stack((chosen, rejected), 1)\n    return F.cross_entropy(x, torch.zeros(len(x), "
    'dtype=torch.long)), "d"',
}

C = "d = chosen - rejected; words = chosen_words - rejected_words; "
CURE_WRONG = {
    "plain loss": "return -F.logsigmoid(chosen - rejected).mean()",
    "sign of the term": C + "return -F.logsigmoid(d - weight * words).mean()",
    "words added": C + "return -F.logsigmoid(d + weight * (chosen_words + rejected_words)).mean()",
    "absolute": C + "return -F.logsigmoid(d + weight * words.abs()).mean()",
    "weight on the rewards": C + "return -F.logsigmoid(weight * d + words).mean()",
    "no weight": C + "return -F.logsigmoid(d + words).mean()",
    "outside": C + "return -F.logsigmoid(d).mean() + (weight * words).mean()",
    "chosen's words": C + "return -F.logsigmoid(d + weight * chosen_words).mean()",
    "rejected's words": C + "return -F.logsigmoid(d - weight * rejected_words).mean()",
    "mean words": C + "return -F.logsigmoid(d + weight * words.float().mean()).mean()",
    "reward a word": "return -F.logsigmoid(chosen / chosen_words - rejected / rejected_words).mean()",
    "sum": C + "return -F.logsigmoid(d + weight * words).sum()",
    "swapped": C + "return -F.logsigmoid(-d - weight * words).mean()",
    "ratio": C + "return -F.logsigmoid(d + weight * chosen_words / rejected_words).mean()",
    "sign": C + "return F.logsigmoid(d + weight * words).mean()",
    "one a pair": C + "return -F.logsigmoid(d + weight * words)",
    "log of sigmoid": C + "return -torch.log(torch.sigmoid(d + weight * words)).mean()",
    "ε in the log": C + "return -torch.log(torch.sigmoid(d + weight * words) + 1e-9).mean()",
    "weight detached": C + "return -F.logsigmoid(d + weight.detach() * words).mean()",
    "weight as a number": C + "return -F.logsigmoid(d + weight.item() * words).mean()",
    "one dtype only": C + "words *= weight; return -F.logsigmoid(d + words).mean()",
    "clamped": C + "return -F.logsigmoid((d + weight * words).clamp(-100, 100)).mean()",
    "relu of the weight": C + "return -F.logsigmoid(d + F.relu(weight) * words).mean()",
    "rewards detached": C + "return -F.logsigmoid(d.detach() + weight * words).mean()",
    "positive weights only": C + "return -F.logsigmoid(d + weight.clamp(min=0) * words).mean()",
    "in place": "chosen_words -= rejected_words\n    return -F.logsigmoid(chosen - rejected + weight * "
    "chosen_words).mean()",
}
CURE_RIGHT = {
    "logsigmoid": C + "return -F.logsigmoid(d + weight * words).mean()",
    "softplus": C + "return F.softplus(-d - weight * words).mean()",
    "float64": C + "return -F.logsigmoid(d.double() + weight * words).mean()",
    "each side": "a, b = chosen + weight * chosen_words, rejected + weight * rejected_words; return "
    "(torch.logaddexp(a, b) - a).mean()",
    "binary cross-entropy": C + "return F.binary_cross_entropy_with_logits(d + weight * words, torch.ones_like(d))",
}

# fmt: off
NAMED = {
    "kappa": {
        "raw agreement": "raw agreement", "chance": "by chance, p_e", "one over the labels": "one over the number",
        "one half": "one half", "Scott's π": "Scott", "habits of a": "habits of one judge", "habits of b": "those of b",
        "not divided": "not divided", "divided by p_e": "divided by p_e", "divided by 1 - p_o": "wrong rest",
        "cut off at 0": "cut off", "absolute": "without its sign", "per cent": "per cent",
    },
    "bayes_limit": {
        "annotator known": "told who labels", "no sharpness": "sharpness is missing",
        "divided by sharpness": "divided by the sharpness", "mean before σ": "averaged before σ",
        "means apart": "averaged apart", "not folded": "how often the first",
        "folded after the mean": "after the mean over the pairs", "draws": "draws its verdict",
        "always right": "counted as won", "the error": "error", "one a pair": "one number a pair", "tanh": "tanh",
        "absolute": "told who labels", "majority": "majority",
    },
    "bradley_terry_loss": {
        "swapped": "changed places", "sign": "sign is wrong", "σ": "mean of σ", "1 - σ": "1 − σ", "sum": "summed",
        "over 2B": "2B", "one a pair": "one number a pair", "mean of the rewards first": "averaged before σ",
        "log of the mean": "log of the mean", "all against all": "every chosen", "σ of each": "of each reward",
        "log σ of each": "own log σ", "chosen only": "only the chosen", "hinge": "hinge", "bits": "bits",
        "squared": "squared", "the difference": "the difference itself", "softplus the wrong way": "changed places",
    },
    "last_token_rewards": {
        "last column": "last column", "first column": "first token was read", "first real": "first token was read",
        "first and count": "were counted",
        "count as a place": "were counted", "one late": "too late", "one early": "too early",
        "before the first padding": "before the first padding", "mean over tokens": "mean over the tokens",
        "sum over tokens": "sum over the tokens", "mean over all": "over all places", "maximum": "largest reward",
        "place of the first row": "place of the first row", "latest place": "latest place",
        "a reward a token": "for each token", "a column": "[B, 1]", "pad fixed at 0": "fixed at 0",
        "sigmoid": "sigmoid",
    },
    "ece": {
        "unweighted": "counts alike", "unweighted, all bins": "counts alike", "largest": "largest gap",
        "squared": "squared", "signed": "kept their sign", "signed, the other way": "kept their sign",
        "middle of the bin": "middle", "pair by pair": "pair by pair", "Brier": "Brier", "equal counts": "equal counts",
        "folded": "folded", "1 falls out": "fell out", "right end": "on a border", "not divided": "not divided",
        "per cent": "per cent",
    },
    "mend_the_loss": {
        "as it was": "log of the mean", "summed": "summed", "swapped": "changed places",
        "one a pair": "one number a pair", "rewards averaged": "averaged before σ", "bits": "bits",
        "suspect a": "below one half", "suspect b": "graph",
        "suspect c": "64", "suspect e": "B entries", "suspect f": "first loss would not",
    },
    "length_cured_loss": {
        "plain loss": "plain loss", "sign of the term": "sign of the term", "words added": "added up",
        "absolute": "size of the difference", "weight on the rewards": "multiplies the rewards",
        "no weight": "weight is missing", "outside": "outside σ", "chosen's words": "chosen answer alone",
        "rejected's words": "rejected answer alone", "mean words": "averaged over the batch",
        "reward a word": "divided by the words", "sum": "summed", "swapped": "changed places", "ratio": "ratio",
        "sign": "sign of the loss", "one a pair": "one number a pair", "positive weights only": "cut off",
        "relu of the weight": "cut off",
    },
}
# the rule that a wrong answer breaks, and no other
BREAKS = {
    "kappa": {
        "cut off at 0": rules.BELOW, "absolute": rules.BELOW, "the labels of b only": rules.KINDS,
        "texts only": rules.KINDS, "crashes at 0/0": rules.NOTHING, "1 at 0/0": rules.NOTHING,
    },
    "bayes_limit": {"exp overflows": rules.FAR_APART},
    "bradley_terry_loss": {
        "rejected detached": rules.PULLED, "log of sigmoid": rules.HUGE, "ε in the log": rules.HUGE,
        "clamped": rules.HUGE, "softmax then log": rules.HUGE, "exp overflows": rules.HUGE, "log1p": rules.HUGE,
        "clipped margin": rules.HUGE, "two logs": rules.HUGE, "ties left out": rules.TIED,
        "relu and abs": rules.TIED,
    },
    "last_token_rewards": {
        "count as a place": rules.ANYWHERE, "first and count": rules.ANYWHERE, "pad fixed at 0": rules.ANY_ID,
        "mask and sum": rules.NO_LEAK, "rewards first": rules.NO_LEAK, "all rewards, gathered": rules.NO_LEAK,
        "detached": rules.ONLY_THERE,
    },
    "ece": {
        "NaN for empty bins": rules.LEFT_OUT, "right end": rules.LEFT_END, "1 falls out": rules.ONE,
        "booleans only": rules.AS_FLOATS,
    },
    "mend_the_loss": {
        **{f"suspect {letter}": rules.SUSPECT for letter in "abcef"}, "no suspect": rules.SUSPECT,
        "log of sigmoid": rules.MENDED_HUGE, "ε in the log": rules.MENDED_HUGE, "clamped": rules.MENDED_HUGE,
    },
    "length_cured_loss": {
        "weight detached": rules.LEARNED, "weight as a number": rules.LEARNED, "rewards detached": rules.LEARNED,
        "positive weights only": rules.ANY_SIGN, "relu of the weight": rules.ANY_SIGN, "one dtype only": rules.WHOLE,
        "log of sigmoid": rules.FAR, "ε in the log": rules.FAR, "clamped": rules.FAR,
    },
}
# fmt: on
BODIES = {
    "kappa": ("a, b", KAPPA_WRONG, KAPPA_RIGHT),
    "bayes_limit": ("differences, sharpness", BAYES_WRONG, BAYES_RIGHT),
    "bradley_terry_loss": ("chosen, rejected", LOSS_WRONG, LOSS_RIGHT),
    "last_token_rewards": ("hidden, ids, weight, pad_id", HEAD_WRONG, HEAD_RIGHT),
    "ece": ("p, won, bins", ECE_WRONG, ECE_RIGHT),
    "mend_the_loss": ("chosen, rejected", MEND_WRONG, MEND_RIGHT),
    "length_cured_loss": ("chosen, rejected, chosen_words, rejected_words, weight", CURE_WRONG, CURE_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
