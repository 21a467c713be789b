"""`course export LAB --to csv|canvas|moodle|lti|gradescope`: grades in the form that others read. A missing grade stays
empty, it is never a 0.

csv         one row a student with all there is, safe to open in a spreadsheet
canvas      --into FILE, your own export of Canvas's gradebook: the lab's column is filled, nothing else changes
moodle      --into FILE, Moodle's grading worksheet or gradebook export: the same
lti         shows which scores it would post to your LMS; --yes posts them (docs/lti.md)
gradescope  -o FILE.zip, an autograder that runs nothing: it shows each submission the grade that was given here
"""

import argparse
import csv
import io
import math
import sys
from pathlib import Path

from course_lib.grading.lms import worksheet
from course_lib.grading.people import gradebook
from course_lib.grading.records import adjustments, store
from course_lib.grading.reports import page

# fmt: off
FIXED = ["student", "name", "email", "lab", "score", "max", "percent", "to_review", "late_days", "penalty", "final",
    "attempts", "status", "reason"]
WHERE = {"canvas": "Grades → Export", "moodle": "View all submissions → Download grading worksheet"}
# fmt: on
LAST = ["flags", "notes", "submission", "spec"]


def rows_of(lab, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """[{column: value}] of the class; score and final are empty, never 0, where there is no grade."""
    rows = []
    for book in gradebook.rows(lab, grades, submitted):
        result, score, most = book["result"] or {}, book["score"], book["max"]
        row = {column: book[column] for column in FIXED if column in book}
        said = [adjustments.words(line, book["sha"]) for line in book["adjusted"].values()]
        row["reason"] = "; ".join(filter(None, [row["reason"], *said]))
        row |= {"lab": lab, "percent": round(100 * score / most, 2) if most else None, "to_review": book["pending"]}
        row |= {question["id"]: question["score"] for question in result.get("questions", [])}
        row["flags"] = "; ".join(sorted({f["kind"] for f in result.get("flags", [])}))
        collected = store.read_meta(book["folder"])["notes"] if book["folder"] else []
        row["notes"] = "; ".join(map(str, [*collected, *result.get("notes", [])]))
        rows.append(row | {"submission": book["sha"], "spec": result.get("spec_sha")})
    return rows


def to_csv(lab, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """The CSV text. StoreError where nothing was collected."""
    rows = rows_of(lab, grades, submitted)
    if not any(row["submission"] or row["final"] is not None for row in rows):
        raise store.StoreError(f"no submissions of {lab}: run `course collect {lab} FILES…` first")
    questions = list(dict.fromkeys(k for row in rows for k in row if k not in FIXED + LAST))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIXED + questions + LAST)
    for row in rows:
        writer.writerow([page.neutral(row.get(c)) for c in FIXED + questions + LAST])
    return out.getvalue()


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lab")
    parser.add_argument("--to", choices=["csv", "canvas", "moodle", "lti", "gradescope"], default="csv")
    parser.add_argument("--into", metavar="FILE", help="canvas, moodle: your own export, which is read and not changed")
    parser.add_argument("--column", help="canvas, moodle: the column to fill, where the lab's name does not tell")
    parser.add_argument(
        "--scale",
        nargs="?",
        type=float,
        const=True,
        default=False,
        metavar="POINTS",
        help="canvas, moodle, lti: convert to the points that the column is out of; say them where the file does not",
    )
    parser.add_argument(
        "--skip-unmatched",
        action="store_true",
        help="canvas, moodle: leave out students who are not in the file, and list them",
    )
    parser.add_argument("--yes", action="store_true", help="lti: post, and do not only show")
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write (default: standard output)")
    arguments = parser.parse_args(argv)
    lab, notes = arguments.lab, []
    if arguments.scale is not False and not 0 < arguments.scale < math.inf:
        raise store.StoreError(f"--scale {arguments.scale:g}: the points that the column is out of, more than 0")
    into = arguments.to in ("canvas", "moodle")
    if into != bool(arguments.into):
        what = f"needs your own export: --into FILE ({WHERE[arguments.to]})" if into else "takes no --into"
        raise store.StoreError(f"--to {arguments.to} {what}")
    if arguments.yes and arguments.to != "lti":
        raise store.StoreError("--yes posts, which only --to lti does")
    if arguments.to == "lti":
        if arguments.output or arguments.column:
            raise store.StoreError("--to lti posts to your LMS: it takes no -o and no --column")
        from course_lib.grading.lms import lti

        return lti.export(lab, gradebook.rows(lab), bool(arguments.scale), arguments.yes)
    if arguments.to == "gradescope":
        from course_lib.grading.lms import gradescope

        if not arguments.output:
            raise store.StoreError("--to gradescope writes a zip: give it a name with -o FILE.zip")
        data, notes = gradescope.shown_grades(lab, gradebook.rows(lab))
    elif into:
        if arguments.output and Path(arguments.output).resolve() == Path(arguments.into).resolve():
            raise store.StoreError("-o is the file of --into: give another name, so that your own export stays")
        options = arguments.column, arguments.scale, arguments.skip_unmatched
        data, notes = worksheet.fill(arguments.into, lab, arguments.to, gradebook.rows(lab), *options)
    else:
        data = to_csv(lab).encode()
    store.write_or_print(arguments.output, data)
    for note in notes:
        print(note, file=sys.stderr)
    return 0
