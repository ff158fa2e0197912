"""Filters have their published limits, and AMSR2 becomes AMSR-E by published lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice.retrieval.classical.corrections import (
    AS_AMSRE,
    as_amsre,
    gradient_ratio,
    limits_of,
    weather_filter,
)

LIMITS = {
    ("spreen", "north"): (0.045, 0.040),
    ("spreen", "south"): (0.045, 0.040),
    ("noaa", "north"): (0.046, 0.045),
    ("noaa", "south"): (0.046, 0.045),
    ("nsidc", "north"): (0.050, 0.045),
    ("nsidc", "south"): (0.057, 0.045),
}


@pytest.mark.parametrize(("which", "limits"), LIMITS.items())
def test_limits_are_the_published_ones_and_count_themselves(which, limits):
    published = limits_of(*which)
    assert (published.cloud, published.vapour) == limits
    for ratio, channel in zip(limits, ("cloud", "vapour"), strict=True):
        low = np.full(2, 200.0)
        high = 200 * (1 + ratio + np.array([1e-9, -1e-9])) / (1 - ratio - np.array([1e-9, -1e-9]))
        tb36v, tb23v = (high, low) if channel == "cloud" else (low, high)
        assert weather_filter(low, tb23v, tb36v, limits=published).tolist() == [True, False]


def test_no_filter_has_no_limits():
    assert limits_of("none", "north") is None


@given(st.floats(100, 300), st.floats(100, 300), st.floats(0.5, 2))
def test_a_ratio_knows_no_scale_and_changes_sign(high, low, times):
    one, other = np.array([high]), np.array([low])
    ratio = gradient_ratio(one, other)
    assert ratio == pytest.approx(-gradient_ratio(other, one))
    assert ratio == pytest.approx(gradient_ratio(times * one, times * other), abs=1e-12)


@given(st.sampled_from(["north", "south"]), st.floats(80, 290))
def test_every_adjusted_channel_follows_its_line_within_ten_kelvin(hemisphere, kelvin):
    told = as_amsre({name: np.array([kelvin]) for name in AS_AMSRE[hemisphere]}, hemisphere)
    for name, (slope, offset) in AS_AMSRE[hemisphere].items():
        assert told[name][0] == pytest.approx(slope * kelvin + offset)
        assert abs(told[name][0] - kelvin) < 10


def test_channels_without_a_line_stay():
    tb = {"tb6v": np.array([170.0])}
    assert as_amsre(tb, "south")["tb6v"].tolist() == [170.0]


def test_at_89_ghz_southern_ice_moves_as_published():
    told = as_amsre({"tb89v": np.array([220.0]), "tb89h": np.array([208.0])}, "south")
    assert told["tb89v"][0] == pytest.approx(218.739)
    assert told["tb89h"][0] == pytest.approx(206.487)
