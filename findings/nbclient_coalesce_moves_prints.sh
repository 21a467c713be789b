#!/usr/bin/env bash
# nbclient 0.11.0: with `coalesce_streams=True` (meant to join what a cell prints in pieces) all that a cell prints ends up at the place of its first print, also what it printed behind a
# table or a picture: print, display, print becomes print + print, display. Without it the order stands. An executed notebook whose cells
# show tables between lines then reads in another order than it ran.
# Our build joins prints itself: tests/labs/test_build.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q nbclient==0.11.0 ipykernel==7.4.0 nbformat==5.11.1
cat >"$place/look.py" <<'PYTHON'
import nbformat
from nbclient import NotebookClient

CELL = "from IPython.display import HTML, display\nprint('before')\ndisplay(HTML('<b>a table</b>'))\nprint('behind')"


def seen(**options):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, kernel_name="python3", **options).execute()
    return [output.get("text", "a table").strip() for output in notebook.cells[0].outputs]


plain, joined = seen(), seen(coalesce_streams=True)
print("as it ran:", plain)
print("coalesced:", joined)
assert plain == ["before", "a table", "behind"] and joined == ["before\nbehind", "a table"]
PYTHON
"$place/venv/bin/python" "$place/look.py" 2>/dev/null
