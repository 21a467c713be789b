"""Tables in a terminal of 80 columns: no figure is cut, no line too long."""

import pytest
from rich.console import Console

from course_lib.grading.lms import term
from course_lib.grading.records import policy
from course_lib.grading.scoring import grade

LONG = "the notebook file is empty (0 bytes): the upload did not finish"


def row(student, score, status="graded", flags=(), failed=0, **result):
    questions = [{"status": "fail"}] * failed
    result |= {"questions": questions, "flags": [{"kind": flag} for flag in flags], "seconds": 12.3}
    about = {"sha": "x", "adjusted": {}, "max": 8.0, "pending": 0.5, "student": student, "late_days": 0}
    return about | {"free_days": None, "result": result, "score": score, "status": status}


def test_the_class_has_its_remarks_below_it():
    flags = ("check deleted or edited", "patched library")
    rows = [row("ada", 8.0), row("dora patches torch", 0.0, flags=flags, failed=9)]
    rows += [row("eve", None, "ungradable", reason=LONG)]
    console = Console(width=80)
    with console.capture() as caught:
        console.print(grade.table("02_pretraining", rows, {"ada": [{"kind": "similar model"}]}))
    lines = caught.get().splitlines()
    assert max(map(len, lines)) <= 80 and sum(line.startswith("│") for line in lines) == 3
    assert lines[-3:] == [
        "ada: ⚑ similar model",
        "dora patches torch: 9 × fail, ⚑ check deleted or edited, ⚑ patched library",
        f"eve: {LONG}",
    ]


@pytest.mark.parametrize("days, blocks", [(0, 3), (5, 3)])
def test_a_term_of_all_labs_stands_in_blocks(days, blocks, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    labs = policy.labs()
    cells = {lab: {"state": "counts", "points": round(9.13 + k / 8, 2)} for k, lab in enumerate(labs)}
    about = {"title": "A course", "term": "", "late_days": days}
    about["labs"] = {lab: {"points": 10.0, "bonus": False} for lab in labs}
    ending = {"dropped": labs[:1], "points": 93.25, "of": 110.0, "percent": 84.8, "missing": [], "days_left": 2}
    term.show(about, [{"name": "Maximilian von Hohenzollern-Sigmaringen", "student": "max", "cells": cells} | ending])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said
    words = said.split()
    assert all(f"{cell['points']:g}" in said for cell in cells.values()) and words.count("student") == blocks
    assert all(word in words for word in ("93.25", "110", "84.8", "(9.13)", "Maximilian"))
    assert ("free days left" in said) == bool(days)


@pytest.mark.parametrize(
    "widths, room, found",
    [([4, 4, 4], 8, [(0, 2), (2, 3)]), ([4, 4], 8, [(0, 2)]), ([9, 2], 8, [(0, 1), (1, 2)]), ([], 8, [])],
)
def test_blocks_hold_what_there_is_room_for(widths, room, found):
    assert term.blocks(widths, room) == found
