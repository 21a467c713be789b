"""The twelve solutions as every front end and tool saves them are read as they were: the same answers, no more signs.

What a tool leaves of a cell as it was is graded as it was; so points are compared here where cells are changed, and of
all twelve in `course bench honest`.
"""

import ast
import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import classroom
import pytest
from bad.run import grade
from front_ends import ADDED, SAVES, saves

from course_lib.bench import honest
from course_lib.grading.scoring import signs
from course_lib.notebook.cells import lab_of, read_book
from course_lib.notebook.check import long_names
from course_lib.notebook.language import is_long, shape
from course_lib.notebook.submit import find_notebook, missing
from course_lib.notebook.written import written_answers
from course_lib.questions import core

ROOT = Path(__file__).parents[2]
NO_OUTPUTS = ("jupytext", "nbstripout", "marimo")
CHANGED = ("marimo", "#@title, %%time")  # most of the cells' text; %%time and %%capture alone as the latter
TOPS = re.compile(r"(?:(?:#@title Cell|%%time|%%capture).*\n)*")


@cache
def released(lab):
    text = (ROOT / "solutions" / f"{lab}.ipynb").read_text(encoding="utf-8")
    return text, *read_book(ROOT / "solutions" / f"{lab}.ipynb")


def asked(lab, kind):
    return [q for q in core.questions_of(lab) if isinstance(q, kind)]


def told(cells, lab):
    """All that is told of a notebook: to the student by submit(), to the instructor as flags."""
    questions = asked(lab, core.Question)
    ids = [q.id for q in questions]
    checked = [q.id for q in core.questions_of(lab) if not isinstance(q, core.WrittenQuestion)]
    code = [source for _, kind, source in cells if kind == "code"]
    return [
        *missing(cells, questions),
        *long_names(code, ids),
        *signs.static_flags(cells, checked),
        *signs.forbidden_flags(cells, questions),
        *signs.pasted_flags(cells, questions),
    ]


@pytest.mark.parametrize("lab", core.labs())
def test_every_save_is_read_as_the_notebook_was(lab, tmp_path):
    text, cells, passed, notes = released(lab)
    written = [q.id for q in asked(lab, core.WrittenQuestion)]
    answers = written_answers(cells, written)
    assert passed and not notes and not told(cells, lab) and not any(note for _, note in answers.values())
    path = tmp_path / f"{lab}.ipynb"
    for name, file in saves(text):
        path.write_text(file, encoding="utf-8")
        got, now_passed, now_notes = read_book(path)
        got = got[ADDED.get(name, 0) :]
        assert [kind for _, kind, _ in got] == [kind for _, kind, _ in cells], name
        assert written_answers(got, written) == answers, name
        assert now_notes == [] and now_passed == (set() if name.startswith(NO_OUTPUTS) else passed), name
        if name != "marimo":
            assert [TOPS.sub("", s).strip() for *_, s in got] == [s.strip() for *_, s in cells], name
        if name in CHANGED:
            assert lab_of(got, {lab: []}) == lab and told(got, lab) == [], name
            for (*_, now), (_, kind, was) in zip(got, cells):  # a cell of few words is not known without its comment
                assert kind != "code" or is_long(now) == is_long(was) or not shape(was), (name, now)


# ---- what such a save once lost -------------------------------------------------------------------------------------


def test_a_heading_of_format_3_keeps_its_level(tmp_path):
    """Without it the heading below the written questions was read as a part of the last answer."""
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["§ 9 Written"], "metadata": {}},
        {"cell_type": "markdown", "source": "<!-- WRITTEN written_1 -->\nSo.", "metadata": {}},
        {"cell_type": "heading", "level": 2, "source": "§ 10 Summary", "metadata": {}},
        *({"cell_type": "heading", "level": level, "source": "A", "metadata": {}} for level in (6, 0, 7.0, "2", None)),
    ]
    path = tmp_path / "three.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}))
    got = read_book(path)[0]
    assert [source for *_, source in got] == [
        "## § 9 Written",
        cells[1]["source"],
        "## § 10 Summary",
        "###### A",
    ] + 4 * ["# A"]
    assert written_answers(got, ["written_1"]) == {"written_1": ("So.", "")}


@pytest.mark.parametrize(
    "source, known",
    [
        ("# LONG\nfit(m.train, lr=1, betas=2)", True),
        ("x = m.train(lr=1, betas=2)", False),
        ("def f(m):\n    return m.train(lr=1, betas=2)", False),
        ("x = (", False),
        ("", False),
    ],
)
def test_a_cell_of_ones_own_is_long_by_its_comment_alone(source, known):
    assert is_long(source) == known


@pytest.mark.slow
def test_no_answer_of_the_banks_is_taken_for_a_long_cell():
    from tests.questions import tally

    for lab in core.labs():
        for name, entry in tally.bank(lab).items():
            for source in entry["right"].values():
                assert not is_long(source), (lab, name, source)


def test_labs_are_python_without_magics():
    """So that marimo and whoever else knows none can convert them."""
    for lab in core.labs():
        for _, kind, source in released(lab)[1]:
            assert kind != "code" or ast.parse(source)


# ---- notebooks that are kept as text --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With the untouched notebook of the lab, which must not be handed in for the text beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    (tmp_path / "00_start_here.ipynb").write_text(released("00_start_here")[0], encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["mine.md", "mine.py", "mine.Rmd", "00_start_here.md"])
def test_jupytexts_text_is_not_handed_in_as_another_notebook(folder, monkeypatch, name):
    os.utime("00_start_here.ipynb", (1e9, 1e9))
    (folder / name).write_text("text")
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / name))
    with pytest.raises(LookupError, match=f"jupytext --to ipynb {name}.*{Path(name).stem}.ipynb"):
        find_notebook()


def test_jupytexts_pair_is(folder, monkeypatch):
    (folder / "00_start_here.md").write_text("text")
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "00_start_here.md"))
    assert find_notebook() == folder / "00_start_here.ipynb"


def test_marimo(folder, monkeypatch):
    marimo = SimpleNamespace(running_in_notebook=lambda: True)
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    with pytest.raises(LookupError, match="marimo export ipynb mine.py -o mine.ipynb.*submit.notebook=.mine.ipynb"):
        find_notebook(namespace={"__file__": str(folder / "mine.py")})
    marimo.running_in_notebook = lambda: False  # only imported
    assert find_notebook().name == "00_start_here.ipynb"


# ---- points ---------------------------------------------------------------------------------------------------------


def test_points(zygote, tmp_path):
    """Of the saves that change most, on lab 00; `course bench honest` grades all of all labs."""
    lab = "00_start_here"
    books = honest.front_ends([lab])[lab]
    assert len(books) == len(SAVES)
    for who in ("saved-by-marimo", "saved-by-nbconvert-3", "saved-by-title-time"):
        result = grade(tmp_path, who, books[who], lab, zygote.spawn)
        assert honest.found_in(lab, result) == ([], 0.0, []) and result["notes"] == [], who


def test_a_model_that_was_not_handed_in_is_no_doubt(zygote, tmp_path):
    """A bare notebook: its stored output says that the model has passed, its row that none is there, and no more."""
    book = json.loads(classroom.notebook(classroom.sources(classroom.right_answers())))
    said = {"output_type": "stream", "name": "stdout", "text": "✓ pretrained_model: passed, 2 of 2 points\n"}
    next(cell for cell in book["cells"] if "pretrained_model" in cell["source"])["outputs"] = [said]
    result = grade(tmp_path, "ada", json.dumps(book), classroom.LAB, zygote.spawn)
    assert result["flags"] == [] and result["notes"] == []
    assert classroom.statuses(result)["pretrained_model"] == "missing"
    assert classroom.function_points(result) == classroom.AUTO
