"""Written answers wherever students put them: the reader sees the text, and a note on where it was found."""

import json
import re

import nbformat
import pytest

from course_lib.notebook.cells import read_cells
from course_lib.notebook.written import STUB, written_answers
from course_lib.platform import ROOT
from course_lib.questions import core

IDS = ["written_1", "written_2"]
ONE = ("markdown", "## § 6 Two written questions\n\nA person reads these.\n\n**1.** Why is it so?")
TWO = ("markdown", "**2.** Name a thing.")
END = [("markdown", "## § 7 Hand in\n\nSave the notebook."), ("code", "# LONG\nhanded_in = submit()")]
B = ("markdown", "<!-- WRITTEN written_2 -->\nAsk for one who is not there.")


def below_mark(text=STUB, kind="markdown", name="written_1"):
    return kind, f"<!-- WRITTEN {name} -->\n{text}"


def answers(*cells):
    return written_answers([(number, kind, source) for number, (kind, source) in enumerate(cells)], IDS)


# {where: (cells, the first answer's text, a word of the note)}; the second answer is as it should be in all
PLACES = {
    "where it belongs": ([ONE, below_mark("So."), TWO, B, *END], "So.", ""),
    "in the next cell": ([ONE, below_mark(), ("markdown", "So."), TWO, B, *END], "So.", "cell 2"),
    "in the next cell, raw": ([ONE, below_mark(), ("raw", "So."), TWO, B, *END], "So.", "cell 2 (raw)"),
    "in the next cell, prose in code": (
        [ONE, below_mark(), ("code", "It is so."), TWO, B, *END],
        "It is so.",
        "(code)",
    ),
    "in the next cell, a comment": (
        [ONE, below_mark(), ("code", "# It is so."), TWO, B, *END],
        "# It is so.",
        "(code)",
    ),
    "in the next cell, with a heading": (
        [ONE, below_mark(), ("markdown", "# Answer\nSo."), TWO, B, *END],
        "# Answer\nSo.",
        "cell 2",
    ),
    "over two cells": ([ONE, below_mark("So."), ("markdown", "And so."), TWO, B, *END], "So.\n\nAnd so.", "cells 1, 2"),
    "over three cells": (
        [ONE, below_mark("a"), ("markdown", "b"), ("raw", "c"), TWO, B, *END],
        "a\n\nb\n\nc",
        "cells 1, 2, 3 (raw)",
    ),
    "in a cell above the mark": ([ONE, ("markdown", "So."), below_mark(), TWO, B, *END], "So.", "cell 1"),
    "in the question's own cell": ([("markdown", f"{ONE[1]}\n\nSo."), below_mark(), TWO, B, *END], "So.", "cell 0"),
    "the mark deleted": ([ONE, ("markdown", "So."), TWO, B, *END], "So.", "is gone"),
    "the mark deleted, raw": ([ONE, ("raw", "So."), TWO, B, *END], "So.", "(raw); its mark"),
    "the mark deleted, over two": (
        [ONE, ("markdown", "So."), ("markdown", "Yes."), TWO, B, *END],
        "So.\n\nYes.",
        "gone",
    ),
    "moved to the top": ([below_mark("So."), ONE, TWO, B, *END], "So.", ""),
    "moved to the end": ([ONE, TWO, B, *END, below_mark("So.")], "So.", ""),
    "moved, and written below": ([ONE, TWO, B, *END, below_mark(), ("markdown", "So.")], "So.", "cell 6"),
    "prefixed": ([ONE, ("markdown", f"Mine: {below_mark('So.')[1]}"), TWO, B, *END], "Mine:\n\nSo.", "cell 1"),
    "prefixed by a heading": (
        [ONE, ("markdown", f"# Mine\n{below_mark('So.')[1]}"), TWO, B, *END],
        "# Mine\n\nSo.",
        "1",
    ),
    "indented mark": ([ONE, ("markdown", "  <!--WRITTEN written_1-->\nSo."), TWO, B, *END], "So.", ""),
    "now raw": ([ONE, below_mark("So.", "raw"), TWO, B, *END], "So.", "(raw)"),
    "now code": ([ONE, below_mark("So it is.", "code"), TWO, B, *END], "So it is.", "(code)"),
    "now code that is Python": ([ONE, below_mark("x = 1", "code"), TWO, B, *END], "x = 1", "(code)"),
    "%md of Databricks": ([ONE, ("code", f"%md\n{below_mark('So.')[1]}"), TWO, B, *END], "So.", "(code)"),
    "%md in the next cell": ([ONE, below_mark(), ("code", "%md\nSo."), TWO, B, *END], "So.", "(code)"),
    "%%markdown": ([ONE, below_mark(), ("code", "%%markdown\nSo."), TWO, B, *END], "So.", "(code)"),
    "%%markdown below a title": (
        [ONE, below_mark(), ("code", "#@title Mine\n%%markdown\nSo."), TWO, B, *END],
        "#@title Mine\nSo.",
        "(code)",
    ),
    "a copy before": ([ONE, below_mark(), below_mark("So."), TWO, B, *END], "So.", "more than once"),
    "a copy after": ([ONE, below_mark("So."), below_mark(), TWO, B, *END], "So.", "more than once"),
    "the same twice": ([ONE, below_mark("So."), below_mark("So."), TWO, B, *END], "So.", "more than once"),
    "two answers": ([ONE, below_mark("So."), below_mark("No."), TWO, B, *END], "So.\n\nNo.", "cells 1, 2"),
    "with numbers": (
        [ONE, below_mark("**1.** a\n\n**2.** b"), ("markdown", "**2.** c"), TWO, B, *END],
        "**1.** a\n\n**2.** b\n\n**2.** c",
        "cells 1, 2",
    ),
    "below the stub": ([ONE, below_mark(f"{STUB}\n\nSo."), TWO, B, *END], f"{STUB}\n\nSo.", ""),
    "below the lab's end": ([ONE, below_mark(), TWO, B, *END, ("markdown", "1: so.")], "1: so.", "at the end"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_answer_is_found(place):
    cells, text, words = PLACES[place]
    found = answers(*cells)
    assert found["written_1"][0] == text and words in found["written_1"][1]
    assert bool(words) == bool(found["written_1"][1])
    assert found["written_2"] == ("Ask for one who is not there.", "")


def test_all_in_one_cell():
    parts = [ONE[1], below_mark("So.")[1], TWO[1], B[1]]
    found = answers(("markdown", "\n\n".join(parts)), *END)
    assert found["written_1"][0].startswith("So.") and found["written_2"][0] == "Ask for one who is not there."


@pytest.mark.parametrize(
    "cells, words",
    [
        ([ONE, below_mark(), TWO, B, *END], "nothing was written: 0 suggested"),
        ([ONE, below_mark(""), TWO, B, *END], "nothing was written: 0 suggested"),
        ([ONE, below_mark(), below_mark(), TWO, B, *END], "nothing was written: 0 suggested"),
        ([ONE, TWO, B, *END], "its cell is missing"),
        ([TWO, B, *END], "its cell is missing"),
        ([*END], "its cell is missing"),
        ([], "its cell is missing"),
    ],
)
def test_nothing_was_written_is_said_of_an_untouched_cell_only(cells, words):
    text, note = answers(*cells)["written_1"]
    assert text == "" and note.startswith(words)


def test_the_labs_are_as_it_is_read():
    """Each question is one line that begins with its number, in no other cell, above its mark; and the stub is ours."""
    for lab in core.labs():
        cells = read_cells(ROOT / "labs" / f"{lab}.ipynb")
        ids = [q.id for q in core.questions_of(lab) if isinstance(q, core.WrittenQuestion)]
        found = written_answers(cells, ids)
        assert found and set(found.values()) == {("", "nothing was written: 0 suggested")}, lab
        for place, name in enumerate(ids, 1):
            asking = [n for n, _, source in cells if re.search(rf"^\*\*{place}\.\*\* .+\Z", source, re.M)]
            assert [cells[n + 1][2] for n in asking] == [f"<!-- WRITTEN {name} -->\n{STUB}"], (lab, name)


@pytest.mark.parametrize(
    "text", ["a\u00a0b", "2,354\u202fnats", "می\u200cشود", "👩\u200d🏫", "熵\u3000平均", "e\u0301", "a\u00adb"]
)
def test_no_character_is_lost(tmp_path, text):
    path = tmp_path / "notebook.ipynb"
    cells = [nbformat.v4.new_markdown_cell(source) for _, source in (ONE, below_mark(text), TWO, B)]
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    assert written_answers(read_cells(path), IDS)["written_1"] == (text, "")
    path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=True))
    assert written_answers(read_cells(path), IDS)["written_1"] == (text, "")
