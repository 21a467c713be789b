"""manifest.json of a hand-in: what a student says of himself never outranks the roster or an LMS."""

from pathlib import Path

from course_lib.grading.intake import archives, people
from course_lib.grading.lms import gradescope_run
from course_lib.grading.people import roster
from course_lib.platform import safe_name

SHAPE = "json"
# fmt: off
WORDS = ["student", "lab", "ann", "bob", "Ann Lee", "00_start_here", "02_pretraining", "users", "email", "name"]
# fmt: on
LAB = "00_start_here"


def student(name, group="", **more):
    given = {"name": f"{name.title()} Lee", "email": f"{name}@uni.example", "group": group, "match": name} | more
    return {"student": name, **given, "ids": {"canvas_id": given.pop("canvas_id", "")}}


STUDENTS = [student("ann", canvas_id="71"), student("bob", canvas_id="72"), student("eve", "team", canvas_id="73")]
NOBODY = {"name": "", "email": "", "ids": {}, "others": [], "place": None}
FROM_CANVAS = NOBODY | {"lms": "canvas", "hints": [("canvas_id", "72"), ("name", "leebob")], "alone": "leebob_72"}
FROM_FILE = NOBODY | {"lms": None, "hints": [("file name", f"{LAB}.zip")]}


def entry(name, data):
    return archives.Entry(name, len(data), "", "", lambda limit: data[:limit])


def read(data, scratch):
    manifest = archives.read_manifest(data)
    assert all(type(k) is type(v) is str and len(v) < 200 for k, v in manifest.items())
    known = people.Known(STUDENTS)
    handed = known.students_of(FROM_CANVAS, manifest, LAB)
    assert [person for person, _ in handed.metas()] == ["bob"], "the LMS says whose it is"
    told = [handed.notes]
    try:
        handed = known.students_of(FROM_FILE, manifest, LAB)
        assert handed.first in ("ann", "bob", "eve") and handed.notes == [
            "the student is named by the zip's own manifest only"
        ]
        told.append(handed.first)
    except roster.NotMatched as why:
        assert str(why).isprintable()
        told.append(str(why))
    try:  # without a roster
        handed = people.Known([]).students_of(FROM_FILE, manifest, LAB)
        assert handed.first and safe_name(handed.first) == handed.first
        told.append(handed.first)
    except roster.NotMatched as why:
        told.append(str(why))
    Path(scratch, "submission_metadata.json").write_bytes(data)
    users = gradescope_run.users(Path(scratch))
    assert all(set(user) == {"email", "name"} and all(type(v) is str for v in user.values()) for user in users)
    gradescope_run.shown({"a": [{"email": "x", "name": "y", "results": 1}] * 2}, "a", users)
    entries = [entry("a.ipynb", b'{"cells": []}'), entry("manifest.json", data)]
    _, taken, notes, _ = archives.contents(entries, LAB)
    assert taken == (manifest if len(data) < 100_000 else {}) and all(note.isprintable() for note in notes)
    return [sorted(manifest.items()), told, repr(users)[:1000], notes]
