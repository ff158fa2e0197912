"""Memory kept for the next tensors, or given back, where the C library allows it."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["give_back", "memory_kept"]

#: of glibc's malloc.h: the parameter, its value within, its value by default
TRIM_THRESHOLD = -1, 2**31 - 1, 2**17
MMAP_MAX = -4, 0, 2**16


@contextmanager
def memory_kept() -> Iterator[None]:
    """Within, freed memory stays with the process; afterwards it is given back.

    glibc hands every large block back at once, and the kernel clears each page of the next one:
    for maps that is as much work as the convolutions. Where there is another C library, nothing
    changes.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    for parameter, within, _ in (TRIM_THRESHOLD, MMAP_MAX):
        library.mallopt(parameter, within)
    try:
        yield
    finally:
        for parameter, _, default in (TRIM_THRESHOLD, MMAP_MAX):
            library.mallopt(parameter, default)
        give_back()


def give_back() -> None:
    """Hand freed memory back to the system; after many small maps glibc holds on to most of it."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
