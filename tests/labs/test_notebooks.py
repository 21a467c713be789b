"""The real labs: the gate, the static rules, and every cell once at size tiny, as the student finds it and answered."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from lint import lint

from course_lib.authoring import build as building
from course_lib.authoring.build import build
from course_lib.authoring.source import BADGE, kind_of
from course_lib.platform import COURSE_REF, COURSE_REPO
from course_lib.questions.core import ArtifactQuestion, questions_of

ROOT = Path(__file__).parents[2]
LABS = sorted(path.stem for path in (ROOT / "solutions").glob("[0-9][0-9]_*.py"))


def test_every_source_has_its_notebooks_and_no_notebook_is_without_one():
    assert sorted(path.stem for path in (ROOT / "labs").glob("*.ipynb")) == LABS
    assert sorted(path.stem for path in (ROOT / "solutions").glob("*.ipynb")) == LABS


def test_badges_of_the_readme_come_from_the_one_setting():
    badges = re.findall(r"\[!\[Open in Colab\].*?\)\]\(.*?\)", (ROOT / "README.md").read_text())
    assert badges == [BADGE.format(repo=COURSE_REPO, ref=COURSE_REF, path=f"labs/{lab}.ipynb") for lab in LABS]


@pytest.mark.parametrize("lab", LABS)
def test_gate(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert build(lab, ROOT, check=True)[0] == []


def test_long_cells_are_written_down(tmp_path, monkeypatch):
    assert building.long_cells(ROOT, check=True) == []
    written = building.SHAPES.read_bytes()
    monkeypatch.setattr(building, "SHAPES", tmp_path / "long_cells.json")
    assert "run `course build`" in building.long_cells(ROOT, check=True)[0] and not building.SHAPES.exists()
    assert building.long_cells(ROOT) == [] and building.SHAPES.read_bytes() == written


@pytest.mark.parametrize("lab", LABS)
def test_static_rules(lab):
    path = ROOT / "labs" / f"{lab}.ipynb"
    trains = any(isinstance(q, ArtifactQuestion) for q in questions_of(lab))
    assert lint(path, nbformat.read(path, as_version=4), trains) == []


@pytest.fixture(scope="module")
def warm():
    """The process that starts kernels (warm.py): its stdin. They end with it."""
    program = [sys.executable, "-P", str(Path(__file__).with_name("warm.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """One work folder for all labs: each finds in it the stages that those before it have saved."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def kernel(warm, work, tmp_path):
    """A client of a kernel in tmp_path."""
    path, _ = write_connection_file(str(tmp_path / "kernel.json"))
    environment = {"COURSE_SIZE": "tiny", "COURSE_WORK": str(work), "JPY_PARENT_PID": str(warm.pid)}
    asked = {"connection": path, "folder": str(tmp_path), "environment": environment}
    print(json.dumps(asked), file=warm.stdin, flush=True)
    client = BlockingKernelClient()
    client.load_connection_file(path)
    client.start_channels(hb=False)  # a heart that does not beat yet is no dead kernel
    client.wait_for_ready(timeout=600)
    yield client
    client.shutdown()
    client.stop_channels()


def words(outputs) -> str:
    """What is printed, and the text of what is displayed."""
    return "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def run(kernel, cell) -> str:
    """Runs a cell, which must not raise. Returns its words."""
    said = []

    hear = lambda message: said.append(message["content"])
    reply = kernel.execute_interactive(cell.source, allow_stdin=False, timeout=300, output_hook=hear)
    assert reply["content"]["status"] == "ok", "\n".join([cell.source, *reply["content"]["traceback"]])
    return words(said)


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_the_notebook_from_top_to_bottom(lab, tmp_path, kernel):
    """A student who presses Run all on the untouched notebook stops nowhere. And where they answer as the solution
    does, the check says what it has said in the solution's own run; after that the exercises are untouched again, so
    that the cells behind meet a student who has not answered.
    """
    shutil.copy(ROOT / "labs" / f"{lab}.ipynb", tmp_path)
    student, solution = (nbformat.read(ROOT / place / f"{lab}.ipynb", as_version=4) for place in ("labs", "solutions"))
    answered = {cell.id: cell for cell in solution.cells}
    exercises, checked = {}, 0
    for cell in student.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        run(kernel, cell)
        kind, name = kind_of(cell)
        if kind == "exercise":
            exercises[name] = cell
        elif kind == "check" and name in exercises:
            for exercise in exercises.values():  # an answer may use those before it
                run(kernel, answered[exercise.id])
            assert run(kernel, cell) == words(answered[cell.id].outputs), cell.source
            for exercise in exercises.values():
                run(kernel, exercise)
            checked += 1
    assert checked == len(exercises)
