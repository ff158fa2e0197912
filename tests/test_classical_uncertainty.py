"""Half-widths of formulas: two parts whose squares add up, scaled until they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.classical_calibration import factors
from seaice.sic.classical.daily import FORMULAS
from seaice.sic.classical.uncertainty import (
    AS_STATED,
    SPREADS,
    Held,
    algorithm_uncertainty,
    shipped,
    widths,
)

shares = st.floats(0, 1)


@given(shares, st.sampled_from(sorted(SPREADS)))
def test_the_algorithm_part_goes_from_water_to_ice(sic, name):
    water, ice = SPREADS[name]
    found = algorithm_uncertainty(np.array([sic]), SPREADS[name])[0]
    assert found == pytest.approx(np.sqrt((1 - sic) ** 2 * water**2 + sic**2 * ice**2), rel=1e-5)


@given(shares, st.floats(0.001, 0.3), st.floats(0, 0.3))
def test_without_factors_parts_stay_and_the_wider_is_twice_their_sum(sic, algorithm, smearing):
    parts = np.array([algorithm]), np.array([smearing])
    one, other, wide = widths(np.array([sic]), parts, AS_STATED)
    assert (one[0], other[0]) == (pytest.approx(algorithm), pytest.approx(smearing))
    assert wide[0] == pytest.approx(min(2 * np.hypot(algorithm, smearing), 1), rel=1e-5)


@given(shares, st.floats(0.02, 0.1), st.floats(0.02, 0.1), st.floats(0.2, 4), st.floats(0.2, 8))
def test_factors_scale_the_sum_and_leave_the_proportion(sic, algorithm, smearing, one, two):
    table, wider = (tuple((factor,) * 5 for _ in range(11)) for factor in (one, two))
    held = Held(ice=(table, wider), zero=(table, wider))
    parts = np.array([algorithm]), np.array([smearing])
    scaled = widths(np.array([sic]), parts, held)
    base = np.hypot(algorithm, smearing) if sic > 0 else smearing
    assert np.hypot(*scaled[:2])[0] == pytest.approx(min(one * base, 1), rel=1e-4)
    assert scaled[0][0] / scaled[1][0] == pytest.approx(algorithm / smearing, rel=1e-4)
    assert scaled[2][0] == pytest.approx(min(max(one, two) * base, 1), rel=1e-4)


def test_absent_cells_stay_absent():
    for made in widths(np.array([np.nan]), (np.array([np.nan]),) * 2, shipped("asi")):
        assert np.isnan(made[0])


def truth_known(seed, size=40_000):
    """Errors with long tails, doubts that know little of them, and filtered zeros."""
    random = np.random.default_rng(seed)
    sic = random.uniform(0.02, 1, size).clip(0, 1)
    truth = (sic + random.laplace(0, 0.05, size)).clip(0, 1)
    smearing = random.uniform(0, 0.15, size)
    sic[: size // 2] = 0
    near = random.random(size // 2) < 0.4
    truth[: size // 2] = np.where(near, random.uniform(0, 1, size // 2) * smearing[: size // 2], 0)
    return np.stack([sic, np.hypot(0.03, smearing), smearing, truth])


def test_what_was_found_on_some_cells_holds_on_others():
    made = factors([{name: [truth_known(0)] for name in FORMULAS}])["asi"]
    kinds = ((made[kind]["68"], made[kind]["95"]) for kind in ("ice", "zero"))
    sic, _, smearing, truth = truth_known(1)
    one, other, wide = widths(sic, (np.full_like(sic, 0.03), smearing), Held(*kinds))
    error = np.abs(sic - truth)
    ice = sic > 0
    assert (error <= np.hypot(one, other) + 1e-6)[ice].mean() == pytest.approx(0.68, abs=0.03)
    for here in (ice, ~ice):
        assert (error <= wide + 1e-6)[here].mean() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("name", FORMULAS)
def test_factors_ship_for_every_formula(name):
    for kind in shipped(name):
        one, two = (np.array(table) for table in kind)
        assert one.shape == two.shape == (11, 5)
        assert (one > 0).all()
