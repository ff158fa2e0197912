"""What place, season and other days add: flagged values where the day saw nothing, no change."""

from datetime import date, timedelta

import numpy as np
import pytest
import xarray as xr

from seaice.grid.grid import NORTH, SOUTH, coordinates
from seaice.grid.masks import lake_mask, outside_climatology
from seaice.retrieval.classical.corrections import disagreement
from seaice.retrieval.flags import Flag
from seaice.retrieval.gap_filling import fill_pole_hole, interpolate_between_days, postprocess
from seaice.retrieval.uncertainty import smearing, split_uncertainty
from seaice.stack import observed_frames

DAY = date(2020, 3, 3)
POLE = NORTH.crop(slice(896, 976), slice(576, 656))  # 250 km around
SHAPE = (16, 20)
WATER, ICE = 47.0, 11.7  # K, tie points of ASI
SMALL = NORTH.crop(slice(900, 900 + SHAPE[0]), slice(600, 600 + SHAPE[1]))


def daily_map(pd, filtered=False):
    """A map whose polarization difference is given, (y, x) K, without or with weather."""
    pd = np.broadcast_to(np.asarray(pd, np.float32), SHAPE)
    low = {"tb18v": 185.0, "tb23v": 200.0, "tb36v": 205.0 if filtered else 180.0}
    maps = {name: np.where(np.isfinite(pd), kelvin, np.nan) for name, kelvin in low.items()}
    maps |= {"tb89h": np.full(SHAPE, 200.0), "tb89v": 200.0 + pd}
    maps["n_obs"] = np.where(np.isfinite(pd), 9, 0).astype(np.uint16)
    return xr.Dataset({name: (("y", "x"), values) for name, values in maps.items()})


def product(sic, grid, absent):
    """A product with one value everywhere but where it is absent, (y, x) refined."""
    shape = grid.refine(4).shape
    fraction = np.where(absent, np.nan, np.broadcast_to(sic, shape)).astype(np.float32)
    uncertainty = np.where(absent, np.nan, 0.05).astype(np.float32)
    flags = np.where(absent, Flag.NO_INPUT, 0).astype(np.uint16)
    maps = dict.fromkeys(("sic", "sic_raw"), fraction)
    maps |= {
        "sic_uncertainty_95": 2 * uncertainty,
        "sic_uncertainty": uncertainty,
        "sic_algorithm_uncertainty": uncertainty,
    }
    maps |= {"sic_smearing_uncertainty": np.where(absent, np.nan, 0).astype(np.float32)}
    return xr.Dataset(
        {name: (("y", "x"), values) for name, values in (maps | {"status_flag": flags}).items()},
        coords=coordinates(grid.refine(4)),
        attrs={"crs": grid.crs, "date": DAY.isoformat()},
    )


def has(made, flag):
    return (made["status_flag"].values & flag) == flag


def days(**by_offset):
    offsets = {"two_before": -2, "before": -1, "after": 1, "two_after": 2}
    return {DAY + timedelta(days=offsets[name]): each for name, each in by_offset.items()}


@pytest.fixture
def gap():
    absent = np.zeros((64, 80), bool)
    absent[16:32, 20:40] = True
    return absent


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (days(before=daily_map(ICE), after=daily_map(WATER)), 0.5),
        (days(before=daily_map(ICE), two_after=daily_map(WATER)), 2 / 3),
        (days(two_before=daily_map(ICE), after=daily_map(WATER)), 1 / 3),
        (days(two_before=daily_map(ICE), two_after=daily_map(WATER)), 0.5),
        (days(two_before=daily_map(ICE), before=daily_map(WATER), after=daily_map(WATER)), 0.0),
    ],
)
def test_a_gap_takes_the_line_between_the_nearest_days(gap, maps, expected):
    result = interpolate_between_days(product(0.3, SMALL, gap), maps)
    np.testing.assert_allclose(result["sic"].values[gap], expected, atol=1e-6)
    assert np.array_equal(has(result, Flag.GAP_FILLED), gap)
    assert not has(result, Flag.NO_INPUT).any()
    assert np.isnan(result["sic_raw"].values[gap]).all()


def test_what_was_observed_stays(gap):
    before = product(0.3, SMALL, gap)
    maps = days(before=daily_map(ICE), after=daily_map(ICE))
    result = interpolate_between_days(before, maps)
    for name in before:
        np.testing.assert_array_equal(result[name].values[~gap], before[name].values[~gap])
        assert result[name].dtype == before[name].dtype


@pytest.mark.parametrize("side", ["before", "two_before", "after", "two_after"])
def test_one_side_alone_fills_nothing(gap, side):
    options = product(0.3, SMALL, gap)
    xr.testing.assert_identical(
        interpolate_between_days(options, days(**{side: daily_map(ICE)})), options
    )


def test_weather_of_a_neighbour_is_no_ice(gap):
    maps = days(before=daily_map(ICE, filtered=True), after=daily_map(ICE, filtered=True))
    result = interpolate_between_days(product(0.3, SMALL, gap), maps)
    assert (result["sic"].values[gap] == 0).all()


def test_neighbours_whose_weather_is_unknown_fill_nothing(gap):
    blind = daily_map(ICE).drop_vars("tb23v")
    options = product(0.3, SMALL, gap)
    xr.testing.assert_identical(
        interpolate_between_days(options, days(before=blind, after=blind)), options
    )


def test_land_is_never_filled(gap):
    options = product(0.3, SMALL, gap)
    flags = options["status_flag"].values
    flags[20, 25] = Flag.LAND
    result = interpolate_between_days(options, days(before=daily_map(ICE), after=daily_map(ICE)))
    assert np.isnan(result["sic"].values[20, 25])
    assert flags[20, 25] == result["status_flag"].values[20, 25] == Flag.LAND


def test_what_changed_between_the_days_is_less_sure(gap):
    options = product(1.0, SMALL, gap)
    steady = interpolate_between_days(options, days(before=daily_map(ICE), after=daily_map(ICE)))
    moving = interpolate_between_days(options, days(before=daily_map(ICE), after=daily_map(WATER)))
    one, other = (
        result["sic_algorithm_uncertainty"].values[gap].min() for result in (steady, moving)
    )
    assert one > 0.03
    assert other > np.hypot(one, 0.3)


def hole(radius):
    """Refined cells within so many metres of the pole, whole coarse cells."""
    x, y = np.meshgrid(POLE.x, POLE.y)
    return (np.hypot(x, y) < radius).repeat(4, 0).repeat(4, 1)


def test_the_pole_hole_takes_after_its_rim():
    absent = hole(150e3)
    result = fill_pole_hole(product(0.9, POLE, absent))
    np.testing.assert_allclose(result["sic"].values, 0.9, atol=1e-6)
    assert np.array_equal(has(result, Flag.POLE_HOLE | Flag.GAP_FILLED), absent)
    assert np.isnan(result["sic_raw"].values[absent]).all()


def test_a_hole_between_ice_and_water_lies_between_and_is_unsure():
    absent = hole(150e3)
    half = np.where(np.arange(320) < 160, 1.0, 0.0)[None]
    result = fill_pole_hole(product(half, POLE, absent))
    inside = result["sic"].values[absent]
    assert 0 < inside.min() < 0.2 < 0.8 < inside.max() < 1
    assert result["sic_uncertainty"].values[absent].min() > 0.3


@pytest.mark.parametrize("where", ["a swath is missing", "too wide", "no hole"])
def test_what_is_no_hole_with_a_known_rim_stays_open(where):
    absent = hole({"a swath is missing": 150e3, "too wide": 300e3, "no hole": 0.0}[where])
    if where == "a swath is missing":
        absent[:, 100:120] = True
    options = product(0.9, POLE, absent)
    xr.testing.assert_identical(fill_pole_hole(options), options)


def test_the_south_and_maps_beside_the_pole_have_no_hole():
    for grid in (SOUTH.crop(slice(600, 680), slice(600, 680)), SMALL):
        options = product(0.9, grid, np.ones(grid.refine(4).shape, bool))
        xr.testing.assert_identical(fill_pole_hole(options), options)


def test_ice_outside_its_climatology_is_flagged_and_stays():
    grid = NORTH.crop(slice(1216, 1248), slice(900, 932))  # Norwegian Sea
    outside = outside_climatology(grid, DAY.month).repeat(4, 0).repeat(4, 1)
    assert outside.any()
    for fraction, flagged in ((0.5, outside), (0.1, np.zeros_like(outside))):
        options = product(fraction, grid, np.zeros_like(outside))
        result = postprocess(options, {}, "gaps")
        assert np.array_equal(has(result, Flag.OUTSIDE_CLIMATOLOGY), flagged)
        xr.testing.assert_equal(result["sic"], options["sic"])


def test_lakes_are_flagged_and_stay_without_a_value():
    grid = NORTH.crop(slice(1040, 1104), slice(64, 128))  # Canada
    lakes = lake_mask(grid.refine(4))
    assert lakes.any()
    result = postprocess(product(0.5, grid, lakes), {}, "none")
    assert np.array_equal(has(result, Flag.LAKE), lakes)
    assert np.isnan(result["sic"].values[lakes]).all()


def test_nothing_is_filled_unless_wished_for():
    result = postprocess(product(0.9, POLE, hole(150e3)), {}, "none")
    assert np.array_equal(has(result, Flag.NO_INPUT), hole(150e3))


@pytest.mark.parametrize(
    ("network", "pd", "weather", "disagrees"),
    [
        (0.5, WATER, True, True),  # ice to the network, open water to the filters
        (0.1, ICE, True, False),
        (0.1, ICE, False, True),  # the filters let ice stand that the network does not see
        (0.5, ICE, False, False),
        (0.1, WATER, False, False),
        (np.nan, ICE, True, False),
    ],
)
def test_network_and_filters_disagree_across_the_edge(network, pd, weather, disagrees):
    sic, fine = (np.full((64, 80), value, np.float32) for value in (network, pd))
    told = disagreement(sic, fine, daily_map(pd, filtered=weather))
    assert told.all() == told.any() == disagrees
    blind = daily_map(pd, filtered=weather).drop_vars("tb36v")
    assert not disagreement(sic, fine, blind).any()


def test_real_frames_are_days_with_both_polarizations():
    maps = {DAY: daily_map(ICE), **days(before=daily_map(ICE), two_after=daily_map(ICE))}
    maps[DAY]["tb89v"][3, 4] = np.nan
    bits = observed_frames(maps, DAY).values
    assert bits[3, 4] == 2 + 16
    bits[3, 4] = 2 + 4 + 16
    assert (bits == 2 + 4 + 16).all()


def test_smearing_is_the_range_around_and_splits_the_total():
    sic = np.zeros((24, 24), np.float32)
    sic[:, 12:] = 1.0
    total = np.full_like(sic, 0.1)
    algorithm, within = split_uncertainty(sic, total)
    assert (smearing(sic)[:, 8:16] == np.float32(0.19)).all()
    assert (smearing(sic)[:, :8] == 0).all()
    assert (within[:, 8:16] == np.float32(0.1)).all()  # not more than the total
    assert (algorithm[:, 8:16] == 0).all()
    np.testing.assert_allclose(np.hypot(algorithm, within), total, rtol=1e-6)
