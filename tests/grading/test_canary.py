"""What a student's code learns from a hidden input reaches no page that the student sees, whatever status it brings.

Every function here carries its input out in another way, behind the word CANARY; every page and every field that the
grader calls its own is then searched for the word.
"""

import json

import classroom
import pytest
from people import LAB

from course_lib.grading.records import store
from course_lib.grading.reports import feedback

WAYS = {  # body of surprise(options): the status that the submission comes to
    "a text like a missing GPU": (
        "import torch\ntorch.cuda\nraise RuntimeError(f'Found no NVIDIA driver CANARY{options}')",
        "ungradable",
    ),
    "such a text without a word of CUDA in the source": (
        "raise RuntimeError(f'Found no NVIDIA dri' 'ver CANARY{options}')",
        "graded",
    ),
    "a text like the grader's own": ("raise ValueError(f'not run: the submission CANARY{options}')", "graded"),
    "a todo": ("raise NotImplementedError(f'CANARY{options}')", "graded"),
    "an assertion": ("assert False, f'the shape is [CANARY{options}]'", "graded"),
    "out of memory": ("raise MemoryError(f'CANARY{options}')", "graded"),
    "an exit": ("import sys\nsys.exit(f'CANARY{options}')", "graded"),
    "a class": ("raise type(f'CANARY{options}', (Exception,), {})()", "graded"),
    "a value": ("return f'yours is CANARY{options}, expected 1'", "graded"),
    "a value of another kind": ("return {f'CANARY{options}': [f'CANARY{options}']}", "graded"),
    "what it prints": ("import os\nprint(f'CANARY{options}')\nos.write(2, f'CANARY{options}'.encode())", "graded"),
    "its death": ("import os\nprint(f'CANARY{options}', flush=True)\nos._exit(options[0] % 200)", "graded"),
}


def sources(body):
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return classroom.notebook(classroom.sources({"surprise": f"def surprise(options):\n{lines}"}, LAB))


@pytest.mark.parametrize("way", WAYS)
def test_no_page_and_no_reason_says_what_a_call_has_seen(box, tmp_path, way):
    body, status = WAYS[way]
    result = classroom.grade_here(tmp_path, "eve", sources(body), lab=LAB)
    assert result["status"] == status, result
    own = {key: result.get(key) for key in ("status", "reason", "notes", "cells_stopped", "log_cells")}
    assert "CANARY" not in json.dumps(own)
    made = feedback.write(LAB, tmp_path / "out", True, grades=tmp_path / "grades", submitted=tmp_path / "submissions")
    assert made
    for path in (tmp_path / "out").iterdir():
        assert "CANARY" not in path.read_text(), path


def test_what_cells_say_is_that_of_the_run_before_any_call(box):
    from course_lib.grading.sandbox.box import Box
    from course_lib.questions.invoke import CallFailed

    cells = [
        (0, "import time\nprint(time.time())\nraise ValueError(time.time())"),
        (1, "import os\ndef die(x):\n    os._exit(1)\ndef live(x):\n    return x"),
    ]
    made = Box(cells)
    try:
        assert made.call("live", [1.0], {}, {}, 20)["value"] == 1.0
        said = made.stopped, made.cell_log
        with pytest.raises(CallFailed, match="exit status 1"):
            made.call("die", [1.0], {}, {}, 20)
        assert made.call("live", [2.0], {}, {}, 20)["value"] == 2.0 and made.restarts == 1
        assert said == (made.stopped, made.cell_log) and "ValueError" in said[0]["0"]
    finally:
        made.stop()


def test_statuses_are_the_stores_own(tmp_path):
    """A status outside the list never gets into the store, so no page has to expect one."""
    result = {"schema": store.SCHEMA, "lab": LAB, "student": "eve", "submission_sha": "a" * 16, "spec_sha": "b" * 16}
    result |= {"questions": [], "flags": [], "reason": "x", "status": "CANARY"}
    with pytest.raises(store.StoreError, match="status"):
        store.validate(result)
