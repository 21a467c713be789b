"""The reward model: the assistant with one number in place of the next token, trained on pairs (Ouyang et al. 2022,
2203.02155, eq. 1).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.stages.artifacts import load_stage
from course_lib.stages.model import Llama, RewardModel
from course_lib.stages.preferences import PreferenceConfig, encode_answers, train
from course_lib.stages.pretrain import Run, optimizers
from course_lib.stages.shared import states_of
from course_lib.stages.step import beside, check_settings
from course_lib.stages.tokenizer import load_tokenizer

PRESETS = {
    "tiny": PreferenceConfig(rows=120, batch=16, learning_rate=3e-3),
    "laptop": PreferenceConfig(rows=30_000, batch=64, learning_rate=3e-3),
    "gpu": PreferenceConfig(rows=30_000, batch=128, learning_rate=3e-3),
}
REST = 0.3  # AdamW's learning rate (embedding, norms, reward head) as a share of Muon's


def bradley_terry_loss(chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean −log σ(r_chosen − r_rejected), nats a pair."""
    return -F.logsigmoid(chosen - rejected).mean()


def reward_model_of(assistant: Llama) -> RewardModel:
    """A reward model on the assistant's device, with its weights; the head starts at 0: every answer is worth 0."""
    model = RewardModel(assistant.config)
    model.load_state_dict(assistant.state_dict(), strict=False)
    return model.to(assistant.model.norm.weight.device)


def train_reward(
    rows: list[dict],
    config: PreferenceConfig,
    base: Llama | None = None,
    seed: int = 0,
    loss_fn: Callable = bradley_terry_loss,
    **options,
) -> Run:
    """Train a reward model on pairs. `loss_fn(chosen, rejected)` may be the student's. `options` go to
    `preferences.train`.
    """
    check_settings(config)
    model = reward_model_of(base or load_stage("sft").model)
    examples = encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), model.config.context)
    del rows  # 30,000 of them are 135 MB, and nobody needs them any more

    def batch_loss(part):
        rewards = last_rewards(model, [examples[k][which] for which in (0, 1) for k in part])
        chosen, rejected = rewards.chunk(2)
        with beside(rewards):
            loss = loss_fn(chosen, rejected)
        return loss, {"accuracy": (chosen > rejected).float().mean().item()}

    optimiser = optimizers(model, config.learning_rate, REST)
    options = {"description": "reward model", "made_of": (loss_fn,), **options}
    return train(model, examples, batch_loss, optimiser, config, seed, **options)


def last_rewards(model: RewardModel, examples: list[tuple[list[int], list[int]]]) -> Float[Tensor, " N"]:
    """What the reward head says at the last token of each (ids, mask). As `model(ids)`, but a prompt is read once."""
    begins = [mask.index(1) for _, mask in examples]
    answers = [ids[k:] for (ids, _), k in zip(examples, begins)]
    hidden, of = states_of(model, [ids[:k] for (ids, _), k in zip(examples, begins)], answers, last=True)
    return model.score(hidden[of])[:, 0]


@torch.no_grad()
def rewards_of(model: RewardModel, tokenizer, prompts: list[list[dict]], answers: list[str]) -> Float[Tensor, " N"]:
    """The reward of each answer to its prompt (messages). Equal ones are read once."""
    asked = [(str(prompt), answer) for prompt, answer in zip(prompts, answers, strict=True)]
    said = [{"prompt": prompt, "answer": [{"role": "assistant", "content": a}]} for prompt, a in zip(prompts, answers)]
    rows = dict(zip(asked, said))
    examples = encode_answers(tokenizer, list(rows.values()), ("answer",), model.config.context)
    rewards = dict(zip(rows, last_rewards(model, [example for [example] in examples]).tolist()))
    return torch.tensor([rewards[key] for key in asked])


@torch.no_grad()
def reward_gaps(model: RewardModel, rows: list[dict], batch: int = 128) -> Float[Tensor, " N"]:
    """By how much the reward model prefers the chosen answer of each pair; what the label says is not asked."""
    examples = encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), model.config.context)
    parts = [examples[start : start + batch] for start in range(0, len(examples), batch)]
    both = [[last_rewards(model, [example[which] for example in part]) for which in (0, 1)] for part in parts]
    return torch.cat([chosen - rejected for chosen, rejected in both])
