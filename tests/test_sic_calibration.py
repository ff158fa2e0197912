"""Standard deviations that are wrong in a known way come out right, and cells never seen do too."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_network_contract import SMALL
from test_sic_concentrate import SHAPE, daily_map, teller
from test_sr_refine import MACHINE, bicubic, stack

from seaice.network.card import Card
from seaice.network.run import silent
from seaice.sic.calibration import (
    DOUBTS,
    ESTIMATES,
    ONE_SIGMA,
    SMALLEST,
    TWO_SIGMA,
    calibrated,
    calibration,
)
from seaice.sic.concentrate import concentrate
from seaice.sic.inputs import CHANNELS, blank_card

NODES = np.exp(DOUBTS)
TABLE = np.exp(np.random.default_rng(2).normal(0, 0.6, (len(ESTIMATES), len(DOUBTS))))


def drawn(seed, wrong=lambda estimate, doubt: 1.0, count=300_000):
    """Cells of every concentration and doubt, whose errors are `wrong` times the doubt told."""
    random = np.random.default_rng(seed)
    estimate = random.random(count)
    doubt = np.exp(random.uniform(DOUBTS[0], DOUBTS[-1], count))
    truth = estimate + random.normal(0, 1, count) * doubt * wrong(estimate, doubt)
    return estimate, doubt, truth


def one_factor(errors, share):
    """The factor found where all cells tell the same and doubt by 0.025."""
    cells = np.full(len(errors), 0.5)
    factors = calibration(cells, np.full(len(errors), 0.025), cells + 0.025 * errors, share)
    return factors[5][2]


@pytest.mark.parametrize("wrong", [1.0, 2.0, 0.5])
def test_errors_so_many_times_the_doubt_get_that_factor_everywhere(wrong):
    factors = calibration(*drawn(1, lambda estimate, doubt: wrong))
    assert np.shape(factors) == (len(ESTIMATES), len(DOUBTS))
    np.testing.assert_allclose(factors, wrong, rtol=0.07)


def test_each_concentration_and_doubt_gets_its_own_factor():
    def wrong(estimate, doubt):
        return np.where((estimate > 0.5) & (doubt > 0.02), 3, 1)

    factors = np.array(calibration(*drawn(1, wrong, count=1_000_000)))
    np.testing.assert_allclose(factors[7:10, 3], 3, rtol=0.15)
    np.testing.assert_allclose(factors[1:4], 1, rtol=0.15)
    np.testing.assert_allclose(factors[1:10, 1], 1, rtol=0.15)


def test_a_few_cells_do_not_decide():
    estimate, doubt, truth = drawn(1, count=50_000)
    low = estimate < 0.85
    few = np.append(estimate[low], [1.0] * 5), np.append(doubt[low], [0.06] * 5)
    factors = calibration(*few, np.append(truth[low], [0.0] * 5))
    assert 0.9 < factors[-1][3] < 1.1


def test_factors_hold_on_cells_that_were_not_there_when_they_were_found():
    def wrong(estimate, doubt):
        return (1.5 + estimate) * (doubt / 0.025) ** -0.1

    factors = calibration(*drawn(1, wrong, count=1_000_000))
    estimate, doubt, truth = drawn(2, wrong)
    sigma = calibrated(estimate, doubt, factors)
    for low in np.arange(0, 1, 0.1):
        here = (estimate >= low) & (estimate < low + 0.1)
        ratio = np.abs(estimate - truth)[here] / sigma[here]
        assert (ratio <= 1).mean() == pytest.approx(0.6827, abs=0.03)
        assert (ratio <= 2).mean() == pytest.approx(0.9545, abs=0.02)


@pytest.mark.parametrize("share", [ONE_SIGMA, TWO_SIGMA])
@pytest.mark.parametrize("freedom", [3, 6])
def test_heavy_tails_get_the_quantile_of_their_distribution(freedom, share):
    tailed = stats.t(freedom)
    errors = tailed.rvs(200_000, random_state=np.random.default_rng(3))
    assert one_factor(errors, share) == pytest.approx(tailed.ppf((1 + share) / 2), rel=0.02)


def test_both_half_widths_hold_where_most_cells_are_exact_and_few_far_off():
    """As closed ice and open water are: no one standard deviation could say both shares."""
    random = np.random.default_rng(5)
    errors = np.where(random.random(300_000) < 0.1, random.normal(0, 8, 300_000), 0.02)
    errors = errors * random.random(errors.size)
    for share in (ONE_SIGMA, TWO_SIGMA):
        within = np.abs(errors) <= one_factor(errors, share)
        assert within.mean() == pytest.approx(share, abs=0.02)


@given(st.floats(0, 1), st.floats(0.0021, 0.4))
def test_between_nodes_the_factor_lies_between_theirs(estimate, doubt):
    factor = float(calibrated(np.array([estimate]), np.array([doubt]), TABLE)[0]) / doubt
    row = min(int(estimate * 10), 9)
    column = int(np.clip(np.searchsorted(NODES, doubt) - 1, 0, len(NODES) - 2))
    corners = TABLE[row : row + 2, column : column + 2]
    assert corners.min() * (1 - 1e-5) <= factor <= corners.max() * (1 + 1e-5)


def test_at_its_nodes_the_table_is_itself():
    estimate, doubt = np.meshgrid(ESTIMATES, NODES, indexing="ij")
    np.testing.assert_allclose(calibrated(estimate, doubt, TABLE), doubt * TABLE, rtol=1e-5)


def test_factors_that_rise_with_concentration_do_so_between_their_nodes_too():
    rising = np.repeat(np.linspace(1, 4, len(ESTIMATES))[:, None], len(DOUBTS), axis=1)
    along = calibrated(np.linspace(0, 1, 101), np.full(101, 0.03), rising)
    assert (np.diff(along) > 0).all()


def test_what_is_absent_stays_so_and_spreads_nowhere():
    estimate, doubt, _ = drawn(4, count=20)
    whole = calibrated(estimate, doubt, TABLE)
    estimate[3], doubt[[3, 5]] = np.nan, np.nan
    gappy = calibrated(estimate, doubt, TABLE)
    assert np.flatnonzero(np.isnan(gappy)).tolist() == [3, 5]
    assert np.array_equal(np.delete(gappy, [3, 5]), np.delete(whole, [3, 5]))


def test_without_factors_nothing_changes():
    estimate, doubt, _ = drawn(4, count=20)
    assert np.array_equal(calibrated(estimate, doubt, ()), doubt)


def test_cards_with_and_without_factors_are_read():
    card = blank_card("xception_aspp", SMALL["xception_aspp"], CHANNELS)
    factors = tuple(tuple(map(float, line)) for line in TABLE)
    held = replace(card, calibration=factors)
    assert Card.from_json(held.json()).calibration == factors
    assert Card.from_json(replace(card, calibration_95=factors).json()).calibration_95 == factors
    older = json.loads(card.json())
    del older["calibration"]
    assert Card.from_json(json.dumps(older)) == Card.from_json(card.json())
    assert Card.from_json(card.json()).calibration == ()


def test_a_products_uncertainty_is_the_calibrated_one_and_its_concentration_the_same():
    network, card = teller()
    land = np.zeros((4 * SHAPE[0], 4 * SHAPE[1]), bool)
    thrice = replace(card, calibration=((3.0,) * len(DOUBTS),) * len(ESTIMATES))
    given = bicubic(stack(SHAPE)), daily_map(), land
    plain, told = (concentrate(*given, (network, each), MACHINE, silent) for each in (card, thrice))
    assert np.array_equal(plain["sic"], told["sic"], equal_nan=True)
    doubt = np.maximum(plain["sic_uncertainty"].values, SMALLEST)
    inside = doubt < 1 / 3
    expected = np.where(np.isnan(doubt), np.nan, np.minimum(3 * doubt, 1))
    checked = inside | np.isnan(doubt)
    np.testing.assert_allclose(
        told["sic_uncertainty"].values[checked], expected[checked], rtol=1e-5
    )
    assert (
        np.nanmin(told["sic_uncertainty"].values[~inside & ~np.isnan(doubt)], initial=1) > 1 - 1e-6
    )
