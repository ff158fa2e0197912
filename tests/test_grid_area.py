"""Cell areas agree with pyproj."""

import numpy as np
import pytest
from pyproj import Geod, Proj

from seaice.grid.grid import HEMISPHERES
from seaice.grid.projection import cell_areas


@pytest.fixture(params=["north", "south"])
def grid(request):
    return HEMISPHERES[request.param]


def some_cells(grid):
    """Rows and columns all over a grid, its corners and its pole among them."""
    rows = np.r_[0, np.linspace(1, grid.shape[0] - 2, 9).astype(int), grid.shape[0] - 1]
    columns = np.r_[0, np.linspace(1, grid.shape[1] - 2, 9).astype(int), grid.shape[1] - 1]
    pole = grid.locate(1.0, 1.0)
    return [*((r, c) for r in rows for c in columns), pole]


def test_areas_are_those_of_geodesic_polygons(grid):
    geod = Geod(a=6378273.0, rf=298.279411123064)
    to_ground = Proj(grid.crs)
    areas = cell_areas(grid)
    half = grid.cell / 2
    for row, column in some_cells(grid):
        x, y = grid.centre(row, column)
        ring = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
        longitude, latitude = to_ground(x + ring[:, 0], y + ring[:, 1], inverse=True)
        area, _ = geod.polygon_area_perimeter(longitude, latitude)
        assert areas[row, column] == pytest.approx(abs(area), rel=1e-3), (row, column)


def test_areas_are_those_of_the_scale_that_pyproj_gives(grid):
    areas = cell_areas(grid)
    plane = Proj(grid.crs)
    rows, columns = np.transpose(some_cells(grid))
    longitude, latitude = plane(grid.x[columns], grid.y[rows], inverse=True)
    factors = plane.get_factors(longitude, latitude)
    np.testing.assert_allclose(areas[rows, columns], grid.cell**2 / factors.areal_scale, rtol=1e-7)


def test_sixteen_small_cells_cover_what_one_large_cell_does(grid):
    part = grid.crop(slice(300, 340), slice(200, 260))
    fine = cell_areas(part.refine(4)).reshape(40, 4, 60, 4).sum(axis=(1, 3))
    np.testing.assert_allclose(fine, cell_areas(part), rtol=1e-5)
