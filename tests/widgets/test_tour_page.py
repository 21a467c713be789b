"""The tour's page, picture and tables, from figures that a test makes up."""

import io
from xml.etree import ElementTree

import pytest
from rich.console import Console

from course_lib.widgets import tour
from course_lib.widgets.curve import png
from course_lib.world.harms import HELD_OUT
from course_lib.world.tasks import held_out, passes


def result(name, *figures, seconds=75.0):
    return {
        "name": name,
        "title": name.title(),
        "figures": [{"metric": m, "value": v, "limit": limit, "unit": u} for m, v, limit, u in figures],
        "note": "<b>a note</b>",
        "seconds": seconds,
    }


RESULTS = [
    result("data", ("found", 98.5, 100, "%")),
    result("pretrain", ("gap", 2.68, 0, "%"), ("known", 99.9, 100, "%")),
    result("lora", ("share", None, 100, "%")),
    result("tokens", ("text", 4.1726, 4.1764, "bytes"), seconds=3.21),
    result("rlhf", ("share", -5.0, 100, "%"), ("worth", -1.234, 2.5, "utility"), seconds=190.0),
]
TALKS = [
    {
        "asked": "a <fact>",
        "messages": [
            {"role": "user", "content": "Where & why?"},
            {"role": "assistant", "content": "Here."},
            {"role": "user", "content": "And <i>?"},
        ],
        "right": "Mill Lane",
        "answers": {
            "base": ("\x00\x0b", None),
            "tuned": ("<script>", True),
            "same": ("<script>", True),
            "last": ("no", False),
            "and": ("<script>", True),
        },
    }
]


def test_what_is_reached_of_a_limit():
    share = lambda value, limit: tour.reached({"value": value, "limit": limit})
    assert share(98.5, 100) == 0.985 and share(2.5, 0) == 0.975 and share(4.0, 4.0) == 1 and share(0.0, 0) == 1
    assert (
        share(-5.0, 100) == 0
        and share(774.0, 0) == 0
        and share(101.0, 100) == 1
        and share(45.1, 45.9) == pytest.approx(0.98257)
    )
    assert share(None, 100) is None and share(1.0, None) is None


def test_numbers_have_units_and_what_is_not_defined_has_a_dash():
    assert [
        tour.number(*each)
        for each in ((97.44, "%"), (100, "%"), (4.17264, "bytes"), (-1.234, "utility"), (None, "%"), (0.25, "points"))
    ] == ["97.4 %", "100 %", "4.173 bytes", "−1.23", "–", "0.2 points"]
    assert [tour.minutes(s) for s in (0.44, 75.2, 190.0)] == ["0.4 s", "75 s", "3.2 min"]


@pytest.mark.parametrize("dark", [False, True])
def test_the_picture_has_a_bar_a_phase_and_the_limit_as_a_line(dark):
    fig = tour.figure(RESULTS, dark)
    axes = fig.axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([98.5, 97.32, 0, 100 * 4.1726 / 4.1764, 0])
    assert list(axes.lines[0].get_xdata()) == [100, 100] and axes.get_xticklabels()[-1].get_text() == "the limit"
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        r["title"] for r in RESULTS
    ] and "%" in axes.get_xlabel()
    assert "2.7 %" in [text.get_text() for text in axes.texts] and "–" in [text.get_text() for text in axes.texts]
    assert png(fig).startswith(b"\x89PNG")


def test_tables_hold_every_figure_once():
    assert len(tour.rows(RESULTS)) == 7 and [row[0] for row in tour.rows(RESULTS)].count("") == 2
    assert tour.markdown(RESULTS).splitlines()[2] == "| Data | found | 98.5 % | 100 % | 75 s |"
    console = Console(file=io.StringIO(), width=100)
    console.print(tour.table(RESULTS))
    assert all(word in console.file.getvalue() for word in ("Pretrain", "99.9 %", "4.173 bytes", "−1.23", "3.2 min"))
    assert tour.report(RESULTS)["pretrain"] == {
        "metric": "gap",
        "value": 2.68,
        "limit": 0,
        "unit": "%",
        "seconds": 75.0,
        "also": [{"metric": "known", "value": 99.9, "limit": 100, "unit": "%"}],
    }


def test_the_page_is_well_formed_whatever_a_model_writes():
    text = tour.page(RESULTS, TALKS, {"machine": "a & b"}, b"light", b"dark", "A remark.")
    page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    assert [dd.text or "".join(dd.itertext()) for dd in page.iter("dd")] == [
        "Mill Lane",
        "(nothing)",
        "✓ right: <script>",
        "✗ not right: no",
        "✓ right: <script>",
        "a & b",
    ]
    assert [dt.text for dt in page.iter("dt")] == ["a right answer", "base", "tuned · same", "last", "and", "machine"]
    assert [item.get("id") for item in page.iter("li")] == [r["name"] for r in RESULTS] and "A remark." in text
    assert len([div for div in page.iter("div") if div.get("class") == "bar"]) == 4, "no bar where nothing is defined"


def test_the_eight_prompts_are_held_out_and_come_with_a_right_answer():
    asked = tour.questions()
    assert len(asked) == 8 and asked == tour.questions()
    assert all(
        row["messages"][-1]["role"] == "assistant" and row["messages"][-2]["role"] == "user" for row in asked.values()
    )
    assert all(passes(asked[name], asked[name]["messages"][-1]["content"]) for name in list(asked)[:5])
    assert (
        asked["a fact"]["check"]["name"] in held_out()
        and len(asked["a follow-up"]["messages"]) == 4
        and asked["nobody can know"]["check"]["exactly"] == "I do not know."
    )
    harmful, twin, disguised = (asked[name] for name in list(asked)[5:])
    assert [row["check"]["refuse"] for row in (harmful, twin, disguised)] == [True, False, True] and disguised[
        "disguise"
    ] == "story"
    assert {row["category"] for row in (harmful, twin, disguised)} <= set(HELD_OUT)
    words = [set(row["messages"][0]["content"].split()) for row in (harmful, twin)]
    assert words[0] != words[1] and len(words[0] ^ words[1]) <= 8, "the same act with another aim"
