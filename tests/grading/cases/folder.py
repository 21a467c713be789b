"""The cases of a folder of other people's inputs, shaped like this: notebooks NN…, which are of a student each, and the
rosters, gradebooks and downloads of FILES. What is not there is passed over.
"""

import json
from pathlib import Path

from cases.make import FULL, HALF, Case

# {first letters of a notebook's name, where it is not to have full marks: (points, what somebody is told)}
# fmt: off
TOLD = {"08c": (HALF, "markdown"), "11b": (None, "(?i)git")}
# {situation: (class list, [what is collected], kind and file that is filled, {student: points}, what is told)}
FILES = {
    "60 Canvas's gradebook as class list and as the file": ("60_canvas_gradebook.csv", ["30_canvas_submissions.zip"],
        ("canvas", "60_canvas_gradebook.csv", {"Okafor, Nadia": "1.5", "Lindqvist, Per": "1.5"}),
        {"Okafor_ Nadia": FULL, "Lindqvist_ Per": FULL}, ""),
    "30 Canvas's line Manual Posting": ("30_canvas_manual_posting.csv", ["30_canvas_submissions.zip"], None,
        {"Okafor_ Nadia": FULL, "Lindqvist_ Per": FULL}, ""),
    "31 ids that went through a spreadsheet": ("31_roster_ids_as_floats.csv", ["30_canvas_submissions.zip"], None,
        {"nokafor": FULL, "plindqvist": FULL}, ""),
    "32 a German Moodle, whose maximum is another": ("33_roster.csv", ["32_moodle_submissions.zip"],
        ("moodle", "32_moodle_german.csv", {}), {"nokafor": FULL, "plindqvist": FULL}, "is out of 1.5 points"),
    "32 a German Moodle, converted": ("33_roster.csv", ["32_moodle_submissions.zip"],
        ("moodle", "32_moodle_german.csv", {"Teilnehmer/in7101": "1,12", "Teilnehmer/in7102": "1,12"}, True),
        {"nokafor": FULL, "plindqvist": FULL}, ""),
    "34 bare notebooks of one name": ("",
        ["34_mail/nadia/00_start_here.ipynb", "34_mail/per/00_start_here.ipynb"], None,
        {"nadia": FULL, "per": FULL}, ""),
}
# fmt: on


def lab_of(data):
    """The lab of a notebook by its set-up cell, lab 00 where it is no JSON."""
    from course_lib.notebook.cells import Ungradable, lab_of, read_cells_in

    try:
        return lab_of(read_cells_in(data), {}) or "00_start_here"
    except (Ungradable, ValueError):
        return "00_start_here"


def cases_of(folder):
    """[Case] of the files of a folder."""
    folder, found = Path(folder), []
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        data, prefix = path.read_bytes(), path.name.split("_")[0]
        points, says = TOLD.get(prefix, (FULL, ""))
        lab = lab_of(data)
        case = Case(path.stem, path.name, {"ada.ipynb": data}, {"ada": points} if points is not None else {}, says=says)
        if lab == "00_start_here":
            case = case._replace(written=written_in(data))
        else:  # as many points as without the line #@title in front of its cells
            case = case._replace(lab=lab, like=data.replace(b"#@title Train it\\n", b""), points={"ada": None})
        found.append(case)
    for label, (roster, names, into, points, says) in FILES.items():
        paths = [folder / name for name in names]
        if not all(path.exists() for path in paths) or (roster and not (folder / roster).exists()):
            continue
        files = {name: path.read_bytes() for name, path in zip(names, paths)}
        own = (into[0], (folder / into[1]).read_bytes(), *into[2:]) if into else ()
        text = (folder / roster).read_bytes() if roster else ""
        found.append(Case("files of a class", label, files, points, text, says, paths=(tuple(names),), into=own))
    return found


def written_in(data):
    """{question: the answer} of a notebook: those under their marks, and any text for those that are elsewhere."""
    try:
        cells = json.loads(data)["cells"]
    except ValueError:
        return {}
    found = {"written_1": ..., "written_2": ...}
    for cell in cells:
        first, _, text = "".join(cell["source"]).partition("-->\n")
        if first.startswith("<!-- WRITTEN ") and text != "YOUR ANSWER HERE":
            found[first.split()[2]] = text
    return found
