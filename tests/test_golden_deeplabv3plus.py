"""Separable convolutions, blocks, ASPP, decoder and the whole network against DeepLabv3+."""

import pytest
import torch

from seaice.models.layers.convolution import KernelConfig, SeparableConv2d
from seaice.models.layers.decoder import ASPP, ASPPModule, DeepLabDecoder, DeepLabDecoderConfig
from seaice.models.sic.xception_aspp import (
    XceptionASPP,
    XceptionASPPConfig,
    XceptionBlock,
    XceptionBlockConfig,
)
from tests.support.golden_cases import assert_golden, folders, read


def cases(prefix: str):
    names = [name for name in folders("deeplabv3plus") if name.startswith(prefix)]
    return pytest.mark.parametrize("name", names)


def outputs(module, case, *inputs):
    module.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        return module.eval()(*inputs)


@cases("sepconv")
def test_separable_convolution(name):
    case = read("deeplabv3plus", name)
    config = case.config
    taps = KernelConfig(
        size=config["kernel_size"],
        stride=config["stride"],
        dilation=config["dilation"],
        bias="learned" if config["bias"] else "none",
    )
    unit = SeparableConv2d(config["inplanes"], config["planes"], taps)
    assert_golden(outputs(unit, case, case.io["input"]), case.io["output"])


@pytest.mark.parametrize(
    ("shortcut", "key"), [("activated", "output"), ("raw", "output_if_relu_not_inplace")]
)
@cases("block")
def test_block_with_either_shortcut(name, shortcut, key):
    case = read("deeplabv3plus", name)
    config = case.config
    steps = XceptionBlockConfig(
        reps=config["reps"],
        stride=config["stride"],
        dilation=config["dilation"],
        first="relu" if config["start_with_relu"] else "convolution",
        widens="first" if config["grow_first"] else "last",
        ends="extra" if config["is_last"] and config["stride"] == 1 else "plain",
        shortcut=shortcut,
    )
    unit = XceptionBlock(config["inplanes"], config["planes"], steps)
    assert_golden(outputs(unit, case, case.io["input"]), case.io[key])


@cases("aspp-branch")
def test_one_reach(name):
    case = read("deeplabv3plus", name)
    rate = case.config["dilation"] if case.config["kernel_size"] == 3 else 0
    unit = ASPPModule(case.config["inplanes"], case.config["planes"], rate)
    assert_golden(outputs(unit, case, case.io["input"]), case.io["output"])


@cases("aspp-os")
def test_pyramid(name):
    case = read("deeplabv3plus", name)
    rates = {16: (6, 12, 18), 8: (12, 24, 36)}[case.config["output_stride"]]
    planes, inplanes = case.weights["aspp1.atrous_conv.weight"].shape[:2]
    unit = ASPP(inplanes, planes, rates, None, 0.5)
    assert_golden(outputs(unit, case, case.io["input"]), case.io["output"])


def test_a_square_that_covers_everything_is_the_published_image_level_feature():
    torch.manual_seed(0)
    published, ours = (ASPP(4, 3, (1, 2, 3), context, 0.0).eval() for context in (None, 21))
    ours.load_state_dict(published.state_dict())
    features = torch.randn(1, 4, 10, 9)
    torch.testing.assert_close(ours(features), published(features), atol=1e-6, rtol=1e-5)


@cases("decoder")
def test_decoder(name):
    case = read("deeplabv3plus", name)
    low_level, low_level_in = case.weights["conv1.weight"].shape[:2]
    out, deep = case.weights["last_conv.8.weight"].shape[:2]
    widths = DeepLabDecoderConfig(
        deep=deep, low_level_in=low_level_in, low_level=low_level, out=out
    )
    unit = DeepLabDecoder(widths, (0.5, 0.1))
    result = outputs(unit, case, case.io["input"], case.io["input_low_level_feat"])
    assert_golden(result, case.io["output"])


def network_like(weights) -> XceptionASPP:
    """The catalogue's own network, with the widths of these official weights."""
    width = {key: value.shape[0] for key, value in weights.items() if value.ndim}
    blocks = {key.split(".")[1] for key in weights if key.startswith("backbone.block")}
    one, two, three = (width[f"backbone.block{n}.skip.weight"] for n in (1, 2, 3))
    hyper = XceptionASPPConfig(
        in_channels=weights["backbone.conv1.weight"].shape[1],
        outputs=width["decoder.last_conv.8.weight"],
        stem=(width["backbone.conv1.weight"], width["backbone.conv2.weight"]),
        entry=(one, two, three),
        middle_blocks=len(blocks) - 4,
        exit=width[f"backbone.block{len(blocks)}.skip.weight"],
        top=tuple(width[f"backbone.conv{n}.pointwise.weight"] for n in (3, 4, 5)),
        rates=(6, 12, 18),
        deep=width["aspp.conv1.weight"],
        low_level=width["decoder.conv1.weight"],
        shortcut="activated",
    )
    return XceptionASPP(hyper)


@cases("deeplab-os16")
def test_whole_network(name):
    case = read("deeplabv3plus", name)
    network = network_like(case.weights)
    network.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        assert_golden(network.eval().logits(case.io["input"]), case.io["output"])
