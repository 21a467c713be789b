"""make lab and make test on machines that lack something: one line that says what to do; and nothing twice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A python3 that answers questions about itself as the test wants, and whose venv writes down what pip was asked to do.
FAKE = """#!/bin/bash
case "$*" in
    *version_info*) echo ${FAKE_VERSION:-3.12} ;;
    *"import venv"*) exit ${FAKE_NO_VENV:-0} ;;
    *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"-m pip --version"*) echo pip ;;
    *"-m pip"*) echo "$*" >> pip.log ;;
    *urlopen*) exit ${FAKE_OFFLINE:-1} ;;
esac
"""


@pytest.fixture
def course(tmp_path):
    here = tmp_path / "a course"
    shutil.copytree(ROOT / "scripts", here / "scripts")
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, here)
    (tmp_path / "bin").mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (tmp_path / "bin" / name).write_text(FAKE)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/bash\nexit 9\n")
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    return here


def install(course, *extras, prefix=(), **environment):
    path = f"{course.parent / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [*prefix, "bash", "scripts/install.sh", *(extras or ["lab"])],
        cwd=course,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def complaint(done):
    """The one line on stderr."""
    assert done.returncode == 1 and done.stderr.startswith("Littlebrook: ") and done.stderr.count("\n") == 1, done
    return done.stderr


def pip_calls(course):
    return (course / "pip.log").read_text().splitlines() if (course / "pip.log").exists() else []


def test_wrong_python(course):
    for version in ("3.9", "3.14", "2.7"):
        line = complaint(install(course, FAKE_VERSION=version))
        assert f"found {version}" in line and "apt install python3" in line and not (course / ".venv").exists()


def test_no_python(course):
    for name in ("python3", "python3.11", "python3.12", "python3.13"):  # as pyenv's shims: there, and not to be run
        (course.parent / "bin" / name).write_text("#!/bin/bash\necho 'command not found' >&2; exit 127\n")
    assert "found none" in complaint(install(course))


def test_no_venv_module(course):
    assert "sudo apt install python3.12-venv" in complaint(install(course, FAKE_NO_VENV="1"))


def test_no_disk(course):
    line = complaint(install(course, COURSE_MIN_DISK_MB="999999999"))
    assert "needs 999999999 MB of disk" in line and not (course / ".venv").exists()


@pytest.mark.skipif(not shutil.which("bwrap"), reason="a folder that root cannot write to is made with bubblewrap")
def test_unwritable_folder(course):
    sandbox = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev"]
    if subprocess.run([*sandbox, "true"], capture_output=True).returncode:
        pytest.skip("bubblewrap cannot make a sandbox here")
    assert "cannot write to" in complaint(install(course, prefix=sandbox))


def test_failing_pip_is_one_line_and_is_tried_again(course):
    failing = FAKE.replace('echo "$*" >> pip.log', "exit 1")
    (course.parent / "bin" / "python3").write_text(failing)
    assert "run the same command again" in complaint(install(course))
    shutil.rmtree(course / ".venv")
    (course.parent / "bin" / "python3").write_text(FAKE)
    assert install(course).returncode == 0 and len(pip_calls(course)) == 2


def test_twice_is_once(course):
    assert install(course).returncode == 0
    first = pip_calls(course)
    assert len(first) == 2 and "-c constraints.txt" in first[0] and "-e .[lab]" in first[1]
    again = install(course)
    assert (again.returncode, again.stdout, pip_calls(course)) == (0, "", first)
    assert install(course, "lab", "grade", "dev").returncode == 0 and "-e .[lab,grade,dev]" in pip_calls(course)[-1]
    (course / "constraints.txt").write_text("torch==2.13.1\n")
    count = len(pip_calls(course))
    assert install(course).returncode == 0 and len(pip_calls(course)) == count + 2


def test_a_moved_folder_is_made_anew(course):
    install(course)
    moved = course.rename(course.parent / "elsewhere")
    assert install(moved).returncode == 0 and len(pip_calls(moved)) == 4
    assert (moved / ".venv/.place").read_text().strip() == str(moved)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has two builds of torch")
def test_which_torch(course):
    assert install(course, FAKE_OFFLINE="0").returncode == 0
    assert (
        "--extra-index-url https://download.pytorch.org/whl/cpu" in pip_calls(course)[0]
        and "extra-index" not in pip_calls(course)[1]
    )
    shutil.rmtree(course / ".venv")
    assert "does not answer" in install(course, FAKE_OFFLINE="1").stdout and "extra-index" not in pip_calls(course)[-2]
    shutil.rmtree(course / ".venv")
    assert (
        install(course, FAKE_OFFLINE="0", COURSE_TORCH="cuda", COURSE_MIN_DISK_MB="1").returncode == 0
        and "extra-index" not in pip_calls(course)[-2]
    )


def test_no_notebooks_is_one_line(course):
    done = subprocess.run(["bash", "scripts/lab.sh"], cwd=course, capture_output=True, text=True)
    assert "make build" in complaint(done)


def test_make_lists_its_verbs(course):
    done = subprocess.run(["make"], cwd=course, capture_output=True, text=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        "help",
        "lab",
        "test",
        "lint",
        "build",
        "check",
        "grade-demo",
        "term",
        "bench",
        "fuzz",
        "tour",
        "site",
        "pictures",
        "colab-mirror",
        "drift",
        "clean",
    ]


def test_clean_keeps_what_students_made(course):
    for name in ("labs/work/pretrain", "submissions", ".venv/bin"):
        (course / name).mkdir(parents=True)
    subprocess.run(["make", "clean"], cwd=course, check=True)
    assert (
        (course / "labs/work/pretrain").exists()
        and (course / "submissions").exists()
        and not (course / ".venv").exists()
    )


def test_ci_calls_make_test():
    assert os.access(ROOT / ".ci/run", os.X_OK) and "make --no-print-directory test" in (ROOT / ".ci/run").read_text()
