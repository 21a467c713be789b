"""A notebook run once as the grader will run it, in a process of its own: submit() says what would not pass there.

    python -m course_lib.notebook.rehearsal JOB OUT      the child: {"lab", "cells"} in; {"stopped", "failed"} out

No network and no sandbox are simulated: what it is for is a name that only the open notebook knows, a file that is not
handed in, a cell that graders skip.
"""

import json
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from course_lib.platform import PACKAGE

CELL, ALL = 20.0, 120.0  # seconds a cell, as in the grader, and for everything


def rehearse(lab, cells, helpers):
    """Lines on what would not pass when graded; [] where all does. helpers: {name: bytes} of files beside it."""
    code = [(number, source) for number, kind, source in cells if kind == "code" and source.strip()]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "box")
        folder.mkdir()
        for name, data in helpers.items():
            (folder / name).write_bytes(data)
        job, out = Path(place, "job.json"), Path(place, "out.json")
        job.write_text(json.dumps({"lab": lab, "cells": code}))
        line = [sys.executable, "-P", "-m", "course_lib.notebook.rehearsal", str(job), str(out)]
        try:
            with open(os.devnull, "r+b") as nowhere:
                subprocess.run(
                    line, cwd=folder, env=environment(place), stdin=nowhere, stdout=nowhere, stderr=nowhere, timeout=ALL
                )
            told = json.loads(out.read_text())
        except subprocess.TimeoutExpired:
            return [f"a trial run took more than {ALL:g} s and was stopped: mark cells that train with # LONG"]
        except (OSError, ValueError):
            return ["a trial run ended without a word: restart the kernel and run all cells, to see that they run"]
    return lines(told)


def environment(place):
    """The settings of the grader's sandbox that a result may depend on."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "COURSE_WORK": f"{place}/work", "COURSE_SIZE": "tiny", "CUDA_VISIBLE_DEVICES": ""}
    own |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1", "IPYTHONDIR": f"{place}/ipython"}
    return os.environ | own


def lines(told):
    """The child's findings for the student: the first check of each question that fails, and the cells that stopped."""
    found = [f"{name}: would not pass when graded, {what}" for name, what in told["failed"].items()]
    stopped = [f"cell {n} ({why})" for n, why in told["stopped"].items() if why != "NotImplementedError"]
    if found and stopped:
        found.append(f"there these cells stop: {', '.join(stopped[:3])}")
    return found


def main(job, out):
    from course_lib.notebook import runner
    from course_lib.questions import core

    told = json.loads(Path(job).read_text())
    sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    session = runner.Session(module)
    runner.neutralise(session)
    caller = runner.Caller(session)
    stopped = session.run_all([tuple(cell) for cell in told["cells"]], {}, CELL, lambda number: None)
    caller.mark()
    failed = {}
    for question in core.questions_of(told["lab"]):
        if isinstance(question, core.Question):
            result = core.run(question, caller)
            wrong = [case for case in result.cases if case.status not in ("pass", "todo")]
            if wrong:
                failed[question.id] = f"{wrong[0].name}: {wrong[0].message}"[:400]
    Path(out).write_text(json.dumps({"stopped": stopped, "failed": failed}))
    os._exit(0)  # whatever the notebook has started


if __name__ == "__main__":
    main(*sys.argv[1:])
