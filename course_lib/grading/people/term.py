"""A class over a term: each student's labs, weighed as course.yaml says, computed anew each time from what is on disk.

A cell is what a lab is to a student: {"state", "points" (of the term; None where it does not count), "of", "late_days",
"why"}. States:

counts    it has a grade, with nothing left to be read
missing   nothing was handed in and the deadline (with the student's extension) has passed: 0 points
open      no deadline has passed, or the work is not graded or read to the end: it counts neither way yet
excused   a person has said so: it counts neither way
"""

import itertools
import time

from course_lib.grading.people import gradebook
from course_lib.grading.people import rules as class_rules
from course_lib.grading.records import policy as late_policy
from course_lib.grading.records import store

COUNTED = ("counts", "missing")


def labs_of(rules):
    """The labs that count in the term, in order."""
    return [lab for lab in late_policy.labs() if late_policy.of_lab(rules, lab)["counts_in_term"]]


def standings(grades=store.GRADES, submitted=store.SUBMISSIONS, policy=None, roster=None, now=None):
    """({"title", "term", "late_days", "labs": {lab: {"points", "bonus"}}, "books": {lab: rows of its gradebook}}, [a
    row each student: {"student", "name", "email", "ids", "cells": {lab: cell}, "days_left" (of the term's free days;
    None in a term without), **total(…)}]).

    policy, roster: as of gradebook.rows; now: seconds of the epoch. StoreError where a file cannot be read.
    """
    (rules, students), now = class_rules.beside(submitted, policy, roster), time.time() if now is None else now
    common, people = late_policy.of_lab(rules, None), {student["student"]: {} for student in students}
    free, of = gradebook.free_days(rules, grades, submitted), int(common["late_days"])
    term, about, books = {}, {}, {}
    for lab in labs_of(rules):
        rule = late_policy.of_lab(rules, lab)
        own = sum(gradebook.points_of(lab).values())
        term[lab] = {"points": own if rule["points"] is None else rule["points"], "bonus": rule["bonus"]}
        books[lab] = gradebook.rows(lab, grades, submitted, policy, roster, free)
        for row in books[lab]:
            people.setdefault(row["student"], {})[lab] = cell_of(row, rule, term[lab]["points"], now)
            about[row["student"]] = {key: row[key] or about.get(row["student"], {}).get(key) for key in ABOUT}
    found = []
    for student in sorted(people):
        cells = {lab: people[student].get(lab) or never(student, lab, rules, term, now) for lab in term}
        line = {"student": student, **about.get(student, dict.fromkeys(ABOUT)), "cells": cells}
        line["days_left"] = of - sum(free.get(student, {}).values()) if of else None
        found.append(line | total(cells, term, common["drop_lowest"]))
    return {key: common[key] for key in ("title", "term", "late_days")} | {"labs": term, "books": books}, found


ABOUT = ("name", "email", "ids")


def cell_of(row, rule, of, now):
    """The cell of a row of the gradebook. of: the points of the lab in the term."""
    cell = {"state": "open", "points": None, "of": of, "late_days": row["late_days"], "why": row["reason"]}
    if row["status"] == "excused":
        return cell | {"state": "excused", "why": "excused"}
    if row["status"] == "not handed in":
        return missing_or_open(cell, rule, row["student"], now)
    if row["final"] is None:
        return cell | {"why": row["status"]}
    if row["pending"]:
        return cell | {"why": f"{row['pending']:g} points still to be read"}
    share = row["final"] / row["out_of"] if row["out_of"] else 0.0
    return cell | {"state": "counts", "points": round(share * of, 4)}


def missing_or_open(cell, rule, student, now):
    due = late_policy.due_of(rule, student)
    if due is None or now <= due.timestamp() + 60 * rule["grace_minutes"]:
        return cell | {"why": "not handed in yet"}
    return cell | {"state": "missing", "points": 0.0, "why": f"nothing was handed in (deadline {due:%Y-%m-%d %H:%M})"}


def never(student, lab, rules, term, now):
    """The cell of a student of whom this lab's gradebook knows nothing: there is no roster, and nothing came in."""
    rule = late_policy.of_lab(rules, lab)
    cell = {"state": "open", "points": None, "of": term[lab]["points"], "late_days": 0, "why": ""}
    if student in rule["excused"]:
        return cell | {"state": "excused", "why": "excused"}
    return missing_or_open(cell, rule, student, now)


def total(cells, term, drop_lowest):
    """{"points", "of", "percent" (None where nothing counts yet), "dropped": [labs], "missing": [labs]} of a student.

    The labs that are dropped are those without which the percentage is highest; at least one stays. A lab for bonus is
    not dropped, and what it is out of is not asked for.
    """
    counted = [lab for lab in cells if cells[lab]["state"] in COUNTED]
    asked = [lab for lab in counted if not term[lab]["bonus"] and term[lab]["points"]]
    bonus = sum(cells[lab]["points"] for lab in counted if lab not in asked)
    most = min(int(drop_lowest), max(0, len(asked) - 1))

    def share(dropped):
        kept = [lab for lab in asked if lab not in dropped]
        points = sum(cells[lab]["points"] for lab in kept) + bonus
        of = sum(term[lab]["points"] for lab in kept)
        return (100 * points / of if of else 0.0), points, of

    # of equal ones the later labs are dropped
    dropped = max(itertools.combinations(reversed(asked), most), key=lambda labs: share(labs)[0], default=())
    percent, points, of = share(dropped)
    return {
        "points": round(points, 4),
        "of": round(of, 4),
        "percent": round(percent, 2) if asked else None,
        "dropped": sorted(dropped),
        "missing": [lab for lab in cells if cells[lab]["state"] == "missing"],
    }
