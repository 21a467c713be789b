"""The gradebook of a lab: one row a student, computed anew each time from what is on disk.
Whatever shows grades takes them from here.
"""

from pathlib import Path
from typing import NamedTuple

from course_lib.grading.people import names
from course_lib.grading.people import rules as class_rules
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.records import policy as late_policy
from course_lib.platform import counted

# fmt: off
ROW = ("student", "sha", "folder", "received", "status", "result", "score", "max", "pending", "late_days", "penalty",
    "free_days", "final", "could_be", "out_of", "attempts", "members", "reason", "adjusted", "comments")
# fmt: on


class Book(NamedTuple):
    """What the grades of a lab are computed from, beside the results."""

    lab: str
    rules: dict
    spec: str
    marks: dict
    said: dict  # {student: {question or None: adjustment}}, the excuses of the rules among them
    comments: dict
    grades: Path | str


def opened(lab, rules, grades):
    said, comments = adjustments.read(lab, grades)
    line = {"question": None, "kind": "excused", "value": None}
    for student, who in late_policy.of_lab(rules, lab)["excused"].items():
        said.setdefault(student, {}).setdefault(None, line | {"student": student, "reason": who})
    return Book(lab, rules, store.spec_sha(lab), marks.read(lab, grades), said, comments, grades)


def rows(lab, grades=store.GRADES, submitted=store.SUBMISSIONS, policy=None, roster=None, free=None):
    """One dict a student, by student; those of the roster who handed in nothing are there, too. final is None, never 0,
    where there is no grade.

    {"student", "sha", "folder", "received" (epoch s), "status", "result" (with marks, a person's points and comments;
    or None), "score", "max" (of what is scored), "pending" (points still to be read), "late_days", "penalty" (points
    taken off), "free_days" ({"here", "left", "of"}: of the term's free days those that pay for this lab, those that are
    left after all labs; None in a term without), "final", "could_be" (final, if all that is still to be read got all
    its points), "out_of" (the points of the lab, which final is out of), "attempts", "members" (of the group that
    handed it in, else []), "reason" (which attempt counts and why, the late policy in words), "adjusted" ({question or
    None: the adjustment in effect}), "comments" ({question or None: text}), "name" (as people write it, or ""),
    "email", "ids" ({kind or column: text} of the roster)}

    policy, roster: as of rules.beside. free: of free_days, where it is known. Raises StoreError where one of them
    cannot be read.
    """
    rules, students = class_rules.beside(submitted, policy, roster)
    book, by_student = opened(lab, rules, grades), attempts_of(lab, submitted)
    free = free_days(rules, grades, submitted) if free is None else free
    listed, rule = {s["student"]: s for s in students}, late_policy.of_lab(rules, lab)
    found = []
    for student in sorted(by_student.keys() | listed.keys()):
        attempts, taken = by_student.get(student, []), free.get(student, {})
        if attempts:
            row = counted_row(book, attempts, taken.get(lab, 0))
        else:
            row = not_handed_in(student, rule)
        if of := int(rule["late_days"]):
            row["free_days"] = {"here": taken.get(lab, 0), "left": of - sum(taken.values()), "of": of}
        row = last_word(book, row)
        if students and student not in listed:
            row["reason"] = "; ".join(filter(None, (row["reason"], "not in the roster")))
        found.append(row | identity(student, listed.get(student, {}), attempts))
    return found


def free_days(rules, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """{student: {lab: free days of the term that pay for its being late}}, over all labs. Which attempt counts is
    settled before; a lab that a person has decided, or that a student is excused from, takes none.
    """
    late = {}
    for lab in rules if late_policy.of_lab(rules, None)["late_days"] else ():
        if late_policy.of_lab(rules, lab)["deadline"] is None:
            continue
        book = opened(lab, rules, grades)
        for student, attempts in attempts_of(lab, submitted).items():
            deciding = deciding_of(rules, lab, student, attempts)
            if None in book.said.get(student, {}) or not any(lateness(rules, lab, student, a[3])[0] for a in deciding):
                continue
            row = counted_row(book, deciding)
            late.setdefault(student, []).append((row["received"] or 0, lab, row["late_days"]))
    return {student: late_policy.free_days(rules, hand_ins) for student, hand_ins in late.items()}


def identity(student, line, attempts):
    """{"name", "email", "ids"} of a student: what the roster's line says, else what the LMS told."""
    told = {}
    for *_, meta in attempts:
        about = {**meta.get("ids", {}), "name": meta.get("name"), "email": meta.get("email")}
        told |= {k: v for k, v in about.items() if v}
    called, email = told.get("name", ""), line.get("email") or told.get("email", "")  # Canvas tells "doejane"
    mine = line.get("name", "")
    name = names.turned(mine) or mine or names.turned(called) or names.turned(student)
    ids = {k: v for k, v in told.items() if k not in ("name", "email")}
    ids |= {k: v or told.get(k, "") for k, v in line.get("ids", {}).items()}
    return {"name": name, "email": email, "ids": ids}


def attempts_of(lab, submitted):
    """{student: [(student, sha, folder, meta)]}, the oldest first."""
    found = {}
    for attempt in store.submissions(lab, submitted):
        found.setdefault(attempt[0], []).append(attempt)
    return {student: store.own(attempts) for student, attempts in found.items()}


def attempts_to_grade(lab, submitted=store.SUBMISSIONS, policy=None):
    """[(student, sha, folder, meta)] of the attempts that decide under the policy: each student's last, last on time,
    or all of them.
    """
    (rules, _), found = class_rules.beside(submitted, policy), []
    for student, attempts in attempts_of(lab, submitted).items():
        found += deciding_of(rules, lab, student, attempts)
    return found


def deciding_of(rules, lab, student, attempts):
    """Those of a student's attempts of which one counts, the only one where that does not depend on its grade."""
    counts = late_policy.of_lab(rules, lab)["counts"]
    if counts == "best":
        return attempts
    on_time = [a for a in attempts if lateness(rules, lab, student, a[3])[0] == 0]
    return (on_time if counts == "last_on_time" and on_time else attempts)[-1:]


def lateness(rules, lab, student, meta, free=0):
    """(days, fraction kept, reason) of a submission of whose late days `free` cost nothing. Canvas's own mark decides
    where only the time of collecting is known; and what has its LATE is late, whatever time --received has set.
    """
    received, late, rule = meta.get("received") or 0, meta.get("late"), late_policy.of_lab(rules, lab)
    guessed, note = meta.get("received_from") == "collected", ""
    if rule["deadline"] is not None and guessed and late is False:
        return 0, 1.0, "on time, says Canvas"
    if rule["deadline"] is not None and late:
        # late, but not how late: its first day, in the student's favour
        begun = rule["deadline"].timestamp() + rule["grace_minutes"] * 60 + 1
        note = " (Canvas says late, not how late)" if guessed or received < begun else ""
        received = min(received, begun) if guessed else max(received, begun)
    days, kept, reason = late_policy.penalty(rules, lab, student, received, free)
    if days and guessed and late is None:
        note = " (when it was collected: nobody told when it came in)"
    return days, kept, reason + note


def graded_attempt(book, attempt, free=0):
    """The row of one attempt, as if it counted and `free` of its late days cost nothing."""
    student, sha, folder, meta = attempt
    lab, spec, grades = book.lab, book.spec, book.grades
    given, comments = book.said.get(student, {}), book.comments.get(student, {})
    result = marks.marked(store.result_of(lab, student, sha, spec, grades), book.marks)
    if result and result["status"] == "ungradable" and given.keys() - {None}:
        result = adjustments.by_hand(result, points_of(lab), given)
    result = adjustments.adjusted(result, given, comments)
    score, most, pending = store.totals(result)
    days, kept, words = lateness(book.rules, lab, student, meta, free)
    if result:
        status, why = result["status"], result.get("reason", "")
    elif older := older_totals(lab, student, sha, spec, grades):
        status = "older questions"
        why = f"graded with older questions ({older[0]:g} of {older[1]:g}): run course grade {lab}"
    else:
        status, why = "not graded", f"run course grade {lab}"
    penalty = None if score is None else round(score * (1 - kept), 4)
    whole = sum(q["max"] for q in result["questions"]) if score is not None else None
    final = could_be = None
    if score is not None:
        full = score + (pending if status in ("graded", "partial") else 0.0)
        final = final_points(score, penalty, most + pending, whole)
        could_be = final_points(full, round(full * (1 - kept), 4), most + pending, whole)
    team = f"handed in by {meta['by']} for the group {meta['group']}" if meta.get("by") else ""
    return {
        "student": student,
        "sha": sha,
        "folder": folder,
        "received": meta.get("received"),
        "status": status,
        "result": result,
        "score": score,
        "max": most,
        "pending": pending,
        "late_days": days,
        "penalty": penalty,
        "free_days": None,
        "final": final,
        "could_be": could_be,
        "out_of": whole,
        "attempts": 1,
        "members": meta.get("members", []),
        "reason": "; ".join(filter(None, (why, "" if words == "no deadline" else words, team))),
    }


def final_points(score, penalty, counted, whole):
    """What a row counts with, of the `whole` lab: questions that the student is excused from weigh as the others do on
    average. None where all are.
    """
    return round((score - penalty) * whole / counted, 4) if counted else 0.0 if not whole else None


def points_of(lab):
    """{question: points} of a lab. It imports the questions, and with them torch: only where no result tells."""
    from course_lib.questions import core

    return {question.id: question.points for question in core.questions_of(lab)}


def last_word(book, row):
    """The row with what a person has said of the whole lab, from which nothing is taken off for being late."""
    given = book.said.get(row["student"], {})
    row = row | {"adjusted": {}, "comments": book.comments.get(row["student"], {})}
    for question in (row["result"] or {}).get("questions", []):
        if "adjusted" in question:
            row["adjusted"][question["id"]] = question["adjusted"]
    line = given.get(None)
    if line is None:
        return row
    whole = row["out_of"] or sum(points_of(book.lab).values())
    score = adjustments.points(line, whole)
    row["adjusted"][None] = line | {"score": score, "before": row["final"]}
    if score is None:
        none = dict.fromkeys(("score", "max", "pending", "penalty", "final"))
        return row | none | {"status": "excused", "out_of": whole}
    status = row["status"] if row["status"] in ("graded", "partial") else "by hand"
    set_to = {"score": score, "max": whole, "pending": 0.0, "penalty": 0.0, "final": score, "out_of": whole}
    return row | set_to | {"status": status}


def older_totals(lab, student, sha, spec, grades):
    """(score, max) of the newest result under other questions, or None."""
    files = [p for p in Path(grades, lab, student, sha).glob("*.json") if p.stem != spec]
    for path in sorted(files, key=lambda p: -p.stat().st_mtime):
        result = store.read_result(path)
        if result is not None and store.totals(result)[0] is not None:
            return store.totals(result)[:2]
    return None


def counted_row(book, attempts, free=0):
    """The row of that of a student's attempts (the oldest is first) which counts, and why in words."""
    counts = late_policy.of_lab(book.rules, book.lab)["counts"]
    graded = [graded_attempt(book, attempt) for attempt in attempts]
    chosen, why = graded[-1], "the last counts"
    if counts == "best":
        # the one that may become the best is read first: once it is read to the end and none can pass it, it is
        scored = [r for r in graded if r["final"] is not None]
        chosen, why = max(reversed(scored), key=lambda r: r["could_be"], default=graded[-1]), "the best counts"
        if open_ := [r for r in graded if r["final"] is None and r is not chosen]:
            why += f", {len(open_)} without a grade yet"
    elif counts == "last_on_time":
        why = "the last counts, none was on time"
        if on_time := [r for r in graded if r["late_days"] == 0]:
            chosen, why = on_time[-1], "the last one on time counts"
    place = next(i for i, r in enumerate(graded) if r is chosen)
    if free:
        chosen = graded_attempt(book, attempts[place], free)
    if len(graded) == 1:
        return chosen
    words = f"attempt {place + 1} of {len(graded)} ({why})"
    return chosen | {"attempts": len(graded), "reason": "; ".join(filter(None, (words, chosen["reason"])))}


def free_in_words(row):
    """What the term's free days have to do with a lab: "3 days late, 2 free, 1 of 5 free days left"; "" for nothing."""
    days, free = row["late_days"], row["free_days"]
    if not days or not free or None in row["adjusted"]:
        return ""
    return f"{counted(days, 'day')} late, {free['here']} free, {free['left']} of {free['of']} free days left"


def not_handed_in(student, rule):
    due = late_policy.due_of(rule, student)
    return dict.fromkeys(ROW) | {
        "student": student,
        "status": "not handed in",
        "late_days": 0,
        "attempts": 0,
        "members": [],
        "reason": "nothing was handed in" + (f" (deadline {due:%Y-%m-%d %H:%M})" if due else ""),
    }
