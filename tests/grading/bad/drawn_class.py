"""Variants about a class and what happens to the grader (numbers 50 and 60 to 64): each function draws one."""

import csv
import datetime
import io
import json
import os
import random
import signal
import subprocess
import sys
import time

import classroom
from bad import run, scenes_class
from bad.drawn_plain import NAMES, right
from bad.host import nobody_sleeps, trouble
from bad.make import SMALL, Bad, book, function


def scene(number, label, play):
    return Bad(number, label, play, "G", None, scene=True)


def drift(rng):
    """A shipped model's numbers off by what another machine or another dtype makes of them."""
    seed, size, kind = rng.randrange(10**6), 10 ** rng.uniform(-6, -3.7), rng.choice(["relative", "absolute", "one"])

    def play(place, start):
        import torch
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file

        from course_lib.platform import PACKAGE
        from course_lib.questions import lab02_pretraining as questions

        source, generator = PACKAGE / "shipped" / "pretrain" / "model.safetensors", torch.Generator().manual_seed(seed)
        with safe_open(source, "pt") as file:
            record = file.metadata()
        weights = load_file(source)
        for name, tensor in weights.items():
            noise = torch.randn(tensor.shape, generator=generator) * size
            changed = tensor.float() * (1 + noise) if kind == "relative" else tensor.float() + noise * 0.1
            if kind != "one" or name == "model.norm.weight":
                weights[name] = changed.to(tensor.dtype)
        (place / "near").mkdir()
        save_file(weights, place / "near" / "model.safetensors", record)
        mine, theirs = (questions.score_model(str(f), "drift", False)[0] for f in (source.parent, place / "near"))
        return trouble((abs(mine - theirs) < 0.01, f"the points moved: {mine} to {theirs}"))

    return scene(50, f"{kind} noise of {size:.0e}", play)


def late(rng):
    """A drawn policy and drawn times: the final points by a formula of this test's own."""
    percent, days, grace = rng.choice([5, 10, 25, 50]), rng.choice([1, 3, 7]), rng.choice([0, 10, 60])
    cap, counts = rng.choice([100, 60, 30]), rng.choice(["best", "last", "last_on_time"])
    extra = rng.choice([0, 1, 2])
    attempts = sorted((rng.randint(-2 * 86_400, 9 * 86_400), round(rng.random(), 3)) for _ in range(rng.randint(1, 3)))

    def kept(after):
        after -= extra * 86_400 + 0
        if after <= grace * 60:
            return 1.0, 0
        late_days = -(-(after - grace * 60) // 86_400)
        return (0.0 if late_days > days else 1 - min(late_days * percent, cap) / 100), late_days

    finals = [score * kept(after)[0] for after, score in attempts]
    on_time = [f for f, (after, _) in zip(finals, attempts) if kept(after)[1] == 0]
    best = {"best": max(finals), "last": finals[-1], "last_on_time": (on_time or finals)[-1]}
    expected = best[counts]

    def play(place, start):
        from course_lib.grading.people import gradebook

        deadline = datetime.datetime(2026, 1, 20, 18, 0, tzinfo=datetime.UTC).timestamp()
        extension = f", extensions: {{ann: {extra}}}" if extra else ""
        (place / "policy.yaml").write_text(
            f"timezone: UTC\ngrace_minutes: {grace}\npercent_a_day: {percent}\nmax_days: {days}\ncap: {cap}\ncounts: "
            f"{counts}\nlabs:\n  00_start_here: {{deadline: 2026-01-20 18:00{extension}}}\n"
        )
        for after, score in attempts:
            scenes_class.filed(place, "ann", deadline + after, score)
        row = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]
        got = row["final"]
        return trouble((abs(got - expected) < 1e-3, f"{got}, expected {expected}: {row['reason']}"))

    label = f"{counts}, {percent} % a day, {days} days, cap {cap}, grace {grace}, {extra} days more: {attempts}"
    return scene(60, label, play)


def regrade(rng):
    """Drawn marks on both written answers, given and taken back by several readers, before the questions change."""
    given = [
        (rng.choice(["written_1", "written_2"]), rng.choice([0, 0.1, 0.25]), rng.choice("xyz"))
        for _ in range(rng.randint(1, 5))
    ]
    last = {question: score for question, score, _ in given}

    def play(place, start):
        from course_lib.grading.people import gradebook
        from course_lib.grading.records import marks, store

        result = run.grade(place, "ann", book(written={"written_1": "A.", "written_2": "B."}), SMALL, start)
        for n, (question, score, by) in enumerate(given):
            mark = {"student": "ann", "submission_sha": result["submission_sha"], "question": question, "score": score}
            marks.append(SMALL, mark | {"comment": f"{n}", "by": by, "at": float(n)}, place / "grades")
        before = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]["score"]
        true, store.spec_sha = store.spec_sha, lambda lab: "e" * 16
        try:
            run.grade_folder(place, "ann", next((place / "submissions" / SMALL / "ann").iterdir()), SMALL, start)
            after = gradebook.rows(SMALL, place / "grades", place / "submissions")[0]["score"]
        finally:
            store.spec_sha = true
        return trouble(
            (abs(before - 1.5 - sum(last.values())) < 1e-9 and before == after, f"{before}, {after}, {last}")
        )

    return scene(61, str(given), play)


def killed(rng):
    """A result file in any state of damage, an old lock, half a job: the next run grades what is not whole."""
    damage = rng.choice(["empty", "half", "zeros", "another submission's", "a folder", "NaN", "a list", "no questions"])
    seed = rng.randrange(10**6)

    def play(place, start):
        from course_lib.grading.records import store
        from course_lib.grading.scoring import jobs

        folder = classroom.hand_in(place, "ann", book(after=[f"x = {seed}"]), lab=SMALL)
        first = run.grade_folder(place, "ann", folder, SMALL, start)
        path = store.result_path(SMALL, "ann", folder.name, store.spec_sha(SMALL), place / "grades")
        text = path.read_text()
        path.unlink()
        if damage == "a folder":
            path.with_suffix(".tmp").mkdir()
        else:
            path.write_text(
                {
                    "empty": "",
                    "half": text[: random.Random(seed).randrange(2, len(text) - 2)],
                    "zeros": "\0" * len(text),
                    "another submission's": text.replace(folder.name, "0" * 16),
                    "NaN": text.replace("0.75", "NaN", 1),
                    "a list": "[]",
                    "no questions": "{}",
                }[damage]
            )
        todo = jobs.jobs_of(SMALL, place / "grades", place / "submissions")
        again = run.grade_folder(place, "ann", folder, SMALL, start)
        return trouble(
            (len(todo) == 1, "it was taken for a result"),
            (store.totals(again) == store.totals(first), f"{store.totals(again)} after {store.totals(first)}"),
            (store.read_result(path) is not None, "nothing whole is on disk"),
        )

    return scene(62, f"a result that is {damage}", play)


def killed_at(rng):
    """kill -9 of the whole grader after a drawn time: nothing lost, nothing doubled, no process left."""
    seconds, n = rng.uniform(0.2, 5.0), rng.randint(1, 2)

    def play(place, start):
        from course_lib.grading.records import store

        child = "import os\nif os.fork() == 0:\n    os.execvp('sleep', ['sleep', '471233'])"
        for k in range(n):
            classroom.hand_in(place, f"s{k}", book(after=[f"x = {k}", child]), lab=SMALL)
        command = [sys.executable, "-m", "course_lib.cli", "grade", SMALL, "-j", "1"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        grader = subprocess.Popen(command, cwd=place, start_new_session=True, **quiet)
        time.sleep(seconds)
        os.killpg(grader.pid, signal.SIGKILL) if grader.poll() is None else None
        grader.wait()
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
        found = [store.read_result(p) for p in (place / "grades" / SMALL).glob("*/*/*.json")]
        scores = [store.totals(r)[0] for r in found if r]
        return trouble(
            (done.returncode == 0, done.stderr[-300:]),
            (scores == [1.5] * n, str(scores)),
            (not nobody_sleeps(), "a student's process outlived the grader"),
        )

    return scene(62, f"killed after {seconds:.1f} s of {n}", play)


def full_or_killed(rng):
    return killed_at(rng) if rng.random() < 0.15 else killed(rng)


def two_hosts(rng):
    """Two gradings of one submission, drawn statuses and orders: the first that holds a grade stays."""
    name, value = rng.choice(NAMES), rng.choice(["sum(x)", "-1.0", "len(x)", "1 / 0", "float('nan')", "None"])
    order = rng.choice(["graded, graded", "infra, graded", "graded, infra", "infra, infra, graded"])

    def play(place, start):
        from course_lib.grading.records import store

        text = book({**right(random.Random(1)), name: function(name, f"return {value}")})
        folder = classroom.hand_in(place, "ann", text, lab=SMALL)
        result = run.grade_folder(place, "ann", folder, SMALL, start)
        path = store.result_path(SMALL, "ann", folder.name, store.spec_sha(SMALL), place / "grades")
        path.unlink()
        for n, status in enumerate(order.split(", ")):
            failed = {"status": "infra_error", "reason": "x", "questions": []} if status == "infra" else {}
            store.keep_result(path, result | failed | {"host": f"h{n}"})
        kept, first = store.read_result(path), order.split(", ").index("graded")
        return trouble(
            (kept["status"] == "graded" and kept["host"] == f"h{first}", f"{kept['status']} {kept['host']}"),
            (store.totals(kept)[0] == 0.75, f"{store.totals(kept)}"),
        )

    return scene(63, f"{name} = {value}, {order}", play)


IMPOSSIBLE = (float("nan"), float("inf"), -float("inf"), -0.01, 0.7500001, 1e308, "0.75", [0.75], True, {}, 10**400)


def impossible(rng):
    """A result with a number that cannot be in a drawn place: never taken into the store."""
    value, key = rng.choice(IMPOSSIBLE), rng.choice(["score", "max", "twice", "status", "cases"])
    seed = rng.randrange(2)

    def play(place, start):
        from course_lib.grading.records import store

        result = run.grade(place, "ann", book(), SMALL, start)
        bad = json.loads(json.dumps(result))
        row = bad["questions"][seed]
        if key == "twice":
            bad["questions"].append(row)
        else:
            row[key] = value
        try:
            store.validate(bad)
        except store.StoreError:
            return trouble()
        except Exception as error:
            return trouble((False, f"{type(error).__name__} in place of a StoreError"))
        harmless = key == "cases" and isinstance(value, list)
        fits = key == "max" and isinstance(value, float) and value >= (row["score"] or 0) and value < 1e307
        return trouble((harmless or fits, f"{key} = {value!r} is taken"))

    return scene(64, f"{key} = {str(value)[:20]}", play)


def tables(rng):
    """The class's table read back: as many rows as students, every total that of its result."""
    scores = [round(rng.random(), 3) for _ in range(rng.randint(2, 6))]

    def play(place, start):
        from course_lib.grading.lms import export

        for n, score in enumerate(scores):
            scenes_class.filed(place, f"s{n}", 1.0, score)
        rows = list(csv.DictReader(io.StringIO(export.to_csv(SMALL, place / "grades", place / "submissions"))))
        return trouble(([float(r["score"]) for r in rows] == scores, f"{[r['score'] for r in rows]}, {scores}"))

    return scene(61, f"a table of {scores}", play)


DRAW = {
    50: drift,
    60: late,
    61: lambda rng: tables(rng) if rng.random() < 0.3 else regrade(rng),
    62: full_or_killed,
    63: two_hosts,
    64: impossible,
}
