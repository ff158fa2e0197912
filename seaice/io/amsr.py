"""Readers of JAXA's AMSR2 level 1 formats: L1B and L1R (HDF5).

L1B stores every band at its own resolution and position; positions of the low frequencies follow
from co-registration (`seaice.io.coregistration`). L1R resamples the low frequencies to the
positions of every second 89 GHz sample of horn A; each channel is taken at the finest footprint the
file offers for it (`FINEST`).

Sources: JAXA, "AMSR2 Level 1 Product Format Specification" and "AMSR2 Level 1R Product Format
Specification", spellings as in real files, spaces included; Maeda, Taniguchi, Imaoka 2016,
"GCOM-W1 AMSR2 Level 1R product: dataset of brightness temperature modified using the antenna
pattern matching technique", IEEE TGRS 54(2).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.cf import attrs
from seaice.compiled import compiled
from seaice.instrument import BANDS, HIGH_CHANNELS, HORNS, LOW_BANDS
from seaice.io.coregistration import low_positions, parse_parameters
from seaice.io.decoding import QUALITY_ATTRS, Quality, decode_counts, land_fraction, tai93_to_utc
from seaice.io.hdf5 import FETCH_AGAIN, HDF5File

__all__ = [
    "PIXELS_89",
    "Scans",
    "high_variables",
    "is_l1b",
    "is_l1r",
    "low_positions_variables",
    "low_variables",
    "own_scans",
    "read_l1b",
    "read_l1r",
    "swath_attrs",
]

EARTH_RADIUS = 6371.0  #: km
SPACING_RANGE = 1.5, 15.0  #: km, accepted median spacing of 89 GHz samples in a scan; nominal 4.4
KELVIN_PER_COUNT = 0.01  #: K; the only scale factor in JAXA's format
MAX_SCANS = 4500  #: of one file; a whole orbit has 3952
MAX_QUALITY_BYTES = 1024  #: per scan
PIXELS_89 = 486  #: 89 GHz samples of a scan; the other bands have half as many
HIGH = ("horn", "scan", "pixel")
LOW = ("scan", "pixel_low")

POSITIONS = ("latitude", "longitude")

Variables = dict[str, xr.Variable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """The scans of a file without those that overlap neighbouring granules."""

    total: int
    kept: slice

    @property
    def count(self) -> int:
        return int(self.kept.stop - self.kept.start)


def own_scans(source: HDF5File) -> Scans:
    """All scans except those at both ends that overlap the neighbouring granules.

    Raises
    ------
    GranuleError
        If the file is of another sensor, its number of overlapping scans is missing, or no scan
        is left.
    """
    sensor = source.text("SensorShortName", "no sensor name")
    if sensor != "AMSR2":
        raise source.error(f"sensor {sensor!r}", "AMSR2", "give granules of GCOM-W1 AMSR2")
    times = source.dataset(SCAN_TIME).shape
    overlap = source.required_text(OVERLAP)
    total = times[0] if len(times) == 1 else 0
    own = total - 2 * int(overlap) if overlap.isdecimal() else 0
    if own < 1 or total > MAX_SCANS:
        raise source.error(
            f"{total} scans, {overlap} overlapping at each end",
            "scans that do not overlap",
            FETCH_AGAIN,
        )
    return Scans(total=total, kept=slice(int(overlap), int(overlap) + own))


def high_variables(
    source: HDF5File, scans: Scans, names: Mapping[tuple[str, str], str]
) -> Variables:
    """tb89h, tb89v, positions, land_fraction and quality_flag, (horn, scan, pixel); time (scan).

    Raises
    ------
    GranuleError
        If a dataset is missing or has another shape, or a channel has no measurement.
    """
    shape = len(HORNS), scans.count, PIXELS_89
    quality = np.zeros(shape, np.uint8)
    values = {name: np.empty(shape, np.float32) for name in (*HIGH_CHANNELS, *POSITIONS)}
    for index, horn in enumerate(HORNS):
        for channel in HIGH_CHANNELS:
            counts, scale = _counts(source, scans, names[channel, horn], PIXELS_89)
            decode_counts(counts, scale, values[channel][index], quality[index])
        _positions(source, scans, horn, (values["latitude"][index], values["longitude"][index]))
    _check_spacing(source, values["latitude"][0], values["longitude"][0])
    quality[np.isnan(values["latitude"])] |= np.uint8(Quality.POSITION_MISSING)
    quality |= _instrument_flag(source, scans)
    for name in values:
        if np.isnan(values[name]).all():
            raise source.error(f"{name} missing in every sample", "measurements", FETCH_AGAIN)
    values["land_fraction"] = _land(source, scans)
    return {
        **{name: xr.Variable(HIGH, array, attrs(name)) for name, array in values.items()},
        "quality_flag": xr.Variable(HIGH, quality, QUALITY_ATTRS),
        "time": xr.Variable("scan", _times(source, scans)),
    }


def _check_spacing(
    source: HDF5File, latitude: NDArray[np.float32], longitude: NDArray[np.float32]
) -> None:
    """Refuse positions whose spacing is impossible for a conical scan."""
    phi, lam = (np.radians(each[::16].astype(np.float64)) for each in (latitude, longitude))
    north, east = np.diff(phi), np.diff(lam) * np.cos(phi[:, 1:])
    east = np.where(np.abs(np.diff(lam)) > np.pi, np.nan, east)  # across 180 degrees
    spacing = EARTH_RADIUS * np.hypot(north, east)
    known = spacing[np.isfinite(spacing)]
    if known.size and not SPACING_RANGE[0] < np.median(known) < SPACING_RANGE[1]:
        raise source.error(
            f"89 GHz samples {np.median(known):.1f} km apart", "about 5 km", FETCH_AGAIN
        )


def low_variables(
    source: HDF5File, scans: Scans, names: Mapping[str, str]
) -> tuple[Variables, list[str]]:
    """tb6h to tb36v, (scan, pixel_low), NaN if missing; and the names of missing channels."""
    variables, missing = {}, []
    unused = np.zeros((scans.count, PIXELS_89 // 2), np.uint8)  # swaths have flags of 89 GHz only
    for channel, name in names.items():
        kelvin = np.empty((scans.count, PIXELS_89 // 2), np.float32)
        if source.has(name):
            decode_counts(*_counts(source, scans, name, PIXELS_89 // 2), kelvin, unused)
        else:
            kelvin[:] = np.nan
        if np.isnan(kelvin).all():
            missing.append(channel)
        variables[channel] = xr.Variable(LOW, kelvin, attrs(channel))
    return variables, missing


def low_positions_variables(
    latitude: NDArray[np.float32], longitude: NDArray[np.float32]
) -> Variables:
    """latitude_low and longitude_low from (band, scan, pixel_low) arrays."""
    return {
        "latitude_low": xr.Variable(("band", *LOW), latitude, attrs("latitude")),
        "longitude_low": xr.Variable(("band", *LOW), longitude, attrs("longitude")),
        "band": xr.Variable("band", list(LOW_BANDS)),
        "horn": xr.Variable("horn", list(HORNS)),
    }


def swath_attrs(
    source: HDF5File, time: NDArray[np.datetime64], missing: list[str]
) -> dict[str, object]:
    """Attributes of a swath: platform, sensor, times, orbit direction, missing channels."""
    known = time[~np.isnat(time)].astype("datetime64[ms]")
    return {
        "granule": source.path.stem,
        "platform": source.text("PlatformShortName", "GCOM-W1"),
        "sensor": source.text("SensorShortName", "AMSR2"),
        "orbit_direction": source.text("OrbitDirection", "unknown"),
        "start_time": f"{known[0]}Z",
        "end_time": f"{known[-1]}Z",
        "origin": "simulated" if source.text("ProcessingCenter", "") == "simulated" else "observed",
        "missing_channels": missing,
        "flagged_low": _flagged_fraction(source, QUALITY_LOW),
        "flagged_scans": _flagged_fraction(source, QUALITY_SCAN),
    }


def _flagged_fraction(source: HDF5File, name: str) -> float:
    """Fraction of scans or samples whose quality bytes are not all 0; 0 if the file has none.

    The bits are reported only, as their meaning is not confirmed.
    """
    if not source.has(name):
        return 0.0
    dataset = source.dataset(name)
    shape, kind = dataset.shape, dataset.dtype.kind
    if len(shape) != 2 or kind not in "iu" or not 0 < shape[0] <= MAX_SCANS:
        return 0.0
    if not 0 < shape[1] <= MAX_QUALITY_BYTES:
        return 0.0
    quality = np.asarray(dataset[...])
    if name == QUALITY_SCAN:
        return round(float((quality != 0).any(axis=1).mean()), 4)
    pairs = (
        quality.reshape(len(quality), -1, 2) if quality.shape[1] % 2 == 0 else quality[..., None]
    )
    return round(float((pairs != 0).any(axis=2).mean()), 4)


def _positions(
    source: HDF5File,
    scans: Scans,
    horn: str,
    out: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Read latitude, and longitude in [-180, 180), of a horn; NaN where either is missing."""
    for name, values in zip((LATITUDE[horn], LONGITUDE[horn]), out, strict=True):
        source.read_into(name, (scans.total, PIXELS_89), scans.kept, values)
    _wrap(*out)


@compiled
def _wrap(latitude: NDArray[np.float32], longitude: NDArray[np.float32]) -> None:
    """In place: longitude in [-180, 180), and NaN where either is missing."""
    for scan in range(latitude.shape[0]):
        for pixel in range(latitude.shape[1]):
            phi, lam = latitude[scan, pixel], longitude[scan, pixel]
            known = (abs(phi) <= 90) & (abs(lam) <= 360)
            wrapped = np.float32(lam - 360.0 * math.floor((lam + 180.0) * (1 / 360)))
            inside = np.float32(-180) if wrapped >= 180 else wrapped  # float32 rounds 179.999999 up
            latitude[scan, pixel] = phi if known else np.nan
            longitude[scan, pixel] = inside if known else np.nan


def _counts(
    source: HDF5File, scans: Scans, name: str, pixels: int
) -> tuple[NDArray[np.uint16], float]:
    """Counts of the scans, and K per count."""
    dataset = source.dataset(name)
    raw = source.array(name, (scans.total, pixels), scans.kept)
    if raw.dtype != np.uint16 or SCALE not in dataset.attrs:
        raise source.error(
            f"{name!r} as {raw.dtype} with attributes {sorted(dataset.attrs)}",
            f"uint16 counts with {SCALE!r}",
            FETCH_AGAIN,
        )
    # the attribute may be float32, in which 0.01 is inexact
    scale = round(float(np.ravel(dataset.attrs[SCALE])[0]), 6)
    if scale != KELVIN_PER_COUNT:
        raise source.error(
            f"{name!r} with {SCALE} {scale:g}", f"{KELVIN_PER_COUNT:g} K per count", FETCH_AGAIN
        )
    return raw.astype(np.uint16, copy=False), scale


def _times(source: HDF5File, scans: Scans) -> NDArray[np.datetime64]:
    time = tai93_to_utc(source.dataset(SCAN_TIME)[scans.kept])
    if np.isnat(time).all():
        raise source.error("no scan with a valid time", "TAI seconds since 1993", FETCH_AGAIN)
    return time


def _land(source: HDF5File, scans: Scans) -> NDArray[np.float32]:
    """Land fraction of the footprint; NaN if the file has no land flag."""
    shape = len(HORNS), scans.total, PIXELS_89
    if not source.has(LAND_HIGH):
        return np.full((shape[0], scans.count, PIXELS_89), np.nan, np.float32)
    return land_fraction(source.array(LAND_HIGH, shape, scans.kept).astype(np.uint8, copy=False))


def _instrument_flag(source: HDF5File, scans: Scans) -> NDArray[np.uint8]:
    """FLAGGED where the pixel's quality byte is not 0; it applies to both horns."""
    if not source.has(QUALITY_HIGH):
        return np.zeros((1, 1), np.uint8)
    quality = source.array(QUALITY_HIGH, (scans.total, PIXELS_89), scans.kept)
    return np.where(quality != 0, np.uint8(Quality.FLAGGED), np.uint8(0))


LATITUDE = MappingProxyType({h: f"Latitude of Observation Point for 89{h}" for h in HORNS})
LONGITUDE = MappingProxyType({h: f"Longitude of Observation Point for 89{h}" for h in HORNS})
SCAN_TIME = "Scan Time"
LAND_HIGH = "Land_Ocean Flag 89"
LAND_LOW = "Land_Ocean Flag 6 to 36"
QUALITY_HIGH = "Pixel Data Quality 89"
QUALITY_LOW = "Pixel Data Quality 6 to 36"  #: two bytes a sample
QUALITY_SCAN = "Scan Data Quality"  #: 512 bytes a scan

#: attributes
SCALE = "SCALE FACTOR"
OVERLAP = "OverlapScans"
COREGISTRATION = ("CoRegistrationParameterA1", "CoRegistrationParameterA2")

#: L1R has low frequencies smoothed to several footprints ("res"). Each band is read at its finest
#: footprint: its own, or for 18.7 GHz that of 23.8 GHz, the nearest in the file.
FINEST = MappingProxyType(
    {"6": "res06", "7": "res06", "10": "res10", "18": "res23", "23": "res23", "36": "res36"}
)


def _low(template: str) -> MappingProxyType[str, str]:
    return MappingProxyType(
        {
            f"tb{band}{pol}": template.format(
                label=BANDS[band].label, pol=pol.upper(), res=FINEST[band]
            )
            for band in LOW_BANDS
            for pol in "hv"
        }
    )


def _high(template: str) -> MappingProxyType[tuple[str, str], str]:
    return MappingProxyType(
        {
            (channel, horn): template.format(horn=horn, pol=channel[-1].upper())
            for channel in HIGH_CHANNELS
            for horn in HORNS
        }
    )


#: (channel, horn) -> dataset
L1B_HIGH = _high("Brightness Temperature (89.0GHz-{horn},{pol})")
L1R_HIGH = _high("Brightness Temperature (original,89GHz-{horn},{pol})")
#: channel -> dataset
L1B_LOW = _low("Brightness Temperature ({label}GHz,{pol})")
L1R_LOW = _low("Brightness Temperature ({res},{label}GHz,{pol})")


def is_l1b(source: HDF5File) -> bool:
    """Whether any dataset has a name of L1B."""
    return any(source.has(name) for name in (*L1B_HIGH.values(), *L1B_LOW.values()))


def read_l1b(source: HDF5File) -> xr.Dataset:
    """The swath of an L1B granule; low-frequency samples at their co-registered positions.

    Raises
    ------
    GranuleError
        If 89 GHz, positions or times are missing, or the file is of another sensor.
    """
    scans = own_scans(source)
    high = high_variables(source, scans, L1B_HIGH)
    low, missing = low_variables(source, scans, L1B_LOW)
    a1, a2 = (parse_parameters(source.required_text(name)) for name in COREGISTRATION)
    latitude, longitude = (high[name].values[0] for name in ("latitude", "longitude"))
    positions = low_positions(latitude, longitude, [(a1[band], a2[band]) for band in LOW_BANDS])
    return xr.Dataset(
        high | low | low_positions_variables(*positions),
        attrs=swath_attrs(source, high["time"].values, missing) | {"level": "L1B"},
    )


def is_l1r(source: HDF5File) -> bool:
    """Whether any dataset has a name of L1R."""
    return any(source.has(name) for name in (*L1R_HIGH.values(), *L1R_LOW.values()))


def read_l1r(source: HDF5File) -> xr.Dataset:
    """The swath of an L1R granule.

    Raises
    ------
    GranuleError
        If 89 GHz, positions or times are missing, or the file is of another sensor.
    """
    scans = own_scans(source)
    high = high_variables(source, scans, L1R_HIGH)
    low, missing = low_variables(source, scans, L1R_LOW)
    even = (high[name].values[0, :, ::2] for name in ("latitude", "longitude"))
    shape = len(LOW_BANDS), *next(iter(low.values())).shape
    positions = (np.broadcast_to(values, shape) for values in even)
    return xr.Dataset(
        high | low | low_positions_variables(*positions),
        attrs=swath_attrs(source, high["time"].values, missing) | {"level": "L1R"},
    )
