"""The quicklook shows means of blocks of cells."""

import numpy as np
import pytest
import xarray as xr

from seaice.product import quicklook
from seaice.retrieval.flags import Flag
from tests.support.products import made_product


@pytest.mark.parametrize("longest", [50, 70, 1600])
def test_blocks_are_those_of_xarray(monkeypatch, longest):
    monkeypatch.setattr(quicklook, "MAX_CELLS", longest)
    product = made_product(side=(40, 57))
    land = (product["status_flag"] & Flag.LAND) > 0
    shown = xr.Dataset({"sic": product["sic"].where(~land), "land": land.astype(np.float32)})
    step = -(-max(shown.sizes.values()) // longest)
    expected = shown.coarsen(y=step, x=step, boundary="pad").mean()
    xr.testing.assert_allclose(quicklook._coarsen(product), expected, atol=1e-6)
