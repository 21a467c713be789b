""".github/workflows/test.yml: `make test` on every Python of the tested range. The range is said in three places, which
are compared here: pyproject.toml has its lower end, scripts/install.sh takes no other, README names both ends.

That the file is well-formed and safe, zizmor says: it is a part of `make lint`.
"""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
JOB = WORKFLOW["jobs"]["test"]
MATRIX = JOB["strategy"]["matrix"]


def pythons():
    """["3.11", …]: what scripts/install.sh makes an environment with."""
    taken = re.search(r"^ *([\d. |]+)\) python=", (ROOT / "scripts/install.sh").read_text(), re.M)[1]
    return taken.split(" | ")


def test_its_pythons_are_the_tested_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={pythons()[0]}"
    assert f"Python {pythons()[0]} to {pythons()[-1]}" in (ROOT / "README.md").read_text()
    assert MATRIX["python"] == pythons()


def test_its_systems_are_those_of_the_readme():
    assert [system.split("-")[0] for system in MATRIX["os"]] == ["ubuntu"]
    (mac,) = MATRIX["include"]
    assert mac["os"].startswith("macos-") and mac["python"] in pythons()
    for name in ("Ubuntu", "macOS"):
        assert name in (ROOT / "README.md").read_text()


def test_it_runs_what_everybody_runs():
    commands = [step["run"] for step in JOB["steps"] if "run" in step]
    assert commands[-1] == "make test"
    assert JOB["steps"][-1]["env"] == {"PYTHON": "python"}, "the one of the matrix, not the first that is there"
