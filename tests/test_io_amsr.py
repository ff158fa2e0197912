"""L1B and L1R granules as swaths; bad granules are refused with a reason."""

import shutil

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seaice.errors import GranuleError
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.io.coregistration import low_positions
from seaice.io.readers import read_swath
from tests.support.granules import make_swath, write_l1b, write_l1r

OVERLAP = 5
WRITERS = {"L1B": write_l1b, "L1R": write_l1r}


@pytest.fixture(scope="module")
def made():
    return make_swath(40, phase=1300.0)


@pytest.fixture(scope="module", params=WRITERS)
def level(request):
    return request.param


@pytest.fixture(scope="module")
def original(made, level, tmp_path_factory):
    return WRITERS[level](tmp_path_factory.mktemp(level), made, overlap=OVERLAP)


@pytest.fixture(scope="module")
def swath(original):
    return read_swath(original)


@pytest.fixture
def granule(original, tmp_path):
    """A copy to be spoilt."""
    return shutil.copy(original, tmp_path / original.name)


def own(array):
    """What is left of a file's array without overlap scans."""
    return np.asarray(array)[..., OVERLAP:-OVERLAP, :]


def test_measurements_survive_to_half_a_count(swath, made):
    for channel in CHANNELS:
        expected = own(made[channel])
        result = swath[channel].values
        assert result.dtype == np.float32
        assert result.shape == expected.shape
        known = np.isfinite(result)
        np.testing.assert_allclose(result[known], expected[known], atol=0.0051)
        assert known.mean() > 0.99


def test_fill_values_are_missing_and_flagged(swath):
    for channel in HIGH_CHANNELS:
        assert np.isnan(swath[channel].values[:, 0, :3]).all()
        assert np.isfinite(swath[channel].values[:, 0, 3:]).all()
    for channel in LOW_CHANNELS:
        assert np.isnan(swath[channel].values[0, 0])
    flags = swath["quality_flag"].values
    assert flags[:, 0, :6].tolist() == [[1, 1, 2, 0, 0, 8]] * 2
    assert (flags[:, 1, 0] == 4).all()
    assert np.count_nonzero(flags) == 10


def test_all_brightness_temperatures_are_in_range(swath):
    for channel in CHANNELS:
        assert np.nanmin(swath[channel]) >= 50
        assert np.nanmax(swath[channel]) <= 350


def test_each_horn_has_its_own_positions(swath, made):
    for name in ("latitude", "longitude"):
        known = np.isfinite(swath[name].values)
        assert (~known).sum() == 2
        np.testing.assert_allclose(swath[name].values[known], own(made[name])[known], atol=2e-5)
    assert float(swath["longitude"].min()) < 0
    assert float(swath["longitude"].max()) < 180


def test_low_frequencies_have_the_positions_of_the_specification(swath, level, made):
    even = [own(made[name])[0, :, ::2] for name in ("latitude", "longitude")]
    names = ("latitude_low", "longitude_low")
    assert swath["latitude_low"].dims == ("band", "scan", "pixel_low")
    if level == "L1R":
        expected = [np.broadcast_to(p, (len(LOW_BANDS), *p.shape)) for p in even]
    else:  # the numbers of tests.support.granules.A1 and A2, read by eye
        a1, a2 = (1.25, 1.0, 0.8, -0.5, 0.75, 1.4004), (-0.5, 0.25, 0.1, 0.4, -0.3, 0.0)
        horn_a = (own(made[name])[0] for name in ("latitude", "longitude"))
        expected = low_positions(*horn_a, list(zip(a1, a2, strict=True)))
    for name, places in zip(names, expected, strict=True):
        known = np.isfinite(swath[name].values)
        assert known.mean() > 0.99
        np.testing.assert_allclose(swath[name].values[known], places[known], atol=1e-3)


def test_land_and_time(swath, made):
    np.testing.assert_array_equal(swath["land_fraction"].values[0, 0, :3], [0.5, 1.0, np.nan])
    difference = swath["time"].values - made["time"].values[OVERLAP:-OVERLAP]
    assert (np.abs(difference) < np.timedelta64(1, "us")).all()


def test_attributes_state_platform_and_times(swath, level, original):
    said = swath.attrs
    assert said["granule"] == original.stem
    assert (said["sensor"], said["platform"], said["level"]) == ("AMSR2", "GCOM-W1", level)
    assert said["orbit_direction"] == "Ascending"
    assert said["start_time"].startswith("2020-03-03T10:00:07.5")
    assert said["missing_channels"] == []


def spoil(path, change):
    with h5py.File(path, "a") as file:
        change(file)
    return path


def high_names(file):
    return [name for name in file if "89" in name and "GHz-" in name]


def test_missing_low_frequencies_are_listed_and_nan(granule):
    def change(file):
        gone = [name for name in file if "6.9GHz,H" in name]
        empty = next(name for name in file if "18.7GHz,V" in name)
        del file[gone[0]]
        file[empty][...] = 65535

    swath = read_swath(spoil(granule, change))
    assert swath.attrs["missing_channels"] == ["tb6h", "tb18v"]
    assert np.isnan(swath["tb6h"]).all()
    assert np.isfinite(swath["tb18h"]).any()


def _fill(file):
    for name in high_names(file):
        file[name][...] = 65535


def _no_place(file):
    for horn in "AB":
        file[f"Latitude of Observation Point for 89{horn}"][...] = -9999


def _other_sensor(file):
    file.attrs["SensorShortName"] = np.array([b"AMSR-E"])


def _all_overlap(file):
    file.attrs["OverlapScans"] = np.array([b"20"])


def _no_overlap_said(file):
    del file.attrs["OverlapScans"]


def _overlap_nonsense(file):
    file.attrs["OverlapScans"] = np.array([b"-3"])


def _missing_dataset(file):
    del file[high_names(file)[0]]


def _missing_time(file):
    del file["Scan Time"]


def _timeless(file):
    file["Scan Time"][...] = -9999.0


def _misshapen(file):
    name = "Longitude of Observation Point for 89B"
    short = file[name][:, :100]
    del file[name]
    file[name] = short


def _no_scale(file):
    del file[high_names(file)[0]].attrs["SCALE FACTOR"]


def _kelvin_as_float(file):
    name = high_names(file)[0]
    values = file[name][...] / 100
    del file[name]
    file[name] = values


def _nothing_known(file):
    for name in list(file):
        if "Brightness" in name:
            del file[name]
    file["Brightness Temperature (H)"] = np.zeros((10, 10), np.int16)
    file.attrs["ProductName"] = np.array([b"AMSR2-L3"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_fill, "tb89h missing in every sample"),
        (_no_place, "latitude missing in every sample"),
        (_other_sensor, "'AMSR-E'"),
        (_all_overlap, "overlapping"),
        (_no_overlap_said, "OverlapScans"),
        (_overlap_nonsense, "-3 overlapping"),
        (_missing_dataset, "89"),
        (_missing_time, "Scan Time"),
        (_timeless, "time"),
        (_misshapen, "100"),
        (_no_scale, "SCALE FACTOR"),
        (_kelvin_as_float, "float64"),
        (_nothing_known, "AMSR2-L3"),
    ],
)
def test_a_bad_granule_is_refused_with_a_helpful_message(granule, change, says):
    with pytest.raises(GranuleError, match=r"; expected .* Do next: ") as caught:
        read_swath(spoil(granule, change))
    assert says in str(caught.value)
    assert str(granule.name) in str(caught.value)


def test_a_text_file_is_not_a_granule(tmp_path):
    path = tmp_path / "GW1AM2_202003031000_035A_L1SGBTBR_2220220.h5"
    path.write_text("<html>log in first</html>")
    with pytest.raises(GranuleError, match="25 bytes that are not HDF5"):
        read_swath(path)
    with pytest.raises(GranuleError, match="no file"):
        read_swath(tmp_path / "absent.h5")


@given(share=st.floats(0, 0.999))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_granule_is_never_read(original, tmp_path, share):
    data = original.read_bytes()
    path = tmp_path / original.name
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(GranuleError):
        read_swath(path)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_granule_is_read_or_refused_but_never_crashes(original, tmp_path, seed):
    data = np.frombuffer(original.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    data[rng.integers(0, data.size, 200)] = rng.integers(0, 256, 200)
    path = tmp_path / original.name
    path.write_bytes(data.tobytes())
    try:
        swath = read_swath(path)
    except GranuleError:
        return
    assert np.nanmax(swath["tb89v"]) <= 350
