"""Copies of models, told by what they compute: what hides a copy from whoever compares weights, and what is none."""

import copy
import json

import classroom
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from course_lib.bench.likeness import HIDING, SHARES, flagged, like_shipped, noisy, other_order
from course_lib.grading.reading import likeness, marks, models
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
    draw = np.random.default_rng(0)
    vectors = {name: draw.normal(size=1008) for name in ("ada", "ben", "cleo")}
    vectors["dora"] = vectors["ada"] + 0.1 * draw.normal(size=1008)
    vectors["egon"] = vectors["ben"]
    start = draw.normal(size=1008)
    text = lambda v: likeness.written(v / np.linalg.norm(v), start / np.linalg.norm(start))
    teams = {"ben": ["ben", "egon"], "egon": ["ben", "egon"]}
    rows = [
        {"student": name, "members": teams.get(name, []), "result": {"sketches": {"sft": text(vector)}}}
        for name, vector in vectors.items()
    ]
    rows += [{"student": "fritz", "members": [], "result": None}, {"student": "gala", "members": [], "result": {}}]
    found = {who: [flag["evidence"] for flag in flags] for who, flags in likeness.among(rows).items()}
    assert len(found["ada"]) == len(found["dora"]) == 1 and "the model of dora" in found["ada"][0]
    assert found["ben"] == found["cleo"] == found["egon"] == found["fritz"] == found["gala"] == []


def test_a_sketch_keeps_what_differs_little_from_the_start():
    draw = np.random.default_rng(1)
    unit = lambda v: v / np.linalg.norm(v)
    start, own, other = (unit(draw.normal(size=4608)) for _ in range(3))
    a, b = unit(start + 0.001 * own), unit(start + 0.001 * other)
    one, two = likeness.written(a, start), likeness.written(b, start)
    assert abs(likeness.cosine(one, two) - a @ b) < 1e-6 and likeness.cosine(one, one) > 1 - 1e-6
    across = likeness.numbers(one)[1:] @ likeness.numbers(two)[1:]
    assert abs(across) < 0.05 * 1e-6, "of two that lie so near each other the way is still told apart"


# ---- trainings that end near their start


STEP, NOISE = 2e-3, 0.05  # of a tensor's spread: what a training changes, a third of it alike in the whole class; noise


@pytest.fixture(scope="module")
def short_class(tmp_path_factory):
    """{name: folder}: six who went a little way from the shipped assistant, as DPO does."""
    from course_lib.stages.rollout import assistant

    root, base = tmp_path_factory.mktemp("class"), assistant(load_folder(OWN, "sft")[0])
    kick = lambda seed: {
        n: torch.randn(t.shape, generator=torch.Generator().manual_seed(1000 * seed + k)) * t.std() * 10 * STEP
        for k, (n, t) in enumerate(base.state_dict().items())
        if t.dim() > 1
    }
    common = kick(0)
    for seed in range(1, 7):
        model, own = copy.deepcopy(base), kick(seed)
        model.load_state_dict({n: t + common[n] / 2 + own[n] if n in own else t for n, t in model.state_dict().items()})
        save_stage("dpo", model, {"log": [[0, 1.0]]}, root / f"s{seed}")
    return {f"s{seed}": root / f"s{seed}" for seed in range(1, 7)}


def hidden(folder, change, tmp_path):
    from course_lib.stages.artifacts import read_tensors, write_tensors

    weights, record = read_tensors(folder / "model.safetensors")
    change(weights, record)
    write_tensors(tmp_path / "hidden" / "model.safetensors", weights, record)
    return tmp_path / "hidden"


@pytest.fixture(scope="module")
def short_sketches(short_class):
    return {name: likeness.sketch(folder, "dpo", SEED) for name, folder in short_class.items()}


def noise_and_order(weights, record):
    other_order(weights, record), noisy(NOISE)(weights, record)


SHORT = HIDING | {"noise and another order": noise_and_order}


@pytest.mark.parametrize("way", SHORT)
def test_a_copy_of_a_short_training_is_found_behind_noise(short_class, short_sketches, tmp_path, way):
    mine = likeness.sketch(hidden(short_class["s1"], SHORT[way], tmp_path), "dpo", SEED)
    assert flagged("dpo", short_sketches | {"zoe": mine}) == {("s1", "zoe")}


def test_short_trainings_of_others_are_not_alike(short_class, short_sketches, tmp_path):
    """Nor is one that went three times as far, nor one of another start, nor one of another shape."""
    assert flagged("dpo", short_sketches) == set()
    from course_lib.stages.artifacts import read_tensors

    first = {n: t.float() for n, t in read_tensors(OWN / "model.safetensors")[0].items()}

    def farther(weights, record):
        for n, t in weights.items():
            weights[n] = first[n] + 3 * (t - first[n]) if t.dim() > 1 else t

    far = {"far": likeness.sketch(hidden(short_class["s2"], farther, tmp_path), "dpo", SEED)}
    without = {name: text for name, text in short_sketches.items() if name != "s2"}
    assert flagged("dpo", without | far) == set()
    odd = {"odd": short_sketches["s1"].split(" ")[0] + " "}
    assert flagged("dpo", without | odd) == {("odd", "s1")}, "the first half alone: equal to the letter"


def test_a_copy_of_the_shipped_model_is_found_behind_noise_where_honest_ones_end_near_it(tmp_path):
    """Reward models of the same labels say nearly the same; the head, which the start has not, is no mark."""
    base, start, sketches = load_folder(SHIPPED / "reward", "reward")[0], load_folder(OWN, "sft")[0].state_dict(), {}
    for seed in range(1, 5):  # half of the way with the shipped one, then as far again on their own
        model, draw = copy.deepcopy(base), torch.Generator().manual_seed(seed)
        for name, t in model.state_dict().items():
            if name in start and t.dim() > 1:
                way = t - start[name]
                t += torch.randn(t.shape, generator=draw) * way.std() * 0.7 - way / 2
        save_stage("reward", model, {"log": [[0, 1.0]]}, tmp_path / f"s{seed}")
        sketches[f"s{seed}"] = likeness.sketch(tmp_path / f"s{seed}", "reward", SEED)
    (tmp_path / "first").mkdir()
    mine = sketch_of(hidden(SHIPPED / "reward", noisy(NOISE), tmp_path / "first"), tmp_path, "reward")
    assert like_shipped("reward", sketches) == set() and flagged("reward", sketches) == set()
    assert like_shipped("reward", sketches | {"zoe": mine}) == {"zoe"}


def test_one_model_of_huge_weights_ends_nobody_elses_comparison(short_class, short_sketches, tmp_path):
    def huge(weights, record):
        weights["model.layers.0.mlp.up_proj.weight"] *= 1e6
        weights["model.layers.0.mlp.up_proj.weight"][0] *= -1e6

    mine = likeness.sketch(hidden(short_class["s2"], huge, tmp_path), "dpo", SEED)
    copied = likeness.sketch(hidden(short_class["s1"], noisy(NOISE), tmp_path), "dpo", SEED)
    others = {"huge": mine} if mine else {}
    assert ("s1", "zoe") in flagged("dpo", short_sketches | others | {"zoe": copied})


def test_marks_of_nothing_harm_nobody_elses():
    every = np.random.default_rng(0).normal(size=(6, marks.SUMS)).astype(np.float32)
    every[2] = 0
    assert not marks.same_marks(every).any()
    every[4] = every[3] + 10 * np.random.default_rng(1).normal(size=marks.SUMS)
    assert sorted(map(tuple, np.argwhere(marks.same_marks(every)))) == [(3, 4), (4, 3)]


def test_a_byte_a_sum_is_enough():
    draw = np.random.default_rng(2)
    made = draw.normal(size=marks.SUMS).astype(np.float32) * 3e-4
    again = marks.unpacked(marks.packed(made))
    assert again @ made / np.linalg.norm(again) / np.linalg.norm(made) > 0.999
    assert abs(np.linalg.norm(again) / np.linalg.norm(made) - 1) < 0.001
    assert marks.packed(made * np.nan) == marks.packed(made * 0) == marks.packed(made * np.float32(3e38)) == b""


def test_the_bench_has_every_stage_of_a_lab():
    from course_lib.grading.intake.archives import STAGES

    assert set(SHARES) == set(STAGES.values()) and set(likeness.STARTS) < set(SHARES)
    assert set(likeness.CLOSE) < set(likeness.STARTS)


def test_no_log_of_a_training_that_can_be_replayed_is_a_flag():
    assert set(likeness.REPLAYED) == set(TRAINERS)
    assert [f["kind"] for f in likeness.of_record({"stage": "sft"}, "sft")] == ["no training log"]
    assert likeness.of_record({"log": [[0, 1.0]]}, "sft") == likeness.of_record({}, "release") == []


JUNK = [None, True, -1, 2**70, 1.5, "F32", [], {}, [[]], [1, 2, 3], {"a": 1}]


def test_a_grade_depends_on_nobody_elses_bytes(zygote, tmp_path):
    """A classmate's file with every JSON type in every place of its header: the honest result stays as it was."""
    text = classroom.notebook(classroom.sources(classroom.right_answers()))
    folder = classroom.hand_in(tmp_path, "ann", text, SHIPPED / "pretrain")
    without = {"host", "started", "seconds", "student_seconds", "grader_seconds", "log_tail", "log_cells"}

    def result():
        for path in (tmp_path / "grades" / classroom.LAB).glob("ann/*/*.json"):
            path.unlink()
        found = classroom.grade_here(tmp_path, "ann", text, SHIPPED / "pretrain", spawn=zygote.spawn)
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
def test_a_line_end_behind_a_good_file_is_named_and_accepted(zygote, tmp_path, end):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes((SHIPPED / "pretrain" / "model.safetensors").read_bytes() + end)
    text = classroom.notebook(classroom.sources(classroom.right_answers()))
    found = classroom.grade_here(tmp_path, "ann", text, tmp_path / "m", spawn=zygote.spawn)
    assert classroom.scores(found)["pretrained_model"] == 1 and any("ends with a line end" in n for n in found["notes"])


def test_what_stands_behind_it_otherwise_costs_the_question_and_no_more(zygote, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes((SHIPPED / "pretrain" / "model.safetensors").read_bytes() + b"x")
    text = classroom.notebook(classroom.sources(classroom.right_answers()))
    found = classroom.grade_here(tmp_path, "ann", text, tmp_path / "m", spawn=zygote.spawn)
    assert found["status"] == "graded" and classroom.function_points(found) == classroom.AUTO
    (row,) = [q for q in found["questions"] if q["id"] == "pretrained_model"]
    assert row["status"] == "error" and "bytes behind its last tensor" in row["message"]
