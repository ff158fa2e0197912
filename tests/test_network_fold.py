"""Folding changes no answer, and folds only what may be folded."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from seaice.models.export import fuse_layers
from seaice.models.registry import create_model, find_model
from seaice.models.sic.repvgg import RepVGGBlock, RepVGGBlockConfig
from tests.test_network_contract import image, learning, lively, network


def trained(module: nn.Module, seed: int = 0) -> nn.Module:
    """Statistics and weights as after some training: nothing is 0 or 1 any more."""
    random = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for value, low, high in (
                (layer.running_mean, -0.5, 0.5),
                (layer.running_var, 0.3, 2.0),
                (layer.weight.data, 0.5, 1.5),
                (layer.bias.data, -0.5, 0.5),
            ):
                value.uniform_(low, high, generator=random)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in module.modules())


@pytest.mark.parametrize("attention", ["none", "squeeze"])
@pytest.mark.parametrize("groups", [1, 2, 16])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("planes", [16, 32])
def test_three_branches_are_one_convolution(planes, stride, groups, attention):
    torch.manual_seed(planes + groups)
    form = RepVGGBlockConfig(stride=stride, groups=groups, attention=attention)
    block = trained(RepVGGBlock(16, planes, form), seed=stride)
    assert (block.rbr_identity is not None) == (planes == 16 and stride == 1)
    one = block.fused()
    inputs = torch.randn(2, 16, 9, 12)
    convolutions = [layer for layer in one.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == (1 if attention == "none" else 3)
    with torch.inference_mode():
        torch.testing.assert_close(one(inputs), block(inputs), atol=1e-5, rtol=0)
    assert one.fused() is one


@learning
def test_a_folded_network_answers_as_before(name):
    built = trained(lively(network(name)))
    before = {key: value.clone() for key, value in built.state_dict().items()}
    simpler, inputs = fuse_layers(built), image(name, 48, 33)
    with torch.inference_mode():
        expected, result = built(inputs), simpler(inputs)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)
    for key, value in built.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert norms(simpler) <= norms(built)


@pytest.mark.parametrize("name", ["repvgg", "scnet", "xception_aspp"])
def test_networks_that_normalize_after_convolutions_fold_whole(name):
    assert norms(fuse_layers(network(name))) == 0
    assert norms(network(name)) > 0


def test_a_norm_after_an_activation_stays():
    built = network("convmixer")
    heads = norms(built.reduce) + norms(built.decoder) + norms(built.fine)
    assert norms(fuse_layers(built)) == norms(built) - heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    in_channels: int = 3


class Tangled(nn.Module):
    """A convolution that a shortcut reads as well, one that two norms read, and a plain one."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Sizes()
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(4))

    def forward(self, features):
        first = self.first(features)
        both = self.norms[0](first) + first
        second = self.second(both)
        both = self.norms[1](second) * self.norms[2](second)
        return self.norms[3](self.third(both))


def test_what_something_else_reads_is_left_alone():
    built = trained(Tangled())
    simpler, inputs = fuse_layers(built), torch.randn(1, 3, 16, 16)
    kinds = [type(layer) for layer in simpler.norms]
    assert kinds == [nn.BatchNorm2d, nn.BatchNorm2d, nn.BatchNorm2d, nn.Identity]
    with torch.inference_mode():
        torch.testing.assert_close(simpler(inputs), built(inputs), atol=1e-5, rtol=1e-5)


def test_the_compact_networks_fold_to_one_in_a_hundred_thousand():
    """Of the sizes that are shipped, not only of tiny ones."""
    torch.manual_seed(2)
    built = trained(create_model("repvgg", find_model("repvgg").compact()))
    inputs = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(fuse_layers(built)(inputs), built(inputs), atol=1e-5, rtol=0)
