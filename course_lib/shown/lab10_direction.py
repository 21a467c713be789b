"""Lab 10, the direction of refusal: how far apart harmful and benign requests are in each layer, and what the model
does when the direction is taken out or added.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.evaluation.safety import judged
from course_lib.shown.lab10_tables import RATES, cells, share
from course_lib.stages.steering import added, layer_states, without  # noqa: F401  (the notebook steers)
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets.table import table

WITHOUT, ADDED = "without the layer's direction", "with half of it added after the layer"


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


def layer_by_layer(
    model, directions: Float[Tensor, "L D"], ablate: Callable, rows: list[dict]
) -> dict[str, list[list[dict]]]:
    """{what was done: the judged rows of each layer}: its direction taken out everywhere, or half of it added there."""
    found = {WITHOUT: [], ADDED: []}
    for layer, r in enumerate(directions, 1):
        with without(model, r, ablate):  # after the embedding and after every layer, for every token
            found[WITHOUT].append(judged(model, rows))
        with added(model, r / 2, layer):  # after this layer, for every token
            found[ADDED].append(judged(model, rows))
    return found


def show_layers(
    layers: dict[str, list[list[dict]]],
    states: Float[Tensor, "N L D"],
    harmful: Bool[Tensor, " N"],
    directions: Float[Tensor, "L D"],
) -> list[float]:
    """For each thing that was done a table with a row for each layer: how well its direction tells the requests apart,
    and what the model does. Returns the first.
    """
    apart = told_apart(states, harmful, directions)
    heads = {"layer": "d", "told apart by it": ".1%", **dict.fromkeys(RATES, ".1%")}
    for name, judged_rows in layers.items():
        rows = []
        for k, (area, part) in enumerate(zip(apart, judged_rows, strict=True), 1):
            rows.append((k, area, share(part, "harmful"), share(part, "benign"), cells(part)[2]))
        table(heads, rows, name)
    return apart


def shares_added(model, direction: Float[Tensor, " D"], layer: int, shares: tuple[float, ...]) -> dict:
    """{"… of it added": what adds this share of the direction after the layer, for `with`}."""
    return {f"{part:g} of it added": added(model, part * direction, layer) for part in shares}


def show_categories(
    found: dict[str, list[dict]], rows: list[dict], model, layer: int, direction: Float[Tensor, " D"]
) -> dict[str, float]:
    """A row for each category: how alike its own direction is to the common one, and how much of its harm is refused
    (the exam has the unseen categories only). Returns the former.
    """
    similar = cosines(rows, model, layer, direction)
    heads = {"category": "", "cosine of its own direction": ".2f"}
    heads |= {f"harmful refused, {name}": ".1%" for name in found}
    lines = []
    for category, value in similar.items():
        parts = [[row for row in judged_rows if row["category"] == category] for judged_rows in found.values()]
        lines.append((category, value, *(share(part, "harmful") if part else None for part in parts)))
    table(heads, lines)
    return similar
