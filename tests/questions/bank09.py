"""Lab 09: wrong answers that students really write, and right answers written in other ways. Each is source text for a
fresh namespace.

A wrong answer must fail; where the question names its misconception, "named" below holds words of the mistake that the
card must show.
"""

from banks import bank_of

from course_lib.questions import lab09_ai_feedback as lab

PRELUDE = (
    "import math\nfrom functools import reduce\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\n"
)

DRAW = "principles[int(torch.randint(len(principles), (1,), generator=generator))]"


def loop(line, before="pass", count="rounds", after="return answer"):
    """critique_and_revise with `line` in its loop; `p` is the principle drawn."""
    return f"{before}\n    for _ in range({count}):\n        p = {DRAW}\n        {line}\n    {after}"


STEP = "c = critiques[p][answer]; answer = revisions[answer][c] if c is not None else answer"
# fmt: off
LOOP_WRONG = {
    "one principle for all rounds": f"p = {DRAW}\n    for _ in range(rounds):\n        {STEP}\n    return answer",
    "stops where nothing is found": loop("c = critiques[p][answer]\n        if c is None:\n            return answer\n "
                                         "       answer = revisions[answer][c]"),
    "stops after the first revision": loop("c = critiques[p][answer]\n        if c is not None:\n            return "
                                           "revisions[answer][c]"),
    "always from the first answer": loop("c = critiques[p][first]; answer = revisions[first][c] if c is not None else "
                                         "answer", before="first = answer"),
    "critique of the first answer": loop("c = critiques[p][first]; answer = revisions[answer].get(c, answer)",
                                         before="first = answer"),
    "one round at least": loop(STEP, count="max(1, rounds)"),
    "None where nothing was criticised": loop(f"{STEP}; done = done or c is not None", before="done = rounds == 0",
                                              after="return answer if done else None"),
    "the generator begins anew": loop(STEP, before="generator.manual_seed(generator.initial_seed())"),
    "inputs used up": loop(STEP, after="principles.clear(); return answer"),
    "a round too few": loop(STEP, count="rounds - 1"),
    "a round too many": loop(STEP, count="rounds + 1"),
    "one round": loop(STEP, count="1"),
    "principles in their order": f"for k in range(rounds):\n        p = principles[k % len(principles)]; {STEP}\n    "
                                 "return answer",
    "each principle once": f"for p in principles:\n        {STEP}\n    return answer",
    "critique returned": loop(STEP, before="c = None", after="return c"),
    "never revised": loop("c = critiques[p][answer]"),
    "without the generator": loop(STEP).replace(", generator=generator", ""),
    "a generator of its own": loop(STEP, before="generator = torch.Generator().manual_seed(0)"),
    "no look at None": loop("answer = revisions[answer][critiques[p][answer]]"),
    "without replacement": "order = torch.randperm(len(principles), generator=generator).tolist()\n    for k in "
                           f"range(rounds):\n        p = principles[order[k % len(order)]]; {STEP}\n    return answer",
    "by Python's random": "import random\n    for _ in range(rounds):\n        p = random.choice(principles); "
                          f"{STEP}\n    return answer",
    "principles used up": "for _ in range(rounds):\n        if not principles:\n            break\n        p = "
                          f"principles.pop(int(torch.randint(len(principles), (1,), generator=generator))); {STEP}\n  "
                          "  return answer",
}
# fmt: on
LOOP_RIGHT = {
    "loop": loop(STEP),
    "drawn beforehand": f"drawn = [{DRAW} for _ in range(rounds)]\n    for p in drawn:\n        {STEP}\n    return "
    "answer",
    "get": "for _ in range(rounds):\n        k = torch.randint(0, len(principles), (), generator=generator).item()\n   "
    "     found = critiques[principles[k]].get(answer)\n        if found:\n            answer = "
    "revisions[answer].get(found)\n    return answer",
    "recursion": f"if rounds == 0:\n        return answer\n    p = {DRAW}\n    c = critiques[p][answer]\n    return "
    "critique_and_revise(answer if c is None else revisions[answer][c], principles, critiques, "
    "revisions, rounds - 1, generator)",
    "reduce": f"step = lambda a, _: (lambda c: a if c is None else revisions[a][c])(critiques[{DRAW}][a])\n    return "
    "reduce(step, range(rounds), answer)",
}

SHARE = "share = covers.float().mean(0)"
COVERAGE_WRONG = {
    "one round": f"{SHARE}; return share",
    "added up": f"{SHARE}; return rounds * share",
    "added up to 1": f"{SHARE}; return (rounds * share).clamp(max=1)",
    "in every round": f"{SHARE}; return share ** rounds",
    "missed": f"{SHARE}; return (1 - share) ** rounds",
    "without replacement": "P = len(covers); return torch.tensor([1 - math.comb(P - int(n), min(rounds, P)) / "
    "math.comb(P, min(rounds, P)) for n in covers.sum(0)])",
    "any": "return covers.any(0).float()",
    "over the requests": "return 1 - (1 - covers.float().mean(1)) ** rounds",
    "hits squared": f"{SHARE}; return 1 - (1 - share ** 2) ** rounds",
    "mean of booleans": "return 1 - (1 - covers.mean(0)) ** rounds",
    "poisson": f"{SHARE}; return 1 - torch.exp(-rounds * share)",
    "a floor": f"{SHARE}; return 1 - (1 - share.clamp(min=1e-6)) ** rounds",
    "one round at least": f"{SHARE}; return 1 - (1 - share) ** max(1, rounds)",
    "one number": f"{SHARE}; return (1 - (1 - share) ** rounds).mean()",
    "in place": "covers.logical_not_(); return 1 - covers.float().mean(0) ** rounds",
}
COVERAGE_RIGHT = {
    "one minus the misses": f"{SHARE}; return 1 - (1 - share) ** rounds",
    "share of misses": "missed = (~covers).float().mean(dim=0); return 1 - missed.pow(rounds)",
    "counting": "P, N = covers.shape; return torch.tensor([1 - ((P - covers[:, k].sum().item()) / P) ** rounds for k "
    "in range(N)])",
    "rounds one by one": "hit = torch.zeros(covers.shape[1])\n    for _ in range(rounds):\n        hit = hit + (1 - "
    "hit) * covers.double().mean(0)\n    return hit",
}

GOOD = (
    '["Do not help anybody to poison, steal or forge.", "Never help with unfair games, slander, cruelty to animals or '
    'tricks.", "Never hurt, cheat, shame, frighten or ruin anybody, and do nothing without consent."]'
)
OWN_WRONG = {
    "nothing": "return []",
    "one text": 'return "Do not help anybody to hurt, cheat, shame, frighten, ruin or act without consent."',
    "vague": 'return ["Be good to one another.", "Do not give inappropriate answers to anybody."]',
    "one vague among them": f'return {GOOD} + ["Always be a really nice assistant."]',
    "cruelty forgotten": 'return ["Do not help anybody to poison, to steal or to forge.", "Refuse unfair games, '
    'slander and tricks, and do not poison, steal or forge."]',
    "one principle for each kind": 'return ["Do not help to poison.", "Do not help to forge things.", "Do not help to '
    'steal.", "Do not help with unfair games.", "Do not help with slander.", "Do not '
    'help with cruelty.", "Do not help to trick people."]',
    "too many": 'return [f"Rule {k}: do not hurt, cheat, shame, frighten or ruin anybody, or act without consent." for '
    "k in range(12)]",
    "the course's own": "from course_lib.world import critic; return list(critic.PRINCIPLES)",
    "the course's own, in capitals": "from course_lib.world.critic import PRINCIPLES; return [p.upper() for p in "
    "PRINCIPLES]",
    "the draft and more": f"from course_lib.world import critic; return [critic.DRAFT[1], *{GOOD}]",
    "no full stop": 'return ["Do not hurt, cheat, shame, frighten or ruin anybody, or act without consent"]',
    "too long": 'return ["Do not help anybody who wants to hurt, to cheat, to shame, to frighten or to ruin a person, '
    "or who acts without consent, now or at any later time, for whatever good or bad reason there may be, even once."
    '"]',
    "an essay": 'return ["Do not help anybody to poison or steal or forge or cheat, " + "and be careful " * 20 + "with '
    'slander, cruelty, tricks and unfair games."]',
    "words without a sentence": 'return ["poison forgery theft unfair slander cruelty tricks"]',
    "never seen kinds only": 'return ["Do not help to burn things, to spy on people or to break things."]',
    "twice the same": 'return ["Do not hurt, cheat, shame, frighten or ruin anybody, or act without consent."] * 3',
    "numbers": "return [1, 2, 3]",
    "None among them": f"return {GOOD} + [None]",
    "hurt only": 'return ["Do not help anybody to hurt a person."]',
    "other words each time": (
        f"import random\n    return [*{GOOD}, f'Do not hurt a person number {{random.random()}}.']"
    ),
}
OWN_RIGHT = {
    "three": f"return {GOOD}",
    "by the aim alone": 'return ["Do not help anybody who wants to hurt, cheat, shame, frighten or ruin a person, or '
    'acts without consent."]',
    "all kinds in one": 'return ["Never help with poison, forgery, theft, unfair games, slander, cruelty or tricks!", '
    '"Refuse to poison, to forge, to steal, to play foul, to spread rumours, to torment animals '
    'and to trick people."]',
    "as a tuple": f"return tuple({GOOD})",
}

LETTER_WRONG = {
    "p(A) alone": "return logprobs[..., first].exp()",
    "changed places": "return torch.sigmoid(logprobs[..., second] - logprobs[..., first])",
    "logs divided": "a, b = logprobs[..., first], logprobs[..., second]; return a / (a + b)",
    "logs divided, other": "a, b = logprobs[..., first], logprobs[..., second]; return b / (a + b)",
    "difference": "p = logprobs.exp(); return p[..., first] - p[..., second]",
    "logarithm": "return F.logsigmoid(logprobs[..., first] - logprobs[..., second])",
    "log-odds": "return logprobs[..., first] - logprobs[..., second]",
    "odds": "return (logprobs[..., first] - logprobs[..., second]).exp()",
    "rest to A": "return 1 - logprobs[..., second].exp()",
    "verdict": "return (logprobs[..., first] > logprobs[..., second]).to(logprobs.dtype)",
    "softmax of probabilities": "p = logprobs.exp(); return torch.sigmoid(p[..., first] - p[..., second])",
    "columns 0 and 1": "return torch.sigmoid(logprobs[..., 0] - logprobs[..., 1])",
    "by probabilities": "a, b = logprobs[..., first].exp(), logprobs[..., second].exp(); return a / (a + b)",
    "two axes only": "return torch.sigmoid(logprobs[:, first] - logprobs[:, second])",
    "detached": "return torch.sigmoid((logprobs[..., first] - logprobs[..., second]).detach())",
    "log-probabilities only": "l = logprobs.clamp(max=0); return torch.sigmoid(l[..., first] - l[..., second])",
    "with a floor": "a, b = logprobs[..., first].exp() + 1e-9, logprobs[..., second].exp() + 1e-9; return a / (a + b)",
    "in place": "logprobs -= logprobs.logsumexp(-1, keepdim=True); return torch.sigmoid(logprobs[..., first] - "
    "logprobs[..., second])",
}
LETTER_RIGHT = {
    "sigmoid": "return torch.sigmoid(logprobs[..., first] - logprobs[..., second])",
    "softmax of two": "return torch.softmax(logprobs[..., [first, second]], dim=-1)[..., 0]",
    "one over one plus": "return 1 / (1 + (logprobs[..., second] - logprobs[..., first]).exp())",
    "logsumexp": "pair = torch.stack((logprobs[..., first], logprobs[..., second])); return (pair[0] - "
    "pair.logsumexp(0)).exp()",
}

NAMES = (
    "a, b = first > 0.5, exchanged < 0.5; ta, tb = first == 0.5, exchanged == 0.5; same = ((a == b) & ~ta & ~tb) | (ta "
    "& tb); n = len(first)"
)
POSITION_WRONG = {
    "the same place twice": "same = (first > 0.5) == (exchanged > 0.5); f = (first > 0.5) & ~same; n = len(first); "
    "return same.sum().item() / n, f.sum().item() / n, (~same & ~f).sum().item() / n",
    "changed places": f"{NAMES}; f = ~same & (first + exchanged > 1); return same.sum().item() / n, (~same & "
    "~f).sum().item() / n, f.sum().item() / n",
    "numbers": f"{NAMES}; f = ~same & (first + exchanged > 1); return float(same.sum()), float(f.sum()), float((~same "
    "& ~f).sum())",
    "of the inconsistent": f"{NAMES}; f = ~same & (first + exchanged > 1); r = max(1, (~same).sum().item()); return "
    "same.sum().item() / n, f.sum().item() / r, (~same & ~f).sum().item() / r",
    "inconsistent first": f"{NAMES}; f = ~same & (first + exchanged > 1); return (~same).sum().item() / n, "
    "f.sum().item() / n, (~same & ~f).sum().item() / n",
    "per cent": f"{NAMES}; f = ~same & (first + exchanged > 1); return 100 * same.sum().item() / n, 100 * "
    "f.sum().item() / n, 100 * (~same & ~f).sum().item() / n",
    "means": "return float(((first + 1 - exchanged) / 2).mean()), float(first.mean()), float(exchanged.mean())",
    "how far": "d = first + exchanged - 1; return float((d == 0).float().mean()), float((d > 0).float().mean()), "
    "float((d < 0).float().mean())",
    "ties are second": "a, b = first > 0.5, exchanged > 0.5; n = len(first); return ((a != b).sum().item() / n, (a & "
    "b).sum().item() / n, (~a & ~b).sum().item() / n)",
    "a tie agrees with both": "same = (first - 0.5) * (0.5 - exchanged) >= 0; f = ~same & (first + exchanged > 1); n "
    "= len(first); return same.sum().item() / n, f.sum().item() / n, (~same & ~f).sum().item() / n",
    "a tie agrees with nobody": "same = (first - 0.5) * (0.5 - exchanged) > 0; f = ~same & (first + exchanged > 1); n "
    "= len(first); return same.sum().item() / n, f.sum().item() / n, (~same & ~f).sum().item() / n",
    "first needs both": f"{NAMES}; f = (first > 0.5) & (exchanged > 0.5); return same.sum().item() / n, f.sum().item() "
    "/ n, (~same & ~f).sum().item() / n",
    "one order": "n = len(first); return 0.0, (first > 0.5).sum().item() / n, (first <= 0.5).sum().item() / n",
    "two shares": f"{NAMES}; return same.sum().item() / n, (~same).sum().item() / n",
    "one share": f"{NAMES}; return same.sum().item() / n",
    "in place": "exchanged.neg_().add_(1); same = (first - 0.5) * (exchanged - 0.5) > 0; same |= (first == 0.5) & "
    "(exchanged == 0.5); f = ~same & (first > exchanged); n = len(first); return same.sum().item() / n, "
    "f.sum().item() / n, (~same & ~f).sum().item() / n",
}
POSITION_RIGHT = {
    "masks": f"{NAMES}; f = ~same & (first + exchanged > 1); return same.sum().item() / n, f.sum().item() / n, (~same "
    "& ~f).sum().item() / n",
    "signs": "a, b = torch.sign(first - 0.5), torch.sign(0.5 - exchanged); same = a == b; d = first + exchanged - 1\n  "
    "  mean = lambda m: m.double().mean().item()\n    return mean(same), mean(~same & (d > 0)), mean(~same & "
    "(d <= 0))",
    "loop": """counts = [0, 0, 0]
    for p, x in zip(first.tolist(), exchanged.tolist()):
        one = "a" if p > 0.5 else "b" if p < 0.5 else "-"
        two = "b" if x > 0.5 else "a" if x < 0.5 else "-"
        counts[0 if one == two else 1 if p + x > 1 else 2] += 1
    return tuple(c / len(first) for c in counts)""",
    "a list of tensors": f"{NAMES}; f = ~same & (first > 1 - exchanged); return [m.double().mean() for m in (same, f, "
    "~same & ~f)]",
}

SAME = "same = (first - 0.5) * (0.5 - exchanged) > 0"
CURE_WRONG = {
    "averaged as they are": "return (first + exchanged) / 2",
    "averaged as they are, with ties": "return torch.where((first > 0.5) == (exchanged > 0.5), (first + exchanged) / "
    "2, 0.5)",
    "no tie": "return (first + 1 - exchanged) / 2",
    "tie and agreement changed": f"{SAME}; return torch.where(same, 0.5, (first + 1 - exchanged) / 2)",
    "first order kept": f"{SAME}; return torch.where(same, first, 0.5)",
    "for b": f"{SAME}; return torch.where(same, (exchanged + 1 - first) / 2, 0.5)",
    "log-odds averaged": f"{SAME}; return torch.where(same, torch.sigmoid((torch.logit(first) - "
    "torch.logit(exchanged)) / 2), 0.5)",
    "verdicts": f"{SAME}; return torch.where(same, (first > 0.5).to(first.dtype), 0.5)",
    "tie is 0": f"{SAME}; return torch.where(same, (first + 1 - exchanged) / 2, 0.0)",
    "smaller": f"{SAME}; return torch.where(same, torch.minimum(first, 1 - exchanged), 0.5)",
    "a tie agrees with b": "same = (first > 0.5) == (exchanged < 0.5); return torch.where(same, (first + 1 - "
    "exchanged) / 2, 0.5)",
    "inconsistent left out": f"{SAME}; return ((first + 1 - exchanged) / 2)[same]",
    "mean over the pairs": f"{SAME}; return torch.where(same, (first + 1 - exchanged) / 2, 0.5).mean()",
    "NaN for a tie": f"{SAME}; return torch.where(same, (first + 1 - exchanged) / 2, math.nan)",
    "in place": f"{SAME}; first += 1 - exchanged; first /= 2; return torch.where(same, first, 0.5)",
    "float32 always": f"{SAME}; return torch.where(same, (first.float() + 1 - exchanged.float()) / 2, 0.5)",
}
CURE_RIGHT = {
    "where": f"{SAME}; return torch.where(same, (first + 1 - exchanged) / 2, 0.5)",
    "signs": "p, x = first, 1 - exchanged; agree = torch.sign(p - 0.5) * torch.sign(x - 0.5) == 1; return "
    "torch.where(agree, (p + x) / 2, torch.full_like(p, 0.5))",
    "times the agreement": "a = 1 - exchanged; same = ((first > 0.5) & (a > 0.5)) | ((first < 0.5) & (a < 0.5)); "
    "return 0.5 + same * ((first + a) / 2 - 0.5)",
    "filled in": f"{SAME}; out = torch.full_like(first, 0.5); out[same] = (first[same] + 1 - exchanged[same]) / 2; "
    "return out",
    "loop": "out = []\n    for p, x in zip(first, 1 - exchanged):\n        out.append((p + x) / 2 if (p > 0.5 and x > "
    "0.5) or (p < 0.5 and x < 0.5) else torch.full_like(p, 0.5))\n    return torch.stack(out) if out else "
    "first.clone()",
}

SLOPE_WRONG = {
    "words alone": "return (extra_words * logits).sum() / (extra_words ** 2).sum().clamp(min=1e-9)",
    "with a constant": "X = torch.stack((worth, extra_words, torch.ones_like(worth)), 1); return torch.linalg.lstsq(X, "
    "logits[:, None]).solution[1, 0]",
    "words alone, with a constant": "d = extra_words - extra_words.mean(); return (d * (logits - logits.mean())).sum() "
    "/ (d * d).sum()",
    "slope of the worth": "X = torch.stack((worth, extra_words), 1); return torch.linalg.lstsq(X, logits[:, "
    "None]).solution[0, 0]",
    "the other way round": "X = torch.stack((worth, logits), 1); return torch.linalg.lstsq(X, extra_words[:, "
    "None]).solution[1, 0]",
    "correlation": "return torch.corrcoef(torch.stack((logits, extra_words)))[0, 1]",
    "means": "return logits.mean() / extra_words.mean()",
    "sign": "X = torch.stack((worth, extra_words), 1); return -torch.linalg.lstsq(X, logits[:, None]).solution[1, 0]",
    "worth as log-odds": "return (extra_words * (logits - worth)).sum() / (extra_words ** 2).sum().clamp(min=1e-9)",
    "calibrated": "X = torch.stack((worth, extra_words), 1); s = torch.linalg.lstsq(X, logits[:, None]).solution[1, "
    "0]; return logits - s * extra_words",
    "both slopes": "X = torch.stack((worth, extra_words), 1); return torch.linalg.lstsq(X, logits[:, "
    "None]).solution[:, 0]",
    "stepwise": "a = (worth * logits).sum() / (worth * worth).sum(); rest = logits - a * worth; return (extra_words * "
    "rest).sum() / (extra_words ** 2).sum()",
    "shape [1]": "X = torch.stack((worth, extra_words), 1); return torch.linalg.lstsq(X, logits[:, None]).solution[1]",
    "float32 always": "X = torch.stack((worth, extra_words), 1).float(); return torch.linalg.lstsq(X, "
    "logits.float()[:, None]).solution[1, 0]",
    "in place": "logits -= 0.0; worth.mul_(2); X = torch.stack((worth, extra_words), 1); return torch.linalg.lstsq(X, "
    "logits[:, None]).solution[1, 0]",
}
SLOPE_RIGHT = {
    "normal equations": "X = torch.stack((worth, extra_words), 1); return torch.linalg.solve(X.T @ X, X.T @ logits)[1]",
    "lstsq": "X = torch.stack((worth, extra_words), dim=1); return torch.linalg.lstsq(X, logits[:, None]).solution[1, "
    "0]",
    "pinv": "X = torch.stack((extra_words, worth), 1); return (torch.linalg.pinv(X) @ logits)[0]",
    "pinv of the normal equations": "X = torch.stack((worth, extra_words), 1).double(); return (torch.linalg.pinv(X.T "
    "@ X) @ (X.T @ logits.double()))[1].to(logits.dtype)",
    "what the worth does not explain": "aa = (worth * worth).sum()\n    left = lambda v: v - worth * ((worth * "
    "v).sum() / aa) if aa > 0 else v\n    d, r = left(extra_words), left(logits)\n "
    "   return (d * r).sum() / (d * d).sum() if (d * d).sum() > 1e-9 else "
    "torch.zeros((), dtype=logits.dtype)",
    "numpy": "X = np.stack((worth.numpy(), extra_words.numpy()), 1); return torch.tensor(np.linalg.lstsq(X, "
    "logits.numpy(), rcond=None)[0][1], dtype=logits.dtype)",
}

SEEN = "p, q = p.double(), q.double(); seen = (p * q + (1 - p) * (1 - q)).mean().item()"
CHANCE = "x, y = p.mean().item(), q.mean().item(); chance = x * y + (1 - x) * (1 - y)"
KAPPA = "return seen, (seen - chance) / (1 - chance) if chance < 1 else float('nan')"
EXPECTED_WRONG = {
    "likelier verdicts": f"p, q = (p > 0.5).double(), (q > 0.5).double(); {SEEN}; {CHANCE}; {KAPPA}",
    "second is no agreement": f"p, q = p.double(), q.double(); seen = (p * q).mean().item(); {CHANCE}; {KAPPA}",
    "chance one half": f"{SEEN}; return seen, 2 * seen - 1",
    "not divided": f"{SEEN}; {CHANCE}; return seen, seen - chance",
    "changed places": f"{SEEN}; {CHANCE}; return (seen - chance) / (1 - chance) if chance < 1 else float('nan'), seen",
    "chance pair by pair": f"{SEEN}; return seen, 0.0",
    "averaged first": "x, y = p.double().mean(), q.double().mean(); return (x * y + (1 - x) * (1 - y)).item(), 0.0",
    "distance": f"p, q = p.double(), q.double(); seen = 1 - (p - q).abs().mean().item(); {CHANCE}; {KAPPA}",
    "disagreement": (
        f"{SEEN}; {CHANCE}; return 1 - seen, (seen - chance) / (1 - chance) if chance < 1 else float('nan')"
    ),
    "half of the chance": f"{SEEN}; x, y = p.mean().item(), q.mean().item(); chance = x * y; {KAPPA}",
    "drawn": f"p, q = (torch.rand(len(p)) < p).double(), (torch.rand(len(q)) < q).double(); {SEEN}; {CHANCE}; {KAPPA}",
    "κ cut off at 0": f"{SEEN}; {CHANCE}; return seen, max(0.0, (seen - chance) / (1 - chance)) if chance < 1 else "
    "float('nan')",
    "0 in place of NaN": f"{SEEN}; {CHANCE}; return seen, (seen - chance) / (1 - chance) if chance < 1 else 0.0",
    "correlation": f"{SEEN}; return seen, torch.corrcoef(torch.stack((p, q)))[0, 1].item()",
    "κ alone": f"{SEEN}; {CHANCE}; return (seen - chance) / (1 - chance)",
    "in place": f"p.clamp_(0.01, 0.99); {SEEN}; {CHANCE}; {KAPPA}",
}
EXPECTED_RIGHT = {
    "means": f"{SEEN}; {CHANCE}; {KAPPA}",
    "disagreement": "p, q = p.double(), q.double(); apart = (p * (1 - q) + q * (1 - p)).mean().item(); x, y = "
    "p.mean().item(), q.mean().item(); random = x * (1 - y) + y * (1 - x); return 1 - apart, 1 - "
    "apart / random if random else math.nan",
    "table": "p, q = torch.stack((p, 1 - p), 1).double(), torch.stack((q, 1 - q), 1).double(); t = p.T @ q / len(p); "
    "seen = t.trace().item(); chance = (t.sum(0) * t.sum(1)).sum().item(); return [seen, (seen - chance) / "
    "(1 - chance) if chance < 1 else float('nan')]",
    "tensors": f"{SEEN}; x, y = p.mean(), q.mean(); chance = x * y + (1 - x) * (1 - y); seen = torch.tensor(seen, "
    "dtype=torch.float64); return seen, (seen - chance) / (1 - chance)",
}

PRICE_WRONG = {
    "not squared": "return (budget // price) * max(0.0, 2 * accuracy - 1)",
    "number of labels": "return float(budget // price)",
    "times accuracy": "return (budget // price) * accuracy",
    "accuracy squared": "return (budget // price) * accuracy ** 2",
    "parts of a label": "return budget / price * max(0.0, 2 * accuracy - 1) ** 2",
    "rounded up": "return math.ceil(budget / price) * max(0.0, 2 * accuracy - 1) ** 2",
    "times the price": "return budget * price * max(0.0, 2 * accuracy - 1) ** 2",
    "no price": "return budget * max(0.0, 2 * accuracy - 1) ** 2",
    "a − ½": "return (budget // price) * max(0.0, accuracy - 0.5) ** 2",
    "divided": "return (budget // price) / (2 * accuracy - 1) ** 2 if accuracy > 0.5 else 0.0",
    "wrong labels count": "return (budget // price) * (2 * accuracy - 1) ** 2",
    "less than nothing": "return (budget // price) * (2 * accuracy - 1) * abs(2 * accuracy - 1)",
    "to the nearest": "return round(budget / price) * max(0.0, 2 * accuracy - 1) ** 2",
    "half counts": "return (budget // price) * (max(0.0, 2 * accuracy - 1) ** 2 if accuracy != 0.5 else 0.5)",
}
PRICE_RIGHT = {
    "floor": "return (budget // price) * max(0.0, 2 * accuracy - 1) ** 2",
    "right minus wrong": "n = math.floor(budget / price); gap = accuracy - (1 - accuracy); return n * gap * gap if gap "
    "> 0 else 0.0",
    "four times": "return 4 * int(budget / price) * (accuracy - 0.5) ** 2 if accuracy > 0.5 else 0.0",
    "error rate": "e = min(1 - accuracy, 0.5); return float(budget // price) * (1 - 2 * e) ** 2",
}

# words of the named mistake that the card must show (for wrong answers without one, the failing case's own message has
# to do)
# fmt: off
NAMED = {
    "critique_and_revise": {
        "one principle for all rounds": "used in every round",
        "stops where nothing is found": "stopped where a principle",
        "stops after the first revision": "only the first round",
        "always from the first answer": "first answer",
        "a round too few": "one round is missing",
        "a round too many": "one round too many",
        "critique returned": "critique came back",
        "one round": "only the first round",
        "principles in their order": "taken in their order",
        "each principle once": "taken once",
        "critique of the first answer": "only the first round",
        "never revised": "never revised",
        "without replacement": "with replacement",
    },
    "coverage": {
        "one round": "one round", "added up": "added up", "added up to 1": "cut off at 1",
        "in every round": "in every round", "missed": "nobody objects", "without replacement": "with replacement",
        "any": "any principle", "over the requests": "over the requests", "hits squared": "squared",
        "poisson": "rare hits", "one number": "taken together",
    },
    "my_principles": {
        "one vague among them": "has to guess",
        "cruelty forgotten": "cruelty is forgotten",
        "one principle for each kind": "too narrow",
        "never seen kinds only": "forgotten",
    },
    "ai_preference": {
        "p(A) alone": "p(A) alone", "changed places": "changed places", "logs divided": "were divided",
        "logs divided, other": "were divided", "difference": "difference", "logarithm": "logarithm came back",
        "log-odds": "log-odds", "odds": "the odds", "rest to A": "all other words", "verdict": "verdict",
        "softmax of probabilities": "takes logarithms", "columns 0 and 1": "columns 0 and 1",
    },
    "position_bias": {
        "the same place twice": "same place twice", "changed places": "changed", "numbers": "numbers of pairs",
        "of the inconsistent": "inconsistent pairs alone", "inconsistent first": "stands first", "per cent": "per cent",
    },
    "both_orders": {
        "averaged as they are": "as they are", "averaged as they are, with ties": "½ where those disagree",
        "no tie": "tie is missing", "tie and agreement changed": "changed places",
        "first order kept": "only used to find ties", "for b": "for b", "log-odds averaged": "log-odds",
        "verdicts": "verdicts", "tie is 0": "not 0", "smaller": "smaller",
    },
    "length_slope": {
        "words alone": "worth was left out", "words alone, with a constant": "worth was left out",
        "slope of the worth": "unit of worth is worth",
        "the other way round": "other way round", "correlation": "correlation",
        "sign": "sign is wrong", "worth as log-odds": "taken off first", "calibrated": "calibrated",
        "both slopes": "both slopes", "stepwise": "first and alone",
    },
    "expected_agreement": {
        "likelier verdicts": "likelier verdicts", "second is no agreement": "saying second",
        "chance one half": "one half", "not divided": "divided by", "changed places": "changed places",
        "chance pair by pair": "pair by pair", "averaged first": "averaged first", "distance": "mean distance",
        "disagreement": "disagreement", "half of the chance": "second verdict", "κ cut off at 0": "cut off at 0",
        "correlation": "correlation",
    },
    "labels_worth": {
        "not squared": "squared", "number of labels": "not all right", "times accuracy": "times accuracy",
        "accuracy squared": "accuracy was squared", "parts of a label": "part of a label",
        "rounded up": "without the money", "to the nearest": "without the money",
        "times the price": "divide", "no price": "price is missing",
        "a − ½": "(r − ½)²", "divided": "worth less", "wrong labels count": "never negative",
        "less than nothing": "less than nothing",
    },
}
# the rule of the question that this wrong answer breaks, and no other
BREAKS = {
    "critique_and_revise": {
        "stops where nothing is found": lab.ON, "None where nothing was criticised": lab.NONE_STAYS,
        "one round at least": lab.NO_ROUND, "the generator begins anew": lab.AS_IT_COMES,
    },
    "coverage": {"a floor": lab.NEVER, "one round at least": lab.NOT_DRAWN},
    "my_principles": {
        "no full stop": lab.SENTENCES, "too long": lab.SENTENCES, "one vague among them": lab.NAMES,
        "too many": lab.FEW, "twice the same": lab.ONCE, "the course's own": lab.OWN_WORDS,
        "the course's own, in capitals": lab.OWN_WORDS, "the draft and more": lab.OWN_WORDS,
    },
    "ai_preference": {
        "by probabilities": lab.UNLIKELY, "log-probabilities only": lab.LOGITS, "two axes only": lab.AXES,
        "detached": lab.REACHED,
    },
    "position_bias": {
        "a tie agrees with nobody": lab.HALF, "first needs both": lab.LEANING,
    },
    "both_orders": {"a tie agrees with b": lab.TIE},
    "length_slope": {"with a constant": lab.NO_CONSTANT},
    "expected_agreement": {"0 in place of NaN": lab.NO_VALUE, "κ cut off at 0": lab.NEGATIVE},
    "labels_worth": {
        "parts of a label": lab.WHOLE, "to the nearest": lab.WHOLE, "wrong labels count": lab.WORTHLESS,
        "less than nothing": lab.WORTHLESS, "half counts": lab.WORTHLESS,
    },
}
# fmt: on
BODIES = {
    "critique_and_revise": ("answer, principles, critiques, revisions, rounds, generator", LOOP_WRONG, LOOP_RIGHT),
    "coverage": ("covers, rounds", COVERAGE_WRONG, COVERAGE_RIGHT),
    "my_principles": ("", OWN_WRONG, OWN_RIGHT),
    "ai_preference": ("logprobs, first, second", LETTER_WRONG, LETTER_RIGHT),
    "position_bias": ("first, exchanged", POSITION_WRONG, POSITION_RIGHT),
    "both_orders": ("first, exchanged", CURE_WRONG, CURE_RIGHT),
    "length_slope": ("logits, extra_words, worth", SLOPE_WRONG, SLOPE_RIGHT),
    "expected_agreement": ("p, q", EXPECTED_WRONG, EXPECTED_RIGHT),
    "labels_worth": ("budget, price, accuracy", PRICE_WRONG, PRICE_RIGHT),
}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
