import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def box():
    """The sandbox is needed, not optional: without it these tests fail and say what to install."""
    assert shutil.which("bwrap"), "bubblewrap is missing: sudo apt-get install bubblewrap"
    from course_lib.grading import doctor

    doctor.require_sandbox()
    return subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout
