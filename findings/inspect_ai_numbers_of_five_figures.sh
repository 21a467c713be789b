#!/usr/bin/env bash
# inspect_ai 0.3.285: match(numeric=True), the scorer for questions with a number as their answer, writes target and answer with five significant figures and
# compares the texts. So 123457 is a correct 123456, and 1,234,999 a correct 1234951: sums of money, years in days, products of the kind that GSM8K-like sets
# ask for. Smaller numbers are compared as far as they go (1.2e-05 is no 1.3e-05). A number is only read where a word is a number: "50%" is not 50, nor are
# "x=5" and "\boxed{5}" 5, though "$5.", "(5)", "**5**" and "5 km" are.
# Ours compares answers as texts of a known form: verify in lab 12, score_answers in lab 05.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q inspect_ai==0.3.285
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio

from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, match
from inspect_ai.solver import TaskState


def correct(said, target):
    output = ModelOutput.from_content("a model", said)
    state = TaskState(model="a model", sample_id=1, epoch=1, input="a question", messages=[], output=output)
    return asyncio.run(match(numeric=True)(state, Target(target))).value == "C"


ASKED = {
    ("The total is 123456.", "123456"): True,
    ("The total is 123457.", "123456"): True,
    ("The total is 1,234,999.", "1234951"): True,
    ("It is 100000.4", "100000"): True,
    ("The total is 12346.", "12345"): False,
    ("It is 0.000012", "0.000013"): False,
    ("It costs $5.", "5"): True,
    ("It is (5)", "5"): True,
    ("It is **5**", "5"): True,
    ("It is 5 km", "5"): True,
    ("It is 50%", "50"): False,
    ("x=5", "5"): False,
    ("It is 50%", "50%"): True,
    ("It is 1/2", "0.5"): False,
    ("It is \\boxed{5}", "5"): False,
}
seen = {pair: correct(*pair) for pair in ASKED}
for (said, target), right in seen.items():
    print(f"{said!r} for {target}: {'correct' if right else 'not correct'}")
assert seen == ASKED
PYTHON
