#!/usr/bin/env bash
# McNemar's test of two models that are right on the same rows: there is no row on which they differ, so nothing speaks against "equally good" and p is 1. The
# chi-square form says p = 0, the strongest difference that there can be: statsmodels 0.15.0 with exact=False, and mlxtend 0.23.4 in its plain call (a
# statistic of infinity). It is the continuity correction, (|0 - 0| - 1)² / 0; for the same reason four rows against four give p = 0.72 and not 1. Without the
# correction both give NaN. The exact forms of both are right. A table of pairwise comparisons in which one model stands twice, or a copy of it, reports the
# copy as different.
# Ours is exact, and 1 where no row differs: mcnemar in course_lib/evaluation/comparison.py, tests/evaluation.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q statsmodels==0.15.0 mlxtend==0.23.4
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import math

import numpy as np
from mlxtend.evaluate import mcnemar as by_mlxtend
from statsmodels.stats.contingency_tables import mcnemar as by_statsmodels

same, four = np.array([[60, 0], [0, 40]]), np.array([[60, 4], [4, 32]])  # right by both; by one alone; by the other; by neither
seen = {
    name: [float(test(table)) for table in (same, four)]
    for name, test in {
        "statsmodels, exact": lambda table: by_statsmodels(table, exact=True).pvalue,
        "statsmodels, chi-square": lambda table: by_statsmodels(table, exact=False).pvalue,
        "statsmodels, chi-square, no correction": lambda table: by_statsmodels(table, exact=False, correction=False).pvalue,
        "mlxtend, exact": lambda table: by_mlxtend(table, exact=True)[1],
        "mlxtend, plain call": lambda table: by_mlxtend(table)[1],
        "mlxtend, no correction": lambda table: by_mlxtend(table, corrected=False)[1],
    }.items()
}
for name, (equal, drawn) in seen.items():
    print(f"{name}: p = {equal:g} where no row differs, {drawn:.3f} where four differ each way")
assert all(seen[f"{name}, exact"] == [1.0, 1.0] for name in ("statsmodels", "mlxtend"))
assert seen["statsmodels, chi-square"][0] == seen["mlxtend, plain call"][0] == 0.0
assert math.isnan(seen["statsmodels, chi-square, no correction"][0]) and math.isnan(seen["mlxtend, no correction"][0])
assert abs(seen["mlxtend, plain call"][1] - 0.7237) < 1e-4
PYTHON
