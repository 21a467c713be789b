"""No sandbox, no grade; and nothing is lost when anything is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import classroom
import pytest
from classroom import hand_in, notebook, right_answers, sources

from course_lib.grading.records import store
from course_lib.grading.sandbox import borders, bubblewrap, doctor
from course_lib.grading.scoring import jobs as scoring_jobs


def course(*args, cwd, env=None, **more):
    return subprocess.run(
        [sys.executable, "-m", "course_lib.cli", *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        **more,
    )


def no_bwrap_path(tmp_path):
    """A PATH with everything but bwrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    return str(folder)


def test_missing_bwrap_says_what_to_install_and_grades_nothing(tmp_path):
    hand_in(tmp_path, "ann", notebook(sources(right_answers())))
    env = {"PATH": no_bwrap_path(tmp_path)}
    done = course("grade", classroom.LAB, cwd=tmp_path, env=env)
    assert done.returncode == 2 and "apt-get install bubblewrap" in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("grades/**/*.json"))
    done = course("doctor", cwd=tmp_path, env=env)
    assert (
        done.returncode == 1
        and "apt-get install bubblewrap" in done.stdout
        and "Traceback" not in done.stdout + done.stderr
    )


def test_grade_one_without_bwrap_is_infra_error_never_0(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", no_bwrap_path(tmp_path))
    result = classroom.grade_here(tmp_path, "ann", notebook(sources(right_answers())))
    assert (
        result["status"] == "infra_error"
        and "apt-get install bubblewrap" in result["reason"]
        and store.totals(result)[0] is None
    )


def test_a_bwrap_that_cannot_make_namespaces_is_refused_with_the_fix(tmp_path, monkeypatch):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    (tmp_path / "podman").symlink_to(fake)  # and no second tier either
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    settings = tmp_path / "apparmor"
    settings.write_text("1\n")
    monkeypatch.setattr(bubblewrap, "APPARMOR", str(settings))
    with pytest.raises(borders.NoSandbox, match="kernel.apparmor_restrict_unprivileged_userns=0"):
        doctor.require_sandbox()
    settings.write_text("0\n")
    with pytest.raises(borders.NoSandbox, match="unprivileged_userns_clone"):
        doctor.require_sandbox()


def test_doctor_says_ok_to_every_promise(box, capsys):
    assert doctor.main([]) == 0
    said = capsys.readouterr().out
    assert said.count("[OK]") >= 13 and "[FAIL]" not in said


def test_unknown_lab_and_nothing_collected_are_one_line(tmp_path, box):
    for args, words in (
        (("grade", "99_nothing"), "there is no lab"),
        (("grade", classroom.LAB), "course collect"),
        (("export", classroom.LAB), "course collect"),
    ):
        done = course(*args, cwd=tmp_path)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1


def test_resume_after_kill_9_loses_and_repeats_nothing(tmp_path, box):
    for i in range(3):  # the later ones so slow that the first is seen before all are done
        hand_in(tmp_path, f"s{i}", notebook(sources(right_answers(), after=[f"import time\ntime.sleep({2 * i})"])))
    running = subprocess.Popen(
        [sys.executable, "-m", "course_lib.cli", "grade", classroom.LAB, "-j", "1"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(list(tmp_path.glob("grades/*/*/*/*.json"))) < 1 and running.poll() is None:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("grades/02*/*/*/*.json")}
    assert 1 <= len(before) < 3 and all(store.read_result(p) for p in before)
    done = course("grade", classroom.LAB, "-j", "2", cwd=tmp_path)
    after = {p: p.stat().st_mtime_ns for p in tmp_path.glob("grades/02*/*/*/*.json")}
    assert done.returncode == 0 and len(after) == 3 and all(after[p] == t for p, t in before.items())
    assert {store.totals(store.read_result(p))[0] for p in after} == {8.0}


def test_infra_error_is_graded_again(tmp_path, zygote):
    text = notebook(sources(right_answers()))
    hand_in(tmp_path, "ann", text)
    ((job, job_path, out),) = scoring_jobs.jobs_of(classroom.LAB, tmp_path / "grades", tmp_path / "submissions")
    store.write_json(
        out,
        {k: job[k] for k in ("lab", "student", "submission_sha", "spec_sha")}
        | {"schema": 1, "status": "infra_error", "reason": "disk full", "questions": [], "flags": []},
    )
    classroom.grade_here(tmp_path, "ann", text, spawn=zygote.spawn)
    assert store.totals(store.read_result(out))[0] == 8.0


def test_the_sandbox_dies_with_the_grader(tmp_path, box):
    """kill -9 of the grading process in mid-call leaves no student process behind."""
    script = (
        "import sys\nfrom course_lib.grading.sandbox.box import Box\nb = Box([(0, 'import os, time\\ndef f():\\n    "
        "os.system(\"setsid sleep 4711 &\")\\n    time.sleep(4711)')])\nb.load()\nprint('up', "
        "flush=True)\nb.call('f', [], {}, {}, 60)"
    )
    running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert running.stdout.readline() == b"up\n"
    time.sleep(0.5)
    running.kill()
    running.wait()
    running.stdout.close()
    time.sleep(1.0)
    left = [p for p in os.listdir("/proc") if p.isdigit() and b"4711" in read(f"/proc/{p}/cmdline")]
    assert left == []


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_same_submission_same_result(tmp_path, zygote):
    text = notebook(sources(right_answers()))
    first = classroom.grade_here(tmp_path, "ann", text, spawn=zygote.spawn)
    out = next(tmp_path.glob("grades/02*/ann/*/*.json"))
    out.unlink()
    again = classroom.grade_here(tmp_path, "ann", text, spawn=zygote.spawn)
    strip = lambda r: json.dumps(
        [{k: v for k, v in c.items() if k != "seconds"} for q in r["questions"] for c in q["cases"]]
    )
    assert strip(first) == strip(again) and first["seed"] == again["seed"]
