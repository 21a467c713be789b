"""How near is a reward model to the best judge of the annotators' labels?"""

import numpy as np

from course_lib.evaluation.agreement import judge_accuracy
from course_lib.stages.artifacts import load_stage
from course_lib.stages.reward import PRESETS, rewards_of, train_reward
from course_lib.stages.rollout import assistant
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import bayes_accuracy, crowd, pairs_of, preference_rows


def examine_reward(model, rows: list[dict]) -> dict:
    """Expected accuracy on fresh labels of the crowd for recorded pairs: {"accuracy", "bayes", "share_of_bayes",
    "agrees" (share of the pairs on which it chooses as the best judge does)}. Exact, as the probability of each label
    is known; no label is drawn.
    """
    pairs, tokenizer = pairs_of(rows), load_tokenizer()
    asked = [row["messages"] for row, _, _ in pairs]
    first = rewards_of(model, tokenizer, asked, [first for _, first, _ in pairs]).numpy()
    second = rewards_of(model, tokenizer, asked, [second for _, _, second in pairs]).numpy()
    p = np.array([crowd(*pair) for pair in pairs])
    accuracy, bayes = judge_accuracy(first - second, p), bayes_accuracy(p)
    return {
        "accuracy": accuracy,
        "bayes": bayes,
        "share_of_bayes": accuracy / bayes,
        "agrees": float(((first > second) == (p > 0.5)).mean()),
    }


def reward_run(size: str = "laptop", seed: int = 0, base=None, progress: bool = False):
    """(Run, figures) of lab 06's recipe with one seed."""
    config = PRESETS[size]
    run = train_reward(
        preference_rows("train", config.rows),
        config,
        base or assistant(load_stage("sft").model),
        seed,
        progress=progress,
    )
    return run, {
        "seed": seed,
        **examine_reward(run.model.eval(), preference_rows("test", 200 if size == "tiny" else None)),
        "minutes": run.record["minutes"],
    }
