"""Regions contain what they are named after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice.errors import SettingsError, UnknownNameError
from seaice.grid.grid import HEMISPHERES, NORTH
from seaice.grid.projection import project
from seaice.grid.regions import REGION_NAMES, SNAP, region_grid

HEMISPHERE = st.sampled_from(["north", "south"])


@pytest.mark.parametrize(
    ("hemisphere", "name"), [(h, n) for h in REGION_NAMES for n in REGION_NAMES[h]]
)
def test_every_region_is_a_snapped_part_of_its_hemisphere(hemisphere, name):
    rows, columns = region_grid(name, hemisphere).within(HEMISPHERES[hemisphere])
    assert not any(edge % SNAP for part in (rows, columns) for edge in (part.start, part.stop))


@given(
    HEMISPHERE,
    st.integers(-180, 180),
    st.integers(1, 360),
    st.integers(60, 89),
    st.integers(1, 30),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_box_contains_every_point_between_its_bounds(hemisphere, west, width, south, height, at):
    low, high = south, min(south + height, 90)
    sign = HEMISPHERES[hemisphere].crs == NORTH.crs
    bounds = (low, high) if sign else (-high, -low)
    east = (west + width + 180) % 360 - 180
    grid = region_grid(f"{west},{bounds[0]},{east},{bounds[1]}", hemisphere)
    longitude = west + at[0] * width
    latitude = bounds[0] + at[1] * (bounds[1] - bounds[0])
    row, column = grid.locate(*map(float, project(latitude, longitude, grid.crs)))
    assert 0 <= row < grid.shape[0]
    assert 0 <= column < grid.shape[1]


PLACES = {  # latitude, longitude
    "Svalbard": (78.5, 16.0),
    "Franz Josef Land": (80.6, 55.0),
    "north of Novaya Zemlya": (76.5, 66.0),
    "Barents Sea": (74.0, 36.0),
    "Greenland Sea": (76.0, -5.0),
    "East Greenland coast": (72.0, -22.0),
    "central Arctic": (86.0, 180.0),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_demo_region_contains_its_seas_with_a_wide_margin(place):
    grid = region_grid("svalbard", "north")
    row, column = grid.locate(*map(float, project(*PLACES[place], grid.crs)))
    assert 48 <= row < grid.shape[0] - 48
    assert 48 <= column < grid.shape[1] - 48


def test_the_demo_region_is_a_sixth_of_the_northern_grid():
    assert 6 * np.prod(region_grid("svalbard", "north").shape) >= np.prod(NORTH.shape)


def test_a_misspelt_region_gets_its_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'laptev'"):
        region_grid("lapdev", "north")
    with pytest.raises(UnknownNameError, match="'weddell'"):
        region_grid("weddell", "north")


@pytest.mark.parametrize("bounds", ["1,2,3", "a,b,c,d", "0,80,10,70", "0,70,10,95", "0,nan,1,80"])
def test_invalid_bounds_are_refused(bounds):
    with pytest.raises(SettingsError, match="south below north"):
        region_grid(bounds, "north")


@pytest.mark.parametrize("bounds", ["0,-80,10,-70", "20,1,30,5"])
def test_a_box_outside_the_grid_is_refused(bounds):
    with pytest.raises(SettingsError, match="outside the grid"):
        region_grid(bounds, "north")
