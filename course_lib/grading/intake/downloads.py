"""What came from an LMS, from GitHub or by mail, as hand-ins: one dict a student's file or folder, with what is said
about it. Nothing is written, nothing is executed; what lies in a file is read in the room (reading/room.py).

    an LMS's download, zipped or unpacked      layouts.py
    a folder of checkouts, a class's zip       a repository a student; time of the last commit
    else a folder                              each file, each sub-folder is a hand-in; a zip is one
"""

import re
from pathlib import Path

from course_lib.grading.intake import commits, layouts
from course_lib.grading.intake.archives import NOTEBOOK
from course_lib.grading.intake.checkouts import hand_in, of_checkouts, without_prefix
from course_lib.grading.intake.containers import (
    DAMAGE,
    Rejected,
    archive_at,
    entries_of_folder,
    entries_of_zip,
    entry_of_file,
    is_zip,
    row_of,
)
from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.platform import safe_name

LOOKING = room.Limits(cpu=120, wall=600, memory=4 * 2**30)  # at one file: a class's export may be large
MAX_WORDS = 400  # characters of a name, or of what is said of a person
SOURCES = ("canvas", "moodle", "gradescope", "nbgrader", "github", "hub", "files")
TITLES = {
    "canvas": "a download of Canvas",
    "moodle": "a download of Moodle",
    "gradescope": "a download of Gradescope",
    "nbgrader": "nbgrader's folder",
    "github": "repositories",
    "hub": "what came by course serve-hub",
    "files": "a class's zip",
}


def hand_ins(paths, lab, source=None, who=lambda text: None):
    """Yields the hand-ins of files and folders: {"shown", "source", "entries" (rows of an Entry), "hints", "lms",
    "received" (epoch s or None), "late" (True, False, None), "ids", "name", "email", "back" ({LMS: how
    what is handed back must begin}), "others", "place" (the folder where a loose file lies)}.

    source: one of SOURCES, or None: told by content. who(text) -> the student of the roster whom a file's name names,
    or None: his zip is never taken for an LMS's, whatever is in it. "rejected" instead of "entries" where a container
    cannot be read; the others go on. Raises StoreError.
    """
    for (about, _), told in room.each(lambda work: looked_at(work[1]), works(paths, lab, source, who), LOOKING):
        if isinstance(told, room.Unreadable):
            yield about | {"rejected": f"it cannot be looked through: {told}"}
        elif "stop" in told:
            raise store.StoreError(told["stop"])
        else:
            yield from told["found"]
            if "rejected" in told:
                yield about | {"rejected": told["rejected"]}


def looked_at(work):
    """{"found": hand-ins as JSON, "rejected": what ended the looking, "stop": what ends the command}. For the room."""
    found = []
    try:
        found.extend(map(plain, work()))
    except Rejected as why:
        return {"found": found, "rejected": str(why)}
    except store.StoreError as error:
        return {"found": found, "stop": str(error)}
    except DAMAGE as error:
        return {"found": found, "rejected": f"the zip is damaged ({str(error)[:80]}): hand it in again"}
    return {"found": found} if found else {"found": found, "rejected": "there is no hand-in in it"}


def plain(about):
    """A hand-in with its entries as rows of JSON, and no text of it endless."""
    said = {key: value for key, value in about.items() if key != "entries"}
    return cut(said) | {"entries": list(map(row_of, about["entries"]))}


def cut(value):
    if isinstance(value, str):
        return value[:MAX_WORDS]
    if isinstance(value, dict):
        return {cut(key): cut(inner) for key, inner in value.items()}
    return [cut(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def works(paths, lab, source, who):
    """[(a hand-in to say why nothing came of it, function that yields the hand-ins)], in which one person's bytes end
    no other's. Here only names are looked at.
    """
    paths, found = list(map(Path, paths)), []
    folders = [path for path in paths if path.is_dir() and not path.is_symlink()]
    for path in folders:
        found += of_folder(path, lab, source, who)
    return found + [of_file(path, lab, source, who) for path in paths if path not in folders]


def of_folder(path, lab, source, who):
    if (path / ".git").is_dir():
        return of_checkouts(path.parent, [path.name])
    entries = entries_of_folder(path)
    kind, cut = layouts.layout([e.name for e in entries], lab)
    if (source or kind) in layouts.READERS:
        renamed = [e._replace(name=e.name[cut:]) for e in entries]
        return [(hand_in(path.name, path.name), lambda: of_lms(source or kind, renamed, path.name, lab, unpacked=True))]
    repositories = sorted(top for top in {e.name.split("/")[0] for e in entries} if (path / top / ".git").is_dir())
    found, folders = of_checkouts(path, repositories), {}
    for entry in entries:
        top, _, rest = entry.name.partition("/")
        if top in repositories:
            continue
        if rest:
            folders.setdefault(top, []).append(entry._replace(name=rest))
        else:
            found.append(of_file(path / top, lab, source, who))
    for top, inside in folders.items():
        about = hand_in(top, f"{path.name}/{top}")
        found.append((about, lambda inside=inside, about=about: parts(inside, about)))
    return found


def of_file(path, lab, source, who):
    about = hand_in(path.name, path.name, place=path.parent.name)
    return about, lambda: in_file(path, about, lab, source, who)


def in_file(path, about, lab, source, who):
    entry = entry_of_file(path, path.name)
    if entry.bad:
        raise Rejected(entry.bad)
    if source == "files" or not is_zip(entry) or (source is None and who(path.name)):
        yield about | {"entries": [entry]}
        return
    archive = archive_at(str(path))
    entries = entries_of_zip(archive, str(path))
    kind, cut = layouts.layout([e.name for e in entries], lab)
    if source == "github" or (source is None and kind == "files" and several(entries, cut_of(entries), who)):
        yield from of_class_zip(archive, entries, path.name, source)
    elif (source or kind) == "files":
        no_class(entries)
        yield about | {"entries": [entry]}
    else:
        yield from of_lms(source or kind, [e._replace(name=e.name[cut:]) for e in entries], path.name, lab)


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


# ---- a class in one zip --------------------------------------------------------------------------------------------


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
