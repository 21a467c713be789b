"""What `make pictures` shows is found in the course as it is today; Chromium only takes its picture."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_the_page_of_what_a_student_sees_is_whole():
    made = subprocess.run(
        [sys.executable, "-c", "import pictures; print(pictures.page())"], cwd=SCRIPTS, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("<section") == 5 and "data:image/png;base64,iVBOR" in made.stdout
