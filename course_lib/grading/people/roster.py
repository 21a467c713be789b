"""The class list: a CSV with the column student, and as it likes match, name, email, group, github and ids (canvas_id,
sis_id, login, moodle_id …), extension and excused (rules.py). Canvas's own gradebook and Gradescope's roster are read
as they are.
"""

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from course_lib.grading.people import identity, names, table
from course_lib.grading.records import store
from course_lib.platform import safe_name

FIXED = ("student", "match", "name", "email", "group", "extension", "excused")
UNIQUE = ("canvas_id", "sis_id", "moodle_id", "github", "id")
MOST_MEMBERS = 8  # of a group that hands in together; a tutorial's column is not one of groups


class NotMatched(Exception):
    """A file whose student cannot be told: one line that says what to add to the roster."""


def beside(submitted, path=None):
    """The roster at path, else roster.csv beside the folder of submissions, else []."""
    if path is None and not (path := Path(submitted).absolute().parent / "roster.csv").exists():
        return []
    return read(path)


def read(path):
    """[{"student" (as its folder is called), "match", "name", "email", "group", "extension", "excused", "ids": {kind or
    column: text}}], in the file's order. ids are the columns that identify. StoreError with one line.
    """
    try:
        text, _ = table.decoded(Path(path).read_bytes())
        _, spans, rows = table.table(text)
    except (OSError, UnicodeDecodeError, store.StoreError) as error:
        raise store.StoreError(f"the roster {path} cannot be read: {error}") from None
    header = [table.one_line(cell).strip() for cell in rows[0]] if len(rows) > 1 else []
    columns = columns_of(path, header, rows[1:])
    found: list[dict[str, Any]] = []
    at, number = 0, 1
    for span, row in zip(spans[1:], rows[1:]):
        start = span[0][0]
        number += table.line_of(text[at:start], start - at) - 1  # counted from the row above, not from the top
        at = start
        where = f"the roster {path}, line {number}"
        if any(cell.strip() for cell in row[len(columns) :]):
            raise store.StoreError(f"{where} has more fields than the first one: quote what has a separator in it")
        cells = [unicodedata.normalize("NFC", cell.strip()) for cell in row]
        if any(cells) and not identity.nobody(cells):
            line = dict.fromkeys(columns, "") | dict(zip(columns, cells))  # a spreadsheet leaves off what is empty
            if line.pop("role", "student").casefold() != "student":  # Gradescope lists its staff, too
                continue
            found.append(student_of(line, where, table.one_line(", ".join(filter(None, cells)))[:80]))
    found = list({repr(student): student for student in found}.values())  # a line that stands there twice
    by_name_and_id(found)
    no_two_alike(path, found)
    return found


def columns_of(path, header, rows):
    """What each column is called in a student's line: one of FIXED, a kind of identifier, "last", "first", "role", its
    own name where that sounds like an identifier, or "" for one that says nothing of who somebody is.
    """
    kinds = identity.kinds(header, rows)
    found = []
    for name, kind in zip(header, kinds):
        plain = identity.header(name)
        if plain in FIXED:
            kind = plain
        elif plain == "id" and "student" in map(identity.header, header) and "section" not in map(str.lower, header):
            kind = "id"  # of a list made by hand: whose number it is nobody says
        elif kind.startswith("the column "):
            kind = name
        found.append("" if kind == "group" != plain else kind)
    if "student" not in found:
        if {"sis_id", "email"} <= set(found):  # Gradescope
            found = ["role" if name.casefold() == "role" else kind for name, kind in zip(header, found)]
        elif not {"last", "first", "canvas_id"} <= set(found):
            raise store.StoreError(
                f"the roster {path} needs a column named student"
                + (f"; it has {', '.join(filter(None, header))}" if any(header) else " and a line for each student")
            )
    for kind in set(found) - {""}:
        if found.count(kind) > 1:
            twice = [name for name, k in zip(header, found) if k == kind]
            if kind in FIXED:
                raise store.StoreError(f"the roster {path} has the column {kind} twice: {', '.join(twice)}")
            found = [name if k == kind and name != twice[0] else k for name, k in zip(header, found)]
    return found


def student_of(line, where, shown):
    """A student's dict of a line {column: text}. Raises StoreError where nothing says who it is."""
    line.pop("", None)
    first, last = line.pop("first", ""), line.pop("last", "")
    if "student" not in line:
        sortable = ", ".join(filter(None, (last, first)))
        line["name"] = line.get("name") or " ".join(filter(None, (first, last)))
        line["student"] = sortable if "canvas_id" in line else line["email"] or line["sis_id"] or line["name"]
    elif first and last:
        line["name"] = line.get("name") or f"{first} {last}"
    if not line["student"]:
        raise store.StoreError(f"{where}: the column student is empty ({shown})")
    return {
        "student": safe_name(line["student"]),
        "match": line.get("match") or line["student"],
        "name": line.get("name") or names.turned(line["student"]),
        "email": line.get("email", ""),
        "group": line.get("group", ""),
        "extension": line.get("extension", ""),
        "excused": line.get("excused", ""),
        "ids": {column: text for column, text in line.items() if column not in FIXED},
    }


def by_name_and_id(found):
    """Two of one name in Canvas's gradebook, which has no other column student, are told apart by Canvas's id."""
    often = Counter(student["student"] for student in found)
    for student in found:
        if often[student["student"]] > 1 and student["ids"].get("canvas_id") and "login" in student["ids"]:
            student["name"] = student["name"] or student["match"]
            student["student"] = safe_name(f"{student['student']} {student['ids']['canvas_id']}")


def no_two_alike(path, found):
    """Raises StoreError where two lines share what only one may have, or a group is none."""
    for what in ("student", "email", *UNIQUE):
        seen: dict[str, str] = {}
        for student in found:
            value = identity.fold(student[what] if what in FIXED else student["ids"].get(what, ""))
            if value and value in seen:
                raise store.StoreError(
                    f"the roster {path}: {seen[value]} and {student['student']} have the same {what} ({value[:60]})"
                )
            seen[value] = student["student"]
    written: dict[tuple, str] = {}
    for group, size in Counter(s["group"] for s in found if s["group"]).items():
        if (alike := written.setdefault(names.words(group) or (group,), group)) != group:
            raise store.StoreError(
                f"the roster {path}: the groups {table.one_line(alike)} and {table.one_line(group)} are one but for "
                "how they are written: write them alike"
            )
        if size > MOST_MEMBERS:
            raise store.StoreError(
                f"the roster {path}: {table.one_line(group)} has {size} students, and one hand-in would count for them "
                f"all: call the column section if these are no groups that hand in together (of at most {MOST_MEMBERS})"
            )


# ---- who is meant ---------------------------------------------------------------------------------------------------


def is_called(student, name):
    """Whether an LMS's name is the student's. Before version 4.2 Moodle puts a team's name before that of a member."""
    mine = student["name"] or student["student"]
    if names.same(mine, name):
        return True
    team = f"{student['group']}-"
    return len(team) > 1 and name.casefold().startswith(team.casefold()) and names.same(mine, name[len(team) :])


def members(students, name):
    """Those of the group of this name, be it written with spaces or without (Canvas)."""
    return [s for s in students if s["group"] and names.same(s["group"], name)]


def by_text(students, text):
    """Those whom a file name names: the longest `match`, id or email in it, else all words of a name."""
    text = unicodedata.normalize("NFC", text)
    hits: dict[int, list] = {}
    for student in students:
        needles = {student["match"], student["email"]}
        for value in student["ids"].values():
            needles |= {needle for needle in (value, identity.plain(value)) if len(needle) > 3}
        for needle in needles:
            if names.bounded(needle, text):
                hits.setdefault(len(needle), []).append(student)
    if hits:
        return list({s["student"]: s for s in hits[max(hits)]}.values())
    seen = set(names.words(text))

    def named(student):
        name = student["name"] or student["student"]
        mine = names.words(name)
        if len(mine) > 1 and seen.issuperset(mine):
            return True
        return bool(mine) and any(names.same(name, word) for word in seen if len(word) > 5)

    return [student for student in students if named(student)]


def by_id(students, kind, text):
    """[student] with this identifier: none or one, as what two share identifies nobody."""
    people = [identity.of_person(student) for student in students]
    if kind == "id":  # Gradescope does not know what its students' number is called elsewhere
        if not any("sis_id" in person for person in people):
            same = [s for s in students if identity.fold(text) in map(identity.fold, anything(s))]
            return same if len(same) == 1 else []
        kind = "sis_id"
    joined = identity.links([{kind: {text}}], people)
    return list({students[j]["student"]: students[j] for _, j, _ in joined}.values())


def anything(student):
    return [student["student"], student["match"], *(v for k, v in student["ids"].items() if k not in ("canvas_id", ""))]


def named_by(what, text, among):
    """Those of `among` whom one hint names."""
    if what == "name":
        return [s for s in among if is_called(s, text)]
    if what == "file name":
        return by_text(among, text)
    if what == "manifest":
        return [s for s in among if s["student"] == safe_name(text)]
    if what == "student":  # a login, of one who has no other
        return [s for s in among if s["student"] == safe_name(text) and may_have(s, "login", text)]
    if what == "email":
        return by_id(among, "email", text) or [s for s in among if s["student"].casefold() == text.casefold()]
    return by_id(among, what, text)


def find(students, hints):
    """(student of the roster whom the hints mean, note or ""). Raises NotMatched.

    hints: [(what, text)] in the order of trust; what: "canvas_id", "moodle_id", "moodle_number", "login", "github",
    "id" (any column), "email", "name", "file name", "student", "manifest". The first that names exactly one student
    decides; one that names several leaves the choice among them to the next. A moodle_number is a participant's or a
    team's: it decides only together with the name, and is nobody else's.
    """
    among, narrowed, owner = students, False, None
    told = {what: text for what, text in reversed(hints) if text}
    for what, text in hints:
        if not text:
            continue
        if what == "moodle_number":
            owner = next(iter(by_id(students, "moodle_id", text)), None)
            hits = [owner] if owner and is_called(owner, told.get("name", "")) else []
        else:
            hits = named_by(what, text, among)
        if len(hits) == 1:
            if owner not in (None, hits[0]):
                raise NotMatched(
                    f"{safe_name(told['name'])} comes with Moodle's number {told['moodle_number']}, which the roster "
                    f"gives to {owner['student']}: a team's number is its group's (write the groups into the column "
                    "group)"
                )
            return hits[0], "the student is named by the zip's own manifest only" if what == "manifest" else ""
        if hits:
            among, narrowed = hits, True
        elif what == "canvas_id":  # a namesake with another id is somebody else
            others = [s["student"] for s in among if not may_have(s, "canvas_id", text)]
            among = [s for s in among if s["student"] not in others]
    raise NotMatched(why_not(students, among if narrowed else [], told))


def may_have(student, kind, text):
    person = identity.of_person(student)
    return kind not in person or identity.agree(kind, {text}, person[kind]) is not False


def why_not(students, among, told):
    """One line: who it may be, and what to add to the roster."""
    kinds = ("canvas_id", "moodle_id", "moodle_number", "login", "github", "email", "id")
    kind = next((k for k in kinds if k in told), None)
    who = safe_name(next(filter(None, map(told.get, ("name", "email", "file name", "login", "canvas_id"))), ""))
    add = ""
    if kind:
        column = {"id": "sis_id", "moodle_number": "moodle_id"}.get(kind, kind)
        add = f"add the column {column} with {safe_name(told[kind])} to the line of the one who is meant"
        spoilt = [(s, v) for s in students for v in s["ids"].values() if identity.may_be(v, told[kind])]
        if spoilt:
            student, value = spoilt[0]
            add += f" ({student['student']}'s {value} looks like a number that a spreadsheet has rounded)"
    if among:
        both = ", ".join(s["student"] for s in among[:-1][:4]) + f" or {among[-1]['student']}"
        other = "rename the file, or write what tells them apart into the column match"
        return f"{who} may be {both}: {add or other}"
    if add:
        return f"no student of the roster is {who}: {add}"
    return "no student of the roster is named in the file's name: rename the file or add a `match` column"
