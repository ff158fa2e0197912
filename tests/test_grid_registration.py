"""Displaced low frequencies are registered to coasts; others are not moved."""

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer

from seaice.grid.grid import NORTH
from seaice.grid.masks import land_fractions, land_mask
from seaice.grid.projection import project
from seaice.grid.registration import (
    DISPLACEMENT,
    _interpolate,
    apply_displacement,
    estimate_displacement,
)
from seaice.instrument import LOW_BANDS

GRID = NORTH.crop(slice(900, 996), slice(720, 816))  # Franz Josef Land
LAND = land_mask(GRID.refine(4))


def scene(dx, dy, land=LAND):
    """An image of 3 km cells whose low frequencies were seen (dx, dy) m from where they stand."""
    steps = np.arange(40, 560, 3) * 1e3
    x, y = np.meshgrid(GRID.left + steps, GRID.top - steps)
    fraction = _interpolate(land_fractions(land)["land_18"], x + dx, y + dy, GRID)
    noise = np.random.default_rng(0).normal(0, 2, (4, *x.shape))
    to_sphere = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_sphere.transform(x, y)
    bands = (len(LOW_BANDS), *x.shape)
    tb = {"tb18h": (110, 110), "tb18v": (190, 55), "tb23h": (140, 80), "tb23v": (205, 40)}
    return xr.Dataset(
        {
            name: (("scan", "pixel_low"), water + more * fraction + noise[n])
            for n, (name, (water, more)) in enumerate(tb.items())
        }
        | {
            "latitude_low": (("band", "scan", "pixel_low"), np.broadcast_to(latitude, bands)),
            "longitude_low": (("band", "scan", "pixel_low"), np.broadcast_to(longitude, bands)),
        }
    )


@pytest.mark.parametrize("turn", [0.3, 2.0, 4.4])
def test_the_direction_is_estimated_from_coasts(turn):
    dx, dy = DISPLACEMENT * np.cos(turn), DISPLACEMENT * np.sin(turn)
    result = estimate_displacement(scene(dx, dy), GRID, LAND)
    assert result.reason == "coasts"
    assert np.hypot(result.x - dx, result.y - dy) < 1200


def test_right_positions_are_not_moved():
    result = estimate_displacement(scene(0, 0), GRID, LAND)
    assert (result.x, result.y, result.reason) == (0, 0, "as stored: coasts fit best so")


def test_without_coasts_nothing_is_moved():
    result = estimate_displacement(scene(DISPLACEMENT, 0), GRID, np.zeros_like(LAND))
    assert (result.x, result.y, result.reason) == (0, 0, "as stored: too little coast")


def test_positions_are_moved_by_the_displacement():
    before = scene(0, 0)
    moved = estimate_displacement(scene(DISPLACEMENT, 0), GRID, LAND)
    after = apply_displacement(before, moved, GRID.crs)
    places = [
        project(s["latitude_low"].values[0], s["longitude_low"].values[0], GRID.crs)
        for s in (before, after)
    ]
    difference = np.subtract(places[1], places[0])
    np.testing.assert_allclose(difference[0], moved.x, atol=20)
    np.testing.assert_allclose(difference[1], moved.y, atol=20)
    assert "coasts" in after.attrs["registration"]
