"""Benches of the grader: seconds a submission, bad submissions, the answers that the questions are tried on."""

import sys

from course_lib.bench.classes.timing import cold_seconds, warm_seconds
from course_lib.bench.classes.timing_class import class_of
from course_lib.bench.classes.versus import versus
from course_lib.platform import ROOT, matmul_rate


def bench_grade(arguments) -> dict:
    """cold_s and warm_s first, while the machine is as it was found; then the two other graders on the same lab, then a
    class of 300.
    """
    return {**cold_seconds(), **warm_seconds(), **versus(), **class_of(300), "matmul_gflops": matmul_rate()}


def bench_attacks(arguments) -> dict:
    sys.path.insert(0, str(ROOT))
    from tests.grading.bad.report import attacks_report

    return attacks_report(say=lambda line: print(line, file=sys.stderr), seed=arguments.seed)


def bench_questions(arguments) -> dict:
    sys.path.insert(0, str(ROOT))
    from tests.questions.tally import tally

    return tally()
