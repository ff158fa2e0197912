"""NASA Team undoes the linear mixing of three surfaces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice.retrieval.classical.algorithms import NASA_TEAM_TIE_POINTS, nasa_team

hemispheres = st.sampled_from(["north", "south"])
CHANNELS = ("tb18h", "tb18v", "tb36v")


def surfaces(hemisphere):
    points = NASA_TEAM_TIE_POINTS[hemisphere]
    three = points.water, points.first_year, points.multi_year
    return np.array([[getattr(surface, name) for name in CHANNELS] for surface in three])


def cavalieri(tb, hemisphere):
    """The published quotient of polynomials in PR and GR, its coefficients from tie points."""
    h, v, v37 = tb
    pr, gr = (v - h) / (v + h), (v37 - v) / (v37 + v)
    water, first, old = surfaces(hemisphere)

    def pair(s):
        return (s[1] - s[0], s[1] + s[0]), (s[2] - s[1], s[2] + s[1])

    def minor(one, other):
        """D of PR and GR for two surfaces, by its four coefficients."""
        (a0, a1), (b0, b1) = pair(one)
        (c0, c1), (d0, d1) = pair(other)
        constant = a0 * d0 - c0 * b0
        of_pr = -(a1 * d0 - c1 * b0)
        of_gr = -(a0 * d1 - c0 * b1)
        of_both = a1 * d1 - c1 * b1
        return constant + of_pr * pr + of_gr * gr + of_both * pr * gr

    f, m, w = minor(old, water), minor(water, first), minor(first, old)
    return np.clip((f + m) / (f + m + w), 0, 1)


@given(hemispheres, st.floats(0, 1), st.floats(0, 1))
def test_what_was_mixed_is_found_again(hemisphere, ice, old):
    shares = np.array([1 - ice, ice * (1 - old), ice * old])
    mixed = shares @ surfaces(hemisphere)
    result = nasa_team(*(np.array([tb]) for tb in mixed), NASA_TEAM_TIE_POINTS[hemisphere])[0]
    assert result == pytest.approx(ice, abs=1e-9)


@given(hemispheres, st.floats(80, 260), st.floats(5, 80), st.floats(-60, 40))
def test_it_is_the_published_quotient(hemisphere, h, polarized, steep):
    tb = h, h + polarized, h + polarized + steep
    expected = cavalieri(tb, hemisphere)
    result = float(nasa_team(*(np.array([one]) for one in tb), NASA_TEAM_TIE_POINTS[hemisphere])[0])
    assert result == pytest.approx(expected, abs=1e-6)
    assert 0 <= result <= 1


@given(hemispheres, st.floats(0.05, 0.95), st.floats(0.9, 1.1))
def test_temperature_of_the_whole_scene_cancels(hemisphere, ice, warmer):
    mixed = np.array([1 - ice, ice, 0]) @ surfaces(hemisphere)
    same = [
        nasa_team(*(times * mixed)[:, None], NASA_TEAM_TIE_POINTS[hemisphere])[0]
        for times in (1, warmer)
    ]
    assert same[0] == pytest.approx(same[1], abs=1e-9)


@pytest.mark.parametrize("absent", range(3))
def test_without_a_channel_nothing_is_told(absent):
    channels = [[200.0], [230.0], [220.0]]
    channels[absent] = [np.nan]
    assert np.isnan(nasa_team(*map(np.array, channels), NASA_TEAM_TIE_POINTS["north"])).all()
