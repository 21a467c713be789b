"""What the commands of a played term have left on disk and in the LMS, beside what must be there: one line for each
difference.
"""

import json
from collections import Counter
from pathlib import Path

from course_lib.bench.classes.term_expected import attempts, counted
from course_lib.bench.classes.term_files import read_csv

NEAR = 2e-3  # points: results and rows are rounded to four decimals, and a total adds up to a dozen of them


def near(text, number, within=NEAR):
    """Is a cell this number, or empty where there is none?"""
    return text == "" if number is None else text not in ("", "EX") and abs(float(text) - number) <= within


def differences(folder, term, must, lms):
    """([a line each], {what: how many} of what was compared)"""
    wrong, facts = [], Counter({"students": len(term.students)})
    totals(folder, term, must, wrong)
    for lab in term.labs:
        exported(folder, lab, must, wrong)
        handed_in(folder, term, lab, wrong, facts)
        histories(folder, lab, wrong, facts)
        regraded(folder, term, lab, wrong, facts)
        handed_back(folder, term, lab, wrong)
    moodle_files(folder, term, must, wrong)
    canvas_file(folder, term, must, wrong)
    posted(term, must, lms, wrong, facts)
    return wrong, dict(facts)


def totals(folder, term, must, wrong):
    rows = {row["student"]: row for row in read_csv(folder / "term.csv")}
    if rows.keys() != must.keys():
        wrong.append(f"the gradebook has other students: {sorted(rows.keys() ^ must.keys())}")
    for student in rows.keys() & must.keys():
        row, due = rows[student], must[student]
        for lab in term.labs:
            if not lab.rule.get("counts_in_term", True):
                continue
            cell = due["labs"][lab.name]
            right = row[lab.name] == "EX" if cell["state"] == "excused" else near(row[lab.name], cell["points"])
            if not right:
                wrong.append(f"{student}, {lab.name}: the gradebook has {row[lab.name]!r}, it must be {cell}")
        if not near(row["percent"], due["percent"], 0.02):
            wrong.append(f"{student}: the gradebook has {row['percent']!r} %, it must be {due['percent']}")
        elif due["percent"] is not None:
            if not any(near(row["points"], points, 0.01) and near(row["of"], of) for points, of in due["ways"]):
                wrong.append(f"{student}: the total is {row['points']} of {row['of']}, it must be {due['ways']}")
        if row["missing"].split() != due["missing"]:
            wrong.append(f"{student}: missing are {row['missing']!r}, it must be {due['missing']}")
        if int(row["free_days_left"]) != due["left"]:
            wrong.append(f"{student}: {row['free_days_left']} free days are left, it must be {due['left']}")


def exported(folder, lab, must, wrong):
    rows = {row["student"]: row for row in read_csv(folder / f"{lab.name}.csv")}
    for student, due in must.items():
        row, cell = rows[student], due["labs"][lab.name]
        if cell["state"] in ("counts", "excused") and not near(row["final"], cell["final"]):
            wrong.append(f"{student}, {lab.name}: the table has {row['final']!r}, it must be {cell['final']}")
        if int(row["late_days"]) != cell["days"] or int(row["attempts"]) != cell["attempts"]:
            told = f"{row['attempts']} attempts, {row['late_days']} days late"
            wrong.append(f"{student}, {lab.name}: {told}, it must be {cell['attempts']} and {cell['days']}")


def handed_in(folder, term, lab, wrong, facts):
    """Each attempt once, and a result each where the attempt counts."""
    place = folder / "submissions" / lab.name
    facts["hand-ins"] += len(lab.hand_ins)
    for student in term.students:
        own = attempts(term, lab, student)
        there = list(place.glob(f"{student.key}/*/meta.json"))
        mine = [p for p in there if not json.loads(p.read_text()).get("by")] or there
        facts["attempts on disk"] += len(there)
        if len(mine) != len(own):
            wrong.append(f"{student.key}, {lab.name}: {len(mine)} attempts are on disk, {len(own)} were handed in")
        results = list((folder / "grades" / lab.name / student.key).glob("*/*.json"))
        facts["results"] += len(results)
        if len(
            {p.parent for p in results} - {folder / "grades" / lab.name / student.key / p.parent.name for p in there}
        ):
            wrong.append(f"{student.key}, {lab.name}: a result of no attempt")


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def histories(folder, lab, wrong, facts):
    """Marks, adjustments, regrades: each line once, whole, and those that were decided."""
    place = folder / "grades" / lab.name
    for name in ("marks", "second_marks"):
        found = lines(place / f"{name}.jsonl")
        facts["marks"] += len(found)
        for key, times in Counter((m["student"], m["submission_sha"], m["question"]) for m in found).items():
            if times > 1:
                wrong.append(f"{lab.name}: {key} has {times} lines in {name}.jsonl")
    keys = ("student", "question", "kind", "value", "bonus")
    found = [tuple(line[key] for key in keys) for line in lines(place / "adjustments.jsonl")]
    decided = [(d.student, d.question, d.kind, d.value, d.bonus) for d in lab.decisions]
    facts["decisions"] += len(found)
    if found != decided:
        wrong.append(f"{lab.name}: adjustments.jsonl has {found}, decided was {decided}")
    audited = Path(folder, f"{lab.name}.audit.txt").read_text().count("  ✎ ")
    if audited != sum(d.kind != "comment" for d in lab.decisions):
        wrong.append(f"{lab.name}: the audit lists {audited} decisions")


def regraded(folder, term, lab, wrong, facts):
    """One line for each who had a grade: a right answer had half its points before, and has all of them after."""
    found = lines(folder / "grades" / lab.name / "regrades.jsonl")
    facts["regraded"] += len(found)
    most, due = lab.exercises[lab.mended][0] if lab.mended else 0.0, []
    for student in term.students if lab.mended else ():
        chosen = counted(term, lab, student)
        if chosen and not chosen[0].broken:
            after = most if lab.mended in chosen[0].right else 0.0
            due.append((student.key, after / 2, after))
    if sorted((line["student"], line["before"], line["after"]) for line in found) != sorted(due):
        wrong.append(f"{lab.name}: regrades.jsonl has {len(found)} lines, it must have {len(due)}, or other points")


def handed_back(folder, term, lab, wrong):
    place = folder / "feedback" / lab.name
    pages, listed = {p.name for p in place.glob("*.html")}, {row["file"] for row in read_csv(place / "mapping.csv")}
    if pages != listed or len(listed) > len(term.students):
        wrong.append(f"{lab.name}: {len(pages)} pages are there and {len(listed)} in mapping.csv")


def moodle_files(folder, term, must, wrong):
    for lab in (lab for lab in term.labs if lab.channel == "moodle"):
        cells = {row["Identifier"].split()[1]: row["Grade"] for row in read_csv(folder / f"{lab.name}_moodle.csv")}
        for s in term.students:
            cell = must[s.key]["labs"][lab.name]
            final = None if cell["state"] == "excused" else cell["final"]
            if cell["state"] != "open" and not near(cells[str(s.moodle_id)], final, 0.006):
                wrong.append(f"{s.key}, {lab.name}: Moodle's file has {cells[str(s.moodle_id)]!r}, not {final}")


def canvas_file(folder, term, must, wrong):
    rows = {row["ID"]: row for row in read_csv(folder / "canvas_filled.csv")}
    heads = {head[4:6]: head for head in next(iter(rows.values())) if head.startswith("Lab ")}
    for s in term.students:
        for lab in (lab for lab in term.labs if lab.rule.get("counts_in_term", True)):
            cell, text = must[s.key]["labs"][lab.name], rows[str(s.canvas_id)][heads[lab.name[:2]]]
            right = text == "EX" if cell["state"] == "excused" else near(text, cell["final"], 0.006)
            if cell["state"] != "open" and not right:
                wrong.append(f"{s.key}, {lab.name}: Canvas's file has {text!r}, it must be {cell}")


def posted(term, must, lms, wrong, facts):
    """Each score once in the LMS."""
    wrong += [f"the LMS refused: {line}" for line in lms.wrong]
    scores = {user: score for user, score, _ in lms.posted}
    facts["scores posted"] += len(lms.posted)
    twice = [user for user, n in Counter(user for user, *_ in lms.posted).items() if n > 1]
    wrong += [f"{user} was posted twice to the LMS" for user in twice]
    for s in term.students:
        cell = must[s.key]["labs"][term.labs[0].name]
        if cell["state"] == "counts" and not near(str(scores.get(f"u{s.canvas_id}", "")), cell["final"], 0.006):
            wrong.append(f"{s.key}: the LMS has {scores.get(f'u{s.canvas_id}')}, it must be {cell['final']}")
