"""A notebook's cells run in the sandbox as they ran in Jupyter: IPython's language and magics, what lasts from cell to
cell, what a front end brings. The last cell of each defines f; what it gives back is compared.
"""

import pytest

from course_lib.grading.sandbox import box as sandbox
from course_lib.grading.sandbox.box import Box
from course_lib.questions.invoke import CallFailed

F = "def f(): return "
CELLS = {
    # ---- commands of the system's shell
    "pip over three lines": (
        ["import math\n!pip install \\\n  numpy \\\n  torch\nq = 5", F + "[q, math.pi > 3]"],
        [5, True],
    ),
    "pip, quiet, of a module": (["!python -m pip -q install x\nimport math", F + "math.floor(2.5)"], 2),
    "%pip": (["%pip install -q torch\nimport math\n%conda install y", F + "math.floor(2.5)"], 2),
    "uv": (["!uv pip install x && echo no\nq = 1", F + "q"], 1),
    "output of a command": (["x = !echo a; echo b", F + "list(x)"], ["a", "b"]),
    "output, into an attribute": (["class O: pass\no = O()\no.y = !echo {1 + 1}", F + "list(o.y)"], ["2"]),
    "output, into an entry": (["d = {}\nd['y'] = !echo c", F + "list(d['y'])"], ["c"]),
    "exit status": (["!exit 3", F + "_exit_code"], 3),
    "a command in a block": (
        ["for i in range(2):\n    !echo {i} >> out.txt\ntext = open('out.txt').read()", F + "text"],
        "0\n1\n",
    ),
    "%%bash": (["%%bash\necho 'def h(): return 13' > made.py", "import made", F + "made.h()"], 13),
    "%%sh": (["%%sh\nprintf 7 > n.txt", F + "int(open('n.txt').read())"], 7),
    # ---- an operator, not a magic
    "% in brackets": (["%matplotlib inline\na = (7\n % 4)", F + "a"], 3),
    "% after a backslash": (["%matplotlib inline\na = 7 \\\n  % 4", F + "a"], 3),
    "% in a text": (["%matplotlib inline\na = '''\n%time x\n'''", F + "a"], "\n%time x\n"),
    "! and ? in texts": (["!true\na = '''\n!x\ny?\n'''", F + "a"], "\n!x\ny?\n"),
    # ---- magics that bind names
    "%time": (["%time X = 3", F + "X"], 3),
    "%time in a block": (["if True:\n    %time X = 3", F + "X"], 3),
    "%%time": (["%%time\nX = 4\nX", F + "[X, _, Out[1]]"], [4, 4, 4]),
    "%%time above an answer": (["%%time\n# EXERCISE f\ndef f():\n    return g()\ndef g(): return 5"], 5),
    "%%timeit": (["%%timeit -n 1000 -r 7\nsum(range(10))", F + "1"], 1),
    "%timeit -o": (["t = %timeit -o -q -n 100000 sum([1])", F + "type(t).__name__"], "TimeitResult"),
    "%timeit -q -o": (["%timeit -q -o -r5 -n 10 sum([1])\n", F + "_.loops"], 1),
    "%%capture": (["%%capture out\nprint('hi')\nY = 2", F + "[out.stdout, Y]"], ["hi\n", 2]),
    "%%capture of %%time": (["%%capture\n%%time\nY = 2", F + "Y"], 2),
    "run_line_magic": (["get_ipython().run_line_magic('time', 'Z = 9')", F + "Z"], 9),
    "get_ipython, imported": (
        ["from IPython import get_ipython\nget_ipython().run_line_magic('time', 'Z = 9')", F + "Z"],
        9,
    ),
    "get_ipython, of its own module": (
        ["from IPython.core.getipython import get_ipython as g\ng().run_cell('Z = 9')", F + "Z"],
        9,
    ),
    "a magic without its %": (["time X = 7", F + "X"], 7),
    "a magic of one's own": (
        [
            "from IPython.core.magic import register_line_magic\n@register_line_magic\n"
            "def twice(line): return line * 2",
            "x = %twice a",
            F + "x",
        ],
        "aa",
    ),
    "%env": (["%env FOO=1\nimport os\nx = os.environ['FOO']", F + "x"], "1"),
    "%cd": (["%cd /tmp\nimport os\nx = os.getcwd()", F + "x"], "/tmp"),
    "%pylab": (["%pylab inline", F + "float(pi) > 3"], True),
    "help": (["print?\nlen??\n?str\nc = 3", F + "c"], 3),
    "extensions that are not here": (
        [
            "%load_ext autoreload\n%autoreload 2\n%load_ext google.colab.data_table\n%tensorboard --logdir x\nc = 3",
            F + "c",
        ],
        3,
    ),
    "a cell magic that is not here": (["%%wandb\nU = 3", F + "U"], 3),
    "a cell magic of another language": (["%%bigquery df\nSELECT * FROM x", "%%html\n<b>x</b>", F + "1"], 1),
    "kernel": (["get_ipython().kernel.do_shutdown(True)\nk = 1", F + "k"], 1),
    # ---- modules beside the notebook
    "%%writefile": (["%%writefile helpers.py\ndef h(): return 11", "from helpers import h", F + "h()"], 11),
    "%%writefile -a": (["%%writefile a.py\nx = 1", "%%writefile -a a.py\ny = 2", "import a", F + "[a.x, a.y]"], [1, 2]),
    "%%file": (["%%file b.py\nx = 4", "import b as c", F + "c.x"], 4),
    "%%writefile, in a folder": (
        ["import os\nos.makedirs('kit')", "%%writefile kit/a.py\nx = 1", "from kit import a", F + "a.x"],
        1,
    ),
    "%run": (["%%writefile r.py\nR = 12", "%run r.py", F + "R"], 12),
    "%run -i": (["%%writefile r.py\nR = S + 1", "S = 1\n%run -i r.py", F + "R"], 2),
    "open() as a file": (["with open('w.py', 'w') as file: _ = file.write('v = 6')", "import w", F + "w.v"], 6),
    "no module before a library": (
        ["%%writefile statistics.py\nmean = 0", "import statistics", F + "statistics.mean([1, 3])"],
        2,
    ),
    # ---- what lasts
    "annotations of the future": (["from __future__ import annotations", "def g(x: Nowhere): return 1", F + "g(1)"], 1),
    "the future, in one cell": (["from __future__ import annotations\ndef g(x: Nowhere): return 1", F + "g(1)"], 1),
    "the future, below %%time": (
        ["%%time\nfrom __future__ import annotations", "def g(x: Nowhere): return 1", F + "g(1)"],
        1,
    ),
    "the future, after a magic": (
        ["x = !true", "from __future__ import annotations", "%%time\ndef g(x: Nowhere): return 1", F + "g(1)"],
        1,
    ),
    "_": (["3", "4", "_ + __", F + "[_, __, _1, Out[3]]"], [7, 4, 3, 7]),
    "_ of one's own": (["_ = 9", "4", F + "_"], 9),
    "_ is not None": (["3", "None", "print(1)", F + "_"], 3),
    "_ and a semicolon": (["3", "4;", "5;  # not shown", F + "_"], 3),
    "In": (["x = 1", F + "[In[1], len(In)]"], ["x = 1", 3]),
    "Out": (["3", "x = 1", "'a'", F + "dict((str(k), v) for k, v in Out.items())"], {"1": 3, "3": "a"}),
    "a long cell is counted": (["# LONG\nx = 1", "5", F + "[Out[2], len(In)]"], [5, 4]),
    "await": (["import asyncio\nasync def a(): return 5\nr = await a()\nr", F + "[r, _]"], [5, 5]),
    "a task over cells": (
        [
            "import asyncio\nasync def a(): return 5\nt = asyncio.ensure_future(a())\nawait asyncio.sleep(0)",
            "r = await t",
            F + "r",
        ],
        5,
    ),
    "prompts": ([">>> a = 3\n>>> b = 4", "    c = 5\n    d = 6", F + "[a, b, c, d]"], [3, 4, 5, 6]),
    "check in an assertion": (["from course_lib import check", "assert check('entropy')\nx = 1", F + "x"], 1),
    # ---- what front ends bring
    "Colab's Drive": (
        ["from google.colab import drive\ndrive.mount('/content/drive')\nimport math", F + "math.floor(2.5)"],
        2,
    ),
    "Colab's files": (
        [
            "from google.colab import files\nup = files.upload()\nnames = [n for n in up.keys()]\nfiles.download('x')",
            F + "names",
        ],
        [],
    ),
    "Colab's secrets": (
        [
            "import os\nfrom google.colab import userdata\nfrom google.colab.userdata import SecretNotFoundError\n"
            "try:\n    os.environ['HF_TOKEN'] = userdata.get('HF_TOKEN')\nexcept SecretNotFoundError:\n    pass\nx = 1",
            F + "x",
        ],
        1,
    ),
    "Colab's widgets": (
        [
            "import google.colab\nfrom google.colab import output, data_table\n"
            "from google.colab.patches import cv2_imshow\n"
            "output.enable_custom_widget_manager()\nwith output.use_tags('a'):\n    x = 1",
            F + "x",
        ],
        1,
    ),
    "is this Colab?": (["import sys\nx = 'google.colab' in sys.modules", F + "x"], False),
    "Kaggle's secrets": (
        ["from kaggle_secrets import UserSecretsClient\ns = UserSecretsClient().get_secret('x')", F + "len(s)"],
        0,
    ),
    "Kaggle's data": (
        ["from kaggle_datasets import KaggleDatasets\nKaggleDatasets().get_gcs_path()\nx = 1", F + "x"],
        1,
    ),
    "Databricks": (["dbutils.widgets.text('a', 'b')\ndisplayHTML('<b>')\ndisplay(3)\nx = 1", F + "x"], 1),
    "IPython's display": (
        [
            "from IPython.display import display, HTML, clear_output\ndisplay(HTML('x'))\n"
            "clear_output(wait=True)\nx = 1",
            F + "x",
        ],
        1,
    ),
}


def run(cells, spawn):
    """(what f gives back, {cell: why it stopped})"""
    made = Box(list(enumerate(cells)), spawn)
    try:
        made.load()
        return made.call("f", [], {}, {}, 10)["value"], made.stopped
    except CallFailed as failure:
        return failure.message, made.stopped
    finally:
        made.stop()


@pytest.mark.parametrize("case", CELLS)
def test_as_in_jupyter(zygote, case):
    cells, value = CELLS[case]
    assert run(cells, zygote.spawn) == (value, {})


def test_as_in_jupyter_cold(box):
    """Without the zygote, which has IPython imported."""
    for case in ("%time", "Colab's Drive", "annotations of the future", "%%writefile"):
        cells, value = CELLS[case]
        assert run(cells, None) == (value, {})


@pytest.mark.parametrize(
    "cell, why",
    [
        ("%%time\ndef f(): return 1\nraise NotImplementedError()", "NotImplementedError"),
        ("%%time\ndef f(): return 1\n1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(): return 1\n%time 1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(): return 1\n!ls\nexit()", "the cell called exit()"),
        ("def f(): return 1\ninput()", "NoInput: input() cannot be answered while grading"),
        ("def f(): return 1\n!sleep 60", "timeout: the cell took too long and was stopped"),
        ("!ls\nx = (", "SyntaxError: '(' was never closed (line 2)"),
    ],
)
def test_what_stops_a_cell_is_told(zygote, monkeypatch, cell, why):
    monkeypatch.setattr(sandbox, "CELL", 2.0)
    value, stopped = run([cell, "try:\n    f\nexcept NameError:\n    f = lambda: 1"], zygote.spawn)
    assert (value, stopped) == (1, {"0": why})


def test_a_command_cannot_flood_the_grader(zygote):
    value, stopped = run(["x = !yes", F + "len(x)"], zygote.spawn)
    assert value == 2**19 and stopped == {}
