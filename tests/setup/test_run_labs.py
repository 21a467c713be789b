"""scripts/run_labs.py, which the Colab mirror and the look at the newest releases share: it says which cell stops, on
what, and where in course_lib.
"""

import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import run_labs  # noqa: E402


def lab(place, *cells):
    path = place / "00_toy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def test_to_the_end_and_on_colab(tmp_path, monkeypatch):
    assert (
        run_labs.run(
            lab(
                tmp_path,
                "import sys, os\nassert os.environ['COURSE_SIZE'] == 'tiny' and 'google.colab' not in sys.modules",
            )
        )
        is None
    )
    monkeypatch.setenv("COURSE_FAKE_COLAB", "1")
    assert run_labs.run(lab(tmp_path, "import sys\nassert 'google.colab' in sys.modules")) is None


def test_what_moved_is_named(tmp_path):
    said = run_labs.run(
        lab(tmp_path, "x = 1", "# LONG\nfrom course_lib.stages import real\nreal.from_named('nothing here')")
    )
    assert said.startswith("cell 1 (# LONG): CourseError: There is no folder 'nothing here'")
    said = run_labs.run(lab(tmp_path, "x = 1", "import math", "math.sqroot(4)"))
    assert said == "cell 2 (math.sqroot(4)): AttributeError: module 'math' has no attribute 'sqroot'"
    said = run_labs.run(lab(tmp_path, "from course_lib import platform\nplatform.write_atomic(3, b'')"))
    assert "TypeError" in said and "at course_lib/platform.py:" in said


def test_a_kernel_that_dies(tmp_path):
    assert (
        run_labs.run(lab(tmp_path, "x = 1", "import os\nos._exit(1)"))
        == "cell 1 (import os): DeadKernelError: Kernel died"
    )
