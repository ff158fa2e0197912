"""Standard deviations that are wrong in a known way come out right, and cells never seen do too."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seaice.models.card import Card
from seaice.models.inference import no_progress
from seaice.models.inputs import SIC_CHANNELS, new_sic_card
from seaice.retrieval.calibration import (
    BEFORE,
    ONE_SIGMA,
    STEPS,
    TWO_SIGMA,
    calibrated,
    calibration,
    quantiles,
)
from seaice.retrieval.concentrate import concentrate
from tests.test_network_contract import SMALL
from tests.test_sic_concentrate import SHAPE, daily_map, teller
from tests.test_sr_refine import MACHINE, bicubic, stack

LEAST, MOST = 0.004, 0.15  #: doubts that are drawn
TABLE = np.exp(np.random.default_rng(2).normal(0, 0.6, STEPS.shape))


def drawn(seed, wrong=lambda estimate, doubt: 1.0, count=300_000):
    """Cells of every concentration and doubt, whose errors are `wrong` times the doubt told."""
    random = np.random.default_rng(seed)
    estimate = random.random(count)
    doubt = np.exp(random.uniform(np.log(LEAST), np.log(MOST), count))
    truth = estimate + random.normal(0, 1, count) * doubt * wrong(estimate, doubt)
    return estimate, doubt, truth


def one_factor(errors, share):
    """The factor found where all cells tell the same and doubt by 0.025."""
    cells = np.full(len(errors), 0.5)
    factors = calibration(cells, np.full(len(errors), 0.025), cells + 0.025 * errors, share)
    return found_at(factors, 0.5, 0.025)


def found_at(factors, estimate, doubt):
    """The factor that cells of one kind are given."""
    return float(calibrated(np.array([estimate]), np.array([doubt]), factors)[0]) / doubt


@pytest.mark.parametrize("wrong", [1.0, 2.0, 0.5])
def test_errors_so_many_times_the_doubt_get_that_factor_everywhere(wrong):
    factors = calibration(*drawn(1, lambda estimate, doubt: wrong))
    assert np.shape(factors) == STEPS.shape
    assert np.quantile(np.abs(np.array(factors) / wrong - 1), 0.9) < 0.15
    np.testing.assert_allclose(np.median(factors), wrong, rtol=0.02)


def test_each_concentration_and_doubt_gets_its_own_factor():
    def wrong(estimate, doubt):
        return np.where((estimate > 0.5) & (doubt > 0.02), 3, 1)

    factors = calibration(*drawn(1, wrong, count=1_000_000))
    for estimate in (0.62, 0.78, 0.93):
        assert found_at(factors, estimate, 0.06) == pytest.approx(3, rel=0.15)
        assert found_at(factors, estimate, 0.01) == pytest.approx(1, rel=0.15)
        assert found_at(factors, 1 - estimate, 0.06) == pytest.approx(1, rel=0.15)


def test_a_few_cells_do_not_decide():
    estimate, uncertainty, truth = drawn(1, count=50_000)
    low = estimate < 0.85
    few = np.append(estimate[low], [1.0] * 5), np.append(uncertainty[low], [0.06] * 5)
    factors = calibration(*few, np.append(truth[low], [0.0] * 5))
    assert 0.9 < found_at(factors, 1.0, 0.06) < 2  # alone they would say 17


def test_factors_hold_on_cells_that_were_not_there_when_they_were_found():
    """Errors of three kinds, by concentration: each half-width holds its share of each."""

    def cells(seed):
        random = np.random.default_rng(seed)
        estimate, uncertainty, _ = drawn(seed, count=600_000)
        kinds = [random.normal, random.laplace, random.uniform]
        errors = [
            kind(*(-1, 1) if kind == random.uniform else (0, 1), estimate.size) for kind in kinds
        ]
        error = (
            np.choose((estimate * 3).astype(int).clip(0, 2), errors) * (uncertainty / 0.025) ** 0.8
        )
        return estimate, uncertainty, estimate + 0.03 * error

    for fraction in (ONE_SIGMA, TWO_SIGMA):
        factors = calibration(*cells(1), fraction)
        estimate, uncertainty, truth = cells(2)
        within = np.abs(estimate - truth) <= calibrated(estimate, uncertainty, factors)
        for low in np.arange(0, 1, 0.1):
            here = (estimate >= low) & (estimate < low + 0.1)
            assert within[here].mean() == pytest.approx(fraction, abs=0.015)


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
    for fraction in (ONE_SIGMA, TWO_SIGMA):
        within = np.abs(errors) <= one_factor(errors, fraction)
        assert within.mean() == pytest.approx(fraction, abs=0.02)


@given(st.floats(0, 1), st.floats(0.0021, 0.3))
def test_a_card_of_before_gives_the_factor_of_its_nearest_concentration_and_doubt(estimate, doubt):
    concentrations, uncertainties = np.linspace(0, 1, 11), np.log([0.004, 0.01, 0.025, 0.06, 0.15])
    table = TABLE[: len(concentrations), : len(uncertainties)]
    difference = abs(concentrations - estimate)[:, None], abs(uncertainties - np.log(doubt))[None]
    nearest = (difference[0] <= difference[0].min() + 1e-6) & (
        difference[1] <= difference[1].min() + 1e-6
    )
    assert table.shape == BEFORE.shape
    assert np.isclose(found_at(table, estimate, doubt), table[nearest], rtol=1e-5).any()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_boxes_without_values_have_the_quantile_of_all(values, share):
    values = np.maximum(values, 1e-3)
    result = quantiles([np.zeros(len(values))], [np.array([1.0, 2.0])], values, share)
    np.testing.assert_allclose(result, np.quantile(values, share), rtol=1e-6)


def test_what_is_absent_stays_so_and_spreads_nowhere():
    estimate, uncertainty, _ = drawn(4, count=20)
    whole = calibrated(estimate, uncertainty, TABLE)
    estimate[3], uncertainty[[3, 5]] = np.nan, np.nan
    gappy = calibrated(estimate, uncertainty, TABLE)
    assert np.flatnonzero(np.isnan(gappy)).tolist() == [3, 5]
    assert np.array_equal(np.delete(gappy, [3, 5]), np.delete(whole, [3, 5]))


def test_without_factors_nothing_changes():
    estimate, uncertainty, _ = drawn(4, count=20)
    assert np.array_equal(calibrated(estimate, uncertainty, ()), uncertainty)


def test_cards_with_and_without_factors_are_read():
    card = new_sic_card("xception_aspp", SMALL["xception_aspp"], SIC_CHANNELS)
    factors = tuple(tuple(map(float, line)) for line in TABLE)
    stored = replace(card, calibration=factors)
    assert Card.from_json(stored.json()).calibration == factors
    assert Card.from_json(replace(card, calibration_95=factors).json()).calibration_95 == factors
    older = json.loads(card.json())
    del older["calibration"]
    assert Card.from_json(json.dumps(older)) == Card.from_json(card.json())
    assert Card.from_json(card.json()).calibration == ()


def test_a_products_uncertainty_is_the_calibrated_one_and_its_concentration_the_same():
    network, card = teller()
    land = np.zeros((4 * SHAPE[0], 4 * SHAPE[1]), bool)
    thrice = replace(card, calibration=((3.0,) * STEPS.shape[1],) * STEPS.shape[0])
    given = bicubic(stack(SHAPE)), daily_map(), land
    plain, told = (
        concentrate(*given, (network, each), MACHINE, no_progress) for each in (card, thrice)
    )
    assert np.array_equal(plain["sic"], told["sic"], equal_nan=True)
    uncertainty = np.maximum(plain["sic_uncertainty"].values, STEPS.smallest)
    inside = uncertainty < 1 / 3
    expected = np.where(np.isnan(uncertainty), np.nan, np.minimum(3 * uncertainty, 1))
    checked = inside | np.isnan(uncertainty)
    np.testing.assert_allclose(
        told["sic_uncertainty"].values[checked], expected[checked], rtol=1e-5
    )
    assert (
        np.nanmin(told["sic_uncertainty"].values[~inside & ~np.isnan(uncertainty)], initial=1)
        > 1 - 1e-6
    )
