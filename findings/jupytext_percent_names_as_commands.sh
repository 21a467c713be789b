#!/usr/bin/env bash
# jupytext 1.19.6, percent format: a line of a code cell that begins with a name that is also a shell command (`ls`, `cat + 1`) is written as a comment, as if it
# were a magic, although `ls` and `cat` are variables of the cell before. Back in a notebook the line returns; run as a script, it is gone, without a word.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q jupytext==1.19.6 nbformat==5.11.1
"$place/venv/bin/python" - <<'PYTHON'
import jupytext
import nbformat

cells = ["cat, ls = 1, [2]", "cat + len(ls)", "ls"]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
script = jupytext.writes(notebook, "py:percent")
print(script)
assert "\n# cat + len(ls)\n" in script and "\n# ls\n" in script
assert [cell.source for cell in jupytext.reads(script, "py:percent").cells] == cells
PYTHON
