"""tests/typechecker.py, which checks every call in course_lib while the tests run: what it must find is found."""

import dataclasses

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int
from torch import Tensor
from typechecker import checked

from course_lib.stages.model import rms_norm
from course_lib.world.source import Source

by_hand = checked(typechecker=None)


@by_hand
def rows(x: Float[Tensor, "B D"], ids: Int[Tensor, " B"], share: float = 0.5) -> Float[Tensor, " B"]:
    return x.sum(1) if share else x


@by_hand
@dataclasses.dataclass
class Pair:
    left: Float[Tensor, " B"]
    right: Float[Tensor, " B"]


X, IDS = torch.ones(2, 3), torch.zeros(2, dtype=torch.int64)


def test_what_fits_passes():
    assert rows(X, IDS).shape == (2,)
    assert rows(torch.ones(4, 3), torch.zeros(4, dtype=torch.int64), 1).shape == (4,), "B is another number now"
    assert Pair(torch.ones(2), torch.ones(2)).left.sum() == 2


@pytest.mark.parametrize(
    "call",
    {
        "a type": lambda: rows("x", IDS),
        "a dtype": lambda: rows(X, X[:, 0]),
        "a rank": lambda: rows(X[0], IDS),
        "two numbers for one letter": lambda: rows(X, IDS[:1]),
        "what comes back": lambda: rows(X, IDS, 0.0),
        "a number": lambda: rows(X, IDS, "half"),
        "two numbers in a dataclass": lambda: Pair(torch.ones(2), torch.ones(3)),
        "a shape in course_lib": lambda: rms_norm(X, torch.ones(3, 3)),
        "a type in course_lib": lambda: Source(None, 3),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_does_not_fit_is_found(call):
    with pytest.raises(BeartypeCallHintViolation):
        call[1]()


def test_a_function_inside_another_is_checked_at_first_and_not_for_ever():
    def outer(x):
        @by_hand
        def inner(x: int) -> int:
            return x

        return inner(x)

    assert outer(1) == 1
    with pytest.raises(BeartypeCallHintViolation):
        outer("x")
    assert [outer(k) for k in range(20)] == [*range(20)] and outer("x") == "x"
