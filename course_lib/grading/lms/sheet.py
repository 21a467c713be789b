"""An instructor's own export of Canvas or Moodle, read: which column is the lab's, and out of how many points it is.

Canvas: the gradebook (Student or LastName and FirstName, ID, SIS User ID, SIS Login ID, Section, then `Lab 04 (12345)`
…, the points possible in a line of their own).
Moodle: the grading worksheet of an assignment (Identifier, Full name, Email address, Status, Grade, Maximum grade, …)
or the gradebook's export, in the teacher's language. The words are facts from Moodle's language packs
(records/identity.py says which); the rest is told by shape.
"""

import re
from pathlib import Path
from typing import NamedTuple

from course_lib.grading.people import identity, table
from course_lib.grading.people.identity import fold, header
from course_lib.grading.records import store

# fmt: off
GRADE = set("grade,bewertung,note,calificación,cijfer,beoordeling,valutazione,avaliação,nota,ocena".split(","))
MAXIMUM = set("maximum grade,bestwertung,note maximale,calificación máxima,maximaal cijfer,valutazione massima,"
    "nota máxima,maksymalna ocena".split(","))
SCALE = set("scale,skala,barème,escala,schaal,scala".split(","))
# what Moodle's gradebook writes into brackets behind a column's name: its points, and what is none
POINTS = re.compile(r"\((?:real|punkte|brut|reëel|punteggio|punkty)\)", re.I)
NOT_POINTS = re.compile(
    r"\((?:percentage|letter|prozentsatz|note|pourcentage|lettre|porcentaje|letra|percentuale|graduatoria letterale|"
    r"percentagem|nota alfabética|procentowo|nazwa oceny)\)|feedback|rückmeldung|retroalimentación|comment|kommentar|"
    r"coment|informacja zwrotna|last modified|read only", re.I)
FOREIGN = {  # a column that says whose export it is
    "orgdefinedid": "Brightspace", "end of line indicator": "Brightspace", "last access": "Blackboard",
    "display id": "Sakai", "submission id": "Gradescope", "max points": "Gradescope"}
# fmt: on
NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


class Sheet(NamedTuple):
    text: str
    encoding: str
    separator: str
    spans: list  # [[(start, end)]] of the fields
    values: list  # [[text]]; the first row has the columns' names
    headers: list

    def line(self, index):
        return table.line_of(self.text, self.spans[index][0][0])


def read(path):
    """A Sheet. Raises StoreError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise store.StoreError(f"{path} cannot be read: {error.strerror}") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:1000]:
        raise store.StoreError(f"{path} is not a CSV in UTF-8: export it anew as CSV")
    text, encoding = table.decoded(data)
    try:
        separator, spans, values = table.table(text)
    except store.StoreError as error:
        raise store.StoreError(f"{path}: {error}") from None
    if len(values) < 2:
        raise store.StoreError(f"{path} has no students in it")
    return Sheet(text, encoding, separator, spans, values, [table.one_line(cell).strip() for cell in values[0]])


def check_kind(path, headers, kind):
    """Raises StoreError for the export of another system than the one that is meant."""
    plain = set(map(header, headers))
    if kind == "canvas" and not ({"student", "id"} <= plain or {"lastname", "firstname", "id"} <= plain):
        raise store.StoreError(
            f"{path} is no gradebook of Canvas: the columns Student and ID are missing (Grades → Export)"
        )
    foreign = next((product for column, product in FOREIGN.items() if column in plain), None)
    if kind == "moodle" and foreign:
        raise store.StoreError(f"{path} is an export of {foreign}: only those of Canvas and Moodle are filled")
    if kind == "moodle" and {"sis login id", "section"} <= plain:
        raise store.StoreError(f"{path} is a gradebook of Canvas: use --to canvas")


# ---- which column, and out of how many points -----------------------------------------------------------------------


def fits(column, lab):
    """Is this column the lab's: "Lab 04 (12345)", "Assignment: lab-4 (Real)", "LoRA and QLoRA (77)"?"""
    number, _, words = lab.partition("_")
    text = header(column)
    if number.isdigit() and re.search(rf"\blab ?0*{int(number)}\b", text):
        return True
    return bool(words) and words.replace("_", " ") in text


def find_column(sheet, lab, kind, wanted=None):
    """Index of the one column to fill. Raises StoreError with the columns to choose from."""
    headers = sheet.headers
    if wanted:
        found = [i for i, h in enumerate(headers) if fold(wanted) in (fold(h), fold(re.sub(r"\(\d+\)\s*$", "", h)))]
        choice = headers
    else:
        choice = [h for h in headers if not NOT_POINTS.search(h) and (kind == "moodle" or re.search(r"\(\d+\)\s*$", h))]
        found = [i for i, h in enumerate(headers) if h in choice and fits(h, lab)]
        if kind == "moodle":
            found = of_worksheet(sheet) or [i for i in found if POINTS.search(headers[i])] or found
    if len(found) != 1:
        asked = f"the column {wanted!r}" if wanted else f"the column of {lab}"
        there = "not there" if not found else "there more than once"
        columns = ", ".join(filter(None, choice)) or ", ".join(headers)
        raise store.StoreError(f"{asked} is {there}: name it with --column; columns: {columns}")
    return found[0]


def of_worksheet(sheet):
    """[index of the grade] of a worksheet, which is of one assignment; [] for a gradebook.

    The grade's column is left of the maximum, which is one number in all rows.
    """
    kinds = identity.kinds(sheet.headers, sheet.values[1:])
    if "moodle_id" not in kinds and not numbered(sheet):
        return []
    named = [i for i, h in enumerate(sheet.headers) if header(h) in GRADE]
    if len(named) == 1:
        return named
    return [i - 1 for i in constants(sheet) if all(number(c) is not None or not c for c in column(sheet, i - 1))]


def numbered(sheet):
    """Whether the first column is Moodle's identifier in a language that is not known: one word, and a number."""
    found = [identity.NUMBERED.fullmatch(cell) for cell in column(sheet, 0)]
    words = {match[1] for match in found if match}
    return all(found) and len(words) == 1 and identity.kind_of(sheet.headers[0]) in ("", "canvas_id")


def column(sheet, index):
    return [row[index].strip() for row in sheet.values[1:] if index < len(row)]


def constants(sheet):
    """Indices of the columns, but for the first, that hold one number, above 0, in all rows."""
    found = []
    for index in range(1, len(sheet.headers)):
        cells = column(sheet, index)
        if len(set(cells)) == 1 and len(cells) == len(sheet.values) - 1 and (number(cells[0]) or 0) > 0:
            found.append(index)
    return found


def number(text):
    """A float, or None where the text is no number; a decimal comma is read as well."""
    text = text.strip()
    return float(text.replace(",", ".")) if NUMBER.fullmatch(text) else None


def points_possible(sheet, place, kind):
    """What the column is out of, or None where the file does not say. Raises StoreError for a scale of words."""
    if kind == "canvas":
        whole = [row for row in sheet.values[1:] if place < len(row)]
        cells = [row[place] for row in whole if "points possible" in fold(" ".join(row[:2]))]
    elif place + 1 == len(sheet.headers) or place not in of_worksheet(sheet):
        return None
    elif header(sheet.headers[place + 1]) in SCALE:
        raise store.StoreError(
            f"{sheet.headers[place]!r} is graded by a scale of words and not by points: change it there"
        )
    else:
        named = [i for i, h in enumerate(sheet.headers) if header(h) in MAXIMUM]
        cells = column(sheet, named[0]) if named else column(sheet, place + 1) if place + 1 in constants(sheet) else []
    found = {value for value in map(number, cells) if value}
    return found.pop() if len(found) == 1 else None
