"""Lab 03: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab03_supervised_fine_tuning as lab

PRELUDE = "import math\nimport re\nimport string\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\n"


def template(
    head="<|bos|>", one="<|im_start|>{r}\\n{c}<|im_end|>\\n", prompt="<|im_start|>assistant\\n", of="messages"
):
    """render_chat with its three parts changed."""
    one = one.replace("{r}", "{m['role']}").replace("{c}", "{m['content']}")
    return f'''text = "{head}"
    for m in {of}:
        text += f"{one}"
    if generation_prompt: text += "{prompt}"
    return text'''


# fmt: off
TEMPLATE_WRONG = {
    "no bos": template(head=""),
    "bos at each message": template(head="", one="<|bos|><|im_start|>{r}\\n{c}<|im_end|>\\n"),
    "no im_end": template(one="<|im_start|>{r}\\n{c}\\n"),
    "last im_end missing": template().replace("    if gen",
        "    text = text[:-11] + '\\n' if messages else text\n    if gen"),
    "eos": template(one="<|im_start|>{r}\\n{c}<|eos|>\\n"),
    "no newline after im_end": template(one="<|im_start|>{r}\\n{c}<|im_end|>"),
    "joined by newlines": "return '<|bos|>' + '\\n'.join(f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\" for m "
                          "in messages) + ('\\n<|im_start|>assistant\\n' if generation_prompt else '')",
    "newline inside": template(one="<|im_start|>{r}\\n{c}\\n<|im_end|>"),
    "newline inside and after": template(one="<|im_start|>{r}\\n{c}\\n<|im_end|>\\n"),
    "no newline after the role": template(one="<|im_start|>{r}{c}<|im_end|>\\n"),
    "blank after the role": template(one="<|im_start|>{r} {c}<|im_end|>\\n"),
    "colon after the role": template(one="<|im_start|>{r}:\\n{c}<|im_end|>\\n"),
    "no roles": template(one="<|im_start|>{c}<|im_end|>\\n"),
    "always opens an answer": template().replace("if generation_prompt: ", ""),
    "never opens an answer": template(prompt=""),
    "no newline in the opened header": template(prompt="<|im_start|>assistant"),
    "closes the opened header": template(prompt="<|im_start|>assistant\\n<|im_end|>\\n"),
    "last message only": template(of="messages[-1:]"),
    "blank line between": "return '<|bos|>' + '\\n'.join(f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\" "
                          "for m in messages) + ('<|im_start|>assistant\\n' if generation_prompt else '')",
    "drops the system message": template(of="[m for m in messages if m['role'] != 'system']"),
    "invents a system message": template(
        of="[{'role': 'system', 'content': 'You are a helpful assistant.'}] + messages"
    ),
    "strips": template(one="<|im_start|>{r}\\n{c}<|im_end|>\\n").replace("['content']", "['content'].strip()"),
    "skips empty messages": template(of="[m for m in messages if m['content']]"),
    "format on the content": template().replace('f"', '"').replace("{m['role']}", "{0}").replace("{m['content']}",
        "CONTENT").replace('CONTENT<|im_end|>\\n"',
        '" .format(m["role"]) + m["content"].format("", role="") + "<|im_end|>\\n"'),
    "a list": "return ['<|bos|>'] + [f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\" for m in messages]",
    "takes the messages away": "text = '<|bos|>'\n    while messages:\n        m = messages.pop(0)\n        text += "
                               "f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\"\n    return text + "
                               "('<|im_start|>assistant\\n' if generation_prompt else '')",
}
# fmt: on
TEMPLATE_RIGHT = {
    "loop": template(),
    "join": "parts = [f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\" for m in messages]\n    return "
    "'<|bos|>' + ''.join(parts) + '<|im_start|>assistant\\n' * generation_prompt",
    "concatenation": "text = '<|bos|>'\n    for m in messages:\n        text = text + '<|im_start|>' + m['role'] + "
    "'\\n' + m['content'] + '<|im_end|>' + '\\n'\n    return text + '<|im_start|>assistant\\n' if "
    "generation_prompt else text",
    "format": "made = ''.join('<|im_start|>{role}\\n{content}<|im_end|>\\n'.format(**m) for m in messages)\n    return "
    "''.join(['<|bos|>', made, '<|im_start|>assistant\\n' if generation_prompt else ''])",
    "jinja": "import jinja2\n    return jinja2.Template('<|bos|>{% for m in messages %}<|im_start|>{{ m.role }}\\n{{ "
    "m.content }}<|im_end|>\\n{% endfor %}{% if p %}<|im_start|>assistant\\n{% endif %}', "
    "keep_trailing_newline=True).render(messages=messages, p=generation_prompt)",
}


def labels(first="i + n", last="j + 1", stop="break", begin="row[i:i + n] == header", blank="-100", value="row[k]"):
    """response_labels with one of its parts changed: where a span begins and ends, when it is found, what it gets."""
    return f"""row, n = ids.tolist(), len(header)
    labels = torch.full_like(ids, {blank})
    for i in range(len(row) - n + 1):
        if {begin}:
            j = i + n
            while j < len(row) and row[j] != im_end: j += 1
            for k in range({first}, min({last}, len(row))):
                labels[k] = {value}
    return labels"""


LABELS_WRONG = {
    "everything": "return ids.clone()",
    "nothing": "return torch.full_like(ids, -100)",
    "im_end not trained": labels(last="j"),
    "newline too": labels(last="j + 2"),
    "header too": labels(first="i"),
    "one early": labels(first="i + n - 1"),
    "one late": labels(first="i + n + 1"),
    "first answer only": labels().replace("labels[k] = row[k]", "labels[k] = row[k]\n            return labels"),
    "last answer only": labels().replace(
        "            j = i + n", "            labels = torch.full_like(ids, -100)\n            j = i + n"
    ),
    "to the end of the row": labels(last="len(row) - row[::-1].index(im_end)"),
    "the other way round": labels().replace("return labels", "return torch.where(labels == -100, ids, -100)"),
    "the role's word": labels(begin="row[i + 1:i + n] == header[1:]"),
    "the role's word, anywhere": "row, n = ids.tolist(), len(header)\n    labels = torch.full_like(ids, -100); on = "
    "False\n    for k in range(len(row)):\n        if on: labels[k] = row[k]\n        if "
    "row[k] == im_end: on = False\n        if k >= n - 2 and n > 1 and row[k - n + 2:k + "
    "1] == header[1:]: on = True\n    return labels",
    "0 for untrained": labels(blank="0"),
    "-1 for untrained": labels(blank="-1"),
    "a mask": labels(blank="0", value="1"),
    "shifted": labels().replace("return labels", "return torch.cat([labels[1:], labels.new_tensor([-100])])"),
    "every im_end": labels().replace("return labels", "return torch.where(ids == im_end, ids, labels)"),
    "header of three": labels().replace("len(header)", "3"),
    "im_end fixed at 4": labels().replace("!= im_end", "!= 4"),
    "only where <|im_end|> is found": "row, n = ids.tolist(), len(header)\n    labels = torch.full_like(ids, -100)\n   "
    " for i in range(len(row) - n + 1):\n        if row[i:i + n] == header and "
    "im_end in row[i + n:]:\n            j = row.index(im_end, i + n)\n            "
    "labels[i + n:j + 1] = ids[i + n:j + 1]\n    return labels",
    "crashes without <|im_end|>": "row, n = ids.tolist(), len(header)\n    labels = torch.full_like(ids, -100)\n    "
    "for i in range(len(row) - n + 1):\n        if row[i:i + n] == header:\n            "
    "j = row.index(im_end, i + n)\n            labels[i + n:j + 1] = ids[i + n:j + 1]\n "
    "   return labels",
    "skips empty answers": labels(begin="row[i:i + n] == header and row[i + n:i + n + 1] != [im_end]"),
    "in place": "row, n, on = ids.tolist(), len(header), False\n    for k in range(len(row)):\n        if k >= n and "
    "row[k - n:k] == header: on = True\n        if not on: ids[k] = -100\n        if row[k] == im_end: on "
    "= False\n    return ids",
    "floats": labels().replace("full_like(ids, -100)", "full((len(ids),), -100.0)"),
    "first <|im_start|> only": "row, n = ids.tolist(), len(header)\n    labels = ids.clone(); i = next((i for i in "
    "range(len(row)) if row[i:i + n] == header), len(row))\n    labels[:i + n] = -100\n    "
    "return labels",
}
LABELS_WRONG["the role's word is enough"] = labels(
    begin="row[i:i + n] == header or (n > 1 and i and row[i + 1:i + n] == header[1:])"
)
LABELS_RIGHT = {
    "scan": labels(),
    "a switch": "row, n, on = ids.tolist(), len(header), False\n    out = []\n    for k in range(len(row)):\n        "
    "if k >= n and row[k - n:k] == header: on = True\n        out.append(row[k] if on else -100)\n        "
    "if row[k] == im_end: on = False\n    return torch.tensor(out, dtype=ids.dtype)",
    "windows": """n, T = len(header), len(ids)
    labels = torch.full_like(ids, -100)
    if T < n: return labels
    starts = (ids.unfold(0, n, 1) == torch.tensor(header)).all(1).nonzero().flatten() + n
    ends = (ids == im_end).nonzero().flatten()
    for a in starts.tolist():
        later = ends[ends >= a]
        b = int(later[0]) + 1 if len(later) else T
        labels[a:b] = ids[a:b]
    return labels""",
    "a while loop with index": """row, labels, i, n = ids.tolist(), torch.full_like(ids, -100), 0, len(header)
    while i + n <= len(row):
        if row[i:i + n] != header:
            i += 1
            continue
        a = i + n
        b = row.index(im_end, a) + 1 if im_end in row[a:] else len(row)
        labels[a:b] = ids[a:b]
        i = max(b, a)
    return labels""",
    "a mask and where": """row, n = ids.tolist(), len(header)
    mask = torch.zeros(len(row), dtype=torch.bool)
    for i in range(n, len(row) + 1):
        if row[i - n:i] == header:
            for j in range(i, len(row)):
                mask[j] = True
                if row[j] == im_end: break
    return torch.where(mask, ids, torch.full_like(ids, -100))""",
}

T = "t = labels[:, 1:]; x = logits[:, :-1].float(); m = t != -100; "
L = T + "l = F.cross_entropy(x.transpose(1, 2), t, ignore_index=-100, reduction='none'); "
LOSS_WRONG = {
    "no shift": "return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten())",
    "shift backwards": "t = labels[:, :-1]; return F.cross_entropy(logits[:, 1:].float().flatten(0, 1), t.flatten(), "
    "reduction='sum') / (t != -100).sum().clamp(min=1)",
    "mean over all tokens": L + "return l.mean()",
    "mean over all places": L + "return l.sum() / labels.numel()",
    "-100 as token 0": T + "return F.cross_entropy(x.flatten(0, 1), t.clamp(min=0).flatten())",
    "mean of row means": L + "return ((l * m).sum(1) / m.sum(1).clamp(min=1)).mean()",
    "mean of row means, rows with answers": L
    + "r = (l * m).sum(1) / m.sum(1).clamp(min=1); return r.sum() / m.any(1).sum().clamp(min=1)",
    "sum": L + "return l.sum()",
    "divided by rows": L + "return l.sum() / len(labels)",
    "first token counted": L + "return l.sum() / (labels != -100).sum().clamp(min=1)",
    "mask of the input": T
    + "u = labels[:, :-1] != -100; l = F.cross_entropy(x.transpose(1, 2), t, reduction='none'); return (l * u).sum() / "
    "u.sum().clamp(min=1)",
    "sign": L + "return -l.sum() / m.sum().clamp(min=1)",
    "bits": L + "return l.sum() / m.sum().clamp(min=1) / math.log(2)",
    "softmax twice": T
    + "l = F.cross_entropy(x.softmax(-1).transpose(1, 2), t, reduction='none'); return l.sum() / m.sum().clamp(min=1)",
    "NaN without answers": T + "return F.cross_entropy(x.flatten(0, 1), t.flatten())",
    "a constant 0 without answers": T
    + "return F.cross_entropy(x.flatten(0, 1), t.flatten()) if m.any() else torch.tensor(0.0)",
    "a Python number": L + "return (l.sum() / m.sum().clamp(min=1)).item()",
    "bfloat16 throughout": "t = labels[:, 1:]; return F.cross_entropy(logits[:, :-1].flatten(0, 1), t.flatten(), "
    "reduction='sum') / (t != -100).sum().clamp(min=1)",
    "log of softmax": T
    + "l = -x.softmax(-1).gather(-1, t.clamp(min=0)[..., None])[..., 0].log(); return torch.where(m, l, 0.0).sum() / "
    "m.sum().clamp(min=1)",
    "ε in the log": T
    + "l = -(x.softmax(-1).gather(-1, t.clamp(min=0)[..., None])[..., 0] + 1e-9).log(); return (l * m).sum() / "
    "m.sum().clamp(min=1)",
    "writes into the labels": "labels[labels == -100] = 0; t = labels[:, 1:]; n = (t != 0).sum().clamp(min=1); return "
    "F.cross_entropy(logits[:, :-1].float().flatten(0, 1), t.flatten(), ignore_index=0, "
    "reduction='sum') / n",
    "not reduced": L + "return l / m.sum().clamp(min=1)",
}
LOSS_WRONG |= {
    "0 is not trained": L.replace("t != -100", "(t != -100) & (t != 0)")
    + "return (l * m).sum() / m.sum().clamp(min=1)",
    "only positive labels": T.replace("t != -100", "t > 0")
    + "l = F.cross_entropy(x.transpose(1, 2), t.clamp(min=0), reduction='none'); return (l * m).sum() / "
    "m.sum().clamp(min=1)",
    "logits clamped": L.replace(".float()", ".float().clamp(-100, 100)") + "return l.sum() / m.sum().clamp(min=1)",
    "probabilities clamped": T
    + "l = -x.softmax(-1).gather(-1, t.clamp(min=0)[..., None])[..., 0].clamp(min=1e-12).log(); return (l * m).sum() / "
    "m.sum().clamp(min=1)",
}
LOSS_RIGHT = {
    "cross_entropy": T
    + "return F.cross_entropy(x.reshape(-1, x.shape[-1]), t.reshape(-1), ignore_index=-100, reduction='sum') / "
    "m.sum().clamp(min=1)",
    "gather": T + "l = -x.log_softmax(-1).gather(-1, t.clamp(min=0).unsqueeze(-1)).squeeze(-1); return (l * m).sum() / "
    "m.sum().clamp(min=1)",
    "picked out": T
    + "return (F.cross_entropy(x[m], t[m], reduction='sum') if m.any() else 0.0 * x.sum()) / max(int(m.sum()), 1) if "
    "x.shape[1] else 0.0 * logits.float().sum()",
    "shifted targets": "t = F.pad(labels[:, 1:], (0, 1), value=-100); n = (t != -100).sum(); return "
    "F.cross_entropy(logits.float().flatten(0, 1), t.flatten(), reduction='sum') / torch.clamp(n, "
    "min=1)",
    "nll_loss": T
    + "return F.nll_loss(F.log_softmax(x, -1).flatten(0, 1), t.flatten(), ignore_index=-100, reduction='sum') / "
    "torch.clamp(m.sum(), min=1)",
}

PADDED = """T = max(len(e['input_ids']) for e in examples)
    ids = torch.full((len(examples), T), pad_id); labels = torch.full((len(examples), T), -100)
    mask = torch.zeros(len(examples), T, dtype=torch.long)
    for b, e in enumerate(examples):
        n = len(e['input_ids'])
        ids[b, :n] = torch.tensor(e['input_ids']); labels[b, :n] = torch.tensor(e['labels']); mask[b, :n] = 1
    return {'input_ids': ids, 'labels': labels, 'attention_mask': mask}"""
COLLATE_WRONG = {
    "left": PADDED.replace("[b, :n]", "[b, T - n:]"),
    "labels padded with pad_id": PADDED.replace("T), -100)", "T), pad_id)"),
    "labels padded with 0": PADDED.replace("T), -100)", "T), 0)"),
    "mask reversed": PADDED.replace("torch.zeros(", "torch.ones(").replace("= 1\n", "= 0\n"),
    "mask of ones": PADDED.replace("torch.zeros(", "torch.ones("),
    "labels are the ids": PADDED.replace("torch.tensor(e['labels'])", "torch.tensor(e['input_ids'])"),
    "cut to the shortest": PADDED.replace("T = max(", "T = min(")
    .replace("n = len(e['input_ids'])", "n = T")
    .replace("torch.tensor(e['input_ids'])", "torch.tensor(e['input_ids'][:n])")
    .replace("torch.tensor(e['labels'])", "torch.tensor(e['labels'][:n])"),
    "one column too many": PADDED.replace("for e in examples)\n", "for e in examples) + 1\n"),
    "pad fixed at 0": PADDED.replace("T), pad_id)", "T), 0)"),
    "mask from the ids": PADDED.replace("'attention_mask': mask", "'attention_mask': (ids != pad_id).long()"),
    "labels masked by pad_id": PADDED.replace("'labels': labels", "'labels': torch.where(ids == pad_id, -100, labels)"),
    "mask of booleans": PADDED.replace("'attention_mask': mask", "'attention_mask': mask.bool()"),
    "a tuple": PADDED.replace(
        "return {'input_ids': ids, 'labels': labels, 'attention_mask': mask}", "return ids, labels, mask"
    ),
    "lists": PADDED.replace("'input_ids': ids", "'input_ids': ids.tolist()"),
    "extends the examples": "T = max(len(e['input_ids']) for e in examples)\n    for e in examples:\n        gap = T - "
    "len(e['input_ids'])\n        e['mask'] = [1] * len(e['input_ids']) + [0] * gap\n        "
    "e['input_ids'] += [pad_id] * gap; e['labels'] += [-100] * gap\n    return {'input_ids': "
    "torch.tensor([e['input_ids'] for e in examples]), 'labels': torch.tensor([e['labels'] "
    "for e in examples]), 'attention_mask': torch.tensor([e['mask'] for e in examples])}",
    "no padding": "return {'input_ids': torch.tensor([e['input_ids'] for e in examples]), 'labels': "
    "torch.tensor([e['labels'] for e in examples]), 'attention_mask': torch.ones(len(examples), "
    "len(examples[0]['labels']), dtype=torch.long)}",
}
COLLATE_RIGHT = {
    "full": PADDED,
    "pad_sequence": """pad_sequence = torch.nn.utils.rnn.pad_sequence
    pad = lambda rows, value: pad_sequence(list(map(torch.tensor, rows)), batch_first=True, padding_value=value)
    ids, labels = [e['input_ids'] for e in examples], [e['labels'] for e in examples]
    return {'input_ids': pad(ids, pad_id), 'labels': pad(labels, -100),
            'attention_mask': pad([[1] * len(row) for row in ids], 0)}""",
    "lists": """longest = max(map(len, (e['input_ids'] for e in examples)))
    fill = lambda key, value: torch.tensor([e[key] + [value] * (longest - len(e[key])) for e in examples])
    mask = torch.tensor([[int(t < len(e['labels'])) for t in range(longest)] for e in examples])
    return dict(input_ids=fill('input_ids', pad_id), labels=fill('labels', -100), attention_mask=mask)""",
    "F.pad": """lengths = torch.tensor([len(e['input_ids']) for e in examples]); T = int(lengths.max())
    row = lambda x, v: F.pad(torch.tensor(x), (0, T - len(x)), value=v)
    return {'attention_mask': (torch.arange(T) < lengths[:, None]).long(),
            'labels': torch.stack([row(e['labels'], -100) for e in examples]),
            'input_ids': torch.stack([row(e['input_ids'], pad_id) for e in examples])}""",
}


def rows(
    order="sorted(range(len(lengths)), key=lambda k: -lengths[k])",
    fits="room[r] >= lengths[k]",
    take="min(able, key=lambda r: room[r])",
    give="rows",
):
    """pack with one of its parts changed: the order, what fits, which row is taken, what is returned."""
    return f"""rows, room = [], []
    order = {order}
    for k in order:
        able = [r for r in range(len(rows)) if {fits}]
        if able:
            r = {take}
            rows[r].append(k); room[r] -= lengths[k]
        else:
            rows.append([k]); room.append(limit - lengths[k])
    return {give}"""


PACK_WRONG = {
    "order given": rows(order="range(len(lengths))"),
    "shortest first": rows(order="sorted(range(len(lengths)), key=lambda k: lengths[k])"),
    "first fit": rows(take="able[0]"),
    "worst fit": rows(take="max(able, key=lambda r: room[r])"),
    "last fit": rows(take="able[-1]"),
    "next fit": rows(fits="r == len(rows) - 1 and room[r] >= lengths[k]"),
    "next fit, order given": rows(order="range(len(lengths))", fits="r == len(rows) - 1 and room[r] >= lengths[k]"),
    "one each": "return [[k] for k in sorted(range(len(lengths)), key=lambda k: -lengths[k])]",
    "never quite full": rows(fits="room[r] > lengths[k]"),
    "one too many": rows(fits="room[r] + 1 >= lengths[k]"),
    "lengths": rows(give="[[lengths[k] for k in row] for row in rows]"),
    "places in the sorted list": rows(give="[[order.index(k) for k in row] for row in rows]"),
    "all in one": "return [sorted(range(len(lengths)), key=lambda k: -lengths[k])]",
    "ties backwards": rows(order="sorted(range(len(lengths)), key=lambda k: lengths[k])[::-1]"),
    "drops long examples": rows(
        order="[k for k in sorted(range(len(lengths)), key=lambda k: -lengths[k]) if lengths[k] <= limit]"
    ),
    "loses equal lengths": rows(order="[lengths.index(n) for n in sorted(lengths, reverse=True)]"),
    "sorts the caller's list": "before = sorted(range(len(lengths)), key=lambda k: -lengths[k]); "
    "lengths.sort(reverse=True)\n    "
    + rows(order="range(len(lengths))", give="[[before[k] for k in row] for row in rows]"),
    "a row for nothing": rows(give="rows or [[]]"),
    "tokens of the row counted anew, order given": "rows = []\n    for k, n in enumerate(lengths):\n        if rows "
    "and sum(lengths[i] for i in rows[-1]) + n <= limit: "
    "rows[-1].append(k)\n        else: rows.append([k])\n    return "
    "rows",
}
PACK_WRONG["of equally full rows the later"] = rows(take="min(able, key=lambda r: (room[r], -r))")
PACK_RIGHT = {
    "min over rows": rows(),
    "sums counted anew": """rows = []
    for k in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        left = [limit - sum(lengths[i] for i in row) - lengths[k] for row in rows]
        fitting = [(gap, r) for r, gap in enumerate(left) if gap >= 0]
        if fitting: rows[min(fitting)[1]].append(k)
        else: rows.append([k])
    return rows""",
    "numpy": """room, rows = np.zeros(0), []
    for k in np.argsort([-n for n in lengths], kind='stable').tolist():
        gap = np.where(room >= lengths[k], room, np.inf)
        if len(gap) and np.isfinite(gap.min()):
            r = int(gap.argmin()); rows[r].append(k); room[r] -= lengths[k]
        else:
            rows.append([k]); room = np.append(room, limit - lengths[k])
    return rows""",
    "a plain search": """rows, used = [], []
    for n, k in sorted((-n, k) for k, n in enumerate(lengths)):
        best = None
        for r in range(len(rows)):
            if used[r] - n <= limit and (best is None or used[r] > used[best]): best = r
        if best is None:
            best = len(rows); rows.append([]); used.append(0)
        rows[best].append(k); used[best] -= n
    return rows""",
}

M = (
    "T = segments.shape[1]; same = segments[:, :, None] == segments[:, None, :]; causal = torch.ones(T, T, "
    "dtype=torch.bool).tril(); "
)
MASK_WRONG = {
    "causal only": M + "return causal.expand_as(same).clone()",
    "block only": M + "return same",
    "reversed": M + "return ~(same & causal)",
    "transposed": M + "return same & causal.T",
    "strict": M + "return same & causal.tril(-1)",
    "earlier segments": M + "return (segments[:, :, None] >= segments[:, None, :]) & causal",
    "padding sees nothing": M + "return same & causal & (segments != 0)[:, :, None]",
    "everything": M + "return torch.ones_like(same)",
    "others": M + "return ~same & causal",
    "first row's": M + "return (same & causal)[:1].expand_as(same).clone()",
    "or": M + "return same | causal",
    "floats": M + "return (same & causal).float()",
    "additive": M + "return torch.zeros(same.shape).masked_fill(~(same & causal), -1e30)",
    "with a head axis": M + "return (same & causal)[:, None]",
    "changes the segments": "segments[segments == 0] = -1; " + M + "return same & causal",
    "first row for all, no batch": M + "return (same & causal)[0]",
}
MASK_WRONG |= {
    "runs, not numbers": "new = F.pad((segments[:, 1:] != segments[:, :-1]).long(), (1, 0)); run = new.cumsum(1); "
    "return (run[:, :, None] == run[:, None, :]).tril()",
    "numbers only rise": "top = segments.cummax(1).values; return (top[:, :, None] == top[:, None, :]).tril()",
}
MASK_RIGHT = {
    "equal and tril": M + "return same & causal",
    "positions": "t = torch.arange(segments.shape[1]); return (segments.unsqueeze(2) == segments.unsqueeze(1)) & (t[:, "
    "None] >= t[None, :])",
    "tril of the blocks": "return torch.eq(segments[:, :, None], segments[:, None, :]).tril()",
    "loops": """B, T = segments.shape
    mask = torch.zeros(B, T, T, dtype=torch.bool)
    for b in range(B):
        for t in range(T):
            for s in range(t + 1):
                mask[b, t, s] = segments[b, t] == segments[b, s]
    return mask""",
    "one-hot": """numbers = segments.unique(); h = (segments[..., None] == numbers).float()
    return (h @ h.mT > 0.5).tril()""",
}

RATE_WRONG = {
    "lowest on the way": "done = [(min(c), r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; "
    "return min(done)[1] if done else None",
    "mean": "done = [(sum(c) / len(c), r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; return "
    "min(done)[1] if done else None",
    "first loss": "done = [(c[0], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; return "
    "min(done)[1] if done else None",
    "highest": "done = [(c[-1], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; return "
    "max(done)[1] if done else None",
    "fastest fall": "done = [(c[-1] - c[0], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; "
    "return min(done)[1] if done else None",
    "the place": "done = [(c[-1], r, k) for k, (r, c) in enumerate(zip(rates, curves)) if c and all(map(math.isfinite, "
    "c))]; return min(done)[2] if done else None",
    "the loss": "done = [(c[-1], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; return "
    "min(done)[0] if done else None",
    "largest rate": "return max(rates, default=None)",
    "smallest rate": "return min(rates, default=None)",
    "tie to the larger": "done = [(c[-1], -r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; "
    "return -min(done)[1] if done else None",
    "tie to the first": "done = [(c[-1], k) for k, c in enumerate(curves) if c and all(map(math.isfinite, c))]; return "
    "rates[min(done)[1]] if done else None",
    "NaN to 0": "done = [(np.nan_to_num(c[-1], nan=0.0, posinf=9e9), r) for r, c in zip(rates, curves) if c]; return "
    "min(done)[1] if done else None",
    "only the end finite": "done = [(c[-1], r) for r, c in zip(rates, curves) if c and math.isfinite(c[-1])]; return "
    "min(done)[1] if done else None",
    "only NaN, not infinity": "done = [(c[-1], r) for r, c in zip(rates, curves) if c and not any(map(math.isnan, "
    "c))]; return min(done)[1] if done else None",
    "min over NaN": "done = [(c[-1], r) for r, c in zip(rates, curves) if c]; return min(done)[1] if done else None",
    "argmin of numpy": "return rates[int(np.argmin([c[-1] for c in curves]))]",
    "nothing left crashes": "return min((c[-1], r) for r, c in zip(rates, curves) if all(map(math.isfinite, c)))[1]",
    "empty curve crashes": "done = [(c[-1], r) for r, c in zip(rates, curves) if all(map(math.isfinite, c))]; return "
    "min(done)[1] if done else None",
    "0 when none is left": "done = [(c[-1], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]; "
    "return min(done)[1] if done else 0.0",
    "sorts the curves": "done = []\n    for r, c in zip(rates, curves):\n        c.sort(reverse=True)\n        if c "
    "and all(map(math.isfinite, c)): done.append((c[-1], r))\n    return min(done)[1] if done "
    "else None",
    "takes the last off": "done = []\n    for r, c in zip(rates, curves):\n        if c and all(map(math.isfinite, "
    "c)): done.append((c.pop(), r))\n    return min(done)[1] if done else None",
}
PICKED = "done = [(c[-1], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]\n    "
RATE_WRONG |= {
    "the smallest when none is left": PICKED + "return min(done)[1] if done else min(rates, default=None)",
    "−inf allowed": PICKED.replace("all(map(math.isfinite, c))", "all(x < math.inf for x in c)")
    + "return min(done)[1] if done else None",
    "an empty curve is a loss of 0": "done = [(c[-1] if c else 0.0, r) for r, c in zip(rates, curves) if "
    "all(map(math.isfinite, c))]; return min(done)[1] if done else None",
}
RATE_RIGHT = {
    "pairs": "done = [(c[-1], r) for r, c in zip(rates, curves) if c and all(map(math.isfinite, c))]\n    return "
    "min(done)[1] if done else None",
    "a loop": """best, loss = None, math.inf
    for rate, curve in sorted(zip(rates, curves)):
        if len(curve) == 0 or not np.isfinite(curve).all(): continue
        if curve[-1] < loss: best, loss = rate, curve[-1]
    return best""",
    "a default": "return min(((c[-1], r) for r, c in zip(rates, curves) if c and not any(math.isnan(x) or "
    "math.isinf(x) for x in c)), default=(0, None))[1]",
    "torch": """ok = [k for k, c in enumerate(curves) if len(c) and torch.tensor(c).isfinite().all()]
    if not ok: return None
    low = min(curves[k][-1] for k in ok)
    return min(rates[k] for k in ok if curves[k][-1] == low)""",
}

MATCH_WRONG = {
    "case kept": "text = ''.join(c for c in text if c not in string.punctuation); return ' "
    "'.join(re.sub(r'\\b(a|an|the)\\b', ' ', text, flags=re.I).split())",
    "articles before small letters": "text = ''.join(c for c in text if c not in string.punctuation); return ' "
    "'.join(re.sub(r'\\b(a|an|the)\\b', ' ', text).lower().split())",
    "articles before marks": "text = ' '.join(w for w in text.lower().split() if w not in ('a', 'an', 'the')); return "
    "' '.join(''.join(c for c in text if c not in string.punctuation).split())",
    "marks kept": "return ' '.join(w for w in text.lower().split() if w not in ('a', 'an', 'the'))",
    "marks to blanks": "text = ''.join(' ' if c in string.punctuation else c for c in text.lower()); return ' '.join(w "
    "for w in text.split() if w not in ('a', 'an', 'the'))",
    "articles kept": "return ' '.join(''.join(c for c in text.lower() if c not in string.punctuation).split())",
    "articles inside words": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return ' "
    "'.join(re.sub(r'a|an|the', '', text).split())",
    "articles inside words, longest first": "text = ''.join(c for c in text.lower() if c not in string.punctuation); "
    "return ' '.join(re.sub(r'the|an|a', '', text).split())",
    "article at the beginning only": "text = ' '.join(''.join(c for c in text.lower() if c not in "
    "string.punctuation).split()); return re.sub(r'^(a|an|the) ', '', text)",
    "not squeezed": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return "
    "re.sub(r'\\b(a|an|the)\\b', ' ', text)",
    "only stripped": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return "
    "re.sub(r'\\b(a|an|the)\\b', ' ', text).strip()",
    "no blanks at all": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return ''.join(w for "
    "w in text.split() if w not in ('a', 'an', 'the'))",
    "full stops only": "return ' '.join(w for w in text.lower().replace('.', '').split() if w not in ('a', 'an', "
    "'the'))",
    "ends only": "return ' '.join(w for w in text.lower().strip().strip(string.punctuation).split() if w not in ('a', "
    "'an', 'the'))",
    "unchanged": "return text",
    "the stays": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return ' '.join(w for w in "
    "text.split() if w not in ('a', 'an'))",
    "accents lost": "text = re.sub(r'[^a-z0-9 ]', '', text.lower()); return ' '.join(w for w in text.split() if w not "
    "in ('a', 'an', 'the'))",
    "tabs glue words": "text = re.sub('[' + re.escape(string.punctuation) + '\\t\\n]', '', text.lower()); return ' "
    "'.join(w for w in text.split(' ') if w and w not in ('a', 'an', 'the'))",
    "a list of words": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return [w for w in "
    "text.split() if w not in ('a', 'an', 'the')]",
}
MATCH_WRONG |= {
    "an stays": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return ' '.join(w for w in "
    "text.split() if w not in ('a', 'the'))",
    "some marks only": "text = re.sub('[.,;:!?\\'\"()-]', '', text.lower()); return ' '.join(w for w in text.split() "
    "if w not in ('a', 'an', 'the'))",
    "articles inside words only": "text = ''.join(c for c in text.lower() if c not in string.punctuation); return ' "
    "'.join(re.sub(r'\\b(a|an|the)', '', text).split())",
}
MATCH_RIGHT = {
    "SQuAD's own": """remove = set(string.punctuation)
    text = ''.join(c for c in text.lower() if c not in remove)
    return ' '.join(re.sub(r'\\b(a|an|the)\\b', ' ', text).split())""",
    "translate": "text = text.lower().translate(str.maketrans('', '', string.punctuation))\n    return ' '.join(w for "
    "w in text.split() if w not in {'a', 'an', 'the'})",
    "patterns": "text = re.sub('[' + re.escape(string.punctuation) + ']', '', text.lower())\n    return "
    "re.sub(r'\\s+', ' ', re.sub(r'(?<!\\S)(a|an|the)(?!\\S)', ' ', text)).strip()",
    "a loop": """for mark in string.punctuation:
        text = text.replace(mark, '')
    words = []
    for word in text.lower().split():
        if word not in ['the', 'a', 'an']: words.append(word)
    return ' '.join(words)""",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "render_chat": {
        "no bos": "<|bos|> is missing",
        "bos at each message": "before each message",
        "no im_end": "never learns to stop",
        "last im_end missing": "of the last message",
        "eos": "<|eos|>",
        "no newline after im_end": "after <|im_end|> is missing",
        "joined by newlines": "last newline",
        "newline inside": "before <|im_end|>",
        "newline inside and after": "before <|im_end|> too",
        "no newline after the role": "between role and content is missing",
        "blank after the role": "a blank stands",
        "colon after the role": "colon",
        "no roles": "roles are missing",
        "always opens an answer": "nobody asked",
        "never opens an answer": "was ignored",
        "no newline in the opened header": "opened header is missing",
        "closes the opened header": "closed again",
        "last message only": "only the last",
        "blank line between": "blank line",
        "drops the system message": "dropped",
        "invents a system message": "invented",
        "strips": "stripped",
        "skips empty messages": "skipped",
    },
    "response_labels": {
        "everything": "every token",
        "nothing": "nothing is trained",
        "im_end not trained": "is not trained: the model never",
        "newline too": "newline after",
        "header too": "the header is trained",
        "one early": "one place too early",
        "one late": "one place too late",
        "first answer only": "only the first",
        "last answer only": "only the last",
        "to the end of the row": "to the last <|im_end|>",
        "the other way round": "other way round",
        "the role's word, anywhere": "inside a sentence", "the role's word": "inside a sentence",
        "the role's word is enough": "inside a sentence",
        "0 for untrained": "got 0",
        "-1 for untrained": "got −1",
        "a mask": "this is the mask",
        "shifted": "shifted by one",
        "every im_end": "of the questions",
    },
    "sft_loss": {
        "no shift": "no shift", "shift backwards": "wrong way", "mean over all tokens": "over all tokens",
        "mean over all places": "B · T", "-100 as token 0": "for token 0", 
        "mean of row means, rows with answers": "row's mean", "sum": "summed", "divided by rows": "by the rows",
        "first token counted": "first token", "mask of the input": "input token", "sign": "sign", "bits": "bits",
        "softmax twice": "softmax ran before",
    },
    "collate": {
        "left": "on the left",
        "labels padded with pad_id": "padded with pad_id",
        "labels padded with 0": "padded with 0",
        "mask reversed": "wrong way round",
        "mask of ones": "1 everywhere",
        "labels are the ids": "labels are the ids",
        "cut to the shortest": "shortest",
        "one column too many": "one column",
        "pad fixed at 0": "fixed at 0",
        "mask from the ids": "was masked",
        "labels masked by pad_id": "lost its label",
    },
    "pack": {
        "order given": "in which they came", "shortest first": "shortest went first",
        "first fit": "first row with room", "worst fit": "MOST room", "next fit": "only the last row",
        "next fit, order given": "only the last row", "one each": "its own row", "never quite full": "exactly full",
        "one too many": "one token more", "lengths": "these are lengths", "places in the sorted list": "sorted list",
        "all in one": "everything is in one", "tokens of the row counted anew, order given": "only the last row",
    },
    "packing_mask": {
        "causal only": "across the borders", "block only": "causal half", "reversed": "wrong way round",
        "transposed": "changed places", "strict": "does not see itself", "earlier segments": "across the borders",
        "padding sees nothing": "padding sees nothing", "everything": "whole row", "others": "other segments",
        "first row's": "mask of the first",
    },
    "pick_learning_rate": {
        "lowest on the way": "on the way", "mean": "mean of the curve", "first loss": "first loss",
        "highest": "HIGHEST", "fastest fall": "fastest fall", "the place": "place in the list",
        "the loss": "this is the loss", "largest rate": "largest rate", "smallest rate": "smallest rate",
        "NaN to 0": "diverged", "only the end finite": "diverged", "only NaN, not infinity": "diverged",
        "min over NaN": "diverged", "−inf allowed": "diverged", "argmin of numpy": "diverged",
        "an empty curve is a loss of 0": "without a measurement", "sorts the curves": "on the way",
    },
    "normalise_answer": {
        "case kept": "upper and lower",
        "articles before small letters": "made small",
        "articles before marks": "before the marks",
        "marks kept": "still there",
        "marks to blanks": "became a blank",
        "articles kept": "articles a, an, the are still",
        "articles inside words": "middle of words",
        "articles inside words, longest first": "middle of words",
        "article at the beginning only": "at the beginning",
        "not squeezed": "not squeezed",
        "no blanks at all": "white space is gone",
        "full stops only": "full stop", "an stays": "“an” was left",
        "ends only": "only the ends",
        "unchanged": "unchanged",
        "the stays": "was left in",
    },
}
BREAKS = {
    "render_chat": {
        "never opens an answer": lab.OPENED, "drops the system message": lab.EVERY_MESSAGE,
        "strips": lab.AS_IT_IS, "skips empty messages": lab.AS_IT_IS,
    },
    "response_labels": {
        "header of three": lab.GIVEN_TOKENS, "im_end fixed at 4": lab.GIVEN_TOKENS,
        "only where <|im_end|> is found": lab.CUT_OFF, "the role's word is enough": lab.WHOLE_HEADER,
        "in place": lab.IDS_STAY,
    },
    "sft_loss": {
        "mean of row means, rows with answers": lab.WHOLE_BATCH, "0 is not trained": lab.ONLY_IGNORED,
        "only positive labels": lab.ONLY_IGNORED, "bfloat16 throughout": lab.IN_FLOAT32,
        "a constant 0 without answers": lab.NOTHING_TRAINED, "NaN without answers": lab.NOTHING_TRAINED,
        "logits clamped": lab.EXTREME, "probabilities clamped": lab.EXTREME,
    },
    "collate": {
        "mask from the ids": lab.BY_LENGTH, "labels masked by pad_id": lab.BY_LENGTH,
        "extends the examples": lab.EXAMPLES_STAY,
    },
    "pack": {
        "never quite full": lab.EXACT_FIT, "ties backwards": lab.EARLIER,
        "of equally full rows the later": lab.EARLIER, "drops long examples": lab.TOO_LONG,
    },
    "packing_mask": {
        "runs, not numbers": lab.ANY_NUMBERS, "numbers only rise": lab.ANY_NUMBERS,
        "padding sees nothing": lab.ZERO_TOO,
    },
    "pick_learning_rate": {
        "only the end finite": lab.DIVERGED, "only NaN, not infinity": lab.DIVERGED, "−inf allowed": lab.DIVERGED,
        "an empty curve is a loss of 0": lab.UNMEASURED, "empty curve crashes": lab.UNMEASURED,
        "tie to the larger": lab.SMALLER, "tie to the first": lab.SMALLER,
        "0 when none is left": lab.NONE_LEFT, "the smallest when none is left": lab.NONE_LEFT,
    },
    "normalise_answer": {
        "articles inside words": lab.WHOLE_WORDS, "marks to blanks": lab.NO_TRACE, "some marks only": lab.NO_TRACE,
        "articles before marks": lab.MARKS_FIRST, "tabs glue words": lab.ANY_BLANK,
    },
}
# fmt: on

# fmt: off
# fmt: on
BODIES = {
    "render_chat": ("messages, generation_prompt=False", TEMPLATE_WRONG, TEMPLATE_RIGHT),
    "response_labels": ("ids, header, im_end", LABELS_WRONG, LABELS_RIGHT),
    "sft_loss": ("logits, labels", LOSS_WRONG, LOSS_RIGHT),
    "collate": ("examples, pad_id", COLLATE_WRONG, COLLATE_RIGHT),
    "pack": ("lengths, limit", PACK_WRONG, PACK_RIGHT),
    "packing_mask": ("segments", MASK_WRONG, MASK_RIGHT),
    "pick_learning_rate": ("rates, curves", RATE_WRONG, RATE_RIGHT),
    "normalise_answer": ("text", MATCH_WRONG, MATCH_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
