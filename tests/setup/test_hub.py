"""The image for a JupyterHub, read without docker: its paths exist, its settings are ours, its link leads to this
repository; and a course that may write nothing but work/.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from course_lib.platform import COURSE_REPO

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "docker/Dockerfile").read_text())
STEPS = [line.split(None, 1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
GUIDE = (ROOT / "docs/jupyterhub.md").read_text()


def steps(word):
    return [rest for name, rest in STEPS if name == word]


def test_only_known_steps_and_in_order():
    assert [name for name, _ in STEPS][0] == "FROM" and {name for name, _ in STEPS} == {
        "FROM",
        "ARG",
        "COPY",
        "WORKDIR",
        "RUN",
        "ENV",
        "USER",
        "EXPOSE",
        "CMD",
    }
    names = [name for name, _ in STEPS]
    assert names.index("RUN") < names.index("USER") and steps("USER") == ["student"]


def test_what_is_copied_is_there_and_no_more():
    copied = [source for rest in steps("COPY") for source in rest.split()[:-1]]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(copied) == {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "course_lib",
        "labs",
    }  # no solutions, no tests
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= set(copied)  # what the build of the package reads


def test_its_python_and_its_extra_are_ours():
    version = re.match(r"python:(\d\.\d+)-", steps("FROM")[0])[1]
    assert version in ("3.11", "3.12", "3.13")
    assert '".[lab]"' in DOCKERFILE and DOCKERFILE.count("-c constraints.txt") == 2


def test_no_network_at_run_time():
    settings = dict(item.split("=", 1) for rest in steps("ENV") for item in rest.split())
    assert settings["HF_HUB_OFFLINE"] == settings["PIP_NO_INDEX"] == "1"
    assert re.search(r"curl|wget|git clone|pip install", steps("CMD")[0]) is None


def test_the_settings_of_the_guide_are_read_by_the_course():
    text = "".join(path.read_text() for path in (ROOT / "course_lib").rglob("*.py"))
    named = set(re.findall(r"COURSE_[A-Z_]+", GUIDE + DOCKERFILE))
    assert named and {name for name in named if f'"{name}"' not in text} == set()


def test_the_link_brings_this_repository():
    query = parse_qs(urlsplit(re.search(r"https://HUB/\S+", GUIDE)[0]).query)
    assert query["repo"] == [f"https://github.com/{COURSE_REPO}"]
    assert query["branch"] == ["main"], "a branch: nbgitpuller clones a tag and fails at the second click"
    assert (ROOT / query["urlpath"][0].removeprefix(f"lab/tree/{COURSE_REPO.split('/')[1]}/")).is_file()


def test_the_hub_mounts_the_home_of_the_image_and_fills_it():
    hub = yaml.safe_load(re.search(r"```yaml\n(.*?)```", GUIDE, re.S)[1])["singleuser"]
    home = hub["storage"]["homeMountPath"]
    assert home == steps("WORKDIR")[-1] == f"/home/{steps('USER')[0]}" and hub["extraEnv"]["COURSE_WORK"].startswith(
        home
    )
    hook = hub["lifecycleHooks"]["postStart"]["exec"]["command"][-1]
    copied = steps("COPY")[-1].split()[-1]
    assert (
        f"cp -n {copied}/*.ipynb {copied}/*.md {home}/labs/" in hook
        and hub["defaultUrl"] == "/lab/tree/labs/00_start_here.ipynb"
    )
    assert "apt-get install -y -q --no-install-recommends git " in steps("RUN")[0], (
        "nbgitpuller runs git, which a slim image has not"
    )


@pytest.mark.skipif(not shutil.which("bwrap"), reason="a read-only system without a network is made with bubblewrap")
def test_a_lab_trains_with_all_read_only_and_no_network(tmp_path):
    box = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--tmpfs",
        "/tmp",
        "--ro-bind",
        str(ROOT),
        str(ROOT),
        "--bind",
        str(tmp_path),
        str(tmp_path),
        "--unshare-net",
        "--chdir",
        str(tmp_path),
    ]
    if subprocess.run([*box, "true"], capture_output=True).returncode:
        pytest.skip("bubblewrap cannot make a sandbox here")
    code = """
import course_lib, pathlib, torch
course = course_lib.setup("02_pretraining", seed=0)
from course_lib.stages.artifacts import load_stage, save_stage
model = load_stage("pretrain").model
save_stage("pretrain", model, {"seed": 0})
try:
    pathlib.Path(course_lib.__file__).with_name("probe").write_text("")
except OSError as error:
    print("read-only:", error.errno)
"""
    settings = {**os.environ, "COURSE_WORK": str(tmp_path / "work"), "COURSE_SIZE": "tiny", "HOME": str(tmp_path)}
    done = subprocess.run([*box, sys.executable, "-c", code], env=settings, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1] == "read-only: 30", done.stdout + done.stderr[-2000:]
    assert (tmp_path / "work/pretrain/model.safetensors").is_file()
