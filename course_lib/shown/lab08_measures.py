"""What lab 08 measures again and again: a policy against the frontier, and log-ratios of answers."""

from jaxtyping import Float
from torch import Tensor

from course_lib.evaluation.alignment import Yardstick, logprobs, measure, utilities
from course_lib.evaluation.alignment import share as share_of_limit
from course_lib.shown.common import guessed
from course_lib.widgets.table import table, your_run


def said(row: dict, key: str) -> str:
    """The text of an answer of a preference row."""
    return row[key][0]["content"]


def as_prompt(row: dict) -> dict:
    """A preference row as what `utility` and `roll_out` read."""
    return {"messages": row["prompt"], "kind": row["kind"], "check": row["check"]}


def look(policy, yard: Yardstick, each: int = 16) -> dict:
    """`measure` of the policy with "share", its gain as a share of the frontier's at the same KL (NaN for hardly any
    KL); "error" is the standard error of its gain over the reference on the same prompts.
    """
    m = measure(policy, yard.reference, yard.asked, each, seed=2)
    own = utilities([row for row in yard.asked for _ in range(each)], m["answers"]).reshape(len(yard.asked), each)
    error = float((own.mean(1) - yard.worth.mean(1)).std(ddof=1) / len(own) ** 0.5)
    part = share_of_limit(m, yard.worth) if m["kl"] > 0.05 else float("nan")
    return m | {"error": error, "share": part}


MEASURED = {"utility": ".2f", "±": ".2f", "KL (nats)": ".2f", "tokens": ".1f", "of the frontier": ".0%"}


def measured(name: str, m: dict) -> list:
    return [name, *(m.get(key) for key in ("utility", "error", "kl", "length", "share"))]


def show(measures: dict[str, dict], guess: str | None = None) -> None:
    """A table of `look`s: ± is the standard error of the gain; the last column is `share`. guess: what the reader has
    guessed of them, None where nothing was asked.
    """
    table({"": "", **MEASURED}, [measured(name, m) for name, m in measures.items()])
    if guess is not None:
        your_run(shows="what parts these policies")
        guessed(guess)


def show_frontier(yard: Yardstick) -> None:
    table({"KL (nats)": ".2f", "frontier": ".2f"}, [point for point in yard.limit[::5] if point[0] < 2.5])


def ratios(model, reference, rows: list[dict], keys=("chosen", "rejected")) -> Float[Tensor, "N A"]:
    """log π − log π_ref of the answers, nats."""
    return logprobs(model, rows, keys) - logprobs(reference, rows, keys)


def agreement(r: Float[Tensor, "N 2"]) -> float:
    """Share of the pairs whose chosen answer has the larger log-ratio."""
    return float((r[:, 0] > r[:, 1]).float().mean())
