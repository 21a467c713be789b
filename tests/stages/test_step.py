"""Mixed precision, checkpointing, compiled blocks, and memory that runs out: on a CPU, by the settings that a GPU's
owner would use.
"""

import copy
import os
import shutil
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from course_lib.platform import CourseError
from course_lib.stages import dpo, lora, nf4, preferences, rollout, sft, step
from course_lib.stages.artifacts import load_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import PRESETS, next_token_loss, optimizers, pretrain
from course_lib.stages.step import Step, forward_dtype
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.annotators import preference_rows
from course_lib.world.tasks import task_rows

CONFIG = replace(PRESETS["tiny"], documents=60, validations=0)
IDS = torch.randint(3, 2000, (4, 24), generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("COURSE_DEVICE", "COURSE_DTYPE", "COURSE_CHECKPOINTING", "COURSE_COMPILE"):
        monkeypatch.delenv(name, raising=False)


def small_model():
    return Llama(ModelConfig(hidden=32, intermediate=96, layers=2, heads=2))


def trained(loss_fn=next_token_loss):
    return pretrain(config=CONFIG, rows=pretrain_rows("train", 60), loss_fn=loss_fn, progress=False)


def test_on_a_cpu_it_is_the_plain_step():
    model = small_model()
    twin = copy.deepcopy(model)
    ours, theirs = optimizers(model, 1e-3), optimizers(twin, 1e-3)
    update = Step(model, ours, clip=0.1)
    for _ in range(3):
        with update.forward():
            logits = model(IDS)
        update(next_token_loss(logits, IDS), 1e-3, 0)
        next_token_loss(twin(IDS), IDS).backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.1)
        for o in theirs:
            o.step()
            o.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters()))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_learns_the_same_and_nobody_sees_it(monkeypatch, dtype):
    plain = trained().history[-1]["train_loss"]
    seen, halves = [], set()

    def loss_fn(logits, ids):
        seen.append(logits.dtype)
        return next_token_loss(logits, ids)

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.dtype in (torch.bfloat16, torch.float16):
                halves.add(out.dtype)
            return out

    monkeypatch.setenv("COURSE_DTYPE", dtype)
    with Watch():
        run = trained(loss_fn)
    assert halves == {getattr(torch, dtype)}  # so no bf16 tensor where fp16 is asked for, which is what a T4 needs
    assert set(seen) == {torch.float32} and {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert (
        abs(run.history[-1]["train_loss"] / plain - 1) < 0.02
        and run.history[-1]["train_loss"] < run.history[0]["train_loss"] - 0.3
    )


def test_a_step_whose_gradients_overflow_is_left_out():
    model = small_model()
    update = Step(model, optimizers(model, 1e-3), 1.0, torch.float16)
    before, scale = copy.deepcopy(model.state_dict()), update.scaler.get_scale()
    with update.forward():
        logits = model(IDS)
    update(next_token_loss(logits, IDS) * 1e36, 1e-3, 0)
    assert (
        all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
        and update.scaler.get_scale() == scale / 2
    )
    with update.forward():
        logits = model(IDS)
    update(next_token_loss(logits, IDS), 1e-3, 0)
    assert not torch.equal(model.state_dict()["model.norm.weight"], before["model.norm.weight"])
    before = copy.deepcopy(model.state_dict())
    for bad in (float("inf"), float("nan")):  # in a matrix of one optimiser: the other one must not move either
        hook = model.model.layers[0].self_attn.q_proj.weight.register_hook(lambda grad, bad=bad: grad * bad)
        with update.forward():
            logits = model(IDS)
        update(next_token_loss(logits, IDS), 1e-3, 0)
        hook.remove()
        assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_adapters_and_a_base_in_four_bits_train_in_half_precision(monkeypatch):
    rows, ids = task_rows("train", 8), torch.randint(3, 2000, (2, 16))
    for quantised in (False, True):
        base = small_model()
        base = nf4.quantize_base(base) if quantised else base
        model = lora.add_lora(base, rank=4, alpha=8)
        before = model.hidden(ids).detach()
        losses = []
        for dtype in ("float32", "bfloat16"):
            monkeypatch.setenv("COURSE_DTYPE", dtype)
            run = sft.finetune(copy.deepcopy(model), rows, sft.SFTConfig(batch=512, validations=0), progress=False)
            losses.append(run.history[-1]["train_loss"])
            assert {p.dtype for p in run.model.parameters()} == {torch.float32} and not torch.equal(
                run.model.hidden(ids), before
            )
        assert losses[0] != losses[1] and abs(losses[1] / losses[0] - 1) < 0.02


def test_what_half_precision_does_to_the_log_probability_of_an_answer():
    """Why preferences and RLHF train in fp32."""
    model = rollout.assistant(load_stage("sft").model).eval()
    batch = preferences.batch_of(
        preferences.encode_answers(load_tokenizer(), preference_rows("test", 24), ("chosen", "rejected"), 512)
    )
    with torch.no_grad():
        exact = dpo.answer_logprobs(model, *batch)[0]
        off = {}
        for dtype in (torch.bfloat16, torch.float16):
            with torch.autocast("cpu", dtype):
                off[dtype] = (dpo.answer_logprobs(model, *batch)[0] - exact).abs().mean().item()
    assert 0.01 < off[torch.bfloat16] < 0.1 and off[torch.float16] < 0.01


def test_checkpointing_gives_the_same_gradients_and_keeps_less(monkeypatch):
    def kept_and_gradients(setting):
        monkeypatch.setenv("COURSE_CHECKPOINTING", setting)
        model, kept = small_model(), []
        step.prepare(model)

        def pack(t):
            kept.append(t.numel())
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            loss = (model.hidden(IDS) ** 3).mean()
        loss.backward()
        return sum(kept), [p.grad for p in model.parameters()]

    (much, plain), (little, again) = kept_and_gradients("0"), kept_and_gradients("1")
    assert all(torch.equal(a, b) for a, b in zip(plain, again)) and little < much / 2


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of the process as Linux tells it")
def test_what_a_loop_has_freed_is_the_kernels_again():
    code = """
import torch
from course_lib.platform import keep_large_buffers
from course_lib.stages.step import explains_memory

held = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20  # MiB

@explains_memory
def loop():
    keep_large_buffers()
    kept = [torch.ones(2**18) for _ in range(200)]  # 200 MiB
    small = kept.pop()  # what lies on top of them is still in use
    kept.clear()
    return small, held()

before = held()
small, inside = loop()
print(inside - before, held() - before)
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    inside, after = map(float, run.stdout.split())
    assert inside > 150 and after < 50


def test_out_of_memory_is_one_line_and_frees_what_it_held():
    held = []

    @step.explains_memory
    def loop(kind, text):
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        raise kind(text)

    for kind, text in (
        (torch.OutOfMemoryError, "CUDA out of memory."),
        (MemoryError, ""),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ):
        with pytest.raises(CourseError) as line:
            loop(kind, text)
        assert (
            "COURSE_CHECKPOINTING=1" in str(line.value)
            and "\n" not in str(line.value)
            and line.value.__context__ is None
        )
    assert [reference() for reference in held] == [None] * 3
    with pytest.raises(RuntimeError, match="another"):
        loop(RuntimeError, "another thing")


def test_every_loop_explains_it(monkeypatch):
    """The batch that fills the memory: what the loops call first in a step."""

    def full(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    model = small_model()
    monkeypatch.setattr(rollout, "roll_out", full)
    calls = [
        lambda: trained(full),
        lambda: sft.finetune(model, task_rows("train", 4), sft.SFTConfig(validations=0), loss_fn=full, progress=False),
        lambda: preferences.train(
            model,
            [[([1, 5], [0, 1])]],
            full,
            optimizers(model, 1e-3),
            preferences.PreferenceConfig(rows=1),
            progress=False,
        ),
        lambda: rollout.improve(
            model,
            model,
            [rollout.adamw(model, 1e-3)],
            full,
            [{}],
            type("C", (), {"prompts": 1, "beta": 0, "steps": 1, "each": 1})(),
            full,
            progress=False,
        ),
    ]
    monkeypatch.setattr(rollout, "asdict", vars)
    for call in calls:
        with pytest.raises(CourseError, match="out of memory"):
            call()


def test_settings_that_are_none(monkeypatch):
    monkeypatch.setenv("COURSE_CHECKPOINTING", "yes")
    with pytest.raises(CourseError, match="set it to 1 or 0"):
        trained()
    assert forward_dtype("cpu") == torch.float32


def test_a_model_that_stayed_on_the_cpu_of_a_machine_with_a_gpu_is_in_fp32(monkeypatch):
    monkeypatch.setattr(step, "device_and_dtype", lambda: ("cuda", torch.bfloat16, ""))
    assert forward_dtype("cuda") == torch.bfloat16 and forward_dtype("cpu") == torch.float32


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="compiling needs a C++ compiler")
def test_compiled_blocks_compute_the_same():
    """In a process of its own: the types of the course's functions are checked here, which the compiler does not see
    through.
    """
    code = """
import torch
from course_lib.stages import step
from course_lib.stages.model import Llama, ModelConfig
model = Llama(ModelConfig(hidden=32, intermediate=96, layers=2, heads=2))
ids = torch.arange(5, 45).view(2, 20)
plain = model(ids)
names = list(model.state_dict())
step.prepare(model)
assert model.model.layers[0]._compiled_call_impl and list(model.state_dict()) == names
with torch.no_grad():  # the pass back is compiled by the same compiler, and costs as much again
    print((model(ids) - plain).abs().max().item())
"""
    out = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "COURSE_COMPILE": "1"}, capture_output=True, text=True
    )
    assert out.returncode == 0 and float(out.stdout) < 1e-5, out.stderr[-600:]
