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

from course_lib.notebook.cells import MAX_MODEL, Ungradable, lab_of, not_code, read_cells, read_cells_in
from course_lib.notebook.check import executed, in_exam, lab_in_use, long_names, notebook_namespace
from course_lib.notebook.helpers import helpers_of
from course_lib.notebook.rehearsal import rehearse
from course_lib.notebook.written import written_answers
from course_lib.platform import counted, safe_name, work_dir, write_atomic

NO_FILES = (  # front ends that keep notebooks elsewhere: a variable that they set, their name, the way to the file
    ("KAGGLE_KERNEL_RUN_TYPE", "Kaggle", "File > Download Notebook"),
    ("DATABRICKS_RUNTIME_VERSION", "Databricks", "File > Export > IPython Notebook"),
    ("DEEPNOTE_PROJECT_ID", "Deepnote", "Export as .ipynb in the notebook's menu"),
)


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
    if text := as_text(namespace):
        return beside_text(*text)
    found = sorted(p for p in Path.cwd().glob("*.ipynb") if re.match(r"\d\d_", p.name))
    if len(found) == 1:
        return found[0]
    name = f"{lab_in_use() or '02_pretraining'}.ipynb"
    for variable, place, menu in NO_FILES:
        if variable in os.environ:
            raise LookupError(
                f"On {place} this notebook is no file that submit() can see. Choose {menu}, name what you get {name}, "
                f"and hand it in; what you have trained is in {work_dir()}: put that folder beside it into one zip."
            )
    seen = f"There are {len(found)} lab notebooks" if found else "There is no lab notebook"
    raise LookupError(f'{seen} in {Path.cwd()}: say which one, submit(notebook="{name}").')


def as_text(namespace):
    """(path, the command that makes a notebook of it) of a notebook that its front end keeps as text: marimo's, or one
    that jupytext opens in Jupyter. None for others.
    """
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        path = Path(namespace.get("__file__") or "notebook.py")
        return path, f"marimo export ipynb {path.name} -o {path.stem}.ipynb"
    path = Path(os.environ.get("JPY_SESSION_NAME") or "")
    return (path, f"jupytext --to ipynb {path.name}") if path.suffix in (".py", ".md", ".Rmd", ".qmd") else None


def beside_text(text, command):
    """The notebook that is saved together with a text. LookupError where there is none, or an older one."""
    for path in (text, Path(text.name)):
        book = path.with_suffix(".ipynb")
        if path.is_file() and book.is_file() and book.stat().st_mtime > path.stat().st_mtime - 60:
            return book
    raise LookupError(
        f"This notebook is kept as text in {text.name}: run `{command}` in a terminal, then "
        f'submit(notebook="{text.stem}.ipynb").'
    )


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
    """{id: source} of the cells with a line # EXERCISE id; of several with one id the last."""
    found = ((re.search(r"^[^\S\n]*# EXERCISE (\w+)", source, re.M), source) for source in sources)
    return {head[1]: source for head, source in found if head}


def missing(cells, questions):
    """Lines about exercises that are not there, or not begun."""
    code = "\n".join(source for _, kind, source in cells if kind == "code")
    lines = []
    for question in questions:
        name = re.escape(question.id)
        if other := not_code(cells, question.id):
            lines.append(f"exercise {question.id}: {other}")
        elif not re.search(rf"^[^\S\n]*# EXERCISE {name}\b|\b(?:def|class) {name}\b", code, re.M):
            lines.append(f"exercise {question.id}: its cell is not in the notebook")
        elif re.search(rf"# EXERCISE {name}\b(?:(?!# EXERCISE)[\s\S])*?raise NotImplementedError\(\)", code):
            lines.append(f"exercise {question.id}: not written yet")
    return lines


def submit(notebook=None, student=None, out="submissions", namespace=None, run=True, ready=True):
    """Writes {lab}_{sha8}.zip and prints its receipt. Returns the path, or None with one line that says what to do.

    run: try the answers first as the grader will run them, in a process of their own, and say what would not pass; not
    in an exam. Where COURSE_SUBMIT_URL is set, the zip is handed in to that service of the hub as well.
    ready: False in the labs, so that Run all packs nothing.
    """
    if not ready:
        return print("Nothing is packed yet. Your work is done? Write ready=True, save the notebook, run this cell.")
    namespace = notebook_namespace() if namespace is None else namespace
    try:
        path, data, cells = opened(notebook, namespace)
        lab = lab_handed_in(cells)
    except LookupError as reason:
        return print(reason)
    except (Ungradable, OSError) as reason:
        return print(f"Not submitted: {reason}.")
    if stale := unsaved(cells, executed(namespace)):
        ids = ", ".join(stale)
        return print(
            f"Not submitted: the notebook is not saved since you last ran {ids}. Press Ctrl-S (Cmd-S), then run this "
            "cell again."
        )
    files, notes = collected(lab, path, data, cells)
    if run and not in_exam() and not os.environ.get("NBGRADER_EXECUTION"):
        notes += tried(lab, cells, files)
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
    print(f"{target}  ({len(data) / 1024:.0f} kB, {counted(len(files), 'file')})\nreceipt  sha256 {receipt}")
    if not os.environ.get("COURSE_SUBMIT_URL"):
        print("Hand in this zip; keep the receipt.")
        return target
    from course_lib.notebook.hub import hand_in  # its urllib would cost every student's first cell 10 ms

    print(hand_in(target, lab))
    return target


def opened(notebook, namespace):
    """(path or None, bytes, cells) of the notebook. Raises LookupError, Ungradable, OSError."""
    data = colab_notebook() if notebook is None else None
    if data is not None:
        return None, data, read_cells_in(data)
    path = find_notebook(notebook, namespace)
    return path, path.read_bytes(), read_cells(path)


def lab_handed_in(cells):
    """The lab that a notebook is. LookupError where it is none of this course."""
    from course_lib.questions import core

    labs = {lab: [q.id for q in core.questions_of(lab)] for lab in core.labs()}
    lab = lab_of(cells, labs)
    if lab not in labs:
        names = ", ".join(labs)
        raise LookupError(f"Not submitted: this does not look like a lab of this course (labs: {names}).")
    return lab


def collected(lab, path, data, cells):
    """({name in the zip: bytes}, lines on what is not there or looks wrong)."""
    from course_lib.questions import core

    questions = core.questions_of(lab)
    asked = [q for q in questions if isinstance(q, core.Question)]
    written = [q.id for q in questions if isinstance(q, core.WrittenQuestion)]
    notes = missing(cells, asked)
    notes += [f"{name}: {note}" for name, (_, note) in written_answers(cells, written).items() if note]
    code = [source for _, kind, source in cells if kind == "code"]
    notes += [note.removeprefix("note: ") for note in long_names(code, [q.id for q in asked])]
    helpers, more = helpers_of(cells, path.parent if path else Path.cwd())
    files = {f"{lab}.ipynb": data} | helpers
    # on Colab there is no file, and a Drive perhaps
    work = Path(os.environ.get("COURSE_WORK") or (path.parent / "work" if path else work_dir()))
    for question in questions:
        if isinstance(question, core.ArtifactQuestion):
            more += add_model(files, work / question.stage, question.stage)
    return files, notes + more


def tried(lab, cells, files):
    """Lines of a trial run; [] where it is of no use, because nothing is written yet."""
    from course_lib.questions import core

    ids = [q.id for q in core.questions_of(lab) if isinstance(q, core.Question)]
    begun = [line for line in missing(cells, [q for q in core.questions_of(lab) if q.id in ids])]
    if not ids or len(begun) == len(ids):
        return []
    print("Trying your answers as the grader will run them (submit(run=False) leaves this out) …", flush=True)
    return rehearse(lab, cells, {name: data for name, data in files.items() if name.endswith(".py")})


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
