"""What students get: the labs asked for, what runs them, and no line of a solution."""

import re
import shutil
import subprocess
import zipfile

import pytest

from course_lib import cli
from course_lib.authoring import release
from course_lib.platform import ROOT, CourseError

LAB = "00_start_here"


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    out = tmp_path_factory.mktemp("for_students") / "course"
    assert release.release(ROOT, [LAB], out, "Language models, winter") > 100
    return out


def test_it_holds_what_students_need_and_nothing_else(released):
    names = {path.relative_to(released).as_posix() for path in released.rglob("*") if path.is_file()}
    assert {f"labs/{LAB}.ipynb", "labs/AGENTS.md", "course_lib/cli.py", "constraints.txt", "LICENSE"} <= names
    assert [name for name in names if name.endswith(".ipynb")] == [f"labs/{LAB}.ipynb"]
    assert not [name for name in names if re.match(r"solutions/|tests/|findings/|INSTRUCTORS|docs/journal", name)]
    text = (released / "README.md").read_text()
    assert text.startswith("# Language models, winter\n") and text.count("(labs/") == 1
    assert all((released / target).exists() for target in re.findall(r"\]\((?!http)([^)]+)\)", text))
    said = subprocess.run(["make", "-C", released, "help"], capture_output=True, text=True).stdout
    assert re.findall(r"make ([a-z-]+)  ", said) == ["help", "lab", "tour", "clean"]


def test_a_line_of_a_solution_is_found(released, tmp_path):
    folder = tmp_path / "course"
    shutil.copytree(released / "labs", folder / "labs")
    assert release.leaks(ROOT, folder) == []
    source = (ROOT / "solutions" / "03_supervised_fine_tuning.py").read_text()
    line = max(re.findall(r"### BEGIN SOLUTION\n(.*?)### END", source, re.S)[0].splitlines(), key=len).strip()
    (folder / "notes.md").write_text(f"Hint:\n\n    {line}\n")
    found = release.leaks(ROOT, folder)
    assert len(found) == 1 and found[0].startswith("notes.md shows a line of the solution of 03_supervised")


def test_nothing_is_written_over_or_half(released, tmp_path, monkeypatch, capsys):
    with pytest.raises(CourseError, match="there already"):
        release.release(ROOT, [LAB], released)
    monkeypatch.setattr(release, "build", lambda *_, **__: (["it is old"], []))
    with pytest.raises(CourseError, match="it is old"):
        release.release(ROOT, [LAB], tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(release, "build", lambda *_, **__: ([], []))
    assert cli.main(["release", "07_reward", "-o", str(tmp_path / "new")]) == 2
    assert "no lab 07_reward; labs: 00_start_here" in capsys.readouterr().err
    assert cli.main(["release", LAB, "-o", str(tmp_path / "new.zip")]) == 0
    assert f"labs/{LAB}.ipynb" in zipfile.ZipFile(tmp_path / "new.zip").namelist()
