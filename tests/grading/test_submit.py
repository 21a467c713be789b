"""submit(): saved, complete, one zip with a receipt; and what it says when it cannot."""

import hashlib
import json
import zipfile

import pytest
from classroom import LAB, notebook, right_answers, sources

from course_lib.grading.intake import collect
from course_lib.notebook.submit import submit


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_WORK", raising=False)
    monkeypatch.delenv("COURSE_STUDENT", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    (tmp_path / f"{LAB}.ipynb").write_text(notebook(sources(right_answers())))
    return tmp_path


def test_zip_receipt_and_the_way_to_collect(here, capsys):
    (here / "work/pretrain").mkdir(parents=True)
    (here / "work/pretrain/model.safetensors").write_bytes(b"weights")
    (here / "work/pretrain/record.json").write_text("{}")
    path = submit(student="Ann Ö", namespace={})
    said = capsys.readouterr().out
    assert path.name.startswith(LAB) and hashlib.sha256(path.read_bytes()).hexdigest() in said
    assert sorted(zipfile.ZipFile(path).namelist()) == [
        f"{LAB}.ipynb",
        "manifest.json",
        "work/pretrain/model.safetensors",
        "work/pretrain/record.json",
    ]
    assert (
        collect.collect(LAB, [path], submitted=here / "in", say=lambda line: None)["taken"] == 1
        and (here / "in" / LAB / "Ann Ö").is_dir()
    )


def test_a_missing_model_and_unwritten_exercises_are_told(here, capsys):
    (here / f"{LAB}.ipynb").write_text(
        notebook(sources({"rms_norm": "def rms_norm(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"}))
    )
    assert submit(namespace={}).exists()
    said = capsys.readouterr().out
    assert (
        "no model in" in said
        and "rms_norm: not written yet" in said
        and "causal_attention: its cell is not in the notebook" in said
    )


def test_an_unsaved_notebook_is_not_submitted(here, capsys):
    assert submit(namespace={"In": ["", "# EXERCISE rms_norm\ndef rms_norm(x): return 'newer'"]}) is None
    assert "not saved since you last ran rms_norm" in capsys.readouterr().out and not (here / "submissions").exists()


CASES = {
    "two notebooks": (lambda p: (p / "00_start_here.ipynb").write_text("{}"), {}, "say which one"),
    "no such file": (lambda p: None, {"notebook": "nothing.ipynb"}, "no file nothing.ipynb"),
    "corrupt": (lambda p: (p / f"{LAB}.ipynb").write_text('{"cells": ['), {}, "JSON is broken"),
    "another course": (
        lambda p: (p / f"{LAB}.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": "1"}]})),
        {},
        "not look like a lab",
    ),
    "unwritable": (lambda p: (p / "submissions").write_text("a file"), {}, "cannot write to"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stops_it_is_one_line(here, capsys, case):
    prepare, options, words = CASES[case]
    prepare(here)
    assert submit(namespace={}, **options) is None
    said = capsys.readouterr().out.strip()
    assert words in said and said.count("\n") == 0
