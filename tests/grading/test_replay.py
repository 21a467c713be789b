"""Training done again from a record: honest logs replay, made-up ones are flagged with the step, hostile recipes train
nothing.
"""

import copy
import importlib
import json
from dataclasses import asdict, replace

import pytest
import torch

from course_lib.grading.records import store
from course_lib.grading.replay import replay, trainers
from course_lib.stages.artifacts import save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import PretrainConfig
from course_lib.stages.pretrain import pretrain as train
from course_lib.world import pretrain_rows, rows_hash

LAB = "02_pretraining"
SMALL = PretrainConfig(
    ModelConfig(hidden=32, intermediate=96, layers=1, heads=2), documents=500, batch=512, validations=2
)


@pytest.fixture(scope="module")
def run():
    torch.set_num_threads(1)
    return train("tiny", seed=3, config=SMALL, progress=False)


def hand_in(root, student, model, record, lab=LAB, stage="pretrain"):
    folder = root / "submissions" / lab / student / "0123456789abcdef"
    save_stage(stage, model, record, folder / "work" / stage)
    store.write_atomic(folder / "notebook.ipynb", b"{}")
    store.write_json(folder / "meta.json", {"student": student, "received": 1.0, "notes": []})


def outcomes(root, lab=LAB, **options):
    return {
        r["student"]: r
        for r in replay.replay_lab(
            lab, grades=root / "grades", submitted=root / "submissions", progress=False, **options
        )
    }


def changed(record, **changes):
    return {**json.loads(json.dumps(record)), **changes}


@pytest.fixture(scope="module")
def lab(tmp_path_factory, run):
    """A class, replayed: (folder, rows)."""
    root, record = tmp_path_factory.mktemp("lab"), run.record
    forged = [[step, loss + (0.3 if step >= 7 else 0)] for step, loss in record["log"]]
    late = [[step, loss - (0.3 if step >= 20 else 0)] for step, loss in record["log"]]
    nudged = [[step, loss + 0.005] for step, loss in record["log"]]
    students = {
        "ada": record, "forger": changed(record, log=forged), "late": changed(record, log=late),
        "old": {k: v for k, v in record.items() if k != "log"},
        "elsewhere": changed(record, log=nudged, made_on="torch 9, cuda, arm64"), "nudger": changed(record, log=nudged),
        "greedy": changed(record, recipe={**record["recipe"], "documents": 10**9}),
        "own rows": changed(record, data="0" * 64),
        "seedless": changed(record, recipe={**record["recipe"], "seed": "x"}),
        "huge": changed(record,
            recipe={**record["recipe"],
                "model": {**record["recipe"]["model"], "hidden": 512, "layers": 12, "heads": 16}}),
                "odd": changed(record, recipe={**record["recipe"], "model": 7}),
        "idle": changed(record, recipe={**record["recipe"], "learning_rate": 0}),
        "gaps": changed(record, log=record["log"][3:]), "noise": changed(record, log="many"),
    }  # fmt: skip
    for student, entry in students.items():
        hand_in(root, student, run.model, entry)
    return root, outcomes(root)


def test_the_record_holds_a_log_of_its_first_steps(run):
    assert [step for step, _ in run.record["log"]][:20] == list(range(20)) and len(run.history) > 20


def test_an_honest_log_replays(lab):
    assert lab[1]["ada"]["outcome"] == "replays" and lab[1]["ada"]["evidence"] == "20 losses agree"


@pytest.mark.parametrize(
    "student, words", [("forger", "step 7, loss "), ("nudger", "step 0, loss "), ("gaps", "the log has no step 0")]
)
def test_a_log_that_does_not_replay_is_flagged_with_its_step(lab, student, words):
    row = lab[1][student]
    assert row["outcome"] == "differs" and words in row["evidence"]
    (flag,) = [x for x in store.read_lines(lab[0] / "grades" / LAB / "replay.jsonl") if x["student"] == student]
    assert (
        flag["kind"] == "log does not replay"
        and flag["evidence"] == row["evidence"]
        and flag["submission_sha"] == "0123456789abcdef"
    )


def test_another_machine_may_differ_a_little(lab):
    assert lab[1]["elsewhere"]["outcome"] == "replays"


@pytest.mark.parametrize("student, words", [
    ("old", "older course_lib"), ("greedy", "documents = 1000000000 is outside the course's"),
    ("own rows", "other data"), ("seedless", "seed = x is no sensible number"), ("noise", "makes no sense"),
    ("huge", "another model than the one that was handed in"), ("odd", "names no model config"),
    ("idle", "learning_rate is 0"),
])  # fmt: skip
def test_what_cannot_be_replayed_says_why_and_is_not_flagged(lab, student, words):
    assert lab[1][student]["outcome"] == "no replay" and words in lab[1][student]["evidence"]
    assert student not in {x["student"] for x in store.read_lines(lab[0] / "grades" / LAB / "replay.jsonl")}


def test_no_score_is_touched(lab):
    assert not list((lab[0] / "grades" / LAB).glob("*/*/*.json"))


def test_a_full_replay_finds_what_comes_after_the_first_steps(lab):
    assert lab[1]["late"]["outcome"] == "replays", "the first 20 steps are honest"
    row = outcomes(lab[0], student="late")["late"]
    assert (row["outcome"], row["steps"]) == ("differs", "all") and "step 20" in row["evidence"]
    assert outcomes(lab[0], student="ada")["ada"]["steps"] == "all"


def test_the_sample_is_drawn_from_the_secret(lab, monkeypatch):
    monkeypatch.setattr(
        replay, "replay", lambda model, who, submitted, steps, known: {"outcome": "replays", "evidence": ""}
    )
    drawn = lambda: {who for who, row in outcomes(lab[0], sample=3).items() if row["steps"] == "all"}
    first = drawn()
    assert len(first) == 3 and drawn() == first
    monkeypatch.setenv("COURSE_SECRET", "another")
    assert drawn() != first or (monkeypatch.setenv("COURSE_SECRET", "a third") or drawn() != first)


def test_a_student_without_a_model_and_a_lab_without_models_are_one_line(lab, tmp_path):
    with pytest.raises(store.StoreError, match="bob has handed in no model"):
        outcomes(lab[0], student="bob")
    folder = tmp_path / "submissions" / "00_start_here" / "a" / "0"
    store.write_json(folder / "meta.json", {})
    with pytest.raises(store.StoreError, match="no model is handed in for 00_start_here"):
        outcomes(tmp_path, lab="00_start_here")


def test_fine_tuning_is_replayed_from_the_shipped_parent_or_the_students_own(tmp_path, run):
    """The first step tells the parent: one that nobody has handed in is unknown, not a flag."""
    from course_lib.stages import sft
    from course_lib.stages.artifacts import load_stage
    from course_lib.world.tasks import SHARES, task_rows

    def tuned(base):
        config = sft.SFTConfig(examples=250, replay=50, batch=512, validations=0)
        rows = task_rows("train", config.examples, "pretrain", SHARES) + pretrain_rows("train", config.replay)
        return sft.finetune(base, rows, config, 1, progress=False)

    shipped, own = tuned(load_stage("pretrain").model), tuned(copy.deepcopy(run.model))
    hand_in(tmp_path, "ada", shipped.model, shipped.record, "03_supervised_fine_tuning", "sft")
    hand_in(tmp_path, "bea", own.model, own.record, "03_supervised_fine_tuning", "sft")
    hand_in(tmp_path, "cy", own.model, own.record, "03_supervised_fine_tuning", "sft")
    hand_in(tmp_path, "bea", run.model, run.record)  # lab 02
    rows = outcomes(tmp_path, "03_supervised_fine_tuning")
    assert (rows["ada"]["outcome"], rows["bea"]["outcome"], rows["cy"]["outcome"]) == (
        "replays",
        "replays",
        "unknown start",
    )
    assert "from the shipped model" in rows["ada"]["evidence"] and "from the student's own" in rows["bea"]["evidence"]
    assert not (tmp_path / "grades" / "03_supervised_fine_tuning" / "replay.jsonl").exists()


@pytest.mark.parametrize("four_bits", [False, True])
def test_an_adapter_is_replayed_from_the_base_in_its_file_or_from_the_assistant(tmp_path, four_bits):
    from course_lib.stages import lora
    from course_lib.stages.artifacts import load_stage

    config = replace(lora.PRESETS["tiny"], examples=100, replay=20, batch=512, validations=0)
    made = lora.lora("tiny", 1, base=load_stage("sft").model, config=config, four_bits=four_bits, progress=False)
    folder = tmp_path / "submissions" / "04_lora_and_qlora" / "ada" / "0"
    lora.save_adapter_stage(made.model, made.record, folder=folder / "work" / "lora")
    store.write_json(folder / "meta.json", {"student": "ada", "received": 1.0, "notes": []})
    row = outcomes(tmp_path, "04_lora_and_qlora", student="ada")["ada"]
    assert (
        row["outcome"] == "replays"
        and ("the shipped model" if four_bits else "the base in the file") in row["evidence"]
    ), row


def test_data_of_the_recipe_is_what_the_record_says(run):
    assert run.record["data"] == rows_hash(pretrain_rows("train", SMALL.documents))


GONE = object()
DAMAGED = (GONE, None, True, -1, 0, 1.5, 2**200, float("nan"), "x", [], [[]], {}, {"a": 1})


def sound(stage):
    """A record of a stage that its trainer takes."""
    module = importlib.import_module(f"course_lib.stages.{'refusal' if stage == 'safe' else stage}")
    recipe = {"seed": 1, "size": "tiny", **asdict(module.PRESETS["tiny"])}
    adapter = {"rank": 2, "alpha": 4, "targets": ["q_proj"]}
    made = {"stage": stage, "model": recipe.get("model"), "recipe": recipe, "data": ""}
    return made | {"lora": adapter, "job": "clerk", "beta": 0.5}


@pytest.mark.parametrize("stage", trainers.TRAINERS)
def test_a_damaged_recipe_is_a_reason_in_words(monkeypatch, stage):
    """Any value in any place, and each left out: it is trained with, or the trainer says why not. Nothing is trained
    here: what a trainer itself says of numbers that teach nothing is in the class above.
    """
    for name in ("pretrain.pretrain", "sft.finetune", "reward.train_reward", "dpo.dpo", "refusal.refuse"):
        monkeypatch.setattr(f"course_lib.stages.{name}", lambda *a, **k: None)
    for name in ("pretrain_rows", "tasks.task_rows", "jobs.job_rows", "annotators.preference_rows"):
        monkeypatch.setattr(f"course_lib.world.{name}", lambda *a, **k: [])
    monkeypatch.setattr(trainers, "same_data", lambda record, rows: None)
    record, base, outcomes = sound(stage), Llama(SMALL.model), set()
    places = [(key,) for key in record if key != "recipe"]  # which replay() looks at itself
    for *above, last in places + [(key, field) for key in ("recipe", "lora") for field in record[key]]:
        for value in DAMAGED:
            damaged = copy.deepcopy(record)
            inside = damaged[above[0]] if above else damaged
            inside[last] = value
            if value is GONE:
                del inside[last]
            try:
                replay.train_again(trainers.TRAINERS[stage][0], damaged, copy.deepcopy(base), 1)
                outcomes.add("trained")
            except trainers.NoReplay as reason:
                assert str(reason) and "\n" not in str(reason) and "Error" not in str(reason)
                outcomes.add("no replay")
    assert outcomes == {"trained", "no replay"}
