"""RepVGG, its blocks and what they fold into, against the official code."""

import pytest
import torch
from safetensors.torch import load_file

from seaice.models.sic.repvgg import RepVGGBlock, RepVGGBlockConfig, RepVGGEncoder, RepVGGSizes
from tests.support.golden_cases import Case, assert_golden, folders, read


def block_of(case: Case, deployed: str) -> RepVGGBlock:
    config = case.config
    form = RepVGGBlockConfig(
        stride=config["stride"],
        dilation=config["dilation"],
        groups=config["groups"],
        deployed=deployed,
        attention="squeeze" if config.get("use_se") else "none",
    )
    return RepVGGBlock(config["in_channels"], config["out_channels"], form)


def network_of(case: Case, deployed: str) -> RepVGGEncoder:
    config = case.config
    stages = RepVGGSizes(
        blocks=config["num_blocks"],
        widths=config["width_multiplier"],
        groups={int(at): count for at, count in (config["override_groups_map"] or {}).items()},
        deployed=deployed,
        attention="squeeze" if config.get("use_se") else "none",
    )
    return RepVGGEncoder(case.io["input"].shape[1], stages, config["num_classes"])


def deployed_weights(name: str):
    return load_file(folders("repvgg")[name] / "weights_deploy.safetensors")


blocks = pytest.mark.parametrize("name", [n for n in folders("repvgg") if n.startswith("block")])
networks = pytest.mark.parametrize("name", [n for n in folders("repvgg") if n.startswith("net")])


@blocks
def test_block(name):
    case = read("repvgg", name)
    block = block_of(case, "branches").eval()
    block.load_state_dict(case.weights, strict=True)
    kernel, bias = block.equivalent()
    assert_golden(kernel.float(), case.io["mid_equivalent_kernel"])
    assert_golden(bias.float(), case.io["mid_equivalent_bias"])
    with torch.inference_mode():
        assert_golden(block(case.io["input"]), case.io["output"])
        assert_golden(block.fused()(case.io["input"]), case.io["output_deploy"])


@blocks
def test_deployed_block(name):
    case = read("repvgg", name)
    block = block_of(case, "one").eval()
    block.load_state_dict(deployed_weights(name), strict=True)
    with torch.inference_mode():
        assert_golden(block(case.io["input"]), case.io["output_deploy"])


@networks
def test_network(name):
    case = read("repvgg", name)
    network = network_of(case, "branches").eval()
    network.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        assert_golden(network(case.io["input"]), case.io["output"])


@networks
def test_deployed_network(name):
    case = read("repvgg", name)
    network = network_of(case, "one").eval()
    network.load_state_dict(deployed_weights(name), strict=True)
    with torch.inference_mode():
        assert_golden(network(case.io["input"]), case.io["output_deploy"])
