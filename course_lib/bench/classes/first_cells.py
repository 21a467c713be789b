"""What a student's first two cells import, set-up and imports, in this build and in an older one, by turns.

In seconds of computing of a fresh interpreter, files in the system's cache. Torch's share says what is left to save.
"""

import ast
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from course_lib.notebook.cells import read_cells
from course_lib.notebook.language import tree_of
from course_lib.platform import ROOT, CourseError

TURNS = 5
FIRST = 2  # code cells


def imports_of(notebook: Path) -> str:
    """The import statements of a lab's first code cells, as one program."""
    cells = [source for _, kind, source in read_cells(notebook) if kind == "code"][:FIRST]
    nodes = [node for source in cells for node in tree_of(source).body]
    return "\n".join(ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)))


def computed(program: str, build: Path) -> float:
    """Seconds for which a fresh interpreter computes that runs a program on a build. Raises CourseError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, "PYTHONPATH": str(build), "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", program], cwd=build, env=env, capture_output=True, text=True)
    if run.returncode:
        raise CourseError(f"the first cells of {build} fail: {(run.stderr.strip().splitlines() or ['?'])[-1][:300]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_ratio(there: Path, labs: list[str]) -> dict:
    """{"import_ratio": of the labs, the median of this build's seconds by the older's at `there`, "import_ratios":
    {lab: ratio}, "import_seconds": {build: median}, "torch_ratio": `import torch` by the older's, below which no
    library that imports torch comes}.
    """
    builds, ratios, seconds = {"old": there, "new": ROOT}, {}, {"old": [], "new": [], "torch": []}
    for lab in labs:
        programs = {name: imports_of(build / "labs" / f"{lab}.ipynb") for name, build in builds.items()}
        rows = {name: [] for name in seconds}
        for _ in range(TURNS):
            for name, build in builds.items():
                rows[name].append(computed(programs[name], build))
            rows["torch"].append(computed("import torch", ROOT))
        middle = {name: statistics.median(row) for name, row in rows.items()}
        ratios[lab] = round(middle["new"] / middle["old"], 3)
        for name, value in middle.items():
            seconds[name].append(value)
        print(f"{lab}: the first cells import in {middle['new']:.2f} s", file=sys.stderr, flush=True)
    middle = {name: round(statistics.median(row), 3) for name, row in seconds.items()}
    return {
        "import_ratio": statistics.median(ratios.values()),
        "import_ratios": ratios,
        "import_seconds": middle,
        "torch_ratio": round(middle["torch"] / middle["old"], 3),
    }
