"""A path in, the field that lies there out."""

from contextlib import closing
from datetime import date
from pathlib import Path

from seaice.errors import NoInputError
from seaice.evaluate.fields.field import Field
from seaice.evaluate.fields.safely import readable
from seaice.evaluate.fields.told import day_in_name

__all__ = ["open_field"]


def open_field(path: Path, day: date | None = None) -> Field:
    """The concentration in a file or folder.

    Parameters
    ----------
    path : folder of one of our products or its Zarr store; NetCDF of our truth, of OSI SAF, of
        Bremen (ASI), of NSIDC (G02202) or of AI4Arctic/ASIP; GeoTIFF
    day : which to take of a file with several

    Raises
    ------
    NoInputError
        If there is nothing, or nothing of the kind, or it cannot be read.
    """
    if not path.exists():
        raise _unusable(f"nothing at {path}")
    with readable(path):
        if path.suffix.lower() in (".tif", ".tiff"):
            from seaice.evaluate.fields.geotiff import read_geotiff

            return read_geotiff(path)
        return _of_dataset(path, day)


def _of_dataset(path: Path, day: date | None) -> Field:
    import xarray as xr  # takes seconds, and rasters do without

    from seaice.evaluate.fields.ice_chart import chart_field, is_chart
    from seaice.evaluate.fields.netcdf import field_of
    from seaice.io.hdf5 import open_netcdf

    store = _store(path) if path.is_dir() else path
    held = xr.open_zarr(store, chunks=None) if store.is_dir() else open_netcdf(store)
    with closing(held):
        if is_chart(held):
            return chart_field(held, store.stem, day_in_name(path.name))
        return field_of(held, store.stem, day, day_in_name(path.name))


def _store(folder: Path) -> Path:
    """The Zarr store that a product's folder holds, or the folder itself if it is one."""
    if (folder / "zarr.json").exists() or (folder / ".zgroup").exists():
        return folder
    stores = sorted(folder.glob("*.zarr"))
    if len(stores) == 1:
        return stores[0]
    raise _unusable(f"{folder} with {len(stores)} Zarr stores")


def _unusable(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a product folder with one Zarr store, a NetCDF, or a GeoTIFF of concentration",
        "make a product with `make daily`, whose formats include zarr, or give another file",
    )
