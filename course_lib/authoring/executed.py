"""The executed solution notebook: how it is made, and whether the one that is there is still that of its source."""

import ast
import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from course_lib.notebook.language import as_python
from course_lib.platform import ROOT, CourseError
from course_lib.stages.real import NOT_HERE


def execute(notebook, lab, timeout=7200):
    """Runs a solution notebook in a folder of its own and keeps what is the same in every run: no clock of ours, no
    progress bars, no paths.
    """
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder, f"{lab}.ipynb"))
        here = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        own = {"COURSE_WORK": f"{folder}/work", "PYTHONWARNINGS": "ignore", "PYTHONPATH": here}
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
            client.execute(env={**os.environ, **own, **real_model()})
        except (CellExecutionError, CellTimeoutError) as error:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # without IPython's colours
            raise CourseError(f"the solution notebook stops: {plain.strip().splitlines()[-1]}") from error
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = lasting(cell.outputs, folder)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def lasting(outputs, folder):
    """The outputs that are the same in every run. folder: the temporary one, whose name is left out."""
    kept = []
    for output in outputs:
        if "text/html" in output.get("data", {}):
            # a widget without its live state shows nothing; the static page that came with it does
            output.data.pop("application/vnd.jupyter.widget-view+json", None)
        if output.get("name") == "stderr" or any("widget-view" in mime for mime in output.get("data", {})):
            continue
        if output.output_type == "stream":
            lines = output.text.replace(folder, ".").split("\n")
            output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in lines)  # of a progress bar its last state
        kept.append(output)
    return kept


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
    return [(c.id, c.cell_type, c.source, c.metadata) for c in notebook.cells], dict(notebook.metadata)


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
        rebuild = f"run `course smollm2`, then `course build {path.stem} --force`"
        return f"{path.name} was executed without the real model: {rebuild}"
    return None


def without_imports(text):
    """(the lines of a code cell, without blank ones and those on which nothing but an import stands; the names that its
    imports bind). IPython's own lines as they are in Python.
    """
    plain = as_python(text)
    imports, others, names = set(), set(), set()
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Constant, ast.JoinedStr)):  # within a text a blank line is one
            others |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.stmt):
            others |= {node.lineno} if hasattr(node, "body") else {node.lineno, node.end_lineno}
    lines = enumerate(plain.split("\n"), 1)
    return [line for number, line in lines if number in others or (line.strip() and number not in imports)], names


def keep_outputs(path, wanted):
    """`wanted` with the outputs of the executed notebook at `path`: for a change that moves imports or mends words, and
    could change no output.

    CourseError where a code cell differs in more than its import lines.
    """
    rebuild = f"run `course build {path.stem}`"
    if not path.exists():
        raise CourseError(f"{path.name} is missing, so there are no outputs to keep: {rebuild}")
    have = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    code = [cell for cell in wanted.cells if cell.cell_type == "code"]
    if len(have) != len(code):
        numbers = f"{path.name} has {len(have)} code cells and its source {len(code)}"
        raise CourseError(f"{numbers}: its outputs cannot be kept, {rebuild}")
    bound, wanted_bound = set(), set()  # over all cells: an import may move from one to another
    for old, new in zip(have, code):
        if old.source != new.source:
            (before, names), (after, new_names) = without_imports(old.source), without_imports(new.source)
            bound, wanted_bound = bound | names, wanted_bound | new_names
            if before != after:
                line = next((b for a, b in zip(before, after) if a != b), (after or [""])[-1]).strip()
                differs = f"{path.name}: a cell differs in more than its imports ({line!r})"
                raise CourseError(f"{differs}: its outputs cannot be kept, {rebuild}")
        new.outputs, new.execution_count = old.outputs, old.execution_count
    if bound != wanted_bound:
        others = f"its imports bind other names ({', '.join(sorted(bound ^ wanted_bound))})"
        raise CourseError(f"{path.name}: {others}: its outputs cannot be kept, {rebuild}")
    return wanted
