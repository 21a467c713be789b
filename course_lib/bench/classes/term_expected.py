"""What each student must have at the end of a played term, computed from its plan (term_plan.py) as INSTRUCTORS.md
tells the rules, and from nothing that a command has written. It shares no code with course_lib/grading.
"""

import datetime
import itertools

from course_lib.bench.classes.term_files import own_points
from course_lib.platform import OPTIONAL

DAY = datetime.timedelta(days=1)


def expected(term):
    """{student: {"labs": {lab: {"state", "points", "of", "final", "days", "attempts"}}, "percent", "ways": [(points,
    of)] of the best ways to drop labs, "missing": [labs], "left": free days}}
    """
    found = {}
    for student in term.students:
        cells, free, left = {}, {}, term.common["late_days"]
        chosen = {lab.name: counted(term, lab, student) for lab in term.labs}
        undecided = [lab for lab in term.labs if chosen[lab.name] and last_word(lab, student) is None]
        for lab in sorted(undecided, key=lambda lab: (chosen[lab.name][0].at.timestamp(), lab.name)):
            free[lab.name] = free_days(term, chosen[lab.name][1], left)
            left -= free[lab.name]
        for lab in term.labs:
            cells[lab.name] = cell(term, lab, student, chosen[lab.name], free.get(lab.name, 0))
        found[student.key] = {"labs": cells, "left": left} | total(term, cells)
    return found


# ---- which hand-in counts --------------------------------------------------------------------------------------------


def attempts(term, lab, student):
    """Those that count for a student: what he or she handed in, else what a mate of the group did, the oldest first."""
    kept = [h for h in lab.hand_ins if h.broken not in ("torn zip", "zip that reaches outside")]
    mine = [h for h in kept if student.key in h.owners]
    mates = {s.key for s in term.students if student.group and s.group == student.group}
    theirs = [h for h in kept if len(h.owners) == 1 and h.who in mates]
    return sorted(mine or theirs, key=lambda h: h.at.timestamp())


def counted(term, lab, student):
    """(hand-in, days late) of the attempt that counts, or None."""
    tried = [(h, days_late(term, lab, student, h)) for h in attempts(term, lab, student)]
    rule = lab.rule.get("counts", "last")
    if rule == "last_on_time":
        tried = [(h, days) for h, days in tried if days == 0] or tried
    if rule == "best":
        graded = [(h, days) for h, days in tried if not h.broken]
        tried = sorted(graded, key=lambda t: round(final(term, lab, student, *t, free=0)[0], 4)) or tried
    return tried[-1] if tried else None


def days_late(term, lab, student, hand_in):
    """Days begun after the student's own deadline. Each ends at the deadline's time of day and has the grace."""
    if "deadline" not in lab.rule:
        return 0
    at, grace = hand_in.at, datetime.timedelta(minutes=term.common["grace_minutes"])
    due = lab.rule["deadline"]
    if lab.channel == "canvas" and at > due:  # its LATE stays, within the grace as well
        at = max(at, due + grace + datetime.timedelta(seconds=1))
    longer = term.common["extensions"].get(student.key, student.extension)
    due = lab.rule.get("extensions", {}).get(student.key, due + longer * DAY)
    days = 0
    while at.timestamp() > (due + days * DAY).timestamp() + grace.total_seconds():
        days += 1
    return days


# ---- points ----------------------------------------------------------------------------------------------------------


def kept(term, days):
    """The share of the points that so many late days leave."""
    if days <= 0:
        return 1.0
    if days > term.common["max_days"]:
        return 0.0
    return 1 - min(term.common["cap"], days * term.common["percent_a_day"]) / 100


def free_days(term, days, left):
    """As few of the days left as keep the most points."""
    ways = range(min(days, left) + 1)
    most = max(kept(term, days - n) for n in ways)
    return min(n for n in ways if kept(term, days - n) == most)


def said(lab, student, question):
    """What stands of the instructor's decisions on a question, None for nothing."""
    lines = [d for d in lab.decisions if (d.student, d.question) == (student.key, question) and d.kind != "comment"]
    return lines[-1] if lines and lines[-1].kind != "clear" else None


def last_word(lab, student):
    """What a person has said of the whole lab: a decision, "excused" by the roster or course.yaml, or None."""
    listed = student.key in lab.rule.get("excused", []) or lab.name in student.excused
    return said(lab, student, None) or ("excused" if listed else None)


def final(term, lab, student, hand_in, days, free):
    """(points of the whole lab, whether all of it is read) of a hand-in that was graded."""
    values = {name: (points if name in hand_in.right else 0.0, points) for name, (points, _) in lab.exercises.items()}
    values |= {name: (0.0, points) for name, points in lab.rest.items()}
    if lab.model:
        values[lab.model[0]] = (lab.model[1] if hand_in.model else 0.0, lab.model[1])
    for (name, points), code in zip(lab.written.items(), hand_in.codes):
        values[name] = (lab.marks[name, code], points)
    for name, (_, most) in list(values.items()):
        decision = said(lab, student, name)
        if decision and decision.kind == "excused":
            del values[name]
        elif decision:
            values[name] = (decision.value, most)
    got = sum(points for points, _ in values.values() if points is not None)
    of = sum(most for _, most in values.values())
    return got * kept(term, days - free) * own_points(lab) / of, all(p is not None for p, _ in values.values())


def cell(term, lab, student, chosen, free):
    """What a lab is to a student."""
    of = lab.rule.get("points", own_points(lab))
    made = {"state": "open", "points": None, "of": of, "final": None, "days": chosen[1] if chosen else 0}
    made["attempts"] = len(attempts(term, lab, student))
    decision = last_word(lab, student)
    if decision == "excused" or (decision and decision.kind == "excused"):
        return made | {"state": "excused"}
    if decision:
        whole = own_points(lab)
        points = decision.value if decision.kind == "points" else whole * decision.value / 100
        points = points if decision.bonus else min(points, whole)
    elif not chosen:
        return made | ({"state": "missing", "points": 0.0} if "deadline" in lab.rule else {})
    elif chosen[0].broken:
        return made
    else:
        points, read = final(term, lab, student, *chosen, free)
        if not read:
            return made
    return made | {"state": "counts", "final": points, "points": points / own_points(lab) * of}


# ---- the term --------------------------------------------------------------------------------------------------------


def total(term, cells):
    """Points, what they are out of and the percentage, without the labs without which it is best."""
    rules = {lab.name: lab.rule for lab in term.labs if lab.rule.get("counts_in_term", True)}
    due = [name for name in rules if cells[name]["state"] in ("counts", "missing")]
    asked = [name for name in due if not rules[name].get("bonus", name in OPTIONAL)]
    bonus = sum(cells[name]["points"] for name in due if name not in asked)
    dropped = min(term.common["drop_lowest"], max(0, len(asked) - 1))
    ways = []
    for kept_labs in itertools.combinations(asked, len(asked) - dropped):
        points = sum(cells[name]["points"] for name in kept_labs) + bonus
        of = sum(cells[name]["of"] for name in kept_labs)
        ways.append((points, of, 100 * points / of if of else 0.0))
    best = max((way[2] for way in ways), default=0.0)
    missing = [name for name in rules if cells[name]["state"] == "missing"]
    told = {"percent": best if asked else None, "missing": missing}
    return told | {"ways": [way[:2] for way in ways if best - way[2] < 1e-3]}
