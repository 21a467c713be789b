"""`course collect LAB FILES…`: what came by mail or from Canvas, Moodle or Gradescope into
submissions/LAB/STUDENT/SHA/. Every attempt is kept, nothing is executed.
"""

import argparse
import collections
import contextlib
import datetime
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from course_lib.grading.intake import downloads
from course_lib.grading.intake.archives import Rejected, contents
from course_lib.grading.records import policy, roster, store
from course_lib.platform import safe_name

OUTCOMES = ("taken", "already here", "not matched", "rejected")
ORDER = {"collected": 0, "gradescope": 1, "given": 2}  # what is known better replaces what was guessed


def student_of(about, manifest, students, lab):
    """(student as in the roster or made from the name, notes). Raises roster.NotMatched."""
    claimed = safe_name(manifest["student"]) if manifest.get("student") else None
    if students:
        # what a student can write himself, the name of the file and the manifest, counts only where no LMS tells who it
        # was
        hints = about["hints"] if about["lms"] else [*about["hints"], ("manifest", claimed)]
        found, note = roster.find(students, hints)
        notes = (
            [note] if note else [f"the zip says it is {claimed}'s"] if claimed and claimed != found["student"] else []
        )
        return found["student"], notes
    if about["lms"]:
        return safe_name(about["alone"]), []
    if claimed:
        return claimed, ["the student is named by the zip's own manifest only"]
    stem = re.sub(r"(\.ipynb|\.zip|\.txt|\s*\(\d+\))+$", "", about["hints"][0][1], flags=re.I)
    stem = re.sub(rf"[_\- ]*{re.escape(lab)}[_\- ]*", "", stem) or stem
    return safe_name(stem), []


def keep(folder, files, meta, incoming):
    """Writes a submission: the whole folder or nothing. Returns whether it is new; one that is there keeps its time
    unless a better one is known.
    """
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
        synced(
            temporary / "meta.json", json.dumps(meta, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        )
        os.chmod(temporary, 0o755)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not (folder / "meta.json").exists():  # half of it, of an older version
            shutil.rmtree(folder)
        try:
            os.rename(temporary, folder)
        except OSError:
            if (folder / "meta.json").exists():  # another collect was faster
                return False
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def synced(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def collect(
    lab, paths, roster_path=None, submitted=store.SUBMISSIONS, say=print, received=None, source=None, progress=False
):
    """Files each hand-in of `paths` or says in one line why not. Returns a Counter of OUTCOMES.

    received: epoch seconds of all of them, else the LMS's own time, else now. source: one of downloads.SOURCES, else
    told by content.
    """
    policy.known_lab(lab)
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
                student, more = student_of(person, manifest, students, lab)
                if (
                    not students
                    and person["lms"] == "moodle"
                    and namesakes.setdefault(student, person["ids"]) != person["ids"]
                ):
                    raise roster.NotMatched(
                        f"two students are called {student}: collect with a roster that has the column moodle_id"
                    )
                meta = meta_of(person, manifest, notes + more, settle, now, received, order) | {"student": student}
                if about["others"]:
                    meta["notes"].append(f"handed in by a group of {1 + len(about['others'])}")
                sha = store.submission_sha(files)
                new = keep(Path(submitted, lab, student, sha), files, meta, incoming)
                counts["taken" if new else "already here"] += 1
                if new and meta["received_from"] == "collected" and meta["late"] is None:
                    guessed.append((student, meta["received"]))
                late = ", late" if meta["late"] else ""
                line = (
                    f"{shown}: {student} ({sha}){late}" + "".join(f"; {n}" for n in meta["notes"])
                    if new
                    else f"{shown}: already here ({student}, {sha})"
                )
            except Rejected as why:
                counts["rejected"] += 1
                line = f"{shown}: REJECTED, {why}"
            except roster.NotMatched as why:
                counts["not matched"] += 1
                line = f"{shown}: NOT MATCHED, {why}"
            except OSError as error:
                raise store.StoreError(
                    f"cannot write to {submitted}: {error.strerror or error}; nothing of {shown} was kept, run collect "
                    "again"
                ) from None
            say(line)
    with contextlib.suppress(OSError):  # another collect may be at work in it
        incoming.rmdir()
    if warning := late_by_guess(lab, submitted, guessed):
        say(warning)
    return counts


def meta_of(about, manifest, notes, settle, now, received, order):
    """meta.json of a hand-in. received_from says how far "received" is to be trusted: given by the instructor, the
    LMS's own, or only the time of collecting.
    """
    if received is not None:
        when, told = received, "given"
    else:
        when, told = (about["received"], about["lms"]) if about["received"] else (now, "collected")
    meta = {
        "source": about["source"],
        "received": when + order * 1e-6,
        "received_from": told,
        "late": about["late"] if told == "collected" else None,
        "notes": notes,
        "manifest": manifest,
    }
    meta |= {
        "ids": about["ids"],
        "name": about["name"],
        "email": about["email"],
        "clock": max((e.when for e in about["entries"]), default=""),
    }
    return meta | ({"ungradable": settle} if settle else {})


def overview(found):
    """One line for each LMS download that was recognised."""
    seen = collections.Counter((about["lms"], about["container"]) for about in found if about["lms"])
    return [
        f"{container}: a download of {lms.capitalize()} with {n} hand-in{'s' if n > 1 else ''}"
        for (lms, container), n in seen.items()
    ]


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
    return (
        f"{len(late)} of them count as late only because nobody told when they came in: collect again with --received "
        "2026-11-20T18:00 (that day's time), which sets it."
    )


def bar(found, lab):
    from tqdm import tqdm

    return tqdm(
        found,
        desc=f"collecting {lab}",
        unit="file",
        file=sys.stderr,
        disable=None if len(found) > 20 else True,
        leave=False,
    )


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
    parser.add_argument(
        "files",
        nargs="+",
        help="downloads of an LMS as they are or unpacked, zips of submit(), notebooks, folders of them",
    )
    parser.add_argument(
        "--roster",
        help="CSV with the column student, and match, name, email, canvas_id, sis_id, moodle_id as you have them "
        "(default: roster.csv beside submissions/)",
    )
    parser.add_argument(
        "--received", metavar="TIME", help="when they came in, 2026-11-20T18:00, where no LMS tells (default: now)"
    )
    parser.add_argument(
        "--from",
        dest="source",
        choices=downloads.SOURCES,
        help="where they come from, if it cannot be told: files takes each file for one student's",
    )
    arguments = parser.parse_args(argv)
    received = when_of(arguments.received, arguments.lab, store.SUBMISSIONS) if arguments.received else None
    problems = []

    def say(line):
        if ": REJECTED, " in line or ": NOT MATCHED, " in line:
            problems.append(line)
        tqdm.write(line)  # above the progress bar

    counts = collect(
        arguments.lab,
        arguments.files,
        arguments.roster,
        say=say,
        received=received,
        source=arguments.source,
        progress=True,
    )
    table = Table(title=f"{arguments.lab}: {sum(counts.values())} files")
    for outcome in OUTCOMES:
        table.add_column(outcome, justify="right")
    table.add_row(*(str(counts[outcome]) for outcome in OUTCOMES))
    Console().print(table)
    if sum(counts.values()) > 20 and problems:  # else they stand just above
        print("\n".join(["not taken, and still where they were:", *problems]))
    return 1 if counts["rejected"] or counts["not matched"] else 0
