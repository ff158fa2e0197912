"""SCNet, its blocks and its convolution, against the official code."""

import pytest
import torch
from torch import nn

from seaice.models.layers.convolution import SCConv
from seaice.models.sic.scnet import EXPANSION, SCBlockConfig, SCBottleneck, SCNetEncoder, SCNetSizes
from tests.support.golden_cases import Case, assert_golden, folders, read


def cases(prefix: str):
    return pytest.mark.parametrize("name", [n for n in folders("scnet") if n.startswith(prefix)])


def assert_reproduced(case: Case, module: nn.Module) -> None:
    module.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        assert_golden(module.eval()(case.io["input"]), case.io["output"])


@cases("scconv")
def test_convolution(name):
    case = read("scnet", name)
    config = case.config
    unit = SCConv(
        config["inplanes"],
        config["planes"],
        config["stride"],
        config["dilation"],
        config["groups"],
        config["pooling_r"],
    )
    assert_reproduced(case, unit)


@cases("bottleneck")
def test_block(name):
    case = read("scnet", name)
    config = case.config
    by_mean = config["avd"] and (config["stride"] > 1 or config["is_first"])
    block = SCBlockConfig(
        stride=config["stride"],
        dilation=config["dilation"],
        groups=config["cardinality"],
        bottleneck_width=config["bottleneck_width"],
        strides_by="mean" if by_mean else "convolution",
    )
    inplanes, planes = config["inplanes"], config["planes"]
    downsample = None
    if config["downsample"]:
        conv = nn.Conv2d(inplanes, EXPANSION * planes, 1, config["stride"], bias=False)
        downsample = nn.Sequential(conv, nn.BatchNorm2d(EXPANSION * planes))
    assert_reproduced(case, SCBottleneck(inplanes, planes, block, downsample))


@cases("net")
def test_network(name):
    case = read("scnet", name)
    config = case.config
    mean, strided = "mean", "convolution"
    build = SCNetSizes(
        layers=config["layers"],
        planes=[case.weights[f"layer{n}.0.bn3.weight"].shape[0] // EXPANSION for n in (1, 2, 3, 4)],
        groups=config["groups"],
        bottleneck_width=config["bottleneck_width"],
        dilation=4 if config["dilated"] else config["dilation"],
        stem="3x3" if config["deep_stem"] else "7x7",
        stem_width=case.weights["bn1.weight"].shape[0],
        stride=mean if config["avd"] else strided,
        shortcut=mean if config["avg_down"] else strided,
    )
    assert_reproduced(case, SCNetEncoder(case.io["input"].shape[1], build, config["num_classes"]))
