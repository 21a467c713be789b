"""`course audit LAB`: every flag with its evidence and the lines of source that it speaks of, by kind and by student. A
flag never changes a score: it says where a person should look.

It also lists what people have adjusted (`course adjust`), all of it in order, with who and why.

Flags come from the results (tampering seen in the source or at the border of the sandbox), from what the class's models
compute (reading/likeness.py), from replays (grades/LAB/replay.jsonl) and from the similarity of code.
"""

import argparse
import re
import time
from pathlib import Path

from course_lib.grading.reading import likeness
from course_lib.grading.records import adjustments, store
from course_lib.grading.reports import page, similarity
from course_lib.platform import counted, write_atomic

LINES = 6  # of source, a flag


def source_lines(cells, evidence):
    """[(cell, line number, text)] that a flag's evidence speaks of: "cell 7: torch.allclose is replaced" -> the lines
    of cell 7 with allclose. [] where it names no cell.
    """
    found = re.search(r"\bcell (\d{1,9})\b:?(.*)", evidence, re.S)
    if found is None:
        return []
    cell, about = int(found.group(1)), found.group(2)
    source = next((s for number, _, s in cells if number == cell), None)
    if source is None:
        return []
    lines = [(n, text) for n, text in enumerate(source.split("\n"), 1) if text.strip()]
    words = sorted(re.findall(r"[\w.]{3,}", about) + re.findall(r"\w{3,}", about), key=len, reverse=True)
    for word in filter(None, [about.strip(), *words]):
        if hits := [(n, text) for n, text in lines if word in text]:
            lines = hits
            break
    return [(cell, n, text) for n, text in lines[:LINES]]


def entries(lab, rows, grades=store.GRADES):
    """[{"student", "kind", "evidence", "lines"}] of all flags of gradebook rows, by student."""
    texts, prints, stub = similarity.read(lab, rows)
    pairs, found = similarity.pairs_of(prints, stub), []
    models = likeness.among(rows, store.likeness_seed(store.secret(grades), lab))
    recorded = flags_on_disk(lab, rows, grades)
    for row in rows:
        student = row["student"]
        flags = recorded[student] + models[student]
        flags += [alike(lab, pair, student) for pair in pairs if student in pair["pair"]]
        for kind, evidence in dict.fromkeys((str(flag.get("kind")), str(flag.get("evidence"))) for flag in flags):
            lines = source_lines(texts.get(student, []), evidence)
            found.append({"student": student, "kind": kind, "evidence": evidence, "lines": lines})
    return sorted(found, key=lambda entry: entry["student"])


def flags_on_disk(lab, rows, grades=store.GRADES):
    """{student: [flags]} of what grading and replays have written down: nothing is compared anew."""
    replayed = [line for line in store.read_lines(Path(grades, lab, "replay.jsonl")) if line.get("kind")]
    found = {}
    for row in rows:
        result, whose = row["result"] or {}, (row["student"], row["sha"])
        parts = [result, *result.get("questions", [])]
        flags = [flag for part in parts for flag in part.get("flags", []) if type(flag) is dict]
        found[row["student"]] = flags + [
            line for line in replayed if (line.get("student"), line.get("submission_sha")) == whose
        ]
    return found


def alike(lab, pair, student):
    """The flag of one student of a pair that similarity.pairs_of has found."""
    other = next(name for name in pair["pair"] if name != student)
    share = f"{100 * pair['share']:.0f} % of the smaller one's rare passages"
    return {"kind": "similar code", "evidence": f"{share} are also in {other}'s: course similarity {lab} shows them"}


def by_kind(found):
    """[(kind, students, flags)], what most students have first."""
    counted = []
    for kind in {entry["kind"] for entry in found}:
        students = [entry["student"] for entry in found if entry["kind"] == kind]
        counted.append((kind, len(set(students)), len(students)))
    return sorted(counted, key=lambda line: (-line[1], line[0]))


CHANGED = ("when", "student", "question", "what", "reason", "by")


def changes(lab, grades=store.GRADES):
    """[texts] for CHANGED, a row for each adjustment and each that was cleared, the oldest first."""
    found = []
    for line in adjustments.history(lab, grades):
        if line["kind"] == "comment":
            continue
        value = "" if line["value"] is None else f"{line['value']:g} "
        what = {"points": "points", "percent": "% of the points"}.get(line["kind"], line["kind"])
        bonus = ", bonus" if line.get("bonus") else ""
        at = line.get("at") if type(line.get("at")) in (int, float) else 0
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
        told = [line["student"], line["question"] or "the whole lab", f"{value}{what}{bonus}"]
        found.append([when, *told, str(line.get("reason", "")), str(line.get("by", ""))])
    return found


def as_html(lab, found, rows, changed=()):
    flagged = len({entry["student"] for entry in found})
    body = [
        f"<h1>{page.escape(lab)}: {counted(len(found), 'flag')} of {flagged} of {counted(len(rows), 'student')}</h1>",
        "<p>A flag changes no score. It says where to look.</p>",
        page.table(("kind", "students", "flags"), by_kind(found), numeric=("students", "flags")),
    ]
    if changed:
        body += ["<h2>Adjusted by a person</h2>", page.table(CHANGED, changed)]
    for row in rows:
        mine = [entry for entry in found if entry["student"] == row["student"]]
        if not mine:
            continue
        points = "" if row["score"] is None else f" · {row['score']:g} of {counted(row['max'], 'point')}"
        name, sha = page.escape(row["name"] or row["student"], 200), page.escape(row["sha"])
        body.append(f'<section><h2>{name}{points} <span class="soft">submission {sha}</span></h2>')
        for entry in mine:
            body.append(f"<h3>{page.escape(entry['kind'], 100)}</h3><div>{page.escape(entry['evidence'], 600)}</div>")
            if lines := "\n".join(f"[{cell}:{n}] {text}" for cell, n, text in entry["lines"]):
                body.append(f"<pre>{page.escape(lines, 2000)}</pre>")
        if log := (row["result"] or {}).get("log_tail", "").strip():
            summary = "<summary>The end of what was printed while it was graded</summary>"
            body.append(f"<details>{summary}<pre>{page.escape(log)}</pre></details>")
        body.append("</section>")
    return page.page(f"{lab}: audit", "\n".join(body))


def main(argv=None):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    parser = argparse.ArgumentParser(prog="course audit", description=__doc__.split("\n")[0])
    parser.add_argument("lab")
    parser.add_argument("--html", metavar="FILE", help="a page with the same")
    arguments = parser.parse_args(argv)
    rows, console = page.rows_of(arguments.lab, store.GRADES, store.SUBMISSIONS), Console()
    found = entries(arguments.lab, rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("kind", "students", "flags"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind, students, flags in by_kind(found):
        table.add_row(Text(page.visible(kind, 100)), str(students), str(flags))
    if found:
        console.print(table)
    for student in dict.fromkeys(entry["student"] for entry in found):
        console.print(Text(f"\n{page.visible(student, 100)}", style="bold"))
        for entry in (e for e in found if e["student"] == student):
            console.print(Text(f"  ⚑ {page.visible(entry['kind'], 100)}: {page.visible(entry['evidence'], 600)}"))
            for cell, n, text in entry["lines"]:
                console.print(Text(f"      [{cell}:{n}] {page.visible(text, 160)}", style="dim"))
    changed = changes(arguments.lab)
    if changed:
        console.print(Text("\nAdjusted by a person", style="bold"))
    for when, student, question, what, reason, by in changed:
        line = f"  ✎ {when}  {student}, {question}: {what}, by {by}: {reason}"
        console.print(Text(page.visible(line, 600)))
    flagged = len({entry["student"] for entry in found})
    told = f"{counted(len(found), 'flag')} of {flagged} of {counted(len(rows), 'student')}"
    console.print(f"\n{told}. No score was changed by a flag.", highlight=False)
    if arguments.html:
        try:
            write_atomic(arguments.html, as_html(arguments.lab, found, rows, changed).encode())
        except OSError as error:
            raise store.StoreError(f"cannot write {arguments.html} ({error.strerror})") from None
        console.print(f"{arguments.html} is written.")
    return 0
