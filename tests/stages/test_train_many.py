"""Two processes over gloo do what one does: losses, shards, a run that changes its number of processes, one line for
what goes wrong.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from course_lib import train as many
from course_lib.platform import CourseError
from course_lib.stages.artifacts import load_stage, read_tensors
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import PRESETS, optimizers, pretrain
from course_lib.stages.sft import PRESETS as SFT_PRESETS
from course_lib.stages.sft import response_loss, sft

pytestmark = pytest.mark.slow

# nine batches of 1 to 11 documents, seed 0; of the one with 1, the fifth, the second process has no share
CONFIG = replace(PRESETS["tiny"], documents=60, batch=512, validations=2)
SFT_CONFIG = replace(SFT_PRESETS["tiny"], examples=60, replay=20)


class Stop(Exception):
    pass


def stop_after(steps):
    def on_step(history):
        if len(history) == steps:
            raise Stop

    return on_step


def ruined_at_third(loss):
    calls = []

    def ruined(*args):
        calls.append(1)
        return loss(*args) * (float("nan") if len(calls) == 3 else 1.0)

    return ruined


def in_two_processes(folder: Path) -> dict:
    """What torchrun runs, in both processes (the end of this file): each run in a work folder of its own. Process 0
    returns what it saw.
    """

    def run(name, *args, **options):
        os.environ["COURSE_WORK"] = str(folder / name)
        try:
            made = many.train(*args, progress=False, **options)
            return made and {"history": made.history, "record": made.record}
        except (Stop, CourseError) as end:
            return str(end)

    seen = {}
    with many.processes():
        for shard in many.SHARDS:
            seen[shard] = run(shard, "pretrain", "tiny", 0, shard, CONFIG)
            seen[f"sft-{shard}"] = run(shard, "sft", "tiny", 0, shard, SFT_CONFIG)
            os.environ |= {"COURSE_DTYPE": "bfloat16", "COURSE_CHECKPOINTING": "1"}
            seen[f"half-{shard}"] = run(f"half-{shard}", "pretrain", "tiny", 0, shard, CONFIG)
            del os.environ["COURSE_DTYPE"], os.environ["COURSE_CHECKPOINTING"]
            run(
                f"stopped-{shard}", "pretrain", "tiny", 0, shard, CONFIG, checkpoint_steps=4, on_step=stop_after(6)
            )  # for one process to go on with
            seen[f"resumed-{shard}"] = run(
                f"alone-{shard}", "pretrain", "tiny", 0, shard, CONFIG
            )  # what one process began

            with pytest.MonkeyPatch.context() as patch:  # in one process only: both have to stop
                if dist.get_rank() == 1:
                    patch.setattr("course_lib.stages.sft.response_loss", ruined_at_third(response_loss))
                options = dict(checkpoint_steps=1)
                seen[f"ruined-{shard}"] = run(f"ruined-{shard}", "pretrain", "tiny", 0, shard, CONFIG, **options)

        model = Llama(ModelConfig(hidden=32, intermediate=96, layers=2, heads=2))
        module, optimiser = many.spread(model, optimizers(model, 1e-3), "fsdp")
        ids = torch.arange(40).view(2, 20)
        module(ids, ids).backward()
        for o in optimiser:
            o.step()
        states = [
            t.to_local().numel() for o in optimiser for state in o.state.values() for t in state.values() if t.dim()
        ]
        full = [t.numel() for o in optimiser for state in o.state.values() for t in state.values() if t.dim()]
        seen["numel"] = [many.local_parameters(module), model.parameter_count(), sum(states), sum(full)]

        os.environ["COURSE_WORK"] = str(folder / f"unshared-{dist.get_rank()}")  # a disk of its own for each process
        try:
            many.train("pretrain", "tiny", 0, "ddp", CONFIG, progress=False)
        except CourseError as error:
            seen["unshared"] = str(error)

        PRESETS["tiny"] = CONFIG
        many.processes = (
            contextlib.nullcontext
        )  # it is in the group already: joining a second one by the same store can hang
        seen["main"] = many.main(["pretrain", "--size", "tiny", "--shard", "fsdp", "--out", str(folder / "command")])
    return seen


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The stages' own runs, in one process."""
    folder, patch = tmp_path_factory.mktemp("alone"), pytest.MonkeyPatch()
    patch.setenv("COURSE_WORK", str(folder))
    patch.setitem(SFT_PRESETS, "tiny", SFT_CONFIG)
    yield {"pretrain": pretrain("tiny", config=CONFIG, progress=False), "sft": sft("tiny", progress=False)}
    patch.undo()


@pytest.fixture(scope="module")
def two(alone, tmp_path_factory):
    """(folder, what process 0 saw, what was printed)"""
    folder = tmp_path_factory.mktemp("two")
    for shard in many.SHARDS:
        with pytest.raises(Stop):
            pretrain(
                "tiny",
                config=CONFIG,
                out=folder / f"alone-{shard}" / "pretrain",
                progress=False,
                checkpoint_steps=4,
                on_step=stop_after(6),
            )
    shutil.copytree(folder / "alone-ddp", folder / "unshared-0")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        __file__,
        str(folder),
    ]
    ended = subprocess.run(torchrun, env=env, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder, json.loads((folder / "seen.json").read_text()), ended.stdout + ended.stderr


def losses(history):
    return [row["train_loss"] for row in history]


@pytest.fixture
def group(monkeypatch):
    """A group of this one process, left also after an error."""
    for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.parametrize("shard", many.SHARDS)
@pytest.mark.parametrize("stage", many.STAGES)
def test_two_halves_of_a_batch_give_the_losses_of_the_whole(alone, two, stage, shard):
    theirs, ours = alone[stage], two[1][shard if stage == "pretrain" else f"sft-{shard}"]
    assert losses(ours["history"]) == pytest.approx(losses(theirs.history), abs=1e-5)
    for key in ("tokens", "lr"):
        assert [row[key] for row in ours["history"]] == [row[key] for row in theirs.history]
    assert [row["val_loss"] for row in ours["history"] if "val_loss" in row] == pytest.approx(
        [row["val_loss"] for row in theirs.history if "val_loss" in row], abs=1e-5
    )
    assert ours["record"]["processes"] == 2 and ours["record"]["shard"] == shard
    same = json.loads(
        json.dumps({key: theirs.record[key] for key in theirs.record if key not in ("minutes", "log", "metrics")})
    )
    assert {key: ours["record"][key] for key in same} == same
    if stage == "pretrain":
        assert ours["record"]["metrics"] == pytest.approx(theirs.record["metrics"], abs=1e-4)


@pytest.mark.parametrize("shard", many.SHARDS)
def test_bf16_and_checkpointing_give_nearly_the_same(alone, two, shard):
    ours = losses(two[1][f"half-{shard}"]["history"])
    assert ours != losses(alone["pretrain"].history) and ours == pytest.approx(
        losses(alone["pretrain"].history), rel=5e-3
    )


def test_a_process_holds_half_the_parameters_and_half_the_states(two):
    here, all_of_them, states, all_states = two[1]["numel"]
    assert here * 2 == all_of_them and states * 2 == all_states > all_of_them


@pytest.mark.parametrize("shard", many.SHARDS)
def test_a_run_that_one_process_began_goes_on_in_two(alone, two, shard):
    assert losses(two[1][f"resumed-{shard}"]["history"]) == pytest.approx(losses(alone["pretrain"].history), abs=1e-5)


@pytest.mark.parametrize("shard", many.SHARDS)
def test_a_run_that_two_processes_began_goes_on_in_one(alone, two, shard, group, monkeypatch):
    """Replicas go on here in shards, shards in the stage's own function."""
    work = two[0] / f"stopped-{shard}"
    assert (work / "pretrain" / "checkpoint.safetensors").exists()
    if shard == "fsdp":
        run = pretrain("tiny", config=CONFIG, out=work / "pretrain", progress=False)
    else:
        monkeypatch.setenv("COURSE_WORK", str(work))
        with many.processes():
            run = many.train("pretrain", "tiny", 0, "fsdp", CONFIG, progress=False)
    assert losses(run.history) == pytest.approx(losses(alone["pretrain"].history), abs=1e-5)
    assert not (work / "pretrain" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("shard", many.SHARDS)
def test_a_loss_that_is_nan_in_one_process_stops_both_and_the_checkpoint_stays(two, shard):
    assert two[1][f"ruined-{shard}"].startswith("step 2: the loss is nan, so training stops here: lower learning_rate")
    tensors, metadata = read_tensors(two[0] / f"ruined-{shard}" / "pretrain" / "checkpoint.safetensors")
    assert len(metadata["history"]) == 2 and all(t.isfinite().all() for t in tensors.values())


def test_the_command_saves_a_stage_that_load_stage_finds(alone, two, monkeypatch):
    folder, seen, printed = two
    monkeypatch.setenv("COURSE_WORK", str(folder / "command"))
    stage = load_stage("pretrain")
    assert seen["main"] == 0 and stage.origin == "yours" and stage.record["processes"] == 2
    for name, weight in alone["pretrain"].model.state_dict().items():
        torch.testing.assert_close(stage.model.state_dict()[name], weight, atol=1e-3, rtol=0)
    assert (
        printed.count("saved in")
        == printed.count("2 processes (gloo, cpu), fsdp: 52,304 of 104,608 parameters in each")
        == 1
    )
    assert "Not started by torchrun" not in printed


def test_a_checkpoint_that_not_all_processes_see_gets_one_line(two):
    assert (
        "not every process sees the checkpoint" in two[1]["unshared"]
        and "folder that all machines share" in two[1]["unshared"]
    )


@pytest.mark.parametrize(
    "argv, words",
    [
        (["dpo"], "train: stage is 'dpo': choose one of pretrain, sft"),
        (["sft", "--size", "huge"], "train: size is 'huge': choose one of tiny, laptop, gpu"),
        (["sft", "--shard", "zero"], "train: shard is 'zero': choose one of ddp, fsdp"),
    ],
)
def test_without_torchrun_it_says_so_and_bad_input_gets_one_line(group, capfd, argv, words):
    assert many.main(argv) == 2
    out, err = capfd.readouterr()
    assert out == "Not started by torchrun: training in this one process.\n" and err == words + "\n"


def test_fewer_gpus_than_processes_and_no_memory_get_one_line(group, monkeypatch, capfd):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with monkeypatch.context() as patch:
        patch.setattr(many, "device_and_dtype", lambda: ("cuda", torch.bfloat16, "a GPU"))
        patch.setattr(torch.cuda, "device_count", lambda: 2)
        assert many.main(["sft"]) == 2
    assert "4 processes were started and this machine has 2 GPUs: use --nproc-per-node 2" in capfd.readouterr().err

    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(many, "train", full)
    assert many.main(["sft"]) == 2
    err = capfd.readouterr().err
    assert err.startswith("train: process 0 is out of memory") and "--shard fsdp" in err and err.count("\n") == 1


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    seen = in_two_processes(folder)
    if os.environ["RANK"] == "0":
        (folder / "seen.json").write_text(json.dumps(seen))
