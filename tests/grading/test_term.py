"""The term: what each lab is to each student, and the total that course.yaml asks for."""

import csv
import io
import random

import people
import pytest

from course_lib import cli
from course_lib.grading.people import term
from course_lib.grading.records import store

FIRST, SECOND, THIRD = "00_start_here", "01_data_and_tokenizer", "02_pretraining"
DAY = 86_400.0
RULES = f"""
title: Training language models
term: winter 2026
timezone: UTC
drop_lowest: 1
extensions: {{cleo: 999}}
labs:
  {FIRST}: {{deadline: 2026-11-01 18:00, points: 10}}
  {SECOND}: {{deadline: 2026-11-08 18:00, points: 20}}
  {THIRD}: {{deadline: 2026-11-15 18:00, points: 30}}
"""


def hand_in(desk, lab, student, share, pending=False):
    """A graded submission with `share` of the points of each question."""
    full = [people.case("a")]
    found = people.question("surprise", full) | {"score": share, "max": 1.0}
    more = [people.written("written_1", "because")] if pending else []
    people.graded(desk, student, [found, *more], lab=lab)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    people.term_desk(tmp_path, monkeypatch, RULES, "student,name\nada,Ada Lovelace\nben,\ncleo,\n")
    hand_in(tmp_path, FIRST, "ada", 0.5)
    hand_in(tmp_path, SECOND, "ada", 1.0)
    hand_in(tmp_path, THIRD, "ada", 0.8)
    hand_in(tmp_path, FIRST, "ben", 1.0)
    return tmp_path


def standing(desk, now=1.8e9):
    about, rows = term.standings(now=now)
    return about, {row["student"]: row for row in rows}


def test_the_lowest_is_dropped_and_what_is_missing_counts_nothing(desk):
    about, rows = standing(desk)
    assert (about["title"], about["term"]) == ("Training language models", "winter 2026")
    assert [about["labs"][lab]["points"] for lab in (FIRST, SECOND, THIRD)] == [10.0, 20.0, 30.0]
    ada, ben, cleo = rows["ada"], rows["ben"], rows["cleo"]
    assert (ada["points"], ada["of"], ada["percent"], ada["dropped"]) == (44.0, 50.0, 88.0, [FIRST])
    assert ben["missing"] == [SECOND, THIRD]
    assert (ben["points"], ben["of"], ben["dropped"]) == (10.0, 30.0, [THIRD]), "without it the share is highest"
    assert {cell["state"] for cell in cleo["cells"].values()} == {"open"} and cleo["percent"] is None, "extended"


def test_before_a_deadline_nothing_is_missing(desk):
    ben = standing(desk, now=1.0)[1]["ben"]
    assert ben["missing"] == [] and (ben["points"], ben["of"], ben["percent"]) == (10.0, 10.0, 100.0)


def test_what_a_person_says_counts_here_too(desk, capsys):
    assert cli.main(["adjust", THIRD, "ben", "--excused", "--reason", "ill"]) == 0
    assert cli.main(["adjust", SECOND, "ben", "--percent", "50", "--reason", "on paper"]) == 0
    ben = standing(desk)[1]["ben"]
    assert ben["cells"][THIRD]["state"] == "excused" and ben["missing"] == []
    assert ben["cells"][SECOND]["points"] == 10.0
    assert (ben["points"], ben["of"], ben["dropped"]) == (10.0, 10.0, [SECOND])


def test_a_lab_can_be_left_out_weigh_more_or_be_a_bonus(desk):
    rules = RULES.replace("cleo: 999", "cleo: 1").replace("points: 20", "bonus: yes, points: 20")
    (desk / "course.yaml").write_text(rules.replace("points: 30", "counts_in_term: no"))
    about, rows = standing(desk)
    assert THIRD not in about["labs"] and about["labs"][SECOND] == {"points": 20.0, "bonus": True}
    assert (rows["ada"]["points"], rows["ada"]["of"], rows["ada"]["percent"]) == (25.0, 10.0, 250.0)
    assert rows["ben"]["percent"] == 100.0 and rows["ben"]["missing"] == [SECOND], (
        "a bonus that is not there costs nothing"
    )


def test_work_that_is_still_read_counts_neither_way(desk):
    hand_in(desk, SECOND, "ben", 1.0, pending=True)
    ben = standing(desk)[1]["ben"]
    assert ben["cells"][SECOND]["state"] == "open" and "still to be read" in ben["cells"][SECOND]["why"]


def test_totals_are_those_of_a_plain_search():
    draw = random.Random(0)
    for _ in range(300):
        labs = [f"{n:02}_lab" for n in range(draw.randint(1, 6))]
        about = {lab: {"points": draw.choice([5.0, 10.0, 20.0]), "bonus": draw.random() < 0.2} for lab in labs}
        cells = {}
        for lab in labs:
            state = draw.choice(["counts", "counts", "missing", "open", "excused"])
            points = {"counts": draw.random() * about[lab]["points"], "missing": 0.0}.get(state)
            cells[lab] = {"state": state, "points": points}
        drop = draw.randint(0, 2)
        found = term.total(cells, about, drop)
        asked = [lab for lab in labs if cells[lab]["state"] in ("counts", "missing") and not about[lab]["bonus"]]
        extra = sum(
            cells[lab]["points"] or 0 for lab in labs if about[lab]["bonus"] and cells[lab]["state"] == "counts"
        )
        ways = []
        for mask in range(2 ** len(asked)):
            kept = [lab for k, lab in enumerate(asked) if not mask >> k & 1]
            if kept and len(asked) - len(kept) == min(drop, len(asked) - 1):
                of = sum(about[lab]["points"] for lab in kept)
                ways.append(100 * (sum(cells[lab]["points"] for lab in kept) + extra) / of)
        assert found["percent"] == (pytest.approx(max(ways), abs=0.01) if ways else None)


def test_the_table_the_page_and_the_file(desk, capsys):
    assert cli.main(["gradebook"]) == 0
    said = capsys.readouterr().out
    assert "Training language models · winter 2026: 3 students, 2 with points" in said
    ada = next(line for line in said.splitlines() if line.startswith("Ada"))
    assert ada.split() == ["Ada", "Lovelace", "(5)", "20", "24", "44", "50", "88.0"]
    assert "behind: ben: 01, 02" in said and "00 /10" in said
    assert cli.main(["gradebook", "--html", "term.html"]) == 0
    page = (desk / "term.html").read_text()
    assert "(5)" in page and "<script" not in page and "ben: 01, 02" in page
    capsys.readouterr()
    assert cli.main(["gradebook", "--to", "csv"]) == 0
    lines = {line["student"]: line for line in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert lines["ada"]["percent"] == "88.0" and lines["ada"]["dropped"] == FIRST
    assert (
        lines["ben"][SECOND] == "0.0" and lines["cleo"][FIRST] == "" and lines["ben"]["missing"] == f"{SECOND} {THIRD}"
    )


CANVAS = (
    "Student,ID,Lab 00 (7),Lab 01 (8),Essay (9)\nPoints Possible,,1,1,5\nAda Lovelace,1,,,3\nben,2,,,4\ncleo,3,,,\n"
)


def test_one_file_for_all_labs(desk, capsys):
    (desk / "grades.csv").write_text(CANVAS)
    (desk / "roster.csv").write_text("student,name,canvas_id\nada,Ada Lovelace,1\nben,,2\ncleo,,3\n")
    assert cli.main(["gradebook", "--to", "canvas", "--into", "grades.csv", "-o", "filled.csv"]) == 0
    assert (desk / "filled.csv").read_text().splitlines()[2:] == [
        "Ada Lovelace,1,0.5,1,3", "ben,2,1,,4", "cleo,3,,,",
    ]  # fmt: skip
    assert f"the column of {THIRD} is not there" in capsys.readouterr().err
    assert (desk / "grades.csv").read_text() == CANVAS


@pytest.mark.parametrize(
    "rules, why",
    [
        ("drop_lowest: 1.5", "drop_lowest: '1.5' must be a whole number"),
        (f"labs: {{{FIRST}: {{bonus: perhaps}}}}", "bonus: 'perhaps' must be yes or no"),
        ("extensions: {ada: tomorrow}", "the extension of ada for all labs: 'tomorrow' must be a number of days"),
        (f"labs: {{{FIRST}: {{points: much}}}}", "points: 'much' must be a number from 0"),
    ],
)
def test_a_slip_in_course_yaml_is_one_line(desk, rules, why):
    (desk / "course.yaml").write_text(rules)
    with pytest.raises(store.StoreError, match="course.yaml") as error:
        term.standings()
    assert why in str(error.value)


def test_two_files_of_rules_are_one_too_many(desk):
    (desk / "policy.yaml").write_text("timezone: UTC")
    with pytest.raises(store.StoreError, match="put all rules into the first"):
        term.standings()
