"""What a hand-in holds, unpacked into a folder of its own. Done in the room: whatever a file does to its reader is a
line about that file, and the next one is taken.
"""

import os
from pathlib import Path

from course_lib.grading.intake.archives import contents
from course_lib.grading.intake.containers import Rejected, entry_of
from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.notebook.cells import MAX_FILE
from course_lib.platform import keep_large_buffers

LIMITS = room.Limits(cpu=60, wall=600, memory=3 * 2**30, file=MAX_FILE)


def unpacked(hand_ins, lab, folder):
    """(hand-in, what unpack tells of it) of each, in turn; folder: ours, empty, where each gets a folder."""
    jobs = [(about, lab, Path(folder, str(number))) for number, about in enumerate(hand_ins)]
    for (about, _, _), told in room.each(lambda job: unpack(*job), jobs, LIMITS):
        yield about, {"rejected": f"it cannot be read: {told}"} if isinstance(told, room.Unreadable) else told


def unpack(about, lab, folder):
    """{"folder", "names", "sha", "manifest", "notes", "settle"}, the files written; or {"rejected": why}; or {"full":
    why they cannot be written}. For the room.
    """
    if "rejected" in about:
        return {"rejected": about["rejected"]}
    keep_large_buffers()  # of one hand-in, for the next: to have each page zeroed again is a quarter of the work
    try:
        entries = [entry_of(row) for row in about["entries"]]
        files, manifest, notes, settle = contents(entries, lab, zips=1 if about["lms"] else 2)
    except Rejected as why:
        return {"rejected": str(why)}
    try:
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            synced(folder / name, data)
    except OSError as error:
        return {"full": error.strerror or str(error)}
    told = {"folder": str(folder), "names": sorted(files), "sha": store.submission_sha(files)}
    return told | {"manifest": manifest, "notes": notes, "settle": settle}


def synced(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
