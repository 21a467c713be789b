"""Lab 00: wrong answers that students really write, and right answers written in other ways. The form is that of
bank02.py.
"""

from banks import bank_of

from course_lib.questions.lab00_start_here import ANY_LENGTH, IMPOSSIBLE, NO_SURPRISE

PRELUDE = "import math\nimport numpy as np\nimport torch\n"

SURPRISE_WRONG = {
    "bits": "return sum(math.log2(n) for n in options)",
    "base 10": "return sum(math.log10(n) for n in options)",
    "sign": "return sum(math.log(1 / n) for n in options)",
    "log of the sum": "return math.log(sum(options))",
    "mean": "return sum(math.log(n) for n in options) / len(options)",
    "the probability": "p = 1\n    for n in options: p *= 1 / n\n    return p",
    "the number of documents": "return float(math.prod(options))",
    "number of choices": "return len(options) * math.log(len(options)) if options else 0.0",
    "first choice": "return math.log(options[0]) if options else 0.0",
    "last choice": "for n in options: total = math.log(n)\n    return total",
    "underflow": "p = 1.0\n    for n in options: p = p / n\n    return -math.log(p)",
    "empty list": "total = math.log(options[0])\n    for n in options[1:]: total += math.log(n)\n    return total",
    "counts down the list": "total = 0.0\n    while options: total += math.log(options.pop())\n    return total",
    "set of options": "return sum(math.log(n) for n in set(options))",
    "log(1 + n)": "return sum(math.log1p(n) for n in options)",
}
SURPRISE_RIGHT = {
    "sum of logs": "return sum(math.log(n) for n in options)",
    "minus log of each p": "return -sum(math.log(1 / n) for n in options)",
    "log of a product of whole numbers": "return math.log(math.prod(options))",
    "numpy": "return float(np.log(np.array(options, dtype=float)).sum())",
    "torch": "return torch.tensor(options, dtype=torch.float64).log().sum().item()",
}
ENTROPY_WRONG = {
    "bits": "return -sum(p * math.log2(p) for p in probs if p > 0)",
    "base 10": "return -sum(p * math.log10(p) for p in probs if p > 0)",
    "sign": "return sum(p * math.log(p) for p in probs if p > 0)",
    "plain mean": "return -sum(math.log(p) for p in probs if p > 0) / len(probs)",
    "plain sum": "return -sum(math.log(p) for p in probs if p > 0)",
    "mean of weighted": "return -sum(p * math.log(p) for p in probs if p > 0) / len(probs)",
    "log n": "return math.log(len(probs))",
    "likeliest": "return -math.log(max(probs))",
    "p squared": "return sum(p * p for p in probs)",
    "perplexity": "return math.exp(-sum(p * math.log(p) for p in probs if p > 0))",
    "log of 0": "return -sum(p * math.log(p) for p in probs)",
    "numpy NaN at 0": "p = np.array(probs); return float(-(p * np.log(p)).sum())",
    "ε in the log": "return -sum(p * math.log(p + 1e-3) for p in probs)",
    "sorted in place and cut": "probs.sort(); return -sum(p * math.log(p) for p in probs if p > 0)",
}
ENTROPY_RIGHT = {
    "skip zeros": "return -sum(p * math.log(p) for p in probs if p > 0)",
    "mean of log 1/p": "return sum(p * math.log(1 / p) if p else 0.0 for p in probs)",
    "torch": "p = torch.tensor(probs, dtype=torch.float64); return torch.special.entr(p).sum().item()",
    "xlogy": "p = torch.tensor(probs, dtype=torch.float64); return float(-torch.xlogy(p, p).sum())",
}
# fmt: off
NAMED = {
    "surprise": {
        "bits": "bits", "base 10": "base 10", "sign": "sign", "log of the sum": "added before",
        "mean": "mean was taken", "the probability": "probability itself", "the number of documents": "1/p",
        "number of choices": "number of choices", "first choice": "only the first", "last choice": "only the last",
        "set of options": "counted once", "log(1 + n)": "1 was added",
    },
    "entropy": {
        "bits": "bits", "base 10": "base 10", "sign": "sign", "plain mean": "equally likely",
        "plain sum": "without weights", "mean of weighted": "once more", "log n": "log n", "likeliest": "likeliest",
        "p squared": "collision", "perplexity": "perplexity",
    },
}
BREAKS = {
    "surprise": {"empty list": NO_SURPRISE, "underflow": ANY_LENGTH},
    "entropy": {"log of 0": IMPOSSIBLE, "numpy NaN at 0": IMPOSSIBLE},
}
# fmt: on
BODIES = {"surprise": ("options", SURPRISE_WRONG, SURPRISE_RIGHT), "entropy": ("probs", ENTROPY_WRONG, ENTROPY_RIGHT)}
BANK = bank_of(PRELUDE, BODIES, NAMED, BREAKS)
