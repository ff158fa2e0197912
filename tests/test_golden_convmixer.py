"""ConvMixer against the official code."""

import pytest
import torch

from seaice.models.sic.convmixer import ConvMixerEncoder, ConvMixerSizes
from tests.support.golden_cases import assert_golden, folders, read


@pytest.mark.parametrize("name", folders("convmixer"))
def test_network(name):
    case = read("convmixer", name)
    config = case.config
    mixing = ConvMixerSizes(
        width=config["dim"],
        depth=config["depth"],
        kernel=config["kernel_size"],
        patch=config["patch_size"],
    )
    network = ConvMixerEncoder(case.io["input"].shape[1], mixing, config["n_classes"]).eval()
    network.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        assert_golden(network(case.io["input"]), case.io["output"])
        patches, mixed = network.features(case.io["input"])
        assert_golden(patches, case.io["mid_stem"])
        assert_golden(network[-1](mixed.mean((2, 3))), case.io["output"])
