"""Laws of DropKey: how often, which, when, and what is left on the average."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seaice.config import NetworkSettings
from seaice.errors import SettingsError, WeightsError
from seaice.models.inference import Machine, no_progress, run_tiled
from seaice.models.inputs import new_sic_card
from seaice.models.layers.dropout import DropKey, additive_mask, linear_decay, monte_carlo_mean
from seaice.models.registry import create_model
from seaice.workflow.plan import method
from tests.test_network_contract import SMALL, lively

SHAPES = ("keys", "block", "cross")
LIKE = torch.zeros(())
GRID = (6, 8)


def dropped(rate, shape, size=(50, 2, 40, 48), seed=0):
    torch.manual_seed(seed)
    return DropKey(rate, shape).mask(size, LIKE, GRID) < 0


class Attention(nn.Module):
    """Three keys, one query: eight masks in all."""

    def __init__(self, rate):
        super().__init__()
        self.logits = torch.tensor([0.0, 1.0, -1.0])
        self.values = torch.tensor([[4.0], [-2.0], [7.0]])
        self.dropout = nn.Dropout(0.9)
        self.dropkey = DropKey(rate)

    def forward(self, image):
        mask = self.dropkey.mask((1, 1, 1, 3), self.logits, None)
        logits = self.logits if mask is None else self.logits + mask[0, 0, 0]
        return self.dropout(image + logits.softmax(-1) @ self.values)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("shape", SHAPES)
def test_as_many_are_dropped_as_said(rate, shape):
    assert dropped(rate, shape).float().mean() == pytest.approx(rate, abs=0.012)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_key_is_dropped_oftener_than_another(shape):
    by_key = dropped(0.3, shape).float().mean((0, 1, 2))
    assert by_key.min() > 0.26
    assert by_key.max() < 0.34


@pytest.mark.parametrize("shape", SHAPES)
def test_every_sample_head_and_query_draws_for_itself(shape):
    drawn = dropped(0.3, shape, (40, 20, 30, 48)).float()
    for axis in range(3):
        here, next_one = drawn.transpose(0, axis)[:-1], drawn.transpose(0, axis)[1:]
        both = (here * next_one).mean()
        assert both == pytest.approx(0.09, abs=0.01)


def test_keys_are_dropped_independently_of_each_other():
    drawn = dropped(0.3, "keys").float()
    assert (drawn[..., 1:] * drawn[..., :-1]).mean() == pytest.approx(0.09, abs=0.005)


@given(
    st.sampled_from(["block", "cross"]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.floats(0.01, 0.95),
    st.integers(0, 99),
)
def test_figures_are_one_rectangle_or_one_cross_or_nothing(shape, grid, rate, seed):
    """On a ring of rows and one of columns; a figure is what its rows and its columns say."""
    torch.manual_seed(seed)
    size = (1, 1, 1, grid[0] * grid[1])
    figure = (DropKey(rate, shape).mask(size, LIKE, grid) < 0).reshape(grid)
    if not figure.any():
        return
    if shape == "cross":  # what it leaves is a rectangle
        figure = ~figure
    rows, columns = figure.any(1), figure.any(0)
    assert torch.equal(figure, rows[:, None] & columns[None, :])
    for band in (rows, columns):
        assert int((band != band.roll(1)).sum()) <= 2


def test_a_block_is_square_on_a_square_grid():
    torch.manual_seed(0)
    figures = DropKey(0.2, "block").mask((1, 1, 64, 64), LIKE, (8, 8)).reshape(64, 8, 8) < 0
    sides = {(int(f.any(1).sum()), int(f.any(0).sum())) for f in figures if f.any()}
    assert sides == {(4, 4)}


@pytest.mark.parametrize("shape", SHAPES)
def test_evaluation_is_untouched(shape):
    size = (2, 2, 5, 48)
    assert DropKey(0.5, shape).eval().mask(size, LIKE, GRID) is None
    assert DropKey(0.0, shape).mask(size, LIKE, GRID) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_query_that_lost_all_keys_stays_finite(dtype):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 5, 8).to(dtype)
    mask = additive_mask(torch.ones(1, 2, 5, 5, dtype=torch.bool), q)
    assert mask.dtype is dtype
    told = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert torch.isfinite(told).all()
    assert told.abs().max() <= v.abs().max()


def test_the_mean_of_draws_is_the_expectation():
    """All eight masks, weighed by how likely they are, against draws."""
    rate, network = 0.4, Attention(0.4)
    expected = torch.zeros(1)
    for lost in product([False, True], repeat=3):
        chance = rate ** sum(lost) * (1 - rate) ** (3 - sum(lost))
        weights = (network.logits + additive_mask(torch.tensor(lost), LIKE)).softmax(-1)
        expected += chance * (weights @ network.values)
    plain = network.eval()(torch.zeros(1))
    result = monte_carlo_mean(network.train(), torch.zeros(1), 4000, 1)
    assert abs(result - expected) < 0.15
    assert abs(plain - expected) > 0.3


def test_draws_come_from_the_seed_and_change_nothing():
    network, image = Attention(0.4).train(), torch.zeros(1)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two, other = (monte_carlo_mean(network, image, 5, seed) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert network.dropout.training


def small_network(name, **config):
    torch.manual_seed(5)
    card = new_sic_card(name, SMALL[name] | config, ("tb89h", "tb89v", "pd"))
    network = lively(create_model(name, card.config)).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data *= 2  # so that attention is far from uniform and keys matter
    return network, card


def predicted(network, card, draws):
    """The prediction for one window."""
    torch.manual_seed(7)
    image = torch.randn(3, card.window, card.window)
    machine = Machine(device=torch.device("cpu"), dropkey_draws=draws)
    needed = np.ones(image.shape[1:], bool)
    out = run_tiled(
        network, card, lambda rows, cols: image[:, rows, cols], needed, machine, no_progress
    )
    return torch.from_numpy(out), image


@pytest.mark.parametrize("name", ["mae_vit", "cloformer", "scalablevit"])
def test_a_setting_makes_predictions_the_mean_of_draws(name):
    network, card = small_network(name, dropkey=0.5)
    plain, image = predicted(network, card, draws=0)
    one, other = (predicted(network, card, draws=4)[0] for _ in range(2))
    inner = (slice(None), *(slice(side // 4, side // 2) for side in image.shape[1:]))
    expected = monte_carlo_mean(network, image[None], 4, seed=0)[0]
    assert torch.equal(one, other)
    torch.testing.assert_close(one[inner], expected[inner], atol=1e-5, rtol=1e-5)
    assert (one - plain).abs().max() > 1e-3
    assert not network.training


def test_draws_of_a_network_without_dropkey_are_refused():
    network, card = small_network("mae_vit", dropkey=0.0)
    with pytest.raises(SettingsError, match="whose DropKey rate is 0"):
        predicted(network, card, draws=4)


@pytest.mark.parametrize(("stage", "name"), [("sr", "bicubic"), ("sic", "asi")])
def test_draws_of_a_formula_are_refused(stage, name, tmp_path):
    with pytest.raises(SettingsError, match=f"dropkey_draws = 2 in .{stage}. for {name}"):
        method(stage, NetworkSettings(name=name, dropkey_draws=2), tmp_path / "notes")


@given(st.floats(0.01, 0.9), st.integers(1, 30))
def test_rates_fall_evenly_from_the_first_layer_on(highest, depth):
    rates = linear_decay(highest, depth)
    assert len(rates) == depth
    assert rates[0] == highest
    steps = [early - late for early, late in pairwise(rates)]
    assert all(step == pytest.approx(steps[0]) for step in steps)
    assert all(step > 0 for step in steps)
    assert rates[-1] >= 0


@pytest.mark.parametrize(("rate", "shape"), [(1.0, "keys"), (-0.1, "keys"), (0.1, "rows")])
def test_what_cannot_be_is_refused(rate, shape):
    with pytest.raises(WeightsError):
        DropKey(rate, shape)


def test_figures_need_the_grid_of_the_keys():
    with pytest.raises(ValueError, match="48 keys"):
        DropKey(0.1, "block").mask((1, 1, 1, 48), LIKE, (4, 4))
