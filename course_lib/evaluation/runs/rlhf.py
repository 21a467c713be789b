"""The figures of lab 07 for one seed: ways of aligning against the frontier, over-optimisation, collapse."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from course_lib.evaluation.alignment import Yardstick, gold_reward, measure, share, utilities, yardstick
from course_lib.stages import grpo, ppo
from course_lib.stages.artifacts import load_stage
from course_lib.stages.reward import rewards_of
from course_lib.stages.rollout import assistant
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import prompts

# prompts, answers to each that the frontier is made of
EXAMINED = {"tiny": (10, 8), "laptop": (100, 256), "gpu": (200, 512)}
# GRPO with the textbook's mistakes together: no KL, three times the rate, two passes without a clip, advantages over
# the group's spread
COLLAPSE = {"steps": 20, "beta": 0.0, "learning_rate": 1e-3, "epochs": 2, "clip": 1e9, "scale": True}
OVER_OPTIMISE = {"steps": 50, "beta": 0.0}
BETA_LEARNED = 0.5  # the reward model counts in logits of the crowd's choice, about 1.5 a unit of utility


def learned_reward(model):
    """A reward model as a reward function (rows, answers) → [B]."""
    tokenizer = load_tokenizer()
    return lambda rows, answers: rewards_of(model, tokenizer, [row["messages"] for row in rows], answers)


def watched(reward, gold: list[float]):
    """The same reward; appends the mean gold utility of what it scores to `gold`, which the training never sees."""

    def scored(rows, answers):
        gold.append(float(utilities(rows, answers).mean()))
        return reward(rows, answers)

    return scored


def turned(gold: list[float], fall: float = 0.1) -> bool:
    """Has the gold utility risen from its beginning and then fallen by `fall` from its best? Means over five steps."""
    means = np.convolve(gold, np.ones(5) / 5, "valid") if len(gold) >= 5 else np.asarray(gold)
    best = int(means.argmax())
    return bool(means[best] > means[0] and means[best] - means[-1] > fall)


@lru_cache(maxsize=1)
def limits(size: str) -> Yardstick:
    reference = assistant(load_stage("sft").model)
    prompts_asked, each = EXAMINED[size]
    return yardstick(reference, prompts("test", prompts_asked, "bench"), each)


def figures(policy, size: str, minutes: float) -> dict:
    yard = limits(size)
    measured = measure(policy.eval(), yard.reference, yard.asked)
    return {key: measured[key] for key in ("utility", "error", "kl", "length", "features")} | {
        "share": share(measured, yard.worth),
        "reference": yard.start,
        "minutes": minutes,
    }


def rlhf_run(size: str = "laptop", seed: int = 0, progress: bool = False) -> dict:
    """PPO and GRPO with the gold utility as the reward (what the algorithm can do), PPO with the reward model (what lab
    07 hands in); over-optimisation; collapse.
    """
    reference = limits(size).reference
    asked, learned = prompts("train", 4_000, f"bench {seed}"), learned_reward(load_stage("reward").model)
    run_of: dict[str, tuple[Callable, Any, Callable]] = {
        "grpo": (grpo.grpo, grpo.PRESETS[size], gold_reward),
        "ppo": (ppo.ppo, ppo.PRESETS[size], gold_reward),
        "ppo_reward_model": (ppo.ppo, replace(ppo.PRESETS[size], beta=BETA_LEARNED), learned),
    }
    made: dict = {"seed": seed}
    for name, (algorithm, config, reward) in run_of.items():
        run = algorithm(reward, asked, config, reference, seed, progress=progress)
        made[name] = figures(run.model, size, run.record["minutes"])
    for name, changes, key, judge in (
        ("over_optimisation", OVER_OPTIMISE, "turned", lambda gold, history: turned(gold)),
        ("collapse", COLLAPSE, "collapsed", collapsed),
    ):
        gold: list[float] = []
        config = replace(grpo.PRESETS[size], **(changes if size != "tiny" else {**changes, "steps": 3}))
        run = grpo.grpo(watched(learned, gold), asked, config, reference, seed, progress=progress)
        rows = [{k: row[k] for k in ("reward", "kl", "entropy", "length", "tied")} for row in run.history]
        made[name] = {key: judge(gold, run.history), "gold": gold, "history": rows, "last": run.history[-1]["sample"]}
    return made


def collapsed(gold: list[float], history: list[dict]) -> bool:
    """Has the policy gone to pieces at the end: most of what it says is false (gold utility below 0), more than 10 nats
    from the reference?
    """
    return bool(np.mean(gold[-3:]) < 0 and np.mean([row["kl"] for row in history[-3:]]) > 10)
