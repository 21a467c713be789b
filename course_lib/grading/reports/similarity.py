"""`course similarity LAB`: pairs of submissions whose code agrees more than separate work would. A question to ask,
never a verdict, never a score.

Fingerprints (prints.py) that stand in the student notebook are taken out, and those that a quarter of the class shares:
the lab's own idiom. What is left is weighted by its rarity, log(students / students who have it). A pair's share is the
weight that both have over the weight of the smaller of the two. An index from fingerprint to students gives the pairs;
no two texts are compared. Each student is compared with what lies outside the class, too (outside.py).

Measured on the banks of answers (tests/grading/test_similarity.py; labs 01 to 11, classes of 72): of 6,678 pairs who
wrote every answer differently 0 are shown; of 66 whole copies with other names, comments, layout and order 66; of 66
who copied every second answer 42. Students who have whole answers word for word in common by chance are shown more
often (837 of 19,470 pairs that drew from one bank): look at what is equal. Lab 00 has two answers of a line each: too
short to tell. 300 notebooks of lab 04, no two texts equal: 2.0 s.
"""

import argparse
import math
from collections import defaultdict
from itertools import combinations
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports import outside, page
from course_lib.grading.reports.prints import fingerprints
from course_lib.grading.reports.prints import read as read_prints
from course_lib.notebook import cells as notebooks
from course_lib.platform import ROOT, counted, write_atomic

COMMON = 0.25  # a fingerprint that more of the class have is the lab's idiom
THRESHOLD, LEAST = 0.5, 12  # of the smaller's weight; fingerprints that both have
PAIRS = 50  # shown


# ---- a class -> pairs -----------------------------------------------------------------------------------------------


def owners(prints, stub=frozenset()):
    """{fingerprint: [students who have it]}, but for those in `stub`."""
    having = defaultdict(list)
    for student, found in prints.items():
        for value in found:
            if value not in stub:
                having[value].append(student)
    return having


def idiom_of(prints, stub=frozenset()):
    """The fingerprints that so many have that they tell nobody apart; of two students' none."""
    n = len(prints)
    return {v for v, who in owners(prints, stub).items() if n > 2 and (len(who) > max(2, COMMON * n) or len(who) == n)}


def pairs_of(prints, stub=frozenset(), threshold=THRESHOLD, least=LEAST):
    """[{"pair": (a, b), "share", "weight", "shared": [fingerprints, the rarest first]}] by weight times share, of
    prints {student: {fingerprint: place}}; `stub`: fingerprints that do not count.
    """
    n, having = len(prints), owners(prints, stub)
    idiom = idiom_of(prints, stub)
    weight = {v: math.log(n / len(who)) if n > 2 else 1.0 for v, who in having.items() if v not in idiom}
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
    paths = {row["student"]: Path(row["folder"], "notebook.ipynb") for row in rows if row["folder"]}
    texts, prints, _ = read_prints(paths)
    try:
        stub = set(fingerprints(notebooks.read_cells(Path(root, "labs", f"{lab}.ipynb"))))
    except notebooks.Ungradable:
        stub = set()
    return texts, prints, stub


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


def section(entry, texts, prints, names):
    """HTML of one pair, side by side."""
    a, b = (page.escape(names[who], 100) for who in entry["pair"])
    body = f"<section><h2>{a} and {b}: {alike(entry)}</h2>"
    for places in passages(entry, prints)[:30]:
        sides = ""
        for who, (cell, first, last) in zip(entry["pair"], places, strict=True):
            title = f"{page.escape(names[who], 100)}, cell {cell}, lines {first}–{last}"
            text = page.escape(excerpt(texts[who], (cell, first, last)))
            sides += f'<div><div class="soft">{title}</div><pre>{text}</pre></div>'
        body += f'<div class="sides">{sides}</div>'
    return f"{body}</section>"


def alike(entry):
    return f"{100 * entry['share']:.0f} %, {counted(len(entry['shared']), 'passage')}"


def as_html(lab, found, beyond, texts, prints, names, notes):
    """found, beyond: pairs within the class and with what lies outside it."""
    about = (
        "A question to ask, no verdict. Names, numbers, comments and the order of functions are not compared. The "
        "share is of the smaller one's rare passages."
    )
    body = [f"<h1>{page.escape(lab)}: similar code</h1>", f"<p>{about}</p>"]
    body += [f"<p>{page.escape(line)}</p>" for line in notes]
    for title, pairs in (("Students", found), ("Solution, library, other years", beyond)):
        body.append(f"<h2>{title}</h2>" + ("" if pairs else "<p>No pair is above the threshold.</p>"))
        body += [section(entry, texts, prints, names) for entry in pairs[:PAIRS]]
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
    parser.add_argument("--against", metavar="DIR", nargs="+", default=[], help="other years' folders submissions, too")
    parser.add_argument("--html", metavar="FILE", help="default: similarity_LAB.html")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.threshold <= 1:
        raise store.StoreError(f"--threshold {arguments.threshold:g} is no share: give a number from 0 to 1")
    lab, rows = arguments.lab, page.rows_of(arguments.lab, store.GRADES, store.SUBMISSIONS)
    others = outside.other_years(lab, arguments.against)
    texts, prints, stub = read(lab, rows)
    found, console = pairs_of(prints, stub, arguments.threshold), Console()
    old_texts, old_prints, lost = read_prints(others)
    our_texts, our_prints = outside.course(lab)
    beyond = outside.pairs(prints, our_prints | old_prints, stub, arguments.threshold, LEAST)
    unread = [row["student"] for row in rows if row["folder"] and row["student"] not in prints] + lost
    notes = outside.left_out(prints, stub, idiom_of(prints, stub), unread, LEAST)
    for entry in [*found[:PAIRS], *beyond[:PAIRS]]:
        console.print(Text(f"{alike(entry):22} {' and '.join(map(page.visible, entry['pair']))}"))
    path = arguments.html or f"similarity_{lab}.html"
    names = {who: who for who in our_prints | old_prints} | {r["student"]: r["name"] or r["student"] for r in rows}
    pages = our_texts | old_texts | texts, our_prints | old_prints | prints
    try:
        write_atomic(path, as_html(lab, found, beyond, *pages, names, notes).encode())
    except OSError as error:
        raise store.StoreError(f"cannot write {path} ({error.strerror})") from None
    told = (
        f"{len(found)} of {counted(math.comb(len(prints), 2), 'pair')} share {100 * arguments.threshold:.0f} % or more"
    )
    shown = f" ({PAIRS} of each shown)" if max(len(found), len(beyond)) > PAIRS else ""
    elsewhere = f"{len(beyond)} with the solution, the library or other years"
    end = f"{told}, {elsewhere}{shown}; side by side in {path}. Questions to ask, not verdicts."
    for line in [*map(page.visible, notes), end]:
        console.print(line, highlight=False, markup=False)
    return 0
