"""Whatever is killed, full, torn or done twice: nothing lost, nothing doubled, no silent zero. Most tests use workers
without torch and sandbox (quick.py).
"""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import classroom
import pytest
import quick

from course_lib.grading.records import marks, store
from course_lib.grading.sandbox import borders
from course_lib.grading.scoring import jobs as scoring_jobs
from course_lib.grading.scoring import worker

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("box")


def command(folder, *arguments, script=quick.__file__, **environment):
    """A running `course …` in a folder, as somebody would have typed it."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    program = [script] if script else ["-m", "course_lib.cli"]
    # what a shell starts in the background ignores Ctrl-C, and so would all below it
    listens = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listens,
    )


def grade_lab(folder, *arguments, **environment):
    """(exit status, last line of stderr) of a whole `course grade`."""
    process = command(folder, "grade", quick.LAB, *arguments, **environment)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.strip().splitlines()[-1] if err.strip() else ""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results of twelve submissions when nothing happens, and the secret that they belong to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    quick.hand_in(folder, *["fine"] * 12)
    assert grade_lab(folder, "-j", "2")[0] == 0
    return quick.results(folder), (folder / "grades" / ".secret").read_text()


@pytest.fixture
def store_of(tmp_path, undisturbed):
    """A folder with the same class, not graded."""
    quick.hand_in(tmp_path, *["fine"] * 12)
    store.write_atomic(tmp_path / "grades" / ".secret", undisturbed[1].encode())
    return tmp_path


def below(pid):
    return [p for p in borders.processes(pid) if p != pid]


def gone(pids, seconds=5):
    """Whether all these processes have ended, after a moment."""
    until = time.monotonic() + seconds
    while (
        any(
            Path(f"/proc/{p}/stat").exists() and Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            for p in pids
        )
        and time.monotonic() < until
    ):
        time.sleep(0.02)
    return time.monotonic() < until


# ---- kill -9 --------------------------------------------------------------------------------------------------------


def test_the_grader_is_killed_ten_times(store_of, undisturbed):
    draw = random.Random(7)
    for _ in range(10):
        process = command(store_of, "grade", quick.LAB, "-j", "2")
        time.sleep(draw.uniform(0.1, 0.9))
        children = below(process.pid)
        process.kill()
        process.communicate()
        assert gone(children), "a worker outlived its grader"
        for path, result in quick.results(store_of).items():
            assert result == undisturbed[0][path], "what is there is whole and right"
    assert grade_lab(store_of, "-j", "2")[0] == 0
    assert quick.results(store_of) == undisturbed[0]


def test_workers_are_killed_again_and_again(store_of, undisturbed):
    draw = random.Random(8)
    process = command(store_of, "grade", quick.LAB, "-j", "2")
    while process.poll() is None and not (store_of / "grades" / ".jobs").exists():
        time.sleep(0.01)  # before that it tries the sandbox: who kills that one has none, and nothing is graded
    while process.poll() is None:
        time.sleep(draw.uniform(0.1, 0.4))
        for pid in below(process.pid)[-1:]:
            os.kill(pid, signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode in (0, 1), err  # 1: a job that was hit three times
    assert all(r["status"] in ("graded", "infra_error") for r in quick.results(store_of).values())
    assert grade_lab(store_of)[0] == 0
    assert quick.results(store_of) == undisturbed[0]


def test_a_worker_that_dies_costs_an_attempt_and_never_a_score(tmp_path):
    quick.hand_in(tmp_path, "fine", "dies once", "dies", "fine")
    assert grade_lab(tmp_path, "-j", "1")[0] == 1
    found = {p.split("/")[2]: r for p, r in quick.results(tmp_path).items()}
    assert [found[s]["status"] for s in ("s00", "s01", "s02", "s03")] == ["graded", "graded", "infra_error", "graded"]
    assert (
        found["s02"]["questions"] == []
        and "failed 3 times: the grading process died (SIGKILL)" in found["s02"]["reason"]
    )
    assert store.totals(found["s02"]) == (None, None, None)


def test_a_worker_that_hangs_is_killed_at_the_deadline(tmp_path):
    quick.hand_in(tmp_path, "fine", "hangs")
    assert grade_lab(tmp_path, "-j", "1", QUICK_DEADLINE="4")[0] == 1
    found = [r for r in quick.results(tmp_path).values()]
    assert [r["status"] for r in found] == ["graded", "infra_error"] and "no result within 4 s" in found[1]["reason"]


def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(store_of, undisturbed):
    process = command(
        store_of, "grade", quick.LAB, "-j", "2", QUICK_SECONDS="0.5"
    )  # so slow that it is not done before the key is pressed
    while not quick.results(store_of) and process.poll() is None:
        time.sleep(0.02)
    children = below(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and err.strip().endswith(
        "Stopped. What was finished is kept; run the same command again to go on."
    )
    assert gone(children)
    assert grade_lab(store_of)[0] == 0 and quick.results(store_of) == undisturbed[0]


# ---- the store ------------------------------------------------------------------------------------------------------


def test_a_full_disk_stops_the_run_with_one_line_and_keeps_the_rest(tmp_path):
    quick.hand_in(tmp_path, "fine", "fine", "disk", "fine")
    code, line = grade_lab(tmp_path, "-j", "1")
    assert code == 2 and "No space left on device" in line and "2 of 4 are graded and kept: make room" in line
    assert len(quick.results(tmp_path)) == 2
    for notebook in tmp_path.glob("submissions/*/s02/*/notebook.ipynb"):
        notebook.write_text("fine,2")  # room was made
    assert grade_lab(tmp_path)[0] == 0 and len(quick.results(tmp_path)) == 4


def test_no_room_for_a_job_file_is_one_line(tmp_path, monkeypatch):
    quick.hand_in(tmp_path, "fine")
    job, job_path, out = scoring_jobs.jobs_of(quick.LAB, tmp_path / "grades", tmp_path / "submissions")[0]

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "write_atomic", full)
    with pytest.raises(store.StoreError, match="cannot write .*No space left on device"):
        scoring_jobs.run_job(job, job_path, out)
    assert not out.exists()


def test_half_a_mark_is_passed_over_and_the_next_one_counts(tmp_path, monkeypatch):
    mark = {"student": "a", "submission_sha": "x", "question": "q", "score": 1.0, "comment": "", "by": "me", "at": 1}
    marks.append(quick.LAB, mark, tmp_path)
    write = os.write
    monkeypatch.setattr(
        os, "write", lambda fd, data: write(fd, bytes(data)[:20])
    )  # the disk takes 20 bytes, then no more
    with pytest.raises(store.StoreError, match="the mark was not kept"):
        marks.append(quick.LAB, {**mark, "score": 2.0}, tmp_path)
    monkeypatch.undo()
    assert marks.read(quick.LAB, tmp_path)["a", "x", "q"]["score"] == 1.0
    marks.append(quick.LAB, {**mark, "score": 3.0}, tmp_path)
    assert marks.read(quick.LAB, tmp_path)["a", "x", "q"]["score"] == 3.0


def test_a_store_that_cannot_be_written_is_one_line(tmp_path):
    quick.hand_in(tmp_path, "fine")
    (tmp_path / "grades").write_text("a file where the folder should be")
    code, line = grade_lab(tmp_path)
    assert code == 2 and line.startswith("cannot write") and line.endswith("make it writable")


@pytest.mark.parametrize(
    "damage",
    [
        "torn",
        "empty",
        "another spec",
        "another submission",
        "NaN",
        "negative",
        "too many points",
        "a question twice",
        "beyond floats",
        "a maximum beyond floats",
    ],
)
def test_a_result_that_cannot_be_believed_is_graded_anew(tmp_path, monkeypatch, damage):
    """In this process: jobs_of says what is to be done."""
    quick.hand_in(tmp_path, "fine")
    jobs = lambda: scoring_jobs.jobs_of(quick.LAB, tmp_path / "grades", tmp_path / "submissions")
    ((job, job_path, out),) = jobs()
    question = {"id": "surprise", "score": 1.0, "max": 1.0, "status": "pass", "cases": [], "message": ""}
    good = {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")} | {
        "schema": store.SCHEMA,
        "status": "graded",
        "flags": [],
        "questions": [question],
    }
    store.keep_result(out, good)
    assert jobs() == []
    bad = {
        "torn": lambda r: json.dumps(r)[:-30], "empty": lambda r: "",
        "another spec": lambda r: json.dumps({**r, "spec_sha": "0" * 16}),
        "another submission": lambda r: json.dumps({**r, "submission_sha": "0" * 16}),
        "NaN": lambda r: json.dumps({**r, "questions": [{**question, "score": float("nan")}]}),
        "negative": lambda r: json.dumps({**r, "questions": [{**question, "score": -1.0}]}),
        "beyond floats": lambda r: json.dumps({**r, "questions": [{**question, "score": 10**400}]}),
        "a maximum beyond floats": lambda r: json.dumps({**r, "questions": [{**question, "max": 10**400}]}),
        "too many points": lambda r: json.dumps({**r, "questions": [{**question, "score": 1.5}]}),
        "a question twice": lambda r: json.dumps({**r, "questions": [question, question]}),
    }[damage]  # fmt: skip
    out.write_text(bad(good))
    assert len(jobs()) == 1
    store.keep_result(out, good)
    assert jobs() == []


def test_questions_with_more_points_than_their_maximum_write_nothing(tmp_path):
    quick.hand_in(tmp_path, "faulty", "faulty")
    code, line = grade_lab(tmp_path, "-j", "1")
    assert (
        code == 2
        and "the questions of 00_start_here are at fault" in line
        and "score 9" in line
        and quick.results(tmp_path) == {}
    )


def test_a_secret_half_written_by_a_killed_process_is_not_there(tmp_path, monkeypatch):
    def killed(fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        store.secret(tmp_path)
    monkeypatch.undo()
    assert not (tmp_path / ".secret").exists()
    assert (
        len(store.secret(tmp_path)) == 64 == len(store.secret(tmp_path))
        and os.stat(tmp_path / ".secret").st_mode & 0o77 == 0
    )


# ---- two at once ----------------------------------------------------------------------------------------------------


def test_two_graders_on_one_store(store_of, undisturbed):
    first = command(store_of, "grade", quick.LAB, "-j", "1", QUICK_SECONDS="2")  # still at it when the second comes
    while not quick.results(store_of) and first.poll() is None:
        time.sleep(0.02)
    code, line = grade_lab(store_of)
    assert code == 2 and f"is being graded already (process {first.pid} on " in line
    first.kill(), first.communicate()
    assert grade_lab(store_of)[0] == 0, "the lock went with its process"
    assert quick.results(store_of) == undisturbed[0]


def test_the_first_valid_result_wins(tmp_path):
    result = {
        "lab": "l",
        "student": "s",
        "submission_sha": "a",
        "spec_sha": "b",
        "schema": store.SCHEMA,
        "flags": [],
        "questions": [],
    }
    store.keep_result(tmp_path / "r.json", {**result, "status": "infra_error", "reason": "no luck"})
    store.keep_result(tmp_path / "r.json", {**result, "status": "graded", "host": "one"})
    kept = store.keep_result(tmp_path / "r.json", {**result, "status": "graded", "host": "two"})
    assert kept["host"] == store.read_result(tmp_path / "r.json")["host"] == "one"


# ---- the worker -----------------------------------------------------------------------------------------------------


def test_a_worker_is_replaced_after_so_many_jobs_and_when_it_has_grown(store_of, monkeypatch):
    monkeypatch.setattr(worker.Worker, "program", (sys.executable, quick.__file__, "worker"))
    monkeypatch.setattr(worker, "JOBS", 2)
    jobs, one, pids = (
        scoring_jobs.jobs_of(quick.LAB, store_of / "grades", store_of / "submissions"),
        worker.Worker(),
        [],
    )
    try:
        for job in jobs[:5]:
            scoring_jobs.run_job(*job, one)
            pids.append(one.process.pid)
        assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
        assert one.held > 2**20, "its memory was measured"
        monkeypatch.setattr(worker, "MEMORY", 1)
        scoring_jobs.run_job(*jobs[5], one)
        assert one.process.pid != pids[4]
    finally:
        one.stop()


HOSTILE = """import os, random, signal, torch
torch.manual_seed(99), random.seed(99), torch.set_default_dtype(torch.float64), torch.set_num_threads(7)
os.environ["OMP_NUM_THREADS"] = "9"
for folder in ("/tmp", "/box"):
    open(folder + "/left", "w").write("behind")
torch.allclose = lambda *a, **k: True
"""
LOOK = "import os\nassert not any(os.path.exists(f + '/left') for f in ('/tmp', '/box')), 'something was left behind'"


def without_times(path):
    """A result's text, less what differs from run to run."""
    result = json.loads(path.read_text())
    for key in ("started", "seconds", "student_seconds", "grader_seconds", "attempt"):
        result.pop(key)
    for question in result["questions"]:
        for case in question["cases"]:
            case.pop("seconds")
    return json.dumps(result, indent=1)


@pytest.fixture(scope="module")
def real_class(tmp_path_factory):
    """A real submission, graded first by a fresh worker: (folder, job, out path, result without times, worker)."""
    folder = tmp_path_factory.mktemp("real")
    right = classroom.right_answers()
    model = ROOT / "course_lib" / "shipped" / "pretrain"
    classroom.hand_in(folder, "s0", classroom.notebook(classroom.sources(right, before=[LOOK])), model)
    ((job, job_path, out),) = scoring_jobs.jobs_of(classroom.LAB, folder / "grades", folder / "submissions")
    one = worker.Worker()
    scoring_jobs.run_job(job, job_path, out, one)
    yield folder, job, out, without_times(out), one
    one.stop()


def test_a_result_does_not_depend_on_what_the_worker_graded_before(real_class, tmp_path):
    folder, job, out, alone, one = real_class
    assert '"needs_review"' in alone and '"pretrained_model"' in alone
    right = classroom.right_answers()
    classroom.hand_in(
        folder,
        "s1",
        classroom.notebook(classroom.sources(right, before=[HOSTILE])),
        ROOT / "course_lib" / "shipped" / "pretrain",
    )
    classroom.hand_in(
        folder,
        "s2",
        classroom.notebook(
            classroom.sources({"rms_norm": "def rms_norm(x, weight, eps):\n    import os; os._exit(0)"})
        ),
    )
    classroom.hand_in(folder, "s3", b"not a notebook")
    for other in scoring_jobs.jobs_of(classroom.LAB, folder / "grades", folder / "submissions"):
        scoring_jobs.run_job(*other, one)
    pid = one.process.pid
    scoring_jobs.run_job(job, tmp_path / "job.json", tmp_path / "again.json", one)
    assert one.process.pid == pid and without_times(tmp_path / "again.json") == alone


def test_the_sandbox_is_killed_at_random_moments(real_class, tmp_path):
    """The zygote's bwrap, and with it all its agents, while they run a cell: the host's fault, so the job is tried
    again and the result is the same.
    """
    one, draw, attempts = real_class[-1], random.Random(9), []
    classroom.hand_in(
        tmp_path,
        "s0",
        classroom.notebook(
            classroom.sources(classroom.right_answers(quick.LAB), quick.LAB, before=["import time\ntime.sleep(0.5)"])
        ),
        lab=quick.LAB,
    )
    ((job, job_path, out),) = scoring_jobs.jobs_of(quick.LAB, tmp_path / "grades", tmp_path / "submissions")
    scoring_jobs.run_job(job, job_path, out, one)
    for k in range(3):
        killer = subprocess.Popen([sys.executable, "-c", KILLER, str(one.process.pid), str(draw.uniform(0.02, 0.4))])
        result = scoring_jobs.run_job(job, job_path, tmp_path / f"{k}.json", one)
        killer.wait()
        attempts.append(result["attempt"])
        assert result["status"] == "graded" and without_times(tmp_path / f"{k}.json") == without_times(out)
    assert max(attempts) == 2, attempts


KILLER = f"""import os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from course_lib.grading.sandbox import borders
time.sleep(float(sys.argv[2]))
for pid in borders.processes(int(sys.argv[1]))[1:2]:
    try: os.kill(pid, signal.SIGKILL)
    except ProcessLookupError: pass
"""
