"""Melting ice is as bright in each channel as the real samples it is drawn from."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.instrument import CHANNELS
from seaice.simulate.derive import MELTING
from seaice.simulate.emission import ice_table

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
RRDP = SHARED / "real" / "rrdp_amsr2_points.nc"


def drawn(kind, count=20_000):
    table, random = ice_table(kind), np.random.default_rng(0)
    scores = np.stack([table.scores(k, random.random(count)) for k in range(len(table.axes))])
    return dict(zip(CHANNELS, table.brightness(scores, CHANNELS), strict=True))


@pytest.mark.parametrize(("kind", "difference"), [("wet snow", 24), ("bare ice", 39)])
def test_low_frequencies_see_far_more_polarization_in_melting_than_in_cold_ice(kind, difference):
    """Measured: 24 K in July and 39 K in August at 18.7 GHz; 20 to 21 K from January to May."""
    tb = drawn(kind)
    assert np.median(tb["tb18v"] - tb["tb18h"]) == pytest.approx(difference, abs=2)
    assert 15 < np.median(tb["tb36v"] - tb["tb36h"]) < 24
    assert 7 < np.median(tb["tb89v"] - tb["tb89h"]) < 12


@pytest.mark.skipif(not RRDP.is_file(), reason="no real samples beside the project")
@pytest.mark.parametrize("kind", MELTING)
def test_each_channel_has_the_quantiles_of_the_real_months(kind):
    points = xr.open_dataset(RRDP)
    ice = points.isel(sample=(points.sic == 1) & (points.hemisphere == "N"))
    tb = drawn(kind)
    for ours, theirs in (("tb18v", "tb18p7v"), ("tb36h", "tb36p5h"), ("tb89v", "tb89p0v")):
        real = ice[theirs].values[ice.time.dt.month == MELTING[kind]]
        for fraction in (0.1, 0.5, 0.9):
            assert np.quantile(tb[ours], fraction) == pytest.approx(
                np.quantile(real, fraction), abs=6
            )
