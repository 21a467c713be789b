"""submit() in the notebook: is it saved, is everything there? Then one zip with a receipt, ready to hand in."""

import hashlib
import io
import json
import os
import re
import sys
import time
import zipfile
from pathlib import Path

from course_lib.notebook.cells import Ungradable, lab_of, read_cells
from course_lib.platform import safe_name, work_dir, write_atomic

MAX_MODEL = 64 * 2**20


def find_notebook(notebook=None, namespace=None):
    """The notebook's path. LookupError with one line if it cannot be told."""
    if notebook is not None:
        path = Path(notebook).expanduser()
        if not path.is_file():
            raise LookupError(f"There is no file {path}: give submit(notebook=...) the path of this notebook.")
        return path
    namespace = namespace or {}
    for name in (os.environ.get("JPY_SESSION_NAME"), namespace.get("__vsc_ipynb_file__"), namespace.get("__session__")):
        if name and str(name).endswith(".ipynb"):
            for path in (Path(name), Path(Path(name).name)):
                if path.is_file():
                    return path
    found = sorted(p for p in Path.cwd().glob("*.ipynb") if re.match(r"\d\d_", p.name))
    if len(found) == 1:
        return found[0]
    seen = f"There are {len(found)} lab notebooks" if found else "There is no lab notebook"
    raise LookupError(f'{seen} in {Path.cwd()}: say which one, submit(notebook="02_pretraining.ipynb").')


def colab_notebook():
    """The notebook's bytes as Colab has it in the browser, or None elsewhere."""
    if "google.colab" not in sys.modules:
        return None
    from google.colab import _message  # ty: ignore[import-not-found]  # Colab's own, there alone

    reply = _message.blocking_request("get_ipynb", timeout_sec=30)
    return json.dumps(reply["ipynb"]).encode() if reply and "ipynb" in reply else None


def unsaved(cells, executed):
    """Ids of the exercises whose text in the file is not the one that was run last. executed: IPython's In."""
    saved = exercises(source for _, kind, source in cells if kind == "code")
    last = exercises(source for source in executed if type(source) is str)
    return [i for i, source in last.items() if i in saved and saved[i].strip() != source.strip()]


def exercises(sources):
    """{id: source} of the cells that begin with # EXERCISE id; of several with one id the last."""
    found = ((re.match(r"\s*# EXERCISE (\w+)", source), source) for source in sources)
    return {head[1]: source for head, source in found if head}


def missing(cells, questions):
    """Lines about exercises that are not there, or not begun."""
    code = "\n".join(source for _, kind, source in cells if kind == "code")
    lines = []
    for question in questions:
        name = re.escape(question.id)
        if not re.search(rf"^\s*# EXERCISE {name}\b|\b(?:def|class) {name}\b", code, re.M):
            lines.append(f"exercise {question.id}: its cell is not in the notebook")
        elif re.search(rf"# EXERCISE {name}\b(?:(?!# EXERCISE)[\s\S])*?raise NotImplementedError\(\)", code):
            lines.append(f"exercise {question.id}: not written yet")
    return lines


def submit(notebook=None, student=None, out="submissions", namespace=None):
    """Writes {lab}_{sha8}.zip and prints its receipt. Returns the path, or None with one line that says what to do."""
    from course_lib.notebook.check import notebook_namespace
    from course_lib.questions import core

    namespace = notebook_namespace() if namespace is None else namespace
    try:
        data = colab_notebook() if notebook is None else None
        path = None
        if data is None:
            path = find_notebook(notebook, namespace)
            data = path.read_bytes()
            cells = read_cells(path)
        else:
            cells = cells_of(data)
    except LookupError as reason:
        return print(reason)
    except (Ungradable, OSError) as reason:
        return print(f"Not submitted: {reason}.")
    labs = {lab: [q.id for q in core.questions_of(lab)] for lab in core.labs()}
    lab = lab_of(cells, labs)
    if lab not in labs:
        return print(f"Not submitted: this does not look like a lab of this course (labs: {', '.join(labs)}).")
    if stale := unsaved(cells, namespace.get("In", [])):
        return print(
            f"Not submitted: the notebook is not saved since you last ran {', '.join(stale)}. Press Ctrl-S (Cmd-S), "
            "then run this cell again."
        )
    questions = core.questions_of(lab)
    notes = missing(cells, [q for q in questions if isinstance(q, core.Question)])
    files = {f"{lab}.ipynb": data}
    # on Colab there is no file, and a Drive perhaps
    work = Path(os.environ.get("COURSE_WORK") or (path.parent / "work" if path else work_dir()))
    for question in questions:
        if isinstance(question, core.ArtifactQuestion):
            notes += add_model(files, work / question.stage, question.stage)
    data = packed(files, lab, student or os.environ.get("COURSE_STUDENT", ""))
    receipt = hashlib.sha256(data).hexdigest()
    target = Path(out) / f"{lab}_{receipt[:8]}.zip"
    try:
        write_atomic(target, data)
    except OSError as error:
        place = f"{Path(out).absolute()} ({error.strerror})"
        return print(f'Not submitted: cannot write to {place}; give another folder, submit(out="/tmp").')
    for note in notes:
        print(f"  note: {note}")
    print(f"{target}  ({len(data) / 1024:.0f} kB, {len(files)} files)\nreceipt  sha256 {receipt}")
    print("Hand in this zip; keep the receipt.")
    return target


def packed(files, lab, student):
    """The bytes of the zip: {name: bytes} and a manifest with their checksums."""
    manifest = {
        "lab": lab,
        "student": safe_name(student) if student else "",
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, "manifest.json": json.dumps(manifest, indent=1).encode()}.items():
            archive.writestr(name, content)
    return out.getvalue()


def add_model(files, folder, stage):
    """Adds a stage's model and record to files; lines about what is not there."""
    model, record = folder / "model.safetensors", folder / "record.json"
    if not model.is_file():
        return [f"no model in {folder}: the question about it will score 0 (train it, then submit again)"]
    if model.stat().st_size > MAX_MODEL:
        size, most = model.stat().st_size >> 20, MAX_MODEL >> 20
        return [f"{model} has {size} MB, more than the {most} MB of any model of this course: left out"]
    files[f"work/{stage}/model.safetensors"] = model.read_bytes()
    if not record.is_file():
        return [f"{record} is missing: train the model again, save_stage writes both"]
    files[f"work/{stage}/record.json"] = record.read_bytes()
    return []


def cells_of(data):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notebook.ipynb")
        path.write_bytes(data)
        return read_cells(path)
