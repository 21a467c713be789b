"""What `course build --check` counts of a lab: its statements about the run, how wide and how long its cells are, and
whether a solution stands where students read.
"""

import ast
import contextlib
import dataclasses
import io
import re

from course_lib.authoring import claims
from course_lib.authoring.source import claim_cells, kind_of
from course_lib.notebook.language import imports, tree_of
from course_lib.questions.core import LocalCaller, Question, run

WIDE = 100  # columns of a code line
IMPORTS = 8  # lines of the one cell with imports
# minutes of a bright newcomer, who reads 200 words in one
WORDS, PREDICTION, WRITTEN = 200, 1, 4
ABOUT = 0.15  # how far the card may be from what is counted


def statements(source):
    """({"statements", "code", "general"}, problems) of a lab's texts about its run."""
    import jupytext

    cells, problems, counts = jupytext.reads(source, fmt="py:percent").cells, [], {"code": 0, "general": 0}
    claimed, below = claim_cells(source), {}  # text -> its claim cells
    for text, claim, _ in claimed:
        below.setdefault(text, []).append(claim)
    for text, sources in below.items():
        lines, code, general = claims.gaps(text, sources)
        problems += lines
        counts["code"] += code
        counts["general"] += general
    for _, claim, from_results in claimed:
        if from_results and not problems:
            problems += [
                f"not true of the stored figures: {k!r}: {w}" for k, w in claims.judged(claim, {}).items() if w
            ]
    told = [cell.source for cell in cells if cell.cell_type == "markdown" and claims.TOLD.match(cell.source)]
    open_ones = [text for text in told if text not in below]
    problems += [f"no claims below {claims.plain(text)[:60]!r}" for text in open_ones]
    left = sum(len(claims.sentences(text)) for text in open_ones)
    return {"statements": sum(counts.values()) + left, **counts}, problems


def is_glue(cell):
    """Is it code that is neither an exercise, nor a check, nor the set-up?"""
    return cell.cell_type == "code" and kind_of(cell)[0] in ("code", "long")


def reading(student):
    """({"wide", "glue"}, problems) of the student notebook's code: lines over WIDE columns; lines of glue."""
    code = [cell for cell in student.cells if cell.cell_type == "code"]
    wide = [line for cell in code for line in cell.source.splitlines() if len(line) > WIDE]
    glue = sum(bool(line.strip()) for cell in code if is_glue(cell) for line in cell.source.splitlines())
    problems = [f"a code line of {len(line)} columns, {WIDE} at most: {line.strip()[:40]!r}" for line in wide[:3]]
    importing = [cell for cell in code if kind_of(cell)[0] != "setup" and list(imports(tree_of(cell.source)))]
    if len(importing) > 1:
        places = ", ".join(repr(cell.source.strip().splitlines()[-1][:30]) for cell in importing[1:4])
        problems.append(f"{len(importing)} cells import: one does, the others end in {places}")
    for cell in importing[:1]:
        if (lines := sum("import" in line for line in cell.source.splitlines())) > IMPORTS:
            problems.append(f"{lines} lines import, {IMPORTS} at most")
    for cell in code:
        for node in tree_of(cell.source).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value:
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                problems += [f"{name} is filled in: the student does that" for name in names if name in GUESSES]
    return {"wide": len(wide), "glue": glue}, problems


GUESSES = ("MY_GUESS", "MY_PREDICTION")


def minutes(student):
    """((minutes on the lab's card, minutes counted: of exercises, reading, predictions, written answers and waiting),
    problems).
    """
    texts = [cell.source for cell in student.cells if cell.cell_type == "markdown"]
    code = "\n".join(cell.source for cell in student.cells if cell.cell_type == "code")
    text = "\n".join(texts)
    card = re.search(r"\*\*About (\d+) minutes.*?\*\* Your computer works alone for (?:about|less than) (\d+) of", text)
    if not card:
        return (0, 0), ["its first cell does not say 'About N minutes … Your computer works alone for about N of …'"]
    said, waiting = map(int, card.groups())
    exercises = sum(map(int, re.findall(r"^> Minutes: (\d+)", text, re.M)))
    read = len(re.sub(r"```.*?```", "", text, flags=re.S).split()) / WORDS
    guessed = PREDICTION * len(re.findall(rf"^(?:{'|'.join(GUESSES)})\b", code, re.M))
    written = WRITTEN * sum(kind_of(cell)[0] == "written" for cell in student.cells)
    whole = exercises + read + guessed + written + waiting
    wrong = f"its card says {said} minutes, {whole:.0f} are counted: {exercises} of exercises, {read:.0f} of reading, "
    wrong += f"{guessed + written} of answers, {waiting} of waiting"
    return (said, round(whole)), [] if abs(said - whole) <= ABOUT * whole else [wrong]


def standing(student, names, questions):
    """A line for each function or lambda of the student notebook that passes a question. names: what its cells may
    use.
    """
    asked, found = [q for q in questions if type(q) is Question], []
    for cell in student.cells:
        if cell.cell_type != "code" or kind_of(cell)[0] == "setup":
            continue
        for node in ast.walk(tree_of(cell.source)):
            if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
                continue
            for question in asked:
                if passes(question, node, names):
                    name = getattr(node, "name", "a lambda")
                    found.append(f"{name} in {cell.source.splitlines()[0][:40]!r} is a solution of {question.id}")
    return found


def passes(question, node, names):
    """Does the function of this syntax tree get full marks?"""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            own = dict(names)
            if isinstance(node, ast.Lambda):
                own[question.id] = eval(compile(ast.Expression(node), "student", "eval"), own)
            else:
                exec(compile(ast.Module([node], []), "student", "exec"), own)
                own[question.id] = own[node.name]
            caller = LocalCaller(own)
            core = dataclasses.replace(question, cases=question.cases[:1])  # most functions fail it, and at once
            return run(core, caller).status == "pass" and run(question, caller).status == "pass"
        except Exception:  # it does not even stand alone
            return False
