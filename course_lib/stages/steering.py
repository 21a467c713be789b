"""Directions in the residual stream: what a model holds after each layer where its answer begins, and the same model
with a direction taken out of all its states, or added to those of one layer (Arditi et al. 2024, 2406.11717).

The first is the paper's "directional ablation", at the output of the embedding and of each block, for every token; the
second its "activation addition". The weights stay as they are.
"""

from collections.abc import Callable, Iterable
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.platform import CourseError
from course_lib.stages.guard import where_answers_begin


@torch.no_grad()
def layer_states(model, tokenizer, conversations: list[list[dict]], batch: int = 128) -> Float[Tensor, "N L D"]:
    """The residual stream after each layer, at the last token before the answer."""
    found = []
    for ids, ends in where_answers_begin(model, tokenizer, conversations, batch):
        at, seen = (torch.arange(len(ids), device=ids.device), ends), []
        with hooked(model.model.layers, lambda x, seen=seen, at=at: seen.append(x[at])):
            model.hidden(ids)
        found.append(torch.stack(seen, 1).cpu())
    return torch.cat(found)


def ablate_direction(x: Float[Tensor, "*batch D"], direction: Float[Tensor, " D"]) -> Float[Tensor, "*batch D"]:
    """x without its part along `direction`, whose length does not count: x − (x·r / r·r) r. A direction of zeros takes
    nothing away.
    """
    square = direction @ direction
    share = (x @ direction) / torch.where(square > 0, square, torch.ones_like(square))
    return x - share[..., None] * direction


@contextmanager
def hooked(modules: Iterable, change: Callable):
    """While the block lasts, `change(output)` takes the place of each module's output, where it gives something."""
    handles = [module.register_forward_hook(lambda _, __, output: change(output)) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def without(model, direction: Float[Tensor, " D"], ablate: Callable = ablate_direction):
    """No layer hands `direction` on to the next while the block lasts: it is taken out after the embedding and after
    each layer, for every token, also of the answer. Within a layer the MLP still reads what attention has just written.
    """
    r = direction.to(next(model.parameters()).device)
    return hooked([model.model.embed_tokens, *model.model.layers], lambda x: ablate(x, r))


def added(model, direction: Float[Tensor, " D"], layer: int):
    """`direction` is added after this layer (from 1), for every token, while the block lasts. CourseError for a layer
    that is none.
    """
    layers = model.model.layers
    if not 1 <= layer <= len(layers):
        raise CourseError(f"layer is {layer}: this model has the layers 1 to {len(layers)}")
    r = direction.to(next(model.parameters()).device)
    return hooked([layers[layer - 1]], lambda x: x + r)
