"""The executed solution notebook: how it is made, and whether the one that is there is still that of its source."""

import ast
import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from course_lib.platform import ROOT, CourseError
from course_lib.stages.real import NOT_HERE


def execute(notebook, lab, timeout=7200):
    """Runs a solution notebook in a folder of its own and keeps what is the same in every run: no clock of ours, no
    progress bars, no paths.
    """
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder, f"{lab}.ipynb"))
        here = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {
            **os.environ,
            "COURSE_WORK": f"{folder}/work",
            "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": here,
            **real_model(),
        }
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=environment)
        except (CellExecutionError, CellTimeoutError) as error:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # without IPython's colours
            raise CourseError(f"the solution notebook stops: {plain.strip().splitlines()[-1]}") from error
        for cell in (c for c in notebook.cells if c.cell_type == "code"):
            for (
                output
            ) in cell.outputs:  # a widget without its live state shows nothing; the static page that came with it does
                if "text/html" in output.get("data", {}):
                    output.data.pop("application/vnd.jupyter.widget-view+json", None)
            kept = [
                o
                for o in cell.outputs
                if o.get("name") != "stderr" and not any("widget-view" in mime for mime in o.get("data", {}))
            ]
            for output in kept:
                if output.output_type == "stream":
                    output.text = "\n".join(
                        line.rsplit("\r", 1)[-1] for line in output.text.replace(folder, ".").split("\n")
                    )
            cell.outputs = kept
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def real_model():
    """What a notebook that runs in a folder of its own needs for the real-model sections: where the model is, no
    network, the course's own data.
    """
    named, fetched = os.environ.get("COURSE_SMOLLM") or "", ROOT / "labs" / "smollm2"
    own = Path(named).expanduser()
    place = str(own.absolute()) if named and own.exists() else named or (str(fetched) if fetched.is_dir() else "")
    return {"COURSE_SMOLLM": place, "HF_HUB_OFFLINE": "1", "COURSE_DATA": ""}


def source_cells(notebook):
    """What of a notebook comes from its source: everything but outputs."""
    return [(c.id, c.cell_type, c.source, c.metadata) for c in notebook.cells], {
        k: v for k, v in notebook.metadata.items()
    }


def is_current(path, wanted):
    """None if the executed notebook at `path` is `wanted` plus outputs without an error, else one line."""
    if not path.exists():
        return f"{path.name} is missing: run `course build`"
    have = nbformat.read(path, as_version=4)
    if source_cells(have) != source_cells(wanted):
        return f"{path.name} is older than its source, or was edited: run `course build`"
    code = [c for c in have.cells if c.cell_type == "code"]
    if not all(c.execution_count for c in code) or any(o.output_type == "error" for c in code for o in c.outputs):
        return f"{path.name} was not executed to the end without an error: run `course build --force`"
    if any(NOT_HERE.split(",")[0] in o.get("text", "") for c in code for o in c.outputs):
        return (
            f"{path.name} was executed without the real model: run `course smollm2`, then `course build {path.stem} "
            "--force`"
        )
    return None


def without_imports(text):
    """(lines of a code cell that are no part of an import statement, the names that its imports bind). IPython's own
    lines are kept as they are.
    """
    plain = "\n".join("" if line.lstrip().startswith(("!", "%")) else line for line in text.split("\n"))
    imports = [node for node in ast.walk(ast.parse(plain)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    gone = {line for node in imports for line in range(node.lineno, node.end_lineno + 1)}
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    return [line for number, line in enumerate(text.split("\n"), 1) if number not in gone], names


def keep_outputs(path, wanted):
    """`wanted` with the outputs of the executed notebook at `path`: for a change that moves imports or mends words, and
    could change no output.

    CourseError where a code cell differs in more than its import lines."""
    if not path.exists():
        raise CourseError(f"{path.name} is missing, so there are no outputs to keep: run `course build {path.stem}`")
    have = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    code = [cell for cell in wanted.cells if cell.cell_type == "code"]
    if len(have) != len(code):
        raise CourseError(
            f"{path.name} has {len(have)} code cells and its source {len(code)}: its outputs cannot be kept, run "
            f"`course build {path.stem}`"
        )
    for old, new in zip(have, code):
        if old.source != new.source and without_imports(old.source) != without_imports(new.source):
            line = next(
                (b for a, b in zip(old.source.split("\n"), new.source.split("\n")) if a != b),
                new.source.split("\n")[-1],
            )
            raise CourseError(
                f"{path.name}: a cell differs in more than its imports ({line.strip()!r}): its outputs cannot be kept, "
                f"run `course build {path.stem}`"
            )
        new.outputs, new.execution_count = old.outputs, old.execution_count
    return wanted
