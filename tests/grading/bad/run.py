"""Runs one row of the table and says what is not as the row expects."""

import contextlib
import importlib
import json
import re
import resource
import sys
from pathlib import Path

import classroom
from bad.make import Files, Handed

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]")

NOTHING = {"outcome": "G", "points": None, "flags": set(), "statuses": {}, "text": ""}


COSTS = []  # (bytes of a submission, seconds that its grading or its collecting has cost this side)


def spent():
    """Seconds of computing of this process and of its children that have ended, the judging ones among them."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextlib.contextmanager
def impatience(lab):
    """Short deadlines, so that what hangs for ever hangs for two seconds."""
    from course_lib.grading.sandbox import box
    from course_lib.questions import core

    questions = [q for q in core.questions_of(lab) if isinstance(q, core.Question)]
    before = box.CELL, box.GRACE, [q.timeout for q in questions]
    box.CELL, box.GRACE = 1.5, 1.0
    for question in questions:
        question.timeout = 1.5
    try:
        yield
    finally:
        box.CELL, box.GRACE = before[:2]
        for question, timeout in zip(questions, before[2]):
            question.timeout = timeout


def grade(place, student, made, lab, spawn=None):
    """The result of a notebook or Handed, graded in this process as `course grade` does it, `spawn` starting its
    sandbox.
    """
    made = made if isinstance(made, Handed) else Handed(made)
    folder = classroom.hand_in(place, student, made.text, made.model, lab)
    if made.change:
        made.change(folder)
    return grade_folder(place, student, folder, lab, spawn, made.others)


def grade_folder(place, student, folder, lab, spawn=None, others=()):
    """The result, its flags with those of likeness to the models of `others` [(student, folder of work/)]."""
    from course_lib.grading.reading import likeness, models
    from course_lib.grading.records import store
    from course_lib.grading.scoring import grade_one
    from course_lib.grading.scoring.jobs import job_of

    spec = store.spec_sha(lab)
    job = job_of(lab, student, folder.name, spec, folder, store.secret(place / "grades"))
    out = store.result_path(lab, student, folder.name, spec, place / "grades")
    store.write_json(place / "job.json", job)
    if "torch" not in sys.modules:  # its import is this process's, and no submission's
        importlib.import_module("torch")
    before = spent()
    result = grade_one.grade_one(place / "job.json", out, spawn)
    COSTS.append((sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()), spent() - before))
    rows = [{"student": student, "members": [], "result": result}]
    for name, where in others:
        stage = next(iter(result["sketches"]))
        clean = models.rewritten(models.check_model(where / "work" / stage, stage), place / name)
        sketch = likeness.sketch(clean, stage, job["likeness_seed"])
        rows.append({"student": name, "members": [], "result": {"sketches": {stage: sketch}}})
    return result | {"flags": result["flags"] + likeness.among(rows, job["likeness_seed"])[student]}


def seen_in(*results):
    """What came of it: outcome, points, flags, statuses, all the words. Several results count together."""
    from course_lib.grading.records import store

    letters = {"graded": "G", "partial": "G", "ungradable": "U", "infra_error": "infra_error"}
    seen = {
        "outcome": "".join(sorted({letters[r["status"]] for r in results})),
        "points": None,
        "flags": set(),
        "statuses": {},
        "text": "",
        "trouble": [],
    }
    for result in results:
        if result["questions"]:
            seen["points"] = (seen["points"] or 0.0) + store.totals(result)[0]
        seen["flags"] |= {f["kind"] for f in result["flags"]}
        seen["statuses"] |= {q["id"]: q["status"] for q in result["questions"]}
        seen["text"] += json.dumps(result, ensure_ascii=False)
        # true of every result, whatever was handed in
        if len(result.get("log_tail", "")) > 4000:
            seen["trouble"].append("the log is not capped")
        if CONTROL.search(str(list(strings(result)))):
            seen["trouble"].append("control characters in the result")
    return seen


def strings(value):
    if isinstance(value, str):
        yield value.replace("\n", " ").replace("\t", " ")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from strings(key)
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def collect_and_grade(place, made, lab, spawn=None):
    """seen_in of files that go through `course collect` and, where they are taken, through the grader. R where nothing
    was taken.
    """
    from course_lib.grading.intake import collect
    from course_lib.grading.records import store

    inbox, lines = place / "inbox", []
    inbox.mkdir()
    for name, data in made.files.items():
        (inbox / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    roster = None
    if made.roster:
        roster = place / "roster.csv"
        roster.write_text(made.roster)
    before = {p for p in place.rglob("*")}
    began, graded_before = spent(), len(COSTS)
    collect.collect(lab, [inbox], roster, place / "submissions", lines.append)
    collecting = spent() - began
    kept = store.submissions(lab, place / "submissions")
    seen = (
        seen_in(*(grade_folder(place, student, folder, lab, spawn) for student, _, folder, _ in kept))
        if kept
        else NOTHING | {"outcome": "R", "trouble": []}
    )
    grading = sum(cost for _, cost in COSTS[graded_before:])
    COSTS[graded_before:] = [(sum(p.stat().st_size for p in inbox.iterdir()), collecting + grading)]
    seen["text"] += "\n".join(lines) + str([meta for *_, meta in kept])
    written = set(place.rglob("*")) - before
    stray = [p for p in written if p.relative_to(place).parts[0] not in ("submissions", "grades", "job.json")]
    odd = [p for p in written if p.is_symlink() or re.search(r"[;\u202e$`|<>\n]", p.name)]
    if stray or odd:
        seen["trouble"].append(f"written where or how it must not be: {[str(p) for p in [*stray, *odd]][:3]}")
    if any(line.count("\n") for line in lines) or CONTROL.search("".join(lines)):
        seen["trouble"].append("a message of collect is not one clean line")
    return seen


def run(bad, place, spawn=None):
    """What came of one row."""
    place = Path(place)
    with impatience(bad.lab) if bad.impatient else contextlib.nullcontext():
        if bad.scene:
            return NOTHING | bad.make(place, spawn)
        made = bad.make(place)
        if isinstance(made, Files):
            return collect_and_grade(place, made, bad.lab, spawn)
        if isinstance(made, Path):
            return seen_in(grade_folder(place, "eve", made, bad.lab, spawn))
        return seen_in(grade(place, "eve", made, bad.lab, spawn))


def wanted(bad):
    """The outcomes that a row allows."""
    return bad.outcome.split("/") if "/" in bad.outcome else ["G" if bad.outcome[0] in "GQ" else bad.outcome[0]]


def false_outcome(bad, seen):
    if seen["outcome"] not in wanted(bad):
        return f"outcome {seen['outcome']}, expected {bad.outcome}: {seen['text'][:300]}"


def false_statuses(bad, seen):
    """[questions whose status is none that the row allows]"""
    wrong = []
    for name, status in bad.statuses.items():
        if seen["statuses"].get(name) not in ((status,) if isinstance(status, str) else status):
            wrong.append(f"{name} is {seen['statuses'].get(name)}, expected {status}")
    return wrong


def other_points(bad, seen):
    """Are the points others than the row deserves?"""
    if bad.any_points or (seen["points"] is None and "U" in wanted(bad)):
        return False
    if bad.points is None or seen["points"] is None:
        return seen["points"] is not bad.points
    return abs(seen["points"] - bad.points) > 1e-6


def flagged_honest(bad, seen):
    return bool(not bad.flags and not bad.flags_ok and bad.outcome == "G" and seen["flags"])


def complaints(bad, seen):
    """[what is not as the row says]; empty if all is."""
    found = list(seen["trouble"])
    if outcome := false_outcome(bad, seen):
        found.append(outcome)
    if other_points(bad, seen):
        found.append(f"{seen['points']} points, deserved {bad.points}: {seen['statuses']}")
    if missing := [kinds for kinds in bad.flags if not seen["flags"] & set(kinds.split("|"))]:
        found.append(f"no flag {missing}, only {seen['flags']}")
    if flagged_honest(bad, seen):
        found.append(f"flags on an honest submission: {seen['flags']}")
    found += false_statuses(bad, seen)
    if bad.says and not re.search(bad.says, seen["text"], re.S):
        found.append(f"nothing says {bad.says!r}: {seen['text'][-600:]}")
    if bad.never and (said := re.search(bad.never, seen["text"], re.S)):
        found.append(f"it says {said.group(0)[:80]!r}")
    if bad.after and (wrong := bad.after()):
        found.append(wrong)
    return found
