"""How good is a policy in the eyes of the village, and how far is it from the best one at the same KL?"""

import numpy as np
import torch

from course_lib.evaluation.frontier import frontier, share_of_frontier
from course_lib.stages.rollout import exact_kl, roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import TASTE, features, utility


def utilities(rows: list[dict], answers: list[str]) -> np.ndarray:
    """The gold utility of each answer to its prompt, [N]."""
    known = {(id(row), answer): (row, answer) for row, answer in zip(rows, answers)}  # most answers come several times
    worth = {key: utility(*pair) for key, pair in known.items()}
    return np.array([worth[id(row), answer] for row, answer in zip(rows, answers)])


def gold_reward(rows: list[dict], answers: list[str]) -> torch.Tensor:
    """The gold utility as a reward function. Only for showing what an algorithm can do: nobody has it in real life."""
    return torch.tensor(utilities(rows, answers), dtype=torch.float32)


def reference_utilities(reference, rows: list[dict], each: int, seed: int = 0) -> np.ndarray:
    """[P K]: the gold utility of `each` sampled answers of the reference model to each of P prompts, what the frontier
    is made of.
    """
    batch = roll_out(reference, load_tokenizer(), rows, each, seed)
    return utilities(batch.rows, batch.answers).reshape(len(rows), each)


def measure(policy, reference, rows: list[dict], each: int = 8, seed: int = 0, reward=None) -> dict:
    """{"utility": mean gold utility, "error": its standard error over prompts, "kl": nats an answer, "length": tokens,
    "features": means over the questions after a fact, "answers"}, and "reward", the mean of `reward(rows, answers)`,
    where it is given.
    """
    batch = roll_out(policy, load_tokenizer(), rows, each, seed)
    worth = utilities(batch.rows, batch.answers).reshape(len(rows), each)
    facts = [features(row, answer) for row, answer in zip(batch.rows, batch.answers) if row["kind"] == "fact"]
    measured = {
        "utility": float(worth.mean()),
        "error": float(worth.mean(1).std(ddof=1) / len(rows) ** 0.5),
        "kl": float(exact_kl(policy, reference, batch.ids, batch.mask).mean()),
        "length": float(batch.mask.sum(1).float().mean()),
        "features": {key: float(np.mean([f[key] for f in facts])) for key in TASTE},
        "answers": batch.answers,
    }
    return measured | ({"reward": float(reward(batch.rows, batch.answers).mean())} if reward else {})


def share(measured: dict, worth: np.ndarray) -> float:
    """The policy's gain over the reference as a share of the frontier's gain at the same KL; `worth`: see
    `reference_utilities`.
    """
    return share_of_frontier(measured["kl"], measured["utility"], frontier(worth), float(worth.mean()))
