"""NetCDF files of anybody, opened with care: nothing outside them is read.

The library that reads NetCDF in C ends the process over some damaged files; HDF5 is read through
h5py instead, classic NetCDF through scipy.
"""

from pathlib import Path

import h5py
import xarray as xr

from seaice.errors import GranuleError
from seaice.ingest.source import MOST_CELLS, ensure_regular, opened, translated

__all__ = ["open_netcdf"]


def open_netcdf(path: Path, *, decode_times: bool = True) -> xr.Dataset:
    """A NetCDF file, its values still on disk.

    Parameters
    ----------
    decode_times : whether numbers with a unit of time become times

    Raises
    ------
    GranuleError
        If it is none, is damaged, leads to other files, or declares more than a map can hold.
    """
    with translated(path):
        ensure_regular(path)
        if not _is_netcdf(path):
            raise GranuleError(
                f"{path.name}: cannot be read ({_what(path)})",
                "a NetCDF file",
                "give another file, or fetch this one again",
            )
        if h5py.is_hdf5(path):
            _check_inside(path)
            return xr.open_dataset(
                path, engine="h5netcdf", decode_times=decode_times, phony_dims="access"
            )
        return xr.open_dataset(path, engine="scipy", decode_times=decode_times)


def _what(path: Path) -> str:
    return "it is a folder" if path.is_dir() else "it is neither NetCDF nor HDF5"


def _is_netcdf(path: Path) -> bool:
    """Whether a file begins as HDF5 or classic NetCDF; others make xarray guess, and say so."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(3) == b"CDF" or h5py.is_hdf5(path)


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
