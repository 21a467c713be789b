"""Files as people hand them in and as an LMS packs them, for the tests of collect."""

import io
import json
import re
import zipfile
from pathlib import Path

from course_lib.grading.intake import collect
from course_lib.grading.records import store

LAB = "02_pretraining"
ROSTER = """student,name,email,canvas_id,sis_id
jane,Jane Doe,jane@uni.edu,12345,990001
jose,"García Márquez, José",jose@uni.edu,,
bob,Bob Smith,bob@uni.edu,,990003
anne,Anne-Marie Müller,anne@uni.edu,,
li1,Jun Li,,,
li2,Li Jun,,,
"""
BOOK = json.dumps(
    {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "id": "a", "metadata": {}, "source": "x = 1", "outputs": [], "execution_count": None}
        ],
    }
)


def zipped(path, members, **infos):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in infos.items():
                setattr(info, key, value)
            archive.writestr(info, data)
    return path


def book(text, lab=LAB):
    return BOOK.replace("x = 1", f"setup('{lab}') # {text}")


def handed_in(text, student="", lab=LAB):
    """The bytes of a zip of submit()."""
    packed = io.BytesIO()
    zipped(
        packed,
        {
            f"{lab}.ipynb": book(text),
            "work/pretrain/model.safetensors": text,
            "work/pretrain/record.json": "{}",
            "manifest.json": json.dumps({"lab": lab, "student": student}),
        },
    )
    return packed.getvalue()


def collected(tmp_path, *paths, roster=None, lab=LAB, **options):
    """Collects files: ({student: [what the notebook says, oldest first]}, lines, counts). roster: its text."""
    if roster is not None and not (tmp_path / "roster.csv").exists():
        (tmp_path / "roster.csv").write_text(roster, encoding="utf-8")
    lines = []
    counts = collect.collect(lab, paths, None, tmp_path / "submissions", lines.append, **options)
    found = {}
    for student, _, folder, _ in store.submissions(lab, tmp_path / "submissions"):
        found.setdefault(student, []).append(re.search(r"# ([^\"\\]*)", (folder / "notebook.ipynb").read_text())[1])
    return found, "\n".join(lines), dict(counts)


def lms(tmp_path, name, members, roster=ROSTER, **options):
    """`collected` of a zip with these members, or of what is there under the name."""
    path = zipped(tmp_path / name, members) if members else tmp_path / name
    return collected(tmp_path, path, roster=roster or None, **options)


def metas(tmp_path, student, lab=LAB):
    return [m for s, _, _, m in store.submissions(lab, tmp_path / "submissions") if s == student]


def files(folder, contents):
    """Writes {name: text or bytes} into a folder, which it makes and returns."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return Path(folder)
