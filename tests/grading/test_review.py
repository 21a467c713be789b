import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from people import LAB, graded, written
from readers import ask, serving

from course_lib.grading.records import marks, store
from course_lib.grading.reports import page, rubric
from course_lib.grading.reports.review import handed_in
from course_lib.grading.reports.review import queue as review_queue
from course_lib.grading.reports.review import server as review

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & \u202egnp.exe\u202c "
    "</textarea>"
)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A class of 12 with two written answers each, one of them empty and one hostile, and one ungradable submission."""
    monkeypatch.chdir(tmp_path)
    for k in range(12):
        answer = HOSTILE if k == 3 else "" if k == 5 else f"Answer number {k}: the source makes random choices."
        graded(
            tmp_path, f"student {k:02}", [written("written_1", answer), written("written_2", f"A second answer, {k}.")]
        )
    graded(tmp_path, "zoe", status="ungradable", reason="the notebook file is empty")
    return tmp_path


@pytest.fixture
def served(course):
    with serving(by="anna") as (address, _):
        yield address


def test_rubrics_have_levels():
    assert rubric.levels('0.5: both, each with 1.0: no.\n0.25: only one.  0: "none".', 0.5) == [
        (0.5, "both, each with 1.0: no."),
        (0.25, "only one."),
        (0.0, '"none".'),
    ]
    assert [p for p, _ in rubric.levels("whatever convinces", 2)] == [2, 1.5, 1, 0.5, 0]
    from course_lib.questions import core

    for lab in core.labs():
        asked = review_queue.asked(lab)
        for question in core.questions_of(lab):
            if isinstance(question, core.WrittenQuestion):
                steps = [p for p, _ in rubric.levels(question.rubric, question.points)]
                assert steps[0] == question.points and steps[-1] == 0 and len(steps) <= 10, question
                assert len(asked[question.id]) > 20, (lab, question.id)


def test_answers_that_say_the_same_follow_one_another():
    said = {
        "a": "The entropy is the mean surprise of a reader who knows all of the probabilities.",
        "b": "Something else.",
        "c": "the entropy is the mean surprise of a reader who knows all of the probabilities",
        "d": "",
        "e": "The entropy is the mean surprise of a reader, who knows all of the probabilities!",
        "f": "The entropy is no surprise.",
        "g": "",
    }
    items = {
        name: {"answer": text, "group": "", "note": "nothing was written" if not text else ""}
        for name, text in said.items()
    }
    like = review_queue.alike_ones(sorted(items), items)
    assert like == {"a": "a", "c": "a", "e": "a"}
    assert review_queue.together(sorted(items), items, like) == ["a", "c", "e", "b", "d", "f", "g"]
    assert items["c"]["note"] == "2 of 3 answers that say nearly the same"
    assert items["d"]["note"] == "nothing was written" and items["b"]["note"] == "" and items["f"]["note"] == ""


def test_the_order_is_shuffled_by_the_secret_and_blind(course):
    rows = page.graded_or_broken(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    work, again, other = (review_queue.queue(LAB, rows, key) for key in (b"a", b"a", b"b"))
    first, second = (q["order"] for q in work["questions"][:2])
    who = lambda w, order: [w["items"][name]["student"] for name in order]
    assert (
        work == again
        and who(work, first) != sorted(who(work, first))
        and who(work, first) != who(work, second) != who(other, other["questions"][1]["order"])
    )
    assert not any(row["student"] in name or row["sha"] in name for row in rows for name in work["items"])
    assert work["questions"][2]["id"] == handed_in.LOOK and all(not item["who"] for item in work["items"].values())
    assert {item["who"] for item in review_queue.queue(LAB, rows, b"a", names=True)["items"].values()} >= {
        "student 00",
        "zoe",
    }


def test_nothing_about_students_is_sent(served):
    status, start = ask(served, "start/s1")
    sent = json.dumps(start) + json.dumps(
        [ask(served, f"item/s1/{name}")[1] for q in start["questions"][:2] for name in q["order"]]
    )
    assert (
        status == 200
        and "student 0" not in sent
        and all(sha not in sent for sha in os.listdir(Path(store.SUBMISSIONS, LAB, "student 00")))
    )


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_only_its_own_page_may_write(served, headers, status):
    name = ask(served, "start/s")[1]["questions"][0]["order"][0]
    wish = {"id": name, "score": 0.25, "comment": "", "by": "anna", "seen": None, "session": "s"}
    assert ask(served, "mark", wish, **headers)[0] == status
    assert len(marks.read(LAB)) == (status == 200)


def test_without_the_token_there_is_nothing(served):
    assert [
        ask(served, path)[0]
        for path in ("/", "/app.js", "/" + "x" * 32 + "/", "/../../etc/passwd", "/%2e%2e/", served.rsplit("/", 2)[1])
    ] == [404] * 6
    assert [ask(served, method=m, path="")[0] for m in ("PUT", "DELETE", "OPTIONS")] == [501] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"score": 0.26},
        {"score": -1},
        {"score": "0.25"},
        {"score": True},
        {"score": float("nan")},
        {"score": 10**400},
        {"id": "nobody"},
        {"id": None},
        {"id": ["x"]},
        {"by": " "},
        {"by": None},
        {"comment": "x" * 4001},
        {"comment": 3},
    ],
)
def test_wishes_that_make_no_sense_write_nothing(served, change):
    name = ask(served, "start/s")[1]["questions"][0]["order"][0]
    assert (
        ask(served, "mark", {"id": name, "score": 0.25, "comment": "", "by": "anna", "seen": None} | change)[0] == 400
    )
    assert not marks.path_of(LAB).exists()


def test_broken_requests_are_answered(served):
    assert [ask(served, "mark", body)[0] for body in (b"{", b"[]", b"[" * 60_000, b'{"a":1}' + b" " * 70_000)] == [
        400
    ] * 4
    assert ask(served, "start/s")[0] == 200


def test_two_reviewers_do_not_overwrite_each_other(served, course):
    start = ask(served, "start/one")[1]
    name = start["questions"][0]["order"][0]
    ask(served, f"item/one/{name}")
    assert ask(served, "start/two")[1]["taken"] == [name] and ask(served, "start/one")[1]["taken"] == []
    wish = {"id": name, "score": 0.25, "comment": "good", "by": "anna", "seen": None}
    status, now = ask(served, "mark", wish)
    assert status == 200
    with serving(by="ben") as (address, _):  # a second process would be the same: the file is what they share
        status, reply = ask(address, "mark", wish | {"score": 0, "by": "ben"})
        assert status == 409 and reply["marks"][name]["by"] == "anna"
        assert ask(address, "undo", {"by": "ben"})[0] == 404
        assert ask(address, "mark", wish | {"score": 0, "by": "ben", "seen": now["marks"][name]["at"]})[0] == 200
    assert [json.loads(line)["by"] for line in marks.path_of(LAB).read_text().splitlines()] == ["anna", "ben"]


def test_marks_count_and_undo_appends(served, course):
    names = ask(served, "start/s")[1]["questions"][0]["order"][:2]
    for name in names:
        ask(served, "mark", {"id": name, "score": 0.25, "comment": "", "by": "anna", "seen": None})
    assert ask(served, "undo", {"by": "anna"})[1]["id"] == names[1]
    assert len(marks.read(LAB)) == 1 and len(marks.path_of(LAB).read_text().splitlines()) == 3
    rows = [row for row in page.rows_of(LAB, store.GRADES, store.SUBMISSIONS) if row["score"]]
    assert [row["score"] for row in rows] == [0.25]


def test_marks_that_make_no_sense_are_passed_over(tmp_path):
    about = {"student": "ada", "submission_sha": "x", "by": "anna"}
    for score in (0.5, 10**400, float("1e300"), -1, "1", True, None):
        store.append_line(marks.path_of(LAB, tmp_path), about | {"question": str(score)[:9], "score": score})
    store.append_line(marks.path_of(LAB, tmp_path), about | {"question": ["0.5"], "score": 1})
    store.append_line(marks.path_of(LAB, tmp_path), about | {"question": "0.5"})
    assert {key[2]: mark["score"] for key, mark in marks.read(LAB, tmp_path).items()} == {"0.5": 0.5}


def test_a_full_disk_is_said(served, monkeypatch):
    name = ask(served, "start/s")[1]["questions"][0]["order"][0]
    monkeypatch.setattr(store.os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    status, reply = ask(served, "mark", {"id": name, "score": 0.25, "comment": "", "by": "anna", "seen": None})
    assert status == 507 and "the mark was not kept" in reply["message"]


@pytest.mark.parametrize(
    "lab, words",
    [("99_nothing", "there is no lab"), ("01_data_and_tokenizer", "no submissions of 01_data_and_tokenizer")],
)
def test_no_such_lab_is_one_line(course, lab, words):
    with pytest.raises(store.StoreError, match=words):
        review.main([lab])


def test_a_port_that_is_taken_is_one_line(served):
    with pytest.raises(store.StoreError, match="cannot be used"):
        review.main([LAB, "--port", str(urlsplit(served).port)])


# ---- in a real browser
# ------------------------------------------------------------------------------------------------


@pytest.fixture
def process(course):
    """start() -> (process, address) of a real `course review`; all are killed at the end."""
    running = []

    def start():
        made = subprocess.Popen(
            [sys.executable, "-m", "course_lib.cli", "review", LAB], cwd=course, stdout=subprocess.PIPE, text=True
        )
        running.append(made)
        return made, made.stdout.readline().split()[1]

    yield start
    for made in running:
        made.kill(), made.wait(), made.stdout.close()


def mark_by_keyboard(tab, key, done):
    tab.keyboard.press(key)
    tab.get_by_text(f"{done} of 12 marked").wait_for()


def test_ten_answers_by_keyboard_undo_kill_and_find_nine(browser, process):
    first, address = process()
    tab = browser.new_page()
    tab.goto(address)
    tab.get_by_text("0 of 12 marked").wait_for()
    for done in range(1, 10):
        mark_by_keyboard(tab, "10"[done % 2], done)
    tab.keyboard.press("c")
    tab.keyboard.type("j1u: keys in a comment are letters")
    tab.keyboard.press("Escape")
    mark_by_keyboard(tab, "1", 10)
    assert [m["comment"] for m in marks.read(LAB).values()][-1] == "j1u: keys in a comment are letters"
    mark_by_keyboard(tab, "u", 9)
    first.send_signal(signal.SIGKILL), first.wait()
    tab.keyboard.press("1")
    tab.get_by_role("alert").get_by_text("the server does not answer").wait_for()
    assert len(marks.read(LAB)) == 9
    _, address = process()
    tab.goto(address)
    tab.get_by_text("9 of 12 marked").wait_for()
    assert tab.get_by_text("Not marked").is_visible(), "it opens at the first answer that nobody has marked"
    tab.keyboard.press("k")
    tab.close()


def test_hostile_answers_stay_text(browser, served):
    tab = browser.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(served)
    tab.get_by_text("0 of 12 marked").wait_for()
    seen = []
    for place in range(1, 13):
        tab.get_by_role("heading", name=f"Answer {place} of 12").wait_for()
        seen.append(tab.locator("#answer").text_content())
        assert tab.locator("#answer *").count() == 0 and tab.title() == f"Review {LAB}"
        if place < 12:
            tab.keyboard.press("j")
    assert (
        any("<script>document.title" in text and "[U+202E]gnp.exe[U+202C]" in text for text in seen)
        and "(empty)" in seen
    )
    assert not errors
    # and if one did become an element, the server's policy would not let it act
    tab.evaluate(
        """() => {
            document.querySelector('#answer').innerHTML = '<img src=x onerror="document.title=1">'
            const s = document.createElement('script')
            s.textContent = 'document.title=2'
            document.body.append(s)
        }"""
    )
    tab.wait_for_timeout(100)
    assert tab.title() == f"Review {LAB}"
    tab.close()


@pytest.mark.parametrize("scheme, width", [("light", 1100), ("dark", 1100), ("light", 320)])
def test_the_page_is_accessible(browser, served, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True
    )  # axe comes as a script of the test's own
    tab = context.new_page()
    tab.goto(served)
    tab.get_by_text("0 of 12 marked").wait_for()
    results = axe.Axe().run(tab)
    assert results.violations_count == 0, results.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "320 px wide, as at 400 %, without sideways scrolling"
    )
    tab.keyboard.press("?")
    assert tab.get_by_role("dialog", name="Keys").is_visible() and axe.Axe().run(tab).violations_count == 0
    tab.keyboard.press("Escape")
    assert not tab.get_by_role("dialog").is_visible()
    for control in ("Question", "Your name", "Comment for the student"):
        assert tab.get_by_label(control).count() == 1, control
    context.close()
