"""Freed memory retained for the next tensors or returned to the system; imports no PyTorch."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["malloc_tuning", "release_memory"]

#: mallopt parameters of glibc: number, value during inference, default
TRIM_THRESHOLD = -1, 2**31 - 1, 2**17
MMAP_MAX = -4, 0, 2**16


MAX_RETAINED = 10**9  #: bytes of freed memory that may be retained; fragmentation makes them grow


@contextmanager
def malloc_tuning() -> Iterator[Callable[[], None]]:
    """Context in which the process retains freed memory, and releases it at the end.

    Yields a function to call between tiles: it releases memory if more than `MAX_RETAINED` bytes
    have accumulated.

    By default glibc returns every large block to the kernel, which clears each page of the next
    one: for maps that takes as long as the convolutions. With another C library nothing changes.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield lambda: None
        return
    begin = _resident_bytes()
    for parameter, within, _ in (TRIM_THRESHOLD, MMAP_MAX):
        library.mallopt(parameter, within)
    try:
        yield lambda: release_memory() if _resident_bytes() > begin + MAX_RETAINED else None
    finally:
        for parameter, _, default in (TRIM_THRESHOLD, MMAP_MAX):
            library.mallopt(parameter, default)
        release_memory()


def release_memory() -> None:
    """Return freed memory to the system; after many small maps glibc retains most of it."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _resident_bytes() -> int:
    """Resident memory of the process in bytes; 0 where the system does not report it."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if statm.exists() else 0
