"""Lab 04: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab04_lora_and_qlora as lab

PRELUDE = "import math\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"

FORWARD_WRONG = {
    "no base": "return (x @ A.T @ B.T) * alpha / A.shape[0]",
    "base only": "return x @ weight.T",
    "no scaling": "return x @ weight.T + x @ A.T @ B.T",
    "alpha alone": "return x @ weight.T + alpha * (x @ A.T @ B.T)",
    "R over alpha": "return x @ weight.T + A.shape[0] / alpha * (x @ A.T @ B.T)",
    "one over R": "return x @ weight.T + (x @ A.T @ B.T) / A.shape[0]",
    "root of R": "return x @ weight.T + alpha / math.sqrt(A.shape[0]) * (x @ A.T @ B.T)",
    "width of x": "return x @ weight.T + alpha / A.shape[1] * (x @ A.T @ B.T)",
    "width of y": "return x @ weight.T + alpha / B.shape[0] * (x @ A.T @ B.T)",
    "both scaled": "return (x @ weight.T + x @ A.T @ B.T) * alpha / A.shape[0]",
    "minus": "return x @ weight.T - (x @ A.T @ B.T) * alpha / A.shape[0]",
    "detached": "return x @ weight.T + (x @ A.detach().T @ B.T) * alpha / A.shape[0]",
    "in place on x": "y = x @ weight.T + (x @ A.T @ B.T) * alpha / A.shape[0]; x.data.mul_(2); return y",
    "weight changed in place": "weight += (B @ A) * alpha / A.shape[0]; return x @ weight.T",
    "two axes only": "return torch.einsum('nd,fd->nf', x, weight) + torch.einsum('nd,rd,fr->nf', x, A, B) * alpha / "
    "A.shape[0]",
    "float32 always": "x, weight, A, B = x.float(), weight.float(), A.float(), B.float(); return x @ weight.T + (x @ "
    "A.T @ B.T) * alpha / A.shape[0]",
}
FORWARD_WRONG |= {
    "alpha // R": "return x @ weight.T + (x @ A.T) @ B.T * (alpha // A.shape[0])",
    "rank fixed at 3": "return x @ weight.T + (x @ A.T) @ B.T * (alpha / 3)",
    "base path without a gradient": "base = (x @ weight.T).detach(); return base + (x @ A.T) @ B.T * (alpha / "
    "A.shape[0])",
}
FORWARD_RIGHT = {
    "two thin products": "return x @ weight.T + (x @ A.T) @ B.T * (alpha / A.shape[0])",
    "F.linear": "return F.linear(x, weight) + F.linear(F.linear(x, A), B) * alpha / B.shape[1]",
    "one fat matrix": "return x @ (weight + (alpha / len(A)) * (B @ A)).T",
    "einsum": "s = alpha / A.size(0); return torch.einsum('...d,fd->...f', x, weight) + s * "
    "torch.einsum('...d,rd,fr->...f', x, A, B)",
    "scaled on the way": "h = (alpha / A.shape[0]) * (x @ A.mT); return torch.matmul(x, weight.t()).add(h @ B.mT)",
}

INIT_WRONG = {
    "swapped shapes": "lim = in_features ** -0.5; return torch.zeros(out_features, rank), (2 * torch.rand(rank, "
    "in_features, generator=generator) - 1) * lim",
    "transposed": "lim = in_features ** -0.5; return (2 * torch.rand(in_features, rank, generator=generator) - 1) * "
    "lim, torch.zeros(rank, out_features)",
    "B random, A zero": "return torch.zeros(rank, in_features), (2 * torch.rand(out_features, rank, "
    "generator=generator) - 1) / in_features ** 0.5",
    "both zero": "return torch.zeros(rank, in_features), torch.zeros(out_features, rank)",
    "both random": "lim = in_features ** -0.5; r = lambda *s: (2 * torch.rand(*s, generator=generator) - 1) * lim; "
    "return r(rank, in_features), r(out_features, rank)",
    "standard normal": "return torch.randn(rank, in_features, generator=generator), torch.zeros(out_features, rank)",
    "normal 1/√D": "return torch.randn(rank, in_features, generator=generator) / in_features ** 0.5, "
    "torch.zeros(out_features, rank)",
    "only positive": "return torch.rand(rank, in_features, generator=generator) / in_features ** 0.5, "
    "torch.zeros(out_features, rank)",
    "limit 1/√R": "return (2 * torch.rand(rank, in_features, generator=generator) - 1) / rank ** 0.5, "
    "torch.zeros(out_features, rank)",
    "limit 1/D": "return (2 * torch.rand(rank, in_features, generator=generator) - 1) / in_features, "
    "torch.zeros(out_features, rank)",
    "global random state": "return (2 * torch.rand(rank, in_features) - 1) / in_features ** 0.5, "
    "torch.zeros(out_features, rank)",
    "own seed": "g = torch.Generator().manual_seed(0); return (2 * torch.rand(rank, in_features, generator=g) - 1) / "
    "in_features ** 0.5, torch.zeros(out_features, rank)",
    "tiny B": "return (2 * torch.rand(rank, in_features, generator=generator) - 1) / in_features ** 0.5, "
    "torch.full((out_features, rank), 1e-4)",
    "float64": "return (2 * torch.rand(rank, in_features, generator=generator, dtype=torch.float64) - 1) / in_features "
    "** 0.5, torch.zeros(out_features, rank)",
    "kaiming without a": "A = torch.empty(rank, in_features); nn.init.kaiming_uniform_(A, generator=generator); return "
    "A, torch.zeros(out_features, rank)",
}
INIT_WRONG["clipped normal"] = (
    "lim = in_features ** -0.5; A = 0.6 * lim * torch.randn(rank, in_features, generator=generator); "
    "return A.clamp(-lim, lim), torch.zeros(out_features, rank)"
)
INIT_RIGHT = {
    "rand": "return (2 * torch.rand(rank, in_features, generator=generator) - 1) / math.sqrt(in_features), "
    "torch.zeros(out_features, rank)",
    "uniform_": "lim = in_features ** -0.5; A = torch.empty(rank, in_features).uniform_(-lim, lim, "
    "generator=generator); return A, torch.zeros((out_features, rank))",
    "kaiming, as PEFT": "A = torch.empty(rank, in_features); nn.init.kaiming_uniform_(A, a=math.sqrt(5), "
    "generator=generator); return A, torch.zeros(out_features, rank)",
    "B first": "B = torch.zeros(out_features, rank); A = torch.rand(rank, in_features, "
    "generator=generator).sub(0.5).mul(2 / in_features ** 0.5); return [A, B]",
}

GRADIENTS_WRONG = {
    "transposed": "s = alpha / A.shape[0]; return s * x.T @ (grad_y @ B), s * (x @ A.T).T @ grad_y",
    "dA and dB swapped": "s = alpha / A.shape[0]; return s * grad_y.T @ (x @ A.T), s * (grad_y @ B).T @ x",
    "no factor": "return (grad_y @ B).T @ x, grad_y.T @ (x @ A.T)",
    "factor alpha": "return alpha * (grad_y @ B).T @ x, alpha * grad_y.T @ (x @ A.T)",
    "factor twice": "s = (alpha / A.shape[0]) ** 2; return s * (grad_y @ B).T @ x, s * grad_y.T @ (x @ A.T)",
    "mean": "s = alpha / A.shape[0] / len(x); return s * (grad_y @ B).T @ x, s * grad_y.T @ (x @ A.T)",
    "mean, 0 rows kept": "s = alpha / A.shape[0] / max(1, len(x)); return s * (grad_y @ B).T @ x, s * grad_y.T @ (x @ "
    "A.T)",
    "sign": "s = -alpha / A.shape[0]; return s * (grad_y @ B).T @ x, s * grad_y.T @ (x @ A.T)",
    "A frozen": "s = alpha / A.shape[0]; return torch.zeros_like(A), s * grad_y.T @ (x @ A.T)",
    "B frozen": "s = alpha / A.shape[0]; return s * (grad_y @ B).T @ x, torch.zeros_like(B)",
    "autograd": "A = A.clone().requires_grad_(); B = B.clone().requires_grad_(); y = (x @ A.T @ B.T) * alpha / "
    "A.shape[0]; return torch.autograd.grad(y, [A, B], grad_y)",
    "backward": "A = A.clone().requires_grad_(); B = B.clone().requires_grad_(); y = (x @ A.T @ B.T) * alpha / "
    "A.shape[0]; (y * grad_y).sum().backward(); return A.grad, B.grad",
    "in place": "s = alpha / A.shape[0]; grad_y *= s; return (grad_y @ B).T @ x, grad_y.T @ (x @ A.T)",
    "through the activations of B": (
        "s = alpha / A.shape[0]; return s * (grad_y @ B).T @ x, s * grad_y.T @ (grad_y @ B)"
    ),
}
GRADIENTS_RIGHT = {
    "products": "s = alpha / A.shape[0]; return s * (grad_y @ B).T @ x, s * grad_y.T @ (x @ A.T)",
    "einsum": "s = alpha / len(A); return s * torch.einsum('nf,fr,nd->rd', grad_y, B, x), s * "
    "torch.einsum('nf,nd,rd->fr', grad_y, x, A)",
    "through dW": "dW = grad_y.T @ x; s = alpha / A.size(0); return s * (B.T @ dW), s * (dW @ A.T)",
    "row by row": "s = alpha / A.shape[0]\n    dA, dB = torch.zeros_like(A), torch.zeros_like(B)\n    for xi, g in "
    "zip(x, grad_y):\n        dA += s * torch.outer(B.T @ g, xi); dB += s * torch.outer(g, A @ xi)\n    "
    "return dA, dB",
}

MERGE_WRONG = {
    "no scaling": "return weight - B @ A if undo else weight + B @ A",
    "alpha alone": "return weight + (-alpha if undo else alpha) * (B @ A)",
    "R over alpha": "s = A.shape[0] / alpha; return weight + (-s if undo else s) * (B @ A)",
    "by the rows of B": "s = alpha / B.shape[0]; return weight + (-s if undo else s) * (B @ A)",
    "both scaled": "s = alpha / A.shape[0]; return (weight - B @ A) * s if undo else (weight + B @ A) * s",
    "always minus": "return weight - alpha / A.shape[0] * (B @ A)",
    "undo ignored": "return weight + alpha / A.shape[0] * (B @ A)",
    "undo does nothing": "return weight if undo else weight + alpha / A.shape[0] * (B @ A)",
    "delta alone": "s = alpha / A.shape[0]; return (-s if undo else s) * (B @ A)",
    "unchanged": "return weight",
    "in place": "s = alpha / A.shape[0]; weight += (-s if undo else s) * (B @ A); return weight",
    "undo without scaling": "return weight - B @ A if undo else weight + alpha / A.shape[0] * (B @ A)",
    "undo divides": "s = alpha / A.shape[0]; return weight / (1 + s) if undo else weight + s * (B @ A)",
    "rank fixed": "return weight + (-1 if undo else 1) * alpha / 3 * (B @ A)",
    "float32": "s = alpha / A.shape[0]; return weight.float() + (-s if undo else s) * (B.float() @ A.float())",
}
MERGE_WRONG["alpha // R"] = "s = alpha // A.shape[0]; return weight + (-s if undo else s) * (B @ A)"
MERGE_RIGHT = {
    "sum": "s = alpha / A.shape[0]; return weight - s * (B @ A) if undo else weight + s * (B @ A)",
    "sign": "return weight + (1 - 2 * undo) * (alpha / B.shape[1]) * torch.matmul(B, A)",
    "addmm": "return torch.addmm(weight, B, A, alpha=(-1 if undo else 1) * alpha / len(A))",
    "outer products": "s = alpha / len(A) * (-1 if undo else 1)\n    out = weight.clone()\n    for r in range(len(A)): "
    "out = out + s * torch.outer(B[:, r], A[r])\n    return out",
}

COUNT_WRONG = {
    "the layers' own": "return sum(a * b for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "A only": "return sum(rank * b for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "B only": "return sum(rank * a for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "every layer": "return sum(rank * (a + b) for a, b in shapes.values())",
    "the others": "return sum(rank * (a + b) for n, (a, b) in shapes.items() if n.split('.')[-1] not in targets)",
    "one of each name": "kept = {n.split('.')[-1]: s for n, s in shapes.items()}; return sum(rank * (a + b) for n, (a, "
    "b) in kept.items() if n in targets)",
    "no rank": "return sum(a + b for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "fat": "return sum(rank * a * b for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "rank squared": "return sum(rank * rank * (a + b) for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "square layers": "return sum(2 * rank * a for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "square layers, input": "return sum(2 * rank * b for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "contains": "return sum(rank * (a + b) for n, (a, b) in shapes.items() if any(t in n for t in targets))",
    "ends with": "return sum(rank * (a + b) for n, (a, b) in shapes.items() if n.endswith(tuple(targets)))",
    "needs a dot": "return sum(rank * (a + b) for n, (a, b) in shapes.items() if n.endswith(tuple('.' + t for t in "
    "targets)))",
    "loops over targets": "return sum(rank * (a + b) for t in targets for n, (a, b) in shapes.items() if "
    "n.split('.')[-1] == t)",
    "float": "return sum(rank * (a + b) / 1 for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
}
COUNT_RIGHT = {
    "sum": "return sum(rank * (a + b) for n, (a, b) in shapes.items() if n.split('.')[-1] in targets)",
    "loop": "total = 0\n    for name, shape in shapes.items():\n        if name.rpartition('.')[2] in set(targets): "
    "total += rank * sum(shape)\n    return total",
    "exact or with a dot": "own = lambda n: any(n == t or n.endswith('.' + t) for t in targets); return rank * "
    "sum(s[0] + s[1] for n, s in shapes.items() if own(n))",
    "A and B apart": "chosen = [s for n, s in shapes.items() if n.split('.')[-1] in targets]; return sum(rank * i for "
    "o, i in chosen) + sum(o * rank for o, i in chosen)",
}

MEMORY_WRONG = {
    "states for all": "w = frozen * frozen_bits / 8 + 4 * trained; n = frozen + trained; return {'weights': w, "
    "'gradients': 4 * n, 'optimizer': 8 * n, 'total': w + 12 * n}",
    "one state": "w = frozen * frozen_bits / 8 + 4 * trained; return {'weights': w, 'gradients': 4 * trained, "
    "'optimizer': 4 * trained, 'total': w + 8 * trained}",
    "adapter not a weight": "w = frozen * frozen_bits / 8; return {'weights': w, 'gradients': 4 * trained, "
    "'optimizer': 8 * trained, 'total': w + 12 * trained}",
    "adapter in frozen_bits": "w = (frozen + trained) * frozen_bits / 8; return {'weights': w, 'gradients': 4 * "
    "trained, 'optimizer': 8 * trained, 'total': w + 12 * trained}",
    "bits as bytes": "w = frozen * frozen_bits + 4 * trained; return {'weights': w, 'gradients': 4 * trained, "
    "'optimizer': 8 * trained, 'total': w + 12 * trained}",
    "float32 base": "w = 4 * (frozen + trained); return {'weights': w, 'gradients': 4 * trained, 'optimizer': 8 * "
    "trained, 'total': w + 12 * trained}",
    "in bits": "w = frozen * frozen_bits + 32 * trained; return {'weights': w, 'gradients': 32 * trained, 'optimizer': "
    "64 * trained, 'total': w + 96 * trained}",
    "total without gradients": "w = frozen * frozen_bits / 8 + 4 * trained; return {'weights': w, 'gradients': 4 * "
    "trained, 'optimizer': 8 * trained, 'total': w + 8 * trained}",
    "16-bit gradients": "w = frozen * frozen_bits / 8 + 4 * trained; return {'weights': w, 'gradients': trained * "
    "frozen_bits / 8, 'optimizer': 8 * trained, 'total': w + (8 + frozen_bits / 8) * trained}",
    "whole bits": "w = frozen * int(frozen_bits) / 8 + 4 * trained; return {'weights': w, 'gradients': 4 * trained, "
    "'optimizer': 8 * trained, 'total': w + 12 * trained}",
    "whole bytes": "w = frozen * math.ceil(frozen_bits / 8) + 4 * trained; return {'weights': w, 'gradients': 4 * "
    "trained, 'optimizer': 8 * trained, 'total': w + 12 * trained}",
    "no total": "return {'weights': frozen * frozen_bits / 8 + 4 * trained, 'gradients': 4 * trained, 'optimizer': 8 * "
    "trained}",
    "other key": "w = frozen * frozen_bits / 8 + 4 * trained; return {'weights': w, 'grads': 4 * trained, 'optimizer': "
    "8 * trained, 'total': w + 12 * trained}",
    "gigabytes": "w = frozen * frozen_bits / 8 + 4 * trained; return {k: v / 1e9 for k, v in {'weights': w, "
    "'gradients': 4 * trained, 'optimizer': 8 * trained, 'total': w + 12 * trained}.items()}",
}
MEMORY_RIGHT = {
    "plain": "w = frozen * frozen_bits / 8 + 4 * trained; return {'weights': w, 'gradients': 4 * trained, 'optimizer': "
    "8 * trained, 'total': w + 12 * trained}",
    "summed": "parts = {'weights': frozen_bits / 8 * frozen + trained * 4, 'gradients': trained * 4, 'optimizer': 2 * "
    "4 * trained}; return {**parts, 'total': sum(parts.values())}",
    "from bits": "b = 32; bits = {'weights': frozen * frozen_bits + trained * b, 'gradients': trained * b, "
    "'optimizer': 2 * trained * b}; d = {k: v / 8 for k, v in bits.items()}; d['total'] = "
    "sum(d.values()); return d",
}

QUANTIZE_CORE = (
    "rows = x.reshape(-1, block); absmax = rows.abs().amax(1); scaled = rows / absmax.clamp(min=1e-38)[:, None]"
)
QUANTIZE_WRONG = {
    "max, not absmax": "rows = x.reshape(-1, block); absmax = rows.amax(1); c = (rows / absmax.clamp(min=1e-38)[:, "
    "None]).unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten().to(torch.uint8), absmax",
    "one absmax": "rows = x.reshape(-1, block); absmax = x.abs().max().expand(len(rows)).clone(); c = (rows / "
    "absmax[:, None]).unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten().to(torch.uint8), "
    "absmax",
    "mean": "rows = x.reshape(-1, block); absmax = rows.abs().mean(1); c = (rows / absmax.clamp(min=1e-38)[:, "
    "None]).unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten().to(torch.uint8), absmax",
    "std": "rows = x.reshape(-1, block); absmax = rows.std(1); c = (rows / absmax.clamp(min=1e-38)[:, "
    "None]).unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten().to(torch.uint8), absmax",
    "blocks across": "rows = x.reshape(block, -1).T; absmax = rows.abs().amax(1); c = (rows / "
    "absmax.clamp(min=1e-38)[:, None]).unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "one over absmax": f"{QUANTIZE_CORE}; c = scaled.unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), 1 / absmax",
    "range": "rows = x.reshape(-1, block); absmax = rows.amax(1) - rows.amin(1); c = (rows / "
    "absmax.clamp(min=1e-38)[:, None]).unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "not scaled": f"{QUANTIZE_CORE}; c = rows.unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "scaled by the whole": f"{QUANTIZE_CORE}; c = (x / x.abs().max()).unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "code below": f"{QUANTIZE_CORE}; c = (torch.bucketize(scaled, code, right=True) - 1).clamp(0); return "
    "c.flatten().to(torch.uint8), absmax",
    "code above": f"{QUANTIZE_CORE}; c = torch.bucketize(scaled, code); return c.flatten().to(torch.uint8), absmax",
    "farthest": f"{QUANTIZE_CORE}; c = scaled.unsqueeze(-1).sub(code).abs().argmax(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "16 equal steps": f"{QUANTIZE_CORE}; c = torch.round((scaled + 1) * 7.5); return c.flatten().to(torch.uint8), "
    "absmax",
    "signs lost": f"{QUANTIZE_CORE}; c = scaled.abs().unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "no clamp": "rows = x.reshape(-1, block); absmax = rows.abs().amax(1); c = (rows / absmax[:, "
    "None]).unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten().to(torch.uint8), absmax",
    "clamped absmax comes back": "rows = x.reshape(-1, block); absmax = rows.abs().amax(1).clamp(min=1e-2); c = (rows "
    "/ absmax[:, None]).unsqueeze(-1).sub(code).abs().argmin(-1); return "
    "c.flatten().to(torch.uint8), absmax",
    "int64": f"{QUANTIZE_CORE}; c = scaled.unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten(), absmax",
    "stays in rows": f"{QUANTIZE_CORE}; c = scaled.unsqueeze(-1).sub(code).abs().argmin(-1); return c.to(torch.uint8), "
    "absmax",
    "values, not codes": f"{QUANTIZE_CORE}; c = code[scaled.unsqueeze(-1).sub(code).abs().argmin(-1)]; return "
    "c.flatten(), absmax",
    "scales x in place": f"{QUANTIZE_CORE}; x.copy_(scaled.flatten()); c = x.unsqueeze(-1).sub(code).abs().argmin(-1); "
    "return c.to(torch.uint8), absmax",
}
NF4_FIXED = f"code = torch.tensor({list(lab.NF4)}); "
QUANTIZE_WRONG |= {
    "1e-38 for the absmax of zeros": "rows = x.reshape(-1, block); absmax = rows.abs().amax(1).clamp(min=1e-38); c = "
    "(rows / absmax[:, None]).unsqueeze(-1).sub(code).abs().argmin(-1); return c.flatten().to(torch.uint8), absmax",
    "NF4 whatever is passed in": f"{NF4_FIXED}{QUANTIZE_CORE}; c = scaled.unsqueeze(-1).sub(code).abs().argmin(-1); "
    "return c.flatten().to(torch.uint8), absmax",
}
QUANTIZE_WRONG["stops at no weights"] = """codes, absmax = [], []
    for k in range(0, len(x), block):
        part = x[k:k + block]; m = part.abs().max(); absmax.append(m)
        codes.append((part[:, None] / m.clamp(min=1e-38) - code).abs().argmin(1))
    return torch.cat(codes).to(torch.uint8), torch.stack(absmax)"""
QUANTIZE_RIGHT = {
    "distances": f"{QUANTIZE_CORE}; return (scaled[..., None] - code).abs().argmin(-1).flatten().to(torch.uint8), "
    "absmax",
    "middles": f"{QUANTIZE_CORE}; return torch.bucketize(scaled, (code[1:] + code[:-1]) / "
    "2).flatten().to(torch.uint8), absmax",
    "searchsorted, then which side": f"""{QUANTIZE_CORE}
    up = torch.searchsorted(code, scaled.flatten().contiguous()).clamp(1, len(code) - 1)
    low = (scaled.flatten() - code[up - 1]).abs() <= (code[up] - scaled.flatten()).abs()
    return torch.where(low, up - 1, up).to(torch.uint8), absmax""",
    "counting": f"{QUANTIZE_CORE}; mid = (code[1:] + code[:-1]) / 2; return (scaled.flatten()[:, None] > "
    "mid).sum(1).to(torch.uint8), absmax",
    "block by block": """codes, maxima = [], []
    for part in x.split(block) if len(x) else []:
        m = part.abs().max(); maxima.append(m)
        s = part / m if m > 0 else part
        codes.append(torch.stack([(s_ - code).abs().argmin() for s_ in s]))
    if not codes: return torch.zeros(0, dtype=torch.uint8), torch.zeros(0)
    return torch.cat(codes).to(torch.uint8), torch.stack(maxima)""",
}

UNPACK = "high, low = (packed >> 4).long(), (packed & 15).long()"
DEQUANTIZE_WRONG = {
    "halves swapped": f"{UNPACK}; c = torch.stack((low, high), 1).flatten(); return code[c] * "
    "absmax.repeat_interleave(block)",
    "high first, then low": f"{UNPACK}; c = torch.cat((high, low)); return code[c] * absmax.repeat_interleave(block)",
    "low first, then high": f"{UNPACK}; c = torch.cat((low, high)); return code[c] * absmax.repeat_interleave(block)",
    "no absmax": f"{UNPACK}; return code[torch.stack((high, low), 1).flatten()]",
    "divided": f"{UNPACK}; return code[torch.stack((high, low), 1).flatten()] / absmax.repeat_interleave(block)",
    "codes as numbers": f"{UNPACK}; return torch.stack((high, low), 1).flatten() * absmax.repeat_interleave(block)",
    "absmax alternate": f"{UNPACK}; return code[torch.stack((high, low), 1).flatten()] * absmax.repeat(block)",
    "high twice": f"{UNPACK}; return code[torch.stack((high, high), 1).flatten()] * absmax.repeat_interleave(block)",
    "low twice": f"{UNPACK}; return code[torch.stack((low, low), 1).flatten()] * absmax.repeat_interleave(block)",
    "one code a byte": "return code[(packed & 15).long()] * absmax.repeat_interleave(block)[: len(packed)]",
    "three bits": "high, low = (packed >> 4).long() & 7, (packed & 7).long(); return code[torch.stack((high, low), "
    "1).flatten()] * absmax.repeat_interleave(block)",
    "absmax of half a block": f"{UNPACK}; return code[torch.stack((high, low), 1).flatten()] * "
    "absmax.repeat_interleave(block // 2).repeat(2)",
    "own code book": f"{UNPACK}; code = torch.linspace(-1, 1, 16); return code[torch.stack((high, low), 1).flatten()] "
    "* absmax.repeat_interleave(block)",
    "packed changed": "high = (packed >> 4).long(); packed &= 15; return code[torch.stack((high, packed.long()), "
    "1).flatten()] * absmax.repeat_interleave(block)",
    "in rows": f"{UNPACK}; return code[torch.stack((high, low), 1).flatten()].reshape(-1, block) * absmax[:, None]",
}
DEQUANTIZE_WRONG["NF4 whatever is passed in"] = (
    f"{NF4_FIXED}{UNPACK}; return code[torch.stack((high, low), 1).flatten()] * absmax.repeat_interleave(block)"
)
DEQUANTIZE_WRONG["stops at no bytes"] = """found = []
    for k, byte in enumerate(packed.tolist()):
        found += [code[half] * absmax[2 * k // block] for half in (byte >> 4, byte & 15)]
    return torch.stack(found)"""
DEQUANTIZE_RIGHT = {
    "stack": f"{UNPACK}; return code[torch.stack((high, low), 1).flatten()] * absmax.repeat_interleave(block)",
    "divmod": "c = torch.stack((packed.long() // 16, packed.long() % 16), dim=-1).reshape(-1); return "
    "(code[c].reshape(-1, block) * absmax[:, None]).reshape(-1)",
    "table of pairs": "pairs = torch.cartesian_prod(code, code); return (pairs[packed.long()].reshape(-1, block) * "
    "absmax.reshape(-1, 1)).flatten()",
    "slices": "out = torch.empty(2 * len(packed)); out[0::2] = code[(packed >> 4).int()]; out[1::2] = code[(packed & "
    "0xF).int()]; return out * absmax.repeat_interleave(block)",
}

DOUBLE_CORE = (
    "offset = absmax.mean(); rows = (absmax - offset).reshape(-1, block); scale = rows.abs().amax(1); scaled = rows / "
    "scale.clamp(min=1e-38)[:, None]"
)
NEAREST = "torch.bucketize(scaled, (code[1:] + code[:-1]) / 2).flatten().to(torch.uint8)"
DOUBLE_WRONG = {
    "no offset": "offset = torch.tensor(0.0); rows = absmax.reshape(-1, block); scale = rows.abs().amax(1); scaled = "
    f"rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, scale, offset",
    "offset is the minimum": "offset = absmax.min(); rows = (absmax - offset).reshape(-1, block); scale = "
    f"rows.abs().amax(1); scaled = rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, "
    "scale, offset",
    "offset is the maximum": "offset = absmax.max(); rows = (absmax - offset).reshape(-1, block); scale = "
    f"rows.abs().amax(1); scaled = rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, "
    "scale, offset",
    "median": "offset = absmax.median(); rows = (absmax - offset).reshape(-1, block); scale = rows.abs().amax(1); "
    f"scaled = rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, scale, offset",
    "midrange": "offset = (absmax.min() + absmax.max()) / 2; rows = (absmax - offset).reshape(-1, block); scale = "
    f"rows.abs().amax(1); scaled = rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, scale, offset",
    "sign of the offset": f"{DOUBLE_CORE}; return {NEAREST}, scale, -offset",
    "mean of each block": "rows = absmax.reshape(-1, block); offset = rows.mean(1); rows = rows - offset[:, None]; "
    "scale = rows.abs().amax(1); scaled = rows / scale.clamp(min=1e-38)[:, None]; return "
    f"{NEAREST}, scale, offset",
    "scale before the mean": "offset = absmax.mean(); scale = absmax.reshape(-1, block).abs().amax(1); scaled = "
    f"(absmax - offset).reshape(-1, block) / scale[:, None]; return {NEAREST}, scale, offset",
    "one scale": "offset = absmax.mean(); rows = (absmax - offset).reshape(-1, block); scale = "
    "rows.abs().max().expand(len(rows)).clone(); scaled = rows / scale.clamp(min=1e-38)[:, None]; "
    f"return {NEAREST}, scale, offset",
    "max, not absmax": "offset = absmax.mean(); rows = (absmax - offset).reshape(-1, block); scale = rows.amax(1); "
    f"scaled = rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, scale, offset",
    "mean not taken off": "offset = absmax.mean(); scale = (absmax - offset).reshape(-1, block).abs().amax(1); rows = "
    "absmax.reshape(-1, block); scaled = rows / rows.abs().amax(1, keepdim=True); return "
    f"{NEAREST}, scale, offset",
    "not scaled": f"{DOUBLE_CORE}; scaled = rows; return {NEAREST}, scale, offset",
    "code below": f"{DOUBLE_CORE}; return (torch.bucketize(scaled, code, right=True) - "
    "1).clamp(0).flatten().to(torch.uint8), scale, offset",
    "code above": f"{DOUBLE_CORE}; return torch.bucketize(scaled, code).clamp(max=255).flatten().to(torch.uint8), "
    "scale, offset",
    "int64": f"{DOUBLE_CORE}; return {NEAREST}.long(), scale, offset",
    "no clamp": "offset = absmax.mean(); rows = (absmax - offset).reshape(-1, block); scale = rows.abs().amax(1); "
    f"scaled = rows / scale[:, None]; return {NEAREST}, scale, offset",
    "absmax changed": "offset = absmax.mean(); absmax -= offset; rows = absmax.reshape(-1, block); scale = "
    f"rows.abs().amax(1); scaled = rows / scale.clamp(min=1e-38)[:, None]; return {NEAREST}, scale, "
    "offset",
}
DOUBLE_WRONG["a python number for the offset"] = f"{DOUBLE_CORE}; return {NEAREST}, scale, offset.item()"
DOUBLE_RIGHT = {
    "middles": f"{DOUBLE_CORE}; return {NEAREST}, scale, offset",
    "distances": f"{DOUBLE_CORE}; return (scaled.flatten()[:, None] - code).abs().argmin(1).to(torch.uint8), scale, "
    "offset",
    "in float64": "wide = absmax.double(); offset = wide.mean(); rows = (wide - offset).reshape(-1, block); scale = "
    "rows.abs().max(1).values; c = (rows / scale.clamp(min=1e-30)[:, "
    "None]).unsqueeze(-1).sub(code.double()).abs().argmin(-1); return c.flatten().to(torch.uint8), "
    "scale.float(), offset.float()",
    "block by block": """offset = absmax.sum() / len(absmax); codes, scales = [], []
    for part in (absmax - offset).split(block):
        m = part.abs().max(); scales.append(m)
        codes.append(((part / m if m > 0 else part)[:, None] - code).abs().argmin(1))
    return torch.cat(codes).to(torch.uint8), torch.stack(scales), offset""",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "lora_forward": {
        "no base": "base path", "base only": "adapter's path", "no scaling": "scaling is missing",
        "alpha alone": "is alpha:", "R over alpha": "R / alpha", "one over R": "1 / R", "root of R": "rsLoRA",
        "width of x": "width of x", "width of y": "width of the output", "both scaled": "base path, too",
        "minus": "taken off",
    },
    "init_lora": {
        "swapped shapes": "changed places", "transposed": "transposed", "B random, A zero": "swapped",
        "standard normal": "standard deviation 1", "normal 1/√D": "normal", "only positive": "no negative",
        "limit 1/√R": "1/√R", "limit 1/D": "1/D", "own seed": "seed is fixed",
    },
    "lora_gradients": {
        "transposed": "transposed", "dA and dB swapped": "changed places", "no factor": "alpha / R is missing",
        "factor alpha": "factor is alpha", "factor twice": "twice", "mean": "mean over the batch",
        "mean, 0 rows kept": "mean over the batch",
        "sign": "sign is wrong", "A frozen": "came back 0", "B frozen": "came back 0",
    },
    "merge_lora": {
        "no scaling": "scaling is missing", "alpha alone": "is alpha:", "R over alpha": "R / alpha",
        "by the rows of B": "rows of B", "both scaled": "W was scaled",
        "always minus": "taken off", "undo ignored": "undo was ignored",
        "undo does nothing": "unchanged", "delta alone": "W itself is missing", "unchanged": "unchanged",
        "undo without scaling": "when undoing",
    },
    "count_lora": {
        "the layers' own": "own weights", "A only": "only A", "B only": "only B", "every layer": "targets were ignored",
        "the others": "NOT targets", "one of each name": "one layer of each", "no rank": "rank is missing",
        "fat": "thin", "rank squared": "squared", "square layers": "to be equal",
        "square layers, input": "as for the input", "contains": "only contain", "ends with": "backup_proj",
        "needs a dot": "without dots",
    },
    "training_memory": {
        "states for all": "have none",
        "one state": "two numbers",
        "adapter not a weight": "missing from the weights",
        "adapter in frozen_bits": "stay in float32",
        "bits as bytes": "bits were not turned",
        "float32 base": "counted in float32",
        "in bits": "divide by 8",
        "total without gradients": "missing from the total",
        "16-bit gradients": "like what is trained",
        "whole bits": "rounded to whole ones",
        "whole bytes": "whole bytes",
    },
    "quantize_blockwise": {
        "max, not absmax": "largest value", "one absmax": "whole tensor", "mean": "mean absolute",
        "std": "standard deviation", "blocks across": "across", "one over absmax": "one over", "range": "range (max",
        "not scaled": "not divided", "scaled by the whole": "absmax of the whole", "code below": "code below",
        "code above": "code above", "farthest": "farthest", "16 equal steps": "equal steps",
        "signs lost": "signs were lost",
    },
    "dequantize_packed": {
        "halves swapped": "changed places", "high first, then low": "all high halves",
        "low first, then high": "all low halves", "no absmax": "absmax is missing", "divided": "divided by the absmax",
        "codes as numbers": "look them up", "absmax alternate": "alternate from weight", "high twice": "high half",
        "low twice": "low half",
    },
    "double_quantize": {
        "no offset": "offset is 0", "offset is the minimum": "smallest value", "offset is the maximum": "largest value",
        "median": "median", "midrange": "middle between smallest", "sign of the offset": "sign of the offset",
        "scale before the mean": "before the mean", "one scale": "one scale for all",
        "max, not absmax": "largest absolute value", "mean not taken off": "before the look-up",
        "not scaled": "not divided", "code below": "code below", "code above": "code above",
    },
}
BREAKS = {
    "lora_forward": {
        "alpha // R": lab.SCALE, "rank fixed at 3": lab.SCALE, "detached": lab.REACHES,
        "base path without a gradient": lab.REACHES, "two axes only": lab.ANY_AXES,
        "weight changed in place": lab.NOTHING_CHANGED,
    },
    "init_lora": {
        "clipped normal": lab.UNIFORM, "global random state": lab.FROM_GENERATOR, "own seed": lab.FROM_GENERATOR,
        "float64": lab.FLOAT32,
    },
    "lora_gradients": {"mean": lab.ADD_UP, "mean, 0 rows kept": lab.ADD_UP},
    "merge_lora": {
        "undo ignored": lab.UNDO, "undo does nothing": lab.UNDO, "undo without scaling": lab.UNDO,
        "rank fixed": lab.FACTOR_OF_A, "alpha // R": lab.FACTOR_OF_A, "in place": lab.WEIGHT_STAYS,
    },
    "count_lora": {
        "contains": lab.EQUALS, "ends with": lab.EQUALS, "needs a dot": lab.EQUALS,
        "loops over targets": lab.ONE_ADAPTER,
    },
    "training_memory": {"whole bits": lab.PART_OF_A_BIT, "whole bytes": lab.PART_OF_A_BIT},
    "quantize_blockwise": {
        "no clamp": lab.ZEROS, "1e-38 for the absmax of zeros": lab.ZEROS, "NF4 whatever is passed in": lab.GIVEN_CODE,
    },
    "dequantize_packed": {"NF4 whatever is passed in": lab.LOOKED_UP},
    "double_quantize": {"no clamp": lab.ALL_EQUAL, "a python number for the offset": lab.OFFSET_TENSOR},
}
# fmt: on
BODIES = {
    "lora_forward": ("x, weight, A, B, alpha", FORWARD_WRONG, FORWARD_RIGHT),
    "init_lora": ("in_features, out_features, rank, generator", INIT_WRONG, INIT_RIGHT),
    "lora_gradients": ("x, A, B, alpha, grad_y", GRADIENTS_WRONG, GRADIENTS_RIGHT),
    "merge_lora": ("weight, A, B, alpha, undo=False", MERGE_WRONG, MERGE_RIGHT),
    "count_lora": ("shapes, targets, rank", COUNT_WRONG, COUNT_RIGHT),
    "training_memory": ("frozen, trained, frozen_bits", MEMORY_WRONG, MEMORY_RIGHT),
    "quantize_blockwise": ("x, code, block", QUANTIZE_WRONG, QUANTIZE_RIGHT),
    "dequantize_packed": ("packed, absmax, code, block", DEQUANTIZE_WRONG, DEQUANTIZE_RIGHT),
    "double_quantize": ("absmax, code, block", DOUBLE_WRONG, DOUBLE_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
