"""The gradebook of a lab: one row a student, computed anew each time from what is on disk. Whatever shows grades takes
them from here.
"""

from pathlib import Path

from course_lib.grading.records import policy as late_policy
from course_lib.grading.records import roster as class_list
from course_lib.grading.records import store


def rows(lab, grades=store.GRADES, submitted=store.SUBMISSIONS, policy=None, roster=None):
    """One dict a student, by student; those of the roster who handed in nothing are there, too. final is None, never 0,
    where there is no grade.

    {"student", "sha", "folder", "received" (epoch s), "status", "result" (with the marks of written answers, or None),
    "score", "max" (of what is scored), "pending" (points still to be read), "late_days", "penalty" (points taken off),
    "final", "attempts", "reason" (which attempt counts and why, the late policy in words), "name", "email", "ids"
    ({column: text} of the roster)} policy, roster: paths; None takes policy.yaml and roster.csv beside the folder
    `submitted` where they exist. Raises StoreError where one of them cannot be read.
    """
    rules, students = late_policy.beside(submitted, policy), class_list.beside(submitted, roster)
    spec, given, by_student = store.spec_sha(lab), store.marks(lab, grades), attempts_of(lab, submitted)
    listed = {s["student"]: s for s in students}
    strangers = [
        s for s in late_policy.of_lab(rules, lab)["extensions"] if students and s not in listed and s not in by_student
    ]
    if strangers:
        raise store.StoreError(
            f"the policy gives {strangers[0]} an extension for {lab}, but there is no such student in the roster: a "
            "slip of the pen?"
        )
    found = []
    for student in sorted(by_student.keys() | listed.keys()):
        line = listed.get(student, {})
        graded = [graded_attempt(lab, a, rules, spec, given, grades) for a in by_student.get(student, [])]
        row = (
            counted_row(graded, late_policy.of_lab(rules, lab)["counts"])
            if graded
            else not_handed_in(lab, rules, student)
        )
        if students and not line:
            row["reason"] = "; ".join(filter(None, (row["reason"], "not in the roster")))
        told = {}  # what the LMS said, where the roster says nothing
        for *_, meta in by_student.get(student, []):
            told |= {
                k: v
                for k, v in {**meta.get("ids", {}), "name": meta.get("name"), "email": meta.get("email")}.items()
                if v
            }
        name, email = line.get("name") or told.pop("name", ""), line.get("email") or told.pop("email", "")
        ids = {k: v for k, v in told.items() if k not in ("name", "email")} | {
            k: v or told.get(k, "") for k, v in line.get("ids", {}).items()
        }
        found.append(row | {"name": name, "email": email, "ids": ids})
    return found


def attempts_of(lab, submitted):
    """{student: [(student, sha, folder, meta)]}, the oldest first."""
    found = {}
    for attempt in store.submissions(lab, submitted):
        found.setdefault(attempt[0], []).append(attempt)
    return found


def attempts_to_grade(lab, submitted=store.SUBMISSIONS, policy=None):
    """[(student, sha, folder, meta)] of the attempts that decide under the policy: each student's last, last on time,
    or all of them.
    """
    rules, found = late_policy.beside(submitted, policy), []
    rule = late_policy.of_lab(rules, lab)["counts"]
    for attempts in attempts_of(lab, submitted).values():
        on_time = [a for a in attempts if lateness(rules, lab, a[0], a[3])[0] == 0]
        found += (
            attempts if rule == "best" else on_time[-1:] or attempts[-1:] if rule == "last_on_time" else attempts[-1:]
        )
    return found


def lateness(rules, lab, student, meta):
    """(days, fraction kept, reason) of a submission. Where only the time of collecting is known, Canvas's own mark
    decides.
    """
    received, late = meta.get("received") or 0, meta.get("late")
    if meta.get("received_from", "") != "collected" or late is None:
        days, kept, reason = late_policy.penalty(rules, lab, student, received)
        return (
            days,
            kept,
            reason
            + (
                " (when it was collected: nobody told when it came in)"
                if days and meta.get("received_from") == "collected"
                else ""
            ),
        )
    rule = late_policy.of_lab(rules, lab)
    if not late or rule["deadline"] is None:
        return 0, 1.0, "no deadline" if rule["deadline"] is None else "on time, says Canvas"
    begun = (
        rule["deadline"].timestamp() + rule["grace_minutes"] * 60 + 1
    )  # late, but not how late: its first day, in the student's favour
    days, kept, reason = late_policy.penalty(rules, lab, student, min(received, begun))
    return days, kept, f"{reason} (Canvas says late, not how late)"


def graded_attempt(lab, attempt, rules, spec, given, grades):
    """The row of one attempt, as if it counted."""
    student, sha, folder, meta = attempt
    result = store.with_marks(store.standing(lab, student, sha, spec, grades), given)
    score, most, pending = store.totals(result)
    days, kept, words = lateness(rules, lab, student, meta)
    status, why = (result["status"], result.get("reason", "")) if result else ("not graded", f"run course grade {lab}")
    if result is None and (older := older_totals(lab, student, sha, spec, grades)):
        status, why = (
            "older questions",
            f"graded with older questions ({older[0]:g} of {older[1]:g}): run course grade {lab}",
        )
    penalty = None if score is None else round(score * (1 - kept), 4)
    row = {
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
    }
    row |= {"penalty": penalty, "final": None if score is None else round(score - penalty, 4), "attempts": 1}
    return row | {"reason": "; ".join(filter(None, (why, "" if words == "no deadline" else words)))}


def older_totals(lab, student, sha, spec, grades):
    """(score, max) of the newest result under other questions, or None."""
    files = [p for p in Path(grades, lab, student, sha).glob("*.json") if p.stem != spec]
    for path in sorted(files, key=lambda p: -p.stat().st_mtime):
        result = store.read_result(path)
        if result is not None and store.totals(result)[0] is not None:
            return store.totals(result)[:2]
    return None


def counted_row(graded, counts):
    """Which of a student's attempts counts (the oldest is first), and why in words."""
    chosen, why = graded[-1], "the last counts"
    if counts == "best":
        scored = [r for r in graded if r["final"] is not None]
        chosen, why = max(reversed(scored), key=lambda r: r["final"], default=graded[-1]), "the best counts"
        if open_ := [r for r in graded if r["final"] is None and r is not chosen]:
            why += f", {len(open_)} without a grade yet"
    elif counts == "last_on_time":
        on_time = [r for r in graded if r["late_days"] == 0]
        chosen, why = (
            (on_time[-1], "the last one on time counts")
            if on_time
            else (graded[-1], "the last counts, none was on time")
        )
    if len(graded) == 1:
        return chosen
    number = next(i for i, r in enumerate(graded, 1) if r is chosen)
    return chosen | {
        "attempts": len(graded),
        "reason": "; ".join(filter(None, (f"attempt {number} of {len(graded)} ({why})", chosen["reason"]))),
    }


def not_handed_in(lab, rules, student):
    rule = late_policy.of_lab(rules, lab)
    due = rule["extensions"].get(student, rule["deadline"])
    row = {
        "student": student,
        **dict.fromkeys(("sha", "folder", "received")),
        "status": "not handed in",
        **dict.fromkeys(("result", "score", "max", "pending")),
        "late_days": 0,
        "penalty": None,
        "final": None,
    }
    return row | {
        "attempts": 0,
        "reason": f"nothing was handed in (deadline {due:%Y-%m-%d %H:%M})" if due else "nothing was handed in",
    }
