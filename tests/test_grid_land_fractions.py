"""Land fractions of footprints agree with the simulated antenna."""

import numpy as np
import pytest
from scipy.special import ndtr

from seaice.grid.masks import LAND_FRACTIONS, land_fractions
from seaice.instrument import BANDS
from seaice.simulate.antenna import footprint_mean


@pytest.fixture(scope="module")
def archipelago():
    random = np.random.default_rng(3)
    coarse = random.random((32, 32)) > 0.8
    return coarse.repeat(16, 0).repeat(16, 1)


def test_a_straight_coast_is_the_error_function():
    land = np.zeros((1024, 64), bool)
    land[:512] = True
    away = (np.arange(256) + 0.5 - 128) * 6.25
    for name, fraction in land_fractions(land).items():
        band = BANDS[name.removeprefix("land_")]
        per_width = 1 / (8 * np.log(2))
        variance = (band.along * band.across + 10.0**2) * per_width + 6.25**2 / 12
        beam = np.sqrt(variance)
        assert np.abs(fraction[:, 3] - ndtr(-away / beam)).max() < 0.02


def test_land_fractions_agree_with_the_simulated_antenna(archipelago):
    """The gridder's weight apart, which is narrower than all beams but that of 36.5 GHz."""
    rows, columns = np.mgrid[40:88:3, 40:88:3].reshape(2, -1)
    for name in ("land_6", "land_10", "land_18"):
        fraction = land_fractions(archipelago)[name][rows, columns]
        seen = np.zeros(rows.size)
        for heading in (0.0, np.pi / 2):
            place = rows * 4 + 1.5, columns * 4 + 1.5, np.full(rows.size, heading)
            band = BANDS[name.removeprefix("land_")]
            seen += footprint_mean(archipelago[None].astype(np.float32), place, band, 1562.5)[0] / 2
        assert np.corrcoef(fraction, seen)[0, 1] > 0.95
        assert np.abs(fraction - seen).mean() < 0.05


def test_fractions_are_between_0_and_1_and_keep_the_mean(archipelago):
    shares = land_fractions(archipelago)
    assert tuple(shares) == LAND_FRACTIONS
    for fraction in shares.values():
        assert fraction.min() >= 0
        assert fraction.max() <= 1
        assert fraction.mean() == pytest.approx(archipelago.mean(), abs=0.02)
