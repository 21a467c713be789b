"""What a person should know about a notebook: notes for the student, flags for the audit. Read in the source, never
executed, never a score.
"""

import ast
import re

MAX_PARSED = 100_000  # characters of a cell that is read: longer code is no student's
# fmt: off
GUARDED = {"torch", "numpy", "builtins", "json", "safetensors", "course_lib", "os", "sys", "time", "signal", "inspect",
    "threading", "gc", "math", "IPython", "__main__"}
# fmt: on
REACHED = re.compile(
    r"course_lib\.grading|course_lib\.questions\.(?:lab|wire|invoke|compare|ambient)|from course_lib\.questions import|/proc/|/course/|solutions/|grades/|submissions/|gradebook|_getframe|f_back|f_globals|gc\.get_objects|__subclasses__"
    r"|ctypes|os\.fork|setattr\(\s*(?:torch|builtins|json|course_lib)|sys\.modules\[|LocalCaller|ForbidTorch|setprofile|settrace|addaudithook|torch\._C\b|torch\.ops\.|torch\.jit\.|_pop_mode|Torch(?:Function|Dispatch)Mode|DisableTorchFunction"
    r"|(?:ast|input)_transformers|do_execute|\bopen\(\s*[\"'](?:/(?!content|tmp|box)|(?:torch|course_lib|conftest|sitecustomize)\.py)"
)
RUNS_TEXT = {"exec", "eval", "compile", "__import__"}


def import_names(trees):
    """{name: dotted name of what it imports} over all cells."""
    names = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {
                    a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
                }
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def dotted(node, names):
    """The dotted name of an attribute with its import resolved: torch.nn.functional.relu for F.relu; "" for what is
    none.
    """
    parts = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        node = node.value
    return ".".join([names.get(node.id, ""), *reversed(parts)]) if isinstance(node, ast.Name) and parts else ""


def parsed(cells):
    """([(number, source, tree)] of the code cells that Python can read, flags for those too long to be a student's)."""
    from course_lib.grading.sandbox.inside.cells import plain_python

    trees, flags = [], []
    for number, kind, source in cells:
        if kind != "code":
            continue
        if len(source) > MAX_PARSED:
            flags.append({"kind": "huge cell", "evidence": f"cell {number} has {len(source)} characters"})
            continue
        try:
            trees.append((number, source, ast.parse(plain_python(source))))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            trees.append((number, source, ast.Module([], [])))
    return trees, flags


def static_flags(cells, check_ids):
    """[{"kind", "evidence"}]: check cells deleted or edited, patched libraries, reaching for the grader. Hints for a
    person, never a score.
    """
    trees, flags = parsed(cells)
    everything = "\n".join(source for _, source, _ in trees)
    for question_id in check_ids:
        if not re.search(rf"""^[^#\n]{{0,200}}\bcheck\(\s*["']{re.escape(question_id)}["']""", everything, re.M):
            flags.append({"kind": "check deleted or edited", "evidence": f'no cell calls check("{question_id}")'})
    names = import_names(tree for _, _, tree in trees)
    for number, source, tree in trees:
        for node in ast.walk(tree):
            targets = (
                node.targets
                if isinstance(node, (ast.Assign, ast.Delete))
                else [node.target]
                if isinstance(node, (ast.AugAssign, ast.AnnAssign))
                else []
            )
            for target in [part for t in targets for part in (t.elts if isinstance(t, (ast.Tuple, ast.List)) else [t])]:
                name = dotted(target, names)
                if name.split(".")[0] in GUARDED and not name.startswith(("torch.backends", "sys.path", "os.environ")):
                    flags.append({"kind": "patched library", "evidence": f"cell {number}: {name} is replaced"})
                if isinstance(target, ast.Name) and target.id == "check":
                    flags.append({"kind": "check deleted or edited", "evidence": f"cell {number}: check is redefined"})
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == "check":
                flags.append({"kind": "check deleted or edited", "evidence": f"cell {number}: check is redefined"})
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in RUNS_TEXT
                and not all(isinstance(a, ast.Constant) for a in node.args[:1])
            ):
                flags.append({"kind": "runs text as code", "evidence": f"cell {number}: {node.func.id}(…)"})
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("setattr", "delattr")
                and node.args
                and isinstance(node.args[0], (ast.Name, ast.Attribute))
            ):
                name = (
                    names.get(node.args[0].id, "")
                    if isinstance(node.args[0], ast.Name)
                    else dotted(node.args[0], names)
                )
                if name.split(".")[0] in GUARDED:
                    flags.append({"kind": "patched library", "evidence": f"cell {number}: setattr({name}, …)"})
        if found := REACHED.search(source):
            flags.append({"kind": "reaches for the grader", "evidence": f"cell {number}: {found.group(0)}"})
    return flags[:40]


SHADOWS = re.compile(
    r"^ignored: (.*(?:\.pth|\.so|\.pyd|\.pkl|\.pickle|\.npz|torch\.py|numpy\.py|conftest\.py|customize\.py|course_lib.*\.py|safetensors.*\.py))$"
)


def archive_flags(notes):
    """Flags for files beside the notebook that were meant to be imported or unpickled; collect has left them out and
    noted it.
    """
    return [
        {"kind": "files that shadow modules", "evidence": note[:120]}
        for note in notes
        if type(note) is str and SHADOWS.match(note)
    ]


def forbidden_flags(cells, questions):
    """Flags for library functions that an exercise forbids but whose name its cell uses. The call itself is caught when
    it runs.
    """
    flags = []
    trees, _ = parsed(cells)
    for question in questions:
        names = {d.rsplit(".", 1)[-1] for d in question.forbid}
        for number, source, tree in trees:
            if not names or not re.search(rf"^[ \t]*def {re.escape(question.id)}\b", source, re.M):
                continue
            nodes = list(ast.walk(tree))
            used = {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {
                n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
            }
            used |= {a.name for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names}
            flags += [
                {"kind": "forbidden function", "evidence": f"{question.id}, cell {number}: {name}"}
                for name in sorted(used & names)
            ]
    return flags


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


def stale(questions, passed):
    """(notes, flags) for questions that the stored outputs call passed while their source here does not pass: unsaved,
    edited since, or answers for the public inputs only.
    """
    notes, flags = [], []
    for q in questions:
        if q["id"] in passed and q["score"] is not None and q["score"] < 0.75 * q["max"]:
            notes.append(
                f"{q['id']}: passed in the notebook's stored output, but its source does not: was the cell changed "
                "after its last run, or was the notebook not saved?"
            )
            flags.append(
                {
                    "kind": "passes only in the notebook",
                    "evidence": f"{q['id']}: the stored output says passed, graded {q['score']:g} of {q['max']:g}",
                }
            )
    return notes, flags


SHORTCUT = re.compile(
    r"this exercise may not call it$|^this calls course_lib's own|^your function calls sys\.setprofile"
)  # questions/invoke.py


def shortcuts(questions):
    """Flags for answers that called what they were to write, under whatever name: found while they ran."""
    found = [
        (q["id"], case["message"])
        for q in questions
        for case in q["cases"]
        if case["status"] == "fail" and SHORTCUT.search(case["message"])
    ]
    return [
        {"kind": "forbidden function", "evidence": f"{name}: {message[:200]}"} for name, message in dict.fromkeys(found)
    ]


NEEDS_GPU = re.compile(
    r"not compiled with CUDA|Found no NVIDIA driver|No CUDA GPUs|CUDA driver|not linked with support for mps|requires? "
    r"(?:a )?(?:CUDA|GPU)|No GPU found|FlashAttention only supports",
    re.I,
)


def needs_gpu(questions):
    """One line where a question failed for want of a GPU, else None. No points are at stake: a person decides where it
    is graded.
    """
    for q in questions:
        for case in q["cases"]:
            if q["score"] == 0 and case["status"] == "error" and NEEDS_GPU.search(case["message"]):
                return (
                    f"{q['id']} needs a GPU, and this grader has none ({case['message'][:120]}): grade it on a machine "
                    "with one, or ask for an answer that runs on a CPU"
                )
    return None
