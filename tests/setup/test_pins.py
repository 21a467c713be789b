"""One set of versions: pyproject's lower bounds, constraints.txt, environment.yml."""
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
DIRECT = BASE + [r for extra in EXTRAS.values() for r in extra]

# What Colab's image had (pip-freeze.gpu.txt of googlecolab/backend-info): the oldest runtime that we serve, and the newest we know.
COLAB = {
    "2026-01": dict(datasets="4.0.0", ipython="7.34.0", nbformat="5.10.4", numpy="2.0.2", safetensors="0.7.0", tokenizers="0.22.2", torch="2.9.0", tqdm="4.67.1", transformers="4.57.6",
                    ipykernel="6.17.1", ipywidgets="7.7.1", matplotlib="3.10.0"),
    "2026-08": dict(datasets="4.0.0", ipython="7.34.0", nbformat="5.11.1", numpy="2.1.3", safetensors="0.8.0", tokenizers="0.22.2", torch="2.11.0", tqdm="4.67.1", transformers="5.15.0",
                    ipykernel="6.17.1", ipywidgets="7.7.1", matplotlib="3.10.0"),
}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    return {canonical(name): version.partition(";")[0].strip() for name, _, version in (line.partition("==") for line in lines) if version}


CONSTRAINTS = pins(line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_every_direct_dependency_is_pinned_within_its_bound(requirement):
    assert requirement.specifier.contains(CONSTRAINTS[canonical(requirement.name)])
    assert {s.operator for s in requirement.specifier} == {">="}, "lower bounds only, so that no install moves what a platform ships"


def test_conda_has_the_same_pins():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert "-c constraints.txt" in listed and "-e ." in listed
    assert pins(listed) == {canonical(r.name): CONSTRAINTS[canonical(r.name)] for r in DIRECT}


@pytest.mark.parametrize("runtime", COLAB)
def test_colab_has_all_but_jaxtyping(runtime):
    versions = COLAB[runtime]
    assert [r.name for r in BASE if r.name not in versions] == ["jaxtyping"]
    assert [r for r in BASE + EXTRAS["lab"] if r.name in versions and not r.specifier.contains(versions[r.name])] == []


def test_the_environment_is_the_tested_one():
    from importlib.metadata import version

    have = {r.name: version(r.name).split("+")[0] for r in DIRECT}
    assert have == {r.name: CONSTRAINTS[canonical(r.name)] for r in DIRECT}


def test_pythons():
    assert PROJECT["requires-python"] == ">=3.11"
    assert "3.11 | 3.12 | 3.13)" in (ROOT / "scripts/install.sh").read_text()
