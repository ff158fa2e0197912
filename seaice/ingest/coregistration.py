"""Where the low-frequency samples lie, from the positions of horn A at 89 GHz.

L1B stores positions for 89 GHz only. Those of the other bands are turned from a pair of adjacent
89A samples by two angles per band, given as attributes (JAXA, "AMSR2 Level 1 Product Format
Specification", co-registration). Without it the bands are up to a pixel out of place.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled
from seaice.errors import GranuleError
from seaice.instrument import LOW_BANDS

__all__ = ["format_parameters", "low_positions", "parse_parameters"]

Vector = tuple[float, float, float]


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
    """The attribute for these numbers; `parse_parameters` takes it back.

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
    latitude, longitude : (scan, pixel) degrees, of 89A; NaN where absent
    parameters : A1 and A2 of each band wanted

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
def _unit(latitude: float, longitude: float) -> Vector:
    phi, lam = math.radians(latitude), math.radians(longitude)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def _mix(p: float, a: Vector, q: float, b: Vector) -> Vector:
    return p * a[0] + q * b[0], p * a[1] + q * b[1], p * a[2] + q * b[2]


@compiled
def _degrees(point: Vector) -> tuple[float, float]:
    longitude = math.degrees(math.atan2(point[1], point[0]))
    return (
        math.degrees(math.atan2(point[2], math.hypot(point[0], point[1]))),
        -180.0 if longitude > 179.99999 else longitude,  # float32 would round it up to 180
    )


@compiled
def _turn_all(
    latitude: NDArray[np.float32],
    longitude: NDArray[np.float32],
    parameters: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    for scan in range(out.shape[2]):
        for low in range(out.shape[3]):
            ex = _unit(latitude[scan, 2 * low], longitude[scan, 2 * low])
            neighbour = _unit(latitude[scan, 2 * low + 1], longitude[scan, 2 * low + 1])
            across = _cross(ex, neighbour)
            sine = math.sqrt(_dot(across, across))
            theta = math.atan2(
                sine, ex[0] * neighbour[0] + ex[1] * neighbour[1] + ex[2] * neighbour[2]
            )
            # NaN positions give NaN here; two samples in one place span no plane
            ez = _mix(1 / sine if sine else math.nan, across, 0.0, across)
            ey = _cross(ez, ex)
            for band in range(parameters.shape[0]):
                along, aside = parameters[band, 0] * theta, parameters[band, 1] * theta
                turned = _mix(math.cos(along), ex, math.sin(along), ey)
                point = _degrees(_mix(math.cos(aside), turned, math.sin(aside), ez))
                out[0, band, scan, low], out[1, band, scan, low] = point


def _unreadable(attribute: str) -> GranuleError:
    return GranuleError(
        f"co-registration parameters {attribute!r}",
        f"one number for each of the bands {', '.join(LOW_BANDS)}, like 6G-1.51820,7G-...",
        "fetch the granule again; if it stays so, report its name",
    )
