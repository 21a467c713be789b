"""What of a hand-in, a zip, a folder or a notebook, is a submission: in memory, with a cap on everything. Nothing is
written, nothing is executed. For the room (reading/room.py).
"""

import json
import re
from pathlib import Path

from course_lib.grading.intake.containers import DAMAGE, MAX_MEMBERS, Entry, Rejected, entries_of_zip, is_zip, open_zip
from course_lib.grading.reading import room
from course_lib.notebook import helpers
from course_lib.notebook.cells import MAX_FILE, MAX_MODEL, Ungradable, lab_of, read_cells_in
from course_lib.platform import safe_name

MAX_TOTAL = 512 * 2**20  # bytes unpacked from one hand-in
LARGEST = {"model.safetensors": MAX_MODEL, "record.json": 2**20}  # bytes
STAGES = {  # of which a lab takes a model: its questions say the same, and need torch
    "02_pretraining": "pretrain",
    "03_supervised_fine_tuning": "sft",
    "04_lora_and_qlora": "lora",
    "05_finetune_or_retrieve": "injected",
    "06_preferences_and_reward_model": "reward",
    "07_rlhf": "rlhf",
    "08_direct_alignment": "dpo",
    "09_ai_feedback": "constitution",
    "10_safety_refusals": "safe",
    "11_evaluation_and_release": "release",
    "12_reasoning": "reasoning",
}
MAX_NOTEBOOKS = 20
CHOICE = 2.0  # seconds of computing to look which of several counts
NOTEBOOK = re.compile(
    r"\.ipynb(?:\.txt|\.json)?(?: ?\(\d+\))?$", re.I
)  # also what browsers and mail programs make of the name
WANTED = re.compile(r"(?:^|/)work/([\w-]{1,40})/(model\.safetensors|record\.json)$")


def contents(entries: list[Entry], lab: str, zips: int = 1):
    """({name: bytes} of the notebook and models, manifest, notes, what a person must settle or "") of a hand-in's
    entries. Raises Rejected; nothing is written.

    zips: how many zips, one in the other, may be opened. Two are what an LMS makes of submit(): its own zip around the
    student's. Deeper is refused.
    """
    if bad := next((e.bad for e in entries if e.bad), None):
        raise Rejected(bad)
    try:
        if len(entries) == 1 and is_zip(entries[0]):
            if zips == 0:
                raise Rejected("a zip in a zip in a zip: hand in the zip that submit() wrote, as it is")
            with open_zip(entries[0], MAX_TOTAL) as archive:
                inside = entries_of_zip(archive)
                packed = [e for e in inside if e.name.lower().endswith(".zip")]
                if not packed or any(NOTEBOOK.search(e.name) for e in inside):
                    return unpacked(inside, lab)
                if len(packed) > 1:
                    raise Rejected(f"{len(packed)} zips in one: unpack it and collect the folder")
                return contents(packed, lab, zips - 1)
        return unpacked(entries, lab)
    except DAMAGE as error:
        raise Rejected(f"the zip is damaged ({str(error)[:80]}): hand it in again") from None


def unpacked(entries, lab):
    """`contents` of entries that are no zips."""
    if len(entries) > MAX_MEMBERS:
        raise Rejected(f"{len(entries)} files, at most {MAX_MEMBERS} are read")
    if bad := next((e.bad for e in entries if e.bad), None):
        raise Rejected(bad)
    files, books, scripts, notes, manifest, total = {}, [], [], [], {}, 0
    for entry in sorted(entries, key=lambda e: (e.name.count("/"), e.name)):
        name = entry.name.rsplit("/", 1)[-1]
        book, model = NOTEBOOK.search(name), WANTED.search(entry.name)
        kept = model and f"work/{model[1]}/{model[2]}"
        most = LARGEST.get(model[2], MAX_FILE) if model else MAX_FILE
        guess = (
            not book
            and len(entries) == 1
            and Path(name).suffix.lower() in (".json", ".txt", "")
            and entry.read(1) in (b"{", b"\xef")
        )
        if helpers.NAME.fullmatch(name) and not helpers.shadows(name) and entry.size <= helpers.MAX_BYTES:
            scripts.append(entry)
            continue
        if model and model[1] != STAGES.get(lab):
            book = model = None
        if not (book or model or guess or name == "manifest.json") or kept in files:
            notes.append(f"ignored: {safe_name(entry.name)}")
            continue
        if total + entry.size > MAX_TOTAL:  # what the header says is enough to refuse, not to believe
            raise Rejected(f"it unpacks to more than {MAX_TOTAL >> 20} MB")
        data = entry.read(min(most, MAX_TOTAL - total) + 1)
        total += len(data)
        if model and len(data) > most:
            notes.append(f"left out: {kept} has more than {most >> 20} MB")
            continue
        if len(data) > MAX_FILE or total > MAX_TOTAL:
            raise Rejected(f"it unpacks to more than {MAX_TOTAL >> 20} MB")
        if book or guess:
            books.append((entry.when, entry.name, data))
            notes += ["taken for a notebook by its content"] if guess else []
        elif model:
            files[kept] = data
        elif len(data) < 100_000:
            manifest = read_manifest(data)
    if not books:
        raise Rejected(no_notebook(entries))
    files["notebook.ipynb"], note, settle = choose(books, lab)
    place = next(name for _, name, data in books if data == files["notebook.ipynb"])
    files |= beside(place, scripts, notes)
    if manifest.get("lab") not in (None, "", lab):
        note = [*note, f"the zip says it is of lab {safe_name(manifest['lab'])}"]
    return files, manifest, (note + notes)[:20], settle


def beside(place, scripts, notes):
    """{helpers/NAME.py: bytes} of the Python files in the notebook's own folder, which its cells may import. place: the
    notebook's name in the container. What is left out goes to notes.
    """
    found, folder = {}, place.rpartition("/")[0]
    for entry in scripts:
        at, _, name = entry.name.rpartition("/")
        data = entry.read(helpers.MAX_BYTES + 1) if at == folder and len(found) < helpers.MOST else None
        if data is None or len(data) > helpers.MAX_BYTES:
            notes.append(f"ignored: {safe_name(entry.name)}")
        else:
            found[f"helpers/{name}"] = data
    return found


def no_notebook(entries):
    if len(entries) != 1:
        return "there is no notebook (.ipynb) in it" + (
            ", only Python scripts: hand in the notebook" if any(e.name.endswith(".py") for e in entries) else ""
        )
    return (
        "a Python script: hand in the notebook (.ipynb)"
        if entries[0].name.lower().endswith(".py")
        else "neither a notebook (.ipynb) nor a zip from submit(): there is no notebook in it"
    )


def choose(books, lab):
    """(bytes, notes, what a person must settle or "") of the notebooks of one hand-in [(time, name, bytes)]: one that
    can be read before one that cannot, this lab's before others, then the newest.
    """
    if len(books) > MAX_NOTEBOOKS:
        raise Rejected(f"{len(books)} notebooks in one: if these are a class's, unpack it and collect the folder")
    books = list({data: (when, name, data) for when, name, data in sorted(books)}.values())
    if len(books) == 1:
        return books[0][2], [], ""
    try:
        with room.budget(CHOICE):
            values = [value_of(data, lab) for _, _, data in books]
    except room.TooMuch:
        raise Rejected(f"{len(books)} notebooks, far larger than a lab's: hand in the one that counts") from None
    ranked = sorted(((*value, *book) for value, book in zip(values, books, strict=True)), key=lambda b: b[:3])
    best = [b for b in ranked if b[:3] == ranked[-1][:3]]
    shown = ", ".join(safe_name(b[3]) for b in best[:4])
    if len(best) > 1:
        return (
            best[0][4],
            [f"{len(books)} notebooks, none is newer"],
            f"two different notebooks of the same time ({shown}): ask which one counts",
        )
    return best[0][4], [f"{len(books)} notebooks, taken is {shown}"], ""


def value_of(data, lab):
    """(can be read, is this lab's) of a notebook's bytes."""
    try:
        cells = read_cells_in(data)
    except Ungradable:
        return False, False
    return True, lab_of(cells, {}) == lab


def read_manifest(data):
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    if type(manifest) is not dict:
        return {}
    texts = [(k, v) for k, v in manifest.items() if type(v) is str and len(v) < 200 and len(k) < 200]
    return dict(texts[:50])
