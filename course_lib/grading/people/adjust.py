"""`course adjust LAB STUDENT`: a person's points, excuse or comment for one student, for a question or the whole lab.

It stands until it is cleared, also when the lab is graded anew. All of it is kept in grades/LAB/adjustments.jsonl, with
who and why.
"""

import argparse
import getpass
import math
import time

from course_lib.grading.people import gradebook
from course_lib.grading.records import adjustments, policy, store
from course_lib.platform import counted, nearest


def adjust(
    lab,
    student,
    question=None,
    *,
    kind,
    by,
    value=None,
    bonus=False,
    reason="",
    grades=store.GRADES,
    submitted=store.SUBMISSIONS,
):
    """Writes one line of adjustments.jsonl, unless the same stands there. Returns the student's gradebook row (before,
    after). kind, value: as adjustments.append says. Raises StoreError, one line, for what makes no sense.
    """
    policy.known_lab(lab)
    before = row_of(lab, student, grades, submitted)
    points = gradebook.points_of(lab)
    if question is not None and question not in points:
        names = ", ".join(points)
        raise store.StoreError(
            f"there is no question {question!r} in {lab}{nearest(question, points)}; questions: {names}"
        )
    if kind in ("points", "percent"):
        value = within(kind, value, points[question] if question else sum(points.values()), question or lab, bonus)
    said, comments = adjustments.read(lab, grades)
    stands = said.get(student, {}).get(question)
    if kind == "clear" and stands is None:
        others = ", ".join(name or "the whole lab" for name in said.get(student, {}))
        also = f"; adjusted are: {others}" if others else ""
        raise store.StoreError(f"nothing of {student} is adjusted in {question or 'the whole of ' + lab}{also}")
    line = {"student": student, "question": question, "kind": kind, "value": value, "bonus": bonus, "reason": reason}
    if kind == "comment":
        same = comments.get(student, {}).get(question, "") == value
    else:
        same = stands is not None and all(stands.get(key) == line[key] for key in line)
    if not same:
        who = {"submission_sha": before["sha"], "by": by, "at": round(time.time(), 3)}
        adjustments.append(lab, line | who, grades)
    return before, row_of(lab, student, grades, submitted)


def row_of(lab, student, grades, submitted):
    """The student's row of the gradebook. StoreError with the nearest name where there is no such student."""
    rows = {row["student"]: row for row in gradebook.rows(lab, grades, submitted)}
    if student in rows:
        return rows[student]
    if not rows:
        raise store.StoreError(f"{lab} has no students: run `course collect {lab} FILES…` first, or write roster.csv")
    known = {}
    for name, row in rows.items():
        full = f"{name} ({row['name']})" if row["name"] and row["name"] != name else name
        known |= {word: full for word in (row["email"], row["name"], name) if word}
    raise store.StoreError(f"there is no student {student!r} in {lab}{nearest(student, known, known)}")


def within(kind, value, most, of, bonus):
    """The points or percent as they are, a StoreError where they are none or more than there are."""
    top, unit = (most, "") if kind == "points" else (100, " %")
    if not math.isfinite(value) or value < 0:
        raise store.StoreError(f"--{kind} {value:g}: a number from 0 to {top:g}{unit}")
    if value > top and not bonus:
        raise store.StoreError(
            f"--{kind} {value:g}: {of} has {counted(most, 'point')}; give at most {top:g}{unit}, or --bonus as well"
        )
    return value


def number(text):
    """A number of the command line; a decimal comma is named."""
    try:
        return float(text)
    except ValueError:
        comma = text.replace(",", ".", 1)
        meant = f", did you mean {comma}?" if comma != text and comma.replace(".", "", 1).isdigit() else ""
        raise argparse.ArgumentTypeError(f"{text!r} is no number{meant}") from None


def told(lab, before, after, question):
    """Lines about what has changed, or why nothing has."""
    student, line = after["student"], after["adjusted"].get(question)
    lines = [f"{student}: {adjustments.words(line, after['sha'])}"] if line else []
    waits = question is not None and line is None and after["status"] not in ("graded", "partial", "by hand")
    if waits:
        lines.append(
            f"{student} has no grade in {lab} yet ({after['status']}): points for a question count once there is one"
        )
    if question is not None and None in after["adjusted"]:
        lines.append(
            f"the whole lab is adjusted as well, and that is what counts: {adjustments.words(after['adjusted'][None])}"
        )

    def counts(row):
        return "no grade" if row["final"] is None else f"{row['final']:g} of {row['out_of']:g}"

    return [*lines, f"{student} in {lab}: {counts(before)} before, {counts(after)} now ({after['status']})"]


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course adjust", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lab")
    parser.add_argument("student", help="as the class table names them")
    parser.add_argument("--question", metavar="ID", help="default: the whole lab, whose points count late or not")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--points", type=number, metavar="N", help="these points, whatever was graded")
    way.add_argument("--percent", type=number, metavar="N", help="this share of the maximum")
    way.add_argument("--excused", action="store_true", help="it counts nowhere; the other questions weigh more")
    way.add_argument("--clear", action="store_true", help="what was graded counts again")
    parser.add_argument("--bonus", action="store_true", help="more than the maximum is meant")
    parser.add_argument("--reason", default="", help="needed with each of these; the student reads it")
    parser.add_argument("--comment", metavar="TEXT", help='a text for the student\'s page, "" takes it back')
    parser.add_argument("--by", metavar="NAME", help="who decides this (default: your login)")
    arguments = parser.parse_args(argv)
    kinds = {"points": arguments.points is not None, "percent": arguments.percent is not None}
    kinds |= {"excused": arguments.excused, "clear": arguments.clear}
    kind = next((name for name, asked in kinds.items() if asked), None)
    if kind is None and arguments.comment is None:
        raise store.StoreError("say what: --points N, --percent N, --excused, --clear or --comment TEXT")
    if kind is not None and not arguments.reason.strip():
        raise store.StoreError("--reason is missing: students and colleagues will ask why")
    about = {"by": (arguments.by or getpass.getuser()).strip(), "reason": " ".join(arguments.reason.split())}
    lab, student, question = arguments.lab, arguments.student, arguments.question
    if kind is not None:
        value = arguments.points if kind == "points" else arguments.percent
        about |= {"bonus": arguments.bonus}
        before, after = adjust(lab, student, question, kind=kind, value=value, **about)
        print("\n".join(told(lab, before, after, question)))
    if arguments.comment is not None:
        text = arguments.comment.strip()
        adjust(lab, student, question, kind="comment", value=text, by=about["by"])
        what = f"`course feedback {lab}` shows the comment" if text else "the comment is taken back"
        print(f"{student}, {question or 'the whole lab'}: {what}")
    return 0
