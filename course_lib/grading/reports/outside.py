"""Each student's code beside what lies outside the class: the lab's solution, the library, and other years' notebooks.

Here nothing is idiom because many have it: a class in which half copied the solution shows it. A fingerprint weighs
log((students + 1) / students who have it), what no student has counts as had by one; a share is, as within the class,
of the smaller of the two.
"""

import math
from collections import Counter
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports.prints import fingerprints
from course_lib.notebook import cells as notebooks
from course_lib.platform import ROOT, counted


def course(lab, root=ROOT):
    """({name: cells}, {name: fingerprints}) of the lab's solution and of what the library has for it: our own texts."""
    texts, house = {}, Path(root, "course_lib")
    if (solution := Path(root, "solutions", f"{lab}.ipynb")).exists():
        texts[f"solutions/{lab}"] = notebooks.read_cells(solution)
    for path in [house / "answers" / f"lab{lab}.py", *sorted(house.glob("stages/*.py"))]:
        if path.exists():
            texts[path.relative_to(root).as_posix()] = [(0, "code", path.read_text(encoding="utf-8"))]
    return texts, {name: fingerprints(cells) for name, cells in texts.items()}


def other_years(lab, folders):
    """{name: path} of the notebooks in folders: submissions/ of another year, the folder around it, or any other."""
    found = {}
    for folder in map(Path, folders):
        own = [place for place in (folder / "submissions" / lab, folder / lab) if place.is_dir()]
        place = own[0] if own else folder
        paths = sorted(place.rglob("notebook.ipynb")) or sorted(place.rglob("*.ipynb"))
        if not paths:
            raise store.StoreError(f"no notebook in {place}: --against takes another year's folder submissions")
        for path in paths:
            name = path.relative_to(place)
            found[f"{folder}: {name.parent if name.name == 'notebook.ipynb' else name}"] = path
    return found


def pairs(prints, others, stub, threshold, least):
    """As similarity.pairs_of, of each student of `prints` with each of `others` {name: fingerprints}."""
    n = len(prints)
    having = Counter(value for found in prints.values() for value in found if value not in stub)
    weight = lambda value: math.log((n + 1) / max(1, having[value]))
    mass = lambda found: sum(weight(value) for value in found if value not in stub)
    masses, found = {student: mass(own) for student, own in prints.items()}, []
    for name, theirs in others.items():
        whole = mass(theirs)
        for student, own in prints.items():
            values = [value for value in own if value in theirs and value not in stub]
            if len(values) < least:
                continue
            heavy = sum(map(weight, values))
            share = heavy / min(masses[student], whole)
            if share >= threshold:
                shared = sorted(values, key=lambda value: (-weight(value), value))
                found.append({"pair": (student, name), "share": share, "weight": heavy, "shared": shared})
    return sorted(found, key=lambda entry: (-entry["weight"] * entry["share"], entry["pair"]))


# ---- what was not compared -------------------------------------------------------------------------------------------


def left_out(prints, stub, common, unread, least):
    """Lines that say what no pair was made of, and why. prints: {student: fingerprints}, common: those that are the
    lab's idiom, unread: names of what could not be read.
    """
    own = {student: [value for value in found if value not in stub] for student, found in prints.items()}
    rare = {student: sum(value not in common for value in found) for student, found in own.items()}
    given = len({value for found in prints.values() for value in found} & set(stub))
    short = [student for student, found in own.items() if len(found) < least]
    idiom = [student for student in own if rare[student] < least and student not in short]
    lines = [
        f"Left out: {counted(given, 'passage')} that the lab's notebook gives, imports, names, numbers and comments.",
        f"Left out between students: {counted(len(common), 'passage')} that more than a quarter of the class has. "
        "Whoever copied with so many is seen beside the solution, the library and other years only.",
    ]
    for names, why in (
        (short, f"too short to tell (fewer than {least} passages of their own)"),
        (idiom, "with little that others have not, too"),
        (unread, "that cannot be read"),
    ):
        if names:
            shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
            lines.append(f"Left out, {why}: {shown}.")
    return lines
