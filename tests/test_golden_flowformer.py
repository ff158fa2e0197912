"""Flow attention and Flowformer against their official numbers."""

import pytest
import torch

from seaice.errors import WeightsError
from seaice.models.layers.attention import FlowAttention, VisionFlowAttention
from seaice.models.registry import create_model
from seaice.models.sic.flowformer import (
    PATCH,
    FlowformerBlock,
    FlowformerConfig,
    FlowformerEncoder,
    FlowformerSIC,
    FlowformerStage,
)
from tests.support.golden_cases import assert_golden, folders, read
from tests.support.golden_only import CausalFlowAttention


def widths(config):
    return config["d_input"], config["d_model"], config["d_output"], config["n_heads"]


def block(config):
    heads = config.get("num_heads (hard default)", 12)
    return FlowformerBlock(
        FlowformerStage(width=config["dim"], heads=heads, mlp_ratio=config["mlp_ratio"])
    )


def network(config):
    heads = config.get("num_heads (hard default)", 12)
    stages = [
        FlowformerStage(width=width, depth=depth, heads=heads, mlp_ratio=ratio)
        for width, depth, ratio in zip(
            config["embed_dim"], config["depth"], config["mlp_ratio"], strict=True
        )
    ]
    return FlowformerEncoder(3, stages, config["img_size"] // PATCH, config["num_classes"])


BUILT = {
    "Flow_Attention": lambda config: FlowAttention(*widths(config)),
    "Flow_Attention_Causal": lambda config: CausalFlowAttention(*widths(config)),
    "Flow_Attention, vision version": lambda config: VisionFlowAttention(
        config["dim"], config["num_heads"]
    ),
    "My_BlockLayerScale": block,
    "Flowformer": network,
}


@pytest.mark.parametrize("name", folders("flowformer"))
def test_official_numbers(name):
    case = read("flowformer", name)
    built = BUILT[case.kind](case.config).eval()
    built.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        if "input_queries" in case.io:
            inputs = (case.io[f"input_{which}"] for which in ("queries", "keys", "values"))
            assert_golden(built(*inputs), case.io["output"])
            return
        for options in (key for key in case.io if key.startswith("input")):
            assert_golden(built(case.io[options]), case.io[options.replace("input", "output")])


def test_every_stage_of_the_official_network_is_right():
    case = read("flowformer", "net-a")
    built = network(case.config).eval()
    built.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        for number, result in enumerate(built.maps(case.io["input"])):
            assert_golden(result.flatten(2).transpose(1, 2), case.io[f"mid_stage{number}"])


def test_the_encoder_takes_the_official_weights_of_its_three_stages():
    torch.manual_seed(3)
    hyper = FlowformerConfig(widths=(8, 8, 16), depths=(1, 2, 2), heads=2, positions=8)
    whole = FlowformerEncoder(3, [*hyper.stages(), FlowformerStage(width=24, heads=2)], 8, 5)
    encoder = FlowformerSIC(hyper).encoder
    taken = {key: value for key, value in whole.state_dict().items() if key in encoder.state_dict()}
    encoder.load_state_dict(taken, strict=True)


@pytest.mark.parametrize("name", ["cloformer", "scalablevit", "flowformer"])
def test_widths_that_heads_cannot_share_are_refused(name):
    heads = 5 if name == "flowformer" else (5, 5, 5)
    with pytest.raises(WeightsError, match="5 heads"):
        create_model(name, {"heads": heads})


def test_positions_stay_in_place_at_other_sizes():
    """A table that rises evenly does so over more cells, within a twelfth of a cell's step."""
    encoder = FlowformerEncoder(3, [FlowformerStage(width=12)], 16)
    at = (torch.arange(16) + 0.5) / 16
    encoder.pos_embed.data[:] = at.expand(16, 16).reshape(1, -1, 1)
    assert torch.equal(encoder.position((16, 16)), encoder.pos_embed)
    finer = encoder.position((32, 24)).detach().reshape(32, 24, 12)
    expected = ((torch.arange(24) + 0.5) / 24)[:, None].expand(32, 24, 12)
    torch.testing.assert_close(finer[:, 3:-3], expected[:, 3:-3], atol=1 / 12 / 24, rtol=0)
