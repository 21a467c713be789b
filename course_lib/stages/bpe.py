"""Byte-pair encoding by hand, as lab 01 teaches it (Sennrich et al. 2016, 1508.07909): merges learned from counts of
words, and the tokens of a word. The course's own tokenizer is `stages.tokenizer`.
"""

from collections import Counter
from collections.abc import Sequence


def merge_pair(symbols: Sequence[str], pair: Sequence[str]) -> list[str]:
    """The symbols with each occurrence of the pair made one, from left to right, none used twice."""
    made: list[str] = []
    k = 0
    while k < len(symbols):
        if list(symbols[k : k + 2]) == list(pair):
            made.append(symbols[k] + symbols[k + 1])
            k += 2
        else:
            made.append(symbols[k])
            k += 1
    return made


def learn_merges(counts: dict[str, int], n: int) -> list[list[str]]:
    """The first n merges, each the most frequent pair of neighbours so far. In a tie the pair of the older symbols
    wins; single characters are oldest, in the order of their code points. Stops early when no pair is left.
    """
    words = {word: list(word) for word in counts}
    age = {c: k for k, c in enumerate(sorted(set("".join(counts))))}
    merges: list[list[str]] = []
    while len(merges) < n:
        pairs = Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], age[pair[0]], age[pair[1]]))
        age.setdefault("".join(best), len(age))
        merges.append(list(best))
        words = {word: merge_pair(symbols, best) for word, symbols in words.items()}
    return merges


def apply_merges(word: str, merges: Sequence[Sequence[str]]) -> list[str]:
    """The tokens of one word: the merges in the order in which they were learned."""
    symbols = list(word)
    for pair in merges:
        if len(symbols) == 1:
            break
        symbols = merge_pair(symbols, pair)
    return symbols
