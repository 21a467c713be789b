"""The hand-ins that a person has to look at, for `course review`: those that no machine could grade, and those with
flags, and what can be read of their notebooks.

Whatever a student has stored as an output is text here: no HTML, picture or script of it reaches the page.
"""

import re
from pathlib import Path

from course_lib.grading.reading import room
from course_lib.grading.reports import page
from course_lib.notebook import cells as notebooks
from course_lib.platform import counted

LOOK, FLAGGED = "ungradable", "flagged"  # the lists' names, beside those of the questions
MOST = 200_000  # characters of a notebook
MOST_OUTPUT = 2000  # characters of a cell's stored outputs
MOST_FLAGS = 20  # lines on a hand-in
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def lists(lab, rows, flags):
    """[(name, title, text, [(row, note)])] of the lists that are not empty. flags: {student: [its flags]}"""
    broken = [row for row in rows if row["status"] == "ungradable" or (row["status"] == "by hand" and row["pending"])]
    others = [row for row in rows if flags.get(row["student"]) and row not in broken]
    found = [
        (
            LOOK,
            "Ungradable hand-ins, to decide",
            "No machine could grade these. Decide what to do with each: give points or excuse here, with a reason, or "
            "ask for another hand-in.",
            [(row, f"{row['result']['reason']} (submission {row['sha']})") for row in broken],
        ),
        (
            FLAGGED,
            "Flagged hand-ins, to look at",
            "A flag says where a person should look; it changes no score, and nothing need be done here. "
            f"course audit {lab} shows all flags with their source lines, similar code and models as well.",
            [(row, told(row, flags[row["student"]])) for row in others],
        ),
    ]
    return [each for each in found if each[3]]


def told(row, flags):
    """What stands above a flagged notebook: its points, and a line a flag."""
    score = "no points yet" if row["score"] is None else f"{row['score']:g} of {counted(row['max'], 'point')}"
    lines = dict.fromkeys(f"{flag.get('kind')}: {flag.get('evidence')}" for flag in flags)
    more = [f"and {len(lines) - MOST_FLAGS} more"] if len(lines) > MOST_FLAGS else []
    return "\n".join([f"{score} (submission {row['sha']})", *list(lines)[:MOST_FLAGS], *more])


def beginnings(folders):
    """{folder: what can be read of its notebook, as of cells_in}; where it cannot be read, the file's first characters.
    Read in the room, for these are the files that end what reads them.
    """
    found = {}
    for folder, cells in room.each(cells_in, folders):
        raw = [[None, "", page.visible(characters(Path(folder, "notebook.ipynb"))), ""]]
        found[folder] = cells if type(cells) is list else raw
    return found


def cells_in(folder):
    """[[number, kind, source, the text of its outputs]] of a notebook, or None. For the room."""
    path = Path(folder, "notebook.ipynb")
    try:
        cells = notebooks.read_cells(path)
        raw = notebooks.cells_of(notebooks.read_bytes(path)[0])
    except notebooks.Ungradable:
        return None
    found, left = [], MOST
    for number, kind, source in cells:
        if left <= 0:
            more = f"… {len(cells) - len(found)} more cells are not shown: open the notebook."
            return [*found, [None, "", more, ""]]
        output = output_text(raw[number].get("outputs")) if kind == "code" else ""
        found.append([number, kind, page.visible(source, left), page.visible(output, MOST_OUTPUT)])
        left -= len(source) + min(len(output), MOST_OUTPUT)
    return found


def output_text(outputs):
    """What a cell's stored outputs say as text: what was printed, values, errors."""
    parts = []
    for output in outputs if type(outputs) is list else []:
        if type(output) is dict:
            data = output.get("data")
            plain = data.get("text/plain") if type(data) is dict else None
            parts += [output.get("text"), plain, "\n".join(texts(output.get("traceback")))]
    return COLOURS.sub("", "\n".join(filter(None, map(notebooks.text_of, parts))))


def texts(value):
    return [part for part in value if type(part) is str] if type(value) is list else []


def characters(path):
    try:
        with open(path, "rb") as file:
            return file.read(4000).decode("utf-8", "replace")
    except OSError as error:
        return f"(the file cannot be read: {error.strerror})"
