"""The tiers of the sandbox, and the limits that the kernel keeps where it may."""

import os
import shutil
import time

import pytest
import torch
from classroom import under_tmp

from course_lib.grading.sandbox import borders, cgroup, doctor, podman, start
from course_lib.grading.sandbox import box as boxes
from course_lib.grading.sandbox.box import Box
from course_lib.questions.invoke import CallFailed


@pytest.fixture
def no_bwrap(tmp_path, monkeypatch):
    """A PATH on which bwrap is there and cannot make a box."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    yield tmp_path
    podman.variant.cache_clear()


@pytest.fixture
def real_podman(no_bwrap):
    """Skips where podman starts no container, and says why."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed: sudo apt-get install podman")
    try:
        return podman.variant(shutil.which("podman"))
    except borders.NoSandbox as reason:
        pytest.skip(str(reason))


def test_podman_has_the_same_borders_on_its_command_line(box, no_bwrap):
    line = podman.line(podman.variants()[0], ["true"], "name")
    pairs = set(zip(line, line[1:]))
    assert {
        ("--network", "none"),
        ("--cap-drop", "all"),
        ("--security-opt", "no-new-privileges"),
        ("--pids-limit", "96"),
        ("--memory", str(borders.MEMORY)),
        ("--memory-swap", str(borders.MEMORY)),
    } <= pairs
    assert {"--rm", "--read-only", "--read-only-tmpfs=false", "--unsetenv-all", "--rootfs", "prlimit"} <= set(
        line
    ) and line[-1] == "true"
    shown = [value.split(":") for option, value in pairs if option == "--volume"]
    assert sorted(shown) == sorted([outside, inside, "ro"] for outside, inside in borders.read_only())
    assert not [
        outside for outside, _, _ in shown if "lab0" in outside or outside.endswith(("box.py", "store.py", "solutions"))
    ]
    assert {(option, value) for option, value in pairs if option == "--env"} == {
        ("--env", f"{k}={v}") for k, v in borders.ENVIRONMENT.items()
    }


def test_podman_is_the_second_tier_and_its_container_is_a_box(real_podman, capsys):
    assert start.tier() == "podman"
    secret = [
        str(borders.PACKAGE.parent / "solutions"),
        "/etc/passwd",
        "/home",
        f"{borders.INSIDE}/course_lib/grading/sandbox/box.py",
    ]
    source = (
        "import os, socket, time, torch\ndef f(x): return x * 2\ndef loop():\n    while True: pass\n"
        f"def seen(): return [p for p in {secret!r} if os.path.exists(p)] + os.listdir('/sys') + [n for n in "
        f"os.listdir('/tmp') if n not in {under_tmp()!r}] + os.listdir('/box') + [k for k in os.environ if 'SECRET' "
        "in k]\n"
        "def out():\n    s = socket.socket(); s.settimeout(2); s.connect(('1.1.1.1', 53))\n"
        "def write(): open('/course/x', 'w')\ndef ids(): return [*os.getresuid(), os.getpid()]\n"
    )
    inside = Box([(0, source)])
    try:
        assert inside.call("f", [torch.ones(2)], {}, {}, 20)["value"].tolist() == [2.0, 2.0]
        assert (
            inside.call("seen", [], {}, {}, 20)["value"] == [] and 0 not in inside.call("ids", [], {}, {}, 20)["value"]
        )
        for name, words in (("out", "unreachable"), ("write", "Read-only")):
            with pytest.raises(CallFailed, match=words):
                inside.call(name, [], {}, {}, 20)
        name = inside.process.name
        with pytest.raises(CallFailed, match="too long"):
            inside.call("loop", [], {}, {}, 1)
    finally:
        inside.stop()
    left = podman.subprocess.run(["podman", "ps", "-aq", "--filter", f"name={name}"], capture_output=True, text=True)
    assert (left.returncode, left.stdout) == (0, "")


def test_where_neither_tier_works_the_first_one_s_cure_is_said(no_bwrap):
    shutil.copy(no_bwrap / "bwrap", no_bwrap / "podman")
    with pytest.raises(borders.NoSandbox, match="User namespaces are switched off") as error:
        start.tier()
    assert "\n" not in str(error.value)


def test_a_failure_of_bwrap_is_not_remembered(box, no_bwrap):
    shutil.copy(no_bwrap / "bwrap", no_bwrap / "podman")
    with pytest.raises(borders.NoSandbox):
        doctor.require_sandbox()
    (no_bwrap / "bwrap").write_text("#!/bin/sh\nexit 0\n")
    doctor.require_sandbox()


def a_cgroup(tmp_path, monkeypatch, processes, controllers="cpu memory pids"):
    """A tree of files like a delegated cgroup v2 (the kernel's own files, not their effects). Returns the scope's
    folder.
    """
    scope = tmp_path / "user.slice" / "run-1.scope"
    (scope / cgroup.GRADER).mkdir(parents=True)
    (scope / "cgroup.controllers").write_text(controllers + "\n")
    (scope / "cgroup.procs").write_text("".join(f"{p}\n" for p in processes))
    (scope / "cgroup.subtree_control").write_text("")
    own = tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/user.slice/run-1.scope\n")
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    monkeypatch.setattr(cgroup, "OWN", own)
    return scope


def test_a_delegated_cgroup_holds_memory_and_processes(tmp_path, monkeypatch):
    scope = a_cgroup(tmp_path, monkeypatch, [os.getpid()])
    assert cgroup.delegated() == scope and (scope / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (scope / cgroup.GRADER / "cgroup.procs").read_text() == str(os.getpid())
    (tmp_path / "own").write_text(f"0::/user.slice/run-1.scope/{cgroup.GRADER}\n")  # where a worker finds itself
    folder = cgroup.make()
    assert folder.parent == scope and [
        (folder / n).read_text() for n in ("memory.max", "memory.oom.group", "pids.max")
    ] == [str(borders.MEMORY), "1", "104"]
    assert cgroup.entering(folder, ["true"])[-2:] == [str(folder / "cgroup.procs"), "true"]
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not cgroup.ran_out(folder)
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    assert cgroup.ran_out(folder) and not cgroup.ran_out(None)


def test_a_cgroup_that_is_shared_or_has_no_controllers_is_left_alone(tmp_path, monkeypatch):
    scope = a_cgroup(tmp_path, monkeypatch, [os.getpid(), os.getppid()])
    assert cgroup.delegated() is None and (scope / "cgroup.subtree_control").read_text() == ""
    (scope / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (scope / "cgroup.controllers").write_text("hugetlb\n")
    assert cgroup.delegated() is None and cgroup.make() is None


def test_a_box_enters_its_cgroup_before_anything_runs_in_it(box, tmp_path, monkeypatch, zygote):
    """With plain files in the place of the kernel's: both ways write the box into them, and a kill for memory is said
    to be one, not the host's fault.
    """
    scope = a_cgroup(tmp_path, monkeypatch, [os.getpid()])
    (tmp_path / "own").write_text(f"0::/user.slice/run-1.scope/{cgroup.GRADER}\n")
    for spawn, written in ((None, lambda b: "0\n"), (zygote.spawn, lambda b: str(b.process.pid))):
        inside = Box([(0, "def f(): return 1.0")], spawn)
        assert inside.call("f", [], {}, {}, 30)["value"] == 1.0
        folder = inside.process.cgroup
        assert folder.parent == scope and (folder / "cgroup.procs").read_text() == written(inside)
        (folder / "memory.events").write_text("oom_kill 1\n")
        inside.process.kill()
        time.sleep(0.3)  # what runs inside dies a moment after its keeper
        with pytest.raises(CallFailed, match="of memory"):
            inside.call("f", [], {}, {}, 30)
        assert inside.infra is None
        inside.stop()


TOLD = """
import glob, os, torch
def told():
    found = {}
    for path in glob.glob("/proc/*") + glob.glob("/proc/self/*") + glob.glob("/proc/1/*") + glob.glob("/proc/net/*"):
        if os.path.isfile(path) and not path.endswith(("kmsg", "pagemap", "mem")):
            try:
                with open(path, "rb") as file:
                    found[path] = file.read(40_000).decode("latin-1")
            except OSError:
                pass
    return found, float(torch.ones(3).sum())
"""


@pytest.mark.parametrize("way", ["cold", "warm"])
def test_what_proc_tells(box, zygote, tmp_path, monkeypatch, way):
    """Where the course and Python lie, and how busy the machine is; nothing of the class, of its secret or of the
    kernel's own settings. INSTRUCTORS.md says so.
    """
    (tmp_path / "CANARY").mkdir()
    monkeypatch.chdir(tmp_path / "CANARY")
    monkeypatch.setenv("COURSE_SECRET", "CANARY" * 10)
    inside = Box([(0, TOLD)], zygote.spawn if way == "warm" else None)
    try:
        found, total = inside.call("told", [], {}, {}, 60)["value"]
    finally:
        inside.stop()
    assert total == 3 and {"/proc/self/mountinfo", "/proc/cpuinfo", "/proc/meminfo"} <= set(found)
    assert not set(found) & set(borders.MASKED) and "/proc/cmdline" in borders.MASKED
    assert [path for path, text in found.items() if "CANARY" in text or "COURSE_SECRET" in text] == []
    places = [path for path, text in found.items() if str(borders.PACKAGE) in text]
    assert set(places) <= {f"/proc/{who}/{name}" for who in ("1", "self") for name in ("mountinfo", "cmdline")}


SLOW = [
    (0, "import os, time\nprint('began the quick', flush=True)"),
    (1, "print('began the slow', flush=True)\ntime.sleep(60)"),
    (2, "def dies(): os._exit(1)\ndef lives(): return 1.0\ndef sleeps():\n    time.sleep(60)"),
]


def test_what_was_slow_is_not_run_again_after_a_death(box, zygote, monkeypatch):
    monkeypatch.setattr(boxes, "CELL", 2.0)
    inside = Box(SLOW, zygote.spawn)
    try:
        for _ in range(2):
            with pytest.raises(CallFailed, match="exit status 1"):
                inside.call("dies", [], {}, {}, 10)
        assert inside.call("lives", [], {}, {}, 10)["value"] == 1.0 and inside.restarts == 2
    finally:
        inside.stop()
    assert inside.log.count(b"began the quick") == 3 and inside.log.count(b"began the slow") == 1
    assert "timeout" in inside.skip[1]


def test_a_submission_has_its_total_whatever_it_does_with_it(box, zygote, monkeypatch):
    """Cells that are stopped, calls that are stopped: together they end when the total is spent, and what is left is
    not run.
    """
    for name, value in (("CELL", 1.0), ("CELLS", 2.0), ("TOTAL", 6.0), ("GRACE", 1.0)):
        monkeypatch.setattr(boxes, name, value)
    cells = [(0, "import time\ndef sleeps():\n    time.sleep(60)")] + [(k, "time.sleep(60)") for k in range(1, 20)]
    began, inside, said = time.monotonic(), Box(cells[:2], zygote.spawn), []
    try:
        for _ in range(20):
            with pytest.raises(CallFailed) as failed:
                inside.call("sleeps", [], {}, {}, 2.0)
            said.append(str(failed.value))
        spent = time.monotonic() - began
    finally:
        inside.stop()
    assert spent < 6 + 1 + 3 and inside.unfinished  # the total, the grace, a busy machine
    assert said[0].startswith("it took too long") and said[-1] == "not run: the submission has used up its time"
    began, inside = time.monotonic(), Box(cells, zygote.spawn)
    try:
        inside.load()
    except CallFailed:
        pass
    finally:
        inside.stop()
    assert time.monotonic() - began < 2 + 1 + 1 + 3, "the cells' own share of it"
