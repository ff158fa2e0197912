"""Made swaths of realistic geometry, and small files in the formats that are read.

The orbit is a circle around a turning sphere, the scan a cone: enough for the sample spacing,
the overlap of horns and the shape of a pass to be those of AMSR2.
"""

from datetime import datetime
from functools import cache

import h5py
import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates

from seaice.grid.grid import HEMISPHERES
from seaice.grid.masks import land_mask
from seaice.grid.projection import project
from seaice.instrument import CHANNELS, HORNS, LOW_BANDS, LOW_CHANNELS

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


@cache
def _land(hemisphere):
    return land_mask(HEMISPHERES[hemisphere]).astype(np.float32)


def land_percent(latitude, longitude):
    """Percent of land in a footprint of 6 km, from the land mask; 0 off both polar grids."""
    percent = np.zeros(latitude.shape, np.uint8)
    for hemisphere, grid in HEMISPHERES.items():
        x, y = project(latitude, longitude, grid.crs)
        place = np.stack([(grid.top - y) / grid.cell, (x - grid.left) / grid.cell]) - 0.5
        fraction = map_coordinates(
            _land(hemisphere), np.nan_to_num(place, nan=-9.0), order=1, mode="constant"
        )
        percent = np.maximum(percent, np.round(100 * fraction).astype(np.uint8))
    return percent


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


SENTINELS = ((0, 65535), (1, 65534), (2, 4000))  # pixel, count; 4000 counts are 40 K
A1 = "6G-1.25000,7G-1.00000,10G-0.80000,18G--0.50000,23G-0.75000,36G-1.40040"
A2 = "6G--0.50000,7G-0.25000,10G-0.10000,18G-0.40000,23G--0.30000,36G-0.00000"
LABELS = {"6": "6.9", "7": "7.3", "10": "10.7", "18": "18.7", "23": "23.8", "36": "36.5"}
RESOLUTIONS = {
    "6": "res06",
    "7": "res06",
    "10": "res10",
    "18": "res23",
    "23": "res23",
    "36": "res36",
}
NAME = "GW1AM2_202003031000_035A_L1SGBTBR_2220220.h5"
NAME_L1R = "GW1AM2_202003031000_035A_L1SGRTBR_2220220.h5"


def write_l1b(folder, swath, name=NAME, overlap=30):
    """A small L1B file of a made swath, its first and last `overlap` scans repeating neighbours.

    The first scan of its own carries each sentinel; its second has a sample without a place.
    """

    def dataset(channel, horn):
        if channel[2:-1] == "89":
            return f"Brightness Temperature (89.0GHz-{horn},{channel[-1].upper()})"
        return f"Brightness Temperature ({LABELS[channel[2:-1]]}GHz,{channel[-1].upper()})"

    return _write(folder / name, swath, dataset, overlap)


def write_l1r(folder, swath, name=NAME_L1R, overlap=30):
    """The same as L1R, with decoys at coarser resolutions."""

    def dataset(channel, horn):
        band, pol = channel[2:-1], channel[-1].upper()
        if band == "89":
            return f"Brightness Temperature (original,89GHz-{horn},{pol})"
        return f"Brightness Temperature ({RESOLUTIONS[band]},{LABELS[band]}GHz,{pol})"

    path = _write(folder / name, swath, dataset, overlap)
    with h5py.File(path, "a") as file:
        for pol in "HV":
            _counts(file, f"Brightness Temperature (res06,36.5GHz,{pol})", swath["tb6h"] * 0 + 111)
            _counts(file, f"Brightness Temperature (res06,89.0GHz,{pol})", swath["tb6h"] * 0 + 111)
    return path


def _counts(file, name, kelvin):
    counts = np.round(np.asarray(kelvin) * 100).astype(np.uint16)
    result = file.create_dataset(name, data=counts, compression="gzip", compression_opts=1)
    result.attrs["SCALE FACTOR"] = np.float32([0.01])
    result.attrs["UNIT"] = "K"


def _write(path, swath, dataset, overlap):
    scans = swath.sizes["scan"]
    first = overlap
    with h5py.File(path, "w") as file:
        for index, horn in enumerate("AB"):
            for pol in "hv":
                _counts(file, dataset(f"tb89{pol}", horn), swath[f"tb89{pol}"][index])
                for pixel, count in SENTINELS:
                    file[dataset(f"tb89{pol}", horn)][first, pixel] = count
            for axis in ("Latitude", "Longitude"):
                values = swath[axis.lower()].values[index].astype("f4").copy()
                values[first + 1, 0] = -9999
                if axis == "Longitude":
                    values = np.where(values < 0, values + 360, values)  # the other convention
                    values[first + 1, 0] = -9999
                file[f"{axis} of Observation Point for 89{horn}"] = values
        for channel in LOW_CHANNELS:
            _counts(file, dataset(channel, "A"), swath[channel])
            file[dataset(channel, "A")][first, 0] = 65535
        land = land_percent(swath["latitude"].values, swath["longitude"].values)
        land[:, first, :3] = 50, 100, 255
        file["Land_Ocean Flag 89"] = land
        quality = np.zeros((scans, 486), np.uint8)
        quality[first, 5] = 3
        file["Pixel Data Quality 89"] = quality
        since = (swath["time"].values - np.datetime64("1993-01-01")) / np.timedelta64(1, "s")
        file["Scan Time"] = since + 10  # ten leap seconds, from 2017 on
        for key, value in {
            "PlatformShortName": "GCOM-W1",
            "SensorShortName": "AMSR2",
            "ProductName": "AMSR2-L1",
            "OrbitDirection": "Ascending",
            "NumberOfScans": str(scans - 2 * overlap),
            "OverlapScans": str(overlap),
            "CoRegistrationParameterA1": A1,
            "CoRegistrationParameterA2": A2,
        }.items():
            file.attrs[key] = np.array([value.encode()])
    return path


def write_au_si6(folder, kelvin, name="AMSR_U2_L3_SeaIce6km_B04_20200303.he5"):
    """A small AU_SI6 file; `kelvin` maps "NH"/"SH" to the H and V fields, 0 where absent."""
    with h5py.File(folder / name, "w") as file:
        for pole, fields in kelvin.items():
            group = f"HDFEOS/GRIDS/{pole[0]}pPolarGrid06km/Data Fields"
            for pol, field in zip("HV", fields, strict=True):
                counts = np.round(np.asarray(field) * 10).astype(np.int32)
                file.create_dataset(
                    f"{group}/SI_06km_{pole}_89{pol}_DAY", data=counts, compression="gzip"
                )
    return folder / name


def write_scene(path, swath, **attributes):
    """An image-grid scene of a made swath's horn A, named as DMI names channels."""
    labels = LABELS | {"89": "89.0"}
    rows, columns = swath.sizes["scan"], swath.sizes["pixel_low"]
    scene = xr.Dataset(
        {
            f"tb{labels[name[2:-1]].replace('.', 'p')}{name[-1]}": (
                ("y", "x"),
                swath[name].values.reshape(-1, rows, swath[name].shape[-1])[0][:, :columns],
            )
            for name in CHANNELS
        },
        coords={
            axis: (("y", "x"), swath[axis].values[0, :, :columns])
            for axis in ("latitude", "longitude")
        },
        attrs=attributes,
    )
    scene.to_netcdf(path)
    return path
