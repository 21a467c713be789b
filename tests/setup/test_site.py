"""`make site`: the pages build without a warning, no link is broken, nothing is fetched from elsewhere, no solution
shows; and each of these findings can be made.
"""

import json
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import make_site  # noqa: E402
import site_check  # noqa: E402
import site_library  # noqa: E402
import site_try  # noqa: E402

from course_lib.platform import OPTIONAL  # noqa: E402


def notebook(lab):
    return nbformat.read(ROOT / "solutions" / f"{lab}.ipynb", as_version=4)


@pytest.mark.parametrize("lab", ["02_pretraining", "09_ai_feedback"])
def test_a_lab_page_has_stubs_outputs_and_no_solution(lab):
    solution = notebook(lab)
    lines, texts = site_check.secrets_of(solution)
    assert len(lines) > 20
    page = make_site.lab_page(solution, lab)
    nbformat.validate(page)
    everything = [line for cell in page.cells for line in cell.source.splitlines()] + [
        line for cell in page.cells for o in cell.get("outputs", []) for line in make_site.text_of(o).splitlines()
    ]
    assert site_check.leaks(everything, lines, texts) == []
    assert any("YOUR CODE HERE" in cell.source for cell in page.cells) and "badge.svg" not in page.cells[0].source
    kept, made = (sum(len(cell.get("outputs", [])) for cell in n.cells) for n in (page, solution))
    assert 0.9 * made <= kept <= made


def test_an_output_that_tells_a_solution_is_left_out():
    solution = notebook("00_start_here")
    cell = next(cell for cell in solution.cells if cell.source.startswith("# EXERCISE surprise"))
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="it is\n    return sum(math.log(n) for n in options)\n"),
        nbformat.v4.new_output("stream", name="stdout", text="3.2\n"),
    ]
    page = next(
        cell
        for cell in make_site.lab_page(solution, "00_start_here").cells
        if cell.source.startswith("# EXERCISE surprise")
    )
    assert [output.text for output in page.outputs] == ["3.2\n"]


def test_cards_are_readmes_labs():
    rows = make_site.lab_rows((ROOT / "README.md").read_text())
    assert [row["lab"] for row in rows] == sorted(path.stem for path in (ROOT / "labs").glob("*.ipynb"))
    assert sum(int(row["points"]) for row in rows if row["lab"] not in OPTIONAL) == 100
    assert all(len(make_site.objectives(notebook(row["lab"]))) >= 3 for row in rows)


def test_links_are_followed_from_where_they_stand():
    linked = "[a](../journal.md#x) [b](dpo-laptop.json) [c](https://example.org/d) ![e](../tour.png) [f](#g)"
    assert make_site.relinked(linked, "docs/results/README.md") == (
        f"[a](journal.md#x) [b]({make_site.GITHUB}/docs/results/dpo-laptop.json) [c](https://example.org/d) "
        "![e](tour.png) [f](#g)"
    )
    assert make_site.relinked("[a](labs/00_start_here.ipynb) [b](docs/results/README.md)") == (
        "[a](labs/00_start_here.ipynb) [b](results.md)"
    )


def test_what_the_sandbox_cannot_stop_is_in_the_repository_alone():
    words = ("ctypes", "Not prevented", "kernel bug", "hide no copy", "noise of a few per cent")
    whole = (ROOT / "INSTRUCTORS.md").read_text(encoding="utf-8")
    assert all(word in whole for word in words[:3]) and "**It does.**" in make_site.page_of("INSTRUCTORS.md")
    pages = {page: make_site.page_of(file) for file, page in make_site.PAGES.items()} | site_library.api_pages()
    assert [(page, word) for page, text in pages.items() for word in words if word in text] == []


def test_every_part_of_the_library_is_there():
    library = ROOT / "course_lib"
    assert [p for patterns in site_library.PACKAGES.values() for p in patterns if not any(library.glob(p))] == []


def test_docstrings_are_words_and_not_markup():
    assert site_library.prose("The mean of *B rows, `x_i` at least_once, $5 <b> [a](b)\n\n    code *here*") == (
        "The mean of \\*B rows, `x_i` at least\\_once, \\$5 \\<b\\> \\[a\\](b)\n\n```text\ncode *here*\n```"
    )
    assert site_library.prose("Inputs: a\nReturns: b") == "Inputs: a\\\nReturns: b"


def test_every_finding_can_be_made(tmp_path):
    (tmp_path / "labs").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="top">x</h1><a href="#top">a</a><a href="#gone">b</a><a href="labs/">c</a><a '
        'href="labs/00.html#s">d</a><a href="https://example.org/">e</a>'
        '<script src="https://cdn.example.org/x.js"></script><img src="none.png"><pre>return the_secret_thing(x)</pre>'
    )
    (tmp_path / "labs" / "00.html").write_text(r"<p id='s'>\frac{1}{2}</p><pre>a = another_secret</pre>")
    hidden = {"00": ({"a = another_secret"}, set()), "01": ({"return the_secret_thing(x)"}, set())}
    problems, external = site_check.check_site(tmp_path, hidden)
    assert external == ["https://cdn.example.org/x.js", "https://example.org/"]
    for words in (
        "index.html links to #gone: no such place",
        "index.html links to labs/, which is not there",
        "index.html fetches https://cdn.example.org/x.js",
        "index.html links to none.png, which",
        "index.html shows a solution: 'return the_secret_thing(x)'",
        "labs/00.html shows a solution: 'a = another_secret'",
        "labs/00.html shows raw LaTeX",
    ):
        assert sum(words in problem for problem in problems) == 1, (words, problems)
    assert len(problems) == 7


def test_without_npm_the_page_is_left_out_with_a_line(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="the extra `site` is not installed")
    monkeypatch.setattr(site_try.shutil, "which", lambda name: None)
    assert "npm is missing" in site_try.libraries(tmp_path)


def test_the_models_stand_before_the_first_section_of_their_guide(monkeypatch):
    monkeypatch.setattr(site_try.page, "recorded", lambda: "<p>said</p>")
    made = site_try.with_models("# Title\n\nOpening.\n\n## Section\n\nMore.\n")
    assert made.index("Opening.") < made.index("{raw} html") < made.index("said") < made.index("\n## Section\n\nMore.")


def test_the_policy_knows_the_scripts_of_the_page_by_their_hashes():
    made = site_try.with_policy('<html><head></head><script src="a.js"></script><script>1 + 1</script></html>')
    assert made.count("'sha256-") == 1 and "'sha256-cvzllEegH0iLEWnS10JnnP4waol3LWf+8Bi8/pVDH2g='" in made


def test_the_libraries_are_locked():
    lock = json.loads((site_try.PARTS / "package-lock.json").read_text())
    wanted = json.loads((site_try.PARTS / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        locked = lock["packages"][f"node_modules/{name}"]
        assert locked["version"] == version and locked["integrity"].startswith("sha512-")
