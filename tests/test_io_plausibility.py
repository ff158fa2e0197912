"""Impossible observations are refused; swaths of real samples are accepted."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seaice.errors import GranuleError
from seaice.instrument import LOW_CHANNELS
from seaice.io.checks import OPEN_WATER, _check_horns, check_plausibility, flagged_fraction
from seaice.io.readers import read_swath
from tests.support.granules import make_swath, write_l1b, write_l1r
from tests.support.sea import MEDIANS, changed, sea_swath

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
POINTS = SHARED / "real" / "rrdp_amsr2_points.nc"


@pytest.fixture(scope="module")
def swath():
    return sea_swath()


def swapped(swath):
    named = {
        f"tb{band}{pol}": f"tb{band}{other}" for band in MEDIANS for pol, other in ("hv", "vh")
    }
    return swath.assign(
        {name: swath[name].copy(data=swath[of].values) for name, of in named.items()}
    )


def one_band_swapped(swath):
    return swath.assign(tb36h=swath["tb36v"].copy(), tb36v=swath["tb36h"].copy())


def horn_places_swapped(swath):
    places = ("latitude", "longitude")
    return swath.assign_coords(
        {name: swath[name].copy(data=swath[name].values[::-1].copy()) for name in places}
    )


def all_flagged(swath):
    return changed(swath, lambda flags: flags | np.uint8(8), "quality_flag")


FAULTS = {
    "V and H swapped": (swapped, "V is below H"),
    "V and H swapped at 36.5 GHz": (one_band_swapped, "V is below H at 36.5"),
    "constant": (lambda swath: changed(swath, lambda tb: np.full_like(tb, 200)), "98 of 100"),
    "20 K more": (lambda swath: changed(swath, lambda tb: tb + 20), "open water"),
    "20 K less": (lambda swath: changed(swath, lambda tb: tb - 20), "open water"),
    "scale 0.0105": (lambda swath: changed(swath, lambda tb: tb * np.float32(1.05)), "open water"),
    "horns swapped": (horn_places_swapped, "horns A and B"),
    "all samples flagged": (all_flagged, "Pixel Data Quality 89"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_impossible_observations_are_refused(swath, fault):
    spoil, text = FAULTS[fault]
    with pytest.raises(GranuleError, match=text) as caught:
        check_plausibility(spoil(swath))
    assert swath.attrs["granule"] in str(caught.value)


@pytest.mark.parametrize("fault", ["V and H swapped", "constant", "20 K more", "horns swapped"])
def test_impossible_observations_without_low_frequencies_are_refused(swath, fault):
    high = swath.drop_vars([name for name in LOW_CHANNELS if name in swath])
    with pytest.raises(GranuleError):
        check_plausibility(FAULTS[fault][0](high) if fault != "V and H swapped" else _high(high))


def _high(swath):
    return swath.assign(tb89h=swath["tb89v"].copy(), tb89v=swath["tb89h"].copy())


@pytest.mark.parametrize("seed", range(40))
def test_noise_does_not_make_the_horns_appear_swapped(swath, seed):
    """Without spatial structure either order of the horns fits; a short swath must not decide."""
    tb = swath["tb89v"].values
    shuffled = np.random.default_rng(seed).permutation(tb, axis=1)
    few = swath.assign(tb89v=swath["tb89v"].copy(data=shuffled)).isel(scan=slice(0, 30))
    for order in (few, horn_places_swapped(few)):
        _check_horns(order)


def test_good_swaths_pass_without_warnings(swath):
    assert check_plausibility(swath) == []
    assert check_plausibility(make_swath(200)) == []
    absent = swath.assign({name: swath[name] * np.nan for name in LOW_CHANNELS})
    assert check_plausibility(absent) == []
    assert check_plausibility(swath.isel(scan=slice(0, 5))) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.9])
def test_flagged_samples_are_counted_and_many_cause_a_warning(swath, share):
    rng = np.random.default_rng(1)
    flags = np.where(rng.random(swath["quality_flag"].shape) < share, 8, 0).astype(np.uint8)
    marked = swath.assign(quality_flag=swath["quality_flag"].copy(data=flags))
    assert flagged_fraction(marked) == pytest.approx(share, abs=0.01)
    assert len(check_plausibility(marked)) == (share >= 0.2)


@pytest.mark.skipif(not POINTS.exists(), reason="real samples are not at hand")
@settings(max_examples=60)
@example(seed=3164, hemisphere="N", month=2, share=0.75)  # by chance the horns looked swapped
@given(
    seed=st.integers(0, 2**32 - 1),
    hemisphere=st.sampled_from("NS"),
    month=st.integers(1, 12),
    share=st.floats(0, 1),
)
def test_real_water_and_ice_of_any_month_pass(seed, hemisphere, month, share):
    """Samples of one hemisphere, surface and month fill a swath, in any proportion."""
    points = _points()
    rng = np.random.default_rng(seed)
    swath = make_swath(40)
    here = (points["hemisphere"] == hemisphere) & (points["month"] == month)
    groups = [np.flatnonzero(here & (points["sic"] == sic)) for sic in (0, 1)]
    if not all(group.size for group in groups):
        groups = [group for group in groups if group.size] * 2
    if not groups:
        return
    pick = np.where(
        rng.random(swath["tb89v"].shape) < share,
        rng.choice(groups[-1], swath["tb89v"].shape),
        rng.choice(groups[0], swath["tb89v"].shape),
    )
    tb = {f"tb89{pol}": (("horn", "scan", "pixel"), points[f"tb89{pol}"][pick]) for pol in "hv"}
    low = pick[0, :, ::2]
    tb |= {name: (("scan", "pixel_low"), points[name][low]) for name in LOW_CHANNELS}
    assert check_plausibility(swath.assign(tb)) == []


def _points(known={}):  # noqa: B006
    if not known:
        names = {"6": "6p9", "7": "7p3", "10": "10p7", "18": "18p7", "23": "23p8", "36": "36p5"}
        with xr.open_dataset(POINTS) as source:
            for band, label in (names | {"89": "89p0"}).items():
                for pol in "hv":
                    known[f"tb{band}{pol}"] = source[f"tb{label}{pol}"].values
            known["sic"], known["hemisphere"] = source["sic"].values, source["hemisphere"].values
            known["month"] = source["time"].dt.month.values
    return known


def test_limits_contain_the_medians_of_real_open_water():
    for band, limits in OPEN_WATER.items():
        water_v, water_h, _, _ = MEDIANS[band]
        assert limits.low + 5 < water_v < limits.high - 5
        assert water_v - water_h > limits.least_difference


@pytest.mark.parametrize("write", [write_l1b, write_l1r])
def test_files_of_both_levels_pass_and_their_quality_bytes_are_counted(write, swath, tmp_path):
    path = write(tmp_path, swath.isel(scan=slice(0, 80)), overlap=5)
    with h5py.File(path, "a") as file:
        low, scans = np.zeros((80, 486), np.uint8), np.zeros((80, 512), np.uint8)
        low[:, 1::4], scans[:20, 7] = 3, 1  # one of two bytes of every second sample
        file["Pixel Data Quality 6 to 36"], file["Scan Data Quality"] = low, scans
    result = read_swath(path)
    assert result.attrs["flagged_low"] == pytest.approx(0.5, abs=0.01)
    assert result.attrs["flagged_scans"] == 0.25
    (warning,) = check_plausibility(result)
    assert "50% of the low-frequency samples" in warning


@pytest.mark.parametrize("values", [np.zeros(80), np.zeros((80, 2000), np.uint8), np.zeros((0, 9))])
def test_quality_bytes_of_another_shape_are_not_read(values, swath, tmp_path):
    path = write_l1b(tmp_path, swath.isel(scan=slice(0, 80)), overlap=5)
    with h5py.File(path, "a") as file:
        file["Pixel Data Quality 6 to 36"] = values
    assert read_swath(path).attrs["flagged_low"] == 0
