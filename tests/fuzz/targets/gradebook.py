"""A CSV: an export that grades are filled into, and a class list. A grade only ever stands in the row of the person who
earned it, or nothing is written.
"""

import csv
import io
from pathlib import Path

from course_lib.grading.lms import sheet, worksheet
from course_lib.grading.people import identity, roster, table
from course_lib.grading.records import store
from course_lib.platform import safe_name

SHAPE = "text"
LAB = "04_lora_and_qlora"
# fmt: off
WORDS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 04 (4)", "Points Possible",
    "    Points Possible", "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade",
    "Participant 7101", "Bewertung", "Anna Lindqvist", "Lindqvist, Anna", "Jun Li", "Li, Jun", "Maria Okafor",
    "a.lindqvist@uni.example", "7101", "7104", "7107", "7101.0", "7.1E+03", "S80", "S81", "S82", "N/A", "EX", "10",
    "10,00", "2.25", "student", "name", "email", "group", "match", "sep=;", "lindqvist", "jli", "Student, Test",
    "Manual Posting", "mokafor@uni.example"]
# fmt: on


def person(student, name, number, sis, login, email, final):
    ids = {"canvas_id": number, "moodle_id": number, "sis_id": sis, "login": login}
    about = {"student": student, "name": name, "email": email, "ids": ids, "status": "graded", "adjusted": {}}
    return about | {"final": final, "out_of": 10.0, "pending": 0.0}


CLASS = [
    person("lindqvist", "Anna Lindqvist", "7101", "S80", "lindqvist", "a.lindqvist@uni.example", 2.25),
    person("jli", "Jun Li", "7104", "S81", "jli", "jli@uni.example", 7.75),
    person("okafor", "Maria Okafor", "7107", "S82", "mokafor", "mokafor@uni.example", 5.5),
    person("late", "Tom Riis", "7110", "S83", "triis", "triis@uni.example", None),
]


def read(data, scratch):
    path = Path(scratch, "export.csv")
    path.write_bytes(data)
    return [filled(path, data, kind) for kind in ("canvas", "moodle")] + [listed(path)]


def filled(path, data, kind):
    try:
        out, notes = worksheet.fill(path, LAB, kind, CLASS, skip_unmatched=True, scale=True)
    except store.StoreError as reason:
        assert "\n" not in str(reason), reason
        return str(reason)
    before, after = sheet.read(path), changed_to(path, out)
    place = sheet.find_column(before, LAB, kind)
    assert len(before.values) == len(after.values)
    for was, now in zip(before.values, after.values):
        if was != now:
            assert was[:place] + was[place + 1 :] == now[:place] + now[place + 1 :], "nothing else changes"
            right_row(before, was, now[place], place, notes)
    path.write_bytes(out)
    again, _ = worksheet.fill(path, LAB, kind, CLASS, skip_unmatched=True, scale=True)
    assert again == out, "filled again it stays as it is"
    path.write_bytes(data)
    return notes


def changed_to(path, out):
    path.write_bytes(out)
    return sheet.read(path)


def right_row(read_sheet, row, grade, place, notes):
    """The grade is that of somebody whose identifier or name the row has, and who is named there alone."""
    cells = [(column, cell.strip()) for i, (column, cell) in enumerate(zip(read_sheet.headers, row)) if i != place]
    mine = {p["student"]: [cell for _, cell in cells if is_mine(cell, p)] for p in CLASS}
    named = [p for p in CLASS if mine[p["student"]]]
    assert named, f"{grade!r} stands in a row that is nobody's: {row}"
    shares = {round(sheet.number(grade) / p["final"], 3): p["student"] for p in CLASS if p["final"]}
    if len(named) == 1:
        assert named[0]["student"] in owners(shares, notes), (
            f"{grade!r} stands in the row of {named[0]['student']}: {row}"
        )


def owners(shares, notes):
    """Whose grade it may be: all grades are converted by one factor, which the notes tell, 1 where they do not."""
    factor = 1.0
    for note in notes[:1]:
        if "; out of " in note:
            factor = float(note.rpartition("; out of ")[2]) / 10
    return [student for share, student in shares.items() if abs(share - factor) <= 0.01 * max(1, factor)]


def is_mine(cell, p):
    texts = {p["student"], p["name"], p["email"], *p["ids"].values()}
    last, _, first = cell.partition(", ")
    folded = {identity.fold(text) for text in texts}
    told = identity.fold(cell)
    number = identity.plain(cell) or identity.PARTICIPANT.sub("", told)
    words = sorted(told.replace(",", " ").split())
    return bool({told, identity.fold(f"{first} {last}"), number} & folded) or words == sorted(
        identity.fold(p["name"]).split()
    )


def listed(path):
    """A class list: folders' names that are safe and nobody has twice."""
    try:
        students = roster.read(path)
    except store.StoreError as reason:
        assert "\n" not in str(reason), reason
        return str(reason)
    names = [s["student"] for s in students]
    assert len(set(names)) == len(names) and all(name and safe_name(name) == name for name in names)
    for s in students[:5]:
        try:
            found, _ = roster.find(students, [("email", s["email"]), ("file name", s["student"])])
            assert not s["email"] or found["student"] == s["student"], (s, found)
        except roster.NotMatched as why:
            assert "\n" not in str(why)
    text, encoding = table.decoded(path.read_bytes())
    assert text.encode(encoding) == path.read_bytes() or encoding == "utf-16"
    list(csv.reader(io.StringIO(text.replace("\0", ""), newline="")))
    return names
