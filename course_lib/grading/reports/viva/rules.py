"""The small changes of code that are understood: what may stand in the place of an expression, and what is different
then. One table for each kind of node; changes.py looks for the places.

A rule is a function of (node, text) that yields (kind, expression, its new text or None, what is different then).
"""

import ast
import re

# ---- what is understood ----------------------------------------------------------------------------------------------

THE_OTHERS = "It holds exactly where it does not hold now."
# the comparison as it stands: [(another, what is different then)]
COMPARED = {
    "<": [("<=", "Where both sides are equal it holds, too."), (">", THE_OTHERS)],
    "<=": [("<", "Where both sides are equal it no longer holds."), (">", THE_OTHERS)],
    ">": [(">=", "Where both sides are equal it holds, too."), ("<", THE_OTHERS)],
    ">=": [(">", "Where both sides are equal it no longer holds."), ("<", THE_OTHERS)],
    "==": [("!=", THE_OTHERS)],
    "!=": [("==", THE_OTHERS)],
    "in": [("not in", THE_OTHERS)],
    "not in": [("in", THE_OTHERS)],
}
SYMBOLS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
SMALLEST, LARGEST = "It takes the smallest in place of the largest.", "It takes the largest in place of the smallest."
# a function or method: (kind, another, what is different then)
RENAMED = {
    "mean": ("mean or sum", "sum", "It is not divided by the number of terms, so it grows with them."),
    "sum": ("mean or sum", "mean", "It is divided by the number of all terms, those that are 0 among them."),
    "max": ("max or min", "min", SMALLEST),
    "maximum": ("max or min", "minimum", SMALLEST),
    "argmax": ("max or min", "argmin", SMALLEST),
    "min": ("max or min", "max", LARGEST),
    "minimum": ("max or min", "maximum", LARGEST),
    "argmin": ("max or min", "argmax", LARGEST),
    "tril": ("triangle", "triu", "It keeps the upper triangle: later places in place of earlier ones."),
    "triu": ("triangle", "tril", "It keeps the lower triangle: earlier places in place of later ones."),
    "no_grad": ("gradient", "enable_grad", "A gradient flows through these lines, too."),
    "log_softmax": ("logarithm", "softmax", "Probabilities stand where logarithms of them are meant."),
}
BEYOND = "Values beyond the bounds pass as they are."
# a call that is left out, so that what it is called on, or its first argument, stays: (kind, what is different then)
LEFT_OUT = {
    "detach": ("gradient", "A gradient flows through this value, too."),
    "clamp": ("clamp", BEYOND),
    "clip": ("clamp", BEYOND),
    "clamp_min": ("clamp", BEYOND),
    "clamp_max": ("clamp", BEYOND),
    "clone": ("copy", "No copy is made: what is written afterwards goes into the original."),
    "float": ("dtype", "It is computed in the dtype that comes in."),
    "double": ("dtype", "It is computed in the dtype that comes in."),
    "exp": ("logarithm", "It stays a logarithm: a difference where a ratio is meant."),
    "log": ("logarithm", "No logarithm is taken."),
    "abs": ("sign", "Negative values keep their sign."),
    "lower": ("text", "Capital letters stay capital."),
    "strip": ("text", "Blanks at the ends stay."),
    "reversed": ("order", "It runs from the first to the last."),
    "sorted": ("order", "The order is that of what comes in."),
}
AXES = (
    "sum mean max min amax amin argmax argmin softmax log_softmax cumsum std var norm argsort sort any all cat stack "
    "unsqueeze gather logsumexp flip"
).split()
OTHER_AXIS = {-1: "0", 0: "-1", 1: "0"}
NO_LABEL = -100


# ---- one node -> (kind, expression, its new text, effect) ------------------------------------------------------------


def number(node):
    """The value of a whole number with or without a sign, None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def is_mask(node):
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return "mask" in name


def kept(node, text):
    """An expression that stays where what was around it is left out: in brackets where it needs them."""
    alone = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
    return text.of(node) if isinstance(node, alone) else f"({text.of(node)})"


def between(left, right, symbol, other, whole, text):
    """The text of `whole` with another symbol between two of its parts; None where that cannot be told for certain."""
    start, end = text.place(left)[1], text.place(right)[0]
    pattern = rf"(?<![\w<>=!]){re.escape(symbol)}(?![\w=<>])" if symbol[0].isalpha() else re.escape(symbol)
    found = re.findall(pattern, text.source[start:end])
    if len(found) != 1 or "#" in text.source[start:end]:
        return None
    first, last = text.place(whole)
    middle = re.sub(pattern, lambda _: other, text.source[start:end])
    return text.source[first:start] + middle + text.source[end:last]


def of_comparison(node, text):
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SYMBOLS:
        symbol = SYMBOLS[type(node.ops[0])]
        for other, effect in COMPARED[symbol]:
            yield "comparison", node, between(node.left, node.comparators[0], symbol, other, node, text), effect
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        effect = "One of the two is enough." if new == "or" else "Both have to hold."
        yield "and or or", node, between(*node.values, old, new, node, text), effect
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        yield "mask", node, kept(node.operand, text), THE_OTHERS


def of_arithmetic(node, text):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if number(node) == NO_LABEL:
            yield "no label", node, "0", "0 is an ordinary token: it can no longer be told from “no label”."
        elif not isinstance(node.operand, ast.Constant):
            yield "sign", node, kept(node.operand, text), "The sign is the other one."
    if not isinstance(node, ast.BinOp):
        return
    left, right = kept(node.left, text), kept(node.right, text)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        if number(node.right) == 1:
            yield "off by one", node, left, f"It is one {'less' if isinstance(node.op, ast.Add) else 'more'}."
        elif isinstance(node.right, ast.Constant) and isinstance(node.right.value, float) and node.right.value < 1e-4:
            yield "epsilon", node, left, "Nothing keeps a divisor away from 0."
        elif isinstance(node.op, ast.Sub):
            yield "sign", node, between(node.left, node.right, "-", "+", node, text), f"`{right}` is added."
        elif not any(isinstance(side, (ast.List, ast.JoinedStr, ast.Constant)) for side in (node.left, node.right)):
            yield "sign", node, between(node.left, node.right, "+", "-", node, text), f"`{right}` is taken off."
    elif isinstance(node.op, ast.Mult):
        for side, other in ((node.left, right), (node.right, left)):
            if is_mask(side):
                yield "mask", node, other, f"Places that `{text.of(side)}` puts to 0 count."
            elif isinstance(side, ast.Name):
                yield "factor", node, other, f"The factor `{side.id}` is missing."
    elif isinstance(node.op, ast.Div):
        yield "divisor", node, left, f"It is not divided by `{right}`."


def of_call(node, text):
    if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Attribute, ast.Name)):
        return
    method = isinstance(node.func, ast.Attribute)
    name = node.func.attr if method else node.func.id
    of_library = method and isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "F", "np", "math")
    if name in RENAMED and (method or name in ("max", "min")):
        kind, other, effect = RENAMED[name]
        yield kind, node.func, text.of(node.func)[: -len(name)] + other, effect
    if name in LEFT_OUT and (method or name in ("abs", "reversed", "sorted")):
        stays = node.args[:1] if of_library or not method else [node.func.value]
        if stays and not (name == "log" and of_library and len(node.args) > 1):
            yield LEFT_OUT[name][0], node, kept(stays[0], text), LEFT_OUT[name][1]
    if name == "where" and len(node.args) == 3:
        a, b = text.place(node.args[1]), text.place(node.args[2])
        first, last = text.place(node)
        new = [text.source[i:j] for i, j in ((first, a[0]), b, (a[1], b[0]), a, (b[1], last))]
        yield "mask turned round", node, "".join(new), "The two cases change places."
    if name in ("masked_fill", "masked_fill_") and node.args and not isinstance(node.args[0], ast.UnaryOp):
        new = f"~({text.of(node.args[0])})"
        yield "mask turned round", node.args[0], new, "It fills exactly the places that it keeps now."
    if name in AXES:
        given = [k.value for k in node.keywords if k.arg in ("dim", "axis")] + node.args
        axes = [part for part in given if number(part) in OTHER_AXIS]
        if len(axes) == 1:
            new, (first, last) = OTHER_AXIS[number(axes[0])], text.place(axes[0])
            start, end = text.place(node)
            whole = text.source[start:first] + new + text.source[last:end]
            yield "axis", node, whole, f"It works along axis {new} in place of axis {number(axes[0])}."
    for keyword in node.keywords:
        if keyword.arg == "reverse" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True:
            yield "order", keyword.value, "False", "The smallest comes first."


def of_the_rest(node, text):
    if isinstance(node, ast.Slice) and node.step is None:
        if node.lower is None and number(node.upper) == -1:
            yield "off by one", node, "1:", "The first place is left out in place of the last: all moves by one."
        elif node.upper is None and number(node.lower) == 1:
            yield "off by one", node, ":-1", "The last place is left out in place of the first: all moves by one."
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
        symbol, other = ("+=", "-=") if isinstance(node.op, ast.Add) else ("-=", "+=")
        target, value = text.of(node.target), text.of(node.value)
        turned, put = (between(node.target, node.value, symbol, new, node, text) for new in (other, "="))
        yield "sign", node, turned, f"`{value}` has the other sign."
        yield "added or set", node, put, f"`{value}` takes the place of what stood in `{target}`."
    if isinstance(node, (ast.JoinedStr, ast.Constant)) and r"\n" in (written := text.of(node)):
        if isinstance(node, ast.JoinedStr) or isinstance(node.value, str):
            at = written.rindex(r"\n")
            yield "newline", node, written[:at] + written[at + 2 :], "A newline is missing there."


RULES = (of_comparison, of_arithmetic, of_call, of_the_rest)
