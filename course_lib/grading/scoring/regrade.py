"""`course regrade LAB --only QUESTION --reason TEXT`: grades one question anew, after its spec was mended.

Shows who moves and by how much before anything is written.
The other questions keep their scores, and what people have given stays. Each change is one line of
grades/LAB/regrades.jsonl: who, from what to what, why, by whom, under which questions.
"""

import argparse
import getpass
import shlex
import shutil
import socket
import sys
import time
from pathlib import Path

from course_lib.grading.people import gradebook
from course_lib.grading.records import adjustments, store
from course_lib.grading.scoring.jobs import job_of
from course_lib.platform import counted, safe_name


def newest(lab, student, sha, grades):
    """The result of a submission that was written last, under whatever questions, if it has scores; else None."""
    files = sorted(Path(grades, lab, student, sha).glob("*.json"), key=lambda p: -p.stat().st_mtime_ns)
    results = (store.result_of(lab, student, sha, path.stem, grades) for path in files)
    return next((r for r in results if r is not None and r["questions"]), None)


def to_regrade(lab, only, grades, submitted):
    """([(student, sha, folder, the result that stands)], how many have none) of the attempts that count.

    StoreError for a question that cannot be graded anew.
    """
    from course_lib.questions import core

    questions = {q.id: q for q in core.questions_of(lab)}
    if only not in questions:
        raise store.StoreError(f"there is no question {only!r} in {lab}; questions: {', '.join(questions)}")
    if isinstance(questions[only], core.WrittenQuestion):
        raise store.StoreError(f"{only} is read by people: change its marks with `course review {lab}`")
    attempts = [
        (student, sha, folder, newest(lab, student, sha, grades))
        for student, sha, folder, _ in gradebook.attempts_to_grade(lab, submitted)
    ]
    graded = [a for a in attempts if a[3] is not None]
    if not graded:
        raise store.StoreError(f"nothing of {lab} is graded yet: run `course grade {lab}` first")
    return graded, len(attempts) - len(graded)


def merged(lab, old, fresh, only, note):
    """The result that stands with one question (and its flags) taken from a fresh one, in the order of the lab.

    The rest of it is carried over.
    """
    from course_lib.questions import core

    rows = {q["id"]: q for q in old["questions"]} | {q["id"]: q for q in fresh["questions"] if q["id"] == only}
    order = [q.id for q in core.questions_of(lab)]
    questions = sorted(rows.values(), key=lambda q: order.index(q["id"]) if q["id"] in order else len(order))
    kept = {k: v for k, v in old.items() if k not in ("spec_sha", "seed", "questions", "regraded")}
    kept["flags"] = old["flags"] + [f for f in fresh["flags"] if f not in old["flags"]]
    kept |= {"spec_sha": fresh["spec_sha"], "seed": fresh.get("seed"), "questions": questions}
    return store.validate(kept | {"regraded": [*old.get("regraded", []), note]})


def question_of(result, only):
    return next((q for q in result["questions"] if q["id"] == only), None)


def kept_by_hand(lab, line, score):
    """The line about a student whose grade does not move, for a person has given it."""
    of, student = line["question"], line["student"]
    what = "is excused" if line["kind"] == "excused" else "keeps a person's points"
    undo = f"course adjust {lab} {shlex.quote(student)}{f' --question {of}' if of else ''} --clear --reason …"
    return (
        f"{student} {what} in {of or 'the whole lab'} ({line.get('reason', '')}): what this regrade gives "
        f"({counted(score, 'point')}) counts only after `{undo}`"
    )


def moves_table(lab, only, moves):
    """A rich Table of those whose points change; moves: [(student, before or None, after, max)]."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=f"{lab}, {only}: {len(moves)} would move")
    for column in ("student", "before", "after", "by", "of"):
        shown.add_column(column, justify="left" if column == "student" else "right")
    for student, before, after, most in moves:
        was = "–" if before is None else f"{before:.2f}"
        shown.add_row(Text(student), was, f"{after:.2f}", f"{after - (before or 0):+.2f}", f"{most:g}")
    return shown


def regrade(lab, only, reason, agree, workers=None, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True):
    """Grades one question anew for all who have a grade. Returns the moves, or None where it was not written.

    agree(moves) -> bool decides whether it is.
    Nothing in the store changes before `agree`; killed at any moment and run again it goes on, and what was written
    already does not move twice.
    """
    from course_lib.grading.sandbox import doctor
    from course_lib.grading.scoring import grade

    doctor.require_sandbox()
    grade.check_lab(lab, submitted)
    with store.locked(lab, grades):
        graded, without = to_regrade(lab, only, grades, submitted)
        key, spec = store.secret(grades), store.spec_sha(lab)
        aside = Path(grades, ".jobs", lab, f"regrade-{only}-{spec}-{store.code_sha()}")
        jobs = []
        for student, sha, folder, _ in graded:
            job = job_of(lab, student, sha, spec, folder, key) | {"only": [only]}
            name = f"{safe_name(student)}-{sha}.json"
            jobs.append((job, aside / "jobs" / name, aside / name))
        todo = [j for j in jobs if (store.read_result(j[2]) or {"status": "infra_error"})["status"] == "infra_error"]
        grade.run(lab, todo, workers, progress=progress, words="regrading")
        fresh = {(job["student"], job["submission_sha"]): store.read_result(out) for job, _, out in jobs}
        said, _ = adjustments.read(lab, grades)
        moves, changes = [], []
        for student, sha, _, old in graded:
            row, before = question_of(fresh[student, sha], only), question_of(old, only)
            if row is None:
                print(f"{student} is left alone: {fresh[student, sha].get('reason')}", file=sys.stderr)
                continue
            was = before and before["score"]
            moved = was is None or abs(was - row["score"]) > 1e-9
            if line := said.get(student, {}).get(None) or said.get(student, {}).get(only):
                print(kept_by_hand(lab, line, row["score"]), file=sys.stderr)
            elif moved:
                moves.append((student, was, row["score"], row["max"]))
            if moved or before["max"] != row["max"] or old["spec_sha"] != spec:
                changes.append((student, sha, old, fresh[student, sha], was, row["score"]))
        if without:
            print(f"without a grade and left alone: {without}. `course grade {lab}` grades them whole", file=sys.stderr)
        if not agree(moves):
            shutil.rmtree(aside, ignore_errors=True)
            return None
        write(lab, only, reason, changes, grades)
        shutil.rmtree(aside, ignore_errors=True)
    return moves


def write(lab, only, reason, changes, grades):
    """A line of the log, then the result, one student after the other. A line whose result a killed run did not write
    any more is there already.
    """
    who, log = f"{getpass.getuser()}@{socket.gethostname()}", Path(grades, lab, "regrades.jsonl")
    keys = ("student", "submission_sha", "question")
    last = {tuple(str(line.get(key)) for key in keys): line for line in store.read_lines(log)}
    for student, sha, old, fresh, before, after in changes:
        note = {
            "question": only,
            "reason": reason,
            "by": who,
            "at": round(time.time(), 3),
            "old_spec": old["spec_sha"],
            "new_spec": fresh["spec_sha"],
            "before": before,
            "after": after,
        }
        line = {"student": student, "submission_sha": sha, **note}
        logged = last.get((student, sha, only), {})
        same = all(logged.get(key) == line[key] for key in ("old_spec", "new_spec", "before", "after"))
        if same:
            note = {key: logged.get(key) for key in note}
        result = merged(lab, old, fresh, only, note)
        path = store.result_path(lab, student, sha, fresh["spec_sha"], grades)
        if not same:
            store.append_line(log, line)
        try:
            store.write_json(path, result)
        except OSError as error:
            cure = "make room, then run the same command again; who was written before stays so"
            raise store.StoreError(f"cannot write {path} ({error.strerror or error}): {cure}") from None


def main(argv=None):
    from rich.console import Console

    parser = argparse.ArgumentParser(prog="course regrade", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("--only", metavar="QUESTION", required=True)
    parser.add_argument("--reason", required=True, help="kept with every grade that changes")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("-j", "--jobs", type=int, default=None, help="submissions at a time (default: half the cores)")
    arguments = parser.parse_args(argv)
    if not arguments.reason.strip():
        raise store.StoreError("--reason is empty: students and colleagues will ask why a grade has changed")

    def agree(moves):
        if moves:
            Console().print(moves_table(arguments.lab, arguments.only, moves))
        else:
            print("nobody moves")
        if arguments.yes:
            return True
        if not sys.stdin.isatty():
            print("nothing was written: --yes writes it", file=sys.stderr)
            return False
        return input("Write this? [y/N] ").strip().lower() in ("y", "yes")

    moves = regrade(arguments.lab, arguments.only, arguments.reason, agree, arguments.jobs)
    if moves is None:
        return 1
    print(
        f"written; the reason stands in {store.GRADES}/{arguments.lab}/regrades.jsonl. Marks given by people are as "
        "they were."
    )
    return 0
