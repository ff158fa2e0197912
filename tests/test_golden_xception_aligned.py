"""Aligned Xception against timm's, which TensorFlow's published weights load into."""

import pytest
import torch

from seaice.models.sic.xception_aligned import (
    XceptionAlignedConfig,
    XceptionAlignedEncoder,
    XceptionAlignedSIC,
    XceptionModuleConfig,
    dilated,
)
from tests.support.golden_cases import assert_golden, folders, read

timms = pytest.mark.parametrize(
    "name", [name for name in folders("deeplabv3plus") if name.startswith("timm")]
)


def unit(told) -> XceptionModuleConfig:
    """Ours for a module as timm configures it."""
    widths = told["out_chs"] if isinstance(told["out_chs"], list) else [told["out_chs"]] * 3
    plain = told.get("no_skip", False) and not told.get("start_with_relu", True)
    return XceptionModuleConfig(
        widths=tuple(widths), stride=told["stride"], kind="plain" if plain else "residual"
    )


def like(case) -> XceptionAlignedEncoder:
    config = case.config
    stem = tuple(case.weights[f"stem.{number}.conv.weight"].shape[0] for number in (0, 1))
    units = dilated([unit(told) for told in config["block_cfg"]], config["output_stride"])
    encoder = XceptionAlignedEncoder(config["in_chans"], stem, units, config["num_classes"])
    encoder.load_state_dict(case.weights, strict=True)
    return encoder.eval()


@timms
def test_network(name):
    case = read("deeplabv3plus", name)
    encoder = like(case)
    blocks = {}

    def keep(block, given, told):
        blocks[block] = told[0]

    for number in (0, 3):
        encoder.blocks[number].register_forward_hook(keep)
    with torch.inference_mode():
        assert_golden(encoder(case.io["input"]), case.io["output"])
        low_level, deep = encoder.features(case.io["input"])
    assert_golden(low_level, case.io["mid_low_level"])
    assert_golden(deep, case.io["mid_features"])
    for number in (0, 3):
        assert_golden(blocks[encoder.blocks[number]], case.io[f"mid_block{number}"])


@pytest.mark.parametrize(
    ("entry", "strides", "blocks"),
    [((8, 10, 12), (2, 2, 2), 11), ((6, 8, 8, 12, 12), (2, 1, 2, 1, 2), 13)],
)
def test_entry_flows_of_65_and_of_71_end_at_stride_sixteen(entry, strides, blocks):
    widths = {"exit": (12, 14, 14), "top": (16, 16, 20), "stem": (4, 8)}
    hyper = XceptionAlignedConfig(entry=entry, strides=strides, middle_blocks=6, **widths)
    encoder = XceptionAlignedSIC(hyper).encoder.eval()
    with torch.inference_mode():
        low_level, deep = encoder.features(torch.randn(1, 3, 32, 48))
    assert low_level.shape == (1, entry[strides.index(2, 1)], 8, 12)
    assert deep.shape == (1, 20, 2, 3)
    assert len(encoder.blocks) == blocks
