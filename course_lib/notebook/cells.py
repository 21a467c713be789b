"""Reading what students hand in: any nbformat since 3, any editor's damage, never more than the text of the cells.

nbformat itself is not used: it refuses what Colab, VS Code and mail programs make of a notebook, and costs half a
second.
"""

import json
import re
import tempfile
from pathlib import Path

MAX_FILE = 400 * 2**20
MAX_MODEL = 64 * 2**20  # bytes of the safetensors beside a notebook
MAX_REST = 20 * 2**20  # bytes of a notebook without its outputs
MAX_BRACKETS = 1_000_000  # of stored outputs: each is a step of Python where they are cut off
LARGE = 16 * 2**20  # from here on outputs are cut off before JSON makes objects of them
MAX_SOURCE = 4 * 2**20  # characters of all cells together
MAX_CELL, MAX_CELLS = 500_000, 3000


class Ungradable(Exception):
    """A person must look at this submission: one line that says why."""


def read_cells(path):
    """[(number, "code" | "markdown" | "raw", source)] of a notebook. Raises Ungradable with the reason."""
    return read_book(path)[0]


def read_cells_in(data):
    """As read_cells, of a notebook's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notebook.ipynb")
        path.write_bytes(data)
        return read_cells(path)


def read_book(path):
    """(cells, passed, notes): the cells as read_cells gives them, the ids of the questions whose stored output says
    "passed", and one line for whatever was left out. Raises Ungradable with the reason.
    """
    data, notes = read_bytes(path)
    cells = cells_of(data)
    found, passed = [], set()
    for number, cell in enumerate(cells):
        if type(cell) is not dict:
            continue
        source = text_of(cell.get("source", cell.get("input", "")))
        if source is not None and cell.get("cell_type") in ("code", "markdown", "heading", "raw"):
            kind = cell["cell_type"]
            if kind == "heading":  # of format 3: its level stands beside the text
                level = cell.get("level")
                kind, source = "markdown", f"{'#' * (level if type(level) is int and 0 < level < 7 else 1)} {source}"
            source = source if kind == "code" else PASTED.sub("pasted-image", source)
            found.append((number, kind, source.replace("\r\n", "\n").replace("\r", "\n")))
            passed |= passed_in(cell.get("outputs"))
    if not found:
        raise Ungradable("the notebook has no cells with text in them")
    lengths = [len(source) for _, _, source in found]
    if len(found) > MAX_CELLS or max(lengths) > MAX_CELL or sum(lengths) > MAX_SOURCE:
        raise Ungradable("the text of the cells is far longer than a lab's")
    return found, passed, notes


def read_bytes(path):
    """(the notebook's bytes, notes); of a large one without its outputs. Raises Ungradable for one that is empty, far
    too large or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise Ungradable(f"the notebook has {size / 2**20:.0f} MB: clear its outputs and hand it in again")
        data = path.read_bytes()
    except OSError as error:
        raise Ungradable(f"the notebook cannot be read ({error.strerror})") from None
    if not data.strip():
        raise Ungradable("the notebook file is empty (0 bytes): the upload did not finish")
    if len(data) <= LARGE:
        return data, []
    whole, data = len(data), without_outputs(data)
    if len(data) > MAX_REST:
        large = f"the notebook has {len(data) / 2**20:.0f} MB without its outputs"
        raise Ungradable(f"{large}: remove what is pasted into it and hand it in again")
    cut = (whole - len(data)) / 2**20
    return data, [f"{cut:.0f} MB of stored outputs were left out"] if cut > 1 else []


def cells_of(data):
    """The list of cells in a notebook's bytes. Raises Ungradable."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Ungradable(no_json(text, error)) from None
    if type(notebook) is not dict:
        raise Ungradable("the file is JSON but not a notebook")
    version = notebook.get("nbformat")
    if type(version) is int and version < 3:
        raise Ungradable(f"the notebook is in format {version}, which is too old: save it with a Jupyter of today")
    cells = notebook.get("cells")
    if cells is None and type(notebook.get("worksheets")) is list:  # nbformat 3
        sheets = [sheet.get("cells") for sheet in notebook["worksheets"] if type(sheet) is dict]
        cells = [cell for sheet in sheets if type(sheet) is list for cell in sheet]
    if type(cells) is not list:
        raise Ungradable("the file is JSON but has no cells: not a notebook")
    return cells


def no_json(text, error):
    """Why a file is no notebook, in one line."""
    if re.search(r"^<{7}(?: .*)?\r?$", text, re.M) and re.search(r"^>{7}(?: .*)?\r?$", text, re.M):
        return (
            "the file holds an unresolved conflict of Git (lines that begin with <<<<<<< and >>>>>>>): resolve it, "
            "look whether the notebook opens, and hand it in again"
        )
    if text.lstrip()[:1] == "<":
        return "the file is a web page (HTML), not a notebook: probably a login page was saved in its place"
    cut = " and seems to be cut off" if not text.rstrip().endswith("}") else ""
    return f"the file is not a notebook: its JSON is broken{cut} ({str(error)[:80]})"


def text_of(source):
    """The text of a cell's or output's field, which is a text or a list of lines; None for anything else."""
    if type(source) is list:
        return "".join(part for part in source if type(part) is str)
    return source if type(source) is str else None


# Colab puts a pasted picture into the text, megabytes of it
PASTED = re.compile(r"data:image/[\w.+-]{1,40};base64,[A-Za-z0-9+/=]*+")
# outside a JSON text these bytes are a key, and within one its quotes are escaped
OUTPUTS = re.compile(rb'"outputs"\s*:\s*(?=\[)')
TO_BRACKET = re.compile(rb'(?:[^"\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.S)


def without_outputs(data):
    """The notebook's bytes with every list of outputs emptied: hundreds of MB, before JSON makes objects of them.

    Raises Ungradable where they have more than MAX_BRACKETS lists.
    """
    parts, at, left = [], 0, MAX_BRACKETS
    while found := OUTPUTS.search(data, at):
        place, depth = found.end(), 0
        while place < len(data):
            depth += 1 if data[place : place + 1] == b"[" else -1
            place += 1
            if depth == 0:
                break
            if (left := left - 1) < 0:
                raise Ungradable("the notebook's stored outputs have far too many parts: clear them, hand it in again")
            place = TO_BRACKET.match(data, place).end()  # ty: ignore[missing-union-attribute]  # always matches
            if data[place : place + 1] not in (b"[", b"]"):
                return data  # broken JSON: whoever reads it says so
        parts += [data[at : found.end()], b"[]"]
        at = place
    return b"".join([*parts, data[at:]])


def passed_in(outputs):
    """Ids of the questions that a cell's stored outputs call passed (widgets/card.py: "id: passed, 1 of 1 point")."""
    found = set()
    for output in outputs[:50] if type(outputs) is list else []:
        data = output.get("data") if type(output) is dict else None
        text = text_of(output.get("text")) if type(output) is dict else None
        text = (text or "") + (text_of(data.get("text/plain")) or "" if type(data) is dict else "")
        found |= set(re.findall(r"^\W{0,3}(\w{1,60}): passed, ", text[:20_000], re.M))
    return found


def not_code(cells, name):
    """Where a question's cell is that is no code cell, in words; "" where there is none, or one that is code."""
    # no \s*, which runs on over the lines below: from each of n empty ones, so n squared
    head = rf"^[^\S\n]*(?:# EXERCISE|def|class) {re.escape(name)}\b"
    found = [(number, kind) for number, kind, source in cells if re.search(head, source, re.M)]
    if not found or any(kind == "code" for _, kind in found):
        return ""
    number, kind = found[-1]
    return f"its cell, number {number}, is a {kind} cell and is not run: make it a code cell"


def lab_of(cells, ids_of):
    """The lab that a notebook is, by what is in it: setup("…"), else the most of its question ids. None: nothing tells.

    ids_of: {lab: [question ids]}.
    """
    code = "\n".join(source for _, kind, source in cells if kind == "code")
    named = re.findall(r"""\bsetup\(\s*["'](\w+)["']""", code)
    if named and named[-1] in ids_of:
        return named[-1]
    best, most = (named[-1] if named else None), 0
    for lab, ids in ids_of.items():
        hits = [i for i in ids if not i.startswith("written") and re.search(rf"\b{re.escape(i)}\b", code)]
        if len(hits) > most:
            best, most = lab, len(hits)
    return best
