"""What must hold before a lab is released: solution = 100 %, stub = 0 % by NotImplementedError only, no answer in the
student notebook.
"""

import ast
import contextlib
import io
import os
import re

import course_lib
from course_lib.authoring.source import as_student, kind_of, regions
from course_lib.notebook.language import as_python, bound, tree_of
from course_lib.questions.core import ArtifactQuestion, LocalCaller, Question, WrittenQuestion, run


def namespace_of(notebook, lab):
    """Runs the cells that a grader runs (no setup, no check, nothing long) and returns their names."""
    names = {
        "__name__": "__main__",
        "course_lib": course_lib,
        "check": lambda *_, **__: False,
        "submit": lambda *_, **__: None,
    }
    names |= {name: lambda *_, **__: None for name in ("load_stage", "save_stage", "display")}
    os.environ.setdefault("MPLBACKEND", "agg")
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and kind_of(cell)[0] not in ("setup", "check", "long"):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(as_python(cell.source), f"{lab}, cell {number}", "exec"), names)
    return names


def imports_in_long_cells(notebook):
    """A line for each `import x` that stands in # LONG cells alone: a student's answer may use it, and graders skip
    those cells. Of course_lib's own parts an answer makes no use.
    """
    long, short = {}, set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tree = tree_of(cell.source)
        if kind_of(cell)[0] != "long":
            short |= bound(tree)
            continue
        for node in tree.body:
            if isinstance(node, ast.Import):
                long |= {alias.asname or alias.name: ast.unparse(node) for alias in node.names}
    lost = [text for name, text in long.items() if name not in short and "course_lib" not in text]
    return [f"`{text}` stands in a # LONG cell alone, which graders skip: move it to another" for text in lost]


def hidden_lines(solution):
    """The lines that only stand between the solution markers of a notebook, but for the shortest."""
    hidden, open_lines = set(), set()
    for cell in solution.cells:
        hidden |= {line.strip() for region in regions(cell.source) for line in region}
        open_lines |= {line.strip() for line in as_student(cell.source, kind_of(cell)[0]).splitlines()}
    return {line for line in hidden - open_lines if len(re.sub(r"\W", "", line)) >= 5}


def gate(lab, student, solution, questions):
    """(the promises of a lab that text alone or a few seconds can settle, one line for each that is broken; what the
    student notebook's cells define, None where they stop).
    """
    problems, defined = [], None
    kinds = [kind_of(cell) for cell in solution.cells]
    ids = [cell.id for cell in student.cells]
    problems += [f"cell id {i} stands twice" for i in sorted(set(ids)) if ids.count(i) > 1]
    leaks = hidden_lines(solution)
    shown = {line.strip() for cell in student.cells for line in cell.source.splitlines()}
    problems += [f"the student notebook shows a solution line: {line!r}" for line in sorted(leaks & shown)]
    for want, kind in (
        (Question, "exercise"),
        (Question, "check"),
        (ArtifactQuestion, "check"),
        (WrittenQuestion, "written"),
    ):
        problems += [
            f"question {q.id} has no {kind} cell" for q in questions if type(q) is want and (kind, q.id) not in kinds
        ]
    known = {q.id for q in questions}
    problems += [f"{kind} cell {name} has no question" for kind, name in kinds if name and name not in known]
    code = [kind_of(cell) for cell in solution.cells if cell.cell_type == "code"]
    for here, after in zip(code, code[1:] + [("", "")]):
        if here[0] == "exercise" and after != ("check", here[1]):
            problems.append(f'exercise {here[1]} is not followed by check("{here[1]}")')
    problems += imports_in_long_cells(solution)
    for edition, notebook in (("solution", solution), ("stub", student)):
        try:
            caller = LocalCaller(namespace_of(notebook, lab))
        except Exception as error:  # any stop of a lab's own cells is a finding
            problems.append(f"the {edition} stops with {type(error).__name__}: {error}")
            continue
        defined = caller.namespace
        for question in (q for q in questions if type(q) is Question):
            result = run(question, caller)
            if edition == "solution" and result.score != result.max:
                problems.append(
                    f"the solution gets {result.score:g} of {result.max:g} for {question.id}: "
                    f"{[(c.name, c.status, c.message) for c in result.cases if c.status != 'pass']}"
                )
            if edition == "stub" and (result.score or {c.status for c in result.cases} != {"todo"}):
                problems.append(
                    f"the stub of {question.id} gets {result.score:g} with {sorted({c.status for c in result.cases})}: "
                    "it must fail by NotImplementedError only"
                )
    return problems, defined
