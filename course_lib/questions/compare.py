"""Comparison of a student's answer with the expected one, and the words for the difference."""

import math

import torch


class CaseFailed(Exception):
    """One case of a question failed: what is wrong, the misconception it shows, what to do, where to read."""

    def __init__(self, message, mistake=None, hint=None, reread=None):
        super().__init__(message)
        self.message, self.mistake, self.hint, self.reread = message, mistake, hint, reread


def compare(label, got, expected, tol, mistakes=None, hint=None, reread=None, check_dtype=True, equal_nan=False):
    """Raises CaseFailed unless got equals expected within tol · (1 + |expected|), both plain values (wire.plain)."""
    difference = describe_difference(got, expected, tol, check_dtype, equal_nan)
    if difference is None:
        return
    mistake = None
    for name, wrong in (mistakes or {}).items():
        wrong = wrong() if callable(wrong) else wrong
        # a misconception that gives the right numbers here explains nothing
        if (
            describe_difference(wrong, expected, tol, False) is not None
            and describe_difference(got, wrong, max(tol, 1e-6), False) is None
        ):
            mistake = name
            break
    raise CaseFailed(f"{label}: {difference}", mistake=mistake, hint=hint, reread=reread)


def describe_difference(got, expected, tol, check_dtype=True, equal_nan=False):
    """None where equal, otherwise a short text."""
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
                return f"entry {i}: {text}"
        return None
    if type(expected) is dict:
        if type(got) is not dict:
            return f"{kind(got)} came back, a dict was expected"
        if set(got) != set(expected):
            return f"the keys are {sorted(map(str, got))[:12]}, expected {sorted(map(str, expected))[:12]}"
        for k, e in expected.items():
            if (text := describe_difference(got[k], e, tol, check_dtype, equal_nan)) is not None:
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
        return None if equal else f"yours is {number(got)}, expected {number(expected)}"
    if type(got) is not type(expected):
        return f"{kind(got)} came back, {kind(expected)} was expected"
    return None if got == expected else f"yours is {short(got)}, expected {short(expected)}"


def tensor_difference(got, expected, tol, check_dtype, equal_nan):
    if type(got) in (int, float) and expected.numel() == 1 and expected.dim() == 0:
        if not check_dtype:
            return describe_difference(got, expected.item(), tol)
        lost = " (its gradient is lost)" if expected.is_floating_point() else ""
        return f"a python number came back, a tensor with shape [] was expected{lost}"
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
    return (
        f"{int(bad.sum())} of {bad.numel()} values differ; first{here}: yours {number(g[tuple(place)].item())}, "
        f"expected {number(e[tuple(place)].item())}"
    )


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


def number(x):
    return short(x) if isinstance(x, int) else f"{x:.6g}"


def short(value):
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def shown(got, expected):
    both = f" (yours {got!r}, expected {expected!r})" if len(got) + len(expected) <= 16 else ""
    return both if len(both) < 200 else ""
