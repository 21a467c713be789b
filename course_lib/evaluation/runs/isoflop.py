"""Which size is best for a given amount of compute? Runs of equal FLOP, several sizes, several budgets (Hoffmann et al.
2022, 2203.15556, approach 2). The irreducible loss, which such studies must fit, is known here: the entropy.

A run's FLOP are 6 N D: 2 N forward and 4 N backward a token, for N parameters (the embedding is the output layer, too)
and D tokens; attention's own share is left out, as is usual. One learning rate serves all runs.
Run by hand: `python -m course_lib.evaluation.runs.isoflop --size laptop`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from course_lib.evaluation.probes import knowledge
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import PretrainConfig, Run, learning_rate, next_token_loss, pretrain
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world import village

TOKENS = 57.4  # of a document in the mean, the first token of each aside


@dataclass(frozen=True)
class Sweep:
    budgets: tuple[float, ...]  # FLOP of a run
    shapes: tuple[tuple[int, int], ...]  # (width, layers)


SHAPES = ((12, 2), (20, 2), (32, 2), (64, 2))
PRESETS = {
    "tiny": Sweep((1e9, 2e9, 4e9), SHAPES),
    "laptop": Sweep((6e10, 1.35e11, 3e11), SHAPES),
    "gpu": Sweep((6e10, 1.35e11, 3e11), SHAPES),
}
RECIPE = PretrainConfig(batch=512, learning_rate=0.03, validations=0)  # few steps: small batches, a large rate


def model_of(shape: tuple[int, int]) -> ModelConfig:
    width, layers = shape
    return ModelConfig(hidden=width, intermediate=3 * width, layers=layers, heads=max(1, width // 32))


def parameters_of(shape: tuple[int, int]) -> int:
    return Llama(model_of(shape)).parameter_count()


def documents_for(shape: tuple[int, int], flop: float) -> int:
    """How many documents a model of this shape reads for so much compute, 4 at least."""
    return max(4, round(flop / (6 * parameters_of(shape)) / TOKENS))


def short_run(
    shape: tuple[int, int],
    documents: int,
    loss_fn: Callable = next_token_loss,
    schedule_fn: Callable = learning_rate,
    **changes,
) -> Run:
    """A run of some seconds on the first documents of the village, each read once. changes: fields of PretrainConfig
    that differ from RECIPE. It is measured on 300 fresh documents, as a run of size tiny is.
    """
    config = replace(RECIPE, model=model_of(shape), documents=documents, **changes)
    return pretrain("tiny", loss_fn=loss_fn, schedule_fn=schedule_fn, config=config, progress=False)


def run(
    shape: tuple[int, int], budget: float, loss_fn: Callable = next_token_loss, schedule_fn: Callable = learning_rate
) -> dict:
    """One point of the sweep: a model of this shape trained for `budget` FLOP. excess: loss − entropy on the same
    documents, nats/token; known: share of the village's facts; seconds: of the training.
    """
    made = short_run(shape, documents_for(shape, budget), loss_fn, schedule_fn)
    metrics = made.record["metrics"]
    return {
        "budget": budget,
        "parameters": made.record["parameters"],
        "tokens": made.record["tokens"],
        "loss": metrics["loss"],
        "excess": metrics["loss"] - metrics["entropy"],
        "known": knowledge(made.model, load_tokenizer(), village())["accuracy"],
        "seconds": made.history[-1]["seconds"],
    }


def best_size(points: list[dict]) -> tuple[float, float]:
    """(parameters, excess) at the bottom of the parabola through the points of one budget, in the logarithms of both;
    of points that have no bottom between the smallest and the largest size, the lowest one.
    """
    x = np.log([p["parameters"] for p in points])
    y = np.log([p["excess"] for p in points])
    c, b, a = np.polynomial.polynomial.polyfit(x - x.mean(), y, 2)
    bottom = -b / (2 * a) + x.mean() if a > 0 else np.inf
    if not x.min() <= bottom <= x.max():
        lowest = min(points, key=lambda p: p["excess"])
        return float(lowest["parameters"]), lowest["excess"]
    return float(np.exp(bottom)), float(np.exp(c - b * b / (4 * a)))


def by_budget(points: list[dict]) -> dict[float, list[dict]]:
    """The points of each budget."""
    return {budget: [p for p in points if p["budget"] == budget] for budget in sorted({p["budget"] for p in points})}


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="laptop", choices=PRESETS)
    chosen = PRESETS[parser.parse_args().size]
    measured = []
    for flop in chosen.budgets:
        for each in chosen.shapes:
            measured.append(run(each, flop))
            print(measured[-1], flush=True)
    for flop, few in by_budget(measured).items():
        print(flop, best_size(few))
