"""What a run is made of, and that one that has ended is trained again only when that has changed. (Killed runs: the
tests of each stage.)
"""

import functools
import json
import os
import subprocess
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.stages import checkpoint, lora, sft
from course_lib.stages import pretrain as stage
from course_lib.stages.checkpoint import fingerprint
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import PRESETS, learning_rate, next_token_loss, pretrain
from course_lib.world import pretrain_rows
from course_lib.world.tasks import task_rows

SMALL = ModelConfig(hidden=32, intermediate=96, layers=1, heads=2)
NOTEBOOK = """
SCALE = {scale}
def helper(x):
    return x * SCALE
def loss(x):
    inner = lambda y: helper(y) {sign} 1
    return inner(x)
"""


def notebook(**parts):
    """The function `loss` of a notebook in which it uses a helper and a constant."""
    module = types.ModuleType("__main__")
    exec(NOTEBOOK.format(**{"scale": 2, "sign": "+", **parts}), vars(module))
    return module.loss


@pytest.fixture(autouse=True)
def few_to_validate_on(monkeypatch):
    monkeypatch.setattr(stage, "pretrain_rows", lambda split, n=None: pretrain_rows(split, 20))


def enclosing(value):
    return lambda x: x + value


def test_a_function_counts_by_its_code_and_by_what_it_uses():
    assert fingerprint(notebook()) == fingerprint(notebook())
    others = [
        notebook(),
        notebook(scale=3),
        notebook(sign="-"),
        enclosing(1),
        enclosing(2),
        enclosing(torch.ones(2)),
        enclosing(torch.zeros(2)),
        enclosing(enclosing(1)),
        enclosing(np.ones(2)),
        enclosing(np.zeros(2)),
        enclosing(np.float64(1)),
        enclosing(Llama(SMALL, seed=0)),
        enclosing(Llama(SMALL, seed=1)),
        enclosing([1, 2]),
        enclosing([2, 1]),
        enclosing([1, "2"]),
        functools.partial(enclosing, 1),
        functools.partial(enclosing, 2),
        next_token_loss,
        None,
    ]
    assert len({fingerprint(other) for other in others}) == len(others)
    assert fingerprint(enclosing(Llama(SMALL))) == fingerprint(enclosing(Llama(SMALL)))


def test_a_model_counts_with_what_is_no_weight():
    def adapted(alpha):
        return lora.add_lora(Llama(SMALL), 2, alpha)

    models = [
        Llama(SMALL),
        Llama(replace(SMALL, heads=4)),
        Llama(SMALL).requires_grad_(False),
        adapted(4.0),
        adapted(16.0),
    ]
    assert len({fingerprint(model) for model in models}) == len(models) and fingerprint(adapted(4.0)) == fingerprint(
        adapted(4.0)
    )


def test_classes_of_the_notebook_and_names_that_are_no_globals():
    def loss_class(body, scale):
        module = types.ModuleType("__main__")
        exec(
            "class Loss:\n    def __init__(self, scale):\n        self.scale = scale\n    def __call__(self, x):\n    "
            f"    return x.mean() * self.scale {body}",
            vars(module),
        )
        return module.Loss(scale)

    assert fingerprint(loss_class("+ 1", 2)) == fingerprint(loss_class("+ 1", 2))
    assert (
        len(
            {
                fingerprint(each)
                for each in (loss_class("+ 1", 2), loss_class("- 1", 2), loss_class("+ 1", 3), torch.sum, torch.mean)
            }
        )
        == 5
    )
    module = types.ModuleType("__main__")
    exec("def loss(x):\n    return x.mean()", vars(module))
    before = fingerprint(module.loss)
    module.mean = 3  # an attribute of x is no global
    assert fingerprint(module.loss) == before


def test_what_refers_to_itself_and_a_name_without_a_value():
    def again(n):
        return again(n - 1) if n else later

    assert fingerprint(again) == fingerprint(again)
    later = 1  # noqa: F841
    loop = []
    loop.append(loop)
    fingerprint(loop)


@pytest.mark.slow
def test_it_is_the_same_in_another_process():
    code = (
        "import sys; sys.path.insert(0, 'tests/stages')\nfrom test_checkpoint import enclosing, notebook\nfrom "
        "course_lib.stages.checkpoint import fingerprint\n"
        "print(fingerprint([notebook(), enclosing({'b', 'a', 'c'}), {'x': frozenset('pqr')}]))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(made) == 1 and len(made.pop().strip()) == 64


def run(out, loss_fn=next_token_loss, seed=0, rows=30, **options):
    steps = []
    made = pretrain(
        "tiny",
        seed,
        loss_fn=loss_fn,
        config=replace(PRESETS["tiny"], model=SMALL, documents=rows, validations=0),
        rows=pretrain_rows("train", rows),
        out=out,
        progress=False,
        on_step=lambda history: steps.append(len(history)),
        **options,
    )
    return made, steps


def test_a_run_that_has_ended_is_taken_as_it_is(tmp_path, capsys):
    first, steps = run(tmp_path)
    again, seen = run(tmp_path)
    assert len(steps) == len(first.history) and seen == [len(first.history)]  # its picture is drawn once
    assert "taken from" in capsys.readouterr().out and not (tmp_path / "checkpoint.safetensors").exists()
    assert (
        json.dumps(again.history) == json.dumps(first.history)
        and again.record["log"] == first.record["log"]
        and again.record["metrics"] == first.record["metrics"]
    )
    assert all(torch.equal(t, again.model.state_dict()[name]) for name, t in first.model.state_dict().items())


def test_a_run_that_was_stopped_does_not_hide_one_that_has_ended(tmp_path, capsys):
    first, _ = run(tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(
        (tmp_path / "finished.safetensors").read_bytes()[:50]
    )  # of whatever was begun since
    again, _ = run(tmp_path)
    assert "taken from" in capsys.readouterr().out and again.history == first.history


def test_the_record_says_where_each_part_was_made(tmp_path, monkeypatch):
    assert run(tmp_path)[0].record["made_on"] == run(tmp_path)[0].record["made_on"]
    monkeypatch.setattr(checkpoint, "made_on", lambda model: "torch 9, cuda, x86_64")
    assert run(tmp_path)[0].record["made_on"].endswith("; torch 9, cuda, x86_64")


@pytest.mark.parametrize(
    "change",
    [
        {"loss_fn": lambda logits, ids: 2 * next_token_loss(logits, ids)},
        {"seed": 1},
        {"rows": 31},
        {"resume": False},
        {"schedule_fn": functools.partial(learning_rate)},
    ],
)
def test_a_change_trains_anew_and_is_kept_in_its_place(tmp_path, change, capsys):
    first, _ = run(tmp_path)
    changed, steps = run(tmp_path, **change)
    assert len(steps) == len(changed.history) > 1 and "taken from" not in capsys.readouterr().out
    run(tmp_path, **{**change, "resume": True})
    assert "taken from" in capsys.readouterr().out


def test_an_unfinished_run_of_other_functions_is_kept_and_no_start(tmp_path, capsys):
    class Stop(Exception):
        pass

    def stopping(logits, ids):
        calls.append(1)
        if len(calls) == 4:
            raise Stop
        return next_token_loss(logits, ids)

    calls = []
    with pytest.raises(Stop):
        run(tmp_path, stopping, checkpoint_steps=2)
    kept = (tmp_path / "checkpoint.safetensors").read_bytes()
    _, steps = run(tmp_path)
    assert (
        steps[0] == 1
        and "other functions" in capsys.readouterr().out
        and (tmp_path / "checkpoint.old.safetensors").read_bytes() == kept
    )


def test_other_starting_weights_train_anew(tmp_path, capsys):
    rows, config = task_rows("train", 6), sft.SFTConfig(batch=512, validations=0)
    for seed, taken in ((0, False), (0, True), (1, False)):
        sft.finetune(Llama(SMALL, seed=seed), rows, config, out=tmp_path, progress=False)
        assert ("taken from" in capsys.readouterr().out) == taken
