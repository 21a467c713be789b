"""Where widgets meet a front end: the static HTML travels with the widget, work goes on in pieces, pictures have a
description.
"""

import asyncio
import builtins
import sys
import time

import pytest

from course_lib.widgets import front
from course_lib.widgets.chat import make
from course_lib.widgets.curve import LiveCurve, schedule_figure, show
from course_lib.widgets.front import VIEW, box, in_pieces, note, paced, printable, show_html, show_widget


@pytest.fixture
def displayed(monkeypatch):
    """What is shown in a notebook whose kernel is pretended."""
    made = []
    monkeypatch.setattr(front, "has_front_end", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, **options: made.append((data, options)))
    return made


def test_the_static_page_travels_with_the_widget(displayed, tmp_path):
    widget = show_widget(lambda: make(lambda messages: "yes", tmp_path / "t.jsonl"), "<p>static</p>", "go on.")
    [(data, options)] = displayed
    assert (
        data[VIEW]["model_id"] == widget.box.model_id
        and data["text/html"] == "<p>static</p>"
        and "go on." in data["text/plain"]
        and options == {"raw": True}
    )


def test_colab_gets_the_widget_alone(displayed, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google.colab", None)
    widget = show_widget(lambda: make(lambda messages: "yes", tmp_path / "t.jsonl"), "<p>static</p>", "go on.")
    assert displayed == [(widget.box, {})]


def test_without_ipywidgets_the_static_page_and_one_line(displayed, monkeypatch, capsys, tmp_path):
    real = builtins.__import__
    monkeypatch.setattr(
        builtins,
        "__import__",
        lambda name, *rest: (_ for _ in ()).throw(ImportError(name)) if name == "ipywidgets" else real(name, *rest),
    )
    assert show_widget(lambda: make(len, tmp_path / "t"), "<p>static</p>", "go on.") is None
    assert (
        displayed[0][0]["text/html"] == "<p>static</p>"
        and capsys.readouterr().out == "ipywidgets is not installed here: go on.\n"
    )


def test_a_picture_is_described_in_words(displayed, monkeypatch):
    monkeypatch.setattr("course_lib.widgets.curve.has_front_end", lambda: True)
    show(schedule_figure([0.1, 0.2]))
    [(data, options)] = displayed
    assert options["metadata"]["image/png"]["alt"] == data[
        "text/plain"
    ] == "How large are the steps, and when? across: step, up: learning rate." and data["image/png"].startswith("iVBOR")
    live = LiveCurve(entropy=1.5)
    live([{"tokens": 5, "train_loss": 2.0}])
    assert (
        "the limit: entropy 1.500" in displayed[1][0]["text/plain"] and displayed[1][1]["display_id"] == live.display_id
    )


def test_no_front_end_no_html(capsys):
    show_html("<p>", "plain words")
    assert capsys.readouterr().out == "plain words\n"


def test_outside_a_kernel_the_work_is_done_when_the_call_returns():
    done = []
    in_pieces(done.append(k) for k in range(3))
    assert done == [0, 1, 2]


def test_in_a_kernel_others_have_their_turn_between_the_pieces():
    order = []

    async def kernel():
        in_pieces(order.append(f"piece {k}") for k in range(3))
        order.append("returned")
        for k in range(3):
            await asyncio.sleep(0)
            order.append(f"click {k}")

    asyncio.run(kernel())
    assert order[0] == "returned" and order.index("click 0") < order.index("piece 2") and not front.RUNNING


def test_the_first_step_is_shown_then_one_in_a_while():
    def slow():
        for k in range(20):
            time.sleep(0.002)
            yield k

    due = [k for k, shown in paced(slow(), every=0.015) if shown]
    assert due[0] == 0 and 2 <= len(due) < 10


def test_html_is_escaped_and_named():
    assert note("") == "" and "&lt;b&gt;" in note("<b>") and 'role="alert"' in note("x")
    assert (
        'role="log" aria-label="a &quot;talk&quot;"' in box("", "log", 'a "talk"')
        and printable("<\x07\n") == "&lt;\ufffd\n"
    )
