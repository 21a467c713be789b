"""What must be true of the host after an attack, and how a scene says what came of it."""

import os
import shutil
import time

FREE = shutil.disk_usage("/").free


def trouble(*found):
    """A scene's outcome out of (fine, what is wrong if not) pairs."""
    return {"outcome": "G", "trouble": [words for fine, words in found if not fine]}


def disk_is_free():
    return None if FREE - shutil.disk_usage("/").free < 2**31 else "the host's disk has two gigabytes less"


def command_lines():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                yield file.read()
        except OSError:
            pass


def nobody_sleeps():
    for _ in range(20):
        if not any(b"471233" in line for line in command_lines()):
            return None
        time.sleep(0.1)
    return "a process outlived its job"


def nothing_written():
    here = [
        p
        for p in ("gradebook.db", "results.json", "results", "marks.jsonl", "grades/00_start_here/eve")
        if os.path.exists(p) or os.path.exists("/" + p)
    ]
    return f"written on the host: {here}" if here else None
