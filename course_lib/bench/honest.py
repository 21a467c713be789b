"""`course bench honest`: notebooks of people who did their own work, graded as any class is. None may be flagged, and
no right answer may lose a point.

A notebook is the student edition of a lab with right answers in one of several styles (the solution's, and the right
alternatives of tests/questions) and with something around them that people put there; and every solution as every
front end and tool saves it (tests/grading/front_ends.py).
"""

import json
import re
import sys
import tempfile
from pathlib import Path

from course_lib.platform import ROOT, counted

# {what people put around their answers: cells before the first exercise}
# fmt: off
AROUND = {
    "nothing": [],
    "shell lines": ["!cat /proc/cpuinfo | head -3\n!ls -la", "files = !ls\nprint(len(files))", "%pwd"],
    "captured stdout": [
        "%%capture said\nprint('quiet')",
        "import contextlib, io\nkept = io.StringIO()\nwith contextlib.redirect_stdout(kept):\n    print('quiet')",
        "import io, sys\nbefore, sys.stdout = sys.stdout, io.StringIO()\nprint('quiet')\nsys.stdout = before",
    ],
    "compile": ["import torch\n@torch.compile\ndef twice(x):\n    return 2 * x\nprint(twice(torch.ones(2)))"],
    "jit": ["import torch\n@torch.jit.script\ndef half(x: torch.Tensor):\n    return x / 2\nhalf(torch.ones(2))"],
    "progress bars": [
        "from tqdm.auto import tqdm\nimport time\nfor _ in tqdm(range(5)):\n    time.sleep(0.01)",
        "from tqdm import trange\ntotal = sum(trange(10))",
    ],
    "plots": [
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2, 3])\nplt.show()",
    ],
    "async": [
        "import asyncio\nasync def later(x):\n    await asyncio.sleep(0.01)\n    return x\nprint(await later(3))",
        "print(await asyncio.gather(later(1), later(2)))",
    ],
    "threads of a DataLoader": [
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "rows = DataLoader(TensorDataset(torch.arange(8)), batch_size=2, num_workers=2, persistent_workers=True)\n"
        "print(sum(int(batch.sum()) for batch, in rows))",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    ],
    "half precision": [
        "import torch\nx = torch.randn(4, 4).bfloat16()\nprint((x @ x).dtype, x.half().float().mean())",
        "with torch.autocast('cpu', dtype=torch.bfloat16):\n    y = torch.randn(4, 4) @ torch.randn(4, 4)",
    ],
    "checks in a loop": [],
    "names like builtins": [
        "def eval(model):\n    return model\neval('my model')",
        "def compile(parts):\n    return ' '.join(parts)\nwords = ['a', 'b']\ncompile(words)",
        "import torch\nnet = torch.nn.Linear(2, 2)\nnet.eval()",
    ],
    "settings": [
        "import os, random, sys, warnings\nimport numpy as np, torch\nwarnings.filterwarnings('ignore')\n"
        "random.seed(1); np.random.seed(1); torch.manual_seed(1)\ntorch.set_printoptions(precision=3)\n"
        "torch.set_num_threads(2)\nsys.path.append('.')\nos.environ['TOKENIZERS_PARALLELISM'] = 'false'",
        "%timeit -n 1 -r 1 sum(range(10))",
        "%%time\nz = sum(range(1000))",
    ],
}
# fmt: on


def styles(lab):
    """[{question id: source of a right answer}]: the solution's, then the banks', each question's own over and over."""
    sys.path.insert(0, str(ROOT))
    from tests.questions import tally

    bank = tally.bank(lab)
    solution = cells_of(ROOT / "solutions" / f"{lab}.ipynb")
    sources = {name: [solution[name], *entry["right"].values()] for name, entry in bank.items()}
    return [{name: each[k % len(each)] for name, each in sources.items()} for k in range(4)]


def cells_of(path):
    """{question id: source of its exercise} of a notebook."""
    found = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and (name := re.match(r"# EXERCISE (\w+)\n", source)):
            found[name[1]] = source
    return found


def notebook(lab, answers, around):
    """A student's notebook, as text."""
    made = json.loads((ROOT / "labs" / f"{lab}.ipynb").read_text(encoding="utf-8"))
    cells, looped = [], []
    for cell in made["cells"]:
        source = "".join(cell["source"])
        name = re.match(r"# EXERCISE (\w+)\n", source) if cell["cell_type"] == "code" else None
        check = re.fullmatch(r'check\("(\w+)"\)', source.strip()) if cell["cell_type"] == "code" else None
        if name:
            source = answers[name[1]]
            if not source.startswith("# EXERCISE"):
                source = f"# EXERCISE {name[1]}\n{source}"
            if around == "compile":
                source += f"\nimport torch\n{name[1]} = torch.compile({name[1]})"
        if check and around == "checks in a loop":
            looped.append(check[1])
            continue
        if cell["cell_type"] == "markdown":
            source = source.replace("YOUR ANSWER HERE", "Because the numbers above say so: 3.2 against 2.9.")
        cells.append(cell | {"source": source})
        if source.startswith("#@title Setup"):
            cells += [code(each) for each in AROUND[around]]
    if looped:
        cells.append(code(f"for name in {looped!r}:\n    check(name)"))
    return json.dumps(made | {"cells": [cell | {"id": f"c{k}"} for k, cell in enumerate(cells)]})


def code(source):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def corpus(labs, arounds=tuple(AROUND)):
    """{lab: {name of a student: notebook}}: every lab with all of what people put around, in turn in every style."""
    made = {}
    for lab in labs:
        answers = styles(lab)
        made[lab] = {
            f"{around} {k % len(answers)}".replace(" ", "-"): notebook(lab, answers[k % len(answers)], around)
            for k, around in enumerate(arounds)
        }
    return made


def front_ends(labs):
    """{lab: {name of a student: notebook}}: every solution as every front end and tool saves it."""
    sys.path.insert(0, str(ROOT))
    from tests.grading.front_ends import saves

    made = {}
    for lab in labs:
        text = (ROOT / "solutions" / f"{lab}.ipynb").read_text(encoding="utf-8")
        made[lab] = {re.sub(r"\W+", "-", f"saved by {name}"): book for name, book in saves(text)}
    return made


def graded(lab, books, folder):
    """{student: result} of notebooks that are collected and graded as a class is."""
    from course_lib.grading.intake import collect
    from course_lib.grading.scoring import grade

    handed, submitted, grades = folder / "handed_in", folder / "submissions", folder / "grades"
    for student, text in books.items():
        (handed / student).mkdir(parents=True)
        (handed / student / f"{lab}.ipynb").write_text(text, encoding="utf-8")
    collect.collect(lab, sorted(handed.iterdir()), submitted=submitted, say=lambda line: None)
    return grade.grade(lab, workers=1, grades=grades, submitted=submitted)


def found_in(lab, result):
    """(flags, points lost on functions, why) of one result."""
    from course_lib.questions import core

    asked = {q.id: q.points for q in core.questions_of(lab) if isinstance(q, core.Question)}
    got = {q["id"]: q["score"] for q in result["questions"]}
    lost = sum(points - (got.get(name) or 0.0) for name, points in asked.items())
    why = [f"{result['status']}: {result.get('reason', '')}"] if result["status"] != "graded" else []
    for question in result["questions"]:
        for case in question["cases"] if question["id"] in asked else []:
            if case["status"] != "pass":
                why.append(f"{question['id']}, {case['name']}: {case['message'][:160]}")
    return result["flags"], max(0.0, round(lost, 6)), why


def survey(books_of):
    """The figures of a corpus, and a line for whatever was flagged or lost points."""
    total, flagged, lost, said = 0, 0, 0.0, []
    for lab, books in books_of.items():
        with tempfile.TemporaryDirectory() as place:
            results = graded(lab, books, Path(place))
        total += len(results)
        said += [f"{lab}: {len(books) - len(results)} notebooks were not taken"] * (len(results) != len(books))
        for student, result in results.items():
            flags, points, why = found_in(lab, result)
            flagged += bool(flags)
            lost += points
            said += [f"{lab} {student}: {flag['kind']}: {flag['evidence']}" for flag in flags]
            said += [f"{lab} {student}: {counted(points, 'point')} lost: {line}" for line in why[:3]]
    return {"notebooks": total, "flagged": flagged, "lost_points": round(lost, 6)}, said


def bench_honest(arguments):
    from course_lib.questions import core

    figures, said = survey(corpus(core.labs()))
    saved, more = survey(front_ends(core.labs()))
    for line in said + more:
        print(line, file=sys.stderr)
    return {key: round(figures[key] + saved[key], 6) for key in figures}
