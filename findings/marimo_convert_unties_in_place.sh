#!/usr/bin/env bash
# marimo 0.25.2, `marimo convert NOTEBOOK.ipynb`: where a later cell assigns the same name again, `x += y` of the first cell comes out as `x = x + y`. The name is
# renamed in the later cell alone, yet the first one now makes a new object: whatever else held the old list (or tensor) no longer sees the change, and the program
# prints something else than the notebook did. Where no later cell assigns the name, `+=` stays.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q marimo==0.25.2 nbformat==5.11.1
cd "$place"
cat >make.py <<'PYTHON'
import sys

import nbformat

first = "rows = [1]\nsame = rows\nrows += [2]\nprint(same)"
for name, second in (("again", "rows = rows + [3]"), ("once", "print(len(rows))")):
    cells = [nbformat.v4.new_code_cell(source) for source in (first, second)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), f"{name}.ipynb")
exec(first)
PYTHON
echo "as a notebook: $(venv/bin/python make.py)"
for name in again once; do venv/bin/marimo -q convert $name.ipynb -o $name.py; done
echo "converted, the name is assigned again later: $(venv/bin/python again.py)"
echo "converted, it is not: $(venv/bin/python once.py | head -1)"
grep -q "    rows = rows + \[2\]" again.py
grep -q "    rows += \[2\]" once.py
[ "$(venv/bin/python make.py)" = "[1, 2]" ] && [ "$(venv/bin/python again.py)" = "[1]" ] && [ "$(venv/bin/python once.py | head -1)" = "[1, 2]" ]
