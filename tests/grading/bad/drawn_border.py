"""Variants of the nine kinds in which the border once gave way (A to I, numbers 71 to 79), and of what is conceded
(80): each function draws one.
"""

import json
import random
import time

from bad import attacks, drawn_files, run, ways
from bad.drawn_plain import ALL, HALF, NAMES, right
from bad.host import trouble
from bad.make import LARGE, SMALL, Bad, book, function, left_by, model, notebook, worth, zipped
from bad.ways import one_of, some_of

from course_lib.grading.intake.archives import STAGES


def bare(lab):
    """A notebook that says which lab it is, and answers nothing."""
    return notebook([f'import course_lib\ncourse = course_lib.setup("{lab}", seed=0)'])


def as_stage(stage, **more):
    """What changes a tiny model's record so that it is one of this stage."""
    return lambda record: record.update({"stage": stage, **more})


def handed(place, student, lab, folder, text=None):
    """The folder of a hand-in with a model of the lab's stage."""
    files = {f"work/{STAGES[lab]}/{p.name}": p.read_bytes() for p in folder.iterdir()}
    from course_lib.grading.records import store

    files["notebook.ipynb"] = (text or bare(lab)).encode()
    where = place / "submissions" / lab / student / store.submission_sha(files)
    for name, data in files.items():
        store.write_atomic(where / name, data)
    store.write_json(where / "meta.json", {"student": student, "received": 1.0, "notes": []})
    return where


def bytewise(result):
    """A result's text less what differs from run to run."""
    kept = {k: v for k, v in result.items() if not k.endswith("seconds") and k not in ("started", "attempt")}
    kept["questions"] = [
        q | {"cases": [{k: v for k, v in c.items() if k != "seconds"} for c in q["cases"]]} for q in kept["questions"]
    ]
    return json.dumps(kept, sort_keys=True)


def class_commands(place, lab):
    """[what failed] of the commands over a whole class: no file of one student stops them for all."""
    from course_lib.grading.lms import export
    from course_lib.grading.people import gradebook
    from course_lib.grading.replay import replay
    from course_lib.grading.reports import audit, feedback, stats

    grades, submitted, failed = place / "grades", place / "submissions", []
    rows = gradebook.rows(lab, grades, submitted)
    for name, work in {
        "audit": lambda: audit.as_html(lab, audit.entries(lab, rows, grades), rows),
        "stats": lambda: stats.as_html(lab, stats.summary(lab, rows)),
        "feedback": lambda: feedback.write(lab, place / "pages", True, grades, submitted),
        "export": lambda: export.to_csv(lab, grades, submitted),
        "replay": lambda: replay.replay_lab(lab, grades=grades, submitted=submitted, progress=False),
    }.items():
        try:
            work()
        except Exception as error:
            failed.append((False, f"{name}: {type(error).__name__}: {str(error)[:200]}"))
    return failed


def another_file(rng):
    """A. Any file of a classmate: the honest result stays equal to the byte, and the class's commands go on."""
    place_of, (label, value), seed = rng.choice(drawn_files.PLACES), one_of(rng, ways.VALUES), rng.random()
    rest = rng.choice([None, b"", b"\0" * 100])

    def play(place, start):
        from course_lib.grading.records import store

        mine = handed(place, "eve", LARGE, model(place, seed=1, name="honest"))
        first = run.grade_folder(place, "eve", mine, LARGE, start)
        path = store.result_path(LARGE, "eve", mine.name, store.spec_sha(LARGE), place / "grades")
        path.unlink()
        hostile = model(place, seed=2, name="hostile")
        data = drawn_files.header_with(
            (hostile / "model.safetensors").read_bytes(), place_of, value, random.Random(seed)
        )
        (hostile / "model.safetensors").write_bytes(data if rest is None else data[:200] + rest)
        theirs = handed(place, "zed", LARGE, hostile)
        other = run.grade_folder(place, "zed", theirs, LARGE, start)
        again = run.grade_folder(place, "eve", mine, LARGE, start)
        return trouble(
            (bytewise(first) == bytewise(again), "the honest result changed"),
            (other["status"] == "graded", f"{other['status']}: {other.get('reason')}"),
            *class_commands(place, LARGE),
        )

    return Bad(71, f"A: {label} for {place_of}, then {rest!r}", play, "G", None, scene=True)


def authority(rng):
    """B. A student's own zip that looks like an LMS's download, among others: it is the student's, received now."""
    year, other = rng.choice([2001, 2024, 2039]), rng.choice(["bob", "Bob Smith", "bob@uni.edu"])
    stamp = f"{year}-03-04 05:06:07.000000000 Z"
    yaml = f"---\nsubmission_1:\n  :submitters:\n  - :name: {other}\n    :email: bob@uni.edu\n  :created_at: {stamp}\n"
    if rng.random() < 0.4:
        yaml = (
            "a: &a [x, x]\n"
            + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}, *a]\n" for n in range(9))
            + yaml
        )
    forms = {
        "Gradescope": {
            "assignment_1_export/submission_1/00_start_here.ipynb": "",
            "assignment_1_export/submission_metadata.yml": yaml,
        },
        "Gradescope flat": {"submission_1/a.ipynb": "", "submission_metadata.yml": yaml},
        "Moodle": {"Bob Smith_1234567_assignsubmission_file/a.ipynb": ""},
        "Moodle twice": {
            "Bob Smith_1_assignsubmission_file/a.ipynb": "",
            "Ann Lee_2_assignsubmission_file/b.ipynb": "",
        },
        "Canvas": {"smithbob_12345_67890_a.ipynb": ""},
        "Canvas late": {"smithbob_LATE_12345_67890_a.ipynb": ""},
        "nbgrader": {"submitted/bob/00_start_here/a.ipynb": "", "submitted/bob/00_start_here/timestamp.txt": stamp},
        "nbgrader flat": {"bob/00_start_here/a.ipynb": ""},
        "GitHub": {
            "lab-bob/a.ipynb": "",
            "lab-bob/.git/config": '[remote "origin"]\n url = https://github.com/bob/lab.git\n',
            "lab-bob/.git/HEAD": "ref: refs/heads/main",
        },
        "a manifest": {
            "00_start_here.ipynb": "",
            "manifest.json": json.dumps(
                {
                    "student": other,
                    "name": other,
                    "email": "bob@uni.edu",
                    "lab": SMALL,
                    "received": year,
                    "submitted": stamp,
                }
            ),
        },
    }
    label, members = one_of(rng, forms)
    stolen = book({"surprise": function("surprise", "return -9.0")})
    members = {name: stolen if name.endswith("ipynb") else text for name, text in members.items()}
    extra = rng.random() < 0.5  # bob's own beside it, or not handed in yet

    def play(place, start):
        from course_lib.grading.intake import collect
        from course_lib.grading.records import store

        (place / "roster.csv").write_text(
            "student,name,email,canvas_id,moodle_id\nann,Ann Lee,ann@uni.edu,1,1\nbob,Bob "
            "Smith,bob@uni.edu,12345,1234567\n"
        )
        (place / "inbox").mkdir()
        dates = dict.fromkeys(members, (min(year, 2037), 1, 2, 3, 4, 6))
        (place / "inbox" / "ann.zip").write_bytes(zipped(members, dates=dates))
        if extra:
            (place / "inbox" / "bob.ipynb").write_text(book())
        lines = []
        collect.collect(SMALL, [place / "inbox"], place / "roster.csv", place / "submissions", lines.append)
        kept = store.submissions(SMALL, place / "submissions")
        bobs = [(f / "notebook.ipynb").read_text() for s, _, f, _ in kept if s == "bob"]
        late = [m["received"] for *_, m in kept if m["received"] > time.time() + 1]
        early = [m["received"] for s, _, _, m in kept if s == "ann" and m["received_from"] != "collected"]
        return trouble(
            (not any("-9.0" in text for text in bobs), f"it was filed for bob: {lines}"),
            (len(bobs) == extra, f"{len(bobs)} of bob's"),
            (not late, "received later than now"),
            (not early, f"its own date was believed: {lines}"),
            (all("\n" not in line for line in lines), "not one line"),
        )

    return Bad(72, f"B: {label}, {year}, {other}{', bob has his own' * extra}", play, "G", None, scene=True)


PATHS = ("/tmp/k", "/box/k", "/dev/shm/k", "k.py", "/proc/self/comm", "/tmp/.X")


def shown_again(rng):
    """C. A hidden input kept anywhere, the process ended, and a cell of the next process that says it."""
    path, name, answers = rng.choice(PATHS), rng.choice(NAMES), right(rng)
    say = rng.choice(
        [
            "raise ValueError({k})",
            "print({k})",
            "raise type({k}[:50], (Exception,), {{}})()",
            "exec('1 = ' + repr({k}))",
            "raise SyntaxError({k})",
            "import sys\nsys.exit({k})",
        ]
    )
    cell = f"import os\nif os.path.exists('{path}'):\n    kept = open('{path}').read()\n    if 'CANARY' in kept:\n"
    cell += ways.indented(say.format(k="kept"), 8)
    keep = f"try:\n    open('{path}', 'w').write('CANARY' + repr(list(x)))\nexcept OSError:\n    pass\n"
    keep += rng.choice(["import os\nos._exit(3)", "import os\nos.kill(os.getpid(), 9)", "raise ValueError(x)"])
    way, source = ways.answer(rng, name, keep)
    return Bad(
        73,
        f"C: {path}, {say[:24]!r}, {name}, {way}",
        lambda p: book({**answers, name: source}, before=[cell]),
        "Q0",
        HALF,
        flags_ok=True,
    )


REPLIES = (
    "{str(i * 2**61): 0 for i in range(N)}",
    "{str(i): [] for i in range(N)}",
    "[[]] * N",
    "[{}] * N",
    "['x' * 100] * N",
    "[1.5] * N",
    "[True, None] * N",
    "'a' * (50 * N)",
    "[[[[[[[[[[]]]]]]]]]] * N",
    "{'k' * i: 0 for i in range(N // 20)}",
    "[torch.zeros(0)] * N",
    "[torch.zeros(1).expand(1000)] * N",
    "[10**1000] * N",
    "['\\ud800' * 9] * N",
    "[float('nan')] * N",
    "torch.zeros(N * 100)",
    "torch.zeros(N * 100, dtype=torch.bool)",
    "[torch.Generator()] * (N // 100)",
    "[torch.float] * N",
)
LINES = (
    "<!-- WRITTEN ",
    "<!--",
    "# EXERCISE surprise ",
    "check(",
    'check("',
    "data:image/png;base64,",
    "setup(",
    "\n",
    " ",
    "\t",
    "**1.** ",
    "# ",
    "%time ",
    "!ls\n",
    "x?\n",
    "![](",
    "<img ",
    "def surprise",
    "surprise = ",
    "exec(",
    "a.b",
    "(",
    "\\",
    "'''",
    "# LONG",
    "%%writefile x\n",
    "\r",
    "\u2028",
    "\x0c",
    "import a\n",
    "open( ",
    "setattr( ",
    "from course_lib",
    "\ufeff",
    "```\n",
    "$",
    "&lt;",
    "<<<<<<<\n",
    "lambda:",
    "f'{",
    "@",
    "0x",
    "_",
    "\u0660",
    "mine('a', ",
    "1;",
    "[",
    "{",
    "x=1\n",
)


def costly(rng):
    """D. Small on disk, dear to read: replies, texts in cells of any kind, stored outputs, many cells."""
    form, n = rng.choice(["a reply", "a cell", "markdown", "outputs", "many cells", "keys"]), rng.choice([10**4, 10**5])
    name, answers = rng.choice(NAMES), right(rng)
    bits = "".join(rng.sample(LINES, rng.randint(1, 3)))
    text = (bits * (min(n, 490_000 // len(bits)) + 1))[:490_000]
    if form == "a reply":
        value = rng.choice(REPLIES).replace("N", str(n))
        way, source = ways.answer(rng, name, f"import torch\nreturn {value}")
        return Bad(
            74, f"D: {value}, {name}, {way}", lambda p: book({**answers, name: source}), "Q0", HALF, flags_ok=True
        )
    kind = {"a cell": "code", "markdown": rng.choice(["markdown", "raw"])}.get(form)
    missing = rng.random() < 0.5  # what looks for the cell of a question that is not there
    made = json.loads(book({**answers, name: "# gone"} if missing else answers))
    at = rng.randint(1, len(made["cells"]))
    extra = {"cell_type": kind or "code", "metadata": {}, "source": text, "outputs": [], "execution_count": None}
    if form == "outputs":
        extra |= {"source": "", "outputs": json.loads("[" * 300 + "]" * 300) + [[]] * n + [bits] * (n // 10)}
    if form == "keys":
        extra |= {"source": "", "metadata": {f"{bits}{i}": i for i in range(n // 10)}}
    copies = rng.choice([2, 8, 1000]) if form == "many cells" else 1
    extra["source"] = extra["source"][: 900_000 // copies]
    made["cells"][at:at] = [extra] * copies
    data = json.dumps(made)
    label = f"D: {form}, {bits!r} to {len(extra['source'])}, {copies} times, cell {at}{', a name gone' * missing}"
    return Bad(74, label, lambda p: data, "G/U", HALF if missing else ALL, flags_ok=True, impatient=True)


def any_stage(rng):
    """E. A bad model of any lab: an error of its question, never of the machine; the class's commands go on."""
    lab = rng.choice(list(STAGES))
    place_of, (label, value), seed = rng.choice(drawn_files.PLACES), one_of(rng, ways.VALUES), rng.random()

    def play(place, start):
        from course_lib.questions import core

        folder = model(place, None, as_stage(STAGES[lab]), seed=4)
        raw = (folder / "model.safetensors").read_bytes()
        data = drawn_files.header_with(raw, place_of, value, random.Random(seed))
        (folder / "model.safetensors").write_bytes(data)
        (folder / "record.json").write_text(json.dumps(value))
        result = run.grade_folder(place, "eve", handed(place, "eve", lab, folder), lab, start)
        asked = next(q.id for q in core.questions_of(lab) if isinstance(q, core.ArtifactQuestion))
        row = next((q for q in result["questions"] if q["id"] == asked), {"status": None, "score": None})
        return trouble(
            (result["status"] == "graded", f"{result['status']}: {result.get('reason')}"),
            (row["status"] in ("error", "fail") and row["score"] < 0.2, f"{row['status']}, {row['score']}"),
            *class_commands(place, lab),
        )

    return Bad(75, f"E: lab {lab[:2]}, {label} for {place_of}", play, "G", None, scene=True, lab=lab)


def untrained(rng):
    """F. A model that comes with the course, under drawn disguises, handed in as one's own: a flag."""
    lab, shipped = rng.choice(
        [
            ("02_pretraining", "pretrain"),
            ("03_supervised_fine_tuning", "sft"),
            ("06_preferences_and_reward_model", "reward"),
            ("10_safety_refusals", "safe"),
        ]
    )
    how, seed = (
        some_of(rng, ["neurons", "bf16", "scales", "noise", "heads"][: 3 if shipped in ("reward", "safe") else 5]),
        rng.random(),
    )
    no_log = rng.random() < 0.5

    def make(place):
        import torch
        from safetensors.torch import load_file, save_file

        from course_lib.platform import PACKAGE

        source = PACKAGE / "shipped" / shipped
        record = json.loads((source / "record.json").read_text())
        weights = {n: t.float() for n, t in load_file(source / "model.safetensors").items()}
        made = drawn_files.disguised(
            weights, how, torch.Generator().manual_seed(int(seed * 1e6)), record["model"]["heads"]
        )
        record |= {"seed": int(seed * 1e6)} | ({"log": []} if no_log else {})
        folder = place / "model"
        folder.mkdir()
        save_file(made, folder / "model.safetensors", {"littlebrook": json.dumps(record)})
        (folder / "record.json").write_text(json.dumps(record))
        return handed(place, "eve", lab, folder)

    return Bad(
        76,
        f"F: {shipped}, {', '.join(how)}{', no log' * no_log}",
        make,
        "GF",
        0.0,
        ("similar model",),
        lab=lab,
        any_points=True,
        flags_ok=True,
    )


F = "F.scaled_dot_product_attention"
SERVERS = {
    "a pool": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor({n})\n[pool.submit(int) for _ in "
        "range(9)]\n",
        "pool.submit(work, *given).result(0.2)",
    ),
    "a thread with queues": (
        "import queue, threading\nq, r = queue.Queue(), queue.Queue()\ndef serve():\n    while True:\n"
        "        r.put(work(*q.get()))\nthreading.Thread(target=serve, daemon=True).start()\n",
        "(q.put(given), r.get(timeout=0.2))[1]",
    ),
    "a loop in a thread": (
        "import asyncio, threading\nloop = asyncio.new_event_loop()\nthreading.Thread(target="
        "loop.run_forever, daemon=True).start()\nasync def later(*given):\n    return work(*given)\n",
        "asyncio.run_coroutine_threadsafe(later(*given), loop).result(0.2)",
    ),
    "a process": (
        "import multiprocessing as m\na, b = m.Pipe()\ndef serve():\n    while True:\n        "
        "b.send(work(*b.recv()))\nm.get_context('fork').Process(target=serve, daemon=True).start()\n",
        "(a.send([g.detach() for g in given]), a.recv() if a.poll(0.2) else None)[1]",
    ),
    "a thread that waits": (
        "import threading\nbox, go, done = [], threading.Event(), threading.Event()\ndef serve():\n"
        "    while True:\n        go.wait()\n        go.clear()\n        box[:] = [work(*box)]\n        done.set()\n"
        "threading.Thread(target=serve, daemon=True).start()\n",
        "(box.extend(given), go.set(), done.wait(0.2), box[0])[-1]",
    ),
}


def before_the_call(rng):
    """G. What a cell has set going before the call: where a function is forbidden, it stands still."""
    label, (begin, ask) = one_of(rng, SERVERS)
    name, work = rng.choice(
        [("causal_attention", F + "(q, k, v, is_causal=True)"), ("rms_norm", "F.rms_norm(q, (q.shape[-1],), k)")]
    )
    call = "q, k, v" if name == "causal_attention" else "q, k"
    text = (
        f"import torch, torch.nn.functional as F\ndef work({call}):\n    return "
        f"{work}\n{begin.replace('{n}', str(rng.randint(1, 4)))}"
        f"def step(x, args, kwargs):\n    given = args[:{3 if name == 'causal_attention' else 2}]\n    return {ask}\n"
    )
    way = rng.choice(list(ways.FULL))
    source = text + ways.HOLDS[way].replace("CALL", ways.CALL).format(name=name, f="step")
    return Bad(
        77,
        f"G: {name} by {label}, {way}",
        lambda p: book({name: source}, LARGE),
        "Q0",
        left_by(0) - worth(name),
        lab=LARGE,
        flags_ok=True,
        impatient=True,
    )


JUPYTER = {
    "annotations": "from __future__ import annotations\ndef f(x: Nothing) -> Nowhere:\n    return 1\nf(0)",
    "Out": "6 * 7",
    "a magic with output": "files = !ls /\nassert len(files) > 3",
    "capture": "%%capture said\nprint('quiet')",
    "writefile": "%%writefile beside.py\nK = 5",
    "import of it": "import beside_me_not if False else None",
    "await": "import asyncio\nassert await asyncio.sleep(0, 3) == 3",
    "async for": "async def g():\n    yield 4\nassert [x async for x in g()] == [4]",
    "time": "%%time\nz = 3",
    "a magic's value": "t = %pwd\nassert t",
    "bash": "%%bash\necho hi > made.txt\n",
    "environment": "%env LITTLE=1\nimport os\nassert os.environ['LITTLE'] == '1'",
    "help": "print?",
    "set": "%set_env A=2",
    "shell": "import subprocess\nassert subprocess.run(['true']).returncode == 0",
    "timeit": "%timeit -n1 -r1 sum([1])",
    "assignment": "a, b = 1, 2; a",
    "semicolon": "3;",
    "underscore": "_ = 5\nassert _ == 5",
    "In": "assert In[-1].startswith('assert')",
    "cells": "assert get_ipython() is not None",
    "display": "from IPython.display import display, HTML\ndisplay(HTML('<b>x</b>'))",
    "widgets": "try:\n    import ipywidgets\nexcept ImportError:\n    pass",
    "cd": "%cd /tmp\n%cd -",
    "var": "name = 'x'\n!echo {name} $name",
    "matplotlib": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1]); plt.show()",
    "a tab": "if True:\n\tx = 1",
    "a class's repr": "class A:\n    def _repr_html_(self):\n        return 'x'\nA()",
    "nested quotes": "f'{\"a\"}'",
    "print to a file": "import sys\nprint('x', file=sys.stderr)",
    "a decorator": "%alias_magic t time\n%t 1",
}
JUPYTER["import of it"] = "import importlib.util\nassert importlib.util.find_spec('os')"


def as_jupyter(rng):
    """H. A notebook with what Jupyter runs, in drawn places; nothing is lost, nothing is flagged."""
    picked = rng.sample(list(JUPYTER), 6)
    cells = [JUPYTER[k] for k in picked]
    proof = "assert not [k for k in cells_failed], cells_failed" if False else "x = 1"
    slow = rng.random() < 0.4
    before = (["import time\ntime.sleep(9)"] * rng.randint(2, 6) if slow else []) + cells[:3]
    make = lambda p: book(right(rng), before=before, after=[*cells[3:], proof])
    return Bad(
        78,
        f"H: {', '.join(picked)}{', slow cells' * slow}",
        make,
        "G",
        ALL,
        impatient=slow,
        never="" if slow else "AssertionError|NameError|SyntaxError|AttributeError",
    )


def honest(rng):
    """I. What people put around their answers, several of it at once: no flag, no point lost."""
    from course_lib.bench import honest as corpus

    picked = rng.sample([k for k in corpus.AROUND if k not in ("nothing", "checks in a loop")], 3)
    before = [text for k in picked for text in corpus.AROUND[k]]
    odd = rng.choice(list(attacks.ODDITIES))
    rng.shuffle(before)
    make = lambda p: book({**right(rng), "surprise": attacks.ODDITIES[odd]}, before=before)
    return Bad(79, f"I: {', '.join(picked)}, {odd}", make, "G", ALL)


BLINDS = (
    "import ctypes\nctypes.pythonapi.PyEval_SetProfile(None, None)",
    "from ctypes import pythonapi as p\np.PyEval_SetProfile(None, None)",
    "import ctypes as c\nc.PyDLL(None).PyEval_SetProfile(None, None)",
    "import ctypes\ngetattr(ctypes.PyDLL(None), 'PyEval_Set' + 'Profile')(None, None)",
    "__import__('cty' + 'pes')\nimport ctypes\nctypes.pythonapi.PyEval_SetProfile(None, None)",
)


def conceded(rng):
    """What cannot be kept from a student's own process, as INSTRUCTORS.md says: it is flagged."""
    course = "from course_lib.stages.pretrain import next_token_loss as work\n"
    if rng.random() < 0.5:
        blind = rng.choice(BLINDS)
        text = (
            f"import sys\nwatch = sys.getprofile()\n{course}{blind}\ntry:\n    return "
            f"work(*args[:2])\nfinally:\n    sys.setprofile(watch)"
        )
        way, source = ways.answer(rng, "next_token_loss", text)
        label = f"{blind[:40]!r}, {way}"
    else:
        label, (begin, ask) = one_of(rng, {k: v for k, v in SERVERS.items() if k != "a process"})
        text = (
            course + begin.replace("{n}", "2") + f"def step(x, args, kwargs):\n    given = args[:2]\n    return {ask}\n"
        )
        way = rng.choice(list(ways.FULL))
        source = text + ways.HOLDS[way].replace("CALL", ways.CALL).format(name="next_token_loss", f="step")
        label = f"{label}, {way}"
    return Bad(
        80,
        label,
        lambda p: book({"next_token_loss": source}, LARGE),
        "GF",
        left_by(0) - worth("next_token_loss"),
        ("reaches for the grader|forbidden function|runs text as code",),
        lab=LARGE,
        any_points=True,
        conceded=True,
    )


DRAW = {
    71: another_file,
    72: authority,
    73: shown_again,
    74: costly,
    75: any_stage,
    76: untrained,
    77: before_the_call,
    78: as_jupyter,
    79: honest,
    80: conceded,
}
