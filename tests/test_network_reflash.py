"""Laws of what is left out in training: channels before the last convolution, and branches."""

import pytest
import torch

from seaice.errors import WeightsError
from seaice.models.layers.dropout import ReflashDropout, StochasticDepth
from seaice.models.registry import create_model, find_model
from tests.test_network_contract import SMALL, lively

with_reflash = pytest.mark.parametrize("name", ["edvr", "espcn", "hat", "pmdrnet"])


def test_whole_channels_are_dropped_and_the_others_strengthened():
    torch.manual_seed(0)
    told = ReflashDropout(0.7)(torch.ones(200, 50, 2, 3))
    assert torch.equal(told, told[..., :1, :1].expand_as(told))
    assert told.unique().tolist() == pytest.approx([0.0, 1 / 0.3])
    assert (told == 0).float().mean() == pytest.approx(0.7, abs=0.02)


def test_branches_are_left_out_sample_by_sample_and_stay_the_same_on_the_average():
    torch.manual_seed(0)
    told = StochasticDepth(0.2)(torch.ones(5000, 2, 3))
    assert torch.equal(told, told[:, :1, :1].expand_as(told))
    assert told.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("layer", [ReflashDropout(0.7), StochasticDepth(0.7)])
def test_evaluation_is_untouched(layer):
    inputs = torch.randn(3, 4, 5, 6)
    assert torch.equal(layer.eval()(inputs), inputs)


@with_reflash
def test_weights_load_whatever_the_rate_and_tell_the_same(name):
    torch.manual_seed(0)
    plain = lively(create_model(name, SMALL[name]))
    dropping = create_model(name, SMALL[name] | {"reflash": 0.6})
    dropping.load_state_dict(plain.state_dict(), strict=True)
    hyper = find_model(name).config_class()(**SMALL[name])
    inputs = torch.randn(1, hyper.frames, hyper.channels, 8, 8)
    with torch.inference_mode():
        assert torch.equal(dropping.eval()(inputs), plain.eval()(inputs))
        assert not torch.equal(dropping.train()(inputs), dropping(inputs))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_what_cannot_be_is_refused(rate):
    with pytest.raises(WeightsError):
        ReflashDropout(rate)
