"""Folders that are git checkouts, a repository a student, as GitHub Classroom makes them. See downloads.py."""

import os
import re

from course_lib.grading.intake import commits
from course_lib.grading.intake.archives import NOTEBOOK, WANTED
from course_lib.grading.intake.containers import entries_of_folder
from course_lib.platform import safe_name


def hand_in(shown, source, **changes):
    found = {
        "shown": safe_name(shown),
        "source": safe_name(source.replace("/", " "), 160),
        "entries": [],
        "hints": [("file name", shown)],
        "place": None,
        "lms": None,
        "received": None,
        "late": None,
        "ids": {},
        "name": "",
        "email": "",
        "back": {},
        "others": [],
    }
    return found | changes


def without_prefix(names):
    """Names without the beginning, up to a - or _, that all share: "lab02-jane", "lab02-bob" -> "jane", "bob"."""
    common = os.path.commonprefix(names) if len(names) > 1 else ""
    cut = max(common.rfind("-"), common.rfind("_")) + 1
    return [name[cut:] or name for name in names]


def of_checkouts(path, repositories):
    """Works of folders that are git checkouts."""
    short = dict(zip(repositories, without_prefix(repositories)))
    found = []
    for top in repositories:
        hints = [("github", short[top]), ("github", top), ("file name", top)]
        about = hand_in(top, f"{path.name}/{top}", lms="github", container=safe_name(path.name), hints=hints)
        about |= {"alone": short[top]}
        found.append((about, lambda folder=path / top, about=about: of_checkout(folder, about)))
    return found


def of_checkout(folder, about):
    """The hand-in of a checkout, with the time of its last commit."""
    git = folder / ".git"

    def read(name, limit):
        if not (git / name).is_file():  # no pipe, no device
            raise FileNotFoundError(name)
        with open(git / name, "rb") as file:
            return file.read(limit)

    packs = [f"objects/pack/{p.stem}" for p in sorted(git.glob("objects/pack/*.pack"))]
    yield about | {
        "hints": [*about["hints"], ("github", owner(read))],
        "received": commits.last_commit_time(read, packs),
        "entries": work_of(entries_of_folder(folder)),
    }


def work_of(entries):
    """Those files of a repository that are part of a hand-in, without their times, which are those of the cloning."""
    places = {e.name.rpartition("/")[0] for e in entries if NOTEBOOK.search(e.name)}
    found = []
    for entry in entries:
        beside = entry.name.endswith(".py") and entry.name.rpartition("/")[0] in places
        if beside or NOTEBOOK.search(entry.name) or WANTED.search(entry.name) or entry.name == "manifest.json":
            found.append(entry._replace(when=""))
    return found


def owner(read):
    """Whose repository on GitHub a checkout was cloned from, "" where that is not told."""
    try:
        text = read("config", 2**20).decode("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(r"^\s*url\s*=\s*\S*github\.com[:/]([\w.-]+)/", text, re.M)
    return found[1] if found else ""
