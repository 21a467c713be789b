"""The pages that are written as files, in a real browser: narrow and wide, light and dark, by axe and by what is in
sight.
"""

import people
import pytest
from people import LAB, case, question, written

from course_lib import cli
from course_lib.grading.records import policy
from course_lib.grading.reports import feedback


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Two students in all labs of a term whose deadlines have passed; one has missed one, and has a page to read."""
    monkeypatch.chdir(tmp_path)
    labs = policy.labs()
    due = "".join(f"  {lab}: {{deadline: 2020-11-20 18:00}}\n" for lab in labs)
    (tmp_path / "course.yaml").write_text(f"title: A term\ntimezone: UTC\nlabs:\n{due}")
    (tmp_path / "roster.csv").write_text('student,name\nada,"Ada <b>von</b> Hohenstein-Sonnenburg-Rheinfelden"\nben,\n')
    failed = case("a long document: 500 choices of 40; the list is left alone", "fail", "the surprise: yours is 5")
    for lab in labs:
        for student in ("ada", "ben") if lab != labs[3] else ("ada",):
            long = written("written_1", "Because. " + "x" * 300)
            people.graded(tmp_path, student, [question("surprise", [case("a"), failed]), long], lab=lab)
    return tmp_path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_gradebook_and_the_feedback_can_be_read_by_everybody(browser, desk, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    assert cli.main(["gradebook", "--html", "term.html"]) == 0
    pages = [desk / "term.html", desk / dict(feedback.write(LAB, "out"))["ada"]]
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    tab = context.new_page()
    for path in pages:
        tab.goto(path.as_uri())
        results = axe.Axe().run(tab)
        assert results.violations_count == 0, results.generate_report()
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    tab.goto(pages[0].as_uri())
    names = tab.get_by_role("rowheader")
    assert names.first.text_content() == "Ada <b>von</b> Hohenstein-Sonnenburg-Rheinfelden" and names.count() == 12
    table = tab.get_by_role("region", name="student and more")
    wide = table.evaluate("box => box.scrollWidth > box.clientWidth")
    assert wide == (width == 390), "on a laptop's screen all twelve labs are in sight"
    table.evaluate("box => { box.scrollLeft = 1000 }")
    assert names.first.bounding_box()["x"] >= 0, "whose row it is stays in sight"
    context.close()
