"""Lab 00 as Colab saves it: the same score as the notebook that was released, and handed in from Colab's own front end
as well.
"""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from bad import run as table

from course_lib.grading.records import store

LAB = "00_start_here"
ROOT = Path(__file__).parents[2]
SOLVED = ROOT / "solutions" / f"{LAB}.ipynb"


def colab_save(text):
    """The notebook's JSON as Colab writes it for a file that it took over as 4.0: ids and display state in the cells'
    metadata, widgets without `state`, no language.
    """
    made = json.loads(text)
    made.update(nbformat=4, nbformat_minor=0)
    made["metadata"] = {
        "colab": {"provenance": [], "name": f"Copy of {LAB}.ipynb", "toc_visible": True},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
        "widgets": {
            "application/vnd.jupyter.widget-state+json": {
                "5f1b": {
                    "model_module": "@jupyter-widgets/controls",
                    "model_name": "HTMLModel",
                    "model_module_version": "1.5.0",
                    "state": {"value": "<b>x</b>"},
                }
            }
        },
    }
    for number, cell in enumerate(made["cells"]):
        old = cell.pop("id")
        cell["metadata"] = {
            "id": f"{old}Xy{number}",
            **{k: v for k, v in cell["metadata"].items() if k in ("nbgrader", "cellView")},
        }
        if cell["cell_type"] == "code" and cell.get("outputs"):
            cell["metadata"] |= {"outputId": "8b2c-4f", "colab": {"base_uri": "https://localhost:8080/", "height": 123}}
        if isinstance(cell["source"], str):
            cell["source"] = cell["source"].splitlines(True)
    return made


def exercise(cell):
    return (
        "".join(cell["source"]).split("\n")[0].removeprefix("# EXERCISE ").strip()
        if "".join(cell["source"]).startswith("# EXERCISE ")
        else None
    )


def top_level_ids(made):
    """Six of 640 saved notebooks: 4.0 with the ids of 4.5."""
    for number, cell in enumerate(made["cells"]):
        cell["id"] = f"c{number}"


def split_in_two(made):
    """Ctrl-M - in the middle of an answer: two cells with the same metadata."""
    at = next(i for i, cell in enumerate(made["cells"]) if exercise(cell))
    cell = made["cells"][at]
    made["cells"][at : at + 1] = [
        {**cell, "source": cell["source"][:1] + ["import math as kept_from_the_first_half\n"]},
        {**cell, "source": cell["source"][1:]},
    ]


def copied(made):
    """An answer that stands twice, its metadata too."""
    at = next(i for i, cell in enumerate(made["cells"]) if exercise(cell))
    made["cells"].insert(at, json.loads(json.dumps(made["cells"][at])))


def text_with_outputs(made):
    next(cell for cell in made["cells"] if cell["cell_type"] == "markdown").update(outputs=[], execution_count=None)


SAVES = {
    "as it is": lambda made: None,
    "ids of 4.5": top_level_ids,
    "split": split_in_two,
    "copied": copied,
    "outputs in a text cell": text_with_outputs,
}


def result(place, text):
    place.mkdir(exist_ok=True)
    return table.grade(place, "ada", text, LAB)


def scores(graded):
    return {q["id"]: (q["status"], q["score"], q["max"]) for q in graded["questions"]}


@pytest.fixture(scope="module")
def released(box, tmp_path_factory):
    graded = result(tmp_path_factory.mktemp("released"), SOLVED.read_text())
    assert graded["status"] == "graded" and store.totals(graded)[0] > 0
    return scores(graded)


@pytest.mark.parametrize("save", SAVES)
def test_the_same_score(released, tmp_path, save):
    made = colab_save(SOLVED.read_text())
    SAVES[save](made)
    graded = result(tmp_path, json.dumps(made))
    assert scores(graded) == released and graded["status"] == "graded"
    assert not graded["flags"]


def test_a_deleted_answer_costs_itself_and_is_named(released, tmp_path):
    made = colab_save(SOLVED.read_text())
    at = next(i for i, cell in enumerate(made["cells"]) if exercise(cell))
    gone = exercise(made["cells"].pop(at))
    got = scores(result(tmp_path, json.dumps(made)))
    assert released[gone][1] > 0 and got[gone][1] == 0
    assert {name: value for name, value in got.items() if name != gone} == {
        name: value for name, value in released.items() if name != gone
    }


def test_it_is_what_colab_writes():
    made = colab_save(SOLVED.read_text())
    assert (
        (made["nbformat"], made["nbformat_minor"]) == (4, 0)
        and not any("id" in cell for cell in made["cells"])
        and all(cell["metadata"]["id"] for cell in made["cells"])
    )
    assert "state" not in made["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]
    nbformat.reads(json.dumps(made), as_version=4)


def test_handed_in_on_colab(released, tmp_path, monkeypatch, capsys):
    """submit() asks the browser for the notebook, since none lies on Colab's disk; the zip goes through collect and the
    grader.
    """
    from bad.make import Files

    from course_lib.notebook.submit import submit

    saved = tmp_path / "browser.json"
    saved.write_text(json.dumps(colab_save(SOLVED.read_text())))
    (tmp_path / "content").mkdir()
    monkeypatch.chdir(tmp_path / "content")
    monkeypatch.syspath_prepend(ROOT / "tests/setup/fake_colab")
    monkeypatch.setenv("COURSE_FAKE_NOTEBOOK", str(saved))
    before = set(sys.modules)
    import google.colab  # noqa: F401

    try:
        path = submit(student="ada", namespace={})
    finally:
        for name in [n for n in sys.modules if n not in before and n.startswith("google")]:
            del sys.modules[name]
    assert "Hand in this zip" in capsys.readouterr().out
    seen = table.collect_and_grade(tmp_path, Files({"ada.zip": path.read_bytes()}), LAB)
    assert (
        seen["outcome"] == "G"
        and seen["points"] == sum(score for _, score, _ in released.values() if score is not None)
        and not seen["trouble"]
    )
