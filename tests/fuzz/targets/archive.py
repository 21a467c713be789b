"""A zip, as `course collect` takes it: a student's, a class's, an LMS's."""

import json
import shutil
import traceback
from pathlib import Path
from unittest import mock

from course_lib.grading.intake import collect, containers
from course_lib.grading.reading import room
from course_lib.platform import safe_name

SHAPE = "zip"
LAB = "00_start_here"
# fmt: off
WORDS = [f"{LAB}.ipynb", "submission_metadata.yml", "work/pretrain/model.safetensors", "notebook.ipynb",
    "__MACOSX/._a", "Ann Lee_71_assignsubmission_file/a.ipynb", "leeann_LATE_71_9_a.ipynb", "leeann_71_9_a.zip",
    "ann", "bob", f"ann/{LAB}/a.ipynb", f"ann/{LAB}/timestamp.txt", "submission_1/a.ipynb", "lab-ann/a.ipynb",
    "lab-bob/a.ipynb"]
# fmt: on
ROSTER = (
    "student,name,email,canvas_id,moodle_id\nann,Ann Lee,ann@uni.example,71,71\nbob,Bob Ray,bob@uni.example,72,72\n"
)
NAMED = (("ann.zip", ROSTER), ("download.zip", ROSTER), ("download.zip", ""))
NOW = 1.8e9
KEPT = ("notebook.ipynb", "meta.json", "work", "helpers")
OUTCOMES = ("taken", "already here", "not matched", "rejected")


def read(data, scratch):
    told = [collected(data, Path(scratch, "class"), name, roster) for name, roster in NAMED]
    return told


def each(function, items, limits=None):
    """room.each without the child, whose limits would hide what an input costs. What a library raises is the room's
    own verdict, as there; what our own lines raise is shown.
    """
    for item in items:
        try:
            yield item, json.loads(json.dumps(function(item)))
        except Exception as error:
            if "course_lib" in traceback.extract_tb(error.__traceback__)[-1].filename:
                raise
            yield item, room.Unreadable(f"it cannot be read ({type(error).__name__})")


def collected(data, root, name, roster):
    """[how many of each outcome, the lines, whose hand-ins were kept]; nothing stands anywhere else afterwards."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "in").mkdir(parents=True)
    (root / "in" / name).write_bytes(data)
    if roster:
        (root / "roster.csv").write_text(roster)
    containers.archive_at.cache_clear()  # another file lies under the same name
    before, lines = {path.name for path in root.parent.iterdir()}, []
    with mock.patch("os.fsync"), mock.patch("time.time", lambda: NOW), mock.patch.object(room, "each", each):
        counts = collect.collect(LAB, [root / "in"], None, root / "submissions", lines.append)
    assert sum(counts.values()) >= 1 and set(counts) == set(OUTCOMES)
    assert all(type(line) is str and line.isprintable() for line in lines), lines
    assert {path.name for path in root.parent.iterdir()} == before, "something was written outside"
    kept = []
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        assert not path.is_symlink() and inside[0] in ("in", "submissions", "roster.csv"), path
        assert inside[0] != "submissions" or all(safe_name(part) == part for part in inside[1:3]), path
        assert inside[0] != "submissions" or len(inside) < 5 or inside[4] in KEPT, path
        if roster and len(inside) > 2 and inside[0] == "submissions":
            owners = ("ann",) if name == "ann.zip" else ("ann", "bob")
            assert inside[2] in owners, "whatever is in Ann's file, it is hers; nobody is made up"
        if inside[-1] == "meta.json":
            kept.append(inside[2:4])
            meta = json.loads(path.read_text())
            assert meta["received"] <= NOW + 1, "nothing came in later than now"
            assert name != "ann.zip" or not roster or meta["received_from"] == "collected", "a student tells no time"
    assert bool(kept) == bool(counts["taken"])
    return [sorted(counts.items()), lines, sorted(kept)]
