"""The rules of the term for this class: course.yaml, and what the roster's columns add to it: extension (days, for
every lab with a deadline) and excused (labs by their names or numbers, "02_pretraining 7").

Of two extensions a lab's own counts, then that of course.yaml for all labs, then the roster's. Whom one of the two
files excuses from a lab is excused. What a person says of a whole lab (`course adjust`) comes before both.
"""

import difflib
import re
from collections import Counter
from pathlib import Path

from course_lib.grading.people import identity
from course_lib.grading.people import roster as class_list
from course_lib.grading.people.table import one_line
from course_lib.grading.records import policy as late_policy
from course_lib.grading.records import store
from course_lib.platform import nearest


def beside(submitted, policy=None, roster=None):
    """(rules as of policy.read, students as of roster.read) of a class, the roster's columns taken into the rules.

    policy, roster: paths; None takes course.yaml and roster.csv beside the folder `submitted` where they exist.
    StoreError where one of them cannot be read, or course.yaml names somebody who is no student.
    """
    rules, students = late_policy.beside(submitted, policy), class_list.beside(submitted, roster)
    check_names(rules or {}, students, submitted)
    return joined(rules or {}, students), students


def check_names(rules, students, submitted):
    """Raises StoreError for a name in course.yaml that neither the roster nor a hand-in has. Without a roster nobody
    knows who there is.
    """
    listed = {student["student"] for student in students}
    said = [(name, f"an extension for {lab}") for lab, rule in rules.items() for name in rule["extensions"]]
    said += [(name, f"an excuse from {lab}") for lab, rule in rules.items() for name in rule["excused"]]
    if not listed or listed.issuperset(name for name, _ in said):
        return
    met = {folder.name for lab in late_policy.labs() for folder in Path(submitted, lab).glob("*")}
    called = {student: student for student in met | listed}  # whatever a student is called, and his key
    for student in students:
        words = (*student["ids"].values(), student["email"], student["name"])
        called = {word: student["student"] for word in words if word} | called
    for name, what in said:
        if name not in met | listed:
            guess = nearest(name, called, called) or ": a slip of the pen?"
            raise store.StoreError(f"the policy gives {name} {what}, but there is no such student in the roster{guess}")


def joined(rules, students):
    """The rules with the roster's extensions and excuses."""
    longer = {student["student"]: days_of(student) for student in students if student["extension"]}
    excused = {student["student"]: labs_of(student) for student in students if student["excused"]}
    made = {None: late_policy.of_lab(rules, None)}
    for lab in {*rules, *(lab for labs in excused.values() for lab in labs)} - {None}:
        rule = late_policy.of_lab(rules, lab)
        due, who = rule["deadline"], "the class list says so"
        later = {name: late_policy.later(due, days) for name, days in longer.items() if due and days}
        listed = {name: who for name, labs in excused.items() if lab in labs}
        made[lab] = rule | {"extensions": later | rule["extensions"], "excused": rule["excused"] | listed}
    return made


def days_of(student):
    """The days of a student's extension. A spreadsheet writes 2.0."""
    days = identity.plain(student["extension"])
    if not days or len(days) > 3:
        raise store.StoreError(
            f"the roster's extension of {student['student']}, {student['extension'][:40]!r}, must be a number of days"
        )
    return int(days)


def labs_of(student):
    """The labs that a student is excused from."""
    labs, found = late_policy.labs(), []
    numbers = {int(lab[:2]): lab for lab in labs}
    for word in re.split(r"[\s,;]+", student["excused"].strip(" ,;")):
        plain = identity.plain(word)
        lab = numbers.get(int(plain), word) if plain else word
        if lab not in labs:
            raise store.StoreError(
                f"the roster excuses {student['student']} from {word[:60]!r}, which is no lab"
                f"{nearest(word, labs)}; labs: {', '.join(labs)}"
            )
        found.append(lab)
    return found


def nearly_alike(students):
    """Lines on groups of one student whose name is nearly another group's: one hand-in does not count for both."""
    sizes = Counter(student["group"] for student in students if student["group"])
    digits = {group: re.sub(r"\D", "", group) for group in sizes}
    lines = []
    for group in [group for group, size in sizes.items() if size == 1]:
        others = [other for other in sizes if other != group and digits[other] == digits[group]]
        for other in difflib.get_close_matches(group, others, n=1, cutoff=0.65):
            lines.append(f"the group {one_line(group)} of the roster has one student: is it {one_line(other)}?")
    return lines
