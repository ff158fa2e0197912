"""A grid survives being written as coordinates."""

import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from seaice.errors import SettingsError
from seaice.grid.grid import HEMISPHERES, NORTH, coordinates, grid_of


@given(
    st.sampled_from(list(HEMISPHERES)),
    st.sampled_from([1, 4]),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.tuples(st.integers(1, 50), st.integers(2, 50)),
)
def test_a_grid_comes_back_from_its_coordinates(hemisphere, factor, row, column, shape):
    whole = HEMISPHERES[hemisphere].refine(factor)
    grid = whole.crop(slice(row, row + shape[0]), slice(column, column + shape[1]))
    assert grid_of(xr.Dataset(coords=coordinates(grid), attrs={"crs": grid.crs})) == grid


def test_rows_from_the_bottom_up_are_refused():
    day = xr.Dataset(coords=coordinates(NORTH), attrs={"crs": NORTH.crs})
    with pytest.raises(SettingsError, match="y descending"):
        grid_of(day.isel(y=slice(None, None, -1)))


def test_a_map_without_crs_is_refused():
    with pytest.raises(SettingsError, match="CRS"):
        grid_of(xr.Dataset(coords=coordinates(NORTH)))
