"""Tables and sentences about the reader's run: the same in HTML and in plain text."""

import math

from course_lib.widgets import table as tables


def test_a_table_as_text_and_as_html():
    heads, formats = ["n", "KL", "share"], ["d", ".2f", ".1%"]
    cells = [[tables.cell(v, f) for v, f in zip(row, formats)] for row in [(1, 0.5, 0.25), (16, math.nan, None)]]
    assert tables.as_text(heads, formats, cells, "best of n") == (
        "best of n\n n    KL  share\n──  ────  ─────\n 1  0.50  25.0%\n16     –      –"
    )
    html = tables.as_html(heads, formats, cells, "a < b")
    assert html.count("<tr>") == 3 and "a &lt; b" in html and "0.50</td>" in html


def test_texts_are_on_the_left_and_escaped():
    assert tables.as_text(["who"], [""], [["Ada"], ["Mr Bell"]]) == "who\n───────\nAda\nMr Bell"
    assert "&lt;script&gt;" in tables.as_html(["who"], [""], [["<script>"]])


def test_a_run_of_size_tiny_says_what_it_cannot_show(capsys):
    tables.your_run("The gold utility turned at step 13.", size="laptop", shows="a turn")
    tables.your_run("It did not turn.", size="tiny", shows="a turn")
    tables.your_run(size="tiny")
    assert capsys.readouterr().out == (
        "Your run. The gold utility turned at step 13.\n"
        "Your run. It did not turn. Size tiny is too short a run to show a turn: what follows is about size laptop.\n"
    )


def test_a_run_whose_size_is_not_given_has_that_of_the_kernel(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_SIZE", "tiny")
    tables.your_run(shows="a turn")
    monkeypatch.setenv("COURSE_SIZE", "laptop")
    tables.your_run(shows="a turn")
    said = capsys.readouterr().out
    assert said == "Your run. Size tiny is too short a run to show a turn: what follows is about size laptop.\n"
