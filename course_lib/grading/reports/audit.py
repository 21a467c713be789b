"""`course audit LAB`: every flag with its evidence and the lines of source that it speaks of, by kind and by student. A
flag never changes a score: it says where a person should look.

Flags come from the results (tampering seen in the source or at the border of the sandbox, models equal to another's),
from replays (grades/LAB/replay.jsonl) and from the similarity of code.
"""

import argparse
import re
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports import page, similarity
from course_lib.platform import write_atomic

LINES = 6  # of source, a flag


def source_lines(cells, evidence):
    """[(cell, line number, text)] that a flag's evidence speaks of: "cell 7: torch.allclose is replaced" -> the lines
    of cell 7 with allclose. [] where it names no cell.
    """
    found = re.search(r"\bcell (\d+)\b:?(.*)", evidence, re.S)
    source = next((s for number, _, s in cells if found and number == int(found.group(1)[:9])), None)
    if source is None:
        return []
    lines = list(enumerate(source.split("\n"), 1))
    words = [found.group(2).strip()] + sorted(
        re.findall(r"[\w.]{3,}", found.group(2)) + re.findall(r"\w{3,}", found.group(2)), key=len, reverse=True
    )
    meant = next((hits for word in words if word and (hits := [(n, text) for n, text in lines if word in text])), None)
    return [
        (int(found.group(1)), n, text)
        for n, text in (meant or [(n, text) for n, text in lines if text.strip()])[:LINES]
    ]


def entries(lab, rows, grades=store.GRADES):
    """[{"student", "kind", "evidence", "lines"}] of all flags of gradebook rows, by student."""
    texts, prints, stub = similarity.read(lab, rows)
    pairs, found = similarity.pairs_of(prints, stub), []
    replayed = [line for line in store.read_lines(Path(grades, lab, "replay.jsonl")) if line.get("kind")]
    for row in rows:
        result = row["result"] or {}
        flags = [
            flag
            for part in [result, *result.get("questions", [])]
            for flag in part.get("flags", [])
            if type(flag) is dict
        ]
        flags += [
            line
            for line in replayed
            if (line.get("student"), line.get("submission_sha")) == (row["student"], row["sha"])
        ]
        for pair in pairs:
            if row["student"] in pair["pair"]:
                other = next(student for student in pair["pair"] if student != row["student"])
                flags.append(
                    {
                        "kind": "similar code",
                        "evidence": f"{100 * pair['share']:.0f} % of the smaller one's rare passages are also in "
                        f"{other}'s: course similarity {lab} shows them",
                    }
                )
        seen = dict.fromkeys((str(flag.get("kind")), str(flag.get("evidence"))) for flag in flags)
        found += [
            {
                "student": row["student"],
                "kind": kind,
                "evidence": evidence,
                "lines": source_lines(texts.get(row["student"], []), evidence),
            }
            for kind, evidence in seen
        ]
    return sorted(found, key=lambda entry: entry["student"])


def by_kind(found):
    """[(kind, students, flags)], what most students have first."""
    kinds = {entry["kind"] for entry in found}
    counted = [
        (kind, len({e["student"] for e in found if e["kind"] == kind}), sum(e["kind"] == kind for e in found))
        for kind in kinds
    ]
    return sorted(counted, key=lambda line: (-line[1], line[0]))


def as_html(lab, found, rows):
    body = [
        f"<h1>{page.escape(lab)}: {len(found)} flags of {len({e['student'] for e in found})} of {len(rows)} "
        "students</h1>",
        "<p>A flag changes no score. It says where to look.</p>",
    ]
    body.append(page.table(("kind", "students", "flags"), by_kind(found), numeric=("students", "flags")))
    for row in rows:
        mine = [entry for entry in found if entry["student"] == row["student"]]
        if not mine:
            continue
        points = "" if row["score"] is None else f" · {row['score']:g} of {row['max']:g} points"
        body.append(
            f'<section><h2>{page.escape(row["name"] or row["student"], 200)}{points} <span class="soft">submission '
            f"{page.escape(row['sha'])}</span></h2>"
        )
        for entry in mine:
            lines = "\n".join(f"[{cell}:{n}] {text}" for cell, n, text in entry["lines"])
            body.append(
                f"<h3>{page.escape(entry['kind'], 100)}</h3><div>{page.escape(entry['evidence'], 600)}</div>"
                + (f"<pre>{page.escape(lines, 2000)}</pre>" if lines else "")
            )
        if log := (row["result"] or {}).get("log_tail", "").strip():
            body.append(
                "<details><summary>The end of what was printed while it was "
                f"graded</summary><pre>{page.escape(log)}</pre></details>"
            )
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
    console.print(
        f"\n{len(found)} flags of {len({e['student'] for e in found})} of {len(rows)} students. No score was changed "
        "by a flag.",
        highlight=False,
    )
    if arguments.html:
        try:
            write_atomic(arguments.html, as_html(arguments.lab, found, rows).encode())
        except OSError as error:
            raise store.StoreError(f"cannot write {arguments.html} ({error.strerror})") from None
        console.print(f"{arguments.html} is written.")
    return 0
