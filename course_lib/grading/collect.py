"""`course collect LAB FILES…`: what came by mail or from Canvas, Moodle or Gradescope into submissions/LAB/STUDENT/SHA/. Every attempt is kept, nothing is executed."""

import argparse
import collections
import datetime
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from course_lib.grading import downloads, policy, roster, store
from course_lib.grading.downloads import DAMAGE, Rejected
from course_lib.grading.notebooks import MAX_FILE, Ungradable, lab_of

MAX_TOTAL = 512 * 2**20  # bytes unpacked from one submission
MAX_NOTEBOOKS = 20
OUTCOMES = ("taken", "already here", "not matched", "rejected")
NOTEBOOK = re.compile(r"\.ipynb(?:\.txt|\.json)?(?: ?\(\d+\))?$", re.I)  # also what browsers and mail programs make of the name
WANTED = re.compile(r"(?:^|/)work/([\w-]{1,40})/(model\.safetensors|record\.json)$")
ORDER = {"collected": 0, "gradescope": 1, "given": 2}  # what is known better replaces what was guessed


def contents(entries, lab, zips=1):
    """({name: bytes} of the notebook and models, manifest, notes, what a person must settle or "") of a hand-in's entries. Raises Rejected; nothing is written.

    zips: how many zips, one in the other, may be opened. Two are what an LMS makes of submit(): its own zip around the student's. Deeper is refused.
    """
    if bad := next((e.bad for e in entries if e.bad), None):
        raise Rejected(bad)
    try:
        if len(entries) == 1 and downloads.is_zip(entries[0]):
            if zips == 0:
                raise Rejected("a zip in a zip in a zip: hand in the zip that submit() wrote, as it is")
            with downloads.open_zip(entries[0], MAX_TOTAL) as archive:
                inside = downloads.entries_of_zip(archive)
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
    if len(entries) > downloads.MAX_MEMBERS:
        raise Rejected(f"{len(entries)} files, at most {downloads.MAX_MEMBERS} are read")
    if bad := next((e.bad for e in entries if e.bad), None):
        raise Rejected(bad)
    files, books, notes, manifest, total = {}, [], [], {}, 0
    for entry in sorted(entries, key=lambda e: (e.name.count("/"), e.name)):
        name = entry.name.rsplit("/", 1)[-1]
        book, model = NOTEBOOK.search(name), WANTED.search(entry.name)
        kept = model and f"work/{model[1]}/{model[2]}"
        guess = not book and len(entries) == 1 and Path(name).suffix.lower() in (".json", ".txt", "") and entry.read(1) in (b"{", b"\xef")
        if not (book or model or guess or name == "manifest.json") or kept in files:
            notes.append(f"ignored: {store.safe_name(entry.name)}")
            continue
        data = entry.read(min(MAX_FILE, MAX_TOTAL - total) + 1)
        total += len(data)
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
    if manifest.get("lab") not in (None, "", lab):
        note = [*note, f"the zip says it is of lab {store.safe_name(manifest['lab'])}"]
    return files, manifest, (note + notes)[:20], settle


def no_notebook(entries):
    if len(entries) != 1:
        return "there is no notebook (.ipynb) in it" + (", only Python scripts: hand in the notebook" if any(e.name.endswith(".py") for e in entries) else "")
    return "a Python script: hand in the notebook (.ipynb)" if entries[0].name.lower().endswith(".py") else "neither a notebook (.ipynb) nor a zip from submit(): there is no notebook in it"


def choose(books, lab):
    """(bytes, notes, what a person must settle or "") of the notebooks of one hand-in [(time, name, bytes)]: one that can be read before one that cannot, this lab's before others, then the newest."""
    if len(books) > MAX_NOTEBOOKS:
        raise Rejected(f"{len(books)} notebooks in one: if these are a class's, unpack it and collect the folder")
    books = list({data: (when, name, data) for when, name, data in sorted(books)}.values())
    if len(books) == 1:
        return books[0][2], [], ""
    ranked = sorted(((*value_of(data, lab), when, name, data) for when, name, data in books), key=lambda b: b[:3])
    best = [b for b in ranked if b[:3] == ranked[-1][:3]]
    shown = ", ".join(store.safe_name(b[3]) for b in best[:4])
    if len(best) > 1:
        return best[0][4], [f"{len(books)} notebooks, none is newer"], f"two different notebooks of the same time ({shown}): ask which one counts"
    return best[0][4], [f"{len(books)} notebooks, taken is {shown}"], ""


def value_of(data, lab):
    """(can be read, is this lab's) of a notebook's bytes."""
    from course_lib.grading.submit import cells_of

    try:
        cells = cells_of(data)
    except Ungradable:
        return False, False
    return True, lab_of(cells, {}) == lab


def read_manifest(data):
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in manifest.items() if type(v) is str and len(v) < 200} if type(manifest) is dict else {}


def student_of(about, manifest, students, lab):
    """(student as in the roster or made from the name, his line of the roster or {}, notes). Raises roster.NotMatched."""
    claimed = store.safe_name(manifest["student"]) if manifest.get("student") else None
    if students:
        # what a student can write himself, the name of the file and the manifest, counts only where no LMS tells who it was
        hints = about["hints"] if about["lms"] else [*about["hints"], ("manifest", claimed)]
        found, note = roster.find(students, hints)
        notes = [note] if note else [f"the zip says it is {claimed}'s"] if claimed and claimed != found["student"] else []
        return found["student"], found, notes
    if about["lms"]:
        return store.safe_name(about["alone"]), {}, []
    if claimed:
        return claimed, {}, ["the student is named by the zip's own manifest only"]
    stem = re.sub(r"(\.ipynb|\.zip|\.txt|\s*\(\d+\))+$", "", about["hints"][0][1], flags=re.I)
    stem = re.sub(rf"[_\- ]*{re.escape(lab)}[_\- ]*", "", stem) or stem
    return store.safe_name(stem), {}, []


def keep(folder, files, meta, incoming):
    """Writes a submission: the whole folder or nothing. Returns whether it is new; one that is there keeps its time unless a better one is known."""
    if (folder / "meta.json").exists():
        try:
            old = json.loads((folder / "meta.json").read_text())
        except (OSError, ValueError):
            return False
        better = ORDER[meta["received_from"]] - ORDER.get(old.get("received_from"), 0)
        if better > 0 or (meta["received_from"] == "given" and int(meta["received"]) != int(old.get("received", 0))):
            store.write_json(folder / "meta.json", old | {k: meta[k] for k in ("received", "received_from", "late")})
        return False
    incoming.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=incoming))
    try:
        for name, data in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            synced(temporary / name, data)
        synced(temporary / "meta.json", json.dumps(meta, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        os.chmod(temporary, 0o755)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # without meta.json: half of it, of an older version
            shutil.rmtree(folder)
        os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def synced(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def collect(lab, paths, roster_path=None, submitted=store.SUBMISSIONS, say=print, received=None, source=None, progress=False):
    """Files each hand-in of `paths` or says in one line why not. Returns a Counter of OUTCOMES.

    received: epoch seconds of all of them, else the LMS's own time, else now. source: one of downloads.SOURCES, else told by content.
    """
    students, counts = roster.beside(submitted, roster_path), collections.Counter(dict.fromkeys(OUTCOMES, 0))
    named = lambda text: bool(students) and len(roster.by_text(students, text)) == 1  # noqa: E731
    incoming, now, guessed, namesakes = Path(submitted, ".incoming"), time.time(), [], {}
    clear(incoming)
    found = list(downloads.hand_ins(paths, source, named))
    for line in overview(found):
        say(line)
    for order, about in enumerate(bar(found, lab) if progress else found):
        for person in [about, *({**about, **other} for other in about["others"])]:
            shown = person["shown"] + (f" ({person['name'] or person['email']})" if about["others"] else "")
            try:
                if "rejected" in person:
                    raise Rejected(person["rejected"])
                files, manifest, notes, settle = contents(person["entries"], lab, zips=1 if person["lms"] else 2)
                student, line, more = student_of(person, manifest, students, lab)
                if not students and person["lms"] == "moodle" and namesakes.setdefault(student, person["ids"]) != person["ids"]:
                    raise roster.NotMatched(f"two students are called {student}: collect with a roster that has the column moodle_id")
                meta = meta_of(person, manifest, notes + more, settle, now, received, order) | {"student": student}
                if about["others"]:
                    meta["notes"].append(f"handed in by a group of {1 + len(about['others'])}")
                sha = store.submission_sha(files)
                new = keep(Path(submitted, lab, student, sha), files, meta, incoming)
                counts["taken" if new else "already here"] += 1
                if new and meta["received_from"] == "collected" and meta["late"] is None:
                    guessed.append((student, meta["received"]))
                late = ", late" if meta["late"] else ""
                say(f"{shown}: {student} ({sha}){late}" + "".join(f"; {n}" for n in meta["notes"]) if new else f"{shown}: already here ({student}, {sha})")
            except Rejected as why:
                counts["rejected"] += 1
                say(f"{shown}: REJECTED, {why}")
            except roster.NotMatched as why:
                counts["not matched"] += 1
                say(f"{shown}: NOT MATCHED, {why}")
            except OSError as error:
                raise store.StoreError(f"cannot write to {submitted}: {error.strerror or error}; nothing of {shown} was kept, run collect again") from None
    shutil.rmtree(incoming, ignore_errors=True)
    if warning := late_by_guess(lab, submitted, guessed):
        say(warning)
    return counts


def meta_of(about, manifest, notes, settle, now, received, order):
    if received is not None:
        when, told = received, "given"
    else:
        when, told = (about["received"], about["lms"]) if about["received"] else (now, "collected")
    meta = {"source": about["source"], "received": when + order * 1e-6, "received_from": told, "late": about["late"] if told == "collected" else None, "notes": notes, "manifest": manifest}
    meta |= {"ids": about["ids"], "name": about["name"], "email": about["email"], "clock": max((e.when for e in about["entries"]), default="")}
    return meta | ({"ungradable": settle} if settle else {})


def overview(found):
    """One line for each LMS download that was recognised."""
    seen = collections.Counter((about["lms"], about["container"]) for about in found if about["lms"])
    return [f"{container}: a download of {lms.capitalize()} with {n} hand-in{'s' if n > 1 else ''}" for (lms, container), n in seen.items()]


def clear(incoming):
    """Removes what a killed collect left a day ago or longer: a younger folder may belong to one that runs."""
    for old in incoming.glob("*") if incoming.is_dir() else ():
        if old.stat().st_mtime < time.time() - 86400:
            shutil.rmtree(old, ignore_errors=True)


def late_by_guess(lab, submitted, guessed):
    """A line for the instructor where only the time of collecting is known and makes students late, else ""."""
    try:
        rules = policy.beside(submitted)
    except store.StoreError as error:
        return str(error)
    late = [student for student, when in guessed if policy.penalty(rules, lab, student, when)[0]]
    if not late:
        return ""
    return f"{len(late)} of them count as late only because nobody told when they came in: collect again with --received 2026-11-20T18:00 (that day's time), which sets it."


def bar(found, lab):
    from tqdm import tqdm

    return tqdm(found, desc=f"collecting {lab}", unit="file", file=sys.stderr, disable=None if len(found) > 20 else True, leave=False)


def when_of(text, lab, submitted):
    """Epoch seconds of --received: in its own offset, else the time zone of the lab's policy, else this machine's."""
    rules = policy.of_lab(policy.beside(submitted), lab)
    try:
        when = policy.moment(text, rules["timezone"] or datetime.datetime.now().astimezone().tzinfo, "--received")
    except ValueError as error:
        raise store.StoreError(str(error)) from None
    if when.timestamp() > time.time() + 86400:
        raise store.StoreError(f"--received: {text} is in the future")
    return when.timestamp()


def main(argv=None):
    from rich.console import Console
    from rich.table import Table
    from tqdm import tqdm

    parser = argparse.ArgumentParser(prog="course collect", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("files", nargs="+", help="downloads of an LMS as they are or unpacked, zips of submit(), notebooks, folders of them")
    parser.add_argument("--roster", help="CSV with the column student, and match, name, email, canvas_id, sis_id, moodle_id as you have them (default: roster.csv beside submissions/)")
    parser.add_argument("--received", metavar="TIME", help="when they came in, 2026-11-20T18:00, where no LMS tells (default: now)")
    parser.add_argument("--from", dest="source", choices=downloads.SOURCES, help="where they come from, if it cannot be told: files takes each file for one student's")
    arguments = parser.parse_args(argv)
    received = when_of(arguments.received, arguments.lab, store.SUBMISSIONS) if arguments.received else None
    problems = []

    def say(line):
        if ": REJECTED, " in line or ": NOT MATCHED, " in line:
            problems.append(line)
        tqdm.write(line)  # above the progress bar

    counts = collect(arguments.lab, arguments.files, arguments.roster, say=say, received=received, source=arguments.source, progress=True)
    table = Table(title=f"{arguments.lab}: {sum(counts.values())} files")
    for outcome in OUTCOMES:
        table.add_column(outcome, justify="right")
    table.add_row(*(str(counts[outcome]) for outcome in OUTCOMES))
    Console().print(table)
    if sum(counts.values()) > 20 and problems:  # else they stand just above
        print("\n".join(["not taken, and still where they were:", *problems]))
    return 1 if counts["rejected"] or counts["not matched"] else 0
