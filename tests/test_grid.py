"""Grids as coordinates, and as affine transforms."""

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from seaice.errors import SettingsError
from seaice.grid.grid import HEMISPHERES, NORTH, Grid, coordinates, grid_of


@given(
    st.sampled_from(list(HEMISPHERES)),
    st.sampled_from([1, 4]),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.tuples(st.integers(1, 50), st.integers(2, 50)),
)
def test_a_grid_follows_from_its_coordinates(hemisphere, factor, row, column, shape):
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


def rotated(angle, cell=1000.0, crs="EPSG:3411"):
    transform = Affine.translation(2e5, 3e5) @ Affine.rotation(angle) @ Affine.scale(cell, -cell)
    return Grid.from_affine(crs, transform, (20, 30))


def test_north_up_squares_are_the_same_grid_however_they_are_described():
    grid = NORTH.crop(slice(3, 9), slice(5, 11))
    assert Grid.from_affine(grid.crs, grid.transform, grid.shape) == grid
    assert grid.transform == rasterio.transform.from_origin(grid.left, grid.top, 6250.0, 6250.0)


def test_a_crop_of_a_rotated_grid_keeps_the_positions_of_its_cells():
    whole = rotated(31.0)
    part = whole.crop(slice(4, 10), slice(7, 12))
    for ours, theirs in zip(part.lonlat(), whole.lonlat(), strict=True):
        np.testing.assert_allclose(ours, theirs[4:10, 7:12], atol=1e-9)
    assert (part.cell, part.shape) == (pytest.approx(1000.0), (6, 5))
    assert whole.coarsen(2).refine(2) == whole


def test_positions_of_a_rotated_grid_follow_its_affine_transform():
    grid = rotated(-50.0)
    x, y = grid.plane_coordinates(np.array([0.5, 12.5]), np.array([0.5, 7.5]))
    np.testing.assert_allclose((x[1], y[1]), grid.transform @ (12.5, 7.5))
    assert grid.centre(7, 12) == pytest.approx((x[1], y[1]))
    assert grid.locate(x[1], y[1]) == (7, 12)
    with pytest.raises(ValueError, match="rotated"):
        _ = grid.x


def test_the_cell_of_a_grid_in_degrees_is_metres_in_its_middle():
    grid = Grid.from_affine("EPSG:4326", Affine(0.1, 0, 10, 0, -0.1, 82), (20, 50))
    assert grid.is_geographic
    assert grid.cell == pytest.approx(11_120 * np.sqrt(np.cos(np.radians(81))))
    area = Geod(ellps="WGS84").polygon_area_perimeter([12, 12.1, 12.1, 12], [80, 80, 80.1, 80.1])[0]
    assert grid.cell**2 == pytest.approx(abs(area), rel=0.15)  # of one cell, a degree away


@pytest.mark.parametrize("transform", [Affine(0, 0, 1, 0, -1, 1), Affine(1, 0, np.nan, 0, -1, 1)])
def test_a_transform_without_area_is_refused(transform):
    with pytest.raises(ValueError, match="describes no area"):
        Grid.from_affine("EPSG:3411", transform, (4, 4))
