"""Compiled gridding agrees with a plain loop over samples and cells."""

from datetime import date

import numpy as np
import pytest
import xarray as xr

from seaice.errors import GranuleError
from seaice.grid.grid import NORTH
from seaice.grid.gridding import (
    HIGH_BEAM,
    LOW_BEAM,
    QUARTER_BEAM,
    Accumulator,
    accumulate,
    compiled_grid,
    grid_day,
    project_samples,
)
from seaice.grid.projection import project
from tests.support.granules import make_swath

DAY = date(2020, 3, 3)
WIDE = NORTH.crop(slice(600, 1200), slice(300, 900))


def plainly(values, position, grid, beam):
    """Sums and counts by the definition, in double precision, a cell at a time."""
    lattice = compiled_grid(grid)
    points = project_samples(position, lattice).reshape(-1, 3)
    columns, rows = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[0]))
    x = grid.left + (columns + 0.5) * grid.cell
    y = grid.top - (rows + 0.5) * grid.cell
    sums, count = np.zeros((*grid.shape, 2 * len(values))), np.zeros(grid.shape, np.uint16)
    for (px, py, scale), sample in zip(points, np.stack(values, -1).reshape(-1, 2), strict=True):
        seen = np.isfinite(sample)
        if np.isnan(px) or not seen.any():
            continue
        distance = np.hypot(x - px, y - py) / scale
        weight = np.where(distance <= beam.radius, np.exp(-((distance / beam.sigma) ** 2)), 0)
        count += weight > 0
        sums[..., ::2] += weight[..., None] * seen
        sums[..., 1::2] += weight[..., None] * np.where(seen, sample, 0)
    return sums, count


@pytest.fixture(scope="module")
def samples():
    """Those of one horn around its middle, some of them absent."""
    middle = make_swath(60, phase=1200.0).isel(horn=0, scan=slice(15, 45), pixel=slice(200, 290))
    h, v, latitude, longitude = (
        middle[name].values.copy() for name in ("tb89h", "tb89v", "latitude", "longitude")
    )
    hidden = np.random.default_rng(0).random((3, *h.shape)) < 0.1
    hidden[:, 15, 45] = False
    h[hidden[0]] = v[hidden[1]] = latitude[hidden[2]] = np.nan
    x, y = project(latitude[15, 45], longitude[15, 45], NORTH.crs)
    row, column = NORTH.locate(float(x), float(y))
    grid = NORTH.crop(slice(row - 15, row + 15), slice(column - 20, column + 20))
    return (h, v), (latitude, longitude), grid


@pytest.mark.parametrize("beam", [HIGH_BEAM, QUARTER_BEAM, LOW_BEAM])
@pytest.mark.parametrize("refined", [1, 2])
def test_accumulation_agrees_with_its_definition(samples, beam, refined):
    values, position, coarse = samples
    grid = coarse.refine(refined)
    cells = np.zeros((*grid.shape, 4)), np.zeros(grid.shape, np.uint16)
    options = accumulate(
        values, project_samples(position, compiled_grid(grid)), cells, compiled_grid(grid), beam
    )
    sums, count = plainly(values, position, grid, beam)
    assert options == count.sum() > 1000
    np.testing.assert_array_equal(cells[1], count)
    np.testing.assert_allclose(cells[0], sums, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("processors", [1, 2, 7])
def test_a_map_is_the_same_to_the_bit_on_any_number_of_processors(monkeypatch, processors):
    swath = make_swath(200, phase=1000.0)
    grid = NORTH.crop(slice(900, 1100), slice(600, 800))
    result = []
    for number in (1, processors):
        monkeypatch.setattr("os.cpu_count", lambda number=number: number)
        day = Accumulator(grid)
        day.add(swath)
        day.add(swath.isel(horn=[1]))
        result.append(day.daily_map(DAY))
    xr.testing.assert_identical(*result)


def test_swaths_are_read_one_ahead_and_no_further(monkeypatch):
    taken, ahead = 0, []
    add = Accumulator.add

    def swaths():
        nonlocal taken
        for number in range(5):
            taken += 1
            yield make_swath(20, phase=1200.0 + 30 * number)

    def watched(day, swath):
        add(day, swath)
        ahead.append(taken - len(ahead) - 1)

    monkeypatch.setattr(Accumulator, "add", watched)
    grid_day(swaths(), WIDE, DAY)
    assert len(ahead) == 5
    assert max(ahead) <= 1


def test_errors_while_reading_ahead_are_raised():
    def swaths():
        yield make_swath(60, phase=1080.0)
        raise GranuleError("a bad granule", "a good one", "leave it out")

    with pytest.raises(GranuleError, match="a bad granule"):
        grid_day(swaths(), WIDE, DAY)
