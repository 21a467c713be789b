"""What a person should know about a notebook: notes for the student, flags for the audit. Read in the source, never
executed, never a score.
"""

import ast
import re

from course_lib.grading.scoring.rebound import (
    called_with,
    import_names,
    other_names,
    rebinds,
    replaced,
    runs_text,
    unfolded,
)
from course_lib.notebook.language import UNREADABLE, effort, nodes, tree_of
from course_lib.questions import own_code, own_text

MAX_PARSED = 100_000  # characters of a cell that is read: longer code is no student's
MAX_EFFORT = 2_000_000  # characters that IPython's transformer may have to read of a notebook: 20 seconds
# fmt: off
GUARDED = {"torch", "numpy", "builtins", "json", "safetensors", "course_lib", "os", "sys", "time", "signal", "inspect",
    "threading", "gc", "math", "IPython", "__main__"}
# fmt: on
# what only somebody who looks for the grader, or for a way round its checks, has in a cell
REACHED = re.compile(
    "|".join(
        [
            r"course_lib\.grading|course_lib\.questions\.(?:lab|wire|invoke|compare|ambient)",
            r"from course_lib\.questions import|/proc/(?!cpuinfo|meminfo|version|loadavg|uptime)",
            r"/course/|solutions/|grades/|submissions/|gradebook",
            r"_getframe|f_back|f_globals|gc\.get_objects|__subclasses__|ctypes|os\.fork|gc\.get_refer|currentframe",
            r"_current_frames|walk_stack|inspect\.(?:stack|trace)\b|(?:tb|gi|cr|ag)_frame|cell_contents|getprofile",
            r"setattr\(\s*(?:torch|builtins|json|course_lib)|sys\.modules\[|LocalCaller|ForbidTorch",
            r"setprofile|settrace|addaudithook|torch\._C\b|torch\.ops\.|torch\.jit\.(?!script\b|trace\b)|_pop_mode",
            r"Torch(?:Function|Dispatch)Mode|DisableTorchFunction|(?:ast|input)_transformers|do_execute",
            r"/etc/(?:shadow|passwd)|/dev/k?mem\b|/root/\.ssh|\.dockerenv|docker\.sock|/sys/class/",
            r"\bopen\(\s*[\"'](?:/(?!content|tmp|box)|(?:torch|course_lib|conftest|sitecustomize)\.py)",
        ]
    )
)
# parts of libraries that are there to be set
SETTINGS = ("torch.backends", "sys.path", "sys.argv", "sys.stdout", "sys.stderr", "os.environ")


def flag(kind, evidence):
    return {"kind": kind, "evidence": evidence}


def parsed(cells):
    """([(number, source, tree)] of the code cells that Python can read, flags for those too long to be a student's)."""
    trees, flags, left = [], [], MAX_EFFORT
    for number, kind, source in cells:
        if kind != "code":
            continue
        left -= effort(source)
        if len(source) > MAX_PARSED or left < 0:
            flags.append(flag("huge cell", f"cell {number} has {len(source)} characters"))
            continue
        try:
            trees.append((number, source, tree_of(source)))
        except UNREADABLE:
            trees.append((number, source, ast.Module([], [])))
    return trees, flags


def static_flags(cells, check_ids):
    """[{"kind", "evidence"}]: check cells deleted or edited, patched libraries, reaching for the grader. Hints for a
    person, never a score.
    """
    trees, flags = parsed(cells)
    broken = "\n".join(source for _, source, tree in trees if not tree.body)  # that nobody could read
    seen = [(number, source, *unfolded(tree)) for number, source, tree in trees]
    every = [tree for _, _, tree, _ in seen]
    checked = checked_in_loops(trees) | called_with(every, "check")
    for question_id in check_ids:
        called = rf"""^[^#\n]{{0,200}}\bcheck\(\s*["']{re.escape(question_id)}["']"""
        if question_id not in checked and not re.search(called, broken, re.M):
            flags.append(flag("check deleted or edited", f'no cell calls check("{question_id}")'))
    names, own = import_names(every), functions_in(trees)
    names |= other_names(every, names)
    for number, source, tree, texts in seen:
        for kind, what in [sign for node in nodes(tree) for sign in signs_of(node, names, own)]:
            flags.append(flag(kind, f"cell {number}: {what}"))
        if rebinds(tree, "check"):
            flags.append(flag("check deleted or edited", f"cell {number}: check is redefined"))
        if found := next(filter(None, map(REACHED.search, [source, *texts])), None):
            flags.append(flag("reaches for the grader", f"cell {number}: {found.group(0)}"))
    return flags[:40]


def functions_in(trees):
    """The names of functions that the notebook defines: its own eval() runs no text."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for _, _, tree in trees for node in nodes(tree) if isinstance(node, kinds)}


def checked_in_loops(trees):
    """The texts in cells that call check(name): its question may be any of them."""
    found = set()
    for _, _, tree in trees:
        calls = [n for n in nodes(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.args]
        if any(ast.unparse(n.func) == "check" and isinstance(n.args[0], ast.Name) for n in calls):
            found |= {n.value for n in nodes(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return found


def signs_of(node, names, own=frozenset()):
    """[(kind, what)] that one node of a cell's tree is a sign of; `own`: names of the notebook's own functions."""
    signs = []
    for name in replaced(node, names):
        if guarded(name) and not name.startswith(SETTINGS):
            signs.append(("patched library", f"{name} is replaced"))
    if text := runs_text(node, names, own):
        signs.append(("runs text as code", text))
    return signs


def guarded(name):
    """Does this dotted name belong to a library whose parts nobody has to replace?"""
    return name.split(".")[0] in GUARDED


SHADOWS = re.compile(  # notes of collect about files that were meant to be imported in a library's place, or unpickled
    r"^ignored: (.*(?:\.pth|\.so|\.pyd|\.pkl|\.pickle|\.npz|torch\.py|numpy\.py|conftest\.py|customize\.py"
    r"|course_lib.*\.py|safetensors.*\.py))$"
)


def archive_flags(notes):
    """Flags for files beside the notebook that were meant to be imported or unpickled; collect has left them out and
    noted it.
    """
    return [flag("files that shadow modules", n[:120]) for n in notes if type(n) is str and SHADOWS.match(n)]


def forbidden_flags(cells, questions):
    """Flags for library functions that an exercise forbids but whose name its cell uses. The call itself is caught when
    it runs.
    """
    flags = []
    trees, _ = parsed(cells)
    for question in questions:
        forbidden = own_code.forbids(question.forbid)
        for number, source, tree in trees:
            if question.forbid and re.search(rf"^[ \t]*def {re.escape(question.id)}\b", source, re.M):
                used = sorted(filter(forbidden, names_used(unfolded(tree)[0])))
                flags += [flag("forbidden function", f"{question.id}, cell {number}: {name}") for name in used]
    return flags


def pasted_flags(cells, questions):
    """Flags for answers that are the text of the library's own function."""
    trees, _ = parsed(cells)
    found = own_text.pasted([tree for _, _, tree in trees], [question.id for question in questions])
    return [flag("the course's own text", f"{name}: {whose}") for name, whose in found.items()]


def names_used(tree):
    """Names by which a cell could reach a library's function: attributes, imported names, texts (for getattr)."""
    used = set()
    for node in nodes(tree):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            used.add(node.value)
        elif isinstance(node, ast.ImportFrom):
            used |= {alias.name for alias in node.names}
    return used


# ---- notes -----------------------------------------------------------------------------------------------------------


def double_notes(cells, ids):
    """Notes on answers that stand in the notebook more than once: Python takes the last."""
    notes = []
    for name in ids:
        places = [
            str(n)
            for n, kind, source in cells
            if kind == "code" and re.search(rf"^(?:def +{re.escape(name)}\b|{re.escape(name)} *=)", source, re.M)
        ]
        if len(places) > 1:
            notes.append(f"{name} is defined in cells {', '.join(places[:8])}: the last one counts")
    return notes


def passing(q):
    """The share of a graded question's cases that pass, 0 without its core; of a model's its share of the points."""
    if len(q["cases"]) < 2 or not q["score"]:
        return q["score"] / q["max"] if q["max"] else 1.0
    return sum(case["status"] == "pass" for case in q["cases"]) / len(q["cases"])


def stale(questions, passed):
    """(notes, flags) for questions that the stored outputs call passed while their source here does not pass: unsaved,
    edited since, or answers for the public inputs only.
    """
    notes, flags = [], []
    for q in questions:
        if q["id"] in passed and q["score"] is not None and passing(q) < 0.75:  # one unlucky edge is no sign
            notes.append(
                f"{q['id']}: passed in the notebook's stored output, but its source does not: was the cell changed "
                "after its last run, or was the notebook not saved?"
            )
            seen = f"{q['id']}: the stored output says passed, graded {q['score']:g} of {q['max']:g}"
            flags.append(flag("passes only in the notebook", seen))
    return notes, flags


# messages of questions/invoke.py
SHORTCUT = re.compile(r"this exercise may not call it$|^this calls course_lib's own|^your function calls ")


def shortcuts(questions):
    """Flags for answers that called what they were to write, under whatever name: found while they ran."""
    failed = [(q["id"], case["message"]) for q in questions for case in q["cases"] if case["status"] == "fail"]
    found = dict.fromkeys(f"{name}: {message[:200]}" for name, message in failed if SHORTCUT.search(message))
    return [flag("forbidden function", evidence) for evidence in found]
