"""Wilson's interval is scipy's; the pictures of shares draw what they are given."""

import pytest

from course_lib.evaluation.intervals import wilson
from course_lib.widgets import curve, shares


@pytest.mark.parametrize("right, n", [(0, 1), (1, 1), (0, 40), (40, 40), (7, 12), (450, 500)])
def test_wilson_is_scipys(right, n):
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.binomtest(right, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson(right, n, z=stats.norm.ppf(0.975)) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("right, n", [(1, 0), (5, 4), (-1, 4)])
def test_no_share_is_one_line(right, n):
    with pytest.raises(ValueError, match="give a count from 0 to n"):
        wilson(right, n)


def test_pictures():
    counts = {"fact": (9, 10), "story": (0, 5)}
    kinds = shares.kinds_figure({"residents": counts, "phrasings": counts}, "How much is right?")
    axes = kinds.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "fact",
        "story",
    ] and axes.get_title() == "How much is right?"
    assert [t.get_text() for t in kinds.legends[0].get_texts()] == ["residents", "phrasings", "the limit: 100 %"]
    gap = shares.kinds_figure({"residents": {"story": (0, 5)}, "phrasings": counts}, "A kind without rows")
    assert [t.get_text() for t in gap.axes[0].get_yticklabels()] == ["fact", "story"]
    assert [t.get_text() for t in gap.legends[0].get_texts()] == ["residents", "phrasings", "the limit: 100 %"]
    along = shares.epochs_figure([0, 1, 4], {"unseen": [(5, 10), (6, 10), (2, 10)]}, "When is it too much?")
    assert "at the end 20 %" in along.legends[0].get_texts()[0].get_text()
    assert [t.get_text() for t in along.axes[0].get_xticklabels()] == ["0", "1", "4"]
    assert curve.png(kinds).startswith(b"\x89PNG") and curve.png(along).startswith(b"\x89PNG")
