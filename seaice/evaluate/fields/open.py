"""Reference maps opened by path, in this process or in a subprocess for untrusted files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import numpy as np
from affine import Affine

from seaice.errors import GranuleError, NoInputError, SeaIceError
from seaice.evaluate.fields.field import Field
from seaice.grid.grid import Grid
from seaice.io.isolation import Arrays, read_in_subprocess

__all__ = ["errors_as_no_input", "open_field", "open_field_isolated", "read_arrays"]


@contextmanager
def errors_as_no_input(path: Path) -> Iterator[None]:
    """Convert any error in the block into `NoInputError` for the file that is read.

    Raises
    ------
    NoInputError
        With the message of the error.
    """
    try:
        yield
    except GranuleError as error:
        raise NoInputError(error.found, error.expected, error.hint) from error
    except SeaIceError:
        raise
    except Exception as error:  # five libraries raise all kinds of errors for damaged files
        message = str(error).strip().splitlines() or [type(error).__name__]
        raise NoInputError(
            f"{path}, which cannot be read ({message[0][:200]})",
            "a product folder with one Zarr store, a NetCDF, or a GeoTIFF of concentration",
            "fetch the file again, or give another file",
        ) from error


def open_field(path: Path, day: date | None = None) -> Field:
    """The concentration in a file or folder.

    Parameters
    ----------
    path : folder of one of our products or its Zarr store; NetCDF of our truth, of OSI SAF, of
        Bremen (ASI), of NSIDC (G02202) or of AI4Arctic/ASIP; GeoTIFF
    day : which day to read from a file with several

    Raises
    ------
    NoInputError
        If the path does not exist, has no concentration, or cannot be read.
    """
    if not path.exists():
        raise _unusable_path(f"nothing at {path}")
    with errors_as_no_input(path):
        if path.suffix.lower() in (".tif", ".tiff"):
            from seaice.evaluate.fields.formats import field_from_geotiff

            return field_from_geotiff(path)
        return _open_dataset(path, day)


def _open_dataset(path: Path, day: date | None) -> Field:
    import xarray as xr  # slow to import, not needed for rasters

    from seaice.evaluate.fields.formats import (
        field_from_chart,
        field_from_dataset,
        is_chart,
        time_in_name,
    )
    from seaice.io.hdf5 import open_netcdf

    store = _store(path) if path.is_dir() else path
    dataset = xr.open_zarr(store, chunks=None) if store.is_dir() else open_netcdf(store)
    with closing(dataset):
        if is_chart(dataset):
            return field_from_chart(dataset, store.stem, time_in_name(path.name))
        return field_from_dataset(dataset, store.stem, day, time_in_name(path.name))


def _store(folder: Path) -> Path:
    """The Zarr store in a product folder, or the folder itself if it is a store."""
    if (folder / "zarr.json").exists() or (folder / ".zgroup").exists():
        return folder
    stores = sorted(folder.glob("*.zarr"))
    if len(stores) == 1:
        return stores[0]
    raise _unusable_path(f"{folder} with {len(stores)} Zarr stores")


def _unusable_path(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a product folder with one Zarr store, a NetCDF, or a GeoTIFF of concentration",
        "make a product with `make daily`, whose formats include zarr, or give another file",
    )


MAX_SECONDS = 300  #: of processor time
MAX_MEMORY = 12 * 1024**3  #: bytes of address space; a radar scene with its chart needs 5 GB


def open_field_isolated(path: Path, day: date | None = None) -> Field:
    """Like `open_field`, in a subprocess, so that a damaged file cannot crash this process.

    Folders are read in this process, because they need no NetCDF or GeoTIFF library.

    Raises
    ------
    NoInputError
        As `open_field`, or if the subprocess crashes or exceeds its limits.
    """
    if not path.is_file():
        return open_field(path, day)
    with errors_as_no_input(path):
        arrays = read_in_subprocess(
            __name__, path, str(day or ""), seconds=MAX_SECONDS, memory=MAX_MEMORY
        )
        grid = Grid.from_affine(
            crs=str(arrays["crs"]),
            transform=Affine(*arrays["transform"]),
            shape=arrays["sic"].shape,
        )
        time = arrays["time"].flat[0]
        return Field(
            name=str(arrays["name"]),
            grid=grid,
            sic=arrays["sic"],
            time=None if np.isnat(time) else time,
            half_widths=arrays.get("half_widths"),
            tb=arrays.get("tb"),
        )


def read_arrays(path: str, day: str) -> Arrays:
    """The field as plain arrays; called in the subprocess."""
    field = open_field(Path(path), date.fromisoformat(day) if day else None)
    layers = {name: getattr(field, name) for name in ("sic", "half_widths", "tb")}
    return {
        "name": np.array(field.name),
        "crs": np.array(field.grid.crs),
        "transform": np.array(field.grid.transform[:6]),
        "time": np.array("NaT" if field.time is None else field.time, "datetime64[ns]"),
        **{name: layer for name, layer in layers.items() if layer is not None},
    }
