"""Time in, geometry of AMSR2's conical scan out.

A circular sun-synchronous orbit: 233 revolutions in 16 days, inclination 98.186 degrees, local
time of the ascending node 13:30, over a WGS84 ellipsoid and under a mean sun.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seaice.io.granules import GranuleName
from seaice.sensors import AMSR2

__all__ = ["SCAN_SECONDS", "HalfOrbit", "ScanGeometry", "half_orbits", "looks"]

PERIOD = 16 * 86400 / 233  #: s
EPOCH = np.datetime64("2012-07-03T00:00:00", "ms")  #: an ascending node, by definition here
RADIUS = 6378.137 + AMSR2.altitude  #: km
INCLINATION = np.radians(98.186)
NODE_LOCAL_HOUR = 13.5
SCAN_SECONDS = AMSR2.scan_seconds
EQUATOR, POLE = 6378.137, 6356.752314  #: km, WGS84 axes
ECCENTRICITY2 = 1 - (POLE / EQUATOR) ** 2

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOrbit:
    """One granule's time span: from pole to pole, without the overlap scans."""

    number: int  #: counts half orbits since the epoch
    start: np.datetime64
    direction: Literal["A", "D"]  #: ascending, descending

    @property
    def scans(self) -> int:
        """How many scans fit into half a revolution."""
        return int(PERIOD / 2 / SCAN_SECONDS)

    @property
    def orbit(self) -> int:
        """Revolution number since launch, as the file attribute StartOrbitNumber has it."""
        return 680 + self.number // 2

    @property
    def name(self) -> GranuleName:
        """The granule's file name, parsed."""
        path = 1 + (self.number // 2) * 16 % 233
        return GranuleName(
            start=self.start.astype("datetime64[m]").item(),
            path=path,
            direction=self.direction,
            level="L1B",
            version="2220220",
        )


def half_orbits(first: np.datetime64, last: np.datetime64) -> list[HalfOrbit]:
    """All half orbits that touch the time span."""
    half = PERIOD / 2
    begin = int(np.floor((first - EPOCH) / np.timedelta64(1, "ms") / 1000 / half)) - 1
    end = int(np.ceil((last - EPOCH) / np.timedelta64(1, "ms") / 1000 / half)) + 1
    passes = []
    for number in range(begin, end + 1):
        # ascending passes run from the southernmost to the northernmost point
        offset = np.timedelta64(round((number - 0.5) * half * 1000), "ms")
        start = EPOCH + offset
        if start < last and start + np.timedelta64(round(half * 1000), "ms") > first:
            passes.append(
                HalfOrbit(number=number, start=start, direction="A" if number % 2 == 0 else "D")
            )
    return passes


def _satellite(time: NDArray[np.datetime64]) -> tuple[Array, Array]:
    """Position (km) and flight direction (unit) in the Earth frame, each (scan, 3)."""
    seconds = (time - EPOCH) / np.timedelta64(1, "ms") / 1000.0
    argument = 2 * np.pi * seconds / PERIOD
    hour = (time - time.astype("datetime64[D]")) / np.timedelta64(1, "ms") / 3.6e6
    node = np.radians(15.0 * (NODE_LOCAL_HOUR - hour))
    east = np.stack([np.cos(node), np.sin(node), np.zeros_like(node)], -1)
    cross = np.stack(
        [
            -np.sin(node) * np.cos(INCLINATION),
            np.cos(node) * np.cos(INCLINATION),
            np.full_like(node, np.sin(INCLINATION)),
        ],
        -1,
    )
    cosine, sine = np.cos(argument)[:, None], np.sin(argument)[:, None]
    return RADIUS * (cosine * east + sine * cross), cosine * cross - sine * east


def _ground(position: Array, direction: Array) -> tuple[Array, Array]:
    """Latitude and longitude (degrees) where lines of sight meet the ellipsoid."""
    stretch = np.array([1.0, 1.0, EQUATOR / POLE])
    p, d = position * stretch, direction * stretch
    a = (d * d).sum(-1)
    b = (p * d).sum(-1)
    c = (p * p).sum(-1) - EQUATOR**2
    distance = (-b - np.sqrt(b * b - a * c)) / a
    x, y, z = np.moveaxis(position + distance[..., None] * direction, -1, 0)
    latitude = np.degrees(np.arctan2(z, (1 - ECCENTRICITY2) * np.hypot(x, y)))
    return latitude, np.degrees(np.arctan2(y, x))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanGeometry:
    """Where each sample of a run of scans points; horns A and B first axis."""

    time: NDArray[np.datetime64]  #: (scan,)
    latitude: Array  #: (horn, scan, pixel) degrees
    longitude: Array  #: (horn, scan, pixel) degrees
    nadir_latitude: Array  #: (scan,) degrees
    nadir_longitude: Array  #: (scan,) degrees


def looks(time: NDArray[np.datetime64], every: int = 1) -> ScanGeometry:
    """Geometry of the scans that start at these times, of every n-th pixel."""
    position, forward = _satellite(time)
    up = position / np.linalg.norm(position, axis=1, keepdims=True)
    right = np.cross(forward, up)
    edge = np.radians(AMSR2.half_azimuth)
    angle = np.linspace(edge, -edge, AMSR2.pixels)[::every]
    sweep = (
        np.cos(angle)[None, :, None] * forward[:, None, :]
        + np.sin(angle)[None, :, None] * right[:, None, :]
    )
    points = [
        _ground(
            np.broadcast_to(position[:, None, :], sweep.shape),
            -np.cos(nadir) * up[:, None, :] + np.sin(nadir) * sweep,
        )
        for nadir in np.radians(AMSR2.nadir_angles)
    ]
    nadir_latitude, nadir_longitude = _ground(position, -up)
    return ScanGeometry(
        time=time,
        latitude=np.stack([p[0] for p in points]),
        longitude=np.stack([p[1] for p in points]),
        nadir_latitude=nadir_latitude,
        nadir_longitude=nadir_longitude,
    )
