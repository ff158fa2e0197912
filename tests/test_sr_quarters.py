"""What super-resolution makes of the quarters of a cell, and of cells that have none."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seaice.grid.blocks import space_to_depth
from seaice.models.inputs import assemble_sr_input, new_sr_card
from seaice.models.layers.upsampling import bicubic_upsample

CARD = new_sr_card("pmdrnet", {})
ROWS, COLUMNS = 7, 9
shares = st.floats(0, 0.9)


def random_stack(seed):
    """A stack of 200 to 300 K and quarters that have nothing to do with it."""
    draw = torch.Generator().manual_seed(seed)
    sizes = (5, 2, ROWS, COLUMNS), (5, 2, 4, ROWS, COLUMNS)
    return tuple(200 + 100 * torch.rand(size, generator=draw) for size in sizes)


def holes(seed, share, shape):
    return torch.from_numpy(np.random.default_rng(seed).random(shape) < share)


def kelvin(planes):
    """The quarters of H and V that a network is given, (frame, 2, 4, y, x) K."""
    return 200 + 100 * planes[:, 3:].unflatten(1, (2, 4))


def plane(rows, columns):
    """0.5 K down and 0.25 K across a coarse cell, at the centres of a lattice of cells."""
    finer = rows // ROWS
    y, x = ((np.arange(n) + 0.5) / finer for n in (rows, columns))
    return torch.from_numpy(200 + y[:, None] / 2 + x / 4).float()


@given(st.integers(0, 1000), shares)
def test_quarters_that_were_seen_go_in_as_they_are(seed, share):
    tb, quarters = random_stack(seed)
    absent = holes(seed, share, quarters.shape)
    told = kelvin(assemble_sr_input(tb, quarters.masked_fill(absent, torch.nan), CARD))
    assert torch.allclose(told[~absent], quarters[~absent], atol=1e-3)


@given(st.integers(0, 1000), shares)
def test_what_fills_a_quarter_never_comes_from_an_invalid_cell(seed, share):
    """All cells that are there say the same: so does every quarter of theirs."""
    tb = torch.full((5, 2, ROWS, COLUMNS), 250.0)
    gone = holes(seed, share, (5, 1, ROWS, COLUMNS)).expand(tb.shape)
    nothing = torch.full((5, 2, 4, ROWS, COLUMNS), torch.nan)
    told = assemble_sr_input(tb.masked_fill(gone, torch.nan), nothing, CARD)
    there = ~gone[:, :1].expand(5, 8, ROWS, COLUMNS)
    assert torch.allclose(told[:, 3:][there], torch.tensor(0.5), atol=1e-5)
    assert not told[:, 3:][~there].any()


def test_what_fills_a_quarter_is_between_the_cells_around_it():
    tb = plane(ROWS, COLUMNS).expand(5, 2, -1, -1)
    told = kelvin(assemble_sr_input(tb, torch.full((5, 2, 4, ROWS, COLUMNS), torch.nan), CARD))
    expected = torch.from_numpy(space_to_depth(plane(2 * ROWS, 2 * COLUMNS).numpy()))
    inner = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(told[inner], expected[inner].expand(told[inner].shape), atol=1e-3)


def test_networks_of_three_channels_see_whole_cells_only():
    tb, quarters = random_stack(0)
    card = new_sr_card("pmdrnet", {"channels": 3})
    seen, other = (assemble_sr_input(tb, q, card) for q in (quarters, quarters + 9))
    assert card.channels == ("tb89h", "tb89v", "valid")
    assert torch.equal(seen, other)
    assert torch.allclose(seen, assemble_sr_input(tb, quarters, CARD)[:, :3])


@pytest.mark.parametrize("channels", [3, 11])
def test_a_plane_is_interpolated_to_itself(channels):
    """Cubic convolution with a = -0.75 ripples a little."""
    tb = plane(ROWS, COLUMNS).expand(5, 2, -1, -1)
    quarters = torch.from_numpy(space_to_depth(plane(2 * ROWS, 2 * COLUMNS).numpy()))
    planes = assemble_sr_input(tb, quarters.expand(5, 2, -1, -1, -1), CARD)[2:3, :channels]
    result = 200 + 100 * bicubic_upsample(planes, 4)[0]
    expected = plane(4 * ROWS, 4 * COLUMNS).expand(2, -1, -1)
    inner = (..., slice(8, -8), slice(8, -8))
    assert torch.allclose(result[inner], expected[inner], atol=0.04)


@given(st.integers(0, 3), st.integers(2, ROWS - 3), st.integers(2, COLUMNS - 3), st.integers(0, 1))
def test_a_bright_quarter_is_bright_where_it_lies(quarter, row, column, channel):
    frame = torch.zeros(1, 11, ROWS, COLUMNS)
    frame[0, 3 + 4 * channel + quarter, row, column] = 1
    result = bicubic_upsample(frame, 4)[0]
    top, left = 4 * row + 2 * (quarter // 2), 4 * column + 2 * (quarter % 2)
    block = result[channel, top : top + 2, left : left + 2]
    assert result.max() > 0.5
    assert block.min() > 0.999 * result.max()
    assert not result[1 - channel].any()


def test_without_quarters_it_is_bicubic_between_whole_cells():
    frame = torch.rand(1, 3, ROWS, COLUMNS)
    usual = torch.nn.functional.interpolate(frame[:, :2], scale_factor=4.0, mode="bicubic")
    assert torch.equal(bicubic_upsample(frame, 4), usual)
