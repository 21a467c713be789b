"""`course feedback LAB`: one self-contained page a student: what failed, which mistake it looks like, where to read.

What it may say of a graded call: phrases.py. Everything is escaped and capped.
"""

import csv
import hashlib
import hmac
import io
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports import page, phrases, rubric
from course_lib.platform import write_atomic

CORE = "The first check is the core of this question: while it fails, the question gives 0 points."
WHY_CORE = (
    "Why a failed first check gives 0 points: it asks whether your function does what the exercise is about. The other "
    "checks look at special cases, which a function that does something else may pass by luck."
)
CAPS = {"comment": 4000, "answer": 20_000, "log": 4000, "line": 500}


# ---- one student's page ---------------------------------------------------------------------------------------------


def sheet(lab, row, questions):
    """What a student sees, as plain data: {"title", "head": [lines], "questions": [{"title", "points", "cases":
    [("passed" | "not passed" | "not run", name, [(label, text)])], "note": text, "texts": [(label, text)]}], "after":
    [(title, text)], "comment": text}.

    `questions`: {id: question object}. Texts are a student's or the instructor's own: escape them."""
    result, head, after = row["result"], [], []
    if row["status"] == "excused":
        head.append("Excused: this lab counts nowhere.")
    elif row["score"] is not None:
        to_read = f", and {row['pending']:g} more still to be read by a person" if row["pending"] else ""
        head.append(f"{row['score']:g} of {row['max']:g} points{to_read}")
        if row["penalty"]:
            head.append(f"{taken_off(row)} It counts with {row['final']:g}.")
    elif result is not None and row["status"] == "ungradable":
        head.append(f"It could not be graded: {result['reason']}. A person looks at it; this is no 0.")
    else:
        head.append("Not graded yet. This is no 0.")
    head += by_a_person(row)
    if free := row["free_days"]:
        head.append(f"{free['left']} of the term's {free['of']} free days are left.")
    if row["status"] in ("graded", "partial") and None not in row["adjusted"]:  # else it speaks to the instructor
        head += [reason for reason in row["reason"].split("; ") if reason and reason != "not in the roster"]
    made = [shown(lab, q, questions.get(q["id"])) for q in (result or {}).get("questions", [])]
    if stopped := (result or {}).get("cells_stopped"):
        lines = [f"cell {number}: {why}" for number, why in list(stopped.items())[:20]]
        after.append(("Cells that stopped when your notebook was run from the top", "\n".join(lines)))
    if notes := (result or {}).get("notes"):
        after.append(("Notes", "\n".join(map(str, notes[:20]))))
    if log := (result or {}).get("log_cells", "").strip():
        after.append(("The end of what your cells printed", log[-CAPS["log"] :]))
    title, comment = f"{lab}: {row['name'] or row['student']}", general_comment(row)
    return {"title": title, "head": head, "questions": made, "after": after, "comment": comment}


def taken_off(row):
    """A late hand-in's loss in words."""
    days, free = f"{row['late_days']:g} day{'s' if row['late_days'] != 1 else ''}", (row["free_days"] or {}).get("here")
    return f"Late by {days}{f', {free} of them free' if free else ''}: {row['penalty']:g} points are taken off."


def by_a_person(row):
    """What a person has said of the whole lab, and what follows where questions are excused: lines for the student."""
    lines = []
    if line := row["adjusted"].get(None):
        lines.append(f"{heading(line)}: {line.get('reason', '')}")
    elif row["final"] is not None and any(line["score"] is None for line in row["adjusted"].values()):
        counts = f"{round(row['final'], 2):g} of {row['out_of']:g} points"
        lines.append(f"Without what you are excused from, that counts as {counts}.")
    return lines


def heading(line):
    """What stands above the reason of an adjustment in effect."""
    if line["score"] is None:
        return "Excused by a person"
    return "Set by a person" if line["before"] is None else f"Set by a person (before: {line['before']:g})"


def general_comment(row):
    """The comment on the whole, and those on questions of which there is nothing to show."""
    shown = {q["id"] for q in (row["result"] or {}).get("questions", [])}
    told = [
        f"{question}: {text}" if question else text
        for question, text in row["comments"].items()
        if question not in shown
    ]
    return "\n\n".join(told)


def shown(lab, question, definition):
    """One question of a sheet."""
    from course_lib.questions import core

    title, score = getattr(definition, "title", "") or question["id"], question["score"]
    points = f"{score:g} of {question['max']:g}" if score is not None else f"not read yet, {question['max']:g}"
    made = {
        "title": title,
        "points": f"{points} {'point' if question['max'] == 1 else 'points'}",
        "note": "",
        "full": score is not None and score >= question["max"] - 1e-9,
        "cases": [],
        "texts": [],
    }
    if question["status"] in ("needs_review", "marked") or "answer" in question:
        made["texts"] = [("Your answer", question.get("answer", "")[: CAPS["answer"]] or "(empty)")]
        if mark := question.get("mark"):
            level = rubric.told(getattr(definition, "rubric", ""), question["max"]).get(float(mark["score"]))
            made["texts"] += [("What earns these points", level)] if level else []
            made["texts"] += [("Comment", mark["comment"])] if mark.get("comment") else []
    elif isinstance(definition, core.ArtifactQuestion):
        # measured on the trusted side, of a model that cannot write into the message
        made["texts"] = [("What was measured", case["message"]) for case in question["cases"] if case["message"]]
    else:
        why = phrases.explained(question)
        for case in question["cases"]:
            lines = phrases.told(case, lab) if any(case is each for each in why) else []
            if lines and case.get("cost", 1.0) < 1.0:  # not of the core, nor of what was graded before cases had costs
                lines.append(("Costs", core.cost_in_words(case["cost"], len(why) > 1)))
            made["cases"].append((word(case), case["name"], lines))
        failed = len(question["cases"]) > 1 and question["cases"][0]["status"] not in ("pass", "todo")
        if failed and "adjusted" not in question:
            made["note"] = CORE
    if line := question.get("adjusted"):
        if line["score"] is None:
            made["points"] = "excused"
        made["texts"].append((heading(line), line.get("reason", "")))
    if question.get("comment"):
        made["texts"].append(("Comment to you", question["comment"]))
    return made


def word(case):
    if case["status"] == "pass":
        return "passed"
    return "not run" if (case["message"] or "").startswith("not run") else "not passed"


SIGNS = {"passed": ("good", "✓"), "not run": ("soft", "○"), "not passed": ("bad", "✗")}


def case_html(case):
    state, name, lines = case
    mark = '<span class="{}" aria-hidden="true">{}</span>'.format(*SIGNS[state])
    notes = "".join(f"<div><b>{label}:</b> {page.escape(text, CAPS['line'])}</div>" for label, text in lines)
    return f"<li>{mark} {page.escape(name, 300)}: <b>{state}</b>{notes}</li>"


def as_html(made):
    body = [f"<h1>{page.escape(made['title'], 200)}</h1>"]
    for n, line in enumerate(made["head"]):
        body.append(f'<p class="{"big" if n == 0 else "soft"}">{page.escape(line, CAPS["line"])}</p>')
    if made["comment"]:
        comment = page.escape(made["comment"], CAPS["answer"])
        body.append(f'<section><h2>Comment to you</h2><div class="text" dir="auto">{comment}</div></section>')
    for question in made["questions"]:
        kind, points = "good" if question["full"] else "soft", page.escape(question["points"], 80)
        body.append(f'<section><h2>{page.escape(question["title"], 200)} <span class="{kind}">· {points}</span></h2>')
        if question["cases"]:
            body.append(f'<ul class="cases">{"".join(map(case_html, question["cases"]))}</ul>')
        if question["note"]:
            body.append(f'<p class="soft">{page.escape(question["note"])}</p>')
        for label, text in question["texts"]:
            body.append(f'<h3>{label}</h3><div class="text" dir="auto">{page.escape(text, CAPS["answer"])}</div>')
        body.append("</section>")
    for title, text in made["after"]:
        body.append(f"<h2>{page.escape(title, 200)}</h2><pre>{page.escape(text, CAPS['log'])}</pre>")
    if any(question["note"] for question in made["questions"]):
        body.append(f'<p class="soft">{page.escape(WHY_CORE)}</p>')
    if any(question["cases"] for question in made["questions"]):
        body.append(
            '<p class="soft">Graded on inputs that nobody knows beforehand, so no values are shown here. '
            '<code>check("…")</code> in your notebook shows them for public inputs.</p>'
        )
    return page.page(made["title"], "\n".join(body))


def as_text(made):
    lines = [made["title"], *made["head"]]
    if made["comment"]:
        lines += ["", "Comment to you", made["comment"]]
    for question in made["questions"]:
        lines += ["", f"{question['title']} · {question['points']}"]
        for state, name, notes in question["cases"]:
            lines += [f"  {SIGNS[state][1]} {name}: {state}"] + [f"      {label}: {text}" for label, text in notes]
        lines += [f"  {text}" for text in [question["note"]] if text]
        lines += [f"  {label}: {text}" for label, text in question["texts"]]
    if any(question["note"] for question in made["questions"]):
        lines += ["", WHY_CORE]
    for title, text in made["after"]:
        lines += ["", title, *("  " + line for line in text.splitlines())]
    return page.visible("\n".join(lines), 100_000) + "\n"


def write(lab, folder, text=False, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """Writes a page for each student who handed in (and a .txt beside it if `text`) and mapping.csv. Returns [(student,
    path)].

    File names are HMACs under the class's secret: the same each time, and nobody guesses another's. Raises StoreError
    where there is nothing, or the folder cannot be written."""
    from course_lib.questions import core

    rows = page.rows_of(lab, grades, submitted)
    if all(row["result"] is None and not row["adjusted"] and not row["comments"] for row in rows):
        page.not_graded(lab, rows)
    key, questions, made = store.secret(grades), {q.id: q for q in core.questions_of(lab)}, []
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["student", "name", "email", "file"])
    try:
        for row in rows:
            name = hmac.new(key, f"feedback|{lab}|{row['student']}".encode(), hashlib.sha256).hexdigest()[:32]
            content = sheet(lab, row, questions)
            write_atomic(Path(folder, f"{name}.html"), as_html(content).encode())
            if text:
                write_atomic(Path(folder, f"{name}.txt"), as_text(content).encode())
            table.writerow(
                [page.neutral(row["student"]), page.neutral(row["name"]), page.neutral(row["email"]), f"{name}.html"]
            )
            made.append((row["student"], Path(folder, f"{name}.html")))
        write_atomic(Path(folder, "mapping.csv"), out.getvalue().encode())
    except OSError as error:
        raise store.StoreError(f"cannot write to {folder} ({error.strerror}): give another folder with -o") from None
    return made
