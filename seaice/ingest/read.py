"""Any swath file in, a swath out; and which files of a folder a day needs.

Adding a format is adding one entry to `READERS` and one file beside this one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

import xarray as xr

from seaice.errors import NoInputError
from seaice.ingest import l1b, l1r
from seaice.ingest.folder import LeftOut, Listing, listing
from seaice.ingest.source import Source, opened

__all__ = ["READERS", "Reader", "find_granules", "granules_of", "left_out_of", "read_swath"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A format of swath files."""

    says: str  #: one line for people
    accepts: Callable[[Source], bool]  #: whether an open file is of this format
    read: Callable[[Source], xr.Dataset]


READERS = (
    Reader(says="JAXA AMSR2 L1B (HDF5)", accepts=l1b.accepts, read=l1b.read),
    Reader(says="JAXA AMSR2 L1R (HDF5)", accepts=l1r.accepts, read=l1r.read),
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
        If the file is absent, damaged, of another format or sensor, or holds no 89 GHz.
    """
    with opened(Path(path)) as source:
        for reader in READERS:
            if reader.accepts(source):
                return reader.read(source)
        product = source.text("ProductName", "no product name")
        datasets = ", ".join(repr(name) for name in list(source.file)[:3]) or "none"
        raise source.error(
            f"product {product!r} with datasets {datasets}",
            " or ".join(reader.says for reader in READERS),
            "give swaths (level 1); gridded (level 3) files hold no samples to grid",
        )


def find_granules(folder: str | Path, date: Date) -> list[Path]:
    """Granules below a folder that may hold scans of a UTC day, each once, in order of time.

    Of files with the same start and path one is kept: the standard product before direct
    receipt, L1B before L1R, the later version before the earlier.

    Raises
    ------
    NoInputError
        If there is no such folder.

    Notes
    -----
    Names decide. A granule that starts in the hour before midnight is included, as it may reach
    into the day; `seaice.grid.gridding.resample.on_day` then takes the scans that do.
    `left_out_of` names the files that look like granules and are not used.
    """
    return list(_listed(folder, date).used)


def left_out_of(folder: str | Path, date: Date) -> tuple[LeftOut, ...]:
    """Files below a folder that look like granules of a UTC day and are not used, with reasons.

    Raises
    ------
    NoInputError
        If there is no such folder.
    """
    return _listed(folder, date).left_out


def granules_of(paths: Iterable[Path], date: Date) -> list[Path]:
    """Those of many files that `find_granules` would take for a UTC day, were they there."""
    return list(listing(paths, date, local=False).used)


def _listed(folder: str | Path, date: Date) -> Listing:
    if not Path(folder).is_dir():
        raise NoInputError(
            f"no folder {folder}", "a folder of AMSR2 granules", "check GRANULES= or --granules"
        )
    return listing(Path(folder).rglob("*"), date)
