"""One column of an instructor's own export of Canvas or Moodle, filled: every other byte of the file stays."""

from course_lib.grading.lms import rows
from course_lib.grading.lms.sheet import NUMBER, check_kind, find_column, number, points_possible, read
from course_lib.grading.people import identity
from course_lib.grading.people.table import one_line
from course_lib.grading.records import store
from course_lib.grading.reports.page import visible
from course_lib.platform import counted


def out_of(path, sheet, place, kind, lab, most, scale):
    """What the column is out of. Raises StoreError where that is not the lab's points and nobody asked to convert.

    scale: True converts to what the file says; a number says it where the file does not.
    """
    there = points_possible(sheet, place, kind)
    what = f"{sheet.headers[place]!r}"
    if there is None:
        if scale is False or scale is True:
            raise store.StoreError(
                f"{path} does not say what {what} is out of ({lab} has {counted(most, 'point')}): say it, "
                f"--scale {most:g} or whatever it is there"
            )
        return scale
    if scale not in (False, True, there):
        raise store.StoreError(f"{what} is out of {counted(there, 'point')} in {path}, not of {scale:g}")
    if there != most and scale is False:
        raise store.StoreError(
            f"{what} is out of {counted(there, 'point')} and {lab} of {most:g}: change it there and export anew, "
            "or give --scale to convert"
        )
    return there


def few(names):
    names = [visible(one_line(n), 60) for n in names]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def fill(path, lab, kind, grades, column=None, scale=False, skip_unmatched=False):
    """(bytes, [notes]) of the file with the lab's column filled in. grades: rows as gradebook.rows gives them.

    A student without a grade keeps the cell as it is, as does a cell that holds a word (Canvas's EX and N/A); who is
    excused gets Canvas's EX, of which Moodle's files have no equal. Raises StoreError; nothing is written here.
    """
    sheet = read(path)
    check_kind(path, sheet.headers, kind)
    place = find_column(sheet, lab, kind, column)
    graded = [g for g in grades if rows.fills(g, kind)]
    if not any(g["final"] is not None for g in graded):
        raise store.StoreError(f"nobody has a grade in {lab} yet: run `course grade {lab}` first")
    most = max(g["out_of"] for g in graded)
    points = out_of(path, sheet, place, kind, lab, most, scale)
    theirs = [i for i in range(1, len(sheet.values)) if place < len(sheet.values[i])]
    indices = [i for i in theirs if kind == "moodle" or not identity.nobody(sheet.values[i])]
    found, nobody = rows.match(path, sheet, indices, place, kind, grades)

    there = {grade["student"] for grade in found.values()}
    lost = [grade for grade in graded if grade["student"] not in there]
    if lost and not skip_unmatched:
        raise store.StoreError(rows.not_there(path, sheet, nobody, place, kind, lost))
    edits, kept, replaced = edits_of(sheet, place, found, points / most, kind)
    notes = notes_of(lab, sheet, place, found, edits, kept, replaced, [g["student"] for g in lost], nobody)
    if points != most:
        notes[0] += f"; out of {points:g}"
    if changed := [f"{g['student']} ({called(g)})" for g in found.values() if g["adjusted"]]:
        notes.append(f"{len(changed)} adjusted by a person: {few(changed)}")
    if reading := [g["student"] for g in graded if g["pending"]]:
        notes.append(
            f"{len(reading)} have points still to be read (`course review {lab}`), which their grades leave out: "
            f"{few(reading)}"
        )
    text = sheet.text
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.encode(sheet.encoding), notes


def called(grade):
    """Which questions of a student a person has adjusted."""
    return ", ".join(question or "the whole lab" for question in grade["adjusted"])


def edits_of(sheet, place, found, factor, kind):
    """([(start, end, new text)], ["student (word)"] of cells that stay, how many numbers are replaced)."""
    seen = [
        cell.strip()
        for row in sheet.values[1:]
        for name, cell in zip(sheet.headers, row)
        if not identity.kind_of(name) and NUMBER.fullmatch(cell.strip())
    ]
    comma = any("," in cell for cell in seen) and not any("." in cell for cell in seen)
    edits, kept, replaced = [], [], 0
    for index, grade in found.items():
        before = sheet.values[index][place].strip()
        if not rows.fills(grade, kind):
            continue
        after = None if grade["final"] is None else round(grade["final"] * factor, 2)
        if before == "EX" if after is None else number(before) == after:
            continue
        if number(before) is None and before not in ("", "-", "–"):
            kept.append(f"{grade['student']} ({before})")
            continue
        replaced += number(before) is not None
        new = "EX" if after is None else f"{after:.2f}".rstrip("0").rstrip(".").replace(".", "," if comma else ".")
        start, end = sheet.spans[index][place]
        quoted = sheet.separator in new or sheet.text[start:end].startswith('"')
        edits.append((start, end, f'"{new}"' if quoted else new))
    return edits, kept, replaced


def notes_of(lab, sheet, place, found, edits, kept, replaced, lost, nobody):
    """What was done, and who was left out and why: lines for the instructor."""
    cells = f"{len(edits)} cell{'' if len(edits) == 1 else 's'} filled"
    notes = [f"{sheet.headers[place]}: {cells}" + (f", {replaced} of them had another number" if replaced else "")]
    without = [g["student"] for g in found.values() if g["final"] is None and g["status"] != "excused"]
    excused = [g["student"] for g in found.values() if g["status"] == "excused"]
    for students, what in (
        (without, "without a grade, their cells are left as they are"),
        (excused, "excused (in Canvas their cells say EX, Moodle's are left as they are)"),
        (kept, "left as they are, as they hold a word"),
        (lost, "not in the file, left out"),
        ([sheet.values[i][0] for i in nobody], "rows of the file that are no student of ours, left as they are"),
    ):
        if students:
            notes.append(f"{len(students)} {what}: {few(students)}")
    return notes
