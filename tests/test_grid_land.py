"""Land masks agree with NSIDC's, and with known places."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from pipelines.derive_masks import majority
from seaice.errors import SettingsError
from seaice.grid.grid import HEMISPHERES, NORTH, Grid
from seaice.grid.masks import land_mask, near_sea
from seaice.grid.projection import project

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
FACTORS = (1, 4)

LAND = {
    "north": [(78.5, 16.0), (72.0, -40.0), (80.1, 58.0), (65.0, -18.0), (60.0, 90.0)],
    "south": [(-85.0, 0.0), (-75.0, 100.0), (-81.0, 175.0), (-78.0, -60.0)],  # two ice shelves
}
WATER = {
    "north": [(90.0, 0.0), (74.0, 36.0), (79.0, 0.0), (58.0, 20.0), (58.0, -85.0), (58.0, 178.0)],
    "south": [(-65.0, 0.0), (-72.0, -45.0), (-74.0, 175.0), (-60.0, 100.0)],
}


def at(mask, grid, places):
    xy = project(*np.transpose(places), grid.crs)
    return [mask[grid.locate(float(x), float(y))] for x, y in zip(*xy, strict=True)]


@pytest.mark.parametrize("hemisphere", HEMISPHERES)
@pytest.mark.parametrize("factor", FACTORS)
def test_known_places_are_land_or_sea(hemisphere, factor):
    grid = HEMISPHERES[hemisphere].refine(factor)
    mask = land_mask(grid)
    assert mask.shape == grid.shape
    assert all(at(mask, grid, LAND[hemisphere]))
    assert not any(at(mask, grid, WATER[hemisphere]))


@pytest.mark.parametrize("hemisphere", HEMISPHERES)
def test_nsidc_agrees_but_for_coasts_and_lakes(hemisphere):
    path = SHARED / "real" / f"nsidc_landmask_{hemisphere}_6km25.tif"
    if not path.exists():
        pytest.skip("NSIDC's masks are not on this machine")
    with rasterio.open(path) as file:
        theirs = file.read(1)
    ours = land_mask(HEMISPHERES[hemisphere])
    inland = binary_erosion(ours, np.ones((3, 3), bool), border_value=1)
    assert ours[theirs == 1].mean() > 0.995
    assert (~ours)[theirs == 0].mean() > 0.985
    # far from our coasts, their water on our land is the lakes, which are theirs only
    assert ((theirs == 0) & inland).mean() < 0.005


@pytest.mark.parametrize("hemisphere", HEMISPHERES)
def test_the_coarse_mask_is_the_majority_of_the_fine(hemisphere):
    coarse = HEMISPHERES[hemisphere]
    np.testing.assert_array_equal(land_mask(coarse), majority(land_mask(coarse.refine(4)), 4))


crops = st.tuples(st.integers(0, 1700), st.integers(0, 1200), st.integers(1, 90), st.integers(1, 9))


@given(crops, st.sampled_from(FACTORS))
@settings(max_examples=20)
def test_a_crop_of_a_mask_is_the_mask_of_the_crop(crop, factor):
    whole = NORTH.refine(factor)
    row, column, rows, columns = crop
    grid = whole.crop(slice(row, row + rows), slice(column, column + columns))
    around = whole.crop(slice(max(row - 9, 0), row + 99), slice(max(column - 9, 0), column + 19))
    np.testing.assert_array_equal(land_mask(grid), land_mask(around)[grid.within(around)])


def test_islands_are_land_on_the_fine_grid():
    """Bear Island is 20 km long, Kvitoya 7 km wide."""
    grid = NORTH.refine(4)
    assert all(at(land_mask(grid), grid, [(74.44, 19.05), (80.15, 32.7)]))


@pytest.mark.parametrize(
    "grid",
    [
        NORTH.refine(2),
        Grid(crs="EPSG:3411", left=3.0, top=0.0, cell=6250.0, shape=(4, 4)),
        Grid(crs="EPSG:3411", left=-1e7, top=0.0, cell=6250.0, shape=(4, 4)),
    ],
)
def test_a_grid_without_a_mask_is_refused(grid):
    with pytest.raises(SettingsError, match=r"refine\(4\)"):
        land_mask(grid)


def test_near_sea_is_a_distance_and_the_same_in_a_crop():
    rows, columns = slice(900, 1100), slice(60, 260)  # Alaska and the sea north of it
    fine = land_mask(NORTH.refine(4))
    sea = ~fine.reshape(NORTH.shape[0], 4, NORTH.shape[1], 4).all(axis=(1, 3))
    near = near_sea(NORTH.crop(rows, columns))
    assert near.any()
    assert not near.all()
    for row, column in [*zip(*np.nonzero(near), strict=True)][::997]:
        row, column = row + rows.start, column + columns.start
        assert sea[max(row - 40, 0) : row + 41, max(column - 40, 0) : column + 41].any()
    for row, column in [*zip(*np.nonzero(~near), strict=True)][::97]:
        row, column = row + rows.start, column + columns.start
        assert not sea[max(row - 40, 0) : row + 41, max(column - 40, 0) : column + 41].any()
