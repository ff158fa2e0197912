"""Bootstrap measures along a ray from open water to a line of ice, by whichever algebra."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seaice.retrieval.classical.algorithms import BOOTSTRAP_TIE_POINTS, bootstrap

hemispheres = st.sampled_from(["north", "south"])
kelvins = st.floats(60, 300)


def one(v18, v36, h36, hemisphere):
    return float(
        bootstrap(*(np.array([tb]) for tb in (v18, v36, h36)), BOOTSTRAP_TIE_POINTS[hemisphere])[0]
    )


def along_the_ray(plane, x, y):
    """Share of the way from open water to where the ray meets the line, by solving for it."""
    dx, dy = x - plane.water[0], y - plane.water[1]
    rows = np.array([[dx, -1.0], [dy, -plane.slope]])
    way, _ = np.linalg.solve(rows, [-plane.water[0], plane.offset - plane.water[1]])
    return 1 / way


@given(hemispheres, st.floats(0.05, 0.85), st.floats(-1.0, 0.9))
def test_above_the_ray_to_ice_it_is_where_two_lines_meet(hemisphere, share, along):
    plane = BOOTSTRAP_TIE_POINTS[hemisphere].frequency
    end = plane.water[0] + along * (plane.ice[0] - plane.water[0])
    x = plane.water[0] + share * (end - plane.water[0])
    y = plane.water[1] + share * (plane.slope * end + plane.offset - plane.water[1])
    toward = np.subtract(plane.ice, plane.water)
    assume((y - plane.water[1]) * toward[0] > (x - plane.water[0]) * toward[1])  # else it is below
    result = float(plane.concentration(np.array([x]), np.array([y]))[0])
    assert result == pytest.approx(share, abs=1e-9)
    assert result == pytest.approx(along_the_ray(plane, x, y), abs=1e-9)


@given(hemispheres, st.floats(1.0, 60), st.floats(-0.5, -0.05))
def test_below_that_ray_it_is_the_length_of_it(hemisphere, away, turned):
    plane = BOOTSTRAP_TIE_POINTS[hemisphere].polarization
    toward = np.subtract(plane.ice, plane.water)
    angle = np.arctan2(toward[1], toward[0]) + turned
    x, y = plane.water[0] + away * np.cos(angle), plane.water[1] + away * np.sin(angle)
    full = np.hypot(*toward) / along_the_ray(plane, *plane.ice)
    assert plane.concentration(np.array([x]), np.array([y]))[0] == pytest.approx(away / full)


@pytest.mark.parametrize("hemisphere", ["north", "south"])
def test_open_water_is_none_and_the_line_is_all(hemisphere):
    points = BOOTSTRAP_TIE_POINTS[hemisphere]
    (v36, h36), v18 = points.polarization.water, points.frequency.water[1]
    assert one(v18, v36, h36, hemisphere) == pytest.approx(0, abs=1e-12)
    on_line = points.polarization.slope * 230 + points.polarization.offset
    assert one(240, 230, on_line, hemisphere) == pytest.approx(1)


def test_published_constants():
    north, south = BOOTSTRAP_TIE_POINTS["north"], BOOTSTRAP_TIE_POINTS["south"]
    assert north.polarization.water + north.frequency.water == (207.2, 131.9, 207.2, 182.4)
    assert south.polarization.ice + south.frequency.ice == (259.4, 247.3, 259.4, 261.6)
    assert (north.polarization.slope, north.frequency.offset) == (1.20, 48.26)
    assert (south.polarization.offset, south.frequency.slope) == (-90.62, 0.7618)


def test_numbers_worked_by_hand():
    """North, V37 230, H37 180: 24.01 K below its line. V19 225: on the other plane
    48.26 + 0.8048 * 230 - 225 = 8.364 of 32.614 K, so 1 - 8.364 / 32.6146 = 74.4 %."""
    assert one(225, 230, 180, "north") == pytest.approx(0.7435, abs=5e-4)


@given(hemispheres, kelvins, kelvins, st.floats(-4.9, 20))
def test_near_the_line_of_37_ghz_18_ghz_has_no_say(hemisphere, one18, other18, above):
    plane = BOOTSTRAP_TIE_POINTS[hemisphere].polarization
    h36 = plane.slope * 235 + plane.offset + above
    assert one(one18, 235, h36, hemisphere) == one(other18, 235, h36, hemisphere)


@given(hemispheres, kelvins, kelvins, st.floats(5.1, 60))
def test_below_it_horizontal_37_ghz_has_no_say(hemisphere, v18, v36, below):
    plane = BOOTSTRAP_TIE_POINTS[hemisphere].polarization
    line = plane.slope * v36 + plane.offset
    assert one(v18, v36, line - below, hemisphere) == one(v18, v36, line - 70, hemisphere)


@given(hemispheres, kelvins, kelvins, kelvins)
def test_a_share_is_a_share(hemisphere, v18, v36, h36):
    assert 0 <= one(v18, v36, h36, hemisphere) <= 1


@pytest.mark.parametrize("absent", range(3))
def test_without_a_channel_nothing_is_told(absent):
    channels = [230.0, 235.0, 200.0]
    channels[absent] = np.nan
    assert np.isnan(one(*channels, "north"))
