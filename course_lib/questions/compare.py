"""Comparison of a student's answer with the expected one, and the words for the difference."""

import math

import torch


class CaseFailed(Exception):
    """One case of a question failed: what is wrong, the misconception it shows, what to do, where to read."""

    def __init__(self, message, mistake=None, hint=None, reread=None):
        super().__init__(message)
        self.message, self.mistake, self.hint, self.reread = message, mistake, hint, reread


def compare(
    label, got, expected, tol, mistakes=None, hint=None, reread=None, check_dtype=True, equal_nan=False, names=None
):
    """Raises CaseFailed unless got equals expected within tol · (1 + |expected|), both plain values (wire.plain)."""
    difference = describe_difference(got, expected, tol, check_dtype, equal_nan, names)
    if difference is None:
        return
    mistake = named(got, expected, tol, mistakes or {})
    # a mistake that is named is the hint: the general one would be about another
    raise CaseFailed(f"{label}: {difference}", mistake, None if mistake else hint, reread)


def named(got, expected, tol, mistakes):
    """The one mistake whose value the answer is; None where there is none, or two that cannot be told apart here. A
    wrong name costs more than none.
    """
    if describe_difference(got, expected, tol, False) is None:
        return None  # the numbers are right: it is the dtype
    found = []
    for name, wrong in mistakes.items():
        try:
            wrong = wrong() if callable(wrong) else wrong
        except Exception:  # the mistake has no value for this input
            continue
        if explains(got, wrong, expected, tol):
            found.append(name)
    return found[0] if len(found) == 1 else None


def explains(got, wrong, expected, tol):
    """Is got the value of this mistake? One within the tolerance of the expected value explains nothing, and got must
    be ten times nearer to it than that is.
    """
    if describe_difference(wrong, expected, tol, False) is None:
        return False
    if describe_difference(got, wrong, max(tol, 1e-6), False) is not None:
        return False
    gap = apart(got, wrong)
    return math.isfinite(gap) and 10 * gap <= apart(wrong, expected)


def apart(a, b):
    """The largest distance of two numbers at the same place: 0 where all are equal, infinite where whole numbers, texts
    or the build differ.
    """
    a, b = (x.item() if isinstance(x, torch.Tensor) and x.numel() == 1 else x for x in (a, b))
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape:
        if a.is_complex() or b.is_complex() or not (a.is_floating_point() or b.is_floating_point()):
            return 0.0 if bool((a == b).all()) else math.inf
        a, b = a.double(), b.double()
        gaps = torch.where((a == b) | (a.isnan() & b.isnan()), 0.0, (a - b).abs())
        return float(gaps.nan_to_num(nan=math.inf, posinf=math.inf).max()) if gaps.numel() else 0.0
    if type(a) in (list, tuple) and type(b) in (list, tuple) and len(a) == len(b):
        return max(map(apart, a, b), default=0.0)
    if type(a) is dict and type(b) is dict and set(a) == set(b):
        return max((apart(a[k], b[k]) for k in a), default=0.0)
    if float in (type(a), type(b)) and {type(a), type(b)} <= {int, float}:
        if a == b or (a != a and b != b):
            return 0.0
        try:
            return abs(a - b) if math.isfinite(a - b) else math.inf
        except OverflowError:
            return math.inf
    return 0.0 if type(a) is type(b) and not isinstance(a, torch.Tensor) and a == b else math.inf


def changed_part(after, before):
    """The innermost list, dict or tensor of `before` from which `after` differs."""
    pairs = []
    if type(before) in (list, tuple) and type(after) in (list, tuple) and len(after) == len(before):
        pairs = list(zip(after, before))
    if type(before) is dict and type(after) is dict and set(after) == set(before):
        pairs = [(after[key], part) for key, part in before.items()]
    for a, b in pairs:
        if isinstance(b, (list, tuple, dict, torch.Tensor)) and describe_difference(a, b, 0.0, equal_nan=True):
            return changed_part(a, b)
    return before


def describe_difference(got, expected, tol, check_dtype=True, equal_nan=False, names=None):
    """None where equal, otherwise a short text. names: of the entries of a list or tuple, or of each one in a dict."""
    if isinstance(expected, torch.Tensor):
        return tensor_difference(got, expected, tol, check_dtype, equal_nan)
    if isinstance(got, torch.Tensor):
        if got.numel() == 1 and type(expected) in (int, float, bool):
            return describe_difference(got.item(), expected, tol, check_dtype, equal_nan)
        return f"a tensor of shape {list(got.shape)} came back, {kind(expected)} was expected"
    if type(expected) in (list, tuple):
        if type(got) not in (list, tuple):
            return f"{kind(got)} came back, {kind(expected)} was expected"
        if len(got) != len(expected):
            return f"it has {len(got)} entries, {len(expected)} were expected" + shown(got, expected)
        for i, (g, e) in enumerate(zip(got, expected)):
            if (text := describe_difference(g, e, tol, check_dtype, equal_nan)) is not None:
                text = whole(g, e) or text
                return f"{names[i] if names and i < len(names) else f'entry {i}'}: {text}"
        return None
    if type(expected) is dict:
        if type(got) is not dict:
            return f"{kind(got)} came back, a dict was expected"
        if set(got) != set(expected):
            return f"the keys are {sorted(map(str, got))[:12]}, expected {sorted(map(str, expected))[:12]}"
        for k, e in expected.items():
            if (text := describe_difference(got[k], e, tol, check_dtype, equal_nan, names)) is not None:
                return f"[{k!r}]: {text}"
        return None
    if type(expected) in (int, float):
        if type(got) not in (int, float):
            return f"{kind(got)} came back, a number was expected"
        equal = got == expected or (got != got and expected != expected)
        if not equal:
            try:
                equal = (
                    math.isfinite(got) and math.isfinite(expected) and abs(got - expected) <= tol * (1 + abs(expected))
                )
            except OverflowError:  # a whole number beyond all floats is near to nothing
                pass
        return None if equal else "yours is {}, expected {}".format(*told_apart(got, expected))
    if type(got) is not type(expected):
        if expected is None:
            return f"yours is {short(got)}, expected None"
        return f"{kind(got)} came back, {kind(expected)} was expected"
    if got == expected:
        return None
    if type(expected) is str and max(len(repr(got)), len(repr(expected))) > 80:
        return first_difference(got, expected)
    return f"yours is {short(got)}, expected {short(expected)}"


def tensor_difference(got, expected, tol, check_dtype, equal_nan):
    if type(got) in (int, float) and expected.numel() == 1 and expected.dim() == 0:
        if not check_dtype:
            return describe_difference(got, expected.item(), tol)
        return "a python number came back, a tensor with shape [] was expected"
    if not isinstance(got, torch.Tensor):
        return f"{kind(got)} came back, a tensor of shape {list(expected.shape)} was expected"
    if got.shape != expected.shape:
        return f"the shape is {list(got.shape)}, expected {list(expected.shape)}"
    if check_dtype and got.dtype != expected.dtype:
        return f"the dtype is {str(got.dtype)[6:]}, expected {str(expected.dtype)[6:]}"
    if expected.numel() == 0:
        return None
    if got.is_complex() or expected.is_complex():
        return None if torch.equal(got, expected) else "the complex values differ"
    g, e = got.double(), expected.double()
    if not equal_nan and bool((g.isnan() & ~e.isnan()).any()):
        return f"{int(g.isnan().sum())} of {g.numel()} values are NaN"
    same = (g == e) | (g.isnan() & e.isnan())
    # an infinity on one side only gives inf <= inf with an infinite expected value: asked for separately
    near = ((g - e).abs() <= tol * (1 + e.abs())) & g.isfinite() & e.isfinite()
    bad = ~(same | near)
    if not bool(bad.any()):
        return None
    place = bad.nonzero()[0].tolist()
    here = f" at {place}" if place else ""
    yours, due = told_apart(got[tuple(place)].item(), expected[tuple(place)].item())
    return f"{int(bad.sum())} of {bad.numel()} values differ; first{here}: yours {yours}, expected {due}"


def kind(value):
    names = {
        "NoneType": "None",
        "str": "a text",
        "int": "a number",
        "float": "a number",
        "bool": "True or False",
        "list": "a list",
        "tuple": "a tuple",
        "dict": "a dict",
    }
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {list(value.shape)}"
    return names.get(type(value).__name__, type(value).__name__)


def told_apart(got, expected):
    """Both numbers as texts: whole ones in full, others with six digits, or as many more as tell them apart."""
    for digits in (6, 8, 10, 12, 15, 17):
        texts = [short(x) if isinstance(x, int) else f"{x:.{digits}g}" for x in (got, expected)]
        if texts[0] != texts[1]:
            break
    return texts


def first_difference(got, expected, around=20):
    """Where two long texts part, with some characters around it from both."""
    at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
    start, end = max(0, at - around), at + around
    pieces = [("…" if start else "") + text[start:end] + ("…" if end < len(text) else "") for text in (got, expected)]
    return f"they differ from character {at + 1} on: yours {pieces[0]!r}, expected {pieces[1]!r}"


def short(value):
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def whole(got, expected):
    """Both as they are where they are small groups such as (start, end), whose parts have no names; else ""."""
    plain = all(
        type(x) in (list, tuple)
        and 0 < len(x) <= 4
        and all(part is None or type(part) in (int, float, bool, str) for part in x)
        for x in (got, expected)
    )
    texts = short(got), short(expected)
    return f"yours is {texts[0]}, expected {texts[1]}" if plain and texts[0] != texts[1] else ""


def shown(got, expected):
    both = f" (yours {got!r}, expected {expected!r})" if len(got) + len(expected) <= 16 else ""
    return both if len(both) < 200 else ""
