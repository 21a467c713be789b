"""What setup() sees, prints and refuses; what importing the course costs."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import course_lib
from course_lib import platform
from course_lib.platform import CourseError

ROOT = Path(__file__).parents[2]


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_import_is_light():
    heavy = "torch transformers trl peft matplotlib ipywidgets datasets pandas accelerate evaluate IPython"
    done = python(f"import sys, course_lib; print([m for m in '{heavy}'.split() if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_the_matmul_rate_is_measured_for_as_long_as_asked():
    assert 0 < platform.matmul_rate(0.01, 64) < 1e5
    assert 0 < platform.matmul_rate(0.01, 64, dtype=torch.bfloat16) < 1e5


def test_check_needs_torch_and_nothing_else_that_is_heavy():
    heavy = "transformers trl peft matplotlib ipywidgets datasets pandas accelerate evaluate"
    done = python(
        f"import sys; from course_lib import check; print([m for m in '{heavy}'.split() if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_setup_needs_nothing_heavy():
    done = python(
        "import sys, course_lib; course_lib.setup('00_start_here'); print([m for m in 'transformers peft trl "
        "matplotlib'.split() if m in sys.modules])"
    )
    assert done.stdout.splitlines()[-1] == "[]" and done.stderr == "", done


def test_datasets_is_the_hugging_face_package():
    assert not (ROOT / "datasets" / "__init__.py").exists()
    done = python("import datasets; print(datasets.__file__, callable(datasets.load_dataset))")
    assert "site-packages" in done.stdout and done.stdout.strip().endswith("True"), done.stderr


def test_openmp_waits_passively():
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", "import course_lib, os; print(os.environ['OMP_WAIT_POLICY'])"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "passive"


def test_unknown_name():
    with pytest.raises(AttributeError, match="it offers setup, check"):
        _ = course_lib.chekc


def test_setup_prints_one_table_and_seeds(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "w"))
    monkeypatch.setenv("COURSE_SIZE", "tiny")
    here = course_lib.setup("02_pretraining", seed=3)
    first = torch.rand(3)
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == ["lab", "python", "device", "dtype", "size", "work"]
    assert here.size == "tiny" and here.work == tmp_path / "w" and not list(here.work.iterdir())
    course_lib.setup("02_pretraining", seed=3)
    assert torch.equal(first, torch.rand(3))


@pytest.mark.parametrize(
    "capability, dtype, word",
    [
        ((7, 5), torch.float16, "emulated"),
        ((8, 0), torch.bfloat16, "native"),
        ((9, 0), torch.bfloat16, "native"),
        ((6, 1), torch.float32, "no tensor cores"),
    ],
)
def test_dtype_by_compute_capability(monkeypatch, capability, dtype, word):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)  # as a T4 says
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    monkeypatch.delenv("COURSE_SIZE", raising=False)
    device, chosen, reason = platform.device_and_dtype()
    assert (device, chosen) == ("cuda", dtype) and word in reason
    assert platform.size() == "gpu"


def test_size_by_default(monkeypatch):
    monkeypatch.delenv("COURSE_SIZE", raising=False)
    assert platform.size("cpu") == "laptop" and platform.size("cuda") == "gpu"


def one_line(error):
    assert "\n" not in str(error.value) and error.value._render_traceback_() == [str(error.value)]
    return str(error.value)


def test_bad_settings_give_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_SIZE", "huge")
    with pytest.raises(CourseError) as error:
        platform.size("cpu")
    assert "tiny, laptop, gpu" in one_line(error)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "file" / "work"))
    with pytest.raises(CourseError) as error:
        platform.work_dir()
    assert "COURSE_WORK" in one_line(error)


def test_wrong_python_and_full_disk_give_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 2**20))
    with pytest.raises(CourseError) as error:
        course_lib.setup("00_start_here")
    assert "Only 3 MB are free" in one_line(error)
    monkeypatch.setattr("course_lib.notebook.setup.OLDEST_PYTHON", (9, 0))
    with pytest.raises(CourseError) as error:
        course_lib.setup("00_start_here")
    assert "make lab" in one_line(error)


@pytest.mark.parametrize(
    "package, version, hidden",
    [
        ("torchao", "0.10.0", True),
        ("torchao", "0.15.1+git", True),
        ("torchao", "0.16.0", False),
        ("torchao", "1.0", False),
        ("trl", "0.29.1", True),
        ("trl", "1.15.2", True),
        ("trl", "1.16.0", False),
        ("trl", "2.0", False),
    ],
)
def test_an_old_package_is_hidden(tmp_path, monkeypatch, package, version, hidden):
    monkeypatch.setitem(sys.modules, package, None)
    del sys.modules[package]
    info = tmp_path / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(f"__version__ = '{version}'\n")
    monkeypatch.syspath_prepend(tmp_path)
    note = platform.hide_old(package)
    assert bool(note) == hidden and (importlib.util.find_spec(package) is None) == hidden
    if hidden:
        assert f"{package} {version} is hidden" in note
        with pytest.raises(ImportError):
            __import__(package)
    if (package, version) != ("torchao", "0.10.0"):
        return
    # what peft asks, in its own words: the one module alone, since all of peft takes seconds to import
    code = (
        "import importlib.util as u, course_lib.platform as p, pathlib; note = p.hide_old('torchao'); "
        "path = pathlib.Path(u.find_spec('peft').origin).with_name('import_utils.py'); "
        "spec = u.spec_from_file_location('peft_import_utils', path); peft = u.module_from_spec(spec); "
        "spec.loader.exec_module(peft); "
        "print(bool(note), peft.is_torchao_available())"
    )
    done = python(code, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert done.stdout.strip() == "True False", done.stderr


def test_google_is_touched_only_where_colab_has_loaded_it():
    for path in (ROOT / "course_lib").rglob("*.py"):
        text = path.read_text()
        assert not ("import google" in text or "from google" in text) or '"google.colab" not in sys.modules' in text, (
            path
        )
