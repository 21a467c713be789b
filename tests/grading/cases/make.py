"""What a case is made of: a notebook of lab 00 with right answers, files, and what should come of them."""

import csv
import hashlib
import io
import json
import zipfile
import zlib
from typing import NamedTuple

LAB, FULL, HALF = "00_start_here", 1.5, 0.75  # points without those that a person gives
IMPORTS = "import itertools\nimport math"
SURPRISE = "# EXERCISE surprise\ndef surprise(options):\n    return float(sum(math.log(n) for n in options))"
ENTROPY = "# EXERCISE entropy\ndef entropy(probs):\n    return -sum(p * math.log(p) for p in probs if p > 0)"
WRITTEN = {"written_1": "Because entropy is a mean.", "written_2": "It will invent residents."}
QUESTIONS = {"written_1": "## § 5 Two written questions\n\n**1.** Why?", "written_2": "**2.** And then?"}


class Case(NamedTuple):
    kind: str  # the situation
    label: str
    files: dict  # {name in the folder that is collected: bytes}
    points: dict  # {student: points}; {} where nothing may be taken
    roster: str | bytes = ""
    says: str = ""  # what somebody is told, a pattern
    written: dict = {}  # {question: the answer as the reader sees it, ... for any}
    paths: tuple = ()  # what is given to `course collect`, one call each; empty: the folder
    received: float | None = None
    source: str | None = None
    lab: str = LAB
    like: bytes = b""  # another notebook, of whose points this one must have as many
    into: tuple = ()  # ("canvas" | "moodle", the instructor's export, {first cell of a row: what is written}, scale)


def cells(imports=IMPORTS, surprise=SURPRISE, entropy=ENTROPY, before=(), written=None):
    """[(type, source)] of the notebook. written: the cells of the two questions, where they are not as usual."""
    found = [
        ("code", f'#@title Setup - run me first\nimport course_lib\ncourse = course_lib.setup("{LAB}")'),
        *((c if isinstance(c, tuple) else ("code", c)) for c in (imports, *before)),
        surprise if isinstance(surprise, tuple) else ("code", surprise),
        ("code", 'check("surprise")'),
        entropy if isinstance(entropy, tuple) else ("code", entropy),
        ("code", 'check("entropy")'),
    ]
    if written is None:
        written = []
        for name, text in WRITTEN.items():
            written += [("markdown", QUESTIONS[name]), ("markdown", f"<!-- WRITTEN {name} -->\n{text}")]
    return [*found, *written, ("markdown", "## § 6 Hand in"), ("code", "# LONG\nhanded_in = submit()")]


def notebook(made=None, note=""):
    """The bytes of a notebook. note: a cell of its own, so that no two are equal."""
    found = []
    for number, (kind, source) in enumerate([*(made or cells()), *([("markdown", note)] if note else [])]):
        cell = {"cell_type": kind, "id": f"c{number}", "metadata": {}, "source": source}
        found.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": found}
    return json.dumps(book, ensure_ascii=False).encode()


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 20, 17, 58, 2)), data)
    return packed.getvalue()


def table(*rows, separator=",", start=""):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return (start + out.getvalue()).encode()


def checkout(folder, contents, when):
    """{name: bytes} of a folder that is a git repository with one commit, made at `when`."""
    commit = (
        f"tree {'0' * 40}\nauthor N <n@x.org> {when - 9} +0100\ncommitter N <n@x.org> {when} +0100\n\ndone\n".encode()
    )
    whole = b"commit %d\0" % len(commit) + commit
    name = hashlib.sha1(whole).hexdigest()
    git = {"HEAD": b"ref: refs/heads/main\n", "refs/heads/main": f"{name}\n".encode(), "config": b"[core]\n"}
    git[f"objects/{name[:2]}/{name[2:]}"] = zlib.compress(whole)
    return {f"{folder}/{n}": d for n, d in contents.items()} | {f"{folder}/.git/{n}": d for n, d in git.items()}
