"""Rows about what comes beside the notebook: models (32 to 35) and archives (43 to 46)."""

import pickle

import numpy as np
from bad.make import LARGE, Bad, Files, Handed, book, function, model, notebook, outputs, stub, zipped

NORM = "model.norm.weight"
EVIL = "surprise", "raise NotImplementedError()"


class Runs:
    """What a pickle does when it is loaded."""

    def __reduce__(self):
        return (exec, ("open('/tmp/pickle_was_loaded', 'w').close()",))


def pickle_loaded():
    import os

    if os.path.exists("/tmp/pickle_was_loaded"):
        os.unlink("/tmp/pickle_was_loaded")
        return "a pickle was loaded"


def with_bytes(content):
    """make: right answers of lab 02 with this as model.safetensors."""

    def make(place):
        folder = model(place)
        (folder / "model.safetensors").write_bytes(content)
        return Handed(book(lab=LARGE), folder)

    return make


def with_model(weights=None, record=None):
    return lambda place: Handed(book(lab=LARGE), model(place, weights, record))


def truncated(place):
    folder = model(place)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    return Handed(book(lab=LARGE), folder)


def five_gigabytes(place):
    def grow(folder):
        with open(folder / "work/pretrain/model.safetensors", "ab") as file:
            file.truncate(5 * 2**30)  # sparse: takes no disk

    return Handed(book(lab=LARGE), model(place), grow)


def npz_bomb():
    import io

    out = io.BytesIO()
    np.savez_compressed(out, weights=np.zeros(10**8, dtype=np.uint8))
    return out.getvalue()


def classmates(place):
    """The same weights as a classmate's, one number changed by a little."""
    other = model(place, seed=3, name="bob")
    (place / "work").mkdir()
    (place / "work" / "pretrain").symlink_to(other)
    mine = model(place, lambda w: w | {NORM: w[NORM] * 1.0001}, seed=3)
    return Handed(book(lab=LARGE), mine, others=(("bob", place),))


def shipped(place):
    """The course's own released model."""
    from pathlib import Path

    import course_lib

    return Handed(book(lab=LARGE), Path(course_lib.__file__).parent / "shipped" / "pretrain")


def public_only(place):
    """A model that the student's own notebook calls passed and that knows nothing of fresh text."""
    return Handed(outputs(book(lab=LARGE), pretrained_model="✓ pretrained_model: passed, 1 of 1 point"), model(place))


BAD_MODELS = {
    "missing key": (
        with_model(lambda w: {n: t for n, t in w.items() if n != NORM}),
        r"lacks 1 of \d+ tensors, e.g. model.norm.weight",
    ),
    "wrong shape": (with_model(lambda w: w | {NORM: w[NORM][:-1].clone()}), r"has shape \[31\], expected \[32\]"),
    "NaN": (with_model(lambda w: w | {NORM: w[NORM] * float("nan")}), "NaN or infinite"),
    "a config of 10^9": (with_model(record=lambda r: r["model"].update(hidden=10**9)), "outside the course's models"),
    "5 GB": (five_gigabytes, "5120 MB"),
    "an upload that did not finish": (truncated, "not a whole safetensors file"),
}
MODELS = [
    Bad(32, "a pickle for a model", with_bytes(pickle.dumps(Runs())), "Q0", 8.0, lab=LARGE,
        says="not a whole safetensors file", statuses={"pretrained_model": "error"}, after=pickle_loaded),
    Bad(32, "an npz bomb for a model", with_bytes(npz_bomb()), "Q0", 8.0, lab=LARGE,
        says="not a whole safetensors file", statuses={"pretrained_model": "error"}),
    Bad(32, "a pickle as a reply",
        lambda p: book({"surprise": function("surprise",
            "import pickle\nclass E:\n"
            "    def __reduce__(self): return (exec, (\"open('/tmp/pickle_was_loaded', 'w')\",))\n"
            "return pickle.dumps(E())")}), "Q0", 0.75, says="bytes is not a plain", after=pickle_loaded),
    *[Bad(33, label, make, "Q0", 8.0, lab=LARGE, says=words, statuses={"pretrained_model": "error"}) for label,
        (make, words) in BAD_MODELS.items()],
    Bad(34, "a classmate's, slightly changed", classmates, "GF", 8.0, ("similar model",), lab=LARGE,
        says="what the model of bob computes"),
    Bad(34, "the released one", shipped, "GF", 9.0, ("similar model",), lab=LARGE,
        says="what the shipped model pretrain computes"),
    Bad(35, "passes on public text only", public_only, "GF", 8.0, ("passes only in the notebook",), lab=LARGE,
        says="pretrained_model: the stored output says passed"),
]  # fmt: skip

SHADOWS = {
    name: "raise SystemExit"
    for name in (
        "torch.py",
        "conftest.py",
        "course_lib/__init__.py",
        "sitecustomize.py",
        "evil.pth",
        "course_lib/questions/wire.py",
    )
}


def archive(members, **more):
    """make: one zip, ann.zip."""
    return lambda place: Files({"ann.zip": zipped(members() if callable(members) else members, **more)})


def nested(depth):
    data = zipped({"a.ipynb": book()})
    for _ in range(depth):
        data = zipped({"ann.zip": data})
    return data


def bomb():
    """A small zip of 600 MB of zeros."""
    return zipped({"ann.ipynb": bytes(600 * 2**20)})


def lying(text="x"):
    """A zip whose header understates what is in it."""
    data = bytearray(zipped({"ann.ipynb": bytes(2**20)}))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(mark)
        data[at + place : at + place + 4] = (10).to_bytes(4, "little")
    return bytes(data)


SLIPS = [
    "../../evil.ipynb",
    "/etc/evil.ipynb",
    "a/../../evil.ipynb",
    "..\\evil.ipynb",
    "C:\\evil.ipynb",
    "work/../../../model.safetensors",
]
# fmt: off
NAMES = ["lab 00 (1).ipynb", "été;rm -rf.ipynb", "\u202efdp.ipynb", "x" * 200 + ".ipynb", "-rf.ipynb", "ann.ipynb.txt",
    "=cmd.ipynb", "\U0001f600.ipynb", "$(touch x)`id`.ipynb", "a\nb.ipynb", "CON.ipynb", "00_start_here.IPYNB"]
# fmt: on
OLD, NEW = (2026, 1, 1, 0, 0, 0), (2026, 1, 9, 0, 0, 0)


def different(n):
    return book(after=[f"x = {n}"])


ARCHIVES = [
    Bad(43, "in the zip", archive(lambda: {"00_start_here.ipynb": book({"surprise": stub("surprise")}), **SHADOWS}),
        "GF", 0.75, ("files that shadow modules",), says="ignored: torch.py"),
    Bad(43, "written by a cell",
        lambda place: book({"surprise": stub("surprise")},
            before=[
                "for name in ('torch.py', 'course_lib.py', '/tmp/sitecustomize.py'):\n"
                "    open(name, 'w').write('raise SystemExit')\nimport os\nopen('torch.py')",
                "import importlib, torch\nprint('FROM', torch.__file__)"]),
        "GF", 0.75, ("reaches for the grader",), never="FROM /box"),
    *[Bad(44, f"zip-slip {name}", archive({"ok.ipynb": "{}", name: "{}"}), "R", None,
        says="outside its folder") for name in SLIPS],
    Bad(44, "a link", archive({"ok.ipynb": "/etc/passwd"}, link=["ok.ipynb"]), "R", None, says="link"),
    Bad(44, "a device",
        archive({"ok.ipynb": book(), "work/pretrain/model.safetensors": ""},
            device=["work/pretrain/model.safetensors"]), "R", None, says="link or device"),
    Bad(44, "600 MB of zeros", lambda place: Files({"ann.zip": bomb()}), "R", None, says="unpacks to more than"),
    Bad(44, "a header that lies", lambda place: Files({"ann.zip": lying()}), "R", None, says="damaged|broken|more"),
    Bad(44, "a password", archive({"ok.ipynb": book()}, secret=True), "R", None, says="password"),
    Bad(44, "zips in zips", lambda place: Files({"ann.zip": nested(40)}), "R", None, says="zip"),
    Bad(44, "3000 members", archive(lambda: {f"{i}.txt": "" for i in range(3000)}), "R", None, says="at most"),
    Bad(44, "a member without a name", archive(lambda: {"\0": "x", "00_start_here.ipynb": book()}), "G", 1.5),
    Bad(44, "a broken zip", lambda place: Files({"ann.zip": b"PK\x03\x04 broken"}), "R", None, says="damaged"),
    *[Bad(45, ascii(name[:30]), lambda place, name=name: Files({name: book()}), "G", 1.5) for name in NAMES],
    Bad(45, "a script", lambda place: Files({"ann.py": "x = 1"}), "R", None, says="Python script|neither a notebook"),
    Bad(45, "a name of 300 characters in a zip", archive({"y" * 300 + ".ipynb": book()}), "G", 1.5),
    Bad(46, "the newer one counts",
        archive(lambda: {"a.ipynb": different(1), "b.ipynb": book({"surprise": stub("surprise")})},
            dates={"a.ipynb": NEW, "b.ipynb": OLD}), "G", 1.5, says="2 notebooks"),
    Bad(46, "the newer one is broken",
        archive(lambda: {"a.ipynb": different(1), "b.ipynb": different(2)[:200]},
            dates={"a.ipynb": OLD, "b.ipynb": NEW}), "G", 1.5),
    Bad(46, "the newer one is of another lab",
        archive(lambda: {"a.ipynb": different(1), "b.ipynb": notebook(['course_lib.setup("02_pretraining")'])},
            dates={"a.ipynb": OLD, "b.ipynb": NEW}), "G", 1.5),
    Bad(46, "nobody can tell", archive(lambda: {"a.ipynb": different(1), "b.ipynb": different(2)}), "U", None,
        says="two different notebooks"),
    Bad(46, "checkpoint copies",
        archive(lambda: {"00_start_here.ipynb": book(),
            ".ipynb_checkpoints/00_start_here-checkpoint.ipynb": different(3), "__MACOSX/._00_start_here.ipynb": "x"}),
            "G", 1.5),
    Bad(46, "an empty zip", archive({}), "R", None, says="no notebook|damaged|empty"),
]  # fmt: skip
