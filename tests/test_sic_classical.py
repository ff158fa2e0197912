"""ASI is the published cubic, and its doubt is largest where it should be."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from seaice.retrieval.classical.algorithms import TiePoints, asi
from seaice.retrieval.classical.corrections import weather_filter
from seaice.retrieval.classical.uncertainty import EFFECTIVE, asi_uncertainty

ANCHORS = {15: 94.97, 20: 83.82, 25: 69.50, 30: 53.24, 35: 36.27, 40: 19.82, 45: 5.12}
tie_points = st.builds(TiePoints, water=st.floats(42, 55), ice=st.floats(8, 14))


@pytest.mark.parametrize(("pd", "percent"), ANCHORS.items())
def test_published_anchors(pd, percent):
    assert 100 * asi(np.array([float(pd)]))[0] == pytest.approx(percent, abs=0.005)


def test_published_coefficients():
    published = [1.64001739e-5, -1.61810765e-3, 1.91628476e-2, 0.971030707]
    np.testing.assert_allclose(TiePoints().cubic, published, rtol=2e-8)


@given(tie_points)
def test_the_cubic_keeps_its_four_conditions(points):
    cubic, slope = points.cubic, np.polyder(points.cubic)
    assert np.polyval(cubic, points.water) == pytest.approx(0, abs=1e-9)
    assert np.polyval(cubic, points.ice) == pytest.approx(1, abs=1e-9)
    assert points.water * np.polyval(slope, points.water) == pytest.approx(-1.14)
    assert points.ice * np.polyval(slope, points.ice) == pytest.approx(-0.14)


@given(st.floats(-10, 120), st.floats(-10, 120))
def test_more_polarization_is_never_more_ice(a, b):
    low, high = asi(np.array(sorted([a, b])))
    assert 0 <= high <= low <= 1


def test_beyond_the_tie_points_there_is_water_and_ice():
    assert asi(np.array([11.7, 0.0, -5.0])) == pytest.approx(1, abs=1e-12)
    assert asi(np.array([47.0, 60.0])) == pytest.approx(0, abs=1e-12)


def test_absence_stays_absent_and_the_kind_is_kept():
    pd = xr.DataArray(np.array([[30.0, np.nan]], np.float32), dims=("y", "x"))
    sic = asi(pd)
    assert sic.dims == ("y", "x")
    assert sic.dtype == np.float32
    assert np.isnan(sic.values).tolist() == [[False, True]]


def test_impossible_tie_points_are_refused():
    with pytest.raises(ValueError, match="polarizes more"):
        TiePoints(water=10.0, ice=11.0)


@given(st.floats(100, 280), st.floats(0.90, 1.3), st.floats(0.90, 1.3))
def test_the_filter_is_two_gradient_ratios(v18, times23, times36):
    v23, v36 = v18 * times23, v18 * times36
    expected = (times36 - 1) / (times36 + 1) >= 0.045 or (times23 - 1) / (times23 + 1) >= 0.04
    near = min(
        abs((times36 - 1) / (times36 + 1) - 0.045), abs((times23 - 1) / (times23 + 1) - 0.04)
    )
    result = weather_filter(*(np.array([tb]) for tb in (v18, v23, v36)))[0]
    assert result == expected or near < 1e-9


def test_typical_surfaces_pass_and_fail():
    """Mean closed ice and mean open water of the northern Round Robin data."""
    ice, water = (250.0, 245.0, 235.0), (186.0, 203.0, 214.0)
    result = weather_filter(*np.array([ice, water]).T)
    assert result.tolist() == [False, True]


def test_a_missing_channel_accuses_nobody():
    assert not weather_filter(np.array([np.nan]), np.array([200.0]), np.array([210.0]))[0]


def test_uncertainty_at_the_ends_is_the_spread_of_pure_surfaces():
    many = np.array([10**6] * 2)
    water, ice = asi_uncertainty(np.array([0.0, 1.0]), many)
    assert water == pytest.approx(9.0 * 1.14 / 47, rel=1e-3)
    assert ice == pytest.approx(2.4 * 0.14 / 11.7, rel=1e-3)


@given(st.floats(0, 1), st.integers(1, 200), st.integers(1, 200))
def test_more_samples_never_mean_more_doubt(sic, a, b):
    few, many = asi_uncertainty(np.full(2, sic), np.array(sorted([a, b])))
    assert many <= few


def test_sensor_noise_of_one_sample_is_the_published_middle():
    """5-6 % at mid slope: the instrument's 1.84 K of P through the cubic."""
    single, many = asi_uncertainty(np.full(2, 0.5), np.array([1, 10**9]))
    assert np.sqrt(single**2 - many**2) == pytest.approx(0.0615, abs=0.005)
    assert 0.05 < EFFECTIVE < 0.2


def test_no_sample_no_uncertainty():
    assert np.isnan(asi_uncertainty(np.array([0.5, np.nan]), np.array([0, 9]))).all()


SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
POINTS = SHARED / "real" / "rrdp_amsr2_points.nc"


def real_points():
    """Only what is needed: the file's texts take seconds."""
    needed = ["sic", "hemisphere", "tb18p7v", "tb23p8v", "tb36p5v", "tb89p0h", "tb89p0v"]
    with xr.open_dataset(POINTS) as points:
        return points[needed].load()


@pytest.mark.skipif(not POINTS.exists(), reason="the Round Robin points are not on this machine")
@pytest.mark.parametrize("hemisphere", ["N", "S"])
def test_on_real_samples_filters_clear_open_water_and_spare_ice(hemisphere):
    """Unfiltered, ASI sees 25 to 45 % ice over real open water; filtered, next to none."""
    points = real_points()
    points = points.isel(sample=points["hemisphere"].values == hemisphere)
    ice = points["sic"].values == 1
    sic = asi(points["tb89p0v"].values - points["tb89p0h"].values)
    filtered = weather_filter(*(points[f"tb{band}v"].values for band in ("18p7", "23p8", "36p5")))
    assert 0.25 < sic[~ice].mean() < 0.45
    assert filtered[~ice].mean() > 0.995
    assert filtered[ice].mean() < 0.001
    assert sic[ice].mean() > 0.95


@pytest.mark.skipif(not POINTS.exists(), reason="the Round Robin points are not on this machine")
def test_on_real_ice_the_stated_doubt_is_about_the_error():
    points = real_points()
    points = points.isel(sample=points["sic"].values == 1)
    sic = asi(points["tb89p0v"].values - points["tb89p0h"].values)
    error = np.sqrt(np.mean((1 - sic) ** 2))
    stated = np.sqrt(np.mean(asi_uncertainty(sic, np.ones(sic.shape, int)) ** 2))
    assert 0.5 < error / stated < 2
