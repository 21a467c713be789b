"""`course bench class --against REV`: the same class by turns in two builds; times of different work are none."""

import argparse
import contextlib
import json

import pytest

from course_lib.bench.classes import against, first_cells
from course_lib.grading.records import store
from course_lib.platform import CourseError
from course_lib.questions import core


def arguments(**changed):
    return argparse.Namespace(**{"against": "HEAD", "students": 9, "jobs": 1, **changed})


@pytest.fixture
def builds(monkeypatch, tmp_path):
    """Both builds grade in as many seconds as they have students, the older one twice that; {build: points}."""
    points = {"old": 2.0, "new": 2.0}
    (tmp_path / "labs").mkdir()
    for lab in core.labs()[:-1]:  # the older one has no lab 12
        (tmp_path / "labs" / f"{lab}.ipynb").touch()

    def graded(root, lab, build, jobs):
        name = "new" if build == against.ROOT else "old"
        students = [folder.name for folder in (root / "submissions" / lab).iterdir()]
        return len(students) * (2 if name == "old" else 1), dict.fromkeys(students, points[name])

    monkeypatch.setattr(against.doctor, "require_sandbox", lambda: None)
    monkeypatch.setattr(against, "git", lambda *words: "1" * 40)
    monkeypatch.setattr(against, "here", lambda: "2" * 40)
    monkeypatch.setattr(against, "worktree", lambda sha: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(against, "HEAVY", "01_data_and_tokenizer")  # without half a minute of training
    monkeypatch.setattr(against.timing_class, "hand_in_class", lambda root, lab, n: light(root, lab, n))
    monkeypatch.setattr(against, "graded", graded)
    monkeypatch.setattr(against, "matmul_rate", lambda: 100.0)
    monkeypatch.setattr(first_cells, "imports_of", lambda notebook: "import json")
    monkeypatch.setattr(first_cells, "computed", lambda program, build: {against.ROOT: 0.5}.get(build, 1.0))
    return points


def light(root, lab, n):
    for i in range(n):
        store.write_json(root / "submissions" / lab / f"student{i:03d}" / "sha" / "meta.json", {})


def test_both_grade_the_same_class_by_turns(builds):
    made = against.bench_class(arguments())
    assert made["class_ratio"] == made["class_light_ratio"] == 0.5 and made["class_turns"] == [0.5] * 3
    assert made["class_seconds"] == {"old": 18, "new": 9} and made["class_light_seconds"] == {"old": 6, "new": 3}
    assert made["import_ratio"] == 0.5 and len(made["import_ratios"]) == 12 and made["torch_ratio"] == 0.5
    assert made["against"] == "1" * 40 and made["matmul_gflops"] == 100.0


def test_the_imports_of_the_first_two_code_cells_and_nothing_else(tmp_path):
    sources = [
        "!pip list\nimport json\nif json:\n    import late\ncourse = 1 / 0",
        "from math import pi",
        "import torch",
    ]
    cells = [{"cell_type": "code", "source": source, "outputs": []} for source in sources]
    (tmp_path / "lab.ipynb").write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}))
    assert first_cells.imports_of(tmp_path / "lab.ipynb") == "import json\nfrom math import pi"
    assert 0 < first_cells.computed("import json", tmp_path) < 60
    with pytest.raises(CourseError, match="no_such_module"):
        first_cells.computed("import no_such_module", tmp_path)


def test_other_points_are_other_work(builds):
    builds["new"] = 1.5
    with pytest.raises(CourseError, match="differ in points"):
        against.bench_class(arguments())
    builds["old"] = None
    with pytest.raises(CourseError, match="HEAD can grade none of today's notebooks of 01_data_and_tokenizer"):
        against.bench_class(arguments())


def test_without_a_build_to_compare_with_it_says_so():
    with pytest.raises(CourseError, match="needs --against REV"):
        against.bench_class(arguments(against=None))
