"""The pictures of an evaluation show what was measured."""

from course_lib.widgets import release as pictures
from course_lib.widgets.curve import png


def lines(fig):
    return {line.get_label(): [tuple(map(float, xy)) for xy in line.get_xydata()] for line in fig.axes[0].lines}


def test_forest_has_a_mark_and_an_interval_for_each_entry():
    groups = {"A": {"facts": (0.5, 0.4, 0.6), "unknown": (1.0, 0.9, 1.0)}, "B": {"facts": (0.25, 0.2, 0.3)}}
    fig = pictures.forest(groups, "which?")
    spans = [
        line.get_xdata().tolist()
        for line in fig.axes[0].lines
        if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    assert spans == [[40, 60], [90, 100], [20, 30]] and lines(fig)["A"][0][0] == 50 and lines(fig)["B"][0][0] == 25
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["facts", "unknown"] and fig.legends
    assert png(pictures.forest({"alone": groups["A"]}, "one", zero=True)).startswith(b"\x89PNG")


def test_mixes_are_shares_of_each():
    fig = pictures.mixes({"trained": {"question": 30, "form": 10}, "asked": {"question": 1, "typo": 1}})
    widths = [bar.get_width() for bar in fig.axes[0].patches]
    assert widths == [75, 25, 0, 50, 0, 50] and [label.get_text() for label in fig.axes[0].get_yticklabels()] == [
        "question",
        "form",
        "typo",
    ]


def test_findings_counts_those_under_the_level():
    fig = pictures.findings([0.2, 0.001, 0.04, 0.0])
    assert "level 0.05: 3 under it" in lines(fig) and [y for _, y in lines(fig)["p-value"]] == [1e-6, 0.001, 0.04, 0.2]
    assert png(pictures.findings([])).startswith(b"\x89PNG")


def test_a_favourite_place_against_the_fair_judge():
    fig = pictures.favourite_place(
        [0.0, 1.0], {"both orders": [(0.5, 0.02), (0.52, 0.02)], "A first": [(0.5, 0.03), (0.8, 0.03)]}, 0.51
    )
    assert lines(fig)["both orders"] == [(0, 50), (1, 52)] and "the limit: the judge without a bias, 51.0 %" in lines(
        fig
    )
    assert png(fig).startswith(b"\x89PNG")
