"""What the roster's columns extension, excused and group say beside course.yaml, and names that are nobody's."""

import types

import people
import pytest

from course_lib import cli
from course_lib.grading.people import gradebook, names, roster, rules, term
from course_lib.grading.records import policy, store
from course_lib.grading.scoring import jobs

LAB, NEXT = "00_start_here", "01_data_and_tokenizer"
RULES = f"""
timezone: UTC
percent_a_day: 10
extensions: {{bob: 2}}
labs:
  {LAB}: {{deadline: 2026-11-01 18:00, extensions: {{cat: 1}}, excused: [dan]}}
  {NEXT}: {{deadline: 2026-11-08 18:00}}
"""
ROSTER = "student,name,extension,excused\nann,Ann Lee,3,\nbob,,5,\ncat,,4.0,\ndan,,,\neve,,,1 0\n"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "course.yaml").write_text(RULES)
    (tmp_path / "roster.csv").write_text(ROSTER)
    return tmp_path


def test_the_nearest_word_counts(desk):
    made, students = rules.beside(store.SUBMISSIONS)
    due = {lab: {name: when.day for name, when in made[lab]["extensions"].items()} for lab in (LAB, NEXT)}
    assert due[LAB] == {"ann": 4, "bob": 3, "cat": 2}, "the lab's own, then course.yaml's, then the roster's"
    assert due[NEXT] == {"ann": 11, "bob": 10, "cat": 12}
    assert made[LAB]["excused"] == {"dan": "course.yaml says so", "eve": "the class list says so"}
    assert made[NEXT]["excused"] == {"eve": "the class list says so"} and len(students) == 5
    assert policy.penalty(made, LAB, "ann", made[LAB]["deadline"].timestamp() + 3 * 86_400)[0] == 0
    assert policy.read(desk / "course.yaml")[LAB]["extensions"].keys() == {"bob", "cat"}, "what was read is not changed"


def test_the_roster_alone_excuses(desk):
    (desk / "course.yaml").unlink()
    assert [row["status"] for row in gradebook.rows(LAB)] == ["not handed in"] * 4 + ["excused"]


def test_who_is_excused_has_no_grade_and_the_total_asks_for_nothing(desk, monkeypatch, capsys):
    monkeypatch.setattr(term, "time", types.SimpleNamespace(time=lambda: 1.8e9))
    full = [people.question("surprise", [people.case("a")]) | {"score": 1.0, "max": 1.0}]
    for student in ("eve", "ann"):
        people.graded(desk, student, full, lab=LAB)
    _, rows = term.standings()
    found = {row["student"]: row for row in rows}
    assert {lab: found["eve"]["cells"][lab]["state"] for lab in (LAB, NEXT)} == {LAB: "excused", NEXT: "excused"}
    assert found["eve"]["percent"] is None and found["dan"]["of"] < found["bob"]["of"]
    assert found["dan"]["missing"] == [NEXT] and found["bob"]["missing"] == [LAB, NEXT]
    assert cli.main(["feedback", LAB]) == 0
    pages = [path.read_text() for path in (desk / "feedback" / LAB).glob("*.html")]
    assert sum("Excused by a person: the class list says so" in text for text in pages) == 1
    assert cli.main(["adjust", LAB, "eve", "--points", "1", "--reason", "she wants it to count"]) == 0
    eve = next(row for row in gradebook.rows(LAB) if row["student"] == "eve")
    assert (eve["status"], eve["final"]) == ("graded", 1.0), "a person has the last word"


@pytest.mark.parametrize(
    "roster_text, why",
    [
        ("student,extension\nann,two\n", "the roster's extension of ann, 'two', must be a number of days"),
        ("student,extension\nann,-1\n", "must be a number of days"),
        ("student,extension\nann,43120\n", "must be a number of days"),
        ("student,excused\nann,00_start_hear\n", r"excuses ann from '00_start_hear'.*did you mean 00_start_here\?"),
        ("student,excused\nann,0; 77\n", "excuses ann from '77', which is no lab"),
        ("student,extension,Extension\nann,1,2\n", "has the column extension twice"),
    ],
)
def test_a_slip_in_the_roster_is_one_line(desk, roster_text, why):
    (desk / "course.yaml").unlink()
    (desk / "roster.csv").write_text(roster_text)
    with pytest.raises(store.StoreError, match=why) as caught:
        rules.beside(store.SUBMISSIONS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "said, guess",
    [
        (f"labs: {{{LAB}: {{excused: [anm]}}}}", "anm an excuse from 00_start_here.* did you mean ann?"),
        (f"labs: {{{LAB}: {{deadline: 2026-11-01 18:00, extensions: {{login7: 3}}}}}}", "login7.* did you mean bob?"),
        (f"extensions: {{Ann Lee: 3}}\nlabs: {{{LAB}: {{deadline: 2026-11-01 18:00}}}}", "Ann Lee.* mean ann?"),
    ],
)
def test_a_wrong_name_is_found_before_anything_is_graded(desk, said, guess):
    (desk / "course.yaml").write_text(f"timezone: UTC\n{said}")
    (desk / "roster.csv").write_text("student,name,login\nann,Ann Lee,\nbob,,login7\n")
    people.graded(desk, "ann", lab=NEXT)
    with pytest.raises(store.StoreError, match=f"the policy gives {guess[:-1]}\\?"):
        jobs.jobs_of(NEXT, desk / "grades", desk / "submissions")  # whichever lab is graded


def test_who_has_handed_in_is_known_without_the_roster(desk):
    (desk / "roster.csv").write_text("student\nann\nbob\ncat\n")
    people.graded(desk, "dan", lab=NEXT)
    assert "dan" in rules.beside(store.SUBMISSIONS)[0][LAB]["excused"]


@pytest.mark.parametrize("excused", ["{ann: 1}", "[[ann]]", "['']"])
def test_excused_is_a_list_of_students(desk, excused):
    (desk / "course.yaml").write_text(f"labs: {{{LAB}: {{excused: {excused}}}}}")
    with pytest.raises(store.StoreError, match=f"{LAB}: excused must be a list of students"):
        rules.beside(store.SUBMISSIONS)


def test_groups_that_are_one_but_for_their_spelling(desk):
    (desk / "roster.csv").write_text("student,group\nann,Team 1\nbob,team-1\n")
    with pytest.raises(store.StoreError, match="the groups Team 1 and team-1 are one but for how they are written"):
        roster.read(desk / "roster.csv")
    (desk / "roster.csv").write_text("student,group\nann,Green\nbob,Green\ncat,Gren\ndan,Team 1\neve,Team 2\n")
    students = roster.read(desk / "roster.csv")
    assert rules.nearly_alike(students) == ["the group Gren of the roster has one student: is it Green?"]


@pytest.mark.parametrize(
    "text, name",
    [
        ("Doe, Jane", "Jane Doe"),
        ("Jane Doe", "Jane Doe"),
        ("doejane", ""),
        ("jd77@uni.edu", ""),
        ("García Márquez, José", "José García Márquez"),
        ("Doe, Jane, MD", "Doe, Jane, MD"),
        ("", ""),
    ],
)
def test_a_name_as_people_write_it(text, name):
    assert names.turned(text) == name
