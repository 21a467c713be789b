"""Reading what students hand in: any nbformat since 3, any editor's damage, never more than the text of the cells.

nbformat itself is not used: it refuses what Colab, VS Code and mail programs make of a notebook, and costs half a second.
"""

import ast
import json
import re

MAX_FILE = 400 * 2**20
MAX_SOURCE = 4 * 2**20  # characters of all cells together
MAX_CELL, MAX_CELLS = 500_000, 3000
MAX_PARSED = 100_000  # characters of a cell that is read for flags: longer code is no student's
STUB_ANSWER = "YOUR ANSWER HERE"


class Ungradable(Exception):
    """A person must look at this submission: one line that says why."""


def read_cells(path):
    """[(number, "code" | "markdown", source)] of a notebook. Raises Ungradable with the reason."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise Ungradable(f"the notebook has {path.stat().st_size / 2**20:.0f} MB: clear its outputs and hand it in again")
        data = path.read_bytes()
    except OSError as error:
        raise Ungradable(f"the notebook cannot be read ({error.strerror})") from None
    if not data.strip():
        raise Ungradable("the notebook file is empty (0 bytes): the upload did not finish")
    text = data.decode("utf-8-sig", errors="replace") if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else data.decode("utf-16", errors="replace")
    if text.lstrip()[:1] == "<":
        raise Ungradable("the file is a web page (HTML), not a notebook: probably a login page was saved in its place")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        cut = " and seems to be cut off" if not text.rstrip().endswith("}") else ""
        raise Ungradable(f"the file is not a notebook: its JSON is broken{cut} ({str(error)[:80]})") from None
    if type(notebook) is not dict:
        raise Ungradable("the file is JSON but not a notebook")
    cells = notebook.get("cells")
    if cells is None and type(notebook.get("worksheets")) is list:  # nbformat 3
        cells = [c for sheet in notebook["worksheets"] if type(sheet) is dict for c in sheet.get("cells") or []]
    if type(cells) is not list:
        raise Ungradable("the file is JSON but has no cells: not a notebook")
    found = []
    for number, cell in enumerate(cells):
        if type(cell) is not dict:
            continue
        source = cell.get("source", cell.get("input", ""))
        if type(source) is list:
            source = "".join(part for part in source if type(part) is str)
        if type(source) is str and cell.get("cell_type") in ("code", "markdown", "heading"):
            found.append((number, "code" if cell["cell_type"] == "code" else "markdown", source.replace("\r\n", "\n").replace("\r", "\n")))
    if not found:
        raise Ungradable("the notebook has no cells with text in them")
    if len(found) > MAX_CELLS or any(len(source) > MAX_CELL for _, _, source in found) or sum(len(source) for _, _, source in found) > MAX_SOURCE:
        raise Ungradable("the text of the cells is far longer than a lab's")
    return found


def lab_of(cells, ids_of):
    """The lab that a notebook is, by what is in it: setup("…"), else the most of its question ids. None if nothing tells.

    ids_of: {lab: [question ids]}.
    """
    code = "\n".join(source for _, kind, source in cells if kind == "code")
    named = re.findall(r"""\bsetup\(\s*["'](\w+)["']""", code)
    if named and named[-1] in ids_of:
        return named[-1]
    hits = {lab: sum(bool(re.search(rf"\b{re.escape(i)}\b", code)) for i in ids if not i.startswith("written")) for lab, ids in ids_of.items()}
    best = max(hits, key=hits.get, default=None)
    if best is not None and hits[best] > 0:
        return best
    return named[-1] if named else None


def written_answers(cells):
    """{id: text} of the written answers: the markdown cells that begin with <!-- WRITTEN id -->."""
    answers = {}
    for _, kind, source in cells:
        found = re.match(r"\s*<!--\s*WRITTEN\s+(\w+)\s*-->\s*", source)
        if kind == "markdown" and found:
            answers[found.group(1)] = source[found.end() :].strip()[:20_000]
    return answers


# ---- signs of tampering, read in the source and never executed --------------------------------------------------------

GUARDED = {"torch", "F", "np", "numpy", "builtins", "json", "safetensors", "course_lib", "wire", "core", "os", "sys", "time", "signal", "inspect"}
REACHED = re.compile(r"course_lib\.grading|course_lib\.questions\.(?:lab|wire|invoke|compare)|/proc/|solutions/|grades/|_getframe|gc\.get_objects|ctypes|os\.fork|setattr\(\s*(?:torch|builtins|json|course_lib)|sys\.modules\[")


def dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def static_flags(cells, check_ids):
    """[{"kind", "evidence"}]: check cells deleted or edited, patched libraries, reaching for the grader. Hints for a person, never a score."""
    flags = []
    code = [(n, s) for n, kind, s in cells if kind == "code"]
    everything = "\n".join(s for _, s in code)
    for question_id in check_ids:
        if not re.search(rf"""^[^#\n]*\bcheck\(\s*["']{re.escape(question_id)}["']""", everything, re.M):
            flags.append({"kind": "check deleted or edited", "evidence": f'no cell calls check("{question_id}")'})
    from course_lib.grading.agent import plain_python

    for number, source in code:
        if len(source) > MAX_PARSED:
            flags.append({"kind": "huge cell", "evidence": f"cell {number} has {len(source)} characters"})
            continue
        try:
            tree = ast.parse(plain_python(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, (ast.AugAssign, ast.AnnAssign)) else []
            for target in targets:
                name = dotted(target)
                if isinstance(target, ast.Attribute) and name.split(".")[0] in GUARDED and not name.startswith(("torch.backends", "sys.path", "os.environ")):
                    flags.append({"kind": "patched library", "evidence": f"cell {number}: {name} is replaced"})
                if name == "check":
                    flags.append({"kind": "check deleted or edited", "evidence": f"cell {number}: check is redefined"})
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == "check":
                flags.append({"kind": "check deleted or edited", "evidence": f"cell {number}: check is redefined"})
        if found := REACHED.search(source):
            flags.append({"kind": "reaches for the grader", "evidence": f"cell {number}: {found.group(0)}"})
    return flags[:40]


def forbidden_flags(cells, questions):
    """Flags for library functions that an exercise forbids but whose name its cell uses. The call itself is caught when it runs."""
    from course_lib.grading.agent import plain_python

    flags = []
    for question in questions:
        names = {d.rsplit(".", 1)[-1] for d in question.forbid}
        for number, kind, source in cells:
            if not names or kind != "code" or len(source) > MAX_PARSED or not re.search(rf"^[ \t]*def {re.escape(question.id)}\b", source, re.M):
                continue
            try:
                nodes = list(ast.walk(ast.parse(plain_python(source))))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            used = {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            used |= {a.name for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names}
            flags += [{"kind": "forbidden function", "evidence": f"{question.id}, cell {number}: {name}"} for name in sorted(used & names)]
    return flags
