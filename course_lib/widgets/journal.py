"""What people did, on disk at once: a file of JSON lines that is only ever added to. Labels and thumbs outlive any
crash of the kernel.
"""

import json
import os
from pathlib import Path

from course_lib.platform import CourseError


def append(path: Path | str, record: dict) -> None:
    """Add one record; when this returns, it is on the disk. Raises CourseError where that cannot be."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with open(path, "a+b") as file:
            if file.tell() and not ends_with_newline(file):
                file.write(b"\n")  # a crash cut the last line: it must not swallow this one
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new and os.name == "posix":  # the new name, too, must be on disk
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        raise CourseError(
            f"cannot write {path} ({error.strerror}), so this was not kept: free some space or choose a folder you may "
            "write to"
        ) from None


def ends_with_newline(file) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def read(path: Path | str) -> list[dict]:
    """All whole records, in order; a line that a crash cut short is left out. No file, no records."""
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CourseError(
            f"cannot read {path} ({error.strerror}): close what else uses it, or choose another folder"
        ) from None
    return [record for record in map(whole, lines) if record is not None]


def whole(line: bytes) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:  # UnicodeDecodeError is one
        return None
    return record if isinstance(record, dict) else None
