"""Artefacts: whole or absent, the student's own before the shipped one, one clear line for everything that is wrong."""

import json

import pytest
import torch

from course_lib.stages.artifacts import SHIPPED, ArtifactError, load_stage, save_stage
from course_lib.stages.model import Llama, ModelConfig

SMALL = ModelConfig(vocabulary=64, hidden=16, intermediate=32, layers=1, heads=2, context=16)


@pytest.fixture(autouse=True)
def work(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    return tmp_path


def test_round_trip_keeps_weights_and_record(work):
    model = Llama(SMALL, seed=5)
    folder = save_stage("pretrain", model, {"seed": 5, "metrics": {"loss": 1.5}})
    assert folder == work / "pretrain"
    stage = load_stage("pretrain")
    assert stage.origin == "yours" and stage.record["metrics"] == {"loss": 1.5}
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), stage.model.state_dict().values()))
    assert len(json.loads((folder / "record.json").read_text())["sha256"]) == 64
    assert not list(folder.glob("*.tmp"))


def test_shipped_stage_stands_in_and_says_so(capsys):
    assert load_stage("pretrain").origin == "shipped"
    assert "not saved your own" in capsys.readouterr().out


def test_unknown_stage_names_the_known_ones():
    with pytest.raises(ArtifactError, match="no stage 'pretrian'.*pretrain"):
        load_stage("pretrian")


def test_truncated_model_is_named(work):
    folder = save_stage("pretrain", Llama(SMALL), {})
    whole = (folder / "model.safetensors").read_bytes()
    for cut in (0, 7, 100, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:cut])
        with pytest.raises(ArtifactError, match="damaged"):
            load_stage("pretrain")


def test_model_of_another_stage_is_named(work):
    save_stage("sft", Llama(SMALL), {}, folder=work / "pretrain")
    with pytest.raises(ArtifactError, match="holds stage 'sft', not 'pretrain'"):
        load_stage("pretrain")


def test_weights_of_another_size_are_named(work, monkeypatch):
    model = Llama(SMALL)
    object.__setattr__(
        model, "config", ModelConfig(vocabulary=64, hidden=32, intermediate=32, layers=1, heads=2, context=16)
    )
    save_stage("pretrain", model, {})
    with pytest.raises(ArtifactError, match="do not fit"):
        load_stage("pretrain")


def test_a_failed_write_keeps_what_was_there(work, monkeypatch):
    save_stage("pretrain", Llama(SMALL, 1), {"seed": 1})
    monkeypatch.setattr(
        "course_lib.platform.os.replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(ArtifactError, match="No space left.*nothing was changed"):
        save_stage("pretrain", Llama(SMALL, 2), {"seed": 2})
    assert load_stage("pretrain").record["seed"] == 1


def test_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot write"):
        save_stage("pretrain", Llama(SMALL), {}, folder=tmp_path / "file" / "pretrain")


def test_shipped_artefacts_are_small():
    assert sum(f.stat().st_size for f in SHIPPED.rglob("*") if f.is_file()) < 40 * 2**20
