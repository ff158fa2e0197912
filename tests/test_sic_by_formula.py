"""Formulas make the same product: raw and final values, reasons, doubt, and tie points told."""

import json

import numpy as np
import pytest
import xarray as xr

from seaice.grid.blocks import repeat_to_fine_grid
from seaice.grid.grid import HEMISPHERES, coordinates
from seaice.retrieval.classical.algorithms import (
    BOOTSTRAP_TIE_POINTS,
    NASA_TEAM_TIE_POINTS,
    asi,
    bootstrap,
    nasa_team,
)
from seaice.retrieval.classical.corrections import blend
from seaice.retrieval.classical.daily import FORMULAS, ClassicalOptions, by_asi, by_bootstrap
from seaice.retrieval.flags import Flag

SHAPE = (20, 24)
LOW = ("tb18h", "tb18v", "tb23v", "tb36h", "tb36v")
WATER = dict(zip((*LOW, "tb89h", "tb89v"), (112.0, 189.5, 206.0, 150, 214, 215, 245), strict=True))
ICE = dict(zip((*LOW, "tb89h", "tb89v"), (226.0, 249.0, 245.0, 220, 236, 208, 219), strict=True))


def scene(hemisphere="north", seed=0):
    """Cloudy water to the left, ice to the right, both with noise; a coast below; a refined map."""
    grid = HEMISPHERES[hemisphere].crop(slice(400, 400 + SHAPE[0]), slice(400, 400 + SHAPE[1]))
    random = np.random.default_rng(seed)
    ice = np.arange(SHAPE[1]) >= 12
    tb = {
        name: (np.where(ice, ICE[name], WATER[name]) + random.normal(0, 1, SHAPE)).astype("f4")
        for name in WATER
    }
    attrs = {"crs": grid.crs, "status": "final"}
    daily = {name: (("y", "x"), tb[name]) for name in LOW}
    daily["n_obs"] = ("y", "x"), np.full(SHAPE, 9, np.uint16)
    daily["obs_time"] = ("y", "x"), np.full(SHAPE, np.datetime64("2020-03-03T11", "ns"))
    fine = {name: repeat_to_fine_grid(tb[name]) for name in ("tb89h", "tb89v")}
    fine["pd"] = fine["tb89v"] - fine["tb89h"]
    refined = {name: (("y", "x"), values) for name, values in fine.items()}
    land = np.zeros((4 * SHAPE[0], 4 * SHAPE[1]), bool)
    land[-8:] = True
    return (
        xr.Dataset(refined, coordinates(grid.refine(4)), attrs),
        xr.Dataset(daily, coordinates(grid), attrs),
        land,
    )


def has(product, flag):
    return (product["status_flag"].values & flag) > 0


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("hemisphere", ["north", "south"])
def test_raw_is_what_the_formula_says_and_final_what_the_filters_leave(name, hemisphere):
    refined, daily, land = scene(hemisphere)
    result = FORMULAS[name](refined, daily, land, None, None)
    tb = {channel: daily[channel].values for channel in LOW}
    expected = {
        "asi": asi(refined["pd"].values),
        "bootstrap": repeat_to_fine_grid(
            bootstrap(tb["tb18v"], tb["tb36v"], tb["tb36h"], BOOTSTRAP_TIE_POINTS[hemisphere])
        ),
        "nasa_team": repeat_to_fine_grid(
            nasa_team(tb["tb18h"], tb["tb18v"], tb["tb36v"], NASA_TEAM_TIE_POINTS[hemisphere])
        ),
    }[name]
    np.testing.assert_allclose(
        result["sic_raw"].values, np.where(land, np.nan, expected), atol=1e-6
    )
    changed = result["sic"].values != result["sic_raw"].values
    cause = has(result, Flag.OPEN_WATER_FILTERED | Flag.LAND_SPILLOVER_CORRECTED)
    np.testing.assert_array_equal(changed & ~land, cause)
    assert (result["sic"].values[cause] == 0).all()
    water = repeat_to_fine_grid(np.arange(SHAPE[1])[None] < 12)[0]
    assert np.nanmax(result["sic"].values[:, water]) == 0
    assert np.nanmin(result["sic"].values[:, ~water]) > 0.8


@pytest.mark.parametrize("name", FORMULAS)
def test_doubt_has_two_parts_whose_squares_add_up(name):
    result = FORMULAS[name](*scene(), None, None)
    parts = result["sic_algorithm_uncertainty"] ** 2 + result["sic_smearing_uncertainty"] ** 2
    known = result["sic"].notnull().values
    np.testing.assert_allclose(
        parts.values[known], result["sic_uncertainty"].values[known] ** 2, rtol=1e-4
    )
    edge = result["sic_smearing_uncertainty"].values[:40, 44:52]
    far = result["sic_smearing_uncertainty"].values[:40, :24]
    assert edge.min() > far.max()


@pytest.mark.parametrize("name", FORMULAS)
def test_tie_points_travel_with_the_product(name):
    told = json.loads(
        FORMULAS[name](*scene(), ClassicalOptions(tie_points="dynamic"), None).attrs["tie_points"]
    )
    assert told["algorithm"] == name
    assert all("fewer than" in point["why"] for point in told["tie_points"].values())


def test_without_a_filter_clouds_stay_and_nothing_is_called_filtered():
    result = by_asi(*scene(), ClassicalOptions(weather_filter="none"))
    assert not has(result, Flag.OPEN_WATER_FILTERED).any()
    assert np.nanmin(result["sic"].values) > 0.3


@pytest.mark.parametrize(("cut", "left"), [(0.5, 1.0), (0.7, 0.0)])
def test_the_bootstrap_cut_opens_what_bootstrap_calls_less(cut, left):
    """V19 225 and V37 236 K make 59 % by Bootstrap; no gradient ratio accuses them."""
    refined, daily, land = scene()
    ice = np.arange(SHAPE[1]) >= 12
    for name, kelvin in {"tb18v": 225.0, "tb23v": 235.0, "tb36v": 236.0, "tb36h": 180.0}.items():
        daily[name][:, ice] = kelvin
    result = by_asi(refined, daily, land, ClassicalOptions(bootstrap_cut=cut))
    assert (result["sic"].values[:72, 48:] > 0).mean() == left


def test_calibration_moves_asi_as_the_published_lines_do():
    refined, daily, land = scene()
    moved = by_asi(refined, daily, land, ClassicalOptions(calibration="amsre"))["sic_raw"].values
    v, h = refined["tb89v"].values * 0.989 + 0.677, refined["tb89h"].values * 0.977 + 3.184
    np.testing.assert_allclose(moved, np.where(land, np.nan, asi(v - h)), atol=1e-6)


def test_without_low_frequencies_asi_runs_unfiltered_and_says_so_and_bootstrap_has_no_input():
    refined, daily, land = scene()
    bare = daily.drop_vars(LOW)
    result = by_asi(refined, bare, land)
    assert np.array_equal(has(result, Flag.LOW_FREQUENCY_MISSING), ~land)
    assert np.array_equal(result["sic"].values, result["sic_raw"].values, equal_nan=True)
    nothing = by_bootstrap(refined, bare, land)
    assert bool(nothing["sic"].isnull().all())
    assert np.array_equal(has(nothing, Flag.NO_INPUT), ~land)


def two(doubt, blind=False):
    """A product that stands for a network's, with a doubt of its own, and ASI's."""
    refined, daily, land = scene()
    classical = by_asi(refined, daily, land)
    network = classical.copy(deep=True)
    network["sic"] = classical["sic"] * 0 + 0.5
    network["sic_uncertainty"] = classical["sic"] * 0 + np.float32(doubt)
    network["status_flag"] = network["status_flag"] & ~np.uint16(Flag.OPEN_WATER_FILTERED)
    if blind:
        network["status_flag"] = network["status_flag"] | np.uint16(Flag.LOW_FREQUENCY_MISSING)
    return network, classical


def test_a_network_that_is_sure_is_believed():
    network, classical = two(doubt=0.05)
    result = blend(network, classical)
    xr.testing.assert_identical(result.drop_attrs(), network.drop_attrs())


def test_a_network_in_doubt_gives_way_only_to_less_doubt():
    network, classical = two(doubt=0.21)
    result = blend(network, classical)
    better = (classical["sic_uncertainty"] < np.float32(0.21)).values
    assert 0 < better.mean() < 1
    np.testing.assert_array_equal(has(result, Flag.CLASSICAL_FALLBACK), better)
    known = result["sic"].notnull().values
    for name in ("sic", "sic_uncertainty"):
        expected = np.where(better, classical[name].values, network[name].values)
        np.testing.assert_array_equal(result[name].values[known], expected[known])
    assert (result["sic_uncertainty"] <= network["sic_uncertainty"]).values[known].all()


def test_a_network_without_evidence_gives_way():
    network, classical = two(doubt=0.01, blind=True)
    result = blend(network, classical)
    known = classical["sic"].notnull().values
    np.testing.assert_array_equal(has(result, Flag.CLASSICAL_FALLBACK), known)
    np.testing.assert_array_equal(result["sic"].values, classical["sic"].values)


def test_where_the_formula_has_nothing_the_network_stays():
    network, classical = two(doubt=0.5)
    classical["sic"][:] = np.nan
    result = blend(network, classical)
    np.testing.assert_array_equal(result["sic"].values, network["sic"].values)
    assert not has(result, Flag.CLASSICAL_FALLBACK).any()


def test_a_network_that_tells_no_doubt_gives_way_to_a_formula_that_does():
    network, classical = two(doubt=np.nan)
    result = blend(network, classical)
    known = classical["sic"].notnull().values
    assert has(result, Flag.CLASSICAL_FALLBACK)[known].all()
