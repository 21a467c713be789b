"""The warm start: the same grade as cold, and no harm when the zygote dies or cannot be had. Its walls are tested in
test_attacks.py.
"""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time

import classroom
import pytest
import torch
from classroom import hand_in, notebook, right_answers, sources

from course_lib.grading.records import store
from course_lib.grading.sandbox import borders
from course_lib.grading.sandbox.box import Box, Infra
from course_lib.grading.sandbox.zygote import Zygote
from course_lib.grading.scoring import jobs as scoring_jobs
from course_lib.grading.scoring.grade_one import grade_one
from course_lib.questions.invoke import CallFailed

LAB = "00_start_here"
DOUBLE = "def f(x): return x * 2"


def doubled(spawn):
    box = Box([(0, DOUBLE)], spawn)
    try:
        return box.call("f", [torch.ones(2)], {}, {}, 20)["value"].tolist()
    finally:
        box.stop()


def test_the_grade_is_the_same_warm_and_cold(tmp_path, zygote):
    text, results = notebook(sources(right_answers(LAB), LAB), {"written_1": "words"}), {}
    for way, spawn in (("cold", None), ("warm", zygote.spawn)):
        hand_in(tmp_path / way, "ann", text, lab=LAB)
        ((job, job_path, out),) = scoring_jobs.jobs_of(LAB, tmp_path / way / "grades", tmp_path / way / "submissions")
        store.write_json(job_path, job | {"seed": "0" * 64})
        results[way] = grade_one(job_path, out, spawn)
    timeless = lambda r: re.sub(
        r"'(seconds|student_seconds|grader_seconds|started)': [\d.e-]+",
        "",
        str({k: v for k, v in r.items() if k not in ("flags",)}),
    )
    assert results["cold"]["status"] == "graded" and timeless(results["cold"]) == timeless(results["warm"])


def test_several_jobs_at_once_and_nothing_is_left_open(zygote):
    doubled(zygote.spawn)
    open_before = len(os.listdir("/proc/self/fd"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: doubled(zygote.spawn), range(12))) == [[2.0, 2.0]] * 12
    assert len(os.listdir("/proc/self/fd")) <= open_before
    assert (
        len([p for p in borders.processes(zygote.process.pid) if read(p).split(b"\0")[0].endswith(b"python")]) == 1
    )  # the zygote itself: every job has ended


def test_two_jobs_draw_the_same_where_fresh_processes_do_and_differently_where_they_do_not(zygote):
    boxes = [
        Box(
            [
                (
                    0,
                    "import random, numpy, torch\ndef draw(): return [torch.rand(1).item(), random.getrandbits(60), "
                    "int(numpy.random.randint(2**60))]\nDRAWN = draw()\ndef f(): return DRAWN",
                )
            ],
            zygote.spawn,
        )
        for _ in range(2)
    ]
    one, other = (box.call("f", [], {}, {}, 20)["value"] for box in boxes)
    [box.stop() for box in boxes]
    assert one[0] == other[0] and one[1] != other[1] and one[2] != other[2]


def test_a_dead_zygote_is_an_error_once_and_never_a_score(box):
    with Zygote(["course_lib.grading.sandbox.inside.agent"]) as zygote:
        running = Box([(0, "import time\ndef f(x):\n    time.sleep(60)")], zygote.spawn)
        running.load()
        zygote.process.kill()
        with pytest.raises(CallFailed):
            running.call("f", [1], {}, {}, 60)
        assert isinstance(running.infra, Infra) and running.process is None
        with pytest.raises(OSError, match="the zygote has died"):
            zygote.spawn()
        assert doubled(zygote.spawn) == [2.0, 2.0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ImportError('no such library')", "no such library"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
            "has started 1 threads",
        ),
        ("import os\nos._exit(3)", "no warm start"),
    ],
)
def test_a_zygote_that_cannot_be_had_says_why_in_one_line(box, tmp_path, monkeypatch, code, said):
    (tmp_path / "broken.py").write_text(code)
    folders = borders.python_folders()
    monkeypatch.setattr(borders, "python_folders", lambda: [*folders, tmp_path])
    monkeypatch.setitem(borders.ENVIRONMENT, "PYTHONPATH", f"{borders.INSIDE}:{tmp_path}")
    with pytest.raises(OSError, match=said) as error:
        Zygote(["broken"]).ready()
    assert "\n" not in str(error.value)


def test_an_interpreter_under_tmp_is_there_in_each_job_and_read_only(box, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("VALUE = 5")
    tmp_path.chmod(0o755)
    folders = borders.python_folders()
    monkeypatch.setattr(borders, "python_folders", lambda: [*folders, tmp_path])
    monkeypatch.setitem(borders.ENVIRONMENT, "PYTHONPATH", f"{borders.INSIDE}:{tmp_path}")
    source = (
        f"import os, mine\ndef f():\n    try:\n        open({str(tmp_path)!r} + '/x', 'w')\n    except OSError as "
        "error:\n        return [mine.VALUE, error.errno, os.listdir('/tmp')]"
    )
    with Zygote(["course_lib.grading.sandbox.inside.agent"]) as zygote:
        job = Box([(0, source)], zygote.spawn)
        value = job.call("f", [], {}, {}, 20)["value"]
        job.stop()
    assert value[:2] == [5, 30] and sorted(value[2]) == classroom.under_tmp()


def test_zygote_and_jobs_die_with_the_grader(box):
    script = (
        "from course_lib.grading.sandbox.box import Box\nfrom course_lib.grading.sandbox.zygote import Zygote\nz = "
        "Zygote(['course_lib.grading.sandbox.inside.agent'])\n"
        'b = Box([(0, \'import os, time\\ndef f():\\n    os.system("setsid sleep 4714.5 &")\\n    '
        "time.sleep(4714)')], z.spawn)\nb.load()\nprint(z.process.pid, flush=True)\nb.call('f', [], {}, {}, 60)"
    )
    running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    root = int(running.stdout.readline())
    until, family = time.monotonic() + 10, []
    while not any(b"4714.5" in read(p) for p in family) and time.monotonic() < until:
        time.sleep(0.02)
        family = borders.processes(root)
    assert len(family) >= 5
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    until = time.monotonic() + 10
    while (
        left := [p for p in family if read(p)]
    ) and time.monotonic() < until:  # a zombie that nobody has fetched yet has no command line
        time.sleep(0.02)
    assert left == []


def read(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_warm_seconds_measures_what_it_says(box):
    from course_lib.bench.classes import timing

    figures = timing.warm_seconds(rounds=3)
    assert (
        figures["score"] >= 8.0
        and figures["warm_s_best"] <= figures["warm_s"] < figures["warm_whole_s"]
        and figures["warm_student_s"] > 0
    )
    assert classroom.LAB == timing.demo.LAB
