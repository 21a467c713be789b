"""submit(): saved, complete, one zip with a receipt; and what it says when it cannot."""

import hashlib
import json
import zipfile

import pytest
from classroom import LAB, notebook, right_answers, sources

from course_lib.grading.intake import collect
from course_lib.notebook import check, rehearsal
from course_lib.notebook import submit as submitting
from course_lib.notebook.submit import submit

START = "00_start_here"  # two short answers: a trial run of seconds


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_WORK", raising=False)
    monkeypatch.delenv("COURSE_STUDENT", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    (tmp_path / f"{LAB}.ipynb").write_text(notebook(sources(right_answers())))
    return tmp_path


def test_zip_receipt_and_the_way_to_collect(here, capsys):
    (here / "work/pretrain").mkdir(parents=True)
    (here / "work/pretrain/model.safetensors").write_bytes(b"weights")
    (here / "work/pretrain/record.json").write_text("{}")
    path = submit(student="Ann Ö", namespace={}, run=False)
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
    assert submit(namespace={}, run=False).exists()
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
    assert submit(namespace={}, run=False, **options) is None
    said = capsys.readouterr().out.strip()
    assert words in said and said.count("\n") == 0


def test_a_cell_with_a_magic_is_the_one_that_was_run(here):
    """IPython's In has a cell as Python; what was typed is in its history."""
    source = "%%time\n# EXERCISE rms_norm\ndef rms_norm(x): return x"
    cells = [(0, "code", source)]
    assert submitting.unsaved(cells, [source]) == [] and submitting.unsaved(cells, [source + "  # new"]) == ["rms_norm"]

    class Shell:
        class history_manager:
            input_hist_raw = ["", source]

    namespace = {"In": ["", "get_ipython().run_cell_magic('time', …)"], "get_ipython": Shell}
    assert check.executed(namespace) == ["", source]
    assert check.executed({"In": ["", "x"]}) == ["", "x"] and check.executed({}) == []


@pytest.mark.parametrize(
    "variable, words",
    [
        ("KAGGLE_KERNEL_RUN_TYPE", "Download Notebook"),
        ("DATABRICKS_RUNTIME_VERSION", "File > Export"),
        ("DEEPNOTE_PROJECT_ID", "Export as .ipynb"),
    ],
)
def test_where_the_notebook_is_no_file(here, monkeypatch, capsys, variable, words):
    (here / f"{LAB}.ipynb").unlink()
    monkeypatch.setenv(variable, "x")
    monkeypatch.setattr(check, "_lab", LAB)
    assert submit(namespace={}) is None
    said = capsys.readouterr().out
    assert words in said and f"{LAB}.ipynb" in said and str(here / "work") in said and said.count("\n") == 1


def test_paths_keep_their_capitals(tmp_path, monkeypatch, capsys):
    (tmp_path / "My Lab 02_Pre").mkdir()
    monkeypatch.chdir(tmp_path / "My Lab 02_Pre")
    assert submit(namespace={}) is None
    assert str(tmp_path / "My Lab 02_Pre") in capsys.readouterr().out


# ---- files beside the notebook ---------------------------------------------------------------------------------------


def test_files_that_cells_import_are_packed(here, capsys):
    (here / "mine.py").write_text("import mine_too\n")
    (here / "mine_too.py").write_text("x = 1\n")
    (here / "ran.py").write_text("y = 1\n")
    (here / "unused.py").write_text("z = 1\n")
    (here / "json.py").write_text("z = 1\n")
    (here / "torch.py").write_text("z = 1\n")
    (here / "written.py").write_text("z = 1\n")
    (here / "kit").mkdir()
    (here / "kit" / "__init__.py").write_text("")
    (here / "large.py").write_text("#" * 300_000)
    before = [
        "from mine import mine_too",
        "%run -i ran.py",
        "import torch, json",
        "%%writefile written.py\nz = 1",
        "import written",
        "if False:\n    from kit import a",
        "import large",
    ]
    (here / f"{LAB}.ipynb").write_text(notebook(sources(right_answers(), before=before)))
    path = submit(namespace={}, run=False)
    said = capsys.readouterr().out
    names = set(zipfile.ZipFile(path).namelist())
    assert names == {f"{LAB}.ipynb", "manifest.json", "mine.py", "mine_too.py", "ran.py"}
    assert "json.py has the name of a library" in said and "torch.py has the name of a library" in said
    assert "kit/ is a folder and is not handed in" in said and "large.py is not handed in" in said


# ---- a trial run -----------------------------------------------------------------------------------------------------


@pytest.fixture
def start(here):
    """start(*cells before, answers…): writes a notebook of lab 00, whose trial takes seconds, in place of lab 02's."""
    (here / f"{LAB}.ipynb").unlink()

    def write(*before, written=None, **answers):
        text = notebook(sources(right_answers(START) | answers, START, before=before), written)
        (here / f"{START}.ipynb").write_text(text)

    return write


WRITTEN = {"written_1": "So.", "written_2": "No."}


def test_a_notebook_that_passes_says_nothing(start, capsys):
    start("import math", "%%time\nimport random", written=WRITTEN)
    assert submit(namespace={}).exists()
    said = capsys.readouterr().out
    assert "as the grader will run them" in said and "note:" not in said


def test_what_passes_here_alone_is_told(start, here, capsys):
    (here / "data.txt").write_text("2.718281828459045")
    start(
        "import math",
        "from nowhere import log",
        "e = float(open('data.txt').read())",
        written={"written_1": "So."},
        entropy="def entropy(probs):\n    return -sum(p * log(p) for p in probs if p > 0)",
        surprise="def surprise(p):\n    return -math.log(p) / math.log(e)",
    )
    namespace = {"In": []}
    assert submit(namespace=namespace).exists()
    said = capsys.readouterr().out
    assert "entropy: would not pass when graded" in said and "surprise: would not pass when graded" in said
    assert "No module named 'nowhere'" in said and "No such file" in said
    assert "written_2: its cell is missing" in said and "written_1" not in said


def test_a_name_of_a_long_cell_is_told_by_submit_and_by_check(start, capsys):
    answer = "def entropy(probs):\n    return -sum(p * m.log(p) for p in probs if p > 0)"
    start("import math", "# LONG\nimport math as m", written=WRITTEN, entropy=answer)
    assert submit(namespace={}, run=False).exists()
    line = "entropy uses m, which only a # LONG cell defines"
    assert line in capsys.readouterr().out
    names = {"In": ["# LONG\nimport math as m", f"# EXERCISE entropy\n{answer}"]}
    exec("import math as m\n" + answer, names)
    check.check("entropy", names)
    assert line in capsys.readouterr().out
    names["In"].append("import math as m")
    check.check("entropy", names)
    assert line not in capsys.readouterr().out


def test_an_exercise_that_is_no_code_is_named(start, here, capsys):
    start(written=WRITTEN)
    book = json.loads((here / f"{START}.ipynb").read_text())
    for kind in ("markdown", "raw"):
        cell = next(c for c in book["cells"] if "def entropy" in c["source"])
        cell["cell_type"] = kind
        (here / f"{START}.ipynb").write_text(json.dumps(book))
        assert submit(namespace={}, run=False).exists()
        said = capsys.readouterr().out
        assert f"exercise entropy: its cell, number 3, is a {kind} cell" in said


def test_nothing_is_tried_where_nothing_is_written(start, monkeypatch, capsys):
    stub = "(*_):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    start(entropy=f"def entropy{stub}", surprise=f"def surprise{stub}")
    monkeypatch.setattr(submitting, "rehearse", lambda *_: pytest.fail("it was tried"))
    assert submit(namespace={}).exists()
    assert "surprise: not written yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "cell, words", [("import time\ntime.sleep(60)", "took more than 3 s"), ("import os\nos._exit(3)", "without a word")]
)
def test_a_trial_that_does_not_end_well(start, monkeypatch, capsys, cell, words):
    monkeypatch.setattr(rehearsal, "ALL", 3.0 if "sleep" in cell else 60.0)
    start(cell)
    assert submit(namespace={}).exists()
    assert words in capsys.readouterr().out
