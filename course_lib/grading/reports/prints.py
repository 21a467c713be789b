"""What of a notebook's code is compared: winnowed k-grams (Schleimer, Wilkerson and Aiken 2003, the method of MOSS)
over the syntax tree of each top-level statement. Names that are not of Python or of a library, texts, numbers,
comments, docstrings, annotations, imports, line breaks and the order of functions do not count.
"""

import ast
import builtins
import hashlib
import typing
from contextlib import suppress
from functools import lru_cache

from course_lib.grading.reading import room
from course_lib.grading.scoring import signs
from course_lib.notebook import cells as notebooks

K, WINDOW = 14, 5  # tokens of a k-gram; of so many neighbours one is kept


def constant(value):
    if value is None or type(value) is bool:
        return repr(value)
    return "text" if isinstance(value, (str, bytes)) else "number"


def tokens(statement, known):
    """[(token, line)] of a statement's syntax tree in the order of its text; the student's own names are all alike."""
    found = []

    @typing.no_type_check  # called at every node: too often for the type check of the tests
    def walk(node, line):
        line = getattr(node, "lineno", line)
        if isinstance(node, ast.Name):
            found.append((known.get(node.id, "name"), line))
        elif isinstance(node, ast.Constant):
            found.append((constant(node.value), line))
        elif isinstance(node, ast.Attribute):
            walk(node.value, line)
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls") and node.value.id not in known
            found.append(("." if own else f".{node.attr}", line))
        elif isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)):
            return
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
            return
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            walk(ast.copy_location(ast.Assign([node.target], node.value), node), line)
        else:
            if not isinstance(node, (ast.expr_context, ast.Expr, ast.Load, ast.Store, ast.arguments, ast.Module)):
                found.append((type(node).__name__, line))
            for field, value in ast.iter_fields(node):
                if field in ("annotation", "returns", "type_comment", "ctx", "decorator_list"):
                    continue
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        walk(child, line)

    walk(statement, getattr(statement, "lineno", 1))
    return found


def winnow(found, k=K, window=WINDOW):
    """{fingerprint: (first line, last line)} of [(token, line)]: of each `window` neighbouring k-grams the one with the
    smallest hash, the last of equals.
    """
    size = min(k, len(found))
    if size < k // 2:
        return {}
    grams = []
    for at in range(len(found) - size + 1):
        words = "\0".join(token for token, _ in found[at : at + size]).encode("utf-8", "replace")
        grams.append((int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little"), at))
    span = min(window, len(grams))
    kept = {min(grams[at : at + span], key=lambda gram: (gram[0], -gram[1])) for at in range(len(grams) - span + 1)}
    prints = {}
    for value, at in sorted(kept, key=lambda gram: -gram[1]):
        lines = [line for _, line in found[at : at + size]]
        prints[value] = min(lines), max(lines)
    return prints


@lru_cache(4096)  # most cells of a class are those of the student notebook
def parsed(source):
    """(the imports of a cell as ((name, what it stands for), …), its top-level statements); nothing where Python cannot
    read it.
    """
    trees = [tree for _, _, tree in signs.parsed([(0, "code", source)])[0]]
    return tuple(signs.import_names(trees).items()), [statement for tree in trees for statement in tree.body]


@lru_cache(4096)
def prints_of_cell(source, imported):
    """{fingerprint: (first line, last line)} of a cell in a notebook with these imports, so that `import torch as t`
    changes nothing.
    """
    known = {name: name for name in dir(builtins)} | {name: what.rsplit(".", 1)[-1] for name, what in imported}
    made = {}
    for statement in parsed(source)[1]:
        with suppress(RecursionError):
            made |= winnow(tokens(statement, known))
    return made


def fingerprints(cells):
    """{fingerprint: (cell, first line, last line)} of a notebook's code cells [(number, kind, source)]. Cells that do
    not parse have none.
    """
    code = [(number, source) for number, kind, source in cells if kind == "code" and source.strip()]
    imported, found = tuple(sorted({line for _, source in code for line in parsed(source)[0]})), {}
    for number, source in code:
        found |= {value: (number, *lines) for value, lines in prints_of_cell(source, imported).items()}
    return found


def looked_at(path):
    """{"cells", "prints" [(fingerprint, place)]} of a handed-in notebook, None where it is none. For the room."""
    try:
        cells = notebooks.read_cells(path)
    except notebooks.Ungradable:
        return None
    return {"cells": cells, "prints": list(fingerprints(cells).items())}


def read(paths):
    """({name: cells}, {name: fingerprints}, names of what cannot be read) of notebooks {name: path}, in the room."""
    texts, prints, unread = {}, {}, []
    for name, found in zip(paths, (found for _, found in room.each(looked_at, paths.values()))):
        if found is None or isinstance(found, room.Unreadable):
            unread.append(name)
        else:
            texts[name] = [tuple(cell) for cell in found["cells"]]
            prints[name] = {value: tuple(place) for value, place in found["prints"]}
    return texts, prints, unread
