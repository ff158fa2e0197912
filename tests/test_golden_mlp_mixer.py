"""MLP-Mixer against timm's and lucidrains' code."""

import pytest
import torch

from seaice.models.sic.mlp_mixer import MlpMixerEncoder, MlpMixerSizes
from tests.support.golden_cases import Case, assert_golden, folders, read
from tests.support.golden_only import from_lucidrains


def cases(prefix: str):
    return pytest.mark.parametrize(
        "name", [name for name in folders("mlp_mixer") if name.startswith(prefix)]
    )


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def timm(case: Case) -> MlpMixerEncoder:
    config = case.config
    width = config["embed_dim"]
    tokens, channels = (int(ratio * width) for ratio in config["mlp_ratio"])
    sizes = MlpMixerSizes(
        window=pair(config["img_size"]),
        patch=config["patch_size"],
        width=width,
        depth=config["num_blocks"],
        tokens=tokens,
        channels=channels,
        stem="normed" if config.get("stem_norm") else "plain",
    )
    network = MlpMixerEncoder(config["in_chans"], sizes, config["num_classes"])
    network.load_state_dict(case.weights, strict=True)
    return network.eval()


def lucidrains(case: Case) -> MlpMixerEncoder:
    config = case.config
    width = config["dim"]
    sizes = MlpMixerSizes(
        window=pair(config["image_size"]),
        patch=config["patch_size"],
        width=width,
        depth=config["depth"],
        tokens=int(config["expansion_factor"] * width),
        channels=int(config["expansion_factor_token"] * width),
        eps=1e-5,
    )
    network = MlpMixerEncoder(config["channels"], sizes, config["num_classes"])
    weights = from_lucidrains(case.weights, config["channels"])
    network.load_state_dict(weights, strict=True)
    return network.eval()


@cases("timm")
def test_timm(name):
    case = read("mlp_mixer", name)
    network = timm(case)
    with torch.inference_mode():
        assert_golden(network(case.io["input"]), case.io["output"])
        patches, mixed = network.features(case.io["input"])
        assert_golden(patches.flatten(2).mT, case.io["mid_stem"])
        assert_golden(mixed.flatten(2).mT, case.io["mid_final_norm"])


@cases("timm")
def test_windows_are_mixed_each_for_itself(name):
    case = read("mlp_mixer", name)
    network, one = timm(case), case.io["input"]
    other = one.flip(2, 3)
    with torch.inference_mode():
        result = network.features(torch.cat((one, other), dim=3))
        ones, others = network.features(one), network.features(other)
    for whole, *parts in zip(result, ones, others, strict=True):
        torch.testing.assert_close(whole, torch.cat(parts, dim=3))


@cases("lucidrains")
def test_lucidrains(name):
    case = read("mlp_mixer", name)
    with torch.inference_mode():
        assert_golden(lucidrains(case)(case.io["input"]), case.io["output"])
