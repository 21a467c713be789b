"""Every call in course_lib is checked against its annotations: `checked` is what conftest.py puts in the place of
jaxtyping's `jaxtyped`, which its import hook writes above every function and class.

The checks are the same and cost a tenth. jaxtyping's own decorator checks each argument twice and binds each call by
hand, also where no shape is said: that was a third of the time of all tests.
"""

import collections
import dataclasses
import functools
import inspect
import typing

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, jaxtyped

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int may stand where a float is declared (PEP 484)
made = collections.Counter()  # code of a function inside another -> how often that one has made it


def says_a_shape(annotation) -> bool:
    """Whether an annotation has one like Float[Tensor, "B T"] in it."""
    if inspect.isclass(annotation) and issubclass(annotation, AbstractArray):
        return True
    return any(says_a_shape(part) for part in typing.get_args(annotation))


def check_function(function):
    """The function with its checks. One inside another is made anew at each call of that one, and to write its checks
    takes a millisecond: they are written for the first ten.
    """
    if "<locals>" in function.__qualname__:
        made[function.__code__] += 1
        if made[function.__code__] > 10:
            return function
    checking = check(function)
    if not any(says_a_shape(annotation) for annotation in function.__annotations__.values()):
        return checking

    @functools.wraps(function)
    def in_its_scope(*arguments, **named):
        with jaxtyped("context"):  # within one call B is one number, and in the next it may be another
            return checking(*arguments, **named)

    return in_its_scope


def checked(typechecker):
    """The decorator for a function or a class, called as the import hook calls jaxtyped; it is `check` that checks."""

    def decorate(made):
        if not inspect.isclass(made):
            return check_function(made)
        if dataclasses.is_dataclass(made):
            made.__init__ = check_function(made.__init__)
        return made

    return decorate
