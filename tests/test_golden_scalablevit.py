"""ScalableViT against its official numbers."""

import pytest
import torch

from seaice.models.sic.scalablevit import (
    IWSA,
    SSA,
    PosCNN,
    ScalableViTConfig,
    ScalableViTEncoder,
    ScalableViTSIC,
    ScalableViTStage,
)
from tests.support.golden_cases import assert_golden, folders, read


def attention(config):
    return ScalableViTStage(
        width=config["dim"],
        heads=config["num_heads"],
        rates=(0.0,),
        cells=config.get("ws", 7),
        reduction=config.get("sr_ratio", 1),
        channels=config.get("c_ratio", 1.25),
        bias="learned" if config.get("qkv_bias", False) else "none",
    )


def network(config):
    stages = [
        ScalableViTStage(
            width=config["embed_dims"][k],
            heads=config["num_heads"][k],
            rates=(0.0,) * depth,
            mlp_ratio=config["mlp_ratios"][k],
            reduction=config["sr_ratios"][k],
            cells=config["wss"][k],
            channels=config["c_ratios"][k],
            bias="learned" if config.get("qkv_bias", False) else "none",
        )
        for k, depth in enumerate(config["depths"])
    ]
    head = "plain" if config.get("plain_head") else "wide"
    classes = config.get("num_classes", 1000)
    return ScalableViTEncoder(config["in_chans"], stages, classes, head, config["patch_size"])


BUILT = {
    "IWSA with LIM": lambda config: IWSA(attention(config)),
    "SSA": lambda config: SSA(attention(config)),
    "PosCNN": lambda config: PosCNN(config["embed_dim"], config["s"]),
    "ScalableViT": network,
}


@pytest.mark.parametrize("name", folders("scalablevit"))
def test_official_numbers(name):
    case = read("scalablevit", name)
    built = BUILT[case.kind](case.config).eval()
    built.load_state_dict(case.weights, strict=True)
    grid = [tuple(case.config["H_W"])] if "H_W" in case.config else []
    with torch.inference_mode():
        for options in (key for key in case.io if key.startswith("input")):
            expected = case.io[options.replace("input", "output")]
            assert_golden(built(case.io[options], *grid), expected)


def test_every_stage_of_the_official_network_is_right():
    case = read("scalablevit", "net-a")
    built = network(case.config).eval()
    built.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        for number, result in enumerate(built.maps(case.io["input"])):
            expected = case.io[f"mid_stage{number}_last_block"]
            assert_golden(result.flatten(2).transpose(1, 2), expected)


def test_the_encoder_takes_the_official_weights_of_its_three_stages():
    torch.manual_seed(3)
    hyper = ScalableViTConfig(widths=(8, 8, 16), depths=(1, 2, 2), heads=(1, 2, 2))
    four = [*hyper.stages(), ScalableViTStage(width=24, heads=2, rates=(0.0, 0.0))]
    whole = ScalableViTEncoder(3, four, 5)
    encoder = ScalableViTSIC(hyper).encoder
    taken = {key: value for key, value in whole.state_dict().items() if key in encoder.state_dict()}
    encoder.load_state_dict(taken, strict=True)
