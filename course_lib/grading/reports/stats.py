"""`course stats LAB`: how a class did.

Totals, each question's pass rate with its interval, discrimination, the commonest mistake and error, and what grading
cost in seconds.
"""

import argparse
import base64
import io
import math
from collections import Counter
from pathlib import Path

from course_lib.evaluation.intervals import wilson
from course_lib.grading.records import store
from course_lib.grading.reports import page, phrases
from course_lib.platform import counted, write_atomic


def correlation(a, b):
    """Pearson's r of two equally long lists; None where one of them does not vary or there are fewer than 3."""
    n = len(a)
    if n < 3:
        return None
    x, y = [v - sum(a) / n for v in a], [v - sum(b) / n for v in b]
    spread = math.sqrt(sum(v * v for v in x) * sum(v * v for v in y))
    return sum(p * q for p, q in zip(x, y)) / spread if spread > 1e-12 else None


def summary(lab, rows):
    """{"students", "graded", "without" (no grade: status → count), "totals" [percent of each], "mean", "median"
    (percent), "seconds" (median of a submission), "adjusted" {question or "the whole lab": students whom a person has
    given these points}, "questions": [a dict each, see per_question]}.

    rows: of page.rows_of. Who has no grade, or is excused, counts nowhere but in "without"; whoever has one from a
    person counts with it."""
    graded = [row for row in rows if row["score"] is not None]
    totals = sorted(100 * row["score"] / row["max"] for row in graded if row["max"])
    read = [row for row in graded if row["result"] and row["result"]["questions"]]
    names = list(dict.fromkeys(q["id"] for row in read for q in row["result"]["questions"]))
    seconds = sorted(row["result"]["seconds"] for row in read if "seconds" in row["result"])
    return {
        "students": len(rows),
        "graded": len(graded),
        "without": dict(Counter(row["status"] for row in rows if row not in graded)),
        "totals": totals,
        "mean": sum(totals) / len(totals) if totals else None,
        "median": middle(totals),
        "seconds": middle(seconds),
        "adjusted": dict(Counter(question or "the whole lab" for row in rows for question in row["adjusted"])),
        "questions": [per_question(lab, name, read) for name in names],
    }


def middle(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2 if values else None


def per_question(lab, name, graded):
    """{"id", "max", "scored" (with a score), "to_read", "passed" (full points), "low", "high" (95 % of the pass rate,
    None without scores), "mean" (percent of the points), "discrimination" (r of the question's points
    with all other points, None where undefined), "statuses" {status: n}, "failing" (name of the case that fails most
    often, how often), "mistakes" [(text, students)], "errors" [(text, students)],
    "seconds" (median of all its cases together), "slowest", "timeouts"}"""
    found = [(row, q) for row in graded for q in row["result"]["questions"] if q["id"] == name]
    scored = [(row, q) for row, q in found if q["score"] is not None]
    excused = sum(q["status"] == "excused" for _, q in found)
    passed, n, most = sum(q["score"] >= q["max"] - 1e-9 for _, q in scored), len(scored), found[0][1]["max"]
    low, high = wilson(passed, n) if n else (None, None)
    bad, mistakes, errors = Counter(), Counter(), Counter()
    for _, q in found:
        for case in q["cases"]:
            if case["status"] not in ("pass", "todo") and not (case["message"] or "").startswith("not run"):
                bad[case["name"]] += 1
        mine, wrong = blamed(lab, q)  # a student counts once for each
        mistakes.update(mine)
        errors.update(wrong)
    failing = bad.most_common(1)
    seconds = [sum(case.get("seconds", 0.0) for case in q["cases"]) for _, q in found if q["cases"]]
    rest = [store.totals(row["result"])[0] - q["score"] for row, q in scored]
    return {
        "id": name,
        "max": most,
        "scored": n,
        "to_read": len(found) - n - excused,
        "passed": passed,
        "low": low,
        "high": high,
        "mean": 100 * sum(q["score"] for _, q in scored) / (n * most) if n and most else None,
        "discrimination": correlation([q["score"] for _, q in scored], rest),
        "statuses": dict(Counter(q["status"] for _, q in found)),
        "failing": failing[0] if failing else None,
        "mistakes": mistakes.most_common(3),
        "errors": errors.most_common(3),
        "seconds": middle(seconds),
        "slowest": max(seconds, default=None),
        "timeouts": sum(any(c["status"] == "timeout" for c in q["cases"]) for _, q in found),
    }


def blamed(lab, question):
    """({named mistakes}, {errors without one}) of one student's question, in words that every student may read."""
    mistakes, errors = set(), set()
    a_model = question["cases"] and question["cases"][0]["name"] in ("the model", "the handed-in model")
    for case in phrases.explained(question):
        if case.get("mistake") and (named := phrases.known(case["mistake"], lab)):
            mistakes.add(named)
        elif case["status"] != "todo" and not a_model:
            errors.add(phrases.reduced(case["status"], case["message"] or "", lab))
    return mistakes, errors


# r: discrimination; stopped: students with a call that was stopped at its time limit;
# s: seconds of a question's cases, median
COLUMNS = ("question", "passed", "%", "95 %", "mean %", "r", "todo", "stopped", "s", "max s", "most common")


def lines_of(found):
    """[texts] for COLUMNS, a row a question."""
    number = lambda value, digits=0: "–" if value is None else f"{value:.{digits}f}"
    lines = []
    for q in found["questions"]:
        share = 100 * q["passed"] / q["scored"] if q["scored"] else None
        interval = "–" if q["low"] is None else f"{100 * q['low']:.0f}–{100 * q['high']:.0f}"
        common = max(q["mistakes"] + q["errors"], key=lambda pair: pair[1], default=None)
        told = f"{common[1]} × {common[0]}" if common else f"{q['to_read']} to be read" if q["to_read"] else ""
        lines.append(
            [
                q["id"],
                f"{q['passed']}/{q['scored']}",
                number(share),
                interval,
                number(q["mean"]),
                number(q["discrimination"], 2),
                str(q["statuses"].get("todo", 0)),
                str(q["timeouts"]),
                number(q["seconds"], 2),
                number(q["slowest"], 2),
                told,
            ]
        )
    return lines


def headline(lab, found):
    if not found["totals"]:
        return f"{lab}: {counted(found['students'], 'submission')}, none with points yet"
    without = "".join(f", {n} {status}" for status, n in found["without"].items())
    by_hand = ", ".join(f"{n} × {question}" for question, n in found["adjusted"].items())
    adjusted = f", adjusted by a person: {by_hand}" if by_hand else ""
    return (
        f"{lab}: {found['graded']} graded{without}{adjusted}; mean {found['mean']:.1f} %, median "
        f"{found['median']:.1f} %; {found['seconds'] or 0:.1f} s a submission (median)"
    )


def bars(totals):
    """Counts of ten bins of ten percent; 100 % belongs to the last."""
    counts = [0] * 10
    for value in totals:
        counts[min(9, max(0, int(value // 10)))] += 1
    return counts


def figure(lab, found):
    """A matplotlib Figure: the histogram of the totals, and each question's pass rate with its 95 % interval."""
    from matplotlib.figure import Figure

    from course_lib.widgets.palette import BLUE, ORANGE

    asked = [q for q in found["questions"] if q["scored"]]
    fig = Figure(figsize=(9, max(3.2, 1.2 + 0.34 * len(asked))), layout="constrained")
    left, right = fig.subplots(1, 2)
    left.bar([10 * k + 5 for k in range(10)], bars(found["totals"]), width=9, color=BLUE)
    left.yaxis.get_major_locator().set_params(integer=True)
    left.set(xlabel="points (%)", ylabel="students", xlim=(0, 100), title="Totals")
    for row, q in enumerate(asked):
        right.plot([100 * q["low"], 100 * q["high"]], [row, row], color=ORANGE, linewidth=1.6)
        right.plot(100 * q["passed"] / q["scored"], row, "o", color=ORANGE)
    right.set_yticks(range(len(asked)), [q["id"] for q in asked])
    right.invert_yaxis()
    right.set(xlabel="students with all points (%), bars: 95 %", xlim=(-3, 103), title="Questions")
    right.grid(alpha=0.25)
    fig.suptitle(lab)
    return fig


def png(fig):
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=110)
    return out.getvalue()


def as_html(lab, found):
    counts = ", ".join(map(str, bars(found["totals"])))
    described = f"Histogram of the totals in bins of ten percent: {counts}; and the pass rates of the table below."
    picture = base64.b64encode(png(figure(lab, found))).decode()
    body = [
        f"<h1>{page.escape(headline(lab, found))}</h1>",
        f'<img alt="{page.escape(described)}" src="data:image/png;base64,{picture}">',
        page.table(COLUMNS, lines_of(found), numeric=COLUMNS[1:-1]),
        '<p class="soft">r: correlation of the question\'s points with all other points. stopped: students with a call '
        "that ran into its time limit. s, max s: seconds of grading a question, median and slowest.</p>",
    ]
    for q in found["questions"]:
        common = "".join(f"<li>{n} × {page.escape(text, 500)}</li>" for text, n in q["mistakes"] + q["errors"])
        if common:
            name, times = q["failing"] or ("", 0)
            failing = f"<p>The case that fails most often ({times} ×): {page.escape(name, 300)}</p>" if times else ""
            body.append(f"<h2>{page.escape(q['id'], 100)}</h2>{failing}<ul>{common}</ul>")
    return page.page(f"{lab}: statistics", "\n".join(body))


def main(argv=None):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    parser = argparse.ArgumentParser(prog="course stats", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument(
        "--html", metavar="FILE", help="a page with the pictures, or the pictures alone where FILE ends with .png"
    )
    arguments = parser.parse_args(argv)
    rows = page.rows_of(arguments.lab, store.GRADES, store.SUBMISSIONS)
    found = summary(arguments.lab, rows)
    if not found["graded"]:
        page.not_graded(arguments.lab, rows)
    console, lines, shown = Console(), lines_of(found), Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    console.print(Text(headline(arguments.lab, found)))
    for column in COLUMNS[:-1]:
        side, number = ("left", False) if column == "question" else ("right", True)
        shown.add_column(column, justify=side, overflow="fold", no_wrap=number)
    for line in lines:
        shown.add_row(*map(Text, line[:-1]))
    console.print(shown)
    for name, *_, common in lines:
        if common:
            console.print(Text(f"{name}: {common}"))
    counts = bars(found["totals"])
    for k, n in enumerate(counts):
        console.print(f"{10 * k:3}–{10 * k + 10:3} % {'█' * round(40 * n / max(counts))} {n}", highlight=False)
    if arguments.html:
        picture = Path(arguments.html).suffix == ".png"
        made = png(figure(arguments.lab, found)) if picture else as_html(arguments.lab, found).encode()
        try:
            write_atomic(arguments.html, made)
        except OSError as error:
            raise store.StoreError(f"cannot write {arguments.html} ({error.strerror})") from None
        console.print(f"{arguments.html} is written.")
    return 0
