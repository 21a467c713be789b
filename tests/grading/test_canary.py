"""What a student's code learns from a hidden input reaches no page that the student sees, whatever status it brings.

Every function here carries its input out in another way, behind the word CANARY; whatever goes back to students or is
shown to a class, and every field that the grader calls its own, is then searched for the word.
"""

import io
import json
import re
import zipfile

import classroom
import people
import pytest
import tally
import torch
from people import LAB

from course_lib.grading.lms import gradescope, worksheet
from course_lib.grading.people import gradebook
from course_lib.grading.records import store
from course_lib.grading.reports import feedback, page, phrases, stats
from course_lib.questions import core

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


FILES = {
    "canvas": "Student,ID,SIS User ID,SIS Login ID,Section,Lab 00 (1)\n    Points Possible,,,,,2.0\neve,1,eve,eve,,\n",
    "moodle": 'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",'
    '"Last modified (submission)","Feedback comments"\n"Participant 1",eve,,"Submitted for grading",,2.00,Yes,-,\n',
}


def given_back(root):
    """{what: text} of all that students get to see of a graded class in `root`: pages, results.json, files for the LMS,
    the statistics.
    """
    grades, submitted = root / "grades", root / "submissions"
    feedback.write(LAB, root / "out", True, grades=grades, submitted=submitted)
    found = {path.name: path.read_text() for path in (root / "out").iterdir()}
    assert found
    graded = page.rows_of(LAB, grades, submitted)
    for row in graded:
        found["results.json"] = json.dumps(gradescope.results(row["result"], 1.0))
    book = gradebook.rows(LAB, grades, submitted)
    if any(row["final"] is not None for row in book):
        with zipfile.ZipFile(io.BytesIO(gradescope.shown_grades(LAB, book)[0])) as archive:
            found["Gradescope's zip"] = archive.read("autograder.json").decode()
        for kind, text in FILES.items():
            (root / kind).write_text(text)
            data, notes = worksheet.fill(root / kind, LAB, kind, book, scale=True)
            found[kind] = data.decode() + "\n".join(notes)
            assert data.decode() != text, "its grade is in it"
    about = stats.summary(LAB, graded)
    found["stats"] = "\n".join(map(str, stats.lines_of(about))) + stats.as_html(LAB, about)
    return found


def sources(body):
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return classroom.notebook(classroom.sources({"surprise": f"def surprise(options):\n{lines}"}, LAB))


@pytest.mark.parametrize("way", WAYS)
def test_no_page_and_no_reason_says_what_a_call_has_seen(zygote, tmp_path, way):
    body, status = WAYS[way]
    result = classroom.grade_here(tmp_path, "eve", sources(body), lab=LAB, spawn=zygote.spawn)
    assert result["status"] == status, result
    own = {key: result.get(key) for key in ("status", "reason", "notes", "cells_stopped", "log_cells")}
    assert "CANARY" not in json.dumps(own)
    assert [name for name, text in given_back(tmp_path).items() if "CANARY" in text] == []


def test_a_submission_that_stops_the_grader_again_and_again(zygote, tmp_path, monkeypatch):
    from course_lib.grading.sandbox import box as boxes

    monkeypatch.setattr(boxes, "RESTARTS", 0)
    result = classroom.grade_here(tmp_path, "eve", sources(WAYS["its death"][0]), lab=LAB, spawn=zygote.spawn)
    assert result["status"] == "partial" and "CANARY" in result["log_tail"]
    assert [name for name, text in given_back(tmp_path).items() if "CANARY" in text] == []


SAID = "CANARY[3, 5] yours is CANARY3, expected CANARY5: CANARY"


@pytest.mark.parametrize("status", store.STATUSES)
def test_no_page_says_what_a_result_holds_of_a_call(tmp_path, status):
    """Whatever a student's process may have put into a result of any status: the text of every case of every status."""
    own = dict.fromkeys(("mistake", "hint", "reread"), SAID)
    cases = [people.case("the core")] + [people.case(f"case {s}", s, message=SAID, **own) for s in phrases.STATUS]
    question = people.question("surprise", cases) | {"message": SAID, "flags": [{"kind": "x", "evidence": SAID}]}
    # what its cells said before any call, and the grader's reason for not grading, are meant to be seen
    said = {"log_tail": SAID, "flags": [{"kind": "forged reply", "evidence": SAID}], "status": status}
    said["reason"] = SAID if status == "infra_error" else "the notebook has no cells with text in them"
    people.graded(tmp_path, "eve", [] if status in ("ungradable", "infra_error") else [question], **said)
    assert [name for name, text in given_back(tmp_path).items() if "CANARY" in text] == []


def first_wrong():
    seen = set()
    for question, kind, label, source, _ in tally.entries():
        if kind == "wrong" and question.id not in seen:
            seen.add(question.id)
            yield question, label, source


def kind(case):
    """The kind of difference that a message tells of: which phrase a student reads of it."""
    return next((pattern for pattern in phrases.KINDS if re.search(pattern, case["message"] or "")), None)


@pytest.mark.slow
def test_what_is_told_does_not_depend_on_the_hidden_inputs():
    """A wrong answer to every question of every lab, on inputs from two seeds: where the same cases fail alike,
    students are told the same, to the letter. So no number, text, list or tensor of a hidden input is in it.
    """
    compared = 0
    for question, label, source in first_wrong():
        shown, how = [], []
        for seed in ("hidden one", "hidden two"):
            row = json.loads(json.dumps(core.dataclasses.asdict(tally.verdict(question, source, seed))))
            how.append([(c["name"], c["status"], bool(c["mistake"]), bool(c["hint"]), kind(c)) for c in row["cases"]])
            test = gradescope.test_of(question.lab, row, question)
            shown.append(
                (test, [phrases.told(case, question.lab) for case in row["cases"] if case["status"] != "pass"])
            )
        if how[0] == how[1]:
            compared += 1
            assert shown[0] == shown[1], (question.lab, question.id, label)
    assert compared > 0.8 * len(list(first_wrong()))


def test_a_generator_that_is_handed_out_tells_of_no_input(monkeypatch):
    """Neither its seed nor what it will draw is that of the inputs, of its own case or of any other."""
    handed, own = [], []
    call, begin = core.LocalCaller.call, core.Q.__init__

    def watched(self, name, args, kwargs, options, timeout):
        handed.extend(value for value in (*args, *kwargs.values()) if isinstance(value, torch.Generator))
        return call(self, name, args, kwargs, options, timeout)

    def begun(self, *given):
        begin(self, *given)
        own.append((self.generator.initial_seed(), self.generator.get_state()))

    monkeypatch.setattr(core.LocalCaller, "call", watched), monkeypatch.setattr(core.Q, "__init__", begun)
    asked = set()
    for question, kind, _, source, _ in tally.entries():
        if kind == "right" and "enerator" in source and question.id not in asked:
            asked.add(question.id)
            assert tally.verdict(question, source, "hidden").status == "pass"
    assert {"init_lora", "critique_and_revise"} <= asked and len(handed) > 10
    draws = lambda state, n: torch.rand(n, generator=restored(state))
    streams = torch.stack([draws(state, 4000) for _, state in own])
    for generator in handed:
        assert generator.initial_seed() % 2**32 not in {seed % 2**32 for seed, _ in own}
        first = draws(generator.get_state(), 3)
        alike = sum(streams[:, k : 3998 + k] == first[k] for k in range(3))
        assert not bool((alike == 3).any()), "it goes on where the inputs of a case stopped"


def restored(state):
    generator = torch.Generator()
    generator.set_state(state)
    return generator


def test_what_cells_say_is_that_of_the_run_before_any_call(zygote):
    from course_lib.grading.sandbox.box import Box
    from course_lib.questions.invoke import CallFailed

    cells = [
        (0, "import time\nprint(time.time())\nraise ValueError(time.time())"),
        (1, "import os\ndef die(x):\n    os._exit(1)\ndef live(x):\n    return x"),
    ]
    made = Box(cells, zygote.spawn)
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
