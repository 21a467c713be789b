"""A fork's badges and set-up cells: `course build --badges` changes their lines, and no other byte."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.authoring import build, source
from course_lib.platform import COURSE_REF, COURSE_REPO, CourseError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fork(tmp_path):
    for folder in ("labs", "solutions"):
        (tmp_path / folder).mkdir()
        for path in (ROOT / folder).glob("[0-9][0-9]_*"):
            if path.is_file():
                shutil.copy(path, tmp_path / folder)
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_there_and_back(fork):
    before = files(fork)
    settings = {**os.environ, "COURSE_REPO": "me/my.fork", "COURSE_REF": "term/2027-v2"}
    done = subprocess.run(
        [sys.executable, "-m", "course_lib.cli", "build", "--badges"],
        cwd=fork,
        env=settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    notebooks = len(list(fork.glob("*/*.ipynb")))
    assert done.stdout.strip() == f"{notebooks + 1} files now lead to me/my.fork at term/2027-v2", done
    after = files(fork)
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if name.endswith(("ipynb", "README.md"))
    }
    for name in before:
        lines = list(zip(before[name].splitlines(), after[name].splitlines(), strict=True))
        for old, new in lines:
            assert old == new or (b"colab.research.google.com" in old or b"source = " in old) and b"me/my.fork" in new
        assert sum(old != new for old, new in lines) == (
            2 if name.endswith("ipynb") else 0 if name.endswith("py") else 13
        )
    assert build.rebadge(fork, "me/my.fork", "term/2027-v2") == []  # twice is once
    assert len(build.rebadge(fork, COURSE_REPO, COURSE_REF)) == notebooks + 1 and files(fork) == before


def test_it_is_what_a_build_would_make(fork, monkeypatch):
    build.rebadge(fork, "me/fork", "v2")
    monkeypatch.setattr(source, "COURSE_REPO", "me/fork")
    monkeypatch.setattr(source, "COURSE_REF", "v2")
    for lab in ("00_start_here", "04_lora_and_qlora"):
        assert build.build(lab, fork, check=True)[0] == []
        nbformat.validate(nbformat.read(fork / "labs" / f"{lab}.ipynb", as_version=4))


@pytest.mark.parametrize(
    "repo, ref",
    [
        ("fork", "v1"),
        ("me/fork; rm -rf", "v1"),
        ("me/fork", "v1 && true"),
        ("me/fork", "--upgrade"),
        ("me/fork", ""),
        ('me/"', "v1"),
    ],
)
def test_a_setting_that_is_none(fork, repo, ref):
    before = files(fork)
    with pytest.raises(CourseError, match="COURSE_RE"):
        build.rebadge(fork, repo, ref)
    assert files(fork) == before
