"""Strided features lie where their encoder says, so that the decoder lays them in place."""

import pytest
import torch
from torch import nn

from seaice.models.registry import create_model
from tests.test_network_contract import SMALL

CASES = [("repvgg", {}), ("scnet", {}), ("convmixer", {}), ("mlp_mixer", {"window": 128})] + [
    (name, {"pooling": "dynopool", "window": 128}) for name in ("repvgg", "scnet")
]
SIDE, IMAGES = 128, 16


def evenly_weighted(network: nn.Module) -> nn.Module:
    """Kernels that weigh both sides alike, so that features answer for what lies around them."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return network.eval()


def seen_from(features: torch.Tensor, image: torch.Tensor) -> tuple[int, float]:
    """The cell looked from, in the middle, and the mean place of what it sees along columns."""
    cell = features.shape[-1] // 2
    (seen,) = torch.autograd.grad(features[..., cell].sum(), image, retain_graph=True)
    weights = seen.abs().sum((0, 1, 2))
    return cell, float(weights @ torch.arange(SIDE, dtype=weights.dtype) / weights.sum())


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_features_lie_where_the_encoder_says(name, hyper):
    torch.manual_seed(0)
    network = evenly_weighted(create_model(name, SMALL[name] | hyper))
    image = torch.rand(IMAGES, 3, SIDE, SIDE, requires_grad=True)
    low_level, deep = network.encoder.features(image)
    for features in (low_level,) if name == "mlp_mixer" else (low_level, deep):
        stride = SIDE / features.shape[-1]
        cell, result = seen_from(features, image)
        first = stride * cell
        expected = first if network.spec.alignment == "first" else first + (stride - 1) / 2
        assert abs(result - expected) < stride / 8, (stride, result - expected)
