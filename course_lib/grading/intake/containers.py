"""Zips, folders and files as lists of entries, each read with a cap, in memory. Nothing is written, nothing is
executed. For the room (reading/room.py): a file within all caps may still cost what reads it its life.
"""

import datetime
import functools
import io
import lzma
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from course_lib.platform import safe_name

MAX_MEMBERS = 2000  # of one hand-in
MAX_CONTAINER = 200_000  # of an LMS's zip
MAX_DIRECTORY = 64 * 2**20  # bytes of a zip's list of its members
JUNK = re.compile(
    r"(?:^|/)(?:__MACOSX|\.ipynb_checkpoints|\.git|__pycache__)/|(?:^|/)(?:\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)$"
)
# fmt: off
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError,
    ValueError, AttributeError, IndexError)
# fmt: on


class Rejected(Exception):
    """A file that is not taken: one line that says why."""


class Entry(NamedTuple):
    name: str  # path in its container, with /
    size: int  # bytes, as the container says: it may lie
    when: str  # time of the file by the student's clock, "2026-11-20 17:58:02"; sorts
    bad: str  # why it may not be read, or ""
    read: Callable  # (limit) -> at most limit bytes; raises one of DAMAGE
    place: list | None = None  # [path] of a file, [path, number of the member] of a zip's; None: only `read` knows


def row_of(entry):
    """An entry as JSON."""
    return [*entry[:4], entry.place]


def entry_of(row):
    """The Entry of row_of."""
    path, *number = row[-1]
    if not number:
        return Entry(*row[:4], functools.partial(read_file, path), row[-1])
    archive = archive_at(path)
    return Entry(*row[:4], functools.partial(read_member, archive, archive.infolist()[number[0]]), row[-1])


@functools.lru_cache(8)
def archive_at(path, most=MAX_CONTAINER):
    """An open zip on disk, which many hand-ins are read from."""
    with open(path, "rb") as file:
        few_members(file, most)
    return zipfile.ZipFile(path)  # which closes what it has opened itself


def few_members(file, most):
    """Raises Rejected where a zip lists too many members: they are counted before each becomes an object."""
    end = zipfile._EndRecData(file)  # ty: ignore[missing-attribute]  # what ZipFile itself finds the list by
    if end is None:
        raise zipfile.BadZipFile("it has no end")
    size, behind = end[zipfile._ECD_SIZE], end[zipfile._ECD_LOCATION]  # ty: ignore[missing-attribute]
    if end[0] == zipfile.stringEndArchive64:  # ty: ignore[missing-attribute]
        behind -= 20 + 56  # its locator and itself stand between the list and the plain end
    if size > MAX_DIRECTORY:
        raise Rejected(f"the zip's list of its members has {size >> 20} MB: it is no hand-in")
    file.seek(max(0, behind - size))
    count = file.read(size).count(b"PK\x01\x02")
    if count > most:
        raise Rejected(f"the zip has {count} members, at most {most} are read")
    file.seek(0)


def entries_of_zip(archive, path=None):
    """[Entry] of an open zip without folders and junk. path: where it lies, if anywhere."""
    found = []
    for number, member in enumerate(archive.infolist()):
        name, bad = member.filename.replace("\\", "/"), ""
        if not member.flag_bits & 0x800:  # macOS packs UTF-8 names and does not say so
            try:
                name = name.encode("cp437").decode("utf-8")
            except UnicodeError:
                pass
        if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
            bad = f"the zip wants to write outside its folder ({safe_name(name)}): refused whole"
        elif stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            bad = f"the zip holds a link or device ({safe_name(name)}): refused whole"
        elif member.flag_bits & 1:
            bad = "the zip is protected by a password"
        if bad or not (
            not name or name.endswith("/") or JUNK.search(name)
        ):  # zipfile's own is_dir() falls over a name without letters
            name = unicodedata.normalize("NFC", name)
            when = "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*member.date_time)
            read = functools.partial(read_member, archive, member)
            found.append(Entry(name, member.file_size, when, bad, read, path and [path, number]))
    return found


def read_member(archive, member, limit):
    with archive.open(member) as file:  # the size in the header may lie: read with a cap
        return file.read(limit)


def entries_of_folder(root):
    """[Entry] of all files under a folder. Links and devices are named, not followed."""
    found = []
    for folder, below, names in os.walk(root):
        below.sort()
        for name in sorted(names) + [b for b in below if Path(folder, b).is_symlink()]:
            path = Path(folder, name)
            short = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
            if JUNK.search(short) or name.startswith("."):
                continue
            found.append(entry_of_file(path, short))
    return found


def entry_of_file(path, name):
    try:
        status = path.lstat()
    except OSError:
        return Entry(name, 0, "", "there is no such file", lambda limit: b"", [str(path)])
    when = f"{datetime.datetime.fromtimestamp(status.st_mtime):%Y-%m-%d %H:%M:%S}"
    bad = "" if stat.S_ISREG(status.st_mode) else "not a file"
    return Entry(name, status.st_size, when, bad, functools.partial(read_file, path), [str(path)])


def read_file(path, limit):
    with open(path, "rb") as file:
        return file.read(limit)


def is_zip(entry):
    try:
        return not entry.bad and entry.size > 3 and entry.read(4)[:2] == b"PK"
    except DAMAGE:  # whoever reads it says so
        return False


def open_zip(entry, limit):
    """An open ZipFile of an entry's bytes, held in memory. Raises Rejected."""
    if entry.bad:
        raise Rejected(entry.bad)
    data = entry.read(limit + 1)
    if len(data) > limit:
        raise Rejected(f"{len(data) >> 20} MB are more than the {limit >> 20} MB that are read")
    few_members(io.BytesIO(data), MAX_MEMBERS)
    return zipfile.ZipFile(io.BytesIO(data))
