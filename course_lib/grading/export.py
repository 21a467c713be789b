"""`course export LAB --to csv`: one row a student, safe to open in a spreadsheet."""

import argparse
import csv
import io
import sys

from course_lib.grading import store


def neutral(value):
    """A cell that no spreadsheet takes for a formula. Numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return value
    text = " ".join(str(value).split())
    return "'" + text if text.lstrip("'\"")[:1] in ("=", "+", "-", "@", "|", "%", "\t") else text


def rows_of(lab, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """[{column: value}] of the latest submissions; score is empty, never 0, where there is no grade."""
    spec, rows = store.spec_sha(lab), []
    for student, sha, _, meta in store.latest(lab, submitted):
        result = store.read_result(store.result_path(lab, student, sha, spec, grades))
        score, most, pending = store.totals(result)
        row = {"student": student, "lab": lab, "score": score, "max": most, "percent": round(100 * score / most, 2) if most else None, "to_review": pending}
        row |= {"status": result["status"] if result else "not graded", "reason": (result or {}).get("reason", "")}
        for question in (result or {}).get("questions", []):
            row[question["id"]] = question["score"]
        row["flags"] = "; ".join(sorted({f["kind"] for f in (result or {}).get("flags", [])}))
        row |= {"notes": "; ".join(meta.get("notes", [])), "submission": sha, "spec": spec}
        rows.append(row)
    return rows


def to_csv(lab, grades=store.GRADES, submitted=store.SUBMISSIONS):
    """The CSV text. StoreError where nothing was collected."""
    rows = rows_of(lab, grades, submitted)
    if not rows:
        raise store.StoreError(f"no submissions of {lab}: run `course collect {lab} FILES…` first")
    fixed = ["student", "lab", "score", "max", "percent", "to_review", "status", "reason"]
    last = ["flags", "notes", "submission", "spec"]
    questions = list(dict.fromkeys(k for row in rows for k in row if k not in fixed + last))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fixed + questions + last)
    for row in rows:
        writer.writerow([neutral(row.get(c)) for c in fixed + questions + last])
    return out.getvalue()


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course export", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("--to", choices=["csv"], default="csv")
    parser.add_argument("-o", "--output", help="file to write (default: standard output)")
    arguments = parser.parse_args(argv)
    text = to_csv(arguments.lab)
    if arguments.output:
        store.write_atomic(arguments.output, text.encode())
    else:
        sys.stdout.write(text)
    return 0
