"""One column of an instructor's own export of Canvas or Moodle, filled: every other byte of the file stays what it is.

Canvas: the gradebook (Student, ID, SIS User ID, SIS Login ID, Section, then `Lab 04 (12345)` …, perhaps a row "Points
Possible").
Moodle: the grading worksheet of an assignment (Identifier, Full name, Email address, Status, Grade, …) or the
gradebook's export. The files are edited as text, field by field: a CSV that is read and written again loses its quotes,
line ends and BOM.
"""

import re
import unicodedata
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports.page import visible

# fmt: off
IDENTITY = {"student", "name", "full name", "id", "sis user id", "sis login id", "integration id", "identifier",
    "id number", "username", "email address", "email"}
# fmt: on
FIRST, LAST = ("first name",), ("last name", "surname")
NOT_POINTS = re.compile(r"\((percentage|letter|feedback)\)|feedback|comments|last modified|read only", re.I)
NO_GRADES = IDENTITY | {*FIRST, *LAST, "section", "group", "groups", "institution", "department"}
NO_STUDENT = {"", "points possible", "student, test"}  # Canvas's own rows
NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def fold(text):
    return " ".join(unicodedata.normalize("NFC", str(text)).casefold().split())


def read(path):
    """(text, encoding) of a CSV, the BOM being its first character. Raises StoreError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise store.StoreError(f"{path} cannot be read: {error.strerror}") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:1000]:
        raise store.StoreError(f"{path} is not a CSV in UTF-8: export it anew as CSV")
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"  # every byte has a character, so what is written is what was read


def fields(text, delimiter):
    """[[(start, end)]]: where the fields of each row stand in the text, their quotes included. Raises StoreError."""
    plain = rf"[^{re.escape(delimiter)}\r\n]*"
    one = re.compile(rf'(?:"[^"]*(?:""[^"]*)*"|(?!"){plain})(\r\n|[\r\n]|{re.escape(delimiter)}|\Z)')
    rows, row, at = [], [], int(text.startswith("\ufeff"))
    while True:
        found = one.match(text, at)
        if not found:
            raise store.StoreError(f"the CSV's row {len(rows) + 1} has quotes that do not pair: export it anew")
        row.append((at, found.start(1)))
        at = found.end()
        if found[1] != delimiter:
            rows.append(row)
            row = []
            if at == len(text):
                return rows


def value(text, span):
    raw = text[span[0] : span[1]]
    return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw


def table(text):
    """(delimiter, spans, values) of a CSV; rows that are blank are left out."""

    def columns(delimiter):
        try:
            return len(fields(text, delimiter)[0])
        except store.StoreError:  # a wrong guess may cut through quotes
            return 0

    delimiter = max(",;\t:", key=columns)
    spans = [row for row in fields(text, delimiter) if row[0][0] != row[-1][1]]
    return delimiter, spans, [[value(text, span) for span in row] for row in spans]


def fits(header, lab):
    """Is this column the lab's: "Lab 04 (12345)", "Assignment: lab-4 (Real)", "LoRA and QLoRA (77)"?"""
    number, _, words = lab.partition("_")
    text = fold(re.sub(r"[\W_]+", " ", header))
    return (
        bool(re.search(rf"\blab ?0*{int(number)}\b", text) if number.isdigit() else None)
        or bool(words)
        and words.replace("_", " ") in text
    )


def find_column(headers, lab, kind, wanted=None):
    """Index of the one column to fill. Raises StoreError with the columns to choose from."""
    if wanted:
        found = [i for i, h in enumerate(headers) if fold(wanted) in (fold(h), fold(re.sub(r"\(\d+\)\s*$", "", h)))]
        choice = headers
    else:
        choice = [h for h in headers if not NOT_POINTS.search(h) and (kind == "moodle" or re.search(r"\(\d+\)\s*$", h))]
        found = [i for i, h in enumerate(headers) if h in choice and fits(h, lab)]
        if (
            kind == "moodle" and "grade" in map(fold, headers) and "identifier" in map(fold, headers)
        ):  # a worksheet is of one assignment
            found = [i for i, h in enumerate(headers) if fold(h) == "grade"]
    if len(found) != 1:
        asked = f"the column {wanted!r}" if wanted else f"the column of {lab}"
        raise store.StoreError(
            f"{asked} is {'not there' if not found else 'there more than once'}: name it with --column; columns: "
            f"{', '.join(choice) or ', '.join(headers)}"
        )
    return found[0]


def match(headers, rows, column, grades):
    """{index of a row: grade row}, and the indices of rows that are nobody's or could be several students'.

    A row is found by an id, a login or an address (student, email, ids of the roster), and only without one by its
    name.
    """
    strong, named = {}, {}
    for grade in grades:
        for key in {fold(k) for k in (grade["student"], grade["email"], *grade["ids"].values())} - {""}:
            strong.setdefault(key, set()).add(grade["student"])
        for key in {fold(k) for k in (grade["student"], grade["name"])} - {""}:
            named.setdefault(key, set()).add(grade["student"])
    of = {grade["student"]: grade for grade in grades}
    known = IDENTITY | {fold(k) for grade in grades for k in grade["ids"]}
    places = [i for i, h in enumerate(headers) if fold(h) in known and i != column] or list(range(column))
    first, last = ([i for i, h in enumerate(headers) if fold(h) in names] for names in (FIRST, LAST))
    found, nobody = {}, []
    for index, row in enumerate(rows):
        cells = [fold(row[i]) for i in places if i < len(row)]
        cells += [m[1] for cell in cells if (m := re.fullmatch(r"participant ?(\d+)", cell))]
        names = [*cells, *(" ".join(reversed(cell.split(", ", 1))) for cell in cells if ", " in cell)]
        names += [f"{fold(row[i])} {fold(row[j])}" for i in first for j in last if max(i, j) < len(row)]
        students = set().union(*(strong.get(cell, set()) for cell in cells)) or set().union(
            *(named.get(name, set()) for name in names)
        )
        if len(students) == 1:
            found[index] = of[students.pop()]
        else:
            nobody.append(index)
    for student in {g["student"] for g in found.values() if sum(g is other for other in found.values()) > 1}:
        for index in [i for i, g in found.items() if g["student"] == student]:
            nobody.append(index)
            del found[index]
    return found, sorted(nobody)


def number(text):
    """A float, or None where the text is no number; a decimal comma is read as well."""
    text = text.strip()
    return float(text.replace(",", ".")) if NUMBER.fullmatch(text) else None


def few(names):
    names = [visible(n, 60) for n in names]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def fill(path, lab, kind, grades, column=None, scale=False, skip_unmatched=False):
    """(bytes, [notes]) of the file with the lab's column filled in. grades: rows as gradebook.rows gives them.

    A student without a grade keeps the cell as it is, as does a cell that holds a word (Canvas's EX). Raises
    StoreError; nothing is written here.
    """
    text, encoding = read(path)
    delimiter, spans, values = table(text)
    if len(values) < 2:
        raise store.StoreError(f"{path} has no students in it")
    headers = [h.strip().lstrip("\ufeff") for h in values[0]]
    if kind == "canvas" and not {"student", "id"} <= set(map(fold, headers)):
        raise store.StoreError(
            f"{path} is no gradebook of Canvas: the columns Student and ID are missing (Grades → Export)"
        )
    place = find_column(headers, lab, kind, column)
    graded = [g for g in grades if g["final"] is not None]
    if not graded:
        raise store.StoreError(f"nobody has a grade in {lab} yet: run `course grade {lab}` first")
    most = max(g["max"] + g["pending"] for g in graded)
    who = fold(headers[0]) == "student"
    rows = {
        i: row for i, row in enumerate(values) if i and len(row) > place and not (who and fold(row[0]) in NO_STUDENT)
    }
    indices = list(rows)
    found, nobody = match(headers, list(rows.values()), place, grades)
    found, nobody = {indices[i]: g for i, g in found.items()}, [indices[i] for i in nobody]

    cells = lambda name: {row[headers.index(name)] for row in rows.values() if len(row) > headers.index(name)}
    possible = {row[place] for row in values[1:] if who and fold(row[0]) == "points possible" and len(row) > place}
    possible |= next((cells(h) for h in headers if fold(h) == "maximum grade"), set())
    possible = {p for p in map(number, possible) if p}
    if len(possible) == 1 and (out_of := possible.pop()) != most:
        if not scale:
            raise store.StoreError(
                f"{headers[place]!r} is out of {out_of:g} points and {lab} of {most:g}: change it there and export "
                "anew, or give --scale to convert"
            )
    else:
        out_of = most
    seen = [
        cell.strip()
        for row in values[1:]
        for header, cell in zip(headers, row)
        if fold(header) not in NO_GRADES and NUMBER.fullmatch(cell.strip())
    ]
    comma = any("," in cell for cell in seen) and not any("." in cell for cell in seen)

    there = {g["student"] for g in found.values()}
    lost = [g["student"] for g in graded if g["student"] not in there]
    if lost and not skip_unmatched:
        raise store.StoreError(
            f"not in {path}: {few(lost)}. Give the roster the column that the file has (an id or an address), or leave "
            "them out with --skip-unmatched"
        )
    notes, edits, replaced, kept = [], [], 0, []
    for index, grade in found.items():
        before = values[index][place].strip()
        if grade["final"] is None:
            continue
        after = round(grade["final"] * out_of / most, 2)
        if number(before) == after:
            continue
        if number(before) is None and before not in ("", "-", "–"):
            kept.append(f"{grade['student']} ({before})")
            continue
        replaced += number(before) is not None
        new = f"{after:.2f}".rstrip("0").rstrip(".").replace(".", "," if comma else ".")
        start, end = spans[index][place]
        edits.append((start, end, f'"{new}"' if delimiter in new or text[start:end].startswith('"') else new))
    notes.append(
        f"{headers[place]}: {len(edits)} cell{'' if len(edits) == 1 else 's'} filled"
        + (f", {replaced} of them had another number" if replaced else "")
        + (f"; out of {out_of:g}" if out_of != most else "")
    )
    without = [g["student"] for g in found.values() if g["final"] is None]
    for names, what in (
        (without, "without a grade, their cells are left as they are"),
        (kept, "left as they are, as they hold a word"),
        (lost, "not in the file, left out"),
        ([values[i][0] for i in nobody], "rows of the file that are no student of ours, left as they are"),
    ):
        if names:
            notes.append(f"{len(names)} {what}: {few(names)}")
    if reading := [g["student"] for g in graded if g["pending"]]:
        notes.append(
            f"{len(reading)} have points still to be read (`course review {lab}`), which their grades leave out: "
            f"{few(reading)}"
        )
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.encode(encoding), notes
