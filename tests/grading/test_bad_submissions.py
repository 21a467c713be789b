"""Submissions that a grader must survive. The numbers are those of the list in the design notes; the expected outcome stands in each name."""

import json
import re

import classroom
import pytest
from classroom import grade_here, notebook, right_answers, scores, sources, statuses

pytestmark = pytest.mark.usefixtures("box")
AUTO = 8.0  # points of lab 02 without the model and the written answers


def stub(name):
    return f"def {name}(*args, **kwargs):\n    # YOUR CODE HERE\n    raise NotImplementedError()"


def one_replaced(name, source):
    return {**right_answers(), name: source}


def function_points(result):
    return sum(q["score"] for q in result["questions"] if q["score"] is not None and q["id"] != "pretrained_model")


def test_01_untouched_stub_is_graded_0_and_not_attempted(tmp_path):
    result = grade_here(tmp_path, "ann", notebook(sources({n: stub(n) for n in right_answers()}), {"written_1": "YOUR ANSWER HERE"}))
    assert result["status"] == "graded" and function_points(result) == 0
    assert {s for i, s in statuses(result).items() if i in right_answers()} == {"todo"}
    written = [q for q in result["questions"] if q["id"] == "written_1"][0]
    assert (written["score"], written["status"]) == (None, "needs_review") and "0 suggested" in written["message"]


def test_02_correct_solution_has_100_percent(tmp_path):
    result = grade_here(tmp_path, "ann", notebook(sources(right_answers()), {"written_1": "Because of the KL divergence."}))
    assert result["status"] == "graded" and function_points(result) == AUTO and result["flags"] == []
    assert [q["answer"] for q in result["questions"] if q["id"] == "written_1"] == ["Because of the KL divergence."]


def stripped(text):
    book = json.loads(text)
    book["metadata"] = {}
    for cell in book["cells"]:
        cell.pop("id"), cell.update(metadata={})
        cell["source"] = cell["source"].splitlines(True)
    return book


def nbformat_3(text):
    cells = [{"cell_type": "code", "input": c["source"], "outputs": [], "collapsed": False, "language": "python"} for c in json.loads(text)["cells"]]
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]})


DAMAGE = {
    "stripped of ids and metadata": lambda t: json.dumps({**stripped(t), "nbformat_minor": 5}),
    "nbformat 4.0": lambda t: json.dumps({**stripped(t), "nbformat_minor": 0}),
    "nbformat 3": nbformat_3,
    "BOM and CRLF": lambda t: b"\xef\xbb\xbf" + json.dumps(json.loads(t), indent=1).replace("\n", "\r\n").replace("\\n", "\\r\\n").encode(),
    "metadata flipped": lambda t: t.replace('"schema_version": 3', '"grade": true, "solution": false, "points": 1e9, "locked": true'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_04_damaged_by_editors_has_100_percent(tmp_path, damage):
    result = grade_here(tmp_path, "ann", DAMAGE[damage](notebook(sources(right_answers()))))
    assert function_points(result) == AUTO


def test_06_checks_deleted_is_graded_as_if_untouched_with_a_flag(tmp_path):
    result = grade_here(tmp_path, "ann", notebook(sources(one_replaced("rms_norm", "def rms_norm(x, weight, eps=1e-6):\n    return x"), checks=False)))
    assert function_points(result) == AUTO - 1 and scores(result)["rms_norm"] == 0
    assert {f["kind"] for f in result["flags"]} == {"check deleted or edited"}


def test_06_checks_edited_is_graded_as_if_untouched_with_a_flag(tmp_path):
    cheat = "def check(question_id):\n    print('all passed')\n    return True"
    result = grade_here(tmp_path, "ann", notebook(sources(one_replaced("rms_norm", "def rms_norm(x, weight, eps=1e-6):\n    return x"), before=[cheat])))
    assert scores(result)["rms_norm"] == 0 and any("check is redefined" in f["evidence"] for f in result["flags"])


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
        (notebook(sources({"rms_norm": "x"}))[:300], "broken"),
        (b"\x00\x01\x02PNG", "broken"),
        (b"[1, 2]", "not a notebook"),
        (b'{"a": 1}', "no cells"),
        (b'{"cells": []}', "no cells with text"),
        (b"[" * 100_000, "broken"),
        (notebook(['course_lib.setup("00_start_here")']), "00_start_here was handed in for 02_pretraining"),
        (notebook(["x = 1"]), "a notebook of no lab of this course was handed in"),
    ],
    ids=["0 bytes", "blank", "login page", "truncated", "binary", "list", "dict", "no cells", "JSON bomb", "another lab", "no lab"],
)
def test_09_not_a_notebook_is_ungradable_with_the_reason_and_never_0(tmp_path, content, reason):
    result = grade_here(tmp_path, "ann", content)
    assert result["status"] == "ungradable" and re.search(reason, result["reason"]) and result["questions"] == []


DEATHS = {
    "os._exit": "import os\n    os._exit(0)",
    "SIGKILL": "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "import ctypes\n    ctypes.string_at(0)",
}


@pytest.mark.parametrize("death", DEATHS)
def test_15_a_dying_function_costs_its_question_and_the_rest_is_graded(tmp_path, death):
    result = grade_here(tmp_path, "ann", notebook(sources(one_replaced("rms_norm", f"def rms_norm(x, weight, eps=1e-6):\n    {DEATHS[death]}"))))
    assert function_points(result) == AUTO - 1 and statuses(result)["rms_norm"] == "killed" and result["restarts"] == 1
    assert "the process died" in [q for q in result["questions"] if q["id"] == "rms_norm"][0]["cases"][0]["message"]


def test_15_a_dying_cell_costs_nothing_else(tmp_path):
    result = grade_here(tmp_path, "ann", notebook(sources(right_answers(), before=["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"])))
    assert function_points(result) == AUTO and "SIGKILL" in str(result["cells_stopped"])


@pytest.fixture
def impatient(monkeypatch):
    from course_lib.grading import box
    from course_lib.questions import core

    monkeypatch.setattr(box, "CELL", 2.0)
    for question in core.questions_of(classroom.LAB):
        if isinstance(question, core.Question):
            monkeypatch.setattr(question, "timeout", 2.0)


LOOPS = {
    "plain": "while True:\n        pass",
    "swallows everything": "import time\n    while True:\n        try:\n            while True:\n                time.sleep(0.01)\n        except BaseException:\n            pass",
    "alarm switched off": "import signal, time\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    time.sleep(3600)",
    "waits on a lock": "import threading\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_16_an_endless_function_costs_its_question_only(tmp_path, impatient, loop):
    result = grade_here(tmp_path, "ann", notebook(sources(one_replaced("rms_norm", f"def rms_norm(x, weight, eps=1e-6):\n    {LOOPS[loop]}"))))
    assert function_points(result) == AUTO - 1 and statuses(result)["rms_norm"] == "timeout"


@pytest.mark.parametrize("loop", ["plain", "swallows everything"])
def test_16_an_endless_cell_costs_nothing_else(tmp_path, impatient, loop):
    result = grade_here(tmp_path, "ann", notebook(sources(right_answers(), before=[f"def loop():\n    {LOOPS[loop]}\nloop()"])))
    assert function_points(result) == AUTO and "timeout" in str(result["cells_stopped"])


def test_16_an_endless_later_case_costs_that_case_only(tmp_path, impatient):
    slow = "import torch\ndef rms_norm(x, weight, eps=1e-6):\n    while x.shape[-1] == 1:\n        pass\n    y = x.float()\n    return (weight.float() * y * torch.rsqrt((y * y).mean(-1, keepdim=True) + eps)).to(x.dtype)"
    result = grade_here(tmp_path, "ann", notebook(sources(one_replaced("rms_norm", slow))))
    question = [q for q in result["questions"] if q["id"] == "rms_norm"][0]
    assert question["cases"][0]["status"] == "pass" and 0 < question["score"] < 1 and "timeout" in [c["status"] for c in question["cases"]]


PATCHES = {
    "allclose": "torch.allclose = lambda *a, **k: True",
    "testing": "torch.testing.assert_close = lambda *a, **k: None",
    "isfinite": "torch.isfinite = lambda x: torch.ones_like(x, dtype=torch.bool)",
    "equal": "torch.equal = lambda a, b: True\ntorch.Tensor.__eq__ = lambda a, b: True",
    "json": "import json\njson.dumps = lambda *a, **k: '{\"status\": \"ok\", \"reply\": {\"value\": 1}}'",
    "safetensors": "import safetensors.torch\nsafetensors.torch.save = lambda *a, **k: b''",
    "core.run": "from course_lib.questions import core\ncore.run = lambda *a, **k: 1\ncore.CaseFailed = ValueError",
}


@pytest.mark.parametrize("patch", PATCHES)
def test_25_patched_libraries_give_no_point_and_a_flag(tmp_path, patch):
    wrong = {n: f"def {n}(*args, **kwargs):\n    return args[0]" for n in right_answers()}
    result = grade_here(tmp_path, "ann", notebook(sources(wrong, before=["import torch\n" + PATCHES[patch]])))
    assert result["status"] in ("graded", "partial") and function_points(result) == 0
    assert "patched library" in {f["kind"] for f in result["flags"]}


FORGE = """
import json, os, threading, time
OK = json.dumps(["dict", [["status", "ok"], ["reply", ["dict", [["value", 1.0]]]]]]).encode()
PAYLOAD = len(OK).to_bytes(8, "little") + OK
def spray(data):
    for fd in range(3, 64):
        try:
            os.write(fd, data)
        except OSError:
            pass
"""
FORGERIES = {
    "pre-sent replies": "spray((len(PAYLOAD).to_bytes(8, 'little') + bytes(16) + PAYLOAD) * 50)",
    "garbage": "spray(os.urandom(5000))",
    "oversize": "spray((2**62).to_bytes(8, 'little') + bytes(16))",
    "JSON bomb": "spray((200_008).to_bytes(8, 'little') + bytes(16) + (200_000).to_bytes(8, 'little') + b'[' * 200_000)",
    "closes the pipe": "[os.close(fd) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]",
    "a thread that writes for ever": "def pour():\n    while True:\n        spray(b'x' * 100)\n        time.sleep(0.001)\nthreading.Thread(target=pour, daemon=True).start()",
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("where", ["in a cell", "in a call"])
def test_31_forged_replies_give_no_point_and_a_flag(tmp_path, impatient, forgery, where):
    wrong = {n: stub(n) for n in right_answers()}
    if where == "in a cell":
        cells = sources(wrong, after=[FORGE + FORGERIES[forgery]])
    else:
        attack = "\n    ".join(FORGERIES[forgery].split("\n"))
        wrong["rms_norm"] = FORGE + f"def rms_norm(x, weight, eps=1e-6):\n    {attack}\n    return x"
        cells = sources(wrong)
    result = grade_here(tmp_path, "ann", notebook(cells))
    assert result["status"] in ("graded", "partial") and function_points(result) == 0
    assert "forged reply" in {f["kind"] for f in result["flags"]}, result["flags"]


NETWORK = """
import socket, time, urllib.request
REACHED = []
def attempt(name, what):
    began = time.time()
    try:
        what()
        REACHED.append(name)
    except Exception as error:
        print(name, type(error).__name__, "quick" if time.time() - began < 1 else "SLOW")
attempt("http", lambda: urllib.request.urlopen("http://93.184.216.34/", timeout=5))
attempt("dns", lambda: socket.getaddrinfo("huggingface.co", 443))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("8.8.8.8", 53)))
attempt("localhost", lambda: socket.create_connection(("127.0.0.1", PORT), timeout=5))
print("REACHED", REACHED)
"""


def test_40_network_is_unreachable_at_once_and_the_rest_is_graded(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        cell = NETWORK.replace("PORT", str(server.getsockname()[1]))
        result = grade_here(tmp_path, "ann", notebook(sources(right_answers(), before=[cell])))
    assert function_points(result) == AUTO and "REACHED []" in result["log_tail"] and "SLOW" not in result["log_tail"]
