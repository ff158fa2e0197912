"""Names, scan times and co-registered positions of level 1 files."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice.errors import GranuleError
from seaice.instrument import LOW_BANDS, LOW_CHANNELS
from seaice.io.amsr import L1B_HIGH, L1B_LOW, L1R_HIGH, L1R_LOW
from seaice.io.coregistration import format_parameters, low_positions, parse_parameters
from seaice.io.decoding import LEAP_DAYS, tai93_to_utc, utc_to_tai93
from seaice.io.granules import GranuleName
from tests.support.granules import make_swath

names = st.builds(
    GranuleName,
    start=st.datetimes(datetime(2012, 7, 1), datetime(2040, 1, 1)).map(
        lambda t: t.replace(second=0, microsecond=0)
    ),
    path=st.integers(1, 233),
    direction=st.sampled_from("AD"),
    level=st.sampled_from(["L1B", "L1R"]),
    version=st.from_regex(r"[0-9]{7}", fullmatch=True),
    receipt=st.sampled_from(["SG", "DL"]),
)


@given(names)
def test_parsing_a_formatted_name_returns_it(name):
    assert GranuleName.parse(name.format()) == name
    assert GranuleName.parse(f"/some/where/{name.format()}") == name


@pytest.mark.parametrize(
    "name",
    [
        "GW1AM2_20200303_01D_EQMA_L3SGT06HA2220220.h5",  # a gridded product
        "GW1AM2_202013030942_035A_L1SGBTBR_2220220.h5",  # a month 13
        "AMSR_E_L2A.h5",
        "",
    ],
)
def test_other_names_are_refused_with_an_example(name):
    with pytest.raises(GranuleError, match="GW1AM2_201307010942"):
        GranuleName.parse(name)


def test_dataset_names_have_jaxas_spelling():
    assert L1B_HIGH["tb89v", "A"] == "Brightness Temperature (89.0GHz-A,V)"
    assert L1B_LOW["tb10h"] == "Brightness Temperature (10.7GHz,H)"
    assert L1R_HIGH["tb89h", "B"] == "Brightness Temperature (original,89GHz-B,H)"
    assert L1R_LOW["tb18v"] == "Brightness Temperature (res23,18.7GHz,V)"
    assert L1R_LOW["tb36h"] == "Brightness Temperature (res36,36.5GHz,H)"
    assert set(L1B_LOW) == set(L1R_LOW) == set(LOW_CHANNELS)


@given(st.datetimes(datetime(1993, 1, 1), datetime(2050, 1, 1)))
def test_utc_to_tai_and_back_is_the_identity(time):
    utc = np.datetime64(time, "ns")
    assert abs(tai93_to_utc(utc_to_tai93(utc)) - utc) < np.timedelta64(1, "us")


@given(st.floats(0, 2e9), st.floats(0, 1e6))
def test_time_is_monotonic_and_constant_only_in_leap_seconds(seconds, later):
    a, b = tai93_to_utc([seconds, seconds + later])
    passed = (b - a) / np.timedelta64(1, "s")
    assert later - 1.001 * LEAP_DAYS.size <= passed <= later + 1e-3


def test_the_scan_time_of_a_real_granule():
    """GW1AM2_201307010942_035A starts at 09:42:53.154 UTC: eight leap seconds since 1993."""
    utc = np.datetime64("2013-07-01T09:42:53.154")
    plain = (utc - np.datetime64("1993-01-01")) / np.timedelta64(1, "s")
    assert tai93_to_utc(plain + 8) == utc


@pytest.mark.parametrize(
    ("day", "leaps"), [("2013-07-01", 8), ("2016-12-31", 9), ("2020-03-03", 10)]
)
def test_leap_seconds_are_those_since_1993(day, leaps):
    plain = (np.datetime64(day) - np.datetime64("1993-01-01")) / np.timedelta64(1, "s")
    assert utc_to_tai93(np.datetime64(day)) - plain == leaps


numbers = st.floats(-9, 9).map(lambda x: round(x, 5))


@given(st.fixed_dictionaries({band: numbers for band in LOW_BANDS}))
def test_parsing_formatted_parameters_returns_them(parameters):
    assert parse_parameters(format_parameters(parameters)) == parameters


@pytest.mark.parametrize("attribute", ["", "6G-1.0", "6G-x,7G-1,10G-1,18G-1,23G-1,36G-1"])
def test_unreadable_parameters_are_refused(attribute):
    with pytest.raises(GranuleError, match="co-registration"):
        parse_parameters(attribute)


@pytest.fixture(scope="module")
def horn_a():
    swath = make_swath(50, phase=1300.0)
    return swath["latitude"].values[0], swath["longitude"].values[0]


def test_zero_parameters_give_the_even_samples(horn_a):
    latitude, longitude = low_positions(*horn_a, [(0.0, 0.0)])
    np.testing.assert_allclose(latitude[0], horn_a[0][:, ::2], atol=1e-5)
    np.testing.assert_allclose(longitude[0], horn_a[1][:, ::2], atol=1e-4)


def test_one_along_gives_the_odd_samples(horn_a):
    latitude, longitude = low_positions(*horn_a, [(1.0, 0.0)])
    np.testing.assert_allclose(latitude[0], horn_a[0][:, 1::2], atol=1e-5)
    np.testing.assert_allclose(longitude[0], horn_a[1][:, 1::2], atol=1e-3)


@given(a1=st.floats(-3, 3), a2=st.floats(-3, 3))
def test_positions_agree_with_the_formula_of_the_specification(horn_a, a1, a2):
    """The same with plain vectors, one pair of samples."""
    phi, lam = np.radians([p[7, 100:102] for p in horn_a]).astype(float)
    p1, p2 = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], -1)
    theta = np.arccos(p1 @ p2)
    ez = np.cross(p1, p2) / np.linalg.norm(np.cross(p1, p2))
    ey = np.cross(ez, p1)
    point = np.cos(a2 * theta) * (np.cos(a1 * theta) * p1 + np.sin(a1 * theta) * ey)
    point += np.sin(a2 * theta) * ez
    latitude, longitude = low_positions(*horn_a, [(a1, a2)])
    assert latitude[0, 7, 50] == pytest.approx(np.degrees(np.arcsin(point[2])), abs=2e-5)
    assert longitude[0, 7, 50] == pytest.approx(
        np.degrees(np.arctan2(point[1], point[0])), abs=2e-4
    )


def test_missing_positions_stay_missing():
    latitude = np.array([[80.0, np.nan, 80.0, 80.1, 70.0, 70.0]])
    longitude = np.array([[10.0, 10.0, 10.0, 10.0, 5.0, 5.0]])
    result = low_positions(latitude, longitude, [(0.5, 0.5)])[0][0, 0]
    assert np.isnan(result).tolist() == [True, False, True]
