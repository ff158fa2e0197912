"""CloFormer against its official numbers."""

import pytest
import torch

from seaice.models.sic.cloformer import (
    AttentionBranches,
    CloBlock,
    CloFormerConfig,
    CloFormerEncoder,
    CloFormerSIC,
    CloFormerStage,
    ConvFFN,
    EfficientAttention,
)
from tests.support.golden_cases import assert_golden, folders, read


def branches(config):
    return AttentionBranches(
        heads=tuple(config["group_split"]),
        kernels=tuple(config["kernel_sizes"]),
        pool=config.get("window_size", 7),
        bias="learned" if config.get("qkv_bias", True) else "none",
    )


def stages(config):
    """The stages of an official configuration; all but the last halve at their end."""
    last = len(config["depths"]) - 1
    for k, depth in enumerate(config["depths"]):
        yield CloFormerStage(
            width=config["embed_dims"][k],
            out=config["embed_dims"][min(k + 1, last)],
            rates=(0.0,) * depth,
            branches=branches(
                {
                    "group_split": config["group_splits"][k],
                    "kernel_sizes": config["kernel_sizes"][k],
                    "window_size": config["window_sizes"][k],
                    "qkv_bias": config.get("qkv_bias", True),
                }
            ),
            mlp_kernel=config["mlp_kernel_sizes"][k],
            mlp_ratio=config["mlp_ratios"][k],
            ends="stays" if k == last else "halves",
        )


def block(config):
    return CloBlock(
        CloFormerStage(
            width=config["dim"],
            out=config["out_dim"],
            rates=(0.0,),
            branches=branches(config),
            mlp_kernel=config["mlp_kernel_size"],
            mlp_ratio=config["mlp_ratio"],
            ends="stays" if config["stride"] == 1 else "halves",
        )
    )


def feed(config):
    return ConvFFN(
        config["in_channels"],
        config["hidden_channels"],
        config["out_channels"],
        config["kernel_size"],
        config["stride"],
    )


BUILT = {
    "EfficientAttention": lambda config: EfficientAttention(config["dim"], branches(config)),
    "EfficientBlock": block,
    "ConvFFN": feed,
    "CloFormer": lambda config: CloFormerEncoder(
        config["in_chans"], list(stages(config)), config["num_classes"]
    ),
}


@pytest.mark.parametrize("name", folders("cloformer"))
def test_official_numbers(name):
    case = read("cloformer", name)
    built = BUILT[case.kind](case.config).eval()
    built.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        for options in (key for key in case.io if key.startswith("input")):
            expected = case.io[options.replace("input", "output")]
            assert_golden(built(case.io[options]), expected)


def test_official_blocks_that_halve_do():
    config = {"dim": 12, "out_dim": 20, "group_split": [2, 1], "kernel_sizes": [5]}
    halving = block(config | {"window_size": 2, "mlp_kernel_size": 5, "mlp_ratio": 2, "stride": 2})
    assert halving(torch.randn(1, 12, 8, 6)).shape == (1, 20, 4, 3)


def test_the_encoder_takes_the_official_weights_of_its_three_stages():
    torch.manual_seed(3)
    hyper = CloFormerConfig(
        widths=(8, 8, 16, 16), depths=(1, 2, 1), heads=(2, 2, 4), global_heads=(1, 1, 2)
    )
    official = {
        "embed_dims": [8, 8, 16, 16],
        "depths": [1, 2, 1, 1],
        "group_splits": [[1, 1], [1, 1], [2, 2], [2, 2]],
        "kernel_sizes": [[3], [5], [7], [9]],
        "window_sizes": [8, 4, 2, 1],
        "mlp_kernel_sizes": [5] * 4,
        "mlp_ratios": [4] * 4,
    }
    whole = CloFormerEncoder(3, list(stages(official)), 5)
    encoder = CloFormerSIC(hyper).encoder
    taken = {key: value for key, value in whole.state_dict().items() if key in encoder.state_dict()}
    encoder.load_state_dict(taken, strict=True)
    assert {key.split(".")[1] for key in taken if key.startswith("layers")} == {"0", "1", "2"}
