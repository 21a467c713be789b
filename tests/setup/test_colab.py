"""Installing the course on Colab moves nothing: resolved against the images of tests/setup/colab, as the set-up cell
does it. And a fake of Google's modules.

Needs a package index, and asks it for names and versions only; without one these tests are skipped. uv resolves all
three images in half a minute; pip takes ten times as long.
"""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from packaging.version import Version
from test_pins import BASE, COLAB, EXTRAS, ROOT, canonical

FILES = ROOT / "tests/setup/colab"
STAYS = ("torch", "numpy", "transformers", "ipywidgets", "datasets")
# Colab is its own front end. TRL 1.16 needs a newer pyarrow than the image has, so a student who wants TRL there gets
# the version that fits; the labs say what they skip without it.
LAB = [str(r) for r in EXTRAS["lab"] if r.name not in ("jupyterlab", "trl")] + ["trl"]


def python_of(runtime):
    return re.search(r"^# python (\d+\.\d+)", (FILES / f"{runtime}.txt").read_text(), re.M)[1]


def command(runtime, constraints, url, place):
    (place / "in.txt").write_text("\n".join([*map(str, BASE), *LAB]))
    options = [
        "-q",
        "--python-version",
        python_of(runtime),
        "--python-platform",
        "linux",
        "--default-index",
        url,
        "-c",
        str(constraints),
        "-o",
        str(place / "out.txt"),
    ]
    return [sys.executable, "-m", "uv", "pip", "compile", *options, str(place / "in.txt")]


def resolved(place):
    """{package: version} of what would be there."""
    lines = (place / "out.txt").read_text().splitlines()
    return {
        canonical(line.split("==")[0]): line.split("==")[1].split()[0] for line in lines if re.match(r"[\w.-]+==", line)
    }


@pytest.fixture(scope="module")
def index():
    """Its address. Skips where none answers."""
    url = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/jaxtyping/", timeout=5).close()
    except (OSError, ValueError) as error:
        pytest.skip(f"no package index answers at {url}: {type(error).__name__}")
    return url


@pytest.fixture(scope="module")
def runs(index, tmp_path_factory):
    """All resolutions at once: {runtime: (process, its folder)}. They wait for the network and not for the processor.
    The set-up cell asks for
    BASE alone, which is a part of what is asked for here."""
    started = {}
    for runtime in COLAB:
        place = tmp_path_factory.mktemp(runtime)
        constraints = (
            place / "constraints.txt"
        )  # triton comes with torch, and PyPI's torch is of another CUDA than Colab's
        constraints.write_text(
            "".join(f"{name}=={version}\n" for name, version in COLAB[runtime].items() if name != "triton")
        )
        started[runtime] = (
            subprocess.Popen(
                command(runtime, constraints, index, place), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ),
            place,
        )
    yield started
    for process, _ in started.values():
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", COLAB)
def test_an_install_moves_nothing(runs, runtime):
    process, place = runs[runtime]
    try:
        said, _ = process.communicate(timeout=280)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index is too slow today")
    if process.returncode and re.search(
        r"timed out|Failed to fetch|Request failed|dns error|error sending request", said
    ):
        pytest.skip("the package index went away")
    assert process.returncode == 0, said[-2000:]
    found, known = resolved(place), COLAB[runtime]
    assert {name: Version(found[name]) for name in STAYS} == {name: Version(known[name]) for name in STAYS}
    assert {name for name in found if name in known and Version(found[name]) != Version(known[name])} == set()
    assert "jaxtyping" in found and found["trl"] == "0.29.1"


def test_fake_google_modules_fail_as_colabs_do(tmp_path):
    notebook = tmp_path / "02_pretraining.ipynb"
    notebook.write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 0, "metadata": {}}')
    code = """
import google.colab, sys
from google.colab import drive, files, userdata
from course_lib.platform import in_colab
from course_lib.notebook.submit import colab_notebook
assert in_colab()
for call, args in ((drive.mount, ["/content/drive"]), (userdata.get, ["HF_TOKEN"]), (files.upload, [])):
    try:
        call(*args)
    except Exception as error:
        print(type(error).__name__)
files.download(sys.argv[1])
print(files.downloaded == [sys.argv[1]], b'"cells": []' in colab_notebook())
"""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/setup/fake_colab"), str(ROOT)]),
        "COURSE_FAKE_NOTEBOOK": str(notebook),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(notebook)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["ValueError", "TimeoutException", "RuntimeError", "True", "True"], done.stderr


def test_the_scripts_ask_for_what_is_there():
    for name in ("colab_mirror.sh", "drift.sh"):
        text = Path(ROOT, "scripts", name).read_text()
        assert subprocess.run(["bash", "-n", f"scripts/{name}"], cwd=ROOT).returncode == 0
        assert "scripts/run_labs.py" in text and os.access(ROOT / "scripts" / name, os.X_OK)
    done = subprocess.run(
        ["bash", "scripts/colab_mirror.sh"],
        cwd=ROOT,
        env={**os.environ, "FREEZE": "1999-01"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "2026-08.txt" in done.stderr
