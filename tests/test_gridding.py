"""Laws of gridding, and the published method as an independent oracle."""

import tracemalloc
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from pyresample import AreaDefinition, SwathDefinition, kd_tree
from pyresample.utils import fwhm2sigma

from seaice.errors import NoInputError
from seaice.grid.grid import NORTH, SOUTH, grid_of
from seaice.grid.gridding import (
    HIGH_BEAM,
    LOW_BEAM,
    Accumulator,
    accumulate,
    compiled_grid,
    grid_day,
    project_samples,
    scans_of_day,
)
from seaice.grid.projection import project
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_CHANNELS
from tests.support.granules import make_swath

DAY = date(2020, 3, 3)
WIDE = NORTH.crop(slice(600, 1200), slice(300, 900))
SVALBARD = NORTH.crop(slice(900, 1100), slice(600, 800))


@pytest.fixture(scope="module")
def swath():
    return make_swath(500, phase=1000.0)


@pytest.fixture(scope="module")
def whole(swath):
    return grid_day([swath], NORTH, DAY)


def published(swath, grid, name, beam):
    """resample_gauss of pyresample, 30 neighbours, as in Feng et al. 2023."""
    low = name in LOW_CHANNELS
    where = {"band": name[2:-1]} if low else {}
    suffix = "_low" if low else ""
    places = [
        swath[f"{axis}{suffix}"].sel(where).values.ravel() for axis in ("longitude", "latitude")
    ]
    area = AreaDefinition("", "", "", grid.crs, *grid.shape[::-1], grid.bounds)
    return kd_tree.resample_gauss(
        SwathDefinition(*places),
        swath[name].values.ravel(),
        area,
        radius_of_influence=round(beam.radius, -3),  # 10 and 15 km
        sigmas=beam.sigma,
        neighbours=30,
        fill_value=np.nan,
        with_uncert=False,
    )


def test_sigma_is_pyresamples_own():
    assert pytest.approx(fwhm2sigma(4000)) == HIGH_BEAM.sigma
    assert pytest.approx(fwhm2sigma(10_000)) == LOW_BEAM.sigma


@pytest.mark.filterwarnings("ignore:Possible more than 30 neighbours")
@pytest.mark.parametrize(
    ("name", "beam"), [("tb89h", HIGH_BEAM), ("tb89v", HIGH_BEAM), ("tb36v", LOW_BEAM)]
)
def test_values_agree_with_the_published_method(swath, whole, name, beam):
    grid = NORTH.crop(slice(700, 1100), slice(400, 900))
    ours = whole[name].values[grid.within(NORTH)]
    theirs = published(swath, grid, name, beam)
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.sum() > 50_000
    difference = np.abs(ours - theirs)[both]
    assert np.median(difference) <= 0.1
    assert np.percentile(difference, 99) <= 0.5
    assert not (np.isfinite(theirs) & ~np.isfinite(ours)).any()
    assert (np.isfinite(ours) & ~np.isfinite(theirs)).sum() < 0.002 * both.sum()


@given(st.floats(60, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_constant_field_stays_constant_whatever_is_missing(kelvin, seed):
    swath = make_swath(60, phase=1250.0)
    hidden = np.random.default_rng(seed).random(swath["tb89v"].shape) < 0.3
    for name in CHANNELS:
        swath[name] = xr.full_like(swath[name], kelvin)
    swath["tb89v"] = swath["tb89v"].where(~hidden)
    day = grid_day([swath], WIDE, DAY)
    for name in CHANNELS:
        values = day[name].values[np.isfinite(day[name].values)]
        assert values.size > 1000
        np.testing.assert_allclose(values, kelvin, rtol=2e-6)
    assert float(day["spread"].max()) < 0.05


@given(st.permutations(range(4)))
@settings(max_examples=5)
def test_the_order_of_swaths_does_not_matter(order):
    swaths = [make_swath(60, phase=1100.0 + 60 * k) for k in range(4)]
    straight = grid_day(swaths, SVALBARD, DAY)
    shuffled = grid_day([swaths[k] for k in order], SVALBARD, DAY)
    for name in (*CHANNELS, "spread"):
        np.testing.assert_allclose(shuffled[name], straight[name], atol=2e-3)
    np.testing.assert_array_equal(shuffled["n_obs"], straight["n_obs"])
    assert shuffled.attrs["granules"] == straight.attrs["granules"]


@given(st.integers(600, 1300), st.integers(300, 900), st.integers(1, 150), st.integers(2, 150))
@settings(max_examples=15)
def test_a_crop_is_the_crop_of_the_whole(swath, whole, top, left, rows, columns):
    grid = NORTH.crop(slice(top, top + rows), slice(left, left + columns))
    expected = whole.isel(dict(zip(("y", "x"), grid.within(NORTH), strict=True)))
    if np.isnan(expected["tb36v"]).all():
        return
    part = grid_day([swath], grid, DAY)
    xr.testing.assert_allclose(
        part.drop_vars("obs_time"), expected.drop_vars("obs_time"), atol=1e-3
    )
    assert grid_of(part) == grid


def test_missing_samples_do_not_affect_others(swath):
    holed = swath.copy()
    holed["tb89h"] = holed["tb89h"] * np.nan
    day = grid_day([holed], SVALBARD, DAY)
    assert np.isnan(day["tb89h"]).all()
    np.testing.assert_array_equal(day["tb89v"], grid_day([swath], SVALBARD, DAY)["tb89v"])
    assert day.attrs["missing_channels"] == ["tb89h"]


def test_missing_low_frequencies_are_listed_in_the_map(swath):
    day = grid_day([swath.drop_dims(["pixel_low", "band"])], SVALBARD, DAY)
    assert day.attrs["missing_channels"] == list(LOW_CHANNELS)
    assert np.isnan(day["tb18v"]).all()


def test_one_horn_is_enough(swath):
    day = grid_day([swath.isel(horn=[0])], SVALBARD, DAY)
    assert int(day["n_obs"].sum()) > 0


def test_only_scans_of_the_utc_day_are_used():
    over_midnight = make_swath(200, start=datetime(2020, 3, 2, 23, 57, 30), phase=1050.0)
    day = grid_day([over_midnight], WIDE, DAY)
    before = grid_day([over_midnight], WIDE, DAY - timedelta(1))
    midnight = np.datetime64("2020-03-03")
    assert (day["obs_time"].values >= midnight)[day["n_obs"].values > 0].all()
    assert (before["obs_time"].values < midnight)[before["n_obs"].values > 0].all()
    kept = sum(scans_of_day(over_midnight, d).sizes["scan"] for d in (DAY, DAY - timedelta(1)))
    assert kept == over_midnight.sizes["scan"] == 200


def test_the_mean_time_is_within_the_pass(whole, swath):
    time = whole["obs_time"].values
    seen = whole["n_obs"].values > 0
    assert np.isnat(time[~seen]).all()
    assert (time[seen] >= swath["time"].values[0]).all()
    assert (time[seen] <= swath["time"].values[-1]).all()


@pytest.mark.parametrize("latitude", [40.0, 60.0, 75.0, 89.0])
@pytest.mark.parametrize("beam", [HIGH_BEAM, LOW_BEAM])
def test_weights_fall_with_distance_on_the_ground(latitude, beam):
    fine = NORTH.refine(4)
    x, y = project(latitude, -10.0, fine.crs)
    row, column = fine.locate(float(x), float(y))
    grid = fine.crop(slice(row - 20, row + 20), slice(column - 20, column + 20))
    sums, count = np.zeros((*grid.shape, 2)), np.zeros(grid.shape, np.uint16)
    place = np.full((1, 1), latitude, np.float32), np.full((1, 1), -10.0, np.float32)
    lattice = compiled_grid(grid)
    sample = (np.full((1, 1), 200.0, np.float32),)
    accumulate(sample, project_samples(place, lattice), (sums, count), lattice, beam)

    longitudes, latitudes = grid.lonlat()
    hughes = Geod(a=6378273.0, rf=298.279411123064)
    here = [np.full(grid.shape, value) for value in (-10.0, latitude)]
    distance = hughes.inv(*here, longitudes, latitudes)[2]
    reached = count > 0
    assert distance[reached].max() <= beam.radius * 1.002
    assert distance[~reached].min() >= beam.radius * 0.998
    expected = np.exp(-((distance / beam.sigma) ** 2))
    np.testing.assert_allclose(sums[reached, 0], expected[reached], rtol=0.05)
    np.testing.assert_allclose(sums[reached, 1], 200 * sums[reached, 0], rtol=1e-6)


def test_spread_is_the_weighted_deviation_of_the_samples(swath):
    noisy = swath.copy()
    rng = np.random.default_rng(1)
    noisy["tb89v"] = (
        ("horn", "scan", "pixel"),
        rng.normal(230, 8, swath["tb89v"].shape).astype("f4"),
    )
    spread = grid_day([noisy], SVALBARD, DAY)["spread"].values
    assert 3 < np.nanmedian(spread) < 8  # few samples carry most of the weight


def test_southern_samples_do_not_affect_the_north():
    south = make_swath(60, phase=4000.0)
    assert float(south["latitude"].max()) < -40
    assert grid_day([south], SOUTH, DAY).attrs["hemisphere"] == "south"
    with pytest.raises(NoInputError, match="2020-03-03"):
        grid_day([south], NORTH, DAY)


def test_only_requested_channels_are_gridded(swath):
    some = Accumulator(SVALBARD, HIGH_CHANNELS)
    some.add(swath)
    day = some.daily_map(DAY)
    assert "tb36v" not in day
    assert day.attrs["missing_channels"] == []
    assert day["time"].values == np.datetime64("2020-03-03T12:00")


def test_memory_does_not_grow_with_granules(swath):
    day = Accumulator(SVALBARD)
    day.add(swath)
    tracemalloc.start()
    for _ in range(4):
        day.add(swath)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 0.01 * swath.nbytes


def test_a_map_without_swaths_is_refused():
    with pytest.raises(NoInputError, match="at least one granule"):
        grid_day([], NORTH, DAY)
