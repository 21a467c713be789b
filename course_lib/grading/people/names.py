"""Comparing names: order, case, accents and their encoding do not matter."""

import functools
import itertools
import unicodedata


@functools.lru_cache(maxsize=20_000)
def words(text):
    """The words of a name or file name, folded: "Müller, José-Maria" -> ("muller", "jose", "maria"). Vowel signs of
    other scripts are letters, Latin accents are not.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = [c for c in decomposed if not ("\u0300" <= c <= "\u036f" or c in "'’‘`´")]
    letters = [c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain]
    return tuple("".join(letters).split())


def turned(text):
    """A name as people write it: "Doe, Jane" -> "Jane Doe", "Jane Doe" as it is; "" for a single word, which may be a
    login, and for an address.
    """
    last, comma, first = text.partition(",")
    full = f"{first} {last}".strip() if comma and "," not in first else text.strip()
    return full if len(full.split()) > 1 and "@" not in full else ""


def same(one, other):
    """Whether two names are one person's; either may be without any spaces (Canvas: doejane for "Doe, Jane")."""
    mine, theirs = sorted((words(one), words(other)), key=len, reverse=True)
    if not mine or not theirs:
        return False
    if len(theirs) > 1 or len(mine) == 1:
        return sorted(mine) == sorted(theirs) or "".join(mine) == "".join(theirs)
    if len(mine) <= 5:
        orders = itertools.permutations(mine)
    else:
        orders = (mine[i:] + mine[:i] for i in range(len(mine)))
    return any("".join(order) == theirs[0] for order in orders)


def strangers(one, other):
    """Whether two full names have nothing in common: no word, and no initial that stands for one.

    Never of a name in another script, nor of a single word: that may be a login or a nickname.
    """
    mine, theirs = words(one), words(other)
    if min(len(mine), len(theirs)) < 2 or not all(word.isalpha() and "a" <= word[0] <= "z" for word in mine + theirs):
        return False
    return not any(
        a == b or (min(len(a), len(b)) == 1 and a[0] == b[0]) or (len(a) > 3 and len(b) > 3 and (a in b or b in a))
        for a in mine
        for b in theirs
    )


def bounded(needle, text):
    """Whether needle stands in text, both folded, and is not a part of a longer word."""
    needle, text = needle.casefold(), text.casefold()
    at = text.find(needle) if needle else -1
    while at >= 0:
        end = at + len(needle)
        if not (at and text[at - 1].isalnum()) and not (end < len(text) and text[end].isalnum()):
            return True
        at = text.find(needle, at + 1)
    return False
