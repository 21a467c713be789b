"""Lab 10, the direction of refusal: how far apart harmful and benign requests are in each layer, and what the model
does when the direction is taken out or added.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.shown.lab10_tables import cells, share
from course_lib.stages.steering import added, layer_states, without  # noqa: F401  (the notebook steers)
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets.table import table


def states_of(model, rows: list[dict]) -> Float[Tensor, "N L D"]:
    """The residual stream after each layer, at the last token before the answer."""
    return layer_states(model, load_tokenizer(), [row["messages"][:-1] for row in rows])


def is_harmful(rows: list[dict]) -> Bool[Tensor, " N"]:
    return torch.tensor([row["kind"] == "harmful" for row in rows])


def told_apart(
    states: Float[Tensor, "N L D"], harmful: Bool[Tensor, " N"], directions: Float[Tensor, "L D"]
) -> list[float]:
    """For each layer: how often a harmful request lies further along the direction than a benign one, a share."""
    along = torch.einsum("nld,ld->nl", states, directions)
    return (along[harmful][:, None] > along[~harmful][None]).float().mean((0, 1)).tolist()


def cosines(rows: list[dict], model, layer: int, direction: Float[Tensor, " D"]) -> dict[str, float]:
    """{category: cosine of its own direction after this layer, by its own rows, with the common one}."""
    states, harmful, found = states_of(model, rows)[:, layer - 1], is_harmful(rows), {}
    for category in sorted({row["category"] for row in rows}):
        here = torch.tensor([row["category"] == category for row in rows])
        own = states[here & harmful].mean(0) - states[here & ~harmful].mean(0)
        found[category] = torch.cosine_similarity(own, direction, dim=0).item()
    return found


def show_layers(apart: list[float], steered: dict[str, list[list[dict]]]) -> None:
    """A row for each layer: how well its direction tells the requests apart, and what the model does without it, or
    with it added. steered: {what was done: judged rows of each layer}.
    """
    heads = {"layer": "d", "told apart": ".1%"}
    heads |= {
        f"{name}: {kind}": ".1%"
        for name in steered
        for kind in ("harmful refused", "benign refused", "benign explained")
    }
    rows = []
    for k, area in enumerate(apart):
        seen = [each[k] for each in steered.values()]
        rows.append(
            (
                k + 1,
                area,
                *(x for part in seen for x in (share(part, "harmful"), share(part, "benign"), cells(part)[2])),
            )
        )
    table(heads, rows)


def show_categories(found: dict[str, list[dict]], similar: dict[str, float]) -> None:
    """A row for each category: how alike its own direction is to the common one, and how much of its harm is refused
    (the exam has the unseen categories only).
    """
    heads = {"category": "", "cosine of its own direction": ".2f"}
    heads |= {f"harmful refused, {name}": ".1%" for name in found}
    rows = []
    for category, value in similar.items():
        parts = [[row for row in judged if row["category"] == category] for judged in found.values()]
        rows.append((category, value, *(share(part, "harmful") if part else None for part in parts)))
    table(heads, rows)
