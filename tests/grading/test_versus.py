import contextlib
import sys

import classroom  # noqa: F401  (it knows where tally is)
import pytest
import tally

from course_lib.bench.classes import versus
from course_lib.platform import CourseError


def test_one_line_says_how_to_install(monkeypatch):
    monkeypatch.setattr(versus.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match="pip install -c constraints.txt nbgrader otter-grader"):
        versus.versus()


def test_all_get_the_same_cells_without_training():
    books = versus.hand_ins(4)
    texts = {student: [versus.code(c) for c in book["cells"]] for student, book in books.items()}
    assert len({str(t) for t in texts.values()}) == 4 and not any(
        line.startswith("# LONG") for t in texts.values() for line in t
    )
    stubs = {student: sum("raise NotImplementedError()" in line for line in t) for student, t in texts.items()}
    assert stubs["student0"] == 0 < stubs["student3"]
    assert not any(c.get("outputs") for book in books.values() for c in book["cells"])


def test_otters_tests_add_up_to_our_score(monkeypatch):
    import types

    from course_lib.questions import core

    stub = types.SimpleNamespace(test_case=lambda points: lambda test: (points, test))
    monkeypatch.setitem(sys.modules, "otter", types.ModuleType("otter"))
    monkeypatch.setitem(sys.modules, "otter.test_files", stub)
    question = core.questions_of("00_start_here")[0]
    assert versus.scores_of(question) == pytest.approx(
        [0.75 * part for part in (3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)]
    )
    for label, share in (("sum of logs", 1), ("underflow", 0.5), ("counts down the list", 0.75), ("bits", 0)):
        answers = tally.bank("00_start_here")["surprise"]
        env, tests = {}, {}
        exec((answers["wrong"] | answers["right"])[label], env)
        exec(versus.test_file(question), tests)
        points = 0.0
        for worth, test in (value for name, value in tests.items() if name.startswith("test_") and name != "test_case"):
            with contextlib.suppress(AssertionError):
                test(env)
                points += worth
        assert points == pytest.approx(0.75 * share), label


def test_other_points_compare_nothing(monkeypatch):
    monkeypatch.setattr(versus, "PACKAGES", {})
    monkeypatch.setattr(versus.doctor, "require_sandbox", lambda: None)
    monkeypatch.setattr(versus, "ours", lambda folder, books, turn, jobs: (2.0, dict.fromkeys(books, 8.0)))
    monkeypatch.setattr(versus, "nbgrader", lambda folder, books: (8.0, dict.fromkeys(books, 8.0)))
    monkeypatch.setattr(versus, "otter", lambda folder, books: (12.0, dict.fromkeys(books, 8.0)))
    found = versus.versus(students=8)
    assert (found["vs_nbgrader"], found["vs_otter"], found["otter_s"]) == (4.0, 8.0, 2.0)
    monkeypatch.setattr(versus, "otter", lambda folder, books: (12.0, dict.fromkeys(books, 7.0)))
    with pytest.raises(CourseError, match="compares nothing"):
        versus.versus(students=8)
