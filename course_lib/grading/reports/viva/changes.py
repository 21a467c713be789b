"""The small changes of rules.py in a student's own lines: a comparison turned round, another axis, a clamp left out.
Found in the syntax tree; nothing is run here.

    for change in changes(source, function): …       function: an ast.FunctionDef of ast.parse(source)

A change replaces one expression of the text and leaves every other byte as the student wrote it.
"""

import ast
import re
from typing import NamedTuple

from course_lib.grading.reports.viva.rules import RULES

SHOWN = 72  # characters of an expression that a question quotes


class Change(NamedTuple):
    kind: str
    line: int  # of the source, from 1
    old: str  # the expression as it stands
    new: str
    effect: str  # one sentence, true wherever the change is made
    place: tuple  # (first, last) character of old
    ask: str  # the change in words, after "What would be different"


class Text:
    """A source with the characters of each node; ast counts bytes."""

    def __init__(self, source):
        self.source, self.begins = source, [0]
        self.lines = source.split("\n")
        for line in self.lines:
            self.begins.append(self.begins[-1] + len(line) + 1)

    def at(self, line, column):
        return self.begins[line - 1] + len(self.lines[line - 1].encode()[:column].decode(errors="ignore"))

    def place(self, node):
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def of(self, node):
        first, last = self.place(node)
        return self.source[first:last]


def parts(node):
    """The nodes of a body that may be changed: no annotation, and nothing inside an f-string, whose places Python 3.11
    does not know.
    """
    yield node
    if isinstance(node, ast.JoinedStr):
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "args") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not is_text_alone(child):
                yield from parts(child)


def is_text_alone(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changes(source, function):
    """[Change] of a function's body, in the order of its text. Each reads as Python and differs from what stands
    there.
    """
    text, found = Text(source), {}
    for statement in function.body:
        if is_text_alone(statement):
            continue
        for node in parts(statement):
            for rule in RULES:
                for kind, part, new, effect in rule(node, text):
                    first, last = text.place(part)
                    if new is None or new == source[first:last] or not reads(source, first, last, new):
                        continue
                    line = part.lineno + common(source[first:last], new).count("\n")
                    old = source[first:last]
                    found[first, last, new] = Change(kind, line, old, new, effect, (first, last), words(kind, old, new))
    return [found[key] for key in sorted(found)]


def reads(source, first, last, new):
    """Is the text with the new expression Python?"""
    try:
        ast.parse(source[:first] + new + source[last:])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def common(a, b):
    """What two texts begin with."""
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return a[:same]


def words(kind, old, new):
    """The change in words: "if `a - b` read `a + b`"."""
    old, new = (re.sub(r"\s+", " ", part) for part in (old, new))
    if kind == "mask turned round" and new[0] != "~":
        return f"if the mask of `{shorter(old)}` stood on the other side"
    if new == old[: len(new)] and old[len(new) : len(new) + 1] == "." and len(old) - len(new) <= SHOWN:
        return f"without `{old[len(new) :]}` behind `{shorter(new)}`"
    if old == f"-{new}":
        return f"without the minus before `{shorter(new)}`"
    start = len(common(old, new))
    if max(len(old), len(new)) > SHOWN:  # cut to what differs and something around it
        end = min(len(common(old[::-1], new[::-1])), min(len(old), len(new)) - start)
        left, right = max(0, start - SHOWN // 2), max(0, end - SHOWN // 4)
        cut = lambda part: ("… " if left else "") + part[left : len(part) - right] + (" …" if right else "")
        old, new = cut(old), cut(new)
    return f"if `{old}` read `{new}`"


def shorter(text):
    return text if len(text) <= SHOWN else text[: SHOWN - 2] + " …"
