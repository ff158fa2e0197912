"""Reader of scenes: channels on an image grid with latitude and longitude per cell, as a swath.

Such files come from resampling granules to a radar image's grid (DMI, AI4Arctic). Every cell is
treated as a sample of one horn, and the low frequencies as observed at the same positions.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.cf import TB_RANGE, attrs
from seaice.errors import GranuleError
from seaice.instrument import BANDS, CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.io.decoding import QUALITY_ATTRS, Quality
from seaice.io.granules import GranuleName
from seaice.io.hdf5 import open_netcdf, translate_errors
from seaice.io.isolation import Arrays, read_in_subprocess

__all__ = ["read_arrays", "read_scene", "read_scene_in_subprocess", "scene_swath"]

#: attributes that may contain the time, in order of reliability
TIME_ATTRIBUTES = ("time", "time_coverage_start", "start_time", "title")
TIME_PATTERN = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)")
GRANULE_PATTERN = re.compile(r"GW1AM2_\d{12}_\d{3}[AD]_L1[A-Z]{2}[BR]TBR_\d{7}")
#: A granule lasts 49.6 min: its middle is never farther than this from any of its scans.
HALF_GRANULE = np.timedelta64(25, "m")

LAYOUT = "layout"  #: array of the subprocess with dimensions and attributes as JSON
HIGH = ("horn", "scan", "pixel")
LOW = ("scan", "pixel_low")


def read_scene(path: str | Path) -> xr.Dataset:
    """Read a scene in the swath layout: horn "A", scan = row and pixel = column of the image.

    Channels are named `tb89p0h` as in DMI's scenes, or `tb89h` as in this package. The time comes
    from a time attribute or the title, else it is the middle of the first granule named in the
    `source` attribute; all scans have the same time. Land fractions are unknown (NaN).

    Raises
    ------
    GranuleError
        If the file is not NetCDF, or has no positions, no 89 GHz, or no time.
    """
    path = Path(path)
    with translate_errors(path), open_netcdf(path, decode_times=False) as file:
        scene = file.load()
    return scene_swath(path, scene)


def read_scene_in_subprocess(path: Path) -> xr.Dataset:
    """Like `read_scene`, in a subprocess, so that a damaged file cannot end this process.

    Raises
    ------
    GranuleError
        As `read_scene`, or if the file crashes the subprocess or exceeds its limits.
    """
    if not path.is_file():
        return read_scene(path)  # raises an error
    arrays = dict(read_in_subprocess(__name__, path))
    layout = json.loads(str(arrays.pop(LAYOUT)))
    for name, values in arrays.items():
        part = "coords" if name in layout["coords"] else "data_vars"
        layout[part][name]["data"] = values
    return xr.Dataset.from_dict(layout)


def read_arrays(path: str) -> Arrays:
    """Entry point of the subprocess: the scene as plain arrays."""
    scene = read_scene(Path(path))
    layout = json.dumps(scene.to_dict(data=False))
    arrays = {str(name): values.values for name, values in scene.variables.items()}
    return {LAYOUT: np.array(layout), **arrays}


def scene_swath(path: Path, scene: xr.Dataset) -> xr.Dataset:
    """A scene in memory, in the swath layout; see `read_scene`.

    Parameters
    ----------
    path : for error messages
    scene : channels, `latitude`, `longitude`, each (row, column), with the file's attributes

    Raises
    ------
    GranuleError
        As `read_scene`.
    """
    shape = _checked_shape(path, scene)
    latitude, longitude = (
        scene[name].values.astype(np.float32) for name in ("latitude", "longitude")
    )
    channels = {name: _channel(scene, name, shape) for name in CHANNELS}
    missing = [name for name in CHANNELS if np.isnan(channels[name]).all()]
    if set(missing) & set(HIGH_CHANNELS):
        raise _error(path, f"no measurement of {', '.join(missing)}", "tb89p0h and tb89p0v")
    absent = np.isnan(channels["tb89h"]) | np.isnan(channels["tb89v"])
    quality = np.where(absent, Quality.MISSING_COUNT, 0).astype(np.uint8)
    quality[np.isnan(latitude)] |= np.uint8(Quality.POSITION_MISSING)
    per_band = (len(LOW_BANDS), *shape)
    return xr.Dataset(
        {
            **{name: (HIGH, channels[name][None], attrs(name)) for name in HIGH_CHANNELS},
            "latitude": (HIGH, latitude[None], attrs("latitude")),
            "longitude": (HIGH, _wrapped(longitude)[None], attrs("longitude")),
            "land_fraction": (
                HIGH,
                np.full((1, *shape), np.nan, np.float32),
                attrs("land_fraction"),
            ),
            "quality_flag": (HIGH, quality[None], QUALITY_ATTRS),
            **{name: (LOW, channels[name], attrs(name)) for name in LOW_CHANNELS},
            "latitude_low": (("band", *LOW), np.broadcast_to(latitude, per_band)),
            "longitude_low": (("band", *LOW), np.broadcast_to(_wrapped(longitude), per_band)),
            "time": ("scan", np.full(shape[0], _time(path, scene.attrs))),
        },
        coords={"horn": ["A"], "band": list(LOW_BANDS)},
        attrs=_attrs(path, scene.attrs, missing),
    )


def _attrs(path: Path, attributes: Mapping[str, object], missing: list[str]) -> dict[str, object]:
    time = f"{_time(path, attributes).astype('datetime64[s]')}Z"
    return {
        "granule": path.stem,
        "platform": "GCOM-W1",
        "sensor": "AMSR2",
        "orbit_direction": "unknown",
        "start_time": time,
        "end_time": time,
        "level": "scene",
        "sources": GRANULE_PATTERN.findall(str(attributes.get("source", ""))),
        "missing_channels": missing,
    }


def _checked_shape(path: Path, scene: xr.Dataset) -> tuple[int, int]:
    """Rows and columns of the image."""
    for name in ("latitude", "longitude"):
        if name not in scene.variables or scene[name].ndim != 2:
            raise _error(path, f"no {name} for every cell", "latitude and longitude (y, x)")
    if scene["latitude"].shape != scene["longitude"].shape:
        raise _error(path, "latitude and longitude of different shape", "one shape")
    rows, columns = scene["latitude"].shape
    return rows, columns


def _channel(scene: xr.Dataset, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A channel under either name, NaN where missing or out of range."""
    external = f"tb{BANDS[name[2:-1]].label.replace('.', 'p')}{name[-1]}"
    key = next((key for key in (name, external) if key in scene.variables), None)
    if key is None or scene[key].shape != shape:
        return np.full(shape, np.nan, np.float32)
    kelvin = scene[key].values.astype(np.float32)
    return np.where((kelvin >= TB_RANGE[0]) & (kelvin <= TB_RANGE[1]), kelvin, np.float32("nan"))


def _wrapped(longitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """Longitude wrapped to [-180, 180)."""
    wrapped = (longitude + 180) % 360 - 180
    return np.where(wrapped >= 180, np.float32(-180), wrapped).astype(np.float32)


def _time(path: Path, attributes: Mapping[str, object]) -> np.datetime64:
    """Time of the observation, UTC."""
    for name in TIME_ATTRIBUTES:
        match = TIME_PATTERN.search(str(attributes.get(name, "")))
        if match:
            return np.datetime64(f"{match[1]}T{match[2]}", "ns")
    granule = GRANULE_PATTERN.search(str(attributes.get("source", "")))
    if granule is None:
        raise _error(
            path, "no time", f"a time in one of {', '.join(TIME_ATTRIBUTES)}, or granules in source"
        )
    return np.datetime64(GranuleName.parse(granule[0]).start, "ns") + HALF_GRANULE


def _error(path: Path, found: str, expected: str) -> GranuleError:
    return GranuleError(
        f"{path.name}: {found}",
        expected,
        "give a scene with AMSR2 channels and positions per cell; granules go to `seaice grid`",
    )
