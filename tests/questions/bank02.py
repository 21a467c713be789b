"""Lab 02: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab02_pretraining as lab

PRELUDE = "import math\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"

ATTENTION_WRONG = {
    "no mask": "return torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), -1) @ v",
    "mask reversed": "s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]; return "
    "torch.softmax(s.masked_fill(torch.ones(T, T).tril(-1).bool(), -1e30), -1) @ v",
    "mask after softmax": (
        "w = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), -1); return w.tril() @ v"
    ),
    "mask with 0": "s = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).tril(); return torch.softmax(s, -1) @ v",
    "no scale": "s = q @ k.transpose(-2, -1); T = q.shape[-2]; return torch.softmax(s.masked_fill(torch.ones(T, "
    "T).triu(1).bool(), -1e30), -1) @ v",
    "scale P": "s = q @ k.transpose(-2, -1) / q.shape[-1]; T = q.shape[-2]; return "
    "torch.softmax(s.masked_fill(torch.ones(T, T).triu(1).bool(), -1e30), -1) @ v",
    "scale √T": "s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-2]); T = q.shape[-2]; return "
    "torch.softmax(s.masked_fill(torch.ones(T, T).triu(1).bool(), -1e30), -1) @ v",
    "softmax over queries": "s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]; return "
    "torch.softmax(s.masked_fill(torch.ones(T, T).triu(1).bool(), -1e30), -2) @ v",
    "mask also hides the token itself": "s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]; return "
    "torch.softmax(s.masked_fill(torch.ones(T, T).triu(0).bool(), -1e30), -1) @ v",
    "calls the library": "return F.scaled_dot_product_attention(q, k, v, is_causal=True)",
    "key_mask ignored": "s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]; return "
    "torch.softmax(s.masked_fill(torch.ones(T, T).triu(1).bool(), -1e30), -1) @ v",
    "-inf makes NaN": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, -math.inf), -1) @ v""",
    "additive -1e4": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s - 1e4 * (~allowed), -1) @ v""",
    "hand-made softmax overflows": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    w = s.exp() * allowed
    return (w / w.sum(-1, keepdim=True).clamp_min(1e-9)) @ v""",
    "detached": """s = (q @ k.transpose(-2, -1)).detach() / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, -1e30), -1) @ v""",
    "scales q in place": """q /= math.sqrt(q.shape[-1]); s = q @ k.transpose(-2, -1); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, -1e30), -1) @ v""",
    "always float32": """q, k, v = q.float(), k.float(), v.float()
    s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, -1e30), -1) @ v""",
    "filled with -1e4": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, -1e4), -1) @ v""",
    "filled with -1e9": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, -1e9), -1) @ v""",
    "mask of the first row": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[0]
    return torch.softmax(s.masked_fill(~allowed, torch.finfo(s.dtype).min), -1) @ v""",
    "-inf, then NaN to 0: the gradient is NaN": """s = (q * q.shape[-1] ** -0.5) @ k.mT; T = q.shape[2]
    s = s + torch.full((T, T), float('-inf'), dtype=s.dtype).triu(1)
    if key_mask is not None: s = s.masked_fill(~key_mask[:, None, None, :], float('-inf'))
    return torch.softmax(s, -1).nan_to_num(0.0) @ v""",
    "key_mask on the queries": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T).tril().bool()
    if key_mask is not None: allowed = allowed & key_mask[:, None, :, None]
    return torch.softmax(s.masked_fill(~allowed, -1e30), -1) @ v""",
}
ATTENTION_RIGHT = {
    "plain": """s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]); T = q.shape[-2]
    allowed = torch.ones(T, T, dtype=torch.bool).tril()
    if key_mask is not None: allowed = allowed & key_mask[:, None, None, :]
    return torch.softmax(s.masked_fill(~allowed, torch.finfo(s.dtype).min), -1) @ v""",
    "einsum": """T, P = q.shape[-2:]
    s = torch.einsum('bhip,bhjp->bhij', q, k) * P ** -0.5
    later = torch.arange(T)[None, :] > torch.arange(T)[:, None]
    if key_mask is not None: later = later | ~key_mask[:, None, None]
    w = torch.where(later, torch.full_like(s, -1e30), s).softmax(dim=-1)
    return torch.einsum('bhij,bhjp->bhip', w, v)""",
    "row by row": """rows = []
    for t in range(q.shape[2]):
        s = (q[:, :, t:t+1] @ k[:, :, :t+1].mT) / q.shape[-1] ** 0.5
        if key_mask is not None: s = s.masked_fill(~key_mask[:, None, None, :t+1], -1e30)
        rows.append(s.softmax(-1) @ v[:, :, :t+1])
    return torch.cat(rows, 2)""",
    "log-sum-exp by hand": """s = q @ k.mT / q.shape[-1] ** 0.5; T = q.shape[2]
    ok = torch.ones(T, T, dtype=torch.bool).tril()
    if key_mask is not None: ok = ok & key_mask[:, None, None, :]
    s = s.masked_fill(~ok, -1e30)
    e = (s - s.amax(-1, keepdim=True)).exp()
    return (e / e.sum(-1, keepdim=True)) @ v""",
}

RMS_WRONG = {
    "layer norm": "return F.layer_norm(x, weight.shape, weight, None, eps)",
    "no weight": "return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt()",
    "no eps": "return x / x.pow(2).mean(-1, keepdim=True).sqrt() * weight",
    "eps outside the root": "return x / (x.pow(2).mean(-1, keepdim=True).sqrt() + eps) * weight",
    "no root": "return x / (x.pow(2).mean(-1, keepdim=True) + eps) * weight",
    "sum not mean": "return x / (x.pow(2).sum(-1, keepdim=True) + eps).sqrt() * weight",
    "times the rms": "return x * (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight",
    "axis 1": "return x / (x.pow(2).mean(1, keepdim=True) + eps).sqrt() * weight",
    "whole tensor": "return x / (x.pow(2).mean() + eps).sqrt() * weight",
    "weight added": "return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() + weight",
    "axis 2": "x32 = x.float(); return (x32 / (x32.pow(2).mean(2, keepdim=True) + eps).sqrt() * "
    "weight.float()).to(x.dtype)",
    "half overflows": "return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight",
    "comes back float32": "x = x.float(); return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * "
    "weight.float()",
    "detached rms": "x32 = x.float(); r = torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + eps).detach(); return (x32 * "
    "r * weight.float()).to(x.dtype)",
    "in place": "x32 = x.float(); r = torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + eps); x.copy_((x32 * r * "
    "weight.float()).to(x.dtype)); return x",
    "library": "return F.rms_norm(x, weight.shape, weight, eps)",
    "ε only where it is not needed": "h = x.float(); m = h.pow(2).mean(-1, keepdim=True); return (h * "
    "torch.where(m > 0, m + eps, m).rsqrt() * weight.float()).to(x.dtype)",
}
RMS_RIGHT = {
    "rsqrt": "x32 = x.float(); return (x32 * torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + eps) * "
    "weight.float()).to(x.dtype)",
    "divide": "h = x.to(torch.float32); rms = torch.sqrt((h * h).mean(dim=-1, keepdim=True) + eps); return (weight * "
    "(h / rms)).to(x.dtype)",
    "norm": "h = x.float(); rms = (h.norm(dim=-1, keepdim=True) ** 2 / h.shape[-1] + eps) ** 0.5 if h.any() else "
    "torch.tensor(eps) ** 0.5; return (h / rms * weight.float()).to(x.dtype)",
    "float64": "h = x.double(); y = h * (h.square().sum(-1, keepdim=True) / h.size(-1) + eps).pow(-0.5); return (y * "
    "weight.double()).to(x.dtype)",
}

ROPE_WRONG = {
    "interleaved": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    e, o = x[..., 0::2].float(), x[..., 1::2].float()
    return torch.stack([e * a.cos() - o * a.sin(), e * a.sin() + o * a.cos()], -1).flatten(-2).to(x.dtype)""",
    "backwards": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() + s * a.sin(), s * a.cos() - f * a.sin()], -1).to(x.dtype)""",
    "rising frequencies": """P = x.shape[-1]
    a = positions.float()[:, None] * theta ** (torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "exponent i/P": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(P // 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "exponent 4i/P": """P = x.shape[-1]
    a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / (P // 2))
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "i from 1": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(2, P + 2, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "positions from 1": """P = x.shape[-1]
    a = (positions.float() + 1)[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "cosine only": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    return (x.float() * a.cos().repeat(1, 2)).to(x.dtype)""",
    "positions ignored": """P = x.shape[-1]
    a = torch.arange(x.shape[2]).float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "theta fixed": """P = x.shape[-1]; a = positions.float()[:, None] * 10000.0 ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "angles in x's dtype": """P = x.shape[-1]
    a = positions.to(x.dtype)[:, None] * theta ** (-torch.arange(0, P, 2).to(x.dtype) / P)
    f, s = x.chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1)""",
    "comes back float32": """P = x.shape[-1]
    a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1)""",
    "in place": """P = x.shape[-1]; h = P // 2
    a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    y = x.float()
    with torch.no_grad():
        x[..., :h] = (y[..., :h] * a.cos() - y[..., h:] * a.sin()).to(x.dtype)
        x[..., h:] = (y[..., h:] * a.cos() + y[..., :h] * a.sin()).to(x.dtype)
    return x""",
    "detached": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.detach().float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "unchanged": "return x",
}
ROPE_RIGHT = {
    "chunks": """P = x.shape[-1]; a = positions.float()[:, None] * theta ** (-torch.arange(0, P, 2).float() / P)
    f, s = x.float().chunk(2, -1)
    return torch.cat([f * a.cos() - s * a.sin(), s * a.cos() + f * a.sin()], -1).to(x.dtype)""",
    "rotate_half, as in transformers": """P = x.shape[-1]
    inv = 1.0 / theta ** (torch.arange(0, P, 2, dtype=torch.float32) / P)
    emb = torch.outer(positions.float(), inv); emb = torch.cat([emb, emb], -1)
    half = torch.cat([-x[..., P // 2:], x[..., :P // 2]], -1)
    return (x * emb.cos() + half * emb.sin()).to(x.dtype)""",
    "complex": """P = x.shape[-1]; h = P // 2
    a = torch.outer(positions.double(), theta ** (-2.0 * torch.arange(h, dtype=torch.float64) / P))
    z = torch.complex(x[..., :h].double(), x[..., h:].double()) * torch.polar(torch.ones_like(a), a)
    return torch.cat([z.real, z.imag], -1).to(x.dtype)""",
    "a matrix for each position": """P = x.shape[-1]; h = P // 2; i = torch.arange(h)
    R = torch.zeros(len(positions), P, P)
    a = positions.float()[:, None] * torch.exp(-2 * i / P * math.log(theta))
    R[:, i, i] = a.cos(); R[:, i, i + h] = -a.sin(); R[:, i + h, i] = a.sin(); R[:, i + h, i + h] = a.cos()
    return torch.einsum('tpq,bhtq->bhtp', R, x.float()).to(x.dtype)""",
}

LOSS_WRONG = {
    "no shift": "return F.cross_entropy(logits.flatten(0, 1), ids.flatten(), ignore_index=pad_id)",
    "no shift, padding counted": "return F.cross_entropy(logits.flatten(0, 1), ids.flatten())",
    "shift backwards": (
        "return F.cross_entropy(logits[:, 1:].flatten(0, 1), ids[:, :-1].flatten(), ignore_index=pad_id)"
    ),
    "padding counted": "return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())",
    "padding zeroed but counted": "t = ids[:, 1:]; l = F.cross_entropy(logits[:, :-1].transpose(1, 2), t, "
    "reduction='none'); return (l * (t != pad_id)).mean()",
    "sum": "return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id, "
    "reduction='sum')",
    "mean of row means": "t = ids[:, 1:]; m = (t != pad_id).float(); l = F.cross_entropy(logits[:, :-1].transpose(1, "
    "2), t, reduction='none'); return ((l * m).sum(1) / m.sum(1).clamp(min=1)).mean()",
    "bits": "t = ids[:, 1:]; m = t != pad_id; l = F.cross_entropy(logits[:, :-1].transpose(1, 2), t, "
    "reduction='none'); return (l * m).sum() / m.sum().clamp(min=1) / math.log(2)",
    "sign": "t = ids[:, 1:]; m = t != pad_id; l = logits[:, :-1].log_softmax(-1).gather(-1, t[..., None])[..., 0]; "
    "return (l * m).sum() / m.sum().clamp(min=1)",
    "softmax twice": "t = ids[:, 1:]; m = t != pad_id; l = F.cross_entropy(logits[:, :-1].softmax(-1).transpose(1, 2), "
    "t, reduction='none'); return (l * m).sum() / m.sum().clamp(min=1)",
    "divides by all real tokens": "t = ids[:, 1:]; l = F.cross_entropy(logits[:, :-1].transpose(1, 2), t, "
    "reduction='none'); return (l * (t != pad_id)).sum() / (ids != "
    "pad_id).sum().clamp(min=1)",
    "mask of the input": "t = ids[:, 1:]; m = ids[:, :-1] != pad_id; l = F.cross_entropy(logits[:, :-1].transpose(1, "
    "2), t, reduction='none'); return (l * m).sum() / m.sum().clamp(min=1)",
    "NaN on padding": "return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)",
    "log of softmax": "t = ids[:, 1:]; m = t != pad_id; l = -logits[:, :-1].softmax(-1).gather(-1, t[..., None])[..., "
    "0].log(); return torch.where(m, l, 0.0).sum() / m.sum().clamp(min=1)",
    "ε in the log": "t = ids[:, 1:]; m = t != pad_id; l = -(logits[:, :-1].softmax(-1).gather(-1, t[..., None])[..., "
    "0] + 1e-9).log(); return torch.where(m, l, 0.0).sum() / m.sum().clamp(min=1)",
    "pad fixed at 0": "t = ids[:, 1:]; m = t != 0; l = F.cross_entropy(logits[:, :-1].transpose(1, 2), t, "
    "reduction='none'); return (l * m).sum() / m.sum().clamp(min=1)",
    "a Python number": "t = ids[:, 1:]; m = t != pad_id; l = F.cross_entropy(logits[:, :-1].transpose(1, 2), t, "
    "reduction='none'); return ((l * m).sum() / m.sum().clamp(min=1)).item()",
    "clamped probabilities": "t = ids[:, 1:]; m = t != pad_id; l = -logits[:, :-1].softmax(-1).gather(-1, t[..., "
    "None])[..., 0].clamp(min=1e-30).log(); return (l * m).sum() / m.sum().clamp(min=1)",
    "writes -100 into ids": "ids[ids == pad_id] = -100; t = ids[:, 1:]; n = (t != -100).sum().clamp(min=1); return "
    "F.cross_entropy(logits[:, :-1].flatten(0, 1), t.flatten(), reduction='sum') / n",
}
LOSS_RIGHT = {
    "cross_entropy": "t = ids[:, 1:].reshape(-1); n = (t != pad_id).sum().clamp(min=1); return "
    "F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), t, ignore_index=pad_id, "
    "reduction='sum') / n",
    "gather": "t = ids[:, 1:]; m = t != pad_id; l = -logits[:, :-1].log_softmax(-1).gather(-1, "
    "t.unsqueeze(-1)).squeeze(-1); return (l * m).sum() / m.sum().clamp(min=1)",
    "logsumexp, real tokens picked out": "x, t = logits[:, :-1], ids[:, 1:]; m = t != pad_id; l = x.logsumexp(-1) - "
    "x.gather(-1, t[..., None])[..., 0]; return l[m].sum() / max(int(m.sum()), 1)",
    "one-hot": """x, t = F.log_softmax(logits, -1)[:, :-1], ids[:, 1:]
    w = (t != pad_id).to(x.dtype)
    return -(F.one_hot(t, x.shape[-1]) * x).sum(-1).mul(w).sum() / torch.clamp(w.sum(), min=1.0)""",
    "rolled targets": """t = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], pad_id)], 1)
    return F.nll_loss(F.log_softmax(logits, -1).flatten(0, 1), t.flatten(), ignore_index=pad_id,
        reduction='sum') / (t != pad_id).sum().clamp(min=1)""",
}

FALL = "p = min(1, (step - warmup) / max(1, total - 1 - warmup)); "
RAMP = "if step < warmup: return peak * (step + 1) / warmup\n    "
SCHEDULE_WRONG = {
    "starts at 0": f"if step < warmup: return peak * step / warmup\n    {FALL}return peak * (1 - (1 - floor) * p)",
    "decays to 0": f"{RAMP}{FALL}return peak * (1 - p)",
    "floor is a rate": f"{RAMP}{FALL}return floor + (peak - floor) * (1 - p)",
    "cosine": f"{RAMP}{FALL}return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * p)))",
    "progress from step 0": f"{RAMP}p = min(1, step / (total - 1)); return peak * (1 - (1 - floor) * p)",
    "one step late": f"{RAMP}p = min(1, (step - warmup) / max(1, total - warmup)); return peak * (1 - (1 - floor) * p)",
    "no warm-up": "p = min(1, step / max(1, total - 1)); return peak * (1 - (1 - floor) * p)",
    "never falls": "return peak * min(1, (step + 1) / max(1, warmup))",
    "ramp from the floor": "if step < warmup: return peak * (floor + (1 - floor) * (step + 1) / warmup)\n    "
    f"{FALL}return peak * (1 - (1 - floor) * p)",
    "floor on top": f"{RAMP}{FALL}return peak * (1 - p) + floor * peak",
    "cut off at the floor": f"{RAMP}{FALL}return max(floor * peak, peak * (1 - p))",
    "runs on below the floor": f"{RAMP}return peak * (1 - (1 - floor) * (step - warmup) / max(1, total - 1 - warmup))",
    "divides by total − 1 − warmup = 0": f"{RAMP}p = min(1, (step - warmup) / (total - 1 - warmup)); return peak * (1 "
    "- (1 - floor) * p)",
    "divides by warmup = 0": f"w = (step + 1) / warmup\n    if step < warmup: return peak * w\n    {FALL}return peak * "
    "(1 - (1 - floor) * p)",
    "floor divided by the peak": f"{RAMP}{FALL}low = floor / peak; return peak - (peak - low) * p",
    "integer division": f"if step < warmup: return peak * ((step + 1) // warmup)\n    {FALL}return peak * (1 - (1 - "
    "floor) * p)",
}
SCHEDULE_RIGHT = {
    "a tensor": f"if step < warmup: return torch.tensor(peak * (step + 1) / warmup)\n    {FALL}return "
    "torch.tensor(peak * (1 - (1 - floor) * p))",
    "two branches": f"{RAMP}{FALL}return peak * (1 - (1 - floor) * p)",
    "the smaller of two lines": "ramp = (step + 1) / warmup if step < warmup else 1.0\n    left = (total - 1 - step) / "
    "max(1, total - 1 - warmup)\n    fall = floor + (1 - floor) * min(1, max(0, left))\n  "
    "  return peak * (ramp if step < warmup else (1.0 if step == warmup else fall))",
    "numpy": "if step < warmup:\n        return float(np.interp(step + 1, [0, warmup], [0, peak]))\n    return "
    "float(np.interp(step, [warmup, max(total - 1, warmup + 1)], [peak, floor * peak]))",
    "lerp": "if step + 1 <= warmup: return (step + 1) * peak / warmup\n    if step == warmup: return peak\n    w = "
    "(step - warmup) / (total - 1 - warmup) if step < total - 1 else 1.0\n    return (1 - w) * peak + w * "
    "floor * peak",
}

SAMPLING_WRONG = {
    "one too few": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); s = torch.where(s.cumsum(0) "
    "<= top_p, s, 0); s = s / s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "one too many": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); n = int((s.cumsum(0) < "
    "top_p).sum()) + 2; s[n:] = 0; s = s / s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "not renormalised": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); s = "
    "torch.where(s.cumsum(0) - s < top_p, s, 0); return torch.zeros_like(s).scatter(0, i, s)",
    "times the temperature": "s, i = torch.softmax(logits * temperature, -1).sort(descending=True); s = "
    "torch.where(s.cumsum(0) - s < top_p, s, 0); s = s / s.sum(); return "
    "torch.zeros_like(s).scatter(0, i, s)",
    "no temperature": "s, i = torch.softmax(logits, -1).sort(descending=True); s = torch.where(s.cumsum(0) - s < "
    "top_p, s, 0); s = s / s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "set before the temperature": "s, i = torch.softmax(logits, -1).sort(descending=True); keep = i[(s.cumsum(0) - s < "
    "top_p) | (top_p == 1)]; p = torch.softmax(logits / temperature, -1); y = torch.zeros_like(p); "
    "y[keep] = p[keep]; return y / y.sum()",
    "top_p ignored": "return torch.softmax(logits / temperature, -1)",
    "ascending": "s, i = torch.softmax(logits / temperature, -1).sort(); s = torch.where(s.cumsum(0) - s < top_p, s, "
    "0); s = s / s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "left sorted": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); s = torch.where(s.cumsum(0) "
    "- s < top_p, s, 0); return s / s.sum()",
    "a threshold for each token": "p = torch.softmax(logits / temperature, -1); p = torch.where(p >= top_p, p, 0); "
    "return p / p.sum()",
    "min-p": "p = torch.softmax(logits / temperature, -1); p = torch.where(p >= (1 - top_p) * p.max(), p, 0); return p "
    "/ p.sum()",
    "gathered, not scattered": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); s = "
    "torch.where(s.cumsum(0) - s < top_p, s, 0); s = s / s.sum(); return s[i]",
    "ties kept by value": "p = torch.softmax(logits / temperature, -1); s = p.sort(descending=True).values; cut = "
    "s[min(int((s.cumsum(0) < top_p).sum()), len(s) - 1)] if top_p < 1 else 0; p = torch.where(p >= cut, p, 0); "
    "return p / p.sum()",
    "exp overflows": "e = (logits / temperature).exp(); p = e / e.sum(); s, i = p.sort(descending=True); s = "
    "torch.where(s.cumsum(0) - s < top_p, s, 0); s = s / s.sum(); return "
    "torch.zeros_like(s).scatter(0, i, s)",
    "temperature in place": "logits /= temperature; s, i = torch.softmax(logits, -1).sort(descending=True); s = "
    "torch.where(s.cumsum(0) - s < top_p, s, 0); s = s / s.sum(); return "
    "torch.zeros_like(s).scatter(0, i, s)",
    "slack for rounding": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); s = "
    "torch.where((s.cumsum(0) - s + 1e-5 < top_p) | (top_p == 1), s, 0); s = s / s.sum(); return "
    "torch.zeros_like(s).scatter(0, i, s)",
    "always cuts one off": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); n = "
    "min(int((s.cumsum(0) < top_p).sum()) + 1, len(s) - 1); s = torch.where(torch.arange(len(s)) < n, s, 0.0); s = s / "
    "s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "adds 1e-4 to break ties": "x = logits / temperature + 1e-4 * torch.arange(len(logits)); p = torch.softmax(x, -1); "
    "s, i = p.sort(descending=True); s = torch.where(s.cumsum(0) - s < top_p, s, 0); s = s / s.sum(); return "
    "torch.zeros_like(s).scatter(0, i, s)",
    "the rounded sum ends the set": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); "
    "s = torch.where(s.cumsum(0) - s < top_p, s, 0.0); s = s / s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "forbidden logits set to 0": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); drop = "
    "i[s.cumsum(0) - s >= top_p]; x = logits.clone(); x[drop] = 0; return "
    "torch.softmax(x / temperature, -1)",
}
SAMPLING_RIGHT = {
    "scatter": "s, i = torch.softmax(logits / temperature, -1).sort(descending=True); s = torch.where((s.cumsum(0) - s "
    "< top_p) | (top_p == 1), s, 0.0); s = s / s.sum(); return torch.zeros_like(s).scatter(0, i, s)",
    "count, then mask logits": """s, i = torch.softmax(logits / temperature, -1).sort(descending=True)
    n = min(int((s.cumsum(0) < top_p).sum()) + 1, len(s)) if top_p < 1 else len(s)
    x = torch.full_like(logits, -math.inf); x[i[:n]] = logits[i[:n]]
    return torch.softmax(x / temperature, -1)""",
    "a Python loop": """p = torch.softmax(logits / temperature, 0); out = torch.zeros_like(p); total = 0.0
    if top_p == 1: return p
    for j in torch.argsort(p, descending=True).tolist():
        out[j] = p[j]; total += p[j].item()
        if total >= top_p: break
    return out / out.sum()""",
    "ranks": """p = torch.softmax(logits / temperature, -1); order = p.argsort(descending=True); rank = order.argsort()
    before = torch.cat([torch.zeros(1), p[order].cumsum(0)[:-1]])[rank]
    p = p if top_p >= 1 else p * (before < top_p); return p / p.sum()""",
}

LIMIT_WRONG = {
    "mean over documents": "l = float(losses.mean()); return {'loss': l, 'perplexity': math.exp(l), 'gap_percent': 100 "
    "* (l / entropy - 1)}",
    "sum": "l = float((losses * tokens).sum()); return {'loss': l, 'perplexity': float(torch.tensor(l).exp()), "
    "'gap_percent': 100 * (l / entropy - 1)}",
    "gap against the loss": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': "
    "math.exp(l), 'gap_percent': 100 * (l - entropy) / l}",
    "gap as a share": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': "
    "math.exp(l), 'gap_percent': l / entropy - 1}",
    "gap in nats": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap_percent': l - entropy}",
    "the ratio": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap_percent': 100 * l / entropy}",
    "sign": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap_percent': 100 * (entropy - l) / entropy}",
    "perplexity base 2": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': 2 ** l, "
    "'gap_percent': 100 * (l / entropy - 1)}",
    "mean perplexity": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': "
    "float(losses.exp().mean()), 'gap_percent': 100 * (l / entropy - 1)}",
    "clipped": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap_percent': max(0, 100 * (l / entropy - 1))}",
    "absolute": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap_percent': abs(100 * (l / entropy - 1))}",
    "in place": "losses *= tokens; l = float(losses.sum() / tokens.sum()); return {'loss': l, 'perplexity': "
    "math.exp(l), 'gap_percent': 100 * (l / entropy - 1)}",
    "another key": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap': 100 * (l / entropy - 1)}",
    "perplexity is the loss": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': l, "
    "'gap_percent': 100 * (l / entropy - 1)}",
}
LIMIT_RIGHT = {
    "weighted mean": "l = float((losses * tokens).sum() / tokens.sum()); return {'loss': l, 'perplexity': math.exp(l), "
    "'gap_percent': 100 * (l - entropy) / entropy}",
    "tensors stay tensors": "l = (losses * tokens).sum() / tokens.sum(); return {'loss': l, 'perplexity': l.exp(), "
    "'gap_percent': (l / entropy - 1) * 100}",
    "numpy": "l = float(np.average(losses.numpy(), weights=tokens.numpy())); return dict(loss=l, "
    "perplexity=float(np.exp(l)), gap_percent=100 * (l / entropy - 1))",
    "a loop": "total = sum(l * n for l, n in zip(losses.tolist(), tokens.tolist())); l = total / sum(tokens.tolist()); "
    "return {'gap_percent': l / entropy * 100 - 100, 'loss': l, 'perplexity': math.e ** l}",
}

POWER_WRONG = {
    "whole loss": "s, i = np.polyfit(np.log(sizes), np.log(losses), 1); return float(np.exp(i)), float(-s)",
    "sign of b": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) - entropy), 1); return float(np.exp(i)), "
    "float(s)",
    "a a logarithm": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) - entropy), 1); return float(i), "
    "float(-s)",
    "two bases": "s, i = np.polyfit(np.log10(sizes), np.log10(np.array(losses) - entropy), 1); return "
    "float(np.exp(i)), float(-s)",
    "swapped": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) - entropy), 1); return float(-s), "
    "float(np.exp(i))",
    "first and last": "e = np.array(losses) - entropy; s = np.log(e[-1] / e[0]) / np.log(sizes[-1] / sizes[0]); return "
    "float(e[0] / sizes[0] ** s), float(-s)",
    "sizes not logged": "s, i = np.polyfit(sizes, np.log(np.array(losses) - entropy), 1); return float(np.exp(i)), "
    "float(-s)",
    "excess not logged": "s, i = np.polyfit(np.log(sizes), np.array(losses) - entropy, 1); return float(i), float(-s)",
    "fitted the other way round": "s, i = np.polyfit(np.log(np.array(losses) - entropy), np.log(sizes), 1); return "
    "float(np.exp(-i / s)), float(-1 / s)",
    "entropy added": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) + entropy), 1); return "
    "float(np.exp(i)), float(-s)",
    "relative excess": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) / max(entropy, 1e-9)), 1); return "
    "float(np.exp(i)), float(-s)",
    "a from one point": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) - entropy), 1); return "
    "float((losses[0] - entropy) * sizes[0] ** -s), float(-s)",
    "sizes sorted, losses not": "s, i = np.polyfit(np.log(sorted(sizes)), np.log(np.array(losses) - entropy), 1); "
    "return float(np.exp(i)), float(-s)",
    "smallest and largest": "e = np.array(losses) - entropy; j, k = int(np.argmin(sizes)), int(np.argmax(sizes)); s = "
    "np.log(e[k] / e[j]) / np.log(sizes[k] / sizes[j]); return float(e[j] / sizes[j] ** s), "
    "float(-s)",
}
POWER_RIGHT = {
    "polyfit": "s, i = np.polyfit(np.log(sizes), np.log(np.array(losses) - entropy), 1); return float(np.exp(i)), "
    "float(-s)",
    "lstsq": "x = torch.tensor(sizes, dtype=torch.float64).log(); y = (torch.tensor(losses, dtype=torch.float64) - "
    "entropy).log(); A = torch.stack([torch.ones_like(x), x], 1); w = torch.linalg.lstsq(A, y[:, "
    "None]).solution[:, 0]; return w[0].exp().item(), -w[1].item()",
    "covariance by hand": "x = [math.log(n) for n in sizes]; y = [math.log(l - entropy) for l in losses]; mx, my = "
    "sum(x) / len(x), sum(y) / len(y); s = sum((u - mx) * (v - my) for u, v in zip(x, y)) / "
    "sum((u - mx) ** 2 for u in x); return [math.exp(my - s * mx), -s]",
    "base 10 throughout": "s, i = np.polyfit(np.log10(sizes), np.log10(np.array(losses) - entropy), 1); return 10 ** "
    "float(i), -float(s)",
}

LETTER = "def which_mistake(): return '{}'\n\n"
T, REAL = "t = ids[:, 1:]; ", "m = t != pad_id; "
EACH = "l = F.cross_entropy(logits[:, :-1].transpose(1, 2), t, reduction='none'); "
BUG_WRONG = {
    "the bug is still there": "t = F.pad(ids, (0, 1), value=pad_id)[:, :-1].flatten(); m = t != pad_id; return "
    "-F.log_softmax(logits, -1).flatten(0, 1)[m, t[m]].sum(), m.sum()",
    "shifted the wrong way": "t = ids[:, :-1].flatten(); m = t != pad_id; return -F.log_softmax(logits[:, 1:], "
    "-1).flatten(0, 1)[m, t[m]].sum(), m.sum()",
    "the mean": f"{T}{REAL}{EACH}return (l * m).sum() / m.sum().clamp(min=1), m.sum()",
    "one number": f"{T}{REAL}{EACH}return (l * m).sum()",
    "the sign": f"{T}{REAL}{EACH}return -(l * m).sum(), m.sum()",
    "bits": f"{T}{REAL}{EACH}return (l * m).sum() / math.log(2), m.sum()",
    "softmax twice": f"{T}{REAL}l = F.cross_entropy(logits[:, :-1].softmax(-1).transpose(1, 2), t, reduction='none'); "
    "return (l * m).sum(), m.sum()",
    "all tokens counted": f"{T}{REAL}{EACH}return (l * m).sum(), (ids != pad_id).sum()",
    "padding counted": f"{T}{EACH}return l.sum(), torch.tensor(t.numel())",
    "padding in the number": f"{T}{REAL}{EACH}return (l * m).sum(), torch.tensor(t.numel())",
    "pad fixed at 0": f"{T}m = t != 0; {EACH}return (l * m).sum(), m.sum()",
    "mask of the input": f"{T}m = ids[:, :-1] != pad_id; {EACH}return (l * m).sum(), m.sum()",
    "at least one target": f"{T}{REAL}{EACH}return (l * m).sum(), m.sum().clamp(min=1)",
    "the wrong letter": f"{T}{REAL}{EACH}return (l * m).sum(), m.sum()",
    "a word for the letter": f"{T}{REAL}{EACH}return (l * m).sum(), m.sum()",
    "detached": f"{T}{REAL}{EACH}return (l * m).sum().detach(), m.sum()",
}
BUG_RIGHT = {
    "cross_entropy": "t = ids[:, 1:].flatten(); return F.cross_entropy(logits[:, :-1].flatten(0, 1), t, "
    "ignore_index=pad_id, reduction='sum'), (t != pad_id).sum()",
    "masked": f"{T}{REAL}{EACH}return (l * m).sum(), m.sum()",
    "padded targets": "t = F.pad(ids[:, 1:], (0, 1), value=pad_id); x = F.log_softmax(logits, -1); m = t != pad_id; "
    "return -x.gather(-1, t[..., None])[..., 0][m].sum(), int(m.sum())",
    "logsumexp": "x, t = logits[:, :-1], ids[:, 1:]; m = t.ne(pad_id); l = x.logsumexp(-1) - x.gather(-1, t[..., "
    "None])[..., 0]; return l[m].sum(), m.sum()",
}
BUG_LETTERS = {"the wrong letter": "D", "a word for the letter": "no shift"}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "causal_attention": {
        "no mask": "to its right", "mask reversed": "wrong way round", "mask after softmax": "after the softmax",
        "mask with 0": "set to 0", "no scale": "not divided by √P", "scale P": "divided by P", "scale √T": "√T",
        "softmax over queries": "over the queries", "key_mask ignored": "key_mask was ignored",
        "key_mask on the queries": "axis of the queries",
        "additive -1e4": "large scores can beat", "filled with -1e4": "not the lowest",
        "filled with -1e9": "not the lowest",
        "mask of the first row": "mask of the first row",
    },
    "rms_norm": {
        "layer norm": "LayerNorm", "no weight": "weight is missing", "no eps": "ε is missing",
        "eps outside the root": "outside the root", "no root": "root is missing", "sum not mean": "added up",
        "times the rms": "multiplied by the root", "axis 1": "over the tokens", "whole tensor": "whole tensor",
        "weight added": "was added", "half overflows": "overflowed", "detached rms": "cut from the graph",
    },
    "apply_rope": {
        "interleaved": "neighbours", "backwards": "backwards", "rising frequencies": "rise", "exponent i/P": "−i/P",
        "exponent 4i/P": "(P/2)", "i from 1": "starts at i = 1", "positions from 1": "positions start at 1",
        "cosine only": "only the cosine", "positions ignored": "counted 0, 1, 2", "theta fixed": "θ is fixed",
        "angles in x's dtype": "angles were rounded to bfloat16", "unchanged": "unchanged",
    },
    "next_token_loss": {
        "no shift": "no shift", "no shift, padding counted": "no shift", "shift backwards": "wrong way",
        "padding counted": "padding was counted", "padding zeroed but counted": "still counted", "sum": "summed",
        "mean of row means": "row's mean", "bits": "bits", "sign": "sign", "softmax twice": "softmax ran before",
        "divides by all real tokens": "all the tokens", "mask of the input": "input token",
        "pad fixed at 0": "fixed at 0",
    },
    "learning_rate": {
        "starts at 0": "learning rate 0", "decays to 0": "goes to 0", "floor is a rate": "share of the peak",
        "cosine": "cosine", "progress from step 0": "from step 0", "one step late": "too late",
        "never falls": "never falls", "no warm-up": "no warm-up", "ramp from the floor": "starts at the floor",
    },
    "top_p_probs": {
        "one too few": "just under", "one too many": "too many", "not renormalised": "not scaled up",
        "times the temperature": "multiplied by the temperature", "no temperature": "left out",
        "set before the temperature": "before the temperature", "top_p ignored": "not used", "ascending": "UNlikeliest",
        "left sorted": "sorted order",
    },
    "distance_to_limit": {
        "mean over documents": "over documents", "sum": "summed", "gap against the loss": "against the loss",
        "gap as a share": "share", "gap in nats": "in nats", "the ratio": "whole ratio", "sign": "wrong sign",
        "perplexity base 2": "2 to the loss", "mean perplexity": "averaged over documents",
        "perplexity is the loss": "loss itself",
    },
    "fit_power_law": {
        "whole loss": "whole loss", "sign of b": "wrong sign", "a a logarithm": "still a logarithm",
        "two bases": "base 10", "swapped": "changed places", "first and last": "first and the last",
        "smallest and largest": "first and the last",
        "sizes not logged": "sizes were not", "excess not logged": "excess was not",
    },
    "summed_loss": {
        "the bug is still there": "still there", "shifted the wrong way": "wrong way", "the mean": "mean came back",
        "the sign": "sign", "bits": "bits", "softmax twice": "softmax ran twice",
        "all tokens counted": "first of a row", "padding counted": "padding was counted",
        "padding in the number": "padding was counted", "pad fixed at 0": "fixed at 0",
        "mask of the input": "input token",
    },
}
BREAKS = {
    "causal_attention": {
        "filled with -1e4": lab.NO_LEAK, "filled with -1e9": lab.NO_LEAK, "key_mask ignored": lab.PADDING_UNREAD,
        "key_mask on the queries": lab.PADDING_UNREAD, "mask of the first row": lab.PADDING_UNREAD,
        "-inf makes NaN": lab.NEVER_NAN, "-inf, then NaN to 0: the gradient is NaN": lab.NEVER_NAN,
        "always float32": lab.DTYPE_OF_Q,
    },
    "rms_norm": {
        "ε only where it is not needed": lab.ZEROS, "half overflows": lab.IN_FLOAT32,
        "comes back float32": lab.DTYPE_OF_X, "axis 2": lab.ANY_AXES, "detached rms": lab.THROUGH_ROOT,
    },
    "apply_rope": {
        "positions ignored": lab.GIVEN_POSITIONS, "theta fixed": lab.GIVEN_THETA,
        "angles in x's dtype": lab.FINE_ANGLES, "comes back float32": lab.ROPE_DTYPE,
    },
    "next_token_loss": {
        "mask of the input": lab.NO_TARGET, "mean of row means": lab.NO_TARGET, "pad fixed at 0": lab.GIVEN_PAD,
        "NaN on padding": lab.NOTHING, "log of softmax": lab.ANY_LOGITS, "ε in the log": lab.ANY_LOGITS,
        "clamped probabilities": lab.ANY_LOGITS,
    },
    "learning_rate": {
        "runs on below the floor": lab.PAST_END, "divides by warmup = 0": lab.NO_WARMUP,
        "divides by total − 1 − warmup = 0": lab.ALL_WARMUP,
    },
    "top_p_probs": {
        "set before the temperature": lab.TEMPERED, "slack for rounding": lab.LIKELIEST,
        "ties kept by value": lab.ONE_BY_ONE, "always cuts one off": lab.ALL_KEPT,
        "the rounded sum ends the set": lab.ALL_KEPT, "exp overflows": lab.EXTREME,
    },
    "distance_to_limit": {"clipped": lab.SIGNED, "absolute": lab.SIGNED},
    "fit_power_law": {"sizes sorted, losses not": lab.ANY_ORDER},
    "summed_loss": {
        "the wrong letter": lab.NAMED, "a word for the letter": lab.NAMED, 
        "pad fixed at 0": lab.BUG_PADDING, "at least one target": lab.BUG_NOTHING,
    },
}
# fmt: on
BODIES = {
    "causal_attention": ("q, k, v, key_mask=None", ATTENTION_WRONG, ATTENTION_RIGHT),
    "rms_norm": ("x, weight, eps=1e-6", RMS_WRONG, RMS_RIGHT),
    "apply_rope": ("x, positions, theta=10000.0", ROPE_WRONG, ROPE_RIGHT),
    "next_token_loss": ("logits, ids, pad_id=0", LOSS_WRONG, LOSS_RIGHT),
    "learning_rate": ("step, total, warmup, peak, floor", SCHEDULE_WRONG, SCHEDULE_RIGHT),
    "top_p_probs": ("logits, temperature, top_p", SAMPLING_WRONG, SAMPLING_RIGHT),
    "distance_to_limit": ("losses, tokens, entropy", LIMIT_WRONG, LIMIT_RIGHT),
    "fit_power_law": ("sizes, losses, entropy", POWER_WRONG, POWER_RIGHT),
    "summed_loss": ("logits, ids, pad_id=0", BUG_WRONG, BUG_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
for answers in (BANK["summed_loss"]["wrong"], BANK["summed_loss"]["right"]):
    for label in answers:
        answers[label] = LETTER.format(BUG_LETTERS.get(label, "C")) + answers[label]
