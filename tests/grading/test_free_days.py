"""The term's free days (`late_days` of course.yaml): taken in the order of handing in, only where they help, and
computed anew from what is on disk.
"""

import csv
import io
import random

import people
import pytest

from course_lib import cli
from course_lib.grading.people import gradebook
from course_lib.grading.records import policy, store
from course_lib.grading.scoring import grade

FIRST, SECOND, THIRD = "00_start_here", "01_data_and_tokenizer", "02_pretraining"
DAY, DUE = 86_400.0, {FIRST: 1793556000.0, SECOND: 1794160800.0, THIRD: 1794765600.0}  # 18:00 on 1, 8, 15 November 2026
RULES = f"""
timezone: UTC
percent_a_day: 10
late_days: 3
labs:
  {FIRST}: {{deadline: 2026-11-01 18:00}}
  {SECOND}: {{deadline: 2026-11-08 18:00, max_days: 5}}
  {THIRD}: {{deadline: 2026-11-15 18:00}}
"""


@pytest.mark.parametrize(
    "hand_ins, taken",
    [
        ([], {}),
        ([(1, FIRST, 2)], {FIRST: 2}),
        ([(1, FIRST, 2), (2, SECOND, 2), (3, THIRD, 1)], {FIRST: 2, SECOND: 1, THIRD: 0}),
        ([(3, THIRD, 1), (2, SECOND, 2), (1, FIRST, 2)], {FIRST: 2, SECOND: 1, THIRD: 0}),  # as they came in
        ([(9, FIRST, 3), (2, SECOND, 2)], {SECOND: 2, FIRST: 1}),  # the later lab was handed in first
        ([(1, SECOND, 9), (2, THIRD, 3)], {SECOND: 0, THIRD: 3}),  # too late anyway: none is wasted
        ([(1, SECOND, 8)], {SECOND: 3}),  # brings it back within max_days
        ([(5, THIRD, 2), (5, FIRST, 2)], {FIRST: 2, THIRD: 1}),  # of one second: by the lab
    ],
)
def test_who_takes_what(tmp_path, hand_ins, taken):
    (tmp_path / "course.yaml").write_text(RULES)
    rules = policy.read(tmp_path / "course.yaml")
    assert policy.free_days(rules, hand_ins) == taken
    assert policy.free_days({}, hand_ins) == dict.fromkeys(taken, 0), "a term without free days has none"


def test_none_is_taken_where_it_changes_nothing(tmp_path):
    (tmp_path / "course.yaml").write_text(RULES.replace("late_days: 3", "late_days: 2\ncap: 30"))
    rules = policy.read(tmp_path / "course.yaml")
    assert policy.free_days(rules, [(1, FIRST, 9)]) == {FIRST: 0}, "the cap takes 30 % with and without"
    assert policy.free_days(rules, [(1, FIRST, 4)]) == {FIRST: 2}
    (tmp_path / "course.yaml").write_text(RULES.replace("percent_a_day: 10", ""))
    assert policy.free_days(policy.read(tmp_path / "course.yaml"), [(1, FIRST, 2)]) == {FIRST: 0}


def test_as_many_points_as_the_days_left_can_keep(tmp_path):
    (tmp_path / "course.yaml").write_text(RULES)
    rules, draw = policy.read(tmp_path / "course.yaml"), random.Random(0)
    for _ in range(200):
        late = [(draw.random(), lab, draw.randint(1, 9)) for lab in (FIRST, SECOND, THIRD)]
        taken, left = policy.free_days(rules, late), 3
        for _, lab, days in sorted(late):
            kept = [policy.price(rules[lab], days - free)[0] for free in range(left + 1)]
            assert kept[taken[lab]] == max(kept) and (taken[lab] == 0 or kept[taken[lab] - 1] < max(kept))
            left -= taken[lab]
        assert left >= 0


@pytest.mark.parametrize("days", ["-1", "2.5", "many", "[3]", "367"])
def test_a_slip_is_one_line(tmp_path, days):
    (tmp_path / "course.yaml").write_text(f"late_days: {days}")
    with pytest.raises(store.StoreError, match="late_days"):
        policy.read(tmp_path / "course.yaml")


# ---- a class


@pytest.fixture
def desk(tmp_path, monkeypatch):
    people.term_desk(tmp_path, monkeypatch, RULES, "student,name\nada,Ada Lovelace\nben,\n")
    for lab, days in ((FIRST, 2), (SECOND, 2), (THIRD, 0)):
        hand_in(tmp_path, lab, "ada", days)
    hand_in(tmp_path, FIRST, "ben", 0)
    return tmp_path


def hand_in(desk, lab, student, days, score=1.0, cells=()):
    """A graded hand-in that came in `days` days after the deadline."""
    question = people.question("surprise", [people.case("a")]) | {"score": score, "max": 1.0}
    sha, _ = people.graded(desk, student, [question], cells=cells, lab=lab)
    meta = {"student": student, "received": DUE[lab] + days * DAY, "received_from": "given", "notes": []}
    store.write_json(desk / "submissions" / lab / student / sha / "meta.json", meta)


def row(lab, student="ada"):
    return next(r for r in gradebook.rows(lab) if r["student"] == student)


def seen(lab, student="ada"):
    found = row(lab, student)
    return found["late_days"], found["free_days"]["here"], found["free_days"]["left"], found["final"], found["reason"]


def test_they_pay_in_the_order_of_handing_in(desk):
    assert seen(FIRST) == (2, 2, 0, 1.0, "2 days late, 2 free")
    assert seen(SECOND) == (2, 1, 0, 0.9, "2 days late, 1 free, 10 % off")
    assert seen(THIRD) == (0, 0, 0, 1.0, "on time")
    assert seen(FIRST, "ben") == (0, 0, 3, 1.0, "on time") and row(SECOND, "ben")["free_days"]["left"] == 3
    (desk / "course.yaml").write_text(RULES.replace("late_days: 3", ""))
    assert row(FIRST)["free_days"] is None and row(FIRST)["final"] == 0.8


def test_nothing_is_stored_and_the_same_comes_out_again(desk):
    before = {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}
    first = [gradebook.rows(lab) for lab in (THIRD, FIRST, SECOND)]
    assert first == [gradebook.rows(lab) for lab in (THIRD, FIRST, SECOND)]
    assert before == {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}


def test_a_lab_that_a_person_decides_takes_none(desk):
    assert cli.main(["adjust", FIRST, "ada", "--points", "1", "--reason", "by hand"]) == 0
    assert seen(SECOND)[:4] == (2, 2, 1, 1.0) and row(FIRST)["free_days"]["here"] == 0
    assert cli.main(["adjust", FIRST, "ada", "--clear", "--reason", "no"]) == 0
    (desk / "roster.csv").write_text(f"student,excused\nada,{FIRST}\nben,\n")
    assert seen(SECOND)[:4] == (2, 2, 1, 1.0) and row(FIRST)["status"] == "excused"


def test_which_attempt_counts_is_settled_before(desk):
    hand_in(desk, THIRD, "ben", 0, 0.7, ["1"])
    hand_in(desk, THIRD, "ben", 2, 1.0, ["2"])
    for counts, found in (("last", (2, 2, 1.0)), ("best", (2, 2, 1.0)), ("last_on_time", (0, 0, 0.7))):
        (desk / "course.yaml").write_text(RULES + f"counts: {counts}")
        assert (row(THIRD, "ben")["late_days"], *seen(THIRD, "ben")[1:4:2]) == found, counts
    hand_in(desk, THIRD, "ben", 4, 1.0, ["3"])
    (desk / "course.yaml").write_text(RULES + "counts: best")
    assert row(THIRD, "ben")["reason"] == "attempt 2 of 3 (the best counts); 2 days late, 2 free"


def test_the_table_the_page_and_the_term_tell_the_days_left(desk, capsys):
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    console.print(grade.table(SECOND, gradebook.rows(SECOND), {}))
    assert "2 days late, 1 free, 0 of 3 free days left" in console.export_text()
    assert cli.main(["feedback", SECOND]) == 0
    (page,) = (desk / "feedback" / SECOND).glob("*.html")
    assert "Late by 2 days, 1 of them free: 0.1 points are taken off. It counts with 0.9." in page.read_text()
    assert "0 of the term&#x27;s 3 free days are left." in page.read_text()
    capsys.readouterr()
    assert cli.main(["gradebook"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "student" in line and "/" in line).endswith("free days left")
    assert next(line for line in lines if line.startswith("Ada")).split()[-1] == "0"
    assert cli.main(["gradebook", "--html", "term.html"]) == 0 and "free days left" in (desk / "term.html").read_text()
    assert cli.main(["gradebook", "--to", "csv", "-o", "term.csv"]) == 0
    rows = {line["student"]: line for line in csv.DictReader((desk / "term.csv").read_text().splitlines())}
    assert {student: line["free_days_left"] for student, line in rows.items()} == {"ada": "0", "ben": "3"}
