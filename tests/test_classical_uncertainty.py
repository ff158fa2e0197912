"""Half-widths of formulas: two parts whose squares add up, scaled until they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.research.calibration import NETWORK, half_widths, network_factors
from seaice.retrieval.calibration import calibrated
from seaice.retrieval.classical.daily import FORMULAS
from seaice.retrieval.classical.uncertainty import (
    AS_STATED,
    ICE,
    SPREADS,
    ZERO,
    IntervalTables,
    UncertaintyPredictors,
    algorithm_uncertainty,
    beside,
    shipped,
    widths,
)

shares = st.floats(0, 1)
SHAPES = [tuple(len(edges) + 1 for edges in bounds) for bounds in (ICE, ZERO)]


def anywhere(like, spread=0.1, land=9.0):
    """Cells that lie alike."""
    return UncertaintyPredictors(spread=np.full(like.shape, spread), land=np.full(like.shape, land))


def alike(one, two):
    """Tables of the same half-widths in every box."""
    return IntervalTables(
        *(np.stack([np.full(shape, width) for width in (one, two)]) for shape in SHAPES)
    )


@given(shares, st.sampled_from(sorted(SPREADS)))
def test_the_algorithm_part_goes_from_water_to_ice(sic, name):
    water, ice = SPREADS[name]
    result = algorithm_uncertainty(np.array([sic]), SPREADS[name])[0]
    assert result == pytest.approx(np.sqrt((1 - sic) ** 2 * water**2 + sic**2 * ice**2), rel=1e-5)


@given(shares, st.floats(0.001, 0.3), st.floats(0, 0.3))
def test_without_factors_parts_stay_and_the_wider_is_twice_their_sum(sic, algorithm, smearing):
    parts = np.array([algorithm]), np.array([smearing])
    one, other, wide = widths(np.array([sic]), parts, AS_STATED, anywhere(parts[0]))
    assert (one[0], other[0]) == (pytest.approx(algorithm), pytest.approx(smearing))
    assert wide[0] == pytest.approx(min(2 * np.hypot(algorithm, smearing), 1), rel=1e-5)


@given(shares, st.floats(0.02, 0.1), st.floats(0.02, 0.1), shares, shares)
def test_tables_set_the_sum_and_leave_the_proportion(sic, algorithm, smearing, one, two):
    parts = np.array([algorithm]), np.array([smearing])
    scaled = widths(np.array([sic]), parts, alike(one, two), anywhere(parts[0]))
    assert np.hypot(*scaled[:2])[0] == pytest.approx(one, rel=1e-4, abs=1e-7)
    assert scaled[0][0] * smearing == pytest.approx(scaled[1][0] * algorithm, rel=1e-4, abs=1e-7)
    assert scaled[2][0] == pytest.approx(max(one, two), rel=1e-4)


def test_absent_cells_stay_absent_and_absent_formulas_are_the_most_doubtful():
    absent = np.array([np.nan])
    for result in widths(absent, (absent, absent), shipped("asi"), anywhere(absent)):
        assert np.isnan(result[0])
    sic, parts = np.array([0.5]), (np.array([0.1]), np.array([0.1]))
    unknown = widths(sic, parts, shipped("asi"), anywhere(sic, spread=np.nan))
    worst = widths(sic, parts, shipped("asi"), anywhere(sic, spread=1.0))
    assert [*unknown] == [*worst]


def test_beside_a_cell_lie_its_formulas_and_its_coast():
    land = np.zeros((3, 6), bool)
    land[:, 0] = True
    fine, coarse = np.full((12, 24), 0.9), [np.full((3, 6), value) for value in (0.2, 0.5)]
    fine[0, 0] = coarse[1][2, 5] = np.nan
    near = beside(fine, coarse, land)
    assert np.isnan(near.spread[0, 0])
    assert np.isnan(near.spread[8:, 20:]).all()
    np.testing.assert_allclose(near.spread[1:8], 0.7)
    assert near.land[5, ::4].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isinf(beside(fine, coarse, np.zeros((3, 6), bool)).land).all()


def truth_known(seed, size=60_000):
    """Errors with long tails where formulas differ and land is near, and filtered zeros."""
    random = np.random.default_rng(seed)
    sic = random.uniform(0.3, 0.5, size)
    spread, land = random.uniform(0, 0.5, size), random.choice([0.0, 1.0, 9.0], size)
    wide = np.where(spread > 0.18, 0.12, 0.03) * np.where(land < 3, 2, 1)
    truth = sic + random.laplace(0, wide)
    smearing = random.uniform(0, 0.15, size)
    sic[: size // 2] = 0
    near = random.random(size // 2) < 0.4
    truth[: size // 2] = np.where(near, random.uniform(0, 1, size // 2) * smearing[: size // 2], 0)
    return np.stack([sic, np.hypot(0.03, smearing), smearing, spread, land, truth])


def test_what_was_found_on_some_cells_holds_on_others():
    result = half_widths([{name: [truth_known(0)] for name in FORMULAS}])["asi"]
    stored = IntervalTables(
        *(np.array([result[kind]["68"], result[kind]["95"]]) for kind in IntervalTables._fields)
    )
    sic, _, smearing, spread, land, truth = truth_known(1)
    parts = np.full_like(sic, 0.03), smearing
    one, other, wide = widths(sic, parts, stored, UncertaintyPredictors(spread=spread, land=land))
    error, ice = np.abs(sic - truth), sic > 0
    for here in (ice, ice & (spread > 0.3), ice & (land < 3), ice & (spread < 0.18) & (land > 3)):
        assert (error <= np.hypot(one, other) + 1e-6)[here].mean() == pytest.approx(0.68, abs=0.03)
    for here in (ice, ~ice):
        assert (error <= wide + 1e-6)[here].mean() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("name", FORMULAS)
def test_tables_ship_for_every_formula(name):
    for table, shape in zip(shipped(name), SHAPES, strict=True):
        assert table.shape == (2, *shape)
        assert (table > 0).all()
        assert (table[0] <= table[1]).mean() > 0.99


def test_real_scenes_weigh_as_much_as_all_simulated_worlds():
    """Half of all errors are 40 points then, so 68 % of them are held by no less than that."""
    simulated = np.tile([[0.1], [0.01], [0.11]], 4000)
    observed = np.tile([[0.1], [0.01], [0.5]], 40)
    alone, _ = network_factors([{NETWORK: [simulated]}])
    both, _ = network_factors([{NETWORK: [simulated]}], [observed])
    estimate, stated = np.array([0.1]), np.array([0.01])
    assert calibrated(estimate, stated, alone) == pytest.approx(0.01, rel=0.05)
    assert calibrated(estimate, stated, both) == pytest.approx(0.4, rel=0.05)
