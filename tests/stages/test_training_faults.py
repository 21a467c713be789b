"""What would train to NaN, or train nothing, without a word: each loop stops in one line, and nothing that was saved is
overwritten.
"""

import copy
import math
from dataclasses import replace

import pytest
import torch

from course_lib.platform import CourseError
from course_lib.stages import (
    constitution,
    dpo,
    grpo,
    guard,
    injection,
    lora,
    ppo,
    preferences,
    pretrain,
    real_training,
    refusal,
    reward,
    rollout,
    sft,
)
from course_lib.stages.artifacts import ArtifactError, read_tensors, save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import optimizers
from course_lib.stages.rollout import assistant
from course_lib.stages.step import Step, check_settings
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.annotators import pairs_of, preference_rows, prompts, thumbs
from course_lib.world.harms import request_rows
from course_lib.world.tasks import task_rows

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)
PAIRS, ASKED = preference_rows("train", 40), prompts("train", 20, "faults")
THUMBS = thumbs(pairs_of(PAIRS), seed=3)
PRETRAIN = pretrain.PretrainConfig(SMALL, batch=512, validations=0)
SFT = sft.SFTConfig(batch=512, validations=0)
PREFERENCES = preferences.PreferenceConfig(rows=40, batch=8)
GRPO = grpo.GRPOConfig(steps=3, prompts=2, each=2, minibatches=1)
PPO = ppo.PPOConfig(steps=3, prompts=2, each=2, minibatches=1)
NAN, INF = float("nan"), float("inf")


def words(rows, answers):
    return torch.tensor([float(len(answer)) for answer in answers])


def at_third(function, spoil):
    """`function`, whose third result is spoilt."""
    calls = []

    def spoilt(*args, **options):
        calls.append(1)
        result = function(*args, **options)
        return spoil(result) if len(calls) == 3 else result

    return spoilt


def loops(spoil):
    """{loop: run(base, **options)}, each with its third loss spoilt."""
    rows, documents = task_rows("train", 20), pretrain_rows("train", 60)
    loss = {
        "pretrain": at_third(pretrain.next_token_loss, spoil),
        "sft": at_third(sft.response_loss, spoil),
        "reward": at_third(reward.bradley_terry_loss, spoil),
        "dpo": at_third(dpo.dpo_loss, spoil),
        "kto": at_third(dpo.kto_loss, spoil),
        "ppo": at_third(ppo.policy_loss, spoil),
        "ppo value": at_third(ppo.value_loss, spoil),
    }
    return {
        "pretrain": lambda base, **o: pretrain.pretrain(
            "tiny", 0, loss["pretrain"], config=PRETRAIN, rows=documents, **o
        ),
        "sft": lambda base, **o: sft.finetune(base, rows, SFT, loss_fn=loss["sft"], **o),
        "lora": lambda base, **o: sft.finetune(lora.add_lora(base, 2, 4), rows, SFT, loss_fn=loss["sft"], **o),
        "reward": lambda base, **o: reward.train_reward(PAIRS, PREFERENCES, base, loss_fn=loss["reward"], **o),
        "dpo": lambda base, **o: dpo.dpo(PAIRS, PREFERENCES, base, loss_fn=loss["dpo"], **o),
        "kto": lambda base, **o: dpo.kto(THUMBS, PREFERENCES, base, loss_fn=loss["kto"], **o),
        "ppo": lambda base, **o: ppo.ppo(words, ASKED, PPO, base, policy_loss=loss["ppo"], **o),
        "ppo value": lambda base, **o: ppo.ppo(words, ASKED, PPO, base, value_loss=loss["ppo value"], **o),
        "refusal": lambda base, **o: refusal.tune(
            request_rows("train", 8, "faults"), 8, "tiny", SFT, 0, base, "sft", "refuse", {"loss_fn": loss["sft"], **o}
        ),
    }


def one_line(run, *args, **options) -> str:
    with pytest.raises(CourseError) as error:
        run(*args, **options)
    text = str(error.value)
    assert "\n" not in text and len(text) < 300
    return text


@pytest.mark.parametrize("name", loops(None))
@pytest.mark.parametrize(
    "what, spoil",
    {
        "the loss is nan": lambda loss: loss * NAN,
        "the loss is inf": lambda loss: loss.abs() * INF,
        "the gradient's norm is": lambda loss: loss + (loss - loss.detach()).sqrt(),  # 0, with the slope ∞
    }.items(),
)
def test_a_number_that_is_not_finite_stops_each_loop(name, what, spoil, tmp_path):
    base = Llama(SMALL, seed=3)
    out = dict(out=tmp_path, checkpoint_steps=1, progress=False)
    said = one_line(loops(spoil)[name], base, **out)
    assert said.startswith(f"step 2: {what}"), said
    assert "lower learning_rate, which is" in said
    tensors, metadata = read_tensors(tmp_path / "checkpoint.safetensors")
    assert len(metadata["history"]) == 2 and all(t.isfinite().all() for t in tensors.values())
    assert not (tmp_path / "finished.safetensors").exists()
    assert all(p.isfinite().all() for p in base.parameters())


def test_a_model_whose_training_stopped_can_be_trained_on(tmp_path):
    rows, quiet, base = task_rows("train", 20), dict(progress=False), Llama(SMALL, seed=3)
    spoilt = at_third(sft.response_loss, lambda loss: loss + (loss - loss.detach()).sqrt())
    one_line(sft.finetune, base, rows, SFT, loss_fn=spoilt, **quiet)
    # the same object: what the stopped run has left in it are two good steps, and no gradient
    assert all(p.grad is None or not p.grad.any() for p in base.parameters())
    first = [sft.finetune(model, rows, SFT, **quiet).history[0]["train_loss"] for model in (Llama(SMALL, seed=3), base)]
    assert first[1] < first[0]


def test_gradients_that_a_stopped_run_has_left_are_no_part_of_the_next():
    rows = task_rows("train", 20)
    clean, left = Llama(SMALL, seed=3), Llama(SMALL, seed=3)
    for p in left.parameters():
        p.grad = torch.full_like(p, 7.0)
    losses = [
        [row["train_loss"] for row in sft.finetune(model, rows, SFT, progress=False).history] for model in (clean, left)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("scale", [True, False])
def test_grpo_with_one_answer_a_prompt_is_refused(scale):
    base = Llama(SMALL, seed=3)
    before = copy.deepcopy(base.state_dict())
    said = one_line(grpo.grpo, words, ASKED, replace(GRPO, each=1, scale=scale), base, progress=False)
    assert "each is 1" in said and "at least 2" in said
    assert all(torch.equal(t, before[name]) for name, t in base.state_dict().items())
    made = ppo.ppo(words, ASKED, replace(PPO, each=1), base, progress=False)  # PPO has a value head and needs no group
    assert all(p.isfinite().all() for p in made.model.parameters()) and made.history[0]["tied"] == 1.0


def test_groups_that_are_all_tied_leave_the_policy_where_it_is():
    base = Llama(SMALL, seed=3)
    equal = lambda rows, answers: torch.ones(len(answers))
    for scale in (True, False):
        made = grpo.grpo(equal, ASKED, replace(GRPO, scale=scale, beta=0.0), base, progress=False)
        assert all(torch.equal(a, b) for a, b in zip(made.model.parameters(), base.parameters()))
        assert [row["tied"] for row in made.history] == [1.0] * 3


@pytest.mark.parametrize("bad", [NAN, INF])
def test_advantages_and_returns_that_are_not_finite(bad):
    base = Llama(SMALL, seed=3)
    spoilt = at_third(grpo.group_advantages, lambda a: a * bad)
    assert "step 2: an advantage is" in one_line(
        grpo.grpo, words, ASKED, GRPO, base, group_advantages=spoilt, progress=False
    )
    spoilt = at_third(ppo.gae, lambda pair: (pair[0] * bad, pair[1]))
    assert "step 2: an advantage is nan" in one_line(ppo.ppo, words, ASKED, PPO, base, gae=spoilt, progress=False)
    spoilt = at_third(ppo.gae, lambda pair: (pair[0], pair[1] + bad))
    assert f"step 2: a return is {bad}" in one_line(ppo.ppo, words, ASKED, PPO, base, gae=spoilt, progress=False)


def test_a_reward_is_one_finite_number_an_answer():
    for reward_fn in (
        lambda rows, answers: torch.zeros(len(answers), 1),  # would be paired with every answer
        lambda rows, answers: 1.0,
        lambda rows, answers: torch.zeros(len(answers) - 1),
    ):
        for run, config in ((grpo.grpo, GRPO), (ppo.ppo, PPO)):
            said = one_line(run, reward_fn, ASKED, config, Llama(SMALL), progress=False)
            assert "one number an answer" in said


def test_a_model_that_is_ruined_is_no_start():
    ruined, asked = Llama(SMALL, seed=3), request_rows("train", 8, "faults", constitution.SINGLE)
    with torch.no_grad():
        ruined.model.norm.weight[3] = NAN
    quiet = dict(progress=False)
    runs = {
        "sft": lambda: sft.finetune(ruined, task_rows("train", 8), SFT, **quiet),
        "reward": lambda: reward.train_reward(PAIRS, PREFERENCES, ruined, **quiet),
        "dpo": lambda: dpo.dpo(PAIRS, PREFERENCES, ruined, **quiet),
        "kto": lambda: dpo.kto(THUMBS, PREFERENCES, ruined, **quiet),
        "grpo": lambda: grpo.grpo(words, ASKED, GRPO, ruined, **quiet),
        "ppo": lambda: ppo.ppo(words, ASKED, PPO, ruined, **quiet),
        "injection": lambda: injection.inject(ruined, injection.news_rows(1)[:8], "tiny", **quiet),
        "constitution": lambda: constitution.learn(
            [{**row, "revised": False} for row in asked], "tiny", 0, ruined, **quiet
        ),
    }
    for run in runs.values():
        said = one_line(run)
        assert "model.norm.weight holds numbers that are not finite" in said and "train that one again" in said


def test_a_reward_head_that_is_nan_stops_what_it_judges(tmp_path):
    judge = reward.reward_model_of(Llama(SMALL, seed=1))
    torch.nn.init.constant_(judge.score.weight, NAN)
    score = lambda rows, answers: reward.rewards_of(judge, load_tokenizer(), [row["messages"] for row in rows], answers)
    for run, config in ((grpo.grpo, GRPO), (ppo.ppo, PPO)):
        assert "is not finite: mend the reward function" in one_line(
            run, score, ASKED, config, Llama(SMALL), progress=False
        )


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    model = Llama(SMALL, seed=3)
    save_stage("sft", model, {}, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with torch.no_grad():
        model.model.norm.weight[3] = INF
    with pytest.raises(ArtifactError, match="model.norm.weight holds numbers that are not finite"):
        save_stage("sft", model, {}, tmp_path)
    adapted = lora.add_lora(Llama(SMALL), 2, 4)
    torch.nn.init.constant_(lora.lora_parameters(adapted)[0], NAN)
    with pytest.raises(ArtifactError, match="not finite"):
        lora.save_adapter_stage(adapted, {}, "sft", tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    # a last step that leaves the range of numbers: the loss before it was finite
    rows, out = task_rows("train", 8), tmp_path / "run"
    said = one_line(
        sft.finetune, Llama(SMALL), rows, replace(SFT, learning_rate=1e38, epochs=1), out=out, progress=False
    )
    assert "lower learning_rate" in said and not list(out.glob("*.safetensors"))


BAD_SETTINGS = {
    "learning_rate": (0, 0.0, -1e-3, NAN, INF),
    "batch": (0, -4),
    "epochs": (0,),
    "clip": (0.0, NAN),
    "floor": (-0.1, NAN),
    "warmup": (-0.1, NAN),
}
BAD_RL = {
    "learning_rate": (0, NAN),
    "steps": (0,),
    "prompts": (0,),
    "each": (0,),
    "epochs": (0,),
    "minibatches": (0,),
    "beta": (-0.1, NAN),
    "kl_target": (0.0, NAN),
    "max_norm": (0.0, NAN),
    "clip": (0.0,),
}


def test_settings_that_teach_nothing_are_refused():
    quiet = dict(progress=False)
    runs = {
        PRETRAIN: lambda c: pretrain.pretrain("tiny", config=c, rows=pretrain_rows("train", 8), **quiet),
        SFT: lambda c: sft.finetune(Llama(SMALL), task_rows("train", 8), c, **quiet),
        PREFERENCES: lambda c: dpo.dpo(PAIRS[:4], c, Llama(SMALL), **quiet),
        GRPO: lambda c: grpo.grpo(words, ASKED, c, Llama(SMALL), **quiet),
        PPO: lambda c: ppo.ppo(words, ASKED, c, Llama(SMALL), **quiet),
    }
    for config, run in runs.items():
        for name, values in (BAD_RL if hasattr(config, "steps") else BAD_SETTINGS).items():
            for value in values if hasattr(config, name) else ():
                assert f"{name} is {value}" in one_line(run, replace(config, **{name: value}))
        check_settings(config)
    for value in (0, -0.1, NAN, INF):
        for run, rows in ((dpo.dpo, PAIRS), (dpo.kto, THUMBS)):
            assert f"beta is {value}" in one_line(run, rows, PREFERENCES, Llama(SMALL), beta=value, **quiet)
    none = lambda *_: 0.0
    for schedule, said in (
        (none, "0 at every step"),
        (lambda *_: NAN, "learning rate is nan"),
        (lambda *_: -1.0, "is -1"),
    ):
        options = dict(config=PRETRAIN, rows=pretrain_rows("train", 8), schedule_fn=schedule, **quiet)
        assert said in one_line(pretrain.pretrain, "tiny", **options)


def test_rows_that_teach_nothing_are_refused():
    quiet, model = dict(progress=False), Llama(SMALL)
    user = [{"role": "user", "content": "Who?"}]
    silent = {**PAIRS[0], "chosen": user}  # no assistant's message: its log π would be 0
    same = [{**row, "rejected": row["chosen"]} for row in PAIRS[:3]]
    for run in (dpo.dpo, reward.train_reward):
        assert 'row 1: "chosen" has no assistant message' in one_line(
            run, [PAIRS[0], silent], PREFERENCES, model, **quiet
        )
        assert "the same in every row" in one_line(run, same, PREFERENCES, model, **quiet)
        assert "no rows" in one_line(run, [], PREFERENCES, model, **quiet)
    for label in ("False", "up", None, 0.5):  # bool("False") is True
        rows = [THUMBS[0], {**THUMBS[1], "label": label}]
        assert f"row 1 has the label {label!r}" in one_line(dpo.kto, rows, PREFERENCES, model, **quiet)
    assert "one thumb is too few" in one_line(dpo.kto, THUMBS[:1], PREFERENCES, model, **quiet)
    assert "has no assistant message" in one_line(sft.finetune, model, [{"messages": user}], SFT, **quiet)
    long = {"text": "the " * 600}
    assert "tokens and the model reads 512" in one_line(sft.finetune, model, [long], SFT, **quiet)
    assert "tokens and the model reads 512" in one_line(
        pretrain.pretrain, "tiny", config=PRETRAIN, rows=[long], **quiet
    )
    frozen = Llama(SMALL).requires_grad_(False)
    assert "requires a gradient" in one_line(sft.finetune, frozen, task_rows("train", 4), SFT, **quiet)


def test_an_fp16_run_whose_every_step_overflows_does_not_go_on_for_ever(monkeypatch):
    monkeypatch.setenv("COURSE_DTYPE", "float16")
    steps = []
    bad = lambda logits, labels: steps.append(1) or (s := sft.response_loss(logits, labels)) + (s - s.detach()).sqrt()
    config = replace(SFT, epochs=30)
    said = one_line(sft.finetune, Llama(SMALL), task_rows("train", 8), config, loss_fn=bad, progress=False)
    assert "the gradient's norm is" in said and 10 < len(steps) < 25


def test_a_guard_needs_both_kinds_and_sound_states():
    talks = [row["messages"][:-1] for row in request_rows("train", 8, "guard")]
    assert "some of each" in one_line(guard.fit_words, talks, [True] * 8)
    assert "some of each" in one_line(guard.fit_probe, torch.randn(8, 4), [False] * 8)
    assert "not finite" in one_line(guard.fit_probe, torch.full((8, 4), NAN), [True, False] * 4)


def test_the_real_models_loop_stops_too():
    model = torch.nn.Linear(4, 1)
    batch = torch.ones(2, 4)
    spoilt = at_third(lambda batch: model(batch).mean(), lambda x: x + (x - x.detach()).sqrt())
    assert "step 2: the gradient's norm is" in one_line(real_training.train, model, 5 * [batch], spoilt)
    assert model.weight.isfinite().all()
    for rate in (0.0, -1.0, NAN, INF):
        assert f"learning_rate is {rate}" in one_line(
            real_training.train, model, [batch], lambda b: model(b).mean(), rate
        )


def test_numbers_that_would_undo_an_adapter_or_a_policy():
    for value in (0, 0.0, NAN, INF):
        with pytest.raises(ValueError, match=f"alpha is {value}"):
            lora.add_lora(Llama(SMALL), 2, value)
        assert f"temperature is {value}" in one_line(assistant, Llama(SMALL), value)
    assert "temperature is -1" in one_line(assistant, Llama(SMALL), -1)


def test_a_kl_that_is_not_finite_stops_after_the_last_step_too(monkeypatch):
    """No loss comes after it to say so."""
    spoilt = at_third(rollout.kl_and_entropy, lambda pair: (pair[0] * NAN, pair[1]))
    monkeypatch.setattr(rollout, "kl_and_entropy", spoilt)
    said = one_line(grpo.grpo, words, ASKED, GRPO, Llama(SMALL, seed=3), progress=False)
    assert said.startswith("step 2: the KL is nan") and "lower learning_rate" in said


def test_a_step_says_what_is_wrong_with_the_rate():
    model = Llama(SMALL)
    update = Step(model, optimizers(model, 1e-3), 1.0)
    for rate in (NAN, INF, -1e-3):
        assert "step 7: the learning rate is" in one_line(update, model(torch.tensor([[1, 5]])).sum(), rate, 7)
    assert math.isfinite(sum(p.sum().item() for p in model.parameters()))
