"""Notebooks with right answers, as editors, platforms and people leave them."""

import json

from cases.make import ENTROPY, FULL, HALF, IMPORTS, QUESTIONS, SURPRISE, WRITTEN, Case, cells, notebook, zipped

RETURN = "return -sum(p * math.log(p) for p in probs if p > 0)"
STUB = "YOUR ANSWER HERE"


def case(kind, label, made, points=FULL, says="", written=None, name="ada.ipynb"):
    data = made if isinstance(made, bytes) else notebook(made)
    return Case(kind, label, {name: data}, {} if points is None else {"ada": points}, says=says, written=written or {})


def of(kind, variants, **changes):
    """Cases of the notebook with one change each: {label: keywords of `cells`}."""
    return [case(kind, label, cells(**keywords), **changes) for label, keywords in variants.items()]


def mark(name, text):
    return "markdown", f"<!-- WRITTEN {name} -->\n{text}"


TWO = [("markdown", QUESTIONS["written_2"]), mark("written_2", WRITTEN["written_2"])]
ASK = ("markdown", QUESTIONS["written_1"])
ODD = {
    "French": "Pourquoi\u00a0? Parce que\u202f: 2,354\u00a0nats.",
    "Persian": "می\u200cشود",
    "Chinese, and an emoji of two": "熵是\u3000平均。 👩\u200d🏫",
}
BOOK = json.loads(notebook())
OLD = {
    "nbformat": 2,
    "nbformat_minor": 0,
    "metadata": {},
    "worksheets": [{"cells": [{"cell_type": "code", "input": "x"}]}],
}
THREE = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": ""},
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {
                    "cell_type": c["cell_type"],
                    "metadata": {},
                    ("input" if c["cell_type"] == "code" else "source"): c["source"],
                }
                | ({"language": "python", "outputs": [], "collapsed": False} if c["cell_type"] == "code" else {})
                for c in BOOK["cells"]
            ],
        }
    ],
}
CONFLICT = b"<<<<<<< HEAD\n" + notebook() + b"\n=======\n" + notebook(note="theirs") + b"\n>>>>>>> main\n"
MIDDLE = notebook().replace(
    b'"nbformat": 4,', b'\n<<<<<<< HEAD\n"nbformat": 4,\n=======\n"nbformat": 4, "x": 1,\n>>>>>>> main\n'
)
HELPER = "import math\n\ndef entropy(probs):\n    return -sum(p * math.log(p) for p in probs if p > 0)\n"

CASES = [
    *of(
        "a command over several lines",
        {
            "!pip": {"imports": "!pip install -q \\\n    rich \\\n    tqdm\n" + IMPORTS},
            "%pip": {"imports": "%pip install -q \\\n    rich\n" + IMPORTS},
            "in an answer": {"entropy": "# EXERCISE entropy\n!echo one \\\n  two\n" + ENTROPY.split("\n", 1)[1]},
        },
    ),
    *of(
        "a line that begins with the operator %",
        {
            "beside a magic": {"surprise": SURPRISE.replace("\n", "\n%matplotlib inline\n", 1) + "\nx = (7\n% 4)"},
            "beside a command": {"imports": f"!echo x\n{IMPORTS}\ny = (7\n    % 4)"},
            "in the answer": {"entropy": ENTROPY.replace(RETURN, f"z = (7\n% 4)\n    {RETURN}") + "\n%pwd"},
        },
    ),
    *of(
        "a magic that assigns or times",
        {
            "%time": {"before": ["%time ONE = 1.0"], "entropy": ENTROPY.replace("-sum", "-ONE * sum")},
            "%%time": {"before": ["%%time\nONE = 1.0"], "entropy": ENTROPY.replace("-sum", "-ONE * sum")},
            "run_line_magic": {
                "before": ['get_ipython().run_line_magic("time", "ONE = 1.0")'],
                "entropy": ENTROPY.replace("-sum", "-ONE * sum"),
            },
            "%%time on the answers": {"surprise": f"%%time\n{SURPRISE}", "entropy": f"%%time\n{ENTROPY}"},
        },
    ),
    *of(
        "what a platform provides",
        {
            "Colab's drive": {"imports": f"from google.colab import drive\ndrive.mount('/content/drive')\n{IMPORTS}"},
            "Colab's files and userdata": {"imports": f"from google.colab import files, userdata, output\n{IMPORTS}"},
            "Kaggle's secrets": {"imports": f"from kaggle_secrets import UserSecretsClient\n{IMPORTS}"},
        },
    ),
    *of(
        "what lasts over cells in IPython",
        {
            "annotations of the future": {
                "imports": f"from __future__ import annotations\n{IMPORTS}",
                "entropy": ENTROPY.replace("(probs)", "(probs: Probabilities) -> Nats"),
            },
            "_": {"before": ["1.0"], "entropy": "one = _\n" + ENTROPY.replace("-sum", "-one * sum")},
            "In and Out": {"before": ["1.0"], "surprise": SURPRISE + "\nassert In and isinstance(Out, dict)"},
            "get_ipython": {"imports": f"from IPython import get_ipython\nget_ipython()\n{IMPORTS}"},
        },
    ),
    *of(
        "a helper written beside the notebook",
        {
            "%%writefile": {
                "before": [f"%%writefile helpers.py\n{HELPER}"],
                "entropy": "# EXERCISE entropy\nfrom helpers import entropy",
            },
            "%%writefile -a": {
                "before": ["%%writefile helpers.py\nimport math", f"%%writefile -a helpers.py\n\n{HELPER}"],
                "entropy": "# EXERCISE entropy\nimport helpers\nentropy = helpers.entropy",
            },
            "open().write": {
                "before": [f"with open('helpers.py', 'w') as file:\n    _ = file.write({HELPER!r})"],
                "entropy": "# EXERCISE entropy\nfrom helpers import entropy",
            },
        },
    ),
    *(
        case(
            "a written answer out of its place",
            label,
            cells(written=[ASK, *written, *TWO]),
            written={"written_1": "So."},
        )
        for label, written in {
            "in the next cell": [mark("written_1", STUB), ("markdown", "So.")],
            "in a raw cell": [mark("written_1", STUB), ("raw", "So.")],
            "its mark deleted": [("markdown", "So.")],
            "its cell turned raw": [("raw", "<!-- WRITTEN written_1 -->\nSo.")],
            "its cell turned code": [("code", "<!-- WRITTEN written_1 -->\nSo.")],
        }.items()
    ),
    *(
        case(
            "a written answer with odd spaces",
            label,
            cells(written=[ASK, mark("written_1", text), *TWO]),
            written={"written_1": text},
        )
        for label, text in ODD.items()
    ),
    *(
        case("an exercise that is no code", label, cells(entropy=(label, ENTROPY)), HALF, says=label)
        for label in ("markdown", "raw")
    ),
    case(
        "an exercise that is no code",
        "both markdown",
        cells(surprise=("markdown", SURPRISE), entropy=("markdown", ENTROPY)),
        0.0,
        says="markdown",
    ),
    *of(
        "# LONG is a word of its own",
        {
            "below #@title": {"before": ["#@title Train\n# LONG\nimport time\ntime.sleep(3600)"]},
            "below %%time": {"before": ["%%time\n# LONG\nimport time\ntime.sleep(3600)"]},
            "after a comment": {"before": ["# Part 2\n# LONG\nimport time\ntime.sleep(3600)"]},
            "# LONG DOCUMENTS": {
                "before": ["# LONG DOCUMENTS\nONE = 1"],
                "entropy": ENTROPY.replace("-sum", "-ONE * sum"),
            },
        },
    ),
    case("a conflict of Git", "around the file", CONFLICT, None, says="(?i)git"),
    case("a conflict of Git", "in the middle", MIDDLE, None, says="(?i)git"),
    case("a conflict of Git", "three parts", b"<<<<<<< HEAD\n{}\n||||||| base\n" + CONFLICT, None, says="(?i)git"),
    case("how the file was saved", "format 3", json.dumps(THREE).encode()),
    case("how the file was saved", "UTF-8 with a BOM", b"\xef\xbb\xbf" + notebook()),
    case("how the file was saved", "UTF-16", notebook().decode().encode("utf-16")),
    case("how the file was saved", "named .txt by a browser", notebook(), name="ada.ipynb.txt"),
    case(
        "how the file was saved",
        "in a zip by a mac",
        zipped({"lab.ipynb": notebook(), "__MACOSX/._lab.ipynb": b"x"}),
        name="ada.zip",
    ),
    case("a format that is too old", "format 2", json.dumps(OLD).encode(), None, says="format 2"),
    case("a format that is too old", "format 1", json.dumps(OLD | {"nbformat": 1}).encode(), None, says="format 1"),
    case(
        "a format that is too old",
        "format 2, as text",
        json.dumps(OLD).encode(),
        None,
        says="format 2",
        name="ada.ipynb.txt",
    ),
]
