"""Lab 07: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show, and "breaks" the rule that an answer breaks alone.
"""

from banks import bank_of

from course_lib.questions import lab07_rlhf as lab

PRELUDE = (
    "import math\nimport itertools\nimport statistics\nimport numpy as np\nimport torch\nimport torch.nn.functional as "
    "F\n"
)

LAST = "last = mask.shape[1] - 1 - mask.flip(1).int().argmax(1); at = (torch.arange(len(scores)), last)"
PAY = "r = torch.where(mask, -beta * (logprobs - reference), 0.0)"
PENALTY_WRONG = {
    "plus": f"{LAST}; r = beta * (logprobs - reference) * mask; r[at] += scores; return r",
    "times the mask": f"{LAST}; r = -beta * (logprobs - reference) * mask; r[at] += scores; return r",
    "never earns": f"{LAST}; r = torch.where(mask, -beta * (logprobs - reference).clamp(min=0), 0.0); r[at] += scores; "
    "return r",
    "always pays": f"{LAST}; r = torch.where(mask, -beta * (logprobs - reference).abs(), 0.0); r[at] += scores; "
    "return r",
    "no beta": f"{LAST}; r = -(logprobs - reference) * mask; r[at] += scores; return r",
    "no score": f"{PAY}; return r",
    "score everywhere": f"{PAY}; return r + scores[:, None] * mask",
    "score at the first": f"{PAY}; r[torch.arange(len(scores)), mask.int().argmax(1)] += scores; return r",
    "score in the last column": f"{PAY}; r[:, -1] += scores; return r",
    "score at the count": f"{PAY}; r[torch.arange(len(scores)), mask.sum(1) - 1] += scores; return r",
    "score spread": f"{PAY}; return r + scores[:, None] * mask / mask.sum(1, keepdim=True)",
    "not masked": f"{LAST}; r = -beta * (logprobs - reference); r[at] += scores; return r",
    "all at the end": f"{LAST}; r = torch.zeros_like(logprobs); r[at] = scores - beta * ((logprobs - reference) * "
    "mask).sum(1); return r",
    "k3": f"{LAST}; d = (reference - logprobs) * mask; r = -beta * (d.exp() - 1 - d); r[at] += scores; return r",
    "no logarithm": f"{LAST}; r = -beta * (logprobs - reference).exp() * mask; r[at] += scores; return r",
    "score in place of the penalty": f"{LAST}; {PAY}; r[at] = scores; return r",
    "score times beta": f"{LAST}; {PAY}; r[at] += beta * scores; return r",
    "probabilities": f"{LAST}; r = torch.where(mask, -beta * (logprobs.exp().log() - reference.exp().log()), 0.0); "
    "r[at] += scores; return r",
    "in place": f"{LAST}; logprobs -= reference; logprobs.mul_(-beta).masked_fill_(~mask, 0.0); logprobs[at] += "
    "scores; return logprobs",
    "float32": f"{LAST}; r = torch.where(mask, -beta * (logprobs.float() - reference.float()), 0.0); r[at] += "
    "scores.float(); return r",
    "a rate, not a sum": f"{LAST}; r = -beta * (logprobs - reference) * mask / mask.sum(1, keepdim=True); r[at] += "
    "scores; return r",
}
PENALTY_RIGHT = {
    "flip": f"{LAST}; {PAY}; r[at] += scores; return r",
    "where the next is off": "off = F.pad(mask[:, 1:], (0, 1)).bool(); last = mask & ~off; return torch.where(mask, "
    "beta * (reference - logprobs), 0.0) + torch.where(last, scores[:, None], 0.0)",
    "loop": "r = torch.zeros_like(logprobs)\n    for b in range(len(scores)):\n        at = mask[b].nonzero()[:, 0]\n  "
    "      r[b, at] = -beta * (logprobs[b, at] - reference[b, at])\n        r[b, at[-1]] += scores[b]\n    "
    "return r",
    "scatter_add": "last = (mask * torch.arange(1, mask.shape[1] + 1)).argmax(1, keepdim=True); return (-beta * "
    "(logprobs - reference)).masked_fill(~mask, 0.0).scatter_add(1, last, scores[:, None])",
}

GAE_LOOP = """A = torch.zeros_like(rewards); ahead = torch.zeros_like(rewards[:, 0]) if rewards.shape[1] else None
    nxt = ahead
    for t in reversed(range(rewards.shape[1])):
        m = mask[:, t].to(rewards.dtype)
        {line}
        A[:, t] = ahead
        nxt = {after}
    return A, {returns}"""


def gae(
    line="ahead = torch.where(mask[:, t], rewards[:, t] + gamma * nxt - values[:, t] + gamma * lam * ahead, 0 * ahead)",
    after="torch.where(mask[:, t], values[:, t], 0 * nxt)",
    returns="(A + values) * mask",
):
    return GAE_LOOP.format(line=line, after=after, returns=returns)


def gae_step(text):
    return gae(line=f"ahead = torch.where(mask[:, t], {text}, 0 * ahead)")


# fmt: off
GAE_WRONG = {
    "value of the padding": gae(after="values[:, t]"),
    "bootstraps from itself": gae(line="nxt = torch.where(mask[:, t] & (F.pad(mask, (0, 1))[:, t + 1] == 0), values[:, "
                                       "t], nxt); ahead = torch.where(mask[:, t], rewards[:, t] + gamma * nxt - "
                                       "values[:, t] + gamma * lam * ahead, 0 * ahead)"),
    "no gamma in delta": gae_step("rewards[:, t] + nxt - values[:, t] + gamma * lam * ahead"),
    "lambda alone": gae_step("rewards[:, t] + gamma * nxt - values[:, t] + lam * ahead"),
    "gamma alone": gae_step("rewards[:, t] + gamma * nxt - values[:, t] + gamma * ahead"),
    "delta alone": gae_step("rewards[:, t] + gamma * nxt - values[:, t]"),
    "plus V": gae_step("rewards[:, t] + gamma * nxt + values[:, t] + gamma * lam * ahead"),
    "no values": gae_step("rewards[:, t] + gamma * lam * ahead"),
    "monte carlo": gae(line="ahead = torch.where(mask[:, t], rewards[:, t] + gamma * ahead, 0 * ahead)", returns="A"),
    "whitened": gae().replace("return A, (A + values) * mask",
        "R = (A + values) * mask; k = A[mask]; return (A - k.mean()) / (k.std() + 1e-8) * mask, R"),
    "forward": gae(line="s = rewards.shape[1] - 1 - t; d = rewards[:, s] + gamma * (values * mask)[:, s + 1:s + "
                        "2].sum(1) - values[:, s]; ahead = torch.where(mask[:, s], d + gamma * lam * ahead, 0 * "
                        "ahead); t = s", after="nxt"),
    "swapped": gae().replace("return A, (A + values) * mask", "return (A + values) * mask, A"),
    "advantages twice": gae(returns="A"),
    "returns Monte-Carlo": gae().replace("return A, (A + values) * mask",
        "R = torch.zeros_like(rewards); g = torch.zeros_like(nxt)\n    for t in reversed(range(rewards.shape[1])):\n   "
        "     g = torch.where(mask[:, t], rewards[:, t] + gamma * g, 0 * g); R[:, t] = g\n    return A, R"),
    "returns A minus V": gae(returns="(A - values) * mask"),
    "returns not masked": gae(returns="A + values"),
    "not masked": gae(line="ahead = rewards[:, t] + gamma * nxt - values[:, t] + gamma * lam * ahead",
        after="values[:, t]"),
    "masked at the end only": gae(line="ahead = rewards[:, t] + gamma * nxt - values[:, t] + gamma * lam * ahead",
        after="values[:, t]", returns="(A + values) * mask").replace("return A,", "A = A * mask; return A,"),
    "values changed in place": "values *= mask; rewards *= mask\n    " + gae(),
    "float32": "rewards, values = rewards.float(), values.float()\n    " + gae(),
    "divides by nothing": gae(line="ahead = torch.where(mask[:, t], rewards[:, t] + gamma * nxt - values[:, t] + gamma "
                              "* lam * ahead, 0 * ahead) / mask.any(0)[t]"),
}
# fmt: on
GAE_RIGHT = {
    "where": gae(),
    "begins with a column": gae().replace(" if rewards.shape[1] else None", ""),
    "multiplied": gae(
        line="ahead = m * (rewards[:, t] + gamma * nxt - values[:, t] + gamma * lam * ahead)", after="m * values[:, t]"
    ),
    "delta first": "v = values.masked_fill(~mask, 0.0); r = rewards.masked_fill(~mask, 0.0); d = r + gamma * F.pad(v, "
    "(0, 1))[:, 1:] - v if v.shape[1] else v\n    A = d.clone()\n    for t in range(A.shape[1] - 2, "
    "-1, -1):\n        A[:, t] += gamma * lam * A[:, t + 1]\n    A = A * mask\n    return A, A + v",
    "row by row": "A = torch.zeros_like(rewards)\n    for b in range(len(mask)):\n        nxt = ahead = 0.0\n        "
    "for t in mask[b].nonzero()[:, 0].tolist()[::-1]:\n            ahead = rewards[b, t] + gamma * nxt "
    "- values[b, t] + gamma * lam * ahead\n            nxt = values[b, t]; A[b, t] = ahead\n    return "
    "[A, torch.where(mask, A + values, 0 * values)]",
    "powers": "T = rewards.shape[1]; v = values * mask; d = (rewards + gamma * F.pad(v, (0, 1))[:, 1:] - "
    "values).masked_fill(~mask, 0.0) if T else rewards * 1\n    i = torch.arange(T); gap = (i[:, None] - "
    "i[None, :]); w = torch.where(gap >= 0, torch.tensor(gamma * lam, dtype=d.dtype) ** gap.clamp(min=0), "
    "torch.zeros((), dtype=d.dtype))\n    A = (d @ w) * mask; return A, A + v",
}

# δ over the whole row in "powers": the prompt's δ is masked, and a later answer's never reaches an earlier one, for
# there is one answer a row

RATIO = "r = (logprobs - old).exp(); c = r.clamp(1 - clip, 1 + clip)"
MASKED = "(x * mask).sum() / mask.sum()"
POLICY_WRONG = {
    "sign": f"{RATIO}; x = torch.minimum(r * advantages, c * advantages); return {MASKED}",
    "maximum": f"{RATIO}; x = -torch.maximum(r * advantages, c * advantages); return {MASKED}",
    "not clipped": f"{RATIO}; x = -r * advantages; return {MASKED}",
    "clipped only": f"{RATIO}; x = -c * advantages; return {MASKED}",
    "inverted": "r = (old - logprobs).exp(); c = r.clamp(1 - clip, 1 + clip); x = -torch.minimum(r * advantages, c * "
    f"advantages); return {MASKED}",
    "no exp": "r = logprobs - old; c = r.clamp(1 - clip, 1 + clip); x = -torch.minimum(r * advantages, c * "
    f"advantages); return {MASKED}",
    "clipped round 0": "r = (logprobs - old).exp(); c = r.clamp(-clip, clip); x = -torch.minimum(r * advantages, c * "
    f"advantages); return {MASKED}",
    "log-probabilities": f"x = -logprobs * advantages; return {MASKED}",
    "mean over all": f"{RATIO}; return -torch.minimum(r * advantages, c * advantages).mean()",
    "padding counted": f"{RATIO}; return (-torch.minimum(r * advantages, c * advantages) * mask).mean()",
    "answers first": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages) * mask; return (x.sum(1) / "
    "mask.sum(1)).mean()",
    "sum": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages) * mask; return x.sum()",
    "over answers": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages) * mask; return x.sum() / len(mask)",
    "one ratio an answer": "r = ((logprobs - old) * mask).sum(1, keepdim=True).exp(); c = r.clamp(1 - clip, 1 + "
    f"clip); x = -torch.minimum(r * advantages, c * advantages); return {MASKED}",
    "detached": f"{RATIO}; x = -torch.minimum(r.detach() * advantages, c.detach() * advantages); return {MASKED}",
    "detached logprobs": f"logprobs = logprobs.detach(); {RATIO}; x = -torch.minimum(r * advantages, c * advantages); "
    f"return {MASKED}",
    "log-derivative, no ratio": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages).detach() - advantages * "
    f"(logprobs - logprobs.detach()); return {MASKED}",
    "item": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages); return torch.tensor(({MASKED}).item())",
    "quotient of probabilities": "r = logprobs.exp() / old.exp(); c = r.clamp(1 - clip, 1 + clip); x = "
    "-torch.minimum(r * advantages, c * advantages); return x[mask].mean()",
    "whitens, too": f"a = (advantages - advantages[mask].mean()) / advantages[mask].std(); {RATIO}; x = "
    f"-torch.minimum(r * a, c * a); return {MASKED}",
    "clip fixed": "r = (logprobs - old).exp(); c = r.clamp(0.8, 1.2); x = -torch.minimum(r * advantages, c * "
    f"advantages); return {MASKED}",
    "log-ratio held at 1": "r = (logprobs - old).clamp(-1, 1).exp(); c = r.clamp(1 - clip, 1 + clip); x = "
    f"-torch.minimum(r * advantages, c * advantages); return {MASKED}",
    "log-ratio held at 5": "r = (logprobs - old).clamp(-5, 5).exp(); c = r.clamp(1 - clip, 1 + clip); x = "
    f"-torch.minimum(r * advantages, c * advantages); return {MASKED}",
    "gradient of the unclipped": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages).detach() - (r - "
    f"r.detach()) * advantages; return {MASKED}",
    "old not used": "r = (logprobs - logprobs.detach()).exp(); c = r.clamp(1 - clip, 1 + clip); x = -torch.minimum(r * "
    f"advantages, c * advantages); return {MASKED}",
    "in place": f"advantages *= mask; {RATIO}; x = -torch.minimum(r * advantages, c * advantages); return {MASKED}",
    "float32": f"logprobs, old, advantages = logprobs.float(), old.float(), advantages.float(); {RATIO}; x = "
    f"-torch.minimum(r * advantages, c * advantages); return {MASKED}",
}
POLICY_RIGHT = {
    "minimum": f"{RATIO}; x = -torch.minimum(r * advantages, c * advantages); return {MASKED}",
    "masked first": "r = torch.exp(logprobs[mask] - old[mask]); a = advantages[mask]; return torch.max(-a * r, -a * "
    "torch.clamp(r, 1 - clip, 1 + clip)).mean()",
    "cases": "a = advantages[mask]; r = (logprobs - old)[mask].exp(); return -torch.where(a > 0, a * r.clamp(max=1 + "
    "clip), a * r.clamp(min=1 - clip)).sum() / a.numel()",
    "where": f"{RATIO}; x = torch.where(r * advantages < c * advantages, r * advantages, c * advantages); return "
    "-x.masked_select(mask).mean()",
}

ERRORS = "near = old + (values - old).clamp(-clip, clip); a, b = (values - returns) ** 2, (near - returns) ** 2"
HALF = "0.5 * (x * mask).sum() / mask.sum()"
VALUE_WRONG = {
    "no half": f"{ERRORS}; x = torch.maximum(a, b); return (x * mask).sum() / mask.sum()",
    "minimum": f"{ERRORS}; x = torch.minimum(a, b); return {HALF}",
    "not clipped": f"{ERRORS}; x = a; return {HALF}",
    "clipped only": f"{ERRORS}; x = b; return {HALF}",
    "clipped to ± clip": "x = torch.maximum((values - returns) ** 2, (values.clamp(-clip, clip) - returns) ** 2); "
    f"return {HALF}",
    "clipped round the return": "x = torch.maximum((values - returns) ** 2, (values - returns).clamp(-clip, clip) ** "
    f"2); return {HALF}",
    "old forgotten": "x = torch.maximum((values - returns) ** 2, ((values - old).clamp(-clip, clip) - returns) ** 2); "
    f"return {HALF}",
    "old judged": f"{ERRORS}; x = torch.maximum((old - returns) ** 2, b); return {HALF}",
    "absolute": f"{ERRORS}; x = torch.maximum((values - returns).abs(), (near - returns).abs()); return {HALF}",
    "mean over all": f"{ERRORS}; return 0.5 * torch.maximum(a, b).mean()",
    "padding counted": f"{ERRORS}; return 0.5 * (torch.maximum(a, b) * mask).mean()",
    "answers first": f"{ERRORS}; x = torch.maximum(a, b) * mask; return 0.5 * (x.sum(1) / mask.sum(1)).mean()",
    "sum": f"{ERRORS}; return 0.5 * (torch.maximum(a, b) * mask).sum()",
    "sign": f"{ERRORS}; x = torch.maximum(a, b); return -{HALF}",
    "detached": f"values = values.detach(); {ERRORS}; x = torch.maximum(a, b); return {HALF}",
    "gradient of the plain error": f"{ERRORS}; x = torch.maximum(a, b).detach() + a - a.detach(); return {HALF}",
    "over answers": f"{ERRORS}; return 0.5 * (torch.maximum(a, b) * mask).sum() / len(mask)",
    "in place": f"returns *= mask; {ERRORS}; x = torch.maximum(a, b); return {HALF}",
    "float32": f"values, old, returns = values.float(), old.float(), returns.float(); {ERRORS}; x = torch.maximum(a, "
    f"b); return {HALF}",
    "item": f"{ERRORS}; x = torch.maximum(a, b); return ({HALF}).item()",
}
VALUE_RIGHT = {
    "maximum": f"{ERRORS}; x = torch.maximum(a, b); return {HALF}",
    "masked first": "v, o, r = values[mask], old[mask], returns[mask]; near = torch.clamp(v, o - clip, o + clip); "
    "return torch.max((v - r).pow(2), (near - r).pow(2)).mean() / 2",
    "min and max": "near = torch.min(torch.max(values, old - clip), old + clip); x = torch.maximum((near - "
    f"returns).square(), (values - returns).square()); return {HALF}",
    "where": f"{ERRORS}; x = torch.where(b > a, b, a); return x.masked_select(mask).mean().div(2)",
}

GROUP_WRONG = {
    "batch mean and std": "c = rewards - rewards.mean(); return c / (rewards.std() + 1e-4) if scale else c",
    "batch mean": "c = rewards - rewards.mean(); return c / (rewards.std(1, keepdim=True) + 1e-4) if scale else c",
    "batch std": "c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.std() + 1e-4) if scale else c",
    "columns": "c = rewards - rewards.mean(0, keepdim=True); return c / (rewards.std(0, keepdim=True) + 1e-4) if scale "
    "else c",
    "no mean": "return rewards / (rewards.std(1, keepdim=True) + 1e-4) if scale else rewards",
    "scale ignored": "return rewards - rewards.mean(1, keepdim=True)",
    "always scaled": "return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)",
    "G": "c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.std(1, correction=0, keepdim=True) + 1e-4) "
    "if scale else c",
    "variance": "c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.var(1, keepdim=True) + 1e-4) if "
    "scale else c",
    "times std": "c = rewards - rewards.mean(1, keepdim=True); return c * (rewards.std(1, keepdim=True) + 1e-4) if "
    "scale else c",
    "sign": "c = rewards.mean(1, keepdim=True) - rewards; return c / (rewards.std(1, keepdim=True) + 1e-4) if scale "
    "else c",
    "median": "c = rewards - rewards.median(1, keepdim=True).values; return c / (rewards.std(1, keepdim=True) + 1e-4) "
    "if scale else c",
    "minus the best": "c = rewards - rewards.amax(1, keepdim=True); return c / (rewards.std(1, keepdim=True) + 1e-4) "
    "if scale else c",
    "best one only": "return torch.zeros_like(rewards).scatter(1, rewards.argmax(1, keepdim=True), 1.0)",
    "epsilon in the root": "c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.var(1, keepdim=True) + "
    "1e-4).sqrt() if scale else c",
    "no epsilon": (
        "c = rewards - rewards.mean(1, keepdim=True); return c / rewards.std(1, keepdim=True) if scale else c"
    ),
    "epsilon only where it is not needed": "c = rewards - rewards.mean(1, keepdim=True); s = rewards.std(1, "
    "keepdim=True); return c / (s + 1e-4 * (s > 0)) if scale else c",
    "nan to num": "c = rewards - rewards.mean(1, keepdim=True); return torch.nan_to_num(c / rewards.std(1, "
    "keepdim=True)) if scale else c",
    "epsilon 1e-8": "c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.std(1, keepdim=True) + 1e-8) if "
    "scale else c",
    "in place": "rewards -= rewards.mean(1, keepdim=True); return rewards / (rewards.std(1, keepdim=True) + 1e-4) if "
    "scale else rewards",
    "float32": "rewards = rewards.float(); c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.std(1, "
    "keepdim=True) + 1e-4) if scale else c",
}
GROUP_RIGHT = {
    "std": "c = rewards - rewards.mean(1, keepdim=True); return c / (rewards.std(1, keepdim=True) + 1e-4) if scale "
    "else c",
    "std_mean": "s, m = torch.std_mean(rewards, dim=-1, keepdim=True); return (rewards - m) / (s + 1e-4 if scale else "
    "1.0)",
    "loop": "out = []\n    for row in rewards:\n        c = row - row.sum() / len(row)\n        out.append(c / ((c @ c "
    "/ (len(row) - 1)).sqrt() + 1e-4) if scale else c)\n    return torch.stack(out)",
    "transposed": "c = (rewards.T - rewards.mean(dim=1)).T; return c if not scale else (c.T / (rewards.std(dim=1) + "
    "1e-4)).T",
}

RANKS = "P, K = scores.shape; ranked = worth.gather(1, scores.argsort(1)).double()"
WEIGHTS = "w = torch.tensor([math.comb(i, n - 1) / math.comb(K, n) for i in range(K)], dtype=torch.float64)"
KL = "math.log(n) - (n - 1) / n"


def best(value="float((ranked * w).sum(1).mean())", kl=KL, ranks=RANKS, weights=WEIGHTS):
    return f"{ranks}; {weights}; return {kl}, {value}"


# fmt: off
BEST_WRONG = {
    "log n": best(kl="math.log(n)"),
    "plus": best(kl="math.log(n) + (n - 1) / n"),
    "bits": best(kl="math.log2(n) - (n - 1) / n"),
    "base 10": best(kl="math.log10(n) - (n - 1) / n"),
    "one over n": best(kl="math.log(n) - 1 / n"),
    "n - 1": best(kl="math.log(n) - (n - 1)"),
    "swapped": f"{RANKS}; {WEIGHTS}; return float((ranked * w).sum(1).mean()), {KL}",
    "chosen by worth": best(ranks="P, K = scores.shape; ranked = worth.sort(1).values.double()"),
    "scores averaged": best(ranks="P, K = scores.shape; ranked = scores.sort(1).values.double()"),
    "worst": best(ranks="P, K = scores.shape; ranked = worth.gather(1, scores.argsort(1, descending=True)).double()"),
    "mean": best(value="float(worth.mean())"),
    "best of all": best(value="float(worth.gather(1, scores.argmax(1, keepdim=True)).mean())"),
    "first n": best(value="float(worth[:, :n].gather(1, scores[:, :n].argmax(1, keepdim=True)).mean())"),
    "top n averaged": best(value="float(worth.gather(1, scores.topk(n, 1).indices).mean())"),
    "with replacement": best(weights="w = torch.tensor([((i + 1) / K) ** n - (i / K) ** n for i in range(K)], "
                                     "dtype=torch.float64)"),
    "ranks from 1": best(weights="w = torch.tensor([math.comb(i + 1, n - 1) / math.comb(K, n) for i in range(K)], "
                                 "dtype=torch.float64)"),
    "prompts added up": best(value="float((ranked * w).sum())"),
    "argsort for ranks": best(ranks="P, K = scores.shape; ranked = worth.gather(1, "
                                    "scores.argsort(1).argsort(1)).double()"),
    "comb of n": best(weights="w = torch.tensor([math.comb(i, n) / math.comb(K, n) for i in range(K)], "
                              "dtype=torch.float64)"),
    "binomials as floats": best(weights="w = torch.tensor([float(math.comb(i, n - 1)) for i in range(K)], "
                                        "dtype=torch.float64) / float(math.comb(K, n))"),
    "sampled": "g = torch.Generator().manual_seed(0); P, K = scores.shape; v = []\n    for _ in range(300):\n        "
               "at = torch.randperm(K, generator=g)[:n]; v.append(worth[:, at].gather(1, scores[:, at].argmax(1, "
               "keepdim=True)).mean())\n    return math.log(n) - (n - 1) / n, float(torch.stack(v).mean())",
    "sorted in place": "at = scores.argsort(1); worth.copy_(worth.gather(1, at)); scores.copy_(scores.gather(1, at)); "
                       f"P, K = scores.shape; ranked = worth.double(); {WEIGHTS}; return {KL}, float((ranked * "
                       "w).sum(1).mean())",
    "ties by distinct scores": "total = 0.0\n    for s, v in zip(scores.tolist(), worth.tolist()):\n        seen = "
                               "dict(zip(s, v)); order = sorted(seen); K = len(order); m = min(n, K)\n        total "
                               "+= sum(seen[x] * (math.comb(i, m - 1) / math.comb(K, m)) for i, x in "
                               "enumerate(order))\n    return math.log(n) - (n - 1) / n, total / len(scores)",
}
# fmt: on
BEST_RIGHT = {
    "comb": best(),
    "fractions": "from fractions import Fraction\n    K = scores.shape[1]; total = 0.0\n    for s, v in "
    "zip(scores.tolist(), worth.tolist()):\n        order = sorted(range(K), key=lambda i: s[i])\n       "
    " total += sum(v[j] * float(Fraction(math.comb(i, n - 1), math.comb(K, n))) for i, j in "
    "enumerate(order) if i >= n - 1)\n    return math.log(n) - (n - 1) / n, total / len(scores)",
    "recursion": f"{RANKS}\n    w = [0.0] * K; w[K - 1] = n / K\n    for i in range(K - 2, n - 2, -1):\n        w[i] = "
    f"w[i + 1] * (i + 1 - n + 1) / (i + 1)\n    return {KL}, float((ranked * torch.tensor(w, "
    "dtype=torch.float64)).sum(1).mean())",
    "numpy": "s, v = scores.numpy(), worth.double().numpy(); K = s.shape[1]; ranked = np.take_along_axis(v, "
    "np.argsort(s, axis=1), 1)\n    w = np.array([math.comb(i, n - 1) / math.comb(K, n) for i in "
    "range(K)])\n    return float(np.log(n) - 1 + 1 / n), float((ranked @ w).mean())",
}

SMOOTH = (
    "h = window // 2; mean = lambda x: [sum(x[max(0, i - h):i + h + 1]) / len(x[max(0, i - h):i + h + 1]) for i in "
    "range(len(x))]"
)
ENOUGH = "if not steps: return None"
DECIDE = "return steps[at] if g[at] - g[-1] > fall and p[-1] > p[at] else None"


def turn(mean=SMOOTH, at="g.index(max(g))", decide=DECIDE, empty=ENOUGH, also=""):
    return f"{empty}\n    {mean}; p, g = mean(proxy), mean(gold); {also}at = {at}\n    {decide}"


TURN_WRONG = {
    "raw gold": turn(at="gold.index(max(gold))"),
    "raw proxy": turn(at="proxy.index(max(proxy))", decide="return steps[at]"),
    "smooth proxy": turn(at="p.index(max(p))", decide="return steps[at]"),
    "last": turn(at="len(steps) - 1", decide="return steps[at]"),
    "place": turn(decide=DECIDE.replace("steps[at]", "at")),
    "trailing": turn(
        mean="mean = lambda x: [sum(x[max(0, i - window + 1):i + 1]) / len(x[max(0, i - window + 1):i + 1]) for i in "
        "range(len(x))]"
    ),
    "lowest": turn(at="g.index(min(g))", decide="return steps[at]"),
    "the lowest point, not the end": turn(decide=DECIDE.replace("g[at] - g[-1]", "g[at] - min(g[at:])")),
    "no smoothing": turn(mean="mean = lambda x: list(x)"),
    "flat proxy": turn(decide=DECIDE.replace("p[-1] > p[at]", "p[-1] >= p[at]")),
    "widest gap": turn(at="max(range(len(g)), key=lambda i: proxy[i] - gold[i])", decide="return steps[at]"),
    "crossing": turn(at="next(i for i in range(len(g)) if proxy[i] > gold[i])", decide="return steps[at]"),
    "always": turn(decide="return steps[at]"),
    "proxy not looked at": turn(decide="return steps[at] if g[at] - g[-1] > fall else None"),
    "gold not looked at": turn(decide="return steps[at] if p[-1] > p[at] else None"),
    "raw end": turn(decide="return steps[at] if g[at] - gold[-1] > fall and p[-1] > p[at] else None"),
    "raw fall": turn(decide="return steps[at] if max(gold) - gold[-1] > fall and p[-1] > p[at] else None"),
    "at least": turn(decide=DECIDE.replace("> fall", ">= fall")),
    "-1 for none": turn(decide=DECIDE.replace("None", "-1")),
    "last of equals": turn(at="len(g) - 1 - g[::-1].index(max(g))"),
    "padded with zeros": turn(
        mean="h = window // 2; mean = lambda x: [sum(x[max(0, i - h):i + h + 1]) / (2 * h + 1) for i in range(len(x))]"
    ),
    "no empty run": turn(empty="pass"),
    "sorts in place": turn(also="gold.sort(); "),
    "median": turn(
        mean="h = window // 2; mean = lambda x: [statistics.median(x[max(0, i - h):i + h + 1]) for i in range(len(x))]"
    ),
}
TURN_RIGHT = {
    "lists": turn(),
    "numpy": "if not steps: return None\n    h = window // 2; k = np.ones(2 * h + 1)\n    full = lambda x: "
    "np.convolve(x, k, 'full')[h:h + len(x)]\n    n = full(np.ones(len(steps))); g, p = full(np.array(gold)) "
    "/ n, full(np.array(proxy)) / n\n    at = int(np.argmax(np.round(g, 12))); return steps[at] if g[at] - "
    "g[-1] > fall and p[-1] > p[at] else None",
    "loop": "def mean(x, i):\n        part = [v for j, v in enumerate(x) if abs(j - i) <= window // 2]\n        return "
    "math.fsum(part) / len(part)\n    best = None\n    for i in range(len(steps)):\n        if best is None "
    "or mean(gold, i) > mean(gold, best): best = i\n    if best is None: return None\n    n = len(steps) - "
    "1\n    if mean(gold, best) - mean(gold, n) <= fall: return None\n    return steps[best] if mean(proxy, "
    "n) > mean(proxy, best) else None",
    "tensors": "if len(steps) == 0: return None\n    h = window // 2; x = torch.tensor([proxy, gold], "
    "dtype=torch.float64); n = x.shape[1]\n    p, g = torch.stack([x[:, max(0, i - h):i + h + 1].mean(1) "
    "for i in range(n)], 1)\n    at = int((g >= g.max() - 1e-12).nonzero()[0]); return steps[at] if "
    "bool(g[at] - g[-1] > fall) and bool(p[-1] > p[at]) else None",
}

MEANS = "mean = lambda name, k: sum(row[name] for row in history[k - window + 1:k + 1]) / window"
BEYOND = "beyond = lambda value, side, bound: value > bound if side == 'above' else value < bound"


def diagnosis(
    mean=MEANS,
    beyond=BEYOND,
    at="next((k for k in range(window - 1, len(history)) if beyond(mean(name, k), side, bound)), None)",
    out="sorted((n for n in off if off[n] is not None), key=lambda n: off[n])",
):
    return (
        f"{mean}; {beyond}; off = {{}}\n    for name, (side, bound) in alarms.items():\n        off[name] = {at}\n    "
        f"return {out}"
    )


# fmt: off
DIAGNOSE_WRONG = {
    "single rows": diagnosis(mean="mean = lambda name, k: history[k][name]",
        at="next((k for k in range(len(history)) if beyond(mean(name, k), side, bound)), None)"),
    "order of alarms": diagnosis(out="[n for n in off if off[n] is not None]"),
    "reversed": diagnosis(out="sorted((n for n in off if off[n] is not None), key=lambda n: -off[n])"),
    "sides mixed up": diagnosis(beyond="beyond = lambda value, side, bound: value < bound if side == 'above' else "
                                       "value > bound"),
    "first only": diagnosis(out="sorted((n for n in off if off[n] is not None), key=lambda n: off[n])[:1]"),
    "alphabet": diagnosis(out="sorted(n for n in off if off[n] is not None)"),
    "all alarms": diagnosis(out="sorted((n for n in off if off[n] is not None), key=lambda n: off[n]) + [n for n in "
                                "off if off[n] is None]"),
    "the end only": diagnosis(at="len(history) - 1 if len(history) >= window and beyond(mean(name, len(history) - 1), "
                                 "side, bound) else None"),
    "on the bound": diagnosis(beyond="beyond = lambda value, side, bound: value >= bound if side == 'above' else value "
                                     "<= bound"),
    "half windows": diagnosis(mean="mean = lambda name, k: sum(row[name] for row in history[max(0, k - window + 1):k + "
                                   "1]) / len(history[max(0, k - window + 1):k + 1])",
                                       at="next((k for k in range(len(history)) if beyond(mean(name, k), side, "
                                          "bound)), None)"),
    "last row of the window": diagnosis(mean="mean = lambda name, k: history[k][name]"),
    "still off at the end": diagnosis(out="sorted((n for n in off if off[n] is not None and beyond(mean(n, "
                                          "len(history) - 1), *alarms[n])), key=lambda n: off[n])"),
    "equals by the alphabet": diagnosis(out="sorted((n for n in off if off[n] is not None), key=lambda n: (off[n], "
                                            "n))"),
    "always above": diagnosis(beyond="beyond = lambda value, side, bound: value > bound"),
    "dict of steps": diagnosis(out="{n: k for n, k in off.items() if k is not None}"),
    "first window left out": diagnosis(at="next((k for k in range(window, len(history)) if beyond(mean(name, k), side, "
                                          "bound)), None)"),
    "pops rows": "found = []\n    while len(history) >= window:\n        for name, (side, bound) in alarms.items():\n  "
                 "          m = sum(r[name] for r in history[:window]) / window\n            if name not in found and "
                 "(m > bound if side == 'above' else m < bound): found.append(name)\n        history.pop(0)\n    "
                 "return found",
    "all rows of the window": diagnosis(at="next((k for k in range(window - 1, len(history)) if all(beyond(r[name], "
                                           "side, bound) for r in history[k - window + 1:k + 1])), None)"),
    "text": diagnosis(out="', '.join(sorted((n for n in off if off[n] is not None), key=lambda n: off[n]))"),
}
# fmt: on
DIAGNOSE_RIGHT = {
    "means": diagnosis(),
    "row by row": "found = []\n    for end in range(window, len(history) + 1):\n        part = history[end - "
    "window:end]\n        for name, (side, bound) in alarms.items():\n            m = "
    "math.fsum(row[name] for row in part) / window\n            if name not in found and (m > bound if "
    "side == 'above' else m < bound): found.append(name)\n    return found",
    "signs": "went = {}\n    for name, (side, bound) in alarms.items():\n        sign = 1 if side == 'above' else -1; "
    "x = [sign * row[name] for row in history]\n        for k in range(len(x) - window + 1):\n            if "
    "statistics.fmean(x[k:k + window]) > sign * bound: went[name] = k; break\n    return sorted(went, "
    "key=went.get)",
    "numpy": "found = []\n    for place, (name, (side, bound)) in enumerate(alarms.items()):\n        x = "
    "np.array([row[name] for row in history])\n        if len(x) < window: continue\n        m = "
    "np.lib.stride_tricks.sliding_window_view(x, window).mean(1)\n        hit = np.flatnonzero(m > bound if "
    "side == 'above' else m < bound)\n        if len(hit): found.append((int(hit[0]), place, name))\n    "
    "return [name for _, _, name in sorted(found)]",
}

BUG_TERMS = "r = (logprobs - old).exp(); x = -torch.minimum(r * advantages, r.clamp(1 - clip, 1 + clip) * advantages)"
BUG_KEPT = "r, a = (logprobs - old)[mask].exp(), advantages[mask]"
BUG_WRONG = {
    "nothing mended": f"{BUG_KEPT}; return -(torch.where(a > 0, r.clamp(min=1 - clip), r.clamp(max=1 + clip)) * "
    "a).mean(), 'C'",
    "named the sign": f"{BUG_TERMS}; return {MASKED}, 'A'",
    "named the old policy": f"{BUG_TERMS}; return {MASKED}, 'B'",
    "said in words": f"{BUG_TERMS}; return {MASKED}, 'the wrong side'",
    "clip taken out": f"r = (logprobs - old).exp(); x = -r * advantages; return {MASKED}, 'C'",
    "both sides clipped": "r = (logprobs - old).exp().clamp(1 - clip, 1 + clip); x = -r * advantages; return "
    f"{MASKED}, 'C'",
    "sign turned": f"{BUG_TERMS}; return -{MASKED}, 'A'",
    "ratio turned": f"{BUG_TERMS.replace('logprobs - old', 'old - logprobs')}; return {MASKED}, 'E'",
    "old not used": f"{BUG_TERMS.replace('logprobs - old', 'logprobs - logprobs.detach()')}; return {MASKED}, 'B'",
    "answers first": f"{BUG_TERMS}; return ((x * mask).sum(1) / mask.sum(1)).mean(), 'C'",
    "mean over all": f"{BUG_TERMS}; return x.mean(), 'C'",
    "detached": f"{BUG_TERMS}; return ({MASKED}).detach(), 'C'",
    "the letter alone": "return 'C'",
    "changed places": f"{BUG_TERMS}; return 'C', {MASKED}",
}
BUG_RIGHT = {
    "minimum": f"{BUG_TERMS}; return {MASKED}, 'C'",
    "cases": f"{BUG_KEPT}; return -torch.where(a > 0, a * r.clamp(max=1 + clip), a * r.clamp(min=1 - clip)).mean(), "
    "'C'",
    "small letter": f"{BUG_KEPT}; return torch.maximum(-a * r, -a * r.clamp(1 - clip, 1 + clip)).mean(), 'c'",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "kl_penalty": {
        "plus": "sign of the penalty", "no beta": "β is missing", "no score": "score is missing",
        "score everywhere": "at every token", "score at the first": "at the first token",
        "score in the last column": "last column", "score at the count": "mask.sum() − 1",
        "score spread": "spread over", "not masked": "prompt and padding", "all at the end": "pays its own",
        "k3": "estimator k3", "no logarithm": "without its logarithm",
        "score in place of the penalty": "took the place", "score times beta": "multiplied by β",
        "a rate, not a sum": "divided by the answer's length", "times the mask": "0 · NaN",
        "never earns": "earned nothing", "always pays": "paid, too",
    },
    "gae": {
        "value of the padding": "from the padding", "bootstraps from itself": "V of the last token",
        "no gamma in delta": "missing from δ", "lambda alone": "λ alone", "gamma alone": "γ alone",
        "delta alone": "only δ", "plus V": "V was added", "no values": "values were not used",
        "monte carlo": "Monte-Carlo", "whitened": "whitened", "forward": "from the past", "swapped": "changed places",
        "advantages twice": "came back twice", "returns Monte-Carlo": "discounted rewards",
        "returns A minus V": "A − V", "returns not masked": "off the answer",
    },
    "clipped_policy_loss": {
        "sign": "sign is wrong", "maximum": "larger of the two", "not clipped": "nothing was clipped",
        "clipped only": "only the clipped", "inverted": "other way round", "no exp": "without exp",
        "clipped round 0": "0 ± clip", "log-probabilities": "in place of the ratio", "mean over all": "ran over prompt",
        "padding counted": "counted in the mean", "answers first": "averaged first", "sum": "added up",
        "over answers": "number of answers", "one ratio an answer": "whole answer", "clip fixed": "ε is 0.2",
        "whitens, too": "whitened", "log-ratio held at 1": "held at ±1", "gradient of the unclipped": "unclipped loss",
        "old not used": "old policy was not used", "log-derivative, no ratio": "constant in your graph",
    },
    "clipped_value_loss": {
        "no half": "½ is missing", "minimum": "smaller error", "not clipped": "nothing was clipped",
        "clipped only": "only the clipped", "clipped to ± clip": "clipped to ± clip",
        "clipped round the return": "nothing was clipped", "old forgotten": "old value is missing",
        "old judged": "old values were judged", "absolute": "absolute errors", "mean over all": "ran over prompt",
        "padding counted": "counted in the mean", "answers first": "averaged first", "sum": "added up",
        "sign": "sign is wrong", "gradient of the plain error": "unclipped loss", "over answers": "number of answers",
    },
    "group_advantages": {
        "batch mean and std": "mean and deviation were taken over the whole",
        "batch mean": "mean was taken over the whole", "batch std": "deviation was taken over the whole",
        "columns": "ran over the columns", "no mean": "not taken off", "scale ignored": "although scale is True",
        "G": "G − 1", "variance": "variance", "times std": "multiplied", "sign": "sign is wrong", "median": "median",
        "minus the best": "best of its group", "best one only": "1 for the best", "epsilon in the root": "in the root",
        "always scaled": "although scale is False", "epsilon 1e-8": "much smaller", "nan to num": "ε is missing",
        "no epsilon": "ε is missing",
    },
    "best_of_n": {
        "log n": "−(n − 1)/n is missing", "plus": "sign of (n", "bits": "base 2", "base 10": "base 10",
        "one over n": "written as 1/n", "n - 1": "not divided by n", "swapped": "changed places",
        "chosen by worth": "chosen by their worth", "scores averaged": "best SCORE", "worst": "worst of n",
        "mean": "plain mean", "best of all": "all K answers", "first n": "first n answers",
        "top n averaged": "n best answers", "with replacement": "with replacement", "ranks from 1": "count from 1",
        "prompts added up": "added up", "comb of n": "C(i, n)", "argsort for ranks": "argsort",
    },
    "turning_point": {
        "raw proxy": "PROXY", "smooth proxy": "PROXY", "last": "last step",
        "place": "not its step", "trailing": "looks back", "widest gap": "gap", "crossing": "cross",
        "no smoothing": "single measurement", "lowest": "lowest", "last of equals": "last of two",
        "padded with zeros": "divided by 3",
    },
    "diagnose": {
        "single rows": "single rows", "order of alarms": "order of `alarms`",
        "sides mixed up": "sides", "first only": "only the first",
        "all alarms": "never went off", "always above": 'read as "above"', "dict of steps": "names alone",
        "text": "one text", "all rows of the window": "each row of the window", "still off at the end": "still off",
        "equals by the alphabet": "equals stand", "the end only": "order of `alarms`", "reversed": "wrong way round",
        "alphabet": "alphabet's order", "last row of the window": "single rows",
    },
    "find_the_bug": {
        "nothing mended": "still in it", "clip taken out": "clip is missing", "both sides clipped": "both sides",
        "sign turned": "sign is wrong", "ratio turned": "upside down", "old not used": "not used",
        "answers first": "averaged first", "mean over all": "ran over prompt",
    },
}
# fmt: on

BREAKS = {
    "kl_penalty": {
        "score in the last column": lab.LAST_TRUE, "times the mask": lab.PENALTY_OFF, "never earns": lab.EARNS,
        "always pays": lab.EARNS,
    },
    "gae": {"value of the padding": lab.NOTHING_AFTER, "returns not masked": lab.GAE_OFF},
    "clipped_policy_loss": {
        "answers first": lab.ALL_TOKENS, "mean over all": lab.ALL_TOKENS, "padding counted": lab.ALL_TOKENS,
        "clipped only": lab.MINIMUM, "log-ratio held at 1": lab.MINIMUM, "log-ratio held at 5": lab.MINIMUM,
        "quotient of probabilities": lab.LOGARITHMS, "gradient of the unclipped": lab.HELD,
    },
    "clipped_value_loss": {
        "clipped only": lab.LARGER, "answers first": lab.ALL_TOKENS, "mean over all": lab.ALL_TOKENS,
        "padding counted": lab.ALL_TOKENS, "gradient of the plain error": lab.VALUE_HELD,
    },
    "group_advantages": {
        "always scaled": lab.UNSCALED, "epsilon only where it is not needed": lab.ALL_TIED, "epsilon 1e-8": lab.EPSILON,
        "epsilon in the root": lab.EPSILON,
    },
    "best_of_n": {"ties by distinct scores": lab.OWN_RANK, "binomials as floats": lab.LARGE},
    "turning_point": {
        "no smoothing": lab.SMOOTHED, "raw end": lab.SMOOTHED, "padded with zeros": lab.AT_THE_ENDS,
        "the lowest point, not the end": lab.FALLEN, "at least": lab.FALLEN, "proxy not looked at": lab.PROXY_UP,
        "flat proxy": lab.PROXY_UP, "last of equals": lab.FIRST_OF_EQUALS, "no empty run": lab.NOT_MEASURED,
    },
    "diagnose": {
        "last row of the window": lab.OF_WINDOW, "half windows": lab.WHOLE_ONLY,
        "first window left out": lab.WHOLE_ONLY, "on the bound": lab.NEVER_EQUAL, "still off at the end": lab.CAME_BACK,
        "equals by the alphabet": lab.SAME_ROW,
    },
    "find_the_bug": {
        "named the sign": lab.NAMED, "answers first": lab.AS_BEFORE, "detached": lab.WITH_GRADIENT,
    },
}  # fmt: skip
BODIES = {
    "kl_penalty": ("scores, logprobs, reference, mask, beta", PENALTY_WRONG, PENALTY_RIGHT),
    "gae": ("rewards, values, mask, gamma, lam", GAE_WRONG, GAE_RIGHT),
    "clipped_policy_loss": ("logprobs, old, advantages, mask, clip", POLICY_WRONG, POLICY_RIGHT),
    "clipped_value_loss": ("values, old, returns, mask, clip", VALUE_WRONG, VALUE_RIGHT),
    "group_advantages": ("rewards, scale", GROUP_WRONG, GROUP_RIGHT),
    "best_of_n": ("scores, worth, n", BEST_WRONG, BEST_RIGHT),
    "turning_point": ("steps, proxy, gold, window, fall", TURN_WRONG, TURN_RIGHT),
    "diagnose": ("history, alarms, window", DIAGNOSE_WRONG, DIAGNOSE_RIGHT),
    "find_the_bug": ("logprobs, old, advantages, mask, clip", BUG_WRONG, BUG_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
