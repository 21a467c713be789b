"""A hostile student against the border. Every attack scores 0 on what it did not solve, and the grader goes on."""

import os
import shutil
import time

import pytest
import torch
from classroom import grade_here, notebook, right_answers, scores, sources, statuses
from test_bad_submissions import AUTO, function_points, impatient, one_replaced  # noqa: F401

pytestmark = pytest.mark.usefixtures("box")


def attacked(tmp_path, body, **more):
    """The result where rms_norm is the attack and all else is right."""
    text = "def rms_norm(x, weight, eps=1e-6):\n    " + "\n    ".join(body.strip("\n").split("\n"))
    return grade_here(tmp_path, "eve", notebook(sources(one_replaced("rms_norm", text), **more)))


MEMORY = {
    "one huge tensor": "import torch\nreturn torch.zeros(10**11)",
    "a view of 10 TB": "import torch\nreturn torch.zeros(1).expand(10**12)",
    "an honest 3 GB": "import torch\nreturn torch.zeros(8 * 10**8)",
    "children that eat": "import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n        b = [bytearray(2**20) for _ in range(1500)]\n        time.sleep(30)\ntime.sleep(30)",
    "slow leak": "b = []\nwhile True:\n    b.append(bytearray(2**24))",
    "a list of a billion": "return [0] * 10**9",
    "a deep list": "y = []\nfor _ in range(10**5):\n    y = [y]\nreturn y",
    "a number with 10^6 digits": "return 1 << 4_000_000",
    "a number beyond floats": "return 10**1000",
}


TENSOR_FIRST = ("causal_attention", "rms_norm", "apply_rope", "next_token_loss", "top_p_probs", "distance_to_limit")


def six_attacks(tmp_path, bodies):
    """The result of one submission with up to six attacks, each in the place of a function whose first argument is a tensor, and the names attacked."""
    answers, names = right_answers(), TENSOR_FIRST[: len(bodies)]
    for name, body in zip(names, bodies):
        answers[name] = f"def {name}(x, *args, **kwargs):\n    " + "\n    ".join(body.split("\n"))
    result = grade_here(tmp_path, "eve", notebook(sources(answers)))
    worth = {q["id"]: q["max"] for q in result["questions"]}
    assert function_points(result) == AUTO - sum(worth[n] for n in names), statuses(result)
    return result, names


@pytest.mark.parametrize("group", [0, 1])
def test_memory(tmp_path, group, impatient):  # noqa: F811
    before = shutil.disk_usage("/").free
    result, names = six_attacks(tmp_path, list(MEMORY.values())[5 * group : 5 * group + 5])
    assert {statuses(result)[n] for n in names} <= {"oom", "fail", "killed", "timeout", "error"}, statuses(result)
    assert before - shutil.disk_usage("/").free < 2**30


PROCESSES = {
    "fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "orphans": "import os, subprocess\nfor _ in range(5):\n    subprocess.Popen(['setsid', 'sleep', '4712'])\nos._exit(0)",
    "threads": "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "kills everybody": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "kills the first process": "import os, signal\nfor p in (1, 2):\n    try:\n        os.kill(p, signal.SIGKILL)\n    except OSError:\n        pass\nreturn x",
}


@pytest.mark.parametrize("attack", PROCESSES)
def test_processes(tmp_path, attack, impatient):  # noqa: F811
    result = attacked(tmp_path, PROCESSES[attack])
    assert function_points(result) == AUTO - 1 and result["status"] == "graded"
    time.sleep(0.3)
    left = [p for p in os.listdir("/proc") if p.isdigit() and b"4712" in cmdline(p)]
    assert left == []


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


DISK = """
import os
for place in ("/tmp", "/box", "/dev/shm", ".", "/", "/course", "/usr", "/var", os.path.expanduser("~")):
    try:
        with open(place + "/fill", "wb") as file:
            for _ in range(1000):
                file.write(bytes(2**20))
    except OSError as error:
        print(place, error.errno)
for i in range(20000):
    try:
        open(f"/tmp/{i}", "w").close()
    except OSError:
        break
"""


def test_disk_is_capped_and_the_rest_is_graded(tmp_path):
    before = shutil.disk_usage("/").free
    result = grade_here(tmp_path, "eve", notebook(sources(right_answers(), before=[DISK])))
    assert function_points(result) == AUTO and before - shutil.disk_usage("/").free < 2**28


LOUD = {
    "one line of 2 GB": "for _ in range(2000):\n    print('x' * 10**6, end='')",
    "a million lines": "for i in range(10**6):\n    print(i)",
    "noise on the descriptors": "import os\nfor _ in range(100):\n    os.write(1, os.urandom(10**5)); os.write(2, b'\\x1b[2J\\x00\\xff' * 1000)",
}


@pytest.mark.parametrize("attack", LOUD)
def test_output_is_capped(tmp_path, attack):
    result = grade_here(tmp_path, "eve", notebook(sources(right_answers(), before=[LOUD[attack]])))
    assert function_points(result) == AUTO and len(result["log_tail"]) <= 4000
    assert all(c.isprintable() or c in "\n\t" for c in result["log_tail"])


def test_stderr_never_fails_anything(tmp_path):
    noisy = "import sys, warnings, logging\nfrom tqdm import tqdm\nfor _ in tqdm(range(3)): pass\nwarnings.warn('careful')\nlogging.error('oh')\nprint('hm', file=sys.stderr)"
    assert function_points(grade_here(tmp_path, "ann", notebook(sources(right_answers(), before=[noisy])))) == AUTO


READS = """
import glob, os
FOUND = []
for pattern in ("/course/course_lib/questions/lab*", "/course/course_lib/grading/[b-z]*", "/work/**/solutions*", "/work/**/grades*", "/work/**/lab*.py", "/course/**/*solution*", "/home/*", "/etc/passwd",
                "/root/*", "/var/*", "/proc/1/environ", "/proc/1/root/etc/shadow", "/proc/1/cwd/*"):
    FOUND += glob.glob(pattern, recursive=True)
for path in ("/proc/1/environ", "/proc/1/mem", "/proc/self/environ"):
    try:
        FOUND += [line for line in open(path, "rb").read().split(b"\\0") if b"SECRET" in line]
    except OSError:
        pass
try:
    import course_lib.questions.lab02_pretraining
    FOUND.append("questions")
except ImportError:
    pass
FOUND = [f for f in FOUND if f not in ("/proc/1/environ",)]
print("FOUND", FOUND)
"""


def test_nothing_of_the_grader_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_SECRET", "the secret of this course, 32 characters or more")
    result = grade_here(tmp_path, "eve", notebook(sources(right_answers(), before=[READS])))
    assert "FOUND []" in result["log_tail"], result["log_tail"]
    assert "reaches for the grader" in {f["kind"] for f in result["flags"]}


FRAMES = """
import sys, gc, json
seen, frame = [], sys._getframe()
while frame:
    seen += [str(k) for k in frame.f_locals if "expected" in str(k) or "seed" in str(k) or "secret" in str(k)]
    frame = frame.f_back
print("SEEN", seen)
return x
"""


def test_walking_the_frames_finds_nothing(tmp_path):
    result = attacked(tmp_path, FRAMES)
    assert "SEEN []" in result["log_tail"] and scores(result)["rms_norm"] == 0


KNOWN_ID = """
import os, sys
frame = sys._getframe()
while "call_id" not in frame.f_locals:
    frame = frame.f_back
agent = frame.f_globals
for fake in ({"status": "ok", "reply": {"value": 1.0}, "score": 100, "pass": True}, {"at": 10**9}, {"stopped": {}}, {"status": "pass"}):
    agent["write_frame"](frame.f_locals["replies"], frame.f_locals["call_id"], frame.f_locals["wire"].encode(fake))
agent["write_frame"] = lambda *a: None
return x
"""


def test_a_reply_with_the_stolen_id_is_only_an_answer(tmp_path, impatient):  # noqa: F811
    result = attacked(tmp_path, KNOWN_ID)
    assert scores(result)["rms_norm"] == 0 and function_points(result) == AUTO - 1
    assert result["flags"]


def test_an_agent_taken_over_gains_nothing(tmp_path, impatient):  # noqa: F811
    cell = "import sys\nframe = sys._getframe()\nwhile 'requests' not in frame.f_locals:\n    frame = frame.f_back\nframe.f_globals['answer'] = lambda *a: {'status': 'ok', 'reply': {'value': 1.0, 'grads': [None], 'inputs': []}, 'score': 9}"
    result = grade_here(tmp_path, "eve", notebook(sources(right_answers(), after=[cell])))
    assert function_points(result) == 0 and result["status"] == "graded"


TRICKS = {
    "__torch_function__": "import torch\nclass T(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, t, a=(), k=None):\n        return True\nreturn x.as_subclass(T)",
    "__eq__": "class E:\n    def __eq__(self, o): return True\n    __bool__ = __eq__\n    shape = dtype = property(lambda s: s)\nreturn E()",
    "__del__": "import os\nclass D:\n    def __del__(self): os._exit(0)\nd = D()\nreturn x",
    "sparse": "return x.to_sparse()",
    "meta": "return x.to('meta')",
    "nan": "return x * float('nan')",
    "inf": "return x * float('inf')",
    "float64": "return x.double()",
    "complex": "return x + 0j",
    "dict subclass": "class M(dict): pass\nreturn M()",
    "a generator": "return (i for i in range(10**9))",
    "module": "import os\nreturn os",
    "bytes": "return b'x' * 100",
    "exception with a hostile text": "class B(Exception):\n    def __str__(self): raise SystemExit\nraise B()",
    "BaseException": "class B(BaseException): pass\nraise B()",
    "an exception of 10 MB": "raise ValueError('x' * 10**7)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "recursion": "f = lambda a: f(a)\nreturn f(x)",
    "bidi and escapes": "raise ValueError('\\u202e\\x1b[31m\\ud800<script>')",
}


@pytest.mark.parametrize("group", range(4))
def test_tricks_of_the_answer(tmp_path, group, impatient):  # noqa: F811
    result, names = six_attacks(tmp_path, list(TRICKS.values())[5 * group : 5 * group + 5])
    assert {scores(result)[n] for n in names} == {0}
    assert "\u202e" not in str(result) and "\x1b" not in str(result)


LEAKS = {
    "default dtype": "import torch\ntorch.set_default_dtype(torch.float64)",
    "no grad": "import torch\ntorch.set_grad_enabled(False)",
    "builtins": "import builtins\ndel builtins.print\nbuiltins.len = lambda x: 0",
    "time": "import time\ntime.time = time.monotonic = lambda: 0\ntime.sleep = lambda s: None",
    "limits": "import resource\nfor r in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_CPU):\n    try:\n        resource.setrlimit(r, (-1, -1))\n        print('LIFTED')\n    except (ValueError, OSError):\n        pass",
    "clash of names": "open('torch.py', 'w').write('raise SystemExit')\nopen('course_lib.py', 'w').write('raise SystemExit')\nopen('/tmp/sitecustomize.py', 'w').write('raise SystemExit')",
}


@pytest.mark.parametrize("attack", LEAKS)
def test_global_state(tmp_path, attack, impatient):  # noqa: F811
    """Nothing to gain; and what harms the student's own process is at most the student's own loss."""
    wrong = {n: f"def {n}(*args, **kwargs):\n    return args[0]" for n in right_answers()}
    result = grade_here(tmp_path, "eve", notebook(sources(wrong, before=[LEAKS[attack]])))
    assert function_points(result) == 0 and "LIFTED" not in result["log_tail"]


EVIL_SYNTAX = ["-" * 90_000 + "1", "(" * 90_000, "a" + ".a" * 40_000, " " * 90_000 + "!", "x" + " " * 90_000 + "!", "\n" * 90_000 + "!", "\x00", "\ud800", "%%bash\nrm -rf /", "x = !ls\n%timeit 1\n?x\nawait None"]


def test_cells_that_hurt_a_parser(tmp_path):
    began = time.monotonic()
    result = grade_here(tmp_path, "eve", notebook(sources(right_answers(), before=EVIL_SYNTAX)))
    assert function_points(result) == AUTO and time.monotonic() - began < 60


def test_a_notebook_of_one_endless_cell_is_for_a_person(tmp_path):
    result = grade_here(tmp_path, "eve", notebook(["x = 1\n" * 10**6]))
    assert result["status"] == "ungradable" and "far longer" in result["reason"]


def test_the_question_that_calls_for_more_than_one_gradient_mode_is_safe():
    """A student's no_grad() in one call does not disable gradients in the next."""
    from course_lib.questions.invoke import invoke

    torch.set_grad_enabled(False)
    try:
        reply = invoke(lambda x: x * 2, [torch.ones(2)], {}, wrt=(0,))
    finally:
        torch.set_grad_enabled(True)
    assert reply["grads"][0].tolist() == [2.0, 2.0]
