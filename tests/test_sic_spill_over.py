"""Coastal ice is land's where the sea three cells out is free of ice, and stays elsewhere."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seaice.retrieval.classical.corrections import spilled

SHAPE = (12, 14)
seas = arrays(float, SHAPE, elements=st.sampled_from([0.0, 0.1, 0.6, 1.0, np.nan]))
lands = arrays(bool, SHAPE, elements=st.booleans())


def straight(spill, offshore):
    """Land in the first two columns, cells at distance 1 and 2 with `spill`."""
    sic = np.full(SHAPE, offshore)
    land = np.zeros(SHAPE, bool)
    land[:, :2] = True
    sic[:, :2] = np.nan
    sic[:, 2:4] = spill
    return sic, land


def test_ice_along_a_coast_of_open_water_is_land_seen_from_the_sea():
    result = spilled(*straight(0.4, offshore=0.0))
    assert result[:, 2:4].all()
    assert not result[:, 4:].any()
    assert not result[:, :2].any()


def test_fast_ice_that_the_pack_touches_stays():
    assert not spilled(*straight(0.4, offshore=0.05)).any()


def test_one_icy_cell_saves_the_coast_within_three_cells_of_it():
    sic, land = straight(0.4, offshore=0.0)
    sic[6, 4] = 0.5  # at distance 3
    result = spilled(sic, land)
    assert not result[3:10, 2:4].any()
    assert result[:3, 2:4].all()
    assert result[10:, 2:4].all()


def test_ice_farther_out_than_distance_three_saves_nothing():
    sic, land = straight(0.4, offshore=0.0)
    sic[:, 5:] = 1.0
    assert spilled(sic, land)[:, 2:4].all()


def test_a_narrow_inlet_has_no_witness():
    land = np.ones(SHAPE, bool)
    land[:, 5:8] = False
    assert not spilled(np.where(land, np.nan, 0.5), land).any()


def by_loops(sic, land):
    """The rule as it is written, cell by cell."""
    cells = [(y, x) for y in range(SHAPE[0]) for x in range(SHAPE[1])]
    far = np.full(SHAPE, 99)
    for y, x in cells:
        for b, a in zip(*np.nonzero(land), strict=True):
            far[y, x] = min(far[y, x], max(abs(y - b), abs(x - a)))
    result = np.zeros(SHAPE, bool)
    for y, x in cells:
        window = np.s_[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        ring = sic[window][far[window] == 3]
        result[y, x] = far[y, x] in (1, 2) and sic[y, x] > 0 and ring.size > 0 and (ring == 0).all()
    return result


@given(seas, arrays(bool, SHAPE, elements=st.sampled_from([False] * 9 + [True])))
def test_the_rule_cell_by_cell(sic, land):
    np.testing.assert_array_equal(spilled(np.where(land, np.nan, sic), land), by_loops(sic, land))


@given(seas, lands)
def test_only_ice_near_land_is_ever_taken(sic, land):
    result = spilled(sic, land)
    assert not (result & land).any()
    assert (sic[result] > 0).all()
