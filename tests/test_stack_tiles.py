"""Tiles of a map, and stitching of tiles."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seaice.stack import Tiling, stitch

shapes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@st.composite
def tilings(draw):
    unit = draw(st.sampled_from([1, 2, 4]))
    margin, feather = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    side = unit * draw(st.integers(1, 12))
    assume(side - 2 * margin - feather >= unit)
    last = draw(st.sampled_from(["short", "whole"]))
    return Tiling(side=side, margin=margin, feather=feather, multiple_of=unit, last=last)


@given(tilings(), shapes)
def test_whole_tiles_are_all_of_one_size_where_the_map_has_room(tiling, shape):
    assume(tiling.last == "whole")
    for tile in tiling.over(shape):
        for span, length in zip((tile.rows, tile.columns), shape, strict=True):
            assert span.stop - span.start > min(tiling.side, length) - tiling.multiple_of


@given(tilings(), shapes, st.sampled_from([1, 4]), st.integers(0, 100))
def test_stitching_the_tiles_of_a_map_returns_it(tiling, shape, scale, seed):
    whole = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    fine = whole.repeat(scale, 0).repeat(scale, 1)[None]
    out = np.full_like(fine, np.nan)
    for tile in tiling.over(shape):
        told = whole[tile.rows.cells, tile.columns.cells].repeat(scale, 0).repeat(scale, 1)[None]
        stitch(out, tile, told, scale)
    assert np.array_equal(out, fine)


@given(tilings(), shapes)
def test_tiles_start_at_multiples_and_fit(tiling, shape):
    for tile in tiling.over(shape):
        for span, length in zip((tile.rows, tile.columns), shape, strict=True):
            assert span.start % tiling.multiple_of == 0
            assert 0 <= span.start <= span.kept_start < span.kept_stop <= span.stop <= length
            assert span.stop - span.start <= tiling.side


@given(tilings(), shapes)
def test_margins_are_used_only_at_the_edge_of_the_map(tiling, shape):
    for tile in tiling.over(shape):
        for span, length in zip((tile.rows, tile.columns), shape, strict=True):
            assert span.start == 0 or span.kept_start - span.start >= tiling.margin
            assert span.stop == length or span.stop - span.kept_stop >= tiling.margin


@given(tilings(), shapes, st.integers(0, 100))
def test_blended_values_are_between_those_of_the_tiles(tiling, shape, seed):
    random = np.random.default_rng(seed)
    out = np.full((1, *shape), np.nan, np.float32)
    for tile in tiling.over(shape):
        size = (1, tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
        stitch(out, tile, np.full(size, random.random(), np.float32), 1)
    assert out.min() >= 0
    assert out.max() <= 1


def test_the_feather_is_smooth():
    first, second = Tiling(side=20, margin=2, feather=6).over((1, 30))
    out = np.full((1, 1, 30), np.nan, np.float32)
    stitch(out, first, np.zeros((1, 1, 20), np.float32), 1)
    stitch(out, second, np.ones((1, 1, 20), np.float32), 1)
    steps = np.diff(out[0, 0])
    assert (steps >= 0).all()
    assert steps.max() < 0.27
    assert out[0, 0, 11] == 0
    assert out[0, 0, 18] == 1


def test_a_tile_next_to_a_skipped_one_has_full_weight():
    _, second = Tiling(side=20, margin=2, feather=6).over((1, 30))
    out = np.full((1, 1, 30), np.nan, np.float32)
    stitch(out, second, np.ones((1, 1, 20), np.float32), 1)
    assert np.nanmin(out[0, 0, second.columns.kept]) == 1


def test_tiles_without_used_cells_are_refused():
    with pytest.raises(ValueError, match="keep nothing"):
        Tiling(side=8, margin=4)


@given(tilings(), shapes, st.floats(0.001, 0.5), st.integers(0, 100))
def test_trimmed_tiles_return_all_needed_cells(tiling, shape, share, seed):
    assume(tiling.last == "short")
    random = np.random.default_rng(seed)
    whole = random.normal(size=shape).astype(np.float32)
    needed = random.random(shape) < share
    out = np.full((1, *shape), np.nan, np.float32)
    for tile in tiling.over(shape):
        if not needed[tile.rows.kept, tile.columns.kept].any():
            continue
        less = tiling.trimmed(tile, needed)
        for span, full in zip((less.rows, less.columns), (tile.rows, tile.columns), strict=True):
            assert full.start <= span.start <= span.kept_start < span.kept_stop <= span.stop
            assert span.stop <= full.stop
            assert span.start % tiling.multiple_of == 0
            assert span.start == full.start or span.kept_start - span.start >= tiling.margin
            assert span.stop == full.stop or span.stop - span.kept_stop >= tiling.margin
            inside = slice(span.kept_start - full.kept_start, span.kept_stop - full.kept_start)
            assert np.array_equal(
                span.weights(4), full.weights(4)[4 * inside.start : 4 * inside.stop]
            )
        stitch(out, less, whole[None, less.rows.cells, less.columns.cells], 1)
    assert np.array_equal(out[0][needed], whole[needed])
