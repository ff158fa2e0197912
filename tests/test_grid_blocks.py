"""Means over blocks and repeats of cells, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seaice.grid.blocks import block_mean, repeat_to_fine_grid


@given(
    factor=st.sampled_from([1, 2, 3, 4, 7, 8, 12, 16]),
    front=st.sampled_from([(), (3,), (2, 2)]),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_the_mean_of_complete_blocks_is_numpys(factor, front, shape, dtype, seed):
    rows, columns = shape
    rng = np.random.default_rng(seed)
    fine = rng.normal(200, 30, (*front, rows * factor, columns * factor)).astype(np.float32)
    blocks = fine.reshape(*front, rows, factor, columns, factor)
    expected = blocks.mean(axis=(-3, -1), dtype=np.float64)
    result = block_mean(fine, factor, dtype=dtype)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("min_valid", [0.0, 0.5, 0.75, 1.0])
def test_missing_cells_are_left_out_and_blocks_with_too_few_are_missing(min_valid):
    rng = np.random.default_rng(1)
    fine = rng.normal(0, 1, (40, 60)).astype(np.float32)
    fine[rng.random(fine.shape) < 0.5] = np.nan
    fine[:4, :4], fine[-4:, -4:] = np.nan, 1.0
    blocks = fine.reshape(10, 4, 15, 4).swapaxes(1, 2).reshape(10, 15, 16)
    count = np.isfinite(blocks).sum(-1)
    enough = count >= max(16 * min_valid, 1)
    assert 0 < enough.sum() < enough.size
    result = block_mean(fine, 4, min_valid=min_valid)
    np.testing.assert_array_equal(np.isfinite(result), enough)
    np.testing.assert_allclose(result[enough], np.nanmean(blocks[enough], axis=-1), atol=1e-6)


def test_rows_and_columns_beyond_the_last_block_are_dropped():
    fine = np.arange(7 * 9, dtype=np.float32).reshape(7, 9)
    np.testing.assert_array_equal(block_mean(fine, 4), block_mean(fine[:4, :8], 4))


@given(st.integers(1, 6))
def test_the_mean_of_repeated_cells_is_the_cell(factor):
    coarse = np.random.default_rng(2).integers(0, 200, (5, 6)).astype(np.float32)
    np.testing.assert_array_equal(block_mean(repeat_to_fine_grid(coarse, factor), factor), coarse)
