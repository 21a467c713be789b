"""What `course review` has to show: a lab's written answers in their blind order, then the hand-ins that a person has
to look at (handed_in.py). What is kept of it: keep.py.
"""

import hashlib
import hmac
import re
from pathlib import Path

from course_lib.grading.people import roster
from course_lib.grading.people.names import words as words_of
from course_lib.grading.reports import page
from course_lib.grading.reports.review import handed_in
from course_lib.grading.reports.rubric import levels
from course_lib.notebook import cells as notebooks
from course_lib.notebook.written import STUB
from course_lib.platform import ROOT

LONGEST = 20_000  # characters of an answer, of a comment a fifth of it
MOST_FOUND = 20  # students whom a search names


def asked(lab, root=ROOT):
    """{id: text of the question}: what stands in the student notebook above each place for an answer. {} where there is
    no notebook.
    """
    try:
        cells = notebooks.read_cells(Path(root, "labs", f"{lab}.ipynb"))
    except notebooks.Ungradable:
        return {}
    found = {}
    for (_, kind, above), (_, _, below) in zip(cells, cells[1:]):
        place = re.match(r"\s*<!--\s*WRITTEN\s+(\w+)\s*-->", below)
        if place and kind == "markdown":
            question = re.split(r"\n\n(?=\**\d\.)", above)[-1]  # of a cell with more in it, what begins with its number
            found[place[1]] = re.sub(r"\*+|(?m:^#+ )", "", question)  # without the marks of Markdown
    return found


def item_id(key, lab, question, row):
    """An HMAC under the class's secret: it does not tell the student, and its order is another one for each question
    and the same at every start.
    """
    text = f"review|{lab}|{question}|{row['student']}|{row['sha']}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:20]


def groups_of(rows, submitted):
    """{student: what only members of his or her group have in common}: the roster's group, else those whom the LMS
    names as a team.
    """
    listed = {student["student"]: student["group"] for student in roster.beside(submitted)}
    found = {row["student"]: listed.get(row["student"]) or "|".join(sorted(row["members"])) for row in rows}
    return {student: group for student, group in found.items() if group}


def queue(lab, rows, key, names=False, groups=None, flags=None):
    """{"questions": [{"id", "title", "text", "points", "levels", "order": [item ids], "like": {item id: the first that
    says the same}, "parts": [what a hand-in can get points for: {"id" (None: the whole lab), "title", "points"}]}],
    "items": {item id: {"question", "student", "sha", "points", "answer", "cells", "note", "who", "called", "group"}}}.

    rows: of page.graded_or_broken. groups, flags: {student: …} as from groups_of and audit.flags_on_disk. Ordered by
    item id, which is as good as shuffled, but answers that say the same follow one another, and so do those of a group.
    names: show whose answer it is.
    """
    from course_lib.questions import core

    texts, questions, items, groups = asked(lab), [], {}, groups or {}

    def add(question, row, points, note, answer="", cells=()):
        name = item_id(key, lab, question, row)
        items[name] = {
            "question": question,
            "student": row["student"],
            "sha": row["sha"],
            "points": points,
            "answer": page.visible(answer, LONGEST),
            "cells": cells,
            "note": page.visible(note),
            "who": page.visible((row["name"] or row["student"]) if names else "", 200),
            "called": f"{row['name']} {row['student']} {row['email']}",  # for the search: never sent
            "group": groups.get(row["student"], ""),
        }
        return name

    definitions = core.questions_of(lab)
    for question in definitions:
        if not isinstance(question, core.WrittenQuestion):
            continue
        order = []
        for row, answer, note in answers_to(question.id, rows):
            order.append(add(question.id, row, question.points, note, answer))
        like = alike_ones(sorted(order), items)
        questions.append(
            {
                "id": question.id,
                "title": question.title or question.id,
                "text": page.visible(texts.get(question.id, ""), LONGEST),
                "points": question.points,
                "levels": [{"points": p, "text": t} for p, t in levels(question.rubric, question.points)],
                "order": together(sorted(order), items, like),
                "like": like,
                "parts": [],
            }
        )
    whole = sum(question.points for question in definitions)
    parts = [{"id": None, "title": "the whole lab", "points": whole}]
    parts += [{"id": q.id, "title": q.title or q.id, "points": q.points} for q in definitions]
    wanted = handed_in.lists(lab, rows, flags or {})
    shown = handed_in.beginnings([row["folder"] for *_, found in wanted for row, _ in found])
    for name, title, text, found in wanted:
        order = [add(name, row, whole, note, cells=shown[row["folder"]]) for row, note in found]
        questions.append(
            {
                "id": name,
                "title": title,
                "text": text,
                "points": whole,
                "levels": [],
                "order": together(sorted(order), items, {}),
                "like": {},
                "parts": parts,
            }
        )
    return {"questions": questions, "items": items}


def alike_ones(order, items):
    """{item id: the first that it is like, perhaps itself} of the answers that are like another; their notes say so."""
    groups = []  # [(the first one's words, [item ids])]
    for name in order:
        words = vocabulary(items[name]["answer"])
        found = next((ids for first, ids in groups if alike(words, first)), None)
        if found is None:
            groups.append((words, [name]))
        else:
            found.append(name)
    several = [ids for _, ids in groups if len(ids) > 1]
    for ids in several:
        for place, name in enumerate(ids, 1):
            add_note(items[name], f"{place} of {len(ids)} answers that say nearly the same")
    return {name: ids[0] for ids in several for name in ids}


def vocabulary(answer):
    """The words that an answer uses, in lower case."""
    return set(re.findall(r"\w+", answer.casefold()))


def alike(one, other):
    """Do two answers, given as sets of words, share nine tenths of all that either says?"""
    return len(one & other) >= 0.9 * len(one | other) > 0


def together(order, items, like):
    """The order, with those that are like an item behind it, and behind each of them the other members of its group;
    the notes of such members say so.
    """
    teams, same, placed = {}, {}, {}
    for name in order:
        teams.setdefault(items[name]["group"] or name, []).append(name)
        same.setdefault(like.get(name, name), []).append(name)
    for team in teams.values():
        for name in team if len(team) > 1 else []:
            add_note(items[name], f"from a group, {len(team)} of whose members stand together here")
    for name in order:
        for one in same[like.get(name, name)]:
            placed |= dict.fromkeys(teams[items[one]["group"] or one])
    return list(placed)


def add_note(item, note):
    item["note"] = "; ".join(filter(None, (item["note"], note)))


def answers_to(question_id, rows):
    """[(row, text, note)] of the submissions that have an answer to be read to this question."""
    found = []
    for row in rows:
        for q in row["result"]["questions"] if row["result"] else []:
            if q["id"] == question_id and q["status"] in ("needs_review", "marked"):
                answer = q.get("answer", "")
                nothing = "nothing was written: 0 suggested" if answer in ("", STUB) else ""
                found.append((row, answer, q.get("note", nothing)))  # without a note: a result made before 0.2
    return found


def find(text, items):
    """[{"who" (as shown), "items": [their ids]}] of the students in whose name, folder or address each word of `text`
    begins a word; at most MOST_FOUND.
    """
    wanted, found = words_of(text), {}
    for name, item in items.items():
        has = words_of(item["called"])
        if wanted and all(any(word.startswith(start) for word in has) for start in wanted):
            found.setdefault(item["student"], {"who": item["who"], "items": []})["items"].append(name)
    return list(found.values())[:MOST_FOUND]
