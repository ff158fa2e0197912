"""89 GHz on the quarters of a cell: layout, gridding, missing values."""

from datetime import date

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from pyproj import Geod
from scipy import ndimage

from seaice.grid.blocks import QUARTERS, depth_to_space, space_to_depth
from seaice.grid.grid import NORTH
from seaice.grid.gridding import QUARTER_BEAM, Accumulator, daily_map_from_au_si6, grid_day
from seaice.instrument import HIGH_CHANNELS
from tests.support.granules import field, make_swath, write_au_si6

DAY = date(2020, 3, 3)
SQUARE = NORTH.crop(slice(940, 960), slice(640, 664))
NAMES = tuple(f"{name}_quarter" for name in HIGH_CHANNELS)


def points(latitude, longitude, v, h=None):
    """A swath of samples at these places, one scan of horn A."""
    dims = ("horn", "scan", "pixel")
    values = {"latitude": latitude, "longitude": longitude, "tb89v": v}
    values["tb89h"] = v - 30 if h is None else h
    return xr.Dataset(
        {n: (dims, np.asarray(a, np.float32).reshape(1, 1, -1)) for n, a in values.items()},
        coords={"horn": ["A"], "time": ("scan", np.array(["2020-03-03T10"], "datetime64[ns]"))},
        attrs={"granule": "points"},
    )


def gridded(*swaths):
    day = Accumulator(SQUARE, HIGH_CHANNELS)
    for swath in swaths:
        day.add(swath)
    return day.daily_map(DAY)


def scattered(seed, samples, within=SQUARE):
    """Samples anywhere on a grid, of any temperature."""
    random = np.random.default_rng(seed)
    longitudes, latitudes = within.refine(16).lonlat()
    chosen = random.choice(latitudes.size, samples, replace=False)
    kelvin = random.uniform(150, 280, samples)
    return points(latitudes.ravel()[chosen], longitudes.ravel()[chosen], kelvin)


@given(array_shapes(min_dims=2, max_dims=5, max_side=4))
def test_space_to_depth_and_depth_to_space_are_inverse(shape):
    *front, rows, columns = shape
    fine = np.arange(np.prod(shape) * 4).reshape(*front, 2 * rows, 2 * columns)
    assert np.array_equal(depth_to_space(space_to_depth(fine)), fine)
    assert space_to_depth(fine).shape == (*front, 4, rows, columns)


def test_a_quarter_is_where_its_name_says():
    fine = np.arange(24).reshape(4, 6)
    corners = {"nw": fine[::2, ::2], "ne": fine[::2, 1::2]}
    corners |= {"sw": fine[1::2, ::2], "se": fine[1::2, 1::2]}
    for name, quarter in zip(QUARTERS, space_to_depth(fine), strict=True):
        assert np.array_equal(quarter, corners[name]), name


@pytest.fixture(scope="module")
def smooth():
    """A pass over a field that changes by up to half a kelvin a kilometre, where cells are full."""
    grid = NORTH.crop(slice(1020, 1100), slice(610, 660))
    return grid, grid_day([make_swath(400, phase=1080.0)], grid, DAY)


def test_one_pass_fills_all_quarters_inside_its_edges(smooth):
    cells = np.isfinite(smooth[1]["tb89v"].values)
    inside = ndimage.binary_erosion(cells, iterations=4)
    assert inside.sum() > 1000
    for name in NAMES:
        assert np.isfinite(smooth[1][name].values)[:, inside].all()


def test_the_mean_of_the_quarters_of_a_smooth_field_is_about_the_cells_value(smooth):
    for name in HIGH_CHANNELS:
        mean = smooth[1][f"{name}_quarter"].mean("quarter", skipna=False)
        difference = np.abs(mean - smooth[1][name]).values
        assert np.nanmedian(difference) < 0.15
        assert np.nanpercentile(difference, 99) < 0.8


def test_quarters_of_a_smooth_field_are_the_field_at_their_centres(smooth):
    longitudes, latitudes = smooth[0].refine(2).lonlat()
    for name, base in (("tb89h", 200.0), ("tb89v", 230.0)):
        result = depth_to_space(smooth[1][f"{name}_quarter"].values)
        difference = np.abs(result - field(latitudes, longitudes, base))
        assert np.nanmedian(difference) < 0.25
        assert np.nanpercentile(difference, 99) < 1.2


@given(st.integers(8, 31), st.integers(8, 39))
@settings(max_examples=10)
def test_a_bright_sample_raises_its_own_quarter(row, column):
    longitudes, latitudes = SQUARE.refine(2).lonlat()
    kelvin = np.full(latitudes.shape, 200.0)
    kelvin[row, column] = 260
    result = gridded(points(latitudes, longitudes, kelvin))["tb89v_quarter"].values
    quarter = 2 * (row % 2) + column % 2
    brightest = np.unravel_index(np.nanargmax(result), result.shape)
    assert brightest == (quarter, row // 2, column // 2)


@given(st.integers(0, 10_000))
@settings(max_examples=5)
def test_a_quarter_is_the_gaussian_mean_of_the_samples_around_it(seed):
    """Written out with distances on the ellipsoid; absent where no sample is near enough."""
    swath = scattered(seed, 60)
    place = [swath[name].values.ravel() for name in ("longitude", "latitude")]
    hughes = Geod(a=6378273.0, rf=298.279411123064)
    longitudes, latitudes = (a.ravel() for a in SQUARE.refine(2).lonlat())
    pairs = [np.broadcast_to(a[:, None], (a.size, 60)) for a in (longitudes, latitudes)]
    theirs = [np.broadcast_to(a[None], (longitudes.size, 60)) for a in place]
    distance = hughes.inv(*pairs, *theirs)[2]
    weight = np.exp(-((distance / QUARTER_BEAM.sigma) ** 2)) * (distance <= QUARTER_BEAM.radius)
    doubtful = (np.abs(distance / QUARTER_BEAM.radius - 1) < 0.003).any(axis=1)
    with np.errstate(invalid="ignore"):
        expected = weight @ swath["tb89v"].values.ravel() / weight.sum(axis=1)
    ours = depth_to_space(gridded(swath)["tb89v_quarter"].values).ravel()
    assert np.isnan(expected).any()
    assert np.array_equal(np.isnan(ours)[~doubtful], np.isnan(expected)[~doubtful])
    assert np.nanmax(np.abs(ours - expected)[~doubtful]) < 1.5
    assert np.nanmedian(np.abs(ours - expected)) < 0.05


@given(st.permutations(range(4)))
@settings(max_examples=5)
def test_the_order_of_swaths_does_not_matter(order):
    swaths = [scattered(seed, 80) for seed in range(4)]
    straight, shuffled = gridded(*swaths), gridded(*(swaths[k] for k in order))
    for name in NAMES:
        np.testing.assert_allclose(shuffled[name], straight[name], atol=2e-3)


def test_a_missing_polarization_does_not_affect_the_other():
    whole = scattered(1, 200)
    half = whole.assign(tb89h=whole["tb89h"] * np.nan)
    assert gridded(half)["tb89h_quarter"].isnull().all()
    np.testing.assert_array_equal(gridded(half)[NAMES[1]], gridded(whole)[NAMES[1]])


def test_quarters_of_a_crop_are_the_crop_of_the_quarters():
    whole = gridded(scattered(2, 300))
    part = Accumulator(SQUARE.crop(slice(3, 11), slice(5, 14)), HIGH_CHANNELS)
    part.add(scattered(2, 300))
    for name in NAMES:
        cut = whole[name].isel(y=slice(3, 11), x=slice(5, 14))
        np.testing.assert_allclose(part.daily_map(DAY)[name], cut, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_quarters_have_attributes(name):
    result = gridded(scattered(3, 40))[name]
    assert result.dims == ("quarter", "y", "x")
    assert result.dtype == np.float32
    assert result.attrs["units"] == "K"
    assert result.attrs["standard_name"] == "toa_brightness_temperature"


def test_gridded_input_has_no_quarters(tmp_path):
    path = write_au_si6(tmp_path, {"NH": [np.full(NORTH.shape, 250.0)] * 2})
    day = daily_map_from_au_si6(path, SQUARE)
    assert day["tb89v"].notnull().all()
    for name in NAMES:
        assert day[name].sizes == {"quarter": 4, "y": 20, "x": 24}
        assert day[name].isnull().all()
