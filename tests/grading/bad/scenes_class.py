"""Rows about a whole class and what happens to the grader: late policy, marks, kills, full disks, two hosts, faulty
questions. As scenes.py.
"""

import csv
import datetime
import io
import os
import signal
import subprocess
import sys
import time

import classroom
from bad import run
from bad.host import nobody_sleeps, trouble
from bad.make import SMALL, book, function


def filed(place, student, received, score, lab=SMALL):
    """A graded submission on disk with this server time and these points of `surprise`."""
    from course_lib.grading.records import store

    folder = classroom.hand_in(place, student, book(after=[f"x = {received}"]), lab=lab)
    store.write_json(
        folder / "meta.json",
        {
            "student": student,
            "received": received,
            "received_from": "gradescope",
            "late": None,
            "notes": [],
            "clock": "2030-01-01",
        },
    )
    question = {
        "id": "surprise",
        "score": score,
        "max": 1.0,
        "status": "pass" if score == 1 else "fail",
        "cases": [],
        "message": "",
    }
    result = {
        "schema": store.SCHEMA,
        "lab": lab,
        "student": student,
        "submission_sha": folder.name,
        "spec_sha": store.spec_sha(lab),
    }
    result |= {"status": "graded", "questions": [question], "flags": []}
    store.write_json(
        store.result_path(lab, student, folder.name, store.spec_sha(lab), place / "grades"), store.validate(result)
    )


def late(place, start):
    """The server's clock decides, the best or the last attempt as the policy says, extensions hold, and the table says
    why.
    """
    from course_lib.grading.lms import export
    from course_lib.grading.people import gradebook

    deadline = datetime.datetime(2026, 11, 20, 18, 0, tzinfo=datetime.UTC).timestamp()
    (place / "policy.yaml").write_text(
        "timezone: UTC\ngrace_minutes: 10\npercent_a_day: 10\nmax_days: 3\ncounts: best\nlabs:\n  00_start_here: "
        "{deadline: 2026-11-20 18:00, extensions: {cy: 3}}\n"
    )
    attempts = [
        ("ann", -60, 1.0),
        ("bob", 300, 1.0),
        ("cy", 3600, 1.0),
        ("di", 90_000, 1.0),
        ("ed", 30 * 86_400, 1.0),
    ]  # seconds after the deadline, points
    attempts += [("flo", -60, 0.5), ("flo", 3600, 1.0), ("gus", -60, 0.95), ("gus", 3600, 1.0)]
    for student, after, score in attempts:
        filed(place, student, deadline + after, score)
    rows = {r["student"]: r for r in gradebook.rows(SMALL, place / "grades", place / "submissions")}
    finals = {s: round(r["final"], 3) for s, r in rows.items()}
    table = list(csv.DictReader(io.StringIO(export.to_csv(SMALL, place / "grades", place / "submissions"))))
    expected = {"ann": 1.0, "bob": 1.0, "cy": 1.0, "di": 0.8, "ed": 0.0, "flo": 0.9, "gus": 0.95}
    return trouble(
        (finals == expected, f"{finals}, expected {expected}"),
        (all(row["reason"] for row in table if row["student"] in ("di", "ed", "flo")), "no reason in the table"),
    )


def regrade_keeps_marks(place, start):
    """A question is mended after marks were given: the marks stay, and the result of the older questions is still
    there.
    """
    from course_lib.grading.people import gradebook
    from course_lib.grading.records import marks, store

    result = run.grade(place, "ann", book(written={"written_1": "Because."}), SMALL, start)
    marks.append(
        SMALL,
        {
            "student": "ann",
            "submission_sha": result["submission_sha"],
            "question": "written_1",
            "score": 0.25,
            "comment": "good",
            "by": "x",
            "at": 1.0,
        },
        place / "grades",
    )
    before = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]
    true, store.spec_sha = store.spec_sha, lambda lab: "f" * 16
    try:
        folder = next((place / "submissions" / SMALL / "ann").iterdir())
        run.grade_folder(place, "ann", folder, SMALL, start)
        after = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]
    finally:
        store.spec_sha = true
    kept = sorted(p.name for p in (place / "grades" / SMALL / "ann" / folder.name).glob("*.json"))
    return trouble(
        (before["score"] == after["score"] == 1.75, f"{before['score']} before, {after['score']} after, 1.75 deserved"),
        (len(kept) == 2 and "f" * 16 + ".json" in kept, f"the older result is gone: {kept}"),
    )


def killed_grader(place, start):
    """kill -9 of the whole grader, then the same command: every submission graded once, nothing lost, nothing doubled,
    no sandbox left.
    """
    from course_lib.grading.records import store

    child = "import os\nif os.fork() == 0:\n    os.execvp('sleep', ['sleep', '471233'])"
    for n in range(3):
        classroom.hand_in(place, f"s{n}", book(after=[f"x = {n}", child][: 1 + (n > 0)]), lab=SMALL)
    command = [sys.executable, "-m", "course_lib.cli", "grade", SMALL, "-j", "1"]
    grader = subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    results = lambda: {p: p.stat().st_mtime_ns for p in (place / "grades" / SMALL).glob("*/*/*.json")}
    while not results() and grader.poll() is None:
        time.sleep(0.02)
    os.killpg(grader.pid, signal.SIGKILL)
    grader.wait()
    before = results()
    fine = all(store.read_result(p) for p in before)
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    after = results()
    scores = sorted(store.totals(store.read_result(p))[0] for p in after)
    return trouble(
        (fine, "a result is half written"),
        (done.returncode == 0, done.stderr[-300:]),
        (len(after) == 3 and scores == [1.5] * 3, f"{scores}"),
        (all(after[p] == t for p, t in before.items()), "a result was written twice"),
        (not nobody_sleeps(), "a student's process outlived the grader"),
    )


def disk_full(place, start):
    """No room for the result: the old one stays, the word is infra_error or one line, never a 0."""
    from course_lib.grading.records import store

    folder = classroom.hand_in(place, "ann", book(), lab=SMALL)
    true = store.write_atomic

    def full(path, data):
        if run.Path(path).parent.name == folder.name:
            raise OSError(28, "No space left on device")
        true(path, data)

    store.write_atomic, said = full, ""
    try:
        run.grade_folder(place, "ann", folder, SMALL, start)
    except (OSError, store.StoreError) as error:
        said = str(error)
    finally:
        store.write_atomic = true
    nothing = not list((place / "grades").glob(f"{SMALL}/*/*/*.json"))
    again = run.grade_folder(place, "ann", folder, SMALL, start)
    return trouble(
        ("No space" in said, "a full disk went unnoticed"),
        (nothing, "something was written"),
        (store.totals(again)[0] == 1.5, "the next run did not grade it"),
    )


def no_sandbox(place, start):
    """The sandbox does not start: infra_error, which is graded again, and no score."""
    from course_lib.grading.records import store

    def broken():
        raise OSError("bwrap: no namespaces")

    folder = classroom.hand_in(place, "ann", book(), lab=SMALL)
    first = run.grade_folder(place, "ann", folder, SMALL, broken)
    again = run.grade_folder(place, "ann", folder, SMALL, start)
    said = first["status"] == "infra_error" and store.totals(first)[0] is None and "no namespaces" in first["reason"]
    return trouble((said, str(first)[:300]), (store.totals(again)[0] == 1.5, "it was not graded again"))


def two_hosts(place, start):
    """One submission graded on two machines at once: the first valid result stays, and the second is the same but for
    its times.
    """
    from course_lib.grading.records import store

    folder = classroom.hand_in(
        place, "ann", book({"surprise": function("surprise", "return float(sum(x))")}), lab=SMALL
    )
    first = run.grade_folder(place, "ann", folder, SMALL, start)
    path = store.result_path(SMALL, "ann", folder.name, store.spec_sha(SMALL), place / "grades")
    path.rename(place / "first.json")
    second = run.grade_folder(place, "ann", folder, SMALL, None)
    store.write_json(path, first)
    kept = store.keep_result(path, {**second, "host": "elsewhere"})
    bare = lambda r: [(q["id"], q["score"], [(c["status"], c["message"]) for c in q["cases"]]) for q in r["questions"]]
    return trouble(
        (bare(first) == bare(second), f"{bare(first)} here, {bare(second)} there"[:500]),
        (
            kept["host"] == first["host"] == store.read_result(path)["host"],
            "the second result took the place of the first",
        ),
    )


def impossible_points(place, start):
    """Points that cannot be, by a fault in the questions: said, and no grade is written."""
    from course_lib.grading.records import store
    from course_lib.questions import core

    asked, found = next(q for q in core.questions_of(SMALL) if q.id == "surprise"), []
    for n, points in enumerate((float("nan"), -1.0, float("inf"))):
        true, asked.points, said = asked.points, points, ""
        try:
            result = run.grade(place, f"s{n}", book(), SMALL, start)
            said = result["status"] == "infra_error" and result["reason"]
        except (store.StoreError, ValueError) as error:
            said = str(error)
        finally:
            asked.points = true
        results = [store.read_result(p) for p in (place / "grades" / SMALL / f"s{n}").glob("*/*.json")]
        found.append(
            (
                said and all(r is None or not r["questions"] for r in results),
                f"{points} points: {said!r}, {results}"[:300],
            )
        )
    for score in (1.5, -0.1, float("nan"), float("inf"), "1", True and [1]):
        question = {"id": "surprise", "score": score, "max": 1.0, "status": "pass", "cases": []}
        bad = {
            "schema": store.SCHEMA,
            "lab": SMALL,
            "student": "a",
            "submission_sha": "a" * 16,
            "spec_sha": "b" * 16,
            "status": "graded",
            "questions": [question],
            "flags": [],
        }
        try:
            store.validate(bad)
            found.append((False, f"a score of {score} of 1 is taken"))
        except store.StoreError:
            pass
    return trouble(*found)
