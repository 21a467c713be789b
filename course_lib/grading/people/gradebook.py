"""The gradebook of a lab: one row a student, computed anew each time from what is on disk.
Whatever shows grades takes them from here.
"""

from pathlib import Path

from course_lib.grading.people import roster as class_list
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.records import policy as late_policy
from course_lib.platform import nearest

# fmt: off
ROW = ("student", "sha", "folder", "received", "status", "result", "score", "max", "pending", "late_days", "penalty",
    "final", "out_of", "attempts", "members", "reason", "adjusted", "comments")
# fmt: on


def rows(lab, grades=store.GRADES, submitted=store.SUBMISSIONS, policy=None, roster=None):
    """One dict a student, by student; those of the roster who handed in nothing are there, too. final is None, never 0,
    where there is no grade.

    {"student", "sha", "folder", "received" (epoch s), "status", "result" (with marks, a person's points and comments;
    or None), "score", "max" (of what is scored), "pending" (points still to be read), "late_days", "penalty" (points
    taken off), "final", "out_of" (the points of the lab, which final is out of), "attempts", "members" (of the group
    that handed it in, else []), "reason" (which attempt counts and why, the late policy in words), "adjusted"
    ({question or None: the adjustment in effect}), "comments" ({question or None: text}), "name", "email", "ids" ({kind
    or column: text} of the roster)}

    policy, roster: paths; None takes policy.yaml and roster.csv beside the folder `submitted` where they exist. Raises
    StoreError where one of them cannot be read.
    """
    rules, students = late_policy.beside(submitted, policy), class_list.beside(submitted, roster)
    spec, given, by_student = store.spec_sha(lab), marks.read(lab, grades), attempts_of(lab, submitted)
    said, comments = adjustments.read(lab, grades)
    listed, rule = {s["student"]: s for s in students}, late_policy.of_lab(rules, lab)
    strangers = [s for s in rule["extensions"] if students and s not in listed and s not in by_student]
    if strangers:
        raise store.StoreError(
            f"the policy gives {strangers[0]} an extension for {lab}, but there is no such student in the roster"
            f"{nearest(strangers[0], listed.keys() | by_student.keys()) or ': a slip of the pen?'}"
        )
    found = []
    for student in sorted(by_student.keys() | listed.keys()):
        attempts, by_person = by_student.get(student, []), (said.get(student, {}), comments.get(student, {}))
        if attempts:
            graded = [graded_attempt(lab, a, rules, spec, given, by_person, grades) for a in attempts]
            row = counted_row(graded, rule["counts"])
        else:
            row = not_handed_in(student, rule)
        row = last_word(lab, row, *by_person)
        if students and student not in listed:
            row["reason"] = "; ".join(filter(None, (row["reason"], "not in the roster")))
        found.append(row | identity(listed.get(student, {}), attempts))
    return found


def identity(line, attempts):
    """{"name", "email", "ids"} of a student: what the roster's line says, else what the LMS told."""
    told = {}
    for *_, meta in attempts:
        about = {**meta.get("ids", {}), "name": meta.get("name"), "email": meta.get("email")}
        told |= {k: v for k, v in about.items() if v}
    name, email = (line.get(k) or told.pop(k, "") for k in ("name", "email"))
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
    rules, found = late_policy.beside(submitted, policy), []
    counts = late_policy.of_lab(rules, lab)["counts"]
    for student, attempts in attempts_of(lab, submitted).items():
        if counts == "best":
            found += attempts
            continue
        on_time = [a for a in attempts if lateness(rules, lab, student, a[3])[0] == 0]
        found.append(on_time[-1] if counts == "last_on_time" and on_time else attempts[-1])
    return found


def lateness(rules, lab, student, meta):
    """(days, fraction kept, reason) of a submission. Where only the time of collecting is known, Canvas's own mark
    decides.
    """
    received, late, rule = meta.get("received") or 0, meta.get("late"), late_policy.of_lab(rules, lab)
    guessed = meta.get("received_from") == "collected"
    if not guessed or late is None:
        days, kept, reason = late_policy.penalty(rules, lab, student, received)
        doubt = " (when it was collected: nobody told when it came in)" if days and guessed else ""
        return days, kept, reason + doubt
    if rule["deadline"] is None:
        return 0, 1.0, "no deadline"
    if not late:
        return 0, 1.0, "on time, says Canvas"
    # late, but not how late: its first day, in the student's favour
    begun = rule["deadline"].timestamp() + rule["grace_minutes"] * 60 + 1
    days, kept, reason = late_policy.penalty(rules, lab, student, min(received, begun))
    return days, kept, f"{reason} (Canvas says late, not how late)"


def graded_attempt(lab, attempt, rules, spec, given, by_person, grades):
    """The row of one attempt, as if it counted. by_person: (adjustments, comments) of the student."""
    student, sha, folder, meta = attempt
    result = marks.marked(store.result_of(lab, student, sha, spec, grades), given)
    if result and result["status"] == "ungradable" and by_person[0].keys() - {None}:
        result = adjustments.by_hand(result, points_of(lab), by_person[0])
    result = adjustments.adjusted(result, *by_person)
    score, most, pending = store.totals(result)
    days, kept, words = lateness(rules, lab, student, meta)
    if result:
        status, why = result["status"], result.get("reason", "")
    elif older := older_totals(lab, student, sha, spec, grades):
        status = "older questions"
        why = f"graded with older questions ({older[0]:g} of {older[1]:g}): run course grade {lab}"
    else:
        status, why = "not graded", f"run course grade {lab}"
    penalty = None if score is None else round(score * (1 - kept), 4)
    whole = sum(q["max"] for q in result["questions"]) if score is not None else None
    final = final_points(score, penalty, most + pending, whole) if score is not None else None
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
        "final": final,
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


def last_word(lab, row, given, comments):
    """The row with what a person has said of the whole lab, from which nothing is taken off for being late."""
    row = row | {"adjusted": {}, "comments": comments}
    for question in (row["result"] or {}).get("questions", []):
        if "adjusted" in question:
            row["adjusted"][question["id"]] = question["adjusted"]
    line = given.get(None)
    if line is None:
        return row
    whole = row["out_of"] or sum(points_of(lab).values())
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


def counted_row(graded, counts):
    """Which of a student's attempts counts (the oldest is first), and why in words."""
    chosen, why = graded[-1], "the last counts"
    if counts == "best":
        scored = [r for r in graded if r["final"] is not None]
        chosen, why = max(reversed(scored), key=lambda r: r["final"], default=graded[-1]), "the best counts"
        if open_ := [r for r in graded if r["final"] is None and r is not chosen]:
            why += f", {len(open_)} without a grade yet"
    elif counts == "last_on_time":
        why = "the last counts, none was on time"
        if on_time := [r for r in graded if r["late_days"] == 0]:
            chosen, why = on_time[-1], "the last one on time counts"
    if len(graded) == 1:
        return chosen
    number = next(i for i, r in enumerate(graded, 1) if r is chosen)
    words = f"attempt {number} of {len(graded)} ({why})"
    return chosen | {"attempts": len(graded), "reason": "; ".join(filter(None, (words, chosen["reason"])))}


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
