"""`course bench cases [--folder DIR]`: honest hand-ins and class files that go wrong elsewhere, through collect, grade
and export: how many come out as they should, points that somebody lost, grades in a wrong row.
"""

import sys

from course_lib.platform import ROOT


def bench_cases(arguments) -> dict:
    sys.path.insert(0, str(ROOT))
    from tests.grading.cases.report import cases_report

    return cases_report(folder=arguments.folder, say=lambda line: print(line, file=sys.stderr))
