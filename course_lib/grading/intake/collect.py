"""`course collect LAB FILES…`: what came by mail, from Canvas, Moodle, Gradescope, GitHub or nbgrader into
submissions/LAB/STUDENT/SHA/. Every attempt is kept, nothing is executed.
"""

import argparse
import collections
import contextlib
import datetime
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from course_lib.grading.intake import downloads, people
from course_lib.grading.intake.containers import Rejected
from course_lib.grading.intake.unpacking import synced, unpacked
from course_lib.grading.people import roster
from course_lib.grading.people import rules as class_rules
from course_lib.grading.reading import room
from course_lib.grading.records import policy, store

OUTCOMES = ("taken", "already here", "not matched", "rejected")
# how far a time is to be trusted: what is known better replaces what was guessed
ORDER = {"collected": 0, "gradescope": 1, "nbgrader": 1, "git": 1, "hub": 1, "given": 2}


def keep(folder, told, meta, place):
    """Files what was unpacked (unpacking.py) at `place`: the whole folder or nothing. Returns whether it is new; one
    that is there keeps its time unless a better one is known, or it was handed in to the hub again after another;
    it is handed back as the last download says.
    """
    if (folder / "meta.json").exists():
        try:
            old = json.loads((folder / "meta.json").read_text())
        except (OSError, ValueError):
            return False
        better = ORDER[meta["received_from"]] - ORDER.get(old.get("received_from"), 0)
        newer = old | ({"back": meta["back"]} if meta["back"] else {})
        given = meta["received_from"] == "given" and int(meta["received"]) != int(old.get("received", 0))
        if better > 0 or given or again(folder, old, meta):
            newer |= {k: meta[k] for k in ("received", "received_from", "late")}
        if newer != old:
            store.write_json(folder / "meta.json", newer)
        return False
    unpacked = Path(told["folder"])
    temporary = unpacked if unpacked.parent == place else linked(unpacked, told["names"], place)
    text = json.dumps(meta, indent=1, ensure_ascii=False) + "\n"
    synced(temporary / "meta.json", text.encode("utf-8", "replace"))
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
    if temporary == unpacked:
        told["folder"] = str(folder)
    return True


def again(folder, old, meta):
    """Whether the hub's student has handed in something else since, and then this once more, which now is the last."""
    if not meta["received_from"] == old.get("received_from") == "hub":
        return False
    others = (store.read_meta(other)["received"] for other in folder.parent.iterdir() if other != folder)
    return any(old["received"] < other < meta["received"] for other in others)


def linked(folder, names, place):
    """The files once more, for another member of a group."""
    made = Path(tempfile.mkdtemp(dir=place))
    for name in names:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(folder / name, made / name)
        except OSError:  # a file system without links
            shutil.copyfile(folder / name, made / name)
    return made


def collect(
    lab,
    paths,
    roster_path=None,
    submitted=store.SUBMISSIONS,
    say=print,
    received=None,
    source=None,
    progress=False,
    dry_run=False,
):
    """Files each hand-in of `paths` or says in one line why not. Returns a Counter of OUTCOMES.

    received: epoch seconds of all of them, else the LMS's own time, else now. source: one of downloads.SOURCES, else
    told by content. dry_run: says all of it and keeps nothing.
    """
    policy.known_lab(lab)
    students, counts = roster.beside(submitted, roster_path), collections.Counter(dict.fromkeys(OUTCOMES, 0))
    incoming = Path(tempfile.mkdtemp()) if dry_run else Path(submitted, ".incoming")
    now, guessed, would = time.time(), [], set()
    clear(incoming)
    found = list(downloads.hand_ins(paths, lab, source, lambda text: people.named_in(students, text)))
    if not students:
        people.name_by_folder(found, lab)
    for line in [*class_rules.nearly_alike(students), *overview(found)]:
        say(line)
    known = people.Known(students)
    steps = unpacked_for(found, lab, incoming)
    for order, person, told, place in bar(steps, lab, len(found)) if progress else steps:
        others = len(person["others"])
        shown = person["shown"] + (f" ({person['name'] or person['email']})" if others else "")
        try:
            if "full" in told:
                raise OSError(told["full"])
            if "rejected" in told:
                raise Rejected(told["rejected"])
            handed, sha = known.students_of(person, told["manifest"], lab), told["sha"]
            notes = told["notes"] + handed.notes + ([f"handed in by a group of {1 + others}"] if others else [])
            meta = meta_of(person, told["manifest"], notes, told["settle"], now, received, order)
            new = False
            for student, more in handed.metas():
                folder = Path(submitted, lab, student, sha)
                if dry_run:
                    new |= folder not in would and not (folder / "meta.json").exists()
                    would.add(folder)
                else:
                    new |= keep(folder, told, meta | more, place)
            counts["taken" if new else "already here"] += 1
            if new and meta["received_from"] == "collected" and meta["late"] is None:
                guessed.append((handed.first, meta["received"]))
            line = f"{shown}: already here ({handed.first}, {sha})"
            if new:
                late = ", late" if meta["late"] else ""
                line = f"{shown}: {handed.first} ({sha}){late}" + "".join(f"; {n}" for n in meta["notes"])
        except Rejected as why:
            counts["rejected"] += 1
            line = f"{shown}: REJECTED, {why}"
        except roster.NotMatched as why:
            counts["not matched"] += 1
            line = f"{shown}: NOT MATCHED, {why}"
        except OSError as error:
            words = f"{error.strerror or error}; nothing of {shown} was kept, run collect again"
            raise store.StoreError(f"cannot write to {submitted}: {words}") from None
        say(line)
    with contextlib.suppress(OSError):  # another collect may be at work in it
        incoming.rmdir()
    if warning := late_by_guess(lab, submitted, guessed, roster_path):
        say(warning)
    return counts


def unpacked_for(found, lab, incoming):
    """(number, hand-in, what unpacking it has told, where) of each hand-in, for each of its people."""
    try:
        incoming.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=incoming) as place:
            for order, (about, told) in enumerate(unpacked(found, lab, place)):
                for person in [about, *({**about, **other} for other in about["others"])]:
                    yield order, person, told, Path(place)
                if (rest := Path(place, str(order))).exists():
                    shutil.rmtree(rest, ignore_errors=True)
    except room.Interrupted as error:
        raise store.StoreError(f"{error}: run collect again, what is there stays") from None
    except OSError as error:
        raise store.StoreError(f"cannot write to {incoming}: {error.strerror or error}") from None


def meta_of(about, manifest, notes, settle, now, received, order):
    """meta.json of a hand-in. received_from says how far "received" is to be trusted: given by the instructor, the
    LMS's own, or only the time of collecting. Of two of one time the one "collected" later counts.
    """
    if received is not None:
        when, told = received, "given"
    elif about["received"]:
        when, told = about["received"], about["lms"] if about["lms"] in ORDER else "git"
    else:
        when, told = now, "collected"
    meta = {
        "source": about["source"],
        "received": when,
        "received_from": told,
        "collected": now + order * 1e-6,
        "late": about["late"] if told in ("collected", "given") else None,
        "notes": notes,
        "manifest": manifest,
        "ids": about["ids"],
        "name": about["name"],
        "email": about["email"],
        "back": about["back"],
        "clock": max((when for _, _, when, *_ in about["entries"]), default=""),
    }
    return meta | ({"ungradable": settle} if settle else {})


def overview(found):
    """One line for each download that was recognised."""
    seen = collections.Counter((about["lms"], about["container"]) for about in found if about["lms"])
    return [
        f"{container}: {downloads.TITLES[lms]} with {n} hand-in{'s' if n > 1 else ''}"
        for (lms, container), n in seen.items()
    ]


def clear(incoming):
    """Removes what a killed collect left a day ago or longer: a younger folder may belong to one that runs."""
    for old in incoming.glob("*") if incoming.is_dir() else ():
        if old.stat().st_mtime < time.time() - 86400:
            shutil.rmtree(old, ignore_errors=True)


def late_by_guess(lab, submitted, guessed, roster_path=None):
    """A line for the instructor where only the time of collecting is known and makes students late, else ""."""
    try:
        rules, _ = class_rules.beside(submitted, roster=roster_path)
    except store.StoreError as error:
        return str(error)
    late = [student for student, when in guessed if policy.penalty(rules, lab, student, when)[0]]
    if not late:
        return ""
    return (
        f"{len(late)} of them count as late only because nobody told when they came in: collect again with --received "
        "2026-11-20T18:00 (that day's time), which sets it."
    )


def bar(steps, lab, total):
    from tqdm import tqdm

    quiet, shown = (None if total > 20 else True), f"collecting {lab}"
    return tqdm(steps, total=total, desc=shown, unit="file", file=sys.stderr, disable=quiet, leave=False)


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
        help="downloads of an LMS as they are or unpacked, checkouts, zips of submit(), notebooks, folders of them",
    )
    parser.add_argument(
        "--roster",
        help="CSV with the column student, and match, name, email, group, github, canvas_id, sis_id, moodle_id as you "
        "have them; or Canvas's gradebook, or Gradescope's roster (default: roster.csv beside submissions/)",
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
    parser.add_argument("--dry-run", action="store_true", help="say what would be taken for whose, and keep nothing")
    arguments = parser.parse_args(argv)
    received = when_of(arguments.received, arguments.lab, store.SUBMISSIONS) if arguments.received else None
    problems = []

    def say(line):
        if ": REJECTED, " in line or ": NOT MATCHED, " in line:
            problems.append(line)
        tqdm.write(line)  # above the progress bar

    options = {"say": say, "received": received, "source": arguments.source, "progress": True}
    options["dry_run"] = arguments.dry_run
    counts = collect(arguments.lab, arguments.files, arguments.roster, **options)
    table = Table(title=f"{arguments.lab}: {sum(counts.values())} files")
    for outcome in OUTCOMES:
        table.add_column(outcome, justify="right")
    table.add_row(*(str(counts[outcome]) for outcome in OUTCOMES))
    Console().print(table)
    if arguments.dry_run:
        print("dry run: nothing was kept")
    if sum(counts.values()) > 20 and problems:  # else they stand just above
        print("\n".join(["not taken, and still where they were:", *problems]))
    return 1 if counts["rejected"] or counts["not matched"] else 0
