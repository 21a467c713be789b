"""The reward model, its loop, and what it refuses."""

import pytest
import torch

from course_lib.platform import CourseError
from course_lib.stages.artifacts import load_folder, save_stage
from course_lib.stages.model import Llama, ModelConfig, RewardModel, last_hidden, to_transformers
from course_lib.stages.preferences import PreferenceConfig, encode_answers, sample_pairs
from course_lib.stages.reward import bradley_terry_loss, reward_model_of, rewards_of, train_reward
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import IM_END, load_tokenizer
from course_lib.world.annotators import preference_rows, prompts

CONFIG = ModelConfig(hidden=32, intermediate=64, layers=2, heads=2)
BASE = Llama(CONFIG)
TOKENIZER = load_tokenizer()


def test_loss_value_gradient_and_extremes():
    chosen = torch.tensor([1.0, -2.0, 800.0, -800.0], requires_grad=True)
    rejected = torch.tensor([0.0, 1.0, -800.0, 800.0])
    loss = bradley_terry_loss(chosen, rejected)
    assert loss.item() == pytest.approx((0.31326169 + 3.04858735 + 0 + 1600) / 4)
    loss.backward()
    assert torch.allclose(chosen.grad, torch.tensor([-0.26894142, -0.95257413, 0.0, -1.0]) / 4)
    assert bradley_terry_loss(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(0.69314718)


def test_reward_reads_the_last_real_token_on_either_side_of_the_padding():
    hidden = torch.randn(2, 5, 8)
    ids = torch.tensor([[7, 8, 9, 0, 0], [0, 0, 7, 8, 9]])
    assert torch.equal(last_hidden(hidden, ids), torch.stack((hidden[0, 2], hidden[1, 4])))


def test_padding_does_not_change_a_reward_and_transformers_agrees():
    model = RewardModel(CONFIG)
    torch.nn.init.normal_(model.score.weight)
    ids = torch.randint(5, 100, (1, 9))
    padded = torch.cat((ids, torch.zeros(1, 4, dtype=torch.long)), 1)
    assert torch.allclose(model(ids), model(padded), atol=1e-6)
    theirs = to_transformers(model).eval()
    with torch.no_grad():
        assert torch.allclose(
            theirs(padded, attention_mask=(padded != 0).long()).logits[:, 0], model(padded), atol=1e-5
        )


def test_answers_end_with_im_end_and_bad_rows_are_named():
    rows = preference_rows("test", 3)
    [(ids, mask), _] = encode_answers(TOKENIZER, rows, ("chosen", "rejected"), 512)[0]
    assert ids[-1] == IM_END and mask[-1] == 1
    assert ids + TOKENIZER.encode("\n").ids == encode_chat(TOKENIZER, rows[0]["prompt"] + rows[0]["chosen"])[0]
    assert TOKENIZER.decode([i for i, m in zip(ids, mask) if m][:-1]).strip() == rows[0]["chosen"][0]["content"].strip()
    with pytest.raises(CourseError, match='row 1 has no "rejected"'):
        encode_answers(
            TOKENIZER,
            [rows[0], {"prompt": rows[0]["prompt"], "chosen": rows[0]["chosen"]}],
            ("chosen", "rejected"),
            512,
        )
    with pytest.raises(CourseError, match="the model reads 4"):
        encode_answers(TOKENIZER, rows, ("chosen",), 4)
    with pytest.raises(CourseError, match="no rows"):
        encode_answers(TOKENIZER, [], ("chosen",), 512)


def test_training_lowers_the_loss_and_goes_on_after_a_kill(tmp_path):
    rows, config = preference_rows("train", 160), PreferenceConfig(rows=160, batch=16, learning_rate=3e-3, epochs=2)
    whole = train_reward(rows, config, BASE, progress=False)
    assert sum(r["train_loss"] for r in whole.history[-4:]) < sum(r["train_loss"] for r in whole.history[:4])

    class Killed(Exception):
        pass

    def kill(history):
        if len(history) == 7:
            raise Killed

    with pytest.raises(Killed):
        train_reward(rows, config, BASE, progress=False, out=tmp_path, on_step=kill, checkpoint_steps=5)
    resumed = train_reward(rows, config, BASE, progress=False, out=tmp_path, checkpoint_steps=5)
    assert [r["train_loss"] for r in resumed.history] == pytest.approx(
        [r["train_loss"] for r in whole.history], abs=1e-6
    )
    assert not list(tmp_path.glob("checkpoint*"))


def test_saved_and_loaded_it_gives_the_same_rewards(tmp_path):
    model = reward_model_of(BASE)
    torch.nn.init.normal_(model.score.weight)
    save_stage("reward", model, {"seed": 0}, tmp_path)
    loaded, record = load_folder(tmp_path, "reward")
    asked, answers = (
        [row["messages"] for row in prompts("test", 4)],
        ["Gladly.", "I do not know.", "She keeps a cat.", ""],
    )
    assert isinstance(loaded, RewardModel)
    assert torch.allclose(
        rewards_of(loaded, TOKENIZER, asked, answers), rewards_of(model, TOKENIZER, asked, answers), atol=1e-6
    )


def test_pairs_of_samples_differ():
    pairs = sample_pairs(BASE, TOKENIZER, prompts("train", 6))
    assert pairs and all(a != b for _, a, b in pairs)
