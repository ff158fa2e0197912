"""Southern ice has the extent that is published for its month, and a world of it can be seen."""

from datetime import date

import numpy as np
import pytest

from seaice.grid.grid import SOUTH
from seaice.grid.masks import land_mask
from seaice.grid.projection import cell_areas
from seaice.simulate.settings import draw_climate
from seaice.simulate.southern import EXTENT, southern_concentration
from seaice.simulate.world import make_world


@pytest.fixture(scope="module")
def sea():
    """Ground of the cells of the sea, millions of km2."""
    return np.where(land_mask(SOUTH), 0, cell_areas(SOUTH)) / 1e12


#: The least and the most ice, and the fastest growth; the other months are slow.
MONTHS = [
    pytest.param(month, marks=[] if month in (2, 5, 9) else pytest.mark.slow)
    for month in range(1, 13)
]


@pytest.mark.parametrize("month", MONTHS)
def test_extent_is_that_of_the_month(sea, month):
    ice = southern_concentration(SOUTH, date(2018, month, 15))
    assert sea[ice > 0.15].sum() == pytest.approx(EXTENT[month - 1], abs=1.6)


def test_seasons_are_those_of_the_south():
    def climates(month):
        return [
            draw_climate(date(2018, month, 9), np.random.default_rng(n), "south") for n in range(60)
        ]

    january, july = climates(1), climates(7)
    assert 0.1 < np.mean([each.melt for each in january]) < 0.5
    assert not any(each.melt for each in july)
    assert np.mean([c.vapour for c in january]) > 2 * np.mean([c.vapour for c in july])


def test_a_world_has_closed_southern_ice_in_september():
    grid = SOUTH.crop(slice(240, 304), slice(600, 664))
    land = land_mask(grid.refine(4))
    world = make_world(grid, date(2018, 9, 14), 3, land)
    sea = ~land
    assert world.ice.concentration[sea].mean() > 0.8
    pd = world.ice.tb89[1] - world.ice.tb89[0]
    assert 5 < np.median(pd[sea]) < 16
