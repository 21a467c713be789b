"""What came from an LMS or by mail, as hand-ins: one dict a student's file or folder, with what the LMS says about it.
Nothing is written, nothing is executed.

Canvas      submissions.zip: doejane_LATE_12345_67890_file.zip         name, user id, attachment id; LATE, but not how
            late
Moodle      Jane Doe_1234567_assignsubmission_file/file.zip            name, participant number; flat:
            …_assignsubmission_file_file.zip
Gradescope  assignment_9_export/submission_123/… (unpacked)            submission_metadata.yml lists submitters and
            times
else        a folder: each file, each sub-folder is a hand-in; a zip is one
"""

import datetime
import re
import zipfile
from pathlib import Path

from course_lib.grading.intake.archives import (
    DAMAGE,
    Rejected,
    entries_of_folder,
    entries_of_zip,
    entry_of_file,
    is_zip,
)
from course_lib.grading.records import store
from course_lib.platform import safe_name

MAX_CONTAINER = 200_000  # members of an LMS's zip
MAX_METADATA = 256 * 2**20
SOURCES = ("canvas", "moodle", "gradescope", "files")
CANVAS = re.compile(
    r"(?:(?P<name>(?!LATE_|anon_)[^\s/]+?)_|(?=(?:LATE_)?anon_))(?:(?P<late>LATE)_)?(?P<id>\d+|anon_[^\W_]+)_(?:(?P<attachment>\d+)_(?P<file>.+)|(?:text|link)\.html)",
    re.S,
)
MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?P<kind>[a-z]+)_?(?P<file>.*)", re.S
)  # the first such part is Moodle's, the rest the student's


# ---- which LMS
# ------------------------------------------------------------------------------------------------------------


def layout(names):
    """("canvas" | "moodle" | "gradescope" | "files", length of the common folder that is in front of all names). An
    LMS's are most of the notebooks and zips, if not all.
    """
    tops = {n.split("/", 1)[0] for n in names}
    for cut in (0, len(next(iter(tops))) + 1) if len(tops) == 1 and all("/" in n for n in names) else (0,):
        short = [n[cut:] for n in names]
        if "submission_metadata.yml" in short:
            return "gradescope", cut
        work = [n for n in short if re.search(r"\.ipynb|\.zip$", n, re.I)] or short
        if sum(MOODLE.fullmatch(n.split("/", 1)[0]) is not None for n in work) > len(work) / 2:
            return "moodle", cut
        if sum("/" not in n and CANVAS.fullmatch(n) is not None for n in work) > len(work) / 2:
            return "canvas", cut
    return "files", 0


def hand_ins(paths, source=None, named=lambda text: False):
    """Yields the hand-ins of files and folders: {"shown", "source", "entries", "hints", "lms", "received" (epoch s or
    None), "late" (True, False, None), "ids", "name", "email", "others"}.

    source: one of SOURCES, or None: told by content. named(text) -> whether a file's name names a student: his zip is
    never taken for an LMS's, whatever is in it. "rejected" instead of "entries" where a container cannot be read; the
    others go on.
    """
    loose = []
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            yield from of_folder(path, source, named)
        else:
            loose.append(path)
    for path in loose:
        yield from of_file(path, source, named)


def of_folder(path, source, named):
    entries = entries_of_folder(path)
    kind, cut = layout([e.name for e in entries]) if source is None else (source, layout([e.name for e in entries])[1])
    if kind != "files":
        yield from of_lms(kind, [e._replace(name=e.name[cut:]) for e in entries], path.name, unpacked=True)
        return
    folders = {}
    for entry in entries:
        top, _, rest = entry.name.partition("/")
        if rest:
            folders.setdefault(top, []).append(entry._replace(name=rest))
        else:
            yield from of_file(path / top, source, named)
    for top, inside in folders.items():
        yield from parts(inside, hand_in(top, f"{path.name}/{top}"))


def of_file(path, source, named):
    entry = entry_of_file(path, path.name)
    plain = hand_in(path.name, path.name)
    if entry.bad:
        yield plain | {"rejected": entry.bad}
        return
    try:
        if source == "files" or not is_zip(entry) or (source is None and named(path.name)):
            yield plain | {"entries": [entry]}
            return
        archive = zipfile.ZipFile(path)  # stays open as long as one of its entries is there
        entries = entries_of_zip(archive, MAX_CONTAINER)
        kind, cut = layout([e.name for e in entries])
        if (source or kind) == "files":
            yield plain | {"entries": [entry]}
        else:
            yield from of_lms(source or kind, [e._replace(name=e.name[cut:]) for e in entries], path.name)
    except Rejected as why:
        yield plain | {"rejected": str(why)}
    except DAMAGE as error:
        yield plain | {"rejected": f"the zip is damaged ({str(error)[:80]}): hand it in again"}


def hand_in(shown, source, **changes):
    return (
        {
            "shown": safe_name(shown),
            "source": safe_name(source.replace("/", " "), 160),
            "entries": [],
            "hints": [("file name", shown)],
            "lms": None,
        }
        | {"received": None, "late": None, "ids": {}, "name": "", "email": "", "others": []}
        | changes
    )


def of_lms(kind, entries, container, unpacked=False):
    """The hand-ins of a recognised download, oldest attachment first. unpacked: it is a folder, in which people may
    have put more.
    """
    made, groups = {"canvas": canvas, "moodle": moodle, "gradescope": gradescope}[kind](entries)
    for key, inside in groups.items():
        base = hand_in(key, f"{container}/{key}")
        if key in made:
            yield from parts(inside, base | {"lms": kind, "container": safe_name(container)} | made[key])
        elif kind != "gradescope" and unpacked:  # the instructor put it there, by a name of his own
            yield from parts(inside, base)
        else:
            yield base | {
                "rejected": "submission_metadata.yml does not name its student"
                if kind == "gradescope"
                else f"its name is none that {kind.capitalize()} gives: collect it by itself"
            }


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


def canvas(entries):
    made, groups = {}, {}
    for entry in sorted(entries, key=lambda e: int(m["attachment"] or 0) if (m := CANVAS.fullmatch(e.name)) else 0):
        found = CANVAS.fullmatch(entry.name)
        if found and not found["attachment"]:  # a text or a link that was handed in
            continue
        key = f"{found['name'] or ''}_{found['id']}".strip("_") if found else entry.name
        groups.setdefault(key, []).append(entry._replace(name=found["file"]) if found and not entry.bad else entry)
        if found:
            hints = [("canvas_id", found["id"]), ("name", found["name"]), ("file name", key)]
            made[key] = {
                "hints": hints,
                "ids": {"canvas_id": found["id"]},
                "name": found["name"] or "",
                "late": bool(found["late"]),
                "alone": key,
            }
    return made, groups


def moodle(entries):
    made, groups = {}, {}
    for entry in entries:
        top, _, rest = entry.name.partition("/")
        found = MOODLE.fullmatch(top)
        if found and found["kind"] != "file":  # onlinetext, comments
            continue
        key = f"{found['name']} {found['id']}" if found else top
        groups.setdefault(key, []).append(
            entry._replace(name="/".join(filter(None, (found["file"], rest)))) if found and not entry.bad else entry
        )
        if found:
            hints = [("name", found["name"]), ("moodle_id", found["id"]), ("file name", found["name"])]
            made[key] = {
                "hints": hints,
                "ids": {"moodle_id": found["id"]},
                "name": found["name"],
                "alone": found["name"],
            }
    return made, groups


def gradescope(entries):
    metadata = next((e for e in entries if e.name == "submission_metadata.yml"), None)
    if metadata is None:
        raise Rejected("there is no submission_metadata.yml: export the submissions from Gradescope again")
    told, made, groups = read_metadata(metadata), {}, {}
    for entry in entries:
        top, _, rest = entry.name.partition("/")
        if rest:
            groups.setdefault(top, []).append(entry._replace(name=rest) if not entry.bad else entry)
    for top in groups:
        about = told.get(top)
        people = (about or {}).get(":submitters")
        people = [
            {str(k).lstrip(":"): str(v or "").strip() for k, v in p.items()}
            for p in (people if isinstance(people, list) else [])
            if isinstance(p, dict)
        ]
        if not people:
            continue
        everybody = [
            {
                "hints": [
                    ("email", p.get("email")),
                    ("id", p.get("sid")),
                    ("name", p.get("name")),
                    ("file name", " ".join(filter(None, (p.get("email"), p.get("name"), p.get("sid"))))),
                ],
                "ids": {"sis_id": p["sid"]} if p.get("sid") else {},
                "name": p.get("name", ""),
                "email": p.get("email", ""),
                "alone": p.get("email") or p.get("name") or p.get("sid") or top,
            }
            for p in people
        ]
        made[top] = everybody[0] | {"received": epoch(about.get(":created_at")), "others": everybody[1:]}
    return made, groups


def read_metadata(entry):
    """submission_metadata.yml as a dict. Ruby's own tags are read as what they hold."""
    try:
        import yaml
    except ImportError:
        raise store.StoreError("a Gradescope export needs pyyaml: pip install 'littlebrook-course[grade]'") from None

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        pass

    def plain(loader, suffix, node):
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        return (
            loader.construct_mapping(node, deep=True)
            if isinstance(node, yaml.MappingNode)
            else loader.construct_sequence(node, deep=True)
        )

    Loader.add_multi_constructor("", plain)
    data = entry.read(MAX_METADATA + 1)
    try:
        told = yaml.load(data, Loader=Loader) if len(data) <= MAX_METADATA else None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise Rejected(
            f"submission_metadata.yml is damaged ({' '.join(str(error).split())[:80]}): export again"
        ) from None
    if not isinstance(told, dict):
        raise Rejected("submission_metadata.yml is empty or too long: export again")
    return {str(k): v for k, v in told.items() if isinstance(v, dict)}


def epoch(value):
    """Seconds of a time in submission_metadata.yml (UTC where it names no zone), or None."""
    if isinstance(value, dict):  # a Ruby object of a time with its zone
        value = value.get("utc")
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime.datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
