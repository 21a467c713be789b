"""The executed solution notebook: how it is made, and whether the one that is there is still that of its source."""

import ast
import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from course_lib.authoring import claims
from course_lib.authoring.source import kind_of
from course_lib.notebook.language import as_python
from course_lib.platform import ROOT, CourseError
from course_lib.stages.real import NOT_HERE


def execute(notebook, lab, timeout=7200, again=None):
    """Runs a solution notebook with its claim cells in a folder of its own and keeps what is the same in every run: no
    clock of ours, no progress bars, no paths. What its claims came to stands in its metadata, the cells go.

    again: for `course build --mend`, (what is wrong) -> the notebook as its author has mended it; the kernel goes on
    from there.
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
            resources={"metadata": {"path": folder}},
        )
        run, found = [], {}
        client.reset_execution_trackers()
        with client.setup_kernel(env={**os.environ, **own, **real_model()}):
            while wrong := proceed(client, notebook, run, found):
                if again is None:
                    if len(run) < len(code_of(notebook)):
                        raise CourseError(f"the solution notebook stops: {wrong[-1]}")
                    break
                client.nb = notebook = again(wrong)
        notebook.cells = [cell for cell in notebook.cells if kind_of(cell)[0] != "claim"]
        for number, cell in enumerate(code_of(notebook), 1):
            cell.execution_count = number
            cell.outputs = lasting(cell.outputs, folder)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number
    notebook.metadata["language_info"] = {"name": "python"}
    untrue = {mark: [key for key, why in found[mark].items() if why] for mark in sorted(found)}
    notebook.metadata["littlebrook"]["untrue"] = untrue
    return notebook


def code_of(notebook):
    """The code cells of a notebook, without its claims."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and kind_of(cell)[0] != "claim"]


def proceed(client, notebook, run, found):
    """Runs the cells that have not run yet and the claims that are not in `found`, up to the first cell that stops.
    Returns what is wrong, one line each. run: the cells so far; found: {fingerprint of a claim cell: judged(…)}.
    """
    number, wrong = 0, []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        kind, name = kind_of(cell)
        if kind == "claim":
            if not name:  # one about stored figures needs no kernel
                wrong += untrue_of(client, cell, place, found)
            continue
        if number < len(run):
            if run[number].source != cell.source:
                raise CourseError("a code cell has changed that has run already: build it again from the start")
            cell.outputs, cell.execution_count = run[number].outputs, run[number].execution_count
        else:
            try:
                client.execute_cell(cell, place)
            except (CellExecutionError, CellTimeoutError) as error:
                plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # without IPython's colours
                return [*wrong, plain.strip().splitlines()[-1]]
            run.append(cell)
        number += 1
    return wrong


def untrue_of(client, cell, place, found):
    """A line for each claim of a cell that is false. found: as of `proceed`; what is not in it yet is asked."""
    source, text = cell.source, cell.source.partition("\n")[2]
    mark = claims.fingerprint(text)
    if mark not in found:
        cell.source = claims.asking(text)
        client.execute_cell(cell, place)
        found[mark] = claims.told(cell.outputs)
        cell.source, cell.outputs = source, []
    return [f"{key!r} is not true: {why}" for key, why in found[mark].items() if why]


def lasting(outputs, folder):
    """The outputs that are the same in every run. folder: the temporary one, whose name is left out."""
    kept = []
    for output in in_order(outputs):
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


def in_order(outputs):
    """The outputs, what was printed in a row as one. (nbclient's own coalesce_streams puts all that is printed before
    a cell's first table.)
    """
    joined = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def real_model():
    """What a notebook that runs in a folder of its own needs for the real-model sections: where the model is, no
    network, the course's own data.
    """
    named, fetched = os.environ.get("COURSE_SMOLLM") or "", ROOT / "labs" / "smollm2"
    own = Path(named).expanduser()
    place = str(own.absolute()) if named and own.exists() else named or (str(fetched) if fetched.is_dir() else "")
    return {"COURSE_SMOLLM": place, "HF_HUB_OFFLINE": "1", "COURSE_DATA": ""}


def source_cells(notebook):
    """What of a notebook comes from its source: everything but outputs and what its claims came to."""
    metadata = {**notebook.metadata, "littlebrook": {**notebook.metadata.get("littlebrook", {}), "untrue": None}}
    return [(c.id, c.cell_type, c.source, c.metadata) for c in notebook.cells], metadata


def is_current(path, wanted, marks=()):
    """None if the executed notebook at `path` is `wanted` plus outputs without an error, else one line. marks: the
    fingerprints of the claim cells that it must have been asked.
    """
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
    untrue = have.metadata.get("littlebrook", {}).get("untrue", {})
    if missing := sum(mark not in untrue for mark in marks):
        return f"{path.name}: {missing} of its claim cells have not been asked: run `course build {path.stem} --force`"
    if false := [key for mark in marks for key in untrue[mark]]:
        return f"{path.name}: not true of its run: {'; '.join(map(repr, false))}"
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
    book = nbformat.read(path, as_version=4)
    have = [cell for cell in book.cells if cell.cell_type == "code"]
    code = [cell for cell in wanted.cells if cell.cell_type == "code"]
    if len(have) != len(code):
        numbers = f"{path.name} has {len(have)} code cells and its source {len(code)}"
        raise CourseError(f"{numbers}: its outputs cannot be kept, {rebuild}")
    bound, wanted_bound = set(), set()  # over all cells: an import may move from one to another
    for old, new in zip(have, code):
        if old.source != new.source and kind_of(new)[0] != "setup":  # whose text is build's own
            (before, names), (after, new_names) = without_imports(old.source), without_imports(new.source)
            bound, wanted_bound = bound | names, wanted_bound | new_names
            if before != after:
                line = next((b for a, b in zip(before, after) if a != b), (after or [""])[-1]).strip()
                differs = f"{path.name}: a cell differs in more than its imports ({line!r})"
                raise CourseError(f"{differs}: its outputs cannot be kept, {rebuild}")
        new.outputs, new.execution_count = old.outputs, old.execution_count
    if "untrue" in book.metadata.get("littlebrook", {}):
        wanted.metadata["littlebrook"]["untrue"] = book.metadata["littlebrook"]["untrue"]
    if bound != wanted_bound:
        others = f"its imports bind other names ({', '.join(sorted(bound ^ wanted_bound))})"
        raise CourseError(f"{path.name}: {others}: its outputs cannot be kept, {rebuild}")
    return wanted
