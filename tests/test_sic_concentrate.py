"""A refined map becomes a product: a share where there is sea to see, a reason everywhere else."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from seaice.instrument import LOW_CHANNELS
from seaice.models.inference import Machine, no_progress
from seaice.models.inputs import SIC_CHANNELS, new_sic_card
from seaice.models.registry import create_model
from seaice.retrieval.concentrate import concentrate
from seaice.retrieval.flags import Flag, coast, everyday, status
from tests.test_network_contract import SMALL, lively
from tests.test_sr_refine import MACHINE, bicubic, stack

SHAPE = (40, 36)


def daily_map(**absent) -> xr.Dataset:
    random = np.random.default_rng(1)
    maps = {
        name: (("y", "x"), random.normal(200, 20, SHAPE).astype(np.float32))
        for name in LOW_CHANNELS
    }
    maps["n_obs"] = ("y", "x"), random.integers(0, 9, SHAPE).astype(np.uint16)
    times = np.full(SHAPE, np.datetime64("2020-03-03T11:00", "ns"))
    maps["obs_time"] = ("y", "x"), times
    return xr.Dataset(maps)


def teller(channels=SIC_CHANNELS, **hyper):
    torch.manual_seed(0)
    card = new_sic_card("xception_aspp", SMALL["xception_aspp"] | hyper, channels)
    return lively(create_model("xception_aspp", card.config)).eval(), card


@pytest.fixture(scope="module")
def land():
    mask = np.zeros((160, 144), bool)
    mask[:30, :50] = True
    return mask


@pytest.fixture(scope="module")
def made(land):
    return concentrate(bicubic(stack(SHAPE)), daily_map(), land, teller(), MACHINE, no_progress)


def has(product, flag):
    return (product["status_flag"].values & flag) > 0


def test_a_share_with_its_doubt_where_there_is_sea_to_see(made, land):
    seen = np.isfinite(bicubic(stack(SHAPE))["pd"].values) & ~land
    assert np.array_equal(np.isfinite(made["sic"].values), seen)
    assert np.array_equal(np.isfinite(made["sic_uncertainty"].values), seen)
    assert made["sic"].dtype == np.float32
    assert 0 <= float(made["sic"].min()) <= float(made["sic"].max()) <= 1


def test_every_cell_without_a_share_has_a_reason_and_no_other_has_that(made):
    reason = has(made, Flag.LAND | Flag.NO_INPUT)
    assert np.array_equal(reason, np.isnan(made["sic"].values))


def test_what_was_observed_when_travels_along(made):
    assert np.array_equal(made["n_obs"].values[::4, ::4], daily_map()["n_obs"].values)
    assert made["obs_time"].dtype.kind == "M"
    assert made.attrs["sr_name"] == "bicubic"


def test_without_low_frequencies_it_runs_and_says_so(land):
    refined = bicubic(stack(SHAPE))
    lacking = daily_map().drop_vars(LOW_CHANNELS)
    product = concentrate(refined, lacking, land, teller(), MACHINE, no_progress)
    assert np.array_equal(has(product, Flag.LOW_FREQUENCY_MISSING), product["sic"].notnull())
    empty = daily_map()
    for name in LOW_CHANNELS:
        empty[name][:] = np.nan
    same = concentrate(refined, empty, land, teller(), MACHINE, no_progress)
    xr.testing.assert_identical(product, same)


def test_one_absent_low_cell_is_flagged_there_only(land):
    gap = daily_map()
    gap["tb18v"][20, 20] = np.nan
    product = concentrate(bicubic(stack(SHAPE)), gap, land, teller(), MACHINE, no_progress)
    expected = np.zeros((160, 144), bool)
    expected[80:84, 80:84] = True
    assert np.array_equal(has(product, Flag.LOW_FREQUENCY_MISSING), expected)


def test_networks_that_do_not_want_low_frequencies_do_not_miss_them(land):
    plain = teller(("tb89h", "tb89v", "pd"), outputs=1)
    lacking = daily_map().drop_vars(LOW_CHANNELS)
    product = concentrate(bicubic(stack(SHAPE)), lacking, land, plain, MACHINE, no_progress)
    assert not has(product, Flag.LOW_FREQUENCY_MISSING).any()
    assert bool(product["sic_uncertainty"].isnull().all())


def test_substituted_frames_are_flagged_on_all_sea(land):
    given = stack(SHAPE)
    given.attrs["status"] = "provisional"
    product = concentrate(bicubic(given), daily_map(), land, teller(), MACHINE, no_progress)
    assert np.array_equal(has(product, Flag.SUBSTITUTED_FRAME), ~land)


def test_tiles_do_not_show():
    small = (SHAPE[0] * 4, SHAPE[1] * 4)
    land = np.zeros(small, bool)
    tiny = Machine(device=torch.device("cpu"), tile=1.0)
    network, card = teller()
    narrow = new_sic_card("xception_aspp", card.config, SIC_CHANNELS)
    one, many = (
        concentrate(
            bicubic(stack(SHAPE)), daily_map(), land, (network, narrow), machine, no_progress
        )
        for machine in (MACHINE, tiny)
    )
    assert float(abs(one["sic"] - many["sic"]).max()) < 1e-3


@given(st.integers(0, 2**14 - 1))
def test_bits_are_the_sum_of_their_reasons(bits):
    reasons = {flag: np.array([bool(bits & flag)]) for flag in Flag}
    assert status(reasons)[0] == sum(flag for flag in Flag if bits & flag)
    assert status(reasons).dtype == np.uint16


@given(st.integers(0, 1000), st.integers(1, 5))
def test_coast_is_the_sea_within_reach_of_land(seed, reach):
    land = np.random.default_rng(seed).random((14, 11)) < 0.03
    places = np.argwhere(land)
    for cell in np.ndindex(land.shape):
        distance = np.abs(places - cell).max(axis=1).min() if len(places) else np.inf
        assert coast(land, reach)[cell] == (0 < distance <= reach)


def test_a_single_granule_is_a_single_overpass_but_a_gridded_mean_is_not():
    land, seen = np.array([[True, False, False]]), np.array([[True, True, False]])
    day = {"n_granules": 1, "status": "final"}
    single = everyday(land, seen, seen, day)[Flag.SINGLE_OVERPASS]
    assert single.tolist() == [[False, True, False]]
    assert not everyday(land, seen, ~seen, day)[Flag.SINGLE_OVERPASS].any()


def test_the_two_parts_of_doubt_are_its_whole_and_raw_is_final_for_a_network(made):
    parts = [made[f"sic_{part}_uncertainty"].values for part in ("algorithm", "smearing")]
    np.testing.assert_allclose(np.hypot(*parts), made["sic_uncertainty"].values, atol=1e-6)
    assert np.nanmax(parts[1]) > 0
    assert np.array_equal(made["sic_raw"], made["sic"], equal_nan=True)


def test_a_day_alone_has_one_real_frame_and_known_days_are_told(made, land):
    seen = np.isfinite(bicubic(stack(SHAPE))["pd"].values)
    assert np.array_equal(made["real_frames"].values, seen * 4)
    known = daily_map().assign(real_frames=(("y", "x"), np.full(SHAPE, 31, np.uint8)))
    told = concentrate(bicubic(stack(SHAPE)), known, land, teller(), MACHINE, no_progress)
    assert (told["real_frames"].values == 31).all()
