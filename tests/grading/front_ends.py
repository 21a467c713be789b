"""A notebook as front ends and tools save it: `SAVES` maps their names to functions. Each changes the notebook that it
is given and returns the text of the file.

jupytext and nbconvert do it themselves. The others are not where the tests run: written here is what nbstripout 0.9.1,
papermill 2.7.0 and marimo 0.25.2 wrote of the twelve solutions, what Colab's files have, and what VS Code's source does
(extensions/ipynb).
"""

import ast
import copy
import json

import jupytext
import nbformat
from nbconvert.exporters import NotebookExporter

from course_lib.notebook.language import bound

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": "3.13.0",
}
WIDGETS = {
    "5f1b": {
        "model_module": "@jupyter-widgets/controls",
        "model_name": "HTMLModel",
        "model_module_version": "1.5.0",
        "state": {"value": "<b>x</b>"},
    }
}


def code(made):
    return [cell for cell in made["cells"] if cell["cell_type"] == "code"]


# ---- front ends -----------------------------------------------------------------------------------------------------


def jupyterlab(made):
    """As Jupyter's server writes it; kernel and language in full, what the cells' menus and buttons leave."""
    made["metadata"] |= {"kernelspec": KERNEL, "language_info": LANGUAGE}
    made["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": WIDGETS, "version_major": 2, "version_minor": 0}
    }
    for cell in made["cells"]:
        cell["metadata"] |= {"editable": True, "slideshow": {"slide_type": ""}}
        if cell["cell_type"] == "code":
            times = {"iopub.status.busy": "2026-11-20T17:58:02.1Z", "shell.execute_reply": "2026-11-20T17:58:03.1Z"}
            cell["metadata"] |= {"execution": times, "jupyter": {"source_hidden": True}, "scrolled": True}
        elif cell["source"].startswith("#"):
            cell["metadata"]["jp-MarkdownHeadingCollapsed"] = True
    return nbformat.v4.writes(made)


def colab(made, lab="00_start_here"):
    """A file that Colab took over as 4.0: ids and display state in the cells' metadata, widgets without `state`, no
    language.
    """
    made.update(nbformat=4, nbformat_minor=0)
    made["metadata"] = {
        "colab": {"provenance": [], "name": f"Copy of {lab}.ipynb", "toc_visible": True},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
        "widgets": {"application/vnd.jupyter.widget-state+json": WIDGETS},
    }
    for number, cell in enumerate(made["cells"]):
        old = cell.pop("id")
        kept = {k: v for k, v in cell["metadata"].items() if k in ("nbgrader", "cellView")}
        cell["metadata"] = {"id": f"{old}Xy{number}", **kept}
        if cell["cell_type"] == "code" and cell.get("outputs"):
            cell["metadata"] |= {"outputId": "8b2c-4f", "colab": {"base_uri": "https://localhost:8080/", "height": 123}}
        cell["source"] = cell["source"].splitlines(True)
    return json.dumps(made)


def vscode(made):
    """Keys in alphabetical order, sources as lists of lines without an empty last one, \\r\\n as \\n."""
    made["metadata"] = {"kernelspec": KERNEL, "language_info": LANGUAGE, "orig_nbformat": 4}
    for cell in made["cells"]:
        lines = cell["source"].replace("\r\n", "\n").split("\n")
        cell["source"] = [line for line in [*(f"{line}\n" for line in lines[:-1]), lines[-1]] if line]
        cell["metadata"] |= {"vscode": {"languageId": "python"}} if cell["cell_type"] == "code" else {}
    return json.dumps(made, sort_keys=True, indent=1, ensure_ascii=False)


# ---- tools ----------------------------------------------------------------------------------------------------------


def by_jupytext(form):
    """As a text, and back."""

    def save(made):
        text = jupytext.writes(made, fmt=form)
        return nbformat.v4.writes(jupytext.reads(text, fmt=form))

    return save


def by_nbconvert(version):
    """`jupyter nbconvert --to notebook`; format 3 knows other names: worksheets, input, pyout, heading cells."""
    return lambda made: NotebookExporter(nbformat_version=version).from_notebook_node(made)[0]


def nbstripout(made):
    """No outputs, no counts, the cells' ids renumbered, display state gone."""
    made["metadata"].pop("widgets", None)
    for number, cell in enumerate(made["cells"]):
        cell["id"] = str(number)
        cell["metadata"] = {
            k: v for k, v in cell["metadata"].items() if k not in ("collapsed", "scrolled", "execution")
        }
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return nbformat.v4.writes(made)


def papermill(made):
    """A cell of parameters before all others, as no cell has the tag `parameters`; a protocol in all metadata."""
    made["metadata"]["papermill"] = {"parameters": {"seed": 3, "lr": 0.001}, "exception": None, "version": "2.7.0"}
    for cell in made["cells"]:
        cell["metadata"] |= {"tags": cell["metadata"].get("tags", []), "papermill": {"status": "completed"}}
    tags = {"tags": ["injected-parameters"]}
    made.cells.insert(0, nbformat.v4.new_code_cell("# Parameters\nseed = 3\nlr = 0.001\n", metadata=tags))
    return nbformat.v4.writes(made)


def marimo(made):
    """`marimo convert` and `marimo export ipynb`: its own import first, texts without blanks at the ends of their
    lines. A cell that binds a name of another is written anew from its syntax tree: its comments are gone, the name
    differs, x += 1 is x = x + 1, and what another cell imports is not imported again.
    """
    trees = [ast.parse(cell["source"]) for cell in code(made)]
    once, twice = set(), set()
    for names in map(bound, trees):
        once, twice = once | names, twice | (names & once)
    own = set().union(*(names_of_functions(node) for tree in trees for node in ast.walk(tree)))
    imported = set()
    for cell in made["cells"]:
        text = "\n".join(line.rstrip() for line in cell["source"].strip().split("\n"))
        if cell["cell_type"] == "code":
            tree = ast.parse(text)
            if any(isinstance(node, ast.Name) and node.id in twice for node in ast.walk(tree)):
                text = ast.unparse(Anew(twice - own, imported).visit(tree))
            if cell["metadata"].get("tags"):
                text = f"# Cell tags: {', '.join(cell['metadata']['tags'])}\n{text}"
            cell.update(outputs=[], execution_count=None)
        cell.update(source=text, metadata={})
    made.cells.insert(0, nbformat.v4.new_code_cell("import marimo as mo"))
    return nbformat.v4.writes(made)


def names_of_functions(node):
    """What cannot be given another name by its name alone: arguments, keywords, what functions and imports bind."""
    if isinstance(node, (ast.arg, ast.keyword)):
        return {node.arg}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.ExceptHandler):
        return {node.name}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name} | stored(node)
    return (
        stored(node)
        if isinstance(node, (ast.Lambda, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp))
        else set()
    )


def stored(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


class Anew(ast.NodeTransformer):
    def __init__(self, twice, imported):
        self.twice, self.imported = twice, imported

    def visit_Name(self, node):
        return ast.copy_location(ast.Name(f"{node.id}_1" if node.id in self.twice else node.id, node.ctx), node)

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if not isinstance(node.target, ast.Name):
            return node
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        return ast.fix_missing_locations(ast.copy_location(ast.Assign([node.target], value), node))

    def visit_ImportFrom(self, node):
        node.names = [alias for alias in node.names if (node.module, alias.name) not in self.imported]
        self.imported |= {(node.module, alias.name) for alias in node.names}
        return node if node.names else ast.copy_location(ast.Pass(), node)


def on_top(*lines):
    """Lines put on top of every code cell."""

    def save(made):
        for number, cell in enumerate(code(made)):
            cell["source"] = "\n".join([*(line.format(number) for line in lines), cell["source"]])
        return nbformat.v4.writes(made)

    return save


SAVES = {
    "JupyterLab": jupyterlab,
    "Colab": colab,
    "VS Code": vscode,
    "jupytext percent": by_jupytext("py:percent"),
    "jupytext light": by_jupytext("py:light"),
    "jupytext md": by_jupytext("md"),
    "nbconvert 4": by_nbconvert(4),
    "nbconvert 3": by_nbconvert(3),
    "nbstripout": nbstripout,
    "papermill": papermill,
    "marimo": marimo,
    "%%time": on_top("%%time"),
    "%%capture": on_top("%%capture"),
    "#@title": on_top('#@title Cell {} {{ display-mode: "form" }}'),
    "#@title, %%time": on_top("#@title Cell {}", "%%time"),
}
ADDED = {"papermill": 1, "marimo": 1}  # cells that a tool puts in front


def saves(text):
    """(name, text of the file) of each front end, for the text of a notebook."""
    made = nbformat.reads(text, as_version=4)
    for name, save in SAVES.items():
        yield name, save(copy.deepcopy(made))
