"""Runs the table: `course bench attacks`, and test_bad_submissions.py row by row."""

import contextlib
import datetime
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [
    p for p in (str(Path(__file__).parents[1]), str(ROOT / "tests" / "questions"), str(ROOT)) if p not in sys.path
]

HONEST = ("00_start_here", "01_data_and_tokenizer", "02_pretraining")  # labs of the honest sample
CONCEDED = 80  # the number of what INSTRUCTORS.md concedes


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


def seed_of_the_day():
    return int(datetime.date.today().strftime("%Y%m%d"))


def points_off(bad, seen):
    """(undeserved, lost) points of one row. A score where there must be none is undeserved, or, being 0, lost in full:
    it counts as one point.
    """
    from bad.run import wanted

    got, deserved = seen["points"], bad.points
    if bad.any_points and not bad.conceded:
        return 0.0, 0.0
    if got is None and "U" in wanted(bad):
        return 0.0, 0.0
    if deserved is None:
        return (got or 1.0, 0.0) if got is not None else (0.0, 0.0)
    if got is None:
        return 0.0, deserved
    return max(0.0, round(got - deserved, 6)), max(0.0, round(deserved - got, 6))


def played(bad, place, start):
    """What came of one row: {"seen", "complaints", "leaks", "false_status", "undeserved", "lost"}."""
    from bad import leaks
    from bad.run import complaints, false_outcome, false_statuses, run

    try:
        if not bad.scene:
            leaks.another_student(Path(place))
        seen = run(bad, place, start)
        leaked = [] if bad.scene else leaks.leaked(Path(place), bad.lab)
    except Exception as error:  # ours: the row counts as not as expected
        told = [f"{type(error).__name__}: {error}"[:500]]
        seen = {"outcome": "?", "points": None, "flags": set(), "statuses": {}, "text": "", "trouble": []}
        return {"seen": seen, "complaints": told, "leaks": [], "false_status": 1, "off": (0.0, bad.points or 0.0)}
    false = bool(false_outcome(bad, seen)) + len(false_statuses(bad, seen))
    return {
        "seen": seen,
        "complaints": complaints(bad, seen) + leaked,
        "leaks": leaked,
        "false_status": false,
        "off": points_off(bad, seen),
    }


def honest_sample(seed, labs=HONEST):
    """(notebooks, flagged, points lost, lines) of a drawn part of `course bench honest`: each lab with all that people
    put around, in a drawn order of the styles.
    """
    from course_lib.bench import honest

    arounds = list(honest.AROUND)
    random.Random(seed).shuffle(arounds)
    figures, said = honest.survey(honest.corpus(labs, arounds))
    return figures["notebooks"], figures["flagged"], figures["lost_points"], said


def attacks_report(rows=None, say=None, seed=None, sample=True):
    """The figures over the table: fixed rows, and those drawn from the seed (default: that of the day).

    total counts variants, kinds the numbers of the list; points are summed over all rows but those that INSTRUCTORS.md
    concedes, which are counted by themselves and must be flagged. leaks: in what goes back to students. false_status: a
    status that is another than the row's. worst_cpu_s: of the trusted side, for one submission of at most 1 MB. rows:
    [{"number", "what", "label", "outcome", "points", "as_expected", "complaints"}]; say gets a line for each. Raises
    NoSandbox.
    """
    from bad import draws, run, table

    seed = seed_of_the_day() if seed is None else seed
    listed, told, began = rows if rows is not None else draws.rows(seed), [], time.monotonic()
    keys = (
        "undeserved_points",
        "lost_points",
        "leaks",
        "false_status",
        "flagged_honest",
        "conceded",
        "conceded_points",
    )
    sums = dict.fromkeys(keys, 0)
    run.COSTS.clear()
    with sandboxes() as start:
        for done, bad in enumerate(listed, 1):
            with tempfile.TemporaryDirectory(prefix="bad-", ignore_cleanup_errors=True) as place:
                got = played(bad, place, start)
            undeserved, lost = got["off"]
            sums["conceded_points" if bad.conceded else "undeserved_points"] += undeserved
            sums["conceded"] += bad.conceded
            sums["lost_points"] += lost
            sums["leaks"] += len(got["leaks"])
            sums["false_status"] += got["false_status"]
            sums["flagged_honest"] += run.flagged_honest(bad, got["seen"])
            row = {"number": bad.number, "what": table.NUMBERS[bad.number], "label": bad.label, "outcome": bad.outcome}
            wrong = got["complaints"]
            told.append(row | {"points": got["seen"]["points"], "as_expected": not wrong, "complaints": wrong})
            left = int((time.monotonic() - began) / done * (len(listed) - done))
            if say:
                shown = bad.label.encode("unicode_escape").decode()[:150]
                say(
                    f"{'ok ' if not wrong else 'BAD'} {done}/{len(listed)}, {left // 60}:{left % 60:02} left, "
                    f"{bad.number:2} {row['what']}: {shown}" + "".join(f"; {w[:900]}" for w in wrong)
                )
    counts = {"as_expected": sum(r["as_expected"] for r in told), "total": len(told)}
    counts |= {"kinds": len({r["number"] for r in told}), "seed": seed}
    if sample:
        notebooks, flagged, lost, said = honest_sample(seed)
        sums["flagged_honest"] += flagged
        sums["lost_points"] += lost
        counts["honest_sample"] = notebooks
        for line in said if say else ():
            say(f"BAD honest sample: {line}")
    small = [cost for size, cost in run.COSTS if size <= 2**20]
    counts |= {key: round(value, 6) for key, value in sums.items()}
    counts |= {"worst_cpu_s": round(max(small, default=0.0), 2), "measured": len(small)}
    return counts | {"minutes": round((time.monotonic() - began) / 60, 1), "rows": told}


if __name__ == "__main__":  # python tests/grading/bad/report.py [--seed N] [NUMBER…]
    from bad import draws

    words = sys.argv[1:]
    day = int(words.pop(words.index("--seed") + 1)) if "--seed" in words else seed_of_the_day()
    wanted = [int(word) for word in words if word != "--seed"]
    listed = draws.rows(day, wanted) if wanted else None
    counts = attacks_report(listed, lambda line: print(line, flush=True), day, sample=not wanted)
    print({k: v for k, v in counts.items() if k != "rows"})
