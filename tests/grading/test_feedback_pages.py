import csv
import re

import classroom
import pytest
from people import LAB, case, graded, question, written

from course_lib.grading.records import marks, store
from course_lib.grading.reports import feedback, hand_back, phrases

# Each call carries its hidden input out another way: in an exception's text, in its class's name, in what it prints, in
# the value that comes back, in words like the grader's own.
THIEF = """import math, torch
from course_lib.questions import wire
def surprise(options):
    print("STOLEN", options, flush=True)
    raise type("Stolen" + "_".join(map(str, options)), (Exception,), {})("STOLEN " + repr(options))
def entropy(probs):
    print("STOLEN", probs, flush=True)
    if 0.0 in probs:
        raise wire.NotPlain("the surprise of STOLEN %r: yours is 1, expected 2" % probs)
    return "STOLEN" + str(probs) if len(set(probs)) == 1 else -sum(p * math.log(p) for p in probs)
"""


def pages(root, **more):
    return {
        student: (path.read_text(), path)
        for student, path in feedback.write(
            LAB, root / "out", grades=root / "grades", submitted=root / "submissions", **more
        )
    }


def test_hidden_inputs_stay_hidden(zygote, tmp_path):
    for student in ("zeno1", "zeno2"):  # other submissions, so other hidden inputs
        result = classroom.grade_here(
            tmp_path,
            student,
            classroom.notebook(
                classroom.sources(
                    {}, LAB, before=["print('cells may print')"], after=[f"# {student}", THIEF], checks=False
                )
            ),
            lab=LAB,
            spawn=zygote.spawn,
        )
        assert [[c["status"] for c in q["cases"]] for q in result["questions"][:2]] == [
            ["error"] * 4,
            ["pass", "fail", "fail", "pass"],
        ]
    told = {student: text.replace(student, "") for student, (text, _) in pages(tmp_path, text=True).items()}
    assert told["zeno1"] == told["zeno2"], "whatever depends on the hidden inputs is not on the page"
    assert "STOLEN" not in told["zeno1"].upper().replace("STOLEN_", "STOLEN")
    assert told["zeno1"].count("What went wrong") == 3
    if "log_cells" in result:
        assert "cells may print" in told["zeno1"]


@pytest.mark.parametrize(
    "status, message, words",
    [
        (
            "fail",
            "the surprise of [2, 7]: yours is 3.2, expected 4.1",
            "the surprise of …: the values are not the expected ones",
        ),
        (
            "fail",
            "the surprise: 2 of 7 values differ; first at [3]: yours 1, expected 2",
            "the surprise: the values are not the expected ones",
        ),
        ("fail", "the entropy: the shape is [4, 2], expected [4, 3]", "the entropy: the shape is not the expected one"),
        ("fail", "my own words: the shape is [4, 2], expected [4, 3]", "the shape is not the expected one"),
        ("fail", "your function changed the inputs in place", "your function changed … in place"),
        ("fail", "no gradient reaches argument 0", "no gradient reaches argument …"),
        (
            "fail",
            "softmax is what you are asked to write: this exercise may not call it",
            "… is what you are asked to write: this exercise may not call it",
        ),
        ("fail", "0x4f2a", "the result is not what was asked for"),
        ("error", "ValueError: 0x4f2a (line 3: x = 0x4f2a)", "it stopped with a ValueError"),
        ("error", "Stolen_4_2: x", "it stopped with an error"),
        ("error", "ValueErrorStolen: x", "it stopped with an error"),
        ("timeout", "it took too long and was stopped", "it took too long and was stopped"),
        (
            "timeout",
            "not run: the submission has used up its time",
            "not run: your code had used up its time or stopped the grader too often",
        ),
        ("killed", "the process died (SIGKILL)", "the process died"),
        (
            "missing",
            "there is no surprise here; cells that stopped: 3: ZeroDivisionError",
            "no function of this name was found after running your cells",
        ),
    ],
)
def test_messages_are_reduced_to_their_kind(status, message, words):
    assert phrases.reduced(status, message, LAB) == words


def test_every_named_mistake_hint_and_section_of_the_lab_is_told():
    import tally  # classroom knows where

    n = 0
    for q, kind, _, source, _ in tally.entries((LAB,)):
        for c in tally.verdict(q, source, "seed").cases if kind == "wrong" else []:
            for text in (c.mistake, c.hint, c.reread):
                assert not text or phrases.known(text, LAB) == text
                n += bool(text)
    assert n > 20


def test_a_page_says_what_failed_why_and_where_to_read(tmp_path):
    failed = case(
        "the sum of log n over the choices, in nats",
        "fail",
        message="the surprise of [2, 3]: yours is 1, expected 2",
        mistake="the result is in bits: math.log2 was used. Nats need the natural logarithm",
        reread="§ 3 Surprise",
    )
    other = case(
        "a long document: 500 choices of 40; the list is left alone",
        "fail",
        message="the surprise: yours is 5, expected 6",
        hint="p = 1, and log 1 = 0.",
    )
    model = {
        "id": "pretrained_model",
        "score": 1.0,
        "max": 2.0,
        "status": "fail",
        "cases": [case("the handed-in model", "fail", message="3.1 % above the limit")],
        "message": "",
        "flags": [],
    }
    sha, _ = graded(
        tmp_path,
        "ada",
        [
            question("surprise", [failed, other]),
            question("entropy", [case("the mean surprise, −Σ p log p, in nats"), other]),
            model,
            written("written_1", "Because <b>so</b>."),
            written("written_2", "x"),
        ],
        cells_stopped={"4": "ZeroDivisionError: division by zero"},
        log_cells="printed by a cell\n",
        log_tail="STOLEN in a call",
    )
    marks.append(
        LAB,
        {
            "student": "ada",
            "submission_sha": sha,
            "question": "written_1",
            "score": 0.25,
            "comment": "well put & short",
            "by": "anna",
            "at": 1.0,
        },
        tmp_path / "grades",
    )
    text, path = pages(tmp_path, text=True)["ada"]
    for words in (
        "This looks like:</b> the result is in bits",
        "Re-read:</b> § 3 Surprise",
        "the surprise of …: the values are not",
        "cell 4: ZeroDivisionError: division by zero",
        "printed by a cell",
        "Because &lt;b&gt;so&lt;/b&gt;.",
        "well put &amp; short",
        "not read yet, 0.25 points",
        "and 0.25 more still to be read",
        "Hint:</b> p = 1, and log 1 = 0.",
        "Costs:</b> half of the points",
    ):
        assert words in text, words
    assert "STOLEN" not in text and "expected 2" not in text and "[2, 3]" not in text
    assert text.count("Hint:") == 1, "while the first case fails, the others' hints mislead"
    plain = path.with_suffix(".txt").read_text()
    assert "✗ the sum of log n over the choices, in nats: not passed" in plain and "Comment: well put & short" in plain


def test_hostile_text_is_escaped_and_capped(tmp_path):
    evil = "</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>\u202e" + "A" * 30_000
    student = "<b onmouseover=alert(1)>"
    graded(
        tmp_path,
        "mallory",
        [written("written_1", evil)],
        log_cells=evil,
        cells_stopped={evil[:8]: evil, **{str(k): evil for k in range(100)}},
        notes=[evil] * 50,
    )
    graded(tmp_path, student, status="ungradable", reason=evil)
    for text, _ in pages(tmp_path).values():
        assert len(text) < 120_000 and "\u202e" not in text
        assert set(re.findall(r"<\s*/?\s*(\w+)", text)) <= {
            "doctype",
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "h1",
            "h2",
            "h3",
            "p",
            "section",
            "span",
            "ul",
            "li",
            "div",
            "b",
            "pre",
            "code",
        }
        assert "onmouseover=alert(1)>" not in text.replace("&gt;", "") and "default-src 'none'" in text


def test_names_of_files_tell_nobody_and_stay_the_same(tmp_path):
    for student in ("ada", "=cmd|x"):
        graded(tmp_path, student, [question("surprise", [case("the sum of log n over the choices, in nats")])])
    first = {student: path.name for student, (_, path) in pages(tmp_path).items()}
    assert first == {student: path.name for student, (_, path) in pages(tmp_path).items()}
    assert all(re.fullmatch(r"[0-9a-f]{32}\.html", name) for name in first.values()) and len(set(first.values())) == 2
    rows = list(csv.DictReader((tmp_path / "out" / "mapping.csv").read_text().splitlines()))
    assert {row["student"]: row["file"] for row in rows} == {"ada": first["ada"], "'=cmd|x": first["=cmd|x"]}
    (tmp_path / "grades" / ".secret").write_text("f" * 64 + "\n")
    assert not set(first.values()) & {path.name for _, path in pages(tmp_path).values()}


def test_no_grade_is_no_zero(tmp_path):
    graded(tmp_path, "ada", [question("surprise", [case("the sum of log n over the choices, in nats")])])
    graded(tmp_path, "ben", status="ungradable", reason="the notebook file is empty")
    classroom.hand_in(tmp_path, "cleo", classroom.notebook(["x = 1"]), lab=LAB)
    made = pages(tmp_path)
    assert "could not be graded: the notebook file is empty" in made["ben"][0] and "Not graded yet" in made["cleo"][0]
    assert not any(re.search(r"\b0 of", made[student][0]) for student in ("ben", "cleo"))


@pytest.mark.parametrize("lab, words", [("99_nothing", "there is no lab"), (LAB, "no submissions of")])
def test_nothing_to_tell_is_one_line(tmp_path, monkeypatch, lab, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.StoreError, match=words):
        hand_back.main([lab])
    assert not (tmp_path / "feedback").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graded(tmp_path, "ada", [question("surprise", [case("x")])])
    (tmp_path / "file").write_text("")
    with pytest.raises(store.StoreError, match="give another folder"):
        hand_back.main([LAB, "-o", "file/inside"])


@pytest.mark.parametrize("failing, said", [([], 0), ([3], 0), ([2, 3], 1), ([0], 1)])
def test_one_unlucky_edge_is_no_sign_that_an_answer_passes_only_in_the_notebook(failing, said):
    from course_lib.grading.scoring import signs

    cases = [case(str(k), "fail" if k in failing else "pass") for k in range(4)]
    notes, flags = signs.stale([question("surprise", cases)], {"surprise"})
    assert len(notes) == len(flags) == said
