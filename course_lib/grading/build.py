"""solutions/NN_name.py, the one source of a lab, to labs/NN_name.ipynb (student) and solutions/NN_name.ipynb (executed).

    course build [LAB ...]            make what is missing or older than its source; runs the solution at size $COURSE_SIZE
    course build [LAB ...] --force    run the solutions again all the same (course_lib has changed)
    course build [LAB ...] --check    change nothing; one line for each thing that is wrong, exit 1 if there is any
    course build --badges             put COURSE_REPO and COURSE_REF into badges and set-up cells and run nothing; for a fork, and for a release

The source is jupytext percent. A cell is told by its first line: `# SETUP` (its text comes from here), `# EXERCISE id`, `# LONG`
(training: graders skip it), `<!-- WRITTEN id -->`; `check("id")` alone is a check. Between `### BEGIN SOLUTION` and `### END SOLUTION`
stands what students write.
"""
import argparse
import hashlib
import re
import sys
from pathlib import Path

import nbformat

from course_lib.platform import COURSE_REF, COURSE_REPO, CourseError, write_atomic

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LIMIT = 1_000_000  # bytes of one notebook file; GitHub shows no more
HEADS = {
    "setup": r"(?:# SETUP$|#@title Setup)()",
    "exercise": r"# EXERCISE (\w+)$",
    "long": r"# LONG()\b",
    "written": r"<!-- WRITTEN (\w+) -->$",
    "check": r"""check\(["'](\w+)["']\)$""",
}
SETUP = '''\
#@title Setup - run me first
# Made by `course build`. On Colab this installs the course and moves nothing that is there; elsewhere `make lab` has done so.
import importlib.util, sys
if importlib.util.find_spec("course_lib") is None:
    if "google.colab" not in sys.modules:
        raise SystemExit("course_lib is not in this kernel: run `make lab` in the course folder and open this notebook from there.")
    !pip list --format=freeze > /tmp/live.txt
    %pip install -q -c /tmp/live.txt "littlebrook-course @ git+https://github.com/{repo}@{ref}"
import course_lib
from course_lib import check, load_stage, save_stage, submit
course = course_lib.setup("{lab}", seed=0)
'''
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{repo}/blob/{ref}/{path})"


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


def convert(source, lab, student, questions=()):
    """Text of solutions/NN_name.py -> a notebook with deterministic ids and no outputs."""
    import jupytext

    points = {q.id: q.points for q in questions}
    trains = any(type(q).__name__ == "ArtifactQuestion" for q in questions)
    place = {"repo": COURSE_REPO, "ref": COURSE_REF, "lab": lab, "path": f"{'labs' if student else 'solutions'}/{lab}.ipynb"}
    cells, exercises = [], set()
    for number, old in enumerate(jupytext.reads(source, fmt="py:percent").cells):
        kind, name = kind_of(old)
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
        exercises |= {name} if kind == "exercise" else set()
        make = nbformat.v4.new_markdown_cell if old.cell_type == "markdown" else nbformat.v4.new_code_cell
        cell = make(as_student(text, kind) if student else text)
        cell.id = hashlib.sha1(f"{lab} {kind} {name or number}".encode()).hexdigest()[:8]
        if kind in ("exercise", "check", "written"):
            cell.metadata.update(nbgrader(kind, name, points))
        if kind == "setup":
            cell.metadata["cellView"] = "form"
        if kind == "check" and name in exercises and not student:
            cell.metadata["tags"] = ["nbval-check-output"]  # the tests compare these outputs, and no others
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.nbformat_minor = 5
    notebook.metadata.update(kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"}, language_info={"name": "python"})
    notebook.metadata["colab"] = {"provenance": [], "toc_visible": True, "generative_ai_disabled": True} | ({"gpuType": "T4"} if trains else {})
    if trains:
        notebook.metadata["accelerator"] = "GPU"
    if not student:
        notebook.metadata["littlebrook"] = {"source_sha256": hashlib.sha256(source.encode()).hexdigest()}
    nbformat.validate(notebook)
    return notebook


def build(lab, root, check=False, force=False, questions=None):
    """Makes (or checks) one lab's two notebooks. Returns the problems, one line each."""
    from course_lib.grading.executed import execute, is_current
    from course_lib.grading.gate import gate
    from course_lib.questions.core import questions_of

    source = (root / "solutions" / f"{lab}.py").read_text(encoding="utf-8")
    questions = questions_of(lab) if questions is None else questions
    student, solution = convert(source, lab, True, questions), convert(source, lab, False, questions)
    student_path, solution_path = root / "labs" / f"{lab}.ipynb", root / "solutions" / f"{lab}.ipynb"
    text = nbformat.writes(student) + "\n"
    problems = gate(lab, student, solution, questions)
    if check:
        if not student_path.exists() or student_path.read_text(encoding="utf-8") != text:
            problems.append(f"labs/{lab}.ipynb is not what its source gives: run `course build {lab}`")
        problems += [problem for problem in [is_current(solution_path, solution)] if problem]
    elif not problems:
        student_path.parent.mkdir(exist_ok=True)
        student_path.write_text(text, encoding="utf-8")
        if force or is_current(solution_path, solution):
            solution_path.write_text(nbformat.writes(execute(solution, lab)) + "\n", encoding="utf-8")
    sizes = {path: path.stat().st_size for path in (student_path, solution_path) if path.exists()}
    return problems + [f"{path.name} has {size} bytes, more than {LIMIT}" for path, size in sizes.items() if size > LIMIT]


def rebadge(root, repo, ref):
    """Puts repository and tag into the badges and set-up cells of all notebooks and of README, and changes no other byte. Returns the files changed."""
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", repo):
        raise CourseError(f"COURSE_REPO is {repo!r}: set it to owner/name, as on GitHub.")
    if not re.fullmatch(r"\w[\w./-]*", ref):
        raise CourseError(f"COURSE_REF is {ref!r}: set it to a tag or branch of {repo}.")
    changed = []
    for path in [*sorted(root.glob("labs/*.ipynb")), *sorted(root.glob("solutions/*.ipynb")), root / "README.md"]:
        old = path.read_bytes()
        new = re.sub(rb"(colab\.research\.google\.com/github/)[\w./-]+?(/(?:labs|solutions)/\w+\.ipynb)", rb"\g<1>%s/blob/%s\2" % (repo.encode(), ref.encode()), old)
        new = re.sub(rb"(littlebrook-course @ git\+https://github\.com/)[\w./-]+@[\w./-]+", rb"\g<1>%s@%s" % (repo.encode(), ref.encode()), new)
        if new != old:
            write_atomic(path, new)
            changed.append(path)
    return changed


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course build", description="Make or check the notebooks of the labs from solutions/*.py")
    parser.add_argument("labs", nargs="*", metavar="LAB")
    parser.add_argument("--check", action="store_true", help="change nothing, say what is wrong")
    parser.add_argument("--force", action="store_true", help="run the solutions again")
    parser.add_argument("--badges", action="store_true", help="put COURSE_REPO and COURSE_REF into badges and set-up cells, run nothing")
    options = parser.parse_args(argv)
    root = Path.cwd() if Path("solutions").is_dir() else Path(__file__).parents[2]
    sources = {path.stem: path for path in sorted((root / "solutions").glob("[0-9][0-9]_*.py"))}
    unknown = [lab for lab in options.labs if lab not in sources]
    if unknown or not sources:
        print(f"course build: no solutions/{(unknown or ['*'])[0]}.py here; labs: {', '.join(sources) or 'none, is this the course folder?'}", file=sys.stderr)
        return 2
    if options.badges:
        print(f"{len(rebadge(root, COURSE_REPO, COURSE_REF))} files now lead to {COURSE_REPO} at {COURSE_REF}")
        return 0
    wrong = 0
    for lab in options.labs or sources:
        try:
            problems = build(lab, root, options.check, options.force)
        except (CourseError, LookupError) as error:
            problems = [str(error)]
        wrong += len(problems)
        print("\n".join(f"{lab}: {problem}" for problem in problems) or f"{lab}: {'in order' if options.check else 'built'}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
