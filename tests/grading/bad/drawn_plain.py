"""Variants of what people hand in, clumsy and plain (numbers 1 to 14 and 49 to 58): each function draws one."""

import json

from bad import attacks, ways
from bad.make import SMALL, Bad, book, function, notebook, right_answers, stub
from bad.ways import one_of, some_of

ALL, HALF = 1.5, 0.75
NAMES = ("surprise", "entropy")
PASSED = "✓ {}: passed, 0.75 of 0.75 points"


def right(rng, lab=SMALL):
    """{question: a right answer}, drawn from the banks."""
    from tests.questions import tally

    return {name: rng.choice(list(entry["right"].values())) for name, entry in tally.bank(lab).items()}


def somewhere(rng, number, said, text, statuses, without=(), **more):
    """`text` in a cell before right answers, which costs nothing, or in one answer, which has one of `statuses`."""
    answers, name = right(rng), rng.choice(NAMES)
    if rng.random() < 0.4:
        way, source = ways.cell(rng, text, without)
        return Bad(number, f"{said!r} in a cell, {way}", lambda p: book(answers, before=[source]), "G", ALL, **more)
    way, source = ways.answer(rng, name, f"{text}\nreturn -1.0")
    made, more["statuses"] = {**answers, name: source}, {name: statuses}
    return Bad(number, f"{said!r} in {name}, {way}", lambda p: book(made), "Q0", HALF, **more)


def released(lab):
    from course_lib.platform import ROOT

    return (ROOT / "labs" / f"{lab}.ipynb").read_text(encoding="utf-8")


def labs():
    from course_lib.questions import core

    return core.labs()


STUBS = {
    "pass": "pass",
    "...": "...",
    "a docstring": '"""Not done."""',
    "raise": "raise NotImplementedError",
    "a message": "raise NotImplementedError('YOUR CODE HERE')",
    "return None": "return None",
    "TODO": "# TODO\n    return NotImplemented",
    "an assertion": "assert False, 'later'",
}


def untouched(rng):
    if rng.random() < 0.5:
        lab = rng.choice(labs())
        return Bad(1, f"lab {lab[:2]} as released", lambda p: released(lab), "G", 0.0, lab=lab)
    picked = {name: rng.choice(list(STUBS)) for name in NAMES}
    answers = {name: f"def {name}(*args):\n    {STUBS[way]}" for name, way in picked.items()}
    if rng.random() < 0.3:
        gone = rng.choice(NAMES)
        answers[gone], picked[gone] = "# nothing here", "gone"
    return Bad(1, f"stubs: {', '.join(picked.values())}", lambda p: book(answers), "G", 0.0)


def correct(rng):
    from course_lib.bench import honest
    from course_lib.questions import core

    lab, around = rng.choice(labs()[:3]), rng.choice(list(honest.AROUND))
    style = rng.randrange(4)
    points = sum(q.points for q in core.questions_of(lab) if isinstance(q, core.Question))
    make = lambda p: honest.notebook(lab, honest.styles(lab)[style], around)
    return Bad(2, f"lab {lab[:2]}, style {style}, {around}", make, "G", points, lab=lab)


def reordered(rng):
    """The set-up first, then the answers in any order, some cells merged, empty and markdown ones between."""
    answers = right(rng)
    cells = [("code", source) for source in answers.values()]
    cells += [("code", f'check("{name}")') for name in answers] + [("code", ""), ("markdown", "# mine"), ("raw", "x")]
    rng.shuffle(cells)
    merged = []
    for kind, source in cells:
        if merged and merged[-1][0] == kind == "code" and rng.random() < 0.4:
            merged[-1] = kind, merged[-1][1] + "\n\n" + source
        else:
            merged.append((kind, source))
    made = json.loads(book())
    first = made["cells"][0]
    made["cells"] = [first] + [
        {**first, "id": f"m{n}", "cell_type": kind, "source": source} for n, (kind, source) in enumerate(merged)
    ]
    order = " ".join(kind[0] + str(len(source)) for kind, source in merged)
    return Bad(3, f"cells {order}", lambda p: json.dumps(made), "G", ALL)


def stripped(rng):
    made, done = json.loads(book(right(rng))), []
    changes = {
        "no ids": lambda c: c.pop("id", None),
        "ids twice": lambda c: c.update(id="same"),
        "odd ids": lambda c: c.update(id=rng.choice(list(ways.VALUES.values())[:14])),
        "no metadata": lambda c: c.pop("metadata", None),
        "odd metadata": lambda c: c.update(metadata=rng.choice(list(ways.VALUES.values())[:14])),
        "lines": lambda c: c.update(source="".join(c["source"]).splitlines(True)),
        "letters": lambda c: c.update(source=list(c["source"])),
        "no outputs": lambda c: c.pop("outputs", None),
        "odd outputs": lambda c: c.update(outputs=rng.choice([None, 7, "x", {}, [None, 3, "", {}], {"outputs": []}])),
        "odd counts": lambda c: c.update(execution_count=rng.choice(["1", -5, 10**30, [], None, 1.5])),
        "more keys": lambda c: c.update({"": 0, "source ": "raise", "prompt_number": {}, "level": 1}),
        "keys turned round": lambda c: c.update(dict(reversed([(k, c.pop(k)) for k in list(c)]))),
    }
    for change in some_of(rng, changes):
        done.append(change)
        for cell in made["cells"]:
            if rng.random() < 0.7:
                changes[change](cell)
    return Bad(4, ", ".join(done), lambda p: json.dumps(made), "G", ALL)


def twice(rng):
    """2 to 5 definitions of one name, in several ways; the last one counts."""
    name, n, good = rng.choice(NAMES), rng.randint(2, 5), rng.random() < 0.5
    answers, forms, cells = right(rng), [], []
    for last in [False] * (n - 1) + [True]:
        way = rng.choice(list(ways.FULL))
        forms.append(way)
        held = ways.HOLDS[way].replace("CALL", ways.CALL).format(name=name, f="step")
        if last and good:
            cells.append(answers[name])
        elif rng.random() < 0.3:
            cells.append(f"{name} = lambda x: -1.0")
        else:
            cells.append(f"def step(x, args, kwargs):\n    return -1.0\n{held}")
    answers[name] = cells[0] if rng.random() < 0.5 else answers[name]
    label = f"{name} {n} times, the last {'right' if good else 'wrong'}, by {', '.join(forms)}"
    return Bad(5, label, lambda p: book(answers, after=cells[1:]), "G", ALL if good else HALF, flags_ok=True)


REBOUND = {
    "def": "def check(*a):\n    return True",
    "a class": "class check:\n    def __init__(self, *a):\n        pass",
    "a lambda": "check = lambda *a: True",
    "an import": "from builtins import print as check",
    "a loop": "for check in [print]:\n    pass",
    "a with": "import contextlib\nwith contextlib.nullcontext(print) as check:\n    pass",
    "a walrus": "(check := print)",
    "a tuple": "check, other = print, 1",
    "global": "def f():\n    global check\n    check = print\nf()",
    "globals()": "globals()['check'] = print",
    "globals().update": "globals().update(check=print)",
    "async": "async def check(*a):\n    return True",
    "builtins": "import builtins\nbuiltins.check = print\ndel check",
    "the library's": "import course_lib\ncourse_lib.check = print",
    "annotated": "check: object = print",
    "a match": "match print:\n    case check:\n        pass",
    "a star": "*check, = [print]",
}
HIDDEN = {
    "deleted": "",
    "a comment": '# check("{}")',
    "a text": '"""\ncheck("{}")\n"""',
    "never": 'if False:\n    check("{}")',
    "0": 'if 0:\n    check("{}")',
    "a function": 'def never():\n    check("{}")',
    "a lambda": 'later = lambda: check("{}")',
    "an f-string": "print('check(\"{}\")')",
    "caught": 'if "":\n    pass\n    check("{}")',
    "while 0": 'while 0:\n    check("{}")',
}


def check_edited(rng):
    name = rng.choice(NAMES)
    answers = {**right(rng), name: stub(name)}
    if rng.random() < 0.5:
        way, text = one_of(rng, REBOUND)
        return Bad(
            6,
            f"rebound by {way}",
            lambda p: book(answers, before=[text]),
            "GF",
            HALF,
            ("check deleted or edited|patched library|runs text as code",),
        )
    way, text = one_of(rng, HIDDEN)

    def make(place):
        return book(answers).replace(json.dumps(f'check("{name}")'), json.dumps(text.format(name)))

    return Bad(6, f"{way} in place of check", make, "GF", HALF, ("check deleted or edited",))


def flipped(rng):
    name = rng.choice(NAMES)
    made = json.loads(book({**right(rng), name: function(name, "return -1.0")}))
    said = []
    for cell in made["cells"]:
        key = rng.choice(["points", "grade", "solution", "locked", "grade_id", "task", "schema_version", "cell_type"])
        label, value = one_of(rng, ways.VALUES)
        cell["metadata"] = {
            rng.choice(["nbgrader", "otter", "deletable", "tags", "editable"]): {key: value, "points": 1e9, "grade": 1},
            "tags": rng.choice([["skip-execution"], ["remove-cell"], ["raises-exception"], "hide", 7, [[]]]),
        }
        said.append(f"{key} {label}")
    made["metadata"] = {
        "kernelspec": rng.choice([{"name": "ir", "language": "R"}, "python3", [], {"name": 5}]),
        "language_info": rng.choice([{"name": "julia"}, None, {"version": [3]}]),
        "widgets": {"state": {str(n): {} for n in range(rng.randint(0, 50))}},
    }
    made["nbformat_minor"] = rng.choice([5, 99, "5", None, -1, 5.0])
    return Bad(7, ", ".join(said[:3]), lambda p: json.dumps(made), "G", HALF)


def formats(rng):
    made, label = json.loads(book(right(rng))), []
    if rng.random() < 0.4:
        sheets = [
            [{"cell_type": "code", "input": c["source"], "outputs": [], "language": "python"}] for c in made["cells"]
        ]
        made = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": s} for s in sheets]}
        label.append(f"nbformat 3 in {len(sheets)} sheets")
    else:
        made["nbformat_minor"] = rng.randint(0, 9)
        label.append(f"4.{made['nbformat_minor']}")
    text = json.dumps(made, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1, 4, "\t"]))
    end = rng.choice(["\n", "\r\n", "\r"])
    if end != "\n":
        text = text.replace("\n", end).replace("\\n", json.dumps(end)[1:-1])
    coding = rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(coding, b"")
    data = mark + (rng.choice(["", " ", "\n\n"]) + text + rng.choice(["", "\n", " \t"])).encode(coding)
    return Bad(8, ", ".join([*label, coding, repr(end)]), lambda p: data, "G", ALL)


def broken(rng):
    whole = book(right(rng)).encode()
    cut = rng.randrange(1, len(whole) - 2)
    n = rng.randrange(2000, 200_000)
    spot = rng.randrange(len(whole))
    choices = {
        f"cut after {cut} bytes": whole[:cut],
        f"its first {cut} bytes gone": whole[cut:],
        "twice in one file": whole + whole,
        "bytes behind it": whole + bytes([rng.randrange(33, 127)]),
        "a scalar": json.dumps(rng.choice([0, 1.5, "x", True, None])).encode(),
        "cells of another type": json.dumps({"cells": rng.choice([None, 0, "x", {}, {"0": {}}])}).encode(),
        "cells that are none": json.dumps({"cells": [None, 1, "x", [], {"cell_type": 3}], "nbformat": 4}).encode(),
        f"{n} opening brackets": rng.choice([b"[", b'{"a":', b'[{"cells":']) * n,
        f"a number of {n} digits": b'{"cells": ' + b"7" * n + b"}",
        "a web page": rng.choice([b"<html>", b"<!doctype html>", b"\n\n<head><title>"]) + b"<body>Sign in</body>",
        "gzip": b"\x1f\x8b\x08" + bytes(rng.randrange(256) for _ in range(200)),
        "a pickle": b"\x80\x04\x95" + bytes(rng.randrange(256) for _ in range(200)),
        "zeros": bytes(n),
        "a git conflict": b"{\n<<<<<<< HEAD\n" + whole[1:] + b"\n=======\n}\n>>>>>>> theirs\n",
        "nbformat 2": json.dumps({"nbformat": 2, "worksheets": []}).encode(),
        f"a quote at {spot}": whole[:spot] + b'"' + whole[spot:],
    }
    label, data = one_of(rng, choices)
    return Bad(9, label, lambda p: data, "U", None)


def other_lab(rng):
    lab = rng.choice([name for name in labs() if name != SMALL])
    way = rng.choice(["as released", "without its set-up", "its set-up in another form", "two set-ups"])
    text = released(lab)
    if way == "without its set-up":
        text = text.replace("course_lib.setup(", "print(").replace("setup(", "print(")
    if way == "its set-up in another form":
        text = notebook([f"from course_lib import setup\ncourse = setup( '{lab}' , seed=3)", *right_answers().values()])
    if way == "two set-ups":
        text = notebook([f'setup("{SMALL}")', f'setup("{lab}")'])
    return Bad(10, f"lab {lab[:2]}, {way}", lambda p: text, "U", None, says="handed in for")


def outputs_of(rng):
    """Tens of MB of stored outputs in one of several forms."""
    megabytes, picked = rng.randint(17, 24), rng.randrange(2, 5)
    forms = {
        "a picture": {"output_type": "display_data", "data": {"image/png": "A" * 2**20}, "metadata": {}},
        "lines": {"output_type": "stream", "name": "stdout", "text": ['loss [1] "2" \\n\n' * 64] * 1000},
        "HTML": {"output_type": "display_data", "data": {"text/html": '<td class=\\"x\\">]' * 60_000}, "metadata": {}},
        "nested lists": {"output_type": "display_data", "data": {"a/b": [[["["] * 50] * 40] * 20}, "metadata": {}},
        "a traceback": {"output_type": "error", "ename": "E", "traceback": ["\u001b[0;31m-\\" * 40_000] * 3},
    }
    label, output = one_of(rng, forms)
    one = json.dumps(output)
    made = json.loads(book(right(rng)))
    made["cells"][picked]["outputs"] = ["HERE"]
    many = megabytes * 2**20 // len(one) + 1
    make = lambda p: json.dumps(made).replace('"HERE"', ", ".join([one] * many))
    return Bad(11, f"{megabytes} MB, {label}, in cell {picked}", make, "G", ALL, says="MB of stored outputs|^")


SYNTAX = (
    "def surprise(options:\n    return 1",
    "x = (1,\n",
    "if True:\nx = 1",
    "print 'hello'",
    "return 3",
    "x = 'a\n",
    "f'{'",
    "a = = 2",
    "class :",
    "\u201csmart\u201d",
    "\tx = 1\n  y = 2",
    "lambda: (yield",
    "x = 1 +",
    "for in range(3):",
    "<<<<<<< HEAD",
    "def f(:\n",
    "0777",
    "async def f():\n    await",
    "match x:\ncase 1: pass",
    "nonlocal x",
    "1 = x",
    "try:\n    pass",
    "else:\n    pass",
    "import",
    "from . import",
    "x = {1: 2, 3}",
    "'\\N{no such name}'",
    "del f()",
)


def syntax(rng):
    bad, name = rng.choice(SYNTAX), rng.choice(NAMES)
    if rng.random() < 0.5:
        where = rng.choice(["before", "after"])
        answers = right(rng)
        return Bad(12, f"{bad[:20]!r} {where}", lambda p: book(answers, **{where: [bad]}), "G", ALL, says="SyntaxError")
    answers = right(rng)
    answers[name] = rng.choice([bad + "\n" + answers[name], answers[name] + "\n" + bad])
    return Bad(
        12,
        f"{bad[:20]!r} in {name}",
        lambda p: book(answers),
        "Q0",
        HALF,
        statuses={name: "missing"},
        says="SyntaxError",
    )


LEFT = [
    *attacks.LEFT_OVER,
    "%time x = 1",
    "x = %pwd",
    "!echo hi > f.txt",
    "%env A=1",
    "%%capture\nprint(1)",
    "help(print)",
    "%who",
    "import pdb; pdb.post_mortem()",
    "display(1)",
    "get_ipython().run_line_magic('ls', '')",
    "y = input()",
    "%%writefile notes.txt\nhello",
    "%pip install -q numpy",
    "import getpass; getpass.getpass()",
    "%conda list",
    "!!ls",
    "print??",
    "exit",
    "quit",
    "%reset -f",
    "%cd /tmp",
    "from google.colab import drive; drive.mount('/x')",
]


def left_over(rng):
    answers, picked = right(rng), rng.sample(LEFT, 4)
    reset = any("%reset" in text for text in picked)
    place = "before" if reset else rng.choice(["before", "after"])
    label = ", ".join(text[:14] for text in picked)
    return Bad(13, f"{label}, {place}", lambda p: book(answers, **{place: picked}), "G", ALL, flags_ok=True)


def exits(rng):
    stop = rng.choice([e for e in attacks.EXITS if e != "exit"])
    statuses = ("error", "killed", "timeout", "fail")
    return somewhere(rng, 14, stop[:20], stop, statuses, without=("a with's end",))


# ---- clumsy and right ------------------------------------------------------------------------------------------------

NOISES = (
    "print('x' * 300)",
    "import sys\nprint('oh', file=sys.stderr)",
    "import warnings\nwarnings.warn('hm')",
    "import logging\nlogging.error('e')",
    "from tqdm import tqdm\nlist(tqdm(range(3)))",
    "import os\nos.write(2, b'raw')",
    "import warnings\nwarnings.warn('old', DeprecationWarning)",
    "import logging\nlogging.getLogger().exception('e')",
    "import traceback\ntraceback.print_stack()",
    "import os\nos.system('echo out; echo err >&2')",
    "from rich import print as p\np('[red]x[/]')",
    "import sys\nsys.stdout.write('\\r50 %')",
)


def noisy(rng):
    noise, name, answers = some_of(rng, NOISES, 2)[:4], rng.choice(NAMES), right(rng)
    text = "\n".join(noise)
    if rng.random() < 0.5:
        return Bad(49, f"{len(noise)} kinds in a cell", lambda p: book(answers, before=[text]), "G", ALL)
    source = (
        f"{answers[name]}\nsilent_{name} = {name}\ndef {name}(x):\n{ways.indented(text)}\n    return silent_{name}(x)"
    )
    return Bad(49, f"{len(noise)} kinds in {name}", lambda p: book({**answers, name: source}), "G", ALL)


def slow(rng):
    seconds, name, answers = rng.uniform(0.05, 0.3), rng.choice(NAMES), right(rng)
    wait = rng.choice(
        [
            f"import time\n    time.sleep({seconds:.2f})",
            f"import time\n    end = time.monotonic() + {seconds:.2f}\n    while time.monotonic() < end: pass",
            f"import subprocess\n    subprocess.run(['sleep', '{seconds:.2f}'])",
            f"import threading\n    threading.Event().wait({seconds:.2f})",
            "import torch\n    for _ in range(30): torch.randn(100, 100) @ torch.randn(100, 100)",
        ]
    )
    source = f"{answers[name]}\nquick_{name} = {name}\ndef {name}(x):\n    {wait}\n    return quick_{name}(x)"
    return Bad(52, f"{name}: {wait[:40]!r}", lambda p: book({**answers, name: source}), "G", ALL)


GLOBALS = [
    *attacks.LEAKS.values(),
    "import sys\nsys.setrecursionlimit(200)",
    "import gc\ngc.disable()",
    "import locale\nlocale.setlocale(locale.LC_ALL, 'C')",
    "import decimal\ndecimal.getcontext().prec = 2",
    "import numpy as np\nnp.seterr(all='raise')",
    "import torch\ntorch.use_deterministic_algorithms(True)",
    "import sys\nsys.path.clear()",
    "import os\nos.umask(0o777)",
    "import torch\ntorch.manual_seed(1)",
    "import random\nrandom.seed(0)",
    "import warnings\nwarnings.filterwarnings('error')",
    "import torch\ntorch.set_default_device('meta')",
    "import torch\ntorch.set_printoptions(precision=1)",
    "import torch\ntorch.inference_mode(True).__enter__()",
    "import sys\nsys.stdout = None",
]


def global_state(rng):
    leak, name, answers = rng.choice(GLOBALS), rng.choice(NAMES), right(rng)
    if rng.random() < 0.5:
        return Bad(53, f"{leak[:50]!r} in a cell", lambda p: book(answers, before=[leak]), "G", ALL, flags_ok=True)
    source = (
        f"{answers[name]}\nclean_{name} = {name}\ndef {name}(x):\n    y = "
        f"clean_{name}(x)\n{ways.indented(leak)}\n    return y"
    )
    make = lambda p: book({**answers, name: source})
    return Bad(53, f"{leak[:50]!r} in {name}", make, "G", ALL, flags_ok=True)


def gpu(rng):
    name = rng.choice(NAMES)
    asks = {
        ".cuda()": "torch.ones(2).cuda()",
        ".to": "torch.ones(2).to('cuda')",
        "device=": "torch.zeros(1, device='cuda:0')",
        "a device": "torch.ones(1).to(torch.device('cuda', 0))",
        "a with": "with torch.device('cuda'):\n    torch.ones(1)",
        "a module": "torch.nn.Linear(1, 1).cuda()",
        "a stream": "torch.cuda.current_device()",
    }
    label, ask = one_of(rng, asks)
    answers = right(rng)
    if rng.random() < 0.6:
        source = f"import torch\n{function(name, ask)}\n    return 0.0"
        make = lambda p: book({**answers, name: source})
        return Bad(55, f"{label} in {name}", make, "U", None, says="needs a GPU")
    guarded = f"import torch\nif torch.cuda.is_available():\n{ways.indented(ask)}"
    return Bad(55, f"{label} where there is one", lambda p: book(answers, before=[guarded]), "G", ALL)


def package(rng):
    name, module = (
        rng.choice(NAMES),
        rng.choice(["left_pad", "tensorflow", "jax", "sklearn_extra", "wandb", "my_utils"]),
    )
    asks = [
        f"import {module}",
        f"from {module} import thing",
        f"import {module}.sub as s",
        f"__import__('{module}')",
        f"import importlib\nimportlib.import_module('{module}')",
        f"!pip install {module}\nimport {module}",
        f"%pip install {module}\nimport {module}",
    ]
    ask, answers = rng.choice(asks), right(rng)
    if rng.random() < 0.5 and not ask.startswith(("!", "%")):
        source = f"{function(name, ask)}\n    return 0.0"
    else:
        source = f"{ask}\n{answers[name]}"
    return Bad(
        56, f"{ask[:40]!r}, {name}", lambda p: book({**answers, name: source}), "Q0", HALF, says="No module named"
    )


def paths(rng):
    name, answers = rng.choice(NAMES), right(rng)
    path = rng.choice(
        [
            "/content/drive/MyDrive/x.csv",
            "C:\\\\Users\\\\ann\\\\x.csv",
            "/Users/ann/x.csv",
            "~/x.csv",
            "../data/x.csv",
            "/kaggle/input/x.csv",
            "file:///x.csv",
            "/dbfs/x.csv",
            "data/é x.csv",
        ]
    )
    ask = rng.choice(
        [
            f"open('{path}')",
            f"import pandas as pd\npd.read_csv('{path}')",
            f"import numpy as np\nnp.loadtxt('{path}')",
            f"import pathlib\npathlib.Path('{path}').read_text()",
            f"import torch\ntorch.load('{path}')",
            f"import os\nos.listdir('{path}')",
        ]
    )
    inside = rng.random() < 0.5
    source = f"{function(name, ask)}\n    return 0.0" if inside else f"{ask}\n{answers[name]}"
    return Bad(57, f"{ask[:60]!r}, {name}", lambda p: book({**answers, name: source}), "Q0", HALF, flags_ok=True)


def unsaved(rng):
    """Stored outputs that disagree with the source, in several forms of what a check prints."""
    name, says = rng.choice(NAMES), rng.random() < 0.6
    words = PASSED.format(name) if says else f"✗ {name}: not right yet"
    answers = {**right(rng), name: rng.choice([stub(name), function(name, "return -2.5")])} if says else right(rng)
    forms = {
        "text/plain": {"output_type": "display_data", "data": {"text/plain": words}, "metadata": {}},
        "lines": {"output_type": "execute_result", "data": {"text/plain": ["\n", words, "\nx"]}, "metadata": {}},
        "a stream": {"output_type": "stream", "name": "stdout", "text": [words + "\n"]},
        "one text": {"output_type": "stream", "name": "stdout", "text": "epoch 1\n" + words},
    }
    label, output = one_of(rng, forms)
    made = json.loads(book(answers))
    for cell in made["cells"]:
        if cell["source"] == f'check("{name}")':
            cell["outputs"] = [output] * rng.randint(1, 3)
    flags = ("passes only in the notebook",) if says else ()
    outcome, points = ("GF", HALF) if says else ("G", ALL)
    return Bad(58, f"{'passed' if says else 'failed'} as {label}", lambda p: json.dumps(made), outcome, points, flags)


DRAW = {
    1: untouched,
    2: correct,
    3: reordered,
    4: stripped,
    5: twice,
    6: check_edited,
    7: flipped,
    8: formats,
    9: broken,
    10: other_lab,
    11: outputs_of,
    12: syntax,
    13: left_over,
    14: exits,
    49: noisy,
    52: slow,
    53: global_state,
    55: gpu,
    56: package,
    57: paths,
    58: unsaved,
}
