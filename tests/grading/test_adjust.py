"""A person has the last word: what is adjusted counts in every report, until it is cleared; nothing is lost."""

import json
import shlex
import zipfile
from pathlib import Path

import people
import pytest
from rich.console import Console

from course_lib import cli
from course_lib.grading.lms import gradescope, worksheet
from course_lib.grading.people import gradebook
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.reports import feedback, page, stats
from course_lib.grading.reports.review import handed_in, queue
from course_lib.grading.scoring import grade

LAB = people.LAB  # surprise and entropy of 0.75 points, written_1 and written_2 of 0.25
CANVAS = "Student,ID,Lab 00 (7)\nPoints Possible,,2\nAda Lovelace,1,\nben,2,\ncleo,3,1\neve,4,\n"
WHY = ["--reason", "=half <b>right</b>; shown in class"]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """ada has 1 of 1.75 points and a mark of 0.25, ben's file is no notebook, cleo has all of it, eve handed in
    nothing.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    failed = people.case("the core", "fail", message="the surprise: yours is 5, expected 6")
    surprise = people.question("surprise", [failed, people.case("b"), people.case("c")])
    right = people.question("entropy", [people.case("a"), people.case("b"), people.case("c")])
    texts = [people.written("written_1", "because"), people.written("written_2", "so")]
    sha, _ = people.graded(tmp_path, "ada", [surprise, right, *texts])
    about = {"student": "ada", "submission_sha": sha, "comment": "", "by": "me", "at": 1.0}
    marks.append(LAB, about | {"question": "written_1", "score": 0.25})
    people.graded(tmp_path, "ben", status="ungradable", reason="it is a picture")
    people.graded(tmp_path, "cleo", [right | {"id": "surprise"}, right, *texts])
    (tmp_path / "roster.csv").write_text("student,name\nada,Ada Lovelace\nben,\ncleo,\neve,\n")
    return tmp_path


def adjust(*arguments):
    return cli.main(["adjust", LAB, *arguments])


def row(student):
    return next(r for r in gradebook.rows(LAB) if r["student"] == student)


def table():
    console = Console(width=300)
    with console.capture() as caught:
        console.print(grade.table(LAB, gradebook.rows(LAB), {}))
    lines = caught.get().splitlines()
    found = {line.split()[1]: line for line in lines if line.startswith("│")}
    return {
        name: line + "".join(said for said in lines if said.startswith(f"{name}: ")) for name, line in found.items()
    }


def pages():
    return {student: path.read_text() for student, path in feedback.write(LAB, "pages", text=True)}


def canvas():
    store.write_atomic("mine.csv", CANVAS.encode())
    data, notes = worksheet.fill("mine.csv", LAB, "canvas", gradebook.rows(LAB))
    return {
        line.split()[0].split(",")[0].lower(): line.split(",")[2] for line in data.decode().splitlines()[2:]
    }, "\n".join(notes)


def on_gradescope(student):
    data, notes = gradescope.shown_grades(LAB, gradebook.rows(LAB))
    store.write_atomic("shown.zip", data)
    grades = json.loads(zipfile.ZipFile("shown.zip").read("autograder.json"))["grades"]
    return grades[row(student)["sha"]][0]["results"], "\n".join(notes)


def test_points_for_a_question_count_in_every_report(desk, capsys):
    assert (row("ada")["final"], row("ada")["pending"]) == (1.0, 0.25)
    assert adjust("ada", "--question", "surprise", "--points", "0.5", *WHY, "--by", "anna") == 0
    assert "ada: surprise: 0.5 points by a person, 0 before" in (said := capsys.readouterr().out)
    assert "1 of 2 before, 1.5 of 2 now" in said
    assert (row("ada")["score"], row("ada")["max"], row("ada")["final"], row("ada")["out_of"]) == (1.5, 1.75, 1.5, 2.0)
    assert "✎ surprise: 0.5 points by a person" in table()["ada"] and "× fail" not in table()["ada"]
    assert canvas()[0]["ada"] == "1.5" and "1 adjusted by a person: ada (surprise)" in canvas()[1]
    made, _ = on_gradescope("ada")
    assert made["tests"][0]["score"] == 0.5 and "Set by a person (before: 0): =half <b>" in made["tests"][0]["output"]
    assert cli.main(["export", LAB]) == 0
    line = next(text for text in capsys.readouterr().out.splitlines() if text.startswith("ada"))
    assert "surprise: 0.5 points by a person, 0 before (=half <b>right</b>; shown in class)" in line and ",1.5," in line
    found = stats.summary(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    assert found["adjusted"] == {"surprise": 1} and found["questions"][0]["statuses"] == {"adjusted": 1, "pass": 1}
    assert "1 × surprise" in stats.headline(LAB, found)
    assert cli.main(["audit", LAB, "--html", "audit.html"]) == 0
    assert "ada, surprise: 0.5 points, by anna: =half" in capsys.readouterr().out
    assert "=half &lt;b&gt;right&lt;/b&gt;" in (desk / "audit.html").read_text()
    text = pages()["ada"]
    assert "The first check" not in text, "of a question that has points now"
    assert "0.5 of 0.75 points" in text and "Set by a person (before: 0)" in text and "<b>right" not in text


def test_the_whole_lab_is_the_last_word_late_or_not(desk, capsys):
    (desk / "policy.yaml").write_text(
        f"timezone: UTC\npercent_a_day: 10\nlabs: {{{LAB}: {{deadline: 1969-12-31 18:00}}}}\n"
    )
    assert row("ada")["final"] == 0.9
    assert adjust("ada", "--question", "entropy", "--percent", "50", *WHY) == 0 and row("ada")["final"] == 0.5625
    assert adjust("ada", "--percent", "90", *WHY) == 0
    now = row("ada")
    assert (now["score"], now["max"], now["pending"], now["penalty"], now["final"]) == (1.8, 2.0, 0, 0, 1.8)
    assert canvas()[0]["ada"] == "1.8" and "1.80" in table()["ada"] and on_gradescope("ada")[0]["score"] == 1.8
    text = pages()["ada"]
    assert "1.8 of 2 points" in text and "Set by a person (before: 0.5625): =half" in text and "day late" not in text
    assert adjust("ada", "--clear", "--reason", "a slip") == 0 and row("ada")["final"] == 0.5625
    assert adjust("ada", "--question", "entropy", "--clear", "--reason", "a slip") == 0 and row("ada")["final"] == 0.9
    assert [line["kind"] for line in adjustments.history(LAB)] == ["percent", "percent", "clear", "clear"]


def test_work_that_no_machine_could_grade_is_graded_by_hand(desk):
    look = lambda: [q for q in queue.queue(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS), b"k")["questions"]]
    assert look()[-1]["id"] == handed_in.LOOK and row("ben")["final"] is None
    assert adjust("ben", "--question", "surprise", "--excused", *WHY) == 0
    assert (row("ben")["final"], row("ben")["status"]) == (None, "ungradable"), "an excuse gives no points"
    assert adjust("ben", "--question", "entropy", "--points", "0.5", *WHY) == 0
    ben = row("ben")
    assert (ben["status"], ben["score"], ben["pending"], ben["final"]) == ("by hand", 0.5, 0.5, 0.8)
    assert look()[-1]["id"] == handed_in.LOOK, "the rest is still to be read"
    assert [len(q["order"]) for q in look()[:2]] == [2, 2], "and is no text that waits for a mark"
    assert "0.5 of 0.75 points, and 0.5 more still to be read" in pages()["ben"] and "excused" in pages()["ben"]
    assert adjust("ben", "--points", "1", *WHY) == 0
    assert (row("ben")["status"], row("ben")["final"], canvas()[0]["ben"]) == ("by hand", 1.0, "1")
    assert on_gradescope("ben")[0]["score"] == 1.0 and look()[-1]["id"] != handed_in.LOOK
    found = stats.summary(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    assert found["graded"] == 3 and found["without"] == {} and "by hand" in table()["ben"]


def test_excused_is_no_zero_and_no_grade(desk):
    assert adjust("cleo", "--excused", *WHY) == 0
    cleo = row("cleo")
    assert (cleo["status"], cleo["score"], cleo["final"], cleo["pending"]) == ("excused", None, None, None)
    cells, notes = canvas()
    assert cells["cleo"] == "EX" and "1 excused" in notes and cells["eve"] == ""
    assert "Excused: this lab counts nowhere." in pages()["cleo"] and "excused" in table()["cleo"]
    made, _ = on_gradescope("cleo")
    assert "score" not in made and made["output"].startswith("Not graded: Excused by a person: =half")
    found = stats.summary(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    assert found["without"] == {"ungradable": 1, "excused": 1}
    store.write_atomic("mine.csv", CANVAS.replace("cleo,3,1", "cleo,3,EX").encode())
    assert "0 of them" not in "\n".join(worksheet.fill("mine.csv", LAB, "canvas", gradebook.rows(LAB))[1])


def test_a_question_that_is_excused_weighs_as_the_others_do(desk):
    assert adjust("ada", "--question", "surprise", "--excused", *WHY) == 0
    ada = row("ada")
    assert (ada["score"], ada["max"], ada["pending"], ada["out_of"]) == (1.0, 1.0, 0.25, 2.0)
    assert ada["final"] == pytest.approx(1.0 * 2 / 1.25) and canvas()[0]["ada"] == "1.6"
    made, _ = on_gradescope("ada")
    assert made["score"] == 1.6 and "score" not in made["tests"][0] and made["tests"][0]["output"].startswith("Excused")
    assert "counts as 1.6 of 2 points" in pages()["ada"]


def test_who_handed_in_nothing_may_have_points(desk, capsys):
    assert adjust("eve", "--question", "entropy", "--points", "0.5", *WHY) == 0
    assert "eve has no grade in 00_start_here yet (not handed in)" in capsys.readouterr().out
    assert row("eve")["final"] is None
    assert adjust("eve", "--points", "1.5", *WHY) == 0
    assert row("eve")["final"] == 1.5 and canvas()[0]["eve"] == "1.5" and "1.5 of 2 points" in pages()["eve"]
    assert "1 with points but nothing handed in" in on_gradescope("ada")[1] and "eve" in table()
    assert cli.main(["audit", LAB]) == 0 and cli.main(["similarity", LAB]) == 0


def test_never_more_than_the_maximum_without_bonus(desk, capsys):
    assert adjust("cleo", "--question", "surprise", "--points", "1", *WHY) == 2
    assert "surprise has 0.75 points; give at most 0.75, or --bonus" in capsys.readouterr().err
    assert adjust("cleo", "--percent", "101", *WHY) == 2 and not adjustments.path_of(LAB).exists()
    assert adjust("cleo", "--question", "surprise", "--points", "1", "--bonus", *WHY) == 0
    assert (row("cleo")["score"], canvas()[0]["cleo"]) == (1.75, "1.75")
    line = adjustments.history(LAB)[0] | {"bonus": False}
    adjustments.append(LAB, line)
    assert row("cleo")["score"] == 1.5, "nor where a question's points have become fewer since"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["adda", "--points", "1", *WHY], "no student 'adda' in 00_start_here, did you mean ada (Ada Lovelace)?"),
        (["Lovelace, Ada", "--points", "1", *WHY], "did you mean ada (Ada Lovelace)?"),
        (
            ["ada", "--question", "suprise", "--points", "0", *WHY],
            "did you mean surprise?; questions: surprise, entropy",
        ),
        (["ada", "--points", "-1", *WHY], "--points -1: a number from 0 to 2"),
        (["ada", "--percent", "nan", *WHY], "a number from 0 to 100 %"),
        (["ada", "--points", "1"], "--reason is missing"),
        (["ada", "--points", "1", "--reason", " "], "--reason is missing"),
        (["ada"], "say what: --points N"),
        (["ada", "--clear", *WHY], "nothing of ada is adjusted in the whole of 00_start_here"),
    ],
)
def test_what_makes_no_sense_is_one_line(desk, capsys, arguments, words):
    assert adjust(*arguments) == 2
    assert words in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert not adjustments.path_of(LAB).exists()


def test_a_lab_that_is_none_and_a_decimal_comma(desk, capsys):
    assert cli.main(["adjust", "00_start", "ada", "--points", "1", *WHY]) == 2
    assert "there is no lab '00_start', did you mean 00_start_here?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        adjust("ada", "--points", "1,5", *WHY)
    assert "'1,5' is no number, did you mean 1.5?" in capsys.readouterr().err


def test_cut_off_at_any_byte_nothing_is_lost_and_nothing_doubled(desk):
    assert adjust("ada", "--points", "1.5", *WHY) == 0
    path = adjustments.path_of(LAB)
    first = path.read_bytes()
    assert adjust("ada", "--points", "1.25", *WHY) == 0 and adjust("ada", "--points", "1.25", *WHY) == 0
    both = path.read_bytes()
    assert both.count(b"\n") == 2, "the same again is not written again"
    for end in range(len(first), len(both) + 1):
        path.write_bytes(both[:end])
        whole = end >= len(both) - 1
        assert adjustments.read(LAB)[0]["ada"][None]["value"] == (1.25 if whole else 1.5)
        adjustments.append(LAB, json.loads(first) | {"value": 0.5})
        assert [line["value"] for line in adjustments.history(LAB)] == [1.5, *([1.25] if whole else []), 0.5]
    path.write_bytes(b'[]\n{"student": 1}\n{"student": "ada", "question": null, "kind": "points", "value": -1}\n')
    assert adjustments.history(LAB) == []


def test_a_newer_hand_in_is_named(desk):
    assert adjust("ada", "--points", "1.5", *WHY) == 0
    again = [people.question("surprise", [people.case("a")] * 3), people.question("entropy", [people.case("a")] * 3)]
    people.graded(desk, "ada", again, cells=["# again"])
    newest = max((desk / "submissions" / LAB / "ada").glob("*/meta.json"), key=lambda p: p.stat().st_mtime_ns)
    store.write_json(newest, json.loads(newest.read_text()) | {"received": 9.0})
    assert row("ada")["final"] == 1.5 and row("ada")["sha"] == newest.parent.name
    assert "given for an earlier hand-in" in adjustments.words(row("ada")["adjusted"][None], row("ada")["sha"])


def test_comments_marks_and_the_core_rule_are_on_the_page(desk):
    evil = "Come & see me\n<script>alert(1)</script>\u202e"
    assert adjust("ada", "--comment", evil) == 0
    assert adjust("ada", "--question", "entropy", "--comment", "neat", "--by", "anna") == 0
    assert adjust("ben", "--question", "entropy", "--comment", "send it again") == 0
    text = pages()["ada"]
    assert "Come &amp; see me\n&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]" in text and "neat" in text
    assert text.count("Comment to you") == 2 and text.count("The first check is the core") == 1
    assert text.count("Why a failed first check gives 0 points") == 1
    level = people_rubric("written_1", 0.25)
    assert page.escape(level) in text and "What earns these points" in text
    assert "entropy: send it again" in pages()["ben"] and "The first check" not in pages()["cleo"]
    plain = next(p for p in (desk / "pages").glob("*.txt") if "neat" in p.read_text()).read_text()
    assert "Comment to you" in plain and "The first check is the core" in plain and level in plain
    made, _ = on_gradescope("ada")
    assert "Comment to you: neat" in made["tests"][1]["output"] and row("ada")["final"] == 1.0
    assert made["output"].startswith("Comment to you: Come & see me")
    assert adjust("ada", "--comment", "") == 0 and pages()["ada"].count("Comment to you") == 1


def people_rubric(name, points):
    from course_lib.grading.reports import rubric
    from course_lib.questions import core

    definition = next(q for q in core.questions_of(LAB) if q.id == name)
    return rubric.told(definition.rubric, definition.points)[points]


def test_the_commands_of_the_instructors_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roster.csv").write_text("student\nann\nben\neve\n")
    text = (Path(__file__).parents[2] / "INSTRUCTORS.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("course adjust ")]
    assert len(lines) == 5 and all(cli.main(shlex.split(line)[1:]) == 0 for line in lines)
    lab = "02_pretraining"
    assert [row["status"] for row in gradebook.rows(lab)] == ["not handed in", "by hand", "excused"]
    assert len(adjustments.history(lab)) == 5
