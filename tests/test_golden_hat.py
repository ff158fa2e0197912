"""HAT, whole and part by part, against its authors' implementation."""

import pytest
import torch

from seaice.models.layers.attention import (
    CAB,
    HAB,
    OCAB,
    HybridBlockConfig,
    WindowAttentionConfig,
    overlap_index,
    pad_to_windows,
    shift_mask,
    window_index,
)
from seaice.models.sr.hat import HAT, OfficialHATConfig
from tests.support.golden_cases import assert_golden, folders, read


def cases(part):
    return pytest.mark.parametrize(
        "name", [name for name in folders("hat") if name.startswith(part)]
    )


def block_sizes(config):
    attention = WindowAttentionConfig(
        dim=config["dim"],
        heads=config["num_heads"],
        window=config["window_size"],
        overlap=int(config.get("overlap_ratio", 0) * config["window_size"]),
        qkv_bias=config.get("qkv_bias", True),
        scale=config.get("qk_scale"),
    )
    convolution = {
        name: config[name]
        for name in ("compress_ratio", "squeeze_factor", "conv_scale", "mlp_ratio")
        if name in config
    }
    return HybridBlockConfig(attention=attention, **convolution)


def ready(built, case):
    built.load_state_dict(case.weights, strict=True)
    return built.eval()


def on_map(tokens, config):
    return tokens.unflatten(1, config["x_size"])


@cases("cab")
@torch.inference_mode()
def test_convolution_with_channel_attention(name):
    case = read("hat", name)
    block = ready(CAB(**case.config), case)
    assert_golden(block(case.io["input"]), case.io["output"])


@cases("hab")
@torch.inference_mode()
def test_hybrid_attention(name):
    case = read("hat", name)
    side, shift = case.config["window_size"], case.config["shift_size"]
    block = ready(HAB(block_sizes(case.config), shift), case)
    index = window_index(side)
    assert torch.equal(index, case.io["input_rpi_sa"].long())
    mask = shift_mask(case.config["x_size"], side, shift, torch.zeros(())) if shift else None
    if mask is not None:
        assert torch.equal(mask, case.io["input_attn_mask"].float())
    for ending in ("", "_small"):
        told = block(on_map(case.io["input" + ending], case.config), index, mask)
        assert_golden(told.flatten(1, 2), case.io["output" + ending])


@cases("ocab")
@torch.inference_mode()
def test_overlapping_attention(name):
    case = read("hat", name)
    sizes = block_sizes(case.config)
    block = ready(OCAB(sizes), case)
    index = overlap_index(sizes.attention.window, sizes.attention.extended)
    assert torch.equal(index, case.io["input_rpi_oca"].long())
    for ending in ("", "_small"):
        told = block(on_map(case.io["input" + ending], case.config), index)
        assert_golden(told.flatten(1, 2), case.io["output" + ending])


@cases("net")
@torch.inference_mode()
def test_the_whole_network(name):
    case = read("hat", name)
    sizes = OfficialHATConfig.official(case.config)
    network = ready(HAT(sizes), case)
    for options in (key for key in case.io if key.startswith("input")):
        image = case.io[options]
        rows, columns = (sizes.upscale * length for length in image.shape[2:])
        whole = pad_to_windows(image, sizes.window_size)
        told = network(whole)[..., :rows, :columns]
        assert_golden(told, case.io[options.replace("input", "output")])
        padded = case.io.get(f"mid_{options}_padded")
        assert padded is None or torch.equal(whole, padded)
