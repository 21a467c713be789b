import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def box():
    """The sandbox is needed, not optional: on Linux these tests fail without it and say what to install; elsewhere
    nobody can grade.
    """
    if sys.platform != "linux":
        pytest.skip("grading needs Linux (INSTRUCTORS.md)")
    assert shutil.which("bwrap"), "bubblewrap is missing: sudo apt-get install bubblewrap"
    from course_lib.grading.sandbox import doctor

    doctor.require_sandbox()
    return subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout


@pytest.fixture
def impatient(monkeypatch):
    """Short deadlines in lab 02."""
    import classroom

    from course_lib.grading.sandbox import box
    from course_lib.questions import core

    monkeypatch.setattr(box, "CELL", 2.0)
    for question in core.questions_of(classroom.LAB):
        if isinstance(question, core.Question):
            monkeypatch.setattr(question, "timeout", 2.0)


@pytest.fixture(scope="session")
def zygote(box):
    from course_lib.grading.sandbox.zygote import Zygote

    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        root = os.geteuid() == 0
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])
        yield chromium
        chromium.close()
