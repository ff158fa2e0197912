"""ESPCN against its public re-implementation, whose last step is a sigmoid."""

import pytest
import torch

from seaice.models.sr.espcn import SubPixelNetwork
from tests.support.golden_cases import assert_golden, folders, read


@pytest.mark.parametrize("name", folders("espcn"))
def test_the_network_of_the_paper(name):
    case = read("espcn", name)
    scale = case.config["upscale_factor"]
    width, channels = case.weights["conv1.weight"].shape[:2]
    inner = case.weights["conv2.weight"].shape[0]
    network = SubPixelNetwork(channels, (width, inner), channels, scale)
    network.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        told = network(case.io["input"])
    assert_golden(torch.nn.functional.pixel_unshuffle(told, scale), case.io["mid_conv3"])
    assert_golden(torch.sigmoid(told), case.io["output"])
