"""A tie point of the day is believed when enough cells tell it and it has not wandered."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice.retrieval.classical import algorithms
from seaice.retrieval.classical.tie_points import FEWEST, GUARD, ICE_GUARD, choose, tie_point

PUBLISHED = 200.0
CHANNELS = ("tb18h", "tb18v", "tb23v", "tb36h", "tb36v", "tb89h", "tb89v")
CLEAR = dict(zip(CHANNELS, (107.4, 186.7, 201.0, 140.0, 210.9, 198.0, 244.0), strict=True))
CLOUDY = dict(zip(CHANNELS, (125.0, 196.0, 216.0, 172.0, 224.5, 238.0, 252.0), strict=True))
ICE = dict(zip(CHANNELS, (226.0, 249.0, 245.0, 220.0, 236.0, 208.0, 219.0), strict=True))


def day(clear=2000, cloudy=2000, ice=2000, seed=0):
    """Cells of three surfaces in one row, with a little noise."""
    random = np.random.default_rng(seed)
    sizes = (clear, cloudy, ice)
    return {
        name: np.concatenate(
            [
                random.normal(surface[name], 0.2, size)
                for surface, size in zip((CLEAR, CLOUDY, ICE), sizes, strict=True)
            ]
        )[None]
        for name in CHANNELS
    }


def chosen(tb, source="dynamic", sea=True, hemisphere="north"):
    return choose(tb, np.full(tb["tb18v"].shape, sea), hemisphere, source)


@given(st.floats(-40, 40), st.integers(FEWEST - 300, FEWEST + 300))
def test_guard_and_count_decide_and_what_was_measured_is_kept(shift, cells):
    result = tie_point(np.full(cells, PUBLISHED + shift), 2, PUBLISHED, "dynamic")
    believed = cells >= FEWEST and abs(round(PUBLISHED + shift, 3) - PUBLISHED) < GUARD
    assert result.value == pytest.approx(PUBLISHED + shift if believed else PUBLISHED, abs=1e-3)
    assert (result.why == "of the day") == believed
    assert abs(result.value - PUBLISHED) < GUARD
    assert (result.measured is None) == (cells < FEWEST)
    assert result.cells == cells


@given(st.floats(-9, 9))
def test_published_ones_are_used_where_wished_and_the_day_is_still_measured(shift):
    result = tie_point(np.full(FEWEST, PUBLISHED + shift), None, PUBLISHED, "published")
    assert result.value == PUBLISHED
    assert result.measured == pytest.approx(PUBLISHED + shift, abs=1e-3)


def test_a_percentile_is_one():
    values = np.arange(10_000) / 1000 + 195
    assert tie_point(values, 2, PUBLISHED, "dynamic").value == pytest.approx(195.2, abs=0.01)


def test_clouds_do_not_drag_the_open_water_of_asi_down():
    """Cloudy water has a V - H of 14 K here, clear water 46 K; nine cells in ten are cloudy."""
    result = chosen(day(clear=1500, cloudy=13500)).points["asi water pd"]
    assert result.why == "of the day"
    assert result.cells == pytest.approx(1500, abs=2)
    assert result.value == pytest.approx(46, abs=0.1)


def test_closed_ice_is_found_and_is_not_water():
    result = chosen(day(ice=3000)).points["asi ice pd"]
    assert result.cells == 3000
    assert result.value == pytest.approx(11, abs=0.2)


def test_a_day_of_little_sea_falls_back_with_a_reason():
    few = chosen(day(clear=10, cloudy=10, ice=10))
    assert few.asi == algorithms.ASI_TIE_POINTS
    assert few.bootstrap == algorithms.BOOTSTRAP_TIE_POINTS["north"]
    assert few.nasa_team == algorithms.NASA_TEAM_TIE_POINTS["north"]
    assert all("fewer than" in point.why for point in few.points.values())


def test_land_and_absent_cells_tell_nothing():
    assert all(point.cells == 0 for point in chosen(day(), sea=False).points.values())
    absent = day()
    absent["tb23v"][:] = np.nan
    points = chosen(absent).points
    assert points["asi water pd"].cells == 0  # clear of weather cannot be known


def test_what_is_used_is_what_is_told():
    result = chosen(day())
    assert result.asi.water == result.points["asi water pd"].value
    assert result.bootstrap.polarization.water == tuple(
        result.points[f"bootstrap water {name}"].value for name in ("tb36v", "tb36h")
    )
    assert result.bootstrap.frequency.offset == result.points["bootstrap ice line tb18v"].value
    assert result.nasa_team.water.tb18h == result.points["nasa_team water tb18h"].value
    told = json.loads(result.told("bootstrap"))
    assert told["algorithm"] == "bootstrap"
    assert set(told["tie_points"]) == {
        *(f"water {name}" for name in ("tb36v", "tb36h", "tb18v")),
        *(f"ice line {name}" for name in ("tb36h", "tb18v")),
    }
    assert {"value", "published", "measured", "cells", "why"} == set(
        told["tie_points"]["water tb18v"]
    )


def test_ice_rises_to_the_line_of_the_day():
    """The mean of ice over the published line becomes 100 %, as NSIDC fits it."""
    tb = day()
    result = chosen(tb)
    plane, published = (
        result.bootstrap.polarization,
        algorithms.BOOTSTRAP_TIE_POINTS["north"].polarization,
    )
    over = published.height(tb["tb36v"], tb["tb36h"])[0, -2000:]
    assert plane.offset - published.offset == pytest.approx(over[over > 0].mean(), abs=1e-3)


@given(
    st.floats(algorithms.ASI_TIE_POINTS.water - GUARD, algorithms.ASI_TIE_POINTS.water + GUARD),
    st.floats(algorithms.ASI_TIE_POINTS.ice - ICE_GUARD, algorithms.ASI_TIE_POINTS.ice + ICE_GUARD),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_within_the_guard_more_polarization_is_never_more_ice(water, ice, one, other):
    points = algorithms.TiePoints(water=water, ice=ice)
    pd = ice + (water - ice) * np.sort([one, other])
    more, less = algorithms.asi(pd, points)
    assert less <= more + 1e-9
