"""What hands the pages out: the zips that Canvas and Moodle take up, by the names that they gave; and mail merge."""

import csv
import re
import zipfile
from pathlib import Path

import people
import pytest
from handins import book, lms, metas

from course_lib import cli
from course_lib.grading.records import store

LAB = "02_pretraining"
ROSTER = (
    'student,name,email\njane,Jane Doe,jane@uni.edu\njose,"García Márquez, José",jose@uni.edu\n'
    '"=cmd",=SUM(1),+1@uni.edu\nkim,Kim Lee,\n'
)
CANVAS = {"doejane_12345_67890_02.ipynb": book("jane"), "garcíamárquezjosé_LATE_12346_67891_02-1.ipynb": book("jose")}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def graded(desk, *students):
    """Results of the hand-ins that were collected."""
    for student, sha, _, _ in store.submissions(LAB, desk / "submissions"):
        if student in students:
            question = people.question("surprise", [people.case("a")])
            result = {
                "schema": store.SCHEMA, "lab": LAB, "student": student, "submission_sha": sha, "status": "graded",
                "spec_sha": store.spec_sha(LAB), "questions": [question], "flags": [],
            }  # fmt: skip
            store.write_json(store.result_path(LAB, student, sha, store.spec_sha(LAB), desk / "grades"), result)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def for_canvas(name):
    """(user id, attachment id) as Canvas reads them: the first two parts that are numbers."""
    return tuple(part for part in name.split("_") if part.isdigit())[:2]


def test_canvas_finds_each_page_by_the_names_of_its_own_download(desk, capsys):
    lms(desk, "submissions.zip", CANVAS, ROSTER)
    lms(desk, "again.zip", {"doejane_12345_77777_02-2.ipynb": book("jane, again")})
    (desk / "kim.ipynb").write_text(book("by mail"))
    lms(desk, "kim.ipynb", None)
    graded(desk, "jane", "jose", "kim")
    assert cli.main(["feedback", LAB, "--to", "canvas"]) == 0
    found = members(desk / "feedback" / LAB / "canvas.zip")
    assert set(found) == {f"doejane_12345_77777_{LAB}.html", f"garcíamárquezjosé_LATE_12346_67891_{LAB}.html"}
    assert {for_canvas(name) for name in found} == {("12345", "77777"), ("12346", "67891")}
    assert "Jane Doe" in found[f"doejane_12345_77777_{LAB}.html"] and "José García Márquez" in str(found.values())
    said = capsys.readouterr().out
    assert "canvas.zip: 2 of them" in said and "1 without a hand-in that came from Canvas, left out: kim" in said
    assert (desk / "feedback" / LAB / "canvas.zip").stat().st_mode & 0o077 == 0


def test_the_same_file_in_a_later_download_has_its_newer_name(desk):
    lms(desk, "submissions.zip", CANVAS, ROSTER)
    before = metas(desk, "jane")
    lms(desk, "again.zip", {"doejane_12345_77777_02-2.ipynb": book("jane")})
    assert [meta["back"] for meta in before + metas(desk, "jane")] == [
        {"canvas": "doejane_12345_67890_"},
        {"canvas": "doejane_12345_77777_"},
    ]
    assert before[0] | {"back": 0} == metas(desk, "jane")[0] | {"back": 0}


@pytest.mark.parametrize("between", ["/", "_"])
def test_moodle_finds_each_page_by_its_participants_number(desk, between, capsys):
    zipped = {f"Jane Doe_71_assignsubmission_file{between}02.ipynb": book("jane")}
    zipped |= {f"José García Márquez_assignsubmission_file{between}02.ipynb": book("jose")}  # of a team assignment
    lms(desk, "moodle.zip", zipped, ROSTER)
    graded(desk, "jane", "jose")
    assert cli.main(["feedback", LAB, "--to", "moodle"]) == 0
    (name,) = members(desk / "feedback" / LAB / "moodle.zip")
    assert name == f"Jane Doe_71_assignsubmission_file_/{LAB}.html"
    assert re.match(r"[^_/]+_(\d+)_assignsubmission_file_", name)[1] == "71", "as Moodle splits it, of every version"
    assert "1 without a hand-in that came from Moodle with a participant's number" in capsys.readouterr().out


def test_a_page_of_a_team_is_nobody_s_own(desk):
    roster = "student,name,group\nann,Ann Lee,Blue\nbob,Bob Ray,Blue\n"
    lms(desk, "moodle.zip", {"Blue_7101_assignsubmission_file/02.ipynb": book("blue")}, roster)
    assert [meta["back"] for student in ("ann", "bob") for meta in metas(desk, student)] == [{}, {}]


def test_mail_merge(desk, capsys):
    lms(desk, "submissions.zip", CANVAS, ROSTER)
    for name in ("=cmd.ipynb", "kim.ipynb"):
        (desk / name).write_text(book(name))
        lms(desk, name, None, source="files")
    graded(desk, "jane", "jose", "kim")
    assert cli.main(["feedback", LAB, "--to", "mail", "--text"]) == 0
    rows = list(csv.DictReader((desk / "feedback" / LAB / "mail.csv").read_text().splitlines()))
    told = [(row["name"], row["email"], row["points"], row["of"]) for row in rows]
    assert ("Jane Doe", "jane@uni.edu", "0.25", "0.25") in told
    assert ("José García Márquez", "jose@uni.edu", "0.25", "0.25") in told
    assert all(row["page"].startswith(str(desk)) and row["text"].endswith(".txt") for row in rows)
    pages = {row["email"]: Path(row["page"]).read_text() for row in rows}
    assert "Jane Doe" in pages["jane@uni.edu"] and Path(rows[0]["text"]).exists()
    assert ("'=SUM(1)", "'+1@uni.edu", "", "") in told, "no cell is a formula, and no grade is no 0"
    assert "1 without an address in the roster, left out: kim" in capsys.readouterr().out


def test_a_login_is_no_name(desk):
    lms(desk, "submissions.zip", CANVAS, None)  # no roster
    (desk / "roster.csv").write_text('student,email\ndoejane_12345,jane@uni.edu\n"Lee, Kim",kim@uni.edu\n')
    graded(desk, "doejane_12345")
    assert cli.main(["feedback", LAB, "--to", "mail"]) == 0
    (row,) = csv.DictReader((desk / "feedback" / LAB / "mail.csv").read_text().splitlines())
    assert (row["name"], row["email"]) == ("", "jane@uni.edu")


def test_canvas_own_gradebook_as_the_roster_gives_names(desk):
    text = 'Student,ID,SIS Login ID,Section\n    Points Possible,,,\n"Doe, Jane",12345,jdoe@uni.edu,A\n'
    lms(desk, "submissions.zip", {"doejane_12345_67890_02.ipynb": book("jane")}, text)
    graded(desk, "Doe_ Jane")
    assert cli.main(["feedback", LAB, "--to", "mail"]) == 0  # the login is an address
    (row,) = csv.DictReader((desk / "feedback" / LAB / "mail.csv").read_text().splitlines())
    assert (row["name"], row["email"]) == ("Jane Doe", "jdoe@uni.edu")
    assert cli.main(["feedback", LAB, "--to", "moodle"]) == 2 and not (desk / "feedback" / LAB / "moodle.zip").exists()
    (page,) = (desk / "feedback" / LAB).glob("*.html")
    assert f"<h1>{LAB}: Jane Doe</h1>" in page.read_text()
