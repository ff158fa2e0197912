"""Co-registration: positions of the low-frequency samples from those of horn A at 89 GHz.

L1B stores positions for 89 GHz only. Those of the other bands follow from a pair of adjacent 89A
samples by rotations of two angles per band, stored as attributes (JAXA, "AMSR2 Level 1 Product
Format Specification", co-registration). Without it the bands are displaced by up to a pixel.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled
from seaice.errors import GranuleError
from seaice.instrument import LOW_BANDS

__all__ = ["format_parameters", "low_positions", "parse_parameters"]

Vector = tuple[float, float, float]
AnglePair = tuple[float, float]
SampleFrame = tuple[float, float, float, float]
ScanLine = NDArray[np.float32]


def parse_parameters(attribute: str) -> dict[str, float]:
    """Read an attribute such as `6G-1.51820,7G--0.8` into a number per band.

    The dash after G is a separator, so a negative number shows two.

    Raises
    ------
    GranuleError
        If a band is missing or a number cannot be read.

    >>> parse_parameters("6G-1.5,7G--1.25,10G-1,18G-1,23G-0.9,36G-1.4004")["7"]
    -1.25
    """
    numbers: dict[str, float] = {}
    for item in attribute.split(","):
        band, _, number = item.strip().partition("-")
        try:
            numbers[band.removesuffix("G")] = float(number)
        except ValueError:
            raise _unreadable(attribute) from None
    if not set(LOW_BANDS) <= set(numbers):
        raise _unreadable(attribute)
    return {band: numbers[band] for band in LOW_BANDS}


def format_parameters(numbers: dict[str, float]) -> str:
    """The attribute for these numbers, the inverse of `parse_parameters`.

    >>> format_parameters({"6": 1.5, "7": -0.25})
    '6G-1.50000,7G--0.25000'
    """
    return ",".join(f"{band}G-{number:.5f}" for band, number in numbers.items())


def low_positions(
    latitude: NDArray[np.floating],
    longitude: NDArray[np.floating],
    parameters: list[tuple[float, float]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Positions of low-frequency samples, for each pair (A1, A2).

    With P1, P2 the unit vectors of an even 89A sample and its odd neighbour, theta the angle
    between them, Ex = P1, Ez = P1 x P2 / |P1 x P2|, Ey = Ez x Ex:
    cos(A2 theta) (cos(A1 theta) Ex + sin(A1 theta) Ey) + sin(A2 theta) Ez.

    Parameters
    ----------
    latitude, longitude : (scan, pixel) degrees, of 89A; NaN where missing
    parameters : A1 and A2 of each band

    Returns
    -------
    latitude, longitude : (band, scan, pixel // 2) float32, degrees, longitude in [-180, 180)
    """
    scans, pixels = latitude.shape
    out = np.empty((2, len(parameters), scans, pixels // 2), np.float32)
    angles = np.array(parameters, np.float64).reshape(-1, 2)
    _turn_all(np.asarray(latitude, np.float32), np.asarray(longitude, np.float32), angles, out)
    return out[0], out[1]


@compiled
def _sample_frames(latitude: ScanLine, longitude: ScanLine, frames: NDArray[np.float64]) -> None:
    """Local frames of the even samples of a scan, one quantity per row of `frames`.

    Sine and cosine of the latitude, the direction (north, east) to the odd neighbour, the angle
    theta between them, the latitude and longitude in degrees. NaN where a position is missing, or
    both are equal.
    """
    for low in range(frames.shape[1]):
        phi = math.radians(latitude[2 * low] * 1.0)
        sine, cosine = math.sin(phi), math.cos(phi)
        to_north = _sine_cosine(math.radians(latitude[2 * low + 1] * 1.0 - latitude[2 * low]))
        to_east = _sine_cosine(math.radians(longitude[2 * low + 1] * 1.0 - longitude[2 * low]))
        axis = sine * to_north[1] + cosine * to_north[0]  # sine of the neighbour's latitude
        level = cosine * to_north[1] - sine * to_north[0]
        north = axis * cosine - level * sine * to_east[1]
        east = level * to_east[0]
        up = axis * sine + level * cosine * to_east[1]
        away = math.sqrt(north * north + east * east)
        frames[0, low], frames[1, low] = sine, cosine
        frames[2, low], frames[3, low] = north / away, east / away
        frames[4, low] = _small_angle(away / up) if away < 0.1 * up else math.atan2(away, up)
        frames[5, low], frames[6, low] = latitude[2 * low], longitude[2 * low]


@compiled
def _point(forth: float, aside: float, up: float, frame: SampleFrame) -> Vector:
    """(east, outward, axis) of a point `forth`, `aside` and `up` in the frame of a sample.

    East of its meridian; in the plane of the meridian, outward from the axis of the Earth; and
    along that axis.
    """
    sine, cosine, ahead_north, ahead_east = frame
    north = forth * ahead_north + aside * ahead_east
    east = forth * ahead_east - aside * ahead_north
    return east, up * cosine - north * sine, north * cosine + up * sine


@compiled
def _turn_exactly(turn: AnglePair, frame: SampleFrame, position: AnglePair) -> AnglePair:
    """Latitude and longitude of the sample at `position` rotated by angles along and aside."""
    along, aside = turn
    forth, up = math.cos(aside) * math.sin(along), math.cos(aside) * math.cos(along)
    east, outward, axis = _point(forth, math.sin(aside), up, frame)
    level = math.sqrt(outward * outward + east * east)
    longitude = position[1] + math.degrees(math.atan2(east, outward))
    return math.degrees(math.atan2(axis, level)), _wrap_longitude(longitude)


@compiled
def _sine_cosine(angle: float) -> AnglePair:
    """Sine and cosine of an angle, by series if it is small."""
    if abs(angle) < 0.1:
        return _small_sine(angle), _small_cosine(angle)
    return math.sin(angle), math.cos(angle)


@compiled
def _small_sine(angle: float) -> float:
    q = angle * angle
    return angle * (1 - q * (1 / 6) * (1 - q * (1 / 20) * (1 - q * (1 / 42))))


@compiled
def _small_cosine(angle: float) -> float:
    q = angle * angle
    return 1 - q * 0.5 * (1 - q * (1 / 12) * (1 - q * (1 / 30) * (1 - q * (1 / 56))))


@compiled
def _small_angle(tangent: float) -> float:
    q = tangent * tangent
    rest = 1 / 5 - q * (1 / 7 - q * (1 / 9 - q * (1 / 11)))
    return tangent * (1 - q * (1 / 3 - q * rest))


@compiled
def _wrap_longitude(degrees: float) -> float:
    """Longitude in [-180, 180); float32 would round 179.99999 up to 180."""
    east = degrees + 360.0 if degrees < -180.0 else degrees
    inside = east - 360.0 if east > 180.0 else east
    return -180.0 if inside > 179.99999 else inside


@compiled
def _turn_all(
    latitude: NDArray[np.float32],
    longitude: NDArray[np.float32],
    parameters: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    frames = np.empty((7, out.shape[3]))
    for scan in range(out.shape[2]):
        _sample_frames(latitude[scan], longitude[scan], frames)
        for band in range(parameters.shape[0]):
            amounts = parameters[band, 0], parameters[band, 1]
            north, east = out[0, band, scan], out[1, band, scan]
            if _turn_scan_by_series(frames, amounts, north, east):
                _turn_scan_exactly(frames, amounts, north, east)


@compiled
def _turn_scan_by_series(
    frames: NDArray[np.float64], amounts: AnglePair, north: ScanLine, east: ScanLine
) -> int:
    """Rotate by series, exact to 1e-12; number of samples with angles too large for that.

    Angles between neighbours are about 0.001. The loop has no branch and no call, so that it is
    vectorized.
    """
    beyond = 0
    for low in range(frames.shape[1]):
        sine, cosine = frames[0, low], frames[1, low]
        along, aside = amounts[0] * frames[4, low], amounts[1] * frames[4, low]
        across = _small_cosine(aside)
        forth, aback = across * _small_sine(along), _small_sine(aside)
        frame = sine, cosine, frames[2, low], frames[3, low]
        eastern, outward, axis = _point(forth, aback, across * _small_cosine(along), frame)
        level = math.sqrt(outward * outward + eastern * eastern)
        northward = (axis * cosine - level * sine) / (level * cosine + axis * sine)
        eastward = eastern / outward
        north[low] = frames[5, low] + math.degrees(_small_angle(northward))
        east[low] = _wrap_longitude(frames[6, low] + math.degrees(_small_angle(eastward)))
        farthest = along * along + aside * aside + northward * northward + eastward * eastward
        beyond += 0 if (farthest < 0.01) & (outward > 0) else 1  # NaN counts
    return beyond


@compiled
def _turn_scan_exactly(
    frames: NDArray[np.float64], amounts: AnglePair, north: ScanLine, east: ScanLine
) -> None:
    for low in range(frames.shape[1]):
        frame = frames[0, low], frames[1, low], frames[2, low], frames[3, low]
        turn = amounts[0] * frames[4, low], amounts[1] * frames[4, low]
        position = frames[5, low], frames[6, low]
        north[low], east[low] = _turn_exactly(turn, frame, position)


def _unreadable(attribute: str) -> GranuleError:
    return GranuleError(
        f"co-registration parameters {attribute!r}",
        f"one number for each of the bands {', '.join(LOW_BANDS)}, like 6G-1.51820,7G-...",
        "fetch the granule again; if the error persists, report its name",
    )
