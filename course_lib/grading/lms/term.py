"""`course gradebook`: a class over the term, all labs with their weights, who is behind; one file for the LMS.

    course gradebook                                            the table, the distribution, who is behind
    course gradebook --html term.html                           the same as a page
    course gradebook --to csv -o term.csv                       a line a student
    course gradebook --to canvas --into grades.csv -o filled.csv      every lab's column that the file has; moodle alike

What counts, with how many points, what is dropped and which rules hold stands in course.yaml (INSTRUCTORS.md).
"""

import argparse
import csv
import io
import sys
import tempfile
from pathlib import Path

from course_lib.grading.lms import sheet, worksheet
from course_lib.grading.people import term
from course_lib.grading.records import store
from course_lib.grading.reports import page, stats

SIGNS = {"missing": "0!", "open": "–", "excused": "EX"}
LEGEND = "(5): dropped · 0!: not handed in, counts 0 · EX: excused · –: does not count yet"


def shown(lab, row):
    """A cell as text."""
    cell = row["cells"][lab]
    text = SIGNS.get(cell["state"]) or f"{round(cell['points'], 2):g}"
    return f"({text})" if lab in row["dropped"] else text


def begun(about, rows):
    """The labs of which anybody has more than an open cell."""
    return [lab for lab in about["labs"] if any(row["cells"][lab]["state"] != "open" for row in rows)]


def heads(about, labs):
    """{lab: its column's head}: number and points."""
    return {lab: f"{lab[:2]} /{about['labs'][lab]['points']:g}{'+' * about['labs'][lab]['bonus']}" for lab in labs}


def columns_of(about, labs):
    free = ["free days left"] if about["late_days"] else []
    return ["student", *heads(about, labs).values(), "points", "of", "%", "missing", *free]


def lines_of(about, rows, labs):
    """A list of texts for each student: name, a cell a lab, points, of, percent, labs missing, free days left."""
    found = []
    for row in rows:
        percent = "–" if row["percent"] is None else f"{row['percent']:.1f}"
        cells = [shown(lab, row) for lab in labs]
        ending = [f"{row['points']:g}", f"{row['of']:g}", percent, str(len(row["missing"]) or "")]
        ending += [str(row["days_left"])] if about["late_days"] else []
        found.append([row["name"] or row["student"], *cells, *ending])
    return found


def headline(about, rows):
    percents = [row["percent"] for row in rows if row["percent"] is not None]
    name = " · ".join(filter(None, (about["title"], about["term"]))) or "the term"
    if not percents:
        return f"{name}: {len(rows)} students, nothing counts yet"
    middle = f"mean {sum(percents) / len(percents):.1f} %, median {stats.middle(percents):.1f} %"
    return f"{name}: {len(rows)} students, {len(percents)} with points; {middle}"


def behind(rows):
    """Lines on who has not handed in what is due, those who miss most first."""
    late = sorted((row for row in rows if row["missing"]), key=lambda row: -len(row["missing"]))
    return [f"{row['name'] or row['student']}: {', '.join(lab[:2] for lab in row['missing'])}" for row in late]


def as_csv(about, rows):
    labs = list(about["labs"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    free = ["free_days_left"] if about["late_days"] else []
    writer.writerow(["student", "name", "email", *labs, "points", "of", "percent", "dropped", "missing", *free])
    for row in rows:
        cells = [{"excused": "EX"}.get(row["cells"][lab]["state"], row["cells"][lab]["points"]) for lab in labs]
        line = [row["student"], row["name"], row["email"], *cells, row["points"], row["of"], row["percent"]]
        line += [" ".join(row["dropped"]), " ".join(row["missing"]), *([row["days_left"]] if free else [])]
        writer.writerow(map(page.neutral, line))
    return out.getvalue()


def as_html(about, rows):
    labs, name = begun(about, rows), headline(about, rows)
    columns = columns_of(about, labs)
    percents = [row["percent"] for row in rows if row["percent"] is not None]
    spread = [[f"{10 * k}–{10 * k + 10} %", "█" * n, str(n)] for k, n in enumerate(stats.bars(percents))]
    late = "".join(f"<li>{page.escape(line)}</li>" for line in behind(rows)) or "<li>nobody</li>"
    body = [
        f"<h1>{page.escape(name)}</h1>",
        page.table(columns, lines_of(about, rows, labs), numeric=columns[1:]),
        f'<p class="soft">{LEGEND}</p><h2>Distribution</h2>',
        page.table(["percent", "students", "number"], spread, numeric=["number"]),
        f"<h2>Behind</h2><ul>{late}</ul>",
    ]
    return page.page(name, "\n".join(body))


def filled(path, kind, about, scale, skip_unmatched):
    """(bytes, notes) of the LMS's file with the columns of all labs that it has and that somebody has a grade in."""
    read = sheet.read(path)
    if kind == "moodle" and sheet.of_worksheet(read):
        raise store.StoreError(f"{path} is the worksheet of one assignment: `course export LAB --to moodle` fills it")
    data, notes, done = Path(path).read_bytes(), [], 0
    with tempfile.TemporaryDirectory() as folder:
        for lab in about["labs"]:
            rows, file = about["books"][lab], Path(folder, Path(path).name)
            if not any(row["final"] is not None for row in rows):
                continue
            try:
                sheet.find_column(read, lab, kind)
            except store.StoreError as error:
                notes.append(f"left out, {error}")
                continue
            file.write_bytes(data)
            data, said = worksheet.fill(file, lab, kind, rows, None, scale, skip_unmatched)
            notes += said
            done += 1
    if not done:
        raise store.StoreError(f"{path}: no lab's column to fill: {'; '.join(notes) or 'nobody has a grade yet'}")
    return data, notes


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course gradebook", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--html", metavar="FILE", help="the term as a page")
    parser.add_argument("--to", choices=["csv", "canvas", "moodle"], help="a file in place of the table")
    parser.add_argument("--into", metavar="FILE", help="canvas, moodle: your own export, which is read and not changed")
    parser.add_argument("--scale", action="store_true", help="canvas, moodle: convert to what a column is out of")
    parser.add_argument(
        "--skip-unmatched", action="store_true", help="canvas, moodle: leave out students who are not in the file"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write (default: standard output)")
    options = parser.parse_args(argv)
    if bool(options.into) != (options.to in ("canvas", "moodle")):
        raise store.StoreError("--into FILE, your own export, goes with --to canvas and --to moodle, and with no other")
    if options.output and options.into and Path(options.output).resolve() == Path(options.into).resolve():
        raise store.StoreError("-o is the file of --into: give another name, so that your own export stays")
    about, rows = term.standings()
    if not rows:
        raise store.StoreError("no roster.csv and no submissions here: run `course collect LAB FILES…` first")
    if options.html:
        store.write_private(options.html, as_html(about, rows).encode())
        print(f"{options.html} is written.", file=sys.stderr)
    if options.to:
        data, notes = as_csv(about, rows).encode(), []
        if options.into:
            data, notes = filled(options.into, options.to, about, options.scale, options.skip_unmatched)
        store.write_or_print(options.output, data)
        print("\n".join(notes), end="\n" * bool(notes), file=sys.stderr)
    elif not options.html:
        show(about, rows)
    return 0


def show(about, rows):
    """The table in the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, labs = Console(), begun(about, rows)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns_of(about, labs):
        table.add_column(column, justify="left" if column == "student" else "right")
    for line in lines_of(about, rows, labs):
        table.add_row(*(Text(page.visible(text, 60)) for text in line))
    console.print(Text(headline(about, rows)))
    console.print(table)
    console.print(LEGEND, highlight=False)
    percents = [row["percent"] for row in rows if row["percent"] is not None]
    counts = stats.bars(percents)
    for k, n in enumerate(counts if percents else []):
        console.print(f"{10 * k:3}–{10 * k + 10:3} % {'█' * round(40 * n / max(counts))} {n}", highlight=False)
    for line in behind(rows):
        console.print(Text(f"behind: {line}"))
