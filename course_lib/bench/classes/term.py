"""`make term`: a whole term as an instructor lives it, through the command line alone, and in the end every student's
total compared with what a plain computation from the plan says.

    python -m course_lib.bench.classes.term [--seed 7] [--students 60] [--labs 12] [--keep FOLDER]

What is played: for each lab three rounds of downloads (Canvas, Moodle, Gradescope, files by mail, in turn), with late
work, extensions, excuses, groups, namesakes, second attempts, torn and hostile zips, other labs' notebooks; grading;
written answers read by the instructor or two readers; decisions with `course adjust`; a question that was wrong and is
mended (`course regrade`); feedback, exports, scores posted by LTI; the gradebook. Two labs are played at a time. Some
runs of every command that writes are killed with -9 at a random moment and typed again.

What is simulated: a hand-in is the lab's set-up, its imports, two to five answered exercises (the solution's source, or
a function that returns None), the other exercises open, and two written sentences that say which mark they are to get;
the rest of a lab's notebook is not in it, and nobody trains: one in twenty hands in the shipped model of labs 02 and
03. Every hand-in is graded for itself, in the sandbox, by `course grade`. The LMS of the LTI scores is the one of
tests/grading. It is the same for a seed but for the moments of the kills, which are shares of measured times.
"""

import argparse
import json
import random
import re
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from course_lib.bench.classes import term_files as files
from course_lib.bench.classes.term_check import differences
from course_lib.bench.classes.term_desk import Desk
from course_lib.bench.classes.term_expected import expected
from course_lib.bench.classes.term_plan import term
from course_lib.grading.records import policy
from course_lib.platform import ROOT, counted

AT_A_TIME = 2  # labs
READERS = ("Nora", "Emil")
FEEDBACK = {"canvas": "canvas", "moodle": "moodle"}  # channel: what hands the pages out; mail merge for others


def play_lab(desk, made, number):
    """All that happens in a lab. Which of its commands are killed is drawn from the seed."""
    lab, people = made.labs[number], {s.key: s for s in made.students}
    draw = random.Random(f"kills|{made.seed}|{lab.name}")

    def course(*words, often=0.0, **options):
        return desk.course(*words, draw=draw, kills=int(draw.random() < often), **options)

    collect(made, lab, people, desk, course)
    half = len(lab.decisions) // 2
    for decision in lab.decisions[:half]:  # before anything is graded, the others at the end
        decide(lab, decision, course)
    if lab.mended:
        with desk.with_case_too_many(lab.name, lab.mended):
            course("grade", lab.name, "-j", 1, often=1.0)
        course("regrade", lab.name, "--only", lab.mended, "--reason", "a case was wrong", "--yes", "-j", 1, often=1.0)
    else:
        course("grade", lab.name, "-j", 1, often=0.8)
    readers, kills = READERS if number % 4 == 1 else (), int(draw.random() < 0.5)
    best = lab.rule.get("counts") == "best"  # whose other attempts are read once the first one is
    desk.read(lab.name, lambda *said: mark_of(lab, *said), draw, kills, readers, best)
    for decision in lab.decisions[half:]:
        decide(lab, decision, course)
    hand_back(desk, made, lab, course)


def collect(made, lab, people, desk, course):
    zips = {h: files.handed(lab, other_than(lab), h) for h in lab.hand_ins}
    for n, at in enumerate(lab.rounds):
        found = [h for h in lab.hand_ins if h.round == n]
        if lab.channel == "gradescope":  # its export has everybody's last one
            found = list({h.who: h for h in lab.hand_ins if h.round <= n}.values())
        if not found:
            continue
        path = files.download(desk.folder / "downloads", lab, n, found, zips, people)
        when = [] if lab.channel == "gradescope" else ["--received", at.isoformat()]
        refused = any(h.broken in ("torn zip", "zip that reaches outside") for h in found)
        course("collect", lab.name, path, *when, often=0.3, codes=(int(refused),))


def other_than(lab):
    return next(name for name in policy.labs() if name != lab.name)


def decide(lab, decision, course):
    words = ["adjust", lab.name, decision.student, "--by", "the instructor"]
    words += ["--question", decision.question] if decision.question else []
    value = [] if decision.value is None else [decision.value]
    words += [f"--{decision.kind}", *value, *(["--bonus"] if decision.bonus else [])]
    words += [] if decision.kind == "comment" else ["--reason", "as we said"]
    # what was taken back before the kill cannot be taken back once more, and a line says so
    course(*words, often=0.4, codes=(0, 2) if decision.kind == "clear" else (0,))


def mark_of(lab, question, answer):
    code = re.search(r"case (\d+)", answer)
    return lab.marks[question, int(code[1]) if code else None]


def hand_back(desk, made, lab, course):
    course("feedback", lab.name, "--to", FEEDBACK.get(lab.channel, "mail"), often=0.3)
    course("export", lab.name, "-o", f"{lab.name}.csv", often=0.2)
    if lab.channel == "moodle":
        (desk.folder / f"{lab.name}_worksheet.csv").write_text(files.moodle_worksheet(made, lab))
        into = ["--to", "moodle", "--into", f"{lab.name}_worksheet.csv", "-o", f"{lab.name}_moodle.csv"]
        course("export", lab.name, *into, often=0.5)
    (desk.folder / f"{lab.name}.audit.txt").write_text(course("audit", lab.name))


def play_term(desk, made):
    """The gradebook and its export, and scores posted to an LMS. Returns the LMS."""
    sys.path.insert(0, str(ROOT))
    from tests.grading import lti_platform

    draw = random.Random(f"kills|{made.seed}")
    students = [lti_platform.member(f"u{s.canvas_id}", s.name, s.email) for s in made.students]
    lms = lti_platform.Platform(students)
    lms.page = 50
    try:
        (desk.folder / "course.yaml").write_text(files.rules(made, policy.labs(), lms.settings()))
        told = desk.course("lti", "register", draw=draw, kills=1)
        lms.jwks = json.loads(told[told.index('{"keys"') :].splitlines()[0])
        lab = made.labs[0].name
        desk.course("export", lab, "--to", "lti")
        desk.course("export", lab, "--to", "lti", "--yes", draw=draw, kills=2)
        (desk.folder / "canvas.csv").write_text(files.canvas_gradebook(made))
        into = ["--to", "canvas", "--into", "canvas.csv", "-o", "canvas_filled.csv"]
        desk.course("gradebook", *into, draw=draw, kills=1)
        desk.course("gradebook", "--html", "term.html", "--to", "csv", "-o", "term.csv")
    finally:
        lms.close()
    return lms


def table(desk, made, minutes, wrong, facts):
    from rich.table import Table

    shown = Table(title=f"A term, seed {made.seed}: {counted(len(made.students), 'student')}, "
                        f"{counted(len(made.labs), 'lab')}, {minutes:.1f} minutes")  # fmt: skip
    for column in ("course …", "runs", "killed", "seconds"):
        shown.add_column(column, justify="left" if column == "course …" else "right")
    for verb in dict.fromkeys(verb for verb, *_ in desk.log):
        mine = [(seconds, killed) for name, seconds, killed in desk.log if name == verb]
        shown.add_row(verb, str(len(mine)), str(sum(k for _, k in mine)), f"{sum(s for s, _ in mine):.0f}")
    shown.add_section()
    kills, seconds = sum(k for *_, k in desk.log), sum(s for _, s, _ in desk.log)
    shown.add_row("all", str(len(desk.log)), str(kills), f"{seconds:.0f}")
    for what, number in facts.items():
        shown.add_row(what, str(number), "", "")
    shown.add_row("differences", str(len(wrong)), "", "")
    return shown


def main(argv=None):
    from rich.console import Console

    from course_lib.grading.sandbox import borders, doctor

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--labs", type=int, help="so many of the first labs (default: all)")
    parser.add_argument("--keep", metavar="FOLDER", help="a new folder, which stays (default: one that is removed)")
    options = parser.parse_args(argv)
    try:
        doctor.require_sandbox()
    except borders.NoSandbox as reason:
        print(reason, file=sys.stderr)
        return 2
    if options.keep:
        Path(options.keep).mkdir(parents=True)
        return played(options, Path(options.keep).absolute(), Console())
    with tempfile.TemporaryDirectory() as folder:
        return played(options, Path(folder), Console())


def played(options, folder, console):
    began = time.monotonic()
    made = term(options.seed, options.students, options.labs)
    desk = Desk(folder)
    (folder / "roster.csv").write_text(files.roster(made.students), encoding="utf-8")
    (folder / "course.yaml").write_text(files.rules(made, policy.labs()), encoding="utf-8")
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        played_labs = threads.map(lambda number: play_lab(desk, made, number), range(len(made.labs)))
        list(tqdm(played_labs, "labs played", len(made.labs)))
    lms = play_term(desk, made)
    wrong, facts = differences(folder, made, expected(made), lms)
    wrong, spent = desk.wrong + wrong, resource.getrusage(resource.RUSAGE_CHILDREN)
    facts["seconds of computing"] = round(spent.ru_utime + spent.ru_stime)
    console.print(table(desk, made, (time.monotonic() - began) / 60, wrong, facts))
    for line in wrong:
        console.print(f"DIFFERENCE {line}", markup=False, highlight=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
