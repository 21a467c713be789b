#!/usr/bin/env bash
# statsmodels 0.15.0: confint_proportions_2indep(…, compare="diff", method="score"), the interval of Miettinen and Nurminen, ends with a ValueError ("f(a) and
# f(b) must have different signs", or a function value that is NaN) for ordinary pairs of shares: 8 of 10 against 3 of 10, 20 of 100 against 10 of 100, 40 of
# 400 against 160 of 400. Of the pairs of shares from 10 to 90 % in steps of ten, 46 of 81 fail with ten rows a side and 10 of 81 with four hundred: it
# searches for the limits in an interval that does not hold them, or leaves [-1, 1]. The Newcombe interval, the one of Agresti and Caffo, and the score
# interval of the ratio are there for all of them.
# Ours takes Wilson's interval of a share and paired draws for a difference: course_lib/evaluation/intervals.py and comparison.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PYTHON'
from statsmodels.stats.proportion import confint_proportions_2indep


def there(a, b, rows, method, compare="diff"):
    try:
        low, high = confint_proportions_2indep(a, rows, b, rows, method=method, compare=compare)
    except ValueError:
        return False
    return low <= (a - b) / rows <= high if compare == "diff" else low <= a / b <= high


shares = [(a, b) for a in range(1, 10) for b in range(1, 10)]
gone = {}
for rows in (10, 20, 50, 100, 400):
    pairs = [(a * rows // 10, b * rows // 10) for a, b in shares]
    gone[rows] = [pair for pair in pairs if not there(*pair, rows, "score")]
    print(f"{rows} rows a side: no score interval for {len(gone[rows])} of {len(pairs)} pairs, the first {gone[rows][0]}")
    assert all(there(*pair, rows, method) for pair in pairs for method in ("newcomb", "agresti-caffo"))
    assert all(there(*pair, rows, "score", "ratio") for pair in pairs)
assert {rows: len(pairs) for rows, pairs in gone.items()} == {10: 46, 20: 25, 50: 16, 100: 14, 400: 10}
assert (8, 3) in gone[10] and (20, 10) in gone[100] and (40, 160) in gone[400]
PYTHON
