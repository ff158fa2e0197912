"""A swath in, a genuine JAXA L1B file out: every dataset, type, attribute and fill value.

Source: JAXA, "AMSR2 Level 1 Product Format Specification". Scans that see nothing of the simulated
region are left out; everything else is as in a real file, overlap scans at both ends included.
"""

from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.files import atomic_file
from seaice.instrument import HORNS
from seaice.io.amsr import (
    COREGISTRATION,
    L1B_HIGH,
    L1B_LOW,
    LAND_HIGH,
    LAND_LOW,
    LATITUDE,
    LONGITUDE,
    OVERLAP,
    QUALITY_HIGH,
    SCALE,
    SCAN_TIME,
)
from seaice.io.coregistration import format_parameters
from seaice.io.decoding import utc_to_tai93
from seaice.simulate.observe import COREGISTRATION as PARAMETERS
from seaice.simulate.observe import Pass

__all__ = ["OVERLAP_SCANS", "write_granule"]

OVERLAP_SCANS = 30
SCALE_FACTOR = np.float32(0.01)
MISSING_COUNT = 65535
LAND_FILL = 255


def _counts(tb: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Kelvin to hundredths; absent samples carry the count that says so."""
    absent = np.isnan(tb)
    return np.where(absent, MISSING_COUNT, np.round(np.where(absent, 0, tb) * 100)).astype("uint16")


def _put(file: h5py.File, name: str, values: NDArray[np.generic], unit: str = "") -> h5py.Dataset:
    dataset = file.create_dataset(
        name, data=values, compression="gzip", compression_opts=1, shuffle=True
    )
    if unit:
        dataset.attrs["UNIT"] = np.array([unit], dtype="S")
    return dataset


def _put_counts(file: h5py.File, name: str, tb: NDArray[np.floating]) -> None:
    dataset = _put(file, name, _counts(tb), "K")
    dataset.attrs[SCALE] = np.array([SCALE_FACTOR])


def _put_angles(file: h5py.File, shape: tuple[int, int]) -> None:
    """Angles of the fixed viewing geometry, and a sun that is not simulated (fill)."""
    incidence = np.full(shape, 5500, np.int16)
    unknown = np.full(shape, -32767, np.int16)
    for name, values in (
        ("Earth Incidence", incidence),
        ("Earth Azimuth", unknown),
        ("Sun Elevation", unknown),
        ("Sun Azimuth", unknown),
    ):
        dataset = _put(file, name, values, "deg")
        dataset.attrs[SCALE] = np.array([SCALE_FACTOR])


def _put_quality(file: h5py.File, swath: xr.Dataset) -> None:
    scans, pixels = swath.sizes["scan"], swath.sizes["pixel"]
    percent = np.round(swath["land_fraction"].values * 100)
    land = np.where(np.isnan(percent), LAND_FILL, percent).astype(np.uint8)
    _put(file, LAND_HIGH, land)
    _put(file, LAND_LOW, np.repeat(land[:1, :, ::2], 4, axis=0))
    _put(file, QUALITY_HIGH, np.zeros((scans, pixels), np.uint8))
    _put(file, "Pixel Data Quality 6 to 36", np.zeros((scans, pixels), np.uint8))
    _put(file, "Scan Data Quality", np.zeros((scans, 512), np.uint8))


def _stamp(file: h5py.File, one: Pass, scans: int) -> None:
    """Global attributes, each an array of one string."""
    start, stop = one.looks.time[OVERLAP_SCANS], one.looks.time[-1 - OVERLAP_SCANS]
    position = format_parameters
    attributes = {
        "ProductName": "AMSR2-L1B",
        "GranuleID": one.half_orbit.name.format().removesuffix(".h5"),
        "PlatformShortName": "GCOM-W1",
        "SensorShortName": "AMSR2",
        "OrbitDirection": {"A": "Ascending", "D": "Descending"}[one.half_orbit.direction],
        "StartOrbitNumber": str(one.half_orbit.orbit),
        "StopOrbitNumber": str(one.half_orbit.orbit),
        "ObservationStartDateTime": f"{start.astype('datetime64[ms]')}Z",
        "ObservationEndDateTime": f"{stop.astype('datetime64[ms]')}Z",
        "NumberOfScans": str(scans - 2 * OVERLAP_SCANS),
        OVERLAP: str(OVERLAP_SCANS),
        "SatelliteAltitude": "699.6km",
        COREGISTRATION[0]: position({band: a1 for band, (a1, _) in PARAMETERS.items()}),
        COREGISTRATION[1]: position({band: a2 for band, (_, a2) in PARAMETERS.items()}),
        "ProcessingCenter": "simulated",
    }
    for name, value in attributes.items():
        file.attrs[name] = np.array([value], dtype="S")


def write_granule(swath: xr.Dataset, one: Pass, folder: Path) -> Path:
    """Write one simulated pass as an L1B file; whole or not at all.

    Parameters
    ----------
    swath : of `seaice.simulate.observe.observe`, overlap scans included
    one : the pass it came from
    folder : exists

    Returns
    -------
    Path
        The file, under the name JAXA would give it.
    """
    path = folder / one.half_orbit.name.format()
    scans = swath.sizes["scan"]
    with atomic_file(path) as partial, h5py.File(partial, "w") as file:
        for (channel, horn), name in L1B_HIGH.items():
            _put_counts(file, name, swath[channel].sel(horn=horn).values)
        for channel, name in L1B_LOW.items():
            _put_counts(file, name, swath[channel].values)
        for horn in HORNS:
            _put(file, LATITUDE[horn], swath["latitude"].sel(horn=horn).values, "deg")
            _put(file, LONGITUDE[horn], swath["longitude"].sel(horn=horn).values, "deg")
        file.create_dataset(SCAN_TIME, data=utc_to_tai93(swath["time"].values))
        file[SCAN_TIME].attrs["UNIT"] = np.array(["s"], dtype="S")
        _put_quality(file, swath)
        _put_angles(file, (scans, swath.sizes["pixel_low"]))
        _put(file, "Navigation Data", np.zeros((scans, 6), np.float32))
        _put(file, "Position in Orbit", one.half_orbit.orbit + np.zeros(scans))
        _stamp(file, one, scans)
    return path
