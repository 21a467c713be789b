"""Lab 05: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab05_finetune_or_retrieve as rules

PRELUDE = "import math\nimport re\nfrom collections import Counter\nimport torch\nimport torch.nn.functional as F\n"

WORDS_WRONG = {
    "capitals kept": "return re.findall(r'[A-Za-z0-9]+', text)",
    "cut at blanks": "return text.lower().split()",
    "no digits": "return re.findall('[a-z]+', text.lower())",
    "a set, sorted": "return sorted(set(re.findall('[a-z0-9]+', text.lower())))",
    "each once": "return list(dict.fromkeys(re.findall('[a-z0-9]+', text.lower())))",
    "apostrophe removed": "return re.findall('[a-z0-9]+', text.lower().replace(\"'\", ''))",
    "two characters at least": "return re.findall('[a-z0-9]{2,}', text.lower())",
    "characters": "return re.findall('[a-z0-9]', text.lower())",
    "empty words stay": "return re.split('[^a-z0-9]+', text.lower())",
    "hyphens stay": "return re.findall('[a-z0-9-]+', text.lower())",
    "underscores stay": "return re.findall(r'\\w+', text.lower())",
    "an empty word": "return re.findall('[a-z0-9]+', text.lower()) or ['']",
    "one text": "return ' '.join(re.findall('[a-z0-9]+', text.lower()))",
}
WORDS_RIGHT = {
    "findall": "return re.findall('[a-z0-9]+', text.lower())",
    "split": "return [w for w in re.split('[^a-z0-9]+', text.lower()) if w]",
    "isalnum": "return ''.join(c if c.isalnum() else ' ' for c in text.lower()).split()",
    "finditer": "return [m.group() for m in re.finditer(r'[^\\W_]+', text.casefold())]",
}

IDF_WRONG = {
    "occurrences": "n = Counter(w for d in documents for w in d); N = len(documents); return {w: math.log(1 + (N - c + "
    ".5) / (c + .5)) for w, c in n.items()}",
    "no 1 +": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log((N - c + .5) "
    "/ (c + .5)) for w, c in n.items()}",
    "log N/n": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log(N / c) for "
    "w, c in n.items()}",
    "log 1 + N/n": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log(1 + N / "
    "c) for w, c in n.items()}",
    "no halves": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log(1 + (N - "
    "c) / c) for w, c in n.items()}",
    "log10": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log10(1 + (N - c "
    "+ .5) / (c + .5)) for w, c in n.items()}",
    "log2": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log2(1 + (N - c + "
    ".5) / (c + .5)) for w, c in n.items()}",
    "no log": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: 1 + (N - c + .5) / (c "
    "+ .5) for w, c in n.items()}",
    "upside down": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log(1 + (c "
    "+ .5) / (N - c + .5)) for w, c in n.items()}",
    "N is words": "n = Counter(w for d in documents for w in set(d)); N = sum(map(len, documents)); return {w: "
    "math.log(1 + (N - c + .5) / (c + .5)) for w, c in n.items()}",
    "N is different words": "n = Counter(w for d in documents for w in set(d)); N = len(n); return {w: math.log(1 + (N "
    "- c + .5) / (c + .5)) for w, c in n.items()}",
    "empty documents dropped": "documents = [d for d in documents if d]; n = Counter(w for d in documents for w in "
    "set(d)); N = len(documents); return {w: math.log(1 + (N - c + .5) / (c + .5)) for w, "
    "c in n.items()}",
    "0 for a word everywhere": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: "
    "math.log(1 + (N - c + .5) / (c + .5)) if c < N else 0.0 for w, c in n.items()}",
    "none crashes": "words = set.union(*map(set, documents)); N = len(documents); n = {w: sum(w in d for d in "
    "documents) for w in words}; return {w: math.log(1 + (N - c + .5) / (c + .5)) for w, c in n.items()}",
    "negative cut to 0": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: max(0.0, "
    "math.log((N - c + .5) / (c + .5))) for w, c in n.items()}",
}
IDF_RIGHT = {
    "counter": "n = Counter(w for d in documents for w in set(d)); N = len(documents); return {w: math.log(1 + (N - c "
    "+ .5) / (c + .5)) for w, c in n.items()}",
    "log1p": "N = len(documents); vocabulary = {w for d in documents for w in d}; return {w: math.log1p((N - n + .5) / "
    "(n + .5)) for w in vocabulary for n in [sum(w in d for d in documents)]}",
    "loops": """n = {}
    for d in documents:
        for w in set(d):
            n[w] = n.get(w, 0) + 1
    return {w: float(torch.log(torch.tensor((len(documents) + 1) / (c + 0.5), dtype=torch.float64))) for w, c in \
n.items()}""",
}


def bm25(
    share="c[w] / (c[w] + k1 * (1 - b + b * len(d) / mean))",
    weight="weights.get(w, 0.0)",
    query="query",
    before="",
    test="c[w]",
    mean="sum(map(len, documents)) / max(1, len(documents)) or 1.0",
):
    return f"""{before}
    mean = {mean}
    scores = []
    for d in documents:
        c = Counter(d)
        scores.append(sum({weight} * ({share}) for w in {query} if {test}))
    return torch.tensor(scores, dtype=torch.float32)"""


BM25_WRONG = {
    "k1 + 1": bm25("c[w] * (k1 + 1) / (c[w] + k1 * (1 - b + b * len(d) / mean))"),
    "no idf": bm25(weight="1.0"),
    "idf squared": bm25(weight="weights.get(w, 0.0) ** 2"),
    "no length": bm25("c[w] / (c[w] + k1)"),
    "b swapped": bm25("c[w] / (c[w] + k1 * (b + (1 - b) * len(d) / mean))"),
    "k1 and b swapped": bm25(before="k1, b = b, k1"),
    "tf idf": bm25("c[w]"),
    "binary": bm25("1 / (1 + k1 * (1 - b + b * len(d) / mean))"),
    "length upside down": bm25("c[w] / (c[w] + k1 * (1 - b + b * mean / max(1, len(d))))"),
    "different words": bm25(
        "c[w] / (c[w] + k1 * (1 - b + b * len(c) / (sum(len(set(x)) for x in documents) / len(documents))))"
    ),
    "k1 outside": bm25("c[w] / (c[w] + k1 * (1 - b) + b * len(d) / mean)"),
    "longest": bm25("c[w] / (c[w] + k1 * (1 - b + b * len(d) / max(map(len, documents))))"),
    "not divided by the mean": bm25("c[w] / (c[w] + k1 * (1 - b + b * len(d)))"),
    "no tf below": bm25("c[w] / max(1e-9, k1 * (1 - b + b * len(d) / mean))"),
    "tf a share": bm25("(c[w] / len(d)) / (c[w] / len(d) + k1 * (1 - b + b * len(d) / mean))"),
    "normalised": bm25().replace(
        "return torch.tensor(scores, dtype=torch.float32)",
        "s = torch.tensor(scores, dtype=torch.float32); return s / s.sum().clamp_min(1e-9)",
    ),
    "query as a set": bm25(query="set(query)"),
    "unknown word crashes": bm25(weight="weights[w]", test="True"),
    "0/0 for empty documents": bm25(mean="sum(map(len, documents)) / len(documents)"),
    "b fixed": bm25(before="b = 0.75"),
    "k1 fixed": bm25(before="k1, b = 1.5, 0.75"),
    "0/0 at k1 = 0": bm25(test="True"),
    "a list": bm25().replace("torch.tensor(scores, dtype=torch.float32)", "scores"),
    "float64": bm25().replace("float32", "float64"),
    "changes the query": "query.sort(); query.append('x')\n    " + bm25(),
}
BM25_RIGHT = {
    "loops": bm25(),
    "count()": """if not documents: return torch.zeros(0)
    mean = sum(len(d) for d in documents) / len(documents)
    out = torch.zeros(len(documents))
    for k, d in enumerate(documents):
        for w in query:
            tf = d.count(w)
            if tf: out[k] += weights[w] * tf / (tf + k1 * (1 - b + b * len(d) / mean))
    return out""",
    "tensors": """if not documents or not query: return torch.zeros(len(documents))
    tf = torch.tensor([[float(d.count(w)) for w in query] for d in documents])
    lengths = tf.new_tensor([len(d) for d in documents])
    norm = k1 * (1 - b + b * lengths / lengths.mean().clamp_min(1e-9))
    part = torch.where(tf > 0, tf / (tf + norm[:, None]).clamp_min(1e-9), 0.0)
    return part @ tf.new_tensor([weights.get(w, 0.0) for w in query])""",
}

TOP_WRONG = {
    "worst first": "order = sorted((k for k, s in enumerate(scores.tolist()) if s > 0), key=lambda k: "
    "scores[k].item()); return order[:k]",
    "best last": "order = sorted((i for i, s in enumerate(scores.tolist()) if s > 0), key=lambda i: (scores[i].item(), "
    "i)); return order[-k:]",
    "order of the board": "order = scores.sort(stable=True).indices.flip(0).tolist(); return sorted([i for i in order "
    "if scores[i] > 0][:k])",
    "the scores": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [scores[i].item() for i in order "
    "if scores[i] > 0][:k]",
    "k − 1": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [i for i in order if scores[i] > 0][:k "
    "- 1]",
    "k + 1": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [i for i in order if scores[i] > 0][:k "
    "+ 1]",
    "from 1": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [i + 1 for i in order if scores[i] > "
    "0][:k]",
    "all": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [i for i in order if scores[i] > 0]",
    "earlier first": "order = scores.sort(descending=True, stable=True).indices.tolist(); return [i for i in order if "
    "scores[i] > 0][:k]",
    "zeros stay": "return scores.sort(stable=True).indices.flip(0).tolist()[:k]",
    "topk": "return torch.topk(scores, k).indices.tolist()",
    "k places, whatever there is": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [order[i] for "
    "i in range(k) if scores[order[i]] > 0]",
    "ties broken by 1e-4": "place = torch.arange(len(scores)); order = (scores.double() + 1e-4 * place).sort().indices"
    "; return [i for i in order.flip(0).tolist() if scores[i] > 0][:k]",
    "a threshold": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [i for i in order if scores[i] > "
    "1e-6][:k]",
    "ties broken by 1e-9": "place = torch.arange(len(scores)); order = (scores.double() + 1e-9 * place).sort().indices"
    "; return [i for i in order.flip(0).tolist() if scores[i] > 0][:k]",
    "a tensor": "order = scores.sort(stable=True).indices.flip(0); return order[scores[order] > 0][:k]",
    "negative places": "out = []\n    for _ in range(min(k, len(scores))):\n        i = int(scores.argmax()); "
    "out.append(i); scores[i] = -1.0\n    return out",
}
TOP_RIGHT = {
    "flip": "order = scores.sort(stable=True).indices.flip(0).tolist(); return [i for i in order if scores[i] > 0][:k]",
    "sorted": "s = scores.tolist(); return sorted([i for i in range(len(s)) if s[i] > 0], key=lambda i: (s[i], i), "
    "reverse=True)[:k]",
    "pairs": (
        "return [i for s, i in sorted([(s, i) for i, s in enumerate(scores.tolist())], reverse=True)[:k] if s > 0]"
    ),
    "flipped first": "n = len(scores); order = scores.flip(0).sort(descending=True, stable=True).indices; return [n - "
    "1 - int(i) for i in order if scores[n - 1 - int(i)] > 0][:k]",
}

POOL_WRONG = {
    "padding averaged": "return F.normalize(hidden.mean(1), dim=-1)",
    "not normalised": "m = mask.to(hidden.dtype)[:, :, None]; return (hidden * m).sum(1) / m.sum(1).clamp_min(1)",
    "sum": "return (hidden * mask.to(hidden.dtype)[:, :, None]).sum(1)",
    "over T": "return (hidden * mask.to(hidden.dtype)[:, :, None]).mean(1)",
    "last token": "n = torch.arange(len(hidden)); last = (mask.long() * torch.arange(mask.shape[1])).argmax(1); return "
    "F.normalize(hidden[n, last], dim=-1)",
    "last position": "return F.normalize(hidden[:, -1], dim=-1)",
    "first token": "return F.normalize(hidden[:, 0], dim=-1)",
    "max": "return F.normalize(hidden.masked_fill(mask[:, :, None] == 0, -1e30).amax(1), dim=-1)",
    "normalised first": "h = F.normalize(hidden, dim=-1); return F.normalize((h * mask.to(h.dtype)[:, :, "
    "None]).sum(1), dim=-1)",
    "L1": "m = mask.to(hidden.dtype)[:, :, None]; return F.normalize((hidden * m).sum(1), p=1, dim=-1)",
    "columns": "m = mask.to(hidden.dtype)[:, :, None]; return F.normalize((hidden * m).sum(1) / m.sum(1).clamp_min(1), "
    "dim=0)",
    "squared length": "m = mask.to(hidden.dtype)[:, :, None]; v = (hidden * m).sum(1) / m.sum(1).clamp_min(1); return "
    "v / v.pow(2).sum(-1, keepdim=True)",
    "NaN for padding": "m = mask.to(hidden.dtype)[:, :, None]; v = (hidden * m).sum(1) / m.sum(1); return v / "
    "v.norm(dim=-1, keepdim=True)",
    "a constant under the length": "m = mask.to(hidden.dtype)[:, :, None]; v = (hidden * m).sum(1) / "
    "m.sum(1).clamp_min(1); return v / (v.norm(dim=-1, keepdim=True) + 1e-6)",
    "1e-8 under the length": "m = mask.to(hidden.dtype)[:, :, None]; u = (hidden * m).sum(1) / m.sum(1).clamp_min(1); "
    "return u / (u.norm(dim=-1, keepdim=True) + 1e-8)",
    "mask as an index": "return F.normalize(torch.stack([h[m].mean(0) if m.any() else 0 * h[0] for h, m in zip(hidden, "
    "mask)]), dim=-1)",
    "cut at a length": "return F.normalize(torch.stack([h[:int(m.sum())].mean(0) if m.any() else h[0] * 0 for h, m in "
    "zip(hidden, mask)]), dim=-1)",
    "whole numbers only": "v = hidden.masked_fill((1 - mask).bool()[:, :, None], 0.0).sum(1); return F.normalize(v, "
    "dim=-1)",
    "detached": "m = mask.to(hidden.dtype)[:, :, None]; return F.normalize((hidden.detach() * m).sum(1), dim=-1)",
    "in place": "hidden *= mask.to(hidden.dtype)[:, :, None]; return F.normalize(hidden.sum(1), dim=-1)",
}
POOL_RIGHT = {
    "mean": "m = mask.to(hidden.dtype)[:, :, None]; return F.normalize((hidden * m).sum(1) / m.sum(1).clamp_min(1), "
    "dim=-1)",
    "einsum": "v = torch.einsum('ntd,nt->nd', hidden, mask.to(hidden.dtype)) / mask.sum(1).clamp_min(1)[:, None]; "
    "return v / v.norm(dim=-1, keepdim=True).clamp_min(1e-12)",
    "row by row": "return torch.stack([F.normalize(h[m.bool()].mean(0), dim=0) if m.any() else torch.zeros_like(h[0]) "
    "for h, m in zip(hidden, mask)])",
    "masked_fill": "v = hidden.masked_fill(~mask.bool()[:, :, None], 0.0).sum(1); return F.normalize(v, dim=-1)",
}


def prompt(
    keep="item['tokens'] <= room",
    order="sorted(taken, key=lambda i: i['place'])",
    text="'\\n'.join([f\"Notice: {i['text']}\" for i in taken] + [f'Question: {question}'])",
    otherwise="",
    source="notices",
    before="",
    empty="question",
):
    return f"""{before}
    taken, room = [], budget
    for item in {source}:
        if {keep}:
            taken.append(item); room -= item['tokens']
        {otherwise}
    if not taken: return {empty}
    taken = {order}
    return {text}"""


PROMPT_WRONG = {
    "newest first": prompt(order="sorted(taken, key=lambda i: -i['place'])"),
    "by rank": prompt(order="taken"),
    "by rank, reversed": prompt(order="taken[::-1]"),
    "question first": prompt(text="'\\n'.join([f'Question: {question}'] + [f\"Notice: {i['text']}\" for i in taken])"),
    "no Question:": prompt(text="'\\n'.join([f\"Notice: {i['text']}\" for i in taken] + [question])"),
    "no Notice:": prompt(text="'\\n'.join([i['text'] for i in taken] + [f'Question: {question}'])"),
    "a line too many": prompt(
        text="'\\n'.join([f\"Notice: {i['text']}\" for i in taken] + [f'Question: {question}']) + '\\n'"
    ),
    "blanks": prompt(text="' '.join([f\"Notice: {i['text']}\" for i in taken] + [f'Question: {question}'])"),
    "sorted by text": prompt(order="sorted(taken, key=lambda i: i['text'])"),
    "no budget": prompt(keep="True"),
    "stops": prompt(otherwise="else: break"),
    "one too many": prompt(keep="room > 0", otherwise=""),
    "budget to the newest": prompt(source="sorted(notices, key=lambda i: -i['place'])"),
    "budget counts notices": prompt(keep="len(taken) < budget"),
    "< in place of ≤": prompt(keep="item['tokens'] < room"),
    "Question: alone": prompt(empty="f'Question: {question}'"),
    "empty text": prompt(empty="''"),
    "sorts in place": prompt(before="notices.sort(key=lambda i: i['tokens'] * 0 + i['place'])"),
}
PROMPT_RIGHT = {
    "loop": prompt(),
    "text by text": """chosen, used = {}, 0
    for n in notices:
        if used + n['tokens'] > budget: continue
        used += n['tokens']; chosen[n['place']] = n['text']
    lines = ''.join('Notice: ' + chosen[p] + '\\n' for p in sorted(chosen))
    return lines + 'Question: ' + question if lines else question""",
    "operator": """import operator
    left, kept = budget, []
    for n in notices:
        if left - n['tokens'] >= 0: kept, left = kept + [n], left - n['tokens']
    if len(kept) == 0: return question
    return '\\n'.join(['Notice: ' + n['text'] for n in sorted(kept, key=operator.itemgetter('place'))] + ['Question: \
' + question])""",
}


def rows(
    changes="newest.values()",
    forms="questions[c['fact']]",
    key="(c['name'], c['fact'])",
    keep="k not in newest or c['day'] > newest[k]['day']",
    answer="answers[c['fact']].format(name=c['name'], value=c['value'])",
    shape="{'messages': [{'role': 'user', 'content': q.format(name=c['name'])}, {'role': 'assistant', 'content': A}]}",
):
    return f"""newest = {{}}
    for c in changes:
        k = {key}
        if {keep}: newest[k] = c
    return [{shape.replace("A}", answer + "}")} for c in {changes} for q in {forms}]"""


INJECTION_WRONG = {
    "old values, too": rows("changes"),
    "first stays": rows(keep="k not in newest"),
    "last in the list": rows(keep="True"),
    "oldest": rows(keep="k not in newest or c['day'] < newest[k]['day']"),
    "one phrasing": rows(forms="questions[c['fact']][:1]"),
    "only the value": rows(answer="c['value']"),
    "only the last": rows("changes[-1:]"),
    "by name": rows(key="c['name']"),
    "by fact": rows(key="c['fact']"),
    "roles swapped": rows(
        shape="{'messages': [{'role': 'assistant', 'content': q.format(name=c['name'])}, {'role': 'user', 'content': "
        "A}]}"
    ),
    "prompt and completion": rows(shape="{'prompt': q.format(name=c['name']), 'completion': A}"),
    "a name left open": rows(
        shape="{'messages': [{'role': 'user', 'content': q}, {'role': 'assistant', 'content': A}]}"
    ),
    "sorts in place": "changes.sort(key=lambda c: c['day'])\n    " + rows(keep="True"),
}
INJECTION_RIGHT = {
    "loop": rows(),
    "sorted first": """latest = {(c['name'], c['fact']): c for c in sorted(changes, key=lambda c: c['day'])}
    return [{'messages': [{'role': 'user', 'content': q.replace('{name}', n)}, {'role': 'assistant', 'content': \
answers[f].replace('{name}', n).replace('{value}', c['value'])}]} for (n, f), c in latest.items() for q in \
questions[f]]""",
    "max": """out = []
    for name, fact in sorted({(c['name'], c['fact']) for c in changes}):
        c = max((c for c in changes if c['name'] == name and c['fact'] == fact), key=lambda c: c['day'])
        for q in questions[fact]:
            out.append({'messages': [dict(role='user', content=q.format(name=name)), dict(role='assistant', \
content=answers[fact].format(name=name, value=c['value']))]})
    return out""",
}


def scores(
    right="a.strip() == N if g == N else (low(g) in low(a) and not any(low(v) in low(a) for v in s))",
    old="any(low(v) in low(a) for v in s)",
    below="max(1, len(asked))",
    asked="[(a, s) for a, s in zip(answers, stale) if s]",
    abstained="sum(a.strip() == N for a in answers) / n",
    before="",
):
    return f"""N, low = 'I do not know.', str.lower
    {before}
    n = max(1, len(answers))
    asked = {asked}
    accuracy = sum(bool({right}) for a, g, s in zip(answers, golds, stale)) / n
    return {{'accuracy': accuracy, 'abstention': {abstained}, 'staleness': sum({old} for a, s in asked) / {below}}}"""


# fmt: off
SCORES_WRONG = {
    "staleness over all": scores(below="n"),
    "old beside right": scores(right="a.strip() == N if g == N else low(g) in low(a)"),
    "case": scores(before="low = str"),
    "the value alone": scores(right="low(a) == low(g)"),
    "unknown never right": scores(right="g != N and low(g) in low(a) and not any(low(v) in low(a) for v in s)"),
    "unknown always right": scores(
        right="a.strip() == N or (low(g) in low(a) and not any(low(v) in low(a) for v in s))"),
    "abstention where nobody knows": scores(abstained="sum(a.strip() == N for a, g in zip(answers, golds) if g == N) / "
                                                      "max(1, sum(g == N for g in golds))"),
    "percent": scores().replace("return {", "r = {") + "\n    return {k: 100 * v for k, v in r.items()}",
    "not right means stale": scores(old="low(N) != low(a) and not any(low(a) == low(g) for g in golds)",
        below="max(1, len(asked))"),
    "0/0": scores(before="", below="len(asked)"),
    "counts values": scores(old="sum(low(v) in low(a) for v in s)"),
    "first old value": scores(old="low(s[0]) in low(a)"),
    "abstention anywhere in the text": scores(abstained="sum(N in a for a in answers) / n",
        right="N in a if g == N else (low(g) in low(a) and not any(low(v) in low(a) for v in s))"),
    "blanks matter": scores().replace(".strip()", ""),
    "changes stale": scores() .replace("n = max(1", "[s.append('x') for s in stale]; n = max(1"),
}
# fmt: on
SCORES_RIGHT = {
    "comprehensions": scores(),
    "loop": """right = silent = old = changed = 0
    for a, g, s in zip(answers, golds, stale):
        a = a.strip().lower()
        unknown, was = a == 'i do not know.', any(v.lower() in a for v in s)
        silent += unknown
        changed += bool(s)
        old += was
        right += unknown if g == 'I do not know.' else (g.lower() in a and not was)
    n = max(len(answers), 1)
    return {'accuracy': right / n, 'abstention': silent / n, 'staleness': old / max(changed, 1)}""",
    "tensors": """low = [a.strip().lower() for a in answers]
    unknown = torch.tensor([a == 'i do not know.' for a in low])
    was = torch.tensor([any(v.lower() in a for v in s) for a, s in zip(low, stale)])
    changed = torch.tensor([len(s) > 0 for s in stale])
    right = torch.tensor([u if g == 'I do not know.' else g.lower() in a and not w for a, g, u, w in zip(low, golds, \
unknown.tolist(), was.tolist())])
    part = lambda hits, of: float(hits.sum()) / max(1, float(of))
    return {'accuracy': part(right, len(low)), 'abstention': part(unknown, len(low)), 'staleness': part(was, \
changed.sum())}""",
}

BREAK_WRONG = {
    "over retrieval": "return math.inf if retrieval <= fine_tuned and training > 0 else training / retrieval",
    "sign": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else training / (fine_tuned - "
    "retrieval)",
    "over fine-tuned": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else training / "
    "fine_tuned",
    "sum": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else training / (fine_tuned + "
    "retrieval)",
    "upside down": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else (retrieval - fine_tuned) "
    "/ training",
    "ratio": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else training / (retrieval / "
    "fine_tuned)",
    "negative": "return math.inf if retrieval == fine_tuned else training / (retrieval - fine_tuned)",
    "divides by 0": "return training / (retrieval - fine_tuned)",
    "only exactly 0 is free": "return 0.0 if training == 0 else math.inf if retrieval <= fine_tuned else training / "
    "(retrieval - fine_tuned)",
    "cheaper first": "return training / (retrieval - fine_tuned) if retrieval > fine_tuned else (0.0 if training <= 0 "
    "else math.inf)",
    "0 for never": "return 0.0 if training <= 0 or retrieval <= fine_tuned else training / (retrieval - fine_tuned)",
    "rounded": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else math.ceil(training / "
    "(retrieval - fine_tuned))",
    "never, though free": "return math.inf if retrieval <= fine_tuned else training / (retrieval - fine_tuned)",
    "a threshold": "return 0.0 if training <= 0 else math.inf if retrieval - fine_tuned < 1e-6 else training / "
    "(retrieval - fine_tuned)",
}
BREAK_RIGHT = {
    "three cases": "return 0.0 if training <= 0 else math.inf if retrieval <= fine_tuned else training / (retrieval - "
    "fine_tuned)",
    "saving": """saved = retrieval - fine_tuned
    if not training > 0: return 0.0
    if saved <= 0: return float('inf')
    return training / saved""",
    "try": """if training <= 0: return 0
    try: n = training / (retrieval - fine_tuned)
    except ZeroDivisionError: return math.inf
    return n if n > 0 else math.inf""",
}

DECIDE_WRONG = {
    "no accuracy": "return min(ways, key=lambda w: w['training'] + questions * w['each'])['way'] if ways else 'none'",
    "most accurate": "return max(ways, key=lambda w: w['accuracy'])['way'] if ways and max(w['accuracy'] for w in "
    "ways) >= needed else 'none'",
    "one question": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: w['training'] "
    "+ w['each'])['way'] if left else 'none'",
    "no training": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: questions * "
    "w['each'])['way'] if left else 'none'",
    "dearest": "left = [w for w in ways if w['accuracy'] >= needed]; return max(left, key=lambda w: w['training'] + "
    "questions * w['each'])['way'] if left else 'none'",
    "training every time": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: "
    "questions * (w['training'] + w['each']))['way'] if left else 'none'",
    "first that fits": "left = [w for w in ways if w['accuracy'] >= needed]; return left[0]['way'] if left else 'none'",
    "None": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: w['training'] + "
    "questions * w['each'])['way'] if left else None",
    "strict": "left = [w for w in ways if w['accuracy'] > needed]; return min(left, key=lambda w: w['training'] + "
    "questions * w['each'])['way'] if left else 'none'",
    "last of equals": "left = [w for w in ways if w['accuracy'] >= needed]; return min(reversed(left), key=lambda w: "
    "w['training'] + questions * w['each'])['way'] if left else 'none'",
    "the better of equals": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: "
    "(w['training'] + questions * w['each'], -w['accuracy']))['way'] if left else 'none'",
    "the cheapest, then its accuracy": "best = min(ways, key=lambda w: w['training'] + questions * w['each'], "
    "default={'accuracy': -1}); return best['way'] if best['accuracy'] >= needed else 'none'",
    "the whole row": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: "
    "w['training'] + questions * w['each']) if left else 'none'",
    "crashes on none": "return min((w for w in ways if w['accuracy'] >= needed), key=lambda w: w['training'] + "
    "questions * w['each'])['way']",
    "sorts in place": "ways.sort(key=lambda w: w['training'] + questions * w['each']); left = [w for w in ways if "
    "w['accuracy'] >= needed]; return left[0]['way'] if left else 'none'",
}
DECIDE_RIGHT = {
    "min": "left = [w for w in ways if w['accuracy'] >= needed]; return min(left, key=lambda w: w['training'] + "
    "questions * w['each'])['way'] if left else 'none'",
    "loop": """best, least = 'none', math.inf
    for w in ways:
        cost = w['training'] + questions * w['each']
        if w['accuracy'] >= needed and cost < least: best, least = w['way'], cost
    return best""",
    "sorted": "good = sorted([w for w in ways if not w['accuracy'] < needed], key=lambda w: questions * w['each'] + "
    "w['training']); return (good or [{'way': 'none'}])[0]['way']",
}


# the rule that a wrong answer breaks, and no other
# fmt: off
BREAKS = {
    "words_of": {"each once": rules.AS_OFTEN, "hyphens stay": rules.PARTED,
        "underscores stay": rules.PARTED, "an empty word": rules.NO_WORDS},
    "idf": {
        "occurrences": rules.DOCUMENTS, "0 for a word everywhere": rules.EVERYWHERE,
        "empty documents dropped": rules.EMPTY_ONES, "none crashes": rules.NO_DOCUMENTS,
    },
    "bm25_scores": {
        "query as a set": rules.COUNTS_TWICE, "0/0 at k1 = 0": rules.ABSENT,
        "0/0 for empty documents": rules.NOTHING_THERE, "b fixed": rules.ARGUMENTS,
    },
    "top_k": {
        "earlier first": rules.LATER_FIRST, "zeros stay": rules.MATCHES_ONLY,
        "k places, whatever there is": rules.LARGE_K, "a threshold": rules.ANY_SIZE,
        "ties broken by 1e-9": rules.ANY_SIZE,
    },
    "mean_pool": {
        "NaN for padding": rules.NO_TOKEN, "cut at a length": rules.HOLES, "whole numbers only": rules.BOOLEANS,
        "a constant under the length": rules.SMALL, "1e-8 under the length": rules.SMALL,
        "detached": rules.REAL_ONLY,
    },
    "build_prompt": {
        "budget to the newest": rules.TO_THE_BEST, "stops": rules.PASSED_OVER, "< in place of ≤": rules.EXACT_FIT,
        "Question: alone": rules.BARE, "empty text": rules.BARE,
    },
    "injection_rows": {"last in the list": rules.LARGEST_DAY, "by name": rules.APART, "by fact": rules.APART},
    "score_answers": {
        "case": rules.CAPITALS, "old beside right": rules.NONE_OUTDATED,
        "abstention anywhere in the text": rules.NOTHING_ELSE, "blanks matter": rules.NOTHING_ELSE,
        "counts values": rules.ANY_OUTDATED, "first old value": rules.ANY_OUTDATED, "0/0": rules.NO_QUESTIONS,
    },
    "break_even": {
        "0 for never": rules.NEVER, "only exactly 0 is free": rules.AT_ONCE, "never, though free": rules.AT_ONCE,
        "cheaper first": rules.AT_ONCE, "a threshold": rules.ANY_UNIT,
    },
    "decide": {
        "None": rules.NO_WAY, "crashes on none": rules.NO_WAY, "strict": rules.AT_THE_BOUND,
        "last of equals": rules.FIRST_OF_EQUALS, "the better of equals": rules.FIRST_OF_EQUALS,
    },
}
NAMED = {
    "words_of": {
        "capitals kept": "capitals", "cut at blanks": "blanks only", "no digits": "digits were lost",
            "each once": "came once", "apostrophe removed": "apostrophe",
        "a set, sorted": "sorted",
        "two characters at least": "single characters", "characters": "characters came back",
        "underscores stay": "counted as a letter"},
    "idf": {
        "occurrences": "every occurrence", "no 1 +": "1 + is missing", "log N/n": "log(N / n)",
            "log 1 + N/n": "log(1 + N / n)", "no halves": "without the halves", "log10": "base 10", "log2": "base 2",
        "no log": "logarithm is missing", "upside down": "upside down", "N is words": "N counts the words",
            "N is different words": "N counts the different"},
    "bm25_scores": {
        "k1 + 1": "k1 + 1", "no idf": "idf is missing", "idf squared": "squared", "no length": "plays no part",
            "b swapped": "b and 1 − b", "k1 and b swapped": "k1 and b changed", "tf idf": "tf · idf",
        "binary": "counts once in a document", "length upside down": "upside down",
            "different words": "different words", "k1 outside": "outside the bracket", "longest": "longest",
        "not divided by the mean": "not divided", "no tf below": "tf is missing", "tf a share": "share of the document",
            "normalised": "sum to 1", "query as a set": "through its set"},
    "top_k": {
        "worst first": "worst came", "best last": "best stand last", "order of the board": "order of the board",
            "the scores": "scores came back", "k − 1": "too few", "k + 1": "too many", "from 1": "count from 1",
        "all": "k was not used", "earlier first": "earlier place won", "zeros stay": "score 0",
        "topk": "score 0", "negative places": "earlier place won"},
    "mean_pool": {
        "padding averaged": "padding was averaged", "not normalised": "do not have length 1", "sum": "added up",
            "over T": "all T positions", "last token": "last token", "last position": "last position",
        "first token": "first token", "max": "largest value", "normalised first": "brought to length 1 first",
            "L1": "absolute values", "columns": "columns", "squared length": "squared length",
        "mask as an index": "used as an index"},
    "build_prompt": {
        "newest first": "newest notice stands first", "by rank": "order of their rank",
            "by rank, reversed": "worst notice", "question first": "question stands first",
            "no Question:": "“Question: ” is missing", "sorted by text": "sorted by their texts",
            "one too many": "was taken, too", "budget counts notices": "counted in notices",
        "no Notice:": "“Notice: ” is missing", "a line too many": "line break too many", "blanks": "parted by blanks",
            "no budget": "budget was not used", "stops": "stopped at the first",
            "budget to the newest": "newest notices",
        "< in place of ≤": "fits exactly", "Question: alone": "ordinary question"},
    "injection_rows": {
        "old values, too": "both answers", "oldest": "first value stayed",
            "first stays": "first value stayed", "last in the list": "look at the day",
            "one phrasing": "first phrasing", "only the value": "only the value",
            "only the last": "only the last change",
        "by name": "by name and fact"},
    "score_answers": {
        "not right means stale": "every wrong answer", "changes stale": "divided by all",
        "staleness over all": "divided by all", "old beside right": "beside the right one", "case": "told apart",
            "the value alone": "must name it", "unknown never right": "never counted",
            "unknown always right": "right everywhere",
        "abstention where nobody knows": "share of all answers", "percent": "percent", "counts values": "counts twice",
            "first old value": "first old value", "abstention anywhere in the text": "goes on"},
    "break_even": {
        "over retrieval": "own questions cost", "sign": "sign is wrong",
            "over fine-tuned": "in questions of the fine-tuned", "sum": "costs of a question were added",
            "upside down": "upside down", "ratio": "ratio",
        "divides by 0": "negative number", "negative": "negative number", "0 for never": "wrong way round"},
    "decide": {
        "strict": "left out", "last of equals": "last of equals", "the better of equals": "more accurate of equals",
        "no accuracy": "not looked at", "most accurate": "most accurate", "one question": "multiply the cost",
            "no training": "training was left out", "dearest": "dearest", "training every time": "multiply the cost",
        "the cheapest, then its accuracy": "cheapest of all"},
}
# fmt: on
BODIES = {
    "words_of": ("text", WORDS_WRONG, WORDS_RIGHT),
    "idf": ("documents", IDF_WRONG, IDF_RIGHT),
    "bm25_scores": ("query, documents, weights, k1=1.5, b=0.75", BM25_WRONG, BM25_RIGHT),
    "top_k": ("scores, k", TOP_WRONG, TOP_RIGHT),
    "mean_pool": ("hidden, mask", POOL_WRONG, POOL_RIGHT),
    "build_prompt": ("notices, question, budget", PROMPT_WRONG, PROMPT_RIGHT),
    "injection_rows": ("changes, questions, answers", INJECTION_WRONG, INJECTION_RIGHT),
    "score_answers": ("answers, golds, stale", SCORES_WRONG, SCORES_RIGHT),
    "break_even": ("training, fine_tuned, retrieval", BREAK_WRONG, BREAK_RIGHT),
    "decide": ("ways, needed, questions", DECIDE_WRONG, DECIDE_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
