"""The table: what is handed in (by the numbers of the list of bad submissions) and what must become of it.

Numbers 1 to 64 are the list; 65 and later are attacks that came after it. A row: number, label, what makes it, outcome,
points it deserves. Lab 00 has 1.5 automatic points (surprise and entropy, 0.75 each), lab 02 has 8 and a model.
"""

import json

from bad import attacks, files, host, scenes, scenes_class
from bad.make import (
    LARGE,
    Bad,
    book,
    function,
    left_by,
    notebook,
    outputs,
    right_answers,
    stub,
    tensors,
    with_body,
    with_cell,
    worth,
    wrong,
)

NUMBERS = {
    1: "untouched stub", 2: "correct solution", 3: "cells reordered, split, merged", 4: "metadata and ids stripped",
    5: "an answer twice", 6: "check cells deleted or edited", 7: "metadata flipped",
    8: "old nbformats, BOM, CRLF", 9: "truncated, empty, a login page", 10: "notebook of another lab",
    11: "300 MB of outputs", 12: "syntax error", 13: "%debug, input(), !pip left over",
    14: "raise, exit in a cell", 15: "the process dies", 16: "while True", 17: "loops that swallow the interrupt",
    18: "sleeps and locks", 19: "fork bomb", 20: "memory", 21: "fills the disk", 22: "endless output",
    23: "daemons", 24: "changes its answer afterwards", 25: "patched libraries", 26: "patched IPython",
    27: "trick objects", 28: "NaN, wrong kinds", 29: "mutates its input", 30: "a tensor of 10 GB",
    31: "forged replies", 32: "pickle as a model", 33: "bad models", 34: "copied models", 35: "trained on public data",
    36: "hard-coded values", 37: "forbidden shortcut", 38: "reads what is not there",
    39: "writes results, walks frames", 40: "network", 41: "exfiltrates hidden inputs", 42: "detects grading",
    43: "files that shadow modules", 44: "hostile archives", 45: "odd file names", 46: "two notebooks in a zip",
    47: "HTML in answers", 48: "CSV injection", 49: "noise on stderr", 50: "near the threshold", 51: "nondeterminism",
    52: "slow but correct", 53: "global state", 54: "patched time and limits", 55: "needs CUDA",
    56: "missing package", 57: "paths of the student's machine", 58: "unsaved notebook", 59: "written answers",
    60: "late, resubmitted", 61: "regrade with marks", 62: "killed grader, full disk", 63: "two hosts at once",
    64: "impossible points",
    65: "looks at the call", 66: "remembers beyond its death", 67: "odd numbers and texts", 68: "half a frame",
    69: "hurts a parser", 70: "other ways to be right",
    71: "A: another's file", 72: "B: who vouches for a file", 73: "C: hidden inputs shown later",
    74: "D: small, and dear to read", 75: "E: a bad model of any lab", 76: "F: a model that nobody trained",
    77: "G: set going before the call", 78: "H: as Jupyter runs it", 79: "I: honest, much around it",
    80: "conceded: rewrites its process", 81: "files beside it", 82: "manifests", 83: "__future__",
    84: "code that IPython carries", 85: "lines for the shell", 86: "the protocol of cells", 87: "the zygote",
    88: "tensors that no model has", 89: "a name that is no function", 90: "takes from its process",
    91: "odd zips", 92: "small zips, large inside",
    93: "small models of many layers",
}  # fmt: skip
ALL, HALF = 1.5, 0.75  # points of lab 00: both answers, one of them


BUT_NORM = left_by(0) - worth("rms_norm")  # points of lab 02 without that question


def each(number, made, outcome, points, flags=(), prefix="", **more):
    """Rows for {label: make}."""
    return [Bad(number, prefix + label, make, outcome, points, flags, **more) for label, make in made.items()]


def scene(number, label, play):
    return Bad(number, label, play, "G", None, scene=True)


def bodies(texts, **more):
    return {label: with_body(text, **more) for label, text in texts.items()}


def in_place_of(name, texts):
    """{label: make} of lab 02 with this function's body replaced by each text."""
    return {
        label: (lambda place, text=text: book({name: function(name, text)}, LARGE)) for label, text in texts.items()
    }


def forging(text):
    """make: an answer that does this to the grader's pipes, and nothing else."""
    return lambda place: book(
        {"entropy": stub("entropy"), "surprise": attacks.FORGE + function("surprise", text + "\nreturn 0.0")}
    )


def cells(texts, **more):
    return {label: with_cell(text, **more) for label, text in texts.items()}


def rewritten(change):
    """make: the right notebook with its JSON changed."""
    return lambda place: change(json.loads(book()))


def stripped(made):
    made["metadata"] = {}
    for cell in made["cells"]:
        cell.pop("id"), cell.update(metadata={})
        cell["source"] = cell["source"].splitlines(True)
    return made


def nbformat_3(made):
    sheet = [
        {"cell_type": "code", "input": c["source"], "outputs": [], "collapsed": False, "language": "python"}
        for c in made["cells"]
    ]
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": sheet}]})


def crlf(made):
    return b"\xef\xbb\xbf" + json.dumps(made, indent=1).replace("\n", "\r\n").replace("\\n", "\\r\\n").encode()


def merged(made):
    made["cells"] = [{**made["cells"][0], "source": "\n\n".join(c["source"] for c in made["cells"])}]
    return json.dumps(made)


def reordered(made):
    made["cells"] = [made["cells"][0], *reversed(made["cells"][1:])]
    return json.dumps(made)


def heavy(made):
    made["cells"][-1]["outputs"] = ["HERE"]
    return json.dumps(made).replace(
        '"HERE"',
        json.dumps(
            {
                "output_type": "display_data",
                "data": {"image/png": "A" * 40_000_000, "text/plain": ['["x\\n' * 10] * 400_000},
                "metadata": {},
            }
        ),
    )


RIGHT = right_answers("00_start_here")
ZERO = function("surprise", "return 0.0")
SPLIT = [
    "import math\ndef helper(n):\n    return math.log(n)",
    "def surprise(options):\n    return total(map(helper, options))",
    "def total(values):\n    return sum(values)",
]

NO_NOTEBOOKS = {
    "0 bytes": (b"", "empty"),
    "blank": (b"  \n", "empty"),
    "a login page": (b"<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
    "truncated": (book()[:300], "broken and seems to be cut off"),
    "binary": (b"\x00\x01\x02PNG", "broken"),
    "a list": (b"[1, 2]", "not a notebook"),
    "a dict": (b'{"a": 1}', "no cells"),
    "no cells": (b'{"cells": []}', "no cells with text"),
    "a JSON bomb": (b"[" * 100_000, "broken"),
    "a number of 10^5 digits": (b'{"cells": [], "n": ' + b"9" * 100_000 + b"}", "broken"),
}
DETECTS = attacks.DETECTS + function("surprise", "return 0.0 if GRADING else 1.0")
PASSED = "✓ surprise: passed, 0.75 of 0.75 points"
ATTENTION = right_answers(LARGE)["causal_attention"].replace("def causal_attention", "def attention")

ROWS = [
    # ---- the notebook as a document
    Bad(1, "stub", lambda p: book({n: stub(n) for n in RIGHT}, written={"written_1": "YOUR ANSWER HERE"}), "G", 0.0,
        statuses={"surprise": "todo", "entropy": "todo", "written_1": "needs_review"}, says="0 suggested"),
    Bad(2, "lab 02", lambda p: book(lab=LARGE, written={"written_1": "Because of the KL divergence."}), "G", 8.0,
        lab=LARGE, says="Because of the KL"),
    Bad(2, "lab 00", lambda p: book(), "G", ALL),
    Bad(3, "reordered", rewritten(reordered), "G", ALL),
    Bad(3, "split over cells", lambda p: book({"surprise": ""}, after=SPLIT), "G", ALL),
    Bad(3, "merged into one", rewritten(merged), "G", ALL),
    Bad(3, "an order that does not run",
        lambda p: book({"surprise": "surprise = made_later(1)"}, after=["def made_later(n):\n    return n"]), "Q0",
        HALF, says="cells that stopped: [^\"]*NameError: name 'made_later'"),
    Bad(4, "stripped, no ids", rewritten(lambda made: json.dumps(stripped(made))), "G", ALL),
    Bad(5, "the right one last", lambda p: book({"surprise": ZERO}, after=[RIGHT["surprise"]]), "G", ALL,
        says="surprise is defined in cells 1, 5: the last one counts"),
    Bad(5, "the wrong one last", lambda p: book(after=[ZERO]), "G", HALF, says="the last one counts"),
    Bad(6, "deleted", lambda p: book({"surprise": ZERO}, checks=False), "GF", HALF, ("check deleted or edited",)),
    Bad(6, "edited to pass", lambda p: book({"surprise": ZERO}, before=["def check(question_id):\n    print('surprise: "
                                                                        "passed, 0.75 of 0.75 points')\n    return "
                                                                        "True"]), "GF", HALF,
                                                                        ("check deleted or edited",)),
    Bad(7, "points 1e9, solution, locked",
        lambda p: book({"surprise": ZERO}).replace('"schema_version": 3',
            '"grade": true, "solution": false, "points": 1e9, "locked": true, "grade_id": "surprise"'), "G", HALF),
    Bad(8, "nbformat 3", rewritten(nbformat_3), "G", ALL),
    Bad(8, "nbformat 4.0", rewritten(lambda made: json.dumps({**stripped(made), "nbformat_minor": 0})), "G", ALL),
    Bad(8, "BOM and CRLF", rewritten(crlf), "G", ALL),
    Bad(8, "UTF-16", lambda p: book().encode("utf-16"), "G", ALL),
    *[Bad(9, label, lambda p, content=content: content, "U", None, says=reason) for label,
        (content, reason) in NO_NOTEBOOKS.items()],
    Bad(9, "one endless cell", lambda p: notebook(["x = 1\n" * 10**6]), "U", None, says="far longer"),
    Bad(9, "70 MB pasted in",
        lambda p: book().replace('"metadata": {"nb',
            '"attachments": {"a": "' + "A" * 70_000_000 + '"}, "metadata": {"nb', 1), "U", None,
            says="without its outputs"),
    Bad(10, "lab 02 for lab 00", lambda p: notebook(['course_lib.setup("02_pretraining")']), "U", None,
        says="02_pretraining was handed in for 00_start_here"),
    Bad(10, "of no lab", lambda p: notebook(["x = 1"]), "U", None, says="a notebook of no lab of this course"),
    Bad(11, "80 MB of outputs", rewritten(heavy), "G", ALL, says=r"\d\d MB of stored outputs were left out"),
    # ---- cells that stop, hang or eat
    Bad(12, "in the answer", lambda p: book({"surprise": "def surprise(options:\n    return 1"}), "Q0", HALF,
        says="SyntaxError", statuses={"surprise": "missing"}),
    Bad(12, "elsewhere", with_cell("for for for"), "G", ALL, says="SyntaxError"),
    Bad(13, "left over in cells", lambda p: book(before=attacks.LEFT_OVER), "G", ALL,
        says=r"input\(\) cannot be answered"),
    Bad(13, "input() in the answer", with_body("return float(input('n? '))"), "Q0", HALF,
        says=r"input\(\) cannot be answered"),
    Bad(14, "left over in cells", lambda p: book(before=attacks.EXITS), "G", ALL, says="left over"),
    Bad(14, "in the answer", with_body("import sys\nsys.exit(0)"), "Q0", HALF, says=r"calls exit\(\)"),
    *each(15, bodies(attacks.DEATHS), "Q0", HALF, prefix="in a call: ", statuses={"surprise": "killed"},
        says="the process died"),
    Bad(15, "in a call: kills all others", with_body("import os, signal\nos.kill(-1, signal.SIGKILL)\nreturn 0.0"),
        "Q0", HALF),
    Bad(15, "in a cell", with_cell(attacks.DEATHS["SIGKILL"]), "G", ALL, says="SIGKILL"),
    Bad(16, "in a cell", with_cell("while True:\n    pass"), "G", ALL, says="timeout", impatient=True),
    Bad(16, "in a call", with_body("while True:\n    pass"), "Q0", HALF, statuses={"surprise": "timeout"},
        impatient=True),
    Bad(16, "in one case only", with_body("import math\nwhile len(x) > 100:\n    pass\nreturn sum(math.log(n) for n in "
                                          "x)"), "Q0", 0.5 * HALF + HALF, statuses={"surprise": "timeout"},
                                          impatient=True),
    *each(17, bodies(attacks.LOOPS), "Q0", HALF, prefix="in a call: ", statuses={"surprise": "timeout"},
        impatient=True),
    Bad(17, "in a cell", with_cell(attacks.SWALLOWS), "G", ALL, says="timeout", impatient=True),
    *each(18, bodies(attacks.WAITS), "Q0", HALF, statuses={"surprise": "timeout"}, impatient=True),
    Bad(19, "processes", with_body(attacks.FORK_BOMB), "Q0F", HALF, ("reaches for the grader",), impatient=True,
        statuses={"surprise": ("timeout", "killed", "oom")}),
    Bad(19, "threads", with_body(attacks.THREAD_BOMB), "Q0", HALF, impatient=True,
        statuses={"surprise": ("timeout", "killed", "oom", "error")}),
    Bad(20, "at once", tensors(*list(attacks.MEMORY.values())[::5]), "Q0", left_by(2), lab=LARGE,
        statuses={"causal_attention": ("oom", "error"), "rms_norm": ("fail", "oom")}),
    Bad(20, "a slow leak", with_body(attacks.LEAK), "Q0", HALF, statuses={"surprise": ("oom", "timeout")}),
    Bad(21, "all folders", with_cell(attacks.DISK), "G", ALL, says="/tmp 28.*/box 2[78]", never="NEVER FULL",
        after=host.disk_is_free),
    *each(22, cells(attacks.LOUD), "G", ALL, impatient=True),
    Bad(23, "setsid, double fork", with_body(attacks.ORPHANS), "Q0F", HALF, ("reaches for the grader",),
        after=host.nobody_sleeps),
    Bad(24, "filled in after it was returned", lambda p: book({"rms_norm": function("rms_norm", attacks.LATER)}, LARGE),
        "Q0", BUT_NORM, lab=LARGE),
    # ---- answers that are none
    *each(25, cells(attacks.PATCHES, answers=wrong()), "Q0F", 0.0, ("patched library",)),
    Bad(25, "honest answers under a patch",
        with_cell(attacks.PATCHES["allclose, assert_close, isfinite, equal"], LARGE), "GF", 8.0, ("patched library",),
        lab=LARGE),
    *each(26, cells(attacks.IPYTHON, answers={"surprise": ZERO}), "Q0F", HALF, ("reaches for the grader",)),
    Bad(27, "five objects", tensors(*attacks.TRICKS.values()), "Q0", left_by(6), lab=LARGE, says="not a plain tensor",
        statuses={"causal_attention": "fail", "rms_norm": "fail"}),
    Bad(28, "kinds", tensors(*list(attacks.KINDS.values())[:6]), "Q0", left_by(6), lab=LARGE,
        says="values are NaN.*yours -?inf.*the dtype is complex64.*the shape is.*meta device"),
    Bad(28, "more kinds", tensors(*list(attacks.KINDS.values())[6:]), "Q0", left_by(5), lab=LARGE,
        says="sparse.*a list came back.*None came back.*NumPy array is not"),
    Bad(29, "counts down the list", with_body("import math\ntotal = 0.0\nwhile x: total += math.log(x.pop())\nreturn "
                                              "total"), "Q0", 0.75 * HALF + HALF, says="changed the inputs in place"),
    Bad(30, "views and lists", tensors(*list(attacks.MEMORY.values())[1:5]), "Q0", left_by(4), lab=LARGE,
        says="far more than the answer needs"),
    *each(31,
        {k: with_cell(attacks.FORGE + v, answers={n: stub(n) for n in RIGHT}) for k, v in attacks.FORGERIES.items()},
        "Q0F", 0.0, ("forged reply",), prefix="in a cell: ", impatient=True),
    *each(31, {k: forging(v) for k, v in attacks.FORGERIES.items()}, "Q0F", 0.0, ("forged reply",),
        prefix="in a call: ", impatient=True),
    Bad(31, "the call's own id",
        lambda p: book({"surprise": function("surprise", attacks.STOLEN_ID), "entropy": stub("entropy")}), "Q0F", 0.0,
        ("forged reply",), impatient=True),
    Bad(31, "the agent taken over", lambda p: book(after=[attacks.TAKEN_OVER]), "GF", 0.0, ("reaches for the grader",)),
    # ---- models
    *files.MODELS,
    # ---- looking for more than the task
    Bad(36, "the public values in a table", scenes.hard_coded, "Q0F", HALF, ("passes only in the notebook",),
        says="passed in the notebook's stored output"),
    Bad(36, "by the shape", with_body("return {4: 7.2, 1: 0.0, 0: 0.0, 500: 1844.4397270569681}.get(len(x), 0.0)"),
        "Q0", HALF),
    *each(37, in_place_of("rms_norm", attacks.NAMED), "Q0F", BUT_NORM, ("forbidden function",), lab=LARGE,
        says="may not call it"),
    *each(37, in_place_of("rms_norm", attacks.HIDDEN), "Q0F", BUT_NORM, ("forbidden function",), lab=LARGE,
        says="may not call it"),
    *each(37, in_place_of("rms_norm", attacks.ROUND), "Q0F", BUT_NORM,
        ("reaches for the grader", "forbidden function"), lab=LARGE, says="may not call it"),
    Bad(37, "torch.jit.script", lambda p: book({"rms_norm": attacks.SCRIPTED}, LARGE), "Q0F", BUT_NORM,
        ("forbidden function",), lab=LARGE),
    *each(37, {label: (lambda p, made=made: book({"causal_attention": made}, LARGE)) for label, made in
        attacks.BEFORE.items()}, "Q0", left_by(1), prefix="attention, ", lab=LARGE),
    *each(37, in_place_of("next_token_loss", attacks.COURSE_CODE), "Q0F", left_by(0) - worth("next_token_loss"),
        ("forbidden function",), prefix="the course's own code, ", lab=LARGE, says="course_lib's own|sys.setprofile"),
    Bad(38, "files, processes, environment", with_cell(attacks.READS), "GF", ALL, ("reaches for the grader",),
        says=r"FOUND \[\]"),
    Bad(39, "files and the agent", with_cell(attacks.WRITES, answers=wrong()), "GF", 0.0, ("reaches for the grader",),
        after=host.nothing_written),
    Bad(39, "frames", with_body(attacks.FRAMES), "Q0F", HALF, ("reaches for the grader",), says=r"SEEN \[\]"),
    Bad(40, "four ways", with_cell(attacks.NETWORK), "G", ALL, says=r"REACHED \[\]", never="SLOW"),
    scene(41, "in exceptions and prints", scenes.exfiltrates),
    Bad(42, "environment, uid, terminal", lambda p: book({"surprise": DETECTS}), "Q0", HALF, says=r"VISIBLE \[\]"),
    Bad(42, "another answer when graded", lambda p: outputs(book({"surprise": DETECTS}), surprise=PASSED), "Q0F", HALF,
        ("passes only in the notebook",)),
    # ---- what comes in
    *files.ARCHIVES,
    # ---- pages and tables
    scene(47, "feedback", scenes.html_in_feedback), scene(47, "review", scenes.html_in_review),
    scene(48, "names, notes and answers", scenes.csv_injection),
    # ---- clumsy and right
    Bad(49, "tqdm, warnings, logging", with_cell(attacks.NOISY, LARGE), "G", 8.0, lab=LARGE),
    scene(50, "drift between machines", scenes.drift),
    Bad(51, "unseeded noise",
        with_body("import math, random\nreturn sum(math.log(n) for n in x) + random.gauss(0, 0.1)"), "Q0", HALF),
    scene(51, "the same verdict every time", scenes.same_verdict),
    Bad(52, "0.2 s a call", with_body("import math, time\ntime.sleep(0.2)\nreturn sum(math.log(n) for n in x)"), "G",
        ALL),
    *each(53,
        bodies({k: "import math\ntotal = sum(math.log(n) for n in x)\n" + v + "\nreturn total" for k,
            v in attacks.LEAKS.items()}), "G", ALL, prefix="in an answer: "),
    *each(53, cells(attacks.LEAKS, lab=LARGE), "G", 8.0, prefix="in a cell: ", lab=LARGE),
    Bad(53, "builtins deleted in an answer", with_body("import builtins, math\ntotal = sum(math.log(n) for n in "
                                                       "x)\ndel builtins.sum, builtins.print, builtins.set\nreturn "
                                                       "total"), "GF", ALL, ("patched library",)),
    Bad(53, "builtins deleted in a cell", with_cell("import builtins\ndel builtins.sum, builtins.print", LARGE), "GF",
        8.0, ("patched library",), lab=LARGE),
    Bad(53, "del torch, and another's answer", lambda p: book({"causal_attention": ATTENTION + attacks.SPOILS}, LARGE),
        "G", 8.0, lab=LARGE),
    Bad(54, "time and limits",
        with_cell(attacks.LIMITS, answers={"surprise": function("surprise", "while True:\n    pass")}), "Q0F", HALF,
        ("patched library",), never="LIFTED", statuses={"surprise": "timeout"}, impatient=True),
    Bad(55, ".cuda()", with_body("import torch\nreturn torch.tensor(x).float().cuda().log().sum().item()"), "U", None,
        says="surprise needs a GPU"),
    Bad(55, "device='cuda' where there is one", with_body("import torch\ndevice = 'cuda' if torch.cuda.is_available() "
                                                          "else 'cpu'\nreturn torch.tensor(x, "
                                                          "device=device).double().log().sum().item()"), "G", ALL),
    Bad(56, "in a cell", lambda p: book({"surprise": "import no_such_package\n" + RIGHT["surprise"]}), "Q0", HALF,
        says="No module named 'no_such_package'"),
    Bad(56, "in the answer", with_body("import no_such_package"), "Q0", HALF, says="No module named 'no_such_package'"),
    Bad(57, "Drive", with_body("return float(open('/content/drive/MyDrive/lab00/x.txt').read())"), "Q0", HALF,
        says="files of your own machine are not here"),
    Bad(57, "Windows, in a cell",
        lambda p: book({"surprise": "TABLE = open(r'C:\\Users\\ann\\x.csv').read()\n" + RIGHT["surprise"]}), "Q0", HALF,
        says="No such file or directory"),
    Bad(58, "says passed, is the stub",
        lambda p: outputs(book({"surprise": stub("surprise")}), surprise=PASSED,
            entropy="✓ entropy: passed, 0.75 of 0.75 points"), "GF", HALF, ("passes only in the notebook",),
            says="surprise: passed in the notebook's stored output"),
    Bad(58, "says failed, is right", lambda p: outputs(book(), surprise="✗ surprise: not right yet"), "G", ALL),
    scene(59, "empty, unchanged, a picture, 20,000 words", scenes.written_answers),
    # ---- the class
    scene(60, "late, extended, resubmitted", scenes_class.late),
    scene(61, "a mended question, marks kept", scenes_class.regrade_keeps_marks),
    scene(62, "kill -9 in mid-run", scenes_class.killed_grader), scene(62, "disk full", scenes_class.disk_full),
    scene(62, "no sandbox", scenes_class.no_sandbox),
    scene(63, "the first valid result stays", scenes_class.two_hosts),
    scene(64, "more than there is, NaN, negative", scenes_class.impossible_points),
    # ---- beyond the list
    Bad(65, "its own caller, the call's options", with_cell(attacks.OWN_CALLER, LARGE, answers=wrong(LARGE)), "Q0F",
        0.0, ("reaches for the grader",), lab=LARGE, says=r"SEES \[\]", never=r"SEES \['"),
    Bad(66, "files that outlive it",
        lambda p: book({"surprise": attacks.SURVIVES + function("surprise", "import os\nos._exit(0)")}), "Q0", HALF,
        says=r"LEFT \[\].*LEFT \[\]", never=r"LEFT \['"),
    *each(67, bodies(attacks.NUMBERS), "Q0", HALF),
    Bad(68, "then silence", with_body(attacks.HALF_A_FRAME), "Q0F", HALF, ("reaches for the grader",), impatient=True,
        statuses={"surprise": ("timeout", "protocol")}),
    Bad(69, "a dozen cells", lambda p: book(before=attacks.EVIL_SYNTAX), "G", ALL),
    *each(70, {k: (lambda p, v=v: book({"surprise": v})) for k, v in attacks.ODDITIES.items()}, "G", ALL),
]  # fmt: skip
