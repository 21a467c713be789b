"""Which row of an export is whose, so that a grade only ever stands in the row of the person who earned it.

An identifier joins a row and a student if both sides have that column and its value is one person's on each; a name
only where no identifier does, and if nobody else has it or, without a name in the class list, may have it. Then every
row that would be filled is compared in all that the class and the file have in common: one contradiction, and nothing
is written.
"""

import re
from collections import Counter

from course_lib.grading.lms.sheet import numbered
from course_lib.grading.people import identity, names
from course_lib.grading.people.table import one_line
from course_lib.grading.records import store
from course_lib.grading.reports.page import visible
from course_lib.platform import safe_name


def identities(sheet, indices, place, kind):
    """[{kind: {values}}] of rows; the column to fill identifies nobody."""
    kinds = identity.kinds(sheet.headers, [sheet.values[i] for i in indices])
    if kind == "moodle" and numbered(sheet):  # in a language that is not known, where the name comes next
        called = [sheet.values[i][1] for i in indices]
        kinds[:2] = "moodle_id", kinds[1] or ("name" if 1 < len(called) == len(set(called)) else "")
    kinds[place] = ""
    found = [identity.of_row(kinds, sheet.values[i]) for i in indices]
    for row in found:
        if "moodle_id" in row:  # "Teilnehmer/in7101", "Участник7101"
            row["moodle_id"] = {re.sub(r"^\D+(?=\d+$)", "", text) for text in row["moodle_id"]}
    return found


def fills(grade, kind):
    """Whether a student's cell is to be filled: with points, or in Canvas with EX for who is excused."""
    return grade["final"] is not None or (kind == "canvas" and grade["status"] == "excused")


def match(path, sheet, indices, place, kind, grades):
    """({index of a row: grade row}, [indices of rows that are nobody's of ours]). Raises StoreError on a contradiction
    about a row that would be filled.
    """

    def line(row):
        return f"line {sheet.line(indices[row])} ({visible(one_line(' '.join(sheet.values[indices[row]][:2])), 60)})"

    theirs = identities(sheet, indices, place, kind)
    pairs = paired(path, theirs, grades, [fills(grade, kind) for grade in grades], line)
    found = {indices[row]: grades[person] for row, person in pairs.items()}
    return found, [index for index in indices if index not in found]


def paired(where, theirs, grades, wanted, line):
    """{index in theirs: index in grades} of whoever can be told. theirs: [{kind: {values}}]; line(index) names one of
    them. Raises StoreError on a contradiction about somebody who is `wanted` (a bool for each of grades).
    """
    mine = [identity.of_person(grade) for grade in grades]
    joined = identity.links(mine, theirs) + by_student(grades, theirs)
    by_row, by_person = {}, {}
    for person, row, how in joined:
        by_row.setdefault(row, {}).setdefault(person, []).append(how)
        by_person.setdefault(person, {}).setdefault(row, []).append(how)
    for person, row in by_name(mine, theirs, by_person, by_row):
        by_row[row], by_person[person] = {person: ["name"]}, {row: ["name"]}
    nameless = [i for i, grade in enumerate(grades) if not grade["name"] and i not in by_person]

    for person, rows in by_person.items():
        if not wanted[person]:
            continue
        student, (row, *more) = grades[person]["student"], rows
        if more:
            text = f"{line(row)} and {line(more[0])} are both {student}'s"
            raise contradiction(where, text, rows[row], rows[more[0]])
        if len(by_row[row]) > 1:
            other = next(p for p in by_row[row] if p != person)
            text = f"{line(row)} is {student}'s and {grades[other]['student']}'s"
            raise contradiction(where, text, rows[row], by_row[row][other])
        if wrong := contradicts(mine[person], theirs[row]):
            said, here = (one_line(", ".join(sorted(side[wrong]))) for side in (mine[person], theirs[row]))
            raise store.StoreError(
                f"{where}: {line(row)} is {student}'s by {word(rows[row][0])}, but its {word(wrong)} is {here} and in "
                f"the class list {said}: correct the one that is wrong. Nothing was written"
            )
        called = rows[row] == ["name"] and grades[person]["name"]  # where it is the key itself, it is one person's
        maybe = [grades[i]["student"] for i in nameless if called and not contradicts(mine[i], theirs[row])]
        if maybe:
            raise store.StoreError(
                f"{where}: {line(row)} is {student}'s by name alone, but may be {maybe[0]}'s, who has no name in the "
                f"class list: give {maybe[0]} a name there, or an id that the file has. Nothing was written"
            )
    return {row: next(iter(people)) for row, people in by_row.items() if len(people) == 1}


def contradicts(mine, theirs):
    """The kind of identity in which a student and a row differ, or None. Moodle's numbers are of one assignment."""
    both = sorted(mine.keys() & theirs.keys() - {"moodle_id"})
    return next((kind for kind in both if identity.agree(kind, mine[kind], theirs[kind]) is False), None)


def contradiction(where, text, kinds, others):
    how = f"by {word(kinds[0])} and by {word(others[0])}"
    return store.StoreError(f"{where}: {text}, {how}: correct the one that is wrong. Nothing was written")


def word(kind):
    return kind.removeprefix("the column ").replace("_", " ")


def by_student(grades, theirs):
    """[(person, row, kind)] by what the class list has in the column student, or in one called id. Whose identifier it
    is nobody says: it is the one column of the file in which most are found, and at least half; none where two columns
    have as many. An LMS's own numbers are no one's key, and a number of few digits may be a place in a list.
    """
    keys = [{grade["student"], *filter(None, [grade["ids"].get("id")])} for grade in grades]
    keys = [{key for key in each if len(key) > 4 or not key.isdigit()} for each in keys]
    found = []
    for kind in set().union(*theirs) - {"name", "canvas_id", "moodle_id", "integration_id"}:
        mine = [{kind: each} for each in keys]
        rows = [{kind: values | set(map(safe_name, values))} for values in (row.get(kind, set()) for row in theirs)]
        found.append({(person, row) for person, row, _ in identity.links(mine, rows)})
    most = max(map(len, found), default=0)
    best = [pairs for pairs in found if len(pairs) == most]
    if 2 * most < min(len(grades), len(theirs)) or any(pairs != best[0] for pairs in best):
        return []
    return [(person, row, "the column student") for person, row in sorted(best[0])] if best else []


def by_name(mine, theirs, by_person, by_row):
    """[(person, row)] of those whom no identifier joins, by a name that nobody else has, unless an identifier that both
    sides have says that they are two.
    """

    def owners(people):
        called = [frozenset(form(name) for name in person.get("name", ())) for person in people]
        often = Counter(name for forms in called for name in forms)
        return {name: i for i, forms in enumerate(called) for name in forms if name and often[name] == 1}

    left, right = owners(mine), owners(theirs)
    found = []
    for name in sorted(left.keys() & right.keys()):
        person, row = left[name], right[name]
        if person not in by_person and row not in by_row and not contradicts(mine[person], theirs[row]):
            found.append((person, row))
    return found


def form(name):
    return tuple(sorted(names.words(name)))


def not_there(path, sheet, nobody, place, kind, lost):
    """The line about students with a grade who are not in the file, and why those with a namesake in it are not."""
    called = {form(n): i for i, row in zip(nobody, identities(sheet, nobody, place, kind)) for n in row.get("name", ())}
    shown = []
    for grade in lost[:12]:
        text, namesake = visible(grade["student"], 60), called.get(form(grade["name"] or grade["student"]))
        spoilt = [value for value in grade["ids"].values() if identity.rounded(value)]
        if spoilt:
            text += f" (whose {spoilt[0]} looks like a number that a spreadsheet has rounded)"
        elif namesake is not None:
            text += f" (line {sheet.line(namesake)} has that name, but another id, or somebody else has it, too)"
        shown.append(text)
    more = f" and {len(lost) - 12} more" if len(lost) > 12 else ""
    return (
        f"not in {path}: {', '.join(shown)}{more}. Give the roster the column that the file has (an id or an address), "
        "or leave them out with --skip-unmatched"
    )
