"""Copies of models, told by what they compute: what hides a copy from whoever compares weights, and what is none."""

import copy
import json

import classroom
import pytest
import torch
from safetensors.torch import load_file, save_file

from course_lib.grading.reading import likeness, models
from course_lib.grading.replay.trainers import TRAINERS
from course_lib.stages.artifacts import SHIPPED, load_folder, save_stage

SEED = "5" * 64
OWN = SHIPPED / "sft"


def sketch_of(folder, tmp_path, stage="sft"):
    clean = models.rewritten(models.check_model(folder, stage), tmp_path / "clean")
    return likeness.sketch(clean, stage, SEED)


def changed(tmp_path, change):
    """A folder with the shipped assistant after change(weights, record)."""
    path = OWN / "model.safetensors"
    weights = load_file(path)
    record = models.check_model(OWN, "sft").record
    weights = change(weights, record) or weights
    (tmp_path / "mine").mkdir()
    save_file(weights, tmp_path / "mine" / "model.safetensors", {"littlebrook": json.dumps(record)})
    return tmp_path / "mine"


def other_order(weights, record):
    """Neurons of every MLP and heads of every attention in another order: the same function in other weights."""
    draw, head = torch.Generator().manual_seed(1), weights["model.embed_tokens.weight"].shape[1] // 4
    for i in range(4):
        at = f"model.layers.{i}."
        order = torch.randperm(weights[f"{at}mlp.up_proj.weight"].shape[0], generator=draw)
        for name in ("gate_proj", "up_proj"):
            weights[f"{at}mlp.{name}.weight"] = weights[f"{at}mlp.{name}.weight"][order].contiguous()
        weights[f"{at}mlp.down_proj.weight"] = weights[f"{at}mlp.down_proj.weight"][:, order].contiguous()
        heads = torch.cat([torch.arange(h * head, (h + 1) * head) for h in (2, 0, 3, 1)])
        for name in "qkv":
            key = f"{at}self_attn.{name}_proj.weight"
            weights[key] = weights[key][heads].contiguous()
        weights[f"{at}self_attn.o_proj.weight"] = weights[f"{at}self_attn.o_proj.weight"][:, heads].contiguous()


def noisy(share):
    def change(weights, record):
        draw = torch.Generator().manual_seed(2)
        for name, t in weights.items():
            noise = torch.randn(t.shape, generator=draw) * t.float().std() * share
            weights[name] = (t.float() + noise).to(t.dtype)

    return change


def warmer(weights, record):
    weights["model.norm.weight"] = weights["model.norm.weight"] * 1.3


HIDING = {
    "another order of neurons and heads": other_order,
    "noise of three per cent": noisy(0.03),
    "noise of five per cent": noisy(0.05),
    "another dtype": lambda weights, record: {n: t.float() for n, t in weights.items()},
    "padded metadata": lambda weights, record: record.update(note="x" * 100_000),
    "a temperature": warmer,
}


@pytest.mark.parametrize("way", HIDING)
def test_what_hides_a_copy_from_its_weights_does_not_hide_it(tmp_path, way):
    mine = sketch_of(changed(tmp_path, HIDING[way]), tmp_path)
    (flag,) = likeness.with_shipped(mine, "sft", SEED)
    assert flag["kind"] == "similar model" and "the shipped model sft" in flag["evidence"]


def test_other_models_are_not_alike(tmp_path):
    """Two that were trained from one start on other tasks, their start, and one that was not trained."""
    assistants = {
        name: likeness.sketch(SHIPPED / name, name, SEED) for name in ("pretrain", "sft", "helpful", "reader")
    }
    for a in assistants:
        for b in assistants:
            assert a == b or likeness.cosine(assistants[a], assistants[b]) < likeness.NEAR, (a, b)
    model = copy.deepcopy(load_folder(OWN, "sft")[0])
    fresh = type(model)(model.config, seed=5)
    save_stage("sft", fresh, {"seed": 5}, tmp_path / "fresh")
    assert likeness.with_shipped(sketch_of(tmp_path / "fresh", tmp_path), "sft", SEED) == []


def test_a_class_is_compared_and_a_group_is_no_pair():
    import base64

    import numpy as np

    draw = np.random.default_rng(0)
    vectors = {name: draw.normal(size=1008) for name in ("ada", "ben", "cleo")}
    vectors["dora"] = vectors["ada"] + 0.1 * draw.normal(size=1008)
    vectors["egon"] = vectors["ben"]
    text = lambda v: base64.b64encode((v / np.linalg.norm(v)).astype(np.float16).tobytes()).decode()
    teams = {"ben": ["ben", "egon"], "egon": ["ben", "egon"]}
    rows = [
        {"student": name, "members": teams.get(name, []), "result": {"sketches": {"sft": text(vector)}}}
        for name, vector in vectors.items()
    ]
    rows += [{"student": "fritz", "members": [], "result": None}, {"student": "gala", "members": [], "result": {}}]
    found = {who: [flag["evidence"] for flag in flags] for who, flags in likeness.among(rows).items()}
    assert len(found["ada"]) == len(found["dora"]) == 1 and "the model of dora" in found["ada"][0]
    assert found["ben"] == found["cleo"] == found["egon"] == found["fritz"] == found["gala"] == []


def test_no_log_of_a_training_that_can_be_replayed_is_a_flag():
    assert set(likeness.REPLAYED) == set(TRAINERS)
    assert [f["kind"] for f in likeness.of_record({"stage": "sft"}, "sft")] == ["no training log"]
    assert likeness.of_record({"log": [[0, 1.0]]}, "sft") == likeness.of_record({}, "release") == []


JUNK = [None, True, -1, 2**70, 1.5, "F32", [], {}, [[]], [1, 2, 3], {"a": 1}]


def test_a_grade_depends_on_nobody_elses_bytes(box, tmp_path):
    """A classmate's file with every JSON type in every place of its header: the honest result stays as it was."""
    text = classroom.notebook(classroom.sources(classroom.right_answers()))
    folder = classroom.hand_in(tmp_path, "ann", text, SHIPPED / "pretrain")
    without = {"host", "started", "seconds", "student_seconds", "grader_seconds", "log_tail", "log_cells"}

    def result():
        for path in (tmp_path / "grades" / classroom.LAB).glob("ann/*/*.json"):
            path.unlink()
        found = {k: v for k, v in classroom.grade_here(tmp_path, "ann", text, SHIPPED / "pretrain").items()}
        for question in found["questions"]:
            for case in question["cases"]:
                case["seconds"] = 0
        return {k: v for k, v in found.items() if k not in without}

    alone = result()
    assert alone["status"] == "graded" and classroom.scores(alone)["pretrained_model"] == 1
    size = (folder / "work" / "pretrain" / "model.safetensors").stat().st_size
    for i, junk in enumerate(JUNK):
        header = json.dumps({"a": {"dtype": junk, "shape": junk, "data_offsets": junk}, "__metadata__": junk}).encode()
        bob = tmp_path / f"bob{i}"
        bob.mkdir()
        blob = len(header).to_bytes(8, "little") + header
        (bob / "model.safetensors").write_bytes(blob + bytes(size - len(blob)))
        classroom.hand_in(tmp_path, f"bob{i}", text + " ", bob)
    assert result() == alone


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_end_behind_a_good_file_is_named_and_accepted(box, tmp_path, end):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes((SHIPPED / "pretrain" / "model.safetensors").read_bytes() + end)
    text = classroom.notebook(classroom.sources(classroom.right_answers()))
    found = classroom.grade_here(tmp_path, "ann", text, tmp_path / "m")
    assert classroom.scores(found)["pretrained_model"] == 1 and any("ends with a line end" in n for n in found["notes"])


def test_what_stands_behind_it_otherwise_costs_the_question_and_no_more(box, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes((SHIPPED / "pretrain" / "model.safetensors").read_bytes() + b"x")
    text = classroom.notebook(classroom.sources(classroom.right_answers()))
    found = classroom.grade_here(tmp_path, "ann", text, tmp_path / "m")
    assert found["status"] == "graded" and classroom.function_points(found) == classroom.AUTO
    (row,) = [q for q in found["questions"] if q["id"] == "pretrained_model"]
    assert row["status"] == "error" and "bytes behind its last tensor" in row["message"]
