"""`course collect LAB FILES…`: what came by mail or from the LMS into submissions/LAB/STUDENT/SHA/. Every attempt is kept, nothing is executed."""

import argparse
import csv
import json
import re
import stat
import time
import zipfile
import zlib
from pathlib import Path

from course_lib.grading import store
from course_lib.grading.notebooks import MAX_FILE

MAX_TOTAL = 512 * 2**20  # bytes unpacked from one submission
MAX_MEMBERS = 2000
WANTED = re.compile(r"(?:^|/)work/([\w-]{1,40})/(model\.safetensors|record\.json)$")


class Rejected(Exception):
    """A file that is not taken: one line that says why."""


def read_zip(path):
    """({name: bytes} of the notebook and models, manifest, notes) of a zip. Raises Rejected; nothing is written."""
    files, notebooks, notes, manifest, total = {}, [], [], {}, 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise Rejected(f"the zip has {len(members)} members, at most {MAX_MEMBERS} are read")
            for member in members:
                name = member.filename.replace("\\", "/")
                if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
                    raise Rejected(f"the zip wants to write outside its folder ({store.safe_name(name)}): refused whole")
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise Rejected(f"the zip holds a link or device ({store.safe_name(name)}): refused whole")
                if member.is_dir() or "__MACOSX/" in name or ".ipynb_checkpoints/" in name:
                    continue
                is_notebook, model = name.lower().endswith(".ipynb"), WANTED.search(name)
                if not (is_notebook or model or name.rsplit("/", 1)[-1] == "manifest.json"):
                    notes.append(f"ignored: {store.safe_name(name)}")
                    continue
                if member.flag_bits & 1:
                    raise Rejected("the zip is protected by a password")
                with archive.open(member) as file:  # the size in the header may lie: read with a cap
                    data = file.read(min(MAX_FILE, MAX_TOTAL - total) + 1)
                total += len(data)
                if len(data) > MAX_FILE or total > MAX_TOTAL:
                    raise Rejected(f"the zip unpacks to more than {MAX_TOTAL >> 20} MB")
                if is_notebook:
                    notebooks.append((member.date_time, name, data))
                elif model:
                    files[f"work/{model.group(1)}/{model.group(2)}"] = data
                elif len(data) < 100_000:
                    manifest = read_manifest(data)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise Rejected(f"the zip is damaged ({str(error)[:80]}): hand it in again") from None
    if not notebooks:
        raise Rejected("there is no notebook (.ipynb) in the zip")
    notebooks.sort()
    if len(notebooks) > 1:
        notes.append(f"{len(notebooks)} notebooks in the zip, the newest is taken: {store.safe_name(notebooks[-1][1])}")
    files["notebook.ipynb"] = notebooks[-1][2]
    return files, manifest, notes[:20]


def read_manifest(data):
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in manifest.items() if type(v) is str and len(v) < 200} if type(manifest) is dict else {}


def read_file(path):
    """({name: bytes}, manifest, notes) of a handed-in .zip or notebook. Raises Rejected."""
    if path.is_symlink() or not path.is_file():
        raise Rejected("not a file" if path.exists() else "there is no such file")
    if path.stat().st_size > MAX_TOTAL:
        raise Rejected(f"{path.stat().st_size >> 20} MB are more than the {MAX_TOTAL >> 20} MB that are read")
    with open(path, "rb") as file:
        head = file.read(4)
    if head[:2] == b"PK":
        return read_zip(path)
    if ".ipynb" in path.name.lower():  # also "lab.ipynb.txt" and "lab.ipynb (1)"; a broken one is kept, for a person
        return {"notebook.ipynb": path.read_bytes()}, {}, []
    if path.suffix.lower() in (".json", ".txt", "") and head[:1] in (b"{", b"\xef"):
        return {"notebook.ipynb": path.read_bytes()}, {}, ["taken for a notebook by its content"]
    raise Rejected("neither a notebook (.ipynb) nor a zip from submit()")


def read_roster(path):
    """[(student, text that file names contain)] of a CSV with the columns student and, if it differs, match."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise store.StoreError(f"the roster {path} cannot be read: {error}") from None
    if not rows or "student" not in rows[0]:
        raise store.StoreError(f"the roster {path} needs a column named student")
    return [(r["student"].strip(), (r.get("match") or r["student"]).strip()) for r in rows if (r.get("student") or "").strip()]


def student_of(path, manifest, roster, lab):
    """(student, notes): by the roster from the file's name; else the name in the manifest, which anybody may have written; else the file's name."""
    claimed = store.safe_name(manifest["student"]) if manifest.get("student") else None
    if roster:
        name = path.name.casefold()
        hits = [(len(m), s) for s, m in roster if m and re.search(rf"(?<![^\W_]){re.escape(m.casefold())}(?![^\W_])", name)]
        if hits:
            student = store.safe_name(max(hits)[1])
            notes = [f"the zip says it is {claimed}'s"] if claimed and claimed != student else []
            return student, notes
        if claimed in {store.safe_name(s) for s, _ in roster}:
            return claimed, ["the student is named by the zip's own manifest only"]
        raise Rejected("no student of the roster is named in the file's name: rename the file or add a `match` column")
    if claimed:
        return claimed, ["the student is named by the zip's own manifest only"]
    stem = re.sub(r"(\.ipynb|\.zip|\.txt|\s*\(\d+\))+$", "", path.name, flags=re.I)
    stem = re.sub(rf"[_\- ]*{re.escape(lab)}[_\- ]*", "", stem) or stem
    return store.safe_name(stem), []


def collect(lab, paths, roster=None, submitted=store.SUBMISSIONS, say=print):
    """Takes each file or says in one line why not. Returns (taken, rejected) counts."""
    students = read_roster(roster) if roster else []
    files = []
    for path in map(Path, paths):
        files += sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else [path]
    taken = rejected = 0
    for order, path in enumerate(files):
        shown = store.safe_name(path.name)
        try:
            contents, manifest, notes = read_file(path)
            student, more = student_of(path, manifest, students, lab)
            sha = store.submission_sha(contents)
            folder = Path(submitted, lab, student, sha)
            if (folder / "meta.json").exists():
                say(f"{shown}: already here ({student}, {sha})")
                taken += 1
                continue
            for name, data in contents.items():
                store.write_atomic(folder / name, data)
            # meta.json last: without it the folder does not count, so a killed collect leaves nothing half done
            store.write_json(folder / "meta.json", {"student": student, "source": shown, "received": time.time() + order * 1e-3, "notes": notes + more, "manifest": manifest})
            say(f"{shown}: {student} ({sha})" + "".join(f"; {n}" for n in notes + more))
            taken += 1
        except Rejected as why:
            say(f"{shown}: REJECTED, {why}")
            rejected += 1
        except OSError as error:
            raise store.StoreError(f"cannot write to {submitted}: {error.strerror or error}; nothing of {shown} was kept, run collect again") from None
    return taken, rejected


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course collect", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("files", nargs="+", help="zips, notebooks, or folders of them")
    parser.add_argument("--roster", help="CSV with the columns student and, where file names differ, match")
    arguments = parser.parse_args(argv)
    taken, rejected = collect(arguments.lab, arguments.files, arguments.roster)
    print(f"{taken} taken, {rejected} rejected")
    return 1 if rejected else 0
