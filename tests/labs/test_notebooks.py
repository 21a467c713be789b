"""The real labs: the gate, the static rules, and a student who presses Run all on the untouched notebook."""

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
from course_lib.authoring.source import BADGE
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


@pytest.fixture
def kernel(warm, tmp_path):
    """A client of a kernel in tmp_path, whose work folder is empty."""
    path, _ = write_connection_file(str(tmp_path / "kernel.json"))
    environment = {"COURSE_SIZE": "tiny", "COURSE_WORK": str(tmp_path / "work"), "JPY_PARENT_PID": str(warm.pid)}
    asked = {"connection": path, "folder": str(tmp_path), "environment": environment}
    print(json.dumps(asked), file=warm.stdin, flush=True)
    client = BlockingKernelClient()
    client.load_connection_file(path)
    client.start_channels(hb=False)  # a heart that does not beat yet is no dead kernel
    client.wait_for_ready(timeout=600)
    yield client
    client.shutdown()
    client.stop_channels()


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_run_all_on_the_student_notebook_stops_nowhere(lab, tmp_path, kernel):
    shutil.copy(ROOT / "labs" / f"{lab}.ipynb", tmp_path)
    notebook = nbformat.read(tmp_path / f"{lab}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip():
            reply = kernel.execute_interactive(
                cell.source, allow_stdin=False, timeout=300, output_hook=lambda message: None
            )
            assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
