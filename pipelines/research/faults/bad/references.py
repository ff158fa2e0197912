"""Good maps of other services in, bad ones out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from pipelines.research.faults.bad.granules import ABSURD, damaged_attribute, for_any_file
from seaice.evaluate.fields.field import Field

__all__ = ["MUTATIONS", "answered", "good"]

Random = np.random.Generator
SHAPE = (30, 40)
LEFT, TOP, CELL = -3_850_000.0, 5_850_000.0, 25e3  #: m


def good(folder: Path) -> tuple[Path, ...]:
    """A file as NSIDC, OSI SAF and a GIS would write it."""
    return _nsidc(folder / "seaice.nc"), _osisaf(folder / "ice.nc"), _raster(folder / "ice.tif")


def _concentration() -> NDArray[np.float64]:
    return np.linspace(0, 1, SHAPE[0] * SHAPE[1]).reshape(SHAPE)


def _centres() -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    return LEFT + (np.arange(SHAPE[1]) + 0.5) * CELL, TOP - (np.arange(SHAPE[0]) + 0.5) * CELL


def _mapping() -> dict[str, object]:
    return CRS("EPSG:3411").to_cf() | {"latitude_of_projection_origin": 90.0}


def _nsidc(path: Path) -> Path:
    x, y = _centres()
    packed = {"units": "1", "scale_factor": 0.01, "_FillValue": np.uint8(255)}
    values = np.round(100 * _concentration()).astype(np.uint8)[None]
    xr.Dataset(
        {
            "cdr_seaice_conc": (("time", "y", "x"), values, packed | {"grid_mapping": "crs"}),
            "crs": ((), b"", _mapping()),
        },
        coords={
            "time": ("time", [17638.0], {"units": "days since 1970-01-01"}),
            "y": ("y", y, {"units": "meters"}),
            "x": ("x", x, {"units": "meters"}),
        },
    ).to_netcdf(path)
    return path


def _osisaf(path: Path) -> Path:
    x, y = _centres()
    percent = {"units": "%", "grid_mapping": "Polar_Stereographic_Grid"}
    flags = {
        "flag_masks": np.array([1, 2, 4], np.uint8),
        "flag_meanings": "land lake open_water_filtered",
    }
    xr.Dataset(
        {
            "ice_conc": (("time", "yc", "xc"), 100 * _concentration()[None], percent),
            "status_flag": (("time", "yc", "xc"), np.zeros((1, *SHAPE), np.uint8), flags),
            "Polar_Stereographic_Grid": ((), b"", _mapping()),
        },
        coords={
            "time": [np.datetime64("2018-04-17T12:00", "ns")],
            "yc": ("yc", y / 1e3, {"units": "km"}),
            "xc": ("xc", x / 1e3, {"units": "km"}),
        },
    ).to_netcdf(path)
    return path


def _raster(path: Path) -> Path:
    place = rasterio.Affine(CELL, 0, LEFT, 0, -CELL, TOP)
    result = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:3411"}
    size = {"height": SHAPE[0], "width": SHAPE[1], "transform": place}
    with rasterio.open(path, "w", **result, **size) as raster:
        raster.write(_concentration().astype(np.float32), 1)
    return path


def answered(path: Path) -> str:
    """What is wrong with a map that was read; empty where nothing is.

    Raises
    ------
    SeaIceError
        Where it is refused.
    """
    from seaice.evaluate.fields.open import open_field

    return _unlawful(open_field(path))


def _unlawful(field: Field) -> str:
    if bool(((field.sic < 0) | (field.sic > 1)).any()):
        return "concentration outside 0 to 1"
    return "" if np.isfinite(field.grid.transform[:6]).all() else "a grid that is nowhere"


def answered_isolated(path: Path) -> str:
    """The same as users read it: in a process of its own.

    Raises
    ------
    SeaIceError
        Where it is refused, or ends that process.
    """
    from seaice.evaluate.fields.open import open_field_isolated

    return _unlawful(open_field_isolated(path))


def _attribute(path: Path, random: Random) -> None:
    """An attribute, of the file or of a variable, is absurd."""
    if path.suffix == ".nc":
        damaged_attribute(path, random, ABSURD)
    else:
        for_any_file["bytes of the head flipped"](path, random)


def _coordinates(path: Path, random: Random) -> None:
    """Positions are not those of a lattice."""
    if path.suffix != ".nc":
        return _huge_raster(path, random)
    value = random.choice([np.nan, np.inf, 0.0, 1e300, -1e30])
    with h5py.File(path, "a") as file:
        axis = file[str(random.choice([name for name in file if name[0] in "xy"]))]
        axis[random.integers(axis.size) :] = value


def _huge_raster(path: Path, random: Random) -> None:
    """A sparse raster of absurd size."""
    side = int(10.0 ** random.uniform(4.1, 6))
    result = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:3411"}
    size = {"height": side, "width": side, "SPARSE_OK": True, "BIGTIFF": "YES", "tiled": True}
    with rasterio.open(path, "w", **result, **size):
        pass


def _huge(path: Path, random: Random) -> None:
    """A shape that is declared and holds nothing."""
    if path.suffix != ".nc":
        return _huge_raster(path, random)
    side = int(10.0 ** random.uniform(4.1, 8))
    with h5py.File(path, "a") as file:
        name = "ice_conc" if "ice_conc" in file else "cdr_seaice_conc"
        result = {key: value for key, value in file[name].attrs.items() if key != "DIMENSION_LIST"}
        del file[name]
        output = file.create_dataset(name, (1, side, side), "f4", chunks=(1, 64, 64))
        output.attrs.update(result)


#: what is done -> how
MUTATIONS: Mapping[str, Callable[[Path, Random], None]] = MappingProxyType(
    {
        **for_any_file,
        "an absurd attribute": _attribute,
        "positions nowhere": _coordinates,
        "a huge declared shape": _huge,
    }
)
