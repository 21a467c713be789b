"""Answers to the questions of lab 11."""

from course_lib.evaluation.card import model_card
from course_lib.evaluation.comparison import bootstrap_interval, holm, mcnemar, overlap, reweight, win_rate

__all__ = ["bootstrap_interval", "holm", "mcnemar", "model_card", "overlap", "reweight", "win_rate"]


def release_mix(budget: int, prices: dict[str, float]) -> dict[str, int]:
    """A plan that keeps to the budget and makes a release that nobody should want: without twins it refuses what is
    benign. A better one is the capstone, and the student's.
    """
    shares = dict.fromkeys(prices, 0.0) | {"tasks": 0.48, "harmful": 0.5}
    return {name: int(shares[name] * budget / price) for name, price in prices.items()}
