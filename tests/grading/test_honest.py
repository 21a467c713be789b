"""Honest notebooks as real people hand them in: collected, graded, all points and no flag. All answers are right.

One student's notebook is one variation on lab 00; all of them are one class.
"""

import json
import zipfile

import pytest
from classroom import notebook, right_answers, sources

from course_lib.grading.intake import collect
from course_lib.grading.records import store
from course_lib.grading.scoring import jobs
from course_lib.grading.scoring.grade_one import grade_one

LAB = "00_start_here"
POINTS = {"surprise": 0.75, "entropy": 0.75}
RIGHT = right_answers(LAB)
IMPORTS = "import math"
WRITTEN = {"written_1": "So.", "written_2": "No."}
LOGS = "def entropy(probs):\n    return -sum(p * logs(p) for p in probs if p > 0)"


def lab(*before, written=WRITTEN, after=(), **answers):
    return notebook(sources(RIGHT | answers, LAB, before=before, after=after), written)


def below(line):
    """The lab with a line put on top of every code cell."""
    book = json.loads(lab(IMPORTS, after=['# LONG\nraise SystemExit("far too long")']))
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = f"{line}\n{cell['source']}"
    return json.dumps(book)


def passed(text, *ids):
    """With the outputs that say so: what fails in the grader then has a flag."""
    book = json.loads(text)
    for cell in book["cells"]:
        for name in ids:
            if cell["cell_type"] == "code" and f'check("{name}")' in cell["source"]:
                said = f"✓ {name}: passed, 0.75 of 0.75 points\n"
                cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": said}]
    return json.dumps(book)


NOTEBOOKS = {
    "as it is": lab(IMPORTS),
    "pip over three lines": lab("!pip install \\\n  numpy \\\n  torch\nimport math"),
    "pip at the end": lab("import math\n!pip install -q \\\n  numpy"),
    "apt in the middle": lab("import math\n!apt-get -qq install \\\n   x \\\n   y\nimport json"),
    "percent in brackets": lab("%matplotlib inline\nimport math\nx = (7\n  % 4)"),
    "percent after a backslash": lab("import math\n%config a=1\nx = 7 \\\n  % 4"),
    "percent in a text": lab("%load_ext autoreload\nimport math\nx = '''\n% 4\n'''"),
    "time assigns": lab(IMPORTS, "%time logs = math.log", entropy=LOGS),
    "cell time assigns": lab(IMPORTS, "%%time\nlogs = math.log", entropy=LOGS),
    "a magic called assigns": lab(IMPORTS, "get_ipython().run_line_magic('time', 'logs = math.log')", entropy=LOGS),
    "time on every cell": below("%%time"),
    "capture on every cell": below("%%capture"),
    "title on every cell": below("#@title A title"),
    "drive among imports": lab("import math\nfrom google.colab import drive\ndrive.mount('/content/drive')"),
    "files among imports": lab("from google.colab import files\nup = files.upload()\nimport math"),
    "secrets among imports": lab(
        "import os\nfrom google.colab import userdata\nos.environ['A'] = userdata.get('A')\nimport math"
    ),
    "Kaggle among imports": lab("from kaggle_secrets import UserSecretsClient\nUserSecretsClient()\nimport math"),
    "the future before": lab(
        IMPORTS,
        "from __future__ import annotations",
        entropy=LOGS.replace("probs)", "probs: Nowhere)").replace("logs", "math.log"),
    ),
    "the last value": lab(IMPORTS, "math.log", "logs = _", entropy=LOGS),
    "an earlier value": lab(IMPORTS, "math.log", "print(1)", "logs = Out[3]", entropy=LOGS),
    "an earlier input": lab(IMPORTS, "logs = math.log if In[2].startswith('import') else None", entropy=LOGS),
    "a module written": lab(
        IMPORTS, "%%writefile own.py\nfrom math import log as logs", "from own import logs", entropy=LOGS
    ),
    "a module written and run": lab(
        IMPORTS, "%%writefile own.py\nfrom math import log as logs", "%run own.py", entropy=LOGS
    ),
    "a module by bash": lab(
        IMPORTS, "%%bash\necho 'from math import log as logs' > own.py", "from own import *", entropy=LOGS
    ),
    "long documents": lab("# LONG DOCUMENTS first\nimport math"),
    "a long title": lab(IMPORTS, "#@title Training\n# LONG\nimport time\ntime.sleep(600)"),
    "a long timed cell": lab(IMPORTS, "%%time\n# LONG\nimport time\ntime.sleep(600)"),
}
ZIPS = {
    "module beside": ({"own.py": "from math import log as logs"}, "from own import logs"),
    "module beside in a folder": ({"lab/own.py": "from math import log as logs", "lab/": ""}, "from own import logs"),
    "module that imports one": (
        {"own.py": "from other import logs", "other.py": "from math import log as logs"},
        "import own\nlogs = own.logs",
    ),
    "module that is run": ({"own.py": "from math import log as logs"}, "%run own.py"),
}
EXPECTED = [*NOTEBOOKS, *ZIPS]


@pytest.fixture(scope="module")
def results(tmp_path_factory, zygote):
    """{name: result} of all of them."""
    root = tmp_path_factory.mktemp("class")
    paths = []
    for name, text in NOTEBOOKS.items():
        paths.append(root / f"{name}.ipynb")
        paths[-1].write_text(passed(text, "surprise", "entropy"))
    for name, (files, line) in ZIPS.items():
        paths.append(root / f"{name}.zip")
        folder = "lab/" if "lab/" in files else ""
        with zipfile.ZipFile(paths[-1], "w") as archive:
            archive.writestr(f"{folder}{LAB}.ipynb", passed(lab(IMPORTS, line, entropy=LOGS), "surprise", "entropy"))
            for place, text in files.items():
                if text:
                    archive.writestr(place, text)
    counts = collect.collect(LAB, paths, submitted=root / "submissions", say=lambda line: None, source="files")
    assert counts["taken"] == len(EXPECTED)
    found = {}
    for job, job_path, out in jobs.jobs_of(LAB, root / "grades", root / "submissions"):
        store.write_json(job_path, job)
        found[job["student"]] = grade_one(job_path, out, zygote.spawn)
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_an_honest_notebook_has_all_points_and_no_flag(results, name):
    result = results[name]
    assert result["status"] == "graded"
    points = {q["id"]: q["score"] for q in result["questions"] if q["score"] is not None}
    assert points == POINTS, result["cells_stopped"]
    assert result["flags"] == [] and result["cells_stopped"] == {}
    assert [q["message"] for q in result["questions"] if q["status"] == "needs_review"] == ["", ""]


@pytest.mark.parametrize(
    "text, words",
    [
        ("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", "conflict of Git"),
        ('{"cells": [\n<<<<<<< HEAD\n{}\n=======\n>>>>>>> main\n]}', "conflict of Git"),
        ('{\r\n "cells": [\r\n<<<<<<< Updated upstream\r\n=======\r\n>>>>>>> Stashed changes\r\n]}', "conflict of Git"),
        ("<html><body>Log in</body></html>", "a web page (HTML)"),
        ('{"cells": [', "cut off"),
        ('{"nbformat": 2, "worksheets": [{"cells": []}]}', "in format 2"),
        ('{"nbformat": 1, "cells": [{"cell_type": "code", "code": "1"}]}', "in format 1"),
        ('{"nbformat": 2, "nbformat_minor": 0, "cells": []}', "in format 2"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path, text, words):
    from course_lib.notebook.cells import Ungradable, read_cells

    (tmp_path / "notebook.ipynb").write_text(text, newline="")
    with pytest.raises(Ungradable) as error:
        read_cells(tmp_path / "notebook.ipynb")
    assert words in str(error.value) and "\n" not in str(error.value)
