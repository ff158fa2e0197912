"""Memory kept for the next tensors, or given back, where the C library allows it."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["give_back", "memory_kept"]

#: of glibc's malloc.h: the parameter, its value within, its value by default
TRIM_THRESHOLD = -1, 2**31 - 1, 2**17
MMAP_MAX = -4, 0, 2**16


GATHERED = 10**9  #: bytes that may be kept; blocks of many sizes leave gaps that nothing fills


@contextmanager
def memory_kept() -> Iterator[Callable[[], None]]:
    """Within, freed memory stays with the process; afterwards it is given back.

    What it yields is to be called now and then: it gives memory back where much has gathered.

    glibc hands every large block back at once, and the kernel clears each page of the next one:
    for maps that is as much work as the convolutions. Where there is another C library, nothing
    changes.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield lambda: None
        return
    begin = _held()
    for parameter, within, _ in (TRIM_THRESHOLD, MMAP_MAX):
        library.mallopt(parameter, within)
    try:
        yield lambda: give_back() if _held() > begin + GATHERED else None
    finally:
        for parameter, _, default in (TRIM_THRESHOLD, MMAP_MAX):
            library.mallopt(parameter, default)
        give_back()


def give_back() -> None:
    """Hand freed memory back to the system; after many small maps glibc holds on to most of it."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _held() -> int:
    """Bytes that the process holds; 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if told.exists() else 0
