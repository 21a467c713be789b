"""Runs the solutions of the labs from their sources, each in a folder of its own, with the Python that runs this;
prints a table.

    python scripts/run_labs.py [LAB ...]       sizes by COURSE_SIZE, tiny unless set; COURSE_FAKE_COLAB=1: the kernels
                                               think that they are on Colab

Exit status 1 if a lab stops; then its row has the cell, the exception and the last line of the course's own code on the
way there.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
CELL_SECONDS = int(os.environ.get("COURSE_CELL_SECONDS", "600"))


def where(traceback):
    """The last frame in course_lib, as `stages/sft.py:40`, or "" where the exception came from the cell itself."""
    frames = re.findall(r"course_lib/([\w/]+\.py):(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback)))
    return ":".join(frames[-1]) if frames else ""


def first_line(cell):
    return cell.source.strip().splitlines()[0][:60]


def stopped(notebook):
    """(number of the cell, its first line, exception, frame) of the cell with an error."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return (
                    number,
                    first_line(cell),
                    f"{output.ename}: {output.evalue}".splitlines()[0][:200],
                    where(output.traceback),
                )
    return None


def run(path):
    """None if the notebook runs to its end, else one line that says which cell stops and why."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="littlebrook-labs-") as folder:
        roots = [str(ROOT / "tests/setup/fake_colab")] if os.environ.get("COURSE_FAKE_COLAB") else []
        environment = {
            **os.environ,
            "COURSE_WORK": f"{folder}/work",
            "PYTHONWARNINGS": "ignore",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "MPLBACKEND": "agg",
            "HF_HUB_OFFLINE": "1",
        }
        environment["PYTHONPATH"] = os.pathsep.join([*roots, str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment.setdefault("COURSE_SIZE", "tiny")
        if roots:  # Colab has loaded its own package before the first cell
            notebook.cells.insert(0, nbformat.v4.new_code_cell("import google.colab"))
        began = []
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            on_cell_execute=lambda cell, cell_index: began.append(cell_index),
        )
        try:
            client.execute(env=environment)
        except CellExecutionError:
            number, first, error, frame = stopped(notebook)
            return f"cell {number - bool(roots)} ({first}): {error}" + (f" at course_lib/{frame}" if frame else "")
        except (CellTimeoutError, DeadKernelError) as error:
            number = began[-1]
            return (
                f"cell {number - bool(roots)} ({first_line(notebook.cells[number])}): {type(error).__name__}: "
                f"{str(error).splitlines()[0][:200]}"
            )
    return None


def versions():
    from importlib.metadata import PackageNotFoundError, version

    for name in (
        "torch",
        "numpy",
        "transformers",
        "trl",
        "peft",
        "datasets",
        "ipywidgets",
        "ipython",
        "jupyterlab",
        "torchao",
    ):
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} absent"


def computed():
    """CPU seconds of all kernels so far, which a busy machine does not stretch."""
    return os.times().children_user + os.times().children_system


def main(names):
    labs = sorted(path for path in (ROOT / "solutions").glob("[0-9][0-9]_*.ipynb") if not names or path.stem in names)
    print(f"Python {sys.version.split()[0]}; " + ", ".join(versions()), flush=True)
    wrong = 0
    for path in labs:
        start, before = time.perf_counter(), computed()
        problem = run(path)
        wrong += problem is not None
        print(
            f"{path.stem:32} {time.perf_counter() - start:6.0f} s {computed() - before:6.0f} s CPU  {problem or 'ran'}",
            flush=True,
        )
    print(f"{len(labs) - wrong} of {len(labs)} ran")
    return int(wrong > 0 or not labs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
