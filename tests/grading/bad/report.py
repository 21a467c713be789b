"""Runs the table: `course bench attacks`, and test_bad_submissions.py row by row."""

import contextlib
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [
    p for p in (str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "questions")) if p not in sys.path
]


@contextlib.contextmanager
def sandboxes():
    """The function that starts sandboxes: a zygote's where one can be had, else None, a new one each time."""
    from course_lib.grading.sandbox import doctor

    doctor.require_sandbox()
    with contextlib.ExitStack() as stack:
        try:
            from course_lib.grading.sandbox.zygote import Zygote

            start = stack.enter_context(Zygote()).spawn
        except (OSError, ImportError) as error:
            print(f"no warm start ({error}): a new sandbox for each submission", file=sys.stderr)
            start = None
        yield start


def points_off(bad, seen):
    """(undeserved, lost) points of one row. A score where there must be none is undeserved, or, being 0, lost in full:
    it counts as one point.
    """
    got, deserved = seen["points"], bad.points
    if deserved is None:
        return (got or 1.0, 0.0) if got is not None else (0.0, 0.0)
    if got is None:
        return 0.0, deserved
    return max(0.0, round(got - deserved, 6)), max(0.0, round(deserved - got, 6))


def attacks_report(rows=None, say=None):
    """{"as_expected", "total", "fixtures_as_expected", "fixtures", "undeserved_points", "lost_points", "rows"} over the
    table.

    total counts the numbers of the list (1 to 64); a number is as expected when all its rows are. Points are summed
    over all rows, those beyond the list among them. rows: [{"number", "what", "label", "outcome", "points",
    "as_expected", "complaints"}]; say gets a line for each. Raises NoSandbox.
    """
    from bad import table
    from bad.run import complaints, run

    told, undeserved, lost = [], 0.0, 0.0
    with sandboxes() as start:
        for bad in rows if rows is not None else table.ROWS:
            with tempfile.TemporaryDirectory(prefix="bad-", ignore_cleanup_errors=True) as place:
                try:
                    seen = run(bad, place, start)
                    wrong, off = complaints(bad, seen), points_off(bad, seen)
                except Exception as error:  # ours: the row counts as not as expected
                    seen, wrong, off = (
                        {"outcome": "?", "points": None},
                        [f"{type(error).__name__}: {error}"[:500]],
                        (0.0, bad.points or 0.0),
                    )
            undeserved, lost = undeserved + off[0], lost + off[1]
            row = {"number": bad.number, "what": table.NUMBERS[bad.number], "label": bad.label, "outcome": bad.outcome}
            told.append(row | {"points": seen["points"], "as_expected": not wrong, "complaints": wrong})
            if say:
                say(
                    f"{'ok ' if not wrong else 'BAD'} {bad.number:2} {table.NUMBERS[bad.number]}: {bad.label}"
                    + "".join(f"; {w[:900]}" for w in wrong)
                )
    listed = range(1, 65) if rows is None else sorted({r["number"] for r in told})
    fine = [
        n
        for n in listed
        if any(r["number"] == n for r in told) and all(r["as_expected"] for r in told if r["number"] == n)
    ]
    counts = {
        "as_expected": len(fine),
        "total": len(listed),
        "fixtures_as_expected": sum(r["as_expected"] for r in told),
        "fixtures": len(told),
    }
    return counts | {"undeserved_points": round(undeserved, 6), "lost_points": round(lost, 6), "rows": told}


if __name__ == "__main__":  # python tests/grading/bad/report.py [NUMBER…]
    from bad import table

    wanted = [int(a) for a in sys.argv[1:]]
    counts = attacks_report(
        [b for b in table.ROWS if b.number in wanted] if wanted else None, lambda line: print(line, flush=True)
    )
    print({k: v for k, v in counts.items() if k != "rows"})
