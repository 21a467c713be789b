"""What a submission may cost the grader: each part has a budget, all of them together have one."""

import random
import time

import pytest

from course_lib.grading.reading import room
from course_lib.grading.scoring import judge


def compute(seconds):
    end = room.computed() + seconds
    while room.computed() < end:
        pass


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notebook.ipynb").write_text("{}")
    return tmp_path


def test_parts_share_a_purse(folder, monkeypatch):
    monkeypatch.setattr(judge, "FEW", 0.3)
    purse = judge.Purse(folder)
    with purse.part(5.0):
        compute(0.2)
    with pytest.raises(room.TooMuch), purse.part(5.0):
        compute(1.0)
    with pytest.raises(room.TooMuch), purse.part(5.0):  # nothing is left
        compute(0.2)
    assert purse.left <= 0.05


def test_a_part_has_its_own_most(folder):
    purse = judge.Purse(folder)
    began = time.process_time()
    with pytest.raises(room.TooMuch), purse.part(0.1):
        compute(3.0)
    assert time.process_time() - began < 1.0 and 9.0 < purse.left <= 9.95


def test_a_large_model_may_cost_more(folder):
    assert judge.Purse(folder).left == judge.FEW
    model = folder / "work" / "pretrain" / "model.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(bytes(10 * judge.SMALL))  # which a zip makes small
    assert judge.Purse(folder).left == judge.FEW
    model.write_bytes(random.Random(0).randbytes(judge.SMALL + 2**16))
    assert judge.Purse(folder).left == judge.MANY


def test_written_answers_that_are_dear_to_find_are_left_to_a_person(folder, monkeypatch):
    from course_lib.notebook import written

    monkeypatch.setattr(written, "written_answers", lambda cells, ids: compute(5.0))
    monkeypatch.setattr(judge, "READ", 0.1)
    text, note = judge.texts_of([], ["written_1"], judge.Purse(folder))["written_1"]
    assert text == "" and "look yourself" in note


def test_several_notebooks_that_are_dear_to_tell_apart_are_refused(monkeypatch):
    from course_lib.grading.intake import archives

    books = [("2026-01-02", f"{n}.ipynb", b'{"cells": []}' + b" " * n) for n in range(3)]
    assert archives.choose(books, "00_start_here")[2].startswith("two different notebooks")
    monkeypatch.setattr(archives, "value_of", lambda data, lab: compute(3.0))
    monkeypatch.setattr(archives, "CHOICE", 0.1)
    with pytest.raises(archives.Rejected, match="3 notebooks, far larger than a lab's"):
        archives.choose(books, "00_start_here")
