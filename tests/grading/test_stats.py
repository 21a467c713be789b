import pytest
from people import LAB, case, graded, question, written

from course_lib.grading.records import store
from course_lib.grading.reports import page, stats

CORE, LONG = "the sum of log n over the choices, in nats", "a long document: 500 choices of 40; the list is left alone"
BITS = "the result is in bits: math.log2 was used. Nats need the natural logarithm"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Six with all of surprise, two in bits, one that hangs, one stub; entropy follows the rest of the points or is
    opposed to it. One is ungradable.
    """
    monkeypatch.chdir(tmp_path)
    for k in range(10):
        first = (
            case(CORE)
            if k < 6
            else case(CORE, "fail", message=f"the surprise of [{k}]: yours is {k}, expected 7", mistake=BITS)
            if k < 8
            else case(CORE, "timeout" if k == 8 else "todo", message="it took too long and was stopped")
        )
        second = case(
            "the mean surprise, −Σ p log p, in nats", "pass" if k < 5 else "error", message="ValueError: =1+1"
        )
        graded(
            tmp_path,
            f"s{k}",
            [
                question("surprise", [first, case(LONG, seconds=0.25 * k)]),
                question("entropy", [second]),
                written("written_1", "x"),
            ],
            seconds=1.0 + k,
        )
    graded(tmp_path, "zoe", status="ungradable", reason="empty")
    return tmp_path


def test_numbers_of_a_class(course):
    found = stats.summary(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))
    surprise, entropy, text = found["questions"]
    assert (found["students"], found["graded"], found["without"], found["seconds"]) == (11, 10, {"ungradable": 1}, 5.5)
    assert (
        found["totals"] == pytest.approx([0, 0, 0, 0, 200 / 3, 100, 100, 100, 100, 100])
        and found["mean"] == pytest.approx(56.6667, abs=1e-3)
        and found["median"] == pytest.approx(250 / 3)
    )
    assert (surprise["passed"], surprise["scored"], surprise["timeouts"], surprise["statuses"]) == (
        6,
        10,
        1,
        {"pass": 6, "fail": 2, "timeout": 1, "todo": 1},
    )
    assert (surprise["low"], surprise["high"]) == pytest.approx((0.3127, 0.8318), abs=1e-3)
    assert (
        surprise["mistakes"] == [(BITS, 2)]
        and surprise["errors"] == [("it took too long and was stopped", 1)]
        and surprise["failing"] == (CORE, 3)
    )
    assert entropy["errors"] == [("it stopped with a ValueError", 5)] and surprise["slowest"] == pytest.approx(2.26)
    assert (text["scored"], text["to_read"], text["low"], text["discrimination"]) == (0, 10, None, None)
    assert stats.bars(found["totals"]) == [4, 0, 0, 0, 0, 0, 1, 0, 0, 5]


def test_discrimination_is_the_correlation_with_the_rest(course):
    surprise = stats.summary(LAB, page.rows_of(LAB, store.GRADES, store.SUBMISSIONS))["questions"][0]
    # 6 of 10 pass surprise, 5 of these pass entropy, nobody else does: the phi coefficient of that table
    assert surprise["discrimination"] == pytest.approx((5 * 4 - 1 * 0) / (6 * 4 * 5 * 5) ** 0.5)
    assert stats.correlation([1, 1, 1], [1, 2, 3]) is None and stats.correlation([1, 2], [1, 2]) is None
    assert stats.correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_the_command_and_its_page(course, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")
    assert stats.main([LAB, "--html", "class.html"]) == 0 and stats.main([LAB, "--html", "class.png"]) == 0
    shown, text = capsys.readouterr().out, (course / "class.html").read_text()
    assert (
        "10 graded, 1 ungradable" in shown
        and "6/10" in shown
        and "31–83" in shown
        and "2 × the result is in bits" in shown
        and "90–100 %" in shown
    )
    assert "<img alt=" in text and "default-src 'none'" in text and "2 × the result is in bits" in text
    assert (course / "class.png").read_bytes()[:4] == b"\x89PNG"


def test_hostile_names_are_text(course, capsys):
    graded(course, "mallory", [question("[red]x[/red]<script>", [case("[bold]c", "fail", message="<script>")])])
    assert stats.main([LAB, "--html", "class.html"]) == 0
    assert "<script" not in (course / "class.html").read_text()
    assert "[red]x[/red]<script>: 1 ×" in capsys.readouterr().out


@pytest.mark.parametrize(
    "lab, words", [("99_nothing", "there is no lab"), ("01_data_and_tokenizer", "no submissions of")]
)
def test_no_class_is_one_line(course, lab, words):
    with pytest.raises(store.StoreError, match=words):
        stats.main([lab])


def test_nothing_graded_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graded(tmp_path, "ben", status="ungradable", reason="empty")
    with pytest.raises(store.StoreError, match="is graded yet"):
        stats.main([LAB])
