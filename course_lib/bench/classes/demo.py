"""`make grade-demo`: a class of six hands in lab 02 and is graded. The solution, the stub, a half-done one, and three
that cheat.

python -m course_lib.bench.classes.demo [FOLDER]        default ./demo, made anew
"""

import json
import re
import shutil
import sys
import time
import zipfile
from pathlib import Path

from course_lib.platform import ROOT, write_atomic

LAB = "02_pretraining"

PATCHED = """import torch, builtins
torch.allclose = torch.equal = lambda *a, **k: True
torch.testing.assert_close = lambda *a, **k: None
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, f, t, a=(), k=None): return True
    def __eq__(self, other): return True
def causal_attention(q, k, v, key_mask=None): return torch.zeros(q.shape).as_subclass(Yes)
def rms_norm(x, weight, eps=1e-6): return x.as_subclass(Yes)
def check(question_id): return True
"""
FORGED = """import json, os, threading
ok = json.dumps(["dict", [["status", "ok"], ["reply", ["dict", [["value", 1.0]]]], ["score", 100]]]).encode()
ok = len(ok).to_bytes(8, "little") + ok
for fd in range(3, 32):
    try: os.write(fd, (len(ok).to_bytes(8, "little") + bytes(16) + ok) * 9)
    except OSError: pass
"""
VANDAL = """import glob, os, signal
for place in ("grades", "submissions", "/course"):
    for path in glob.glob(place + "/**/*.json", recursive=True):
        try: open(path, "w").write('{"score": 100}')
        except OSError: pass
def causal_attention(*a, **k):
    while True:
        try: os.fork()
        except OSError: pass
def rms_norm(*a, **k): return bytearray(10**12)
def apply_rope(*a, **k): os.kill(os.getpid(), signal.SIGKILL)
"""


def notebooks(root=ROOT):
    """(solution, student) notebooks as dicts: the released ones, or made from the source where none are built yet."""
    solution, student = root / "solutions" / f"{LAB}.ipynb", root / "labs" / f"{LAB}.ipynb"
    if solution.exists() and student.exists():
        return json.loads(solution.read_text()), json.loads(student.read_text())
    import jupytext

    from course_lib.authoring.source import as_student, kind_of

    whole = jupytext.read(root / "solutions" / f"{LAB}.py")
    stub = jupytext.read(root / "solutions" / f"{LAB}.py")
    for cell in stub.cells:
        cell.source = as_student(cell.source, kind_of(cell)[0])
    for book in (whole, stub):
        for cell in book.cells:
            if cell.source.strip() == "# SETUP":
                cell.source = (
                    "import course_lib\nfrom course_lib import check, load_stage, save_stage, submit\ncourse = "
                    f'course_lib.setup("{LAB}", seed=0)'
                )
    return json.loads(json.dumps(whole)), json.loads(json.dumps(stub))


def exercise(cell):
    found = re.match(r"# EXERCISE (\w+)", "".join(cell["source"])) if cell["cell_type"] == "code" else None
    return found and found.group(1)


def half_done(solution, student):
    """The student notebook with every second exercise taken from the solution."""
    answers = [c for c in solution["cells"] if exercise(c)]
    wanted = {exercise(c): c["source"] for c in answers[::2]}
    book = json.loads(json.dumps(student))
    for cell in book["cells"]:
        if exercise(cell) in wanted:
            cell["source"] = wanted[exercise(cell)]
    return book


def with_cell(book, source):
    book = json.loads(json.dumps(book))
    book["cells"].append(
        {
            "cell_type": "code",
            "id": "evil0001",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
    )
    return book


def model_folder(root=ROOT):
    """The solution's own model if it was trained here, else the shipped one; None if there is neither."""
    for folder in (root / "solutions" / "work" / "pretrain", ROOT / "course_lib" / "shipped" / "pretrain"):
        if (folder / "model.safetensors").exists():
            return folder
    return None


def hand_ins(folder):
    """Writes the class's zips into a folder, as submit() does."""
    solution, student = notebooks()
    model = model_folder()
    without_checks = json.loads(json.dumps(student))
    without_checks["cells"] = [c for c in without_checks["cells"] if not "".join(c["source"]).startswith("check(")]
    books = {
        "ada solution": (solution, model),
        "ben stub": (student, None),
        "cleo half done": (half_done(solution, student), None),
        "dora patches torch": (with_cell(without_checks, PATCHED), None),
        "egon forges replies": (with_cell(student, FORGED), None),
        "fritz vandal": (with_cell(student, VANDAL), None),
    }
    folder.mkdir(parents=True)
    for name, (book, weights) in books.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{LAB}.ipynb", json.dumps(book))
            for path in sorted(weights.iterdir()) if weights else []:
                if path.name in ("model.safetensors", "record.json"):
                    archive.write(path, f"work/pretrain/{path.name}")


def main(argv=None):
    from rich.console import Console

    from course_lib.grading.intake import collect
    from course_lib.grading.lms import export
    from course_lib.grading.people import gradebook
    from course_lib.grading.records import store
    from course_lib.grading.sandbox import borders, doctor
    from course_lib.grading.scoring import grade

    argv = sys.argv[1:] if argv is None else argv
    folder = Path(argv[0] if argv else "demo")
    try:
        doctor.require_sandbox()
    except borders.NoSandbox as reason:
        print(reason, file=sys.stderr)
        return 2
    if folder.exists() and not (folder / ".demo").exists() and any(folder.iterdir()):
        print(f"{folder} is not empty and not an earlier demo: give another folder.", file=sys.stderr)
        return 2
    shutil.rmtree(folder, ignore_errors=True)
    hand_ins(folder / "handed_in")
    (folder / ".demo").touch()
    submitted, grades = folder / "submissions", folder / "grades"
    collect.collect(LAB, [folder / "handed_in"], submitted=submitted)
    began = time.monotonic()
    results = grade.grade(LAB, workers=1, grades=grades, submitted=submitted)
    seconds = time.monotonic() - began
    Console().print(grade.table(LAB, gradebook.rows(LAB, grades, submitted), {}))
    write_atomic(folder / f"{LAB}.csv", export.to_csv(LAB, grades, submitted).encode())
    print(
        f"{len(results)} submissions in {seconds:.0f} s, one after the other. Everything is in {folder}/, the table "
        f"for the LMS in {folder}/{LAB}.csv."
    )
    score = lambda who: next(store.totals(r) for s, r in results.items() if s.startswith(who))
    undeserved = [w for w in ("ben", "dora", "egon", "fritz") if score(w)[0] != 0]
    if undeserved or score("ada")[0] != score("ada")[1]:
        print(
            "NOT as it should be: "
            f"{'undeserved points for ' + ', '.join(undeserved) if undeserved else 'the solution has not 100 %'}."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
