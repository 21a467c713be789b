"""Whose a hand-in is: one student's, or a group's."""

import re
from collections import Counter
from typing import NamedTuple

from course_lib.grading.intake.archives import NOTEBOOK
from course_lib.grading.people import names, roster
from course_lib.platform import safe_name

# words of a file's name that tell nothing of its owner, beside those of the lab
SAYS_NOTHING = {
    *"lab notebook untitled copy kopie copia copie of von de submission abgabe homework hw assignment".split(),
    *"exercise solution final ipynb start here".split(),
}


class Handed(NamedTuple):
    owners: list  # those who handed it in: one student, or the members of a team that the LMS names
    notes: list
    group: str = ""
    mates: tuple = ()  # the others of the owner's group, for whom it counts as long as they hand in nothing themselves

    @property
    def first(self):
        return self.owners[0]

    def metas(self):
        """[(student, what meta.json of his copy says of it)]"""
        if not self.group:
            return [(self.first, {"student": self.first})]
        shared = {"group": self.group, "members": [*self.owners, *self.mates]}
        # what the LMS told is the team's, or another member's
        nobody = {"ids": {}, "name": "", "email": "", "back": {}}
        own = shared if self.mates else shared | nobody
        return [
            *((student, {"student": student} | own) for student in self.owners),
            *((student, {"student": student, "by": self.first} | shared | nobody) for student in self.mates),
        ]


class Known:
    """The students of a roster, or those that a collect without one has met."""

    def __init__(self, students):
        self.students, self.met = students, {}

    def students_of(self, about, manifest, lab):
        """Handed for a hand-in. Raises roster.NotMatched."""
        if not self.students:
            student, notes = without_roster(about, manifest, lab)
            if about["lms"] == "moodle" and self.met.setdefault(student, about["ids"]) != about["ids"]:
                raise roster.NotMatched(
                    f"two students are called {student}: collect with a roster that has the column moodle_id"
                )
            return Handed([student], notes)
        claimed = safe_name(manifest["student"]) if manifest.get("student") else None
        # what students can write themselves, a file's name and the manifest, counts only where no LMS tells who it was
        hints = about["hints"] if about["lms"] else [*about["hints"], *by_folder(about, lab), ("manifest", claimed)]
        try:
            student, note = roster.find(self.students, hints)
        except roster.NotMatched:
            team = roster.members(self.students, about["name"])
            if not team:
                raise
            group = team[0]["group"]
            return Handed([s["student"] for s in team], [f"handed in by the group {group}"], group)
        name, group = student["student"], student["group"]
        notes = [note] if note else []
        if not note and claimed and claimed != name:
            notes = [f"the zip says it is {claimed}'s"]
        mates = ()
        if group and not about["others"]:  # else the LMS has told who the group is
            mates = tuple(s["student"] for s in self.students if s["group"] == group and s is not student)
        if mates and names.same(group, about["name"]):  # Canvas names a group's file after the group
            return Handed([name, *mates], [*notes, f"handed in by the group {group}"], group)
        if mates:
            notes.append(f"counts for the group {group}, too: {', '.join(mates)}")
        return Handed([name], notes, group if mates else "", mates)


def without_roster(about, manifest, lab):
    """(student's name, notes) by what the LMS, the zip's manifest or the file's name says. Raises roster.NotMatched."""
    if about["lms"]:
        return safe_name(about["alone"]), []
    if manifest.get("student"):
        return safe_name(manifest["student"]), ["the student is named by the zip's own manifest only"]
    if "unclear" in about:
        raise roster.NotMatched(about["unclear"])
    if "owner" in about:
        return safe_name(about["owner"]), ["the student is named by the folder only"]
    return safe_name(stem(about, lab)), []


def stem(about, lab):
    """A file's name without its endings and the lab's name."""
    name = re.sub(r"(\.ipynb|\.zip|\.txt|\s*\(\d+\))+$", "", about["hints"][0][1], flags=re.I)
    return re.sub(rf"[_\- ]*{re.escape(lab)}[_\- ]*", "", name) or name


def is_bare(about, lab):
    """Whether a loose notebook's name says nothing of its owner: "00_start_here (1).ipynb", "lab00.ipynb"."""
    if about["place"] is None or not NOTEBOOK.search(about["hints"][0][1]):
        return False
    left = set(names.words(stem(about, lab))) - SAYS_NOTHING - set(names.words(lab))
    return all(re.fullmatch(r"(?:lab|hw|v)?\d+", word) for word in left)


def by_folder(about, lab):
    return [("file name", about["place"])] if is_bare(about, lab) else []


def name_by_folder(found, lab):
    """Loose notebooks whose names say nothing of their owners, or that have one name in several folders, get their
    folder's name as "owner"; where that tells nothing either, "unclear" has the line for the instructor.
    """
    called = {}
    for about in found:
        if about["lms"] is None and about["place"] is not None and NOTEBOOK.search(about["hints"][0][1]):
            called.setdefault("" if is_bare(about, lab) else stem(about, lab), []).append(about)
    for name, same in called.items():
        places = Counter(about["place"] for about in same)
        for about in same:
            place = about["place"]
            if name and len(places) == 1:
                continue
            if place and (name or places[place] == 1):
                about["owner"] = place
            else:
                where = f"in {place} there are {places[place]} such notebooks" if place else "it lies in no folder"
                about["unclear"] = (
                    f"its name does not say whose it is, and {where}: rename it to the student's, or put it into a "
                    "folder of the student's name"
                )


def named_in(students, text):
    """The student of the roster whom a file's name names, or None."""
    found = [*roster.by_id(students, "github", text), *roster.by_text(students, text)] if students else []
    return found[0]["student"] if len({s["student"] for s in found}) == 1 else None
