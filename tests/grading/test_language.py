"""What a cell of IPython's language is as Python, which cells are long, and which names only those define."""

import ast
import time

import pytest

from course_lib.notebook.language import as_python, is_long, only_in_long, tree_of

LONG = [
    "# LONG\nx = 1",
    "\n  # LONG\nx = 1",
    "#LONG\nx = 1",
    "# LONG:\nx = 1",
    "# LONG (five minutes)\nx = 1",
    "# LONG - trains\nx = 1",
    "#@title Training\n# LONG\nx = 1",
    "#@title Training { display-mode: 'form' }\n\n# mine\n# LONG\nx = 1",
    "%%time\n# LONG\nx = 1",
    "%%capture out\n#@title A\n# LONG\nx = 1",
    "%matplotlib inline\n# LONG\nx = 1",
]
SHORT = [
    "# LONG DOCUMENTS\nx = 1",
    "# LONGER\nx = 1",
    "# LONG-TERM memory\nx = 1",
    "# LONG documents first\nx = 1",
    "# It is LONG\nx = 1",
    "x = 1\n# LONG",
    "# EXERCISE f\ndef f():\n    # LONG\n    return 1",
    "'''\n# LONG\n'''",
    "LONG = 1",
    "",
]


@pytest.mark.parametrize("source", LONG)
def test_a_long_cell(source):
    assert is_long(source)


@pytest.mark.parametrize("source", SHORT)
def test_no_long_cell(source):
    assert not is_long(source)


PYTHON = {
    "a magic in a function": ("def f():\n    %time x = 1\n    return 2", "run_line_magic"),
    "a command over lines": ("!pip install a \\\n  b \\\n  c\nx = 1", "x = 1"),
    "a command over lines, last": ("import a\n!echo a \\\n  b", "import a"),
    "% at the start of a line": ("%matplotlib inline\nx = (7\n% 4)", "% 4)"),
    "% after a backslash": ("%matplotlib inline\nx = 7 \\\n% 4", "% 4"),
    "! in a text": ("!ls\nx = '''\n!not a command\n'''", "!not a command"),
    "assigned": ("a.b = !ls\nc = %time 1", "getoutput"),
    "help": ("x = 1\nprint?\n?len\nx??", "pinfo2"),
    "a cell's magic": ("%%time\nx = 1", "run_cell_magic('time'"),
    "a cell's magic below a title": (
        "#@title A title\n\n# mine\n%%time\nx = 1",
        "'#@title A title\\n\\n# mine\\nx = 1",
    ),
    "prompts": (">>> x = 1\n... \n>>> y = 2", "y = 2"),
    "IPython's prompts": ("In [1]: x = 1\n\nIn [2]: y = 2", "y = 2"),
    "indented": ("    x = 1\n    y = 2", "x = 1\ny = 2"),
}


@pytest.mark.parametrize("case", PYTHON)
def test_ipython_becomes_python(case):
    source, words = PYTHON[case]
    ast.parse(as_python(source))
    assert words in as_python(source)


@pytest.mark.parametrize("source", ["x = 1", "x = 3 \\\n% 2", "x = '%time'\n# !ls\n", "", "# %time\n'!ls'"])
def test_python_stays_as_it_is(source):
    assert as_python(source) == source


@pytest.mark.parametrize("source", ["def f(:", "<!-- WRITTEN written_1 -->\nBecause.", "x = (", "\x00", "It is so."])
def test_what_nobody_can_read_is_no_python(source):
    with pytest.raises((SyntaxError, ValueError)):
        ast.parse(as_python(source))


@pytest.mark.parametrize("source", ["x = 1\n%%time\ny = 2", "# a\nx = 1\n%%time\ny = 2", "#@title A\n %%time\ny = 2"])
def test_below_code_and_indented_a_cell_magic_is_none(source):
    assert "run_cell_magic" not in as_python(source)


@pytest.mark.parametrize("line", ["x" + " " * 90_000 + "?", "!" + "a" * 90_000 + "\nx = (", "%" * 50_000])
def test_a_line_without_end_costs_nothing(line):
    began = time.process_time()
    assert as_python(line) == line and time.process_time() - began < 1


@pytest.mark.parametrize(
    "source",
    [
        "%%time\ntorch.allclose = 1",
        "%%time\n%%capture\ntorch.allclose = 1",
        "#@title A title\n%%time\ntorch.allclose = 1",
        "%time torch.allclose = 1",
        "%timeit -n 10 -r2 torch.allclose = 1",
        "%%writefile a.py\ntorch.allclose = 1",
        "%%capture\n!ls\ntorch.allclose = 1",
        "get_ipython().run_line_magic('time', 'torch.allclose = 1')",
        "if True:\n    %time torch.allclose = 1",
    ],
)
def test_what_magics_are_given_is_read_too(source):
    assert any(isinstance(node, ast.Attribute) and node.attr == "allclose" for node in ast.walk(tree_of(source)))


ANSWER = "def f(x):\n    return np.log(x) + helper(x)"
NAMES = {
    "an import": (["# LONG\nimport numpy as np", ANSWER], {"f": ["np"]}),
    "from another": (["# LONG\nfrom numpy import log as np", ANSWER], {"f": ["np"]}),
    "through a helper": (["# LONG\nk = 2", "import numpy as np", ANSWER, "def helper(x): return k"], {"f": ["k"]}),
    "an assignment": (["# LONG\nhelper = len", "import numpy as np", ANSWER], {"f": ["helper"]}),
    "below a magic": (["%%time\n# LONG\nimport numpy as np", ANSWER], {"f": ["np"]}),
    "in a loop": (["# LONG\nfor np in range(3):\n    pass", ANSWER], {"f": ["np"]}),
    "in another cell, too": (["# LONG\nimport numpy as np", "import numpy as np", ANSWER], {}),
    "under try": (
        ["# LONG\nimport numpy as np", "try:\n    import numpy as np\nexcept ImportError:\n    pass", ANSWER],
        {},
    ),
    "an argument": (["# LONG\nx = 1", ANSWER], {}),
    "its own": (["# LONG\ny = 1", "def f(x):\n    y = x\n    return y"], {}),
    "its own import": (["# LONG\nimport numpy as np", "def f(x):\n    import numpy as np\n    return np"], {}),
    "its own function": (
        ["# LONG\ng = 1", "def f(x):\n    def g(y):\n        return y\n    return [g(y) for y in x]"],
        {},
    ),
    "its own class": (["# LONG\nG = 1", "def f(x):\n    class G:\n        y = 2\n    return G"], {}),
    "its own error": (
        ["# LONG\ne = 1", "def f(x):\n    try:\n        x()\n    except OSError as e:\n        return e"],
        {},
    ),
    "its own pattern": (["# LONG\ny = 1", "def f(x):\n    match x:\n        case [y, *_]:\n            return y"], {}),
    "its own only in an inner function": (
        ["# LONG\ny = 1", "def f(x):\n    def g():\n        y = 2\n    return y"],
        {"f": ["y"]},
    ),
    "declared global": (["# LONG\ny = 1", "def f(x):\n    global y\n    y = y + 1\n    return y"], {"f": ["y"]}),
    "a default": (["# LONG\ny = 1", "def f(x, k=y):\n    return k"], {"f": ["y"]}),
    "of Python": (["# LONG\nlen = 1", "def f(x):\n    return len(x)"], {}),
    "of nobody": ([ANSWER], {}),
    "an inner function's": (["# LONG\ndef g():\n    np = 1", ANSWER], {}),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_that_only_long_cells_define(case):
    sources, found = NAMES[case]
    assert only_in_long(sources, ["f"]) == found
