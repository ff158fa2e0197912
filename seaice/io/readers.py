"""Readers of swath files by format.

A new format is one more entry of `READERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from seaice.io.amsr import is_l1b, is_l1r, read_l1b, read_l1r
from seaice.io.hdf5 import HDF5File, open_hdf5
from seaice.io.isolation import Arrays, read_in_subprocess

__all__ = ["READERS", "Reader", "read_arrays", "read_swath", "validate_in_subprocess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A format of swath files and its reader."""

    description: str  #: one line for messages
    matches: Callable[[HDF5File], bool]  #: whether an open file has this format
    read: Callable[[HDF5File], xr.Dataset]


READERS = (
    Reader(description="JAXA AMSR2 L1B (HDF5)", matches=is_l1b, read=read_l1b),
    Reader(description="JAXA AMSR2 L1R (HDF5)", matches=is_l1r, read=read_l1r),
)


def read_swath(path: str | Path) -> xr.Dataset:
    """Read one granule of any format in `READERS`.

    Returns
    -------
    Dataset
        The swath of docs/architecture.md: overlap scans trimmed, counts masked before scaling.

    Raises
    ------
    GranuleError
        If the file is missing, damaged, of another format or sensor, or has no 89 GHz.
    """
    with open_hdf5(Path(path)) as source:
        for reader in READERS:
            if reader.matches(source):
                return reader.read(source)
        product = source.text("ProductName", "no product name")
        datasets = ", ".join(repr(name) for name in list(source.file)[:3]) or "none"
        raise source.error(
            f"product {product!r} with datasets {datasets}",
            " or ".join(reader.description for reader in READERS),
            "give swaths (level 1); gridded (level 3) files contain no samples to grid",
        )


def validate_in_subprocess(path: Path) -> None:
    """Read a granule in a subprocess with limits of time and memory, and discard the result.

    Raises
    ------
    GranuleError
        If `read_swath` refuses it, or it crashes the subprocess or exceeds a limit.
    """
    read_in_subprocess(__name__, path)


def read_arrays(path: str) -> Arrays:
    """Entry point of the subprocess: read a granule, return no arrays."""
    read_swath(Path(path))
    return {}
