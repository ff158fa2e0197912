"""Scans are counted once, and their times match the file name."""

from pathlib import Path

import numpy as np
import pytest

from seaice.errors import GranuleError
from seaice.io.checks import UsedScans, by_preference, check_start_time
from tests.support.granules import make_swath

NAME = Path("GW1AM2_202003031000_035A_L1SGBTBR_2220220.h5")


@pytest.fixture(scope="module")
def swath():
    return make_swath(200)


def shifted(swath, **by):
    return swath.assign_coords(time=swath["time"] + np.timedelta64(1, "m") * by["minutes"])


@pytest.mark.parametrize("minutes", [-4, 0, 1, 49])
def test_times_close_to_the_name_are_accepted(swath, minutes):
    check_start_time(shifted(swath, minutes=minutes), NAME)


@pytest.mark.parametrize("minutes", [-1440, 1440, -6, 61])
def test_times_far_from_the_name_are_refused(swath, minutes):
    with pytest.raises(GranuleError, match="as in its name"):
        check_start_time(shifted(swath, minutes=minutes), NAME)


def test_a_copy_adds_nothing(swath):
    used = UsedScans()
    assert used.new_scans(swath)[0] is swath
    with pytest.raises(GranuleError, match="all of its 200 scans are also in made_202003031000"):
        used.new_scans(swath.assign_attrs(granule="copy"))


@pytest.mark.parametrize("first", [10, 150])
def test_only_new_scans_of_an_overlapping_copy_are_used(swath, first):
    used = UsedScans()
    used.new_scans(swath.isel(scan=slice(0, first + 20)))
    fresh, note = used.new_scans(swath.isel(scan=slice(first, None)).assign_attrs(granule="copy"))
    assert fresh.sizes["scan"] == 200 - first - 20
    assert fresh["time"].values.min() == swath["time"].values[first + 20]
    assert note == ""
    with pytest.raises(GranuleError):
        used.new_scans(swath.isel(scan=slice(5, 190)))


def test_many_repeated_scans_cause_a_warning(swath):
    used = UsedScans()
    used.new_scans(swath.isel(scan=slice(0, 150)))
    _, note = used.new_scans(swath.assign_attrs(granule="copy"))
    assert note.startswith("150 of its scans are also in")


def test_the_same_times_at_other_positions_are_refused(swath):
    used = UsedScans()
    used.new_scans(swath)
    elsewhere = make_swath(200, phase=2400.0).assign_attrs(granule="other")
    with pytest.raises(GranuleError, match="km away"):
        used.new_scans(elsewhere)


def test_standard_granules_come_before_direct_readout():
    direct = Path("GW1AM2_202003030900_035A_L1DLBTBR_2220220.h5")
    resampled = Path("GW1AM2_202003030800_035A_L1SGRTBR_2220220.h5")
    later = Path("GW1AM2_202003031100_036A_L1SGBTBR_2220220.h5")
    assert by_preference((direct, resampled, NAME, later)) == (NAME, later, resampled, direct)
