"""The scan geometry of the sensors, held against real samples."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import Geod

from seaice.sensors import AMSR2, SENSORS
from seaice.simulate.orbit import half_orbits, looks

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
RRDP = SHARED / "real" / "rrdp_amsr2_points.nc"
NADIR_DISTANCE = 832e3  #: m on the ground between a sample and the point below the satellite
LOW_PIXELS = AMSR2.pixels // 2
STEP = 2 * AMSR2.half_azimuth / (AMSR2.pixels - 1) * 2  #: degrees a low-frequency pixel


def azimuth_step_of_real_samples():
    """Change of scan azimuth a pixel, from pairs of samples of one granule within 3 s."""
    points = xr.open_dataset(RRDP)
    seconds = points.time.values.astype("datetime64[s]").astype(float)
    order = np.lexsort((seconds, points.granule.values))
    first, second = order[:-1], order[1:]
    pixels = points.scan_position.values[second] - points.scan_position.values[first]
    same = points.granule.values[first] == points.granule.values[second]
    near = same & (np.abs(seconds[first] - seconds[second]) <= 3) & (np.abs(pixels) > 40)
    turns = []
    for index in (first[near], second[near]):
        place = (points[name].values[index].astype(float) for name in ("longitude", "latitude"))
        azimuth = points.azimuth.values[index].astype(float)
        turns.append(Geod(ellps="WGS84").fwd(*place, azimuth, np.full(index.size, NADIR_DISTANCE)))
    difference = (turns[1][2] - turns[0][2] + 180) % 360 - 180
    return difference / pixels[near]


@pytest.mark.skipif(not RRDP.is_file(), reason="no real samples beside the project")
def test_azimuth_rises_with_pixel_number_as_in_real_samples():
    steps = np.abs(azimuth_step_of_real_samples())
    assert steps.size > 300
    assert np.median(steps) == pytest.approx(STEP, abs=0.005)


def test_simulated_samples_turn_by_the_sensors_azimuth_step():
    start = np.datetime64("2018-04-28T03:00", "ms")
    orbit = half_orbits(start, start + np.timedelta64(1, "h"))[0]
    middle = orbit.start + np.timedelta64(20, "m")
    geometry = looks(middle + np.arange(3) * np.timedelta64(1500, "ms"))
    nadir = [geometry.nadir_longitude[1], geometry.nadir_latitude[1]]
    longitude, latitude = geometry.longitude[0, 1, ::2], geometry.latitude[0, 1, ::2]
    east, north = np.full(LOW_PIXELS, nadir[0]), np.full(LOW_PIXELS, nadir[1])
    azimuth, _, distance = Geod(ellps="WGS84").inv(east, north, longitude, latitude)
    steps = np.abs((np.diff(azimuth) + 180) % 360 - 180)
    assert np.median(steps) == pytest.approx(STEP, abs=0.01)
    assert np.median(distance) == pytest.approx(NADIR_DISTANCE, rel=0.01)
    spacing = Geod(ellps="WGS84").inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])
    assert np.median(spacing[2]) == pytest.approx(9.0e3, rel=0.03)


def test_broad_bands_have_broad_footprints():
    for sensor in SENSORS.values():
        bands = sorted(sensor.bands.values(), key=lambda band: band.ghz)
        areas = [band.across * band.along for band in bands if band.ghz not in (7.3, 23.8)]
        assert areas == sorted(areas, reverse=True)
        assert len(sensor.nadir_angles) == len(sensor.horns)
