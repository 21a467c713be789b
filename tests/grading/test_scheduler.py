"""`course grade --scheduler`: a real Dask scheduler and workers as processes of their own; workers that die or must not
grade. Quick jobs (quick.py), one real one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import quick
from test_faults import ROOT, command, grade_lab

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.usefixtures("box")
# a Dask worker as on another machine; PREPARE is what differs there
WORKER = """import sys
from course_lib.grading.records import store
from course_lib.grading.sandbox import borders, doctor
from course_lib.grading.scoring import cluster, worker
import quick
worker.Worker.program = (sys.executable, quick.__file__, "worker")
def no_sandbox():
    raise borders.NoSandbox("No sandbox: bubblewrap (bwrap) is not installed")
{prepare}
from distributed.cli.dask_worker import main
main([{address!r}, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--name", {name!r}])
"""


class Cluster:
    def __init__(self, folder):
        self.folder, self.processes, self.file = folder, {}, folder / "scheduler.json"
        self.start(
            "scheduler",
            "-m",
            "distributed.cli.dask_scheduler",
            "--port",
            "0",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
            "--scheduler-file",
            str(self.file),
        )
        self.address = self.wait_for(self.file.exists, lambda: json.loads(self.file.read_text())["address"])

    def start(self, name, *line):
        env = os.environ | {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(quick.__file__).parent))),
            "OMP_NUM_THREADS": "1",
        }
        with open(self.folder / f"{name}.log", "w") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *line], cwd=self.folder, env=env, stdout=subprocess.DEVNULL, stderr=log
            )

    def worker(self, name, prepare=""):
        self.start(name, "-c", WORKER.format(prepare=prepare, address=self.address, name=name))

    def wait_for(self, condition, then=lambda: None):
        until = time.monotonic() + 60
        while not condition() and time.monotonic() < until:
            time.sleep(0.05)
        assert condition(), [path.read_text()[-500:] for path in self.folder.glob("*.log")]
        return then()

    def kill(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL), process.wait()

    def stop(self):
        for name in list(self.processes):
            self.kill(name)


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    quick.hand_in(folder, *["fine"] * 24)
    assert grade_lab(folder)[0] == 0
    return quick.results(folder), (folder / "grades" / ".secret").read_text()


@pytest.fixture
def lab(tmp_path, undisturbed):
    quick.hand_in(tmp_path, *["fine"] * 24)
    (tmp_path / "grades").mkdir()
    (tmp_path / "grades" / ".secret").write_text(undisturbed[1])
    return tmp_path


def slow_worker(cluster, name, seconds, monkeypatch):
    """A worker that takes so long for a submission that a busy machine still sees it in mid-run."""
    with monkeypatch.context() as patch:
        patch.setenv("QUICK_SECONDS", str(seconds))
        cluster.worker(name)


def test_a_worker_is_killed_in_mid_run_and_its_jobs_go_elsewhere(lab, cluster, undisturbed, monkeypatch):
    for name in ("one", "two"):
        slow_worker(cluster, name, 0.2, monkeypatch)
    process = command(lab, "grade", quick.LAB, "--scheduler", cluster.address)
    cluster.wait_for(lambda: len(quick.results(lab)) >= 3)
    cluster.kill("one")
    left = len(quick.results(lab))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and left < 24, err
    assert quick.results(lab) == undisturbed[0], "as on this machine, each once"
    assert not list((lab / "submissions").rglob(".shared*"))


def test_the_scheduler_dies_and_nothing_is_lost(lab, cluster, undisturbed, monkeypatch):
    slow_worker(cluster, "one", 0.5, monkeypatch)
    process = command(lab, "grade", quick.LAB, "--scheduler", cluster.address)
    cluster.wait_for(lambda: len(quick.results(lab)) >= 2)
    cluster.kill("scheduler")
    out, err = process.communicate(timeout=60)
    line = err.strip().splitlines()[-1]
    assert (
        process.returncode == 2
        and "is gone" in line
        and "of 24 are graded and kept: start it, then run the same command again" in line
        and "Traceback" not in err
    )
    kept = quick.results(lab)
    assert 2 <= len(kept) < 24 and all(undisturbed[0][path] == result for path, result in kept.items())
    assert grade_lab(lab)[0] == 0 and quick.results(lab) == undisturbed[0]


def test_workers_that_must_not_grade_refuse_and_the_others_do_it(lab, cluster, undisturbed):
    cluster.worker("bare", prepare="doctor.require_sandbox = no_sandbox")
    cluster.worker("stale", prepare="store.code_sha = lambda: 'another'")
    cluster.worker("good")
    cluster.wait_for(
        lambda: all(
            "Registered to" in (cluster.folder / f"{name}.log").read_text() for name in ("bare", "stale", "good")
        )
    )
    process = command(lab, "grade", quick.LAB, "--scheduler", cluster.address)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and quick.results(lab) == undisturbed[0], err
    assert (
        err.count("does not grade: No sandbox") == err.count("does not grade: its course_lib differs: update it") == 1
    )


def test_no_worker_that_may_grade_is_one_line_and_no_result(lab, cluster):
    cluster.worker("bare", prepare="doctor.require_sandbox = no_sandbox")
    code, line = grade_lab(lab, "--scheduler", cluster.address)
    assert code == 2 and line.startswith("no worker of tcp://") and "No sandbox" in line and quick.results(lab) == {}


def test_a_worker_that_does_not_see_the_folder_refuses(lab, cluster):
    cluster.worker("far", prepare="import pathlib; cluster.Path = lambda path: pathlib.Path(f'/elsewhere{path}')")
    code, line = grade_lab(lab, "--scheduler", cluster.address)
    assert code == 2 and "the folder of submissions must be shared, under the same path" in line


def test_a_scheduler_that_is_not_there_is_one_line(lab):
    code, line = grade_lab(lab, "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2 and line.startswith("no Dask scheduler answers at tcp://127.0.0.1:9") and quick.results(lab) == {}
    code, line = grade_lab(lab, "--scheduler", "nonsense://x")
    assert code == 2 and line.startswith("no Dask scheduler answers at nonsense://x")


def test_jobs_that_kill_their_process_end_as_infra_error(tmp_path, cluster):
    quick.hand_in(tmp_path, "fine", "dies", "dies once")
    cluster.worker("one")
    code, _ = grade_lab(tmp_path, "--scheduler", cluster.address)
    assert code == 1 and [r["status"] for r in quick.results(tmp_path).values()] == ["graded", "infra_error", "graded"]
