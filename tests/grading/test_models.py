"""Handed-in models: what may be loaded on the trusted side, and what is refused unread."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from course_lib.grading.reading import models
from course_lib.stages.artifacts import save_stage
from course_lib.stages.lora import ALL_LINEAR, adapter_state, add_lora, save_adapter_stage
from course_lib.stages.model import Llama, ModelConfig

TINY = ModelConfig(hidden=32, intermediate=96, layers=2, heads=2)


@pytest.fixture
def folder(tmp_path):
    save_stage("pretrain", Llama(TINY), {"seed": 0}, tmp_path / "pretrain")
    return tmp_path / "pretrain"


def rewrite(folder, change_weights=None, change_record=None):
    path = folder / "model.safetensors"
    weights = load_file(path)
    record = json.loads((folder / "record.json").read_text())
    if change_weights:
        weights = change_weights(weights)
    if change_record:
        change_record(record)
    save_file(weights, path, {"littlebrook": json.dumps(record)})


def test_a_saved_stage_is_taken(folder):
    assert set(models.check_model(folder, "pretrain").weights) == set(Llama(TINY).state_dict())


def test_the_shapes_written_out_are_those_of_the_model():
    for config in (TINY, ModelConfig()):
        assert models.reference_shapes(config) == {n: list(t.shape) for n, t in Llama(config).state_dict().items()}


NORM = "model.norm.weight"
WEIGHTS = {
    "missing": (lambda w: {n: t for n, t in w.items() if n != NORM}, "lacks 1 of"),
    "extra": (lambda w: w | {"backdoor": torch.ones(3)}, "has 1 tensors that the architecture does not know"),
    "shape": (lambda w: w | {NORM: torch.ones(31)}, r"has shape \[31\], expected \[32\]"),
    "NaN": (lambda w: w | {NORM: torch.full((32,), float("nan"))}, "NaN or infinite"),
    "dtype": (lambda w: w | {NORM: torch.ones(32, dtype=torch.int64)}, "dtype I64"),
}


@pytest.mark.parametrize("what", WEIGHTS)
def test_wrong_weights_are_named(folder, what):
    change, words = WEIGHTS[what]
    rewrite(folder, change)
    with pytest.raises(models.BadModel, match=words):
        models.check_model(folder, "pretrain")


RECORDS = {
    "a config of 10^9": (lambda r: r["model"].update(hidden=10**9), "outside the course's models"),
    "a context of 10^12": (lambda r: r["model"].update(context=10**12), "outside the course's models"),
    "an unknown entry": (lambda r: r["model"].update(evil=1), "unknown entry"),
    "text for a number": (lambda r: r["model"].update(layers="2"), "outside"),
    "NaN": (lambda r: r["model"].update(eps=float("nan")), "eps is no sensible number"),
    "heads that do not divide": (lambda r: r["model"].update(heads=5), "do not divide"),
    "another size": (lambda r: r["model"].update(layers=3), "lacks"),
    "another stage": (lambda r: r.update(stage="sft"), "of another stage than 'pretrain'"),
    "no config": (lambda r: r.pop("model"), "names no model config"),
}


@pytest.mark.parametrize("what", RECORDS)
def test_a_hostile_record_allocates_nothing(folder, what):
    change, words = RECORDS[what]
    rewrite(folder, change_record=change)
    with pytest.raises(models.BadModel, match=words):
        models.check_model(folder, "pretrain")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        pickle.dumps({"a": 1}),
        b"\xff" * 1000,
        (2**62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
    ],
)
def test_what_is_no_safetensors_is_refused_unread(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(models.BadModel, match="whole safetensors file|no record"):
        models.check_model(folder, "pretrain")


def test_a_truncated_upload_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(models.BadModel, match="whole safetensors file"):
        models.check_model(folder, "pretrain")


def test_a_huge_file_is_refused_by_its_size(folder):
    with open(folder / "model.safetensors", "ab") as file:
        file.truncate(5 * 2**30)  # sparse: takes no disk
    with pytest.raises(models.BadModel, match="5120 MB"):
        models.check_model(folder, "pretrain")


# ---- adapters (lab 04): A and B beside the base's weights, named by the record


@pytest.fixture
def adapter(tmp_path):
    save_adapter_stage(add_lora(Llama(TINY), 4, 8, ("q_proj", "down_proj")), {"seed": 0}, folder=tmp_path / "lora")
    return tmp_path / "lora"


def test_a_saved_adapter_is_taken(adapter):
    assert set(models.check_model(adapter, "lora").weights) == set(Llama(TINY).state_dict()) | set(
        adapter_state(add_lora(Llama(TINY), 4, 8, ("q_proj", "down_proj")))
    )


def test_the_adapters_shapes_written_out_are_those_of_the_adapter():
    for config in (TINY, ModelConfig()):
        shapes = models.adapter_shapes({"rank": 3, "alpha": 1.5, "targets": list(ALL_LINEAR)}, config)
        assert shapes == {n: list(t.shape) for n, t in adapter_state(add_lora(Llama(config), 3, 1.5)).items()}


ADAPTER_RECORDS = {
    "a rank of 10^9": (lambda r: r["lora"].update(rank=10**9), "rank = 1000000000 does not fit"),
    "rank 0": (lambda r: r["lora"].update(rank=0), "rank = 0"),
    "a rank that is a text": (lambda r: r["lora"].update(rank="4"), "does not fit"),
    "a rank that is True": (lambda r: r["lora"].update(rank=True), "does not fit"),
    "another rank": (lambda r: r["lora"].update(rank=5), "has shape"),
    "alpha NaN": (lambda r: r["lora"].update(alpha=float("nan")), "alpha"),
    "alpha 0": (lambda r: r["lora"].update(alpha=0), "alpha"),
    "alpha a list": (lambda r: r["lora"].update(alpha=[8]), "alpha"),
    "targets of another model": (lambda r: r["lora"].update(targets=["c_attn"]), "are not layers"),
    "targets a text": (lambda r: r["lora"].update(targets="q_proj"), "are not layers"),
    "no targets": (lambda r: r["lora"].update(targets=[]), "are not layers"),
    "targets that are lists": (lambda r: r["lora"].update(targets=[["q_proj"]]), "are not layers"),
    "a target twice": (lambda r: r["lora"].update(targets=["q_proj", "q_proj"]), "are not layers"),
    "10,000 targets": (lambda r: r["lora"].update(targets=["q_proj"] * 10_000), "are not layers"),
    "more targets than tensors": (lambda r: r["lora"].update(targets=["q_proj", "down_proj", "k_proj"]), "lacks 4 of"),
    "fewer targets than tensors": (lambda r: r["lora"].update(targets=["q_proj"]), "does not know"),
    "one entry too many": (lambda r: r["lora"].update(evil=1), "must name"),
    "an adapter that is no dict": (lambda r: r.update(lora=[4]), "must name"),
    "no adapter in the record": (lambda r: r.pop("lora"), "does not know"),
}


@pytest.mark.parametrize("what", ADAPTER_RECORDS)
def test_a_hostile_adapter_allocates_nothing(adapter, what):
    change, words = ADAPTER_RECORDS[what]
    rewrite(adapter, change_record=change)
    with pytest.raises(models.BadModel, match=words):
        models.check_model(adapter, "lora")


def test_an_adapter_with_NaN_is_refused(adapter):
    name = "model.layers.0.self_attn.q_proj.lora_A.weight"
    rewrite(adapter, lambda w: w | {name: torch.full_like(w[name], float("inf"))})
    with pytest.raises(models.BadModel, match="NaN or infinite"):
        models.check_model(adapter, "lora")


def test_a_bad_model_costs_its_question_only(tmp_path, folder, zygote):
    import classroom

    (folder / "model.safetensors").write_bytes(b"<html>login</html>")
    result = classroom.grade_here(
        tmp_path,
        "ann",
        classroom.notebook(classroom.sources({"rms_norm": classroom.right_answers()["rms_norm"]})),
        folder,
        spawn=zygote.spawn,
    )
    scores = classroom.scores(result)
    assert (scores["pretrained_model"], scores["rms_norm"]) == (0, 0.75) and "safetensors" in str(result), result


def test_an_untrained_model_scores_0_on_hidden_text(tmp_path, folder, zygote):
    import classroom

    text = classroom.notebook(classroom.sources({}))
    result = classroom.grade_here(tmp_path, "ann", text, folder, spawn=zygote.spawn)
    question = [q for q in result["questions"] if q["id"] == "pretrained_model"][0]
    assert question["score"] == 0 and question["status"] == "fail" and "%" in question["message"]
