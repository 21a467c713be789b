"""Signs are of what a cell does, not of how it is spelled: every way to put something in a library's place, to give the
name check away, to leave a check out, to run a text.
"""

import base64

import pytest
from bad import drawn_fresh, drawn_plain, drawn_tricks, ways

from course_lib.grading.scoring import signs

WRAPS = {
    "as it is": "{}",
    "under a try": "try:\n    pass\nfinally:\n{}",
    "in a function": "def step():\n{}\nstep()",
    "as text": None,
}


def kinds(*sources, checked=()):
    return {f["kind"] for f in signs.static_flags([(n, "code", s) for n, s in enumerate(sources)], list(checked))}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("way", drawn_tricks.SETS)
def test_a_part_of_a_library_is_replaced(way, wrap):
    text = drawn_tricks.SETS[way].format(t="torch", n="equal").replace("F", "(lambda *a: True)")
    form = WRAPS[wrap]
    source = f"exec({text!r})" if form is None else form.format(text if form == "{}" else ways.indented(text))
    assert kinds(source) & {"patched library", "reaches for the grader"}


@pytest.mark.parametrize("way", drawn_plain.REBOUND)
def test_check_is_given_to_something_else(way):
    assert kinds(drawn_plain.REBOUND[way]) & {"check deleted or edited", "patched library"}


@pytest.mark.parametrize("way", drawn_plain.HIDDEN)
def test_a_check_that_never_runs(way):
    assert kinds(drawn_plain.HIDDEN[way].format("surprise"), checked=["surprise"]) == {"check deleted or edited"}


# fmt: off
@pytest.mark.parametrize("source", [
    "exec(text)", "import builtins\nbuiltins.eval(text)", "__builtins__.exec(text)", "get_ipython().run_cell(text)",
    "import runpy\nrunpy.run_path(path)", "import marshal\nmarshal.loads(data)", "import pickle\npickle.loads(data)",
    "import types\ntypes.FunctionType(code, {})", "import code\ncode.InteractiveInterpreter().runsource(text)",
    "import importlib\nimportlib.import_module('cty' + 'pes')", "getattr(torch, 'rms' + '_norm')",
    "import operator\noperator.attrgetter('epyt'[::-1])(x)", "get_ipython().ev(text)",
])
# fmt: on
def test_a_text_that_only_the_running_program_knows(source):
    assert "runs text as code" in kinds(source)


# fmt: off
@pytest.mark.parametrize("sources", [
    ["refused = {'a': 1}\nrefused['a'] += 1", "from course_lib.world.harms import refused"],
    ["import os, sys\nos.environ['A'] = '1'\nsys.path.append('.')\nsys.argv[1:] = []"],
    ["import torch\ntorch.backends.mkldnn.enabled = False\nx = torch.ones(3)\nx[0] = 2\nx.requires_grad = True"],
    ["import numpy as np\nd = np.zeros(3)\nd[:] = 1\nnet.weight.data = d\nsetattr(net, 'a', 1)\nvars(net).update(b=2)"],
    ["model.eval()\nimport re\nre.compile(pattern)\ntorch.compile(f)\ndf.eval('a + b')\nmodel.compile(optimizer)"],
    ["from course_lib import check", "from course_lib.notebook.check import check, mine", "import torch as t\nu = t"],
    ["def f(checks):\n    for check in checks:\n        print(check)", "getattr(model, f'layer{i}')\ngetattr(x, name)"],
    ["import importlib\nfor m in ('torch', 'numpy'):\n    importlib.import_module(m)", "exec('x = 1')"],
    ["spline.ev(x, y)\nopen('/content/etc/notes')", "glob('/sys/devices/*')\n!cat /proc/cpuinfo"],
    ["from unittest.mock import patch\nwith patch.object(model, 'forward'):\n    pass", "class A:\n    check = 1"],
])
# fmt: on
def test_what_honest_people_write_is_no_sign(sources):
    assert kinds(*sources) == set()


# fmt: off
@pytest.mark.parametrize("source", [
    "open('/etc/passwd').read()", "!cat /etc/shadow", "import os\nos.stat('/dev/mem')", "f = open('/dev/kmem', 'rb')",
    "from pathlib import Path\nlist(Path('/root/.ssh').iterdir())", "os.path.exists('/.dockerenv')",
    "s.connect('/var/run/docker.sock')", "os.listdir('/sys/class/net')",
])
# fmt: on
def test_what_only_looks_round_the_machine_is_a_sign(source):
    assert kinds(source) == {"reaches for the grader"}


def test_every_carrier_of_ipython_is_looked_into():
    for carrier in drawn_fresh.CARRIERS.values():
        payload = drawn_tricks.SETS["a loop"].format(t="json", n="dumps").replace("F", "(lambda *a: True)")
        text = carrier.format(p=payload, r=repr(payload), b=base64.b64encode(payload.encode()))
        assert kinds(text, "import carried") & set(drawn_tricks.TOUCHED.split("|")), carrier


def test_a_check_in_a_function_that_is_called_in_a_loop_or_in_a_magic_counts():
    cells = ["def all_of_them():\n    check('surprise')\nall_of_them()", "%time check('entropy')", "for n in []: pass"]
    assert kinds(*cells, checked=["surprise", "entropy"]) == set()
    assert kinds("def f(:\ncheck('surprise')", checked=["surprise"]) == set()  # a cell that nobody can read
