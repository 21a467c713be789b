"""Counts in messages: "1 point is taken off", never "1 points are"."""

import re

import pytest

from course_lib.grading.reports import feedback
from course_lib.platform import PACKAGE, counted


@pytest.mark.parametrize(
    "n, words",
    [(1, "1 point"), (1.0, "1 point"), (0, "0 points"), (0.5, "0.5 points"), (2, "2 points"), (12.0, "12 points")],
)
def test_one_is_no_plural(n, words):
    assert counted(n, "point") == words


def test_what_is_late():
    assert feedback.taken_off({"penalty": 1.0, "late_days": 1, "free_days": None}) == (
        "Late by 1 day: 1 point is taken off."
    )
    assert feedback.taken_off({"penalty": 0.15, "late_days": 2, "free_days": {"here": 1}}) == (
        "Late by 2 days, 1 of them free: 0.15 points are taken off."
    )


def test_no_message_counts_by_itself():
    plain = r"\{[^{}]*\} (?:points|students|submissions|files|days|models|flags|hand-ins)\b"
    said = [
        f"{path.name}: {found}"
        for room in ("grading", "notebook")
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for found in re.findall(plain, path.read_text(encoding="utf-8"))
    ]
    many = ("{len(entries)} files", "{MOST} files", "{size} students", "{question.points} points")  # never one
    assert [line for line in said if not line.endswith(many)] == []
