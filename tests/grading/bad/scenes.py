"""Rows that are more than one submission graded once: each scene plays it and returns what came of it (keys as run.seen_in, those left out are as if all was well)."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from bad import run
from bad.make import LARGE, SMALL, Bad, Handed, book, function, outputs, stub

FREE = shutil.disk_usage("/").free


def trouble(*found):
    """A scene's outcome out of [(fine, what is wrong if not)]."""
    return {"outcome": "G", "trouble": [words for fine, words in found if not fine]}


# ---- what must be true of the host afterwards ------------------------------------------------------------------------


def disk_is_free():
    return None if FREE - shutil.disk_usage("/").free < 2**30 else "the host's disk has a gigabyte less"


def command_lines():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                yield file.read()
        except OSError:
            pass


def nobody_sleeps():
    for _ in range(20):
        if not any(b"471233" in line for line in command_lines()):
            return None
        time.sleep(0.1)
    return "a process outlived its job"


def nothing_written():
    here = [p for p in ("gradebook.db", "results.json", "results", "marks.jsonl", "grades/00_start_here/eve") if os.path.exists(p) or os.path.exists("/" + p)]
    return f"written on the host: {here}" if here else None


# ---- one student ------------------------------------------------------------------------------------------------------


def hard_coded(place):
    """The public inputs' answers in a table: passes every check in the notebook."""
    from course_lib.questions import core

    question = next(q for q in core.questions_of(SMALL) if q.id == "surprise")
    table, right = {}, {}
    exec(run.classroom.right_answers(SMALL)["surprise"], right)

    def recorder(options):
        table[str(options)] = right["surprise"](options)
        return table[str(options)]

    assert core.run(question, core.LocalCaller({"surprise": recorder})).status == "pass"
    text = book({"surprise": f"TABLE = {table!r}\ndef surprise(options):\n    return TABLE.get(str(options), 0.0)"})
    return outputs(text, surprise="✓ surprise: passed, 0.75 of 0.75 points", entropy="✓ entropy: passed, 0.75 of 0.75 points")


def exfiltrates(place):
    """Hidden inputs in an exception and in what is printed: they are other ones for each submission, and the page that the student gets has none of them."""
    from course_lib.grading import feedback

    body = "print('HIDDEN', [17 * n for n in x])\nraise ValueError('INPUT ' + '_'.join(str(n) for n in x) + ' END')"
    results = [run.grade(place, "eve", book({"surprise": function("surprise", body)}, after=[f"x = {n}"]), SMALL, spawn.now) for n in range(2)]
    told = [json.dumps(r) for r in results]
    inputs = [text[text.index("INPUT") : text.index("END")] for text in told]
    feedback.write(SMALL, place / "pages", True, place / "grades", place / "submissions")
    pages = "".join(p.read_text() for p in (place / "pages").iterdir())
    return trouble((inputs[0] != inputs[1], "two submissions have the same hidden inputs"), ("INPUT" not in pages and "HIDDEN" not in pages and inputs[1][6:-1] not in pages, "hidden inputs stand in the feedback"), ("ValueError" in pages, "the page does not say what happened"))


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def html_in_feedback(place):
    """HTML in the name, in a cell's error and output, in the written answer."""
    from course_lib.grading import feedback

    text = book({"surprise": function("surprise", f"raise ValueError({EVIL!r})")}, before=[f"print({EVIL!r})\nraise ValueError({EVIL!r})"], written={"written_1": EVIL + "$" + "\\frac{" * 3000, "written_2": "![x](data:image/svg+xml;base64," + "A" * 500_000 + ")"})
    run.grade(place, "eve", text, SMALL, spawn.now)
    feedback.write(SMALL, place / "pages", True, place / "grades", place / "submissions")
    pages = [p.read_text() for p in (place / "pages").glob("*.html")]
    return trouble((len(pages) == 1, "no page"), (all("<script>" not in p and "<img" not in p for p in pages), "HTML of the student stands in the page"), (all(len(p) < 300_000 for p in pages), "the page is not capped"), ("&lt;script&gt;" in pages[0], "what the student wrote is not shown"))


def html_in_review(place):
    """The same in the page for the marker: its data reach it as JSON and are set as text."""
    import threading
    import urllib.request

    from course_lib.grading import review

    run.grade(place, "eve", book(written={"written_1": EVIL, "written_2": "</script>" + EVIL}), SMALL, spawn.now)
    server, address = review.server(SMALL, 0, False, place / "grades", place / "submissions")[:2]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with urllib.request.urlopen(address, timeout=20) as reply:
            page, kind = reply.read().decode(), reply.headers["Content-Type"]
            policy = reply.headers.get("Content-Security-Policy", "") + page
    finally:
        server.shutdown()
        server.server_close()
    return trouble(("html" in kind, "no page"), ("<script>alert" not in page and "<img src=x" not in page, "HTML of the student stands in the page"), ("Content-Security-Policy" in policy or "default-src" in policy, "no content security policy"))


def csv_injection(place):
    """Formulas in a student's name and in the notes."""
    from course_lib.grading import export, store

    for name in ("=HYPERLINK(1)", "+1", "-2", "@x", 'Ann, "A"\nB', "\t=1+1"):
        folder = place / "submissions" / SMALL / store.safe_name(name) / ("a" * 16)
        store.write_json(folder / "meta.json", {"received": 1, "notes": [name], "name": name, "email": name})
    rows = list(csv.DictReader(io.StringIO(export.to_csv(SMALL, place / "grades", place / "submissions"))))
    cells = [v for row in rows for v in row.values() if v]
    return trouble((len(rows) == 6, "rows are lost"), (not any(c.strip()[:1] in "=+-@" for c in cells), "a cell is a formula"), (all(not row["score"] and not row["final"] for row in rows), "a score without a grade"))


def drift(place):
    """A model's weights off by what another machine's arithmetic gives move its points by less than a hundredth; the curve has no step."""
    import torch
    from safetensors.torch import load_file, save_file

    from course_lib.questions import core
    from course_lib.questions import lab02_pretraining as questions

    (place / "near").mkdir()
    source = run.Path(core.__file__).parents[1] / "shipped" / "pretrain" / "model.safetensors"
    from safetensors import safe_open

    with safe_open(source, "pt") as file:
        record = file.metadata()
    generator = torch.Generator().manual_seed(0)
    weights = {n: (t.float() * (1 + 1e-4 * torch.randn(t.shape, generator=generator))).to(t.dtype) for n, t in load_file(source).items()}
    save_file(weights, place / "near" / "model.safetensors", record)
    gaps = [questions.score_model(str(folder), "drift", False) for folder in (source.parent, place / "near")]
    steps = [min(1.0, max(0.0, (questions.GAP_ZERO - g / 10) / (questions.GAP_ZERO - questions.GAP_FULL))) for g in range(1000)]
    return trouble((abs(gaps[0][0] - gaps[1][0]) < 0.01, f"the points moved: {gaps}"), (max(abs(a - b) for a, b in zip(steps, steps[1:])) < 0.1, "the curve has a step"))


def same_verdict(place):
    """Noise around the tolerance, sets in another order: the same submission graded three times, each time in a fresh sandbox, has one verdict."""
    body = "import math, random, torch\nimport numpy as np\nnoise = 1e-6 * (random.random() + float(torch.rand(1)) + np.random.rand())\nprint(hash('a'), noise)\nreturn sum(math.log(n) for n in x) * (1 + noise) + 1e-9 * list({'a', 'b', 'c', 'd', 'e'}).index('c')"
    verdicts = []
    for student, start in (("s0", None), ("s1", spawn.now), ("s2", spawn.now)):     # the same content has the same seed, whoever hands it in
        result = run.grade(place, student, book({"surprise": function("surprise", body)}), SMALL, start)
        verdicts.append((result["log_tail"], [(c["name"], c["status"], c["message"]) for q in result["questions"] for c in q["cases"]]))
    return trouble((verdicts[0] == verdicts[1] == verdicts[2], f"the verdict changed: {verdicts}"[:600]))


def written_answers(place):
    """Nothing written is suggested as 0 and never given as 0; a picture and a very long answer are said to be so."""
    from course_lib.grading import store

    found, words = [], {"": "0 suggested", "YOUR ANSWER HERE": "0 suggested", "![image.png](attachment:image.png)": "only an image", "![x](data:image/png;base64," + "A" * 2_000_000 + ")": "only an image", "word " * 20_000: "cut after", "An answer.": ""}
    for n, (text, said) in enumerate(words.items()):
        result = run.grade(place, f"s{n}", book(written={"written_1": text}), SMALL, spawn.now)
        question = next(q for q in result["questions"] if q["id"] == "written_1")
        found.append((question["score"] is None and question["status"] == "needs_review" and said in question["message"] and bool(said) == bool(question["message"]), f"{text[:20]!r}: {question['status']}, {question['message']!r}"))
        found.append((store.totals(result) == (1.5, 1.5, 0.5), "a written answer was scored by a machine"))
    return trouble(*found)


# ---- the class --------------------------------------------------------------------------------------------------------


def filed(place, student, received, score, lab=SMALL):
    """A graded submission on disk with this server time and these points of `surprise`."""
    from course_lib.grading import store

    folder = run.classroom.hand_in(place, student, book(after=[f"x = {received}"]), lab=lab)
    store.write_json(folder / "meta.json", {"student": student, "received": received, "received_from": "gradescope", "late": None, "notes": [], "clock": "2030-01-01"})
    question = {"id": "surprise", "score": score, "max": 1.0, "status": "pass" if score == 1 else "fail", "cases": [], "message": ""}
    result = {"schema": store.SCHEMA, "lab": lab, "student": student, "submission_sha": folder.name, "spec_sha": store.spec_sha(lab), "status": "graded", "questions": [question], "flags": []}
    store.write_json(store.result_path(lab, student, folder.name, store.spec_sha(lab), place / "grades"), store.validate(result))


def late(place):
    """The server's clock decides, the best or the last attempt as the policy says, extensions hold, and the table says why."""
    import datetime

    from course_lib.grading import export, gradebook

    deadline = datetime.datetime(2026, 11, 20, 18, 0, tzinfo=datetime.UTC).timestamp()
    (place / "policy.yaml").write_text("timezone: UTC\ngrace_minutes: 10\npercent_a_day: 10\nmax_days: 3\ncounts: best\nlabs:\n  00_start_here: {deadline: 2026-11-20 18:00, extensions: {cy: 3}}\n")
    for student, after, score in (("ann", -60, 1.0), ("bob", 300, 1.0), ("cy", 3600, 1.0), ("di", 90_000, 1.0), ("ed", 30 * 86_400, 1.0), ("flo", -60, 0.5), ("flo", 3600, 1.0), ("gus", -60, 0.95), ("gus", 3600, 1.0)):
        filed(place, student, deadline + after, score)
    rows = {r["student"]: r for r in gradebook.rows(SMALL, place / "grades", place / "submissions")}
    finals = {s: round(r["final"], 3) for s, r in rows.items()}
    table = list(csv.DictReader(io.StringIO(export.to_csv(SMALL, place / "grades", place / "submissions"))))
    expected = {"ann": 1.0, "bob": 1.0, "cy": 1.0, "di": 0.8, "ed": 0.0, "flo": 0.9, "gus": 0.95}
    return trouble((finals == expected, f"{finals}, expected {expected}"), (all(row["reason"] for row in table if row["student"] in ("di", "ed", "flo")), "no reason in the table"))


def regrade_keeps_marks(place):
    """A question is mended after marks were given: the marks stay, and the result of the older questions is still there."""
    from course_lib.grading import gradebook, store

    result = run.grade(place, "ann", book(written={"written_1": "Because."}), SMALL, spawn.now)
    store.append_mark(SMALL, {"student": "ann", "submission_sha": result["submission_sha"], "question": "written_1", "score": 0.25, "comment": "good", "by": "x", "at": 1.0}, place / "grades")
    before = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]
    true, store.spec_sha = store.spec_sha, lambda lab: "f" * 16
    try:
        folder = next((place / "submissions" / SMALL / "ann").iterdir())
        run.grade_folder(place, "ann", folder, SMALL, spawn.now)
        after = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]
    finally:
        store.spec_sha = true
    kept = sorted(p.name for p in (place / "grades" / SMALL / "ann" / folder.name).glob("*.json"))
    return trouble((before["score"] == after["score"] == 1.75, f"{before['score']} before, {after['score']} after, 1.75 deserved"), (len(kept) == 2 and "f" * 16 + ".json" in kept, f"the older result is gone: {kept}"))


def killed_grader(place):
    """kill -9 of the whole grader, then the same command: every submission graded once, nothing lost, nothing doubled, no sandbox left."""
    from course_lib.grading import store

    for n in range(3):
        run.classroom.hand_in(place, f"s{n}", book(after=[f"x = {n}", "import os, time\nif os.fork() == 0:\n    os.execvp('sleep', ['sleep', '471233'])"] if n else [f"x = {n}"]), lab=SMALL)
    command = [sys.executable, "-m", "course_lib.cli", "grade", SMALL, "-j", "1"]
    grader = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
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
    return trouble((fine, "a result is half written"), (done.returncode == 0, done.stderr[-300:]), (len(after) == 3 and scores == [1.5] * 3, f"{scores}"), (all(after[p] == t for p, t in before.items()), "a result was written twice"), (not nobody_sleeps(), "a student's process outlived the grader"))


def disk_full(place):
    """No room for the result: the old one stays, the word is infra_error or one line, never a 0."""
    from course_lib.grading import grade_one, store

    folder = run.classroom.hand_in(place, "ann", book(), lab=SMALL)
    true = store.write_atomic

    def full(path, data):
        if run.Path(path).parent.name == folder.name:
            raise OSError(28, "No space left on device")
        true(path, data)

    store.write_atomic, said = full, ""
    try:
        run.grade_folder(place, "ann", folder, SMALL, spawn.now)
    except (OSError, store.StoreError) as error:
        said = str(error)
    finally:
        store.write_atomic = true
    nothing = not list((place / "grades").glob(f"{SMALL}/*/*/*.json"))
    again = run.grade_folder(place, "ann", folder, SMALL, spawn.now)
    return trouble(("No space" in said, "a full disk went unnoticed"), (nothing, "something was written"), (store.totals(again)[0] == 1.5, "the next run did not grade it"), (callable(grade_one.grade_one), ""))


def no_sandbox(place):
    """The sandbox does not start: infra_error, which is graded again, and no score."""
    from course_lib.grading import store

    def broken():
        raise OSError("bwrap: no namespaces")

    folder = run.classroom.hand_in(place, "ann", book(), lab=SMALL)
    first = run.grade_folder(place, "ann", folder, SMALL, broken)
    again = run.grade_folder(place, "ann", folder, SMALL, spawn.now)
    return trouble((first["status"] == "infra_error" and store.totals(first)[0] is None and "no namespaces" in first["reason"], str(first)[:300]), (store.totals(again)[0] == 1.5, "it was not graded again"))


def two_hosts(place):
    """One submission graded on two machines at once: the first valid result stays, and the second is the same but for its times."""
    from course_lib.grading import store

    folder = run.classroom.hand_in(place, "ann", book({"surprise": function("surprise", "return float(sum(x))")}), lab=SMALL)
    first = run.grade_folder(place, "ann", folder, SMALL, spawn.now)
    path = store.result_path(SMALL, "ann", folder.name, store.spec_sha(SMALL), place / "grades")
    path.rename(place / "first.json")
    second = run.grade_folder(place, "ann", folder, SMALL, None)
    store.write_json(path, first)
    kept = store.keep_result(path, {**second, "host": "elsewhere"})
    bare = lambda r: [(q["id"], q["score"], [(c["status"], c["message"]) for c in q["cases"]]) for q in r["questions"]]
    return trouble((bare(first) == bare(second), f"{bare(first)} here, {bare(second)} there"[:500]), (kept["host"] == first["host"] and store.read_result(path)["host"] == first["host"], "the second result took the place of the first"))


def impossible_points(place):
    """Points that cannot be, by a fault in the questions: said, and no grade is written."""
    from course_lib.grading import store
    from course_lib.questions import core

    question, found = next(q for q in core.questions_of(SMALL) if q.id == "surprise"), []
    for n, points in enumerate((float("nan"), -1.0, float("inf"))):
        true, question.points, said = question.points, points, ""
        try:
            result = run.grade(place, f"s{n}", book(), SMALL, spawn.now)
            said = result["status"] == "infra_error" and result["reason"]
        except (store.StoreError, ValueError) as error:
            said = str(error)
        finally:
            question.points = true
        results = [store.read_result(p) for p in (place / "grades" / SMALL / f"s{n}").glob("*/*.json")]
        found.append((said and all(r is None or not r["questions"] for r in results), f"{points} points: {said!r}, {results}"[:300]))
    for score in (1.5, -0.1, float("nan"), float("inf"), "1", True and [1]):
        bad = {"schema": store.SCHEMA, "lab": SMALL, "student": "a", "submission_sha": "a" * 16, "spec_sha": "b" * 16, "status": "graded", "questions": [{"id": "surprise", "score": score, "max": 1.0, "status": "pass", "cases": []}], "flags": []}
        try:
            store.validate(bad)
            found.append((False, f"a score of {score} of 1 is taken"))
        except store.StoreError:
            pass
    return trouble(*found)


class spawn:
    """How the scenes start their sandboxes: set by report.py, None is the cold way."""

    now = None
