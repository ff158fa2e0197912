"""Temperatures that neither water nor ice has are flagged, and the map is less sure there."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from seaice.retrieval.classical.daily import FORMULAS, by_asi
from seaice.retrieval.flags import Flag
from seaice.retrieval.uncertainty import (
    DIRECTIONS,
    GUARD,
    KELVIN_PER_UNIT,
    SUPPORT,
    excess,
    excess_map,
    widened,
)
from tests.test_sic_by_formula import scene

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
POINTS = SHARED / "real" / "rrdp_amsr2_points.nc"
LABELS = {
    "6": "6p9",
    "7": "7p3",
    "10": "10p7",
    "18": "18p7",
    "23": "23p8",
    "36": "36p5",
    "89": "89p0",
}
kelvin = st.floats(50, 350)
band = st.sampled_from(sorted(SUPPORT))


@given(band, st.tuples(kelvin, kelvin), st.tuples(kelvin, kelvin), st.floats(0, 1))
def test_mixtures_lie_no_farther_outside_than_what_is_mixed(band, one, other, share):
    """Convex: a footprint of two surfaces that are both in range is in range."""
    mixed = [share * a + (1 - share) * b for a, b in zip(one, other, strict=True)]
    difference = [float(excess(band, *map(np.array, pair))) for pair in (one, other, mixed)]
    assert difference[2] <= max(difference[:2]) + 1e-3


@given(band, kelvin, kelvin, st.integers(0, 23), st.floats(0, 50), st.floats(0, 50))
def test_excess_grows_outward(band, h, v, direction, near, far):
    """From a cell whose farthest direction is known, a step that way adds the step."""
    near, far = sorted([near, far])
    turn = DIRECTIONS[direction]
    start = np.cos(turn) * v + np.sin(turn) * h - SUPPORT[band][direction] - GUARD
    steps = [
        float(excess(band, np.array(h + by * np.sin(turn)), np.array(v + by * np.cos(turn))))
        for by in (near, far)
    ]
    assert all(result >= start + by - 1e-2 for result, by in zip(steps, (near, far), strict=True))
    if start >= 0 and steps[0] <= start + near + 1e-2:
        assert steps[1] >= steps[0] - 1e-2


@given(st.floats(0, 1), st.floats(0, 100), st.floats(0, 100))
def test_uncertainty_grows_with_the_excess_and_stays_where_there_is_none(uncertainty, a, b):
    less, more = sorted([a, b])
    assert widened(uncertainty, 0.0) == pytest.approx(uncertainty, abs=1e-6)
    assert widened(uncertainty, less) <= widened(uncertainty, more) + 1e-6
    assert widened(0.0, more) == pytest.approx(more / KELVIN_PER_UNIT, rel=1e-5)


@pytest.mark.skipif(not POINTS.exists(), reason="real samples are not at hand")
def test_real_water_and_ice_are_in_range_and_spoilt_ones_are_not():
    with xr.open_dataset(POINTS) as points:
        water = points["sic"].values == 0
        tb = {b: [points[f"tb{label}{pol}"].values for pol in "hv"] for b, label in LABELS.items()}
    plain, swapped, warmer = (
        np.max([excess(b, *change(*pair)) for b, pair in tb.items()], axis=0)
        for change in (lambda h, v: (h, v), lambda h, v: (v, h), lambda h, v: (h + 20, v + 20))
    )
    for surface in (water, ~water):
        assert (plain[surface] > 0).mean() < 0.005
        assert (swapped[surface] > 5).mean() > 0.99
        assert (warmer[surface] > 0).mean() > 0.6
        assert np.median(warmer[surface]) / KELVIN_PER_UNIT > 0.02


def test_a_band_says_nothing_where_its_footprint_holds_land_or_it_is_absent():
    land = np.zeros((256, 256), bool)
    land[:, :64] = True
    tb = {"tb89h": np.full((64, 64), 280.0), "tb89v": np.full((64, 64), 285.0)}
    result = excess_map(tb, land)
    assert (result[:, :14] == 0).all()
    assert (result[:, 20:] > 0).all()
    tb["tb89h"][30] = np.nan
    assert (excess_map(tb, land)[30] == 0).all()
    assert (excess_map({}, land) == 0).all()


def spoilt(change):
    """A refined map and a daily map whose H and V of each band are changed."""
    refined, daily, land = scene()
    for maps in (refined, daily):
        for name in [str(each) for each in maps if str(each).endswith("v")]:
            h = f"{name[:-1]}h"
            if h in maps:
                pair = change(maps[h].values, maps[name].values)
                maps[h], maps[name] = (
                    maps[each].copy(data=values)
                    for each, values in zip((h, name), pair, strict=True)
                )
    refined["pd"] = refined["tb89v"] - refined["tb89h"]
    return refined, daily, land


@pytest.mark.parametrize("name", FORMULAS)
def test_a_day_with_wrong_temperatures_is_flagged_and_not_sure_of_itself(name):
    maps = [lambda h, v: (h, v), lambda h, v: (h + 40, v + 40), lambda h, v: (v, h)]
    plain, warmer, swapped = (FORMULAS[name](*spoilt(change), None, None) for change in maps)
    sea = np.isfinite(plain["sic"].values)

    def flagged(made):
        return (made["status_flag"].values[sea] & Flag.OUT_OF_RANGE) > 0

    assert flagged(plain).mean() < 0.01
    for made in (warmer, swapped):
        assert flagged(made).mean() > 0.75  # but where land is near
        here = flagged(made)
        for kind in ("sic_uncertainty", "sic_uncertainty_95", "sic_algorithm_uncertainty"):
            assert np.median(made[kind].values[sea][here]) > 0.15
        assert (made["sic_uncertainty_95"].values[sea] <= 1).all()


def test_where_nothing_is_out_of_range_nothing_changes(monkeypatch):
    plain = by_asi(*scene())
    inside = (plain["status_flag"].values & Flag.OUT_OF_RANGE) == 0
    none = np.zeros(scene()[1]["n_obs"].shape, np.float32)
    monkeypatch.setattr("seaice.retrieval.concentrate.excess_map", lambda *_: none)
    before = by_asi(*scene())
    for kind in ("sic", "sic_uncertainty", "sic_uncertainty_95"):
        np.testing.assert_array_equal(plain[kind].values[inside], before[kind].values[inside])
