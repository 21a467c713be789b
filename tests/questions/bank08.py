"""Lab 08: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show, and "breaks" the rule of the question that this answer breaks alone.
"""

from banks import bank_of

from course_lib.questions import lab08_direct_alignment as lab

PRELUDE = "import math\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"

OPTIMAL_WRONG = {
    "not normalised": "return logprobs + rewards / beta",
    "times beta": "return torch.log_softmax(logprobs + rewards * beta, -1)",
    "no beta": "return torch.log_softmax(logprobs + rewards, -1)",
    "sign": "return torch.log_softmax(logprobs - rewards / beta, -1)",
    "softmax of the rewards": "return torch.log_softmax(rewards / beta, -1)",
    "probabilities": "return torch.softmax(logprobs + rewards / beta, -1)",
    "unchanged": "return logprobs.clone()",
    "both over beta": "return torch.log_softmax((logprobs + rewards) / beta, -1)",
    "over all rows": "x = logprobs + rewards / beta; return x - x.flatten().logsumexp(0)",
    "over dim 0": "return torch.log_softmax(logprobs + rewards / beta, 0)",
    "probabilities tilted as logs": "return torch.log_softmax(logprobs.exp() + rewards / beta, -1)",
    "exp by hand": "w = logprobs.exp() * torch.exp(rewards / beta); return (w / w.sum(-1, keepdim=True)).log()",
    "log of softmax": "return torch.log(torch.softmax(logprobs + rewards / beta, -1))",
    "impossible made unlikely": ("return torch.log_softmax(logprobs.nan_to_num(neginf=-1e4) + rewards / beta, -1)"),
    "clamped exponent": "x = (logprobs + rewards / beta).clamp(max=80); return torch.log_softmax(x, -1)",
    "detached": "return torch.log_softmax(logprobs + rewards.detach() / beta, -1)",
    "rewards changed in place": "rewards.data.div_(beta); return torch.log_softmax(logprobs + rewards, -1)",
    "two axes only": "return torch.log_softmax(logprobs + rewards / beta, 1)",
    "a floor under impossible answers": (
        "return torch.log_softmax(torch.log(logprobs.exp() + 1e-3) + rewards / beta, -1)"
    ),
}
OPTIMAL_RIGHT = {
    "log_softmax": "return torch.log_softmax(logprobs + rewards / beta, -1)",
    "logsumexp": "x = logprobs + rewards / beta; return x - torch.logsumexp(x, dim=-1, keepdim=True)",
    "the largest taken off": "x = logprobs + rewards / beta; x = x - x.amax(-1, keepdim=True); return x - "
    "x.exp().sum(-1, keepdim=True).log()",
    "F and one over beta": "return F.log_softmax(torch.add(logprobs, rewards, alpha=1 / beta), dim=logprobs.dim() - 1)",
}

REWARD_WRONG = {
    "no beta": "return logprobs - reference",
    "over beta": "return (logprobs - reference) / beta",
    "sign": "return beta * (reference - logprobs)",
    "no reference": "return beta * logprobs",
    "ratio": "return beta * (logprobs - reference).exp()",
    "log of the logs": "return beta * (logprobs / reference).log()",
    "probabilities subtracted": "return beta * (logprobs.exp() - reference.exp())",
    "beta on one side": "return beta * logprobs - reference",
    "mean": "return (beta * (logprobs - reference)).mean()",
    "detached": "return beta * (logprobs.detach() - reference)",
    "by probabilities": "return beta * (logprobs.exp() / reference.exp()).log()",
    "in place": "logprobs -= reference; return beta * logprobs",
    "float32 always": "return beta * (logprobs.float() - reference.float())",
    "something small added": "return beta * (logprobs - reference) + 1e-7",
    "centred": "r = beta * (logprobs - reference); return r - r.mean()",
}
REWARD_RIGHT = {
    "difference": "return beta * (logprobs - reference)",
    "sub": "return torch.sub(logprobs, reference).mul(beta)",
    "each times beta": "return beta * logprobs - beta * reference",
    "by addition": "return (logprobs + (-reference)) * beta",
}

TAKEN = (
    "logs = torch.log_softmax(logits.float(), -1)[:, :-1]; aim = labels[:, 1:]; mask = aim != -100; logs = "
    "logs.gather(2, aim.clamp(min=0)[..., None])[..., 0]"
)
LOGPROBS_WRONG = {
    "no shift": "logs = torch.log_softmax(logits.float(), -1); mask = labels != -100; return (logs.gather(2, "
    "labels.clamp(min=0)[..., None])[..., 0] * mask).sum(1)",
    "shift the wrong way": "logs = torch.log_softmax(logits.float(), -1)[:, 1:]; aim = labels[:, :-1]; mask = aim != "
    "-100; return (logs.gather(2, aim.clamp(min=0)[..., None])[..., 0] * mask).sum(1)",
    "mean a token": f"{TAKEN}; return (logs * mask).sum(1) / mask.sum(1).clamp(min=1)",
    "no mask": f"{TAKEN}; return logs.sum(1)",
    "mask not shifted": f"{TAKEN}; mask = labels[:, :-1] != -100; return (logs * mask).sum(1)",
    "logits": "aim = labels[:, 1:]; mask = aim != -100; return (logits.float()[:, :-1].gather(2, aim.clamp(min=0)[..., "
    "None])[..., 0] * mask).sum(1)",
    "sign": f"{TAKEN}; return -(logs * mask).sum(1)",
    "over the whole row": f"{TAKEN}; return (logs * mask).sum(1) / labels.shape[1]",
    "over all tokens of the batch": f"{TAKEN}; return (logs * mask).sum(1) / mask.sum()",
    "one number": f"{TAKEN}; return (logs * mask).sum()",
    "probabilities added": f"{TAKEN}; return (logs.exp() * mask).sum(1)",
    "the probability": f"{TAKEN}; return (logs * mask).sum(1).exp()",
    "softmax over time": "logs = torch.log_softmax(logits.float(), 1)[:, :-1]; aim = labels[:, 1:]; mask = aim != "
    "-100; return (logs.gather(2, aim.clamp(min=0)[..., None])[..., 0] * mask).sum(1)",
    "log of softmax": "p = torch.softmax(logits.float(), -1)[:, :-1]; aim = labels[:, 1:]; mask = aim != -100; return "
    "torch.where(mask, p.gather(2, aim.clamp(min=0)[..., None])[..., 0].log(), "
    "torch.zeros(())).sum(1)",
    "product of probabilities": "p = torch.softmax(logits.float(), -1)[:, :-1]; aim = labels[:, 1:]; mask = aim != "
    "-100; return torch.where(mask, p.gather(2, aim.clamp(min=0)[..., None])[..., 0], "
    "torch.ones(())).prod(1).log()",
    "token 0 left out": f"{TAKEN}; return (logs * (aim > 0)).sum(1)",
    "mean times number": f"{TAKEN}; n = mask.sum(1); return (logs * mask).sum(1) / n * n",
    "float16 result": f"{TAKEN}; return (logs * mask).sum(1).to(logits.dtype)",
    "detached": f"{TAKEN}; return (logs.detach() * mask).sum(1)",
    "bfloat16": "logs = torch.log_softmax(logits, -1)[:, :-1]; aim = labels[:, 1:]; mask = aim != -100; return "
    "(logs.gather(2, aim.clamp(min=0)[..., None])[..., 0] * mask).sum(1)",
    "labels changed in place": "labels[labels == -100] = 0; logs = torch.log_softmax(logits.float(), -1)[:, :-1]; aim "
    "= labels[:, 1:]; return (logs.gather(2, aim[..., None])[..., 0] * (aim != 0)).sum(1)",
    "first answer token missing": f"{TAKEN}; mask = mask & (labels[:, :-1] != -100); return (logs * mask).sum(1)",
}
LOGPROBS_RIGHT = {
    "gather": f"{TAKEN}; return (logs * mask).sum(1)",
    "cross entropy": "x = logits[:, :-1].float(); aim = labels[:, 1:]; return -F.cross_entropy(x.transpose(1, 2), aim, "
    "ignore_index=-100, reduction='none').sum(1)",
    "flat": "aim = labels[:, 1:]; loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), aim.flatten(), "
    "reduction='none', ignore_index=-100); return -loss.view(aim.shape).sum(-1)",
    "row by row": """out = []
    for row, line in zip(logits.float(), labels):
        at = (line[1:] != -100).nonzero()[:, 0]
        logs = row.log_softmax(-1)
        out.append(logs[at, line[at + 1]].sum())
    return torch.stack(out)""",
    "logsumexp": "x = logits.float()[:, :-1]; aim = labels[:, 1:]; on = aim != -100; logs = x.gather(2, aim.where(on, "
    "0)[..., None])[..., 0] - x.logsumexp(-1); return torch.where(on, logs, 0.0).sum(1)",
}

MARGIN = "m = beta * ((chosen - chosen_reference) - (rejected - rejected_reference))"
DPO_WRONG = {
    "no reference": "return -F.logsigmoid(beta * (chosen - rejected)).mean()",
    "changed places": f"{MARGIN}; return -F.logsigmoid(-m).mean()",
    "no beta": "return -F.logsigmoid((chosen - chosen_reference) - (rejected - rejected_reference)).mean()",
    "over beta": f"{MARGIN}; return -F.logsigmoid(m / beta ** 2).mean()",
    "beta outside": "return -beta * F.logsigmoid((chosen - chosen_reference) - (rejected - rejected_reference)).mean()",
    "sum": f"{MARGIN}; return -F.logsigmoid(m).sum()",
    "sign": f"{MARGIN}; return F.logsigmoid(m).mean()",
    "no logarithm": f"{MARGIN}; return -torch.sigmoid(m).mean()",
    "one minus sigmoid": f"{MARGIN}; return (1 - torch.sigmoid(m)).mean()",
    "added": "return -F.logsigmoid(beta * ((chosen - chosen_reference) + (rejected - rejected_reference))).mean()",
    "references swapped": "return -F.logsigmoid(beta * ((chosen - rejected_reference) - (rejected - "
    "chosen_reference))).mean()",
    "references added": "return -F.logsigmoid(beta * ((chosen + chosen_reference) - (rejected + "
    "rejected_reference))).mean()",
    "mean first": f"{MARGIN}; return -F.logsigmoid(m.mean())",
    "hinge": f"{MARGIN}; return torch.relu(1 - m).mean()",
    "chosen only": "return -F.logsigmoid(beta * (chosen - chosen_reference)).mean()",
    "a number a pair": f"{MARGIN}; return -F.logsigmoid(m)",
    "base 2": f"{MARGIN}; return -F.logsigmoid(m).mean() / math.log(2)",
    "log of sigmoid": f"{MARGIN}; return -torch.log(torch.sigmoid(m)).mean()",
    "log of sigmoid with a floor": f"{MARGIN}; return -torch.log(torch.sigmoid(m) + 1e-8).mean()",
    "clamped margin": f"{MARGIN}; return -F.logsigmoid(m.clamp(-50, 50)).mean()",
    "by probabilities": "r = (chosen.exp() / chosen_reference.exp()) ** beta / (rejected.exp() / "
    "rejected_reference.exp()) ** beta; return -torch.log(r / (1 + r)).mean()",
    "rejected detached": "m = beta * ((chosen - chosen_reference) - (rejected.detach() - rejected_reference)); return "
    "-F.logsigmoid(m).mean()",
    "all detached": f"{MARGIN}; return torch.tensor(-F.logsigmoid(m).mean().item())",
    "beta fixed": "m = 0.1 * ((chosen - chosen_reference) - (rejected - rejected_reference)); return "
    "-F.logsigmoid(m).mean()",
    "in place": "chosen.data.sub_(chosen_reference); m = beta * (chosen - (rejected - rejected_reference)); return "
    "-F.logsigmoid(m).mean()",
    "float32": "m = beta * ((chosen - chosen_reference) - (rejected - rejected_reference)); return "
    "-F.logsigmoid(m.float()).mean()",
}
DPO_RIGHT = {
    "logsigmoid": f"{MARGIN}; return -F.logsigmoid(m).mean()",
    "softplus": "a = beta * (chosen - chosen_reference); b = beta * (rejected - rejected_reference); return "
    "F.softplus(b - a).mean()",
    "grouped by model": "policy, base = chosen - rejected, chosen_reference - rejected_reference; return "
    "-nn.functional.logsigmoid(beta * (policy - base)).sum() / len(chosen)",
    "binary cross entropy": f"{MARGIN}; return F.binary_cross_entropy_with_logits(m, torch.ones_like(m))",
    "softmax of two": "r = torch.stack((beta * (chosen - chosen_reference), beta * (rejected - rejected_reference)), "
    "1); return F.cross_entropy(r, torch.zeros(len(r), dtype=torch.long))",
}

CDPO_WRONG = {
    "no smoothing": f"{MARGIN}; return -F.logsigmoid(m).mean()",
    "weights swapped": f"{MARGIN}; return (-smoothing * F.logsigmoid(m) - (1 - smoothing) * F.logsigmoid(-m)).mean()",
    "no 1 − ε": f"{MARGIN}; return (-F.logsigmoid(m) - smoothing * F.logsigmoid(-m)).mean()",
    "second term taken off": f"{MARGIN}; return (-(1 - smoothing) * F.logsigmoid(m) + smoothing * "
    "F.logsigmoid(-m)).mean()",
    "robust": f"{MARGIN}; return ((-(1 - smoothing) * F.logsigmoid(m) + smoothing * F.logsigmoid(-m)) / (1 - 2 * "
    "smoothing)).mean() if smoothing != 0.5 else -F.logsigmoid(m).mean()",
    "first term only": f"{MARGIN}; return -(1 - smoothing) * F.logsigmoid(m).mean()",
    "margin times 1 − ε": f"{MARGIN}; return -F.logsigmoid((1 - smoothing) * m).mean()",
    "margin times 1 − 2ε": f"{MARGIN}; return -F.logsigmoid((1 - 2 * smoothing) * m).mean()",
    "sigma smoothed": f"{MARGIN}; return -torch.log((1 - smoothing) * torch.sigmoid(m) + smoothing * "
    "torch.sigmoid(-m)).mean()",
    "sum": f"{MARGIN}; return (-(1 - smoothing) * F.logsigmoid(m) - smoothing * F.logsigmoid(-m)).sum()",
    "half ε": f"{MARGIN}; e = smoothing / 2; return (-(1 - e) * F.logsigmoid(m) - e * F.logsigmoid(-m)).mean()",
    "no reference": "m = beta * (chosen - rejected); return (-(1 - smoothing) * F.logsigmoid(m) - smoothing * "
    "F.logsigmoid(-m)).mean()",
    "log of one minus sigma": f"{MARGIN}; s = torch.sigmoid(m); return (-(1 - smoothing) * s.log() - smoothing * (1 - "
    "s).log()).mean()",
    "log sigma and log of one minus sigma": f"{MARGIN}; return (-(1 - smoothing) * F.logsigmoid(m) - smoothing * "
    "torch.log(1 - torch.sigmoid(m))).mean()",
    "second term detached": f"{MARGIN}; return (-(1 - smoothing) * F.logsigmoid(m) - smoothing * "
    "F.logsigmoid(-m.detach())).mean()",
    "never ε = 0": f"{MARGIN}; e = max(smoothing, 0.01); return (-(1 - e) * F.logsigmoid(m) - e * "
    "F.logsigmoid(-m)).mean()",
    "labels flipped at random": f"{MARGIN}; sign = torch.where(torch.rand(len(m)) < smoothing, -1.0, 1.0); return "
    "-F.logsigmoid(sign * m).mean()",
    "in place": "chosen -= chosen_reference; m = beta * (chosen - (rejected - rejected_reference)); return (-(1 - "
    "smoothing) * F.logsigmoid(m) - smoothing * F.logsigmoid(-m)).mean()",
}
CDPO_RIGHT = {
    "two terms": f"{MARGIN}; return (-(1 - smoothing) * F.logsigmoid(m) - smoothing * F.logsigmoid(-m)).mean()",
    "softplus": f"{MARGIN}; return ((1 - smoothing) * F.softplus(-m) + smoothing * F.softplus(m)).mean()",
    "one term and the margin": f"{MARGIN}; return (-F.logsigmoid(m) + smoothing * m).mean()",
    "binary cross entropy": (
        f"{MARGIN}; return F.binary_cross_entropy_with_logits(m, torch.full_like(m, 1 - smoothing))"
    ),
}

H = "h = (chosen - chosen_reference) / lengths_chosen - (rejected - rejected_reference) / lengths_rejected"
SUMS = "h = (chosen - chosen_reference) - (rejected - rejected_reference)"
IPO_WRONG = {
    "sums": f"{SUMS}; return ((h - 1 / (2 * beta)) ** 2).mean()",
    "by the chosen length": f"{SUMS}; return ((h / lengths_chosen - 1 / (2 * beta)) ** 2).mean()",
    "by the rejected length": f"{SUMS}; return ((h / lengths_rejected - 1 / (2 * beta)) ** 2).mean()",
    "lengths swapped": "h = (chosen - chosen_reference) / lengths_rejected - (rejected - rejected_reference) / "
    "lengths_chosen; return ((h - 1 / (2 * beta)) ** 2).mean()",
    "by the mean length": f"{SUMS}; n = torch.cat((lengths_chosen, lengths_rejected)).to(h.dtype).mean(); return ((h / "
    "n - 1 / (2 * beta)) ** 2).mean()",
    "over all tokens of the batch": "h = (chosen - chosen_reference).sum() / lengths_chosen.sum() - (rejected - "
    "rejected_reference).sum() / lengths_rejected.sum(); return (h - 1 / (2 * beta)) "
    "** 2",
    "target 1/β": f"{H}; return ((h - 1 / beta) ** 2).mean()",
    "target β/2": f"{H}; return ((h - 1 / 2 * beta) ** 2).mean()",
    "target 1/2": f"{H}; return ((h - 0.5) ** 2).mean()",
    "no target": f"{H}; return (h ** 2).mean()",
    "β on h": f"{H}; return ((beta * h - 1 / (2 * beta)) ** 2).mean()",
    "changed places": f"{H}; return ((-h - 1 / (2 * beta)) ** 2).mean()",
    "no reference": "h = chosen / lengths_chosen - rejected / lengths_rejected; return ((h - 1 / (2 * beta)) ** "
    "2).mean()",
    "absolute": f"{H}; return (h - 1 / (2 * beta)).abs().mean()",
    "one-sided": f"{H}; return (torch.relu(1 / (2 * beta) - h) ** 2).mean()",
    "sum": f"{H}; return ((h - 1 / (2 * beta)) ** 2).sum()",
    "mean first": f"{H}; return (h.mean() - 1 / (2 * beta)) ** 2",
    "half": f"{H}; return 0.5 * ((h - 1 / (2 * beta)) ** 2).mean()",
    "log sigma": f"{H}; return -F.logsigmoid(h).mean()",
    "detached": f"{H}; return ((h.detach() - 1 / (2 * beta)) ** 2).mean()",
    "something small added": f"{H}; return ((h - 1 / (2 * beta)) ** 2 + 1e-8).mean()",
    "rejected detached": "h = (chosen - chosen_reference) / lengths_chosen - (rejected.detach() - rejected_reference) "
    "/ lengths_rejected; return ((h - 1 / (2 * beta)) ** 2).mean()",
    "in place": "chosen /= lengths_chosen; h = chosen - chosen_reference / lengths_chosen - (rejected - "
    "rejected_reference) / lengths_rejected; return ((h - 1 / (2 * beta)) ** 2).mean()",
}
IPO_RIGHT = {
    "as written": f"{H}; return ((h - 1 / (2 * beta)) ** 2).mean()",
    "mse": f"{H}; return F.mse_loss(h, torch.full_like(h, 0.5 / beta))",
    "means first": "w, l = chosen / lengths_chosen, rejected / lengths_rejected; a, b = chosen_reference / "
    "lengths_chosen, rejected_reference / lengths_rejected; return torch.square((w - l) - (a - b) - "
    "0.5 / beta).mean()",
    "a loop": f"{H}; total = sum((x - 1 / (2 * beta)) ** 2 for x in h); return total / len(h)",
}

GAIN = "kl = kl.detach().clamp(min=0); gain = beta * (logprobs - reference - kl)"
FREE = "kl = kl.detach().clamp(min=0); free = beta * (logprobs - reference)"
WEIGHTS = "w = torch.where(up, up_weight, down_weight).to(logprobs.dtype); s = up.to(logprobs.dtype) * 2 - 1"
KTO_WRONG = {
    "changed places": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(-s * gain))).mean()",
    "all up": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(gain))).mean()",
    "all down": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(-gain))).mean()",
    "downs left out": f"{GAIN}; return (up_weight * (1 - torch.sigmoid(gain)) * up).mean()",
    "no reference point": f"{FREE}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * free))).mean()",
    "kl added": f"{FREE}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * (free + beta * kl)))).mean()",
    "kl's sign for a thumb down": f"{FREE}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * free - beta * kl))).mean()",
    "kl outside the bracket": f"{FREE}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * (free - kl)))).mean()",
    "no beta": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * gain / beta))).mean()",
    "no reference model": f"{WEIGHTS}; kl = kl.detach().clamp(min=0); return (w * (1 - torch.sigmoid(s * beta * "
    "(logprobs - kl)))).mean()",
    "log sigma": f"{GAIN}; {WEIGHTS}; return (-w * F.logsigmoid(s * gain)).mean()",
    "no 1": f"{GAIN}; {WEIGHTS}; return (-w * torch.sigmoid(s * gain)).mean()",
    "sigma": f"{GAIN}; {WEIGHTS}; return (w * torch.sigmoid(s * gain)).mean()",
    "sum": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * gain))).sum()",
    "two means added": f"{GAIN}; {WEIGHTS}; x = w * (1 - torch.sigmoid(s * gain)); return x[up].mean() + x[~up].mean()",
    "two means averaged": f"{GAIN}; {WEIGHTS}; x = w * (1 - torch.sigmoid(s * gain)); return (x[up].mean() + "
    "x[~up].mean()) / 2",
    "kl not clamped": f"gain = beta * (logprobs - reference - kl.detach()); {WEIGHTS}; return (w * (1 - "
    "torch.sigmoid(s * gain))).mean()",
    "kl absolute": f"gain = beta * (logprobs - reference - kl.detach().abs()); {WEIGHTS}; return (w * (1 - "
    "torch.sigmoid(s * gain))).mean()",
    "kl not detached": f"gain = beta * (logprobs - reference - kl.clamp(min=0)); {WEIGHTS}; return (w * (1 - "
    "torch.sigmoid(s * gain))).mean()",
    "all detached": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * gain.detach()))).mean()",
    "weights swapped": f"{GAIN}; {WEIGHTS}; w = torch.where(up, down_weight, up_weight).to(logprobs.dtype); return (w "
    "* (1 - torch.sigmoid(s * gain))).mean()",
    "weights ignored": f"{GAIN}; {WEIGHTS}; return (1 - torch.sigmoid(s * gain)).mean()",
    "weights normalised": f"{GAIN}; {WEIGHTS}; return (w * (1 - torch.sigmoid(s * gain))).sum() / w.sum()",
    "a mean of each kind": f"{GAIN}; {WEIGHTS}; x = w * (1 - torch.sigmoid(s * gain)); return (x[up].mean() * "
    "up.sum() + x[~up].mean() * (~up).sum()) / len(up)",
    "neither clamped nor detached": f"gain = beta * (logprobs - reference - kl); {WEIGHTS}; return (w * (1 - "
    "torch.sigmoid(s * gain))).mean()",
    "exp by hand": f"{GAIN}; {WEIGHTS}; e = torch.exp(s * gain); return (w * (1 - e / (1 + e))).mean()",
    "in place": "logprobs.data.sub_(reference); kl = kl.detach().clamp(min=0); gain = beta * (logprobs - kl); "
    f"{WEIGHTS}; return (w * (1 - torch.sigmoid(s * gain))).mean()",
}
KTO_RIGHT = {
    "where": f"{GAIN}; return torch.where(up, up_weight * (1 - torch.sigmoid(gain)), down_weight * (1 - "
    "torch.sigmoid(-gain))).mean()",
    "signs": f"{GAIN}; {WEIGHTS}; return (w * torch.sigmoid(-s * gain)).mean()",
    "two parts": f"{GAIN}; parts = torch.cat((up_weight * (1 - gain[up].sigmoid()), down_weight * (1 - "
    "(-gain[~up]).sigmoid()))); return parts.mean()",
    "sums over the number": "z = max(0.0, float(kl)); gain = beta * (logprobs - reference - z)\n    total = up_weight "
    "* torch.sigmoid(-gain[up]).sum() + down_weight * torch.sigmoid(gain[~up]).sum()\n    "
    "return total / up.numel()",
    "no_grad": "with torch.no_grad(): z = torch.relu(kl)\n    sign = torch.where(up, 1, -1); weight = torch.where(up, "
    "up_weight, down_weight).to(logprobs.dtype)\n    return (weight * (1 - F.sigmoid(beta * sign * "
    "((logprobs - reference) - z)))).mean()",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "optimal_policy": {
        "not normalised": "not normalised", "times beta": "r · β", "no beta": "β is missing", "sign": "sign is wrong",
        "softmax of the rewards": "rewards alone", "probabilities": "probabilities came back",
        "unchanged": "this is π_ref", "both over beta": "divided by β, too", "over all rows": "over all rows",
        "over dim 0": "down the columns", "probabilities tilted as logs": "not log-probabilities",
    },
    "implicit_reward": {
        "no beta": "β is missing", "over beta": "divided by β", "sign": "sign is wrong",
        "no reference": "π_ref is missing", "ratio": "take its logarithm", "log of the logs": "no further logarithm",
        "probabilities subtracted": "were subtracted", "beta on one side": "reference, too",
        "mean": "one reward an answer",
    },
    "answer_logprobs": {
        "no shift": "shift is missing",
        "shift the wrong way": "wrong way",
        "mean a token": "mean over the answer's tokens",
        "no mask": "mask is missing",
        "mask not shifted": "mask is not shifted",
        "logits": "logits themselves",
        "sign": "sign is wrong",
        "over the whole row": "whole row",
        "over all tokens of the batch": "whole batch",
        "one number": "whole batch",
        "probabilities added": "not their logarithms",
        "the probability": "not its logarithm",
        "softmax over time": "over the tokens of the row",
        "token 0 left out": "id 0 were left out",
        "labels changed in place": "id 0 were left out",
    },
    "dpo_loss": {
        "no reference": "reference model is missing", "changed places": "changed places", "no beta": "β is missing",
        "over beta": "divided by β", "beta outside": "before log σ", "sum": "sum over the pairs",
        "sign": "sign of the loss",
        "no logarithm": "logarithm is missing", "one minus sigmoid": "1 − σ(m)", "added": "were added",
        "references swapped": "swapped", "references added": "swapped", "mean first": "before the log σ",
        "hinge": "hinge", "chosen only": "only the chosen", "a number a pair": "mean is missing", "base 2": "base-2",
        "log of sigmoid with a floor": "something small was added",
    },
    "cdpo_loss": {
        "no smoothing": "smoothing is missing", "weights swapped": "changed places", "no 1 − ε": "without 1 − ε",
        "second term taken off": "taken off", "robust": "unbiased cousin", "first term only": "only scaled",
        "margin times 1 − ε": "scaled by 1 − ε", "margin times 1 − 2ε": "1 − 2ε", "sigma smoothed": "not the label",
        "sum": "sum over the pairs", "half ε": "ε/2", "no reference": "reference model",
        "second term detached": "second one has none",
    },
    "ipo_loss": {
        "sums": "are sums", "by the chosen length": "chosen answer's length",
        "by the rejected length": "rejected answer's length",
        "lengths swapped": "lengths changed places", "by the mean length": "mean length",
        "over all tokens of the batch": "answer by answer", "target 1/β": "target is 1/β",
        "target β/2": "target is β/2", "target 1/2": "β is missing", "no target": "target is missing",
        "β on h": "multiplied by β", "changed places": "chosen and rejected changed", "no reference": "reference model",
        "absolute": "square is missing", "one-sided": "two sides", "sum": "sum over the pairs",
        "mean first": "mean was squared", "half": "a half", "log sigma": "IPO is a square",
    },
    "kto_loss": {
        "changed places": "changed places", "all up": "counts as a thumb up", "all down": "counts as a thumb down",
        "downs left out": "thumbs down are missing", "no reference point": "reference point kl",
        "kl added": "kl was added", "kl's sign for a thumb down": "whole bracket",
        "kl outside the bracket": "outside β", "no beta": "β is missing", "no reference model": "reference model",
        "log sigma": "KTO takes 1 − σ", "no 1": "the 1 is missing", "sigma": "without the 1",
        "sum": "sum over the answers", "two means added": "taken apart and added",
        "two means averaged": "were averaged", "kl not clamped": "used as it is", "kl absolute": "absolute value",
        "kl not detached": "not detached", "weights swapped": "weights changed",
        "weights ignored": "weights were ignored", "weights normalised": "normalised away",
        "neither clamped nor detached": "kl",
    },
}
BREAKS = {
    "optimal_policy": {
        "log of softmax": lab.IN_LOGS, "impossible made unlikely": lab.IMPOSSIBLE, "two axes only": lab.LAST_AXIS,
        "detached": lab.TO_REWARDS,
    },
    "implicit_reward": {
        "something small added": lab.STILL, "by probabilities": lab.NEVER_EXP, "detached": lab.TO_POLICY,
    },
    "answer_logprobs": {
        "detached": lab.TO_LOGITS, "log of softmax": lab.FAR, "token 0 left out": lab.ID_0,
        "mean times number": lab.NO_ANSWER, "float16 result": lab.FLOAT32, "bfloat16": lab.FLOAT32,
    },
    "dpo_loss": {
        "log of sigmoid": lab.NO_CLAMP, "clamped margin": lab.NO_CLAMP, "by probabilities": lab.NO_CLAMP,
        "rejected detached": lab.BOTH,
    },
    "cdpo_loss": {
        "log of one minus sigma": lab.STAYS_FINITE, "log sigma and log of one minus sigma": lab.STAYS_FINITE,
        "second term detached": lab.BOTH_TERMS, "never ε = 0": lab.ZERO_IS_DPO,
    },
    "ipo_loss": {
        "one-sided": lab.PULLED_BACK, "something small added": lab.AT_TARGET, "detached": lab.BOTH_IN_IPO,
        "rejected detached": lab.BOTH_IN_IPO,
    },
    "kto_loss": {
        "kl not clamped": lab.CLAMPED, "kl absolute": lab.CLAMPED, "kl not detached": lab.MEASURED,
        "weights swapped": lab.WEIGHTED, "weights ignored": lab.WEIGHTED, "weights normalised": lab.WEIGHTED,
        "a mean of each kind": lab.ONE_KIND, "all detached": lab.TO_ANSWERS,
    },
}
# fmt: on

PAIR = "chosen, rejected, chosen_reference, rejected_reference"
BODIES = {
    "optimal_policy": ("logprobs, rewards, beta", OPTIMAL_WRONG, OPTIMAL_RIGHT),
    "implicit_reward": ("logprobs, reference, beta", REWARD_WRONG, REWARD_RIGHT),
    "answer_logprobs": ("logits, labels", LOGPROBS_WRONG, LOGPROBS_RIGHT),
    "dpo_loss": ("chosen, rejected, chosen_reference, rejected_reference, beta", DPO_WRONG, DPO_RIGHT),
    "cdpo_loss": ("chosen, rejected, chosen_reference, rejected_reference, beta, smoothing", CDPO_WRONG, CDPO_RIGHT),
    "ipo_loss": (
        "chosen, rejected, chosen_reference, rejected_reference, lengths_chosen, lengths_rejected, beta",
        IPO_WRONG,
        IPO_RIGHT,
    ),
    "kto_loss": ("logprobs, reference, up, kl, beta, up_weight=1.0, down_weight=1.0", KTO_WRONG, KTO_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
