"""Files of others opened with care: nothing outside them is read, and what is wrong is a sentence.

The library that reads NetCDF in C ends the process over some damaged files; HDF5 is read through
h5py instead, classic NetCDF through scipy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import h5py
import xarray as xr

from seaice.errors import NoInputError, SeaIceError
from seaice.ingest.source import opened

__all__ = ["MOST_CELLS", "open_netcdf", "readable"]

MOST_CELLS = 120_000_000  #: of a map; a hemisphere at 1.5625 km has 35 million, a radar scene 100


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong in the block, with a file of anybody, is that file's fault.

    Raises
    ------
    NoInputError
        With the words of what went wrong.
    """
    try:
        yield
    except SeaIceError:
        raise
    except Exception as error:  # of five libraries, over whatever a file may hold
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise NoInputError(
            f"{path}, which cannot be read ({said[0][:200]})",
            "a product folder with one Zarr store, a NetCDF, or a GeoTIFF of concentration",
            "fetch the file again, or give another",
        ) from error


def open_netcdf(path: Path) -> xr.Dataset:
    """A NetCDF file, its values still on disk.

    Raises
    ------
    NoInputError, GranuleError
        If it is none, is damaged, leads to other files, or declares more than a map can hold.
    """
    with readable(path):
        if h5py.is_hdf5(path):
            _check_inside(path)
        return xr.open_dataset(path, engine=_engine(path))


def _engine(path: Path) -> Literal["h5netcdf", "scipy"]:
    return "h5netcdf" if h5py.is_hdf5(path) else "scipy"


def _check_inside(path: Path) -> None:
    """Refuse links and storage outside the file, and absurd sizes."""
    with opened(path) as source:
        for name in source.file:
            dataset = source.dataset(name)
            if dataset.size is not None and dataset.size > MOST_CELLS:
                raise source.error(
                    f"{name!r} of {dataset.size} values",
                    f"at most {MOST_CELLS}",
                    "give a map of one hemisphere",
                )
