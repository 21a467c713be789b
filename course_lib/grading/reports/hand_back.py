"""`course feedback LAB`: a page for each student, and with --to what an LMS or a mail program hands out.

canvas   a zip for Canvas's upload of all submissions: each page becomes a file in the comments on its submission
moodle   a zip for Moodle's upload of feedback files
mail     a CSV for mail merge: name, email, points, and where the page lies

An LMS knows a page by how it called the student's newest hand-in in the download that was collected.
"""

import argparse
import csv
import io
import zipfile
from pathlib import Path

from course_lib.grading.people import identity
from course_lib.grading.records import store
from course_lib.grading.reports import feedback, page

FILES = {"canvas": "canvas.zip", "moodle": "moodle.zip", "mail": "mail.csv"}
THERE = {
    "canvas": "Canvas: in the gradebook, from the assignment's menu, upload the submissions again",
    "moodle": "Moodle: among the assignment's grading actions, upload feedback files in a zip (the type must be on)",
    "mail": "mail merge: yours alone",
}
LACK = {
    "canvas": "without a hand-in that came from Canvas",
    "moodle": "without a hand-in that came from Moodle with a participant's number",
    "mail": "without an address in the roster",
}


def zipped(lab, kind, made, submitted=store.SUBMISSIONS):
    """(bytes of a zip of pages, [students who are not in it]). made: [(student, path of the page)]."""
    called = {}
    for student, _, _, meta in store.submissions(lab, submitted):  # the newest last
        called |= {student: meta["back"][kind]} if kind in meta.get("back", {}) else {}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, path in made:
            if student in called:
                archive.write(path, f"{called[student]}{lab}.html")
    return out.getvalue(), [student for student, _ in made if student not in called]


def mail_merge(lab, made, text=False, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """(bytes of the CSV, [students without an address]). A name is one as people write it, or nothing."""
    rows = {row["student"]: row for row in page.rows_of(lab, grades, submitted)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", "email", "points", "of", "page", *(["text"] if text else [])])
    addresses = {student: address(rows[student]) for student, _ in made}
    for student, path in made:
        row, path = rows[student], path.resolve()
        if addresses[student]:
            points = ["", ""] if row["final"] is None else [row["final"], row["out_of"]]
            files = [str(path), *([str(path.with_suffix(".txt"))] if text else [])]
            writer.writerow(map(page.neutral, [row["name"], addresses[student], *points, *files]))
    return out.getvalue().encode(), [student for student, found in addresses.items() if not found]


def address(row):
    """A student's address: the roster's, or a login that is one."""
    return row["email"] or min(identity.addresses(identity.of_person(row)), default="")


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course feedback", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lab")
    parser.add_argument("-o", "--output", help="folder (default: feedback/LAB)")
    parser.add_argument("--text", action="store_true", help="a plain text beside each page, for mail")
    parser.add_argument("--to", choices=FILES, help="a file more in the folder: what hands the pages out")
    options = parser.parse_args(argv)
    folder, kind = Path(options.output or Path("feedback", options.lab)), options.to
    made = feedback.write(options.lab, folder, options.text)
    print(f"{len(made)} pages in {folder}/; {folder / 'mapping.csv'} says whose is which: keep it to yourself.")
    if not kind:
        return 0
    if kind == "mail":
        data, without = mail_merge(options.lab, made, options.text)
    else:
        data, without = zipped(options.lab, kind, made)
    if len(without) == len(made):
        raise store.StoreError(f"no {FILES[kind]} is written: every student is {LACK[kind]}")
    store.write_private(folder / FILES[kind], data)
    print(f"{folder / FILES[kind]}: {len(made) - len(without)} of them. {THERE[kind]}")
    if without:
        print(f"{len(without)} {LACK[kind]}, left out: {', '.join(page.visible(name, 60) for name in without)}")
    return 0
