"""Made swaths of realistic geometry, and small files in the formats that are read.

The orbit is a circle around a turning sphere, the scan a cone: enough for the sample spacing,
the overlap of horns and the shape of a pass to be those of AMSR2.
"""

from datetime import datetime

import numpy as np
import xarray as xr

from seaice.instrument import HORNS, LOW_BANDS, LOW_CHANNELS

RADIUS = 6371.0  # km
PERIOD = 98.8 * 60  # s
INCLINATION = np.radians(98.2)
TURN = 1.5  # s, one scan


def _ground_track(seconds):
    """Unit vectors (n, 3) of the point below the satellite and of its flight direction."""
    angle = 2 * np.pi * seconds / PERIOD
    node = -2 * np.pi * seconds / 86164.0
    out = np.stack(
        [np.cos(angle), np.sin(angle) * np.cos(INCLINATION), np.sin(angle) * np.sin(INCLINATION)],
        -1,
    )
    ahead = np.stack(
        [-np.sin(angle), np.cos(angle) * np.cos(INCLINATION), np.cos(angle) * np.sin(INCLINATION)],
        -1,
    )

    def turned(p):
        return np.stack(
            [
                p[:, 0] * np.cos(node) - p[:, 1] * np.sin(node),
                p[:, 0] * np.sin(node) + p[:, 1] * np.cos(node),
                p[:, 2],
            ],
            -1,
        )

    return turned(out), turned(ahead)


def scan_positions(seconds, pixels=486, cone=826.0):
    """Latitude and longitude, (scan, pixel) degrees, of a conical scan `cone` km ahead."""
    below, ahead = (p[:, None, :] for p in _ground_track(np.asarray(seconds, float)))
    aside = np.cross(below, ahead)
    azimuth = np.radians(np.linspace(61, -61, pixels))[None, :, None]
    looking = np.cos(azimuth) * ahead + np.sin(azimuth) * aside
    point = np.cos(cone / RADIUS) * below + np.sin(cone / RADIUS) * looking
    latitude = np.degrees(np.arcsin(np.clip(point[..., 2], -1, 1)))
    return latitude, np.degrees(np.arctan2(point[..., 1], point[..., 0]))


def field(latitude, longitude, base):
    """A smooth field with features of a few tens of kilometres, K."""
    north = latitude * 111.2
    east = longitude * 111.2 * np.cos(np.radians(latitude))
    return base + 20 * np.sin(north / 60) + 15 * np.cos(east / 80 + north / 200)


def make_swath(scans=400, pixels=486, start=datetime(2020, 3, 3, 10), phase=800.0):
    """A swath dataset of one pass; `phase` s after the ascending node it begins."""
    seconds = phase + TURN * np.arange(scans)
    places = [scan_positions(seconds, pixels, cone) for cone in (826.0, 821.0)]
    latitude, longitude = (np.stack(p).astype(np.float32) for p in zip(*places, strict=True))
    low = [
        np.broadcast_to(p[0, :, ::2], (len(LOW_BANDS), scans, pixels // 2))
        for p in (latitude, longitude)
    ]
    shape = (2, scans, pixels)
    variables = {
        "tb89h": (("horn", "scan", "pixel"), field(latitude, longitude, 200.0).astype(np.float32)),
        "tb89v": (("horn", "scan", "pixel"), field(latitude, longitude, 230.0).astype(np.float32)),
        "land_fraction": (("horn", "scan", "pixel"), np.zeros(shape, np.float32)),
        "quality_flag": (("horn", "scan", "pixel"), np.zeros(shape, np.uint8)),
        **{
            name: (("scan", "pixel_low"), field(low[0][0], low[1][0], 150.0 + i).astype(np.float32))
            for i, name in enumerate(LOW_CHANNELS)
        },
    }
    return xr.Dataset(
        variables,
        coords={
            "horn": list(HORNS),
            "band": list(LOW_BANDS),
            "latitude": (("horn", "scan", "pixel"), latitude),
            "longitude": (("horn", "scan", "pixel"), longitude),
            "latitude_low": (("band", "scan", "pixel_low"), low[0].copy()),
            "longitude_low": (("band", "scan", "pixel_low"), low[1].copy()),
            "time": (
                "scan",
                np.datetime64(start, "ns")
                + (1e9 * TURN * np.arange(scans)).astype("timedelta64[ns]"),
            ),
        },
        attrs={"granule": f"made_{start:%Y%m%d%H%M}", "missing_channels": []},
    )
