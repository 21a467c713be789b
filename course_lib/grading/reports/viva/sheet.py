"""`course viva LAB`: three questions to each student on lines of their own, with the expected answers: a sheet for the
examiner, on the terminal and as a page to print. The same class, secret and questions give the same sheet again.

The lines are changed and run in the sandbox (ask.py), so it needs one, as grading does. No score comes of it.
"""

import argparse
import contextlib
import sys

from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.grading.reports import page
from course_lib.grading.reports.viva import ask
from course_lib.platform import write_atomic

ABOUT = (
    "For the examiner: the expected answers stand below each question. Each was found by making the change and running "
    "the checks. Give the student their line and the question; ask why. Another true answer is as good."
)


def sheet(lab, rows, secret, spawn=None):
    """[(row, {"asked": …} or {"none": why})] of gradebook rows with a submission, each read and run in the room.

    Raises StoreError where this machine's sandbox fails.
    """
    from tqdm import tqdm

    from course_lib.grading.scoring.grade_one import LIMITS

    rows = [row for row in rows if row["folder"]]
    read = lambda number: ask.of_submission(rows[number]["folder"], lab, rows[number]["sha"], secret, spawn)
    made = []
    for number, found in tqdm(room.each(read, range(len(rows)), LIMITS), total=len(rows), disable=None):
        if isinstance(found, room.Unreadable):
            found = {"none": str(found)}
        if "trouble" in found:
            raise store.StoreError(found["trouble"])
        made.append((rows[number], found))
    return made


def as_text(lab, made):
    blocks = [f"{lab}: questions on their own code. For the examiner."]
    for row, found in made:
        lines = [page.visible(row["name"] or row["student"], 100)]
        if "none" in found:
            lines.append(f"  nothing to ask: {page.visible(found['none'], 300)}")
        for k, item in enumerate(found.get("asked", []), 1):
            lines.append(f"  {k}. {item['question']}, cell {item['cell']}, line {item['line']}")
            lines.append(f"       {page.visible(item['code'], 300)}")
            lines.append(f"     {page.visible(item['ask'])}")
            lines.append(f"     Expected: {page.visible(item['expect'])}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def as_html(lab, made):
    body = [f"<h1>{page.escape(lab)}: questions on their own code</h1>", f"<p>{ABOUT}</p>"]
    for row, found in made:
        body.append(f"<section><h2>{page.escape(row['name'] or row['student'], 100)}</h2>")
        if "none" in found:
            body.append(f"<p>Nothing to ask: {page.escape(found['none'], 300)}</p>")
        for k, item in enumerate(found.get("asked", []), 1):
            where = f"{k}. {item['question']}, cell {item['cell']}, line {item['line']}"
            body.append(f"<h3>{page.escape(where)}</h3><pre>{page.escape(item['code'])}</pre>")
            body.append(f"<p>{page.escape(item['ask'])}</p>")
            body.append(f'<p class="soft">Expected: {page.escape(item["expect"])}</p>')
        body.append("</section>")
    return page.page(f"{lab}: viva", "\n".join(body))


def main(argv=None):
    from course_lib.grading.sandbox import doctor
    from course_lib.grading.scoring import worker

    parser = argparse.ArgumentParser(prog="course viva", description=__doc__.split("\n\n")[0])
    parser.add_argument("lab")
    parser.add_argument("--student", help="only this one")
    parser.add_argument("--html", metavar="FILE", help="default: viva_LAB.html")
    options = parser.parse_args(argv)
    rows = page.rows_of(options.lab, store.GRADES, store.SUBMISSIONS)
    if options.student:
        rows = [row for row in rows if row["student"] == options.student]
        if not rows:
            raise store.StoreError(f"no submission of {options.lab} by {options.student!r}")
    doctor.require_sandbox()
    import torch

    torch.set_num_threads(1)
    with worker.sandboxes(cold=False) as zygote:
        made = sheet(options.lab, rows, store.secret(), worker.warm(zygote))
    path = options.html or f"viva_{options.lab}.html"
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(as_text(options.lab, made))
    try:
        write_atomic(path, as_html(options.lab, made).encode())
    except OSError as error:
        raise store.StoreError(f"cannot write {path} ({error.strerror})") from None
    print(f"{path} is written: to print, for the examiner alone.")
    return 0
