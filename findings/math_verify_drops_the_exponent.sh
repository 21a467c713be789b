#!/usr/bin/env bash
# math-verify 0.9.0 (which TRL's accuracy_reward calls): a number as Python prints it, 1.2e6, is read as 1.2 in plain text, so 1.2e6 and 1.2e3 are "the same
# answer" and 1200000 is wrong; 1e-05 is 1. Within \boxed{} or $...$ the e is Euler's number: \boxed{1e-5} is e - 5. A clock's 10:30 and 10:45 are both 10.
# A wrong answer is rewarded and a right one is not: have numbers written out, 1200000 or 1.2 \times 10^6, and look at what parse() made of them.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q math-verify==0.9.0 latex2sympy2-extended==1.11.0
"$place/venv/bin/python" - <<'PYTHON'
import math

from math_verify import parse, verify

LOOKS = [
    ("1.2e6", "1.2e3", True),
    ("1.2e6", "1200000", False),
    ("1e-05", "0.00001", False),
    ("1e-05", "1", True),
    (r"\boxed{1.2e6}", r"\boxed{1200000}", False),
    (r"$1.2 \times 10^6$", "1200000", True),
    ("10:30", "10:45", True),
]
for gold, answer, wanted in LOOKS:
    same = verify(parse(gold), parse(answer))
    print(f"{gold:18} {parse(gold)[0]!s:18} {answer:18} {parse(answer)[0]!s:18} {same}")
    assert same is wanted
assert math.isclose(float(parse(r"\boxed{1e-5}")[0]), math.e - 5)
PYTHON
