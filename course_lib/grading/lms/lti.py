"""Scores sent to an LMS by LTI 1.3 (`course export LAB --to lti`): nothing is posted without --yes, nothing twice, and
nothing over a score that somebody else has entered.

What the LMS holds is read before and after; what was sent from here stands in a journal (lti_sent.py).
"""

import contextlib
import sys
import time

from course_lib.grading.lms import lti_key, lti_sent, rows
from course_lib.grading.lms.lti_service import SECURE, Service
from course_lib.grading.lms.worksheet import few
from course_lib.grading.people.table import one_line
from course_lib.grading.records import policy, store
from course_lib.grading.reports.page import visible
from course_lib.platform import counted

SETTINGS = ("client_id", "token_url", "lineitems_url", "memberships_url", "audience")  # the first three are needed
COLUMN = "lti_user_id"  # of the roster, where the LMS does not tell its members
KIND = f"the column {COLUMN.replace('_', ' ')}"  # what people/identity.py calls it
DOWN = 3  # students in a row for whom the LMS does not answer or takes no score at all: then we stop


def settings_of(submitted=store.SUBMISSIONS):
    """{key of SETTINGS: text}: `lti` of course.yaml. Raises StoreError."""
    rules = policy.beside(submitted)
    found = rules[None]["lti"] if rules else {}
    for key, value in found.items():
        if key not in SETTINGS:
            raise store.StoreError(f"course.yaml: lti: {key!r} is no setting; settings: {', '.join(SETTINGS)}")
        if not isinstance(value, str):
            raise store.StoreError(f"course.yaml: lti: {key} must be one value")
        if key.endswith("_url") and not SECURE.match(value):
            raise store.StoreError(f"course.yaml: lti: {key}: {value[:80]!r} must begin with https://")
    missing = [key for key in SETTINGS[:3] if not found.get(key)]
    if missing:
        raise store.StoreError(f"course.yaml has no {', '.join(missing)} under lti: see `course lti register`")
    return found


# ---- whose, where ---------------------------------------------------------------------------------------------------


def users(service, grades):
    """{student: the LMS's user id}, by its members (or the roster's column lti_user_id), as a file's rows are matched.
    StoreError on a contradiction.
    """
    if service.settings.get("memberships_url"):
        members = [m for m in service.members() if learns(m)]
    else:
        members = [{"user_id": grade["ids"][COLUMN]} for grade in grades if grade["ids"].get(COLUMN)]
        if not members:
            raise store.StoreError(
                f"who is who? Put memberships_url under lti in course.yaml, or a column {COLUMN} into roster.csv"
            )

    def line(index):
        return f"the member {visible(one_line(str(members[index].get('name') or members[index]['user_id'])), 60)}"

    wanted = [grade["final"] is not None for grade in grades]
    found = rows.paired("the LMS", [identity_of(m) for m in members], grades, wanted, line)
    return {grades[person]["student"]: str(members[index]["user_id"]) for index, person in found.items()}


def learns(member):
    active = member.get("status") in (None, "Active")
    return active and any("Learner" in str(role) for role in member.get("roles") or [])


def identity_of(member):
    """{kind: {values}} of a member, in the words of people/identity.py."""
    told = {KIND: "user_id", "name": "name", "email": "email", "sis_id": "lis_person_sourcedid"}
    return {kind: {str(member[key])} for kind, key in told.items() if member.get(key)}


def find_item(service, lab, most, scale):
    """The lab's line item, told by its resourceId or tag; None where there is none yet."""
    found = [item for item in service.line_items() if lab in (item.get("resourceId"), item.get("tag"))]
    if len(found) > 1:
        labels = ", ".join(visible(one_line(str(item.get("label"))), 60) for item in found)
        raise store.StoreError(f"the LMS has {len(found)} line items of {lab} ({labels}): remove all but one there")
    if not found:
        return None
    there = found[0].get("scoreMaximum")
    if not isinstance(there, (int, float)) or there <= 0 or (there != most and not scale):
        raise store.StoreError(
            f"the LMS's line item of {lab} is out of {counted(there, 'point')} and {lab} of {most:g}: change it there, "
            "or give --scale to have the LMS convert"
        )
    return found[0]


def new_item(lab, most):
    number, _, words = lab.partition("_")
    label = f"Lab {number}: {words.replace('_', ' ')}"
    whole = int(most) if most == int(most) else most  # Open edX takes no 10.5, and not everybody reads 10.0
    return {"label": label, "scoreMaximum": whole, "resourceId": lab, "tag": lab}


# ---- the export -----------------------------------------------------------------------------------------------------


def plan(wanted, known, results, sent, near, most):
    """[{"student", "user", "score", "most", "progress", "there", "what" (of lti_sent.decision, or "unmatched")}]"""
    found = []
    for grade in wanted:
        user, score = known.get(grade["student"]), round(grade["final"], 2)
        progress = lti_sent.PARTIAL if grade["pending"] else lti_sent.DONE
        there = results.get(user)
        what = "unmatched" if user is None else lti_sent.decision(score, progress, there, sent.get(user, []), near)
        row = {"student": grade["student"], "user": user, "score": score, "most": most}
        found.append(row | {"progress": progress, "there": there, "what": what})
    return found


def export(lab, grades, scale=False, yes=False, kept=store.GRADES, submitted=store.SUBMISSIONS):
    """Shows what would be posted and, with yes, posts it. grades: rows of gradebook.rows. Returns the exit status."""
    wanted = [grade for grade in grades if grade["final"] is not None]
    if not wanted:
        raise store.StoreError(f"nobody has a grade in {lab} yet: run `course grade {lab}` first")
    with store.locked(lab, kept) if yes else contextlib.nullcontext():  # two at once would post twice
        return send(lab, grades, wanted, scale, yes, kept, submitted)


def send(lab, grades, wanted, scale, yes, kept, submitted):
    service, most = Service(settings_of(submitted), lti_key.read_key(kept)), max(grade["out_of"] for grade in wanted)
    item = find_item(service, lab, most, scale)
    known, path = users(service, grades), lti_sent.path_of(lab, kept)
    read_at = time.time()  # what somebody enters there from now on is newer than what we post
    results = scores_there(service, item, most) if item else {}
    sent, stamps = lti_sent.before(path, item["id"]) if item else ({}, {})
    near = 0.006 * max(1.0, most / (item or {}).get("scoreMaximum", most))  # two decimals, ours or theirs
    made = plan(wanted, known, results, sent, near, most)
    to_post = [row for row in made if row["what"] == "post"]
    show(lab, item or new_item(lab, most), to_post, new=item is None)
    left_out(lab, grades, made, known, results)
    if not yes:
        print("nothing was posted: --yes posts it" if to_post else "nothing is to be posted", file=sys.stderr)
        return 0
    if not to_post:
        return 0
    item = item or service.create(new_item(lab, most))
    for row in to_post:
        row["at"] = max(read_at, stamps.get(row["user"], 0.0) + 1)  # never back; Moodle compares whole seconds
    left = post_all(service, item, to_post, path)
    return 1 if left + read_back(service, item, to_post, near, path) else 0


def scores_there(service, item, most):
    """{user: score in the lab's points}"""
    return {user: share * most for user, share in service.results(item).items()}


def post_all(service, item, to_post, path):
    """Posts one after the other and notes what becomes of each; how many are left. StoreError where the LMS seems to be
    down.
    """
    failed, in_a_row = 0, 0
    for row in to_post:
        lti_sent.note(path, item, row, "sending")
        score = {"userId": row["user"], "scoreGiven": row["score"], "scoreMaximum": row["most"]}
        score |= {"activityProgress": "Completed", "gradingProgress": row["progress"]}
        try:
            reply = service.post(item, score | {"timestamp": lti_sent.stamp(row["at"])})
            status, why = reply.status_code, service.said(reply)
            row["state"] = "posted" if status < 300 else "newer" if status == 409 else "refused"
        except store.StoreError as error:  # it may have arrived or not: the next run reads what is there
            status, why, row["state"] = None, str(error), "unknown"
        in_a_row = in_a_row + 1 if status in (None, 401, 403) else 0
        if row["state"] == "posted":
            lti_sent.note(path, item, row, "posted")
            continue
        lti_sent.note(path, item, row, row["state"], why)
        failed += 1
        newer = " (the LMS has a newer score, which stays)" if row["state"] == "newer" else ""
        print(f"{visible(row['student'], 60)}: not posted{newer}: {why}", file=sys.stderr)
        if in_a_row == DOWN:
            raise store.StoreError("stopped: run the same command again later, what was posted is not posted again")
    return failed


def read_back(service, item, to_post, near, path):
    """Compares what the LMS holds with what it was sent; how many differ that should not, less those that were said to
    have failed and are there all the same.
    """
    results, wrong, right = scores_there(service, item, to_post[0]["most"]), 0, 0
    for row in to_post:
        there, who = results.get(row["user"]), visible(row["student"], 60)
        equal = there is not None and abs(there - row["score"]) <= near
        if equal and row["state"] != "posted":  # the answer to it was lost
            lti_sent.note(path, item, row, "posted", "read back")
            print(f"{who}: it is there all the same", file=sys.stderr)
            wrong -= 1
        elif row["state"] == "posted" and not equal and not (there is None and row["progress"] == lti_sent.PARTIAL):
            print(f"{who}: posted {row['score']:g}, the LMS shows {points(there)}: look there", file=sys.stderr)
            wrong += 1
        right += equal
    print(f"{right} of {len(to_post)} are there as posted")
    return wrong


# ---- words ----------------------------------------------------------------------------------------------------------


def points(score):
    return "none" if score is None else f"{round(score, 2):g}"


def show(lab, item, to_post, new):
    """A line for each score that is to be posted."""
    label = visible(one_line(str(item.get("label"))), 60)
    print(f"{lab} → {label}, out of {item['scoreMaximum']:g}{' (to be made)' if new else ''}: {len(to_post)} to post")
    for row in to_post:
        unread = ", not all is read yet" if row["progress"] == lti_sent.PARTIAL else ""
        there = f"there: {points(row['there'])}{unread}"
        print(f"  {visible(row['student'], 60)}: {row['score']:g} of {row['most']:g} ({there})")


def left_out(lab, grades, made, known, results):
    """Who is not posted, and why: lines for the instructor."""
    by = {what: [row for row in made if row["what"] == what] for what in ("stands", "theirs", "unmatched")}
    theirs = [f"{row['student']} ({points(row['there'])}, here {row['score']:g})" for row in by["theirs"]]
    none = [g["student"] for g in grades if g["final"] is None]
    still = [student for student in none if known.get(student) in results]
    for names, what in (
        ([row["student"] for row in by["stands"]], "have their score there already"),
        (theirs, "have another score there that is not from here, which stays: clear it there to post ours"),
        (
            [row["student"] for row in by["unmatched"]],
            f"are not found in the LMS: give roster.csv an address or id that it has, or the column {COLUMN}",
        ),
        ([student for student in none if student not in still], "have no grade"),
        (still, "have no grade here and a score there, which stays"),
    ):
        if names:
            print(f"{len(names)} {what}: {few(names)}", file=sys.stderr)
