"""`course similarity LAB`: pairs of submissions whose code agrees more than separate work would. A question to ask,
never a verdict, never a score.

Fingerprints are winnowed k-grams (Schleimer, Wilkerson and Aiken 2003, the method of MOSS) over the syntax tree of each
top-level statement: names that are not of Python or of a library, texts, numbers, comments, docstrings, annotations,
line breaks and the order of functions do not count. What stands in the student notebook is taken out, and what a
quarter of the class shares: the lab's own idiom. What is left is weighted by its rarity, log(students / students who
have it). A pair's share is the weight that both have over the weight of the smaller of the two. An index from
fingerprint to students gives the pairs; no two texts are compared.

Measured on the banks of answers (tests/grading/test_similarity.py; labs 01 to 11, classes of 72): of 6,678 pairs who
wrote every answer differently 0 are shown; of 66 whole copies with other names, comments, layout and order 66; of 66
who copied every second answer 42. Students who have whole answers word for word in common by chance are shown more
often (837 of 19,470 pairs that drew from one bank): look at what is equal. Lab 00 has two answers of a line each: too
short to tell. 300 notebooks of lab 04, no two texts equal: 2.0 s.
"""

import argparse
import ast
import builtins
import hashlib
import math
import typing
from collections import defaultdict
from contextlib import suppress
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.grading.reports import page
from course_lib.grading.scoring import signs
from course_lib.notebook import cells as notebooks
from course_lib.platform import ROOT, write_atomic

K, WINDOW = 14, 5  # tokens of a k-gram; of so many neighbours one is kept
COMMON = 0.25  # a fingerprint that more of the class have is the lab's idiom
THRESHOLD, LEAST = 0.5, 12  # of the smaller's weight; fingerprints that both have
PAIRS = 50  # shown


# ---- one notebook -> fingerprints -----------------------------------------------------------------------------------


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


# ---- a class -> pairs -----------------------------------------------------------------------------------------------


def pairs_of(prints, stub=frozenset(), threshold=THRESHOLD, least=LEAST):
    """[{"pair": (a, b), "share", "weight", "shared": [fingerprints, the rarest first]}] by weight times share, of
    prints {student: {fingerprint: place}}; `stub`: fingerprints that do not count.
    """
    n, having = len(prints), defaultdict(list)
    for student, found in prints.items():
        for value in found:
            if value not in stub:
                having[value].append(student)
    if n > 2:
        rare = {value: len(who) for value, who in having.items() if len(who) <= max(2, COMMON * n) and len(who) < n}
        weight = {value: math.log(n / count) for value, count in rare.items()}
    else:
        weight = dict.fromkeys(having, 1.0)
    mass = {student: sum(weight.get(value, 0.0) for value in found) for student, found in prints.items()}
    both = defaultdict(list)
    for value in weight:
        for pair in combinations(having[value], 2):
            both[pair].append(value)
    found = []
    for pair, values in both.items():
        heavy = sum(weight[value] for value in values)
        share = heavy / min(mass[pair[0]], mass[pair[1]])
        if len(values) >= least and share >= threshold:
            shared = sorted(values, key=lambda value: (-weight[value], value))
            found.append({"pair": pair, "share": share, "weight": heavy, "shared": shared})
    return sorted(found, key=lambda entry: (-entry["weight"] * entry["share"], entry["pair"]))


def read(lab, rows, root=ROOT):
    """({student: cells}, {student: fingerprints}, fingerprints of the student notebook) of gradebook rows. Notebooks
    that cannot be read are left out.
    """
    texts, prints = {}, {}
    paths = {Path(row["folder"], "notebook.ipynb"): row["student"] for row in rows if row["folder"]}
    for path, found in room.each(looked_at, paths):
        if found is not None and not isinstance(found, room.Unreadable):
            texts[paths[path]] = [tuple(cell) for cell in found["cells"]]
            prints[paths[path]] = {value: tuple(place) for value, place in found["prints"]}
    try:
        stub = set(fingerprints(notebooks.read_cells(Path(root, "labs", f"{lab}.ipynb"))))
    except notebooks.Ungradable:
        stub = set()
    return texts, prints, stub


def looked_at(path):
    """{"cells", "prints" [(fingerprint, place)]} of a handed-in notebook, None where it is none. For the room."""
    try:
        cells = notebooks.read_cells(path)
    except notebooks.Ungradable:
        return None
    return {"cells": cells, "prints": list(fingerprints(cells).items())}


def passages(entry, prints):
    """[((cell, first, last) of a, the same of b)]: matching lines of a pair, overlapping ones joined, in a's order."""
    a, b = (prints[student] for student in entry["pair"])
    places = sorted((a[value], b[value]) for value in entry["shared"])
    joined = []
    for (cell, first, last), (other, start, end) in places:
        before = joined[-1] if joined else None
        if (
            before
            and before[0][0] == cell
            and before[1][0] == other
            and first <= before[0][2] + 1
            and start <= before[1][2] + 1
            and end >= before[1][1] - 1
        ):
            joined[-1] = (
                (cell, before[0][1], max(last, before[0][2])),
                (other, min(start, before[1][1]), max(end, before[1][2])),
            )
        else:
            joined.append(((cell, first, last), (other, start, end)))
    return joined


def excerpt(cells, place):
    """Lines first … last of a cell, as text."""
    cell, first, last = place
    source = next(source for number, _, source in cells if number == cell)
    return "\n".join(source.split("\n")[first - 1 : last])


def as_html(lab, found, texts, prints, names):
    about = (
        "A question to ask, no verdict. Names, numbers, comments and the order of functions are not compared; what the "
        "lab gives out and what a quarter of the class shares is taken out. The share is of the smaller submission's "
        "rare passages."
    )
    body = [
        f"<h1>{page.escape(lab)}: similar code</h1>",
        f"<p>{about if found else 'No pair is above the threshold.'}</p>",
    ]
    for entry in found[:PAIRS]:
        a, b = (page.escape(names[who], 100) for who in entry["pair"])
        alike = f"{100 * entry['share']:.0f} %, {len(entry['shared'])} rare passages"
        body.append(f"<section><h2>{a} and {b}: {alike}</h2>")
        for places in passages(entry, prints)[:30]:
            sides = ""
            for who, (cell, first, last) in zip(entry["pair"], places, strict=True):
                title = f"{page.escape(names[who], 100)}, cell {cell}, lines {first}–{last}"
                text = page.escape(excerpt(texts[who], (cell, first, last)))
                sides += f'<div><div class="soft">{title}</div><pre>{text}</pre></div>'
            body.append(f'<div class="sides">{sides}</div>')
        body.append("</section>")
    return page.page(f"{lab}: similar code", "\n".join(body))


def main(argv=None):
    from rich.console import Console
    from rich.text import Text

    parser = argparse.ArgumentParser(prog="course similarity", description=__doc__.split("\n")[0])
    parser.add_argument("lab")
    parser.add_argument(
        "--threshold",
        type=float,
        default=THRESHOLD,
        help=f"share of the smaller's rare passages, 0 to 1 (default {THRESHOLD})",
    )
    parser.add_argument("--html", metavar="FILE", help="default: similarity_LAB.html")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.threshold <= 1:
        raise store.StoreError(f"--threshold {arguments.threshold:g} is no share: give a number from 0 to 1")
    rows = page.rows_of(arguments.lab, store.GRADES, store.SUBMISSIONS)
    texts, prints, stub = read(arguments.lab, rows)
    found, console = pairs_of(prints, stub, arguments.threshold), Console()
    for entry in found[:PAIRS]:
        who = " and ".join(map(page.visible, entry["pair"]))
        console.print(Text(f"{100 * entry['share']:3.0f} %  {len(entry['shared']):4} rare passages  {who}"))
    path = arguments.html or f"similarity_{arguments.lab}.html"
    names = {row["student"]: row["name"] or row["student"] for row in rows}
    try:
        write_atomic(path, as_html(arguments.lab, found, texts, prints, names).encode())
    except OSError as error:
        raise store.StoreError(f"cannot write {path} ({error.strerror})") from None
    told = f"{len(found)} of {math.comb(len(prints), 2)} pairs share {100 * arguments.threshold:.0f} % or more"
    shown = f" ({PAIRS} shown)" if len(found) > PAIRS else ""
    console.print(f"{told}{shown}; side by side in {path}. Questions to ask, not verdicts.", highlight=False)
    return 0
