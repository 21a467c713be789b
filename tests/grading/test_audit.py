import classroom
import pytest
from people import LAB, case, graded, question

from course_lib.grading.records import store
from course_lib.grading.reports import audit, page
from course_lib.grading.scoring import signs

CHEAT = "import torch\nx = 1\ntorch.allclose = lambda *a: True  # <script>alert(1)</script>\nopen('/proc/self/maps')"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """mallory patches torch and reaches for the grader, ben's log does not replay, ada is honest."""
    monkeypatch.chdir(tmp_path)
    done = [question("surprise", [case("the sum of log n over the choices, in nats")])]
    graded(tmp_path, "ada", done)
    sha, _ = graded(tmp_path, "ben", done)
    cells = [(n, "code", source) for n, source in enumerate(["", "# mallory", CHEAT])]
    graded(
        tmp_path,
        "mallory",
        done,
        cells=[CHEAT],
        flags=signs.static_flags(cells, []) + [{"kind": "forged reply", "evidence": "[red]<img src=x>\u202e"}],
        log_tail="evil log",
    )
    for who, what in (("ben", sha), ("ben", "another submission"), ("ada", "x")):
        store.append_line(
            store.Path(store.GRADES, LAB, "replay.jsonl"),
            {
                "student": who,
                "submission_sha": what,
                "kind": "log does not replay",
                "evidence": "step 3: 2.1, replayed 9.9",
            },
        )
    return tmp_path


def test_all_flags_with_their_lines(course):
    found = audit.entries(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    assert [(e["student"], e["kind"]) for e in found if e["student"] != "mallory"] == [("ben", "log does not replay")]
    lines = {e["kind"]: e["lines"] for e in found if e["student"] == "mallory"}
    assert (
        lines["patched library"] == [(2, 3, CHEAT.split("\n")[2])]
        and lines["reaches for the grader"] == [(2, 4, CHEAT.split("\n")[3])]
        and lines["forged reply"] == []
    )
    assert audit.by_kind(found)[0][1:] == (1, 1)


def test_a_flag_changes_no_score(course, capsys):
    store.secret()  # made at first use, also by whoever only reads
    before = {p: p.read_bytes() for p in course.rglob("*") if p.is_file()}
    scores = {row["student"]: row["score"] for row in page.rows_of(LAB, store.GRADES, store.SUBMISSIONS)}
    assert audit.main([LAB, "--html", "audit.html"]) == 0
    assert set(scores.values()) == {0.25} and before == {
        p: p.read_bytes() for p in course.rglob("*") if p.is_file() and p.name != "audit.html"
    }
    out, text = capsys.readouterr().out, (course / "audit.html").read_text()
    assert (
        "⚑ patched library" in out
        and "[2:3] torch.allclose" in out
        and "[red]<img src=x>[U+202E]" in out
        and "flags of 2 of 3 students" in out
    )
    assert (
        "<script" not in text
        and "<img" not in text
        and "evil log" in text
        and "log does not replay" in text
        and "0.25 of 0.25 points" in text
    )


def test_similar_code_is_a_flag_for_both(course):
    for student in ("cleo", "dora"):
        graded(course, student, cells=[source for source in classroom.right_answers("02_pretraining").values()])
    found = audit.entries(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    assert {
        e["student"]: "dora" in e["evidence"] or "cleo" in e["evidence"] for e in found if e["kind"] == "similar code"
    } == {"cleo": True, "dora": True}


@pytest.mark.parametrize(
    "evidence, lines",
    [
        ("cell 0: check is redefined", [(0, 2, "check = 2")]),
        ("surprise, cell 0: a", [(0, 1, "a = 1")]),
        ("cell 0 has 9 letters", [(0, 1, "a = 1"), (0, 2, "check = 2")]),
        ("cell 9: a", []),
        ("no cell calls check", []),
        ("cell 99999999999999999999: a", []),
    ],
)
def test_lines_of_an_evidence(evidence, lines):
    assert audit.source_lines([(0, "code", "a = 1\ncheck = 2\n")], evidence) == lines


def test_no_flags(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    graded(tmp_path, "ada", [question("surprise", [case("x")])])
    assert audit.main([LAB]) == 0 and "0 flags of 0 of 1 student." in capsys.readouterr().out


@pytest.mark.parametrize("lab, words", [("99_nothing", "there is no lab"), (LAB, "no submissions of")])
def test_no_class_is_one_line(tmp_path, monkeypatch, lab, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.StoreError, match=words):
        audit.main([lab])
