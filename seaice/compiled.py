"""Loops over samples, compiled to machine code at first use and kept beside the source."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The same function through numba; it gives the interpreter lock free while it runs."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(function))
