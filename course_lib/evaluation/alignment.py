"""How good is a policy in the eyes of the village, and how far is it from the best one at the same KL?"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.evaluation.frontier import best_of_n, best_of_n_kl_with_ties, frontier, share_of_frontier
from course_lib.stages.dpo import reference_logprobs
from course_lib.stages.model import Llama
from course_lib.stages.preferences import encode_answers
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


@dataclass(frozen=True)
class Yardstick:
    """P prompts, K sampled answers of the reference to each, and what the best policies make of them."""

    reference: Llama
    asked: list[dict]
    answers: list[str]  # those to one prompt next to each other
    worth: np.ndarray  # [P K], gold utilities
    limit: list[tuple[float, float]]  # (KL, utility) of the best policies
    start: float  # the reference's own utility


def yardstick(reference, asked: list[dict], each: int, seed: int = 0) -> Yardstick:
    batch = roll_out(reference, load_tokenizer(), asked, each, seed)
    worth = utilities(batch.rows, batch.answers).reshape(len(asked), each)
    return Yardstick(reference, asked, batch.answers, worth, frontier(worth), float(worth.mean()))


def as_answer(prompt: list[dict], text: str) -> dict:
    """A prompt with one answer, as `encode_answers` reads it under the key "answer"."""
    return {"prompt": prompt, "answer": [{"role": "assistant", "content": text}]}


def logprobs(model, rows: list[dict], keys: tuple[str, ...] = ("chosen", "rejected")) -> Float[Tensor, "N A"]:
    """log π of the rows' answers, nats, on the CPU."""
    return reference_logprobs(model, encode_answers(load_tokenizer(), rows, keys, model.config.context)).cpu()


def scores_of(judge: Callable[[list[dict]], Tensor], yard: Yardstick) -> np.ndarray:
    """[P K]: what `judge(rows of as_answer)` gives for each sampled answer; equal ones are read once."""
    each = yard.worth.shape[1]
    keys = [(k // each, answer) for k, answer in enumerate(yard.answers)]
    distinct = sorted(set(keys))
    given = dict(zip(distinct, judge([as_answer(yard.asked[p]["messages"], text) for p, text in distinct]).tolist()))
    return np.array([given[key] for key in keys]).reshape(yard.worth.shape)


def implicit_scores(policy, yard: Yardstick) -> np.ndarray:
    """[P K]: log π − log π_ref of each sampled answer, the policy's implicit reward but for β."""
    ratios = lambda rows: logprobs(policy, rows, ("answer",)) - logprobs(yard.reference, rows, ("answer",))
    return scores_of(lambda rows: ratios(rows)[:, 0], yard)


NS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def best_of(scores: np.ndarray, yard: Yardstick, ns: Iterable[int] = NS) -> list[dict]:
    """Best of n of the reference's answers by `scores`: [{"n", "kl", "utility", "share"}], no training at all."""
    made = []
    for n in [n for n in ns if n <= yard.worth.shape[1]]:
        point = {"kl": best_of_n_kl_with_ties(scores, n), "utility": best_of_n(scores, yard.worth, n)}
        made.append({"n": n, **point, "share": share(point, yard.worth) if point["kl"] > 0.05 else float("nan")})
    return made


def share_at(kl: float, line: list[dict], yard: Yardstick) -> float:
    """`share` of what stands between the points of `best_of` at this KL."""
    kls, values = [point["kl"] for point in line], [point["utility"] for point in line]
    return share({"kl": kl, "utility": float(np.interp(kl, kls, values))}, yard.worth)


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
    """The policy's gain over the reference as a share of the frontier's gain at the same KL; `worth` [P K]: of
    sampled answers of the reference.
    """
    return share_of_frontier(measured["kl"], measured["utility"], frontier(worth), float(worth.mean()))
