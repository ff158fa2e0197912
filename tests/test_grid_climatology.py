"""Masks of possible ice and of lakes."""

import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from pipelines.derive_masks import LAND, MASKED, ice_possible
from seaice.errors import SettingsError
from seaice.grid.grid import NORTH, SOUTH
from seaice.grid.masks import lake_mask, land_mask, outside_climatology
from seaice.grid.projection import project

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
DATA = Path(str(files("seaice.grid") / "data"))
LAKES = [(47.7, -87.5), (60.9, 31.5), (53.5, 108.2), (66.0, -121.0), (61.7, -114.0)]
NO_LAKES = [(64.0, -150.0), (72.0, -40.0), (60.0, 90.0), (90.0, 0.0), (58.0, 20.0)]


def cell(grid, latitude, longitude):
    """The one cell that holds a place."""
    x, y = project(np.array([latitude]), np.array([longitude]), grid.crs)
    row, column = grid.locate(float(x[0]), float(y[0]))
    return grid.crop(slice(row, row + 1), slice(column, column + 1))


def test_great_lakes_are_lakes_and_the_baltic_is_not():
    fine = NORTH.refine(4)
    assert all(lake_mask(cell(fine, *place)).item() for place in LAKES)
    assert not any(lake_mask(cell(fine, *place)).item() for place in NO_LAKES)


def test_lakes_are_part_of_the_land_mask():
    fine = NORTH.crop(slice(1000, 1400), slice(0, 300)).refine(4)
    assert lake_mask(fine).any()
    assert not (lake_mask(fine) & ~land_mask(fine)).any()


def test_the_lake_mask_exists_on_the_refined_grid_only():
    with pytest.raises(SettingsError, match=r"1\.5625 km"):
        lake_mask(NORTH)


@pytest.mark.parametrize(
    ("month", "place", "outside"),
    [
        (3, (85.0, 0.0), False),
        (9, (85.0, 0.0), False),
        (3, (60.0, -175.0), False),  # Bering Sea
        (9, (60.0, -175.0), True),
        (3, (65.0, 0.0), True),  # Norwegian Sea
        (2, (64.0, 22.0), False),  # Bothnian Bay
        (8, (64.0, 22.0), True),
    ],
)
def test_the_climatology_has_seasons(month, place, outside):
    assert outside_climatology(cell(NORTH, *place), month).item() is outside


def test_the_southern_limit_is_a_parallel():
    for latitude in (-60.0, -50.5, -49.5, -45.0):
        assert outside_climatology(cell(SOUTH, latitude, -45.0), 9).item() is (latitude > -50)


def test_land_has_the_value_of_the_nearest_sea():
    flags = np.array([[MASKED] * 4 + [LAND] * 4 + [0] * 4], np.uint8)
    assert ice_possible(flags).tolist() == [[False] * 5 + [True] * 7]


@pytest.mark.parametrize("name", ["ice_possible_north_6250m", "lakes_north_1562m"])
def test_masks_state_their_source(name):
    with rasterio.open(DATA / f"{name}.tif") as file:
        assert any(word in file.tags()["source"] for word in ("EUMETSAT", "GSHHG"))


@pytest.mark.parametrize("day", ["20160417", "20200101"])
def test_real_ice_of_other_years_is_within_the_climatology(day):
    path = SHARED / "real" / f"asi-AMSR2-n6250-{day}-v5.4.nc"
    if not path.exists():
        pytest.skip("Bremen's maps are not on this machine")
    with xr.open_dataset(path) as file:
        percent = file["z"].values[::-1]
    outside = outside_climatology(NORTH, int(day[4:6])) & ~land_mask(NORTH)
    ice = np.nan_to_num(percent) > 15
    assert ice.sum() > 100_000
    assert (ice & outside).sum() < 0.002 * ice.sum()  # coasts that look like ice
