"""What came from an LMS, from GitHub or by mail, as hand-ins: one dict a student's file or folder, with what is said
about it. Nothing is written, nothing is executed.

    an LMS's download, zipped or unpacked      layouts.py
    a folder of checkouts, a class's zip       a repository a student; time of the last commit
    else a folder                              each file, each sub-folder is a hand-in; a zip is one
"""

import os
import re
import zipfile
from pathlib import Path

from course_lib.grading.intake import commits, layouts
from course_lib.grading.intake.archives import (
    DAMAGE,
    NOTEBOOK,
    WANTED,
    Rejected,
    entries_of_folder,
    entries_of_zip,
    entry_of_file,
    is_zip,
)
from course_lib.platform import safe_name

MAX_CONTAINER = 200_000  # members of an LMS's zip
SOURCES = ("canvas", "moodle", "gradescope", "nbgrader", "github", "files")
TITLES = {
    "canvas": "a download of Canvas",
    "moodle": "a download of Moodle",
    "gradescope": "a download of Gradescope",
    "nbgrader": "nbgrader's folder",
    "github": "repositories",
    "files": "a class's zip",
}


def hand_ins(paths, lab, source=None, who=lambda text: None):
    """Yields the hand-ins of files and folders: {"shown", "source", "entries", "hints", "lms", "received" (epoch s or
    None), "late" (True, False, None), "ids", "name", "email", "others", "place" (the folder where a loose file lies)}.

    source: one of SOURCES, or None: told by content. who(text) -> the student of the roster whom a file's name names,
    or None: his zip is never taken for an LMS's, whatever is in it. "rejected" instead of "entries" where a container
    cannot be read; the others go on.
    """
    loose = []
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            yield from of_folder(path, lab, source, who)
        else:
            loose.append(path)
    for path in loose:
        yield from of_file(path, lab, source, who)


def of_folder(path, lab, source, who):
    if (path / ".git").is_dir():
        yield from of_checkouts(path.parent, [path.name])
        return
    entries = entries_of_folder(path)
    kind, cut = layouts.layout([e.name for e in entries], lab)
    if (source or kind) in layouts.READERS:
        renamed = [e._replace(name=e.name[cut:]) for e in entries]
        yield from of_lms(source or kind, renamed, path.name, lab, unpacked=True)
        return
    repositories = sorted(top for top in {e.name.split("/")[0] for e in entries} if (path / top / ".git").is_dir())
    yield from of_checkouts(path, repositories)
    folders = {}
    for entry in entries:
        top, _, rest = entry.name.partition("/")
        if top in repositories:
            continue
        if rest:
            folders.setdefault(top, []).append(entry._replace(name=rest))
        else:
            yield from of_file(path / top, lab, source, who)
    for top, inside in folders.items():
        yield from parts(inside, hand_in(top, f"{path.name}/{top}"))


def of_file(path, lab, source, who):
    entry = entry_of_file(path, path.name)
    plain = hand_in(path.name, path.name, place=path.parent.name)
    if entry.bad:
        yield plain | {"rejected": entry.bad}
        return
    try:
        if source == "files" or not is_zip(entry) or (source is None and who(path.name)):
            yield plain | {"entries": [entry]}
            return
        archive = zipfile.ZipFile(path)  # stays open as long as one of its entries is there
        entries = entries_of_zip(archive, MAX_CONTAINER)
        kind, cut = layouts.layout([e.name for e in entries], lab)
        if source == "github" or (source is None and kind == "files" and several(entries, cut_of(entries), who)):
            yield from of_class_zip(archive, entries, path.name, source)
        elif (source or kind) == "files":
            no_class(entries)
            yield plain | {"entries": [entry]}
        else:
            yield from of_lms(source or kind, [e._replace(name=e.name[cut:]) for e in entries], path.name, lab)
    except Rejected as why:
        yield plain | {"rejected": str(why)}
    except DAMAGE as error:
        yield plain | {"rejected": f"the zip is damaged ({str(error)[:80]}): hand it in again"}


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
        "others": [],
    }
    return found | changes


def of_lms(kind, entries, container, lab, unpacked=False):
    """The hand-ins of a recognised download, oldest attachment first.

    unpacked: it is a folder, in which people may have put more.
    """
    made, groups = layouts.READERS[kind](entries, lab)
    for key, inside in groups.items():
        base = hand_in(key, f"{container}/{key}")
        if key in made:
            yield from parts(inside, base | {"lms": kind, "container": safe_name(container)} | made[key])
        elif kind == "gradescope":
            yield base | {"rejected": "submission_metadata.yml does not name its student"}
        elif unpacked:  # the instructor put it there, by a name of his own
            yield from parts(inside, base)
        else:
            yield base | {"rejected": f"its name is none that {kind.capitalize()} gives: collect it by itself"}


def parts(entries, about):
    """A student's folder as hand-ins: what lies there loose, then each zip, which counts more: it has the model."""
    if bad := next((e.bad for e in entries if e.bad), None):
        yield about | {"rejected": bad}
        return
    zips = [e for e in entries if e.name.lower().endswith(".zip") or is_zip(e)]
    rest = [e for e in entries if e not in zips]
    if not zips or any(".ipynb" in e.name.lower() for e in rest):
        yield about | {"entries": rest}
    for entry in zips:
        yield about | {"entries": [entry]}


# ---- repositories, and a class in one zip ---------------------------------------------------------------------------


def of_checkouts(path, repositories):
    """The hand-ins of folders that are git checkouts, each with the time of its last commit."""
    short = dict(zip(repositories, without_prefix(repositories)))
    for top in repositories:
        folder = path / top
        git = folder / ".git"

        def read(name, limit, git=git):
            if not (git / name).is_file():  # no pipe, no device
                raise FileNotFoundError(name)
            with open(git / name, "rb") as file:
                return file.read(limit)

        packs = [f"objects/pack/{p.stem}" for p in sorted(git.glob("objects/pack/*.pack"))]
        hints = [("github", short[top]), ("github", top), ("file name", top), ("github", owner(read))]
        about = hand_in(top, f"{path.name}/{top}", lms="github", container=safe_name(path.name), hints=hints)
        about |= {"alone": short[top], "received": commits.last_commit_time(read, packs)}
        yield about | {"entries": work_of(entries_of_folder(folder))}


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


def of_class_zip(archive, entries, container, source):
    """A zip that holds a folder or file of each student, as GitHub Classroom made them: each top is a hand-in."""
    cut = cut_of(entries)
    groups, names = {}, archive.namelist()
    for entry in entries:
        top, _, rest = entry.name[cut:].partition("/")
        groups.setdefault(top, []).append(entry._replace(name=rest or top))
    short = dict(zip(groups, without_prefix(list(groups))))
    for top, inside in groups.items():
        base = f"{entries[0].name[:cut]}{top}/.git/"
        packs = [n[len(base) : -5] for n in names if re.fullmatch(re.escape(base) + r"objects/pack/[\w-]+\.pack", n)]

        def read(name, limit, base=base):
            with archive.open(base + name) as file:
                return file.read(limit)

        about = hand_in(top, f"{container}/{top}", lms=source or "files", container=safe_name(container))
        about |= {"hints": [("github", short[top]), ("github", top), ("file name", top)], "alone": short[top]}
        yield from parts(inside, about | {"received": commits.last_commit_time(read, packs)})


def cut_of(entries):
    """The length of the one folder in which all of a zip lies, 0 if there is none."""
    tops = {e.name.split("/", 1)[0] for e in entries}
    return len(next(iter(tops))) + 1 if len(tops) == 1 and all("/" in e.name for e in entries) else 0


def without_prefix(names):
    """Names without the beginning, up to a - or _, that all share: "lab02-jane", "lab02-bob" -> "jane", "bob"."""
    common = os.path.commonprefix(names) if len(names) > 1 else ""
    cut = max(common.rfind("-"), common.rfind("_")) + 1
    return [name[cut:] or name for name in names]


def several(entries, cut, who):
    """Whether the folders and files at the top of a zip, those with a notebook or a zip, name several students."""
    work = [e.name[cut:] for e in entries if NOTEBOOK.search(e.name) or e.name.lower().endswith(".zip")]
    tops = list({name.split("/", 1)[0] for name in work})
    return len({who(text) for top, short in zip(tops, without_prefix(tops)) for text in (top, short)} - {None}) > 1


def no_class(entries):
    """Raises Rejected for a zip that looks like a class's and does not say whose is what."""
    work = [e for e in entries if NOTEBOOK.search(e.name)]
    if any(e.bad for e in work):  # refused for what it is
        return
    for product, pattern in layouts.OTHERS.items():
        if layouts.most(pattern.fullmatch(e.name) for e in work) and work:
            raise Rejected(f"a download of {product}: unpack it, and collect the folder with a roster that names all")
    cut = cut_of(entries)
    folders = {e.name[cut:].split("/", 1)[0] for e in work if "/" in e.name[cut:]}
    names = {e.name.rsplit("/", 1)[-1] for e in work}
    if len(folders) == len(work) > 1 and len(names) == 1 and len({(e.size, e.read(2**20)) for e in work}) > 1:
        raise Rejected(
            f"{len(work)} folders with a notebook {safe_name(names.pop())} each: if these are students', unpack it and "
            "collect the folder"
        )
