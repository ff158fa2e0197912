"""Modulated deformable convolution against the reference operator."""

import pytest
import torch

from seaice.models.layers.deformable import (
    ConvGeometry,
    ModulatedDeformConv,
    ModulatedDeformConvPack,
)
from tests.support.golden_cases import Case, assert_golden, folders, read


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def layer(case: Case) -> ModulatedDeformConv:
    config = case.config
    geometry = ConvGeometry(
        stride=pair(config["stride"]),
        padding=pair(config["padding"]),
        dilation=pair(config["dilation"]),
        groups=config["groups"],
        deformable_groups=config["deformable_groups"],
    )
    packed = "conv_offset.weight" in case.weights
    kind = ModulatedDeformConvPack if packed else ModulatedDeformConv
    built = kind(
        config["in_channels"], config["out_channels"], pair(config["kernel_size"]), geometry
    )
    built = built if config["bias"] else built.without_bias()
    built.load_state_dict(case.weights, strict=True)
    return built.eval()


@pytest.mark.parametrize("name", folders("dcnv2"))
def test_official_numbers_come_out(name):
    case = read("dcnv2", name)
    inputs = [case.io[key] for key in ("input", "input_offset", "input_mask") if key in case.io]
    with torch.inference_mode():
        assert_golden(layer(case)(*inputs), case.io["output"])


@pytest.mark.parametrize("name", [name for name in folders("dcnv2") if "pack" not in name])
def test_unmoved_unmasked_taps_are_a_plain_convolution(name):
    case = read("dcnv2", name)
    offset = torch.zeros_like(case.io["input_offset"])
    mask = torch.ones_like(case.io["input_mask"])
    result = layer(case)(case.io["input"], offset, mask)
    config, weights = case.config, case.weights
    plain = torch.nn.functional.conv2d(
        case.io["input"],
        weights["weight"],
        weights.get("bias"),
        pair(config["stride"]),
        pair(config["padding"]),
        pair(config["dilation"]),
        config["groups"],
    )
    assert_golden(result, plain)
    if "output_mask_of_ones_zero_offset_is_plain_conv" in case.io:
        assert_golden(result, case.io["output_mask_of_ones_zero_offset_is_plain_conv"])
