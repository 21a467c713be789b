"""`make lint` is a part of `make test`: imports run one way, ruff, the format, the types, the workflow."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nothing_complains():
    done = subprocess.run(["bash", "scripts/lint.sh"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
