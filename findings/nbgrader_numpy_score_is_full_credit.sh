#!/usr/bin/env bash
# nbgrader 0.9.6 with numpy 2.4.6: a test cell gives partial credit when its last line is a number. nbgrader reads it from the printed form, and since numpy 2 a
# numpy scalar prints as "np.float64(2.0)", which is none: it gets all its points. `4 * np.mean(passed)` of two tests in four is 4 of 4 points, and of none
# in four, too, with a warning in the log alone; `4 * float(np.mean(passed))` gives 2 and 0. A last line of False is full credit as well.
# Ours hands nbgrader a Python float: tests/grading/test_nbgrader.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q nbgrader==0.9.6 numpy==2.4.6 ipykernel==7.4.0 nbclient==0.11.0 nbformat==5.11.1
cat >"$place/look.py" <<'PYTHON'
import nbformat
from nbclient import NotebookClient
from nbgrader.utils import determine_grade

LINES = {
    "4 * float(np.mean([1, 1, 0, 0]))": 2,
    "4 * float(np.mean([0, 0, 0, 0]))": 0,
    "4 * np.mean([1, 1, 0, 0])": 4,
    "4 * np.mean([0, 0, 0, 0])": 4,
    "all([1, 1, 0, 0])": 4,
    "assert all([1, 1, 0, 0])": 0,
}
ABOUT = {"schema_version": 3, "cell_type": "code", "grade": True, "solution": False, "task": False, "locked": True, "points": 4}
cells = [
    nbformat.v4.new_code_cell("import numpy as np\n" + line, metadata={"nbgrader": {**ABOUT, "grade_id": f"test_{n}"}})
    for n, line in enumerate(LINES)
]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
for cell, (line, wanted) in zip(notebook.cells, LINES.items(), strict=True):
    shown = cell.outputs[0].data["text/plain"] if cell.outputs[0].output_type == "execute_result" else cell.outputs[0].ename
    points = determine_grade(cell)
    print(f"{line:36} {shown:18} {points[0]} of {points[1]}")
    assert points == (wanted, 4)
PYTHON
"$place/venv/bin/python" "$place/look.py" 2>/dev/null
