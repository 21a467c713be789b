"""One set of versions: pyproject's lower bounds, constraints.txt, environment.yml, and what Colab has."""

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


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    return {
        canonical(name): version.partition(";")[0].strip()
        for name, _, version in (line.partition("==") for line in lines)
        if version
    }


# What Colab's image had: {month: {package: version}}. Only what is known of it, see the files.
COLAB = {path.stem: pins(path.read_text().splitlines()) for path in sorted((ROOT / "tests/setup/colab").glob("*.txt"))}
CONSTRAINTS = pins(line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_every_direct_dependency_is_pinned_within_its_bound(requirement):
    assert requirement.specifier.contains(CONSTRAINTS[canonical(requirement.name)])
    assert {s.operator for s in requirement.specifier} == {">="}, (
        "lower bounds only, so that no install moves what a platform ships"
    )


def test_conda_has_the_same_pins():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert "-c constraints.txt" in listed and "-e ." in listed
    assert pins(listed) == {canonical(r.name): CONSTRAINTS[canonical(r.name)] for r in DIRECT}


@pytest.mark.parametrize("runtime", COLAB)
def test_colab_has_all_but_jaxtyping(runtime):
    versions, known = COLAB[runtime], set().union(*COLAB.values())
    assert [r.name for r in BASE if r.name not in known] == ["jaxtyping"]
    assert [
        str(r) for r in BASE + EXTRAS["lab"] if r.name in versions and not r.specifier.contains(versions[r.name])
    ] == []


def test_the_freezes_tell_what_an_install_must_not_move():
    assert list(COLAB) == ["2026-01", "2026-04", "2026-08"]
    for versions in COLAB.values():
        assert {
            "torch",
            "numpy",
            "transformers",
            "ipywidgets",
            "ipython",
            "ipykernel",
            "datasets",
            "pyarrow",
            "peft",
            "torchao",
        } <= set(versions)


def test_the_environment_is_the_tested_one():
    from importlib.metadata import version

    have = {r.name: version(r.name).split("+")[0] for r in DIRECT}
    assert have == {r.name: CONSTRAINTS[canonical(r.name)] for r in DIRECT}


def test_pythons():
    assert PROJECT["requires-python"] == ">=3.11"
    assert "3.11 | 3.12 | 3.13)" in (ROOT / "scripts/install.sh").read_text()
