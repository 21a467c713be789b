"""A notebook's bytes, as judge.py reads them before any of it runs: cells, written answers, signs."""

import json
import re
from pathlib import Path

from course_lib.grading.reports.review import handed_in
from course_lib.grading.scoring import judge, signs
from course_lib.notebook import cells as notebooks
from course_lib.notebook.written import written_answers
from course_lib.questions import core, wire

SHAPE = "json"
# fmt: off
WORDS = ["cells", "source", "cell_type", "outputs", "text", "data", "text/plain", "metadata", "worksheets", "input",
    "code", "markdown", "raw", "heading", "%%time\n", "%%bash\n", "!ls", "x = %pwd", "await f()", "'''", "def ",
    "# LONG", "<!-- WRITTEN written_1 -->", "**1.** ", "## § 6", "YOUR ANSWER HERE", "![", "](", "<img",
    "surprise: passed, 1", 'check("surprise")', "# EXERCISE surprise", "data:image/png;base64,",
    "setup('00_start_here')", "lambda: ", "torch.", "<<<<<<< a\n", ">>>>>>> b\n", "%md\n", "import torch as t",
    "t.add = ", "f'{", "*", "(", "\\\n", ":=", "match x:"]
# fmt: on
LABS = ("00_start_here", "02_pretraining")

# every reason there is, its numbers as N: what else stood in one could be a student's
JSON_ERRORS = (
    r"Expecting value|Expecting property name enclosed in double quotes|Expecting '[:,]' delimiter|Extra data|"
    r"Unterminated string starting at|Invalid control character at|Invalid \\escape|Invalid \\uXXXX escape|"
    r"Illegal trailing comma before end of \w+|Unexpected UTF-N BOM \(decode using utf-N-sig\)"
)
BROKEN = "the file is not a notebook: its JSON is broken(?: and seems to be cut off)?"
REASONS = [
    r"the notebook has no cells with text in them",
    r"the text of the cells is far longer than a lab's",
    r"the notebook has N MB(?: without its outputs)?: .*",
    r"the notebook file is empty \(N bytes\): the upload did not finish",
    r"the file is JSON but not a notebook",
    r"the notebook is in format -?N, which is too old: save it with a Jupyter of today",
    r"the file is JSON but has no cells: not a notebook",
    r"the file holds an unresolved conflict of Git .*hand it in again",
    r"the file is a web page \(HTML\), not a notebook: probably a login page was saved in its place",
    rf"{BROKEN} \((?:{JSON_ERRORS}): line N column N.*\)",
    rf"{BROKEN} \((?:maximum recursion depth|Exceeds the limit).*\)",
    r"the notebook's stored outputs have far too many parts: clear them, hand it in again",
]
REASON = re.compile("|".join(REASONS))


def read(data, scratch):
    path = Path(scratch, "notebook.ipynb")
    path.write_bytes(data)
    try:
        cells, passed, notes = notebooks.read_book(path)
    except notebooks.Ungradable as reason:
        assert REASON.fullmatch(re.sub(r"\d+", "N", str(reason))), reason
        return str(reason)
    assert cells and notes == [] and all(type(name) is str for name in passed)
    for n, kind, source in cells:
        assert type(n) is int and kind in ("code", "markdown", "raw") and type(source) is str and "\r" not in source
    for *_, source, output in handed_in.cells_in(scratch):  # as a person gets them who decides
        assert type(source) is str and type(output) is str and "\x1b" not in source + output
    written_again(cells, path)
    cut_as_a_large_one(data, path, cells)
    wire.decode(wire.encode([[n, source] for n, _, source in cells]))  # as they go into the box
    return [len(cells), sorted(passed), judged(cells)]


def written_again(cells, path):
    """What was read, written down and read, is the same but for what markdown may have had pasted into it."""
    plain = [(n, kind, source) for n, kind, source in cells if kind == "code" or "data:image/" not in source]
    book = {"nbformat": 4, "cells": [{"cell_type": kind, "source": source} for _, kind, source in plain]}
    path.write_bytes(json.dumps(book).encode())
    if plain:
        again = [(kind, source) for _, kind, source in notebooks.read_book(path)[0]]
        assert again == [(kind, source) for _, kind, source in plain]


def cut_as_a_large_one(data, path, cells):
    """A notebook has the same cells when its outputs are cut off before it is read, as those of large ones are."""
    path.write_bytes(notebooks.without_outputs(data))
    assert notebooks.read_book(path)[0] == cells


def judged(cells):
    """What judge.py does with the cells, without its budgets, under which too slow would be only a flag."""
    lab = notebooks.lab_of(cells, {name: [q.id for q in core.questions_of(name)] for name in LABS})
    questions = core.questions_of(lab if lab in LABS else LABS[0])
    asked = [q for q in questions if isinstance(q, core.Question)]
    checked = [q.id for q in questions if not isinstance(q, core.WrittenQuestion)]
    texts = written_answers(cells, [q.id for q in questions if isinstance(q, core.WrittenQuestion)])
    assert all(type(text) is str and len(text) <= 20_000 and type(note) is str for text, note in texts.values())
    flags = signs.static_flags(cells, checked) + signs.forbidden_flags(cells, asked)
    flags += signs.pasted_flags(cells, asked)
    assert all(set(flag) == {"kind", "evidence"} for flag in flags)
    notes = signs.double_notes(cells, [q.id for q in asked])
    notes += [where for q in asked if (where := notebooks.not_code(cells, q.id))]
    judge.needs_gpu(cells, [])
    return [lab, flags, notes, sorted(texts.items())]
