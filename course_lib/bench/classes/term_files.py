"""The files of a played term: notebooks, the zips of submit(), an LMS's downloads and exports, roster and rules."""

import csv
import datetime
import functools
import io
import json
import re
import zipfile
from pathlib import Path

from course_lib.platform import ROOT
from course_lib.stages.artifacts import SHIPPED

FULL = ("pretrain", "sft")  # shipped models that have all points of their question


@functools.cache
def notebooks(lab):
    """The cells of a lab's solution and student notebook: ([(kind, source)], [(kind, source)])."""
    books = (json.loads((ROOT / folder / f"{lab}.ipynb").read_text()) for folder in ("solutions", "labs"))
    return tuple([(c["cell_type"], "".join(c["source"])) for c in book["cells"]] for book in books)


def exercise_cells(cells):
    return {m[1]: text for kind, text in cells if kind == "code" and (m := re.match(r"# EXERCISE (\w+)\n", text))}


def exercises_of(lab):
    """({exercise: (points, the solution's source)}, {written question: points}, [(id, points, stage) of models])"""
    from course_lib.questions import core

    sources, exercises, written, models = exercise_cells(notebooks(lab)[0]), {}, {}, []
    for question in core.questions_of(lab):
        if isinstance(question, core.WrittenQuestion):
            written[question.id] = float(question.points)
        elif isinstance(question, core.ArtifactQuestion):
            models.append((question.id, float(question.points), question.stage))
        else:
            exercises[question.id] = (float(question.points), sources[question.id])
    return exercises, written, models


def models_of(models):
    return next((model for model in models if model[2] in FULL), None)


# ---- what a student hands in ----------------------------------------------------------------------------------------


def book(lab, hand_in):
    """The notebook of a hand-in: the set-up, the imports, the exercises as they were answered, each with its check, and
    the written answers. What else a lab's notebook computes is left out.
    """
    solution, student = notebooks(lab.name)
    open_cells, cells = exercise_cells(student), []
    for kind, text in solution:
        if kind == "code" and (text.startswith("#@title Setup") or re.match(r"(import|from) ", text)):
            cells.append(("code", text))
    for name, (_, source) in lab.exercises.items():
        if name in hand_in.wrong:
            source = f"# EXERCISE {name}\ndef {name}(*arguments, **options):\n    return None"
        elif name not in hand_in.right:
            source = open_cells[name]
        cells += [("code", source), ("code", f'check("{name}")')]
    cells += [("code", f'check("{name}")') for name in [*lab.rest, *([lab.model[0]] if lab.model else [])]]
    cells.append(("code", f"# {hand_in.who}, attempt {hand_in.round}"))
    for name, code in zip(lab.written, hand_in.codes):
        text = "" if code is None else f"Because the numbers above say so, as in case {code}."
        cells.append(("markdown", f"<!-- WRITTEN {name} -->\n{text}"))
    return notebook(cells)


def notebook(cells):
    made = []
    for n, (kind, source) in enumerate(cells):
        cell = {"cell_type": kind, "id": f"c{n}", "metadata": {}, "source": source}
        made.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def handed(lab, other, hand_in):
    """The bytes of the zip that a student hands in. other: a lab of which one hands in the notebook by mistake."""
    members = {f"{lab.name}.ipynb": b"" if hand_in.broken else book(lab, hand_in)}
    if hand_in.broken == "no notebook":
        members = {f"{lab.name}.ipynb": f"a picture of {hand_in.who}".encode()}
    if hand_in.broken == "another lab":
        members = {f"{other}.ipynb": notebook([*wrong_lab(other), ("code", f"# {hand_in.who}")])}
    if hand_in.broken == "zip that reaches outside":
        members = {f"../{lab.name}.ipynb": b"{}"}
    if hand_in.model:
        folder = SHIPPED / lab.model[2]
        members |= {
            f"work/{lab.model[2]}/{name}": (folder / name).read_bytes() for name in ("model.safetensors", "record.json")
        }
    data = zipped(members | {"manifest.json": json.dumps({"lab": lab.name, "student": hand_in.who})})
    return data[: len(data) // 2] if hand_in.broken == "torn zip" else data


def wrong_lab(lab):
    return [cell for cell in notebooks(lab)[1] if cell[1].startswith("#@title Setup")]


# ---- what an LMS gives and takes -------------------------------------------------------------------------------------


def download(folder, lab, number, hand_ins, zips, people):
    """Writes what the instructor downloads after a round. zips: {hand-in: bytes}. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{lab.name}_round{number}.zip"
    members = {}
    for n, hand_in in enumerate(hand_ins):
        student = people[hand_in.who]
        if lab.channel == "canvas":
            plain = re.sub(r"\W", "", "".join(reversed(student.name.split()))).lower()
            members[f"{plain}_{late(lab, hand_in)}{student.canvas_id}_{9000 + n}_{lab.name}.zip"] = zips[hand_in]
        if lab.channel == "moodle":
            name = f"{student.name}_{student.moodle_id}_assignsubmission_file"
            members[f"{name}/{lab.name}.zip"] = zips[hand_in]
        if lab.channel == "gradescope":
            members[f"assignment_7_export/submission_{700 + n}/{lab.name}.zip"] = zips[hand_in]
        if lab.channel == "files":
            members[f"{student.key}_{lab.name}.zip"] = zips[hand_in]
    if lab.channel == "files":  # as they came by mail
        path = path.with_suffix("")
        for name, data in members.items():
            path.mkdir(exist_ok=True)
            (path / name).write_bytes(data)
        return path
    if lab.channel == "gradescope":
        members["assignment_7_export/submission_metadata.yml"] = metadata(hand_ins, people)
    path.write_bytes(zipped(members))
    return path


def late(lab, hand_in):
    return "LATE_" if "deadline" in lab.rule and hand_in.at > lab.rule["deadline"] else ""


def metadata(hand_ins, people):
    lines = []
    for n, hand_in in enumerate(hand_ins):
        lines += [f"submission_{700 + n}:", "  :submitters:"]
        for owner in hand_in.owners:
            student = people[owner]
            lines += [f'  - :name: "{student.name}"', f"    :email: {student.email}", f"    :sid: '{student.sis_id}'"]
        lines.append(f"  :created_at: {hand_in.at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} Z")
    return "\n".join(lines) + "\n"


def roster(students):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ["student", "name", "email", "canvas_id", "sis_id", "moodle_id", "group", "extension", "excused"]
    writer.writerow(columns)
    for s in students:
        cells = {**vars(s), "student": s.key, "extension": s.extension or "", "excused": " ".join(s.excused)}
        writer.writerow([cells[column] for column in columns])
    return out.getvalue()


def rules(term, every, lti=None):
    """course.yaml. every: all labs of the course; those that are not played do not count."""
    import yaml

    entries: dict[str, dict] = {name: {"counts_in_term": "no"} for name in every}
    for lab in term.labs:
        words = {True: "yes", False: "no"}
        rule: dict = {k: words[v] if type(v) is bool else v for k, v in lab.rule.items()}
        rule |= {"deadline": moment(rule["deadline"])} if "deadline" in rule else {}
        longer = {who: moment(when) for who, when in rule.get("extensions", {}).items()}
        entries[lab.name] = rule | ({"extensions": longer} if longer else {})
    said = {"title": "A played term", **term.common, "labs": entries} | ({"lti": lti} if lti else {})
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def moment(when):
    return f"{when:%Y-%m-%d %H:%M:%S}"


def canvas_gradebook(term):
    """Canvas's own export, before anything is in it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [f"Lab {lab.name[:2]} ({1200 + n})" for n, lab in enumerate(term.labs)]
    writer.writerow(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *heads])
    writer.writerow(["    Points Possible", "", "", "", "", *(own_points(lab) for lab in term.labs)])
    for s in term.students:
        writer.writerow([last_first(s.name), s.canvas_id, s.sis_id, s.email, "Autumn", *("" for _ in term.labs)])
    return out.getvalue()


def last_first(name):
    first, last = name.split(" ", 1)
    return f"{last}, {first}"


def own_points(lab):
    found = sum(points for points, _ in lab.exercises.values()) + sum(lab.written.values()) + sum(lab.rest.values())
    return found + (lab.model[1] if lab.model else 0.0)


def moodle_worksheet(term, lab):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade"])
    for s in term.students:
        row = [f"Participant {s.moodle_id}", s.name, s.email, "Submitted for grading", "", f"{own_points(lab):.2f}"]
        writer.writerow(row)
    return out.getvalue()


def read_csv(path):
    return list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8"))))
