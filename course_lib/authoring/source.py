"""The source of a lab, jupytext percent, as cells: what kind each is, what students write in it, and the notebooks that
it becomes, the student's and the solution.
"""

import hashlib
import itertools
import re

import nbformat

from course_lib.platform import COURSE_REF, COURSE_REPO, CourseError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HEADS = {
    "setup": r"(?:# SETUP$|#@title Setup)()",
    "exercise": r"# EXERCISE (\w+)$",
    "long": r"# LONG()$",
    "claim": r"# CLAIM( stored)?$",
    "written": r"<!-- WRITTEN (\w+) -->$",
    "check": r"""check\(["'](\w+)["']\)$""",
}
SETUP = """\
#@title Setup - run me first
# Made by `course build`. On Colab this installs the course and moves nothing that is there;
# elsewhere `make lab` has done so.
import importlib.util, sys
if importlib.util.find_spec("course_lib") is None:
    if "google.colab" not in sys.modules:
        raise SystemExit("course_lib is not in this kernel: run `make lab` in the course folder "
                         "and open this notebook from there.")
    get_ipython().system("pip list --format=freeze > /tmp/live.txt")
    source = "git+https://github.com/{repo}@{ref}"
    get_ipython().run_line_magic(
        "pip", f'install -q -c /tmp/live.txt "littlebrook-course @ {{source}}"')
import course_lib
from course_lib import check, load_stage, save_stage, submit
course = course_lib.setup("{lab}", seed=0)
"""
COLAB = "https://colab.research.google.com"
BADGE = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{{repo}}/blob/{{ref}}/{{path}})"


def kind_of(cell):
    """(kind, id) of a cell by its first line; ("text" | "code", "") for all others."""
    lines = cell.source.strip().splitlines() or [""]
    for kind, pattern in HEADS.items():
        found = re.match(pattern, lines[0])
        if found and (cell.cell_type == "markdown") == (kind == "written") and (kind != "check" or len(lines) == 1):
            return kind, found[1]
    return ("text" if cell.cell_type == "markdown" else "code"), ""


def regions(text):
    """The solution regions of a cell, as lists of lines. CourseError if the markers do not pair."""
    found, inside = [], False
    for line in text.splitlines():
        if line.strip() in (BEGIN, END):
            if inside != (line.strip() == END):
                raise CourseError(f"the solution markers do not pair near {line!r}")
            inside = not inside
            if inside:
                found.append([])
        elif inside:
            found[-1].append(line)
    if inside:
        raise CourseError("a solution has no END SOLUTION marker")
    return found


def as_student(text, kind):
    """The cell without its solutions: nbgrader's stubs, at the indent of the BEGIN marker."""
    stub = ["YOUR ANSWER HERE"] if kind == "written" else ["# YOUR CODE HERE", "raise NotImplementedError()"]
    lines, inside = [], False
    for line in text.splitlines():
        if line.strip() == BEGIN:
            lines += [line[: line.index(BEGIN)] + each for each in stub]
            inside = True
        elif line.strip() == END:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def nbgrader(kind, name, points):
    grade, solution = kind in ("check", "written"), kind in ("exercise", "written")
    fields = {"grade": grade, "solution": solution, "task": False, "locked": kind == "check", "schema_version": 3}
    fields["grade_id"] = f"check_{name}" if kind == "check" else name
    return {"nbgrader": fields | ({"points": points.get(name, 0)} if grade else {})}


def claim_cells(source):
    """[(the text above it, claim cell without its first line, is it about stored figures?)] of a lab."""
    import jupytext

    found, text = [], ""
    for cell in jupytext.reads(source, fmt="py:percent").cells:
        if cell.cell_type == "markdown":
            text = cell.source
        kind, name = kind_of(cell)
        if kind == "claim":
            found.append((text, cell.source.partition("\n")[2], bool(name)))
    return found


def tell_points(cells, points):
    """Writes below the minutes in the text of an exercise, which stands at the end of `cells`, what it is worth."""
    for text in itertools.takewhile(lambda cell: kind_of(cell)[0] != "exercise", reversed(cells)):
        if found := re.search(r"^> Minutes: .+$", text.source, re.M):
            text.source = f"{text.source[: found.end()]}  \n> Points: {points:g}{text.source[found.end() :]}"
            return


def convert(source, lab, student, questions=(), claims=False):
    """Text of solutions/NN_name.py -> a notebook with deterministic ids and no outputs. claims: with its claim cells,
    which stand in no notebook that anybody reads.
    """
    import jupytext

    points = {q.id: q.points for q in questions}
    trains = any(type(q).__name__ == "ArtifactQuestion" for q in questions)
    path = f"{'labs' if student else 'solutions'}/{lab}.ipynb"
    place = {"repo": COURSE_REPO, "ref": COURSE_REF, "lab": lab, "path": path}
    cells = []
    number = -1
    for old in jupytext.reads(source, fmt="py:percent").cells:
        kind, name = kind_of(old)
        if kind == "claim" and not claims:
            continue
        number += kind != "claim"  # a claim changes no other cell's id
        text = old.source
        if old.cell_type == "raw" or (number == 0 and not text.startswith("# Lab ")):
            raise CourseError(f"{lab}, cell {number}: the first cell is the title `# Lab NN — …`, and none is raw")
        if regions(text) and kind not in ("exercise", "written"):
            raise CourseError(f"{lab}, cell {number}: a solution outside an EXERCISE or WRITTEN cell")
        if kind in ("exercise", "written") and not regions(text):
            raise CourseError(f"{lab}, cell {number}: {name} has no solution between {BEGIN} and {END}")
        if kind == "setup":
            text = SETUP.format(**place).rstrip()
        if number == 0:
            title, _, rest = text.partition("\n")
            text = f"{title}\n\n{BADGE.format(**place)}\n{rest}".rstrip()
        make = nbformat.v4.new_markdown_cell if old.cell_type == "markdown" else nbformat.v4.new_code_cell
        cell = make(as_student(text, kind) if student else text)
        own = len(cells) if kind == "claim" else name or number  # there may be several about stored figures
        cell.id = hashlib.sha1(f"{lab} {kind} {own}".encode()).hexdigest()[:8]
        if kind in ("exercise", "check", "written"):
            cell.metadata.update(nbgrader(kind, name, points))
        if kind == "exercise" and name in points:
            tell_points(cells, points[name])
        if kind == "setup":
            cell.metadata["cellView"] = "form"
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.nbformat_minor = 5
    notebook.metadata.update(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python"},
    )
    notebook.metadata["colab"] = {"provenance": [], "toc_visible": True, "generative_ai_disabled": True}
    if trains:
        notebook.metadata["colab"]["gpuType"] = "T4"
        notebook.metadata["accelerator"] = "GPU"
    if not student:
        notebook.metadata["littlebrook"] = {"source_sha256": hashlib.sha256(source.encode()).hexdigest()}
    nbformat.validate(notebook)
    return notebook
