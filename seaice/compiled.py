"""Loops over samples, compiled to machine code at first use and kept beside the source."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The same function through numba; it gives the interpreter lock free while it runs.

    x / 0 is inf or NaN, as in numpy: a loop that could raise cannot take several steps at once.

    The machine code is kept for the next process where there is a folder to keep it in: beside the
    source, or the user's cache. Where neither can be written, each process compiles anew.
    """
    try:
        made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Callable[P, R], made)
