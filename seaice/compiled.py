"""Loops over samples, compiled to machine code at first use and kept beside the source."""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")

_COMPILING = RLock()  #: held while a function is handed to numba


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The same function through numba; it gives the interpreter lock free while it runs.

    x / 0 is inf or NaN, as in numpy: a loop that could raise cannot take several steps at once.

    numba, which takes a second to import, is imported at the first call. The machine code is kept
    for the next process where there is a folder to keep it in: beside the source, or the user's
    cache. Where neither can be written, each process compiles anew.
    """
    result: list[Callable[P, R]] = []

    def dispatcher() -> Callable[P, R]:
        with _COMPILING:
            if not result:
                _resolve(function)
                result.append(_through_numba(function))
        return result[0]

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return (result[0] if result else dispatcher())(*args, **kwargs)

    run.dispatcher = dispatcher  # type: ignore[attr-defined]
    return run


def _resolve(function: Callable[..., Any]) -> None:
    """Give numba its own functions in place of the compiled ones that `function` calls."""
    code: Any = getattr(function, "__code__")  # noqa: B009  not every callable has one
    names: dict[str, Any] = getattr(function, "__globals__")  # noqa: B009
    for name in code.co_names:
        called = getattr(names.get(name), "dispatcher", None)
        if called is not None:
            names[name] = called()


def _through_numba(function: Callable[P, R]) -> Callable[P, R]:
    import numba

    try:
        result = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        result = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Callable[P, R], result)
